"""Options shared by the commands that ask records something: which records, and which part of them."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.choose import AXES, DATE, Choice, choose
from cs_matrix_pytest.outcomes.features import FILE_NAME, FeatureCatalogue, find_catalogue, load_catalogue
from cs_matrix_pytest.outcomes.model import RecordedRun

DEFAULT_FOLDER = Path("cs-report")


def add_arguments(parser: argparse.ArgumentParser, *, records: bool = True) -> None:
    """Adds RECORDS… (where ``records``), ``--features`` and the options that `choice_of` reads."""
    if records:
        parser.add_argument(
            "records",
            nargs="*",
            metavar="RECORDS",
            help=f"run records, folders or object-store prefixes (s3://…) of them; default: {DEFAULT_FOLDER}",
        )
    parser.add_argument(
        "--features", type=Path, metavar="F", help=f"default: {FILE_NAME} here or in a folder above, if there is one"
    )
    group = parser.add_argument_group(
        "part of the records",
        "Repeat one for alternatives; different ones all hold. Globs may stand for values.",
    )
    group.add_argument("--acs-version", action="append", default=[], metavar="V", help="CloudStack version: 4.22.0.0")
    group.add_argument("--environment", action="append", default=[], metavar="E", help="a name, or lab/name")
    group.add_argument(
        "--context", action="append", default=[], metavar="AXIS=VALUE", help=f"AXIS is one of {', '.join(AXES)}"
    )
    group.add_argument("--feature", action="append", default=[], metavar="ID", help="a feature's id")
    group.add_argument("--since", metavar="DATE", help="runs that started then or later: 2026-01-31")
    group.add_argument("--until", metavar="DATE", help="runs that started then or earlier, that day included")
    group.add_argument("--run", action="append", default=[], metavar="ID", help="a run's id")


def choice_of(args: argparse.Namespace) -> Choice:
    """What the options of `add_arguments` ask for. Raises UserError for a date or an axis that is none."""
    return Choice(
        acs_versions=tuple(args.acs_version),
        environments=tuple(args.environment),
        contexts=tuple(map(_axis, args.context)),
        features=tuple(args.feature),
        runs=tuple(args.run),
        since=_date("--since", args.since),
        until=_date("--until", args.until),
    )


def catalogue_of(args: argparse.Namespace) -> FeatureCatalogue:
    """The catalogue that ``--features`` names, else the nearest, else the shipped one. Raises UserError."""
    return load_catalogue(args.features or find_catalogue(Path.cwd()))


def records_of(args: argparse.Namespace, catalogue: FeatureCatalogue) -> tuple[RecordedRun, ...]:
    """The records that RECORDS name (default: those in cs-report/), each run once, and of them what the options ask for.

    Never empty. Raises UserError.
    """
    from cs_matrix_pytest.history.collection import read_records

    records = read_records(places_of(args))
    if not records:
        raise no_records(args)
    return choose(records, choice_of(args), catalogue)


def places_of(args: argparse.Namespace) -> list[str]:
    """The folders, object-store prefixes and files that RECORDS name; default: cs-report/, if there is one."""
    return args.records or ([str(DEFAULT_FOLDER)] if DEFAULT_FOLDER.exists() else [])


def no_records(args: argparse.Namespace) -> UserError:
    """What to say where RECORDS name no record."""
    return UserError(
        "there are no run records (run-*.jsonl) here",
        file=", ".join(map(str, args.records)) or DEFAULT_FOLDER,
        hint="Run tests first (pytest --cs-env=NAME), or name the folder: cs-matrix report DIR",
    )


def _axis(written: str) -> tuple[str, str]:
    axis, equals, value = written.partition("=")
    if not equals or not value or axis not in AXES:
        raise UserError(
            f"--context {written}: this is not AXIS=VALUE",
            hint=f"AXIS is one of {', '.join(AXES)}; for example --context hypervisor=kvm.",
        )
    return axis, value


def _date(option: str, written: str | None) -> str | None:
    if written is None:
        return None
    try:
        if DATE.match(written):
            datetime.fromisoformat(written.rstrip("Z")[:19])
            return written
    except ValueError:
        pass
    raise UserError(f"{option}: {written} is not a date", hint="Write 2026-01-31 or 2026-01-31T08:00:00Z (UTC).")
