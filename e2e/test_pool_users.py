"""Users of a pool with boto3: made by administrators, signed in through the API, in groups, at a gateway."""

import base64
import hashlib
import hmac
import json

import boto3
import botocore
import pytest
import requests
from botocore.config import Config

from portcullis import REGION
from scenery import audited, name, refusal

PASSWORD = "Correct-Horse-1"


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def refused(call, **request) -> tuple:
    """The code and the message with which a call is refused."""
    return refusal(call, **request)[1:]


class Users:
    """A pool with a client through which users sign in."""

    def __init__(self, server, make):
        self.server = server
        self.pool = make.pool([]).id
        self.cognito = server.client("cognito-idp")
        # Without any credentials, as an application in a browser or on a phone.
        self.public = boto3.client(
            "cognito-idp",
            endpoint_url=server.endpoint,
            region_name=REGION,
            config=Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}),
        )
        self.client = self.new_client()["ClientId"]

    def new_client(self, flows=("ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"), **more) -> dict:
        made = self.cognito.create_user_pool_client(
            UserPoolId=self.pool, ClientName=name("client"), ExplicitAuthFlows=list(flows), **more
        )
        return made["UserPoolClient"]

    def user(self, password: str = PASSWORD, permanent: bool = True, **more) -> str:
        username = name("user")
        self.cognito.admin_create_user(
            UserPoolId=self.pool,
            Username=username,
            TemporaryPassword="Temporary-Horse-1",
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": "email", "Value": f"{username}@example.com"}],
            **more,
        )
        self.cognito.admin_set_user_password(
            UserPoolId=self.pool, Username=username, Password=password, Permanent=permanent
        )
        return username

    def sign_in(self, username: str, password: str = PASSWORD, client: str | None = None, **more) -> dict:
        return self.public.initiate_auth(
            ClientId=client or self.client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": username, "PASSWORD": password, **more},
        )

    def refresh(self, token: str, client: str | None = None, **more) -> dict:
        return self.public.initiate_auth(
            ClientId=client or self.client,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": token, **more},
        )


@pytest.fixture(scope="module")
def users(server, make):
    return Users(server, make)


def test_a_user_signs_in_and_refreshes(users):
    username = users.user()
    for group, precedence in (("people", 2), ("managers", 1)):
        users.cognito.create_group(UserPoolId=users.pool, GroupName=group, Precedence=precedence)
        users.cognito.admin_add_user_to_group(UserPoolId=users.pool, Username=username, GroupName=group)
    listed = users.cognito.admin_list_groups_for_user(UserPoolId=users.pool, Username=username)
    assert [group["GroupName"] for group in listed["Groups"]] == ["managers", "people"]

    result = users.sign_in(username.upper())["AuthenticationResult"]
    shown = users.cognito.admin_get_user(UserPoolId=users.pool, Username=username)
    assert (shown["UserStatus"], shown["Enabled"]) == ("CONFIRMED", True)
    attributes = {it["Name"]: it["Value"] for it in shown["UserAttributes"]}
    access, identity = claims(result["AccessToken"]), claims(result["IdToken"])
    assert access["token_use"] == "access" and access["client_id"] == users.client and "aud" not in access
    assert access["username"] == username and access["cognito:groups"] == ["managers", "people"]
    assert access["scope"] == "aws.cognito.signin.user.admin" and access["exp"] - access["iat"] == 3600
    assert identity["token_use"] == "id" and identity["aud"] == users.client and "client_id" not in identity
    assert identity["email"] == f"{username}@example.com" and identity["cognito:username"] == username
    assert access["sub"] == identity["sub"] == attributes["sub"]
    assert access["origin_jti"] == identity["origin_jti"] and access["jti"] != identity["jti"]

    again = users.refresh(result["RefreshToken"])["AuthenticationResult"]
    assert "RefreshToken" not in again and claims(again["AccessToken"])["origin_jti"] == access["origin_jti"]
    other = users.new_client()["ClientId"]
    told = refused(users.refresh, token=result["RefreshToken"], client=other)
    assert told == ("NotAuthorizedException", "Invalid Refresh Token")

    # A new password ends what the former one began.
    users.cognito.admin_set_user_password(
        UserPoolId=users.pool, Username=username, Password="Another-Horse-2", Permanent=True
    )
    assert refused(users.refresh, token=result["RefreshToken"])[1] == "Invalid Refresh Token"
    mine = lambda it: it["action"].startswith("cognito-idp:InitiateAuth") and it["actor"].get("subject") == access["sub"]
    events = audited(users.server, mine, least=2)
    assert {it["outcome"] for it in events} == {"success"}


def test_a_temporary_password_must_be_changed(users):
    username = users.user(permanent=False)
    begun = users.sign_in(username)
    assert begun["ChallengeName"] == "NEW_PASSWORD_REQUIRED" and "AuthenticationResult" not in begun
    answer = lambda password, session=begun["Session"]: users.public.respond_to_auth_challenge(
        ClientId=users.client,
        ChallengeName="NEW_PASSWORD_REQUIRED",
        Session=session,
        ChallengeResponses={"USERNAME": username, "NEW_PASSWORD": password},
    )
    told = refused(answer, password="short")
    assert told == ("InvalidPasswordException", "Password did not conform with policy: Password not long enough")
    assert answer("Another-Horse-2")["AuthenticationResult"]["AccessToken"]
    assert refused(answer, password="Third-Horse-3") == ("NotAuthorizedException", "Invalid session for the user.")
    assert users.sign_in(username, "Another-Horse-2")["AuthenticationResult"]


def test_nobody_learns_who_is_there(users):
    username = users.user()
    wrong = refused(users.sign_in, username=username, password="Wrong-Horse-1")
    nobody = refused(users.sign_in, username=name("nobody"), password="Wrong-Horse-1")
    assert wrong == nobody == ("NotAuthorizedException", "Incorrect username or password.")


@pytest.mark.parametrize("there", [True, False])
def test_who_guesses_waits(users, there):
    username = users.user() if there else name("nobody")
    told = [refused(users.sign_in, username=username, password="Wrong-Horse-1")[1] for _ in range(6)]
    assert told == ["Incorrect username or password."] * 5 + ["Password attempts exceeded"]
    assert refused(users.sign_in, username=username)[1] == "Password attempts exceeded"


def test_a_client_with_a_secret_proves_it(users):
    client = users.new_client(GenerateSecret=True)
    username = users.user()

    def proof(who):
        made = hmac.new(client["ClientSecret"].encode(), (who + client["ClientId"]).encode(), hashlib.sha256)
        return base64.b64encode(made.digest()).decode()

    missing = refused(users.sign_in, username=username, client=client["ClientId"])
    assert missing == ("NotAuthorizedException", "Unable to verify secret hash for client")
    assert refused(users.sign_in, username=username, client=client["ClientId"], SECRET_HASH=proof("x")) == missing
    signed = users.sign_in(username, client=client["ClientId"], SECRET_HASH=proof(username))
    token = signed["AuthenticationResult"]["RefreshToken"]
    assert refused(users.refresh, token=token, client=client["ClientId"]) == missing
    assert users.refresh(token, client["ClientId"], SECRET_HASH=proof(username))["AuthenticationResult"]


def test_flows_that_a_client_has_not_are_refused(users):
    username = users.user()
    client = users.new_client(flows=["ALLOW_REFRESH_TOKEN_AUTH"])["ClientId"]
    told = refused(users.sign_in, username=username, client=client)
    assert told == ("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client")


def test_what_administrators_are_told(users):
    username = users.user()
    cognito, who = users.cognito, {"UserPoolId": users.pool, "Username": username}
    assert refused(cognito.admin_create_user, **who)[0] == "UsernameExistsException"
    assert refused(cognito.admin_set_user_password, **who, Password="alllowercase1!")[0] == "InvalidPasswordException"
    own = [{"Name": "custom:team", "Value": "x"}]
    made = refused(cognito.admin_create_user, UserPoolId=users.pool, Username=name("user"), UserAttributes=own)
    assert made[0] == "InvalidParameterException"
    cognito.admin_delete_user(**who)
    assert refused(cognito.admin_get_user, **who)[0] == "UserNotFoundException"
    assert refused(users.sign_in, username=username)[1] == "Incorrect username or password."


def test_a_user_reaches_a_gateway(users, make):
    username = users.user()
    token = users.sign_in(username)["AuthenticationResult"]
    url = f"{users.server.endpoint}/{users.pool}/.well-known/openid-configuration"
    gateway = make.gateway(authorizer={"customJWTAuthorizer": {"discoveryUrl": url, "allowedClients": [users.client]}})
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "tests", "version": "1"},
        },
    }
    ask = lambda token: requests.post(
        gateway.url,
        json=hello,
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"},
        timeout=30,
    )
    assert ask(token["AccessToken"]).status_code == 200
    assert ask(token["IdToken"]).status_code == 401
