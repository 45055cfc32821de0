"""What ``--cs-list-tags`` shows: tags with their markers, attributes with their values, how many tests have each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cs_matrix_pytest.selection.attributes import bare_names_of, tags_of, values_of
from cs_matrix_pytest.selection.markers import marker_name


@dataclass(frozen=True)
class TagRow:
    """`count` tests carry `tag`, selected by ``-m marker``. A bare name (``simulator_only``) is a row as well."""

    tag: str
    marker: str
    count: int


@dataclass(frozen=True)
class ValueRow:
    """`count` tests have attribute `name` with the value that `value` shows as Python would."""

    name: str
    value: str
    count: int


@dataclass(frozen=True)
class TagTable:
    """Rows by falling count, then by name; `tests` is how many tests were counted, with and without attributes."""

    tags: tuple[TagRow, ...]
    attributes: tuple[ValueRow, ...]
    tests: int


def tag_table(tests: Iterable[Mapping[str, object]]) -> TagTable:
    """Counts over the attributes of tests (`attributes.attributes_of`), one mapping per test."""
    tags: Counter[str] = Counter()
    values: Counter[tuple[str, str]] = Counter()
    number = 0
    for attributes in tests:
        number += 1
        tags.update({*tags_of(attributes), *bare_names_of(attributes)})
        others = {name: value for name, value in attributes.items() if name != "tags"}
        values.update({(name, repr(member)) for name, value in others.items() for member in values_of(value)})
    return TagTable(
        tuple(TagRow(tag, marker_name(tag), count) for tag, count in sorted(tags.items(), key=_falling)),
        tuple(
            ValueRow(*key, count) for key, count in sorted(values.items(), key=lambda row: (row[0][0], *_falling(row)))
        ),
        number,
    )


def render(table: TagTable) -> list[str]:
    """The table as lines of text: tags first, then attributes."""
    lines = [f"{_counted(len(table.tags), 'tag')} in {_counted(table.tests, 'test')}"]
    lines += _columns(("tests", "tag", "-m"), [(str(row.count), row.tag, row.marker) for row in table.tags])
    names = {row.name for row in table.attributes}
    lines += ["", f"{_counted(len(names), 'attribute')} besides tags"]
    values = [(str(row.count), row.name, row.value) for row in table.attributes]
    return lines + _columns(("tests", "attribute", "value"), values)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _falling(row: tuple[object, int]) -> tuple[int, object]:
    return -row[1], row[0]


def _columns(head: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> list[str]:
    if not rows:
        return []
    first, second = (max(len(row[column]) for row in [head, *rows]) for column in (0, 1))
    return [f"  {count:>{first}}  {name:<{second}}  {value}".rstrip() for count, name, value in [head, *rows]]
