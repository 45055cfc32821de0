"""Security groups and their rules (SecurityGroupManagerImpl)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import active_account, check_access, named_account, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.firewall import is_any_cidr
from cs_matrix_pytest.simulator.families.public_ips import check_custom_id, check_may_customize
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.networks import SecurityGroup, SecurityGroupRule
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Scope, Success
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("security groups")

DEFAULT_NAME = "default"
DEFAULT_DESCRIPTION = "Default Security Group"
PROTOCOLS = ("tcp", "udp", "icmp", "all")
ICMP_NUMBER = "1"


def default_group(cloud: Cloud, account: Account) -> SecurityGroup:
    """The group that every account has; its VMs are in it unless they name others."""
    found = cloud.store.table(SecurityGroup).first(account=account, name=DEFAULT_NAME)
    return found or cloud.store.add(SecurityGroup(account=account, name=DEFAULT_NAME, description=DEFAULT_DESCRIPTION))


def members(cloud: Cloud, group: SecurityGroup) -> list[UserVm]:
    """The VMs in a group."""
    return cloud.store.table(UserVm).having("security_groups", group)


def rule_fields(rule: SecurityGroupRule) -> dict[str, Any]:
    first, last = ("icmptype", "icmpcode") if rule.protocol == "icmp" else ("startport", "endport")
    shown: dict[str, Any] = {
        "ruleid": rule.id,
        "protocol": rule.protocol,
        first: rule.start_port,
        last: rule.end_port,
        "tags": tag_fields(rule),
    }
    if rule.allowed_group is not None:
        shown |= {"securitygroupname": rule.allowed_group.name, "account": rule.allowed_group.account.name}
    else:
        shown["cidr"] = rule.cidr
    return {name: value for name, value in shown.items() if value is not None}


@family.view(SecurityGroup)
def security_group_view(group: SecurityGroup, call: Call) -> dict[str, Any]:
    rules = call.cloud.store.table(SecurityGroupRule).where(group=group)
    vms = members(call.cloud, group)
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        **owner_fields(group.account),
        "ingressrule": [rule_fields(rule) for rule in rules if not rule.egress],
        "egressrule": [rule_fields(rule) for rule in rules if rule.egress],
        "tags": tag_fields(group),
        "virtualmachinecount": len(vms),
        "virtualmachineids": [vm.id for vm in vms],
    }


@family.view(SecurityGroupRule)
def security_group_rule_view(rule: SecurityGroupRule, call: Call) -> dict[str, Any]:
    return rule_fields(rule)


@family.access_check(SecurityGroupRule)
def check_rule(cloud: Cloud, account: Account, rule: SecurityGroupRule, access: str | None) -> None:
    check_access(cloud, account, rule.group, access)


def _named(cloud: Cloud, owner: Account, name: str) -> SecurityGroup | None:
    """An account's group of this name, in whatever case."""
    return cloud.store.table(SecurityGroup).first(lambda group: group.name.lower() == name.lower(), account=owner)


@family.command("createSecurityGroup")
def create_security_group(call: Call) -> Answer:
    owner, name = owner_of_new(call), call["name"]
    default_group(call.cloud, owner)
    if _named(call.cloud, owner, name) is not None:
        raise InvalidParameterValue(f"Unable to create security group, a group with name {name} already exists.")
    return call.cloud.store.add(SecurityGroup(account=owner, name=name, description=call.get("description")))


@family.command("updateSecurityGroup")
def update_security_group(call: Call) -> Answer:
    group, name = call.one(SecurityGroup), call.get("name")
    if "customid" in call:
        # It is looked at, but no group is given it.
        check_may_customize(call)
        check_custom_id(call.cloud, SecurityGroup, call["customid"])
    check_access(call.cloud, call.account, group)
    if name is None or name == group.name:
        return group
    if not name.strip():
        raise InvalidParameterValue("Security group name cannot be empty")
    if name.lower() == DEFAULT_NAME:
        raise InvalidParameterValue(f"The security group name {DEFAULT_NAME} is reserved")
    if group.name.lower() == DEFAULT_NAME:
        raise InvalidParameterValue("The default security group cannot be renamed")
    group.name = name
    return group


@family.command("deleteSecurityGroup")
def delete_security_group(call: Call) -> Answer:
    group, cloud = _doomed(call), call.cloud
    check_access(cloud, call.account, group)
    if group.name.lower() == DEFAULT_NAME:
        raise InvalidParameterValue("The network group default is reserved")
    rules = cloud.store.table(SecurityGroupRule)
    if rules.first(allowed_group=group):
        raise ApiError("Cannot delete group when there are security rules that allow this group", code=536)
    if members(cloud, group):
        raise ApiError("Cannot delete group when it's in use by virtual machines", code=536)
    for rule in rules.where(group=group):
        cloud.store.remove(rule)
    cloud.store.remove(group)
    return Success()


def _owner(call: Call) -> Account:
    """Whose group a request names."""
    owner = named_account(call) or call.account
    default_group(call.cloud, owner)
    return owner


def _doomed(call: Call) -> SecurityGroup:
    """The group to delete, by id, or by name and owner (DeleteSecurityGroupCmd.getId)."""
    if "id" in call and "name" in call:
        raise InvalidParameterValue("name and id parameters are mutually exclusive")
    if "id" in call:
        return call.one(SecurityGroup, missing="Unable to find network group: {}; failed to delete group.")
    if "name" not in call:
        raise InvalidParameterValue("Either id or name parameter is required by deleteSecurityGroup command")
    owner = _owner(call)
    found = _named(call.cloud, owner, call["name"])
    if found is None:
        raise InvalidParameterValue(
            f"Unable to find security group by name {call['name']} for the account id={owner.number}"
        )
    return found


@family.before("authorizeSecurityGroupIngress", "authorizeSecurityGroupEgress")
def group_of_rule(call: Call) -> SecurityGroup:
    """The group that a rule is for, by id, or by name and owner (AuthorizeSecurityGroupIngressCmd.getSecurityGroupId)."""
    owner = _owner(call)
    by_id, name = "securitygroupid" in call, call.get("securitygroupname")
    if by_id and name is not None:
        raise InvalidParameterValue("securityGroupId and securityGroupName parameters are mutually exclusive")
    if by_id:
        return call.one(SecurityGroup, "securitygroupid", missing="Unable to find security group by id {}")
    if name is None:
        # The command for egress says the same.
        raise InvalidParameterValue(
            "Either securityGroupId or securityGroupName is required by authorizeSecurityGroupIngress command"
        )
    found = _named(call.cloud, owner, name)
    if found is None:
        raise InvalidParameterValue(f"Unable to find security group {name} for account id={owner.number}")
    return found


def visible(call: Call) -> Iterable[SecurityGroup]:
    """Groups, with the default ones of every account that the request is about."""
    scope = scoping(call)
    for account in call.cloud.store.table(Account):
        if scope.admits(account) and account is not call.cloud.system_account:
            default_group(call.cloud, account)
    return call.cloud.store.table(SecurityGroup)


SPEC = ListSpec(
    SecurityGroup,
    scope=Scope.OWNER,
    rows=visible,
    filters={"securitygroupname": lambda group, name, _call: group.name.lower() == name.lower()},
    keyword=("name", "description"),
)


@family.command("listSecurityGroups")
def list_security_groups(call: Call) -> Answer:
    vm = call.maybe(
        UserVm,
        "virtualmachineid",
        missing="Unable to list network groups for virtual machine instance {}; instance not found.",
    )
    if vm is None:
        return listing.run(call, SPEC)
    # Nothing else of the request counts then.
    check_access(call.cloud, call.account, vm)
    return listing.page(call, list(vm.security_groups))


@family.command("authorizeSecurityGroupIngress", "authorizeSecurityGroupEgress")
def authorize(call: Call) -> Answer:
    egress = call.command.name.endswith("Egress")
    group, cloud = group_of_rule(call), call.cloud
    cidrs, groups = call.get("cidrlist"), call.entries("usersecuritygrouplist")
    if cidrs is None and not groups:
        raise InvalidParameterValue("At least one cidr or at least one security group needs to be specified")
    check_access(cloud, call.account, group)
    for cidr in cidrs or ():
        if not is_any_cidr(cidr):
            raise InvalidParameterValue(f"Invalid cidr {cidr}")
    protocol, first, last = protocol_and_ports(call)
    allowed = [authorized_group(call, group, entry, f"{protocol}:{first}:{last}") for entry in groups]
    sources: list[tuple[str | None, SecurityGroup | None]] = [
        (None, each) for each in sorted(dict.fromkeys(allowed), key=lambda each: each.number)
    ]
    sources += [(cidr, None) for cidr in cidrs or ()]
    rules, new = cloud.store.table(SecurityGroupRule), []
    for source, other in sources:
        # The oldest such rule is looked at, whichever way it leads.
        there = rules.first(
            group=group,
            protocol=protocol,
            start_port=first,
            end_port=last,
            cidr=source,
            allowed_group=other,
        )
        if there is None or there.egress is not egress:
            new.append(
                cloud.store.add(
                    SecurityGroupRule(
                        group=group,
                        egress=egress,
                        protocol=protocol,
                        start_port=first,
                        end_port=last,
                        cidr=source,
                        allowed_group=other,
                    )
                )
            )
    if not new:
        raise ApiError(f"Failed to authorize security group {'egress' if egress else 'ingress'} rule(s)")
    shown = {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        **owner_fields(group.account),
        "ingressrule": [],
        "egressrule": [],
        "tags": [],
        "virtualmachineids": [],
    }
    shown["egressrule" if egress else "ingressrule"] = [rule_fields(rule) for rule in new]
    return {"securitygroup": {name: value for name, value in shown.items() if value is not None}}


def protocol_and_ports(call: Call) -> tuple[str, int | None, int | None]:
    """The protocol of a rule, and its ports (or its ICMP type and code)."""
    protocol = call.get("protocol", "all").strip().lower()
    start, end = call.get("startport"), call.get("endport")
    icmp_type, icmp_code = call.get("icmptype"), call.get("icmpcode")
    if protocol == ICMP_NUMBER:
        protocol = "icmp"
        icmp_type = -1 if icmp_type is None else icmp_type
        icmp_code = -1 if icmp_code is None else icmp_code
    elif protocol.isdecimal() and int(protocol) > 255:
        raise InvalidParameterValue(f"Invalid protocol number: {protocol}")
    elif not protocol.isdecimal() and protocol not in PROTOCOLS:
        raise InvalidParameterValue(f"Invalid protocol {protocol}")
    if protocol == "icmp":
        check_icmp(icmp_type, icmp_code)
        return protocol, icmp_type, icmp_code
    if protocol == "all":
        if start is not None or end is not None:
            raise InvalidParameterValue("Cannot specify startPort or endPort without specifying protocol")
        return protocol, 0, 0
    if protocol not in ("tcp", "udp"):
        return protocol, 0, 0
    if start is None or end is None:
        shown = ["null" if port is None else port for port in (start, end)]
        raise InvalidParameterValue(f"Invalid port range specified, startPort = {shown[0]}, endPort = {shown[1]}")
    if start == end == 0:
        end = 65535
    if start > end:
        raise InvalidParameterValue(f"Invalid port range {start}:{end}")
    if not (-1 <= start <= 65535 and -1 <= end <= 65535):
        raise InvalidParameterValue(f"Invalid port numbers {start}:{end}")
    if start < 0 or end < 0:
        raise InvalidParameterValue(f"Invalid port range {start}:{end}")
    return protocol, start, end


def check_icmp(icmp_type: int | None, icmp_code: int | None) -> None:
    """NetUtils.validateIcmpTypeAndCode."""
    if icmp_type is None or icmp_code is None:
        shown = ["null" if number is None else number for number in (icmp_type, icmp_code)]
        raise InternalError(f"Invalid ICMP type/code specified, icmpType = {shown[0]}, icmpCode = {shown[1]}")
    if icmp_type == -1 and icmp_code != -1:
        raise InternalError("Invalid icmp code")
    if icmp_type != -1 and icmp_code == -1:
        raise InternalError("Invalid icmp code: need non-negative icmp code ")
    if icmp_code > 255 or icmp_type > 255 or icmp_code < -1 or icmp_type < -1:
        raise InternalError("Invalid icmp type/code ")


def authorized_group(call: Call, group: SecurityGroup, entry: dict[str, str], ports: str) -> SecurityGroup:
    """The group whose members a rule lets in."""
    name, account_name = entry.get("group"), entry.get("account")
    if name is None or account_name is None:
        raise InvalidParameterValue(
            "Invalid user group specified, fields 'group' and 'account' cannot be null, please specify groups in the form:  "
            "userGroupList[0].group=XXX&userGroupList[0].account=YYY"
        )
    domain = group.account.domain
    account = active_account(call.cloud, account_name, domain)
    if account is None:
        raise InvalidParameterValue(
            f"Nonexistent account: {account_name} when trying to authorize security group rule  for {group.number}:{ports}"
        )
    default_group(call.cloud, account)
    found = _named(call.cloud, account, name)
    if found is None:
        raise InvalidParameterValue(
            f"Nonexistent group {name} for account {account_name}/{domain.number} is given, "
            "unable to authorize security group rule."
        )
    return found


@family.command("revokeSecurityGroupIngress", "revokeSecurityGroupEgress")
def revoke(call: Call) -> Answer:
    egress = call.command.name.endswith("Egress")
    rule = call.params["id"]
    if not isinstance(rule, SecurityGroupRule) or rule not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find security rule with id {getattr(rule, 'number', rule)}")
    if rule.egress is not egress:
        text = fields_text(id=rule.number, uuid=rule.id, type="egress" if rule.egress else "ingress")
        raise InvalidParameterValue(f"Mismatch in rule type for security rule SecurityGroupRule {text}")
    check_access(call.cloud, call.account, rule.group, "OperateEntry")
    call.cloud.store.remove(rule)
    return Success()


@family.on_account_removal
def remove_groups(cloud: Cloud, account: Account) -> None:
    """Remove an account's groups, their rules, and the rules of others that let their members in."""
    for group in cloud.store.table(SecurityGroup).where(account=account):
        for rule in cloud.store.table(SecurityGroupRule):
            if group in (rule.group, rule.allowed_group):
                cloud.store.remove(rule)
        cloud.store.remove(group)
