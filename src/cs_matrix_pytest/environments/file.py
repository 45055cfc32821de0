"""The environments file: found, read, checked, defaults merged in, environments selected by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.model import Context, Environment, Fault, Hypervisor, Storage
from cs_matrix_pytest.environments.validation import near, shipped_schema, validate
from cs_matrix_pytest.environments.yaml_source import Document, Where, dotted, nearest, read_yaml
from cs_matrix_pytest.errors import UserError

FILE_NAME = "cs-environments.yaml"
SCHEMA_NAME = "cs-environments.schema.json"
DEFAULT_LAB = "local"
_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class EnvironmentsFile:
    """One environments file: ``environments`` in its order, ``applicability`` its own rules as written."""

    path: Path
    lab: str
    environments: Mapping[str, Environment]
    applicability: tuple[dict[str, Any], ...] = ()

    def select(self, patterns: Iterable[str]) -> list[Environment]:
        """The environments that names, globs and comma lists of both name, each once, in the order of the file.

        Raises UserError for a name or glob that none answers to.
        """
        wanted = [part.strip() for pattern in patterns for part in pattern.split(",")]
        chosen = {name for part in wanted for name in self._matching(part)}
        return [environment for name, environment in self.environments.items() if name in chosen]

    def _matching(self, pattern: str) -> list[str]:
        names = list(self.environments)
        if pattern in self.environments:
            return [pattern]
        is_glob = not _GLOB.isdisjoint(pattern)
        matches = [name for name in names if is_glob and fnmatchcase(name, pattern)]
        if matches:
            return matches
        what = f"no environment matches {pattern!r}" if is_glob else f"there is no environment {pattern!r}"
        meant = near(pattern.strip("*?[]"), names)
        raise UserError(what, file=self.path, hint="\n  ".join(filter(None, [meant, f"there are: {', '.join(names)}"])))


def find_environments_file(start: Path) -> Path | None:
    """The nearest cs-environments.yaml in ``start`` or a folder above it; None if there is none."""
    return nearest(FILE_NAME, start)


def open_environments(given: Path | None, *starts: Path) -> EnvironmentsFile:
    """The environments of ``given``, else of the nearest file upward from the first of ``starts`` that has one.

    Raises UserError if there is none.
    """
    file = given or next(filter(None, map(find_environments_file, starts)), None)
    if file is None:
        folders = " nor ".join(dict.fromkeys(str(start.resolve()) for start in starts))
        raise UserError(
            f"no environments file: neither {folders} nor a folder above it has a {FILE_NAME}",
            hint="write one from your Marvin configurations with `cs-matrix env init CFG…`, or name yours",
        )
    return load_environments(file)


def load_environments(path: Path) -> EnvironmentsFile:
    """Read and check an environments file. Nothing that it refers to is opened.

    Raises UserError, with file, line and key, for whatever is wrong in it.
    """
    schema = shipped_schema(SCHEMA_NAME)
    document = read_yaml(path, "environments file", schema)
    validate(document, schema)
    data = document.value
    defaults = data.get("defaults", {})
    inherited = _lines(document, 1, "defaults").get(("defaults",), {})
    lines = _lines(document, 2, "environments")
    environments = {
        name: _environment(
            document, name, _merged(defaults, own), {**inherited, **lines.get(("environments", name), {})}
        )
        for name, own in data["environments"].items()
    }
    return EnvironmentsFile(path, data.get("lab", DEFAULT_LAB), environments, tuple(data.get("applicability", ())))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings are merged key by key, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        inherited = merged.get(key)
        both = isinstance(inherited, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(inherited, value) if both else value  # type: ignore[arg-type]
    return merged


def _environment(document: Document, name: str, data: Mapping[str, Any], lines: Mapping[str, int]) -> Environment:
    where: Where = ("environments", name)

    def wrong(key: str, what: str, hint: str) -> UserError:
        line = lines.get(key, document.line(where))
        return UserError(what, file=document.file, line=line, key=dotted((*where, key)), hint=hint)

    hypervisor = data.get("hypervisor", {})
    storage = data.get("storage", {})
    config = data.get("marvin_config")
    simulator = data.get("simulator")
    if "type" not in hypervisor:
        raise wrong("hypervisor.type", "missing", "say here or in `defaults:` what it runs: hypervisor: {type: kvm}")
    if config is None and simulator is None:
        raise wrong(
            "marvin_config",
            "missing",
            "say how the environment is reached: marvin_config: FILE, or simulator: embedded",
        )
    if data.get("faults") and simulator is None:
        raise wrong("faults", "only the embedded simulator has faults", "add `simulator: embedded`, or leave them out")
    for command in data.get("faults", ()):
        if command not in (known := _api_commands()):
            hint = (
                near(command, sorted(known))
                or "commands are spelt as CloudStack's API documentation does: attachVolume"
            )
            raise wrong(f"faults.{command}", "the API has no such command", hint)
    return Environment(
        name=name,
        context=Context(
            hypervisor=Hypervisor(hypervisor["type"].lower(), hypervisor.get("version")),
            networking=data.get("networking", Context.networking),
            storage=Storage(storage.get("scope", Storage.scope), storage.get("protocol")),
            management_os=data.get("management_os"),
            extras=tuple(data.get("extras", ())),
        ),
        # The user may say ~; a relative path stays short in messages.
        marvin_config=None if config is None else document.file.parent / Path(config).expanduser(),
        zone=data.get("zone"),
        capacity=data.get("capacity", Environment.capacity),
        simulator=simulator,
        faults={command: _fault(fault) for command, fault in data.get("faults", {}).items()},
        secrets=data.get("secrets", {}),
        file=document.file,
        line=document.line(where),
        lines=lines,
    )


@cache
def _api_commands() -> frozenset[str]:
    from cs_matrix_pytest.simulator.metadata import load_api

    return frozenset(load_api())


def _lines(document: Document, depth: int, section: str) -> dict[Where, dict[str, int]]:
    """Lines of the keys below each place that is ``depth`` steps down in a section of the file."""
    lines: dict[Where, dict[str, int]] = {}
    for where, line in document.lines.items():
        if where[0] == section and len(where) > depth:
            lines.setdefault(where[:depth], {})[dotted(where[depth:])] = line
    return lines


def _fault(data: Mapping[str, Any]) -> Fault:
    given = dict(data)
    if "error" in given:
        code, text = given["error"]
        given["error"] = (code, text)
    return Fault(**given)
