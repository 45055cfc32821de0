"""xunit files (nose, pynose, pytest, Surefire and their like) as run records, one for each file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers.destination import ImportedRun
from cs_matrix_pytest.importers.stated import UNKNOWN, Stated
from cs_matrix_pytest.importers.xunit_cases import CaseReader
from cs_matrix_pytest.importers.xunit_evidence import Evidence
from cs_matrix_pytest.outcomes.model import Line
from cs_matrix_pytest.outcomes.record import instant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sources of ``cs-matrix import xunit``."""
    parser.add_argument(
        "sources", nargs="+", metavar="FILE|DIR", help="an xunit file, a folder (its *.xml, at any depth), or - (stdin)"
    )


def read(args: argparse.Namespace, stated: Stated) -> Iterator[ImportedRun]:
    """One run for each xunit file. Raises UserError: there is no such file, or a folder without any."""
    for source in args.sources:
        if source == "-":
            now = instant(datetime.now(timezone.utc))
            yield imported(sys.stdin.buffer, "standard input", stated, stated.started or now)
            continue
        path = Path(source)
        if not path.is_dir():
            yield _of_file(path, stated)
            continue
        files = sorted(each for each in path.rglob("*.xml") if each.is_file())
        if not files:
            raise UserError("there is no xunit file (*.xml) in it", file=path)
        for file in files:
            run = _of_file(file, stated)
            run.found = True
            yield run


def _of_file(path: Path, stated: Stated) -> ImportedRun:
    try:
        modified = path.stat().st_mtime
        stream = path.open("rb")
    except OSError as error:
        return ImportedRun("xunit", str(path), "", _unusable(f"cannot be read: {error.strerror or error}", path))
    started = stated.started or instant(datetime.fromtimestamp(modified, timezone.utc))
    return imported(stream, str(path), stated, started)


def _unusable(what: str, path: Path) -> Iterator[Line]:
    raise UserError(what, file=path)
    yield  # a generator, so that it is raised where the lines are read


def imported(stream: BinaryIO, name: str, stated: Stated, started: str) -> ImportedRun:
    """The run that an xunit file is; it is read as its lines are. ``started`` stands where the file has no times."""
    run = ImportedRun(
        kind="xunit",
        source=name,
        started=started,
        lines=(),
        lab=stated.lab or UNKNOWN,
    )
    run.lines = _lines(run, stream, name, stated)
    return run


def _lines(run: ImportedRun, stream: BinaryIO, name: str, stated: Stated) -> Iterator[Line]:
    with closing(stream):
        reader = CaseReader(stream, name)
        evidence = Evidence(stated, run.started, report=Path(name).name)
        try:
            for cases in reader.batches():
                yield from evidence.of(cases)
            yield from evidence.rest()
        finally:
            run.warnings += reader.warnings
    run.complete = reader.complete
    run.identity = reader.digest + (stated.started or "").encode()
    run.started = evidence.started
    run.environments.update({each: stated.environment_of() for each in evidence.environments})
