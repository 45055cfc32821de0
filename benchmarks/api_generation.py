"""Marvin's API for a CloudStack tree (``CS_SOURCE``): generated from its Java sources, and found in the cache."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

from benchmarks.figures import report
from cs_matrix_pytest.marvin_bridge.generated_api import completed
from cs_matrix_pytest.marvin_bridge.locate import locate

RUNS = 5


def measure() -> bool:
    if "CS_SOURCE" not in os.environ:
        print("     api_generation: skipped, CS_SOURCE names no CloudStack source tree")
        return True
    tree = Path(os.environ["CS_SOURCE"])
    if locate(tree).complete:
        print(f"     api_generation: skipped, {tree} has a generated API of its own")
        return True
    cold, cached = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CACHE_HOME=folder):
            cold.append(timed(tree))
            cached.append(timed(tree))
    good = report("generating the API of a tree from its Java sources", statistics.median(cold), "s", at_most=10)
    return report("finding it in the cache", statistics.median(cached) * 1000, "ms", at_most=200) and good


def timed(tree: Path) -> float:
    started = time.perf_counter()
    said: list[str] = []
    completed(locate(tree), said.append)
    return time.perf_counter() - started
