"""Certificates that KVM hosts trust when they download templates themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Host, Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class DirectDownloadCertificate(Resource):
    entities: ClassVar[tuple[str, ...]] = ("DirectDownloadCertificateResponse",)
    label: ClassVar[str] = "certificate"

    alias: str
    pem: str
    hypervisor: str
    zone: Zone
    hosts: dict[Host, bool] = field(default_factory=dict)
    """The hosts that were given it: True where it was revoked since."""
