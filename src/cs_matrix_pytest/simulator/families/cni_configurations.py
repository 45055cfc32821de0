"""CNI configurations of Kubernetes clusters: user data of a kind of its own (ManagementServerImpl)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.access import named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.user_data import delete_user_data, user_data_view
from cs_matrix_pytest.simulator.families.user_data_texts import checked_user_data
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope

family = Family("CNI configurations")
family.object_names["listCniConfiguration"] = "cniconfig"
family.listing(
    "listCniConfiguration",
    UserData,
    scope=Scope.OWNER,
    newest_first=True,
    rows=lambda call: call.cloud.store.table(UserData).where(for_cni=True),
)


@family.command("registerCniConfiguration")
def register_configuration(call: Call) -> Answer:
    owner, name = named_account(call) or call.account, call["name"]
    if call.cloud.store.table(UserData).first(account=owner, name=name) is not None:
        raise InvalidParameterValue(f"A userdata with name {name} already exists for this account.")
    text = checked_user_data(call, call.get("cniconfig")) or ""
    data = call.cloud.store.add(UserData(account=owner, name=name, text=text, params=call.get("params"), for_cni=True))
    # The command declares a mere success, so its answer is not the view's.
    return {"cniconfig": {name: value for name, value in user_data_view(data, call).items() if value is not None}}


@family.command("deleteCniConfiguration")
def delete_configuration(call: Call) -> Answer:
    return delete_user_data(call)
