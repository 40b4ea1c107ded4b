"""Disks are full: the database's, its log's, a replica's own. What cannot be kept is refused in words that say why, nothing is half
written, and all is well by itself once there is room.
"""

import threading
import time

import pytest
from botocore.exceptions import ClientError

from clusters import Cluster
from disks import disk
from faults import BROKEN, IMPATIENT, ROUNDS, Load, under_load
from portcullis import Database
from replicas import LEASE, on_postgres, replicas
from scenery import name, refusal, until

pytestmark = on_postgres


@pytest.fixture(scope="module")
def disks():
    """The database's, and that of its log."""
    with disk() as data, disk() as log:
        yield {"data": data, "log": log}


@pytest.fixture(scope="module")
def cluster(disks):
    made = Cluster.fresh(disks["data"].folder, disks["log"].folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def three(cluster, tmp_path_factory):
    with replicas(tmp_path_factory.mktemp("disks"), database=Database(cluster.url)) as started:
        yield started


def fails(server) -> tuple:
    """How a change is refused, if it is."""
    try:
        server.client("iam", config=IMPATIENT).create_user(UserName=name("full"))
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]
    except BROKEN:
        return (0, "", "")
    return ()


@pytest.mark.parametrize("which", ["data", "log"])
def test_the_databases_disk_is_full(three, cluster, disks, which):
    refusals = []

    def disturb(load):
        made = len(load.made)
        until("something", lambda: len(load.made), lambda seen: seen > made + 5)
        time.sleep(1)
        disks[which].fill()
        until("a refusal", lambda: fails(three[0]), lambda seen: refusals.append(seen) or seen)
        deadline = time.monotonic() + 1.5 * LEASE
        while time.monotonic() < deadline:
            refusals.append(fails(three[1]))
        print({r: refusals.count(r) for r in refusals}, [s.is_ready() for s in three])
        disks[which].make_room()
        if cluster.process.poll() is not None:
            # One whose log has no room ends, and is started again by whatever runs it.
            cluster.start()
        made = len(load.made)
        until("something after it", lambda: len(load.made), lambda seen: seen > made + 5)
        time.sleep(2)

    under_load(three, disturb)
    print(cluster.log()[-3000:])
