"""Importing xunit: a file of nose's, of many tests, into a run record."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path

from benchmarks.figures import report
from cs_matrix_pytest.cli import main

CASES = 200_000
FAILURE = (
    '<failure type="builtins.AssertionError" message="{number} != 1 : the list has an incorrect length">'
    "<![CDATA[Traceback (most recent call last):\n"
    '  File "/marvin/tests/smoke/test_list.py", line 183, in test_list\n    self.assertEqual(\n'
    "AssertionError: {number} != 1 : the list has an incorrect length\n]]></failure>"
)
SKIP = (
    '<skipped type="unittest.case.SkipTest" message="needs a hypervisor of another kind">Exception: needs\n</skipped>'
)


def measure() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nosetests.xml"
        write(file)
        times = [imported(file, Path(folder) / f"records-{number}") for number in range(3)]
    return report("importing xunit of nose", CASES / min(times), "cases/s", at_least=50_000)


def imported(file: Path, records: Path) -> float:
    """Seconds that importing takes."""
    said = io.StringIO()
    started = time.perf_counter()
    with contextlib.redirect_stdout(said):
        code = main(["import", "xunit", str(file), str(records)])
    seconds = time.perf_counter() - started
    assert code == 0, said.getvalue()
    assert said.getvalue().startswith("1 record written"), said.getvalue()
    return seconds


def write(file: Path) -> None:
    """One test of fifty fails and one of twenty is skipped, about as in upstream's CI."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write(f'<?xml version="1.0" encoding="UTF-8"?><testsuite name="nosetests" tests="{CASES}" skip="0">')
        for number in range(CASES):
            told = FAILURE.format(number=number) if number % 50 == 7 else SKIP if number % 20 == 3 else ""
            stream.write(
                f'<testcase classname="integration.smoke.test_{number // 50 % 300}.Test{number // 10}" '
                f'name="test_{number:06}_what_it_does" time="{number % 100}.{number % 1000:03}">{told}</testcase>'
            )
        stream.write("</testsuite>")
