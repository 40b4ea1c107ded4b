"""`portcullis token` and `portcullis identity`: why a gateway accepts a token or does not, told as the gateway does it, and
whether a credential provider works. Neither prints a token, a signature, a key or a secret."""

import base64
import json
import socket
import subprocess
import time

import jwt
import pytest
import requests

import scenery
from idp import Idp
from portcullis import binary, plain_environment

SECRET = "a-client-secret-that-nobody-may-see"


@pytest.fixture(scope="module")
def idp():
    started = Idp()
    yield started
    started.close()


def authorizer(idp, **rules) -> dict:
    return {"customJWTAuthorizer": {"discoveryUrl": idp.discovery_url, **rules}}


def decoded_part(token: str, part: int) -> dict:
    text = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def decodes(token: str, *more) -> subprocess.CompletedProcess:
    """What a token says, for which no server is needed."""
    command = [binary(), "token", "decode", token, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=plain_environment(), check=False)


def asks(server, verb: str, token: str, gateway: str, *more) -> subprocess.CompletedProcess:
    done = server.run("token", verb, token, "--gateway", gateway, *more, check=False)
    for printed in (done.stdout, done.stderr):
        assert token not in printed
        if token.count(".") == 2:
            assert token.rsplit(".", 1)[1] not in printed, "the signature is printed"
    return done


def why(server, token: str, gateway) -> dict:
    """The report of a token, held against what the gateway itself does with it."""
    done = asks(server, "why", token, gateway.id, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["accepted"] else 1), done.stderr
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}},
    }
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    met = requests.post(gateway.url, json=initialize, headers=headers, timeout=30).status_code
    assert report["status"] == met, report
    verified = asks(server, "verify", token, gateway.id, "--json")
    assert verified.returncode == done.returncode
    short = json.loads(verified.stdout)
    assert short == {name: report[name] for name in short}
    return report


def hints(report: dict) -> list:
    return [hint["code"] for hint in report["hints"]]


def test_a_token_is_decoded_and_believed_in_nothing(make):
    pool = make.pool()
    token = pool.client("invoke").token()
    shown = json.loads(decodes(token, "--json").stdout)
    assert shown["header"] == decoded_part(token, 0) and shown["claims"] == decoded_part(token, 1)
    assert shown["verified"] is False and shown["signatureBytes"] == 256
    text = decodes(token).stdout
    assert token.rsplit(".", 1)[1] not in text and pool.issuer in text
    symmetric = jwt.encode({"sub": "ada\x1b[31m"}, "k" * 32, algorithm="HS256")
    text = decodes(symmetric).stdout
    assert "HS256" in text and "\x1b" not in text
    for wrong in ("opaque", "a.b.c", "a.b.c.d.e"):
        assert decodes(wrong).returncode == 1


def test_a_token_of_a_pool_of_our_own(server, make):
    pool = make.pool()
    client, stranger = pool.client("invoke"), pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    report = why(server, client.token(), gateway)
    assert report["accepted"] and report["reason"] is None and report["subject"] == client.id
    assert [rule["rule"] for rule in report["rules"]] == [
        "form", "issuer's keys", "signature", "payload", "iss", "sub", "exp", "nbf", "iat", "issuer", "allowedClients",
    ]  # fmt: skip
    assert all(rule["holds"] for rule in report["rules"]) and report["hints"] == []
    report = why(server, stranger.token(), gateway)
    assert hints(report) == ["client-id-other"] and report["status"] == 401
    failed = [rule for rule in report["rules"] if not rule["holds"]]
    assert failed == [
        {
            "rule": "allowedClients",
            "holds": False,
            "found": f'client_id "{stranger.id}"',
            "expected": f'"{client.id}"',
        }
    ]
    # By AWS's name of the pool it is the same issuer.
    aliased = make.gateway({"customJWTAuthorizer": {"discoveryUrl": pool.aws_discovery_url, "allowedClients": [client.id]}})
    assert why(server, client.token(), aliased)["accepted"]
    cognito = make.gateway(pool.authorizer(allowedAudience=["gateway123"]))
    assert hints(why(server, client.token(), cognito)) == ["use-allowed-clients"]
    scoped = make.gateway(pool.authorizer(client, allowedScopes=["invoke"]))
    report = why(server, client.token(), scoped)
    assert hints(report) == ["scope-exact"] and report["status"] == 403


def test_rule_by_rule_for_people(server, make):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway({"customJWTAuthorizer": {"discoveryUrl": pool.discovery_url, "allowedClients": [client.id.upper()]}})
    done = asks(server, "why", client.token(), gateway.id)
    assert done.returncode == 1
    assert done.stdout.count("holds") == 10 and done.stdout.count("FAILS") == 1
    assert "hint (client-id-case)" in done.stdout and "answers it with 401" in done.stdout
    assert done.stderr.startswith(f"error: the gateway {gateway.id} refuses it: its `client_id` is none")
    accepted = make.gateway(pool.authorizer(client))
    done = asks(server, "verify", client.token(), accepted.id)
    assert (done.returncode, done.stderr) == (0, "") and f"accepts it: its subject is {client.id}" in done.stdout


def test_a_token_is_read_from_standard_input(server, make):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    command = [binary(), "token", "verify", "-", "--gateway", gateway.id, "--data-dir", str(server.data_dir)]
    if server.database.url:
        command += ["--database", server.database.url]
    run = lambda text: subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, env=plain_environment(), check=False
    ).returncode
    assert run(client.token()) == 0
    assert run(f"Bearer {client.token()}\n") == 0
    assert run("") == 2
    assert run("x" * 200_000) == 1


def test_what_is_asked_wrongly_is_told_apart(server, make):
    pool = make.pool()
    token = pool.client("invoke").token()
    signed = make.gateway("AWS_IAM")
    for gateway in ("no-such-gateway", signed.id):
        done = asks(server, "why", token, gateway)
        assert done.returncode == 2 and done.stdout == "", done.stderr
    assert server.run("token", "why", token, check=False).returncode == 2


def test_an_issuer_elsewhere(server, make, idp):
    gateway = make.gateway(authorizer(idp, allowedAudience=["tools"], allowedScopes=["invoke"]))
    assert why(server, idp.token(scp=["invoke"]), gateway)["accepted"]
    assert why(server, idp.token(scp="read invoke"), gateway)["accepted"]
    now = int(time.time())
    for claims, codes in [
        ({"scope": "read"}, ["scope-not-granted"]),
        ({"scope": "invoke", "aud": "Tools"}, ["audience-exact"]),
        ({"scope": "invoke", "exp": now - 61}, ["expired"]),
        ({"scope": "invoke", "iat": now + 600}, ["clock"]),
        ({"scope": "invoke", "iss": "https://elsewhere.example"}, ["issuer-mismatch"]),
        ({"aud": None, "exp": now - 600}, ["expired", "audience-missing", "scope-missing"]),
    ]:
        assert hints(why(server, idp.token(**claims), gateway)) == codes, claims
    assert hints(why(server, idp.token(kid="two", scope="invoke"), gateway)) == ["key-unknown"]
    token = idp.token(scope="invoke")
    other = Idp()
    assert hints(why(server, idp.token(key=other.key, scope="invoke"), gateway)) == ["signature"]
    other.close()
    opened = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "k" * 32, algorithm="HS256")
    assert hints(why(server, opened, gateway)) == ["algorithm"]
    assert hints(why(server, "0p4qu3-t0k3n", gateway)) == ["opaque-token"]


def test_an_issuer_that_is_away(server, make):
    away = Idp()
    gateway = make.gateway(authorizer(away, allowedAudience=["tools"]))
    token = away.token(aud="Tools")
    away.close()
    report = json.loads(asks(server, "why", token, gateway.id, "--json").stdout)
    assert report["status"] == 503 and "cannot be fetched" in report["reason"]
    # What the token claims is looked at all the same.
    assert hints(report) == ["discovery-unreachable", "audience-exact"]


def provider(server, secret: str = SECRET, **discovery) -> str:
    made = scenery.name("oauth")
    server.client("bedrock-agentcore-control").create_oauth2_credential_provider(
        name=made,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={
            "customOauth2ProviderConfig": {
                "oauthDiscovery": discovery,
                "clientId": "the-client",
                "clientSecret": secret,
            }
        },
    )
    return made


def tries(server, made: str, *more) -> dict:
    """One try of a provider, which prints no secret."""
    done = server.run("identity", "test-provider", made, "--json", *more, check=False)
    text = server.run("identity", "test-provider", made, *more, check=False)
    for printed in (done.stdout, done.stderr, text.stdout, text.stderr):
        assert SECRET not in printed and base64.b64encode(f"the-client:{SECRET}".encode()).decode() not in printed
    [tried] = json.loads(done.stdout)
    assert done.returncode == text.returncode == (0 if tried["works"] else 1), done.stderr
    assert tried["name"] == made
    return tried


def test_providers_are_listed(server):
    control = server.client("bedrock-agentcore-control")
    key = scenery.name("key")
    control.create_api_key_credential_provider(name=key, apiKey=SECRET)
    oauth = provider(server, discoveryUrl="https://as.example.com/.well-known/openid-configuration")
    listed = {it["name"]: it for it in json.loads(server.run("identity", "list", "--json").stdout)}
    assert (listed[key]["kind"], listed[key]["vendor"]) == ("API_KEY", None)
    assert (listed[oauth]["kind"], listed[oauth]["vendor"]) == ("OAUTH", "CustomOauth2")
    assert listed[oauth]["createdAt"].endswith("Z")
    table = server.run("identity", "list").stdout
    assert key in table and "CustomOauth2" in table and SECRET not in table
    assert json.loads(server.run("identity", "list", "--json", "--region", "eu-west-1").stdout) == []
    assert json.loads(server.run("identity", "list", "--json", "--account", "111122223333").stdout) == []
    assert server.run("identity", "list", "--region", "nowhere!", check=False).returncode == 2


def test_a_provider_is_tried(server, make):
    control = server.client("bedrock-agentcore-control")
    key = scenery.name("key")
    control.create_api_key_credential_provider(name=key, apiKey=SECRET)
    assert tries(server, key) == {"name": key, "kind": "API_KEY", "works": True, "tokenExpiresAt": None, "failure": None}
    pool = make.pool()
    client = pool.client("invoke")
    made = scenery.name("oauth")
    config = {"oauthDiscovery": {"discoveryUrl": pool.aws_discovery_url}, "clientId": client.id, "clientSecret": client.secret}
    control.create_oauth2_credential_provider(
        name=made,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": config},
    )
    tried = tries(server, made)
    assert tried["works"] and tried["tokenExpiresAt"].endswith("Z")
    assert tries(server, made, "--scope", client.scopes[0])["works"]
    refused = tries(server, made, "--scope", "no/scope")["failure"]
    assert (refused["leg"], refused["error"], refused["status"]) == ("oauth", "invalid_scope", 400)
    assert server.run("identity", "test-provider", "no-such-provider", check=False).returncode == 2


def test_a_provider_that_fails_says_where(server, idp):
    def endpoint(url: str) -> dict:
        return {
            "authorizationServerMetadata": {
                "issuer": idp.issuer,
                "authorizationEndpoint": f"{idp.issuer}/authorize",
                "tokenEndpoint": url,
            }
        }

    failure = lambda **discovery: tries(server, provider(server, **discovery))["failure"]
    met = failure(**endpoint("https://no-such-host.invalid/token"))
    assert met["leg"] == "dns" and met["endpoint"] == "https://no-such-host.invalid/token"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        met = failure(**endpoint(f"http://127.0.0.1:{unused.getsockname()[1]}/token"))
        assert met["leg"] == "connect", met
    # A server that speaks no TLS.
    assert failure(**endpoint(f"https://127.0.0.1:{idp.port}/token"))["leg"] == "tls"
    assert failure(**endpoint("http://169.254.169.254/token"))["leg"] == "reach"
    met = failure(discoveryUrl=f"{idp.issuer}/nowhere/.well-known/openid-configuration")
    assert met["leg"] == "discovery" and "404" in met["reason"]
    met = failure(discoveryUrl=idp.discovery_url)
    assert met["leg"] == "discovery" and "token_endpoint" in met["reason"]
    # The scripted issuer knows no POST.
    met = failure(**endpoint(f"{idp.issuer}/token"))
    assert (met["leg"], met["status"]) == ("status", 501)


@pytest.mark.parametrize("written", ["the client may not", SECRET, base64.b64encode(SECRET.encode()).decode()])
def test_what_a_token_endpoint_says_is_told_without_the_secret(server, written):
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps({"error": "unauthorized_client", "error_description": f"no: {written}\x1b[31m"}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server_ = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server_.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server_.server_address[1]}"
    made = provider(
        server,
        authorizationServerMetadata={
            "issuer": base,
            "authorizationEndpoint": f"{base}/authorize",
            "tokenEndpoint": f"{base}/token",
        },
    )
    met = tries(server, made)["failure"]
    assert (met["leg"], met["error"], met["status"]) == ("oauth", "unauthorized_client", 400)
    assert met["said"].startswith("unauthorized_client: no: ") and "client credentials grant" in met["reason"]
    if written != SECRET and not written.startswith("the"):
        assert written not in met["said"]
    text = server.run("identity", "test-provider", made, check=False).stdout
    assert "the server says: unauthorized_client: no: " in text and "\x1b" not in text
    server_.shutdown()
    server_.server_close()
