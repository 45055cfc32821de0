"""Upstream's whole selection (``CS_SOURCE``) on the embedded simulator, beside a recording of a real server (``CS_RECORDING``).

``python -m benchmarks.simulator_coverage --page FILE`` writes the page docs/simulator-coverage.md as well.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import coverage_page, fidelity
from benchmarks.coverage_comparison import Recorded, failing, read_results, spread, totals
from benchmarks.figures import report
from benchmarks.upstream_selection import Result, Session, run
from cs_matrix_pytest.simulator.simulator import LOOPBACK, USUAL_PORTS

SECONDS = 300
MEBIBYTES = 1024
AGREEING = 95
"""Of a hundred tests that the real server passes, or skips, how many must do the same here."""

NO_SOURCE = "CS_SOURCE names no CloudStack source tree"


def measure() -> bool:
    return covered([sys.executable], None)


def covered(pythons: Sequence[str], page: Path | None, *options: str) -> bool:
    """Run the selection with each Python, print the figures, write the page; whether all is within its bounds.

    The calls of the first session are compared with the recorded ones.
    """
    if not os.environ.get("CS_SOURCE"):
        print(f"     simulator coverage: skipped, {NO_SOURCE}")
        return True
    if not port_is_free(USUAL_PORTS["api"]):
        print(f"     port {USUAL_PORTS['api']} is taken: suites that write it into their URLs will meet another server")
    tree = Path(os.environ["CS_SOURCE"]).absolute()
    recording = Path(os.environ["CS_RECORDING"]).absolute() if os.environ.get("CS_RECORDING") else None
    recorded = read_results(recording / "results.csv") if recording else {}
    sessions, figures = [], None
    with tempfile.TemporaryDirectory() as scratch:
        for number, python in enumerate(pythons):
            folder = Path(scratch, str(number))
            calls = Path(scratch, "calls.jsonl") if recording and page and number == 0 else None
            sessions.append(run(tree, folder, *options, python=python, calls=calls))
            if calls is not None and recording is not None:
                figures = fidelity.against(recording, calls)
        if page is not None:
            again = alone(tree, Path(scratch, "alone"), sessions[0], recorded)
            page.write_text(coverage_page.render(sessions, recorded, figures, again), encoding="utf-8")
    good = [within(session, recorded) for session in sessions]
    return all(good)


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def alone(tree: Path, folder: Path, session: Session, recorded: dict[str, Recorded]) -> dict[str, Result]:
    """The results of each suite in which a test failed that should not have, run with nothing before it."""
    found: dict[str, Result] = {}
    suites = {test.split("::")[0] for test in failing(spread(recorded, session.results), session.results)}
    for number, suite in enumerate(sorted(suites)):
        found.update(run(tree, folder / str(number), files=[suite]).results)
    return found


def within(session: Session, recorded: dict[str, Recorded]) -> bool:
    """Print a session's figures beside their bounds."""
    counts = totals(spread(recorded, session.results), session.results)
    print(f"     Python {session.tools.get('python')}: {len(session.results)} tests")
    good = [
        report("upstream's selection", session.seconds, "s", at_most=SECONDS),
        report("its peak memory", session.memory, "MiB", at_most=MEBIBYTES),
    ]
    for kind in ("passed", "skipped"):
        there = sum(count for (real, _), count in counts.items() if real == kind)
        if there:
            share = 100 * counts[kind, kind] / there
            good.append(report(f"{kind} by a real server and here", share, "%", at_least=AGREEING))
    return all(good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page there")
    parser.add_argument(
        "--python", action="append", default=[], metavar="EXECUTABLE", help="another Python to run it with as well"
    )
    parser.add_argument("options", nargs="*", help="more options for pytest, after --")
    given = parser.parse_args()
    return 0 if covered([sys.executable, *given.python], given.page, *given.options) else 1


if __name__ == "__main__":
    sys.exit(main())
