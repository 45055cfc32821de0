"""What to do about a module that a suite imports and nobody has installed."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, requires

from .removed_python import removed_module

DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "OpenSSL": "pyopenssl",
    "XenAPI": "XenAPI",
    "ddt": "ddt",
    "dfs_sdk": "dfs_sdk",
    "dns": "dnspython",
    # Its own requirement, pycrypto, cannot be built on Python 3.11 and newer; pycryptodome stands in for that.
    "ipmisim": "--no-deps ipmisim pycryptodome",
    "kubernetes": "kubernetes",
    "lxml": "lxml",
    "mysql": "mysql-connector-python",
    "mysql.connector": "mysql-connector-python",
    "netaddr": "netaddr",
    "paramiko": "paramiko",
    "pyVim": "pyvmomi",
    "pyVmomi": "pyvmomi",
    "pytz": "pytz",
    "requests": "requests",
    "retries": "retries",
    "solidfire": "solidfire-sdk-python",
    "storpool": "storpool",
    "urllib3": "urllib3",
}
"""Import name → what pip is to install, of what Marvin and CloudStack's suites import."""

EXTRA = "pip install 'cs-matrix-pytest[upstream]'"

_NOT_FOUND = re.compile(
    r"\bNo module named '([\w.]+)'$"
    # What Python says where a folder that happens to have the package's name is taken for it.
    r"|\bcannot import name '\w+' from '(\w+)' \(unknown location\)$"
)
_REQUIREMENT = re.compile(r"([\w.-]+).*\bextra\s*==\s*['\"]upstream['\"]")


def with_mend(cause: str, extra: Collection[str] | None = None) -> str:
    """The last line of a failed import, and behind it what brings a module that is not installed.

    Another line stays as it is. `extra` as for `command_for`.
    """
    mend = mend_in(cause, extra)
    return f"{cause}: {mend}" if mend else cause


def mend_in(cause: str, extra: Collection[str] | None = None) -> str | None:
    """What `with_mend` adds to a line, if anything."""
    found = _NOT_FOUND.search(cause)
    return mend_of(found[1] or found[2], extra) if found else None


def mend_of(module: str, extra: Collection[str] | None = None) -> str | None:
    """What to do about a module that is not there, in a few words; None where nobody can know.

    So it is with a part of a package that is there itself, and with Marvin, whose name is another project's on PyPI.
    """
    removal = removed_module(module)
    if removal is not None:
        back = f"{command_for(removal.package, extra)}, or " if removal.package else ""
        return f"Python {removal.python} removed it: {back}use {removal.instead}"
    if module in DISTRIBUTIONS:
        return command_for(DISTRIBUTIONS[module], extra)
    if "." in module or module == "marvin":
        return None
    return f"a file that the suite should have beside it, or a package: pip install {module}"


def command_for(distribution: str, extra: Collection[str] | None = None) -> str:
    """The pip command that brings a distribution: the extra's where it is one of `extra` (default: what its metadata says)."""
    listed = in_extra() if extra is None else extra
    return EXTRA if _normal(distribution) in map(_normal, listed) else f"pip install {distribution}"


def in_extra() -> frozenset[str]:
    """The distributions of this project's extra ``[upstream]``."""
    try:
        lines = requires("cs-matrix-pytest") or []
    except PackageNotFoundError:
        return frozenset()
    return frozenset(found[1] for line in lines if (found := _REQUIREMENT.match(line)))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
