"""For whom offerings are: their domains and zones, and what domain admins may do with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from cs_matrix_pytest.simulator.access import database_path, describe_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.models.backups import BackupOffering
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, User
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, Offering
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import described, fields_text
from cs_matrix_pytest.simulator.views import comma

AnyOffering = TypeVar("AnyOffering", bound=Offering)
R = TypeVar("R", bound=Resource)


def describe_user(user: User) -> str:
    """A user as error texts name it."""
    return f"User {fields_text(id=user.number, username=user.username, uuid=user.id)}."


def outermost(domains: Iterable[Domain]) -> list[Domain]:
    """Domains without those that lie below another of them, each once, in their order."""
    chosen = list(dict.fromkeys(domains))
    return [one for one in chosen if not any(other is not one and other.contains(one) for other in chosen)]


def chosen_domains(call: Call) -> list[Domain]:
    """The domains that a new offering is for; none: everybody."""
    return outermost(_live(call, Domain, "domainid", "Please specify a valid domain id"))


def chosen_zones(call: Call) -> list[Zone]:
    """The zones that a new offering is for; none: all."""
    return list(dict.fromkeys(_live(call, Zone, "zoneid", "Please specify a valid zone id")))


def _live(call: Call, kind: type[R], name: str, refusal: str) -> list[R]:
    rows = call.get(name, [])
    if any(not isinstance(row, kind) or row not in call.cloud.store for row in rows):
        raise InvalidParameterValue(refusal)
    return list(rows)


def updated_offering(call: Call, kind: type[R], missing: str) -> R:
    """The offering that an update names; ``missing`` is the refusal of one that is gone, ``{}`` in it its number. Whoever
    leaves out a scope has the offering's own looked up before, which has a text of its own."""
    is_scoped = call.get("domainid") and call.get("zoneid")
    return call.one(kind, missing=missing if is_scoped else f"Unable to find {kind.label} {{}}")


def updated_domains(call: Call, offering: Offering | BackupOffering) -> list[Domain]:
    """An update's ``domainid``: ``public``, ids, or absent for what there is (DomainAndZoneIdResolver)."""
    return outermost(_resolved(call, Domain, "domainid", "public", offering.label, offering.domains))


def updated_zones(call: Call, offering: Offering) -> list[Zone]:
    """An update's ``zoneid``: ``all``, ids, or absent for what there is."""
    return _resolved(call, Zone, "zoneid", "all", offering.label, offering.zones)


def _resolved(call: Call, kind: type[R], name: str, everything: str, label: str, current: list[R]) -> list[R]:
    text = call.get(name)
    if not text:
        return list(current)
    table, rows = call.cloud.store.table(kind), []
    for part in (part.strip() for part in text.split(",")):
        if part and part.lower() != everything:
            found = table.get(part)
            if found is None:
                raise InvalidParameterValue(
                    f"Failed to create {label} because invalid {kind.label} has been specified."
                )
            rows.append(found)
    return rows


def check_creator(call: Call, label: str, domains: list[Domain], *tags: str | None) -> None:
    """Root admins may create any offering, domain admins untagged ones for domains below theirs, others none."""
    account, user = call.account, describe_user(call.caller.user)
    if account.type == AccountType.DOMAIN_ADMIN:
        if not domains:
            raise InvalidParameterValue(f"Unable to create public {label} by admin: {user} because it is domain-admin")
        if any(tags) and not may_tag(call):
            kinds = "storage tags or host tags" if label == "service offering" else "storage tags"
            raise InvalidParameterValue(f"User [{user}] is unable to create {label}s with {kinds}.")
        for domain in domains:
            if not account.domain.contains(domain):
                raise InvalidParameterValue(
                    f"Unable to create {label} by another domain-admin: {user} for domain: {domain.id}"
                )
    elif account.type != AccountType.ADMIN:
        raise InvalidParameterValue(
            f"Unable to create {label} by user: {user} because it is not root-admin or domain-admin"
        )


def may_tag(call: Call) -> bool:
    """True where domain admins may give offerings tags."""
    return call.cloud.configuration.flag("allow.domain.admins.to.create.tagged.offerings", call.account)


def check_updater(
    call: Call, offering: Offering, domains: list[Domain], zones: list[Zone], *, tags: str = "", retitles: bool
) -> list[Domain]:
    """Who may update an offering, and the domains it then has: those outside a domain admin's reach stay.

    ``tags``: what domain admins may not set, if it is set; ``retitles``: name, text or sort key change.
    """
    account, user, label = call.account, call.caller.user, offering.label
    if account.type == AccountType.ADMIN:
        return domains
    if account.type != AccountType.DOMAIN_ADMIN:
        raise InvalidParameterValue(
            f"Unable to update {label}: {describe(offering)} by id user: {describe_user(user)} because it is not "
            "root-admin or domain-admin"
        )
    # What disk offerings refuse has brackets and a full stop, and partly nothing but ids.
    disk = isinstance(offering, DiskOffering)
    left, right, end = (" [", "]", ".") if disk else (": ", "", "")
    it, whom = f"{left}{describe(offering)}{right}", f"{left}{describe_user(user)}{right}"
    if set(zones) != set(offering.zones):
        raise InvalidParameterValue(
            f"Unable to update zone(s) for {label}{it} by admin{whom} as it is domain-admin{end}"
        )
    if not offering.domains:
        raise InvalidParameterValue(
            f"Unable to update public {label}{it} by user{whom} because it is domain-admin{end}"
        )
    if not domains:
        raise InvalidParameterValue(
            f"Unable to update {label}{it} to a public offering by user{whom} because it is domain-admin{end}"
        )
    if tags and not may_tag(call):
        raise InvalidParameterValue(f"User [{describe_user(user)}] is unable to update {tags}.")
    foreign = [domain for domain in offering.domains if not account.domain.contains(domain)]
    if disk:
        it, whom = f" [{offering.id}]", f" [{user.id}]"
    if foreign and retitles:
        raise InvalidParameterValue(
            f"Unable to update {label}{it} as it has linked domain(s) which are not child domain for domain-admin"
            f"{whom}{end}"
        )
    for domain in domains:
        if domain not in foreign and not account.domain.contains(domain):
            where = f" [{domain.id}]" if disk else f": {describe_domain(domain)}"
            raise InvalidParameterValue(
                f"Unable to update {label}{it} by domain-admin{whom} with domain{where} which is not a child domain{end}"
            )
    return [*domains, *(domain for domain in foreign if domain not in domains)]


def check_deleter(call: Call, offering: Offering) -> None:
    """Root admins may delete any offering, domain admins those for domains below theirs alone."""
    account, user, label = call.account, describe_user(call.caller.user), offering.label
    if account.type == AccountType.DOMAIN_ADMIN:
        if not offering.domains:
            raise InvalidParameterValue(
                f"Unable to delete public {label}: {describe(offering)} by admin: {user} because it is domain-admin"
            )
        if not all(account.domain.contains(domain) for domain in offering.domains):
            raise InvalidParameterValue(
                f"Unable to delete {label}: {describe(offering)} as it has linked domain(s) which are not child domain "
                f"for domain-admin: {user}"
            )
    elif account.type != AccountType.ADMIN:
        raise InvalidParameterValue(
            f"Unable to delete {label}: {describe(offering)} by user: {user} because it is not root-admin or domain-admin"
        )


def describe(offering: Offering) -> str:
    """An offering as error texts name it."""
    return described(offering)


def usable_by(account: Account, offering: Offering, *, recursive: bool = False) -> bool:
    """True where an account's domain, one above it (or, ``recursive``, one below) has the offering, or everybody has."""
    if account.type == AccountType.ADMIN or not offering.domains:
        return True
    mine = account.domain
    return any(domain.contains(mine) or (recursive and mine.contains(domain)) for domain in offering.domains)


def in_zone(offering: Offering, zone: Zone | None) -> bool:
    """True where the offering is for all zones, or for this one."""
    return zone is None or not offering.zones or zone in offering.zones


def paths(domains: list[Domain]) -> str | None:
    """Domains as offerings show them: ``/a/b/,/c/``."""
    return comma(database_path(domain) for domain in domains) or None


def scope_fields(offering: Offering, *, by_path: bool = True) -> dict[str, Any]:
    """An offering's domains and zones in an answer; absent where it is for all."""
    return {
        "domainid": comma(domain.id for domain in offering.domains) or None,
        "domain": (paths(offering.domains) if by_path else comma(domain.name for domain in offering.domains)) or None,
        "zoneid": comma(zone.id for zone in offering.zones) or None,
        "zone": comma(zone.name for zone in offering.zones) or None,
    }


def detail_fields(offering: Offering) -> dict[str, str] | None:
    """Details as CloudStack shows them: with the internal number of the last domain and zone."""
    shown = dict(offering.details)
    if offering.domains:
        shown["domainid"] = str(offering.domains[-1].number)
    if offering.zones:
        shown["zoneid"] = str(offering.zones[-1].number)
    return shown or None


def in_order(rows: Iterable[AnyOffering]) -> list[AnyOffering]:
    """Offerings as lists show them: by sort key, then by age."""
    return sorted(rows, key=lambda row: row.sort_key)
