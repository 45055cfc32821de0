"""The outcome rules of `outcomes.classify` in SQL, for many attempts at once. That function stays what they mean.

A place is a part of the matrix: an ACS version and context, or one environment of several in it. A subject is a test (or a
class, or a module, by its level). The tables that the statements stand on:

- ``lines``: `history.lines.COLUMNS`;
- ``sources`` (run, environment, place, product, commit_name, ordinal, reason_ordinal): the environments of runs. Within
  one product the commit is the same, as far as is known; ``ordinal`` and ``reason_ordinal`` settle which of two
  attempts (reasons) of one moment is the newer one;
- ``subjects`` (subject, test, level, feature, is_test): the numbers are in the order of evidence in a cell;
- ``places`` (place, version, is_column, in_column): ``in_column`` is the place of the whole column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.history import parquet
from cs_matrix_pytest.history.lines import escaped
from cs_matrix_pytest.outcomes.classify import EXECUTED, REASON_OF_ATTEMPT, REASON_RANK
from cs_matrix_pytest.outcomes.matrix import STRENGTH
from cs_matrix_pytest.outcomes.model import AttemptOutcome, Outcome

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EXECUTED = ", ".join(sorted(f"'{outcome.value}'" for outcome in EXECUTED))
_NOT_PASSED = ", ".join(sorted(f"'{outcome.value}'" for outcome in EXECUTED - {AttemptOutcome.PASSED}))
_RANK = " ".join(f"WHEN '{code.value}' THEN {rank}" for code, rank in REASON_RANK.items())
_CODE = " ".join(f"WHEN '{each.value}' THEN '{code.value}'" for each, (code, _) in REASON_OF_ATTEMPT.items())
_TEXT = " ".join(f"WHEN '{each.value}' THEN '{escaped(text)}'" for each, (_, text) in REASON_OF_ATTEMPT.items())
_FAILING, _UNSTABLE, _UNTESTED, _COMPATIBLE = (
    STRENGTH[each] for each in (Outcome.FAILING, Outcome.UNSTABLE, Outcome.UNTESTED, Outcome.COMPATIBLE)
)

_GROUPS = f"""
CREATE OR REPLACE TEMP TABLE groups AS
SELECT place, subject,
    (count(*) FILTER (outcome IN ({_EXECUTED})))::INTEGER AS executed,
    (count(*) FILTER (outcome = 'passed'))::INTEGER AS passed,
    (count(*) FILTER (outcome = 'blocked'))::INTEGER AS blocked
FROM lines JOIN sources USING (run, environment) JOIN subjects USING (test, level)
WHERE kind IN ('attempt', 'untested')
GROUP BY ALL
"""

# Texts are not sorted with the attempts, which are many more than the failures that are told.
_NEWEST = f"""
CREATE OR REPLACE TEMP TABLE newest AS
SELECT place, subject, outcome = 'passed' AS ok, product, commit_name, instant, ordinal, line,
    (row_number() OVER newest_first)::INTEGER AS age,
    age < $window AND ok <> lead(ok) OVER newest_first AS changed
FROM attempts JOIN sources USING (run, environment) JOIN subjects USING (test, level)
SEMI JOIN (SELECT place, subject FROM groups WHERE passed < executed) USING (place, subject)
WHERE outcome IN ({_EXECUTED})
WINDOW newest_first AS (PARTITION BY place, subject ORDER BY instant DESC, ordinal DESC, line DESC)
QUALIFY age <= $window
"""

_FAILURES = f"""
CREATE OR REPLACE TEMP TABLE failures AS
SELECT place, subject, phase, signature, message
FROM attempts JOIN sources USING (run, environment) JOIN subjects USING (test, level)
JOIN (
    SELECT place, subject, newest.ordinal AS ordinal, newest.line AS line
    FROM (
        SELECT place, subject, arg_min({{'ordinal': ordinal, 'line': line}}, age) AS newest
        FROM newest WHERE NOT ok GROUP BY place, subject
    )
) USING (place, subject, ordinal, line)
WHERE outcome IN ({_NOT_PASSED})
"""

_FAILED = """
CREATE OR REPLACE TEMP TABLE failed AS
WITH
counted AS (
    SELECT place, subject,
        count(*) AS n,
        count(*) FILTER (ok) AS good,
        count(*) FILTER (changed) AS changes,
        min(age) FILTER (changed) AS settled,
        arg_min({'instant': instant, 'commit': commit_name}, age) FILTER (changed) AS since,
        arg_min(ok, age) AS newest_ok
    FROM newest GROUP BY place, subject
),
at_product AS (
    SELECT place, subject, any_value(commit_name) AS commit_name, count(*) AS n, count(*) FILTER (ok) AS good,
        max(age) AS first
    FROM newest SEMI JOIN (SELECT place, subject FROM counted WHERE good > 0 AND good < n) USING (place, subject)
    GROUP BY place, subject, product
    HAVING good > 0 AND good < count(*)
),
contradictions AS (
    SELECT place, subject, arg_min({'commit': commit_name, 'n': n, 'good': good}, first) AS clash
    FROM at_product GROUP BY place, subject
)
SELECT place, subject, good AS passed, n - good AS failed,
    CASE WHEN good = n THEN 'compatible'
        WHEN good = 0 THEN 'failing'
        WHEN clash IS NOT NULL OR changes > 1 OR settled < $settle THEN 'unstable'
        WHEN newest_ok THEN 'compatible'
        ELSE 'failing' END AS outcome,
    CASE WHEN good = n THEN concat('passed ', n, ' of ', n)
        WHEN good = 0 THEN concat('failed ', n, ' of ', n)
        WHEN clash IS NOT NULL THEN concat('passed ', clash.good, ' of ', clash.n,
            CASE WHEN clash.commit IS NULL THEN ' in one run' ELSE concat(' at commit ', clash.commit) END)
        WHEN changes > 1 THEN concat('the answer changed ', changes, ' times in ', n, ' attempts')
        ELSE concat(
            CASE WHEN settled < $settle THEN verb WHEN newest_ok THEN 'fixed' ELSE 'broken' END,
            ' since ', day_of(since.instant),
            CASE WHEN since.commit IS NULL THEN '' ELSE concat(' (commit ', since.commit, ')') END,
            CASE WHEN settled < $settle
                THEN concat(', ', before, ' before; ', settled, ' of the ', $settle, ' that settle it')
                ELSE concat(': the newest ', settled, ' ', verb, ', the ', n - settled, ' before ', before) END) END AS why,
    phase, signature, message, NULL::VARCHAR AS reason, NULL::VARCHAR AS reason_text
FROM (
    SELECT *, CASE WHEN newest_ok THEN 'passed' ELSE 'failed' END AS verb,
        CASE WHEN newest_ok THEN 'failed' ELSE 'passed' END AS before
    FROM counted LEFT JOIN contradictions USING (place, subject) LEFT JOIN failures USING (place, subject)
)
"""

# Of untested lines there are many, and numbers compare faster than rows: rank, ordinal and line in one.
_UNEXECUTED = f"""
CREATE OR REPLACE TEMP TABLE unexecuted AS
WITH
never_executed AS (SELECT place, subject FROM groups WHERE executed = 0),
given AS (
    SELECT place, subject, 0 AS part,
        max(CASE reason {_RANK} END) AS rank,
        arg_max(
            {{'code': reason, 'text': message}},
            ((CASE reason {_RANK} END)::BIGINT << 59) | (reason_ordinal::BIGINT << 31) | line::BIGINT
        ) AS chosen
    FROM lines JOIN sources USING (run, environment) JOIN subjects USING (test, level)
    SEMI JOIN never_executed USING (place, subject)
    WHERE kind = 'untested'
    GROUP BY place, subject
    UNION ALL
    SELECT place, subject, 1, max(CASE code {_RANK} END),
        arg_max({{'code': code, 'text': text}}, ROW(CASE code {_RANK} END, instant, ordinal, line))
    FROM (
        SELECT place, subject, CASE outcome {_CODE} END AS code,
            coalesce(nullif(message, ''), CASE outcome {_TEXT} END) AS text, instant, ordinal, line
        FROM attempts JOIN sources USING (run, environment) JOIN subjects USING (test, level)
        SEMI JOIN never_executed USING (place, subject)
        WHERE outcome NOT IN ({_EXECUTED})
    )
    GROUP BY place, subject
)
SELECT place, subject, 0::BIGINT AS passed, 0::BIGINT AS failed, 'untested' AS outcome,
    replace(said.code, '-', ' ') AS why,
    NULL::VARCHAR AS phase, NULL::VARCHAR AS signature, NULL::VARCHAR AS message,
    said.code AS reason, said.text AS reason_text
FROM (SELECT place, subject, arg_max(chosen, 2 * rank + part) AS said FROM given GROUP BY place, subject)
"""

_NEVER = """
CREATE OR REPLACE TEMP TABLE never AS
WITH
present AS (
    SELECT place, subject, feature, is_test, version, is_column, in_column
    FROM groups JOIN subjects USING (subject) JOIN places USING (place)
),
named AS (SELECT DISTINCT version, feature, subject FROM present WHERE is_column AND is_test),
named_count AS (SELECT version, feature, count(*) AS n FROM named GROUP BY ALL),
cells AS (
    SELECT place, feature, version, is_column, in_column, count(*) FILTER (is_test) AS tests FROM present GROUP BY ALL
),
in_columns AS (
    SELECT place, subject
    FROM (SELECT * FROM cells JOIN named_count USING (version, feature) WHERE is_column AND tests < n)
    JOIN named USING (version, feature)
    ANTI JOIN present USING (place, subject)
),
members AS (
    SELECT place AS in_column, feature, subject FROM present WHERE is_column
    UNION ALL
    SELECT place, feature, subject FROM in_columns JOIN subjects USING (subject)
)
SELECT place, subject FROM in_columns
UNION ALL
SELECT cells.place, members.subject
FROM (SELECT * FROM cells WHERE NOT is_column) cells JOIN members USING (in_column, feature)
ANTI JOIN present ON present.place = cells.place AND present.subject = members.subject
"""

_VERDICTS = f"""
CREATE OR REPLACE TABLE verdicts AS
SELECT place, subject, {_COMPATIBLE}::TINYINT AS strength, executed, blocked, least(passed, $window)::INTEGER AS plain
FROM groups WHERE executed > 0 AND passed = executed
UNION ALL
SELECT place, subject,
    CASE outcome WHEN 'failing' THEN {_FAILING} WHEN 'unstable' THEN {_UNSTABLE} ELSE {_COMPATIBLE} END,
    executed, blocked, NULL
FROM failed JOIN groups USING (place, subject)
UNION ALL
SELECT place, subject, {_UNTESTED}, 0, blocked, NULL
FROM unexecuted JOIN groups USING (place, subject)
UNION ALL
SELECT place, subject, {_UNTESTED}, 0, 0, 0 FROM never
"""

_SPOKEN = """
CREATE OR REPLACE TABLE spoken AS SELECT * FROM failed UNION ALL SELECT * FROM unexecuted
"""


def compute(database: DuckDBPyConnection, *, window: int, settle: int) -> None:
    """Makes the tables of verdicts.

    ``verdicts`` (place, subject, strength, executed, blocked, plain): ``plain`` is the number of attempts that count where
    all of them passed, 0 where the test was never selected; else it is null, and ``spoken`` (place, subject, passed,
    failed, outcome, why, phase, signature, message, reason, reason_text) has what is to be said.
    """
    order = parquet.order(database, "lines")
    database.execute(
        f"CREATE OR REPLACE TEMP VIEW attempts AS SELECT *, {order.by} AS instant FROM lines WHERE kind = 'attempt'"
    )
    database.execute(f"CREATE OR REPLACE TEMP MACRO day_of(instant) AS {order.day}")
    database.execute(_GROUPS)
    database.execute(_NEWEST, {"window": window})
    database.execute(_FAILURES)
    database.execute(_FAILED, {"settle": settle})
    for table in ("newest", "failures"):
        database.execute(f"DROP TABLE {table}")
    database.execute(_UNEXECUTED)
    database.execute(_NEVER)
    database.execute(_VERDICTS, {"window": window})
    database.execute(_SPOKEN)
    for table in ("groups", "failed", "unexecuted", "never"):
        database.execute(f"DROP TABLE {table}")
