"""Comparing the shape of answers: the fields that a real server always gives, and their JSON types, by command."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KINDS = {bool: "bool", int: "number", float: "number", str: "str", list: "list", dict: "map", type(None): "null"}
Table = dict[str, dict[str, Counter[str]]]
"""By command and path (``.zone[].id``): how often which type stood there; ``objects`` counts the maps at a path."""


def table(files: Iterable[Path]) -> Table:
    """The answers in recordings (JSON Lines, gzipped or not); an async command's result is under ``COMMAND (job)``."""
    found: Table = {}
    for file in files:
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rt", encoding="utf-8") as lines:
            for command, answer in answers(lines):
                body = answer if "errorcode" in answer else next(iter(answer.values()), None)
                if not (isinstance(body, dict) and "errorcode" in body):
                    _walk(answer, found.setdefault(command, defaultdict(Counter)), "")
    return found


def answers(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(command, answer) of every finished call."""
    jobs: dict[str, str] = {}
    for line in lines:
        call = json.loads(line)
        answer = call.get("r")
        if isinstance(answer, str):
            try:
                answer = json.loads(answer)
            except ValueError:
                continue
        if not isinstance(answer, dict) or not answer:
            continue
        command, body = call.get("c") or _command(call), next(iter(answer.values()))
        if not isinstance(body, dict):
            continue
        if command == "queryAsyncJobResult":
            if body.get("jobstatus") == 1 and isinstance(body.get("jobresult"), dict) and body["jobid"] in jobs:
                yield f"{jobs[body['jobid']]} (job)", body["jobresult"]
            continue
        if "jobid" in body:
            jobs[body["jobid"]] = command
        yield command, answer


def errors(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """(test, command, error code) of every call that was refused, and of every job that failed (``COMMAND (job)``).

    A test is ``TestA.test_b``; calls outside of tests are left out.
    """
    jobs: dict[str, str] = {}
    for line in lines:
        call = json.loads(line)
        if "u" not in call and "c" not in call:
            continue
        answer = call.get("r")
        if isinstance(answer, str):
            try:
                answer = json.loads(answer)
            except ValueError:
                continue
        body = next(iter(answer.values()), None) if isinstance(answer, dict) else None
        if not isinstance(body, dict):
            continue
        command = call.get("c") or _command(call)
        if "jobid" in body and command != "queryAsyncJobResult":
            jobs[body["jobid"]] = command
        if command == "queryAsyncJobResult" and body.get("jobstatus") == 2:
            command, body = f"{jobs.get(str(body.get('jobid')), 'unknown')} (job)", body.get("jobresult")
        if call.get("t") and isinstance(body, dict) and isinstance(code := body.get("errorcode"), int):
            yield _short(call["t"]), command, code


def callers(lines: Iterable[str]) -> set[str]:
    """The tests that made calls: ``TestA.test_b``."""
    return {_short(test) for line in lines if (test := json.loads(line).get("t"))}


def _short(test: str) -> str:
    return ".".join(test.split(".")[-2:])


def _command(call: Mapping[str, Any]) -> str:
    given = call.get("p") or call.get("d") or {}
    if isinstance(given, str):
        given = dict(parse_qsl(given))
    return str({**dict(parse_qsl(urlsplit(call.get("u", "")).query)), **given}.get("command"))


def _walk(value: Any, into: dict[str, Counter[str]], path: str) -> None:
    if isinstance(value, dict):
        into[path]["objects"] += 1
        for name, item in value.items():
            into[f"{path}.{name}"][KINDS[type(item)]] += 1
            _walk(item, into, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            _walk(item, into, f"{path}[]")


def always(paths: Mapping[str, Counter[str]]) -> dict[str, set[str]]:
    """The types at every path that stands in each object of its parent."""
    found = {}
    for path, seen in list(paths.items()):
        parent = path.rpartition(".")[0]
        times = sum(count for kind, count in seen.items() if kind != "objects")
        if "." in path and times and times == paths[parent]["objects"]:
            found[path] = {kind for kind in seen if kind != "objects"}
    return found


@dataclass(frozen=True)
class Agreement:
    """How many of the real server's constant fields are right, and which are not, by command."""

    good: int
    total: int
    wrong: Mapping[str, list[str]]
    commands: int = 0

    @property
    def share(self) -> float:
        return self.good / self.total if self.total else 0.0


def compare(real: Table, ours: Table) -> Agreement:
    """Compare the commands that both answered."""
    good = total = 0
    wrong = {}
    for command in real.keys() & ours.keys():
        mine = ours[command]
        have = always(mine)
        seen = {
            path: kinds
            for path, kinds in always(real[command]).items()
            if mine.get(path.rpartition(".")[0], Counter())["objects"]
        }
        bad = [path for path, kinds in seen.items() if not have.get(path, set()) & kinds]
        total += len(seen)
        good += len(seen) - len(bad)
        if bad:
            wrong[command] = bad
    return Agreement(good, total, wrong, len(real.keys() & ours.keys()))
