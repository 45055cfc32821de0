"""Virtual machines, their NICs, and the system VMs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned, User
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, Zone
from cs_matrix_pytest.simulator.models.networks import Nic as Nic
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
class UserVm(Owned):
    entities: ClassVar[tuple[str, ...]] = ("UserVmResponse", "VirtualMachineResponse")
    label: ClassVar[str] = "virtual machine"
    resource_type: ClassVar[str] = "UserVm"

    name: str
    display_name: str
    zone: Zone
    service_offering: ServiceOffering
    template: Template
    cpu_number: int
    cpu_speed: int
    memory: int
    """MiB."""
    user: User | None = None
    hypervisor: str = "Simulator"
    state: str = "Stopped"
    """A state of `families.vm.STATES`: Starting, Running, Stopping, Stopped, Migrating, Destroyed, Expunging, Error …"""
    host: Host | None = None
    last_host: Host | None = None
    cluster: Cluster | None = None
    pod: Pod | None = None
    iso: Template | None = None
    nics: list[Nic] = field(default_factory=list)
    instance_name: str = ""
    ha_enabled: bool = False
    display: bool = True
    dynamically_scalable: bool = False
    group: Resource | None = None
    key_pairs: list[str] = field(default_factory=list)
    user_data: str | None = None
    user_data_id: str | None = None
    affinity_groups: list[Resource] = field(default_factory=list)
    security_groups: list[Resource] = field(default_factory=list)
    password: str | None = None
    delete_protection: bool = False
    os_type_id: str | None = None

    @property
    def default_nic(self) -> Nic | None:
        return next((nic for nic in self.nics if nic.is_default), self.nics[0] if self.nics else None)


@dataclass(eq=False, kw_only=True)
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
    service_offering: ServiceOffering | None = None
    template: Template | None = None
    agent: Host | None = None
    """The host entry of its agent."""
