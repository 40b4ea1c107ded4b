//! Which words of a schema are kept, and what each must hold.
//!
//! Documents in the wild hold `required: true`, `items` as a list and limits in quotes. A client that validates
//! schemas would refuse the whole list of tools for one of these, so a word whose value does not fit is left out.

use serde_json::Value;

/// The longest example or default that is kept, in bytes of JSON.
const MAX_SAMPLE: usize = 1024;

/// What a word of a schema holds.
pub(crate) enum Keyword {
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// Schemas by name.
    NamedSchemas,
    /// The names of required properties.
    Required,
    /// A value that is kept when it fits.
    Plain(fn(&Value) -> bool),
    /// OpenAPI's `xml`.
    Xml,
    /// Something that is left out.
    Unknown,
}

/// The words of JSON Schema 2020-12 that say something of a value (core and validation vocabularies).
pub(crate) fn keyword(name: &str) -> Keyword {
    match name {
        "items"
        | "additionalProperties"
        | "not"
        | "contains"
        | "propertyNames"
        | "if"
        | "then"
        | "else"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Keyword::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Keyword::Schemas,
        "properties" | "patternProperties" | "dependentSchemas" => Keyword::NamedSchemas,
        "required" => Keyword::Required,
        "type" => Keyword::Plain(is_type),
        "enum" => Keyword::Plain(|value| value.as_array().is_some_and(|values| !values.is_empty())),
        "const" => Keyword::Plain(|_| true),
        "title" | "description" | "format" | "pattern" | "contentEncoding" | "contentMediaType" => {
            Keyword::Plain(Value::is_string)
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => Keyword::Plain(Value::is_number),
        "multipleOf" => Keyword::Plain(|value| value.as_f64().is_some_and(|number| number > 0.0)),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => Keyword::Plain(Value::is_u64),
        "uniqueItems" | "deprecated" => Keyword::Plain(Value::is_boolean),
        "default" => Keyword::Plain(is_small),
        "examples" => Keyword::Plain(|value| value.is_array() && is_small(value)),
        "xml" => Keyword::Xml,
        _ => Keyword::Unknown,
    }
}

fn is_type(value: &Value) -> bool {
    let all = ["string", "number", "integer", "boolean", "object", "array", "null"];
    let is_name = |name: &Value| name.as_str().is_some_and(|name| all.contains(&name));
    match value {
        Value::Array(names) if names.len() > all.len() => false,
        Value::Array(names) => {
            let distinct = names
                .iter()
                .enumerate()
                .all(|(at, name)| !names.iter().skip(at + 1).any(|other| other == name));
            !names.is_empty() && distinct && names.iter().all(is_name)
        }
        name => is_name(name),
    }
}

fn is_small(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_SAMPLE,
        Value::Array(_) | Value::Object(_) => value.to_string().len() <= MAX_SAMPLE,
        _ => true,
    }
}
