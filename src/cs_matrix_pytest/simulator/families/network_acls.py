"""Network ACL lists and their rules: which packets go in and out of a tier (NetworkACLServiceImpl)."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families import public_ips
from cs_matrix_pytest.simulator.families.firewall import is_any_cidr
from cs_matrix_pytest.simulator.families.nics import describe as describe_network
from cs_matrix_pytest.simulator.families.vpcs import describe_acl
from cs_matrix_pytest.simulator.models.networks import AclList, AclRule, Network, Vpc
from cs_matrix_pytest.simulator.models.vpc import PrivateGateway
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("network ACLs")

DEFAULTS = {
    "default_deny": ("Default Network ACL Deny All", "Deny"),
    "default_allow": ("Default Network ACL Allow All", "Allow"),
}
"""The lists of a fresh install, in the order of their numbers: description, and what they do with every packet."""
EVERYWHERE = ["0.0.0.0/0", "::/0"]
PROTOCOLS = "tcp,udp,icmp,all"
TRAFFIC_TYPES = {"ingress": "Ingress", "egress": "Egress"}
MAX_PORT = 65535
MAX_ICMP_TYPE, MAX_ICMP_CODE = 255, 16
ANY_ICMP = -1
"""The type and code of ICMP rules that name none."""


@family.on_fresh_install
def default_lists(cloud: Cloud, _fresh: Mapping[str, Any]) -> None:
    for name, (description, action) in DEFAULTS.items():
        acl = cloud.store.add(AclList(name=name, description=description))
        for position, traffic_type in enumerate(("Ingress", "Egress"), 1):
            cloud.store.add(
                AclRule(
                    acl=acl,
                    position=position,
                    protocol="all",
                    cidr_list=["0.0.0.0/0"],
                    action=action,
                    traffic_type=traffic_type,
                )
            )


def default_deny(cloud: Cloud) -> AclList:
    """The list that lets nothing through."""
    found = cloud.store.table(AclList).first(name="default_deny", vpc=None)
    assert found is not None
    return found


def is_default(acl: AclList) -> bool:
    """True for the two lists of a fresh install, which cannot be changed."""
    return acl.number <= len(DEFAULTS)


def rules_of(cloud: Cloud, acl: AclList) -> list[AclRule]:
    """The rules of a list in the order that they are tried."""
    return sorted(cloud.store.table(AclRule).where(acl=acl), key=lambda rule: rule.position)


@family.access_check(AclList)
def check_list(cloud: Cloud, account: Any, acl: AclList, access: str | None) -> None:
    """By the VPC; a list of everybody's is for everybody."""
    if acl.vpc is not None:
        check_access(cloud, account, acl.vpc, access)


@family.access_check(AclRule)
def check_rule(cloud: Cloud, account: Any, rule: AclRule, access: str | None) -> None:
    check_list(cloud, account, rule.acl, access)


@family.view(AclList)
def acl_list_view(acl: AclList, call: Call) -> dict[str, Any]:
    return {
        "id": acl.id,
        "name": acl.name,
        "description": acl.description,
        "vpcid": acl.vpc.id if acl.vpc else None,
        "vpcname": acl.vpc.name if acl.vpc else None,
        "fordisplay": acl.display if call.is_root_admin else None,
    }


@family.view(AclRule)
def acl_rule_view(rule: AclRule, call: Call) -> dict[str, Any]:
    return {
        "id": rule.id,
        "protocol": rule.protocol,
        "startport": None if rule.start_port is None else str(rule.start_port),
        "endport": None if rule.end_port is None else str(rule.end_port),
        "traffictype": rule.traffic_type,
        "state": rule.state,
        "cidrlist": comma(rule.cidr_list),
        "icmptype": rule.icmp_type,
        "icmpcode": rule.icmp_code,
        "tags": tag_fields(rule),
        "aclid": rule.acl.id,
        "aclname": rule.acl.name,
        "number": rule.position,
        "action": rule.action,
        "fordisplay": rule.display if call.is_root_admin else None,
        "reason": rule.reason,
    }


# Lists


@family.command("createNetworkACLList")
def create_list(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpc = call.cloud, call.maybe(Vpc, "vpcid", missing="Invalid VPC ID [{}] provided.")
    if vpc is not None:
        check_access(cloud, call.account, vpc)
    elif not call.is_root_admin:
        raise PermissionDenied("Only Root Admin can create global ACLs.")
    acl = cloud.store.add(
        AclList(name=call["name"], description=call.get("description"), vpc=vpc, display=call.flag("fordisplay", True))
    )
    try:
        yield acl
    except ApiError:
        cloud.store.remove(acl)
        raise
    return acl


def check_may_change(call: Call, acl: AclList, refusal: str) -> None:
    """Raise unless the caller may change a list: root admins everybody's, others those of their VPCs."""
    if acl.vpc is not None:
        check_access(call.cloud, call.account, acl.vpc)
    elif not call.is_root_admin:
        raise PermissionDenied(refusal)


@family.command("updateNetworkACLList")
def update_list(call: Call) -> Answer:
    acl = call.one(AclList)
    check_may_change(call, acl, "Must be Root Admin to update a global ACL.")
    acl.name = call.get("name") or acl.name
    acl.description = call.get("description") or acl.description
    acl.display = call.flag("fordisplay", acl.display)
    public_ips.rename(call, acl)
    # The command declares no more than success as its answer, which is the list.
    return {"networkacllist": {name: value for name, value in acl_list_view(acl, call).items() if value is not None}}


@family.command("deleteNetworkACLList")
def delete_list(call: Call) -> Answer:
    acl, cloud = named_list(call, "id", "Unable to find specified ACL"), call.cloud
    if is_default(acl):
        raise InvalidParameterValue("Default ACL cannot be removed")
    check_may_change(call, acl, "Only Root Admin can delete global ACLs.")
    for used, what in (
        (len(cloud.store.table(Network).where(acl_list=acl)), "tier(s)"),
        (len(cloud.store.table(PrivateGateway).where(acl=acl)), "private gateway(s)"),
    ):
        if used:
            raise InternalError(f"ACL is still associated with {used} {what}. Cannot delete network ACL: {acl.id}")
    remove(cloud, acl)
    return Success()


def named_list(call: Call, name: str, refusal: str) -> AclList:
    acl = call.params.get(name)
    if not isinstance(acl, AclList) or acl not in call.cloud.store:
        raise InvalidParameterValue(refusal)
    return acl


def remove(cloud: Cloud, acl: AclList) -> None:
    """Remove a list with its rules."""
    for rule in rules_of(cloud, acl):
        cloud.store.remove(rule)
    cloud.store.remove(acl)


def remove_of_vpc(cloud: Cloud, vpc: Vpc) -> None:
    for acl in cloud.store.table(AclList).where(vpc=vpc):
        remove(cloud, acl)


def visible_lists(call: Call) -> list[AclList]:
    """The lists that a request may see: of one VPC, or of the VPCs in its scope; and everybody's."""
    vpc, rows = call.maybe(Vpc, "vpcid"), call.cloud.store.table(AclList)
    if "vpcid" in call:
        if vpc is None:
            raise InvalidParameterValue("Unable to find VPC")
        check_access(call.cloud, call.account, vpc)
        return [acl for acl in rows if acl.vpc in (None, vpc)]
    scope = scoping(call)
    return [acl for acl in rows if acl.vpc is None or scope.admits(acl.vpc.account)]


family.listing(
    "listNetworkACLLists",
    AclList,
    rows=visible_lists,
    newest_first=True,
    keyword=("name", "description"),
    filters={
        "vpcid": lambda acl, vpc, call: True,
        "networkid": lambda acl, network, call: getattr(network, "acl_list", None) is acl,
    },
)


@family.command("replaceNetworkACLList")
def replace_list(call: Call) -> Answer:
    if ("networkid" in call) == ("gatewayid" in call):
        when = "passed" if "networkid" in call else "null"
        raise InternalError(f"Network ID and private gateway can't be {when} at the same time", cs_code=9999)
    gateway = call.maybe(PrivateGateway, "gatewayid", missing="Unable to find specified private gateway")
    if gateway is not None:
        replace_on_gateway(call, gateway)
        return Success()
    network = call.get("networkid")
    if not isinstance(network, Network) or network not in call.cloud.store:
        raise InvalidParameterValue("Unable to find specified Network")
    acl = named_list(call, "aclid", "Unable to find specified NetworkACL")
    if network.vpc is None:
        raise InvalidParameterValue(f"Network is not part of a VPC: {network.id}")
    if acl.vpc is not None:
        check_access(call.cloud, call.account, acl.vpc)
        if acl.vpc is not network.vpc:
            raise InvalidParameterValue(
                f"Network: {describe_network(network)} and ACL: {describe_acl(acl)} do not belong to the same VPC"
            )
    check_supports_acl(network, "Cannot apply NetworkACL. Network Offering does not support NetworkACL service")
    network.acl_list = acl
    return Success()


def replace_on_gateway(call: Call, gateway: PrivateGateway) -> None:
    from cs_matrix_pytest.simulator.families.private_gateways import describe as describe_gateway

    if gateway.state != "Ready":
        raise InvalidParameterValue("Gateway is not in Ready state")
    acl = named_list(call, "aclid", "Unable to find specified NetworkACL")
    if not is_default(acl):
        if acl.vpc is None:
            raise InvalidParameterValue("Unable to find Vpc associated with the NetworkACL")
        check_access(call.cloud, call.account, acl.vpc)
        if acl.vpc is not gateway.vpc:
            raise InvalidParameterValue(
                f"private gateway: {describe_gateway(gateway)} and ACL: {describe_acl(acl)} "
                "do not belong to the same VPC"
            )
    check_access(call.cloud, call.account, gateway)
    gateway.acl = acl


def check_supports_acl(network: Network, refusal: str) -> None:
    if not network.supports("NetworkACL"):
        raise InvalidParameterValue(refusal)


# Rules


@family.command("createNetworkACL")
def create_rule(call: Call) -> Generator[Resource, None, Answer]:
    rule = call.cloud.store.add(asked_for(call, list_for_rule(call)))
    try:
        yield rule
    except ApiError:
        call.cloud.store.remove(rule)
        raise
    rule.state = "Active"
    return rule


def list_for_rule(call: Call) -> AclList:
    """The list that a new rule goes to: named, or the network's; a network without one gets its own."""
    if "aclid" in call:
        acl = named_list(call, "aclid", "Unable to find specified ACL.")
    else:
        network = named_network(call, "getVpcId")
        if network is None:
            raise InvalidParameterValue("Cannot create Network ACL Item. ACL Id or network Id is required")
        acl = list_of_network(call, network)
    check_changeable(call, acl)
    if acl.vpc is None and not call.is_root_admin:
        raise PermissionDenied("Only Root Admins can create rules for a global ACL.")
    return acl


def named_network(call: Call, method: str) -> Network | None:
    """The network that a request names, if it does; ``method`` is what the server asks even a removed one for."""
    network = call.params.get("networkid")
    if network is None or (isinstance(network, Network) and network in call.cloud.store):
        return network
    raise InternalError(f'Cannot invoke "com.cloud.network.Network.{method}()" because "network" is null', cs_code=9999)


def list_of_network(call: Call, network: Network) -> AclList:
    check_access(call.cloud, call.account, network)
    vpc = network.vpc
    if vpc is None:
        raise InvalidParameterValue(f"Network: {network.id} does not belong to VPC")
    if network.acl_list is None:
        check_supports_acl(network, "Network Offering does not support NetworkACL service")
        name = f"VPC_{vpc.name}_Tier_{network.name}_ACL_{network.id}"
        network.acl_list = call.cloud.store.add(
            AclList(name=name, description=f"ACL for {name}", vpc=vpc, display=call.flag("fordisplay", True))
        )
    return network.acl_list


def check_changeable(call: Call, acl: AclList) -> None:
    if is_default(acl):
        raise InvalidParameterValue("Default ACL cannot be modified")
    if acl.vpc is not None:
        check_access(call.cloud, call.account, acl.vpc)


def asked_for(call: Call, acl: AclList) -> AclRule:
    """The rule that a request describes."""
    cloud, position = call.cloud, call.get("number")
    if position is not None:
        if position < 1:
            raise InvalidParameterValue(f"Invalid number [{position}]. Number cannot be < 1")
        check_position_free(cloud, acl, position)
    else:
        position = max((rule.position for rule in rules_of(cloud, acl)), default=0) + 1
    start, protocol = call.get("startport"), protocol_of(call["protocol"])
    any_icmp = ANY_ICMP if protocol.lower() == "icmp" else None
    rule = AclRule(
        acl=acl,
        position=position,
        protocol=protocol,
        cidr_list=call.get("cidrlist", list(EVERYWHERE)),
        action=action_of(call.get("action")),
        traffic_type=traffic_type_of(call.get("traffictype")),
        start_port=start,
        end_port=call.get("endport", start),
        icmp_type=call.get("icmptype", any_icmp),
        icmp_code=call.get("icmpcode", any_icmp),
        reason=call.get("reason"),
        display=call.flag("fordisplay", True),
        state="Add",
    )
    check_item(rule)
    return rule


def check_position_free(cloud: Cloud, acl: AclList, position: int, but: AclRule | None = None) -> None:
    if any(rule.position == position and rule is not but for rule in rules_of(cloud, acl)):
        raise InvalidParameterValue(f"ACL item with number {position} already exists in ACL: {acl.id}")


def protocol_of(text: str) -> str:
    """A protocol as it is kept: ICMP by name, since it goes with a type and a code."""
    protocol = text.strip()
    return "icmp" if protocol.isdecimal() and int(protocol) == 1 else protocol


def action_of(text: str | None) -> str:
    if text is not None and text.lower() not in ("allow", "deny"):
        raise InvalidParameterValue(f"Invalid action [{text}]. Permitted actions are Allow and Deny")
    return "Deny" if (text or "").lower() == "deny" else "Allow"


def traffic_type_of(text: str | None) -> str:
    found = TRAFFIC_TYPES.get("ingress" if text is None else text.lower())
    if found is None:
        raise InvalidParameterValue(f"Invalid traffic type {text}")
    return found


def check_item(rule: AclRule) -> None:
    """Raise where ports, CIDRs and protocol do not go together (validateNetworkACLItem)."""
    start, end = rule.start_port, rule.end_port
    if start is not None or end is not None:
        for port, which in ((start, "Start"), (end, "End")):
            if port is None or not 0 <= port <= MAX_PORT:
                shown = "null" if port is None else port
                raise InvalidParameterValue(f"{which} public port is an invalid value: {shown}")
        if start is not None and end is not None and start > end:
            raise InvalidParameterValue(f"Start port can't be bigger than end port [startport={start},endport={end}]")
        if rule.protocol.lower() == "all":
            raise InvalidParameterValue("start port and end port must be null if protocol = 'all'")
    for cidr in rule.cidr_list:
        if not is_any_cidr(cidr):
            raise ParameterError(f"Source cidrs formatting error {cidr}")
    check_protocol(rule)


def check_protocol(rule: AclRule) -> None:
    protocol = rule.protocol
    if protocol.isdecimal():
        if int(protocol) > 255:
            raise InvalidParameterValue(f"Invalid protocol number: {int(protocol)}")
    elif protocol.lower() not in PROTOCOLS:
        raise InvalidParameterValue(f"Invalid protocol [{protocol}]. Expected one of: [{PROTOCOLS}]")
    icmp = protocol.lower() in ("icmp", "1")
    if not icmp and (rule.icmp_code is not None or rule.icmp_type is not None):
        raise InvalidParameterValue("Can specify icmpCode and icmpType for ICMP protocol only")
    if icmp and (rule.start_port is not None or rule.end_port is not None):
        raise InvalidParameterValue("Can't specify start/end port when protocol is ICMP")
    if rule.icmp_type is None:
        return
    if not -1 <= rule.icmp_type <= MAX_ICMP_TYPE:
        raise InvalidParameterValue(f"Invalid icmp type [{rule.icmp_type}]. It should belong to [0-255] range")
    if rule.icmp_code is not None and not -1 <= rule.icmp_code <= MAX_ICMP_CODE:
        raise InvalidParameterValue(
            f"Invalid icmp code [{rule.icmp_code}]. It should belong to [0-16] range and can be defined when icmpType "
            "belongs to [0-40] range"
        )


@family.command("importNetworkACL")
def import_rules(call: Call) -> Answer:
    """Rules from a map; those that are wrong are left out, unless all are."""
    acl = call.one(AclList, "aclid", missing="Unable to find Network ACL with provided ACL ID", error=ParameterError)
    made = []
    for given in call.entries("rules"):
        # The server cannot read its own default for the type of traffic.
        if not given.get("protocol", "").strip() or "traffictype" not in given:
            continue
        try:
            check_changeable(call, acl)
            made.append(call.cloud.store.add(asked_for(imported(call, given), acl)))
        except (ApiError, ValueError):
            continue
    if not made:
        raise InternalError("Failed to import any ACL rules.")
    shown = [imported_view(rule, call) for rule in made]
    for rule in made:
        rule.state = "Active"
    # A list has no name as a job's result.
    return {"null": {"responses": shown}}


def imported_view(rule: AclRule, call: Call) -> dict[str, Any]:
    """An imported rule as the job's result shows it: before it is applied, and its numbers as the server's JSON reader
    reads numbers of a type that it does not know."""
    shown = acl_rule_view(rule, call) | {"fordisplay": rule.display}
    for name in ("number", "icmptype", "icmpcode"):
        if shown[name] is not None:
            shown[name] = float(shown[name])
    return {name: value for name, value in shown.items() if value is not None}


def imported(call: Call, given: Mapping[str, str]) -> Call:
    """An imported rule as if a request had asked for it."""
    params: dict[str, Any] = {"action": "deny", **given}
    params["protocol"] = given["protocol"].lower()
    if "cidrlist" in given:
        params["cidrlist"] = [cidr.strip() for cidr in given["cidrlist"].split(",")]
    if "fordisplay" in given:
        params["fordisplay"] = given["fordisplay"].lower() == "true"
    for name in ("startport", "endport", "number", "icmptype", "icmpcode"):
        if name in given:
            params[name] = int(given[name])
    return Call(call.cloud, call.command, call.caller, params)


@family.command("updateNetworkACLItem")
def update_rule(call: Call) -> Answer:
    rule, cloud = call.params["id"], call.cloud
    if not isinstance(rule, AclRule) or rule not in cloud.store:
        raise InvalidParameterValue(f"Unable to find ACL rule with ID [{getattr(rule, 'number', rule)}]")
    check_changeable(call, rule.acl)
    check_may_change(call, rule.acl, "Only Root Admins can update global ACLs.")
    changes = changed(call, rule)
    check_item(AclRule(acl=rule.acl, **changes))
    for name, value in changes.items():
        setattr(rule, name, value)
    public_ips.rename(call, rule)
    # The answer is the rule as it was before the routers applied it.
    return {"networkacl": cloud.view(rule, call) | {"state": "Add"}}


def changed(call: Call, rule: AclRule) -> dict[str, Any]:
    """The attributes of a rule after an update: those not named stay, unless the upgrade is to be whole."""
    if "number" in call:
        check_position_free(call.cloud, rule.acl, call["number"], but=rule)
    partial = call.flag("partialupgrade", True)
    asked: dict[str, Any] = {
        "protocol": call.get("protocol", "").strip() or None,
        "cidr_list": call.get("cidrlist") or None,
        "start_port": call.get("startport"),
        "end_port": call.get("endport"),
        "icmp_type": call.get("icmptype"),
        "icmp_code": call.get("icmpcode"),
        "action": action_of(call.get("action")) if call.get("action") or not partial else None,
        "traffic_type": TRAFFIC_TYPES.get(call.get("traffictype", "").lower()),
        "reason": call.get("reason") or None,
    }
    kept = tuple(asked) if partial else ("protocol", "cidr_list", "traffic_type")
    changes = {name: getattr(rule, name) if value is None and name in kept else value for name, value in asked.items()}
    if not partial:
        is_icmp = changes["protocol"].lower() == "icmp"
        for name in ("icmp_type", "icmp_code"):
            changes[name] = (ANY_ICMP if changes[name] is None else changes[name]) if is_icmp else None
    return {**changes, "position": call.get("number", rule.position), "display": call.flag("fordisplay", True)}


@family.command("deleteNetworkACL")
def delete_rule(call: Call) -> Answer:
    rule = call.one(AclRule)
    if is_default(rule.acl):
        raise InvalidParameterValue("ACL Items in default ACL cannot be deleted")
    check_may_change(call, rule.acl, "Only Root Admin can delete global ACL rules.")
    call.cloud.store.remove(rule)
    return Success()


# Order


@family.command("moveNetworkAclItem")
def move_rule(call: Call) -> Answer:
    table, previous_id, next_id = (
        call.cloud.store.table(AclRule),
        call.get("previousaclruleid"),
        call.get("nextaclruleid"),
    )
    if not previous_id and not next_id:
        raise InvalidParameterValue("Both previous and next ACL rule IDs cannot be blank.")
    rule = table.get(call["id"])
    if rule is None:
        raise InvalidParameterValue(f"Could not find a rule with ID[{call['id']}]")
    previous, following = neighbour(call, previous_id), neighbour(call, next_id)
    if any(each is not None and each.acl is not rule.acl for each in (previous, following)):
        raise InvalidParameterValue("Cannot use ACL rules from differentiating ACLs. Rule being moved.")
    if is_default(rule.acl):
        raise InvalidParameterValue("Default ACL rules cannot be moved.")
    check_may_change(call, rule.acl, "Must be Root Admin to move global ACL rules.")
    ordered = rules_of(call.cloud, rule.acl)
    check_consistency(call, ordered)
    if previous is None:
        shift_to(rule, 1, ordered)
    elif following is None:
        rule.position = ordered[-1].position + 1
    else:
        place_between(rule, previous, following, ordered)
    public_ips.rename(call, rule)
    return rule


def neighbour(call: Call, id: str | None) -> AclRule | None:
    if not id:
        return None
    found = call.cloud.store.table(AclRule).get(id)
    if found is None:
        raise InvalidParameterValue(f"Could not find rule with ID [{id}]")
    return found


def check_consistency(call: Call, ordered: list[AclRule]) -> None:
    """Raise InvalidParameterValue where the list is not as the caller last saw it."""
    expected = call.get("aclconsistencyhash")
    if expected and hashlib.md5("".join(rule.id for rule in ordered).encode()).hexdigest() != expected:
        raise InvalidParameterValue(
            "It seems that the access control list in the database is not in the state that you used to apply the "
            "changed. Could you try it again?"
        )


def place_between(rule: AclRule, previous: AclRule, following: AclRule, ordered: list[AclRule]) -> None:
    wanted = previous.position + 1
    if wanted != following.position:
        if any(other.position == wanted for other in ordered):
            raise InvalidParameterValue(
                "There are some inconsistencies with the data you sent. The new position calculated already has a ACL "
                "rule on it."
            )
        rule.position = wanted
        return
    shift_to(rule, wanted, ordered[ordered.index(previous) + 1 :])


def shift_to(rule: AclRule, position: int, later: Iterable[AclRule]) -> None:
    """Give a rule a position; the rules that are in the way move down one each."""
    rule.position = position
    taken = position
    for other in later:
        if other is rule:
            continue
        if other.position != taken:
            break
        taken += 1
        other.position = taken


# listNetworkACLs


def visible_rules(call: Call) -> list[AclRule]:
    """The rules that a request may see: of one list or network, or of the VPCs in its scope."""
    cloud, rows = call.cloud, call.cloud.store.table(AclRule)
    network, acl = named_network(call, "getNetworkACLId"), call.maybe(AclList, "aclid")
    if network is not None:
        check_access(cloud, call.account, network)
        acl = network.acl_list
        if acl is None:
            return []
    if acl is not None:
        if acl.vpc is not None:
            check_access(cloud, call.account, acl.vpc)
        return rows.where(acl=acl)
    scope = scoping(call)
    return [rule for rule in rows if rule.acl.vpc is None or scope.admits(rule.acl.vpc.account)]


family.listing(
    "listNetworkACLs",
    AclRule,
    rows=visible_rules,
    newest_first=True,
    keyword=("protocol", "reason"),
    filters={
        "networkid": lambda rule, network, call: True,
        "aclid": lambda rule, acl, call: True,
        "fordisplay": lambda rule, wanted, call: True,
    },
)
