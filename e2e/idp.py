"""An OpenID issuer that is not Portcullis: a web server with keys, whose documents and manners a test may change."""

import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Idp:
    """Serves discovery and keys on this machine, and signs tokens."""

    def __init__(self):
        self.key = new_key()
        self.asked = []
        # What is answered at a path instead of its document: a function of the handler.
        self.instead = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def discovery(self) -> dict:
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}

    def keys(self) -> dict:
        return {"keys": [self.jwk(self.key, "one")]}

    @staticmethod
    def jwk(key, kid: str) -> dict:
        """A key as it is published."""
        published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        return {**published, "kid": kid, "use": "sig", "alg": "RS256"}

    def token(self, key=None, kid="one", **claims) -> str:
        """A good token, unless the claims say otherwise; a claim that is None is left out."""
        now = int(time.time())
        all_claims = {"iss": self.issuer, "sub": "ada", "aud": "tools", "iat": now, "exp": now + 600, **claims}
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm="RS256", headers={"kid": kid})

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        idp = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                idp.asked.append(self.path)
                if self.path in idp.instead:
                    idp.instead[self.path](self)
                elif self.path == "/.well-known/openid-configuration":
                    self.answer(idp.discovery())
                elif self.path == "/keys":
                    self.answer(idp.keys())
                else:
                    self.send_error(404)

            def answer(self, document, status=200):
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
