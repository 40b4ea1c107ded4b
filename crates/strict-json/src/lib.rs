//! Reads JSON that something is decided by.
//!
//! Two readers that disagree about one document are how a check is passed by one value and another value is used:
//! of `{"name":"safe","name":"evil"}` some parsers see the first and some the second. Here a document with a repeated
//! member is no document (RFC 8259, section 4: names within an object SHOULD be unique). Depth is bounded by
//! `serde_json` at 128; size is the caller's to bound before reading.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON document.
///
/// # Errors
/// When the bytes are not UTF-8 or not JSON, go on after the document, nest deeper than 128, or repeat a member.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0)
}

/// Whether the text is one JSON document without a repeated member. Cheaper than [`parse`] where the tree is not
/// wanted.
///
/// # Errors
/// As [`parse`].
pub fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Checked>(bytes).map(|_| ())
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Value;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::String(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(Value::String(value))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Strict(element)) = elements.next_element()? {
                    list.push(element);
                }
                Ok(Value::Array(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut map = Map::new();
                while let Some(name) = members.next_key::<String>()? {
                    if map.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate member `{name}`")));
                    }
                    let Strict(value) = members.next_value()?;
                    map.insert(name, value);
                }
                Ok(Value::Object(map))
            }
        }
        from.deserialize_any(Tree).map(Strict)
    }
}

struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Checked;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_unit<E>(self) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Checked, A::Error> {
                while elements.next_element::<Checked>()?.is_some() {}
                Ok(Checked)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
                let mut seen = Names::default();
                while let Some(Name(name)) = members.next_key()? {
                    if let Err(name) = seen.add(name) {
                        return Err(A::Error::custom(format_args!("duplicate member `{name}`")));
                    }
                    members.next_value::<Checked>()?;
                }
                Ok(Checked)
            }
        }
        from.deserialize_any(Walk)
    }
}

/// The names of an object's members as they are read, each at most once, whatever their number.
#[derive(Debug)]
pub enum Names<'de> {
    /// Objects are small as a rule: a scan costs less than a set.
    Few(Vec<Cow<'de, str>>),
    /// Larger ones are looked up, so that no caller can make a scan of each member dear.
    Many(HashSet<Cow<'de, str>>),
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<'de> Names<'de> {
    /// The most names that are scanned.
    const FEW: usize = 16;

    /// Adds a name.
    ///
    /// # Errors
    /// The name itself, when it was there before.
    pub fn add(&mut self, name: Cow<'de, str>) -> Result<(), Cow<'de, str>> {
        match self {
            Self::Few(names) if names.contains(&name) => return Err(name),
            Self::Few(names) if names.len() < Self::FEW => names.push(name),
            Self::Few(names) => *self = Self::Many(names.drain(..).chain([name]).collect()),
            Self::Many(names) if names.contains(&name) => return Err(name),
            Self::Many(names) => {
                names.insert(name);
            }
        }
        Ok(())
    }

    /// Whether a name was added.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Few(names) => names.iter().any(|known| known == name),
            Self::Many(names) => names.contains(name),
        }
    }
}

/// A member's name, borrowed from the document where it holds no escape.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(name.into()))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(name.to_owned().into()))
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_documents_are_read() {
        for text in
            [r#"{"a":[1,-2,3.5,true,null,"x\u0041"],"b":{"a":1}}"#, "[]", "1", "\"\"", "18446744073709551615"]
        {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), plain);
            check(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn repeated_members_are_refused_at_any_depth_and_through_escapes() {
        let wide: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        for text in [
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"[{"x":{"a":1,"\u0061":2}}]"#.to_owned(),
            format!("{{{wide}\"k3\":1}}"),
            format!("{{{wide}\"k39\":1}}"),
        ] {
            assert!(parse(text.as_bytes()).unwrap_err().to_string().contains("duplicate member"), "{text}");
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for bytes in
            [&b""[..], b"{", b"{} {}", b"{\"a\":01}", b"\"\xff\"", b"NaN", b"{'a':1}", deep.as_bytes()]
        {
            assert!(parse(bytes).is_err());
            assert!(check(bytes).is_err());
        }
    }
}
