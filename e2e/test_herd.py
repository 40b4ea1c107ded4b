"""Everybody at once: all replicas lose their database and get it back while many clients ask, and all clients come back to replicas
that were all started again. It is well within a bound, nothing is lost, and the database has no more connections than it should.
"""

import concurrent.futures
import contextlib
import http.client
import json
import random
import threading
import time
import urllib.parse

import pytest

from faults import ROUNDS, under_load, where_there_is_time
from replicas import LEASE, Replica, replicas
from scenery import until

# Clients beside those whose history is checked.
HERD = 24
# Seconds from one answer to the next question of each.
PAUSE = 0.2
# What a replica may have open: what it serves with, what it renews its lease with, and what it asks beside that.
CONNECTIONS = 10 + 2 + 4
# Seconds within which all is well again.
RECOVERY = 2.5 * LEASE


def connected(database, connection=None) -> int:
    """How many connections the servers have, as their database sees it."""
    if connection is None:
        with contextlib.closing(database.connect()) as connection:
            return connected(database, connection)
    cursor = connection.cursor()
    cursor.execute(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'portcullis%'"
    )
    connection.rollback()
    return cursor.fetchone()[0]


class Connections(threading.Thread):
    """Looks how many there are at most."""

    def __init__(self, database):
        super().__init__()
        self.most, self.over, self.database = 0, threading.Event(), database

    def run(self):
        with contextlib.closing(self.database.connect()) as connection:
            while not self.over.wait(0.05):
                self.most = max(self.most, connected(self.database, connection))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("herd")) as started:
        yield started


@contextlib.contextmanager
def herd(load):
    """Clients that call a tool, or get a token, by a new connection each time; what they are told is not kept."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "Tools___echo", "arguments": {}}}
    bearer = {"Authorization": f"Bearer {load.token}", "Accept": "application/json, text/event-stream"}
    wanted = {"grant_type": "client_credentials", "client_id": load.caller.id, "client_secret": load.caller.secret}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = [
        (load.gateway.url, json.dumps(call), bearer | {"Content-Type": "application/json"}),
        (load.caller.pool.token_endpoint, urllib.parse.urlencode(wanted), form),
    ]
    over = threading.Event()

    def ask(place):
        url, body, headers = asked[place % 2]
        while not over.wait(PAUSE):
            server = random.choice(load.servers)
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.endpoint).netloc, timeout=20)
            # Whatever becomes of it, it is asked again.
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST", urllib.parse.urlsplit(url).path, body, headers)
                connection.getresponse().read()

    with concurrent.futures.ThreadPoolExecutor(HERD) as pool:
        asking = [pool.submit(ask, place) for place in range(HERD)]
        try:
            yield
        finally:
            over.set()
        for it in asking:
            it.result()


def under_a_herd(three, fault):
    """Lets a herd ask while `fault(load)` is made; all is well in time, and stays so."""
    connections = Connections(three[0].direct)

    def disturb(load):
        with connections, herd(load):
            time.sleep(1)
            fault()
            began = time.monotonic()
            for server in three:
                until("it is back", server.is_ready, lambda seen: seen, RECOVERY)
                answers = lambda server=server: load.decided_by(server)
                until("it decides", answers, lambda seen: seen is not None, RECOVERY)
            print(f"all is well after {time.monotonic() - began:.1f} s")
            assert time.monotonic() - began < RECOVERY
            made = len(load.made)
            until("something new", lambda: len(load.made), lambda seen: seen > made + 3)

    under_load(three, disturb)
    print(f"{connections.most} connections at most")
    assert len(three) <= connections.most <= CONNECTIONS * len(three), connections.most


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_all_lose_the_database_and_get_it_back(three, turn):
    def fault():
        for server in three:
            server.line.cut()
        # Longer than a lease, or shorter.
        time.sleep((1.3, 0.3)[turn % 2] * LEASE)
        for server in three:
            server.line.mend()

    under_a_herd(three, fault)


@where_there_is_time
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_all_clients_come_back_to_replicas_that_start(three, turn):
    def fault():
        for server in three:
            server.kill()
        # Whoever is gone has no connections.
        until("the connections", lambda: connected(three[0].direct), lambda seen: seen == 0)
        with concurrent.futures.ThreadPoolExecutor(len(three)) as starting:
            list(starting.map(Replica.start, three))

    under_a_herd(three, fault)
