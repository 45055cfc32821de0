"""Addresses in quarantine: for a time after they were given back only their last owner gets them (IpAddressManagerImpl)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.networks import PublicIp, QuarantinedIp
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from datetime import datetime

    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("quarantine")


@family.view(QuarantinedIp)
def quarantined_view(row: QuarantinedIp, _call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "ipaddress": row.address,
        "previousownerid": row.previous_owner.id,
        "previousownername": row.previous_owner.name,
        "created": when(row.created),
        "removed": when(row.removed),
        "enddate": when(row.end),
        "removalreason": row.removal_reason,
        "removeraccountid": row.remover.id if row.remover else None,
    }


def begin(cloud: Cloud, ip: PublicIp, domain: Domain) -> None:
    """Put an address that is given back into quarantine, for as many minutes as the domain's setting says."""
    minutes = int(cloud.configuration.number("public.ip.address.quarantine.duration", domain))
    if minutes > 0 and ip.account is not cloud.system_account:
        end = cloud.clock.datetime() + timedelta(minutes=minutes)
        cloud.store.add(QuarantinedIp(address=ip.address, previous_owner=ip.account, end=end))


def kept_from(cloud: Cloud, owner: Account) -> set[str]:
    """The addresses that an account cannot get now."""
    now = cloud.clock.datetime()
    return {
        row.address for row in cloud.store.table(QuarantinedIp) if row.previous_owner is not owner and row.end > now
    }


def end(cloud: Cloud, address: str, owner: Account) -> None:
    """Let go of an address that its new owner gets."""
    row = latest(cloud, address)
    if row is not None:
        still = row.end > cloud.clock.datetime()
        finish(
            cloud,
            row,
            "IP was removed from quarantine because it has been allocated by the previous owner"
            if still
            else "IP was removed from quarantine because it was no longer in quarantine.",
            owner,
        )


def finish(cloud: Cloud, row: QuarantinedIp, reason: str, remover: Account) -> None:
    row.removal_reason, row.remover = reason, remover
    cloud.store.remove(row)


def latest(cloud: Cloud, address: str) -> QuarantinedIp | None:
    rows = cloud.store.table(QuarantinedIp).where(address=address)
    return rows[-1] if rows else None


@family.command("listQuarantinedIps")
def list_quarantined(call: Call) -> Answer:
    table, now = call.cloud.store.table(QuarantinedIp), call.cloud.clock.datetime()
    rows = [*table, *(table.removed() if call.flag("showremoved") else ())]
    return [
        row
        for row in sorted(rows, key=lambda row: row.number)
        if call.account.domain.contains(row.previous_owner.domain) and (call.flag("showinactive") or row.end > now)
    ]


def named(call: Call) -> QuarantinedIp:
    """The quarantine that ``id`` or else ``ipaddress`` names, if it was not ended."""
    if "id" not in call and "ipaddress" not in call:
        raise InternalError("Either the ID or the address of the IP in quarantine must be informed.")
    row = call.get("id") if "id" in call else latest(call.cloud, call["ipaddress"])
    if not isinstance(row, QuarantinedIp) or row not in call.cloud.store:
        raise InternalError("There is no active quarantine for the specified IP address.")
    return row


@family.command("updateQuarantinedIp")
def update_quarantined(call: Call) -> Answer:
    now, until = call.cloud.clock.datetime(), call["enddate"]
    if now > until:
        raise InvalidParameterValue(f"The given end date [{_java(until)}] is invalid as it is before the current date.")
    row = named(call)
    check_access(call.cloud, call.account, row.previous_owner.domain)
    if now > row.end:
        raise InternalError(
            f"The quarantine for the public IP address [{row.address}] is no longer active; thus, it cannot be updated."
        )
    row.end = until
    return row


def _java(moment: datetime) -> str:
    """A date as Java's Date.toString."""
    return moment.strftime("%a %b %d %H:%M:%S UTC %Y")


@family.command("removeQuarantinedIp")
def remove_quarantined(call: Call) -> Answer:
    row = named(call)
    check_access(call.cloud, call.account, row.previous_owner.domain)
    finish(call.cloud, row, call["removalreason"], call.account)
    return Success()
