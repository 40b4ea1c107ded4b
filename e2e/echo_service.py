"""A REST service of the tests: it writes down what it is sent, and misbehaves on request."""

import base64
import contextlib
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HUGE = 7 * 1024 * 1024


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        seen = self.written_down()
        accepts = self.server.accepts
        if accepts is not None and not accepts(seen):
            return self.answer(401, b'{"error":"invalid_token"}', {"WWW-Authenticate": "Bearer"})
        behave = getattr(self, seen["path"].strip("/").split("/")[0], None)
        if behave is None:
            return self.answer(200, json.dumps(seen).encode())
        return behave(seen)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    def written_down(self) -> dict:
        """Reads the request, and keeps it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # As it was sent: `self.path` has the slashes at its beginning made one.
        path, _, query = self.requestline.split(" ")[1].partition("?")
        seen = {
            "method": self.command,
            "path": path,
            "query": query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "cookie": self.headers.get("Cookie"),
            "body": base64.b64encode(body).decode(),
        }
        self.server.seen.append(seen)
        return seen

    def answer(self, status: int, body: bytes, headers: dict | None = None, kind: str = "application/json"):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def leak(self, seen):
        """Gives back what it was shown, in the forms that programs write."""
        shown = [*seen["headers"].values(), seen["query"]]
        secrets = [text for value in shown for text in {value, *value.split(" "), value.split("=")[-1]}]
        secrets += [urllib.parse.unquote(text) for text in secrets]
        forms = []
        for text in filter(None, secrets):
            raw = text.encode()
            forms += [text, base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
            forms += [base64.b64encode(b"user:" + raw).decode(), urllib.parse.quote(text, safe=""), raw.hex()]
            forms += [json.dumps({"deep": json.dumps(text)}), "".join(f"\\u{ord(it):04x}" for it in text)]
        status = 500 if "fail" in seen["path"] else 200
        headers = {"X-Leak": shown[0], "X-Seen": seen["headers"].get("authorization", "none")}
        self.answer(status, json.dumps({"forms": forms}).encode(), headers)

    def redirect(self, seen):
        self.answer(302, b"", {"Location": self.server.elsewhere or "http://127.0.0.1:1/"})

    def huge(self, seen):
        with contextlib.suppress(ConnectionError):
            self.answer(200, b'"' + b"x" * HUGE + b'"')

    def endless(self, seen):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        self.close_connection = True

    def slow(self, seen):
        time.sleep(6)
        self.answer(200, b"{}")

    def malformed(self, seen):
        self.wfile.write(b"HTTP/1.1 two hundred\r\nnonsense\r\n\r\n")
        self.close_connection = True

    def lying(self, seen):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"half":')
        self.close_connection = True

    def gzip(self, seen):
        self.answer(200, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"})

    def status(self, seen):
        code = int(seen["path"].split("/")[-1])
        self.answer(code, b'{"message":"as you wished"}')

    def log_message(self, *arguments):
        pass


class Service:
    """One such service on a free port, or another that `answers`. `accepts` says which requests are let in."""

    def __init__(self, answers: type = Echo):
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        self.http.daemon_threads = True
        self.http.seen, self.http.accepts, self.http.elsewhere = [], None, None
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def seen(self) -> list:
        return self.http.seen

    def accept(self, accepts):
        self.http.accepts = accepts

    def end(self):
        self.http.shutdown()
        self.http.server_close()


def document(url: str, *, extra_paths: dict | None = None) -> dict:
    """What the service says of itself."""

    def plain(path: str) -> dict:
        name = path.strip("/").replace("/", "_")
        return {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}}

    quirks = ["/leak", "/leak/fail", "/redirect", "/huge", "/endless", "/slow", "/malformed", "/lying", "/gzip"]
    quirks += ["/status/404", "/status/503"]
    parameter = lambda where, name, **schema: {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema or {"type": "string"},
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Echo", "version": "1"},
        "servers": [{"url": url}],
        "paths": {
            "/echo/{id}": {
                "post": {
                    "operationId": "echo",
                    "summary": "Echoes what it is sent.",
                    "parameters": [
                        parameter("path", "id"),
                        parameter("query", "q"),
                        parameter("query", "tags", type="array", items={"type": "string"}),
                        parameter("query", "api_key"),
                        parameter("header", "X-Trace"),
                        parameter("cookie", "flavour"),
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["amount"],
                                    "properties": {"amount": {"type": "integer"}, "note": {"type": "string"}},
                                }
                            }
                        }
                    },
                    "responses": {"200": {"description": "ok"}},
                }
            },
            **{path: plain(path) for path in quirks},
            **(extra_paths or {}),
        },
    }
