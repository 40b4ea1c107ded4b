//! The order in which a model names the members of its shapes.
//!
//! JSON objects have no order, and their trees here are sorted; but XML documents of some services (Route 53,
//! CloudFront) must have their elements in the model's order, as the JSON AST writes it. So the text is read a second
//! time, for the names alone.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The names of each shape's members, by the shape's id. Shapes without members are not in it.
pub(crate) type Order = HashMap<String, Vec<String>>;

/// Reads the order from a model's text, which was read as a model before.
pub(crate) fn read(text: &str) -> Result<Order, serde_json::Error> {
    let document: Document = serde_json::from_str(text)?;
    let shapes = document.shapes.into_iter().filter(|(_, shape)| !shape.members.0.is_empty());
    Ok(shapes.map(|(id, shape)| (id, shape.members.0)).collect())
}

#[derive(serde::Deserialize)]
struct Document {
    #[serde(default)]
    shapes: HashMap<String, Shape>,
}

#[derive(serde::Deserialize)]
struct Shape {
    #[serde(default)]
    members: Names,
}

#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Names;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("members by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = members.next_entry::<String, IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        from.deserialize_map(Keys)
    }
}
