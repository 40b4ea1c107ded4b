"""The story of AWS's sample of attribute-based policies, whole: an application whose tokens a function gives claims of an
employee, three tools of an insurer, and one policy after the other with the calls that it allows and denies.

The facts are those of `policy_demo.py`, part B and what part C enforces, in the samples of AgentCore
(01-features/06-centralize-and-govern-your-ai-infrastructure/02-policy); the words are ours.
"""

import pytest

from portcullis import ACCOUNT, REGION
from scenery import archive, name, tool, until
from wire import Wire, text_of

CLAIMS = """
def lambda_handler(event, context):
    claims = {}
    event["response"] = {{"claimsAndScopeOverrideDetails": {{
        "accessTokenGeneration": {{"claimsToAddOrOverride": claims}},
        "idTokenGeneration": {{"claimsToAddOrOverride": claims}},
    }}}}
    return event
"""
APPLY = "ApplicationToolTarget___create_application"
APPROVE = "ApprovalToolTarget___approve_underwriting"
RISK = "RiskModelToolTarget___invoke_risk_model"
TARGETS = {
    "ApplicationToolTarget": tool(
        "create_application", required=("applicant_region", "coverage_amount"), applicant_region="string", coverage_amount="integer"
    ),
    "ApprovalToolTarget": tool("approve_underwriting", claim_amount="integer", risk_level="string"),
    "RiskModelToolTarget": tool(
        "invoke_risk_model", API_classification="string", data_governance_approval="boolean"
    ),
}


class Insurer:
    def __init__(self, make):
        self.server = make.server
        pool = make.pool()
        self.client = pool.client("invoke")
        self.claims = make.function(CLAIMS.format("{}"))
        self.server.client("lambda").add_permission(
            FunctionName=self.claims,
            StatementId=name("cognito"),
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{pool.id}",
        )
        trigger = {"LambdaVersion": "V3_0", "LambdaArn": self.claims}
        self.server.client("cognito-idp").update_user_pool(
            UserPoolId=pool.id, LambdaConfig={"PreTokenGenerationConfig": trigger}
        )
        self.gateway = make.gateway(pool.authorizer(self.client))
        function = make.function()
        for target, definition in TARGETS.items():
            self.gateway.lambda_target(target, function, [definition])
        self.engine = make.engine()
        self.gateway.enforce(self.engine.arn)

    def employs(self, **claims):
        """Changes what the next tokens say."""
        functions = self.server.client("lambda")
        code = archive({"app.py": CLAIMS.format(repr(claims))})
        functions.update_function_code(FunctionName=self.claims, ZipFile=code)
        look = lambda: functions.get_function(FunctionName=self.claims)["Configuration"]
        until("the function", look, lambda seen: seen["LastUpdateStatus"] == "Successful")

    def permits(self, action: str, conditions: str):
        """Makes a policy the only one."""
        control = self.gateway.control
        for policy in control.list_policies(policyEngineId=self.engine.id)["policies"]:
            control.delete_policy(policyEngineId=self.engine.id, policyId=policy["policyId"])
        self.engine.policy(
            f'permit(principal, action == AgentCore::Action::"{action}", '
            f'resource == AgentCore::Gateway::"{self.gateway.arn}") when {{ {conditions} }};'
        )

    def outcome(self, of: str, **arguments) -> str:
        answer = Wire(self.gateway.url, self.client.token()).tool(of, **arguments)
        if not answer["result"]["isError"]:
            return "allowed"
        assert "policy enforcement" in text_of(answer), answer
        return "denied"


@pytest.fixture(scope="module")
def insurer(make):
    return Insurer(make)


def apply(insurer, amount: int) -> str:
    return insurer.outcome(APPLY, applicant_region="US", coverage_amount=amount)


FINANCE = 'principal.hasTag("department_name") && principal.getTag("department_name") == "finance"'


def test_one_department(insurer):
    insurer.permits(APPLY, FINANCE)
    insurer.employs(department_name="finance", employee_level="senior", cost_center="CC-1001")
    assert apply(insurer, 500_000) == "allowed"
    insurer.employs(department_name="engineering", employee_level="senior", cost_center="CC-2001")
    assert apply(insurer, 500_000) == "denied"


def test_groups_in_a_list(insurer):
    insurer.permits(APPROVE, 'principal.hasTag("groups") && principal.getTag("groups") like "*admins*"')
    insurer.employs(groups=["admins", "developers", "team-alpha"], department_name="finance")
    assert insurer.outcome(APPROVE, claim_amount=50_000, risk_level="low") == "allowed"
    insurer.employs(groups=["developers", "team-alpha"], department_name="finance")
    assert insurer.outcome(APPROVE, claim_amount=50_000, risk_level="low") == "denied"


def test_one_application_by_its_sub(insurer):
    ask = lambda: insurer.outcome(RISK, API_classification="internal", data_governance_approval=True)
    condition = 'principal.hasTag("sub") && principal.getTag("sub") == "{}"'
    insurer.permits(RISK, condition.format(insurer.client.id))
    assert ask() == "allowed"
    insurer.permits(RISK, condition.format("another-client"))
    assert ask() == "denied"


def test_a_department_up_to_an_amount(insurer):
    insurer.permits(APPLY, f"{FINANCE} && context.input.coverage_amount <= 1000000")
    insurer.employs(department_name="finance", employee_level="senior")
    assert apply(insurer, 500_000) == "allowed"
    assert apply(insurer, 2_000_000) == "denied"
    insurer.employs(department_name="engineering", employee_level="senior")
    assert apply(insurer, 500_000) == "denied"


def test_a_team_among_groups(insurer):
    insurer.permits(APPLY, 'principal.hasTag("groups") && principal.getTag("groups") like "*team-finance*"')
    insurer.employs(groups=["team-finance", "developers"], department_name="finance")
    assert apply(insurer, 100_000) == "allowed"


def test_an_amount_alone(insurer):
    insurer.permits(APPLY, "context.input.coverage_amount <= 1000000")
    assert apply(insurer, 750_000) == "allowed"
    assert apply(insurer, 2_000_000) == "denied"
