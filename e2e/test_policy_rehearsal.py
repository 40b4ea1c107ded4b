"""Policies rehearsed on real traffic: calls of the official MCP client under LOG_ONLY, what they leave behind, and what
`portcullis policy promote`, `replay` and `diff` say of them."""

import asyncio
import contextlib
import json
import os
import pty
import secrets
import sqlite3
import subprocess

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from canaries import Canaries
from portcullis import Server, binary, plain_environment
from scenery import Scenery, audited, name, tool, until

RECORDING = '[policy.recording]\nclaims = "on"\narguments = "on"\nretention-days = 30\n'
DAY = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that records claims and arguments."""
    with Server(tmp_path_factory.mktemp("recording"), settings=RECORDING) as own:
        yield own
        assert "panicked" not in own.log(), own.log_tail(200)


class House:
    """A gateway under LOG_ONLY: managers may move any amount, everybody else small ones."""

    def __init__(self, make: Scenery):
        self.server = make.server
        pool = make.pool(scopes=("manager", "clerk"))
        self.manager, self.clerk = pool.client("manager"), pool.client("clerk")
        self.gateway, self.engine = make.gateway(pool.authorizer(self.manager, self.clerk)), make.engine()
        offered = [tool("move", amount="integer", note="string"), tool("look")]
        self.gateway.lambda_target("Money", make.function(), offered)
        self.arn = self.gateway.arn
        self.big = self.engine.policy(self.permit("move", MANAGER), name("Managers"))
        self.small = self.engine.policy(self.permit("move", SMALL), name("Small"))
        self.gateway.enforce(self.engine.arn, "LOG_ONLY")

    def permit(self, of: str, condition: str, effect: str = "permit") -> str:
        action = f'action == AgentCore::Action::"Money___{of}"'
        head = f'{effect}(principal is AgentCore::OAuthUser, {action}, resource == AgentCore::Gateway::"{self.arn}")'
        return f"{head} when {{ {condition} }};"

    def call(self, client, *calls) -> list:
        """Calls tools, by name and arguments; whether each was refused."""
        return asyncio.run(self._call(client.token(), calls))

    async def _call(self, token, calls):
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            streamablehttp_client(self.gateway.url, headers=headers) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            return [(await session.call_tool(f"Money___{of}", arguments)).isError for of, arguments in calls]

    def events(self, least: int) -> list:
        wanted = lambda event: event.get("resource") == self.arn and event.get("tool")
        return audited(self.server, wanted, least)

    def verb(self, *arguments, json_too: bool = True):
        """A verb of `policy`, its exit code, and what it printed."""
        told = ("--json",) if json_too else ()
        done = self.server.run("policy", *arguments, *told, check=False, timeout=180)
        return done.returncode, json.loads(done.stdout) if json_too and done.stdout else done.stdout, done.stderr


MANAGER = 'principal.hasTag("scope") && principal.getTag("scope") like "*/manager"'
SMALL = "context.input has amount && context.input.amount < 10"


def answered(house: House, answer: str) -> str:
    """What `promote` prints, asked for at a terminal whose user answers so."""
    ours, theirs = pty.openpty()
    server = house.server
    command = [binary(), "policy", "promote", "--gateway", house.gateway.id, "--data-dir", str(server.data_dir)]
    command += ["--database", server.database.url] if server.database.url else []
    os.write(ours, answer.encode())
    try:
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=60, env=plain_environment())
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0 and "[y/N]" in done.stderr, done
    return done.stdout


def by_caller(changes: list, word: str) -> dict:
    return {(it["caller"]["id"], it["tool"]): it["calls"] for it in changes if it[word[0]] == word[1]}


def file(folder, text: str, called: str = "new.cedar") -> str:
    (folder / called).write_text(text)
    return str(folder / called)


# --- LOG_ONLY, and its end -------------------------------------------------------------------------------------------------


def test_promote_shows_what_was_not_denied_yet_and_lets_it_be(make, tmp_path):
    house = House(make)
    large, small = ("move", {"amount": 5000}), ("move", {"amount": 5})
    assert house.call(house.manager, large, small) == [False, False]
    # Nothing is denied yet.
    assert house.call(house.clerk, large, small, large, ("look", {})) == [False] * 4
    events = house.events(6)
    denied = [(event["actor"]["subject"], event["tool"]) for event in events if event["decision"] == "wouldDeny"]
    counted = {key: denied.count(key) for key in denied}
    assert counted == {(house.clerk.id, "Money___move"): 2, (house.clerk.id, "Money___look"): 1}

    code, shown, _ = house.verb("promote", "--gateway", house.gateway.id, "--dry-run")
    assert code == 0 and shown["calls"] == 6 and shown["changed"] == 3, shown
    assert by_caller(shown["changes"], ("wouldBe", "denied")) == counted
    code, text, _ = house.verb("promote", "--gateway", house.gateway.id, "--dry-run", json_too=False)
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("denied")]
    assert {(row[1], row[2]): int(row[3]) for row in rows} == counted, text
    assert "\x1b" not in text and "nothing was changed" in text

    # Nobody is there to ask.
    code, _, said = house.verb("promote", "--gateway", house.gateway.id, json_too=False)
    assert code == 2 and "--yes" in said, said
    assert house.call(house.clerk, large) == [False]
    # Somebody is, and says no.
    assert "does not bind: nothing was changed" in answered(house, "n\n")
    assert house.call(house.clerk, large) == [False]
    house.events(8)
    code, done, _ = house.verb("promote", "--gateway", house.gateway.id, "--yes")
    assert code == 0 and done["result"] == "binds now", done
    until("the denial", lambda: house.call(house.clerk, large), lambda seen: seen == [True], 10)
    assert house.call(house.manager, large) == [False] and house.call(house.clerk, small) == [False]
    configured = house.gateway.control.get_gateway(gatewayIdentifier=house.gateway.id)
    assert configured["policyEngineConfiguration"]["mode"] == "ENFORCE", configured
    [event] = audited(house.server, lambda event: event["action"] == "gateway.promote")
    assert event["resource"] == house.arn and "uid" in event["reason"] and "5 of 8 calls" in event["reason"], event
    code, again, _ = house.verb("promote", "--gateway", house.gateway.id)
    assert code == 0 and again["result"] == "binds already", again


def test_one_policy_is_promoted_by_itself(make):
    house = House(make)
    everybody = house.permit("look", "true")
    house.engine.policy(everybody)
    statement = house.permit("move", 'context.input has note && context.input.note like "*cash*"', "forbid")
    cash = house.engine.policy(statement, name("Cash"), enforcementMode="LOG_ONLY")
    house.gateway.enforce(house.engine.arn)
    cash_move = ("move", {"amount": 5, "note": "in cash"})
    assert house.call(house.clerk, cash_move, ("move", {"amount": 5})) == [False, False]
    house.events(2)
    code, shown, _ = house.verb("promote", "--gateway", house.gateway.id, "--policy", cash, "--dry-run")
    assert code == 0 and shown["changed"] == 1 and shown["policyId"] == cash, shown
    assert by_caller(shown["changes"], ("wouldBe", "denied")) == {(house.clerk.id, "Money___move"): 1}
    code, done, _ = house.verb("promote", "--gateway", house.gateway.id, "--policy", cash, "--yes")
    assert code == 0 and done["result"] == "binds now", done
    until("the denial", lambda: house.call(house.clerk, cash_move), lambda seen: seen == [True], 10)
    policy = house.gateway.control.get_policy(policyEngineId=house.engine.id, policyId=cash)
    assert policy["enforcementMode"] == "ACTIVE" and policy["status"] == "ACTIVE", policy
    assert audited(house.server, lambda event: event["action"] == "policy.promote")
    for wrong, what in (("nothing", "has no policy"), (None, "there is no gateway")):
        gateway = house.gateway.id if wrong else "nothing-0123456789"
        code, _, said = house.verb("promote", "--gateway", gateway, "--policy", wrong or cash)
        assert code == 2 and what in said, said


def test_promote_counts_what_the_present_policies_decided(make):
    house = House(make)
    large = ("move", {"amount": 5000})
    assert house.call(house.clerk, large, large) == [False, False]
    house.events(2)
    dry = lambda *more: house.verb("promote", "--gateway", house.gateway.id, "--dry-run", *more)
    code, shown, _ = dry()
    assert code == 0 and (shown["calls"], shown["changed"]) == (2, 2), shown
    # Clerks may now: what was denied before says nothing of that.
    clerks = house.engine.policy(house.permit("move", MANAGER.replace("manager", "clerk")), name("Clerks"))
    code, shown, _ = dry()
    assert code == 0 and (shown["calls"], shown["changed"]) == (0, 0), shown
    assert "was written or changed" in shown["sinceBecause"], shown
    code, _, said = house.verb("promote", "--gateway", house.gateway.id, "--dry-run", json_too=False)
    assert code == 0 and "calls are counted since" in said, said
    allowed = lambda: house.call(house.clerk, large) and house.events(1)[-1]["decision"] == "allow"
    until("the new policy", allowed, bool)
    code, before, _ = dry()
    # And now they may not.
    house.gateway.control.delete_policy(policyEngineId=house.engine.id, policyId=clerks)
    gone = lambda: house.call(house.clerk, large) and house.events(1)[-1]["decision"] == "wouldDeny"
    until("the policy is gone", gone, bool)
    code, shown, _ = dry()
    assert code == 0 and shown["sinceBecause"] == "a policy was deleted", (before, shown)
    assert shown["changed"] >= 1, shown
    # Asked for less, nothing is cut.
    code, shown, _ = dry("--since", "2100-01-01T00:00:00Z")
    assert code == 0 and shown["calls"] == 0 and shown["sinceBecause"] is None, shown


def test_a_policy_that_does_not_fit_the_tools_any_more_is_not_promoted(make):
    house = House(make)
    statement = house.permit("move", 'context.input has note && context.input.note like "*cash*"', "forbid")
    cash = house.engine.policy(statement, name("Cash"), enforcementMode="LOG_ONLY")
    [target] = house.gateway.control.list_gateway_targets(gatewayIdentifier=house.gateway.id)["items"]
    known = house.gateway.control.get_gateway_target(gatewayIdentifier=house.gateway.id, targetId=target["targetId"])
    configuration = known["targetConfiguration"]
    move = configuration["mcp"]["lambda"]["toolSchema"]["inlinePayload"][0]
    move["inputSchema"]["properties"]["note"]["type"] = "integer"
    house.gateway.control.update_gateway_target(
        gatewayIdentifier=house.gateway.id,
        targetId=target["targetId"],
        name=known["name"],
        targetConfiguration=configuration,
        credentialProviderConfigurations=known["credentialProviderConfigurations"],
    )
    promote = lambda *more: house.verb("promote", "--gateway", house.gateway.id, "--policy", cash, *more, json_too=False)
    said = until("the change", lambda: promote("--dry-run"), lambda seen: seen[0] == 1)[2]
    assert "does not fit the tools that there are now" in said and "expected String but saw Long" in said, said
    code, _, said = promote("--yes")
    assert code == 1 and "nothing was changed" in said, said
    policy = house.gateway.control.get_policy(policyEngineId=house.engine.id, policyId=cash)
    assert policy["enforcementMode"] == "LOG_ONLY", policy


def test_what_would_be_denied_is_not_called_denied(make, tmp_path):
    house = House(make)
    (tmp_path / "clerk.json").write_text(json.dumps({"sub": "ann", "scope": "x/clerk"}))
    explain = lambda arguments: house.verb(
        "explain", "--gateway", house.gateway.id, "--claims", str(tmp_path / "clerk.json"), "--tool", "Money___move",
        "--arguments", json.dumps(arguments), json_too=False,
    )
    code, text, said = explain({"amount": 5000})
    assert code == 1 and text.startswith("WOULD BE DENIED: ") and "LOG_ONLY" in text, text
    assert "would deny" in said and "it is made" in said, said
    code, text, _ = explain({"amount": 5})
    assert code == 0 and text.startswith("WOULD BE ALLOWED: "), text
    code, text, said = explain({"amount": "many"})
    assert code == 2 and text.startswith("NOT ASKED: ") and "do not fit" in said, (text, said)
    # People are not told of, and it is said that they are not.
    code, text, _ = house.verb("who-can", "Money___move", "--gateway", house.gateway.id, json_too=False)
    assert code == 0 and "Not considered: the 0 people of the user pool" in text, text
    code, matrix, said = house.verb("matrix", "--gateway", house.gateway.id)
    assert code == 0 and "people of the user pool" in matrix["notConsidered"][0], (matrix, said)


# --- replay ----------------------------------------------------------------------------------------------------------------


def test_calls_that_were_recorded_are_decided_again(make, tmp_path):
    house = House(make)
    house.gateway.enforce(house.engine.arn)
    house.call(house.manager, ("move", {"amount": 5000}), ("move", {"amount": 5}))
    house.call(house.clerk, ("move", {"amount": 5000}), ("move", {"amount": 5}), ("move", {"amount": 7}))
    house.events(5)
    replay = lambda *arguments: house.verb("replay", *arguments, "--gateway", house.gateway.id)

    code, same, _ = replay()
    assert code == 0 and (same["calls"], same["same"], same["changed"], same["undecidable"]) == (5, 5, 0, 0), same
    # Smaller amounts for everybody.
    smaller = house.permit("move", SMALL.replace("10", "6"))
    new = file(tmp_path, house.permit("move", MANAGER) + "\n" + smaller)
    code, found, said = replay(new)
    assert code == 1 and "1 call would be decided differently" in said, said
    assert by_caller(found["changes"], ("change", "newly denied")) == {(house.clerk.id, "Money___move"): 1}, found
    # Everything for clerks, nothing for managers.
    clerks = house.permit("move", MANAGER.replace("manager", "clerk"))
    code, found, _ = replay(file(tmp_path, clerks, "clerks.cedar"))
    assert code == 1
    assert by_caller(found["changes"], ("change", "newly allowed")) == {(house.clerk.id, "Money___move"): 1}, found
    assert by_caller(found["changes"], ("change", "newly denied")) == {(house.manager.id, "Money___move"): 2}, found
    # One more, and one less.
    code, found, _ = replay("--with", file(tmp_path, house.permit("move", MANAGER, "forbid"), "more.cedar"))
    assert code == 1 and found["changed"] == 2, found
    code, found, _ = replay("--without", house.small)
    assert code == 1 and found["changed"] == 2, found
    code, text, _ = house.verb("replay", new, "--gateway", house.gateway.id, json_too=False)
    assert code == 1 and "newly denied" in text and "5 calls: 4 as before, 1 would change" in text, text
    code, found, _ = replay("--since", "2020-01-01T00:00:00Z", new)
    assert code == 1 and found["calls"] == 5, found
    code, nothing, _ = replay("--since", "2100-01-01T00:00:00Z", new)
    assert code == 0 and nothing["calls"] == 0, nothing
    # What cannot be in force is not tried.
    for arguments, what in (
        ([file(tmp_path, house.permit("move", "context.input.nothing == 1"), "wrong.cedar")], "nothing"),
        ([file(tmp_path, "permit(", "half.cedar")], "cannot be in force"),
        (["--without", "nobody"], "no policy `nobody`"),
        (["--since", "soon"], "is no period"),
        ([str(tmp_path / "absent.cedar")], "cannot read"),
    ):
        code, _, said = replay(*arguments)
        assert code == 2 and what in said, (arguments, said)


def test_what_was_not_recorded_is_undecidable_and_said_to_be(start_server, tmp_path):
    server = start_server()
    house = House(Scenery(server))
    house.gateway.enforce(house.engine.arn)
    house.call(house.manager, ("move", {"amount": 5000}))
    house.call(house.clerk, ("move", {"amount": 5}), ("look", {}))
    house.events(3)
    assert recorded(server) == []
    replay = lambda *arguments: house.verb("replay", *arguments, "--gateway", house.gateway.id)
    code, same, _ = replay()
    assert code == 0 and (same["same"], same["unaffected"], same["undecidable"]) == (1, 2, 0), same
    code, found, _ = replay(file(tmp_path, house.permit("move", MANAGER)))
    assert code == 0 and found["changed"] == 0 and found["undecidable"] == 2, found
    assert {tuple(it["notRecorded"]) for it in found["undecided"]} == {("claims",)}, found
    # A name is known: this is certain.
    gone = house.permit("move", f'principal.id == "{house.clerk.id}"', "forbid")
    code, found, _ = replay("--with", file(tmp_path, gone))
    assert code == 1 and by_caller(found["changes"], ("change", "newly denied")) == {(house.clerk.id, "Money___move"): 1}
    assert found["unaffected"] == 1 and found["undecidable"] == 0, found
    code, found, _ = replay(file(tmp_path, house.permit("look", "true")))
    assert code == 1 and by_caller(found["changes"], ("change", "newly allowed")) == {(house.clerk.id, "Money___look"): 1}
    code, text, _ = house.verb("replay", file(tmp_path, house.permit("move", SMALL)), "--gateway", house.gateway.id, json_too=False)
    assert "without arguments" in text and "2 undecidable" in text, text


# --- what is kept ----------------------------------------------------------------------------------------------------------


def recorded(server: Server, statement="SELECT event, time, contents FROM recorded_calls") -> list:
    """Rows of the table of recordings."""
    if server.database.url:
        connection = server.database.connect()
        with contextlib.closing(connection):
            cursor = connection.cursor()
            cursor.execute(statement)
            rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
            return rows
    with contextlib.closing(sqlite3.connect(server.data_dir / "portcullis.db", timeout=30)) as connection, connection:
        return list(connection.execute(statement))


def bytes_of(server: Server) -> bytes:
    """Everything that the database and the data directory hold, and the log."""
    files = [path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()]
    rows = [bytes(contents) for _, _, contents in recorded(server)]
    if server.database.url:
        rows += [document.encode() for (document,) in recorded(server, "SELECT document FROM audit_events")]
    return b"\n".join([*files, *rows, server.log_file.read_bytes()])


def test_recordings_are_sealed_bounded_and_taken_away(start_server, tmp_path):
    server = start_server(settings=RECORDING)
    house = House(Scenery(server))
    canaries = Canaries()
    note = canaries.plant("an argument")
    scope = house.clerk.scopes[0]
    house.call(house.clerk, ("move", {"amount": 5, "note": note}))
    house.call(house.clerk, ("move", {"amount": 5, "note": "long" * 5000}))
    # What no policy decides is not recorded: these arguments do not fit.
    assert house.call(house.clerk, ("move", {"amount": note})) == [True]
    event, long, *_ = house.events(3)
    rows = until("the recordings", lambda: recorded(server), lambda seen: len(seen) == 2)
    sizes = {row[0]: len(bytes(row[2])) for row in rows}
    # The long one holds the claims alone.
    assert 100 < sizes[event["eventId"]] < 4000 and 100 < sizes[long["eventId"]] < 4000, sizes
    everything = bytes_of(server)
    assert canaries.found(everything) == []
    assert scope.encode() not in b"".join(bytes(row[2]) for row in rows)
    # It is there all the same, for whoever has the key.
    noted = house.permit("move", f'context.input has note && context.input.note == "{note}"', "forbid")
    code, found, _ = house.verb("replay", "--with", file(tmp_path, noted), "--gateway", house.gateway.id)
    assert code == 1 and found["changed"] == 1 and found["undecidable"] == 1, found
    # One that was moved to another event does not open.
    one, other = (row[0] for row in rows)
    recorded(server, f"UPDATE recorded_calls SET event = 'x' WHERE event = '{one}'")
    recorded(server, f"UPDATE recorded_calls SET event = '{one}' WHERE event = '{other}'")
    code, found, _ = house.verb("replay", "--with", file(tmp_path, noted), "--gateway", house.gateway.id)
    assert code == 0 and found["undecidable"] == 2, found
    # Its time is over.
    recorded(server, f"UPDATE recorded_calls SET time = time - {31 * DAY} WHERE event = 'x'")
    server.restart()
    until("the old one is gone", lambda: recorded(server), lambda seen: len(seen) == 1)
    assert house.events(2), "events stay"


# --- diff ------------------------------------------------------------------------------------------------------------------


def test_a_difference_is_shown_by_a_request(make, tmp_path):
    house = House(make)
    diff = lambda *arguments: house.verb("diff", *arguments, "--gateway", house.gateway.id)
    old = [house.permit("move", MANAGER), house.permit("move", SMALL)]
    code, same, _ = diff(file(tmp_path, "\n".join(reversed(old))))
    assert code == 0 and same["same"], same
    # Another way to say it.
    clumsy = house.permit("move", f"({MANAGER}) || ({SMALL} && context.input.amount < 11)")
    code, same, said = diff(file(tmp_path, clumsy))
    assert code == 0 and same["same"] and same["kinds"] > 0, (same, said)
    larger = [old[0], house.permit("move", SMALL.replace("10", "12"))]
    code, found, said = diff(file(tmp_path, "\n".join(larger)))
    [change] = found["changes"]
    assert code == 1 and change["change"] == "newly allowed" and change["tool"] == "Money___move", found
    assert 10 <= change["witness"]["context"]["input"]["amount"] < 12, change
    code, found, _ = diff(file(tmp_path, old[1]))
    [change] = found["changes"]
    assert change["change"] == "newly denied" and change["witness"]["principal"]["tags"]["scope"].endswith("/manager"), change
    two = file(tmp_path, old[0], "one.cedar"), file(tmp_path, "\n".join(old), "two.cedar")
    code, text, _ = house.verb("diff", *two, "--gateway", house.gateway.id, json_too=False)
    assert code == 1 and "newly allowed: Money___move by AgentCore::OAuthUser" in text and "for example" in text, text


def test_without_a_solver_only_what_is_the_same_is_known_to_be(make, tmp_path):
    house = House(make)
    absent = f"no-such-solver-{secrets.token_hex(4)}"
    diff = lambda *arguments: house.verb("diff", *arguments, "--gateway", house.gateway.id, "--solver-program", absent)
    old = [house.permit("move", MANAGER), house.permit("move", SMALL)]
    again = "\n// said again\n".join(reversed(old)).replace(" && ", "\n  &&\n  ")
    code, same, _ = diff(file(tmp_path, again))
    assert code == 0 and same["same"], same
    code, _, said = diff(file(tmp_path, old[0]))
    assert code == 2 and "--solver-program" in said and "\\n" not in said, said
    # What the configuration says of the solver holds for the verb too.
    settings = tmp_path / "off.toml"
    settings.write_text('[policy]\nsolver = "off"\n')
    code, _, said = house.verb("diff", file(tmp_path, old[0]), "--gateway", house.gateway.id, "--config", str(settings))
    assert code == 2 and "switched off" in said and "--policy-solver auto" in said, said
    code, found, said = house.verb(
        "diff", file(tmp_path, old[0]), "--gateway", house.gateway.id, "--config", str(settings), "--policy-solver", "auto"
    )
    assert code == 1 and found["changes"][0]["change"] == "newly denied", said
