//! A word too many is either part of the policy or the reason why there is none. Every sentence of the corpus is tried with a word
//! that means nothing, and with a "not", at each place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop"
)]

mod corpus;

use corpus::Corpus;
use proptest::prelude::*;

fn each_place(sentence: &str, word: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split(' ').collect();
    let with = |at: usize| [&words[..at], &[word], &words[at..]].concat().join(" ");
    (0..=words.len()).map(with).collect()
}

#[test]
fn no_word_is_lost() {
    let mut lost = Vec::new();
    for file in ["office.toml", "gateways.toml", "misreadings.toml", "held_out.toml"] {
        let corpus = Corpus::read(file);
        for sentence in corpus.sentence.iter().filter(|sentence| sentence.expected.len() == 1) {
            let gateway = corpus.gateway_of(sentence);
            let plain = generation::translate(&sentence.text, &gateway);
            for word in ["zyx", "not"] {
                // One a line: the schema is made once.
                let text = each_place(sentence.text.trim().trim_end_matches('.'), word).join("\n");
                for asset in generation::translate(&text, &gateway) {
                    let Some(statement) = &asset.statement else { continue };
                    let kept = if word == "zyx" {
                        statement.contains(word)
                    } else {
                        Some(statement) != plain[0].statement.as_ref()
                    };
                    // "everyone but" and "everyone but not" are the same.
                    if !kept && !asset.fragment.contains(" but not ") {
                        lost.push(asset.fragment);
                    }
                }
            }
        }
    }
    assert!(lost.is_empty(), "{} sentences lost a word:\n{}", lost.len(), lost.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_an_answer(text in "(\\PC{0,60}[ \n.,]){0,6}") {
        let corpus = Corpus::read("gateways.toml");
        for asset in generation::translate(&text, &corpus.gateway_of(&corpus.sentence[0])) {
            prop_assert!(!asset.fragment.is_empty() && text.contains(&asset.fragment));
            prop_assert!(!asset.findings.is_empty());
        }
    }
}
