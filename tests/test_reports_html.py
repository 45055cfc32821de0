"""The HTML page as a file: what its data says, that it is within its limit, and that nothing in it can be obeyed.

What it does in a browser is in test_browser_page.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.cli import main
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.matrix import Evidence, Matrix, compute_matrix
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.outcomes.record import RecordWriter, record_path
from cs_matrix_pytest.outcomes.timeline import timelines
from cs_matrix_pytest.reports.html import interning, page
from cs_matrix_pytest.reports.html.data import FEATURES, ORDER
from html_example import records, shipped_features
from report_example import CATALOGUE, example_matrix, example_records, hostile_matrix

pytest.importorskip("jinja2", reason="needs the extra [html]")


class Page(HTMLParser):
    """A page's elements with their texts, and its data."""

    def __init__(self, rendered: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = [("", {}, "")]
        self.feed(rendered.decode("utf-8"))
        self.table = json.loads(self.text(id="table-data"))
        self.details = json.loads(self.text(id="details-data"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        self.elements.append(("", {}, ""))

    def handle_data(self, data):
        tag, attributes, text = self.elements[-1]
        self.elements[-1] = (tag, attributes, text + data)

    def text(self, **wanted: str) -> str:
        return next(text for _, attributes, text in self.elements if wanted.items() <= attributes.items())

    def tags(self) -> set[str]:
        return {tag for tag, _, _ in self.elements}


def rendered(matrix: Matrix | None = None, **options) -> Page:
    history = timelines(example_records(), CATALOGUE)
    return Page(page.render(matrix or example_matrix(), history, **options))


def outcomes_by_test(details, sets: list[int]) -> dict[str, str]:
    """Test → outcome, of a cell's groups."""
    found = {}
    for group in sets:
        cause, number, *_ = details["groups"][group]
        masks = details["testSets"][number]
        for first, bits in zip(masks[::2], masks[1::2]):
            for bit in range(31):
                if bits & 1 << bit:
                    module, name = details["tests"][first + bit]
                    found[details["texts"][module] + name] = ORDER[details["causes"][cause][0]].value
    return found


def evidence_in(made: Page, cell) -> dict[str, str]:
    table, details = made.table, made.details
    version = table["versions"].index(cell.acs_version)
    context = next(index for index, each in enumerate(table["contexts"]) if each["key"] == cell.context)
    feature = next(index for index, each in enumerate(table["features"]) if each[1] == cell.feature)
    found = {}
    for sheet in ("evidence", "passing"):
        row = details[sheet][version][context]
        if feature < len(row) and row[feature]:
            found |= outcomes_by_test(details, details["groupSets"][row[feature] - 1])
    return found


def test_every_cell_and_its_evidence_is_in_the_page():
    matrix = example_matrix()
    made = rendered()
    for cell in matrix.cells:
        assert evidence_in(made, cell) == {each.test: each.outcome.value for each in cell.total.evidence}
    summaries = [tuple(summary) for summary in made.table["summaries"]]
    for cell in matrix.cells:
        counts = tuple(cell.total.tests.get(outcome, 0) for outcome in ORDER)
        assert (ORDER.index(cell.total.outcome), *counts) in summaries


def test_environments_and_history_are_in_the_page():
    details = rendered().details
    assert [run[0] for run in details["runs"]] == [record.run.run for record in example_records()]
    # xen's VM lifecycle: two passed, then one of the two failed.
    assert [2, [1, 1]] in details["histories"]
    # down: one attempt a day, blocked.
    assert [[0, 0, 1], [0, 0, 1]] in details["histories"]
    assert [[0, 2]] in details["shares"]


def test_a_run_that_came_after_the_matrix_is_passed_over():
    history = timelines(example_records(days=4), CATALOGUE)
    details = Page(page.render(example_matrix(), history)).details
    assert len(details["runs"]) == 2
    assert all(len(moments) == 2 for moments in details["histories"])


@pytest.mark.parametrize(
    ("versions", "order"),
    [
        (("4.9.0", "4.20.1.0", "4.20"), ["4.20", "4.20.1.0", "4.9.0"]),
        (("unknown", "4.22.0.0", "4.23.0.0-SNAPSHOT"), ["4.23.0.0-SNAPSHOT", "4.22.0.0", "unknown"]),
        (("9" * 5000, "1"), None),
    ],
)
def test_the_newest_version_comes_first(versions, order):
    made = example_matrix()
    cells = tuple(replace(cell, acs_version=version) for version in versions for cell in made.cells)
    found = rendered(replace(made, cells=cells)).table["versions"]
    assert len(found) == len(versions)
    if order:
        assert found == order


def test_the_policy_allows_what_is_in_the_page_and_nothing_else():
    made = rendered()
    policy = next(a["content"] for tag, a, _ in made.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    script = next(text for tag, attributes, text in made.elements if tag == "script" and "type" not in attributes)
    style = next(text for tag, _, text in made.elements if tag == "style")
    for rule, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_it_names_no_other_place():
    text = page.render(example_matrix(), {}).decode()
    assert set(re.findall(r"https?://[^\s\"'`\\)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(?:src|srcset|@import|url)\s*[=(]", text)
    for tag, attributes, _ in rendered().elements:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("limit", [page.LIMIT, 60_000])
def test_hostile_text_adds_no_element(limit):
    matrix = hostile_matrix()
    markup = "</script><script>alert(1)</script><!--<script><img src=x onerror=alert(1)>"
    cells = tuple(
        replace(
            cell,
            total=replace(
                cell.total, evidence=tuple(replace(e, message=markup, test=markup) for e in cell.total.evidence)
            ),
        )
        for cell in matrix.cells
    )
    features = {name: replace(feature, title=markup, area=markup) for name, feature in matrix.features.items()}
    hostile = replace(matrix, cells=cells, features=features, warnings=(markup,))
    text = page.render(hostile, {}, limit=limit)
    made = Page(text)
    of_notes = {"ul", "li", "code"}
    assert made.tags() <= rendered().tags() | of_notes
    assert [tag for tag, _, _ in made.elements].count("script") == 3
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text.decode())


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ("https://github.com/apache/cloudstack/issues/1", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://x\njavascript:alert(1)", False),
        (" https://x", False),
    ],
)
def test_only_addresses_of_the_web_are_kept_as_links(known, kept):
    made = example_matrix()
    cells = tuple(
        replace(
            cell, total=replace(cell.total, evidence=tuple(replace(each, known=known) for each in cell.total.evidence))
        )
        for cell in made.cells
    )
    assert (known in rendered(replace(made, cells=cells)).details["texts"]) is kept


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_in_a_script_is_the_same_and_ends_no_script(value):
    text = interning.script_json(value)
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)
    assert interning.size(value) == len(text.encode("utf-8", "backslashreplace"))


def large(tests: int, distinct_messages: bool = True) -> Matrix:
    """One failing cell after another with as much to say as can be."""
    made = example_matrix()
    cell = next(each for each in made.cells if each.total.outcome is Outcome.FAILING)
    evidence = tuple(
        Evidence(
            f"m.py::T::test_{n}",
            "test",
            Outcome.FAILING,
            0,
            1,
            "failed 1 of 1",
            message=f"{n if distinct_messages else 0} <&>" * 50,
        )
        for n in range(tests)
    )
    total = replace(cell.total, evidence=evidence, tests={Outcome.FAILING: tests})
    return replace(
        made,
        cells=(replace(cell, total=total, by_environment=dict.fromkeys(cell.by_environment, total)), *made.cells[2:]),
    )


@pytest.fixture(scope="module")
def labs():
    """A matrix of several labs, its history, and the size of its page."""
    catalogue = shipped_features(load_catalogue())
    recorded = list(records(list(catalogue.features)[:12], places=8))
    matrix = compute_matrix(recorded, catalogue, generated="2026-04-01T00:00:00Z")
    history = timelines(recorded, catalogue)
    return matrix, history, len(page.render(matrix, history))


@pytest.mark.parametrize("less", [1, 500, 2_000, 4_000])
def test_what_does_not_fit_is_left_out_and_said(labs, less):
    matrix, history, size = labs
    small = page.render(matrix, history, limit=size - less)
    assert len(small) <= size - less
    made = Page(small)
    notes = " ".join(text for _, _, text in made.elements)
    assert "Left out, for the page would be larger than" in notes
    assert re.search(r"the names of passing tests of \d+ cells", notes)
    if less < 2_000:
        for cell in matrix.cells:
            if cell.total.outcome is Outcome.FAILING:
                bad = {each.test for each in cell.total.evidence if each.outcome is not Outcome.COMPATIBLE}
                assert bad <= evidence_in(made, cell).keys()


def test_the_results_themselves_are_never_left_out(labs):
    matrix, history, _ = labs
    made = Page(page.render(matrix, history, limit=1))
    assert made.table == Page(page.render(matrix, history)).table
    assert made.details["groups"] == made.details["histories"] == []


def test_a_feature_of_very_many_tests_names_some():
    details = rendered(large(5000, distinct_messages=False)).details
    ((_, number, more),) = [group for group in details["groups"] if len(group) > 2]
    assert sum(bin(bits).count("1") for bits in details["testSets"][number][1::2]) == 200
    assert more == 4800


def test_of_very_many_features_the_worst_are_shown():
    made = example_matrix()
    good = next(cell for cell in made.cells if cell.total.outcome is Outcome.COMPATIBLE)
    bad = next(cell for cell in made.cells if cell.total.outcome is Outcome.FAILING)
    names = [f"f{number}" for number in range(FEATURES + 5)]
    features = {name: replace(made.features["vm"], id=name, title=name) for name in names}
    cells = tuple(replace(bad if name == names[-1] else good, feature=name) for name in names)
    shown = rendered(replace(made, features=features, cells=cells))
    assert len(shown.table["features"]) == FEATURES
    assert names[-1] in [feature[1] for feature in shown.table["features"]]
    assert "5 features are not shown" in " ".join(text for _, _, text in shown.elements)


def test_very_much_to_say_stays_within_the_limit():
    history = timelines(example_records(), CATALOGUE)
    assert len(page.render(large(5000), history, limit=200_000)) <= 200_000


def test_the_command_writes_it(tmp_path, capsys):
    for record in example_records():
        with RecordWriter(record_path(tmp_path, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            writer.end(0)
    output = tmp_path / "matrix.html"
    assert main(["report", str(tmp_path), "--format", "html", "--output", str(output)]) == 0
    made = Page(output.read_bytes())
    assert len(made.table["contexts"]) == 3
    assert made.details["histories"]
    assert (
        main(["report", str(tmp_path), "--format", "html", "--output", str(output), "--context", "hypervisor=kvm"]) == 0
    )
    assert len(Page(output.read_bytes()).table["contexts"]) == 1


def test_without_jinja2_one_sentence_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['jinja2'] = None; from cs_matrix_pytest.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for record in example_records():
        with RecordWriter(record_path(tmp_path, record.run.run), record.run) as writer:
            writer.end(0)
    done = subprocess.run(
        [sys.executable, "-c", script, "report", str(tmp_path), "--format", "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "cs-matrix: the HTML page needs Jinja2\n  pip install 'cs-matrix-pytest[html]'\n"


def test_an_empty_matrix_is_a_page():
    made = rendered(compute_matrix([], CATALOGUE, generated="2026-01-01T00:00:00Z"))
    assert made.table["cells"] == []
    assert "Nothing was tested" in " ".join(text for _, _, text in made.elements)
