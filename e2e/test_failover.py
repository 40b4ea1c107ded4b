"""The database fails over: its primary is killed under load, and a standby takes its place. With synchronous replication nothing
that was acknowledged is lost; without it, replicas that served what the standby never had say so and end.
"""

import concurrent.futures
import contextlib
import time

import pytest

from clusters import Cluster
from faults import PERMIT, ROUNDS, Load, under_load
from portcullis import Database
from replicas import LEASE, Line, on_postgres, replicas
from scenery import name, refusal, until

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
        until("the standby", lambda: self.primary.ask(state), lambda seen: seen == [["sync" if synchronously else "async"]])

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
        until("something", lambda: len(load.made), lambda seen: seen > 20)
        time.sleep(1)
        # Shorter than a lease, or longer.
        pair.fail_over(three)
        for server in three:
            until("it is back", server.is_ready, lambda seen: seen)
        made = len(load.made)
        until("something after it", lambda: len(load.made), lambda seen: seen > made + 20)
        time.sleep(2)

    under_load(three, disturb)
    for server in three:
        assert server.process.poll() is None and "lost changes" not in server.log()
