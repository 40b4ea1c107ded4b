"""IAM at work: groups, boundaries, versions, tags, keys, sessions, simulations, and policies of gateways.

What a policy means is asked of the server by calls that it allows or refuses. The evaluator's own cases are with its
crate; here it is what surrounds it: which policies, keys and tags reach a decision, and from when on.
"""

import base64
import json
import re

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import documents
from portcullis import ACCOUNT, REGION, Server
from scenery import GATEWAY_TRUST, Caller, Scenery, allow, name, refusal, tool
from wire import Wire

AGENTCORE = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}"
IAM = f"arn:aws:iam::{ACCOUNT}"
CONTROL = "bedrock-agentcore-control"


@pytest.fixture(scope="module")
def scenery(server):
    return Scenery(server)


@pytest.fixture(scope="module")
def iam(server):
    return server.client("iam")


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect: str, action, resource="*", **condition) -> dict:
    made = {"Effect": effect, "Action": action, "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


def trust(principal: dict, *actions: str, **condition) -> dict:
    made = {"Effect": "Allow", "Principal": principal, "Action": list(actions or ("sts:AssumeRole",))}
    return {"Version": "2012-10-17", "Statement": [made | ({"Condition": condition} if condition else {})]}


def denied(call, *arguments, **keywords) -> str:
    """The message with which IAM refuses a call."""
    status, code, message = refusal(call, *arguments, **keywords)
    assert code in ("AccessDenied", "AccessDeniedException"), (status, code, message)
    # Services of JSON 1.1 answer 400, the others 403.
    assert status == (400 if code.endswith("Exception") and " kms:" in message else 403), (status, code, message)
    return message


def session(server: Server, answer: dict) -> Caller:
    key = answer["Credentials"]
    arn = answer["AssumedRoleUser"]["Arn"]
    return Caller(server, "session", arn, key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])


# --- who holds what ---------------------------------------------------------------------------------------------------


def test_a_groups_policies_count_for_its_members_while_they_are_in_it(scenery, iam):
    group, user = name("group"), scenery.user()
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=json.dumps(allow("iam:ListUsers")))
    denied(user.client("iam").list_users)
    iam.add_user_to_group(GroupName=group.upper(), UserName=user.name)
    assert user.client("iam").list_users()["Users"]
    assert [it["GroupName"] for it in iam.list_groups_for_user(UserName=user.name)["Groups"]] == [group]
    assert refusal(iam.delete_group, GroupName=group)[1] == "DeleteConflict"
    assert refusal(iam.delete_user, UserName=user.name)[1] == "DeleteConflict"
    iam.remove_user_from_group(GroupName=group, UserName=user.name)
    denied(user.client("iam").list_users)


def test_a_boundary_bounds_at_once_and_grants_nothing(scenery, iam):
    user = scenery.user(allow("iam:*"))
    bound = iam.create_policy(PolicyName=name("bound"), PolicyDocument=json.dumps(allow("iam:ListUsers", "kms:*")))
    bound = bound["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=bound)
    assert user.client("iam").list_users()["Users"]
    assert "no permissions boundary allows" in denied(user.client("iam").list_roles)
    denied(user.client("kms").list_keys)
    assert iam.get_policy(PolicyArn=bound)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refusal(iam.delete_policy, PolicyArn=bound)[1] == "DeleteConflict"
    iam.delete_user_permissions_boundary(UserName=user.name)
    assert "Roles" in user.client("iam").list_roles()


def test_who_may_make_roles_only_under_a_boundary_cannot_get_around_it(scenery, iam):
    """The delegation that AWS documents: an administrator of roles who cannot make one that is stronger."""
    bound = iam.create_policy(PolicyName=name("bound"), PolicyDocument=json.dumps(allow("sts:*")))["Policy"]["Arn"]
    making = ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"]
    granted = statement("Allow", making, StringEquals={"iam:PermissionsBoundary": bound})
    user = scenery.user(json.loads(policy(granted)))
    made, document = name("role"), json.dumps(GATEWAY_TRUST)
    denied(user.client("iam").create_role, RoleName=made, AssumeRolePolicyDocument=document)
    user.client("iam").create_role(RoleName=made, AssumeRolePolicyDocument=document, PermissionsBoundary=bound)
    inline = {"PolicyName": "p", "PolicyDocument": json.dumps(allow("*"))}
    user.client("iam").put_role_policy(RoleName=made, **inline)
    denied(user.client("iam").put_role_policy, RoleName=scenery.role(GATEWAY_TRUST).rpartition("/")[2], **inline)
    denied(user.client("iam").delete_role_permissions_boundary, RoleName=made)


def test_a_gateways_role_is_bound_by_its_boundary(scenery, iam):
    """What the gateway may do as its role is decided under the role's boundary, too."""
    bound = iam.create_policy(PolicyName=name("bound"), PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    role = scenery.role(GATEWAY_TRUST, allow("lambda:InvokeFunction"))
    gateway = scenery.gateway(roleArn=role)
    gateway.lambda_target("Echo", scenery.function(), [tool("echo")])
    call = lambda: Wire(gateway.url).call("tools/call", {"name": "Echo___echo", "arguments": {}})
    assert "tool" in json.dumps(call()["result"])
    iam.put_role_permissions_boundary(RoleName=role.rpartition("/")[2], PermissionsBoundary=bound)
    refused = json.dumps(call())
    assert '"isError": true' in refused or '"error"' in refused, refused


def test_versions_of_a_policy_are_in_force_one_at_a_time(scenery, iam):
    made = iam.create_policy(PolicyName=name("policy"), PolicyDocument=json.dumps(allow("iam:ListUsers")))
    arn = made["Policy"]["Arn"]
    user = scenery.user()
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("iam:ListRoles")))
    assert version["PolicyVersion"]["VersionId"] == "v2" and not version["PolicyVersion"]["IsDefaultVersion"]
    assert user.client("iam").list_users()["Users"]
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    denied(user.client("iam").list_users)
    assert user.client("iam").list_roles()["Roles"]
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[1] == "DeleteConflict"
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("iam:*")), SetAsDefault=True)
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument="{}")[1] == "MalformedPolicyDocument"
    one_more = {"PolicyArn": arn, "PolicyDocument": json.dumps(allow("iam:*"))}
    assert refusal(iam.create_policy_version, **one_more)[1] == "LimitExceeded"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.create_policy_version(**one_more)["PolicyVersion"]["VersionId"] == "v6"
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [it["VersionId"] for it in listed] == ["v6", "v5", "v4", "v3", "v2"]
    assert [it["VersionId"] for it in listed if it["IsDefaultVersion"]] == ["v5"]
    held = iam.list_entities_for_policy(PolicyArn=arn)
    assert [it["UserName"] for it in held["PolicyUsers"]] == [user.name] and not held["PolicyRoles"]


def test_keys_are_rotated_and_tell_their_last_use(scenery, iam):
    user = scenery.user()
    used = lambda key: iam.get_access_key_last_used(AccessKeyId=key)
    assert "LastUsedDate" not in used(user.key)["AccessKeyLastUsed"]
    user.client("sts").get_caller_identity()
    told = used(user.key)
    assert told["UserName"] == user.name
    assert (told["AccessKeyLastUsed"]["ServiceName"], told["AccessKeyLastUsed"]["Region"]) == ("sts", REGION)
    second = iam.create_access_key(UserName=user.name)["AccessKey"]
    assert refusal(iam.create_access_key, UserName=user.name)[1] == "LimitExceeded"
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key, Status="Inactive")
    assert refusal(user.client("sts").get_caller_identity)[1] == "InvalidClientTokenId"
    fresh = Caller(user.server, user.name, user.arn, second["AccessKeyId"], second["SecretAccessKey"])
    assert fresh.client("sts").get_caller_identity()["Arn"] == user.arn
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.key)


def test_roles_of_services_are_the_services(iam):
    service, role = (
        "runtime-identity.bedrock-agentcore.amazonaws.com",
        "AWSServiceRoleForBedrockAgentCoreRuntimeIdentity",
    )
    made = iam.create_service_linked_role(AWSServiceName=service)["Role"]
    assert made["Arn"] == f"{IAM}:role/aws-service-role/{service}/{role}"
    document = json.dumps(allow("*"))
    for call, more in (
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": document}),
        (iam.update_assume_role_policy, {"PolicyDocument": json.dumps(GATEWAY_TRUST)}),
        (iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (iam.delete_role, {}),
    ):
        assert refusal(call, RoleName=role, **more)[1] == "UnmodifiableEntity"
    own = {"RoleName": name("r"), "AssumeRolePolicyDocument": json.dumps(GATEWAY_TRUST)}
    assert refusal(iam.create_role, Path="/aws-service-role/x.amazonaws.com/", **own)[1] == "ValidationError"
    task = iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


# --- tags -------------------------------------------------------------------------------------------------------------


def test_tags_of_principals_requests_and_resources_decide(scenery, iam):
    same = {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}
    asked = {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}
    granted = policy(
        statement(
            "Allow",
            "bedrock-agentcore:CreateGateway",
            StringEquals=asked,
            **{"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
        ),
        statement("Allow", ["bedrock-agentcore:GetGateway", "bedrock-agentcore:DeleteGateway"], StringEquals=same),
        statement("Allow", "iam:PassRole"),
    )
    blue, red = scenery.user(json.loads(granted)), scenery.user(json.loads(granted))
    iam.tag_user(UserName=blue.name, Tags=[{"Key": "team", "Value": "blue"}])
    iam.tag_user(UserName=red.name, Tags=[{"Key": "team", "Value": "red"}])
    request = {"name": name("g"), "roleArn": scenery.gateway_role(), "protocolType": "MCP", "authorizerType": "AWS_IAM"}
    denied(blue.client(CONTROL).create_gateway, **request)
    denied(blue.client(CONTROL).create_gateway, **request, tags={"team": "red"})
    denied(blue.client(CONTROL).create_gateway, **request, tags={"team": "blue", "more": "x"})
    made = blue.client(CONTROL).create_gateway(**request, tags={"team": "blue"})["gatewayId"]
    assert blue.client(CONTROL).get_gateway(gatewayIdentifier=made)["gatewayId"] == made
    denied(red.client(CONTROL).get_gateway, gatewayIdentifier=made)
    iam.tag_user(UserName=red.name, Tags=[{"Key": "Team", "Value": "blue"}])
    assert red.client(CONTROL).get_gateway(gatewayIdentifier=made)
    iam.untag_user(UserName=red.name, TagKeys=["team"])
    denied(red.client(CONTROL).get_gateway, gatewayIdentifier=made)
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refusal(iam.tag_user, UserName=red.name, Tags=twice)[1] == "InvalidInput"


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_are_narrowed_tagged_and_chained(scenery, iam, server):
    user = scenery.user()
    first = scenery.role(
        trust({"AWS": user.arn}, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"), allow("iam:*", "sts:*")
    )
    role = first.rpartition("/")[2]
    only_users = iam.create_policy(PolicyName=name("p"), PolicyDocument=json.dumps(allow("iam:ListUsers")))["Policy"][
        "Arn"
    ]
    asked = {"RoleArn": first, "RoleSessionName": "work"}
    sts = user.client("sts")
    narrowed = session(server, sts.assume_role(**asked, PolicyArns=[{"arn": only_users}]))
    assert narrowed.client("iam").list_users()["Users"]
    assert "no session policy allows" in denied(narrowed.client("iam").list_roles)
    missing = [{"arn": f"{IAM}:policy/no-such-policy"}]
    assert refusal(sts.assume_role, **asked, PolicyArns=missing)[1] == "ValidationError"

    tags = [{"Key": "team", "Value": "blue"}, {"Key": "job", "Value": "one"}]
    answer = sts.assume_role(**asked, Tags=tags, TransitiveTagKeys=["team"], SourceIdentity="ann")
    assert answer["SourceIdentity"] == "ann" and answer["PackedPolicySize"] >= 1
    tagged = session(server, answer)
    principal = {"AWS": f"{IAM}:role/{role}"}
    second = scenery.role(
        trust(principal, "sts:AssumeRole", "sts:SetSourceIdentity", StringEquals={"aws:PrincipalTag/team": "blue"}),
        allow("iam:*"),
    )
    chain = {"RoleArn": second, "RoleSessionName": "more"}
    denied(session(server, sts.assume_role(**asked)).client("sts").assume_role, **chain)
    chained = tagged.client("sts").assume_role(**chain)
    assert chained["SourceIdentity"] == "ann"
    iam.put_role_policy(
        RoleName=second.rpartition("/")[2],
        PolicyName="by-tag",
        PolicyDocument=policy(
            statement(
                "Deny", "iam:ListUsers", StringEquals={"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "ann"}
            )
        ),
    )
    assert "explicit deny" in denied(session(server, chained).client("iam").list_users)
    assert refusal(tagged.client("sts").assume_role, **chain, DurationSeconds=3601)[1] == "ValidationError"
    denied(tagged.client("sts").assume_role, **chain, SourceIdentity="eve")
    # The trust policy lets nobody give tags.
    denied(tagged.client("sts").assume_role, **chain, Tags=[{"Key": "x", "Value": "y"}])


def test_a_session_of_a_user_is_the_user_but_for_iam(scenery, server, iam):
    user = scenery.user(allow("iam:*", "sts:*", "kms:*"))
    key = user.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    own = Caller(server, user.name, user.arn, key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    assert own.client("sts").get_caller_identity()["Arn"] == user.arn
    assert "Keys" in own.client("kms").list_keys()
    assert refusal(own.client("iam").list_users)[1] == "InvalidClientTokenId"
    assert refusal(own.client("sts").get_session_token)[1] == "InvalidClientTokenId"
    target = scenery.role(trust({"AWS": user.arn}))
    assert own.client("sts").assume_role(RoleArn=target, RoleSessionName="s1")
    role_session = scenery.assume(target, by=user)
    denied(role_session.client("sts").get_session_token)
    iam.put_user_policy(UserName=user.name, PolicyName="no", PolicyDocument=policy(statement("Deny", "kms:*")))
    denied(own.client("kms").list_keys)


@pytest.fixture(scope="module")
def federation(scenery, iam):
    """A pool of this server as an identity provider, and its clients."""
    pool = scenery.pool(["invoke"])
    known, stranger = pool.client("invoke"), pool.client("invoke")
    made = iam.create_open_id_connect_provider(Url=pool.issuer, ClientIDList=[known.id])
    return pool, known, stranger, made["OpenIDConnectProviderArn"]


def test_web_identities_open_sessions_of_roles_that_trust_them(scenery, server, federation):
    pool, known, stranger, provider = federation
    key = pool.issuer.split("://")[1]
    role = scenery.role(
        trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", StringEquals={f"{key}:aud": known.id}),
        allow("iam:ListUsers", StringEquals={"aws:FederatedProvider": provider, f"{key}:sub": known.id}),
    )
    sts = server.client("sts")
    asked = {"RoleArn": role, "RoleSessionName": "web"}
    answer = sts.assume_role_with_web_identity(**asked, WebIdentityToken=known.token())
    assert (answer["Audience"], answer["SubjectFromWebIdentityToken"], answer["Provider"]) == (
        known.id,
        known.id,
        provider,
    )
    opened = session(server, answer)
    assert opened.client("sts").get_caller_identity()["Arn"].endswith("/web")
    assert opened.client("iam").list_users()["Users"]
    refused = lambda token, **more: refusal(sts.assume_role_with_web_identity, **(asked | more), WebIdentityToken=token)
    assert refused(stranger.token())[1:] == ("InvalidIdentityToken", "Incorrect token audience")
    head, body, signature = known.token().split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "admin"}
    forged = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{forged}.{signature}")[1] == "InvalidIdentityToken"
    assert refused("not.a.token")[1] == "InvalidIdentityToken"
    other = scenery.role(
        trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", StringEquals={f"{key}:sub": "nobody"})
    )
    assert refused(known.token(), RoleArn=other)[:2] == (403, "AccessDenied")
    elsewhere = scenery.pool(["invoke"])
    assert "No OpenIDConnect provider found" in refused(elsewhere.client("invoke").token())[2]
    assert refused(known.token(), DurationSeconds=3601)[1] == "ValidationError"


# --- simulation -------------------------------------------------------------------------------------------------------


def test_a_simulation_says_what_a_call_would_find(scenery, iam):
    user = scenery.user(
        json.loads(
            policy(
                statement("Allow", "iam:List*"),
                statement("Deny", "iam:ListRoles", NotIpAddress={"aws:SourceIp": "127.0.0.0/8"}),
                statement("Deny", "iam:ListGroups"),
            )
        )
    )
    actions = ["iam:ListUsers", "iam:ListRoles", "iam:ListGroups", "iam:GetUser"]
    simulated = iam.simulate_principal_policy(
        PolicySourceArn=user.arn,
        ActionNames=actions,
        ContextEntries=[{"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["127.0.0.1"], "ContextKeyType": "ip"}],
    )["EvaluationResults"]
    decisions = {it["EvalActionName"]: it["EvalDecision"] for it in simulated}
    assert decisions == dict(zip(actions, ["allowed", "allowed", "explicitDeny", "implicitDeny"]))
    really = user.client("iam")
    assert really.list_users() and really.list_roles()
    assert "explicit deny" in denied(really.list_groups)
    assert "no identity-based policy allows" in denied(really.get_user, UserName="root-nobody")
    [resting] = simulated[2]["MatchedStatements"]
    assert resting["SourcePolicyId"] == f"user_{user.name}_inline" and resting["SourcePolicyType"] == "user"
    assert (
        resting["StartPosition"]["Line"] == 1 and resting["EndPosition"]["Column"] > resting["StartPosition"]["Column"]
    )
    bare = iam.simulate_principal_policy(PolicySourceArn=user.arn, ActionNames=["iam:ListRoles"])["EvaluationResults"]
    assert bare[0]["MissingContextValues"] == ["aws:SourceIp"] and bare[0]["EvalDecision"] == "explicitDeny"
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=user.arn)["ContextKeyNames"]
    assert keys == ["aws:SourceIp"]


def test_simulations_of_documents_know_boundaries_resources_and_pages(iam, scenery):
    user = scenery.user()
    inline = policy(statement("Allow", "s3:*", "arn:aws:s3:::b/*"))
    bound = policy(statement("Allow", "s3:GetObject"))
    asked = {
        "PolicyInputList": [inline],
        "PermissionsBoundaryPolicyInputList": [bound],
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::b/k", "arn:aws:s3:::c/k"],
    }
    results = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert [it["EvalDecision"] for it in results] == ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]
    within = [it["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for it in results]
    assert within == [True, True, False, False]
    pages = iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 3})
    assert [it for page in pages for it in page["EvaluationResults"]] == results
    opened = {"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "s3:GetObject", "Resource": "*"}
    with_resource = {
        "PolicyInputList": [policy(statement("Allow", "sqs:*"))],
        "ActionNames": ["s3:GetObject"],
        "ResourceArns": ["arn:aws:s3:::b/k"],
        "ResourcePolicy": policy(opened),
    }
    assert refusal(iam.simulate_custom_policy, **with_resource)[1] == "InvalidInput"
    [same] = iam.simulate_custom_policy(**with_resource, CallerArn=user.arn)["EvaluationResults"]
    assert same["EvalDecision"] == "allowed" and same["MatchedStatements"][0]["SourcePolicyType"] == "resource"
    owner = {"CallerArn": user.arn, "ResourceOwner": "arn:aws:iam::444455556666:root"}
    [across] = iam.simulate_custom_policy(**with_resource, **owner)["EvaluationResults"]
    assert across["EvalDecision"] == "implicitDeny"
    assert (
        refusal(iam.simulate_custom_policy, PolicyInputList=["{}"], ActionNames=["s3:GetObject"])[1] == "InvalidInput"
    )


# --- the seeds' policies ----------------------------------------------------------------------------------------------


def filled(path: str) -> str:
    text = documents.text(path)
    for placeholder, value in (
        ("{{accountId}}", ACCOUNT),
        ("{{region}}", REGION),
        ("{{gatewayName}}", "seed"),
        ("ACCOUNT_ID", ACCOUNT),
        ("REGION", REGION),
        ("<account-with-lambda>", ACCOUNT),
        ("<gateway-account>", ACCOUNT),
    ):
        text = text.replace(placeholder, value)
    return text


def test_the_full_access_policy_manages_gateways_and_nothing_else(scenery):
    user = scenery.user(json.loads(filled("prerequisites/full_access.json")))
    gateway = scenery.gateway("AWS_IAM")
    control = user.client(CONTROL)
    assert control.get_gateway(gatewayIdentifier=gateway.id) and control.list_gateways()["items"]
    # It passes no role, so that it makes a gateway only with a permission more.
    request = {"name": name("g"), "roleArn": scenery.gateway_role(), "protocolType": "MCP", "authorizerType": "AWS_IAM"}
    assert "iam:PassRole" in denied(control.create_gateway, **request)
    denied(control.list_policy_engines)
    denied(user.client("iam").list_users)
    control.delete_gateway(gatewayIdentifier=gateway.id)


def test_the_read_only_policy_reads(scenery):
    user = scenery.user(json.loads(filled("prerequisites/read_only.json")))
    gateway = scenery.gateway("AWS_IAM")
    control = user.client(CONTROL)
    assert control.list_gateways()["items"] and control.get_gateway(gatewayIdentifier=gateway.id)
    assert control.list_gateway_targets(gatewayIdentifier=gateway.id)["items"] == []
    for call in (control.delete_gateway, control.list_gateway_rate_limits):
        denied(call, gatewayIdentifier=gateway.id)
    denied(control.get_resource_policy, resourceArn=gateway.arn)


@pytest.mark.parametrize("block", ["prerequisites/trust.json", "guide/section_7_2.json"])
def test_confused_deputies_are_not_trusted(scenery, block):
    """The seeds' trust policies, for gateways that they name, and the neighbours."""
    document = filled(block)
    role = scenery.role(json.loads(document), allow("lambda:InvokeFunction"))
    elsewhere = scenery.role(json.loads(document.replace(f'"{ACCOUNT}"', '"444455556666"')))
    function = scenery.function()
    outcomes = []
    for assumed in (role, elsewhere):
        gateway = scenery.gateway(name=name("seed"), roleArn=assumed)
        gateway.lambda_target("Echo", function, [tool("echo")])
        answer = Wire(gateway.url).call("tools/call", {"name": "Echo___echo", "arguments": {}})
        outcomes.append(not answer.get("error") and not answer["result"].get("isError", False))
    assert outcomes == [True, False]
    if "gateway/" in document:
        other = scenery.gateway(name=name("other"), roleArn=role)
        other.lambda_target("Echo", function, [tool("echo")])
        answer = Wire(other.url).call("tools/call", {"name": "Echo___echo", "arguments": {}})
        assert answer.get("error") or answer["result"]["isError"], answer


def test_the_setup_documents_policies_are_what_they_say(scenery, iam):
    printed = filled("setup/trust.json")
    request = {"RoleName": name("r"), "AssumeRolePolicyDocument": printed}
    assert refusal(iam.create_role, **request)[1] == "MalformedPolicyDocument"
    assert iam.create_role(**request | {"AssumeRolePolicyDocument": re.sub(r"},\s*\]", "}]", printed)})
    user = scenery.user(json.loads(filled("setup/core.json")))
    request = {"name": name("g"), "roleArn": scenery.gateway_role(), "protocolType": "MCP", "authorizerType": "AWS_IAM"}
    made = user.client(CONTROL).create_gateway(**request)["gatewayId"]
    denied(user.client("iam").list_roles)
    user.client(CONTROL).delete_gateway(gatewayIdentifier=made)


def tree(path: str) -> list:
    """The lines of a permission tree: actions, and the resource that the line below names."""
    lines = []
    for line in documents.text(path).splitlines():
        resource = re.search(r"\(Resource: \"?(\S+?)\"?(?: required)?\)", line)
        if line.startswith(("├", "└")):
            actions = line[3:].split("—")[0].split("(")[0]
            lines.append([[it.strip() for it in actions.split(",")], "*"])
        if resource:
            lines[-1][1] = resource[1]
    return lines


NEIGHBOURS = {
    "bedrock": "bedrock:CreateModelCustomizationJob",
    "ecr": "ecr-public:GetAuthorizationToken",
    "logs": "logs:DeleteLogGroup",
    "xray": "xray:GetTraceSummaries",
    "cloudwatch": "cloudwatch:DeleteAlarms",
    "bedrock-agentcore": "bedrock:InvokeAgent",
    "iam": "iam:DeleteRole",
    "cognito-idp": "cognito-identity:GetId",
    "s3": "s3:DeleteObject",
    "lambda": "lambda:DeleteFunction",
    "ses": "ses:DeleteIdentity",
}


@pytest.mark.parametrize(
    ("path", "count"), [("guide/section_7_3_runtime.txt", 8), ("guide/section_7_3_developer.txt", 7)]
)
def test_each_line_of_the_guides_trees_allows_itself_and_no_neighbour(iam, path, count):
    lines = tree(path)
    assert len(lines) == count, lines
    document = policy(*(statement("Allow", actions, resource) for actions, resource in lines))
    decide = lambda action, resource: iam.simulate_custom_policy(
        PolicyInputList=[document], ActionNames=[action], ResourceArns=[resource]
    )["EvaluationResults"][0]["EvalDecision"]
    for actions, resource in lines:
        inside = resource.replace("*", "x") if resource != "*" else "*"
        for action in actions:
            concrete = action.replace("*", "Get") if action.endswith(":*") else action.replace("*", "ForJWT")
            assert decide(concrete, inside) == "allowed", action
            if resource != "*":
                outside = "arn:aws:s3:::another" if ":s3:" in resource else f"{IAM}:role/Admin"
                assert decide(concrete, outside) == "implicitDeny", action
        service = actions[0].split(":")[0]
        assert decide(NEIGHBOURS[service], inside) == "implicitDeny", service


def test_guard_rails_at_the_operations_where_aws_sets_their_keys(scenery):
    pool = scenery.pool(["invoke"])
    engine = scenery.engine()
    jwt = {"authorizerType": "CUSTOM_JWT", "authorizerConfiguration": pool.authorizer(pool.client("invoke"))}
    elsewhere = {"authorizerType": "CUSTOM_JWT", "authorizerConfiguration": scenery.pool(["invoke"]).authorizer()}
    elsewhere["authorizerConfiguration"]["customJWTAuthorizer"]["allowedClients"] = ["x"]
    guarded = lambda mode: {"policyEngineConfiguration": {"arn": engine.arn, "mode": mode}}
    request = lambda **more: {"name": name("g"), "roleArn": scenery.gateway_role(), "protocolType": "MCP", **more}
    everything = statement("Allow", ["bedrock-agentcore:*", "iam:PassRole"])
    create = ["bedrock-agentcore:CreateGateway", "bedrock-agentcore:UpdateGateway"]
    rails = {
        "GatewayAuthorizerType": (
            dict(StringEquals={"bedrock-agentcore:GatewayAuthorizerType": "NONE"}),
            jwt,
            {"authorizerType": "NONE"},
        ),
        "DiscoveryUrl": (dict(StringNotEquals={"bedrock-agentcore:DiscoveryUrl": pool.discovery_url}), jwt, elsewhere),
        "PolicyEngineMode": (
            dict(StringNotEquals={"bedrock-agentcore:PolicyEngineMode": "ENFORCE"}),
            jwt | guarded("ENFORCE"),
            jwt | guarded("LOG_ONLY"),
        ),
    }
    for key, (condition, fine, refused) in rails.items():
        user = scenery.user(json.loads(policy(everything, statement("Deny", create, **condition))))
        assert user.client(CONTROL).create_gateway(**request(**fine))["gatewayId"], key
        assert "explicit deny" in denied(user.client(CONTROL).create_gateway, **request(**refused)), key
    # Who must have an engine cannot take it away again.
    assert "explicit deny" in denied(user.client(CONTROL).create_gateway, **request(**jwt))
    kept = user.client(CONTROL).create_gateway(**request(**jwt, **guarded("ENFORCE")))
    without = {
        "gatewayIdentifier": kept["gatewayId"],
        "name": kept["name"],
        "roleArn": scenery.gateway_role(),
        "protocolType": "MCP",
        **jwt,
    }
    assert "explicit deny" in denied(user.client(CONTROL).update_gateway, **without)


def test_a_role_is_passed_to_the_service_that_the_policy_names(scenery):
    passing = lambda service: statement("Allow", "iam:PassRole", StringEquals={"iam:PassedToService": service})
    request = {"name": name("g"), "roleArn": scenery.gateway_role(), "protocolType": "MCP", "authorizerType": "AWS_IAM"}
    for service, allowed in (("lambda.amazonaws.com", False), ("bedrock-agentcore.amazonaws.com", True)):
        user = scenery.user(json.loads(policy(statement("Allow", "bedrock-agentcore:*"), passing(service))))
        if allowed:
            assert user.client(CONTROL).create_gateway(**request)["gatewayId"]
        else:
            assert "iam:PassRole" in denied(user.client(CONTROL).create_gateway, **request)


# --- policies of gateways ---------------------------------------------------------------------------------------------


def invoke(gateway, caller: Caller | None = None, token: str | None = None) -> requests.Response:
    """A signed call, or one with a token, of the gateway's endpoint."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = AWSRequest("POST", gateway.url, data=body, headers=headers)
    if caller:
        credentials = Credentials(caller.key, caller.secret, caller.token)
        SigV4Auth(credentials, "bedrock-agentcore", REGION).add_auth(request)
    return requests.post(gateway.url, data=body, headers=dict(request.headers), timeout=30)


def opened(gateway, principal, effect="Allow", **condition) -> str:
    made = {
        "Effect": effect,
        "Principal": principal,
        "Action": "bedrock-agentcore:InvokeGateway",
        "Resource": gateway.arn,
    }
    return policy(made | ({"Condition": condition} if condition else {}))


def test_a_gateways_policy_lets_in_whom_it_names(scenery):
    control = scenery.server.client(CONTROL)
    gateway = scenery.gateway("AWS_IAM")
    named, other = scenery.user(), scenery.user()
    insider = scenery.user(allow("bedrock-agentcore:InvokeGateway"))
    assert [invoke(gateway, it).status_code for it in (named, other, insider)] == [403, 403, 200]
    control.put_resource_policy(resourceArn=gateway.arn, policy=opened(gateway, {"AWS": named.arn}))
    assert [invoke(gateway, it).status_code for it in (named, other, insider)] == [200, 403, 200]
    assert json.loads(control.get_resource_policy(resourceArn=gateway.arn)["policy"])["Statement"]
    control.put_resource_policy(
        resourceArn=gateway.arn, policy=opened(gateway, "*", "Deny", IpAddress={"aws:SourceIp": "127.0.0.0/8"})
    )
    refused = invoke(gateway, insider)
    assert refused.status_code == 403 and "explicit deny in a resource-based policy" in refused.text
    control.delete_resource_policy(resourceArn=gateway.arn)
    assert "policy" not in control.get_resource_policy(resourceArn=gateway.arn)
    assert refusal(control.delete_resource_policy, resourceArn=gateway.arn)[1] == "ResourceNotFoundException"
    assert [invoke(gateway, it).status_code for it in (named, other, insider)] == [403, 403, 200]


def test_callers_with_tokens_meet_the_policy_after_their_token(scenery):
    control = scenery.server.client(CONTROL)
    pool = scenery.pool(["invoke"])
    client = pool.client("invoke")
    gateway = scenery.gateway(pool.authorizer(client))
    assert invoke(gateway, token=client.token()).status_code == 200
    here, there = {"aws:SourceIp": "127.0.0.0/8"}, {"aws:SourceIp": "203.0.113.0/24"}
    control.put_resource_policy(resourceArn=gateway.arn, policy=opened(gateway, "*", IpAddress=here))
    assert invoke(gateway, token=client.token()).status_code == 200
    assert invoke(gateway, token="not-a-token").status_code == 401
    assert invoke(gateway).status_code == 401
    control.put_resource_policy(resourceArn=gateway.arn, policy=opened(gateway, "*", IpAddress=there))
    assert invoke(gateway, token=client.token()).status_code == 403
    refused = refusal(control.put_resource_policy, resourceArn=gateway.arn, policy=opened(gateway, {"AWS": ACCOUNT}))
    assert refused[1] == "ValidationException" and 'Principal must be "*"' in refused[2]


def test_policies_of_gateways_are_held_against_what_aws_takes(scenery):
    control = scenery.server.client(CONTROL)
    gateway = scenery.gateway("AWS_IAM")
    sound = json.loads(opened(gateway, "*"))
    for change, problem in (
        ({"Resource": "*"}, "exact ARN"),
        ({"Resource": f"{AGENTCORE}:gateway/another"}, "exact ARN"),
        ({"Action": "bedrock-agentcore:InvokeAgentRuntime"}, "Action must be"),
        ({"Effect": "allow"}, "Invalid effect"),
        ({"Principal": None}, "Principal"),
    ):
        changed = json.dumps(sound | {"Statement": [sound["Statement"][0] | change]})
        refused = refusal(control.put_resource_policy, resourceArn=gateway.arn, policy=changed)
        assert refused[1] == "ValidationException" and problem in refused[2], (change, refused)
    many = json.dumps(sound | {"Statement": sound["Statement"] * 101})
    assert refusal(control.put_resource_policy, resourceArn=gateway.arn, policy=many)[1] == "ValidationException"
    control.put_resource_policy(resourceArn=gateway.arn, policy=json.dumps(sound))
    control.delete_gateway(gatewayIdentifier=gateway.id)
    assert refusal(control.get_resource_policy, resourceArn=gateway.arn)[1] == "ResourceNotFoundException"


# --- refused as IAM refuses -------------------------------------------------------------------------------------------

# What documents say and what IAM answers are facts that moto's tests of policy documents record.
MALFORMED = [
    ("not json", "Syntax errors in policy."),
    ("[]", "Syntax errors in policy."),
    ({"Version": "2012-10-17"}, "Syntax errors in policy."),
    ({"Version": "2012", "Statement": []}, "Syntax errors in policy."),
    (
        {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
        "Policy document must be version 2012-10-17 or greater.",
    ),
    ({"Effect": "Allow", "Resource": "*"}, "Policy statement must contain actions."),
    ({"Effect": "Allow", "Action": "s3:*"}, "Policy statement must contain resources."),
    ({"Effect": "Allow", "Action": [], "Resource": "*"}, "Policy statement must contain actions."),
    (
        {"Effect": "Allow", "Action": "ListBucket", "Resource": "*"},
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    ({"Effect": "Allow", "Action": "s3:a:b", "Resource": "*"}, "Actions/Condition can contain only one colon."),
    ({"Effect": "Allow", "Action": "s3s:/x:y", "Resource": "*"}, "Actions/Condition can contain only one colon."),
    ({"Effect": "Allow", "Action": "a a:b", "Resource": "*"}, "Vendor a a is not valid"),
    ({"Effect": "Allow", "Action": "s3:*", "Resource": "bucket"}, 'Resource bucket must be in ARN format or "*".'),
    (
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3*:x"},
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam:us-east-1:123456789012:role/x"},
        "IAM resource arn:aws:iam:us-east-1:123456789012:role/x cannot contain region information.",
    ),
    ({"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}, "Syntax errors in policy."),
    ({"Effect": "allow", "Action": "s3:*", "Resource": "*"}, "The policy failed legacy parsing"),
    (
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"},
        "Policy document should not specify a principal.",
    ),
    ({"Effect": "Allow", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}, "Syntax errors in policy."),
    (
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringLikes": {"a:b": "c"}}},
        "Syntax errors in policy.",
    ),
    ({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": "x"}, "Syntax errors in policy."),
    ({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Extra": "x"}, "Syntax errors in policy."),
]


@pytest.mark.parametrize(("document", "text"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_documents_are_refused_in_iams_words(iam, document, text):
    if isinstance(document, dict) and "Statement" not in document and "Version" not in document:
        document = {"Version": "2012-10-17", "Statement": document}
    document = document if isinstance(document, str) else json.dumps(document)
    status, code, message = refusal(iam.create_policy, PolicyName=name("p"), PolicyDocument=document)
    assert (status, code) == (400, "MalformedPolicyDocument"), message
    assert message.startswith(text), message


def test_the_list_of_everything_has_everything(scenery, iam):
    user = scenery.user(allow("iam:ListUsers"))
    group = name("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    users, roles, policies = {}, {}, {}
    for page in iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 7}):
        users |= {it["UserName"]: it for it in page["UserDetailList"]}
        roles |= {it["RoleName"]: it for it in page["RoleDetailList"]}
        policies |= {it["PolicyName"]: it for it in page["Policies"]}
    assert users[user.name]["GroupList"] == [group]
    assert users[user.name]["UserPolicyList"][0]["PolicyDocument"] == allow("iam:ListUsers")
    assert "AdministratorAccess" in policies and policies["AdministratorAccess"]["PolicyVersionList"]
    only = iam.get_account_authorization_details(Filter=["Group"])
    assert group in [it["GroupName"] for it in only["GroupDetailList"]] and not only["UserDetailList"]
