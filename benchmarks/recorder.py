"""A pytest plugin (``-p benchmarks.recorder``): every HTTP call made through requests, as JSON Lines in ``$CS_RECORD_TO``.

The form is that of the recordings of a real server: ``u`` URL, ``p`` parameters, ``d`` body, ``s`` status, ``r`` answer,
``t`` the test in whose call it was made (``TestA.test_b``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests


def running_test() -> str | None:
    node, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    if phase != "(call)":
        return None
    return ".".join(node.split("[")[0].split("::")[-2:])


@pytest.fixture(scope="session", autouse=True)
def record_calls() -> Iterator[None]:
    real = requests.Session.request
    with (
        Path(os.environ["CS_RECORD_TO"]).open("a", buffering=1, encoding="utf-8") as file,
        pytest.MonkeyPatch.context() as patch,
    ):

        def request(self: requests.Session, method: str, url: str, **given: Any) -> requests.Response:
            answer = real(self, method, url, **given)
            call = {
                "t": running_test(),
                "u": url,
                "p": given.get("params"),
                "d": given.get("data"),
                "s": answer.status_code,
                "r": answer.text,
            }
            file.write(json.dumps(call, default=str) + "\n")
            return answer

        patch.setattr(requests.Session, "request", request)
        yield
