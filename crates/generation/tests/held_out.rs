//! Sentences that the grammar was not built on. It may fail to understand one; it must not misunderstand any.

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

/// How many of them were understood when the grammar was written for the first time, without having been tuned for them.
const UNDERSTOOD_AT_FIRST_SIGHT: usize = 25;

#[tokio::test]
async fn no_held_out_sentence_becomes_a_wrong_policy() {
    let corpus = Corpus::read("held_out.toml");
    let mut understood = 0;
    let mut wrong = Vec::new();
    for sentence in &corpus.sentence {
        let assets = generation::translate(&sentence.text, &corpus.gateway_of(sentence));
        match judge(&corpus, sentence, &assets).await {
            Outcome::Right => understood += 1,
            Outcome::Declined(_) if sentence.expected.is_empty() => understood += 1,
            Outcome::Declined(why) => println!("not understood: {}\n  {why}", sentence.text),
            Outcome::Wrong(why) => wrong.push(format!("{}\n  {why}", sentence.text)),
        }
    }
    println!("{understood} of {} held-out sentences are answered as expected", corpus.sentence.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(understood >= UNDERSTOOD_AT_FIRST_SIGHT, "{understood}");
}
