//! Values by style (OpenAPI 3.1.1, "Style Values" and "Style Examples"; RFC 6570).
//!
//! What the styles leave undefined is said here: a value within a value is JSON text; `deepObject` goes as deep as its
//! value does, with `[]` after the name of a list of plain values and `[0]` after that of others; a null within a value
//! is left out, as RFC 6570 leaves out undefined members.

use serde_json::{Map, Value};

use crate::operation::{Encoding, Style};
use crate::percent::{Escape, escape};

/// How the pieces of an exploded value are joined where the style does not say: `&` in queries, `; ` in cookies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Join(pub(crate) &'static str);

/// Writes a value with its name, as queries, forms and cookies have it, and `matrix` and `label` and `simple`
/// parameters without a name of their own.
pub(crate) fn write(name: &str, value: &Value, encoding: Encoding, how: Escape, join: Join) -> String {
    let escaped_name = escape(name, if how == Escape::None { how } else { Escape::Strict });
    let writer = Writer { how, explode: encoding.explode };
    match encoding.style {
        Style::Simple => writer.joined(value, ",", ",", "="),
        Style::Label => {
            let separator = if encoding.explode { "." } else { "," };
            format!(".{}", writer.joined(value, separator, ",", "="))
        }
        Style::Matrix => writer.matrix(&escaped_name, value),
        Style::Form => writer.form(&escaped_name, value, ",", join),
        Style::SpaceDelimited => writer.form(&escaped_name, value, "%20", join),
        Style::PipeDelimited => writer.form(&escaped_name, value, "%7C", join),
        Style::DeepObject => {
            let mut pairs = Vec::new();
            writer.deep(&escaped_name, value, &mut pairs);
            pairs.join(join.0)
        }
        Style::Json => format!("{escaped_name}={}", escape(&value.to_string(), how)),
    }
}

/// A value as text: texts as they are, anything else as JSON has it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

struct Writer {
    how: Escape,
    explode: bool,
}

impl Writer {
    fn text(&self, value: &Value) -> String {
        escape(&plain(value), self.how)
    }

    fn elements<'v>(&self, elements: &'v [Value]) -> impl Iterator<Item = String> + use<'_, 'v> {
        elements.iter().filter(|element| !element.is_null()).map(|element| self.text(element))
    }

    fn members<'v>(
        &self,
        members: &'v Map<String, Value>,
    ) -> impl Iterator<Item = (String, String)> + use<'_, 'v> {
        let present = members.iter().filter(|(_, value)| !value.is_null());
        present.map(|(name, value)| (escape(name, self.how), self.text(value)))
    }

    /// A value without its name. `pair` stands between name and value of an exploded member.
    fn joined(&self, value: &Value, exploded: &str, plain: &str, pair: &str) -> String {
        match value {
            Value::Array(elements) => {
                self.elements(elements).collect::<Vec<_>>().join(if self.explode { exploded } else { plain })
            }
            Value::Object(members) if self.explode => {
                let pairs = self.members(members).map(|(name, value)| format!("{name}{pair}{value}"));
                pairs.collect::<Vec<_>>().join(exploded)
            }
            Value::Object(members) => {
                self.members(members).flat_map(<[String; 2]>::from).collect::<Vec<_>>().join(plain)
            }
            value => self.text(value),
        }
    }

    fn matrix(&self, name: &str, value: &Value) -> String {
        match value {
            Value::Array(elements) if self.explode => {
                self.elements(elements).map(|element| format!(";{name}={element}")).collect()
            }
            Value::Object(members) if self.explode => {
                self.members(members).map(|(member, value)| format!(";{member}={value}")).collect()
            }
            Value::String(empty) if empty.is_empty() => format!(";{name}"),
            value => format!(";{name}={}", self.joined(value, ",", ",", "=")),
        }
    }

    /// `form` and the two styles that differ from it in the separator.
    fn form(&self, name: &str, value: &Value, separator: &str, join: Join) -> String {
        match value {
            Value::Array(elements) if self.explode => {
                let pairs = self.elements(elements).map(|element| format!("{name}={element}"));
                pairs.collect::<Vec<_>>().join(join.0)
            }
            Value::Object(members) if self.explode => {
                let pairs = self.members(members).map(|(member, value)| format!("{member}={value}"));
                pairs.collect::<Vec<_>>().join(join.0)
            }
            value => format!("{name}={}", self.joined(value, separator, separator, "=")),
        }
    }

    fn deep(&self, name: &str, value: &Value, pairs: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    self.deep(&format!("{name}%5B{}%5D", escape(member, Escape::Strict)), value, pairs);
                }
            }
            Value::Array(elements) => {
                let nested = elements.iter().any(|element| element.is_array() || element.is_object());
                for (at, element) in elements.iter().enumerate() {
                    let index = if nested { at.to_string() } else { String::new() };
                    self.deep(&format!("{name}%5B{index}%5D"), element, pairs);
                }
            }
            Value::Null => {}
            value => pairs.push(format!("{name}={}", self.text(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The table "Style Examples" of OpenAPI 3.1.1 for a parameter named `color`, `n/a` left out.
    #[test]
    fn the_examples_of_the_specification() {
        let array = json!(["blue", "black", "brown"]);
        let object: Value = serde_json::from_str(r#"{"R":100,"G":200,"B":150}"#).unwrap();
        let empty = json!("");
        let blue = json!("blue");
        for (style, explode, value, expected) in [
            (Style::Matrix, false, &empty, ";color"),
            (Style::Matrix, false, &blue, ";color=blue"),
            (Style::Matrix, false, &array, ";color=blue,black,brown"),
            (Style::Matrix, false, &object, ";color=R,100,G,200,B,150"),
            (Style::Matrix, true, &empty, ";color"),
            (Style::Matrix, true, &blue, ";color=blue"),
            (Style::Matrix, true, &array, ";color=blue;color=black;color=brown"),
            (Style::Matrix, true, &object, ";R=100;G=200;B=150"),
            (Style::Label, false, &empty, "."),
            (Style::Label, false, &blue, ".blue"),
            (Style::Label, false, &array, ".blue,black,brown"),
            (Style::Label, false, &object, ".R,100,G,200,B,150"),
            (Style::Label, true, &empty, "."),
            (Style::Label, true, &blue, ".blue"),
            (Style::Label, true, &array, ".blue.black.brown"),
            (Style::Label, true, &object, ".R=100.G=200.B=150"),
            (Style::Simple, false, &empty, ""),
            (Style::Simple, false, &blue, "blue"),
            (Style::Simple, false, &array, "blue,black,brown"),
            (Style::Simple, false, &object, "R,100,G,200,B,150"),
            (Style::Simple, true, &empty, ""),
            (Style::Simple, true, &blue, "blue"),
            (Style::Simple, true, &array, "blue,black,brown"),
            (Style::Simple, true, &object, "R=100,G=200,B=150"),
            (Style::Form, false, &empty, "color="),
            (Style::Form, false, &blue, "color=blue"),
            (Style::Form, false, &array, "color=blue,black,brown"),
            (Style::Form, false, &object, "color=R,100,G,200,B,150"),
            (Style::Form, true, &empty, "color="),
            (Style::Form, true, &blue, "color=blue"),
            (Style::Form, true, &array, "color=blue&color=black&color=brown"),
            (Style::Form, true, &object, "R=100&G=200&B=150"),
            (Style::SpaceDelimited, false, &array, "color=blue%20black%20brown"),
            (Style::SpaceDelimited, false, &object, "color=R%20100%20G%20200%20B%20150"),
            (Style::PipeDelimited, false, &array, "color=blue%7Cblack%7Cbrown"),
            (Style::PipeDelimited, false, &object, "color=R%7C100%7CG%7C200%7CB%7C150"),
            (Style::DeepObject, true, &object, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
        ] {
            let encoding = Encoding { style, explode, allow_reserved: false };
            let written = write("color", value, encoding, Escape::Strict, Join("&"));
            assert_eq!(written, expected, "{style:?} {explode} {value}");
        }
    }

    #[test]
    fn delimiters_within_values_are_escaped() {
        let of = |style, value: Value| {
            let encoding = Encoding { style, explode: false, allow_reserved: false };
            write("a&b", &value, encoding, Escape::Strict, Join("&"))
        };
        assert_eq!(of(Style::Form, json!(["x,y", "é&="])), "a%26b=x%2Cy,%C3%A9%26%3D");
        assert_eq!(of(Style::Simple, json!("../a?b#c")), "..%2Fa%3Fb%23c");
        assert_eq!(of(Style::Form, json!([{"k": 1}, null, 2])), "a%26b=%7B%22k%22%3A1%7D,2");
        assert_eq!(
            of(Style::DeepObject, json!({"x": {"y": [1, 2]}, "z": [{"q": true}]})),
            "a%26b%5Bx%5D%5By%5D%5B%5D=1&a%26b%5Bx%5D%5By%5D%5B%5D=2&a%26b%5Bz%5D%5B0%5D%5Bq%5D=true"
        );
        assert_eq!(of(Style::Json, json!({"k": "v w"})), "a%26b=%7B%22k%22%3A%22v%20w%22%7D");
    }

    #[test]
    fn reserved_characters_stay_where_they_are_allowed_and_harmless() {
        let encoding = Encoding { style: Style::Form, explode: true, allow_reserved: true };
        let written =
            write("u", &json!("https://x/a?b=c&d#e+f%20"), encoding, Escape::AllowReserved, Join("&"));
        assert_eq!(written, "u=https://x/a?b%3Dc%26d%23e%2Bf%2520");
    }
}
