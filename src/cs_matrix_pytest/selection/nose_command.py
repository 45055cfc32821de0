"""A nose command line, read, and the pytest line that does the same. Pure: text in, text out.

The options are those of nose 1.3.7 and pynose, of the plugins that ship with them, and of Marvin's nose plugin
(``tools/marvin/marvin/marvinPlugin.py``), read as nose reads them: options may stand among names, short ones may be
joined, long ones shortened.
"""

from __future__ import annotations

import getopt
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cs_matrix_pytest.errors import UserError


@dataclass(frozen=True)
class Translation:
    """`command` is a line for a shell; `warnings` say what has no equivalent there."""

    command: str
    warnings: tuple[str, ...]


def is_nose_command(line: str) -> bool:
    """Whether a line of a script runs nose."""
    try:
        return _after_program(*_split(line)) is not None
    except UserError:
        return False


def translate(line: str) -> Translation:
    """The command for ``nosetests …``. What a shell would fill in (``$suite``, ``{{ jinja }}``) is kept as it stands.

    Raises UserError where no nose command is in `line`, or its quotes do not match.
    """
    words, shell = _split(line)
    start = _after_program(words, shell)
    if start is None:
        raise UserError(
            "this line does not run nose", hint='write it as: cs-matrix translate "nosetests -a tags=smoke …"'
        )
    end = next((place for place in range(start, len(words)) if shell.is_operator(words[place])), len(words))
    before, rest = words[: start - 1], words[end:]
    assignments = [word for word in before if _ASSIGNMENT.match(word)]
    said = _Said()
    for left_out in ([word for word in before if word not in assignments and not _LEADS.fullmatch(word)], rest):
        if left_out:
            said.warnings.append(f"left out, it is not nose's: {' '.join(map(shell.restore, left_out))}")
    _read(words[start:end], said)
    command = [*assignments, "pytest", *_marvin_options(said), *said.options, *_addresses(said)]
    return Translation(" ".join(map(shell.quote, command)), tuple(map(shell.restore, said.warnings)))


# The table of options


@dataclass
class _Said:
    """What a nose command line says, as it is read."""

    options: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    with_marvin: bool = False
    marvin: list[str] = field(default_factory=list)
    """Options of Marvin's plugin, which nose does not read without --with-marvin."""
    where: str | None = None


_Effect = Callable[[_Said, str], None]


@dataclass(frozen=True)
class _Option:
    """An option of nose: its names (``-a``, ``--attr``), whether a value follows, what it does."""

    names: tuple[str, ...]
    effect: _Effect
    takes_value: bool = False


def _gives(*words: str) -> _Effect:
    """These words for pytest; ``{}`` stands for the value."""
    return lambda said, value: said.options.extend(word.replace("{}", value) for word in words)


def _nothing(_: _Said, __: str) -> None:
    """What the option asks for is so anyway."""


def _warns(text: str) -> _Effect:
    """A warning; ``{}`` stands for the value."""
    return lambda said, value: said.warnings.append(text.replace("{}", value))


def _sets(name: str) -> _Effect:
    return lambda said, value: setattr(said, name, value)


def _marvins(word: str) -> _Effect:
    """A word of Marvin's plugin, which pytest takes as it is; ``{}`` stands for the value."""
    return lambda said, value: said.marvin.append(word.replace("{}", value))


def _with_marvin(said: _Said, _: str) -> None:
    said.with_marvin = True


def _verbosity(said: _Said, value: str) -> None:
    said.options.extend({"0": ["-q"], "1": [], "2": ["-v"], "3": ["-vv"]}.get(value, ["-vv"]))


def _processes(said: _Said, value: str) -> None:
    said.options.extend([] if value == "0" else ["-n", "auto" if value.startswith("-") else value])


def _tests(said: _Said, value: str) -> None:
    said.names.extend(filter(None, value.split(",")))


def _flag(names: str, effect: _Effect) -> _Option:
    return _Option(tuple(names.split()), effect)


def _value(names: str, effect: _Effect) -> _Option:
    return _Option(tuple(names.split()), effect, takes_value=True)


_MATRIX = "the results are in cs-report/matrix.json as well"
_COVERAGE = "needs pytest-cov: pip install pytest-cov"

_OPTIONS: tuple[_Option, ...] = (
    # Marvin's plugin
    _flag("--with-marvin", _with_marvin),
    *(
        _value(name, _marvins(f"{name}={{}}"))
        for name in ("--marvin-config", "--zone", "--hypervisor", "--log-folder-path")
    ),
    _flag("--deploy", _marvins("--deploy")),
    _flag("--load", _nothing),
    _value("--result-log", _warns("--result-log={}: no equivalent, " + _MATRIX)),
    _value("--client-log", _warns("--client-log={}: no equivalent, a failing test's API calls are in its report")),
    _value("--debug-log", _warns("--debug-log={}: no equivalent, a failing test's log is in its report")),
    # Selection
    _value("-a --attr", _gives("--attr", "{}")),
    _value("-A --eval-attr", _gives("--eval-attr", "{}")),
    _value("--tests", _tests),
    _value("-w --where", _sets("where")),
    _value(
        "-m --match --testmatch",
        _warns("--match={}: no equivalent; pytest's ini options python_files and python_functions say it"),
    ),
    _value("-e --exclude", _warns("--exclude={}: no equivalent; -k 'not …' leaves out by name, --deselect by id")),
    _value("-i --include", _warns("--include={}: no equivalent; pytest's ini option python_files takes more files")),
    _value(
        "-I --ignore-files", _warns("--ignore-files={}: no equivalent; --ignore-glob takes a glob, not this expression")
    ),
    _flag("--exe", _nothing),
    _flag("--noexe", _warns("--noexe: no equivalent, executable files are collected too")),
    _flag(
        "--all-modules --with-allmodules",
        _warns("--all-modules: no equivalent; pytest's ini option python_files = *.py does it"),
    ),
    _flag("--traverse-namespace", _nothing),
    _flag("--first-package-wins --first-pkg-wins --1st-pkg-wins", _nothing),
    _flag("--no-byte-compile", _warns("--no-byte-compile: set PYTHONDONTWRITEBYTECODE=1 in the environment")),
    _flag("-P --no-path-adjustment", _gives("--import-mode=importlib")),
    _flag("--failed", _gives("--lf")),
    _flag("--with-id", _nothing),
    _value("--id-file", _warns("--id-file={}: no equivalent, pytest keeps what failed in .pytest_cache")),
    _flag("--with-doctest", _gives("--doctest-modules")),
    # Running
    _flag("-x --stop", _gives("-x")),
    _flag("--collect-only", _gives("--collect-only")),
    _flag("--pdb --pdb-failures --pdb-errors", _gives("--pdb")),
    _value("--processes", _processes),
    _value(
        "--process-timeout", _warns("--process-timeout={}: needs pytest-timeout, whose --timeout={} is for each test")
    ),
    _flag("--process-restartworker", _gives("--max-worker-restart=0")),
    _flag("--with-isolation", _nothing),
    _flag("--no-skip", _warns("--no-skip: no equivalent, a skipped test is skipped")),
    _value("-c --config", _warns("--config={}: not read; put what it says into pytest.ini")),
    _value("-p", _warns("-p {}: no equivalent")),
    # Output
    _flag("-s --nocapture", _gives("-s")),
    _flag("-v --verbose", _gives("-v")),
    _flag("-q --quiet", _gives("-q")),
    _value("--verbosity", _verbosity),
    _flag("-d --detailed-errors --failure-detail", _nothing),
    _flag("--with-xunit --with-xunitmp", _gives("--junitxml=nosetests.xml")),
    _value("--xunit-file --xunitmp-file", _gives("--junitxml={}")),
    _value("--xunit-testsuite-name", _gives("-o", "junit_suite_name={}")),
    _flag("--xunit-prefix-with-testsuite-name", _nothing),
    _flag("--with-json", _warns("--with-json: no equivalent, " + _MATRIX)),
    _value("--json-file", _warns("--json-file={}: no equivalent, " + _MATRIX)),
    _flag("--with-timer", _gives("--durations=0")),
    _value("--timer-top-n", _gives("--durations={}")),
    _value("--logging-level", _gives("--log-level={}")),
    _value("--logging-format", _gives("--log-format={}")),
    _value("--logging-datefmt", _gives("--log-date-format={}")),
    _value("--logging-filter", _warns("--logging-filter={}: no equivalent")),
    _value("--logging-config", _warns("--logging-config={}: no equivalent")),
    _flag("--logging-clear-handlers", _nothing),
    _flag("--nologcapture", _gives("--show-capture=no")),
    _value("-l --debug", _warns("--debug={}: no equivalent, it shows nose's own log")),
    _flag("--with-coverage", _gives("--cov")),
    _value("--cover-package", _gives("--cov={}")),
    _flag("--cover-html", _gives("--cov-report=html")),
    _flag("--cover-xml", _gives("--cov-report=xml")),
    _flag("--cover-branches", _gives("--cov-branch")),
    _flag("--cover-erase", _nothing),
    _flag("--cover-inclusive --cover-tests", _warns("--cover-tests: no equivalent")),
    _value("--cover-min-percentage", _gives("--cov-fail-under={}")),
    _flag("--with-profile", _warns("--with-profile: no equivalent; run `python -m cProfile -m pytest …`")),
    _flag("-h --help", _gives("--help")),
    _flag("-V --version", _gives("--version")),
    _flag("--plugins", _gives("--trace-config")),
)

_BY_NAME = {name: option for option in _OPTIONS for name in option.names}
_SHORT = "".join(f"{name[1]}{':' * option.takes_value}" for name, option in _BY_NAME.items() if name[1] != "-")
_LONG = [f"{name[2:]}{'=' * option.takes_value}" for name, option in _BY_NAME.items() if name.startswith("--")]


def _read(words: Sequence[str], said: _Said) -> None:
    left = list(words)
    while True:
        try:
            found, names = getopt.gnu_getopt(left, _SHORT, _LONG)
            break
        except getopt.GetoptError as error:
            left, unread = _without(left, error.opt)
            said.warnings.append(f"{unread}: not understood ({error.msg}), left out")
    for name, value in found:
        _BY_NAME[name].effect(said, value)
    said.options = _once(said.options)
    if any(word.startswith("--cov") for word in said.options):
        said.warnings.append(f"--cov {_COVERAGE}")
    for name in names:
        if "=" in name:
            said.warnings.append(
                f"{name}: left out, nose takes it for a test's name; write no space after a comma in -a"
            )
        else:
            said.names.append(name)


def _without(words: list[str], option: str) -> tuple[list[str], str]:
    """The words without the first that has the option which getopt could not read, and that word."""
    for place, word in enumerate(words):
        joined = word.startswith("-") and not word.startswith("--") and option in word[1:]
        if word.partition("=")[0] == f"--{option}" or (len(option) == 1 and joined):
            return words[:place] + words[place + 1 :], word
    raise AssertionError(option)


def _once(options: Iterable[str]) -> list[str]:
    """A file named by --xunit-file takes the place of the one that --with-xunit alone would write."""
    kept = list(options)
    default = "--junitxml=nosetests.xml"
    if any(word.startswith("--junitxml=") and word != default for word in kept):
        kept = [word for word in kept if word != default]
    return kept


# Names of tests


def _marvin_options(said: _Said) -> list[str]:
    if said.with_marvin:
        return ["--with-marvin", *said.marvin]
    said.warnings += [f"{each}: left out, without --with-marvin nose does not read it" for each in said.marvin]
    return []


def _addresses(said: _Said) -> list[str]:
    found = [_address(name, said) for name in said.names]
    if said.where is None:
        return found
    return [str(PurePosixPath(said.where, name)) for name in found] or [said.where]


def _address(name: str, said: _Said) -> str:
    """nose's ``file.py:TestX.test_a`` or ``package.module:TestX`` as pytest's ``file.py::TestX::test_a``."""
    module, colon, inner = name.partition(":")
    if not colon and "/" not in module and module.count(".") >= 1 and not module.endswith(".py") and module.strip("."):
        said.warnings.append(f"{name}: taken for the name of a module")
        module = module.replace(".", "/") + ".py"
    elif colon and not module.endswith(".py") and "/" not in module:
        module = module.replace(".", "/") + ".py"
    return "::".join([module, *inner.split(".")] if inner else [module])


# The shell's part

_PROGRAM = re.compile(r"(?:.*/)?(?:nosetests|pynose)(?:-?[\d.]+)?(?:\.exe)?|nose|\$\{?NOSE\w*\}?")
_LEADS = re.compile(r"[$!]|time|exec|if|while|then|do|else|-m|(?:.*/)?python[\d.]*")
"""What may stand before a command and says nothing of its own."""
_RUNNERS = re.compile(r"sudo|env|nice|nohup|timeout|docker|podman|ssh")
"""Commands whose arguments hold another command."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OPERATOR = re.compile(r"[();|&]+|(?:(?<!\S)\d+)?[<>]+(?:&\d)?")
_EXPANSION = re.compile(
    r"\$\{[^}]*\}|\$\((?:[^()]|\([^()]*\))*\)|\$\w+|\$[@*?#!$-]|`[^`]*`|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
_VERBATIM = re.compile(r"'[^']*'|\\.", re.DOTALL)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_FIRST = 0xF0000
"""Private characters, one for each expansion and operator: words go through shlex and the tables with these instead."""


@dataclass(frozen=True)
class _Shell:
    """What the shell (or Ansible) would have filled in or acted on, by the character that stands for it."""

    expansions: tuple[tuple[str, bool], ...]
    """Each as written, and whether it stood in double quotes."""

    def restore(self, text: str) -> str:
        """The text as it was written, for people to read."""
        return self._replaced(text, lambda written, _: written)

    def quote(self, word: str) -> str:
        """The word as a shell must be given it; an expansion stays one, in double quotes if it was."""
        if assignment := _ASSIGNMENT.match(word):  # its name must not be in quotes
            return assignment[0] + (self.quote(rest) if (rest := word[assignment.end() :]) else "")
        parts = re.split(f"([{chr(_FIRST)}-\U000ffffd])", word)
        if len(parts) == 1:
            return shlex.quote(word)
        return "".join(
            self._replaced(part, lambda written, quoted: f'"{written}"' if quoted else written)
            if number % 2
            else part and shlex.quote(part)
            for number, part in enumerate(parts)
        )

    def is_operator(self, word: str) -> bool:
        """Whether the word parts two commands, or leads output elsewhere; in quotes it would be a word."""
        return self.is_all(word) and _OPERATOR.fullmatch(self.restore(word)) is not None

    def is_all(self, text: str) -> bool:
        """Whether nothing of the text is known."""
        return all(ord(character) >= _FIRST for character in text)

    def _replaced(self, text: str, show: Callable[[str, bool], str]) -> str:
        return "".join(
            show(*self.expansions[ord(character) - _FIRST]) if ord(character) >= _FIRST else character
            for character in text
        )


def _split(line: str) -> tuple[list[str], _Shell]:
    """The words of a line, shell operators as words of their own."""
    line = line.replace("\\\n", " ")
    if any(ord(character) >= _FIRST for character in line):
        raise UserError("this line has characters that are for private use")
    expansions: list[tuple[str, bool]] = []
    text, place, quoted = "", 0, False
    while place < len(line):
        found = _VERBATIM.match(line, place) if not quoted else _ESCAPE.match(line, place)
        if found:
            text += found[0]
        elif found := _EXPANSION.match(line, place) or (None if quoted else _OPERATOR.match(line, place)):
            stand_in = chr(_FIRST + len(expansions))
            text += f" {stand_in} " if _OPERATOR.fullmatch(found[0]) else stand_in
            expansions.append((found[0], quoted))
        else:
            text += line[place]
            quoted ^= line[place] == '"'
        place = found.end() if found else place + 1
    try:
        return shlex.split(text), _Shell(tuple(expansions))
    except ValueError:
        raise UserError("the quotes of this line do not match", hint=f"it reads: {line.strip()}") from None


def _after_program(words: Sequence[str], shell: _Shell) -> int | None:
    """The place of nose's first argument, where a word in the place of a command is nose."""
    expected = True
    for place, word in enumerate(words):
        if expected and _PROGRAM.fullmatch(shell.restore(word)) and not _ASSIGNMENT.match(word):
            return place + 1
        if shell.is_operator(word) or _RUNNERS.fullmatch(word):
            expected = True
        elif not word.startswith("-"):
            expected = expected and bool(_ASSIGNMENT.match(word) or _LEADS.fullmatch(word) or _runs(words[:place]))
    return None


def _runs(words: Sequence[str]) -> bool:
    """Whether the words begin a command that takes another one, such as ``docker run --rm IMAGE``."""
    return any(_RUNNERS.fullmatch(word) for word in words)
