"""Values that fit a schema of a document, chosen by a seed, with every character that a request must not trip over.

Patterns and formats that say how a text looks inside are not followed: what is tested is how values travel.
"""

import base64
import random

from openapi_documents import Document, is_read_only

PLAIN = "abcXYZ059-_~"
# What stands between parts of requests, quotes, a space, and letters of two, three and four bytes.
AWKWARD = PLAIN + " /?#&=+%,;:@|<>\"'\\[]{}!$()*éß€語𝄞"
# A header's value is printable ASCII.
PRINTABLE = PLAIN + "/?#&=+%;:@|<>'!$()*"
DEPTH = 4


class Values:
    """Makes values for the schemas of one document."""

    def __init__(self, document: Document, seed: str):
        self.document, self.random = document, random.Random(seed)

    def of(self, schema, alphabet: str = AWKWARD, depth: int = 0):
        schema = self.merged(schema)
        if "const" in schema:
            return schema["const"]
        choices = [one for one in schema.get("enum") or [] if fits(kind_of(schema), one)]
        if choices:
            return self.random.choice(choices)
        for word in ("oneOf", "anyOf"):
            branches = schema.get(word)
            if isinstance(branches, list) and branches:
                rest = {key: value for key, value in schema.items() if key != word}
                fitting = [one for one in branches if self.document.follow(one).get("type") != "null"]
                return self.of({"allOf": [rest, *fitting[:1]]}, alphabet, depth + 1)
        make = {
            "object": self.object,
            "array": self.array,
            "integer": self.integer,
            "number": self.integer,
            "boolean": lambda *_: self.random.random() < 0.5,
        }.get(kind_of(schema), self.text)
        return make(schema, alphabet, depth)

    def merged(self, schema) -> dict:
        """A schema and its `allOf` as one; its own words count most, and then those of the last branch."""
        whole = {}
        own, *branches = self.document.branches(schema)
        for branch in [*branches, own]:
            for word, value in branch.items():
                if word == "properties":
                    whole["properties"] = whole.get("properties", {}) | value
                elif word == "required" and isinstance(value, list):
                    whole["required"] = [*whole.get("required", []), *value]
                elif word != "allOf":
                    whole[word] = value
        return whole

    def object(self, schema: dict, alphabet: str, depth: int) -> dict:
        properties = schema.get("properties") or {}
        required = [name for name in schema.get("required") or [] if isinstance(name, str)]
        made = {}
        for name, member in properties.items():
            if is_read_only(self.document, member):
                continue
            if name in required or depth < DEPTH and self.random.random() < 0.6:
                made[name] = self.of(member, alphabet, depth + 1) if depth < 2 * DEPTH else None
        for name in required:
            if name not in properties:
                made[name] = self.text({}, alphabet, depth)
        further = schema.get("additionalProperties")
        if not properties and further is not False and depth < DEPTH:
            made["further"] = self.of(further if isinstance(further, dict) else {}, alphabet, depth + 1)
        return made

    def array(self, schema: dict, alphabet: str, depth: int) -> list:
        least = schema.get("minItems") if isinstance(schema.get("minItems"), int) else 1
        count = max(1, min(least, 5)) + (self.random.random() < 0.5 and schema.get("maxItems", 9) > max(1, least))
        items = schema.get("items") if isinstance(schema.get("items"), dict) else {}
        made = [self.of(items, alphabet, depth + 1) for _ in range(count if depth < DEPTH else 1)]
        return made[:1] if schema.get("uniqueItems") else made

    def integer(self, schema: dict, *_):
        bound = lambda word, otherwise: schema[word] if isinstance(schema.get(word), (int, float)) else otherwise  # noqa: E731
        least = bound("minimum", 1)
        least += 1 if schema.get("exclusiveMinimum") else 0
        most = min(bound("maximum", least + 1000), least + 1000)
        most -= 1 if schema.get("exclusiveMaximum") and most > least else 0
        chosen = self.random.randint(int(least), max(int(least), int(most)))
        step = schema.get("multipleOf")
        return chosen if not isinstance(step, int) or step <= 1 else max(step, chosen // step * step)

    def text(self, schema: dict, alphabet: str, depth: int) -> str:
        if schema.get("format") in ("binary", "byte") or schema.get("contentEncoding") == "base64":
            return base64.b64encode(self.random.randbytes(24)).decode()
        least = schema.get("minLength") if isinstance(schema.get("minLength"), int) else 1
        most = schema.get("maxLength") if isinstance(schema.get("maxLength"), int) else least + 12
        length = self.random.randint(max(1, min(least, 64)), max(1, min(most, max(least, 1) + 12)))
        inside = "".join(self.random.choice(alphabet) for _ in range(length))
        # Not at its ends: servers may trim headers, and nothing may be told from nothing.
        return (self.random.choice(PLAIN) + inside + self.random.choice(PLAIN))[-length:].replace(" ", "_", 1 if length < 3 else 0)


def kind_of(schema: dict) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return kind


def fits(kind: str, value) -> bool:
    """Whether a value is of a kind: some documents have choices for a list beside it, and numbers for a text."""
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}
    return isinstance(value, kinds.get(kind, object)) and (kind == "boolean" or not isinstance(value, bool))
