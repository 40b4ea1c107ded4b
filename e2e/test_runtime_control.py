"""Agent runtimes on the control plane: versions that never change, endpoints that say which serves, what is refused and
why, and where secrets are kept."""

import json

import pytest

from portcullis import ACCOUNT, REGION
from runtimes import RUNTIME_TRUST, agent, by_url, runtime
from scenery import GATEWAY_TRUST, allow, name, refusal, until

URL = "http://127.0.0.1:8080"


def request(make, **changes) -> dict:
    return {
        "agentRuntimeName": name("agent").replace("-", "_"),
        "agentRuntimeArtifact": by_url(URL),
        "roleArn": make.role(RUNTIME_TRUST),
        "networkConfiguration": {"networkMode": "PUBLIC"},
        **changes,
    }


def test_versions_do_not_change_and_default_follows_the_newest(make, control, data):
    with agent() as one, agent("agent_app.py") as two:
        made = runtime(make, by_url(one), description="The first.")
        control.create_agent_runtime_endpoint(agentRuntimeId=made.id, name="prod", agentRuntimeVersion="1")
        current = control.get_agent_runtime(agentRuntimeId=made.id)
        changed = control.update_agent_runtime(
            agentRuntimeId=made.id,
            agentRuntimeArtifact=by_url(two),
            roleArn=current["roleArn"],
            networkConfiguration=current["networkConfiguration"],
            description="The second.",
        )
        assert changed["agentRuntimeVersion"] == "2" and changed["status"] == "UPDATING"
        look = lambda: control.get_agent_runtime(agentRuntimeId=made.id)
        seen = until("the runtime", look, lambda seen: seen["status"] == "READY")
        assert (seen["agentRuntimeVersion"], seen["description"]) == ("2", "The second.")
        first = control.get_agent_runtime(agentRuntimeId=made.id, agentRuntimeVersion="1")
        assert first["description"] == "The first."
        assert first["agentRuntimeArtifact"] == by_url(one)
        listed = control.list_agent_runtime_versions(agentRuntimeId=made.id)["agentRuntimes"]
        assert [(it["agentRuntimeVersion"], it["status"]) for it in listed] == [("1", "READY"), ("2", "READY")]
        endpoints = control.list_agent_runtime_endpoints(agentRuntimeId=made.id)["runtimeEndpoints"]
        assert {it["name"]: it["liveVersion"] for it in endpoints} == {"DEFAULT": "2", "prod": "1"}
    # Which agent serves is seen by which is gone: both answer only while both run.
    with agent() as three:
        control.update_agent_runtime(
            agentRuntimeId=made.id, agentRuntimeArtifact=by_url(three), roleArn=current["roleArn"]
        )
        until("version 3", look, lambda seen: seen["status"] == "READY")
        assert made.invoke(data, {"a": 1})["payload"] == {"a": 1}
        assert refusal(made.invoke, data, {}, qualifier="prod")[1] == "RuntimeClientError"
        control.update_agent_runtime_endpoint(agentRuntimeId=made.id, endpointName="prod", agentRuntimeVersion="3")
        look = lambda: control.get_agent_runtime_endpoint(agentRuntimeId=made.id, endpointName="prod")
        until("the endpoint", look, lambda seen: seen["liveVersion"] == "3" and seen["status"] == "READY")
        assert made.invoke(data, {}, qualifier="prod")["session"]


def test_an_endpoint_keeps_the_authorizer_of_its_version(make, control, data):
    pool = make.pool(["invoke"])
    client = pool.client("invoke")
    with agent() as url:
        made = runtime(make, by_url(url))
        control.create_agent_runtime_endpoint(agentRuntimeId=made.id, name="signed", agentRuntimeVersion="1")
        control.update_agent_runtime(
            agentRuntimeId=made.id,
            agentRuntimeArtifact=by_url(url),
            roleArn=control.get_agent_runtime(agentRuntimeId=made.id)["roleArn"],
            authorizerConfiguration=pool.authorizer(client),
        )
        look = lambda: made.post({}, client.token()).status_code
        until("the newest version", look, lambda seen: seen == 200)
        assert made.post({}, client.token(), qualifier="signed").status_code == 403
        assert made.invoke(data, {}, qualifier="signed")["session"]
        assert refusal(made.invoke, data, {})[1] == "AccessDeniedException"


def test_a_retry_makes_nothing_twice(make, control):
    wanted = request(make, clientToken="a" * 40)
    assert control.create_agent_runtime(**wanted)["agentRuntimeId"] == control.create_agent_runtime(**wanted)["agentRuntimeId"]
    changed = {**wanted, "description": "Another."}
    assert refusal(control.create_agent_runtime, **changed)[1] == "ValidationException"
    made = runtime(make, by_url(URL))
    update = {
        "agentRuntimeId": made.id,
        "agentRuntimeArtifact": by_url(URL),
        "roleArn": wanted["roleArn"],
        "clientToken": "b" * 40,
    }
    versions = set()
    for _ in range(2):
        versions.add(control.update_agent_runtime(**update)["agentRuntimeVersion"])
        look = lambda: control.get_agent_runtime(agentRuntimeId=made.id)["status"]
        until("the runtime", look, lambda seen: seen == "READY")
    assert versions == {"2"}


def test_deletion_goes_from_the_outside_inwards(make, control):
    made = runtime(make, by_url(URL), tags={"team": "a"})
    control.create_agent_runtime_endpoint(agentRuntimeId=made.id, name="prod")
    identity = control.get_agent_runtime(agentRuntimeId=made.id)["workloadIdentityDetails"]["workloadIdentityArn"]
    assert identity.endswith(f"/workload-identity/{made.id}")
    assert control.list_tags_for_resource(resourceArn=made.arn)["tags"] == {"team": "a"}
    assert refusal(control.delete_agent_runtime, agentRuntimeId=made.id)[1] == "ConflictException"
    serving = {"agentRuntimeId": made.id, "agentRuntimeVersion": "1"}
    assert refusal(control.delete_agent_runtime, **serving)[1] == "ConflictException"
    default = {"agentRuntimeId": made.id, "endpointName": "DEFAULT"}
    assert refusal(control.delete_agent_runtime_endpoint, **default)[1] == "ConflictException"
    assert refusal(control.delete_workload_identity, name=made.id)[1] == "ValidationException"
    assert control.delete_agent_runtime_endpoint(agentRuntimeId=made.id, endpointName="prod")["status"] == "DELETING"
    assert control.delete_agent_runtime(agentRuntimeId=made.id)["status"] == "DELETING"
    assert refusal(control.get_agent_runtime, agentRuntimeId=made.id)[1] == "ResourceNotFoundException"
    assert refusal(control.get_workload_identity, name=made.id)[1] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agentRuntimeArtifact": by_url(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/a:1")}, "codeConfiguration"),
        ({"agentRuntimeArtifact": by_url("alpine")}, "http://127.0.0.1:8080"),
        ({"agentRuntimeArtifact": by_url("http://user:secret@127.0.0.1:8080")}, "password"),
        ({"agentRuntimeArtifact": by_url("http://127.0.0.1:8080/?a=b")}, "query"),
        ({"agentRuntimeArtifact": by_url("http://127.0.0.1:8080/a/../b")}, "path"),
        ({"networkConfiguration": {"networkMode": "VPC"}}, "networkMode"),
        ({"protocolConfiguration": {"serverProtocol": "A2A"}}, "serverProtocol"),
        ({"requestHeaderConfiguration": {"requestHeaderAllowlist": ["Cookie"]}}, "Cookie"),
        ({"requestHeaderConfiguration": {"requestHeaderAllowlist": ["Authorization"]}}, "customJWTAuthorizer"),
        ({"lifecycleConfiguration": {"idleRuntimeSessionTimeout": 100, "maxLifetime": 60}}, "maxLifetime"),
        ({"environmentVariables": {"1A": "x"}}, "variable"),
        ({"environmentVariables": {"AWS_ACCESS_KEY_ID": "x"}}, "reserved"),
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "Role validation failed"),
        ({"authorizerConfiguration": {"customJWTAuthorizer": {"discoveryUrl": "https://a.example/.well-known/openid-configuration"}}}, "allowedAudience"),
        ({"filesystemConfigurations": [{"sessionStorage": {"mountPath": "/mnt/a"}}]}, "filesystemConfigurations"),
    ],
)
def test_what_is_not_taken_is_named(make, control, changes, words):
    status, code, message = refusal(control.create_agent_runtime, **request(make, **changes))
    assert (status, code) == (400, "ValidationException") and words in message, message


def test_the_role_must_trust_the_service_for_this_runtime(make, control):
    # The trust of the tests' gateways names gateways only: a confused deputy would use it for a runtime.
    message = refusal(control.create_agent_runtime, **request(make, roleArn=make.role(GATEWAY_TRUST)))[2]
    assert "Role validation failed" in message
    create = allow("bedrock-agentcore:CreateAgentRuntime")
    may_not_pass = make.user(create).client("bedrock-agentcore-control")
    assert "iam:PassRole" in refusal(may_not_pass.create_agent_runtime, **request(make))[2]
    passes = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "bedrock-agentcore.amazonaws.com"}},
    }
    may = make.user({"Version": "2012-10-17", "Statement": [*create["Statement"], passes]})
    assert may.client("bedrock-agentcore-control").create_agent_runtime(**request(make))["status"] == "CREATING"


def test_the_environment_is_sealed(start_server):
    from scenery import Scenery

    server = start_server()
    make = Scenery(server)
    canary = "canary-5f1d9c"
    made = runtime(make, by_url(URL), environmentVariables={"API_KEY": canary})
    control = server.client("bedrock-agentcore-control")
    assert control.get_agent_runtime(agentRuntimeId=made.id)["environmentVariables"] == {"API_KEY": canary}
    reader = make.user(allow("bedrock-agentcore:List*")).client("bedrock-agentcore-control")
    assert canary not in json.dumps(reader.list_agent_runtimes()["agentRuntimes"], default=str)
    assert canary not in server.run("audit", "tail", "--json", "--lines", "100").stdout
    assert canary not in server.log()
    server.stop()
    if server.database.kind == "sqlite":
        assert all(canary.encode() not in page.read_bytes() for page in server.data_dir.glob("portcullis.db*"))
