"""The cases of an xunit file as they stand in it, read as a stream that no file can make large, slow or call out."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.destination import NotASource

_CHUNK = 128 * 1024
_LONGEST_TOKEN = 16 * 1024 * 1024
"""Bytes of one tag or comment, which expat holds in memory whole."""
_DEEPEST = 200
_TEXT_LIMIT = 32 * 1024
"""Characters of a failure's text, and of its message, that are kept."""
_RESULTS_KEPT = 20
"""Results of one case."""
_MOST_TROUBLES = 10_000
"""Places that are not XML; beyond them the rest of the file is left alone, for each costs a new parser."""
_WARNINGS = 5
_TAIL = 200
"""Bytes of the file's end that are looked at to see whether it is whole."""

_RESULTS = frozenset(
    {"failure", "error", "skipped", "flakyFailure", "flakyError", "rerunFailure", "rerunError", "rerun", "disabled"}
)
_ROOTS = frozenset({"testsuites", "testsuite"})
_START_OF_CASE = b"<testcase"
_ENDS = (b"</testsuite>", b"</testsuites>")

_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
# Others that Python knows are slow by design (punycode) or no encodings of text.
_ENCODINGS = re.compile(
    r"utf-?(8|16|32)|(us-?)?ascii|latin|iso-?8859|(windows|cp)-?\d|gb|big5|shift|euc|koi8|mac", re.I
)
_NUMBER = re.compile(r"[0-9]{1,9}\Z")
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_NONCHARACTERS = re.compile("[\ufffe\uffff]")


class Result(NamedTuple):
    """An element of a case that says how it went: its name (``failure``, ``skipped`` …), attributes and text."""

    tag: str
    kind: str
    message: str
    text: str


class Suite(NamedTuple):
    """The ``testsuite`` around a case; ``tests`` is its own count of them (0: it does not say), which one that is
    ``by_pytest`` has."""

    name: str = ""
    timestamp: str | None = None
    tests: int = 0
    by_pytest: bool = False


class Case(NamedTuple):
    """One ``testcase``: its attributes, the suite it stands in, and its results (none: passed)."""

    attributes: dict[str, str]
    suite: Suite
    results: tuple[Result, ...]


class CaseReader:
    """Reads the cases of one xunit file.

    What is not well-formed is passed over up to the next case, with a line in ``warnings``; ``complete`` is False after
    reading where the file is cut off. ``digest`` is of the bytes read so far.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.warnings: list[str] = []
        self.complete = True
        self._stream = stream
        self._name = name
        self._hash = hashlib.sha256()
        self._troubles = 0
        self._count = 0
        self._ready: list[Case] = []
        self._last = b""
        self._root: str | None = None
        self._root_name: str | None = None
        self._suites: list[Suite] = []
        self._suite = Suite()
        self._new_parser()

    @property
    def digest(self) -> bytes:
        """A digest of what was read."""
        return self._hash.digest()

    def batches(self) -> Iterator[list[Case]]:
        """The cases in order, some at a time. Raises UserError: this is no xunit file, or one that must not be read."""
        line, tail, skipping = 1, b"", False
        for chunk in self._chunks():
            self._last = chunk[-_TAIL:] if len(chunk) >= _TAIL else (self._last + chunk)[-_TAIL:]
            data = chunk
            while data:
                if skipping:
                    data, tail = tail + data, b""
                    at = data.find(_START_OF_CASE)
                    if at < 0:
                        at = max(len(data) - len(_START_OF_CASE) + 1, 0)
                        data, tail = data[:at], data[at:]
                        line += data.count(b"\n")
                        break
                    line += data.count(b"\n", 0, at)
                    data, skipping = data[at:], False
                    self._new_parser(inside=True)
                trouble = self._feed(data)
                if trouble is None:
                    line += data.count(b"\n")
                    break
                why, at = trouble
                line += data.count(b"\n", 0, at)
                self._trouble(line, why)
                # One further, so that the same case is not met again.
                line += data.count(b"\n", at, at + 1)
                data, skipping = data[at + 1 :], True
                if self._troubles == _MOST_TROUBLES:
                    break
            if self._ready:
                ready, self._ready = self._ready, []
                yield ready
            if self._troubles == _MOST_TROUBLES:
                break
        self._finish(line, skipping)

    def _feed(self, data: bytes) -> tuple[str, int] | None:
        """None, or what is wrong and where in the data."""
        parser = self._parser
        try:
            parser.Parse(data, False)
        except expat.ExpatError as error:
            at = parser.ErrorByteIndex - self._fed
            return expat.errors.messages[error.code], min(max(at, 0), len(data) - 1)
        self._fed += len(data)
        if self._fed - max(parser.CurrentByteIndex, 0) > _LONGEST_TOKEN:
            return f"one tag or comment of more than {_LONGEST_TOKEN // 1024 // 1024} MiB", len(data) - 1
        return None

    def _finish(self, line: int, skipping: bool) -> None:
        cut = None
        if not skipping and self._troubles == 0:
            try:
                self._parser.Parse(b"", True)
            except expat.ExpatError as error:
                cut = expat.errors.messages[error.code]
        elif self._troubles == _MOST_TROUBLES or not self._last.rstrip().endswith(_ENDS):
            cut = "no end"
        if self._root is None:
            raise NotASource("not an xunit file: it is empty or cut off", file=self._name)
        if cut is not None:
            self.complete = False
            self.warnings.append(f"{self._name}:{line}: cut off; the {self._count:,} cases before that are kept")
        if self._troubles > _WARNINGS:
            self.warnings.append(f"{self._name}: and {self._troubles - _WARNINGS:,} more places that are not XML")

    def _trouble(self, line: int, why: str) -> None:
        if self._root is None:
            raise NotASource(f"not an xunit file: {why}", file=self._name, line=line)
        self._troubles += 1
        if self._troubles <= _WARNINGS:
            left_out = "the case there is left out" if self._in_case else "left out up to the next case"
            self.warnings.append(f"{self._name}:{line}: not XML ({why}) after {self._count:,} cases: {left_out}")

    # Bytes

    def _chunks(self) -> Iterator[bytes]:
        """The file as UTF-8, whatever encoding it has, without the characters that XML cannot have."""
        first = self._read().lstrip(b"\r\n\t ")
        decoder = self._decoder(first)
        chunk = first
        replaced = False
        read = 0
        while chunk:
            read += len(chunk)
            if self._root is None and read > _LONGEST_TOKEN:
                # As /dev/zero: nothing in it is wrong, for what XML cannot have is passed over.
                size = _LONGEST_TOKEN // 1024 // 1024
                raise NotASource(f"not an xunit file: its first {size} MiB have no element", file=self._name)
            text = decoder.decode(chunk)
            if not replaced and "\ufffd" in text and b"\xef\xbf\xbd" not in chunk:
                replaced = True
                self.warnings.append(f"{self._name}: some bytes are not in its encoding: they are shown as \ufffd")
            yield self._clean(text)
            chunk = self._read()
        if rest := decoder.decode(b"", True):
            yield self._clean(rest)

    def _clean(self, text: str) -> bytes:
        if not text.isascii():
            text = _NONCHARACTERS.sub("\ufffd", text)
        return text.encode("utf-8", "replace").translate(None, _CONTROLS)

    def _read(self) -> bytes:
        try:
            data = self._stream.read(_CHUNK)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror or error}", file=self._name) from None
        self._hash.update(data)
        return data

    def _decoder(self, first: bytes) -> codecs.IncrementalDecoder:
        name = "utf-8-sig"
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            name = "utf-16"
        elif first[:4] in (b"<\x00?\x00", b"\x00<\x00?"):
            name = "utf-16-le" if first[0] else "utf-16-be"
        elif declared := _DECLARED.match(first):
            said = declared[1].decode("ascii")
            try:
                known = codecs.lookup(said).name
                name = known if _ENCODINGS.match(known) and known != "utf-8" else name
                if not _ENCODINGS.match(known):
                    raise LookupError
            except LookupError:
                self.warnings.append(f"{self._name}: its encoding {said} is not known: read as UTF-8")
        # A file that says UTF-16 and yet begins in ASCII is not what it says.
        if name.startswith(("utf-16", "utf-32", "utf_16", "utf_32")) and first.startswith(b"<?xml"):
            name = "utf-8-sig"
        return codecs.getincrementaldecoder(name)("replace")

    # Parsing

    def _new_parser(self, *, inside: bool = False) -> None:
        """A parser for the file's beginning, or for what follows a mistake, inside of a suite."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        self._fed = 0
        if inside:
            opening = b"<testsuites><testsuite>"
            parser.Parse(opening, False)
            self._fed = len(opening)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse
        self._parser = parser
        self._depth = 0
        self._in_case = False
        self._attributes: dict[str, str] = {}
        self._results: list[Result] = []
        self._result: tuple[str, dict[str, str]] | None = None
        self._result_depth = 0
        self._text: list[str] = []
        self._text_length = 0

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testcase":
            self._in_case = True
            self._attributes = attributes
            self._results = []
        elif self._in_case:
            if self._result is None and tag in _RESULTS:
                self._result = (tag, attributes)
                self._result_depth = self._depth
                self._parser.CharacterDataHandler = self._characters
        elif tag == "testsuite":
            self._suites.append(self._suite)
            self._suite = self._suite_of(attributes)
        if self._root is None:
            self._begin(tag, attributes)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UserError(f"elements {_DEEPEST} deep in each other: this is no report of tests", file=self._name)

    def _suite_of(self, attributes: dict[str, str]) -> Suite:
        name, said = attributes.get("name", ""), attributes.get("tests", "")
        tests = int(said) if _NUMBER.match(said) else 0
        by_pytest = tests > 0 and (name == "pytest" or self._root_name == "pytest tests")
        return Suite(name, attributes.get("timestamp") or self._suite.timestamp, tests, by_pytest)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "testcase":
            if self._in_case:
                self._in_case = False
                self._count += 1
                results = tuple(self._results) if self._results else ()
                self._ready.append(Case(self._attributes, self._suite, results))
        elif self._result is not None:
            if self._depth == self._result_depth:
                self._end_result()
        elif tag == "testsuite" and self._suites and not self._in_case:
            self._suite = self._suites.pop()

    def _end_result(self) -> None:
        assert self._result is not None
        tag, attributes = self._result
        if len(self._results) < _RESULTS_KEPT:
            kind, message = attributes.get("type", ""), attributes.get("message", "")
            self._results.append(Result(tag, kind[:_TEXT_LIMIT], message[:_TEXT_LIMIT], "".join(self._text)))
        self._result = None
        self._text = []
        self._text_length = 0
        self._parser.CharacterDataHandler = None

    def _characters(self, data: str) -> None:
        if self._text_length < _TEXT_LIMIT:
            self._text.append(data[: _TEXT_LIMIT - self._text_length])
            self._text_length += len(data)

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._root = tag
        self._root_name = attributes.get("name")
        if tag not in _ROOTS:
            raise NotASource(f"not an xunit file: its outermost element is <{tag[:40]}>", file=self._name)
        if tag == "testsuites" and attributes.get("name") == "cs-matrix":
            raise NotASource(
                "this is a compatibility matrix, not the result of a test run",
                file=self._name,
                hint="Its evidence is in the run records (run-*.jsonl) beside it: use those.",
            )

    def _refuse(self, *_: object) -> None:
        raise UserError("refused: it declares XML entities, which no report of tests needs", file=self._name)
