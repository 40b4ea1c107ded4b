# AgentCore Implementation Guide, part 2, section 6.4, as printed.

from bedrock_agentcore_starter_toolkit.operations.policy.client import PolicyClient

def generate_cedar_policy_with_nl2cedar(
    policy_client: PolicyClient,
    policy_engine_id: str,
    gateway_arn: str,
    target_name: str,
    tool_name: str
) -> str:
    """Automatically generate a Cedar policy from a natural language description."""
    nl_description = (
        f"Only allow users with 'manager' scope in their JWT token "
        f"to access the {tool_name} tool on target {target_name} "
        f"for gateway {gateway_arn}"
    )

    try:
        generated = policy_client.generate_policy(
            policy_engine_id,
            name=f"nl2cedar-{tool_name}",
            content={"rawText": nl_description},
            resource={"arn": gateway_arn},
            fetch_assets=True  # Automatically retrieve tool information from the Gateway
        )

        # NL2Cedar may generate a permit/forbid pair
        policies = generated.get("generatedPolicies", [])
        for asset in policies:
            cedar_def = asset.get("definition", {}).get("cedar", {})
            statement = cedar_def.get("statement", "")
            if statement:
                print(f"NL2Cedar generated policy:\n{statement}")
                return statement

        print("NL2Cedar: No valid policy was generated.")
        return None
    except Exception as e:
        # ConflictException: a generation with the same name already exists (on re-run)
        print(f"NL2Cedar failed: {e}. Please write the policy manually.")
        return None
