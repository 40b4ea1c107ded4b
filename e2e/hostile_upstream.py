"""An MCP server by hand, of the former era, that does to its clients what it is told to: a test says which trap a call
steps into by the name of the tool."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRAPS = [
    "fine",
    "silent",
    "slow_headers",
    "endless_json",
    "endless_stream",
    "huge_event",
    "wrong_id",
    "twice",
    "early_close",
    "early_close_stream",
    "wrong_type",
    "not_json",
    "no_answer",
    "deep",
    "error_500",
    "redirect",
    "batch",
    "bad_length",
]


class Hostile(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.whole(405, b"")

    do_DELETE = do_GET

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        method, identifier = body.get("method"), body.get("id")
        if identifier is None:
            return self.whole(202, b"")
        result = lambda value: self.whole(200, json.dumps({"jsonrpc": "2.0", "id": identifier, "result": value}).encode())
        session = self.headers.get("Mcp-Session-Id")
        if method == "initialize":
            self.server.initialised += 1
            self.session = f"s-{self.server.epoch}-{self.server.initialised}"
            self.server.sessions.add(self.session)
            server = {"name": "hostile", "version": "1"}
            return result({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server})
        if session not in self.server.sessions:
            return self.whole(self.server.forgotten, b"who?")
        if method == "tools/list":
            schema = {"type": "object", "properties": {}}
            return result({"tools": [{"name": trap, "inputSchema": schema} for trap in TRAPS]})
        if method != "tools/call":
            return self.whole(400, b"")
        self.server.seen.append({key.lower(): value for key, value in self.headers.items()})
        getattr(self, body["params"]["name"])(identifier)

    # --- the traps -------------------------------------------------------------------------------------------------------

    def fine(self, identifier):
        self.whole(200, self.answer(identifier))

    def silent(self, identifier):
        self.server.over.wait(60)

    def slow_headers(self, identifier):
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.over.wait(0.2):
                self.wfile.write(b"X-Drip: drop\r\n")
                self.wfile.flush()
        except OSError:
            self.close_connection = True

    def endless_json(self, identifier):
        self.endless("application/json", b'{"jsonrpc":"2.0","result":"', b"x" * 65536)

    def endless_stream(self, identifier):
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "more"}}
        self.endless("text/event-stream", b"", f"data: {json.dumps(note)}\n\n".encode(), pause=0.01)

    def huge_event(self, identifier):
        self.endless("text/event-stream", b"data: ", b"x" * 65536)

    def wrong_id(self, identifier):
        self.whole(200, self.answer(identifier + 1000))

    def twice(self, identifier):
        self.whole(200, f'{{"jsonrpc":"2.0","id":{identifier},"result":{{}},"result":{{}}}}'.encode())

    def early_close(self, identifier):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b'{"jsonrpc":"2.0",')
        self.close_connection = True

    def early_close_stream(self, identifier):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: {")
        self.close_connection = True

    def wrong_type(self, identifier):
        self.whole(200, b"<html>hello</html>", "text/html")

    def not_json(self, identifier):
        self.whole(200, b"\xff\xfe{")

    def no_answer(self, identifier):
        self.whole(202, b"")

    def deep(self, identifier):
        deep = b"[" * 100_000 + b"]" * 100_000
        self.whole(200, b'{"jsonrpc":"2.0","id":%d,"result":{"content":%s}}' % (identifier, deep))

    def error_500(self, identifier):
        self.whole(500, b"a trace of the inside")

    def redirect(self, identifier):
        self.whole(307, b"", location="http://127.0.0.1:1/mcp")

    def batch(self, identifier):
        self.whole(200, b"[" + self.answer(identifier) + b"]")

    def bad_length(self, identifier):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n{}")
        self.close_connection = True

    # --- how it answers --------------------------------------------------------------------------------------------------

    def answer(self, identifier):
        content = [{"type": "text", "text": f"fine, by {self.server.epoch}"}]
        return json.dumps({"jsonrpc": "2.0", "id": identifier, "result": {"content": content}}).encode()

    def whole(self, status, body, kind="application/json", location=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if getattr(self, "session", None):
            self.send_header("Mcp-Session-Id", self.session)
            self.session = None
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def endless(self, kind, beginning, more, pause=0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(beginning)
            while not self.server.over.wait(pause):
                self.wfile.write(more)
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    epoch = 0

    def get_request(self):
        connection, address = super().get_request()
        self.open_connections.append(connection)
        return connection, address

    def handle_error(self, *_):
        pass


class HostileUpstream:
    """A server on a port that it keeps when it is started again. `forgotten` is what it says to a session it has not."""

    def __init__(self, forgotten=404):
        self.port, self.forgotten, self.epoch = 0, forgotten, 0
        self.start()

    def start(self):
        self.epoch += 1
        self.server = Server(("127.0.0.1", self.port), Hostile)
        self.server.epoch, self.server.forgotten = self.epoch, self.forgotten
        self.server.open_connections = []
        self.server.sessions, self.server.seen, self.server.initialised = set(), [], 0
        self.server.over = threading.Event()
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.over.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in self.server.open_connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        time.sleep(0.1)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"
