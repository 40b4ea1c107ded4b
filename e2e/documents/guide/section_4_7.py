# AgentCore Implementation Guide, part 2, section 4.7, as printed.

import base64
import json

def decode_jwt_payload(access_token: str) -> dict:
    """
    Decode and log the JWT token payload.

    Note: This decodes without verification. Verification is required in production.
    """
    parts = access_token.split(".")
    if len(parts) < 2:
        return {}

    payload_b64 = parts[1]
    # Add Base64 padding (JWTs often omit the '=' padding characters)
    padding = 4 - (len(payload_b64) % 4)
    if padding != 4:
        payload_b64 += '=' * padding

    decoded = base64.b64decode(payload_b64)
    return json.loads(decoded.decode('utf-8'))

# Usage
payload = decode_jwt_payload(access_token)
print(f"Issuer: {payload.get('iss')}")
print(f"Scope: {payload.get('scope')}")
print(f"Expiration: {payload.get('exp')}")
