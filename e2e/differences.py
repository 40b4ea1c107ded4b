"""How a gateway may differ from the server behind it, in the eyes of the conformance suite.

`PURPOSE` is what a gateway is for, and stays: a run of `test_conformance.py` (or `*`: any), a scenario, a check of it (or
`*`: any) and the reason. `UNBUILT` is what it does not do yet, and goes: a run, and its scenarios (or `*`: any; to be taken
out when the work on that revision begins). An entry that no longer differs fails the test, and so does a difference
without an entry.
"""

PURPOSE = []

SESSIONS_AND_STREAMS = [
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "logging-set-level",
    "server-sse-multiple-streams",
    "tools-call-elicitation",
    "tools-call-sampling",
    "tools-call-with-logging",
    "tools-call-with-progress",
]
PROMPTS_AND_RESOURCES = [
    "completion-complete",
    "prompts-get-embedded-resource",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-with-image",
    "prompts-list",
    "resources-list",
    "resources-read-binary",
    "resources-read-text",
    "resources-subscribe",
    "resources-templates-read",
    "resources-unsubscribe",
]
UNBUILT = {
    "0.1.16": SESSIONS_AND_STREAMS + PROMPTS_AND_RESOURCES,
    "2025-11-25": SESSIONS_AND_STREAMS
    + PROMPTS_AND_RESOURCES
    + ["server-initialize", "server-session-lifecycle", "server-sse-polling"],
    "2026-07-28": ["*"],
    "2025-11-25 to 2026-07-28": ["*"],
    "2026-07-28 to 2025-11-25": ["*"],
}
