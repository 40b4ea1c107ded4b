"""A web application whose agent acts for the people who sign in to it: at a service where each has an account of their own.

People sign in with their name and password of a user pool; the application keeps their token. When the agent needs a token
of the service, and there is none, the browser goes to the service to consent, and comes back to /done, where the application
says whose browser it is. Environment: CLIENT_ID (a client of the pool with ALLOW_USER_PASSWORD_AUTH), WORKLOAD (a workload
identity that has {APP_URL}/done among its allowedResourceOauth2ReturnUrls), PROVIDER and SCOPES (the service's credential
provider), API (what the agent calls there), APP_URL (http://127.0.0.1:8000), and what boto3 needs.
"""

import hmac
import html
import http.server
import os
import secrets
import urllib.request
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

APP_URL = os.environ.get("APP_URL", "http://127.0.0.1:8000")
RETURN_URL = f"{APP_URL}/done"

identity = boto3.client("bedrock-agentcore")
pool = boto3.client("cognito-idp", config=Config(signature_version=UNSIGNED))

# Who is signed in: the person's token, and the state of a consent that is under way. An application that is more than an
# example keeps this where it survives a restart, and lets it end.
sessions = {}


def ask(session: dict) -> dict:
    """The service's token of the person who is signed in, or the page where that person consents."""
    workload = identity.get_workload_access_token_for_jwt(
        workloadName=os.environ["WORKLOAD"], userToken=session["token"]
    )
    session["state"] = secrets.token_urlsafe(16)
    return identity.get_resource_oauth2_token(
        workloadIdentityToken=workload["workloadAccessToken"],
        resourceCredentialProviderName=os.environ["PROVIDER"],
        scopes=os.environ.get("SCOPES", "").split(),
        oauth2Flow="USER_FEDERATION",
        resourceOauth2ReturnUrl=RETURN_URL,
        customState=session["state"],
    )


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        place = urlsplit(self.path)
        session = self.session()
        if session is None:
            self.page('<form method="post"><input name="username"><input name="password" type="password"><button>Sign in</button></form>')
        elif place.path == "/done":
            self.done(session, {name: values[0] for name, values in parse_qs(place.query).items()})
        else:
            self.agent(session)

    def agent(self, session: dict):
        """What the agent does for the person: one call of the service. It sees the answer, and no token."""
        answer = ask(session)
        if "authorizationUrl" in answer:
            return self.redirect(answer["authorizationUrl"])
        bearer = {"Authorization": f"Bearer {answer['accessToken']}"}
        with urllib.request.urlopen(urllib.request.Request(os.environ["API"], headers=bearer), timeout=30) as found:
            self.page(f"<pre>{html.escape(found.read(65536).decode())}</pre>")

    def done(self, session: dict, sent: dict):
        """The browser came back. Only a session that this person began here is completed, and with this person's token."""
        expected, state = session.pop("state", None), sent.get("state", "")
        if not expected or not hmac.compare_digest(expected.encode(), state.encode()):
            return self.page("<p>This was begun elsewhere.</p>", 400)
        if "error" in sent:
            return self.page("<p>The service gave no access.</p>", 403)
        try:
            identity.complete_resource_token_auth(
                sessionUri=sent.get("session_id", ""), userIdentifier={"userToken": session["token"]}
            )
        except ClientError:
            return self.page("<p>This is not yours, or over.</p>", 403)
        self.redirect(APP_URL)

    def do_POST(self):
        """Signs somebody in."""
        length = min(int(self.headers.get("Content-Length", 0)), 4096)
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        try:
            signed_in = pool.initiate_auth(
                ClientId=os.environ["CLIENT_ID"],
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": form.get("username", ""), "PASSWORD": form.get("password", "")},
            )
        except ClientError:
            return self.page("<p>The name or the password is wrong.</p>", 403)
        key = secrets.token_urlsafe(32)
        sessions[key] = {"token": signed_in["AuthenticationResult"]["AccessToken"]}
        self.redirect(APP_URL, f"app={key}; Path=/; HttpOnly; SameSite=Lax")

    def session(self) -> dict | None:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("app")
        return sessions.get(cookie.value) if cookie else None

    def redirect(self, url: str, cookie: str | None = None):
        self.send_response(303)
        self.send_header("Location", url)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self, body: str, status: int = 200):
        written = f"<!DOCTYPE html><title>An application</title>{body}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'none'; form-action 'self'")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_):
        """Query strings have no place in a log."""


if __name__ == "__main__":
    missing = [name for name in ("CLIENT_ID", "WORKLOAD", "PROVIDER", "API") if name not in os.environ]
    if missing:
        raise SystemExit(f"Set {', '.join(missing)} in the environment: the first lines of this file say what they are.")
    port = urlsplit(APP_URL).port or 8000
    print(f"Open {APP_URL} in a browser.", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Application).serve_forever()
