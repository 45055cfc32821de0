"""Which part of the records a question is about: by version, environment, context, feature, date and run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from cs_matrix_pytest.environments.model import Context
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
from cs_matrix_pytest.outcomes.matrix import UNKNOWN_VERSION
from cs_matrix_pytest.outcomes.model import Attempt, RecordedRun, Run, RunEnvironment, Untested
from cs_matrix_pytest.reports.escaping import printable

AXES: Mapping[str, Callable[[Context], tuple[str | None, ...]]] = {
    "hypervisor": lambda context: (context.hypervisor.type,),
    "hypervisor.version": lambda context: (context.hypervisor.version,),
    "networking": lambda context: (context.networking,),
    "storage.scope": lambda context: (context.storage.scope,),
    "storage.protocol": lambda context: (context.storage.protocol,),
    "management_os": lambda context: (context.management_os,),
    "extras": lambda context: context.extras,
    "key": lambda context: (context.key,),
}
"""What ``--context AXIS=VALUE`` may name, and a context's values there; ``key`` is the context as reports write it."""

_NAMED_AT_MOST = 12
"""How many known values a message lists before it says how many more there are."""


@dataclass(frozen=True)
class Choice:
    """What a question is about. Empty means everything; several values of one field are alternatives, fields are ANDed.

    All values but the moments are shell-style globs, matched without regard to case. ``contexts`` are (axis, glob)
    pairs, alternatives within one axis, ANDed between axes. ``since`` and ``until`` (inclusive) are about the start of
    the run: ISO 8601 UTC, or the beginning of one, such as a date.
    """

    acs_versions: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    """An environment's name, or ``lab/name``."""
    contexts: tuple[tuple[str, str], ...] = ()
    features: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __bool__(self) -> bool:
        return self != Choice()

    def feature(self, feature: str) -> bool:
        """Whether a feature (by its id) is asked for."""
        return _matches(self.features, feature)

    def run(self, run: Run) -> Run | None:
        """The run with only the environments that are asked for; None where none is, or it is out of the dates."""
        if not _matches(self.runs, run.run) or not self._in_time(run.started):
            return None
        if not (self.acs_versions or self.environments or self.contexts):
            return run
        chosen = {
            name: environment for name, environment in run.environments.items() if self._seen(run, name, environment)
        }
        return replace(run, environments=chosen) if chosen else None

    def _in_time(self, started: str) -> bool:
        moment = started.rstrip("Z")
        after = self.since is None or moment >= self.since.rstrip("Z")
        before = self.until is None or moment[: len(until := self.until.rstrip("Z"))] <= until
        return after and before

    def _seen(self, run: Run, name: str, environment: RunEnvironment) -> bool:
        if not _matches(self.acs_versions, environment.acs_version or UNKNOWN_VERSION):
            return False
        if not _matches(self.environments, name, f"{run.lab}/{name}"):
            return False
        context = Context.from_dict(environment.context)
        axes = {axis for axis, _ in self.contexts}
        return all(
            _matches([glob for axis, glob in self.contexts if axis == wanted], *filter(None, AXES[wanted](context)))
            for wanted in axes
        )


def choose(records: Iterable[RecordedRun], choice: Choice, catalogue: FeatureCatalogue) -> tuple[RecordedRun, ...]:
    """The records with only the runs, environments and tests that are asked for: a matrix of them knows of no others.

    Pure. Raises UserError where a value of the choice fits nothing in the records (with what there is), or where
    nothing fits all of them.
    """
    records = tuple(records)
    if not choice or not records:
        return records
    features = {test: catalogue.feature_of(test).id for record in records for test in _tests(record)}
    check(choice, (record.run for record in records), features.values())
    chosen = tuple(_part(record, run, choice, features) for record in records if (run := choice.run(record.run)))
    if not chosen:
        raise nothing_fits()
    return chosen


def check(choice: Choice, runs: Iterable[Run], features: Iterable[str]) -> None:
    """Raises UserError for the first value of the choice that fits nothing there is, with what there is.

    ``features`` are the ids of those that the records have evidence for.
    """
    runs = tuple(runs)
    environments = [(run, name, environment) for run in runs for name, environment in run.environments.items()]
    contexts = [Context.from_dict(environment.context) for _, _, environment in environments]

    _known("--run", choice.runs, (run.run for run in runs))
    _known("--acs-version", choice.acs_versions, (each.acs_version or UNKNOWN_VERSION for _, _, each in environments))
    in_labs = {f"{run.lab}/{name}" for run, name, _ in environments}
    _known("--environment", choice.environments, {name for _, name, _ in environments}, in_labs)
    for axis, glob in choice.contexts:
        values = {value for context in contexts for value in AXES[axis](context) if value}
        _known(f"--context {axis}", [glob], values)
    _known("--feature", choice.features, features)


def nothing_fits() -> UserError:
    """What to say where each value fits something, and nothing fits all of them."""
    return UserError(
        "no run record fits all of these options together",
        hint="Leave one of them out: --acs-version, --environment, --context, --since, --until, --run.",
    )


def _known(option: str, globs: Iterable[str], known: Iterable[str], also: Iterable[str] = ()) -> None:
    values = sorted(set(known))
    for glob in globs:
        if not any(_matches([glob], value) for value in (*values, *also)):
            raise UserError(f"{option}: nothing in the records is called {glob}", hint=there_is(glob, values))


def there_is(glob: str, values: list[str]) -> str:
    """What the records have instead of what was asked for: the likely meaning first."""
    if not values:
        return "The records say nothing of it."
    by_lower = {value.lower(): value for value in values}
    near = [by_lower[each] for each in difflib.get_close_matches(glob.lower(), by_lower, n=3)]
    meant = f"Did you mean {' or '.join(map(printable, near))}? " if near else ""
    listed = ", ".join(map(printable, values[:_NAMED_AT_MOST]))
    more = f" and {len(values) - _NAMED_AT_MOST} more" if len(values) > _NAMED_AT_MOST else ""
    return f"{meant}There is {listed}{more}."


def _matches(globs: Iterable[str], *values: str) -> bool:
    globs = tuple(globs)
    return not globs or any(fnmatchcase(value.lower(), glob.lower()) for glob in globs for value in values)


def _tests(record: RecordedRun) -> set[str]:
    return {attempt.test for attempt in record.attempts} | {untested.test for untested in record.untested}


def _part(record: RecordedRun, run: Run, choice: Choice, features: Mapping[str, str]) -> RecordedRun:
    def stays(line: Attempt | Untested) -> bool:
        return line.environment in run.environments and choice.feature(features[line.test])

    return replace(
        record,
        run=run,
        attempts=tuple(filter(stays, record.attempts)),
        untested=tuple(filter(stays, record.untested)),
    )


DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?\Z")
"""How ``--since`` and ``--until`` are written."""
