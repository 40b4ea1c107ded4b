"""Holds an answer of the server against AWS's own model of it, byte by byte where botocore would look away.

botocore drops members that it does not know and forgives those that are missing. Here nothing is forgiven: no unknown
member, every required one, types, formats of moments, values of enumerations, patterns and lengths, and no optional
that is there and empty (a client that sends such a thing back breaks the constraints of the request). Lambda and Cognito
do show empty optionals on AWS, and their clients expect them: there, only what breaks its own constraint is wrong.
"""

import base64
import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from datetime import datetime

import botocore.session

from portcullis import PROJECT

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
SURFACE = tomllib.loads((PROJECT / "models" / "surface.toml").read_text())
WIDENED = {  # models/overrides.toml
    "RuntimeContainerUri": r"https?://.*",
    "McpServerTargetConfigurationEndpointString": r"https?://.*",
    "PolicyName": r"[A-Za-z][A-Za-z0-9_-]*",
    "ApiKeyCredentialProviderArnType": r"arn:aws:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:token-vault/default/apikeycredentialprovider/[a-zA-Z0-9_-]+",
    "CredentialProviderArnType": r"arn:aws:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:token-vault/default/oauth2credentialprovider/[a-zA-Z0-9_-]+",
}

_session = botocore.session.Session()
_models = {}


def model(service: str):
    """AWS's model of a service, as botocore ships it."""
    if service not in _models:
        _models[service] = _session.get_service_model(service)
    return _models[service]


def promised() -> set:
    """Every (service, operation) of models/surface.toml."""
    return {
        (service, operation)
        for service, promise in SURFACE.items()
        for operations in promise["resources"].values()
        for operation in operations
    }


# What IAM answers whole, with its lists empty.
WHOLE = {
    "EvaluationResult",
    "GetAccountAuthorizationDetailsResponse",
    "UserDetail",
    "GroupDetail",
    "RoleDetail",
    "GetContextKeysForPolicyResponse",
}


def problems(service: str, operation: str, status: int, headers, body: bytes) -> list:
    """What is wrong with an answer; an empty list for nothing."""
    described = model(service).operation_model(operation)
    found = []
    expected = described.http.get("responseCode") or 200
    if status != expected and "statusCode" not in _locations(described.output_shape):
        found.append(f"the status is {status}, not {expected}")
    if not headers.get("x-amzn-requestid"):
        found.append("there is no x-amzn-requestid")
    check = Check(service)
    protocol = model(service).metadata["protocol"]
    if protocol == "query":
        found += check.query(described, body)
    elif protocol == "json":
        found += check.json(described, body, headers)
    else:
        found += check.rest(described, headers, body)
    return found


class Check:
    """Checks the answers of one service."""

    def __init__(self, service: str):
        # Lambda's and Cognito's clients are used to empty optionals.
        self.nothing_empty = service.startswith("bedrock-agentcore")

    def json(self, described, body: bytes, headers) -> list:
        if headers.get("content-type") != "application/x-amz-json-1.1":
            return [f"the content type is {headers.get('content-type')}"]
        if described.output_shape is None or not described.output_shape.members:
            return (
                [] if body in (b"", b"{}") else [f"the body should be empty: {body!r}"]
            )
        return list(self._structure(described.output_shape, json.loads(body), ""))

    def rest(self, described, headers, body: bytes) -> list:
        shape = described.output_shape
        found = []
        if shape is None:
            return [f"the body should be empty: {body!r}"] if body else []
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            wire = member.serialization.get("name", name)
            if (
                location == "header"
                and name in shape.required_members
                and wire.lower() not in headers
            ):
                found.append(f"the header {wire} is missing")
            if location == "header" and headers.get(wire) == "":
                found.append(f"the header {wire} is empty")
        if "payload" in shape.serialization:
            return found
        inside = {
            name: member
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        if not inside:
            return found + (
                [f"the body should be empty: {body!r}"]
                if body not in (b"", b"{}")
                else []
            )
        if headers.get("content-type") != "application/json":
            found.append(f"the content type is {headers.get('content-type')}")
        return found + list(self._structure(shape, json.loads(body), ""))

    def _structure(self, shape, value, path: str):
        if not isinstance(value, dict):
            yield f"{path or '/'} is not an object: {value!r}"
            return
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        for wire in value.keys() - members.keys():
            yield f"{path}/{wire} is not a member of {shape.name}"
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            yield f"{path} is a union and has {len(value)} members"
        for wire, (name, member) in members.items():
            required = name in shape.required_members
            if wire not in value:
                if required:
                    yield f"{path}/{wire} is required and missing"
                continue
            yield from self._value(
                member,
                value[wire],
                f"{path}/{wire}",
                required or _is_page(shape, path, member),
            )

    def _value(self, shape, value, path: str, required: bool = True):
        if value is None:
            yield f"{path} is null"
        elif (
            value in ("", [], {}) and not required and self._must_hold_something(shape)
        ):
            yield f"{path} is optional, and there, and empty"
        elif shape.type_name == "structure":
            yield from self._structure(shape, value, path)
        elif shape.type_name == "list":
            if not isinstance(value, list):
                yield f"{path} is not a list: {value!r}"
            else:
                for place, element in enumerate(value):
                    yield from self._value(shape.member, element, f"{path}/{place}")
        elif shape.type_name == "map":
            if not isinstance(value, dict):
                yield f"{path} is not a map: {value!r}"
            else:
                for key, inner in value.items():
                    yield from self._scalar(shape.key, key, f"{path}/{key}")
                    yield from self._value(shape.value, inner, f"{path}/{key}")
        else:
            yield from self._scalar(shape, value, path)

    def _scalar(self, shape, value, path: str):
        kind = shape.type_name
        if kind in ("string", "character"):
            if not isinstance(value, str):
                yield f"{path} is not text: {value!r}"
            else:
                yield from _text(shape, value, path)
        elif kind in ("integer", "long"):
            if not isinstance(value, int) or isinstance(value, bool):
                yield f"{path} is not a whole number: {value!r}"
            else:
                yield from _range(shape, value, path)
        elif kind in ("float", "double"):
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                yield f"{path} is not a number: {value!r}"
        elif kind == "boolean":
            if not isinstance(value, bool):
                yield f"{path} is not true or false: {value!r}"
        elif kind == "timestamp":
            yield from _moment(shape, value, path)
        elif kind == "blob":
            base64.b64decode(value, validate=True)
        else:
            yield f"{path} has the type {kind}, which this check does not know"

    def query(self, described, body: bytes) -> list:
        namespace = described.service_model.metadata["xmlNamespace"]
        root = ElementTree.fromstring(body)
        name = described.name
        if root.tag != f"{{{namespace}}}{name}Response":
            return [f"the root is {root.tag}"]
        tags = [_bare(child.tag) for child in root]
        shape = described.output_shape
        wrapper = (
            shape.serialization.get("resultWrapper") if shape is not None else None
        )
        expected = ([wrapper] if wrapper else []) + ["ResponseMetadata"]
        if tags != expected:
            return [f"the root has {tags}, not {expected}"]
        if not root.findtext(
            f"{{{namespace}}}ResponseMetadata/{{{namespace}}}RequestId"
        ):
            return ["there is no RequestId"]
        return list(self._xml_structure(shape, root[0], "")) if wrapper else []

    def _xml_structure(self, shape, element, path: str):
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
        }
        seen = [_bare(child.tag) for child in element]
        for tag in set(seen):
            if seen.count(tag) > 1:
                yield f"{path}/{tag} is there {seen.count(tag)} times"
            if tag not in members:
                yield f"{path}/{tag} is not a member of {shape.name}"
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in seen:
                yield f"{path}/{name} is required and missing"
        for child in element:
            tag = _bare(child.tag)
            if tag in members:
                name, member = members[tag]
                required = (
                    name in shape.required_members
                    or _is_page(shape, path, member)
                    or shape.name in WHOLE
                )
                yield from self._xml_value(member, child, f"{path}/{tag}", required)

    def _xml_value(self, shape, element, path: str, required: bool = True):
        kind = shape.type_name
        if kind == "structure":
            yield from self._xml_structure(shape, element, path)
        elif kind == "list":
            if not len(element) and not required:
                yield f"{path} is optional, and there, and empty"
            wire = shape.member.serialization.get("name", "member")
            for place, child in enumerate(element):
                if _bare(child.tag) != wire:
                    yield f"{path}/{place} is called {child.tag}"
                yield from self._xml_value(shape.member, child, f"{path}/{place}")
        else:
            text = element.text or ""
            if not text and not required:
                yield f"{path} is optional, and there, and empty"
            elif kind == "timestamp":
                if not MOMENT.fullmatch(text):
                    yield f"{path} is not a moment as ISO 8601 writes it: {text!r}"
            elif kind in ("integer", "long"):
                yield from _range(shape, int(text), path)
            elif kind == "boolean":
                if text not in ("true", "false"):
                    yield f"{path} is not true or false: {text!r}"
            else:
                yield from _text(shape, text, path)

    def _must_hold_something(self, shape) -> bool:
        return self.nothing_empty or shape.metadata.get("min", 0) > 0


def _locations(shape) -> set:
    members = shape.members.values() if shape is not None else ()
    return {member.serialization.get("location") for member in members}


def _is_page(shape, path: str, member) -> bool:
    """Whether a member is what a list operation lists: that may be nothing."""
    return (
        not path
        and member.type_name in ("list", "map")
        and shape.name.startswith("List")
    )


def _text(shape, value: str, path: str):
    enumeration = getattr(shape, "enum", [])
    if enumeration and value not in enumeration:
        yield f"{path} is {value!r}, none of {enumeration}"
    pattern = WIDENED.get(shape.name, shape.metadata.get("pattern"))
    if pattern and "\\p{" not in pattern and not re.fullmatch(pattern, value):
        yield f"{path} is {value!r}, which is not {pattern}"
    if (
        not shape.metadata.get("min", 0)
        <= len(value)
        <= shape.metadata.get("max", len(value))
    ):
        yield f"{path} has the length {len(value)}"


def _range(shape, value: int, path: str):
    if (
        not shape.metadata.get("min", value)
        <= value
        <= shape.metadata.get("max", value)
    ):
        yield f"{path} is {value}"


def _moment(shape, value, path: str):
    form = shape.serialization.get("timestampFormat")
    if form == "iso8601":
        if not isinstance(value, str) or not MOMENT.fullmatch(value):
            yield f"{path} is not a moment as ISO 8601 writes it: {value!r}"
        else:
            datetime.fromisoformat(value)
    elif (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not 1.6e9 < value < 4e9
    ):
        yield f"{path} is not a moment in seconds: {value!r}"


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]
