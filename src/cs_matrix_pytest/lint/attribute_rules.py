"""CS1xx: attributes and tags that do not say what they are meant to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from cs_matrix_pytest.lint.findings import Finding
from cs_matrix_pytest.lint.spelling import likely_meant
from cs_matrix_pytest.lint.suite import UNKNOWN, Attribute, Module, attributes_of, texts
from cs_matrix_pytest.lint.vocabulary import KNOWN_ATTRIBUTES, KNOWN_TAGS, Vocabulary
from cs_matrix_pytest.selection.attributes import values_of

_HARDWARE = ("true", "false", "simulator only")
_SAYS_NO = ("false", "no", "0", "off")


def check_attributes(module: Module) -> Iterator[Finding]:
    """What a module alone shows: CS105 to CS108."""
    for attribute in module.attributes:
        yield from _lone_tag(module.file, attribute)
        yield from _odd_value(module.file, attribute)
    yield from _replaced(module)
    yield from _unsaid_hardware(module)


def check_words(file: str, attributes: Iterable[Attribute], words: Vocabulary) -> Iterator[Finding]:
    """What only the words of all the modules show: CS101 to CS104, for the attributes of one."""
    for attribute in attributes:
        yield from _misspelt_name(file, attribute, words)
        yield from _misspelt_tag(file, attribute, words)


def _at(file: str, node: ast.expr | ast.stmt, code: str, message: str, hint: str) -> Finding:
    return Finding(file, node.lineno, node.col_offset + 1, code, message, hint)


def _misspelt_name(file: str, attribute: Attribute, words: Vocabulary) -> Iterator[Finding]:
    name = attribute.name
    if name in KNOWN_ATTRIBUTES:
        return
    meant = likely_meant(name, words.frequent(words.attributes, name, KNOWN_ATTRIBUTES))
    if meant is not None:
        yield _at(
            file,
            attribute.node,
            "CS101",
            f"no selection asks for the attribute {name!r}: {meant!r} is likely meant",
            f"rename it to {meant}",
        )
        return
    if attribute.bare and name in KNOWN_TAGS:
        yield _at(
            file,
            attribute.node,
            "CS102",
            f"@attr({name!r}) sets an attribute of that name, which tags={name} does not select",
            f"write tags=[{name!r}]",
        )
        return
    values = [] if attribute.bare else [str(value) for value in values_of(attribute.value)]
    if values and KNOWN_TAGS.issuperset(values):
        yield _at(
            file,
            attribute.node,
            "CS102",
            f"the attribute {name!r} holds {_listed(values)}, and tags={values[0]} does not select it",
            f"write it as tags, if {_listed(values)} is meant as a tag",
        )


def _misspelt_tag(file: str, attribute: Attribute, words: Vocabulary) -> Iterator[Finding]:
    for text in _tags(attribute):
        tag = str(text.value)
        parts = re.split(r"[\s,]+", tag.strip())
        if len(parts) > 1 or tag != tag.strip():
            yield _at(
                file,
                text,
                "CS104",
                f"{tag!r} is one tag, which {_listed([f'tags={part}' for part in parts if part])} does not select",
                f"write tags={[part for part in parts if part]!r}",
            )
        elif tag not in KNOWN_TAGS:
            meant = likely_meant(tag, words.frequent(words.tags, tag, KNOWN_TAGS)) or _other_case(tag, words)
            if meant is not None:
                yield _at(
                    file,
                    text,
                    "CS103",
                    f"the tag {tag!r} is likely {meant!r}: tags={meant} does not select this test"
                    if meant.lower() != tag.lower()
                    else f"the tag {tag!r} is {meant!r} elsewhere: -m {meant} does not select this test",
                    f"rename it to {meant!r}, or keep it with: # noqa: CS103",
                )


def _other_case(tag: str, words: Vocabulary) -> str | None:
    same = [other for other in words.tags if other != tag and other.lower() == tag.lower()]
    best = max(same, key=lambda other: words.tags[other], default=None)
    return best if best is not None and words.tags[best] > words.tags[tag] else None


def _lone_tag(file: str, attribute: Attribute) -> Iterator[Finding]:
    if attribute.name != "tags" or attribute.bare or attribute.value is UNKNOWN:
        return
    value = attribute.value
    if isinstance(value, str) and not re.search(r"[\s,]", value):
        yield _at(
            file,
            attribute.node,
            "CS105",
            f"tags is the text {value!r}: an expression such as \"'{value[:3]}' in tags\" compares parts of it",
            f"write tags=[{value!r}]",
        )
    elif isinstance(value, set | frozenset | dict):
        yield _at(
            file,
            attribute.node,
            "CS105",
            f"tags is a {type(value).__name__}, which nose does not take for a list: tags=… selects none of its members",
            "write it as a list",
        )


def _odd_value(file: str, attribute: Attribute) -> Iterator[Finding]:
    name, value = attribute.name, attribute.value
    if attribute.bare or value is UNKNOWN or name == "tags":
        return
    if name == "required_hardware":
        if str(value).lower() not in _HARDWARE:
            yield _at(
                file,
                attribute.node,
                "CS106",
                f"required_hardware={value!r} is neither true nor false, so no selection by it takes this test",
                'write "true" or "false"',
            )
    elif isinstance(value, str) and value.lower() in _SAYS_NO:
        yield _at(
            file,
            attribute.node,
            "CS106",
            f"the text {value!r} counts as true: selecting by {name} takes this test, !{name} leaves it out",
            f"write {name}=False, or leave it out",
        )


def _tags(attribute: Attribute) -> Iterator[ast.Constant]:
    if attribute.name == "tags" and not attribute.bare:
        yield from texts(attribute.node)


def _replaced(module: Module) -> Iterator[Finding]:
    """Of stacked ``@attr`` the topmost wins: what one below it says otherwise is lost."""
    for node in module.nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        winners: dict[str, Attribute] = {each.name: each for each in attributes_of(node)}
        for attribute in attributes_of(node):
            winner = winners[attribute.name]
            lost = [value for value in values_of(attribute.value) if value not in values_of(winner.value)]
            if attribute is not winner and lost and UNKNOWN not in (attribute.value, winner.value):
                yield _at(
                    module.file,
                    attribute.node,
                    "CS107",
                    f"{attribute.name}={attribute.value!r} is lost: the @attr of line {winner.node.lineno}, above, "
                    f"replaces it with {winner.value!r}",
                    "say it in one @attr",
                )


def _unsaid_hardware(module: Module) -> Iterator[Finding]:
    for suite in module.suites:
        silent = [
            test
            for test in suite.tests
            if (attributes := suite.attributes(test)).get("tags")
            and "required_hardware" not in attributes
            # A slip of the name has a finding of its own.
            and not any(likely_meant(name, {"required_hardware": 1}) for name in attributes)
        ]
        if silent:
            names = ", ".join(test.name for test in silent[:3]) + (" …" if len(silent) > 3 else "")
            yield _at(
                module.file,
                suite.node,
                "CS108",
                f"{len(silent)} of {len(suite.tests)} tests do not say required_hardware, so required_hardware=false "
                f"selects them: {names}",
                'say @attr(required_hardware="false"), or "true", on the class or the tests',
            )


def _listed(words: list[str]) -> str:
    return " and ".join(words)
