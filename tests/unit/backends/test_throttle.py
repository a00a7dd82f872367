"""How arrays are cut and share the number of jobs, with numbers made up and a queue that is stepped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.queue.throttle import Division, Share, cut, first_throttles, shares

MANY = 1000


@st.composite
def arrays(draw: st.DrawFn) -> Share:
    throttle, remaining = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    return Share(throttle, remaining, draw(st.integers(0, remaining)))


LIVE = st.lists(arrays(), max_size=8)
JOBS = st.integers(1, 60)


def used_up(*throttles: int) -> list[Share]:
    """Arrays with much to do that run as many elements as they may."""
    return [Share(throttle, MANY, throttle) for throttle in throttles]


def settled(live: Sequence[Share], num_jobs: int) -> list[Share]:
    """The arrays after enough looks at the queue, each running what it may, none of their elements having ended."""
    for _ in range(20):
        throttles = shares(live, num_jobs, wants_new=False).throttles
        live = [
            Share(throttle, array.remaining, min(throttle, array.remaining))
            for throttle, array in zip(throttles, live, strict=True)
        ]
    return list(live)


def claims(live: Sequence[Share], division: Division) -> int:
    """Jobs that there may be while a division takes effect, whichever of its changes comes first."""
    now = [
        Share(throttle, array.remaining, array.running).claim
        for throttle, array in zip(division.throttles, live, strict=True)
    ]
    return sum(max(claim, array.claim) for claim, array in zip(now, live, strict=True))


# ----------------------------------------------------------------------------------------------------------- one look


@pytest.mark.parametrize(
    ('live', 'num_jobs', 'throttles'),
    [
        (used_up(25), 25, (25,)),
        (used_up(13, 12), 25, (13, 12)),
        (used_up(12, 13), 25, (12, 13)),
        (used_up(25, 1), 25, (13, 1)),
        ([Share(13, MANY, 13), Share(1, MANY, 1)], 25, (13, 12)),
        ([Share(13, MANY, 20), Share(1, MANY, 1)], 25, (13, 5)),
        ([Share(12, MANY, 12), Share(13, 4, 4)], 25, (21, 13)),
        ([Share(8, 100, 8), Share(8, 2, 2), Share(8, 100, 8)], 24, (11, 8, 11)),
        (used_up(25), 8, (8,)),
        (used_up(10, 10, 10), 8, (3, 3, 2)),
        (used_up(3, 3, 3), 2, (1, 1, 1)),
        ([Share(5, 0, 0), Share(5, 50, 5)], 10, (5, 10)),
        ([Share(5, 8, 8)], 8, (8,)),
        ([Share(5, MANY, 8), Share(1, MANY, 1)], 12, (6, 4)),
    ],
)
def test_that_jobs_are_shared_evenly_by_those_that_can_use_them(
    live: Sequence[Share], num_jobs: int, throttles: tuple[int, ...]
) -> None:
    assert shares(live, num_jobs, wants_new=False).throttles == throttles


@pytest.mark.parametrize(
    ('live', 'num_jobs', 'expected'),
    [
        ([], 25, Division((), 25)),
        (used_up(25), 25, Division((24,), 0)),
        ([Share(24, MANY, 25)], 25, Division((24,), 0)),
        ([Share(24, MANY, 24)], 25, Division((24,), 1)),
        ([Share(25, 10, 10)], 25, Division((25,), 15)),
        (used_up(5, 10), 25, Division((5, 10), 10)),
        (used_up(1, 23), 25, Division((1, 23), 1)),
        (used_up(1, 24), 25, Division((1, 12), 0)),
        ([Share(5, MANY, 8), Share(17, MANY, 17)], 25, Division((5, 12), 0)),
        (used_up(2, 1), 3, Division((1, 1), 0)),
        (used_up(1, 1), 2, Division((1, 1), 0)),
        (used_up(30), 25, Division((24,), 0)),
    ],
)
def test_that_a_new_array_gets_what_is_spare_and_one_job_is_given_up_for_it(
    live: Sequence[Share], num_jobs: int, expected: Division
) -> None:
    assert shares(live, num_jobs, wants_new=True) == expected


@given(LIVE, JOBS, st.booleans())
def test_that_there_are_never_more_jobs_than_before_or_than_were_asked_for(
    live: list[Share], num_jobs: int, wants_new: bool
) -> None:
    division = shares(live, num_jobs, wants_new=wants_new)
    before = sum(array.claim for array in live)
    assert claims(live, division) + division.spare <= max(num_jobs, before)


@given(LIVE, JOBS, st.booleans())
def test_that_where_there_are_too_many_throttles_are_only_lowered(
    live: list[Share], num_jobs: int, wants_new: bool
) -> None:
    division = shares(live, num_jobs, wants_new=wants_new)
    if sum(array.claim for array in live) > num_jobs:
        assert all(new <= array.throttle for new, array in zip(division.throttles, live, strict=True))
        assert division.spare == 0


@given(LIVE, JOBS, st.booleans())
def test_that_every_array_may_run_something_and_none_is_given_more_than_it_has(
    live: list[Share], num_jobs: int, wants_new: bool
) -> None:
    for new, array in zip(shares(live, num_jobs, wants_new=wants_new).throttles, live, strict=True):
        assert new >= 1
        assert new <= max(array.throttle, array.remaining)


@given(LIVE, JOBS, st.booleans())
def test_that_a_throttle_is_changed_only_where_that_changes_what_may_run(
    live: list[Share], num_jobs: int, wants_new: bool
) -> None:
    for new, array in zip(shares(live, num_jobs, wants_new=wants_new).throttles, live, strict=True):
        assert new == array.throttle or min(new, array.remaining) != array.allowed


@given(LIVE, JOBS)
def test_that_nothing_is_raised_while_a_new_array_is_wanted(live: list[Share], num_jobs: int) -> None:
    division = shares(live, num_jobs, wants_new=True)
    assert all(new <= array.throttle for new, array in zip(division.throttles, live, strict=True))


@given(LIVE, JOBS)
def test_that_a_new_array_comes_to_a_job_where_one_can_be_given_up(live: list[Share], num_jobs: int) -> None:
    throttles = shares(live, num_jobs, wants_new=True).throttles
    # The running elements beyond the new throttles have ended meanwhile.
    later = [
        Share(throttle, array.remaining, min(throttle, array.running))
        for throttle, array in zip(throttles, live, strict=True)
    ]
    assert (shares(later, num_jobs, wants_new=True).spare > 0) == (len(live) < num_jobs)


@given(LIVE, JOBS)
def test_that_jobs_are_shared_evenly_in_the_end_and_all_are_used(live: list[Share], num_jobs: int) -> None:
    end = settled(live, num_jobs)
    allowed = [array.allowed for array in end]
    assert sum(allowed) == max(len(live), min(num_jobs, sum(array.remaining for array in live)))
    wanting = [array.allowed for array in end if array.allowed < array.remaining]
    assert not wanting or max(allowed) - min(wanting) <= 1


@given(LIVE, JOBS)
def test_that_what_is_shared_evenly_is_left_as_it_is(live: list[Share], num_jobs: int) -> None:
    end = settled(live, num_jobs)
    assert shares(end, num_jobs, wants_new=False).throttles == tuple(array.throttle for array in end)


@given(LIVE, JOBS)
def test_that_a_new_array_is_told_the_same_spare_whether_it_was_announced_or_not(
    live: list[Share], num_jobs: int
) -> None:
    end = settled(live, num_jobs)
    free = max(0, num_jobs - sum(array.claim for array in end))
    assert shares(end, num_jobs, wants_new=False).spare == free
    assert shares(end, num_jobs, wants_new=True).spare == free


# ----------------------------------------------------------------------------------------------------------- new arrays


@pytest.mark.parametrize(
    ('count', 'largest', 'sizes'),
    [(0, 1000, []), (1, 1000, [1]), (1000, 1000, [1000]), (2500, 1000, [1000, 1000, 500]), (3, 1, [1, 1, 1])],
)
def test_that_runs_are_cut_into_full_arrays_and_a_rest(count: int, largest: int, sizes: list[int]) -> None:
    assert cut(count, largest) == sizes


@given(st.integers(0, 5000), st.integers(1, 1500))
def test_that_nothing_is_lost_by_cutting_and_no_array_is_too_many(count: int, largest: int) -> None:
    sizes = cut(count, largest)
    assert sum(sizes) == count
    assert all(1 <= size <= largest for size in sizes)
    assert len(sizes) == -(-count // largest)


@pytest.mark.parametrize(
    ('sizes', 'spare', 'throttles'),
    [
        ([1000, 1000, 1000], 25, [9, 8, 8]),
        ([1000, 3], 25, [22, 3]),
        ([10, 10], 100, [10, 10]),
        ([1000, 1000, 5], 2, [1, 1, 0]),
        ([1000], 0, [0]),
        ([1000], -3, [0]),
        ([], 5, []),
    ],
)
def test_that_new_arrays_share_what_is_spare(sizes: list[int], spare: int, throttles: list[int]) -> None:
    assert first_throttles(sizes, spare) == throttles


@given(st.lists(st.integers(1, 50), max_size=10), st.integers(-5, 100))
def test_that_new_arrays_use_all_that_is_spare_and_no_more(sizes: list[int], spare: int) -> None:
    throttles = first_throttles(sizes, spare)
    assert sum(throttles) == max(0, min(spare, sum(sizes)))
    assert all(throttle <= size for throttle, size in zip(throttles, sizes, strict=True))
    assert spare < len(sizes) or all(throttle >= 1 for throttle in throttles)
    assert sorted(throttles, key=bool, reverse=True) == throttles, 'those that wait are the last'


# ------------------------------------------------------------------------------------------------- a queue over time


@dataclass
class JobArray:
    """An array in a queue.

    Attributes:
        throttle: The one in force.
        asked: The one that was last asked for.
        ceiling: What it may be running since the last look.
    """

    throttle: int
    pending: int
    asked: int
    running: int = 0
    ceiling: int = 0
    changes: int = 0

    @property
    def remaining(self) -> int:
        return self.pending + self.running

    def start(self, count: int) -> None:
        """Start some elements, as far as the throttle allows."""
        count = max(0, min(count, self.pending, self.throttle - self.running))
        self.pending, self.running = self.pending - count, self.running + count


@dataclass
class Queue:
    """A queue system in which things happen at random between two looks."""

    num_jobs: int
    waiting: list[int]
    luck: random.Random
    live: list[JobArray] = field(default_factory=list)
    most: int = 0

    @property
    def running(self) -> int:
        return sum(array.running for array in self.live)

    def start_some(self) -> None:
        for array in self.live:
            array.start(self.luck.randrange(self.num_jobs + 1))
        self.most = max(self.most, self.running)

    def end_some(self) -> None:
        """At least one element runs, and ends."""
        for array in self.live:
            array.start(1)
        self.most = max(self.most, self.running)
        sure = self.luck.choice([array for array in self.live if array.running] or [None])
        for array in self.live:
            array.running -= self.luck.randint(int(array is sure), array.running)

    def look(self) -> None:
        """What the dispatcher does: it learns what runs, divides, and submits what there is room for."""
        self.live = [array for array in self.live if array.remaining]
        current = [Share(array.asked, array.remaining, array.running) for array in self.live]
        division = shares(current, self.num_jobs, wants_new=bool(self.waiting))
        for array, throttle in zip(self.live, division.throttles, strict=True):
            array.changes += throttle != array.asked
            array.asked = throttle
        self.submit(division.spare)

    def submit(self, spare: int) -> None:
        sizes = self.waiting[: self.luck.randint(1, 3)]
        for size, throttle in zip(sizes, first_throttles(sizes, spare), strict=True):
            if throttle:
                self.waiting.remove(size)
                self.live.append(JobArray(throttle, size, throttle))

    def take_effect(self) -> None:
        """The changes that were asked for come through, one by one, while elements start."""
        for array in self.luck.sample(self.live, len(self.live)):
            array.throttle = array.asked
            self.start_some()

    def step(self) -> None:
        self.look()
        self.start_some()
        self.take_effect()
        self.end_some()
        self.start_some()


SEEDS = st.integers(0, 2**32)
WORK = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@given(WORK, st.integers(1, 20), SEEDS)
def test_that_a_queue_never_runs_more_than_was_asked_for_and_everything_ends(
    sizes: list[int], num_jobs: int, seed: int
) -> None:
    queue = Queue(num_jobs, list(sizes), random.Random(seed))
    for _ in range(100 + 20 * sum(sizes)):
        queue.step()
        assert queue.most <= num_jobs
        if not queue.waiting and not any(array.remaining for array in queue.live):
            return
    raise AssertionError(f'left: {queue.waiting}, {queue.live}')


@given(WORK, st.integers(1, 20), st.integers(1, 20), SEEDS)
def test_that_with_fewer_jobs_than_before_their_number_comes_down_and_stays_down(
    sizes: list[int], before: int, after: int, seed: int
) -> None:
    queue = Queue(before, list(sizes), random.Random(seed))
    for _ in range(5):
        queue.step()
    queue.num_jobs = after
    limit = max(before, len(queue.live))
    for _ in range(50 + 20 * sum(sizes)):
        queue.most = 0
        queue.step()
        assert queue.most <= max(limit, after)
        alive = [array for array in queue.live if array.remaining]
        limit = min(limit, max(after, len(alive), queue.most))
    assert not queue.waiting
    assert not any(array.remaining for array in queue.live)


def test_that_a_single_run_that_is_added_costs_the_others_one_job_and_two_changes() -> None:
    queue = Queue(25, [MANY], random.Random(1))
    for step in range(60):
        if step == 20:
            queue.waiting.append(1)
        queue.step()
    large = queue.live[0]
    assert large.changes == 2
    assert (large.asked, queue.waiting) == (25, [])
