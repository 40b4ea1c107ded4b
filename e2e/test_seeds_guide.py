"""The Python blocks of the AgentCore Implementation Guide, part 2, sections 5.2 to 5.4 and 6.2 to 6.6, as printed.

The blocks are in documents/guide, word for word. This file is the caller: it fills their parameters and placeholders.
The guide's story is one, and so is the story here: each step begins where the one before ended.
"""

import base64
import json
from functools import cached_property

import pytest
from strands import tool as local_tool

import documents
import scenery
from portcullis import ACCOUNT, REGION
from scenery import Scenery, until
from scripted_model import ScriptedModel
from wire import Wire

RESOURCE_SERVER = "my-resource-server"
SENDER = "reports@example.com"
TARGET = "MyTarget"

pytestmark = pytest.mark.usefixtures("module_as_root", "impatience")


class Story(Scenery):
    """What the guide has built so far."""

    @cached_property
    def users(self):
        """Section 4.2 in short: a pool, and a client that may invoke."""
        return self.pool(["invoke"], RESOURCE_SERVER)

    @cached_property
    def client(self):
        return self.users.client("invoke")

    @cached_property
    def function_arn(self) -> str:
        """Section 5.2's function. What it imports comes from the interpreter that functions run in."""
        return self.function(
            documents.text("guide/section_5_2.py"), environment={"SES_SENDER_EMAIL": SENDER}, MemorySize=512
        )

    @cached_property
    def gateway_of_5_3(self) -> dict:
        return documents.load("guide/section_5_3").create_mcp_gateway(
            gateway_name=scenery.name("guide"),
            discovery_url=self.users.aws_discovery_url,
            allowed_client_ids=[self.client.id],
            region=REGION,
        )

    @property
    def described(self) -> dict:
        return self.server.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=self.gateway_of_5_3["id"])

    @cached_property
    def target_id(self) -> str:
        # The seed of the prerequisites: "don't forget to give the Gateway permissions to access it in that resource's
        # (ex. Lambda's) policy as well".
        self.server.client("lambda").add_permission(
            FunctionName=self.function_arn,
            StatementId="gateway",
            Action="lambda:InvokeFunction",
            Principal=self.described["roleArn"],
        )
        made = documents.load("guide/section_5_3").create_gateway_target(
            gateway_id=self.gateway_of_5_3["id"],
            lambda_arn=self.function_arn,
            target_name=TARGET,
            region=REGION,
        )
        self.until_target_is_ready(made)
        return made

    def until_target_is_ready(self, target_id: str) -> dict:
        look = lambda: self.server.client("bedrock-agentcore-control").get_gateway_target(
            gatewayIdentifier=self.gateway_of_5_3["id"], targetId=target_id
        )
        return until("the target", look, lambda seen: seen["status"] == "READY")

    @cached_property
    def all_tools(self) -> dict:
        """The guide's later sections name two tools more than its section 5.3 registers."""
        target = self.until_target_is_ready(self.target_id)
        tools = target["targetConfiguration"]["mcp"]["lambda"]["toolSchema"]["inlinePayload"]
        tools += [scenery.tool("format_report", title="string"), scenery.tool("sensitive_tool")]
        self.server.client("bedrock-agentcore-control").update_gateway_target(
            gatewayIdentifier=self.gateway_of_5_3["id"],
            targetId=self.target_id,
            name=TARGET,
            targetConfiguration=target["targetConfiguration"],
            credentialProviderConfigurations=target["credentialProviderConfigurations"],
        )
        return self.until_target_is_ready(self.target_id)

    @cached_property
    def roles(self) -> dict:
        self.all_tools
        made = documents.load("guide/section_6_3").create_role_clients(
            user_pool_id=self.users.id,
            resource_server_id=RESOURCE_SERVER,
            gateway_id=self.gateway_of_5_3["id"],
            discovery_url=self.users.aws_discovery_url,
            existing_client_ids=[self.client.id],
            region=REGION,
        )
        until("the gateway", lambda: self.described, lambda seen: seen["status"] == "READY")
        return {role: {"token_endpoint": self.users.token_endpoint, **client} for role, client in made.items()}

    def cedar(self, name: str) -> str:
        text = documents.text(f"guide/section_6_4_{name}.cedar")
        return text.replace("ACCOUNT_ID", ACCOUNT).replace("GATEWAY_ID", self.gateway_of_5_3["id"])

    @cached_property
    def engine_id(self) -> str:
        self.roles
        return documents.load("guide/section_6_5").setup_policy_engine(
            engine_name=scenery.name("GuideEngine").replace("-", "_"),
            cedar_policy_text=self.cedar("permit"),
            gateway_id=self.gateway_of_5_3["id"],
            region=REGION,
        )

    @property
    def policies(self) -> scenery.Engine:
        return scenery.Engine(self.server, self.engine_id, self.described["policyEngineConfiguration"]["arn"])

    def allow_both(self, tool_name: str):
        """The guide shows format_report to both roles and prints no policy for it. This one is ours."""
        self.policies.policy(
            f'permit(principal, action == AgentCore::Action::"{TARGET}___{tool_name}", '
            f'resource == AgentCore::Gateway::"{self.described["gatewayArn"]}") '
            'when { principal.hasTag("scope") && principal.getTag("scope") like "*invoke*" };'
        )

    def tools_of(self, role: str) -> list:
        token = documents.load("guide/section_6_6").get_token_for_role(**self.roles[role])
        return [tool["name"] for tool in Wire(self.gateway_of_5_3["url"], token).tools()]


@pytest.fixture(scope="module")
def story(server):
    return Story(server)


def test_section_5_2_the_function_sends_mail(story):
    def invoke(tool_name: str, **event):
        context = json.dumps({"custom": {"bedrockAgentCoreToolName": tool_name}}).encode()
        answer = story.server.client("lambda").invoke(
            FunctionName=story.function_arn,
            ClientContext=base64.b64encode(context).decode(),
            Payload=json.dumps(event),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.load(answer["Payload"])

    recipient = f"{scenery.name('reader')}@example.com"
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    told = invoke(f"{TARGET}___markdown_to_email", markdown_content=table, recipient_email=recipient)
    assert told == {"status": "success", "message": f"Email sent to {recipient}"}
    [mail] = [mail["message"] for mail in story.mails() if recipient in mail["message"]["Destination"]["ToAddresses"]]
    assert (mail["Source"], mail["Message"]["Subject"]["Data"]) == (SENDER, "Report")
    assert "<td>1</td>" in mail["Message"]["Body"]["Html"]["Data"]
    assert invoke("other") == {"error": "Unknown tool: other"}


def test_section_5_3_the_gateway_and_its_target(story, capsys):
    assert story.gateway_of_5_3["url"] == story.described["gatewayUrl"]
    assert "Waiting for IAM role propagation" in capsys.readouterr().out
    assert story.described["status"] == "READY" and story.described["exceptionLevel"] == "DEBUG"
    assert story.described["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/AgentCoreGatewayExecutionRole"
    target = story.until_target_is_ready(story.target_id)
    assert target["description"] == "Lambda target providing Markdown email sending tools"
    [tool] = target["targetConfiguration"]["mcp"]["lambda"]["toolSchema"]["inlinePayload"]
    assert tool["inputSchema"]["required"] == ["markdown_content", "recipient_email"]
    # A second gateway finds the role that the first one made, and accepts it only if its trust policy is unchanged.
    again = documents.load("guide/section_5_3").create_mcp_gateway(
        scenery.name("guide"), story.users.aws_discovery_url, [story.client.id], REGION
    )
    assert again["id"] != story.gateway_of_5_3["id"]


def test_section_5_4_an_agent_uses_the_tools(story, monkeypatch):
    """The block's agent takes Strands' default model, which is in AWS's cloud; here it gets a scripted one."""
    story.target_id
    recipient = f"{scenery.name('reader')}@example.com"
    model = ScriptedModel.that_calls("markdown_to_email", markdown_content="# Done", recipient_email=recipient)
    monkeypatch.setattr("strands.agent.agent.BedrockModel", model)

    @local_tool
    def estimate() -> str:
        """A tool of the agent's own."""
        return "nothing"

    result = documents.load("guide/section_5_4").run_agent_with_gateway(
        gateway_url=story.gateway_of_5_3["url"],
        access_token=story.client.token(),
        local_tools=[estimate],
        prompt="Send the report.",
    )
    assert "success: {" in str(result) and f"Email sent to {recipient}" in str(result), result
    assert any(recipient in mail["message"]["Destination"]["ToAddresses"] for mail in story.mails())


def test_section_6_3_role_clients_are_accepted(story):
    authorizer = story.described["authorizerConfiguration"]["customJWTAuthorizer"] if story.roles else {}
    ids = [client["client_id"] for client in story.roles.values()]
    assert authorizer["allowedClients"] == [story.client.id, *ids]
    assert story.described["exceptionLevel"] == "DEBUG", "what is sent again is kept"
    for role in story.roles:
        assert f"{TARGET}___markdown_to_email" in story.tools_of(role)


def test_section_6_4_natural_language_becomes_a_policy(story, capsys):
    from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient

    arguments = story.engine_id, story.described["gatewayArn"], TARGET, "markdown_to_email"
    client = PolicyClient(region_name=REGION)
    generate = documents.load("guide/section_6_4").generate_cedar_policy_with_nl2cedar
    written = generate(client, *arguments)
    printed = capsys.readouterr().out
    assert f"NL2Cedar generated policy:\n{written}" in printed, printed
    for part in (f'== AgentCore::Action::"{TARGET}___markdown_to_email"', story.described["gatewayArn"], '.hasTag("scope")'):
        assert part in written, written
    # It is good as it is: tried in an engine that guards nothing.
    engine = client.create_or_get_policy_engine(name="GuideGenerated")
    made = client.create_or_get_policy(engine["policyEngineId"], name="generated", definition={"cedar": {"statement": written}})
    assert made["status"] == "ACTIVE", made
    client.cleanup_policy_engine(engine["policyEngineId"])
    # "ConflictException: a generation with the same name already exists (on re-run)".
    assert generate(client, *arguments) is None
    printed = capsys.readouterr().out
    assert "ConflictException" in printed and "Please write the policy manually." in printed, printed


def test_section_6_5_the_engine_guards_the_gateway(story):
    control = story.server.client("bedrock-agentcore-control")
    engine = control.get_policy_engine(policyEngineId=story.engine_id)
    assert story.described["policyEngineConfiguration"] == {"arn": engine["policyEngineArn"], "mode": "ENFORCE"}
    [policy] = control.list_policies(policyEngineId=story.engine_id)["policies"]
    assert (policy["name"], policy["status"]) == ("manager-email-policy", "ACTIVE")
    assert policy["definition"]["cedar"]["statement"] == story.cedar("permit")
    # "Idempotent: returns the existing one if it already exists".
    again = documents.load("guide/section_6_5").setup_policy_engine(
        engine["name"], story.cedar("permit"), story.gateway_of_5_3["id"], REGION
    )
    assert again == story.engine_id


def test_section_6_6_each_role_sees_its_tools(story, capsys):
    story.engine_id
    story.allow_both("format_report")
    section = documents.load("guide/section_6_6")
    capsys.readouterr()
    for role, config in story.roles.items():
        # The guide prints the function and the output of a script around it; this is such a script.
        print(f"=== Testing with {role} role ===")
        token = section.get_token_for_role(**config)
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        print(f"Token obtained: {claims['scope']}")
        print(f"Gateway tools: {[tool['name'] for tool in Wire(story.gateway_of_5_3['url'], token).tools()]}")
        section.test_policy_enforcement(story.gateway_of_5_3["url"], config, role)
        print()
    assert capsys.readouterr().out.strip() == documents.text("guide/section_6_6_output.txt").strip()


def test_section_6_4_forbid_overrides_permit(story):
    story.policies.policy(story.cedar("forbid"))
    assert f"{TARGET}___sensitive_tool" not in story.tools_of("manager"), "a forbid permits nothing"
    story.allow_both("sensitive_tool")
    assert f"{TARGET}___sensitive_tool" in story.tools_of("manager")
    assert f"{TARGET}___sensitive_tool" not in story.tools_of("developer")
    token = documents.load("guide/section_6_6").get_token_for_role(**story.roles["developer"])
    wire = Wire(story.gateway_of_5_3["url"], token)
    forbidden, absent = (json.dumps(wire.tool(f"{TARGET}___{name}")["result"]) for name in ("sensitive_tool", "absent"))
    assert '"isError": true' in forbidden
    assert forbidden.replace("sensitive_tool", "X") == absent.replace("absent", "X"), "they are told apart"
