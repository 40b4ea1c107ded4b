"""Every URL that a tenant may set, and every one that it leads to, at places that may not be dialled: this machine, where
that is not allowed, metadata services, in all the ways that they are written and by redirects. Each is refused without
being dialled: whoever listens there meets nobody.

The server may dial 127.0.0.2 and not 127.0.0.1, so that a party on the one can lead to the other.
"""

import base64
import http.server
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from portcullis import Server
from runtimes import RUNTIME_TRUST, by_url, runtime
from scenery import name, refusal, until
from test_smithy_targets import things
from wire import Wire

WELL_KNOWN = "/.well-known/openid-configuration"
METADATA = "169.254.169.254"


class Listener:
    """A port of 127.0.0.1 at which nobody must come by."""

    def __init__(self):
        self.came = 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            line.close()


class Party(http.server.BaseHTTPRequestHandler):
    """On 127.0.0.2, which may be dialled: documents that lead to another place, and redirects to it. The place is in the path, in
    base64."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append(self.path)
        _, kind, place, *rest = self.path.split("/")
        there = base64.urlsafe_b64decode(place).decode() if kind in ("moved", "document") else ""
        if kind == "moved":
            self.send_response(307)
            self.send_header("Location", f"{there}/{'/'.join(rest)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        document = {"issuer": f"{self.server.url}/document/{place}", "jwks_uri": f"{there}/keys", "token_endpoint": f"{there}/token"}
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def listener():
    listening = Listener()
    yield listening
    listening.socket.close()


@pytest.fixture(scope="module")
def party():
    with http.server.ThreadingHTTPServer(("127.0.0.2", 0), Party) as served:
        served.daemon_threads = True
        served.asked = []
        served.url = f"http://127.0.0.2:{served.server_port}"
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = '[outbound]\nloopback = false\nallow = ["127.0.0.2/32"]\n[quotas]\ncredential-providers-per-kind = 1000\n'
    own = Server(tmp_path_factory.mktemp("ssrf"), settings=settings)
    try:
        yield own.start()
        assert "panicked" not in own.log()
    finally:
        own.dispose()


def coded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def places(listener, party) -> dict:
    """Where nobody may be led, by how it is written."""
    port = listener.port
    here = {f"http://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1")}
    here |= {f"https://127.0.0.1:{port}", f"http://127.0.0.3:{port}", f"http://0.0.0.0:{port}"}
    metadata = {f"http://{host}" for host in (METADATA, f"[::ffff:{METADATA}]", "2852039166", "0xa9fea9fe", "100.100.100.200", "[fd00:ec2::254]")}
    direct = {**{it: it for it in sorted(here)}, **{it: it for it in sorted(metadata)}}
    moved = {f"moved to {it}": f"{party.url}/moved/{coded(it)}" for it in (f"http://127.0.0.1:{port}", f"http://{METADATA}")}
    return direct | moved


# --- what a tenant may set -------------------------------------------------------------------------------------------

# Each leads the server to a place, and gives what came of it: what the tenant is told, and whether it was let through.

JWT = f"{base64.urlsafe_b64encode(json.dumps(dict(alg='RS256', kid='k')).encode()).decode().rstrip('=')}.e30.AAAA"


def authorizer(make, place: str) -> tuple:
    rules = {"discoveryUrl": f"{place}{WELL_KNOWN}", "allowedAudience": ["a"]}
    gateway = make.gateway({"customJWTAuthorizer": rules})
    claims = {"iss": place, "sub": "s", "aud": "a", "exp": int(time.time()) + 600}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    answer = Wire(gateway.url, f"{JWT.split('.')[0]}.{payload}.{'A' * 342}").post({})
    # A caller is told nothing of it, and the operator all.
    said = [line for line in make.server.log().splitlines() if f"={rules['discoveryUrl']} " in line]
    return answer.status_code in (401, 503), " ".join(said)


def key_set(make, place: str) -> tuple:
    """The discovery document is allowed, and leads to keys that are not."""
    return authorizer(make, f"{make.party.url}/document/{coded(place)}")


def ask_provider(make, discovery: dict) -> tuple:
    server, provider = make.server, name("provider")
    server.client("bedrock-agentcore-control").create_oauth2_credential_provider(
        name=provider,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={
            "customOauth2ProviderConfig": {"clientId": "c", "clientSecret": "the-secret-of-a-client", "oauthDiscovery": discovery}
        },
    )
    data = server.client("bedrock-agentcore")
    ask = lambda: data.get_resource_oauth2_token(
        workloadIdentityToken=make.workload, resourceCredentialProviderName=provider, scopes=[], oauth2Flow="M2M"
    )
    status, _, message = refusal(ask)
    return status >= 400, message


def provider_discovery(make, place: str) -> tuple:
    return ask_provider(make, {"discoveryUrl": f"{place}{WELL_KNOWN}"})


def token_endpoint_of_a_document(make, place: str) -> tuple:
    return ask_provider(make, {"discoveryUrl": f"{make.party.url}/document/{coded(place)}{WELL_KNOWN}"})


def token_endpoint(make, place: str) -> tuple:
    metadata = {"issuer": place, "authorizationEndpoint": f"{place}/authorize", "tokenEndpoint": f"{place}/token"}
    return ask_provider(make, {"authorizationServerMetadata": metadata})


def make_target(gateway, configuration: dict, **more) -> tuple:
    target = name("t")
    made = gateway.control.create_gateway_target(
        gatewayIdentifier=gateway.id, name=target, targetConfiguration=configuration, **more
    )["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made)
    return target, until("the target", look, lambda seen: seen["status"] not in ("CREATING", "UPDATING"))


def mcp_endpoint(make, place: str) -> tuple:
    _, seen = make_target(make.open, {"mcp": {"mcpServer": {"endpoint": f"{place}/mcp"}}})
    return seen["status"] == "FAILED", " ".join(seen["statusReasons"])


def openapi_server(make, place: str) -> tuple:
    operation = {"operationId": "look", "responses": {"200": {"description": "ok"}}}
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "servers": [{"url": place}], "paths": {"/look": {"get": operation}}}
    target, seen = make_target(make.open, {"mcp": {"openApiSchema": {"inlinePayload": json.dumps(document)}}})
    if seen["status"] != "READY":
        return True, " ".join(seen["statusReasons"])
    answer = Wire(make.open.url).tool(f"{target}___look")
    return answer["result"]["isError"], json.dumps(answer)


def smithy_endpoint(make, place: str) -> tuple:
    model = {"smithyModel": {"inlinePayload": json.dumps(things(place, "awsJson1_1"))}}
    role = [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]
    target, seen = make_target(make.open, {"mcp": model}, credentialProviderConfigurations=role)
    if seen["status"] != "READY":
        return True, " ".join(seen["statusReasons"])
    answer = Wire(make.open.url).tool(f"{target}___GetThing", Name="lamp")
    return answer["result"]["isError"], json.dumps(answer)


def http_endpoint(make, place: str) -> tuple:
    configuration = {"http": {"passthrough": {"endpoint": place, "protocolType": "CUSTOM"}}}
    credential = [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]
    target, seen = make_target(make.plain, configuration, credentialProviderConfigurations=credential)
    if seen["status"] != "READY":
        return True, " ".join(seen["statusReasons"])
    answer = requests.get(f"{make.server.endpoint}/gateways/{make.plain.id}/{target}/look", allow_redirects=False, timeout=30)
    return answer.status_code >= 300, f"{answer.status_code} {answer.text}"


def agent_by_url(make, place: str) -> tuple:
    made = runtime(make, by_url(place), roleArn=make.runtime_role)
    client = make.server.client("bedrock-agentcore")
    try:
        client.invoke_agent_runtime(agentRuntimeArn=made.arn, payload=b"{}")
        return False, "it was dialled"
    except client.exceptions.RuntimeClientError as error:
        message = str(error)
    # A caller is told nothing of it, and the operator all.
    said = [line for line in make.server.log().splitlines() if "An agent cannot be reached" in line and place in line]
    assert "127" not in message and METADATA not in message, message
    return True, f"{message} {' '.join(said)}"


# Why it was refused, and nothing else: the place, a redirect that is not followed, or a URL that is none.
REASON = re.compile(r"is a loopback address|is never dialled|it is a redirect|\b30[27]\b|ValidationException")

SETTABLE = [
    authorizer,
    key_set,
    provider_discovery,
    token_endpoint_of_a_document,
    token_endpoint,
    mcp_endpoint,
    openapi_server,
    smithy_endpoint,
    http_endpoint,
    agent_by_url,
]


@pytest.fixture(scope="module")
def lab(make, party, server):
    control = server.client("bedrock-agentcore-control")
    control.create_workload_identity(name="agent")
    make.workload = server.client("bedrock-agentcore").get_workload_access_token(workloadName="agent")["workloadAccessToken"]
    make.party = party
    make.runtime_role = make.role(RUNTIME_TRUST)
    make.open = make.gateway("NONE", exceptionLevel="DEBUG")
    make.plain = make.gateway("NONE", protocolType=None, exceptionLevel="DEBUG")
    return make


@pytest.mark.parametrize("leads", SETTABLE, ids=lambda it: it.__name__)
def test_a_url_leads_nowhere_that_may_not_be_dialled(lab, listener, party, leads):
    wrong, tried = [], places(listener, party)

    def led(written: str) -> str | None:
        try:
            refused, told = leads(lab, tried[written])
        except Exception as error:
            # What no client and no validation lets through is refused as well.
            refused, told = "ValidationException" in str(error), str(error)
        return None if refused and REASON.search(told) else f"{written}: {told}"

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        wrong = [it for it in pool.map(led, tried) if it]
    assert not wrong, wrong
    assert listener.came == 0, "somebody came by"
    # Refused, and not waited for: nobody answers at a metadata address here.
    assert time.monotonic() - began < 20
    # That the same URL is dialled where it may be: this is what is refused above.
    before = len(party.asked)
    leads(lab, f"{party.url}/allowed")
    assert len(party.asked) > before, "the URL is dialled nowhere"


def test_what_has_no_place_for_a_host_takes_none(lab, listener):
    """Schemas are in the object store and interceptors are functions: neither can name a machine."""
    control = lab.server.client("bedrock-agentcore-control")
    create = lambda configuration: control.create_gateway_target(
        gatewayIdentifier=lab.open.id, name=name("t"), targetConfiguration={"mcp": configuration}
    )
    for uri in (f"s3://127.0.0.1:{listener.port}/x.json", f"s3://{METADATA}/latest", f"http://127.0.0.1:{listener.port}/x.json"):
        try:
            made = create({"openApiSchema": {"s3": {"uri": uri}}})
        except control.exceptions.ValidationException:
            continue
        look = lambda: control.get_gateway_target(gatewayIdentifier=lab.open.id, targetId=made["targetId"])
        assert until("the target", look, lambda seen: seen["status"] != "CREATING")["status"] == "FAILED", uri
    interceptor = {"interceptor": {"lambda": {"arn": f"http://127.0.0.1:{listener.port}/"}}, "interceptionPoints": ["REQUEST"]}
    asked = {**lab.open.request, "name": name("gateway"), "interceptorConfigurations": [interceptor]}
    assert refusal(control.create_gateway, **asked)[:2] == (400, "ValidationException")
    assert listener.came == 0


def test_where_browsers_are_sent_the_server_does_not_go(lab, listener):
    """URLs of callbacks, of signing out, and where a person comes back to: kept, compared, and never dialled."""
    url = f"http://127.0.0.1:{listener.port}/back"
    lab.server.client("bedrock-agentcore-control").create_workload_identity(
        name=name("agent"), allowedResourceOauth2ReturnUrls=[url]
    )
    pool = lab.pool()
    client = lab.server.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool.id,
        ClientName="app",
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
        CallbackURLs=[url],
        LogoutURLs=[url],
    )["UserPoolClient"]["ClientId"]
    asked = {"response_type": "code", "client_id": client, "redirect_uri": url, "scope": "openid", "logout_uri": url}
    for path in ("oauth2/authorize", "login", "logout"):
        requests.get(f"{lab.server.endpoint}/{pool.id}/{path}", params=asked, allow_redirects=False, timeout=30)
    assert listener.came == 0


def test_a_stranger_is_not_asked_who_it_is(lab, listener):
    """The issuer that a token names is looked for among those that are known, and nowhere else."""
    data = lab.server.client("bedrock-agentcore")
    claims = {"iss": f"http://127.0.0.1:{listener.port}", "sub": "s", "exp": int(time.time()) + 600}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    token = f"{JWT.split('.')[0]}.{payload}.{'A' * 342}"
    ask = data.get_workload_access_token_for_jwt
    assert refusal(ask, workloadName="agent", userToken=token)[:2] == (400, "ValidationException")
    assert listener.came == 0
