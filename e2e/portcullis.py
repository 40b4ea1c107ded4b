"""The server under test as a process: started, awaited, killed, started again.

Nothing here knows what is tested. A server that does not come up fails its test with the tail of its log, and a server
on PostgreSQL has a database of its own, which is dropped with it.
"""

import configparser
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import boto3
import botocore.config
import botocore.session
import pytest
import requests

PROJECT = Path(__file__).resolve().parent.parent
REGION = "us-west-2"
ACCOUNT = "000000000000"
PATIENCE = 60.0
MASTER_KEY = "PORTCULLIS_MASTER_KEY"

# No retries: an error that a client swallows is an error that no test sees.
ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=20, read_timeout=60)


def binary() -> str:
    """The program under test."""
    path = os.environ.get("PORTCULLIS_BINARY") or str(PROJECT / "target" / "debug" / "portcullis")
    assert os.access(path, os.X_OK), f"there is no program at {path}: build it, or set PORTCULLIS_BINARY"
    return path


def plain_environment() -> dict:
    """The environment without anything that would steer AWS's clients or the server."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PORTCULLIS_", "BEDROCK_", "PYTEST_")) and name.lower() not in PROXIES
    }


PROXIES = {"http_proxy", "https_proxy", "all_proxy"}


def eventually(what, patience: float = 20.0):
    """Waits for something to become true, and gives it."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def metric(server, name: str, by=requests) -> float:
    """A number that a server tells of itself."""
    text = by.get(f"{server.endpoint}/metrics", timeout=10).text
    wanted = f"portcullis_server_{name} "
    # What was never counted is not there.
    return next((float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted)), 0.0)


class Database:
    """The place where one server keeps its rows."""

    def __init__(self, url=None):
        self.url = url

    @classmethod
    def fresh(cls) -> "Database":
        wanted = os.environ.get("PORTCULLIS_E2E_DATABASE") or "sqlite"
        if wanted == "sqlite":
            return cls()
        name = f"portcullis_e2e_{secrets.token_hex(6)}"
        cls._administer(wanted, f'CREATE DATABASE "{name}"')
        return cls(urllib.parse.urlsplit(wanted)._replace(path=f"/{name}").geturl())

    @property
    def kind(self) -> str:
        return "postgres" if self.url else "sqlite"

    def drop(self):
        if self.url:
            wanted = os.environ["PORTCULLIS_E2E_DATABASE"]
            name = urllib.parse.urlsplit(self.url).path.lstrip("/")
            self._administer(wanted, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def connect(self):
        """A connection to it, where it is PostgreSQL's."""
        return _connect(self.url)

    @staticmethod
    def _administer(url: str, statement: str):
        connection = _connect(url)
        # A database cannot be made inside a transaction.
        connection.autocommit = True
        with contextlib.closing(connection):
            connection.cursor().execute(statement)


def _connect(url: str):
    import pg8000.dbapi

    parts = urllib.parse.urlsplit(url)
    return pg8000.dbapi.connect(
        user=urllib.parse.unquote(parts.username or "postgres"),
        password=urllib.parse.unquote(parts.password) if parts.password else None,
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        database=parts.path.lstrip("/") or "postgres",
    )


class Server:
    """One `portcullis serve`, with the folder it keeps its data in."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: str = "",
        environment: dict | None = None,
        arguments=(),
        database: Database | None = None,
    ):
        self.folder = folder
        self.data_dir = folder / "data"
        self.log_file = folder / "server.log"
        self.config_file = folder / "portcullis.toml"
        # One that is given is somebody else's, and is not dropped with the server.
        self.shares = database is not None
        self.database = database or Database.fresh()
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.process = None
        self.endpoint = None
        self._sessions = {}
        folder.mkdir(parents=True, exist_ok=True)
        # Functions run by the interpreter that runs the tests: boto3 and markdown are importable in it.
        self.config_file.write_text(f'[functions]\npython = "{sys.executable}"\n{settings}\n')

    # --- the process ---------------------------------------------------------------------------------------------

    def __enter__(self) -> "Server":
        try:
            return self.start()
        except BaseException:
            self.dispose()
            raise

    def __exit__(self, *_):
        self.dispose()

    def start(self) -> "Server":
        """Starts the process and waits until it answers; a second start keeps the address of the first."""
        address = urllib.parse.urlsplit(self.endpoint).netloc if self.endpoint else "127.0.0.1:0"
        command = [binary(), "serve", "--config", str(self.config_file), "--listen", address]
        command += ["--data-dir", str(self.data_dir)]
        if self.database.url:
            command += ["--database", self.database.url]
        environment = {**plain_environment(), "RUST_BACKTRACE": "1", **self.environment}
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self._until_ready()
        return self

    def stop(self, patience: float = 30.0) -> int:
        """Asks the process to end, as an operator does; gives its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server does not end after SIGTERM\n{self.log_tail()}") from None

    def kill(self):
        """Ends the process as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> "Server":
        """Stops and starts on the same address, data and database."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        return self.start()

    def dispose(self):
        """Ends everything, and drops the database."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            if not self.shares:
                self.database.drop()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        tail = "\n".join(self.log().splitlines()[-lines:])
        return f"--- the server's log, {self.log_file} ---\n{tail}"

    def _until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}\n{self.log_tail()}")
            self.endpoint = self.endpoint or self._told_endpoint()
            if self.endpoint and self._answers():
                return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the server is not ready after {PATIENCE:.0f} s\n{self.log_tail()}")

    def _told_endpoint(self):
        file = configparser.ConfigParser()
        with contextlib.suppress(configparser.Error):
            file.read(self.data_dir / "config")
        return file.get("profile portcullis", "endpoint_url", fallback=None)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.endpoint}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    # --- its clients -----------------------------------------------------------------------------------------------

    @property
    def public_url(self) -> str:
        """What it calls itself."""
        return self.endpoint

    @property
    def root_key(self) -> tuple:
        """The access key of the account's root user."""
        file = configparser.ConfigParser(interpolation=None)
        file.read(self.data_dir / "credentials")
        section = file["portcullis"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    @property
    def aws(self) -> dict:
        """The AWS variables that point a client here, as root."""
        key, secret = self.root_key
        return aws_variables(self.endpoint, key, secret)

    @property
    def env(self) -> dict:
        """A whole environment for a subprocess that uses AWS's clients."""
        return {**plain_environment(), **self.aws}

    def session(self, key=None, secret=None, token=None) -> boto3.Session:
        """A boto3 session; as root when no key is given."""
        if key is None:
            key, secret = self.root_key
        wanted = (key, secret, token)
        if wanted not in self._sessions:
            self._sessions[wanted] = boto3.Session(
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
                region_name=REGION,
                botocore_session=_botocore_session(),
            )
        return self._sessions[wanted]

    def client(self, service: str, key=None, secret=None, token=None, **settings):
        """A boto3 client of this server; as root when no key is given."""
        settings.setdefault("config", ONCE)
        session = self.session(key, secret, token)
        return session.client(service, endpoint_url=self.endpoint, **settings)

    def run(self, *arguments, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess:
        """Runs a verb of the program beside the server, on the same data."""
        command = [binary(), *arguments, "--data-dir", str(self.data_dir)]
        if self.database.url:
            command += ["--database", self.database.url]
        # What is told to a server about its traffic is not for a verb; the key to its data is.
        environment = {
            **plain_environment(),
            **{it: self.environment[it] for it in self.environment if it == MASTER_KEY},
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done


def aws_variables(endpoint: str, key: str, secret: str) -> dict:
    """What points AWS's clients at an endpoint, and keeps them from reading anything of this machine."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


@contextlib.contextmanager
def pointed_at(server: Server):
    """The environment of this process points AWS's clients at a server, as root."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(("AWS_", "BEDROCK_"))]:
            # The AWS CLI, imported, tells botocore where its own data is.
            if variable != "AWS_DATA_PATH":
                patch.delenv(variable)
        for variable, value in server.aws.items():
            patch.setenv(variable, value)
        # Made by what ran before, with other credentials.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield server


# AWS's models are read once for all sessions: reading them takes longer than most tests.
_MODELS = botocore.session.Session().get_component("data_loader")


def _botocore_session():
    # Of its own: boto3's default session would share what one test sets with the others.
    session = botocore.session.Session()
    session.register_component("data_loader", _MODELS)
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    return session
