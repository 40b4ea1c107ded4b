"""What can be wrong before the server serves: each is one clear error that names the next step, with an exit code, and
leaves what was there as it was."""

import json
import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
import requests

from portcullis import Server, binary, plain_environment
from scenery import Scenery, name
from wire import Wire

FREE = "PORTCULLIS_LISTEN"


def run(*arguments, environment=None, timeout=60):
    """Runs the program to its end, which comes soon."""
    done = subprocess.run(
        [binary(), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**plain_environment(), **(environment or {})},
        check=False,
    )
    assert "panicked" not in done.stderr, done.stderr
    return done


def serve(folder, *arguments, environment=None):
    """A server that is expected not to come up."""
    listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
    data = () if "--data-dir" in arguments else ("--data-dir", str(folder / "data"))
    return run("serve", *listen, *data, *arguments, environment=environment)


def test_a_port_in_use(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = serve(tmp_path, "--listen", address)
    assert done.returncode == 1
    assert f"cannot listen on {address}" in done.stderr and "--listen" in done.stderr, done.stderr
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine(tmp_path):
    done = serve(tmp_path, "--listen", "192.0.2.1:4848")
    assert done.returncode == 1 and "choose another with --listen" in done.stderr, done.stderr


def test_a_data_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = serve(tmp_path, "--data-dir", str(tmp_path / "file" / "data"))
    assert done.returncode == 1 and "cannot make the data directory" in done.stderr, done.stderr
    assert "--data-dir" in done.stderr and (tmp_path / "file").read_text() == "in the way"


def test_a_data_directory_that_cannot_be_written(tmp_path):
    # `/proc` takes no files from anybody, not even from root.
    done = serve(tmp_path, "--data-dir", "/proc/portcullis")
    assert done.returncode == 1 and "cannot make the data directory" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "url, says",
    [
        ("postgres://nobody:hunter2@127.0.0.1:9/none", "cannot open the database postgres://nobody@127.0.0.1:9/none"),
        ("mysql://127.0.0.1/none", "the URL must begin with sqlite: or postgres://"),
        ("sqlite:/no/such/folder/portcullis.db", "cannot open the database sqlite:/no/such/folder/portcullis.db"),
        ("sqlite:.", "cannot open the database"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path, url, says):
    done = serve(tmp_path, "--database", url)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_file_that_is_no_database(tmp_path):
    file = tmp_path / "notes.db"
    file.write_text("these are notes, not a database" * 200)
    done = serve(tmp_path, "--database", f"sqlite:{file}")
    assert done.returncode == 1 and "cannot open the database" in done.stderr, done.stderr
    assert file.read_text().startswith("these are notes")


def test_a_second_server_on_the_same_data(start_server):
    first = start_server()
    done = run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(first.data_dir))
    assert done.returncode == 1 and "Another server uses the data directory" in done.stderr, done.stderr
    assert first.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_another_master_key(start_server):
    server = start_server()
    server.client("cognito-idp").create_user_pool(PoolName="kept")
    server.stop()
    key = server.data_dir / "master.key"
    good = key.read_bytes()
    database = ("--database", server.database.url) if server.database.url else ()
    for text, says in [
        ("A" * 43 + "=\n", "master.key of the data directory, or PORTCULLIS_MASTER_KEY"),
        ("short\n", "holds no master key"),
        ("", "holds no master key"),
    ]:
        key.write_text(text)
        done = run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data_dir), *database)
        assert done.returncode == 1 and says in done.stderr, done.stderr
        assert key.read_text() == text
    key.write_bytes(good)
    server.start()
    assert server.client("cognito-idp").list_user_pools(MaxResults=5)["UserPools"][0]["Name"] == "kept"


@pytest.mark.parametrize(
    "text, says",
    [
        ("listen = 4848\n", ["line 1"]),
        ("\n\nlisten = \"nowhere\"\n", ["line 3", "nowhere"]),
        ("[functions]\nidle-seconds = -1\n", ["line 2"]),
        ("[gateway]\ncall-timeout = 5\n", ["line 2", "call-timeout", "call-timeout-seconds"]),
        ("[log]\nformat = \"xml\"\n", ["line 2", "xml", "json"]),
        ("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n", ["line 2", "duplicate key"]),
        ("[server\n", ["line 1"]),
        ("[outbound]\nallow = [\"10.0.0.0/64\"]\n", ["line 2", "10.0.0.0/64"]),
    ],
)
def test_a_configuration_with_a_mistake_points_at_its_line(tmp_path, text, says):
    file = tmp_path / "portcullis.toml"
    file.write_text(text)
    done = serve(tmp_path, "--config", str(file))
    assert done.returncode == 2, done.stderr
    assert all(part in done.stderr for part in [str(file), *says]), done.stderr
    assert not (tmp_path / "data").exists()


def test_a_configuration_that_is_not_there(tmp_path):
    done = serve(tmp_path, "--config", str(tmp_path / "none.toml"))
    assert done.returncode == 2 and "none.toml" in done.stderr


@pytest.mark.parametrize(
    "environment, says",
    [
        ({"PORTCULLIS_ROOT_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00"}, "belong together"),
        (
            {"PORTCULLIS_ROOT_ACCESS_KEY_ID": "short", "PORTCULLIS_ROOT_SECRET_ACCESS_KEY": "hunter2hunter2hunter2"},
            "16 to 128 letters and digits",
        ),
        ({"PORTCULLIS_MASTER_KEY": "hunter2"}, "PORTCULLIS_MASTER_KEY holds no master key"),
        ({"PORTCULLIS_LISTEN": "nowhere"}, "nowhere"),
        ({"PORTCULLIS_PUBLIC_URL": "gate.example.com"}, "is no public URL"),
        ({"PORTCULLIS_LOG": "portcullis=chatty=loud"}, "PORTCULLIS_LOG"),
    ],
)
def test_an_environment_with_a_mistake(tmp_path, environment, says):
    done = run("serve", "--data-dir", str(tmp_path / "data"), environment={FREE: "127.0.0.1:0", **environment})
    assert done.returncode in (1, 2) and says in done.stderr, done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("verb", [["env"], ["audit", "tail"], ["mail", "list"], ["account", "list"]])
def test_verbs_before_the_first_start_say_what_to_do(tmp_path, verb):
    done = run(*verb, "--data-dir", str(tmp_path / "none"))
    assert done.returncode == 1 and "portcullis serve" in done.stderr, done.stderr
    assert not (tmp_path / "none").exists()


def test_a_verb_that_is_none():
    done = run("serv")
    assert done.returncode == 2 and "serve" in done.stderr


# --- settings that hold --------------------------------------------------------------------------------------------------


def test_root_credentials_of_the_environment_are_the_only_ones(start_server):
    chosen = {
        "PORTCULLIS_ROOT_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00",
        "PORTCULLIS_ROOT_SECRET_ACCESS_KEY": "a-secret-of-my-own-choosing",
    }
    server = start_server(environment=chosen)
    assert server.root_key == tuple(chosen.values())
    assert server.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    assert chosen["PORTCULLIS_ROOT_SECRET_ACCESS_KEY"] not in server.log()


def test_what_the_first_start_makes_is_for_its_owner_only(start_server):
    server = start_server()
    for file in ("credentials", "config", "master.key", *([] if server.database.url else ["portcullis.db"])):
        mode = stat.S_IMODE((server.data_dir / file).stat().st_mode)
        assert mode == 0o600, f"{file} has the mode {mode:o}"
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700


@pytest.fixture
def own_server(tmp_path):
    """A server that a test may still furnish before it starts it."""
    server = Server(tmp_path / "server")
    yield server
    server.dispose()


def test_a_public_url_is_the_source_of_every_name(own_server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        # Clients of this test reach the server directly, not by its public name.
        own_server.endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    public = "https://gate.example.com"
    own_server.arguments = ["--public-url", f"{public}/"]
    own_server.start()
    make = Scenery(own_server)
    pool, gateway = make.pool(), make.gateway()
    assert gateway.url == f"{public}/gateways/{gateway.id}/mcp"
    discovery = requests.get(pool.discovery_url, timeout=30).json()
    assert discovery["issuer"] == f"{public}/{pool.id}" and discovery["jwks_uri"].startswith(public)
    assert discovery["token_endpoint"].startswith(public)
    local = gateway.url.replace(public, own_server.endpoint)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for host, status in [("gate.example.com", 200), ("gate.example.org", 403)]:
        assert Wire(local, version="2025-11-25", Host=host).post(ping).status_code == status
    assert f"endpoint_url = {public}" in (own_server.data_dir / "config").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run functions as another user")
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="the interpreter must be one that anybody can run")
def test_functions_run_as_another_user_cannot_read_what_is_the_servers(own_server):
    # The folders of the tests are closed to others, and functions have to pass through to theirs.
    folder = Path("/var/tmp") / name("portcullis")
    own_server.data_dir = folder
    own_server.config_file.write_text(
        '[functions]\npython = "/usr/bin/python3"\nrun-as = { user = 65534, group = 65534 }\n'
    )
    look = f"""
import os, pathlib

def read(file):
    try:
        pathlib.Path({str(folder)!r}, file).read_bytes()
        return "read"
    except OSError as error:
        return type(error).__name__

def lambda_handler(event, context):
    return [os.getuid(), os.getgid(), os.getgroups(), [read(file) for file in event]]
"""
    try:
        own_server.start()
        function = Scenery(own_server).function(look)
        files = ["master.key", "credentials", "config", *([] if own_server.database.url else ["portcullis.db"])]
        answer = own_server.client("lambda").invoke(FunctionName=function, Payload=json.dumps(files))
        told = json.loads(answer["Payload"].read())
        assert told == [65534, 65534, [], ["PermissionError"] * len(files)], told
    finally:
        own_server.kill()
        shutil.rmtree(folder, ignore_errors=True)
