"""What the plugin costs a pytest run that does not use it: alternating runs with it and with ``-p no:cs_matrix``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import report

RUNS = 25


def measure() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for run in range(RUNS + 1):
            for using in (True, False):
                started = time.perf_counter()
                subprocess.run(
                    command if using else [*command, "-p", "no:cs_matrix"], cwd=folder, check=True, capture_output=True
                )
                # The first pair warms the caches.
                if run:
                    seconds[using].append(time.perf_counter() - started)
    # The smallest times are the least disturbed by whatever else the machine does.
    difference = min(seconds[True]) - min(seconds[False])
    median = statistics.median(seconds[True]) - statistics.median(seconds[False])
    print(
        f"     a run without the plugin: {min(seconds[False]) * 1000:.0f} ms; medians differ by {median * 1000:.1f} ms"
    )
    return report("a run that does not use the plugin takes longer by", difference * 1000, "ms", at_most=25)
