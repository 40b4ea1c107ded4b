"""Tokens of people (USER_FEDERATION): with boto3 and the AgentCore SDK's own decorator, against authorization servers of all
kinds, with `requests` as the browser, and what attackers try at it."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

import echo_service
import idp
import node
from authorization_server import AuthorizationServer, once_each
from federation import RETURN, Agent, returned, step, to_callback, walk
from outbound import VAULT, assert_silent, with_credential
from portcullis import PROJECT, Server
from scenery import allow, name, refusal, tool, trail, until
from test_docs import free_port
from test_pool_users import PASSWORD, Users
from test_sign_in_pages import Browser
from wire import Wire

NO_SESSION = (403, "AccessDeniedException", "Invalid or expired session")


@pytest.fixture(scope="module")
def issuer():
    running = idp.Idp()
    yield running
    running.close()


@pytest.fixture
def abroad():
    running = AuthorizationServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, issuer):
    settings = f'[identity]\ntrusted-issuers = ["{issuer.discovery_url}"]'
    with Server(tmp_path_factory.mktemp("federation"), settings=settings) as running:
        yield running


@pytest.fixture
def agent(server, abroad):
    return Agent(server, abroad.provider)


def is_stopped(browser: requests.Session, url: str) -> str:
    """A page that goes nowhere, and says why."""
    answer = browser.get(url, allow_redirects=False, timeout=30)
    assert answer.status_code == 400 and "location" not in answer.headers, answer.headers
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-frame-options"] == "DENY"
    return answer.text


def test_a_person_consents_and_the_agent_gets_the_token(server, make, agent, abroad):
    resource = {"resources": ["https://api.example"], "customParameters": {"access_type": "offline"}}
    token = agent.for_id()
    begun = agent.asks(token, customState="of the app/1", **resource)
    assert set(begun) == {"authorizationUrl", "sessionUri", "sessionStatus"} and begun["sessionStatus"] == "IN_PROGRESS"
    uri, url = begun["sessionUri"], begun["authorizationUrl"]
    assert url.startswith(f"{server.endpoint}/identities/oauth2/authorize?request_uri=urn%3Aietf%3Aparams%3Aoauth%3A")
    # Whoever has the page's address cannot complete the session: its handle is another.
    [handle] = parse_qs(urlsplit(url).query)["request_uri"]
    assert handle.startswith("urn:ietf:params:oauth:request_uri:") and handle != uri
    assert agent.asks(token, sessionUri=uri, **resource) == begun
    assert agent.is_refused(handle) == NO_SESSION
    status, code, message = agent.is_refused(uri)
    assert (status, code) == (400, "ValidationException") and "not consented" in message

    assert walk(url) == {"from": "vault", "session_id": uri, "state": "of the app/1"}
    [asked], [exchanged] = abroad.asked, abroad.exchanged
    assert asked["redirect_uri"] == agent.callback_url and asked["code_challenge_method"] == "S256"
    assert (asked["scope"], asked["resource"], asked["access_type"]) == ("read", "https://api.example", "offline")
    assert exchanged["resource"] == "https://api.example" and "access_type" not in exchanged
    # The tokens are there, and nobody's.
    assert agent.asks(token, sessionUri=uri, **resource) == {"sessionUri": uri, "sessionStatus": "IN_PROGRESS"}
    assert "accessToken" not in agent.asks(token, **resource)

    agent.completes(uri)
    assert agent.asks(token, sessionUri=uri, **resource) == {"accessToken": abroad.given[0]}
    assert agent.asks(token, **resource) == {"accessToken": abroad.given[0]}
    # What was asked for otherwise is another token.
    assert "authorizationUrl" in agent.asks(token)
    seen = make.audited(lambda event: event["action"] == "bedrock-agentcore:CompleteResourceTokenAuth")
    assert any(event["outcome"] == "success" for event in seen)
    database = "".join(file.read_text(errors="replace") for file in server.data_dir.glob("portcullis.db*"))
    for secret in (*abroad.given, *abroad.codes, exchanged["code"], exchanged["code_verifier"], asked["state"], abroad.SECRET):
        for where, text in (("log", server.log()), ("trail", json.dumps(trail(server))), ("database", database)):
            assert_silent(where, text, secret)


def test_a_person_with_a_fresh_token_is_still_the_same(agent, abroad, issuer):
    begun = agent.asks(agent.for_jwt(issuer.token(sub="ada", jti="1")))
    walk(begun["authorizationUrl"])
    agent.completes(begun["sessionUri"], userToken=issuer.token(sub="ada", jti="2"))
    assert agent.asks(agent.for_jwt(issuer.token(sub="ada", jti="3"))) == {"accessToken": abroad.given[0]}
    # An id that says the same is somebody else, and so is everybody else.
    for other in (agent.for_id("ada"), agent.for_jwt(issuer.token(sub="bob"))):
        assert "authorizationUrl" in agent.asks(other)
    wrong = issuer.token(sub="ada", iss="https://login.stranger.example")
    assert agent.is_refused(begun["sessionUri"], userToken=wrong)[:2] == (400, "ValidationException")


@pytest.mark.parametrize("who", ["id", "token", "mixed"])
def test_nobody_completes_anothers_session(agent, issuer, who):
    ada = agent.for_jwt(issuer.token(sub="ada")) if who == "token" else agent.for_id()
    eve = {"userToken": issuer.token(sub="eve")} if who != "id" else {"userId": "app+eve"}
    begun = agent.asks(ada)
    walk(begun["authorizationUrl"])
    assert agent.is_refused(begun["sessionUri"], **eve) == NO_SESSION
    # What eve's browser brought is thrown away: neither of them gets it.
    assert agent.asks(ada, sessionUri=begun["sessionUri"])["sessionStatus"] == "FAILED"
    right = {"userToken": issuer.token(sub="ada")} if who == "token" else {"userId": "app+ada"}
    assert agent.is_refused(begun["sessionUri"], **right) == NO_SESSION


def test_a_session_is_good_once(agent):
    begun = agent.asks()
    walk(begun["authorizationUrl"])
    agent.completes(begun["sessionUri"])
    assert agent.is_refused(begun["sessionUri"]) == NO_SESSION
    assert agent.is_refused(begun["sessionUri"][:-1] + "x") == NO_SESSION
    assert "good for ten minutes" in is_stopped(requests.Session(), begun["authorizationUrl"])


def test_a_callback_is_for_the_browser_that_was_sent(agent, abroad):
    begun, browser = agent.asks(), requests.Session()
    back = to_callback(begun["authorizationUrl"], browser)
    # Eve has ada's browser end what she began, or ends herself what ada began.
    for stranger in (requests.Session(), with_a_cookie_of_its_own(begun["authorizationUrl"])):
        assert "another browser" in is_stopped(stranger, back)
    assert "another browser" in is_stopped(browser, back.replace("state=", "state=A"))
    assert not abroad.exchanged
    # Nothing of that harms the one who was sent, and whoever recorded it all has nothing of it.
    recorded = requests.Session()
    recorded.cookies.update(browser.cookies)
    assert returned(step(browser, back))["session_id"] == begun["sessionUri"]
    assert "good for ten minutes" in is_stopped(recorded, back) and not browser.cookies


def with_a_cookie_of_its_own(url: str) -> requests.Session:
    browser = requests.Session()
    step(browser, url)
    return browser


def test_pages_may_be_opened_more_than_once(agent):
    begun = agent.asks()
    browser = requests.Session()
    first = to_callback(begun["authorizationUrl"], browser)
    to_callback(begun["authorizationUrl"], browser)
    to_callback(begun["authorizationUrl"], requests.Session())
    assert returned(step(browser, first))["session_id"] == begun["sessionUri"]


def test_a_code_of_another_flow_is_worth_nothing(agent, abroad):
    theirs, ours = agent.asks(agent.for_id("app+eve")), agent.asks()
    stolen = once_each(urlsplit(to_callback(theirs["authorizationUrl"], requests.Session())).query)["code"]
    browser = requests.Session()
    back = to_callback(ours["authorizationUrl"], browser)
    injected = back.replace(once_each(urlsplit(back).query)["code"], stolen)
    assert returned(step(browser, injected))["error"] == "server_error"
    assert not abroad.given
    assert agent.asks(sessionUri=ours["sessionUri"])["sessionStatus"] == "FAILED"
    assert agent.is_refused(ours["sessionUri"]) == NO_SESSION


@pytest.mark.parametrize("said", ["https://login.evil.example", "", None])
def test_an_answer_of_another_server_is_thrown_away(agent, abroad, said):
    changed = {"iss": said} if said is not None else {}
    abroad.answering = lambda answer: {key: it for key, it in answer.items() if key != "iss"} | changed
    begun, browser = agent.asks(), requests.Session()
    assert "not from the service" in is_stopped(browser, to_callback(begun["authorizationUrl"], browser))
    assert not abroad.exchanged
    assert agent.asks(sessionUri=begun["sessionUri"])["sessionStatus"] == "FAILED"


def test_a_server_that_promises_no_issuer_may_name_its_own_or_none(server, abroad):
    abroad.promises_issuer = False
    agent = Agent(server, abroad.provider)
    assert agent.token() == abroad.given[0]
    abroad.answering = lambda answer: answer | {"iss": "https://login.evil.example"}
    begun, browser = agent.asks(scopes=["write"]), requests.Session()
    assert "not from the service" in is_stopped(browser, to_callback(begun["authorizationUrl"], browser))


def test_another_providers_callback_is_not_ours(server, agent, abroad):
    other = Agent(server, abroad.provider)
    begun, browser = agent.asks(), requests.Session()
    back = to_callback(begun["authorizationUrl"], browser)
    assert "not from the service" in is_stopped(browser, back.replace(agent.callback_url, other.callback_url))
    assert returned(step(browser, back))["session_id"]


def test_a_refusal_is_told_to_the_application(agent, abroad):
    for error, told in (("access_denied", "access_denied"), ("<b>odd</b>", "server_error")):
        abroad.answering = lambda answer, error=error: {"error": error, "state": answer["state"], "iss": abroad.url}
        begun = agent.asks(customState="s")
        assert walk(begun["authorizationUrl"]) == {
            "from": "vault",
            "session_id": begun["sessionUri"],
            "state": "s",
            "error": told,
        }
        assert agent.asks(sessionUri=begun["sessionUri"]) == {"sessionUri": begun["sessionUri"], "sessionStatus": "FAILED"}


def test_people_are_sent_to_registered_places_only(server, agent, abroad):
    told = "You must register and use at least one ResourceOauth2ReturnUrl on your workload identity to use this flow"
    status, code, message = refusal(agent.asks, resourceOauth2ReturnUrl=None)
    assert (status, code, message) == (400, "ValidationException", told)
    for url in ("https://evil.example", RETURN + "&x=1", "https://app.example/done", RETURN.upper()):
        assert "allowedResourceOauth2ReturnUrls" in refusal(agent.asks, resourceOauth2ReturnUrl=url)[2]
    assert refusal(Agent(server, abroad.provider, urls=()).asks)[1:] == ("ValidationException", told)
    # Also when it is taken back while the person is on the way.
    begun, browser = agent.asks(), requests.Session()
    back = to_callback(begun["authorizationUrl"], browser)
    agent.control.update_workload_identity(name=agent.workload, allowedResourceOauth2ReturnUrls=["https://new.example"])
    assert "changed meanwhile" in is_stopped(browser, back)


def test_what_one_workload_got_no_other_has(server, agent, abroad):
    begun = agent.asks()
    walk(begun["authorizationUrl"])
    other = name("workload")
    agent.control.create_workload_identity(name=other, allowedResourceOauth2ReturnUrls=[RETURN])
    stranger = agent.for_id(workload=other)
    assert refusal(agent.asks, stranger, sessionUri=begun["sessionUri"])[:2] == (400, "ValidationException")
    agent.completes(begun["sessionUri"])
    assert agent.asks()["accessToken"]
    for wrong in ({"token": stranger}, {"token": agent.for_id("app+bob")}, {"scopes": ["read", "write"]}):
        assert "authorizationUrl" in agent.asks(**wrong)
    # They end with their workload, and with their provider.
    agent.control.delete_workload_identity(name=agent.workload)
    agent.control.create_workload_identity(name=agent.workload, allowedResourceOauth2ReturnUrls=[RETURN])
    assert "authorizationUrl" in agent.asks()


def test_another_client_does_not_inherit_what_people_allowed(agent, abroad):
    agent.token()
    changed = {**abroad.provider["customOauth2ProviderConfig"], "clientId": "another"}
    agent.control.update_oauth2_credential_provider(
        name=agent.provider,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={"customOauth2ProviderConfig": changed},
    )
    assert "authorizationUrl" in agent.asks()


def test_only_a_workload_that_acts_for_somebody_is_served(agent):
    plain = agent.data.get_workload_access_token(workloadName=agent.workload)["workloadAccessToken"]
    status, code, message = refusal(agent.asks, plain)
    assert (status, code) == (400, "ValidationException") and "for nobody" in message
    for parameter in ("redirect_uri", "State", "code_challenge", "client_id", "response_mode", "request"):
        refused = refusal(agent.asks, customParameters={parameter: "x"})
        assert refused[:2] == (400, "ValidationException") and parameter in refused[2]
    many = {f"p{number}": "x" for number in range(11)}
    assert refusal(agent.asks, customParameters=many)[:2] == (400, "ValidationException")
    wrong = "urn:ietf:params:oauth:request_uri:nobody"
    assert refusal(agent.asks, sessionUri=wrong)[:2] == (400, "ValidationException")


def test_a_token_is_refreshed_once_and_what_rotates_is_kept(agent, abroad, make):
    abroad.lives = 0
    begun = agent.asks()
    walk(begun["authorizationUrl"])
    agent.completes(begun["sessionUri"])
    abroad.lives = 3600
    token = agent.for_id()
    meet = threading.Barrier(8)

    def ask(_):
        meet.wait()
        return agent.asks(token)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [{"accessToken": abroad.given[2]}] * 8
    assert [form["grant_type"] for form in abroad.exchanged] == ["authorization_code", "refresh_token"]
    assert make.audited(lambda event: event["action"] == "refresh_token" and event["resource"].endswith(agent.provider))


def test_a_refresh_token_that_was_taken_back_asks_for_consent_again(agent, abroad):
    abroad.lives = 0
    begun = agent.asks()
    walk(begun["authorizationUrl"])
    agent.completes(begun["sessionUri"])
    # Each refresh brings the next token, until the server takes none.
    for _ in range(2):
        assert agent.asks()["accessToken"] == abroad.given[-2]
    abroad.refresh_tokens.clear()
    assert "authorizationUrl" in agent.asks()
    times = len(abroad.exchanged)
    assert "authorizationUrl" in agent.asks() and len(abroad.exchanged) == times


def test_somebody_can_be_asked_again(agent, abroad):
    first = agent.token()
    begun = agent.asks(forceAuthentication=True)
    assert "accessToken" not in begun
    # What was there is gone, also for whoever does not insist.
    assert "accessToken" not in agent.asks(sessionUri=begun["sessionUri"])
    walk(begun["authorizationUrl"])
    agent.completes(begun["sessionUri"])
    assert agent.asks()["accessToken"] == abroad.given[2] != first


def test_policies_say_who_may_complete_for_whom(make, agent):
    begun = agent.asks()
    walk(begun["authorizationUrl"])
    action = "bedrock-agentcore:CompleteResourceTokenAuth"
    arn = f"arn:aws:bedrock-agentcore:us-west-2:{make.account}:workload-identity-directory/default"
    both = [arn, f"{arn}/workload-identity/{agent.workload}"]

    def attempt(policy):
        client = make.user(policy).client("bedrock-agentcore")
        who = {"userIdentifier": {"userId": "app+ada"}, "sessionUri": begun["sessionUri"]}
        return refusal(client.complete_resource_token_auth, **who)

    others = allow(action, StringLike={"bedrock-agentcore:userid": "other+*"})
    for policy in (others, allow(action, resource=both[0]), allow("bedrock-agentcore:GetResourceOauth2Token")):
        status, code, message = attempt(policy)
        assert (status, code) == (403, "AccessDeniedException") and action in message
    theirs = make.user(allow(action, resource=both, StringLike={"bedrock-agentcore:userid": "app+*"}))
    theirs.client("bedrock-agentcore").complete_resource_token_auth(
        userIdentifier={"userId": "app+ada"}, sessionUri=begun["sessionUri"]
    )


PROGRAM = """
import sys
from bedrock_agentcore.identity.auth import requires_access_token

provider, scope, url = sys.argv[1:]

@requires_access_token(
    provider_name=provider,
    scopes=[scope],
    auth_flow="USER_FEDERATION",
    callback_url=url,
    custom_state="of the application",
    on_auth_url=lambda url: print("GO", url, flush=True),
)
def with_token(*, access_token: str):
    print("TOKEN", access_token, flush=True)

with_token()
"""


def test_the_decorator_of_the_sdk_waits_for_the_person(server, make, tmp_path):
    """With a pool of our own as the server: its pages, a person who signs in, and the SDK as it is."""
    users = Users(server, make)
    username = users.user()
    client = users.cognito.create_user_pool_client(
        UserPoolId=users.pool, ClientName=name("client"), GenerateSecret=True
    )["UserPoolClient"]
    configuration = {
        "oauthDiscovery": {"discoveryUrl": f"{server.endpoint}/{users.pool}/.well-known/openid-configuration"},
        "clientId": client["ClientId"],
        "clientSecret": client["ClientSecret"],
    }
    agent = Agent(server, {"customOauth2ProviderConfig": configuration}, ["openid"])
    users.cognito.update_user_pool_client(
        UserPoolId=users.pool,
        ClientId=client["ClientId"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
        CallbackURLs=[agent.callback_url],
    )
    # The workload and the person, as the SDK keeps them for code on a developer's machine.
    kept = {"workload_identity_name": agent.workload, "user_id": "app+ada"}
    (tmp_path / ".agentcore.json").write_text(json.dumps(kept))
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, agent.provider, "openid", RETURN],
        env=server.env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        try:
            told = (line.split() for line in program.stdout)
            url = next(line[1] for line in told if line[0] == "GO")
            browser = Browser(users, client["ClientId"])
            page = browser.session.get(url, timeout=30)
            assert page.status_code == 200 and "Sign in" in page.text, page.text
            back = browser.submit(page, step="sign-in", username=username, password=PASSWORD).headers["location"]
            sent = returned(step(browser.session, back))
            assert sent["state"] == "of the application"
            agent.completes(sent["session_id"])
            token = next(line[1] for line in told if line[0] == "TOKEN")
        finally:
            program.kill()
    bearer = {"Authorization": f"Bearer {token}"}
    info = requests.get(f"{server.endpoint}/{users.pool}/oauth2/userInfo", headers=bearer, timeout=30)
    assert info.json()["username"] == username


# --- gateways whose targets are called with what their callers allowed --------------------------------------------------


OVERRIDE = "aws.bedrock-agentcore.gateway/credentialProviderConfiguration"


@pytest.fixture
def service():
    running = echo_service.Service()
    yield running
    running.end()


def of_people(agent, **more) -> dict:
    provider = {
        "providerArn": f"{VAULT}/oauth2credentialprovider/{agent.provider}",
        "scopes": ["read"],
        "grantType": "AUTHORIZATION_CODE",
        "defaultReturnUrl": RETURN,
        **more,
    }
    provider = {key: it for key, it in provider.items() if it is not None}
    return {"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": provider}}


def document(service) -> dict:
    return {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}


def calls(gateway, token: str, version: str = "2025-11-25", **wish) -> dict:
    meta = {"_meta": {OVERRIDE: {"oauthCredentialProvider": wish}}} if wish else {}
    wire = Wire(gateway.url, token, version)
    return wire.call("tools/call", {"name": "Echo___echo", "arguments": {"id": "1", "q": "2"}, **meta})


def page_of(answer: dict) -> str:
    error = answer["error"]
    assert (error["code"], error["message"]) == (-32042, "This request requires more information.")
    [asked] = error["data"]["elicitations"]
    assert asked["mode"] == "url" and asked["elicitationId"] and asked["message"]
    return asked["url"]


def test_a_gateway_asks_its_caller_to_consent(server, make, agent, abroad, issuer, service):
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    gateway = make.gateway(authorizer, roleArn=make.vault_role())
    made = with_credential(gateway, "Echo", document(service), of_people(agent))
    assert made["status"] == "READY"
    ada, bob = issuer.token(sub="ada"), issuer.token(sub="bob")
    sent = walk(page_of(calls(gateway, ada)))
    assert not service.seen
    # The tokens are nobody's until the application says whose browser came back.
    page_of(calls(gateway, ada))
    agent.completes(sent["session_id"], userToken=issuer.token(sub="ada", jti="fresh"))
    answer = calls(gateway, ada)["result"]
    assert not answer["isError"], answer
    [seen] = service.seen
    assert seen["headers"]["authorization"] == f"Bearer {abroad.given[0]}"
    assert_silent("the answer", json.dumps(answer), abroad.given[0])
    # Somebody else is asked; a client that knows no such question is told that there is one.
    other = page_of(calls(gateway, bob))
    told = calls(gateway, bob, "2025-06-18")["result"]
    assert told["isError"] and "consent" in told["content"][0]["text"] and other not in json.dumps(told)
    # What ada's browser brings back in bob's session is thrown away.
    assert agent.is_refused(walk(other)["session_id"], userToken=ada) == NO_SESSION

    # One call may wish to be asked anew, and to end elsewhere, where that is registered.
    elsewhere = "https://other.example/done"
    refused = calls(gateway, ada, returnUrl=elsewhere)["result"]
    assert refused["isError"]
    urls = agent.control.get_workload_identity(name=gateway.id)["allowedResourceOauth2ReturnUrls"]
    assert urls == [RETURN]
    agent.control.update_workload_identity(name=gateway.id, allowedResourceOauth2ReturnUrls=[*urls, elsewhere])
    browser = requests.Session()
    back = to_callback(page_of(calls(gateway, ada, returnUrl=elsewhere, forceAuthentication=True)), browser)
    assert step(browser, back).startswith(f"{elsewhere}?session_id=urn")
    page_of(calls(gateway, ada))

    # The identity is the gateway's: nobody gets its tokens, and it goes with the gateway.
    linked = "WorkloadIdentity is linked to a service and cannot retrieve an access token by the caller"
    assert refusal(agent.for_id, workload=gateway.id)[2] == linked
    assert refusal(agent.control.delete_workload_identity, name=gateway.id)[:2] == (400, "ValidationException")
    agent.control.delete_gateway_target(gatewayIdentifier=gateway.id, targetId=made["targetId"])
    agent.control.delete_gateway(gatewayIdentifier=gateway.id)
    assert refusal(agent.control.get_workload_identity, name=gateway.id)[1] == "ResourceNotFoundException"
    for secret in abroad.given:
        assert_silent("the log", server.log(), secret)


def test_mcp_servers_are_shown_what_callers_allowed(make, agent, abroad, issuer, service):
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    gateway = make.gateway(authorizer, roleArn=make.vault_role())
    tools = json.dumps({"tools": [tool("echo")]})
    configuration = {"mcpServer": {"endpoint": f"{service.url}/mcp", "mcpToolSchema": {"inlinePayload": tools}}}
    assert with_credential(gateway, "Echo", configuration, of_people(agent))["status"] == "READY"
    ada = issuer.token(sub="ada")
    agent.completes(walk(page_of(calls(gateway, ada)))["session_id"], userToken=ada)
    # It is no MCP server, but it sees what one would.
    calls(gateway, ada)
    assert service.seen and all(seen["headers"]["authorization"] == f"Bearer {abroad.given[0]}" for seen in service.seen)


def test_a_token_that_its_target_refuses_is_replaced(make, agent, abroad, issuer, service):
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    gateway = make.gateway(authorizer, roleArn=make.vault_role())
    assert with_credential(gateway, "Echo", document(service), of_people(agent))["status"] == "READY"
    ada = issuer.token(sub="ada")
    agent.completes(walk(page_of(calls(gateway, ada)))["session_id"], userToken=ada)
    assert not calls(gateway, ada)["result"]["isError"]
    # A token that has just come is not replaced, whatever its target says.
    service.accept(lambda seen: seen["headers"]["authorization"] != f"Bearer {abroad.given[0]}")
    assert calls(gateway, ada)["result"]["isError"] and len(abroad.exchanged) == 1
    time.sleep(5.1)
    assert not calls(gateway, ada)["result"]["isError"]
    assert [form["grant_type"] for form in abroad.exchanged] == ["authorization_code", "refresh_token"]
    assert make.audited(lambda event: event["action"] == "refuse_token" and event["resource"].endswith(agent.provider))
    # Where its server gives no other, the person is asked again.
    service.accept(lambda _: False)
    abroad.refresh_tokens.clear()
    time.sleep(5.1)
    page_of(calls(gateway, ada))


def test_targets_of_people_say_what_they_need(make, agent, issuer, service):
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedAudience": ["tools"]}}
    gateway, open_to_all = make.gateway(authorizer), make.gateway("NONE")
    server = {"mcpServer": {"endpoint": "http://127.0.0.1:1/mcp"}}
    for place, configuration, credential, told in [
        (gateway, document(service), of_people(agent, defaultReturnUrl=None), "defaultReturnUrl"),
        (gateway, document(service), of_people(agent, defaultReturnUrl="javascript:alert(1)"), "browser"),
        (gateway, document(service), of_people(agent, customParameters={"state": "x"}), "state"),
        (gateway, server, of_people(agent), "mcpToolSchema"),
        (open_to_all, document(service), of_people(agent), "CUSTOM_JWT"),
    ]:
        code, message = refusal(with_credential, place, "Echo", configuration, credential)[1:]
        assert code == "ValidationException" and told in message, message


def test_the_example_application(server, make, abroad, service, tmp_path):
    """`examples/user-federation/app.py`, with two people in two browsers."""
    users, port = Users(server, make), free_port()
    app = f"http://127.0.0.1:{port}"
    agent = Agent(server, abroad.provider, urls=[f"{app}/done"])
    settings = {
        "APP_URL": app,
        "CLIENT_ID": users.client,
        "WORKLOAD": agent.workload,
        "PROVIDER": agent.provider,
        "SCOPES": "read",
        "API": f"{service.url}/echo/calendar",
    }
    command = [sys.executable, str(PROJECT / "examples" / "user-federation" / "app.py")]
    with subprocess.Popen(command, env={**server.env, **settings}, stderr=subprocess.DEVNULL) as program:
        try:
            until("the application", lambda: answers(app), bool)
            ada, eve = requests.Session(), requests.Session()
            for browser in (ada, eve):
                browser.post(app, data={"username": users.user(), "password": PASSWORD}, allow_redirects=False, timeout=30)
            assert "Sign in" in requests.get(app, timeout=30).text
            page = ada.get(app, timeout=30)
            assert page.status_code == 200 and abroad.given[0] in page.text, page.text
            assert service.seen[0]["headers"]["authorization"] == f"Bearer {abroad.given[0]}"
            # Ada is made to end what eve began.
            back = step(eve, to_callback(eve.get(app, allow_redirects=False, timeout=30).headers["location"], eve))
            begun_elsewhere = ada.get(back, timeout=30)
            assert begun_elsewhere.status_code == 400, begun_elsewhere.text
            assert len(service.seen) == 1
        finally:
            program.kill()


def answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok
    return False


@pytest.fixture(scope="module")
def published():
    """npm's oidc-provider; gives its issuer."""
    command = [node.program(), str(node.among_packages("oidc_provider.mjs"))]
    with subprocess.Popen(
        command, env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        try:
            yield program.stdout.readline().strip()
        finally:
            program.kill()


def test_a_published_server_of_somebody_else(server, published, make):
    """Registered there by RFC 7591, signed in on its pages, refreshed while its tokens rotate."""
    discovery = {"discoveryUrl": f"{published}/.well-known/openid-configuration"}
    configuration = {"oauthDiscovery": discovery, "clientId": "not yet", "clientSecret": "not yet"}
    agent = Agent(server, {"customOauth2ProviderConfig": configuration}, ["openid", "offline_access"])
    client = {
        "redirect_uris": [agent.callback_url],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid offline_access",
    }
    client = requests.post(f"{published}/reg", json=client, timeout=30).json()
    agent.control.update_oauth2_credential_provider(
        name=agent.provider,
        credentialProviderVendor="CustomOauth2",
        oauth2ProviderConfigInput={
            "customOauth2ProviderConfig": {
                **configuration,
                "clientId": client["client_id"],
                "clientSecret": client["client_secret"],
            }
        },
    )
    # Without this, it gives no refresh token (OpenID Connect Core, section 11).
    asked = {"customParameters": {"prompt": "consent"}}
    begun, browser = agent.asks(**asked), requests.Session()
    location = begun["authorizationUrl"]
    while not location.startswith(RETURN):
        answer = browser.get(location, allow_redirects=False, timeout=30)
        if answer.status_code == 200:
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
            form = {**fields, "login": "ada", "password": "x"}
            answer = browser.post(location, data=form, allow_redirects=False, timeout=30)
        location = urljoin(answer.url, answer.headers["location"])
    assert returned(location) == {"from": "vault", "session_id": begun["sessionUri"]}
    agent.completes(begun["sessionUri"])
    seen = set()

    def another() -> set:
        seen.add(agent.asks(**asked)["accessToken"])
        return seen

    until("two refreshes", another, lambda tokens: len(tokens) == 3)
    info = requests.get(f"{published}/me", headers={"Authorization": f"Bearer {agent.asks(**asked)['accessToken']}"}, timeout=30)
    assert info.json() == {"sub": "ada"}
