"""The table behind test_surface.py: for each promised operation a valid request, and what breaks it.

A row is one operation:

- `request`: makes a valid request on a stage, with as many of the honoured members as go together; what it changes or
  deletes is its own. `bare` is a second one, with nothing optional.
- `malformed`: one member with a value that breaks its constraint. It is laid over the request.
- `missing`: one member that names something that does not exist, laid over the request; or, in words, why the
  operation has no such outcome.
- `on`: the resource that a refusal names, written with the request's members, or made of them.
- `action`: the IAM action, where it is not the operation's name.
- `ready`: what must have happened right before the operation can be done, and what it takes from others is made anew.
- `unauthorized`, `malformed`: in words instead, why the operation has no such outcome.
"""

import json
import uuid
from dataclasses import dataclass
from functools import cached_property

import surface_logs
from authorization_server import AuthorizationServer
from federation import RETURN, Agent, walk
from keys import KMS, NO_KEY, SERVICE_MANAGED, customer_managed, lose
from outbound import oauth
from portcullis import ACCOUNT, REGION
from scenery import FUNCTION_TRUST, GATEWAY_TRUST, Scenery, allow, archive, name, tool, until
from runtimes import RUNTIME_TRUST, by_url, runtime

AGENTCORE = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}"
VAULT = f"{AGENTCORE}:token-vault/default"
DIRECTORY = f"{AGENTCORE}:workload-identity-directory/default"
COGNITO = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}"
IAM = f"arn:aws:iam::{ACCOUNT}"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
NO_VAULT = "no-such-vault"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
SENDER = "reports@example.com"

NOBODY = "nobody-of-the-tests"
NO_GATEWAY = "no-such-gateway-0123456789"
NO_TARGET = "ABCDEFGHIJ"
NO_ENGINE = "no_such_engine-0123456789"
NO_RUNTIME = "no_such_runtime-0123456789"
RUNTIMES = f"{AGENTCORE}:runtime/*"
NO_POLICY = "no_such_policy-0123456789"
NO_GENERATION = "no_such_generation-0123456789"
SENTENCE = "Only allow users with the manager scope to call full when number is less than 500."
SHAPER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shaper"
NO_POOL = f"{REGION}_nosuchpool"
PASSWORD = "A-Password-Of-Tests-1"
NOBODY_SIGNS = "how users of a pool sign in: the operation is not signed"
NO_CLIENT = "nosuchclient0123456789abcd"
NO_MANAGED_POLICY = f"{IAM}:policy/no-such-policy"
NO_OIDC = f"{IAM}:oidc-provider/no-such.example"
SERVICE_LINKED = "AWSServiceRoleForBedrockAgentCoreNetwork"
LINKED_SERVICE = "network.bedrock-agentcore.amazonaws.com"
LINKED_ROLE = f"{IAM}:role/aws-service-role/{LINKED_SERVICE}/{SERVICE_LINKED}"
TAGS = [{"Key": "team", "Value": "tests"}]

LISTS_WHAT_IS_THERE = "it names nothing: it lists what there is"
MAKES_SOMETHING_NEW = "it names nothing that must exist: it makes something new"


@dataclass(frozen=True)
class Row:
    service: str
    operation: str
    request: object
    malformed: dict | str
    missing: dict | str
    on: str
    bare: object = None
    action: str | None = None
    missing_code: str | None = None
    unauthorized: str | None = None
    ready: object = None


class Stage(Scenery):
    """What requests need: shared where they only read it, fresh where they change it."""

    @cached_property
    def agentcore(self):
        return self.server.client("bedrock-agentcore-control")

    @cached_property
    def shared_workload(self) -> str:
        return self.create("bedrock-agentcore-control", "CreateWorkloadIdentity")["name"]

    def with_web_identity(self, is_wanted: bool, **request) -> dict:
        """A request, on an account whose outbound web identity federation is enabled, or is not."""
        iam = self.server.client("iam")
        try:
            is_enabled = iam.get_outbound_web_identity_federation_info()["JwtVendingEnabled"]
        except iam.exceptions.FeatureDisabledException:
            is_enabled = False
        if is_wanted and not is_enabled:
            iam.enable_outbound_web_identity_federation()
        elif is_enabled and not is_wanted:
            iam.disable_outbound_web_identity_federation()
        return request

    def workload_token(self) -> str:
        data = self.server.client("bedrock-agentcore")
        return data.get_workload_access_token(workloadName=self.shared_workload)["workloadAccessToken"]

    @cached_property
    def shared_token_provider(self) -> str:
        made = oauth(self.server, self.shared_pool, self.shared_client)
        return made["credentialProvider"]["oauthCredentialProvider"]["providerArn"].rpartition("/")[2]

    def resource_token(self) -> dict:
        return {
            "workloadIdentityToken": self.workload_token(),
            "resourceCredentialProviderName": self.shared_token_provider,
            "scopes": self.shared_client.scopes,
            "oauth2Flow": "M2M",
        }

    @cached_property
    def shared_agent(self) -> Agent:
        return Agent(self.server, AuthorizationServer().provider)

    def new_session(self) -> dict:
        """What begins a session in which somebody is asked to consent."""
        agent = self.shared_agent
        return {
            "workloadIdentityToken": agent.for_id(f"app+{name('user')}"),
            "resourceCredentialProviderName": agent.provider,
            "scopes": agent.scopes,
            "oauth2Flow": "USER_FEDERATION",
            "resourceOauth2ReturnUrl": RETURN,
            "customState": "of the application",
            "forceAuthentication": True,
        }

    def consented(self) -> dict:
        """A session that came back from the browser."""
        begun = self.shared_agent.asks(scopes=[name("scope")])
        walk(begun["authorizationUrl"])
        return {"userIdentifier": {"userId": "app+ada"}, "sessionUri": begun["sessionUri"]}

    @cached_property
    def runtime_role(self) -> str:
        return self.role(RUNTIME_TRUST)

    @cached_property
    def shared_runtime(self):
        return runtime(self, by_url("http://127.0.0.1:8080"), roleArn=self.runtime_role, description="An agent.")

    @cached_property
    def shared_runtime_endpoint(self) -> dict:
        made = self.create("bedrock-agentcore-control", "CreateAgentRuntimeEndpoint")
        return {"agentRuntimeId": made["agentRuntimeId"], "endpointName": made["name"]}

    def agent_settings(self) -> dict:
        return {
            "agentRuntimeArtifact": by_url("http://127.0.0.1:8080"),
            "roleArn": self.runtime_role,
            "networkConfiguration": {"networkMode": "PUBLIC"},
            "description": "An agent of the tests.",
            "authorizerConfiguration": self.authorizer(),
            "requestHeaderConfiguration": {"requestHeaderAllowlist": ["Authorization", "X-Tenant"]},
            "protocolConfiguration": {"serverProtocol": "HTTP"},
            "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 60, "maxLifetime": 3600},
            "environmentVariables": {"STAGE": "tests"},
        }

    def fresh_runtime(self) -> str:
        return runtime(self, by_url("http://127.0.0.1:8080"), roleArn=self.runtime_role).id

    def fresh_runtime_endpoint(self) -> dict:
        made = self.create("bedrock-agentcore-control", "CreateAgentRuntimeEndpoint")
        names = {"agentRuntimeId": made["agentRuntimeId"], "endpointName": made["name"]}
        look = lambda: self.agentcore.get_agent_runtime_endpoint(**names)["status"]
        until("the endpoint", look, lambda seen: seen == "READY")
        return names

    @cached_property
    def shared_pool(self):
        return self.pool(["invoke", "read"])

    @cached_property
    def shared_client(self):
        return self.shared_pool.client("invoke")

    @cached_property
    def shared_function(self) -> str:
        return self.function()

    @cached_property
    def shared_engine(self):
        return self.engine()

    @cached_property
    def shared_gateway(self):
        return self.gateway(**{**self.gateway_settings(), "authorizer": self.authorizer()})

    @cached_property
    def shared_target(self) -> str:
        return self.shared_gateway.target("Shared", self.lambda_configuration())

    @cached_property
    def shared_policy(self) -> str:
        return self.shared_engine.policy(self.statement(), description="A policy of the tests.")

    @cached_property
    def shared_domain(self) -> str:
        return self.create("cognito-idp", "CreateUserPoolDomain")["Domain"]

    @cached_property
    def shared_user(self) -> str:
        return self.user(allow("sts:GetCallerIdentity")).name

    @cached_property
    def shared_role(self) -> str:
        return self.role(self.trust(), allow("sts:GetCallerIdentity")).rpartition("/")[2]

    @cached_property
    def shared_managed_policy(self) -> str:
        """Attached to the shared user and the shared role."""
        made = self.managed_policy()
        iam = self.server.client("iam")
        iam.attach_user_policy(UserName=self.shared_user, PolicyArn=made)
        iam.attach_role_policy(RoleName=self.shared_role, PolicyArn=made)
        return made

    @cached_property
    def shared_permission(self) -> str:
        """The function with a policy of its own."""
        self.create("lambda", "AddPermission", FunctionName=self.shared_function)
        return self.shared_function

    @cached_property
    def shared_api_key(self) -> str:
        return self.create("bedrock-agentcore-control", "CreateApiKeyCredentialProvider")["name"]

    @cached_property
    def shared_oauth2(self) -> str:
        return self.create("bedrock-agentcore-control", "CreateOauth2CredentialProvider")["name"]

    @cached_property
    def shared_secret(self) -> str:
        return self.create("secretsmanager", "CreateSecret")["Name"]

    @cached_property
    def shared_key(self) -> str:
        """The id of a key, which has an alias."""
        key = self.key()
        self.create("kms", "CreateAlias", TargetKeyId=key)
        return key

    @cached_property
    def shared_key_without_alias(self) -> str:
        return self.key()

    def key(self) -> str:
        return self.server.client("kms").create_key()["KeyMetadata"]["KeyId"]

    def alias(self) -> str:
        return self.create("kms", "CreateAlias")["AliasName"]

    def lose_the_key_of_the_vault(self):
        """What the vault kept is lost with its key: providers that others share are made anew."""
        key = f"{KMS}:key/{self.key()}"
        self.agentcore.set_token_vault_cmk(kmsConfiguration=customer_managed(key))
        lose(self.server, key)
        for shared in ("shared_api_key", "shared_oauth2", "shared_token_provider", "shared_agent"):
            self.__dict__.pop(shared, None)

    def create(self, service: str, operation: str, **changes) -> dict:
        """Sends the request of a row, and gives it."""
        request = {**TABLE[service, operation].request(self), **changes}
        self.server.client(service)._make_api_call(operation, request)
        return request

    # --- fresh things --------------------------------------------------------------------------------------------

    def authorizer(self) -> dict:
        return self.shared_pool.authorizer(
            self.shared_client,
            allowedAudience=["the-tests"],
            allowedScopes=["a/b"],
            advertisedScopeMapping={"a/b": "tests/ab"},
            customClaims=[
                {
                    "inboundTokenClaimName": "department",
                    "inboundTokenClaimValueType": "STRING",
                    "authorizingClaimMatchValue": {
                        "claimMatchValue": {"matchValueString": "tests"},
                        "claimMatchOperator": "EQUALS",
                    },
                },
                {
                    "inboundTokenClaimName": "groups",
                    "inboundTokenClaimValueType": "STRING_ARRAY",
                    "authorizingClaimMatchValue": {
                        "claimMatchValue": {"matchValueStringList": ["a", "b"]},
                        "claimMatchOperator": "CONTAINS_ANY",
                    },
                },
            ],
        )

    def gateway_settings(self) -> dict:
        return {
            "description": "A gateway of the tests.",
            "protocolConfiguration": {
                "mcp": {
                    "supportedVersions": ["2025-06-18", "2025-11-25"],
                    "instructions": "Call the tools.",
                    "streamingConfiguration": {"enableResponseStreaming": True},
                    "disableMcpListToolsPagination": False,
                }
            },
            "policyEngineConfiguration": {"arn": self.shared_engine.arn, "mode": "LOG_ONLY"},
            "exceptionLevel": "DEBUG",
        }

    def full_gateway(self, **changes) -> dict:
        return {
            "name": name("gateway"),
            "roleArn": self.gateway_role(),
            "protocolType": "MCP",
            "authorizerType": "CUSTOM_JWT",
            "authorizerConfiguration": self.authorizer(),
            **self.gateway_settings(),
            **changes,
        }

    def bare_gateway(self) -> dict:
        return {"name": name("gateway"), "roleArn": self.gateway_role(), "authorizerType": "AWS_IAM"}

    def update_of_gateway(self) -> dict:
        gateway = self.gateway(self.authorizer())
        return self.full_gateway(gatewayIdentifier=gateway.id, name=gateway.request["name"])

    def lambda_configuration(self) -> dict:
        nested = {"type": "object", "properties": {"deep": {"type": "array", "items": {"type": "number"}}}}
        full = tool("full", required=["word"], word={"type": "string", "description": "A word."}, nested=nested)
        full["outputSchema"] = {"type": "object", "properties": {"tool": {"type": "string"}}}
        tools = {"inlinePayload": [full, tool("empty")]}
        return {"lambda": {"lambdaArn": self.shared_function, "toolSchema": tools}}

    def full_target(self, **changes) -> dict:
        return {
            "gatewayIdentifier": self.shared_gateway.id,
            "name": name("target"),
            "description": "A target of the tests.",
            "targetConfiguration": {"mcp": self.lambda_configuration()},
            "credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
            **changes,
        }

    def fresh_target(self) -> dict:
        made = self.shared_gateway.target(name("target"), self.lambda_configuration())
        return {"gatewayIdentifier": self.shared_gateway.id, "targetId": made}

    def synchronizable(self) -> dict:
        """A target whose tools a server lists: another gateway is one."""
        made = self.shared_gateway.mcp_target(name("target"), self.gateway().url)
        return {"gatewayIdentifier": self.shared_gateway.id, "targetIdList": [made]}

    def limits(self, **changes) -> dict:
        requests = [{"rate": 5, "period": "second"}]
        return {
            "gatewayIdentifier": self.shared_gateway.id,
            "dimensionKeys": ["targetName", "toolName"],
            "entries": [{"dimensions": {"targetName": "Shared", "toolName": "*"}, "requests": requests}],
            **changes,
        }

    def fresh_limit(self) -> dict:
        made = self.agentcore.create_gateway_rate_limit(**self.limits(description="A limit."))
        return {"gatewayIdentifier": self.shared_gateway.id, "rateLimitId": made["rateLimitId"]}

    def statement(self) -> str:
        """A statement that every schema allows."""
        self.shared_target
        return (
            'forbid(principal, action == AgentCore::Action::"Shared___full", '
            f'resource == AgentCore::Gateway::"{self.shared_gateway.arn}") '
            'when { context.input.word == "never" };'
        )

    def start(self, **more) -> dict:
        """What starts a generation."""
        self.shared_target
        return {
            "policyEngineId": self.shared_engine.id,
            "name": name("generation").replace("-", "_"),
            "resource": {"arn": self.shared_gateway.arn},
            "content": {"rawText": SENTENCE},
            **more,
        }

    @cached_property
    def shared_generation(self) -> dict:
        made = self.agentcore.start_policy_generation(**self.start())
        known = {key: made[key] for key in ("policyEngineId", "policyGenerationId")}
        look = lambda: self.agentcore.get_policy_generation(**known)
        until("the generation", look, lambda seen: seen["status"] == "GENERATED")
        return known

    def fresh_policy(self, **more) -> dict:
        made = self.shared_engine.policy(self.statement())
        return {"policyEngineId": self.shared_engine.id, "policyId": made, **more}

    def fresh_tags(self, **more) -> dict:
        arn = self.shared_gateway.arn
        self.agentcore.tag_resource(resourceArn=arn, tags={"team": "tests"})
        return {"resourceArn": arn, **more}

    def new_api_key(self) -> dict:
        return {"name": name("key"), "apiKey": "a-key-of-the-tests"}

    def new_oauth2(self, full: bool = False) -> dict:
        """A provider of a server elsewhere: found by its discovery URL, or described by every member."""
        server = {
            "issuer": "https://as.example.com",
            "authorizationEndpoint": "https://as.example.com/authorize",
            "tokenEndpoint": "https://as.example.com/token",
            "responseTypes": ["code"],
            "tokenEndpointAuthMethods": ["client_secret_basic", "client_secret_post"],
        }
        url = "https://as.example.com/.well-known/openid-configuration"
        config = {
            "oauthDiscovery": {"authorizationServerMetadata": server} if full else {"discoveryUrl": url},
            "clientId": "a-client-of-the-tests",
            "clientSecret": "a-secret-of-the-tests",
        }
        if full:
            config |= {"clientSecretSource": "MANAGED", "clientAuthenticationMethod": "CLIENT_SECRET_POST"}
        return {
            "name": name("oauth2"),
            "credentialProviderVendor": "CustomOauth2",
            "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": config},
        }

    def fresh_pool(self, **more) -> dict:
        return {"UserPoolId": self.pool().id, **more}

    def fresh_resource_server(self, **more) -> dict:
        pool = self.pool()
        return {"UserPoolId": pool.id, "Identifier": pool.resource_server, **more}

    def fresh_client(self, **more) -> dict:
        made = self.shared_pool.client("invoke")
        return {"UserPoolId": self.shared_pool.id, "ClientId": made.id, **more}

    @cached_property
    def user_client(self) -> str:
        """A client through which users sign in."""
        made = self.server.client("cognito-idp").create_user_pool_client(
            UserPoolId=self.shared_pool.id,
            ClientName=name("client"),
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        return made["UserPoolClient"]["ClientId"]

    def fresh_pool_user(self, **more) -> dict:
        user = {"UserPoolId": self.shared_pool.id, "Username": name("user")}
        self.server.client("cognito-idp").admin_create_user(**user, TemporaryPassword=PASSWORD)
        return {**user, **more}

    def fresh_group(self, **more) -> dict:
        group = {"UserPoolId": self.shared_pool.id, "GroupName": name("group")}
        self.server.client("cognito-idp").create_group(**group)
        return {**group, **more}

    def sign_in(self, permanent: bool) -> dict:
        user = self.fresh_pool_user()
        if permanent:
            self.server.client("cognito-idp").admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        return {
            "ClientId": self.user_client,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": user["Username"], "PASSWORD": PASSWORD},
        }

    def challenged(self) -> dict:
        request = self.sign_in(permanent=False)
        session = self.server.client("cognito-idp").initiate_auth(**request)["Session"]
        return {
            "ClientId": self.user_client,
            "ChallengeName": "NEW_PASSWORD_REQUIRED",
            "Session": session,
            "ChallengeResponses": {
                "USERNAME": request["AuthParameters"]["USERNAME"],
                "NEW_PASSWORD": "Another-Password-2",
            },
        }

    def fresh_domain(self) -> dict:
        request = self.create("cognito-idp", "CreateUserPoolDomain")
        return {"Domain": request["Domain"], "UserPoolId": request["UserPoolId"]}

    def fresh_user(self, **more) -> dict:
        made = name("user")
        self.server.client("iam").create_user(UserName=made)
        return {"UserName": made, **more}

    def fresh_user_policy(self) -> dict:
        return {"UserName": self.user(allow("sts:GetCallerIdentity")).name, "PolicyName": "inline"}

    def fresh_attachment(self, kind: str) -> dict:
        made = {"User": self.fresh_user, "Role": self.fresh_role, "Group": self.fresh_user_group}[kind]()
        request = {**made, "PolicyArn": self.shared_managed_policy}
        self.server.client("iam")._make_api_call(f"Attach{kind}Policy", request)
        return request

    def fresh_key(self, **more) -> dict:
        made = self.user()
        return {"UserName": made.name, "AccessKeyId": made.key, **more}

    def trust(self) -> dict:
        """A trust that lets the account's users in."""
        principal = {"AWS": f"{IAM}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    def fresh_role(self, **more) -> dict:
        return {"RoleName": self.role(self.trust()).rpartition("/")[2], **more}

    def fresh_role_policy(self) -> dict:
        made = self.role(self.trust(), allow("sts:GetCallerIdentity")).rpartition("/")[2]
        return {"RoleName": made, "PolicyName": "inline"}

    def managed_policy(self) -> str:
        made = self.server.client("iam").create_policy(
            PolicyName=name("policy"),
            PolicyDocument=json.dumps(allow("sts:GetCallerIdentity")),
            Description="A policy of the tests.",
        )
        return made["Policy"]["Arn"]

    def fresh_user_group(self, **more) -> dict:
        made = name("group")
        self.server.client("iam").create_group(GroupName=made)
        return {"GroupName": made, **more}

    def fresh_group_policy(self) -> dict:
        made = self.fresh_user_group(PolicyName="inline")
        self.server.client("iam").put_group_policy(**made, PolicyDocument=POLICY_TEXT)
        return made

    def fresh_member(self) -> dict:
        made = self.fresh_user_group(UserName=self.fresh_user()["UserName"])
        self.server.client("iam").add_user_to_group(**made)
        return made

    def fresh_bounded(self, kind: str) -> dict:
        made = self.fresh_user() if kind == "User" else self.fresh_role()
        request = {**made, "PermissionsBoundary": self.shared_managed_policy}
        self.server.client("iam")._make_api_call(f"Put{kind}PermissionsBoundary", request)
        return made

    def fresh_policy_version(self) -> dict:
        made = self.managed_policy()
        iam = self.server.client("iam")
        version = iam.create_policy_version(PolicyArn=made, PolicyDocument=POLICY_TEXT)["PolicyVersion"]
        return {"PolicyArn": made, "VersionId": version["VersionId"]}

    def fresh_oidc(self, **more) -> dict:
        made = self.server.client("iam").create_open_id_connect_provider(
            Url=f"https://{name('idp')}.example", ClientIDList=["one", "two"], ThumbprintList=["a" * 40]
        )
        return {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"], **more}

    def service_linked(self, exists: bool) -> str:
        """The service that has, or has not, its role."""
        iam = self.server.client("iam")
        try:
            iam.get_role(RoleName=SERVICE_LINKED)
            if not exists:
                iam.delete_service_linked_role(RoleName=SERVICE_LINKED)
        except iam.exceptions.NoSuchEntityException:
            if exists:
                iam.create_service_linked_role(AWSServiceName=LINKED_SERVICE)
        return LINKED_SERVICE

    def deletion_task(self) -> dict:
        self.service_linked(True)
        made = self.server.client("iam").delete_service_linked_role(RoleName=SERVICE_LINKED)
        return {"DeletionTaskId": made["DeletionTaskId"]}

    @cached_property
    def federated_role(self) -> str:
        """A role that trusts the shared pool's client."""
        provider = self.server.client("iam").create_open_id_connect_provider(
            Url=self.shared_pool.issuer, ClientIDList=[self.shared_client.id]
        )["OpenIDConnectProviderArn"]
        principal = {"Federated": provider}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}
        return self.role({"Version": "2012-10-17", "Statement": [statement]})

    def web_identity(self, **more) -> dict:
        request = {"RoleArn": self.federated_role, "RoleSessionName": "tests"}
        return {**request, "WebIdentityToken": self.shared_client.token(), **more}

    def resource_policy(self, **more) -> dict:
        """A gateway of its own with a policy."""
        arn = self.gateway("AWS_IAM").arn
        statement = {"Effect": "Allow", "Principal": "*", "Action": "bedrock-agentcore:InvokeGateway", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.agentcore.put_resource_policy(resourceArn=arn, policy=policy)
        return {"resourceArn": arn, **({"policy": policy} if more else {})}

    def new_function(self, **more) -> dict:
        return {
            "FunctionName": name("function"),
            "Runtime": "python3.13",
            "Handler": "app.lambda_handler",
            "Role": self.function_role(),
            "Code": {"ZipFile": archive({"app.py": "def lambda_handler(event, context):\n    return event\n"})},
            **more,
        }

    def fresh_function(self, **more) -> dict:
        request = self.create("lambda", "CreateFunction")
        return {"FunctionName": request["FunctionName"], **more}

    def fresh_version(self, **more) -> dict:
        request = self.fresh_function()
        self.server.client("lambda").publish_version(**request)
        return {**request, **more}

    def fresh_alias(self, **more) -> dict:
        request = self.create("lambda", "CreateAlias")
        return {"FunctionName": request["FunctionName"], "Name": request["Name"], **more}

    def fresh_permission(self) -> dict:
        request = self.create("lambda", "AddPermission")
        return {"FunctionName": request["FunctionName"], "StatementId": request["StatementId"]}


POLICY_TEXT = json.dumps(allow("sts:GetCallerIdentity"))

ROWS = [
    # --- bedrock-agentcore-control: gateways
    Row(
        "bedrock-agentcore-control",
        "CreateGateway",
        lambda on: on.full_gateway(tags={"team": "tests"}, clientToken=name("token-of-thirty-three-characters")),
        bare=lambda on: on.bare_gateway(),
        malformed={"name": "no spaces, please"},
        missing={"policyEngineConfiguration": {"arn": f"{AGENTCORE}:policy-engine/{NO_ENGINE}", "mode": "ENFORCE"}},
        on=f"{AGENTCORE}:gateway/*",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetGateway",
        lambda on: {"gatewayIdentifier": on.shared_gateway.id},
        malformed={"gatewayIdentifier": "UPPER"},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateGateway",
        lambda on: on.update_of_gateway(),
        bare=lambda on: (
            lambda made: {
                "gatewayIdentifier": made.id,
                "name": made.request["name"],
                "roleArn": on.gateway_role(),
                "authorizerType": "NONE",
            }
        )(on.gateway()),
        malformed={"description": ""},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteGateway",
        lambda on: {"gatewayIdentifier": on.gateway().id},
        malformed={"gatewayIdentifier": "UPPER"},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListGateways",
        lambda on: {"maxResults": 1} if on.shared_gateway and on.gateway() else {},
        bare=lambda on: {},
        malformed={"maxResults": 1001},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{AGENTCORE}:gateway/*",
    ),
    # --- targets
    Row(
        "bedrock-agentcore-control",
        "CreateGatewayTarget",
        lambda on: on.full_target(clientToken=name("token-of-thirty-three-characters")),
        bare=lambda on: {key: value for key, value in on.full_target().items() if key != "description"},
        malformed={"name": "under_score"},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetGatewayTarget",
        lambda on: {"gatewayIdentifier": on.shared_gateway.id, "targetId": on.shared_target},
        malformed={"targetId": "short"},
        missing={"targetId": NO_TARGET},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateGatewayTarget",
        lambda on: on.full_target(**on.fresh_target()),
        malformed={"description": ""},
        missing={"targetId": NO_TARGET},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteGatewayTarget",
        lambda on: on.fresh_target(),
        malformed={"targetId": "short"},
        missing={"targetId": NO_TARGET},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListGatewayTargets",
        lambda on: {"gatewayIdentifier": on.shared_gateway.id, "maxResults": 1} if on.fresh_target() else {},
        bare=lambda on: {"gatewayIdentifier": on.gateway().id},
        malformed={"maxResults": 0},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "SynchronizeGatewayTargets",
        lambda on: on.synchronizable(),
        malformed={"targetIdList": ["short"]},
        missing={"targetIdList": [NO_TARGET]},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    # --- rate limits
    Row(
        "bedrock-agentcore-control",
        "CreateGatewayRateLimit",
        lambda on: on.limits(rateLimitId=name("limit"), description="A limit."),
        bare=lambda on: on.limits(),
        malformed={"dimensionKeys": ["colour"]},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "BatchPutGatewayRateLimits",
        lambda on: {
            "gatewayIdentifier": on.shared_gateway.id,
            "rateLimits": [
                {key: value for key, value in on.limits(description="One.").items() if key != "gatewayIdentifier"}
            ],
        },
        malformed={"rateLimits": []},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetGatewayRateLimit",
        lambda on: on.fresh_limit(),
        malformed={"rateLimitId": "-"},
        missing={"rateLimitId": "no-such-limit"},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateGatewayRateLimit",
        lambda on: {**on.fresh_limit(), "description": "Another.", "entries": on.limits()["entries"]},
        malformed={"entries": []},
        missing={"rateLimitId": "no-such-limit"},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteGatewayRateLimit",
        lambda on: on.fresh_limit(),
        malformed={"rateLimitId": "-"},
        missing={"rateLimitId": "no-such-limit"},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListGatewayRateLimits",
        lambda on: {"gatewayIdentifier": on.shared_gateway.id, "maxResults": 1} if on.fresh_limit() else {},
        bare=lambda on: {"gatewayIdentifier": on.gateway().id},
        malformed={"maxResults": 0},
        missing={"gatewayIdentifier": NO_GATEWAY},
        on=AGENTCORE + ":gateway/{gatewayIdentifier}",
    ),
    # --- policy engines
    Row(
        "bedrock-agentcore-control",
        "CreatePolicyEngine",
        lambda on: {
            "name": name("engine").replace("-", "_"),
            "description": "An engine of the tests.",
            "clientToken": name("token-of-thirty-three-characters"),
            "tags": {"team": "tests"},
        },
        bare=lambda on: {"name": name("engine").replace("-", "_")},
        malformed={"name": "0-begins-with-a-digit"},
        missing=MAKES_SOMETHING_NEW,
        on=f"{AGENTCORE}:policy-engine/*",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicyEngine",
        lambda on: {"policyEngineId": on.shared_engine.id},
        malformed={"policyEngineId": "short"},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdatePolicyEngine",
        lambda on: {"policyEngineId": on.engine().id, "description": {"optionalValue": "Another description."}},
        bare=lambda on: {"policyEngineId": on.engine().id},
        malformed={"policyEngineId": "short"},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeletePolicyEngine",
        lambda on: {"policyEngineId": on.engine().id},
        malformed={"policyEngineId": "short"},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicyEngines",
        lambda on: {"maxResults": 1} if on.shared_engine and on.engine() else {},
        bare=lambda on: {},
        malformed={"maxResults": 101},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{AGENTCORE}:policy-engine/*",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicyEngineSummary",
        lambda on: {"policyEngineId": on.shared_engine.id},
        malformed={"policyEngineId": "short"},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicyEngineSummaries",
        lambda on: {"maxResults": 1} if on.shared_engine and on.engine() else {},
        bare=lambda on: {},
        malformed={"maxResults": 101},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{AGENTCORE}:policy-engine/*",
    ),
    # --- policies
    Row(
        "bedrock-agentcore-control",
        "CreatePolicy",
        lambda on: {
            "policyEngineId": on.shared_engine.id,
            "name": name("policy"),
            "description": "A policy of the tests.",
            "definition": {"cedar": {"statement": on.statement()}},
            "validationMode": "FAIL_ON_ANY_FINDINGS",
            "enforcementMode": "ACTIVE",
            "clientToken": name("token-of-thirty-three-characters"),
        },
        bare=lambda on: {
            "policyEngineId": on.shared_engine.id,
            "name": name("policy"),
            "definition": {"cedar": {"statement": on.statement()}},
        },
        malformed={"name": "no spaces, please"},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicy",
        lambda on: {"policyEngineId": on.shared_engine.id, "policyId": on.shared_policy},
        malformed={"policyId": "short"},
        missing={"policyId": NO_POLICY},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdatePolicy",
        lambda on: on.fresh_policy(
            description={"optionalValue": "Another description."},
            definition={"cedar": {"statement": on.statement()}},
            validationMode="IGNORE_ALL_FINDINGS",
            enforcementMode="LOG_ONLY",
        ),
        bare=lambda on: on.fresh_policy(),
        malformed={"validationMode": "SOME_FINDINGS"},
        missing={"policyId": NO_POLICY},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeletePolicy",
        lambda on: on.fresh_policy(),
        malformed={"policyId": "short"},
        missing={"policyId": NO_POLICY},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicies",
        lambda on: {
            "policyEngineId": on.fresh_policy()["policyEngineId"],
            "maxResults": 1,
            "targetResourceScope": on.shared_gateway.arn,
        },
        bare=lambda on: {"policyEngineId": on.engine().id},
        malformed={"maxResults": 0},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicySummary",
        lambda on: {"policyEngineId": on.shared_engine.id, "policyId": on.shared_policy},
        malformed={"policyId": "short"},
        missing={"policyId": NO_POLICY},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicySummaries",
        lambda on: {
            "policyEngineId": on.fresh_policy()["policyEngineId"],
            "maxResults": 1,
            "targetResourceScope": on.shared_gateway.arn,
        },
        bare=lambda on: {"policyEngineId": on.engine().id},
        malformed={"maxResults": 101},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    # --- policy generations
    Row(
        "bedrock-agentcore-control",
        "StartPolicyGeneration",
        lambda on: on.start(clientToken=name("token-of-thirty-three-characters")),
        bare=lambda on: on.start(),
        malformed={"content": {"rawText": "x" * 2001}},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicyGeneration",
        lambda on: on.shared_generation,
        malformed={"policyGenerationId": "short"},
        missing={"policyGenerationId": NO_GENERATION},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicyGenerations",
        lambda on: {"policyEngineId": on.shared_generation["policyEngineId"], "maxResults": 1},
        bare=lambda on: {"policyEngineId": on.engine().id},
        malformed={"maxResults": 0},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetPolicyGenerationSummary",
        lambda on: on.shared_generation,
        malformed={"policyGenerationId": "short"},
        missing={"policyGenerationId": NO_GENERATION},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicyGenerationSummaries",
        lambda on: {"policyEngineId": on.shared_generation["policyEngineId"], "maxResults": 1},
        bare=lambda on: {"policyEngineId": on.engine().id},
        malformed={"maxResults": 0},
        missing={"policyEngineId": NO_ENGINE},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListPolicyGenerationAssets",
        lambda on: {**on.shared_generation, "maxResults": 1},
        bare=lambda on: on.shared_generation,
        malformed={"maxResults": 0},
        missing={"policyGenerationId": NO_GENERATION},
        on=AGENTCORE + ":policy-engine/{policyEngineId}",
    ),
    # --- agent runtimes
    Row(
        "bedrock-agentcore-control",
        "CreateAgentRuntime",
        lambda on: {
            "agentRuntimeName": name("agent").replace("-", "_"),
            **on.agent_settings(),
            "clientToken": str(uuid.uuid4()),
            "tags": {"team": "tests"},
        },
        bare=lambda on: {
            "agentRuntimeName": name("agent").replace("-", "_"),
            "agentRuntimeArtifact": by_url("https://agent.example"),
            "roleArn": on.runtime_role,
        },
        malformed={"agentRuntimeName": "no-hyphens"},
        missing=MAKES_SOMETHING_NEW,
        on=RUNTIMES,
    ),
    Row(
        "bedrock-agentcore-control",
        "GetAgentRuntime",
        lambda on: {"agentRuntimeId": on.shared_runtime.id, "agentRuntimeVersion": "1"},
        bare=lambda on: {"agentRuntimeId": on.shared_runtime.id},
        malformed={"agentRuntimeId": "no-such-id"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateAgentRuntime",
        lambda on: {"agentRuntimeId": on.fresh_runtime(), **on.agent_settings(), "clientToken": str(uuid.uuid4())},
        malformed={"agentRuntimeId": "no-such-id"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteAgentRuntime",
        lambda on: {"agentRuntimeId": on.fresh_runtime()},
        malformed={"agentRuntimeId": "no-such-id"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListAgentRuntimes",
        lambda on: (on.shared_runtime, on.fresh_runtime(), {"maxResults": 1})[-1],
        bare=lambda on: {},
        malformed={"maxResults": 101},
        missing=LISTS_WHAT_IS_THERE,
        on=RUNTIMES,
    ),
    Row(
        "bedrock-agentcore-control",
        "ListAgentRuntimeVersions",
        lambda on: {"agentRuntimeId": on.shared_runtime.id, "maxResults": 1},
        bare=lambda on: {"agentRuntimeId": on.shared_runtime.id},
        malformed={"agentRuntimeId": "no-such-id"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "CreateAgentRuntimeEndpoint",
        lambda on: {
            "agentRuntimeId": on.fresh_runtime(),
            "name": name("endpoint").replace("-", "_"),
            "agentRuntimeVersion": "1",
            "description": "An endpoint of the tests.",
            "clientToken": str(uuid.uuid4()),
            "tags": {"team": "tests"},
        },
        malformed={"name": "no-hyphens"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetAgentRuntimeEndpoint",
        lambda on: on.shared_runtime_endpoint,
        malformed={"endpointName": "no-hyphens"},
        missing={"endpointName": "no_such"},
        on=AGENTCORE + ":runtime/{agentRuntimeId}/runtime-endpoint/{endpointName}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateAgentRuntimeEndpoint",
        lambda on: {
            **on.fresh_runtime_endpoint(),
            "agentRuntimeVersion": "1",
            "description": "Another description.",
            "clientToken": str(uuid.uuid4()),
        },
        malformed={"agentRuntimeVersion": "0"},
        missing={"endpointName": "no_such"},
        on=AGENTCORE + ":runtime/{agentRuntimeId}/runtime-endpoint/{endpointName}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteAgentRuntimeEndpoint",
        lambda on: on.fresh_runtime_endpoint(),
        malformed={"endpointName": "no-hyphens"},
        missing={"endpointName": "no_such"},
        on=AGENTCORE + ":runtime/{agentRuntimeId}/runtime-endpoint/{endpointName}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListAgentRuntimeEndpoints",
        lambda on: {"agentRuntimeId": on.shared_runtime_endpoint["agentRuntimeId"], "maxResults": 1},
        bare=lambda on: {"agentRuntimeId": on.shared_runtime.id},
        malformed={"agentRuntimeId": "no-such-id"},
        missing={"agentRuntimeId": NO_RUNTIME},
        on=AGENTCORE + ":runtime/{agentRuntimeId}",
    ),
    # --- workload identities
    Row(
        "bedrock-agentcore-control",
        "CreateWorkloadIdentity",
        lambda on: {
            "name": name("workload"),
            "allowedResourceOauth2ReturnUrls": ["https://app.example/callback"],
            "tags": {"team": "tests"},
        },
        bare=lambda on: {"name": name("workload")},
        malformed={"name": "no spaces, please"},
        missing=MAKES_SOMETHING_NEW,
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore-control",
        "GetWorkloadIdentity",
        lambda on: {"name": on.shared_workload},
        malformed={"name": "no spaces, please"},
        missing={"name": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateWorkloadIdentity",
        lambda on: {"name": on.shared_workload, "allowedResourceOauth2ReturnUrls": ["https://app.example/other"]},
        bare=lambda on: {"name": on.shared_workload},
        malformed={"allowedResourceOauth2ReturnUrls": ["no url"]},
        missing={"name": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteWorkloadIdentity",
        lambda on: {"name": on.create("bedrock-agentcore-control", "CreateWorkloadIdentity")["name"]},
        malformed={"name": "no/slash"},
        missing={"name": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore-control",
        "ListWorkloadIdentities",
        lambda on: (on.shared_workload, {"maxResults": 1})[1],
        bare=lambda on: {},
        malformed={"maxResults": 21},
        missing=LISTS_WHAT_IS_THERE,
        on=DIRECTORY,
    ),
    # --- what agents ask for at run time
    Row(
        "bedrock-agentcore",
        "GetWorkloadAccessToken",
        lambda on: {"workloadName": on.shared_workload},
        malformed={"workloadName": "no spaces, please"},
        missing={"workloadName": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore",
        "GetWorkloadAccessTokenForJWT",
        lambda on: {"workloadName": on.shared_workload, "userToken": on.shared_client.token()},
        malformed={"userToken": "!!"},
        missing={"workloadName": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore",
        "GetWorkloadAccessTokenForUserId",
        lambda on: {"workloadName": on.shared_workload, "userId": "cognito+ada"},
        malformed={"userId": "x" * 129},
        missing={"workloadName": "no-such-workload"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore",
        "GetResourceApiKey",
        lambda on: {"workloadIdentityToken": on.workload_token(), "resourceCredentialProviderName": on.shared_api_key},
        malformed={"resourceCredentialProviderName": "no spaces, please"},
        missing={"resourceCredentialProviderName": "no-such-provider"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore",
        "GetResourceOauth2Token",
        lambda on: {**on.resource_token(), "customParameters": {"tenant": "a"}, "audiences": ["tools"]},
        bare=lambda on: on.new_session(),
        malformed={"oauth2Flow": "NOBODY"},
        missing={"resourceCredentialProviderName": "no-such-provider"},
        on=DIRECTORY,
    ),
    Row(
        "bedrock-agentcore",
        "CompleteResourceTokenAuth",
        lambda on: on.consented(),
        malformed={"sessionUri": "urn:somebody"},
        missing={"sessionUri": "urn:ietf:params:oauth:request_uri:nobody"},
        missing_code="AccessDeniedException",
        on=DIRECTORY,
    ),
    # --- credential providers
    Row(
        "bedrock-agentcore-control",
        "CreateApiKeyCredentialProvider",
        lambda on: {**on.new_api_key(), "apiKeySecretSource": "MANAGED", "tags": {"team": "tests"}},
        bare=lambda on: on.new_api_key(),
        malformed={"name": "no spaces, please"},
        missing=MAKES_SOMETHING_NEW,
        on=VAULT + "/apikeycredentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetApiKeyCredentialProvider",
        lambda on: {"name": on.shared_api_key},
        malformed={"name": ""},
        missing={"name": "no-such-provider"},
        on=VAULT + "/apikeycredentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateApiKeyCredentialProvider",
        lambda on: {"name": on.shared_api_key, "apiKey": "another-key", "apiKeySecretSource": "MANAGED"},
        bare=lambda on: {"name": on.shared_api_key, "apiKey": "a-third-key"},
        malformed={"apiKey": "x" * 65_537},
        missing={"name": "no-such-provider"},
        on=VAULT + "/apikeycredentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteApiKeyCredentialProvider",
        lambda on: {"name": on.create("bedrock-agentcore-control", "CreateApiKeyCredentialProvider")["name"]},
        malformed={"name": "no/slash"},
        missing={"name": "no-such-provider"},
        on=VAULT + "/apikeycredentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListApiKeyCredentialProviders",
        lambda on: (on.shared_api_key, {"maxResults": 1})[1],
        bare=lambda on: {},
        malformed={"maxResults": 101},
        missing=LISTS_WHAT_IS_THERE,
        on=VAULT + "/apikeycredentialprovider/*",
    ),
    Row(
        "bedrock-agentcore-control",
        "CreateOauth2CredentialProvider",
        lambda on: {**on.new_oauth2(full=True), "tags": {"team": "tests"}},
        bare=lambda on: on.new_oauth2(),
        malformed={"credentialProviderVendor": "NobodyOauth2"},
        missing=MAKES_SOMETHING_NEW,
        on=VAULT + "/oauth2credentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetOauth2CredentialProvider",
        lambda on: {"name": on.shared_oauth2},
        malformed={"name": ""},
        missing={"name": "no-such-provider"},
        on=VAULT + "/oauth2credentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UpdateOauth2CredentialProvider",
        lambda on: {**on.new_oauth2(full=True), "name": on.shared_oauth2},
        bare=lambda on: {**on.new_oauth2(), "name": on.shared_oauth2},
        malformed={"name": "no spaces, please"},
        missing={"name": "no-such-provider"},
        on=VAULT + "/oauth2credentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteOauth2CredentialProvider",
        lambda on: {"name": on.create("bedrock-agentcore-control", "CreateOauth2CredentialProvider")["name"]},
        malformed={"name": "no/slash"},
        missing={"name": "no-such-provider"},
        on=VAULT + "/oauth2credentialprovider/{name}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListOauth2CredentialProviders",
        lambda on: (on.shared_oauth2, {"maxResults": 1})[1],
        bare=lambda on: {},
        malformed={"maxResults": 21},
        missing=LISTS_WHAT_IS_THERE,
        on=VAULT + "/oauth2credentialprovider/*",
    ),
    # --- tags
    Row(
        "bedrock-agentcore-control",
        "TagResource",
        lambda on: on.fresh_tags(tags={"stage": "end to end"}),
        malformed={"tags": {"*": "a key that no tag has"}},
        missing={"resourceArn": f"{AGENTCORE}:gateway/{NO_GATEWAY}"},
        on="{resourceArn}",
    ),
    Row(
        "bedrock-agentcore-control",
        "UntagResource",
        lambda on: on.fresh_tags(tagKeys=["team"]),
        malformed={"tagKeys": ["*"]},
        missing={"resourceArn": f"{AGENTCORE}:gateway/{NO_GATEWAY}"},
        on="{resourceArn}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ListTagsForResource",
        lambda on: on.fresh_tags(),
        bare=lambda on: {"resourceArn": on.engine().arn},
        malformed={"resourceArn": "arn:aws:bedrock-agentcore:gateway"},
        missing={"resourceArn": f"{AGENTCORE}:policy-engine/{NO_ENGINE}"},
        on="{resourceArn}",
    ),
    Row(
        "bedrock-agentcore-control",
        "PutResourcePolicy",
        lambda on: on.resource_policy(policy=True),
        malformed={"policy": ""},
        missing={"resourceArn": f"{AGENTCORE}:gateway/{NO_GATEWAY}"},
        on="{resourceArn}",
    ),
    Row(
        "bedrock-agentcore-control",
        "GetResourcePolicy",
        lambda on: on.resource_policy(),
        malformed={"resourceArn": "arn:short"},
        missing={"resourceArn": f"{AGENTCORE}:gateway/{NO_GATEWAY}"},
        on="{resourceArn}",
    ),
    Row(
        "bedrock-agentcore-control",
        "DeleteResourcePolicy",
        lambda on: on.resource_policy(),
        malformed={"resourceArn": "arn:short"},
        missing={"resourceArn": f"{AGENTCORE}:gateway/{NO_GATEWAY}"},
        on="{resourceArn}",
    ),
    # --- cognito-idp: user pools
    Row(
        "cognito-idp",
        "CreateUserPool",
        lambda on: {
            "PoolName": name("pool"),
            "DeletionProtection": "INACTIVE",
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
            "LambdaConfig": {"PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": SHAPER}},
        },
        bare=lambda on: {"PoolName": name("pool")},
        malformed={"PoolName": "no/slash"},
        missing=MAKES_SOMETHING_NEW,
        on="*",
    ),
    Row(
        "cognito-idp",
        "DescribeUserPool",
        lambda on: {"UserPoolId": on.fresh_domain()["UserPoolId"]},
        bare=lambda on: on.fresh_pool(),
        malformed={"UserPoolId": "no-underscore"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "UpdateUserPool",
        lambda on: on.fresh_pool(
            PoolName=name("pool"),
            DeletionProtection="ACTIVE",
            AdminCreateUserConfig={"AllowAdminCreateUserOnly": False},
            LambdaConfig={"PreTokenGeneration": SHAPER},
        ),
        bare=lambda on: on.fresh_pool(),
        malformed={"UserPoolId": "no-underscore"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DeleteUserPool",
        lambda on: on.fresh_pool(),
        malformed={"UserPoolId": "no-underscore"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "ListUserPools",
        lambda on: {"MaxResults": 1} if on.fresh_pool() and on.fresh_pool() else {},
        malformed={"MaxResults": 61},
        missing=LISTS_WHAT_IS_THERE,
        on="*",
    ),
    # --- domains
    Row(
        "cognito-idp",
        "CreateUserPoolDomain",
        lambda on: on.fresh_pool(Domain=name("domain")),
        malformed={"Domain": "Upper_And_Under"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DescribeUserPoolDomain",
        lambda on: {"Domain": on.shared_domain},
        malformed={"Domain": "Upper_And_Under"},
        missing="AWS answers a domain that nobody has with an empty DomainDescription",
        on="*",
    ),
    Row(
        "cognito-idp",
        "DeleteUserPoolDomain",
        lambda on: on.fresh_domain(),
        malformed={"Domain": "Upper_And_Under"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    # --- resource servers
    Row(
        "cognito-idp",
        "CreateResourceServer",
        lambda on: on.fresh_pool(
            Identifier=name("server"),
            Name="A resource server",
            Scopes=[{"ScopeName": "read", "ScopeDescription": "Read access"}],
        ),
        bare=lambda on: on.fresh_pool(Identifier=name("server"), Name="A resource server"),
        malformed={"Name": "no/slash"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DescribeResourceServer",
        lambda on: {"UserPoolId": on.shared_pool.id, "Identifier": on.shared_pool.resource_server},
        malformed={"UserPoolId": "no-underscore"},
        missing={"Identifier": "no-such-server"},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "UpdateResourceServer",
        lambda on: on.fresh_resource_server(
            Name="Another name", Scopes=[{"ScopeName": "write", "ScopeDescription": "Write access"}]
        ),
        bare=lambda on: on.fresh_resource_server(Name="Another name"),
        malformed={"Name": "no/slash"},
        missing={"Identifier": "no-such-server"},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DeleteResourceServer",
        lambda on: on.fresh_resource_server(),
        malformed={"UserPoolId": "no-underscore"},
        missing={"Identifier": "no-such-server"},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "ListResourceServers",
        lambda on: {"UserPoolId": on.shared_pool.id, "MaxResults": 1},
        malformed={"MaxResults": 51},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    # --- clients
    Row(
        "cognito-idp",
        "CreateUserPoolClient",
        lambda on: {
            "UserPoolId": on.shared_pool.id,
            "ClientName": name("client"),
            "GenerateSecret": True,
            "AccessTokenValidity": 30,
            "TokenValidityUnits": {"AccessToken": "minutes"},
            "SupportedIdentityProviders": ["COGNITO"],
            "AllowedOAuthFlows": ["client_credentials"],
            "AllowedOAuthScopes": [f"{on.shared_pool.resource_server}/invoke"],
            "AllowedOAuthFlowsUserPoolClient": True,
        },
        bare=lambda on: {"UserPoolId": on.shared_pool.id, "ClientName": name("client")},
        malformed={"ClientName": "no/slash"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DescribeUserPoolClient",
        lambda on: {"UserPoolId": on.shared_pool.id, "ClientId": on.shared_client.id},
        malformed={"ClientId": "not an id"},
        missing={"ClientId": NO_CLIENT},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "UpdateUserPoolClient",
        lambda on: on.fresh_client(
            ClientName="another-name",
            AccessTokenValidity=2,
            TokenValidityUnits={"AccessToken": "hours"},
            SupportedIdentityProviders=["COGNITO"],
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[f"{on.shared_pool.resource_server}/read"],
            AllowedOAuthFlowsUserPoolClient=True,
        ),
        bare=lambda on: on.fresh_client(),
        malformed={"ClientName": "no/slash"},
        missing={"ClientId": NO_CLIENT},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "DeleteUserPoolClient",
        lambda on: on.fresh_client(),
        malformed={"ClientId": "not an id"},
        missing={"ClientId": NO_CLIENT},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "ListUserPoolClients",
        lambda on: {"UserPoolId": on.fresh_client()["UserPoolId"], "MaxResults": 1},
        bare=lambda on: on.fresh_pool(),
        malformed={"MaxResults": 61},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    # --- users and groups
    Row(
        "cognito-idp",
        "AdminCreateUser",
        lambda on: {
            "UserPoolId": on.shared_pool.id,
            "Username": name("user"),
            "UserAttributes": [{"Name": "email", "Value": "somebody@example.com"}],
            "TemporaryPassword": PASSWORD,
            "MessageAction": "SUPPRESS",
        },
        bare=lambda on: {"UserPoolId": on.shared_pool.id, "Username": name("user")},
        malformed={"Username": "no spaces"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "AdminGetUser",
        lambda on: on.fresh_pool_user(),
        malformed={"Username": "no spaces"},
        missing={"Username": NOBODY},
        missing_code="UserNotFoundException",
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "AdminSetUserPassword",
        lambda on: on.fresh_pool_user(Password=PASSWORD, Permanent=True),
        bare=lambda on: on.fresh_pool_user(Password=PASSWORD),
        malformed={"Password": "no spaces"},
        missing={"Username": NOBODY},
        missing_code="UserNotFoundException",
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "AdminDeleteUser",
        lambda on: on.fresh_pool_user(),
        malformed={"Username": "no spaces"},
        missing={"Username": NOBODY},
        missing_code="UserNotFoundException",
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "ListUsers",
        lambda on: {"UserPoolId": on.fresh_pool_user() and on.fresh_pool_user()["UserPoolId"], "Limit": 1},
        bare=lambda on: on.fresh_pool(),
        malformed={"Limit": 61},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "CreateGroup",
        lambda on: {
            "UserPoolId": on.shared_pool.id,
            "GroupName": name("group"),
            "Description": "A group of the tests.",
            "Precedence": 1,
        },
        bare=lambda on: {"UserPoolId": on.shared_pool.id, "GroupName": name("group")},
        malformed={"GroupName": "no spaces"},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "ListGroups",
        lambda on: {"UserPoolId": on.fresh_group() and on.fresh_group()["UserPoolId"], "Limit": 1},
        bare=lambda on: on.fresh_pool(),
        malformed={"Limit": 61},
        missing={"UserPoolId": NO_POOL},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "AdminAddUserToGroup",
        lambda on: on.fresh_group(**on.fresh_pool_user()),
        malformed={"GroupName": "no spaces"},
        missing={"GroupName": "no-such-group"},
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "AdminListGroupsForUser",
        lambda on: {**on.fresh_pool_user(), "Limit": 1},
        bare=lambda on: on.fresh_pool_user(),
        malformed={"Limit": 61},
        missing={"Username": NOBODY},
        missing_code="UserNotFoundException",
        on=COGNITO + ":userpool/{UserPoolId}",
    ),
    Row(
        "cognito-idp",
        "InitiateAuth",
        lambda on: on.sign_in(permanent=True),
        bare=lambda on: on.sign_in(permanent=False),
        malformed={"ClientId": "not an id"},
        missing={"ClientId": NO_CLIENT},
        on="*",
        unauthorized=NOBODY_SIGNS,
    ),
    Row(
        "cognito-idp",
        "RespondToAuthChallenge",
        lambda on: on.challenged(),
        malformed={"ClientId": "not an id"},
        missing={"ClientId": NO_CLIENT},
        on="*",
        unauthorized=NOBODY_SIGNS,
    ),
    # --- iam: users
    Row(
        "iam",
        "CreateUser",
        lambda on: {
            "UserName": name("user"),
            "Path": "/tests/",
            "PermissionsBoundary": on.shared_managed_policy,
            "Tags": TAGS,
        },
        bare=lambda on: {"UserName": name("user")},
        malformed={"UserName": "no spaces"},
        missing=MAKES_SOMETHING_NEW,
        on=IAM + ":user/tests/{UserName}",
    ),
    Row(
        "iam",
        "GetUser",
        lambda on: {"UserName": on.shared_user},
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "ListUsers",
        lambda on: {"PathPrefix": "/", "MaxItems": 1} if on.fresh_user() and on.fresh_user() else {},
        bare=lambda on: {},
        malformed={"MaxItems": 0},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{IAM}:user/",
    ),
    Row(
        "iam",
        "DeleteUser",
        lambda on: on.fresh_user(),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "PutUserPolicy",
        lambda on: on.fresh_user(PolicyName="inline", PolicyDocument=POLICY_TEXT),
        malformed={"PolicyName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "GetUserPolicy",
        lambda on: {"UserName": on.shared_user, "PolicyName": "inline"},
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "ListUserPolicies",
        lambda on: {"UserName": on.shared_user, "MaxItems": 10},
        bare=lambda on: on.fresh_user(),
        malformed={"MaxItems": 0},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "DeleteUserPolicy",
        lambda on: on.fresh_user_policy(),
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "AttachUserPolicy",
        lambda on: on.fresh_user(PolicyArn=on.shared_managed_policy),
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "DetachUserPolicy",
        lambda on: on.fresh_attachment("User"),
        malformed={"PolicyArn": "arn:short"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "ListAttachedUserPolicies",
        lambda on: {"UserName": on.shared_user, "PathPrefix": "/"} if on.shared_managed_policy else {},
        bare=lambda on: on.fresh_user(),
        malformed={"MaxItems": 1001},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    # --- access keys
    Row(
        "iam",
        "CreateAccessKey",
        lambda on: on.fresh_user(),
        bare=lambda on: {},
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "ListAccessKeys",
        lambda on: {"UserName": on.shared_user, "MaxItems": 1},
        bare=lambda on: on.fresh_user(),
        malformed={"MaxItems": 0},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "UpdateAccessKey",
        lambda on: on.fresh_key(Status="Inactive"),
        malformed={"Status": "Asleep"},
        missing={"AccessKeyId": "AKIANOSUCHKEY0000000"},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "DeleteAccessKey",
        lambda on: on.fresh_key(),
        malformed={"AccessKeyId": "short"},
        missing={"AccessKeyId": "AKIANOSUCHKEY0000000"},
        on="user {UserName}",
    ),
    # --- roles
    Row(
        "iam",
        "CreateRole",
        lambda on: {
            "RoleName": name("role"),
            "Path": "/tests/",
            "AssumeRolePolicyDocument": json.dumps(GATEWAY_TRUST),
            "Description": "A role of the tests & more.",
            "MaxSessionDuration": 7200,
            "PermissionsBoundary": on.shared_managed_policy,
            "Tags": TAGS,
        },
        bare=lambda on: {"RoleName": name("role"), "AssumeRolePolicyDocument": json.dumps(FUNCTION_TRUST)},
        malformed={"MaxSessionDuration": 60},
        missing=MAKES_SOMETHING_NEW,
        on=IAM + ":role/tests/{RoleName}",
    ),
    Row(
        "iam",
        "GetRole",
        lambda on: {"RoleName": on.shared_role},
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "ListRoles",
        lambda on: {"MaxItems": 1} if on.fresh_role() and on.fresh_role() else {},
        bare=lambda on: {},
        malformed={"PathPrefix": "no-slash"},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{IAM}:role/",
    ),
    Row(
        "iam",
        "UpdateAssumeRolePolicy",
        lambda on: on.fresh_role(PolicyDocument=json.dumps(FUNCTION_TRUST)),
        malformed={"PolicyDocument": ""},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "DeleteRole",
        lambda on: on.fresh_role(),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "PutRolePolicy",
        lambda on: on.fresh_role(PolicyName="inline", PolicyDocument=POLICY_TEXT),
        malformed={"PolicyName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "GetRolePolicy",
        lambda on: {"RoleName": on.shared_role, "PolicyName": "inline"},
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "ListRolePolicies",
        lambda on: {"RoleName": on.shared_role, "MaxItems": 10},
        bare=lambda on: on.fresh_role(),
        malformed={"MaxItems": 0},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "DeleteRolePolicy",
        lambda on: on.fresh_role_policy(),
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "AttachRolePolicy",
        lambda on: on.fresh_role(PolicyArn=on.shared_managed_policy),
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "DetachRolePolicy",
        lambda on: on.fresh_attachment("Role"),
        malformed={"PolicyArn": "arn:short"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "ListAttachedRolePolicies",
        lambda on: {"RoleName": on.shared_role, "PathPrefix": "/"} if on.shared_managed_policy else {},
        bare=lambda on: on.fresh_role(),
        malformed={"MaxItems": 1001},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    # --- outbound web identity federation
    Row(
        "iam",
        "EnableOutboundWebIdentityFederation",
        lambda on: on.with_web_identity(False),
        malformed="it has no members, so that no constraint can be broken",
        missing="it names nothing but the caller's account",
        on="*",
    ),
    Row(
        "iam",
        "DisableOutboundWebIdentityFederation",
        lambda on: on.with_web_identity(True),
        malformed="it has no members, so that no constraint can be broken",
        missing="it names nothing but the caller's account",
        on="*",
    ),
    Row(
        "iam",
        "GetOutboundWebIdentityFederationInfo",
        lambda on: on.with_web_identity(True),
        malformed="it has no members, so that no constraint can be broken",
        missing="it names nothing but the caller's account",
        on="*",
    ),
    # --- managed policies
    Row(
        "iam",
        "CreatePolicy",
        lambda on: {
            "PolicyName": name("policy"),
            "Path": "/tests/",
            "PolicyDocument": POLICY_TEXT,
            "Description": "A policy of the tests.",
            "Tags": TAGS,
        },
        bare=lambda on: {"PolicyName": name("policy"), "PolicyDocument": POLICY_TEXT},
        malformed={"PolicyName": "no spaces"},
        missing=MAKES_SOMETHING_NEW,
        on="policy {PolicyName}",
    ),
    Row(
        "iam",
        "GetPolicy",
        lambda on: {"PolicyArn": on.shared_managed_policy},
        bare=lambda on: {"PolicyArn": "arn:aws:iam::aws:policy/BedrockAgentCoreFullAccess"},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "GetPolicyVersion",
        lambda on: {"PolicyArn": on.shared_managed_policy, "VersionId": "v1"},
        malformed={"VersionId": "one"},
        missing={"VersionId": "v99"},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "ListPolicies",
        lambda on: (
            {"Scope": "Local", "OnlyAttached": True, "PathPrefix": "/", "MaxItems": 1}
            if on.shared_managed_policy
            else {}
        ),
        bare=lambda on: {"Scope": "AWS"},
        malformed={"Scope": "Everywhere"},
        missing=LISTS_WHAT_IS_THERE,
        on="policy path /",
    ),
    Row(
        "iam",
        "DeletePolicy",
        lambda on: {"PolicyArn": on.managed_policy()},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    # --- iam: groups, boundaries, tags, versions, providers, simulation
    Row(
        "iam",
        "PutUserPermissionsBoundary",
        lambda on: on.fresh_user(PermissionsBoundary=on.shared_managed_policy),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "DeleteUserPermissionsBoundary",
        lambda on: on.fresh_bounded("User"),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "TagUser",
        lambda on: on.fresh_user(Tags=TAGS),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "UntagUser",
        lambda on: on.fresh_user(TagKeys=["team"]),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "ListUserTags",
        lambda on: on.fresh_user(MaxItems=10),
        bare=lambda on: on.fresh_user(),
        malformed={"MaxItems": 0},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "PutRolePermissionsBoundary",
        lambda on: on.fresh_role(PermissionsBoundary=on.shared_managed_policy),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "DeleteRolePermissionsBoundary",
        lambda on: on.fresh_bounded("Role"),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "TagRole",
        lambda on: on.fresh_role(Tags=TAGS),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "UntagRole",
        lambda on: on.fresh_role(TagKeys=["team"]),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "ListRoleTags",
        lambda on: on.fresh_role(MaxItems=10),
        bare=lambda on: on.fresh_role(),
        malformed={"MaxItems": 0},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "TagPolicy",
        lambda on: {"PolicyArn": on.managed_policy(), "Tags": TAGS},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "UntagPolicy",
        lambda on: {"PolicyArn": on.managed_policy(), "TagKeys": ["team"]},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "ListPolicyTags",
        lambda on: {"PolicyArn": on.shared_managed_policy},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "UpdateRole",
        lambda on: on.fresh_role(Description="Another.", MaxSessionDuration=7200),
        bare=lambda on: on.fresh_role(),
        malformed={"MaxSessionDuration": 60},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "UpdateRoleDescription",
        lambda on: on.fresh_role(Description="Another."),
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "CreateServiceLinkedRole",
        lambda on: {"AWSServiceName": on.service_linked(False), "Description": "Of the tests."},
        bare=lambda on: {"AWSServiceName": on.service_linked(False)},
        malformed={"AWSServiceName": "no spaces"},
        missing={"AWSServiceName": "nonesuch.amazonaws.com"},
        on=LINKED_ROLE,
        missing_code="InvalidInput",
    ),
    Row(
        "iam",
        "DeleteServiceLinkedRole",
        lambda on: {"RoleName": SERVICE_LINKED} if on.service_linked(True) else {},
        malformed={"RoleName": "no spaces"},
        missing={"RoleName": NOBODY},
        on="role {RoleName}",
    ),
    Row(
        "iam",
        "GetServiceLinkedRoleDeletionStatus",
        lambda on: on.deletion_task(),
        malformed={"DeletionTaskId": ""},
        missing={"DeletionTaskId": "task/no-such-task"},
        on=LINKED_ROLE,
    ),
    Row(
        "iam",
        "CreateGroup",
        lambda on: {"GroupName": name("group"), "Path": "/tests/"},
        bare=lambda on: {"GroupName": name("group")},
        malformed={"GroupName": "no spaces"},
        missing=MAKES_SOMETHING_NEW,
        on=IAM + ":group/tests/{GroupName}",
    ),
    Row(
        "iam",
        "GetGroup",
        lambda on: {"GroupName": on.fresh_member()["GroupName"], "MaxItems": 10},
        bare=lambda on: on.fresh_user_group(),
        malformed={"GroupName": "no spaces"},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "ListGroups",
        lambda on: {"PathPrefix": "/", "MaxItems": 1} if on.fresh_user_group() and on.fresh_user_group() else {},
        bare=lambda on: {},
        malformed={"MaxItems": 0},
        missing=LISTS_WHAT_IS_THERE,
        on=f"{IAM}:group/",
    ),
    Row(
        "iam",
        "DeleteGroup",
        lambda on: on.fresh_user_group(),
        malformed={"GroupName": "no spaces"},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "AddUserToGroup",
        lambda on: on.fresh_user_group(UserName=on.shared_user),
        malformed={"GroupName": "no spaces"},
        missing={"UserName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "RemoveUserFromGroup",
        lambda on: on.fresh_member(),
        malformed={"GroupName": "no spaces"},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "ListGroupsForUser",
        lambda on: {"UserName": on.fresh_member()["UserName"], "MaxItems": 10},
        bare=lambda on: on.fresh_user(),
        malformed={"UserName": "no spaces"},
        missing={"UserName": NOBODY},
        on="user {UserName}",
    ),
    Row(
        "iam",
        "PutGroupPolicy",
        lambda on: on.fresh_user_group(PolicyName="inline", PolicyDocument=POLICY_TEXT),
        malformed={"PolicyName": "no spaces"},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "GetGroupPolicy",
        lambda on: on.fresh_group_policy(),
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "ListGroupPolicies",
        lambda on: on.fresh_user_group(MaxItems=10),
        bare=lambda on: on.fresh_user_group(),
        malformed={"MaxItems": 0},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "DeleteGroupPolicy",
        lambda on: on.fresh_group_policy(),
        malformed={"PolicyName": "no spaces"},
        missing={"PolicyName": "no-such-policy"},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "AttachGroupPolicy",
        lambda on: on.fresh_user_group(PolicyArn=on.shared_managed_policy),
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "DetachGroupPolicy",
        lambda on: on.fresh_attachment("Group"),
        malformed={"PolicyArn": "arn:short"},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "ListAttachedGroupPolicies",
        lambda on: on.fresh_user_group(PathPrefix="/"),
        bare=lambda on: on.fresh_user_group(),
        malformed={"MaxItems": 1001},
        missing={"GroupName": NOBODY},
        on="group {GroupName}",
    ),
    Row(
        "iam",
        "CreatePolicyVersion",
        lambda on: {"PolicyArn": on.managed_policy(), "PolicyDocument": POLICY_TEXT, "SetAsDefault": True},
        malformed={"PolicyArn": "arn:short"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "ListPolicyVersions",
        lambda on: {"PolicyArn": on.fresh_policy_version()["PolicyArn"], "MaxItems": 10},
        bare=lambda on: {"PolicyArn": on.shared_managed_policy},
        malformed={"MaxItems": 0},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "SetDefaultPolicyVersion",
        lambda on: on.fresh_policy_version(),
        malformed={"VersionId": "one"},
        missing={"VersionId": "v99"},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "DeletePolicyVersion",
        lambda on: on.fresh_policy_version(),
        malformed={"VersionId": "one"},
        missing={"VersionId": "v99"},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "ListEntitiesForPolicy",
        lambda on: {"PolicyArn": on.shared_managed_policy, "EntityFilter": "User", "PathPrefix": "/"},
        bare=lambda on: {"PolicyArn": on.shared_managed_policy},
        malformed={"EntityFilter": "Nobody"},
        missing={"PolicyArn": NO_MANAGED_POLICY},
        on="policy {PolicyArn}",
    ),
    Row(
        "iam",
        "CreateOpenIDConnectProvider",
        lambda on: {
            "Url": f"https://{name('idp')}.example",
            "ClientIDList": ["me"],
            "ThumbprintList": ["a" * 40],
            "Tags": TAGS,
        },
        bare=lambda on: {"Url": f"https://{name('idp')}.example"},
        malformed={"ThumbprintList": ["short"]},
        missing=MAKES_SOMETHING_NEW,
        on=lambda request: f"{IAM}:oidc-provider/" + request["Url"].removeprefix("https://"),
    ),
    Row(
        "iam",
        "GetOpenIDConnectProvider",
        lambda on: on.fresh_oidc(),
        malformed={"OpenIDConnectProviderArn": "arn:short"},
        missing={"OpenIDConnectProviderArn": NO_OIDC},
        on="{OpenIDConnectProviderArn}",
    ),
    Row(
        "iam",
        "ListOpenIDConnectProviders",
        lambda on: {},
        malformed="it has no members, so that no constraint can be broken",
        missing=LISTS_WHAT_IS_THERE,
        on=f"{IAM}:oidc-provider/*",
    ),
    Row(
        "iam",
        "DeleteOpenIDConnectProvider",
        lambda on: on.fresh_oidc(),
        malformed={"OpenIDConnectProviderArn": "arn:short"},
        missing="AWS says nothing of a provider that is not there: it is gone either way",
        on="{OpenIDConnectProviderArn}",
    ),
    Row(
        "iam",
        "AddClientIDToOpenIDConnectProvider",
        lambda on: on.fresh_oidc(ClientID="three"),
        malformed={"ClientID": ""},
        missing={"OpenIDConnectProviderArn": NO_OIDC},
        on="{OpenIDConnectProviderArn}",
    ),
    Row(
        "iam",
        "RemoveClientIDFromOpenIDConnectProvider",
        lambda on: on.fresh_oidc(ClientID="two"),
        malformed={"ClientID": ""},
        missing={"OpenIDConnectProviderArn": NO_OIDC},
        on="{OpenIDConnectProviderArn}",
    ),
    Row(
        "iam",
        "UpdateOpenIDConnectProviderThumbprint",
        lambda on: on.fresh_oidc(ThumbprintList=["b" * 40]),
        malformed={"ThumbprintList": ["short"]},
        missing={"OpenIDConnectProviderArn": NO_OIDC},
        on="{OpenIDConnectProviderArn}",
    ),
    Row(
        "iam",
        "GetAccountAuthorizationDetails",
        lambda on: {"Filter": ["User", "Group", "Role", "LocalManagedPolicy"], "MaxItems": 5},
        bare=lambda on: {},
        malformed={"MaxItems": 0},
        missing="it names nothing but the caller's account",
        on="*",
    ),
    Row(
        "iam",
        "SimulateCustomPolicy",
        lambda on: {
            "PolicyInputList": [POLICY_TEXT],
            "PermissionsBoundaryPolicyInputList": [POLICY_TEXT],
            "ActionNames": ["sts:GetCallerIdentity", "iam:GetUser"],
            "ResourceArns": ["*", f"{IAM}:user/ann"],
            "ContextEntries": [
                {"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.0.0.1"], "ContextKeyType": "ip"}
            ],
            "MaxItems": 3,
        },
        bare=lambda on: {"PolicyInputList": [POLICY_TEXT], "ActionNames": ["sts:GetCallerIdentity"]},
        malformed={"ActionNames": ["x"]},
        missing="the policies are in the request, and it names nothing else",
        on="*",
    ),
    Row(
        "iam",
        "SimulatePrincipalPolicy",
        lambda on: {"PolicySourceArn": f"{IAM}:user/{on.shared_user}", "ActionNames": ["sts:GetCallerIdentity"]},
        bare=lambda on: {"PolicySourceArn": f"{IAM}:role/{on.shared_role}", "ActionNames": ["s3:GetObject"]},
        malformed={"ActionNames": ["x"]},
        missing={"PolicySourceArn": f"{IAM}:user/{NOBODY}"},
        on="{PolicySourceArn}",
    ),
    Row(
        "iam",
        "GetContextKeysForCustomPolicy",
        lambda on: {"PolicyInputList": [POLICY_TEXT]},
        malformed={"PolicyInputList": [""]},
        missing="the policies are in the request, and it names nothing else",
        on="*",
    ),
    Row(
        "iam",
        "GetContextKeysForPrincipalPolicy",
        lambda on: {"PolicySourceArn": f"{IAM}:user/{on.shared_user}"},
        malformed={"PolicySourceArn": "arn:short"},
        missing={"PolicySourceArn": f"{IAM}:user/{NOBODY}"},
        on="{PolicySourceArn}",
    ),
    Row(
        "iam",
        "GetAccessKeyLastUsed",
        lambda on: {"AccessKeyId": on.user().key},
        malformed={"AccessKeyId": "short"},
        missing={"AccessKeyId": "AKIANOSUCHKEY0000000"},
        on="access key {AccessKeyId}",
    ),
    # --- lambda
    Row(
        "lambda",
        "CreateFunction",
        lambda on: on.new_function(
            Description="A function of the tests.",
            Timeout=10,
            MemorySize=256,
            PackageType="Zip",
            Environment={"Variables": {"STAGE": "tests"}},
            Architectures=["x86_64"],
        ),
        bare=lambda on: on.new_function(),
        malformed={"Timeout": 0},
        missing={"Role": f"{IAM}:role/no-such-role"},
        missing_code="InvalidParameterValueException",
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "GetFunction",
        lambda on: {"FunctionName": on.create("lambda", "CreateFunction")["FunctionName"]},
        bare=lambda on: {"FunctionName": on.shared_function},
        malformed={"FunctionName": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "GetFunctionConfiguration",
        lambda on: on.fresh_version(Qualifier="1"),
        bare=lambda on: {"FunctionName": on.shared_function.rpartition(":")[2]},
        malformed={"FunctionName": "no spaces"},
        missing={"Qualifier": "7"},
        on=LAMBDA + ":function:{FunctionName}:{Qualifier}",
    ),
    Row(
        "lambda",
        "UpdateFunctionCode",
        lambda on: on.fresh_function(
            ZipFile=archive({"app.py": "def lambda_handler(event, context):\n    return 'new'\n"}),
            Architectures=["x86_64"],
            Publish=True,
            DryRun=False,
        ),
        bare=lambda on: on.fresh_function(ZipFile=archive({"app.py": "lambda_handler = print\n"})),
        malformed={"FunctionName": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "UpdateFunctionConfiguration",
        lambda on: on.fresh_function(
            Role=on.function_role(),
            Handler="app.lambda_handler",
            Description="Another description.",
            Timeout=20,
            MemorySize=512,
            Environment={"Variables": {"STAGE": "more tests"}},
            Runtime="nodejs22.x",
        ),
        bare=lambda on: on.fresh_function(),
        malformed={"Timeout": 0},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "PublishVersion",
        lambda on: on.fresh_function(Description="A version of the tests."),
        bare=lambda on: on.fresh_function(),
        malformed={"FunctionName": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "ListVersionsByFunction",
        lambda on: on.fresh_version(MaxItems=1),
        bare=lambda on: {"FunctionName": on.shared_function.rpartition(":")[2]},
        malformed={"MaxItems": 0},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "CreateAlias",
        lambda on: on.fresh_version(Name=name("alias"), FunctionVersion="1", Description="An alias of the tests."),
        bare=lambda on: on.fresh_function(Name=name("alias"), FunctionVersion="$LATEST"),
        malformed={"Name": "no spaces"},
        missing={"FunctionVersion": "7"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "GetAlias",
        lambda on: on.fresh_alias(),
        malformed={"Name": "no spaces"},
        missing={"Name": "no-such-alias"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "ListAliases",
        lambda on: {"FunctionName": on.fresh_alias()["FunctionName"], "FunctionVersion": "1", "MaxItems": 1},
        bare=lambda on: {"FunctionName": on.shared_function.rpartition(":")[2]},
        malformed={"MaxItems": 0},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "UpdateAlias",
        lambda on: on.fresh_alias(FunctionVersion="1", Description="Another description."),
        bare=lambda on: on.fresh_alias(),
        malformed={"FunctionVersion": "one"},
        missing={"Name": "no-such-alias"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "DeleteAlias",
        lambda on: on.fresh_alias(),
        malformed={"Name": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "ListFunctions",
        lambda on: {"MaxItems": 1} if on.fresh_function() and on.fresh_function() else {},
        bare=lambda on: {},
        malformed={"MaxItems": 0},
        missing=LISTS_WHAT_IS_THERE,
        on="*",
    ),
    Row(
        "lambda",
        "DeleteFunction",
        lambda on: on.fresh_function(),
        malformed={"FunctionName": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "Invoke",
        lambda on: {
            "FunctionName": on.shared_function.rpartition(":")[2],
            "InvocationType": "RequestResponse",
            "LogType": "Tail",
            "Payload": b'{"word": "hello"}',
            "Qualifier": "$LATEST",
        },
        bare=lambda on: {"FunctionName": on.shared_function},
        malformed={"InvocationType": "Eventually"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}:{Qualifier}",
        action="lambda:InvokeFunction",
    ),
    Row(
        "lambda",
        "AddPermission",
        lambda on: on.fresh_function(
            StatementId=name("statement"),
            Action="lambda:InvokeFunction",
            Principal="bedrock-agentcore.amazonaws.com",
            SourceArn=f"{AGENTCORE}:gateway/*",
            SourceAccount=ACCOUNT,
        ),
        bare=lambda on: on.fresh_function(
            StatementId=name("statement"), Action="lambda:InvokeFunction", Principal=on.gateway_role()
        ),
        malformed={"StatementId": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "GetPolicy",
        lambda on: {"FunctionName": on.shared_permission.rpartition(":")[2]},
        malformed={"FunctionName": "no spaces"},
        missing={"FunctionName": "no-such-function"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    Row(
        "lambda",
        "RemovePermission",
        lambda on: on.fresh_permission(),
        malformed={"StatementId": "no spaces"},
        missing={"StatementId": "no-such-statement"},
        on=LAMBDA + ":function:{FunctionName}",
    ),
    # --- the token vault and its keys
    Row(
        "bedrock-agentcore-control",
        "GetTokenVault",
        lambda on: {"tokenVaultId": "default"},
        bare=lambda on: {},
        malformed={"tokenVaultId": "x" * 65},
        missing={"tokenVaultId": NO_VAULT},
        on=AGENTCORE + ":token-vault/{tokenVaultId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "SetTokenVaultCMK",
        lambda on: {"tokenVaultId": "default", "kmsConfiguration": customer_managed(f"{KMS}:key/{on.shared_key}")},
        bare=lambda on: {"kmsConfiguration": SERVICE_MANAGED},
        malformed={"tokenVaultId": "x" * 65},
        missing={"tokenVaultId": NO_VAULT},
        on=AGENTCORE + ":token-vault/{tokenVaultId}",
    ),
    Row(
        "bedrock-agentcore-control",
        "ResetTokenVaultKeyMaterial",
        lambda on: {"tokenVaultId": "default"},
        malformed={"tokenVaultId": "x" * 65},
        missing={"tokenVaultId": NO_VAULT},
        on=AGENTCORE + ":token-vault/{tokenVaultId}",
        ready=lambda on: on.lose_the_key_of_the_vault(),
    ),
    Row(
        "kms",
        "CreateKey",
        lambda on: {
            "Description": "A key of the tests.",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "Origin": "AWS_KMS",
            "Tags": [{"TagKey": "team", "TagValue": "tests"}],
        },
        bare=lambda on: {},
        malformed={"Description": "x" * 8193},
        missing=MAKES_SOMETHING_NEW,
        on="*",
    ),
    Row(
        "kms",
        "ListKeys",
        lambda on: (on.shared_key, {"Limit": 1})[1],
        bare=lambda on: {},
        malformed={"Limit": 1001},
        missing=LISTS_WHAT_IS_THERE,
        on="*",
    ),
    *(
        Row(
            "kms",
            operation,
            request,
            malformed={"KeyId": ""},
            missing={"KeyId": NO_KEY},
            missing_code="NotFoundException",
            on=KMS + ":key/{KeyId}",
            bare=bare,
        )
        for operation, request, bare in (
            ("DescribeKey", lambda on: {"KeyId": on.shared_key}, None),
            ("EnableKey", lambda on: {"KeyId": on.shared_key}, None),
            ("DisableKey", lambda on: {"KeyId": on.key()}, None),
            (
                "ScheduleKeyDeletion",
                lambda on: {"KeyId": on.key(), "PendingWindowInDays": 7},
                lambda on: {"KeyId": on.key()},
            ),
            ("CancelKeyDeletion", lambda on: {"KeyId": on.create("kms", "ScheduleKeyDeletion")["KeyId"]}, None),
            (
                "GetKeyPolicy",
                lambda on: {"KeyId": on.shared_key, "PolicyName": "default"},
                lambda on: {"KeyId": on.shared_key},
            ),
            (
                "Encrypt",
                lambda on: {
                    "KeyId": on.shared_key,
                    "Plaintext": "a text",
                    "EncryptionContext": {"a": "b"},
                    "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                },
                lambda on: {"KeyId": on.shared_key, "Plaintext": "a text"},
            ),
            (
                "GenerateDataKey",
                lambda on: {"KeyId": on.shared_key, "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}},
                lambda on: {"KeyId": on.shared_key, "NumberOfBytes": 64},
            ),
            (
                "GenerateDataKeyWithoutPlaintext",
                lambda on: {"KeyId": on.shared_key, "KeySpec": "AES_128", "EncryptionContext": {"a": "b"}},
                lambda on: {"KeyId": on.shared_key, "NumberOfBytes": 1024},
            ),
        )
    ),
    Row(
        "kms",
        "Decrypt",
        lambda on: {
            "KeyId": on.shared_key,
            "CiphertextBlob": on.server.client("kms").encrypt(KeyId=on.shared_key, Plaintext=b"a text")[
                "CiphertextBlob"
            ],
        },
        malformed={"KeyId": ""},
        missing={"KeyId": NO_KEY},
        missing_code="NotFoundException",
        on=KMS + ":key/{KeyId}",
    ),
    Row(
        "kms",
        "CreateAlias",
        lambda on: {"AliasName": f"alias/{name('key')}", "TargetKeyId": on.shared_key_without_alias},
        malformed={"AliasName": "alias/a b"},
        missing={"TargetKeyId": NO_KEY},
        missing_code="NotFoundException",
        on=KMS + ":{AliasName}",
    ),
    Row(
        "kms",
        "DeleteAlias",
        lambda on: {"AliasName": on.alias()},
        malformed={"AliasName": "alias/a b"},
        missing={"AliasName": "alias/no-such-alias"},
        missing_code="NotFoundException",
        on=KMS + ":{AliasName}",
    ),
    Row(
        "kms",
        "ListAliases",
        lambda on: {"KeyId": on.shared_key, "Limit": 1},
        bare=lambda on: {},
        malformed={"Limit": 1001},
        missing={"KeyId": NO_KEY},
        missing_code="NotFoundException",
        on="*",
    ),
    # --- the audit trail
    Row(
        "cloudtrail",
        "LookupEvents",
        lambda on: {
            "LookupAttributes": [{"AttributeKey": "EventSource", "AttributeValue": "iam.amazonaws.com"}],
            "StartTime": 1_700_000_000,
            "EndTime": 4_000_000_000,
            "MaxResults": 1,
        },
        bare=lambda on: {},
        malformed={"MaxResults": 51},
        missing=LISTS_WHAT_IS_THERE,
        on="*",
    ),
    # --- secrets
    Row(
        "secretsmanager",
        "CreateSecret",
        lambda on: {
            "Name": name("tests/secret"),
            "ClientRequestToken": str(uuid.uuid4()),
            "Description": "A secret of the tests.",
            "SecretString": '{"key": "a-value"}',
            "Tags": [{"Key": "team", "Value": "tests"}],
        },
        bare=lambda on: {"Name": name("secret")},
        malformed={"Name": "x" * 513},
        missing=MAKES_SOMETHING_NEW,
        on="{Name}",
    ),
    Row(
        "secretsmanager",
        "DescribeSecret",
        lambda on: {"SecretId": on.shared_secret},
        malformed={"SecretId": ""},
        missing={"SecretId": "no-such-secret"},
        on="{SecretId}",
    ),
    Row(
        "secretsmanager",
        "ListSecrets",
        lambda on: (
            on.shared_secret,
            {
                "MaxResults": 1,
                "Filters": [{"Key": "name", "Values": ["tests/"]}],
                "SortOrder": "asc",
                "IncludePlannedDeletion": True,
            },
        )[1],
        bare=lambda on: {},
        malformed={"MaxResults": 101},
        missing=LISTS_WHAT_IS_THERE,
        on="*",
    ),
    Row(
        "secretsmanager",
        "DeleteSecret",
        lambda on: {"SecretId": on.create("secretsmanager", "CreateSecret")["Name"], "RecoveryWindowInDays": 7},
        bare=lambda on: {"SecretId": on.create("secretsmanager", "CreateSecret")["Name"]},
        malformed={"SecretId": ""},
        missing={"SecretId": "no-such-secret"},
        on="{SecretId}",
    ),
    Row(
        "secretsmanager",
        "RestoreSecret",
        lambda on: {"SecretId": on.create("secretsmanager", "DeleteSecret")["SecretId"]},
        malformed={"SecretId": ""},
        missing={"SecretId": "no-such-secret"},
        on="{SecretId}",
    ),
    Row(
        "secretsmanager",
        "GetSecretValue",
        lambda on: {"SecretId": on.shared_secret, "VersionStage": "AWSCURRENT"},
        bare=lambda on: {"SecretId": on.shared_secret},
        malformed={"VersionId": "short"},
        missing={"SecretId": "no-such-secret"},
        on="{SecretId}",
    ),
    Row(
        "secretsmanager",
        "PutSecretValue",
        lambda on: {
            "SecretId": on.create("secretsmanager", "CreateSecret")["Name"],
            "ClientRequestToken": str(uuid.uuid4()),
            "SecretString": "another value",
            "VersionStages": ["AWSCURRENT", "TESTED"],
        },
        bare=lambda on: {
            "SecretId": on.create("secretsmanager", "CreateSecret")["Name"],
            "SecretString": "a third value",
        },
        malformed={"ClientRequestToken": "short"},
        missing={"SecretId": "no-such-secret"},
        on="{SecretId}",
    ),
    # --- ses
    Row(
        "ses",
        "SendEmail",
        lambda on: {
            "Source": SENDER,
            "Destination": {"ToAddresses": ["a@example.com"], "CcAddresses": ["b@example.com"]},
            "Message": {
                "Subject": {"Data": "Report", "Charset": "UTF-8"},
                "Body": {"Html": {"Data": "<p>Report</p>"}, "Text": {"Data": "Report"}},
            },
            "ReplyToAddresses": ["c@example.com"],
        },
        bare=lambda on: {
            "Source": SENDER,
            "Destination": {"ToAddresses": ["a@example.com"]},
            "Message": {"Subject": {"Data": "Report"}, "Body": {"Text": {"Data": "Report"}}},
        },
        malformed={"Message": {"Subject": {}, "Body": {"Text": {"Data": "Report"}}}},
        missing="any address may send: there are no identities to verify here",
        on=f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{SENDER}",
    ),
    Row(
        "ses",
        "SendRawEmail",
        lambda on: {
            "Source": SENDER,
            "Destinations": ["a@example.com"],
            "RawMessage": {
                "Data": f"From: {SENDER}\r\nTo: a@example.com\r\nSubject: Report\r\n\r\nReport\r\n".encode()
            },
        },
        bare=lambda on: {"RawMessage": {"Data": f"From: {SENDER}\r\nTo: a@example.com\r\n\r\nReport\r\n".encode()}},
        malformed={"RawMessage": {}},
        missing="any address may send: there are no identities to verify here",
        on=f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{SENDER}",
    ),
    # --- sts
    Row(
        "sts",
        "AssumeRole",
        lambda on: {
            "RoleArn": f"{IAM}:role/{on.shared_role}",
            "RoleSessionName": "tests",
            "Policy": POLICY_TEXT,
            "PolicyArns": [{"arn": on.shared_managed_policy}],
            "DurationSeconds": 900,
        },
        bare=lambda on: {"RoleArn": f"{IAM}:role/{on.shared_role}", "RoleSessionName": "tests"},
        malformed={"RoleSessionName": "x"},
        missing={"RoleArn": f"{IAM}:role/no-such-role"},
        # So that nobody can find out which roles there are.
        missing_code="AccessDenied",
        on="{RoleArn}",
    ),
    Row(
        "sts",
        "AssumeRoleWithWebIdentity",
        lambda on: on.web_identity(DurationSeconds=900, Policy=POLICY_TEXT),
        bare=lambda on: on.web_identity(),
        malformed={"RoleSessionName": "x"},
        missing={"RoleArn": f"{IAM}:role/no-such-role"},
        on="*",
        missing_code="AccessDenied",
        unauthorized=NOBODY_SIGNS,
    ),
    Row(
        "sts",
        "GetSessionToken",
        lambda on: {"DurationSeconds": 900},
        bare=lambda on: {},
        malformed={"DurationSeconds": 899},
        missing="it names nothing but the caller",
        on="*",
        unauthorized="AWS gives every user a session of their own, whatever their policies say",
    ),
    Row(
        "sts",
        "GetAccessKeyInfo",
        lambda on: {"AccessKeyId": on.user().key},
        malformed={"AccessKeyId": "short"},
        missing={"AccessKeyId": "AKIANOSUCHKEY0000000"},
        on="*",
        missing_code="ValidationError",
    ),
    Row(
        "sts",
        "GetCallerIdentity",
        lambda on: {},
        malformed="it has no members, so that no constraint can be broken",
        missing="it names nothing but the caller",
        on="*",
        unauthorized="AWS lets every caller who is recognised ask who they are, whatever their policies say",
    ),
    Row(
        "sts",
        "GetWebIdentityToken",
        lambda on: on.with_web_identity(
            True,
            Audience=["https://api.example"],
            SigningAlgorithm="RS256",
            DurationSeconds=60,
            Tags=[{"Key": "team", "Value": "tests"}],
        ),
        bare=lambda on: on.with_web_identity(True, Audience=["https://api.example"], SigningAlgorithm="ES384"),
        malformed={"DurationSeconds": 59},
        missing="it names nothing but the caller",
        on=f"arn:aws:sts::{ACCOUNT}:self",
    ),
]

ROWS += surface_logs.rows(Row)

TABLE = {(row.service, row.operation): row for row in ROWS}
