"""Where the secrets of credential providers are: read as secrets that AgentCore Identity owns, or kept by their owner; and
the vendors whose authorization servers are known by name. With boto3 and, through a gateway, a service that writes down
what it is shown."""

import base64
import json
import urllib.parse

import pytest
import requests

import echo_service
import scenery
from outbound import VAULT
from portcullis import ACCOUNT, REGION, Server
from surface_table import Stage
from test_http_credentials import http_target

KEYS = [f"{word}-key-that-nobody-may-find-again" for word in ("first", "second", "third", "managed")]
VENDORS = {
    "google": ("GoogleOauth2", "accounts.google.com"),
    "github": ("GithubOauth2", "github.com"),
    "slack": ("SlackOauth2", "slack.com"),
    "salesforce": ("SalesforceOauth2", "login.salesforce.com"),
    "microsoft": ("MicrosoftOauth2", "login.microsoftonline.com"),
    "atlassian": ("AtlassianOauth2", "auth.atlassian.com"),
    "linkedin": ("LinkedinOauth2", "www.linkedin.com"),
}
INCLUDED = ["X", "Facebook", "Yandex", "Reddit", "Zoom", "Twitch", "Spotify", "Dropbox", "Notion", "Hubspot"]
OF_TENANTS = ["Okta", "OneLogin", "PingOne", "CyberArk", "FusionAuth", "Auth0", "Cognito"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, whose files are searched at the end."""
    with Server(tmp_path_factory.mktemp("secret-sources"), environment={"RUST_LOG": "debug"}) as own:
        yield own


@pytest.fixture(scope="module")
def make(server):
    return Stage(server)


@pytest.fixture(scope="module")
def agentcore(server):
    return server.client("bedrock-agentcore-control")


@pytest.fixture(scope="module")
def secrets(server):
    return server.client("secretsmanager")


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


# --- secrets that a provider keeps ---------------------------------------------------------------------------------


def test_the_secret_of_a_provider_can_be_read_and_not_be_changed(agentcore, secrets, make):
    name = scenery.name("key")
    arn = agentcore.create_api_key_credential_provider(name=name, apiKey=KEYS[3])["apiKeySecretArn"]["secretArn"]
    called = f"bedrock-agentcore-identity!default/apikey/{name}"
    got = secrets.get_secret_value(SecretId=arn)
    assert (got["ARN"], got["Name"], got["VersionStages"]) == (arn, called, ["AWSCURRENT"])
    assert json.loads(got["SecretString"]) == {"api_key_value": KEYS[3]}
    assert secrets.get_secret_value(SecretId=called)["VersionId"] == got["VersionId"]
    assert secrets.describe_secret(SecretId=arn)["OwningService"] == "bedrock-agentcore-identity"
    wanted = [{"Key": "owning-service", "Values": ["bedrock-agentcore-identity"]}]
    listed = secrets.get_paginator("list_secrets").paginate(Filters=wanted).build_full_result()["SecretList"]
    assert arn in [it["ARN"] for it in listed]
    for refused in (
        lambda: secrets.put_secret_value(SecretId=arn, SecretString="mine"),
        lambda: secrets.delete_secret(SecretId=arn),
        lambda: secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True),
        lambda: secrets.restore_secret(SecretId=arn),
    ):
        with pytest.raises(secrets.exceptions.InvalidRequestException, match="managed by bedrock-agentcore-identity"):
            refused()
    agentcore.update_api_key_credential_provider(name=name, apiKey="another-key")
    changed = secrets.get_secret_value(SecretId=arn)
    assert json.loads(changed["SecretString"]) == {"api_key_value": "another-key"}
    assert changed["VersionId"] != got["VersionId"]
    stranger = make.user(scenery.allow("bedrock-agentcore:*")).client("secretsmanager")
    with pytest.raises(stranger.exceptions.ClientError, match="no identity-based policy allows"):
        stranger.get_secret_value(SecretId=arn)
    agentcore.delete_api_key_credential_provider(name=name)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=arn)


def test_the_secret_of_an_oauth2_provider(agentcore, secrets, make):
    request = make.new_oauth2()
    arn = agentcore.create_oauth2_credential_provider(**request)["clientSecretArn"]["secretArn"]
    held = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    assert held == {"client_id": "a-client-of-the-tests", "client_secret": "a-secret-of-the-tests"}


# --- secrets that the owner keeps ----------------------------------------------------------------------------------


def external(secret: str, key: str = "key") -> dict:
    return {"apiKeySecretConfig": {"secretId": secret, "jsonKey": key}, "apiKeySecretSource": "EXTERNAL"}


def test_a_changed_secret_is_shown_at_once(server, make, agentcore, secrets, service):
    name = scenery.name("external")
    arn = secrets.create_secret(Name=name, SecretString=json.dumps({"key": KEYS[0], "other": "x"}))["ARN"]
    made = agentcore.create_api_key_credential_provider(name=name, **external(name))
    told = {"apiKeySecretArn": {"secretArn": arn}, "apiKeySecretJsonKey": "key", "apiKeySecretSource": "EXTERNAL"}
    assert told.items() <= made.items()
    assert told.items() <= agentcore.get_api_key_credential_provider(name=name).items()
    provider = {"providerArn": made["credentialProviderArn"], "credentialLocation": "HEADER", "credentialParameterName": "x-key"}
    credential = {"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": provider}}
    gateway = make.gateway(protocolType=None, roleArn=make.vault_role())
    url = http_target(gateway, service, credential)
    assert requests.get(f"{url}/items", timeout=20).ok
    assert service.seen[-1]["headers"]["x-key"] == KEYS[0]
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"key": KEYS[1]}))
    assert requests.get(f"{url}/items", timeout=20).ok
    assert service.seen[-1]["headers"]["x-key"] == KEYS[1]
    leaked = requests.get(f"{url}/leak", timeout=20).text
    assert "[masked]" in leaked and KEYS[1] not in leaked
    count = len(service.seen)
    secrets.put_secret_value(SecretId=name, SecretString="no JSON")
    assert requests.get(f"{url}/items", timeout=20).status_code >= 400
    secrets.delete_secret(SecretId=name)
    assert requests.get(f"{url}/items", timeout=20).status_code >= 400
    secrets.restore_secret(SecretId=name)
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"key": KEYS[2]}))
    assert requests.get(f"{url}/items", timeout=20).ok
    assert [seen["headers"]["x-key"] for seen in service.seen[count:]] == [KEYS[2]]
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name, SecretString=json.dumps({"key": "of-somebody-else"}))
    assert requests.get(f"{url}/items", timeout=20).status_code >= 400, "another secret of the same name is not meant"
    kept = agentcore.update_api_key_credential_provider(name=name, apiKey="kept-by-the-provider")
    assert kept["apiKeySecretSource"] == "MANAGED" and "apiKeySecretJsonKey" not in kept
    assert requests.get(f"{url}/items", timeout=20).ok
    assert service.seen[-1]["headers"]["x-key"] == "kept-by-the-provider"


def test_whoever_makes_a_provider_must_be_allowed_to_read_the_secret(make, secrets):
    name = scenery.name("guarded")
    arn = secrets.create_secret(Name=name, SecretString=json.dumps({"key": KEYS[0]}))["ARN"]
    maker = make.user(scenery.allow("bedrock-agentcore:CreateApiKeyCredentialProvider"))
    client = maker.client("bedrock-agentcore-control")
    for named in (arn, "no-such-secret"):
        with pytest.raises(client.exceptions.AccessDeniedException, match="secretsmanager:GetSecretValue"):
            client.create_api_key_credential_provider(name=name, **external(named))


def test_what_cannot_be_used_is_refused_when_it_is_named(agentcore, secrets):
    text, wrong = scenery.name("text"), agentcore.exceptions.ValidationException
    secrets.create_secret(Name=text, SecretString="no JSON " + KEYS[0])
    for held, told in (
        ("no JSON", "no JSON object"),
        (json.dumps({"key": 1}), "no text under the JSON key"),
        (json.dumps({"other": "x"}), "no text under the JSON key"),
        (json.dumps({"key": "with\na line"}), "not printable ASCII"),
        (json.dumps({"key": ""}), "empty"),
    ):
        secrets.put_secret_value(SecretId=text, SecretString=held)
        with pytest.raises(wrong, match=told):
            agentcore.create_api_key_credential_provider(name=text, **external(text))
    with pytest.raises(agentcore.exceptions.ResourceNotFoundException, match="no-such-secret"):
        agentcore.create_api_key_credential_provider(name=text, **external("no-such-secret"))
    key = agentcore.create_api_key_credential_provider(name=text, apiKey="x")["apiKeySecretArn"]["secretArn"]
    for request, told in (
        (external(key), "belongs to a credential provider"),
        (external(text) | {"apiKeySecretSource": "MANAGED"}, "EXTERNAL only"),
        (external(text) | {"apiKey": "x"}, "not both"),
        ({"apiKeySecretSource": "EXTERNAL"}, "apiKeySecretConfig is required"),
        ({}, "apiKey is required"),
    ):
        with pytest.raises(wrong, match=told):
            agentcore.create_api_key_credential_provider(name=scenery.name("wrong"), **request)


# --- vendors -------------------------------------------------------------------------------------------------------


def create(agentcore, vendor: str, member: str, **config) -> dict:
    name = scenery.name("vendor")
    config = {"clientId": "the-client", "clientSecret": KEYS[0]} | config
    agentcore.create_oauth2_credential_provider(
        name=name, credentialProviderVendor=vendor, oauth2ProviderConfigInput={member: config}
    )
    shown = agentcore.get_oauth2_credential_provider(name=name)
    assert shown["credentialProviderVendor"] == vendor
    [(shown_member, output)] = shown["oauth2ProviderConfigOutput"].items()
    assert shown_member == member and output["clientId"] == "the-client"
    listed = agentcore.get_paginator("list_oauth2_credential_providers").paginate().build_full_result()
    assert vendor in [it["credentialProviderVendor"] for it in listed["credentialProviders"] if it["name"] == name]
    agentcore.delete_oauth2_credential_provider(name=name)
    return output["oauthDiscovery"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendors_with_a_member_of_their_own(agentcore, vendor):
    name, host = VENDORS[vendor]
    told = create(agentcore, name, f"{vendor}Oauth2ProviderConfig")
    url = told.get("discoveryUrl") or told["authorizationServerMetadata"]["issuer"]
    assert urllib.parse.urlsplit(url).hostname == host, told


def test_microsoft_has_tenants(agentcore):
    place = "microsoftOauth2ProviderConfig"
    base = "https://login.microsoftonline.com"
    told = create(agentcore, "MicrosoftOauth2", place, tenantId="contoso.com")
    assert told == {"discoveryUrl": f"{base}/contoso.com/v2.0/.well-known/openid-configuration"}
    for tenant in ("a/b", "a?b", "..", "a@b", "x" * 254):
        with pytest.raises(agentcore.exceptions.ValidationException, match="tenantId must be"):
            create(agentcore, "MicrosoftOauth2", place, tenantId=tenant)


@pytest.mark.parametrize("vendor", INCLUDED)
def test_vendors_whose_addresses_are_known(agentcore, vendor):
    told = create(agentcore, f"{vendor}Oauth2", "includedOauth2ProviderConfig")
    assert str(told).count("https://") >= 1
    with pytest.raises(agentcore.exceptions.ValidationException, match="are known"):
        create(agentcore, f"{vendor}Oauth2", "includedOauth2ProviderConfig", tokenEndpoint="https://elsewhere.example")


@pytest.mark.parametrize("vendor", OF_TENANTS)
def test_vendors_whose_tenants_have_servers(agentcore, vendor):
    place, name = "includedOauth2ProviderConfig", f"{vendor}Oauth2"
    with pytest.raises(agentcore.exceptions.ValidationException, match="servers of their own"):
        create(agentcore, name, place)
    base = "https://tenant.example.com"
    assert create(agentcore, name, place, issuer=base) == {"discoveryUrl": f"{base}/.well-known/openid-configuration"}
    server = {"issuer": base, "authorizationEndpoint": f"{base}/authorize", "tokenEndpoint": f"{base}/token"}
    told = create(agentcore, name, place, **server)["authorizationServerMetadata"]
    assert told == server | {"responseTypes": ["code"]}


def test_a_vendor_needs_its_own_member(agentcore):
    with pytest.raises(agentcore.exceptions.ValidationException, match="needs githubOauth2ProviderConfig"):
        create(agentcore, "GithubOauth2", "googleOauth2ProviderConfig")


class TokenServer(echo_service.Echo):
    """A tenant's authorization server."""

    def token(self, seen):
        self.answer(200, b'{"access_token":"a-token-of-the-tenant","token_type":"Bearer","expires_in":3600}')


def test_a_tenants_server_is_asked_with_a_secret_of_the_owner(make, agentcore, secrets, service):
    tenant = echo_service.Service(TokenServer)
    try:
        name = scenery.name("tenant")
        secrets.create_secret(Name=name, SecretString=json.dumps({"client": KEYS[1]}))
        config = {
            "clientId": "the-client",
            "clientSecretConfig": {"secretId": name, "jsonKey": "client"},
            "clientSecretSource": "EXTERNAL",
            "issuer": tenant.url,
            "authorizationEndpoint": f"{tenant.url}/authorize",
            "tokenEndpoint": f"{tenant.url}/token",
        }
        made = agentcore.create_oauth2_credential_provider(
            name=name,
            credentialProviderVendor="OktaOauth2",
            oauth2ProviderConfigInput={"includedOauth2ProviderConfig": config},
        )
        assert (made["clientSecretSource"], made["clientSecretJsonKey"]) == ("EXTERNAL", "client")
        assert made["clientSecretArn"]["secretArn"].startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-")
        provider = {"providerArn": f"{VAULT}/oauth2credentialprovider/{name}", "scopes": ["read"]}
        credential = {"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": provider}}
        gateway = make.gateway(protocolType=None, roleArn=make.vault_role())
        url = http_target(gateway, service, credential)
        assert requests.get(f"{url}/items", timeout=20).ok
        assert service.seen[-1]["headers"]["authorization"] == "Bearer a-token-of-the-tenant"
        asked = tenant.seen[-1]
        assert asked["headers"]["accept"] == "application/json"
        basic = base64.b64encode(f"the-client:{KEYS[1]}".encode()).decode()
        assert asked["headers"]["authorization"] == f"Basic {basic}"
    finally:
        tenant.end()


def test_no_secret_is_left_anywhere(server):
    """The last one: the server has ended and written everything."""
    audit = server.run("audit", "tail", "--lines", "5000", "--json").stdout
    server.stop()
    searched = [path for path in server.data_dir.rglob("*") if path.is_file()] + [server.log_file]
    for secret in KEYS:
        assert secret not in audit
        for path in searched:
            assert secret.encode() not in path.read_bytes(), f"{secret} is in {path}"
