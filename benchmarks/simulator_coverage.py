"""Upstream's whole selection (``CS_SOURCE``) on the embedded simulator, beside a recording of a real server (``CS_RECORDING``).

``python -m benchmarks.simulator_coverage --page FILE`` writes the page docs/simulator-coverage.md as well.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import coverage_page, fidelity
from benchmarks.coverage_comparison import Recorded, read_results, spread, totals
from benchmarks.figures import report
from benchmarks.upstream_selection import Session, run

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
    tree = Path(os.environ["CS_SOURCE"]).absolute()
    recording = Path(os.environ["CS_RECORDING"]).absolute() if os.environ.get("CS_RECORDING") else None
    recorded = read_results(recording / "results.csv") if recording else {}
    sessions, figures = [], None
    with tempfile.TemporaryDirectory() as scratch:
        for number, python in enumerate(pythons):
            folder = Path(scratch, str(number))
            folder.mkdir()
            calls = folder / "calls.jsonl" if recording and page and number == 0 else None
            sessions.append(run(tree, folder, *options, python=python, calls=calls))
            if calls is not None and recording is not None:
                figures = fidelity.against(recording, calls)
    if page is not None:
        page.write_text(coverage_page.render(sessions, recorded, figures), encoding="utf-8")
    return all([within(session, recorded) for session in sessions])


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
