//! Findings for people: a table, and under it what each is about and how it is mended.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use posture::{Finding, Inventory, Severity};

use crate::terminal::{Failure, say, table, visible};

/// Prints findings, grouped by their rules.
pub(super) fn print(
    findings: &[Finding],
    accepted: &[(Finding, String)],
    inventory: &Inventory,
) -> Result<(), Failure> {
    if findings.is_empty() {
        say(format!("Nothing is found in {}.", inventory.region))?;
    } else {
        let mut rows = table(&["SEVERITY", "RULE", "RESOURCE", "EVIDENCE"]);
        for finding in findings {
            rows.add_row([
                finding.severity.as_str(),
                finding.rule,
                &visible(&finding.resource),
                &visible(&finding.evidence),
            ]);
        }
        say(rows)?;
    }
    let mut by_rule: BTreeMap<(std::cmp::Reverse<Severity>, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_rule.entry((std::cmp::Reverse(finding.severity), finding.rule)).or_default().push(finding);
    }
    for ((severity, rule), of_rule) in &by_rule {
        let Some(first) = of_rule.first() else { continue };
        let style = Style::new().bold().fg_color(Some(colour(severity.0).into()));
        say(format!("\n{style}{rule}{style:#}: {}\n  {}", first.title, first.rationale))?;
        for finding in of_rule {
            say(format!("  {}", visible(&finding.resource)))?;
            for command in &finding.remediation {
                say(format!("    {}", visible(command)))?;
            }
        }
    }
    for (finding, reason) in accepted {
        say(format!("\naccepted: {} of {} ({})", finding.rule, visible(&finding.resource), visible(reason)))?;
    }
    Ok(())
}

fn colour(severity: Severity) -> AnsiColor {
    match severity {
        Severity::Critical | Severity::High => AnsiColor::Red,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
    }
}
