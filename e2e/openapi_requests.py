"""What an operation's call must look like on the wire, by a plain reading of its document and of OpenAPI 3.1.1.

Written apart from the gateway's code, in the order of the specification: "Style Values", "Encoding Object", "XML
Object". What the specification leaves undefined is as docs/openapi.md says.
"""

import base64
import json
import re
import urllib.parse
from xml.etree.ElementTree import canonicalize
from xml.sax.saxutils import escape as xml_escape

from openapi_differences import ELSEWHERE
from openapi_documents import Document, Parameter, is_read_only
from openapi_values import PLAIN, PRINTABLE, Values, kind_of

ALTERNATIVES = ("oneOf", "anyOf", "not", "if", "patternProperties")


class Call:
    """One operation with arguments, and what they must become."""

    def __init__(self, document: Document, method: str, path: str, item: dict, operation: dict):
        self.document, self.method, self.path, self.operation = document, method, path, operation
        self.values = Values(document, f"{document.path.name} {method} {path}")
        self.parameters = [one for one in document.parameters(item, operation) if self.is_argument(one)]
        self.parameters.sort(key=lambda one: ("path", "query", "header", "cookie").index(one.place))
        self.content = document.body(operation).get("content") or {}
        self.media_type = min(self.content, key=body_kind_order) if self.content else None
        self.media = self.content[self.media_type] if self.media_type else {}
        self.kind = body_kind(self.media_type) if self.media_type else None
        self.arguments, self.sent, self.body = {}, {}, None

    def is_argument(self, parameter: Parameter) -> bool:
        name = parameter.name.lower() if parameter.place == "header" else parameter.name
        elsewhere = parameter.place == "header" and name in ELSEWHERE
        in_path = parameter.place != "path" or "{" + parameter.name + "}" in self.path
        return in_path and not elsewhere and (name, parameter.place) not in self.document.credentials()

    def tool(self) -> str:
        """The tool's name, by the naming rule."""
        runs = re.split(r"[^A-Za-z0-9_.-]+", self.operation.get("operationId") or "")
        # A run of what is not allowed becomes one underscore, and at the ends none.
        plain = "_".join(runs[0 if runs[0] else 1 :])
        plain = plain if runs[-1] else plain.rstrip("_")
        words = re.findall(r"[A-Za-z0-9]+", self.path)
        return plain or "_".join([self.method.lower(), *words])

    def traits(self) -> set:
        """What a call of it tries out."""
        found = {one.place for one in self.parameters} | ({f"{self.kind} body"} if self.kind else set())
        for one in self.parameters:
            style, explode, _ = style_of(one)
            kind = kind_of(self.values.merged(schema_of(one)))
            if kind in ("array", "object") or style == "json":
                found.add(f"{one.place} {kind} {style} {'exploded' if explode else 'whole'}")
        return found

    def make(self) -> "Call":
        """Chooses the arguments."""
        members = self.body_members()
        if self.kind is not None:
            self.make_body(members)
        for one in self.parameters:
            alphabet = {"header": PRINTABLE, "path": PLAIN + " /?#&=+%,;:@ß€𝄞"}.get(one.place)
            value = self.values.of(schema_of(one), *([alphabet] if alphabet else []))
            name = one.name
            while name in self.arguments or members is not None and name in members:
                name = f"{name}__{one.place}"
            self.arguments[name] = self.sent[one.name, one.place] = value
        return self

    def body_members(self) -> dict | None:
        """The members of a body that is an object, which are arguments of their own."""
        if self.kind in (None, "text", "binary"):
            return None
        branches = list(self.document.branches(self.media.get("schema") or {}))
        if any(word in branch for branch in branches for word in ALTERNATIVES):
            return None
        if any(branch.get("type", "object") != "object" for branch in branches):
            return None
        members = {
            name: member
            for branch in branches
            for name, member in (branch.get("properties") or {}).items()
            if not is_read_only(self.document, member)
        }
        return members or None

    def make_body(self, members: dict | None):
        schema = self.media.get("schema") or {}
        if self.kind == "text":
            self.body = self.values.text({}, PLAIN + " é", 0)
        elif self.kind == "binary":
            self.body = self.values.text({"format": "binary"}, "", 0)
        else:
            self.body = self.values.of(schema)
        if members is None:
            self.arguments["body"] = self.body
        else:
            self.arguments |= self.body

    # --- what must arrive ----------------------------------------------------------------------------------------

    def target(self) -> str:
        """Path and query, to the byte."""
        path = self.path.split("#")[0]
        path = re.sub(r"\{([^}]+)\}", lambda found: self.in_path(found[1]), path)
        pairs = [self.in_query(one) for one in self.parameters if one.place == "query"]
        query = "&".join(pair for pair in pairs if pair)
        return path + ("&" if query and "?" in path else "?" if query else "") + query

    def in_path(self, name: str) -> str:
        [one] = [one for one in self.parameters if (one.name, one.place) == (name, "path")]
        style, explode, _ = style_of(one)
        value = self.sent[name, "path"]
        if style == "json":
            return quoted(compact(value))
        if style == "matrix":
            return matrix(name, value, explode)
        if style == "label":
            return "." + simple(value, explode, "." if explode else ",")
        return simple(value, explode, ",")

    def in_query(self, one: Parameter) -> str:
        style, explode, reserved = style_of(one)
        return "&".join(named(one.name, self.sent[one.name, one.place], style, explode, reserved))

    def headers(self) -> dict:
        """The headers that are parameters, the cookie and the body's type, by name in lower case."""
        found = {}
        for one in self.parameters:
            value = self.sent[one.name, one.place]
            if one.place == "header":
                style, explode, _ = style_of(one)
                found[one.name.lower()] = (
                    compact(value) if style == "json" else simple(value, explode, ",", quote=lambda text: text)
                )
        cookies = []
        for one in self.parameters:
            if one.place == "cookie":
                style, explode, _ = style_of(one)
                cookies += named(one.name, self.sent[one.name, one.place], style, explode, "")
        return found | ({"cookie": "; ".join(cookies)} if cookies else {})

    def content_type(self) -> str | None:
        """The body's media type, without a boundary."""
        return {"*/*": "application/json", "application/*": "application/json"}.get(self.media_type, self.media_type)

    def is_bodiless(self) -> bool:
        """Whether nothing is sent: a body that nobody requires and of which nothing is given."""
        return self.kind is None or self.body == {} and not self.document.body(self.operation).get("required")

    def assert_body(self, content_type: str | None, arrived: bytes):
        """Compares the body to the byte; for XML, as canonical XML."""
        if self.is_bodiless():
            equal("body", (content_type, arrived), (None, b""))
        elif self.kind == "multipart":
            kind, _, boundary = content_type.partition("; boundary=")
            equal("content type", kind, "multipart/form-data")
            equal("parts", parts_of(arrived, boundary), self.parts())
        else:
            equal("content type", content_type, self.content_type())
            if self.kind == "xml":
                equal("XML declaration", arrived[:6], b"<?xml ")
                equal("XML", canonicalize(arrived.decode()), canonicalize(self.xml()))
            else:
                equal("body", arrived, self.plain_body())

    def plain_body(self) -> bytes:
        if self.kind == "json":
            return compact(self.body).encode()
        if self.kind == "binary":
            return base64.b64decode(self.body)
        if self.kind == "text":
            return self.body.encode()
        pairs = []
        for name, value in self.body.items():
            encoding = (self.media.get("encoding") or {}).get(name) or {}
            style = encoding.get("style") or ("json" if "json" in encoding.get("contentType", "") else "form")
            explode = encoding.get("explode", style == "form")
            pairs += named(name, value, style, explode, "")
        return "&".join(pairs).encode()

    def parts(self) -> list:
        """Head and content of each part of a multipart body."""
        found = []
        properties = self.values.merged(self.media.get("schema") or {}).get("properties") or {}
        for name, value in self.body.items():
            schema = self.document.follow(properties.get(name))
            if schema.get("type") == "array":
                schema = self.document.follow(schema.get("items"))
            encoding = (self.media.get("encoding") or {}).get(name) or {}
            kind = (encoding.get("contentType") or "").split(",")[0].strip()
            for one in value if isinstance(value, list) else [value]:
                head = f'Content-Disposition: form-data; name="{name}"'
                content = plain(one).encode()
                if schema.get("format") == "binary":
                    head += f'; filename="{name}"'
                    content, kind = base64.b64decode(one), kind or "application/octet-stream"
                elif isinstance(one, (dict, list)):
                    kind = kind or "application/json"
                found.append((head + (f"\r\nContent-Type: {kind}" if kind else ""), content))
        return found

    def xml(self) -> str:
        schema = self.media.get("schema") or {}
        reference = schema.get("$ref", "").rsplit("/", 1)[-1]
        target = self.document.follow(schema)
        root = (target.get("xml") or {}).get("name") or reference or "root"
        if isinstance(self.body, list):
            inside = "".join(self.element(root, one, target.get("items") or {}) for one in self.body)
            return f"<{root}>{inside}</{root}>"
        return self.element(root, self.body, schema)

    def element(self, name: str, value, schema) -> str:
        schema = self.values.merged(schema)
        xml = schema.get("xml") or {}
        name = xml.get("name") or name
        if isinstance(value, list):
            items = schema.get("items") or {}
            inner = "".join(self.element(name, one, items) for one in value)
            return f"<{tag(name, xml)}>{inner}</{tag(name, xml).split()[0]}>" if xml.get("wrapped") else inner
        opening, inner = tag(name, xml), ""
        closing = opening.split()[0]
        if not isinstance(value, dict):
            return f"<{opening}>{xml_escape(plain(value))}</{closing}>"
        for member, one in value.items():
            of_member = (schema.get("properties") or {}).get(member) or {}
            its = self.values.merged(of_member).get("xml") or {}
            if its.get("attribute"):
                text = xml_escape(plain(one), {'"': "&quot;"})
                opening += f' {its.get("name") or member}="{text}"'
            elif isinstance(one, list) and not its.get("wrapped"):
                # A list without an element of its own has no name of its own either.
                inner += "".join(self.element(member, each, self.values.merged(of_member).get("items") or {}) for each in one)
            else:
                inner += self.element(member, one, of_member)
        return f"<{opening}>{inner}</{closing}>"


def equal(what: str, arrived, expected):
    assert arrived == expected, f"{what}:\n    arrived  {arrived}\n    expected {expected}"


def tag(name: str, xml: dict) -> str:
    prefix, space = xml.get("prefix"), xml.get("namespace")
    declared = f' xmlns{":" + prefix if prefix else ""}="{xml_escape(space)}"' if space else ""
    return (f"{prefix}:{name}" if prefix else name) + declared


def body_kind(media_type: str) -> str:
    essence = media_type.split(";")[0].strip().lower()
    if essence in ("*/*", "application/*", "application/json", "text/json", "application/x-ndjson") or essence.endswith("+json"):
        return "json"
    if essence == "application/x-www-form-urlencoded":
        return "form"
    if essence in ("multipart/form-data", "multipart/*"):
        return "multipart"
    if essence in ("application/xml", "text/xml") or essence.endswith("+xml") and not essence.startswith("image/"):
        return "xml"
    return "text" if essence.startswith("text/") else "binary"


def body_kind_order(media_type: str) -> int:
    return ("json", "form", "multipart", "xml", "text", "binary").index(body_kind(media_type))


def schema_of(one: Parameter) -> dict:
    content = one.raw.get("content")
    return (next(iter(content.values())) if content else one.raw).get("schema") or {}


def style_of(one: Parameter) -> tuple:
    """Style, explode, and the reserved characters that stay."""
    if one.raw.get("content"):
        return "json", False, ""
    style = one.raw.get("style") or {"query": "form", "cookie": "form"}.get(one.place, "simple")
    # Of the reserved characters, those that cannot end a value.
    reserved = ":/?@!$'()*,;" if one.raw.get("allowReserved") is True else ""
    return style, one.raw.get("explode", style == "form"), reserved


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain(value) -> str:
    return value if isinstance(value, str) else compact(value)


def quoted(text: str, reserved: str = "") -> str:
    return urllib.parse.quote(text, safe="-._~" + reserved)


def simple(value, explode: bool, separator: str, quote=quoted) -> str:
    if isinstance(value, list):
        return separator.join(quote(plain(one)) for one in value)
    if isinstance(value, dict):
        if explode:
            return separator.join(f"{quote(name)}={quote(plain(one))}" for name, one in value.items())
        return separator.join(f"{quote(name)},{quote(plain(one))}" for name, one in value.items())
    return quote(plain(value))


def matrix(name: str, value, explode: bool) -> str:
    if explode and isinstance(value, list):
        return "".join(f";{quoted(name)}={quoted(plain(one))}" for one in value)
    if explode and isinstance(value, dict):
        return "".join(f";{quoted(member)}={quoted(plain(one))}" for member, one in value.items())
    return f";{quoted(name)}={simple(value, False, ',')}"


def named(name: str, value, style: str, explode: bool, reserved: str) -> list:
    """The pairs that a value becomes in a query, a form or a cookie."""
    quote = lambda one: quoted(plain(one), reserved)  # noqa: E731
    if style == "json":
        return [f"{quoted(name)}={quoted(compact(value), reserved)}"]
    if style == "deepObject":
        return deep(quoted(name), value, quote)
    if not isinstance(value, (list, dict)):
        return [f"{quoted(name)}={quote(value)}"]
    if explode:
        pairs = value.items() if isinstance(value, dict) else [(name, one) for one in value]
        return [f"{quote(key) if isinstance(value, dict) else quoted(key)}={quote(one)}" for key, one in pairs]
    separator = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(style, ",")
    flat = [part for pair in value.items() for part in pair] if isinstance(value, dict) else value
    return [f"{quoted(name)}={separator.join(quote(one) for one in flat)}"]


def deep(name: str, value, quote) -> list:
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in deep(f"{name}%5B{quoted(key)}%5D", one, quote)]
    if isinstance(value, list):
        nested = any(isinstance(one, (list, dict)) for one in value)
        return [pair for at, one in enumerate(value) for pair in deep(f"{name}%5B{at if nested else ''}%5D", one, quote)]
    return [f"{name}={quote(value)}"]


def parts_of(body: bytes, boundary: str) -> list:
    """Head and content of each part; nothing may stand before, between or after."""
    mark = f"--{boundary}".encode()
    before, *parts, after = (b"\r\n" + body).split(b"\r\n" + mark)
    assert before == b"" and after == b"--\r\n", (before, after)
    found = []
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found.append((head.decode(), content))
    return found
