"""Templates, ISOs and guest operating systems."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Owned
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
class OsCategory(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuestOSCategoryResponse",)
    label: ClassVar[str] = "OS category"

    name: str


@dataclass(eq=False, kw_only=True)
class OsType(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuestOSResponse",)
    label: ClassVar[str] = "OS type"
    resource_type: ClassVar[str] = "GuestOs"

    name: str
    category: OsCategory
    user_defined: bool = False


@dataclass(eq=False, kw_only=True)
class Template(Owned):
    """A template or, with ``format`` ISO, an ISO."""

    entities: ClassVar[tuple[str, ...]] = ("TemplateResponse", "IsoVmResponse")
    label: ClassVar[str] = "template"
    resource_type: ClassVar[str] = "Template"

    name: str
    display_text: str
    format: str
    """``VHD``, ``QCOW2``, ``OVA``, ``RAW``, ``ISO`` …"""
    hypervisor: str
    os_type: OsType
    zones: list[Zone] = field(default_factory=list)
    """Where it can be used; empty: in every zone."""
    cross_zones: bool = False
    is_public: bool = False
    is_featured: bool = False
    is_extractable: bool = False
    is_ready: bool = True
    bootable: bool = True
    password_enabled: bool = False
    sshkey_enabled: bool = False
    dynamically_scalable: bool = False
    requires_hvm: bool = True
    template_type: str = "USER"
    """``BUILTIN``, ``SYSTEM``, ``ROUTING`` or ``USER``."""
    template_tag: str | None = None
    size: int = 2 * 1024**3
    """Bytes."""
    url: str | None = None
    checksum: str | None = None
    status: str = "Download Complete"
    source_template: Template | None = None
    source_volume: Resource | None = None
    permitted: list[Account] = field(default_factory=list)
    """Accounts that may launch from it (launch permissions)."""
    arch: str = "x86_64"
    direct_download: bool = False
    deploy_as_is: bool = False

    @property
    def is_iso(self) -> bool:
        return self.format == "ISO"
