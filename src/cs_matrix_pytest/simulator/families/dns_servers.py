"""DNS servers, zones and records, which are a PowerDNS server's (DnsProviderManagerImpl).

Every server that is added is asked for its name first. There is none to ask, so that there are no servers, and no zones
and records of them either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import AccountType
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource

family = Family("DNS servers")

PROVIDER = "PowerDNS"
NO_ZONE = "DNS zone not found."
NO_SERVER = "DNS server with ID: {} not found."

MISSING = {
    "updateDnsServer": ("id", NO_SERVER),
    "deleteDnsServer": ("id", f"Failed to delete DNS server: {NO_SERVER}"),
    "updateDnsZone": ("id", f"Failed to update DNS Zone: {NO_ZONE}"),
    "deleteDnsZone": ("id", "DNS zone not found for the given ID."),
    "deleteDnsRecord": ("dnszoneid", f"Error deleting DNS Record: {NO_ZONE}"),
    "associateDnsZoneToNetwork": ("dnszoneid", NO_ZONE),
    "disassociateDnsZoneFromNetwork": ("networkid", "No DNS zone is associated to specified network."),
}
"""What commands say of a server or a zone that is not there: the parameter that names it, and the text."""


@family.command("listDnsProviders")
def list_providers(_call: Call) -> Answer:
    return {"count": 1, "dnsprovider": [{"name": PROVIDER}]}


def check_domain_name(name: str) -> None:
    """Raise ApiError for what is no domain's name (DnsProviderUtil.normalizeDomainForDb)."""
    text = name.strip().lower().removesuffix(".")
    labels = text.split(".")
    label = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
    if len(text) > 253 or len(labels) < 2 or not all(len(each) <= 63 and label.fullmatch(each) for each in labels):
        raise ApiError(f"Invalid domain name: {name}")


@family.command("addDnsServer")
def add_server(call: Call) -> Answer:
    suffix = call.get("publicdomainsuffix", "")
    if suffix.strip() and call.account.type in (AccountType.ADMIN, AccountType.DOMAIN_ADMIN):
        check_domain_name(suffix)
    raise ApiError("Failed to validate DNS server")


@family.command("createDnsZone")
def create_zone(call: Call) -> Generator[Resource, None, Answer]:
    failed = "Failed to allocate DNS Zone: "
    if not call["name"].strip():
        raise ApiError(f"{failed}DNS zone name cannot be empty")
    try:
        check_domain_name(call["name"])
    except ApiError as error:
        raise ApiError(failed + error.text) from error
    raise ApiError(f"{failed}DNS server not found for the given ID: {number_of(call, 'dnsserverid')}")
    yield from ()


@family.command("createDnsRecord")
def create_record(call: Call) -> Answer:
    raise ApiError(NO_ZONE if call["name"].strip() else "Empty DNS record name is not allowed")


def number_of(call: Call, name: str) -> Any:
    return getattr(call.get(name), "number", call.raw.get(name))


def _missing(name: str, text: str) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        raise ApiError(text.format(number_of(call, name)))

    return handler


for _command, (_name, _text) in MISSING.items():
    family.command(_command)(_missing(_name, _text))


@family.command("listDnsServers")
def list_servers(_call: Call) -> Answer:
    return {}


@family.command("listDnsZones")
def list_zones(call: Call) -> Answer:
    if "id" in call:
        raise InvalidParameterValue("DNS zone not found for the given ID")
    if "dnsserverid" in call:
        raise InvalidParameterValue("DNS server not found for the provided ID")
    return {}


@family.command("listDnsRecords")
def list_records(_call: Call) -> Answer:
    raise InvalidParameterValue("DNS zone not found for the given ID.")
