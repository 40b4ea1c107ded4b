//! The outcomes of a suite in JUnit's format, which CI servers show.

use super::test::Outcome;

/// The report: one test case an outcome.
pub(super) fn report(suite: &str, outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).count();
    let suite = escaped(suite);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{suite}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">\n",
        outcomes.len()
    );
    for outcome in outcomes {
        let name = escaped(&outcome.label);
        text.push_str(&format!("  <testcase classname=\"{suite}\" name=\"{name}\""));
        if outcome.faults.is_empty() {
            text.push_str("/>\n");
        } else {
            let fault = escaped(&outcome.faults.join("; "));
            text.push_str(&format!(">\n    <failure message=\"{fault}\"/>\n  </testcase>\n"));
        }
    }
    text.push_str("</testsuite>\n");
    text
}

/// A text as it stands in an attribute. What XML has no way to say is left out.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_control() && !matches!(it, '\u{fffe}' | '\u{ffff}'))
        .map(|it| match it {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_leaves_its_attribute() {
        assert_eq!(escaped("a\"<b>&\u{0}c"), "a&quot;&lt;b&gt;&amp;c");
    }
}
