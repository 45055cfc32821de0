"""Automatic scaling of VMs behind load balancers, as simulated time passes (AutoScaleManagerImpl).

What is measured is what CloudStack's own simulator reports: every running VM takes 10 % of its CPUs, and nothing of
anything else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from datetime import timedelta
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.load_balancers import add_members
from cs_matrix_pytest.simulator.families.user_data_texts import user_data_of
from cs_matrix_pytest.simulator.models.autoscale import (
    AutoScalePolicy,
    AutoScaleVmGroup,
    AutoScaleVmProfile,
    Condition,
    Counter,
)
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, User
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("autoscale")

SOURCES = ("NETSCALER", "SNMP", "CPU", "MEMORY", "VIRTUALROUTER")
PROVIDERS = ("VirtualRouter", "VpcVirtualRouter", "Netscaler", "None", "Netris")
OF_MACHINES = (
    ("CPU", "VM CPU - average percentage", "vm.cpu.average.percentage"),
    ("MEMORY", "VM Memory - average percentage", "vm.memory.average.percentage"),
)
OF_ROUTERS = (
    ("VIRTUALROUTER", "Public Network - mbps received per vm", "public.network.received.average.mbps"),
    ("VIRTUALROUTER", "Public Network - mbps transmit per vm", "public.network.transmit.average.mbps"),
    ("VIRTUALROUTER", "Load Balancer - average connections per vm", "virtual.network.lb.average.connections"),
)
OF_BALANCERS = (
    ("SNMP", "Linux User CPU - percentage", "1.3.6.1.4.1.2021.11.9.0"),
    ("SNMP", "Linux System CPU - percentage", "1.3.6.1.4.1.2021.11.10.0"),
    ("SNMP", "Linux CPU Idle - percentage", "1.3.6.1.4.1.2021.11.11.0"),
    ("CPU", "Linux User CPU - percentage - native", "1.3.6.1.4.1.2021.11.9.1"),
    ("MEMORY", "Linux User RAM - percentage - native", "1.3.6.1.4.1.2021.11.10.1"),
    ("NETSCALER", "Response Time - microseconds", "RESPTIME"),
)
BUILT_IN: tuple[Mapping[str, tuple[tuple[str, str, str], ...]], ...] = (
    {"Netris": OF_MACHINES},
    {
        "VirtualRouter": OF_MACHINES + OF_ROUTERS,
        "VpcVirtualRouter": OF_MACHINES + OF_ROUTERS,
        "None": OF_MACHINES,
    },
    {"Netscaler": OF_BALANCERS},
)
"""The counters of a fresh install by provider: source, name and value; the upgrades that brought them, the last first."""
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {"EQ": eq, "GT": gt, "LT": lt, "GE": ge, "LE": le}
ACTIONS = ("SCALEUP", "SCALEDOWN")
DEPLOY_PARAMS = (
    "rootdisksize",
    "diskofferingid",
    "disksize",
    "securitygroupids",
    "overridediskofferingid",
    "keypairs",
    "affinitygroupids",
    "networkids",
)
NAME = re.compile(r"[A-Za-z0-9-]{1,255}")
DEFAULT_INTERVAL = 30
DEFAULT_QUIET_TIME = 300
CPU_USED = 10.0
"""Percent."""


class ResourceInUse(ApiError):
    """Something cannot go as others need it (ResourceInUseException)."""

    code = 536
    cs_code = 4385


@family.on_fresh_install
def install(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for age, upgrade in reversed(list(enumerate(BUILT_IN))):
        created = cloud.clock.datetime() - timedelta(seconds=age)
        for provider, rows in upgrade.items():
            for source, name, value in rows:
                cloud.store.add(Counter(name=name, source=source, value=value, provider=provider, created=created))


@family.view(Counter)
def counter_view(counter: Counter, call: Call) -> dict[str, Any]:
    return {
        "id": counter.id,
        "name": counter.name,
        "source": counter.source,
        "value": counter.value,
        "provider": counter.provider,
    }


@family.view(Condition)
def condition_view(condition: Condition, call: Call) -> dict[str, Any]:
    return {
        "id": condition.id,
        "threshold": condition.threshold,
        "relationaloperator": condition.operator,
        "counterid": condition.counter.id,
        "countername": condition.counter.name,
        "counter": counter_view(condition.counter, call),
        **owner_fields(condition.account),
    }


@family.view(AutoScalePolicy)
def policy_view(policy: AutoScalePolicy, call: Call) -> dict[str, Any]:
    return {
        "id": policy.id,
        "name": policy.name,
        "action": policy.action,
        "duration": policy.duration,
        "quiettime": policy.quiet_time,
        "conditions": [condition_view(condition, call) for condition in policy.conditions],
        **owner_fields(policy.account),
    }


@family.view(AutoScaleVmProfile)
def profile_view(profile: AutoScaleVmProfile, call: Call) -> dict[str, Any]:
    registered = profile.registered_user_data
    return {
        "id": profile.id,
        "zoneid": profile.zone.id,
        "serviceofferingid": profile.service_offering.id,
        "templateid": profile.template.id,
        "otherdeployparams": profile.deploy_params,
        "expungevmgraceperiod": profile.grace_period,
        "autoscaleuserid": profile.user.id if profile.user else None,
        "userdata": profile.user_data,
        "userdataid": registered.id if registered else None,
        "userdataname": registered.name if registered else None,
        "userdatadetails": profile.user_data_details,
        "fordisplay": profile.display,
        **owner_fields(profile.account),
    }


@family.view(AutoScaleVmGroup)
def group_view(group: AutoScaleVmGroup, call: Call) -> dict[str, Any]:
    rule = group.rule
    network = rule.network
    providers = network.offering.service_providers.get("Lb")
    return {
        "id": group.id,
        "name": group.name,
        "minmembers": group.fewest,
        "maxmembers": group.most,
        "state": group.state,
        "interval": group.interval,
        "fordisplay": group.display,
        "created": when(group.created),
        "vmprofileid": group.profile.id,
        "availablevirtualmachinecount": sum(vm.state == "Running" for vm in members(call.cloud, group)),
        "lbruleid": rule.id,
        "lbprovider": providers[0] if providers else "None",
        "associatednetworkid": network.id,
        "associatednetworkname": network.name,
        "publicipid": rule.ip.id,
        "publicip": rule.ip.address,
        "publicport": str(rule.public_port),
        "privateport": str(rule.private_port),
        "scaleuppolicies": [policy_view(policy, call) for policy in group.up],
        "scaledownpolicies": [policy_view(policy, call) for policy in group.down],
        **owner_fields(group.account),
    }


def members(cloud: Cloud, group: AutoScaleVmGroup) -> list[UserVm]:
    """The VMs of a group that still exist and are balanced."""
    group.members = [vm for vm in group.balanced if vm in cloud.store]
    return group.members


def group_of(cloud: Cloud, vm: UserVm) -> AutoScaleVmGroup | None:
    """The group that a VM was made for."""
    return cloud.store.table(AutoScaleVmGroup).first(lambda group: vm in group.balanced)


def check_action(cloud: Cloud, vm: UserVm) -> None:
    """Raise InvalidParameterValue where a VM is its group's to look after (checkIfVmActionAllowed)."""
    group = group_of(cloud, vm)
    if group is not None and group.state != "DISABLED":
        raise InvalidParameterValue(
            "Cannot perform actions on VM in an AutoScale VM group, Please disable the VM group and retry."
        )


# Counters


def provider_named(text: str, doing: str) -> str:
    found = next((name for name in PROVIDERS if name.lower() == text.lower()), None)
    if found is None:
        raise InvalidParameterValue(f"The Provider {text} does not exist; Unable to {doing} Counter")
    return found


@family.command("createCounter")
def create_counter(call: Call) -> Generator[Resource, None, Answer]:
    source, name, value = call["source"].upper(), call["name"], call["value"]
    if source not in SOURCES:
        raise InvalidParameterValue(f"The Source {call['source']} does not exist; Unable to create Counter")
    provider = provider_named(call["provider"], "create")
    if call.cloud.store.table(Counter).first(name=name, value=value, provider=provider):
        raise InvalidParameterValue(f"Counter with name {name} and value {value} already exists. ")
    counter = call.cloud.store.add(Counter(name=name, source=source, value=value, provider=provider))
    yield counter
    return counter


@family.command("deleteCounter")
def delete_counter(call: Call) -> Answer:
    counter = call.one(Counter)
    if call.cloud.store.table(Condition).first(counter=counter):
        raise ResourceInUse("Counter is in use.")
    call.cloud.store.remove(counter)
    return Success()


def _of_provider(counter: Counter, value: str, _call: Call) -> bool:
    return counter.provider == provider_named(value, "list")


def newest_counters(call: Call) -> list[Counter]:
    """All counters, the youngest first; those of one moment in their order."""
    return sorted(call.cloud.store.table(Counter), key=lambda counter: counter.created, reverse=True)


family.listing("listCounters", Counter, rows=newest_counters, filters={"provider": _of_provider})


# Conditions


def comparison(call: Call, doing: str) -> tuple[str, int]:
    """The operator and the threshold of a request."""
    operator, threshold = call["relationaloperator"].upper(), call["threshold"]
    if operator not in OPERATORS:
        raise InvalidParameterValue(
            f"The Operator {call['relationaloperator']} does not exist; Unable to {doing} Condition."
        )
    if threshold < 0:
        raise InvalidParameterValue(f"The threshold {threshold} must be equal to or greater than 0.")
    return operator, threshold


@family.command("createCondition")
def create_condition(call: Call) -> Generator[Resource, None, Answer]:
    operator, threshold = comparison(call, "create")
    counter = call.get("counterid")
    if not isinstance(counter, Counter) or counter not in call.cloud.store:
        raise InvalidParameterValue("Unable to find counter")
    condition = call.cloud.store.add(
        Condition(account=owner_of_new(call), counter=counter, operator=operator, threshold=threshold)
    )
    yield condition
    return condition


def policies_with(cloud: Cloud, condition: Condition) -> list[AutoScalePolicy]:
    return cloud.store.table(AutoScalePolicy).where(lambda policy: condition in policy.conditions)


@family.command("updateCondition")
def update_condition(call: Call) -> Answer:
    condition = call.one(Condition)
    operator, threshold = comparison(call, "update")
    for policy in policies_with(call.cloud, condition):
        if any(group.state != "DISABLED" for group in groups_with(call.cloud, policy)):
            raise ResourceInUse(
                f"Cannot update Condition {condition.id} when it is in use by one or more AutoScale Vm Groups that are "
                "not disabled"
            )
    condition.operator, condition.threshold = operator, threshold
    return Success()


@family.command("deleteCondition")
def delete_condition(call: Call) -> Answer:
    condition = call.one(Condition)
    if policies_with(call.cloud, condition):
        raise ResourceInUse("Cannot delete Condition when it is in use by one or more AutoScale Policies.")
    call.cloud.store.remove(condition)
    return Success()


family.listing(
    "listConditions",
    Condition,
    scope=Scope.OWNER,
    newest_first=True,
    filters={"policyid": lambda condition, policy, _call: condition in policy.conditions},
)


# Policies


def conditions_of(call: Call) -> list[Condition]:
    """The conditions of a request, of different counters."""
    rows = call.many(Condition, "conditionids")
    if not rows:
        raise InvalidParameterValue("AutoScale policy must have at least one condition")
    if len({row.counter for row in rows}) < len(rows):
        raise InvalidParameterValue(
            "at least two conditions in the conditionids have the same counter. It is not right to apply two different "
            "conditions for the same counter"
        )
    for row in rows:
        check_access(call.cloud, call.account, row)
    return rows


def check_times(duration: int, quiet_time: int) -> None:
    if duration < 0:
        raise InvalidParameterValue(f"duration is an invalid value: {duration}")
    if quiet_time < 0:
        raise InvalidParameterValue(f"quietTime is an invalid value: {quiet_time}")


@family.command("createAutoScalePolicy")
def create_policy(call: Call) -> Generator[Resource, None, Answer]:
    action, duration, quiet_time = call["action"].upper(), call["duration"], call.get("quiettime", DEFAULT_QUIET_TIME)
    if action not in ACTIONS:
        raise InvalidParameterValue(f"action is invalid. Supported actions are: [{', '.join(ACTIONS)}]")
    check_times(duration, quiet_time)
    conditions = conditions_of(call)
    policy = AutoScalePolicy(
        account=conditions[0].account,
        name="",
        action=action,
        duration=duration,
        quiet_time=quiet_time,
        conditions=conditions,
    )
    policy.name = call.get("name") or policy.id
    yield call.cloud.store.add(policy)
    return policy


def groups_with(cloud: Cloud, policy: AutoScalePolicy) -> list[AutoScaleVmGroup]:
    return cloud.store.table(AutoScaleVmGroup).where(lambda group: policy in (*group.up, *group.down))


@family.command("updateAutoScalePolicy")
def update_policy(call: Call) -> Answer:
    policy = call.one(AutoScalePolicy)
    duration, quiet_time = call.get("duration", policy.duration), call.get("quiettime", policy.quiet_time)
    check_times(duration, quiet_time)
    conditions = conditions_of(call) if "conditionids" in call else policy.conditions
    for group in groups_with(call.cloud, policy):
        if group.state != "DISABLED":
            raise InvalidParameterValue(
                "The AutoScale Policy can be updated only if the Vm Group it is associated with is disabled in state"
            )
        if duration < group.interval:
            raise InvalidParameterValue("duration is less than the associated AutoScaleVmGroup's interval")
    policy.name, policy.conditions = call.get("name") or policy.name, conditions
    policy.duration, policy.quiet_time = duration, quiet_time
    return policy


@family.command("deleteAutoScalePolicy")
def delete_policy(call: Call) -> Answer:
    policy = call.one(AutoScalePolicy)
    if groups_with(call.cloud, policy):
        raise InvalidParameterValue(
            "Cannot delete AutoScale Policy when it is in use by one or more AutoScale Vm Groups"
        )
    call.cloud.store.remove(policy)
    return Success()


family.listing(
    "listAutoScalePolicies",
    AutoScalePolicy,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "conditionid": lambda policy, condition, _call: condition in policy.conditions,
        "vmgroupid": lambda policy, group, _call: policy in (*group.up, *group.down),
    },
)


# Profiles


def deploy_params(call: Call) -> dict[str, str]:
    """What else new VMs are to be deployed with."""
    given = {
        key: value
        for entry in call.entries("otherdeployparams")
        for key, value in ({entry["name"]: entry.get("value", "")} if "name" in entry else entry).items()
    }
    for key in given:
        if key not in DEPLOY_PARAMS:
            raise InvalidParameterValue(
                f"Unsupported otherdeployparams key: {key}. Supported values are [{', '.join(DEPLOY_PARAMS)}]"
            )
    return given


def check_profile(offering: ServiceOffering, grace_period: int) -> None:
    if offering.customized:
        raise InvalidParameterValue("Unable to use dynamic service offering in AutoScale vm profile")
    if grace_period < 0:
        raise InvalidParameterValue("Expunge Vm Grace Period cannot be less than 0.")


@family.command("createAutoScaleVmProfile")
def create_profile(call: Call) -> Generator[Resource, None, Answer]:
    cloud, owner = call.cloud, owner_of_new(call)
    offering, template = call.one(ServiceOffering, "serviceofferingid"), call.one(Template, "templateid")
    grace = call.get("expungevmgraceperiod", int(cloud.configuration.number("expungevm.graceperiod", default=120)))
    if template.hypervisor == "External":
        raise InvalidParameterValue(f"Unable to create AutoScale Vm Profile with template: {template.name}")
    check_profile(offering, grace)
    user_data, registered, details = user_data_of(call, template)
    profile = cloud.store.add(
        AutoScaleVmProfile(
            account=owner,
            zone=call.one(Zone, "zoneid"),
            service_offering=offering,
            template=template,
            grace_period=grace,
            deploy_params=deploy_params(call),
            user=call.maybe(User, "autoscaleuserid"),
            user_data=user_data,
            registered_user_data=registered,
            user_data_details=details,
            display=call.flag("fordisplay", True),
        )
    )
    yield profile
    return profile


@family.command("updateAutoScaleVmProfile")
def update_profile(call: Call) -> Answer:
    profile = call.one(AutoScaleVmProfile)
    offering = call.maybe(ServiceOffering, "serviceofferingid") or profile.service_offering
    grace = call.get("expungevmgraceperiod", profile.grace_period)
    check_profile(offering, grace)
    groups = call.cloud.store.table(AutoScaleVmGroup).where(profile=profile)
    if any(group.state != "DISABLED" for group in groups):
        raise InvalidParameterValue(
            "The AutoScale Vm Profile can be updated only if the Vm Group it is associated with is disabled in state"
        )
    profile.service_offering, profile.grace_period = offering, grace
    profile.template = call.maybe(Template, "templateid") or profile.template
    profile.user = call.maybe(User, "autoscaleuserid") or profile.user
    profile.deploy_params = deploy_params(call) or profile.deploy_params
    if "userdata" in call or "userdataid" in call or call.map("userdatadetails"):
        changed = user_data_of(call, profile.template)
        profile.user_data, profile.registered_user_data, profile.user_data_details = changed
    profile.display = call.flag("fordisplay", profile.display)
    return profile


@family.command("deleteAutoScaleVmProfile")
def delete_profile(call: Call) -> Answer:
    profile = call.one(AutoScaleVmProfile)
    if call.cloud.store.table(AutoScaleVmGroup).first(profile=profile):
        raise InvalidParameterValue("Cannot delete AutoScale Vm Profile when it is in use by one more vm groups")
    call.cloud.store.remove(profile)
    return Success()


family.listing(
    "listAutoScaleVmProfiles",
    AutoScaleVmProfile,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "fordisplay": lambda profile, wanted, _call: profile.display is wanted,
        "otherdeployparams": lambda profile, text, _call: text in str(profile.deploy_params),
    },
)


# Groups


def check_members(fewest: int, most: int) -> None:
    for name, value in (("minmembers", fewest), ("maxmembers", most)):
        if value < 0:
            raise InvalidParameterValue(f"{name} is an invalid value: {value}")
    if fewest > most:
        raise InvalidParameterValue(f"minmembers ({fewest}) cannot be greater than maxmembers ({most})")


def policies_of(call: Call, action: str, interval: int, current: list[AutoScalePolicy]) -> list[AutoScalePolicy]:
    """The policies of a request for one action, or those that a group has."""
    name = f"{action.lower()}policyids"
    if name not in call:
        return current
    rows = call.many(AutoScalePolicy, name)
    if not rows:
        what = "ScaleUp" if action == "SCALEUP" else "ScaleDown"
        raise InvalidParameterValue(f"AutoScale VM group must have at least one {what} policy")
    for row in rows:
        check_access(call.cloud, call.account, row)
        if row.duration < interval:
            raise InvalidParameterValue(
                f"duration : {row.duration} specified in a policy cannot be less than vm group's interval : {interval}"
            )
        if row.action != action:
            raise InvalidParameterValue(f"Only {action.lower()} policies can be specified in {name}")
    return rows


family.must_name("createAutoScaleVmGroup", "lbruleid", LoadBalancerRule, "Unable to find loadbalancer by lbRuleId")


@family.command("createAutoScaleVmGroup")
def create_group(call: Call) -> Generator[Resource, None, Answer]:
    cloud, rule = call.cloud, call.one(LoadBalancerRule, "lbruleid")
    name, interval = call.get("name"), call.get("interval", DEFAULT_INTERVAL)
    if name is not None and not NAME.fullmatch(name):
        raise InvalidParameterValue(
            "Invalid AutoScale VM group name. It can contain the ASCII letters 'a' through 'z', 'A' through 'Z', the "
            "digits '0' through '9' and the hyphen ('-'), must be between 1 and 255 characters long."
        )
    check_members(call["minmembers"], call["maxmembers"])
    if interval < 1:
        raise InvalidParameterValue(f"interval is an invalid value: {interval}")
    check_access(cloud, call.account, rule, "OperateEntry")
    profile = call.one(AutoScaleVmProfile, "vmprofileid")
    if cloud.store.table(AutoScaleVmGroup).first(rule=rule):
        raise InvalidParameterValue(
            "an AutoScaleVmGroup is already attached to the lb rule, the existing vm group has to be first deleted"
        )
    if rule.members:
        raise InvalidParameterValue(
            "there are Vms already bound to the specified LoadBalancing Rule. User bound Vms and AutoScaled Vm Group "
            "cannot co-exist on a Load Balancing Rule"
        )
    group = AutoScaleVmGroup(
        account=rule.account,
        name="",
        rule=rule,
        profile=profile,
        fewest=call["minmembers"],
        most=call["maxmembers"],
        interval=interval,
        up=policies_of(call, "SCALEUP", interval, []),
        down=policies_of(call, "SCALEDOWN", interval, []),
        display=call.flag("fordisplay", True),
    )
    group.name = name or group.id
    yield cloud.store.add(group)
    watch(cloud, group)
    return group


@family.command("updateAutoScaleVmGroup")
def update_group(call: Call) -> Answer:
    group = call.one(AutoScaleVmGroup)
    fewest, most = call.get("minmembers", group.fewest), call.get("maxmembers", group.most)
    interval = call.get("interval", group.interval)
    check_members(fewest, most)
    if interval < 1:
        raise InvalidParameterValue(f"interval is an invalid value: {interval}")
    inner = any(name in call for name in ("interval", "scaleuppolicyids", "scaledownpolicyids"))
    if inner and group.state != "DISABLED":
        raise InvalidParameterValue(
            "An AutoScale Vm Group can be updated with Interval/Policies only when it is in disabled state"
        )
    up = policies_of(call, "SCALEUP", interval, group.up)
    group.up, group.down = up, policies_of(call, "SCALEDOWN", interval, group.down)
    group.name, group.interval = call.get("name") or group.name, interval
    group.fewest, group.most = fewest, most
    group.display = call.flag("fordisplay", group.display)
    return group


@family.command("enableAutoScaleVmGroup")
def enable_group(call: Call) -> Answer:
    group = call.one(AutoScaleVmGroup)
    if group.state != "DISABLED":
        raise InvalidParameterValue("Only a AutoScale Vm Group which is in Disabled state can be enabled.")
    group.state = "ENABLED"
    group.holds_since.clear()
    return group


@family.command("disableAutoScaleVmGroup")
def disable_group(call: Call) -> Answer:
    group = call.one(AutoScaleVmGroup)
    if group.state == "DISABLED":
        raise InvalidParameterValue("Only a AutoScale Vm Group which is in Enabled or Scaling state can be disabled.")
    group.state = "DISABLED"
    return group


@family.command("deleteAutoScaleVmGroup")
def delete_group(call: Call) -> Answer:
    group, cloud, cleanup = call.one(AutoScaleVmGroup), call.cloud, call.flag("cleanup")
    rest = "pass cleanup=true flag which will destroy all VMs."
    if group.state != "DISABLED" and not cleanup:
        raise InvalidParameterValue(
            f"Cannot delete autoscale vm group : {group.name} because it is in {group.state} state. Please disable it "
            f"or {rest}"
        )
    mine = list(members(cloud, group))
    if mine and not cleanup:
        raise InvalidParameterValue(
            f"Cannot delete autoscale vm group : {group.name} because there are {len(mine)} VMs. Please remove the VMs "
            f"or {rest}"
        )
    group.state = "DISABLED"
    for vm in mine:
        cloud.run("destroyVirtualMachine", id=vm.id, expunge=True)
    cloud.store.remove(group)
    return Success()


family.listing(
    "listAutoScaleVmGroups",
    AutoScaleVmGroup,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "lbruleid": lambda group, rule, _call: group.rule is rule,
        "vmprofileid": lambda group, profile, _call: group.profile is profile,
        "policyid": lambda group, policy, _call: policy in (*group.up, *group.down),
        "zoneid": lambda group, zone, _call: group.profile.zone is zone,
        "fordisplay": lambda group, wanted, _call: group.display is wanted,
    },
)


@family.on_account_removal
def remove_groups(cloud: Cloud, account: Account) -> None:
    for kind in (AutoScaleVmGroup, AutoScaleVmProfile, AutoScalePolicy, Condition):
        for row in cloud.owned_by(kind, account):
            cloud.store.remove(row)


# As time passes


@timed
def watch(cloud: Cloud, group: AutoScaleVmGroup) -> None:
    """Look after a group every interval, as long as it exists."""
    if group not in cloud.store:
        return
    if group.state == "ENABLED":
        # Where a VM cannot be made now, the next look tries again.
        with suppress(ApiError):
            look_after(cloud, group)
    cloud.clock.call_later(max(1, group.interval), watch, cloud, group)


def look_after(cloud: Cloud, group: AutoScaleVmGroup) -> None:
    """Bring a group to its fewest and most members, or do what one of its policies says."""
    count = len(members(cloud, group))
    if count < group.fewest:
        for _ in range(group.fewest - count):
            add_member(cloud, group)
        return
    if count > group.most:
        remove_member(cloud, group)
        return
    now = cloud.clock.now()
    for policy in (*group.up, *group.down):
        if not all(holds(cloud, group, condition) for condition in policy.conditions):
            group.holds_since.pop(policy, None)
            continue
        since = group.holds_since.setdefault(policy, now)
        if now - since < policy.duration or now < group.quiet_until.get(policy, 0):
            continue
        # The first policy that applies decides, even where there is no room for what it wants.
        up = policy.action == "SCALEUP"
        if count < group.most if up else count > group.fewest:
            group.quiet_until[policy] = now + policy.quiet_time
            # What was measured before an action says nothing about the group after it.
            group.holds_since.clear()
            (add_member if up else remove_member)(cloud, group)
        return


def holds(cloud: Cloud, group: AutoScaleVmGroup, condition: Condition) -> bool:
    running = [vm for vm in members(cloud, group) if vm.state == "Running"]
    measured = CPU_USED if condition.counter.source == "CPU" and running else 0.0
    return OPERATORS[condition.operator](measured, condition.threshold)


def add_member(cloud: Cloud, group: AutoScaleVmGroup) -> None:
    """Deploy one more VM of a group, behind its load balancer."""
    profile, owner = group.profile, group.account
    group.made += 1
    suffix = f"-{group.made}-{secrets.token_hex(3)}"
    name = f"autoScaleVm-{group.name[: 63 - len('autoScaleVm-') - len(suffix)]}{suffix}"
    params: dict[str, Any] = dict(profile.deploy_params)
    if "disksize" in params:
        params["size"] = params.pop("disksize")
    if "rootdisksize" in params:
        params["details[0].rootdisksize"] = params.pop("rootdisksize")
    params.setdefault("networkids", group.rule.network.id)
    if owner.type == AccountType.PROJECT and owner.project is not None:
        params["projectid"] = owner.project.id
    else:
        params |= {"account": owner.name, "domainid": owner.domain.id}
    answer = cloud.run(
        "deployVirtualMachine",
        name=name,
        displayname=name,
        zoneid=profile.zone.id,
        serviceofferingid=profile.service_offering.id,
        templateid=profile.template.id,
        **params,
    )
    vm = cloud.store.table(UserVm).get(answer["virtualmachine"]["id"])
    if vm is not None:
        # The profile's is what it and its template made of it already.
        vm.user_data, vm.registered_user_data = profile.user_data, profile.registered_user_data
        vm.user_data_details = profile.user_data_details
        nic = next(nic for nic in vm.nics if nic.network is group.rule.network)
        add_members(cloud, group.rule, [(vm, nic.ip_address or "")])
        group.members.append(vm)


def remove_member(cloud: Cloud, group: AutoScaleVmGroup) -> None:
    """Take the oldest VM of a group from behind its load balancer, and destroy it after the grace period."""
    vm = members(cloud, group)[0]
    group.members.remove(vm)
    with suppress(ApiError):
        cloud.run("removeFromLoadBalancerRule", id=group.rule.id, virtualmachineids=vm.id)
    cloud.clock.call_later(group.profile.grace_period, _destroy, cloud, vm)


@timed
def _destroy(cloud: Cloud, vm: UserVm) -> None:
    if vm in cloud.store:
        with suppress(ApiError):
            cloud.run("destroyVirtualMachine", id=vm.id, expunge=True)
