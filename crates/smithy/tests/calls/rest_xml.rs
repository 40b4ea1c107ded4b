//! restXml, as S3 has it: buckets and keys in the path, documents in XML with a namespace.

use serde_json::json;
use smithy::Api;

use super::{answer, api, member, output, request, try_request};

fn model() -> Api {
    let part = |target: &str| json!({"target": target});
    let call = |name: &str, method: &str, uri: &str| {
        json!({"type": "operation", "input": part(&format!("{name}Input")), "output": part(&format!("{name}Output")),
            "traits": {"smithy.api#http": {"method": method, "uri": uri}}, "errors": [part("NoSuchKey")]})
    };
    let label = || member("String", &[("httpLabel", json!({})), ("required", json!({}))]);
    let header = |target: &str, name: &str| member(target, &[("httpHeader", json!(name))]);
    let named = |target: &str, name: &str| member(target, &[("xmlName", json!(name))]);
    let flat =
        |target: &str, name: &str| member(target, &[("xmlFlattened", json!({})), ("xmlName", json!(name))]);
    let mut location = call("Location", "GET", "/{Bucket}?location");
    location["traits"]["aws.customizations#s3UnwrappedXmlOutput"] = json!({});
    let mut delete = call("Delete", "POST", "/{Bucket}?delete");
    delete["traits"]["aws.protocols#httpChecksum"] =
        json!({"requestAlgorithmMember": "Algorithm", "requestChecksumRequired": true});
    api(
        json!({"aws.protocols#restXml": {"noErrorWrapping": true}, "smithy.api#xmlNamespace": {"uri": "http://s3/"},
            "aws.api#service": {"endpointPrefix": "s3"}, "aws.auth#sigv4": {"name": "s3"}}),
        json!({
            "Put": call("Put", "PUT", "/{Bucket}/{Key+}?x-id=Put"),
            "PutInput": {"type": "structure", "members": {"Bucket": label(), "Key": label(), "Length": header("Long", "Content-Length"),
                "Meta": member("Meta", &[("httpPrefixHeaders", json!("x-amz-meta-"))]), "Body": member("Data", &[("httpPayload", json!({}))])}},
            "PutOutput": {"type": "structure", "members": {"ETag": header("String", "ETag")}},
            "Get": call("Get", "GET", "/{Bucket}/{Key+}"),
            "GetInput": {"type": "structure", "members": {"Bucket": label(), "Key": label()}},
            "GetOutput": {"type": "structure", "members": {"Body": member("Data", &[("httpPayload", json!({}))]),
                "LastModified": header("Timestamp", "Last-Modified"), "Length": header("Long", "Content-Length"),
                "Meta": member("Meta", &[("httpPrefixHeaders", json!("x-amz-meta-"))])}},
            "List": call("List", "GET", "/{Bucket}?list-type=2"),
            "ListInput": {"type": "structure", "members": {"Bucket": label(), "Prefix": member("String", &[("httpQuery", json!("prefix"))])}},
            "ListOutput": {"type": "structure", "traits": {"smithy.api#xmlName": "ListBucketResult"}, "members": {
                "IsTruncated": part("Boolean"), "Contents": flat("Objects", "Contents"), "Charged": header("String", "x-charged")}},
            "Location": location,
            "LocationInput": {"type": "structure", "members": {"Bucket": label()}},
            "LocationOutput": {"type": "structure", "members": {"LocationConstraint": part("String")}},
            "Delete": delete,
            "DeleteInput": {"type": "structure", "members": {"Bucket": label(), "Algorithm": header("String", "x-amz-sdk-checksum-algorithm"),
                "Delete": member("Deletion", &[("httpPayload", json!({})), ("required", json!({})), ("xmlName", json!("Delete"))])}},
            "DeleteOutput": {"type": "structure", "members": {}},
            "Shapes": call("Shapes", "POST", "/shapes"),
            "ShapesInput": part_of_shapes(), "ShapesOutput": part_of_shapes(),
            "Deletion": {"type": "structure", "members": {"Objects": flat("Objects", "Object"), "Quiet": part("Boolean")}},
            "Objects": {"type": "list", "member": part("Object")},
            "Object": {"type": "structure", "members": {"Key": part("String"), "Size": part("Long"), "LastModified": part("Timestamp")}},
            "Grantee": {"type": "structure", "traits": {"smithy.api#xmlNamespace": {"uri": "http://xsi/", "prefix": "xsi"}},
                "members": {"Type": member("String", &[("xmlName", json!("xsi:type")), ("xmlAttribute", json!({}))]), "ID": part("String")}},
            "Choice": {"type": "union", "members": {"One": part("String"), "Many": part("Texts")}},
            "Texts": {"type": "list", "member": part("String")},
            "Items": {"type": "list", "member": named("String", "item")},
            "Meta": {"type": "map", "key": part("String"), "value": part("String")},
            "Odd": {"type": "map", "key": named("String", "Attribute"), "value": named("Integer", "Setting")},
            "Lists": {"type": "list", "member": part("Texts")},
            "Data": {"type": "blob", "traits": {"smithy.api#streaming": {}}},
            "NoSuchKey": {"type": "structure", "members": {"Key": part("String")}, "traits": {"smithy.api#error": "client"}},
        }),
    )
}

fn part_of_shapes() -> serde_json::Value {
    let part = |target: &str| json!({"target": target});
    json!({"type": "structure", "traits": {"smithy.api#xmlName": "Root"}, "members": {
        "Text": part("String"), "Real": part("Double"), "When": part("Timestamp"), "Bytes": part("Blob"),
        "Wrapped": part("Texts"), "Items": part("Items"), "Nested": part("Lists"),
        "Map": part("Meta"), "Flat": member("Odd", &[("xmlFlattened", json!({}))]),
        "Grantee": part("Grantee"), "Choice": part("Choice")}})
}

#[test]
fn requests_are_s3s() {
    let api = model();
    for (name, arguments, expected) in [
        (
            "Put",
            json!({"Bucket": "b", "Key": "a b/c+d//e", "Meta": {"Owner": "me"}, "Body": "aGk="}),
            "PUT /b/a%20b/c%2Bd//e?x-id=Put\ncontent-type: application/octet-stream\nx-amz-meta-owner: me\n\nhi",
        ),
        ("Get", json!({"Bucket": "b/x", "Key": "k"}), "GET /b%2Fx/k\n\n"),
        ("List", json!({"Bucket": "b", "Prefix": "p/"}), "GET /b?list-type=2&prefix=p%2F\n\n"),
        ("Location", json!({"Bucket": "b"}), "GET /b?location=\n\n"),
        (
            "Delete",
            json!({"Bucket": "b", "Delete": {"Objects": [{"Key": "<a>&"}, {"Key": "b"}], "Quiet": true}}),
            "POST /b?delete=\ncontent-md5: Jb9MR7TZmEqbZhjfMGPzjA==\ncontent-type: application/xml\n\n<Delete xmlns=\"http://s3/\"><Object><Key>&lt;a&gt;&amp;</Key></Object><Object><Key>b</Key></Object><Quiet>true</Quiet></Delete>",
        ),
    ] {
        let sent = request(&api, name, arguments);
        if name == "Delete" {
            // The hash is checked against its definition in `rest_json.rs`; here it must only be there.
            assert!(sent.contains("\ncontent-md5: "), "{sent}");
            let rest = |text: &str| {
                text.lines().filter(|line| !line.starts_with("content-md5")).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(rest(&sent), rest(expected));
        } else {
            assert_eq!(sent, expected);
        }
    }
}

#[test]
fn documents_are_written_by_the_models_names() {
    let api = model();
    let body = |arguments| request(&api, "Shapes", arguments).split_once("\n\n").unwrap().1.to_owned();
    let root = |inside: &str| format!("<Root xmlns=\"http://s3/\">{inside}</Root>");
    for (arguments, expected) in [
        (
            json!({"Text": "a\r\n<b> \"q\" \u{85}", "Real": 1.5}),
            "<Real>1.5</Real><Text>a&#13;&#xA;&lt;b&gt; &quot;q&quot; &#x85;</Text>",
        ),
        (
            json!({"When": 1_398_796_238, "Bytes": "dmFsdWU="}),
            "<Bytes>dmFsdWU=</Bytes><When>2014-04-29T18:30:38Z</When>",
        ),
        (
            json!({"Wrapped": ["a", "b"], "Items": ["c"]}),
            "<Items><item>c</item></Items><Wrapped><member>a</member><member>b</member></Wrapped>",
        ),
        (json!({"Wrapped": []}), "<Wrapped></Wrapped>"),
        (
            json!({"Nested": [["a"], ["b"]]}),
            "<Nested><member><member>a</member></member><member><member>b</member></member></Nested>",
        ),
        (json!({"Map": {"k": "v"}}), "<Map><entry><key>k</key><value>v</value></entry></Map>"),
        (
            json!({"Flat": {"a": 1, "b": 2}}),
            "<Flat><Attribute>a</Attribute><Setting>1</Setting></Flat><Flat><Attribute>b</Attribute><Setting>2</Setting></Flat>",
        ),
        (
            json!({"Grantee": {"Type": "a\"b", "ID": "i"}}),
            "<Grantee xmlns:xsi=\"http://xsi/\" xsi:type=\"a&quot;b\"><ID>i</ID></Grantee>",
        ),
        (json!({"Choice": {"Many": ["x"]}}), "<Choice><Many><member>x</member></Many></Choice>"),
    ] {
        assert_eq!(body(arguments), root(expected));
    }
    assert_eq!(request(&api, "Shapes", json!({})), "POST /shapes\n\n");
    for (arguments, fault) in [
        (json!({"Text": "\u{0}"}), "`Text` holds control characters, which XML cannot"),
        (json!({"Choice": {"One": "a", "Many": []}}), "`Choice` must have exactly one member"),
        (json!({"Nested": [["a"], "b"]}), "`Nested[1]` must be an array"),
        (json!({"Flat": {"k": "v"}}), "`Flat.k` must be an integer"),
    ] {
        assert_eq!(try_request(&api, "Shapes", arguments), Err(format!("the argument {fault}")));
    }
    let fault = try_request(&api, "Put", json!({"Bucket": "b", "Key": "k", "Length": 2})).unwrap_err();
    assert_eq!(fault, "the argument `Length` is not one of the operation's");
}

#[test]
fn answers_are_read_by_the_models_names() {
    let api = model();
    assert_eq!(
        output(
            &api,
            "List",
            &[("x-charged", "me")],
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\"><IsTruncated>false</IsTruncated>\
            <Contents><Key>a &amp; b</Key><Size>12</Size><LastModified>2014-04-29T18:30:38.000Z</LastModified></Contents>\
            <Contents><Key>c</Key><Other/></Contents></ListBucketResult>"
        ),
        json!({"IsTruncated": false, "Contents": [{"Key": "a & b", "Size": 12, "LastModified": "2014-04-29T18:30:38Z"}, {"Key": "c"}], "Charged": "me"})
    );
    assert_eq!(
        output(
            &api,
            "Get",
            &[
                ("Last-Modified", "Tue, 29 Apr 2014 18:30:38 GMT"),
                ("Content-Length", "2"),
                ("x-amz-meta-owner", "me")
            ],
            "hi"
        ),
        json!({"Body": "aGk=", "LastModified": "2014-04-29T18:30:38Z", "Length": 2, "Meta": {"owner": "me"}})
    );
    assert_eq!(
        output(&api, "Location", &[], "<LocationConstraint>eu</LocationConstraint>"),
        json!({"LocationConstraint": "eu"})
    );
    assert_eq!(
        output(
            &api,
            "Shapes",
            &[],
            "<Root><Wrapped><member>a</member></Wrapped><Items/><Map><entry><key>k</key><value>v</value></entry></Map>\
            <Flat><Attribute>a</Attribute><Setting>1</Setting></Flat><Grantee xmlns:xsi=\"http://xsi/\" xsi:type=\"T\"><ID>i</ID></Grantee>\
            <Choice><One>x</One></Choice><Real>Infinity</Real></Root>"
        ),
        json!({"Wrapped": ["a"], "Items": [], "Map": {"k": "v"}, "Flat": {"a": 1}, "Grantee": {"Type": "T", "ID": "i"}, "Choice": {"One": "x"}, "Real": "Infinity"})
    );
    let (is_error, content) = answer(&api, "List", 200, &[], "<ListBucketResult>");
    assert!(is_error);
    assert_eq!(content["code"], "UnreadableAnswer");
}

#[test]
fn errors_are_found_wrapped_or_not_and_under_a_200() {
    let api = model();
    let inside = "<Code>NoSuchKey</Code><Message>gone</Message><Key>k</Key><RequestId>r</RequestId>";
    let expected =
        |status: u16| (true, json!({"code": "NoSuchKey", "message": "gone", "status": status, "Key": "k"}));
    assert_eq!(answer(&api, "Get", 404, &[], &format!("<Error>{inside}</Error>")), expected(404));
    let wrapped = format!("<ErrorResponse><Error>{inside}</Error><RequestId>r</RequestId></ErrorResponse>");
    assert_eq!(answer(&api, "Get", 404, &[], &wrapped), expected(404));
    assert_eq!(answer(&api, "List", 200, &[], &format!("<Error>{inside}</Error>")), expected(200));
    assert_eq!(
        answer(&api, "Get", 404, &[], ""),
        (true, json!({"code": "Not Found", "message": "", "status": 404}))
    );
}

#[test]
fn elements_stand_in_the_models_order() {
    // Route 53 and CloudFront refuse documents whose elements are in another one.
    let model = r#"{"smithy":"2.0","shapes":{
        "t#S":{"type":"service","version":"1","operations":[{"target":"t#Op"}],"traits":{"aws.protocols#restXml":{}}},
        "t#Op":{"type":"operation","input":{"target":"t#In"},"traits":{"smithy.api#http":{"method":"POST","uri":"/"}}},
        "t#In":{"type":"structure","mixins":[{"target":"t#Mixin"}],"members":{
            "Z":{"target":"smithy.api#String"},"A":{"target":"smithy.api#String"},"M":{"target":"smithy.api#String"}}},
        "t#Mixin":{"type":"structure","traits":{"smithy.api#mixin":{}},"members":{"Y":{"target":"smithy.api#String"}}},
        "t#In$Y":{"type":"apply","traits":{"smithy.api#xmlName":"Why","smithy.api#required":{}}}}}"#;
    let api = smithy::import(model, &smithy::Options::default()).unwrap();
    let sent = request(&api, "Op", json!({"A": "1", "M": "2", "Y": "3", "Z": "4"}));
    assert!(sent.ends_with("<In><Why>3</Why><Z>4</Z><A>1</A><M>2</M></In>"), "{sent}");
    assert!(try_request(&api, "Op", json!({})).is_err());
    assert_eq!(api.operations[0].input_schema["required"], json!(["Y"]));
}
