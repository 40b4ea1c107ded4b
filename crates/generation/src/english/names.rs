//! How a phrase names a tool: by the words of its name, of a part of it, or of what its description says first.
//!
//! The order of the words counts, for "sync prod to staging" and "sync staging to prod" are made of the same ones. So do their
//! forms: who may delete users may not thereby use `list_deleted_users`. The one turn that is read is the verb at the end, as
//! in "refund processing" for `process_refund`.

use super::stems;
use super::tokens::Token;
use super::verbs::EMPTY;

/// What may stand behind what a description says first without making something else of it.
const FURTHER: &[&str] = &["of", "for", "by", "with", "using", "via", "between"];
/// Words of descriptions that say what a tool is not for.
const DENIALS: &[&str] =
    &["not", "no", "never", "without", "except", "instead", "nothing", "only", "deprecated"];

/// Words in their order, without those that name nothing, and their stems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) stems: Vec<String>,
    written: Vec<String>,
    /// Whether `of` joins them: then what comes first is what is done.
    has_of: bool,
}

impl Words {
    /// The words of a name: `orderId`, `process_refund`.
    pub(crate) fn of(text: &str) -> Self {
        let written: Vec<String> =
            search::words(text).filter(|word| !EMPTY.contains(&word.as_str())).collect();
        Self::new(written, false)
    }

    /// The words of a phrase; `None` when it says something that no name can consist of.
    pub(crate) fn of_phrase(tokens: &[Token]) -> Option<Self> {
        stems::of_phrase(tokens)?;
        let telling = |token: &&Token| token.quoted || !EMPTY.contains(&token.lower.as_str());
        let written = tokens.iter().filter(telling).flat_map(|token| search::words(&token.text)).collect();
        let has_of = tokens.iter().any(|token| !token.quoted && token.lower == "of");
        Some(Self::new(written, has_of))
    }

    /// What a description says first, up to where it goes into detail; `None` when it says what the tool is not for.
    pub(crate) fn of_description(text: &str) -> Option<Self> {
        let is_mark = |character: char| !(character.is_alphanumeric() || "-_/".contains(character));
        let words = |token: &str| search::words(token).collect::<Vec<_>>();
        let all: Vec<String> = text.split_whitespace().flat_map(words).collect();
        if all.iter().any(|word| DENIALS.contains(&word.as_str())) || text.contains("n't") {
            return None;
        }
        let mut written = Vec::new();
        for token in text.split_whitespace() {
            if FURTHER.contains(&token.to_lowercase().as_str()) {
                break;
            }
            let bare = token.trim_end_matches(is_mark);
            if bare.chars().any(is_mark) {
                return None;
            }
            written.extend(words(bare).into_iter().filter(|word| !EMPTY.contains(&word.as_str())));
            if bare.len() < token.len() {
                break;
            }
        }
        (written.len() > 1).then(|| Self::new(written, false))
    }

    fn new(written: Vec<String>, has_of: bool) -> Self {
        Self { stems: written.iter().map(|word| search::stem(word)).collect(), written, has_of }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether a phrase says all of this name.
    pub(crate) fn is_named_by(&self, phrase: &Self) -> bool {
        are_alike(&phrase.written, &self.written) || self.is_turned_into(phrase)
    }

    /// Whether a phrase says one word of this name, or its end from some word on.
    pub(crate) fn is_named_in_part_by(&self, phrase: &Self) -> bool {
        match phrase.written.as_slice() {
            [] => false,
            [only] => self.written.iter().any(|own| is_form(only, own)),
            several => {
                let end = self.written.len().checked_sub(several.len());
                end.and_then(|end| self.written.get(end..)).is_some_and(|own| are_alike(several, own))
            }
        }
    }

    /// A phrase without the words that are among these and not in `name`.
    pub(crate) fn taken_from(&self, phrase: &Self, name: &Self) -> Self {
        let is_own = |word: &String| {
            self.written.iter().any(|own| is_form(word, own))
                && !name.written.iter().any(|own| is_form(word, own))
        };
        let written = phrase.written.iter().filter(|word| !is_own(word)).cloned().collect();
        Self::new(written, phrase.has_of)
    }

    /// "refund processing" for `process_refund`.
    fn is_turned_into(&self, phrase: &Self) -> bool {
        let (Some((verb, nouns)), Some((last, first))) =
            (self.written.split_first(), phrase.written.split_last())
        else {
            return false;
        };
        let directed = stems::say_which_way(&self.written);
        let same_forms = nouns.len() == first.len()
            && first.iter().zip(nouns).all(|(said, own)| is_form(said, own) && ending(said) == ending(own));
        let is_noun = ending(last) != "ed" && (last == verb || !last.ends_with('s'));
        !nouns.is_empty()
            && !directed
            && !phrase.has_of
            && same_forms
            && is_noun
            && search::stem(last) == search::stem(verb)
    }
}

fn are_alike(said: &[String], own: &[String]) -> bool {
    said.len() == own.len() && said.iter().zip(own).all(|(said, own)| is_form(said, own))
}

/// Whether a word is one of a name, in the singular, the plural, or as what somebody is doing. What was done is another thing.
fn is_form(said: &str, own: &str) -> bool {
    search::stem(said) == search::stem(own)
        && (ending(said) == ending(own) || (ending(said) == "ing" && ending(own).is_empty()))
}

fn ending(word: &str) -> &'static str {
    let singular = word.strip_suffix('s').unwrap_or(word);
    ["ing", "ed", "ion"].into_iter().find(|ending| singular.ends_with(ending)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn says(phrase: &str, name: &str) -> bool {
        Words::of(name).is_named_by(&Words::of_phrase(&tokens(phrase)).unwrap())
    }

    #[test]
    fn order_and_forms_count() {
        assert!(says("process refunds", "process_refund"));
        assert!(says("processing a refund", "processRefund"));
        assert!(says("refund processing", "process_refund"));
        assert!(says("transfers of money", "transfer_money"));
        assert!(says("sync prod to staging", "sync_prod_to_staging"));
        for (phrase, name) in [
            ("sync prod to staging", "sync_staging_to_prod"),
            ("prod to staging", "staging_to_prod"),
            ("delete approvals", "approve_deletion"),
            ("deletion of approvals", "approve_deletion"),
            ("delete approved requests", "approve_deleted_requests"),
            ("delete users", "deleted_users"),
            ("refund processes", "process_refund"),
        ] {
            assert!(!says(phrase, name), "{phrase}: {name}");
        }
    }

    #[test]
    fn a_part_is_its_end() {
        let part =
            |phrase, name| Words::of(name).is_named_in_part_by(&Words::of_phrase(&tokens(phrase)).unwrap());
        assert!(part("refunds", "process_refund") && part("risk model", "invoke_risk_model"));
        assert!(!part("delete users", "delete_user_settings") && !part("delete", "list_deleted_users"));
    }

    #[test]
    fn a_description_names_by_what_it_says_first() {
        let first = |text| Words::of_description(text).map(|words| words.written.join(" "));
        assert_eq!(first("Removes a user for good").as_deref(), Some("removes user"));
        assert_eq!(first("Moves money. Then sleeps").as_deref(), Some("moves money"));
        assert_eq!(first("Removes a user from a group").as_deref(), Some("removes user from group"));
        assert_eq!(first("Lists users. Does not delete users"), None);
        assert_eq!(first("Deletes a user's photo"), None);
    }
}
