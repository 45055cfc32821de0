"""``cs-matrix marvin check``: which Marvin tests would use, what it lacks, and the mend."""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import NamedTuple

from cs_matrix_pytest.commands.tables import print_table
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.marvin_bridge.generated_api import is_generated, tree_of
from cs_matrix_pytest.marvin_bridge.locate import Marvin, locate
from cs_matrix_pytest.marvin_bridge.missing_modules import DISTRIBUTIONS
from cs_matrix_pytest.marvin_bridge.removed_python import REMOVED_MODULES

_COLUMNS = ("what", "state", "details")

_MEND = {
    "4.4.0": 'pip install "cs-matrix-pytest[marvin]"',
    "modern": 'pip install "cs-matrix-pytest[upstream]"',
}
_LIBRARY = {"modern": "lib", "4.4.0": "integration.lib"}
_ROOTS = (
    "cloudstackTestCase",
    "cloudstackTestClient",
    "marvinInit",
    "{library}.base",
    "{library}.common",
    "{library}.utils",
)
"""What suites and the bridge import of Marvin; whatever these import must be there."""

_IMPORT = re.compile(
    r"^(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*([\w*(]+)|import[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*))", re.MULTILINE
)
_ANY_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import[ \t]|import[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]*(?:as[ \t]|[,;#]|$))",
    re.MULTILINE,
)
_ONCE_BUILT_IN = frozenset({*REMOVED_MODULES, "HTMLParser", "cPickle", "sets", "thread"})
"""Modules of older Pythons' own library: never a package to install."""

_NOT_CHECKED = frozenset(("marvin", "nose"))


class Row(NamedTuple):
    """A line of the table; ``bad`` where tests cannot run for it."""

    what: str
    state: str
    details: str
    bad: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "which Marvin would be used, what it lacks, and the mend; exits with 3 where tests cannot run with it"
    check = actions.add_parser("check", help=text, description=text)
    check.add_argument("--source", type=Path, metavar="TREE", help="a CloudStack checkout, as pytest's --cs-source")


def run(args: argparse.Namespace) -> int:
    """Print the table; 0 where tests can run, else 3."""
    try:
        marvin = locate(args.source)
    except UserError as error:
        print(f"cs-matrix: {error}", file=sys.stderr)
        return EnvironmentUnusable.exit_code
    rows = list(examine(marvin))
    print_table(_COLUMNS, rows_as_text(rows))
    if any(row.bad for row in rows):
        sys.stdout.flush()
        print(f"Tests cannot run with this Marvin. Its modules: {_MEND[marvin.kind]}", file=sys.stderr)
        return EnvironmentUnusable.exit_code
    return 0


def rows_as_text(rows: list[Row]) -> Iterator[tuple[str, str, str]]:
    """The rows as the table shows them."""
    return ((row.what, row.state, row.details) for row in rows)


def examine(marvin: Marvin) -> Iterator[Row]:
    """What there is to say of this Marvin, from files and metadata; nothing of it is imported."""
    yield Row("Marvin", f"{marvin.version} ({marvin.origin})", str(marvin.path))
    yield _api(marvin)
    yield _nose()
    needed = _needed(marvin)
    for name in sorted(needed):
        yield _module(name, f"Marvin needs it: {needed[name]}", bad=True)
    for name, files in sorted(_suites_need(marvin).items()):
        if name not in needed:
            yield _module(name, f"{files} suite file{'s' if files > 1 else ''}", bad=False)


def _api(marvin: Marvin) -> Row:
    what = "generated API"
    if marvin.complete:
        return Row(what, "its own", str(marvin.path / "cloudstackAPI"))
    if package := is_generated(marvin):
        return Row(what, "generated", str(package))
    if tree := tree_of(marvin):
        return Row(what, "to be generated", f"from the Java sources of {tree}, at the first run")
    mend = "there are no Java sources: check out the whole tree, or pytest --cs-api-from=ENVIRONMENT"
    return Row(what, "missing", mend, bad=True)


def _nose() -> Row:
    from cs_matrix_pytest.marvin_bridge.nose_shim import NoseFinder, install_shim, uninstall_shim

    if not _there("nose"):
        return Row("nose", "stand-in", "nose is not installed, and not needed")
    install_shim()
    try:
        (finder,) = (each for each in sys.meta_path if isinstance(each, NoseFinder))
        works = finder.real_nose() is not None
    finally:
        uninstall_shim()
    if works:
        return Row("nose", f"real, {_version('nose')}", "used for its attributes alone")
    return Row("nose", "stand-in", f"the installed nose {_version('nose')} does not import on this Python")


def _module(name: str, why: str, *, bad: bool) -> Row:
    if _there(name):
        return Row(name, _version(name), why)
    package = DISTRIBUTIONS.get(name)
    mend = f"pip install {package}" if package else "no package on PyPI is known to be it"
    return Row(name, "missing", f"{why}: {mend}", bad)


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _version(name: str) -> str:
    distributions = packages_distributions().get(name)
    return version(distributions[0]) if distributions else "there"


def _needed(marvin: Marvin) -> dict[str, str]:
    """Modules that Marvin itself imports as it is imported, and which of its files does so first."""
    library = _LIBRARY[marvin.kind]
    waiting = [root.format(library=library) for root in _ROOTS]
    seen: set[str] = set()
    found: dict[str, str] = {}
    while waiting:
        module = waiting.pop(0)
        file = marvin.path.joinpath(*module.split(".")).with_suffix(".py")
        if module in seen or module.startswith("cloudstackAPI") or not file.is_file():
            continue
        seen.add(module)
        beside = module.rpartition(".")[0]
        for name, member in _imports(file.read_text(encoding="utf-8", errors="replace")):
            own = _own_module(name, member, beside, marvin.path)
            waiting += own
            if not own and not name.startswith(".") and _is_foreign(name):
                found.setdefault(name.partition(".")[0], f"{module.replace('.', '/')}.py")
    return found


def _imports(text: str) -> Iterator[tuple[str, str]]:
    """(module, member) of every import that is not indented; the member is empty for ``import module``."""
    for start, member, modules in _IMPORT.findall(text):
        if start:
            yield start, member.strip("(*")
        for module in filter(None, map(str.strip, modules.split(","))):
            yield module, ""


def _own_module(name: str, member: str, beside: str, package: Path) -> list[str]:
    """The modules of Marvin's own that an import can mean, by their names below the package."""
    if name.startswith("."):
        places = [f"{beside}.{name.lstrip('.')}".strip(".")]
    elif name.partition(".")[0] == "marvin":
        places = [name.partition(".")[2]]
    else:
        places = [f"{beside}.{name}".strip(".")]  # as Python 2 had it
    names = [each for place in places for each in (place, f"{place}.{member}".strip(".")) if each]
    return [each for each in names if package.joinpath(*each.split(".")).with_suffix(".py").is_file()]


def _suites_need(marvin: Marvin) -> dict[str, int]:
    """Modules that suites of the tree import, and in how many files; those that lie beside suites are not foreign."""
    suites = marvin.path.absolute().parents[2] / "test" / "integration"
    if marvin.origin != "source tree" or not suites.is_dir():
        return {}
    files = sorted(suites.rglob("*.py"))
    local = {file.stem for file in files} | {file.parent.name for file in files}
    found: dict[str, int] = {}
    for file in files:
        matches = _ANY_IMPORT.findall(file.read_text(encoding="utf-8", errors="replace"))
        names = {each or other for each, other in matches}
        for name in names:
            if name not in local and _is_foreign(name):
                found[name] = found.get(name, 0) + 1
    return found


def _is_foreign(name: str) -> bool:
    top = name.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in _ONCE_BUILT_IN and top not in _NOT_CHECKED
