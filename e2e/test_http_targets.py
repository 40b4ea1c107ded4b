"""HTTP targets: a service behind the gateway's authorizer, policies and audit, reached below its endpoint and nowhere else."""

import base64
import http.client
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from portcullis import REGION
from scenery import allow, name, until


class Service(BaseHTTPRequestHandler):
    """Says what it was asked; streams, stalls and breaks off where the path says so."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.shown.append(self.headers.get("Authorization"))
        path = urllib.parse.urlsplit(self.path).path
        if path == "/base/stream":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(3):
                self.chunk(f"data: {number}\n\n".encode())
                if number == 0:
                    self.server.go_on.wait(20)
            self.chunk(b"")
            return
        if path == "/base/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.wfile.flush()
            self.close_connection = True
            return
        if path == "/base/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "body": base64.b64encode(body).decode(),
        }
        text = json.dumps(seen).encode()
        self.send_response(int(self.headers.get("X-Wanted") or 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "secret=1")
        self.send_header("X-Private", "inside")
        self.send_header("X-Public", "outside")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


@pytest.fixture(scope="module")
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    server.go_on = threading.Event()
    server.shown = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def http_target(gateway, target_name, service, metadata=None, **more):
    endpoint = f"http://127.0.0.1:{service.server_port}/base"
    request = {
        "gatewayIdentifier": gateway.id,
        "name": target_name,
        "targetConfiguration": {"http": {"passthrough": {"endpoint": endpoint, "protocolType": "CUSTOM", **more}}},
        "credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    }
    if metadata:
        request["metadataConfiguration"] = metadata
    made = gateway.control.create_gateway_target(**request)["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made)
    until("the target", look, lambda seen: seen["status"] == "READY")


def base(gateway, target="web"):
    return gateway.server.endpoint + f"/gateways/{gateway.id}/{target}"


def host_of(gateway) -> str:
    """The name that AWS would give the gateway."""
    return f"{gateway.id}.gateway.bedrock-agentcore.{REGION}.amazonaws.com"


def by_host(gateway, path, method="GET", **more):
    """Asks the server for a path under the gateway's name."""
    headers = {**more.pop("headers", {}), "Host": host_of(gateway)}
    return requests.request(method, gateway.server.endpoint + path, headers=headers, timeout=30, **more)


def asked_raw(server, path, **headers):
    """The status and the error of a path that clients would tidy up before they send it."""
    address = urllib.parse.urlsplit(server.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for header, value in headers.items():
        connection.putheader(header, value)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, json.loads(response.read())["__type"]


@pytest.fixture
def open_gateway(make, service):
    gateway = make.gateway(protocolType=None)
    http_target(
        gateway,
        "web",
        service,
        {"allowedRequestHeaders": ["X-Wanted", "X-Tenant"], "allowedResponseHeaders": ["X-Public"]},
        staticQueryParameters={"fixed": "yes"},
    )
    return gateway


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_request_goes_below_the_endpoint(make, open_gateway, method):
    url = base(open_gateway) + "/items/a%20b?x=1&fixed=no"
    headers = {
        "X-Tenant": "t",
        "X-Other": "o",
        "Cookie": "a=b",
        "Authorization": "Bearer mine",
        "X-Forwarded-For": "1.2.3.4",
        "Content-Type": "text/plain",
    }
    response = requests.request(method, url, headers=headers, data=b"\x00body", timeout=30)
    assert response.status_code == 200, response.text
    seen = response.json()
    assert seen["method"] == method and base64.b64decode(seen["body"]) == b"\x00body"
    assert seen["path"] == "/base/items/a%20b?x=1&fixed=yes"
    got = seen["headers"]
    assert got["x-tenant"] == "t" and got["content-type"] == "text/plain"
    assert got["host"].startswith("127.0.0.1:")
    assert not {"authorization", "cookie", "x-other", "x-forwarded-for"} & set(got), got
    assert response.headers["X-Public"] == "outside" and response.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in response.headers and "X-Private" not in response.headers
    of_here = lambda event: event.get("resource") == open_gateway.arn and event.get("tool") == "web"
    [event] = make.audited(of_here)
    assert (event["action"], event["outcome"]) == (method, "success")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_gateways_own_name_leads_to_the_same_place(make, open_gateway, method):
    sent = {"headers": {"X-Tenant": "t", "Content-Type": "text/plain", "Cookie": "a=b"}, "data": b"\x00body"}
    below = "/items/a%20b?x=1&fixed=no"
    named = by_host(open_gateway, f"/web{below}", method, **sent)
    by_path = requests.request(method, base(open_gateway) + below, timeout=30, **sent)
    assert named.status_code == by_path.status_code == 200, named.text
    assert named.json() == by_path.json() and named.json()["path"] == "/base/items/a%20b?x=1&fixed=yes"
    assert named.json()["headers"]["host"].startswith("127.0.0.1:"), "the name stays here"
    assert set(named.headers) == set(by_path.headers) and named.headers["X-Public"] == "outside"
    of_here = lambda event: event.get("resource") == open_gateway.arn and event.get("tool") == "web"
    one, other = make.audited(of_here, least=2)
    assert {one["action"], other["action"]} == {method} and {one["outcome"], other["outcome"]} == {"success"}


def test_a_target_that_is_called_as_the_control_plane_calls_its_own_has_the_gateways_name(make, service):
    gateway = make.gateway(protocolType=None)
    http_target(gateway, "targets", service)
    assert by_host(gateway, "/targets/x").json()["path"] == "/base/x"
    assert by_host(gateway, "/targets/").json()["path"] == "/base/"
    taken = requests.get(base(gateway, "targets") + "/", timeout=30)
    assert taken.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException", "ListGatewayTargets, unsigned"


def test_nothing_is_found_under_the_names_of_others(make, open_gateway, service):
    other = make.gateway(protocolType=None)
    for found in (by_host(other, "/web/x"), by_host(open_gateway, "/none/x")):
        assert (found.status_code, found.json()["__type"]) == (404, "ResourceNotFoundException")
    elsewhere = {"Host": host_of(open_gateway).replace("amazonaws.com", "example.com")}
    asked = len(service.shown)
    assert not requests.get(f"{open_gateway.server.endpoint}/web/x", headers=elsewhere, timeout=30).ok
    assert len(service.shown) == asked


def test_a_signature_for_the_gateways_name_is_one(make, service):
    gateway = make.gateway("AWS_IAM", protocolType=None)
    http_target(gateway, "web", service)
    of_gateway = allow("bedrock-agentcore:InvokeGateway", resource=gateway.arn)
    for policy, status in [(of_gateway, 200), (None, 403)]:
        caller = make.user(policy)
        request = AWSRequest("GET", f"https://{host_of(gateway)}/web/x?a=b%20c")
        SigV4Auth(Credentials(caller.key, caller.secret), "bedrock-agentcore", REGION).add_auth(request)
        answer = by_host(gateway, "/web/x?a=b%20c", headers=dict(request.headers))
        assert answer.status_code == status, answer.text
    unsigned, by_path = by_host(gateway, "/web/x"), requests.get(f"{base(gateway)}/x", timeout=30)
    assert unsigned.status_code == by_path.status_code == 403 and unsigned.json() == by_path.json()


def test_what_the_service_says_is_passed_on(open_gateway):
    for wanted in (201, 404, 500):
        assert requests.get(base(open_gateway), headers={"X-Wanted": str(wanted)}, timeout=30).status_code == wanted
    away = requests.get(base(open_gateway) + "/away", allow_redirects=False, timeout=30)
    assert away.status_code == 302 and "Location" not in away.headers
    assert requests.head(base(open_gateway), timeout=30).status_code == 200


def test_a_stream_comes_as_it_is_said(open_gateway, service):
    service.go_on.clear()
    with requests.get(base(open_gateway) + "/stream", stream=True, timeout=30) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        lines = response.iter_lines()
        assert next(lines) == b"data: 0"
        service.go_on.set()
        assert [line for line in lines if line] == [b"data: 1", b"data: 2"]


def test_a_part_does_not_pass_for_the_whole(open_gateway):
    with pytest.raises(requests.RequestException):
        requests.get(base(open_gateway) + "/short", timeout=30).content


@pytest.mark.parametrize(
    "path",
    ["/../other", "/..%2fother", "/%2e%2e/other", "/a/../../other", "//other", "/a%5cb", "/%252e%252e/x", "/a/%00", "/..;/x"],
)
def test_paths_do_not_lead_elsewhere(open_gateway, server, path):
    assert asked_raw(server, f"/gateways/{open_gateway.id}/web{path}") == (400, "ValidationException")
    assert asked_raw(server, f"/web{path}", Host=host_of(open_gateway)) == (400, "ValidationException")


def test_a_whole_url_is_no_path(open_gateway, server):
    address = urllib.parse.urlsplit(server.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("GET", f"{server.endpoint}/gateways/{open_gateway.id}/web/x")
    connection.endheaders()
    assert connection.getresponse().status == 400


def test_what_is_not_there_is_not_found(open_gateway):
    missing = requests.get(base(open_gateway, "none") + "/x", timeout=30)
    assert missing.status_code == 404 and missing.json()["__type"] == "ResourceNotFoundException"


def test_the_authorizer_and_the_policies_come_first(make, service):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), protocolType=None)
    http_target(gateway, "web", service)
    http_target(gateway, "other", service)
    refused = requests.get(base(gateway), timeout=30)
    assert refused.status_code == 401 and "Bearer" in refused.headers["WWW-Authenticate"]
    bearer = {"Authorization": f"Bearer {client.token()}"}
    allowed = requests.get(base(gateway), headers=bearer, timeout=30)
    assert allowed.status_code == 200 and "authorization" not in allowed.json()["headers"]
    engine = make.engine()
    gateway.enforce(engine.arn)
    denied = requests.get(base(gateway), headers=bearer, timeout=30)
    absent = requests.get(base(gateway, "absent"), headers=bearer, timeout=30)
    assert denied.status_code == absent.status_code == 403 and denied.json() == absent.json()
    engine.policy(
        f'permit(principal, action == AgentCore::Action::"web", resource == AgentCore::Gateway::"{gateway.arn}");'
    )
    assert requests.get(base(gateway), headers=bearer, timeout=30).status_code == 200
    assert requests.get(base(gateway, "other"), headers=bearer, timeout=30).status_code == 403


def test_limits_count_it(open_gateway):
    open_gateway.control.create_gateway_rate_limit(
        gatewayIdentifier=open_gateway.id,
        rateLimitId=name("limit"),
        dimensionKeys=["targetName"],
        entries=[{"dimensions": {"targetName": "*"}, "requests": [{"rate": 1, "period": "minute"}]}],
    )
    assert requests.get(base(open_gateway), timeout=30).status_code == 200
    refused = requests.get(base(open_gateway), timeout=30)
    assert refused.status_code == 429 and refused.json()["__type"] == "ThrottlingException"
    assert int(refused.headers["Retry-After"]) > 0


def test_interceptors_see_it(make, service):
    source = '''
import base64
def lambda_handler(event, context):
    http = event["http"]
    custom = context.client_context.custom
    assert custom["GATEWAY_ARN"] and custom["REQUEST_ID"]
    if "gatewayResponse" in http:
        body = base64.b64decode(http["gatewayResponse"]["body"]) + b" and seen"
        changed = {"statusCode": 203, "contentType": "text/plain", "body": base64.b64encode(body).decode()}
        return {"interceptorOutputVersion": "1.0", "http": {"transformedGatewayResponse": changed}}
    request = http["gatewayRequest"]
    if request["path"].endswith("/stop"):
        stopped = {"statusCode": 418, "body": base64.b64encode(b"stopped").decode()}
        return {"interceptorOutputVersion": "1.0", "http": {"transformedGatewayResponse": stopped}}
    body = base64.b64encode(base64.b64decode(request["body"]) + b" changed").decode()
    changed = {"headers": {"Authorization": "Bearer of the function", "X-Other": "no"}, "body": body}
    return {"interceptorOutputVersion": "1.0", "http": {"transformedGatewayRequest": changed}}
'''
    interceptor = {
        "interceptor": {"lambda": {"arn": make.function(source)}},
        "interceptionPoints": ["REQUEST", "RESPONSE"],
        "inputConfiguration": {"passRequestHeaders": True},
    }
    gateway = make.gateway(interceptorConfigurations=[interceptor], protocolType=None)
    http_target(gateway, "web", service)
    response = requests.post(base(gateway) + "/x", data=b"body", timeout=30)
    assert response.status_code == 203 and response.headers["Content-Type"] == "text/plain"
    text, end = response.text.rsplit("}", 1)
    seen = json.loads(text + "}")
    assert end == " and seen" and base64.b64decode(seen["body"]) == b"body changed"
    # What the function gave was shown, and does not come back.
    assert service.shown[-1] == "Bearer of the function"
    assert seen["headers"]["authorization"] == "Bearer [masked]" and "x-other" not in seen["headers"]
    # The answer of the first interceptor is not shown to the second.
    stopped = requests.get(base(gateway) + "/stop", timeout=30)
    assert stopped.status_code == 418 and stopped.text == "stopped"


def test_a_service_that_is_away_is_an_error(make):
    gateway = make.gateway(protocolType=None)
    closed = type("Closed", (), {"server_port": 1})
    http_target(gateway, "web", closed)
    began = time.monotonic()
    response = requests.get(base(gateway), timeout=30)
    assert response.status_code == 502 and "retry later" in response.json()["message"]
    assert time.monotonic() - began < 20
