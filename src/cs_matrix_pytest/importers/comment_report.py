"""What a result comment says, as plain data: reports with their counts and rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cs_matrix_pytest.outcomes.model import AttemptOutcome

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s?([a-z]*)", re.IGNORECASE)
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

LAB = "trillian"
"""Whose results they are unless a comment or the command line says otherwise."""

RESULT, BUILD_FAILED, PACKAGING = "result", "build-failed", "packaging"


@dataclass(frozen=True)
class Row:
    """A line of a result table.

    ``name`` is the test's, or the class's whose set-up or teardown it is, or empty where it is about the whole module;
    ``class_name`` is a test's class where the table says it; ``file`` the test file as it is written, if there is such a
    column; ``suite`` what the counts above the row are of; ``phase`` where it ended; ``loaded`` is False where the
    module could not even be imported.
    """

    name: str
    outcome: AttemptOutcome
    seconds: float = 0.0
    file: str | None = None
    level: str = "test"
    phase: str = "call"
    class_name: str | None = None
    loaded: bool = True
    suite: str | None = None


@dataclass(frozen=True)
class Count:
    """A line that counts modules, or what ``level`` says: ``suite`` in lower case (``smoke``, ``component`` …)."""

    suite: str | None = None
    ok: int | None = None
    failed: int | None = None
    did_not_run: int | None = None
    level: str = "module"

    @property
    def says(self) -> bool:
        """Whether it has a number at all."""
        return not self.ok is self.failed is self.did_not_run is None


@dataclass(frozen=True)
class Report:
    """One result as a comment says it; None and empty: the comment does not say.

    ``environment`` is the lab's name for it (``kvm-ol8``); ``networking`` and ``management_os`` as written, storage by
    the words of a context; ``bot`` is whose report it is, ``job`` the number there, ``server`` what stands in brackets before the title; ``unread``
    are lines of a table that make no sense.
    """

    kind: str
    title: str = ""
    bot: str = LAB
    job: int | None = None
    server: str | None = None
    pull_request: int | None = None
    environment: str | None = None
    hosts: int | None = None
    networking: str | None = None
    management_os: str | None = None
    storage_scope: str | None = None
    storage_protocol: str | None = None
    extras: tuple[str, ...] = ()
    acs_version: str | None = None
    seconds: float | None = None
    counts: tuple[Count, ...] = ()
    intermittent: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    unread: tuple[str, ...] = ()


_FIXTURE = re.compile(r"context\s?=\s?(?P<context>[^\s|]{1,300}?)>?:(?P<fixture>\w{1,30})")
_PHASES = {"setup": "setup-class", "teardown": "teardown"}
_DOTTED = re.compile(r"(?P<test>[^\s()]{1,300}) ?\((?P<place>[A-Za-z_][\w.]{0,300})\)")
_LOAD_FAILURES = frozenset({"runtest", "failure", "nose.failure.failure.runtest", "failure.runtest"})
"""What nose calls the case that stands for a module which could not be loaded."""


def about(row: Row, *, timed: bool) -> Row:
    """The row with what it is about: a test, a class's set-up or teardown, or all of a module."""
    stem = stem_of(row.file)
    if fixture := _FIXTURE.search(row.name):
        name = fixture["context"].rstrip(">").rpartition(".")[2]
        phase = _PHASES.get(fixture["fixture"].lower(), "call")
        whole = name == stem or name.startswith("test_")
        return replace(row, name="" if whole and row.file else name, level="module" if whole else "class", phase=phase)
    if row.name.lower() in _LOAD_FAILURES and row.file:
        return replace(row, name="", level="module", loaded=row.outcome is AttemptOutcome.PASSED)
    if row.file and row.name.lower() in (f"all_{stem}".lower(), "all", "all tests", f"all tests in {row.file}".lower()):
        outcome = row.outcome
        if outcome is AttemptOutcome.SKIPPED and not timed:
            # The bot's way to say that a module never got its turn.
            outcome = AttemptOutcome.BLOCKED
        return replace(row, name="", level="module", outcome=outcome)
    if dotted := _DOTTED.fullmatch(row.name):
        return replace(row, name=dotted["test"], class_name=_class_in(dotted["place"]))
    # A parameter may have dots of its own.
    written, bracket, parameters = row.name.partition("[")
    place, dot, name = written.rpartition(".")
    if dot and re.fullmatch(r"[\w.]+", written) and (name.startswith("test") or (name and _class_in(place))):
        return replace(row, name=f"{name}{bracket}{parameters}", class_name=_class_in(place))
    return row


def stem_of(file: str | None) -> str:
    """The name of a test file, without its folder and ``.py``."""
    return (file or "").replace("\\", "/").rpartition("/")[2].removesuffix(".py")


def _class_in(place: str) -> str | None:
    last = place.rpartition(".")[2]
    return last if last[:1].isupper() else None


def duration(value: str) -> float | None:
    """Seconds, of ``51200 seconds``, ``1h 2m 3s``, ``157.72``; None where no time is said."""
    parts = [
        float(number) * _SECONDS[unit[:1].lower()]
        for number, unit in _DURATION.findall(THOUSANDS.sub("", value))
        if unit[:1].lower() in _SECONDS
    ]
    return sum(parts) if parts else None
