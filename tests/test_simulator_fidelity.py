"""The simulator's answers held against what a real server answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.fidelity import NO_RECORDING, against, fresh_install, run_examples

RECORDING = os.environ.get("CS_RECORDING")


pytestmark = pytest.mark.skipif(not RECORDING, reason=NO_RECORDING)


def test_the_answers_to_the_examples_are_as_recorded(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    run_examples(tmp_path, calls)
    figures = against(Path(str(RECORDING)), calls)
    assert figures.rows[0].total > 1000
    assert [f"{each.what}: {each.share}" for each in figures.rows if each.share < each.at_least] == [], figures.wrong


def test_a_fresh_install_has_every_recorded_setting() -> None:
    [_, settings], wrong = fresh_install(Path(str(RECORDING)))
    assert settings.total > 900
    assert settings.share >= settings.at_least, wrong["listConfigurations"]
