"""What the plugin costs a session that does not use it: nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "yaml",
    "jsonschema",
    "rich",
    "requests",
    "junitparser",
    "marvin",
    "nose",
    "xdist",
    "cs_matrix_pytest.matrix.plan",
)


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = "import sys, pytest; before = set(sys.modules); import cs_matrix_pytest.plugin; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert not [name for name in imported if name.partition(".")[0] in HEAVY or name in HEAVY]
    assert len([name for name in imported if name.startswith("cs_matrix_pytest")]) <= 6


def test_a_session_that_does_not_use_it_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    names = tuple(name for name in HEAVY if name not in ("yaml", "xdist"))
    pytester.makepyfile(
        f"import sys\ndef test_a():\n    assert not [name for name in {names!r} if name in sys.modules]\n"
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:cov").assert_outcomes(passed=1)
