"""The main job, on environments that need no lab: two test runs into one report folder, then the matrix of both.

    python examples/demo.py [--report DIR]

It exits with 0 if the matrix has all four outcomes, whose reasons stand in `cs-environments.yaml`: a healthy environment
(compatible), one that can take no snapshot (failing), one that refuses every second volume (unstable), one that cannot
be reached (untested).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent
RUNS = (
    # The quick tests alone attach one volume, all tests attach several: the flaky environment's answers differ.
    ["--cs-env=*", "-m", "quick_test"],
    ["--cs-env=*"],
)
OUTCOMES = ["compatible", "failing", "unstable", "untested"]
TESTS_RAN = (0, 1)
"""pytest's exit codes where it ran tests: all passed, or some did not, as some must not here."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the examples in all their environments, and show the matrix.")
    parser.add_argument("--report", type=Path, default=Path("cs-report"), metavar="DIR", help="default: cs-report")
    report = parser.parse_args().report

    for selection in RUNS:
        if not _run(selection, report):
            return 1
    print()
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "cs_matrix_pytest",
            "report",
            str(report),
            "--features",
            str(EXAMPLES / "cs-features.yaml"),
        ],
        check=False,
    )
    cells = json.loads((report / "matrix.json").read_text(encoding="utf-8"))["cells"]
    missing = [outcome for outcome in OUTCOMES if all(cell["outcome"] != outcome for cell in cells)]
    if shown.returncode or missing:
        print(f"\nThis is not what the examples promise: no cell is {', '.join(missing)}", file=sys.stderr)
        return 1
    print(f"\nIn {report}: matrix.json, matrix.xml, and a run-*.jsonl of each run")
    return 0


def _run(selection: list[str], report: Path) -> bool:
    """Run pytest over the examples; say how it went in one line, or everything where it did not get to run tests."""
    command = ["pytest", "examples", *selection]
    print(f"$ {shlex.join(command)}", flush=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            str(EXAMPLES),
            *selection,
            f"--cs-report={report}",
            "-n",
            "2",
            "-q",
            "--tb=no",
            "-p",
            "no:cacheprovider",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    ran = done.returncode in TESTS_RAN
    if ran:
        print(done.stdout.rstrip().rpartition("\n")[2])
    else:
        print(done.stdout + done.stderr, file=sys.stderr)
    return ran


if __name__ == "__main__":
    sys.exit(main())
