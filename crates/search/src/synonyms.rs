//! Words that tools use in place of those that people use.
//!
//! Only what holds everywhere: the verbs by which interfaces are written, and the names of everyday things that software has
//! in common. Nothing here belongs to one provider. A word may also be met by the others of its group, for less than itself.

/// Groups of words that may stand for each other.
const GROUPS: &[&[&str]] = &[
    &["create", "add", "new", "make", "insert", "post", "open", "start"],
    &["delete", "remove", "destroy", "erase", "drop"],
    &["get", "retrieve", "fetch", "read", "show", "see", "view", "find", "look"],
    &["list", "show", "browse", "all"],
    &["search", "find", "query", "lookup", "look"],
    &["update", "change", "edit", "modify", "patch", "set", "fix", "correct", "adjust", "rename", "put"],
    &["send", "post", "deliver", "email"],
    &["cancel", "abort", "stop", "terminate", "end"],
    &["start", "run", "launch", "trigger", "dispatch", "begin", "execute", "kick"],
    &["restart", "reboot", "rerun", "retry", "power"],
    &["copy", "duplicate", "clone", "fork"],
    &["download", "export", "save"],
    &["upload", "import", "attach"],
    &["enable", "activate", "turn"],
    &["disable", "deactivate", "mute"],
    &["invite", "add"],
    &["kick", "remove", "throw"],
    &["share", "permission", "access", "grant", "allow", "let"],
    &["trash", "bin", "recycle", "throw"],
    &["picture", "photo", "image", "avatar", "screenshot"],
    &["email", "mail", "message"],
    &["message", "comment", "note"],
    &["file", "document", "doc", "attachment"],
    &["folder", "directory"],
    &["user", "person", "member", "colleague", "coworker", "account"],
    &["customer", "client", "shopper", "buyer"],
    &["meeting", "appointment", "event"],
    &["repository", "repo", "project"],
    &["task", "todo", "ticket", "issue", "bug"],
    &["invoice", "bill"],
    &["payment", "charge", "pay"],
    &["refund", "reimburse", "return", "back"],
    &["price", "cost", "amount"],
    &["discount", "coupon", "rebate"],
    &["money", "fund", "balance", "cash"],
    &["server", "machine", "vm", "instance"],
    &["disk", "volume", "storage"],
    &["backup", "snapshot"],
    &["channel", "room", "conversation"],
    &["version", "revision", "release"],
    &["secret", "token", "credential", "password"],
    &["setting", "configuration", "config", "preference", "option"],
    &["build", "job", "workflow", "pipeline", "run"],
    &["pull", "merge", "pr"],
    &["quota", "limit"],
    &["emoji", "reaction"],
    &["tag", "label", "topic"],
    &["assign", "owner", "assignee", "hand", "delegate"],
    &["approve", "accept", "confirm"],
    &["reject", "decline", "deny", "dismiss"],
    &["link", "url", "address"],
    &["vacation", "holiday", "absence", "away", "office"],
    &["mute", "snooze", "silence", "pause"],
    &["agenda", "calendar", "schedule", "event"],
    &["reschedule", "move", "postpone", "event"],
    &["rule", "filter"],
    &["space", "storage", "quota"],
    &["conversation", "thread", "chat", "message"],
    &["merge", "combine", "join"],
    &["firewall", "port"],
    &["publish", "release", "create"],
];

/// The words that may stand for `word`, by its stem. `stem` is how stems are made.
pub(crate) fn of<'word>(
    word: &'word str,
    stem: fn(&str) -> String,
) -> impl Iterator<Item = &'static str> + 'word {
    GROUPS
        .iter()
        .filter(move |group| group.iter().any(|other| stem(other) == word))
        .flat_map(move |group| group.iter().copied().filter(move |other| stem(other) != word))
}
