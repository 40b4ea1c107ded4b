"""Canaries: secrets that are given to the server or got from it, and the search for them in what it leaves behind and says.

Planted ones have a word in common, so that one search finds them all; what the server makes itself (tokens, keys) is known
when it has been answered, and is searched by its own value. An answer that is asked for a secret may hold that one.
"""

import base64
import contextlib
import json
import secrets
import urllib.parse

import botocore.httpsession
import requests

WORD = "Kanarie7Vogel"
LONGEST = 64


def forms(secret: str) -> dict:
    """How bytes may hold a secret: as it is, and in the encodings that programs, databases and the web write."""
    raw = secret.encode()
    made = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent": urllib.parse.quote(secret, safe="").encode(),
        "every byte percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "every byte percent, lower": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON, twice": json.dumps(json.dumps(secret))[3:-3].encode(),
        "\\u": "".join(f"\\u{ord(it):04x}" for it in secret).encode(),
        "UTF-16": secret.encode("utf-16-le"),
        "reversed": raw[::-1],
        "list of bytes": ", ".join(map(str, raw)).encode(),
        "list of bytes, JSON": ",".join(map(str, raw)).encode(),
    }
    # At each of the three places that it may have in a group of three bytes, without what its neighbours decide.
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        kept = text[(0, 2, 3)[before] : len(text.rstrip(b"=")) - (1 if (before + len(raw)) % 3 else 0)]
        made[f"base64, {before}"] = kept
        made[f"base64url, {before}"] = kept.translate(bytes.maketrans(b"+/", b"-_"))
    return made


class Canaries:
    """All of one test's: by what they are, with every answer that came meanwhile."""

    def __init__(self):
        self.planted, self.grown, self.answers, self.asked = {}, {}, [], ()

    def plant(self, what: str, end: str = "") -> str:
        """A secret to give to the server."""
        assert what not in self.planted
        # With what encodings differ in.
        self.planted[what] = f"{WORD}-{secrets.token_hex(6)}{end}"
        return self.planted[what]

    def grow(self, what: str, secret: str) -> str:
        """A secret that the server made. Of a long one its end is looked for, which of a token is the signature: what is long may be
        cut into pages."""
        assert len(secret) >= 12, what
        self.grown[what] = secret[-LONGEST:]
        return secret

    @contextlib.contextmanager
    def asking(self, *what: str):
        """Meanwhile, answers may hold these, which they are asked for."""
        self.asked, before = (*self.asked, *what), self.asked
        try:
            yield
        finally:
            self.asked = before

    @contextlib.contextmanager
    def listening(self, endpoint: str):
        """Meanwhile, keeps every answer that boto3 and requests get from the server, with its head."""
        of_boto3, of_requests = botocore.httpsession.URLLib3Session.send, requests.Session.send

        def by_boto3(session, request):
            answer = of_boto3(session, request)
            self._keep(endpoint, request.method, request.url, answer.status_code, answer.headers, answer.content)
            return answer

        def by_requests(session, request, **more):
            answer = of_requests(session, request, **more)
            # What a redirect leads to is an answer of its own.
            self._keep(endpoint, request.method, request.url, answer.status_code, answer.headers, answer.content)
            return answer

        botocore.httpsession.URLLib3Session.send, requests.Session.send = by_boto3, by_requests
        try:
            yield
        finally:
            botocore.httpsession.URLLib3Session.send, requests.Session.send = of_boto3, of_requests

    def _keep(self, endpoint, method, url, status, headers, body):
        if url.startswith(endpoint):
            head = "\n".join(f"{name}: {value}" for name, value in headers.items())
            where = f"{method} {urllib.parse.urlsplit(url).path} answered {status}"
            self.answers.append((where, head.encode() + b"\n\n" + (body or b""), self.asked))

    def found(self, content: bytes, allowed=()) -> list:
        """Which of them bytes hold, and in which form. One that is allowed is no find."""
        everything = {**self.planted, **self.grown}
        for what in allowed:
            for form in forms(everything[what]).values():
                content = content.replace(form, b"")
        seen = []
        if any(form in content for form in forms(WORD).values()):
            seen += self._which(content, self.planted) or [f"a part of one that was planted: {around(content)}"]
        return seen + self._which(content, {what: it for what, it in self.grown.items() if what not in allowed})

    @staticmethod
    def _which(content: bytes, among: dict) -> list:
        return [
            f"{what}, {form}" for what, secret in among.items() for form, text in forms(secret).items() if text in content
        ]


def around(content: bytes) -> str:
    """Where the common word is found, with what is beside it."""
    at, text = min((content.find(form), form) for form in forms(WORD).values() if form in content)
    return content[max(0, at - 200) : at + len(text) + 80].decode(errors="replace")
