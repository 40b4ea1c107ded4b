"""HTTP targets with credentials: what a service behind a gateway is shown, and what of it comes back."""

import json

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import echo_service
from outbound import KEY, api_key, assert_silent, oauth
from portcullis import REGION, Server
from scenery import allow, trail, until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own; its log is searched."""
    with Server(tmp_path_factory.mktemp("http-credentials"), environment={"RUST_LOG": "debug"}) as own:
        yield own


@pytest.fixture(scope="module")
def gateway_role(make):
    return make.vault_role()


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


def http_target(gateway, service, credential: dict) -> str:
    """Makes a target, and gives the URL under which it is reached."""
    made = gateway.control.create_gateway_target(
        gatewayIdentifier=gateway.id,
        name="web",
        targetConfiguration={"http": {"passthrough": {"endpoint": service.url, "protocolType": "CUSTOM"}}},
        credentialProviderConfigurations=[credential],
    )["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made)
    until("the target", look, lambda seen: seen["status"] == "READY")
    return f"{gateway.server.endpoint}/gateways/{gateway.id}/web"


def test_a_key_is_shown_and_does_not_come_back(server, make, service, gateway_role):
    gateway = make.gateway(protocolType=None, roleArn=gateway_role)
    url = http_target(gateway, service, api_key(server))
    answer = requests.get(f"{url}/leak", headers={"Authorization": "Bearer of-the-client"}, timeout=20)
    [seen] = service.seen
    assert seen["headers"]["authorization"] == f"Bearer {KEY}"
    assert answer.ok and "[masked]" in answer.text
    assert_silent("the answer", answer.text + str(answer.headers), KEY)
    compressed = requests.get(f"{url}/gzip", timeout=20)
    assert compressed.status_code >= 500, "what cannot be searched does not pass"
    assert_silent("the log", server.log(), KEY)
    make.audited(lambda event: event.get("resource") == gateway.arn and event.get("tool"))
    assert_silent("the trail", json.dumps(trail(server)), KEY)


def test_a_refused_token_is_replaced(server, make, service, gateway_role):
    pool = make.pool(("call",))
    gateway = make.gateway(protocolType=None, roleArn=gateway_role)
    url = http_target(gateway, service, oauth(server, pool, pool.client("call")))
    assert requests.post(f"{url}/items", data=b"1", timeout=20).ok
    refused = service.seen[0]["headers"]["authorization"]
    assert refused.startswith("Bearer ey")
    service.accept(lambda seen: seen["headers"].get("authorization") != refused)
    look = lambda: requests.post(f"{url}/items", data=b"the body again", timeout=20).status_code
    until("a fresh token", look, lambda status: status == 200, patience=15)
    assert service.seen[-1]["headers"]["authorization"] != refused
    assert service.seen[-1]["body"] == service.seen[-2]["body"], "the second try is the whole request"


def test_the_callers_own_token_goes_on_where_the_target_says_so(server, make, service):
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client), protocolType=None)
    url = http_target(gateway, service, {"credentialProviderType": "JWT_PASSTHROUGH"})
    token = client.token()
    answer = requests.get(f"{url}/leak", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert service.seen[0]["headers"]["authorization"] == f"Bearer {token}"
    assert_silent("the answer", answer.text, token)
    assert_silent("the log", server.log(), token)


def test_the_callers_own_signature_reaches_lambda(server, make, service):
    """The service is this installation's own Lambda: it lets in whom the caller is, not what the gateway may do."""
    make.function()
    gateway = make.gateway("AWS_IAM", protocolType=None)
    made = gateway.control.create_gateway_target(
        gatewayIdentifier=gateway.id,
        name="code",
        targetConfiguration={"http": {"passthrough": {"endpoint": server.endpoint, "protocolType": "CUSTOM"}}},
        credentialProviderConfigurations=[
            {
                "credentialProviderType": "CALLER_IAM_CREDENTIALS",
                "credentialProvider": {"iamCredentialProvider": {"service": "lambda"}},
            }
        ],
    )["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=made)
    until("the target", look, lambda seen: seen["status"] == "READY")
    url = f"{server.endpoint}/gateways/{gateway.id}/code/2015-03-31/functions"
    may, may_not = allow("bedrock-agentcore:InvokeGateway", "lambda:ListFunctions"), allow("bedrock-agentcore:InvokeGateway")
    for policy, status in [(may, 200), (may_not, 403)]:
        caller = make.user(policy)
        request = AWSRequest("GET", url)
        SigV4Auth(Credentials(caller.key, caller.secret), "bedrock-agentcore", REGION).add_auth(request)
        answer = requests.get(url, headers=dict(request.headers), timeout=20)
        assert answer.status_code == status, answer.text
