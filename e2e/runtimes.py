"""What tests of agent runtimes need: agents that run, runtimes before them, and calls by token and by signature."""

import contextlib
import json
import socket
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import requests

from portcullis import ACCOUNT, REGION, Server, plain_environment
from scenery import Scenery, name, until

HERE = Path(__file__).parent
SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
USER = "X-Amzn-Bedrock-AgentCore-Runtime-User-Id"

# The guide's, section 7.2.
RUNTIME_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:*"},
            },
        }
    ],
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def agent(program: str = "agent_app.py", path: str = "/ping", **environment):
    """An agent that runs; gives its URL."""
    port = free_port()
    command = [sys.executable, str(HERE / program), str(port)]
    process = subprocess.Popen(command, env={**plain_environment(), **environment}, cwd=HERE)
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, f"the agent ended with {process.returncode}"
        try:
            return requests.get(url + path, timeout=5).status_code
        except requests.RequestException:
            return None

    try:
        until("the agent", answers, lambda seen: seen is not None)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def by_url(url: str) -> dict:
    return {"containerConfiguration": {"containerUri": url}}


@dataclass
class Runtime:
    """A runtime that is READY."""

    server: Server
    id: str
    arn: str

    @property
    def url(self) -> str:
        return f"{self.server.endpoint}/runtimes/{urllib.parse.quote(self.arn, safe='')}/invocations"

    def post(self, payload, token: str | None = None, session: str | None = None, qualifier="DEFAULT", **more):
        """An invocation over plain HTTP, as the guide makes it (section 4.5)."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if session:
            headers[SESSION] = session
        more.setdefault("timeout", 60)
        body = payload if isinstance(payload, bytes) else json.dumps(payload)
        return requests.post(self.url, params={"qualifier": qualifier}, headers=headers, data=body, **more)

    def invoke(self, client, payload, **more) -> dict:
        """An invocation by boto3; gives the document that came back."""
        answer = client.invoke_agent_runtime(agentRuntimeArn=self.arn, payload=json.dumps(payload).encode(), **more)
        return json.loads(answer["response"].read())


def runtime(make: Scenery, artifact: dict, **settings) -> Runtime:
    """Makes a runtime, and waits until it is READY."""
    control = make.server.client("bedrock-agentcore-control")
    request = {
        "agentRuntimeName": name("agent").replace("-", "_"),
        "agentRuntimeArtifact": artifact,
        "roleArn": settings.pop("roleArn", None) or make.role(RUNTIME_TRUST),
        "networkConfiguration": {"networkMode": "PUBLIC"},
        **settings,
    }
    made = control.create_agent_runtime(**request)
    assert made["status"] == "CREATING"
    look = lambda: control.get_agent_runtime(agentRuntimeId=made["agentRuntimeId"])["status"]
    until("the runtime", look, lambda seen: seen == "READY")
    return Runtime(make.server, made["agentRuntimeId"], made["agentRuntimeArn"])
