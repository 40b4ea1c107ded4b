//! Sentences and the policies that they mean, each judged by the symbolic compiler.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop and speak"
)]

mod corpus;

use corpus::{Corpus, Outcome, judge};
use generation::FindingKind;

async fn each_means_what_is_expected(file: &str) {
    let corpus = Corpus::read(file);
    let mut wrong = Vec::new();
    for sentence in &corpus.sentence {
        let assets = generation::translate(&sentence.text, &corpus.gateway_of(sentence));
        let said = match judge(&corpus, sentence, &assets).await {
            Outcome::Right => continue,
            Outcome::Declined(why) if sentence.expected.is_empty() => {
                let because = sentence.because.as_deref().unwrap_or_default();
                assert!(assets.iter().all(|asset| asset.findings[0].kind == FindingKind::NotTranslatable));
                if why.contains(because) { continue } else { format!("another reason: {why}") }
            }
            Outcome::Declined(why) => format!("not understood: {why}"),
            Outcome::Wrong(why) => why,
        };
        wrong.push(format!("{}\n  {said}", sentence.text));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), corpus.sentence.len(), wrong.join("\n"));
}

#[tokio::test]
async fn sentences_about_an_office() {
    each_means_what_is_expected("office.toml").await;
}

#[tokio::test]
async fn sentences_about_gateways_of_other_kinds() {
    each_means_what_is_expected("gateways.toml").await;
}

#[tokio::test]
async fn sentences_that_invite_a_wrong_reading() {
    each_means_what_is_expected("misreadings.toml").await;
}

#[test]
fn there_are_enough_of_them() {
    let count = |file| Corpus::read(file).sentence.len();
    let (built_on, held_out) = (count("office.toml") + count("gateways.toml"), count("held_out.toml"));
    assert!(built_on + held_out >= 200, "{built_on} + {held_out}");
    assert!(held_out * 10 >= built_on + held_out, "{held_out} of {}", built_on + held_out);
}
