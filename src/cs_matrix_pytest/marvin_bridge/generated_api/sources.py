"""The Java sources of a CloudStack tree: which there are, and a class by its name as Java would find it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .java import JavaClass, JavaFile, Tokens, parse, split, unquoted

_MAIN = os.path.join("src", "main", "java")  # noqa: PTH118 - paths are text here: Path costs a second for 7,000 files
_NEVER = frozenset(("src", "target", "node_modules"))
_COMMAND = re.compile(rb"@[\w.]*\bAPICommand\b")


@dataclass(frozen=True)
class Source:
    """A Java file: its path, its path below its source folder, and what tells that it has changed."""

    path: str
    place: str
    size: int
    changed: tuple[int, int]
    """Nanoseconds: of the content, and of the file's entry, which no one can set."""

    @property
    def class_name(self) -> str:
        return self.place[: -len(".java")].replace(os.sep, ".")


def find_sources(tree: Path) -> list[Source]:
    """All Java files of the tree but those of tests, in a stable order. Nothing is read."""
    found = []
    for folder in _source_folders(str(tree)):
        found += _java_files(folder, "")
    return found


def stamp(sources: list[Source]) -> str:
    """A digest that changes whenever a source is added, removed, moved or written."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.path}\0{source.size}\0{source.changed}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _source_folders(folder: str) -> Iterator[str]:
    """The ``src/main/java`` of every Maven module, whatever the folders around it are."""
    main = os.path.join(folder, _MAIN)  # noqa: PTH118
    if os.path.isdir(main):  # noqa: PTH112
        yield main
    with os.scandir(folder) as entries:
        inner = sorted(
            entry.path
            for entry in entries
            if entry.name not in _NEVER and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        )
    for each in inner:
        yield from _source_folders(each)


def _java_files(folder: str, place: str) -> list[Source]:
    found, inner = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".java"):
                status = entry.stat()
                changed = (status.st_mtime_ns, status.st_ctime_ns)
                found.append(Source(entry.path, place + entry.name, status.st_size, changed))
            elif entry.is_dir(follow_symlinks=False):
                inner.append((entry.path, f"{place}{entry.name}{os.sep}"))
    found.sort(key=lambda source: source.place)
    for path, below in sorted(inner):
        found += _java_files(path, below)
    return found


class Sources:
    """Classes of a tree by name; a file is parsed when a class of it is first asked for."""

    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources
        self._files: dict[str, JavaFile | None] = {}
        self._declaring: dict[str, JavaFile] = {}

    @cached_property
    def _paths(self) -> dict[str, str]:
        # Of two modules with a class of one name the first has it.
        return {source.class_name: source.path for source in reversed(self._sources)}

    def commands(self) -> list[JavaClass]:
        """The classes that carry ``@APICommand``, by name."""
        found: dict[str, JavaClass] = {}
        for source in self._sources:
            with open(source.path, "rb", buffering=0) as stream:  # noqa: PTH123
                content = stream.readall()
            if _COMMAND.search(content):
                file = self._files[source.class_name] = self._parsed(content)
                found |= {each.name: each for each in file.classes.values() if "APICommand" in each.annotations}
        return [found[name] for name in sorted(found)]

    def by_full_name(self, name: str) -> JavaClass | None:
        """The class of this name; of a nested one ``package.Outer.Inner``."""
        top = name
        while top and top not in self._paths:
            top = top.rpartition(".")[0]
        file = self._file(top) if top else None
        return file.classes.get(name) if file else None

    def named(self, name: str, within: JavaClass) -> JavaClass | None:
        """The class that ``name`` means within a class; None where it is none of this tree's."""
        first, _, rest = name.partition(".")
        found = self._simple(first, within)
        if found is None:
            return self.by_full_name(name)
        return self.by_full_name(f"{found.name}.{rest}") if rest else found

    def superclass(self, of: JavaClass) -> JavaClass | None:
        """The class that it extends, if that is one of this tree's."""
        return self.named(of.superclass, of) if of.superclass else None

    def lineage(self, of: JavaClass) -> Iterator[JavaClass]:
        """The class itself and all that it extends, nearest first."""
        seen = set()
        each: JavaClass | None = of
        while each is not None and each.name not in seen:
            yield each
            seen.add(each.name)
            each = self.superclass(each)

    def value(self, tokens: Tokens, within: JavaClass, depth: int = 0) -> str | None:
        """The value of a constant expression of strings, as text; None where it is none that can be worked out."""
        if depth > 20:
            return None
        parts = list(split(tokens, "+"))
        if len(parts) > 1:
            values = [self.value(part, within, depth + 1) for part in parts]
            return None if None in values else "".join(filter(None, values))
        if tokens[:1] == ("(",) and tokens[-1] == ")":
            return self.value(tokens[1:-1], within, depth + 1)
        if len(tokens) == 1 and tokens[0].startswith('"'):
            return unquoted(tokens[0])
        if tokens and all(token == "." or token.isidentifier() for token in tokens):
            return self._constant("".join(tokens), within, depth)
        return "".join(tokens) or None

    def _constant(self, name: str, within: JavaClass, depth: int) -> str | None:
        if name in ("true", "false"):
            return name
        owner, _, last = name.rpartition(".")
        if owner:
            found = self.named(owner, within)
            places = [found] if found else []
        else:
            places = [within]
            file = self._file_of(within)
            classes = file.static_classes if last not in file.static_imports else (file.static_imports[last],)
            places += [each for each in map(self.by_full_name, classes) if each]
        for place in places:
            for each in self._with_all_parents(place):
                if last in each.fields:
                    return self.value(each.fields[last].initial, each, depth + 1)
        return None

    def _with_all_parents(self, of: JavaClass) -> Iterator[JavaClass]:
        """The class, what it extends and implements, and the classes around each."""
        waiting: list[JavaClass | None] = [of]
        seen = set()
        while waiting:
            each = waiting.pop(0)
            if each is None or each.name in seen:
                continue
            seen.add(each.name)
            yield each
            waiting.append(self.superclass(each))
            waiting += [self.named(name, each) for name in each.interfaces]
            waiting.append(self.by_full_name(each.outer) if each.outer else None)

    def _simple(self, name: str, within: JavaClass) -> JavaClass | None:
        file = self._file_of(within)
        around: str | None = within.name
        while around and around != file.package:
            for candidate in (f"{around}.{name}", around):
                if candidate in file.classes and candidate.rpartition(".")[2] == name:
                    return file.classes[candidate]
            around = around.rpartition(".")[0]
        if name in file.imports:
            return self.by_full_name(file.imports[name])
        places = (f"{package}.{name}" for package in (file.package, *file.packages))
        return next((each for each in map(self.by_full_name, places) if each), None)

    def _file_of(self, each: JavaClass) -> JavaFile:
        return self._declaring[each.name]

    def _file(self, top: str) -> JavaFile | None:
        """The file of a top-level class. What it declares need not be of that name or package."""
        if top not in self._files:
            path = self._paths.get(top)
            self._files[top] = self._parsed(Path(path).read_bytes()) if path else None
        return self._files[top]

    def _parsed(self, content: bytes) -> JavaFile:
        file = parse(content.decode(errors="replace"))
        for name in file.classes:
            self._declaring.setdefault(name, file)
        return file
