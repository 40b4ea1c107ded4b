"""`portcullis demo --exit`: the story that a newcomer sees first, whole, quick, and leaving nothing behind."""

import os
import re
import subprocess
import time

import documents
from portcullis import binary, plain_environment

SECONDS = 15


def test_the_demo_tells_its_story_and_leaves_nothing(tmp_path):
    environment = {**plain_environment(), "TMPDIR": str(tmp_path)}
    began = time.monotonic()
    told = subprocess.run(
        [binary(), "demo", "--exit", "--listen", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    seconds = time.monotonic() - began
    assert told.returncode == 0, told.stderr
    story = told.stdout

    # What section 6.6 of the guide prints, block by block, in its order.
    place = 0
    for block in documents.text("guide/section_6_6_output.txt").strip().split("\n\n"):
        found = re.search("\n".join(rf"\s*{re.escape(line.strip())}" for line in block.splitlines()), story[place:])
        assert found, f"{block}\nis not in\n{story[place:]}"
        place += found.end()

    # A denied call with its reason, and the audit trail that names who was denied what.
    rest = story[place:]
    assert re.search(r"developer.*(?i:den)", rest), rest
    assert "Tool Execution Denied" in rest, rest
    trail = [line for line in rest.splitlines() if re.search(r"\b(allow|DENY)\b.*MyTarget___markdown_to_email", line)]
    assert any("DENY" in line for line in trail) and any("allow" in line for line in trail), rest
    assert seconds < SECONDS, f"the demo took {seconds:.1f} s"

    assert os.listdir(tmp_path) == [], "the demo left its folder"
    assert processes_with(str(tmp_path)) == [], "the demo left processes"


def processes_with(folder: str) -> list:
    """The processes that were started with TMPDIR in this folder, or run in it."""
    left = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ", "rb") as environment:
                held = environment.read().decode(errors="replace")
            folder_of_process = os.readlink(f"/proc/{process}/cwd")
        except OSError:
            continue
        if f"TMPDIR={folder}" in held or folder_of_process.startswith(folder):
            left.append(process)
    return left
