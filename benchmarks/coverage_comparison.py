"""A session over upstream's selection beside what a real server gave: what differs, and why."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.upstream_selection import Result

WORDS = {"failure": "failed", "error": "errored"}
"""xunit's words for outcomes, and ours."""

CLASS_LEVEL = re.compile(r"ContextSuite context=(?P<cls>\w+)>:(?P<part>setup|teardown)")
"""How nose names the set-up and the tear-down of a class."""

REASONS = (
    ("missing command", re.compile(r"(?P<what>\w+) is served by CloudStack but has no behaviour")),
    ("needs SSH", re.compile(r"needs SSH:|SshClient|Unable to (?:connect|login) .*ssh", re.IGNORECASE)),
    (
        "needs SQL",
        re.compile(r"This simulator(?:'s database does not|\s+can(?:not| insert))\b|\bMySQL\b|mysql\.connector"),
    ),
    ("needs a package", re.compile(r"No module named '?(?P<what>[\w.]+)|(?P<pip>pip install '[^']+')")),
)
"""What a message says about why a test did not pass here, the first that fits."""

ALONE = "passes alone"
"""The test passes where nothing but its suite runs: what others leave, or do meanwhile, is in its way."""

SETUP = {"setup-class", "setup"}


@dataclass(frozen=True)
class Recorded:
    """What a real server gave. ``bound``: it did not pass for reasons of that run, so that it says nothing."""

    result: Result
    seconds: float = 0.0
    bound: bool = False


@dataclass(frozen=True)
class Difference:
    """A test whose result is not the recorded one, and why."""

    test: str
    there: str
    here: str
    reason: str
    message: str


def read_results(file: Path) -> dict[str, Recorded]:
    """The rows of a recording's results.csv by test; the set-up of a class is ``suite.py::Class``.

    A suite that ran twice has its first result that passed. Tear-downs of classes are left out: nothing was tested there.
    """
    found: dict[str, Recorded] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            of_class = CLASS_LEVEL.fullmatch(row["test"])
            if of_class and of_class["part"] == "teardown":
                continue
            name = of_class["cls"] if of_class else f"{row['class']}::{row['test']}"
            outcome = WORDS.get(row["result"], row["result"])
            result = Result(outcome, "setup-class" if of_class else "call", row["message"])
            test = f"{row['suite']}.py::{name}"
            if test not in found or outcome == "passed":
                found[test] = Recorded(result, float(row["seconds"] or 0), row["environment_bound"] == "yes")
    return found


def spread(recorded: Mapping[str, Recorded], tests: Iterable[str]) -> dict[str, Recorded]:
    """The recording with the result of a class's set-up given to each of its ``tests``."""
    found = {test: each for test, each in recorded.items() if test.count("::") == 2}
    for test in tests:
        of_class = recorded.get(test.rpartition("::")[0])
        if of_class and test not in found:
            found[test] = of_class
    return found


def differences(
    recorded: Mapping[str, Recorded], results: Mapping[str, Result], alone: Mapping[str, Result] | None = None
) -> Iterator[Difference]:
    """The recorded tests whose result is another here; failures and errors are one. ``alone``: see `reason`."""
    for test, there in sorted(recorded.items()):
        here = results.get(test, Result("not run"))
        if _kind(there.result.outcome) != _kind(here.outcome):
            yield Difference(
                test, there.result.outcome, here.outcome, reason(here, there, (alone or {}).get(test)), here.message
            )


def unrecorded(recorded: Mapping[str, Recorded], results: Mapping[str, Result]) -> dict[str, Result]:
    """What the recording says nothing of."""
    return {test: result for test, result in sorted(results.items()) if test not in recorded}


def _kind(outcome: str) -> str:
    return "failed" if outcome in ("failed", "errored", "blocked") else outcome


def failing(recorded: Mapping[str, Recorded], results: Mapping[str, Result]) -> list[str]:
    """The tests that fail here though a real server passes or skips them, or may."""
    return sorted(
        test
        for test, here in results.items()
        if _kind(here.outcome) == "failed"
        and (test not in recorded or recorded[test].result.outcome in ("passed", "skipped"))
    )


def reason(here: Result, there: Recorded | None = None, alone: Result | None = None) -> str:
    """Why a result is as it is: one of `REASONS`, that it says nothing about the simulator, or a failed set-up.

    ``alone`` is the test's result where nothing but its suite ran.
    """
    if there is not None and there.bound:
        return "environment-bound there"
    if alone is not None and alone.outcome == "passed":
        return ALONE
    for name, pattern in REASONS:
        if said := pattern.search(here.message):
            what = next((text for text in said.groupdict().values() if text), None)
            return f"{name}: {what}" if what else name
    if here.outcome == "not run":
        return "not among the tests of this tree"
    if here.phase in SETUP and _kind(here.outcome) == "failed":
        return "set-up failed"
    return "skips itself" if here.outcome == "skipped" else "other"


def totals(recorded: Mapping[str, Recorded], results: Mapping[str, Result]) -> Counter[tuple[str, str]]:
    """How many recorded tests had one kind of result there and one here."""
    return Counter(
        (_kind(there.result.outcome), _kind(results.get(test, Result("not run")).outcome))
        for test, there in recorded.items()
    )
