"""The database fails over: its primary is killed under load, and a standby takes its place. With synchronous replication nothing
that was acknowledged is lost; without it, replicas that served what the standby never had say so and end.
"""

import contextlib
import threading

import pytest

from clusters import Cluster
from faults import ROUNDS, Load, under_load, where_there_is_time
from portcullis import Database
from replicas import Line, on_postgres, replicas
from scenery import until

pytestmark = on_postgres


class Pair:
    """A primary, and the standby that is to take its place."""

    def __init__(self):
        self.primary, self.standby = Cluster.fresh(), None
        self.line = None

    def replicate(self, synchronously: bool):
        """Makes a standby behind a line of its own; synchronously, a commit is not answered before the standby has it."""
        self.line = Line("127.0.0.1", self.primary.port)
        self.standby = self.primary.standby("standby", self.line.address[1])
        self.primary.set("synchronous_standby_names", "standby" if synchronously else "")
        state = "SELECT sync_state FROM pg_stat_replication"
        until(
            "the standby",
            lambda: self.primary.ask(state),
            lambda seen: seen == [["sync" if synchronously else "async"]],
        )

    def fail_over(self, servers: list):
        """The primary is gone at once; servers find the standby in its place."""
        self.primary.kill()
        self.standby.set("synchronous_standby_names", "")
        self.standby.ask("SELECT pg_promote()")
        for server in servers:
            server.line.lead_to("127.0.0.1", self.standby.port)
        self.line.close()
        self.primary.close()
        self.primary, self.standby = self.standby, None

    def close(self):
        with contextlib.ExitStack() as stack:
            for it in (self.primary, self.standby, self.line):
                if it is not None:
                    stack.callback(it.close)


@pytest.fixture(scope="module")
def pair():
    made = Pair()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def three(pair, tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("failover"), database=Database(pair.primary.url)) as started:
        yield started


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_synchronous_standby_has_everything_that_was_acknowledged(three, pair, turn):
    pair.replicate(synchronously=True)

    def disturb(load):
        until("something", lambda: len(load.made), lambda seen: seen > 5)
        pair.fail_over(three)
        for server in three:
            until("it is back", server.is_ready, lambda seen: seen)
        made = len(load.made)
        until("something after it", lambda: len(load.made), lambda seen: seen > made + 5)

    under_load(three, disturb)
    for server in three:
        assert server.process.poll() is None and "lost changes" not in server.log()


@where_there_is_time
def test_replicas_that_served_what_a_late_standby_lacks_end(three, pair):
    pair.replicate(synchronously=False)
    load = Load(three)
    assert [load.decided_by(server) for server in three] == [0, 0, 0]
    # What the primary acknowledges from now on, it alone has.
    pair.line.cut()
    checkpoints = lambda: sum(file.stat().st_size for file in (three[0].data_dir / "audit").iterdir())
    before = checkpoints()
    load.with_forbid(load.client())
    assert [load.decided_by(server) for server in three] == [1, 1, 1]
    until("a checkpoint", checkpoints, lambda seen: seen > before)
    served, over = set(), threading.Event()

    def call():
        while not over.is_set():
            served.add(load.decided())

    calling = threading.Thread(target=call)
    calling.start()
    try:
        pair.fail_over(three)
        for server in three:
            assert server.process.wait(30) != 0
            assert "lost changes that this replica has served" in server.log()
    finally:
        over.set()
        calling.join()
    # What was denied is denied, or nothing is answered, until nobody is left who knows of it.
    assert served <= {1, None}, served
    for server in three:
        server.start()
    assert [load.decided_by(server) for server in three] == [0, 0, 0]
    load.with_forbid(load.client())
    assert [load.decided_by(server) for server in three] == [1, 1, 1]
    # That the end of the audit trail was lost is found by the checkpoints.
    verified = three[0].run("audit", "verify", check=False)
    assert verified.returncode == 1, verified.stdout + verified.stderr
    assert "a checkpoint" in verified.stdout
