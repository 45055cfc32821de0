"""The certificates that CloudStack's root CA issues, as X.509 (CertUtils, RootCAProvider)."""

from __future__ import annotations

import datetime
import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.errors import InternalError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BEFORE = datetime.timedelta(hours=12)
"""How long before it was issued a certificate is valid already."""
MISSING = "This simulator makes certificates with the package cryptography, which is not installed: pip install 'cs-matrix-pytest[upstream]'"


def need_cryptography() -> None:
    """Raise InternalError where the package is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise InternalError(MISSING) from None


@dataclass(frozen=True)
class Authority:
    """Who signs: the PEM of its certificate and of its key."""

    certificate: str
    private_key: str


@dataclass(frozen=True)
class Terms:
    """How a certificate is signed, and from when for how many days."""

    now: datetime.datetime
    days: int
    digest: str = "SHA256"


def new_key(bits: int) -> RSAPrivateKey:
    """A fresh RSA key."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def key_pem(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*encoding).decode()


def certificate_pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def self_signed(subject: str, bits: int, terms: Terms) -> Authority:
    """A new authority of a distinguished name such as ``CN=ca.example.org``."""
    from cryptography import x509

    key: RSAPrivateKey = new_key(bits)
    name = _name(subject)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        _builder(name, name, key.public_key(), terms)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(certificate_pem(builder.sign(key, _digest(terms))), key_pem(key))


def issue(authority: Authority, names: list[str], addresses: list[str], terms: Terms, bits: int) -> tuple[str, str]:
    """A certificate for names and addresses and its new key, PEM both; the first name is its subject."""
    key = new_key(bits)
    certificate = _signed(authority, _name(f"CN={names[0]}"), key.public_key(), names, addresses, terms)
    return certificate_pem(certificate), key_pem(key)


def issue_for_request(authority: Authority, csr: str, names: list[str], addresses: list[str], terms: Terms) -> str:
    """A certificate, PEM, for a signing request: its subject and key, its alternative names and these."""
    from cryptography import x509

    try:
        request = x509.load_pem_x509_csr(csr.encode())
        subject, public_key = request.subject, request.public_key()
    except ValueError:
        raise InternalError(f"Unable to read/process CSR: {csr}") from None
    try:
        wanted = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*names, *wanted.get_values_for_type(x509.DNSName)]
        addresses = [*addresses, *map(str, wanted.get_values_for_type(x509.IPAddress))]
    except x509.ExtensionNotFound:
        pass
    # The last part of the name comes first, as Bouncy Castle writes and Java's X500Principal reads it.
    turned = x509.Name(list(reversed(list(subject.rdns))))
    return certificate_pem(_signed(authority, turned, public_key, names, addresses, terms))


def _name(text: str) -> x509.Name:
    from cryptography import x509

    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise InternalError(f"improperly specified input name: {text}") from error


def _digest(terms: Terms) -> Any:
    from cryptography.hazmat.primitives import hashes

    return {"SHA384": hashes.SHA384, "SHA512": hashes.SHA512}.get(terms.digest, hashes.SHA256)()


def _builder(subject: x509.Name, issuer: x509.Name, public_key: Any, terms: Terms) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(secrets.randbits(63) + 1)
        .not_valid_before(terms.now - BEFORE)
        .not_valid_after(terms.now + datetime.timedelta(days=terms.days))
    )


def _signed(
    authority: Authority,
    subject: x509.Name,
    public_key: Any,
    names: Iterable[str],
    addresses: Iterable[str],
    terms: Terms,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    root = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = serialization.load_pem_private_key(authority.private_key.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = x509.AuthorityKeyIdentifier(identifier.digest, [x509.DirectoryName(root.subject)], root.serial_number)
    try:
        alternatives: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(address)) for address in dict.fromkeys(addresses) if address
        ]
    except ValueError:
        raise InternalError("IP Address is invalid") from None
    try:
        alternatives += [x509.DNSName(name) for name in dict.fromkeys(names) if name]
        builder = (
            _builder(subject, root.subject, public_key, terms)
            .add_extension(issuer, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
    except ValueError as error:
        raise InternalError(f"Failed to generate certificate due to:{error}") from None
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, _digest(terms))


PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def check_pair(
    certificate: str,
    private_key: str,
    password: str | None,
    chain: str | None,
    *,
    now: datetime.datetime,
    revocation: bool,
) -> str:
    """The fingerprint of a PEM certificate that goes with a private key and comes from its chain (CertServiceImpl).

    Raises InternalError with the server's text, which is empty where it only stumbles.
    """
    need_cryptography()
    from cryptography.hazmat.primitives import hashes

    parsed = _parsed_certificate(certificate)
    key = _parsed_key(private_key, password)
    above = None if chain is None else _parsed_certificate(chain)
    for moment, late in ((parsed.not_valid_before_utc, False), (parsed.not_valid_after_utc, True)):
        if (now > moment) is late:
            word = "NotAfter" if late else "NotBefore"
            raise InternalError(f"Parsing certificate/key failed: {word}: {moment:%a %b %d %H:%M:%S UTC %Y}")
    _check_keys(parsed.public_key(), key)
    if above is not None and (revocation or not any(_issued(issuer, parsed) for issuer in (parsed, above))):
        # Nobody here publishes what was revoked, so that no chain passes that is to be looked up.
        raise InternalError("Invalid certificate chain")
    return parsed.fingerprint(hashes.SHA256()).hex(":").upper()


def _parsed_certificate(text: str) -> x509.Certificate:
    from cryptography import x509

    block = PEM_BLOCK.search(text)
    if block is None:
        raise InternalError("")
    try:
        return x509.load_pem_x509_certificate(
            block[0].replace(block[1], "CERTIFICATE").encode(errors="surrogateescape")
        )
    except ValueError as error:
        raise InternalError(f"Invalid Certificate format. Expected X509 certificate. Failed due to {error}") from None


def _parsed_key(text: str, password: str | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    block = PEM_BLOCK.search(text)
    if block is None:
        raise InternalError("Cannot parse private key")
    if password is None and block[1] == "ENCRYPTED PRIVATE KEY":
        raise InternalError("Key is encrypted by PKCS#8 but password is null")
    if password is None and "Proc-Type: 4,ENCRYPTED" in block[0]:
        raise InternalError("Key is encrypted but password is null")
    encrypted = block[1] == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in block[0].partition("\n\n")[0][30:]
    try:
        return serialization.load_pem_private_key(
            block[0].encode(errors="surrogateescape"), password.encode() if password and encrypted else None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InternalError(f"Parsing certificate/key failed: {error}") from None


def _check_keys(public: Any, private: Any) -> None:
    """Raise InternalError where a private key is not the public one's; only RSA keys are really tried."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    theirs = private.public_key()
    if type(theirs) is not type(public):
        raise InternalError("Public and private key have different algorithms")
    if isinstance(public, RSAPublicKey) and theirs.public_numbers() != public.public_numbers():
        raise InternalError("Bad public-private key")


def _issued(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


@dataclass(frozen=True)
class Reading:
    """What a certificate says of itself, as Java writes it. ``starts`` and ``ends`` are in UTC."""

    version: str
    subject: str
    issuer: str
    serial: str
    starts: datetime.datetime
    ends: datetime.datetime

    @property
    def starts_text(self) -> str:
        return _java_date(self.starts)

    @property
    def ends_text(self) -> str:
        return _java_date(self.ends)

    @property
    def validity(self) -> str:
        return f"From: [{self.starts_text}] - To: [{self.ends_text}]"


def read_certificate(pem: str) -> Reading:
    """A PEM certificate, read. Raises InternalError for what is none."""
    need_cryptography()
    from cryptography import x509

    # Java does not mind blank lines.
    lines = "\n".join(line for line in pem.splitlines() if line.strip())
    try:
        found = x509.load_pem_x509_certificate(lines.encode())
    except ValueError:
        raise InternalError(
            "Cannot parse the certificate provided, please provide a PEM certificate. Error: Could not parse certificate"
        ) from None
    return Reading(
        version=str(found.version.value + 1),
        subject=_java_name(found.subject),
        issuer=_java_name(found.issuer),
        serial=f"SerialNumber: [{found.serial_number:x}]",
        starts=found.not_valid_before_utc,
        ends=found.not_valid_after_utc,
    )


def _java_name(name: x509.Name) -> str:
    return ", ".join(part.rfc4514_string() for part in reversed(list(name.rdns)))


def _java_date(moment: datetime.datetime) -> str:
    return moment.strftime("%a %b %d %H:%M:%S UTC %Y")


def fits_key(certificate: str, key: str) -> bool:
    """True for a PEM certificate with the PEM key that belongs to it. Raises InternalError without cryptography."""
    need_cryptography()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        return False
    return public.public_bytes(*form) == private.public_key().public_bytes(*form)
