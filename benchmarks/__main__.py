"""``python -m benchmarks [NAME …]``: what the README's figures are measured with. Each prints its figures and its bound."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    names = parser.parse_args().names or BENCHMARKS
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    failed = [name for name in names if not import_module(f"benchmarks.{name}").measure()]
    if failed:
        print(f"out of bounds: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
