"""`portcullis audit posture` against a running server: resources that break rules, made with boto3, and what is said of them."""

import json
import os
import re
import subprocess
import sys

import pytest

from outbound import api_key, with_credential
from portcullis import Server, binary, plain_environment
from runtimes import agent, by_url, runtime
from scenery import FUNCTION_TRUST, GATEWAY_TRUST, Scenery, allow, name, tool
from wire import Wire


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One of its own: an audit speaks of everything that is there."""
    with Server(tmp_path_factory.mktemp("posture")) as own:
        yield own


@pytest.fixture(scope="module")
def made(server):
    """An account in which much is as it should not be."""
    make = Scenery(server)
    iam = server.client("iam")
    anyone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = make.role(anyone, allow("bedrock-agentcore:*", "lambda:InvokeFunction"), name("loose"))
    strict = make.role(GATEWAY_TRUST, allow("lambda:InvokeFunction", resource="arn:aws:lambda:us-west-2:000000000000:function:none"))
    secret = "correct-horse-battery"
    function = make.function(environment={"DB_PASSWORD": secret, "MODE": "test"})
    open_gateway = make.gateway("NONE", roleArn=role, exceptionLevel="DEBUG")
    open_gateway.lambda_target("Vague", function, [tool("do", "Does things.", api_token="string")])
    pool = make.pool()
    jwt = make.gateway(pool.authorizer(pool.client("invoke")), roleArn=role)
    with_credential(jwt, "Plain", {"mcpServer": {"endpoint": "http://tools.example.com/mcp", "listingMode": "DYNAMIC"}})
    engine = make.engine()
    engine.policy("permit(principal, action, resource);", validationMode="IGNORE_ALL_FINDINGS")
    watched = make.gateway(pool.authorizer(pool.client("invoke")), roleArn=strict)
    watched.enforce(engine.arn, "LOG_ONLY")
    unused = make.engine()
    api_key(server)
    user = make.user(allow("bedrock-agentcore:CreateGateway", "iam:PassRole"))
    iam.create_access_key(UserName=user.name)
    made = make.role(FUNCTION_TRUST, allow("ecr:GetAuthorizationToken", resource="arn:aws:ecr:us-west-2:000000000000:repository/a"))
    return {
        "role": role, "strict": strict, "function": function, "open": open_gateway, "jwt": jwt, "watched": watched,
        "engine": engine, "unused": unused, "user": user, "ecr": made, "secret": secret,
    }


def audit(server, *arguments, code=None):
    done = server.run("audit", "posture", *arguments, check=False)
    assert code is None or done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def report(server, made):
    return json.loads(audit(server, "--format", "json", code=1).stdout)


def test_what_is_wrong_is_found_where_it_is(report, made):
    found = {(it["rule"], it["resource"]) for it in report["findings"]}
    user = made["user"].arn
    for rule, resource in [
        ("gateway-authorizer-none", made["open"].arn),
        ("gateway-exception-level-debug", made["open"].arn),
        ("gateway-without-policy-engine", made["open"].arn),
        ("gateway-shared-role", made["role"]),
        ("gateway-policy-log-only", made["watched"].arn),
        ("gateway-without-log-delivery", made["watched"].arn),
        ("policy-engine-unused", made["unused"].arn),
        ("role-trust-without-source", made["role"]),
        ("policy-wildcard-actions", made["role"]),
        ("execution-role-manages", made["role"]),
        ("execution-role-invokes-everything", made["role"]),
        ("ecr-token-narrowed", made["ecr"]),
        ("pass-any-role", user),
        ("control-calls-from-anywhere", user),
        ("access-key-several", user),
        ("function-secret-in-environment", made["function"]),
    ]:
        assert (rule, resource) in found, rule
    rules = {rule for rule, _ in found}
    assert {
        "tool-argument-named-like-a-token", "tool-description-without-when", "target-mcp-unpinned",
        "target-endpoint-plain-http", "target-without-credential", "policy-permits-everything",
        "credential-provider-unused", "token-vault-without-customer-key",
    } <= rules
    for rule, resource in [
        ("gateway-authorizer-none", made["jwt"].arn),
        ("gateway-jwt-any-client", made["watched"].arn),
        ("role-trust-without-source", made["strict"]),
        ("execution-role-invokes-everything", made["strict"]),
        ("policy-engine-unused", made["engine"].arn),
        ("access-key-never-rotated", user),
    ]:
        assert (rule, resource) not in found, rule
    assert made["secret"] not in json.dumps(report)
    for finding in report["findings"]:
        assert finding["evidence"] and finding["rationale"] and finding["remediation"], finding
    severities = ["low", "medium", "high", "critical"]
    ranks = [severities.index(it["severity"]) for it in report["findings"]]
    assert ranks == sorted(ranks, reverse=True)


def test_runtimes_are_looked_at(tmp_path):
    secret = "correct-horse-battery"
    with agent() as url, Server(tmp_path) as own:
        make = Scenery(own)
        pool = make.pool()
        one_client = pool.authorizer(pool.client("invoke"))
        passing = {"requestHeaderAllowlist": ["Authorization"]}
        bad = runtime(make, by_url(url), environmentVariables={"API_KEY": secret, "MODE": "test"})
        believing = runtime(make, by_url(url), authorizerConfiguration=one_client)
        good = runtime(make, by_url(url), authorizerConfiguration=one_client, requestHeaderConfiguration=passing)
        told = audit(own, "--format", "json", code=1).stdout
    found = {(it["rule"], it["resource"]) for it in json.loads(told)["findings"] if it["rule"].startswith("runtime-")}
    assert found == {
        ("runtime-without-authorizer", bad.arn),
        ("runtime-secret-in-environment", bad.arn),
        ("runtime-authorization-not-passed", believing.arn),
    }, good.arn
    assert secret not in told


def test_the_table_and_the_exit_codes(server, report, tmp_path):
    table = audit(server, code=1)
    assert "gateway-authorizer-none" in table.stdout and "--export-gateway" in table.stdout
    assert audit(server, "--fail-on", "never", code=0).stdout == table.stdout
    baseline = str(tmp_path / "baseline.json")
    audit(server, "--write-baseline", baseline, "--fail-on", "never", code=0)
    nothing = audit(server, "--baseline", baseline, "--fail-on", "low", "--format", "json", code=0)
    assert json.loads(nothing.stdout)["findings"] == []
    # Something new is told.
    gateway = Scenery(server).gateway("NONE")
    new = json.loads(audit(server, "--baseline", baseline, "--format", "json", code=1).stdout)
    assert {(it["rule"], it["resource"]) for it in new["findings"] if it["severity"] == "critical"} == {
        ("gateway-authorizer-none", gateway.arn)
    }
    accepted = tmp_path / "exceptions.toml"
    exception = '[[exception]]\nrule = "gateway-authorizer-none"\nresource = "{}"\nreason = "a demo"\nexpires = "{}"\n'
    accepted.write_text(exception.format(gateway.arn, "2099-01-01"))
    left = audit(server, "--baseline", baseline, "--exceptions", str(accepted), "--fail-on", "critical", code=0)
    assert "a demo" in left.stdout
    accepted.write_text(exception.format(gateway.arn, "2020-01-01"))
    over = audit(server, "--baseline", baseline, "--exceptions", str(accepted), "--fail-on", "critical", code=1)
    assert "ended on 2020-01-01" in over.stderr
    accepted.write_text(exception.format("*", "soon"))
    assert "no day" in audit(server, "--exceptions", str(accepted), code=2).stderr
    gateway.control.delete_gateway(gatewayIdentifier=gateway.id)


def test_code_scanning_gets_what_it_reads(server, made):
    log = json.loads(audit(server, "--format", "sarif", "--fail-on", "never", code=0).stdout)
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0" and len(rules) >= 27
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["level"] in ("note", "warning", "error")
        assert re.fullmatch(r"[\w.~%/-]+", result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def audit_by_url(server, caller, *arguments):
    environment = {
        **plain_environment(),
        "AWS_ACCESS_KEY_ID": caller.key,
        "AWS_SECRET_ACCESS_KEY": caller.secret,
        "AWS_REGION": "us-west-2",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
    }
    command = [binary(), "audit", "posture", "--endpoint", server.endpoint, "--format", "json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_who_may_see_less_learns_what_they_did_not_see(server, made):
    make = Scenery(server)
    some = make.user(allow("bedrock-agentcore:List*", "bedrock-agentcore:Get*"))
    done = audit_by_url(server, some, "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {it["operation"] for it in report["unread"]} >= {"ListRoles", "ListUsers", "ListFunctions", "DescribeDeliverySources"}
    rules = {it["rule"] for it in report["findings"]}
    assert "gateway-authorizer-none" in rules and "gateway-without-log-delivery" not in rules
    assert audit_by_url(server, some, "--fail-on", "never", "--strict").returncode == 2
    nobody = audit_by_url(server, make.user())
    assert nobody.returncode == 2 and "AccessDenied" in nobody.stderr
    wrong = server.run("audit", "posture", "--endpoint", "ftp://x", check=False)
    assert wrong.returncode == 2


def test_the_remediation_of_an_open_gateway_is_run(server, made, tmp_path):
    """As it is printed: exported, made anew, and the old one deleted."""
    old = made["open"]
    finding = json.loads(audit(server, "--format", "json", code=1).stdout)["findings"]
    [open_one] = [it for it in finding if it["rule"] == "gateway-authorizer-none" and it["resource"] == old.arn]
    commands = [line for line in open_one["remediation"] if not line.startswith("#")]
    environment = {
        **server.env,
        "PATH": f"{os.path.dirname(binary())}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "PORTCULLIS_DATA_DIR": str(server.data_dir),
    }
    done = subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    made_anew = re.search(r"The new gateway is (\S+)\.", done.stdout)[1]
    control = server.client("bedrock-agentcore-control")
    new = control.get_gateway(gatewayIdentifier=made_anew)
    assert (new["authorizerType"], new["roleArn"]) == ("AWS_IAM", made["role"])
    [target] = control.list_gateway_targets(gatewayIdentifier=made_anew)["items"]
    assert target["name"] == "Vague"
    assert Wire(new["gatewayUrl"]).post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code in (401, 403)
    deletions = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("aws ")]
    subprocess.run(["sh", "-ec", "\n".join(deletions)], env=environment, check=True, capture_output=True, timeout=120)
    after = json.loads(audit(server, "--format", "json", code=1).stdout)["findings"]
    assert not [it for it in after if it["rule"] == "gateway-authorizer-none"]
