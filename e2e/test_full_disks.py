"""Disks are full: the database's, its log's, a replica's own. What cannot be kept is refused in words that say why, nothing is half
written, and all is well by itself once there is room.
"""

import contextlib
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from clusters import Cluster
from disks import disk
from faults import BROKEN, IMPATIENT, ROUNDS, Load, under_load, where_there_is_time
from portcullis import Database
from replicas import LEASE, on_postgres, replicas
from scenery import name, until

pytestmark = on_postgres

DISKS = ("data", pytest.param("log", marks=where_there_is_time))


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """The database's, that of its log, and that of a replica."""
    folder = tmp_path_factory.mktemp("disks")
    with disk() as data, disk() as log, disk(folder / "replica-2" / "data", 16) as own:
        yield {"data": data, "log": log, "own": own, "folder": folder}


@pytest.fixture(scope="module")
def cluster(disks):
    made = Cluster.fresh(disks["data"].folder, disks["log"].folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def three(cluster, disks):
    with replicas(disks["folder"], database=Database(cluster.url)) as started:
        yield started


def refused(server):
    """How a change is refused, if it is."""
    try:
        server.client("iam", config=IMPATIENT).create_user(UserName=name("full"))
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]
    except BROKEN:
        return 0, {}
    return None


@pytest.mark.parametrize("which", DISKS)
def test_the_databases_disk_is_full(three, cluster, disks, which):
    def disturb(load):
        until("something", lambda: len(load.made), lambda seen: seen > 3)
        disks[which].fill()
        if which == "log":
            # Files of the log are made ahead of need: until none of them is left.
            until("the log's end", lambda: cluster.writes(500_000), lambda seen: not seen)
        status, error = until("a refusal", lambda: refused(three[0]), lambda seen: seen)
        if which == "data":
            assert (status, error["Code"]) == (503, "ServiceUnavailableException"), error
            assert "its disk is full" in error["Message"]
        # Longer than a lease, where there is time.
        deadline = time.monotonic() + (0.3 if ROUNDS == 1 else 1.2) * LEASE
        while time.monotonic() < deadline:
            seen = refused(three[1])
            assert seen is None or seen[0] in (0, 503), seen
            time.sleep(0.1)
        disks[which].make_room()
        if which == "log":
            # PostgreSQL ends when its log has no room, and is started again by whatever runs it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                cluster.process.wait(LEASE)
            if cluster.process.poll() is not None:
                cluster.start()
        made = len(load.made)
        until("something new", lambda: len(load.made), lambda seen: seen > made + 3)

    under_load(three, disturb)


def test_a_replicas_own_disk_is_full(three, disks):
    load, full = Load(three), three[2]
    assert [load.decided_by(server) for server in three] == [0, 0, 0]
    disks["own"].fill()
    # It keeps the checkpoints of the audit trail there: without them, it changes nothing, and says why.
    status, error = until("a refusal", lambda: refused(full), lambda seen: seen)
    assert (status, error["Code"]) == (503, "ServiceUnavailableException"), error
    assert "checkpoint" in error["Message"] and "No space left" in error["Message"], error
    # The others lack nothing, and what it is not asked to change it serves.
    assert refused(three[0]) is None
    assert load.decided_by(full) == 0
    load.with_forbid(three[0].client("bedrock-agentcore-control"))
    assert [load.decided_by(server) for server in three] == [1, 1, 1]
    assert full.process.poll() is None and full.is_ready()
    disks["own"].make_room()
    until("a change", lambda: refused(full), lambda seen: seen is None)
    load.without_forbids(full.client("bedrock-agentcore-control"))
    assert [load.decided_by(server) for server in three] == [0, 0, 0]
    verified = full.run("audit", "verify", check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
