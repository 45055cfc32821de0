"""``cs-matrix import``: other people's results as run records."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.importers import KINDS
from cs_matrix_pytest.reports.escaping import printable

_WARNINGS = 20
"""Warnings of one source that are shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kinds of ``cs-matrix import``, each with its sources and the options that all have."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, kind in KINDS.items():
        subparser = kinds.add_parser(name, help=kind.help, description=kind.help)
        import_module(kind.module).add_arguments(subparser)
        subparser.add_argument("dest", type=Path, metavar="DEST", help="the folder of run records to add to")
        _add_facts(subparser)


def _add_facts(parser: argparse.ArgumentParser) -> None:
    facts = parser.add_argument_group("facts that the source does not say (default: unknown)")
    facts.add_argument("--environment", metavar="NAME", help="the environment that the tests ran in")
    facts.add_argument("--acs-version", metavar="V", help="CloudStack's version, as in 4.22.0.0")
    facts.add_argument("--commit", metavar="SHA", help="CloudStack's commit")
    facts.add_argument("--lab", metavar="NAME", help="whose results these are")
    facts.add_argument("--started", metavar="TIME", help="when the tests began, ISO 8601, as in 2026-01-31T08:00:00Z")
    facts.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a fact of the environment, as in hypervisor.type=kvm; repeatable. "
        "The keys: hypervisor.type, hypervisor.version, networking, storage.scope, storage.protocol, management_os, "
        "extras (several with commas)",
    )


def run(args: argparse.Namespace) -> int:
    """Import the sources; 2 where one of them had nothing to use. Raises UserError."""
    from cs_matrix_pytest.importers.destination import Destination, NotASource, Unwritable
    from cs_matrix_pytest.importers.stated import Stated, read_context, read_moment

    stated = Stated(
        environment=args.environment,
        acs_version=args.acs_version,
        commit=args.commit,
        lab=args.lab,
        started=read_moment(args.started) if args.started else None,
        context=read_context(args.context),
    )
    destination = Destination(args.dest)
    records: Counter[bool] = Counter()
    counts: Counter[str] = Counter()
    unusable = empty = 0
    for imported in import_module(KINDS[args.kind].module).read(args, stated):
        try:
            stored = destination.add(imported)
        except Unwritable:
            raise
        except UserError as error:
            passed_over = imported.found and isinstance(error, NotASource)
            unusable += not passed_over
            _tell(f"left out: {error}" if passed_over else str(error))
        else:
            if stored is None:
                empty += 1
            else:
                records[stored.new] += 1
                counts += stored.counts if stored.new else Counter()
        for warning in imported.warnings[:_WARNINGS]:
            _tell(f"warning: {warning}")
        if len(imported.warnings) > _WARNINGS:
            _tell(f"warning: {imported.source}: and {len(imported.warnings) - _WARNINGS} more warnings")
    if empty:
        _tell("1 source has no test in it" if empty == 1 else f"{empty} sources have no test in them")
    print(_summary(args.dest, records, counts))
    return 2 if unusable else 0


def _summary(folder: Path, records: Counter[bool], counts: Counter[str]) -> str:
    new, known = records[True], records[False]
    written = f"{new} {'record' if new == 1 else 'records'} written to {printable(str(folder))}"
    there = f" ({known} there already)" if known else ""
    lines = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"{written}{there}{': ' if lines else ''}{lines}"


def _tell(text: str) -> None:
    print("cs-matrix: " + "\n  ".join(map(printable, text.splitlines())), file=sys.stderr, flush=True)
