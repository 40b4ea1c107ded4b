# AgentCore Implementation Guide, part 2, section 7.1, as printed.

import jwt  # pip install PyJWT
from strands import Agent
from bedrock_agentcore.runtime import BedrockAgentCoreApp, RequestContext

app = BedrockAgentCoreApp()


def extract_user_id_from_context(context: RequestContext) -> str:
    """
    Extract the user ID from the JWT sub claim.

    Because AgentCore Runtime has already validated the JWT signature,
    re-verification on the agent side is not required.
    Retrieves the JWT from the Authorization header and returns the sub claim.
    """
    request_headers = context.request_headers
    if not request_headers:
        raise ValueError("Request headers not found")

    auth_header = request_headers.get("Authorization", "")
    if not auth_header.startswith("Bearer "):
        raise ValueError("No Bearer token in Authorization header")

    token = auth_header.replace("Bearer ", "")

    # Skip signature verification (AgentCore Runtime has already verified it)
    claims = jwt.decode(
        jwt=token,
        options={"verify_signature": False},
        algorithms=["RS256"],
    )

    user_id = claims.get("sub")
    if not user_id:
        raise ValueError("JWT does not contain a sub claim")
    return user_id


@app.entrypoint
async def invoke(payload, context):
    # Get the user ID from the JWT sub claim (do not trust the payload)
    try:
        user_id = extract_user_id_from_context(context)
    except ValueError:
        # Fallback when no JWT is present (e.g., SigV4 authentication)
        user_id = payload.get("userId", "anonymous")

    # Use this user_id for Memory access and audit logging
    agent = Agent(
        system_prompt=SYSTEM_PROMPT,
        tools=tools,
        state={"user_id": user_id, "session_id": context.session_id},
    )
    async for event in agent.stream_async(payload.get("prompt", "")):
        yield event
