# AgentCore Implementation Guide, part 2, section 6.5, as printed.

from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient
from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient

def setup_policy_engine(
    engine_name: str,
    cedar_policy_text: str,
    gateway_id: str,
    region: str,
    mode: str = "ENFORCE"
):
    """Create a Policy Engine, register a policy, and attach it to the Gateway."""
    # Create the Policy Engine (idempotent: returns the existing one if it already exists)
    policy_client = PolicyClient(region_name=region)
    engine = policy_client.create_or_get_policy_engine(
        name=engine_name,
        description=f"Policy engine for {engine_name}"
    )
    engine_id = engine["policyEngineId"]
    engine_arn = engine["policyEngineArn"]

    # Register the Cedar policy (idempotent: returns the existing one if it already exists)
    policy_client.create_or_get_policy(
        policy_engine_id=engine_id,
        name="manager-email-policy",
        definition={
            "cedar": {
                "statement": cedar_policy_text
            }
        },
        description="Manager-only email access policy",
    )

    # Attach to the Gateway
    gateway_client = GatewayClient(region_name=region)
    gateway_client.update_gateway_policy_engine(
        gateway_identifier=gateway_id,
        policy_engine_arn=engine_arn,
        mode=mode  # "ENFORCE" or "LOG_ONLY"
    )

    return engine_id
