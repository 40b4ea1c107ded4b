"""The code blocks of the docs run, as a reader would run them: from the top to the bottom of a page, shell and Python in
one terminal.

`sh` and `python` blocks are run; a `sh server` block is left running; a `toml` block must be a configuration that a
server starts with; a `cedar` block must be a policy that is accepted. `text` and `json` blocks show something.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import requests

from portcullis import PROJECT, Database, binary, plain_environment
from scenery import tool, until

FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ("sh", "sh server", "python")
SHOWN = ("text", "json")


@dataclass
class Block:
    """A block of a page, and where it stands."""

    info: str
    code: str
    line: int


def blocks(page) -> list:
    text = page.read_text()
    return [
        Block(match["info"], match["code"], text.count("\n", 0, match.start()) + 1) for match in FENCE.finditer(text)
    ]


PAGES = {page.name: blocks(page) for page in sorted((PROJECT / "docs").glob("*.md"))}


def of(info: str) -> list:
    return [
        pytest.param(block.code, id=f"{page}:{block.line}")
        for page, found in PAGES.items()
        for block in found
        if block.info == info
    ]


class Reader:
    """Somebody at a terminal, with an empty folder, who pastes what the page says."""

    def __init__(self, folder):
        self.folder = folder
        self.environment_file = folder / "environment"
        tools = folder / "bin"
        tools.mkdir()
        (tools / "portcullis").symlink_to(binary())
        # Beside the clients that the tests have installed; ports are found, because others may use the usual one.
        path = os.pathsep.join([str(tools), os.path.dirname(sys.executable), os.environ["PATH"]])
        self.database = Database.fresh()
        self.port = free_port()
        self.environment = {
            **plain_environment(),
            "PATH": path,
            "HOME": str(folder),
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PORTCULLIS_LISTEN": f"127.0.0.1:{self.port}",
            **({"PORTCULLIS_DATABASE": self.database.url} if self.database.url else {}),
        }
        self.server = None
        self.python = None

    def run(self, block: Block) -> str | None:
        """Runs a block; gives what a block of the shell printed."""
        return {"sh": self.shell, "sh server": self.serve, "python": self.notebook}[block.info](block.code)

    def shell(self, code: str) -> str:
        """A block of the shell; what it exports is there for the next."""
        keep = f'env -0 > "{self.environment_file}"'
        script = f"set -euo pipefail -o allexport\n{code}\n{keep}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        kept = self.environment_file.read_bytes().decode().split("\0")
        self.environment = dict(variable.split("=", 1) for variable in kept if "=" in variable)
        return done.stdout

    def serve(self, code: str):
        log = open(self.folder / "server.log", "ab")
        # `exec`, so that what is ended is the server and not its shell.
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec {code.strip()}"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
        )
        until("the server is not ready", self.ready, lambda ready: ready)

    def ready(self) -> bool:
        assert self.server.poll() is None, (self.folder / "server.log").read_text()
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def notebook(self, code: str):
        """A block of Python; the blocks of a page share their names."""
        if self.python is None:
            loop = (
                "import json, sys, traceback\n"
                "names = {'__name__': '__main__'}\n"
                "for line in sys.stdin:\n"
                "    try: exec(compile(json.loads(line), 'block', 'exec'), names); said = ''\n"
                "    except BaseException: said = traceback.format_exc()\n"
                "    print('\\0' + json.dumps(said), flush=True)\n"
            )
            self.python = subprocess.Popen(
                [sys.executable, "-c", loop],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.python.stdin.write(json.dumps(code) + "\n")
        self.python.stdin.flush()
        for line in self.python.stdout:
            if line.startswith("\0"):
                said = json.loads(line[1:])
                assert not said, f"{code}\n{said}"
                return
        raise AssertionError(f"{code}\nPython ended")

    def leave(self):
        for process in (self.python, self.server):
            if process is not None:
                process.terminate()
                process.wait(30)
        self.database.drop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("page", [name for name, found in PAGES.items() if any(it.info in RUN for it in found)])
def test_a_page_runs_from_top_to_bottom(page, tmp_path):
    reader = Reader(tmp_path)
    try:
        for block in PAGES[page]:
            if block.info in RUN:
                reader.run(block)
    finally:
        reader.leave()


@pytest.mark.parametrize("settings", of("toml"))
def test_a_configuration_is_one_that_a_server_starts_with(settings, tmp_path):
    file = tmp_path / "portcullis.toml"
    file.write_text(settings.replace("/usr/bin/python3", shutil.which("python3")))
    command = [binary(), "serve", "--config", str(file), "--data-dir", str(tmp_path / "data")]
    command += ["--listen", "127.0.0.1:0", "--database", f"sqlite:{tmp_path / 'data' / 'portcullis.db'}"]
    log = tmp_path / "server.log"
    with open(log, "wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=plain_environment())
        try:
            deadline = time.monotonic() + 30
            while "Portcullis listens" not in log.read_text():
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def office(make):
    """A gateway with the tools that the policies of the docs speak of, and an engine."""
    gateway = make.gateway("AWS_IAM")
    tools = [
        tool("send_email", required=["to"], to="string", body="string"),
        tool("transfer", amount="integer"),
        tool("format_report", title="string"),
    ]
    gateway.lambda_target("Office", make.function(), tools)
    return gateway, make.engine()


@pytest.mark.parametrize("statement", of("cedar"))
def test_a_policy_is_accepted(statement, office):
    gateway, engine = office
    engine.policy(statement.replace("GATEWAY_ARN", gateway.arn))


def test_every_block_is_of_a_known_kind():
    unknown = [
        f"{page}:{block.line}: {block.info!r}"
        for page, found in PAGES.items()
        for block in found
        if block.info not in (*RUN, *SHOWN, "toml", "cedar")
    ]
    assert not unknown, unknown
