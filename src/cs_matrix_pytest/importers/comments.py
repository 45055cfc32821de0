"""``cs-matrix import comments``: result comments of Trillian's bot, from files or standard input, as run records."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.comment_report import BUILD_FAILED, PACKAGING, Count, Report, Row
from cs_matrix_pytest.importers.comment_text import read_comment
from cs_matrix_pytest.importers.destination import ImportedRun
from cs_matrix_pytest.importers.naming import is_suite_module, module_named, place_of_test
from cs_matrix_pytest.importers.stated import UNKNOWN, Stated, moment_of
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Counts, Line, Reason, ReasonCode, Untested
from cs_matrix_pytest.outcomes.record import instant

WHOLE_ENVIRONMENT = "environment"
"""The test (and the level) that a blocked attempt is about where nothing could run at all."""

_NO_COMMENT = "not a JSON object with a text `body`"
_WARNINGS = 5
_SIZE_LIMIT = 64 * 1024 * 1024
_LINE_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Comment:
    """A comment and what is known of it: ``created`` is ISO 8601, ``url`` its own address; None where unknown."""

    body: str
    created: str | None = None
    pull_request: int | None = None
    repository: str | None = None
    url: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sources of ``cs-matrix import comments``."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FILE",
        help="comments as JSON Lines or JSON (body, created_at, html_url …), or one as Markdown; - for standard input",
    )


def read(args: argparse.Namespace, stated: Stated) -> Iterator[ImportedRun]:
    """One run for each result that a comment tells."""
    for source in args.sources:
        try:
            yield from _read_source(source, stated)
        except UserError as error:
            yield _unusable(source, error)


def runs_of(comment: Comment, source: str, stated: Stated, otherwise: str) -> Iterator[ImportedRun]:
    """A run for each result that the comment tells; ``otherwise`` is when, where neither it nor the user says."""
    started = (moment_of(comment.created) if comment.created else None) or stated.started or otherwise
    for report in read_comment(comment.body):
        if report.kind != PACKAGING:
            yield _run(report, comment, source, stated, started)


# From a report to a run

_HYPERVISORS: tuple[tuple[str, str], ...] = (
    ("xcp-ng", "xenserver"),
    ("xcpng", "xenserver"),
    ("xcp", "xenserver"),
    ("xenserver", "xenserver"),
    ("xen", "xenserver"),
    ("xs", "xenserver"),
    ("vmware", "vmware"),
    ("vsphere", "vmware"),
    ("esxi", "vmware"),
    ("kvm", "kvm"),
    ("hyperv", "hyperv"),
    ("hyper-v", "hyperv"),
    ("lxc", "lxc"),
    ("ovm3", "ovm3"),
    ("ovm", "ovm"),
)
"""How an environment's name begins → CloudStack's name of the hypervisor; the rest is its version."""

_KVM_HOST = re.compile(r"(?:centos|rhel|el|rocky|alma|ol|oracle|suse|sles|opensuse|ubuntu|debian)[-.]?\d[\w.-]*")
"""An environment with the name of a Linux: of CloudStack's hypervisors that is KVM's host."""

_SYSTEMS = {"": "centos", "c": "centos", "a": "alma", "r": "rocky", "s": "suse", "u": "ubuntu", "d": "debian"}
"""The bot's letters for the management server's system: ``7`` is CentOS 7, ``u22`` Ubuntu 22; ``ol8`` is said in full."""

_INTERMITTENT = "Intermittent failure detected"
_MOST_LOOSE = 500
"""Failures without a file that are looked for in modules: more than any table of the bot's has."""
_BAD = (AttemptOutcome.FAILED, AttemptOutcome.ERRORED)

_SUITE_FOLDERS = {"smoke": "smoke", "component": "component"}


def _run(report: Report, comment: Comment, source: str, stated: Stated, started: str) -> ImportedRun:
    environment = stated.name_of(report.environment)
    lines = list(_lines(report, environment, started))
    told = {
        report.bot: report.job,
        "server": report.server,
        "pull_request": comment.pull_request or report.pull_request,
        "repository": comment.repository,
        "hosts": report.hosts,
        "url": comment.url,
    }
    # The bot edits old comments (it takes out the links to archives that are gone): only what they tell identifies them.
    identity = [{key: value for key, value in vars(line).items() if key != "started"} for line in lines]
    which = [report.job, told["pull_request"], *([started[:10]] if report.job is None else [])]
    return ImportedRun(
        kind="comment",
        source=source,
        started=started,
        lines=lines,
        identity=json.dumps([*which, *identity], default=vars).encode(),
        environments={environment: stated.environment_of(facts_of(report), report.acs_version)},
        lab=stated.lab or report.bot,
        selection={key: value for key, value in told.items() if value is not None},
        warnings=[f"{source}: left out: {line}" for line in report.unread[:_WARNINGS]],
    )


def facts_of(report: Report) -> dict[str, str]:
    """The facts of the environment that a report names, by the keys of ``--context``."""
    hypervisor, version = _hypervisor(report.environment or "")
    facts = {
        "hypervisor.type": hypervisor,
        "hypervisor.version": version,
        "networking": _networking(report.networking),
        "storage.scope": report.storage_scope,
        "storage.protocol": report.storage_protocol,
        "management_os": _management_os(report.management_os),
        "extras": ",".join(extra.replace(",", " ") for extra in report.extras),
    }
    return {key: value for key, value in facts.items() if value}


def _hypervisor(name: str) -> tuple[str | None, str | None]:
    """``kvm-ol8`` → (``kvm``, ``ol8``); ``xcpng82`` → (``xenserver``, ``xcpng82``), for its numbers are XCP-ng's own."""
    lower = name.lower()
    for spelling, hypervisor in _HYPERVISORS:
        if lower.startswith(spelling):
            version = lower[len(spelling) :].strip("-_ ")
            if version and spelling.startswith("xcp"):
                version = f"xcpng{version}"
            return hypervisor, version or None
    if _KVM_HOST.fullmatch(lower):
        return "kvm", lower
    hypervisor, _, version = lower.partition("-")
    return hypervisor or None, version or None


def _networking(said: str | None) -> str | None:
    if not said:
        return None
    words = re.sub(r"[^a-z0-9]+", " ", said.lower()).strip()
    if "security group" in words or words.endswith((" sg", "advancedsg")):
        return "basic" if words.startswith("basic") else "advanced-sg"
    return words.replace(" ", "-") or None


def _management_os(said: str | None) -> str | None:
    if not said:
        return None
    short = re.fullmatch(r"([a-z]?)(\d{1,4}(?:\.\d{1,3})?)", said.lower())
    if not short or short[1] not in _SYSTEMS:
        return said.lower()
    return _SYSTEMS[short[1]] + short[2]


def _lines(report: Report, environment: str, started: str) -> Iterator[Line]:
    counted = [count for count in report.counts if count.says]
    for index, count in enumerate(counted or [Count()]):
        seconds = report.seconds if index == 0 else None
        if count.says or seconds is not None:
            numbers = (count.ok, count.failed, count.did_not_run)
            suite = None if count.suite == "test" else count.suite
            yield Counts(environment, *numbers, level=count.level, suite=suite, seconds=seconds)

    blocked = _nothing_ran(report, counted)
    if blocked:
        yield Attempt(
            WHOLE_ENVIRONMENT,
            environment,
            AttemptOutcome.BLOCKED,
            started,
            0.0,
            message=blocked,
            level=WHOLE_ENVIRONMENT,
        )
    folders = _Folders(report)
    failed_again = _failed_again(report, folders)
    for file in report.intermittent:
        module = folders.module(file) or UNKNOWN
        yield Attempt(module, environment, AttemptOutcome.FAILED, started, 0.0, message=_INTERMITTENT, level="module")
        if module not in failed_again:
            yield Attempt(module, environment, AttemptOutcome.PASSED, started, 0.0, level="module")
    for row in report.rows:
        test = folders.test(row)
        if not row.loaded:
            reason = Reason(ReasonCode.NOT_COLLECTED, "nose could not load the module")
            yield Untested(test, environment, reason, level=row.level)
            continue
        said = "did not run" if row.outcome is AttemptOutcome.BLOCKED else None
        yield Attempt(test, environment, row.outcome, started, row.seconds, row.phase, message=said, level=row.level)


def _failed_again(report: Report, folders: _Folders) -> set[str]:
    """Of the modules that failed at first those that did not pass then, either.

    The lab runs each of them a second time; its table and its counts are of that.
    """
    modules = {folders.module(file) or UNKNOWN for file in report.intermittent}
    if not report.rows:
        failed = sum(count.failed or 0 for count in report.counts)
        return modules if failed >= len(modules) else set()
    rows = [row for row in report.rows if row.outcome in _BAD]
    named = {folders.module(row.file, row.suite) or UNKNOWN for row in rows if row.file}
    # The first tables have no files.
    loose = list(dict.fromkeys(row.name for row in rows if not row.file))[:_MOST_LOOSE]
    candidates = {module for module in modules - named if is_suite_module(module)} if loose else set()
    return (modules & named) | {
        module for module in candidates if any(place_of_test(module, name).in_suites for name in loose)
    }


def _nothing_ran(report: Report, counted: list[Count]) -> str | None:
    """What to say of an environment in which no test could run; None where some did, or nothing says so."""
    if report.kind == BUILD_FAILED:
        return report.title
    if any(row.outcome is not AttemptOutcome.BLOCKED for row in report.rows) or report.intermittent or not counted:
        return None
    did_not_run = sum(count.did_not_run or 0 for count in counted)
    nothing = did_not_run > 0 and all(count.ok == 0 and not count.failed for count in counted)
    return f"none of {did_not_run} modules ran" if nothing else None


class _Folders:
    """Where a test file of a report lies: tables name it without its folder."""

    def __init__(self, report: Report) -> None:
        written = (*report.intermittent, *(row.file for row in report.rows if row.file))
        self._said = {PurePosixPath(path).name: path for path in map(_below_suites, written) if "/" in path}
        suites = {_SUITE_FOLDERS[count.suite] for count in report.counts if count.suite in _SUITE_FOLDERS}
        self._suite = suites.pop() if len(suites) == 1 else None

    def module(self, file: str, counted: str | None = None) -> str | None:
        """The module's id: as the comment says it, as only one suite has it, in the suite it counts, or the bare name.

        ``counted`` is the suite that is counted above the file's row.
        """
        path = _below_suites(file)
        if "/" in path or not path:
            return path or None
        if path in self._said:
            return self._said[path]
        known = module_named(path.removesuffix(".py"))
        suite = _SUITE_FOLDERS.get(counted) if counted else self._suite
        return known or (f"{suite}/{path}" if suite else path)

    def test(self, row: Row) -> str:
        """The id of what a row is about; a test whose module is not said belongs to the module ``unknown``."""
        module = (self.module(row.file, row.suite) if row.file else None) or UNKNOWN
        if row.level != "test" or row.class_name:
            return "::".join(part for part in (module, row.class_name, row.name) if part)
        # Tables name no classes.
        return f"{place_of_test(module, row.name).id}::{row.name}"


def _below_suites(file: str) -> str:
    """A test file's path below the suites, ``/marvin/tests/smoke/test_x.py`` → ``smoke/test_x.py``."""
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for folder in ("integration", "tests"):
        if folder in parts[:-1]:
            parts = parts[parts.index(folder) + 1 :]
            break
    path = "/".join(parts)
    return path if path.endswith(".py") or not path else f"{path}.py"


# Reading sources


class _LeftOut:
    """What of a source could not be used: the first few, and how many."""

    def __init__(self, source: str) -> None:
        self._source = _shown(source)
        self._first: list[int] = []
        self._count = 0

    def add(self, number: int) -> None:
        self._count += 1
        if len(self._first) < _WARNINGS:
            self._first.append(number)

    def warnings(self) -> list[str]:
        lines = [f"{self._source}: comment {number} left out: {_NO_COMMENT}" for number in self._first]
        more = self._count - len(lines)
        return [*lines, *([f"{self._source}: and {more} more left out"] if more else [])]


def _read_source(source: str, stated: Stated) -> Iterator[ImportedRun]:
    otherwise = instant(_modified(source))
    left_out = _LeftOut(source)
    count = 0
    held: ImportedRun | None = None
    for comment in _comments(source, left_out):
        count += 1
        for run in runs_of(comment, source, stated, otherwise):
            if held is not None:
                yield held
            held = run
    if held is None:
        raise UserError(
            f"no comment in it tells a result ({count} read)",
            file=_shown(source),
            hint="\n  ".join(left_out.warnings()) or None,
        )
    # What was wrong with the file is known when all of it is read: with its last run.
    held.warnings += left_out.warnings()
    yield held


def _comments(source: str, left_out: _LeftOut) -> Iterator[Comment]:
    try:
        if source == "-":
            yield from _comments_in(sys.stdin.buffer, source, left_out)
            return
        with Path(source).open("rb") as stream:
            yield from _comments_in(stream, source, left_out)
    except OSError as error:
        raise UserError(f"the comments cannot be read: {error.strerror or error}", file=_shown(source)) from None


def _comments_in(stream: BinaryIO, source: str, left_out: _LeftOut) -> Iterator[Comment]:
    """JSON Lines as they come; anything else is read whole: a JSON document, else one comment in Markdown."""
    first = stream.readline(_LINE_LIMIT).removeprefix(b"\xef\xbb\xbf")
    if not isinstance(_json(first), dict):
        text = _text(first + stream.read(_SIZE_LIMIT))
        if stream.read(1):
            raise UserError(f"it is larger than {_SIZE_LIMIT >> 20} MiB and not JSON Lines", file=_shown(source))
        document = _json(text)
        if isinstance(document, (dict, list)):
            yield from _objects(document if isinstance(document, list) else [document], left_out)
            return
        lines = text.splitlines()
        if not any(isinstance(_json(line), dict) for line in lines[:100] if line.startswith("{")):
            yield Comment(text)
            return
        yield from _objects(map(_json, filter(str.strip, lines)), left_out)
        return
    yield from _objects(_json_lines(first, stream), left_out)


def _json_lines(first: bytes, stream: BinaryIO) -> Iterator[Any]:
    yield _json(first)
    while line := stream.readline(_LINE_LIMIT):
        if line.strip():
            yield _json(line)


def _objects(values: Iterable[Any], left_out: _LeftOut) -> Iterator[Comment]:
    for number, value in enumerate(values, start=1):
        comment = comment_of(value) if isinstance(value, dict) else None
        if comment is None:
            left_out.add(number)
        else:
            yield comment


def comment_of(data: Mapping[str, Any]) -> Comment | None:
    """A comment from the JSON of GitHub's REST or GraphQL API, or alike; None where it has no body."""
    body = next((data[key] for key in ("body", "bodyText", "text") if isinstance(data.get(key), str)), None)
    if body is None:
        return None
    created = next(
        (data[key] for key in ("created_at", "createdAt", "created", "date") if isinstance(data.get(key), str)), None
    )
    urls = " ".join(str(data[key]) for key in ("html_url", "issue_url", "url") if isinstance(data.get(key), str))
    place = re.search(r"(?:/repos)?/([\w.-]{1,100}/[\w.-]{1,100})/(?:pull|pulls|issues)/(\d{1,9})\b", urls[:4000])
    repository = next((data[key] for key in ("repository", "repo") if isinstance(data.get(key), str)), None)
    return Comment(
        body,
        created,
        _number(data) or (int(place[2]) if place else None),
        repository or (place[1] if place else None),
        next((data[key] for key in ("html_url", "url") if str(data.get(key)).startswith("https://")), None),
    )


def _number(data: Mapping[str, Any]) -> int | None:
    for key in ("pull_request", "pr", "issue", "number"):
        value = data.get(key)
        if isinstance(value, Mapping):
            value = value.get("number")
        if isinstance(value, str) and re.fullmatch(r"#?\d{1,9}", value):
            value = int(value.lstrip("#"))
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9:
            return value
    return None


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _modified(source: str) -> datetime:
    try:
        return datetime.fromtimestamp(Path(source).stat().st_mtime, timezone.utc)
    except (OSError, ValueError):
        return datetime.now(timezone.utc)


def _shown(source: str) -> str:
    return "<stdin>" if source == "-" else source


def _unusable(source: str, error: UserError) -> ImportedRun:
    def nothing() -> Iterator[Line]:
        raise error
        yield

    return ImportedRun("comment", source, instant(datetime.now(timezone.utc)), nothing())
