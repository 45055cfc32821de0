"""A comparison as text for terminals, as JSON (``cs-comparison/1``) and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.outcomes.compare import Change, Comparison, News
from cs_matrix_pytest.outcomes.groups import by_cause
from cs_matrix_pytest.outcomes.matrix import Evidence
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.console import STYLES, Signs, draw
from cs_matrix_pytest.reports.escaping import printable
from cs_matrix_pytest.reports.wording import because, message_of

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "cs-comparison/1"
SCHEMA_FILE = Path(__file__).with_name("cs-comparison.schema.json")

_TITLES = {
    News.NEWLY_FAILING: "Newly failing",
    News.NEWLY_UNSTABLE: "Newly unstable",
    News.LOST_COVERAGE: "Lost coverage",
    News.FIXED: "Fixed",
    News.NEW_COVERAGE: "New coverage",
}
_BY_CAUSE = frozenset({News.NEWLY_FAILING, News.NEWLY_UNSTABLE, News.FIXED})
_KNOWN = "Known failures, no news"
_PLACES = {
    "context": ("context", "contexts"),
    "version": ("version", "versions"),
    "both": ("version and context", "versions and contexts"),
}
_STILL = (Outcome.FAILING, Outcome.UNSTABLE)
_CUT = "The rest did not fit (--format json has all).\n"
_SHOWN_MESSAGE = 160
_SHOWN_ENTRIES = 20
_SHOWN_LINES = 10
_SHOWN_PLACES = 6
_SHOWN_MEMBERS = 5
"""Of more tests than these that ran, or did not, it is said only how many are in which feature."""


@dataclass(frozen=True)
class _Entry:
    """Changes of one cause: failures with one signature, or tests that ran, or did not, in one place."""

    outcome: Outcome
    cause: str
    changes: tuple[Change, ...]

    @property
    def by_cause(self) -> bool:
        return self.changes[0].news in _BY_CAUSE

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.known for each in self.changes if each.known))


@dataclass(frozen=True)
class _Section:
    title: str
    news: News | None
    """None for the known failures."""
    entries: tuple[_Entry, ...]

    @property
    def heading(self) -> str:
        tests = len({change.test for entry in self.entries for change in entry.changes})
        causes = len(self.entries)
        by_cause = self.news is None or self.news in _BY_CAUSE
        return f"{self.title}: {_counted(tests, 'test')}" + (f", {_counted(causes, 'cause')}" if by_cause else "")


def terminal(comparison: Comparison, width: int = 80, color: bool = False, *, encoding: str = "utf-8") -> str:
    """The comparison as text, ending in a newline; arguments as in `reports.terminal.render`."""

    def write(console: Console, signs: Signs) -> None:
        from rich.padding import Padding
        from rich.text import Text

        def show(text: str, style: str = "", indent: int = 0) -> None:
            console.print(Padding(Text(printable(text), style=style, overflow="fold"), (0, 0, 0, indent)))

        show(f"A: {comparison.before}", "bold")
        show(f"B: {comparison.after}", "bold")
        for line in _scope(comparison):
            show(line)
        for section in _sections(comparison):
            console.print()
            show(section.heading, "bold")
            for entry in section.entries[:_SHOWN_ENTRIES]:
                show(f"{signs.of[entry.outcome]} {_entry_title(entry)}", STYLES[entry.outcome])
                for line in _lines(comparison, entry, _SHOWN_LINES):
                    show(line, indent=4)
            more = len(section.entries) - _SHOWN_ENTRIES
            if more > 0:
                show(f"and {_counted(more, 'entry', 'entries')} more (--format json has all)")
        if not comparison.changes:
            console.print()
            show("No news.")
        if comparison.warnings:
            console.print()
        for warning in comparison.warnings:
            show(f"Note: {warning}")

    return draw(write, width, color, encoding)


def markdown(comparison: Comparison) -> str:
    """The comparison as GitHub's Markdown, cut where it would not fit into a comment.

    What comes from records and files is shown as `reports.markdown.shown` does: nothing in it is obeyed.
    """
    from cs_matrix_pytest.reports.markdown import shown

    lines = [f"**{shown(comparison.before)} (A) and {shown(comparison.after)} (B)**", ""]
    lines += [f"- {line}" for line in _scope(comparison, shown)]
    for section in _sections(comparison):
        lines += ["", f"### {section.heading}", ""]
        for entry in section.entries:
            lines.append(f"- {entry.outcome.value}: {_entry_title(entry, shown)}")
            lines += [f"  - {line}" for line in _lines(comparison, entry, _SHOWN_LINES, shown)]
    if not comparison.changes:
        lines += ["", "No news."]
    if comparison.warnings:
        lines += ["", *(f"- Note: {shown(warning)}" for warning in comparison.warnings)]
    return _fitted(lines)


def _fitted(lines: Sequence[str]) -> str:
    from cs_matrix_pytest.reports.markdown import LIMIT, length

    kept: list[str] = []
    room = LIMIT - len(_CUT) - 1
    for line in lines:
        room -= length(line) + 1
        if room < 0:
            return "\n".join([*kept, "", _CUT])
        kept.append(line)
    return "\n".join(kept) + "\n"


def render_json(comparison: Comparison) -> str:
    """The comparison as JSON text (``cs-comparison/1``, SCHEMA_FILE), ASCII only, a line for each test."""
    return "".join(_json_pieces(comparison))


def _json_pieces(comparison: Comparison) -> Iterator[str]:
    # News may be as many as tests times contexts: more than there is memory for as one tree of dictionaries.
    yield "{"
    for key, value in _head(comparison).items():
        yield f"\n {json.dumps(key)}: {json.dumps(value)},"
    yield '\n "news": ['
    between = ""
    for section in _sections(comparison):
        for entry in section.entries:
            news = section.news or entry.changes[0].news
            yield f'{between}\n  {json.dumps(_entry_head(news, entry))[:-1]}, "tests": ['
            yield ",".join(f"\n   {json.dumps(_change_dict(change))}" for change in entry.changes)
            yield "]}"
            between = ","
    yield "]\n}\n"


def _head(comparison: Comparison) -> dict[str, Any]:
    """All but the news."""
    return {
        "schema": SCHEMA,
        "before": comparison.before,
        "after": comparison.after,
        "same": comparison.same,
        "tests": {"only_before": comparison.only_before, "only_after": comparison.only_after},
        "places": {
            "both": list(comparison.places),
            "only_before": list(comparison.places_before),
            "only_after": list(comparison.places_after),
        },
        "compared": sum(comparison.compared.values()),
        "still": {outcome.value: comparison.compared.get((outcome, outcome), 0) for outcome in _STILL},
        "counts": {news.value: comparison.counts([news]) for news in News},
        "known": sum(change.known is not None for change in comparison.changes),
        "warnings": list(comparison.warnings),
    }


def _entry_head(news: News, entry: _Entry) -> dict[str, Any]:
    evidence = entry.changes[0].evidence
    optional = {"signature": evidence.signature, "message": evidence.message}
    return {
        "news": news.value,
        "cause": entry.cause,
        **{key: value for key, value in optional.items() if value is not None and news in _BY_CAUSE},
    }


def _change_dict(change: Change) -> dict[str, Any]:
    return {
        "test": change.test,
        "level": change.level,
        "feature": change.feature,
        "place": change.place,
        "before": _verdict_dict(change.before),
        "after": _verdict_dict(change.after),
        **({"known": change.known} if change.known else {}),
    }


def _verdict_dict(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "outcome": evidence.outcome.value,
        "passed": evidence.passed,
        "failed": evidence.failed,
        "why": evidence.why,
    }


def _scope(comparison: Comparison, show: Callable[[str], str] = str) -> Iterator[str]:
    """What was compared, and what could not be."""
    one, many = _PLACES[comparison.same]
    yield f"{_counted(sum(comparison.compared.values()), 'result')} compared, each of one test in one {one}"
    still = [f"{outcome.value} {count}" for outcome in _STILL if (count := comparison.compared.get((outcome, outcome)))]
    if still:
        yield f"in both: {', '.join(still)}"
    sides = (
        ("A", comparison.only_before, comparison.places_before),
        ("B", comparison.only_after, comparison.places_after),
    )
    for side, tests, places in sides:
        only = [_counted(tests, "test")] if tests else []
        if places:
            only.append(f"{one if len(places) == 1 else many} {_listed(map(show, places))}")
        if only:
            yield f"tested only in {side}: {'; '.join(only)}"


def _sections(comparison: Comparison) -> Iterator[_Section]:
    for news in News:
        changes = [change for change in comparison.changes if change.news is news and change.known is None]
        if changes:
            yield _Section(_TITLES[news], news, tuple(_entries(news, changes)))
    known = [change for change in comparison.changes if change.known is not None]
    if known:
        yield _Section(_KNOWN, None, tuple(_caused(known)))


def _entries(news: News, changes: Sequence[Change]) -> Iterable[_Entry]:
    return _caused(changes) if news in _BY_CAUSE else _reasoned(changes)


def _caused(changes: Iterable[Change]) -> Iterator[_Entry]:
    for found in by_cause(changes, lambda change: change.evidence):
        outcome = Outcome.COMPATIBLE if found.items[0].news is News.FIXED else found.evidence.outcome
        yield _Entry(outcome, message_of(found.evidence), found.items)


def _reasoned(changes: Iterable[Change]) -> Iterator[_Entry]:
    """Coverage by place and reason: a lab that was down is one entry."""

    def key(change: Change) -> tuple[str, int, str]:
        return change.place, list(Outcome).index(_now(change)), _reason(change)

    for (place, index, reason), same in groupby(sorted(changes, key=key), key=key):
        outcome = list(Outcome)[index]
        yield _Entry(outcome, f"{place}: {reason}", tuple(same))


def _now(change: Change) -> Outcome:
    return change.after.outcome if change.after else Outcome.UNTESTED


def _reason(change: Change) -> str:
    if change.news is News.NEW_COVERAGE:
        return _now(change).value
    return because(change.after) if change.after else "no record names these tests"


def _entry_title(entry: _Entry, show: Callable[[str], str] = str) -> str:
    # The link was checked as the file was read; it may be clicked on.
    known = f" [known: {', '.join(entry.known)}]" if entry.known else ""
    tests = len({change.test for change in entry.changes})
    said = show(printable(entry.cause or entry.changes[0].evidence.why, _SHOWN_MESSAGE))
    return f"{said}{known}" if entry.by_cause else f"{said} ({_counted(tests, 'test')})"


def _lines(comparison: Comparison, entry: _Entry, limit: int, show: Callable[[str], str] = str) -> list[str]:
    """Where an entry is from: feature, place and test with both sides' verdicts; of coverage, the features and tests."""
    lines = [*(_verdicts if entry.by_cause else _members)(comparison, entry, show)]
    more = [f"and {len(lines) - limit} more (--format json has all)"] if len(lines) > limit else []
    return lines[:limit] + more


def _verdicts(comparison: Comparison, entry: _Entry, show: Callable[[str], str]) -> Iterator[str]:
    def key(change: Change) -> tuple[str, str, str, str]:
        both = (f"{side}: {seen.why if seen else '-'}" for side, seen in (("A", change.before), ("B", change.after)))
        return change.feature, change.level, change.test, "; ".join(both)

    for (feature, level, test, verdicts), same in groupby(sorted(entry.changes, key=key), key=key):
        places = _listed([show(change.place) for change in same])
        yield f"{show(comparison.features[feature].title)}, {places}: {show(_named(test, level))} {show(f'({verdicts})')}"


def _members(comparison: Comparison, entry: _Entry, show: Callable[[str], str]) -> Iterator[str]:
    by_feature = [
        (show(comparison.features[feature].title), [show(_named(change.test, change.level)) for change in same])
        for feature, same in groupby(entry.changes, key=lambda change: change.feature)
    ]
    if len(entry.changes) > _SHOWN_MEMBERS:
        yield ", ".join(f"{title} {len(names)}" for title, names in by_feature)
        return
    for title, names in by_feature:
        yield f"{title}: {', '.join(names)}"


def _named(test: str, level: str) -> str:
    """A test without its module's path."""
    return test.partition("::")[2] or test if level == "test" else f"({level}) {test}"


def _listed(given: Iterable[str]) -> str:
    names = list(given)
    more = f" and {len(names) - _SHOWN_PLACES} more" if len(names) > _SHOWN_PLACES else ""
    return ", ".join(names[:_SHOWN_PLACES]) + more


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"
