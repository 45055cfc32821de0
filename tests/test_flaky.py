"""`cs-matrix flaky`: what is flaky, at which rate, and in which order."""

from __future__ import annotations

import json
import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.outcomes.flaky import FlakyTest, Rate, rank, wilson
from cs_matrix_pytest.reports import flakiness
from histories import histories
from program import cs_matrix
from record_files import KVM, XEN, recorded, write
from report_example import HOSTILE
from shipped_schemas import validate

A, B, C = "smoke/test_a.py::TestA::test_a", "smoke/test_b.py::TestB::test_b", "smoke/test_c.py::TestC::test_c"


def daily(letters, *, commits=None, test=A, environment="kvm", **more):
    """A run a day, one attempt each; ``commits`` has a letter for each, ``?`` where it is not known."""
    known = [None if commit == "?" else f"{commit}{commit}1234" for commit in commits or "?" * len(letters)]
    return [
        recorded(f"{environment}{day:03}", {f"{test}@{environment}": letter}, day=day, commit=commit, **more)
        for day, (letter, commit) in enumerate(zip(letters, known, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("records", "failures", "attempts"),
    [
        # One run, or one commit, with both answers.
        ([recorded("1", {f"{A}@kvm": "PF"})], 1, 2),
        (daily("FP", commits="aa"), 1, 2),
        (daily("PPFPP", commits="abbcd"), 1, 5),
        (daily("PPPFFF", commits="aaaaaa"), 3, 6),
        (daily("PPPFFF", commits="aabaab"), 3, 6),
        # There and back within fewer than three attempts, more than once.
        (daily("PFPFP"), 2, 5),
        (daily("PFPF"), 2, 4),
        (daily("PPPPFPPPFFPPP", commits="abcdefghijklm"), 3, 13),
        (daily("FFFFPFFPF"), 7, 9),
        # What happened once: broken, fixed, or both.
        (daily("PF"), None, None),
        (daily("PPPFFF"), None, None),
        (daily("PPPPPF"), None, None),
        (daily("FPPPPP"), None, None),
        (daily("FFFFF"), None, None),
        (daily("PFP"), None, None),
        (daily("PPPFPPP", commits="aaabccc"), None, None),
        (daily("PPPFFFPPP"), None, None),
        (daily("PPPFFFPPP", commits="aaabbbccc"), None, None),
        # A break beside flakiness does not count as flakiness.
        (daily("PFPFPPP" + "FFFF"), 2, 7),
        (daily("PFPFPPP" + "FFFF" + "PPPFPPP"), 3, 14),
        (daily("PFPFPPP" + "FFFF" + "PPP"), 2, 10),
        # Two environments that differ, each of one mind.
        (daily("PPPP") + daily("FFFF", environment="kvm2"), None, None),
        # Two occasions, in one environment each: two breaks of one run would be one.
        (daily("PFPP") + daily("PPFP", environment="kvm2"), 2, 8),
        ([recorded(str(n), {f"{A}@kvm": x, f"{A}@xen": x}, day=n) for n, x in enumerate("PFFP", 1)], None, None),
        # Of a test that is flaky, what is the last so far counts as well.
        (daily("PFPFP") + daily("PPPF", environment="xen"), 3, 9),
        (daily("PFPFP") + daily("PPPFFF", environment="xen"), 2, 8),
        # What was not executed is no attempt.
        (daily("PBFSPFP"), 2, 5),
        ([], None, None),
    ],
)
def test_what_is_flaky(records, failures, attempts):
    found = rank(records, minimum=1)
    assert [(each.total.failures, each.total.attempts) for each in found] == (
        [(failures, attempts)] if attempts else []
    )


def test_versions_are_not_mixed():
    assert rank(daily("PP") + daily("FF", environment="xen", version="4.23.0.0"), minimum=1) == ()
    records = [
        recorded(str(n), {f"{A}@kvm": letter}, day=n, version=f"4.2{n}.0.0") for n, letter in enumerate("PFP", 1)
    ]
    assert rank(records, minimum=1) == ()


def test_one_of_two_stays_below_forty_of_a_hundred():
    few = [recorded("few", {f"{A}@kvm": "PF"})]
    many = [
        recorded(f"many{n}", {f"{B}@kvm": "F" if n % 5 in (0, 2) else "P"}, day=1 + n // 4, commit="abcd")
        for n in range(100)
    ]
    assert [(each.test, each.total.failures, each.total.attempts) for each in rank(few + many, minimum=2)] == [
        (B, 40, 100),
        (A, 1, 2),
    ]


def test_the_rate_of_a_flaky_test_is_found_again():
    chance = Random(1)
    tests = [f"smoke/test_x.py::TestX::test_{n}" for n in range(50)]
    runs = [
        recorded(
            str(day),
            {f"{test}@{place}": "F" if chance.random() < 0.3 else "P" for test in tests for place in ("kvm", "xen")},
            day=day,
        )
        for day in range(1, 21)
    ]
    covered = [low <= 0.3 <= high for low, high in (each.total.interval for each in rank(runs))]
    assert len(covered) == 50
    assert sum(covered) >= 45


def test_minimum_attempts():
    records = [recorded("1", {f"{A}@kvm": "PF", f"{B}@kvm": "PFPFP"})]
    assert [each.test for each in rank(records, minimum=5)] == [B]


def test_by_context_with_causes():
    records = [
        recorded("1", {f"{A}@kvm": "PFP", f"{A}@xen": "PPPP"}, messages={A: "no capacity"}),
        recorded("2", {f"{A}@kvm2": "FPF"}, day=2, messages={A: "timed out"}),
    ]
    [found] = rank(records, minimum=1)
    assert dict(found.contexts) == {KVM.key: Rate(3, 6, 4), XEN.key: Rate(0, 4, 0)}
    assert [context for context, _ in found.contexts] == [KVM.key, XEN.key]
    assert found.total == Rate(3, 10, 4)
    assert [(signature.partition(" [")[0], times) for signature, times in found.signatures] == [
        ("E: timed out", 2),
        ("E: no capacity", 1),
    ]
    assert found.last == "2026-01-02T00:02:00Z"


@pytest.mark.parametrize(
    ("failures", "attempts", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (0, 0, 0, 1)],
)
def test_wilson(failures, attempts, low, high):
    assert wilson(failures, attempts) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_rate_and_shrinks_with_evidence(failures, attempts):
    failures = min(failures, attempts)
    low, high = wilson(failures, attempts)
    assert 0 <= low <= failures / attempts <= high <= 1
    more = wilson(failures * 4, attempts * 4)
    assert more[1] - more[0] < high - low


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([1, 2]), st.sampled_from([1, 3]))
def test_json_is_as_its_schema_has_it(records, minimum, settle):
    found = rank(records, minimum=minimum, settle=settle)
    validate(json.loads(flakiness.render_json(found, len(found))), flakiness.SCHEMA_FILE)


@settings(deadline=None)
@given(st.lists(st.sampled_from("PFSB"), max_size=20), st.randoms())
def test_order_and_repetition_of_records_do_not_matter(letters, random):
    records = daily("".join(letters))
    shuffled = [*records, *records[:3]]
    random.shuffle(shuffled)
    assert rank(shuffled, minimum=1) == rank(records, minimum=1)


# The command


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path / "cs-report",
        recorded("1", {f"{A}@kvm": "PFPFPP", f"{B}@kvm": "PPFPPPPPPP", f"{C}@kvm": "PPPPPF"}),
        recorded("2", {f"{A}@xen": "PPPPPP"}, day=2),
    )
    return tmp_path


def test_terminal(project):
    result = cs_matrix("flaky", cwd=project)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"~ fails 16.7% (4.7% to 44.8%), 2 of 12: {A}\n"
        "    kvm-el9/advanced/nfs: fails 33.3% (9.7% to 70.0%), 2 of 6\n"
        "    xenserver-8.4/advanced/shared: passed 6 of 6\n"
        "    2 of these: E: no capacity [f20de9c7]\n"
        f"~ fails 16.7% (3.0% to 56.4%), 1 of 6: {C}\n"
        "    kvm-el9/advanced/nfs: fails 16.7% (3.0% to 56.4%), 1 of 6\n"
        "    1 of these: E: no capacity [f20de9c7]\n"
        f"~ fails 10.0% (1.8% to 40.4%), 1 of 10: {B}\n"
        "    kvm-el9/advanced/nfs: fails 10.0% (1.8% to 40.4%), 1 of 10\n"
        "    1 of these: E: no capacity [f20de9c7]\n"
        "\n"
        "ranked by the lower end of the 95% interval (Wilson) of the share of attempts that fail\n"
    )


def test_json(project):
    found = json.loads(cs_matrix("flaky", "--format", "json", "--top", "1", cwd=project).stdout)
    validate(found, flakiness.SCHEMA_FILE)
    [test] = found.pop("tests")
    assert found == {"schema": "cs-flaky/1", "confidence": 0.95, "interval": "wilson", "count": 3}
    assert (test["test"], test["failures"], test["attempts"], test["flips"]) == (A, 2, 12, 4)
    assert (test["rate"], test["low"], test["high"]) == pytest.approx((1 / 6, *wilson(2, 12)), abs=1e-6)
    assert list(test["contexts"]) == [KVM.key, XEN.key]


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        (("--since", "2026-01-02"), []),
        (("--context", "hypervisor=kvm"), [A, C, B]),
        (("--context", "hypervisor=xenserver"), []),
        (("--min-attempts", "7"), [A, B]),
        (("--top", "2"), [A, C]),
    ],
)
def test_options(project, arguments, tests):
    found = json.loads(cs_matrix("flaky", "--format", "json", *arguments, cwd=project).stdout)
    assert [test["test"] for test in found["tests"]] == tests


def test_what_is_left_out_and_nothing_are_said(project):
    assert "and 2 more (--top 3 shows all)" in cs_matrix("flaky", "--top", "1", cwd=project).stdout
    assert cs_matrix("flaky", "--since", "2026-01-02", cwd=project).stdout == "No test is flaky.\n"


@pytest.mark.parametrize("option", ["--top", "--min-attempts", "--settle"])
def test_wrong_use(project, option):
    result = cs_matrix("flaky", option, "0", cwd=project)
    assert (result.returncode, result.stderr) == (2, f"cs-matrix: {option} must be at least 1\n")


def test_a_terminal_obeys_nothing():
    rate = Rate(1, 2, 1)
    text = flakiness.terminal([FlakyTest(HOSTILE, HOSTILE, rate, ((HOSTILE, rate),), ((HOSTILE, 1),), "")], 1)
    assert {unicodedata.category(character) for character in text.replace("\n", "")} & {"Cc", "Cf", "Cs"} == set()
