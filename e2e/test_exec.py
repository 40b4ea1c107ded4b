"""`portcullis exec`: clients that hard-code hosts of AWS, unmodified, are answered by the server under test; everybody
else's hosts are untouched, answered by a local server, or refused."""

import contextlib
import http.server
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import node
from portcullis import PATIENCE, REGION, binary, plain_environment
from scenery import name, tool, until

# A client that reads no proxy variables, as the starter toolkit's token request is made.
BARE = """
import json, sys, urllib3
url, form = json.loads(sys.argv[1])
answer = urllib3.PoolManager().request("POST", url, fields=form, encode_multipart=False)
print(answer.status, answer.json()["access_token"])
"""
REQUESTS = """
import json, sys, requests
url, form = json.loads(sys.argv[1])
answer = requests.post(url, data=form)
print(answer.status_code, answer.json()["access_token"])
"""
HTTPX = """
import json, sys, httpx
url, form = json.loads(sys.argv[1])
answer = httpx.post(url, data=form)
print(answer.status_code, answer.json()["access_token"])
"""
ASYNCHRONOUS = """
import asyncio, json, ssl, sys, httpx
url, form = json.loads(sys.argv[1])
async def work():
    # Without the variables, it is the resolver and the sockets of asyncio that have to lead here.
    async with httpx.AsyncClient(trust_env=False, verify=ssl.create_default_context()) as client:
        return await client.post(url, data=form)
answer = asyncio.run(work())
print(answer.status_code, answer.json()["access_token"])
"""
TOOLKIT = """
import json, sys
from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient
endpoint, form = json.loads(sys.argv[1])
client = {**form, "token_endpoint": endpoint, "scope": sys.argv[2]}
print(200, GatewayClient(region_name="%s").get_access_token_for_cognito(client))
""" % REGION
FETCH = """
const [url, form] = JSON.parse(process.argv[1]);
const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
console.log(answer.status, (await answer.json()).access_token);
"""


class Party(http.server.BaseHTTPRequestHandler):
    """A local server that says what it was asked; as a proxy, it lets nobody through."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        size = int(self.headers.get("content-length") or 0)
        said = {"method": self.command, "path": self.path, "host": self.headers["host"]}
        self.reply(200, said | {"body": self.rfile.read(size).decode()})

    do_GET = do_POST = answer

    def do_CONNECT(self):
        self.server.asked.append((self.path, self.headers.get("proxy-authorization")))
        self.reply(403, {})

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def party():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Party) as served:
        served.asked = []
        served.url = f"http://127.0.0.1:{served.server_port}"
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


class Runner:
    """Runs commands under `exec`, with a folder for temporary files that must be empty again."""

    def __init__(self, server, folder: Path):
        self.server = server
        self.temporary = folder / "with a space"
        self.temporary.mkdir()
        plain = plain_environment()
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        self.environment = {**plain, **nothing, "TMPDIR": str(self.temporary)}

    def command(self, *command, options=()) -> list:
        return [binary(), "exec", "--data-dir", str(self.server.data_dir), *options, "--", *map(str, command)]

    def __call__(self, *command, options=(), environment=None, **settings) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*command, options=options),
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **settings,
        )

    def python(self, script: str, *arguments, **settings) -> subprocess.CompletedProcess:
        return self(sys.executable, "-c", script, *arguments, **settings)

    def left(self) -> list:
        return list(self.temporary.iterdir())


@pytest.fixture
def run(server, tmp_path):
    runner = Runner(server, tmp_path)
    yield runner
    until("files are left behind", runner.left, lambda left: not left)


@pytest.fixture(scope="module")
def token_request(make):
    """What a Cognito domain's token endpoint is asked, at the address that it has on AWS."""
    pool = make.pool()
    client = pool.client("invoke")
    domain = name("domain")
    pool.server.client("cognito-idp").create_user_pool_domain(Domain=domain, UserPoolId=pool.id)
    form = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
    return json.dumps([f"https://{domain}.auth.{REGION}.amazoncognito.com/oauth2/token", form])


def succeeded(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("script", [BARE, REQUESTS, HTTPX, ASYNCHRONOUS], ids=["urllib3", "requests", "httpx", "async"])
@pytest.mark.parametrize("options", [(), ("--offline",)], ids=["online", "offline"])
def test_a_cognito_domain_gives_tokens_to_clients_of_python(run, token_request, script, options):
    status, token = succeeded(run.python(script, token_request, options=options)).split()
    assert status == "200" and token.count(".") == 2


def test_the_toolkit_gets_its_token(run, make):
    pool = make.pool()
    client = pool.client("invoke")
    domain = name("domain")
    pool.server.client("cognito-idp").create_user_pool_domain(Domain=domain, UserPoolId=pool.id)
    asked = [
        f"https://{domain}.auth.{REGION}.amazoncognito.com/oauth2/token",
        {"client_id": client.id, "client_secret": client.secret},
    ]
    assert succeeded(run.python(TOOLKIT, json.dumps(asked), client.scopes[0])).count(".") == 2


def test_nodes_fetch_gets_a_token(run, token_request):
    done = run(node.program(), "--input-type=module", "-e", FETCH, token_request)
    assert succeeded(done).startswith("200 ")


def test_nodes_https_module_gets_a_key_set(run, make):
    pool = make.pool()
    script = f"""
        require('node:https').get('https://cognito-idp.{REGION}.amazonaws.com/{pool.id}/.well-known/jwks.json',
            (answer) => answer.setEncoding('utf8').on('data', (text) => console.log(answer.statusCode, text)));
    """
    assert '"keys"' in succeeded(run(node.program(), "-e", script))


def test_curl_gets_a_token(run, token_request):
    url, form = json.loads(token_request)
    fields = [part for name, value in form.items() for part in ("-d", f"{name}={value}")]
    assert "access_token" in succeeded(run("curl", "-sS", "--fail-with-body", *fields, url))


def test_boto3_makes_a_gateway_and_its_host_is_called_by_name(run, make):
    script = f"""
import boto3, json, requests, sys, urllib3
# As code does that leaves nothing to its environment.
control = boto3.client("bedrock-agentcore-control", endpoint_url="https://bedrock-agentcore-control.{REGION}.amazonaws.com")
gateway = control.get_gateway(gatewayIdentifier=sys.argv[1])
assert boto3.client("sts").get_caller_identity()["Arn"].endswith(":root")
host = "https://" + sys.argv[1] + ".gateway.bedrock-agentcore.{REGION}.amazonaws.com"
asked = dict(jsonrpc="2.0", id=1, method="tools/list", params=dict())
accept = {{"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}}
print(requests.post(host + "/mcp", json=asked, headers=accept).text)
print(urllib3.PoolManager().request("POST", host + "/mcp", json=asked, headers=accept).data.decode())
"""
    gateway = make.gateway("NONE")
    gateway.lambda_target("T", make.function(), [tool("echo", word="string")])
    for answer in succeeded(run.python(script, gateway.url.split("/gateways/")[1].split("/")[0])).splitlines():
        assert "T___echo" in answer


def test_a_bucket_of_a_virtual_host_is_ours(run):
    script = f"""
import boto3, sys
from botocore.config import Config
where = dict(endpoint_url="https://s3.{REGION}.amazonaws.com", config=Config(s3=dict(addressing_style="virtual")))
objects = boto3.client("s3", **where)
objects.create_bucket(Bucket=sys.argv[1], CreateBucketConfiguration=dict(LocationConstraint="{REGION}"))
objects.put_object(Bucket=sys.argv[1], Key="a b/c", Body=b"x" * 3_000_000)
print(len(objects.get_object(Bucket=sys.argv[1], Key="a b/c")["Body"].read()))
"""
    assert succeeded(run.python(script, name("bucket"))) == "3000000\n"


def test_credentials_of_the_environment_are_kept(run, make):
    caller = make.user()
    script = 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
    keys = {"AWS_ACCESS_KEY_ID": caller.key, "AWS_SECRET_ACCESS_KEY": caller.secret}
    assert succeeded(run.python(script, environment=keys)).strip() == caller.arn


# --- other hosts ------------------------------------------------------------------------------------------------------

ANSWERED = {
    "urllib3": "import sys, urllib3; print(urllib3.PoolManager().request('GET', sys.argv[1]).data.decode())",
    "requests": "import sys, requests; print(requests.get(sys.argv[1]).text)",
    "sockets": "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
}


@pytest.mark.parametrize("url", ["https://api.example.com/a?b=c", "http://api.example.com/a?b=c"])
@pytest.mark.parametrize("client", [*ANSWERED, "curl", "node"])
def test_a_named_host_is_answered_by_a_local_server(run, party, client, url):
    options = ["--answer", f"*.example.com={party.url}/base", "--offline"]
    if client == "curl":
        done = run("curl", "-sS", url, options=options)
    elif client == "node":
        done = run(node.program(), "-e", f"fetch('{url}').then((it) => it.text()).then(console.log)", options=options)
    else:
        done = run.python(ANSWERED[client], url, options=options)
    said = json.loads(succeeded(done))
    assert (said["path"], said["host"]) == ("/base/a?b=c", "api.example.com")


def test_a_server_that_does_not_answer_is_named(run):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    said = succeeded(run("curl", "-sS", "https://api.example.com/", options=["--answer", f"api.example.com={nobody}"]))
    assert said.startswith(f"portcullis exec: {nobody} answers for this host, and does not")


@pytest.mark.parametrize("client", [*ANSWERED, "node"])
def test_offline_other_hosts_are_refused_with_a_reason(run, client):
    url = "https://other.example.net/"
    if client == "node":
        done = run(node.program(), "-e", f"fetch('{url}')", options=["--offline"])
    else:
        done = run.python(ANSWERED[client], url, options=["--offline"])
    assert done.returncode != 0
    assert "portcullis exec --offline: nobody answers for other.example.net" in done.stderr


def test_offline_curl_and_addresses_are_refused(run):
    assert "403" in run("curl", "-sS", "https://other.example.net/", options=["--offline"]).stderr
    assert "nobody answers" in run("curl", "-sS", "http://192.0.2.1/", options=["--offline"]).stdout
    script = "import socket; socket.create_connection(('192.0.2.1', 443), 5)"
    assert "nobody answers for 192.0.2.1" in run.python(script, options=["--offline"]).stderr


@pytest.mark.parametrize("options", [(), ("--offline",)], ids=["online", "offline"])
def test_a_server_of_this_machine_is_untouched(run, party, options):
    for script in ANSWERED.values():
        said = json.loads(succeeded(run.python(script, f"{party.url}/x", options=options)))
        assert said["host"] == party.url.removeprefix("http://")
    # Through the proxy, in clear and by a tunnel.
    for through in ([], ["--proxytunnel"]):
        said = json.loads(succeeded(run("curl", "-sS", "--noproxy", "", *through, f"{party.url}/x", options=options)))
        assert (said["path"], said["host"]) == ("/x", party.url.removeprefix("http://"))


def test_other_hosts_are_reached_through_the_proxy_that_was_there(run, party):
    before = {"https_proxy": party.url.replace("http://", "http://me:pass@"), "no_proxy": "amazonaws.com"}
    done = run("curl", "-sS", "https://other.example.net/", environment=before)
    assert done.returncode != 0
    assert party.asked[-1] == ("other.example.net:443", "Basic bWU6cGFzcw==")


def test_only_the_command_is_let_through(run):
    script = """
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
for target in ("CONNECT example.net:443", "GET http://example.net/"):
    with socket.create_connection((proxy.hostname, proxy.port)) as line:
        line.sendall(f"{target} HTTP/1.1\\r\\nHost: example.net\\r\\n\\r\\n".encode())
        print(line.recv(1000).split()[1].decode())
"""
    assert succeeded(run.python(script)).split() == ["407", "407"]


# --- the command ------------------------------------------------------------------------------------------------------


def test_streams_and_exit_codes_pass_through(run):
    done = run("sh", "-c", "cat; echo oops >&2; exit 7", input="hello")
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello", "oops\n")
    assert run("no-such-command-here").returncode == 127
    assert run("/").returncode == 126


def test_the_terminal_passes_through(run):
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        script = "import os; print(os.isatty(0), os.isatty(1))"
        command = run.command(sys.executable, "-c", script)
        done = subprocess.run(command, env=run.environment, stdin=theirs, stdout=theirs, timeout=PATIENCE, check=False)
        os.close(theirs)
        assert done.returncode == 0
        assert os.read(ours, 100).strip() == b"True True"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGKILL])
def test_signals_reach_the_command_and_nothing_is_left(run, sent):
    script = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, _: sys.exit(40 + number))
print("ready", flush=True)
time.sleep(60)
"""
    command = run.command(sys.executable, "-c", script)
    with subprocess.Popen(command, env=run.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert run.left()
        process.send_signal(sent)
        assert process.wait(PATIENCE) == (-sent if sent == signal.SIGKILL else 40 + sent)
    until("files are left behind", run.left, lambda left: not left)


def test_no_key_is_written_down_and_others_may_not_write(run):
    script = """
import os, pathlib
folder = pathlib.Path(os.environ["SSL_CERT_FILE"]).parent
for file in [folder, *folder.rglob("*")]:
    assert not file.stat().st_mode & 0o022, file
    assert file.is_dir() or b"PRIVATE" not in file.read_bytes(), file
"""
    succeeded(run.python(script))


def test_hooks_that_were_there_have_their_turn(run, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.was_here = True\n")
    (tmp_path / "hook.cjs").write_text("globalThis.wasHere = true;\n")
    before = {"PYTHONPATH": str(tmp_path), "NODE_OPTIONS": f"--require {tmp_path / 'hook.cjs'}"}
    script = "import sitecustomize, socket; print(was_here, socket.getaddrinfo.__module__)"
    assert succeeded(run.python(script, environment=before)).startswith("True ")
    assert succeeded(run(node.program(), "-p", "wasHere", environment=before)) == "true\n"


def test_an_ordinary_user_needs_nothing_more(server, token_request):
    if os.geteuid() != 0:
        pytest.skip("the other tests are run by an ordinary user")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(binary(), folder)
        os.mkdir(f"{folder}/temporary")
        os.chmod(f"{folder}/temporary", 0o777)
        url, form = json.loads(token_request)
        fields = [part for name, value in form.items() for part in ("-d", f"{name}={value}")]
        command = [program, "exec", "--endpoint", server.endpoint, "--", "curl", "-sS", "--fail-with-body", *fields, url]
        done = subprocess.run(
            command,
            env={**plain_environment(), **server.aws, "TMPDIR": f"{folder}/temporary"},
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert "access_token" in succeeded(done)
        until("files are left behind", lambda: os.listdir(f"{folder}/temporary"), lambda left: not left)


# --- what cannot be done ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"TMPDIR": "/nowhere/at/all"}, "TMPDIR names another folder"),
        ({"REQUESTS_CA_BUNDLE": "/nowhere.pem"}, "REQUESTS_CA_BUNDLE is to hold the certificates of `/nowhere.pem`"),
        ({"all_proxy": "socks5://127.0.0.1:1"}, "set another, or unset it"),
    ],
)
def test_what_is_missing_is_named(run, environment, reason):
    done = run("true", environment=environment)
    assert done.returncode == 1 and reason in done.stderr


def test_what_cannot_be_meant_is_refused(run, tmp_path):
    for answer in ("example.com", "127.0.0.1=http://127.0.0.1:1", "a.example.com=https://127.0.0.1:1"):
        assert run("true", options=["--answer", answer]).returncode == 2
    done = subprocess.run(
        [binary(), "exec", "--data-dir", str(tmp_path / "none"), "--", "true"],
        env=run.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Start the server once" in done.stderr
