"""VPNs: users dial into a network or VPC; VPCs are connected site to site (RemoteAccessVpnManagerImpl, Site2SiteVpnManagerImpl)."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, describe, named_account, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ResourceUnavailable
from cs_matrix_pytest.simulator.families import public_ips, routers, rule_conflicts
from cs_matrix_pytest.simulator.families.addresses import bounds, is_domain_name
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.nics import describe as describe_network
from cs_matrix_pytest.simulator.families.rule_conflicts import VPN_PORTS, RuleConflictError, describe_vpc
from cs_matrix_pytest.simulator.families.vpcs import ROUTER, source_nat_of
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.networks import FirewallRule, Network, PublicIp, Router, Vpc
from cs_matrix_pytest.simulator.models.vpc import CustomerGateway, RemoteAccessVpn, VpnConnection, VpnGateway, VpnUser
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import account_fields, comma, owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.configuration import Configuration

R = TypeVar("R", bound=Resource)

family = Family("VPNs")

USERNAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9@._-]{2,63}")
PASSWORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9@+=._-]{2,31}")
CIPHER_HASH = re.compile(r"(3des|aes128|aes192|aes256)-(md5|sha1|sha256|sha384|sha512)")
DH_GROUP = re.compile(r"modp(1024|1536|2048|3072|4096|6144|8192)|modp1024s160|modp2048s(224|256)|curve25519")
LONGEST_LIFETIME = 86400
NOT_APPLIED = "Unable to apply {} VPN configuration, virtual router is not in the right state"
NOT_STARTED = "Failed to start remote access VPN: router not in right state {}"


# Remote access


@family.view(RemoteAccessVpn)
def remote_access_vpn_view(vpn: RemoteAccessVpn, call: Call) -> dict[str, Any]:
    return {
        "id": vpn.id,
        "publicipid": vpn.ip.id,
        "publicip": vpn.ip.address,
        "iprange": vpn.ip_range,
        "presharedkey": vpn.preshared_key,
        **owner_fields(vpn.account),
        "state": vpn.state,
        "fordisplay": vpn.display if call.is_root_admin else None,
    }


@family.before("createRemoteAccessVpn")
def check_address(call: Call) -> None:
    if not isinstance(ip := call.params["publicipid"], PublicIp):
        raise InvalidParameterValue(f"Unable to find ip address by id={getattr(ip, 'number', ip)}")


@family.command("createRemoteAccessVpn")
def create_remote_access_vpn(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpn = call.cloud, planned_vpn(call)
    if vpn not in cloud.store:
        if vpn.vpc is None:
            reserve_ports(cloud, vpn)
        cloud.store.add(vpn)
        if vpn.vpc is None and call.flag("openfirewall", True):
            open_firewall(cloud, vpn)
    try:
        yield vpn
    except ApiError:
        remove_vpn(cloud, vpn)
        raise
    # Where it cannot be, the VPN stays as it is, and may be asked for again.
    if vpn.vpc is None:
        check_running(routers.routers_of(cloud, served_network(vpn)), NOT_STARTED)
    else:
        check_running(routers.routers_of_vpc(cloud, vpn.vpc), NOT_APPLIED.format("remote access"))
    vpn.state = "Running"
    return vpn


def check_running(served_by: Iterable[Router], why: str) -> None:
    """Raise ResourceUnavailable unless a VPN's routers run."""
    for router in served_by:
        if router.state != "Running":
            raise ResourceUnavailable(routers.unreachable(router, why.format(router.state)))


def served_network(vpn: RemoteAccessVpn) -> Network:
    """The network that a VPN leads to, where it is none of a VPC."""
    assert vpn.network is not None
    return vpn.network


def planned_vpn(call: Call) -> RemoteAccessVpn:
    """The VPN that a request describes, with every check of it; one that could not be started before is the same."""
    cloud, ip = call.cloud, public_ips.named_ip(call, "publicipid")
    check_access(cloud, call.account, ip)
    if ip.state != "Allocated":
        raise InvalidParameterValue(f"The Ip address is not ready to be used yet: {ip.address}")
    network, vpc, vpns = ip.network, ip.vpc, cloud.store.table(RemoteAccessVpn)
    if network is not None:
        rule_conflicts.check_ip_for_service(cloud, ip, "Vpn", network)
    if network is None and vpc is None:
        raise InvalidParameterValue(
            f"Unable to create remote access vpn for the ipAddress: {ip.address} as ip is not associated with any "
            "network or VPC"
        )
    known = vpns.first(ip=ip)
    if known is not None and known.state == "Added":
        return known
    if known is not None:
        raise InvalidParameterValue(f"A remote Access VPN already exists for the public IP address [{ip.address}].")
    asked = call.get("iprange")
    if asked is None:
        name, default = "remote.access.vpn.client.iprange", "10.1.2.1-10.1.2.8"
        asked = cloud.configuration.text(name, ip.account, default=default)
    first, last = checked_range(asked)
    if network is not None:
        if vpns.first(account=ip.account, network=network) is not None:
            raise InvalidParameterValue(
                f"A remote access VPN already exists for the network {describe_network(network)}."
            )
        check_network(network, ip)
    elif vpc is not None:
        check_vpc(vpc, ip)
    cidr = network.cidr if network is not None else vpc.cidr if vpc is not None else None
    if cidr is not None:
        lowest, highest = bounds(cidr)
        guests = ipv4.to_text(lowest + 1), ipv4.to_text(highest - 1)
        if ipv4.ranges_overlap(first, last, *guests):
            raise InvalidParameterValue(
                f"Invalid ip range: {asked} overlaps with guest ip range {guests[0]}-{guests[1]}"
            )
    length = int(cloud.configuration.number("remote.access.vpn.psk.length", default=24))
    return RemoteAccessVpn(
        account=ip.account,
        ip=ip,
        network=network,
        vpc=vpc,
        # The first address is the server's own.
        ip_range=f"{ipv4.to_text(ipv4.to_int(first) + 1)}-{last}",
        preshared_key="".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length)),
        display=call.flag("fordisplay", True),
    )


def checked_range(text: str) -> tuple[str, str]:
    """``10.1.2.1-10.1.2.8`` as its two ends."""
    parts = text.split("-")
    if len(parts) != 2:
        raise InvalidParameterValue(f"IP range [{text}] is an invalid IP range.")
    first, last = parts
    if not (ipv4.is_address(first) and ipv4.is_address(last)):
        raise InvalidParameterValue(f"One or both IPs sets in the range [{text}] are invalid IPs.")
    if ipv4.to_int(first) > ipv4.to_int(last):
        raise InvalidParameterValue(f"Range of IPs [{text}] is invalid.")
    return first, last


def check_network(network: Network, ip: PublicIp) -> None:
    if not network.supports("Vpn"):
        raise InvalidParameterValue(f"Vpn service is not supported in network id={network.number}")
    services = network.offering.service_providers
    if "VirtualRouter" not in services["Vpn"]:
        return
    if "VirtualRouter" in services.get("SourceNat", ()):
        if not ip.source_nat:
            raise InvalidParameterValue(
                f"Vpn service can only be configured on the Source NAT IP of network id={network.number}"
            )
        return
    if ip.source_nat:
        raise InvalidParameterValue(
            f"Vpn service can not be configured on the Source NAT IP of network id={network.number}"
        )
    raise InvalidParameterValue(
        f"Currently it is not supported to create Vpn service on a non-Source NAT IP of network id={network.number}"
    )


def check_vpc(vpc: Vpc, ip: PublicIp) -> None:
    services = vpc.offering.service_providers
    router_nat = ROUTER in services.get("SourceNat", ())
    if ROUTER in services.get("Vpn", ()) and router_nat and not ip.source_nat:
        raise InvalidParameterValue(f"Vpn service can only be configured on the Source NAT IP of VPC id={vpc.number}")


def reserve_ports(cloud: Cloud, vpn: RemoteAccessVpn) -> None:
    """Raise RuleConflictError where a rule on the address has one of the VPN's ports."""
    for rule in public_ips.rules_of(cloud, vpn.ip):
        if isinstance(rule, FirewallRule) or getattr(rule, "protocol", "") != "udp":
            continue
        start, end = rule_conflicts.ports_of(rule)  # type: ignore[arg-type]
        for port in VPN_PORTS:
            if start is not None and end is not None and start <= port <= end:
                raise RuleConflictError(
                    f"The range specified, {port}-{port}, conflicts with rule "
                    f"{rule_conflicts.describe(rule)} which has {start}-{end}"  # type: ignore[arg-type]
                )


def open_firewall(cloud: Cloud, vpn: RemoteAccessVpn) -> None:
    """Let packets to the VPN's ports in, whoever they are from."""
    network = served_network(vpn)
    for port in VPN_PORTS:
        cloud.store.add(
            FirewallRule(
                account=vpn.account,
                protocol="udp",
                network=network,
                ip=vpn.ip,
                start_port=port,
                end_port=port,
                cidr_list=["0.0.0.0/0"],
                related=vpn,
                state="Active",
            )
        )


def remove_vpn(cloud: Cloud, vpn: RemoteAccessVpn) -> None:
    for rule in cloud.store.table(FirewallRule).where(related=vpn):
        cloud.store.remove(rule)
    cloud.store.remove(vpn)


family.must_name("updateRemoteAccessVpn", "id", RemoteAccessVpn, "The specified id is invalid")


@family.command("updateRemoteAccessVpn")
def update_remote_access_vpn(call: Call) -> Answer:
    vpn = call.one(RemoteAccessVpn)
    check_access(call.cloud, call.account, vpn)
    vpn.display = call.flag("fordisplay", vpn.display)
    public_ips.rename(call, vpn)
    return vpn


@family.before("deleteRemoteAccessVpn")
def check_served(call: Call) -> None:
    if call.cloud.store.table(RemoteAccessVpn).first(ip=call.params["publicipid"]) is None:
        raise InvalidParameterValue("The specified public ip is not allocated to any Account")


@family.command("deleteRemoteAccessVpn")
def delete_remote_access_vpn(call: Call) -> Answer:
    ip = call.params["publicipid"]
    vpn = call.cloud.store.table(RemoteAccessVpn).first(ip=ip)
    if vpn is not None:
        check_access(call.cloud, call.account, vpn)
        remove_vpn(call.cloud, vpn)
    return Success()


def running_vpns(call: Call) -> list[RemoteAccessVpn]:
    """The VPNs in the scope of a request, whose ``id`` has no say in that."""
    ip = call.get("publicipid")
    if ip is not None:
        if not isinstance(ip, PublicIp):
            raise InvalidParameterValue(
                f"Unable to list remote access vpns, IP address {getattr(ip, 'number', ip)} not found."
            )
        check_access(call.cloud, call.account, ip)
    scope = scoping(call, by_id=False)
    rows = [vpn for vpn in call.cloud.store.table(RemoteAccessVpn).where(state="Running") if scope.admits(vpn.account)]
    return sorted(rows, key=lambda vpn: vpn.ip.number)


family.listing(
    "listRemoteAccessVpns",
    RemoteAccessVpn,
    rows=running_vpns,
    newest_first=True,
    keyword=(),
    filters={
        "publicipid": lambda vpn, ip, call: vpn.ip is ip,
        "fordisplay": lambda vpn, wanted, call: True,
    },
)


# Users


@family.view(VpnUser)
def vpn_user_view(user: VpnUser, _call: Call) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, **owner_fields(user.account), "state": user.state}


@family.command("addVpnUser")
def add_vpn_user(call: Call) -> Generator[Resource, None, Answer]:
    cloud, owner, username = call.cloud, owner_of_new(call), call["username"]
    if not USERNAME.fullmatch(username):
        raise InvalidParameterValue(
            f"Username [{username}] is invalid. Username has to begin with an alphabet have 3-64 characters including "
            "alphabets, numbers and the set '@.-_'."
        )
    if not PASSWORD.fullmatch(call["password"]):
        raise InvalidParameterValue(
            "Password has to be 3-32 characters including alphabets, numbers and the set '@+=.-_'"
        )
    check_access(cloud, call.account, owner)
    users = cloud.store.table(VpnUser)
    if users.first(account=owner, username=username) is not None:
        raise InvalidParameterValue(f"VPN User with name {username} is already added for account {describe(owner)}")
    most = int(cloud.configuration.number("remote.access.vpn.user.limit", default=8))
    if len(users.where(account=owner)) >= most:
        raise ApiError(f"Cannot add more than [{most}] remote access VPN users to {describe(owner)}.", code=532)
    user = cloud.store.add(VpnUser(account=owner, username=username))
    try:
        yield user
    except ApiError:
        cloud.store.remove(user)
        raise
    apply_users(cloud, owner)
    return user


def apply_users(cloud: Cloud, owner: Account) -> None:
    """Tell an account's VPNs who its users are, once one of them is on a network that has been implemented."""
    vpns = cloud.store.table(RemoteAccessVpn).where(account=owner)
    if any(vpn.network is None or vpn.network.state == "Implemented" for vpn in vpns):
        for user in cloud.store.table(VpnUser).where(account=owner):
            user.state = "Active"


@family.before("removeVpnUser", "resetVpnConnection", "updateVpnCustomerGateway")
def whose(call: Call) -> Account:
    """The account that a request names, else the caller's."""
    return named_account(call) or call.account


@family.command("removeVpnUser")
def remove_vpn_user(call: Call) -> Answer:
    owner, username = whose(call), call["username"]
    user = call.cloud.store.table(VpnUser).first(account=owner, username=username)
    if user is None:
        raise InvalidParameterValue(f"Could not find VPN user=[{username}]. VPN owner=[{describe(owner)}]")
    check_access(call.cloud, call.account, user)
    call.cloud.store.remove(user)
    apply_users(call.cloud, owner)
    return Success()


family.listing(
    "listVpnUsers",
    VpnUser,
    scope=Scope.OWNER,
    rows=lambda call: sorted(call.cloud.store.table(VpnUser), key=lambda user: user.username.lower()),
    keyword=("username",),
)


# Site to site: customer gateways


@family.view(CustomerGateway)
def customer_gateway_view(gateway: CustomerGateway, call: Call) -> dict[str, Any]:
    settings, domain = call.cloud.configuration, gateway.account.domain
    chosen = (gateway.ike_policy, gateway.esp_policy, gateway.ike_version)
    obsolete, excluded = (blocked(settings, domain, kind, *chosen) for kind in ("obsolete", "excluded"))
    return {
        "id": gateway.id,
        "name": gateway.name,
        **far_end_fields(gateway),
        **account_fields(gateway.account),
        "hasannotations": has_annotations(gateway, call),
        "obsoleteparameters": shown_set(obsolete) if obsolete else None,
        "excludedparameters": shown_set(excluded) if excluded else None,
    }


def blocked(
    settings: Configuration, domain: Domain, kind: str, ike_policy: str, esp_policy: str, ike_version: str | None
) -> list[str]:
    """The cryptography of a gateway that a domain's settings call ``excluded`` or ``obsolete``."""

    def is_listed(what: str, text: str) -> bool:
        listed = settings.text(f"vpn.customer.gateway.{kind}.{what}", domain).split(",")
        return bool(text.strip()) and text.strip().lower() in [each.strip().lower() for each in listed]

    found = [ike_version] if ike_version and is_listed("ike.versions", ike_version) else []
    for policy in (ike_policy, esp_policy):
        cipher_hash, _, group = policy.strip().partition(";")
        cipher, _, digest = cipher_hash.partition("-")
        parts = (("encryption.algorithms", cipher), ("hashing.algorithms", digest), ("dh.group", group))
        found += [text.strip() for what, text in parts if is_listed(what, text)]
    return list(dict.fromkeys(found))


def shown_set(texts: list[str]) -> str:
    """A set as Java writes it; the order of its parts is nobody's."""
    return f"[{', '.join(texts)}]"


def far_end_fields(gateway: CustomerGateway) -> dict[str, Any]:
    """What a customer gateway and a connection to it both show."""
    return {
        "gateway": gateway.gateway,
        "cidrlist": comma(gateway.cidr_list),
        "ipsecpsk": gateway.psk,
        "ikepolicy": gateway.ike_policy,
        "esppolicy": gateway.esp_policy,
        "ikelifetime": gateway.ike_lifetime,
        "esplifetime": gateway.esp_lifetime,
        "dpd": gateway.dpd,
        "forceencap": gateway.force_encap,
        "splitconnections": gateway.split_connections,
        "ikeversion": gateway.ike_version,
    }


def far_end(call: Call, owner: Account, space: str, ike_version: str | None) -> dict[str, Any]:
    """The attributes of an owner's customer gateway that a request describes; ``space`` stands before a policy in its
    texts."""
    gateway, cidrs = call["gateway"], call["cidrlist"]
    if not ipv4.is_address(gateway) and not is_domain_name(gateway):
        raise InvalidParameterValue(f"The customer gateway ip/Domain {gateway} is invalid!")
    networks = cidrs.split(",")
    if not cidrs.strip() or not all(map(ipv4.is_cidr, networks)):
        raise InvalidParameterValue(f"The customer gateway peer cidr list {cidrs} contains an invalid cidr!")
    ike, esp = call["ikepolicy"], call["esppolicy"]
    if not is_policy(ike, needs_group=True):
        raise InvalidParameterValue(
            f"The customer gateway IKE policy{space}{ike} is invalid!  Verify the required Diffie Hellman (DH) group is "
            "specified."
        )
    if not is_policy(esp, needs_group=False):
        raise InvalidParameterValue(f"The customer gateway ESP policy{space}{esp} is invalid!")
    excluded = blocked(call.cloud.configuration, owner.domain, "excluded", ike, esp, ike_version)
    if excluded:
        raise InvalidParameterValue(
            "The following excluded cryptographic parameter(s) cannot be used in a VPN Customer Gateway: "
            f"{shown_set(excluded)}"
        )
    lifetimes = {"IKE": call.get("ikelifetime", 86400), "ESP": call.get("esplifetime", 3600)}
    for kind, lifetime in lifetimes.items():
        if lifetime > LONGEST_LIFETIME:
            raise InvalidParameterValue(f"The {kind} lifetime {lifetime} of vpn connection is invalid!")
    return {
        "name": call.get("name", f"VPN-{gateway}"),
        "gateway": gateway,
        "cidr_list": [network_of_cidr(network) for network in networks],
        "psk": call["ipsecpsk"],
        "ike_policy": ike,
        "esp_policy": esp,
        "ike_lifetime": lifetimes["IKE"],
        "esp_lifetime": lifetimes["ESP"],
        "dpd": call.flag("dpd"),
        "force_encap": call.flag("forceencap"),
        "split_connections": call.flag("splitconnections"),
    }


def network_of_cidr(cidr: str) -> str:
    """``10.1.0.0/16`` for ``10.1.2.3/16``."""
    address, _, length = cidr.partition("/")
    return ipv4.cidr(address, ipv4.mask_of_length(int(length)))


def is_policy(text: str, *, needs_group: bool) -> bool:
    """True for ``aes128-sha1;modp1536``, or several of these (NetUtils.isValidS2SVpnPolicy)."""
    for policy in text.split(","):
        cipher_hash, separator, group = policy.partition(";")
        if not CIPHER_HASH.fullmatch(cipher_hash) or (needs_group and not separator):
            return False
        if separator and not DH_GROUP.fullmatch(group):
            return False
    return True


def check_far_end(cloud: Cloud, owner: Account, asked: dict[str, Any], but: CustomerGateway | None) -> None:
    """Raise InvalidParameterValue where another gateway has the name, or the networks are too many or overlap."""
    same = cloud.store.table(CustomerGateway).first(account=owner, name=asked["name"])
    if same not in (None, but):
        raise InvalidParameterValue(f"The customer gateway with name {asked['name']} already exists!")
    networks = asked["cidr_list"]
    most = int(cloud.configuration.number("site2site.vpn.customergateway.subnets.limit", default=10))
    if len(networks) > most:
        raise InvalidParameterValue(f"Too many subnets of customer gateway! The limit is {most}")
    for index, one in enumerate(networks):
        for other in networks[index + 1 :]:
            if ipv4.cidrs_overlap(one, other):
                raise InvalidParameterValue(
                    f"The subnet of customer gateway {one} is overlapped with another subnet {other} of customer gateway!"
                )


@family.command("createVpnCustomerGateway")
def create_customer_gateway(call: Call) -> Generator[Resource, None, Answer]:
    cloud, owner = call.cloud, owner_of_new(call)
    check_access(cloud, call.account, owner)
    ike_version = call.get("ikeversion", "ike")
    asked = far_end(call, owner, " ", ike_version)
    check_far_end(cloud, owner, asked, None)
    gateway = cloud.store.add(CustomerGateway(account=owner, ike_version=ike_version, **asked))
    try:
        yield gateway
    except ApiError:
        cloud.store.remove(gateway)
        raise
    return gateway


@family.command("updateVpnCustomerGateway")
def update_customer_gateway(call: Call) -> Answer:
    gateway = call.one(CustomerGateway, missing="Find to find customer gateway with id {}")
    check_access(call.cloud, call.account, gateway)
    asked = far_end(call, gateway.account, "", call.get("ikeversion"))
    check_far_end(call.cloud, gateway.account, asked, gateway)
    for name, value in asked.items():
        setattr(gateway, name, value)
    gateway.ike_version = call.get("ikeversion", gateway.ike_version)
    for connection in call.cloud.store.table(VpnConnection).where(customer=gateway):
        if connection.state == "Pending":
            continue
        # Where its routers do not run, a connection stays interrupted.
        with suppress(ResourceUnavailable):
            disconnect(call.cloud, connection)
            connect(call.cloud, connection)
    return gateway


@family.command("deleteVpnCustomerGateway")
def delete_customer_gateway(call: Call) -> Answer:
    gateway = usable(call, CustomerGateway, "id")
    if call.cloud.store.table(VpnConnection).first(customer=gateway) is not None:
        raise InvalidParameterValue(
            f"Unable to delete VPN customer gateway {described(gateway)} because there is still related VPN connections!"
        )
    call.cloud.store.remove(gateway)
    return Success()


def usable(call: Call, kind: type[R], name: str) -> R:
    """The gateway that a parameter names, if the caller may use it."""
    found, called = call.params[name], "customer gateway" if kind is CustomerGateway else "gateway"
    if not isinstance(found, kind) or found not in call.cloud.store:
        number = getattr(found, "number", found)
        raise InvalidParameterValue(f"Unable to find specified Site to Site VPN {called} {number} !")
    check_access(call.cloud, call.account, found)
    return found


def described(gateway: CustomerGateway | VpnGateway) -> str:
    """A VPN's gateway as error texts name it."""
    if isinstance(gateway, CustomerGateway):
        return f"Site2SiteCustomerGateway {fields_text(id=gateway.number, uuid=gateway.id, name=gateway.name)}"
    return f"Site2SiteVpnGateway {fields_text(id=gateway.number, uuid=gateway.id)}"


family.listing("listVpnCustomerGateways", CustomerGateway, scope=Scope.OWNER, newest_first=True)


# Site to site: gateways of VPCs


@family.view(VpnGateway)
def vpn_gateway_view(gateway: VpnGateway, call: Call) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "publicip": gateway.ip.address,
        "vpcid": gateway.vpc.id,
        "vpcname": gateway.vpc.name,
        "fordisplay": gateway.display if call.is_root_admin else None,
        **account_fields(gateway.account),
    }


@family.command("createVpnGateway")
def create_vpn_gateway(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpc = call.cloud, call.params["vpcid"]
    if not isinstance(vpc, Vpc) or vpc not in cloud.store:
        null = 'Cannot invoke "com.cloud.network.vpc.Vpc.getAccountId()" because "vpc" is null'
        raise InternalError(null, cs_code=9999)
    check_access(cloud, call.account, vpc)
    if cloud.store.table(VpnGateway).first(vpc=vpc) is not None:
        raise InvalidParameterValue(f"The VPN gateway of VPC {describe_vpc(vpc)} already exists!")
    ip, wanted = source_nat_of(cloud, vpc), call.maybe(PublicIp, "ipaddressid")
    if ip is None:
        raise InternalError(f"Cannot found source nat ip of vpc {vpc.number}")
    if wanted not in (None, ip):
        raise InternalError(f"Cannot use requested IP {call['ipaddressid'].address} as it is not the Source NAT IP")
    gateway = cloud.store.add(VpnGateway(account=vpc.account, vpc=vpc, ip=ip, display=call.flag("fordisplay", True)))
    try:
        yield gateway
    except ApiError:
        cloud.store.remove(gateway)
        raise
    return gateway


@family.command("updateVpnGateway")
def update_vpn_gateway(call: Call) -> Answer:
    gateway = call.one(VpnGateway, missing="Fail to find vpn gateway with {}")
    check_access(call.cloud, call.account, gateway)
    gateway.display = call.flag("fordisplay", gateway.display)
    public_ips.rename(call, gateway)
    return gateway


@family.command("deleteVpnGateway")
def delete_vpn_gateway(call: Call) -> Answer:
    gateway = usable(call, VpnGateway, "id")
    if call.cloud.store.table(VpnConnection).first(gateway=gateway) is not None:
        raise InvalidParameterValue(
            f"Unable to delete VPN gateway {described(gateway)} because there is still related VPN connections!"
        )
    call.cloud.store.remove(gateway)
    return Success()


family.listing(
    "listVpnGateways",
    VpnGateway,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=(),
)


# Site to site: connections


@family.view(VpnConnection)
def vpn_connection_view(connection: VpnConnection, call: Call) -> dict[str, Any]:
    return {
        "id": connection.id,
        "s2svpngatewayid": connection.gateway.id,
        "publicip": connection.gateway.ip.address,
        "s2scustomergatewayid": connection.customer.id,
        **far_end_fields(connection.customer),
        **account_fields(connection.account),
        "passive": connection.passive,
        "state": connection.state,
        "created": when(connection.created),
        "fordisplay": connection.display if call.is_root_admin else None,
    }


@family.command("createVpnConnection")
def create_vpn_connection(call: Call) -> Generator[Resource, None, Answer]:
    cloud = call.cloud
    customer = usable(call, CustomerGateway, "s2scustomergatewayid")
    gateway = usable(call, VpnGateway, "s2svpngatewayid")
    check_connectable(cloud, gateway, customer)
    connection = cloud.store.add(
        VpnConnection(
            account=gateway.account,
            gateway=gateway,
            customer=customer,
            passive=call.flag("passive"),
            display=call.flag("fordisplay", True),
        )
    )
    try:
        yield connection
    except ApiError:
        connection.state = "Error"
        raise
    connect(cloud, connection)
    return connection


def check_connectable(cloud: Cloud, gateway: VpnGateway, customer: CustomerGateway) -> None:
    """Raise InvalidParameterValue where two gateways cannot be connected."""
    if customer.account is not gateway.account:
        raise InvalidParameterValue(
            "VPN connection can only be established between same account's VPN gateway and customer gateway!"
        )
    others = cloud.store.table(VpnConnection).where(gateway=gateway)
    if any(other.customer is customer for other in others):
        raise InvalidParameterValue(
            f"The vpn connection with customer gateway {described(customer)} and vpn gateway {described(gateway)} "
            "already exists!"
        )
    for cidr in customer.cidr_list:
        if ipv4.cidrs_overlap(gateway.vpc.cidr, cidr):
            raise InvalidParameterValue(
                f"The subnets of customer gateway {described(customer)} subnet {cidr} is overlapped with VPC cidr "
                f"{gateway.vpc.cidr}!"
            )
    most = int(cloud.configuration.number("site2site.vpn.vpngateway.connection.limit", default=4))
    if len(others) >= most:
        raise InvalidParameterValue(f"There are too many VPN connections with current VPN gateway! The limit is {most}")
    for other in others:
        for taken in other.customer.cidr_list:
            for cidr in customer.cidr_list:
                if ipv4.cidrs_overlap(cidr, taken):
                    raise InvalidParameterValue(
                        f"The new connection's remote subnet {cidr} is overlapped with existed VPN connection to customer "
                        f"gateway {other.customer.name}'s subnet {taken}"
                    )


def connect(cloud: Cloud, connection: VpnConnection) -> None:
    """Have the routers begin to connect; who is passive waits for the other side."""
    check_routers(cloud, connection)
    connection.state = "Disconnected" if connection.passive else "Connecting"


def disconnect(cloud: Cloud, connection: VpnConnection) -> None:
    """Have the routers end a connection."""
    connection.state = "Disconnected"
    check_routers(cloud, connection)


def check_routers(cloud: Cloud, connection: VpnConnection) -> None:
    """Raise ResourceUnavailable unless the routers of a connection's VPC run."""
    check_running(routers.routers_of_vpc(cloud, connection.gateway.vpc), NOT_APPLIED.format("site 2 site"))


def named_connection(call: Call, purpose: str = "") -> VpnConnection:
    """The connection that a command is about, if the caller may use it; ``purpose`` ends the text of the refusal."""
    connection = call.one(VpnConnection, missing=f"Fail to find site to site VPN connection {{}}{purpose}")
    check_access(call.cloud, call.account, connection)
    return connection


@family.command("updateVpnConnection")
def update_vpn_connection(call: Call) -> Answer:
    connection = named_connection(call)
    connection.display = call.flag("fordisplay", connection.display)
    public_ips.rename(call, connection)
    return connection


@family.command("resetVpnConnection")
def reset_vpn_connection(call: Call) -> Answer:
    connection = named_connection(call, " to reset!")
    disconnect(call.cloud, connection)
    connect(call.cloud, connection)
    return connection


@family.command("deleteVpnConnection")
def delete_vpn_connection(call: Call) -> Answer:
    connection = named_connection(call, " to delete!")
    if connection.state != "Pending":
        disconnect(call.cloud, connection)
    call.cloud.store.remove(connection)
    return Success()


family.listing(
    "listVpnConnections",
    VpnConnection,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=(),
    filters={
        "vpcid": lambda connection, vpc, call: connection.gateway.vpc is vpc,
    },
)


# Removal


def remove_of_vpc(cloud: Cloud, vpc: Vpc) -> None:
    """Remove a VPC's VPNs of both kinds."""
    for gateway in cloud.store.table(VpnGateway).where(vpc=vpc):
        for connection in cloud.store.table(VpnConnection).where(gateway=gateway):
            cloud.store.remove(connection)
        cloud.store.remove(gateway)
    for vpn in cloud.store.table(RemoteAccessVpn).where(vpc=vpc):
        remove_vpn(cloud, vpn)


@family.on_account_removal
def remove_vpns(cloud: Cloud, account: Account) -> None:
    """Remove what an account had of VPNs; its networks and VPCs are gone already."""
    for kind in (VpnConnection, VpnGateway, CustomerGateway, VpnUser):
        for row in cloud.store.table(kind).where(account=account):
            cloud.store.remove(row)
    for vpn in cloud.store.table(RemoteAccessVpn).where(account=account):
        remove_vpn(cloud, vpn)
