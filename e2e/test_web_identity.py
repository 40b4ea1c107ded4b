"""Tokens that say to others who an identity of an account is: by boto3 and the AgentCore SDK, verified by PyJWT from the
issuer's URL alone, and taken by an authorization server as the client and as who acts."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import botocore.config
import jwt
import pytest
import requests

import echo_service
from exchange_server import AuthorizationServer
from outbound import VAULT, assert_silent
from portcullis import ACCOUNT, ONCE, REGION, Server
from scenery import GATEWAY_TRUST, allow, name, refusal, trail
from test_http_credentials import http_target
from test_token_exchange import asker, claims, provider

NAMESPACE = "https://sts.amazonaws.com/"
SELF = f"arn:aws:sts::{ACCOUNT}:self"

PROGRAM = """
import json
from bedrock_agentcore.identity.auth import requires_iam_access_token

@requires_iam_access_token(audience=["https://api.example"], tags=[{"Key": "team", "Value": "a"}])
def with_token(*, access_token: str):
    return access_token

print(json.dumps(with_token()))
"""


@pytest.fixture(scope="module")
def people():
    running = AuthorizationServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, people):
    settings = f'[identity]\ntrusted-issuers = ["{people.discovery_url}"]'
    with Server(tmp_path_factory.mktemp("web-identity"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def issuer(server) -> str:
    """The account's issuer, which is there from its first enabling on."""
    iam = server.client("iam")
    assert refusal(iam.get_outbound_web_identity_federation_info)[1] == "FeatureDisabled"
    ask = lambda: server.client("sts").get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384")
    assert refusal(ask)[:2] == (403, "OutboundWebIdentityFederationDisabledException")
    url = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert refusal(iam.enable_outbound_web_identity_federation)[:2] == (409, "FeatureEnabled")
    info = iam.get_outbound_web_identity_federation_info()
    assert (info["IssuerIdentifier"], info["JwtVendingEnabled"]) == (url, True)
    return url


def discovered(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=10) as answer:
        return json.load(answer)


def verified(token: str, issuer: str, audience: str) -> dict:
    """As whoever knows the issuer's URL and nothing else verifies it."""
    metadata = discovered(issuer)
    assert metadata["issuer"] == issuer
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    algorithms = metadata["id_token_signing_alg_values_supported"]
    return jwt.decode(token, key.key, algorithms=algorithms, audience=audience, issuer=issuer)


@pytest.mark.parametrize("algorithm", ["ES384", "RS256"])
def test_a_token_says_who_the_caller_is(server, make, issuer, algorithm):
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = make.role({"Version": "2012-10-17", "Statement": [trust]}, allow("sts:*"))
    session = server.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    sts = server.client("sts", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    tags = [{"Key": "job", "Value": "7"}, {"Key": "team", "Value": "a"}]
    asked = {"Audience": ["https://api.example", "other"], "SigningAlgorithm": algorithm, "DurationSeconds": 600, "Tags": tags}
    answer = sts.get_web_identity_token(**asked)
    token = answer["WebIdentityToken"]
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    said = verified(token, issuer, "other")
    assert (said["sub"], said["aud"], said["exp"] - said["iat"]) == (role, asked["Audience"], 600)
    assert answer["Expiration"].timestamp() == said["exp"]
    own = said[NAMESPACE]
    assert (own["aws_account"], own["source_region"]) == (ACCOUNT, REGION)
    assert own["principal_id"].endswith("/tests") and own["request_tags"] == {"job": "7", "team": "a"}
    another = sts.get_web_identity_token(**asked)["WebIdentityToken"]
    assert claims(another)["jti"] != said["jti"]
    with pytest.raises(jwt.InvalidAudienceError):
        verified(token, issuer, "elsewhere")
    make.audited(lambda event: event["action"] == "sts:GetWebIdentityToken" and event["outcome"] == "success")
    assert_silent("the log", server.log(), token)
    assert_silent("the trail", json.dumps(trail(server)), token)
    # It does not outlive the session.
    short = server.client("sts").assume_role(RoleArn=role, RoleSessionName="short", DurationSeconds=900)["Credentials"]
    theirs = server.client("sts", short["AccessKeyId"], short["SecretAccessKey"], short["SessionToken"])
    refused = refusal(theirs.get_web_identity_token, **{**asked, "DurationSeconds": 3600})
    assert refused[:2] == (403, "SessionDurationEscalationException")


def test_the_decorator_of_the_sdk_gets_one(server, issuer, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=server.env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = verified(json.loads(done.stdout.splitlines()[-1]), issuer, "https://api.example")
    assert said["sub"] == f"arn:aws:iam::{ACCOUNT}:root" and said["exp"] - said["iat"] == 300


def test_policies_say_for_whom_and_how_long(make, issuer):
    policy = allow("sts:GetWebIdentityToken")
    policy["Statement"][0] |= {
        "Resource": SELF,
        "Condition": {
            "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["https://api.example"]},
            "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
            "StringEquals": {"sts:SigningAlgorithm": "ES384"},
        },
    }
    theirs = make.user(policy).client("sts")
    good = {"Audience": ["https://api.example"], "SigningAlgorithm": "ES384"}
    assert theirs.get_web_identity_token(**good)["WebIdentityToken"]
    for more in (
        {"Audience": ["https://api.example", "https://other.example"]},
        {"DurationSeconds": 301},
        {"SigningAlgorithm": "RS256"},
        # Tags are a permission of their own.
        {"Tags": [{"Key": "team", "Value": "a"}]},
    ):
        status, code, message = refusal(theirs.get_web_identity_token, **{**good, **more})
        assert (status, code) == (403, "AccessDenied") and SELF in message, (more, message)
    nobody = make.user(allow("sts:GetCallerIdentity")).client("sts")
    assert refusal(nobody.get_web_identity_token, **good)[:2] == (403, "AccessDenied")


def test_what_is_asked_is_bounded(server, issuer):
    sts = server.client("sts", config=ONCE.merge(botocore.config.Config(parameter_validation=False)))
    ask = lambda **more: sts.get_web_identity_token(**{"Audience": ["a"], "SigningAlgorithm": "ES384", **more})
    tag = lambda key: {"Key": key, "Value": "v" * 256}
    for more, code in [
        ({"SigningAlgorithm": "HS256"}, "ValidationError"),
        ({"DurationSeconds": 59}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"Audience": ["a"] * 11}, "ValidationError"),
        ({"Tags": [tag("k"), tag("k")]}, "ValidationError"),
        ({"Tags": [tag(f"{number:0128}") for number in range(50)]}, "JWTPayloadSizeExceededException"),
    ]:
        assert refusal(ask, **more)[:2] == (400, code), more


def test_an_issuer_keeps_its_name_and_what_it_said(server, issuer):
    sts, iam = server.client("sts"), server.client("iam")
    token = sts.get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384")["WebIdentityToken"]
    iam.disable_outbound_web_identity_federation()
    ask = lambda: sts.get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384")
    assert refusal(ask)[:2] == (403, "OutboundWebIdentityFederationDisabledException")
    assert refusal(iam.disable_outbound_web_identity_federation)[1] == "FeatureDisabled"
    assert verified(token, issuer, "a")
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer
    assert verified(ask()["WebIdentityToken"], issuer, "a")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        discovered(issuer[:-4] + "0000")


@pytest.fixture
def as_the_client(people, issuer) -> dict:
    """A client that is known by the tokens of the account's root."""
    root = f"arn:aws:iam::{ACCOUNT}:root"
    return people.client(
        method="assertion", secret="", jwks=discovered(issuer)["jwks_uri"], assertion_issuer=issuer, assertion_subject=root
    )


@pytest.fixture
def workload(server):
    made = name("workload")
    server.client("bedrock-agentcore-control").create_workload_identity(name=made)
    return made


def by_assertion(server, people, client: dict, how: dict | None = None) -> str:
    control = server.client("bedrock-agentcore-control")
    made = name("asserted")
    config = {
        "oauthDiscovery": {"discoveryUrl": people.discovery_url},
        "clientId": client["id"],
        "clientAuthenticationMethod": "AWS_IAM_ID_TOKEN_JWT",
    }
    if how:
        config["onBehalfOfTokenExchangeConfig"] = how
    request = {"name": made, "credentialProviderVendor": "CustomOauth2"}
    control.create_oauth2_credential_provider(**request, oauth2ProviderConfigInput={"customOauth2ProviderConfig": config})
    shown = control.get_oauth2_credential_provider(name=made)["oauth2ProviderConfigOutput"]["customOauth2ProviderConfig"]
    assert shown["clientAuthenticationMethod"] == "AWS_IAM_ID_TOKEN_JWT"
    config["clientSecret"] = "a-secret-too"
    again = {**request, "name": name("asserted"), "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": config}}
    assert refusal(control.create_oauth2_credential_provider, **again)[:2] == (400, "ValidationException")
    return made


def test_a_client_proves_itself_by_who_asks(server, make, people, as_the_client, workload):
    made = by_assertion(server, people, as_the_client)
    data = server.client("bedrock-agentcore")
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    request = {"workloadIdentityToken": token, "resourceCredentialProviderName": made, "scopes": ["a"], "oauth2Flow": "M2M"}
    first = data.get_resource_oauth2_token(**request)["accessToken"]
    assert claims(first)["sub"] == as_the_client["id"]
    assert as_the_client["asserted"]["aud"] == people.token_endpoint
    assert "client_secret" not in people.requests[-1]
    assert data.get_resource_oauth2_token(**request)["accessToken"] == first
    # Whoever may not speak for themselves there gets nothing, not even what another got.
    policy = allow("bedrock-agentcore:*", "secretsmanager:GetSecretValue")
    theirs = make.user(policy).client("bedrock-agentcore")
    status, code, message = refusal(theirs.get_resource_oauth2_token, **request)
    assert (status, code) == (403, "AccessDeniedException") and "sts:GetWebIdentityToken" in message, message
    speak = {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*"}
    speak["Condition"] = {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": [people.token_endpoint]}}
    policy["Statement"].append(speak)
    theirs = make.user(policy).client("bedrock-agentcore")
    status, code, message = refusal(theirs.get_resource_oauth2_token, **request)
    # The server knows the root, and not them: they are another client to it.
    assert (status, code) == (400, "ValidationException") and "invalid_client" in message, message


def test_who_asks_acts_for_the_person(server, people, issuer, workload):
    people.trusted[issuer] = discovered(issuer)["jwks_uri"]
    control, data = server.client("bedrock-agentcore-control"), server.client("bedrock-agentcore")
    how = {"grantType": "TOKEN_EXCHANGE", "tokenExchangeGrantTypeConfig": {"actorTokenContent": "AWS_IAM_ID_TOKEN_JWT"}}
    made = provider(control, people, people.client(), how)
    began = time.time()
    said = claims(asker(data, workload, people.token(sub="ada"), made)())
    assert said["sub"] == "ada" and said["act"]["sub"] == f"arn:aws:iam::{ACCOUNT}:root"
    actor = claims(people.requests[-1]["actor_token"])
    assert actor["aud"] == people.token_endpoint and actor["exp"] - began <= 301


def test_a_gateways_role_speaks_for_itself(server, make, people, issuer):
    service = echo_service.Service()
    use = ("bedrock-agentcore:GetResourceOauth2Token", "secretsmanager:GetSecretValue")
    mute, role = make.role(GATEWAY_TRUST, allow(*use)), make.role(GATEWAY_TRUST, allow(*use, "sts:GetWebIdentityToken"))
    jwks = discovered(issuer)["jwks_uri"]
    client = people.client(method="assertion", secret=None, jwks=jwks, assertion_issuer=issuer, assertion_subject=role)
    arn = f"{VAULT}/oauth2credentialprovider/{by_assertion(server, people, client)}"
    vaulted = {"oauthCredentialProvider": {"providerArn": arn, "scopes": ["a"]}}
    shown = {"credentialProviderType": "OAUTH", "credentialProvider": vaulted}
    try:
        urls = [
            http_target(make.gateway(protocolType=None, roleArn=it), service, shown) for it in (mute, role)
        ]
        assert not requests.get(urls[0], timeout=20).ok and not service.seen
        assert requests.get(urls[1], timeout=20).ok
        token = service.seen[0]["headers"]["authorization"].removeprefix("Bearer ")
        assert claims(token)["client_id"] == client["id"] and client["asserted"]["sub"] == role
    finally:
        service.end()
