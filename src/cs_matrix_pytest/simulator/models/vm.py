"""Virtual machines, their groups and snapshots, and the system VMs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from cs_matrix_pytest.simulator.indexes import Changes, Lookup, Tally
from cs_matrix_pytest.simulator.models.iam import Owned, User
from cs_matrix_pytest.simulator.models.images import OsType, Template
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import Network, SecurityGroup
from cs_matrix_pytest.simulator.models.networks import Nic as Nic
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.models.storage import Volume


@dataclass(eq=False, kw_only=True, repr=False)
class InstanceGroup(Owned):
    entities: ClassVar[tuple[str, ...]] = ("InstanceGroupResponse",)
    label: ClassVar[str] = "instance group"
    resource_type: ClassVar[str] = "InstanceGroup"

    name: str


@dataclass(eq=False, kw_only=True, repr=False)
class AffinityGroup(Owned):
    entities: ClassVar[tuple[str, ...]] = ("AffinityGroupResponse",)
    label: ClassVar[str] = "affinity group"
    resource_type: ClassVar[str] = "AffinityGroup"

    name: str
    type: str
    """A name of `families.affinity_groups.PROCESSORS`."""
    description: str | None = None
    acl_type: str = "Account"
    """``Account`` or, for the groups of dedicated resources, ``Domain``."""


@dataclass
class Lease:
    """Until when a VM may live, and what happens to it then."""

    expires: datetime
    action: str
    """A key of `families.vm_leases.ACTIONS`."""
    execution: str = "PENDING"
    """``PENDING``, ``DONE``, ``DISABLED`` or ``CANCELLED``."""


@dataclass(eq=False, kw_only=True, repr=False)
class UserVm(Owned):
    entities: ClassVar[tuple[str, ...]] = ("UserVmResponse", "VirtualMachineResponse")
    label: ClassVar[str] = "virtual machine"
    resource_type: ClassVar[str] = "UserVm"
    indexes = (
        Lookup("account"),
        Lookup("name"),
        Lookup("nics", many=True),
        Lookup("affinity_groups", many=True),
        Lookup("security_groups", many=True),
        Lookup("left", of=("host", "last_host"), many=True),
        Tally("sizes", by="account", and_by=("state", "display"), sums=("cpu_number", "memory")),
        Changes(
            "usage",
            of=("account", "state", "service_offering", "cpu_number", "cpu_speed", "memory", "nics", "security_groups"),
        ),
        Tally("load", by="host", and_by=("cpu_speed",), sums=("cpu_number", "memory")),
    )

    name: str
    display_name: str
    zone: Zone
    service_offering: ServiceOffering
    template: Template
    cpu_number: int
    cpu_speed: int
    """MHz of one CPU."""
    memory: int
    """MiB."""
    user: User | None = None
    hypervisor: str = "Simulator"
    state: str = "Stopped"
    """A state of `families.vms.TRANSITIONS`."""
    host: Host | None = None
    last_host: Host | None = None
    iso: Template | None = None
    nics: tuple[Nic, ...] = ()
    volumes: list[Volume] = field(default_factory=list)
    """Its volumes: those whose ``vm`` it is (`families.volumes.attach` and ``detach`` keep both sides)."""
    instance_name: str = ""
    ha_enabled: bool = False
    display: bool = True
    dynamically_scalable: bool = False
    group: InstanceGroup | None = None
    key_pairs: list[str] = field(default_factory=list)
    user_data: str | None = None
    registered_user_data: Resource | None = None
    user_data_details: str | None = None
    affinity_groups: tuple[AffinityGroup, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    password: str | None = None
    """The password that the API tells once: after a start that made it, or a reset."""
    delete_protection: bool = False
    os_type: OsType | None = None
    last_updated: datetime | None = None
    """When its state last changed; None before its first start."""
    current_snapshot: VmSnapshot | None = None
    backup_offering: Resource | None = None
    lease: Lease | None = None

    @property
    def default_nic(self) -> Nic | None:
        return next((nic for nic in self.nics if nic.is_default), self.nics[0] if self.nics else None)

    @property
    def root_volume(self) -> Volume | None:
        return next((volume for volume in self.volumes if volume.type == "ROOT"), None)

    @property
    def left(self) -> tuple[Host, ...]:
        """The host that it last ran on, while it is on none."""
        return (self.last_host,) if self.host is None and self.last_host is not None else ()

    @property
    def cluster(self) -> Cluster | None:
        return self.host.cluster if self.host else None

    @property
    def pod(self) -> Pod | None:
        """Where it runs, or last ran."""
        host = self.host or self.last_host
        return host.pod if host else None

    @property
    def networks(self) -> list[Network]:
        return [nic.network for nic in self.nics]


@dataclass(eq=False, kw_only=True, repr=False)
class VmSnapshot(Owned):
    entities: ClassVar[tuple[str, ...]] = ("VMSnapshotResponse",)
    label: ClassVar[str] = "VM snapshot"
    resource_type: ClassVar[str] = "VMSnapshot"
    indexes = (Lookup("vm"), Changes("usage"))

    name: str
    display_name: str
    vm: UserVm
    description: str | None = None
    type: str = "Disk"
    """``Disk`` or ``DiskAndMemory``."""
    state: str = "Allocated"
    """A state of `families.vm_snapshots.STATES`."""
    parent: VmSnapshot | None = None

    @property
    def zone(self) -> Zone:
        return self.vm.zone


@dataclass(eq=False, kw_only=True, repr=False)
class SystemVm(Resource):
    entities: ClassVar[tuple[str, ...]] = ("SystemVmResponse",)
    label: ClassVar[str] = "system VM"
    resource_type: ClassVar[str] = "SystemVm"

    name: str
    type: str
    """``consoleproxy`` or ``secondarystoragevm``."""
    zone: Zone
    pod: Pod | None = None
    host: Host | None = None
    state: str = "Running"
    public_ip: str | None = None
    private_ip: str | None = None
    link_local_ip: str | None = None
    gateway: str | None = None
    public_netmask: str | None = None
    pool: StoragePool | None = None
    service_offering: ServiceOffering | None = None
    template: Template | None = None
    agent: Host | None = None
    """The host entry of its agent."""
