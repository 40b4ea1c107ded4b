"""The MCP conformance suite against our own server, and against a gateway in front of it: check by check the same.

The suite is the published one. For the gateway its names of tools and prompts are rewritten in a copy (`name` to
`up___name`, nothing else), because a gateway puts the target's name before them. What may differ is written down, with
its reasons, in `differences.py`.
"""

import concurrent.futures
import contextlib
import json
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

import differences
import node
import scenery
from portcullis import PROJECT, plain_environment
from test_mcp_clients import modern_python

TARGET = "up"
# One scenario may take this long; and a run of them, whatever they do.
SECONDS = 20
WHOLE_RUN = 60
MODERN = "2026-07-28"
# What the suite counts on, and a gateway has only where it is configured.
MCP = {
    "sessionConfiguration": {"sessionTimeoutInSeconds": 3600},
    "streamingConfiguration": {"enableResponseStreaming": True},
}


@dataclass(frozen=True)
class Suite:
    """A version of the suite, and which of its scenarios are run."""

    package: str
    requirements: str | None
    # Checks that pass, and checks that decide, against our server itself. The tasks extension is optional and not there.
    direct: tuple


STABLE = Suite("conformance-stable", None, (40, 40))
NEXT = Suite("conformance-next", "2025-11-25", (84, 84))
NEWEST = Suite("conformance-next", MODERN, (164, 194))

# What is run through the gateway: a suite, and the one era of the server behind it, where that is narrowed.
RUNS = {
    "0.1.16": (STABLE, None),
    "2025-11-25": (NEXT, None),
    "2026-07-28": (NEWEST, None),
    "2025-11-25 to 2026-07-28": (NEXT, "2026"),
    "2026-07-28 to 2025-11-25": (NEWEST, "2025"),
}


@contextlib.contextmanager
def fixture(era: str | None):
    """Our server; gives its address."""
    command = [modern_python(), str(PROJECT / "e2e" / "conformance" / "fixture.py"), *(["--era", era] if era else [])]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, env=plain_environment(), **quiet) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), "the conformance fixture did not start"
            yield address
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def upstream():
    with fixture(None) as address:
        yield address


@pytest.fixture(scope="module")
def names(upstream):
    """What the server calls its tools and prompts."""
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in ENVELOPE.items()}
    found = []
    for kind in ("tools", "prompts"):
        body = {"jsonrpc": "2.0", "id": 1, "method": f"{kind}/list", "params": {"_meta": meta}}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": body["method"], "Accept": BOTH}
        answer = requests.post(upstream, json=body, headers=headers, timeout=30).json()
        found += [listed["name"] for listed in answer["result"][kind]]
    assert len(found) > 30, found
    return found


ENVELOPE = {"protocolVersion": MODERN, "clientCapabilities": {}}
BOTH = "application/json, text/event-stream"


@pytest.fixture(scope="module")
def direct(upstream, tmp_path_factory):
    """What each suite says of our server itself."""
    said = {}

    def look(suite: Suite) -> dict:
        if suite not in said:
            said[suite] = verdicts(node.PACKAGES / suite.package, suite, upstream, tmp_path_factory.mktemp("direct"))
        return said[suite]

    return look


@pytest.mark.parametrize("suite", [STABLE, NEXT, NEWEST], ids=["0.1.16", "2025-11-25", "2026-07-28"])
def test_our_server_itself(direct, suite):
    """What a gateway is measured by is as good as it can be."""
    seen = direct(suite)
    failed = [key for key, status in seen.items() if status == "FAILURE" and not key[0].startswith("tasks-")]
    assert not failed, failed
    assert score(seen) == suite.direct


@pytest.mark.parametrize("run", RUNS)
def test_through_a_gateway(make, direct, names, run, tmp_path, capsys):
    suite, era = RUNS[run]
    package = rewritten(suite.package, names)
    with fixture(era) as upstream:
        gateway = make.gateway("NONE", protocolConfiguration={"mcp": MCP})
        target = gateway.mcp_target(TARGET, upstream, ready=False)
        look = lambda: gateway.control.get_gateway_target(gatewayIdentifier=gateway.id, targetId=target)
        scenery.until("the target", look, lambda seen: seen["status"] in ("READY", "FAILED"))
        there = direct(suite)
        here = verdicts(package, suite, gateway.url, tmp_path, {scenario for scenario, _, _ in there})
    with capsys.disabled():
        (good, of), (through, through_of) = score(there), score(here)
        print(f"\nconformance {run}: {good} of {of} directly, {through} of {through_of} through the gateway")
    unlisted, stale = judge(run, compare(there, here))
    told = [f"differs, and is not listed: {'  '.join(found)}" for found in unlisted]
    told += [f"is listed, and does not differ: {entry}" for entry in stale]
    assert not told, "\n".join(told)


def test_a_difference_is_listed_and_an_entry_is_needed(monkeypatch):
    monkeypatch.setattr(differences, "PURPOSE", [("a run", "listed", "one-check", "why"), ("*", "anywhere", "*", "why")])
    monkeypatch.setattr(differences, "UNBUILT", {"a run": ["unbuilt"], "another": ["elsewhere"]})
    key = lambda scenario, check="one-check OneCheck": (scenario, check, 0)
    there = {key(scenario): "SUCCESS" for scenario in ("listed", "anywhere", "unbuilt", "same", "news")}
    there |= {key("listed", "two-check TwoCheck"): "SUCCESS", key("news"): "INFO"}
    missing = {key("listed"): "FAILURE", key("same"): "SUCCESS", key("listed", "two-check TwoCheck"): "WARNING"}
    unlisted, stale = judge("a run", compare(there, missing))
    assert [found[:2] for found in unlisted] == [("listed", "two-check TwoCheck")] and stale == []
    unlisted, stale = judge("a run", compare(there, there))
    assert unlisted == [] and [entry[1] for entry in stale] == ["listed", "unbuilt"]


def judge(run: str, found: list) -> tuple:
    """The differences that no entry allows, and the entries of this run that allow nothing."""
    entries = [entry[:3] for entry in differences.PURPOSE if entry[0] in ("*", run)]
    entries += [(run, scenario, "*") for scenario in differences.UNBUILT.get(run, [])]

    def allows(entry: tuple, difference: tuple) -> bool:
        check = difference[1].split()[0]
        return entry[1] in ("*", difference[0]) and entry[2] in ("*", check)

    unlisted = [difference for difference in found if not any(allows(entry, difference) for entry in entries)]
    stale = [entry for entry in entries if entry[0] == run and not any(allows(entry, seen) for seen in found)]
    return unlisted, stale


def compare(there: dict, here: dict) -> list:
    """Scenario, check and both verdicts, where they are not the same. What only informs is not compared."""
    found = []
    for key in sorted(there.keys() | here.keys()):
        was, is_now = there.get(key, "nothing"), here.get(key, "nothing")
        if was != is_now and {was, is_now} - {"INFO", "nothing"}:
            found.append((key[0], key[1], f"{was} directly, {is_now} through the gateway"))
    return found


def score(seen: dict) -> tuple:
    """Checks that passed, of those that decide."""
    counted = Counter(seen.values())
    return counted["SUCCESS"], counted["SUCCESS"] + counted["FAILURE"]


def rewritten(package: str, names: list) -> Path:
    """A copy of a suite that knows the names behind the gateway, where Node finds what it imports."""
    copy = node.FOLDER / "rewritten" / package
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(node.PACKAGES / package, copy)
    program = copy / "dist" / "index.js"
    text = program.read_text()
    for name in names:
        text = text.replace(f"`{name}`", f"`{TARGET}___{name}`")
    assert text.count(f"`{TARGET}___") >= 20, "the suite's names are not where they were"
    program.write_text(text)
    return copy


def verdicts(package: Path, suite: Suite, url: str, folder: Path, scenarios=()) -> dict:
    """Runs a suite, and then, alone, each of these scenarios that did not come to an end: one that hangs hides no other."""
    arguments = ["--requirements", suite.requirements, "--timeout", SECONDS * 1000] if suite.requirements else []
    run(package, url, folder, *arguments, timeout=WHOLE_RUN)
    ended = {scenario for scenario, _, _ in read(folder)}
    deadline = time.monotonic() + WHOLE_RUN

    def alone(scenario: str):
        left = min(SECONDS, deadline - time.monotonic())
        if left > 0:
            run(package, url, folder, "--scenario", scenario, timeout=left)

    if suite.requirements is None:
        with concurrent.futures.ThreadPoolExecutor(3) as several:
            list(several.map(alone, sorted(set(scenarios) - ended)))
    return read(folder)


def run(package: Path, url: str, folder: Path, *arguments, timeout: float):
    """Failed or stopped, it leaves what it found until then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        node.run(package / "dist" / "index.js", "server", "--url", url, "-o", folder, *arguments, timeout=timeout)


def read(folder: Path) -> dict:
    """Every verdict, by scenario, check and how many of its name came before."""
    seen = {}
    for file in sorted(folder.glob("server-*/checks.json")):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT[-\dZ]+$", "", file.parent.name)
        before = Counter()
        for check in json.loads(file.read_text()):
            # Two checks may share an id, and are told apart by their names.
            name = f"{check['id']} {check['name']}"
            seen[scenario, name, before[name]] = check["status"]
            before[name] += 1
    return seen
