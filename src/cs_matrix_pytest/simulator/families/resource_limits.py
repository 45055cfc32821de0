"""Resource limits and counts, as commands and as fields of accounts, domains and projects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import (
    ADMINS,
    DOMAIN_ADMINS,
    check_domain,
    check_may_manage,
    check_may_modify,
    check_owner,
    describe,
    describe_domain,
    named_account,
)
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.limits import BY_NAME, GIB, RESOURCE_TYPES, UNLIMITED, Limits, ResourceType
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.infra import IpRange
from cs_matrix_pytest.simulator.models.networks import PublicIp
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("resource limits")

BY_NUMBER = {kind.number: kind for kind in RESOURCE_TYPES}
DETAILS = ("all", "resource", "min")
Owner = Account | Domain


class Count(Protocol):
    """Counts one kind of thing for one owner (`Limits.count`)."""

    def __call__(self, owner: Owner, kind: str, tag: str | None = None, /) -> int: ...


class Tally:
    """Counts for the many owners of a list: every kind is counted once, for all of them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._totals: dict[str, Mapping[str, int]] = {}

    def count(self, owner: Owner, kind: str, tag: str | None = None, /) -> int:
        """As `Limits.count`."""
        if tag is not None:
            return self._limits.count(owner, kind, tag)
        if kind not in self._totals:
            self._totals[kind] = self._limits.totals(kind)
        return self._totals[kind].get(owner.id, 0)


# Fields of accounts, domains and projects


def wants_limits(call: Call) -> bool:
    """True unless ``details`` asks for less; raises on a value that it cannot have."""
    asked = call.get("details") or ["all"]
    if call.command.lists and isinstance(asked, list):
        if any(name not in DETAILS for name in asked):
            raise InvalidParameterValue(
                "The details parameter contains a non permitted value. The allowed values are [all, resource, min]"
            )
        return "all" in asked or "resource" in asked
    return True


def account_limit_fields(cloud: Cloud, account: Account, count: Count) -> dict[str, Any]:
    """Limits, totals and what is left of an account's, or of a project's, resources (AccountJoinDaoImpl)."""
    fields: dict[str, Any] = {}
    for kind in RESOURCE_TYPES:
        if kind.name == "project" and account.type == AccountType.PROJECT:
            continue
        limit, total = cloud.limits.limit(account, kind.name), count(account, kind.name)
        fields |= _fields(kind, limit, total)
    limit, total = cloud.limits.limit(account, "public_ip"), count(account, "public_ip")
    free = free_public_ips(cloud)
    if limit - total > free:
        fields["ipavailable"] = str(free)
    return {**fields, "vmrunning": count(account, "running_vm"), "vmstopped": count(account, "stopped_vm")}


def domain_limit_fields(cloud: Cloud, domain: Domain, count: Count) -> dict[str, Any]:
    """The same for a domain with all below it (DomainJoinDaoImpl)."""
    fields: dict[str, Any] = {}
    for kind in RESOURCE_TYPES:
        fields |= _fields(kind, _shown_domain_limit(cloud, domain, kind), count(domain, kind.name))
    if _shown_domain_limit(cloud, domain, BY_NAME["backup"]) == UNLIMITED:
        # The server looks at the wrong limit when it writes this one.
        fields["backupstoragelimit"] = "Unlimited"
    return fields


def _shown_domain_limit(cloud: Cloud, domain: Domain, kind: ResourceType) -> int:
    """The limit that lists show for a domain: VMs' is the one that holds; the others show only what is set, storage
    also its default, and buckets what an account of the domain's number would have."""
    if domain.parent is None:
        return UNLIMITED
    if kind.name == "user_vm":
        return cloud.limits.limit(domain, kind.name)
    mine = domain.limits.get((kind.name, None))
    if kind.name in ("bucket", "object_storage"):
        namesake = cloud.store.table(Account).by_number(domain.number)
        if namesake is None or namesake not in cloud.store or namesake.is_root_admin:
            return UNLIMITED
        return cloud.limits.default(namesake, kind.name) if mine is None else mine
    if mine is not None:
        return mine
    return cloud.limits.default(domain, kind.name) if kind.is_storage else UNLIMITED


def _fields(kind: ResourceType, limit: int, total: int) -> dict[str, Any]:
    shown_limit = limit // GIB if kind.is_storage and limit >= 0 else limit
    shown_total: float = total // GIB if kind.is_storage else total
    left: float = shown_limit - shown_total
    if kind.name == "secondary_storage":
        shown_total, left = total / GIB, limit / GIB - total / GIB
    return {
        f"{kind.field}limit": "Unlimited" if limit == UNLIMITED else str(shown_limit),
        f"{kind.field}total": shown_total,
        f"{kind.field}available": "Unlimited" if limit == UNLIMITED else str(left),
    }


def tagged_fields(call: Call, owner: Owner) -> dict[str, Any]:
    """Limits per host and storage tag, where any tags are configured; lists only."""
    limits, wanted = call.cloud.limits, call.get("tag")
    if not call.command.lists or not wants_limits(call):
        return {}
    shown = []
    for sort in ("host", "storage"):
        for tag in limits.configured_tags(sort):
            if wanted and tag != wanted:
                continue
            for kind in RESOURCE_TYPES:
                if kind.tags == sort:
                    limit, total = limits.limit(owner, kind.name, tag), limits.count(owner, kind.name, tag)
                    shown.append(
                        {
                            "resourcetype": kind.number,
                            "resourcetypename": kind.name,
                            "tag": tag,
                            "limit": limit,
                            "total": total,
                            "available": UNLIMITED if limit == UNLIMITED else limit - total,
                        }
                    )
    return {"taggedresources": shown} if shown else {}


def free_public_ips(cloud: Cloud) -> int:
    """How many public addresses nobody has yet."""
    addresses = sum(
        ipv4.count(row.start_ip, row.end_ip)
        for row in cloud.store.table(IpRange)
        if row.for_virtual_network and row.start_ip is not None and row.end_ip is not None
    )
    taken = sum(1 for ip in cloud.store.table(PublicIp) if ip.range.for_virtual_network)
    return max(addresses - taken, 0)


# Commands


def limit_row(owner: Owner, kind: ResourceType, limit: int, tag: str | None) -> dict[str, Any]:
    """One limit as answers show it."""
    return {
        **_whose(owner),
        "resourcetype": str(kind.number),
        "resourcetypename": kind.name,
        "max": math.ceil(limit / GIB) if kind.is_storage and limit >= 0 else limit,
        **({"tag": tag} if tag else {}),
    }


def _whose(owner: Owner) -> dict[str, Any]:
    if isinstance(owner, Account):
        # The account of a project is shown here too (populateAccount).
        return {**owner_fields(owner), "account": owner.name}
    return {"domainid": owner.id, "domain": owner.name, "domainpath": owner.path}


def resource_type(number: int | None, unknown: str) -> ResourceType | None:
    """The type of this number; raises ``unknown`` where there is none."""
    if number is None:
        return None
    if number not in BY_NUMBER:
        raise InvalidParameterValue(unknown)
    return BY_NUMBER[number]


@family.command("updateResourceLimit")
def update_resource_limit(call: Call) -> Answer:
    account, domain = named_account(call), call.maybe(Domain, "domainid")
    caller, tag, limits = call.account, call.get("tag") or None, call.cloud.limits
    if caller.is_normal:
        raise PermissionDenied("Your account does not have the permission to update resource limits.")
    limit = call.get("max", UNLIMITED)
    if limit < UNLIMITED:
        raise InvalidParameterValue(
            "Please specify either '-1' for an infinite limit, or a limit that is at least '0'."
        )
    kind = resource_type(call.get("resourcetype"), "Please specify valid resource type")
    if kind is None:
        raise InvalidParameterValue("Please specify valid resource type")
    if tag and kind.tags is None:
        raise InvalidParameterValue(f"Resource limit with a tag is not supported for resource type {kind.number}")
    if kind.is_storage and limit >= 0:
        limit *= GIB
    if account is not None:
        _check_account_limit(call, account, limit)
        sort, name = "account", account.name
    elif domain is not None:
        _check_domain_limit(call, domain)
        sort, name = "domain", domain.name
    else:
        raise InvalidParameterValue("AccountId or domainId have to be specified in order to update resource limit")
    owner: Owner = account or domain  # type: ignore[assignment]
    if tag:
        untagged = limits.limit(owner, kind.name)
        if untagged > 0 and limit > untagged:
            raise InvalidParameterValue(
                f"Maximum untagged resource limit for {sort} {name} for resource type {kind.name} is {untagged}, please "
                "specify a value less than or equal to that"
            )
    if isinstance(owner, Domain) and owner.parent is not None:
        most = limits.limit(owner.parent, kind.name, tag)
        if most >= 0 and limit > most:
            raise InvalidParameterValue(
                f"Domain {describe_domain(owner.parent)} has maximum allowed resource limit {most} for {kind.name}, "
                f"please specify a value less than or equal to {most}"
            )
    owner.limits[kind.name, tag] = limit
    return {"resourcelimit": limit_row(owner, kind, limit, tag)}


def _check_account_limit(call: Call, account: Account, limit: int) -> None:
    caller = call.account
    if account is call.cloud.system_account:
        raise InvalidParameterValue("Can't update system account")
    if account.is_root_admin and limit != UNLIMITED:
        raise InvalidParameterValue(f"Only {UNLIMITED} limit is supported for Root Admin accounts")
    if caller is account and caller.type in DOMAIN_ADMINS:
        raise PermissionDenied(
            f"Unable to update resource limit for their own account {describe(account)}, permission denied"
        )
    if account.type == AccountType.PROJECT and account.project is not None:
        check_may_modify(call, account.project)
    else:
        check_owner(caller, account)
    check_may_manage(call, account)


def _check_domain_limit(call: Call, domain: Domain) -> None:
    caller = call.account
    check_domain(caller, domain)
    if domain.parent is None:
        raise PermissionDenied(f"Cannot update resource limit for ROOT domain {domain.number}, permission denied")
    own = caller.domain is domain and caller.type == AccountType.DOMAIN_ADMIN
    if own or caller.type == AccountType.RESOURCE_DOMAIN_ADMIN:
        raise PermissionDenied(f"Unable to update resource limit for domain {domain.number}, permission denied")


@family.command("listResourceLimits")
def list_resource_limits(call: Call) -> Answer:
    account, domain = named_account(call, enabled_only=False), call.maybe(Domain, "domainid")
    caller, tag, kind = call.account, call.get("tag") or None, _wanted_type(call)
    if caller.type not in ADMINS:
        account, domain = caller, None
    elif domain is not None:
        check_domain(caller, domain)
        if account is not None:
            check_owner(caller, account)
    owner: Owner = account or domain or caller
    kinds = [kind] if kind else list(RESOURCE_TYPES)
    rows = []
    for each in kinds:
        tags: Iterable[str | None] = [None, *(call.cloud.limits.configured_tags(each.tags) if each.tags else ())]
        if tag is not None:
            tags = [known for known in tags if known == tag]
        rows += [limit_row(owner, each, call.cloud.limits.limit(owner, each.name, known), known) for known in tags]
    return page(call, rows)


def _wanted_type(call: Call) -> ResourceType | None:
    name = call.get("resourcetypename")
    if name is None:
        return resource_type(call.get("resourcetype"), "Please specify a valid resource type.")
    if name not in BY_NAME:
        raise InvalidParameterValue("Please specify a valid resource type name.")
    return BY_NAME[name]


@family.command("updateResourceCount")
def update_resource_count(call: Call) -> Answer:
    account, tag = named_account(call), call.get("tag") or None
    kind = resource_type(call.get("resourcetype"), "Please specify valid resource type")
    if kind is not None and tag and kind.tags is None:
        raise InvalidParameterValue(f"Resource count with a tag is not supported for resource type {kind.number}")
    domain = call.get("domainid")
    if not isinstance(domain, Domain) or domain not in call.cloud.store:
        raise InvalidParameterValue("Please specify a valid domain ID.")
    check_domain(call.account, domain)
    if account is not None:
        check_may_manage(call, account)
    owner: Owner = account or domain
    limits, rows = call.cloud.limits, []
    for each in [kind] if kind else RESOURCE_TYPES:
        tags = [] if tag or not each.tags else limits.configured_tags(each.tags)
        rows += [_count_row(owner, each, limits.count(owner, each.name, tag), None)]
        rows += [_count_row(owner, each, limits.count(owner, each.name, known), known) for known in tags]
    return Listing(rows, len(rows))


def _count_row(owner: Owner, kind: ResourceType, count: int, tag: str | None) -> dict[str, Any]:
    return {
        **_whose(owner),
        "resourcetype": str(kind.number),
        "resourcetypename": kind.name,
        "resourcecount": count,
        **({"tag": tag} if tag else {}),
    }
