"""Somebody else on a GPU: when nothing is started there, and when runs make room; in stepped time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch.model.resources import Gpu, GpuProcess, OtherStart, Reading
from hpsearch.model.usage.holders import GpuHolder, HolderKind
from hpsearch.packing.neighbours.strangers import (
    NEW_FOR,
    NOBODY,
    PATIENCE,
    SETTLING,
    Limits,
    OwnRun,
    Presence,
    who_is_there,
    who_makes_room,
    why_kept_away,
    why_promised,
)

TOTAL = 40000
LIMITS = Limits(load=0.5, memory=0.5)
BOB = 'bob, pid 7, python, 8.8 GiB'


def process(pid: int, memory: int | None) -> GpuProcess:
    return GpuProcess(pid, memory)


def bobs(memory: int | None = 9000) -> GpuHolder:
    return GpuHolder(HolderKind.PROCESS, 7, 'python', 'bob', memory, is_stranger=True)


def ours(memory: int | None = 5000) -> GpuHolder:
    return GpuHolder(HolderKind.RUN, 3, 'sim_1', memory=memory)


def reading(used: int, *processes: GpuProcess, at: float = 0.0, load: float = 0.0) -> Reading:
    return Reading(at, used, TOTAL, load, processes=processes)


# Who is there


def test_that_somebody_elses_process_is_named() -> None:
    assert who_is_there(reading(14000, process(3, 5000), process(7, 9000)), [ours(), bobs()], 5000) == BOB


def test_that_our_own_runs_and_the_small_processes_of_a_desktop_are_nobody() -> None:
    assert who_is_there(reading(5000, process(3, 5000)), [ours()], 5000) == ''
    assert who_is_there(reading(6024, process(3, 5000), process(7, 1024)), [ours(), bobs(1024)], 5000) == ''
    assert who_is_there(reading(6025, process(3, 5000), process(7, 1025)), [ours(), bobs(1025)], 5000) != ''


def test_that_runs_of_other_searches_of_this_user_are_siblings() -> None:
    sibling = GpuHolder(HolderKind.HPSEARCH, 5, 'sim_2', memory=3000)
    somebodys = GpuHolder(HolderKind.HPSEARCH, 8, 'sim_9', 'eve', 4000, is_stranger=True)
    shown = reading(21000, process(3, 5000), process(5, 3000), process(8, 4000), process(7, 9000))
    assert NOBODY.seen(shown, [ours(), sibling, somebodys, bobs()], 5000).siblings == 3000


def test_that_several_others_are_named_largest_first() -> None:
    small = GpuHolder(HolderKind.HPSEARCH, 8, 'sim_9', 'eve', 4000, is_stranger=True)
    more = GpuHolder(HolderKind.PROCESS, 9, 'x', 'ann', 100, is_stranger=True)
    seen = [more, small, bobs()]
    who = who_is_there(reading(13100, *(process(each.pid, each.memory) for each in seen)), seen, 0)
    assert who == f'{BOB}; another hpsearch of eve, sim_9, pid 8, 3.9 GiB; 1 more'


def test_that_a_gpu_is_left_to_a_small_process_that_has_just_come_since_it_may_need_more() -> None:
    small = reading(5300, process(3, 5000), process(7, 300), at=10.0)
    before = NOBODY.seen(reading(5000, process(3, 5000)), [ours()], 5000)
    after = before.seen(small, [ours(), bobs(300)], 5000)
    assert not after.is_there, 'no run makes room for it'
    closed = {'0': 'others have just come, and may need more (bob, pid 7, python, 300 MiB)'}
    assert why_kept_away({'0': after}, 5.0, 11.0) == closed
    later = after.seen(replace(small, at=100.0), [ours(), bobs(350)], 5000)
    assert why_kept_away({'0': later}, 5.0, 10.0 + NEW_FOR - 1)
    assert why_kept_away({'0': later}, 5.0, 10.0 + NEW_FOR) == {}
    gone = after.seen(replace(small, at=12.0), [ours()], 5000)
    assert why_kept_away({'0': gone}, 5.0, 12.0) == {}


def test_that_small_processes_that_were_there_from_the_beginning_are_nobody() -> None:
    first = NOBODY.seen(reading(1000, process(7, 300)), [bobs(300)], 0)
    assert why_kept_away({'0': first}, 5.0, 1.0) == {}


@pytest.mark.parametrize(
    ('used', 'known', 'is_somebody'), [(9000, 0, True), (2000, 0, False), (9000, 8000, False), (9000, None, False)]
)
def test_that_processes_that_cannot_be_seen_are_known_by_the_memory_that_is_not_ours(
    used: int, known: int | None, *, is_somebody: bool
) -> None:
    hidden = who_is_there(reading(used, process(1234567, None)), [], known)
    unlisted = who_is_there(Reading(0.0, used, TOTAL, 0.0), [], known)
    assert hidden == unlisted
    assert hidden == ('processes that cannot be seen from here, 8.8 GiB' if is_somebody else '')


def test_that_a_process_whose_memory_is_not_told_counts_by_what_is_left() -> None:
    told = reading(14000, process(3, 5000), process(7, None))
    assert who_is_there(told, [ours(), bobs(None)], 5000) == 'bob, pid 7, python'
    assert who_is_there(reading(6000, process(3, 5000), process(7, None)), [ours(), bobs(None)], 5000) == ''


# Keeping away


def test_that_nothing_is_started_while_others_are_there_and_until_a_window_after_that() -> None:
    presence = NOBODY.then(10.0, BOB)
    assert why_kept_away({'0': presence}, 5.0, 10.2) == {'0': f'others use it ({BOB})'}
    gone = presence.then(11.0, '')
    why = why_kept_away({'0': gone}, 5.0, 13.5)
    assert why == {'0': f'others used it 3 s ago ({BOB}); it is free after 5 s'}
    assert why_kept_away({'0': gone}, 5.0, 15.0) == {}
    assert why_kept_away({'0': NOBODY}, 5.0, 15.0) == {}


def test_that_nothing_is_started_where_hpsearch_of_somebody_else_has_just_started_a_run() -> None:
    gpus = [Gpu(name, f'GPU-{name}', 'Fake', name) for name in '012']
    theirs = OtherStart(('GPU-0',), 0.0, 60.0, 'user bob, pid 7', is_own_user=False)
    own = OtherStart(('GPU-1',), 0.0, 60.0, 'user me, pid 8')
    assert why_promised(gpus, [theirs, own]) == {'0': 'another hpsearch (user bob, pid 7) has started a run there'}


# Making room


def busy(until: float, load: float = 0.9, begin: float = 0.0) -> list[Reading]:
    """A reading per second."""
    return [Reading(begin + n, 30000, TOTAL, load) for n in range(int(until - begin) + 1)]


def asked(
    now: float, since: float = 0.0, readings: list[Reading] | None = None, changed: float = -100.0, **leaving: bool
) -> str:
    runs = [OwnRun('old', 1.0, **leaving), OwnRun('young', 2.0)]
    presence = Presence(since, now, BOB)
    return who_makes_room(presence, busy(now) if readings is None else readings, runs, LIMITS, now, changed)[0]


def test_that_the_youngest_run_makes_room_once_others_have_been_there_for_a_while() -> None:
    assert asked(PATIENCE - 0.1) == ''
    assert asked(PATIENCE) == 'young'


def test_that_it_is_said_why() -> None:
    presence = Presence(0.0, 20.0, BOB)
    _, why = who_makes_room(presence, busy(20), [OwnRun('a', 1.0)], LIMITS, 20.0)
    assert why == f'it makes room for others ({BOB}): its load 0.9 is above 0.5'
    crowded = [Reading(20.0, 30000, TOTAL, 0.1)]
    _, why = who_makes_room(presence, crowded, [OwnRun('a', 1.0)], LIMITS, 20.0)
    assert why.endswith('30000 of its 40000 MiB are in use, more than 0.5 of them')


def test_that_short_lived_processes_of_others_evict_nobody() -> None:
    presence = NOBODY
    for second in range(100):
        presence = presence.then(float(second), BOB if second % 10 < 9 else '')
        chosen = who_makes_room(presence, busy(second), [OwnRun('a', 0.0)], LIMITS, float(second))
        assert chosen == ('', '')


def test_that_one_run_makes_room_at_a_time() -> None:
    assert asked(20.0, is_leaving=True) == ''
    assert asked(20.0, changed=20.0 - SETTLING + 0.1) == '', 'the last one has just ended'
    assert asked(20.0, changed=20.0 - SETTLING) == 'young'


def test_that_nobody_makes_room_where_all_have_what_they_need() -> None:
    room = [Reading(second, 15000, TOTAL, 0.4) for second in range(21)]
    assert asked(20.0, readings=room) == ''
    assert asked(20.0, readings=[*busy(19), room[-1]]) == '', 'not in all readings of the last seconds'
    assert asked(20.0, readings=[]) == ''


def test_that_what_was_read_before_a_run_ended_says_nothing_of_what_is_left() -> None:
    before = busy(14)
    after = [Reading(float(second), 9000, TOTAL, 0.4) for second in range(16, 21)]
    assert asked(20.0, readings=[*before, *after], changed=15.0) == ''
    assert asked(20.0, readings=[*before, *busy(20, begin=16)], changed=15.0) == 'young'


def test_that_all_runs_leave_one_after_the_other_while_a_gpu_stays_full() -> None:
    runs, changed, left = [OwnRun(name, start) for name, start in (('a', 1.0), ('b', 3.0), ('c', 2.0))], -100.0, []
    for second in range(60):
        presence = Presence(0.0, float(second), BOB)
        ident, _ = who_makes_room(presence, busy(second), runs, LIMITS, float(second), changed)
        if ident:
            left.append((ident, second))
            runs, changed = [each for each in runs if each.ident != ident], float(second)
    assert left == [('b', 10), ('c', 15), ('a', 20)]
