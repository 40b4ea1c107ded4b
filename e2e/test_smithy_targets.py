"""Smithy targets: services of this very installation, called over AWS's wire protocols and signed with the gateway's
role, whose permissions decide. The object store speaks restXml, Lambda restJson1, and KMS, which is not here, would
speak awsJson."""

import base64
import json

import pytest

from outbound import with_credential
from portcullis import REGION
from scenery import GATEWAY_TRUST, Scenery, allow, name
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


def model(endpoint: str, service: str, protocol: str, shapes: dict, **traits) -> dict:
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
        "shapes": {"test#Service": described, **named},
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


@pytest.fixture(scope="module")
def make(server) -> Scenery:
    return Scenery(server)


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
    session = f"gateway-{gateway.id}"
    seen = [event for event in make.events(400) if session in json.dumps(event["actor"])]
    assert seen, "the trail says in whose name the objects were written"


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
