"""Every list command: scope, filters, tags, keyword, paging, once for all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator.access import Scoping, scoping
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.registry import Filter, Listing, ListSpec, Scope
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call

R = TypeVar("R", bound=Resource)

NOT_FILTERS = frozenset(
    [
        "page",
        "pagesize",
        "keyword",
        "listall",
        "isrecursive",
        "account",
        "domainid",
        "projectid",
        "tags",
        "showicon",
        "details",
        "response",
    ]
)
"""Parameters that scope, page or shape a list and never compare with an attribute of the same name."""

WITH_HIDDEN = frozenset(["listOsTypes"])
"""Lists that show what is not for display as well, unless ``fordisplay`` says; the others show it to nobody
(BaseListAccountResourcesCmd.getDisplay)."""

WITHOUT_TAG_FILTER = frozenset(["listBuckets", "listGlobalLoadBalancerRules", "listProjects", "listSharedFileSystems"])
"""Lists that have the parameter ``tags`` and take no notice of it."""


def run(call: Call, spec: ListSpec) -> Listing:
    """Answer a list command as its spec says."""
    rows: Iterable[Resource]
    if spec.scope is not Scope.OWNER:
        rows = call.cloud.store.table(spec.kind) if spec.rows is None else spec.rows(call)
    elif spec.rows is None:
        rows = owned(call, spec.kind, scoping(call))
    else:
        scope = scoping(call)
        rows = [row for row in spec.rows(call) if scope.admits(row.account)]  # type: ignore[attr-defined]
    return page(call, filtered(call, spec, rows))


def owned(call: Call, kind: type[R], scope: Scoping) -> list[R]:
    """What of a class a list can have: of the owners in its scope, and where there is an ``id`` only what it names."""
    table, named = call.cloud.store.table(kind), call.get("id")
    if named is None:
        return table.select("account", scope.admits)
    return [named] if named in table and scope.admits(named.account) else []


def filtered(call: Call, spec: ListSpec, rows: Iterable[Resource]) -> list[Resource]:
    """The rows that pass the request's filters, tags and keyword, in the order of the list."""
    chosen = list(rows)
    given = call.params
    if "fordisplay" in call.command.params and call.command.name not in WITH_HIDDEN:
        given = {"fordisplay": True, **given}
    for name, value in given.items():
        test = spec.filters.get(name) or (
            None if name in NOT_FILTERS else attribute_filter(spec.kind, name)  # type: ignore[arg-type]
        )
        if test is not None and value is not None:
            chosen = [row for row in chosen if test(row, value, call)]
    if call.get("tags"):
        chosen = list(filter(tag_filter(call), chosen))
    keyword = call.get("keyword")
    if keyword and spec.keyword:
        chosen = [row for row in chosen if _mentions(row, spec.keyword, keyword.lower())]
    return chosen[::-1] if spec.newest_first else chosen


def tag_filter(call: Call) -> Callable[[Resource], bool]:
    """The test of a list command's parameter ``tags``: one tag of many is enough, whatever the case of key and value, as
    the lists join ``resource_tags`` by OR and the database compares so.

    Raises InvalidParameterValue for a key without a value.
    """
    given = call.entries("tags")
    if not given or call.command.name in WITHOUT_TAG_FILTER:
        return lambda _row: True
    for tag in given:
        if "value" not in tag:
            raise InvalidParameterValue(f"No value is passed in for key {tag.get('key', 'null')}")
    wanted = {(tag.get("key", "").lower(), tag["value"].lower()) for tag in given}
    return lambda row: any((key.lower(), value.lower()) in wanted for key, value in row.tags.items())


def _mentions(row: Resource, attributes: tuple[str, ...], keyword: str) -> bool:
    return any(keyword in str(getattr(row, name, None) or "").lower() for name in attributes)


@cache
def attribute_filter(kind: type[Resource], parameter: str) -> Filter | None:
    """What a parameter compares with, by the attribute of that name: ``zoneid`` → ``zone``, ``displaytext`` →
    ``display_text``. None where the class has no such attribute."""
    names = {field.name for field in dataclasses.fields(kind)}
    names |= {name for base in kind.__mro__ for name, value in vars(base).items() if isinstance(value, property)}
    by_parameter = {name.replace("_", ""): name for name in names}
    if parameter in ("id", "ids"):
        return lambda row, value, _call: row in value if isinstance(value, list) else row is value
    if parameter == "fordisplay":
        parameter = "display"
    for candidate in (parameter, parameter.removesuffix("id"), f"is{parameter}", parameter.removeprefix("is")):
        attribute = by_parameter.get(candidate)
        if attribute is not None:
            return _comparison(attribute)
    return None


def _comparison(attribute: str) -> Filter:
    def matches(row: Any, value: Any, _call: Call) -> bool:
        mine = getattr(row, attribute)
        if isinstance(mine, str) and isinstance(value, str):
            return mine.lower() == value.lower()
        if isinstance(mine, list):
            return value in mine
        return bool(mine is value or mine == value)

    return matches


def check_paging(call: Call) -> None:
    """Raise what the real server says of a bad page or pagesize, before anything else is looked at."""
    for given, missing in (("page", "pagesize"), ("pagesize", "page")):
        if given in call and missing not in call:
            raise ParameterError(f'"{missing}" parameter is required when "{given}" is specified')
    most = int(call.cloud.configuration.number("default.page.size", default=500))
    if call.get("pagesize", 0) > most:
        raise InvalidParameterValue(f"Page size can't exceed max allowed page size value: {most}")


def page(call: Call, rows: list[Any]) -> Listing:
    """The page that was asked for, with the whole count; without paging, the first 500."""
    if "pagesize" not in call:
        return Listing(rows[: int(call.cloud.configuration.number("default.page.size", default=500))], len(rows))
    size = call["pagesize"]
    if size < 0:
        return Listing(rows, len(rows))
    start = max(call["page"] - 1, 0) * size
    return Listing(rows[start : start + size], len(rows))


def views(call: Call, rows: Iterable[Resource | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as the answer shows them."""
    return [dict(row) if isinstance(row, Mapping) else call.cloud.view(row, call) for row in rows]
