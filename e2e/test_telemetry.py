"""Traces, metrics and log records over OTLP, and metrics for Prometheus: read by the published protocol, tied together by
trace and span, without a secret in them, and never in the way of a call."""

import json
import re
import time

import pytest
import requests
from botocore.exceptions import ClientError

import echo_service
from canaries import Canaries
from collector import Collector
from outbound import api_key, with_credential
from portcullis import ACCOUNT, PROJECT, REGION, Server
from scenery import Scenery, name, tool, until
from wire import Wire, text_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = PARENT.split("-")[1:3]

TRACING = '''
import os
def lambda_handler(event, context):
    """Tells the trace that it was called in."""
    if event.get("fail"):
        raise ValueError("no")
    return {"trace": os.environ.get("_X_AMZN_TRACE_ID")}
'''


@pytest.fixture(scope="module")
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="module")
def canaries():
    return Canaries()


@pytest.fixture(scope="module")
def server(tmp_path_factory, collector, canaries):
    key = canaries.plant("the collector's key")
    environment = {
        **collector.environment,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-collector-key={key}",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
    }
    with Server(
        tmp_path_factory.mktemp("telemetry"), environment=environment, settings='[log]\nfilter = "trace"\n'
    ) as own:
        yield own


@pytest.fixture(scope="module")
def guarded(server):
    """A gateway with policies, a pool and a function behind it."""
    make = Scenery(server)
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    tools = [tool("allowed", fail="boolean"), tool("denied")]
    gateway.lambda_target("Target", make.function(TRACING), tools)
    engine = make.engine()
    policy = engine.policy(
        f'permit(principal, action == AgentCore::Action::"Target___allowed", resource == AgentCore::Gateway::"{gateway.arn}");'
    )
    gateway.enforce(engine.arn)
    return gateway, client, engine, policy


def spans_of(collector, trace, least):
    look = lambda: [span for span in collector.spans if span.trace == trace]
    return until("the spans", look, lambda seen: len(seen) >= least)


def one(spans, kind):
    [found] = [span for span in spans if span.kind == kind]
    return found


def test_a_call_is_one_trace_from_the_caller_to_the_function(server, collector, guarded):
    gateway, client, engine, policy = guarded
    wire = Wire(gateway.url, client.token(), traceparent=PARENT, tracestate="vendor=opaque")
    seen = text_of(wire.tool("Target___allowed"))

    spans = spans_of(collector, TRACE, 3)
    at_server, decision, at_client = one(spans, "SERVER"), one(spans, "INTERNAL"), one(spans, "CLIENT")
    assert (at_server.parent, decision.parent, at_client.parent) == (SPAN, at_server.id, at_server.id)
    assert f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={at_client.id};Sampled=1" in seen
    assert at_server.state == "vendor=opaque"
    assert at_server.start <= at_client.start <= at_client.end <= at_server.end + 2_000_000

    says = at_server.attributes
    assert {key: says[key] for key in EXPECTED} == EXPECTED | {
        "aws.resource.arn": gateway.arn,
        "gateway.id": gateway.id,
        "gateway.name": gateway.request["name"],
        "url.path": f"/gateways/{gateway.id}/mcp",
        "aws.agentcore.policy.determining_policies": [policy],
        "aws.agentcore.gateway.policy.arn": engine.arn,
    }
    assert says["aws.request.id"] and says["latency_ms"] >= says["overhead_latency_ms"] >= 0
    assert decision.attributes["aws.agentcore.policy.authorization_decision"] == "ALLOW"
    assert at_client.attributes["tool.name"] == "Target___allowed" and at_client.attributes["target.type"] == "Lambda"
    assert collector.resource["service.name"] == "portcullis"
    assert collector.resource["deployment.environment.name"] == "tests"

    # Its records are found by the trace.
    records = until("the records", lambda: [it for it in collector.logs if it.trace == TRACE], lambda it: len(it) >= 2)
    assert {it.span for it in records} == {at_server.id}
    assert [it.body["log"] for it in records] == [
        "Started processing request with requestId: 1",
        "Successfully processed request with requestId: 1",
    ]
    for it in records:
        assert it.attributes["resource_arn"] == gateway.arn and it.attributes["account_id"] == ACCOUNT
        assert it.attributes["request_id"] == says["aws.request.id"] and it.body["isError"] is False


EXPECTED = {
    "aws.operation.name": "InvokeGateway",
    "aws.resource.arn": "",
    "aws.account.id": ACCOUNT,
    "aws.region": REGION,
    "gateway.id": "",
    "gateway.name": "",
    "http.method": "POST",
    "http.response.status_code": 200,
    "url.path": "",
    "tool.name": "Target___allowed",
    "aws.agentcore.policy.authorization_decision": "ALLOW",
    "aws.agentcore.policy.determining_policies": [],
    "aws.agentcore.policy.mismatched_policies": 0,
    "aws.agentcore.gateway.policy.arn": "",
    "aws.agentcore.gateway.policy.mode": "ENFORCE",
}


def test_denials_and_failures_say_so(collector, guarded):
    gateway, client, *_ = guarded
    denied, failed = "11" * 16, "22" * 16
    wire = Wire(gateway.url, client.token())
    for trace, called, arguments in ((denied, "Target___denied", {}), (failed, "Target___allowed", {"fail": True})):
        message = wire.message("tools/call", {"name": called, "arguments": arguments})
        assert wire.post(message, traceparent=f"00-{trace}-{SPAN}-01").status_code == 200
    spans = spans_of(collector, denied, 2)
    span = one(spans, "SERVER")
    assert span.failed and span.attributes["error_type"] == "AuthorizeActionException"
    assert one(spans, "INTERNAL").attributes["aws.agentcore.policy.authorization_decision"] == "DENY"
    assert not [span for span in spans if span.kind == "CLIENT"], "nothing was asked of the target"
    spans = spans_of(collector, failed, 3)
    assert one(spans, "CLIENT").failed and one(spans, "SERVER").failed
    errors = until("the records", lambda: [it for it in collector.logs if it.trace == failed], lambda it: len(it) >= 2)
    assert errors[-1].body["isError"] is True and errors[-1].severity == "ERROR"


@pytest.mark.parametrize(
    "given",
    ["", "00-xyz", PARENT.upper(), f"ff{PARENT[2:]}", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", "a" * 4000],
)
def test_a_context_that_is_wrong_is_ignored(collector, guarded, given):
    gateway, client, *_ = guarded
    before = len(collector.spans)
    wire = Wire(gateway.url, client.token(), traceparent=given)
    wire.call("ping")
    pings = lambda: [it for it in collector.spans[before:] if it.attributes.get("rpc.method") == "ping"]
    spans = until("the span", pings, bool)
    assert spans[-1].trace not in ("", TRACE, "0" * 32) and spans[-1].parent == ""


def test_a_caller_that_does_not_record_is_not_recorded(collector, guarded):
    gateway, client, *_ = guarded
    quiet, loud = "33" * 16, "44" * 16
    wire = Wire(gateway.url, client.token())
    for trace, flag in ((quiet, "00"), (loud, "01")):
        wire.post(wire.message("ping"), traceparent=f"00-{trace}-{SPAN}-{flag}")
    spans_of(collector, loud, 1)
    wire.post({"jsonrpc": "2.0", "id": 9, "method": "no/such"}, traceparent=f"00-{'66' * 16}-{SPAN}-01")
    [unknown] = spans_of(collector, "66" * 16, 1)
    assert unknown.attributes["jsonrpc.error.code"] == -32601 and unknown.attributes["rpc.method"] == "other"
    assert not [span for span in collector.spans if span.trace == quiet]


def test_a_service_is_called_within_the_trace_and_nothing_secret_is_told(server, collector, canaries):
    """A REST service and its key: neither key, argument nor answer is in what is exported."""
    make = Scenery(server)
    service = echo_service.Service()
    try:
        key, argument = canaries.plant("the service's key"), canaries.plant("an argument")
        token = canaries.plant("a bearer token that nobody accepts")
        gateway = make.gateway("NONE", roleArn=make.vault_role())
        document = {"openApiSchema": {"inlinePayload": json.dumps(echo_service.document(service.url))}}
        made = with_credential(gateway, "Echo", document, api_key(server, key))
        assert made["status"] == "READY", made
        trace = "55" * 16
        wire = Wire(gateway.url, token, traceparent=f"00-{trace}-{SPAN}-01")
        answer = wire.tool("Echo___echo", id="1", amount=1, note=argument)
        assert not answer["result"].get("isError"), answer
        spans = spans_of(collector, trace, 2)
        assert service.seen[-1]["headers"]["traceparent"] == f"00-{trace}-{one(spans, 'CLIENT').id}-01"
        Wire(f"{server.endpoint}/gateways/{gateway.id}/mcp", token).post("{not json " + argument)
        time.sleep(1)
    finally:
        service.end()
    everything = b"\n".join(collector.bodies) + requests.get(f"{server.endpoint}/metrics", timeout=10).content
    assert canaries.found(everything) == []
    # The collector's key is shown to the collector, and to nobody else.
    assert all(it["x-collector-key"] == canaries.planted["the collector's key"] for it in collector.headers)
    assert canaries.found(server.log().encode()) == []


def test_numbers_are_the_same_for_prometheus_and_the_collector(server, collector, guarded):
    gateway, client, *_ = guarded
    Wire(gateway.url, client.token()).tools()
    limited = Wire(gateway.url, "nonsense").post({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert limited.status_code == 401

    def agree():
        text = requests.get(f"{server.endpoint}/metrics", timeout=10).text
        scraped = {}
        for line in text.splitlines():
            found = re.fullmatch(r'portcullis_gateway_invocations_total\{(.*)\} (\d+)', line)
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[1])) if found else {}
            if labels.get("gateway") == gateway.id:
                scraped[labels["method"], labels["name"]] = int(found[2])
        told = {
            (labels["Method"], labels["Name"]): number
            for labels, number in collector.metrics.get(("portcullis.gateway", "Invocations"), [])
            if labels["Resource"] == gateway.id
        }
        return scraped, told

    scraped, told = until("both", agree, lambda seen: seen[0] == seen[1] and seen[0])
    assert scraped["tools/call", "Target___allowed"] >= 2 and scraped["tools/list", ""] >= 1
    assert not any("denied" in called for _, called in scraped), "a denied tool has no number of its own"
    names = {metric for scope, metric in collector.metrics if scope == "portcullis.gateway"}
    assert names == {
        "Invocations", "Throttles", "SystemErrors", "UserErrors", "Latency", "Duration", "TargetExecutionTime", "TargetType",
    }
    policy = {metric for scope, metric in collector.metrics if scope == "portcullis.policy"}
    assert {"Invocations", "Latency", "DeterminingPolicies", "NoDeterminingPolicies", "PolicyMismatch"} <= policy


@pytest.mark.parametrize("fault", ["hangs", "refuses", "is not there"])
def test_a_collector_that_fails_slows_nobody(tmp_path, fault):
    running = Collector(status=503, hangs=fault == "hangs")
    if fault == "is not there":
        running.close()
    settings = f'[telemetry]\nendpoint = "{running.url}"\nqueue = 50\ntimeout-seconds = 2\nmetrics-seconds = 1\n'
    try:
        with Server(tmp_path / "server", settings=settings) as server:
            gateway = Scenery(server).gateway()
            wire = Wire(gateway.url)
            began = time.monotonic()
            for _ in range(200):
                wire.call("ping")
            assert time.monotonic() - began < 20, "telemetry is in the way"
            metrics = lambda: requests.get(f"{server.endpoint}/metrics", timeout=10).text
            dropped = r'portcullis_server_telemetry_dropped_total\{signal="traces"\} [1-9]'
            until("records are dropped", metrics, lambda text: re.search(dropped, text))
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 15
            if fault != "hangs":
                assert server.log().count("Telemetry cannot be exported") == 1
    finally:
        if fault != "is not there":
            running.close()


def test_whether_it_lives_and_whether_it_serves(server):
    assert requests.get(f"{server.endpoint}/healthz", timeout=10).status_code == 200
    assert requests.get(f"{server.endpoint}/readyz", timeout=10).text == "ready\n"


def test_settings_that_cannot_be_are_refused(tmp_path):
    for environment, said in [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "must be a URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:b@c"}, "without a name or password"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "http/protobuf only"),
        ({"OTEL_TRACES_SAMPLER": "maybe", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "is no sampler"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "geheim", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "is no `name=value`"),
    ]:
        server = Server(tmp_path / name("bad"), environment=environment)
        try:
            with pytest.raises(AssertionError):
                server.start()
            assert said in server.log() and "geheim" not in server.log()
        finally:
            server.dispose()


def test_the_dashboard_and_the_alerts_name_metrics_that_there_are(server, guarded):
    """Every metric that the files name is in /metrics, by its head, after there was traffic."""
    gateway, client, *_ = guarded
    Wire(gateway.url, client.token()).tool("Target___allowed")
    text = requests.get(f"{server.endpoint}/metrics", timeout=10).text
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    names = set(families) - {family for family, kind in families.items() if kind == "histogram"}
    for family in (family for family, kind in families.items() if kind == "histogram"):
        names |= {f"{family}{end}" for end in ("_bucket", "_sum", "_count")}
    for file in sorted((PROJECT / "deploy" / "observability").iterdir()):
        used = set(re.findall(r"portcullis_(?:gateway|policy|identity|server)_\w+", file.read_text()))
        assert used and used <= names | OTHER_METRICS, f"{file.name}: {sorted(used - names)}"
    dashboard = json.loads((PROJECT / "deploy" / "observability" / "grafana-dashboard.json").read_text())
    expressions = [it["expr"] for panel in dashboard["panels"] for it in panel.get("targets", [])]
    labels = set(re.findall(r"(\w+)=\"", text)) | {"le"}
    for expression in expressions:
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        assert {label.strip() for group in grouped for label in group.split(",")} <= labels | OTHER_LABELS, expression


# Of servers that speak TLS; the tests of TLS read them.
OTHER_METRICS = {"portcullis_server_certificate_not_after_seconds"}
# Of numbers that this module's traffic does not make.
OTHER_LABELS = {"provider", "exception_type", "signal"}


def test_tokens_and_keys_that_are_given_out_are_counted(server):
    data, control = server.client("bedrock-agentcore"), server.client("bedrock-agentcore-control")
    workload, key = name("workload"), api_key(server)
    control.create_workload_identity(name=workload)
    token = data.get_workload_access_token(workloadName=workload)["workloadAccessToken"]
    provider = key["credentialProvider"]["apiKeyCredentialProvider"]["providerArn"].rpartition("/")[2]
    data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=provider)
    with pytest.raises(ClientError):
        data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName="guessed")
    text = requests.get(f"{server.endpoint}/metrics", timeout=10).text
    assert 'workload_access_token_fetch_success_total{operation="GetWorkloadAccessToken"}' in text
    assert f'api_key_fetch_success_total{{operation="GetResourceApiKey",token_vault="default",provider="{provider}"}} 1' in text
    assert 'exception_type="ResourceNotFoundException"} 1' in text and "guessed" not in text
