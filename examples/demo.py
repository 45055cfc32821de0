"""The main job, on environments that need no lab: two test runs into one report folder, then the matrix of both.

    python examples/demo.py [--report DIR]

It exits with 0 if the matrix has all four outcomes, whose reasons stand in `cs-environments.yaml`: healthy environments
(compatible), one that can take no snapshot (failing), one that refuses every second volume (unstable), one that cannot
be reached (untested).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent
RUNS = (
    # The quick tests attach one volume, all tests several: where every second one is refused, the answers differ.
    ["--cs-env=*", "-m", "quick_test", "-n", "2"],
    ["--cs-env=*", "-n", "2"],
)
OUTCOMES = ["compatible", "failing", "unstable", "untested"]
TESTS_RAN = (0, 1)
"""pytest's exit codes where it ran tests: all passed, or some did not, as some must not here."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the examples in all their environments, and show the matrix.")
    parser.add_argument("--report", type=Path, default=Path("cs-report"), metavar="DIR", help="default: cs-report")
    report = parser.parse_args().report

    for options in RUNS:
        if not run_pytest(options, report):
            return 1
    show_matrix(report)
    cells = json.loads((report / "matrix.json").read_text(encoding="utf-8"))["cells"]
    missing = [outcome for outcome in OUTCOMES if all(cell["outcome"] != outcome for cell in cells)]
    if missing:
        print(f"\nThis is not what the examples promise: no cell is {', '.join(missing)}", file=sys.stderr)
        return 1
    print(f"\nIn {report}: matrix.json, matrix.xml, and a run-*.jsonl of each run")
    return 0


def run_pytest(options: list[str], report: Path) -> bool:
    """Run the examples; say how it went in one line, or everything where pytest did not get to run tests."""
    print("+", shlex.join(["pytest", os.path.relpath(EXAMPLES), *options]), flush=True)
    quiet = ["-q", "--tb=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(EXAMPLES), *options, *quiet, f"--cs-report={report}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in TESTS_RAN:
        print(done.stdout + done.stderr, file=sys.stderr)
        return False
    print(done.stdout.rstrip().rpartition("\n")[2], flush=True)
    return True


def show_matrix(report: Path) -> None:
    features = EXAMPLES / "cs-features.yaml"
    subprocess.run(
        [sys.executable, "-m", "cs_matrix_pytest", "report", str(report), f"--features={features}"], check=True
    )


if __name__ == "__main__":
    sys.exit(main())
