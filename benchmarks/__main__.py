"""``python -m benchmarks [NAME …]``: what the README's figures are measured with. Each prints its figures and its bound."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

BENCHMARKS = (
    "startup",
    "simulator",
    "overhead",
    "outcomes",
    "history",
    "importers",
    "html_page",
    "marvin_import",
    "api_generation",
    "collection",
    "demo",
    "fidelity",
    "simulator_coverage",
)


def in_process_of_its_own(name: str) -> bool:
    """What a benchmark's ``measure`` answers: what others leave in memory would count as that of the processes it starts."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return bool(process.submit(import_module(f"benchmarks.{name}").measure).result())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().names or BENCHMARKS
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    failed = [name for name in names if not in_process_of_its_own(name)]
    if failed:
        print(f"out of bounds: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
