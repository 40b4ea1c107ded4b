//! A document in XML as a tree, read within bounds: depth, number of elements, no document types, no entities but
//! XML's own five.
//!
//! Prefixes are dropped from names: services do not agree on theirs, and no model has two members that differ in
//! nothing else.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The deepest document.
const MAX_DEPTH: usize = 64;
/// The most elements and attributes of a document.
const MAX_ELEMENTS: usize = 500_000;

/// An element.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Element {
    /// Its name without a prefix.
    pub(super) name: String,
    /// Its attributes, by their names without prefixes.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    /// The text that stands in it, outside its children.
    pub(super) text: String,
}

impl Element {
    /// The first child of a name, prefix or not.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        let name = local(name);
        self.children.iter().find(|child| child.name == name)
    }

    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        let name = local(name);
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let name = local(name);
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a document; the error is the end of a sentence.
pub(super) fn read(body: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(body).map_err(|_| "its body is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let wrong = |error: &dyn std::fmt::Display| format!("its body is not XML ({error})");
    let mut open: Vec<Element> = Vec::new();
    let (mut root, mut count) = (None, 0_usize);
    loop {
        let event = reader.read_event().map_err(|error| wrong(&error))?;
        let closed = match event {
            Event::Start(start) => {
                if open.len() >= MAX_DEPTH {
                    return Err(format!("its XML nests deeper than {MAX_DEPTH} elements"));
                }
                open.push(element(&start, &mut count)?);
                None
            }
            Event::Empty(start) => Some(element(&start, &mut count)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                push(&mut open, &text.xml_content(XmlVersion::Implicit1_0))?;
                None
            }
            Event::CData(text) => {
                push(&mut open, &text.xml_content(XmlVersion::Implicit1_0))?;
                None
            }
            Event::GeneralRef(reference) => {
                let code = reference.resolve_char_ref().map_err(|error| wrong(&error))?;
                let meant = match (code, &*reference) {
                    (Some(code), _) => code,
                    (None, "lt") => '<',
                    (None, "gt") => '>',
                    (None, "amp") => '&',
                    (None, "quot") => '"',
                    (None, "apos") => '\'',
                    (None, _) => return Err("its XML refers to an entity, which is not resolved".to_owned()),
                };
                push(&mut open, meant.encode_utf8(&mut [0; 4]))?;
                None
            }
            Event::DocType(_) => return Err("its XML has a document type, which is not read".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            Event::Eof => break,
        };
        if let Some(element) = closed {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None if root.is_none() => root = Some(element),
                None => return Err("its body is two XML documents".to_owned()),
            }
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err("its body is not a whole XML document".to_owned()),
    }
}

fn element(start: &BytesStart<'_>, count: &mut usize) -> Result<Element, String> {
    let mut element = Element { name: local(start.name().as_ref()).to_owned(), ..Element::default() };
    *count += 1;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("its body is not XML ({error})"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| format!("its body is not XML ({error})"))?;
        element.attributes.push((local(attribute.key.as_ref()).to_owned(), value.into_owned()));
        *count += 1;
    }
    if *count > MAX_ELEMENTS {
        return Err(format!("its XML has more than {MAX_ELEMENTS} elements"));
    }
    Ok(element)
}

fn push(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("its body has text outside its XML document".to_owned()),
    }
    Ok(())
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_trees() {
        let root = read(b"<?xml version=\"1.0\"?>\n<x:a xmlns:x='u' x:k='1 &amp; 2'><b>1 &lt; <![CDATA[<2>]]>&#x41;</b><b/></x:a>")
            .unwrap();
        assert_eq!((root.name.as_str(), root.attribute("q:k")), ("a", Some("1 & 2")));
        let texts: Vec<_> = root.children("b").map(|child| child.text.as_str()).collect();
        assert_eq!(texts, ["1 < <2>A", ""]);
    }

    #[test]
    fn what_is_not_read() {
        let deep = "<a>".repeat(70) + &"</a>".repeat(70);
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        for wrong in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<a>&e;</a>",
            "<a k=1/>",
            &deep,
            &wide,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{}", wrong.get(..20).unwrap_or(wrong));
        }
        assert!(read(b"\xff").is_err());
    }
}
