//! Models and arguments of somebody who means harm: nothing panics, nothing takes forever, and no argument changes
//! where a request goes or what its headers are.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use smithy::{Endpoint, Operation, Options, import};

/// A restXml service whose operation has an argument in every place that HTTP has.
fn everywhere(protocol: &str) -> Value {
    let bound = |target: &str, name: &str, value: Value| json!({"target": target, "traits": {format!("smithy.api#{name}"): value, "smithy.api#required": {}}});
    json!({"smithy": "2.0", "shapes": {
        "t#S": {"type": "service", "version": "1", "operations": [{"target": "t#Op"}], "traits": {protocol: {}}},
        "t#Op": {"type": "operation", "input": {"target": "t#In"}, "output": {"target": "t#In"}, "traits": {
            "smithy.api#http": {"method": "PUT", "uri": "/a/{label}/b/{greedy+}?fixed=1"},
            "smithy.api#endpoint": {"hostPrefix": "{host}.x-"},
            "smithy.api#documentation": "<p>Does <code>all</code></p>"}},
        "t#In": {"type": "structure", "members": {
            "host": {"target": "smithy.api#String", "traits": {"smithy.api#required": {}, "smithy.api#hostLabel": {}, "smithy.api#httpLabel": {}}},
            "label": bound("smithy.api#String", "httpLabel", json!({})),
            "greedy": bound("smithy.api#String", "httpLabel", json!({})),
            "query": bound("smithy.api#String", "httpQuery", json!("q")),
            "params": bound("t#Map", "httpQueryParams", json!({})),
            "header": bound("smithy.api#String", "httpHeader", json!("X-H")),
            "prefixed": bound("t#Map", "httpPrefixHeaders", json!("")),
            "text": {"target": "smithy.api#String"}, "tree": {"target": "t#Tree"}}},
        "t#Map": {"type": "map", "key": {"target": "smithy.api#String"}, "value": {"target": "smithy.api#String"}},
        "t#Tree": {"type": "structure", "members": {"name": {"target": "smithy.api#String"}, "below": {"target": "t#Trees"},
            "kind": {"target": "t#Kind"}, "choice": {"target": "t#Choice"}}},
        "t#Trees": {"type": "list", "member": {"target": "t#Tree"}},
        "t#Kind": {"type": "enum", "members": {"A": {"target": "smithy.api#Unit", "traits": {"smithy.api#enumValue": "a"}}}},
        "t#Choice": {"type": "union", "members": {"one": {"target": "smithy.api#Timestamp"}, "two": {"target": "t#Trees"}}},
    }})
}

fn only(model: &Value) -> Operation {
    import(&model.to_string(), &Options::default()).unwrap().operations.remove(0)
}

proptest! {
    #[test]
    fn no_argument_changes_where_a_request_goes(
        host in "(?s).{0,20}|[a-z0-9.:@/-]{1,12}", label in "(?s).{0,20}|[./%?#\\\\]{1,6}", greedy in "(?s).{0,30}|[./%?#\\\\a]{1,8}",
        query in "(?s).{0,20}", key in "(?s).{0,12}|[a-zA-Z-]{1,20}", value in "(?s).{0,20}", header in "(?s).{0,20}", text in "(?s).{0,20}",
        protocol in prop_oneof![Just("aws.protocols#restXml"), Just("aws.protocols#restJson1")],
    ) {
        let operation = only(&everywhere(protocol));
        let arguments = json!({"host": host, "label": label, "greedy": greedy, "query": query, "params": {&key: &value},
            "header": header, "prefixed": {&key: &value}, "text": text, "tree": {"name": text, "below": [{"name": value}]}});
        let arguments = arguments.as_object().unwrap();
        for endpoint in [Endpoint::explicit("http://127.0.0.1:81/base").unwrap(), Endpoint::regional("svc", "eu-west-1").unwrap()] {
            let Ok(request) = operation.request(arguments, &endpoint, &String::new) else { continue };
            let uri = request.uri();
            // The host is the endpoint's, or below it.
            let written = uri.authority().unwrap().as_str();
            let expected = if endpoint.authority().contains("amazonaws") { format!("{host}.x-svc.eu-west-1.amazonaws.com") } else { "127.0.0.1:81".to_owned() };
            prop_assert_eq!(written, expected);
            // The path has the template's segments, and as many as the greedy argument has.
            let path = uri.path().strip_prefix("/base").unwrap_or(uri.path());
            let segments: Vec<_> = path.split('/').collect();
            prop_assert_eq!(segments.len(), 4 + greedy.split('/').count());
            prop_assert_eq!((segments[0], segments[1], segments[3]), ("", "a", "b"));
            prop_assert!(segments.iter().all(|segment| !matches!(*segment, "." | "..")));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            prop_assert!(segments.iter().all(|segment| segment.bytes().all(plain)), "{}", path);
            // The query has the parameters of the model, and one of the caller's.
            let query = uri.query().unwrap();
            prop_assert!(query.starts_with("fixed=1&q="), "{}", query);
            prop_assert!(query.split('&').count() <= 3 && !query.contains('#'));
            // Headers are the model's, the protocol's, and one of the caller's.
            prop_assert!(request.headers().len() <= 4, "{:?}", request.headers());
            for own in ["host", "authorization", "content-length", "transfer-encoding", "connection", "x-amz-date"] {
                prop_assert!(!request.headers().contains_key(own));
            }
            prop_assert!(request.headers().values().all(|value| !value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))));
        }
    }

    #[test]
    fn changed_models_are_planned_or_refused(changes in proptest::collection::vec((any::<u32>(), 0..8_u8, "[a-zA-Z#$./{}+?=-]{0,8}"), 1..6),
        protocol in prop_oneof![Just("aws.protocols#restXml"), Just("aws.protocols#restJson1"), Just("aws.protocols#awsJson1_0")]) {
        let mut model = everywhere(protocol);
        for (at, kind, text) in &changes {
            change(&mut model, *at, *kind, text);
        }
        let Ok(api) = import(&model.to_string(), &Options::default()) else { return Ok(()) };
        let arguments = json!({"host": "h", "label": "l", "greedy": "g/h", "query": "q", "params": {"a": "b"}, "header": "h", "prefixed": {"x-a": "b"},
            "text": "t", "tree": {"name": "n", "below": [{"choice": {"one": 5}}]}});
        let endpoint = Endpoint::explicit("http://h/").unwrap();
        for operation in &api.operations {
            let _ = operation.request(arguments.as_object().unwrap(), &endpoint, &String::new);
            for body in ["", "{\"text\":1,\"tree\":{\"below\":[{}]}}", "<In><text>x</text><tree><below><member/></below></tree></In>"] {
                let _ = operation.answer(StatusCode::OK, &HeaderMap::new(), body.as_bytes());
                let _ = operation.answer(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes());
            }
        }
    }

    #[test]
    fn changed_plans_are_harmless(at in any::<u32>(), number in 0..100_u64) {
        let operation = only(&everywhere("aws.protocols#restXml"));
        let mut stored = serde_json::to_value(&operation).unwrap();
        let mut numbers = Vec::new();
        visit(&mut stored["plan"], &mut |value| if value.is_u64() { numbers.push(()) });
        let chosen = at as usize % numbers.len();
        let mut seen = 0;
        visit(&mut stored["plan"], &mut |value| if value.is_u64() {
            if seen == chosen { *value = json!(number) }
            seen += 1;
        });
        let Ok(operation) = serde_json::from_value::<Operation>(stored) else { return Ok(()) };
        let arguments = json!({"host": "h", "label": "l", "greedy": "g", "query": "q", "params": {}, "header": "h", "prefixed": {}, "tree": {"below": [{}]}});
        let _ = operation.request(arguments.as_object().unwrap(), &Endpoint::explicit("http://h/").unwrap(), &String::new);
        let _ = operation.answer(StatusCode::OK, &HeaderMap::new(), b"<In><tree><below><member/></below></tree></In>");
    }

    #[test]
    fn any_answer_is_read(body in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>/a-z&;\"= \\[\\]{}:,!-]{0,80}",
        status in 200..600_u16, header in "[ -~]{0,40}") {
        for protocol in ["aws.protocols#restXml", "aws.protocols#restJson1"] {
            let operation = only(&everywhere(protocol));
            let mut headers = HeaderMap::new();
            headers.insert("x-h", header.parse().unwrap());
            headers.insert("x-amzn-errortype", header.parse().unwrap());
            for body in [&body[..], text.as_bytes()] {
                let answer = operation.answer(StatusCode::from_u16(status).unwrap(), &headers, body);
                prop_assert!(answer.content.is_object());
                prop_assert!(answer.is_error || status < 300);
            }
        }
    }
}

/// Changes one node of a model: away with it, another type, another text, a reference to somewhere else.
fn change(model: &mut Value, at: u32, kind: u8, text: &str) {
    let mut count = 0_usize;
    visit(model, &mut |_| count += 1);
    let (chosen, mut seen) = (at as usize % count, 0);
    visit(model, &mut |value| {
        if seen == chosen {
            *value = match kind {
                0 => Value::Null,
                1 => json!(text),
                2 => json!([]),
                3 => json!({"target": "t#In"}),
                4 => json!({"target": "t#Tree", "traits": {"smithy.api#httpPayload": {}}}),
                5 => json!({"type": "list", "member": {"target": "t#Trees"}}),
                6 => json!("t#Trees"),
                _ => {
                    json!({"type": "structure", "mixins": [{"target": "t#In"}, {"target": "t#Tree"}], "members": {text: {"target": "t#Map"}}})
                }
            };
        }
        seen += 1;
    });
}

fn visit(value: &mut Value, each: &mut dyn FnMut(&mut Value)) {
    each(value);
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| visit(value, each)),
        Value::Object(members) => members.values_mut().for_each(|value| visit(value, each)),
        _ => {}
    }
}

#[test]
fn models_that_grow_when_they_are_read_end_soon() {
    let started = std::time::Instant::now();
    let service = |operations: Vec<Value>| json!({"type": "service", "version": "1", "operations": operations, "traits": {"aws.protocols#awsJson1_0": {}}});
    let model = |shapes: Map<String, Value>| json!({"smithy": "2", "shapes": shapes}).to_string();
    let small = |extra: Vec<(String, Value)>| {
        let mut shapes: Map<String, Value> = extra.into_iter().collect();
        shapes.insert("t#S".into(), service(vec![json!({"target": "t#Op"})]));
        shapes.insert("t#Op".into(), json!({"type": "operation", "input": {"target": "t#N0"}}));
        model(shapes)
    };
    // A chain so long that recursion would end the stack.
    let chain = small(
        (0..10_000)
            .map(|n| {
                (
                    format!("t#N{n}"),
                    json!({"type": "structure", "members": {"m": {"target": format!("t#N{}", n + 1)}}}),
                )
            })
            .collect(),
    );
    assert!(
        import(&chain, &Options::default()).unwrap_err().to_string().contains("needs more than 4000 shapes")
    );
    let chain = small((0..3_000).map(|n| (format!("t#N{n}"), json!({"type": "structure", "members": {"m": {"target": format!("t#N{}", (n + 1) % 3_000)}}}))).collect());
    let api = import(&chain, &Options::default()).unwrap();
    assert!(serde_json::from_str::<Value>(&api.operations[0].input_schema.to_string()).is_ok());
    // Mixins of mixins of mixins.
    let mixins = small((0..40).map(|n| {
        let next = json!({"target": format!("t#N{}", (n + 1) % 40)});
        (format!("t#N{n}"), json!({"type": "structure", "mixins": [next, next, next, next], "members": {format!("m{n}"): {"target": "smithy.api#String"}}}))
    }).collect());
    assert!(import(&mixins, &Options::default()).is_ok());
    // One structure with a great many members, and many operations with an input that is too large.
    let members: Map<String, Value> =
        (0..100_000).map(|n| (format!("m{n}"), json!({"target": "smithy.api#String"}))).collect();
    let wide = small(vec![("t#N0".into(), json!({"type": "structure", "members": members}))]);
    assert!(import(&wide, &Options::default()).unwrap_err().to_string().contains("more than 2000 members"));
    let mut shapes: Map<String, Value> = (0..8_000)
        .map(|n| (format!("t#Op{n}"), json!({"type": "operation", "input": {"target": "t#N0"}})))
        .collect();
    shapes.extend((0..5_000).map(|n| {
        (
            format!("t#N{n}"),
            json!({"type": "structure", "members": {"m": {"target": format!("t#N{}", n + 1)}}}),
        )
    }));
    shapes.insert("t#S".into(), service((0..8_000).map(|n| json!({"target": format!("t#Op{n}")})).collect()));
    assert!(
        import(&model(shapes), &Options::default())
            .unwrap_err()
            .to_string()
            .contains("choose fewer operations")
    );
    // Documentation and enumerations that many members share.
    let html = "<a".repeat(1_000_000);
    let text = json!({"type": "string", "traits": {"smithy.api#documentation": html, "smithy.api#enum": (0..9_000).map(|n| json!({"value": n.to_string()})).collect::<Vec<_>>()}});
    let members: Map<String, Value> =
        (0..2_000).map(|n| (format!("m{n}"), json!({"target": "t#T"}))).collect();
    let shared =
        small(vec![("t#N0".into(), json!({"type": "structure", "members": members})), ("t#T".into(), text)]);
    assert!(import(&shared, &Options::default()).unwrap_err().to_string().contains("schema is larger than"));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn texts_that_many_shapes_share_are_not_copied_without_end() {
    let long = "x".repeat(3_000);
    let refused = |path: &str, value: &Value| {
        let mut model = everywhere("aws.protocols#restXml");
        model["shapes"]["t#Tree"]["traits"] = json!({});
        *model.pointer_mut(path).unwrap() = value.clone();
        import(&model.to_string(), &Options::default()).unwrap_err().to_string()
    };
    let text = |traits: Value| json!({"target": "smithy.api#String", "traits": traits});
    for (path, value) in [
        (
            "/shapes/t#S/traits",
            json!({"aws.protocols#restXml": {}, "smithy.api#xmlNamespace": {"uri": long}}),
        ),
        (
            "/shapes/t#S/traits",
            json!({"aws.protocols#restJson1": {}, "smithy.api#xmlNamespace": {"uri": "u", "prefix": long}}),
        ),
        ("/shapes/t#Tree/traits", json!({"smithy.api#xmlName": long})),
        ("/shapes/t#In/members/text", text(json!({"smithy.api#httpQuery": long}))),
        ("/shapes/t#In/members/text", text(json!({"smithy.api#httpHeader": long}))),
        ("/shapes/t#In/members/text", text(json!({"smithy.api#httpPrefixHeaders": long}))),
        ("/shapes/t#In/members/text", text(json!({"smithy.api#xmlName": long}))),
        ("/shapes/t#In/members", json!({long.as_str(): {"target": "smithy.api#String"}})),
        ("/shapes/t#Kind", json!({"type": "string", "traits": {"smithy.api#mediaType": long}})),
    ] {
        let why = refused(path, &value);
        assert!(why.contains("is longer than") && why.len() < 400, "{path}: {why}");
    }
    let why = refused("/shapes/t#In/members/text/target", &json!(long));
    assert!(why.contains("which the model does not have") && why.len() < 400, "{why}");
    let mut model = everywhere("aws.protocols#restJson1");
    model["shapes"][format!("t#{long}")] = json!({"type": "string"});
    let why = import(&model.to_string(), &Options::default()).unwrap_err().to_string();
    assert!(why.contains("a shape has the text") && why.len() < 400, "{why}");
    // Members of a mixin that every input has, each with a name and a wire name.
    let (name, wire) = ("n".repeat(400), "w".repeat(500));
    let members: Map<String, Value> = (0..1_000)
        .map(|n| {
            let traits = json!({"smithy.api#jsonName": format!("{wire}{n}")});
            (format!("{name}{n}"), json!({"target": "smithy.api#String", "traits": traits}))
        })
        .collect();
    let mut shapes =
        Map::from_iter([("t#Mixin".to_owned(), json!({"type": "structure", "members": members}))]);
    for n in 0..200 {
        let http = json!({"smithy.api#http": {"method": "POST", "uri": "/"}});
        shapes.insert(
            format!("t#Op{n}"),
            json!({"type": "operation", "output": {"target": format!("t#Out{n}")}, "traits": http}),
        );
        shapes.insert(
            format!("t#Out{n}"),
            json!({"type": "structure", "mixins": [{"target": "t#Mixin"}], "members": {}}),
        );
    }
    let operations: Vec<Value> = (0..200).map(|n| json!({"target": format!("t#Op{n}")})).collect();
    shapes.insert("t#S".into(), json!({"type": "service", "version": "1", "operations": operations, "traits": {"aws.protocols#restJson1": {}}}));
    let model = json!({"smithy": "2", "shapes": shapes}).to_string();
    let why = import(&model, &Options::default()).unwrap_err().to_string();
    assert!(why.contains("choose fewer operations"), "{why}");
}
