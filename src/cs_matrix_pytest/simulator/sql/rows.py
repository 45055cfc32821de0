"""The rows of tables, and what single columns say where an attribute alone does not."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator import vlans
from cs_matrix_pytest.simulator.families import roles
from cs_matrix_pytest.simulator.ipv4 import to_int, to_text
from cs_matrix_pytest.simulator.limits import ON_SECONDARY, RESOURCE_TYPES
from cs_matrix_pytest.simulator.models.details import HiddenDetail
from cs_matrix_pytest.simulator.models.iam import Account, Role, RolePermission, User
from cs_matrix_pytest.simulator.models.images import ImageCopy, Iso, Template
from cs_matrix_pytest.simulator.models.infra import (
    Host,
    ImageStore,
    IpRange,
    ManagementServer,
    PhysicalNetwork,
    StoragePool,
)
from cs_matrix_pytest.simulator.models.jobs import Job
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Nic,
    PortForwardingRule,
    PublicIp,
    Router,
    StaticNatRule,
)
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.models.usage import UsageEvent
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.sql.table import NotServed, Value, moment, text
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

R = TypeVar("R", bound=Resource)

MSID = to_int("127.0.0.1")
"""The id of the management server in its cluster: its address as a number."""
APART = 1_000_000_000
"""Between the ids of classes that share a table."""


def every(*kinds: type[Resource]) -> Callable[[Cloud], Iterable[Any]]:
    """All rows of some classes, removed ones too."""
    return lambda cloud: [row for kind in kinds for row in cloud.store.table(kind)._by_number.values()]


def id_among(*kinds: type[Resource]) -> Callable[[Any], int]:
    """The id of a row in a table that several classes share: its number, kept apart from those of the classes before."""
    places = {kind: place for place, kind in enumerate(kinds)}
    return lambda row: row.number + APART * places[type(row)]


def numbered(cloud: Cloud, kind: type[R], id: Value) -> R:
    """The resource that an id names; raise NotServed where there is none."""
    found = cloud.store.table(kind).by_number(int(id)) if str(id).isdecimal() else None  # type: ignore[arg-type]
    if found is None:
        raise NotServed(f"There is no {kind.label} with id {id}")
    return found


VMS = (UserVm, Router, SystemVm)
VM_TYPES = {"consoleproxy": "ConsoleProxy", "secondarystoragevm": "SecondaryStorageVm"}
IMAGES = (Template, Iso)
RULES = (FirewallRule, PortForwardingRule, LoadBalancerRule, StaticNatRule, InternalLoadBalancer)
PURPOSES = {
    FirewallRule: "Firewall",
    PortForwardingRule: "PortForwarding",
    LoadBalancerRule: "LoadBalancing",
    StaticNatRule: "StaticNat",
    InternalLoadBalancer: "LoadBalancing",
}
vm_id, image_id, rule_id = id_among(*VMS), id_among(*IMAGES), id_among(*RULES)


def first(*names: str) -> Callable[[Any], Any]:
    """The first of some attributes that a row has."""
    return lambda row: next((getattr(row, name) for name in names if getattr(row, name, None) is not None), None)


def part(path: str) -> Callable[[Any], Any]:
    """An attribute that only some of a table's classes have: a dotted path, None where it leads nowhere."""
    names = path.split(".")

    def read(row: Any) -> Any:
        for name in names:
            row = getattr(row, name, None)
        return row

    return read


def vm_type(vm: Any) -> str:
    if isinstance(vm, SystemVm):
        return VM_TYPES.get(vm.type, vm.type)
    return "DomainRouter" if isinstance(vm, Router) else "User"


def write_state(cloud: Cloud, resource: Any, value: Value) -> None:
    resource.state = text(value)


def write_source(_cloud: Cloud, user: User, value: Value) -> None:
    """User.Source: what nobody said (UNKNOWN) is shown, and works, as native."""
    source = str(value).lower()
    user.source = "native" if source == "unknown" else source


def write_removed(cloud: Cloud, row: Resource, value: Value) -> None:
    """Take a row that is there out of every list; of one that is gone change only when that was."""
    if value is None:
        raise NotServed(f"This simulator cannot bring back the {row.label} {row.id}")
    if row in cloud.store:
        cloud.store.remove(row)
    row.removed = moment(value)


# Rows that are no resources of their own


@dataclass(frozen=True)
class Detail:
    """One detail of a resource, as the ``…_details`` tables have them."""

    resource: Resource
    name: str
    value: str
    id: int
    display: bool = True


def details(kind: type[Resource]) -> Callable[[Cloud], Iterable[Detail | HiddenDetail]]:
    """The details of all resources of a class."""

    def rows(cloud: Cloud) -> Iterator[Detail | HiddenDetail]:
        shown = ((resource, *detail) for resource in every(kind)(cloud) for detail in resource.details.items())
        for number, (resource, name, value) in enumerate(shown, 1):
            yield Detail(resource, name, value, number)
        yield from cloud.store.table(HiddenDetail).where(lambda row: isinstance(row.resource, kind))

    return rows


def insert_detail(kind: type[Resource], owner: str) -> Callable[[Cloud, dict[str, Value]], None]:
    def insert(cloud: Cloud, values: dict[str, Value]) -> None:
        resource = numbered(cloud, kind, values.get(owner))
        name, value = str(values.get("name")), str(values.get("value"))
        if int(values.get("display", 1) or 0):
            resource.details[name] = value
        else:
            cloud.store.add(HiddenDetail(resource=resource, name=name, value=value))

    return insert


def write_detail(_cloud: Cloud, row: Detail | HiddenDetail, value: Value) -> None:
    if isinstance(row, HiddenDetail):
        row.value = str(value)
    else:
        row.resource.details[row.name] = str(value)


def delete_detail(cloud: Cloud, row: Detail | HiddenDetail) -> None:
    if isinstance(row, HiddenDetail):
        cloud.store.forget(row)
    else:
        row.resource.details.pop(row.name, None)


@dataclass(frozen=True)
class ImageInStore:
    """A copy of a template, with the template."""

    image: Template
    copy: ImageCopy
    id: int


def image_copies(cloud: Cloud) -> Iterator[ImageInStore]:
    copies = ((image, copy) for image in every(*IMAGES)(cloud) for copy in image.copies)
    for number, (image, copy) in enumerate(copies, 1):
        yield ImageInStore(image, copy, number)


@dataclass(frozen=True)
class Pair:
    """Two things that belong together, in a table for that."""

    left: Any
    right: Any
    id: int


def pairs(found: Callable[[Cloud], Iterable[tuple[Any, Any]]]) -> Callable[[Cloud], Iterable[Pair]]:
    return lambda cloud: [Pair(left, right, number) for number, (left, right) in enumerate(found(cloud), 1)]


def pool_hosts(cloud: Cloud) -> Iterator[tuple[StoragePool, Host]]:
    """The hosts that each pool is connected to: all of its scope."""
    for pool in cloud.store.table(StoragePool):
        for host in cloud.store.table(Host).where(type="Routing"):
            whole = pool.cluster or pool.zone
            mine = (host.cluster if pool.cluster else host.zone) is whole
            if host is pool.host or (pool.host is None and mine):
                yield pool, host


def snapshot_copies(cloud: Cloud) -> Iterator[tuple[Snapshot, ImageStore]]:
    """The copies of snapshots in secondary storage."""
    for snapshot in every(Snapshot)(cloud):
        if snapshot.state == "BackedUp":
            for zone in (snapshot.zone, *snapshot.more_zones):
                store = cloud.store.table(ImageStore).first(zone=zone)
                if store is not None:
                    yield snapshot, store


def volumes_on_secondary(cloud: Cloud) -> Iterator[tuple[Volume, ImageStore]]:
    """Uploaded volumes that no primary storage has yet."""
    for volume in cloud.store.table(Volume):
        store = cloud.store.table(ImageStore).first(zone=volume.zone)
        if volume.state in ON_SECONDARY and store is not None:
            yield volume, store


def isolation_methods(cloud: Cloud) -> Iterator[tuple[PhysicalNetwork, str]]:
    for network in cloud.store.table(PhysicalNetwork):
        for method in network.isolation_methods:
            yield network, method


def vnets(cloud: Cloud) -> Iterator[tuple[PhysicalNetwork, int]]:
    for network in cloud.store.table(PhysicalNetwork):
        for vlan in vlans.ids(vlans.parse_ranges(network.vlan)):
            yield network, vlan


@dataclass(frozen=True)
class HostCapacity:
    """One capacity of a host or, of type 3, of a storage pool."""

    resource: Host | StoragePool
    type: int
    total: int
    id: int

    @property
    def state(self) -> str:
        places = (self.resource, self.resource.cluster, self.resource.pod, self.resource.zone)
        disabled = any(
            "Disabled" in (getattr(each, "resource_state", None), getattr(each, "allocation_state", None))
            for each in places
            if each is not None
        )
        return "Disabled" if disabled else "Enabled"


MEMORY, CPU, STORAGE = 0, 1, 3
"""Types of capacity (Capacity.CAPACITY_TYPE_…)."""


def host_capacities(cloud: Cloud) -> Iterator[HostCapacity]:
    number = 0
    for host in cloud.store.table(Host).where(type="Routing"):
        for kind, total in ((MEMORY, host.memory), (CPU, host.cpu_number * host.cpu_speed)):
            number += 1
            yield HostCapacity(host, kind, total, number)
    for pool in cloud.store.table(StoragePool):
        number += 1
        yield HostCapacity(pool, STORAGE, pool.capacity, number)


@dataclass(frozen=True)
class AccountView:
    account: Account
    totals: dict[str, int]


def account_totals(cloud: Cloud) -> Iterator[AccountView]:
    totals = {kind.name: cloud.limits.totals(kind.name) for kind in RESOURCE_TYPES}
    for account in every(Account)(cloud):
        yield AccountView(account, {name: counts.get(account.id, 0) for name, counts in totals.items()})


def total(kind: str) -> Callable[[AccountView], int]:
    return lambda view: view.totals[kind]


def usage_events(cloud: Cloud) -> Iterable[UsageEvent]:
    cloud.events.usage.look()
    return cloud.store.table(UsageEvent)


@dataclass(frozen=True)
class Address:
    """An address of a public range; ``ip`` None while it is free, as the store keeps only those in use."""

    id: int
    address: str
    range: IpRange
    ip: PublicIp | None

    @property
    def uuid(self) -> str | None:
        return self.ip.id if self.ip else None

    @property
    def state(self) -> str:
        return self.ip.state if self.ip else "Free"


def of_address(name: str) -> Callable[[Address], bool]:
    """A flag of an address, which is off while it is free."""
    return lambda row: bool(row.ip and getattr(row.ip, name))


def addresses(cloud: Cloud) -> Iterator[Address]:
    """Every address of every range, in use (with the number of its allocation) or free."""
    used = cloud.store.table(PublicIp)
    for ip in used:
        yield Address(ip.number, ip.address, ip.range, ip)
    taken = {(ip.range, ip.address) for ip in used}
    for range in cloud.store.table(IpRange):
        if range.start_ip and range.end_ip:
            for number in builtins.range(to_int(range.start_ip), to_int(range.end_ip) + 1):
                if (range, to_text(number)) not in taken:
                    yield Address(APART + number, to_text(number), range, None)


@dataclass(frozen=True)
class MachineNic:
    """A NIC with the machine that it is of; None once it has been taken out."""

    nic: Nic
    machine: Any


def nics_with_machines(cloud: Cloud) -> Iterator[MachineNic]:
    machines = {nic: vm for vm in every(UserVm, Router)(cloud) for nic in vm.nics}
    for nic in every(Nic)(cloud):
        yield MachineNic(nic, machines.get(nic))


def number_of_image(vm: Any) -> int | None:
    image = getattr(vm, "template", None)
    return image_id(image) if image is not None else None


INTERVALS = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY")


def settings(cloud: Cloud) -> Iterable[Any]:
    return cloud.configuration.settings.values()


def role_permissions(cloud: Cloud) -> Iterator[tuple[int, RolePermission]]:
    for role in cloud.store.table(Role):
        yield from enumerate(roles.permissions_of(cloud, role))


def add_role_permission(cloud: Cloud, values: dict[str, Value]) -> None:
    role = numbered(cloud, Role, values.get("role_id"))
    allow = str(values.get("permission")).upper() == "ALLOW"
    permission = roles.add_permission(cloud, role, str(values.get("rule")), allow, text(values.get("description")))
    role.permissions.remove(permission)
    role.permissions.insert(int(values.get("sort_order") or 0), permission)


def remove_role_permission(cloud: Cloud, row: tuple[int, RolePermission]) -> None:
    roles.remove_permission(cloud, row[1])


def add_management_server(cloud: Cloud, values: dict[str, Value]) -> None:
    server = ManagementServer(
        name=str(values.get("name")), state=str(values.get("state")), version=str(values.get("version"))
    )
    server.details = {
        name: str(values[name]) for name in ("msid", "runid", "service_ip", "service_port") if name in values
    }
    cloud.store.add(server)


def of_server(name: str, default: Value) -> Callable[[ManagementServer], Value]:
    """What a management server has its own way: those that a statement inserted say it themselves."""

    def read(server: ManagementServer) -> Value:
        own = server.details.get(name, default)
        return int(own) if isinstance(own, str) and own.isdecimal() else own

    return read


def forget(cloud: Cloud, row: Resource) -> None:
    cloud.store.forget(row)


def job_result(job: Job) -> str | None:
    return None if job.result is None else json.dumps(job.result)
