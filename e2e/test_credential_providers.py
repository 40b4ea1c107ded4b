"""Credential providers, driven by boto3, the AWS CLI and the starter toolkit, all unmodified; and a look at everything
that the server leaves behind: a secret that was given is in none of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import scenery
from portcullis import ACCOUNT, REGION, Server, pointed_at

VAULT = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:token-vault/default"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:bedrock-agentcore-identity!default"

KEYS = [f"{word}-key-that-nobody-may-find-again" for word in ("first", "second", "commandline", "toolkits", "refused")]
CLIENT_SECRETS = [f"{word}-client-secret-that-nobody-may-find-again" for word in ("first", "second", "toolkits")]
SERVER = {
    "issuer": "https://as.example.com",
    "authorizationEndpoint": "https://as.example.com/authorize",
    "tokenEndpoint": "https://as.example.com/token",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, whose files are searched at the end."""
    with Server(tmp_path_factory.mktemp("credentials")) as own:
        yield own


@pytest.fixture(scope="module")
def agentcore(server):
    return server.client("bedrock-agentcore-control")


def custom(secret: str, **discovery) -> dict:
    config = {"oauthDiscovery": discovery, "clientId": "the-client", "clientSecret": secret}
    return {"customOauth2ProviderConfig": config}


def test_boto3_keeps_an_api_key(agentcore):
    name = scenery.name("key")
    made = agentcore.create_api_key_credential_provider(name=name, apiKey=KEYS[0], tags={"team": "a"})
    arn = f"{VAULT}/apikeycredentialprovider/{name}"
    assert made["credentialProviderArn"] == arn
    assert made["apiKeySecretArn"]["secretArn"].startswith(f"{SECRETS}/apikey/{name}-")
    shown = agentcore.get_api_key_credential_provider(name=name)
    assert shown["createdTime"] == shown["lastUpdatedTime"] and shown["createdTime"].tzinfo
    changed = agentcore.update_api_key_credential_provider(name=name, apiKey=KEYS[1])
    assert changed["apiKeySecretArn"] == made["apiKeySecretArn"]
    listed = agentcore.get_paginator("list_api_key_credential_providers").paginate().build_full_result()
    assert [it["credentialProviderArn"] for it in listed["credentialProviders"]] == [arn]
    assert agentcore.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a"}
    agentcore.tag_resource(resourceArn=arn, tags={"stage": "b"})
    agentcore.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert agentcore.list_tags_for_resource(resourceArn=arn)["tags"] == {"stage": "b"}
    with pytest.raises(agentcore.exceptions.ConflictException):
        agentcore.create_api_key_credential_provider(name=name, apiKey=KEYS[4])
    agentcore.delete_api_key_credential_provider(name=name)
    with pytest.raises(agentcore.exceptions.ResourceNotFoundException):
        agentcore.get_api_key_credential_provider(name=name)


def test_boto3_keeps_an_oauth2_client(agentcore, server):
    name = scenery.name("oauth2")
    made = agentcore.create_oauth2_credential_provider(
        name=name,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput=custom(CLIENT_SECRETS[0], authorizationServerMetadata=SERVER),
        tags={"team": "a"},
    )
    arn = f"{VAULT}/oauth2credentialprovider/{name}"
    assert made["credentialProviderArn"] == arn
    assert made["clientSecretArn"]["secretArn"].startswith(f"{SECRETS}/oauth2/{name}-")
    assert made["callbackUrl"].startswith(f"{server.endpoint}/identities/oauth2/callback/")
    agentcore.tag_resource(resourceArn=arn, tags={"stage": "b"})
    assert agentcore.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a", "stage": "b"}
    url = "https://as.example.com/.well-known/openid-configuration"
    changed = agentcore.update_oauth2_credential_provider(
        name=name,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput=custom(CLIENT_SECRETS[1], discoveryUrl=url),
    )
    shown = agentcore.get_oauth2_credential_provider(name=name)
    for answer in (changed, shown):
        told = answer["oauth2ProviderConfigOutput"]["customOauth2ProviderConfig"]
        assert told == {"oauthDiscovery": {"discoveryUrl": url}, "clientId": "the-client"}
        assert answer["status"] == "READY" and answer["callbackUrl"] == made["callbackUrl"]
    assert [it["name"] for it in agentcore.list_oauth2_credential_providers()["credentialProviders"]] == [name]
    agentcore.delete_oauth2_credential_provider(name=name)
    assert agentcore.list_oauth2_credential_providers()["credentialProviders"] == []


def test_the_aws_cli_keeps_an_api_key(server):
    name = scenery.name("key")

    def aws(operation: str, *arguments) -> dict:
        command = [Path(sys.executable).with_name("aws"), "bedrock-agentcore-control", operation, "--name", name, "--output", "json", *arguments]
        done = subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    made = aws("create-api-key-credential-provider", "--api-key", KEYS[2])
    assert made["credentialProviderArn"] == f"{VAULT}/apikeycredentialprovider/{name}"
    assert aws("get-api-key-credential-provider")["apiKeySecretArn"] == made["apiKeySecretArn"]
    aws("delete-api-key-credential-provider")


def test_the_toolkit_makes_providers_and_lets_its_role_use_them(server):
    """What `create_mcp_gateway_target` does for an OpenAPI target before it makes the target."""
    make = scenery.Scenery(server)
    role = make.gateway_role()
    with pointed_at(server):
        from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient

        toolkit = GatewayClient(region_name=REGION)
        handle = toolkit._GatewayClient__handle_openapi_target_credential_provider_creation
        key = {"api_key": KEYS[3], "credential_location": "HEADER", "credential_parameter_name": "X-Key"}
        of_key = handle(name="Weather", credentials=key, role_arn=role)
        client = {"oauth2_provider_config": custom(CLIENT_SECRETS[2], authorizationServerMetadata=SERVER)}
        of_client = handle(name="Weather", credentials=client, role_arn=role)
    [of_key], [of_client] = of_key.values(), of_client.values()
    assert of_key[0]["credentialProviderType"] == "API_KEY"
    arn = of_key[0]["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"]
    assert arn.startswith(f"{VAULT}/apikeycredentialprovider/Weather-ApiKey-")
    arn = of_client[0]["credentialProvider"]["oauthCredentialProvider"]["providerArn"]
    assert arn.startswith(f"{VAULT}/oauth2credentialprovider/Weather-OAuth-Credentials-")
    policies = server.client("iam").list_role_policies(RoleName=role.rpartition("/")[2])["PolicyNames"]
    assert sum(policy.startswith("GatewayCredentialProvider-") for policy in policies) == 2


def test_no_secret_is_left_anywhere(server):
    """The last one: the server has ended and written everything."""
    audit = server.run("audit", "tail", "--lines", "1000", "--json").stdout
    assert "bedrock-agentcore:UpdateOauth2CredentialProvider" in audit
    server.stop()
    searched = [path for path in server.data_dir.rglob("*") if path.is_file()] + [server.log_file]
    assert any(path.suffix.startswith(".db") or "db" in path.name for path in searched) or server.database.url
    for secret in KEYS + CLIENT_SECRETS:
        assert secret not in audit
        for path in searched:
            assert secret.encode() not in path.read_bytes(), f"{secret} is in {path}"
