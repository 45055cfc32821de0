"""Domains: the tree under ROOT (DomainManagerImpl)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_domain, describe_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families.accounts import BAD_NETWORK_DOMAIN, remove_account
from cs_matrix_pytest.simulator.families.addresses import is_domain_name
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.projects import remove_project
from cs_matrix_pytest.simulator.families.resource_limits import (
    Count,
    Tally,
    domain_limit_fields,
    tagged_fields,
    wants_limits,
)
from cs_matrix_pytest.simulator.families.users import LONGEST_ID
from cs_matrix_pytest.simulator.listing import page, tag_filter
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import (
    DiskOffering,
    NetworkOffering,
    Offering,
    ServiceOffering,
    VpcOffering,
)
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("domains")

BAD_NEW_NETWORK_DOMAIN = (
    "Invalid network domain. Total length should not exceed 190 chars. Each domain label must be between 1 and 63 "
    "characters long. It can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'); "
    'it cannot start or end with "-".'
)


@family.on_fresh_install
def root_domain(cloud: Cloud, _fresh: Mapping[str, Any]) -> None:
    cloud.store.add(Domain(name="ROOT"))


@family.view(Domain)
def domain_view(domain: Domain, call: Call) -> dict[str, Any]:
    return domain_fields(domain, call, call.cloud.limits.count)


def domain_fields(domain: Domain, call: Call, count: Count) -> dict[str, Any]:
    """A domain as answers show it; ``count`` counts what is in it."""
    shown = {
        "id": domain.id,
        "name": domain.name,
        "level": domain.level,
        "parentdomainid": domain.parent.id if domain.parent else None,
        "parentdomainname": domain.parent.name if domain.parent else None,
        "haschild": call.cloud.store.table(Domain).first(parent=domain) is not None,
        "networkdomain": domain.network_domain,
        "path": domain.path,
        "tags": tag_fields(domain) or None,
        "secondarystoragetotal": 0.0,
    }
    if not call.command.lists:
        # What creates or changes a domain answers with the row, which is not read again when it is new.
        return {**shown, "created": None if call.command.name == "createDomain" else when(domain.created)}
    return {
        **shown,
        "state": domain.state,
        "created": when(domain.created) if domain.parent else None,
        "domaindetails": domain.details or None,
        "hasannotations": has_annotations(domain, call),
        **(domain_limit_fields(call.cloud, domain, count) if wants_limits(call) else {}),
        **tagged_fields(call, domain),
    }


@family.command("createDomain")
def create_domain(call: Call) -> Answer:
    store, name = call.cloud.store, call["name"]
    parent = call.get("parentdomainid")
    if parent is None or parent == NO_ID:
        parent = root(call.cloud)
    elif parent not in store:
        raise InvalidParameterValue(f"Unable to create domain {name}, parent domain {parent.number} not found.")
    if parent.state == "Inactive":
        raise InternalError(f"The domain cannot be created as the parent domain {parent.name} is being deleted")
    check_domain(call.account, parent)
    network_domain = call.get("networkdomain")
    if network_domain is not None and not is_domain_name(network_domain):
        raise InvalidParameterValue(BAD_NEW_NETWORK_DOMAIN)
    check_name_is_free(call.cloud, name, parent)
    if "/" in name:
        raise ParameterError(
            "Domain name contains one or more invalid characters.  Please enter a name without '/' characters."
        )
    domain = Domain(name=name, parent=parent, network_domain=network_domain)
    wanted = call.get("domainid", "").strip()
    if len(wanted) > LONGEST_ID or (wanted and store.table(Domain).get(wanted, removed=True)):
        # The server keeps no such row and trips over it a moment later.
        raise ApiError('Cannot invoke "com.cloud.domain.DomainVO.getId()" because "domain" is null', code=530)
    domain.id = wanted or domain.id
    store.add(domain)
    return domain


def root(cloud: Cloud) -> Domain:
    """The domain above all others."""
    return cloud.system_account.domain


def check_name_is_free(cloud: Cloud, name: str, parent: Domain) -> None:
    """Raise if a domain of this name is below a parent already."""
    if cloud.store.table(Domain).first(lambda row: row.name.lower() == name.lower(), parent=parent):
        raise InvalidParameterValue(
            f"Domain with name [{name}] already exists for the parent with ID [{parent.number}]."
        )


@family.command("updateDomain")
def update_domain(call: Call) -> Answer:
    domain = call.get("id")
    if not isinstance(domain, Domain) or domain not in call.cloud.store:
        named = {"domainId": str(getattr(domain, "number", domain))}
        raise InvalidParameterValue("Unable to find domain with specified domain id", named=named)
    name, network_domain = call.get("name"), call.get("networkdomain")
    if domain.parent is None and name is not None:
        raise InvalidParameterValue("ROOT domain can not be edited with a new name")
    check_domain(call.account, domain)
    if name is not None:
        others = call.cloud.store.table(Domain).where(
            lambda row: row is not domain and row.name.lower() == name.lower(), parent=domain.parent
        )
        if others:
            raise InvalidParameterValue(
                f"Failed to update specified domain id with name '{name}' since it already exists in the system",
                named={"domainId": domain.id},
            )
    if network_domain and not is_domain_name(network_domain):
        raise InvalidParameterValue(BAD_NETWORK_DOMAIN)
    if name is not None:
        domain.name = name
    if network_domain is not None:
        domain.network_domain = network_domain or None
    return domain


@family.command("moveDomain")
def move_domain(call: Call) -> Answer:
    domain, parent = call.get("domainid"), call.get("parentdomainid")
    if domain is root(call.cloud):
        raise InvalidParameterValue("The domain to be moved cannot be the ROOT domain.")
    if domain is parent:
        raise InvalidParameterValue("The domain to be moved and the new parent domain cannot be the same.")
    lost = "Unable to find a domain with the specified ID [{}]."
    domain, parent = call.one(Domain, "domainid", missing=lost), call.one(Domain, "parentdomainid", missing=lost)
    check_domain(call.account, domain)
    check_domain(call.account, parent)
    if domain.parent is parent:
        raise InvalidParameterValue(
            "The current parent domain of the domain to be moved is equal to the new parent domain "
            f"[{describe_domain(parent)}]."
        )
    if domain.contains(parent):
        raise InvalidParameterValue("The new parent domain of the domain cannot be one of its children.")
    check_name_is_free(call.cloud, domain.name, parent)
    domain.parent = parent
    return domain


@family.command("deleteDomain")
def delete_domain(call: Call) -> Answer:
    domain, store = call.get("id"), call.cloud.store
    if not isinstance(domain, Domain) or domain not in store:
        raise InvalidParameterValue(f"Failed to delete domain {getattr(domain, 'number', domain)}, domain not found")
    if domain.parent is None:
        raise PermissionDenied("Can't delete ROOT domain")
    check_domain(call.account, domain)
    if store.table(UserVm).first(lambda vm: domain.contains(vm.domain), delete_protection=True):
        raise InvalidParameterValue(
            f"Cannot delete Domain '{domain.name}'. One or more Instances have delete protection enabled."
        )
    if call.flag("cleanup"):
        clean_up(call.cloud, domain)
        return Success()
    networks = store.table(Network).where(shared_domain=domain)
    if networks:
        raise InternalError(f"Can't delete the domain yet because it has {len(networks)} non-removed networks")
    if store.table(Account).first(domain=domain) or store.table(Domain).first(parent=domain):
        raise InternalError(
            f"Delete failed on domain {describe_domain(domain)}; Please make sure all users and sub domains have been "
            "removed from the domain before deleting"
        )
    remove_domain(call.cloud, domain)
    return Success()


def clean_up(cloud: Cloud, domain: Domain) -> None:
    """Remove a domain with everything in it, sub-domains first."""
    store = cloud.store
    domain.state = "Inactive"
    for child in store.table(Domain).where(parent=domain):
        clean_up(cloud, child)
    for account in store.table(Account).where(domain=domain):
        if account not in store:
            continue
        if account.type == AccountType.PROJECT and account.project is not None:
            remove_project(cloud, account.project)
        else:
            remove_account(cloud, account)
    remove_domain(cloud, domain)


def remove_domain(cloud: Cloud, domain: Domain) -> None:
    """Remove an empty domain, and what families keep for it."""
    for owner in cloud.registry.families:
        for clean in owner.domain_cleanup:
            clean(cloud, domain)
    remove_offerings(cloud, domain)
    cloud.store.remove(domain)


IN_USE: dict[type[Offering], Callable[[Cloud, Any], object]] = {
    DiskOffering: lambda cloud, offering: cloud.store.table(Volume).first(disk_offering=offering),
    ServiceOffering: lambda cloud, offering: cloud.store.table(UserVm).first(service_offering=offering),
    NetworkOffering: lambda cloud, offering: cloud.store.table(Network).first(offering=offering),
    VpcOffering: lambda cloud, offering: cloud.store.table(Vpc).first(offering=offering),
}
"""What uses an offering of each class."""


def remove_offerings(cloud: Cloud, domain: Domain) -> None:
    """Remove the offerings that were for this domain alone; one that is used is everybody's from then on
    (DomainManagerImpl.cleanupDomainOfferings)."""
    for kind, used in IN_USE.items():
        for offering in cloud.store.table(kind).where(lambda row: domain in row.domains):
            offering.domains.remove(domain)
            if not offering.domains and not used(cloud, offering):
                cloud.store.remove(offering)


@family.command("listDomains")
def list_domains(call: Call) -> Answer:
    domain, recursive = call.get("id"), False
    if domain is not None:
        if not isinstance(domain, Domain) or domain not in call.cloud.store:
            raise InvalidParameterValue(f"Domain id={getattr(domain, 'number', domain)} doesn't exist")
        check_domain(call.account, domain)
    else:
        domain = None if call.is_root_admin else call.account.domain
        recursive = call.flag("listall")
    name, level = call.get("name"), call.get("level")

    def listed(row: Domain) -> bool:
        inside = domain is None or (domain.contains(row) if recursive else row is domain)
        return (
            inside
            and row.state == "Active"
            and (name is None or row.name.lower() == name.lower())
            and (level is None or row.level == level)
        )

    return shown(call, listed)


@family.command("listDomainChildren")
def list_domain_children(call: Call) -> Answer:
    domain, name = call.maybe(Domain, "id"), call.get("name")
    if domain is not None:
        check_domain(call.account, domain)
    above = domain or call.account.domain
    recursive = call.flag("isrecursive") and not call.flag("listall")

    def listed(row: Domain) -> bool:
        below = row is not above and above.contains(row) if recursive else row.parent is above
        return below and row.state == "Active" and (name is None or name.lower() in row.name.lower())

    return shown(call, listed)


def shown(call: Call, listed: Callable[[Domain], bool]) -> Listing:
    """One page of the domains that pass, with their limits."""
    keyword, tagged = call.get("keyword"), tag_filter(call)
    rows = [
        row
        for row in call.cloud.store.table(Domain)
        if listed(row) and (not keyword or keyword.lower() in row.name.lower()) and tagged(row)
    ]
    listing = page(call, rows)
    count = Tally(call.cloud.limits).count
    fields = [
        domain_fields(row, call, count) | call.cloud.additions(row, call)
        for row in listing.rows
        if isinstance(row, Domain)
    ]
    return Listing([{k: v for k, v in row.items() if v is not None} for row in fields], listing.total)
