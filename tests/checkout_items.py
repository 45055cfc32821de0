"""A pytest plugin that writes down, for many expressions at once, which of the collected tests --attr and --eval-attr select.

Environment: CS_JOB names a JSON file with `expressions` as for nose_reference.py, CS_ANSWER the file to write, in the form
of that program's answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from cs_matrix_pytest.matrix.collection import is_marvin_item, subject_of
from cs_matrix_pytest.selection.expressions import ExpressionError, Selection

_failures: list[tuple[str, str]] = []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.failed:
        _failures.append((str(collector.path), str(report.longrepr)))
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    expressions = json.loads(Path(os.environ["CS_JOB"]).read_text(encoding="utf-8"))["expressions"]
    subjects = [subject_of(item) for item in session.items]
    tests = [
        {
            "file": str(item.path),
            "class": item.cls.__name__ if isinstance(item, pytest.Function) and item.cls else None,
            "method": getattr(item, "originalname", item.name),
            "helper": False,
            "marvin": is_marvin_item(item),
        }
        for item in session.items
    ]
    selected, unanswered = [], []
    for options in expressions:
        values = list(zip(options[::2], options[1::2], strict=True))
        selection = Selection.parse(
            [value for flag, value in values if flag == "-a"], [value for flag, value in values if flag == "-A"]
        )
        chosen = lost = 0
        for number, subject in enumerate(subjects):
            try:
                chosen |= selection.decide(subject.function, subject.cls, subject.marked) << number
            except ExpressionError:
                lost |= 1 << number
        selected.append(f"{chosen:x}")
        unanswered.append(f"{lost:x}")
    answer = {"tests": tests, "failures": _failures, "selected": selected, "unanswered": unanswered}
    Path(os.environ["CS_ANSWER"]).write_text(json.dumps(answer), encoding="utf-8")
