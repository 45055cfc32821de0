"""The names of tests in records: the same whatever runner, machine or report they came from."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

_SUITES = ("test", "integration")


def module_id(path: PurePath, root: PurePath) -> str:
    """A test module's id: its path below ``test/integration`` (CloudStack's suites), else below the rootdir."""
    parts = path.parts
    for start in range(len(parts) - 1, 0, -1):
        if parts[start - 1 : start + 1] == _SUITES:
            return "/".join(parts[start + 1 :])
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name


def test_id(path: PurePath, root: PurePath, names: tuple[str, ...]) -> str:
    """A test's id: its module's, its class and its method, without the environment."""
    return "::".join((module_id(path, root), *names))


def without_environment(parameters: str, environment: str) -> str:
    """A native test's parameter id (``kvm-adv-3``) without the environment's part: ``3``, or nothing."""
    for cut in (f"{environment}-", f"-{environment}"):
        if parameters.startswith(cut) or parameters.endswith(cut):
            return parameters.replace(cut, "", 1) if parameters.startswith(cut) else parameters[: -len(cut)]
    return "" if parameters == environment else parameters.replace(f"-{environment}-", "-", 1)


def split_nodeid(nodeid: str, root: Path, environments: frozenset[str]) -> tuple[str, str] | None:
    """(test id, environment) from a node id alone, for a test whose worker died; None if it is not of the matrix."""
    address, bracket, parameters = nodeid.partition("[")
    path, *names = address.split("::")
    environment = parameters.partition("]")[0]  # a group of xdist may follow, ``test_a[kvm-adv]@group``
    if not bracket or not names or environment not in environments:
        return None
    return test_id(root / path, root, tuple(names)), environment


_NOSE_TEST = re.compile(r"(?:^|[\b_./-])[Tt]est")
"""nose's default testMatch."""


def is_test_name(name: str) -> bool:
    """Whether nose takes something of this name (a method, a module) for a test."""
    return _NOSE_TEST.search(name) is not None
