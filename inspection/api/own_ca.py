"""A CA of one's own for a plant without one: it signs the station's certificate and those of its clients."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from camera.whole_file import write_whole
from inspection.api.access_file import NAME_PATTERN
from inspection.api.errors import CertificateError
from inspection.api.tls import read_certificates

CA_DAYS, LEAF_DAYS = 3650, 730
_CA, _CA_KEY = "ca.pem", "ca.key"
_EARLIER = timedelta(hours=1)  # a peer's clock may be a little behind


@dataclass(frozen=True, slots=True)
class OwnCa:
    """The CA in a folder. Immutable; owned by the command that makes certificates. Its key stays in the folder."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    folder: Path

    @classmethod
    def in_folder(cls, folder: Path, now: datetime) -> OwnCa:
        """Open a folder's CA, or make one that holds ten years. Raises CertificateError and OSError."""
        if (folder / _CA).exists() or (folder / _CA_KEY).exists():
            return cls._open(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Lineward station CA")
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # signs certificates, CRLs
        certificate = (
            _begun(name, name, key.public_key(), now, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(folder, "ca", certificate, key)
        return cls(certificate, key, folder)

    @classmethod
    def _open(cls, folder: Path) -> OwnCa:
        (certificate, *_), _ = read_certificates(folder / _CA)
        try:
            key = serialization.load_pem_private_key((folder / _CA_KEY).read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise CertificateError(
                f"{folder / _CA_KEY}: cannot be used ({error}) — the key of {_CA} is needed to sign anew — put it back "
                "or choose an empty folder for a new CA"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise CertificateError(f"{folder / _CA_KEY}: does not belong to {_CA} — put the right one back")
        return cls(certificate, key, folder)

    def server(self, hosts: Iterable[str], now: datetime) -> Path:
        """Sign a certificate for the names and addresses by which clients reach the station; return its file."""
        names = list(dict.fromkeys([*hosts, "localhost", "127.0.0.1", "::1"]))
        shown = x509.SubjectAlternativeName([_reached_by(name) for name in names])
        return self._leaf("server", names[0][:64], ExtendedKeyUsageOID.SERVER_AUTH, now, shown)

    def client(self, name: str, now: datetime) -> Path:
        """Sign a client's certificate, whose common name is `name`; return its file. Raises CertificateError."""
        if not re.fullmatch(NAME_PATTERN, name) or name in ("ca", "server"):
            raise CertificateError(
                f"the client name {name[:70]!r} cannot be used — 1 to 64 letters, digits, . _ @ -, and neither ca nor "
                "server — choose such a name"
            )
        return self._leaf(name, name, ExtendedKeyUsageOID.CLIENT_AUTH, now, None)

    def _leaf(
        self,
        stem: str,
        common_name: str,
        purpose: x509.ObjectIdentifier,
        now: datetime,
        names: x509.SubjectAlternativeName | None,
    ) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)  # signs handshakes
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        days = min(LEAF_DAYS, (self.certificate.not_valid_after_utc - now).days)
        if days < 1:
            raise CertificateError(f"{self.folder / _CA}: has expired — choose an empty folder for a new CA")
        builder = (
            _begun(_name(common_name), self.certificate.subject, key.public_key(), now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return _write(self.folder, stem, builder.sign(self.key, hashes.SHA256()), key)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _reached_by(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if re.fullmatch(r"\d+(\.\d+)+", name):
        raise CertificateError(
            f"the host {name[:70]!r} is no IP address — four numbers from 0 to 255 are needed — give what clients "
            "connect to"
        )
    if not re.fullmatch(r"[A-Za-z0-9_*]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
        raise CertificateError(f"the host {name[:70]!r} is no name and no IP address — give what clients connect to")
    return x509.DNSName(name)


def _write(folder: Path, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
    """Write key and certificate; between the two the pair does not fit, and a running station keeps the older one."""
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write_whole(folder / f"{stem}.key", key.private_bytes(serialization.Encoding.PEM, form, plain), private=True)
    file = folder / f"{stem}.pem"
    write_whole(file, certificate.public_bytes(serialization.Encoding.PEM))
    return file


def now_utc() -> datetime:
    """Return the wall clock as certificates have it, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
