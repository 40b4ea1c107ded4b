"""Several servers on one PostgreSQL database, each behind a line that can be cut."""

import base64
import concurrent.futures
import contextlib
import itertools
import os
import random
import secrets
import selectors
import socket
import threading
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import pytest

from portcullis import MASTER_KEY, Database, Server
from scenery import until

ON_POSTGRES = (os.environ.get("PORTCULLIS_E2E_DATABASE") or "sqlite") != "sqlite"
on_postgres = pytest.mark.skipif(not ON_POSTGRES, reason="replicas share a database on PostgreSQL")

# Seconds: long enough for a machine that does much else.
LEASE = 8


class Relay:
    """Takes connections, and passes each on in a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def close(self):
        self.listener.close()


class Line(Relay):
    """A TCP proxy before the database, which can be cut: nothing passes any more, and nobody is told."""

    def __init__(self, host: str, port: int):
        self.upstream, self.pairs, self.whole = (host, port), [], threading.Event()
        self.whole.set()
        super().__init__()

    def _pass(self, near: socket.socket):
        with near, contextlib.suppress(OSError):
            if not self.whole.is_set():
                # It is refused once there is a way again, as one whose attempts were all lost.
                self.whole.wait()
                return
            with socket.create_connection(self.upstream) as far:
                self.pairs.append((near, far))
                join(near, far, self.whole.wait)

    def cut(self):
        """Bytes are held back, as by a network that drops them."""
        self.whole.clear()

    def mend(self):
        """What was open is gone, as after the timeouts of a real network; new connections pass."""
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()
        self.whole.set()

    def lead_to(self, host: str, port: int):
        """Another database answers from now on, as behind a name or an address that moves with the primary."""
        self.cut()
        self.upstream = (host, port)
        self.mend()

    def close(self):
        self.mend()
        super().close()


class Balancer(Relay):
    """A load balancer: each connection goes to the next server that takes it."""

    def __init__(self):
        self.backends, self.turns = [], itertools.count()
        super().__init__()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    def _pass(self, near: socket.socket):
        with near, contextlib.suppress(OSError):
            backends, turn = list(self.backends), next(self.turns)
            for place in range(len(backends)):
                host, _, port = backends[(turn + place) % len(backends)].rpartition(":")
                try:
                    far = socket.create_connection((host, int(port)))
                except ConnectionRefusedError:
                    continue
                with far:
                    join(near, far)
                return


def join(one: socket.socket, other: socket.socket, may_pass=lambda: None):
    """Passes bytes between two sockets until one of them ends."""
    with selectors.DefaultSelector() as both:
        both.register(one, selectors.EVENT_READ, other)
        both.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in both.select():
                data = key.fileobj.recv(65536)
                if not data:
                    return
                may_pass()
                key.data.sendall(data)


def free_address() -> str:
    """An address for a server that is killed and comes back: a port that no client is given meanwhile, as those that the
    system chooses may be, even to one that dials it while nobody listens."""
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"127.0.0.1:{port}"


class Replica(Server):
    """A server that shares its database: by a line of its own, while tests look at it `direct`."""

    public_url = None

    def __init__(self, folder: Path, database: Database, public_url: str, **settings):
        self.public_url, self.direct = public_url, database
        parts = urllib.parse.urlsplit(database.url)
        self.line = Line(parts.hostname, parts.port or 5432)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user + '@' if user else ''}127.0.0.1:{self.line.address[1]}"
        shared = Database(parts._replace(netloc=netloc).geturl())
        arguments = ["--public-url", public_url]
        super().__init__(folder, database=shared, arguments=arguments, **settings)
        self.endpoint = f"http://{free_address()}"

    def at(self, url: str) -> str:
        """The same place at this server, whatever host the URL names."""
        return self.endpoint + urllib.parse.urlsplit(url).path

    def is_ready(self) -> bool:
        return self._answers()

    def dispose(self):
        self.line.mend()
        with contextlib.suppress(AssertionError):
            if self.process is not None and self.process.poll() is None:
                self.stop()
        self.line.close()


class Replicas(list):
    """Servers of one installation: one database, one master key, one public URL, behind which a balancer is."""

    def __init__(self, folder: Path, settings: str = "", database: Database | None = None):
        super().__init__()
        self.folder, self.settings = folder, f"{settings}\n[replica]\nlease-seconds = {LEASE}\n"
        self.environment = {MASTER_KEY: base64.b64encode(secrets.token_bytes(32)).decode()}
        # One that is given is somebody else's, and is not dropped.
        self.own = None if database else Database.fresh()
        self.database, self.balancer = database or self.own, Balancer()

    def another(self, **environment) -> Replica:
        """One more, which is not started; with more in its environment."""
        folder, environment = self.folder / f"replica-{len(self)}", self.environment | environment
        made = Replica(folder, self.database, self.balancer.url, settings=self.settings, environment=environment)
        self.append(made)
        self.balancer.backends.append(urllib.parse.urlsplit(made.endpoint).netloc)
        return made

    def rows(self, statement: str) -> list:
        """What the database has."""
        with contextlib.closing(self.database.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()]

    def know_each_other(self):
        """Waits until every one that lives knows of all others."""
        live = sum(server.process.poll() is None for server in self)
        look = lambda: self.rows(f"SELECT knows FROM rate_seats WHERE until > {int(time.time() * 1000)}")
        until("the replicas", look, lambda seen: sorted(seen) == [[live - 1]] * live)

    def close(self):
        with contextlib.ExitStack() as stack:
            if self.own:
                stack.callback(self.own.drop)
            for replica in self:
                stack.callback(replica.dispose)
            self.balancer.close()


@contextlib.contextmanager
def replicas(
    folder: Path,
    count: int = 3,
    settings: str = "",
    at_once: bool = False,
    database: Database | None = None,
    environments: Sequence[dict] = (),
):
    """So many servers on one new database, or on one that is somebody else's; one started after the other, or all at once; with
    more in the environment of each."""
    if not ON_POSTGRES:
        pytest.skip("replicas share a database on PostgreSQL")
    made = Replicas(folder, settings, database)
    try:
        for number in range(count):
            replica = made.another(**(environments[number] if environments else {}))
            if not at_once:
                replica.start()
        if at_once:
            with concurrent.futures.ThreadPoolExecutor(count) as starting:
                list(starting.map(Replica.start, made))
        yield made
        for replica in made:
            assert "panicked" not in replica.log(), replica.log_tail(200)
    finally:
        made.close()
