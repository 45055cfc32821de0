"""What usage is reckoned from: the usage events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.infra import Zone


@dataclass(eq=False, kw_only=True, repr=False)
class UsageEvent(Owned):
    """One row of ``usage_event`` (UsageEventVO): something that an account has begun, changed or ended to use."""

    label: ClassVar[str] = "usage event"

    type: str
    """``VM.START``, ``VOLUME.DELETE`` …"""
    zone: Zone | None = None
    resource_id: int = 0
    """The internal number of what is used."""
    resource_name: str | None = None
    resource_kind: str | None = None
    """What column ``resource_type`` says: a hypervisor, the state of a network, the type of an address's range."""
    offering_id: int | None = None
    template_id: int | None = None
    size: int | None = None
    """Bytes; for an address 1 where it is a source NAT, for a NIC 1 where it is the default one."""
    virtual_size: int | None = None
    vm_id: int | None = None
