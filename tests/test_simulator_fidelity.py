"""The simulator's answers held against what a real server answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.fidelity import examples_against

RECORDING = os.environ.get("CS_RECORDING")


@pytest.mark.skipif(not RECORDING, reason="CS_RECORDING names no recording of a real server")
def test_the_examples_get_the_fields_that_a_real_server_always_gives() -> None:
    agreement = examples_against(Path(str(RECORDING)))
    assert agreement.total > 1000
    assert agreement.share >= 0.9, agreement.wrong
