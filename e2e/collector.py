"""A collector of OpenTelemetry: takes OTLP over HTTP, and reads it by the published protocol (`opentelemetry-proto`).

It can be told to refuse or to hang; what it got is kept as it came, too, so that it can be searched for secrets.
"""

import gzip
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}
KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT"}


@dataclass
class Span:
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    state: str
    attributes: dict
    failed: bool
    start: int
    end: int


@dataclass
class Record:
    body: object
    attributes: dict
    trace: str
    span: str
    severity: str


class Collector:
    """One that runs until it is closed."""

    def __init__(self, status: int = 200, hangs: bool = False):
        self.status, self.hangs = status, hangs
        self.bodies, self.headers, self.spans, self.logs, self.metrics = [], [], [], [], {}
        self.resource = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.hangs:
                    collector.headers.append(lowered(self.headers))
                    time.sleep(30)
                    return
                if collector.status == 200:
                    collector.take(self.path, lowered(self.headers), body)
                self.send_response(collector.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def environment(self) -> dict:
        """What has a server send here, often."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, path: str, headers: dict, body: bytes):
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert headers["content-type"] == "application/x-protobuf", headers
        self.bodies.append(body)
        self.headers.append(headers)
        message = MESSAGES[path]()
        message.ParseFromString(body)
        for group in getattr(message, {"/v1/traces": "resource_spans", "/v1/logs": "resource_logs"}.get(path, "resource_metrics")):
            self.resource = pairs(group.resource.attributes)
            if path == "/v1/traces":
                self.spans += [span(it) for scope in group.scope_spans for it in scope.spans]
            elif path == "/v1/logs":
                self.logs += [record(it) for scope in group.scope_logs for it in scope.log_records]
            else:
                for scope in group.scope_metrics:
                    for metric in scope.metrics:
                        self.metrics[scope.scope.name, metric.name] = points(metric)


def lowered(headers) -> dict:
    return {name.lower(): value for name, value in headers.items()}


def span(it) -> Span:
    return Span(
        it.name, KINDS[it.kind], it.trace_id.hex(), it.span_id.hex(), it.parent_span_id.hex(), it.trace_state,
        pairs(it.attributes), it.status.code == 2, it.start_time_unix_nano, it.end_time_unix_nano,
    )


def record(it) -> Record:
    return Record(value(it.body), pairs(it.attributes), it.trace_id.hex(), it.span_id.hex(), it.severity_text)


def points(metric) -> list:
    kind = metric.WhichOneof("data")
    found = getattr(metric, kind).data_points
    read = (lambda it: it.count) if kind == "histogram" else (lambda it: it.as_int)
    return [(pairs(it.attributes), read(it)) for it in found]


def pairs(attributes) -> dict:
    return {it.key: value(it.value) for it in attributes}


def value(it):
    kind = it.WhichOneof("value")
    if kind == "array_value":
        return [value(inner) for inner in it.array_value.values]
    if kind == "kvlist_value":
        return pairs(it.kvlist_value.values)
    return getattr(it, kind)
