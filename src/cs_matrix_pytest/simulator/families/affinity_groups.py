"""Affinity groups: which hosts VMs share, or keep apart (AffinityGroupServiceImpl and its processors)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, named_account, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.capacity import describe as described_vm
from cs_matrix_pytest.simulator.families.dedication import reserved_hosts
from cs_matrix_pytest.simulator.families.gpu import hosts_without
from cs_matrix_pytest.simulator.families.managed_machines import check_regroupable
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.dedication import Dedication
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("affinity groups")

PROCESSORS = (
    "host anti-affinity",
    "ExplicitDedication",
    "host affinity",
    "non-strict host anti-affinity",
    "non-strict host affinity",
)
"""The types of groups, in the order of the list."""
DEDICATED = "ExplicitDedication"
"""The type that no list shows, and that only root admins create, for whole domains if they like."""
VALID_TYPES = (
    "non-strict host affinity",
    "host affinity",
    "host anti-affinity",
    DEDICATED,
    "non-strict host anti-affinity",
)
"""The types in the order of the refusal of another (that of a Java HashMap)."""


@dataclass
class Wish:
    """What a VM's groups want of its host."""

    only: set[Host] | None = None
    """The hosts that it must be on one of; None: any."""
    avoid: set[Host] = field(default_factory=set)
    prefer: list[Host] = field(default_factory=list)
    shun: set[Host] = field(default_factory=set)
    """Hosts that are taken last."""


def wishes(cloud: Cloud, vm: UserVm) -> Wish:
    """What the groups of a VM want: where the other members are, or last were while their place is still reserved; and
    what is dedicated, to it or to others, and the GPUs that it needs."""
    only, avoid = reserved_hosts(cloud, vm)
    wish = Wish(only=only, avoid=avoid | hosts_without(cloud, vm) | hosts_without_uefi(cloud, vm))
    if not vm.affinity_groups:
        return wish
    kept_since = cloud.clock.now() - cloud.configuration.number("capacity.skipcounting.hours", default=3600)
    for group in vm.affinity_groups:
        hosts: list[Host] = []
        for other in members(cloud, group):
            if other is vm:
                continue
            reserved = other.state == "Stopped" and other.last_updated and other.last_updated.timestamp() >= kept_since
            host = other.host or (other.last_host if reserved else None)
            if host is not None:
                hosts.append(host)
        if group.type == "host anti-affinity":
            wish.avoid.update(hosts)
        elif group.type == "non-strict host anti-affinity":
            wish.shun.update(hosts)
        elif group.type == "non-strict host affinity":
            wish.prefer.extend(hosts)
        elif group.type == "host affinity" and hosts:
            wish.only = set(hosts) if wish.only is None else wish.only & set(hosts)
    return wish


def hosts_without_uefi(cloud: Cloud, vm: UserVm) -> set[Host]:
    """The hosts that cannot boot a VM by UEFI, where it wants to (FirstFitAllocator.filterHostsWithUefiEnabled)."""
    if vm.details.get("UEFI", "").lower() not in ("legacy", "secure"):
        return set()
    return {host for host in cloud.store.table(Host) if host.details.get("host.uefi.enable", "").lower() != "true"}


def members(cloud: Cloud, group: AffinityGroup) -> list[UserVm]:
    return cloud.store.table(UserVm).having("affinity_groups", group)


@family.view(AffinityGroup)
def group_view(group: AffinityGroup, call: Call) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "type": group.type,
        **owner_fields(group.account),
        "virtualmachineIds": [vm.id for vm in members(call.cloud, group)] or None,
    }


@family.before("createAffinityGroup", "deleteAffinityGroup")
def check_named_owner(call: Call) -> None:
    """Raise where the account that a request names is not to be had (CreateAffinityGroupCmd.getEntityOwnerId)."""
    if not (_for_domain(call) and call.is_root_admin):
        owner_of_new(call)


def _for_domain(call: Call) -> bool:
    """True where a request means a group of a whole domain."""
    return "projectid" not in call and "domainid" in call and "account" not in call


@family.command("createAffinityGroup")
def create_group(call: Call) -> Generator[Resource, None, Answer]:
    cloud, name, kind = call.cloud, call["name"], call["type"]
    if kind not in PROCESSORS:
        raise InvalidParameterValue(
            f"Unable to create affinity group, invalid affinity group type: {kind}. Valid values are {','.join(VALID_TYPES)}"
        )
    if kind == DEDICATED and not call.is_root_admin:
        raise PermissionDenied("Cannot create the affinity group")
    for_domain = _for_domain(call)
    if for_domain and not call.is_root_admin:
        raise InvalidParameterValue("Unable to create affinity group, account name must be passed with the domainId")
    if for_domain and kind != DEDICATED:
        raise InvalidParameterValue(
            f"Unable to create affinity group, account name is needed. Affinity group type {kind} cannot be shared domain wide"
        )
    owner = cloud.system_account if for_domain else owner_of_new(call)
    if _named(cloud, owner, name) is not None:
        raise InvalidParameterValue(f"Unable to create affinity group, a group with name {name} already exists.")
    group = cloud.store.add(
        AffinityGroup(
            account=owner,
            name=name,
            type=kind,
            description=call.get("description") or None,
            acl_type="Domain" if for_domain else "Account",
        )
    )
    yield group
    return group


def _named(cloud: Cloud, owner: Account, name: str) -> AffinityGroup | None:
    return cloud.store.table(AffinityGroup).first(lambda group: group.name.lower() == name.lower(), account=owner)


@family.command("deleteAffinityGroup")
def delete_group(call: Call) -> Answer:
    given, name = call.get("id"), call.get("name")
    group = given if isinstance(given, AffinityGroup) and given in call.cloud.store else None
    if given is None and name is None:
        raise InvalidParameterValue("Either the affinity group Id or group name must be specified to delete the group")
    if given is None:
        for_domain = "domainid" in call and "account" not in call
        owner = call.cloud.system_account if for_domain else named_account(call) or call.account
        group = _named(call.cloud, owner, name)
    if group is None:
        raise InvalidParameterValue(
            f"Unable to find affinity group {name if given is None else getattr(given, 'number', given)}"
        )
    check_access(call.cloud, call.account, group, "OperateEntry")
    remove(call.cloud, group)
    return Success()


def remove(cloud: Cloud, group: AffinityGroup) -> None:
    """Delete a group; its members are no longer bound by it."""
    for vm in members(cloud, group):
        vm.affinity_groups = tuple(each for each in vm.affinity_groups if each is not group)
    # Resources that were dedicated by way of it are everybody's again.
    for row in cloud.store.table(Dedication).where(group=group):
        cloud.store.forget(row)
    # CloudStack keeps no removed row of it.
    cloud.store.forget(group)


SPEC = ListSpec(AffinityGroup, scope=Scope.OWNER, keyword=("name", "type"))


@family.command("listAffinityGroups")
def list_groups(call: Call) -> Answer:
    vm = call.maybe(
        UserVm,
        "virtualmachineid",
        missing="Unable to list affinity groups for virtual machine instance {}; instance not found.",
    )
    if vm is not None:
        check_access(call.cloud, call.account, vm)
        return page(call, list(vm.affinity_groups))
    scope = scoping(call)
    rows = [group for group in call.cloud.store.table(AffinityGroup) if scope.admits(group.account)]
    return page(call, filtered(call, SPEC, rows))


@family.command("listAffinityGroupTypes", object_name="affinityGroupType")
def list_types(_call: Call) -> Answer:
    types = [kind for kind in PROCESSORS if kind != DEDICATED]
    return {"count": len(types), "affinityGroupType": [{"type": kind} for kind in types]}


def named_groups(
    call: Call, owner: Account, unknown: str = "Unable to find affinity group by name {}"
) -> list[AffinityGroup]:
    """The groups that ``affinitygroupids`` or ``affinitygroupnames`` name."""
    names, ids = call.get("affinitygroupnames"), call.get("affinitygroupids")
    if names is not None and ids is not None:
        raise InvalidParameterValue(
            "affinitygroupids parameter is mutually exclusive with affinitygroupnames parameter"
        )
    if names is None:
        return list(dict.fromkeys(call.many(AffinityGroup, "affinitygroupids")))
    groups = []
    for name in names:
        group = call.cloud.store.table(AffinityGroup).first(account=owner, name=name)
        if group is None:
            raise InvalidParameterValue(unknown.format(name))
        groups.append(group)
    return groups


def check_groups(call: Call, owner: Account, groups: list[AffinityGroup]) -> None:
    """Raise unless a VM of this owner can be in these groups."""
    for group in groups:
        check_access(call.cloud, call.account, group)
        if call.is_root_admin and group.acl_type == "Account" and group.account is not owner:
            raise PermissionDenied(f"Affinity Group {describe(group)} does not belong to the VM's account")


def describe(group: AffinityGroup) -> str:
    """A group as error texts name it."""
    return f'AffinityGroup {{"id":{group.number},"name":"{group.name}","uuid":"{group.id}"}}'


@family.command("updateVMAffinityGroup")
def update_groups_of_vm(call: Call) -> Answer:
    if "affinitygroupnames" in call and "affinitygroupids" in call:
        raise InvalidParameterValue(
            "affinitygroupids parameter is mutually exclusive with affinitygroupnames parameter"
        )
    if "affinitygroupnames" not in call and "affinitygroupids" not in call:
        raise InvalidParameterValue("affinitygroupids parameter or affinitygroupnames parameter must be given")
    vm = call.one(UserVm, missing="Unable to find a virtual machine with id {}")
    groups = named_groups(call, vm.account, f"Unable to find group by name {{}} for account {vm.account.number}")
    check_regroupable(call.cloud, vm)
    if vm.hypervisor == "External":
        raise InvalidParameterValue(f"Operation not supported for instance: {vm.name}")
    if vm.state != "Stopped":
        raise InvalidParameterValue(
            f"Unable update affinity groups of the virtual machine {described_vm(vm)} in state {vm.state}; "
            "make sure the virtual machine is stopped and not in an error state before updating."
        )
    check_groups(call, vm.account, groups)
    vm.affinity_groups = tuple(groups)
    return vm


@family.on_account_removal
def remove_groups_of(cloud: Cloud, account: Account) -> None:
    for group in cloud.owned_by(AffinityGroup, account):
        remove(cloud, group)
