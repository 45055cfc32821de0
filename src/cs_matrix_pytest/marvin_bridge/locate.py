"""Which Marvin there is: decided from files alone, before anything of it is imported."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cs_matrix_pytest.errors import UserError

INSTALL = 'pip install "cs-matrix-pytest[marvin]"'

# Files that tell one Marvin from another, below the package directory.
_CLOUDSTACK = "cloudstackTestCase.py"
_LIBRARY_44 = "integration/lib/base.py"
_LIBRARY_MODERN = "lib/base.py"
_GENERATED = "cloudstackAPI/cloudstackAPIClient.py"
# A complete Marvin of either kind has all of these; a half-uninstalled one lacks some.
_NEEDED = ("__init__.py", "cloudstackConnection.py", "cloudstackTestClient.py", "configGenerator.py", "marvinInit.py")

_PYTHON2 = re.compile(rb"^\s*(?:print\s+[\"']|except\s+\w+\s*,\s*\w+\s*:)", re.MULTILINE)
_SETUP_VERSION = re.compile(r"^VERSION\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_DIST_INFO = re.compile(
    r"(?P<name>cloudstack[_-]marvin|marvin)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$", re.IGNORECASE
)


@dataclass(frozen=True)
class Marvin:
    """A Marvin that can be used. ``path`` is the package directory ``…/marvin``; nothing of it is imported yet.

    ``complete`` is False where its generated API is missing: `generated_api.completed` makes it. ``api`` is the folder
    of that package, ``cloudstackAPI``, where it is not the Marvin's own.
    """

    kind: Literal["4.4.0", "modern"]
    version: str
    path: Path
    origin: Literal["importable", "source tree"]
    complete: bool = True
    api: Path | None = None

    def __str__(self) -> str:
        return f"Marvin {self.version} ({self.origin}, {self.path})"


def locate(source: Path | None = None) -> Marvin:
    """The Marvin of the CloudStack tree ``source`` if given, else the one that Python would import.

    Raises `UserError` that names what was found and the command that mends it: none at all, PyPI's unrelated project
    of that name, two Marvins installed over each other, half a Marvin, a Python 2 one, no CloudStack tree.
    """
    if source is not None:
        return _examined(_package_of_tree(source), "source tree")
    package = _importable()
    if package is None:
        raise UserError(
            "no Marvin is installed, and no CloudStack source tree was given",
            hint=f"Install the one from PyPI: {INSTALL}\n  or use the one of a CloudStack checkout: --cs-source=PATH",
        )
    return _examined(package, "importable")


def _importable() -> Path | None:
    try:
        spec = importlib.util.find_spec("marvin")
    except ValueError:  # a module without a spec stands in sys.modules under that name
        file = getattr(sys.modules.get("marvin"), "__file__", None)
        return Path(file).parent if file else None
    if spec is None:
        return None
    if spec.origin is not None and spec.has_location:
        return Path(spec.origin).parent
    # A folder without __init__.py that happens to be called marvin is no package of anyone's.
    return None


def _package_of_tree(source: Path) -> Path:
    package = source / "tools" / "marvin" / "marvin"
    if (package / "__init__.py").is_file():
        return package
    if not source.is_dir():
        raise UserError(
            "the CloudStack source tree does not exist", file=source, hint="--cs-source takes its top folder"
        )
    for above in (source, *source.absolute().parents):
        if (above / "tools" / "marvin" / "marvin" / "__init__.py").is_file():
            hint = f"It lies within one; give its top folder: --cs-source={above}"
            break
    else:
        hint = "Get one: git clone https://github.com/apache/cloudstack.git"
    raise UserError("not a CloudStack source tree (it has no tools/marvin/marvin)", file=source, hint=hint)


def _examined(package: Path, origin: Literal["importable", "source tree"]) -> Marvin:
    def has(name: str) -> bool:
        return (package / name).is_file()

    distributions = _distributions(package) if origin == "importable" else {}
    if not has(_CLOUDSTACK) and not has(_LIBRARY_44) and not has(_LIBRARY_MODERN):
        found = " ".join(["marvin", *distributions.values()])
        raise UserError(
            f"the installed package `marvin` is not CloudStack's Marvin ({found}, an unrelated project of that name)",
            file=package,
            hint=f"Replace it: pip uninstall -y marvin && {INSTALL}",
        )
    if has(_LIBRARY_44) and has(_LIBRARY_MODERN):
        found = " and ".join(f"{name} {version}" for name, version in sorted(distributions.items()))
        raise UserError(
            "two Marvins were installed over each other: files of 4.4.0 and of a newer one are mixed"
            + (f" ({found})" if found else ""),
            file=package,
            hint=f"Remove both, delete what is left of that folder, then install one: pip uninstall -y cloudstack-marvin Marvin && {INSTALL}",
        )
    needed = (_CLOUDSTACK, *_NEEDED, *([_GENERATED] if has(_LIBRARY_44) else []))
    missing = [name for name in needed if not has(name)]
    if missing or not (has(_LIBRARY_44) or has(_LIBRARY_MODERN)):
        raise UserError(
            f"only a part of Marvin is there: {', '.join(missing or [_LIBRARY_MODERN])} missing",
            file=package,
            hint=f"Remove it, delete what is left of that folder, and install it again: pip uninstall -y cloudstack-marvin Marvin && {INSTALL}",
        )
    if has(_LIBRARY_44):
        return Marvin("4.4.0", "4.4.0", package, origin)
    version = next(iter(distributions.values()), None) or _setup_version(package) or "unknown"
    if _PYTHON2.search((package / "marvinInit.py").read_bytes()):
        raise UserError(
            f"Marvin {version} is written for Python 2",
            file=package,
            hint=f"Use the Marvin of a newer CloudStack, or 4.4.0, which is ported as it is imported: {INSTALL}",
        )
    return Marvin("modern", version, package, origin, complete=has(_GENERATED))


def _distributions(package: Path) -> dict[str, str]:
    """The distributions beside the package that may have brought it, as name → version."""
    found = {}
    for entry in package.parent.glob("*-info"):
        if match := _DIST_INFO.match(entry.name):
            found[match["name"].replace("_", "-")] = match["version"]
    return found


def _setup_version(package: Path) -> str | None:
    try:
        match = _SETUP_VERSION.search((package.parent / "setup.py").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return match[1] if match else None
