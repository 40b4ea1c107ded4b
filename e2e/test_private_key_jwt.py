"""Clients that prove who they are by a key: Portcullis makes it, publishes one half, and gives the other to nobody."""

import base64
import json
import urllib.error
import urllib.request

import jwt
import pytest

from exchange_server import AuthorizationServer
from outbound import assert_silent
from portcullis import ACCOUNT, REGION, Server
from scenery import name, refusal
from test_token_exchange import asker, claims


@pytest.fixture(scope="module")
def people():
    running = AuthorizationServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, people):
    settings = f'[identity]\ntrusted-issuers = ["{people.discovery_url}"]'
    with Server(tmp_path_factory.mktemp("keys"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def workload(control):
    return control.create_workload_identity(name=name("workload"))["name"]


def key_set(server, provider: str) -> str:
    return f"{server.endpoint}/identities/oauth2/jwks/{ACCOUNT}/{REGION}/{provider}"


def fetched(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def request(people, client: dict, algorithm: str | None, **more) -> dict:
    config = {
        "oauthDiscovery": {"discoveryUrl": people.discovery_url},
        "clientId": client["id"],
        "clientAuthenticationMethod": "PRIVATE_KEY_JWT",
        **more,
    }
    if algorithm:
        config.setdefault("privateKeyJwtConfig", {"signingAlgorithm": algorithm})
    return {"credentialProviderVendor": "CustomOauth2", "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": config}}


def made(server, control, people, algorithm: str | None = None, **more) -> tuple:
    """A provider, and its client at the server, which knows where the key is."""
    provider = name("keyed")
    client = people.client(method="assertion", secret=None, jwks=key_set(server, provider))
    control.create_oauth2_credential_provider(name=provider, **request(people, client, algorithm, **more))
    return provider, client


def m2m(data, workload: str, provider: str, **more) -> str:
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    asked = {"workloadIdentityToken": token, "resourceCredentialProviderName": provider, "scopes": ["a"], "oauth2Flow": "M2M"}
    return data.get_resource_oauth2_token(**{**asked, **more})["accessToken"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_a_client_signs_who_it_is(server, control, data, people, workload, algorithm):
    provider, client = made(server, control, people, algorithm)
    assert claims(m2m(data, workload, provider))["sub"] == client["id"]
    form = people.requests[-1]
    assert jwt.get_unverified_header(form["client_assertion"])["alg"] == algorithm and "client_secret" not in form
    said = client["asserted"]
    assert said["aud"] == people.token_endpoint and said["exp"] - said["iat"] == 60
    # Each assertion is another one: the server takes none twice.
    assert m2m(data, workload, provider, scopes=["b"]) and client["asserted"]["jti"] != said["jti"]
    shown = control.get_oauth2_credential_provider(name=provider)["oauth2ProviderConfigOutput"]["customOauth2ProviderConfig"]
    assert shown["clientAuthenticationMethod"] == "PRIVATE_KEY_JWT"
    assert shown["privateKeyJwtConfig"] == {"signingAlgorithm": algorithm}


def test_a_person_is_spoken_for_with_it_too(server, control, data, people, workload):
    how = {"grantType": "TOKEN_EXCHANGE", "tokenExchangeGrantTypeConfig": {"actorTokenContent": "M2M"}}
    extra = {"additionalHeaderClaims": {"x5t": "a-thumbprint"}, "additionalPayloadClaims": {"tenant": "b"}}
    provider, client = made(server, control, people, onBehalfOfTokenExchangeConfig=how, privateKeyJwtConfig=extra)
    said = claims(asker(data, workload, people.token(sub="ada"), provider)())
    assert said["sub"] == "ada" and said["act"]["sub"] == client["id"] and client["asserted"]["tenant"] == "b"
    header = jwt.get_unverified_header(people.requests[-1]["client_assertion"])
    assert (header["alg"], header["x5t"]) == ("RS256", "a-thumbprint")


def test_a_key_stays_as_long_as_its_algorithm(server, control, people):
    provider, client = made(server, control, people, "ES256")
    first = fetched(key_set(server, provider))
    control.update_oauth2_credential_provider(name=provider, **request(people, client, "ES256"))
    assert fetched(key_set(server, provider)) == first
    control.update_oauth2_credential_provider(name=provider, **request(people, client, "PS256"))
    [key] = fetched(key_set(server, provider))["keys"]
    assert (key["alg"], key["kty"]) == ("PS256", "RSA") and not {"d", "p", "q"} & set(key)
    control.delete_oauth2_credential_provider(name=provider)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(key_set(server, provider))


def test_the_private_half_is_nobodys_to_read(server, control, people):
    provider, client = made(server, control, people, "ES256")
    arn = control.get_oauth2_credential_provider(name=provider)["clientSecretArn"]["secretArn"]
    held = json.loads(server.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    assert held == {"client_id": client["id"]}
    # As PKCS#8 begins for this curve, in the database's files and in base64.
    begins = bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107")
    for file in server.data_dir.rglob("*.db*"):
        content = file.read_bytes()
        assert begins not in content and base64.b64encode(begins)[:32] not in content, file
    assert_silent("the log", server.log(), base64.b64encode(begins).decode()[:32])


def test_what_does_not_go_with_a_key_is_said(control, people):
    client = people.client(method="assertion")
    refused = lambda **more: refusal(
        control.create_oauth2_credential_provider, name=name("keyed"), **request(people, client, None, **more)
    )
    for more, word in [
        ({"clientSecret": "a-secret"}, "clientSecret"),
        ({"privateKeyJwtConfig": {"additionalPayloadClaims": {"aud": "elsewhere"}}}, "aud"),
        ({"privateKeyJwtConfig": {"additionalHeaderClaims": {"alg": "none"}}}, "alg"),
        ({"clientAuthenticationMethod": "CLIENT_SECRET_POST", "clientSecret": "a", "privateKeyJwtConfig": {}}, "PRIVATE_KEY_JWT"),
        ({"clientId": ""}, "clientId"),
    ]:
        status, code, message = refused(**more)
        assert (status, code) == (400, "ValidationException") and word in message, message
    key = "arn:aws:kms:us-west-2:000000000000:key/00000000-0000-0000-0000-000000000000"
    config = {"privateKeySource": {"kmsKeySource": {"kmsKeyArn": key}}, "signingAlgorithm": "RS256"}
    status, code, message = refused(privateKeyJwtConfig=config)
    assert (status, code) == (400, "ValidationException") and "privateKeySource" in message, message
