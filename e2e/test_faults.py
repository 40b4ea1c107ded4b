"""Faults under load: replicas are killed, cut off from their database, and mended, while clients write, read and call
(`faults.py`). `PORTCULLIS_E2E_FULL` has minutes of it instead of seconds.
"""

import random
import time

import pytest

from faults import ROUNDS, History, under_load
from replicas import LEASE, replicas
from scenery import until

FAULTS = ("cut", "kill", "cut", "kill", "cut") if ROUNDS > 1 else ("cut", "kill", "cut")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_nothing_acknowledged_is_lost_and_nothing_denied_is_let_through(three, turn):
    def disturb(load):
        """One fault after the other, each shorter than a lease or longer; two replicas of three are left alone."""
        for fault in FAULTS:
            victim, pause = random.choice(three), random.choice((0.3, 1.3)) * LEASE
            if fault == "kill":
                victim.kill()
                time.sleep(pause)
                victim.start()
            else:
                victim.line.cut()
                time.sleep(pause)
                victim.line.mend()
                until("it is back", victim.is_ready, lambda seen: seen)
            time.sleep(random.uniform(0, 1))

    under_load(three, disturb)


def test_a_pools_keys_are_rotated_while_calls_run(three):
    """What the new key signs is taken by all at once; what a revoked one signed is refused by all when the command ends, which
    waits for the lease of one that is cut off."""

    def disturb(load):
        pool = load.caller.pool.id
        decided = lambda token: [load.decided_by(server, token) for server in three]
        # One of them cut off, where there is time.
        for victim in (None, three[1])[: 1 if ROUNDS == 1 else 2]:
            former = load.caller.token()
            assert None not in decided(former)
            three[0].run("pool", "rotate-key", pool)
            load.token = load.caller.token()
            assert None not in decided(load.token) and None not in decided(former)
            if victim is not None:
                victim.line.cut()
            try:
                three[2].run("pool", "revoke-former-keys", pool)
                assert decided(former) == [None] * 3
                assert three[0].is_ready() and load.decided_by(three[0]) is not None
            finally:
                if victim is not None:
                    victim.line.mend()
            for server in three:
                until("the new key", lambda server=server: load.decided_by(server), lambda seen: seen is not None)
            assert decided(former) == [None] * 3

    under_load(three, disturb)


def test_the_checker_finds_what_is_wrong():
    for register in ("r", "decision"):
        stale = History()
        stale._keep(register=register, called=1, returned=2, write=1)
        stale._keep(register=register, called=3, returned=4, read=0)
        assert stale.check().returncode == 1
    # While it is written, two may differ about a decision, and not about a resource.
    for register, expected in (("r", 1), ("decision", 0)):
        passing = History()
        passing._keep(register=register, called=1, returned=9, write=1)
        passing._keep(register=register, called=2, returned=3, read=1)
        passing._keep(register=register, called=4, returned=5, read=0)
        assert passing.check().returncode == expected
    unknown = History()
    unknown._keep(register="r", called=1, write=1)
    for moment, seen in ((3, 0), (5, 1), (7, 1)):
        unknown._keep(register="r", called=moment, returned=moment + 1, read=seen)
    assert unknown.check().returncode == 0
    unknown._keep(register="r", called=9, returned=10, read=0)
    assert unknown.check().returncode == 1
