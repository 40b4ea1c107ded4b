"""One trace from a caller to what it called, in the spans and in the audit trail: W3C Trace Context in and out of every
plane, with or without a collector."""

import contextlib
import csv
import json
import re
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

import echo_service
from canaries import Canaries
from collector import Collector
from outbound import api_key, oauth, with_credential
from portcullis import ACCOUNT, REGION, Server
from runtimes import RUNTIME_TRUST, by_url, runtime
from scenery import Scenery, allow, audited, name, tool, until
from wire import Wire

SPAN = "b7ad6b7169203331"


def parent(trace: str, flags: str = "01") -> str:
    return f"00-{trace}-{SPAN}-{flags}"


def new_trace() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    """A server with a collector."""
    with Server(tmp_path_factory.mktemp("traces"), environment=collector.environment) as own:
        yield own


def spans_of(collector, trace: str, least: int = 1) -> list:
    look = lambda: [span for span in collector.spans if span.trace == trace]
    return until("the spans", look, lambda seen: len(seen) >= least)


def found_by_trace(server: Server, trace: str, least: int = 1) -> list:
    """What `audit query --trace-id` finds, as soon as there is enough of it."""
    look = lambda: server.run("audit", "query", "--json", "--trace-id", trace).stdout.splitlines()
    return [json.loads(line) for line in until("the events", look, lambda seen: len(seen) >= least)]


def test_a_request_to_a_gateway_is_found_by_its_trace(server, traced, collector):
    """With a collector the event names this server's span, and without one the caller's."""
    for where in (traced, server):
        gateway, trace = Scenery(where).gateway(), new_trace()
        wire = Wire(gateway.url)
        wire.post(wire.message("ping"), traceparent=parent(trace))
        wire.post(wire.message("ping"), traceparent=parent(trace).upper())
        [event] = found_by_trace(where, trace.upper())
        assert event["action"] == "ping" and event["resource"] == gateway.arn
        assert event["call"]["trace"]["traceId"] == trace
        if where is server:
            assert event["call"]["trace"]["spanId"] == SPAN
        else:
            [span] = spans_of(collector, trace)
            assert event["call"]["trace"]["spanId"] == span.id
            assert event["requestId"] == span.attributes["aws.request.id"]
    others = audited(server, lambda event: event.get("resource") == gateway.arn and event["action"] == "ping", 2)
    assert [event for event in others if "trace" not in event["call"]], "what is wrong is no trace"
    exported = server.run("audit", "export", "--format", "cloudtrail", "--trace-id", trace).stdout
    [record] = json.loads(exported)["Records"]
    assert record["additionalEventData"]["portcullis"]["trace_id"] == trace
    assert record["additionalEventData"]["portcullis"]["span_id"] == SPAN
    [row] = csv.DictReader(server.run("audit", "query", "--csv", "--trace-id", trace).stdout.splitlines())
    assert row["traceId"] == trace and row["action"] == "ping"
    assert server.run("audit", "verify").returncode == 0
    refused = server.run("audit", "query", "--trace-id", "geheim*", check=False)
    assert refused.returncode != 0 and "32 hexadecimal digits" in refused.stderr


def within(client, trace: str, **more: str):
    """A client of boto3 whose calls belong to a trace."""

    def add(request, **_):
        for header, value in {"traceparent": parent(trace), **more}.items():
            request.headers[header] = value

    client.meta.events.register("before-sign", add)
    return client


def test_a_change_of_the_control_plane_is_a_span_and_is_found_by_it(traced, collector):
    trace = new_trace()
    control = within(traced.client("bedrock-agentcore-control"), trace, tracestate="vendor=opaque")
    made = control.create_workload_identity(name=name("workload"))
    [span] = spans_of(collector, trace)
    assert (span.name, span.kind, span.parent) == ("AgentCore.Control.CreateWorkloadIdentity", "SERVER", SPAN)
    assert span.state == "vendor=opaque" and not span.failed
    says = span.attributes
    assert says["aws.operation.name"] == "CreateWorkloadIdentity"
    assert says["aws.resource.arn"] == made["workloadIdentityArn"]
    assert says["aws.account.id"] == ACCOUNT and says["aws.region"] == REGION
    assert says["aws.request.id"] == made["ResponseMetadata"]["RequestId"] and says["http.response.status_code"] == 201
    assert says["latency_ms"] > 0 and "error_type" not in says
    [event] = found_by_trace(traced, trace)
    assert event["call"]["trace"] == {"traceId": trace, "spanId": span.id}
    assert event["requestId"] == says["aws.request.id"]


def test_without_a_collector_events_name_the_callers_span(server):
    trace = new_trace()
    within(server.client("iam"), trace).create_user(UserName=name("traced"))
    with pytest.raises(ClientError):
        within(server.client("iam"), trace).delete_user(UserName=name("nobody"))
    events = found_by_trace(server, trace, 2)
    assert {event["action"] for event in events} == {"iam:CreateUser", "iam:DeleteUser"}
    assert all(event["call"]["trace"] == {"traceId": trace, "spanId": SPAN} for event in events)
    # An API of which this server makes no span.
    stored = new_trace()
    within(server.client("s3"), stored).create_bucket(
        Bucket=name("traced"), CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    [event] = found_by_trace(server, stored)
    assert event["action"] == "s3:CreateBucket" and event["call"]["trace"]["spanId"] == SPAN
    plain = name("plain")
    server.client("iam").create_user(UserName=plain)
    [event] = audited(server, lambda event: (event.get("resource") or "").endswith(f"/{plain}"))
    assert "trace" not in event["call"], "there is no trace where nobody began one"


def test_what_identity_gives_out_is_told_without_what_it_gives(traced, collector):
    make, canaries, trace = Scenery(traced), Canaries(), new_trace()
    control, data = traced.client("bedrock-agentcore-control"), within(traced.client("bedrock-agentcore"), trace)
    workload, key = name("workload"), canaries.plant("the key of a provider")
    control.create_workload_identity(name=workload)
    provider = api_key(traced, key)["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"]
    pool = make.pool()
    client = pool.client("invoke")
    oauth2 = oauth(traced, pool, client)["credentialProvider"]["oauthCredentialProvider"]["providerArn"]

    user = canaries.plant("a user's id")
    jwt = client.token()
    by_id = data.get_workload_access_token_for_user_id(workloadName=workload, userId=user)["workloadAccessToken"]
    by_jwt = data.get_workload_access_token_for_jwt(workloadName=workload, userToken=jwt)["workloadAccessToken"]
    own = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    given = data.get_resource_api_key(
        workloadIdentityToken=own, resourceCredentialProviderName=provider.rpartition("/")[2]
    )
    assert given["apiKey"] == key
    token = data.get_resource_oauth2_token(
        workloadIdentityToken=own,
        resourceCredentialProviderName=oauth2.rpartition("/")[2],
        scopes=client.scopes,
        oauth2Flow="M2M",
    )["accessToken"]
    with pytest.raises(ClientError):
        data.get_resource_api_key(workloadIdentityToken=own, resourceCredentialProviderName="nothing")

    spans = spans_of(collector, trace, 6)
    assert {span.kind for span in spans} == {"SERVER"} and {span.parent for span in spans} == {SPAN}
    told = {span.name.removeprefix("AgentCore.Identity."): span.attributes for span in spans if not span.failed}
    asked = ("GetWorkloadAccessToken", "GetWorkloadAccessTokenForJWT", "GetWorkloadAccessTokenForUserId")
    assert set(told) == {*asked, "GetResourceApiKey", "GetResourceOauth2Token"}
    for operation, says in told.items():
        assert says["aws.operation.name"] == operation and says["workload.identity.id"] == workload
        assert says["workload.identity.directory"] == "default" and says["aws.request_id"] == says["aws.request.id"]
    assert told["GetWorkloadAccessToken"]["aws.resource.arn"].endswith(f"/workload-identity/{workload}")
    by_token = told["GetWorkloadAccessTokenForJWT"]
    assert by_token["issuer"] == pool.issuer and by_token["user_sub"] == client.id
    assert "user_sub" not in told["GetWorkloadAccessTokenForUserId"]
    of_key, of_token = told["GetResourceApiKey"], told["GetResourceOauth2Token"]
    assert of_key["aws.resource.arn"] == provider and of_key["credential.provider.type"] == "API Key"
    assert of_token["credential.provider.name"] == oauth2.rpartition("/")[2]
    assert of_token["token.vault.name"] == "default"
    assert of_token["credential.provider.type"] == "OAuth2" and of_token["oauth2.flow"] == "M2M"
    [failed] = [span.attributes for span in spans if span.failed]
    assert failed["error_type"] == "user" and failed["exception.type"] == "ResourceNotFoundException"
    assert failed["http.response.status_code"] == 404

    # Each leaves a record of the same trace, too.
    look = lambda: [it for it in collector.logs if it.trace == trace]
    records = until("the records", look, lambda seen: len(seen) >= 6)
    assert {it.attributes["service_name"] for it in records} == {"BedrockAgentCore.Identity"}
    said = {it.attributes["operation"]: it for it in records if not it.body["isError"]}
    assert set(said) == set(told) and {it.span for it in records} == {span.id for span in spans}
    record = said["GetResourceApiKey"]
    assert record.attributes["resource_arn"] == provider and record.attributes["account_id"] == ACCOUNT
    assert record.attributes["request_id"] == of_key["aws.request_id"]
    assert record.body["log"] == "Successfully processed GetResourceApiKey"
    assert record.body["credential.provider.name"] == of_key["credential.provider.name"]
    [refused] = [it for it in records if it.body["isError"]]
    assert refused.body["log"] == "Failed to process GetResourceApiKey (ResourceNotFoundException)"

    everything = b"\n".join(collector.bodies)
    assert canaries.found(everything) == []
    assert not [it for it in (jwt, by_id, by_jwt, own, token) if it.encode() in everything]


def test_what_a_gateway_asks_of_the_vault_is_told(traced, collector):
    """A target with a key: what asked for it is a part of the call, of each of two in one request, too."""
    make, canaries, trace = Scenery(traced), Canaries(), new_trace()
    key = canaries.plant("the service's key")
    service = echo_service.Service()
    try:
        gateway = make.gateway("NONE", roleArn=make.vault_role())
        document = {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}
        provider = api_key(traced, key)
        assert with_credential(gateway, "Echo", document, provider)["status"] == "READY"
        wire = Wire(gateway.url, version="2025-03-26")
        call = {"name": "Echo___echo", "arguments": {"id": "1", "amount": 1, "note": "x"}}
        batch = [wire.message("tools/call", call) for _ in range(2)]
        answers = wire.post(batch, traceparent=parent(trace))
        assert not [it for it in answers.json() if it["result"].get("isError")], answers.text
    finally:
        service.end()
    spans = spans_of(collector, trace, 6)
    kinds = {kind: [span for span in spans if span.kind == kind] for kind in ("SERVER", "CLIENT", "INTERNAL")}
    assert {kind: len(found) for kind, found in kinds.items()} == {"SERVER": 2, "CLIENT": 2, "INTERNAL": 2}
    calls = {span.id for span in kinds["SERVER"]}
    assert {span.parent for span in kinds["INTERNAL"]} == {span.parent for span in kinds["CLIENT"]} == calls
    for span in kinds["INTERNAL"]:
        arn = provider["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"]
        assert span.name == "AgentCore.Identity.GetResourceApiKey" and span.attributes["aws.resource.arn"] == arn
        assert span.attributes["credential.provider.name"] == arn.rpartition("/")[2]
        assert span.attributes["workload.identity.id"] and span.attributes["gateway.id"] == gateway.id
        assert span.attributes["credential.provider.type"] == "API Key" and not span.failed
    assert canaries.found(b"\n".join(collector.bodies)) == []


def test_strangers_and_the_denied_are_told_apart(traced, collector):
    """Nobody's key, a caller without a policy, and a trace that its caller does not record."""
    nobody, denied, quiet = new_trace(), new_trace(), new_trace()
    stranger = traced.client("iam", key="AKIAIOSFODNN7EXAMPLE", secret="x" * 40)
    powerless = Scenery(traced).user().client("bedrock-agentcore-control")
    for client, trace in ((stranger, nobody), (powerless, denied)):
        with pytest.raises(ClientError):
            call = within(client, trace)
            call.list_users() if client is stranger else call.create_workload_identity(name="mine")
    [span] = spans_of(collector, nobody)
    assert span.name == "iam" and span.failed and "aws.account.id" not in span.attributes
    assert "AKIA" not in json.dumps(span.attributes)
    [span] = spans_of(collector, denied)
    assert span.attributes["exception.type"] == "AccessDeniedException" and span.attributes["error_type"] == "user"
    [event] = found_by_trace(traced, denied)
    assert event["decision"] == "deny" and event["call"]["trace"]["spanId"] == span.id
    requests.post(traced.endpoint, headers={"traceparent": parent(quiet, "00")}, data="Action=ListUsers", timeout=10)
    loud = new_trace()
    within(traced.client("sts"), loud).get_caller_identity()
    assert spans_of(collector, loud)[0].name == "sts.GetCallerIdentity"
    assert not [span for span in collector.spans if span.trace == quiet]


TRACING = '''
import os
import time
def lambda_handler(event, context):
    """Tells the trace that it was called in."""
    time.sleep(event.get("waits", 0))
    return os.environ.get("_X_AMZN_TRACE_ID")
'''


def test_a_function_is_invoked_in_the_trace_of_who_invokes_it(traced, collector):
    function, trace = Scenery(traced).function(TRACING), new_trace()
    invoke = within(traced.client("lambda"), trace).invoke
    seen = json.loads(invoke(FunctionName=function)["Payload"].read())
    [span] = spans_of(collector, trace)
    assert seen == amazon(trace, span.id)
    # Who does not wait for the answer is told of, too: the call goes on to its end.
    leaves, impatient = new_trace(), Config(read_timeout=1, retries={"max_attempts": 0})
    with pytest.raises(ReadTimeoutError):
        invoke = within(traced.client("lambda", config=impatient), leaves).invoke
        invoke(FunctionName=function, Payload=json.dumps({"waits": 4}))
    [span] = spans_of(collector, leaves)
    assert span.name == "lambda.Invoke" and not span.failed
    assert span.attributes["http.response.status_code"] == 200 and span.attributes["latency_ms"] > 3_000


class Listener:
    """An agent that remembers the headers of what it is asked, and answers with events when it is asked to."""

    def __init__(self):
        self.seen, agent = [], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                agent.seen.append({key.lower(): value for key, value in self.headers.items()})
                asked = json.loads(body or b"{}")
                if asked.get("breaks"):
                    self.answer(200, "text/event-stream", b"data: 1\n\n", promised=1000)
                    self.close_connection = True
                    return
                if asked.get("waits"):
                    time.sleep(asked["waits"])
                self.answer(500 if asked.get("fails") else 200, "application/json", b"{}")

            def answer(self, status, kind, body, promised=0):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(promised or len(body)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def listener():
    running = Listener()
    yield running
    running.close()


@pytest.fixture(scope="module")
def invoked(traced, listener):
    """A runtime for callers with tokens, and one of them."""
    make = Scenery(traced)
    pool = make.pool()
    client = pool.client("invoke")
    return runtime(make, by_url(listener.url), authorizerConfiguration=pool.authorizer(client)), client


def amazon(trace: str, span: str) -> str:
    return f"Root=1-{trace[:8]}-{trace[8:]};Parent={span};Sampled=1"


def test_an_invocation_is_a_span_and_the_agent_is_called_within_it(traced, collector, listener, invoked):
    agent, client = invoked
    trace, session = new_trace(), f"session-{new_trace()}"
    headers = {"traceparent": parent(trace), "tracestate": "vendor=opaque"}
    answer = agent.post({"secret": "geheim"}, client.token(), session, headers=headers)
    assert answer.status_code == 200, answer.text
    [span] = spans_of(collector, trace)
    assert (span.name, span.kind, span.parent) == ("AgentCore.Runtime.Invoke", "SERVER", SPAN) and not span.failed
    seen = listener.seen[-1]
    assert seen["traceparent"] == f"00-{trace}-{span.id}-01" and seen["tracestate"] == "vendor=opaque"
    assert seen["x-amzn-trace-id"] == amazon(trace, span.id)
    says = span.attributes
    assert says.pop("latency_ms") > 0
    request_id = answer.headers["x-amzn-requestid"]
    assert says == {
        "aws.operation.name": "InvokeAgentRuntime",
        "aws.resource.arn": agent.arn,
        "aws.request.id": request_id,
        "aws.request_id": request_id,
        "aws.agent.id": agent.id,
        "aws.endpoint.name": "DEFAULT",
        "aws.account.id": ACCOUNT,
        "aws.region": REGION,
        "aws.resource.type": "AWS::BedrockAgentCore::Runtime",
        "aws.xray.origin": "AWS::BedrockAgentCore::Runtime",
        "session.id": session,
        "http.response.status_code": 200,
    }
    [event] = found_by_trace(traced, trace)
    assert event["kind"] == "runtime" and event["call"]["trace"] == {"traceId": trace, "spanId": span.id}
    # Without a caller's trace the agent is in one that begins here, and what is wrong is ignored.
    for given in ({}, {"traceparent": "00-nonsense", "tracestate": "a=b"}):
        agent.post({}, client.token(), headers=given)
        seen = listener.seen[-1]
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", seen["traceparent"]) and "tracestate" not in seen
    # A trace of X-Ray's that is another is the caller's own business; the same one goes on.
    same, other = amazon(trace, SPAN), amazon(new_trace(), SPAN)
    for given, passes in ((same, False), (other, True)):
        agent.post({}, client.token(), headers={"traceparent": parent(trace), "X-Amzn-Trace-Id": given})
        assert (listener.seen[-1]["x-amzn-trace-id"] == given) is passes


def test_an_invocation_that_fails_says_how(traced, collector, listener, invoked):
    agent, client = invoked
    fails, refused, breaks, leaves = (new_trace() for _ in range(4))
    assert agent.post({"fails": True}, client.token(), headers={"traceparent": parent(fails)}).status_code == 424
    assert agent.post({}, "nonsense", headers={"traceparent": parent(refused)}).status_code == 401
    with pytest.raises(requests.RequestException):
        agent.post({"breaks": True}, client.token(), headers={"traceparent": parent(breaks)})
    with pytest.raises(requests.Timeout):
        agent.post({"waits": 3}, client.token(), headers={"traceparent": parent(leaves)}, timeout=1)
    for trace, error, status in (
        (fails, "RuntimeClientError", 424),
        (refused, "UnauthorizedException", 401),
        (breaks, "RuntimeClientError", 200),
        (leaves, "Abandoned", None),
    ):
        [span] = spans_of(collector, trace)
        says = span.attributes
        assert span.failed and says["exception.type"] == error and says["error_type"] == "user", says
        assert says.get("http.response.status_code") == status


def test_without_a_collector_the_agent_is_called_in_the_callers_trace(server, listener):
    make = Scenery(server)
    agent, trace = runtime(make, by_url(listener.url)), new_trace()
    within(server.client("bedrock-agentcore"), trace).invoke_agent_runtime(agentRuntimeArn=agent.arn, payload=b"{}")
    assert listener.seen[-1]["traceparent"] == parent(trace)
    [event] = found_by_trace(server, trace)
    assert event["action"] == "bedrock-agentcore:InvokeAgentRuntime" and event["call"]["trace"]["spanId"] == SPAN
    server.client("bedrock-agentcore").invoke_agent_runtime(agentRuntimeArn=agent.arn, payload=b"{}")
    assert not {"traceparent", "tracestate", "x-amzn-trace-id"} & set(listener.seen[-1])


def test_a_gateway_and_the_runtime_behind_it_are_one_trace(traced, collector, listener):
    make = Scenery(traced)
    agent, trace = runtime(make, by_url(listener.url)), new_trace()
    role = make.role(RUNTIME_TRUST, allow("bedrock-agentcore:InvokeAgentRuntime"))
    gateway = make.gateway(roleArn=role, protocolType=None)
    target = gateway.control.create_gateway_target(
        gatewayIdentifier=gateway.id,
        name="agent",
        targetConfiguration={"http": {"agentcoreRuntime": {"arn": agent.arn}}},
        credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    )["targetId"]
    look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)["status"]
    until("the target", look, lambda seen: seen == "READY")
    answer = requests.post(
        f"{traced.endpoint}/gateways/{gateway.id}/agent/invocations",
        json={},
        headers={"traceparent": parent(trace)},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    spans = {span.name: span for span in spans_of(collector, trace, 3)}
    at_gateway, to_target = spans["AgentCore.Gateway.InvokeGateway"], spans["AgentCore.Gateway.InvokeTarget"]
    at_runtime = spans["AgentCore.Runtime.Invoke"]
    assert (at_gateway.parent, to_target.parent, at_runtime.parent) == (SPAN, at_gateway.id, to_target.id)
    assert listener.seen[-1]["traceparent"] == f"00-{trace}-{at_runtime.id}-01"
    events = {event["kind"]: event for event in found_by_trace(traced, trace, 2)}
    assert events["gateway"]["call"]["trace"]["spanId"] == at_gateway.id
    assert events["runtime"]["call"]["trace"]["spanId"] == at_runtime.id


def test_a_list_tells_what_policies_allow_and_deny(traced, collector):
    make = Scenery(traced)
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    # Of very many tools some are told.
    tools = [tool("allowed"), *(tool(f"denied{number}") for number in range(120))]
    gateway.lambda_target("Target", make.function(TRACING), tools)
    wire = Wire(gateway.url, client.token())
    unguarded, enforced = new_trace(), new_trace()
    wire.post(wire.message("tools/list"), traceparent=parent(unguarded))
    engine = make.engine()
    engine.policy(
        'permit(principal, action == AgentCore::Action::"Target___allowed", '
        f'resource == AgentCore::Gateway::"{gateway.arn}");'
    )
    gateway.enforce(engine.arn)
    wire.post(wire.message("tools/list"), traceparent=parent(enforced))
    [span] = spans_of(collector, unguarded)
    assert not [key for key in span.attributes if "policy" in key]
    [span] = spans_of(collector, enforced)
    says = span.attributes
    assert says["aws.agentcore.policy.allowed_tools"] == ["Target___allowed"]
    denied = says["aws.agentcore.policy.denied_tools"]
    assert len(denied) == 100 and all(told.startswith("Target___denied") for told in denied)
    assert says["aws.agentcore.gateway.policy.arn"] == engine.arn
    assert says["aws.agentcore.gateway.policy.mode"] == "ENFORCE"
