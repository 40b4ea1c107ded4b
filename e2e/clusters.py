"""PostgreSQL clusters of a test's own, which may be killed, filled up and replaced by a standby. They reach the disk (fsync)."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from portcullis import Database

PATIENCE = 30.0
# Small files of the log, so that little room is much.
SETTINGS = {"wal_keep_size": "64MB", "max_wal_size": "64MB", "log_min_messages": "warning"}


def binaries() -> Path:
    """Where PostgreSQL's programs are; the newest, where Debian keeps several."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        told = Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
        if (told / "initdb").is_file():
            return told
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "PostgreSQL's programs are not there: install the package `postgresql`"
    return found[-1].parent


def as_its_user() -> dict:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class Cluster:
    """One cluster, in a folder that its user may enter."""

    def __init__(self, place: Path | None = None):
        self.folder = Path(tempfile.mkdtemp(prefix="portcullis-cluster-"))
        self.data, self.log_file = (place or self.folder) / "data", self.folder / "log"
        self.own(self.folder, self.data.parent)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = None

    @classmethod
    def fresh(cls, place: Path | None = None, log: Path | None = None) -> "Cluster":
        """A new one, running; with its data, and its write-ahead log, where it is told."""
        made = cls(place)
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "-N", "--wal-segsize=1"]
        if log is not None:
            made.own(log)
            options.append(f"--waldir={log / 'log'}")
        made.tool("initdb", "-D", made.data, *options)
        return made.start()

    def standby(self, name: str, port: int | None = None) -> "Cluster":
        """A copy that follows this one, by whatever is listening at `port`."""
        made = Cluster()
        source = f"host=127.0.0.1 port={port or self.port} user=postgres application_name={name}"
        made.tool("pg_basebackup", "-D", made.data, "-d", source, "-R", "-N", "-X", "stream", "-c", "fast")
        # The copy as such does not have to reach the disk, which takes seconds; what is received from now on has to.
        with open(made.data / "postgresql.auto.conf", "a") as settings:
            settings.write("fsync = off\n")
        made.start().set("fsync", "on")
        return made

    @staticmethod
    def own(*folders: Path):
        """Gives folders to PostgreSQL's user."""
        for folder in folders if as_its_user() else ():
            shutil.chown(folder, "postgres", "postgres")

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def tool(self, program: str, *arguments):
        """Runs one of PostgreSQL's programs."""
        command = [binaries() / program, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, cwd=self.folder, check=False, **as_its_user()
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stderr}"

    def start(self) -> "Cluster":
        settings = SETTINGS | {"port": self.port, "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
        command = [binaries() / "postgres", "-D", self.data]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **as_its_user())
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def answers(self) -> bool:
        import pg8000.exceptions

        with contextlib.suppress(pg8000.exceptions.Error):
            self.ask("SELECT 1")
            return True
        return False

    def ask(self, statement: str) -> list:
        """What one statement says, outside a transaction."""
        with contextlib.closing(Database(self.url).connect()) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []

    def writes(self, size: int) -> bool:
        """Whether there is room for so many bytes in the write-ahead log."""
        import pg8000.exceptions

        try:
            self.ask(f"SELECT pg_logical_emit_message(TRUE, 'ballast', repeat('x', {size}))")
        except (pg8000.exceptions.Error, OSError):
            return False
        return True

    def set(self, name: str, value: str):
        """Changes a setting of the running cluster."""
        self.ask(f"ALTER SYSTEM SET {name} = '{value}'")
        self.ask("SELECT pg_reload_conf()")

    def kill(self):
        """Ends all of its processes as a power cut does: none of them says anything more."""
        os.kill(self.process.pid, signal.SIGSTOP)
        for one in (*children(self.process.pid), self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


def children(parent: int) -> list:
    """The processes that a process has begun."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything.
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found
