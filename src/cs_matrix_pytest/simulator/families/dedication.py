"""Zones, pods, clusters and hosts that are dedicated (DedicatedResourceManagerImpl, ExplicitDedicationProcessor)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import owner_by_name
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.dedication import Dedication
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, Zone
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.store import Resource

family = Family("dedication")

KINDS: dict[str, type[Resource]] = {"Zone": Zone, "Pod": Pod, "Cluster": Cluster, "Host": Host}
"""What can be dedicated, the outermost first."""
GROUP_TYPE = "ExplicitDedication"
ELSEWHERE = "is dedicated to different account/domain"


def named(resource: Resource) -> str:
    """The name that texts and answers have of a resource."""
    return str(getattr(resource, "name", ""))


def kind_of(resource: Resource) -> str:
    return next(kind for kind, table in KINDS.items() if isinstance(resource, table))


@family.view(Dedication)
def dedication_view(row: Dedication, call: Call) -> dict[str, Any]:
    kind = kind_of(row.resource).lower()
    return {
        "id": row.id,
        f"{kind}id": row.resource.id,
        f"{kind}name": named(row.resource),
        "domainid": row.domain.id,
        "accountid": row.account.id if row.account else None,
        "affinitygroupid": row.group.id,
    }


def above(resource: Resource) -> Iterator[Resource]:
    """What a resource is in, the nearest first."""
    for name in ("cluster", "pod", "zone"):
        outer = getattr(resource, name, None)
        if outer is not None:
            yield outer


def within(cloud: Cloud, resource: Resource) -> Iterator[Resource]:
    """What is in a resource, the outermost first."""
    for table in KINDS.values():
        for inner in cloud.store.table(table):
            if resource in above(inner) and (not isinstance(inner, Host) or inner.is_routing):
                yield inner


def dedication_of(cloud: Cloud, resource: Resource) -> Dedication | None:
    """The dedication of a resource itself."""
    return cloud.store.table(Dedication).first(resource=resource)


def check_above(cloud: Cloud, resource: Resource, domain: Domain, account: Account | None) -> None:
    """Raise InternalError where what a resource is in is kept for somebody else."""
    kind = kind_of(resource)
    for outer in above(resource):
        row = dedication_of(cloud, outer)
        if row is None:
            continue
        inside = row.domain.contains(domain) and (account is not None or domain is not row.domain)
        if row.account is not None or not inside:
            what = "Data Center" if kind == "Host" and isinstance(outer, Zone) else kind_of(outer)
            raise InternalError(f"{kind}'s {what} {named(outer)} is already dedicated")


def check_within(cloud: Cloud, resource: Resource, domain: Domain, account: Account | None) -> list[Dedication]:
    """The dedications within a resource that its own makes needless. Raises InternalError for those of others."""
    needless = []
    for inner in within(cloud, resource):
        row = dedication_of(cloud, inner)
        if row is None:
            continue
        if not domain.contains(row.domain) or (account is not None and row.account is not account):
            raise InternalError(
                f"{kind_of(inner)} {named(inner)} under this {kind_of(resource)} {named(resource)} {ELSEWHERE}"
            )
        if account is not None or (row.account is None and row.domain is domain):
            needless.append(row)
    return needless


def check_vms(cloud: Cloud, hosts: Iterable[Host], domain: Domain, account: Account | None) -> None:
    """Raise InternalError where VMs of others run on hosts that are to be dedicated."""
    mine = set(hosts)
    for vm in cloud.store.table(UserVm):
        if vm.host not in mine:
            continue
        assert vm.host is not None
        text = (
            f"Host {vm.host.id} found to be unsuitable for explicit dedication as it is running instances of another "
        )
        if account is not None and vm.account is not account:
            raise InternalError(f"{text}account")
        if account is None and not domain.contains(vm.account.domain):
            raise InternalError(f"{text}domain")


def hosts_in(cloud: Cloud, resource: Resource) -> list[Host]:
    """The hypervisor hosts of a resource; of a host, itself."""
    if isinstance(resource, Host):
        return [resource]
    return [inner for inner in within(cloud, resource) if isinstance(inner, Host)]


def group_for(call: Call, kind: str, domain: Domain, account: Account | None) -> AffinityGroup:
    """The affinity group of an account's (or a domain's) dedicated resources, made where it has none."""
    store = call.cloud.store
    if account is not None:
        group, name = store.table(AffinityGroup).first(account=account, type=GROUP_TYPE), account.name
    else:
        rows = store.table(Dedication).where(domain=domain, account=None)
        group, name = (rows[0].group if rows else None), f"domain-{domain.name}"
    return group or store.add(
        AffinityGroup(
            account=account or call.account,
            name=f"Dedicated{kind}Grp-{name}",
            type=GROUP_TYPE,
            description=f"Dedicated {kind.lower()} group",
            acl_type="Account" if account is not None else "Domain",
        )
    )


def dedicate(call: Call, kind: str) -> Answer:
    """Keep a resource for a domain, or for an account of it."""
    cloud, lost = call.cloud, "Unable to find the domain by id {}, please specify valid domainId"
    domain = call.one(Domain, "domainid", missing=lost)
    account = owner_by_name(call, call["account"], domain) if "account" in call else None
    resource = call.one(KINDS[kind], f"{kind.lower()}id", missing=f"Unable to find {kind.lower()} by id {{}}")
    if isinstance(resource, Host) and not resource.is_routing:
        raise InternalError(f"Invalid host type for host {resource.name}")
    if dedication_of(cloud, resource) is not None:
        # A zone's text has one space more.
        raise InternalError(f"{kind} {' ' if kind == 'Zone' else ''}{named(resource)} is already dedicated")
    check_above(cloud, resource, domain, account)
    needless = check_within(cloud, resource, domain, account)
    check_vms(cloud, hosts_in(cloud, resource), domain, account)
    group = group_for(call, kind, domain, account)
    for row in needless:
        cloud.store.forget(row)
    if isinstance(resource, Zone):
        resource.owner_domain = domain
    return [cloud.store.add(Dedication(resource=resource, domain=domain, account=account, group=group))]


def dedicate_new_zone(call: Call, zone: Zone, domain: Domain) -> None:
    """Keep a zone that is made for a domain for it."""
    name = f"ZoneDedicatedGrp-domain-{domain.number}"
    store = call.cloud.store
    group = store.table(AffinityGroup).first(name=name) or store.add(
        AffinityGroup(
            account=call.account,
            name=name,
            type=GROUP_TYPE,
            description="dedicated resources group",
            acl_type="Domain",
        )
    )
    store.add(Dedication(resource=zone, domain=domain, account=None, group=group))


def release(call: Call, kind: str) -> Answer:
    """Have a resource be everybody's again; the group goes with the last of its resources."""
    row = dedication_of(call.cloud, call.one(KINDS[kind], f"{kind.lower()}id"))
    if row is None:
        raise InvalidParameterValue("No Dedicated Resource available to release")
    forget(call.cloud, row)
    return Success()


def forget(cloud: Cloud, row: Dedication) -> None:
    from cs_matrix_pytest.simulator.families.affinity_groups import remove

    cloud.store.forget(row)
    if isinstance(row.resource, Zone):
        row.resource.owner_domain = row.resource.domain = None
    if cloud.store.table(Dedication).first(group=row.group) is None:
        remove(cloud, row.group)


def list_dedicated(call: Call, kind: str) -> Answer:
    domain, group = call.maybe(Domain, "domainid"), call.get("affinitygroupid")
    if "account" in call and domain is None:
        raise InvalidParameterValue(f"Please specify the domain id of the account: {call['account']}")
    account = owner_by_name(call, call["account"], domain) if "account" in call and domain else None
    resource = call.get(f"{kind.lower()}id")
    rows = [
        row
        for row in call.cloud.store.table(Dedication)
        if isinstance(row.resource, KINDS[kind])
        and row.resource in call.cloud.store
        and resource in (None, row.resource)
        and domain in (None, row.domain)
        and account in (None, row.account)
        and group in (None, row.group)
    ]
    return page(call, rows)


for _kind in KINDS:
    family.command(f"dedicate{_kind}")(partial(dedicate, kind=_kind))
    family.command(f"releaseDedicated{_kind}")(partial(release, kind=_kind))
    family.command(f"listDedicated{_kind}s")(partial(list_dedicated, kind=_kind))


@family.on_account_removal
def release_all_of(cloud: Cloud, account: Account) -> None:
    for row in cloud.store.table(Dedication).where(account=account):
        forget(cloud, row)


@family.on_domain_removal
def release_all_in(cloud: Cloud, domain: Domain) -> None:
    for row in cloud.store.table(Dedication).where(domain=domain):
        forget(cloud, row)


def reserved_hosts(cloud: Cloud, vm: UserVm) -> tuple[set[Host] | None, set[Host]]:
    """(the hosts that a VM must be on one of, those that it may not be on): its group's, else none that is dedicated.

    A zone that is dedicated keeps others out by itself.
    """
    groups = {group for group in vm.affinity_groups if group.type == GROUP_TYPE}
    rows = list(cloud.store.table(Dedication))
    if groups:
        return {host for row in rows if row.group in groups for host in hosts_in(cloud, row.resource)}, set()
    return None, {host for row in rows if not isinstance(row.resource, Zone) for host in hosts_in(cloud, row.resource)}
