"""Disks that can be full: small ones in memory, mounted for a test."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path, megabytes: int):
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir(parents=True, exist_ok=True)
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
        done = subprocess.run(mounting, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no disk can be mounted here, which root may where containers allow it: {done.stderr.strip()}")

    def fill(self):
        """Nothing more fits on it."""
        with contextlib.suppress(OSError), open(self.ballast, "ab") as ballast:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(ballast.fileno(), bytes(size))

    def make_room(self):
        self.ballast.unlink(missing_ok=True)

    def close(self):
        # Whatever still uses it keeps it until it ends.
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@contextlib.contextmanager
def disk(folder: Path | None = None, megabytes: int = 96):
    """A disk at a folder; without one, at a place that everybody may enter."""
    made = Disk(folder or Path(tempfile.mkdtemp(prefix="portcullis-disk-")), megabytes)
    try:
        yield made
    finally:
        made.close()
        if folder is None:
            made.folder.rmdir()
