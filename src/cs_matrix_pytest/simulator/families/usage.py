"""Usage events, as they follow from what changes, and the commands about usage (UsageEventUtils, UsageServiceImpl).

CloudStack's managers publish usage events where they change something. Here one meter looks at what there is after every
command and writes what began, changed or ended since it last looked: so no way to change something can forget them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import active_account, check_domain
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.capabilities import fixed_rows
from cs_matrix_pytest.simulator.families.nics import vms_in
from cs_matrix_pytest.simulator.limits import GONE_VMS, GONE_VOLUMES, ON_SECONDARY
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Owned, Project, User
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.jobs import Job
from cs_matrix_pytest.simulator.models.networks import (
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
    Vpc,
)
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.models.usage import UsageEvent
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer, VpnUser
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("usage")

Fields = Mapping[str, Any]
Types = tuple[str, ...]
Items = tuple[object, ...]

RUNNING = ("Running", "Migrating", "Stopping")


def _vm(vm: UserVm, _item: object) -> Fields:
    return {
        "zone": vm.zone,
        "resource_id": vm.number,
        "resource_name": vm.name,
        "offering_id": vm.service_offering.number,
        "template_id": vm.template.number,
        "resource_kind": vm.hypervisor,
    }


def _nic(vm: UserVm, item: Any) -> Fields:
    nic, offering = item
    return {
        "zone": vm.zone,
        "resource_id": vm.number,
        "resource_name": str(nic.number),
        "offering_id": offering.number,
        "size": int(nic.is_default),
    }


def _security_group(vm: UserVm, group: Any) -> Fields:
    return {"zone": vm.zone, "resource_id": vm.number, "offering_id": group.number}


def _volume(volume: Volume, _item: object) -> Fields:
    return {
        "zone": volume.zone,
        "resource_id": volume.number,
        "resource_name": volume.name,
        "offering_id": volume.disk_offering.number,
        "template_id": volume.template.number if volume.template else None,
        "size": volume.size,
        "vm_id": volume.vm.number if volume.vm else None,
    }


def _snapshot(snapshot: Snapshot, _item: object) -> Fields:
    return {
        "zone": snapshot.zone,
        "resource_id": snapshot.number,
        "resource_name": snapshot.name,
        "size": snapshot.physical_size or snapshot.size,
        "virtual_size": snapshot.size,
    }


def _vm_snapshot(snapshot: VmSnapshot, _item: object) -> Fields:
    root = snapshot.vm.root_volume
    return {
        "zone": snapshot.vm.zone,
        "resource_id": snapshot.vm.number,
        "resource_name": snapshot.name,
        "template_id": root.number if root else None,
        "size": root.size if root else None,
    }


def _address(ip: PublicIp, _item: object) -> Fields:
    return {
        "zone": ip.zone,
        "resource_id": ip.number,
        "resource_name": ip.address,
        "size": int(ip.source_nat),
        "template_id": int(ip.is_system),
        "resource_kind": "VirtualNetwork" if ip.range.for_virtual_network else "DirectAttached",
    }


def _network(network: Network, _item: object) -> Fields:
    return {
        "zone": network.zone,
        "resource_id": network.number,
        "resource_name": network.name,
        "offering_id": network.offering.number,
        "resource_kind": network.state,
    }


def _vpc(vpc: Vpc, _item: object) -> Fields:
    return {"zone": vpc.zone, "resource_id": vpc.number, "resource_name": vpc.name}


def _rule(rule: Any, _item: object) -> Fields:
    return {"zone": rule.network.zone, "resource_id": rule.number}


def _vpn_user(user: VpnUser, _item: object) -> Fields:
    return {"resource_id": user.number, "resource_name": user.username}


def _image(image: Template, zone: Any) -> Fields:
    return {
        "zone": zone,
        "resource_id": image.number,
        "resource_name": image.name,
        "size": image.physical_size or image.size,
        "virtual_size": image.size,
    }


def _exists(_row: Owned) -> Items:
    return (True,)


def _vm_is(vm: UserVm) -> Items:
    return (vm.account,) if vm.state not in GONE_VMS else ()


def _vm_runs(vm: UserVm) -> Items:
    return (vm.account,) if vm.state in RUNNING else ()


def _vm_size(vm: UserVm) -> Items:
    return ((vm.service_offering, vm.cpu_number, vm.cpu_speed, vm.memory),)


def _vm_nics(vm: UserVm) -> Items:
    return tuple((nic, nic.network.offering) for nic in vm.nics) if vm.state in RUNNING else ()


def _vm_groups(vm: UserVm) -> Items:
    return tuple(vm.security_groups) if vm.state not in GONE_VMS else ()


def _volume_is(volume: Volume) -> Items:
    return (volume.account,) if volume.state not in GONE_VOLUMES | ON_SECONDARY else ()


def _volume_size(volume: Volume) -> Items:
    return (volume.size,)


def _attachment(volume: Volume) -> Items:
    """What attachVolume attached: disks that a VM was deployed with begin no attachment of their own."""
    return (volume.vm,) if volume.attached is not None else ()


def _attached_to(volume: Volume) -> Items:
    return (volume.vm,) if volume.vm is not None and not volume.is_root and volume.state not in GONE_VOLUMES else ()


def _backed_up(snapshot: Snapshot) -> Items:
    return (snapshot.zone,) if snapshot.state == "BackedUp" else ()


def _copies(snapshot: Snapshot) -> Items:
    return tuple(snapshot.more_zones) if snapshot.state == "BackedUp" else ()


def _ready(snapshot: VmSnapshot) -> Items:
    return (True,) if snapshot.state == "Ready" else ()


def _assigned(ip: PublicIp) -> Items:
    return () if ip.is_portable or ip.state in ("Allocating", "Reserved") else (True,)


def _portable(ip: PublicIp) -> Items:
    return (True,) if ip.is_portable and ip.state not in ("Allocating", "Reserved") else ()


def _network_is(network: Network) -> Items:
    return (True,) if network.traffic_type == "Guest" and not network.is_system else ()


def _network_runs(network: Network) -> Items:
    return (True,) if network.state == "Implemented" else ()


def _ready_in(image: Template) -> Items:
    return tuple(copy.zone for copy in image.copies if copy.is_ready) if image.template_type == "USER" else ()


@dataclass(frozen=True, eq=False)
class Meter:
    """What is used of resources of a class, and the events of it.

    ``items``: what of a resource is in use; ``begins``: events of the first item; ``more``: of one beside others or in
    place of another (None: as ``begins``); ``ends``: of an item that is no more.
    """

    kind: type[Owned]
    items: Callable[[Any], Items]
    fields: Callable[[Any, Any], Fields]
    begins: Types = ()
    ends: Types = ()
    more: Types | None = None


METERS = (
    Meter(Network, _network_is, _network, ("NETWORK.CREATE",), ("NETWORK.DELETE",)),
    Meter(Network, _network_runs, _network, ("NETWORK.UPDATE",), ("NETWORK.UPDATE",)),
    Meter(Vpc, _exists, _vpc, ("VPC.CREATE",), ("VPC.DELETE",)),
    Meter(Volume, _volume_is, _volume, ("VOLUME.CREATE",), ("VOLUME.DELETE",)),
    Meter(Volume, _volume_size, _volume, more=("VOLUME.RESIZE",)),
    Meter(Volume, _attachment, _volume, ("VOLUME.ATTACH",)),
    Meter(Volume, _attached_to, _volume, ends=("VOLUME.DETACH",)),
    Meter(UserVm, _vm_is, _vm, ("VM.CREATE",), ("VM.DESTROY",)),
    Meter(UserVm, _vm_nics, _nic, ("NETWORK.OFFERING.ASSIGN",), ("NETWORK.OFFERING.REMOVE",)),
    Meter(UserVm, _vm_runs, _vm, ("VM.START",), ("VM.STOP",)),
    Meter(UserVm, _vm_size, _vm, more=("VM.UPGRADE",)),
    Meter(UserVm, _vm_groups, _security_group, ("SG.ASSIGN",), ("SG.REMOVE",)),
    Meter(PublicIp, _assigned, _address, ("NET.IPASSIGN",), ("NET.IPRELEASE",)),
    Meter(PublicIp, _portable, _address, ("PORTABLE.IPASSIGN",), ("PORTABLE.IPRELEASE",)),
    Meter(PortForwardingRule, _exists, _rule, ("NET.RULEADD",), ("NET.RULEDELETE",)),
    Meter(StaticNatRule, _exists, _rule, ("NET.RULEADD",), ("NET.RULEDELETE",)),
    Meter(LoadBalancerRule, _exists, _rule, ("LB.CREATE",), ("LB.DELETE",)),
    Meter(InternalLoadBalancer, _exists, _rule, ("LB.CREATE",), ("LB.DELETE",)),
    Meter(VpnUser, _exists, _vpn_user, ("VPN.USER.ADD",), ("VPN.USER.REMOVE",)),
    Meter(Snapshot, _backed_up, _snapshot, ("SNAPSHOT.ON_PRIMARY", "SNAPSHOT.CREATE"), ("SNAPSHOT.DELETE",)),
    Meter(Snapshot, _copies, _snapshot, ("SNAPSHOT.COPY",)),
    Meter(
        VmSnapshot,
        _ready,
        _vm_snapshot,
        ("VMSNAPSHOT.CREATE", "VMSNAPSHOT.ON_PRIMARY"),
        ("VMSNAPSHOT.DELETE", "VMSNAPSHOT.OFF_PRIMARY"),
    ),
    Meter(Template, _ready_in, _image, ("TEMPLATE.CREATE",), ("TEMPLATE.DELETE",), more=("TEMPLATE.COPY",)),
    Meter(Iso, _ready_in, _image, ("ISO.CREATE",), ("ISO.DELETE",), more=("ISO.COPY",)),
)

ORDER = (
    "VM.STOP",
    "NETWORK.OFFERING.REMOVE",
    "SG.REMOVE",
    "VM.DESTROY",
    "VOLUME.DETACH",
    "VOLUME.DELETE",
    "VPC.CREATE",
    "NETWORK.CREATE",
    "VOLUME.CREATE",
    "VM.CREATE",
    "SG.ASSIGN",
    "NET.IPASSIGN",
    "NETWORK.UPDATE",
    "NETWORK.OFFERING.ASSIGN",
    "VM.START",
    "NET.RULEDELETE",
    "LB.DELETE",
    "NET.IPRELEASE",
    "NETWORK.DELETE",
    "VPC.DELETE",
)
"""The order of what one command leads to: as a VM is destroyed, and deployed. Others come after, as the meters are."""
RANKS = {type: rank for rank, type in enumerate(ORDER)}

QUERIES = ("list", "get", "query", "find", "is", "quota", "verify", "login", "logout")
"""How the names of commands begin that change nothing that is metered."""
PLACES = (Account, Domain, Project, User, Zone, Pod, Cluster, Host, StoragePool, Network, Vpc)
"""What contains other things: a command about one of these may change anything."""
TOLD = (UserVm, Volume)
"""Classes whose tables tell of every change of what is metered (`Changes`); those of the others, of what is new or gone."""


class UsageMeter:
    """Writes usage events into a cloud's store by looking at what there is."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._open: list[dict[Owned, tuple[Account, Items]]] = [{} for _ in METERS]
        """Per meter: what was in use of each resource when it was last looked at, and whose it was."""

    def after(self, call: Call, job: Job | None) -> None:
        """Look at what a command that has run may have changed."""
        if not call.command.lists and not call.command.name.startswith(QUERIES):
            self.look(_touched(self._cloud, call, job))

    def look(self, at: Iterable[Resource] | None = None) -> None:
        """Write the events of what has changed, of everything, or of some resources and whatever their tables tell."""
        found = self._found(at)
        for type, account, fields in sorted(found, key=lambda event: RANKS.get(event[0], len(RANKS))):
            if account is not self._cloud.system_account:
                self._cloud.store.add(UsageEvent(account=account, type=type, **fields))

    def resume(self) -> None:
        """Know what there is in a state that was loaded: its events were written before."""
        self._found(None)

    def _found(self, some: Iterable[Resource] | None) -> list[tuple[str, Account, Fields]]:
        """The events of what has changed, of everything or of some resources and whatever their tables tell."""
        found: list[tuple[str, Account, Fields]] = []
        named: dict[type[Resource], list[Any]] | None = None if some is None else {}
        for row in some or ():
            named.setdefault(type(row), []).append(row)  # type: ignore[union-attr]
        rows = {kind: self._rows(kind, None if named is None else named.get(kind, [])) for kind in KINDS}
        for meter, known in zip(METERS, self._open, strict=True):
            for row in rows[meter.kind]:
                found += _compare(meter, row, known, row in self._cloud.store)
        return found

    def _rows(self, kind: type[Owned], some: list[Owned] | None) -> list[Owned]:
        """The resources of a class to look at, oldest first."""
        table = self._cloud.store.table(kind)
        rows = table.changes("usage")
        if some is None:
            meters = zip(METERS, self._open, strict=True)
            rows += [*table, *(row for meter, known in meters if meter.kind is kind for row in known)]
        else:
            rows += some
        return sorted(dict.fromkeys(rows), key=lambda row: row.number) if len(rows) > 1 else rows


KINDS = tuple(dict.fromkeys(meter.kind for meter in METERS))


def _compare(
    meter: Meter, row: Owned, known: dict[Owned, tuple[Account, Items]], is_there: bool
) -> Iterator[tuple[str, Account, Fields]]:
    """The events of one resource since it was last looked at, as (type, account, fields of the event)."""
    owner, before = known.get(row, (row.account, ()))
    after = meter.items(row) if is_there else ()
    if before == after:
        return
    for item in before:
        if item not in after:
            for type in meter.ends:
                yield type, owner, meter.fields(row, item)
    begins = meter.more if before and meter.more is not None else meter.begins
    for item in after:
        if item not in before:
            for type in begins:
                yield type, row.account, meter.fields(row, item)
    if after:
        known[row] = (row.account, after)
    else:
        known.pop(row, None)


def _touched(cloud: Cloud, call: Call, job: Job | None) -> Iterable[Resource]:
    """The resources that a command may have changed, beside those whose tables tell."""
    named = {value for value in _flat(call.params.values()) if isinstance(value, Resource)}
    if job is not None and job.instance is not None:
        named.add(job.instance)
    store = cloud.store
    if not call.command.creates and any(isinstance(row, PLACES) for row in named):
        # The offering of a network is metered with the VMs in it.
        networks = [row for row in store.table(Network) if row in named or (row.vpc is not None and row.vpc in named)]
        inside = (vm for network in networks for vm in vms_in(cloud, network))
        return chain(inside, *(store.table(kind) for kind in KINDS if kind not in TOLD))
    vms = {row for row in named if isinstance(row, UserVm)}
    vms |= {row.vm for row in named if isinstance(row, Volume) and row.vm is not None}
    return named.union(vms, *(vm.networks for vm in vms))


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


# Commands. Usage records are made by the usage server, which is a program of its own: as long as it does not run there
# are none.


@family.command("listUsageTypes", object_name="usagetype")
def list_usage_types(_call: Call) -> Answer:
    rows = fixed_rows("listUsageTypes")
    return {"count": len(rows), "usagetype": rows}


@family.command("generateUsageRecords", "removeRawUsageRecords")
def order_usage_server(call: Call) -> Answer:
    if call.get("interval", 1) <= 0:
        raise InvalidParameterValue("Interval should be greater than 0.")
    return Success()


@family.command("listUsageRecords", object_name="usagerecord")
def list_usage_records(call: Call) -> Answer:
    if "projectid" in call and "accountid" in call:
        raise InvalidParameterValue("Projectid and accountId can't be specified together")
    account = _whose_usage(call)
    if call.account.type == AccountType.DOMAIN_ADMIN:
        domain = call.maybe(Domain, "domainid") or call.account.domain
        check_domain(call.account, domain)
        if "accountid" in call and not domain.contains(account.domain):
            raise PermissionDenied(
                "Domain admins may only retrieve usage records for accounts in their own domain and child domains."
            )
    if call.account.is_normal:
        _check_user(call, account)
    if call["startdate"] > call["enddate"]:
        raise InvalidParameterValue(
            f"Incorrect Date Range. Start date: {_java(call['startdate'])} is after end date:{_java(call['enddate'])}"
        )
    if "usageid" in call and "type" not in call:
        raise InvalidParameterValue("Usageid must be specified together with usageType")
    return Listing([], 0)


def _whose_usage(call: Call) -> Account:
    """The account that a request names, else the caller's. Raises ApiError (UsageServiceImpl.getUsageRecords)."""
    project = call.maybe(Project, "projectid", missing="Unable to find project by id {}")
    if project is not None:
        return project.account
    name, domain = call.get("account"), call.get("domainid")
    if "accountid" in call:
        return call.one(Account, "accountid")
    if not name or domain is None:
        return call.account
    if not isinstance(domain, Domain) or not call.account.domain.contains(domain):
        raise PermissionDenied("Invalid Domain Id or Account")
    account = active_account(call.cloud, name, domain)
    if account is None:
        raise InvalidParameterValue(f"Unable to find account {name} in domain {domain.number}")
    return account


def _check_user(call: Call, account: Account) -> None:
    """Users see their own records, where a role lets them ask at all."""
    if account is not call.account:
        raise PermissionDenied("Users are only allowed to list usage records for their own account.")
    if call.flag("isrecursive"):
        raise PermissionDenied("Users are not allowed to list usage records recursively.")
    if "domainid" in call:
        raise PermissionDenied("Users are not allowed to list usage records for a domain")


def _java(moment: datetime) -> str:
    """A time as Java's Date writes it."""
    return f"{moment:%a %b %d %H:%M:%S} UTC {moment:%Y}"
