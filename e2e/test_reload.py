"""SIGHUP: what can change while the server runs does, the rest is named, and a file with a mistake changes nothing."""

import signal

import requests

from portcullis import eventually
from scenery import Scenery, allow, refusal


def hang_up(server, settings: str) -> str:
    """Puts settings into the file, asks for them, and gives what the log says."""
    begins = len(server.log())
    server.config_file.write_text(settings)
    server.process.send_signal(signal.SIGHUP)
    said = lambda: server.log()[begins:]
    eventually(lambda: "were read again" in said() or "cannot be put in force" in said())
    return said()


def test_settings_change_while_the_server_runs(start_server):
    server = start_server(settings="[limits]\nheaders = 40\n")
    begun = server.config_file.read_text()
    headers = {f"x-{number}": "a" for number in range(45)}
    ask = lambda **more: requests.get(f"{server.endpoint}/metrics", timeout=10, **more)
    assert ask(headers=headers).status_code == 431
    said = hang_up(server, begun.replace("headers = 40", "headers = 60"))
    assert "limits.headers" in said and "restart" not in said
    assert ask(headers=headers).status_code == 200

    changed = (
        begun + '\n[log]\nfilter = "debug"\n[server]\nmetrics = "nobody"\nthreads = 7\n[gateway]\npin-tools = "all"\n'
    )
    said = hang_up(server, changed)
    assert ask().status_code == 403
    in_force = next(line for line in said.splitlines() if "were read again" in line)
    late = next(line for line in said.splitlines() if "need a restart" in line)
    assert "limits.headers, log.filter, server.metrics" in in_force
    assert "gateway.pin-tools, server.threads" in late and "log.filter" not in late
    eventually(lambda: "DEBUG" in server.log())

    # A mistake anywhere: nothing changes, although the rest is good.
    for mistake, told in [
        ("headers = 0", "nonzero"),
        ("head-kilobytes = 1", "at least 8"),
        ("heders = 5", "unknown field"),
    ]:
        said = hang_up(server, begun.replace("headers = 40", mistake) + '\n[server]\nmetrics = "everybody"\n')
        assert "cannot be put in force" in said and told in said
        assert ask().status_code == 403

    # Back to what it was at the start: nothing waits for a restart any more.
    said = hang_up(server, begun)
    assert "need a restart" not in said and ask().status_code == 200
    assert "panicked" not in server.log()


def test_proxies_are_believed_from_the_next_request_on(start_server):
    server = start_server()
    begun = server.config_file.read_text()
    user = Scenery(server).user(allow("iam:ListUsers", IpAddress={"aws:SourceIp": "203.0.113.9"}))
    iam = user.client("iam")
    forwarded = lambda request, **_: request.headers.update({"X-Forwarded-For": "203.0.113.9"})
    iam.meta.events.register("before-send.iam", forwarded)
    assert refusal(iam.list_users)[1] == "AccessDenied"
    said = hang_up(server, begun + '\n[server]\ntrusted-proxies = ["127.0.0.0/8"]\n')
    assert "server.trusted-proxies" in said and "restart" not in said
    assert iam.list_users()["Users"]
    hang_up(server, begun)
    assert refusal(iam.list_users)[1] == "AccessDenied"
