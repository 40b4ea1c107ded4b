"""Secrets, driven by boto3 and the AWS CLI, unmodified; and a look at everything that the server leaves behind: what a
secret holds is in none of it."""

import base64
import datetime
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import scenery
from portcullis import ACCOUNT, REGION, Server

SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
VALUES = [f"{word}-value-that-nobody-may-find-again" for word in ("first", "second", "third", "commandline", "managed")]
BYTES = b"\x00bytes-that-nobody-may-find-again\xff"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, whose files are searched at the end."""
    with Server(tmp_path_factory.mktemp("secrets")) as own:
        yield own


@pytest.fixture(scope="module")
def client(server):
    return server.client("secretsmanager")


def test_versions_come_and_stay(client):
    name = scenery.name("app/key")
    made = client.create_secret(Name=name, SecretString=VALUES[0], Description="A key", Tags=[{"Key": "a", "Value": "b"}])
    assert made["ARN"].startswith(f"{SECRETS}:{name}-") and len(made["ARN"]) == len(f"{SECRETS}:{name}-") + 6
    put = client.put_secret_value(SecretId=name, SecretString=VALUES[1])
    assert put["VersionStages"] == ["AWSCURRENT"] and put["VersionId"] != made["VersionId"]
    for named in (name, made["ARN"], made["ARN"][:-7]):
        assert client.get_secret_value(SecretId=named)["SecretString"] == VALUES[1]
    before = client.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
    assert (before["SecretString"], before["VersionId"]) == (VALUES[0], made["VersionId"])
    assert client.get_secret_value(SecretId=name, VersionId=made["VersionId"])["SecretString"] == VALUES[0]
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.get_secret_value(SecretId=name, VersionId=made["VersionId"], VersionStage="AWSCURRENT")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="staging label: MINE"):
        client.get_secret_value(SecretId=name, VersionStage="MINE")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId=made["ARN"][:-6] + "AAAAAA")
    told = client.describe_secret(SecretId=name)
    assert told["VersionIdsToStages"] == {made["VersionId"]: ["AWSPREVIOUS"], put["VersionId"]: ["AWSCURRENT"]}
    assert (told["Description"], told["Tags"]) == ("A key", [{"Key": "a", "Value": "b"}])
    assert told["LastAccessedDate"].time() == datetime.time() and "OwningService" not in told


def test_bytes_are_kept_as_they_are(client):
    name = scenery.name("bytes")
    client.create_secret(Name=name, SecretBinary=BYTES)
    got = client.get_secret_value(SecretId=name)
    assert got["SecretBinary"] == BYTES and "SecretString" not in got
    for wrong in ({"SecretString": "x" * 65_536 + "x"}, {"SecretBinary": b"x" * 65_537}):
        with pytest.raises(client.exceptions.ClientError) as raised:
            client.put_secret_value(SecretId=name, **wrong)
        assert raised.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(client.exceptions.InvalidParameterException, match="65536 bytes"):
        client.put_secret_value(SecretId=name, SecretString="\u00e4" * 40_000)
    with pytest.raises(client.exceptions.InvalidParameterException, match="both"):
        client.put_secret_value(SecretId=name, SecretString="x", SecretBinary=b"x")
    with pytest.raises(client.exceptions.InvalidRequestException, match="either"):
        client.put_secret_value(SecretId=name)
    client.put_secret_value(SecretId=name, SecretBinary=b"x" * 65_536)


def test_a_retry_changes_nothing(client):
    name, token = scenery.name("retry"), str(uuid.uuid4())
    made = client.create_secret(Name=name, SecretString=VALUES[0], ClientRequestToken=token)
    assert made["VersionId"] == token
    again = client.create_secret(Name=name, SecretString=VALUES[0], ClientRequestToken=token)
    assert (again["ARN"], again["VersionId"]) == (made["ARN"], token)
    for request in ({"SecretString": VALUES[1], "ClientRequestToken": token}, {"SecretString": VALUES[0]}):
        with pytest.raises(client.exceptions.ResourceExistsException):
            client.create_secret(Name=name, **request)
    with pytest.raises(client.exceptions.ResourceExistsException):
        client.put_secret_value(SecretId=name, SecretString=VALUES[1], ClientRequestToken=token)
    assert client.put_secret_value(SecretId=name, SecretString=VALUES[0], ClientRequestToken=token)["VersionId"] == token
    assert len(client.describe_secret(SecretId=name)["VersionIdsToStages"]) == 1


def test_a_deletion_can_be_taken_back(client):
    name = scenery.name("deleted")
    made = client.create_secret(Name=name, SecretString=VALUES[0])
    for days in (6, 31):
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.delete_secret(SecretId=name, RecoveryWindowInDays=days)
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.delete_secret(SecretId=name, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
    gone = client.delete_secret(SecretId=name, RecoveryWindowInDays=7)["DeletionDate"]
    assert datetime.timedelta(days=6.9) < gone - datetime.datetime.now(datetime.UTC) < datetime.timedelta(days=7.1)
    assert client.describe_secret(SecretId=name)["DeletedDate"] == gone
    for refused in (
        lambda: client.get_secret_value(SecretId=name),
        lambda: client.put_secret_value(SecretId=name, SecretString="x"),
        lambda: client.create_secret(Name=name, SecretString="x"),
        lambda: client.delete_secret(SecretId=name),
    ):
        with pytest.raises(client.exceptions.InvalidRequestException):
            refused()
    wanted = [{"Key": "name", "Values": [name]}]
    assert client.list_secrets(Filters=wanted)["SecretList"] == []
    assert len(client.list_secrets(Filters=wanted, IncludePlannedDeletion=True)["SecretList"]) == 1
    client.restore_secret(SecretId=name)
    assert client.get_secret_value(SecretId=name)["SecretString"] == VALUES[0]
    client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId=name)
    assert client.create_secret(Name=name, SecretString="x")["ARN"] != made["ARN"]


def test_lists_are_filtered_and_paged(client):
    prefix = scenery.name("listed")
    for number in range(5):
        tags = [{"Key": "number", "Value": str(number)}]
        client.create_secret(Name=f"{prefix}/{number}", Description=f"Number =={number}", SecretString="x", Tags=tags)
    names = [f"{prefix}/{number}" for number in range(5)]

    def listed(*filters, **more):
        mine = {"Key": "name", "Values": [prefix]}
        pages = client.get_paginator("list_secrets").paginate(
            Filters=[mine, *filters], PaginationConfig={"PageSize": 2}, **more
        )
        return [it["Name"] for it in pages.build_full_result()["SecretList"]]

    assert listed() == names
    assert listed(SortOrder="desc") == names[::-1]
    assert listed({"Key": "tag-value", "Values": ["1", "3"]}) == [names[1], names[3]]
    assert listed({"Key": "description", "Values": ["number ==2"]}) == [names[2]]
    assert listed({"Key": "tag-key", "Values": ["!number"]}) == []
    assert listed({"Key": "all", "Values": ["NUMBER ==4"]}) == [names[4]]
    with pytest.raises(client.exceptions.InvalidNextTokenException):
        client.list_secrets(NextToken="not ours")


def test_policies_decide_about_the_very_secret(client, server):
    prefix = scenery.name("guarded")
    arn = client.create_secret(Name=f"{prefix}-a", SecretString=VALUES[2], Tags=[{"Key": "team", "Value": "a"}])["ARN"]
    client.create_secret(Name=f"{prefix}-b", SecretString=VALUES[2])
    place = scenery.Scenery(server)
    read = "secretsmanager:GetSecretValue"
    for resource in (arn, f"{SECRETS}:{prefix}-a-??????", f"{SECRETS}:{prefix}-a-*"):
        user = place.user(scenery.allow(read, resource=resource)).client("secretsmanager")
        assert user.get_secret_value(SecretId=f"{prefix}-a")["SecretString"] == VALUES[2]
        with pytest.raises(user.exceptions.ClientError, match=f"{read} on resource: {prefix}-b because no"):
            user.get_secret_value(SecretId=f"{prefix}-b")
    tagged = place.user(scenery.allow(read, StringEquals={"aws:ResourceTag/team": "a"})).client("secretsmanager")
    assert tagged.get_secret_value(SecretId=arn)["SecretString"] == VALUES[2]
    with pytest.raises(tagged.exceptions.ClientError, match="is not authorized"):
        tagged.get_secret_value(SecretId=f"{prefix}-b")
    maker = place.user(scenery.allow("secretsmanager:CreateSecret", resource=f"{SECRETS}:{prefix}-c*"))
    maker.client("secretsmanager").create_secret(Name=f"{prefix}-c", SecretString="x")
    with pytest.raises(tagged.exceptions.ClientError, match=f"CreateSecret on resource: {prefix}-d because no"):
        maker.client("secretsmanager").create_secret(Name=f"{prefix}-d", SecretString="x")


def test_names_of_services_are_theirs(client):
    for name in ("bedrock-agentcore-identity!default/apikey/mine", "a!b", "with space"):
        with pytest.raises(client.exceptions.InvalidParameterException, match="Invalid name"):
            client.create_secret(Name=name, SecretString="x")


def test_the_aws_cli_keeps_a_secret(server, tmp_path):
    name = scenery.name("cli")
    (tmp_path / "value").write_text(VALUES[3])

    def run(*arguments) -> dict:
        command = [Path(sys.executable).with_name("aws"), "secretsmanager", *arguments, "--output", "json"]
        done = subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = run("create-secret", "--name", name, "--secret-string", f"file://{tmp_path}/value")
    assert run("get-secret-value", "--secret-id", made["ARN"])["SecretString"] == VALUES[3]
    assert run("describe-secret", "--secret-id", name)["Name"] == name
    assert name in [it["Name"] for it in run("list-secrets")["SecretList"]]
    assert run("delete-secret", "--secret-id", name, "--force-delete-without-recovery")["Name"] == name


def test_readings_are_audited(client, server):
    name = scenery.name("audited")
    arn = client.create_secret(Name=name, SecretString=VALUES[0])["ARN"]
    client.get_secret_value(SecretId=name)
    seen = scenery.audited(server, lambda event: event.get("resource") == arn, least=2)
    assert {event["action"] for event in seen} == {"secretsmanager:CreateSecret", "secretsmanager:GetSecretValue"}
    assert all(event["kind"] == "control" for event in seen), seen


def test_no_secret_is_left_anywhere(server):
    """The last one: the server has ended and written everything."""
    audit = server.run("audit", "tail", "--lines", "1000", "--json").stdout
    assert "secretsmanager:PutSecretValue" in audit
    server.stop()
    searched = [path for path in server.data_dir.rglob("*") if path.is_file()] + [server.log_file]
    for secret in [value.encode() for value in VALUES] + [BYTES, base64.b64encode(BYTES)]:
        assert secret not in audit.encode()
        for path in searched:
            assert secret not in path.read_bytes(), f"{secret} is in {path}"
