"""A serving thread that has as many requests as it may have: who comes then is told so at once, in the words of the API that
was called, and with when to come again; how the server is can be seen meanwhile.

(A thread that is late refuses in the same way; `cargo xtask bench overload` makes one late.)"""

import contextlib
import socket
import urllib.parse

import botocore.exceptions
import pytest
import requests

from portcullis import Server, eventually, metric

SETTINGS = """
[server]
threads = 1

[limits]
requests-per-thread = 2
"""
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("crowded"), settings=SETTINGS) as server:
        yield server
        assert "panicked" not in server.log(), server.log_tail(100)


@contextlib.contextmanager
def crowded(server):
    """Two requests whose bodies do not come are under way."""
    address = urllib.parse.urlsplit(server.endpoint)
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            held = opened.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            held.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        eventually(lambda: metric(server, "requests_under_way") == 2, 10)
        yield
    eventually(lambda: metric(server, "requests_under_way") == 0, 10)


def test_who_comes_too_many_is_told_so_in_words_that_it_knows(server):
    before = metric(server, 'cut_off_total{reason="requests"}')
    url = f"{server.endpoint}/gateways/none-abcdefghij/mcp"
    with crowded(server), requests.Session() as kept:
        answer = kept.post(url, json=CALL, timeout=5)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == -32603 and answer.json()["id"] is None
        # A small body was read away, so that the connection is kept; a large one was not.
        assert "connection" not in answer.headers
        answer = kept.post(url, data=b"x" * 100_000, timeout=5)
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
        for call, code in [
            (server.client("bedrock-agentcore-control").list_gateways, "ServiceUnavailableException"),
            (server.client("sts").get_caller_identity, "ServiceUnavailable"),
            (server.client("s3").list_buckets, "SlowDown"),
        ]:
            with pytest.raises(botocore.exceptions.ClientError) as refused:
                call()
            assert refused.value.response["Error"]["Code"].startswith(code), refused.value.response
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        answer = requests.get(f"{server.endpoint}/us-west-2_none/.well-known/jwks.json", timeout=5)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for path in ["healthz", "readyz"]:
            assert requests.get(f"{server.endpoint}/{path}", timeout=5).status_code == 200
        assert metric(server, 'cut_off_total{reason="requests"}') == before + 6
    assert requests.post(url, json=CALL, timeout=5).status_code == 404
    assert server.client("sts").get_caller_identity()["Account"]
