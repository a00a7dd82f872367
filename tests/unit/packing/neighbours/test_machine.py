"""What of the memory and the cores of a machine is left to others."""

from __future__ import annotations

import pytest

from hpsearch.model.usage.host import HostReading
from hpsearch.packing.neighbours.machine import MachineLimits, why_no_room

TOTAL = 64 * 1024


def samples(*free_and_load: tuple[int, float | None], end: float = 10.0) -> list[HostReading]:
    """One per second until ``end``."""
    begin = end - len(free_and_load) + 1
    return [
        HostReading(begin + n, TOTAL, free, 8.0, None if load is None else 8 * load)
        for n, (free, load) in enumerate(free_and_load)
    ]


def test_that_nothing_is_started_while_too_little_memory_is_free() -> None:
    limits = MachineLimits(min_free=0.25)
    why = why_no_room(samples((15000, 0.1)), limits, 10.0)
    assert why == '14.6 GiB of the memory of this machine are free, --min_free_ram is 16.0 GiB'
    assert not why_no_room(samples((17000, 0.1)), limits, 10.0)
    assert not why_no_room(samples((15000, 0.1)), MachineLimits(min_free=8192), 10.0)


def test_that_memory_must_have_been_free_all_the_time_of_the_window() -> None:
    limits = MachineLimits(min_free=16384)
    short = samples((9000, 0.0), (20000, 0.0), (20000, 0.0))
    assert '8.8 GiB' in why_no_room(short, limits, 10.0)
    assert not why_no_room([*short, HostReading(14.0, TOTAL, 20000, 8.0, 0.0)], limits, 14.0)


def test_that_a_burst_of_load_does_not_matter_but_a_lasting_load_does() -> None:
    limits = MachineLimits(max_load=0.8)
    assert not why_no_room(samples((1, None), (1, 0.2), (1, 1.0), (1, 0.3)), limits, 10.0)
    busy = why_no_room(samples((1, 1.0), (1, 0.9), (1, 0.95)), limits, 10.0)
    assert busy == 'its cores were busy to 95% in the last 5 s, --max_cpu_load is 0.8'


def test_that_what_is_not_known_yet_gives_no_room() -> None:
    assert 'not known yet' in why_no_room([], MachineLimits(min_free=1), 10.0)
    assert 'not known yet' in why_no_room(samples((1, None)), MachineLimits(max_load=0.5), 10.0)


@pytest.mark.parametrize(('started', 'waits'), [(9.0, True), (5.1, True), (5.0, False)])
def test_that_what_a_run_takes_is_seen_before_the_next_is_started(started: float, *, waits: bool) -> None:
    why = why_no_room(samples((50000, 0.1)), MachineLimits(min_free=1), 10.0, started)
    assert ('what it takes of this machine is seen after 5 s' in why) is waits
