"""Public OpenAPI documents by the hundred: imported here and read by FastMCP, and every difference explained.

It takes 200 documents, and 2,000 when everything is tested. No database is touched, so that `cargo xtask test` runs it
once. What is counted is printed (`pytest -s`).
"""

import collections
import json
import os
import queue
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from openapi_differences import Difference
from openapi_documents import Document, documents
from portcullis import PROJECT, plain_environment

FULL = bool(os.environ.get("PORTCULLIS_E2E_FULL"))
COUNT = 2_000 if FULL else 200
# Many times what the slowest document takes here; what comes from FastMCP is not ours to bound tightly.
PATIENCE = 60.0
PATIENCE_WITH_FASTMCP = 120.0


class Reader:
    """A program that answers each path with a line of JSON. It is started anew after a crash or a hang."""

    def __init__(self, command: list, log: Path, patience: float):
        self.command, self.log, self.patience = command, log, patience
        self.process, self.lines = None, None

    def ask(self, path: Path) -> dict:
        if self.process is None:
            self.start()
        began = time.monotonic()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        try:
            line = self.lines.get(timeout=self.patience)
        except queue.Empty:
            self.stop()
            return {"broken": f"said nothing for {self.patience:.0f} seconds"}
        if line is None:
            status = self.stop()
            return {"broken": f"ended with status {status}: {self.log.read_text(errors='replace')[-500:]}"}
        return json.loads(line) | {"seconds": time.monotonic() - began}

    def start(self):
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(self.log, "ab"),
            text=True,
            env=plain_environment(),
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.listen, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def listen(process, lines):
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def stop(self):
        """Ends it, and gives its status."""
        if self.process is None:
            return None
        if self.lines.empty() and self.process.poll() is None:
            self.process.kill()
        status = self.process.wait(30)
        self.process = None
        return status


def program(variable: str, otherwise: Path) -> str:
    path = os.environ.get(variable) or str(otherwise)
    assert os.access(path, os.X_OK), f"there is no program at {path}: e2e/README.md says how to make it"
    return path


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> list:
    """Each document, what the importer says of it, and what FastMCP says."""
    folder = tmp_path_factory.mktemp("openapi")
    importer = program("PORTCULLIS_E2E_OPENAPI_IMPORT", PROJECT / "target" / "debug" / "examples" / "import")
    python = program("PORTCULLIS_E2E_OPENAPI_PYTHON", PROJECT / "e2e" / ".venv-openapi" / "bin" / "python")
    readers = [
        Reader([importer], folder / "import.log", PATIENCE),
        Reader([python, str(PROJECT / "e2e" / "openapi_second_opinion.py")], folder / "fastmcp.log", PATIENCE_WITH_FASTMCP),
    ]
    paths = documents(COUNT)
    answers = [[], []]

    def read_all(reader: Reader, said: list):
        said.extend(reader.ask(path) for path in paths)
        reader.stop()

    threads = [threading.Thread(target=read_all, args=pair) for pair in zip(readers, answers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(zip(paths, *answers, strict=True))


def test_no_document_crashes_or_hangs_the_import(read):
    assert len(read) == COUNT
    broken = {path.name: here["broken"] for path, here, _ in read if "broken" in here}
    assert not broken, broken
    slowest = max(read, key=lambda one: one[1]["seconds"])
    print(f"the slowest of {COUNT} documents took {slowest[1]['seconds']:.1f} s: {slowest[0].name}")


def test_every_operation_is_a_tool_or_is_refused_with_a_reason(read):
    counted = collections.Counter()
    for path, here, _ in read:
        if "error" in here:
            # The reason names what is wrong, in words.
            assert len(here["error"].split()) > 3, (path.name, here)
            counted[f"document refused: {general(here['error'])}"] += 1
            continue
        counted["documents imported"] += 1
        names = [tool["name"] for tool in here["tools"]]
        assert len(names) == len(set(names)), path.name
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names), path.name
        tools = {(tool["method"], tool["path"]) for tool in here["tools"]}
        refused = dict(here["refused"])
        for place, reason in refused.items():
            assert place and len(reason.split()) > 3, (path.name, place, reason)
            counted[f"operation refused: {general(reason)}"] += 1
        for method, place, _, _ in Document(path).operations():
            known = (method, place) in tools or f"{method} {place}" in refused or method == "TRACE"
            assert known, (path.name, method, place)
        counted["tools"] += len(tools)
        for tool in here["tools"]:
            # A tool that needs arguments cannot be called without, and says which; any other can.
            assert bool(tool["fault"]) == bool(tool["required"]), (path.name, tool)
    report(counted)


def test_tools_and_required_arguments_are_those_that_fastmcp_finds_or_the_difference_is_explained(read):
    counted, unexplained = collections.Counter(), []
    for path, here, there in read:
        if "error" in here or "tools" not in there:
            why = "we refuse" if "error" in here else "FastMCP refuses" if "error" in there else "FastMCP is too slow for"
            counted[f"documents not compared: those that {why}"] += 1
            continue
        counted["documents compared"] += 1
        document = Document(path)
        raw = {(method, place): (item, operation) for method, place, item, operation in document.operations()}
        ours = {(tool["method"], tool["path"]): set(tool["required"]) for tool in here["tools"]}
        theirs = {(tool["method"], tool["path"]): set(tool["required"]) for tool in there["tools"]}
        refused = dict(here["refused"])
        for key in set(theirs) - set(ours):
            known = "TRACE" if key[0] == "TRACE" else refused.get(" ".join(key))
            counted[f"tools only there: {general(known)}" if known else "unexplained"] += 1
            unexplained += [] if known else [f"{path.name} {key} is no tool here"]
        for key in set(ours) - set(theirs):
            known = "$ref" in document.root["paths"][key[1]]
            counted["tools only here: the path is a reference" if known else "unexplained"] += 1
            unexplained += [] if known else [f"{path.name} {key} is no tool there"]
        for key in set(ours) & set(theirs):
            counted["tools compared"] += 1
            if ours[key] == theirs[key]:
                counted["the same required arguments"] += 1
                continue
            difference = Difference(document, key[1], *raw[key], ours[key], theirs[key])
            counted.update(f"differs: {why}" for why in difference.reasons)
            if difference.left:
                counted["unexplained"] += 1
                unexplained.append(f"{path.name} {key}: {sorted(difference.left)}")
    report(counted)
    # What is not compared proves nothing: it has to stay rare.
    assert counted["documents compared"] > 0.95 * COUNT
    assert not unexplained, "\n".join(unexplained[:50])


def general(reason: str) -> str:
    """A reason without the names in it, so that equal ones are counted together."""
    return re.sub(r"\d+", "N", re.sub(r"`[^`]*`", "`…`", reason))


def report(counted: collections.Counter):
    for what, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:7} {what}")
