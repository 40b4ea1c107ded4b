"""How a gateway may differ from the server behind it, in the eyes of the conformance suite.

`PURPOSE` is what a gateway is for, and stays: a run of `test_conformance.py` (or `*`: any), a scenario, a check of it (or
`*`: any) and the reason. `UNBUILT` is what it does not do yet, and goes: a run, and its scenarios (or `*`: any; to be taken
out when the work on that revision begins). An entry that no longer differs fails the test, and so does a difference
without an entry.
"""

NO_STANDING_STREAM = (
    "A gateway offers no stream that stands open without a request, as AgentCore's does not: what a server changes is "
    "held until somebody approves it, and is seen at the next list."
)
NOT_RESUMED = "A gateway keeps no events from which a broken stream could go on: the client asks again."
UNNAMED_INPUTS = (
    "A server of 2025 asks for one input after the other, and its questions have no names: the gateway names them."
)
STREAMS = "A gateway streams to whoever takes streams; the server alone answers without."
LISTEN = [
    "sep-2575-server-honors-notification-filter",
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-subscription-ack",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
    "sep-2575-server-tags-subscription-id",
]
FORMER = ["2025-11-25", "2025-11-25 to 2026-07-28"]
NEWEST = ["2026-07-28", "2026-07-28 to 2025-11-25"]
BRIDGED = "2026-07-28 to 2025-11-25"

PURPOSE = [
    *[
        (run, scenario, "*", NO_STANDING_STREAM)
        for run in ["0.1.16", *FORMER]
        for scenario in ["resources-subscribe", "resources-unsubscribe"]
    ],
    *[(run, "server-sse-polling", "*", NOT_RESUMED) for run in FORMER],
    *[(run, "server-stateless", check, NO_STANDING_STREAM) for run in NEWEST for check in LISTEN],
    *[(run, "server-sse-multiple-streams", "server-sse-streams-functional", STREAMS) for run in NEWEST],
    (BRIDGED, "input-required-result-basic-elicitation", "*", UNNAMED_INPUTS),
    (BRIDGED, "input-required-result-ignore-extra-params", "*", UNNAMED_INPUTS),
    (BRIDGED, "input-required-result-multiple-input-requests", "*", UNNAMED_INPUTS),
    *[
        (BRIDGED, "server-stateless", check, "A server of 2025 says in a result what it lacks, and not in an error.")
        for check in ["sep-2575-missing-capability-http-400", "sep-2575-server-rejects-undeclared-capability"]
    ],
]
UNBUILT = {}
