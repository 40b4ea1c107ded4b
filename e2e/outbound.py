"""What targets are shown: credential providers made for a test, targets that use them, and the search for what must not
be found again."""

import base64
import json
import urllib.parse

from portcullis import ACCOUNT, REGION
from scenery import name, until

KEY = "sk-live/Zq+9-an-api-key-that-no-model-may-see=="
VAULT = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:token-vault/default"


def with_credential(gateway, target: str, configuration: dict, credential: dict | None = None, **more) -> dict:
    """Makes a target, and gives it when it has settled."""
    request = {"gatewayIdentifier": gateway.id, "name": target, "targetConfiguration": {"mcp": configuration}, **more}
    if credential:
        request["credentialProviderConfigurations"] = [credential]
    made = gateway.control.create_gateway_target(**request)["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made)
    return until(f"the target {target}", look, lambda seen: seen["status"] not in ("CREATING", "UPDATING"))


def api_key(server, secret: str = KEY, **place) -> dict:
    made = name("key")
    server.client("bedrock-agentcore-control").create_api_key_credential_provider(name=made, apiKey=secret)
    arn = f"{VAULT}/apikeycredentialprovider/{made}"
    return {"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": {"providerArn": arn, **place}}}


def oauth(server, pool, client, *scopes: str) -> dict:
    made = name("oauth")
    config = {
        "oauthDiscovery": {"discoveryUrl": pool.aws_discovery_url},
        "clientId": client.id,
        "clientSecret": client.secret,
    }
    arn = server.client("bedrock-agentcore-control").create_oauth2_credential_provider(
        name=made,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": config},
    )["credentialProviderArn"]
    provider = {"providerArn": arn, "scopes": list(scopes) or client.scopes}
    return {"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": provider}}


def forms_of(secret: str) -> set:
    """How a secret may be written."""
    raw = secret.encode()
    forms = {secret, urllib.parse.quote(secret, safe=""), raw.hex(), base64.b64encode(raw).decode()}
    forms |= {base64.urlsafe_b64encode(raw).decode(), json.dumps(secret)[1:-1], base64.b64encode(b"user:" + raw).decode()[8:]}
    return forms | {"".join(f"\\u{ord(it):04x}" for it in secret)}


def assert_silent(where: str, text: str, secret: str):
    for form in forms_of(secret):
        assert form not in text, f"{where} holds the secret as {form[:12]}…"


def signature_of(seen: dict) -> dict:
    """What the signature of a request says of itself: the key, what it is for, and the headers that it covers."""
    method, _, claims = seen["headers"]["authorization"].partition(" ")
    assert method == "AWS4-HMAC-SHA256", method
    claimed = dict(claim.split("=", 1) for claim in claims.split(", "))
    key, date, region, service, end = claimed["Credential"].split("/")
    assert seen["headers"]["x-amz-date"].startswith(date) and end == "aws4_request", claimed
    assert len(bytes.fromhex(claimed["Signature"])) == 32
    return {"key": key, "region": region, "service": service, "headers": set(claimed["SignedHeaders"].split(";"))}
