"""Marvin's own configuration: read as Marvin reads it, secrets put in, handed to Marvin in a private file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.masking import secrets_in
from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.environments.secret_names import is_secret_name
from cs_matrix_pytest.environments.validation import kind_of, near
from cs_matrix_pytest.environments.yaml_source import read_text, read_yaml
from cs_matrix_pytest.errors import UserError

INTEGRATION_PORT = 8096
"""Where a management server answers without authentication, if its setting integration.api.port says so."""

_WHAT = "Marvin configuration"
_YAML_SUFFIXES = frozenset({".yaml", ".yml"})
_VARIABLE = re.compile(r"\$(?P<escaped>\$)?\{(?P<name>[^}]*)(?P<end>\}?)")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class ResolvedConfig:
    """A Marvin configuration ready for use: ``config`` as Marvin wants it, and every secret string in it."""

    environment: str
    config: dict[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(repr=False)


def load_marvin_config(path: Path) -> dict[str, Any]:
    """Read a Marvin configuration: JSON with whole-line ``#`` comments, or YAML of the same shape (.yaml, .yml).

    Raises UserError: missing, not JSON (with line), without a usable ``mgtSvr``.
    """
    config = (
        read_yaml(path, _WHAT).value if path.suffix.lower() in _YAML_SUFFIXES else _json(read_text(path, _WHAT), path)
    )
    if config is None:
        raise UserError(f"this {_WHAT} is empty", file=path)
    if not isinstance(config, dict):
        raise UserError(f"a {_WHAT} must be a mapping, this is {kind_of(config)}", file=path)
    _check_management_server(config, path)
    return config


def _json(text: str, path: Path) -> Any:
    """As Marvin's getSetupConfig: a line whose first character is ``#`` is left out; a ``#`` elsewhere stays."""
    bare = "\n".join("" if line.lstrip().startswith("#") else line for line in text.split("\n"))
    if not bare.strip():
        return None
    try:
        return json.loads(bare)
    except json.JSONDecodeError as error:
        # The decoder's message never quotes the text, so it cannot show a secret.
        hint = None if bare.lstrip().startswith("{") else "a YAML configuration must be called .yaml or .yml"
        what = f"this {_WHAT} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise UserError(what, file=path, line=error.lineno, hint=hint) from None


def _check_management_server(config: Mapping[str, Any], path: Path) -> None:
    hint = 'a management server is an entry of "mgtSvr": [{"mgtSvrIp": "10.1.1.2", "port": 8096}]'
    if "mgtSvr" not in config:
        close = near("mgtSvr", list(config))
        raise UserError(f"this {_WHAT} names no management server", file=path, key="mgtSvr", hint=close or hint)
    servers = config["mgtSvr"]
    if not isinstance(servers, list) or not all(isinstance(server, dict) for server in servers):
        raise UserError("must be a list of mappings", file=path, key="mgtSvr", hint=hint)
    if not servers:
        raise UserError("is empty", file=path, key="mgtSvr", hint=hint)
    if not servers[0].get("mgtSvrIp"):
        raise UserError("missing", file=path, key="mgtSvr.0.mgtSvrIp", hint=hint)
    port = servers[0].get("port", 0)
    if isinstance(port, bool) or not isinstance(port, int):
        raise UserError(f"must be a whole number, is {kind_of(port)}", file=path, key="mgtSvr.0.port", hint=hint)


def resolve_config(environment: Environment, environ: Mapping[str, str] = os.environ) -> ResolvedConfig:
    """The environment's Marvin configuration with its secrets at their paths.

    Raises UserError: whatever `load_marvin_config` does, a ``${VAR}`` that is not set, a path that leads nowhere.
    """
    if environment.marvin_config is None:
        raise _wrong(environment, "marvin_config", "this environment has no Marvin configuration", None)
    try:
        config = load_marvin_config(environment.marvin_config)
    except UserError as error:
        if error.line is None and not environment.marvin_config.exists():
            raise _wrong(environment, "marvin_config", f"{error.file} does not exist", error.hint) from None
        raise
    given = set()
    for path, raw in environment.secrets.items():
        value = _substituted(environment, path, raw, environ)
        _put(environment, config, path, value)
        given.add(value)
    # Marvin formats the port as a number and knows no default of its own.
    config["mgtSvr"][0].setdefault("port", INTEGRATION_PORT)
    return ResolvedConfig(environment.name, config, frozenset(filter(None, {*given, *secrets_in(config)})))


def _substituted(environment: Environment, path: str, raw: str, environ: Mapping[str, str]) -> str:
    """``raw`` with each ``${VAR}`` from the process's environment; ``$${`` is a plain ``${``."""

    def value_of(match: re.Match[str]) -> str:
        if match["escaped"]:
            return match[0][1:]
        name = match["name"]
        if not match["end"] or not _VARIABLE_NAME.match(name):
            # What stands in a broken reference may be half a password: it is not shown.
            hint = "a reference is ${NAME}; write $${ for a plain ${"
            raise _wrong(environment, f"secrets.{path}", "a ${VAR} in it is not well formed", hint)
        if name not in environ:
            close = near(name, [known for known in environ if is_secret_name(known) or known[:3] == name[:3]])
            hint = f"set it before you use {environment.name}: export {name}=…"
            message = f"the environment variable {name} is not set"
            raise _wrong(environment, f"secrets.{path}", message, "\n  ".join(filter(None, [close, hint])))
        return environ[name]

    return _VARIABLE.sub(value_of, raw)


def _put(environment: Environment, config: dict[str, Any], path: str, value: str) -> None:
    """Set ``path`` (``mgtSvr.0.passwd``) in ``config``. Only its last key may be new, and only if it names a secret."""
    steps = path.split(".")
    holder: Any = config
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        here = ".".join(steps[: depth + 1])
        if isinstance(holder, list) and step.isdecimal() and int(step) < len(holder):
            key: Any = int(step)
        elif isinstance(holder, dict) and (step in holder or (last and is_secret_name(step))):
            key = step
        else:
            known = [str(each) for each in (holder if isinstance(holder, dict) else range(_length(holder)))]
            hint = near(step, known) or (f"there are: {', '.join(known)}" if known else None)
            raise _wrong(environment, f"secrets.{path}", f"{environment.marvin_config} has no {here}", hint)
        current = holder.get(key) if isinstance(holder, dict) else holder[key]
        if not last:
            holder = current
        elif isinstance(current, (dict, list)):
            what = f"{here} in {environment.marvin_config} is {kind_of(current)}, not a value to replace"
            raise _wrong(environment, f"secrets.{path}", what, None)
        else:
            holder[key] = value


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def _wrong(environment: Environment, key: str, what: str, hint: str | None) -> UserError:
    line = environment.lines.get(key, environment.line)
    return UserError(what, file=environment.file, line=line, key=f"environments.{environment.name}.{key}", hint=hint)


@contextmanager
def write_private(config: Mapping[str, Any]) -> Iterator[Path]:
    """A JSON file with ``config`` that only this user can read; it is gone when the context ends."""
    # mkstemp creates with 0600, whatever the umask.
    handle, name = tempfile.mkstemp(prefix="cs-matrix-", suffix=".cfg")
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(config, file)
        yield path
    finally:
        path.unlink(missing_ok=True)
