"""The AWS edge under bad input: each mistake gets AWS's own error and a message that says what to do, changes nothing, and
leaves the server as it was."""

import datetime
import json
import socket
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
import requests
from botocore.exceptions import ClientError

from portcullis import REGION
from scenery import allow, name, trail


class Edge:
    """Sends what a test says, signed as root unless the test says otherwise."""

    def __init__(self, server):
        self.server = server
        self.endpoint = server.endpoint

    def signed(self, service, method, path, body=b"", headers=None, key=None, sign=True, at=None):
        """A signed request, ready to be sent or tampered with."""
        body = body.encode() if isinstance(body, str) else body
        request = botocore.awsrequest.AWSRequest(
            method, f"{self.endpoint}{path}", data=body, headers=dict(headers or {})
        )
        if sign:
            credentials = botocore.credentials.Credentials(*(key or self.server.root_key))
            signer = botocore.auth.SigV4Auth(credentials, service, REGION)
            if at:
                # The signer asks the clock itself.
                real, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda *_, **__: at
                try:
                    signer.add_auth(request)
                finally:
                    botocore.auth.get_current_datetime = real
            else:
                signer.add_auth(request)
        return request.prepare()

    def send(self, prepared) -> requests.Response:
        return requests.request(
            prepared.method, prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=60
        )

    def agentcore(self, method, path, body=b"", **more):
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return self.send(self.signed("bedrock-agentcore", method, path, body, headers, **more))

    def cognito(self, operation, body, **more):
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
        }
        return self.send(self.signed("cognito-idp", "POST", "/", body, headers, **more))

    def iam(self, body, **more):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send(self.signed("iam", "POST", "/", body, headers, **more))


@pytest.fixture(scope="module")
def edge(server):
    return Edge(server)


def code(response) -> str:
    """The error's code, wherever the protocol puts it."""
    if "x-amzn-errortype" in response.headers:
        return response.headers["x-amzn-errortype"]
    text = response.text
    return text.split("<Code>")[1].split("</Code>")[0]


def refused(response, status, expected):
    assert (response.status_code, code(response)) == (status, expected), response.text
    assert response.headers["x-amzn-requestid"]
    assert "panicked" not in response.text and "crates/" not in response.text
    return response


# --- bodies ------------------------------------------------------------------------------------------------------------

GOOD = {"name": "adversity", "roleArn": "arn:aws:iam::000000000000:role/none", "protocolType": "MCP", "authorizerType": "NONE"}


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "",
        "[]",
        "null",
        '"text"',
        '{"name": "a", "name": "b"}',
        '{"name": "a"} {"name": "b"}',
        '{"name": 1}',
        '{"name": ["a"]}',
        '{"protocolConfiguration": "MCP"}',
        '{"tags": {"a": "b", "a": "c"}}',
        '{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        "[" * 100_000,
        '{"protocolConfiguration": ' * 50_000,
    ],
    ids=lambda body: repr(body)[:30],
)
def test_a_body_that_is_not_the_operations_is_refused(edge, body):
    before = edge.server.client("bedrock-agentcore-control").list_gateways()["items"]
    refused(edge.agentcore("POST", "/gateways/", body), 400, "ValidationException")
    assert edge.server.client("bedrock-agentcore-control").list_gateways()["items"] == before


@pytest.mark.parametrize("body", ["{", "[]", '{"PoolName": "a", "PoolName": "b"}', '{"PoolName": 7}'])
def test_a_body_of_the_json_protocol_that_cannot_be_read(edge, body):
    response = edge.cognito("CreateUserPool", body)
    assert response.status_code == 400 and code(response) in ("SerializationException", "InvalidParameterException")


@pytest.mark.parametrize(
    "form, expected",
    [
        ("Action=CreateUser&Version=2010-05-08", "ValidationError"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a&UserName=b", "MalformedQueryString"),
        ("Action=CreateUser&Version=2010-05-08&UserName=%ff", "MalformedQueryString"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a%20b", "ValidationError"),
        ("Action=Nothing&Version=2010-05-08", "InvalidAction"),
        ("Version=2010-05-08", "MissingAction"),
    ],
)
def test_a_form_that_cannot_be_read(edge, form, expected):
    response = edge.iam(form)
    assert response.status_code == 400 and "<Message>" in response.text
    assert code(response) == expected, response.text


def test_all_faults_of_a_request_are_told_at_once(edge):
    body = {"name": "not good!", "roleArn": "nothing", "protocolType": "SMTP", "authorizerType": "MAGIC"}
    response = refused(edge.agentcore("POST", "/gateways/", json.dumps(body)), 400, "ValidationException")
    answer = response.json()
    assert answer["reason"] == "FieldValidationFailed"
    assert {fault["name"] for fault in answer["fieldList"]} == {
        "/name",
        "/roleArn",
        "/protocolType",
        "/authorizerType",
    }
    assert all(fault["message"] for fault in answer["fieldList"])
    assert answer["message"].startswith("4 validation errors detected. ")


def test_what_is_not_honoured_is_refused_by_name(edge):
    body = GOOD | {"domainOverride": "gateway.example.com"}
    response = refused(edge.agentcore("POST", "/gateways/", json.dumps(body)), 400, "ValidationException")
    assert "domainOverride" in response.text and "not supported by Portcullis" in response.text


def test_unknown_operations_are_answered_as_aws_does(edge):
    refused(edge.agentcore("POST", "/no-such-path"), 404, "UnknownOperationException")
    refused(edge.agentcore("PATCH", "/gateways/"), 404, "UnknownOperationException")
    refused(edge.cognito("AdminResetUserPassword", "{}"), 400, "UnknownOperationException")
    refused(edge.cognito("NoSuchThing", "{}"), 400, "UnknownOperationException")
    assert code(edge.iam("Action=ListServerCertificates&Version=2010-05-08")) == "InvalidAction"
    unknown = edge.send(edge.signed("dynamodb", "POST", "/", "{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}))
    assert unknown.status_code in (400, 404) and code(unknown) == "UnknownOperationException"


def test_a_body_over_the_bound_is_refused_and_the_connection_lives(edge):
    with requests.Session() as session:
        large = "x" * (7 * 1024 * 1024)
        prepared = edge.signed("bedrock-agentcore", "POST", "/gateways/", large, {"Content-Type": "application/json"})
        response = session.post(prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=60)
        refused(response, 413, "RequestEntityTooLargeException")
    assert edge.agentcore("GET", "/gateways/").status_code == 200


def raw(edge, request: bytes) -> bytes:
    """Sends bytes, and reads until the server closes or has nothing more to say."""
    address = urllib.parse.urlsplit(edge.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(5)
        said = b""
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return said


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"a" * 80_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(400)) + b"\r\n", b"431"),
        (b"GET /" + b"a" * 80_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"4"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"4"),
    ],
    ids=["large header", "many headers", "long target", "no http", "two lengths", "bad chunk"],
)
def test_heads_over_the_bounds_are_refused(edge, request_bytes, status):
    answer = raw(edge, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert edge.agentcore("GET", "/gateways/").status_code == 200


@pytest.mark.parametrize("path", ["/gateways/none-0123456789/mcp", "/runtimes/none-0123456789/invocations?accountId=1"])
def test_a_refusal_that_waits_for_no_body_says_that_the_connection_ends(edge, path):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 9\r\n\r\n"
    answer = raw(edge, head.encode())
    assert answer.startswith(b"HTTP/1.1 4") and b"\r\nconnection: close\r\n" in answer.lower(), answer


# --- signatures --------------------------------------------------------------------------------------------------------


def test_no_signature_is_no_access(edge):
    refused(edge.agentcore("GET", "/gateways/", sign=False), 403, "MissingAuthenticationTokenException")
    response = requests.post(edge.endpoint, data={"Action": "ListUsers", "Version": "2010-05-08"}, timeout=30)
    assert (response.status_code, code(response)) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize("what", ["path", "query", "body", "header", "signature", "date", "region", "method"])
def test_what_was_signed_cannot_be_changed(edge, what):
    path = f"/gateways/?maxResults=5&nextToken={'a' * 4}"
    headers = {"Content-Type": "application/json", "X-Amz-Meta": "signed"}
    prepared = edge.signed("bedrock-agentcore", "POST", path, '{"name": "a"}', headers)
    authorization = prepared.headers["Authorization"]
    if what == "path":
        prepared.url = prepared.url.replace("/gateways/", "/gatewayz/")
    elif what == "query":
        prepared.url = prepared.url.replace("maxResults=5", "maxResults=6")
    elif what == "body":
        prepared.body = b'{"name": "b"}'
    elif what == "header":
        prepared.headers["X-Amz-Meta"] = "Signed"
    elif what == "signature":
        prepared.headers["Authorization"] = authorization[:-1] + ("0" if authorization[-1] != "0" else "1")
    elif what == "date":
        date = prepared.headers["X-Amz-Date"]
        prepared.headers["X-Amz-Date"] = date[:-2] + ("0Z" if date[-2] != "0" else "1Z")
    elif what == "region":
        prepared.headers["Authorization"] = authorization.replace("us-west-2", "us-west-1")
    elif what == "method":
        prepared.method = "PUT"
    response = refused(edge.send(prepared), 403, "InvalidSignatureException")
    secret = edge.server.root_key[1]
    assert secret not in response.text


def test_an_unsigned_payload_is_accepted_when_it_says_so(edge):
    prepared = edge.signed(
        "bedrock-agentcore",
        "GET",
        "/gateways/",
        headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"},
    )
    assert edge.send(prepared).status_code == 200


@pytest.mark.parametrize("minutes, accepted", [(-14, True), (14, True), (-16, False), (16, False)])
def test_the_clock_may_be_a_quarter_of_an_hour_off(edge, minutes, accepted):
    at = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(minutes=minutes)
    response = edge.agentcore("GET", "/gateways/", at=at)
    if accepted:
        assert response.status_code == 200, response.text
    else:
        refused(response, 403, "InvalidSignatureException")


def test_keys_that_are_not_good_any_more(edge, make):
    unknown = edge.agentcore("GET", "/gateways/", key=("AKIAAAAAAAAAAAAAAAAA", "secret"))
    refused(unknown, 403, "UnrecognizedClientException")
    user = make.user(allow("bedrock-agentcore:ListGateways"))
    assert edge.agentcore("GET", "/gateways/", key=(user.key, user.secret)).status_code == 200
    iam = edge.server.client("iam")
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key, Status="Inactive")
    refused(edge.agentcore("GET", "/gateways/", key=(user.key, user.secret)), 403, "UnrecognizedClientException")
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key, Status="Active")
    assert edge.agentcore("GET", "/gateways/", key=(user.key, user.secret)).status_code == 200
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.key)
    refused(edge.agentcore("GET", "/gateways/", key=(user.key, user.secret)), 403, "UnrecognizedClientException")


def test_a_session_is_nothing_without_its_token_or_with_a_tampered_one(edge, make):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}],
    }
    session = make.assume(make.role(trust, allow("bedrock-agentcore:ListGateways")))
    good = (session.key, session.secret, session.token)
    assert edge.agentcore("GET", "/gateways/", key=good).status_code == 200
    refused(edge.agentcore("GET", "/gateways/", key=good[:2]), 403, "UnrecognizedClientException")
    middle = len(session.token) // 2
    other = "A" if session.token[middle] != "A" else "B"
    tampered = session.token[:middle] + other + session.token[middle + 1 :]
    refused(
        edge.agentcore("GET", "/gateways/", key=(session.key, session.secret, tampered)),
        403,
        "UnrecognizedClientException",
    )


# --- what refusals leave behind ------------------------------------------------------------------------------------------


def test_refusals_are_audited_without_what_they_carried(edge, make):
    user = make.user()
    marker = f"secret-{name()}"
    with pytest.raises(ClientError) as denied:
        user.client("secretsmanager").create_secret(Name=name(), SecretString=marker)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    request_id = denied.value.response["ResponseMetadata"]["RequestId"]
    [event] = make.audited(lambda event: event["requestId"] == request_id)
    assert event["decision"] == "deny" and event["outcome"] == "refused"
    assert event["actor"] == {"type": "iam", "arn": user.arn, "accessKeyId": user.key}
    assert event["action"] == "secretsmanager:CreateSecret"
    told = json.dumps(trail(edge.server))
    assert marker not in told and user.secret not in told and edge.server.root_key[1] not in told
    assert user.secret not in edge.server.log() and edge.server.root_key[1] not in edge.server.log()
