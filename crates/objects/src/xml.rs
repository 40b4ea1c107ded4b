//! S3's documents: written line by line, and read into a small tree of bounded size.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

use crate::fault::Failure;

/// The namespace of S3's answers.
pub(crate) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// How deep a document may be. The deepest that S3 reads has four levels.
const DEEPEST: usize = 8;
/// How many elements a document may have: 10,000 parts with their members.
const MOST: usize = 80_000;

/// A document that is being written.
pub(crate) struct Xml(String);

impl Xml {
    /// Begins a document with its root.
    pub(crate) fn document(root: &str, namespace: Option<&str>) -> Self {
        let namespace = namespace.map(|uri| format!(" xmlns=\"{uri}\"")).unwrap_or_default();
        Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{namespace}>"))
    }

    /// One of S3's answers.
    pub(crate) fn answer(root: &str) -> Self {
        Self::document(root, Some(NAMESPACE))
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.0.push_str(&format!("<{name}>"));
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.0.push_str(&format!("</{name}>"));
    }

    /// An element that holds text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.text(text);
        self.close(name);
    }

    /// Text. What XML cannot hold at all is replaced.
    pub(crate) fn text(&mut self, text: &str) {
        let legal = |letter: char| letter >= ' ' || matches!(letter, '\t' | '\n' | '\r');
        let sound: String = text
            .chars()
            .map(|letter| {
                let kept = legal(letter) && !matches!(letter, '\u{FFFE}' | '\u{FFFF}');
                if kept { letter } else { char::REPLACEMENT_CHARACTER }
            })
            .collect();
        // A bare carriage return would be read as a line feed.
        self.0.push_str(&escape(sound.as_str()).replace('\r', "&#13;"));
    }

    /// Ends the document.
    pub(crate) fn end(mut self, root: &str) -> String {
        self.close(root);
        self.0
    }
}

/// An element that was read.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The text of the first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    /// Reads a document whose root has this name. Namespaces, attributes and comments are passed over; a document type
    /// is refused.
    pub(crate) fn read(document: &[u8], root: &str) -> Result<Self, Failure> {
        let found = std::str::from_utf8(document).ok().and_then(parse);
        found.filter(|element| element.name == root).ok_or_else(|| {
            Failure::new(
                "MalformedXML",
                format!("The XML you provided was not well-formed or did not validate against our published schema: a {root} is expected."),
            )
        })
    }
}

fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0_usize;
    loop {
        let event = reader.read_event().ok()?;
        let element = match event {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST || root.is_some() {
                    return None;
                }
                open.push(named(&start.local_name())?);
                continue;
            }
            Event::Empty(start) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST || root.is_some() {
                    return None;
                }
                named(&start.local_name())?
            }
            Event::End(_) => open.pop()?,
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
                continue;
            }
            Event::CData(text) => {
                open.last_mut()?.text.push_str(&text.xml10_content());
                continue;
            }
            Event::GeneralRef(reference) => {
                let element = open.last_mut()?;
                match reference.resolve_char_ref().ok()? {
                    Some(letter) => element.text.push(letter),
                    None => element.text.push_str(predefined(&reference.xml10_content())?),
                }
                continue;
            }
            Event::DocType(_) => return None,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            Event::Eof => return if open.is_empty() { root } else { None },
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if root.is_none() => root = Some(element),
            None => return None,
        }
    }
}

/// An element of this name, if it may be one: the reader takes whatever stands before a space. What is beyond ASCII is
/// nobody's here, and passed over.
fn named(name: &quick_xml::name::LocalName<'_>) -> Option<Element> {
    let name = AsRef::<str>::as_ref(name);
    let legal = |letter: char| {
        !letter.is_ascii() || letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')
    };
    let sound = !name.is_empty() && name.chars().all(legal);
    sound.then(|| Element { name: name.to_owned(), ..Element::default() })
}

fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let mut xml = Xml::answer("Delete");
        xml.open("Object");
        xml.leaf("Key", "a<&>\"'\r\u{1}b");
        xml.close("Object");
        let read = Element::read(xml.end("Delete").as_bytes(), "Delete").unwrap();
        assert_eq!(read.children[0].child("Key"), Some("a<&>\"'\r\u{FFFD}b"));
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        let deep = format!("{}{}", "<Delete>".repeat(20), "</Delete>".repeat(20));
        let deep_and_empty = format!("{}<a/>{}", "<Delete>".repeat(DEEPEST), "</Delete>".repeat(DEEPEST));
        let many = format!("<Delete>{}</Delete>", "<a/>".repeat(MOST + 1));
        for document in [
            "",
            "<Delete>",
            "<Delete></Object>",
            "<Other/>",
            "<Delete/><Delete/>",
            "<!DOCTYPE Delete [<!ENTITY a \"b\">]><Delete>&a;</Delete>",
            "<Delete>&a;</Delete>",
            "<Delete>< p/></Delete>",
            "<Delete><a\u{1}b/></Delete>",
            &deep,
            &deep_and_empty,
            &many,
        ] {
            assert!(Element::read(document.as_bytes(), "Delete").is_err(), "{document:.60}");
        }
        assert!(Element::read(b"\xff", "Delete").is_err());
    }
}
