//! What a tool does and what a query wants done: reading, making, changing or taking away.
//!
//! Interfaces say the same nouns again and again (create, list, get, update and delete a channel), so the verb decides among them. A
//! question ("which files…") wants to read. Who says nothing of the kind is treated alike by all.

use crate::words::words;

/// A kind of action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Read,
    Create,
    Update,
    Delete,
}

/// What a score is multiplied by when the tool does something else than is wanted, or does not say what it does.
const OTHER: f32 = 0.6;
const NEAR: f32 = 0.75;
const UNSAID: f32 = 0.8;

/// How far into a query the verb may stand.
const WITHIN: usize = 2;

/// What the query wants done.
pub(crate) fn wanted(query: &str) -> Option<Action> {
    let beginning: Vec<String> = words(query).take(WITHIN).collect();
    let asks = beginning.first().is_some_and(|word| QUESTION.contains(&word.as_str()));
    if asks { Some(Action::Read) } else { beginning.iter().find_map(|word| of(word)) }
}

/// What a tool does: the first verb of its description, or else of its name.
pub(crate) fn done(name: &str, description: &str) -> Option<Action> {
    words(description)
        .take(WITHIN)
        .find_map(|word| of(&word))
        .or_else(|| words(name).find_map(|word| of(&word)))
}

/// How well what is done suits what is wanted, as a factor.
pub(crate) fn suits(wanted: Option<Action>, done: Option<Action>) -> f32 {
    match (wanted, done) {
        (None, _) => 1.0,
        (Some(_), None) => UNSAID,
        (Some(wanted), Some(done)) if wanted == done => 1.0,
        (Some(Action::Create | Action::Update), Some(Action::Create | Action::Update)) => NEAR,
        _ => OTHER,
    }
}

const QUESTION: &[&str] = &[
    "what", "which", "who", "whose", "when", "where", "how", "why", "is", "are", "was", "were", "do", "does",
    "did", "have", "has",
];

fn of(word: &str) -> Option<Action> {
    let action = match word.strip_suffix('s').filter(|_| !word.ends_with("ss")).unwrap_or(word) {
        "get" | "retrieve" | "fetch" | "read" | "show" | "see" | "view" | "find" | "look" | "lookup"
        | "list" | "search" | "searche" | "query" | "querie" | "check" | "browse" | "download" | "export"
        | "preview" | "count" | "return" | "describe" | "display" | "inspect" | "track" | "tell" => {
            Action::Read
        }
        "create" | "add" | "new" | "make" | "insert" | "publish" | "write" | "post" | "send" | "upload"
        | "build" | "book" | "generate" | "register" | "attach" | "invite" | "copy" | "copie"
        | "duplicate" => Action::Create,
        "update" | "change" | "edit" | "modify" | "modifie" | "patch" | "patche" | "set" | "fix"
        | "rename" | "move" | "replace" | "mark" | "reschedule" | "adjust" | "assign" => Action::Update,
        "delete" | "remove" | "destroy" | "erase" | "drop" | "empty" | "clear" | "kick" | "revoke" => {
            Action::Delete
        }
        _ => return None,
    };
    Some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_questions_say_what_is_wanted() {
        for (query, action) in [
            ("which files do I have", Some(Action::Read)),
            ("make a new channel", Some(Action::Create)),
            ("please delete it", Some(Action::Delete)),
            ("renames things", Some(Action::Update)),
            ("the weather in Berlin", None),
            ("", None),
        ] {
            assert_eq!(wanted(query), action, "{query}");
        }
        assert_eq!(done("deleteProject", "A project that is gone."), Some(Action::Delete));
        assert_eq!(done("PostRefunds", "Creates a refund."), Some(Action::Create));
    }
}
