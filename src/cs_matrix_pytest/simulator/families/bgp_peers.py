"""BGP peers of zones, and the networks and VPCs that use them (RoutedIpv4ManagerImpl)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.zone_dedication import asked_account, asked_owner, dedication_fields
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, VpcOffering
from cs_matrix_pytest.simulator.models.routing import BgpPeer
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("BGP peers")

DETAILS = {"ebgp_multihop": "EBGP_MultiHop"}
"""The details that a peer can have, by lower-case name."""
TIERS_INHERIT = "The BGP peers of VPC tiers will inherit from the VPC, do not add separately."


@family.view(BgpPeer)
def bgp_peer_view(peer: BgpPeer, _call: Call) -> dict[str, Any]:
    return {
        "id": peer.id,
        "asnumber": peer.as_number,
        "ipaddress": peer.ip_address,
        "ip6address": peer.ip6_address,
        **dedication_fields(peer),
        "details": peer.details or None,
        "created": when(peer.created),
    }


def is_ip6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _details(call: Call) -> dict[str, str]:
    chosen = {}
    for name, value in call.map("details").items():
        if name.lower() not in DETAILS:
            raise InvalidParameterValue(f"Unsupported BGP peer detail {name}")
        chosen[DETAILS[name.lower()]] = value
    return chosen


def _check_free(call: Call, zone: Zone, as_number: int, attribute: str, address: str) -> None:
    peers = call.cloud.store.table(BgpPeer).where(zone=zone, as_number=as_number)
    if any(getattr(peer, attribute) == address for peer in peers):
        version = "IPv4" if attribute == "ip_address" else "IPv6"
        raise InvalidParameterValue(
            f"There is already a BGP peer with same {version} address and AS number in the zone."
        )


@family.command("createBgpPeer")
def create_peer(call: Call) -> Answer:
    zone, as_number = call.one(Zone, "zoneid"), call["asnumber"]
    ip_address, ip6_address = call.get("ipaddress"), call.get("ip6address")
    if not call.cloud.configuration.flag("routed.network.vpc.enabled", zone):
        raise InvalidParameterValue("Routed networks and VPCs are not enabled for the zone.")
    if ip_address is None and ip6_address is None:
        raise InvalidParameterValue("At least one of IPv4 and IPv6 address must be specified.")
    if ip_address is not None:
        if not ipv4.is_address(ip_address):
            raise InvalidParameterValue("IPv4 address is not valid.")
        _check_free(call, zone, as_number, "ip_address", ip_address)
    if ip6_address is not None:
        if not is_ip6(ip6_address):
            raise InvalidParameterValue("IPv6 address is not valid.")
        _check_free(call, zone, as_number, "ip6_address", ip6_address)
    details = _details(call)
    domain, account = asked_owner(call)
    return call.cloud.store.add(
        BgpPeer(
            zone=zone,
            as_number=as_number,
            ip_address=ip_address,
            ip6_address=ip6_address,
            password=call.get("password"),
            domain=domain,
            account=account,
            details=details,
        )
    )


def _changed(call: Call, parameter: str, current: str | None, valid: bool, version: str) -> str | None:
    """An address after an update: blank removes it."""
    new: str | None = call.get(parameter)
    if new is None:
        return current
    if not new.strip():
        return None
    if not valid:
        raise ParameterError(f"new {version} address is not valid.")
    return new


@family.command("updateBgpPeer")
def update_peer(call: Call) -> Answer:
    peer = call.one(BgpPeer)
    as_number, old = call.get("asnumber", peer.as_number), (peer.ip_address, peer.ip6_address)
    wanted, wanted6 = call.get("ipaddress", ""), call.get("ip6address", "")
    new = (
        _changed(call, "ipaddress", peer.ip_address, ipv4.is_address(wanted), "IPv4"),
        _changed(call, "ip6address", peer.ip6_address, is_ip6(wanted6), "IPv6"),
    )
    if new == (None, None):
        raise ParameterError("At least one of IPv4 and IPv6 address must be specified.")
    try:
        for attribute, before, after in zip(("ip_address", "ip6_address"), old, new, strict=True):
            if after is not None and (as_number != peer.as_number or after != before):
                _check_free(call, peer.zone, as_number, attribute, after)
        details = _details(call)
    except InvalidParameterValue as error:
        raise ParameterError(error.text) from None
    peer.as_number, (peer.ip_address, peer.ip6_address) = as_number, new
    peer.password = call.get("password", peer.password)
    if call.flag("cleanupdetails"):
        peer.details = {}
    elif details:
        peer.details = details
    return peer


@family.command("deleteBgpPeer")
def delete_peer(call: Call) -> Answer:
    peer = call.one(BgpPeer)
    if peer.users:
        raise ParameterError(f"The BGP peer is being used by {len(peer.users)} guest networks.")
    call.cloud.store.remove(peer)
    return Success()


def _check_nobody(users: Sequence[Network | Vpc], kind: type[Network | Vpc], words: str) -> None:
    count = sum(isinstance(user, kind) for user in users)
    if count:
        raise ParameterError(f"The subnet is being used by {count} {words}.")


@family.command("dedicateBgpPeer")
def dedicate_peer(call: Call) -> Answer:
    peer = call.one(BgpPeer)
    domain, account = asked_owner(call)
    if domain is not None:
        others = [user for user in peer.users if user.account.domain is not domain]
        _check_nobody(others, Network, "guest networks of other domains")
        _check_nobody(others, Vpc, "vpcs of other domains")
    if account is not None:
        others = [user for user in peer.users if user.account is not account]
        _check_nobody(others, Network, "guest networks of other accounts")
        _check_nobody(others, Vpc, "guest networks of other accounts")
    peer.domain, peer.account = domain, account
    return peer


@family.command("releaseBgpPeer")
def release_peer(call: Call) -> Answer:
    peer = call.one(BgpPeer)
    peer.domain = peer.account = None
    return peer


@family.command("listBgpPeers")
def list_peers(call: Call) -> Answer:
    account, domain, zone = asked_account(call), call.maybe(Domain, "domainid"), call.maybe(Zone, "zoneid")
    dedicated, keyword = call.get("isdedicated"), call.get("keyword", "").strip()
    rows = [
        peer
        for peer in call.cloud.store.table(BgpPeer)
        if ("id" not in call or call["id"] is peer)
        and zone in (None, peer.zone)
        and peer.as_number == call.get("asnumber", peer.as_number)
        and any(keyword in str(text or "") for text in (peer.as_number, peer.ip_address, peer.ip6_address))
    ]
    if dedicated is None and account is not None:
        if zone is None:
            raise InvalidParameterValue("zoneId is required when list BGP peers for an account.")
        usable = peers_for(call.cloud, account, zone)
        rows = [peer for peer in rows if peer in usable]
    else:
        rows = [
            peer
            for peer in rows
            if dedicated in (None, peer.domain is not None)
            and domain in (None, peer.domain)
            and account in (None, peer.account)
        ]
    return Listing(rows, len(rows))


def peers_for(cloud: Cloud, account: Account, zone: Zone) -> list[BgpPeer]:
    """The peers that an account's networks may use: its own ones and, unless a setting forbids it, everybody's."""
    mine = [
        peer
        for peer in cloud.store.table(BgpPeer).where(zone=zone)
        if peer.domain in (None, account.domain) and peer.account in (None, account)
    ]
    dedicated = [peer for peer in mine if peer.domain is not None]
    if dedicated and not cloud.configuration.flag("use.system.bgp.peers", account, default=True):
        return dedicated
    return mine


def is_dynamic(offering: NetworkOffering | VpcOffering) -> bool:
    """True where the networks or VPCs of an offering tell peers their routes."""
    return offering.network_mode == "ROUTED" and offering.routing_mode == "Dynamic"


def check_peers(owner: Account, zone: Zone, peers: Sequence[BgpPeer]) -> None:
    """Raise InvalidParameterValue for peers that an account's networks in a zone cannot use."""
    for peer in peers:
        for what, fits in (
            ("zone", peer.zone is zone),
            ("domain", peer.domain in (None, owner.domain)),
            ("account", peer.account in (None, owner)),
        ):
            if not fits:
                raise InvalidParameterValue(f"BGP peer (ID: {peer.id}) belongs to a different {what}")


def peers_of(cloud: Cloud, user: Network | Vpc) -> list[BgpPeer]:
    """The peers that a network or VPC was given."""
    return cloud.store.table(BgpPeer).where(lambda peer: user in peer.users)


def use(cloud: Cloud, user: Network | Vpc, peers: Sequence[BgpPeer]) -> None:
    """Have a network or VPC use exactly these peers."""
    for peer in cloud.store.table(BgpPeer):
        peer.users = [each for each in peer.users if each is not user] + ([user] if peer in peers else [])


@family.command("changeBgpPeersForNetwork", object_name="network")
def change_for_network(call: Call) -> Answer:
    network = call.one(Network, "networkid")
    if network.vpc is not None:
        raise ParameterError(TIERS_INHERIT)
    return _change(call, network, "network")


@family.command("changeBgpPeersForVpc", object_name="vpc")
def change_for_vpc(call: Call) -> Answer:
    return _change(call, call.one(Vpc, "vpcid"), "VPC")


def _change(call: Call, user: Network | Vpc, word: str) -> Network | Vpc:
    try:
        peers = call.many(BgpPeer, "bgppeerids")
        if peers and not is_dynamic(user.offering):
            raise InvalidParameterValue(f"The {word} does not support Dynamic routing")
        check_peers(user.account, user.zone, peers)
    except InvalidParameterValue as error:
        raise ParameterError(error.text) from None
    use(call.cloud, user, peers)
    return user


@family.on_account_removal
def remove_peers_of_account(cloud: Cloud, account: Account) -> None:
    for peer in cloud.store.table(BgpPeer).where(account=account):
        cloud.store.remove(peer)


@family.on_domain_removal
def remove_peers_of_domain(cloud: Cloud, domain: Domain) -> None:
    for peer in cloud.store.table(BgpPeer).where(domain=domain):
        cloud.store.remove(peer)
