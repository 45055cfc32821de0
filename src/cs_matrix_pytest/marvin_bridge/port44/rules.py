"""What changes in every module of Marvin 4.4.0: Python 2 spellings that a regular expression can tell safely.

Each rule keeps the number of lines, so that a traceback through ported code points at the right line of the file.
``{siblings}`` stands for the names beside the module, which Python 2 imported without a dot.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A substitution (``re.sub`` with MULTILINE) made wherever it matches."""

    name: str
    pattern: str
    replacement: str


RULES = (
    Rule("sibling import from", r"^([ \t]*)from ({siblings})(?=[. ])", r"\1from .\2"),
    Rule("sibling import", r"^([ \t]*)import ({siblings})[ \t]*(?=$|#)", r"\1from . import \2"),
    Rule("except with a comma", r"^([ \t]*except [\w.]+), *(\w+):", r"\1 as \2:"),
    Rule("print statement", r"^([ \t]*)print(?![ \t]*\(|\w)[ \t]*(.+?)[ \t]*$", r"\1print(\2)"),
    Rule("iterators of dictionaries", r"\.iter(items|keys|values)\(\)", r".\1()"),
    Rule("module Queue", r"^([ \t]*)import Queue\b", r"\1import queue as Queue"),
    Rule(
        "module ConfigParser",
        r"^([ \t]*)from ConfigParser import SafeConfigParser\b",
        r"\1from configparser import ConfigParser as SafeConfigParser",
    ),
    Rule("module urlparse", r"^([ \t]*)import urlparse\b", r"\1import urllib.parse as urlparse"),
    Rule("urlparse out of urllib2", r"^([ \t]*)from urllib2 import urlparse\b", r"\1import urllib.parse as urlparse"),
    Rule("module urllib2", r"^([ \t]*)import urllib2\b", r"\1import urllib.request as urllib2"),
    Rule("async as a name", r"\basync\b(?=[ \t]*=|:[ \t]*$|\)\.|[ \t]*$)", r"is_async"),
)
