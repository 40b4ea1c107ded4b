"""FastMCP's reading of OpenAPI documents: paths on standard input, one JSON line each on standard output.

It runs in an environment of its own (requirements-openapi.txt).
"""

import json
import logging
import sys

from fastmcp.utilities.openapi import parse_openapi_to_http_routes


def main():
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        path = line.rstrip("\n")
        try:
            with open(path, encoding="utf-8") as file:
                routes = parse_openapi_to_http_routes(json.load(file))
            said = {"tools": [said_of(route) for route in routes]}
        except Exception as error:  # whatever it stumbles over is its answer
            said = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps({"path": path, **said}), flush=True)


def said_of(route) -> dict:
    schema = route.flat_param_schema or {}
    return {"method": route.method, "path": route.path, "required": schema.get("required", [])}


if __name__ == "__main__":
    main()
