"""What the certificate authority keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class CertificateAuthority(Resource):
    """The root certificate and its key, PEM both; made when it is first needed."""

    label: ClassVar[str] = "certificate authority"

    certificate: str
    private_key: str


@dataclass(eq=False, kw_only=True, repr=False)
class RevokedCertificate(Resource):
    """An entry of the revocation list."""

    label: ClassVar[str] = "revoked certificate"

    serial: str
    """Hexadecimal, lower case."""
    common_name: str | None = None
    revoker: User
