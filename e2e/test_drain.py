"""The end of a server: what it says before, what is finished, what is ended, and what is lost (nothing)."""

import contextlib
import itertools
import signal
import socket
import threading
import time
import urllib.parse

import pytest
import requests
import websockets.exceptions
import websockets.sync.client

from replicas import replicas
from runtimes import agent, by_url, runtime
from portcullis import eventually
from scenery import Scenery, tool

SLOW = """
import time

def lambda_handler(event, context):
    time.sleep(float(event["seconds"]))
    return "done"
"""
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


def status(server, path) -> int:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{server.endpoint}{path}", timeout=5).status_code
    return 0


def slow_gateway(server):
    """A gateway with a tool that takes its time."""
    make = Scenery(server)
    gateway = make.gateway(authorizerType="NONE")
    function = make.function(SLOW)
    gateway.lambda_target("slow", function, [tool("wait", seconds="number")])
    return gateway


def call(gateway, seconds, answers):
    message = CALL | {"params": {"name": "slow___wait", "arguments": {"seconds": seconds}}}
    try:
        answers.append(requests.post(gateway.url, json=message, headers=HEADERS, timeout=30))
    except requests.RequestException as error:
        answers.append(error)


def test_the_end_is_announced_and_what_is_under_way_is_finished(start_server):
    server = start_server(settings="[drain]\ndelay-seconds = 2\ntimeout-seconds = 20\n")
    gateway = slow_gateway(server)
    answers = []
    call(gateway, 0, answers)
    under_way = threading.Thread(target=call, args=(gateway, 4, answers))
    under_way.start()
    kept = requests.Session()
    assert kept.get(f"{server.endpoint}/healthz", timeout=5).headers.get("connection") is None
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: status(server, "/readyz") == 503)
    # It still serves, new connections too, and asks clients not to keep them.
    assert status(server, "/healthz") == 200
    assert kept.get(f"{server.endpoint}/healthz", timeout=5).headers["connection"] == "close"
    # Then nobody is let in any more.
    eventually(lambda: status(server, "/healthz") == 0)
    assert server.process.poll() is None
    under_way.join(20)
    assert [answer.status_code for answer in answers] == [200, 200] and "done" in answers[1].text
    assert server.process.wait(15) == 0
    # What follows the database's changes takes the end that was asked for as no trouble.
    assert "The configuration cannot be read" not in server.log(), server.log_tail()


def test_what_is_late_is_broken_off(start_server):
    server = start_server(settings="[drain]\ntimeout-seconds = 1\n")
    gateway = slow_gateway(server)
    answers = []
    under_way = threading.Thread(target=call, args=(gateway, 25, answers))
    under_way.start()
    time.sleep(0.7)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0 and 2.5 < time.monotonic() - began < 12
    under_way.join(10)
    # A part never passes for the whole.
    assert isinstance(answers[0], requests.RequestException), answers


def test_streams_are_ended_in_good_order(start_server):
    server = start_server(settings="[drain]\ntimeout-seconds = 1\n")
    make = Scenery(server)
    pool = make.pool(["invoke"])
    ada = pool.client("invoke")
    with agent() as url:
        made = runtime(make, by_url(url), authorizerConfiguration=pool.authorizer(ada))
        token = ada.token()
        socket_url = made.url.replace("http://", "ws://").replace("/invocations", "/ws") + "?qualifier=DEFAULT"
        bearer = {"Authorization": f"Bearer {token}"}
        with (
            made.post({"stream": True}, token, stream=True) as stream,
            websockets.sync.client.connect(socket_url, additional_headers=bearer) as talk,
        ):
            events = stream.iter_lines()
            assert next(events) == b'data: {"event": 1}'
            talk.recv(10)
            talk.send("hi")
            assert talk.recv(10) == "echo hi"
            server.process.send_signal(signal.SIGTERM)
            # A stream ends as a stream does, and not in the middle of a chunk.
            assert [event for event in events if event] == []
            with pytest.raises(websockets.exceptions.ConnectionClosedOK) as closed:
                talk.recv(10)
            assert closed.value.rcvd.code == 1001
        assert server.process.wait(15) == 0
        # The agent would wait for this.
        requests.post(f"{url}/invocations", json={"goOn": True}, timeout=10)


def test_a_second_signal_ends_at_once(start_server):
    server = start_server(settings="[drain]\ndelay-seconds = 30\n")
    parts = urllib.parse.urlsplit(server.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as open_one:
        open_one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: status(server, "/readyz") == 503)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0 and time.monotonic() - began < 8
    assert "Ending at once" in server.log()


class Balancer:
    """Asks several servers by turns, and leaves those out that say they are not ready."""

    def __init__(self, endpoints):
        self.endpoints = endpoints
        self.ready = list(endpoints)
        self.sent, self.failures = 0, []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._look)]
        self._threads += [threading.Thread(target=self._ask, args=(number,)) for number in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(15)

    def _look(self):
        while not self._over.is_set():
            ready = []
            for endpoint in self.endpoints:
                with contextlib.suppress(requests.RequestException):
                    if requests.get(f"{endpoint}/readyz", timeout=2).status_code == 200:
                        ready.append(endpoint)
            self.ready = ready
            time.sleep(0.1)

    def _ask(self, number):
        sessions = {endpoint: requests.Session() for endpoint in self.endpoints}
        for turn in itertools.count(number):
            if self._over.is_set():
                return
            ready = self.ready
            if not ready:
                self.failures.append("nobody is ready")
                time.sleep(0.1)
                continue
            endpoint = ready[turn % len(ready)]
            try:
                path = "/us-west-2_none/.well-known/jwks.json" if turn % 2 else "/healthz"
                answer = sessions[endpoint].get(f"{endpoint}{path}", timeout=10)
                if answer.status_code not in (200, 404):
                    self.failures.append(f"{answer.status_code} {answer.text}")
            except requests.RequestException as error:
                self.failures.append(f"{endpoint}: {error!r}")
            self.sent += 1
            time.sleep(0.005)


def test_a_rolling_restart_loses_no_request(tmp_path):
    with replicas(tmp_path, 2, settings="[drain]\ndelay-seconds = 2\n") as two:
        with Balancer([server.endpoint for server in two]) as balancer:
            for server in two:
                before = balancer.sent
                eventually(lambda before=before: balancer.sent > before + 100)
                server.restart()
                eventually(lambda: len(balancer.ready) == 2)
            before = balancer.sent
            eventually(lambda before=before: balancer.sent > before + 100)
        assert balancer.failures == [] and balancer.sent > 300, balancer.sent
