//! Properties that hold for any document and any argument.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "helpers of tests")]

use openapi::{Operation, Options, Strictness, import};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A document with every place, style and body.
fn document() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "all", "version": "1"},
        "servers": [{"url": "https://api.example:8443/base/{v}", "variables": {"v": {"default": "v1"}}}],
        "paths": {
            "/s/{simple}/l/{label}/m/{matrix}/e": {"get": {"operationId": "get", "parameters": [
                {"name": "simple", "in": "path", "required": true},
                {"name": "label", "in": "path", "required": true, "style": "label", "explode": true},
                {"name": "matrix", "in": "path", "required": true, "style": "matrix", "explode": true},
                {"name": "form", "in": "query"},
                {"name": "deep", "in": "query", "style": "deepObject", "explode": true},
                {"name": "pipe", "in": "query", "style": "pipeDelimited"},
                {"name": "open", "in": "query", "allowReserved": true},
                {"name": "json", "in": "query", "content": {"application/json": {}}},
                {"name": "X-Head", "in": "header"},
                {"name": "cookie", "in": "cookie"},
            ]}},
            "/xml": {"post": {"operationId": "xml", "requestBody": {"content": {"application/xml": {"schema": {"$ref": "#/components/schemas/Node"}}}}}},
            "/form": {"post": {"operationId": "form", "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"properties": {"a": {}, "b": {}}}}}}}},
            "/parts": {"post": {"operationId": "parts", "requestBody": {"content": {"multipart/form-data": {"schema": {"properties": {"a": {}, "b": {"type": "string", "format": "binary"}}}}}}}},
        },
        "components": {"schemas": {"Node": {"type": "object", "properties": {
            "id": {"type": "integer", "xml": {"attribute": true}},
            "next": {"$ref": "#/components/schemas/Node"},
            "all": {"type": "array", "xml": {"wrapped": true}, "items": {"allOf": [{"type": "string", "nullable": true}]}}}}}},
    })
}

fn tool(name: &str) -> Operation {
    let api = import(&document().to_string(), &Options::default()).unwrap();
    api.operations.into_iter().find(|tool| tool.name == name).unwrap()
}

/// Values of any shape, with the texts that attackers like.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[./\\\\%?#&=;:@ \\r\\n2eEfF]{0,8}",
        Just("../../admin".to_owned()),
        Just("//evil.example".to_owned()),
        Just("x\r\nX-Evil: 1".to_owned()),
        Just("@evil.example/".to_owned()),
    ];
    let leaf = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_argument_changes_host_path_structure_or_headers(values in prop::collection::vec(value(), 10)) {
        let tool = tool("get");
        let names = ["simple", "label", "matrix", "form", "deep", "pipe", "open", "json", "X-Head", "cookie"];
        let arguments: Map<String, Value> = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
        if let Ok(request) = tool.request(&arguments) {
            let uri = request.uri();
            prop_assert_eq!(uri.scheme_str(), Some("https"));
            prop_assert_eq!(uri.host().zip(uri.port_u16()), Some(("api.example", 8443)));
            prop_assert!(!uri.authority().is_some_and(|authority| authority.as_str().contains('@')));
            let segments: Vec<&str> = uri.path().split('/').collect();
            prop_assert_eq!(segments.len(), 10);
            prop_assert_eq!((segments[1], segments[2], segments[3]), ("base", "v1", "s"));
            prop_assert_eq!((segments[5], segments[7], segments[9]), ("l", "m", "e"));
            for segment in &segments[1..] {
                let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
                prop_assert!(!segment.is_empty() && decoded != "." && decoded != "..");
            }
            let again = url::Url::parse(&uri.to_string()).unwrap();
            prop_assert_eq!(again.host_str(), Some("api.example"));
            prop_assert_eq!(again.path(), uri.path());
            prop_assert_eq!(again.fragment(), None);
            for (name, value) in request.headers() {
                prop_assert!(["accept", "x-head", "cookie"].contains(&name.as_str()));
                prop_assert!(value.as_bytes().iter().all(|byte| (b' '..0x7f).contains(byte)));
            }
        }
    }

    #[test]
    fn what_is_sent_as_a_query_is_what_was_given(text in any::<String>(), path in "[^./\\\\\\x00]{1,12}") {
        let tool = tool("get");
        let arguments = json!({"simple": path, "label": "x", "matrix": "y", "form": text});
        let request = tool.request(arguments.as_object().unwrap()).unwrap();
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, vec![("form".to_owned(), text)]);
    }

    #[test]
    fn bodies_never_panic_and_xml_is_well_formed(first in value(), second in value()) {
        for name in ["form", "parts"] {
            let _ = tool(name).request(json!({"a": first, "b": second}).as_object().unwrap());
        }
        if let Ok(request) = tool("xml").request(json!({"id": first, "all": second}).as_object().unwrap()) {
            let text = std::str::from_utf8(request.body()).unwrap().to_owned();
            let mut reader = quick_xml::Reader::from_str(&text);
            let mut elements = 0_usize;
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => break,
                    quick_xml::events::Event::Start(_) => elements += 1,
                    _ => {}
                }
            }
            prop_assert!(text.is_empty() || elements > 0);
        }
    }

    #[test]
    fn mutated_documents_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..5, value()), 1..6)) {
        let mut document = document();
        for (index, kind, value) in edits {
            let mut paths = Vec::new();
            pointers(&document, String::new(), &mut paths);
            let at = paths[index.index(paths.len())].clone();
            let Some(target) = document.pointer_mut(&at) else { continue };
            match kind {
                0 => *target = value,
                1 => *target = Value::Null,
                2 => *target = json!({"$ref": format!("#{at}")}),
                3 => *target = json!({"$ref": "#/components/schemas/Node"}),
                _ => *target = json!([target.clone(), target.clone()]),
            }
        }
        for strictness in [Strictness::Refuse, Strictness::Skip] {
            let options = Options { strictness, ..Options::default() };
            if let Ok(api) = import(&document.to_string(), &options) {
                for tool in api.operations {
                    let stored = serde_json::to_string(&tool).unwrap();
                    prop_assert_eq!(&serde_json::from_str::<Operation>(&stored).unwrap(), &tool);
                    let _ = tool.request(&Map::new());
                }
            }
        }
    }

    #[test]
    fn mutated_texts_never_panic(cut in any::<prop::sample::Index>(), inserted in any::<String>(), yaml in any::<bool>()) {
        let text = if yaml { "openapi: 3.0.0\nservers: [{url: 'https://x'}]\npaths:\n  /a: &a\n    get: {operationId: x}\n  /b: *a\n".to_owned() } else { document().to_string() };
        let at = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).nth(cut.index(text.len())).unwrap();
        let _ = import(&format!("{}{inserted}{}", &text[..at], &text[at..]), &Options::default());
        let _ = import(&text[..at], &Options::default());
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                pointers(value, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}
