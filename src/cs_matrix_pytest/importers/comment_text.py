"""What a result comment of Trillian's bot says, by its structure: titles, ``key: value`` lines, counts and tables.

The bot's wording changed with every generation of the lab, so nothing here matches a whole comment. Each line is looked
at alone, by expressions that cannot backtrack, and a line that says nothing known is passed over.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from cs_matrix_pytest.environments.model import STORAGE_SCOPES
from cs_matrix_pytest.importers.comment_bots import BotDraft, draft_of
from cs_matrix_pytest.importers.comment_report import (
    BUILD_FAILED,
    PACKAGING,
    RESULT,
    THOUSANDS,
    Count,
    Report,
    Row,
    about,
    duration,
)
from cs_matrix_pytest.outcomes.model import AttemptOutcome
from cs_matrix_pytest.reports.escaping import printable

_LINE_LIMIT = 2000
"""Characters of a line that are looked at."""

_NAME_LIMIT = 300


def read_comment(text: str) -> list[Report]:
    """The results that a comment tells, in its order; empty where it tells none. Never raises.

    A result begins with its title, or with the line that names its environment where the title is missing. One that is
    quoted is another comment's, of which a quotation may be a part: it is passed over.
    """
    drafts: list[_Draft | BotDraft] = []
    for line in _lines(_unescaped(text)):
        title = _title(line)
        if title is not None:
            drafts.append(_Draft(title, quoted=_is_quoted(line)))
            continue
        if bot := draft_of(line, quoted=_is_quoted(line)):
            drafts.append(bot)
            continue
        names_environment = _KEY_ENVIRONMENT.match(line) is not None
        if not drafts or (names_environment and drafts[-1].has_environment):
            drafts.append(_Draft(Report(RESULT), quoted=_is_quoted(line)))
        drafts[-1].has_environment |= names_environment
        drafts[-1].read(line)
    return [report for draft in drafts if (report := draft.finished()) is not None]


# Lines

_ESCAPED = re.compile(r"&(?:amp;){0,3}lt;/?b/?&(?:amp;){0,3}gt;", re.IGNORECASE)
"""The bot's own markup as text: somebody escaped the whole comment."""
_TAG = re.compile(
    r"</?(?:a|b|br|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|ins|kbd|li|ol|p|pre|s|small|span|strong|sub|summary|sup|"
    r"table|tbody|td|tfoot|th|thead|tr|tt|u|ul)\b[^<>]{0,500}>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|/p|/tr|/div|/li|/h[1-6])\b[^<>]{0,100}>", re.IGNORECASE)
_CELL = re.compile(r"<t[dh]\b[^<>]{0,100}>", re.IGNORECASE)
_MARKS = r"[\s>#*+•-]*(?:\d{1,2}[.)]\s+)?"
"""Quotation marks, heading and list marks of Markdown."""
_LEAD = re.compile(_MARKS)


def _unescaped(text: str) -> str:
    for _ in range(4):
        if not _ESCAPED.search(text):
            break
        text = html.unescape(text)
    return text


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
    """The line without the marks that Markdown begins lines with."""
    lead = _LEAD.match(line)
    return line[lead.end() :] if lead else line


# Titles

_TITLE = re.compile(
    r"(?:\[(?P<server>[^\]\s]{1,20})\]\s?)?"
    r"(?P<what>(?:Trillian[\w -]{0,40}?|test|smoke ?test) "
    r"(?P<outcome>results?|(?:failed|failure|aborted|cancelled|canceled|timed out|unstable)\b))"
    r"\s?[:,-]?\s?(?:\((?P<job>[^()]{1,200})\)|(?P<bare>(?:test )?t?id[-:# ]{0,3}\d{1,12}))?\s?[.:!]?(?P<tail>\s.{1,250})?",
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
    if found["tail"] and not (ended and (found["job"] or found["bare"])):
        return None
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

_KEY_ENVIRONMENT = re.compile(rf"{_MARKS}(?:test )?environments?\s?:", re.IGNORECASE)
_LOG_NAME = re.compile(r"\bpr-?(\d{1,9})-t(?:id-?)?(\d{1,12})\b", re.IGNORECASE)
_HOSTS = re.compile(
    r"\(\s?[x\u00d7]\s?(\d{1,6})(?: hosts?)?\s?\)|\(\s?(\d{1,6}) hosts?\s?\)|(?<!\w)[x\u00d7](?!86\b)(\d{1,6})\b",
    re.IGNORECASE,
)
_SPACED_NAME = re.compile(
    r"(?P<hypervisor>[a-z][a-z-]{0,40})(?: (?P<system>[a-z]{1,40}))? (?P<version>\d[\w.]{0,40})", re.I
)
"""``vmware 8.0u3``, ``kvm CentOS 7``: the name of an environment in words."""
_SYSTEM = r"(?P<os>[\w.-]{1,40})(?:(?<=[a-z])(?: linux)? (?P<version>\d[\w.]{0,20}))?"
_MANAGEMENT_OS = re.compile(_SYSTEM, re.IGNORECASE)
_MANAGEMENT = re.compile(
    rf"(?:\bwith )?\b(?:mgmt|management|mgt)\b(?: (?:servers?|os|mgmt)){{0,4}}\s?:?\s?"
    rf"(?!(?:servers?|os|mgmt)\b){_SYSTEM}",
    re.IGNORECASE,
)
_NETWORKING = re.compile(r"(?:\bzone\s?:?\s?)?(?P<kind>[\w/+ -]{1,80}?)[ _-]?networking\b", re.IGNORECASE)
_EXTRA_BREAK = re.compile(r"[;+&]|(?:^|\s)(?:and|with|on)\s", re.IGNORECASE)
_EXTRA_LEAD = re.compile(r"^(?:(?:with|and|zone|on)\b:?\s?)+", re.IGNORECASE)
_EXTRA_LIMIT = 100
_SECURITY_GROUPS = re.compile(r"security[ _-]?groups?", re.IGNORECASE)
_NO_SECURITY_GROUPS = re.compile(r"\b(?:without|w/o|no)[ _-]security[ _-]?groups?", re.IGNORECASE)
_STORAGE_WORDS = frozenset({"storage", "primary", "pool", "pools", "type", "protocol"})
_PROTOCOLS = {
    "nfs": "nfs",
    "iscsi": "iscsi",
    "ceph": "rbd",
    "rbd": "rbd",
    "fc": "fc",
    "vmfs": "vmfs",
    "smb": "smb",
    "cifs": "smb",
    "clvm": "clvm",
    "gluster": "gluster",
    "linstor": "linstor",
    "storpool": "storpool",
    "solidfire": "solidfire",
    "powerflex": "powerflex",
    "scaleio": "powerflex",
    "presetup": "presetup",
    "sharedmountpoint": "sharedmountpoint",
}
"""How comments may call the protocol of primary storage → as contexts have it."""
_VERSION = re.compile(r"\d{1,3}(?:\.\d{1,5}){1,4}(?:-[\w.-]{1,40})?")


def _environment(report: Report, value: str) -> Report:
    value = THOUSANDS.sub("", value.replace("`", ""))
    hosts = _HOSTS.search(value)
    # `(x2)` is the number of hosts; the rest is a list by commas, the name first.
    name, *parts = (part.strip() for part in _HOSTS.sub("", value).split(","))
    if spaced := _SPACED_NAME.fullmatch(name):
        name = f"{spaced['hypervisor']}-{spaced['system'] or ''}{spaced['version']}"
    words = name.split(None, 1)
    if len(words) == 2:
        parts.insert(0, words[1])
    report = replace(
        report,
        environment=words[0].strip("'\"")[:_NAME_LIMIT] or None if words else None,
        hosts=int(hosts[1] or hosts[2] or hosts[3]) if hosts else None,
    )
    for part in parts:
        report = _environment_part(report, part)
    return report


def _environment_part(report: Report, part: str) -> Report:
    part = _NO_SECURITY_GROUPS.sub("", part)
    management = _MANAGEMENT.search(part)
    if management:
        report = replace(report, management_os=_system(management))
        part = f"{part[: management.start()]} {part[management.end() :]}"
    networking = _NETWORKING.search(part)
    if networking:
        report = replace(report, networking=networking["kind"].strip(" -_") or None)
        part = part[networking.end() :]
    said = (_EXTRA_LEAD.sub("", each.strip(" .:()")).strip(" .:()")[:_EXTRA_LIMIT] for each in _EXTRA_BREAK.split(part))
    extras = []
    for extra in filter(None, said):
        scope, protocol = _storage_in(extra)
        if scope or protocol:
            report = replace(
                report,
                storage_scope=scope or report.storage_scope,
                storage_protocol=protocol or report.storage_protocol,
            )
        else:
            extras.append(extra)
    # Security groups are a kind of networking, wherever they stand.
    groups = [extra for extra in extras if _SECURITY_GROUPS.fullmatch(extra)]
    if groups and report.networking and not _SECURITY_GROUPS.search(report.networking):
        report = replace(report, networking=f"{report.networking} {groups[0]}")
        extras = [extra for extra in extras if extra not in groups]
    return replace(report, extras=(*report.extras, *extras))


def _system(said: re.Match[str]) -> str:
    return f"{said['os'].rstrip('.-')}{said['version'] or ''}"


def _storage_in(said: str) -> tuple[str | None, str | None]:
    """(scope, protocol) of ``local storage``, ``Storage: NFS``; nothing where it has a word that says more than that."""
    words = re.findall(r"[\w-]+", said.lower())
    rest = [word for word in words if word not in _STORAGE_WORDS]
    scopes = [word for word in rest if word in STORAGE_SCOPES]
    protocols = [_PROTOCOLS[word] for word in rest if word in _PROTOCOLS]
    # A scope alone says nothing of storage.
    if len(scopes) + len(protocols) < len(rest) or (scopes and len(rest) == len(words)):
        return None, None
    return next(iter(scopes), None), next(iter(protocols), None)


def _total_time(report: Report, value: str) -> Report:
    seconds = duration(value)
    return report if seconds is None else replace(report, seconds=seconds)


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
    said = _MANAGEMENT_OS.match(value.lstrip("`'\" "))
    return replace(report, management_os=_system(said)) if said else report


def _network(report: Report, value: str) -> Report:
    return _environment_part(report, value if "networking" in value.lower() else f"{value} networking")


def _storage(report: Report, value: str) -> Report:
    return _environment_part(report, f"storage {value}")


_KEYS: tuple[tuple[str, Callable[[Report, str], Report]], ...] = (
    (r"(?:test )?environments?", _environment),
    (r"hypervisors?", _environment),
    (r"(?:total )?(?:time|duration)(?: taken)?", _total_time),
    (r"(?:marvin )?(?:logs?|archive)", _logs),
    (r"(?:acs|cloudstack|apache cloudstack)(?: version)?|version", _acs_version),
    (r"pr|pull request", _pull_request),
    (r"(?:mgmt|management)(?: (?:server|os|mgmt)){0,4}", _management),
    (r"network(?:ing)?(?: type)?|zone(?: type)?", _network),
    (r"(?:primary )?storage(?: type)?", _storage),
)
_INTERMITTENT = re.compile(r"(?:tested twice for )?intermitt?ent? failures?(?: detected)?(?: in)?\s?:", re.IGNORECASE)
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
    line = THOUSANDS.sub("", line)
    suite = _SUITE.match(line)
    numbers = {key: int(found[1]) for key, pattern in _COUNTS if (found := pattern.search(line))}
    if not numbers and not suite:
        return None
    if not suite and "ok" not in numbers:
        return None
    name = suite["suite"].strip().lower() if suite else None
    return Count(name, numbers.get("ok"), numbers.get("failed"), numbers.get("did_not_run"))


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
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w{0,100}\.){0,9}(?P<name>\w{0,90}(?:[a-z]Error|Exception|SkipTest))")
"""The bot's first tables had the name of what ended a test as its result."""
_OUTCOMES_OF_EXCEPTIONS = {"SkipTest": AttemptOutcome.SKIPPED, "AssertionError": AttemptOutcome.FAILED}
_COLUMNS = ("test", "result", "time", "file")
_COLUMN_NAMES = (
    ("file", re.compile(r".*\b(?:file|module)")),
    ("test", re.compile(r"test|case\b|name\b")),
    ("result", re.compile(r"result|outcome|status|state\b")),
    ("time", re.compile(r"time|duration|seconds?\b")),
)
"""How the names of columns begin, in lower case, the first that fits."""
_SEPARATOR = re.compile(r"[\s|:-]+")
_LIKE_A_TEST = re.compile(r"[`*\s]*(?:[\w.]*\btest|all_test|runtest|<?(?:nose\.suite\.)?contextsuite)", re.IGNORECASE)
"""How the first cell begins where neither a title nor the names of columns say that a table is one of results."""
_FILE = re.compile(r"(?<![\w./\\-])[\w./\\-]{1,300}\.py\b")
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,300})\]\([^()\s]{0,500}\)")


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
    if exception := _EXCEPTION.fullmatch(said.strip("`* ")):
        return _OUTCOMES_OF_EXCEPTIONS.get(exception["name"], AttemptOutcome.ERRORED)
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
    seconds = None if in_time else duration(cell("time"))
    said = found or in_time
    file = said[0] if said else cell("file").strip("`*- ") or None
    if file is None and (alone := _FILE.fullmatch(name)):
        # A row about a module, which has no other name.
        return Row("", outcome, seconds or 0.0, alone[0], "module")
    row = Row(name, outcome, seconds or 0.0, file and file[:_NAME_LIMIT])
    return about(row, timed=seconds is not None)


@dataclass
class _Draft:
    """A report that lines are added to."""

    report: Report
    counts: list[Count] = field(default_factory=list)
    intermittent: dict[str, None] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    columns: dict[str, int] | None = None
    suite: str | None = None
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
            self.suite = count.suite

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
                self.rows.append(replace(row, suite=self.suite))
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
        told = report.rows or report.intermittent or any(count.says for count in report.counts)
        return report if told or (report.title and (report.seconds is not None or report.unread)) else None
