"""An authorization server that is not Portcullis: its token endpoint verifies all that it is sent (RFC 6749, 7523, 8693),
and issues tokens that say what was verified."""

import base64
import threading
import time
import urllib.parse
import uuid

import jwt

import idp

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class Refused(Exception):
    def __init__(self, error: str, why: str = ""):
        super().__init__(f"{error}: {why}")
        self.error, self.why = error, why


class AuthorizationServer(idp.Idp):
    """One whose people's tokens are for `tools`, and whose clients are made by `client`."""

    def __init__(self):
        self.clients = {}
        # The issuers of JWTs other than its own that it takes, each with where its keys are.
        self.trusted = {}
        self.requests = []
        self.seen = set()
        # How long a request takes, so that others come while it is under way.
        self.slowness = 0.0
        self.lock = threading.Lock()
        super().__init__()

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    def discovery(self) -> dict:
        return {**super().discovery(), "token_endpoint": self.token_endpoint}

    def client(self, **facts) -> dict:
        """A client with a secret, which may use every grant, unless the facts say otherwise."""
        made = {"id": f"client:{uuid.uuid4().hex[:8]}", "secret": uuid.uuid4().hex, "method": "basic", **facts}
        self.clients[made["id"]] = made
        return made

    def _handler(self):
        server, base = self, super()._handler()

        class Handler(base):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                try:
                    assert self.path == "/token", self.path
                    assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
                    pairs = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True)
                    form = dict(pairs)
                    if len(form) != len(pairs):
                        raise Refused("invalid_request", "a parameter stands twice")
                    server.requests.append(form)
                    time.sleep(server.slowness)
                    self.answer(server.issue(form, self.headers["Authorization"]))
                except Refused as refused:
                    self.answer({"error": refused.error, "error_description": refused.why}, 400)
                except jwt.PyJWTError as error:
                    self.answer({"error": "invalid_grant", "error_description": str(error)}, 400)

        return Handler

    def issue(self, form: dict, authorization: str | None) -> dict:
        client = self.authenticated(form, authorization)
        claims = {"client_id": client["id"], "scope": form.get("scope", ""), "aud": form.get("audience", form.get("resource"))}
        match form["grant_type"]:
            case "client_credentials":
                claims["sub"] = client["id"]
            case grant if grant == EXCHANGE:
                if form["subject_token_type"] not in (JWT, ACCESS_TOKEN):
                    raise Refused("invalid_request", "subject_token_type")
                claims["sub"] = self.verified(form["subject_token"], "tools")["sub"]
                if ("actor_token" in form) != ("actor_token_type" in form):
                    raise Refused("invalid_request", "actor_token and its type go together")
                if "actor_token" in form:
                    actor = self.verified(form["actor_token"], {JWT: self.token_endpoint}.get(form["actor_token_type"]))
                    claims["act"] = {"sub": actor["sub"], "scope": actor.get("scope")}
            case grant if grant == BEARER:
                claims["sub"] = self.verified(form["assertion"], "tools")["sub"]
            case _:
                raise Refused("unsupported_grant_type")
        claims = {name: value for name, value in claims.items() if value is not None}
        life = client.get("life", 600)
        now = int(time.time())
        token = self.token(**{"aud": None, **claims}, jti=uuid.uuid4().hex, exp=now + life)
        return {"access_token": token, "token_type": "Bearer", "expires_in": life, "issued_token_type": ACCESS_TOKEN}

    def authenticated(self, form: dict, authorization: str | None) -> dict:
        """The client, by the one proof that it is registered with."""
        if authorization:
            kind, _, encoded = authorization.partition(" ")
            assert kind == "Basic" and not {"client_id", "client_secret", "client_assertion"} & set(form)
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            name, proof = urllib.parse.unquote_plus(name), ("basic", urllib.parse.unquote_plus(secret))
        elif "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION or "client_secret" in form:
                raise Refused("invalid_client", "client_assertion_type")
            return self.asserted(form["client_assertion"], form.get("client_id"))
        elif "client_id" in form:
            name, proof = form["client_id"], ("post", form.get("client_secret"))
        else:
            name, proof = "nobody", ("none", None)
        client = self.clients.get(name)
        if not client or proof != (client["method"], client["secret"]):
            raise Refused("invalid_client", "unknown, or by another method")
        return client

    def asserted(self, assertion: str, named: str | None) -> dict:
        """RFC 7523, section 3: issued for this endpoint, short-lived, and used once."""
        unverified = jwt.decode(assertion, options={"verify_signature": False})
        client = self.clients.get(named or unverified["sub"])
        if not client or client["method"] != "assertion":
            raise Refused("invalid_client", "unknown, or by another method")
        try:
            keys = jwt.PyJWKClient(client["jwks"])
            claims = jwt.decode(
                assertion,
                keys.get_signing_key_from_jwt(assertion).key,
                algorithms=["RS256", "PS256", "ES256", "ES384"],
                audience=self.token_endpoint,
                issuer=client.get("assertion_issuer", client["id"]),
                subject=client.get("assertion_subject", client["id"]),
                options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise Refused("invalid_client", str(error)) from error
        if claims["exp"] - claims["iat"] > 300:
            raise Refused("invalid_client", "it lives too long")
        with self.lock:
            if claims["jti"] in self.seen:
                raise Refused("invalid_client", "it was used before")
            self.seen.add(claims["jti"])
        client["asserted"] = claims
        return client

    def verified(self, token: str, audience: str | None) -> dict:
        """The claims of a JWT of its own, or of an issuer that it trusts."""
        issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
        if issuer == self.issuer:
            key = self.key.public_key()
        elif issuer in self.trusted:
            key = jwt.PyJWKClient(self.trusted[issuer]).get_signing_key_from_jwt(token).key
        else:
            raise Refused("invalid_grant", "of an issuer that is not trusted")
        options = {"verify_aud": audience is not None}
        return jwt.decode(token, key, algorithms=["RS256", "ES384"], audience=audience, issuer=issuer, options=options)
