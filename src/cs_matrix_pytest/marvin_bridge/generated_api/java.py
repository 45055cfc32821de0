"""What a Java source declares, as far as CloudStack's API annotations need it: classes, fields, annotations, constants.

A tokenizer and a reader of class bodies; what methods do is skipped. Nothing is resolved here: names are as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Tokens = tuple[str, ...]

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'|[\w$]+|\S", re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:u+([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " ", "0": "\0"}
_MODIFIERS = frozenset(
    [
        "public",
        "protected",
        "private",
        "static",
        "final",
        "abstract",
        "transient",
        "volatile",
        "strictfp",
        "default",
        "native",
        "synchronized",
        "sealed",
    ]
)
_KINDS = ("class", "interface", "enum")
_CLOSING = {"(": ")", "{": "}", "[": "]"}


@dataclass(frozen=True)
class Annotation:
    """``@Name(key = tokens, …)``; a single unnamed argument has the key ``value``, as in Java."""

    name: str
    arguments: Mapping[str, Tokens]


@dataclass(frozen=True)
class Field:
    """``type`` is the simple name of the declared type, without type arguments, as ``Class.getSimpleName`` gives it."""

    name: str
    type: str
    annotations: Mapping[str, Annotation]
    initial: Tokens


@dataclass(frozen=True)
class JavaClass:
    """A class or interface. ``name`` has the package and the classes around it; parents are as written."""

    name: str
    annotations: Mapping[str, Annotation]
    superclass: str | None
    interfaces: tuple[str, ...]
    fields: Mapping[str, Field]
    outer: str | None


@dataclass(frozen=True)
class JavaFile:
    """``imports``: simple name → full name; ``static_imports``: member → class; the wildcard ones are lists."""

    package: str
    imports: Mapping[str, str]
    packages: tuple[str, ...]
    static_imports: Mapping[str, str]
    static_classes: tuple[str, ...]
    classes: Mapping[str, JavaClass]


def unquoted(literal: str) -> str:
    """The value of a string literal."""
    body = literal[3:-3] if literal.startswith('"""') else literal[1:-1]
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), body)


def parse(text: str) -> JavaFile:
    """Read a source file. Of one that is not Java whatever could be made out is returned; nothing is raised."""
    return _Reader([token for token in _TOKEN.findall(text) if not token.startswith(("//", "/*"))]).file()


def split(tokens: Sequence[str], separator: str) -> Iterator[Tokens]:
    """Split at separators outside of brackets; nothing for no tokens."""
    part: list[str] = []
    depth = 0
    for token in tokens:
        if token in ("(", "{", "["):
            depth += 1
        elif token in (")", "}", "]"):
            depth -= 1
        if token == separator and not depth:
            yield tuple(part)
            part = []
        else:
            part.append(token)
    if part:
        yield tuple(part)


@dataclass
class _Reader:
    tokens: list[str]
    at: int = 0
    classes: dict[str, JavaClass] = field(default_factory=dict)

    def file(self) -> JavaFile:
        package = ""
        imports: dict[str, str] = {}
        static_imports: dict[str, str] = {}
        packages: list[str] = []
        static_classes: list[str] = []
        annotations: dict[str, Annotation] = {}
        while (token := self._peek()) is not None:
            if token == "package":
                package = "".join(self._until(";"))
            elif token == "import":
                words = self._until(";")
                static = words[:1] == ["static"]
                parent, _, last = "".join(words[static:]).rpartition(".")
                if last == "*":
                    (static_classes if static else packages).append(parent)
                elif static:
                    static_imports[last] = parent
                else:
                    imports[last] = f"{parent}.{last}"
            elif self._at_annotation():
                annotation = self._annotation()
                annotations[annotation.name] = annotation
            elif token in _KINDS:
                self._type(package, None, annotations)
                annotations = {}
            else:
                self.at += 1
        return JavaFile(package, imports, tuple(packages), static_imports, tuple(static_classes), self.classes)

    def _peek(self, ahead: int = 0) -> str | None:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def _until(self, end: str) -> list[str]:
        """The tokens after this one up to ``end``, which is passed."""
        start = self.at + 1
        try:
            self.at = self.tokens.index(end, start) + 1
        except ValueError:
            self.at = len(self.tokens) + 1
        return self.tokens[start : self.at - 1]

    def _at_annotation(self) -> bool:
        return self._peek() == "@" and self._peek(1) != "interface"

    def _dotted(self) -> str:
        name = self._peek() or ""
        self.at += 1
        while self._peek() == ".":
            name += f".{self._peek(1)}"
            self.at += 2
        return name

    def _annotation(self) -> Annotation:
        self.at += 1
        name = self._dotted().rpartition(".")[2]
        arguments = {}
        if self._peek() == "(":
            for part in split(self._block(), ","):
                if part[1:2] == ("=",):
                    arguments[part[0]] = part[2:]
                else:
                    arguments["value"] = part
        return Annotation(name, arguments)

    def _block(self) -> list[str]:
        """The tokens within the bracket that begins here, which is passed."""
        opening = self.tokens[self.at]
        closing = _CLOSING[opening]
        start = self.at + 1
        depth = 0
        for at in range(self.at, len(self.tokens)):
            token = self.tokens[at]
            if token == opening:
                depth += 1
            elif token == closing:
                depth -= 1
                if not depth:
                    self.at = at + 1
                    return self.tokens[start:at]
        self.at = len(self.tokens)
        return self.tokens[start:]

    def _angles(self) -> None:
        """Pass the type arguments that begin here."""
        depth = 0
        while (token := self._peek()) is not None:
            depth += {"<": 1, ">": -1}.get(token, 0)
            self.at += 1
            if not depth:
                return

    def _type(self, package: str, outer: str | None, annotations: Mapping[str, Annotation]) -> None:
        kind = self._peek()
        self.at += 1
        around = outer or package
        name = f"{around}.{self._peek()}" if around else str(self._peek())
        self.at += 1
        parents: dict[str, list[str]] = {"extends": [], "implements": []}
        into: list[str] = []
        while (token := self._peek()) not in ("{", None):
            if token in ("extends", "implements", "permits"):
                into = parents.get(token, [])
                self.at += 1
            elif token == "<":
                self._angles()
            elif token == "(":
                self._block()
            elif token == "," or token == "@":
                self.at += 1
            else:
                into.append(self._dotted())
        self.at += 1
        if kind == "enum":
            self._pass_enum_constants()
        fields = self._members(package, name)
        extends = parents["extends"]
        superclass = extends[0] if extends and kind == "class" else None
        interfaces = (*parents["implements"], *(extends if kind == "interface" else ()))
        self.classes[name] = JavaClass(name, dict(annotations), superclass, interfaces, fields, outer)

    def _pass_enum_constants(self) -> None:
        while (token := self._peek()) not in (";", "}", None):
            if token in _CLOSING:
                self._block()
            else:
                self.at += 1

    def _members(self, package: str, name: str) -> dict[str, Field]:
        """The fields up to the brace that ends the class, which is passed; nested classes are added to the others."""
        fields: dict[str, Field] = {}
        annotations: dict[str, Annotation] = {}
        while (token := self._peek()) is not None:
            if token == "}":
                self.at += 1
                break
            if self._at_annotation():
                annotation = self._annotation()
                annotations[annotation.name] = annotation
                continue
            if token in _MODIFIERS or token == "@":
                self.at += 1
                continue
            if token == "<":
                self._angles()
                continue
            if token == ";":
                self.at += 1
            elif token == "{":
                self._block()
            elif token in _KINDS:
                self._type(package, name, annotations)
            else:
                for each in self._fields(annotations):
                    fields[each.name] = each
            annotations = {}
        return fields

    def _fields(self, annotations: Mapping[str, Annotation]) -> list[Field]:
        """The fields that the declaration here makes: none for a method or constructor, which is passed."""
        type_name, brackets, name = "", "", ""
        while (token := self._peek()) not in ("=", ";", ",", "(", "{", "}", None):
            if token == "<":
                self._angles()
                continue
            if token == "[":
                brackets += "[]"
                self._block()
                continue
            type_name, name = name, self._dotted()
        if token == "(":
            self._block()
            while self._peek() not in ("{", ";", "}", None):
                self.at += 1
            if self._peek() == "{":
                self._block()
            elif self._peek() == ";":
                self.at += 1
            return []
        if token not in ("=", ";", ","):
            self.at += token is not None
            return []
        simple = type_name.rpartition(".")[2] + brackets
        fields = []
        for part in split((name, *self._declarators()), ","):
            fields.append(Field(part[0], simple, dict(annotations), part[2:]))
        return fields

    def _declarators(self) -> list[str]:
        """What follows a field's name up to its semicolon, which is passed."""
        start = self.at
        while (token := self._peek()) not in (";", None):
            if token in _CLOSING:
                self._block()
            else:
                self.at += 1
        self.at += 1
        return self.tokens[start : self.at - 1]
