//! Reduces English words to a common form, lightly: plurals, `-ing`, `-ed`, `-ion`.
//!
//! Our own: the stemmers one can depend on have had no release for years, and they cut deeper than short tool descriptions
//! bear (`organization` and `organ`). A stem need not be a word; it must be the same for the forms of one.

/// The stem of a word in lower case.
pub fn stem(word: &str) -> String {
    let word = irregular(word);
    if word.len() <= 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let singular = singular(word);
    let bare = without_ending(&singular);
    end(bare)
}

/// Forms that no rule leads to.
fn irregular(word: &str) -> &str {
    match word {
        "sent" => "send",
        "people" => "person",
        "children" => "child",
        "made" => "make",
        "paid" => "pay",
        "written" | "wrote" => "write",
        "got" | "gotten" => "get",
        "held" => "hold",
        "shown" => "show",
        "ran" => "run",
        "found" => "find",
        "left" => "leave",
        other => other,
    }
}

fn singular(word: &str) -> String {
    if let Some(root) = word.strip_suffix("ies").filter(|root| root.len() > 1) {
        return format!("{root}y");
    }
    for ending in ["sses", "xes", "ches", "shes", "zes"] {
        if word.ends_with(ending) {
            return word.strip_suffix("es").unwrap_or(word).to_owned();
        }
    }
    let keeps = ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
    match word.strip_suffix('s') {
        Some(root) if !keeps => root.to_owned(),
        _ => word.to_owned(),
    }
}

fn without_ending(word: &str) -> &str {
    for ending in ["ing", "ed"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.len() >= 3
            && root.bytes().any(|byte| b"aeiouy".contains(&byte))
            && !root.ends_with('e')
        {
            return root;
        }
    }
    match word.strip_suffix("ion") {
        Some(root) if root.len() >= 4 && root.ends_with(['s', 't']) => root,
        _ => word,
    }
}

/// Takes off what differs between a word and what an ending leaves of it: a final `e`, a doubled consonant, `y` for `i`.
fn end(root: &str) -> String {
    let root = match root.strip_suffix('e') {
        Some(shorter) if shorter.len() >= 3 => shorter,
        _ => root,
    };
    let mut letters = root.bytes().rev();
    match (letters.next(), letters.next()) {
        (Some(last), Some(before)) if last == before && !b"aeiou".contains(&last) && root.len() > 3 => {
            root.chars().take(root.len() - 1).collect()
        }
        (Some(b'y'), Some(before)) if !b"aeiou".contains(&before) => {
            root.chars().take(root.len() - 1).chain(['i']).collect()
        }
        _ => root.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_word_have_one_stem() {
        for forms in [
            &["create", "creates", "created", "creating", "creation"][..],
            &["delete", "deletes", "deleted", "deleting", "deletion"],
            &["cancel", "cancels", "cancelled", "canceled", "cancelling"],
            &["reply", "replies", "replied"],
            &["message", "messages", "messaging"],
            &["box", "boxes"],
            &["address", "addresses"],
            &["branch", "branches"],
            &["add", "adds", "added", "adding"],
            &["stop", "stopped", "stopping", "stops"],
            &["list", "lists", "listed", "listing"],
            &["send", "sends", "sent", "sending"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
    }

    #[test]
    fn different_words_stay_different() {
        for (one, other) in [
            ("status", "state"),
            ("organization", "organ"),
            ("bus", "bu"),
            ("need", "ne"),
            ("string", "str"),
            ("ping", "p"),
        ] {
            assert_ne!(stem(one), stem(other));
        }
        assert_eq!(stem("s3"), "s3");
        assert_eq!(stem("größen"), "größen");
    }
}
