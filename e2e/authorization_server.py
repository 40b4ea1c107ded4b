"""An authorization server that is not Portcullis, whose person allows everything at once, and whose manners a test may
change. It is strict where RFC 6749, 7636 and 9700 are: codes are good once and for one verifier, refresh tokens rotate."""

import base64
import hashlib
import http.server
import json
import secrets
import threading
from urllib.parse import parse_qs, urlencode, urlsplit


class AuthorizationServer:
    """One client, one person."""

    CLIENT = "the client"
    SECRET = "client/secret+of=the;tests"

    def __init__(self):
        self.promises_issuer = True
        # What an answer is changed by before it is sent: a function of its parameters.
        self.answering = dict
        self.lives = 3600
        self.asked, self.exchanged, self.given = [], [], []
        self.codes, self.refresh_tokens = {}, set()
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def provider(self) -> dict:
        """The configuration of a credential provider for it."""
        discovery = {"discoveryUrl": f"{self.url}/.well-known/openid-configuration"}
        return {
            "customOauth2ProviderConfig": {
                "oauthDiscovery": discovery,
                "clientId": self.CLIENT,
                "clientSecret": self.SECRET,
            }
        }

    def metadata(self) -> dict:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }
        return said | ({"authorization_response_iss_parameter_supported": True} if self.promises_issuer else {})

    def authorized(self, asked: dict) -> str:
        """Where the browser goes: back, with a code."""
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"]}
        answer = self.answering(answer | ({"iss": self.url} if self.promises_issuer else {}))
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, authorization: str, form: dict) -> tuple:
        """The status and the document with which the token endpoint answers."""
        self.exchanged.append(form)
        known = base64.b64encode(f"{quoted(self.CLIENT)}:{quoted(self.SECRET)}".encode()).decode()
        if authorization != f"Basic {known}":
            return 401, {"error": "invalid_client"}
        with self.lock:
            if form["grant_type"] == "authorization_code":
                asked = self.codes.pop(form["code"], None)
                challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
                same = asked and asked["code_challenge"] == challenge.rstrip(b"=").decode()
                if not same or asked["redirect_uri"] != form["redirect_uri"]:
                    return 400, {"error": "invalid_grant"}
            elif form["refresh_token"] in self.refresh_tokens:
                self.refresh_tokens.remove(form["refresh_token"])
            else:
                self.refresh_tokens.clear()
                return 400, {"error": "invalid_grant"}
            access, refresh = f"access-{secrets.token_urlsafe(16)}", f"refresh-{secrets.token_urlsafe(16)}"
            self.refresh_tokens.add(refresh)
            self.given += [access, refresh]
        answer = {"access_token": access, "token_type": "Bearer", "refresh_token": refresh, "expires_in": self.lives}
        return 200, answer

    def _handler(self):
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                if parts.path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", served.authorized(once_each(parts.query)))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif parts.path == "/.well-known/openid-configuration":
                    self.answer(200, served.metadata())
                else:
                    self.send_error(404)

            def do_POST(self):
                form = once_each(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.answer(*served.token(self.headers.get("Authorization"), form))

            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


def once_each(query: str) -> dict:
    """Parameters, of which none stands twice."""
    return {key: value for key, [value] in parse_qs(query, keep_blank_values=True).items()}


def quoted(text: str) -> str:
    return urlencode({"": text})[1:]
