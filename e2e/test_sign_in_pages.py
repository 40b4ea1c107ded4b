"""People sign in to a pool: the code flow with PKCE, with `requests` as the browser, and what attackers try at it."""

import base64
import hashlib
import html
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from scenery import audited, name
from test_pool_users import PASSWORD, Users, claims

CALLBACK = "https://app.example.com/callback"


class Browser:
    """A browser at one pool's pages, and the application that sent it there."""

    def __init__(self, users, client: str, secret: str | None = None, redirect_uri: str = CALLBACK):
        self.users, self.client, self.secret, self.redirect_uri = users, client, secret, redirect_uri
        self.base = f"{users.server.endpoint}/{users.pool}"
        self.session = requests.Session()
        self.verifier = secrets.token_urlsafe(48)
        self.state, self.nonce = secrets.token_urlsafe(8), secrets.token_urlsafe(8)

    def query(self, **changes) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return urlencode({key: value for key, value in asked.items() if value is not None})

    def authorize(self, **changes) -> requests.Response:
        return self.session.get(
            f"{self.base}/oauth2/authorize?{self.query(**changes)}", allow_redirects=False, timeout=30
        )

    def page(self, **changes) -> requests.Response:
        """The page that the application sends the browser to."""
        sent = self.authorize(**changes)
        assert sent.status_code == 302, sent.text
        return self.session.get(requests.compat.urljoin(sent.url, sent.headers["location"]), timeout=30)

    def submit(self, page: requests.Response, headers=None, **fields) -> requests.Response:
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        form = {key: html.unescape(value) for key, value in hidden.items()} | fields
        return self.session.post(page.url, data=form, headers=headers, allow_redirects=False, timeout=30)

    def signed_in(self, username: str, password: str = PASSWORD, **changes) -> dict:
        """What the application is sent."""
        sent = self.submit(self.page(**changes), step="sign-in", username=username, password=password)
        assert sent.status_code == 303, sent.text
        return self.sent(sent)

    def sent(self, answer: requests.Response) -> dict:
        location = answer.headers["location"]
        assert location.startswith(self.redirect_uri), location
        return {key: value for key, [value] in parse_qs(urlsplit(location).query).items()}

    def token(self, **form) -> requests.Response:
        form = {"client_id": self.client, **form}
        if self.secret:
            form["client_secret"] = self.secret
        form = {key: value for key, value in form.items() if value is not None}
        return requests.post(f"{self.base}/oauth2/token", data=form, timeout=30)

    def exchange(self, code: str, **changes) -> requests.Response:
        form = {"redirect_uri": self.redirect_uri, "code_verifier": self.verifier, **changes}
        return self.token(grant_type="authorization_code", code=code, **form)

    def refresh(self, token: str, **more) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token, **more)


@pytest.fixture(scope="module")
def users(server, make):
    return Users(server, make)


@pytest.fixture(scope="module")
def client(users):
    return users.new_client(**settings())


def settings(**changes) -> dict:
    return {
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "CallbackURLs": [CALLBACK, "http://127.0.0.1/cb"],
        "LogoutURLs": ["https://app.example.com/bye"],
        **changes,
    }


@pytest.fixture
def browser(users, client):
    return Browser(users, client["ClientId"])


def refused(answer: requests.Response, error: str, status: int = 400):
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


def test_a_person_signs_in_and_the_application_gets_tokens(users, browser):
    username = users.user()
    page = browser.page()
    assert page.headers["x-frame-options"] == "DENY" and page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert "<script" not in page.text and '<label for="username">' in page.text
    answer = browser.submit(page, step="sign-in", username=username, password=PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    sent = browser.sent(answer)
    metadata = requests.get(f"{browser.base}/.well-known/oauth-authorization-server", timeout=30).json()
    assert sent["state"] == browser.state and sent["iss"] == metadata["issuer"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert "none" in metadata["token_endpoint_auth_methods_supported"]

    tokens = browser.exchange(sent["code"]).json()
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    assert access["scope"] == "openid email" and access["username"] == username
    assert identity["nonce"] == browser.nonce and identity["aud"] == browser.client
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = requests.get(f"{browser.base}/oauth2/userInfo", headers=bearer, timeout=30).json()
    assert info == {"sub": access["sub"], "username": username, "email": f"{username}@example.com"}

    # Signed in already: the page only asks whether to allow it.
    page = browser.page()
    assert username in page.text and "password" not in page.text
    assert browser.sent(browser.submit(page, step="allow"))["code"]
    assert browser.sent(browser.submit(browser.page(), step="deny"))["error"] == "access_denied"
    out = browser.session.get(
        f"{browser.base}/logout?client_id={browser.client}&logout_uri=https://app.example.com/bye",
        allow_redirects=False,
        timeout=30,
    )
    assert out.headers["location"] == "https://app.example.com/bye"
    assert 'name="password"' in browser.page().text

    mine = lambda it: it["kind"] == "token" and it["actor"].get("subject") == access["sub"]
    assert {"login", "authorization_code"} <= {it["action"] for it in audited(users.server, mine, least=3)}


def test_a_temporary_password_is_replaced_on_the_way(users, browser):
    username = users.user(permanent=False)
    page = browser.submit(browser.page(), step="sign-in", username=username, password=PASSWORD)
    assert page.status_code == 200 and 'name="new_password"' in page.text
    weak = browser.submit(page, step="new-password", new_password="weak")
    assert "not long enough" in weak.text
    sent = browser.sent(browser.submit(weak, step="new-password", new_password="Another-Horse-2"))
    assert browser.exchange(sent["code"]).status_code == 200


def test_a_code_is_good_once_and_takes_everything_with_it(users, browser):
    sent = browser.signed_in(users.user())
    tokens = browser.exchange(sent["code"]).json()
    refused(browser.exchange(sent["code"]), "invalid_grant")
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert requests.get(f"{browser.base}/oauth2/userInfo", headers=bearer, timeout=30).status_code == 401


def test_a_refresh_token_is_good_once(users, browser):
    first = browser.exchange(browser.signed_in(users.user())["code"]).json()
    second = browser.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    refused(browser.refresh(second["refresh_token"], scope="openid admin"), "invalid_scope")
    third = browser.refresh(second["refresh_token"], scope="openid").json()
    assert claims(third["access_token"])["scope"] == "openid"
    refused(browser.refresh(first["refresh_token"]), "invalid_grant")
    refused(browser.refresh(third["refresh_token"]), "invalid_grant")


def test_tokens_are_given_back(users, browser):
    tokens = browser.exchange(browser.signed_in(users.user())["code"]).json()
    form = {"token": tokens["refresh_token"], "client_id": browser.client}
    assert requests.post(f"{browser.base}/oauth2/revoke", data=form, timeout=30).status_code == 200
    assert requests.post(f"{browser.base}/oauth2/revoke", data=form, timeout=30).status_code == 200
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")


def test_a_code_is_worth_nothing_to_another(users, browser):
    username = users.user()
    other = Browser(users, users.new_client(**settings())["ClientId"])
    code = browser.signed_in(username)["code"]
    refused(other.exchange(code, code_verifier=browser.verifier), "invalid_grant")
    for wrong in (
        {"code_verifier": secrets.token_urlsafe(48)},
        {"code_verifier": None},
        {"redirect_uri": "http://127.0.0.1/cb"},
    ):
        refused(browser.exchange(browser.signed_in(username, prompt="login")["code"], **wrong), "invalid_grant")


def test_proof_cannot_be_left_out_or_weakened(users, browser):
    for changes in (
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
    ):
        assert browser.sent(browser.authorize(**changes))["error"] == "invalid_request"
    made = users.new_client(GenerateSecret=True, **settings())
    confidential = Browser(users, made["ClientId"], made["ClientSecret"])
    username = users.user()
    without = {"code_challenge": None, "code_challenge_method": None}
    code = confidential.signed_in(username, **without)["code"]
    refused(confidential.exchange(code), "invalid_grant")
    code = confidential.signed_in(username, **without, prompt="login")["code"]
    assert confidential.exchange(code, code_verifier=None).status_code == 200
    code = confidential.signed_in(username, prompt="login")["code"]
    confidential.secret = None
    refused(confidential.exchange(code), "invalid_client")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example.com/callback",
        CALLBACK + "/",
        CALLBACK + "?next=https://evil.example.com",
        "https://app.example.com/callback/../evil",
        "http://127.0.0.1:80@evil.example.com/cb",
        "http://127.0.0.1.evil.example.com/cb",
        "javascript:alert(1)",
        None,
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(browser, redirect_uri):
    told = browser.authorize(redirect_uri=redirect_uri)
    assert told.status_code == 400 and "location" not in told.headers and "text/html" in told.headers["content-type"]
    bad = browser.session.get(
        f"{browser.base}/logout",
        params={"client_id": browser.client, "logout_uri": redirect_uri or "https://evil.example.com"},
        allow_redirects=False,
        timeout=30,
    )
    assert bad.status_code == 400 and "location" not in bad.headers


def test_an_application_on_the_machine_takes_any_port(users, client):
    browser = Browser(users, client["ClientId"], redirect_uri="http://127.0.0.1:48765/cb")
    sent = browser.signed_in(users.user())
    assert browser.exchange(sent["code"]).status_code == 200


def test_what_is_wrong_is_told_to_the_application(browser):
    for changes, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"resource": "not a uri"}, "invalid_target"),
        ({"prompt": "none"}, "interaction_required"),
    ):
        sent = browser.sent(browser.authorize(**changes))
        assert (sent["error"], sent["state"]) == (error, browser.state) and sent["iss"] and "code" not in sent


def test_a_form_works_only_where_it_was_given(users, browser, client):
    username = users.user()
    fields = {"step": "sign-in", "username": username, "password": PASSWORD}
    page = browser.page()
    elsewhere = Browser(users, client["ClientId"])
    assert elsewhere.submit(page, **fields).status_code == 200
    assert browser.submit(page, headers={"Origin": "https://evil.example.com"}, **fields).status_code == 200
    assert browser.submit(page, headers={"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 200
    page.url = page.url.replace(browser.state, "another-state")
    assert browser.submit(page, **fields).status_code == 200
    # With a session, too: nobody allows something by a form of another site.
    browser.signed_in(username)
    allowed = browser.session.post(
        f"{browser.base}/login?{browser.query()}", data={"step": "allow"}, allow_redirects=False, timeout=30
    )
    assert allowed.status_code == 200 and "location" not in allowed.headers


def test_the_page_tells_no_one_who_is_there(users, browser):
    wrong = browser.submit(browser.page(), step="sign-in", username=users.user(), password="Wrong-Horse-1")
    nobody = browser.submit(browser.page(), step="sign-in", username=name("nobody"), password="Wrong-Horse-1")
    assert "Incorrect username or password." in wrong.text and wrong.text == nobody.text


def test_a_token_is_for_the_resource_that_was_asked_for(users, browser):
    sent = browser.signed_in(users.user(), resource="https://gateway.example.com/mcp")
    tokens = browser.exchange(sent["code"]).json()
    assert claims(tokens["access_token"])["aud"] == "https://gateway.example.com/mcp"


def test_no_secret_is_in_the_database(users, browser):
    sent = browser.signed_in(users.user())
    tokens = browser.exchange(sent["code"]).json()
    session = next(it.value for it in browser.session.cookies if "session" in it.name)
    kept = b"".join(path.read_bytes() for path in users.server.folder.rglob("*") if path.is_file())
    for secret in (sent["code"], tokens["refresh_token"], tokens["access_token"], session, PASSWORD, "$argon2id"):
        assert secret.encode() not in kept
