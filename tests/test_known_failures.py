"""cs-known-failures.yaml: what has an issue stays visible, and is no news until it expires."""

from __future__ import annotations

import json
from datetime import date

import pytest
from jsonschema import Draft202012Validator

from conftest import Labs
from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.choose import AXES
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.known import (
    SCHEMA_FILE,
    KnownFailure,
    KnownFailures,
    account,
    find_known_failures,
    is_news,
    load_known_failures,
    mark,
    remarks,
)
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports import matrix_json, terminal
from program import cs_matrix
from record_files import recorded, write

A, B = "smoke/test_a.py::TestA::test_a", "smoke/test_a.py::TestA::test_b"
LINK = "https://github.com/apache/cloudstack/issues/1234"
TODAY = date(2026, 6, 1)
CATALOGUE = load_catalogue()


def entry(test=A, **more) -> KnownFailure:
    return KnownFailure(**{"test": test, "issue": LINK, "expires": date(2026, 12, 31), "line": 3, **more})


def matrix_of(*records):
    return compute_matrix(records, CATALOGUE, generated="2026-06-01T00:00:00Z")


def marked_tests(matrix) -> set[str]:
    return {evidence.test for cell in matrix.cells for evidence in cell.total.evidence if evidence.known}


CONTEXT = Context(Hypervisor("kvm", "ubuntu24"), "advanced", Storage("shared", "nfs"), "el9", ("nicira", "tungsten"))


@pytest.mark.parametrize(
    ("known", "covered"),
    [
        (entry(), True),
        (entry("smoke/test_a.py::TestA"), True),
        (entry("smoke/test_a.py"), True),
        (entry("smoke"), True),
        (entry("smoke/test_a"), False),
        (entry("smoke/test_*::test_a"), True),
        (entry("*::test_b"), False),
        (entry("smoke/test_a.py::TestA::test_"), False),
        (entry(context={"hypervisor": "KVM"}), True),
        (entry(context={"hypervisor": "xenserver"}), False),
        (entry(context={"hypervisor": "kvm", "hypervisor.version": "ubuntu*"}), True),
        (entry(context={"hypervisor": "kvm", "networking": "basic"}), False),
        (entry(context={"extras": "nicira"}), True),
        (entry(context={"extras": "nuage"}), False),
        (entry(context={"key": "kvm-ubuntu24/*"}), True),
        (entry(context={"storage.protocol": "nfs", "storage.scope": "shared", "management_os": "el*"}), True),
        (entry(acs_version="4.22.*"), True),
        (entry(acs_version="4.23.*"), False),
    ],
)
def test_what_an_entry_covers(known, covered):
    assert (known.names(A) and known.holds("4.22.0.0", CONTEXT)) is covered


def test_parameters_are_no_glob():
    assert entry("a.py::test_x").names("a.py::test_x[1]")
    assert entry("a.py::test_x[1]").names("a.py::test_x[1]")
    assert not entry("a.py::test_x[1]").names("a.py::test_x[2]")


@pytest.mark.parametrize(("today", "expired"), [("2026-12-31", False), ("2027-01-01", True)])
def test_the_day_it_expires_still_counts(today, expired):
    assert entry().expired(date.fromisoformat(today)) is expired


def test_failing_and_unstable_evidence_is_marked_everywhere_and_outcomes_stay():
    matrix = matrix_of(recorded("1", {f"{A}@kvm": "F", f"{B}@kvm": "PF", f"{A}@xen": "P"}))
    marked = mark(matrix, KnownFailures((entry("smoke/test_a.py"),)), TODAY)
    assert marked_tests(marked) == {A, B}
    assert [cell.total.outcome for cell in marked.cells] == [cell.total.outcome for cell in matrix.cells]
    kvm = next(cell for cell in marked.cells if "kvm" in cell.context)
    assert {each.known for each in kvm.by_environment["local/kvm"].evidence} == {LINK}
    Draft202012Validator(json.loads(matrix_json.SCHEMA_FILE.read_text())).validate(matrix_json.as_dict(marked))
    assert LINK in json.dumps(matrix_json.as_dict(marked))
    for explain in (False, True):
        assert f"known ({LINK}): " in terminal.render(marked, 200, explain=explain)


def test_what_is_not_known_is_told_first():
    matrix = matrix_of(recorded("1", {f"{A}@kvm": "F", f"{B}@kvm": "F"}, messages={B: "other"}))
    text = terminal.render(mark(matrix, KnownFailures((entry(),)), TODAY), 200)
    assert "TestA::test_b failed 1 of 1: E: other; and 1 more failing" in text


def test_an_expired_entry_marks_nothing_and_a_later_one_may():
    matrix = matrix_of(recorded("1", {f"{A}@kvm": "F"}))
    old = entry(expires=date(2026, 1, 1), issue="https://old")
    assert marked_tests(mark(matrix, KnownFailures((old,)), TODAY)) == set()
    assert marked_tests(mark(matrix, KnownFailures((old, entry())), TODAY)) == {A}


@pytest.mark.parametrize(
    ("results", "news"),
    [
        ({A: "F"}, False),
        ({A: "F", B: "P"}, False),
        ({A: "F", B: "F"}, True),
        ({A: "P", B: "F"}, True),
    ],
)
def test_what_is_known_is_no_news(results, news):
    matrix = matrix_of(recorded("1", {f"{test}@kvm": letters for test, letters in results.items()}))
    [cell] = mark(matrix, KnownFailures((entry(),)), TODAY).cells
    assert is_news(cell.total, {Outcome.FAILING, Outcome.UNSTABLE}) is news


@pytest.mark.parametrize(
    ("known", "letters", "whole", "said"),
    [
        (entry(), "F", True, None),
        (entry(expires=date(2026, 5, 31)), "F", True, "expired on 2026-05-31, so it counts again"),
        (entry(expires=date(2026, 5, 31)), "PF", True, "expired on 2026-05-31, so it counts again"),
        (entry(expires=date(2026, 5, 31)), "P", True, "passes by now; remove the entry"),
        (entry(), "PP", True, "passes by now; remove the entry"),
        (entry(), "B", True, None),
        (entry("smoke/test_z.py"), "P", True, "the records have no such test there"),
        (entry(context={"hypervisor": "xenserver"}), "F", True, "the records have no such test there"),
        (entry("smoke/test_z.py"), "P", False, None),
    ],
)
def test_what_is_to_mend_is_said(known, letters, whole, said, tmp_path):
    file = tmp_path / "cs-known-failures.yaml"
    matrix = matrix_of(recorded("1", {f"{A}@kvm": letters}))
    found = remarks(KnownFailures((known,), file), matrix, TODAY, whole=whole)
    assert [said in each and each.startswith(f"{file}:3: known failure {known.test}: ") for each in found] == (
        [True] if said else []
    )
    warnings = account(matrix, KnownFailures((known,), file), TODAY, whole=whole).warnings
    assert warnings == found


# The file

GOOD = f"""\
version: 1
failures:
  - test: smoke/test_a.py::TestA::test_a
    issue: {LINK}
    expires: 2026-12-31
    acs_version: 4.22.0.0
    context: {{hypervisor: kvm, hypervisor.version: 8.0}}
    note: being mended
  - {{test: ./test/integration/smoke/, issue: http://issues.example/1, expires: "2027-01-01"}}
"""


def test_a_good_file(tmp_path):
    file = tmp_path / "known.yaml"
    file.write_text(GOOD, encoding="utf-8")
    known = load_known_failures(file)
    assert known.file == file
    assert known.entries == (
        KnownFailure(
            A,
            LINK,
            date(2026, 12, 31),
            {"hypervisor": "kvm", "hypervisor.version": "8.0"},
            "4.22.0.0",
            "being mended",
            3,
        ),
        KnownFailure("smoke", "http://issues.example/1", date(2027, 1, 1), line=9),
    )


def test_no_file_is_no_known_failure(tmp_path):
    assert load_known_failures(None) == KnownFailures()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "cs-known-failures.yaml").write_text("version: 1\nfailures: []\n", encoding="utf-8")
    assert find_known_failures(tmp_path / "a" / "b") == tmp_path / "a" / "cs-known-failures.yaml"
    assert load_known_failures(tmp_path / "a" / "cs-known-failures.yaml").entries == ()


ENTRY = f"version: 1\nfailures:\n  - test: a.py\n    issue: {LINK}\n    expires: 2027-01-01\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "known.yaml:1: this file is empty"),
        ("failures: []\n", "known.yaml:1: version: missing"),
        ("version: 2\nfailures: []\n", "known.yaml:1: version: must be 1"),
        (ENTRY.replace("    expires: 2027-01-01\n", ""), "known.yaml:3: failures.0.expires: missing"),
        (
            ENTRY.replace("2027-01-01", "soon"),
            "known.yaml:5: failures.0.expires: soon is not a date\n  Write 2027-01-31.",
        ),
        (ENTRY.replace("2027-01-01", "2027-02-30"), "known.yaml:5: failures.0.expires: 2027-02-30 is not a date"),
        (ENTRY.replace("2027-01-01", "20270101"), "known.yaml:5: failures.0.expires: 20270101 is not a date"),
        (ENTRY.replace(LINK, "1234"), "known.yaml:4: failures.0.issue: is not a link\n  Write https://"),
        (ENTRY.replace(LINK, "javascript:alert(1)"), "known.yaml:4: failures.0.issue: is not a link"),
        (ENTRY.replace(LINK, "'https://x\">'"), "known.yaml:4: failures.0.issue: is not a link"),
        (ENTRY.replace("a.py", "''"), "known.yaml:3: failures.0.test: is empty"),
        (ENTRY + "    expired: 1\n", "known.yaml:6: failures.0.expired: unknown key\n  did you mean expires?"),
        (
            ENTRY + "    context: {hypervizor: kvm}\n",
            "known.yaml:6: failures.0.context.hypervizor: unknown key\n  did you mean hypervisor",
        ),
        (ENTRY + "    context: kvm\n", "known.yaml:6: failures.0.context: must be a mapping, is text"),
        (ENTRY + "   bad\n", "known.yaml:6: this is not YAML"),
    ],
)
def test_a_bad_file_is_told_where(text, message, tmp_path):
    file = tmp_path / "known.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_known_failures(file)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_the_schema_knows_every_axis():
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert [*schema["$defs"]["failure"]["properties"]["context"]["properties"]] == [*AXES]


# The commands


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path / "cs-report",
        recorded("1", {f"{A}@kvm": "P", f"{B}@kvm": "P"}),
        recorded("2", {f"{A}@kvm": "F", f"{B}@kvm": "F"}, day=2, version="4.23.0.0", messages={B: "other"}),
    )
    return tmp_path


def known_file(*tests, expires="2100-01-01"):
    entries = "".join(f"  - {{test: '{test}', issue: {LINK}, expires: {expires}}}\n" for test in tests)
    return f"version: 1\nfailures:\n{entries}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (known_file(A), 1),
        (known_file(A, B), 0),
        (known_file("smoke/*"), 0),
        (known_file(A, B, expires="2020-01-01"), 1),
    ],
)
def test_gates_pass_over_what_is_known(project, text, code):
    (project / "cs-known-failures.yaml").write_text(text, encoding="utf-8")
    assert cs_matrix("compare", "4.22.0.0", "4.23.0.0", cwd=project).returncode == code
    assert cs_matrix("report", "--fail-on", "failing", cwd=project).returncode == code


def test_compare_shows_what_is_known_apart(project):
    (project / "mine.yaml").write_text(known_file(A), encoding="utf-8")
    arguments = ("compare", "4.22.0.0", "4.23.0.0", "--known-failures", "mine.yaml")
    text = cs_matrix(*arguments, cwd=project).stdout
    assert "Newly failing: 1 test, 1 cause\n✗ E: other\n" in text
    assert f"Known failures, no news: 1 test, 1 cause\n✗ E: no capacity [known: {LINK}]\n" in text
    found = json.loads(cs_matrix(*arguments, "--format", "json", cwd=project).stdout)
    assert (found["known"], found["counts"]["newly-failing"]) == (1, 1)
    assert [test.get("known") for entry in found["news"] for test in entry["tests"]] == [None, LINK]
    assert f"[known: {LINK}]" in cs_matrix(*arguments, "--format", "markdown", cwd=project).stdout


def test_report_says_what_to_mend_but_of_a_part_not_what_is_missing(project):
    (project / "cs-known-failures.yaml").write_text(known_file(A, "smoke/test_z.py"), encoding="utf-8")
    note = "known failure smoke/test_z.py: the records have no such test there"
    assert note in cs_matrix("report", cwd=project, COLUMNS="300").stdout
    assert note not in cs_matrix("report", "--environment", "kvm", cwd=project, COLUMNS="300").stdout


def test_a_bad_file_is_one_message(project):
    (project / "cs-known-failures.yaml").write_text("version: 1\nfailures: 3\n", encoding="utf-8")
    for command in (("report",), ("compare", "4.22.0.0", "4.23.0.0")):
        result = cs_matrix(*command, cwd=project)
        assert result.returncode == 2
        assert "cs-known-failures.yaml:2: failures: must be a list, is a number" in result.stderr
        assert "Traceback" not in result.stderr


# The end of a pytest session

SUITE = """
class TestX(cloudstackTestCase):
    def test_a(self):
        self.fail("no capacity")

    def test_b(self):
        self.fail("no disk")
"""


@pytest.mark.parametrize(
    ("expires", "known", "note"),
    [("2100-01-01", [LINK, None], None), ("2020-01-01", [None, None], "expired on 2020-01-01, so it counts again")],
)
def test_the_matrix_of_a_session_shows_what_is_known(two: Labs, expires, known, note):
    two.suite(test_x=SUITE)
    file = two.pytester.path / "cs-known-failures.yaml"
    file.write_text(known_file("test_x.py::TestX::test_a", "not/run/now.py", expires=expires), encoding="utf-8")
    result = two.run("--cs-env=kvm-adv")
    result.assert_outcomes(failed=2)
    matrix = json.loads((two.report / "matrix.json").read_text())
    assert [each.get("known") for each in matrix["cells"][0]["evidence"]] == known
    # A line is folded wherever the path in it makes it too long.
    text = "".join(result.stdout.str().split())
    said = f"{file}:3: known failure test_x.py::TestX::test_a: {note} ({LINK})"
    assert ("".join(said.split()) in text) is (note is not None)
    assert "not/run/now.py" not in text


def test_what_is_known_is_told_with_its_link_at_the_end_of_a_session_and_in_xunit(two: Labs):
    two.suite(test_x=SUITE)
    (two.pytester.path / "cs-known-failures.yaml").write_text(known_file("test_x.py"), encoding="utf-8")
    shown = " ".join(line.strip() for line in two.run("--cs-env=kvm-adv").outlines)
    assert f"TestX::test_a known ({LINK}): failed 1 of 1: AssertionError: no capacity" in shown
    assert f"known ({LINK})" in (two.report / "matrix.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["option", "ini"])
def test_a_session_takes_another_file(two: Labs, given):
    two.suite(test_x=SUITE)
    (two.pytester.path / "cs-known-failures.yaml").write_text("version: 1\nfailures: 3\n", encoding="utf-8")
    (two.pytester.path / "mine.yaml").write_text(known_file("test_x.py::TestX::test_b"), encoding="utf-8")
    if given == "ini":
        two.pytester.makeini("[pytest]\ncs_known_failures = mine.yaml\n")
    two.run("--cs-env=kvm-adv", *(["--cs-known-failures=mine.yaml"] if given == "option" else []))
    matrix = json.loads((two.report / "matrix.json").read_text())
    assert [each.get("known") for each in matrix["cells"][0]["evidence"]] == [None, LINK]


def test_a_bad_file_is_said_before_a_session_begins(two: Labs):
    two.suite(test_x=SUITE)
    (two.pytester.path / "cs-known-failures.yaml").write_text("version: 1\nfailures: 3\n", encoding="utf-8")
    result = two.run("--cs-env=kvm-adv")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cs-known-failures.yaml:2: failures: must be a list, is a number"])
