"""Trillian's archives (Marvin's logs of a run, zipped or not) as run records, one for each archive."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers import naming
from cs_matrix_pytest.importers.comment_report import LAB, RESULT, Report
from cs_matrix_pytest.importers.comments import Comment, facts_of, runs_of
from cs_matrix_pytest.importers.destination import ImportedRun, NotASource
from cs_matrix_pytest.importers.stated import UNKNOWN, Stated, moment_of
from cs_matrix_pytest.importers.trillian_archive import Archive, Member
from cs_matrix_pytest.importers.trillian_results import READ_LIMIT, read_results
from cs_matrix_pytest.importers.xunit_cases import CaseReader
from cs_matrix_pytest.importers.xunit_evidence import Evidence
from cs_matrix_pytest.outcomes.model import Attempt, Line

_EPOCH = "1970-01-01T00:00:00.000Z"

_SMALL = 256 * 1024
"""Bytes of a summary or a log's beginning that are read."""

_REST = r"(?P<rest>[-_ ](?:logs?|marvin|results?|archive)\b.*)?(?:\.zip)?\Z"
_NAMES = tuple(
    re.compile(pattern + _REST, re.IGNORECASE)
    for pattern in (
        r"pr-?(?P<pull_request>\d{1,9})-t(?:id)?-?(?P<trillian>\d{1,9})(?:-(?P<environment>\w[\w.-]{0,60}?))?",
        r"(?:pr-?(?P<pull_request>\d{1,9})-)?(?:t(?:id)?-?(?P<trillian>\d{1,9})-)?"
        r"(?P<environment>(?:kvm|vmware|vsphere|esxi|xenserver|xcp-?ng|xcp|xen|xs(?=\d)|hyper-?v|lxc|ovm3?)[\w.-]{0,60}?)?",
    )
)
"""``pr1234-t567-kvm-centos7.zip``; with less before it only what begins as a hypervisor does is an environment."""
_MARVIN_FOLDER = re.compile(r"(?P<stem>.{1,200}?)(?:__\w{3}_\d\d_\d{4}_\d\d_\d\d_\d\d)?_[A-Za-z0-9]{6}\Z")
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})?(?= - )")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sources of ``cs-matrix import trillian``."""
    parser.add_argument(
        "sources", nargs="+", metavar="ZIP|DIR", help="an archive: a zip, a folder with its files, or a folder of zips"
    )


def read(args: argparse.Namespace, stated: Stated) -> Iterator[ImportedRun]:
    """One run for each archive."""
    for source in map(Path, args.sources):
        zips = sorted(each for each in source.glob("*.zip") if each.is_file()) if source.is_dir() else []
        for each in zips:
            run = imported(each, stated)
            run.found = True
            yield run
        if not zips:
            yield imported(source, stated)


def imported(path: Path, stated: Stated) -> ImportedRun:
    """The run that an archive is; it is read as its lines are."""
    run = ImportedRun(kind="trillian", source=str(path), started="", lines=(), lab=stated.lab or LAB)
    run.lines = _lines(run, path, stated)
    return run


def _lines(run: ImportedRun, path: Path, stated: Stated) -> Iterator[Line]:
    archive = Archive(path)
    with closing(archive):
        yield from _Reading(run, archive, stated).lines()


class _Reading:
    """One archive, while it is read."""

    def __init__(self, run: ImportedRun, archive: Archive, stated: Stated) -> None:
        self._run = run
        self._archive = archive
        self._stated = stated
        self._modules: set[str] = set()
        self._digests: list[bytes] = []
        self._begun: list[str] = []

    def lines(self) -> Iterator[Line]:
        run = self._run
        reports: list[Member] = []
        results: list[Member] = []
        logs: dict[str, Member] = {}
        summaries: list[Member] = []
        version: str | None = None
        for member in self._archive.members():
            name = member.path.name
            if name.endswith(".xml"):
                reports.append(member)
            elif name == "results.txt":
                results.append(member)
            elif name == "runinfo.txt":
                logs[_module_of_folder(member.path) or str(member.path.parent)] = member
            elif name.endswith("summary.txt"):
                summaries.append(member)
            elif name == "additional_test_data.json":
                version = self._version(member) or version
        if not reports and not results:
            raise NotASource(
                "there are no results in it: neither xunit files (*.xml) nor Marvin's results.txt",
                file=self._archive.path,
            )
        said = self._name()
        run.selection = {key: int(said[key]) for key in ("pull_request", "trillian") if said.get(key)}
        summary = "".join(self._text(each) for each in summaries)
        of_summary, environment = self._summary(summary, said.get("environment"), version)

        starts = {stem: self._start(member) for stem, member in logs.items()}
        for member in reports:
            yield from self._of_report(member, starts, environment)
        for member in results:
            yield from self._of_results(member, starts, environment)
        if not self._digests:
            raise UserError("none of its files tells of a test", file=self._archive.path)
        run.started = self._stated.started or min(self._begun)
        for line in of_summary:
            yield replace(line, started=run.started) if isinstance(line, Attempt) else line
        said_else = [summary, self._stated.started or "", *sorted(filter(None, starts.values()))]
        run.identity = b"".join([*sorted(self._digests), "\n".join(said_else).encode("utf-8", "replace")])

    # What the archive is of

    def _name(self) -> dict[str, str]:
        folder = self._archive.path.resolve()
        for name in (folder.name, folder.parent.name):
            for match in filter(None, (pattern.match(name) for pattern in _NAMES)):
                if any(match.groups()):
                    return {key: value for key, value in match.groupdict().items() if value}
            if folder.is_file() or name != "MarvinLogs":
                break
        return {}

    def _summary(self, text: str, environment: str | None, version: str | None) -> tuple[list[Line], str]:
        """What the bot's summary says beyond the results; the environment, whose facts are then those of the run.

        Both are read as the bot's comments are, so that an archive and a comment on it have equal contexts.
        """
        name = self._stated.name_of(environment)
        said = facts_of(Report(RESULT, environment=environment)) if environment else None
        facts = self._stated.environment_of(said)
        lines: list[Line] = []
        if text:
            comment = Comment("\n".join(["Trillian test result", f"Environment: {environment or name}", text]))
            for told in runs_of(comment, "", self._stated, self._stated.started or _EPOCH):
                # The results themselves are at hand: only what is about whole modules is news.
                lines += [line for line in told.lines if not isinstance(line, Attempt) or line.level == "module"]
                if environment:
                    facts = told.environments.get(name, facts)
        self._run.environments[name] = replace(facts, acs_version=version or facts.acs_version)
        return [line for line in lines if line.environment == name], name

    def _version(self, member: Member) -> str | None:
        try:
            data = json.loads(self._text(member))
        except (ValueError, RecursionError):
            return None
        version = data.get("base_cloudstack_version") if isinstance(data, dict) else None
        return (
            version
            if isinstance(version, str) and re.fullmatch(r"\d{1,5}(\.\d{1,5}){1,4}[\w.-]{0,20}", version)
            else None
        )

    def _start(self, member: Member) -> str | None:
        logged = _LOGGED.search(self._text(member, 4096))
        return moment_of(logged[0]) if logged else None

    def _text(self, member: Member, size: int = _SMALL) -> str:
        try:
            with closing(member.open()) as stream:
                return stream.read(size).decode("utf-8", "replace")
        except OSError as error:
            self._warn(member, error)
            return ""

    # Results

    def _evidence(self, member: Member, start: str | None, environment: str) -> Evidence:
        started = self._stated.started or start or member.written
        self._begun.append(started)
        return Evidence(self._stated, started, report=member.path.name, environment=environment, modules=self._modules)

    def _of_report(self, member: Member, starts: dict[str, str | None], environment: str) -> Iterator[Line]:
        module = naming.module_of_report(member.path.name)
        evidence = self._evidence(member, starts.get(module or ""), environment)
        reader: CaseReader | None = None
        try:
            with closing(member.open()) as stream:
                reader = CaseReader(stream, self._shown(member))
                for cases in reader.batches():
                    yield from evidence.of(cases)
        except OSError as error:
            self._warn(member, error)
        except UserError as error:
            if self._archive.exhausted:
                raise
            self._run.warnings.append(f"left out: {error}")
        if reader is None:
            return
        # What stood before a mistake is told by now.
        yield from evidence.rest()
        self._run.warnings += reader.warnings
        self._run.complete = self._run.complete and reader.complete
        self._run.environments |= {
            each: self._stated.environment_of() for each in evidence.environments if each not in self._run.environments
        }
        if evidence.environments:
            self._digests.append(reader.digest)

    def _of_results(self, member: Member, starts: dict[str, str | None], environment: str) -> Iterator[Line]:
        """The results of modules that no xunit file has."""
        module = _module_of_folder(member.path)
        if module is not None and module in self._modules:
            return
        text = self._text(member, READ_LIMIT)
        evidence = self._evidence(member, starts.get(module or str(member.path.parent)), environment)
        seen = frozenset(self._modules)
        tests = list(read_results(text))
        # A test that only its docstring names is of the file's module: the only one that others name, or the folder's.
        named = {told.place.module for told in tests if told.place.module}
        module = named.pop() if len(named) == 1 else module
        for told in tests:
            place = told.place
            if not place.module:
                place = naming.place_of_test(module or UNKNOWN, told.name)
            if place.module not in seen:
                yield from evidence.told(told.name, place, told.result)
        self._digests.append(hashlib.sha256(text.encode("utf-8", "replace")).digest())

    def _warn(self, member: Member, error: OSError) -> None:
        self._run.warnings.append(f"{self._shown(member)}: left out: {error.strerror or error}")

    def _shown(self, member: Member) -> str:
        return f"{self._archive.path}: {member.path}"


def _module_of_folder(path: PurePosixPath) -> str | None:
    """The module that a Marvin log folder (``test_x_A1B2C3``) is of, if its name says so."""
    match = _MARVIN_FOLDER.match(path.parent.name)
    return naming.module_of_report(match["stem"]) if match else None
