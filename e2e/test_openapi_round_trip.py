"""Two hundred operations of public documents, called through gateways, arrive as their documents say: path, query,
headers, cookie and body, to the byte.

Each document becomes a target whose server is an echo service; arguments are chosen by a seed; what must arrive is
computed by `openapi_requests.py`, which shares no code with the gateway.
"""

import base64
import collections
import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jsonschema
import pytest

from openapi_documents import Document, documents
from openapi_requests import Call, equal
from portcullis import PROJECT
from wire import Wire

# Those of public documents, beside the table of our own.
COUNT = 200
LARGEST = 100_000
A_DOCUMENT = 3
# Of everything that can be tried, so many at least, where there are as many in documents that have these words.
A_TRAIT = 8
RARE = {
    "form body": "x-www-form-urlencoded",
    "multipart body": "multipart/form-data",
    "xml body": "/xml",
    "text body": "text/plain",
    "binary body": "application/octet-stream",
    "query object deepObject exploded": "deepObject",
    "query array form whole": '"explode":false',
    "header": '"in":"header"',
}
TARGETS_A_GATEWAY = 40
# What the gateway adds of its own, beside what the document says.
OWN = {"host", "user-agent", "accept", "accept-encoding", "content-length", "content-type", "traceparent", "tracestate"}


class Echo(BaseHTTPRequestHandler):
    """Answers what it was sent, as it was sent."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": [[header.lower(), value] for header, value in self.headers.items()],
            "body": base64.b64encode(body).decode(),
        }
        self.server.seen.append(seen)
        said = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = answer

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def echo():
    service = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    service.daemon_threads = True
    service.seen = []
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield service
    service.shutdown()
    service.server_close()


def chosen() -> list:
    """Operations by document, the same on every machine: of everything that can be tried some, and then the next."""
    taken, tried, total = [], collections.Counter(), 0
    for path in documents():
        if path.stat().st_size > LARGEST:
            continue
        text = path.read_text().replace('": ', '":')
        missing = [trait for trait, word in RARE.items() if tried[trait] < A_TRAIT and word in text]
        if not missing and total >= COUNT - len(RARE) * A_TRAIT // 2:
            continue
        document, calls = Document(path), []
        for method, place, item, operation in document.operations():
            if method == "TRACE" or len(calls) >= 2 * A_DOCUMENT:
                continue
            call = Call(document, method, place, item, operation)
            traits = call.traits()
            common = len(calls) < A_DOCUMENT and total + len(calls) < COUNT
            if common or any(trait in traits and tried[trait] < A_TRAIT for trait in missing):
                tried.update(traits)
                calls.append(call)
        taken += [(document, calls)] if calls else []
        total += len(calls)
        if total >= COUNT and all(tried[trait] >= A_TRAIT for trait in RARE):
            break
    return taken


def reduced(document: Document, calls: list, server: str) -> dict:
    """The document with these operations only, and another server."""
    root = copy.deepcopy(document.root)
    if "#/paths/" not in json.dumps(root):
        wanted = {(call.method, call.path) for call in calls}
        keep = lambda path, key: key.upper() not in METHODS or (key.upper(), path) in wanted  # noqa: E731
        root["paths"] = {
            path: {key: value for key, value in document.follow(item).items() if keep(path, key)}
            for path, item in root["paths"].items()
            if any(path == one for _, one in wanted)
        }
    root["servers"] = [{"url": server}]
    for item in root["paths"].values():
        item.pop("servers", None)
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("servers", None)
    return root


METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")


def ours() -> Document:
    """What no public document has, in one of our own: cookies, and the styles of paths and of lists."""
    array = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    item = {"type": "object", "required": ["R", "G"], "properties": {"R": {"type": "integer"}, "G": {"type": "string"}}}
    paths = {}
    styles = [("path", style) for style in ("simple", "label", "matrix")] + [("header", "simple"), ("cookie", "form")]
    styles += [("query", style) for style in ("form", "spaceDelimited", "pipeDelimited", "deepObject")]
    for place, style in styles:
        for explode in (True, False):
            for kind, schema in (("text", {"type": "string"}), ("list", array), ("object", item)):
                if style == "deepObject" and not (explode and kind == "object"):
                    continue
                if style in ("spaceDelimited", "pipeDelimited") and (explode or kind == "text"):
                    continue
                key = f"{place}_{style}_{kind}_{'exploded' if explode else 'whole'}"
                parameter = {"name": "v" if place != "header" else "X-V", "in": place, "schema": schema}
                parameter |= {"required": True, "style": style, "explode": explode}
                operation = {"operationId": key, "parameters": [parameter], "responses": {"200": {"description": "ok"}}}
                paths[f"/{key}/{'{v}' if place == 'path' else ''}"] = {"get": operation}
    content = {"application/json": {"schema": item}}
    several = [{"name": "id", "in": place, "required": True, "schema": {"type": "string"}} for place in PLACES]
    several += [
        {"name": "filter", "in": "query", "content": content},
        {"name": "url", "in": "query", "allowReserved": True, "schema": {"type": "string"}},
    ]
    body = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"):
        key = "one_name_" + kind.rsplit("/", 1)[1].replace("-", "_")
        requested = {"required": True, "content": {kind: {"schema": {**body, "xml": {"name": "thing"}}}}}
        operation = {"operationId": key, "parameters": several, "requestBody": requested, "responses": {}}
        paths[f"/{key}/{{id}}"] = {"post": operation}
    document = Document.__new__(Document)
    document.path, document.root = PROJECT / "ours.json", {
        "openapi": "3.0.3",
        "info": {"title": "Ours", "version": "1"},
        "paths": paths,
    }
    return document


PLACES = ("path", "query", "header", "cookie")


@pytest.fixture(scope="module")
def wires(make, echo) -> list:
    """Each document with its calls, the target's name and a caller of its gateway."""
    own = ours()
    every = [(own, [Call(own, *operation) for operation in own.operations()])] + chosen()
    found = []
    for at, (document, calls) in enumerate(every):
        if at % TARGETS_A_GATEWAY == 0:
            gateway = make.gateway()
            wire = Wire(gateway.url)
            wire.initialize()
        server = f"http://127.0.0.1:{echo.server_port}/d{at}"
        payload = json.dumps(reduced(document, calls, server))
        target = f"d{at}"
        gateway.target(target, {"openApiSchema": {"inlinePayload": payload}})
        found.append((document, calls, target, wire))
    return found


def test_what_arrives_is_what_the_document_says(wires, echo):
    tools = {}
    for wire in {id(wire): wire for _, _, _, wire in wires}.values():
        tools |= {tool["name"]: tool for tool in wire.tools()}
    tried, faults, count = collections.Counter(), [], 0
    for document, calls, target, wire in wires:
        for call in calls:
            place = f"{document.path.name} {call.method} {call.path}"
            try:
                call.make()
                check(call, f"/{target}", tools[f"{target}___{call.tool()}"], wire, echo)
            except (AssertionError, KeyError, ValueError, jsonschema.ValidationError) as fault:
                faults.append(f"{place}: {type(fault).__name__} {str(fault)[:1500]}\n    {json.dumps(call.arguments)[:500]}")
            tried.update(call.traits())
            count += 1
    print(f"{count} operations of {len(wires)} documents")
    for trait, times in sorted(tried.items(), key=lambda item: -item[1]):
        print(f"{times:5} {trait}")
    assert not faults, f"{len(faults)} of {count}\n" + "\n".join(faults)
    assert count - len(wires[0][1]) >= COUNT, "too few of public documents"
    missing = [trait for trait in (*RARE, *PLACES, "json body") if tried[trait] < A_TRAIT]
    assert not missing, missing


def check(call: Call, base: str, tool: dict, wire: Wire, echo):
    """Calls one operation, and compares what arrived with what the document says."""
    schema = tool["inputSchema"]
    assert schema.get("additionalProperties") or set(call.arguments) <= set(schema["properties"]), "arguments"
    assert set(schema.get("required", [])) <= set(call.arguments), "required arguments"
    jsonschema.Draft202012Validator(without_patterns(schema)).validate(call.arguments)
    echo.seen.clear()
    answer = wire.call("tools/call", {"name": tool["name"], "arguments": call.arguments})
    assert "result" in answer and not answer["result"]["isError"], answer
    [seen] = echo.seen
    if call.method != "HEAD":
        assert json.loads(answer["result"]["content"][0]["text"]) == seen, "the answer is not what was answered"
    assert seen["method"] == call.method
    equal("path and query", seen["target"], base + call.target())
    names = [header for header, _ in seen["headers"]]
    assert len(names) == len(set(names)), names
    headers = dict(seen["headers"])
    expected = call.headers()
    for header, value in expected.items():
        equal(header, headers.get(header), value)
    assert set(headers) - set(expected) <= OWN, headers
    body = base64.b64decode(seen["body"])
    call.assert_body(headers.get("content-type"), body)


def without_patterns(schema):
    """The schema without what the chosen values do not follow."""
    if isinstance(schema, dict):
        return {
            key: without_patterns(value)
            for key, value in schema.items()
            if not (key in ("pattern", "format") and isinstance(value, str))
        }
    return [without_patterns(one) for one in schema] if isinstance(schema, list) else schema
