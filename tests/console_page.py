"""The commands of a documentation page, run as a reader would: in one shell, top to bottom, in a folder of their own.

In a fenced ``console`` block a line that starts with ``$ `` is a command, ``> `` continues it, and the lines after it are
its output, word for word, errors included. ``…`` stands for anything within a line, alone on a line for any lines. A
command that is to end with another exit code than 0 says so in a comment: ``# exit code 3``. One that ends in ``&`` is
a server: its output is waited for. A block with a title (``python title=test_x.py``) is a file that the reader saves.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<info>[^\n]+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_JOB_ENDED = re.compile(r"^\[\d+\].*\n", re.MULTILINE)
_PATIENCE = 30
"""Seconds that a server may take to say where it is."""

DEFAULT_PORTS = ("8096", "8080")
"""Ports that pages name because users do; here each is replaced, so that pages can run side by side."""


@dataclass(frozen=True)
class Command:
    """A command, what the page shows of its output, and the exit code that it is to end with."""

    text: str
    output: str

    @property
    def exit_code(self) -> int:
        said = re.search(r"# exit code (\d+)\s*$", self.text)
        return int(said[1]) if said else 0

    @property
    def is_server(self) -> bool:
        return self.text.endswith("&")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for info, text in _fences(page.read_text(encoding="utf-8")) if info.split()[0] == language]


def commands(page: Path) -> list[Command]:
    """Every command that a page shows."""
    return [each for text in blocks(page, "console") for each in _commands(text)]


def run_page(page: Path, folder: Path, excepted: re.Pattern[str]) -> Iterator[tuple[Command, int, str]]:
    """Run a page's commands but those that match ``excepted``; yields each with its exit code and its output."""
    text = page.read_text(encoding="utf-8")
    for port in DEFAULT_PORTS:
        text = text.replace(port, _free_port())
    with _Shell(folder) as shell:
        for info, block in _fences(text):
            if titled := re.search(r"title=(\S+)", info):
                (folder / titled[1]).write_text(block, encoding="utf-8")
            if info != "console":
                continue
            for command in _commands(block):
                if not excepted.match(command.text):
                    yield command, *shell.run(command)


def shows(expected: str, output: str) -> bool:
    """Whether an output is what a page shows, ``…`` standing for anything."""
    pattern = "".join(_line_pattern(line) for line in expected.splitlines())
    return re.fullmatch(pattern, output) is not None


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    return "[^\n]*".join(re.escape(part) for part in line.split("…")) + r"\n"


def _fences(text: str) -> list[tuple[str, str]]:
    return [(found["info"], found["text"]) for found in _FENCE.finditer(text)]


def _commands(block: str) -> Iterator[Command]:
    for found in _COMMAND.finditer(block):
        yield Command(found["command"].replace("\n> ", "\n").rstrip(), found["output"])


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class _Shell:
    """A bash that keeps its folder, its variables and its background jobs from one command to the next."""

    def __init__(self, folder: Path) -> None:
        self._output = folder / ".console-output"
        clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR", "CI")}
        clean |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
        }
        self._stream = self._output.open("wb")
        self._bash = subprocess.Popen(
            ["bash", "-o", "pipefail"],
            cwd=folder,
            env=clean,
            stdin=subprocess.PIPE,
            stdout=self._stream,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._seen = 0
        # As in an interactive shell: a background job is one process group, and can be ended as one.
        self._bash.stdin.write("set -m\n")

    def __enter__(self) -> _Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.stdin.write("\nkill $(jobs -p) 2>/dev/null; wait\n")
        self._bash.stdin.close()
        self._bash.wait(_PATIENCE)
        self._stream.close()

    def run(self, command: Command) -> tuple[int, str]:
        """Exit code and output. What a server says after its command is waited for as the page shows it."""
        mark = f"-- done {time.monotonic_ns()} --"
        self._bash.stdin.write(f"{command.text}\necho '{mark}' $?\n")
        self._bash.stdin.flush()
        while (found := re.search(rf"{mark} (\d+)\n", self._new())) is None:
            assert self._bash.poll() is None, f"{command.text} ended the shell"
            time.sleep(0.02)
        output = self._new().replace(found[0], "", 1)
        give_up = time.monotonic() + _PATIENCE
        while command.is_server and not shows(command.output, output) and time.monotonic() < give_up:
            time.sleep(0.02)
            output = self._new().replace(found[0], "", 1)
        self._seen = self._output.stat().st_size
        # When a shell tells that a background job has ended is a matter of luck.
        return int(found[1]), _JOB_ENDED.sub("", output)

    def _new(self) -> str:
        return self._output.read_bytes()[self._seen :].decode("utf-8", "replace")
