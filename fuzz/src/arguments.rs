//! Arguments for a tool: shaped as its schema has them, so that they get far, with texts that try to get out of the
//! place where they are written.

use serde_json::{Map, Value};

/// Texts that mean something where they should be a value.
const HOSTILE: [&str; 14] = [
    "plain",
    "..",
    "%2e%2e/%2E",
    "a/../../b",
    "//evil.example/",
    "@evil.example",
    "x?y=z&w#f",
    "a\r\nx-injected: 1",
    "\u{0}",
    "é\u{202e}\u{1f600}",
    "<a b=\"c\">&amp;]]></a>",
    "{\"a\":[1,\"b\"]}",
    "; c=d, e",
    "aGVsbG8=",
];
/// How deep arguments are nested.
const DEEPEST: usize = 6;

/// What is chosen where there is a choice: it follows from the input alone, so that a finding can be had again.
pub struct Choices<'a> {
    own: Vec<&'a str>,
    state: u64,
}

impl<'a> Choices<'a> {
    /// Choices that follow from a text, whose lines are texts to choose from too.
    pub fn new(text: &'a str) -> Self {
        let state = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { own: text.lines().collect(), state }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit.max(1)
    }

    fn text(&mut self) -> String {
        let at = self.below(HOSTILE.len() + self.own.len());
        HOSTILE.get(at).or_else(|| self.own.get(at - HOSTILE.len())).copied().unwrap_or_default().to_owned()
    }

    /// Arguments for a schema of type `object`.
    pub fn arguments(&mut self, schema: &Map<String, Value>) -> Map<String, Value> {
        let root = Value::Object(schema.clone());
        match self.object(&root, &root, 0) {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        }
    }

    fn object(&mut self, root: &Value, schema: &Value, depth: usize) -> Value {
        let mut members = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten().take(64) {
            if self.below(8) > 0 {
                members.insert(name.clone(), self.value(root, property, depth + 1));
            }
        }
        if self.below(4) == 0 && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            members.insert(self.text(), self.anything());
        }
        Value::Object(members)
    }

    fn value(&mut self, root: &Value, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST || self.below(12) == 0 {
            return self.anything();
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let found = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return found.map_or(Value::Null, |found| self.value(root, found, depth + 1));
        }
        for several in ["oneOf", "anyOf", "allOf", "enum"] {
            if let Some(choices) = schema.get(several).and_then(Value::as_array) {
                let at = self.below(choices.len());
                let chosen = choices.get(at).cloned().unwrap_or_default();
                return if several == "enum" { chosen } else { self.value(root, &chosen, depth + 1) };
            }
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.object(root, schema, depth),
            Some("array") => {
                let items = schema.get("items").cloned().unwrap_or_default();
                (0..self.below(4)).map(|_| self.value(root, &items, depth + 1)).collect()
            }
            Some("integer" | "number") => self.number(),
            Some("boolean") => Value::Bool(self.below(2) == 0),
            _ => Value::String(self.text()),
        }
    }

    fn number(&mut self) -> Value {
        let numbers =
            [Value::from(0), Value::from(-1), Value::from(u64::MAX), Value::from(1e300), Value::from(1.5)];
        numbers.get(self.below(numbers.len())).cloned().unwrap_or_default()
    }

    fn anything(&mut self) -> Value {
        match self.below(6) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => self.number(),
            3 => Value::Array(vec![Value::String(self.text()), Value::Null, Value::Array(Vec::new())]),
            4 => Value::Object(Map::from_iter([(self.text(), Value::String(self.text()))])),
            _ => Value::String(self.text()),
        }
    }
}
