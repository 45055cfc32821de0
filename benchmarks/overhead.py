"""What the plugin and its reporting add to a test: the same class of empty tests, plain and in an embedded environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import report

TESTS = 300
RUNS = 5
ENVIRONMENTS = """\
version: 1
environments:
  one: {simulator: embedded, hypervisor: {type: kvm}, networking: advanced}
"""
SUITE = """\
from marvin.cloudstackTestCase import cloudstackTestCase
from nose.plugins.attrib import attr


class TestMany(cloudstackTestCase):
    pass


for number in range({tests}):
    tagged = attr(tags=["advanced", "smoke"], required_hardware="false")(lambda self: None)
    setattr(TestMany, f"test_{{number:04}}", tagged)
"""
# Marvin's module would make the plain run pay for the port: plain unittest is what a user would compare with.
PLAIN = """\
import unittest


class TestMany(unittest.TestCase):
    pass


for number in range({tests}):
    setattr(TestMany, f"test_{{number:04}}", lambda self: None)
"""


def measure() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cs-environments.yaml").write_text(ENVIRONMENTS)
        plain = per_test(folder, "test_plain.py", PLAIN, ["-p", "no:cs_matrix"])
        ours = per_test(folder, "test_many.py", SUITE, ["--cs-env=one"])
    print(f"     a test takes {plain * 1000:.2f} ms in plain pytest, {ours * 1000:.2f} ms in an environment")
    return report("plugin and reporting add to a test", (ours - plain) * 1000, "ms", at_most=3)


def per_test(folder: str, name: str, source: str, options: list[str]) -> float:
    """Seconds for each further test: the difference between a run of many and a run of none, the best of several."""
    best = {}
    for tests in (1, TESTS):
        Path(folder, name).write_text(source.format(tests=tests))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", name, *options]
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        best[tests] = min(times)
    return (best[TESTS] - best[1]) / (TESTS - 1)
