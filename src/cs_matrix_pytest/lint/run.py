"""Linting files and folders: from paths to findings."""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.lint.attribute_rules import check_attributes, check_words
from cs_matrix_pytest.lint.findings import Finding
from cs_matrix_pytest.lint.python_rules import check_python
from cs_matrix_pytest.lint.run_rules import check_tests
from cs_matrix_pytest.lint.suite import Attribute, Module
from cs_matrix_pytest.lint.vocabulary import vocabulary

_NOQA = re.compile(r"#\s*noqa\b(?P<codes>\s*:\s*[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Linted:
    """`findings` by file and line, suppressed ones left out; `files` is how many were read."""

    findings: tuple[Finding, ...]
    files: int


def lint_paths(paths: Sequence[Path], ignore: frozenset[str] = frozenset()) -> Linted:
    """Lint files, and the Python files of folders; `ignore` are codes to leave out. Raises UserError: no such path."""
    # Trees are large: of each module only its attributes are kept until the words of all are known.
    attributes: dict[str, tuple[Attribute, ...]] = {}
    findings: list[Finding] = []
    sources: dict[str, list[str]] = {}
    for path in _files(paths):
        source, found = _read(path)
        sources[str(path)] = source
        if isinstance(found, Module):
            attributes[found.file] = found.attributes
            findings += [*check_attributes(found), *check_tests(found), *check_python(found)]
        else:
            findings.append(found)
    words = vocabulary(itertools.chain.from_iterable(attributes.values()))
    for file, used in attributes.items():
        findings += check_words(file, used, words)
    kept = {
        finding
        for finding in findings
        if finding.code not in ignore and not _suppressed(finding, sources[finding.file])
    }
    return Linted(tuple(sorted(kept)), len(sources))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file once, in order; folders give their ``*.py``, hidden folders left out."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*.py"))
            found.update((file, None) for file in inside if not _is_hidden(file.relative_to(path)))
        elif path.exists():
            found[path] = None
        else:
            raise UserError("there is no such file or folder", file=path)
    return iter(found)


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)


def _read(path: Path) -> tuple[list[str], Module | Finding]:
    """The lines of a file, and the module or why there is none. Raises UserError where it cannot be read at all."""
    file = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=path) from None
    lines = content.decode("utf-8", "replace").splitlines()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a suite's own "\d" is no matter of ours
            return lines, Module(file, ast.parse(content, file))
    except SyntaxError as error:
        line, column, what = error.lineno or 1, error.offset or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        line, column, what = 1, 1, str(error) or type(error).__name__
    return lines, Finding(
        file,
        line,
        max(column, 1),
        "CS001",
        f"this file does not parse, so none of its tests runs: {what}",
        "check it with: python -m py_compile",
    )


def _suppressed(finding: Finding, lines: Sequence[str]) -> bool:
    line = lines[finding.line - 1] if finding.line <= len(lines) else ""
    found = _NOQA.search(line)
    if found is None:
        return False
    codes = found["codes"]
    return codes is None or finding.code in re.findall(r"[A-Z]+[0-9]+", codes.upper())
