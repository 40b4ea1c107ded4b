"""Stages of API Gateway as targets: the export of a stage is an object in the store, filters choose operations of it,
overrides name them, and calls go to a service that writes down what it is sent."""

import base64
import json

import pytest
from botocore.exceptions import ClientError

import echo_service
from outbound import KEY, api_key, assert_silent, signature_of, with_credential
from portcullis import ACCOUNT, REGION
from scenery import GATEWAY_TRUST, allow, name, until
from wire import Wire

EXPORTS = f"portcullis-apigateway-exports-{ACCOUNT}"
ROLE = {"credentialProviderType": "GATEWAY_IAM_ROLE"}


@pytest.fixture(scope="module")
def exports(server):
    """The bucket of exports; gives what puts one there."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=EXPORTS, CreateBucketConfiguration={"LocationConstraint": REGION})
    return lambda api, document, stage="prod": s3.put_object(
        Bucket=EXPORTS, Key=f"{api}/{stage}.json", Body=json.dumps(document).encode()
    )


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


def export(url: str) -> dict:
    """A stage as `aws apigateway get-export --export-type oas30` writes it: hardly an operation has an id."""
    text = {"type": "string"}
    pet_id = {"name": "petId", "in": "path", "required": True, "schema": text}
    answers = {"responses": {"200": {"description": "200 response", "content": {}}}}
    integration = {"x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "ANY", "uri": url}}
    keyed = {"security": [{"api_key": []}], "parameters": [{"name": "x-api-key", "in": "header", "schema": text}]}
    wants = lambda schema: {"requestBody": {"content": {"application/json": {"schema": {"$ref": schema}}}, "required": True}}
    operation = lambda **more: answers | integration | more
    key = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    iam = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
    pet = {"type": "object", "required": ["name"], "properties": {"name": text, "age": {"type": "integer"}}}
    tags = {"name": "tag", "in": "query", "schema": {"type": "array", "items": text}}
    return {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "2026-01-01T00:00:00Z"},
        "servers": [{"url": f"{url}/{{basePath}}", "variables": {"basePath": {"default": "prod"}}}],
        "paths": {
            "/pets": {
                "get": operation(parameters=[tags]),
                "post": operation(operationId="AddPet", description="Adds one.", **wants("#/components/schemas/Pet")),
                "options": operation(),
            },
            "/pets/{petId}": {
                "get": operation(parameters=[pet_id]),
                "put": operation(parameters=[pet_id], **wants("#/components/schemas/Pet")),
                "delete": operation(parameters=[pet_id]),
            },
            "/keyed": {"get": operation(**keyed)},
            "/both": {"get": operation(security=[{"sigv4": [], "api_key": []}])},
            "/files/{proxy+}": {"x-amazon-apigateway-any-method": operation(), "get": operation()},
        },
        "components": {"schemas": {"Pet": pet}, "securitySchemes": {"api_key": key, "sigv4": iam}},
    }


def stage(api: str, *filters: tuple, stage: str = "prod", overrides=()) -> dict:
    """A configuration; filters are a path and its methods, overrides a method, a path, a name, and a description."""
    chosen = [{"filterPath": path, "methods": list(methods)} for path, *methods in filters]
    names = [
        {"method": method, "path": path, "name": called} | ({"description": said[0]} if said else {})
        for method, path, called, *said in overrides
    ]
    tools = {"toolFilters": chosen} | ({"toolOverrides": names} if names else {})
    return {"apiGateway": {"restApiId": api, "stage": stage, "apiGatewayToolConfiguration": tools}}


def opened(gateway) -> Wire:
    wire = Wire(gateway.url)
    wire.initialize()
    return wire


def refused(client, gateway, configuration: dict, credential: dict | None = None) -> tuple:
    """The error that making a target ends in: its code and its message."""
    request = {"gatewayIdentifier": gateway.id, "name": name("Pets"), "targetConfiguration": {"mcp": configuration}}
    with pytest.raises(ClientError) as caught:
        client.create_gateway_target(**request, **({"credentialProviderConfigurations": [credential]} if credential else {}))
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def api(exports, service) -> str:
    """The id of an API whose stage `prod` has been exported."""
    made = name("api")
    exports(made, export(service.url))
    return made


def test_filters_choose_the_tools_and_overrides_name_them(make, api):
    gateway = make.gateway()
    overrides = [
        ("GET", "/pets", "listPets", "Every pet that there is."),
        ("GET", "/pets/{petId}", "showPet"),
        ("POST", "/pets", "newPet"),
    ]
    configuration = stage(api, ("/pets", "GET", "POST"), ("/pets/*", "GET", "DELETE"), overrides=overrides)
    target = with_credential(gateway, "Pets", configuration)
    assert target["status"] == "READY" and target["targetConfiguration"] == {"mcp": configuration}
    tools = {tool["name"]: tool for tool in opened(gateway).tools()}
    assert set(tools) == {"Pets___listPets", "Pets___showPet", "Pets___newPet", "Pets___delete_pets_petId"}
    assert tools["Pets___listPets"]["description"] == "Every pet that there is."
    assert tools["Pets___newPet"]["description"] == "Adds one.", "what is not overridden stays"
    assert tools["Pets___newPet"]["inputSchema"]["required"] == ["name"]
    assert tools["Pets___showPet"]["inputSchema"]["required"] == ["petId"]
    summary = gateway.control.list_gateway_targets(gatewayIdentifier=gateway.id)["items"][0]
    assert summary["targetType"] == "API_GATEWAY"


def test_what_cannot_be_a_tool_is_none(make, api):
    """Proxy resources, and methods that want a signature and a key at once."""
    gateway = make.gateway()
    with_credential(gateway, "Pets", stage(api, ("/*", "GET")))
    names = {tool["name"] for tool in opened(gateway).tools()}
    assert names == {"Pets___get_pets", "Pets___get_pets_petId", "Pets___get_keyed"}


def test_a_call_goes_to_the_stage(make, api, service):
    gateway = make.gateway()
    with_credential(gateway, "Pets", stage(api, ("/pets*", "GET", "PUT")))
    wire = opened(gateway)
    answer = wire.tool("Pets___get_pets", tag=["a b", "c&d"])["result"]
    put = wire.tool("Pets___put_pets_petId", petId="a/7", name="Rex ü", age=3)["result"]
    listed, changed = service.seen
    assert answer["structuredContent"] == listed and put["structuredContent"] == changed
    assert (listed["method"], listed["path"], listed["query"]) == ("GET", "/prod/pets", "tag=a%20b&tag=c%26d")
    assert (changed["method"], changed["path"], changed["query"]) == ("PUT", "/prod/pets/a%2F7", "")
    assert changed["headers"]["content-type"] == "application/json"
    assert json.loads(base64.b64decode(changed["body"])) == {"name": "Rex ü", "age": 3}
    for seen in service.seen:
        assert not {"authorization", "x-api-key"} & set(seen["headers"]), seen
    missing = wire.tool("Pets___put_pets_petId", petId="7")["result"]
    assert missing["isError"] and "name" in missing["content"][0]["text"] and len(service.seen) == 2


def test_a_call_is_signed_for_execute_api(make, api, service):
    gateway = make.gateway(roleArn=make.role(GATEWAY_TRUST))
    with_credential(gateway, "Pets", stage(api, ("/pets", "POST")), ROLE)
    answer = opened(gateway).tool("Pets___AddPet", name="Rex")
    assert not answer["result"]["isError"], answer
    [seen] = service.seen
    signed = signature_of(seen)
    assert (signed["service"], signed["region"], signed["key"][:4]) == ("execute-api", REGION, "ASIA")
    assert signed["headers"] >= {"content-type", "host", "x-amz-date", "x-amz-security-token"}
    assert_silent("the answer", json.dumps(answer), seen["headers"]["x-amz-security-token"])
    known = {"credentialProvider": {"iamCredentialProvider": {"service": "lambda"}}}
    code, message = refused(gateway.control, gateway, stage(api, ("/pets", "POST")), ROLE | known)
    assert code == "ValidationException" and "leave iamCredentialProvider out" in message


def test_an_api_key_goes_where_the_stage_wants_it_and_is_no_argument(server, make, api, service):
    gateway = make.gateway(roleArn=make.vault_role())
    key = api_key(server, credentialLocation="HEADER", credentialParameterName="x-api-key")
    with_credential(gateway, "Pets", stage(api, ("/keyed", "GET")), key)
    wire = opened(gateway)
    [tool] = wire.tools()
    assert "x-api-key" not in json.dumps(tool)
    answer = wire.tool(tool["name"])
    [seen] = service.seen
    assert (seen["path"], seen["headers"]["x-api-key"]) == ("/prod/keyed", KEY)
    assert not answer["result"]["isError"]
    assert_silent("the answer", json.dumps(answer), KEY)


def test_credentials_that_stages_do_not_take_are_refused(make, api):
    gateway = make.gateway()
    passed_on = {"credentialProviderType": "JWT_PASSTHROUGH"}
    code, message = refused(gateway.control, gateway, stage(api, ("/pets", "GET")), passed_on)
    assert code == "ValidationException" and "no credentials, GATEWAY_IAM_ROLE, API_KEY" in message


def test_an_export_that_is_missing_is_named(make, exports, api):
    gateway = make.gateway()
    for gone in (stage("nobody", ("/pets", "GET")), stage(api, ("/pets", "GET"), stage="test")):
        code, message = refused(gateway.control, gateway, gone)
        given = gone["apiGateway"]
        assert code == "ValidationException"
        assert f"s3://{EXPORTS}/{given['restApiId']}/{given['stage']}.json" in message and "has no object" in message


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"filters": []}, "At least one filter"),
        ({"filters": [("/toys", "GET")]}, "`/toys` (GET) fits no operation"),
        ({"filters": [("/pets", "GET"), ("/pets", "PATCH")]}, "`/pets` (PATCH) fits no operation"),
        ({"filters": [("/pets/", "GET")]}, "`/pets/` (GET) fits no operation"),
        ({"filters": [("/pets", "GET")], "overrides": [("GET", "/toys", "x")]}, "override of `GET /toys`"),
        ({"filters": [("/pets", "GET")], "overrides": [("POST", "/pets", "x")]}, "override of `POST /pets`"),
        ({"filters": [("/pets", "GET", "POST")], "overrides": [("GET", "/pets", "AddPet")]}, "both named `AddPet`"),
        ({"filters": [("/pets",)]}, "`/pets` () fits no operation"),
        ({"filters": [("/pets", "FETCH")]}, "toolFilters/0/methods/0"),
        ({"filters": [("/pets", "GET")], "stage": "prod/../x"}, "the name of a stage"),
    ],
)
def test_what_fits_nothing_is_refused_in_awss_words(make, api, wrong, told):
    gateway = make.gateway()
    filters = wrong.pop("filters")
    code, message = refused(gateway.control, gateway, stage(api, *filters, **wrong))
    assert code == "ValidationException" and told in message, message
    assert gateway.control.list_gateway_targets(gatewayIdentifier=gateway.id)["items"] == []


def test_who_makes_the_target_may_export_the_stage_and_read_the_object(make, api):
    gateway = make.gateway()
    exported = f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod/exports/oas30"
    stored = f"arn:aws:s3:::{EXPORTS}/{api}/prod.json"
    statements = [
        allow("bedrock-agentcore:*")["Statement"][0],
        allow("apigateway:GET", resource=exported)["Statement"][0],
        allow("s3:GetObject", resource=stored)["Statement"][0],
    ]
    for granted, action, resource in [(1, "apigateway:GET", exported), (2, "s3:GetObject", stored)]:
        caller = make.user({"Version": "2012-10-17", "Statement": statements[:granted]})
        control = caller.client("bedrock-agentcore-control")
        code, message = refused(control, gateway, stage(api, ("/pets", "GET")))
        assert code == "AccessDeniedException" and action in message and resource in message
    caller = make.user({"Version": "2012-10-17", "Statement": statements})
    made = caller.client("bedrock-agentcore-control").create_gateway_target(
        gatewayIdentifier=gateway.id, name="Pets", targetConfiguration={"mcp": stage(api, ("/pets", "GET"))}
    )
    assert made["status"] in ("CREATING", "READY")


def test_an_update_reads_the_export_again(make, exports, api, service):
    gateway = make.gateway()
    configuration = stage(api, ("/pets/*", "GET"))
    target = with_credential(gateway, "Pets", configuration)["targetId"]
    assert [tool["name"] for tool in opened(gateway).tools()] == ["Pets___get_pets_petId"]
    changed = export(service.url)
    changed["paths"]["/pets/{petId}/toys"] = changed["paths"]["/pets/{petId}"]
    exports(api, changed)
    gateway.control.update_gateway_target(
        gatewayIdentifier=gateway.id, targetId=target, name="Pets", targetConfiguration={"mcp": configuration}
    )
    look = lambda: sorted(tool["name"] for tool in opened(gateway).tools())
    until("the new export", look, lambda seen: seen == ["Pets___get_pets_petId", "Pets___get_pets_petId_toys"])
