"""The guide's reader, in one Python under `portcullis exec`: pastes the blocks of sections 4 to 6 one after the other, fills
their placeholders, and calls the functions that they define. Prints a line of JSON for each section.

Not here: what the document leaves to its reader, which is this file, and sleeps, none of which takes longer than half a
second. Each section has the names that those before it left, as in a notebook.
"""

import asyncio
import contextlib
import io
import json
import re
import time
import traceback

import boto3

import documents
from portcullis import ACCOUNT
from scenery import FUNCTION_TRUST, archive, tool, until
from wire import Wire

TARGET = "MyTarget"

names = {"__name__": "guide"}


def paste(section: str, **filled: str):
    """Runs a block with its placeholders filled."""
    code = documents.text(f"guide/section_{section}.py")
    for printed, value in filled.values():
        assert printed in code, printed
        code = code.replace(printed, value)
    exec(compile(code, f"section_{section}.py", "exec"), names)


def section_4_2():
    paste("4_2")
    assert re.fullmatch(rf"{names['region']}_\w+", names["user_pool_id"]) and names["client_secret"]
    assert re.fullmatch(r"https://agentcore-\w+\.auth\.[\w-]+\.amazoncognito\.com/oauth2/token", names["token_endpoint"])


def section_4_3():
    paste("4_3")
    assert names["wait_for_oidc_endpoint"](names["discovery_url"]) is True
    return lambda printed: re.fullmatch(r"OIDC endpoint available \(\d+\.\ds\)\n", printed)


def section_4_4():
    paste("4_4")
    make = names["create_oauth2_credential_provider"]
    given = (names[it] for it in ("client_id", "client_secret", "discovery_url", "region"))
    arn = make("my-oauth-provider", *given)
    assert arn.endswith(":token-vault/default/oauth2credentialprovider/my-oauth-provider"), arn


def section_4_5():
    scope, runtime = ("my-resource-server/invoke", names["scope"]), ("/runtimes/...", "/runtimes/agent/invocations")
    paste("4_5", scope=scope, runtime=runtime)
    remote = names["call_remote_agent"]
    assert list(remote.tool_spec["inputSchema"]["json"]["properties"]) == ["user_input"]
    # The runtime is a party of the tests, which says whether it was shown a token.
    assert asyncio.run(remote(user_input="hello")) == '{"prompt": "hello", "bearer": true}'


def section_4_7():
    names["access_token"] = names["gateway_client"].get_access_token_for_cognito(names["cognito_result"]["client_info"])
    paste("4_7")
    # The sample shows more lines than the block prints; the first three are those.
    sample = "\n".join(documents.text("guide/section_4_7_output.txt").splitlines()[1:4])
    pool, scopes = names["user_pool_id"], "my-resource-server/invoke my-resource-server/manager"
    told = sample.replace("us-west-2_Ab12CdEfG", pool).replace(scopes, names["scope"]).replace("1753012800", r"\d{10}")
    return lambda printed: re.fullmatch(told, printed.strip())


def section_4_9():
    """Its decorator is given an argument that the published SDK does not have: the SDK says so before anything is asked."""
    names["user_id"] = "ada"
    try:
        paste("4_9")
    except TypeError as error:
        assert "unexpected keyword argument 'user_id'" in str(error), error
    else:
        raise AssertionError("the SDK took it")


def section_5_2():
    role = boto3.client("iam").create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(FUNCTION_TRUST))["Role"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}]}
    boto3.client("iam").put_role_policy(RoleName="app", PolicyName="mail", PolicyDocument=json.dumps(may))
    functions = boto3.client("lambda")
    names["lambda_arn"] = functions.create_function(
        FunctionName="app",
        Runtime="python3.13",
        Handler="app.lambda_handler",
        Role=role["Arn"],
        Timeout=60,
        Code={"ZipFile": archive({"app.py": documents.text("guide/section_5_2.py")})},
        Environment={"Variables": {"SES_SENDER_EMAIL": "reports@example.com"}},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="app")


def section_5_3():
    paste("5_3")
    made = names["create_mcp_gateway"]("guide", names["discovery_url"], [names["client_id"]], names["region"])
    names["gateway_id"], names["gateway_url"] = made["id"], made["url"]
    control = boto3.client("bedrock-agentcore-control")
    described = control.get_gateway(gatewayIdentifier=made["id"])
    names["gateway_arn"] = described["gatewayArn"]
    boto3.client("lambda").add_permission(
        FunctionName="app", StatementId="gateway", Action="lambda:InvokeFunction", Principal=described["roleArn"]
    )
    target = names["create_gateway_target"](made["id"], names["lambda_arn"], TARGET, names["region"])
    until_ready(control, target)
    # The guide's later sections name two tools more than the block registers.
    whole = control.get_gateway_target(gatewayIdentifier=made["id"], targetId=target)
    tools = whole["targetConfiguration"]["mcp"]["lambda"]["toolSchema"]["inlinePayload"]
    tools += [tool("format_report", title="string"), tool("sensitive_tool")]
    kept = ("name", "targetConfiguration", "credentialProviderConfigurations")
    control.update_gateway_target(
        gatewayIdentifier=made["id"], targetId=target, **{member: whole[member] for member in kept}
    )
    until_ready(control, target)


def until_ready(control, target: str):
    look = lambda: control.get_gateway_target(gatewayIdentifier=names["gateway_id"], targetId=target)
    until("the target", look, lambda seen: seen["status"] == "READY")


def section_5_4():
    paste("5_4")
    result = names["run_agent_with_gateway"](names["gateway_url"], names["access_token"], [], "Send the report.")
    assert "Email sent to reader@example.com" in str(result), result


def section_5_6():
    """Its target has a member that AWS's API does not: boto3 says so before anything is sent."""
    try:
        paste("5_6")
    except Exception as error:
        assert 'Unknown parameter in targetConfiguration.mcp: "openapi"' in str(error), error
    else:
        raise AssertionError("boto3 took it")


def section_6_3():
    paste("6_3")
    resource_server = names["scope"].partition("/")[0]
    given = (resource_server, names["gateway_id"], names["discovery_url"], [names["client_id"]], names["region"])
    names["roles"] = names["create_role_clients"](names["user_pool_id"], *given)
    assert set(names["roles"]) == {"manager", "developer"}


def cedar(kind: str) -> str:
    text = documents.text(f"guide/section_6_4_{kind}.cedar")
    return text.replace("ACCOUNT_ID", ACCOUNT).replace("GATEWAY_ID", names["gateway_id"])


def section_6_5():
    paste("6_5")
    engine = names["setup_policy_engine"]("GuideEngine", cedar("permit"), names["gateway_id"], names["region"])
    names["engine_id"] = engine
    # The block prints none of the sample's lines; that what they say came about is another matter.
    control = boto3.client("bedrock-agentcore-control")
    [policy] = control.list_policies(policyEngineId=engine)["policies"]
    attached = control.get_gateway(gatewayIdentifier=names["gateway_id"])["policyEngineConfiguration"]
    assert attached["arn"].endswith(f"/{engine}"), attached
    told = (
        f"Policy Engine created: {engine}\nCedar policy registered: {policy['name']} ({policy['policyId']})\n"
        f"Policy Engine {engine} attached to Gateway {names['gateway_id']} in {attached['mode']} mode\n"
    )
    sample = documents.text("guide/section_6_5_output.txt").partition("\n")[2]
    ids = {"pe-a1b2c3d4e5f6": engine, "pol-f6e5d4c3b2a1": policy["policyId"]}
    ids["gw-1234abcd5678efgh"] = names["gateway_id"]
    for printed, made in ids.items():
        assert printed in sample
        sample = sample.replace(printed, made)
    assert told == sample, told


def section_6_6():
    paste("6_6")
    for role, config in names["roles"].items():
        names["test_policy_enforcement"](names["gateway_url"], {**config, "token_endpoint": names["token_endpoint"]}, role)
    sample = [line for line in documents.text("guide/section_6_6_output.txt").splitlines() if "(Cedar" in line]
    return lambda printed: printed.splitlines() == sample


def section_6_4_generated():
    """The policy that is generated takes the place of the written one, and decides alike for both roles."""
    from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient

    paste("6_4")
    client = PolicyClient(region_name=names["region"])
    arguments = client, names["engine_id"], names["gateway_arn"], TARGET, "markdown_to_email"
    statement = names["generate_cedar_policy_with_nl2cedar"](*arguments)
    assert names["generate_cedar_policy_with_nl2cedar"](*arguments) is None, "its name is taken"
    [written] = client.list_policies(names["engine_id"])["policies"]
    client.delete_policy(names["engine_id"], written["policyId"])
    client.create_or_get_policy(names["engine_id"], name="generated", definition={"cedar": {"statement": statement}})
    seen = section_6_6()
    head = f"NL2Cedar generated policy:\n{statement}\nNL2Cedar failed: "

    def as_written(printed: str) -> bool:
        told, advice, rest = printed.partition("Please write the policy manually.\n")
        return told.startswith(head) and "ConflictException" in told and bool(advice) and seen(rest)

    return as_written


def section_6_4():
    """The permit is in force since 6.5. The forbid is about a tool that every caller may use otherwise."""
    from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient

    client = PolicyClient(region_name=names["region"])
    everybody = (
        f'permit(principal, action == AgentCore::Action::"{TARGET}___sensitive_tool", '
        f'resource == AgentCore::Gateway::"{names["gateway_arn"]}") when {{ principal.hasTag("scope") }};'
    )
    for name, statement in (("everybody", everybody), ("forbid", cedar("forbid"))):
        client.create_or_get_policy(names["engine_id"], name=name, definition={"cedar": {"statement": statement}})
    for role, sees in (("manager", True), ("developer", False)):
        token = names["get_token_for_role"](**{**names["roles"][role], "token_endpoint": names["token_endpoint"]})
        tools = [tool["name"] for tool in Wire(names["gateway_url"], token).tools()]
        assert (f"{TARGET}___sensitive_tool" in tools) is sees, (role, tools)


STORY = [
    section_4_2,
    section_4_3,
    section_4_4,
    section_4_5,
    section_4_7,
    section_4_9,
    section_5_2,
    section_5_3,
    section_5_4,
    section_5_6,
    section_6_3,
    section_6_5,
    section_6_6,
    section_6_4_generated,
    section_6_4,
]


def read(section) -> str:
    """Runs a section, and looks at what it printed; gives what went wrong, if anything did."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            expected = section()
        assert expected is None or expected(printed.getvalue())
        return ""
    except Exception:
        return f"{traceback.format_exc()}\n{printed.getvalue()}"


def main():
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.5))
    for section in STORY:
        begun = time.monotonic()
        wrong = read(section)
        told = {"section": section.__name__, "wrong": wrong, "seconds": round(time.monotonic() - begun, 1)}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
