"""Tokens on behalf of people, by the AgentCore SDK's own decorator and boto3: the person's token goes to an authorization
server that verifies whatever it is sent."""

import concurrent.futures
import json
import subprocess
import sys
import time

import botocore.config
import jwt
import pytest

import echo_service
from exchange_server import ACCESS_TOKEN, BEARER, EXCHANGE, JWT, AuthorizationServer
from outbound import VAULT, assert_silent, with_credential
from portcullis import ONCE, Server
from scenery import name, refusal, trail
from wire import Wire

PROGRAM = """
import asyncio, json, sys
from bedrock_agentcore.identity.auth import requires_access_token
from bedrock_agentcore.runtime import BedrockAgentCoreContext

workload_token, provider, audience = sys.argv[1:]
BedrockAgentCoreContext.set_workload_access_token(workload_token)

@requires_access_token(
    provider_name=provider,
    scopes=["mail.read"],
    auth_flow="ON_BEHALF_OF_TOKEN_EXCHANGE",
    audiences=[audience],
)
async def on_behalf(*, access_token: str):
    return access_token

print(json.dumps(asyncio.run(on_behalf())))
"""


@pytest.fixture(scope="module")
def issuer():
    running = AuthorizationServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    settings = f'[identity]\ntrusted-issuers = ["{issuer.discovery_url}"]'
    with Server(tmp_path_factory.mktemp("exchange"), settings=settings) as running:
        yield running


@pytest.fixture
def workload(control):
    made = name("workload")
    control.create_workload_identity(name=made)
    return made


def provider(control, issuer, client: dict, how: dict | None = None, **more) -> str:
    made = name("exchange")
    methods = {"basic": "CLIENT_SECRET_BASIC", "post": "CLIENT_SECRET_POST"}
    config = {
        "oauthDiscovery": {"discoveryUrl": issuer.discovery_url},
        "clientId": client["id"],
        "clientSecret": client["secret"] or "unused",
        "clientAuthenticationMethod": methods.get(client["method"], "CLIENT_SECRET_BASIC"),
        **more,
    }
    if how:
        config["onBehalfOfTokenExchangeConfig"] = how
    request = {
        "name": made,
        "credentialProviderVendor": "CustomOauth2",
        "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": config},
    }
    answered = control.create_oauth2_credential_provider(**request)["oauth2ProviderConfigOutput"]
    assert answered["customOauth2ProviderConfig"].get("onBehalfOfTokenExchangeConfig") == how
    return made


def asker(data, workload: str, person: str, provider: str):
    token = data.get_workload_access_token_for_jwt(workloadName=workload, userToken=person)["workloadAccessToken"]

    def ask(scopes=("mail.read",), **more) -> str:
        request = {"workloadIdentityToken": token, "resourceCredentialProviderName": provider, "scopes": list(scopes)}
        return data.get_resource_oauth2_token(oauth2Flow="ON_BEHALF_OF_TOKEN_EXCHANGE", **{**request, **more})["accessToken"]

    return ask


def claims(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


M2M_ACTOR = {
    "grantType": "TOKEN_EXCHANGE",
    "tokenExchangeGrantTypeConfig": {"actorTokenContent": "M2M", "actorTokenScopes": ["act"]},
}
PLAIN = {"grantType": "TOKEN_EXCHANGE", "tokenExchangeGrantTypeConfig": {"actorTokenContent": "NONE"}}


def test_the_decorator_of_the_sdk_gets_a_token_for_the_person(server, make, control, data, workload, issuer, tmp_path):
    client = issuer.client()
    made = provider(control, issuer, client, M2M_ACTOR)
    person = issuer.token(sub="ada")
    token = data.get_workload_access_token_for_jwt(workloadName=workload, userToken=person)["workloadAccessToken"]
    arguments = [token, made, "https://mail.example"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=server.env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout.splitlines()[-1])
    said = jwt.decode(got, issuer.key.public_key(), algorithms=["RS256"], audience="https://mail.example")
    assert (said["sub"], said["client_id"], said["scope"]) == ("ada", client["id"], "mail.read")
    # The client acts, by a token of its own with the scopes that it is given for that.
    assert said["act"] == {"sub": client["id"], "scope": "act"}
    form = issuer.requests[-1]
    assert (form["grant_type"], form["subject_token_type"], form["actor_token_type"]) == (EXCHANGE, JWT, ACCESS_TOKEN)
    gone_out = lambda event: event["action"] == "bedrock-agentcore:GetResourceOauth2Token" and event["outcome"] == "success"
    assert make.audited(gone_out)[-1]["resource"].endswith(made)
    for secret in (got, person, form["actor_token"], client["secret"]):
        assert_silent("the log", server.log(), secret)
        assert_silent("the trail", json.dumps(trail(server)), secret)


def test_a_token_is_for_one_person_workload_and_purpose(control, data, workload, issuer):
    made = provider(control, issuer, issuer.client(method="post"), PLAIN)
    person = issuer.token(sub="ada")
    ask = asker(data, workload, person, made)
    first = ask()
    assert ask() == first and "act" not in claims(first)
    # Another workload access token for the same token of the same person is the same party.
    assert asker(data, workload, person, made)() == first
    other = name("workload")
    control.create_workload_identity(name=other)
    others = [
        ask(scopes=["mail.send"]),
        ask(audiences=["https://mail.example"]),
        ask(resources=["https://mail.example"]),
        ask(customParameters={"tenant": "b"}),
        asker(data, other, person, made)(),
        asker(data, workload, issuer.token(sub="bob"), made)(),
        # A token that says less must not get what one that says more got.
        asker(data, workload, issuer.token(sub="ada", scope="less"), made)(),
    ]
    assert len({first, *others}) == 8
    assert [claims(it)["sub"] for it in others] == ["ada"] * 5 + ["bob", "ada"]


def test_a_persons_token_may_be_the_grant_itself(control, data, workload, issuer):
    made = provider(control, issuer, issuer.client(), {"grantType": "JWT_AUTHORIZATION_GRANT"})
    person = issuer.token(sub="ada")
    extra = {"requested_token_use": "on_behalf_of"}
    got = asker(data, workload, person, made)(customParameters=extra)
    assert claims(got)["sub"] == "ada"
    form = issuer.requests[-1]
    assert (form["grant_type"], form["assertion"]) == (BEARER, person) and form.items() >= extra.items()


def test_a_client_need_not_be_named(control, data, workload, issuer):
    how = {**PLAIN, "onBehalfOfAuthenticationConfig": {"clientAuthenticationMethod": "NO_CLIENT"}}
    nobody = issuer.client(id="nobody", method="none", secret=None)
    made = provider(control, issuer, nobody, how)
    assert claims(asker(data, workload, issuer.token(sub="ada"), made)())["sub"] == "ada"
    assert not {"client_id", "client_secret"} & set(issuer.requests[-1])


def test_what_cannot_be_exchanged_is_said(control, data, workload, issuer):
    made = provider(control, issuer, issuer.client(), PLAIN)
    plain = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    for_id = data.get_workload_access_token_for_user_id(workloadName=workload, userId="ada")["workloadAccessToken"]
    ask = asker(data, workload, issuer.token(sub="ada"), made)
    for token in (plain, for_id):
        status, code, message = refusal(ask, workloadIdentityToken=token)
        assert (status, code) == (400, "ValidationException") and "GetWorkloadAccessTokenForJWT" in message, message
    # The server's own word, as it has one, and nothing that it wrote freely.
    person = issuer.token(sub="ada", aud="elsewhere")
    status, code, message = refusal(asker(data, workload, person, made))
    assert (status, code) == (400, "ValidationException") and "invalid_grant" in message and "Audience" not in message
    unsaid = provider(control, issuer, issuer.client())
    status, code, message = refusal(asker(data, workload, issuer.token(sub="ada"), unsaid))
    assert (status, code) == (400, "ValidationException") and "onBehalfOfTokenExchangeConfig" in message
    for parameter in ("subject_token", "actor_token", "assertion"):
        refused = refusal(ask, customParameters={parameter: "x"})
        assert refused[:2] == (400, "ValidationException") and parameter in refused[2]
    for how in (
        {"grantType": "JWT_AUTHORIZATION_GRANT", "tokenExchangeGrantTypeConfig": {"actorTokenContent": "NONE"}},
        {"grantType": "TOKEN_EXCHANGE", "tokenExchangeGrantTypeConfig": {"actorTokenContent": "NONE", "actorTokenScopes": ["a"]}},
    ):
        assert refusal(provider, control, issuer, issuer.client(), how)[:2] == (400, "ValidationException")


def test_a_token_is_asked_for_again_shortly_before_its_end(control, data, workload, issuer):
    made = provider(control, issuer, issuer.client(life=1), PLAIN)
    ask = asker(data, workload, issuer.token(sub="ada"), made)
    first, began = ask(), time.monotonic()
    asked = began
    while (again := ask()) == first:
        assert asked - began < 1.5, "it was given out after its end"
        asked = time.monotonic()
    assert claims(again)["sub"] == "ada"


@pytest.mark.parametrize("flow", ["M2M", "ON_BEHALF_OF_TOKEN_EXCHANGE"])
def test_two_hundred_who_ask_at_once_make_one_request(server, control, data, workload, issuer, flow):
    made = provider(control, issuer, issuer.client(), M2M_ACTOR)
    person = issuer.token(sub="ada")
    token = data.get_workload_access_token_for_jwt(workloadName=workload, userToken=person)["workloadAccessToken"]
    crowd = server.client("bedrock-agentcore", config=ONCE.merge(botocore.config.Config(max_pool_connections=200)))
    request = {"workloadIdentityToken": token, "resourceCredentialProviderName": made, "scopes": [], "oauth2Flow": flow}
    before, issuer.slowness = len(issuer.requests), 1.0
    try:
        with concurrent.futures.ThreadPoolExecutor(200) as many:
            got = list(many.map(lambda _: crowd.get_resource_oauth2_token(**request)["accessToken"], range(200)))
    finally:
        issuer.slowness = 0.0
    grants = [form["grant_type"] for form in issuer.requests[before:]]
    assert len(set(got)) == 1
    assert grants == {"M2M": ["client_credentials"], "ON_BEHALF_OF_TOKEN_EXCHANGE": ["client_credentials", EXCHANGE]}[flow]


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


def test_a_gateway_calls_with_what_its_callers_token_became(server, make, control, issuer, service):
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    gateway = make.gateway(authorizer, roleArn=make.vault_role())
    made = provider(control, issuer, issuer.client(), M2M_ACTOR)
    outbound = {
        "providerArn": f"{VAULT}/oauth2credentialprovider/{made}",
        "scopes": ["mail.read"],
        "grantType": "TOKEN_EXCHANGE",
        "customParameters": {"audience": "https://mail.example"},
    }
    credential = {"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": outbound}}
    document = {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}
    assert with_credential(gateway, "Echo", document, credential)["status"] == "READY"
    before = len(issuer.requests)

    def call(token: str) -> dict:
        wire = Wire(gateway.url, token)
        return wire.call("tools/call", {"name": "Echo___echo", "arguments": {"id": "1", "q": "2"}})["result"]

    people = {sub: issuer.token(sub=sub) for sub in ("ada", "bob")}
    for sub in ("ada", "ada", "bob"):
        answer = call(people[sub])
        assert not answer["isError"], answer
        shown = service.seen[-1]["headers"]["authorization"].removeprefix("Bearer ")
        said = jwt.decode(shown, issuer.key.public_key(), algorithms=["RS256"], audience="https://mail.example")
        assert (said["sub"], said["scope"]) == (sub, "mail.read") and shown not in people.values()
        for secret in (shown, people[sub]):
            assert_silent("the answer", json.dumps(answer), secret)
            assert_silent("the log", server.log(), secret)
    # One exchange for each person, and one token of the client that acts for both.
    assert sorted(form["grant_type"] for form in issuer.requests[before:]) == ["client_credentials", EXCHANGE, EXCHANGE]

    # Where callers have no token of their own, there is nothing to exchange.
    signed = make.gateway("AWS_IAM", roleArn=make.vault_role())
    status, code, message = refusal(with_credential, signed, "Echo", document, credential)
    assert (status, code) == (400, "ValidationException") and "TOKEN_EXCHANGE" in message and "CUSTOM_JWT" in message
