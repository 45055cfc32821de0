"""The attributes and tags that suites use: those that are known, and those of the tree that is linted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cs_matrix_pytest.lint.suite import Attribute, texts
from cs_matrix_pytest.selection.applicability import SHIPPED_RULES

_RULES = [condition for rule in SHIPPED_RULES for condition in rule.when.items()]

KNOWN_ATTRIBUTES = frozenset(
    {"tags", "required_hardware", "hypervisor", "speed", "configuration", "BugId", "simulator_only", "disruptive"}
    | {name for name, _ in _RULES}
)
"""Attributes that upstream's suites use and that rules ask for."""

KNOWN_TAGS = frozenset(
    {value for name, values in _RULES if name == "tags" for value in values}
    | {"smoke", "simulator", "devcloud", "intervlan", "selfservice", "provisioning", "multihost", "multizone"}
    | {"multicluster", "multipool", "dedicate", "security", "accounts", "configuration", "redundancy"}
)
"""Tags of upstream's suites that stand for something; what rules ask for is among them."""


@dataclass(frozen=True)
class Vocabulary:
    """How often each attribute and each tag occurs, the known ones at least once."""

    attributes: Mapping[str, int]
    tags: Mapping[str, int]

    def frequent(self, words: Mapping[str, int], word: str, known: frozenset[str]) -> dict[str, int]:
        """The words that `word` could be a slip of: known, or more frequent than it."""
        return {other: count for other, count in words.items() if other in known or count > words.get(word, 0)}


def vocabulary(used: Iterable[Attribute]) -> Vocabulary:
    """Of all the attributes that a tree of modules sets."""
    attributes = Counter(KNOWN_ATTRIBUTES)
    tags = Counter(KNOWN_TAGS)
    for attribute in used:
        attributes[attribute.name] += 1
        if attribute.name == "tags" and not attribute.bare:
            tags.update(str(text.value) for text in texts(attribute.node))
    return Vocabulary(attributes, tags)
