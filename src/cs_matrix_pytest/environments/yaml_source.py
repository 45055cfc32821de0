"""Reading YAML so that every value knows its line, and text stays as it was written.

YAML 1.1 takes ``8.0`` for a number and ``no`` for false. Where the schema of the file says that text belongs, the text
is taken as it stands instead, so a version need not be quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.errors import UserError

if TYPE_CHECKING:
    import yaml

Where = tuple[str | int, ...]
"""A place in a document: keys and list indexes from the root."""

_CORE = "tag:yaml.org,2002:"
_TIMESTAMP = _CORE + "timestamp"
_READ_AS_TEXT = {_TIMESTAMP} | {_CORE + kind for kind in ("str", "int", "float", "bool")}


def nearest(name: str, start: Path) -> Path | None:
    """The file of this name in ``start`` or the nearest folder above it; None if there is none."""
    folder = start.resolve()
    return next((file for each in (folder, *folder.parents) if (file := each / name).is_file()), None)


@dataclass(frozen=True)
class Document:
    """What a YAML file holds, and the line of every key and list item in it."""

    file: Path
    value: Any
    lines: Mapping[Where, int] = field(repr=False)

    def line(self, where: Where) -> int:
        """The line of ``where``, or of the nearest thing around it that the file has."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read_text(file: Path, what: str) -> str:
    """The UTF-8 text of a file. Raises UserError, which calls the file ``what``, where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"this {what} does not exist", file=file) from None
    except IsADirectoryError:
        raise UserError(f"this {what} is a folder", file=file) from None
    except UnicodeDecodeError as error:
        raise UserError(f"this {what} is not UTF-8 text (byte {error.start})", file=file) from None
    except OSError as error:
        raise UserError(f"this {what} cannot be read: {error.strerror}", file=file) from None


def read_yaml(file: Path, what: str, schema: Mapping[str, Any] | None = None) -> Document:
    """Parse a YAML file; ``schema`` (a JSON Schema with local references) says where text belongs.

    Raises UserError with file and line: not readable, not YAML, several documents, a key given twice, an object tag.
    """
    import yaml

    text = read_text(file, what)
    try:
        # libyaml, where PyYAML has it, is thirty times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        root = loader.get_single_node()
        if root is None:
            return Document(file, None, {})
        reader = _Reader(file, loader, schema or {})
        return Document(file, reader.read(root, schema or {}, ()), reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        problem = error.problem or "not understood"
        raise UserError(f"this is not YAML: {problem}", file=file, line=line) from None
    except yaml.YAMLError as error:
        raise UserError(f"this is not YAML: {str(error).splitlines()[0]}", file=file) from None


class _Reader:
    """Turns the nodes of one document into plain values."""

    def __init__(self, file: Path, loader: yaml.SafeLoader, root_schema: Mapping[str, Any]) -> None:
        self.file = file
        self.loader = loader
        self.root_schema = root_schema
        self.lines: dict[Where, int] = {}
        self._open: list[yaml.Node] = []

    def read(self, node: yaml.Node, schema: Mapping[str, Any], where: Where) -> Any:
        import yaml

        if any(node is outer for outer in self._open):
            raise self._error(node, where, "an alias refers to what it is part of")
        self._open.append(node)
        try:
            schema = self._resolve(schema)
            if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
                return self._mapping(node, schema, where)
            if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
                return self._sequence(node, schema, where)
            return self._scalar(node, schema)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, schema: Mapping[str, Any], where: Where) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in self._pairs(node, where):
            here = (*where, key.value)
            self.lines[here] = key.start_mark.line + 1
            properties = schema.get("properties", {})
            rest = schema.get("additionalProperties")
            mapping[key.value] = self.read(
                value, properties.get(key.value, rest if isinstance(rest, Mapping) else {}), here
            )
        return mapping

    def _pairs(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """Keys and values, those of ``<<`` merges first so that the mapping's own win."""
        import yaml

        seen: dict[str, int] = {}
        own: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, where, "a key must be one word or text")
            if key.tag == _CORE + "merge":
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in reversed(sources):
                    if not isinstance(source, yaml.MappingNode):
                        raise self._error(value, where, "what << merges must be a mapping")
                    yield from self._pairs(source, where)
                continue
            if key.value in seen:
                raise self._error(key, (*where, key.value), f"given twice, first in line {seen[key.value]}")
            seen[key.value] = key.start_mark.line + 1
            own.append((key, value))
        yield from own

    def _sequence(self, node: yaml.SequenceNode, schema: Mapping[str, Any], where: Where) -> list[Any]:
        first: list[Mapping[str, Any]] = schema.get("prefixItems", [])
        items = []
        for index, item in enumerate(node.value):
            here = (*where, index)
            self.lines[here] = item.start_mark.line + 1
            items.append(self.read(item, first[index] if index < len(first) else schema.get("items", {}), here))
        return items

    def _scalar(self, node: yaml.Node, schema: Mapping[str, Any]) -> Any:
        import yaml

        wants_text = schema.get("type") == "string" or any(isinstance(each, str) for each in schema.get("enum", ()))
        if isinstance(node, yaml.ScalarNode) and node.tag in (_READ_AS_TEXT if wants_text else {_TIMESTAMP}):
            return node.value
        return self.loader.construct_object(node, deep=True)

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            target: Any = self.root_schema
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        return schema

    def _error(self, node: yaml.Node, where: Where, what: str) -> UserError:
        return UserError(what, file=self.file, line=node.start_mark.line + 1, key=dotted(where) or None)


def dotted(where: Where) -> str:
    """A place as messages show it: ``environments.kvm-adv.faults.attachVolume.error.0``."""
    return ".".join(str(step) for step in where)
