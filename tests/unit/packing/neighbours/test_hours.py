"""Hours of the week in which runs are started."""

from __future__ import annotations

import pytest

from hpsearch.packing.neighbours.hours import parse_hours, why_outside

NIGHTS = '20:00-08:00'
WORKWEEK = 'Mon-Fri 20:00-08:00,Sat,Sun'


def at(day: int, hour: int, minute: float = 0) -> float:
    """The minute of the week; day 0 is Monday."""
    return day * 1440 + hour * 60 + minute


@pytest.mark.parametrize(
    ('text', 'minute', 'is_open'),
    [
        (NIGHTS, at(0, 19, 59.9), False),
        (NIGHTS, at(0, 20), True),
        (NIGHTS, at(1, 7, 59), True),
        (NIGHTS, at(1, 8), False),
        (NIGHTS, at(0, 3), True),  # that of Sunday goes on into Monday
        (WORKWEEK, at(0, 3), False),  # Sunday ends at midnight
        (WORKWEEK, at(5, 0), True),
        (WORKWEEK, at(5, 12), True),
        (WORKWEEK, at(6, 23, 59), True),
        (WORKWEEK, at(2, 12), False),
        ('8:00-12:00, 13:00-24:00', at(3, 12, 30), False),
        ('8:00-12:00, 13:00-24:00', at(3, 23, 59), True),
        ('00:00-24:00', at(6, 23, 59), True),
        ('fri-mon 10:00-11:00', at(0, 10, 30), True),
        ('fri-mon 10:00-11:00', at(1, 10, 30), False),
        ('Saturday', at(5, 5), True),
    ],
)
def test_that_runs_are_started_within_the_hours_only(text: str, minute: float, *, is_open: bool) -> None:
    assert parse_hours(text).is_open(minute) is is_open


@pytest.mark.parametrize(
    ('text', 'minute', 'words'),
    [
        (NIGHTS, at(2, 17), 'outside --hours=20:00-08:00; they begin again on Wed 20:00 (in 3 h 00 min)'),
        (WORKWEEK, at(4, 9, 30), f'outside --hours={WORKWEEK}; they begin again on Fri 20:00 (in 10 h 30 min)'),
        ('Mon 09:00-10:00', at(0, 10), 'they begin again on Mon 09:00 (in 6 d 23 h)'),
        (NIGHTS, at(2, 21), ''),
    ],
)
def test_that_it_is_said_when_they_begin_again(text: str, minute: float, words: str) -> None:
    assert why_outside(parse_hours(text), minute).endswith(words)
    assert bool(words) == bool(why_outside(parse_hours(text), minute))


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('20-8', "'20-8' is no range of hours"),
        ('', 'is no range of hours'),
        ('Mon,,Tue', 'is no range of hours'),
        ('25:00-08:00', '25:00 is no time of the day'),
        ('20:61-08:00', '20:61 is no time of the day'),
        ('Moo 20:00-08:00', "'Moo' is no day of the week"),
        ('08:00-08:00', 'begins when it ends'),
    ],
)
def test_that_what_names_no_hours_is_refused_with_an_example(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r'20:00-08:00|00:00-24:00') as refused:
        parse_hours(text)
    assert problem in str(refused.value)
