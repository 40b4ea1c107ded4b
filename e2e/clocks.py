"""Clocks that are wrong: libfaketime (Debian's package `libfaketime`) tells a process another time, which a test may change while it
runs. Only the time of day is another: how time passes, by which leases are counted, no clock's error changes.
"""

from pathlib import Path

import pytest


def library() -> Path:
    """libfaketime, for processes with threads."""
    places = [*Path("/usr/lib").glob("*/faketime"), Path("/usr/lib/faketime"), Path("/usr/local/lib/faketime")]
    found = [place / "libfaketimeMT.so.1" for place in places]
    for it in found:
        if it.is_file():
            return it
    pytest.skip("clocks are not tried: libfaketime is not there (Debian's package `libfaketime`)")


class Clock:
    """The clock of a server."""

    def __init__(self, file: Path, ahead: int = 0):
        self.file = file
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(ahead)

    def set(self, ahead: int):
        """So many seconds ahead of the time, or behind it."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}\n")
        fresh.rename(self.file)
