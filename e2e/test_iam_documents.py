"""Policy documents that IAM refuses, in its words, and documents that look odd and that it takes.

Which kind of document is refused with which text is a fact that moto's tests record (github.com/getmoto/moto,
tests/test_iam/test_iam_policies.py and test_iam.py; Apache-2.0). The documents here are our own, one for each of its
cases. A message begins with IAM's text, whole; where the fault is and what to do about it follow in brackets.

Where Portcullis answers otherwise is in TOLD_ONE_BY_ONE and REFUSED_HERE, and in the tests of trust policies, each
with its reason.
"""

import json

import pytest

from portcullis import ACCOUNT
from scenery import GATEWAY_TRUST, allow, name, refusal

BUCKET = "arn:aws:s3:::ledger"
READING = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
USERS = "arn:aws:iam::*:user/${aws:username}"


def said(**changes) -> dict:
    """The statement READING with changes; what is None is left out."""
    return {key: value for key, value in (READING | changes).items() if value is not None}


def document(*statements, **changes) -> dict:
    """A document: one statement stands by itself, several in a list."""
    body = {"Version": "2012-10-17", "Statement": statements[0] if len(statements) == 1 else list(statements)}
    return {key: value for key, value in (body | changes).items() if value is not None}


def under(condition) -> dict:
    return document(said(Condition=condition))


@pytest.fixture(scope="module")
def iam(server):
    return server.client("iam")


@pytest.fixture
def creation(iam):
    """Creates a managed policy, which goes again when the test has ended."""
    made = []

    def create(document) -> str:
        written = document if isinstance(document, str) else json.dumps(document)
        made.append(iam.create_policy(PolicyName=name("document"), PolicyDocument=written)["Policy"]["Arn"])
        return made[-1]

    yield create
    for arn in made:
        iam.delete_policy(PolicyArn=arn)


def malformed(call, *arguments, **keywords) -> str:
    status, code, message = refusal(call, *arguments, **keywords)
    assert (status, code) == (400, "MalformedPolicyDocument"), message
    return message


def is_told(message: str, text: str):
    """IAM's text is whole, and what follows says where and what."""
    assert message.startswith(f"{text} ("), message
    place, _, hint = message.removeprefix(f"{text} (").partition(": ")
    assert place and hint.endswith(")"), message


# --- refused ----------------------------------------------------------------------------------------------------------

SYNTAX = "Syntax errors in policy."
OLD = "Policy document must be version 2012-10-17 or greater."
LEGACY = "The policy failed legacy parsing"
TWICE = "Statement IDs (SID) in a single policy must be unique."
NO_ACTION = "Policy statement must contain actions."
NO_RESOURCE = "Policy statement must contain resources."
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ONE_COLON = "Actions/Condition can contain only one colon."
REGEX_VENDOR = "Resource vendor must be fully qualified and cannot contain regexes."
IAM_PATH = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, '
    "mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)


def no_arn(text: str) -> str:
    return f'Resource {text} must be in ARN format or "*".'


def no_partition(partition: str, arn: str) -> str:
    return f'Partition "{partition}" is not valid for resource "{arn}".'


IN_THE_WHOLE = {
    "a string of JSON": (json.dumps("an allowance"), SYNTAX),
    "no version": (document(READING, Version=None), OLD),
    "the old version": (document(READING, Version="2008-10-17"), OLD),
    "a version that never was": (document(READING, Version="2011-01-31"), SYNTAX),
    "nothing stated": (document(Statement=None), SYNTAX),
    "a statement in prose": (document(Statement=["ledgers may be read"]), SYNTAX),
    "an empty list of statements": (document(Statement=[]), SYNTAX),
    "an element of our own": (document(READING, Owner="finance"), SYNTAX),
    "a list for an id": (document(READING, Id=["ledger-1"]), SYNTAX),
    "an object for an id": (document(READING, Id={}), SYNTAX),
}

IN_STATEMENTS = {
    "an element of our own": (document(said(Reason="audit")), SYNTAX),
    "no effect": (document(said(Effect=None)), SYNTAX),
    "an effect that is none": (document(said(Effect="Permit")), SYNTAX),
    "deny, misspelt": (document(said(Effect="dENY")), LEGACY),
    "allow in small letters, without an action": (
        document(said(Effect="allow", Action=None, Resource="arn:aws:s3:eu-west-1::ledger")),
        LEGACY,
    ),
    "allow, misspelt, beside a statement of the same name": (
        document(said(Sid="Ledger", Effect="ALLOW"), {"Sid": "Ledger", "Effect": "Allow"}),
        LEGACY,
    ),
    "an object for a sid": (document(said(Sid={})), SYNTAX),
    "a list for a sid": (document(said(Sid=[])), SYNTAX),
}

IN_ACTIONS = {
    "none": (document(said(Action=None)), NO_ACTION),
    "none, and no resource": (document({"Effect": "Allow"}), NO_ACTION),
    "none in the first of two": (document({"Effect": "Deny"}, READING), NO_ACTION),
    "an empty list": (document(said(Action=[])), NO_ACTION),
    "an object": (document(said(Action={})), SYNTAX),
    "a list in a list": (document(said(Effect="Deny", Action=[[]])), SYNTAX),
    "action and not action": (document(said(NotAction="kms:Decrypt")), SYNTAX),
    "not action, and no action at all": (document(said(Action=[], NotAction="kms:Decrypt")), SYNTAX),
    "no vendor": (document(said(Action="GetObject")), NO_VENDOR),
    "no vendor, and no resource": (document(said(Action="GetObject", Resource=None)), NO_VENDOR),
    "nothing excepted": (document(said(Action=None, NotAction="")), NO_VENDOR),
    "a blank in the vendor": (document(said(Action="s 3:GetObject")), "Vendor s 3 is not valid"),
    "two colons": (document(said(Action="s3:Get:Object")), ONE_COLON),
    "two colons in the second statement": (document(said(Action="s33:Get"), said(Action="s:33:Get")), ONE_COLON),
}

IN_RESOURCES = {
    "none": (document(said(Resource=None)), NO_RESOURCE),
    "an empty list": (document(said(Resource=[])), NO_RESOURCE),
    "an object": (document(said(Resource={"bucket": BUCKET})), SYNTAX),
    "an object in a list": (document(said(Effect="Deny", Resource=[BUCKET, {}])), SYNTAX),
    "resource and not resource": (document(said(NotResource="*")), SYNTAX),
    "not resource, empty, beside not action": (
        document(said(Action=None, NotAction="s3:GetObject", NotResource=[])),
        SYNTAX,
    ),
    "words": (document(said(Resource="the ledger")), no_arn("the ledger")),
    "a word in a list": (document(said(Resource=["ledger"])), no_arn("ledger")),
    "nothing": (document(said(Resource="")), no_arn("")),
    "nothing, twice": (
        document(
            said(Sid="Switch", Action=["account:EnableRegion"], Resource="", Condition={"Bool": {"a:b": "true"}}),
            said(Sid="Look", Action=["account:ListRegions"], Resource=""),
        ),
        no_arn(""),
    ),
    "two parts": (
        document(said(Action=None, NotAction="s33:Get", Resource="x:ledger")),
        no_partition("ledger", "arn:ledger:*:*:*:*"),
    ),
    "three parts": (
        document(said(Action=None, NotAction="s33:Get", Resource="x:y:ledger")),
        no_partition("y", "arn:y:ledger:*:*:*"),
    ),
    "eight parts": (
        document(said(Action=None, NotAction="s33:Get", Resource="s:t:u:v:w:x:y:z")),
        no_partition("t", "arn:t:u:v:w:x:y:z"),
    ),
    "arn forgotten": (
        document(said(Resource="aws:s3:::ledger")),
        no_partition("s3", "arn:s3:::ledger:*"),
    ),
    "a partition that is none, before what is torn": (
        document(said(Resource=["arn:awz:s3:::ledger", "arn:awz:s3::ledger"])),
        no_partition("awz", "arn:awz:s3:::ledger"),
    ),
    "a partition alone": (document(said(Resource="arn:aws")), REGEX_VENDOR),
    "a service left empty": (document(said(Action=None, NotAction="s3:Get", Resource="arn:aws::::ledger")), LEGACY),
    "a service left empty, and short": (document(said(Resource="arn:aws::ledger")), LEGACY),
    "a colon too few": (document(said(Resource="arn:aws:s3::ledger")), LEGACY),
    "a colon too few in what is excepted": (
        document(said(Resource=None, NotResource="arn:aws:s3::ledger")),
        LEGACY,
    ),
    "a path that IAM does not have": (document(said(Resource="arn:aws:iam:::ledger")), IAM_PATH),
    "a region of IAM": (
        document(said(Resource="arn:aws:iam:eu-west-1::ledger")),
        "IAM resource arn:aws:iam:eu-west-1::ledger cannot contain region information.",
    ),
    "a region of a bucket": (
        document(said(Resource="arn:aws:s3:eu-west-1::ledger")),
        "Resource arn:aws:s3:eu-west-1::ledger can not contain region information.",
    ),
}

IN_CONDITIONS = {
    "a list": (under([]), SYNTAX),
    "a list of one": (under([{"ForAllValues:StringLike": {"aws:TagKeys": "team"}}]), SYNTAX),
    "a word": (under("always"), SYNTAX),
    "a word for a comparison": (under({"always": "true"}), SYNTAX),
    "a word for what is compared": (under({"DateLessThan": "noon"}), SYNTAX),
    "a list for what is compared": (under({"DateLessThan": []}), SYNTAX),
    "an object for a value": (under({"DateLessThan": {"aws:CurrentTime": {}}}), SYNTAX),
    "an operator that is none": (under({"StringMatches": {"aws:username": "ann"}}), SYNTAX),
    "a colon too many": (under({"ForAllValues::StringLikeIfExists": {"aws:TagKeys": "team"}}), SYNTAX),
    "a date in words": (under({"DateLessThan": {"aws:CurrentTime": "noon"}}), LEGACY),
    "a month that is none": (under({"DateGreaterThanEquals": {"aws:CurrentTime": "512-13"}}), LEGACY),
    "a zone of one digit": (
        under({"DateGreaterThanEquals": {"aws:CurrentTime": "2031-02-03t4:00:00.125+5"}}),
        LEGACY,
    ),
    "a fraction of ten digits": (
        under({"DateGreaterThanEquals": {"aws:CurrentTime": "2031-02-03t4:00:00.1234567891+10:30"}}),
        LEGACY,
    ),
    "more seconds than 63 bits": (under({"DateGreaterThan": {"aws:CurrentTime": str(2**63)}}), LEGACY),
}

PARTS = {
    "whole": IN_THE_WHOLE,
    "statement": IN_STATEMENTS,
    "action": IN_ACTIONS,
    "resource": IN_RESOURCES,
    "condition": IN_CONDITIONS,
}
MALFORMED = [
    pytest.param(written, text, id=f"{part}: {what}")
    for part, cases in PARTS.items()
    for what, (written, text) in cases.items()
]


@pytest.mark.parametrize(("written", "text"), MALFORMED)
def test_refused(creation, written, text):
    is_told(malformed(creation, written), text)


# IAM reads a document in passes (syntax, version, legacy, sids, actions, ARNs, vendors), and tells the fault of the
# earliest. Portcullis reads it once, from the first statement to the last, and tells the first that it meets; when
# that is mended it tells the next. So with documents that have several: all the texts, in our order. moto's records
# IAM's own choice, which is the last text here.
TOLD_ONE_BY_ONE = {
    "two colons, and a resource that is none": [
        (document(said(Action="s:33:Get", Resource="ledger")), ONE_COLON),
        (document(said(Resource="ledger")), no_arn("ledger")),
    ],
    "no action, and a torn ARN": [
        (document(said(Action=None, Resource="arn:aws:s3::ledger")), NO_ACTION),
        (document(said(Resource="arn:aws:s3::ledger")), LEGACY),
    ],
    "no action, and an object for a date": [
        (document(said(Action=None, Condition={"DateLessThan": {"aws:CurrentTime": {}}})), NO_ACTION),
        (under({"DateLessThan": {"aws:CurrentTime": {}}}), SYNTAX),
    ],
    "neither action nor resource, and a date in words": [
        (document({"Effect": "Allow", "Condition": {"DateLessThan": {"aws:CurrentTime": "noon"}}}), NO_ACTION),
        (document(said(Resource=None, Condition={"DateLessThan": {"aws:CurrentTime": "noon"}})), NO_RESOURCE),
        (under({"DateLessThan": {"aws:CurrentTime": "noon"}}), LEGACY),
    ],
    "no action, and a sid twice": [
        (document(said(Sid="Ledger"), {"Sid": "Ledger", "Effect": "Allow"}), NO_ACTION),
        (document(said(Sid="Ledger"), said(Sid="Ledger", Effect="Deny")), TWICE),
    ],
    "no action, a sid twice, and no version": [
        (document(said(Sid="Ledger"), {"Sid": "Ledger", "Effect": "Allow"}, Version=None), NO_ACTION),
        (document(said(Sid="Ledger"), said(Sid="Ledger"), Version=None), TWICE),
        (document(said(Sid="Ledger"), said(Sid="Journal"), Version=None), OLD),
    ],
    "a date in words, and no version": [
        (document(said(Condition={"DateLessThan": {"aws:CurrentTime": "noon"}}), Version=None), LEGACY),
        (document(said(Condition={"DateLessThan": {"aws:CurrentTime": "2031-02-03"}}), Version=None), OLD),
    ],
    "an effect misspelt, and no version": [
        (document(said(Effect="dENY"), Version=None), LEGACY),
        (document(said(Effect="Deny"), Version=None), OLD),
    ],
    "a partition that is none, and a date in words": [
        (
            document(said(Resource="arn:awz:s3:::ledger", Condition={"DateLessThan": {"aws:CurrentTime": "noon"}})),
            no_partition("awz", "arn:awz:s3:::ledger"),
        ),
        (under({"DateLessThan": {"aws:CurrentTime": "noon"}}), LEGACY),
    ],
}


@pytest.mark.parametrize("steps", TOLD_ONE_BY_ONE.values(), ids=TOLD_ONE_BY_ONE)
def test_of_several_faults_each_is_told(creation, steps):
    for written, text in steps:
        is_told(malformed(creation, written), text)


# What moto takes and Portcullis does not, beside the mended document, which it does.
SID = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
BOOLEANS = {
    "Bool": {"kms:GrantIsForAWSResource": True},
    "ForAllValues:Bool": {"kms:GrantIsForAWSResource": False},
    "ForAnyValue:Bool": {"kms:GrantIsForAWSResource": "True"},
}
NULLS = {"Null": {"kms:EncryptionContextKeys": False, "kms:GrantOperations": "true"}}
REFUSED_HERE = {
    # "The Sid element supports ASCII uppercase letters, lowercase letters, and numbers" (IAM User Guide, "Sid").
    "a sid with underscores, over Booleans": (
        document(said(Sid="Grants_For_Services", Condition=BOOLEANS)),
        SID,
        document(said(Sid="GrantsForServices", Condition=BOOLEANS)),
    ),
    "a sid with underscores, over null": (
        document(said(Sid="Keys_That_Are_There", Condition=NULLS)),
        SID,
        document(said(Sid="KeysThatAreThere", Condition=NULLS)),
    ),
    # A date has "one of the W3C implementations of the ISO 8601 date formats" or is a number of seconds (IAM User
    # Guide, "Date condition operators"). What looks like neither could be read in several ways, so nobody reads it.
    "a year of two digits": (
        under({"DateLessThan": {"aws:CurrentTime": "31T"}}),
        LEGACY,
        under({"DateLessThan": {"aws:CurrentTime": "2031-01"}}),
    ),
    "a year before the common era": (
        under({"DateGreaterThan": {"aws:CurrentTime": "-4000"}}),
        LEGACY,
        under({"DateGreaterThan": {"aws:CurrentTime": "0"}}),
    ),
    "an hour of one digit, and a zone without minutes": (
        under({"DateGreaterThanEquals": {"aws:CurrentTime": "2031-02-03t4:00:00.125+23"}}),
        LEGACY,
        under({"DateGreaterThanEquals": {"aws:CurrentTime": "2031-02-03t04:00:00.125+23:00"}}),
    ),
}


@pytest.mark.parametrize(("written", "text", "mended"), REFUSED_HERE.values(), ids=REFUSED_HERE)
def test_stricter_than_moto(creation, written, text, mended):
    is_told(malformed(creation, written), text)
    assert creation(mended)


def test_every_way_in_refuses_alike(iam, creation):
    """Not only new policies: versions, what is written into users, groups and roles, and what narrows a session."""
    user, group, role = name("user"), name("group"), name("role")
    iam.create_user(UserName=user)
    iam.create_group(GroupName=group)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(GATEWAY_TRUST))
    sound = creation(document(READING))
    ways = [
        (iam.create_policy_version, {"PolicyArn": sound}),
        (iam.put_user_policy, {"UserName": user, "PolicyName": "p"}),
        (iam.put_group_policy, {"GroupName": group, "PolicyName": "p"}),
        (iam.put_role_policy, {"RoleName": role, "PolicyName": "p"}),
    ]
    for call, whose in ways:
        for part, what in (
            ("whole", "a statement in prose"),
            ("statement", "deny, misspelt"),
            ("action", "two colons"),
            ("resource", "a colon too few"),
            ("condition", "an operator that is none"),
        ):
            written, text = PARTS[part][what]
            is_told(malformed(call, **whose, PolicyDocument=json.dumps(written)), text)
        call(**whose, PolicyDocument=json.dumps(document(READING)))
    iam.delete_policy_version(PolicyArn=sound, VersionId="v2")
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == ["p"]


# --- taken ------------------------------------------------------------------------------------------------------------


def grant(actions, resources="*", **condition) -> dict:
    return said(Action=actions, Resource=resources, Condition=condition or None)


OWN_ACCOUNT = [
    grant(["iam:GetAccountPasswordPolicy", "iam:GetAccountSummary"]) | {"Sid": "Look"},
    grant(["iam:ChangePassword", "iam:GetUser"], USERS) | {"Sid": "OwnPassword"},
    grant(["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"], USERS) | {"Sid": "OwnKeys"},
    grant(["iam:UploadSigningCertificate", "iam:UploadSSHPublicKey"], USERS) | {"Sid": "OwnCertificates"},
    grant(["iam:ResetServiceSpecificCredential"], USERS) | {"Sid": "OwnCredentials"},
]
SECOND_FACTOR = [
    grant(["iam:CreateVirtualMFADevice"], "arn:aws:iam::*:mfa/${aws:username}") | {"Sid": "OwnDevice"},
    grant(["iam:EnableMFADevice", "iam:ResyncMFADevice"], USERS) | {"Sid": "OwnFactor"},
    {
        "Sid": "NothingElseWithoutIt",
        "Effect": "Deny",
        "NotAction": ["iam:EnableMFADevice", "sts:GetSessionToken"],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
]
DATES = {
    "DateGreaterThan": {"aws:CurrentTime": "2031-01-01T00:00:00Z"},
    "DateLessThan": {"aws:CurrentTime": "2031-12-31T23:59:59Z"},
}
OWN_FOLDER = "app/${cognito-identity.amazonaws.com:sub}"

TAKEN = {
    # The form.
    "one statement, in a list": document(Statement=[READING]),
    "an id": document(said(Action=None, NotAction="s3:GetObject"), Id="ledger 1"),
    "a long sid": document(said(Sid="a1B2c3D4e5F6g7H8i9J0k1")),
    "a sid beside none": document(said(Sid="Ledger"), READING),
    "an empty sid, twice": document(said(Sid=""), said(Sid="", Action=["s3:List*"], Resource=["*"])),
    # Actions.
    "every action": document(said(Action="*")),
    "blanks in an action": document(said(Action="iam: the lot ")),
    "a service and an action that nobody has": document(said(Action="my-service:do-it", Resource="*", Condition=DATES)),
    "another service's action": document(said(Action="fsx:GetObject")),
    "a long vendor": document(said(Action="averyveryverylongvendor:GetObject")),
    "a hyphen in the vendor": document(said(Action="s3-x:GetObject")),
    "a dot in the vendor": document(said(Action="s3.x:GetObject")),
    "all but one action": document(said(Action=None, NotAction="s3:GetObject")),
    "all but one action on all but everything": document(
        said(Action=None, NotAction="s3:GetObject", Resource=None, NotResource="*")
    ),
    # Resources.
    "a list of one": document(said(Resource=[BUCKET])),
    "a bucket and everything": document(said(Resource=[BUCKET, "*"])),
    "null beside an ARN": document(said(Action="kms:CreateGrant", Resource=["arn:aws:kms:*:111122223333:key/*", None])),
    "a user without an account": document(said(Resource="arn:aws:iam:::user/ann")),
    "a service that nobody has": document(said(Resource="arn:aws:s33:::ledger")),
    "a service that nobody has, alone": document(said(Resource="arn:aws:ledgers")),
    "a service with a hyphen": document(said(Resource="arn:aws:no-service:::ledger")),
    "a service with a hyphen, in a region": document(said(Resource="arn:aws:no-service:eu-west-1::ledger")),
    "a region without an account": document(said(Resource="arn:aws:cloudwatch:eu-west-1::ledger")),
    "a region without an account, of EC2": document(said(Resource="arn:aws:ec2:eu-west-1::ledger")),
    "all but two": document(
        {"Effect": "Deny", "Action": "s3:*", "NotResource": [f"{BUCKET}/Wages", f"{BUCKET}/Wages/*"]}
    ),
    "an access point, which has a region": document(
        grant(
            ["s3:*"],
            [
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/ledgers",
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/ledgers/object/*",
            ],
        )
        | {"Sid": ""}
    ),
    "names for a region and an account": document(
        grant(
            ["ec2:StartInstances", "ec2:StopInstances"],
            "arn:aws:ec2:region:account-id:instance/*",
            StringEquals={"ec2:ResourceTag/Project": "Ledger", "aws:PrincipalTag/Team": "Finance"},
        )
    ),
    "a name for a region": document(
        grant("rds:*", ["arn:aws:rds:region:*:*"]), grant(["rds:Describe*"], ["*"])
    ),
    "a name for a region, under empty sids": document(
        grant("rds:*", ["arn:aws:rds:region:*:*"]) | {"Sid": ""}, grant(["rds:Describe*"], ["*"]) | {"Sid": ""}
    ),
    # Conditions.
    "no condition": under({}),
    "nothing compared": under({"DateLessThan": {}}),
    "no date": under({"DateLessThan": {"aws:CurrentTime": []}}),
    "an operator that is none, and compares nothing": under({"Whenever": {}}),
    "two such operators": under({"Whenever": {}, "Wherever": {}}),
    "all values": under({"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}),
    "a key that may be absent": under({"StringEqualsIfExists": {"team": "blue"}}),
    "any value, if there is one": under({"ForAnyValue:StringEqualsIfExists": {"team": "blue"}}),
    "between two dates": under(DATES),
    "a date": under({"DateLessThanEquals": {"aws:CurrentTime": "2031-02-03T04:05:06Z"}}),
    "a date with microseconds and a zone": under(
        {"DateLessThanEquals": {"aws:CurrentTime": "2031-02-03T04:05:06.789012+00:00"}}
    ),
    "tags": document(
        grant(["iam:GetRole", "iam:ListRoleTags"]) | {"Sid": "Look"},
        grant(
            ["iam:TagUser", "iam:TagRole"],
            **{
                "StringEquals": {"aws:RequestTag/CostCentre": ["1000", "2000"]},
                "ForAllValues:StringEquals": {"aws:TagKeys": "CostCentre"},
            },
        )
        | {"Sid": "Tag"},
    ),
    "an ARN with stars to compare with": document(
        grant(
            ["ec2:AttachVolume"],
            ["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:instance/*"],
            ArnEquals={"ec2:SourceInstanceARN": "arn:aws:ec2:*:*:instance/i-1"},
        )
    ),
    "a region": document(grant("ec2:*", StringEquals={"ec2:Region": "eu-west-1"})),
    # Variables.
    "a variable to compare with": document(
        grant("ec2:AttachVolume", "arn:aws:ec2:*:*:instance/*", StringEquals={"ec2:ResourceTag/Team": "Finance"}),
        grant("ec2:AttachVolume", "arn:aws:ec2:*:*:volume/*", StringEquals={"ec2:ResourceTag/User": "${aws:username}"}),
    ),
    "one's own folder, by pool": document(
        grant("s3:ListBucket", [BUCKET], StringLike={"s3:prefix": [OWN_FOLDER]}),
        grant(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/{OWN_FOLDER}", f"{BUCKET}/{OWN_FOLDER}/*"]),
    ),
    "one's own folder, by id": document(
        grant(["s3:ListAllMyBuckets", "s3:GetBucketLocation"]),
        grant("s3:ListBucket", BUCKET, StringLike={"s3:prefix": ["", "desks/", "desks/${aws:userid}/*"]}),
        grant("s3:*", [f"{BUCKET}/desks/${{aws:userid}}", f"{BUCKET}/desks/${{aws:userid}}/*"]),
    ),
    "one's own password and keys": document(*OWN_ACCOUNT),
    "one's own password and keys, and nothing without a second factor": document(*OWN_ACCOUNT, *SECOND_FACTOR),
    # What people write.
    "a table": document(
        grant(["dynamodb:List*", "dynamodb:DescribeLimits"]) | {"Sid": "List"},
        grant(["dynamodb:BatchGet*", "dynamodb:Query"], "arn:aws:dynamodb:*:*:table/Ledger") | {"Sid": "Ledger"},
    ),
    "a bucket and the console": document(
        grant(["s3:GetBucketAcl", "s3:ListAllMyBuckets"]) | {"Sid": "Console"},
        grant("s3:ListBucket", [BUCKET]) | {"Sid": "List"},
        grant("s3:*Object", [f"{BUCKET}/*"]) | {"Sid": "Objects"},
    ),
}


@pytest.mark.parametrize("written", TAKEN.values(), ids=TAKEN)
def test_taken_and_given_back(iam, creation, written):
    arn = creation(written)
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == written


# --- trust policies ---------------------------------------------------------------------------------------------------


def trust(**changes) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}
    return json.dumps(document(Statement=[statement | changes]))


# moto holds trust policies against the parser of other policies, when they are changed; IAM has one of its own, with
# texts of its own, when they are made as well.
UNTRUSTED = {
    "no JSON": ("a new policy", "This policy contains invalid Json"),
    "an action that STS does not have": (
        trust(Action=["sts:AssumeAnyRole"]),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    "a resource": (trust(Resource=BUCKET), "Has prohibited field Resource"),
    # moto takes this one, and lets the caller in.
    "an operator that is none": (
        trust(Condition={"StringSame": {"sts:ExternalId": "e-1"}}),
        "Syntax error in policy.",
    ),
}


@pytest.mark.parametrize(("written", "text"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_trust_policies_are_refused_when_made_and_when_changed(iam, written, text):
    role = name("role")
    is_told(malformed(iam.create_role, RoleName=role, AssumeRolePolicyDocument=written), text)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust())
    is_told(malformed(iam.update_assume_role_policy, RoleName=role, PolicyDocument=written), text)
    kept = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert kept == json.loads(trust())


def test_trust_policies_may_name_every_action_of_sts(iam):
    """moto's list, as far as it goes."""
    assuming = ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "TagSession", "SetSourceIdentity"]
    others = ["DecodeAuthorizationMessage", "GetAccessKeyInfo", "GetCallerIdentity", "GetFederationToken"]
    others += ["GetServiceBearerToken", "GetSessionToken"]
    role, actions = name("role"), [f"sts:{action}" for action in assuming + others]
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust())
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust(Action=actions))
    kept = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert kept["Action"] == actions


def test_a_session_is_not_narrowed_by_a_broken_document(make):
    user = make.user()
    role = make.role(document(Statement=[json.loads(trust())["Statement"][0] | {"Principal": {"AWS": user.arn}}]))
    asked = {"RoleArn": role, "RoleSessionName": "narrow"}
    written, text = IN_ACTIONS["two colons"]
    is_told(malformed(user.client("sts").assume_role, **asked, Policy=json.dumps(written)), text)
    narrowed = user.client("sts").assume_role(**asked, Policy=json.dumps(allow("s3:GetObject")))
    assert narrowed["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/")
