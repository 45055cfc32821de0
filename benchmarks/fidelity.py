"""The simulator's answers held against a recording of a real server (``CS_RECORDING``): fields, errors, wire, fresh install.

``python -m benchmarks.fidelity`` prints the section of docs/simulator-coverage.md. The calls are those of upstream's
selection where ``CS_SOURCE`` names a tree, else those of the examples.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.coverage_comparison import read_results
from benchmarks.figures import report
from benchmarks.shapes import callers, compare, errors, table
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.errors import ApiError

ROOT = Path(__file__).parent.parent
NO_RECORDING = "CS_RECORDING names no recording of a real server"


@dataclass(frozen=True)
class Figure:
    """So many of so many are as the real server's; ``at_least`` is the bound of the share."""

    what: str
    good: int
    total: int
    at_least: float = 0.0
    note: str = ""

    @property
    def share(self) -> float:
        return self.good / self.total if self.total else 0.0


@dataclass(frozen=True)
class Figures:
    """What was compared, and by command what is not as recorded."""

    rows: tuple[Figure, ...]
    wrong: Mapping[str, list[str]]


def measure() -> bool:
    recording = os.environ.get("CS_RECORDING")
    if not recording:
        print(f"     fidelity: skipped, {NO_RECORDING}")
        return True
    with tempfile.TemporaryDirectory() as folder:
        figures = against(Path(recording), recorded_calls(Path(folder)))
    for command, items in sorted(figures.wrong.items()):
        print(f"     {command}: {', '.join(items[:8])}")
    print("".join(f"     {each.what}: {each.good} of {each.total}\n" for each in figures.rows), end="")
    good = [report(each.what, each.share * 100, "%", at_least=each.at_least * 100) for each in figures.rows]
    return all(good)


def recorded_calls(folder: Path) -> Path:
    """Every call of upstream's selection (``CS_SOURCE``), or else of the examples."""
    calls = folder / "calls.jsonl"
    if "CS_SOURCE" in os.environ:
        from benchmarks.upstream_selection import run

        run(Path(os.environ["CS_SOURCE"]).absolute(), folder / "selection", calls=calls)
    else:
        run_examples(folder, calls)
    return calls


def run_examples(folder: Path, calls: Path) -> None:
    """Run the examples in healthy embedded environments, and record their calls."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.recorder", "-p", "no:cacheprovider"),
            *(f"--cs-report={folder}/report", "--cs-env=kvm-advanced,kvm-sg,kvm-basic"),
        ],
        cwd=ROOT / "examples",
        env={**os.environ, "CS_RECORD_TO": str(calls), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )


def against(recording: Path, calls: Path) -> Figures:
    """All that can be compared."""
    fields = compare(table(_traces(recording)), table([calls]))
    bound = {test for test, each in read_results(recording / "results.csv").items() if each.bound}
    with calls.open(encoding="utf-8") as ours:
        codes, wrong_codes = error_codes(_lines(_traces(recording)), ours, but={_short(test) for test in bound})
    wire, wrong_wire = wire_samples(recording)
    fresh, wrong_fresh = fresh_install(recording)
    wrong = defaultdict(list, {command: [f"field {path}" for path in paths] for command, paths in fields.wrong.items()})
    for command, items in [*wrong_codes.items(), *wrong_wire.items(), *wrong_fresh.items()]:
        wrong[command] += items
    note = f"in the answers of {fields.commands} commands that both gave"
    constant = Figure("fields that the real server always gives, with their type", fields.good, fields.total, 0.9, note)
    rows = (constant, codes, wire, *fresh)
    return Figures(tuple(row for row in rows if row.total), wrong)


def _traces(recording: Path) -> list[Path]:
    return sorted((recording / "traces").glob("*.jsonl.gz"))


def _lines(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from lines


def _short(test: str) -> str:
    return ".".join(test.split("::")[-2:])


def error_codes(
    real: Iterable[str], ours: Iterable[str], but: Collection[str] = ()
) -> tuple[Figure, dict[str, list[str]]]:
    """The errors that a real server answered within each test ``but`` some, and whether the same test gets them here.

    Tests that make no call here are left out: they were not run.
    """
    lines = list(ours)
    there, here = _by_test(errors(real)), _by_test(errors(lines))
    ran = callers(lines) - set(but)
    good = total = 0
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for test in there.keys() & ran:
        right = there[test] & here.get(test, Counter())
        good, total = good + right.total(), total + there[test].total()
        for command, code in (there[test] - right).elements():
            wrong[command][f"no error {code}"] += 1
    note = f"of {len(there.keys() & ran)} tests that meet any"
    figure = Figure("errors: command and code, test by test", good, total, 0.8, note)
    return figure, {
        command: [f"{what}, {count} times" for what, count in sorted(items.items())] for command, items in wrong.items()
    }


def _by_test(found: Iterable[tuple[str, str, int]]) -> dict[str, Counter[tuple[str, int]]]:
    counted: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    for test, command, code in found:
        counted[test][command, code] += 1
    return counted


def wire_samples(recording: Path) -> tuple[Figure, dict[str, list[str]]]:
    """Every recorded probe of the wire protocol, sent again."""
    sys.path.insert(0, str(ROOT / "tests"))
    import test_simulator_wire as wire

    samples = json.loads((recording / "wire-samples.json").read_text(encoding="utf-8"))
    with Simulator(hypervisor="simulator", networking="advanced") as simulator:
        simulator.run("createDomain", name="d1")
        keys = dict(zip(("apikey", "secretkey"), simulator.admin_keys(), strict=True))
        ids = wire.known_ids(simulator)
        session: dict[str, str] = {}
        wrong = {
            f"probe {sample['name']}": found
            for sample in samples
            if (found := list(wire.replay(simulator, sample, ids, keys, session)))
        }
    figure = Figure(
        "probes of the wire protocol",
        len(samples) - len(wrong),
        len(samples),
        1.0,
        "status, headers, envelope, error text",
    )
    return figure, wrong


def fresh_install(recording: Path) -> tuple[list[Figure], dict[str, list[str]]]:
    """What a server holds before any zone exists: its lists by name, and the fields in them; its settings; its roles."""
    fresh = json.loads((recording / "fresh-install.json").read_text(encoding="utf-8"))
    simulator = Simulator(hypervisor="simulator", ready=False)
    good = total = 0
    wrong: dict[str, list[str]] = defaultdict(list)
    for command, there in fresh["lists"].items():
        try:
            here = simulator.cloud.run(command, listall="true")
        except ApiError as error:
            here = {}
            wrong[command].append(error.text)
        real, ours = _objects(there), _objects(here)
        missing = real - ours
        good, total = good + (real & ours).total(), total + real.total()
        wrong[command] += [f"no {what}" for what in missing]
    rows = fresh["configurations"]
    real_settings = {
        row["name"]: row for row in (dict(zip(rows["columns"], each, strict=True)) for each in rows["rows"])
    }
    settings = {
        each["name"]: each for each in simulator.run("listConfigurations", page="1", pagesize="-1")["configuration"]
    }
    same = [name for name, real in real_settings.items() if _is(real, settings.get(name, {}))]
    wrong["listConfigurations"] += [name for name in real_settings if name not in same]
    figures = [
        Figure("objects of a fresh install, by kind and name", good, total, 0.9, f"in {len(fresh['lists'])} lists"),
        Figure("settings of a fresh install, with all that is said of them", len(same), len(real_settings), 0.95),
    ]
    return figures, {command: items for command, items in wrong.items() if items}


def _is(real: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    return all(value is None or ours.get(name) == value for name, value in real.items() if name != "options")


NAMES = (
    "name",
    "type",
    "username",
    "account",
    "usagetypeid",
    "alerttypeid",
    "resourcetypename",
    "traffictypeimplementor",
)
"""Fields that tell an object of a fresh install apart, in the order of preference; ids are each server's own."""


def _objects(answer: Mapping[str, Any]) -> Counter[str]:
    """The objects of a list's answer, each as its kind and name; an answer that is one object as its fields."""
    found: Counter[str] = Counter()
    for kind, value in answer.items():
        if isinstance(value, dict):
            found.update(f"{kind}.{field}" for field in value)
        for item in value if isinstance(value, list) else ():
            name = next((item[key] for key in NAMES if item.get(key)), "") if isinstance(item, dict) else item
            found[f"{kind} {name}"] += 1
    return found


def main() -> int:
    from benchmarks.coverage_page import fidelity

    recording = os.environ.get("CS_RECORDING")
    if not recording:
        print(f"skipped: {NO_RECORDING}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = against(Path(recording), recorded_calls(Path(folder)))
    print(fidelity(figures))
    return 0 if all(each.share >= each.at_least for each in figures.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
