"""An authority of the tests, and the certificates that it gives."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates for this machine; `bundle` is what its clients trust."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        self.certificate = self._signed(self._name, self._key, 3650 * DAY, x509.BasicConstraints(True, 0))
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def pair(self, certificate: Path, key: Path, *, name="localhost", valid=90 * DAY) -> x509.Certificate:
        """Writes a certificate and its key, as `PATH.new` that becomes PATH."""
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._signed(subject, private, valid, names)
        pem = serialization.Encoding.PEM
        replace(key, private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        replace(certificate, made.public_bytes(pem))
        return made

    def _signed(self, subject, key, valid, extension) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, now + valid) - DAY)
            .not_valid_after(now + valid)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return builder.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())


def replace(path: Path, data: bytes):
    """Replaces a file at once, as tools that renew certificates do."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.replace(path)
