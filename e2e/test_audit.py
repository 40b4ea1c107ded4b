"""The audit trail: what was done to it is found, what a crash does is not, and it tells who did what with whose authority."""

import csv
import http.server
import io
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest
import requests
from botocore.exceptions import ClientError

from portcullis import ACCOUNT, REGION, Server, binary, plain_environment
from runtimes import by_url, runtime
from scenery import Scenery, allow, audited, name, refusal, tool
from scenery import until as looked_until


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server whose trail is tampered with."""
    server = Server(tmp_path_factory.mktemp("audit")).start()
    yield server
    server.dispose()


def until(look):
    """Waits for something that comes true."""
    return looked_until("it is not so", look, bool)


def ping(url: str) -> int:
    """A request to a gateway that lets everybody in."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"accept": "application/json, text/event-stream"}
    return requests.post(url, json=body, headers=headers, timeout=30).status_code


def statement(server: Server, *statements: str):
    """What somebody does who can write to the database."""
    if server.database.url:
        connection = server.database.connect()
        cursor = connection.cursor()
    else:
        connection = sqlite3.connect(server.data_dir / "portcullis.db", timeout=20)
        cursor = connection.cursor()
    rows = None
    for one in statements:
        cursor.execute(one)
        rows = cursor.fetchall() if one.lstrip().upper().startswith("SELECT") else None
    connection.commit()
    connection.close()
    return rows


def verify(server: Server, *arguments: str):
    done = server.run("audit", "verify", "--json", *arguments, check=False)
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    assert told["intact"] is (done.returncode == 0)
    return told


def some_changes(server: Server, count: int = 4):
    iam = server.client("iam")
    for _ in range(count):
        iam.create_user(UserName=name("audited"))


def test_a_trail_that_nobody_touched_verifies_also_while_the_server_writes(own):
    some_changes(own)
    until(lambda: (own.data_dir / "audit").exists() and any((own.data_dir / "audit").iterdir()))
    for _ in range(3):
        some_changes(own, 2)
        told = verify(own)
        assert told["intact"] and told["findings"] == []
    [chain] = told["chains"]
    assert chain["chain"].startswith("replica-") and chain["events"] >= 10 and len(chain["publicKey"]) == 64
    until(lambda: verify(own)["chains"][0]["checkpoint"] is not None)
    shown = own.run("audit", "verify").stdout
    assert "The audit trail is what was written." in shown and chain["publicKey"] in shown


@pytest.mark.parametrize(
    "fraud, tampering",
    [
        ("edited", ["UPDATE audit_events SET document = replace(document, 'iam:CreateUser', 'iam:DeleteUser') WHERE seq = {seq}"]),
        ("edited", ["UPDATE audit_events SET account = '111111111111' WHERE seq = {seq}"]),
        ("removed", ["DELETE FROM audit_events WHERE seq = {seq}"]),
        (
            "reordered",
            [
                "UPDATE audit_events SET seq = 1000000 WHERE seq = {seq}",
                "UPDATE audit_events SET seq = {seq} WHERE seq = {seq} + 1",
                "UPDATE audit_events SET seq = {seq} + 1 WHERE seq = 1000000",
            ],
        ),
        ("truncated", ["DELETE FROM audit_events WHERE seq >= {seq}"]),
        (
            "inserted",
            [
                "INSERT INTO audit_events (time, account, region, kind, document) "
                "SELECT time, account, region, kind, document FROM audit_events WHERE seq = {seq}"
            ],
        ),
        ("removed", ["DELETE FROM audit_chains"]),
    ],
)
def test_tampering_is_found_and_named(own, fraud, tampering):
    some_changes(own, 6)
    own.stop()
    try:
        statement(own, "CREATE TABLE kept_events AS SELECT * FROM audit_events")
        statement(own, "CREATE TABLE kept_chains AS SELECT * FROM audit_chains")
        ((seq,),) = statement(own, "SELECT MAX(seq) - 3 FROM audit_events")
        ((document,),) = statement(own, f"SELECT document FROM audit_events WHERE seq = {seq}")
        statement(own, *(one.format(seq=seq) for one in tampering))
        told = verify(own)
        found = [it for it in told["findings"] if it["what"] == fraud]
        assert found, told
        if fraud == "edited":
            assert found[0]["number"] == seq and found[0]["eventId"] == json.loads(document)["eventId"], found
            assert found[0]["chain"] == told["chains"][0]["chain"]
        text = own.run("audit", "verify", check=False)
        assert text.returncode == 1 and f"{fraud.upper()}:" in text.stdout, text.stdout
        assert "is not what was written" in text.stderr
        # Retention is not the way to get rid of it either: see the store's tests. Put everything back.
        statement(
            own,
            "DELETE FROM audit_events",
            "DELETE FROM audit_chains",
            "INSERT INTO audit_events SELECT * FROM kept_events",
            "INSERT INTO audit_chains SELECT * FROM kept_chains",
        )
    finally:
        statement(own, "DROP TABLE kept_events", "DROP TABLE kept_chains")
        own.start()
    assert verify(own)["intact"]


def test_an_older_state_that_is_put_back_is_found_by_the_checkpoints(start_server):
    server = start_server()
    some_changes(server)
    server.stop()
    statement(server, "CREATE TABLE kept_events AS SELECT * FROM audit_events")
    statement(server, "CREATE TABLE kept_chains AS SELECT * FROM audit_chains")
    server.start()
    some_changes(server)
    server.stop()
    copy = server.folder / "elsewhere"
    shutil.copytree(server.data_dir / "audit", copy)
    statement(
        server,
        "DELETE FROM audit_events",
        "DELETE FROM audit_chains",
        "INSERT INTO audit_events SELECT * FROM kept_events",
        "INSERT INTO audit_chains SELECT * FROM kept_chains",
        "DROP TABLE kept_events",
        "DROP TABLE kept_chains",
    )
    told = verify(server)
    assert [it["what"] for it in told["findings"]] == ["truncated"], told
    # Whoever takes the checkpoints away too is found by a copy of them.
    shutil.rmtree(server.data_dir / "audit")
    assert verify(server)["intact"]
    assert not verify(server, "--checkpoints", str(copy))["intact"]
    server.start()
    some_changes(server)
    assert not verify(server, "--checkpoints", str(copy))["intact"]


def test_checkpoints_that_were_changed_are_found(start_server):
    server = start_server()
    folder = server.data_dir / "audit"
    for _ in range(3):
        some_changes(server, 1)
        time.sleep(1.3)
    server.stop()
    [file] = folder.iterdir()
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) >= 3 and verify(server)["intact"]
    file.write_text("".join(lines[:1] + lines[2:]))
    assert "removed" in {it["what"] for it in verify(server)["findings"]}
    changed = json.loads(lines[-1])
    changed["place"] -= 1
    file.write_text("".join(lines[:-1]) + json.dumps(changed) + "\n")
    assert "forged" in {it["what"] for it in verify(server)["findings"]}
    # A line whose writing was cut off says nothing, and the next start takes it away.
    file.write_text("".join(lines) + lines[-1][:40])
    assert verify(server)["intact"]
    server.start()
    some_changes(server, 1)
    until(lambda: file.read_text().count("\n") > len(lines) or len(list(folder.iterdir())) > 1)
    assert verify(server)["intact"]


def test_kill_at_any_moment_leaves_a_chain_that_verifies(start_server):
    server = start_server()
    url = Scenery(server).gateway("NONE").url
    for cut in range(6):
        stopped = threading.Event()

        def call(stopped=stopped):
            while not stopped.is_set():
                try:
                    ping(url)
                except requests.RequestException:
                    return

        workers = [threading.Thread(target=call) for _ in range(3)]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + 0.2 + 0.41 * cut
        while time.monotonic() < deadline:
            some_changes(server, 1)
        server.kill()
        stopped.set()
        for worker in workers:
            worker.join()
        told = verify(server)
        assert told["intact"], told
        server.start()
        assert verify(server)["intact"]
    kinds = {event["kind"] for event in audited(server, lambda event: True)}
    assert kinds >= {"control", "gateway"}


def test_a_query_filters_and_no_text_of_a_caller_steers_terminal_or_spreadsheet(own):
    iam = own.client("iam")
    user = name("queried")
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    mine = own.client("iam", key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(ClientError):
        mine.create_user(UserName=name("denied"))
    audited(own, lambda event: event["actor"].get("accessKeyId") == key["AccessKeyId"])

    def query(*arguments):
        return [json.loads(line) for line in own.run("audit", "query", "--json", *arguments).stdout.splitlines()]

    [denied] = query("--principal", user, "--decision", "deny")
    assert denied["action"] == "iam:CreateUser" and denied["actor"]["arn"].endswith(f"user/{user}")
    assert query("--principal", f"*{user}", "--outcome", "refused", "--since", "1h") == [denied]
    assert query("--id", denied["eventId"]) == [denied] and query("--id", denied["requestId"]) == [denied]
    assert query("--principal", user, "--until", "1h") == [] and query("--principal", "nobody-at-all") == []
    made = query("--action", "CreateUser", "--resource", f"user/{user}", "--kind", "control")
    assert [it["resource"].rpartition("/")[2] for it in made] == [user]
    everything = query("--limit", "1000")
    assert [it["time"] for it in everything] == sorted((it["time"] for it in everything), reverse=True)
    assert query("--limit", "3") == everything[:3]
    assert own.run("audit", "query", "--decision", "maybe", check=False).returncode == 2
    assert user in own.run("audit", "query", "--principal", user).stdout
    [head, *rows] = csv.reader(io.StringIO(own.run("audit", "export", "--format", "csv").stdout))
    assert "decision" in head and len(rows) >= len(everything)
    # A path that would steer a terminal, and one that would be a formula.
    requests.post(f"{own.endpoint}/", headers={"authorization": "AWS4-HMAC-SHA256 Credential=x/1/r/=cmd()/aws4_request"})
    for line in own.run("audit", "tail", "-n", "50").stdout.splitlines():
        assert line.isprintable(), repr(line)
    followed = subprocess.Popen(
        [binary(), "audit", "tail", "-n", "0", "--follow", "--json", "--action", "iam:CreateUser", "--data-dir", str(own.data_dir)]
        + (["--database", own.database.url] if own.database.url else []),
        stdout=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    )
    try:
        time.sleep(1.0)
        late = name("late")
        iam.create_user(UserName=late)
        assert json.loads(followed.stdout.readline())["resource"].endswith(late)
    finally:
        followed.kill()
        followed.wait()


def test_lookup_events_finds_management_events_as_on_aws(own):
    iam, trail = own.client("iam"), own.client("cloudtrail")
    users = [name("looked-up") for _ in range(4)]
    for user in users:
        iam.create_user(UserName=user)
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    pages = list(trail.get_paginator("lookup_events").paginate(LookupAttributes=by_name, PaginationConfig={"PageSize": 2}))
    found = [event for page in pages for event in page["Events"]]
    assert all(len(page["Events"]) <= 2 for page in pages) and {it["EventName"] for it in found} == {"CreateUser"}
    assert [it["EventTime"] for it in found] == sorted((it["EventTime"] for it in found), reverse=True)
    assert len({it["EventId"] for it in found}) == len(found) >= 4
    [one] = [it for it in found if any(its["ResourceName"].endswith(users[0]) for its in it["Resources"])]
    assert one["Resources"][0]["ResourceType"] == "AWS::IAM::User" and one["Username"] == "root"
    assert one["ReadOnly"] == "false" and one["EventSource"] == "iam.amazonaws.com"
    record = json.loads(one["CloudTrailEvent"])
    assert record["eventVersion"] == "1.11" and record["eventType"] == "AwsApiCall" and record["managementEvent"]
    assert record["userIdentity"]["type"] == "Root" and record["userIdentity"]["accountId"] == ACCOUNT
    assert record["userIdentity"]["accessKeyId"] == own.root_key[0] == one["AccessKeyId"]
    assert record["requestParameters"]["UserName"] == users[0] and record["eventCategory"] == "Management"
    assert record["sourceIPAddress"] == "127.0.0.1" and "Boto3" in record["userAgent"]
    assert record["tlsDetails"]["clientProvidedHostHeader"] in own.endpoint and record["recipientAccountId"] == ACCOUNT
    for key, value in [
        ("EventId", one["EventId"]),
        ("ResourceName", users[0]),
        ("AccessKeyId", own.root_key[0]),
        ("EventSource", "iam.amazonaws.com"),
        ("Username", "root"),
        ("ReadOnly", "false"),
        ("ResourceType", "AWS::IAM::User"),
    ]:
        looked = trail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
        assert any(it["EventId"] == one["EventId"] for it in looked) or len(looked) == 50, key
    now = time.time()
    assert trail.lookup_events(LookupAttributes=by_name, StartTime=now - 3600, EndTime=now + 60)["Events"]
    assert trail.lookup_events(LookupAttributes=by_name, EndTime=now - 3600)["Events"] == []


def test_lookup_events_refuses_what_aws_refuses(own):
    trail = own.client("cloudtrail")
    both = [{"AttributeKey": "EventName", "AttributeValue": "x"}, {"AttributeKey": "Username", "AttributeValue": "y"}]
    for code, request in [
        ("InvalidLookupAttributesException", {"LookupAttributes": both}),
        ("InvalidTimeRangeException", {"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}),
        ("InvalidNextTokenException", {"NextToken": "nobodys"}),
    ]:
        with pytest.raises(ClientError) as refused:
            trail.lookup_events(**request)
        assert refused.value.response["Error"]["Code"] == code
    some_changes(own, 3)
    first = trail.lookup_events(MaxResults=1)
    with pytest.raises(ClientError) as refused:
        trail.lookup_events(MaxResults=1, NextToken=first["NextToken"], LookupAttributes=both[:1])
    assert refused.value.response["Error"]["Code"] == "InvalidNextTokenException"


def test_records_name_sessions_and_hold_no_secret(own):
    make = Scenery(own)
    role = make.role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}, allow("*"))
    session = own.client("sts").assume_role(RoleArn=role, RoleSessionName="the-auditor")["Credentials"]
    keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    own.client("bedrock-agentcore-control", *keys).create_api_key_credential_provider(name=name("key"), apiKey="the-key-itself")
    own.client("secretsmanager", *keys).create_secret(Name=name("s"), SecretString="the-secret-itself")
    looked = own.client("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "the-auditor"}])
    records = {it["EventName"]: json.loads(it["CloudTrailEvent"]) for it in looked["Events"]}
    identity = records["CreateApiKeyCredentialProvider"]["userIdentity"]
    assert identity["type"] == "AssumedRole" and identity["arn"].endswith("/the-auditor")
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert issuer["arn"] == role and issuer["type"] == "Role" and identity["principalId"] == f"{issuer['principalId']}:the-auditor"
    assert identity["sessionContext"]["attributes"]["creationDate"].endswith("Z")
    asked = records["CreateApiKeyCredentialProvider"]["requestParameters"]
    assert asked == {"name": "***", "apiKey": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    assert records["CreateSecret"]["requestParameters"]["SecretString"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    everything = own.run("audit", "export", "--format", "cloudtrail").stdout
    assert "the-key-itself" not in everything and "the-secret-itself" not in everything
    assert len(json.loads(everything)["Records"]) > 10
    file = own.folder / "records.json"
    own.run("audit", "export", "--format", "cloudtrail", "--output", str(file), "--action", "AssumeRole")
    assert {it["eventName"] for it in json.loads(file.read_text())["Records"]} == {"AssumeRole"}
    assert own.run("audit", "export", "--output", str(file), check=False).returncode == 1


def test_a_trail_that_cannot_be_kept_refuses_changes_and_says_so(start_server):
    server = start_server()
    some_changes(server, 1)
    folder, away = server.data_dir / "audit", server.data_dir / "audit-away"
    until(lambda: any(folder.iterdir()))
    folder.rename(away)
    folder.write_text("in the way")
    some_changes(server, 1)
    until(lambda: "A part of the audit trail cannot be kept" in server.log())

    def refused():
        with pytest.raises(ClientError) as refusal:
            server.client("iam").create_user(UserName=name("refused"))
        return refusal.value.response

    answer = refused()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503, answer
    assert "while the audit trail cannot be kept" in answer["Error"]["Message"], answer
    server.client("iam").list_users()
    folder.unlink()
    away.rename(folder)
    until(lambda: "is kept again" in server.log())
    some_changes(server, 1)
    until(lambda: verify(server)["intact"])


@pytest.mark.skipif(os.environ.get("PORTCULLIS_E2E_DATABASE", "sqlite") != "sqlite", reason="the disk is the database server's")
def test_a_full_disk_refuses_changes_buffers_events_and_then_refuses_requests(start_server, tmp_path, monkeypatch):
    # A limit of the operating system on the size of files is a disk that is full; the signal that comes with it is ignored.
    wrapper = tmp_path / "portcullis"
    wrapper.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec {binary()} \"$@\"\n")
    wrapper.chmod(0o755)
    real = binary()
    monkeypatch.setenv("PORTCULLIS_BINARY", str(wrapper))
    server = start_server(settings="[audit]\nbuffer = 20\n")
    monkeypatch.setenv("PORTCULLIS_BINARY", real)
    url = Scenery(server).gateway("NONE").url
    assert ping(url) == 200
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=4096:unlimited"], check=True)
    with pytest.raises(ClientError) as refusal:
        server.client("iam").create_user(UserName=name("full"))
    answer = refusal.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503, answer
    assert "audit trail" in answer["Error"]["Message"] or "disk is full" in answer["Error"]["Message"], answer
    codes = []
    until(lambda: codes.append(ping(url)) or codes[-1] == 503)
    assert codes.count(200) >= 10, codes
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=unlimited:unlimited"], check=True)
    until(lambda: ping(url) == 200)
    some_changes(server, 1)
    events = audited(server, lambda event: event["kind"] == "gateway", least=codes.count(200))
    assert len(events) >= codes.count(200)
    assert verify(server)["intact"]


class Endpoint:
    """A log endpoint, which can be told to refuse what it is sent."""

    def __init__(self):
        self.taken, self.refuses = [], threading.Event()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                refused = endpoint.refuses.is_set()
                if not refused:
                    endpoint.taken.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(503 if refused else 200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/logs"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()


def test_nothing_is_served_while_a_trail_fails_that_must_not(start_server):
    endpoint = Endpoint()
    settings = f"""
[audit]
when-failing = "refuse-traffic"
grace-seconds = 1
[audit.otlp]
url = "{endpoint.url}"
"""
    server = start_server(settings=settings)
    try:
        make = Scenery(server)
        gateway = make.gateway()
        agent = runtime(make, by_url("http://127.0.0.1:9"))
        data, models = server.client("bedrock-agentcore"), server.client("bedrock-runtime")
        said = {"modelId": "m.m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
        call = lambda: refusal(agent.invoke, data, {})[0], lambda: refusal(models.converse, **said)[0]
        assert ping(gateway.url) == 200 and [it() for it in call] == [424, 404]
        endpoint.refuses.set()
        ping(gateway.url)
        until(lambda: ping(gateway.url) == 503)
        began = time.monotonic()
        assert [it() for it in call] == [503, 503]
        assert time.monotonic() - began < 5, "what is refused waits for nothing"
        endpoint.refuses.clear()
        until(lambda: ping(gateway.url) == 200)
        assert [it() for it in call] == [424, 404]
    finally:
        endpoint.close()


def test_events_go_to_a_file_that_is_rotated_to_a_bucket_and_to_a_log_endpoint(start_server, tmp_path):
    collector = Endpoint()
    file = tmp_path / "events.jsonl"
    store = start_server()
    store.client("s3").create_bucket(Bucket="our-audit", CreateBucketConfiguration={"LocationConstraint": REGION})
    key, secret = store.root_key
    server = start_server(
        settings=f"""
[audit]
grace-seconds = 1
[audit.file]
path = "{file}"
megabytes = 1
keep = 2
[audit.s3]
bucket = "our-audit"
prefix = "of/this/"
endpoint = "{store.endpoint}"
seconds = 1
[audit.otlp]
url = "{collector.url}"
""",
        environment={
            "PORTCULLIS_AUDIT_S3_ACCESS_KEY_ID": key,
            "PORTCULLIS_AUDIT_S3_SECRET_ACCESS_KEY": secret,
            "PORTCULLIS_AUDIT_OTLP_HEADERS": "x-collector-key=the-collectors-key",
        },
    )
    try:
        some_changes(server, 5)
        wanted = {event["eventId"] for event in audited(server, lambda event: event["action"] == "iam:CreateUser", 5)}
        trace = "ab" * 16
        stranger = {"authorization": "AWS4-HMAC-SHA256 Credential=x/1/r/iam/aws4_request", "traceparent": f"00-{trace}-{'cd' * 8}-01"}
        requests.post(f"{server.endpoint}/", headers=stranger, timeout=30)

        def in_file():
            return {json.loads(line)["eventId"] for line in file.read_text().splitlines()} if file.exists() else set()

        def in_bucket():
            s3, ids = store.client("s3"), set()
            for entry in s3.list_objects_v2(Bucket="our-audit").get("Contents", []):
                assert entry["Key"].startswith("of/this/20") and entry["Key"].endswith(".jsonl")
                lines = s3.get_object(Bucket="our-audit", Key=entry["Key"])["Body"].read().decode().splitlines()
                ids |= {json.loads(line)["eventId"] for line in lines}
            return ids

        def records():
            return [
                record
                for _, _, body in collector.taken
                for record in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
            ]

        def at_endpoint():
            return {json.loads(record["body"]["stringValue"])["eventId"] for record in records()}

        for looked in (in_file, in_bucket, at_endpoint):
            until(lambda looked=looked: wanted <= looked())
        until(lambda: [it for it in records() if it.get("traceId") == trace and it["spanId"] == "cd" * 8])
        path, headers, _ = collector.taken[0]
        assert path == "/v1/logs" and headers["x-collector-key"] == "the-collectors-key"
        assert "the-collectors-key" not in server.log()
        # What was not taken comes later, and a sink that fails for long refuses changes.
        collector.refuses.set()
        some_changes(server, 1)
        until(lambda: "does not take audit events" in server.log())
        with pytest.raises(ClientError) as refused:
            server.client("iam").create_user(UserName=name("refused"))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        server.kill()
        collector.refuses.clear()
        server.start()
        everything = {event["eventId"] for event in audited(server, lambda event: True)}
        for looked in (in_file, in_bucket, at_endpoint):
            until(lambda looked=looked: everything <= looked())
    finally:
        collector.close()


CRASHES = """
def lambda_handler(event, context):
    raise RuntimeError("out of order")
"""


def test_a_call_tells_who_by_which_token_with_whose_authority_and_why_it_failed(own):
    make = Scenery(own)
    pool = make.pool()
    client = pool.client("invoke")
    gateway = make.gateway(pool.authorizer(client))
    target = gateway.lambda_target("Crashes", make.function(CRASHES), [tool("crash", text="string")])
    body = {
        "jsonrpc": "2.0",
        "id": 42,
        "method": "tools/call",
        "params": {"name": "Crashes___crash", "arguments": {"text": "an-argument-nobody-keeps"}},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {client.token()}",
        "user-agent": "the-agent/1.0",
    }
    answer = requests.post(gateway.url, json=body, headers=headers, timeout=60)
    assert answer.status_code == 200 and answer.json()["result"]["isError"], answer.text
    [event] = audited(own, lambda event: event.get("resource") == gateway.arn and event.get("tool"))
    assert event["decision"] == "allow" and event["actor"]["clientId"] == client.id
    call = event["call"]
    assert call["userAgent"] == "the-agent/1.0" and call["target"] == target and call["message"] == "42"
    assert call["authority"]["role"] == gateway.request["roleArn"]
    assert call["authority"]["credential"] == "gatewayRole"
    assert call["token"]["claims"]["client_id"] == client.id and call["token"]["headers"]["alg"] == "RS256"
    told = own.run("audit", "export", "--format", "cloudtrail", "--id", event["eventId"]).stdout
    [record] = json.loads(told)["Records"]
    assert record["eventName"] == "InvokeGateway" and record["eventCategory"] == "Data" and not record["managementEvent"]
    assert record["userIdentity"] == {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    assert record["resources"] == [
        {"accountId": ACCOUNT, "type": "AWS::BedrockAgentCore::Gateway", "ARN": gateway.arn}
    ]
    assert record["requestParameters"]["body"] == {
        "jsonrpc": "2.0",
        "id": 42,
        "method": "tools/call",
        "params": {"name": "Crashes___crash", "arguments": "REDACTED"},
    }
    assert record["responseElements"]["statusCode"] == 200 and "errorCode" not in record
    assert record["responseElements"]["body"]["result"]["content"] == "REDACTED"
    jwt = record["additionalEventData"]["jwt"]
    assert jwt["type"] == "JWS" and jwt["claims"]["iss"] == pool.issuer and set(jwt["headers"]) == {"kid", "alg"}
    assert record["additionalEventData"]["targetId"] == target and record["sharedEventID"]
    assert "an-argument-nobody-keeps" not in told and headers["authorization"][7:] not in told
    # A data event is not looked up, as on AWS.
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "InvokeGateway"}]
    assert own.client("cloudtrail").lookup_events(LookupAttributes=by_name)["Events"] == []
    # What else could the caller have done? The claims of the event answer.
    shown = own.run("audit", "query", "--id", event["eventId"])
    assert f"what-can --gateway {gateway.id}" in shown.stderr
    claims = own.folder / "claims.json"
    claims.write_text(own.run("audit", "query", "--id", event["eventId"], "--claims").stdout)
    assert json.loads(claims.read_text())["client_id"] == client.id
    # A function that may not be invoked: the record says why, the caller is not told.
    other = gateway.lambda_target("Gone", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:gone", [tool("go")])
    body["params"] = {"name": "Gone___go", "arguments": {}}
    answer = requests.post(gateway.url, json=body, headers=headers, timeout=60)
    [failed] = audited(own, lambda event: event.get("tool") == "Gone___go" and event.get("resource") == gateway.arn)
    assert failed["decision"] == "allow" and failed["outcome"] == "failure" and failed["call"]["target"] == other
    why = failed["call"]["failure"]
    assert "[leg " in why and why not in answer.text, (why, answer.text)
