"""An authority and a certificate that it signed, as PEM files, for a cluster on loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


def make_certificates(folder: Path, name: str) -> tuple[Path, Path]:
    """(the authority's certificate, one file with a certificate and its key)."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name}'s authority")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    authority = _certificate(issuer, issuer, authority_key, authority_key, authority=True)
    own = _certificate(subject, issuer, key, authority_key, authority=False)
    secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    authority_file, own_file = folder / f"{name}-ca.pem", folder / f"{name}.pem"
    authority_file.write_bytes(authority.public_bytes(PEM))
    own_file.write_bytes(own.public_bytes(PEM) + secret)
    return authority_file, own_file


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )
    return builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True).sign(
        signer, hashes.SHA256()
    )
