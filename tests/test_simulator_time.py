"""The simulated clock, and directing a suite's time to it."""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.virtual_time import VirtualTime

SUITE = """\
import time
import time as clock
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
"""


class Lab:
    """What VirtualTime needs of a cloud: a clock and a lock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lock = threading.RLock()


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    (tmp_path / "suite_of_time.py").write_text(SUITE)
    (tmp_path / "waiting_of_time.py").write_text("import time\n\n\ndef wait(seconds):\n    time.sleep(seconds)\n")
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


def test_the_clock_that_a_suite_reads_follows(suite: types.ModuleType) -> None:
    lab = Lab()
    with VirtualTime(lab, [suite]):  # type: ignore[arg-type]
        suite.by_module(1000)
        assert all(abs(read - time.time() - 1000) < 5 for read in suite.read())


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
