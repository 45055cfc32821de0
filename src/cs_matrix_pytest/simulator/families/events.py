"""Events: what happened, who did it, to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.capabilities import fixed_rows
from cs_matrix_pytest.simulator.families.jobs import resource_type
from cs_matrix_pytest.simulator.models.iam import AccountType
from cs_matrix_pytest.simulator.models.jobs import Event
from cs_matrix_pytest.simulator.parameters import UUID
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, when

family = Family("events")

INVALID = "Events, one or more parameters has invalid values"
STATES = ("Created", "Scheduled", "Started", "Completed")


@family.view(Event)
def event_view(event: Event, _call: Call) -> dict[str, Any]:
    resource: Any = event.resource if event.resource_kind else None
    return {
        "id": event.id,
        "username": event.user.username,
        "type": event.type,
        "level": event.level,
        "description": event.description,
        **owner_fields(event.account),
        "resourceid": resource.id if resource else None,
        "resourcetype": event.resource_kind if resource else None,
        "resourcename": getattr(resource, "name", None),
        "created": when(event.created),
        "state": event.state,
        "parentid": event.parent.id if event.parent else None,
        "archived": True if event.archived else None,
    }


FILTERS: dict[str, Callable[[Event, Any], bool]] = {
    "startid": lambda event, first: event is first or event.parent is first,
    "type": lambda event, value: event.type == value,
    "level": lambda event, value: event.level == value,
    "state": lambda event, value: event.state == value,
    "startdate": lambda event, moment: event.created >= moment,
    "enddate": lambda event, moment: event.created <= moment,
    "resource": lambda event, resource: event.resource is resource,
    "resourcetype": lambda event, value: (event.resource_kind or "").lower() == value.lower(),
    "archived": lambda event, value: event.archived is value,
    "keyword": lambda event, value: any(
        value.lower() in text.lower() for text in (event.type, event.description, event.level)
    ),
}


@family.command("listEvents")
def list_events(call: Call) -> Answer:
    resource_type(call)
    resource = _resource(call)
    state = (call.get("state") or "").strip() or None
    if state is not None and state not in STATES:
        raise InvalidParameterValue(f"Invalid state specified: {state}")
    archived = None if "id" in call else call.flag("archived")
    asked = {**call.params, "state": state, "resource": resource, "archived": archived}
    rows = listing.owned(call, Event, scoping(call))
    for name, test in FILTERS.items():
        if (value := asked.get(name)) is not None:
            rows = [row for row in rows if test(row, value)]
    if "entrytime" in call and "duration" in call:
        rows = []
    # Newest second first; what happened within one second stays in its order.
    return listing.page(call, sorted(rows, key=lambda row: -row.created.timestamp()))


def _resource(call: Call) -> Resource | None:
    id = call.get("resourceid")
    if id is None:
        return None
    if "resourcetype" not in call:
        raise InvalidParameterValue("resourceid parameter must be used with resourcetype parameter")
    if UUID.fullmatch(id):
        for kind in call.cloud.registry.views:
            found = call.cloud.store.table(kind).get(id, removed=True)
            if found is not None:
                check_access(call.cloud, call.account, found, "ListEntry")
                return found
    raise InvalidParameterValue("Invalid resourceid")


@family.command("listEventTypes", object_name="eventtype")
def list_event_types(_call: Call) -> Answer:
    rows = fixed_rows("listEventTypes")
    return {"count": len(rows), "eventtype": rows}


def _chosen(call: Call) -> list[Event] | None:
    """The events that an archival or deletion means, among those of the caller; None where an id is of none."""
    account, ids = call.account, call.get("ids")
    if not ids and "type" not in call and "enddate" not in call:
        raise InvalidParameterValue("either ids, type or enddate must be specified")
    if "startdate" in call and "enddate" not in call:
        raise InvalidParameterValue("enddate must be specified with startdate parameter")
    alone = account.type in (AccountType.NORMAL, AccountType.PROJECT)
    rows = call.cloud.store.table(Event).where(
        lambda row: (
            (row.account is account if alone else account.domain.contains(row.account.domain))
            and not row.archived
            and (not ids or row in ids)
            and row.type == call.get("type", row.type)
            and ("startdate" not in call or row.created >= call["startdate"])
            and ("enddate" not in call or row.created <= call["enddate"])
        )
    )
    return None if ids and len(rows) < len(ids) else rows


@family.command("archiveEvents")
def archive_events(call: Call) -> Answer:
    rows = _chosen(call)
    if rows is None:
        raise InternalError(f"Unable to archive {INVALID}", cs_code=9999)
    for row in rows:
        row.archived = True
    return Success()


@family.command("deleteEvents")
def delete_events(call: Call) -> Answer:
    rows = _chosen(call)
    if rows is None:
        raise InternalError(f"Unable to delete {INVALID}", cs_code=9999)
    for row in rows:
        call.cloud.store.remove(row)
    return Success()
