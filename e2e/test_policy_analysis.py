"""What policies do that is hardly meant: found when they are written, and by `portcullis policy analyse`, with a solver
and without one, and with one that hangs."""

import json
import stat
import subprocess
import time

import pytest

from portcullis import binary, plain_environment
from scenery import Scenery, name, tool, until

TAUTOLOGY = "permit(principal, action, resource) when { context.input.amount < 500 || context.input.amount >= 500 };"
# Of this one Cedar's compiler alone does not see that it always holds.
OVERLAP = "permit(principal, action, resource) when { context.input.amount < 500 || context.input.amount > 400 };"
TRANSFER = 'action == AgentCore::Action::"Bank___transfer"'


def bank(server):
    """A gateway with one tool, and its engine."""
    make = Scenery(server)
    gateway = make.gateway("AWS_IAM")
    gateway.lambda_target("Bank", make.function(), [tool("transfer", required=["amount"], amount="integer", to="string")])
    engine = make.engine()
    gateway.enforce(engine.arn)
    return gateway, engine


@pytest.fixture(scope="module")
def own_bank(server):
    return bank(server)


def settled(engine, statement, mode=None, patience=30.0):
    """Creates a policy and gives what became of it."""
    control = engine.server.client("bedrock-agentcore-control")
    more = {"validationMode": mode} if mode else {}
    made = control.create_policy(
        policyEngineId=engine.id,
        name=name("policy").replace("-", "_"),
        definition={"cedar": {"statement": statement}},
        **more,
    )["policyId"]
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=made)
    seen = until("the policy", look, lambda seen: seen["status"] != "CREATING", patience)
    control.delete_policy(policyEngineId=engine.id, policyId=made)
    return seen


def refused(seen) -> str:
    assert seen["status"] == "CREATE_FAILED", seen
    return " ".join(seen["statusReasons"])


def test_a_tautology_is_refused(own_bank):
    gateway, engine = own_bank
    scoped = f'permit(principal, {TRANSFER}, resource == AgentCore::Gateway::"{gateway.arn}")'
    for statement in (
        TAUTOLOGY,
        OVERLAP,
        f"{scoped} when {{ context.input.amount < 500 || context.input.amount > 400 }};",
    ):
        assert refused(settled(engine, statement)).startswith("Overly Permissive: "), statement
        assert settled(engine, statement, "IGNORE_ALL_FINDINGS")["status"] == "ACTIVE"
    never = f"{scoped} when {{ context.input.amount < 5 && context.input.amount > 10 }};"
    assert refused(settled(engine, never)).startswith("Ineffective: ")
    assert settled(engine, f"{scoped} when {{ context.input.amount < 5 }};")["status"] == "ACTIVE"
    assert settled(engine, f"{scoped};")["status"] == "ACTIVE"


def test_an_update_is_held_to_the_same(own_bank):
    gateway, engine = own_bank
    control = engine.server.client("bedrock-agentcore-control")
    sound = f'permit(principal, {TRANSFER}, resource == AgentCore::Gateway::"{gateway.arn}") when {{ context.input.amount < 5 }};'
    made = engine.policy(sound, name("policy").replace("-", "_"))
    control.update_policy(policyEngineId=engine.id, policyId=made, definition={"cedar": {"statement": OVERLAP}})
    look = lambda: control.get_policy(policyEngineId=engine.id, policyId=made)
    seen = until("the policy", look, lambda seen: seen["status"] != "UPDATING")
    assert seen["status"] == "UPDATE_FAILED" and seen["statusReasons"][0].startswith("Overly Permissive: "), seen
    control.delete_policy(policyEngineId=engine.id, policyId=made)


def test_what_needs_no_solver_does_not_depend_on_one(start_server):
    server = start_server(settings='[policy]\nsolver = "off"')
    _, engine = bank(server)
    assert refused(settled(engine, TAUTOLOGY)).startswith("Overly Permissive: ")
    assert settled(engine, TAUTOLOGY, "IGNORE_ALL_FINDINGS")["status"] == "ACTIVE"
    # Not decided, and therefore not held against it.
    assert settled(engine, OVERLAP)["status"] == "ACTIVE"


def test_a_required_solver_that_is_missing_is_named(start_server):
    server = start_server(arguments=["--policy-solver", "required", "--solver-program", "/nowhere/cvc5"])
    _, engine = bank(server)
    assert "the solver `/nowhere/cvc5` could not be started" in refused(settled(engine, OVERLAP))
    assert settled(engine, OVERLAP, "IGNORE_ALL_FINDINGS")["status"] == "ACTIVE"
    assert refused(settled(engine, TAUTOLOGY)).startswith("Overly Permissive: ")


def test_a_solver_that_hangs_holds_nobody_up(start_server, tmp_path):
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    settings = f'[policy]\nsolver-program = "{program}"\nsolver-seconds = 1'
    server = start_server(settings=settings, environment={"PORTCULLIS_POLICY_SOLVER": "required"})
    _, engine = bank(server)
    began = time.monotonic()
    assert "did not answer in time" in refused(settled(engine, OVERLAP))
    assert time.monotonic() - began < 20


TRAP = (
    "permit(principal is AgentCore::OAuthUser, {action}, {gateway}) when {{ "
    'principal.hasTag("scope") && principal.getTag("scope") like "*manager*" && context.input.amount < 5 }};'
)


def test_the_verb_finds_what_is_hardly_meant(own_bank, tmp_path):
    gateway, engine = own_bank
    here = f'resource == AgentCore::Gateway::"{gateway.arn}"'
    files = {
        "trap": TRAP.format(action=TRANSFER, gateway=here),
        "wide": f"permit(principal, {TRANSFER}, {here}) when {{ context.input.amount < 1000 }};",
        "narrow": f"permit(principal, {TRANSFER}, {here}) when {{ context.input.amount < 10 }};",
        "large": f"permit(principal, {TRANSFER}, {here}) when {{ context.input.amount > 5000 }};",
        "never": f"forbid(principal, {TRANSFER}, {here}) when {{ context.input.amount > 4000 }};",
    }
    for file, text in files.items():
        (tmp_path / f"{file}.cedar").write_text(text)
    run = engine.server.run
    told = run("policy", "analyse", "--gateway", gateway.id, "--json", str(tmp_path))
    report = json.loads(told.stdout)
    found = {(it["policy"], it["kind"]): it for it in report["findings"]}
    # The gateway's callers sign: nobody has a token, and whatever the trap permits, `wide` does.
    assert set(found) == {
        ("trap", "ABSENT_PRINCIPAL"),
        ("trap", "PART_OF_WORD"),
        ("trap", "SHADOWED"),
        ("narrow", "SHADOWED"),
        ("large", "CONTRADICTED"),
    }, found
    assert report["open"] == [] and report["blocking"] == 0
    trap = found["trap", "PART_OF_WORD"]
    assert trap["severity"] == "advice"
    assert trap["witness"]["principal"]["tags"] == {"scope": "not-manager"}
    assert trap["witness"]["context"]["input"]["amount"] < 5
    (tmp_path / "trap.cedar").write_text(trap["correction"]["statement"])
    again = json.loads(run("policy", "analyze", "--gateway", gateway.id, "--json", str(tmp_path)).stdout)
    assert not any(it["kind"] == "PART_OF_WORD" for it in again["findings"])
    assert found["large", "CONTRADICTED"]["witness"]["context"]["input"]["amount"] > 5000
    assert found["narrow", "SHADOWED"]["correction"] == {"action": "remove"}

    shown = run("policy", "analyse", "--gateway", gateway.id, str(tmp_path)).stdout
    assert "SHADOWED" in shown and '"amount"' in shown


def test_the_verb_fails_for_what_blocks(own_bank, tmp_path):
    _, engine = own_bank
    schema = tmp_path / "schema.cedarschema"
    schema.write_text(engine.server.run("policy", "schema", "--engine", engine.id).stdout)
    (tmp_path / "all.cedar").write_text(OVERLAP)
    (tmp_path / "wrong.cedar").write_text("permit(principal, action, resource) when { context.input.nothing == 1 };")
    told = engine.server.run("policy", "analyse", "--schema", str(schema), "--json", str(tmp_path), check=False)
    assert told.returncode == 1, told.stderr
    report = json.loads(told.stdout)
    kinds = sorted({(it["policy"], it["kind"], it["severity"]) for it in report["findings"]})
    assert kinds == [("all", "ALLOW_ALL", "blocking"), ("wrong", "INVALID", "blocking")], report
    assert "3 findings keep policies from being accepted" in told.stderr
    # Without a solver it is said that it is not known.
    (tmp_path / "wrong.cedar").unlink()
    without = ["policy", "analyse", "--schema", str(schema), "--policy-solver", "off", str(tmp_path)]
    told = engine.server.run(*without)
    assert "No findings." in told.stdout and "not known whether the policy" in told.stderr


def test_a_formula_that_would_not_end_holds_nobody_up(own_bank):
    gateway, engine = own_bank
    deep = "context.input.amount"
    for _ in range(20):
        deep = f"-({deep})"
    scoped = f'permit(principal, {TRANSFER}, resource == AgentCore::Gateway::"{gateway.arn}")'
    for _ in range(3):
        assert settled(engine, f"{scoped} when {{ {deep} == 1 }};", patience=10)["status"] == "ACTIVE"
    assert settled(engine, f"{scoped} when {{ context.input.amount < 7 }};", patience=10)["status"] == "ACTIVE"


def analysed(folder, *arguments, **environment):
    """The verb on files alone, for which no server is there."""
    command = [binary(), "policy", "analyse", "--tools", "tools.json", *arguments]
    environment = {**plain_environment(), **environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path):
    """One tool, and a policy of which only a solver knows what it does."""
    listed = {"name": "Bank___transfer", "inputSchema": tool("transfer", required=["amount"], amount="integer")["inputSchema"]}
    (tmp_path / "tools.json").write_text(json.dumps({"tools": [listed]}))
    (tmp_path / "narrow.cedar").write_text("permit(principal, action, resource) when { context.input.amount < 5 };")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_required_proof_that_is_not_there_fails(folder):
    assert analysed(folder, "narrow.cedar", "--policy-solver", "required").returncode == 0
    # A solver that systems have elsewhere is not one that is in PATH.
    nowhere = {"PATH": str(folder / "empty")}
    done = analysed(folder, "narrow.cedar", "--policy-solver", "required", **nowhere)
    assert done.returncode == 2 and "could not be decided" in done.stderr, done.stderr
    assert "it is in no folder of PATH" in done.stderr and "not known whether the policy" in done.stderr
    done = analysed(folder, "narrow.cedar", **nowhere)
    assert done.returncode == 0 and "not known whether the policy" in done.stderr, done.stderr


def test_more_than_can_be_looked_at_in_time_is_undecided_and_not_endless(folder):
    many = [
        'permit(principal, action == AgentCore::Action::"Bank___transfer", resource == AgentCore::Gateway::"arn:x") '
        f"when {{ context.input.amount == {number} }};"
        for number in range(200)
    ]
    (folder / "many.cedar").write_text("\n".join(many))
    began = time.monotonic()
    done = analysed(folder, "many.cedar", "--budget", "1", "--policy-solver", "required")
    assert time.monotonic() - began < 60
    assert done.returncode == 2 and ("could not be decided" in done.stderr or "no time left" in done.stderr), done.stderr


def test_a_forbid_that_overflows_denies(folder):
    # As a gateway has it: for amounts so large the product is no number, and nobody can say that it is not forbidden.
    (folder / "narrow.cedar").write_text("permit(principal, action, resource) when { context.input.amount > 9223372036854775 };")
    product = "forbid(principal, action, resource) when { context.input.amount > 0 && context.input.amount * 1000 < 0 };"
    (folder / "product.cedar").write_text(product)
    report = json.loads(analysed(folder, "--json", "narrow.cedar", "product.cedar").stdout)
    assert ("narrow", "CONTRADICTED") in {(it["policy"], it["kind"]) for it in report["findings"]}, report
