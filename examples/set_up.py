"""Sets up the three layers, and is run as often as one likes: each step looks for what it makes, and makes it only
where it is not there. Whenever it was ended, by an error or in the middle of a step, run it again.

    python set_up.py NAME                    policies log what they would deny
    python set_up.py NAME --mode ENFORCE     they bind

Says of each step whether it was made or was there, and prints a JSON object of what callers need. Nothing is kept in
a file: what is there is what AWS says is there. It goes by names, so that NAME must not be in use for anything else.
There is no `clientToken` of its own, which would stand for a day for what was deleted since: most names can be taken
only once. Those of pools and their clients can be taken again, so do not run it twice at the same time.

On AWS a role that was made a moment ago may not be known everywhere yet; that, too, is an error to run it again after.
"""

import argparse
import io
import json
import os
import re
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

TARGET = "Clock"
TOOLS = [
    {
        "name": "today",
        "description": "Gives today's date. Use it whenever an answer depends on which day it is.",
        "inputSchema": {"type": "object"},
    }
]
FUNCTION = """
import datetime

def handler(event, context):
    return {"date": datetime.date.today().isoformat()}
"""
TAKEN = ("ConflictException", "ResourceConflictException", "EntityAlreadyExists")
# How often to look for what was made, once a second.
PATIENCE = 10
ENDINGS = ("READY", "ACTIVE", "Active")
UNDERWAY = ("CREATING", "UPDATING", "Pending")


def main():
    asked = arguments()
    name, clients = asked.name, Clients(asked.region)
    account = clients.sts.get_caller_identity()["Account"]
    pool, client = pool_and_client(clients, name)
    function = deploy(clients, name, account)
    gateway = make_gateway(clients, name, account, function, pool, client)
    make_target(clients, gateway["gatewayId"], function)
    engine = make_engine(clients, name)
    make_policy(clients, name, engine["policyEngineId"], gateway["gatewayArn"])
    attach(clients, gateway["gatewayId"], engine["policyEngineArn"], asked.mode)
    told = {"gatewayUrl": gateway["gatewayUrl"], "userPoolId": pool, "clientId": client, "scope": f"{name}/invoke"}
    print(json.dumps(told))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", type=fitting, help="what everything is called: lower-case letters and digits")
    parser.add_argument("--mode", choices=("LOG_ONLY", "ENFORCE"), default="LOG_ONLY", help="whether policies bind")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    return parser.parse_args()


def fitting(name: str) -> str:
    """A name that every service takes: domains have no capitals and no underscores, engines have no hyphens."""
    if not re.fullmatch("[a-z][a-z0-9]{0,39}", name):
        raise argparse.ArgumentTypeError("a name is a lower-case letter, and up to 39 more of them or digits")
    return name


class Clients:
    """A client of each service."""

    def __init__(self, region: str):
        make = lambda service: boto3.client(service, region_name=region)
        self.region = region
        self.iam, self.sts, self.functions, self.cognito = map(make, ("iam", "sts", "lambda", "cognito-idp"))
        self.control = make("bedrock-agentcore-control")


# --- how a step goes -------------------------------------------------------------------------------------------------


def made_once(what: str, look, make):
    """What `look` finds; where it finds nothing, what it finds after `make`. A name that somebody else has taken
    since is found, too."""
    found, word = look(), "there"
    if found is None:
        word = "made"
        try:
            make()
        except ClientError as error:
            if error.response["Error"]["Code"] not in TAKEN:
                raise
    for _ in range(PATIENCE):
        # A list may lag behind.
        found = found or look()
        if found:
            print(f"{what}: {word}", file=sys.stderr)
            return found
        time.sleep(1)
    raise SystemExit(f"The {what} was made, and is not there. Run this again.")


def or_none(absent, call, **request):
    """What a call gives, or None where it says that there is no such thing."""
    try:
        return call(**request)
    except absent:
        return None


def named(client, operation: str, name: str, member: str = "name", **request):
    """The first of a list, page by page, that has a name."""
    pages = client.get_paginator(operation).paginate(**request)
    items = (item for page in pages for value in page.values() if isinstance(value, list) for item in value)
    return next((item for item in items if item[member] == name), None)


def settled(what: str, look, status=lambda seen: seen["status"]) -> dict:
    """Waits until something is ready: what was found may be what a run that was ended had only begun."""
    while status(seen := look()) in UNDERWAY:
        time.sleep(0.2)
    if status(seen) not in ENDINGS:
        raise SystemExit(f"The {what} is {status(seen)}: {' '.join(seen.get('statusReasons', []))}")
    return seen


# --- the steps -------------------------------------------------------------------------------------------------------


def pool_and_client(clients: Clients, name: str) -> tuple:
    """A user pool, its resource server, its domain, and a client that gets tokens for itself."""
    cognito = clients.cognito
    pool = made_once(
        "user pool",
        lambda: named(cognito, "list_user_pools", name, "Name", MaxResults=60),
        lambda: cognito.create_user_pool(PoolName=name),
    )["Id"]
    absent = cognito.exceptions.ResourceNotFoundException
    made_once(
        "resource server",
        lambda: or_none(absent, cognito.describe_resource_server, UserPoolId=pool, Identifier=name),
        lambda: cognito.create_resource_server(
            UserPoolId=pool,
            Identifier=name,
            Name=name,
            Scopes=[{"ScopeName": "invoke", "ScopeDescription": "Call tools"}],
        ),
    )
    made_once(
        "domain",
        lambda: cognito.describe_user_pool(UserPoolId=pool)["UserPool"].get("Domain"),
        lambda: cognito.create_user_pool_domain(UserPoolId=pool, Domain=name),
    )
    client = made_once(
        "client",
        lambda: named(cognito, "list_user_pool_clients", name, "ClientName", UserPoolId=pool),
        lambda: cognito.create_user_pool_client(
            UserPoolId=pool,
            ClientName=name,
            GenerateSecret=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[f"{name}/invoke"],
            AllowedOAuthFlowsUserPoolClient=True,
        ),
    )
    return pool, client["ClientId"]


def role(clients: Clients, name: str, service: str, conditions: dict | None = None, policy: dict | None = None) -> str:
    """A role for a service. Its policy is put each time: that does the same however often."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust |= {"Condition": conditions} if conditions else {}
    found = made_once(
        f"role {name}",
        lambda: or_none(clients.iam.exceptions.NoSuchEntityException, clients.iam.get_role, RoleName=name),
        lambda: clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust)),
    )
    if policy:
        clients.iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=document(policy))
    return found["Role"]["Arn"]


def document(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def deploy(clients: Clients, name: str, account: str) -> str:
    """The function behind the tool."""
    functions = clients.functions
    own = {"StringEquals": {"aws:SourceAccount": account}}
    execution = role(clients, f"{name}-function", "lambda.amazonaws.com", own)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("clock.py", FUNCTION)
    absent = functions.exceptions.ResourceNotFoundException
    look = lambda: or_none(absent, functions.get_function, FunctionName=name)
    made_once(
        "function",
        look,
        lambda: functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="clock.handler",
            Role=execution,
            Code={"ZipFile": code.getvalue()},
        ),
    )
    return settled("function", look, lambda seen: seen["Configuration"]["State"])["Configuration"]["FunctionArn"]


def make_gateway(clients: Clients, name: str, account: str, function: str, pool: str, client: str) -> dict:
    """The gateway, which accepts the client's tokens, and its role, which may call the one function."""
    control = clients.control
    issuer = f"https://cognito-idp.{clients.region}.amazonaws.com/{pool}"
    accepted = {"discoveryUrl": f"{issuer}/.well-known/openid-configuration", "allowedClients": [client]}
    deputy = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:{clients.region}:{account}:gateway/{name}-*"},
    }
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    acting = role(clients, f"{name}-gateway", "bedrock-agentcore.amazonaws.com", deputy, may)
    found = made_once(
        "gateway",
        lambda: named(control, "list_gateways", name),
        lambda: control.create_gateway(
            name=name,
            roleArn=acting,
            protocolType="MCP",
            authorizerType="CUSTOM_JWT",
            authorizerConfiguration={"customJWTAuthorizer": accepted},
        ),
    )
    return settled("gateway", lambda: control.get_gateway(gatewayIdentifier=found["gatewayId"]))


def make_target(clients: Clients, gateway: str, function: str):
    control, given = clients.control, {"gatewayIdentifier": gateway}
    found = made_once(
        "target",
        lambda: named(control, "list_gateway_targets", TARGET, **given),
        lambda: control.create_gateway_target(
            **given,
            name=TARGET,
            targetConfiguration={"mcp": {"lambda": {"lambdaArn": function, "toolSchema": {"inlinePayload": TOOLS}}}},
            credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
        ),
    )
    settled("target", lambda: control.get_gateway_target(**given, targetId=found["targetId"]))


def make_engine(clients: Clients, name: str) -> dict:
    control = clients.control
    found = made_once(
        "policy engine",
        lambda: named(control, "list_policy_engines", name),
        lambda: control.create_policy_engine(name=name),
    )
    return settled("policy engine", lambda: control.get_policy_engine(policyEngineId=found["policyEngineId"]))


def make_policy(clients: Clients, name: str, engine: str, gateway_arn: str):
    """Who may use the tool. The names of policies are the account's, and not their engine's."""
    control, given = clients.control, {"policyEngineId": engine}
    statement = (
        f'permit(principal, action == AgentCore::Action::"{TARGET}___today", '
        f'resource == AgentCore::Gateway::"{gateway_arn}") '
        'when { principal.hasTag("scope") && principal.getTag("scope") like "*invoke*" };'
    )
    found = made_once(
        "policy",
        lambda: named(control, "list_policies", name, **given),
        lambda: control.create_policy(**given, name=name, definition={"cedar": {"statement": statement}}),
    )
    settled("policy", lambda: control.get_policy(**given, policyId=found["policyId"]))


def attach(clients: Clients, gateway: str, engine_arn: str, mode: str):
    """Puts the engine before the gateway. An update replaces: what it does not repeat is no longer configured."""
    control, given = clients.control, {"gatewayIdentifier": gateway}
    wanted, there = {"arn": engine_arn, "mode": mode}, control.get_gateway(**given)
    kept = ("name", "description", "roleArn", "protocolType", "protocolConfiguration", "authorizerType")
    kept += ("authorizerConfiguration", "interceptorConfigurations", "kmsKeyArn", "exceptionLevel")
    made_once(
        f"policies in {mode}",
        lambda: wanted if control.get_gateway(**given).get("policyEngineConfiguration") == wanted else None,
        lambda: control.update_gateway(
            **given, **{member: there[member] for member in kept if member in there}, policyEngineConfiguration=wanted
        ),
    )
    settled("gateway", lambda: control.get_gateway(**given))


if __name__ == "__main__":
    main()
