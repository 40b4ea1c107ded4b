"""TLS on the listener: real clients over it, certificates that change while it serves, and mistakes that are named."""

import contextlib
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import urllib.parse

import pytest
import requests

from certificates import DAY, Authority
from portcullis import Server, binary, eventually, plain_environment
from scenery import Scenery, allow


class TlsServer(Server):
    """A server behind a certificate of the tests' own authority."""

    def __init__(self, folder, settings="", **more):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder)
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.leaf = self.authority.pair(self.certificate, self.key)
        tls = f'[tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\nauthority = "{self.authority.bundle}"\n'
        super().__init__(folder, settings=f"{tls}{settings}", **more)

    def get(self, path, **more):
        return requests.get(f"{self.endpoint}{path}", verify=self.authority.bundle, timeout=10, **more)

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return self.get("/readyz").status_code == 200
        return False

    def client(self, service, key=None, secret=None, token=None, **settings):
        settings.setdefault("verify", str(self.authority.bundle))
        return super().client(service, key, secret, token, **settings)

    def address(self):
        parts = urllib.parse.urlsplit(self.endpoint)
        return parts.hostname, parts.port

    def handshake(self, *, alpn=("http/1.1",), version=None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self.authority.bundle)
        context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        connection = socket.create_connection(self.address(), timeout=10)
        return context.wrap_socket(connection, server_hostname="localhost")

    def serial(self) -> int:
        """The serial number of the certificate that is shown now."""
        with self.handshake() as connection:
            return int(connection.getpeercert()["serialNumber"], 16)

    def metric(self, wanted: str) -> float:
        lines = self.get("/metrics").text.splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    with TlsServer(tmp_path_factory.mktemp("tls")) as server:
        yield server
        assert "panicked" not in server.log(), server.log_tail(100)


def test_awss_clients_come_over_tls(secure):
    assert secure.endpoint.startswith("https://127.0.0.1:")
    exports = secure.run("env").stdout
    assert f"export AWS_ENDPOINT_URL={secure.endpoint}\n" in exports
    assert f"export AWS_CA_BUNDLE={secure.authority.bundle}\n" in exports
    # From the environment alone, as `portcullis env` has it.
    script = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    environment = {**secure.env, "AWS_CA_BUNDLE": str(secure.authority.bundle)}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert run.stdout.strip() == "arn:aws:iam::000000000000:root", run.stderr
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{secure.endpoint}/healthz", timeout=10)


def test_exec_finds_its_way_in(secure):
    script = "import boto3; print(boto3.client('sts', region_name='eu-west-1').get_caller_identity()['Account'])"
    command = [binary(), "exec", "--data-dir", str(secure.data_dir), "--", sys.executable, "-c", script]
    environment = plain_environment()
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert run.stdout.strip() == "000000000000", run.stderr


def test_policies_see_that_a_caller_came_over_tls(secure):
    user = Scenery(secure).user(allow("iam:ListUsers", Bool={"aws:SecureTransport": "true"}))
    assert user.client("iam").list_users()["Users"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_and_of_http(secure, version):
    with secure.handshake(version=version, alpn=("http/1.1",)) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 OK")
    with secure.handshake(version=version, alpn=("h2", "http/1.1")) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        # The server's SETTINGS frame: its type is the fourth byte.
        assert connection.recv(1024)[3] == 4


def test_old_versions_are_refused(secure):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), socket.create_connection(secure.address(), timeout=10) as connection:
        context.wrap_socket(connection)


def test_functions_call_the_server_by_a_way_of_their_own(secure):
    # They need neither trust the authority nor resolve a name.
    source = """
import boto3

def lambda_handler(event, context):
    return boto3.client("sts").get_caller_identity()["Account"]
"""
    function = Scenery(secure).function(source)
    answer = secure.client("lambda").invoke(FunctionName=function)
    assert answer["Payload"].read() == b'"000000000000"', answer


def test_a_certificate_is_replaced_while_the_server_serves(tmp_path):
    with TlsServer(tmp_path / "server") as server:
        assert server.serial() == server.leaf.serial_number
        ends = server.leaf.not_valid_after_utc.timestamp()
        assert server.metric("portcullis_server_certificate_not_after_seconds") == ends
        kept = server.handshake()
        renewed = server.authority.pair(server.certificate, server.key, valid=100 * DAY)
        eventually(lambda: server.serial() == renewed.serial_number)
        ends = renewed.not_valid_after_utc.timestamp()
        assert server.metric("portcullis_server_certificate_not_after_seconds") == ends
        # Whoever was in stays in.
        with kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert kept.recv(1024).startswith(b"HTTP/1.1 200 OK")
        # A pair that is no good is refused, and the one before stays.
        good = server.key.read_bytes()
        server.key.write_text("no key\n")
        eventually(lambda: "holds no private key" in server.log())
        assert server.serial() == renewed.serial_number
        assert server.metric("portcullis_server_certificates_refused_total") >= 1
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "cannot be put in force" in server.log())
        assert server.serial() == renewed.serial_number
        # At once, by SIGHUP, what is good again.
        server.key.write_bytes(good)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "The settings were read again" in server.log())
        assert server.serial() == renewed.serial_number
        assert "panicked" not in server.log()


def test_slow_handshakes_hold_up_nobody(tmp_path):
    settings = "[limits]\nhandshakes = 3\nhandshake-seconds = 2\n"
    with TlsServer(tmp_path / "server", settings) as server:
        silent = [socket.create_connection(server.address(), timeout=10) for _ in range(2)]
        # The first bytes of a handshake, and no more.
        silent[0].sendall(bytes([22, 3, 1]))
        # Two are under way; there is room for one more at a time.
        eventually(lambda: server.metric("portcullis_server_handshakes") >= 2)
        assert server.get("/healthz").status_code == 200
        # One beyond what may be under way is closed at once, and so would be everybody else.
        more = [socket.create_connection(server.address(), timeout=10) for _ in range(2)]
        # Which of the two that is, the threads decide that take them in.
        closed = select.select(more, [], [], 1.5)[0]
        assert len(closed) == 1
        for connection in [*silent, *more]:
            # The others are closed in time.
            assert connection.recv(1) == b""
            connection.close()
        assert server.metric('portcullis_server_cut_off_total{reason="handshake"}') == 3
        assert server.metric('portcullis_server_cut_off_total{reason="handshakes"}') == 1
        assert server.get("/healthz").status_code == 200


def start(*arguments, environment=None) -> subprocess.CompletedProcess:
    command = [binary(), "serve", "--listen", "127.0.0.1:0", *map(str, arguments)]
    environment = {**plain_environment(), **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=False)


def test_mistakes_at_the_start_are_named(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = tmp_path / "a.pem", tmp_path / "a.key"
    other_certificate, other_key = tmp_path / "b.pem", tmp_path / "b.key"
    authority.pair(certificate, key)
    authority.pair(other_certificate, other_key)
    data = ["--data-dir", tmp_path / "data"]
    for files, message in [
        ((certificate, other_key), "does not belong to the certificate"),
        ((tmp_path / "none.pem", key), "cannot read tls.certificate"),
        ((key, key), "holds no certificate"),
        ((certificate, certificate), "holds no private key"),
    ]:
        done = start("--tls-certificate", files[0], "--tls-key", files[1], *data)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        # What is in a key's file is not shown.
        assert not re.search(r"BEGIN|MII|MIG", done.stderr)
    alone = start("--tls-certificate", certificate, *data)
    assert alone.returncode == 2 and "belong together" in alone.stderr
    by_variable = start(*data, environment={"PORTCULLIS_TLS_KEY": str(key)})
    assert by_variable.returncode == 2 and "belong together" in by_variable.stderr


def test_an_expired_certificate_is_a_warning(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    authority = Authority(folder)
    certificate, key = folder / "old.pem", folder / "old.key"
    authority.pair(certificate, key, valid=-1 * DAY)
    log = folder / "log"
    command = [binary(), "serve", "--listen", "127.0.0.1:0", "--data-dir", folder / "data"]
    command += ["--tls-certificate", certificate, "--tls-key", key]
    with open(log, "wb") as written:
        process = subprocess.Popen(command, stderr=written, stdout=written, env=plain_environment())
    try:
        eventually(lambda: "Portcullis listens" in log.read_text())
        assert "The certificate has expired" in log.read_text()
    finally:
        process.terminate()
        process.wait(30)
