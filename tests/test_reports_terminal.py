"""The matrix on a terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from cs_matrix_pytest.environments.model import Context, Hypervisor
from cs_matrix_pytest.outcomes.matrix import Matrix, compute_matrix
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Reason,
    ReasonCode,
    RecordedRun,
    Run,
    RunEnvironment,
    Untested,
)
from cs_matrix_pytest.reports.terminal import render
from report_example import CATALOGUE, example_matrix, example_records, hostile_matrix

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("terminal.txt", {}),
        ("terminal-ascii.txt", {"encoding": "ascii"}),
        ("terminal-explain.txt", {"explain": True, "width": 100}),
    ],
)
def test_golden(name, options):
    assert render(example_matrix(), **options) == (GOLDEN / name).read_text(encoding="utf-8")


def wide_matrix(environments=7, features=5) -> Matrix:
    run = Run(
        "r",
        "2026-01-01T00:00:00Z",
        "local",
        {
            f"environment-{n}": RunEnvironment(Context(Hypervisor("kvm", str(n))).as_dict(), "4.22.0.0")
            for n in range(environments)
        },
    )
    attempts = tuple(
        Attempt(
            f"t{f}_vm.py::T::test_{f}", name, AttemptOutcome.FAILED, "2026-01-01T00:00:01Z", 1.0, message="E: x " * 50
        )
        for f in range(features)
        for name in run.environments
    )
    from cs_matrix_pytest.outcomes.features import load_catalogue

    return compute_matrix([RecordedRun(run, attempts)], load_catalogue(), generated="2026-01-03T00:00:00Z")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("explain", [False, True])
def test_it_fits_the_width_and_loses_nothing(width, explain):
    text = render(wide_matrix(), width, explain=explain)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("✗ failing 0/1") >= 35
    for n in range(7):
        assert re.search(rf"environment-{n}\b", text)


def test_many_environments_are_several_tables_of_even_size():
    headers = [line for line in render(wide_matrix(environments=4), 66).splitlines() if line.startswith("CloudStack")]
    assert [header.count("environment-") for header in headers] == [2, 2]


def test_a_colour_never_says_anything_alone():
    plain, coloured = render(example_matrix()), render(example_matrix(), color=True)
    without = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert coloured != plain
    assert [line.rstrip() for line in without.splitlines()] == plain.splitlines()


def test_whys_are_bounded_and_say_how_many_more():
    why = render(wide_matrix(features=35)).partition("Why\n")[2]
    assert why.count("✗") == 20
    assert "  and 15 more: cs-matrix report --explain" in why


def test_a_cause_that_several_environments_share_is_told_once():
    why = render(wide_matrix(environments=3, features=1), 200).partition("Why\n")[2]
    assert why.count("✗") == 1
    assert "environment-0, environment-1, environment-2: T::test_0 failed 1 of 1" in why


def test_a_table_of_nothing_but_untested_is_one_row():
    blocked = [
        replace(
            record,
            attempts=tuple(replace(each, outcome=AttemptOutcome.BLOCKED) for each in record.attempts),
        )
        for record in example_records()
    ]
    text = render(compute_matrix(blocked, CATALOGUE, generated="2026-01-03T00:00:00Z"))
    assert re.search(r"^all 2 features +· untested +· untested +· untested$", text, re.MULTILINE)
    assert "VM lifecycle  " not in text


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "cloudstackAPIException: Execute cmd: createvolume failed, due to: errorCode: 431, errorText:no size",
            "createvolume failed with 431: no size",
        ),
        (
            "cloudstackAPIException: Execute cmd: asyncquery failed, due to: {errorcode : 530, errortext : 'no space'}",
            "job failed with 530: no space",
        ),
        (
            "Exception: Job failed: {jobid : 'x', jobresult : {errorcode : 530, errortext : 'no space'}, jobstatus : 2}",
            "job failed with 530: no space",
        ),
    ],
)
def test_what_the_server_said_is_not_lost_in_what_marvin_says(message, said):
    run = Run(
        "r",
        "2026-01-01T00:00:00Z",
        "local",
        {"kvm": RunEnvironment(Context(Hypervisor("kvm")).as_dict(), "4.22.0.0")},
    )
    attempt = Attempt("t_vm.py::T::test", "kvm", AttemptOutcome.FAILED, "2026-01-01T00:00:01Z", 1.0, message=message)
    text = render(compute_matrix([RecordedRun(run, (attempt,))], CATALOGUE, generated="2026-01-03T00:00:00Z"), 200)
    assert f"T::test failed 1 of 1: {said}\n" in text


def test_hostile_text_is_only_shown():
    for options in ({}, {"explain": True}, {"color": True}, {"encoding": "latin-1"}):
        text = render(hostile_matrix(), **options)
        without = re.sub(r"\x1b\[[0-9;]*m", "", text) if options.get("color") else text
        assert {unicodedata.category(c) for c in without if c != "\n"}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
        assert "[bold red]" in text


def test_what_the_encoding_cannot_take_is_escaped():
    text = render(hostile_matrix(), encoding="ascii") + render(example_matrix(), encoding="cp1252")
    text.encode("ascii")
    renamed = replace(example_records(1)[0], warnings=("žádný",))
    matrix = compute_matrix([renamed], CATALOGUE, generated="2026-01-03T00:00:00Z")
    assert "Note: \\u017e\\xe1dn\\xfd" in render(matrix, encoding="ascii")


def test_an_unknown_encoding_is_taken_for_ascii():
    assert "+ compatible" in render(example_matrix(), encoding="no-such-encoding")


def test_two_labs_and_two_versions_are_told_apart():
    first, second = example_records()
    theirs = replace(second, run=replace(second.run, lab="theirs", run="x"))
    newer = {name: replace(environment, acs_version="4.9") for name, environment in first.run.environments.items()}
    first = replace(first, run=replace(first.run, environments=newer))
    text = render(compute_matrix([first, theirs], CATALOGUE, generated="2026-01-03T00:00:00Z"))
    assert "local/kvm" in text
    assert "theirs/kvm" in text
    assert text.index("CloudStack 4.9") < text.index("CloudStack 4.22.0.0")
    assert "ACLs, local/kvm (CloudStack 4.9): TestAcl::test_deny failed 1 of 1" in text


def test_an_environment_that_changed_its_context_has_a_column_for_each():
    first, second = example_records()
    upgraded = RunEnvironment(Context(Hypervisor("kvm", "el10")).as_dict(), "4.22.0.0")
    second = replace(second, run=replace(second.run, environments={**second.run.environments, "kvm": upgraded}))
    text = render(compute_matrix([first, second], CATALOGUE, generated="2026-01-03T00:00:00Z"), 160)
    assert "(kvm-el10/advanced/shared)" in text
    assert "(kvm-el9/advanced/nfs)" in text


def test_a_run_that_was_cut_short_is_noted():
    record = replace(example_records(1)[0], ended=False)
    text = render(compute_matrix([record], CATALOGUE, generated="2026-01-03T00:00:00Z"))
    assert "Note: cut short (what they finished counts): 20260101T000000Z-00000000" in text


def test_nothing_at_all():
    assert render(Matrix(generated="2026-01-03T00:00:00Z")).startswith("Nothing was tested")


def test_untested_features_of_one_cause_share_a_line():
    run = Run("r", "2026-01-01T00:00:00Z", "local", {"e": RunEnvironment(Context(Hypervisor("kvm")).as_dict())})
    lines = tuple(
        Untested(f"test_{n}.py", "e", Reason(ReasonCode.BLOCKED, "login refused"), "module") for n in range(9)
    )
    from cs_matrix_pytest.outcomes.features import load_catalogue

    matrix = compute_matrix([RecordedRun(run, (), lines)], load_catalogue(), generated="2026-01-03T00:00:00Z")
    text = render(matrix)
    assert "· 9 features, e: blocked: login refused" in text
    assert "all 9 features      · untested" in text
    assert "CloudStack unknown" in text
