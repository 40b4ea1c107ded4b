"""Functions through a gateway: versions and aliases as targets name them, JavaScript, another account's, and changes
while calls are under way. boto3 and the AWS CLI, unmodified."""

import contextlib
import io
import json
import threading
import time

import pytest
from awscli.clidriver import create_clidriver
from botocore.exceptions import ClientError

from portcullis import ACCOUNT, REGION
from scenery import FUNCTION_TRUST, GATEWAY_TRUST, Scenery, allow, archive, name, tool
from wire import Wire, text_of

SAYS = [tool("say", seconds="number")]

# Named otherwise than the seed's, which `test_seeds_cli.py` makes ("Cross-Account Lambda Access").
SEED_ROLE = "RoleAcrossAccounts"


def says(word: str) -> str:
    return f"""
import time
def lambda_handler(event, context):
    time.sleep(event.get("seconds", 0))
    return ["{word}", context.function_version, context.invoked_function_arn]
"""


def code(word: str) -> bytes:
    return archive({"app.py": says(word)})


@pytest.fixture(scope="module")
def gateway(make):
    return make.gateway()


@pytest.fixture(scope="module")
def functions(server):
    return server.client("lambda")


def caller(gateway, arn: str, tools=None):
    """A target of this ARN; gives what a call of its first tool answers."""
    tools = tools or SAYS
    target = name("target")
    gateway.lambda_target(target, arn, tools)
    wire = Wire(gateway.url)
    wire.initialize()

    def call(**arguments):
        answer = wire.tool(f"{target}___{tools[0]['name']}", **arguments)
        assert not answer["result"]["isError"], answer
        return json.loads(text_of(answer))

    call.refused = lambda **arguments: wire.tool(f"{target}___{tools[0]['name']}", **arguments)["result"]
    return call


# --- versions and aliases --------------------------------------------------------------------------------------------


def test_code_comes_from_the_object_store_with_the_rights_of_the_caller(make, server, gateway, functions):
    arn = make.function(says("old"))
    short = arn.rpartition(":")[2]
    s3, bucket = server.client("s3"), name("code").lower()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="app.zip", Body=code("stored"))
    functions.update_function_code(FunctionName=short, S3Bucket=bucket, S3Key="app.zip")
    assert caller(gateway, arn)()[0] == "stored"
    with pytest.raises(ClientError) as refused:
        functions.update_function_code(FunctionName=short, S3Bucket=bucket, S3Key="none.zip")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError) as refused:
        functions.update_function_code(FunctionName=short, S3Bucket=bucket, S3Key="app.zip", ZipFile=code("x"))
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    user = make.user(allow("lambda:UpdateFunctionCode"))
    with pytest.raises(ClientError) as refused:
        user.client("lambda").update_function_code(FunctionName=short, S3Bucket=bucket, S3Key="app.zip")
    assert "s3:GetObject" in str(refused.value) and f"arn:aws:s3:::{bucket}/app.zip" in str(refused.value)


def test_a_target_calls_what_it_names(make, gateway, functions):
    arn = make.function(says("one"))
    short = arn.rpartition(":")[2]
    assert functions.publish_version(FunctionName=short)["Version"] == "1"
    functions.create_alias(FunctionName=short, Name="PROD", FunctionVersion="1")
    latest, pinned, alias = (caller(gateway, arn + end) for end in ("", ":1", ":PROD"))
    explicit = caller(gateway, f"{arn}:$LATEST")
    assert latest() == ["one", "$LATEST", arn]
    assert pinned() == ["one", "1", f"{arn}:1"]
    assert alias() == ["one", "1", f"{arn}:PROD"]

    published = functions.update_function_code(FunctionName=short, ZipFile=code("two"), Publish=True)
    assert (published["Version"], published["FunctionArn"]) == ("2", f"{arn}:2")
    assert latest() == ["two", "$LATEST", arn]
    assert explicit() == ["two", "$LATEST", f"{arn}:$LATEST"]
    assert pinned()[0] == "one", "a version stays what it was"
    assert alias()[0] == "one", "an alias stays where it is"

    for version, word in (("2", "two"), ("1", "one"), ("2", "two")):
        functions.update_alias(FunctionName=short, Name="PROD", FunctionVersion=version)
        assert alias() == [word, version, f"{arn}:PROD"], "the switch is in force when it is answered"

    functions.delete_alias(FunctionName=short, Name="PROD")
    assert alias.refused()["isError"], "what is named is gone"
    functions.create_alias(FunctionName=short, Name="PROD", FunctionVersion="1")
    assert alias()[0] == "one", "a target finds what comes later"


def test_an_alias_shares_its_calls_between_two_versions(make, gateway, functions):
    arn = make.function(says("old"))
    functions.publish_version(FunctionName=arn)
    functions.update_function_code(FunctionName=arn, ZipFile=code("new"), Publish=True)
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    functions.create_alias(FunctionName=arn, Name="CANARY", FunctionVersion="1", RoutingConfig=routing)
    call = caller(gateway, f"{arn}:CANARY")
    seen = [call()[0] for _ in range(60)]
    assert 5 < seen.count("new") < 55, seen
    functions.update_alias(FunctionName=arn, Name="CANARY", FunctionVersion="2", RoutingConfig={})
    assert {call()[0] for _ in range(10)} == {"new"}


def test_the_role_needs_permission_for_what_is_named(make, functions):
    arn = make.function(says("one"))
    functions.publish_version(FunctionName=arn)
    role = make.role(GATEWAY_TRUST, allow("lambda:InvokeFunction", resource=arn))
    own = make.gateway(roleArn=role)
    assert caller(own, arn)()[0] == "one"
    refused = caller(own, f"{arn}:1").refused()
    assert refused["isError"], "a permission for the function is none for a version, as on AWS"
    functions.add_permission(
        FunctionName=arn,
        Qualifier="1",
        StatementId="version",
        Action="lambda:InvokeFunction",
        Principal=role,
    )
    assert caller(own, f"{arn}:1")()[0] == "one", "the version's own policy grants it"


def test_versions_and_aliases_outlive_a_restart(start_server):
    server = start_server()
    make, functions = Scenery(server), server.client("lambda")
    arn = make.function(says("one"), environment={"SECRET": "kept"})
    functions.publish_version(FunctionName=arn)
    functions.create_alias(FunctionName=arn, Name="PROD", FunctionVersion="1")
    functions.update_function_code(FunctionName=arn, ZipFile=code("two"))
    call = caller(make.gateway(), f"{arn}:PROD")
    assert call()[0] == "one"
    server.restart()
    assert call()[0] == "one"
    shown = server.client("lambda").get_function_configuration(FunctionName=arn, Qualifier="PROD")
    assert shown["Environment"]["Variables"] == {"SECRET": "kept"}
    assert (shown["Version"], shown["FunctionArn"]) == ("1", f"{arn}:PROD")


# --- changes under way -----------------------------------------------------------------------------------------------


def test_changes_disturb_no_call(make, gateway, functions):
    arn = make.function(says("0"))
    call = caller(gateway, arn)
    call()
    told = {"word": 0}
    failures, calls = [], []
    done = threading.Event()

    def keep_calling():
        mine = caller(gateway, arn)
        while not done.is_set():
            before = told["word"]
            try:
                [word, *_] = mine(seconds=0.02)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                failures.append(repr(error))
                return
            calls.append(word)
            if int(word) < before:
                failures.append(f"{word} after {before} was in force")

    threads = [threading.Thread(target=keep_calling) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for at in range(1, 6):
            functions.update_function_code(FunctionName=arn, ZipFile=code(str(at)))
            told["word"] = at
            assert call()[0] == str(at)
            functions.update_function_configuration(FunctionName=arn, Timeout=30 + at)
            assert call()[0] == str(at)
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert not failures, failures
    assert len(calls) > 10


def test_a_call_ends_with_the_code_it_began_with(make, gateway, functions):
    arn = make.function(says("old"))
    call = caller(gateway, arn)
    call()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(caller(gateway, arn)(seconds=2)))
    slow.start()
    time.sleep(1)
    functions.update_function_code(FunctionName=arn, ZipFile=code("new"))
    assert call()[0] == "new"
    assert not answers, "the slow call is still under way"
    slow.join(60)
    assert answers[0][0] == "old"


# --- JavaScript ------------------------------------------------------------------------------------------------------

JAVASCRIPT = """
export const handler = async (event, context) => {
  const tool = context.clientContext.custom.bedrockAgentCoreToolName.split("___").at(-1);
  if (event.city === "Ys") throw new RangeError("no such city");
  return { tool, city: event.city, stage: process.env.STAGE, node: process.versions.node.split(".").length };
};
"""


@pytest.mark.parametrize("runtime", ["nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"])
def test_a_javascript_function_is_a_tool(make, gateway, runtime):
    arn = make.function(
        Runtime=runtime,
        Handler="index.handler",
        Code={"ZipFile": archive({"index.mjs": JAVASCRIPT})},
        environment={"STAGE": "tests"},
    )
    call = caller(gateway, arn, [tool("weather", city="string")])
    assert call(city="Graz") == {"tool": "weather", "city": "Graz", "stage": "tests", "node": 3}
    assert call.refused(city="Ys")["isError"]


def test_a_callback_function_speaks_to_this_server(make, functions):
    source = """
    const http = require("node:http");
    exports.handler = (event, context, callback) => {
      const where = new URL(process.env.AWS_ENDPOINT_URL);
      http.get({ host: where.hostname, port: where.port, path: "/healthz" }, (answer) => {
        answer.resume();
        callback(null, { status: answer.statusCode, key: process.env.AWS_ACCESS_KEY_ID.slice(0, 4) });
      });
    };
    """
    arn = make.function(Runtime="nodejs20.x", Handler="index.handler", Code={"ZipFile": archive({"index.js": source})})
    answer = functions.invoke(FunctionName=arn, Payload=b"{}", LogType="Tail")
    assert "FunctionError" not in answer, answer
    assert json.load(answer["Payload"]) == {"status": 200, "key": "ASIA"}


# --- another account -------------------------------------------------------------------------------------------------


@pytest.fixture
def other(server):
    """Another account, as its root: what makes clients there."""
    made = json.loads(server.run("account", "create", "--name", "functions", "--json").stdout)

    class Other:
        account = made["accountId"]

        def client(self, service):
            return server.client(service, made["accessKeyId"], made["secretAccessKey"])

        def function(self, function_name: str) -> str:
            role = self.client("iam").create_role(
                RoleName="functions", AssumeRolePolicyDocument=json.dumps(FUNCTION_TRUST)
            )["Role"]["Arn"]
            return self.client("lambda").create_function(
                FunctionName=function_name,
                Runtime="python3.13",
                Handler="app.lambda_handler",
                Role=role,
                Code={"ZipFile": code("across")},
            )["FunctionArn"]

    return Other()


def test_another_accounts_function_as_the_seed_shows(make, other):
    """Section "Cross-Account Lambda Access": the role may invoke, and the function's policy names the role."""
    arn = other.function("TestLambda")
    assert arn == f"arn:aws:lambda:{REGION}:{other.account}:function:TestLambda"
    iam = make.server.client("iam")
    role = make.role(GATEWAY_TRUST, role_name=SEED_ROLE)
    may_invoke = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "VisualEditor0", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
        ],
    }
    call = caller(make.gateway(roleArn=role), arn)
    add = lambda: other.client("lambda").add_permission(
        FunctionName="TestLambda",
        StatementId="cross-account-access",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{ACCOUNT}:role/{SEED_ROLE}",
    )
    allow_role = lambda: iam.put_role_policy(
        RoleName=SEED_ROLE, PolicyName="invoke", PolicyDocument=json.dumps(may_invoke)
    )
    remove = lambda: other.client("lambda").remove_permission(
        FunctionName="TestLambda", StatementId="cross-account-access"
    )
    try:
        assert call.refused()["isError"], "neither side allows it"
        allow_role()
        assert call.refused()["isError"], "the function's account does not allow it"
        add()
        policy = json.loads(other.client("lambda").get_policy(FunctionName="TestLambda")["Policy"])
        assert policy == {
            "Version": "2012-10-17",
            "Id": "default",
            "Statement": [
                {
                    "Sid": "cross-account-access",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{SEED_ROLE}"},
                    "Action": "lambda:InvokeFunction",
                    "Resource": arn,
                }
            ],
        }
        assert call() == ["across", "$LATEST", arn]
        iam.delete_role_policy(RoleName=SEED_ROLE, PolicyName="invoke")
        assert call.refused()["isError"], "the role's account does not allow it"
        allow_role()
        assert call()[0] == "across"
        remove()
        assert call.refused()["isError"], "the function's policy is gone"
        # A whole account may be named too; then the role's own policy decides there.
        other.client("lambda").add_permission(
            FunctionName="TestLambda",
            StatementId="cross-account-access",
            Action="lambda:InvokeFunction",
            Principal=ACCOUNT,
            SourceAccount=ACCOUNT,
            SourceArn=f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:gateway/*",
        )
        assert call()[0] == "across"
    finally:
        with contextlib.suppress(ClientError):
            iam.delete_role_policy(RoleName=SEED_ROLE, PolicyName="invoke")


def test_nobody_can_be_named_in_a_policy(make, functions):
    arn = make.function()
    for principal in (
        f"arn:aws:iam::{ACCOUNT}:role/no-such-role",
        f"arn:aws:iam::{ACCOUNT}:user/no-such-user",
        "999999999999",
        "nobody",
    ):
        with pytest.raises(ClientError) as raised:
            functions.add_permission(
                FunctionName=arn, StatementId="s", Action="lambda:InvokeFunction", Principal=principal
            )
        told = raised.value.response["Error"]
        assert told["Code"] == "InvalidParameterValueException", told
        assert told["Message"] == "The provided principal was invalid. Please check the principal and try again."


# --- the AWS CLI -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("as_root")
def test_the_aws_cli_deploys_publishes_and_switches(make, tmp_path):
    driver = create_clidriver()

    def aws(*arguments):
        out, complaints = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
            status = driver.main(["lambda", *arguments, "--output", "json"])
        assert status == 0, complaints.getvalue()
        return json.loads(out.getvalue()) if out.getvalue().strip() else None

    short = make.function(says("one")).rpartition(":")[2]
    function = ["--function-name", short]
    (tmp_path / "code.zip").write_bytes(code("two"))
    published = aws("publish-version", *function, "--description", "the first")
    assert (published["Version"], published["Description"]) == ("1", "the first")
    aws("update-function-code", *function, "--zip-file", f"fileb://{tmp_path}/code.zip")
    aws("wait", "function-updated-v2", *function)
    aws("wait", "function-updated", *function)
    aws("update-function-configuration", *function, "--memory-size", "256", "--environment", "Variables={STAGE=b}")
    aws("wait", "published-version-active", *function, "--qualifier", "1")
    aws("create-alias", *function, "--name", "PROD", "--function-version", "1")
    routing = "AdditionalVersionWeights={2=1.0}"
    aws("publish-version", *function)
    aws("update-alias", *function, "--name", "PROD", "--routing-config", routing)
    shown = aws("get-alias", *function, "--name", "PROD")
    assert shown["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 1.0}}
    told = aws("invoke", *function, "--qualifier", "PROD", str(tmp_path / "answer"))
    assert told["ExecutedVersion"] == "2"
    assert json.loads((tmp_path / "answer").read_text())[0] == "two"
    versions = aws("list-versions-by-function", *function)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    assert [alias["Name"] for alias in aws("list-aliases", *function)["Aliases"]] == ["PROD"]
    aws("delete-alias", *function, "--name", "PROD")
    aws("delete-function", *function, "--qualifier", "1")
    aws("delete-function", *function)
