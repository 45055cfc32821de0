"""VPNs: users dial into a network or VPC; VPCs are connected site to site (RemoteAccessVpnManagerImpl, Site2SiteVpnManagerImpl)."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import public_ips, rule_conflicts
from cs_matrix_pytest.simulator.families.addresses import bounds, is_domain_name
from cs_matrix_pytest.simulator.families.nics import describe as describe_network
from cs_matrix_pytest.simulator.families.rule_conflicts import VPN_PORTS, RuleConflictError, describe_vpc
from cs_matrix_pytest.simulator.families.vpcs import ROUTER, source_nat_of
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.networks import FirewallRule, Network, PublicIp, Vpc
from cs_matrix_pytest.simulator.models.vpc import CustomerGateway, RemoteAccessVpn, VpnConnection, VpnGateway, VpnUser
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

R = TypeVar("R", bound=Resource)

family = Family("VPNs")

USERNAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9@._-]{2,63}")
PASSWORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9@+=._-]{2,31}")
CIPHER_HASH = re.compile(r"(3des|aes128|aes192|aes256)-(md5|sha1|sha256|sha384|sha512)")
DH_GROUP = re.compile(r"modp(1024|1536|2048|3072|4096|6144|8192)|modp1024s160|modp2048s(224|256)|curve25519")
LONGEST_LIFETIME = 86400


# Remote access


@family.view(RemoteAccessVpn)
def remote_access_vpn_view(vpn: RemoteAccessVpn, _call: Call) -> dict[str, Any]:
    return {
        "id": vpn.id,
        "publicipid": vpn.ip.id,
        "publicip": vpn.ip.address,
        "iprange": vpn.ip_range,
        "presharedkey": vpn.preshared_key,
        **owner_fields(vpn.account),
        "state": vpn.state,
        "fordisplay": vpn.display,
    }


@family.command("createRemoteAccessVpn")
def create_remote_access_vpn(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpn = call.cloud, planned_vpn(call)
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
    vpn.state = "Running"
    for user in cloud.store.table(VpnUser).where(account=vpn.account):
        user.state = "Active"
    return vpn


def planned_vpn(call: Call) -> RemoteAccessVpn:
    """The VPN that a request describes, with every check of it."""
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
    if vpns.first(ip=ip) is not None:
        raise InvalidParameterValue(f"A remote Access VPN already exists for the public IP address [{ip.address}].")
    asked = call.get("iprange") or cloud.configuration.text(
        "remote.access.vpn.client.iprange", ip.account, default="10.1.2.1-10.1.2.8"
    )
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
        guests = tuple(map(ipv4.to_text, bounds(cidr)))
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
    assert vpn.network is not None
    for port in VPN_PORTS:
        cloud.store.add(
            FirewallRule(
                account=vpn.account,
                protocol="udp",
                network=vpn.network,
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


family.listing(
    "listRemoteAccessVpns",
    RemoteAccessVpn,
    scope=Scope.OWNER,
    keyword=("ip_range",),
    filters={
        "publicipid": lambda vpn, ip, call: vpn.ip is ip,
        "fordisplay": lambda vpn, wanted, call: vpn.display is wanted,
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
    if cloud.store.table(RemoteAccessVpn).first(account=owner) is not None:
        user.state = "Active"
    return user


@family.command("removeVpnUser")
def remove_vpn_user(call: Call) -> Answer:
    owner, username = owner_of_new(call), call["username"]
    user = call.cloud.store.table(VpnUser).first(account=owner, username=username)
    if user is None:
        raise InvalidParameterValue(f"Could not find VPN user=[{username}]. VPN owner=[{describe(owner)}]")
    check_access(call.cloud, call.account, user)
    call.cloud.store.remove(user)
    return Success()


family.listing("listVpnUsers", VpnUser, scope=Scope.OWNER, keyword=("username",))


# Site to site: customer gateways


@family.view(CustomerGateway)
def customer_gateway_view(gateway: CustomerGateway, _call: Call) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "name": gateway.name,
        **far_end_fields(gateway),
        **owner_fields(gateway.account),
        "hasannotations": False,
    }


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


def far_end(call: Call, space: str) -> dict[str, Any]:
    """The attributes of a customer gateway that a request describes; ``space`` stands before a policy in its texts."""
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
    lifetimes = {"IKE": call.get("ikelifetime", 86400), "ESP": call.get("esplifetime", 3600)}
    for kind, lifetime in lifetimes.items():
        if lifetime > LONGEST_LIFETIME:
            raise InvalidParameterValue(f"The {kind} lifetime {lifetime} of vpn connection is invalid!")
    return {
        "name": call.get("name", f"VPN-{gateway}"),
        "gateway": gateway,
        "cidr_list": networks,
        "psk": call["ipsecpsk"],
        "ike_policy": ike,
        "esp_policy": esp,
        "ike_lifetime": lifetimes["IKE"],
        "esp_lifetime": lifetimes["ESP"],
        "dpd": call.flag("dpd"),
        "force_encap": call.flag("forceencap"),
        "split_connections": call.flag("splitconnections"),
    }


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
    asked = far_end(call, " ")
    check_far_end(cloud, owner, asked, None)
    gateway = cloud.store.add(CustomerGateway(account=owner, ike_version=call.get("ikeversion", "ike"), **asked))
    try:
        yield gateway
    except ApiError:
        cloud.store.remove(gateway)
        raise
    return gateway


@family.command("updateVpnCustomerGateway")
def update_customer_gateway(call: Call) -> Answer:
    gateway = call.one(CustomerGateway)
    check_access(call.cloud, call.account, gateway)
    asked = far_end(call, "")
    check_far_end(call.cloud, gateway.account, asked, gateway)
    for name, value in asked.items():
        setattr(gateway, name, value)
    gateway.ike_version = call.get("ikeversion", gateway.ike_version)
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
        return f'Site2SiteCustomerGateway {{"id":{gateway.number},"name":"{gateway.name}","uuid":"{gateway.id}"}}'
    return f'Site2SiteVpnGateway {{"id":{gateway.number},"uuid":"{gateway.id}"}}'


family.listing("listVpnCustomerGateways", CustomerGateway, scope=Scope.OWNER, newest_first=True)


# Site to site: gateways of VPCs


@family.view(VpnGateway)
def vpn_gateway_view(gateway: VpnGateway, _call: Call) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "publicip": gateway.ip.address,
        "vpcid": gateway.vpc.id,
        "vpcname": gateway.vpc.name,
        "fordisplay": gateway.display,
        **owner_fields(gateway.account),
    }


@family.command("createVpnGateway")
def create_vpn_gateway(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpc = call.cloud, call.params["vpcid"]
    if not isinstance(vpc, Vpc) or vpc not in cloud.store:
        raise InvalidParameterValue(f"Invalid VPC {getattr(vpc, 'number', vpc)} for site to site vpn gateway creation!")
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
    gateway = usable(call, VpnGateway, "id")
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
    filters={"fordisplay": lambda gateway, wanted, call: gateway.display is wanted},
)


# Site to site: connections


@family.view(VpnConnection)
def vpn_connection_view(connection: VpnConnection, _call: Call) -> dict[str, Any]:
    return {
        "id": connection.id,
        "s2svpngatewayid": connection.gateway.id,
        "publicip": connection.gateway.ip.address,
        "s2scustomergatewayid": connection.customer.id,
        **far_end_fields(connection.customer),
        **owner_fields(connection.account),
        "passive": connection.passive,
        "state": connection.state,
        "created": when(connection.created),
        "fordisplay": connection.display,
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
    connect(connection)
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
        for cidr in customer.cidr_list:
            for taken in other.customer.cidr_list:
                if ipv4.cidrs_overlap(cidr, taken):
                    raise InvalidParameterValue(
                        f"The new connection's remote subnet {cidr} is overlapped with existed VPN connection to customer "
                        f"gateway {other.customer.name}'s subnet {taken}"
                    )


def connect(connection: VpnConnection) -> None:
    """Have the router begin to connect; who is passive waits for the other side."""
    connection.state = "Disconnected" if connection.passive else "Connecting"


def named_connection(call: Call) -> VpnConnection:
    connection = call.one(VpnConnection)
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
    connection = named_connection(call)
    connect(connection)
    return connection


@family.command("deleteVpnConnection")
def delete_vpn_connection(call: Call) -> Answer:
    call.cloud.store.remove(named_connection(call))
    return Success()


family.listing(
    "listVpnConnections",
    VpnConnection,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=(),
    filters={
        "vpcid": lambda connection, vpc, call: connection.gateway.vpc is vpc,
        "fordisplay": lambda connection, wanted, call: connection.display is wanted,
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
