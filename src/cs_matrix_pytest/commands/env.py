"""``cs-matrix env``: write, list, show and check environments."""

from __future__ import annotations

import argparse
from pathlib import Path

from cs_matrix_pytest.environments.file import FILE_NAME, EnvironmentsFile, open_environments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options and subcommands of ``cs-matrix env``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    init = actions.add_parser("init", help="write an environments file from Marvin configurations")
    init.add_argument("configs", nargs="+", type=Path, metavar="CFG", help="a Marvin configuration, JSON or YAML")
    init.add_argument("--output", type=Path, default=Path(FILE_NAME), metavar="F", help="default: %(default)s")
    init.add_argument("--force", action="store_true", help="replace the file if there is one")

    listing = actions.add_parser("list", help="the environments there are")
    show = actions.add_parser("show", help="everything about an environment, secrets masked")
    show.add_argument("names", nargs="+", metavar="NAME", help="a name, a glob, or several with commas")
    check = actions.add_parser("check", help="ask the live servers; exit 3 where an environment cannot be used")
    check.add_argument("names", nargs="*", metavar="NAME", help="a name, a glob, or several with commas; default: all")
    check.add_argument("--timeout", type=_seconds, default=5.0, metavar="S", help="seconds per request (%(default)g)")
    for reading in (listing, show, check):
        reading.add_argument(
            "--file",
            type=Path,
            metavar="F",
            help=f"the environments file; default: {FILE_NAME} here or in a folder above",
        )


def run(args: argparse.Namespace) -> int:
    """Run the chosen action. Raises UserError."""
    from cs_matrix_pytest.commands import env_check, env_init, env_show

    if args.action == "init":
        return env_init.init(args.configs, args.output, force=args.force)
    file: EnvironmentsFile = open_environments(args.file, Path.cwd())
    if args.action == "list":
        return env_show.list_all(file)
    if args.action == "show":
        return env_show.show(file, file.select(args.names))
    return env_check.check(file.select(args.names or ["*"]), timeout=args.timeout)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 3600")
    return seconds
