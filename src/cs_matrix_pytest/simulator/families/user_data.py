"""Registered user data, and its link to templates."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from cs_matrix_pytest.simulator.access import check_access, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.images import shown, updated_fields
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("user data")
family.listing("listUserData", UserData, scope=Scope.OWNER, newest_first=True)

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
    if rows.first(account=owner, name=name) is not None:
        raise InvalidParameterValue(f"A userdata with name {name} already exists for this account.")
    same = rows.first(account=owner, text=call["userdata"])
    if same is not None:
        raise InvalidParameterValue(f"Userdata {same.name} with same content already exists for this account.")
    data = call.cloud.store.add(
        UserData(account=owner, name=name, text=encoded(call["userdata"]), params=call.get("params"))
    )
    # The command declares a mere success, so its answer is not the view's.
    return {"userdata": {name: value for name, value in user_data_view(data, call).items() if value is not None}}


def encoded(text: str) -> str:
    """User data as it is kept: base64 with its padding."""
    text = unquote_plus(text) if "%" in text else text
    try:
        return base64.b64encode(base64.b64decode(text + "=" * (-len(text) % 4), validate=True)).decode()
    except ValueError:
        raise InvalidParameterValue("User data is not base64 encoded.") from None


@family.command("deleteUserData")
def delete_user_data(call: Call) -> Answer:
    data = call.one(UserData)
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
    if "templateid" in call and "isoid" in call:
        raise InvalidParameterValue("Both Template ID and ISO ID are passed, API accepts only one")
    if "templateid" not in call and "isoid" not in call:
        raise InvalidParameterValue("At least one of Template ID or ISO ID needs to be passed")
    image = call.one(Template, "templateid" if "templateid" in call else "isoid")
    check_access(call.cloud, call.account, image, "OperateEntry")
    policy = call.get("userdatapolicy", POLICIES[0]).upper()
    if policy not in POLICIES:
        raise InvalidParameterValue(f"Invalid userdatapolicy: {policy}")
    image.user_data = call.maybe(UserData, "userdataid")
    image.user_data_policy = policy if image.user_data is not None else None
    return {"template": shown(call, updated_fields(image, call))}


@family.on_account_removal
def remove_user_data(cloud: Cloud, account: Account) -> None:
    for data in cloud.owned_by(UserData, account):
        cloud.store.remove(data)
