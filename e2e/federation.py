"""An agent that acts for people, and the browsers in which they consent."""

from urllib.parse import urlsplit

import requests

from authorization_server import once_each
from scenery import name, refusal

RETURN = "https://app.example/done?from=vault"


class Agent:
    """A workload, its provider, and the application that people come back to."""

    def __init__(self, server, configuration: dict, scopes=("read",), urls=(RETURN,)):
        self.server, self.scopes = server, list(scopes)
        self.control, self.data = (server.client(f"bedrock-agentcore{suffix}") for suffix in ("-control", ""))
        self.workload, self.provider = name("workload"), name("oauth")
        self.control.create_workload_identity(name=self.workload, allowedResourceOauth2ReturnUrls=list(urls))
        made = self.control.create_oauth2_credential_provider(
            name=self.provider, credentialProviderVendor="CustomOauth2", oauth2ProviderConfigInput=configuration
        )
        self.callback_url = made["callbackUrl"]

    def for_id(self, user: str = "app+ada", workload: str | None = None) -> str:
        answer = self.data.get_workload_access_token_for_user_id(workloadName=workload or self.workload, userId=user)
        return answer["workloadAccessToken"]

    def for_jwt(self, token: str) -> str:
        answer = self.data.get_workload_access_token_for_jwt(workloadName=self.workload, userToken=token)
        return answer["workloadAccessToken"]

    def asks(self, token: str | None = None, **more) -> dict:
        request = {
            "workloadIdentityToken": token or self.for_id(),
            "resourceCredentialProviderName": self.provider,
            "scopes": self.scopes,
            "oauth2Flow": "USER_FEDERATION",
            "resourceOauth2ReturnUrl": RETURN,
            **more,
        }
        answer = self.data.get_resource_oauth2_token(**{key: it for key, it in request.items() if it is not None})
        assert answer.pop("ResponseMetadata")["HTTPHeaders"]["cache-control"] == "no-store"
        return answer

    def completes(self, uri: str, **who):
        return self.data.complete_resource_token_auth(sessionUri=uri, userIdentifier=who or {"userId": "app+ada"})

    def is_refused(self, uri: str, **who) -> tuple:
        return refusal(self.completes, uri, **who)

    def token(self, **more) -> str:
        """Goes the whole way once."""
        begun = self.asks(**more)
        walk(begun["authorizationUrl"])
        self.completes(begun["sessionUri"])
        return self.asks()["accessToken"]


def step(browser: requests.Session, url: str) -> str:
    """Where a browser is sent from a page."""
    answer = browser.get(url, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, f"{answer.status_code} {answer.text}"
    return answer.headers["location"]


def to_callback(url: str, browser: requests.Session) -> str:
    """Goes from the hosted page to the authorization server, and gives where that sends the browser."""
    return step(browser, step(browser, url))


def returned(location: str) -> dict:
    assert location.startswith(RETURN + "&"), location
    return once_each(urlsplit(location).query)


def walk(url: str) -> dict:
    """Goes the whole way in one browser; gives what the application is sent."""
    browser = requests.Session()
    return returned(step(browser, to_callback(url, browser)))
