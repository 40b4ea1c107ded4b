"""Programs of Node for the tests: where they are, and how they are run.

`cargo xtask test` installs Node and the packages of `conformance/package.json` (README.md says how by hand).
"""

import os
import shutil
import subprocess
from pathlib import Path

from portcullis import PROJECT, plain_environment

ENVIRONMENT = "PORTCULLIS_E2E_NODE"
FOLDER = PROJECT / "e2e" / ".node"
PACKAGES = FOLDER / "node_modules"


def program() -> str:
    node = os.environ.get(ENVIRONMENT)
    assert node and os.access(node, os.X_OK), f"set {ENVIRONMENT} to the program node, version 22.19 or newer"
    assert PACKAGES.is_dir(), f"there is no {PACKAGES}: e2e/README.md says how to install it"
    return node


def environment() -> dict:
    """The plain one, with node where programs of Node look for it."""
    plain = plain_environment()
    return {**plain, "PATH": f"{Path(program()).parent}{os.pathsep}{plain.get('PATH', '')}", "NO_COLOR": "1"}


def run(script: Path, *arguments, **settings) -> subprocess.CompletedProcess:
    command = [program(), str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, **settings)


def among_packages(script: str) -> Path:
    """A script of ours, copied to where its imports are found."""
    shutil.copyfile(PROJECT / "e2e" / script, FOLDER / script)
    return FOLDER / script
