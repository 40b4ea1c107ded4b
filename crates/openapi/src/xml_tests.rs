//! The examples of "XML Object" in OpenAPI 3.1.1, and what must not become markup.

use serde_json::json;

use super::*;

fn written(value: &Value, schema: &Value) -> String {
    let document = write("root", value, schema, Some(&json!({"Named": {"xml": {"name": "named"}}}))).unwrap();
    document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap().to_owned()
}

#[test]
fn the_examples_of_the_specification() {
    let person = json!({"properties": {
        "id": {"type": "integer", "xml": {"attribute": true}},
        "name": {"type": "string", "xml": {"namespace": "https://example.com/schema/sample", "prefix": "sample"}}}});
    assert_eq!(
        written(&json!({"id": 0, "name": "string"}), &person),
        "<root id=\"0\"><sample:name xmlns:sample=\"https://example.com/schema/sample\">string</sample:name></root>"
    );
    let animals = |xml: Value, item: Value| json!({"properties": {"animals": {"type": "array", "xml": xml, "items": {"type": "string", "xml": item}}}});
    for (xml, item, expected) in [
        (json!({}), json!({}), "<animals>a</animals><animals>b</animals>"),
        (json!({}), json!({"name": "animal"}), "<animal>a</animal><animal>b</animal>"),
        (json!({"name": "aliens"}), json!({"name": "animal"}), "<animal>a</animal><animal>b</animal>"),
        (json!({"wrapped": true}), json!({}), "<animals><animals>a</animals><animals>b</animals></animals>"),
        (
            json!({"name": "aliens", "wrapped": true}),
            json!({"name": "animal"}),
            "<aliens><animal>a</animal><animal>b</animal></aliens>",
        ),
        (
            json!({"name": "aliens", "wrapped": true}),
            json!({}),
            "<aliens><aliens>a</aliens><aliens>b</aliens></aliens>",
        ),
    ] {
        let value = json!({"animals": ["a", "b"]});
        assert_eq!(written(&value, &animals(xml, item)), format!("<root>{expected}</root>"));
    }
}

#[test]
fn references_name_elements() {
    let schema = json!({"allOf": [{"properties": {"x": {"$ref": "#/$defs/Named"}}}]});
    assert_eq!(
        written(&json!({"x": {"y": null, "z": true}}), &schema),
        "<root><named><z>true</z></named></root>"
    );
    assert_eq!(written(&json!("t"), &json!({"$ref": "#/$defs/Named"})), "<named>t</named>");
}

#[test]
fn what_stands_beside_a_reference_counts_more_than_what_it_leads_to() {
    let beside = |name: &str| json!({"allOf": [{"$ref": "#/$defs/Named"}, {"xml": {"name": name}}]});
    let schema = json!({"properties": {
        "x": beside("own"),
        "list": {"allOf": [{"type": "array", "items": beside("item")}, {"xml": {"wrapped": true, "name": "all"}}]},
        "id": {"allOf": [{"type": "integer"}, {"xml": {"attribute": true, "name": "number"}}]},
    }});
    assert_eq!(
        written(&json!({"x": 1, "list": ["a", "b"], "id": 7}), &schema),
        "<root number=\"7\"><own>1</own><all><item>a</item><item>b</item></all></root>"
    );
}

#[test]
fn values_never_become_markup() {
    let schema = json!({"properties": {"a": {"xml": {"attribute": true}}}});
    assert_eq!(
        written(&json!({"a": "\"><x y='", "b": "</b><c>&]]>\r\n"}), &schema),
        "<root a=\"&quot;&gt;&lt;x y=&apos;\"><b>&lt;/b&gt;&lt;c&gt;&amp;]]&gt;&#13;&#10;</b></root>"
    );
    for name in ["a b", "a><b", "", "1", "a:b", "x\n"] {
        let value = Value::Object(Map::from_iter([(name.to_owned(), json!(1))]));
        assert!(write("root", &value, &Value::Null, None).is_err(), "{name}");
    }
    assert!(write("root", &json!({"a": "\u{0}"}), &Value::Null, None).is_err());
}
