"""Published MCP servers, as their authors left them, behind a gateway with tokens.

What a client sees through the gateway is what it sees without it, but for the names: the same tools with the same
descriptions and schemas, and the same results. Each server works on this machine alone.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import node
from portcullis import PROJECT
from test_mcp_clients import Door, modern, typescript

ENVIRONMENT = "PORTCULLIS_E2E_UPSTREAMS_PYTHON"
TARGET = "Real"
# The Python servers import much before they listen.
PATIENCE = 90.0


def everything(folder: Path) -> tuple:
    """npm's @modelcontextprotocol/server-everything, which would listen on every address: loopback.mjs sees to that."""
    program = node.PACKAGES / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
    loopback = PROJECT / "e2e" / "loopback.mjs"
    return [node.program(), "--import", str(loopback), str(program), "streamableHttp"], None


def motherduck(folder: Path) -> tuple:
    """PyPI's mcp-server-motherduck: SQL on a DuckDB in memory, on FastMCP."""
    port = free_port()
    options = ["--transport", "http", "--host", "127.0.0.1", "--port", str(port), "--db-path", ":memory:", "--read-write"]
    return [python_program("mcp-server-motherduck"), *options, "--home-dir", str(folder)], port


def excel(folder: Path) -> tuple:
    """PyPI's excel-mcp-server: workbooks in a folder, with schemas as large as they come."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--allow-dir", str(folder)]
    return [python_program("excel-mcp-server"), "streamable-http", *options], port


def python_program(name: str) -> str:
    python = os.environ.get(ENVIRONMENT)
    assert python, f"set {ENVIRONMENT} to the Python of an environment with e2e/requirements-upstreams.txt"
    return str(Path(python).with_name(name))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# Each with its calls in order: the tool, its arguments, and what the answer says.
SERVERS = {
    everything: [
        ("echo", {"message": "hello"}, "hello"),
        ("get-sum", {"a": 2, "b": 40}, "42"),
        ("get-structured-content", {"location": "New York"}, "temperature"),
        ("get-tiny-image", {}, "image/png"),
    ],
    motherduck: [
        ("execute_query", {"sql": "SELECT 6 * 7 AS answer"}, "42"),
        ("execute_query", {"sql": "SELECT nothing FROM nowhere"}, "nowhere"),
    ],
    excel: [
        ("create_workbook", {"path": "{folder}/book.xlsx", "sheets": ["Sums"], "overwrite": True}, "book.xlsx"),
        ("write_range", {"path": "{folder}/book.xlsx", "sheet": "Sums", "at": "A1", "rows": [["ink", 41]]}, "Sums"),
        ("read_range", {"path": "{folder}/book.xlsx", "sheet": "Sums"}, "ink"),
    ],
}


@contextlib.contextmanager
def running(server, folder: Path):
    """Runs a server, gives its address, and ends it with all that it started."""
    command, port = server(folder)
    log_file = folder / "server.log"
    environment = {**node.environment(), "HOME": str(folder), "FASTMCP_CHECK_FOR_UPDATES": "off"}
    with open(log_file, "wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
    try:
        yield f"http://127.0.0.1:{until_it_listens(process, port, log_file)}/mcp"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def until_it_listens(process, port: int | None, log_file: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = log_file.read_text(errors="replace")
        assert process.poll() is None, f"the server ended with {process.returncode}\n{said[-4000:]}"
        told = port or next((int(line) for line in said.splitlines() if line.isdigit()), None)
        with contextlib.suppress(OSError):
            if told:
                socket.create_connection(("127.0.0.1", told), 1).close()
                return told
        time.sleep(0.1)
    raise AssertionError(f"the server does not listen after {PATIENCE:.0f} s\n{said[-4000:]}")


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.__name__)
def real(request, make, tmp_path_factory):
    """A server's address, the door of the gateway before it, and its calls."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    calls = [(name, filled(arguments, folder), says) for name, arguments, says in SERVERS[request.param]]
    with running(request.param, folder) as address:
        pool = make.pool(["invoke"])
        client = pool.client("invoke")
        gateway = make.gateway(pool.authorizer(client))
        gateway.mcp_target(TARGET, address)
        yield address, Door(gateway, token=client.token()), calls


def filled(arguments: dict, folder: Path) -> dict:
    return {key: str(value).format(folder=folder) if key == "path" else value for key, value in arguments.items()}


def look(address: str, headers: dict, prefix: str, calls: list) -> tuple:
    """Every tool by its bare name, and what each call answers."""

    async def work():
        async with streamablehttp_client(address, headers=headers) as (reading, writing, _):
            async with ClientSession(reading, writing) as session:
                await session.initialize()
                tools, cursor = [], None
                while True:
                    page = await session.list_tools(cursor=cursor)
                    tools, cursor = tools + page.tools, page.nextCursor
                    if cursor is None:
                        break
                answers = [await session.call_tool(prefix + name, arguments) for name, arguments, _ in calls]
        plain = lambda thing: thing.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert all(tool.name.startswith(prefix) for tool in tools), [tool.name for tool in tools]
        listed = {tool.name[len(prefix) :]: {**plain(tool), "name": tool.name[len(prefix) :]} for tool in tools}
        return listed, [plain(answer) for answer in answers]

    return asyncio.run(asyncio.wait_for(work(), 120))


def test_a_published_server_is_the_same_through_the_gateway(real):
    address, door, calls = real
    tools, answers = look(address, {}, "", calls)
    tools_here, answers_here = look(door.gateway.url, door.headers, f"{TARGET}___", calls)
    assert tools_here.keys() == tools.keys() and len(tools) >= 3
    for name, tool in tools.items():
        for member in ("description", "inputSchema"):
            assert tools_here[name].get(member) == tool.get(member), f"{name}: {member}"
    for (name, _, says), answer, here in zip(calls, answers, answers_here, strict=True):
        assert says in str(answer), f"{name} said {answer}"
        assert here["content"] == answer["content"], f"{name} said {here}"
        assert here.get("isError", False) == answer.get("isError", False), name
        assert here.get("structuredContent") == answer.get("structuredContent"), name


@pytest.mark.parametrize("client", ["python", "typescript"])
def test_clients_of_the_second_generation_use_it(real, client):
    _, door, calls = real
    name, arguments, says = calls[0]
    ask = {"python": lambda *asked: modern("sdk", *asked), "typescript": lambda *asked: typescript("sdk-2-auto", *asked)}
    seen = ask[client](door, f"{TARGET}___{name}", arguments)
    assert f"{TARGET}___{name}" in seen["tools"]
    assert says in seen["text"] and seen["error"] is False
