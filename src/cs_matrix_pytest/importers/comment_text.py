"""What a result comment of Trillian's bot says, by its structure: titles, ``key: value`` lines, counts and tables.

The bot's wording changed with every generation of the lab, so nothing here matches a whole comment. Each line is looked
at alone, by expressions that cannot backtrack, and a line that says nothing known is passed over.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from cs_matrix_pytest.outcomes.model import AttemptOutcome
from cs_matrix_pytest.reports.escaping import printable

_LINE_LIMIT = 2000
"""Characters of a line that are looked at."""

_NAME_LIMIT = 300

RESULT, BUILD_FAILED, PACKAGING = "result", "build-failed", "packaging"


@dataclass(frozen=True)
class Row:
    """A line of a result table.

    ``name`` is the test's, or the class's whose set-up or teardown it is, or empty where it is about the whole module;
    ``class_name`` is a test's class where the table says it; ``file`` the test file as it is written, if there is such a
    column; ``phase`` where it ended; ``loaded`` is False where the module could not even be imported.
    """

    name: str
    outcome: AttemptOutcome
    seconds: float = 0.0
    file: str | None = None
    level: str = "test"
    phase: str = "call"
    class_name: str | None = None
    loaded: bool = True


@dataclass(frozen=True)
class Count:
    """A line that counts modules: ``suite`` in lower case (``smoke``, ``component``, ``test`` …)."""

    suite: str | None = None
    ok: int | None = None
    failed: int | None = None
    did_not_run: int | None = None


@dataclass(frozen=True)
class Report:
    """One result as a comment says it; None and empty: the comment does not say.

    ``environment`` is the lab's name for it (``kvm-ol8``); ``networking`` and ``management_os`` as written; ``job`` is
    Trillian's number, ``server`` what stands in brackets before the title; ``unread`` are lines of a table that make no
    sense.
    """

    kind: str
    title: str = ""
    job: int | None = None
    server: str | None = None
    pull_request: int | None = None
    environment: str | None = None
    hosts: int | None = None
    networking: str | None = None
    management_os: str | None = None
    extras: tuple[str, ...] = ()
    acs_version: str | None = None
    seconds: float | None = None
    counts: tuple[Count, ...] = ()
    intermittent: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    unread: tuple[str, ...] = ()


def read_comment(text: str) -> list[Report]:
    """The results that a comment tells, in its order; empty where it tells none. Never raises.

    A result begins with its title, or with the line that names its environment where the title is missing. One that is
    quoted is another comment's, of which a quotation may be a part: it is passed over.
    """
    drafts: list[_Draft] = []
    for line in _lines(text):
        title = _title(line)
        if title is not None:
            drafts.append(_Draft(title, quoted=_is_quoted(line)))
            continue
        names_environment = _KEY_ENVIRONMENT.match(line) is not None
        if not drafts or (names_environment and drafts[-1].has_environment):
            drafts.append(_Draft(Report(RESULT), quoted=_is_quoted(line)))
        drafts[-1].has_environment |= names_environment
        drafts[-1].read(line)
    return [report for draft in drafts if (report := draft.finished()) is not None]


# Lines

_TAG = re.compile(
    r"</?(?:a|b|br|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|ins|kbd|li|ol|p|pre|s|small|span|strong|sub|summary|sup|"
    r"table|tbody|td|tfoot|th|thead|tr|tt|u|ul)\b[^<>]{0,500}>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|/p|/tr|/div|/li|/h[1-6])\b[^<>]{0,100}>", re.IGNORECASE)
_CELL = re.compile(r"<t[dh]\b[^<>]{0,100}>", re.IGNORECASE)
_LEAD = re.compile(r"[\s>#*+•-]*")


def _lines(text: str) -> Iterator[str]:
    # Cells before lines: a table may be written as HTML.
    text = _BREAK.sub("\n", _CELL.sub("|", text))
    for line in text.splitlines():
        # What tells markup from text first: an entity may stand for either.
        plain = html.unescape(_TAG.sub("", line[:_LINE_LIMIT]))
        plain = printable(plain.replace("**", ""))
        if plain:
            yield plain


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _without_lead(line: str) -> str:
    """The line without quotation marks, heading and list marks of Markdown."""
    lead = _LEAD.match(line)
    return line[lead.end() :] if lead else line


# Titles

_TITLE = re.compile(
    r"(?:\[(?P<server>[^\]\s]{1,20})\]\s?)?"
    r"(?P<what>(?:Trillian[\w -]{0,40}?|test|smoke ?test) "
    r"(?P<outcome>results?|(?:failed|failure|aborted|cancelled|canceled|timed out|unstable)\b))"
    r"\s?[:,-]?\s?(?:\((?P<job>[^()]{1,200})\)|(?P<bare>(?:test )?t?id[-:# ]{0,3}\d{1,12}))?\s?[.:!]?",
    re.IGNORECASE,
)
_JOB = re.compile(r"\s?(?:test )?t?id[-:# ]{0,3}(\d{1,12})\s?", re.IGNORECASE)
_NAMED_JOB = re.compile(
    r"trillian-pr(?P<pr>\d{1,9})-(?P<job>\d{1,12})-(?P<environment>[\w.-]{1,100}?)(?:-cs(?P<major>\d)(?P<minor>\d{1,2}))?",
    re.IGNORECASE,
)
"""The bot's first name for a job: ``trillian-pr1634-49-kvm-centos68-cs49``."""
_PACKAGING = re.compile(r"(?:Packaging result|UI build)\b", re.IGNORECASE)


def _title(line: str) -> Report | None:
    line = _without_lead(line)
    if _PACKAGING.match(line):
        return Report(PACKAGING, title=line[:_NAME_LIMIT])
    found = _TITLE.fullmatch(line[:_NAME_LIMIT])
    if found is None:
        return None
    ended = found["outcome"].lower().startswith("result")
    if not ended and not found["what"].lower().startswith("trillian"):
        # "Test failed" is what people write, too.
        return None
    report = Report(RESULT if ended else BUILD_FAILED, title=line[:_NAME_LIMIT], server=found["server"])
    written = found["job"] or found["bare"]
    if written is None:
        return report
    if number := _JOB.fullmatch(written):
        return replace(report, job=int(number[1]))
    if named := _NAMED_JOB.fullmatch(written):
        return replace(
            report,
            job=int(named["job"]),
            pull_request=int(named["pr"]),
            environment=named["environment"],
            acs_version=f"{named['major']}.{named['minor']}" if named["major"] else None,
        )
    return report


# Key: value

_KEY_ENVIRONMENT = re.compile(r"[\s>#*+•-]*(?:test )?environments?\s?:", re.IGNORECASE)
_LOG_NAME = re.compile(r"\bpr-?(\d{1,9})-t(?:id-?)?(\d{1,12})\b", re.IGNORECASE)
_HOSTS = re.compile(r"\(\s?x\s?(\d{1,6})(?: hosts?)?\s?\)|\bx(\d{1,6})\b", re.IGNORECASE)
_MANAGEMENT = re.compile(
    r"(?:\bwith )?(?:\b(?:mgmt|management|mgt)\b)(?: (?:servers?|os|server os))?\s?:?\s?(?P<os>[\w.-]{1,40})",
    re.IGNORECASE,
)
_NETWORKING = re.compile(r"(?:\bzone\s?:?\s?)?(?P<kind>[\w/+ -]{1,80}?)[ _-]?networking\b", re.IGNORECASE)
_EXTRA_BREAK = re.compile(r"[;+&]|\s(?:and|with|on)\s", re.IGNORECASE)
_EXTRA_LEAD = re.compile(r"^(?:(?:with|and|zone|on)\b:?\s?)+", re.IGNORECASE)
_EXTRA_LIMIT = 100
_SECURITY_GROUPS = re.compile(r"security[ _-]?groups?", re.IGNORECASE)
_VERSION = re.compile(r"\d{1,3}(?:\.\d{1,5}){1,4}(?:-[\w.-]{1,40})?")
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s?([a-z]*)", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _environment(report: Report, value: str) -> Report:
    hosts = _HOSTS.search(value)
    # `(x2)` is the number of hosts; the rest is a list by commas, the name first.
    name, *parts = (part.strip() for part in _HOSTS.sub("", value).split(","))
    words = name.split(None, 1)
    if len(words) == 2:
        parts.insert(0, words[1])
    report = replace(
        report,
        environment=words[0].strip("`'\"")[:_NAME_LIMIT] or None if words else None,
        hosts=int(hosts[1] or hosts[2]) if hosts else None,
    )
    for part in parts:
        report = _environment_part(report, part)
    return report


def _environment_part(report: Report, part: str) -> Report:
    management = _MANAGEMENT.search(part)
    if management:
        report = replace(report, management_os=management["os"].rstrip(".-"))
        part = f"{part[: management.start()]} {part[management.end() :]}"
    networking = _NETWORKING.search(part)
    if networking:
        report = replace(report, networking=networking["kind"].strip(" -_") or None)
        part = part[networking.end() :]
    said = (_EXTRA_LEAD.sub("", each.strip(" .:()")).strip(" .:()")[:_EXTRA_LIMIT] for each in _EXTRA_BREAK.split(part))
    extras = [extra for extra in said if extra]
    # Security groups are a kind of networking, wherever they stand.
    groups = [extra for extra in extras if _SECURITY_GROUPS.fullmatch(extra)]
    if groups and report.networking and not _SECURITY_GROUPS.search(report.networking):
        report = replace(report, networking=f"{report.networking} {groups[0]}")
        extras = [extra for extra in extras if extra not in groups]
    return replace(report, extras=(*report.extras, *extras))


def _total_time(report: Report, value: str) -> Report:
    seconds = _duration(value)
    return report if seconds is None else replace(report, seconds=seconds)


def _duration(value: str) -> float | None:
    """Seconds, of ``51200 seconds``, ``1h 2m 3s``, ``157.72``; None where no time is said."""
    parts = [
        float(number) * _SECONDS[unit[:1].lower()]
        for number, unit in _DURATION.findall(_THOUSANDS.sub("", value))
        if unit[:1].lower() in _SECONDS
    ]
    return sum(parts) if parts else None


def _logs(report: Report, value: str) -> Report:
    found = _LOG_NAME.search(value)
    if not found:
        return report
    return replace(
        report,
        pull_request=report.pull_request or int(found[1]),
        job=report.job if report.job is not None else int(found[2]),
    )


def _acs_version(report: Report, value: str) -> Report:
    found = _VERSION.search(value)
    return replace(report, acs_version=found[0]) if found else report


def _pull_request(report: Report, value: str) -> Report:
    found = re.search(r"\d{1,9}", value)
    return replace(report, pull_request=int(found[0])) if found else report


def _management(report: Report, value: str) -> Report:
    return replace(report, management_os=value.split()[0].strip("`'\"")[:40]) if value.split() else report


def _network(report: Report, value: str) -> Report:
    return _environment_part(report, value if "networking" in value.lower() else f"{value} networking")


_KEYS: tuple[tuple[str, Callable[[Report, str], Report]], ...] = (
    (r"(?:test )?environments?", _environment),
    (r"hypervisors?", _environment),
    (r"(?:total )?(?:time|duration)(?: taken)?", _total_time),
    (r"(?:marvin )?(?:logs?|archive)", _logs),
    (r"(?:acs|cloudstack|apache cloudstack)(?: version)?|version", _acs_version),
    (r"pr|pull request", _pull_request),
    (r"(?:mgmt|management)(?: server)?(?: os)?", _management),
    (r"network(?:ing)?(?: type)?|zone(?: type)?", _network),
)
_INTERMITTENT = re.compile(r"intermitt?ent? failures?(?: detected)?(?: in)?\s?:", re.IGNORECASE)
_MODULE = re.compile(r"[^\s]{1,300}\.py|(?:[\w./-]{0,300}/)?test_\w{1,200}")
_KEYED = tuple((re.compile(rf"{words}\s?:", re.IGNORECASE), read) for words, read in _KEYS)

# Counts

_COUNTS = (
    ("ok", re.compile(r"\b(\d{1,9}) (?:tests? |modules? |files? )?(?:looks? )?(?:ok|good|passed)\b", re.IGNORECASE)),
    (
        "failed",
        re.compile(
            r"\b(\d{1,9}) (?:tests? |modules? |files? )?(?:(?:have|has|had|with) )?(?:errors?|failures?|failed)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "did_not_run",
        re.compile(r"\b(\d{1,9}) (?:tests? |modules? |files? )?(?:did(?: not|n\Wt) run|not run)\b", re.IGNORECASE),
    ),
)
_SUITE = re.compile(
    r"(?P<suite>\w[\w /-]{0,60}?)(?: tests?)? (?:are |were |is |was )?(?:completed|finished|done)\b", re.IGNORECASE
)


def _count(line: str) -> Count | None:
    line = _THOUSANDS.sub("", line)
    suite = _SUITE.match(line)
    numbers = {key: int(found[1]) for key, pattern in _COUNTS if (found := pattern.search(line))}
    if not numbers and not suite:
        return None
    if not suite and "ok" not in numbers:
        return None
    name = suite["suite"].strip().lower() if suite else None
    return Count(suite=name, **numbers)


# Tables

_OUTCOMES = {
    "success": AttemptOutcome.PASSED,
    "successful": AttemptOutcome.PASSED,
    "passed": AttemptOutcome.PASSED,
    "pass": AttemptOutcome.PASSED,
    "ok": AttemptOutcome.PASSED,
    "failure": AttemptOutcome.FAILED,
    "failed": AttemptOutcome.FAILED,
    "fail": AttemptOutcome.FAILED,
    "error": AttemptOutcome.ERRORED,
    "errored": AttemptOutcome.ERRORED,
    "errors": AttemptOutcome.ERRORED,
    "skipped": AttemptOutcome.SKIPPED,
    "skip": AttemptOutcome.SKIPPED,
    "did not run": AttemptOutcome.BLOCKED,
    "not run": AttemptOutcome.BLOCKED,
    "blocked": AttemptOutcome.BLOCKED,
}
_COLUMNS = ("test", "result", "time", "file")
_COLUMN_NAMES = (
    ("file", re.compile(r".*\b(?:file|module)")),
    ("test", re.compile(r"test|case\b|name\b")),
    ("result", re.compile(r"result|outcome|status|state\b")),
    ("time", re.compile(r"time|duration|seconds?\b")),
)
"""How the names of columns begin, in lower case, the first that fits."""
_SEPARATOR = re.compile(r"[\s|:-]+")
_FIXTURE = re.compile(r"context\s?=\s?(?P<context>[^\s|]{1,300}?)>?:(?P<fixture>\w{1,30})")
_PHASES = {"setup": "setup-class", "teardown": "teardown"}
_DOTTED = re.compile(r"(?P<test>[^\s()]{1,300}) ?\((?P<place>[^\s()]{1,300})\)")
_LIKE_A_TEST = re.compile(r"[`*\s]*(?:[\w.]*\btest|all_test|runtest|<?(?:nose\.suite\.)?contextsuite)", re.IGNORECASE)
"""How the first cell begins where neither a title nor the names of columns say that a table is one of results."""
_FILE = re.compile(r"(?<![\w./\\-])[\w./\\-]{1,300}\.py\b")
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,300})\]\([^()\s]{0,500}\)")
_LOAD_FAILURES = frozenset({"runtest", "failure", "nose.failure.failure.runtest", "failure.runtest"})
"""What nose calls the case that stands for a module which could not be loaded."""


def _cells(line: str) -> list[str]:
    # An escaped bar is part of its cell.
    cells = [cell.replace("\0", "|").strip() for cell in line.replace("\\|", "\0").split("|")]
    if cells and not cells[0]:
        cells = cells[1:]
    if cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _columns(cells: list[str]) -> dict[str, int] | None:
    """Which column is which, if these are the names of the columns."""
    names = [cell.strip("`* ").lower() for cell in cells]
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        key = next((key for key, pattern in _COLUMN_NAMES if pattern.match(name)), None)
        if key is not None:
            found.setdefault(key, index)
    return found if "test" in found and "result" in found else None


def _outcome(said: str) -> AttemptOutcome | None:
    # Signs for the eye, and what stands in brackets, are no part of it.
    words = re.sub(r":\w+:|\([^()]*\)", " ", said.lower())
    return _OUTCOMES.get(re.sub(r"[^a-z /]", "", words).strip(" "))


def _row(cells: list[str], columns: dict[str, int]) -> Row | None:
    def cell(key: str) -> str:
        index = columns.get(key, len(cells))
        return cells[index] if index < len(cells) else ""

    if any("~~" in each for each in cells):
        # Somebody took it back.
        return None
    name = _MARKDOWN_LINK.sub(r"\1", cell("test")).strip("`* ")[:_NAME_LIMIT]
    outcome = _outcome(cell("result"))
    if not name or outcome is None:
        return None
    # In a row with a cell too few the file stands where the time should.
    found, in_time = (_FILE.search(_MARKDOWN_LINK.sub(r"\1", cell(key))) for key in ("file", "time"))
    seconds = None if in_time else _duration(cell("time"))
    said = found or in_time
    file = said[0] if said else cell("file").strip("`*- ") or None
    if file is None and (alone := _FILE.fullmatch(name)):
        # A row about a module, which has no other name.
        return Row("", outcome, seconds or 0.0, alone[0], "module")
    row = Row(name, outcome, seconds or 0.0, file and file[:_NAME_LIMIT])
    return _about(row, timed=seconds is not None)


def _about(row: Row, *, timed: bool) -> Row:
    """The row with what it is about: a test, a class's set-up or teardown, or all of a module."""
    stem = _stem(row.file)
    if fixture := _FIXTURE.search(row.name):
        name = fixture["context"].rstrip(">").rpartition(".")[2]
        phase = _PHASES.get(fixture["fixture"].lower(), "call")
        whole = name == stem or name.startswith("test_")
        return replace(row, name="" if whole and row.file else name, level="module" if whole else "class", phase=phase)
    if row.name.lower() in _LOAD_FAILURES and row.file:
        return replace(row, name="", level="module", loaded=row.outcome is AttemptOutcome.PASSED)
    if row.file and row.name.lower() in (f"all_{stem}".lower(), "all", "all tests", f"all tests in {row.file}".lower()):
        outcome = row.outcome
        if outcome is AttemptOutcome.SKIPPED and not timed:
            # The bot's way to say that a module never got its turn.
            outcome = AttemptOutcome.BLOCKED
        return replace(row, name="", level="module", outcome=outcome)
    if dotted := _DOTTED.fullmatch(row.name):
        return replace(row, name=dotted["test"], class_name=_class_in(dotted["place"]))
    if "." in row.name and re.fullmatch(r"[\w.]+", row.name):
        place, _, name = row.name.rpartition(".")
        return replace(row, name=name or row.name, class_name=_class_in(place))
    return row


def _stem(file: str | None) -> str:
    return (file or "").replace("\\", "/").rpartition("/")[2].removesuffix(".py")


def _class_in(place: str) -> str | None:
    last = place.rpartition(".")[2]
    return last if last[:1].isupper() else None


@dataclass
class _Draft:
    """A report that lines are added to."""

    report: Report
    counts: list[Count] = field(default_factory=list)
    intermittent: dict[str, None] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    columns: dict[str, int] | None = None
    quoted: bool = False
    has_environment: bool = False
    """Whether a line of its own named the environment."""

    def read(self, line: str) -> None:
        bare = _without_lead(line)
        if found := _INTERMITTENT.match(bare):
            files = (word.strip("`'\"") for word in re.split(r"[,\s]+", bare[found.end() :]))
            self.intermittent |= dict.fromkeys(file for file in files if _MODULE.fullmatch(file))
            return
        for pattern, read in _KEYED:
            if found := pattern.match(bare):
                self.report = read(self.report, bare[found.end() :].strip())
                return
        if line.count("|") > (0 if self.columns else 1):
            self._table_line(line)
            return
        count = _count(bare)
        if count is not None:
            self.counts.append(count)

    def _table_line(self, line: str) -> None:
        line = line.lstrip("> ")
        cells = _cells(line)
        columns = _columns(cells)
        if columns:
            self.columns = columns
        elif not _SEPARATOR.fullmatch(line):
            # A comment that goes on where another broke off has rows without the names of their columns.
            row = _row(cells, self.columns or dict(zip(_COLUMNS, range(len(_COLUMNS)))))
            if row is not None and ((self.columns and self.report.title) or _LIKE_A_TEST.match(cells[0])):
                self.rows.append(row)
            elif self.columns or self.report.title:
                self.unread.append(line[:_NAME_LIMIT])

    def finished(self) -> Report | None:
        """The report, or None where its lines tell no result, not even one that cannot be understood."""
        if self.quoted:
            return None
        report = replace(
            self.report,
            counts=tuple(self.counts),
            intermittent=tuple(self.intermittent),
            rows=tuple(self.rows),
            unread=tuple(self.unread),
        )
        if report.kind != RESULT:
            return report if report.kind == PACKAGING or report.title else None
        told = report.rows or report.intermittent or any(_numbers(count) for count in report.counts)
        return report if told or (report.title and (report.seconds is not None or report.unread)) else None


def _numbers(count: Count) -> bool:
    return not count.ok is count.failed is count.did_not_run is None
