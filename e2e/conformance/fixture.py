"""The MCP server that the conformance suite is run against, directly and behind a gateway.

`python fixture.py [--port PORT] [--era 2025|2026]` listens on 127.0.0.1 and prints its address. It serves both eras, as
the SDK does: sessions and the handshake up to 2025-11-25, single exchanges from 2026-07-28 on; `--era` leaves one of
them out, so that what stands before it must translate. The suite's descriptions of what a server has to offer (`node
dist/index.js list`, and the text of each scenario) are the specification of what is here.

A tool that needs something of the client says `await call.ask(...)`. In the older era that sends the request; in the newer
one it ends the call with `input_required`, and the repeated call finds the answers.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
import struct
import warnings
import zlib

import mcp_types as types
import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError, MCPDeprecationWarning
from mcp.shared.message import ServerMessageMetadata

MODERN = "2026-07-28"
KEY = secrets.token_bytes(32)
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
CACHEABLE = ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "server/discover"]
ASKED = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult, "elicitation"),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult, "sampling"),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult, "roots"),
}


def png() -> str:
    """One red pixel."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header, pixels = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(b"\0\xff\0\0")
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def wav() -> str:
    """One silent sample."""
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 1) + b"\x80\0"
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode()


def text(said: str) -> dict:
    return {"type": "text", "text": said}


def image() -> dict:
    return {"type": "image", "data": png(), "mimeType": "image/png"}


def embedded(uri: str, said: str, kind: str = "text/plain") -> dict:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": said}}


def form(message: str, required=(), **properties) -> dict:
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sample(prompt: str, tokens: int = 100) -> dict:
    messages = [{"role": "user", "content": text(prompt)}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": tokens}}


class InputNeeded(Exception):
    """Ends a call of the newer era with a question."""

    def __init__(self, result: dict):
        self.result = result


class Call:
    """One tools/call or prompts/get, with what the client may be asked and told meanwhile."""

    def __init__(self, ctx, name: str, arguments: dict | None):
        self.ctx = ctx
        self.name = name
        self.arguments = arguments or {}
        self.modern = ctx.protocol_version == MODERN
        params = ctx.params or {}
        self.answers = params.get("inputResponses") or {}
        self.state = self.unseal(params.get("requestState"))

    async def ask(self, questions: dict, state: dict | None = None) -> dict:
        """The client's answers, key by key; `state` comes back with them in the newer era."""
        lacking = [ASKED[asked["method"]][2] for asked in questions.values() if not self.offers(asked["method"])]
        if lacking:
            self.refuse(lacking)
        if not self.modern:
            return {key: await self.send(asked) for key, asked in questions.items()}
        if all(isinstance(self.answers.get(key), dict) for key in questions):
            return {key: self.answers[key] for key in questions}
        sealed = {} if state is None else {"requestState": self.seal(state)}
        raise InputNeeded({"resultType": "input_required", "inputRequests": questions, **sealed})

    def offers(self, method: str) -> bool:
        capabilities = self.ctx.session.client_capabilities
        return capabilities is not None and getattr(capabilities, ASKED[method][2]) is not None

    def refuse(self, capabilities: list):
        if self.modern:
            needed = {"requiredCapabilities": {name: {} for name in capabilities}}
            raise MCPError(-32021, f"the client does not declare {', '.join(capabilities)}", needed)
        raise ToolError(f"the client does not declare {', '.join(capabilities)}")

    async def send(self, asked: dict) -> dict:
        request, result, _ = ASKED[asked["method"]]
        related = ServerMessageMetadata(related_request_id=self.ctx.request_id)
        answer = await self.ctx.session.send_request(request.model_validate(asked), result, metadata=related)
        return answer.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def log(self, data: str, level: str = "info"):
        if not self.modern and LEVELS.index(level) < LEVELS.index(levels.get(session_of(self.ctx), "debug")):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            await self.ctx.session.send_log_message(level, data, related_request_id=self.ctx.request_id)

    async def progress(self, done: int, total: int = 100):
        token = (self.ctx.meta or {}).get("progressToken", (self.ctx.meta or {}).get("progress_token"))
        if token is not None:
            params = types.ProgressNotificationParams(progress_token=token, progress=done, total=total)
            note = types.ProgressNotification(params=params)
            await self.ctx.session.send_notification(note, related_request_id=self.ctx.request_id)

    def seal(self, state: dict) -> str:
        plain = base64.urlsafe_b64encode(json.dumps(state).encode()).decode()
        return f"{plain}.{self.signature(plain)}"

    def unseal(self, sealed) -> dict:
        if sealed is None:
            return {}
        plain, _, signature = str(sealed).partition(".")
        if not hmac.compare_digest(signature, self.signature(plain)):
            raise MCPError(-32602, "requestState is not what this server gave")
        return json.loads(base64.urlsafe_b64decode(plain))

    def signature(self, plain: str) -> str:
        return hmac.new(KEY, f"{self.name} {plain}".encode(), hashlib.sha256).hexdigest()


class ToolError(Exception):
    """A tool's own failure, told in its result."""


levels: dict = {}
bus = InMemorySubscriptionBus()
TOOLS: dict = {}


def session_of(ctx) -> str | None:
    return ctx.request.headers.get("mcp-session-id") if ctx.request is not None else None


def tool(description: str, required=(), schema: dict | None = None, **properties):
    """Offers a function as a tool of its name."""

    def offer(function):
        plain = {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}
        offered = {"name": function.__name__, "description": description, "inputSchema": schema or plain}
        TOOLS[function.__name__] = (offered, function)
        return function

    return offer


@tool("Gives a text")
async def test_simple_text(call):
    return [text("This is a simple text response for testing.")]


@tool("Gives an image")
async def test_image_content(call):
    return [image()]


@tool("Gives a sound")
async def test_audio_content(call):
    return [{"type": "audio", "data": wav(), "mimeType": "audio/wav"}]


@tool("Gives a resource")
async def test_embedded_resource(call):
    return [embedded("test://embedded-resource", "This is an embedded resource content.")]


@tool("Gives contents of several types")
async def test_multiple_content_types(call):
    mixed = embedded("test://mixed-content-resource", json.dumps({"test": "data", "value": 123}), "application/json")
    return [text("Multiple content types test:"), image(), mixed]


@tool("Logs while it runs")
async def test_tool_with_logging(call):
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log(line)
        await asyncio.sleep(0.05)
    return [text("Logged three lines.")]


@tool("Reports progress while it runs")
async def test_tool_with_progress(call):
    for done in (0, 50, 100):
        await call.progress(done)
        await asyncio.sleep(0.05)
    return [text("Done in three steps.")]


@tool("Fails")
async def test_error_handling(call):
    raise ToolError("This tool intentionally returns an error for testing")


@tool("Asks the client's model", ["prompt"], prompt={"type": "string"})
async def test_sampling(call):
    answer = (await call.ask({"sample": sample(call.arguments.get("prompt", ""))}))["sample"]
    return [text(f"LLM response: {answer['content'].get('text', '')}")]


@tool("Asks the user", ["message"], message={"type": "string"})
async def test_elicitation(call):
    fields = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    answer = (await call.ask({"user": form(call.arguments.get("message", ""), **fields)}))["user"]
    return [text(f"User response: action={answer['action']}, content={json.dumps(answer.get('content'))}")]


async def completed(call, question: dict) -> list:
    answer = (await call.ask({"form": question}))["form"]
    return [text(f"Elicitation completed: action={answer['action']}, content={json.dumps(answer.get('content'))}")]


@tool("Asks the user, with defaults")
async def test_elicitation_sep1034_defaults(call):
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await completed(call, form("Please look through these values", **fields))


@tool("Asks the user to choose")
async def test_elicitation_sep1330_enums(call):
    titled = [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second", "Third"), 1)]
    options = ["option1", "option2", "option3"]
    legacy = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
    fields = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", **legacy},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await completed(call, form("Please choose", **fields))


@tool("Closes its stream before it answers, so that the client comes back for the answer")
async def test_reconnection(call):
    if call.ctx.close_sse_stream is not None:
        await call.ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return [text("The answer came after the stream was resumed.")]


@tool(
    "Has a schema that uses much of JSON Schema 2020-12",
    schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)
async def json_schema_2020_12_tool(call):
    return [text(json.dumps(call.arguments))]


@tool("Has an argument that is repeated in a header", region={"type": "string", "x-mcp-header": "Region"})
async def test_x_mcp_header(call):
    return [text(f"The region is {call.arguments.get('region')}.")]


@tool("Needs a client that samples")
async def test_missing_capability(call):
    if not call.offers("sampling/createMessage"):
        call.refuse(["sampling"])
    return [text("The client samples.")]


@tool("Asks the user amid a stream")
async def test_streaming_elicitation(call):
    await call.log("about to ask")
    return await completed(call, form("Go on?", ok={"type": "boolean"}))


@tool("Logs a line")
async def test_logging_tool(call):
    await call.log("a line of the log")
    return [text("Logged a line.")]


@tool("Says that the tools changed")
async def test_trigger_tool_change(call):
    await bus.publish(ToolsListChanged())
    return [text("Said so.")]


@tool("Says that the prompts changed")
async def test_trigger_prompt_change(call):
    await bus.publish(PromptsListChanged())
    return [text("Said so.")]


@tool("Says that a resource changed")
async def test_trigger_resource_change(call):
    await bus.publish(ResourceUpdated(uri="test://watched-resource"))
    return [text("Said so.")]


ASK_NAME = form("What is your name?", name={"type": "string"})


@tool("Asks for a name")
async def test_input_required_result_elicitation(call):
    answer = (await call.ask({"user_name": ASK_NAME}))["user_name"]
    return [text(f"Hello, {(answer.get('content') or {}).get('name')}!")]


@tool("Asks the client's model for a capital")
async def test_input_required_result_sampling(call):
    answer = (await call.ask({"capital_question": sample("What is the capital of France?")}))["capital_question"]
    return [text(answer["content"].get("text", ""))]


ROOTS = {"method": "roots/list", "params": {}}


@tool("Asks for the roots")
async def test_input_required_result_list_roots(call):
    answer = (await call.ask({"client_roots": ROOTS}))["client_roots"]
    return [text(", ".join(root["uri"] for root in answer["roots"]))]


async def confirmed(call) -> list:
    await call.ask({"confirm": form("Please confirm", ok={"type": "boolean"})}, {"asked": "confirm"})
    if call.modern and call.state != {"asked": "confirm"}:
        raise MCPError(-32602, "requestState is missing")
    return [text("state-ok")]


@tool("Asks to confirm, and wants its state back")
async def test_input_required_result_request_state(call):
    return await confirmed(call)


@tool("Asks to confirm, and refuses a state that was changed")
async def test_input_required_result_tampered_state(call):
    return await confirmed(call)


@tool("Asks three things at once")
async def test_input_required_result_multiple_inputs(call):
    asked = {"user_name": ASK_NAME, "greeting": sample("Generate a greeting", 50), "client_roots": ROOTS}
    answers = await call.ask(asked, {"asked": "three"})
    return [text(f"{answers['greeting']['content'].get('text')} {len(answers['client_roots']['roots'])} root(s)")]


@tool("Asks twice, the second time knowing the first answer")
async def test_input_required_result_multi_round(call):
    name = call.state.get("name")
    if name is None:
        step = form("Step 1: What is your name?", name={"type": "string"})
        name = (await call.ask({"step1": step}, {"round": 1}))["step1"]["content"]["name"]
    step = form("Step 2: What is your favorite color?", color={"type": "string"})
    color = (await call.ask({"step2": step}, {"name": name}))["step2"]["content"]["color"]
    return [text(f"{name} likes {color}.")]


@tool("Asks only what the client can answer")
async def test_input_required_result_capabilities(call):
    all_of_it = {"greeting": sample("Generate a greeting"), "user_name": ASK_NAME, "client_roots": ROOTS}
    askable = {key: asked for key, asked in all_of_it.items() if call.offers(asked["method"])}
    answers = await call.ask(askable) if askable else {}
    return [text(f"Asked for {', '.join(answers) or 'nothing'}.")]


def user(content: dict) -> dict:
    return {"role": "user", "content": content}


async def test_simple_prompt(call):
    return [user(text("This is a simple prompt for testing."))]


async def test_prompt_with_arguments(call):
    given = call.arguments
    return [user(text(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"))]


async def test_prompt_with_embedded_resource(call):
    resource = embedded(call.arguments.get("resourceUri", ""), "Embedded resource content for testing.")
    return [user(resource), user(text("Please process the embedded resource above."))]


async def test_prompt_with_image(call):
    return [user(image()), user(text("Please analyze the image above."))]


async def test_input_required_result_prompt(call):
    question = form("What context should the prompt use?", context={"type": "string"})
    answer = (await call.ask({"user_context": question}))["user_context"]
    return [user(text(f"In the context of {(answer.get('content') or {}).get('context')}:"))]


PROMPTS = {
    test_simple_prompt: [],
    test_prompt_with_arguments: ["arg1", "arg2"],
    test_prompt_with_embedded_resource: ["resourceUri"],
    test_prompt_with_image: [],
    test_input_required_result_prompt: [],
}
RESOURCES = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": png()},
    "test://watched-resource": {"mimeType": "text/plain", "text": "This resource can be watched."},
}
TEMPLATE = "test://template/{id}/data"


async def list_tools(ctx, params):
    return {"tools": [offered for offered, _ in TOOLS.values()]}


async def call_tool(ctx, params):
    if params.name not in TOOLS:
        raise MCPError(-32602, f"Unknown tool: {params.name}")
    try:
        content = await TOOLS[params.name][1](Call(ctx, params.name, params.arguments))
    except InputNeeded as needed:
        return needed.result
    except ToolError as failed:
        return {"content": [text(str(failed))], "isError": True}
    return {"content": content}


async def list_prompts(ctx, params):
    listed = [
        {
            "name": prompt.__name__,
            "description": prompt.__name__.replace("_", " "),
            "arguments": [{"name": name, "description": f"The argument {name}", "required": True} for name in arguments],
        }
        for prompt, arguments in PROMPTS.items()
    ]
    return {"prompts": listed}


async def get_prompt(ctx, params):
    for prompt in PROMPTS:
        if prompt.__name__ == params.name:
            try:
                return {"messages": await prompt(Call(ctx, params.name, params.arguments))}
            except InputNeeded as needed:
                return needed.result
    raise MCPError(-32602, f"Unknown prompt: {params.name}")


async def list_resources(ctx, params):
    listed = [
        {"uri": uri, "name": uri.split("//")[1], "description": f"The resource {uri}", "mimeType": it["mimeType"]}
        for uri, it in RESOURCES.items()
    ]
    return {"resources": listed}


async def list_templates(ctx, params):
    template = {"uriTemplate": TEMPLATE, "name": "template", "mimeType": "application/json"}
    return {"resourceTemplates": [template | {"description": "Data by id"}]}


async def read_resource(ctx, params):
    uri = str(params.uri)
    if uri in RESOURCES:
        return {"contents": [{"uri": uri, **RESOURCES[uri]}]}
    before, after = TEMPLATE.split("{id}")
    if uri.startswith(before) and uri.endswith(after) and len(uri) > len(before + after):
        id = uri[len(before) : -len(after)]
        data = json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": data}]}
    code = -32602 if ctx.protocol_version == MODERN else -32002
    raise MCPError(code, "Resource not found", {"uri": uri})


async def complete(ctx, params):
    values = [value for value in ("paris", "park", "party", "test-value") if value.startswith(params.argument.value)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def nothing(ctx, params):
    return {}


async def set_level(ctx, params):
    levels[session_of(ctx)] = params.level
    return {}


class Memory(EventStore):
    """Keeps the events of every stream, for clients that come back."""

    def __init__(self):
        self.events: list = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        seen = int(last_event_id)
        stream = self.events[seen - 1][0]
        for number, (stream_id, message) in enumerate(self.events[seen:], seen + 1):
            if stream_id == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def whole(handler):
    """Says that a result is whole, where the handler does not say that it is not. (The SDK drops it in the older era.)"""

    async def handled(ctx, params):
        return {"resultType": "complete", **await handler(ctx, params)}

    return handled


def server() -> Server:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        return Server(
            "conformance-fixture",
            version="1.0.0",
            instructions="A server for conformance tests.",
            cache_hints={method: CacheHint(ttl_ms=0, scope="private") for method in CACHEABLE},
            on_list_tools=whole(list_tools),
            on_call_tool=whole(call_tool),
            on_list_prompts=whole(list_prompts),
            on_get_prompt=whole(get_prompt),
            on_list_resources=whole(list_resources),
            on_list_resource_templates=whole(list_templates),
            on_read_resource=whole(read_resource),
            on_subscribe_resource=nothing,
            on_unsubscribe_resource=nothing,
            on_subscriptions_listen=ListenHandler(bus),
            on_completion=whole(complete),
            on_set_logging_level=set_level,
        )


def only(era: str | None, app):
    """Leaves one era out, the way a server answers that never heard of it or no longer speaks it."""

    async def narrowed(scope, receive, send):
        if era is not None and scope["type"] == "http":
            version = dict(scope["headers"]).get(b"mcp-protocol-version", b"2025-11-25").decode()
            if (version >= MODERN) != (era == "2026"):
                supported = {"supported": [MODERN], "requested": version}
                modern = {"code": -32022, "message": "Unsupported protocol version", "data": supported}
                error = modern if era == "2026" else {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
                body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
                kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 400, "headers": kind})
                await send({"type": "http.response.body", "body": body})
                return
        await app(scope, receive, send)

    return narrowed


def main():
    parser = argparse.ArgumentParser(description="The MCP server of the conformance tests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--era", choices=["2025", "2026"])
    asked = parser.parse_args()
    app = only(asked.era, server().streamable_http_app(event_store=Memory(), retry_interval=100))
    listener = socket.create_server(("127.0.0.1", asked.port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve([listener]))


if __name__ == "__main__":
    main()
