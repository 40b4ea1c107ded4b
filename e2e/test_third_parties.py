"""What strangers try at a pool that lets clients register themselves or be known by their metadata documents, with
`requests` as the browser."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from scenery import audited, name, tool
from test_pool_users import PASSWORD, Users, claims
from test_sign_in_pages import Browser

LOOPBACK = "http://127.0.0.1:48123/cb"


class Place:
    """A pool that lets clients register themselves, and a gateway that trusts it."""

    def __init__(self, server, make):
        self.server, self.users = server, Users(server, make)
        self.pool = self.users.pool
        self.base = f"{server.endpoint}/{self.pool}"
        self.resource_server = name("resource")
        self.users.cognito.create_resource_server(
            UserPoolId=self.pool,
            Identifier=self.resource_server,
            Name="tools",
            Scopes=[{"ScopeName": scope, "ScopeDescription": scope} for scope in ("call", "admin", "hidden")],
        )
        self.call, self.admin = f"{self.resource_server}/call", f"{self.resource_server}/admin"
        self.gateway = make.gateway(self.authorizer("not-yet-known"))
        self.trust(allowedScopes=[self.call])
        self.gateway.lambda_target("T", make.function(), [tool("echo", word="string"), tool("other")])
        self.third_parties("--registration", "on", "--scope", self.call, "--scope", self.admin, "--scope", "openid")

    def authorizer(self, audience: str, **more) -> dict:
        discovery = f"{self.base}/.well-known/openid-configuration"
        return {"customJWTAuthorizer": {"discoveryUrl": discovery, "allowedAudience": [audience], **more}}

    def trust(self, **more):
        self.gateway.update(authorizerConfiguration=self.authorizer(self.gateway.url, **more))

    def third_parties(self, *arguments: str) -> str:
        return self.server.run("pool", "third-parties", self.pool, *arguments).stdout

    def register(self, **metadata) -> requests.Response:
        metadata = {"client_name": "Client", "redirect_uris": [LOOPBACK], **metadata}
        return requests.post(f"{self.base}/oauth2/register", json=metadata, timeout=30)

    def browser(self, client: str | None = None, redirect_uri: str = LOOPBACK) -> Browser:
        return Browser(self.users, client or self.register().json()["client_id"], redirect_uri=redirect_uri)

    def query(self, **changes) -> dict:
        return {"resource": self.gateway.url, "scope": self.call, **changes}

    def signed_in(self, browser: Browser, username: str | None = None, **changes) -> dict:
        """What the application is sent after somebody signed in and allowed it."""
        page = browser.page(**self.query(**changes))
        sent = browser.submit(page, step="sign-in", username=username or self.users.user(), password=PASSWORD)
        assert sent.status_code == 303 and "/login?" in requests.compat.urljoin(page.url, sent.headers["location"])
        consent = browser.session.get(requests.compat.urljoin(page.url, sent.headers["location"]), timeout=30)
        return browser.sent(browser.submit(consent, step="allow"))

    def ask(self, token: str) -> requests.Response:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
        return requests.post(self.gateway.url, json=ping, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def place(server, make):
    return Place(server, make)


def test_what_is_registered_is_public_and_little(place):
    wished = {
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": f"openid {place.admin} {place.resource_server}/hidden",
        "client_name": "\u202eevil",
    }
    answer = place.register(**wished)
    made = answer.json()
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    assert made["grant_types"] == ["authorization_code", "refresh_token"] and "client_secret" not in made
    assert made["token_endpoint_auth_method"] == "none" and made["client_name"] == "evil"
    assert sorted(made["scope"].split()) == sorted(["openid", place.call, place.admin])
    form = {"grant_type": "client_credentials", "client_id": made["client_id"]}
    refused = requests.post(f"{place.base}/oauth2/token", data=form, timeout=30)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    # Administrators see it among the others, and remove it.
    cognito = place.users.cognito
    shown = cognito.describe_user_pool_client(UserPoolId=place.pool, ClientId=made["client_id"])["UserPoolClient"]
    assert shown["CallbackURLs"] == [LOOPBACK] and "ClientSecret" not in shown
    cognito.delete_user_pool_client(UserPoolId=place.pool, ClientId=made["client_id"])
    assert place.browser(made["client_id"]).authorize(**place.query()).status_code == 400
    mine = lambda event: event["action"] == "register" and event["actor"].get("clientId") == made["client_id"]
    assert audited(place.server, mine)[0]["outcome"] == "success"


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": ["http://app.example.com/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://localhost.evil.example.com/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://app.example.com/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [LOOPBACK] * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"client_name": "x" * 20_000}, "invalid_client_metadata"),
    ],
)
def test_what_cannot_be_registered(place, metadata, error):
    refused = place.register(**metadata)
    assert (refused.status_code, refused.json()["error"]) == (400, error), refused.text


def test_a_stranger_gets_tokens_for_one_gateway_only(place):
    browser = place.browser()
    for resource in (None, "https://gateway.example.com/mcp", place.gateway.url + "/", f"{place.base}", place.server.endpoint):
        sent = browser.sent(browser.authorize(**place.query(resource=resource)))
        assert (sent["error"], sent["state"]) == ("invalid_target", browser.state) and sent["iss"] == place.base
    wrong = place.query(scope=f"{place.resource_server}/hidden")
    assert browser.sent(browser.authorize(**wrong))["error"] == "invalid_scope"
    # A stranger cannot have people sent to a host of its own by a link to this one.
    elsewhere = "https://evil.example.com/cb"
    stranger = place.browser(place.register(redirect_uris=[elsewhere]).json()["client_id"], elsewhere)
    for query in (wrong, place.query(prompt="none"), place.query(response_type="token")):
        told = stranger.authorize(**query)
        assert told.status_code == 400 and "location" not in told.headers
    bye = f"{place.base}/logout?client_id={stranger.client}&logout_uri={elsewhere}"
    told = requests.get(bye, allow_redirects=False, timeout=30)
    assert told.status_code == 400 and "location" not in told.headers
    sent = place.signed_in(browser, scope=f"openid {place.call} {place.resource_server}/hidden")
    assert sent["iss"] == place.base
    other = browser.exchange(sent["code"], resource="https://elsewhere.example.com/mcp")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_target")
    tokens = browser.exchange(sent["code"], resource=place.gateway.url).json()
    access = claims(tokens["access_token"])
    assert access["aud"] == place.gateway.url and access["client_id"] == browser.client
    assert sorted(tokens["scope"].split()) == sorted(["openid", place.call])
    assert place.ask(tokens["access_token"]).status_code == 200
    refused = place.ask(tokens["id_token"])
    assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["www-authenticate"]
    # Not through the API, where nobody is shown what it is.
    told = pytest.raises(Exception, place.users.refresh, tokens["refresh_token"], browser.client)
    assert "ResourceNotFoundException" in str(told.value)


def test_nobody_allows_a_stranger_without_seeing_it(place):
    browser, username = place.browser(), place.users.user()
    page = browser.page(**place.query(prompt="login"))
    entered = browser.submit(page, step="sign-in", username=username, password=PASSWORD)
    assert not entered.headers["location"].startswith(LOOPBACK) and "prompt" not in entered.headers["location"]
    consent = browser.session.get(requests.compat.urljoin(page.url, entered.headers["location"]), timeout=30)
    assert consent.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in consent.headers["content-security-policy"]
    # Neither a form of another site, nor one that was given for another client, allows anything.
    for changes in ({"binding": "guessed"}, {"binding": ""}):
        told = browser.submit(consent, step="allow", **changes)
        assert told.status_code == 200 and "location" not in told.headers
    assert "location" not in browser.submit(consent, {"Sec-Fetch-Site": "cross-site"}, step="allow").headers
    other = place.browser()
    moved = consent.url.replace(browser.client, other.client)
    consent.url, kept = moved, consent.url
    assert "location" not in browser.submit(consent, step="allow").headers
    consent.url = kept
    assert browser.sent(browser.submit(consent, step="deny"))["error"] == "access_denied"
    # Who is signed in already is asked again, each time.
    for _ in range(2):
        page = browser.page(**place.query())
        assert 'value="allow"' in page.text and 'name="password"' not in page.text
        assert browser.sent(browser.submit(page, step="allow"))["code"]


def test_what_was_stolen_is_taken_back(place):
    browser = place.browser()
    for weaker in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}):
        assert browser.sent(browser.authorize(**place.query(**weaker)))["error"] == "invalid_request"
    for tricky in (LOOPBACK + "x", LOOPBACK + "/../x", "http://127.0.0.1:48123@evil.example.com/cb", "https://127.0.0.1/cb"):
        told = browser.authorize(**place.query(redirect_uri=tricky))
        assert told.status_code == 400 and "location" not in told.headers
    sent = place.signed_in(browser)
    for wrong in ({"code_verifier": secrets.token_urlsafe(48)}, {"code_verifier": None}):
        refused = browser.exchange(place.signed_in(place.browser())["code"], **wrong)
        assert refused.json()["error"] == "invalid_grant"
    tokens = browser.exchange(sent["code"]).json()
    second = browser.refresh(tokens["refresh_token"], resource=place.gateway.url).json()
    assert claims(second["access_token"])["aud"] == place.gateway.url
    assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert browser.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    sent = place.signed_in(browser, prompt="login")
    tokens = browser.exchange(sent["code"]).json()
    assert browser.exchange(sent["code"]).json()["error"] == "invalid_grant"
    assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_what_is_switched_off_is_off_at_once(server, make):
    users = Users(server, make)
    closed = f"{server.endpoint}/{users.pool}/oauth2/register"
    refused = requests.post(closed, json={"redirect_uris": [LOOPBACK]}, timeout=30)
    assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
    nobody = f"{server.endpoint}/us-west-2_nobody/oauth2/register"
    assert requests.post(nobody, json={"redirect_uris": [LOOPBACK]}, timeout=30).status_code == 404
    assert "may not register themselves" in server.run("pool", "third-parties", users.pool).stdout
    place = Place(server, make)
    browser = place.browser()
    tokens = browser.exchange(place.signed_in(browser)["code"]).json()
    assert "may not register" in place.third_parties("--registration", "off")
    assert browser.authorize(**place.query()).status_code == 400
    assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_client"
    assert place.register().status_code == 403


def test_a_flood_of_registrations_is_bounded(server, make):
    place = Place(server, make)
    with ThreadPoolExecutor(8) as several:
        answers = list(several.map(lambda _: place.register().status_code, range(40)))
    assert set(answers) == {201, 429} and answers.count(201) <= 20


def test_the_chosen_metadata_documents_are_clients(place):
    """Nothing that a stranger names is dialled unless an administrator named its host, or it is public."""
    elsewhere = "https://app.example.com/client.json"
    browser = place.browser(elsewhere)
    refused = browser.authorize(**place.query())
    assert refused.status_code == 400 and "not known" in refused.text
    place.third_parties("--client-documents", "any")
    try:
        metadata = requests.get(f"{place.base}/.well-known/oauth-authorization-server", timeout=30).json()
        assert metadata["client_id_metadata_document_supported"] is True
        port = urlsplit(place.server.endpoint).port
        for inside in (
            f"https://127.0.0.1:{port}/client.json",
            f"https://localhost:{port}/client.json",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/client.json",
            "https://[::1]/client.json",
        ):
            refused = place.browser(inside).authorize(**place.query())
            assert refused.status_code == 400 and "cannot be read, or is not sound" in refused.text
            token = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": inside}
            assert requests.post(f"{place.base}/oauth2/token", data=token, timeout=30).json()["error"] == "invalid_client"
    finally:
        place.third_parties("--client-documents", "off")
