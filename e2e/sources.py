"""Source distributions of published packages, for the tests that they carry: fetched by their hashes, and never edited."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINS = HERE / "requirements-sources.txt"
FOLDER = HERE / ".sources"


def source(package: str, version: str) -> Path:
    """A package's source, of the version that is pinned, which must be the one that is installed."""
    assert f"\n{package}=={version} " in PINS.read_text(), f"{PINS.name} pins another version than {package} {version}"
    # Of these very pins: others are fetched anew.
    kept = FOLDER / hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    if not kept.is_dir():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as place:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            # hatchling, which the distributions are read with, is installed: nothing else is fetched for it.
            command += ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--dest", place]
            subprocess.run([*command, "--requirement", str(PINS)], check=True, timeout=300)
            unpacked = Path(place) / "unpacked"
            for archive in Path(place).glob("*.tar.gz"):
                with tarfile.open(archive) as opened:
                    opened.extractall(unpacked, filter="data")
            unpacked.rename(kept)
    return kept / f"{package.replace('-', '_')}-{version}"
