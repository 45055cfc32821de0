"""Templates, ISOs and guest operating systems."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Changes
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.iam import Account, Owned
from cs_matrix_pytest.simulator.models.infra import ImageStore, Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class OsCategory(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuestOSCategoryResponse",)
    label: ClassVar[str] = "OS category"
    resource_type: ClassVar[str] = "GuestOsCategory"

    name: str
    is_featured: bool = True
    sort_key: int = 0
    user_defined: bool = False
    """Those of the installation do not know when they were created."""


@dataclass(eq=False, kw_only=True, repr=False)
class OsType(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuestOSResponse",)
    label: ClassVar[str] = "OS type"
    resource_type: ClassVar[str] = "GuestOs"

    name: str
    category: OsCategory
    user_defined: bool = False
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class ImageCopy:
    """A template or ISO in a zone's secondary storage (template_store_ref); ``store`` None: downloaded by hosts."""

    zone: Zone
    store: ImageStore | None
    created: datetime
    percent: int = 100
    error: str | None = None
    """Why it could not be downloaded."""
    awaited: str | None = None
    """``NOT_DOWNLOADED`` while its owner is to upload it, ``ABANDONED`` where that never happened."""

    @property
    def is_ready(self) -> bool:
        return self.percent == 100 and self.error is None and self.awaited is None

    @property
    def status(self) -> str:
        if self.awaited is not None:
            return "Processing"
        if self.error is not None:
            return self.error
        return "Download Complete" if self.is_ready else f"{self.percent}% Downloaded"

    @property
    def download_state(self) -> str:
        if self.awaited is not None:
            return self.awaited
        if self.error is not None:
            return "DOWNLOAD_ERROR"
        return "DOWNLOADED" if self.is_ready else "DOWNLOAD_IN_PROGRESS"


@dataclass(frozen=True)
class VnfNic:
    """A NIC that appliances of a VNF template have."""

    device_id: int
    name: str
    required: bool = True
    management: bool = True
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Template(Owned):
    """A template; ISOs are `Iso`, a class below it."""

    entities: ClassVar[tuple[str, ...]] = ("TemplateResponse", "TemplatePermissionsResponse")
    label: ClassVar[str] = "template"
    resource_type: ClassVar[str] = "Template"
    indexes = (Changes("usage"),)

    name: str
    display_text: str
    format: str
    """``VHD``, ``QCOW2``, ``OVA``, ``RAW``, ``ISO`` …"""
    hypervisor: str
    os_type: OsType
    copies: list[ImageCopy] = field(default_factory=list)
    """Where it is: one per zone."""
    cross_zones: bool = False
    is_public: bool = False
    is_featured: bool = False
    is_extractable: bool = False
    bootable: bool = True
    password_enabled: bool = False
    sshkey_enabled: bool = False
    dynamically_scalable: bool = False
    requires_hvm: bool = True
    bits: int = 64
    template_type: str = "USER"
    """``BUILTIN``, ``SYSTEM``, ``ROUTING``, ``PERHOST``, ``VNF`` or ``USER``."""
    template_tag: str | None = None
    size: int = 2 * 1024**3
    """Bytes."""
    physical_size: int = 0
    """Bytes in secondary storage; 0 where nobody knows."""
    url: str | None = None
    checksum: str | None = None
    source_template: Template | None = None
    source_volume: Resource | None = None
    source_snapshot: Resource | None = None
    permitted: list[Account] = field(default_factory=list)
    """Accounts that may launch from it (launch permissions)."""
    arch: str = "x86_64"
    direct_download: bool = False
    deploy_as_is: bool = False
    for_cks: bool = False
    sort_key: int = 0
    user_data: UserData | None = None
    user_data_policy: str | None = None
    extension: Resource | None = None
    """What orchestrates machines made of it."""
    vnf_nics: list[VnfNic] = field(default_factory=list)
    vnf_details: dict[str, str] = field(default_factory=dict)

    @property
    def is_iso(self) -> bool:
        return False

    @property
    def zones(self) -> list[Zone]:
        """The zones that have it, ready or not."""
        return [copy.zone for copy in self.copies]

    @property
    def is_ready(self) -> bool:
        """True where some zone can use it."""
        return any(copy.is_ready for copy in self.copies)

    def copy_in(self, zone: Zone | None) -> ImageCopy | None:
        """Its copy in a zone."""
        return next((copy for copy in self.copies if copy.zone is zone), None)

    def ready_in(self, zone: Zone) -> bool:
        """True where VMs of this zone can be made from it."""
        copy = self.copy_in(zone)
        return copy is not None and copy.is_ready


@dataclass(eq=False, kw_only=True, repr=False)
class Iso(Template):
    """An ISO image; ``template_type`` PERHOST: one that hosts have by themselves, ready everywhere."""

    entities: ClassVar[tuple[str, ...]] = ("TemplateResponse", "TemplatePermissionsResponse", "IsoVmResponse")
    label: ClassVar[str] = "ISO"
    resource_type: ClassVar[str] = "ISO"

    format: str = "ISO"
    hypervisor: str = "None"

    @property
    def is_iso(self) -> bool:
        return True

    @property
    def is_ready(self) -> bool:
        return self.template_type == "PERHOST" or any(copy.is_ready for copy in self.copies)

    def ready_in(self, zone: Zone) -> bool:
        return self.template_type == "PERHOST" or super().ready_in(zone)
