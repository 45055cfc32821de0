"""matrix.json of a large collection, piece by piece: to the byte what `reports.matrix_json.render` writes."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.history.lines import escaped
from cs_matrix_pytest.history.question import Question, Said, Subject
from cs_matrix_pytest.outcomes.classify import NEVER_SELECTED
from cs_matrix_pytest.outcomes.model import Outcome
from cs_matrix_pytest.reports.matrix_json import as_dict

_NO_CELLS = "[]\n}"
_PIECE = 4096
"""How many texts are gathered before they are handed on, as a megabyte or so."""

_CELL = b"""  {
   "acs_version": %b,
   "feature": %b,
   "context": %b,
   "by_environment": {
%b
   },
   "outcome": "%b",
   "tests": {
    "compatible": %d,
    "failing": %d,
    "unstable": %d,
    "untested": %d
   },
   "attempts": %d,
   "blocked": %d,
   "evidence": ["""
_CELL_END = b"\n   ]\n  }"

_AS_JSON = """encode(concat(
    ',\n    {\n     "test": "', test, '",\n     "outcome": "', outcome,
    '",\n     "passed": ', passed, ',\n     "failed": ', failed, ',\n     "why": "', why, '"',
    CASE WHEN level <> 'test' THEN concat(',\n     "level": "', level, '"') END,
    CASE WHEN signature IS NOT NULL THEN concat(',\n     "signature": "', signature, '"') END,
    CASE WHEN message IS NOT NULL THEN concat(',\n     "message": "', message, '"') END,
    CASE WHEN phase IS NOT NULL THEN concat(',\n     "phase": "', phase, '"') END,
    CASE WHEN reason IS NOT NULL
        THEN concat(',\n     "reason": {\n      "code": "', reason, '",\n      "text": "', reason_text, '"\n     }') END,
    '\n    }'))"""
"""One piece of evidence as JSON, after a comma. Texts are escaped already, and concat passes over what is null."""


def write(question: Question, path: Path, outcomes: set[Outcome]) -> None:
    """Writes matrix.json at once or not at all; otherwise as `pieces`. Raises UserError where that fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        # One piece is written while the next is made.
        with draft.open("wb") as file, ThreadPoolExecutor(1) as writer:
            pending: Future[int] | None = None
            for piece in pieces(question, outcomes):
                if pending is not None:
                    pending.result()
                pending = writer.submit(file.write, piece)
            if pending is not None:
                pending.result()
        draft.replace(path)
    except OSError as error:
        raise UserError(f"the report cannot be written: {error.strerror or error}", file=path) from None
    finally:
        draft.unlink(missing_ok=True)


def pieces(question: Question, outcomes: set[Outcome]) -> Iterator[bytes]:
    """The text of matrix.json; the cells' outcomes are added to ``outcomes`` as they go by."""
    head = json.dumps(as_dict(question.outline), indent=1)
    gathered = [head.removesuffix(_NO_CELLS).encode("ascii")]
    separator = b"[\n"
    # Most of it is evidence, which is copied once: from where it was made to a piece.
    for cell in _cells(question, outcomes):
        gathered.append(separator)
        gathered += cell
        separator = b",\n"
        if len(gathered) > _PIECE:
            yield b"".join(gathered)
            gathered = []
    gathered.append(b"[]\n}\n" if separator == b"[\n" else b"\n ]\n}\n")
    yield b"".join(gathered)


def _cells(question: Question, outcomes: set[Outcome]) -> Iterator[list[bytes]]:
    texts = _Texts(question)
    quoted = _Quoted()
    said_as = {outcome: outcome.value.encode() for outcome in Outcome}
    total: Said | None = None
    environments: list[bytes] = []

    def cell(said: Said) -> list[bytes]:
        outcomes.add(said.outcome)
        others = iter(said.others)
        evidence = [next(others) if number is None else texts[number] for number in said.evidence]
        # Each begins with a comma.
        evidence[:1] = [text[1:] for text in evidence[:1]]
        start = _CELL % (
            quoted[said.place.acs_version],
            quoted[said.feature],
            quoted[said.place.context],
            b",\n".join(environments),
            said_as[said.outcome],
            *said.tests,
            said.attempts,
            said.blocked,
        )
        return [start, *evidence, _CELL_END]

    for said in question.shares(_AS_JSON, alone=False):
        place = said.place
        if place.environment is None:
            if total is not None:
                yield cell(total)
            total, environments = said, []
        name = place.environment if place.only is None else place.only
        if name is not None:
            environments.append(b'    %b: "%b"' % (quoted[name], said_as[said.outcome]))
    if total is not None:
        yield cell(total)


class _Quoted(dict[str, bytes]):
    """Texts as JSON, each worked out once."""

    def __missing__(self, text: str) -> bytes:
        self[text] = quoted = json.dumps(text).encode("ascii")
        return quoted


class _Texts(dict[int, bytes]):
    """Evidence that a number says all of (`question.Said`), as JSON after a comma, each worked out once."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def __missing__(self, number: int) -> bytes:
        subject, passed = divmod(number, self._question.stride)
        self[number] = text = _plain(self._question.subjects[subject], passed).encode("ascii")
        return text


def _plain(subject: Subject, passed: int) -> str:
    never = NEVER_SELECTED
    outcome, why, reason = (
        (Outcome.COMPATIBLE, f"passed {passed} of {passed}", "")
        if passed
        else (
            Outcome.UNTESTED,
            never.code.value.replace("-", " "),
            f',\n     "reason": {{\n      "code": "{never.code.value}",\n      "text": "{escaped(never.text)}"\n     }}',
        )
    )
    level = "" if subject.level == "test" else f',\n     "level": "{escaped(subject.level)}"'
    return (
        f',\n    {{\n     "test": "{escaped(subject.test)}",\n     "outcome": "{outcome.value}",\n'
        f'     "passed": {passed},\n     "failed": 0,\n     "why": "{why}"{level}{reason}\n    }}'
    )
