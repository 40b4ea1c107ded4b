"""An agent of the AgentCore SDK, unmodified: `BedrockAgentCoreApp` on a port of this machine, started by the operator.

    python agent_app.py PORT

It says what it was told: the payload, the session, the headers, and for whom it works, by the guide's own code (section
7.1), which believes the token's `sub` and not the payload. Given a gateway, it uses a tool of it with its caller's token.
"""

import asyncio
import json
import sys

import jwt
from bedrock_agentcore.runtime import BedrockAgentCoreApp, RequestContext
from bedrock_agentcore.runtime.context import BedrockAgentCoreContext
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

app = BedrockAgentCoreApp()
# What tests tell a running agent: to go on with a stream.
go_on = asyncio.Event()


def extract_user_id_from_context(context: RequestContext) -> str:
    """The guide's, word for word but for its comments."""
    request_headers = context.request_headers
    if not request_headers:
        raise ValueError("Request headers not found")
    auth_header = request_headers.get("Authorization", "")
    if not auth_header.startswith("Bearer "):
        raise ValueError("No Bearer token in Authorization header")
    token = auth_header.replace("Bearer ", "")
    claims = jwt.decode(jwt=token, options={"verify_signature": False}, algorithms=["RS256"])
    user_id = claims.get("sub")
    if not user_id:
        raise ValueError("JWT does not contain a sub claim")
    return user_id


def told(payload, context) -> dict:
    try:
        user_id = extract_user_id_from_context(context)
    except ValueError:
        user_id = payload.get("userId", "anonymous")
    return {
        "user": user_id,
        "session": context.session_id,
        "headers": {name.lower(): value for name, value in (context.request_headers or {}).items()},
        "workloadToken": BedrockAgentCoreContext.get_workload_access_token(),
        "callback": BedrockAgentCoreContext.get_oauth2_callback_url(),
        "payload": payload,
    }


async def events():
    yield {"event": 1}
    await asyncio.wait_for(go_on.wait(), 20)
    go_on.clear()
    yield {"event": 2}


async def use_tool(payload, context) -> dict:
    """What its caller sees of a gateway's tools, and what becomes of a call."""
    headers = {"Authorization": context.request_headers["Authorization"]}
    async with (
        streamablehttp_client(payload["gateway"], headers=headers) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        result = await session.call_tool(payload["tool"], payload["arguments"])
        return {"tools": tools, "refused": result.isError, "text": result.content[0].text}


@app.entrypoint
async def invoke(payload, context):
    if payload.get("goOn"):
        go_on.set()
    if payload.get("fail"):
        raise RuntimeError("the agent's own words: s3cret")
    if payload.get("stream"):
        return events()
    if payload.get("gateway"):
        return await use_tool(payload, context)
    if payload.get("size"):
        return {"length": len(payload["blob"])}
    return told(payload, context)


@app.websocket
async def converse(websocket, context):
    await websocket.accept()
    await websocket.send_text(json.dumps({"session": context.session_id}))
    async for text in websocket.iter_text():
        await websocket.send_text(f"echo {text}")


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="warning")
