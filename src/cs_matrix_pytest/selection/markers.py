"""Attributes as pytest markers, and back: the one module of selection that builds pytest objects."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.selection.attributes import bare_names_of, tags_of, values_of

if TYPE_CHECKING:
    from cs_matrix_pytest.selection.applicability import Rule

ATTR_MARKER = "attr"
ATTR_REGISTRATION = "attr(**attributes): all attributes of a test; -m \"attr(tags='advanced')\" selects by one of them"

RESERVED = frozenset(
    {"attr", "filterwarnings", "skip", "skipif", "tryfirst", "trylast", "usefixtures", "xfail"}
    | {"parametrize", "parameterize", "parametrise", "parameterise"}
    | {"anyio", "asyncio", "dependency", "django_db", "flaky", "forked", "order", "repeat", "timeout", "trio"}
    | {"xdist_group"}
)
"""Markers by which pytest or a common plugin treats a test differently: a tag of that name must not do so."""


class AnyOf(list[Any]):
    """A list that equals each of its members: pytest compares a marker's argument by ``==``, tags mean membership."""

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) if isinstance(other, list) else other in iter(self)

    def __ne__(self, other: object) -> bool:
        return not self == other


def marker_name(tag: str) -> str:
    """The marker for a tag: what no identifier can have becomes ``_``; what pytest could not use gets ``tag_``.

    ``quick-test`` → ``quick_test``; ``3tier`` → ``tag_3tier``; ``not`` → ``tag_not``; ``skip`` → ``tag_skip``.
    """
    name = re.sub(r"\W", "_", tag)
    if not name[:1].isalpha() or keyword.iskeyword(name) or name in RESERVED:
        return f"tag_{name.lstrip('_')}"
    return name


def marker_names(attributes: Mapping[str, object]) -> list[str]:
    """Names of the markers that the tags and the bare names (value True) of a test become, each once."""
    return list(dict.fromkeys(map(marker_name, [*tags_of(attributes), *bare_names_of(attributes)])))


def registration(name: str) -> str:
    """The line for pytest's ini option ``markers`` that makes marker `name` known (``--strict-markers``)."""
    return f"{name}: tests with a tag or an attribute of this name"


def registrations(rules: Iterable[Rule]) -> list[str]:
    """Lines as of `registration` for ``attr`` and what `rules` know, for native tests to mark themselves with."""
    conditions = [condition for rule in rules for condition in rule.when.items()]
    tags = [tag for name, values in conditions if name == "tags" for tag in sorted(values)]
    bare = [name for name, values in conditions if name != "tags" and "true" in values]
    return [ATTR_REGISTRATION, *map(registration, dict.fromkeys(map(marker_name, [*tags, *bare])))]


def marks_for(attributes: Mapping[str, object]) -> list[pytest.MarkDecorator]:
    """The markers of a test: ``attr`` with all attributes, then each of `marker_names`; none without attributes.

    Their names must be registered before (`registration`, `ATTR_REGISTRATION`): pytest checks that as they are built.
    """
    if not attributes:
        return []
    carried = {name: AnyOf(values_of(value)) if _is_many(value) else value for name, value in attributes.items()}
    return [
        getattr(pytest.mark, ATTR_MARKER).with_args(**carried),
        *(getattr(pytest.mark, name) for name in marker_names(attributes)),
    ]


def attributes_from_marks(marks: Iterable[pytest.Mark]) -> dict[str, object]:
    """The attributes that a native pytest test has by its markers, closest marker first (as ``item.iter_markers()``).

    Keyword arguments of ``attr`` count as they are, the closest winning. A marker without arguments, unless it is
    pytest's own, counts both as a tag and as a bare name: ``@pytest.mark.simulator_only`` says ``simulator_only=True``.
    """
    named: dict[str, object] = {}
    plain: list[str] = []
    for mark in marks:
        if mark.name == ATTR_MARKER:
            named = {**dict.fromkeys(map(str, mark.args), True), **mark.kwargs, **named}
        elif mark.name not in RESERVED and not mark.args and not mark.kwargs:
            plain.append(mark.name)
    tags = list(dict.fromkeys([*tags_of(named), *plain]))
    found = {name: list(value) if isinstance(value, AnyOf) else value for name, value in named.items()}
    return {**dict.fromkeys(plain, True), **found, **({"tags": tags} if tags else {})}


def _is_many(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset)
