"""Amazon Bedrock's ConverseStream, with a script in the place of a model: what an agent of Strands asks when nobody gave it
another model. Clients are led here by AWS_ENDPOINT_URL_BEDROCK_RUNTIME."""

import http.server
import json
import struct
import threading
import zlib


class Converse:
    """Answers every turn as `script(request)` says: a text, or the name of a tool and its arguments. `asked` has the
    requests, whole: what a model is shown."""

    def __init__(self, script):
        self.script = script
        self.asked = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        model = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.asked.append(request)
                body = b"".join(event(*it) for it in turn(model.script(request)))
                self.send_response(200)
                self.send_header("content-type", "application/vnd.amazon.eventstream")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


def said(request: dict) -> str:
    """The text of the last message."""
    return " ".join(part.get("text", "") for part in request["messages"][-1]["content"])


def results(request: dict) -> list:
    """The results of tools that the last message brings."""
    return [part["toolResult"] for part in request["messages"][-1]["content"] if "toolResult" in part]


def named(request: dict, ending: str) -> str:
    """The tool whose name ends so."""
    [name] = [it["toolSpec"]["name"] for it in request["toolConfig"]["tools"] if it["toolSpec"]["name"].endswith(ending)]
    return name


def calls(tool: str, **arguments):
    """A script that calls one tool, and then repeats what it said."""

    def script(request):
        got = results(request)
        if got:
            return f"{got[0]['status']}: {' '.join(part.get('text', '') for part in got[0]['content'])}"
        return named(request, tool), arguments

    return script


def turn(reply) -> list:
    """One turn of the assistant as events."""
    begin, reason, delta = None, "end_turn", {"text": reply}
    if not isinstance(reply, str):
        begin, reason = {"toolUse": {"toolUseId": "call-1", "name": reply[0]}}, "tool_use"
        delta = {"toolUse": {"input": json.dumps(reply[1])}}
    started = [("contentBlockStart", {"contentBlockIndex": 0, "start": begin})] if begin else []
    return [
        ("messageStart", {"role": "assistant"}),
        *started,
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": reason}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}}),
    ]


def event(kind: str, payload: dict) -> bytes:
    """A message of AWS's event stream: a prelude with its checksum, headers, a payload, a checksum of it all."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(packed) + len(body) + 16, len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + body
    return message + struct.pack(">I", zlib.crc32(message))
