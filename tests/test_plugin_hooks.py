"""The hooks that others can implement."""

from __future__ import annotations

import json

import pytest

from conftest import Labs


def test_facts(two: Labs) -> None:
    two.pytester.makeconftest(
        """
        def pytest_cs_facts(environment):
            if environment.name == "kvm-adv":
                return {"management_os": "ubuntu24", "extras": ["nicira"]}
        """
    )
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_a(self):
                pass
        """
    )
    two.run("--cs-env=kvm-adv,kvm-two").assert_outcomes(passed=2)
    environments = two.lines()[0]["environments"]
    assert environments["kvm-adv"]["context"]["management_os"] == "ubuntu24"
    assert environments["kvm-adv"]["context"]["extras"] == ["nicira"]
    assert environments["kvm-two"]["context"]["management_os"] is None


def test_facts_are_merged_deeply(two: Labs) -> None:
    two.pytester.makeconftest("def pytest_cs_facts(environment): return {'hypervisor': {'version': 'ubuntu24'}}\n")
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=1)
    context = two.lines()[0]["environments"]["kvm-adv"]["context"]
    assert context["hypervisor"] == {"type": "kvm", "version": "ubuntu24"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ("{'networkng': 'basic'}", "pytest_cs_facts.networkng: no fact of an environment\n  did you mean networking?"),
        ("{'hypervisor': 'kvm'}", "pytest_cs_facts.hypervisor: must be a mapping, is text"),
        ("{'extras': 'nicira'}", "pytest_cs_facts.extras: must be a list, is text"),
        ("'kvm'", "pytest_cs_facts: must be a mapping, is text"),
    ],
)
def test_facts_that_are_none(two: Labs, facts: str, said: str) -> None:
    two.pytester.makeconftest(f"def pytest_cs_facts(environment): return {facts}\n")
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    result = two.run("--cs-env=kvm-adv")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_classify_attempt(two: Labs) -> None:
    two.pytester.makeconftest(
        """
        def pytest_cs_classify_attempt(item, error, environment, outcome):
            assert (outcome.value, environment.name) == ("errored", "kvm-adv")
            return "blocked" if "NFS" in str(error) else None
        """
    )
    two.suite(
        test_x="""
        class TestX(cloudstackTestCase):
            def test_a(self):
                raise Exception("NFS server not responding")

            def test_b(self):
                raise Exception("something else")
        """
    )
    two.run("--cs-env=kvm-adv").assert_outcomes(failed=2)
    assert two.outcomes() == {("test_a", "kvm-adv"): "blocked", ("test_b", "kvm-adv"): "errored"}


def test_report(two: Labs) -> None:
    two.pytester.makeconftest(
        """
        def pytest_cs_report(matrix, folder):
            (folder / "mine.txt").write_text(matrix.cells[0].total.outcome.value)
        """
    )
    two.suite(test_x="class TestX(cloudstackTestCase):\n    def test_a(self): pass\n")
    two.run("--cs-env=kvm-adv").assert_outcomes(passed=1)
    assert (two.report / "mine.txt").read_text() == "compatible"
    assert json.loads((two.report / "matrix.json").read_text())["schema"] == "cs-matrix/1"
