"""Rules that choose the secondary storage of what is written to it (StorageManagerImpl). They are kept, not run."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, ParameterError
from cs_matrix_pytest.simulator.families.hosts import check_scripts_allowed
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.secondary_storage_selectors import SecondaryStorageSelector
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.views import when

family = Family("secondary storage selectors")

TYPES = ("ISO", "SNAPSHOT", "TEMPLATE", "VOLUME", "BACKUP")


@family.view(SecondaryStorageSelector)
def selector_view(selector: SecondaryStorageSelector, _call: Call) -> dict[str, Any]:
    return {
        "id": selector.id,
        "name": selector.name,
        "description": selector.description,
        "zoneid": selector.zone.id,
        "type": selector.type,
        "heuristicrule": selector.rule,
        "created": when(selector.created),
        "removed": when(selector.removed),
    }


def _check_rule(call: Call) -> str:
    rule: str = call["heuristicrule"]
    if not rule.strip():
        raise ParameterError("Unable to create a new secondary storage selector as the given heuristic rule is blank.")
    check_scripts_allowed(call, "heuristicrule", wanted=True)
    return rule


@family.command("createSecondaryStorageSelector")
def create_selector(call: Call) -> Answer:
    zone, given = call.one(Zone, "zoneid"), call["type"]
    kind = given.upper()
    if kind not in TYPES:
        raise ParameterError(
            f"The given heuristic type [{given}] is not valid for creating a new secondary storage selector. "
            f"The valid options are [{', '.join(TYPES)}]."
        )
    if call.cloud.store.table(SecondaryStorageSelector).first(zone=zone, type=kind) is not None:
        raise InternalError(
            f"There is already a heuristic rule in the specified {described(zone)} with the type [{given}]."
        )
    return call.cloud.store.add(
        SecondaryStorageSelector(
            name=call["name"], description=call["description"], zone=zone, type=kind, rule=_check_rule(call)
        )
    )


@family.command("updateSecondaryStorageSelector")
def update_selector(call: Call) -> Answer:
    selector = call.one(SecondaryStorageSelector)
    selector.rule = _check_rule(call)
    return selector


@family.command("removeSecondaryStorageSelector")
def remove_selector(call: Call) -> Answer:
    selector = call.get("id")
    if not isinstance(selector, SecondaryStorageSelector) or selector not in call.cloud.store:
        raise InternalError("Unable to find an active heuristic with the specified UUID.")
    call.cloud.store.remove(selector)
    return Success()


@family.command("listSecondaryStorageSelectors")
def list_selectors(call: Call) -> Answer:
    zone, kind = call.one(Zone, "zoneid"), call.get("type", "").lower()
    table = call.cloud.store.table(SecondaryStorageSelector)
    known = [*table, *(table.removed() if call.flag("showremoved") else ())]
    rows = [row for row in known if row.zone is zone and kind in ("", row.type.lower())]
    rows.sort(key=lambda row: row.number)
    return Listing(rows, len(rows))
