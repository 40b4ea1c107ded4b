"""Smithy targets: services of this very installation, called over AWS's wire protocols and signed with the gateway's
role, whose permissions decide. The object store speaks restXml, Lambda restJson1, Cognito awsJson1_1; a service of the
tests speaks both versions of awsJson, and writes down what it is sent."""

import base64
import json
from datetime import datetime

import botocore.loaders
import pytest

import echo_service
from outbound import assert_silent, signature_of, with_credential
from portcullis import REGION
from scenery import GATEWAY_TRUST, allow, name
from wire import Wire

STRING = {"target": "smithy.api#String"}


def bound(target: str = "smithy.api#String", **traits) -> dict:
    """A member with traits: label=True, query="max-keys", header="ETag", payload=True."""
    written = {}
    for trait, value in traits.items():
        shape = {"label": "httpLabel", "query": "httpQuery", "header": "httpHeader", "payload": "httpPayload"}.get(trait)
        written[f"smithy.api#{shape or trait}"] = {} if value is True else value
    if traits.get("label"):
        written["smithy.api#required"] = {}
    return {"target": target, "traits": written}


def structure(**members) -> dict:
    return {"type": "structure", "members": members}


def operation(method: str, uri: str, given: str | None, gives: str | None, code: int = 200) -> dict:
    made = {"type": "operation", "traits": {"smithy.api#http": {"method": method, "uri": uri, "code": code}}}
    made |= {"input": {"target": f"test#{given}"}} if given else {}
    return made | ({"output": {"target": f"test#{gives}"}} if gives else {})


def model(endpoint: str, service: str, protocol: str, shapes: dict, called: str = "Service", **traits) -> dict:
    operations = [{"target": f"test#{name}"} for name, shape in shapes.items() if shape["type"] == "operation"]
    described = {
        "type": "service",
        "version": "2026-01-01",
        "operations": operations,
        "traits": {f"aws.protocols#{protocol}": {}, "aws.auth#sigv4": {"name": service}, **traits},
    }
    named = {f"test#{name}": shape for name, shape in shapes.items()}
    return {
        "smithy": "2.0",
        "metadata": {"portcullis.endpoint": endpoint},
        "shapes": {f"test#{called}": described, **named},
    }


def object_store(endpoint: str) -> dict:
    """S3, as far as this test calls it, as AWS's own model has it."""
    shapes = {
        "ListBuckets": operation("GET", "/", None, "ListBucketsOutput"),
        "ListBucketsOutput": structure(Buckets={"target": "test#Buckets"}),
        "Buckets": {"type": "list", "member": {"target": "test#Bucket", "traits": {"smithy.api#xmlName": "Bucket"}}},
        "Bucket": structure(Name=STRING, CreationDate={"target": "smithy.api#Timestamp"}),
        "PutObject": operation("PUT", "/{Bucket}/{Key+}", "PutObjectInput", "PutObjectOutput"),
        "PutObjectInput": structure(
            Bucket=bound(label=True),
            Key=bound(label=True),
            ContentType=bound(header="Content-Type"),
            Body=bound("smithy.api#Blob", payload=True),
        ),
        "PutObjectOutput": structure(ETag=bound(header="ETag")),
        "GetObject": operation("GET", "/{Bucket}/{Key+}", "GetObjectInput", "GetObjectOutput"),
        "GetObjectInput": structure(Bucket=bound(label=True), Key=bound(label=True)),
        "GetObjectOutput": structure(
            ContentType=bound(header="Content-Type"), Body=bound("smithy.api#Blob", payload=True)
        ),
        "ListObjectsV2": operation("GET", "/{Bucket}?list-type=2", "ListObjectsV2Input", "ListObjectsV2Output"),
        "ListObjectsV2Input": structure(
            Bucket=bound(label=True), Prefix=bound(query="prefix"), MaxKeys=bound("smithy.api#Integer", query="max-keys")
        ),
        "ListObjectsV2Output": structure(
            KeyCount={"target": "smithy.api#Integer"},
            Contents={"target": "test#Objects", "traits": {"smithy.api#xmlFlattened": {}}},
        ),
        "Objects": {"type": "list", "member": {"target": "test#Object"}},
        "Object": structure(Key=STRING, Size={"target": "smithy.api#Long"}, ETag=STRING),
        "DeleteObject": operation("DELETE", "/{Bucket}/{Key+}", "GetObjectInput", None, 204),
    }
    return model(endpoint, "s3", "restXml", shapes)


def functions(endpoint: str) -> dict:
    """Lambda, likewise."""
    shapes = {
        "ListFunctions": operation("GET", "/2015-03-31/functions", "ListFunctionsInput", "ListFunctionsOutput"),
        "ListFunctionsInput": structure(
            MaxItems=bound("smithy.api#Integer", query="MaxItems"), Marker=bound("smithy.api#String", query="Marker")
        ),
        "ListFunctionsOutput": structure(Functions={"target": "test#Functions"}, NextMarker=STRING),
        "Functions": {"type": "list", "member": {"target": "test#Function"}},
        "Function": structure(FunctionName=STRING, Runtime=STRING, MemorySize={"target": "smithy.api#Integer"}),
    }
    return model(endpoint, "lambda", "restJson1", shapes)


def things(endpoint: str, protocol: str) -> dict:
    """The service `Things`, with a signing name that is not its own."""
    post = lambda given, gives, *errors: {
        "type": "operation",
        "input": {"target": f"test#{given}"},
        "output": {"target": f"test#{gives}"},
        "errors": [{"target": f"test#{error}"} for error in errors],
    }
    error = {"smithy.api#error": "client", "smithy.api#httpError": 404}
    shapes = {
        "PutThing": post("Thing", "PutThingOutput"),
        "GetThing": post("GetThingInput", "GetThingOutput", "ThingNotFound"),
        "Thing": structure(
            Name=bound(required=True),
            Level={"target": "smithy.api#Integer"},
            Bytes={"target": "smithy.api#Blob"},
            When={"target": "smithy.api#Timestamp"},
            Labels={"target": "test#Labels"},
        ),
        "Labels": {"type": "map", "key": STRING, "value": STRING},
        "PutThingOutput": structure(Count={"target": "smithy.api#Integer"}),
        "GetThingInput": structure(Name=bound(required=True)),
        "GetThingOutput": structure(Thing={"target": "test#Thing"}),
        "ThingNotFound": structure(message=STRING, Nearest=STRING) | {"traits": error},
    }
    return model(endpoint, "warehouse", protocol, shapes, called="Things")


class Things(echo_service.Echo):
    """Keeps things, in awsJson, and says more than its model has."""

    def do_POST(self):
        given = json.loads(base64.b64decode(self.written_down()["body"]))
        called, kept = given["Name"], self.server.__dict__.setdefault("kept", {})
        if self.headers["X-Amz-Target"] == "Things.PutThing":
            if called in kept:
                return self.say(400, {"__type": "com.example#ThingExists:http://example.com/", "Message": "It is there."})
            kept[called] = given
            return self.say(200, {"Count": len(kept), "Shelf": "not in the model"})
        if called not in kept:
            return self.say(404, {"__type": "com.example#ThingNotFound", "message": f"No {called}.", "Nearest": "lamp"})
        return self.say(200, {"Thing": kept[called] | {"Level": None}})

    def say(self, status: int, what: dict):
        self.answer(status, json.dumps(what).encode(), kind=self.headers["Content-Type"])


def of_botocore(endpoint: str, service: str) -> dict:
    """A whole service that speaks awsJson, as botocore's own model has it, in Smithy's words."""
    described = botocore.loaders.Loader().load_service_model(service, "service-2")
    to = lambda reference: {"target": f"test#{reference['shape']}"}

    def translated(shape: dict) -> dict:
        made = {"type": shape["type"]} | {part: to(shape[part]) for part in ("member", "key", "value") if part in shape}
        if shape["type"] == "structure":
            required = {name: {"traits": {"smithy.api#required": {}}} for name in shape.get("required", [])}
            made["members"] = {name: to(member) | required.get(name, {}) for name, member in shape["members"].items()}
        return made | ({"traits": {"smithy.api#error": "client"}} if shape.get("exception") else {})

    def called(operation: dict) -> dict:
        parts = {part: to(operation[part]) for part in ("input", "output") if part in operation}
        return {"type": "operation", "errors": [to(error) for error in operation.get("errors", [])], **parts}

    shapes = {name: translated(shape) for name, shape in described["shapes"].items()}
    shapes |= {name: called(operation) for name, operation in described["operations"].items()}
    about = described["metadata"]
    protocol = "awsJson" + about["jsonVersion"].replace(".", "_")
    return model(endpoint, about["endpointPrefix"], protocol, shapes, called=about["targetPrefix"])


def smithy(document: dict) -> dict:
    return {"smithyModel": {"inlinePayload": json.dumps(document)}}


ROLE = {"credentialProviderType": "GATEWAY_IAM_ROLE"}


def opened(gateway) -> Wire:
    wire = Wire(gateway.url)
    wire.initialize()
    return wire


def test_the_object_store_is_called_in_the_name_of_the_role(server, make):
    s3, bucket = server.client("s3"), name("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    role = make.role(
        GATEWAY_TRUST,
        allow("s3:ListAllMyBuckets", "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    )
    gateway = make.gateway(roleArn=role)
    target = with_credential(gateway, "Store", smithy(object_store(server.endpoint)), ROLE)
    assert target["status"] == "READY", target
    wire = opened(gateway)
    names = {tool["name"] for tool in wire.tools()}
    assert names == {f"Store___{it}" for it in ("ListBuckets", "PutObject", "GetObject", "ListObjectsV2", "DeleteObject")}

    key, body = "a folder/with ü+&=.txt", b"\x00what the agent wrote"
    put = wire.tool(
        "Store___PutObject", Bucket=bucket, Key=key, ContentType="text/x-agent", Body=base64.b64encode(body).decode()
    )["result"]
    assert not put["isError"], put
    stored = s3.get_object(Bucket=bucket, Key=key)
    assert (stored["Body"].read(), stored["ContentType"]) == (body, "text/x-agent")
    assert put["structuredContent"]["ETag"] == stored["ETag"]

    got = wire.tool("Store___GetObject", Bucket=bucket, Key=key)["result"]["structuredContent"]
    assert (base64.b64decode(got["Body"]), got["ContentType"]) == (body, "text/x-agent")
    listed = wire.tool("Store___ListObjectsV2", Bucket=bucket, Prefix="a folder/")["result"]["structuredContent"]
    assert listed["KeyCount"] == 1 and listed["Contents"][0]["Key"] == key and listed["Contents"][0]["Size"] == len(body)
    buckets = wire.tool("Store___ListBuckets")["result"]["structuredContent"]["Buckets"]
    assert bucket in {it["Name"] for it in buckets}
    gone = wire.tool("Store___DeleteObject", Bucket=bucket, Key=key)["result"]
    assert not gone["isError"]
    missing = wire.tool("Store___GetObject", Bucket=bucket, Key=key)["result"]
    assert missing["isError"] and "NoSuchKey" in missing["content"][0]["text"]
    # The trail says in whose name the objects were written.
    make.audited(lambda event: f"gateway-{gateway.id}" in json.dumps(event["actor"]))


def test_the_roles_policies_decide_and_a_withdrawn_permission_is_gone(server, make):
    s3, bucket = server.client("s3"), name("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    role_name = name("role")
    reads = allow("s3:GetObject", resource=f"arn:aws:s3:::{bucket}/*")
    gateway = make.gateway(roleArn=make.role(GATEWAY_TRUST, reads, role_name))
    with_credential(gateway, "Store", smithy(object_store(server.endpoint)), ROLE)
    wire = opened(gateway)
    assert not wire.tool("Store___GetObject", Bucket=bucket, Key="k")["result"]["isError"]
    denied = wire.tool("Store___PutObject", Bucket=bucket, Key="k", Body="Mg==")["result"]
    assert denied["isError"] and "AccessDenied" in denied["content"][0]["text"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    server.client("iam").delete_role_policy(RoleName=role_name, PolicyName="inline")
    denied = wire.tool("Store___GetObject", Bucket=bucket, Key="k")["result"]
    assert denied["isError"] and "AccessDenied" in denied["content"][0]["text"]


def test_a_role_that_does_not_trust_the_gateway_signs_nothing(server, make):
    role_name = name("role")
    role = make.role(GATEWAY_TRUST, allow("s3:*"), role_name)
    gateway = make.gateway(roleArn=role, exceptionLevel="DEBUG")
    with_credential(gateway, "Store", smithy(object_store(server.endpoint)), ROLE)
    nobody = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    server.client("iam").update_assume_role_policy(RoleName=role_name, PolicyDocument=json.dumps(nobody))
    answer = opened(gateway).tool("Store___ListBuckets")["result"]
    assert answer["isError"] and "[leg credential]" in answer["content"][0]["text"]


def test_lambda_speaks_rest_json(server, make):
    function = make.function().rsplit(":", 1)[1]
    gateway = make.gateway(roleArn=make.role(GATEWAY_TRUST, allow("lambda:ListFunctions")))
    with_credential(gateway, "Code", smithy(functions(server.endpoint)), ROLE)
    session, found, marker = opened(gateway), set(), {}
    while True:
        answer = session.tool("Code___ListFunctions", MaxItems=50, **marker)["result"]
        assert not answer["isError"], answer
        found |= {it["FunctionName"] for it in answer["structuredContent"]["Functions"]}
        if not answer["structuredContent"].get("NextMarker"):
            break
        marker = {"Marker": answer["structuredContent"]["NextMarker"]}
    assert function in found


@pytest.fixture
def service():
    running = echo_service.Service(Things)
    yield running
    running.end()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_aws_json_has_the_operation_in_a_header_and_everything_else_in_the_body(make, service, version):
    gateway = make.gateway(roleArn=make.role(GATEWAY_TRUST))
    document = things(service.url, "awsJson" + version.replace(".", "_"))
    assert with_credential(gateway, "Shop", smithy(document), ROLE)["status"] == "READY"
    wire = opened(gateway)
    tools = {tool["name"]: tool["inputSchema"] for tool in wire.tools()}
    assert set(tools) == {"Shop___PutThing", "Shop___GetThing"}
    assert tools["Shop___PutThing"]["required"] == ["Name"]

    thing = {"Name": "lamp ü", "Level": 3, "Bytes": "AP8=", "When": "2026-01-31T12:00:00Z", "Labels": {"a b": "c"}}
    put = wire.tool("Shop___PutThing", **thing)
    assert put["result"]["structuredContent"] == {"Count": 1} and not put["result"]["isError"], put
    [seen] = service.seen
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/", "")
    assert seen["headers"]["x-amz-target"] == "Things.PutThing"
    assert seen["headers"]["content-type"] == f"application/x-amz-json-{version}"
    assert json.loads(base64.b64decode(seen["body"])) == thing | {"When": 1769860800}

    signed = signature_of(seen)
    assert (signed["region"], signed["service"], signed["key"][:4]) == (REGION, "warehouse", "ASIA")
    assert signed["headers"] >= {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"}
    assert_silent("the answer", json.dumps(put), seen["headers"]["x-amz-security-token"])

    got = wire.tool("Shop___GetThing", Name="lamp ü")["result"]["structuredContent"]
    del thing["Level"]
    assert got == {"Thing": thing}, "moments are read back, and a null is no value"


@pytest.mark.parametrize("protocol", ["awsJson1_0", "awsJson1_1"])
def test_an_error_of_aws_json_is_named(make, service, protocol):
    gateway = make.gateway(roleArn=make.role(GATEWAY_TRUST))
    with_credential(gateway, "Shop", smithy(things(service.url, protocol)), ROLE)
    wire = opened(gateway)

    def failed(tool: str, **arguments) -> dict:
        result = wire.tool(f"Shop___{tool}", **arguments)["result"]
        assert result["isError"] and "structuredContent" not in result, result
        return json.loads(result["content"][0]["text"])

    missing = failed("GetThing", Name="chair")
    assert missing == {"code": "ThingNotFound", "message": "No chair.", "status": 404, "Nearest": "lamp"}
    assert not wire.tool("Shop___PutThing", Name="lamp")["result"]["isError"]
    twice = failed("PutThing", Name="lamp")
    assert twice == {"code": "ThingExists", "message": "It is there.", "status": 400}, "an error that the model has not"

    asked = len(service.seen)
    for arguments, named in [({}, "Name"), ({"Name": "x", "Level": "high"}, "Level"), ({"Name": "x", "Shelf": 1}, "Shelf")]:
        refused = wire.tool("Shop___PutThing", **arguments)["result"]
        assert refused["isError"] and named in refused["content"][0]["text"], refused
    assert len(service.seen) == asked, "what is refused goes nowhere"


def test_cognito_is_called_by_the_model_that_botocore_has_of_it(server, make):
    role_name = name("role")
    role = make.role(GATEWAY_TRUST, allow("cognito-idp:*"), role_name)
    gateway = make.gateway(roleArn=role)
    target = with_credential(gateway, "Users", smithy(of_botocore(server.endpoint, "cognito-idp")), ROLE)
    assert target["status"] == "READY", target
    wire = opened(gateway)
    cognito = server.client("cognito-idp")
    names = {tool["name"] for tool in wire.tools()}
    assert names == {f"Users___{it}" for it in cognito.meta.service_model.operation_names}

    called = name("pool")
    made = wire.tool("Users___CreateUserPool", PoolName=called)["result"]
    assert not made["isError"], made
    pool = made["structuredContent"]["UserPool"]
    stored = cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]
    assert (stored["Name"], stored["Arn"]) == (called, pool["Arn"])
    assert datetime.fromisoformat(pool["CreationDate"]) == stored["CreationDate"], "a moment, and no number"
    made_it = lambda event: event["action"] == "cognito-idp:CreateUserPool" and pool["Arn"] == event.get("resource")
    [event] = make.audited(made_it)
    assert event["actor"]["arn"].endswith(f"{role_name}/gateway-{gateway.id}"), event

    missing = wire.tool("Users___DescribeUserPool", UserPoolId=f"{REGION}_nobody")["result"]
    assert missing["isError"] and "ResourceNotFoundException" in missing["content"][0]["text"]
    server.client("iam").delete_role_policy(RoleName=role_name, PolicyName="inline")
    denied = wire.tool("Users___DeleteUserPool", UserPoolId=pool["Id"])["result"]
    assert denied["isError"] and "AccessDeniedException" in denied["content"][0]["text"]
    assert cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]["Name"] == called
