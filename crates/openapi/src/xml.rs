//! A value as XML, by the `xml` keyword of its schema (OpenAPI 3.1.1, "XML Object").
//!
//! An object is an element with one child a member, or an attribute where the schema says so. A list repeats the
//! element; a wrapped one stands in an element of its own. Texts are escaped, and names that XML does not allow are
//! refused, so that a value cannot become an element.

use quick_xml::escape::escape;
use serde_json::{Map, Value};

use crate::document::list;
use crate::request::ArgumentFault;
use crate::style::plain;

/// How many references may lead to each other.
const MAX_CHAIN: usize = 16;
/// How many schemas are looked through for a member.
const MAX_BRANCHES: usize = 64;
/// How deep a body may nest.
const MAX_DEPTH: usize = 128;

/// Writes a document whose root is `root` unless the schema names it.
pub(crate) fn write(
    root: &str,
    value: &Value,
    schema: &Value,
    definitions: Option<&Value>,
) -> Result<String, ArgumentFault> {
    let mut writer = Writer { definitions, out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") };
    match value {
        Value::Array(elements) => {
            // A document has one root: a list is its elements within one.
            let items = writer.word(schema, "items").unwrap_or(&Value::Null);
            let (open, close) = writer.tags(root, schema, "")?;
            writer.out.push_str(&open);
            for element in elements {
                writer.element(root, element, items, 1)?;
            }
            writer.out.push_str(&close);
        }
        value => writer.element(root, value, schema, 0)?,
    }
    Ok(writer.out)
}

struct Writer<'d> {
    definitions: Option<&'d Value>,
    out: String,
}

impl<'d> Writer<'d> {
    /// The schema that a reference into `$defs` leads to.
    fn resolved<'s>(&self, schema: &'s Value) -> &'s Value
    where
        'd: 's,
    {
        let mut schema = schema;
        for _ in 0..MAX_CHAIN {
            let reference = schema.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
            match name.and_then(|name| self.definitions?.get(name)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    /// The schema of an object's member, its own or that of a branch of `allOf`.
    fn property<'s>(&self, schema: &'s Value, name: &str) -> Option<&'s Value>
    where
        'd: 's,
    {
        let mut waiting = vec![schema];
        for _ in 0..MAX_BRANCHES {
            let schema = self.resolved(waiting.pop()?);
            if let Some(property) = schema.get("properties").and_then(|properties| properties.get(name)) {
                return Some(property);
            }
            waiting.extend(list(schema, "allOf").iter().take(MAX_BRANCHES).rev());
        }
        None
    }

    /// What a schema says with a word, itself or in a branch of `allOf`, the last of which counts most: documents name
    /// the elements of a reference by `allOf` of the reference and an `xml`.
    fn word<'s>(&self, schema: &'s Value, word: &str) -> Option<&'s Value>
    where
        'd: 's,
    {
        let mut waiting = vec![schema];
        for _ in 0..MAX_BRANCHES {
            let schema = self.resolved(waiting.pop()?);
            if let Some(said) = schema.get(word) {
                return Some(said);
            }
            waiting.extend(list(schema, "allOf").iter().take(MAX_BRANCHES));
        }
        None
    }

    /// The opening and closing tag of an element.
    fn tags(&self, name: &str, schema: &Value, attributes: &str) -> Result<(String, String), ArgumentFault> {
        let xml = self.word(schema, "xml");
        let of = |member| {
            xml.and_then(|xml| xml.get(member)).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let name = qualified(of("prefix"), of("name").unwrap_or(name))?;
        let namespace = match (of("namespace"), of("prefix")) {
            (Some(namespace), Some(prefix)) => format!(" xmlns:{prefix}=\"{}\"", escape(namespace)),
            (Some(namespace), None) => format!(" xmlns=\"{}\"", escape(namespace)),
            (None, _) => String::new(),
        };
        Ok((format!("<{name}{namespace}{attributes}>"), format!("</{name}>")))
    }

    fn element(
        &mut self,
        name: &str,
        value: &Value,
        schema: &Value,
        depth: usize,
    ) -> Result<(), ArgumentFault> {
        if depth > MAX_DEPTH {
            return Err(ArgumentFault::general("the body is nested deeper than 128 levels"));
        }
        let members = match value {
            Value::Null => return Ok(()),
            Value::Array(elements) => return self.list(name, elements, schema, depth),
            Value::Object(members) => members,
            value => {
                let (open, close) = self.tags(name, schema, "")?;
                self.out.push_str(&open);
                self.out.push_str(&text(name, value)?);
                self.out.push_str(&close);
                return Ok(());
            }
        };
        let attributes = self.attributes(members, schema)?;
        let (open, close) = self.tags(name, schema, &attributes)?;
        self.out.push_str(&open);
        for (member, value) in members {
            let property = self.property(schema, member).cloned().unwrap_or(Value::Null);
            if !self.is_attribute(&property) {
                self.element(member, value, &property, depth + 1)?;
            }
        }
        self.out.push_str(&close);
        Ok(())
    }

    fn list(
        &mut self,
        name: &str,
        elements: &[Value],
        schema: &Value,
        depth: usize,
    ) -> Result<(), ArgumentFault> {
        let items = self.word(schema, "items").cloned().unwrap_or(Value::Null);
        let xml = self.word(schema, "xml");
        let wrapped = xml.and_then(|xml| xml.get("wrapped")) == Some(&Value::Bool(true));
        let own = xml.and_then(|xml| xml.get("name")).and_then(Value::as_str);
        // A list that is not wrapped has no element, and so no name, of its own.
        let (open, close) = if wrapped { self.tags(name, schema, "")? } else { Default::default() };
        let element_name = if wrapped { own.unwrap_or(name) } else { name };
        self.out.push_str(&open);
        for element in elements {
            self.element(element_name, element, &items, depth + 1)?;
        }
        self.out.push_str(&close);
        Ok(())
    }

    fn attributes(&self, members: &Map<String, Value>, schema: &Value) -> Result<String, ArgumentFault> {
        let mut written = String::new();
        for (member, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let Some(property) = self.property(schema, member).filter(|property| self.is_attribute(property))
            else {
                continue;
            };
            let xml = self.word(property, "xml");
            let of = |word| xml.and_then(|xml| xml.get(word)).and_then(Value::as_str);
            let name = qualified(of("prefix"), of("name").unwrap_or(member))?;
            written.push_str(&format!(" {name}=\"{}\"", text(member, value)?));
        }
        Ok(written)
    }

    fn is_attribute(&self, schema: &Value) -> bool {
        let xml = self.word(schema, "xml");
        xml.and_then(|xml| xml.get("attribute")) == Some(&Value::Bool(true))
    }
}

/// A text that XML can hold (XML 1.0, section 2.2), escaped.
fn text(name: &str, value: &Value) -> Result<String, ArgumentFault> {
    let text = plain(value);
    let is_foreign = |character: char| {
        character.is_control() && !matches!(character, '\t' | '\n' | '\r') && u32::from(character) < 0x80
            || matches!(character, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(is_foreign) {
        return Err(ArgumentFault::new(name, "holds a character that XML does not allow"));
    }
    Ok(escape(text.as_str()).replace('\n', "&#10;").replace('\r', "&#13;"))
}

/// A name with its prefix, both of which XML allows.
fn qualified(prefix: Option<&str>, name: &str) -> Result<String, ArgumentFault> {
    let is_name = |text: &str| {
        let mut characters = text.chars();
        let first = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
        first && characters.all(|other| other.is_alphanumeric() || matches!(other, '_' | '-' | '.'))
    };
    if !is_name(name) || prefix.is_some_and(|prefix| !is_name(prefix)) {
        return Err(ArgumentFault::new(name, "is no name of an XML element"));
    }
    Ok(prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}:{name}")))
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
