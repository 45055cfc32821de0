"""Ranges of autonomous system numbers, and who has them (BGPServiceImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import DOMAIN_ADMINS, active_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.routing import AsNumber, AsNumberRange
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("AS numbers")

MOST_NUMBERS = 100_000
"""How many numbers of a range are kept here; a real server would write each into its database."""


@family.view(AsNumberRange)
def range_view(row: AsNumberRange, _call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "zoneid": row.zone.id,
        "startasn": row.start,
        "endasn": row.end,
        "created": when(row.created),
    }


@family.view(AsNumber)
def number_view(number: AsNumber, _call: Call) -> dict[str, Any]:
    user, zone = number.user, number.range.zone
    shown = {
        "id": number.id,
        "zoneid": zone.id,
        "zonename": zone.name,
        "asnumber": number.value,
        "asnrangeid": number.range.id,
        "asnrange": f"{number.range.start}-{number.range.end}",
        "allocated": when(number.allocated),
        "allocationstate": "Allocated" if user else "Free",
        "created": when(number.created),
    }
    if user is None:
        return shown
    owner = user.account
    shown |= {
        "account": owner.name,
        "accountid": owner.id,
        "domain": owner.domain.name,
        "domainid": owner.domain.id,
    }
    if isinstance(user, Vpc):
        return shown | {"vpcid": user.id, "vpcname": user.name}
    return shown | {"associatednetworkid": user.id, "associatednetworkname": user.name}


@family.command("createASNRange")
def create_range(call: Call) -> Answer:
    zone, start, end = call["zoneid"], call["startasn"], call["endasn"]
    try:
        return _create_range(call, start, end)
    except ApiError as error:
        number = getattr(zone, "number", zone)
        raise ApiError(f"Cannot create AS Number Range {start}-{end} for zone {number}: {error.text}") from None


def _create_range(call: Call, start: int, end: int) -> AsNumberRange:
    zone = call.one(Zone, "zoneid")
    if not call.cloud.configuration.flag("routed.network.vpc.enabled", zone):
        raise ApiError("Cannot create ASN range as Routed networks and VPCs are not enabled for the zone.")
    if start > end:
        raise ApiError("Please specify a valid AS Number range")
    for row in call.cloud.store.table(AsNumberRange).where(zone=zone):
        if start <= row.end and row.start <= end:
            raise ApiError(
                f"New AS number range ({start}-{end}) has conflict with an existing AS number range "
                f"({row.start}-{row.end})"
            )
    if end - start >= MOST_NUMBERS:
        raise ApiError(f"this simulator keeps at most {MOST_NUMBERS} AS numbers of a range")
    made = call.cloud.store.add(AsNumberRange(zone=zone, start=start, end=end))
    for value in range(start, end + 1):
        call.cloud.store.add(AsNumber(range=made, value=value))
    return made


@family.command("listASNRanges")
def list_ranges(call: Call) -> Answer:
    zone = call.maybe(Zone, "zoneid")
    return call.cloud.store.table(AsNumberRange).where(lambda row: zone in (None, row.zone))


@family.command("deleteASNRange")
def delete_range(call: Call) -> Answer:
    row, store = call.get("id"), call.cloud.store
    if not isinstance(row, AsNumberRange) or row not in store:
        raise InternalError(f"Could not find a AS range with id: {getattr(row, 'number', row)}")
    numbers = store.table(AsNumber).where(range=row)
    used = sum(number.user is not None for number in numbers)
    if used:
        raise InternalError(
            f"There are {used} AS numbers in use from the range {row.start}-{row.end}, cannot remove the range"
        )
    for number in numbers:
        store.remove(number)
    store.remove(row)
    return Success()


@family.command("listASNumbers")
def list_numbers(call: Call) -> Answer:
    try:
        rows = _numbers(call)
    except ApiError as error:
        raise ApiError(f"Error listing AS Numbers, due to: {error.text}") from None
    return page(call, rows)


def _numbers(call: Call) -> list[AsNumber]:
    zone, part = call.maybe(Zone, "zoneid"), call.maybe(AsNumberRange, "asnrangeid")
    name, owner, keyword = call.get("account"), None, call.get("keyword", "")
    if name is not None:
        owner = active_account(call.cloud, name, call.maybe(Domain, "domainid") or call.account.domain)
        if owner is None:
            raise ApiError(f"Failed to find user Account: {name}")
    wanted: list[Network | Vpc] = []
    network, vpc = call.maybe(Network, "networkid"), call.maybe(Vpc, "vpcid")
    if network is not None:
        wanted.append(network.vpc or network)
    if vpc is not None and (network is None or network.vpc is None):
        wanted.append(vpc)
    return [
        number
        for number in call.cloud.store.table(AsNumber)
        if zone in (None, number.range.zone)
        and part in (None, number.range)
        and number.value == call.get("asnumber", number.value)
        and (number.user is not None) is call.get("isallocated", number.user is not None)
        and all(number.user is user for user in wanted)
        and (owner is None or (number.user is not None and number.user.account is owner))
        and keyword in str(number.value)
        and _visible(call, number)
    ]


def _visible(call: Call, number: AsNumber) -> bool:
    """Free numbers are everybody's to see, others their domain's admins' and their owner's."""
    if number.user is None:
        return True
    owner, caller = number.user.account, call.account
    if caller.type in DOMAIN_ADMINS:
        return owner.domain is caller.domain
    return not caller.is_normal or owner is caller


@family.command("releaseASNumber")
def release_number(call: Call) -> Answer:
    value, zone = call["asnumber"], call.one(Zone, "zoneid")
    refusal = None
    number = call.cloud.store.table(AsNumber).first(value=value)
    if number is None:
        refusal = f"Cannot find AS Number {value} on zone {described(zone)}"
    elif number.user is not None and number.user.offering.specify_as_number:
        kind = "VPC" if isinstance(number.user, Vpc) else "network"
        refusal = f"Cannot release the AS number {value} as it is acquired by a {kind} that requires AS number"
    if number is None or refusal is not None:
        raise ApiError(f"Error releasing AS Number {value}: Cannot release AS Number {value}: {refusal}")
    _free(number)
    return Success(text=f"AS Number {value} is released successfully")


def _free(number: AsNumber) -> None:
    number.user = number.allocated = None


def number_of(cloud: Cloud, user: Network | Vpc) -> AsNumber | None:
    """The AS number that a network or VPC has; a tier has its VPC's."""
    holder = user.vpc or user if isinstance(user, Network) else user
    return cloud.store.table(AsNumber).first(user=holder)


def allocate(cloud: Cloud, user: Network | Vpc) -> None:
    """Give a network or VPC the first free AS number of its zone. Raises InternalError where there is none."""
    number = cloud.store.table(AsNumber).first(lambda row: row.range.zone is user.zone, user=None)
    if number is None:
        raise InternalError(f"Cannot allocate AS number in zone with ID {user.zone.number}")
    number.user, number.allocated = user, cloud.clock.datetime()


def release_all(cloud: Cloud, user: Network | Vpc) -> None:
    """Free what a removed network or VPC had."""
    for number in cloud.store.table(AsNumber).where(user=user):
        _free(number)
