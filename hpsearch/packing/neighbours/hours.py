"""At which hours of the week runs are started: ``20:00-08:00``, ``Mon-Fri 20:00-08:00,Sat,Sun``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpsearch.model.units import duration

DAYS = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
EXAMPLE = '20:00-08:00, or Mon-Fri 20:00-08:00,Sat,Sun'

_MINUTES_OF_DAY = 24 * 60
_WEEK = 7 * _MINUTES_OF_DAY
_PART = re.compile(
    r'(?P<first>[A-Za-z]+)?(?:-(?P<last>[A-Za-z]+))?\s*(?:(?P<begin>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d))?'
)


@dataclass(frozen=True, slots=True)
class Hours:
    """Some hours of every week, in local time.

    Attributes:
        text: How they were written.
        spans: Begin and end in minutes since the beginning of Monday, in order, apart from each other. One that goes on
            in the next week ends after the end of this one.
    """

    text: str
    spans: tuple[tuple[int, int], ...]

    def is_open(self, minute: float) -> bool:
        """Whether a minute of the week, counted from the beginning of Monday, is within them."""
        return any(begin <= at < end for begin, end in self.spans for at in (minute, minute + _WEEK))

    def minutes_until_open(self, minute: float) -> float:
        """Minutes from a minute of the week until they begin; 0: it is within them."""
        return 0.0 if self.is_open(minute) else min((begin - minute) % _WEEK for begin, _ in self.spans)

    def opening(self, minute: float) -> str:
        """When they begin after a minute of the week that is outside them, in words: ``Sat 20:00``."""
        day, rest = divmod(round(minute + self.minutes_until_open(minute)) % _WEEK, _MINUTES_OF_DAY)
        return f'{DAYS[day]} {rest // 60:02}:{rest % 60:02}'


def why_outside(hours: Hours, minute: float) -> str:
    """Why no run is started in a minute of the week, in words; empty: it is within the hours."""
    if hours.is_open(minute):
        return ''
    wait = duration(60 * hours.minutes_until_open(minute))
    return f'outside --hours={hours.text}; they begin again on {hours.opening(minute)} (in {wait})'


def parse_hours(text: str) -> Hours:
    """The hours that a text names: ranges with commas between, each with a day or a range of days before it, or only
    these. A range whose end is not after its begin ends on the next day.

    Raises:
        ValueError: It names none; the message says what is wrong, with an example.
    """
    spans = [span for part in text.split(',') for span in _spans_of(part.strip())]
    return Hours(text, _joined(spans))


def _spans_of(part: str) -> list[tuple[int, int]]:
    found = _PART.fullmatch(part) if part else None
    if found is None:
        raise ValueError(f'{part!r} is no range of hours; expected is, for example, {EXAMPLE}')
    days = _days(found['first'], found['last'])
    if found['begin'] is None:
        return [(day * _MINUTES_OF_DAY, (day + 1) * _MINUTES_OF_DAY) for day in days]
    begin, end = _minutes(found['begin']), _minutes(found['end'])
    if begin == end:
        raise ValueError(f'{part!r} begins when it ends; for all day leave it out, or write 00:00-24:00')
    length = (end - begin) % _MINUTES_OF_DAY or _MINUTES_OF_DAY
    return [(day * _MINUTES_OF_DAY + begin, day * _MINUTES_OF_DAY + begin + length) for day in days]


def _days(first: str | None, last: str | None) -> list[int]:
    """Numbers of the days that a range names; all if it names none."""
    if first is None:
        return list(range(7))
    begin = _day(first)
    return [(begin + count) % 7 for count in range((_day(last or first) - begin) % 7 + 1)]


def _day(word: str) -> int:
    if word[:3].capitalize() not in DAYS:
        raise ValueError(f'{word!r} is no day of the week ({", ".join(DAYS)}); expected is, for example, {EXAMPLE}')
    return DAYS.index(word[:3].capitalize())


def _minutes(clock: str) -> int:
    hour, minute = map(int, clock.split(':'))
    if minute > 59 or hour * 60 + minute > _MINUTES_OF_DAY:
        raise ValueError(f'{clock} is no time of the day; expected is, for example, {EXAMPLE}')
    return hour * 60 + minute


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same minutes in as few spans as possible."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((begin % _WEEK, begin % _WEEK + end - begin) for begin, end in spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
