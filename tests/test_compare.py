"""`cs-matrix compare`: what is news between two sides, and which sides there are."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.compare import Comparison, News, compare
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.sides import Side, comparable, resolve
from cs_matrix_pytest.reports import comparison as reports
from cs_matrix_pytest.reports.terminal import render
from histories import histories
from program import cs_matrix
from record_files import KVM, XEN, recorded, write
from report_example import HOSTILE, hostile_matrix
from shipped_schemas import validate

A, B, C = "smoke/test_a.py::TestA::test_a", "smoke/test_a.py::TestA::test_b", "smoke/test_c.py::TestC::test_c"
NOW = "2026-01-31T00:00:00Z"
CATALOGUE = load_catalogue()


def compared(before, after, same="context", **more) -> Comparison:
    """Two lists of records compared."""
    matrices = [compute_matrix(records, CATALOGUE, generated=NOW) for records in (before, after)]
    return compare(*matrices, same=same, **more)


def news_of(before: str, after: str) -> list[News]:
    """What is news of a test with these attempts, each in a run of its own."""
    sides = [
        [recorded(f"{side}{day}", {f"{A}@kvm": letter}, day=day) for day, letter in enumerate(letters, start=1)]
        for side, letters in (("a", before), ("b", after))
    ]
    return [change.news for change in compared(*sides).changes]


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        ("PPP", "PPP", None),
        ("FFF", "F", None),
        ("P", "F", "newly-failing"),
        ("PPP", "PFP", "newly-unstable"),
        ("F", "P", "fixed"),
        ("FPF", "PPP", "fixed"),
        # One answer of an unstable test says nothing yet.
        ("PFP", "F", None),
        ("PFP", "P", None),
        ("PFP", "FFF", "newly-failing"),
        # Better, and not fixed.
        ("FFF", "PFP", None),
        ("P", "", "lost-coverage"),
        ("F", "B", "lost-coverage"),
        ("PFP", "S", "lost-coverage"),
        ("", "P", "new-coverage"),
        ("S", "F", "new-coverage"),
        ("B", "PFP", "new-coverage"),
        ("S", "B", None),
    ],
)
def test_what_is_news(before, after, news):
    assert news_of(before, after) == ([News(news)] if news else [])


def test_versions_are_compared_within_a_context_and_environments_within_a_version():
    before = [recorded("1", {f"{A}@kvm": "P", f"{A}@xen": "F"})]
    after = [recorded("2", {f"{A}@kvm": "F", f"{A}@xen": "F"}, version="4.23.0.0")]
    by_context = compared(before, after)
    assert [(change.news, change.place) for change in by_context.changes] == [(News.NEWLY_FAILING, KVM.key)]
    assert by_context.compared == {(Outcome.COMPATIBLE, Outcome.FAILING): 1, (Outcome.FAILING, Outcome.FAILING): 1}
    by_version = compared(before, after, same="version")
    assert sum(by_version.compared.values()) == 0
    assert (by_version.places_before, by_version.places_after) == (("4.22.0.0",), ("4.23.0.0",))


def test_a_side_of_several_contexts_has_the_worst_of_them():
    before = [recorded("1", {f"{A}@kvm": "P"})]
    after = [recorded("2", {f"{A}@kvm": "P", f"{A}@xen": "F"}, day=2)]
    assert [change.news for change in compared(before, after, same="version").changes] == [News.NEWLY_FAILING]


def test_tests_and_places_of_one_side_only_are_counted():
    found = compared(
        [recorded("1", {f"{A}@kvm": "P", f"{B}@kvm": "P", f"{C}@kvm": "S"})],
        [recorded("2", {f"{A}@kvm": "P", f"{C}@xen": "P"})],
    )
    assert (found.only_before, found.only_after) == (1, 1)
    assert (found.places, found.places_before, found.places_after) == ((KVM.key,), (), (XEN.key,))


def test_one_cause_is_one_entry_wherever_it_happened():
    results = {f"{test}@{environment}": "P" for test in (A, B, C) for environment in ("kvm", "xen")}
    failing = {key: "F" if C not in key else "P" for key in results} | {f"{C}@xen": "F"}
    found = compared([recorded("1", results)], [recorded("2", failing, messages={C: "other", B: "no capacity"})])
    entries = json.loads(reports.render_json(found))["news"]
    assert [(entry["cause"], len(entry["tests"])) for entry in entries] == [("E: no capacity", 4), ("E: other", 1)]


def test_a_report_explains_which_failures_have_one_cause():
    results = {f"{A}@kvm": "F", f"{B}@kvm": "F", f"{A}@xen": "PF", f"{C}@xen": "F"}
    matrix = compute_matrix([recorded("1", results, messages={C: "other"})], CATALOGUE, generated=NOW)
    text = render(matrix, 120, explain=True)
    assert text.endswith("Failures of one cause\n✗ E: no capacity: 2 tests in kvm, xen\n")
    assert "of one cause" not in render(matrix, 120)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from(["kvm", "xen"]), st.sampled_from("PFSB"))))
def test_nothing_is_news_between_equal_sides_and_turning_round_turns_the_news_round(attempts):
    def side(flip):
        swap = {"P": "F", "F": "P"} if flip else {}
        return [
            recorded(f"{n}", {f"{test}@{environment}": swap.get(letter, letter)}, day=1 + n % 28)
            for n, (test, environment, letter) in enumerate(attempts)
        ]

    one, other = side(False), side(True)
    assert compared(one, one).changes == ()
    there, back = (compared(*sides, settle=1) for sides in ((one, other), (other, one)))
    turned = {News.NEWLY_FAILING: News.FIXED, News.FIXED: News.NEWLY_FAILING}
    assert {(turned[each.news], each.test, each.place) for each in there.changes if each.news in turned} == {
        (each.news, each.test, each.place) for each in back.changes if each.news in turned
    }


@pytest.mark.parametrize("same", ["context", "version", "both"])
@settings(max_examples=20, deadline=None)
@given(histories(), histories())
def test_json_is_as_its_schema_has_it(same, before, after):
    text = reports.render_json(compared(before, after, same))
    validate(json.loads(text), reports.SCHEMA_FILE)
    assert text.endswith("}\n")


# Sides

RECORDS = [
    recorded("20260101T000000Z-aaaaaaaa", {f"{A}@kvm": "P", f"{A}@xen": "P"}, commit="abcd1234ef"),
    recorded("20260102T000000Z-bbbbbbbb", {f"{A}@kvm": "F"}, day=2, version="4.23.0.0", commit="abce5678", lab="kvm"),
    recorded("20260103T000000Z-cccccccc", {f"{A}@kvm2": "F"}, day=3, version=None),
]


@pytest.mark.parametrize(
    ("written", "side", "runs"),
    [
        ("4.22.0.0", Side("version", "4.22.0.0"), "a"),
        ("version:4.2?.0.0", Side("version", "4.2?.0.0"), "ab"),
        ("unknown", Side("version", "unknown"), "c"),
        ("abcd", Side("commit", "abcd1234ef"), "a"),
        ("commit:ABCE", Side("commit", "abce5678"), "b"),
        ("run:newest", Side("run", "20260103T000000Z-cccccccc"), "c"),
        ("20260101*", Side("run", "20260101*"), "a"),
        ("environment:kvm", Side("environment", "kvm"), "ab"),
        ("local/kvm", Side("environment", "local/kvm"), "a"),
        ("xen", Side("environment", "xen"), "a"),
        ("lab:kvm", Side("lab", "kvm"), "b"),
        ("context:kvm-*", Side("context", "kvm-*"), "abc"),
    ],
)
def test_a_side_is_a_part_of_the_records(written, side, runs):
    assert resolve(written, RECORDS) == side
    assert "".join(record.run.run[-1] for record in side.part(RECORDS)) == runs


def test_a_side_has_only_its_environments():
    [part] = Side("environment", "xen").part(RECORDS)
    assert [*part.run.environments] == ["xen"]
    assert {attempt.environment for attempt in part.attempts} == {"xen"}


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("kvm", "kvm may be environment or lab", "Write environment:kvm or lab:kvm."),
        ("abc", "nothing in the records is called abc", "There is 4.22.0.0, 4.23.0.0"),
        ("commit:abc*", None, None),
        ("commit:abcf", "no commit in the records is called abcf", "There is abcd1234ef, abce5678"),
        ("4.24.0.0", "nothing in the records is called 4.24.0.0", "Did you mean 4.23.0.0 or 4.22.0.0?"),
        ("run:2027*", "no run in the records is called 2027*", "There is 20260101T000000Z-aaaaaaaa"),
        ("environment:", "no environment in the records is called ", "There is kvm"),
    ],
)
def test_a_word_that_names_no_side_is_told_what_there_is(written, message, hint):
    if message is None:
        assert resolve(written, RECORDS).value == "abc*"
        return
    with pytest.raises(UserError) as caught:
        resolve(written, RECORDS)
    assert caught.value.what == message
    assert hint in caught.value.hint


def test_a_commit_that_begins_several_is_ambiguous():
    more = [*RECORDS, recorded("4", {f"{A}@kvm": "P"}, commit="abcd9999")]
    with pytest.raises(UserError, match="commit abcd is ambiguous\n  It may be abcd1234ef or abcd9999"):
        resolve("abcd", more)


def test_messages_show_names_that_a_terminal_does_not_obey():
    hostile = [recorded("r\x1b[2J", {f"{A}@kvm": "P"}, version="\x1b]8;;x\x07\x9b4", commit="abcd\x1b[2J")]
    for word in ("nothing", "run:x", "version:x"):
        with pytest.raises(UserError) as caught:
            resolve(word, hostile)
        assert "\x1b" not in str(caught.value)
        assert "\x9b" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        comparable(resolve("abcd", hostile), Side("lab", "x"))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("kinds", "same"),
    [
        (("version", "version"), "context"),
        (("commit", "run"), "context"),
        (("environment", "context"), "version"),
        (("lab", "lab"), "both"),
        (("environment", "version"), None),
        (("lab", "context"), None),
    ],
)
def test_what_can_be_compared(kinds, same):
    sides = Side(kinds[0], "1"), Side(kinds[1], "2")
    if same is None:
        with pytest.raises(UserError, match="cannot be compared"):
            comparable(*sides)
    else:
        assert comparable(*sides) == same


# The command


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path / "cs-report",
        recorded("1", {f"{A}@kvm": "PP", f"{B}@kvm": "P", f"{C}@kvm": "F", f"{A}@xen": "P"}),
        recorded("2", {f"{A}@kvm": "F", f"{B}@kvm": "F", f"{C}@kvm": "P"}, day=2, version="4.23.0.0"),
    )
    return tmp_path


def test_terminal(project):
    result = cs_matrix("compare", "4.22.0.0", "4.23.0.0", cwd=project)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout == (
        "A: version 4.22.0.0\n"
        "B: version 4.23.0.0\n"
        "3 results compared, each of one test in one context\n"
        "tested only in A: context xenserver-8.4/advanced/shared\n"
        "\n"
        "Newly failing: 2 tests, 1 cause\n"
        "✗ E: no capacity\n"
        "    A, kvm-el9/advanced/nfs: TestA::test_a (A: passed 2 of 2; B: failed 1 of 1)\n"
        "    A, kvm-el9/advanced/nfs: TestA::test_b (A: passed 1 of 1; B: failed 1 of 1)\n"
        "\n"
        "Lost coverage: 1 test\n"
        "· xenserver-8.4/advanced/shared: no record names these tests (1 test)\n"
        "    A: TestA::test_a\n"
        "\n"
        "Fixed: 1 test, 1 cause\n"
        "✓ E: no capacity\n"
        "    C, kvm-el9/advanced/nfs: TestC::test_c (A: failed 1 of 1; B: passed 1 of 1)\n"
    )


def test_json_and_markdown_to_a_file(project):
    for name, kind in (("c.json", "json"), ("c.md", "markdown")):
        result = cs_matrix("compare", "4.22.0.0", "4.23.0.0", "--format", kind, "--output", name, cwd=project)
        assert (result.returncode, result.stdout, result.stderr) == (1, "", "")
    found = json.loads((project / "c.json").read_text(encoding="utf-8"))
    assert found["schema"] == "cs-comparison/1"
    assert found["counts"] == {
        "newly-failing": 2,
        "newly-unstable": 0,
        "lost-coverage": 1,
        "fixed": 1,
        "new-coverage": 0,
    }
    assert found["news"][0]["tests"][0]["test"] == A
    assert (found["compared"], found["still"]) == (3, {"failing": 0, "unstable": 0})
    validate(found, reports.SCHEMA_FILE)
    page = (project / "c.md").read_text(encoding="utf-8")
    assert "### Newly failing: 2 tests, 1 cause" in page
    assert "`TestA::test_a`" in page


@pytest.mark.parametrize(
    ("sides", "arguments", "code"),
    [
        (("4.22.0.0", "4.23.0.0"), (), 1),
        (("4.23.0.0", "4.22.0.0"), (), 1),
        (("4.22.0.0", "4.23.0.0"), ("--fail-on", "newly-unstable"), 0),
        (("4.22.0.0", "4.23.0.0"), ("--fail-on", "newly-unstable,lost-coverage"), 1),
        (("4.22.0.0", "4.23.0.0"), ("--fail-on", "lost-coverage", "--environment", "kvm"), 0),
        (("4.22.0.0", "4.23.0.0"), ("--fail-on", "none"), 0),
        (("4.22.0.0", "4.23.0.0"), ("--feature", "c"), 0),
        (("kvm", "xen"), ("--acs-version", "4.22.0.0"), 0),
        (("xen", "kvm"), ("cs-report",), 0),
    ],
)
def test_exit_code(project, sides, arguments, code):
    assert cs_matrix("compare", *sides, *arguments, cwd=project).returncode == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("4.22.0.0", "4.24.0.0"), "nothing in the records is called 4.24.0.0"),
        (("4.22.0.0", "4.22.0.0"), "both sides are version 4.22.0.0"),
        (("4.22.0.0", "kvm"), "version 4.22.0.0 and environment kvm cannot be compared"),
        (("4.22.0.0", "4.23.0.0", "--fail-on", "fixed"), "--fail-on: fixed is not one of newly-failing"),
        (("4.22.0.0", "4.23.0.0", "nowhere.jsonl"), "nowhere.jsonl: the run record cannot be read"),
        (("4.22.0.0", "4.23.0.0", "--settle", "0"), "1 <= settle <= window"),
        (("4.22.0.0", "4.23.0.0", "--known-failures", "none.yaml"), "none.yaml: this known-failures file does not"),
    ],
)
def test_wrong_use_is_one_message_and_exit_2(project, arguments, message):
    result = cs_matrix("compare", *arguments, cwd=project)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_no_news_says_so(tmp_path):
    write(tmp_path, recorded("1", {f"{A}@kvm": "P"}), recorded("2", {f"{A}@kvm": "P"}, version="4.23.0.0"))
    result = cs_matrix("compare", "4.22.0.0", "4.23.0.0", tmp_path, cwd=tmp_path)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "No news.")


def test_compacted_records_give_the_same_answer(project):
    pytest.importorskip("duckdb")
    commands = (("compare", "4.22.0.0", "4.23.0.0"), ("flaky", "--min-attempts", "1"))
    before = [cs_matrix(*command, cwd=project).stdout for command in commands]
    assert cs_matrix("compact", "cs-report", cwd=project).returncode == 0
    assert [*(project / "cs-report").glob("*.jsonl")] == []
    assert [cs_matrix(*command, cwd=project).stdout for command in commands] == before


def test_a_terminal_shows_so_many_causes_and_says_how_many_more():
    tests = [f"smoke/test_{n}.py::TestX::test_x" for n in range(25)]
    found = compared(
        [recorded("1", {f"{test}@kvm": "P" for test in tests})],
        [
            recorded(
                "2", {f"{test}@kvm": "F" for test in tests}, messages={test: "x" * n for n, test in enumerate(tests, 1)}
            )
        ],
    )
    assert "\nNewly failing: 25 tests, 25 causes\n" in reports.terminal(found)
    assert reports.terminal(found).endswith("and 5 entries more (--format json has all)\n")


# Hostile text


@pytest.fixture(scope="module")
def hostile():
    empty = compute_matrix([], CATALOGUE, generated=NOW)
    return compare(empty, hostile_matrix(), same="context", names=(HOSTILE, HOSTILE))


def test_a_terminal_obeys_nothing_of_it(hostile):
    text = reports.terminal(hostile, 80)
    assert hostile.changes
    assert {unicodedata.category(character) for character in text.replace("\n", "")} & {"Cc", "Cf", "Cs"} == set()


def test_json_and_markdown_carry_it(hostile):
    text = reports.render_json(hostile)
    assert json.loads(text)["news"]
    validate(json.loads(text), reports.SCHEMA_FILE)
    assert text.isascii()
    assert "\x1b" not in reports.markdown(hostile)


def test_markdown_makes_nothing_of_html_and_mentions():
    bad = "<img src=x onerror=alert(1)> @someone #1 [x](javascript:y) `tick` | ![p](http://x)"
    found = compared([recorded("1", {f"{A}@kvm": "P"})], [recorded("2", {f"{A}@kvm": "F"}, messages={A: bad})])
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", reports.markdown(found))
    assert "<img" not in outside
    assert "@" not in outside


def test_markdown_fits_a_comment():
    tests = [f"smoke/test_{n}.py::TestX::test_{'x' * 200}" for n in range(1500)]
    found = compared(
        [recorded("1", {f"{test}@kvm": "P" for test in tests})],
        [
            recorded(
                "2",
                {f"{test}@kvm": "F" for test in tests},
                messages={t: f"cause {chr(97 + n % 26) * (n % 50 + 1)} {t}" for n, t in enumerate(tests)},
            )
        ],
    )
    text = reports.markdown(found)
    assert len(text) <= 65_536
    assert text.endswith("The rest did not fit (--format json has all).\n")
