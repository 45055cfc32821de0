"""Known failures: those that have an issue stay visible with its link, and are no news until the entry expires."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.choose import AXES
from cs_matrix_pytest.outcomes.classify import NOT_COMPATIBLE, feature_outcome
from cs_matrix_pytest.outcomes.matrix import Cell, Evidence, Matrix, Share
from cs_matrix_pytest.outcomes.model import Outcome

FILE_NAME = "cs-known-failures.yaml"
SCHEMA_FILE = Path(__file__).with_name("cs-known-failures.schema.json")

_LINK = re.compile(r"https?://[\w.~:/?#@!$&()*+,;=%-]+\Z", re.ASCII)
"""The link is shown to be clicked on: no javascript:, and nothing that would end an attribute or a line."""

_GLOB = frozenset("*?[")
_SUITES = "test/integration/"


@dataclass(frozen=True)
class KnownFailure:
    """One entry: which test (or class, module, glob) where, the issue's link, and the last day on which it is no news.

    ``context`` is by axis of `outcomes.choose.AXES`; all must hold, values are globs. ``line`` is in the file.
    """

    test: str
    issue: str
    expires: date
    context: Mapping[str, str] = field(default_factory=dict)
    acs_version: str | None = None
    note: str | None = None
    line: int | None = None

    def names(self, test: str) -> bool:
        """Whether the entry is about this test, in some place."""
        # Parameters in square brackets make an id no glob.
        if self.test == test or test.startswith(tuple(f"{self.test}{mark}" for mark in ("::", "[", "/"))):
            return True
        return not _GLOB.isdisjoint(self.test) and fnmatchcase(test, self.test)

    def holds(self, acs_version: str, context: Context) -> bool:
        """Whether the entry is about this place, for the tests that it names."""
        return (self.acs_version is None or _fits(self.acs_version, acs_version)) and all(
            any(_fits(glob, value) for value in AXES[axis](context) if value) for axis, glob in self.context.items()
        )

    def expired(self, today: date) -> bool:
        """Whether it counts again."""
        return today > self.expires


@dataclass(frozen=True)
class KnownFailures:
    """A file of them; of several entries about a test the first that has not expired counts."""

    entries: tuple[KnownFailure, ...] = ()
    file: Path | None = None


def find_known_failures(start: Path) -> Path | None:
    """The nearest cs-known-failures.yaml in ``start`` or a folder above it."""
    from cs_matrix_pytest.environments.yaml_source import nearest

    return nearest(FILE_NAME, start)


def load_known_failures(path: Path | None) -> KnownFailures:
    """The entries of a file; none where ``path`` is None. Raises UserError with file, line and key."""
    if path is None:
        return KnownFailures()
    from cs_matrix_pytest.environments.validation import validate
    from cs_matrix_pytest.environments.yaml_source import Document, dotted, read_yaml

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    document: Document = read_yaml(path, "known-failures file", schema)
    validate(document, schema)

    def wrong(index: int, key: str, what: str, hint: str) -> UserError:
        where = ("failures", index, key)
        return UserError(what, file=path, line=document.line(where), key=dotted(where), hint=hint)

    def entry(index: int, data: dict[str, Any]) -> KnownFailure:
        if not _LINK.match(data["issue"]):
            raise wrong(index, "issue", "is not a link", "Write https://github.com/apache/cloudstack/issues/1234.")
        expires = _date(data["expires"])
        if expires is None:
            raise wrong(index, "expires", f"{data['expires']} is not a date", "Write 2027-01-31.")
        return KnownFailure(
            test=data["test"].removeprefix("./").removeprefix(_SUITES).rstrip("/"),
            issue=data["issue"],
            expires=expires,
            context=data.get("context", {}),
            acs_version=data.get("acs_version"),
            note=data.get("note"),
            line=document.line(("failures", index)),
        )

    return KnownFailures(tuple(entry(*each) for each in enumerate(document.value["failures"])), path)


def mark(matrix: Matrix, known: KnownFailures, today: date) -> Matrix:
    """The matrix with ``known`` set on the evidence that an entry accounts for; outcomes stay as they are. Pure."""
    if not known.entries:
        return matrix
    entries = _EntriesOf(known, matrix)

    def marked(evidence: Evidence, cell: Cell) -> Evidence:
        if evidence.outcome not in NOT_COMPATIBLE:
            return evidence
        entry = next((each for each in entries(evidence, cell) if not each.expired(today)), None)
        return replace(evidence, known=entry.issue) if entry else evidence

    def share(given: Share, cell: Cell) -> Share:
        return replace(given, evidence=tuple(marked(each, cell) for each in given.evidence))

    return replace(
        matrix,
        cells=tuple(
            replace(
                cell,
                total=share(cell.total, cell),
                by_environment={name: share(each, cell) for name, each in cell.by_environment.items()},
            )
            for cell in matrix.cells
        ),
    )


def account(matrix: Matrix, known: KnownFailures, today: date, *, whole: bool) -> Matrix:
    """`mark`, with `remarks` among the matrix's warnings. Pure."""
    marked = mark(matrix, known, today)
    return replace(marked, warnings=(*marked.warnings, *remarks(known, marked, today, whole=whole)))


def is_news(share: Share, outcomes: Container[Outcome]) -> bool:
    """Whether a share has one of these outcomes when its known failures are left out: what ``--fail-on`` asks."""
    unknown = Counter(evidence.outcome for evidence in share.evidence if evidence.known is None)
    return bool(unknown) and feature_outcome(unknown) in outcomes


def remarks(known: KnownFailures, matrix: Matrix, today: date, *, whole: bool) -> tuple[str, ...]:
    """What to mend in the file: entries that expired, whose tests pass by now, or that are about nothing. Pure.

    ``whole`` says that the matrix is of all records there are: an entry may be about what was left out.
    """
    entries = _EntriesOf(known, matrix)
    outcomes: dict[int, set[Outcome]] = {id(entry): set() for entry in known.entries}
    for cell in matrix.cells if known.entries else ():
        for evidence in cell.total.evidence:
            for entry in entries(evidence, cell):
                outcomes[id(entry)].add(evidence.outcome)
    found = ((entry, _remark(entry, outcomes[id(entry)], today, whole)) for entry in known.entries)
    return tuple(f"{known.file}:{entry.line}: known failure {entry.test}: {said}" for entry, said in found if said)


def _remark(entry: KnownFailure, outcomes: set[Outcome], today: date, whole: bool) -> str | None:
    if not outcomes:
        return "the records have no such test there; correct the entry, or remove it" if whole else None
    if outcomes & NOT_COMPATIBLE:
        return f"expired on {entry.expires}, so it counts again ({entry.issue})" if entry.expired(today) else None
    if Outcome.COMPATIBLE in outcomes:
        return f"passes by now; remove the entry ({entry.issue})"
    return None


class _EntriesOf:
    """The entries that are about a cell's evidence. A test is looked up once, however many cells it is in."""

    def __init__(self, known: KnownFailures, matrix: Matrix) -> None:
        self._known = known
        self._contexts = {key: Context.from_dict(context) for key, context in matrix.contexts.items()}
        self._naming: dict[str, tuple[KnownFailure, ...]] = {}

    def __call__(self, evidence: Evidence, cell: Cell) -> Iterator[KnownFailure]:
        naming = self._naming.get(evidence.test)
        if naming is None:
            naming = tuple(entry for entry in self._known.entries if entry.names(evidence.test))
            self._naming[evidence.test] = naming
        return (entry for entry in naming if entry.holds(cell.acs_version, self._contexts[cell.context]))


def _date(written: str) -> date | None:
    try:
        # Newer Pythons read more forms than this one.
        return date.fromisoformat(written) if re.fullmatch(r"\d{4}-\d\d-\d\d", written, re.ASCII) else None
    except ValueError:
        return None


def _fits(glob: str, value: str) -> bool:
    return fnmatchcase(value.lower(), glob.lower())
