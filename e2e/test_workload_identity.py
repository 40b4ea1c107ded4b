"""Workload identities: their tokens, and what agents get with them, by boto3 and the AgentCore SDK's own decorators."""

import json
import subprocess
import sys
import time

import jwt
import pytest

import idp
from outbound import KEY, VAULT, api_key, assert_silent, oauth
from portcullis import ACCOUNT, REGION, Server
from scenery import allow, name, refusal, trail

DIRECTORY = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:workload-identity-directory/default"

PROGRAM = """
import asyncio, json, sys
from bedrock_agentcore.identity.auth import requires_access_token, requires_api_key

key_provider, token_provider, scope = sys.argv[1:]

@requires_api_key(provider_name=key_provider)
def with_key(*, api_key: str):
    return api_key

@requires_access_token(provider_name=token_provider, scopes=[scope], auth_flow="M2M")
async def with_token(*, access_token: str):
    return access_token

print(json.dumps({"key": with_key(), "token": asyncio.run(with_token())}))
"""


@pytest.fixture(scope="module")
def issuer():
    running = idp.Idp()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    settings = f'[identity]\ntrusted-issuers = ["{issuer.discovery_url}"]'
    with Server(tmp_path_factory.mktemp("workloads"), settings=settings) as running:
        yield running


@pytest.fixture
def workload(control):
    made = name("workload")
    control.create_workload_identity(name=made)
    return made


def provider_of(configuration: dict) -> str:
    [inner] = configuration["credentialProvider"].values()
    return inner["providerArn"].rpartition("/")[2]


def test_an_identity_lives_and_goes(control):
    made = name("workload")
    urls = ["https://app.example/callback", "myapp://done"]
    created = control.create_workload_identity(name=made, allowedResourceOauth2ReturnUrls=urls, tags={"team": "a"})
    assert created["workloadIdentityArn"] == f"{DIRECTORY}/workload-identity/{made}"
    assert refusal(control.create_workload_identity, name=made)[:2] == (409, "ConflictException")
    seen = control.get_workload_identity(name=made)
    assert seen["allowedResourceOauth2ReturnUrls"] == urls and seen["createdTime"] == seen["lastUpdatedTime"]
    arn = created["workloadIdentityArn"]
    control.tag_resource(resourceArn=arn, tags={"stage": "b"})
    assert control.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a", "stage": "b"}
    control.update_workload_identity(name=made, allowedResourceOauth2ReturnUrls=urls[:1])
    assert control.get_workload_identity(name=made)["allowedResourceOauth2ReturnUrls"] == urls[:1]
    for url in ("javascript:alert(1)", "https://app.example/#fragment", "data:text/html,x"):
        refused = refusal(control.update_workload_identity, name=made, allowedResourceOauth2ReturnUrls=[url])
        assert refused[:2] == (400, "ValidationException") and "a browser" in refused[2]
    pages = control.get_paginator("list_workload_identities").paginate(PaginationConfig={"PageSize": 1})
    listed = [entry["name"] for page in pages for entry in page["workloadIdentities"]]
    assert made in listed and listed == sorted(listed)
    control.delete_workload_identity(name=made)
    assert refusal(control.get_workload_identity, name=made)[:2] == (404, "ResourceNotFoundException")
    assert refusal(control.list_tags_for_resource, resourceArn=arn)[:2] == (404, "ResourceNotFoundException")


def test_the_decorators_of_the_sdk_get_a_key_and_a_token(server, make, tmp_path):
    pool = make.pool()
    client = pool.client("invoke")
    providers = [provider_of(api_key(server)), provider_of(oauth(server, pool, client))]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *providers, client.scopes[0]],
        env=server.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The SDK says on the way what it makes.
    got = json.loads(done.stdout.splitlines()[-1])
    assert got["key"] == KEY
    claims = jwt.decode(got["token"], options={"verify_signature": False})
    assert (claims["client_id"], claims["scope"]) == (client.id, client.scopes[0])
    # What was handed out is in the trail, and nothing of it.
    gone_out = lambda event: event["action"] == "bedrock-agentcore:GetResourceOauth2Token" and event["outcome"] == "success"
    assert make.audited(gone_out)[0]["resource"].endswith(providers[1])
    for secret in (KEY, got["token"], client.secret):
        assert_silent("the log", server.log(), secret)
        assert_silent("the trail", json.dumps(trail(server)), secret)


def test_answers_with_secrets_are_not_kept_on_the_way(data, workload):
    answer = data.get_workload_access_token(workloadName=workload)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["cache-control"] == "no-store"


def test_a_token_is_of_its_workload_and_ends_with_it(server, control, data, workload):
    provider = provider_of(api_key(server))
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    ask = lambda given: data.get_resource_api_key(
        workloadIdentityToken=given, resourceCredentialProviderName=provider
    )
    assert ask(token)["apiKey"] == KEY
    forged = ("A" if token[40] != "A" else "B").join([token[:40], token[41:]])
    for wrong in (forged, token[:-4], "x", token + "AAAA"):
        assert refusal(ask, given=wrong)[:2] == (401, "UnauthorizedException")
    control.delete_workload_identity(name=workload)
    assert refusal(ask, given=token)[:2] == (401, "UnauthorizedException")
    # One of the same name is another.
    control.create_workload_identity(name=workload)
    status, code, message = refusal(ask, given=token)
    assert (status, code) == (401, "UnauthorizedException") and "revoked" in message
    assert refusal(data.get_workload_access_token, workloadName="nobody")[:2] == (404, "ResourceNotFoundException")


def test_another_region_is_another_directory(server, workload, data):
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    elsewhere = server.session().client("bedrock-agentcore", region_name="eu-central-1", endpoint_url=server.endpoint)
    ask = lambda: elsewhere.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName="any")
    assert refusal(ask)[:2] == (401, "UnauthorizedException")


def test_a_users_token_is_verified_whole(make, data, workload, issuer):
    ask = lambda token: data.get_workload_access_token_for_jwt(workloadName=workload, userToken=token)
    now = int(time.time())
    good = issuer.token(sub="ada", aud="app")
    assert ask(good)["workloadAccessToken"]
    for wrong, why in [
        (issuer.token(sub="ada", exp=now - 3600), "exp"),
        (good[:-8] + "AAAAAAAA", "signature"),
        (issuer.token(sub="ada", iss="https://login.stranger.example"), "issuer"),
        (issuer.token(sub=None), "sub"),
    ]:
        status, code, message = refusal(ask, token=wrong)
        assert (status, code) == (400, "ValidationException") and why in message, message
    # Client-credentials tokens of a pool of the account have a subject too.
    client = make.pool().client("invoke")
    assert ask(client.token())["workloadAccessToken"]


def test_policies_say_for_whom_a_workload_may_act(make, data, workload, issuer):
    condition = {"StringLike": {"bedrock-agentcore:userid": "cognito+*"}}
    by_id = allow("bedrock-agentcore:GetWorkloadAccessTokenForUserId")
    by_id["Statement"][0]["Condition"] = condition
    by_id["Statement"].append(
        {
            "Effect": "Allow",
            "Action": "bedrock-agentcore:GetWorkloadAccessTokenForJWT",
            "Resource": [DIRECTORY, f"{DIRECTORY}/workload-identity/{workload}"],
            "Condition": {"StringEquals": {"bedrock-agentcore:InboundJwtClaim/sub": "ada"}},
        }
    )
    theirs = make.user(by_id).client("bedrock-agentcore")
    assert theirs.get_workload_access_token_for_user_id(workloadName=workload, userId="cognito+7")
    for_id = theirs.get_workload_access_token_for_user_id
    assert refusal(for_id, workloadName=workload, userId="okta+7")[:2] == (403, "AccessDeniedException")
    for_jwt = theirs.get_workload_access_token_for_jwt
    assert for_jwt(workloadName=workload, userToken=issuer.token(sub="ada"))["workloadAccessToken"]
    assert refusal(for_jwt, workloadName=workload, userToken=issuer.token(sub="bob"))[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize("missing", ["directory", "workload", "vault", "provider", "secret"])
def test_every_resource_on_the_way_is_asked_about(server, make, data, control, workload, missing):
    provider = provider_of(api_key(server))
    secret = control.get_api_key_credential_provider(name=provider)["apiKeySecretArn"]["secretArn"]
    resources = {
        "directory": DIRECTORY,
        "workload": f"{DIRECTORY}/workload-identity/{workload}",
        "vault": VAULT,
        "provider": f"{VAULT}/apikeycredentialprovider/{provider}",
        "secret": secret,
    }
    kept = [arn for which, arn in resources.items() if which != missing]
    actions = ["bedrock-agentcore:GetResourceApiKey", "secretsmanager:GetSecretValue"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": kept}]}
    theirs = make.user(policy).client("bedrock-agentcore")
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    ask = lambda: theirs.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=provider)
    status, code, message = refusal(ask)
    assert (status, code) == (403, "AccessDeniedException") and resources[missing] in message, message


def test_what_a_provider_cannot_give_is_said(server, make, data, workload):
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    key = provider_of(api_key(server))
    as_token = lambda provider, **more: data.get_resource_oauth2_token(
        **{
            "workloadIdentityToken": token,
            "resourceCredentialProviderName": provider,
            "scopes": [],
            "oauth2Flow": "M2M",
            **more,
        }
    )
    assert refusal(as_token, provider=key)[:2] == (404, "ResourceNotFoundException")
    pool = make.pool()
    client = pool.client("invoke")
    provider = provider_of(oauth(server, pool, client))
    status, code, message = refusal(as_token, provider=provider, scopes=["not/there"])
    assert (status, code) == (400, "ValidationException") and "invalid_scope" in message and client.secret not in message
    refused = refusal(as_token, provider=provider, customParameters={"grant_type": "password"})
    assert refused[:2] == (400, "ValidationException") and "grant_type" in refused[2]
    two = {"resources": ["https://a.example", "https://b.example"]}
    assert refusal(as_token, provider=provider, **two)[:2] == (400, "ValidationException")
    for wrong, field in (
        ({"scopes": ['tools/"read"']}, "scopes"),
        ({"resources": ["api.example"]}, "resources"),
        ({"resources": ["https://a.example/#part"]}, "resources"),
        ({"resources": ["https://a.example"], "customParameters": {"resource": "https://b.example"}}, "say it once"),
    ):
        refused = refusal(as_token, provider=provider, **wrong)
        assert refused[:2] == (400, "ValidationException") and field in refused[2], refused
    # One that nobody else asked for is another token.
    assert as_token(provider, scopes=client.scopes)["accessToken"]


def test_a_gateway_has_an_identity_of_its_own(control, data, make):
    gateway = make.gateway()
    arn = f"{DIRECTORY}/workload-identity/{gateway.id}"
    seen = control.get_gateway(gatewayIdentifier=gateway.id)
    assert seen["workloadIdentityDetails"] == {"workloadIdentityArn": arn}
    pages = control.get_paginator("list_workload_identities").paginate()
    listed = [entry["workloadIdentityArn"] for page in pages for entry in page["workloadIdentities"]]
    assert listed.count(arn) == 1 and control.get_workload_identity(name=gateway.id)["workloadIdentityArn"] == arn
    members = ("name", "roleArn", "protocolType", "authorizerType", "authorizerConfiguration")
    again = {member: seen[member] for member in members if member in seen}
    updated = control.update_gateway(gatewayIdentifier=gateway.id, **again)
    assert updated["workloadIdentityDetails"] == {"workloadIdentityArn": arn}
    # It is the service's: nobody removes it, or gets a token for it by hand. Where its people are sent, its owner says.
    app = ["https://app.example/callback"]
    assert control.update_workload_identity(name=gateway.id, allowedResourceOauth2ReturnUrls=app)["allowedResourceOauth2ReturnUrls"] == app
    linked = "WorkloadIdentity is linked to a service and cannot"
    for call, request, what in (
        (control.delete_workload_identity, {"name": gateway.id}, "be deleted"),
        (data.get_workload_access_token, {"workloadName": gateway.id}, "retrieve an access token"),
        (data.get_workload_access_token_for_user_id, {"workloadName": gateway.id, "userId": "a"}, "retrieve an access token"),
    ):
        assert refusal(call, **request) == (400, "ValidationException", f"{linked} {what} by the caller")
    control.delete_gateway(gatewayIdentifier=gateway.id)
    assert refusal(control.get_workload_identity, name=gateway.id)[:2] == (404, "ResourceNotFoundException")


def test_the_tokens_of_a_workload_are_revoked(server, control, data, workload, make):
    provider = provider_of(api_key(server))
    other = name("workload")
    control.create_workload_identity(name=other)
    token, others = (data.get_workload_access_token(workloadName=it)["workloadAccessToken"] for it in (workload, other))
    ask = lambda given: data.get_resource_api_key(workloadIdentityToken=given, resourceCredentialProviderName=provider)
    assert ask(token)["apiKey"] == KEY
    said = server.run("identity", "revoke", workload).stdout
    assert workload in said and "has ended" in said
    status, code, message = refusal(ask, given=token)
    assert (status, code) == (401, "UnauthorizedException") and "revoked" in message
    # The workload and every other one go on.
    again = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    assert ask(again)["apiKey"] == ask(others)["apiKey"] == KEY
    told = json.loads(server.run("identity", "revoke", workload, "--json").stdout)
    assert told == {"name": workload, "arn": f"{DIRECTORY}/workload-identity/{workload}", "generation": 3}
    assert refusal(ask, given=again)[:2] == (401, "UnauthorizedException")
    make.audited(lambda event: event["action"] == "identity.revoke" and event["resource"] == told["arn"])
    done = server.run("identity", "revoke", "no-such-workload", check=False)
    assert done.returncode != 0 and "there is no workload identity no-such-workload" in done.stderr
