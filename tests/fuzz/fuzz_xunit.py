"""Fuzzing the readers of foreign results with atheris: ``python tests/fuzz/fuzz_xunit.py [FOLDER] -max_total_time=300``.

Whatever the bytes, a reader gives lines or raises a UserError, within time and memory that the size bounds.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cs_matrix_pytest.importers"]):
    from cs_matrix_pytest.importers import trillian, trillian_results, xunit

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.destination import ImportedRun
from cs_matrix_pytest.importers.stated import Stated
from cs_matrix_pytest.outcomes.features import load_catalogue

STARTED = "2026-01-02T03:04:05.000Z"
STATED = Stated(environment="lab")
SEEDS = (
    b'x<?xml version="1.0" encoding="UTF-16"?><testsuites><testsuite timestamp="2026-01-01T00:00:00">',
    b'x<testsuite><testcase classname="integration.smoke.test_a.TestA" name="test[lab]" time="1.5"><failure type="a.E" '
    b'message="E: m">Traceback (most recent call last):\n  File "/t/smoke/test_a.py", line 1, in setupContext\nE: m'
    b"</failure></testcase></testsuite>",
    b'x<testsuite><testcase classname="&lt;nose.suite" name="ContextSuite context=TestA&gt;:setup"><skipped message="m"/>'
    b"</testcase><testcase classname='nose.failure.Failure' name='runTest'><error type='ImportError'/></testcase>",
    b"rtest_a (smoke.test_a.TestA) ... === TestName: test_a | Status : FAILED ===\nFAIL\n\n====================\n"
    b"FAIL: test_a (smoke.test_a.TestA)\n--------------------\nTraceback (most recent call last):\nE: m\n",
    b"zPK\x03\x04",
)


def main() -> None:
    load_catalogue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"

        def one(data: bytes) -> None:
            kind, content = data[:1], data[1:]
            try:
                if kind == b"r":
                    list(trillian_results.read_results(content.decode("utf-8", "replace")))
                elif kind == b"z":
                    path.write_bytes(content)
                    check(trillian.imported(path, STATED))
                else:
                    check(xunit.imported(io.BytesIO(content), "x.xml", STATED, STARTED))
            except UserError:
                pass

        seeds = Path(folder) / "seeds"
        seeds.mkdir()
        for number, seed in enumerate(SEEDS):
            (seeds / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, str(seeds)], one)
        atheris.Fuzz()


def check(run: ImportedRun) -> None:
    lines = list(run.lines)
    assert {line.environment for line in lines} <= set(run.environments), "an environment without facts"
    assert not lines or run.identity, "no identity"


if __name__ == "__main__":
    main()
