//! What is said of a translation: that it never applies, what was taken for granted, and why there is none.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop"
)]

mod corpus;

use corpus::Corpus;
use generation::{Finding, FindingKind};

fn finding(text: &str) -> Finding {
    let corpus = Corpus::read("misreadings.toml");
    let mut assets = generation::translate(text, &corpus.gateway_of(&corpus.sentence[0]));
    assert_eq!(assets.len(), 1, "{text}");
    assets.remove(0).findings.remove(0)
}

#[test]
fn conditions_that_cannot_hold_together_are_found() {
    let kind = |rest: &str| finding(&format!("Allow everyone to process refunds {rest}")).kind;
    for never in [
        "when the amount is over 500 and the amount is under 100",
        "when the amount is at least 6 and less than 6",
        "when the amount is 5 and the amount is 6",
        "when the amount is 5 and over 10",
        "when the amount is under 5 unless the amount is under 10",
        "when the reason is rent and the reason is gift",
        "when the reason starts with x and the reason is gift",
        "when the reason is gift and the reason is not gift",
        "when the reason is gift and the reason is missing",
        "when (the amount is over 5 or the amount is over 6) and the amount is under 3",
        "before 2027-01-01 and after 2027-01-01",
        "before 9:00 and after 17:00",
    ] {
        assert_eq!(kind(never), FindingKind::AllowNone, "{never}");
    }
    for sometimes in [
        "when the amount is over 100 and the amount is under 500",
        "when the amount is at least 6 and at most 6",
        "when the amount is over 500 or the amount is under 100",
        "when the amount is under 10 unless the amount is under 5",
        "when the reason starts with gi and the reason is gift",
        "when the reason is not gift and the reason is not rent",
        "between 22:00 and 6:00",
        "from 2027-01-01 until 2027-01-01",
    ] {
        assert_eq!(kind(sometimes), FindingKind::Valid, "{sometimes}");
    }
    let forbidden = finding("Never allow anyone to process refunds when the amount is over 5 and under 3");
    assert_eq!(forbidden.kind, FindingKind::DenyNone);
    assert!(forbidden.description.starts_with("Ineffective"), "{}", forbidden.description);
}

#[test]
fn a_scope_without_its_server_is_said_to_be_any_servers() {
    let short = finding("Allow users with the scope read to process refunds");
    assert!(short.description.contains("any resource server"), "{}", short.description);
    let whole = finding("Allow users with the scope refunds/read to process refunds");
    assert!(!whole.description.contains("any resource server"), "{}", whole.description);
}

#[test]
fn no_message_has_empty_quotes() {
    for file in ["office.toml", "gateways.toml", "misreadings.toml"] {
        let corpus = Corpus::read(file);
        let some = corpus.sentence.iter().step_by(3);
        let gateway = corpus.gateway_of(&corpus.sentence[0]);
        let beginnings = some.flat_map(|sentence| {
            let ends = sentence.text.match_indices(' ').map(|(at, _)| &sentence.text[..at]);
            ends.flat_map(|text| [text.to_owned(), format!("{text} ''")])
        });
        let text = beginnings.filter(|text| !text.contains('\n')).collect::<Vec<_>>().join("\n");
        for asset in generation::translate(&text, &gateway) {
            for finding in asset.findings {
                assert!(!finding.description.contains("``"), "{}: {}", asset.fragment, finding.description);
            }
        }
    }
}
