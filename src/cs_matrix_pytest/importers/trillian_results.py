"""Marvin's ``results.txt``: nose's progress lines and the failures below them, with a status line of Marvin's per test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from cs_matrix_pytest.importers.naming import Place, place_of
from cs_matrix_pytest.importers.xunit_cases import Result

READ_LIMIT = 8 * 1024 * 1024
"""Bytes of one results.txt that are read."""

_STATUS = re.compile(r"=== TestName: (?P<name>.{1,300}?) \| Status : (?P<status>\w{1,20}) ===\Z")
_DOTTED = re.compile(r"(?P<name>\S{1,300}) \((?P<place>[\w.-]{1,500})\)\Z")
_ANSWER = re.compile(r"(?P<word>ok|FAIL|ERROR|SKIP)(?:: (?P<why>.*))?\Z")
_BAR = re.compile(r"={20,}\Z")
_RULE = re.compile(r"-{20,}\Z")
_HEADER = re.compile(r"(?:FAIL|ERROR): (?P<what>.*)\Z")
_SUITE = re.compile(r"test suite for <(?:class|module) '(?P<name>[\w.-]{1,500})'")

_TAGS = {"ok": None, "FAIL": "failure", "ERROR": "error", "SKIP": "skipped"}
_OF_STATUS = {"SUCCESS": "ok", "FAILED": "FAIL", "EXCEPTION": "ERROR"}


class Told(NamedTuple):
    """What results.txt says of one test, or of a class's or module's own set-up or clean-up (``name`` empty).

    ``place`` has no module where only a docstring names the test. ``result`` is None where it passed.
    """

    name: str
    place: Place
    result: Result | None


def read_results(text: str) -> Iterator[Told]:
    """The tests of a results.txt in order. What is cut off, or says nothing known, is passed over."""
    progress, details = _parts(text.splitlines())
    for described, name, answer, why in _answers(progress):
        dotted = _DOTTED.match(described)
        place = Place(None)
        if dotted:
            name = name or dotted["name"]
            # Python 3.11 and newer add the test's own name.
            place = place_of(dotted["place"].removesuffix(f".{dotted['name']}"))
        if name:
            yield Told(name, place, _result(answer, why, details.get(described)))
    for what, texts in details.items():
        suite = _SUITE.match(what)
        for failure in texts if suite else ():
            assert suite is not None
            yield Told("", place_of(suite["name"]), Result("error", "", "", failure))


def _result(answer: str, why: str, details: list[str] | None) -> Result | None:
    tag = _TAGS[answer]
    if tag is None:
        return None
    text = details.pop(0) if details and tag != "skipped" else ""
    return Result(tag, "", why, text)


def _answers(lines: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """(description, name, answer, why): a line that begins a test, and the one after it where its answer stands alone."""
    waiting: tuple[str, str, str] | None = None
    for line in lines:
        described, begins, rest = line.partition(" ... ")
        status = _STATUS.match(rest if begins else line)
        answer = _ANSWER.match(rest if begins else line)
        if begins and (status or answer or not rest.strip()):
            if waiting:
                yield waiting[0], waiting[1], _OF_STATUS.get(waiting[2], "ERROR"), ""
            waiting = (described.strip(), status["name"] if status else "", status["status"] if status else "")
            if answer:
                yield waiting[0], waiting[1], answer["word"], answer["why"] or ""
                waiting = None
        elif waiting and status and not waiting[1]:
            waiting = (waiting[0], status["name"], status["status"])
        elif waiting and answer:
            yield waiting[0], waiting[1], answer["word"], answer["why"] or ""
            waiting = None
    if waiting and waiting[2]:
        yield waiting[0], waiting[1], _OF_STATUS.get(waiting[2], "ERROR"), ""


def _parts(lines: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The progress lines, and the failures' texts by what failed."""
    bars = [index for index, line in enumerate(lines) if _BAR.match(line)]
    details: dict[str, list[str]] = {}
    for start, end in pairwise([*bars, len(lines)]):
        header = _HEADER.match(lines[start + 1]) if start + 1 < end else None
        if header is None:
            continue
        # Below the rule; the last failure ends at nose's own rule before the sum.
        body = lines[start + 3 : end]
        stop = next((index for index, line in enumerate(body) if _RULE.match(line)), len(body))
        details.setdefault(header["what"], []).append("\n".join(body[:stop])[:READ_LIMIT])
    return lines[: bars[0]] if bars else lines, details
