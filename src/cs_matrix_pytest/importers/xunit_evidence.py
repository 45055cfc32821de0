"""What the cases of an xunit file say, as lines of a run record: for every runner's way to write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache

from cs_matrix_pytest.importers import naming
from cs_matrix_pytest.importers.failures import masked, read_failure, told
from cs_matrix_pytest.importers.naming import Place, name_of, place_of
from cs_matrix_pytest.importers.stated import UNKNOWN, Stated, moment_of
from cs_matrix_pytest.importers.xunit_cases import Case, Result, Suite
from cs_matrix_pytest.importers.xunit_reruns import Reruns
from cs_matrix_pytest.matrix.naming import without_environment
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Line, Reason, ReasonCode, Untested

_LONGEST_TEST = 1e8
"""Seconds; a time beyond it is no time."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_PLACES_KEPT = 10_000
_LONGEST_CLASS = 1000
_WAITING = 1000
_TEXT_KEPT = 4000
_MOST_ENVIRONMENTS = 500
"""Environments that the brackets of one report may name; those of the next are parameters."""

# What nose, unittest and pytest report in place of a test.
_NOSE_CONTEXT = re.compile(r"(?:<nose\.suite\.)?ContextSuite context=(?P<context>[^>]*)>:(?P<phase>setup|teardown)\Z")
_UNITTEST_CONTEXT = re.compile(r"(?P<phase>setUp|tearDown)(?:Class|Module) \((?P<context>[\w.]+)\)\Z")
_NOSE_IMPORT = "nose.failure.Failure"
_PYTEST_COLLECTION = ("collection failure", "collection skipped")
_PYTEST_BROKE = ("pytest", "internal")
_CANNOT_BE_USED = re.compile(r"environment \S+ cannot be used: ")

_NOT_RUN = frozenset({"notrun", "disabled", "suppressed", "skipped"})
"""Values of a case's ``status`` or ``result`` (GoogleTest's among them) that say that it was not run."""
_WENT_BADLY = {
    **dict.fromkeys(("fail", "failed", "failure"), "failure"),
    **dict.fromkeys(("error", "errored", "aborted", "timeout", "broken"), "error"),
}
"""Values of the same that say how it went, where no element does → the element that would."""
_FINAL = frozenset({"failure", "error"})
_BAD = _FINAL | {"flakyFailure", "flakyError", "rerunFailure", "rerunError", "rerun"}

_THOUSANDS = re.compile(r"\s*\d{1,3}(?:,\d{3})+(?:\.\d*)?\s*\Z")
_ENVIRONMENT = re.compile(r"(?P<name>.*?)\[(?P<parameters>[^\]]+)\](?:@.*)?\Z", re.DOTALL)


class Evidence:
    """Turns the cases of one report into lines of a record.

    ``started`` stands where the report has no times; the cases of a suite follow each other from its beginning.
    ``report`` is the report's file name, which may name the module. The modules met are added to ``modules``. After reading, ``started`` is the earliest time of
    the report and ``environments`` are those that it names.
    """

    def __init__(
        self,
        stated: Stated,
        started: str,
        report: str = "",
        environment: str | None = None,
        modules: set[str] | None = None,
    ) -> None:
        self.environments: dict[str, None] = {}
        self._all_modules = set() if modules is None else modules
        self.started = started
        self._stated = stated
        self._report = report
        self._environment = environment or stated.name_of()
        self._fallback = _seconds_of(started)
        self._earliest: float | None = None
        self._timestamp: str | None = None
        self._clock = self._fallback
        self._places: dict[tuple[str, str | None], tuple[Place, str]] = {}
        self._modules: dict[str | None, None] = {}
        self._classes: dict[str, str | None] = {}
        self._named = {stated.environment} if stated.environment else set()
        self._waiting: list[tuple[Case, re.Match[str], float, float]] = []
        self._before: tuple[str, str] | None = None
        self._reruns = Reruns()

    def of(self, cases: Iterable[Case]) -> Iterator[Line]:
        """The lines of some cases."""
        for case in cases:
            attributes, suite, results = case
            name = name_of(attributes.get("name", ""))
            classname = attributes.get("classname", "")
            seconds = _duration(attributes.get("time") or attributes.get("duration"))
            began = attributes.get("timestamp")
            if began is not None:
                self._begin(began)
                self._timestamp = began
            elif suite.timestamp != self._timestamp:
                self._timestamp = suite.timestamp
                self._begin(suite.timestamp)
            clock = self._clock
            self._clock = clock + seconds

            if suite.by_pytest:
                if suite is not self._reruns.suite:
                    yield from self._reruns.begin(suite)
                self._reruns.uncounted += 1
            context = None
            if classname.startswith("<nose") or name.startswith("ContextSuite"):
                # nose cuts at the last dot, which may be one in a module's name.
                context = _NOSE_CONTEXT.match(f"{classname}.{name}") or _NOSE_CONTEXT.match(name)
            elif name.startswith(("setUp", "tearDown")):
                context = _UNITTEST_CONTEXT.match(name)
            if context is not None:
                yield from self._context(case, context, clock, seconds)
                continue
            if results and (classname, name) == _PYTEST_BROKE:
                continue
            if results and (module := self._uncollected(classname, name, results[0])):
                yield from module
                continue

            place, prefix = self._place(classname, attributes.get("file"))
            environment = self._environment
            if name.endswith("]") or "]@" in name:
                name, environment = self._split(name, place)
            elif environment not in self.environments:
                self.environments[environment] = None
            test = f"{prefix}::{name or UNKNOWN}"
            if suite.by_pytest:
                self._reruns.met(test, environment)
            if results or "status" in attributes or "result" in attributes:
                yield from self._told(case, test, environment, clock, seconds)
            else:
                self._before = None
                passed = Attempt(test, environment, AttemptOutcome.PASSED, _instant(clock), seconds)
                ready = self._reruns.hold(passed) if suite.by_pytest else passed
                if ready is not None:
                    yield ready

    def rest(self) -> Iterator[Line]:
        """The lines that needed the whole report: of classes whose module only its other cases name, and of tests that
        may have been run again."""
        waiting, self._waiting = self._waiting, []
        for case, context, clock, seconds in waiting:
            place = self._context_place(context["context"])
            yield from self._of_context(case, context["phase"], place, clock, seconds)
        yield from self._reruns.rest()
        if self._earliest is not None:
            self.started = _instant(self._earliest)

    def told(self, name: str, place: Place, result: Result | None) -> Iterator[Line]:
        """The lines of a test, or (``name`` empty) of a class's or module's own set-up or clean-up."""
        case = Case({}, Suite(), (result,) if result else ())
        environment = self._here(self._environment)
        if name:
            test = "::".join(filter(None, (place.id, name_of(name))))
            yield from self._told(case, test, environment, self._clock, 0.0)
        else:
            yield from self._of_context(case, "setup", place, self._clock, 0.0)

    # Where and when

    def _begin(self, timestamp: str | None) -> None:
        moment = moment_of(timestamp) if timestamp else None
        if moment is None:
            self._clock = self._fallback
            return
        self._clock = _seconds_of(moment)
        self._earliest = self._clock if self._earliest is None else min(self._earliest, self._clock)

    def _place(self, classname: str, file: str | None) -> tuple[Place, str]:
        """Where a test stands, and that place's id."""
        known = self._places.get((classname, file))
        if known is not None:
            return known
        place = place_of(classname, file)
        if place.module is None and place.classes:
            place = place._replace(module=naming.module_of_report(self._report))
        known = (place, place.id or UNKNOWN)
        if len(self._places) >= _PLACES_KEPT:
            self._places.clear()
        if len(classname) + len(file or "") <= _LONGEST_CLASS:
            self._places[classname, file] = known
        if place.module is not None and len(self._all_modules) < _PLACES_KEPT:
            self._all_modules.add(place.module)
        if len(self._modules) < _PLACES_KEPT:
            self._modules[place.module] = None
            self._classes.setdefault(place.classes, place.module)
        return known

    def _split(self, name: str, place: Place) -> tuple[str, str]:
        """Name and environment of ``test_a[kvm-adv]``.

        A class of CloudStack's suites is a unittest one, whose tests have no parameters of their own: there the brackets
        are this project's. Elsewhere they are if they have the name of an environment that is stated or that such a
        test had.
        """
        match = _ENVIRONMENT.match(name)
        if match is None:
            return name, self._here(self._environment)
        parameters = match["parameters"]
        if place.in_suites and place.classes and (parameters in self._named or len(self._named) < _MOST_ENVIRONMENTS):
            self._named.add(parameters)
            return match["name"], self._here(parameters)
        for environment in self._named:
            rest = without_environment(parameters, environment)
            if rest != parameters:
                return f"{match['name']}[{rest}]" if rest else match["name"], self._here(environment)
        return name, self._here(self._environment)

    def _here(self, environment: str) -> str:
        environment = name_of(environment)
        self.environments[environment] = None
        return environment

    # What is not a test

    def _uncollected(self, classname: str, name: str, result: Result) -> list[Line] | None:
        """The line of a module that could not be imported, or was skipped whole; None where the case is a test."""
        if classname == _NOSE_IMPORT:
            module = naming.module_of_report(self._report) or naming.module_of_traceback(result.text, first=True)
        elif result.message in _PYTEST_COLLECTION:
            module = place_of(name if not classname else f"{classname}.{name}").module
        else:
            return None
        skipped = result.tag == "skipped"
        why = result.message if classname == _NOSE_IMPORT else told(result.text)
        if not skipped and classname != _NOSE_IMPORT:
            why = _cause(result.text) or why
        reason = Reason(ReasonCode.SKIPPED if skipped else ReasonCode.NOT_COLLECTED, masked(why) or "no reason given")
        return [Untested(module or name_of(name) or UNKNOWN, self._here(self._environment), reason, level="module")]

    def _context(self, case: Case, context: re.Match[str], clock: float, seconds: float) -> Iterator[Line]:
        """A class's or module's own set-up or clean-up, now if it says which module it is of, else in the end."""
        place = self._told_place(case, context["context"])
        if place is None and len(self._waiting) < _WAITING:
            # Without what is not needed any more: a hostile report may have many, and large ones.
            results = tuple(each._replace(text=each.text[:_TEXT_KEPT]) for each in case.results[:2])
            self._waiting.append((Case({}, case.suite, results), context, clock, seconds))
            return
        place = place or Place(None, name_of(context["context"]))
        yield from self._of_context(case, context["phase"], place, clock, seconds)

    def _told_place(self, case: Case, context: str) -> Place | None:
        place = place_of(context)
        if place.module is not None:
            return place
        for result in case.results:
            module = naming.module_of_traceback(result.text)
            if module is not None:
                return Place(module, place.classes)
        return None

    def _context_place(self, context: str) -> Place:
        """The class's module: where its tests stand, else the only one of the report, else the report's."""
        name = place_of(context).classes
        modules = [module for module in self._modules if module is not None]
        module = self._classes.get(name) or (modules[0] if len(modules) == 1 else None)
        return Place(module or naming.module_of_report(self._report), name)

    def _of_context(self, case: Case, fixture: str, place: Place, clock: float, seconds: float) -> Iterator[Line]:
        level = "class" if place.classes else "module"
        if place.module is not None:
            self._all_modules.add(place.module)
        phase = "teardown" if fixture.lower() == "teardown" else "setup-class"
        environment = self._here(self._environment)
        yield from self._told(case, place.id or UNKNOWN, environment, clock, seconds, level=level, phase=phase)

    # What a case's results say

    def _told(
        self,
        case: Case,
        test: str,
        environment: str,
        clock: float,
        seconds: float,
        *,
        level: str = "test",
        phase: str = "call",
    ) -> Iterator[Line]:
        before, self._before = self._before, None
        bad = [result for result in _results_of(case) if result.tag in _BAD and not _is_skip(result)]
        # One of them is what the test ended with (pytest may add the clean-up's error to a failure); those of other
        # attempts came before the pass of a flaky case, and after the first failure of one that failed again.
        last = sorted((result for result in bad if result.tag in _FINAL), key=lambda result: result.tag != "failure")[
            :1
        ]
        for result in (*last, *(result for result in bad if result.tag not in _FINAL)):
            line = self._failed(test, environment, result, clock, seconds, level=level, phase=phase)
            if line.phase == "teardown" and before == (test, environment):
                # pytest reports a test that fails and then fails to clean up as two cases, and counts it once.
                self._reruns.uncounted -= 1
                return
            self._before = (test, environment)
            yield line
        if last:
            return
        self._before = None
        skip = _skip_of(case)
        if skip is not None:
            yield Untested(test, environment, Reason(ReasonCode.SKIPPED, skip), level=level)
        else:
            passed = AttemptOutcome.PASSED
            yield Attempt(test, environment, passed, _instant(clock), seconds, phase=phase, level=level)

    def _failed(
        self, test: str, environment: str, result: Result, clock: float, seconds: float, *, level: str, phase: str
    ) -> Attempt:
        failure = read_failure(test, result, phase)
        phase, outcome = failure.phase, failure.outcome
        if phase == "setup" and environment in self._named:
            # To pytest a unittest class's set-up is the set-up of its first test, and its setUp part of the call.
            phase = "setup-class"
            if _CANNOT_BE_USED.match(failure.message):
                outcome = AttemptOutcome.BLOCKED
        return Attempt(
            test=test,
            environment=environment,
            outcome=outcome,
            started=_instant(clock),
            seconds=seconds,
            phase=phase,
            signature=None if outcome is AttemptOutcome.BLOCKED else failure.signature,
            message=failure.message,
            level=level,
        )


def _results_of(case: Case) -> tuple[Result, ...]:
    """How the case went; of one without any result, as its attributes say it."""
    if not case.results:
        for key in ("status", "result"):
            said = case.attributes.get(key, "").lower()
            if said in _WENT_BADLY:
                return (Result(_WENT_BADLY[said], "", f"{key}: {said}", ""),)
    return case.results


def _skip_of(case: Case) -> str | None:
    """Why the case was not run; None where it was."""
    for result in case.results:
        if result.tag in ("skipped", "disabled") or _is_skip(result):
            why = masked(result.message or told(result.text)) or "no reason given"
            return f"expected to fail: {why}" if result.kind == "pytest.xfail" else why
    for key in ("status", "result"):
        if case.attributes.get(key, "").lower() in _NOT_RUN and not case.results:
            return f"not run: {case.attributes[key]}"
    return None


def _is_skip(result: Result) -> bool:
    """Whether a failure or an error is a skip that the runner took for one, as nose without its plugin for skips does."""
    return result.kind.rpartition(".")[2] == "SkipTest"


def _cause(text: str) -> str | None:
    """The last line that pytest marks with an E."""
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return marked[-1] if marked else None


def _duration(written: str | None) -> float:
    if not written:
        return 0.0
    try:
        seconds = float(written)
    except ValueError:
        # Surefire writes 1,234.5, others 0,5.
        mark = "" if _THOUSANDS.match(written) else "."
        try:
            seconds = float(written.replace(",", mark))
        except ValueError:
            return 0.0
    return seconds if 0 <= seconds <= _LONGEST_TEST else 0.0


def _seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _instant(clock: float) -> str:
    """As `record.instant`, in a fraction of the time: a report may have a million of them."""
    day, rest = divmod(round(clock * 1000), 86_400_000)
    return f"{_date(day)}T{rest // 3_600_000:02}:{rest // 60_000 % 60:02}:{rest // 1000 % 60:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    return date.fromordinal(min(_EPOCH_DAY + day, date.max.toordinal())).isoformat()
