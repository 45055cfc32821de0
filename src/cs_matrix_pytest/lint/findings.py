"""What a rule finds, and the table of rules. docs/lint.md describes each."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "notice")
"""error: a test is lost or breaks; warning: hardly what is meant; notice: good to know. As GitHub calls them."""

MISTAKES = frozenset({"error", "warning"})
"""The severities that are to be mended; who lints asks for the others."""


@dataclass(frozen=True)
class Rule:
    """A kind of mistake: its code (``CS101``), one of SEVERITIES, and what it is in a few words."""

    code: str
    severity: str
    title: str


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule("CS001", "error", "file does not parse"),
        Rule("CS101", "error", "attribute misspelt"),
        Rule("CS102", "warning", "tag under another name than tags"),
        Rule("CS103", "warning", "tag misspelt"),
        Rule("CS104", "error", "several tags in one text"),
        Rule("CS105", "warning", "tags not a list"),
        Rule("CS106", "warning", "value that means the opposite or nothing"),
        Rule("CS107", "error", "attribute replaced by another @attr"),
        Rule("CS108", "notice", "tests that required_hardware=false selects though they do not say it"),
        Rule("CS201", "error", "test that no environment can run"),
        Rule("CS202", "error", "test that a later one of the same name replaces"),
        Rule("CS203", "warning", "method with @attr that nothing takes for a test"),
        Rule("CS301", "error", "name that Python has removed"),
        Rule("CS302", "error", "module that Python has removed"),
        Rule("CS401", "error", "skipTest called on the class"),
    )
}


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake: where (line and column from 1), which rule, what is wrong, and what to do about it."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str

    @property
    def severity(self) -> str:
        """One of SEVERITIES."""
        return RULES[self.code].severity
