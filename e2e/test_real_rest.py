"""A published REST service with the OpenAPI document that it writes about itself: Glances, which watches a machine, on
FastAPI. What a tool answers is what the service answers without the gateway."""

import contextlib
import json
import subprocess
import time

import pytest
import requests

from outbound import with_credential
from portcullis import plain_environment
from test_real_upstreams import free_port, python_program
from wire import Wire

# It imports much before it listens.
PATIENCE = 90.0


@pytest.fixture(scope="module")
def glances(tmp_path_factory):
    """The service, on this machine alone; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [python_program("glances"), "-w", "-B", "127.0.0.1", "-p", str(port), "--disable-webui"]
    command += ["--disable-autodiscover", "--disable-check-update"]
    folder = tmp_path_factory.mktemp("glances")
    with open(folder / "log", "wb") as log:
        environment = plain_environment() | {"HOME": str(folder)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{url}/api/4/status", timeout=5).ok:
                    break
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_its_own_document_makes_tools_that_answer_as_it_does(server, make, glances):
    document = requests.get(f"{glances}/openapi.json", timeout=20).json()
    # FastAPI leaves out where the service is.
    document["servers"] = [{"url": glances}]
    gateway = make.gateway()
    target = with_credential(gateway, "Machine", {"openApiSchema": {"inlinePayload": json.dumps(document)}})
    assert target["status"] == "READY", target
    wire = Wire(gateway.url)
    wire.initialize()
    tools = {tool["name"].removeprefix("Machine___"): tool for tool in wire.tools()}
    methods = ("get", "put", "post", "delete", "options", "head", "patch")
    operations = {
        operation["operationId"]: (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in methods
    }
    assert set(tools) == set(operations) and len(tools) > 20

    def named(method: str, path: str) -> str:
        [name] = [name for name, at in operations.items() if at == (method, path)]
        return f"Machine___{name}"

    plugins = wire.tool(named("get", "/api/4/pluginslist"))["result"]
    assert json.loads(plugins["content"][0]["text"]) == requests.get(f"{glances}/api/4/pluginslist", timeout=20).json()
    assert "structuredContent" not in plugins, "a list is no object"
    machine = wire.tool(named("get", "/api/4/{plugin}"), plugin="system")["result"]
    assert machine["structuredContent"] == requests.get(f"{glances}/api/4/system", timeout=20).json()
    unknown = wire.tool(named("get", "/api/4/{plugin}"), plugin="no/such?thing")["result"]
    directly = requests.get(f"{glances}/api/4/no%2Fsuch%3Fthing", timeout=20)
    assert unknown["isError"] and str(directly.status_code) in unknown["content"][0]["text"]
