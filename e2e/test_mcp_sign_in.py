"""MCP clients that know a gateway's URL and nothing else: 401, metadata, registration, a person who signs in in a real
browser, a token, tools."""

import contextlib
import datetime
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import node
from browser import Chromium
from portcullis import PROJECT, plain_environment
from scenery import Scenery
from test_mcp_clients import ENVIRONMENT as MODERN
from test_pool_users import PASSWORD, claims
from test_third_parties import Place

ASKED = {"tool": "T___echo", "arguments": {"word": "hello"}}


@pytest.fixture(scope="module")
def place(server, make):
    return Place(server, make)


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


@contextlib.contextmanager
def started(command: list, environment: dict, **settings):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # In a group of its own: a client may be a program that starts another, and both end here.
    process = subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes, **settings)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def said(process: subprocess.Popen) -> dict:
    """The next line of a client."""
    line = process.stdout.readline()
    assert line, process.stderr.read()[-4000:]
    return json.loads(line)


@contextlib.contextmanager
def python_client(place, program: str = sys.executable, **more):
    with started([program, str(PROJECT / "e2e" / "signing_in_client.py")], plain_environment()) as client:
        client.stdin.write(json.dumps({"url": place.gateway.url, **ASKED, **more}) + "\n")
        client.stdin.flush()
        yield client


@pytest.mark.parametrize("generation", ["python-1", "python-2"])
def test_a_python_client_connects_from_the_url_alone(place, chromium, generation):
    program = sys.executable if generation == "python-1" else os.environ[MODERN]
    username = place.users.user()
    with python_client(place, program) as client:
        seen = chromium.visit(said(client)["open"], username, PASSWORD)
        done = said(client)
        assert done["tools"] == ["T___echo", "T___other"] and "hello" in done["text"]
        assert done["granted"] == place.call

        first, consent = seen["pages"]
        assert first["fields"] == ["textbox: User name", "textbox: Password", "button: Sign in", "button: Cancel"]
        assert "calls itself Test b client b" in consent["text"] and "nobody has checked its name" in consent["text"]
        assert place.gateway.url in consent["text"] and place.call in consent["text"]
        assert username in consent["text"] and "an application on this computer" in consent["text"]
        assert "button: Allow" in consent["fields"] and "button: Deny" in consent["fields"]
        assert seen["landed"].startswith("http://127.0.0.1:")

        # The gateway wants another scope: the client is told which, and the person is asked again.
        place.trust(allowedScopes=[place.admin])
        try:
            client.stdin.write("again\n")
            client.stdin.flush()
            chromium.visit(said(client)["open"], username, PASSWORD)
            again = said(client)
            assert "hello" in again["text"] and place.admin in again["granted"].split()
            assert again["client_id"] == done["client_id"]
        finally:
            place.trust(allowedScopes=[place.call])


@pytest.mark.parametrize("generation", ["sdk-1", "sdk-2"])
def test_a_typescript_client_connects_from_the_url_alone(place, chromium, generation):
    script = node.among_packages("signing_in_client.mjs")
    with started([node.program(), str(script)], node.environment()) as client:
        client.stdin.write(json.dumps({"client": generation, "url": place.gateway.url, **ASKED}))
        client.stdin.close()
        client.stdin = None
        chromium.visit(said(client)["open"], place.users.user(), PASSWORD)
        done = said(client)
        assert done["tools"] == ["T___echo", "T___other"] and "hello" in done["text"]
        assert done["granted"] == place.call


def test_mcp_remote_connects_from_the_url_alone(place, chromium, tmp_path):
    program = node.PACKAGES / "mcp-remote" / "dist" / "proxy.js"
    # It opens a browser itself where it finds one; the one of the tests is told its URL.
    environment = {**node.environment(), "HOME": str(tmp_path), "BROWSER": "true", "MCP_REMOTE_CONFIG_DIR": str(tmp_path)}
    with started([node.program(), str(program), place.gateway.url], environment) as proxy:
        # Nobody waits for the reader: it ends with the program.
        reader = ThreadPoolExecutor(1)
        line = reader.submit(lambda: next((line for line in proxy.stderr if "/oauth2/authorize?" in line), ""))
        ask = lambda **message: (proxy.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n"), proxy.stdin.flush())
        who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
        ask(id=1, method="initialize", params=who)
        seen = chromium.visit(line.result(60).strip(), place.users.user(), PASSWORD)
        assert "mcp-remote" in seen["pages"][1]["text"].lower() or "MCP" in seen["pages"][1]["text"]
        drain = ThreadPoolExecutor(1)
        drain.submit(proxy.stderr.read)
        assert said(proxy)["result"]["serverInfo"]["name"] == "agentcore-gateway"
        ask(method="notifications/initialized")
        ask(id=2, method="tools/call", params={"name": ASKED["tool"], "arguments": ASKED["arguments"]})
        assert "hello" in said(proxy)["result"]["content"][0]["text"]


def test_the_way_is_signposted(place):
    refused = requests.post(place.gateway.url, json={}, timeout=30)
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert f'scope="{place.call}"' in challenge
    metadata = requests.get(re.search(r'resource_metadata="([^"]+)"', challenge)[1], timeout=30).json()
    assert metadata["resource"] == place.gateway.url and metadata["authorization_servers"] == [place.base]
    assert metadata["scopes_supported"] == [place.call]
    known = requests.get(
        f"{place.server.endpoint}/.well-known/oauth-authorization-server/{place.pool}", timeout=30
    ).json()
    assert known["issuer"] == place.base and known["registration_endpoint"] == f"{place.base}/oauth2/register"
    assert known["code_challenge_methods_supported"] == ["S256"]
    assert "client_id_metadata_document_supported" not in known


class Published(ThreadingHTTPServer):
    """A host on which applications publish what they are, over TLS."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Document)
        self.documents, self.fetched = {}, []
        self.host = f"localhost:{self.server_port}"
        self.authority = folder / "authority.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certify(folder, self.authority))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def publish(self, path: str, **changes) -> str:
        """A document; gives its address, which is the client's id."""
        address = f"https://{self.host}/{path}"
        document = {"client_id": address, "client_name": "Published", "redirect_uris": ["http://127.0.0.1/callback"]}
        self.documents[f"/{path}"] = {key: value for key, value in (document | changes).items() if value is not None}
        return address


class Document(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.fetched.append(self.path)
        document = self.server.documents.get(self.path)
        body = json.dumps(document).encode()
        self.send_response(302 if self.path == "/moved" else 200 if document else 404)
        self.send_header("Location", f"https://{self.server.host}/good")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def certify(folder, authority) -> str:
    """A certificate for this machine, with its key, of an authority of its own."""
    now = datetime.datetime.now(datetime.UTC)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    called = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def made(subject: str, public, extension) -> bytes:
        builder = x509.CertificateBuilder(called("authority"), called(subject), public, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        signed = builder.add_extension(extension, critical=False).sign(key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    authority.write_bytes(made("authority", key.public_key(), x509.BasicConstraints(ca=True, path_length=0)))
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    leaf = made("localhost", own.public_key(), x509.SubjectAlternativeName(names)) + own.private_bytes(*pem)
    (folder / "leaf.pem").write_bytes(leaf)
    return str(folder / "leaf.pem")


def test_a_client_is_known_by_the_address_of_its_metadata(start_server, chromium, tmp_path):
    published = Published(tmp_path)
    server = start_server(environment={"SSL_CERT_FILE": str(published.authority)})
    place = Place(server, Scenery(server))
    place.third_parties("--registration", "off", "--client-documents", published.host)
    good, username = published.publish("good"), place.users.user()
    with python_client(place, metadata_url=good) as client:
        seen = chromium.visit(said(client)["open"], username, PASSWORD)
        done = said(client)
        assert done["client_id"] == good and "hello" in done["text"]
    assert f"Published of https://{published.host}" in seen["pages"][1]["text"]
    assert published.fetched == ["/good"]
    # Tokens by the same document, for what it lists and nothing else.
    browser = place.browser(good, "http://127.0.0.1:48999/callback")
    tokens = browser.exchange(place.signed_in(browser)["code"]).json()
    assert claims(tokens["access_token"])["client_id"] == good
    assert claims(browser.refresh(tokens["refresh_token"]).json()["access_token"])["aud"] == place.gateway.url
    assert place.browser(good, "https://evil.example.com/callback").authorize(**place.query()).status_code == 400
    for bad in (
        published.publish("other", client_id=good),
        published.publish("secret", client_secret="s"),
        published.publish("nowhere", redirect_uris=None),
        published.publish("large", client_name="x" * 20_000),
        f"https://{published.host}/missing",
        f"https://{published.host}/moved",
        f"https://127.0.0.1:{published.server_port}/good",
    ):
        refused = place.browser(bad, "http://127.0.0.1/callback").authorize(**place.query())
        assert refused.status_code == 400 and "location" not in refused.headers, bad
    assert published.fetched == ["/good", "/other", "/secret", "/nowhere", "/large", "/missing", "/moved"]
    place.third_parties("--client-documents", "off")
    assert browser.refresh(tokens["refresh_token"]).json()["error"] == "invalid_client"
    published.shutdown()


def test_the_conformance_suite_is_content(place, chromium, tmp_path):
    """Its scenarios for authorization servers, each of which passes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = place.register(redirect_uris=[f"http://127.0.0.1:{port}/callback"]).json()["client_id"]
    suite = node.PACKAGES / "conformance-next" / "dist" / "index.js"
    place.third_parties("--client-documents", "any")
    arguments = ["--url", place.base, "--client-id", client, "--resource", place.gateway.url, "--port", str(port)]
    command = [node.program(), str(suite), "authorization", *arguments, "-o", str(tmp_path)]
    with started(command, node.environment()) as run:
        address = next(line.strip() for line in run.stdout if "/oauth2/authorize?" in line)
        chromium.visit(address, place.users.user(), PASSWORD)
        run.communicate(timeout=60)
    place.third_parties("--client-documents", "off")
    found = [check for file in tmp_path.glob("**/checks.json") for check in json.loads(file.read_text())]
    assert {check["id"]: check["status"] for check in found} == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-server-metadata-cimd": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
    }, found
