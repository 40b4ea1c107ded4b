"""Who calls, and what they are told when they may not: keys, signatures, sessions, and policies wherever they stand.

Which call is let through and which is refused, and how, are facts that moto's tests record (github.com/getmoto/moto,
tests/test_core/test_auth.py, tests/test_s3/test_s3_auth.py, tests/test_sqs/test_sqs_authentication.py and
tests/test_sts/test_sts.py; Apache-2.0). The callers here are our own. Where moto calls a service that is not here (EC2,
RDS, SSM, SQS), one that is stands for it.

What is different from moto's expectations, on purpose:

- A denial goes on after the action: which resource, and which kind of policy was missing or denied, as AWS's own do
  today (IAM User Guide, "Troubleshoot access denied error messages"). S3's do, too, instead of "Access Denied".
- A HEAD request that is refused has a status and no words, as HTTP wants it: boto3 has the code "403".
- EC2 has words of its own for unknown keys (AuthFailure, 401). No service here has.
- A session name that is too long is told by its length, and not repeated.
- Policies of buckets and of KMS's keys, which moto enforces, cannot be set here: the calls are refused.
"""

import json

import botocore
import pytest
from botocore import xform_name
from botocore.config import Config

from portcullis import ACCOUNT, REGION, Server
from scenery import Caller, Scenery, allow, name, refusal

IAM = f"arn:aws:iam::{ACCOUNT}"
TRUSTED = {"Effect": "Allow", "Principal": {"AWS": f"{IAM}:root"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def iam(server):
    return server.client("iam")


def signing(server: Server, service: str, key: str, secret: str, token: str | None = None):
    """A client of its own, on the session of all: there are many callers here, and a session is slow to make."""
    return server.client(service, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)


def as_(caller: Caller, service: str):
    return signing(caller.server, service, caller.key, caller.secret, caller.token)


def statement(effect: str, *actions: str, resource="*") -> dict:
    return {"Effect": effect, "Action": list(actions), "Resource": resource}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def deny(*actions: str, resource="*") -> dict:
    return policy(statement("Deny", *actions, resource=resource))


# --- who calls --------------------------------------------------------------------------------------------------------

UNKNOWN = "The security token included in the request is invalid."
FORGED = "The request signature we calculated does not match the signature you provided. Check your "
QUERY = (403, "InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken")
REST = (403, "UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationTokenException")
JSON = (400, *REST[1:])

# One call of each service, and how its protocol tells who is not known.
SERVICES = {
    "iam": ("GetUser", {}, QUERY),
    "sts": ("GetCallerIdentity", {}, QUERY),
    "ses": ("SendRawEmail", {"RawMessage": {"Data": b"From: a@example.com"}}, QUERY),
    "lambda": ("ListFunctions", {}, REST),
    "bedrock-agentcore-control": ("ListGateways", {}, REST),
    "xray": ("GetIndexingRules", {}, REST),
    "kms": ("ListKeys", {}, JSON),
    "secretsmanager": ("ListSecrets", {}, JSON),
    "cloudtrail": ("LookupEvents", {}, JSON),
    "logs": ("DescribeLogGroups", {}, JSON),
    "cognito-idp": ("ListUserPools", {"MaxResults": 1}, JSON),
}


@pytest.fixture(scope="module")
def known(make):
    """A user, and a session."""
    return make.user(), make.assume(make.role(policy_of_trust(), allow("kms:ListKeys")))


def policy_of_trust(**changes) -> dict:
    return policy(TRUSTED | changes)


@pytest.mark.parametrize("service", SERVICES)
def test_who_is_not_known(server: Server, known, service):
    operation, asked, (status, unknown, forged, unsigned) = SERVICES[service]
    user, session = known
    call = lambda client: refusal(getattr(client, xform_name(operation)), **asked)
    refused = lambda *key: call(signing(server, service, *key))
    for key in (
        ("nobody", "no-secret"),
        ("AKIA" + "Z" * 16, user.secret),
        (session.key, session.secret),
        (session.key, session.secret, "no-token"),
    ):
        assert refused(*key) == (status, unknown, UNKNOWN), key
    for key in ((user.key, "no-secret"), (user.key, session.secret), (session.key, "no-secret", session.token)):
        told = refused(*key)
        assert told[:2] == (status, forged) and told[2].startswith(FORGED), key
    anonymous = Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1})
    told = call(server.client(service, config=anonymous))
    assert told[:2] == (status, unsigned) and "missing authentication token" in told[2].lower()


def test_who_is_not_known_to_s3(server: Server, known, bucket):
    user, session = known
    listed = lambda *key: refusal(signing(server, "s3", *key).list_buckets)
    gone = (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    assert listed("nobody", "no-secret") == listed(session.key, session.secret) == gone
    broken = (400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    assert listed(session.key, session.secret, "no-token") == broken
    forging = signing(server, "s3", user.key, "no-secret")
    told = refusal(forging.put_object, Bucket=bucket, Key="k", Body=b"")
    assert told == (403, "SignatureDoesNotMatch", f"{FORGED}key and signing method.")
    assert refusal(forging.head_bucket, Bucket=bucket) == (403, "403", "Forbidden")
    stranger = signing(server, "s3", "nobody", "no-secret")
    assert refusal(stranger.head_object, Bucket=bucket, Key="k") == (403, "403", "Forbidden")


def test_who_somebody_is(make, server, iam):
    """Nobody needs a permission for it, and no policy can forbid it."""
    user = make.user(deny("sts:GetCallerIdentity"))
    told = as_(user, "sts").get_caller_identity()
    made = iam.get_user(UserName=user.name)["User"]
    assert (told["Account"], told["Arn"], told["UserId"]) == (ACCOUNT, made["Arn"], made["UserId"])

    role = make.role(policy_of_trust())
    session = make.assume(role, "who")
    told = as_(session, "sts").get_caller_identity()
    made = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{made['RoleName']}/who"
    assert (told["Account"], told["Arn"], told["UserId"]) == (ACCOUNT, session.arn, f"{made['RoleId']}:who")

    may_ask = as_(make.user(allow("sts:GetAccessKeyInfo")), "sts")
    assert may_ask.get_access_key_info(AccessKeyId=user.key)["Account"] == ACCOUNT
    long = "s" * 65
    status, code, message = refusal(server.client("sts").assume_role, RoleArn=role, RoleSessionName=long)
    assert (status, code) == (400, "ValidationError") and "RoleSessionName" in message and "64" in message
    assert long not in message


def test_a_user_without_a_name_is_the_caller(make):
    user = make.user(allow("iam:*"))
    assert as_(user, "iam").get_user()["User"]["UserName"] == user.name


def test_a_key_tells_where_it_was_used(make, iam):
    user = make.user()
    denied(user, "kms:ListKeys", "*", NO_POLICY)
    used = iam.get_access_key_last_used(AccessKeyId=user.key)["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("kms", REGION) and used["LastUsedDate"]


# --- what they may ----------------------------------------------------------------------------------------------------

NO_POLICY = "because no identity-based policy allows the {action} action"
FORBIDDEN = "with an explicit deny in an identity-based policy"
# Whoever may not assume a role is not told which of the two sides is against it.
UNTOLD = ""
STATUS = {"kms": 400, "secretsmanager": 400}


def denied(caller: Caller, action: str, resource: str, why: str, operation=None, **asked):
    """A call is denied, word for word."""
    service, _, called = action.partition(":")
    call = getattr(as_(caller, service), xform_name(operation or called))
    told = refusal(call, **asked)
    code = "AccessDenied" if service in ("iam", "sts", "s3") else "AccessDeniedException"
    resource = f'"{resource}"' if service == "s3" else resource
    told_as = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
    assert told == (STATUS.get(service, 403), code, f"{told_as} {why.format(action=action)}".rstrip())


def managed(iam, document: dict) -> str:
    return iam.create_policy(PolicyName=name("managed"), PolicyDocument=json.dumps(document))["Policy"]["Arn"]


def holding(make: Scenery, *, inline=None, attached=None, group_inline=None, group_attached=None) -> Caller:
    """A user who holds policies: its own, and those of a group that it is in."""
    iam = make.server.client("iam")
    user, group = make.user(inline), name("group")
    if attached:
        iam.attach_user_policy(UserName=user.name, PolicyArn=managed(iam, attached))
    if group_inline or group_attached:
        iam.create_group(GroupName=group)
        iam.add_user_to_group(GroupName=group, UserName=user.name)
    if group_inline:
        iam.put_group_policy(GroupName=group, PolicyName="inline", PolicyDocument=json.dumps(group_inline))
    if group_attached:
        iam.attach_group_policy(GroupName=group, PolicyArn=managed(iam, group_attached))
    return user


PLACES = ["inline", "attached", "group_inline", "group_attached"]


@pytest.fixture(scope="module")
def bucket(server):
    made = name("bucket")
    s3 = server.client("s3")
    s3.create_bucket(Bucket=made, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=made, Key="report.txt", Body=b"sums")
    return made


def test_nothing_is_allowed_by_itself(make, bucket):
    user = make.user()
    denied(user, "kms:ListKeys", "*", NO_POLICY)
    denied(user, "lambda:ListFunctions", "*", NO_POLICY)
    denied(user, "iam:GetUser", f"user {user.name}", NO_POLICY)
    denied(user, "s3:ListAllMyBuckets", "arn:aws:s3:::*", NO_POLICY, "ListBuckets")
    denied(user, "s3:GetObject", f"arn:aws:s3:::{bucket}/report.txt", NO_POLICY, Bucket=bucket, Key="report.txt")


def test_another_action_is_another_action(make):
    denied(make.user(allow("lambda:Create*")), "lambda:ListFunctions", "*", NO_POLICY)
    # Making something, for who may look.
    looking = make.user(allow("kms:Describe*", "kms:List*"))
    assert "Keys" in as_(looking, "kms").list_keys()
    denied(looking, "kms:CreateKey", "*", NO_POLICY)


@pytest.mark.parametrize("place", PLACES)
def test_an_allowance_holds_wherever_it_stands(make, place):
    user = holding(make, **{place: allow("iam:ListGroups")})
    assert "Groups" in as_(user, "iam").list_groups()
    denied(user, "iam:GetUser", f"user {user.name}", NO_POLICY)


@pytest.mark.parametrize("place", PLACES)
def test_a_denial_wins_wherever_it_stands(make, place):
    allowed_in = "group_inline" if place == "inline" else "inline"
    user = holding(make, **{allowed_in: allow("*"), place: deny("kms:List*")})
    denied(user, "kms:ListKeys", "*", FORBIDDEN)
    assert as_(user, "iam").list_groups() and as_(user, "s3").list_buckets()


def test_a_denial_wins_in_one_document(make):
    user = make.user(policy(statement("Allow", "kms:*"), statement("Deny", "kms:CreateKey")))
    denied(user, "kms:CreateKey", "*", FORBIDDEN)
    assert "Keys" in as_(user, "kms").list_keys()


def test_policies_about_something_else_change_nothing(make):
    user = holding(
        make,
        inline=allow("kms:List*"),
        attached=allow("s3:*"),
        group_inline=deny("iam:List*"),
        group_attached=deny("lambda:*"),
    )
    denied(user, "kms:CreateKey", "*", NO_POLICY)
    assert "Keys" in as_(user, "kms").list_keys()


def test_a_wildcard_ends_with_its_service(make):
    user = make.user(allow("secretsmanager:*"))
    made = as_(user, "secretsmanager").create_secret(Name=name("secret"), SecretString="s")
    assert as_(user, "secretsmanager").describe_secret(SecretId=made["ARN"])["Name"] == made["Name"]
    denied(user, "kms:ListKeys", "*", NO_POLICY)


# --- the object store -------------------------------------------------------------------------------------------------


def test_a_group_forbids_listing(make):
    user = holding(make, attached=allow("s3:ListAllMyBuckets"), group_attached=deny("s3:List*"))
    denied(user, "s3:ListAllMyBuckets", "arn:aws:s3:::*", FORBIDDEN, "ListBuckets")


def test_a_group_forbids_reading_what_is_there_and_what_is_not(make, bucket):
    user = holding(make, inline=allow("*"), group_inline=deny("s3:GetObject"))
    as_(user, "s3").put_object(Bucket=bucket, Key="own", Body=b"")
    for key in ("report.txt", "nothing"):
        denied(user, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", FORBIDDEN, Bucket=bucket, Key=key)


def test_a_group_forbids_all_but_one_action(make, bucket):
    only = {"Effect": "Deny", "NotAction": "iam:GetUser", "Resource": "*"}
    user = holding(make, inline=allow("*"), group_inline=policy(only))
    resource = f"arn:aws:s3:::{bucket}/report.txt"
    denied(user, "s3:DeleteObject", resource, FORBIDDEN, Bucket=bucket, Key="report.txt")
    assert as_(user, "iam").get_user()["User"]["Arn"] == user.arn


def test_a_bucket_by_its_arn(make):
    own, other = name("own"), name("other")
    s3 = as_(make.user(allow("s3:*", resource=f"arn:aws:s3:::{own}")), "s3")
    there = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    s3.create_bucket(Bucket=own, **there)
    assert refusal(s3.create_bucket, Bucket=other, **there)[:2] == (403, "AccessDenied")
    s3.head_bucket(Bucket=own)
    assert refusal(s3.head_bucket, Bucket=other) == (403, "403", "Forbidden")
    # The bucket's ARN is not that of what is in it.
    assert refusal(s3.put_object, Bucket=own, Key="k", Body=b"")[:2] == (403, "AccessDenied")


def test_a_key_in_whichever_bucket(make, bucket):
    user = make.user(allow("s3:*", resource=[f"arn:aws:s3:::{bucket}", "arn:aws:s3:::*/minutes"]))
    as_(user, "s3").put_object(Bucket=bucket, Key="minutes", Body=b"text")
    denied(user, "s3:PutObject", f"arn:aws:s3:::{bucket}/sums", NO_POLICY, Bucket=bucket, Key="sums", Body=b"")


def test_a_query_is_signed_like_everything_else(make, bucket):
    s3 = as_(holding(make, attached=allow("s3:*")), "s3")
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    assert s3.list_objects_v2(Bucket=bucket, Prefix="rep ort/ä&=")["KeyCount"] == 0
    assert [it["Key"] for it in s3.list_objects_v2(Bucket=bucket, Prefix="report")["Contents"]] == ["report.txt"]


def test_keys_that_may_not_be_deleted_are_told_one_by_one(make, bucket, server):
    server.client("s3").put_object(Bucket=bucket, Key="kept/sums", Body=b"")
    role = make.role(
        policy_of_trust(),
        policy(
            statement("Allow", "s3:ListBucket", "s3:GetBucketLocation", resource=f"arn:aws:s3:::{bucket}"),
            statement("Allow", "s3:PutObject", "s3:GetObject", resource=f"arn:aws:s3:::{bucket}/*"),
            statement("Allow", "s3:DeleteObject", resource=f"arn:aws:s3:::{bucket}/kept/own"),
        ),
    )
    session = make.assume(role)
    as_(session, "s3").put_object(Bucket=bucket, Key="kept/own", Body=b"")
    answer = as_(session, "s3").delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "kept/own"}, {"Key": "kept/sums"}]}
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [it["Key"] for it in answer["Deleted"]] == ["kept/own"]
    [error] = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("kept/sums", "AccessDenied")
    assert error["Message"].endswith("because no identity-based policy allows the s3:DeleteObject action")
    left = server.client("s3").list_objects_v2(Bucket=bucket, Prefix="kept/")["Contents"]
    assert [it["Key"] for it in left] == ["kept/sums"]


def test_policies_of_buckets_are_refused_and_not_ignored(server, bucket):
    s3 = server.client("s3")
    document = policy(statement("Deny", "s3:*", resource=f"arn:aws:s3:::{bucket}/*") | {"Principal": "*"})
    told = refusal(s3.put_bucket_policy, Bucket=bucket, Policy=json.dumps(document))
    assert told[:2] == (501, "NotImplemented")
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    told = refusal(server.client("kms").put_key_policy, KeyId=key, Policy=json.dumps(deny("kms:*")))
    assert told[:2] == (400, "UnknownOperationException")


# --- roles ------------------------------------------------------------------------------------------------------------


def assuming(role: str) -> dict:
    return {"RoleArn": role, "RoleSessionName": "work"}


def opened(role: str, by: Caller) -> Caller:
    """A session of a role, as its user opens it."""
    answer = as_(by, "sts").assume_role(**assuming(role))
    key, arn = answer["Credentials"], answer["AssumedRoleUser"]["Arn"]
    return Caller(by.server, "work", arn, key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])


@pytest.mark.parametrize("place", ["inline", "attached"])
def test_a_session_may_what_its_role_may(make, iam, place):
    """In whatever service it says, and nothing of what whoever assumed it may."""
    granted = allow("lambda:ListFunctions", "kms:List*")
    role = make.role(policy_of_trust(), granted if place == "inline" else None)
    if place == "attached":
        iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=managed(iam, granted))
    session = opened(role, make.user(allow("*")))
    assert "Functions" in as_(session, "lambda").list_functions()
    assert "Keys" in as_(session, "kms").list_keys()
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/work"
    denied(session, "kms:CreateKey", "*", NO_POLICY)
    denied(session, "iam:ListRoles", f"{IAM}:role/", NO_POLICY)


def test_a_session_is_denied_what_its_role_is(make):
    session = make.assume(make.role(policy_of_trust(), policy(statement("Allow", "*"), statement("Deny", "kms:*"))))
    denied(session, "kms:ListKeys", "*", FORBIDDEN)
    assert "Groups" in as_(session, "iam").list_groups()


def test_a_session_on_one_resource(make, iam, server):
    """Everything may be done with one secret, and nothing with its neighbour."""
    secrets = server.client("secretsmanager")
    one, other = (secrets.create_secret(Name=name("secret"), SecretString="s")["ARN"] for _ in range(2))
    role = make.role(policy_of_trust(Principal={"AWS": "*"}))
    granted = managed(iam, allow("secretsmanager:*", resource=one))
    iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=granted)
    session = make.assume(role)
    as_(session, "secretsmanager").put_secret_value(SecretId=one, SecretString="t")
    assert as_(session, "secretsmanager").get_secret_value(SecretId=one)["SecretString"] == "t"
    denied(session, "secretsmanager:PutSecretValue", other, NO_POLICY, SecretId=other, SecretString="t")


def test_a_session_acts_on_the_role_that_its_policy_names(make, iam):
    user = make.user()
    trust = policy_of_trust(Principal={"AWS": user.arn})
    own, other = make.role(trust), make.role(trust)
    own_name, other_name = own.rpartition("/")[2], other.rpartition("/")[2]
    granted = allow("iam:ListRolePolicies", resource=own)
    iam.put_role_policy(RoleName=own_name, PolicyName="look", PolicyDocument=json.dumps(granted))
    session = opened(own, user)
    denied(session, "iam:ListRolePolicies", f"role {other_name}", NO_POLICY, RoleName=other_name)
    assert as_(session, "iam").list_role_policies(RoleName=own_name)["PolicyNames"] == ["look"]


def test_one_role_is_forbidden_and_all_others_are_not(make):
    forbidden, other = make.role(policy_of_trust()), make.role(policy_of_trust())
    user = make.user(
        policy(statement("Deny", "sts:AssumeRole", resource=forbidden), statement("Allow", "sts:AssumeRole"))
    )
    denied(user, "sts:AssumeRole", forbidden, UNTOLD, **assuming(forbidden))
    assert as_(user, "sts").assume_role(**assuming(other))["Credentials"]


def test_a_role_lets_in_the_user_that_it_trusts(make):
    named, other = make.user(), make.user()
    role = make.role(policy_of_trust(Principal={"AWS": named.arn}))
    for user in (named, other):
        may = json.dumps(allow("sts:AssumeRole", resource=role))
        make.server.client("iam").put_user_policy(UserName=user.name, PolicyName="may", PolicyDocument=may)
    denied(other, "sts:AssumeRole", role, UNTOLD, **assuming(role))
    assert as_(named, "sts").assume_role(**assuming(role))["Credentials"]


def test_a_role_asks_for_its_external_id(make):
    user = make.user(allow("sts:AssumeRole"))
    asks = {"StringEquals": {"sts:ExternalId": "partner-7"}}
    role = make.role(policy_of_trust(Principal={"AWS": user.arn}, Condition=asks))
    for wrong in ({}, {"ExternalId": "partner-8"}, {"ExternalId": "PARTNER-7"}):
        denied(user, "sts:AssumeRole", role, UNTOLD, **assuming(role), **wrong)
    assert as_(user, "sts").assume_role(**assuming(role), ExternalId="partner-7")["Credentials"]
