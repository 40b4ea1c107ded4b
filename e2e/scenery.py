"""What tests need around what they test: callers, roles, pools, functions, gateways, engines.

Everything is made through the API, with boto3, by root of the account; every name is new, so that tests can share a
server.
"""

import io
import json
import secrets
import time
import zipfile
from dataclasses import dataclass, field

import pytest
import requests
from botocore.exceptions import ClientError

from portcullis import ACCOUNT, REGION, Server

PATIENCE = 30.0

GATEWAY_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:gateway/*"},
            },
        }
    ],
}

FUNCTION_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}

ECHO = '''
def lambda_handler(event, context):
    """Says which tool was called, and with what."""
    custom = context.client_context.custom if context.client_context else {}
    return {"tool": custom.get("bedrockAgentCoreToolName"), "arguments": event}
'''


def name(kind: str = "e2e") -> str:
    """A name that nobody has."""
    return f"{kind}-{secrets.token_hex(4)}"


def allow(*actions: str, resource="*", **condition) -> dict:
    """An IAM policy that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def archive(files: dict) -> bytes:
    """A zip of files, by name, as Lambda takes code."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return written.getvalue()


def tool(tool_name: str, description: str = "A tool of the tests.", required=(), **properties) -> dict:
    """A tool definition; properties are given as name=type."""
    shapes = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in properties.items()}
    schema = {"type": "object"} | ({"properties": shapes} if shapes else {})
    schema |= {"required": list(required)} if required else {}
    return {"name": tool_name, "description": description, "inputSchema": schema}


def until(what: str, look, wanted, patience: float = PATIENCE):
    """Looks again until `wanted(seen)` holds, and gives what was seen."""
    deadline = time.monotonic() + patience
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < deadline, f"{what} after {patience:.0f} s: {seen}"
        time.sleep(0.1)


def trail(server: Server, lines: int = 1000) -> list:
    """The last events of the audit trail, which the data plane writes a moment after its answers."""
    told = server.run("audit", "tail", "--json", "--lines", str(lines)).stdout
    return [json.loads(line) for line in told.splitlines()]


def audited(server: Server, wanted, least: int = 1) -> list:
    """The events of the audit trail that are `wanted`, as soon as there are enough of them."""
    look = lambda: [event for event in trail(server) if wanted(event)]
    return until("the events", look, lambda seen: len(seen) >= least)


def refusal(call, *arguments, **keywords) -> tuple:
    """The status, the code and the message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **keywords)
    response = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("Message", "")


@dataclass
class Caller:
    """Someone with an access key."""

    server: Server
    name: str
    arn: str
    key: str
    secret: str
    token: str | None = None

    def client(self, service: str, **settings):
        return self.server.client(service, self.key, self.secret, self.token, **settings)


@dataclass
class PoolClient:
    """An application client of a pool."""

    pool: "Pool"
    id: str
    secret: str
    scopes: list

    def token(self, scope: str | None = None) -> str:
        """A fresh access token of the client-credentials flow."""
        form = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret}
        if scope is not None:
            form["scope"] = scope
        answer = requests.post(self.pool.token_endpoint, data=form, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]


@dataclass
class Pool:
    """A user pool with one resource server."""

    server: Server
    id: str
    resource_server: str

    @property
    def issuer(self) -> str:
        return f"{self.server.public_url}/{self.id}"

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def aws_discovery_url(self) -> str:
        """The same document under the address that it would have on AWS."""
        return f"https://cognito-idp.{REGION}.amazonaws.com/{self.id}/.well-known/openid-configuration"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth2/token"

    def client(self, *scopes: str) -> PoolClient:
        """A client with scopes of the pool's resource server, by their short names."""
        full = [f"{self.resource_server}/{scope}" for scope in scopes]
        made = self.server.client("cognito-idp").create_user_pool_client(
            UserPoolId=self.id,
            ClientName=name("client"),
            GenerateSecret=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=full,
            AllowedOAuthFlowsUserPoolClient=True,
        )["UserPoolClient"]
        return PoolClient(self, made["ClientId"], made["ClientSecret"], full)

    def authorizer(self, *clients: PoolClient, **more) -> dict:
        """The authorizer configuration that accepts the tokens of these clients."""
        accepted = {"allowedClients": [client.id for client in clients]} if clients else {}
        return {"customJWTAuthorizer": {"discoveryUrl": self.discovery_url, **accepted, **more}}


@dataclass
class Gateway:
    """A gateway that is READY."""

    server: Server
    id: str
    arn: str
    url: str
    request: dict = field(repr=False)

    @property
    def control(self):
        return self.server.client("bedrock-agentcore-control")

    def target(self, target_name: str, configuration: dict, ready: bool = True) -> str:
        """Registers a target and waits until it is READY."""
        request = {"gatewayIdentifier": self.id, "name": target_name, "targetConfiguration": {"mcp": configuration}}
        if "lambda" in configuration:
            request["credentialProviderConfigurations"] = [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]
        made = self.control.create_gateway_target(**request)["targetId"]
        if ready:
            look = lambda: self.control.get_gateway_target(gatewayIdentifier=self.id, targetId=made)
            until(f"the target {target_name}", look, lambda seen: seen["status"] == "READY")
        return made

    def lambda_target(self, target_name: str, function_arn: str, tools: list) -> str:
        schema = {"inlinePayload": tools}
        return self.target(target_name, {"lambda": {"lambdaArn": function_arn, "toolSchema": schema}})

    def mcp_target(self, target_name: str, endpoint: str, ready: bool = True) -> str:
        return self.target(target_name, {"mcpServer": {"endpoint": endpoint}}, ready)

    def update(self, **changes) -> dict:
        """Replaces the settings, and waits until they are in force."""
        self.request = {**self.request, **changes}
        self.control.update_gateway(gatewayIdentifier=self.id, **self.request)
        return self.until_ready()

    def enforce(self, engine_arn: str, mode: str = "ENFORCE") -> dict:
        return self.update(policyEngineConfiguration={"arn": engine_arn, "mode": mode})

    def until_ready(self) -> dict:
        look = lambda: self.control.get_gateway(gatewayIdentifier=self.id)
        return until(f"the gateway {self.id}", look, lambda seen: seen["status"] == "READY")


@dataclass
class Engine:
    """A policy engine that is ACTIVE."""

    server: Server
    id: str
    arn: str

    def policy(self, statement: str, policy_name: str | None = None, **more) -> str:
        """Adds a Cedar policy and waits until it is ACTIVE."""
        control = self.server.client("bedrock-agentcore-control")
        made = control.create_policy(
            policyEngineId=self.id,
            name=policy_name or name("policy"),
            definition={"cedar": {"statement": statement}},
            **more,
        )["policyId"]
        look = lambda: control.get_policy(policyEngineId=self.id, policyId=made)
        until("the policy", look, lambda seen: seen["status"] == "ACTIVE")
        return made


class Scenery:
    """Makes things on one server, as root of its account."""

    def __init__(self, server: Server):
        self.server = server
        self.account = ACCOUNT
        self._gateway_role = None
        self._function_role = None

    def user(self, policy: dict | None = None) -> Caller:
        """A user with one inline policy, and a key."""
        iam = self.server.client("iam")
        user_name = name("user")
        arn = iam.create_user(UserName=user_name)["User"]["Arn"]
        if policy:
            iam.put_user_policy(UserName=user_name, PolicyName="inline", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=user_name)["AccessKey"]
        return Caller(self.server, user_name, arn, key["AccessKeyId"], key["SecretAccessKey"])

    def assume(self, role_arn: str, session_name: str = "e2e", by: Caller | None = None) -> Caller:
        """A session of a role."""
        sts = by.client("sts") if by else self.server.client("sts")
        made = sts.assume_role(RoleArn=role_arn, RoleSessionName=session_name)
        key = made["Credentials"]
        arn = made["AssumedRoleUser"]["Arn"]
        return Caller(
            self.server, session_name, arn, key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"]
        )

    def role(self, trust: dict, policy: dict | None = None, role_name: str | None = None) -> str:
        """A role with one inline policy; gives its ARN."""
        iam = self.server.client("iam")
        role_name = role_name or name("role")
        made = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=json.dumps(trust))
        if policy:
            iam.put_role_policy(RoleName=role_name, PolicyName="inline", PolicyDocument=json.dumps(policy))
        return made["Role"]["Arn"]

    def gateway_role(self) -> str:
        """The role that gateways of the tests share: it may invoke functions."""
        if self._gateway_role is None:
            self._gateway_role = self.role(GATEWAY_TRUST, allow("lambda:InvokeFunction"), name("gateway-role"))
        return self._gateway_role

    def vault_role(self) -> str:
        """A role for gateways that may use whatever is in the token vault."""
        actions = ("bedrock-agentcore:GetResourceApiKey", "bedrock-agentcore:GetResourceOauth2Token")
        return self.role(GATEWAY_TRUST, allow(*actions, "secretsmanager:GetSecretValue"))

    def function_role(self) -> str:
        """The role that functions of the tests share: it may send mail."""
        if self._function_role is None:
            self._function_role = self.role(FUNCTION_TRUST, allow("ses:SendEmail"), name("function-role"))
        return self._function_role

    def pool(self, scopes=("invoke",), resource_server: str | None = None) -> Pool:
        """A user pool whose resource server has these scopes."""
        cognito = self.server.client("cognito-idp")
        pool_id = cognito.create_user_pool(PoolName=name("pool"))["UserPool"]["Id"]
        resource_server = resource_server or name("resource")
        cognito.create_resource_server(
            UserPoolId=pool_id,
            Identifier=resource_server,
            Name="The resource server of the tests",
            Scopes=[{"ScopeName": scope, "ScopeDescription": f"{scope} permission"} for scope in scopes],
        )
        return Pool(self.server, pool_id, resource_server)

    def function(
        self, source: str = ECHO, *, files: dict | None = None, role: str | None = None, environment=None, **settings
    ) -> str:
        """Deploys a Python function from its source; gives its ARN."""
        request = {
            "FunctionName": name("function"),
            "Runtime": "python3.13",
            "Handler": "app.lambda_handler",
            "Role": role or self.function_role(),
            "Timeout": 60,
            "Code": {"ZipFile": archive({"app.py": source, **(files or {})})},
        }
        if environment:
            request["Environment"] = {"Variables": environment}
        made = self.server.client("lambda").create_function(**(request | settings))
        look = lambda: self.server.client("lambda").get_function(FunctionName=made["FunctionName"])
        until("the function", look, lambda seen: seen["Configuration"]["State"] == "Active")
        return made["FunctionArn"]

    def gateway(self, authorizer: str | dict = "NONE", **settings) -> Gateway:
        """A gateway; `authorizer` is a type, or the configuration of CUSTOM_JWT."""
        request = {"name": name("gateway"), "roleArn": self.gateway_role(), "protocolType": "MCP"}
        if isinstance(authorizer, dict):
            request |= {"authorizerType": "CUSTOM_JWT", "authorizerConfiguration": authorizer}
        else:
            request |= {"authorizerType": authorizer}
        # A setting that is None is left out: HTTP targets go with no protocolType.
        request = {key: value for key, value in (request | settings).items() if value is not None}
        made = self.server.client("bedrock-agentcore-control").create_gateway(**request)
        # What only a creation takes is not repeated by an update.
        kept = {key: value for key, value in request.items() if key not in ("clientToken", "tags")}
        gateway = Gateway(self.server, made["gatewayId"], made["gatewayArn"], made["gatewayUrl"], kept)
        gateway.until_ready()
        return gateway

    def engine(self) -> Engine:
        """A policy engine."""
        control = self.server.client("bedrock-agentcore-control")
        made = control.create_policy_engine(name=name("engine").replace("-", "_"))
        look = lambda: control.get_policy_engine(policyEngineId=made["policyEngineId"])
        until("the engine", look, lambda seen: seen["status"] == "ACTIVE")
        return Engine(self.server, made["policyEngineId"], made["policyEngineArn"])

    def mails(self, most: int = 20) -> list:
        """The outbox, the newest first."""
        listed = self.server.run("mail", "list", "--json", "--lines", str(most)).stdout
        return [json.loads(line) for line in listed.splitlines()]

    def audited(self, wanted, least: int = 1) -> list:
        """The events of the audit trail that are `wanted`, as soon as there are enough of them."""
        return audited(self.server, wanted, least)
