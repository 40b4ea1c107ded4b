//! The members of a JSON object as the bytes they came as, in their order: for objects of which a few members are
//! changed while the rest is passed on untouched.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The most members that are read of one object.
const MOST: usize = 10_000;

/// The members of an object. No name stands twice.
#[derive(Clone, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// When it is none, or a name stands twice.
    pub fn parse(object: &'a RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object.get())
    }

    /// The value of a member, as JSON.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    /// The value of a member that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Sets a member to a value, which is JSON.
    pub fn set(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, present)) => *present = value,
            None => self.0.push((Cow::Borrowed(name), value)),
        }
    }

    /// Removes a member, and says what it was.
    pub fn remove(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps the members whose names fit.
    pub fn retain(&mut self, fits: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| fits(name));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The object again, as JSON.
impl fmt::Display for Members<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(formatter, "{comma}{}:{value}", Value::from(&**name))?;
        }
        formatter.write_str("}")
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize, PartialEq, Eq, Hash)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
                let mut seen = std::collections::HashSet::new();
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if members.len() == MOST {
                        return Err(A::Error::custom("the object has too many members"));
                    }
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("the member `{name}` stands twice")));
                    }
                    members.push((name, Cow::Borrowed(value.get())));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_changed_and_the_rest_stays() {
        let object = RawValue::from_string(r#"{ "a" : 1.0, "b\u0062":[ 1 ], "c":"x" }"#.to_owned()).unwrap();
        let mut members = Members::parse(&object).unwrap();
        assert_eq!((members.get("bb"), members.text("c").as_deref()), (Some("[ 1 ]"), Some("x")));
        members.set("c", "2");
        members.set("d", "null".to_owned());
        assert_eq!(members.remove("a").as_deref(), Some("1.0"));
        assert_eq!(members.to_string(), r#"{"bb":[ 1 ],"c":2,"d":null}"#);
    }

    #[test]
    fn a_name_that_stands_twice_is_an_error() {
        let twice = RawValue::from_string(r#"{"a":1,"\u0061":2}"#.to_owned()).unwrap();
        assert!(Members::parse(&twice).is_err());
        assert!(Members::parse(&RawValue::from_string("[]".to_owned()).unwrap()).is_err());
    }
}
