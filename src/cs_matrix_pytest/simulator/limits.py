"""Resource limits and counts (ResourceLimitManagerImpl). Counts are taken from the store, so they cannot be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.errors import ResourceLimitExceeded
from cs_matrix_pytest.simulator.indexes import Totals
from cs_matrix_pytest.simulator.ipv4 import count as count_addresses
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Project
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.infra import IpRange
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp, Vpc
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

UNLIMITED = -1
GIB = 1024**3

GONE_VMS = frozenset({"Destroyed", "Error", "Expunging"})
GONE_VOLUMES = frozenset({"Destroy", "Expunging", "Expunged"})
ON_SECONDARY = frozenset({"UploadOp", "Uploaded", "NotUploaded", "UploadInProgress", "UploadError", "UploadAbandoned"})
"""States of volumes that no primary storage holds yet."""

Amounts = Iterator[tuple[Account, int]]
"""Owners with what one resource of theirs counts for."""


def _gone_vms(cloud: Cloud) -> frozenset[str]:
    """The states of VMs that are not counted."""
    running_only = cloud.configuration.flag("resource.count.running.vms.only")
    return GONE_VMS | {"Stopped"} if running_only else GONE_VMS


def _vms(cloud: Cloud, tag: str | None) -> Iterator[UserVm]:
    gone = _gone_vms(cloud)
    for vm in cloud.store.table(UserVm):
        if vm.state not in gone and vm.display and (tag is None or tag in _host_tags(vm.service_offering, vm.template)):
            yield vm


def _volumes(cloud: Cloud, tag: str | None) -> Iterator[Volume]:
    for volume in cloud.store.table(Volume):
        if (
            volume.state not in GONE_VOLUMES
            and volume.display
            and (tag is None or tag in volume.disk_offering.storage_tags)
        ):
            yield volume


def _host_tags(offering: ServiceOffering, template: Template) -> list[str]:
    return [*offering.host_tags, *([template.template_tag] if template.template_tag else [])]


def _summed(sizes: Totals, position: int, counts: Callable[[str, bool], bool]) -> Amounts:
    """Per owner the count (position 0) or a sum of a tally ``sizes``, over the states that count, displayed or not."""
    for account, parts in sizes.items():
        amount = sum(total[position] for (state, displayed), total in parts.items() if counts(state, displayed))
        if amount:
            yield account, amount


def _of_vms(cloud: Cloud, tag: str | None, position: int, amount: Callable[[UserVm], int]) -> Amounts:
    if tag is not None:
        return ((vm.account, amount(vm)) for vm in _vms(cloud, tag))
    gone = _gone_vms(cloud)
    sizes = cloud.store.table(UserVm).totals("sizes")
    return _summed(sizes, position, lambda state, displayed: displayed and state not in gone)


def _user_vms(cloud: Cloud, tag: str | None) -> Amounts:
    return _of_vms(cloud, tag, 0, lambda _vm: 1)


def _running_vms(cloud: Cloud, _tag: str | None) -> Amounts:
    return _summed(cloud.store.table(UserVm).totals("sizes"), 0, lambda state, _displayed: state == "Running")


def _stopped_vms(cloud: Cloud, _tag: str | None) -> Amounts:
    return _summed(cloud.store.table(UserVm).totals("sizes"), 0, lambda state, _displayed: state == "Stopped")


def _cpus(cloud: Cloud, tag: str | None) -> Amounts:
    return _of_vms(cloud, tag, 1, lambda vm: vm.cpu_number)


def _memory(cloud: Cloud, tag: str | None) -> Amounts:
    return _of_vms(cloud, tag, 2, lambda vm: vm.memory)


def _gpus(cloud: Cloud, tag: str | None) -> Amounts:
    return ((vm.account, int(vm.service_offering.fields.get("gpucount") or 0)) for vm in _vms(cloud, tag))


def _volume_count(cloud: Cloud, tag: str | None) -> Amounts:
    if tag is not None:
        return ((volume.account, 1) for volume in _volumes(cloud, tag))
    sizes = cloud.store.table(Volume).totals("sizes")
    return _summed(sizes, 0, lambda state, displayed: displayed and state not in GONE_VOLUMES)


def _primary_storage(cloud: Cloud, tag: str | None) -> Amounts:
    nowhere = GONE_VOLUMES | ON_SECONDARY
    if tag is not None:
        return ((volume.account, volume.size) for volume in _volumes(cloud, tag) if volume.state not in nowhere)
    sizes = cloud.store.table(Volume).totals("sizes")
    return _summed(sizes, 1, lambda state, displayed: displayed and state not in nowhere)


def _secondary_storage(cloud: Cloud, _tag: str | None) -> Amounts:
    for template in _images(cloud):
        for copy in template.copies:
            if copy.store is not None and copy.error is None:
                yield template.account, template.size
    for snapshot in cloud.store.table(Snapshot):
        if snapshot.state == "BackedUp":
            yield snapshot.account, snapshot.physical_size * (1 + len(snapshot.more_zones))
    sizes = cloud.store.table(Volume).totals("sizes")
    yield from _summed(sizes, 1, lambda state, displayed: displayed and state in ON_SECONDARY)


def _public_ips(cloud: Cloud, _tag: str | None) -> Amounts:
    # Of addresses that are dedicated and addresses in use, whichever are more.
    in_use: dict[Account, int] = defaultdict(int)
    for ip in cloud.store.table(PublicIp):
        if ip.network is not None or ip.vpc is not None or ip.state == "Reserved":
            in_use[ip.account] += 1
    dedicated: dict[Account, int] = defaultdict(int)
    for row in cloud.store.table(IpRange):
        if row.account is not None and row.start_ip is not None and row.end_ip is not None:
            dedicated[row.account] += count_addresses(row.start_ip, row.end_ip)
    for account in in_use | dedicated:
        yield account, max(in_use[account], dedicated[account])


def _snapshots(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, 1) for row in cloud.store.table(Snapshot) if row.state not in ("Error", "Destroyed"))


def _images(cloud: Cloud) -> Iterator[Template]:
    yield from cloud.store.table(Template)
    yield from cloud.store.table(Iso)


def _templates(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((image.account, 1) for image in _images(cloud))


def _projects(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((member.account, 1) for project in cloud.store.table(Project) for member in project.admins)


def _networks(cloud: Cloud, _tag: str | None) -> Amounts:
    for network in cloud.store.table(Network):
        counts = network.acl_type == "Account" and network.traffic_type == "Guest" and network.display
        if counts and not network.offering.specify_vlan and not network.is_system:
            yield network.account, 1


def _vpcs(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, 1) for row in cloud.store.table(Vpc))


def _rows(cloud: Cloud, entity: str) -> Iterable[Any]:
    return (row for kind in cloud.registry.kinds.get(entity, ()) for row in cloud.store.table(kind))


def _backups(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, 1) for row in _rows(cloud, "BackupResponse"))


def _backup_storage(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, row.size) for row in _rows(cloud, "BackupResponse"))


def _buckets(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, 1) for row in _rows(cloud, "BucketResponse"))


def _object_storage(cloud: Cloud, _tag: str | None) -> Amounts:
    return ((row.account, (row.quota or 0) * GIB) for row in _rows(cloud, "BucketResponse"))


@dataclass(frozen=True)
class ResourceType:
    """One kind of thing that is limited.

    ``number``: as the API counts them; ``setting``: the last part of ``max.account.…``, ``max.domain.…`` and
    ``max.project.…``; ``field``: what its response fields begin with (``vmlimit``, ``vmtotal``, ``vmavailable``);
    ``tags``: whether it can be limited per host or storage tag; ``is_storage``: counted in bytes, shown in GiB.
    """

    name: str
    number: int
    setting: str
    field: str
    amounts: Callable[[Cloud, str | None], Amounts]
    tags: str | None = None
    is_storage: bool = False


RESOURCE_TYPES = (
    ResourceType("user_vm", 0, "user.vms", "vm", _user_vms, tags="host"),
    ResourceType("public_ip", 1, "public.ips", "ip", _public_ips),
    ResourceType("volume", 2, "volumes", "volume", _volume_count, tags="storage"),
    ResourceType("snapshot", 3, "snapshots", "snapshot", _snapshots),
    ResourceType("template", 4, "templates", "template", _templates),
    ResourceType("project", 5, "projects", "project", _projects),
    ResourceType("network", 6, "networks", "network", _networks),
    ResourceType("vpc", 7, "vpcs", "vpc", _vpcs),
    ResourceType("cpu", 8, "cpus", "cpu", _cpus, tags="host"),
    ResourceType("memory", 9, "memory", "memory", _memory, tags="host"),
    ResourceType(
        "primary_storage", 10, "primary.storage", "primarystorage", _primary_storage, tags="storage", is_storage=True
    ),
    ResourceType("secondary_storage", 11, "secondary.storage", "secondarystorage", _secondary_storage, is_storage=True),
    ResourceType("backup", 12, "backups", "backup", _backups),
    ResourceType("backup_storage", 13, "backup.storage", "backupstorage", _backup_storage, is_storage=True),
    ResourceType("bucket", 14, "buckets", "bucket", _buckets),
    ResourceType("object_storage", 15, "object.storage", "objectstorage", _object_storage, is_storage=True),
    ResourceType("gpu", 16, "gpus", "gpu", _gpus, tags="host"),
)
BY_NAME = {kind.name: kind for kind in RESOURCE_TYPES}
AMOUNTS = {kind.name: kind.amounts for kind in RESOURCE_TYPES} | {
    "running_vm": _running_vms,
    "stopped_vm": _stopped_vms,
}
"""What can be counted: all that is limited, and VMs by state."""


class Limits:
    """Counts and checks for one cloud. Kinds are named as in `RESOURCE_TYPES`; amounts of storage are bytes."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def check(self, account: Account, kind: str, amount: int = 1, *, tags: Iterable[str] = ()) -> None:
        """Raise ResourceLimitExceeded if ``amount`` more of ``kind`` is above the account's or a domain's limit.

        ``tags``: the host or storage tags that it counts for as well (`host_tags`, `storage_tags`). Storage in bytes.
        """
        if account.is_root_admin or amount <= 0:
            return
        for tag in (None, *tags):
            self._check_account(account, BY_NAME[kind], tag, amount)
            domain: Domain | None = account.domain
            while domain is not None and domain.parent is not None:
                self._check_domain(domain, BY_NAME[kind], tag, amount)
                domain = domain.parent

    def count(self, owner: Account | Domain, kind: str, tag: str | None = None) -> int:
        """How much of ``kind`` an account owns, or all accounts of a domain and below; of one tag only where given."""
        amounts = AMOUNTS[kind](self._cloud, tag)
        if isinstance(owner, Account):
            return sum(amount for account, amount in amounts if account is owner)
        inside = {domain.id for domain in self._cloud.store.table(Domain) if owner.contains(domain)}
        system = self._cloud.system_account
        return sum(amount for account, amount in amounts if account.domain.id in inside and account is not system)

    def totals(self, kind: str) -> dict[str, int]:
        """How much of ``kind`` every owner has: by the id of each account and of each domain with all below it."""
        totals: dict[str, int] = defaultdict(int)
        for account, amount in AMOUNTS[kind](self._cloud, None):
            totals[account.id] += amount
            domain: Domain | None = None if account is self._cloud.system_account else account.domain
            while domain is not None:
                totals[domain.id] += amount
                domain = domain.parent
        return totals

    def limit(self, owner: Account | Domain, kind: str, tag: str | None = None) -> int:
        """The limit of an account or a domain; UNLIMITED where there is none. Storage in bytes."""
        unlimited = owner.parent is None if isinstance(owner, Domain) else owner.is_root_admin
        if unlimited:
            return UNLIMITED
        holder: Account | Domain | None = owner
        while holder is not None and not (isinstance(holder, Domain) and holder.parent is None):
            if (kind, tag) in holder.limits:
                return holder.limits[kind, tag]
            holder = holder.parent if isinstance(holder, Domain) else None
        if tag is not None and not (isinstance(owner, Account) and owner.type == AccountType.PROJECT):
            return self.limit(owner, kind)
        return self.default(owner, kind)

    def default(self, owner: Account | Domain, kind: str) -> int:
        """The limit that the configuration gives to owners of this sort. Storage in bytes."""
        sort = "domain" if isinstance(owner, Domain) else "project" if owner.type == AccountType.PROJECT else "account"
        value = int(self._cloud.configuration.number(f"max.{sort}.{BY_NAME[kind].setting}", default=UNLIMITED))
        if value < 0:
            return UNLIMITED
        return value * GIB if BY_NAME[kind].is_storage else value

    def available(self, owner: Account | Domain, kind: str) -> int:
        """What is left of a limit, UNLIMITED where there is none."""
        limit = self.limit(owner, kind)
        return limit if limit == UNLIMITED else limit - self.count(owner, kind)

    def configured_tags(self, sort: str) -> list[str]:
        """The ``host`` or ``storage`` tags that limits can be set for."""
        text = self._cloud.configuration.text(f"resource.limit.{sort}.tags")
        return [tag.strip() for tag in text.split(",") if tag.strip()]

    def host_tags(self, offering: ServiceOffering, template: Template) -> list[str]:
        """The limited tags that a VM of this offering and template counts for."""
        limited = self.configured_tags("host")
        return [tag for tag in dict.fromkeys(_host_tags(offering, template)) if tag in limited]

    def storage_tags(self, offering: DiskOffering | None) -> list[str]:
        """The limited tags that a volume of this offering counts for."""
        limited = self.configured_tags("storage")
        return [tag for tag in offering.storage_tags if tag in limited] if offering else []

    def _check_account(self, account: Account, kind: ResourceType, tag: str | None, amount: int) -> None:
        limit = self.limit(account, kind.name, tag)
        if limit == UNLIMITED:
            return
        count = self.count(account, kind.name, tag)
        if count + amount > limit:
            project = account.project if account.type == AccountType.PROJECT else None
            whose = f"Project Name = {project.name}" if project else f"Account Name = {account.name}"
            shown = readable if kind.is_storage else str
            raise ResourceLimitExceeded(
                f"Maximum amount of resources of Type = '{kind.name}', tag = '{tag or 'null'}' for {whose} in Domain Id "
                f"= {account.domain.number} is exceeded: Account Resource Limit = {shown(limit)}, Current Account "
                f"Resource Amount = {shown(count)}, Current Account Resource Reservation = {shown(0)}, Requested "
                f"Resource Amount = {shown(amount)}."
            )

    def _check_domain(self, domain: Domain, kind: ResourceType, tag: str | None, amount: int) -> None:
        limit = self.limit(domain, kind.name, tag)
        if limit == UNLIMITED:
            return
        count = self.count(domain, kind.name, tag)
        if count + amount > limit:
            shown = readable if kind.is_storage else str
            name = f"{kind.name} (tag: {tag})" if tag else kind.name
            raise ResourceLimitExceeded(
                f"Maximum domain resource limits of Type '{name}' for Domain Id = {domain.id} is exceeded: Domain "
                f"Resource Limit = {shown(limit)}, Current Domain Resource Amount = {shown(count)}, Current Resource "
                f"Reservation = {shown(0)}, Requested Resource Amount = {shown(amount)}."
            )


def readable(size: int) -> str:
    """Bytes as error texts write them: ``(4.00 GB) 4294967296``."""
    if size < 1024:
        return f"({size} bytes) {size}"
    for unit, factor in (("KB", 1024), ("MB", 1024**2), ("GB", GIB)):
        if size < factor * 1024:
            return f"({size / factor:.2f} {unit}) {size}"
    return f"({size / 1024**4:.2f} TB) {size}"
