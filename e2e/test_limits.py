"""Clients that hold the server open: slow heads, slow bodies, too many headers, too many connections, half-open ones.

Each is cut off in its time and counted, and the server goes on serving others meanwhile."""

import contextlib
import socket
import time
import urllib.parse

import pytest
import requests

from portcullis import Server, eventually, metric

IMPATIENT = """
[limits]
headers = 30
head-kilobytes = 16
head-seconds = 1
body-pause-seconds = 1
idle-seconds = 3
"""
SMALL = """
[limits]
connections = 40
connections-per-peer = 15
"""
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
# What a connection may take to be closed beyond its limit, on a machine that is busy.
GRACE = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that waits for nobody."""
    with Server(tmp_path_factory.mktemp("impatient"), settings=IMPATIENT) as server:
        yield server
        assert "panicked" not in server.log(), server.log_tail(100)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with room for few."""
    with Server(tmp_path_factory.mktemp("small"), settings=SMALL) as server:
        yield server
        assert "panicked" not in server.log(), server.log_tail(100)


@contextlib.contextmanager
def dialing(server):
    """Opens connections, and closes them at the end, which is when the server has noticed."""
    address = urllib.parse.urlsplit(server.endpoint)
    with contextlib.ExitStack() as opened:

        def dial(source="127.0.0.1") -> socket.socket:
            made = socket.create_connection((address.hostname, address.port), timeout=GRACE, source_address=(source, 0))
            return opened.enter_context(made)

        yield dial
    eventually(lambda: metric(server, "open_connections") <= 1, GRACE)


@pytest.fixture
def dial(server):
    with dialing(server) as dial:
        yield dial


@pytest.fixture
def dial_small(small):
    with dialing(small) as dial:
        yield dial


@pytest.fixture
def kept(small):
    """One connection that stays, and no other: not even that of the question before, which closes a little later."""
    with requests.Session() as session:
        eventually(lambda: metric(small, "open_connections", session) <= 1, GRACE)
        yield session


def cut(server, reason: str, by=requests) -> float:
    return metric(server, f'cut_off_total{{reason="{reason}"}}', by)


def lives(server):
    """Others are served, and at once."""
    began = time.monotonic()
    assert requests.get(f"{server.endpoint}/readyz", timeout=5).status_code == 200
    assert time.monotonic() - began < 2


def all_of(connection) -> bytes:
    """What a connection says until it ends."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    return said


def closed_after(connection, server) -> float:
    """How long until the server closes, while it serves others."""
    began = time.monotonic()
    lives(server)
    assert all_of(connection) == b""
    return time.monotonic() - began


def test_a_slow_head_is_cut_off(server, dial):
    before = cut(server, "slow_head")
    connection = dial()
    connection.sendall(HEAD)
    connection.settimeout(0.2)
    began, gone = time.monotonic(), False
    while not gone and time.monotonic() - began < GRACE:
        # A header now and then does not gain more time.
        try:
            connection.sendall(b"X-Slow: a\r\n")
            gone = connection.recv(1) == b""
        except TimeoutError:
            pass
        except (ConnectionResetError, BrokenPipeError):
            gone = True
    assert gone and time.monotonic() - began >= 0.9
    lives(server)
    assert cut(server, "slow_head") == before + 1


def test_a_slow_head_on_a_kept_connection_is_cut_off(server, dial):
    connection = dial()
    connection.sendall(HEAD + b"\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.sendall(HEAD)
    assert 0.9 <= closed_after(connection, server) < 2.9


def test_a_half_open_connection_is_cut_off(server, dial):
    before = cut(server, "slow_head")
    assert closed_after(dial(), server) >= 0.9
    assert cut(server, "slow_head") == before + 1


def test_a_kept_connection_is_closed_when_it_is_idle(server, dial):
    connection = dial()
    for pause in (0, 1.5):
        # Longer than a head may take, shorter than a connection is kept.
        time.sleep(pause)
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert 2.9 <= closed_after(connection, server)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /gateways/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /gateways/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        b"POST /us-west-2_Ab1Cd2Ef3/oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\ngrant",
    ],
    ids=["length", "chunks", "form"],
)
def test_a_slow_body_is_cut_off(server, dial, head):
    before = cut(server, "slow_body")
    connection = dial()
    began = time.monotonic()
    connection.sendall(head)
    lives(server)
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 4") and 0.9 <= time.monotonic() - began < GRACE, answer[:200]
    assert cut(server, "slow_body") == before + 1


def test_a_body_that_goes_on_is_waited_for(server, dial):
    connection = dial()
    connection.sendall(b"POST /gateways/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
    for _ in range(4):
        time.sleep(0.5)
        connection.sendall(b"x")
    # Nobody signed it; that is said, and not that it was slow.
    assert connection.recv(65536).startswith(b"HTTP/1.1 403")


def test_too_many_headers_and_too_large_heads_are_refused(server, dial):
    before = cut(server, "large_head")
    for head in (b"".join(b"X-%d: a\r\n" % number for number in range(31)), b"X-Large: " + b"a" * 17_000 + b"\r\n"):
        connection = dial()
        connection.sendall(HEAD + head + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 431")
    connection = dial()
    connection.sendall(HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(28)) + b"\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    eventually(lambda: cut(server, "large_head") == before + 2, GRACE)


def test_one_peer_cannot_have_every_connection(small, dial_small, kept):
    before = cut(small, "peer", kept)
    held = [dial_small("127.0.0.2") for _ in range(15)]
    # They are let in by several threads, and not in their order.
    eventually(lambda: metric(small, "open_connections", kept) >= 16, GRACE)
    answer = all_of(dial_small("127.0.0.2"))
    assert answer.startswith(b"HTTP/1.1 503") and b"connection: close" in answer
    # Others come in.
    lives(small)
    assert cut(small, "peer", kept) == before + 1
    held.pop().close()
    eventually(lambda: metric(small, "open_connections", kept) <= 15, GRACE)
    again = dial_small("127.0.0.2")
    again.sendall(HEAD + b"\r\n")
    assert again.recv(4096).startswith(b"HTTP/1.1 200")


def test_there_are_only_so_many_connections(small, dial_small, kept):
    before = cut(small, "full", kept)
    held = [dial_small(f"127.0.0.{3 + number // 13}") for number in range(39)]
    eventually(lambda: metric(small, "open_connections", kept) >= 40, GRACE)
    answer = all_of(dial_small("127.0.0.9"))
    assert answer.startswith(b"HTTP/1.1 503"), answer
    # Who is in is served.
    assert kept.get(f"{small.endpoint}/healthz", timeout=5).status_code == 200
    for connection in held:
        connection.close()
    eventually(lambda: cut(small, "full", kept) >= before + 1, GRACE)
