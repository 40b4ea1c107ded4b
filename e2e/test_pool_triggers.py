"""A function shapes the tokens of a pool before they are signed, as Cognito's pre-token-generation trigger does."""

import json

import pytest
import requests

from portcullis import ACCOUNT, REGION
from scenery import name, refusal
from test_pool_users import Users, claims
from test_sign_in_pages import Browser, settings

# It answers what the event's version takes, and shows in a claim what it saw. Groups steer it.
SHAPER = '''
import json

def lambda_handler(event, context):
    request = event["request"]
    groups = request["groupConfiguration"]["groupsToOverride"]
    if "failing" in groups:
        raise ValueError("nobody of this group may enter")
    if "odd" in groups:
        return {"response": {"claimsAndScopeOverrideDetails": []}}
    seen = json.dumps({key: event[key] for key in ("version", "triggerSource", "userPoolId", "userName", "request")})
    claims = {
        "claimsToAddOrOverride": {"seen": seen, "department": "engineering", "sub": "forged", "iss": "forged", "exp": "9"},
        "claimsToSuppress": ["email", "sub", "origin_jti"],
    }
    if event["version"] == "1":
        event["response"]["claimsOverrideDetails"] = claims
        return event
    claims["claimsToAddOrOverride"]["teams"] = ["a", {"b": 1}]
    access = claims | {"scopesToAdd": ["tools/extra"], "scopesToSuppress": ["email"]}
    event["response"]["claimsAndScopeOverrideDetails"] = {
        "idTokenGeneration": claims,
        "accessTokenGeneration": access,
        "groupOverrideDetails": {"groupsToOverride": ["shaped"], "iamRolesToOverride": [], "preferredRole": None},
    }
    return event
'''


class Shaped(Users):
    """A pool whose tokens a function shapes."""

    def __init__(self, server, make):
        super().__init__(server, make)
        self.function = make.function(SHAPER)
        self.shape("V2_0")

    def allow(self, function: str, pool: str):
        """Lets Cognito invoke a function for a pool."""
        self.server.client("lambda").add_permission(
            FunctionName=function,
            StatementId=name("cognito"),
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{pool}",
        )

    def shape(self, version: str | None, function: str | None = None):
        config = {"LambdaVersion": version, "LambdaArn": function or self.function}
        given = {"LambdaConfig": {"PreTokenGenerationConfig": config}} if version else {}
        self.cognito.update_user_pool(UserPoolId=self.pool, **given)

    def member(self, group: str) -> str:
        username = self.user()
        self.cognito.create_group(UserPoolId=self.pool, GroupName=group)
        self.cognito.admin_add_user_to_group(UserPoolId=self.pool, Username=username, GroupName=group)
        return username

    def tokens(self, username: str) -> tuple:
        result = self.sign_in(username)["AuthenticationResult"]
        return claims(result["AccessToken"]), claims(result["IdToken"]), result


@pytest.fixture(scope="module")
def users(server, make):
    shaped = Shaped(server, make)
    shaped.allow(shaped.function, shaped.pool)
    return shaped


def test_claims_and_scopes_are_added_and_suppressed(users):
    shown = users.cognito.describe_user_pool(UserPoolId=users.pool)["UserPool"]["LambdaConfig"]
    assert shown["PreTokenGenerationConfig"] == {"LambdaVersion": "V2_0", "LambdaArn": users.function}
    username = users.user()
    access, identity, result = users.tokens(username)
    for token in (access, identity):
        assert token["department"] == "engineering" and token["teams"] == ["a", {"b": 1}]
        assert token["cognito:groups"] == ["shaped"]
        # What makes a token what it is stays.
        assert token["sub"] != "forged" and token["iss"].endswith(users.pool) and token["exp"] != "9"
        assert token["origin_jti"]
    assert "email" not in identity and access["scope"] == "aws.cognito.signin.user.admin tools/extra"
    seen = json.loads(access["seen"])
    assert (seen["version"], seen["triggerSource"]) == ("2", "TokenGeneration_Authentication")
    assert (seen["userPoolId"], seen["userName"]) == (users.pool, username)
    assert seen["request"]["userAttributes"]["email"] == f"{username}@example.com"
    assert seen["request"]["userAttributes"]["cognito:user_status"] == "CONFIRMED"
    assert seen["request"]["scopes"] == ["aws.cognito.signin.user.admin"]
    again = claims(users.refresh(result["RefreshToken"])["AuthenticationResult"]["AccessToken"])
    assert json.loads(again["seen"])["triggerSource"] == "TokenGeneration_RefreshTokens"


def test_a_sign_in_with_a_browser_is_shaped(users):
    browser = Browser(users, users.new_client(**settings())["ClientId"])
    sent = browser.signed_in(users.user())
    tokens = browser.exchange(sent["code"]).json()
    access = claims(tokens["access_token"])
    assert tokens["scope"] == access["scope"] == "openid tools/extra"
    assert json.loads(access["seen"])["triggerSource"] == "TokenGeneration_HostedAuth"
    refreshed = browser.refresh(tokens["refresh_token"]).json()
    assert refreshed["scope"] == "openid tools/extra"
    assert json.loads(claims(refreshed["access_token"])["seen"])["triggerSource"] == "TokenGeneration_RefreshTokens"


def test_the_first_version_shapes_the_id_token_alone(users):
    users.shape("V1_0")
    try:
        access, identity, _ = users.tokens(users.user())
        assert identity["department"] == "engineering" and json.loads(identity["seen"])["version"] == "1"
        assert "department" not in access and "scopes" not in json.loads(identity["seen"])["request"]
    finally:
        users.shape("V2_0")


def test_a_client_that_asks_for_itself_is_shaped_by_the_third_version(users):
    users.cognito.create_resource_server(
        UserPoolId=users.pool, Identifier="own", Name="own", Scopes=[{"ScopeName": "use", "ScopeDescription": "use"}]
    )
    client = users.new_client(
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["own/use"],
        AllowedOAuthFlowsUserPoolClient=True,
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientId"],
        "client_secret": client["ClientSecret"],
    }
    ask = lambda: requests.post(f"{users.server.endpoint}/{users.pool}/oauth2/token", data=form, timeout=30).json()
    assert "seen" not in claims(ask()["access_token"])
    users.shape("V3_0")
    try:
        token = claims(ask()["access_token"])
        assert json.loads(token["seen"])["triggerSource"] == "TokenGeneration_ClientCredentials"
        assert token["scope"] == "own/use tools/extra" and token["sub"] == client["ClientId"]
    finally:
        users.shape("V2_0")


def test_who_the_function_refuses_gets_no_token(users):
    username = users.member("failing")
    told = refusal(users.sign_in, username)
    assert told[1:] == (
        "UserLambdaValidationException",
        "PreTokenGeneration failed with error nobody of this group may enter.",
    )
    browser = Browser(users, users.new_client(**settings())["ClientId"])
    refused = browser.exchange(browser.signed_in(username)["code"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert "nobody of this group" in refused.json()["error_description"]
    told = refusal(users.sign_in, users.member("odd"))
    assert told[1:] == ("InvalidLambdaResponseException", "Unrecognizable lambda output")


def test_a_function_that_cannot_be_run_gives_no_token(users, make):
    username = users.user()
    stranger = make.function(SHAPER)
    users.allow(stranger, "us-west-2_another")
    try:
        for function, cause in ((stranger, "AccessDeniedException"), (f"{stranger}-gone", "ResourceNotFoundException")):
            users.shape("V2_0", function)
            told = refusal(users.sign_in, username)
            assert told[1] == "UnexpectedLambdaException" and cause in told[2]
    finally:
        users.shape("V2_0")
    wrong = {"PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": f"arn:aws:s3:{REGION}:{ACCOUNT}:x/y"}}
    told = refusal(users.cognito.update_user_pool, UserPoolId=users.pool, LambdaConfig=wrong)
    assert told[1] == "InvalidParameterException"
    assert users.tokens(username)[0]["department"] == "engineering"
    users.shape(None)
    assert "seen" not in users.tokens(username)[0]
    users.shape("V2_0")
