//! Policies in the one layout that Cedar's formatter gives them; comments stay.

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::nesting::on_a_deep_stack;
use crate::problem::{Locator, Problem, ProblemKind};
use crate::split::split;
use crate::statement::Statement;

/// How long a line should be, in characters.
const LINE: usize = 100;

/// Lays out a file of policies.
///
/// # Errors
/// What is wrong with the first statement that does not parse, at its place in the file.
pub fn format(file: &str) -> Result<String, Vec<Problem>> {
    on_a_deep_stack(|| format_here(file)).unwrap_or_else(|| {
        Err(vec![Problem::new(ProblemKind::Internal, "the policies could not be formatted")])
    })
}

fn format_here(file: &str) -> Result<String, Vec<Problem>> {
    let pieces = split(file);
    for piece in &pieces {
        Statement::parse("statement", piece.text).map_err(|problems| piece.place(file, problems))?;
    }
    if pieces.is_empty() {
        return Ok(file.to_owned());
    }
    let config = Config { line_width: LINE, indent_width: 2 };
    policies_str_to_pretty(file, &config).map_err(|error| {
        let problem =
            Problem::new(ProblemKind::Internal, format!("the policies could not be formatted: {error}"));
        vec![problem.at(&Locator::new(file), 0)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stay_and_a_second_time_changes_nothing() {
        let file = "// who\npermit(principal,action,resource) when{ // why\n principal.hasTag(\"a\")&&true };\n// and\nforbid(principal,action,resource);\n// end\n";
        let once = format(file).unwrap();
        for comment in ["// who", "// why", "// and", "// end"] {
            assert!(once.contains(comment), "{once}");
        }
        assert!(once.contains("principal.hasTag(\"a\") && true"), "{once}");
        assert_eq!(format(&once).unwrap(), once);
    }

    #[test]
    fn what_does_not_parse_is_found_at_its_place() {
        let problems =
            format("permit(principal, action, resource);\n\npermit(principal, action);\n").unwrap_err();
        assert_eq!(problems[0].location.map(|place| place.line), Some(3), "{problems:?}");
    }

    #[test]
    fn a_file_of_comments_stays() {
        assert_eq!(format("// nothing\n").unwrap(), "// nothing\n");
    }
}
