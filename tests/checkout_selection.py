"""Two selections of a CloudStack checkout's tests beside each other: nose's and this project's, for many expressions."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cs_matrix_pytest.marvin_bridge.generated_api import completed
from cs_matrix_pytest.marvin_bridge.locate import locate
from pynose import nose_path

HERE = Path(__file__).parent
SUITES = Path("test/integration")

Expression = list[str]
"""Options of nose, such as ``["-a", "tags=x", "-A", "not tags"]``."""
Name = tuple[str, "str | None", str]
"""A test: its file below test/integration, its class, its method."""


@dataclass(frozen=True)
class Answer:
    """What one side says: its tests, and for each expression those that it selects."""

    raw: dict[str, Any]
    tree: Path

    @cached_property
    def names(self) -> list[Name]:
        return [(self._place(row["file"]), row["class"], row["method"]) for row in self.raw["tests"]]

    @cached_property
    def tests(self) -> set[Name]:
        return {name for name, row in zip(self.names, self.raw["tests"], strict=True) if not row["helper"]}

    @property
    def failures(self) -> set[str]:
        """The files that could not be loaded."""
        return {self._place(file) for file, _ in self.raw["failures"]}

    @property
    def vocabulary(self) -> dict[str, list[str]]:
        return self.raw["vocabulary"]

    def selected(self, number: int) -> set[Name]:
        return self._chosen(self.raw["selected"][number])

    def unanswered(self, number: int) -> set[Name]:
        return self._chosen(self.raw["unanswered"][number])

    def _chosen(self, mask: str) -> set[Name]:
        bits = int(mask, 16)
        return {name for number, name in enumerate(self.names) if bits >> number & 1} & self.tests

    def _place(self, file: str) -> str:
        return Path(os.path.relpath(file, self.tree / SUITES)).as_posix()


def marvin_of(tree: Path, folder: Path) -> Path:
    """A copy of the tree's Marvin, complete with its API, below ``folder``, which is for PYTHONPATH."""
    marvin = completed(locate(tree), lambda _: None)
    if not (folder / "marvin").exists():
        shutil.copytree(marvin.path, folder / "marvin")
        if marvin.api is not None:
            shutil.copytree(marvin.api, folder / "marvin" / "cloudstackAPI")
    return folder


def nose_answer(
    tree: Path,
    paths: Iterable[Path],
    expressions: Sequence[Expression],
    *on_path: Path,
    scratch: Path,
    run: bool = False,
) -> Answer:
    """nose's answer. It is given by name each folder below `paths` that it would not enter: one that is no package."""
    named = list(itertools.chain.from_iterable(map(_named, paths)))
    job = scratch / "nose-job.json"
    job.write_text(json.dumps({"paths": list(map(str, named)), "expressions": expressions, "run": run}))
    command = [sys.executable, str(HERE / "nose_reference.py"), str(job)]
    environment = _environment([nose_path(), *on_path])
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=scratch, env=environment, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Answer(json.loads(done.stdout), tree)


def _named(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        below = (folder for folder in sorted(path.rglob("*")) if folder.is_dir() and folder.name[0] not in "._")
        yield from (folder for folder in below if not (folder / "__init__.py").exists())


def our_answer(
    tree: Path,
    paths: Iterable[Path],
    expressions: Sequence[Expression],
    *args: str,
    on_path: Iterable[Path] = (),
    scratch: Path,
) -> Answer:
    """This project's answer: one pytest session with one environment that collects `paths`."""
    make_lab(scratch)
    job, answer = scratch / "our-job.json", scratch / "our-answer.json"
    job.write_text(json.dumps({"expressions": expressions}))
    answer.unlink(missing_ok=True)
    environment = {**_environment([HERE, *on_path]), "CS_JOB": str(job), "CS_ANSWER": str(answer)}
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-p", "checkout_items", *in_lab(tree, scratch), *args]
    done = subprocess.run(
        [*command, *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=scratch,
        env=environment,
        check=False,
        timeout=900,
    )
    assert answer.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return Answer(json.loads(answer.read_text()), tree)


def make_lab(folder: Path, environments: Sequence[str] = ("demo",)) -> None:
    """An environments file, of embedded environments."""
    lines = "".join(f"  {name}: {{simulator: embedded, hypervisor: {{type: kvm}}}}\n" for name in environments)
    (folder / "cs-environments.yaml").write_text(f"version: 1\nenvironments:\n{lines}")


def in_lab(tree: Path, lab: Path, environments: str = "demo") -> list[str]:
    """pytest's options to collect in `make_lab`'s environments, by ids that begin below test/integration."""
    return [
        *("-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:hypothesispytest"),
        f"--cs-source={tree}",
        f"--cs-env={environments}",
        f"--cs-env-file={lab / 'cs-environments.yaml'}",
        f"--rootdir={tree / SUITES}",
    ]


def _environment(on_path: Iterable[Path]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, on_path)), "PYTHONDONTWRITEBYTECODE": "1"}


def expressions_over(vocabulary: dict[str, list[str]]) -> list[Expression]:
    """Expressions of every form, over every attribute and every value that tests have."""
    return [*_attr_expressions(vocabulary), *_eval_expressions(vocabulary)]


def _attr_expressions(vocabulary: dict[str, list[str]]) -> Iterator[Expression]:
    tags = [tag for tag in vocabulary["tags"] if "," not in tag]
    hardware = sorted({*vocabulary["required_hardware"], "false", "true", "FALSE", "nothing"})
    for tag in tags:
        for value in (tag, tag.upper(), tag.title(), f"!{tag}", f" {tag}", tag[:-1]):
            yield ["-a", f"tags={value}"]
        yield ["-a", f"Tags={tag}"]
        yield ["-a", f"!tags={tag}"]
        yield ["-a", f"tags={tag},!simulator_only"]
        for value in hardware:
            yield ["-a", f"tags={tag},required_hardware={value}"]
        yield ["-a", f"tags={tag}, required_hardware=true"]
        yield ["-a", f"tags={tag}, required_hardware=false"]
    for one, other in itertools.pairwise(tags):
        yield ["-a", f"tags={one},tags={other}"]
        yield ["-a", f"tags={one}", "-a", f"tags={other},required_hardware=false"]
    for name, values in vocabulary.items():
        for term in (
            name,
            f"!{name}",
            name.upper(),
            f"!{name.upper()}",
            f"{name}=",
            f"tags=advanced,{name}",
            f"tags=basic,!{name}",
        ):
            yield ["-a", term]
        for value in values:
            if "," not in value:
                yield ["-a", f"{name}={value}"]
                yield ["-a", f"{name}={value.swapcase()},tags=advanced"]
                yield ["-a", f"{name}=!{value}"]
                yield ["-a", "simulator_only", "-a", f"{name}={value}"]
    # What no @attr set: attributes of functions and of classes.
    for term in (
        "__name__",
        "!__doc__",
        "__module__=x",
        "maxDiff",
        "!maxDiff",
        "setUp",
        "longMessage=true",
        "nothing",
        "!nothing",
    ):
        yield ["-a", term]


def _eval_expressions(vocabulary: dict[str, list[str]]) -> Iterator[Expression]:
    for tag in vocabulary["tags"]:
        yield ["-A", f"{tag!r} in tags"]
        yield ["-A", f"tags and {tag!r} in tags"]
        yield ["-A", f"not tags or {tag!r} not in tags and required_hardware == 'false'"]
        yield ["-A", f"(tags and {tag!r} in tags) or required_hardware in ('true', True)"]
        if "," not in tag:
            yield ["-a", f"tags={tag}", "-A", "not tags"]
    for name, values in vocabulary.items():
        yield ["-A", name]
        yield ["-A", f"not {name}"]
        yield ["-A", f" {name} and not simulator_only "]
        yield ["-A", f"{name} is False or {name} is None"]
        for value in values:
            yield ["-A", f"{name} == {value!r}"]
            yield ["-A", f"{name} != {value!r} and tags"]
    yield from (
        ["-A", text]
        for text in ("len(tags)", "True", "tags[0] == 'advanced'", "required_hardware > 1", "1 / 0", "__name__")
    )
    yield ["-A", "tags and 'advanced' in tags", "-A", "simulator_only"]


def differences(nose: Answer, ours: Answer, expressions: Sequence[Expression]) -> list[str]:
    """Each expression for which the two differ, with the first tests that only one of them has; and files and tests that do."""
    found = [
        *_differing("tests", nose.tests, ours.tests),
        *_differing("files that do not load", nose.failures, ours.failures),
    ]
    for number, expression in enumerate(expressions):
        found += _differing(f"selected by {expression}", nose.selected(number), ours.selected(number))
        found += _differing(f"without an answer to {expression}", nose.unanswered(number), ours.unanswered(number))
    return found


def _differing(what: str, nose: set[Any], ours: set[Any]) -> Iterator[str]:
    for side, more in (("nose", nose - ours), ("ours", ours - nose)):
        if more:
            yield f"{what}: {len(more)} only of {side}: {sorted(more, key=str)[:3]}"
