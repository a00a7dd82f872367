"""How many GPUs a search takes, and how many it leaves."""

from __future__ import annotations

import pytest

from hpsearch.model.resources import Reading, Slot
from hpsearch.packing.neighbours.quota import Quota, Taken, is_idle, why_beyond, why_closed, why_not_watched, within

FOUR = ('0', '1', '2', '3')


def taken(ours: str = '', idle: str = '') -> Taken:
    return Taken(frozenset(ours), frozenset(idle))


def slots(*gpus: str) -> list[Slot]:
    return [Slot(tuple(names)) for names in gpus]


def test_that_no_other_gpu_is_taken_once_the_search_has_its_share() -> None:
    closed = why_closed(FOUR, taken('02', '13'), Quota(max_gpus=2))
    assert closed == dict.fromkeys('13', 'this search has runs on 2 GPUs, --max_gpus is 2')
    assert not why_closed(FOUR, taken('0', '123'), Quota(max_gpus=2))


def test_that_the_last_idle_gpus_are_left() -> None:
    closed = why_closed(FOUR, taken('0', '23'), Quota(leave_free=2))
    assert closed == dict.fromkeys('23', '2 GPUs are idle, and --leave_free=2 leaves so many to others')
    assert not why_closed(FOUR, taken('0', '123'), Quota(leave_free=2))


def test_that_runs_that_are_started_together_keep_to_the_share() -> None:
    assert within(slots('0', '1', '2', '3'), taken('', '0123'), Quota(max_gpus=2)) == slots('0', '1')
    assert within(slots('0', '1', '2', '3'), taken('', '0123'), Quota(leave_free=1)) == slots('0', '1', '2')
    assert within(slots('0', '1', '0'), taken('', '01'), Quota(max_gpus=1)) == slots('0', '0')
    assert within(slots('01', '23'), taken('', '0123'), Quota(max_gpus=3)) == slots('01')


def test_that_it_is_said_why_a_run_on_several_gpus_gets_none_although_some_are_left() -> None:
    quota = Quota(max_gpus=3)
    kept = within(slots('23'), taken('01', '23'), quota)
    assert kept == []
    assert why_beyond(slots('23'), kept, quota) == dict.fromkeys(
        '23', 'a run there would take more than is left for this search (--max_gpus=3)'
    )


def test_that_a_gpu_that_others_use_a_little_may_be_shared_whatever_is_left_idle() -> None:
    assert within(slots('0', '1'), taken('', '1'), Quota(leave_free=1)) == slots('0')


def test_that_without_a_share_everything_may_be_taken() -> None:
    assert within(slots('0', '1'), taken('23', '01'), Quota()) == slots('0', '1')
    assert not why_closed(FOUR, taken('0', '123'), Quota())


@pytest.mark.parametrize(
    ('reading', 'expected'),
    [
        (Reading(1.0, 300, 40000, 0.0), True),
        (Reading(1.0, 3000, 40000, 0.0), False),
        (Reading(1.0, 300, 40000, 0.5), False),
        (Reading(1.0, None, 40000, 0.0), False),
        (Reading(1.0, 300, 40000, None), False),
        (Reading(1.0, 300, 40000, None, load_exists=False), True),
        (Reading(1.0, 300, 40000, 0.0, problem='lost'), False),
    ],
)
def test_that_an_idle_gpu_is_one_that_is_known_to_be(reading: Reading, *, expected: bool) -> None:
    assert is_idle([Reading(0.0, 30000, 40000, 1.0), reading]) is expected
    assert not is_idle([])


def test_that_a_gpu_is_not_free_before_it_was_watched_for_the_window() -> None:
    readings = {'0': [Reading(10.0, 0, 40000, 0.0)], '1': []}
    why = why_not_watched(readings, 60.0, 22.5)
    assert why == {'0': 'readings are still being collected: 12 s of --window=60 s'}
    assert not why_not_watched(readings, 60.0, 70.0)
    assert not why_not_watched(readings, 0.0, 10.0)
