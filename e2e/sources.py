"""Source distributions of published packages, for the tests that they carry, fetched by their hashes and never edited; and
packages that one test needs, apart from the environment."""

import contextlib
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
    return kept(PINS, unpack) / f"{package.replace('-', '_')}-{version}"


def packages(requirements: str) -> Path:
    """A folder for PYTHONPATH with the packages of a file that names all of them."""
    return kept(HERE / requirements, lambda place: pip("install", "--no-deps", "--target", place / "made", "-r", HERE / requirements))


def unpack(place: Path):
    # hatchling, which the distributions are read with, is installed: nothing else is fetched for it.
    pip("download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--dest", place, "-r", PINS)
    for archive in place.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(place / "made", filter="data")


def pip(verb: str, *arguments):
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=300)


def kept(pins: Path, make) -> Path:
    """What was made of these very pins; others are fetched anew."""
    folder = FOLDER / f"{pins.stem}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as place:
            make(Path(place))
            with contextlib.suppress(OSError):
                # Another run may have been as quick.
                (Path(place) / "made").rename(folder)
    assert folder.is_dir(), f"there is no {folder}"
    return folder
