"""What tests are handed: a server under test, a maker of scenery, servers of their own."""

import time

import pytest

from portcullis import Server, pointed_at
from scenery import Scenery


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that most tests share. It must be well when the last of them has ended."""
    shared = Server(tmp_path_factory.mktemp("server"))
    try:
        shared.start()
        yield shared
        assert shared.process.poll() is None, f"the server did not live to the end\n{shared.log_tail()}"
        assert "panicked" not in shared.log(), shared.log_tail(200)
    finally:
        shared.dispose()


@pytest.fixture(scope="module")
def make(server):
    """Makes callers, pools, functions and gateways on the module's server: the shared one, unless it has its own."""
    return Scenery(server)


@pytest.fixture(scope="module")
def control(server):
    """AgentCore's control plane, as root."""
    return server.client("bedrock-agentcore-control")


@pytest.fixture(scope="module")
def data(server):
    """AgentCore's data plane, as root."""
    return server.client("bedrock-agentcore")


@pytest.fixture
def start_server(tmp_path):
    """Starts servers that belong to one test: `start_server(settings="...", environment={...}, arguments=[...])`."""
    started = []

    def start(**settings) -> Server:
        own = Server(tmp_path / f"server-{len(started)}", **settings)
        started.append(own)
        return own.start()

    yield start
    for own in started:
        own.dispose()


@pytest.fixture
def as_root(server):
    """This process's own AWS clients talk to the shared server, as root, during one test."""
    with pointed_at(server):
        yield server


@pytest.fixture(scope="module")
def module_as_root(server):
    """The same, during one module."""
    with pointed_at(server):
        yield server


@pytest.fixture(scope="module")
def impatience():
    """Shortens the sleeps of third-party code: the one deviation from running it as it is (README.md)."""
    sleep = time.sleep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, LONGEST_SLEEP)))
        yield


# Loops of the toolkits look 30 times: at this pace they still wait 15 seconds before they give up.
LONGEST_SLEEP = 0.5


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield
    shared = item.funcargs.get("server")
    item.log_begins = shared.log_file.stat().st_size if isinstance(shared, Server) else 0


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the shared server said meanwhile."""
    report = (yield).get_result()
    shared = item.funcargs.get("server") if report.failed else None
    if isinstance(shared, Server):
        said = shared.log_file.read_bytes()[getattr(item, "log_begins", 0) :].decode(errors="replace")
        report.sections.append(("the server's log", said[-4000:]))
