"""Cron schedules of five fields, as Spring's CronExpression reads them: every field must match."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
NAMES = {
    "month": {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name},
    # Sunday is 0 or 7.
    "weekday": {name.upper(): number for number, name in enumerate(calendar.day_abbr, start=1)},
}
FIELDS = {
    "minute": ("MinuteOfHour", "0 - 59"),
    "hour": ("HourOfDay", "0 - 23"),
    "day": ("DayOfMonth", "1 - 28/31"),
    "month": ("MonthOfYear", "1 - 12"),
    "weekday": ("DayOfWeek", "1 - 7"),
}
"""What errors call a field and its values (java.time's ChronoField)."""
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
    """Read ``minute hour day month weekday``. Raises ValueError saying what is wrong, as Spring does."""
    fields, whole = text.split(), f"0 {text}"
    if len(fields) != len(RANGES):
        raise ValueError(f'Cron expression must consist of 6 fields (found {len(fields) + 1} in "{whole}")')
    try:
        minutes, hours, days, months, weekdays = (
            _values(kind, field) for kind, field in zip(RANGES, fields, strict=True)
        )
    except ValueError as error:
        raise ValueError(f'{error} in cron expression "{whole}"') from None
    return Cron(text, minutes, hours, days, months, frozenset(day or 7 for day in weekdays))


def _values(kind: str, text: str) -> frozenset[int]:
    for name, number in NAMES.get(kind, {}).items():
        text = re.sub(name, str(number), text, flags=re.IGNORECASE)
    if text == "?" and kind in ("day", "weekday"):
        text = "*"
    chosen: set[int] = set()
    try:
        for part in text.split(","):
            chosen.update(_span(kind, part))
    except ValueError as error:
        raise ValueError(f"{error} '{text}'") from None
    return frozenset(chosen)


def _span(kind: str, part: str) -> range:
    """The values of ``*``, ``3``, ``3-5``, and those with a step: ``*/2``, ``3/2``, ``3-5/2``."""
    first, last = RANGES[kind]
    span, slash, step = part.partition("/")
    if span == "*":
        start, end = first, last
    else:
        low, dash, high = span.partition("-")
        start = _number(kind, low)
        end = _number(kind, high) if dash else (last if slash else start)
        if kind == "weekday" and dash and start == last:
            start = 0
    if start > end:
        raise ValueError("Minimum value must be less than maximum value")
    pace = _whole(step) if slash else 1
    if pace < 1:
        raise ValueError("Incrementer delta must be 1 or higher")
    return range(start, end + 1, pace)


def _number(kind: str, text: str) -> int:
    number, (first, last) = _whole(text), RANGES[kind]
    if not first <= number <= last:
        name, valid = FIELDS[kind]
        raise ValueError(f"Invalid value for {name} (valid values {valid}): {number}")
    return number


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise ValueError(f'For input string: "{text}"')
    return int(text)
