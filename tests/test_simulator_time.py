"""The simulated clock, and directing a suite's time to it."""

from __future__ import annotations

import copy
import datetime
import pickle
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.virtual_time import VirtualTime

SUITE = """\
import datetime
import datetime as dt
import time
import time as clock
from datetime import date, datetime as moment, timezone
from time import sleep
from time import time as now


def by_module(seconds):
    time.sleep(seconds)


def by_alias(seconds):
    clock.sleep(seconds)


def by_name(seconds):
    sleep(seconds)


def by_late_import(seconds):
    from time import sleep as late

    late(seconds)


def read():
    return time.time(), now()


def read_dates():
    return [
        moment.now().timestamp(),
        moment.today().timestamp(),
        moment.utcnow().replace(tzinfo=timezone.utc).timestamp(),
        datetime.datetime.now(timezone.utc).timestamp(),
        dt.datetime.now(tz=None).timestamp(),
    ]


def read_days():
    return [date.today(), datetime.date.today(), dt.date.today()]


class Appointment(moment):
    pass


def made_during_the_test():
    class Meeting(moment):
        pass

    return Meeting
"""
HELPERS = """\
import datetime
import time


def wait(seconds):
    time.sleep(seconds)


def now():
    return datetime.datetime.now().timestamp()
"""


class Lab:
    """What VirtualTime needs of a cloud: a clock and a lock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lock = threading.RLock()


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    (tmp_path / "suite_of_time.py").write_text(SUITE)
    (tmp_path / "waiting_of_time.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import suite_of_time  # type: ignore[import-not-found]

    yield suite_of_time
    for name in ("suite_of_time", "waiting_of_time"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("way", ["by_module", "by_alias", "by_name", "by_late_import"])
def test_a_suites_sleep_moves_the_simulated_clock_and_takes_no_time(suite: types.ModuleType, way: str) -> None:
    lab, before = Lab(), time.monotonic()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        simulated = lab.clock.now()
        getattr(suite, way)(3600)
        passed = lab.clock.now() - simulated
    assert 3600 <= passed < 3610
    assert time.monotonic() - before < 5


def test_a_module_beside_the_suite_follows(suite: types.ModuleType) -> None:
    import waiting_of_time  # type: ignore[import-not-found]

    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        simulated = lab.clock.now()
        waiting_of_time.wait(60)
        assert lab.clock.now() - simulated >= 60
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        assert abs(waiting_of_time.now() - lab.clock.now()) < 5
    assert abs(waiting_of_time.now() - time.time()) < 5


def test_the_clock_that_a_suite_reads_follows(suite: types.ModuleType) -> None:
    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        suite.by_module(1000)
        assert all(abs(read - time.time() - 1000) < 5 for read in suite.read())


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # from Python 3.12 on
def test_the_dates_that_a_suite_reads_follow(suite: types.ModuleType) -> None:
    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        suite.by_module(10 * 86400)
        assert all(abs(read - lab.clock.now()) < 5 for read in suite.read_dates())
        assert set(suite.read_days()) == {datetime.date.fromtimestamp(lab.clock.now())}
        assert abs(datetime.datetime.now().timestamp() - time.time()) < 5
    assert all(abs(read - time.time()) < 5 for read in suite.read_dates())


NOON = datetime.datetime(2026, 2, 28, 12, 30, tzinfo=datetime.timezone.utc)
MADE: dict[str, Callable[[types.ModuleType], Any]] = {
    "now": lambda suite: suite.moment.now(),
    "today": lambda suite: suite.moment.today(),
    "utcnow": lambda suite: suite.moment.utcnow(),
    "with a time zone": lambda suite: suite.datetime.datetime.now(suite.timezone.utc),
    "constructed": lambda suite: suite.moment(2026, 2, 28, hour=12),
    "strptime": lambda suite: suite.dt.datetime.strptime("2026-02-28T12:30:00+0000", "%Y-%m-%dT%H:%M:%S%z"),
    "fromisoformat": lambda suite: suite.moment.fromisoformat("2026-02-28T12:30:00+00:00"),
    "fromtimestamp": lambda suite: suite.moment.fromtimestamp(0),
    "combine": lambda suite: suite.moment.combine(suite.date(2026, 2, 28), suite.datetime.time(12, 30)),
    "min": lambda suite: suite.moment.min,
    "replaced": lambda suite: suite.moment.now().replace(year=2020),
}


@pytest.mark.parametrize("way", MADE)
def test_what_is_made_is_a_real_datetime(suite: types.ModuleType, way: str) -> None:
    with VirtualTime(Lab(), [suite]):  # type: ignore[arg-type]
        made = MADE[way](suite)
        assert type(made) is datetime.datetime
        assert type(made.date()) is datetime.date
        assert isinstance(made, suite.moment)
        assert isinstance(made, suite.date)
        assert isinstance(made, datetime.datetime)
        assert type(made) == suite.moment  # noqa: E721
        assert {suite.moment: 1}[type(made)] == 1
        assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made
        if way != "min":
            assert made - suite.dt.timedelta(days=1) < made
            assert made - made == datetime.timedelta(0)


def test_classes_pass_for_the_real_ones(suite: types.ModuleType) -> None:
    with VirtualTime(Lab(), [suite]):  # type: ignore[arg-type]
        assert isinstance(NOON, suite.moment)
        assert isinstance(NOON.date(), suite.date)
        assert not isinstance(NOON.date(), suite.moment)
        assert not isinstance("2026-02-28", suite.date)
        assert issubclass(suite.moment, datetime.date)
        assert issubclass(datetime.datetime, suite.date)
        assert (repr(suite.moment), repr(suite.date)) == ("<class 'datetime.datetime'>", "<class 'datetime.date'>")
        assert suite.moment.strftime(NOON, "%H:%M") == "12:30"
        assert suite.datetime.timedelta is datetime.timedelta
        assert type(suite.moment.now() + datetime.timedelta(1)) is datetime.datetime


def test_classes_that_a_suite_derives_are_what_they_say(suite: types.ModuleType) -> None:
    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        suite.by_module(1000)
        early, late = suite.Appointment, suite.made_during_the_test()
        assert type(early.now()) is early
        assert type(late.now()) is late
        assert abs(late.now().timestamp() - lab.clock.now()) < 5
        assert isinstance(late(2026, 2, 28), suite.moment)
        assert isinstance(early(2026, 2, 28), suite.moment)
        assert not isinstance(NOON, (early, late))
        assert not issubclass(datetime.datetime, late)


def test_everybody_else_keeps_the_real_time(suite: types.ModuleType) -> None:
    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        suite.by_module(1000)
        before = time.monotonic()
        time.sleep(0.02)
        assert time.monotonic() - before >= 0.02


def test_all_is_as_it_was_afterwards(suite: types.ModuleType) -> None:
    real = (time.sleep, time.time)
    names = dict(vars(suite))
    with pytest.raises(RuntimeError), VirtualTime(Lab(), [suite]):  # type: ignore[arg-type]
        raise RuntimeError
    assert (time.sleep, time.time) == real
    assert suite.moment is datetime.datetime
    assert dict(vars(suite)) == names


def test_a_negative_sleep_is_refused_as_the_real_one_does(suite: types.ModuleType) -> None:
    with VirtualTime(Lab(), [suite]), pytest.raises(ValueError, match="non-negative"):  # type: ignore[arg-type]
        suite.by_module(-1)


def test_what_is_due_is_done_in_its_order_each_at_its_time() -> None:
    clock, done = Clock(), []
    start = clock.now()
    clock.call_later(30, lambda: done.append(("second", round(clock.now() - start))))
    clock.call_later(10, lambda: clock.call_later(5, done.append, "made on the way"))
    clock.call_later(10, lambda: done.append(("first", round(clock.now() - start))))
    clock.call_later(100, done.append, "not yet")
    clock.advance(60)
    assert done == [("first", 10), "made on the way", ("second", 30)]
    assert round(clock.now() - start) == 60
