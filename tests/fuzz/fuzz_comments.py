"""Fuzzes the reading of comments with atheris: ``pip install atheris; python tests/fuzz/fuzz_comments.py -max_len=4096``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from cs_matrix_pytest.importers.comments import Comment, runs_of
    from cs_matrix_pytest.importers.stated import Stated

WHEN = "2024-01-01T00:00:00.000Z"


def read(data: bytes) -> None:
    """Any exception is a finding."""
    provider = atheris.FuzzedDataProvider(data)
    text = provider.ConsumeUnicode(atheris.ALL_REMAINING)
    for run in runs_of(Comment(text, text), "fuzz", Stated(), WHEN):
        for line in run.lines:
            vars(line)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
