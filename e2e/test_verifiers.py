"""Tokens of our pools held by verifiers that are not ours: PyJWT and jose, each with an issuer's discovery URL and nothing
else, for every kind of token, before and after a pool changes its keys."""

import base64
import json

import jwt
import pytest
import requests

import node
from scenery import until
from test_pool_users import Users, claims
from test_sign_in_pages import Browser, settings


class WithPyJwt:
    """PyJWT's own client of key sets, at the place that the document names. It keeps none: a kept one is not asked again at once
    for a key that it does not know."""

    def __init__(self):
        self.sets = {}

    def verify(self, asked: list) -> list:
        return [self.one(**it) for it in asked]

    def one(self, discovery_url: str, token: str, audience: str | None = None) -> dict:
        if discovery_url not in self.sets:
            document = requests.get(discovery_url, timeout=30).json()
            self.sets[discovery_url] = document, jwt.PyJWKClient(document["jwks_uri"], cache_jwk_set=False)
        document, keys = self.sets[discovery_url]
        try:
            verified = jwt.decode(
                token,
                keys.get_signing_key_from_jwt(token),
                algorithms=document["id_token_signing_alg_values_supported"],
                issuer=document["issuer"],
                audience=audience,
                options={"require": ["exp", "iat", "sub", "iss", "jti"]},
            )
        except jwt.exceptions.PyJWTError as error:
            return {"error": type(error).__name__}
        return {"claims": verified}


class WithJose:
    """jose, in a process of its own."""

    def verify(self, asked: list) -> list:
        done = node.run(node.among_packages("jose_verifier.mjs"), json.dumps(asked), timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=[WithPyJwt, WithJose])
def verifier(request):
    return request.param()


@pytest.fixture(scope="module")
def users(server, make):
    return Users(server, make)


def discovery_url(users) -> str:
    return f"{users.server.endpoint}/{users.pool}/.well-known/openid-configuration"


def tokens(users) -> dict:
    """One of each kind: of the API, of the pages, refreshed, and, with its audience, those that say who somebody is."""
    username = users.user()
    result = users.sign_in(username)["AuthenticationResult"]
    again = users.refresh(result["RefreshToken"])["AuthenticationResult"]
    client = users.new_client(**settings())["ClientId"]
    browser = Browser(users, client)
    of_pages = browser.exchange(browser.signed_in(username)["code"]).json()
    return {
        "access": {"token": result["AccessToken"]},
        "identity": {"token": result["IdToken"], "audience": users.client},
        "access, refreshed": {"token": again["AccessToken"]},
        "identity, refreshed": {"token": again["IdToken"], "audience": users.client},
        "access, of the pages": {"token": of_pages["access_token"]},
        "identity, of the pages": {"token": of_pages["id_token"], "audience": client},
    }


def test_every_kind_of_token_holds(users, make, verifier):
    asked = {kind: {"discovery_url": discovery_url(users), **it} for kind, it in tokens(users).items()}
    pool = make.pool()
    asked["client"] = {"discovery_url": pool.discovery_url, "token": pool.client("invoke").token()}
    for (kind, it), answer in zip(asked.items(), verifier.verify(list(asked.values())), strict=True):
        assert answer.get("claims") == claims(it["token"]), (kind, answer)


def altered(token: str, **changes) -> str:
    """The token with other claims under its old signature."""
    header, _, signature = token.split(".")
    payload = base64.urlsafe_b64encode(json.dumps({**claims(token), **changes}).encode()).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"


def test_what_does_not_hold_is_refused_by_them_too(users, make, verifier):
    """So that what holds above does not hold because they look at nothing."""
    known = tokens(users)
    access, identity = known["access"]["token"], known["identity"]
    theirs = make.pool().client("invoke").token()
    header, payload, _ = access.split(".")
    wrong = [
        {"token": altered(access, sub="somebody-else")},
        {"token": f"{header}.{payload}.{identity['token'].split('.')[2]}"},
        {"token": theirs},
        {"token": identity["token"], "audience": "another-client"},
    ]
    answers = verifier.verify([{"discovery_url": discovery_url(users), **it} for it in wrong])
    assert [list(answer) for answer in answers] == [["error"]] * len(wrong), answers


def test_keys_come_and_go(server, users, verifier):
    """A new key signs and the former still verifies; one that is revoked does not."""
    ask = lambda *given: verifier.verify([{"discovery_url": discovery_url(users), "token": token} for token in given])
    username = users.user()
    fresh = lambda: users.sign_in(username)["AuthenticationResult"]["AccessToken"]
    before = fresh()
    server.run("pool", "rotate-key", users.pool)
    kid = lambda token: jwt.get_unverified_header(token)["kid"]
    # Running servers learn of it within a second.
    after = until("the new key", fresh, lambda token: kid(token) != kid(before))
    answers = ask(before, after)
    assert all("claims" in answer for answer in answers), answers
    server.run("pool", "revoke-former-keys", users.pool)
    # Key sets may be kept for a while: a verifier that begins now has the new one.
    asked = [{"discovery_url": discovery_url(users), "token": token} for token in (before, after)]
    look = lambda: [list(answer) for answer in type(verifier)().verify(asked)]
    until("the former key", look, lambda seen: seen == [["error"], ["claims"]])
