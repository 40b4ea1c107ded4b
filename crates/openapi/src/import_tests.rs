//! Documents as tools: names, arguments, what is refused and what is said.

use serde_json::json;

use super::*;
use crate::options::{Filter, Override};

fn document(paths: &Value) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1"},
        "servers": [{"url": "https://pets.example/v1"}],
        "paths": paths,
        "components": {
            "schemas": {
                "Pet": {"type": "object", "required": ["name", "id"], "properties": {
                    "id": {"type": "integer", "readOnly": true}, "name": {"type": "string"},
                    "friend": {"$ref": "#/components/schemas/Pet"}}},
            },
            "parameters": {"Limit": {"name": "limit", "in": "query", "description": "how many", "schema": {"type": "integer"}}},
            "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "api_key"}},
        },
    })
}

fn imported(paths: &Value) -> Api {
    import(&document(paths).to_string(), &Options::default()).unwrap()
}

fn refusal(paths: &Value) -> String {
    import(&document(paths).to_string(), &Options::default()).unwrap_err().to_string()
}

fn reasons(api: &Api, severity: Severity) -> Vec<&str> {
    api.findings.iter().filter(|one| one.severity == severity).map(|one| one.reason.as_str()).collect()
}

#[test]
fn an_operation_is_a_tool() {
    let api = imported(&json!({"/pets/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "put": {
            "operationId": "updatePet", "summary": "Update a pet", "description": "All of it.",
            "parameters": [{"$ref": "#/components/parameters/Limit"}, {"name": "api_key", "in": "query", "schema": {}},
                {"name": "Authorization", "in": "header"}, {"name": "X-Trace", "in": "header", "required": true}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
            "responses": {"200": {"content": {"application/json": {}}}},
        },
    }}));
    assert_eq!((api.title.as_str(), api.version.as_str()), ("Pets", "1"));
    let tool = &api.operations[0];
    assert_eq!(
        (tool.name.as_str(), tool.method.as_str(), tool.path.as_str()),
        ("updatePet", "PUT", "/pets/{id}")
    );
    assert_eq!(tool.description, "Update a pet\n\nAll of it.");
    assert_eq!(
        Value::Object(tool.input_schema.clone()),
        json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "limit": {"type": "integer", "description": "how many"},
                "X-Trace": {},
                "name": {"type": "string"},
                "friend": {"$ref": "#/$defs/Pet"},
            },
            "required": ["id", "X-Trace", "name"],
            "$defs": {"Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "friend": {"$ref": "#/$defs/Pet"}}}},
        })
    );
    assert_eq!(reasons(&api, Severity::RefusedByAws), Vec::<&str>::new());
    let notes = reasons(&api, Severity::Note);
    assert!(
        notes.iter().any(|note| note.contains("`api_key`") && note.contains("security scheme")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|note| note.contains("`Authorization`")), "{notes:?}");
    let stored = serde_json::to_string(tool).unwrap();
    assert_eq!(&serde_json::from_str::<Operation>(&stored).unwrap(), tool);
}

#[test]
fn names_that_clash_get_their_place() {
    let api = imported(&json!({"/pets/{name}": {"post": {
        "operationId": "x",
        "parameters": [{"name": "name", "in": "path", "required": true}, {"name": "tag", "in": "query"}, {"name": "tag", "in": "cookie"}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
    }}}));
    let properties = api.operations[0].input_schema["properties"].as_object().unwrap();
    let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["friend", "name", "name__path", "tag", "tag__cookie"]);
    // The body is optional, and so are its members.
    assert_eq!(api.operations[0].input_schema["required"], json!(["name__path"]));
}

#[test]
fn tools_are_named_by_operation_id_or_by_rule() {
    let api = imported(&json!({
        "/a/{b}": {"get": {}, "post": {"operationId": "do it"}},
        "/a/b": {"get": {}, "post": {"operationId": "do_it"}},
    }));
    let names: Vec<&str> = api.operations.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["get_a_b", "do_it", "get_a_b_2", "do_it_2"]);
    let twice = refusal(&json!({"/a": {"get": {"operationId": "x"}}, "/b": {"put": {"operationId": "x"}}}));
    assert_eq!(
        twice,
        "the operations `GET /a` and `PUT /b` are both named `x`: give each an operationId of its own"
    );
}

#[test]
fn all_of_is_merged_and_other_bodies_are_whole() {
    let body = |schema: Value| {
        let api = imported(&json!({"/a": {"post": {"operationId": "x", "requestBody": {"required": true,
            "content": {"application/json": {"schema": schema}}}}}}));
        let schema = api.operations[0].input_schema.clone();
        (schema["properties"].clone(), schema.get("required").cloned().unwrap_or_default())
    };
    assert_eq!(
        body(
            json!({"allOf": [{"type": "object", "properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b", "c"]}]})
        ),
        (json!({"a": {}, "b": {}, "c": {}}), json!(["a", "b", "c"]))
    );
    let either =
        json!({"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
    assert_eq!(body(either), (json!({"a": {}, "b": {}}), Value::Null));
    for whole in [json!({"type": "array", "items": {"type": "string"}}), json!({"type": "object"})] {
        assert_eq!(body(whole.clone()), (json!({"body": whole}), json!(["body"])));
    }
    let (properties, required) =
        body(json!({"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Pet"}]}));
    assert_eq!(properties, json!({"body": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/Pet"}]}}));
    assert_eq!(required, json!(["body"]));
}

#[test]
fn what_cannot_be_served_is_refused_with_operation_and_reason_or_skipped() {
    for (operation, why) in [
        (
            json!({"parameters": [{"name": "a", "in": "query", "schema": {"$ref": "https://x/y"}}]}),
            "outside the document",
        ),
        (json!({"parameters": [{"name": "a", "in": "body"}]}), "no place for one"),
        (json!({"parameters": [{"in": "query", "required": true}]}), "without a name"),
        (
            json!({"parameters": [{"name": "a", "in": "query", "style": "matrix"}]}),
            "style that query parameters cannot have",
        ),
        (json!({"parameters": [{"name": "a", "in": "query", "style": "fancy"}]}), "unknown style"),
        (json!({"servers": [{"url": "/relative"}]}), "not absolute"),
        (
            json!({"requestBody": {"content": {"multipart/form-data": {"schema": {"type": "string"}}}}}),
            "form body is no object",
        ),
    ] {
        let mut operation = operation;
        operation["operationId"] = json!("bad");
        let paths = json!({"/bad": {"get": operation}, "/good": {"get": {"operationId": "good"}}});
        let said = refusal(&paths);
        assert!(said.contains("`GET /bad`") && said.contains(why), "{said}");
        let options = Options { strictness: Strictness::Skip, ..Options::default() };
        let api = import(&document(&paths).to_string(), &options).unwrap();
        assert_eq!(api.operations.len(), 1);
        assert!(reasons(&api, Severity::RefusedHere)[0].contains(why));
    }
}

#[test]
fn bounds_hold() {
    let paths: Map<String, Value> = (0..20)
        .map(|number| (format!("/p{number}"), json!({"get": {"description": "x".repeat(99)}})))
        .collect();
    let text = document(&Value::Object(paths)).to_string();
    let with = |options: Options| import(&text, &options).unwrap_err();
    assert!(matches!(
        with(Options { max_operations: 19, ..Options::default() }),
        ImportError::TooManyOperations { count: 20, limit: 19 }
    ));
    assert!(matches!(
        with(Options { max_total_schema_bytes: 99, ..Options::default() }),
        ImportError::SchemasTooLarge { .. }
    ));
    assert!(matches!(
        with(Options { max_schema_bytes: 9, ..Options::default() }),
        ImportError::Operation { .. }
    ));
    assert!(matches!(
        with(Options { max_document_bytes: 9, ..Options::default() }),
        ImportError::TooLarge { .. }
    ));
    assert!(refusal(&json!({})).contains("no operations"));
}

#[test]
fn what_aws_would_refuse_is_said() {
    let api = imported(&json!({"/a": {"post": {
        "servers": [{"url": "http://{host}:1", "variables": {"host": {"default": "127.0.0.1"}}}],
        "parameters": [{"name": "f", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
            {"name": "filter[name]", "in": "query", "schema": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}],
        "requestBody": {"content": {"text/csv": {}}},
        "callbacks": {"done": {}},
        "responses": {"200": {"links": {"next": {}}, "content": {"image/png": {}}}},
    }}}));
    let said = reasons(&api, Severity::RefusedByAws).join("\n");
    for word in [
        "variables",
        "public internet",
        "operationId",
        "anyOf",
        "serialization",
        "text/csv",
        "callbacks",
        "links",
        "image/png",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(reasons(&api, Severity::Note).join("\n").contains("filter[name]"));
    let long = "x".repeat(70);
    let options = Options { target: Some("pets".to_owned()), ..Options::default() };
    let text = document(&json!({"/a": {"get": {"operationId": long}}})).to_string();
    let api = import(&text, &options).unwrap();
    assert!(reasons(&api, Severity::Note)[0].contains("is a short alias"));
}

#[test]
fn an_api_gateway_export_with_filters_and_overrides() {
    let export = json!({
        "openapi": "3.0.1", "info": {"title": "shop", "version": "2026-01-01T00:00:00Z"},
        "servers": [{"url": "https://abc.execute-api.eu-west-1.amazonaws.com/{basePath}", "variables": {"basePath": {"default": "prod"}}}],
        "paths": {
            "/pets": {"get": {"x-amazon-apigateway-integration": {"type": "http"}}, "options": {}},
            "/pets/{petId}": {"get": {"operationId": "GetPet", "parameters": [{"name": "petId", "in": "path", "required": true, "schema": {"type": "string"}}]}},
            "/files/{proxy+}": {"x-amazon-apigateway-any-method": {}, "get": {"operationId": "proxy"}},
        },
    });
    let filter = |path: &str| Filter { path: path.to_owned(), methods: vec!["GET".to_owned()] };
    let options = Options {
        filters: vec![filter("/*")],
        overrides: vec![Override {
            path: "/pets".to_owned(),
            method: "GET".to_owned(),
            name: "listPets".to_owned(),
            description: Some("All pets".to_owned()),
        }],
        ..Options::default()
    };
    let api = import(&export.to_string(), &options).unwrap();
    let tools: Vec<_> =
        api.operations.iter().map(|tool| (tool.name.as_str(), tool.description.as_str())).collect();
    assert_eq!(tools, [("listPets", "All pets"), ("GetPet", "")]);
    assert_eq!(api.operations[0].server(), "https://abc.execute-api.eu-west-1.amazonaws.com/prod");
    assert!(reasons(&api, Severity::RefusedHere)[0].contains("proxy resources"));
    let nothing = Options { filters: vec![filter("/toys/*")], ..Options::default() };
    assert!(import(&export.to_string(), &nothing).unwrap_err().to_string().contains("fits no operation"));
}

#[test]
fn output_schemas_are_an_option() {
    let paths = json!({"/a": {"get": {"operationId": "x", "responses": {
        "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}}}});
    assert_eq!(imported(&paths).operations[0].output_schema, None);
    let options = Options { output_schemas: OutputSchemas::UpTo(10_000), ..Options::default() };
    let api = import(&document(&paths).to_string(), &options).unwrap();
    let schema = api.operations[0].output_schema.as_ref().unwrap();
    assert_eq!(schema["required"], json!(["name", "id"]));
    assert_eq!(schema["properties"]["friend"], json!({"$ref": "#/$defs/Pet"}));
}

#[test]
fn paths_of_converted_documents_are_understood() {
    let api = imported(&json!({
        "/#Action=Do": {"post": {"operationId": "a"}},
        "/x?mode=a b": {"get": {"operationId": "b", "parameters": [{"name": "q", "in": "query", "required": true}]}},
        "/y?key={key}": {"get": {"operationId": "d", "parameters": [{"name": "q", "in": "query"}]}},
        "/un{declared}": {"get": {"operationId": "c"}},
    }));
    let call = |index: usize, arguments: Value| {
        api.operations[index].request(arguments.as_object().unwrap()).unwrap().uri().to_string()
    };
    assert_eq!(call(0, json!({})), "https://pets.example/v1/");
    assert_eq!(call(1, json!({"declared": "x"})), "https://pets.example/v1/unx");
    assert_eq!(call(2, json!({"q": "1"})), "https://pets.example/v1/x?mode=a%20b&q=1");
    assert_eq!(call(3, json!({"key": "a&b=/c", "q": 1})), "https://pets.example/v1/y?key=a%26b%3D%2Fc&q=1");
    assert!(refusal(&json!({"/a/../b": {"get": {}}})).contains("segment of dots"));
    assert!(refusal(&json!({"/a{b": {"get": {}}})).contains("does not close"));
}

#[test]
fn documents_that_are_small_and_endless_are_bounded() {
    // Each schema is made of the next one ten times over.
    let schemas: Map<String, Value> = (0..30)
        .map(|level| {
            let next = json!({"$ref": format!("#/components/schemas/s{}", level + 1)});
            (format!("s{level}"), json!({"allOf": vec![next; 10]}))
        })
        .chain([("s30".to_owned(), json!({"type": "object", "properties": {"a": {}}}))])
        .collect();
    let operation = json!({"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/s14"}}}}}});
    let paths: Map<String, Value> =
        (0..50).map(|number| (format!("/p{number}"), operation.clone())).collect();
    let mut text = document(&Value::Object(paths));
    text["components"]["schemas"] = Value::Object(schemas);
    let options = Options { strictness: Strictness::Skip, ..Options::default() };
    let api = import(&text.to_string(), &options).unwrap();
    assert!(api.operations.is_empty());
    assert!(reasons(&api, Severity::RefusedHere)[0].contains("more than 1000 schemas"));
}

#[test]
fn what_operations_share_is_not_copied_without_end() {
    let long = "x".repeat(3_000);
    let many = |operation: &dyn Fn(usize) -> Value| {
        let paths =
            (0..500).map(|number| (format!("/p{number}"), json!({"post": operation(number)}))).collect();
        document(&Value::Object(paths))
    };
    let of = |document: &Value| {
        let options =
            Options { strictness: Strictness::Skip, max_total_schema_bytes: 1_000_000, ..Options::default() };
        import(&document.to_string(), &options)
    };
    // A server that all have.
    let mut shared = many(&|_| json!({}));
    shared["servers"] = json!([{"url": format!("https://x/{}", "x".repeat(2_030))}]);
    assert!(matches!(of(&shared), Err(ImportError::SchemasTooLarge { .. })));
    shared["servers"] = json!([{"url": format!("https://x/{long}")}]);
    let api = of(&shared).unwrap();
    assert!(api.operations.is_empty() && api.findings.iter().all(|one| one.reason.len() < 200));
    // Parameters, bodies and answers that all refer to.
    for (part, what) in [
        (
            json!({"parameters": [{"$ref": "#/components/parameters/L"}]}),
            json!({"parameters": {"L": {"name": long, "in": "query"}}}),
        ),
        (
            json!({"requestBody": {"$ref": "#/components/requestBodies/B"}}),
            json!({"requestBodies": {"B": {"content": {format!("text/{long}"): {}}}}}),
        ),
        (
            json!({"requestBody": {"$ref": "#/components/requestBodies/B"}}),
            json!({"requestBodies": {"B": {"content": {"application/xml": {"schema": {"xml": {"name": long}}}}}}}),
        ),
        (
            json!({"requestBody": {"$ref": "#/components/requestBodies/B"}}),
            json!({"requestBodies": {"B": {"content": {"application/json": {"schema": {"required": [long], "properties": {"a": {}}}}}}}}),
        ),
    ] {
        let mut shared = many(&|_| part.clone());
        shared["components"] = what;
        let api = of(&shared).unwrap();
        assert!(api.operations.is_empty(), "{part}");
        assert!(api.findings.iter().all(|one| one.reason.len() < 300), "{part}");
    }
    let mut shared = many(&|_| json!({"responses": {"200": {"$ref": "#/components/responses/R"}}}));
    shared["components"] = json!({"responses": {"R": {"content": {format!("text/{long}"): {}}}}});
    let api = of(&shared).unwrap();
    assert_eq!(api.operations.len(), 500);
    assert!(api.findings.iter().all(|one| one.reason.len() < 300));
    assert!(api.operations.iter().all(|one| one.plan.accept == "application/json, */*;q=0.8"));
    // A path that every finding of its operations names.
    let api = of(&document(&json!({format!("/{long}"): {"get": {}}, "/a": {"get": {}}}))).unwrap();
    assert_eq!(api.operations.len(), 1);
    assert!(reasons(&api, Severity::RefusedHere)[0].contains("longer than 2048 bytes"));
}
