"""The Markdown report: what GitHub would show of it, and what nobody can make it do."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cs_matrix_pytest import cli
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Counts, RecordedRun, Run, RunEnvironment
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.markdown import LIMIT, length, render, shown
from report_example import CATALOGUE, example_matrix, example_records, hostile_matrix

NOW = "2026-01-03T00:00:00Z"


def matrix_of(*tests: tuple[str, str, str, str | None], lab: str = "local", counts=(), ended=True, version="4.22.0.0"):
    """A matrix of (test, environment, outcome, message)."""
    names = {environment for _, environment, _, _ in tests} | {each.environment for each in counts}
    environments = {
        name: RunEnvironment({"hypervisor": {"type": "kvm"}, "networking": "advanced"}, version) for name in names
    }
    attempts = tuple(
        Attempt(test, environment, AttemptOutcome(outcome), NOW, 1.0, signature=message, message=message)
        for test, environment, outcome, message in tests
    )
    record = RecordedRun(Run("r", NOW, lab, environments), attempts, counts=tuple(counts), ended=ended)
    return compute_matrix([record], CATALOGUE, generated=NOW)


def table(text: str) -> list[list[str]]:
    """The cells of the table, as GFM splits them: at every bar that no backslash escapes."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in rows]


def outside_code(text: str) -> str:
    """The text without its code spans, found as CommonMark does: from a run of backticks to the next of that length."""
    return re.sub(r"(?<!`)(`+)(?!`)(?s:.+?)(?<!`)\1(?!`)", "", text)


def test_the_report():
    text = render(example_matrix(), title="Test run for PR 5")
    assert text.splitlines()[0] == "### Test run for PR 5"
    assert (
        "CloudStack 4.22.0.0; lab local; features by context: ✗ 1 failing, ~ 1 unstable, ✓ 1 compatible, · 2 untested."
        in text
    )
    assert table(text)[0] == ["Environment", "Hypervisor", "Networking", "Extras", "Result"]
    assert table(text)[2:] == [
        ["down", "vmware", "basic", "shared", "· **untested** (tests: 4 untested; 4 blocked)"],
        ["kvm", "kvm el9", "advanced", "shared nfs", "✗ **failing** (tests: 1 failing, 3 compatible)"],
        ["xen", "xenserver 8.4", "advanced", "shared", "~ **unstable** (tests: 1 unstable, 1 compatible)"],
    ]
    assert text.endswith(
        "#### ACLs\n\n"
        "- ✗ **failing** in kvm: `AssertionError: rule is still there`\n"
        "  - `smoke/test_acl.py::TestAcl::test_deny`\n\n"
        "#### VM lifecycle\n\n"
        "- ~ **unstable** in xen: `E: no capacity`\n"
        "  - `smoke/test_vm.py::TestVM::test_start`\n"
    )


def test_failures_of_one_cause_stand_together():
    text = render(
        matrix_of(
            ("vm/a", "one", "failed", "E: same"),
            ("vm/b", "one", "failed", "E: same"),
            ("vm/a", "two", "failed", "E: same"),
            ("vm/c", "two", "failed", "E: other"),
        )
    )
    assert text.endswith(
        "- ✗ **failing**: `E: same`\n  - vm/a in one, two\n  - vm/b in one\n"
        "- ✗ **failing** in two: `E: other`\n  - vm/c\n"
    )
    assert text.count("####") == 1


def test_versions_and_labs_are_told_apart():
    [first, second] = example_records()
    newer = {name: RunEnvironment(each.context, "4.23.0.0") for name, each in second.run.environments.items()}
    other = RecordedRun(Run("x", NOW, "elsewhere", newer), second.attempts, ended=True)
    text = render(compute_matrix([first, other], CATALOGUE, generated=NOW))
    assert table(text)[0][:2] == ["CloudStack", "Environment"]
    assert ["4.22.0.0", "local/kvm"] in [row[:2] for row in table(text)]
    assert ["4.23.0.0", "elsewhere/kvm"] in [row[:2] for row in table(text)]
    assert "#### ACLs, CloudStack 4.23.0.0" in text


def test_counts_and_wider_evidence_and_an_open_end():
    record = RecordedRun(
        Run(
            "run-1",
            NOW,
            "local",
            {"kvm": RunEnvironment({"hypervisor": {"type": "kvm"}}), "only-counts": RunEnvironment({})},
        ),
        tuple(
            Attempt("acl/x.py", "kvm", AttemptOutcome(each), NOW, 0, level="module") for each in ("failed", "passed")
        ),
        counts=(Counts("kvm", 130, 3, 1, suite="smoke"), Counts("only-counts", ok=7)),
    )
    text = render(compute_matrix([record], CATALOGUE, generated=NOW))
    assert [row[-1] for row in table(text)[2:]] == [
        "~ **unstable** (1 module unstable; counted smoke modules: 130 ok, 3 failed, 1 did not run)",
        "· **untested** (counted modules: 7 ok)",
    ]
    assert "Not finished: run-1." in text


def test_nothing_at_all():
    assert render(compute_matrix([], CATALOGUE, generated=NOW)) == "### Test run\n\nnothing was tested.\n"


@pytest.mark.parametrize("limit", [LIMIT, 5_000, 2_000])
def test_what_does_not_fit_is_left_out_and_counted(limit):
    tests = [
        (f"vm/{n}", f"env{n % 40}", "failed", f"E: \U0001f4a5 {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{'x' * 200}")
        for n in range(600)
    ]
    text = render(matrix_of(*tests), limit=limit)
    assert limit * 0.5 < length(text) <= limit
    assert re.search(
        r"Left out, for a comment on GitHub has room for 65,536 characters: .*\d+ of \d+ entries on failures\.", text
    )


def test_the_table_is_cut_last():
    tests = [(f"vm/{n}", f"env{n}", "failed", f"E: {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}") for n in range(300)]
    text = render(matrix_of(*tests), limit=20_000)
    assert len(table(text)) > 200
    assert "of 300 environments" in text
    assert length(text) <= 20_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kvm-adv", "kvm-adv"),
        ("CloudStack 4.22.0.0", "CloudStack 4.22.0.0"),
        ("", "none"),
        ("\x1b[2J", "none"),
        ("test_x", "`test_x`"),
        ("@apache/committers", "`@apache/committers`"),
        ("fixes #12", "`fixes #12`"),
        ("GH-12", "`GH-12`"),
        ("www.evil.example", "`www.evil.example`"),
        ("evil.example/x", "`evil.example/x`"),
        ("https://evil.example", "`https://evil.example`"),
        ("deadbeefcafe", "`deadbeefcafe`"),
        ("1. item", "`1. item`"),
        ("<img src=x>", "`<img src=x>`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("``a`", "``` ``a` ```"),
        ("- item", "`- item`"),
        ("# head", "`# head`"),
        ("&lt;", "`&lt;`"),
        ("a\nb", "a b"),
    ],
)
def test_text_from_outside(text, said):
    assert shown(text) == said


@pytest.mark.parametrize("text", ["a|b", r"a\|b", r"a\\|b", "||", "|", r"\|", "`|`", "a\\"])
def test_a_bar_does_not_break_a_table(text):
    [[cell, after]] = table(f"| {shown(text, in_table=True)} | x |")
    assert after == "x"
    assert re.search(r"\\\\\|", cell) is None


@given(st.text(max_size=80))
def test_any_text_is_one_code_span_or_plain_words(text):
    said = shown(text, in_table=True)
    assert "\n" not in said
    rest = outside_code(said)
    assert re.fullmatch(r"[A-Za-z0-9 ,()/.+-]*", rest)
    assert len(table(f"| {said} | x |")[0]) == 2


def inline(text: str) -> list:
    """What a Markdown parser makes of a text: all its inline tokens."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [child for token in tokens if token.type == "inline" for child in token.children]


@given(st.text(max_size=80))
@example("a\\")
@example("`a\\`")
@example(" `` ")
def test_a_parser_of_markdown_sees_the_very_text(text):
    [token] = inline(f"- {shown(text)}\n")
    assert token.type in ("text", "code_inline")
    assert token.content == (printable(text, 200) or "none")


@given(st.text(alphabet="ab|\\`@<> ", max_size=20))
def test_a_parser_of_tables_sees_the_very_text(text):
    cells = inline(f"| x | y |\n| --- | --- |\n| {shown(text, in_table=True)} | end |\n")
    assert [token.type for token in cells[:2] + cells[3:]] == ["text", "text", "text"]
    assert cells[2].content.replace("\\ |", "\\|") == (printable(text, 200) or "none").replace("\\ |", "\\|")
    assert cells[3].content == "end"


ODD = [
    "@apache/committers",
    "<script>alert(1)</script>",
    "[x](http://evil)",
    "a|b",
    "`tick`",
    "#1",
    "-->",
    "<!-- x",
    "**b**",
    "\x1b[31mred",
    "![i](x)",
]


@pytest.mark.parametrize("odd", ODD)
def test_hostile_names_everywhere(odd):
    context = {
        "hypervisor": {"type": odd, "version": odd},
        "networking": odd,
        "storage": {"scope": odd, "protocol": odd},
        "management_os": odd,
        "extras": [odd],
    }
    run = Run(odd, NOW, odd, {odd: RunEnvironment(context, odd)})
    attempts = (
        Attempt(odd, odd, AttemptOutcome.FAILED, NOW, 1, message=odd, signature=odd),
        Attempt(odd, odd, AttemptOutcome.FAILED, NOW, 1, message=odd, level=odd),
    )
    record = RecordedRun(run, attempts, counts=(Counts(odd, 1, suite=odd, level=odd),))
    text = render(compute_matrix([record], CATALOGUE, generated=NOW), title=odd)
    assert {token.type for token in inline(text)} <= {"text", "code_inline", "strong_open", "strong_close"}
    rest = outside_code(text)
    assert not re.search(r"[@<>\[\]!\x1b]|#(?!#|\s)", rest), rest
    assert {len(row) for row in table(text)} == {5}


def test_hostile_records():
    text = render(hostile_matrix())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.encode()


def test_the_format_of_the_report_command(tmp_path, capsysbinary):
    from test_github import write

    write(tmp_path, example_records())
    assert cli.main(["report", "--format", "markdown", str(tmp_path)]) == 0
    assert capsysbinary.readouterr().out.decode().startswith("### Test run\n")
    assert cli.main(["report", "--format", "markdown", "--output", str(tmp_path / "x.md"), str(tmp_path)]) == 0
    assert "| kvm | kvm el9 |" in (tmp_path / "x.md").read_text(encoding="utf-8")
