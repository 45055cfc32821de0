"""Tries that pytest-rerunfailures ran again: in pytest's xunit they are cases without any result, just as passes are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from cs_matrix_pytest.importers.xunit_cases import Suite
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome

_HELD = 10_000
"""Passes that wait for a later try of the same test; with pytest-xdist cases of other tests stand between."""
_RUN_AGAIN = "failed and was run again; the report does not say why"


class Reruns:
    """Holds the passes in a suite of pytest's until it is known whether they are some.

    pytest writes a test twice where a try of it was run again, or where several workers ran it (``--dist=each``). Its
    count of tests has the latter, not the former; subtests add to it, and then it cannot be told.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Attempt] = OrderedDict()
        self._tries: list[Attempt] = []
        self.suite: Suite | None = None
        """The suite that the cases are of."""
        self.uncounted = 0
        """How many of its cases were met, less those that it counts."""

    def begin(self, suite: Suite) -> Iterator[Attempt]:
        """Goes on with another suite; gives what is held of the one before."""
        yield from self.rest()
        self.suite = suite
        self.uncounted = -suite.tests

    def met(self, test: str, environment: str) -> None:
        """Takes notice of a case of this test: a pass of it that is held was one of several tries."""
        earlier = self._held.pop((test, environment), None)
        if earlier is not None and len(self._tries) < _HELD:
            self._tries.append(earlier)

    def hold(self, attempt: Attempt) -> Attempt | None:
        """Holds a pass; gives the one that was held longest where they are too many."""
        self._held[attempt.test, attempt.environment] = attempt
        return self._held.popitem(last=False)[1] if len(self._held) > _HELD else None

    def rest(self) -> Iterator[Attempt]:
        """What is held, in the suite's end. A try of which it cannot be told how it went is left out."""
        if self.uncounted >= len(self._tries):
            for attempt in self._tries:
                yield replace(attempt, outcome=AttemptOutcome.FAILED, message=_RUN_AGAIN)
        elif self.uncounted == 0:
            yield from self._tries
        yield from self._held.values()
        self._held.clear()
        self._tries.clear()
