"""Puts a function behind a gateway that asks for tokens, gets a token, and lists and calls the tools with it.

    python main.py MyGateway --allowed-clients CLIENT_ID ...     tokens of Amazon Cognito, which have no audience
    python main.py MyGateway --allowed-audience AUDIENCE ...     tokens of Auth0, Okta and the like, which have one

The client is read from the environment, or from the file .env beside this one: COGNITO_DOMAIN, COGNITO_CLIENT_ID and
COGNITO_CLIENT_SECRET, whichever provider it is of. Where tokens come from is in the provider's discovery document. What
is there already is used again, so that it can be run as often as one likes.
"""

import argparse
import io
import json
import os
import time
import zipfile
from pathlib import Path

import boto3
import requests
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent
WELL_KNOWN = "/.well-known/openid-configuration"
TARGET = "Clock"
TOOLS = [
    {
        "name": "add_days",
        "description": "Gives the date that is a number of days after another. Use it for every reckoning with dates.",
        "inputSchema": {
            "type": "object",
            "properties": {"date": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["date", "days"],
        },
    }
]
FUNCTION = """
import datetime

def handler(event, context):
    day = datetime.date.fromisoformat(event["date"]) + datetime.timedelta(days=event["days"])
    return {"date": day.isoformat(), "weekday": day.strftime("%A")}
"""


def main():
    asked = arguments()
    settings = environment()
    discovery_url = asked.discovery_url or f"{required(settings, 'COGNITO_DOMAIN').rstrip('/')}{WELL_KNOWN}"
    control = boto3.client("bedrock-agentcore-control", region_name=asked.region, endpoint_url=asked.endpoint_url)

    function_arn = asked.lambda_arn or deploy(asked)
    role_arn = asked.role_arn or trusted_role(f"{asked.gateway_name}-role", "bedrock-agentcore.amazonaws.com", "lambda:InvokeFunction")
    gateway = make_gateway(control, asked, role_arn, discovery_url)
    make_target(control, gateway["gatewayId"], function_arn)
    print(f"Gateway: {gateway['gatewayUrl']}")
    if asked.save_gateway_url:
        (HERE / ".gateway_url").write_text(gateway["gatewayUrl"])

    token = access_token(discovery_url, settings, asked)
    tools = call(gateway["gatewayUrl"], token, "tools/list", {})["tools"]
    print(f"Tools: {', '.join(tool['name'] for tool in tools)}")
    wanted = {"name": f"{TARGET}___add_days", "arguments": {"date": "2028-02-28", "days": 2}}
    print(f"Answer: {call(gateway['gatewayUrl'], token, 'tools/call', wanted)['content'][0]['text']}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateway_name")
    accepted = parser.add_mutually_exclusive_group(required=True)
    accepted.add_argument("--allowed-clients", help="client ids, with commas between: for tokens without an audience")
    accepted.add_argument("--allowed-audience", help="the audience that tokens must have")
    parser.add_argument("--discovery-url", help=f"the provider's, which ends in {WELL_KNOWN}; COGNITO_DOMAIN's when not given")
    parser.add_argument("--scope", help="what tokens are asked for; all that the client may have when not given")
    parser.add_argument("--role-arn", help="what the gateway acts as; a role is made when not given")
    parser.add_argument("--lambda-arn", help="a function that has the tool; one is deployed when not given")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    parser.add_argument("--endpoint-url", help="where the control plane is, if not where AWS_ENDPOINT_URL or AWS say")
    parser.add_argument("--save-gateway-url", action="store_true", help="write it to .gateway_url beside this file")
    return parser.parse_args()


def environment() -> dict:
    """The file .env, and the environment, which wins."""
    file = HERE / ".env"
    lines = file.read_text().splitlines() if file.exists() else []
    written = dict(line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {**written, **os.environ}


def required(settings: dict, name: str) -> str:
    if not settings.get(name):
        raise SystemExit(f"{name} is not set: put it into the environment, or into {HERE / '.env'}")
    return settings[name]


def trusted_role(name: str, service: str, *actions: str) -> str:
    """A role of ours for a service, as it was made the last time or anew."""
    iam = boto3.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    if actions:
        may = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [may]}
        iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=json.dumps(policy))
    return arn


def deploy(asked: argparse.Namespace) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("clock.py", FUNCTION)
    functions = boto3.client("lambda", region_name=asked.region)
    name = f"{asked.gateway_name}-clock"
    try:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="clock.handler",
            Role=trusted_role(f"{asked.gateway_name}-function-role", "lambda.amazonaws.com"),
            Code={"ZipFile": archive.getvalue()},
        )
    except functions.exceptions.ResourceConflictException:
        pass
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]


def make_gateway(control, asked: argparse.Namespace, role_arn: str, discovery_url: str) -> dict:
    """Creates the gateway, or gives the one of that name the authorizer that was asked for."""
    rules = {"discoveryUrl": discovery_url}
    if asked.allowed_clients:
        rules["allowedClients"] = [client.strip() for client in asked.allowed_clients.split(",")]
    else:
        rules["allowedAudience"] = [asked.allowed_audience]
    wanted = {
        "name": asked.gateway_name,
        "roleArn": role_arn,
        "protocolType": "MCP",
        "authorizerType": "CUSTOM_JWT",
        "authorizerConfiguration": {"customJWTAuthorizer": rules},
        # What goes wrong in a target is said in words. Leave it out in production.
        "exceptionLevel": "DEBUG",
    }
    pages = control.get_paginator("list_gateways").paginate()
    there = [item["gatewayId"] for page in pages for item in page["items"] if item["name"] == asked.gateway_name]
    if there:
        gateway_id = control.update_gateway(gatewayIdentifier=there[0], **wanted)["gatewayId"]
    else:
        gateway_id = control.create_gateway(**wanted)["gatewayId"]
    return ready("gateway", lambda: control.get_gateway(gatewayIdentifier=gateway_id))


def make_target(control, gateway_id: str, function_arn: str):
    try:
        target_id = control.create_gateway_target(
            gatewayIdentifier=gateway_id,
            name=TARGET,
            targetConfiguration={"mcp": {"lambda": {"lambdaArn": function_arn, "toolSchema": {"inlinePayload": TOOLS}}}},
            credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
        )["targetId"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        return
    ready("target", lambda: control.get_gateway_target(gatewayIdentifier=gateway_id, targetId=target_id))


def ready(what: str, look) -> dict:
    while True:
        seen = look()
        if seen["status"] == "READY":
            return seen
        if seen["status"] not in ("CREATING", "UPDATING"):
            raise SystemExit(f"The {what} is {seen['status']}: {' '.join(seen.get('statusReasons', []))}")
        time.sleep(1)


def access_token(discovery_url: str, settings: dict, asked: argparse.Namespace) -> str:
    """A token of the client's own (RFC 6749, section 4.4), from the endpoint that the discovery document names."""
    document = requests.get(discovery_url, timeout=30)
    document.raise_for_status()
    form = {
        "grant_type": "client_credentials",
        "client_id": required(settings, "COGNITO_CLIENT_ID"),
        "client_secret": required(settings, "COGNITO_CLIENT_SECRET"),
    }
    if asked.allowed_audience:
        form["audience"] = asked.allowed_audience
    if asked.scope:
        form["scope"] = asked.scope
    answer = requests.post(document.json()["token_endpoint"], data=form, timeout=30)
    if not answer.ok:
        raise SystemExit(f"The provider gives no token: {answer.status_code} {answer.text}")
    return answer.json()["access_token"]


def call(url: str, token: str, method: str, params: dict) -> dict:
    """One MCP request, without a session: enough for a look. Agents use an MCP client."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = requests.post(url, json=message, headers=headers, timeout=60)
    if answer.status_code == 401:
        raise SystemExit(
            "The gateway does not accept the token: 401. Ask `portcullis token why TOKEN --gateway ID` for the reason. "
            "Tokens of Cognito want --allowed-clients, those of Auth0 and Okta --allowed-audience."
        )
    answer.raise_for_status()
    said = answer.json()
    if "error" in said:
        raise SystemExit(f"The gateway says: {said['error']['message']}")
    return said["result"]


if __name__ == "__main__":
    main()
