//! Where a policy's statements stand in its text.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A place in a text: line and column, both from one, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

/// Where each statement of a document begins, and where it ends (the place after its last character). Nothing for a text
/// that is no policy.
#[must_use]
pub fn statement_places(text: &str) -> Vec<(Place, Place)> {
    let Ok(document) = serde_json::from_str::<Document<'_>>(text) else { return Vec::new() };
    let whole = document.statement.get();
    let statements = match serde_json::from_str::<Vec<&RawValue>>(whole) {
        Ok(list) => list.into_iter().map(RawValue::get).collect(),
        Err(_) => vec![whole],
    };
    let span = |statement: &str| {
        let begin = statement.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        Some((place(text, begin)?, place(text, begin + statement.len())?))
    };
    statements.into_iter().filter_map(span).collect()
}

fn place(text: &str, at: usize) -> Option<Place> {
    let before = text.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    Some(Place { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<[usize; 4]> {
        let flat = |(begin, end): (Place, Place)| [begin.line, begin.column, end.line, end.column];
        statement_places(text).into_iter().map(flat).collect()
    }

    #[test]
    fn statements_are_found_in_lists_and_alone() {
        assert_eq!(places(r#"{"Statement": {"a": 1}}"#), [[1, 15, 1, 23]]);
        assert_eq!(places("{\"Statement\": [\n  {\"é\": 1},\n {}]}"), [[2, 3, 2, 11], [3, 2, 3, 4]]);
        assert!(places("{}").is_empty());
        assert!(places("no policy").is_empty());
    }
}
