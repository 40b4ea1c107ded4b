#!/usr/bin/env python3
"""Take AWS's service models out of an installed botocore, as data and without its prose.

    python3 models/import.py            # with botocore of the version in provenance.toml importable

Each file keeps every operation and shape of its service, one a line, so that a new botocore shows as a readable
difference. What Portcullis promises of them is in surface.toml; where a constraint is wider here, in overrides.toml.
"""

import gzip
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
SERVICES = {
    "bedrock-agentcore": "2024-02-28",
    "bedrock-agentcore-control": "2023-06-05",
    "cloudtrail": "2013-11-01",
    "cognito-idp": "2016-04-18",
    "iam": "2010-05-08",
    "kms": "2014-11-01",
    "lambda": "2015-03-31",
    "logs": "2014-03-28",
    "secretsmanager": "2017-10-17",
    "ses": "2010-12-01",
    "sts": "2011-06-15",
    "xray": "2016-04-12",
}
METADATA = ("apiVersion", "endpointPrefix", "jsonVersion", "protocol", "serviceFullName", "serviceId",
            "signingName", "targetPrefix", "xmlNamespace")
PROSE = {"documentation", "documentationUrl", "deprecatedMessage", "deprecatedSince", "examples"}


def without_prose(value):
    """The value without the members that only people read."""
    if isinstance(value, dict):
        return {key: without_prose(inner) for key, inner in value.items()
                if not (key in PROSE and isinstance(inner, str))}
    if isinstance(value, list):
        return [without_prose(inner) for inner in value]
    return value


def lines(mapping):
    """A JSON object with one member a line."""
    rows = [f"    {json.dumps(key)}: {json.dumps(mapping[key], separators=(', ', ': '))}" for key in sorted(mapping)]
    return "{\n" + ",\n".join(rows) + "\n  }"


def main():
    try:
        import botocore
    except ImportError:
        sys.exit("botocore is not importable: run this with a Python that has it, as provenance.toml names it")
    data = pathlib.Path(botocore.__file__).parent / "data"
    for service, version in SERVICES.items():
        model = json.loads(gzip.decompress((data / service / version / "service-2.json.gz").read_bytes()))
        metadata = {key: model["metadata"][key] for key in METADATA if key in model["metadata"]}
        operations = {name: without_prose(it) for name, it in model["operations"].items()}
        # A member may itself be called "documentation": prose is dropped from each shape, not from its members' names.
        shapes = {}
        for name, shape in model["shapes"].items():
            kept = {key: inner for key, inner in shape.items() if key not in PROSE}
            if "members" in kept:
                kept["members"] = {member: without_prose(inner) for member, inner in kept["members"].items()}
            for part in ("member", "key", "value"):
                if part in kept:
                    kept[part] = without_prose(kept[part])
            shapes[name] = kept
        text = "{\n" + ",\n".join([
            f'  "metadata": {lines(metadata)}',
            f'  "operations": {lines(operations)}',
            f'  "shapes": {lines(shapes)}',
        ]) + "\n}\n"
        (HERE / f"{service}.json").write_text(text)
        print(f"{service}: {len(operations)} operations, {len(shapes)} shapes")
    (HERE / "provenance.toml").write_text(
        "# Where the models come from. Written by import.py.\n"
        'source = "botocore, https://pypi.org/project/botocore/"\n'
        f'version = "{botocore.__version__}"\n'
        'licence = "Apache-2.0"\n'
        'copyright = "Amazon.com, Inc. or its affiliates"\n'
        'changes = "prose removed, operations and shapes sorted, one a line; otherwise unaltered"\n'
    )


if __name__ == "__main__":
    main()
