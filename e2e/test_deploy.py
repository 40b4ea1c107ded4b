"""What `deploy/` holds: a unit for systemd, a Containerfile, a Helm chart. Each passes its own linter, and every setting
that it names is one that the server takes."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import tomllib
from pathlib import Path

import pytest

from portcullis import PROJECT, binary, plain_environment

ENVIRONMENT = "PORTCULLIS_E2E_DEPLOY_PYTHON"
DEPLOY = PROJECT / "deploy"
CHART = DEPLOY / "helm" / "portcullis"
KUBERNETES = "1.37"
VALUES = {
    "publicUrl": "https://gate.example.com",
    "database": {"secretName": "gate-database"},
    "masterKey": {"secretName": "gate-master-key"},
}
WITH_EVERYTHING = VALUES | {
    "replicas": 3,
    "image": {"repository": "registry.example.com/portcullis", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "registry"}],
    "rootCredentials": {"secretName": "gate-root"},
    "tls": {"secretName": "gate-tls"},
    "trustedProxies": ["10.0.0.0/8"],
    "metrics": "everybody",
    "drain": {"delaySeconds": 7, "timeoutSeconds": 40},
    "settings": '[limits]\nconnections-per-peer = 50\n\n[log]\nformat = "json"\n',
    "persistence": {"storageClassName": "fast"},
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "podAnnotations": {"c": "d"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "agents", "operator": "Exists"}],
}


def tools() -> Path:
    python = os.environ.get(ENVIRONMENT)
    assert python, f"{ENVIRONMENT} names the Python of requirements-deploy.txt: `cargo xtask test` makes it"
    return Path(python)


def rendered(values: dict) -> dict:
    command = [tools(), PROJECT / "e2e" / "render_chart.py", CHART, KUBERNETES]
    run = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def resources(values: dict) -> dict:
    told = rendered(values)
    assert told["problems"] == []
    return {(it["kind"], it["metadata"]["name"]): it for documents in told["resources"].values() for it in documents}


def accepted(text: str, folder: Path) -> dict:
    """The settings of a configuration file, which the server has read; where they name files, those are here."""
    key = folder / "master.key"
    key.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    text = re.sub(r'^(master-key-file = )".*"', rf'\1"{key}"', text, flags=re.MULTILINE)
    text = re.sub(r'^(data-dir = )".*"', rf'\1"{folder}/data"', text, flags=re.MULTILINE)
    path = folder / "portcullis.toml"
    path.write_text(text)
    command = [binary(), "env", "--config", path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, env=plain_environment(), check=False)
    # The settings are read first, and whole; there was never a server here, which is what is missed then.
    assert run.returncode == 1 and "Start the server once" in run.stderr, run.stderr
    return tomllib.loads(text)


def test_a_setting_that_the_server_does_not_take_is_found(tmp_path):
    with pytest.raises(AssertionError, match="unknown field"):
        accepted("[drain]\ndelay = 5\n", tmp_path)


# --- systemd -------------------------------------------------------------------------------------------------------------


def test_the_unit_and_its_settings(tmp_path):
    unit = (DEPLOY / "systemd" / "portcullis.service").read_text()
    settings = (DEPLOY / "systemd" / "portcullis.toml").read_text()
    read = accepted(settings, tmp_path)
    # What is commented out is right, too, once it is wanted.
    accepted(re.sub(r"^# (?=\[|[a-z-]+ = )", "", settings, flags=re.MULTILINE), tmp_path)
    value = lambda name: re.search(rf"^{name}=(.*)$", unit, re.MULTILINE)[1]
    assert read["drain"]["delay-seconds"] + read["drain"]["timeout-seconds"] + 10 < int(value("TimeoutStopSec"))
    # Where systemd puts credentials.
    credential = value("LoadCredential").split(":")[0]
    assert f'"/run/credentials/portcullis.service/{credential}"' in settings
    assert value("StateDirectory") == "portcullis" and 'data-dir = "/var/lib/portcullis"' in settings
    assert value("Type") == "notify" and "--config /etc/portcullis/portcullis.toml" in value("ExecStart")


def test_systemd_takes_the_unit(tmp_path):
    verify = shutil.which("systemd-analyze")
    if not verify:
        pytest.skip("systemd is not installed here")
    unit = (DEPLOY / "systemd" / "portcullis.service").read_text().replace("/usr/bin/portcullis", binary())
    path = tmp_path / "portcullis.service"
    path.write_text(unit)
    run = subprocess.run([verify, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    # It speaks of every unit that it finds, and of this one by its name.
    assert "portcullis.service" not in run.stderr and run.returncode == 0, run.stderr


def test_what_the_unit_asks_of_the_server(start_server, tmp_path):
    # As the unit has it: a key that is handed over, and notices to whoever started the server.
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{folder}/notify")
        manager.settimeout(30)
        settings = f'[vault]\nmaster-key-file = "{key}"\n'
        server = start_server(settings=settings, environment={"NOTIFY_SOCKET": f"{folder}/notify"})
        assert manager.recv(64) == b"READY=1"
        assert not (server.data_dir / "master.key").exists()
        server.stop()
        assert manager.recv(64) == b"STOPPING=1"
    key.write_text("too short\n")
    command = [binary(), "serve", "--config", server.config_file, "--data-dir", server.data_dir]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, env=plain_environment(), check=False)
    assert run.returncode == 1 and "holds no master key" in run.stderr and "too short" not in run.stderr


# --- containers ----------------------------------------------------------------------------------------------------------


def test_the_containerfile():
    path = DEPLOY / "container" / "Containerfile"
    linter = tools().parent / "hadolint"
    run = subprocess.run([linter, path], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout
    text = path.read_text()
    last = text[text.rindex("\nFROM ") :]
    assert "\nUSER 65532:65532\n" in last and "\nRUN " not in last
    # Without a shell, in the form of a list.
    check = json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", last, re.MULTILINE)[1])
    assert check == ["/usr/bin/portcullis", "health"]
    named = set(re.findall(r"PORTCULLIS_[A-Z_]+", text))
    helped = subprocess.run(
        [binary(), "serve", "--help"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert named and named <= set(re.findall(r"PORTCULLIS_[A-Z_]+", helped))


def test_the_health_of_a_container(start_server):
    server = start_server()
    for arguments, said in [((), "ok"), (("--ready",), "ready")]:
        assert server.run("health", *arguments).stdout.strip() == said
    server.stop()
    gone = server.run("health", check=False)
    assert gone.returncode == 1 and "does not answer" in gone.stderr


# --- Kubernetes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [VALUES, WITH_EVERYTHING], ids=["least", "everything"])
def test_the_chart(values, tmp_path):
    made = resources(values)
    name = "gate-portcullis"
    settings = accepted(made["ConfigMap", name]["data"]["portcullis.toml"], tmp_path)
    replicas = made["StatefulSet", name]["spec"]
    pod = replicas["template"]["spec"]
    [container] = pod["containers"]
    drain = settings["drain"]
    assert pod["terminationGracePeriodSeconds"] > drain["delay-seconds"] + drain["timeout-seconds"] + 10
    assert settings["public-url"] == values["publicUrl"]

    # Secrets are referred to, and are nowhere else.
    environment = {it["name"]: it for it in container["env"]}
    assert all("secretKeyRef" in it["valueFrom"] for it in environment.values())
    documented = (PROJECT / "docs" / "configuration.md").read_text()
    assert set(environment) <= set(re.findall(r"PORTCULLIS_[A-Z_]+", documented))
    assert {"PORTCULLIS_DATABASE", "PORTCULLIS_MASTER_KEY"} <= set(environment)

    secure = "tls" in values
    assert ("tls" in settings) == secure
    for probe, path in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]:
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["scheme"]) == (path, "HTTPS" if secure else "HTTP")
    if secure:
        assert settings["tls"]["certificate"].startswith("/etc/portcullis/tls/")
        assert "/etc/portcullis/tls" in [it["mountPath"] for it in container["volumeMounts"]]

    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False and container["resources"]["limits"]["memory"]
    # What the budget and the services speak of are these pods.
    labels = replicas["template"]["metadata"]["labels"]
    budget = made["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"]
    assert budget.items() <= labels.items()
    for service in (name, f"{name}-replicas"):
        spec = made["Service", service]["spec"]
        assert spec["selector"].items() <= labels.items()
        assert {it["targetPort"] for it in spec["ports"]} == {it["name"] for it in container["ports"]}


def test_values_that_cannot_be_meant_are_refused():
    for values, wanted in [
        ({}, "publicUrl"),
        (VALUES | {"masterKey": {}}, "masterKey"),
        (VALUES | {"replica": 2}, "replica"),
        (VALUES | {"replicas": 0}, "replicas"),
    ]:
        told = rendered(values)
        assert told["problems"] and wanted in told["problems"][0], told
    assert ("PodDisruptionBudget", "gate-portcullis") not in resources(VALUES | {"replicas": 1})
