"""docs/simulator-coverage.md: the sessions over upstream's selection, and the answers, beside a real server's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.coverage_comparison import Recorded, differences, reason, spread, totals, unrecorded
from benchmarks.fidelity import Figures
from benchmarks.upstream_selection import ATTRIBUTES, CONFIG, SUITES, WORKFLOW, Result, Session
from cs_matrix_pytest.reports.markdown import shown

INTRODUCTION = f"""\
# What the simulator covers

The suites that CloudStack's own simulator CI runs (`{WORKFLOW}`), untouched, with the tree's own Marvin: `{ATTRIBUTES}`, in
one pytest process with one embedded environment that Marvin's deployDataCenter filled from `{CONFIG}`. Beside them stands what a real
management server with CloudStack's simulator plugin gave for the same selection, where a recording has it.

Upstream gives each group of suites a server of its own; here all run on one, in the order of the workflow. Where the reason is
*passes alone*, the test fails so, but passes in a session of its suite only.

This page is generated:

```sh
CS_SOURCE=~/cloudstack CS_RECORDING=~/recording tox run -e upstream-simulator
```
"""

MESSAGE = 160
"""Characters of a message."""


def render(
    sessions: Sequence[Session],
    recording: Mapping[str, Recorded] | None,
    figures: Figures | None = None,
    alone: Mapping[str, Result] | None = None,
) -> str:
    """The page. The tables by suite and test are of the first session; a test that another decides otherwise is named.

    ``alone`` has the results of suites that were run again, each with nothing before it.
    """
    first = sessions[0]
    recorded = spread(recording or {}, first.results)
    parts = [INTRODUCTION, _totals(sessions, recorded)]
    if recorded:
        parts.append(_differing(recorded, first, alone or {}))
    parts += [_between(sessions), _unrecorded(recorded, first, alone or {})]
    if figures is not None:
        parts.append(fidelity(figures))
    parts.append(_suites(recorded, first))
    return "\n".join(part for part in parts if part)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _totals(sessions: Sequence[Session], recorded: Mapping[str, Recorded]) -> str:
    def row(label: str, there: object, here: Iterable[object]) -> list[object]:
        return [label, *([there] if recorded else []), *here]

    counts = [totals(recorded, session.results) for session in sessions]
    there = Counter(each.result.outcome for each in recorded.values())
    bound = sum(each.bound for each in recorded.values())
    rows = []
    if recorded:
        rows = [
            row(
                "tests in the recording",
                f"{len(recorded):,}",
                (f"{len(recorded.keys() & s.results):,}" for s in sessions),
            ),
            row("… that pass there", there["passed"], (f"{each['passed', 'passed']} pass" for each in counts)),
            row("… skipped there", there["skipped"], (f"{each['skipped', 'skipped']} skipped" for each in counts)),
            row(
                "… failed there for reasons of that run",
                bound,
                (f"{each['failed', 'passed']} pass" for each in counts),
            ),
        ]
    rest = [Counter(_outcomes(unrecorded(recorded, session.results).values())) for session in sessions]
    rows += [
        row("other tests of the selection", "", (sum(each.values()) for each in rest)),
        row("… passed, skipped, failed", "", (_three(each) for each in rest)),
        row("time", _hours(recorded), (f"{session.seconds:.0f} s" for session in sessions)),
        row("peak memory of the process", "", (f"{session.memory:.0f} MiB" for session in sessions)),
        row("CloudStack", "", (shown(session.version, in_table=True) for session in sessions)),
        row("pytest", "", (session.tools.get("pytest", "?") for session in sessions)),
    ]
    pythons = [f"Python {session.tools.get('python', '?')}" for session in sessions]
    return table(["", *(["real server"] if recorded else []), *pythons], rows)


def _outcomes(results: Iterable[Result]) -> Iterator[str]:
    return (result.outcome if result.outcome in ("passed", "skipped") else "failed" for result in results)


def _three(counted: Counter[str]) -> str:
    return ", ".join(str(counted[name]) for name in ("passed", "skipped", "failed"))


def _hours(recorded: Mapping[str, Recorded]) -> str:
    return f"{sum(each.seconds for each in recorded.values()) / 3600:.1f} h of tests" if recorded else ""


def _differing(recorded: Mapping[str, Recorded], session: Session, alone: Mapping[str, Result]) -> str:
    rows = list(differences(recorded, session.results, alone))
    if not rows:
        return "## Tests that differ\n\nNone.\n"
    reasons = Counter(each.reason for each in rows)
    counted = ", ".join(f"{shown(reason)} {count}" for reason, count in reasons.most_common())
    body = table(
        ["test", "there", "here", "reason", "message"],
        (
            (
                shown(each.test, in_table=True),
                each.there,
                each.here,
                shown(each.reason, in_table=True),
                _said(each.message),
            )
            for each in rows
        ),
    )
    return f"## Tests that differ\n\n{len(rows)} of {len(recorded):,}: {counted}.\n\n{body}"


def _between(sessions: Sequence[Session]) -> str:
    first, *others = sessions
    rows = [
        (
            shown(test, in_table=True),
            first.tools.get("python", "?"),
            first.results[test].outcome if test in first.results else "not run",
            other.tools.get("python", "?"),
            other.results[test].outcome if test in other.results else "not run",
            _said((other.results.get(test) or first.results[test]).message),
        )
        for other in others
        for test in sorted(first.results.keys() | other.results.keys())
        if first.results.get(test, Result("not run")).outcome != other.results.get(test, Result("not run")).outcome
    ]
    if not others:
        return ""
    if not rows:
        return "Every test has the same result with each of these Pythons.\n"
    return f"## Between Pythons\n\n{table(['test', 'Python', 'result', 'Python', 'result', 'message'], rows)}"


def _unrecorded(recorded: Mapping[str, Recorded], session: Session, alone: Mapping[str, Result]) -> str:
    title = "Tests that the recording does not have" if recorded else "Tests that do not pass"
    rest = unrecorded(recorded, session.results)
    bad = {test: result for test, result in rest.items() if result.outcome not in ("passed", "skipped")}
    counted = Counter(_outcomes(rest.values()))
    said = f"{len(rest)} tests: {counted['passed']} pass, {counted['skipped']} are skipped, {counted['failed']} fail."
    if not bad:
        return f"## {title}\n\n{said}\n"
    body = table(
        ["test", "here", "reason", "message"],
        (
            (
                shown(test, in_table=True),
                result.outcome,
                shown(reason(result, alone=alone.get(test)), in_table=True),
                _said(result.message),
            )
            for test, result in bad.items()
        ),
    )
    return f"## {title}\n\n{said} Those that fail:\n\n{body}"


def _suites(recorded: Mapping[str, Recorded], session: Session) -> str:
    there: dict[str, Counter[str]] = {}
    for test, each in recorded.items():
        kind = "other" if each.bound else each.result.outcome
        there.setdefault(test.split("::")[0], Counter())[kind] += 1
    here: dict[str, Counter[str]] = {}
    for test, result in session.results.items():
        here.setdefault(test.split("::")[0], Counter()).update(_outcomes([result]))
    rows = []
    for suite in sorted(there.keys() | here.keys()):
        real, ours = there.get(suite), here.get(suite, Counter())
        known = (real["passed"], real["skipped"], real["other"] or "") if real else ("", "", "")
        columns = known if recorded else ()
        rows.append((f"`{suite}`", *columns, ours["passed"], ours["skipped"], ours["failed"] or ""))
    head = ["passed there", "skipped there", "failed there"] if recorded else []
    return (
        f"## By suite\n\nOf `{SUITES}`; suites with no test in this selection are left out"
        f"{', empty cells: not in the recording' if recorded else ''}.\n\n"
        + table(["suite", *head, "passed", "skipped", "failed"], rows)
    )


def fidelity(figures: Figures) -> str:
    """The section on answers."""
    rows = [
        (each.what, f"{each.good:,}", f"{each.total:,}", f"{each.share * 100:.1f} %", each.note)
        for each in figures.rows
    ]
    text = (
        "## Answers\n\nThe answers to every call of the session above, and to the recorded probes, held against the "
        f"recorded ones. `tox run -e fidelity` measures them.\n\n{table(['what', 'right', 'of', 'share', ''], rows)}"
    )
    if figures.wrong:
        text += "\nWhat is not as recorded:\n\n" + table(
            ["command", "what"],
            ((shown(name, in_table=True), _list(items)) for name, items in sorted(figures.wrong.items())),
        )
    return text


SHOWN = 6


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(shown(item, in_table=True) for item in items[:SHOWN]) + more


def _said(message: str) -> str:
    return shown(message, MESSAGE, in_table=True) if message else ""
