"""Why a tool requires other arguments here than FastMCP's tool of the same operation.

Each entry is an explanation and what must be so in the document for it to hold; a difference that no entry explains
fails its test. `there` lists arguments that only FastMCP requires, `here` those that only we require.
"""

import json
import re

from openapi_documents import Document, is_read_only

# Of the connection, or described by other parts of a document (OpenAPI 3.1.1, "Parameter Object").
ELSEWHERE = {
    *("accept", "content-type", "authorization", "host", "content-length", "transfer-encoding", "connection"),
    *("upgrade", "te", "trailer", "keep-alive", "expect", "cookie"),
}
KINDS = ("json", "x-www-form-urlencoded", "multipart/", "xml", "text/")


class Difference:
    """The difference between two sets of required arguments, with all that may explain it."""

    def __init__(self, document: Document, path: str, item: dict, operation: dict, here: set, there: set):
        self.document, self.path = document, path
        self.here, self.there = here, there
        self.parameters = document.parameters(item, operation)
        self.references = []
        for raw in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]:
            meant = document.follow(raw)
            chained = chain(document, raw) + chain(document, meant.get("schema"))
            self.references.append((meant.get("name"), chained))
        self.body = document.body(operation)
        content = self.body.get("content") or {}
        # The first of JSON, form, multipart, XML and text here; the document's first there.
        chosen = sorted(content, key=preference)[:1]
        self.is_structured = bool(chosen) and preference(chosen[0]) < KINDS.index("text/")
        self.schema_here = content[chosen[0]].get("schema") or {} if chosen else {}
        self.schemas_there = [media.get("schema") or {} for media in content.values()]
        self.members = document.members(self.schema_here)
        self.demands = document.demands(self.schema_here) if self.body.get("required") else set()
        self.keys = document.credentials()
        self.reasons, self.left = set(), set()
        for name in there - here:
            self.sort(name, THERE, "there")
        for name in here - there:
            self.sort(name, HERE, "here")

    def sort(self, name: str, classes: dict, where: str):
        for why, holds in classes.items():
            if holds(self, name):
                self.reasons.add(why)
                return
        self.left.add(f"{name} only {where}")

    def named(self, name: str) -> list:
        return [parameter for parameter in self.parameters if parameter.name == name]


def preference(media_type: str) -> int:
    return next((at for at, kind in enumerate(KINDS) if kind in media_type.lower()), len(KINDS))


def chain(document: Document, raw) -> list:
    """The references from here to what is meant."""
    seen = []
    document.follow(raw, seen)
    return seen


def is_credential(difference: Difference, name: str) -> bool:
    return any(
        (one.name.lower() if one.place == "header" else one.name, one.place) in difference.keys
        for one in difference.named(name)
    )


def is_elsewhere(difference: Difference, name: str) -> bool:
    return any(one.place == "header" and one.name.lower() in ELSEWHERE for one in difference.named(name))


def is_suffixed_there(difference: Difference, name: str) -> bool:
    base, _, place = name.rpartition("__")
    uses = len(difference.named(base)) + (base in difference.members)
    return uses > 1 and any(one.place == place for one in difference.named(base))


def keeps_its_name_here(difference: Difference, name: str) -> bool:
    return any(f"{name}__{one.place}" in difference.there for one in difference.named(name))


def gives_way_here(difference: Difference, name: str) -> bool:
    base, _, place = name.rpartition("__")
    is_parameter = any(one.place == place for one in difference.named(base))
    return is_parameter and base in difference.members.keys() | difference.demands and base in difference.there


def does_not_give_way_there(difference: Difference, name: str) -> bool:
    return any(gives_way_here(difference, f"{name}__{one.place}") for one in difference.named(name))


def whole_there(difference: Difference) -> set:
    """What FastMCP may call a body that is one argument."""
    names = {"body", "body_data"}
    for schema in difference.schemas_there:
        for branch in difference.document.branches(schema):
            names.add(re.sub(r"[^a-zA-Z0-9_]", "_", str(branch.get("title", "body")).lower()))
    return names


def is_whole_body_there(difference: Difference, name: str) -> bool:
    return "body" not in difference.here and name in whole_there(difference) and not difference.named(name)


def is_body_by_title(difference: Difference, name: str) -> bool:
    return "body" in difference.here and name in whole_there(difference)


def is_body_by_name(difference: Difference, name: str) -> bool:
    return name == "body" and bool(difference.there & whole_there(difference))


def is_member_here(difference: Difference, name: str) -> bool:
    return name in difference.demands and bool(difference.there & whole_there(difference))


def is_no_plain_object(difference: Difference) -> bool:
    words = ("oneOf", "anyOf", "not", "if", "patternProperties")
    branches = list(difference.document.branches(difference.schema_here))
    return any(branch.get("type", "object") != "object" or any(word in branch for word in words) for branch in branches)


def is_whole_for_its_schema(difference: Difference, name: str) -> bool:
    return name == "body" and difference.is_structured and is_no_plain_object(difference)


def is_whole_for_text(difference: Difference, name: str) -> bool:
    return name == "body" and not difference.is_structured


def is_whole_for_want_of_members(difference: Difference, name: str) -> bool:
    members = difference.members.values()
    return name == "body" and bool(members) and all(is_read_only(difference.document, member) for member in members)


def is_member_of_no_object(difference: Difference, name: str) -> bool:
    return "body" in difference.here and name in difference.demands and is_no_plain_object(difference)


def is_member_of_text(difference: Difference, name: str) -> bool:
    return "body" in difference.here and name in difference.demands and not difference.is_structured


def is_read_only_member(difference: Difference, name: str) -> bool:
    members = [difference.document.members(schema).get(name) for schema in [difference.schema_here, *difference.schemas_there]]
    return any(is_read_only(difference.document, member) for member in members if member is not None)


def is_not_in_the_path(difference: Difference, name: str) -> bool:
    sent = difference.path.split("#")[0]
    return "{" + name + "}" not in sent and any(one.place == "path" for one in difference.named(name))


def is_undeclared_in_the_path(difference: Difference, name: str) -> bool:
    base = name.removesuffix("__path").split("__")[0]
    return "{" + base + "}" in difference.path and not any(one.place == "path" for one in difference.named(base))


def is_of_another_media_type(difference: Difference, name: str) -> bool:
    document, schemas = difference.document, difference.schemas_there
    base = name.split("__")[0]
    members = [document.members(schema).keys() | document.demands(schema) for schema in schemas]
    return any(base in one for one in members) and not all(base in one for one in members)


def is_behind_an_unread_pointer(difference: Difference, name: str) -> bool:
    branches = json.dumps(list(difference.document.branches(difference.schema_here)))
    return name in difference.demands and re.search(r'"\$ref": "#/[^"]*[~%]', branches) is not None


def is_unread_pointer(difference: Difference, name: str) -> bool:
    return any(
        name.split("__")[0] == found and any("~" in reference or "%" in reference for reference in references)
        for found, references in difference.references
    )


THERE = {
    "a credential is the gateway's to attach, and no argument": is_credential,
    "a header that OpenAPI has described elsewhere, or the connection's, is no argument": is_elsewhere,
    "of arguments of one name, one keeps it here; there all that are no body's get their place": is_suffixed_there,
    "a body's members are arguments here; there it is one argument": is_whole_body_there,
    "a body that is one argument is `body` here; there it has its schema's title": is_body_by_title,
    "a parameter gives way to a body's member here; there the body has none, being one argument or another media type's": does_not_give_way_there,
    "a member that is `readOnly` is no argument of a request": is_read_only_member,
    "a parameter that the path does not name, or only behind its `#`, is no argument": is_not_in_the_path,
    "a body of alternatives (`oneOf` and the like), or that is no object, is one argument here; there its members are": is_member_of_no_object,
    "a body that is text or bytes is one argument here; there its schema's members are": is_member_of_text,
    "of several media types JSON, then a form, is sent here; there the document's first": is_of_another_media_type,
}
HERE = {
    "a parameter that the path names and nobody declares as one is a required text": is_undeclared_in_the_path,
    "of arguments of one name, one keeps it here; there all that are no body's get their place": keeps_its_name_here,
    "a body's members are arguments here; there it is one argument": is_member_here,
    "a body that is one argument is `body` here; there it has its schema's title": is_body_by_name,
    "a parameter gives way to a body's member here; there the body has none, being one argument or another media type's": gives_way_here,
    "a body of alternatives (`oneOf` and the like), or that is no object, is one argument here; there its members are": is_whole_for_its_schema,
    "a body that is text or bytes is one argument here; there its schema's members are": is_whole_for_text,
    "a body of which all members are `readOnly` is one argument": is_whole_for_want_of_members,
    "a reference with an escape (`~1`, RFC 6901) is followed here; there what it leads to is left out": is_unread_pointer,
    "a member behind a reference with an escape is found here; there it is left out": is_behind_an_unread_pointer,
    "of several media types JSON, then a form, is sent here; there the document's first": is_of_another_media_type,
}
