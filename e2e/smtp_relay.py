"""A mail relay of the tests: a real SMTP server over real TLS, which keeps what it takes.

It speaks as much of RFC 5321, RFC 3207 and RFC 4954 as clients use: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA. It
refuses recipients whose names say so.
"""

import base64
import datetime
import socketserver
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def authority_and_certificate(folder):
    """An authority, and a certificate for `localhost` that it signed; gives their files."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def made(name, issuer, issuer_key, is_authority):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if not is_authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return key, builder.sign(issuer_key or key, hashes.SHA256())

    authority_key, authority = made("Test authority", None, None, True)
    key, certificate = made("localhost", authority.subject, authority_key, False)
    ca, pem = folder / "ca.pem", folder / "relay.pem"
    ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return ca, pem


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.secure, self.user = self.server.implicit, None
        if self.server.implicit:
            self.protect()
        self.sender, self.recipients = None, []
        self.say("220 relay.test ready")
        while line := self.rfile.readline(4096):
            words = line.decode("latin-1").strip()
            verb = words.split(" ", 1)[0].upper()
            self.server.heard.append(words if verb != "AUTH" else "AUTH")
            if verb == "QUIT":
                return self.say("221 bye")
            getattr(self, f"on_{verb.lower()}", self.unknown)(words)

    def say(self, *lines):
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def protect(self):
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.setup()

    def unknown(self, _):
        self.say("502 not implemented")

    def on_ehlo(self, _):
        offers = ["AUTH PLAIN LOGIN"] if self.secure else ["STARTTLS"] if self.server.context else []
        names = ["relay.test", "8BITMIME", *offers]
        self.say(*[f"250{'-' if at < len(names) - 1 else ' '}{name}" for at, name in enumerate(names)])

    def on_starttls(self, _):
        self.say("220 go on")
        self.protect()
        self.secure = True

    def on_auth(self, words):
        kind, *given = words.split(" ")[1:]
        if kind.upper() == "PLAIN":
            _, user, password = base64.b64decode(given[0]).split(b"\0")
        else:
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.rfile.readline())
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.rfile.readline())
        if (user.decode(), password.decode()) != self.server.account:
            return self.say("535 5.7.8 wrong user or password")
        self.user = user.decode()
        self.say("235 2.7.0 welcome")

    def on_mail(self, words):
        if self.server.account and self.user is None:
            return self.say("530 5.7.0 who are you?")
        self.sender, self.recipients = words.split("<")[1].split(">")[0], []
        self.say("250 ok")

    def on_rcpt(self, words):
        recipient = words.split("<")[1].split(">")[0]
        if recipient.startswith("unknown"):
            return self.say("550 5.1.1 no such mailbox")
        if recipient.startswith("later"):
            return self.say("451 4.3.0 try again later")
        self.recipients.append(recipient)
        self.say("250 ok")

    def on_data(self, _):
        self.say("354 go on")
        lines = []
        ends = (b".\r\n", b".\n", b"") if self.server.lenient else (b".\r\n", b"")
        while (line := self.rfile.readline(65536)) not in ends:
            lines.append(line[1:] if line.startswith(b".") else line)
        self.server.taken.append({
            "from": self.sender,
            "to": self.recipients,
            "message": b"".join(lines),
            "secure": self.secure,
            "user": self.user,
        })
        self.say("250 taken")

    def on_rset(self, _):
        self.say("250 ok")

    on_noop = on_rset


class Relay(socketserver.ThreadingTCPServer):
    """A relay on a port of loopback, with TLS after STARTTLS, from the first byte (`implicit`), or not at all.

    One that is `lenient` takes a dot on a line that ends with a bare LF for the end of a message.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, certificate=None, account=None, implicit=False, lenient=False):
        super().__init__(("127.0.0.1", 0), Session)
        self.taken, self.heard, self.account, self.context = [], [], account, None
        self.implicit, self.lenient = implicit, lenient
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that does not trust the certificate breaks off: that is what some tests are about."""

    def end(self):
        self.shutdown()
        self.server_close()
