"""Backups, and moves from one database to another: what AWS's APIs say of a server is what they say of its copy, and a
file or a key that is not right leaves nothing behind. `doctor` says what is wrong with an installation.

On PostgreSQL copies go into both databases, else into another SQLite file.
"""

import contextlib
import datetime
import hashlib
import json
import os
import socket
import sqlite3
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portcullis import Database, Server
from scenery import Scenery, allow, name, tool
from wire import Wire, text_of

PERMIT = 'permit(principal, action == AgentCore::Action::"Tools___echo", resource == AgentCore::Gateway::"{}");'
KINDS = ["sqlite"] + (["postgres"] if os.environ.get("PORTCULLIS_E2E_DATABASE", "sqlite") != "sqlite" else [])
# Larger than the chunks in which objects and backups are written.
LARGE = bytes(range(256)) * 10_000


@dataclass
class Installation:
    """A server with something of everything."""

    server: Server
    gateway: str
    gateway_arn: str
    gateway_url: str
    engine: str
    pool: str
    client: object
    user: object
    function: str
    bucket: str
    secret: str
    seen: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("installation")) as server:
        yield furnished(server)


def furnished(server: Server) -> Installation:
    make = Scenery(server)
    pool = make.pool()
    client = pool.client("invoke")
    gateway, engine = make.gateway(pool.authorizer(client)), make.engine()
    function = make.function(environment={"HUSH": "quiet"})
    gateway.lambda_target("Tools", function, [tool("echo"), tool("other")])
    engine.policy(PERMIT.format(gateway.arn))
    gateway.enforce(engine.arn)
    server.client("bedrock-agentcore-control").tag_resource(resourceArn=gateway.arn, tags={"of": "a backup"})
    user = make.user(allow("bedrock-agentcore:ListGateways"))
    secret = name("secret")
    server.client("secretsmanager").create_secret(Name=secret, SecretString="kept well")
    bucket, s3 = name("bucket"), server.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=bucket, Key="large é", Body=LARGE)
    made = Installation(
        server, gateway.id, gateway.arn, gateway.url, engine.id, pool.id, client, user, function, bucket, secret
    )
    made.seen = seen(made, server)
    return made


def seen(of: Installation, server: Server) -> dict:
    """What the APIs say of everything, and what a caller of a tool meets."""
    control, iam, cognito = (server.client(it) for it in ("bedrock-agentcore-control", "iam", "cognito-idp"))
    gateway, engine = {"gatewayIdentifier": of.gateway}, {"policyEngineId": of.engine}
    targets = control.list_gateway_targets(**gateway)["items"]
    policies = control.list_policies(**engine)["policies"]
    clients = cognito.list_user_pool_clients(UserPoolId=of.pool)["UserPoolClients"]
    body = server.client("s3").get_object(Bucket=of.bucket, Key="large é")["Body"].read()
    by_user = server.client("bedrock-agentcore-control", of.user.key, of.user.secret)
    found = {
        "gateways": control.list_gateways(),
        "gateway": control.get_gateway(**gateway),
        "tags": control.list_tags_for_resource(resourceArn=of.gateway_arn),
        "targets": targets,
        "target": [control.get_gateway_target(**gateway, targetId=it["targetId"]) for it in targets],
        "engines": control.list_policy_engines(),
        "policies": policies,
        "policy": [control.get_policy(**engine, policyId=it["policyId"]) for it in policies],
        "pool": cognito.describe_user_pool(UserPoolId=of.pool),
        "clients": [cognito.describe_user_pool_client(UserPoolId=of.pool, ClientId=it["ClientId"]) for it in clients],
        "users": [user for user in users_of(server) if not user["UserName"].startswith("written-")],
        "user's policy": iam.get_user_policy(UserName=of.user.name, PolicyName="inline"),
        "roles": iam.list_roles(),
        "function": server.client("lambda").get_function(FunctionName=of.function)["Configuration"],
        "secret": server.client("secretsmanager").get_secret_value(SecretId=of.secret),
        "object": hashlib.sha256(body).hexdigest(),
        "as the user": by_user.list_gateways(),
    }
    wire = Wire(of.gateway_url, of.client.token(), version="2025-11-25")
    found["tools"] = wire.tools()
    found["call"] = json.loads(text_of(wire.tool("Tools___echo", word="well")))
    found["denied"] = wire.tool("Tools___other").get("error") or wire.tool("Tools___other")["result"]
    return without_requests(found)


def users_of(server: Server) -> list:
    pages = server.client("iam").get_paginator("list_users").paginate()
    return [user for page in pages for user in page["Users"]]


def without_requests(value):
    """The same without what differs from answer to answer."""
    if isinstance(value, dict):
        differing = ("ResponseMetadata", "PasswordLastUsed", "RoleLastUsed", "LastAccessedDate")
        return {key: without_requests(it) for key, it in value.items() if key not in differing}
    return [without_requests(it) for it in value] if isinstance(value, list) else value


@contextlib.contextmanager
def copy_of(server: Server, folder: Path, kind: str, key: bytes | None = None):
    """A server that was never started, with a database of a kind and the master key of another server."""
    copy = Server(folder)
    if copy.database.kind != kind:
        copy.database.drop()
        copy.database = Database()
    copy.data_dir.mkdir(mode=0o700)
    (copy.data_dir / "master.key").write_bytes(key or (server.data_dir / "master.key").read_bytes())
    (copy.data_dir / "master.key").chmod(0o600)
    own = copy.database
    try:
        yield copy
    finally:
        copy.database = own
        copy.dispose()


def served_as(of: Installation, copy: Server) -> dict:
    """What a copy says on the address of the server that it is a copy of, which has ended."""
    copy.endpoint = of.server.endpoint
    try:
        copy.start()
        return seen(of, copy)
    finally:
        copy.stop()


def events(server: Server) -> list:
    told = server.run("audit", "query", "--json", "--limit", "100000").stdout
    return [json.loads(line)["eventId"] for line in told.splitlines()]


@contextlib.contextmanager
def written_to(server: Server):
    """Users are made one after the other meanwhile; gives how many there are."""
    iam, stop, made = server.client("iam"), threading.Event(), []

    def write():
        while not stop.is_set():
            iam.create_user(UserName=f"written-{len(made):06}")
            made.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield made
    finally:
        stop.set()
        writer.join(30)


@pytest.fixture(scope="module")
def backup(installation, tmp_path_factory):
    """A backup that was made while the server was written to, and what is known of that."""
    file = tmp_path_factory.mktemp("backups") / "the.backup"
    with written_to(installation.server) as made:
        before = len(made)
        told = json.loads(installation.server.run("backup", str(file), "--json").stdout)
        after = len(made)
    assert told["file"] == str(file) and told["bytes"] == file.stat().st_size and told["rows"] > 100, told
    return file, before, after


def test_a_backup_is_its_owners_alone_and_replaces_nothing_by_itself(installation, backup):
    file, _, _ = backup
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [file.name], "something was left beside it"
    written = file.read_bytes()
    assert b"kept well" not in written and installation.gateway.encode() not in written
    refused = installation.server.run("backup", str(file), check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr and file.read_bytes() == written
    again = file.with_name("again.backup")
    again.write_text("mine")
    installation.server.run("backup", str(again), "--force")
    assert again.read_bytes().startswith(b"PORTCULLIS BACKUP\n")
    again.unlink()
    taken = [event for event in events_of(installation.server, "database.backup")]
    assert len(taken) >= 2 and "made a backup" in taken[0]["reason"], taken


def events_of(server: Server, action: str) -> list:
    told = server.run("audit", "query", "--json", "--limit", "100000").stdout
    return [event for event in map(json.loads, told.splitlines()) if event["action"] == action]


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_restores_into_an_empty_database(installation, backup, tmp_path, kind):
    file, before, after = backup
    installation.server.stop()
    try:
        with copy_of(installation.server, tmp_path / "copy", kind) as copy:
            checked = json.loads(copy.run("restore", str(file), "--check", "--json").stdout)
            assert checked["restored"] is False and not (copy.data_dir / "portcullis.db").exists()
            told = json.loads(copy.run("restore", str(file), "--json").stdout)
            assert told == checked | {"restored": True}
            assert "is what was written" in copy.run("audit", "verify").stdout
            assert served_as(installation, copy) == installation.seen
            copy.start()
            users = [user["UserName"] for user in users_of(copy)]
            written = sorted(user for user in users if user.startswith("written-"))
            # One moment between the two: none is missing before it, and none is there that came after it.
            assert written == [f"written-{number:06}" for number in range(len(written))]
            assert before <= len(written) <= after + 1
            # The server goes on with numbers that nobody had.
            copy.client("iam").create_user(UserName="after-the-restore")
            assert "is what was written" in copy.run("audit", "verify").stdout
            assert len(events_of(copy, "database.restore")) == 1
            refused = copy.run("restore", str(file), check=False)
            assert refused.returncode == 1 and "not empty" in refused.stderr, refused.stderr
    finally:
        installation.server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give a folder away")
def test_who_restores_for_a_server_of_somebody_else_is_told(installation, backup, tmp_path):
    with copy_of(installation.server, tmp_path / "copy", "sqlite") as copy:
        os.chown(copy.data_dir, 12_345, 23_456)
        told = copy.run("restore", str(backup[0])).stdout
        assert f"chown -R 12345:23456 {copy.data_dir}/\n" in told, told
    with copy_of(installation.server, tmp_path / "own", "sqlite") as copy:
        assert "chown" not in copy.run("restore", str(backup[0])).stdout


def test_a_damaged_backup_and_a_wrong_key_leave_nothing(installation, backup, tmp_path):
    file = backup[0].read_bytes()
    bad = tmp_path / "bad.backup"
    with copy_of(installation.server, tmp_path / "copy", "sqlite") as copy:

        def refusal() -> str:
            refused = copy.run("restore", str(bad), check=False)
            assert refused.returncode == 1 and os.listdir(copy.data_dir) == ["master.key"], refused
            return refused.stderr

        for place in (100, len(file) // 3, len(file) // 2, len(file) - 1):
            bad.write_bytes(file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :])
            assert "damaged" in refusal(), place
            bad.write_bytes(file[:place])
            assert "damaged" in refusal(), place
        bad.write_bytes(b"SQLite format 3\0")
        assert "is no backup" in refusal()
    with copy_of(installation.server, tmp_path / "stranger", "sqlite", b"A" * 43 + b"=") as copy:
        bad.write_bytes(file)
        assert "the master key is not the one" in copy.run("restore", str(bad), check=False).stderr
        (copy.data_dir / "master.key").unlink()
        told = copy.run("restore", str(bad), check=False).stderr
        assert "no master key" in told and not os.listdir(copy.data_dir), told


@pytest.mark.parametrize("kind", KINDS[-1:])
def test_everything_moves_to_another_database_and_back(installation, backup, tmp_path, kind):
    there = Database.fresh() if kind == "postgres" else Database(f"sqlite:{tmp_path / 'there.db'}")
    back = f"sqlite:{tmp_path / 'back.db'}"
    installation.server.stop()
    try:
        with copy_of(installation.server, tmp_path / "copy", "sqlite") as copy:
            intact = lambda: "is what was written" in copy.run("audit", "verify").stdout
            copy.run("restore", str(backup[0]))
            copy.endpoint = installation.server.endpoint
            copy.start()
            running = copy.run("migrate", "--to", there.url, check=False)
            assert running.returncode == 1 and "stop it" in running.stderr, running.stderr
            copy.stop()
            before = events(copy)
            told = json.loads(copy.run("migrate", "--to", there.url, "--json").stdout)
            assert told["tables"]["gateways"] == 1 and told["rows"] == sum(told["tables"].values())
            refused = copy.run("migrate", "--to", there.url, check=False)
            assert refused.returncode == 1 and "not empty" in refused.stderr, refused.stderr
            copy.database = Database(there.url)
            assert intact() and set(before) < set(events(copy))
            assert served_as(installation, copy) == installation.seen
            moved = copy.run("migrate", "--from", there.url, "--to", back).stdout
            assert "gateways" in moved and "rows are in" in moved, moved
            copy.database = Database(back)
            assert intact() and served_as(installation, copy) == installation.seen and intact()
            # It is the caller's to say which database there is nothing in.
            nothing = copy.run("migrate", "--from", f"sqlite:{tmp_path / 'none.db'}", "--to", back, check=False)
            assert nothing.returncode == 1 and "nothing in it" in nothing.stderr, nothing.stderr
    finally:
        installation.server.start()
        if kind == "postgres":
            there.drop()


# --- doctor ----------------------------------------------------------------------------------------------------------------


def doctor(server: Server, *more: str) -> tuple:
    """Whether all is well, and what is said about each thing."""
    done = server.run("doctor", "--json", *more, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["healthy"] else 1), done
    found = {}
    for check in told["checks"]:
        assert check["remedy"] if check["verdict"] != "ok" else not check["remedy"], check
        found.setdefault(check["about"], []).append(check)
    return told["healthy"], found


def problem(checks: list) -> str:
    [check] = [check for check in checks if check["verdict"] == "problem"]
    return f"{check['found']} -> {check['remedy']}"


def test_a_server_that_is_well_is_told_so(installation):
    server = installation.server
    listen = ("--listen", server.endpoint.removeprefix("http://"))
    healthy, found = doctor(server, *listen)
    assert healthy, found
    expected = {"settings", "data directory", "disk", "database", "master key", "audit trail", "address"}
    expected |= {"public URL", "open files", "python", "node", "solver"}
    expected |= {"PostgreSQL", "clock", "replica"} if server.database.url else set()
    assert set(found) == expected
    if server.database.url:
        [replica] = found["replica"]
        name, _, since = replica["found"].partition(" serves since ")
        began = datetime.datetime.fromisoformat(since)
        assert name in server.log() and began <= datetime.datetime.now(datetime.UTC), replica
    assert "is ready" in found["address"][0]["found"] and "chains with" in found["audit trail"][0]["found"]
    reached = doctor(server, *listen, "--public-url", server.endpoint)[1]["public URL"]
    assert "is reached" in reached[0]["found"] and reached[0]["verdict"] == "ok", reached
    other = doctor(server, *listen, "--public-url", "https://gate.example.com")[1]["public URL"]
    assert "the server began with" in problem(other)
    shown = server.run("doctor", *listen).stdout
    assert "ok       master key      opens the data key" in shown


def test_what_is_wrong_is_found_and_nothing_is_changed(installation, tmp_path):
    with copy_of(installation.server, tmp_path / "copy", "sqlite") as copy:
        free = ("--listen", "127.0.0.1:1")
        copy.data_dir.chmod(0o755)
        (copy.data_dir / "master.key").chmod(0o644)
        _, found = doctor(copy, *free)
        told = [check["found"] for check in found["data directory"]]
        assert any("others may look into" in it for it in told) and any("master.key" in it for it in told), told
        assert os.listdir(copy.data_dir) == ["master.key"], "a look made something"
        copy.data_dir.chmod(0o700)
        (copy.data_dir / "master.key").chmod(0o600)
        healthy, found = doctor(copy)
        assert healthy and "nothing in it" in found["database"][0]["found"], found

        copy.start()
        copy.stop()
        key = (copy.data_dir / "master.key").read_bytes()
        (copy.data_dir / "master.key").write_text("B" * 42 + "A=\n")
        assert "not the one" in problem(doctor(copy)[1]["master key"])
        (copy.data_dir / "master.key").unlink()
        assert "put it back" in problem(doctor(copy)[1]["master key"])
        (copy.data_dir / "master.key").write_bytes(key)
        (copy.data_dir / "master.key").chmod(0o600)

        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            other.settimeout(0.1)
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            stop = threading.Event()
            answering = threading.Thread(target=answer, args=(other, stop))
            answering.start()
            assert "another program" in problem(doctor(copy, "--listen", taken)[1]["address"])
            stop.set()
            answering.join(10)

        required = ("--policy-solver", "required", "--solver-program", "no-such-solver")
        assert "install cvc5" in problem(doctor(copy, *required)[1]["solver"])
        (tmp_path / "bad.toml").write_text("listne = 1\n")
        assert "listne" in problem(doctor(copy, "--config", str(tmp_path / "bad.toml"))[1]["settings"])
        no_database = ("--database", f"sqlite:{tmp_path / 'bad.toml'}")
        assert "see that it runs" in problem(doctor(copy, *no_database)[1]["database"])
        nowhere = ("--database", f"sqlite:{tmp_path / 'nowhere' / 'x.db'}")
        assert "make it" in problem(doctor(copy, *nowhere)[1]["database"])
        with contextlib.closing(sqlite3.connect(copy.data_dir / "portcullis.db")) as database, database:
            database.execute("UPDATE audit_chains SET place = place + 1")
        assert "not signed" in problem(doctor(copy)[1]["audit trail"])
        with contextlib.closing(sqlite3.connect(copy.data_dir / "portcullis.db")) as database, database:
            database.execute("UPDATE meta SET value = '1000' WHERE name = 'schema'")
        assert "start a newer Portcullis" in problem(doctor(copy)[1]["database"])


def answer(listener: socket.socket, stop: threading.Event):
    """Answers as some other server does."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
