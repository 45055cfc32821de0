"""The answers that the examples get, held against a recording of a real server (``CS_RECORDING``)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import report
from benchmarks.shapes import Agreement, compare, table

ROOT = Path(__file__).parent.parent


def measure() -> bool:
    recording = os.environ.get("CS_RECORDING")
    if not recording:
        print("     fidelity: skipped, CS_RECORDING names no recording of a real server")
        return True
    agreement = examples_against(Path(recording))
    for command, paths in sorted(agreement.wrong.items()):
        print(f"     {command}: {', '.join(paths[:8])}")
    print(f"     {agreement.good} of {agreement.total} fields")
    return report("fields that the real server always gives", agreement.share * 100, "%", at_least=90)


def examples_against(recording: Path) -> Agreement:
    """Run the examples in healthy embedded environments and compare every answer with the recorded ones."""
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder, "calls.jsonl")
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
        return compare(table(sorted((recording / "traces").glob("*.jsonl.gz"))), table([calls]))
