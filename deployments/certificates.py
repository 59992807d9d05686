"""Certificates for a Dask cluster over TLS: an authority, and one certificate each that it signs.

`python -m deployments.certificates DIR` leaves in DIR, each role's own in a folder of its own, so that a service need
see no more than that:

    authority/ca.pem, ca-key.pem                the key stays here; no service needs it
    scheduler/ca.pem, cert.pem, key.pem         serves, and asks workers
    worker/ca.pem, cert.pem, key.pem            serves, and asks the scheduler and other workers
    client/ca.pem, cert.pem, key.pem            only asks: a runner of flows, Prometheus

Keys are readable by their owner only. What is there and good is left as it is; what is missing, does not belong
together or ends soon is made anew, and a new authority signs all three anew. Dask reads these files when it starts:
restart it then. Dask asks whether the authority signed a certificate, not for which name (distributed, "TLS/SSL").
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = "authority"
ROLES: dict[str, tuple[x509.ObjectIdentifier, ...]] = {
    "scheduler": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    "worker": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
}
AUTHORITY_LIFE, LIFE = timedelta(days=3650), timedelta(days=730)
ENDS_SOON = timedelta(days=60)
CLOCKS_DIFFER = timedelta(hours=1)
PEM = serialization.Encoding.PEM

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make_certificates(folder: Path, *, now: datetime | None = None) -> list[str]:
    """Bring `folder` to what stands above; the names of what was made anew. `now` is for tests."""
    now = now or datetime.now(UTC)
    home = folder / AUTHORITY
    made = []
    pair = _pair(home / "ca.pem", home / "ca-key.pem")
    if pair is None or _ends_soon(pair[0], now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(f"channelscribe {AUTHORITY}", key, None, AUTHORITY_LIFE, now)
        # The key first: without a certificate that belongs to it, the next call begins again.
        _write(home / "ca-key.pem", _key_bytes(key))
        _write(home / "ca.pem", certificate.public_bytes(PEM), secret=False)
        pair = certificate, key
        made.append(AUTHORITY)
    made += [role for role in ROLES if _make_role(folder / role, role, pair, now)]
    return made


def _make_role(home: Path, role: str, authority: Pair, now: datetime) -> bool:
    """Whether it had to be made anew."""
    ca_bytes = authority[0].public_bytes(PEM)
    there = _pair(home / "cert.pem", home / "key.pem")
    same = (home / "ca.pem").is_file() and (home / "ca.pem").read_bytes() == ca_bytes
    if there and same and _is_signed_by(there[0], authority[0]) and not _ends_soon(there[0], now):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(f"channelscribe {role}", key, authority, LIFE, now, ROLES[role])
    _write(home / "key.pem", _key_bytes(key))
    _write(home / "cert.pem", certificate.public_bytes(PEM), secret=False)
    _write(home / "ca.pem", ca_bytes, secret=False)
    return True


def _pair(certificate_file: Path, key_file: Path) -> Pair | None:
    """A certificate and its key, whose file is closed to others; None unless both are whole and belong together."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    if key_file.stat().st_mode & 0o077:
        key_file.chmod(0o600)
    return certificate, key


def _ends_soon(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now < ENDS_SOON


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority: Pair | None,
    life: timedelta,
    now: datetime,
    purposes: Sequence[x509.ObjectIdentifier] = (),
) -> x509.Certificate:
    """An authority's own certificate where there is no `authority` above it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (authority[0].subject, authority[1]) if authority else (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=0 if authority is None else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .add_extension(_usage(signs=authority is None), True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes, *, secret: bool = True) -> None:
    """Whole or not at all, and a secret at no moment open to others."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.chmod(0o600 if secret else 0o644)
    new.replace(path)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("Usage: python -m deployments.certificates DIR\n")
        return 2
    try:
        made = make_certificates(Path(arguments[0]))
    except OSError as error:
        sys.stderr.write(f"The certificates cannot be kept: {error}. Name a folder that is yours to write.\n")
        return 1
    sys.stdout.write(f"{arguments[0]}: made {', '.join(made)}\n" if made else f"{arguments[0]}: all there, and good\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
