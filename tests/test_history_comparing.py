"""Comparisons and rankings of compacted records: those that the pure functions give, whatever the records are."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.collection import read_records
from cs_matrix_pytest.history.compacting import compact
from cs_matrix_pytest.history.flaky import read_flaky
from cs_matrix_pytest.history.sides import read_sides
from cs_matrix_pytest.outcomes.choose import choose
from cs_matrix_pytest.outcomes.flaky import rank
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.sides import comparable, resolve
from histories import TESTS, histories, write_history
from record_files import recorded
from test_history_question import CATALOGUE, EVERYTHING, LATER, NOW, choices, windows

SIDES = [
    ("4.22.0.0", "4.23.0.0"),
    ("version:*", "4.22.0.0"),
    ("run:run-0", "run:newest"),
    ("run:*", "version:unknown"),
    ("commit:a", "commit:*"),
    ("environment:kvm-adv", "environment:*"),
    ("kvm-adv", "context:vmware*"),
    ("lab:local", "lab:läb"),
    ("lab:local", "version:*"),
    ("nothing", "at-all"),
]


def answer(ask):
    """What it gives, or says."""
    try:
        return ask()
    except UserError as error:
        return str(error)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.sampled_from(SIDES), st.just(EVERYTHING) | choices, windows)
def test_the_sides_are_those_that_the_rules_give(records, words, choice, numbers):
    window, settle = numbers
    more = {"generated": NOW, "window": window, "settle": settle}

    def by_rules(folder):
        chosen = choose(read_records([folder]), choice, CATALOGUE)
        sides = resolve(words[0], chosen), resolve(words[1], chosen)
        same = comparable(*sides)
        return sides, same, tuple(compute_matrix(side.part(chosen), CATALOGUE, **more) for side in sides)

    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), records)
        expected = answer(lambda: by_rules(folder))
        assert answer(lambda: read_sides([folder], *words, CATALOGUE, choice, **more)) == expected
        compact(folder, now=LATER)
        assert answer(lambda: read_sides([folder], *words, CATALOGUE, choice, **more)) == expected


@st.composite
def turns(draw):
    """Runs one a day, of two tests in two contexts at two versions, in which answers change often."""
    attempts = st.dictionaries(
        st.sampled_from([f"{test}@{environment}" for test in TESTS[:2] for environment in ("kvm", "kvm2", "xen")]),
        st.text("PPPFES", min_size=1, max_size=4),
        min_size=1,
    )
    return [
        recorded(
            f"run-{draw(st.integers(0, 99))}-{day}",
            draw(attempts),
            day=day,
            version=draw(st.sampled_from(["4.22.0.0", "4.22.0.0", "unknown", None])),
            commit=draw(st.sampled_from([None, "a", "b"])),
            lab=draw(st.sampled_from(["local", "local", "läb"])),
            messages={TESTS[0]: draw(st.sampled_from(["žluť", "no capacity"]))},
        )
        for day in range(1, draw(st.integers(2, 7)))
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    histories() | turns() | turns(),
    st.just(EVERYTHING) | choices,
    st.sampled_from([1, 2, 5]),
    st.sampled_from([1, 2, 3]),
)
def test_the_ranking_is_that_which_the_rules_give(records, choice, minimum, settle):
    more = {"minimum": minimum, "settle": settle}
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), records)
        expected = answer(lambda: rank(choose(read_records([folder]), choice, CATALOGUE), **more))
        assert answer(lambda: read_flaky([folder], CATALOGUE, choice, **more)) == expected
        compact(folder, now=LATER)
        assert answer(lambda: read_flaky([folder], CATALOGUE, choice, **more)) == expected
