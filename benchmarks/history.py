"""A history of many runs in Parquet: the matrix of it, and the same question to xunit files.

``CS_HISTORY_ATTEMPTS`` (default 1000000,10000000) says how many attempts; 100000000 needs 8 GB of disk and some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.figures import report
from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.history import parquet
from cs_matrix_pytest.history.lines import Row, digest, escaped
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.lines import run_line
from cs_matrix_pytest.outcomes.model import Run, RunEnvironment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENVIRONMENTS, VERSIONS, TESTS = 144, 6, 1300
GROUPS = ENVIRONMENTS * VERSIONS * TESTS
LABS = 12
SHARE_TRIED = 0.95
"""The tests that are applicable where they are met."""
TIMES = 3
"""How often each is measured; the best counts, for the machine may be shared."""
SAMPLE_CASES, CASES_PER_FILE = 65_000, 1300
GIB = 1 << 30


QUESTIONS = {
    "comparing two of six versions": ("compare", "--fail-on=none", "4.17.0.0", "4.18.0.0"),
    "ranking the flaky tests": ("flaky",),
}


class Cost(NamedTuple):
    """What a process took: seconds, of which on all processors together, and bytes of memory at most."""

    seconds: float
    processor: float
    memory: int


def measure() -> bool:
    sizes = [int(size) for size in os.environ.get("CS_HISTORY_ATTEMPTS", "1000000,10000000").split(",")]
    good = True
    costs: dict[int, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="cs-history-") as scratch:
        for size in sizes:
            folder = Path(scratch) / str(size)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                attempts = process.submit(generate, folder, size).result()
            cost = costs[size] = min(asked(folder) for _ in range(TIMES))
            what = f"matrix.json of {attempts:,} attempts"
            megabytes = (folder / "matrix.json").stat().st_size / 1e6
            print(f"     {what}: {megabytes:.0f} MB, {cost.processor:.1f} s of processors", flush=True)
            allowed = 1.0 if size <= 10_000_000 else 1.1 * size / 10_000_000
            good &= report(what, cost.seconds, "s", at_most=4 * allowed)
            good &= report(f"{what}, memory", cost.memory / GIB, "GiB", at_most=1.5 * allowed)
            (folder / "matrix.json").unlink()
            for question, words in QUESTIONS.items():
                cost = min(asked(folder, *words) for _ in range(TIMES))
                good &= report(
                    f"{question} of {attempts:,} attempts", cost.seconds, "s", at_most=15 * max(1.0, size / 10_000_000)
                )
                good &= report(f"{question} of {attempts:,} attempts, memory", cost.memory / GIB, "GiB", at_most=1.5)
        xunit = by_junitparser(Path(scratch) / "xunit")
    for size in sizes:
        times = xunit * size / costs[size].seconds
        if size >= 10_000_000:
            good &= report(f"times as fast as junitparser for {size:,} attempts", times, "x", at_least=10)
    if {10_000_000, 100_000_000} <= costs.keys():
        times = costs[100_000_000].seconds / costs[10_000_000].seconds
        good &= report("ten times the attempts", times, "x the time", at_most=11)
    return good


def asked(folder: Path, *words: str) -> Cost:
    """``cs-matrix`` with these words (default: ``report``) and ``--format json``, in a process of its own."""
    command = [sys.executable, "-m", "cs_matrix_pytest", *(words or ("report",)), str(folder), "--format", "json"]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--output", str(folder / "matrix.json")], cwd=folder) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def generate(folder: Path, size: int) -> int:
    """A compacted folder of so many attempts: each test again and again in each environment at each version.

    Of the tests in an environment 90 % are steady, the others fail always, now and then, or from some day on, are
    skipped, blocked or not applicable there. Returns how many attempts there are.
    """
    folder.mkdir()
    turns = size / GROUPS / SHARE_TRIED
    file = folder / "runs-generated.parquet"
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / f"{version}.parquet" for version in range(VERSIONS)]
        for version, part in enumerate(files):
            with parquet.connection() as database:
                _view(database, version, turns)
                parquet.write(database, "SELECT * FROM lines", part)
        with parquet.connection() as database:
            files.append(Path(scratch) / "headers.parquet")
            parquet.gather(database, headers(int(turns) + 1), files[-1])
            parquet.write(database, f"SELECT * FROM {parquet.source(files)}", file)
            counted = database.execute(
                f"SELECT count(*) FROM {parquet.source([file])} WHERE kind = 'attempt'"
            ).fetchone()
            return int(counted[0]) if counted else 0


def _view(database: DuckDBPyConnection, version: int, turns: float) -> None:
    """The lines of one version, as a view."""
    database.execute(
        "CREATE TABLE names AS SELECT unnest($1) AS test, unnest($2) AS number", [names(), [*range(TESTS)]]
    )
    database.execute(
        f"""
        CREATE VIEW lines AS
        WITH met AS (
            SELECT test, e.range AS e, v.range AS v, r.range AS r, number,
                hash(number, e, v) % 1000 AS steady, hash(number, e, v, r) % 1000 AS luck,
                hash(number, e) % 100 AS fits
            FROM (SELECT {version} AS range) v, range({ENVIRONMENTS}) e, range({int(turns) + 1}) r, names
            WHERE r + (hash(number, e, v, 7) % 1000) / 1000 < {turns}
        ),
        seen AS (
            SELECT *, CASE
                WHEN steady < 30 OR (steady < 60 AND luck < 300) OR (steady < 80 AND r * 2 > {turns}) THEN 'failed'
                WHEN steady < 100 AND r * 2 < {turns} THEN 'errored'
                WHEN luck = 999 THEN 'blocked'
                WHEN steady > 980 THEN 'skipped'
                ELSE 'passed' END AS outcome
            FROM met
        )
        SELECT CASE WHEN fits < 5 THEN 'untested' ELSE 'attempt' END AS kind,
            '4.' || (17 + v) || '.0.0' AS acs_version, {context_key()} AS context, test, 'test' AS level,
            CASE WHEN fits >= 5 THEN strftime(TIMESTAMP '2026-01-01' + to_milliseconds(
                v * 86400000 + r * 600000000 + number * 30000 + hash(number, e, r) % 20000), '%Y-%m-%dT%H:%M:%S.%gZ')
                END AS started,
            'lab-' || (e // {ENVIRONMENTS // LABS}) AS lab, 'env-' || e AS environment,
            'run-' || v || '-' || r || '-' || (e // {ENVIRONMENTS // LABS}) AS run,
            (e % {ENVIRONMENTS // LABS} * {TESTS} + number + 2)::INTEGER AS line,
            CASE WHEN fits >= 5 THEN outcome END AS outcome,
            CASE WHEN fits >= 5 THEN (hash(number, luck) % 100000) / 1000 END AS seconds,
            CASE WHEN fits >= 5 THEN 'call' END AS phase,
            CASE WHEN fits >= 5 AND outcome IN ('failed', 'errored') THEN
                'CloudstackAPIException: job failed with 530: no capacity in <name> [' || (hash(number) % 300) || ']'
                END AS signature,
            CASE WHEN fits < 5 THEN 'needs hypervisor vmware' WHEN outcome = 'skipped' THEN 'no such template here'
                WHEN outcome IN ('failed', 'errored') THEN
                'CloudstackAPIException: job failed with 530: no capacity in zone-' || (luck % 50) || '-' || number
                END AS message,
            CASE WHEN fits < 5 THEN 'not-applicable' END AS reason,
            NULL::VARCHAR AS raw, NULL::INTEGER AS lines, NULL::VARCHAR AS digest, NULL::VARCHAR AS file
        FROM seen
        """
    )


def names() -> list[str]:
    """Tests of the modules that the shipped catalogue knows."""
    modules = sorted(name for name in load_catalogue().layers[0].exact if name.endswith(".py"))[:300]
    return [f"{modules[n % len(modules)]}::TestOfThisModule::test_{n:04}_does_what_it_says" for n in range(TESTS)]


def context(number: int) -> Context:
    """The environments differ."""
    return Context(
        Hypervisor(("kvm", "vmware", "xenserver")[number % 3], str(number // 12)),
        networking=("advanced", "basic")[number // 3 % 2],
        storage=Storage("shared", ("nfs", "iscsi")[number // 6 % 2]),
        management_os="el9",
    )


def context_key() -> str:
    return "CASE e " + " ".join(f"WHEN {n} THEN '{context(n).key}'" for n in range(ENVIRONMENTS)) + " END"


def headers(turns: int) -> list[Row]:
    """The first and last lines of the runs."""
    rows = []
    for version in range(VERSIONS):
        for turn in range(turns):
            for lab in range(LABS):
                run, started = f"run-{version}-{turn}-{lab}", "2026-01-01T00:00:00Z"
                commit = f"{version:02}{turn // 2:06}abcdef" if lab % 2 else None
                environments = {
                    f"env-{number}": RunEnvironment(context(number).as_dict(), f"4.{17 + version}.0.0", commit)
                    for number in range(lab * ENVIRONMENTS // LABS, (lab + 1) * ENVIRONMENTS // LABS)
                }
                line = json.dumps(run_line(Run(run, started, f"lab-{lab}", environments, {"pytest": "9.0.2"})))
                end = '{"kind": "end", "finished": "2026-01-02T00:00:00Z", "exit": 1}'
                last = ENVIRONMENTS // LABS * TESTS + 2
                common: dict[str, Any] = {"run": run, "lab": f"lab-{lab}"}
                file = f"run-{run}.jsonl"
                rows.append(
                    Row(
                        "run",
                        **common,
                        started=started,
                        raw=escaped(line),
                        lines=last + 1,
                        digest=digest(run.encode()),
                        file=file,
                    )
                )
                rows.append(Row("end", run=run, line=last, raw=escaped(end)))
    return rows


def by_junitparser(folder: Path) -> float:
    """Seconds per attempt to read xunit files and only count what each test gave where."""
    import junitparser

    folder.mkdir()
    tests = names()
    for number in range(SAMPLE_CASES // CASES_PER_FILE):
        cases = []
        for test in tests[:CASES_PER_FILE]:
            module, _, name = test.rpartition("::")
            failed = '<failure type="AssertionError" message="no capacity"/>' if (len(test) + number) % 15 == 0 else ""
            cases.append(f'<testcase classname="{module}" name="{name}" time="1.5">{failed}</testcase>')
        text = f'<testsuites><testsuite name="env-{number}">{"".join(cases)}</testsuite></testsuites>'
        (folder / f"{number}.xml").write_text(text, encoding="utf-8")

    def read() -> float:
        started = time.perf_counter()
        counts: Counter[tuple[str | None, str | None, str | None, bool]] = Counter()
        for file in folder.iterdir():
            for suite in junitparser.JUnitXml.fromfile(str(file)):
                for case in suite:
                    counts[suite.name, case.classname, case.name, case.is_passed] += 1
        assert sum(counts.values()) == SAMPLE_CASES
        (folder / "counts.json").write_text(json.dumps([*counts.items()]), encoding="utf-8")
        (folder / "counts.json").unlink()
        return time.perf_counter() - started

    return min(read() for _ in range(TIMES)) / SAMPLE_CASES
