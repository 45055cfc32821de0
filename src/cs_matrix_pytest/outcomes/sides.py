"""What a comparison sets against what: parts of the records by version, commit, run, environment, lab or context."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.choose import there_is
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION
from cs_matrix_pytest.outcomes.model import RecordedRun, Run, RunEnvironment
from cs_matrix_pytest.reports.escaping import printable

NEWEST = "newest"
"""``run:newest`` is the run that started last."""

_GLOB = frozenset("*?[")
_COMMIT = re.compile(r"[0-9a-fA-F]{4,}\Z")


class _Kind(NamedTuple):
    """What an environment of a run is called in one respect; several names where it goes by several."""

    names: Callable[[Run, str, RunEnvironment], tuple[str, ...]]
    same: str
    """What must be equal for two results to be comparable, beside the test: the ``context``, or the ``version``."""


KINDS: Mapping[str, _Kind] = {
    "version": _Kind(lambda _run, _name, seen: (seen.acs_version or UNKNOWN_VERSION,), "context"),
    "commit": _Kind(lambda _run, _name, seen: (seen.acs_commit,) if seen.acs_commit else (), "context"),
    "run": _Kind(lambda run, _name, _seen: (run.run,), "context"),
    "environment": _Kind(lambda run, name, _seen: (name, f"{run.lab}/{name}"), "version"),
    "context": _Kind(lambda _run, _name, seen: (Context.from_dict(seen.context).key,), "version"),
    "lab": _Kind(lambda run, _name, _seen: (run.lab,), "both"),
}
"""The kinds of sides, and the word before the colon: ``version:4.22.0.0``."""


@dataclass(frozen=True)
class Side:
    """One side: ``kind`` is a key of KINDS, ``value`` a name of that kind or a glob over them."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

    def run(self, run: Run) -> Run | None:
        """The run with only the environments that are on this side; None where none is."""
        names = KINDS[self.kind].names
        environments = {
            name: seen
            for name, seen in run.environments.items()
            if any(_fits(self.value, each) for each in names(run, name, seen))
        }
        return replace(run, environments=environments) if environments else None

    def part(self, records: Iterable[RecordedRun]) -> tuple[RecordedRun, ...]:
        """What of the records is on this side; runs with nothing on it are left out."""
        return tuple(
            replace(
                record,
                run=run,
                attempts=tuple(each for each in record.attempts if each.environment in run.environments),
                untested=tuple(each for each in record.untested if each.environment in run.environments),
            )
            for record in records
            if (run := self.run(record.run))
        )


def comparable(before: Side, after: Side) -> str:
    """What two results must have in common beside the test: ``context``, ``version`` or ``both``.

    Raises UserError where the sides are one, or of kinds that cannot be set against each other.
    """
    if before == after:
        raise UserError(f"both sides are {printable(str(before))}", hint="Name two that differ.")
    same = {KINDS[side.kind].same for side in (before, after)}
    if len(same) > 1:
        raise UserError(
            f"{printable(f'{before} and {after}')} cannot be compared: a difference could come from either",
            hint="Compare two versions, commits or runs, or two environments or contexts, or two labs; "
            "narrow both down with --acs-version, --environment or --context.",
        )
    return same.pop()


def resolve(written: str, records: Iterable[RecordedRun]) -> Side:
    """The side that a word of the command line names: ``kind:value``, or a value that only one kind has.

    The value may be a glob; a commit may be the beginning of one (four characters or more). Raises UserError where
    nothing in the records is called so, or several kinds are.
    """
    known = _known(records)
    kind, colon, value = written.partition(":")
    if colon and kind in KINDS:
        return _of_kind(kind, value, known)
    found = [kind for kind in KINDS if _matching(kind, written, known[kind])]
    if not found:
        ways = ", ".join(f"{kind}:…" for kind in KINDS)
        raise UserError(
            f"nothing in the records is called {written}",
            hint=f"{there_is(written, [name for names in known.values() for name in names])}\n  Sides: {ways}",
        )
    if len(found) > 1:
        ways = " or ".join(f"{kind}:{written}" for kind in found)
        raise UserError(f"{written} may be {' or '.join(found)}", hint=f"Write {ways}.")
    return _of_kind(found[0], written, known)


def _of_kind(kind: str, value: str, known: Mapping[str, Mapping[str, str]]) -> Side:
    if kind == "run" and value == NEWEST:
        return Side(kind, max(known[kind], key=lambda run: (known[kind][run], run)))
    found = _matching(kind, value, known[kind])
    if not found:
        raise UserError(f"no {kind} in the records is called {value}", hint=there_is(value, [*known[kind]]))
    if kind == "commit" and _GLOB.isdisjoint(value):
        if len(found) > 1:
            raise UserError(f"commit {value} is ambiguous", hint=f"It may be {_either(found)}.")
        return Side(kind, found[0])
    return Side(kind, value)


def _matching(kind: str, value: str, names: Iterable[str]) -> list[str]:
    if kind == "commit" and _COMMIT.match(value):
        exact = [name for name in names if name.lower() == value.lower()]
        return exact or [name for name in names if name.lower().startswith(value.lower())]
    return [name for name in names if _fits(value, name)]


def _known(records: Iterable[RecordedRun]) -> dict[str, dict[str, str]]:
    """By kind, what there is, each with the start of the newest run that has it."""
    known: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, name, started in _names(records):
        known[kind][name] = max(known[kind].get(name, ""), started)
    return {kind: dict(sorted(names.items())) for kind, names in known.items()}


def _names(records: Iterable[RecordedRun]) -> Iterator[tuple[str, str, str]]:
    for record in records:
        for name, seen in record.run.environments.items():
            for kind, names in KINDS.items():
                for each in names.names(record.run, name, seen):
                    yield kind, each, record.run.started


def _either(names: Iterable[str]) -> str:
    return " or ".join(map(printable, names))


def _fits(glob: str, name: str) -> bool:
    return glob == name or (not _GLOB.isdisjoint(glob) and fnmatchcase(name, glob))
