"""Zones: creating, changing, enabling and deleting them (ConfigurationManagerImpl, DataCenterJoinDaoImpl)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ResourceUnavailable
from cs_matrix_pytest.simulator.families.accounts import BAD_NETWORK_DOMAIN
from cs_matrix_pytest.simulator.families.addresses import is_domain_name, is_private
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.gpu import zone_counts
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import (
    Cluster,
    Host,
    ImageStore,
    IpRange,
    PhysicalNetwork,
    Pod,
    SystemNetwork,
    TrafficType,
    Zone,
)
from cs_matrix_pytest.simulator.models.networks import PublicIp, Router
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("zones")

SYSTEM_TRAFFIC = ("Public", "Management", "Control", "Storage")
"""The traffic types that each zone has a network of its own for."""
ALLOCATION_STATES = ("Disabled", "Enabled")
DNS_FIELDS = (
    ("dns1", "dns1", "DNS1"),
    ("dns2", "dns2", "DNS2"),
    ("internaldns1", "internal_dns1", "internal DNS1"),
    ("internaldns2", "internal_dns2", "internal DNS2"),
)
"""DNS servers: parameter, attribute, and what error texts call them."""


@family.view(Zone)
def zone_view(zone: Zone, call: Call) -> dict[str, Any]:
    cloud, full = call.cloud, call.is_root_admin
    settings, domain = cloud.configuration, zone.owner_domain
    gpus_used, gpus = zone_counts(cloud, zone)
    clusters = cloud.store.table(Cluster).where(zone=zone)
    shown: dict[str, Any] = {
        "id": zone.id,
        "name": zone.name,
        "networktype": zone.network_type,
        "securitygroupsenabled": zone.security_groups_enabled,
        "gputotal": gpus,
        "gpuused": gpus_used,
        "domain": zone.domain,
        "domainid": domain.id if domain else None,
        "domainname": domain.name if domain else None,
        "allocationstate": zone.allocation_state,
        "zonetoken": zone.token,
        "dhcpprovider": zone.dhcp_provider,
        "localstorageenabled": zone.local_storage_enabled,
        "tags": tag_fields(zone),
        "resourcedetails": zone.details or None,
        "allowuserspecifyvrmtu": settings.flag("allow.end.users.to.specify.vr.mtu", zone),
        "routerprivateinterfacemaxmtu": int(settings.number("vr.private.interface.max.mtu", zone, default=1500)),
        "routerpublicinterfacemaxmtu": int(settings.number("vr.public.interface.max.mtu", zone, default=1500)),
        "type": "Edge" if zone.is_edge else "Core",
        "isnsxenabled": False,
        "ismultiarch": len({cluster.arch for cluster in clusters}) > 1,
        "asnrange": "",
        "routedmodeenabled": settings.flag("routed.network.vpc.enabled", zone, default=True),
        "storageaccessgroups": ",".join(zone.storage_access_groups) or None,
        "hasannotations": has_annotations(zone, call),
    }
    if full:
        shown |= {
            "dns1": zone.dns1,
            "dns2": zone.dns2,
            "ip6dns1": zone.ip6_dns1,
            "ip6dns2": zone.ip6_dns2,
            "internaldns1": zone.internal_dns1,
            "internaldns2": zone.internal_dns2,
            "guestcidraddress": zone.guest_cidr,
        }
        if call.flag("showcapacities"):
            from cs_matrix_pytest.simulator.families.capacity_reports import capacities_of

            shown["capacity"] = capacities_of(cloud, zone)
    return shown


@family.view(SystemNetwork)
def system_network_view(network: SystemNetwork, _call: Call) -> dict[str, Any]:
    return {
        "id": network.id,
        "zoneid": network.zone.id,
        "zonename": network.zone.name,
        "traffictype": network.traffic_type,
        "issystem": True,
        "state": "Setup",
    }


def system_network(cloud: Cloud, zone: Zone, traffic_type: str) -> SystemNetwork | None:
    """A zone's network of a system traffic type."""
    return cloud.store.table(SystemNetwork).first(zone=zone, traffic_type=traffic_type)


def is_ip6(text: str) -> bool:
    """True for an IPv6 address."""
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def check_dns(call: Call) -> None:
    """Raise InvalidParameterValue where a DNS server is no address."""
    for parameter, _, called in DNS_FIELDS:
        value = call.get(parameter)
        if value and not ipv4.is_address(value):
            raise InvalidParameterValue(f"Please enter a valid IP address for {called}")
    for parameter, called in (("ip6dns1", "IP6 DNS1"), ("ip6dns2", "IP6 DNS2")):
        if call.get(parameter) and not is_ip6(call[parameter]):
            raise InvalidParameterValue(f"Please enter a valid IPv6 address for {called}")


def check_guest_cidr(call: Call) -> None:
    """Raise InvalidParameterValue where the CIDR of guest networks is none, or of no private range."""
    text = call.get("guestcidraddress")
    if text is None:
        return
    anything = call.cloud.configuration.flag("allow.non.rfc1918.compliant.ips")
    if not ipv4.is_cidr(text) or not (anything or is_private(text)):
        raise InvalidParameterValue("Please enter a valid guest cidr")


def check_allocation_state(state: str | None) -> None:
    """Raise InvalidParameterValue unless a state is Enabled or Disabled."""
    if state and state not in ALLOCATION_STATES:
        raise InvalidParameterValue(f"Unable to resolve Allocation State '{state}' to a supported state")


def check_new_name(call: Call, name: str) -> None:
    """Raise InvalidParameterValue where a zone of this name exists."""
    if call.cloud.store.table(Zone).first(name=name):
        raise InvalidParameterValue("A zone with that name already exists. Please specify a unique zone name.")


@family.command("createZone")
def create_zone(call: Call) -> Answer:
    kind, guest_cidr, edge = call["networktype"], call.get("guestcidraddress"), call.flag("isedge")
    if kind.lower() not in ("basic", "advanced"):
        raise InvalidParameterValue("Invalid zone type; only Advanced and Basic values are supported")
    basic = kind.lower() == "basic"
    if basic and guest_cidr is not None:
        raise InvalidParameterValue("guestCidrAddress parameter is not supported for Basic zone")
    if basic and edge:
        raise InvalidParameterValue("Only advanced network type zones can be edge zones")
    security_groups = basic or call.flag("securitygroupenabled")
    check_guest_cidr(call)
    if "domain" in call and not is_domain_name(call["domain"]):
        raise InvalidParameterValue(BAD_NETWORK_DOMAIN)
    check_new_name(call, call["name"])
    domain = call.maybe(Domain, "domainid", missing="Please specify a valid domain id")
    check_dns(call)
    check_allocation_state(call.get("allocationstate"))
    store = call.cloud.store
    zone = store.add(
        Zone(
            name=call["name"],
            network_type="Basic" if basic else "Advanced",
            dns1=call["dns1"],
            dns2=call.get("dns2"),
            internal_dns1=call["internaldns1"],
            internal_dns2=call.get("internaldns2"),
            ip6_dns1=call.get("ip6dns1"),
            ip6_dns2=call.get("ip6dns2"),
            guest_cidr=guest_cidr,
            domain=call.get("domain"),
            security_groups_enabled=security_groups,
            local_storage_enabled=call.flag("localstorageenabled"),
            allocation_state=call.get("allocationstate") or "Disabled",
            is_edge=edge,
            owner_domain=domain,
            storage_access_groups=call.get("storageaccessgroups", []),
        )
    )
    if domain is not None:
        from cs_matrix_pytest.simulator.families.dedication import dedicate_new_zone

        dedicate_new_zone(call, zone, domain)
    for traffic_type in SYSTEM_TRAFFIC:
        if traffic_type != "Public" or not basic:
            store.add(SystemNetwork(zone=zone, traffic_type=traffic_type))
    return zone


def zone_details(call: Call) -> dict[str, str]:
    """The details that updateZone is given."""
    details = {}
    for entry in call.entries("details"):
        if "key" not in entry or "value" not in entry:
            raise InvalidParameterValue(
                "Invalid Zone Detail specified, fields 'key' and 'value' cannot be null, please specify details in the "
                "form:  details[0].key=XXX&details[0].value=YYY"
            )
        details[entry["key"]] = entry["value"]
    if "dnssearchorder" in call:
        if not all(map(is_domain_name, call["dnssearchorder"])):
            raise InvalidParameterValue(BAD_NETWORK_DOMAIN.replace("domain.", "domain suffixes.", 1))
        details["dns.search.order"] = ",".join(call["dnssearchorder"])
    return details


@family.command("updateZone")
def update_zone(call: Call) -> Answer:
    details = zone_details(call)
    zone = call.one(Zone, missing="unable to find zone by id {}")
    check_guest_cidr(call)
    if call.get("domain") and not is_domain_name(call["domain"]):
        raise InvalidParameterValue(BAD_NETWORK_DOMAIN)
    name, state = call.get("name", zone.name), call.get("allocationstate")
    if name != zone.name:
        check_new_name(call, name)
    check_dns(call)
    check_allocation_state(state)
    if state == "Enabled" and not zone.is_edge:
        check_can_be_enabled(call.cloud, zone)
    zone.name = name
    zone.details.update(details)
    for parameter, attribute in (
        *((parameter, attribute) for parameter, attribute, _ in DNS_FIELDS),
        ("ip6dns1", "ip6_dns1"),
        ("ip6dns2", "ip6_dns2"),
        ("guestcidraddress", "guest_cidr"),
        ("localstorageenabled", "local_storage_enabled"),
        ("dhcpprovider", "dhcp_provider"),
        ("sortkey", "sort_key"),
    ):
        if parameter in call:
            setattr(zone, attribute, call[parameter])
    if "domain" in call:
        zone.domain = call["domain"] or None
    if call.flag("ispublic"):
        zone.owner_domain = zone.domain = None
        release_dedication(call.cloud, zone)
    if state:
        zone.allocation_state = state
    if zone.allocation_state == "Enabled":
        from cs_matrix_pytest.simulator.families.system_vms import expect_system_vms

        expect_system_vms(call.cloud, zone)
    return zone


def check_can_be_enabled(cloud: Cloud, zone: Zone) -> None:
    """Raise InvalidParameterValue where a traffic type is missing; storage traffic follows management's."""
    wanted = ("Management", "Public") if zone.has_public_traffic else ("Management",)
    types = [row for row in cloud.store.table(TrafficType) if row.physical_network.zone is zone]
    for traffic_type in wanted:
        if not any(row.traffic_type == traffic_type for row in types):
            raise InvalidParameterValue(
                "Cannot enable this Zone since: Unable to find the default physical network with "
                f"traffic=[{traffic_type}] in zone id={zone.number}. "
            )
    if not any(row.traffic_type == "Storage" for row in types):
        management = next(row for row in types if row.traffic_type == "Management")
        cloud.store.add(
            TrafficType(
                traffic_type="Storage",
                physical_network=management.physical_network,
                labels=dict(management.labels),
                vlan=management.vlan,
            )
        )


@family.command("deleteZone")
def delete_zone(call: Call) -> Answer:
    zone, store = call.one(Zone, missing="A zone with ID: {} does not exist."), call.cloud.store
    blockers: tuple[tuple[Iterable[Resource], str], ...] = (
        (store.table(Host).where(zone=zone, resource_state="Enabled"), "there are servers in this zone."),
        (store.table(Pod).where(zone=zone), "there are pods in this zone."),
        (store.table(PublicIp).where(zone=zone), "there are public IP addresses allocated in this zone."),
        (
            [row for kind in (UserVm, Router, SystemVm) for row in store.table(kind).where(zone=zone)],
            "there are virtual machines in this zone.",
        ),
        (store.table(Volume).where(zone=zone), "there are storage volumes in this zone."),
        (store.table(PhysicalNetwork).where(zone=zone), "there are physical networks in this zone."),
        (store.table(ImageStore).where(zone=zone), "there are Secondary storages in this zone"),
    )
    for rows, why in blockers:
        if any(True for _ in rows):
            raise InternalError(f"The zone cannot be deleted because {why}")
    for kind in (IpRange, SystemNetwork):
        for row in store.table(kind).where(zone=zone):
            store.remove(row)
    for template in store.table(Template):
        if zone in template.zones:
            template.zones.remove(zone)
    release_dedication(call.cloud, zone)
    store.remove(zone)
    return Success()


def release_dedication(cloud: Cloud, zone: Zone) -> None:
    """Have a zone be nobody's alone, and the group of its dedication go."""
    from cs_matrix_pytest.simulator.families.dedication import dedication_of, forget

    row = dedication_of(cloud, zone)
    if row is not None:
        forget(cloud, row)


def visible_zones(call: Call) -> Sequence[Zone]:
    """Zones of everybody, and those that are private to a domain of the caller's."""
    zones = sorted(call.cloud.store.table(Zone), key=lambda zone: zone.sort_key)
    domain = call.maybe(Domain, "domainid")
    if domain is not None:
        check_domain(call.account, domain)
        zones = [zone for zone in zones if zone.owner_domain is None or zone.owner_domain.contains(domain)]
    account = call.account
    if not account.is_root_admin:
        zones = [zone for zone in zones if may_see(account, zone) and zone.allocation_state == "Enabled"]
    if call.params.get("available") is False:
        used = {router.zone for router in call.cloud.store.table(Router).where(account=account)}
        zones = [zone for zone in zones if zone in used]
    return zones


def may_see(account: Account, zone: Zone) -> bool:
    """True for a zone of everybody's, of a domain above the account's, or below it for a domain's admin."""
    owner = zone.owner_domain
    return owner is None or owner.contains(account.domain) or (not account.is_normal and account.domain.contains(owner))


@family.access_check(Zone)
def check_zone(_cloud: Cloud, account: Account, zone: Zone, _access: str | None) -> None:
    if not may_see(account, zone):
        raise ResourceUnavailable(f"Zone {zone.name} is private to another domain")


family.listing(
    "listZones",
    Zone,
    rows=visible_zones,
    filters={
        "available": lambda _zone, _value, _call: True,
        "storageaccessgroup": lambda zone, value, _call: value in zone.storage_access_groups,
        "networktype": lambda zone, value, _call: zone.network_type == value,
        "name": lambda zone, value, call: "id" in call or zone.name.lower() == value.lower(),
    },
)
