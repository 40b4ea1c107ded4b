"""`portcullis policy`: what it says of policies is what the gateway does, from files and from a data directory, without a
terminal and without colours."""

import json
import os
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
import requests

from portcullis import binary, plain_environment
from scenery import tool

ARN = "arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/office-a1b2c3d4e5"
TOOLS = [
    tool("send_email", required=["to"], to="string", body="string"),
    tool("transfer", required=["amount"], amount="integer"),
    tool("format_report", title="string"),
]
# A part of a policy that only its author and whoever may read policies should see.
WORD = "corner-office-7"
# An argument that nobody else should see: too long to be a part of an id or a time by chance.
AMOUNT = 471_100_815_471_100


def statements(arn: str, target: str = "Office") -> dict:
    about = lambda name: f'action == AgentCore::Action::"{target}___{name}", resource == AgentCore::Gateway::"{arn}"'
    token = "principal is AgentCore::OAuthUser"
    return {
        "managers": f"permit({token}, {about('send_email')}) "
        'when { principal.hasTag("scope") && principal.getTag("scope") like "*manager*" };',
        "small": f"permit({token}, {about('transfer')}) when {{ context.input.amount < 1000 }};",
        "rival": f"forbid(principal, {about('send_email')}) when {{ context.input.to like \"*@rival.example\" }};",
        "board": f"permit({token}, {about('format_report')}) "
        f'when {{ principal.hasTag("room") && principal.getTag("room") == "{WORD}" }};',
    }


def run(*arguments, given: str | None = None, folder: Path | None = None) -> subprocess.CompletedProcess:
    command = [binary(), "policy", *map(str, arguments)]
    environment = plain_environment()
    done = subprocess.run(
        command, input=given, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "\x1b" not in done.stdout + done.stderr, "colours, and nobody looks"
    return done


def answered(done: subprocess.CompletedProcess, code: int = 0) -> dict:
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    """Policies, tools and claims in files, as a repository would have them."""
    listed = [{"name": f"Office___{it['name']}", "inputSchema": it["inputSchema"]} for it in TOOLS]
    (tmp_path / "tools.json").write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": listed}}))
    policies = tmp_path / "policies"
    policies.mkdir()
    for name, statement in statements(ARN).items():
        (policies / f"{name}.cedar").write_text(f"// {name}\n{statement}\n")
    (tmp_path / "ann.json").write_text('{"sub": "ann", "scope": "office/clerk"}')
    (tmp_path / "bob.yaml").write_text("sub: bob\nscope: office/manager\n")
    return tmp_path


def test_a_schema_that_is_printed_is_as_good_as_the_tools(folder):
    schema = run("schema", "--tools", "tools.json", folder=folder)
    assert schema.returncode == 0 and 'action "Office___transfer"' in schema.stdout
    (folder / "office.cedarschema").write_text(schema.stdout)
    assert run("schema", "--schema", "office.cedarschema", folder=folder).stdout == schema.stdout
    as_json = answered(run("schema", "--tools", "tools.json", "--json", folder=folder))
    assert "Office___transfer" in as_json["AgentCore"]["actions"]
    (folder / "office.json").write_text(json.dumps(as_json))
    for source in (["--tools", "tools.json"], ["--schema", "office.cedarschema"], ["--schema", "office.json"]):
        done = run("check", "policies", *source, folder=folder)
        assert (done.returncode, done.stdout) == (0, "All 4 policies are good.\n"), done.stderr
        seen = answered(run("what-can", *source, "--policies", "policies", "--claims", "ann.json", "--json", folder=folder))
        assert [it["tool"] for it in seen["tools"]] == ["Office___transfer"]


def test_what_is_wrong_is_shown_where_it_is(folder):
    good = statements(ARN)
    wrong = "// several in one file\n" + good["small"] + "\n\n  " + good["managers"].replace("send_email", "send_emial")
    (folder / "wrong.cedar").write_text(wrong + "\npermit(principal, action, resource) when { 1 +  };\n")
    done = run("check", "wrong.cedar", "--tools", "tools.json", folder=folder)
    assert done.returncode == 1 and "2 of 3 policies are not good" in done.stderr
    assert "unrecognized action" in done.stdout and "did you mean `Office___send_email`" in done.stdout
    # The line, and under it what is meant.
    assert "wrong.cedar:5:" in done.stdout
    lines = done.stdout.splitlines()
    marked = [index for index, line in enumerate(lines) if set(line.split("|")[-1].strip()) == {"^"}]
    assert marked and all(lines[index - 1].split("|", 1)[1].strip() for index in marked)
    report = answered(run("check", "wrong.cedar", "--tools", "tools.json", "--json", folder=folder), 1)
    names = {it["name"]: it for it in report["policies"]}
    assert [names[f"wrong:{number}"]["good"] for number in (1, 2, 3)] == [True, False, False]
    (problem, *_) = names["wrong:3"]["problems"]
    assert problem["kind"] == "syntax" and problem["line"] == 5 and problem["width"] >= 1
    # A finding is an error, unless it is asked for.
    (folder / "all.cedar").write_text("permit(principal, action, resource);")
    refused = answered(run("check", "all.cedar", "--tools", "tools.json", "--json", folder=folder), 1)
    assert refused["policies"][0]["problems"][0]["kind"] == "ALLOW_ALL"
    answered(run("check", "all.cedar", "--tools", "tools.json", "--ignore-findings", "--json", folder=folder))
    # Standard input; and what is there not at all.
    assert run("check", "-", "--tools", "tools.json", given=good["small"], folder=folder).returncode == 0
    for nothing in (["absent.cedar"], ["empty"], []):
        (folder / "empty").mkdir(exist_ok=True)
        assert run("check", *nothing, "--tools", "tools.json", folder=folder).returncode == 2


def test_files_are_laid_out_and_comments_stay(folder):
    file = folder / "policies" / "small.cedar"
    done = run("fmt", "--check", "policies", folder=folder)
    assert done.returncode == 1 and "small.cedar" in done.stdout and "// small\npermit(p" in file.read_text()
    assert run("fmt", "policies", folder=folder).returncode == 0
    assert file.read_text().startswith("// small\npermit (\n")
    assert run("fmt", "--check", "policies", folder=folder).returncode == 0
    assert run("check", "policies", "--tools", "tools.json", folder=folder).returncode == 0
    printed = run("fmt", "-", given="// why\npermit(principal,action,resource);")
    assert printed.stdout == "// why\npermit (principal, action, resource);\n"
    broken = run("fmt", "-", given="permit(principal, action, resource);\npermit(;")
    assert broken.returncode == 1 and "-:2:8" in broken.stderr and not broken.stdout


SUITE = """
policies: [policies]
callers:
  ann: {claims: {sub: ann, scope: office/clerk}}
  bob: {claims: {sub: bob, scope: office/manager}}
  worker: {role: "arn:aws:iam::000000000000:role/worker"}
tests:
  - {name: managers send, caller: bob, tool: Office___send_email, arguments: {to: a@b.example}, expect: allow, policies: [managers], listed: true}
  - {name: clerks do not, caller: ann, tool: Office___send_email, arguments: {to: a@b.example}, expect: deny, policies: [], listed: false}
  - {name: nobody to rivals, caller: bob, tool: Office___send_email, arguments: {to: x@rival.example}, expect: deny, policies: [rival]}
  - {caller: ann, tool: Office___transfer, arguments: {amount: 999}, expect: allow}
  - {caller: worker, tool: Office___transfer, arguments: {amount: 1}, expect: deny, listed: false}
"""


def test_a_suite_says_what_holds_and_what_it_covers(folder):
    (folder / "suite.yaml").write_text(SUITE)
    source = ["--tools", "tools.json"]
    report = answered(run("test", "suite.yaml", *source, "--json", folder=folder))
    assert len(report["tests"]) == 5 and all(it["passed"] for it in report["tests"])
    assert report["coverage"]["policies"] == {"reached": 3, "all": 4, "percent": 75, "missed": ["board"]}
    assert report["coverage"]["tools"]["missed"] == ["Office___format_report"]
    text = run("test", "suite.yaml", *source, "--min-coverage", "75", folder=folder)
    assert text.returncode == 0 and "3 of 4 policies decide a call (75 %); not board" in text.stdout
    short = run("test", "suite.yaml", *source, "--min-coverage", "76", folder=folder)
    assert short.returncode == 1 and "75 % of the policies, and 76 % are wanted" in short.stderr
    assert run("test", "suite.yaml", *source, "--min-tool-coverage", "100", folder=folder).returncode == 1
    # What differs is said, each thing by itself.
    wrong = SUITE.replace("expect: allow, policies: [managers]", "expect: deny, policies: [board]")
    (folder / "wrong.yaml").write_text(wrong.replace("expect: deny, listed: false}", "expect: deny, listed: true}"))
    failed = answered(run("test", "wrong.yaml", *source, "--json", "--junit", "junit.xml", folder=folder), 1)
    faults = {it["name"]: it["faults"] for it in failed["tests"]}
    assert len(faults["managers send"]) == 2 and "expected deny" in faults["managers send"][0]
    assert faults["deny Office___transfer"] == ["expected the tool to be listed, and it is not listed"]
    root = xml.parse(folder / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("5", "2") and len(root.findall(".//failure")) == 2
    # JSON is as good as YAML, and what is not understood is not passed over.
    case = {"caller": {"claims": {"sub": "x"}}, "tool": "Office___transfer", "arguments": {"amount": 5}, "expect": "allow"}
    (folder / "suite.json").write_text(json.dumps({"policies": ["policies"], "tests": [case]}))
    assert run("test", "suite.json", *source, folder=folder).returncode == 0
    for spoilt in ({**case, "expects": "deny"}, {**case, "caller": "nobody"}, {**case, "now": "noon"}, {}):
        (folder / "spoilt.json").write_text(json.dumps({"policies": ["policies"], "tests": [spoilt]}))
        assert run("test", "spoilt.json", *source, folder=folder).returncode == 2


def test_arguments_that_do_not_fit_are_no_denial(folder):
    case = {"caller": {"claims": {"sub": "x"}}, "tool": "Office___transfer", "arguments": {"amount": "five"}}
    for expected in ("deny", "allow"):
        (folder / "suite.json").write_text(json.dumps({"policies": ["policies"], "tests": [{**case, "expect": expected}]}))
        report = answered(run("test", "suite.json", "--tools", "tools.json", "--json", folder=folder), 1)
        (test,) = report["tests"]
        (fault,) = test["faults"]
        assert "do not fit the tool's input schema" in fault and "amount" in fault and test["decision"] is None, test
    asked = ["explain", "--tools", "tools.json", "--policies", "policies", "--claims", "ann.json", "--tool", "Office___transfer"]
    told = run(*asked, "--arguments", '{"amount": "five"}', folder=folder)
    assert told.returncode == 2 and told.stdout.startswith("NOT ASKED: ") and "DENIED" not in told.stdout, told.stdout
    report = answered(run(*asked, "--arguments", '{"amount": "five"}', "--json", folder=folder), 2)
    assert report["argumentsFit"] is False


def test_exit_codes_tell_what_is_wrong_from_what_cannot_be_looked_at(folder):
    nowhere = ["--data-dir", str(folder / "nowhere")]
    callers = ["--claims", "ann.json"]
    for verb in (
        ["analyse"], ["schema"], ["check", "policies"], ["test", "suite.yaml"], ["explain", *callers, "--tool", "x"],
        ["who-can", "x"], ["what-can", *callers], ["matrix"], ["diff", "policies"], ["replay", "policies"], ["promote"],
    ):
        (folder / "suite.yaml").write_text(SUITE)
        done = run(*verb, "--gateway", "office-a1b2c3d4e5", *nowhere, folder=folder)
        assert done.returncode == 2 and done.stderr.startswith("error"), (verb, done.stderr)
    source = ["--tools", "absent.json"]
    for verb in (["check", "policies"], ["analyse", "policies"], ["diff", "policies", "policies"], ["schema"]):
        assert run(*verb, *source, folder=folder).returncode == 2, verb
    assert run("fmt", "absent.cedar", folder=folder).returncode == 2


def test_names_of_files_and_policies_are_shown_and_not_obeyed(folder):
    odd = folder / "odd"
    odd.mkdir()
    (odd / "a\x1b[31m.cedar").write_text("permit(principal, action, resource) when { context.input.nothing == 1 };")
    (odd / "b.cedar").write_text('@id("x\x1b]0;y\x07")\npermit(principal, action, resource) when { 1 };')
    for verb in (["check", "odd", "--tools", "tools.json"], ["fmt", "--check", "odd"], ["analyse", "odd", "--tools", "tools.json"]):
        done = run(*verb, folder=folder)
        assert done.returncode == 1, done.stderr
        assert "\x1b" not in done.stdout + done.stderr and "\x07" not in done.stdout + done.stderr
        assert "u{1b}" in done.stdout + done.stderr
    roles = {"=1+1": {"sub": "ann"}, "@x": {"sub": "bob"}, "\x1b[2J": {"sub": "c"}}
    (folder / "roles.json").write_text(json.dumps(roles))
    source = ["--tools", "tools.json", "--policies", "policies", "--roles", "roles.json"]
    head = run("matrix", *source, "--csv", folder=folder).stdout.splitlines()[0]
    assert "'=1+1" in head and "'@x" in head and "\x1b" not in head


def test_files_are_replaced_whole_and_links_are_not_followed(folder):
    outside = folder / "outside.cedar"
    outside.write_text("permit(principal,action,resource);")
    link = folder / "policies" / "link.cedar"
    link.symlink_to(outside)
    before = (folder / "policies" / "small.cedar").read_text()
    done = run("fmt", "policies", folder=folder)
    assert done.returncode == 2 and "symbolic link" in done.stderr, done.stderr
    assert outside.read_text() == "permit(principal,action,resource);" and link.is_symlink()
    assert (folder / "policies" / "small.cedar").read_text() == before
    link.unlink()
    outside.chmod(0o640)
    assert run("fmt", "outside.cedar", folder=folder).returncode == 0
    assert outside.read_text().startswith("permit (") and outside.stat().st_mode & 0o777 == 0o640
    assert not [it for it in folder.iterdir() if it.name.endswith(".tmp")]
    # What is not UTF-8 is said to be, and where.
    (folder / "latin.cedar").write_bytes(b"// one\n// caf\xe9\npermit(principal, action, resource);")
    done = run("fmt", "latin.cedar", folder=folder)
    assert done.returncode == 2 and "latin.cedar is not UTF-8 text: line 2" in done.stderr, done.stderr
    strange = folder / "strange"
    strange.mkdir()
    Path(os.fsdecode(os.fsencode(strange) + b"/a\xff.cedar")).write_text("permit(principal,action,resource);")
    done = run("fmt", "strange", folder=folder)
    assert done.returncode == 2 and "is not UTF-8: rename it" in done.stderr, done.stderr


def test_an_explanation_says_what_would_have_to_change(folder):
    source = ["--tools", "tools.json", "--policies", "policies"]
    asked = ["explain", *source, "--claims", "ann.json", "--tool", "Office___transfer"]
    denied = run(*asked, "--arguments", '{"amount": 1500}', folder=folder)
    assert denied.returncode == 1 and denied.stdout.startswith("DENIED: ")
    assert "argument `amount` is 1500" in denied.stdout
    assert "argument `amount` would have to be less than 1000" in denied.stdout
    assert run(*asked, "--arguments", '{"amount": 15}', folder=folder).stdout.startswith("ALLOWED: ")
    asked = ["explain", *source, "--claims", "ann.json", "--tool", "Office___send_email", "--json"]
    report = answered(run(*asked, "--arguments", '{"to": "a@b.example"}', folder=folder), 1)
    assert (report["decision"], report["listed"], report["offered"]) == ("deny", False, True)
    (nearest, *_) = report["policies"]
    assert nearest["name"] == "managers" and nearest["outcome"] == "doesNotApply"
    (failing,) = [it for it in nearest["conditions"] if it["holds"] is not True]
    assert failing["text"] == 'principal.getTag("scope") like "*manager*"'
    assert failing["seen"] == [{"what": "claim `scope`", "value": '"office/clerk"'}]
    assert failing["change"] == 'claim `scope` would have to contain "manager"'
    missing = run("explain", *source, "--claims", "ann.json", "--tool", "Office___transfr", folder=folder)
    assert missing.returncode == 1 and "Did you mean Office___transfer?" in missing.stdout
    for wrong in (["--arguments", "[]"], ["--now", "noon"]):
        assert run("explain", *source, "--claims", "ann.json", "--tool", "x", *wrong, folder=folder).returncode == 2


def test_who_can_what_and_the_matrix_agree(folder):
    source = ["--tools", "tools.json", "--policies", "policies"]
    who = answered(run("who-can", "Office___send_email", *source, "--json", folder=folder))
    assert {it["name"]: it["effect"] for it in who["policies"]} == {"managers": "permit", "rival": "forbid"}
    words = run("who-can", "Office___send_email", *source, folder=folder).stdout
    assert 'claim `scope` has to contain "manager"' in words and "and not by" in words
    assert run("who-can", "Office___send_emial", *source, folder=folder).returncode == 2
    what = answered(run("what-can", *source, "--claims", "bob.yaml", "--json", "--all", folder=folder))
    tools = {it["tool"]: it for it in what["tools"]}
    assert {name: it["access"] for name, it in tools.items()} == {
        "Office___send_email": "conditional",
        "Office___transfer": "conditional",
        "Office___format_report": "denied",
    }
    # What is left is Cedar: what is known of the caller is gone from it.
    (left,) = tools["Office___transfer"]["policies"]
    assert left["condition"] == "context.input.amount < 1000"
    roles = {"ann": {"sub": "ann"}, "bob, the manager": {"sub": "bob", "scope": "office/manager"}}
    roles |= {"board": {"sub": "c", "room": WORD}, "worker": {"role": "arn:aws:iam::000000000000:role/w"}}
    (folder / "roles.json").write_text(json.dumps(roles))
    matrix = answered(run("matrix", *source, "--roles", "roles.json", "--json", folder=folder))
    assert matrix["roles"]["bob, the manager"] == {name: it["access"] for name, it in tools.items()}
    assert matrix["roles"]["board"]["Office___format_report"] == "allowed"
    assert set(matrix["roles"]["worker"].values()) == {"denied"}
    csv = run("matrix", *source, "--roles", "roles.json", "--csv", folder=folder).stdout.splitlines()
    assert csv[0] == 'tool,ann,"bob, the manager",board,worker' and len(csv) == 4
    table = run("matrix", *source, "--roles", "roles.json", folder=folder).stdout
    assert "bob, the manager" in table and "conditional" in table


@pytest.fixture(scope="module")
def office(make):
    """A gateway whose policies bind, and the clients of its pool."""
    pool = make.pool(scopes=("clerk", "manager"), resource_server="office")
    clerk, manager = pool.client("clerk"), pool.client("manager")
    gateway = make.gateway(pool.authorizer(clerk, manager))
    gateway.lambda_target("Office", make.function(), TOOLS)
    engine = make.engine()
    for name, statement in statements(gateway.arn).items():
        engine.policy(statement, name)
    gateway.enforce(engine.arn)
    return gateway, engine, clerk, manager


def calls(gateway, token: str, name: str, **arguments) -> requests.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    head = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return requests.post(gateway.url, json=message, headers=head, timeout=60)


def test_the_command_says_what_the_gateway_does(make, server, office, tmp_path):
    gateway, engine, clerk, manager = office
    at = lambda *arguments: server.run("policy", *arguments, check=False)
    assert 'action "Office___transfer"' in at("schema", "--gateway", gateway.id).stdout
    assert at("schema", "--engine", engine.id).stdout == at("schema", "--gateway", gateway.id).stdout
    for client, name, arguments in [
        (clerk, "Office___send_email", {"to": "a@b.example"}),
        (manager, "Office___send_email", {"to": "a@b.example"}),
        (manager, "Office___send_email", {"to": "a@rival.example"}),
        (clerk, "Office___transfer", {"amount": 999}),
        (clerk, "Office___transfer", {"amount": 1000}),
        (clerk, "Office___format_report", {}),
    ]:
        token = client.token()
        more = ["--token", token, "--tool", name, "--arguments", json.dumps(arguments), "--json"]
        done = at("explain", "--gateway", gateway.id, *more)
        assert token not in done.stdout + done.stderr and token.rsplit(".")[-1] not in done.stdout
        report = json.loads(done.stdout)
        body = calls(gateway, token, name, **arguments).json()
        denied = "AuthorizeActionException" in json.dumps(body)
        assert report["decision"] == ("deny" if denied else "allow"), (report, body)
        assert done.returncode == int(denied)
    who = json.loads(at("who-can", "Office___send_email", "--gateway", gateway.id, "--json").stdout)
    could = {it["client"].split("(")[1].rstrip(")"): it["access"] for it in who["clients"]}
    assert could == {clerk.id: "denied", manager.id: "conditional"}
    matrix = json.loads(at("matrix", "--gateway", gateway.id, "--json").stdout)
    assert len(matrix["roles"]) == 2
    # A candidate, before it is in force.
    (tmp_path / "open.cedar").write_text(statements(gateway.arn)["board"].split(" when ")[0] + ";")
    more = ["--token", clerk.token(), "--tool", "Office___format_report"]
    done = at("explain", "--gateway", gateway.id, "--policies", str(tmp_path), *more)
    assert done.returncode == 0, done.stderr
    assert at("check", str(tmp_path / "open.cedar"), "--gateway", gateway.id).returncode == 0
    assert at("explain", "--gateway", "absent", "--claims", "x", "--tool", "y").returncode == 2


def test_a_denial_explains_itself_to_the_trail_and_to_nobody_else(make, office):
    gateway, engine, clerk, manager = office
    ids = {it["name"]: it["policyId"] for it in engine.server.client("bedrock-agentcore-control").list_policies(
        policyEngineId=engine.id)["policies"]}
    aws_text = "Tool Execution Denied: Tool call not allowed due to policy enforcement [No policy applies to the request (denied by default).]"

    def denied(client, name: str, **arguments) -> dict:
        response = calls(gateway, client.token(), name, **arguments)
        assert aws_text in response.text
        for hidden in [*ids, *ids.values(), "nearest", "getTag", "rival", WORD]:
            assert hidden not in response.text, response.text
        about = lambda it: it.get("requestId") == response.headers.get("x-amzn-requestid")
        (event,) = make.audited(about)
        assert event["decision"] == "deny"
        told = json.dumps(event)
        for value in [WORD, str(AMOUNT), "manager*", "a@b.example", "b@rival.example"]:
            assert value not in told, told
        return event

    # Absent from the list; in the list; forbidden.
    unlisted = denied(clerk, "Office___send_email", to="a@b.example")["reason"]
    assert f"The nearest permit is {ids['managers']}: 4 of its 5 conditions hold" in unlisted
    assert unlisted.endswith('principal.getTag("scope") like ...'), unlisted
    listed = denied(clerk, "Office___transfer", amount=AMOUNT)["reason"]
    assert listed.startswith("No policy applies to the request (denied by default).")
    assert f"The nearest permit is {ids['small']}: 3 of its 4" in listed and listed.endswith("context.input.amount < ...")
    forbidden = denied(manager, "Office___send_email", to="b@rival.example")
    assert forbidden["policies"] == [ids["rival"]] and ids["rival"] in forbidden["reason"]
    secret = denied(clerk, "Office___format_report", title="x")["reason"]
    assert 'principal.hasTag("room")' in secret
