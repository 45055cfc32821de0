"""Instance groups: names for sets of virtual machines (UserVmManagerImpl.createVmGroup and its kin)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.vm import InstanceGroup, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("instance groups")
family.listing("listInstanceGroups", InstanceGroup, scope=Scope.OWNER, keyword=("name",))


@family.view(InstanceGroup)
def group_view(group: InstanceGroup, call: Call) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        **owner_fields(group.account),
        "created": when(group.created),
        "hasannotations": has_annotations(group, call),
    }


@family.command("createInstanceGroup")
def create_group(call: Call) -> Answer:
    owner, name = owner_of_new(call), call["name"]
    check_access(call.cloud, call.account, owner)
    if _in_use(call.cloud, owner, name) is not None:
        raise InvalidParameterValue(
            f"Unable to create Instance group, a group with name {name} already exists for Account {describe(owner)}"
        )
    return call.cloud.store.add(InstanceGroup(account=owner, name=name))


def _in_use(cloud: Cloud, owner: Account, name: str) -> InstanceGroup | None:
    return cloud.store.table(InstanceGroup).first(lambda group: group.name.lower() == name.lower(), account=owner)


def group_named(cloud: Cloud, owner: Account, name: str) -> InstanceGroup:
    """An account's group of this name, a new one where there is none yet."""
    return _in_use(cloud, owner, name) or cloud.store.add(InstanceGroup(account=owner, name=name))


@family.command("updateInstanceGroup")
def update_group(call: Call) -> Answer:
    group, name = call.params["id"], call.get("name")
    if not isinstance(group, InstanceGroup) or group not in call.cloud.store:
        raise InvalidParameterValue(
            "unable to find an instance group with specified groupId",
            named={"groupId": str(getattr(group, "number", group))},
        )
    check_access(call.cloud, call.account, group)
    if name is not None:
        if _in_use(call.cloud, group.account, name) is not None and group.name != name:
            raise InvalidParameterValue(
                f"Unable to update instance group, a group with name {name} already exists for account"
            )
        group.name = name
    return group


@family.command("deleteInstanceGroup")
def delete_group(call: Call) -> Answer:
    group = call.one(InstanceGroup, missing="unable to find a vm group with id {}")
    check_access(call.cloud, call.account, group)
    remove(call.cloud, group)
    return Success()


def remove(cloud: Cloud, group: InstanceGroup) -> None:
    """Delete a group; its VMs are in none then."""
    for vm in cloud.store.table(UserVm).where(group=group):
        vm.group = None
    cloud.store.remove(group)


@family.on_account_removal
def remove_groups_of(cloud: Cloud, account: Account) -> None:
    for group in cloud.owned_by(InstanceGroup, account):
        remove(cloud, group)
