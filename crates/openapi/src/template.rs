//! The path of an operation, cut into text and parameters.
//!
//! A parameter that the path names and nobody declares is taken as a required text; one that is declared and not in
//! the path is no argument. What follows a `#` is never sent by HTTP, and only tells apart operations of documents
//! that were converted from other descriptions; what follows a `?` begins the query.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

use crate::document::shortened;
use crate::operation::{Encoding, Location, Piece, Style};
use crate::parameter_plan::Declared;

/// What must not stand in a path or query as it is (RFC 3986, section 3.3), percent signs of the document aside.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path in pieces.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) notes: Vec<String>,
    pub(crate) refused_by_aws: Vec<String>,
}

/// Cuts a path, and makes the declared path parameters those that it names.
pub(crate) fn read(path: &str, declared: &mut Vec<Declared>) -> Result<Template, String> {
    let mut template = Template { pieces: Vec::new(), notes: Vec::new(), refused_by_aws: Vec::new() };
    let (path, fragment) =
        path.split_once('#').map_or((path, None), |(path, fragment)| (path, Some(fragment)));
    if fragment.is_some() {
        template.notes.push("what follows the `#` of its path is not sent".to_owned());
    }
    let mut named: Vec<&str> = Vec::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| !name.is_empty()) else {
            return Err("its path has a brace that does not close".to_owned());
        };
        if !before.is_empty() {
            template.pieces.push(Piece::Text(utf8_percent_encode(before, NOT_IN_PATH).to_string()));
        }
        template.pieces.push(Piece::Parameter(name.to_owned()));
        named.push(name);
        rest = after;
    }
    if !rest.is_empty() {
        template.pieces.push(Piece::Text(utf8_percent_encode(rest, NOT_IN_PATH).to_string()));
    }
    let before_query = path.split('?').next().unwrap_or_default();
    for segment in before_query.split('/').filter(|segment| !segment.contains('{')) {
        if is_dots(segment) {
            return Err("its path has a segment of dots".to_owned());
        }
    }
    declared.retain(|parameter| {
        let stays = parameter.location != Location::Path || named.contains(&parameter.name.as_str());
        if !stays {
            let name = shortened(&parameter.name);
            template.notes.push(format!("its path parameter `{name}` is not in the path, and no argument"));
        }
        stays
    });
    for name in named {
        let is_declared = |other: &Declared| other.location == Location::Path && other.name == name;
        if !declared.iter().any(is_declared) {
            template.refused_by_aws.push(format!(
                "it does not declare the path parameter `{}`: it is taken as a text",
                shortened(name)
            ));
            declared.push(Declared {
                name: name.to_owned(),
                location: Location::Path,
                required: true,
                encoding: Encoding { style: Style::Simple, explode: false, allow_reserved: false },
                schema: json!({"type": "string"}),
                description: None,
                deprecated: false,
            });
        }
    }
    Ok(template)
}

/// Whether a segment means "here" or "above", percent-encoded or not (WHATWG URL, "double-dot path segment").
pub(crate) fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}
