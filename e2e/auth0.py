"""A tenant of Auth0's, as far as the client-credentials grant goes: audiences, scopes and claims as Auth0 writes them."""

import json
import secrets
import time
import urllib.parse

from idp import Idp


class Auth0(Idp):
    """Gives tokens to one client, for one API. `host` is the tenant's name, by which its token endpoint is published."""

    def __init__(self, host: str, audience: str = "gateway123", scope: str = "invoke:gateway read:gateway"):
        self.host, self.audience, self.scope = host, audience, scope
        self.client_id, self.client_secret = secrets.token_hex(16), secrets.token_hex(32)
        super().__init__()

    def discovery(self) -> dict:
        return {**super().discovery(), "token_endpoint": f"https://{self.host}/oauth/token"}

    def grant(self, request: dict) -> tuple:
        """The status and the answer of a token request."""
        if request.get("grant_type") != "client_credentials":
            return 403, {"error": "unauthorized_client"}
        if (request.get("client_id"), request.get("client_secret")) != (self.client_id, self.client_secret):
            return 401, {"error": "access_denied", "error_description": "Unauthorized"}
        if request.get("audience") != self.audience:
            return 403, {"error": "access_denied", "error_description": "Service not enabled within domain"}
        wanted = request.get("scope") or self.scope
        if not set(wanted.split()) <= set(self.scope.split()):
            return 403, {"error": "invalid_scope"}
        now = int(time.time())
        claims = {
            "sub": f"{self.client_id}@clients",
            "aud": self.audience,
            "iat": now,
            "exp": now + 86400,
            "scope": wanted,
            "jti": secrets.token_hex(8),
            "client_id": self.client_id,
            "permissions": wanted.split(),
        }
        return 200, {"access_token": self.token(**claims), "token_type": "Bearer", "expires_in": 86400, "scope": wanted}

    def _handler(self):
        tenant = self

        class Handler(super()._handler()):
            def do_POST(self):
                tenant.asked.append(self.path)
                if self.path != "/oauth/token":
                    self.send_error(404)
                    return
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                as_json = self.headers.get_content_type() == "application/json"
                status, answer = tenant.grant(json.loads(body) if as_json else dict(urllib.parse.parse_qsl(body)))
                self.answer(answer, status)

        return Handler
