"""``cs-matrix env check``: can tests be run in these environments now?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from cs_matrix_pytest.commands.tables import print_table
from cs_matrix_pytest.environments.marvin_config import resolve_config
from cs_matrix_pytest.environments.model import Environment, Hypervisor
from cs_matrix_pytest.environments.probe import Facts, merge_facts, probe
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError

_COLUMNS = ("environment", "usable", "reachable", "credentials", "version", "hypervisors", "zone", "hosts Up")
_MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Checked:
    """What was found about one environment: cells of its row, what makes it unusable, what differs from the file."""

    name: str
    cells: tuple[str, ...]
    problem: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, ...]:
        """The row under `_COLUMNS`; cells that were not reached are dashes."""
        cells = (self.name, "no" if self.problem else "yes", *self.cells)
        return (*cells, *["-"] * (len(_COLUMNS) - len(cells)))


def check(environments: Sequence[Environment], *, timeout: float) -> int:
    """Print a table of what the servers answer, and below it, on stderr, what is wrong. 3 where one is unusable."""
    with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
        checked = list(pool.map(lambda environment: _check(environment, timeout), environments))
    print_table(_COLUMNS, [each.row for each in checked])
    sys.stdout.flush()
    for each in checked:
        for warning in each.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if each.problem:
            print(f"{each.name} cannot be used: {each.problem}", file=sys.stderr)
    return EnvironmentUnusable.exit_code if any(each.problem for each in checked) else 0


def _check(environment: Environment, timeout: float) -> Checked:
    if environment.embedded and environment.marvin_config is None:
        return _embedded(environment, timeout)
    try:
        config = resolve_config(environment).config
    except UserError as error:
        return Checked(environment.name, (), str(error))
    if environment.embedded:
        # Marvin deploys it when tests run: there is no cloud to ask before.
        return Checked(environment.name, ("embedded",))
    try:
        facts = probe(config, environment.zone, timeout)
    except EnvironmentUnusable as error:
        return Checked(environment.name, ("no",), str(error))
    return _answered(environment, facts)


def _embedded(environment: Environment, timeout: float) -> Checked:
    from cs_matrix_pytest.simulator import Simulator

    context = environment.context
    with Simulator(hypervisor=context.hypervisor.type, networking=context.networking) as simulator:
        facts = probe(simulator.marvin_config(), environment.zone, timeout)
    # A simulator stands for what the file says: nothing it answers of versions or storage is news.
    return replace(_answered(environment, replace(facts, hypervisors=(context.hypervisor,))), warnings=())


def _answered(environment: Environment, facts: Facts) -> Checked:
    credentials = "accepted" if facts.signed else "not needed"
    version = facts.acs_version or "unknown"
    if facts.zone is None:
        there = f"it has {', '.join(facts.zones)}" if facts.zones else "it has none yet; deploy one"
        wanted = f"zone {environment.zone}" if environment.zone else "zone of the Marvin configuration"
        return Checked(environment.name, ("yes", credentials, version), f"{facts.url} has no {wanted}: {there}")
    hosts = f"{facts.hosts_up}/{facts.hosts_total}"
    hypervisors = ", ".join(map(_named, facts.hypervisors)) or "none"
    problem = None if facts.hosts_up else f"no host in zone {facts.zone} is Up"
    warnings = tuple(merge_facts(environment, facts)[1])
    return Checked(environment.name, ("yes", credentials, version, hypervisors, facts.zone, hosts), problem, warnings)


def _named(hypervisor: Hypervisor) -> str:
    return " ".join(filter(None, (hypervisor.type, hypervisor.version)))
