"""Cron schedules of five fields, as Spring's CronExpression reads them: every field must match."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
NAMES = {
    "month": {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name},
    # Sunday is 0 or 7.
    "weekday": {name.upper(): number for number, name in enumerate(calendar.day_abbr, start=1)},
}
FURTHEST = timedelta(days=366 * 5)
"""How far ahead an occurrence is looked for: a leap day is never farther."""


@dataclass(frozen=True)
class Cron:
    """When something is due: the values that each field of a moment may have."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def after(self, moment: datetime) -> datetime | None:
        """The first occurrence later than a moment, in the moment's time zone; None where there is none."""
        last = moment + FURTHEST
        when = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while when <= last:
            if when.month not in self.months or when.day not in self.days or when.isoweekday() not in self.weekdays:
                when = when.replace(hour=0, minute=0) + timedelta(days=1)
            elif when.hour not in self.hours:
                when = when.replace(minute=0) + timedelta(hours=1)
            elif when.minute not in self.minutes:
                when += timedelta(minutes=1)
            else:
                return when
        return None


def parse(text: str) -> Cron:
    """Read ``minute hour day month weekday``. Raises ValueError saying what is wrong."""
    fields = text.split()
    if len(fields) != len(RANGES):
        raise ValueError(f'Cron expression must consist of 6 fields (found {len(fields) + 1} in "0 {text}")')
    minutes, hours, days, months, weekdays = (
        _values(kind, field.upper()) for kind, field in zip(RANGES, fields, strict=True)
    )
    return Cron(text, minutes, hours, days, months, frozenset(day or 7 for day in weekdays))


def _values(kind: str, text: str) -> frozenset[int]:
    first, last = RANGES[kind]
    chosen: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span == "*" or (span == "?" and kind in ("day", "weekday")):
            start, end = first, last
        else:
            low, dash, high = span.partition("-")
            start = _number(kind, low)
            end = _number(kind, high) if dash else (last if slash else start)
        pace = int(step) if step.isdecimal() else 0
        if slash and pace < 1:
            raise ValueError(f"Incrementer delta must be 1 or higher: '{part}'")
        if start > end:
            raise ValueError(f"Invalid range '{part}' in cron field {kind}")
        chosen.update(range(start, end + 1, pace or 1))
    return frozenset(chosen)


def _number(kind: str, text: str) -> int:
    first, last = RANGES[kind]
    named = NAMES.get(kind, {}).get(text)
    if named is not None:
        return named
    if not text.isdecimal() or not first <= int(text) <= last:
        raise ValueError(f"Invalid value '{text}' for cron field {kind} ({first} - {last})")
    return int(text)
