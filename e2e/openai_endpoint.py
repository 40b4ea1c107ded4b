"""An endpoint that speaks OpenAI's chat completions, scripted: what it answers follows from what it is asked.

A real HTTP server, with no model behind it. Asked with tools, it calls the first with `{"value": 7}` and then repeats what the
tool said; asked without, it repeats the last thing that the user said. Words in what is asked make it misbehave.
"""

import base64
import json
import time

from echo_service import Echo, Service

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


class Endpoint(Echo):
    def do_POST(self):
        seen = self.written_down()
        asked = json.loads(base64.b64decode(seen["body"]))
        last = asked["messages"][-1]
        text = last["content"] if isinstance(last["content"], str) else json.dumps(last["content"])
        for word, status in [("throttle", 429), ("refuse", 400), ("absent", 404), ("broken", 500), ("unknown key", 401)]:
            if word in text:
                key = seen["headers"].get("authorization", "")
                return self.answer(status, json.dumps({"error": {"message": f"no: {key}"}}).encode())
        if "sleep" in text:
            time.sleep(5)
        message, reason = self.reply(asked, last, text)
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
            return self.answer(200, json.dumps({"id": "c", "choices": [choice], "usage": USAGE}).encode())
        return self.stream(message, reason, text)

    def reply(self, asked, last, text):
        if last["role"] == "tool":
            return {"content": f"the tool said {text}"}, "stop"
        if asked.get("tools"):
            function = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"value": 7}'}
            return {"content": None, "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}, "tool_calls"
        return {"content": f"you said {text}"}, "length" if asked.get("max_tokens") == 1 else "stop"

    def stream(self, message, reason, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        deltas = [{"role": "assistant", "content": ""}]
        for word in (message.get("content") or "").split(" "):
            deltas += [{"content": word + " "}] if word else []
        for call in message.get("tool_calls") or []:
            function = call["function"]
            deltas.append({"tool_calls": [{"index": 0, "id": call["id"], "function": {"name": function["name"], "arguments": ""}}]})
            for piece in (function["arguments"][:5], function["arguments"][5:]):
                deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for delta in deltas:
            self.piece({"choices": [{"index": 0, "delta": delta}]})
            if "slowly" in text:
                time.sleep(0.3)
            if "break off" in text and delta.get("content"):
                self.close_connection = True
                return
        self.piece({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        self.piece({"choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def piece(self, chunk):
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


def started() -> Service:
    return Service(Endpoint)
