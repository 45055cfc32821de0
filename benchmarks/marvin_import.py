"""Importing Marvin 4.4.0 through the port: with a warm cache, over what its dependencies take."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.figures import report

PROGRAM = """\
import time, email, imaplib, mysql.connector, optparse, paramiko, requests, unittest, xml.dom.minidom
from cs_matrix_pytest.marvin_bridge import activate
import cs_matrix_pytest.marvin_bridge.port44.cache, cs_matrix_pytest.marvin_bridge.port44.additions
activate()
started = time.process_time()
import marvin.cloudstackTestCase, marvin.integration.lib.base, marvin.integration.lib.common
print(time.process_time() - started)
"""


def measure() -> bool:
    seconds = [
        float(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout)
        for _ in range(4)
    ]
    return report("importing Marvin 4.4.0 from a warm cache", min(seconds[1:]) * 1000, "ms", at_most=100)
