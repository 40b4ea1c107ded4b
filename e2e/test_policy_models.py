"""Policies written by a language model that the operator names, and by the verb of the command line.

The model is a real HTTP server that speaks a published protocol and says what a test has it say; what it says is trusted as
little as what any stranger says.
"""

import base64
import json
import subprocess
from types import SimpleNamespace

import pytest

import echo_service
from portcullis import Server, binary, plain_environment
from scenery import tool
from test_policy_generation import assets_of, settled, start

KEY = "a-key-of-the-model-5d1c"
RULE = "Managers may transfer up to 500."


class Model(echo_service.Echo):
    """Answers the chat completions of OpenAI's protocol with the next line of its script."""

    def do_POST(self):
        self.written_down()
        status, said = self.server.script.pop(0)
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        self.answer(status, json.dumps({"id": "one", "choices": [choice]}).encode())


@pytest.fixture(scope="module")
def model():
    running = echo_service.Service(Model)
    yield running
    running.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("models")
    key = folder / "model.key"
    key.write_text(f"{KEY}\n")
    settings = f"""[policy.generation]
kind = "openai"
url = "{model.url}/v1/chat/completions"
model = "a-model"
api-key-file = "{key}"
retries = 1
"""
    with Server(folder, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def place(make, control):
    pool = make.pool(["manager"])
    gateway = make.gateway(pool.authorizer(pool.client("manager")))
    tools = [tool("transfer", "Moves money.", required=["amount"], amount="integer")]
    gateway.lambda_target("Bank", make.function(), tools)
    engine = make.engine()
    gateway.enforce(engine.arn)
    return SimpleNamespace(gateway=gateway, engine=engine, control=control)


@pytest.fixture(autouse=True)
def clean(model):
    model.http.script = []
    model.seen.clear()


def permit(gateway, condition: str) -> str:
    head = f'principal is AgentCore::OAuthUser, action == AgentCore::Action::"Bank___transfer", resource == AgentCore::Gateway::"{gateway.arn}"'
    return f"permit({head}) when {{ {condition} }};"


def says(*statements, fragment: str = RULE) -> str:
    return json.dumps({"assets": [{"fragment": fragment, "statement": statement} for statement in statements]})


def generated(place, text: str = RULE) -> tuple:
    made = start(place.control, place.gateway, place.engine, text)
    seen = settled(place.control, made)
    return seen, assets_of(place.control, made) if seen["status"] == "GENERATED" else None


def test_what_a_model_writes_is_checked_and_asked_for_again(server, model, place):
    good = permit(place.gateway, 'principal.hasTag("scope") && principal.getTag("scope") == "manager" && context.input.amount <= 500')
    model.http.script = [(200, says(permit(place.gateway, "context.input.amuont < 500"))), (200, says(good))]
    seen, [asset] = generated(place)
    assert seen["status"] == "GENERATED", seen
    assert asset["definition"]["cedar"]["statement"] == good and asset["rawTextFragment"] == RULE
    assert [finding["type"] for finding in asset["findings"]] == ["VALID"]
    first, second = (json.loads(base64.b64decode(request["body"])) for request in model.seen)
    assert first["model"] == "a-model" and "Bank___transfer" in json.dumps(first) and RULE in json.dumps(first)
    # It is told what was wrong with its first try.
    assert "amuont" in json.dumps(second)
    assert all(request["headers"]["authorization"] == f"Bearer {KEY}" for request in model.seen)
    assert KEY not in json.dumps([first, second]) and KEY not in server.log()


def test_a_model_cannot_speak_about_another_gateway(model, place):
    other = permit(place.gateway, "true").replace(place.gateway.arn, place.gateway.arn.replace("gateway/", "gateway/x"))
    model.http.script = [(200, says(other))] * 2
    seen, assets = generated(place)
    assert assets is not None, seen
    assert "definition" not in assets[0] and [finding["type"] for finding in assets[0]["findings"]] == ["INVALID"]


@pytest.mark.parametrize("answer", [(500, "out of order"), (200, "Sure! Here is your policy."), (401, "no")], ids=["down", "chatty", "unknown"])
def test_a_model_that_fails_fails_the_generation(server, model, place, answer):
    model.http.script = [answer] * 4
    seen, _ = generated(place)
    assert seen["status"] == "GENERATE_FAILED" and seen["statusReasons"], seen
    assert KEY not in json.dumps(seen, default=str) and KEY not in server.log()


def piped_to(server, text: str, *verb: str) -> subprocess.CompletedProcess:
    command = [binary(), *verb, "--data-dir", str(server.data_dir)]
    if server.database.url:
        command += ["--database", server.database.url]
    return subprocess.run(command, input=text, env=plain_environment(), capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line_writes_policies(server, model, place, tmp_path):
    """By the model where there is one, by the grammar where that is asked for; and says what it did not understand."""
    good = permit(place.gateway, "context.input.amount <= 500")
    model.http.script = [(200, says(good))]
    verb = ["policy", "generate", RULE, "--gateway", place.gateway.id, "--config", str(server.config_file)]
    shown = server.run(*verb).stdout
    assert good in shown and f"// {RULE}" in shown and "\x1b" not in shown
    sentence = "Allow users with the manager scope to call transfer when amount is less than 500"
    verb[2] = f"{sentence}. Make everybody happy."
    done = server.run(*verb, "--without-model", "--json", check=False)
    assert done.returncode == 1 and "1 of 2" in done.stderr, done
    made, unmade = json.loads(done.stdout)["assets"]
    assert made["fragment"] == sentence and "context.input.amount < 500" in made["statement"]
    assert unmade["statement"] is None and unmade["findings"][0]["type"] == "NOT_TRANSLATABLE"
    # What it prints is a file of policies that the other verbs take.
    file = tmp_path / "made.cedar"
    file.write_text(shown)
    server.run("policy", "check", str(file), "--gateway", place.gateway.id, "--config", str(server.config_file))
    assert len(model.seen) == 1
    # A text may come from another program; one that says nothing is no question for a model.
    verb[2] = "-"
    piped = piped_to(server, f"{sentence}.\n", *verb, "--without-model", "--json")
    assert [asset["fragment"] for asset in json.loads(piped.stdout)["assets"]] == [sentence]
    for nothing in ("", " \n...\n"):
        done = piped_to(server, nothing, *verb)
        assert done.returncode == 2 and "the text says nothing" in done.stderr, done
    done = piped_to(server, "Allow everyone. " * 2_000, *verb)
    assert done.returncode == 2 and "20000" in done.stderr, done
    assert len(model.seen) == 1
    verb[2] = sentence
    wrong = [*verb[:4], "nothing-0123456789", *verb[5:]]
    done = server.run(*wrong, check=False)
    assert done.returncode != 0 and "nothing-0123456789" in done.stderr
