"""Tasks that look at the cloud again and again, for as long as there is something to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

Look = Callable[["Cloud", float], bool]
"""One look at the cloud at a time, in simulated seconds; False where there is nothing to come back for."""


@dataclass(eq=False, kw_only=True, repr=False)
class BackgroundTask(Resource):
    """A task that runs; it is forgotten when it has nothing left to do."""

    label: ClassVar[str] = "background task"

    name: str
    seconds: float
    look: Callable[..., bool]
    """A `Look`."""


def keep_looking(cloud: Cloud, name: str, seconds: float, look: Look) -> None:
    """Have ``look``, which is declared with `clock.timed`, called every ``seconds`` from now on, once under each name."""
    if cloud.store.table(BackgroundTask).first(name=name) is None:
        task = cloud.store.add(BackgroundTask(name=name, seconds=seconds, look=look))
        _wait(cloud, task, cloud.clock.now())


def _wait(cloud: Cloud, task: BackgroundTask, last: float) -> None:
    # From when it was due, not from when somebody came by: on the wall clock, looks that were missed are made up.
    due = last + task.seconds
    cloud.clock.call_at(due, _run, cloud, task, due)


def resume(cloud: Cloud) -> None:
    """Go on with the tasks of a state that was loaded; the looks that were missed are not made up."""
    for task in cloud.store.table(BackgroundTask):
        _wait(cloud, task, cloud.clock.now())


def _run(cloud: Cloud, task: BackgroundTask, due: float) -> None:
    if task.look(cloud, due):
        _wait(cloud, task, due)
    else:
        cloud.store.forget(task)
