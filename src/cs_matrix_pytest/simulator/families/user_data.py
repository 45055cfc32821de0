"""Registered user data, and its link to templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.images import shown, updated_fields
from cs_matrix_pytest.simulator.families.user_data_texts import checked_user_data
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Success
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("user data")
SPEC = ListSpec(UserData, newest_first=True)

METADATA_FILES = (
    "service-offering",
    "availability-zone",
    "local-hostname",
    "local-ipv4",
    "public-hostname",
    "public-ipv4",
    "instance-id",
    "vm-id",
    "public-keys",
    "cloud-identifier",
    "cloud-name",
    "hypervisor-host-name",
)
"""What virtual routers tell guests of themselves by these names."""
POLICIES = ("ALLOWOVERRIDE", "APPEND", "DENYOVERRIDE")


@family.view(UserData)
def user_data_view(data: UserData, call: Call) -> dict[str, Any]:
    return {
        "id": data.id,
        "name": data.name,
        **owner_fields(data.account),
        "userdata": data.text,
        "params": data.params,
        "hasannotations": has_annotations(data, call),
    }


@family.command("registerUserData")
def register_user_data(call: Call) -> Answer:
    owner, name, rows = owner_of_new(call), call["name"], call.cloud.store.table(UserData)
    if rows.first(lambda data: data.name.lower() == name.lower(), account=owner) is not None:
        raise InvalidParameterValue(f"A userdata with name {name} already exists for this account.")
    same = rows.first(account=owner, text=call["userdata"])
    if same is not None:
        raise InvalidParameterValue(f"Userdata {same.name} with same content already exists for this account.")
    reserved = [each for each in call.get("params", "").split(",") if each in METADATA_FILES]
    if reserved:
        raise InvalidParameterValue(
            f"Params passed here have a few virtual router metadata file names [{', '.join(reserved)}]"
        )
    text = checked_user_data(call, call["userdata"]) or ""
    data = call.cloud.store.add(UserData(account=owner, name=name, text=text, params=call.get("params")))
    # The command declares a mere success, so its answer is not the view's.
    return {"userdata": {name: value for name, value in user_data_view(data, call).items() if value is not None}}


@family.command("listUserData")
def list_user_data(call: Call) -> Answer:
    # Who names one by its id alone sees no more than their own.
    scope = scoping(call, by_id=False)
    rows = [row for row in call.cloud.store.table(UserData) if not row.for_cni and scope.admits(row.account)]
    return page(call, filtered(call, SPEC, rows))


@family.command("deleteUserData")
def delete_user_data(call: Call) -> Answer:
    owner = owner_of_new(call)
    data = call.params["id"]
    if not isinstance(data, UserData) or data not in call.cloud.store:
        raise InvalidParameterValue(
            f"A UserData with id '{getattr(data, 'number', data)}' does not exist for account {owner.name} in specified "
            "domain id",
            named={"domainId": owner.domain.id},
        )
    check_access(call.cloud, call.account, data)
    store = call.cloud.store
    if any(image.user_data is data for kind in (Template, Iso) for image in store.table(kind)):
        raise InternalError(f"Userdata {data.name} cannot be removed as it is linked to active template/templates")
    if any(vm.registered_user_data is data for vm in store.table(UserVm)):
        raise InternalError(f"Userdata {data.name} cannot be removed as it is being used by some instances")
    store.remove(data)
    return Success()


@family.command("linkUserDataToTemplate")
def link_user_data(call: Call) -> Answer:
    try:
        image = _link(call)
    except ApiError as error:
        raise InternalError(f"Failed to link userdata to Template, due to: {error.text}") from error
    return {"template" if "templateid" in call else "iso": shown(call, updated_fields(image, call))}


def _link(call: Call) -> Template:
    policy = call.get("userdatapolicy", "").upper() or POLICIES[0]
    if policy not in POLICIES:
        raise ApiError(f"No enum constant com.cloud.user.UserData.UserDataOverridePolicy.{policy}")
    if "templateid" in call and "isoid" in call:
        raise InvalidParameterValue("Both Template ID and ISO ID are passed, API accepts only one")
    if "templateid" not in call and "isoid" not in call:
        raise InvalidParameterValue("At least one of Template ID or ISO ID needs to be passed")
    given = "templateid" if "templateid" in call else "isoid"
    image = call.one(Template, given, missing="Unable to find Template/ISO with ID {}")
    check_access(call.cloud, call.account, image, "OperateEntry")
    image.user_data = call.maybe(UserData, "userdataid")
    image.user_data_policy = policy if image.user_data is not None else None
    return image


@family.on_account_removal
def remove_user_data(cloud: Cloud, account: Account) -> None:
    for data in cloud.owned_by(UserData, account):
        cloud.store.remove(data)
