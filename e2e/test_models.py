"""Models by Bedrock's names: boto3's `bedrock-runtime` and the model of Strands, unmodified, over an endpoint of the operator's.

The endpoint is a real HTTP server that speaks OpenAI's protocol, and scripted: no model runs in these tests.
"""

import base64
import json
import time

import pytest
from botocore.exceptions import ClientError, EventStreamError

import openai_endpoint
from portcullis import Server, pointed_at
from scenery import allow, name

KEY = "a-key-of-the-endpoint-77e0"
MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
ARN = f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}"
TOOL = {"toolSpec": {"name": "double", "description": "Doubles.", "inputSchema": {"json": {"type": "object", "properties": {"value": {"type": "integer"}}}}}}


@pytest.fixture(scope="module")
def endpoint():
    running = openai_endpoint.started()
    yield running
    running.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory, endpoint):
    folder = tmp_path_factory.mktemp("models")
    (folder / "model.key").write_text(f"{KEY}\n")
    settings = f"""[model]
url = "{endpoint.url}/v1/chat/completions"
model = "small"
api-key-file = "{folder / "model.key"}"
timeout-seconds = 2

[model.models]
"amazon.nova-pro-v1:0" = "large"
"""
    with Server(folder, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def runtime(server):
    return server.client("bedrock-runtime")


@pytest.fixture(autouse=True)
def clean(endpoint):
    endpoint.seen.clear()


def user(text: str) -> dict:
    return {"role": "user", "content": [{"text": text}]}


def asked(endpoint) -> dict:
    return json.loads(base64.b64decode(endpoint.seen[-1]["body"]))


def test_a_model_answers_in_bedrocks_words(server, runtime, endpoint):
    answer = runtime.converse(
        modelId=MODEL,
        messages=[user("hello")],
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 100, "temperature": 0.2, "stopSequences": ["END"]},
    )
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "you said hello"}]}
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
    assert answer["metrics"]["latencyMs"] >= 0 and answer["ResponseMetadata"]["RequestId"]
    sent = asked(endpoint)
    assert sent["model"] == "small" and sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["max_tokens"] == 100 and sent["stop"] == ["END"]
    assert endpoint.seen[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    assert KEY not in server.log()
    # The operator says which of the endpoint's models a model's name means.
    runtime.converse(modelId="amazon.nova-pro-v1:0", messages=[user("hello")])
    assert asked(endpoint)["model"] == "large"
    short = runtime.converse(modelId=MODEL, messages=[user("hello")], inferenceConfig={"maxTokens": 1})
    assert short["stopReason"] == "max_tokens"


def test_a_tool_is_called_and_told_about(runtime, endpoint):
    messages = [user("double it")]
    answer = runtime.converse(modelId=MODEL, messages=messages, toolConfig={"tools": [TOOL], "toolChoice": {"auto": {}}})
    assert answer["stopReason"] == "tool_use"
    [block] = answer["output"]["message"]["content"]
    assert block["toolUse"] == {"toolUseId": "call-1", "name": "double", "input": {"value": 7}}
    result = {"toolUseId": "call-1", "content": [{"json": {"doubled": 14}}], "status": "success"}
    messages += [answer["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    answer = runtime.converse(modelId=MODEL, messages=messages, toolConfig={"tools": [TOOL]})
    assert answer["output"]["message"]["content"] == [{"text": 'the tool said {"doubled":14}'}]
    assert [message["role"] for message in asked(endpoint)["messages"]] == ["user", "assistant", "tool"]


def test_a_stream_comes_as_it_is_said(runtime):
    began = time.monotonic()
    stream = runtime.converse_stream(modelId=MODEL, messages=[user("one two three slowly")])["stream"]
    events, first = [], None
    for event in stream:
        events.append(event)
        if "contentBlockDelta" in event and first is None:
            first = time.monotonic() - began
    whole = time.monotonic() - began
    assert [next(iter(event)) for event in events if "contentBlockDelta" not in event] == [
        "messageStart", "contentBlockStop", "messageStop", "metadata",
    ]
    said = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    assert said.strip() == "you said one two three slowly"
    assert whole - first > 0.8, "the first words came long before the last"
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 16


def test_a_stream_that_breaks_says_so(runtime):
    stream = runtime.converse_stream(modelId=MODEL, messages=[user("break off now")])["stream"]
    with pytest.raises(EventStreamError) as broken:
        list(stream)
    assert broken.value.response["Error"]["Code"] == "modelStreamErrorException"


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("throttle", "ThrottlingException", 429),
        ("refuse", "ValidationException", 400),
        ("absent", "ResourceNotFoundException", 404),
        ("broken", "ModelErrorException", 424),
        ("unknown key", "ServiceUnavailableException", 503),
        ("sleep", "ModelTimeoutException", 408),
    ],
)
def test_what_the_endpoint_refuses_has_bedrocks_name(server, runtime, text, code, status):
    for ask in (runtime.converse, runtime.converse_stream):
        with pytest.raises(ClientError) as refused:
            ask(modelId=MODEL, messages=[user(text)])
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert KEY not in str(refused.value)
    assert KEY not in server.log()


def test_what_is_not_promised_is_refused_by_name(runtime, endpoint):
    for more, word in [
        ({"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}}, "guardrailConfig"),
        ({"additionalModelRequestFields": {"top_k": 5}}, "additionalModelRequestFields"),
    ]:
        with pytest.raises(ClientError, match=word) as refused:
            runtime.converse(modelId=MODEL, messages=[user("hello")], **more)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as unknown:
        runtime.invoke_model(modelId=MODEL, body=b"{}")
    assert unknown.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert endpoint.seen == []


def test_a_boundary_and_tags_of_the_caller_count(server, make, endpoint):
    iam, caller = server.client("iam"), make.user(allow("bedrock:*", StringEquals={"aws:PrincipalTag/team": "models"}))
    client = caller.client("bedrock-runtime")

    def is_denied():
        with pytest.raises(ClientError) as denied:
            client.converse(modelId=MODEL, messages=[user("hello")])
        assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
        return str(denied.value)

    is_denied()
    iam.tag_user(UserName=caller.name, Tags=[{"Key": "team", "Value": "models"}])
    assert client.converse(modelId=MODEL, messages=[user("hello")])["stopReason"] == "end_turn"
    bound = iam.create_policy(PolicyName=name("bound"), PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=caller.name, PermissionsBoundary=bound)
    assert "no permissions boundary allows" in is_denied()
    assert len(endpoint.seen) == 1


def test_policies_decide_who_calls_which_model(server, make, endpoint):
    nobody = make.user().client("bedrock-runtime")
    one = make.user(allow("bedrock:InvokeModel", resource=ARN)).client("bedrock-runtime")
    both = make.user(allow("bedrock:InvokeModelWithResponseStream", resource="arn:aws:bedrock:*:*:inference-profile/us.*")).client("bedrock-runtime")
    profile = "us.anthropic.claude-sonnet-4-20250514-v1:0"
    for client, operation, model in [
        (nobody, "converse", MODEL),
        (one, "converse_stream", MODEL),
        (one, "converse", "amazon.nova-pro-v1:0"),
        (one, "converse", profile),
        (both, "converse_stream", MODEL),
    ]:
        with pytest.raises(ClientError) as denied:
            getattr(client, operation)(modelId=model, messages=[user("hello")])
        assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
        assert "bedrock:InvokeModel" in str(denied.value)
    assert endpoint.seen == [], "the endpoint heard nothing of it"
    assert one.converse(modelId=MODEL, messages=[user("hello")])["stopReason"] == "end_turn"
    assert list(both.converse_stream(modelId=profile, messages=[user("hello")])["stream"])
    with pytest.raises(ClientError) as unknown:
        server.client("bedrock-runtime", "AKIAIOSFODNN7EXAMPLE", "wrong").converse(modelId=MODEL, messages=[user("hello")])
    assert unknown.value.response["Error"]["Code"] == "UnrecognizedClientException"
    trail = server.run("audit", "tail", "--json").stdout
    assert "bedrock:InvokeModel" in trail and ARN in trail and "you said" not in trail


@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_of_strands_uses_it_as_bedrock(server, streaming):
    from strands import Agent, tool
    from strands.models import BedrockModel

    seen = []

    @tool
    def double(value: int) -> int:
        """Doubles a number."""
        seen.append(value)
        return value * 2

    with pointed_at(server):
        agent = Agent(model=BedrockModel(model_id=MODEL, streaming=streaming), tools=[double], callback_handler=None)
        answer = agent("double seven")
    assert seen == [7]
    assert "the tool said" in str(answer) and "14" in str(answer)


def test_without_a_model_there_is_none(start_server):
    own = start_server()
    with pytest.raises(ClientError, match="No model is configured") as refused:
        own.client("bedrock-runtime").converse(modelId=MODEL, messages=[user("hello")])
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
