//! A Smithy model in its JSON AST, with what its shapes are and which traits they have.
//!
//! Mixins are followed and `apply` statements are merged, so that whoever asks for a member sees it as the model means
//! it. The shapes of Smithy's prelude are known without being in the model. Source: "JSON AST" in the Smithy 2.0
//! specification; version 1.0 differs in `set` and in the `enum` trait, and both are read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ImportError;
use crate::order::{self, Order};
use crate::texts::{MAX_TEXT, short, shortened};

/// The largest model, in bytes.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The most shapes of a model. The largest of AWS's services has 3,000.
const MAX_SHAPES: usize = 20_000;
/// How many mixins, and mixins of mixins, a shape may have; further ones are not seen.
const MAX_MIXINS: usize = 32;

/// A model that was read.
pub(crate) struct Model {
    shapes: BTreeMap<String, Map<String, Value>>,
    /// Traits that `apply` gives to members, by `shape$member`.
    applied: BTreeMap<String, Map<String, Value>>,
    order: Order,
}

/// A shape of the model, or of the prelude.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) id: &'a str,
    /// Its type: `structure`, `string` and so on.
    pub(crate) kind: &'a str,
    node: Option<&'a Map<String, Value>>,
}

/// A member of a shape.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) target: &'a str,
    traits: [Option<&'a Map<String, Value>>; 2],
}

impl Model {
    /// Reads a model.
    pub(crate) fn read(text: &str) -> Result<Self, ImportError> {
        if text.len() > MAX_BYTES {
            return Err(ImportError::TooLarge(format!(
                "it has {} bytes and the limit is {MAX_BYTES}",
                text.len()
            )));
        }
        let document =
            strict_json::parse(text.as_bytes()).map_err(|error| ImportError::NotJson(error.to_string()))?;
        let Value::Object(mut document) = document else { return Err(ImportError::NotSmithy) };
        let version = document.get("smithy").and_then(Value::as_str).ok_or(ImportError::NotSmithy)?;
        if !matches!(version, "1" | "1.0" | "2" | "2.0") {
            return Err(ImportError::Version(shortened(version)));
        }
        let Some(Value::Object(nodes)) = document.remove("shapes") else {
            return Err(ImportError::NotSmithy);
        };
        if nodes.len() > MAX_SHAPES {
            return Err(ImportError::TooLarge(format!(
                "it has {} shapes and the limit is {MAX_SHAPES}",
                nodes.len()
            )));
        }
        let (mut shapes, mut applied) = (BTreeMap::new(), Vec::new());
        for (id, node) in nodes {
            short(&id, MAX_TEXT).map_err(|why| ImportError::TooLarge(format!("a shape {why}")))?;
            match node {
                Value::Object(node) if node.get("type").and_then(Value::as_str) == Some("apply") => {
                    applied.push((id, node));
                }
                Value::Object(node) => drop(shapes.insert(id, node)),
                _ => return Err(ImportError::NotSmithy),
            }
        }
        let order = order::read(text).map_err(|_| ImportError::NotSmithy)?;
        let mut model = Self { shapes, applied: BTreeMap::new(), order };
        applied.into_iter().for_each(|(id, node)| model.apply(id, node));
        Ok(model)
    }

    /// Merges an `apply` statement into what it is about.
    fn apply(&mut self, id: String, mut node: Map<String, Value>) {
        let Some(Value::Object(traits)) = node.remove("traits") else { return };
        if id.contains('$') {
            self.applied.insert(id, traits);
        } else if let Some(shape) = self.shapes.get_mut(&id) {
            let own = shape.entry("traits").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(own) = own {
                own.extend(traits);
            }
        }
    }

    /// All shapes of a type.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'static str) -> impl Iterator<Item = Shape<'a>> {
        self.shapes.keys().filter_map(|id| self.shape(id)).filter(move |shape| shape.kind == kind)
    }

    /// A shape by its id.
    pub(crate) fn shape<'a>(&'a self, id: &'a str) -> Option<Shape<'a>> {
        match self.shapes.get_key_value(id) {
            Some((id, node)) => {
                let kind = node.get("type").and_then(Value::as_str)?;
                Some(Shape { id, kind, node: Some(node) })
            }
            None => prelude(id).map(|kind| Shape { id, kind, node: None }),
        }
    }

    /// The members of a shape in the model's order, those of its mixins first.
    pub(crate) fn members<'a>(&'a self, shape: Shape<'a>) -> Vec<Member<'a>> {
        let (mut members, mut visits) = (Vec::new(), 0);
        self.gather(shape, shape.id, &mut visits, &mut members);
        members
    }

    fn gather<'a>(&'a self, shape: Shape<'a>, onto: &str, visits: &mut usize, members: &mut Vec<Member<'a>>) {
        *visits += 1;
        for mixin in shape.targets("mixins") {
            if let Some(mixin) = self.shape(mixin).filter(|_| *visits <= MAX_MIXINS) {
                self.gather(mixin, onto, visits, members);
            }
        }
        let Some(own) = shape.field("members").and_then(Value::as_object) else { return };
        members.retain(|known| !own.contains_key(known.name));
        let names = self.order.get(shape.id).into_iter().flatten();
        for (name, node) in names.filter_map(|name| own.get_key_value(name)) {
            if let Some(target) = target(node) {
                let own = node.get("traits").and_then(Value::as_object);
                let applied = self.applied(onto, name);
                members.push(Member { name, target, traits: [applied, own] });
            }
        }
    }

    fn applied(&self, shape: &str, member: &str) -> Option<&Map<String, Value>> {
        if self.applied.is_empty() { None } else { self.applied.get(&format!("{shape}${member}")) }
    }

    /// A member that a list (`member`) or a map (`key`, `value`) has by its type.
    pub(crate) fn part<'a>(&'a self, shape: Shape<'a>, name: &'static str) -> Option<Member<'a>> {
        let node = shape.field(name)?;
        let own = node.get("traits").and_then(Value::as_object);
        let applied = self.applied(shape.id, name);
        Some(Member { name, target: target(node)?, traits: [applied, own] })
    }
}

impl<'a> Shape<'a> {
    /// The id without its namespace.
    pub(crate) fn name(&self) -> &'a str {
        self.id.rsplit_once('#').map_or(self.id, |(_, name)| name)
    }

    /// The value of a trait.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.traits().and_then(|traits| traits.get(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text that a trait has as its value.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn traits(&self) -> Option<&'a Map<String, Value>> {
        self.field("traits").and_then(Value::as_object)
    }

    /// A field of the shape's node, such as an operation's `input`.
    pub(crate) fn field(&self, name: &str) -> Option<&'a Value> {
        self.node.and_then(|node| node.get(name))
    }

    /// The shape that a field refers to.
    pub(crate) fn target(&self, name: &str) -> Option<&'a str> {
        self.field(name).and_then(target)
    }

    /// The shapes that a field lists.
    pub(crate) fn targets(&self, name: &str) -> Vec<&'a str> {
        let listed = self.field(name).and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(target).collect()
    }
}

impl<'a> Member<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.traits.iter().flatten().find_map(|traits| traits.get(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }
}

fn target(node: &Value) -> Option<&str> {
    node.get("target").and_then(Value::as_str)
}

/// The type of a shape of Smithy's prelude.
fn prelude(id: &str) -> Option<&'static str> {
    Some(match id.strip_prefix("smithy.api#")? {
        "String" => "string",
        "Blob" => "blob",
        "Boolean" | "PrimitiveBoolean" => "boolean",
        "Byte" | "PrimitiveByte" => "byte",
        "Short" | "PrimitiveShort" => "short",
        "Integer" | "PrimitiveInteger" => "integer",
        "Long" | "PrimitiveLong" => "long",
        "BigInteger" => "bigInteger",
        "Float" | "PrimitiveFloat" => "float",
        "Double" | "PrimitiveDouble" => "double",
        "BigDecimal" => "bigDecimal",
        "Timestamp" => "timestamp",
        "Document" => "document",
        "Unit" => "structure",
        _ => return None,
    })
}
