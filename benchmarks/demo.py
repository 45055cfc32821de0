"""The demo, as ``tox run -e demo`` runs it in a warm environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import report

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


def measure() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, str(DEMO), "--report", folder], check=True, capture_output=True)
        seconds = time.perf_counter() - started
    return report("the demo", seconds, "s", at_most=20)
