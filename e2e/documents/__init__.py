"""The code of the documents, as printed: what readers copy must run as they copy it."""

import importlib.util
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def load(path: str):
    """A Python block, imported as a module of its own."""
    file = FOLDER / f"{path}.py"
    spec = importlib.util.spec_from_file_location(f"documents.{path.replace('/', '.')}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(path: str) -> str:
    """A block of another kind, as it stands."""
    return (FOLDER / path).read_text()
