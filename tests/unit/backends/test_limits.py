"""How many jobs a queue takes, learned from its answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.queue.limits import FORGET, LONGEST_FORGET, SECOND_TRY, SubmitWindow


class Queue:
    """Takes so many; the tries are counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.live = 0
        self.now = 0.0
        self.tries: list[int] = []
        self.rule = SubmitWindow()

    def fill(self, wanted: int) -> None:
        """Submit as much of it as is accepted, as a backend does."""
        while wanted and (room := self.rule.room(self.live, self.now)) != 0:
            size = wanted if room is None else min(room, wanted)
            self.tries.append(size)
            if self.live + size > self.limit:
                self.rule.refused(self.live, size, self.now)
            else:
                self.live += size
                wanted -= size
                self.rule.accepted(self.live)


def test_that_there_is_no_limit_before_a_refusal() -> None:
    queue = Queue(10_000)
    queue.fill(5000)
    assert queue.tries == [5000]
    assert queue.rule.room(5000, 0.0) is None


@pytest.mark.parametrize('limit', [0, 1, 5, 100, 999])
def test_that_halving_fills_the_queue_in_few_tries(limit: int) -> None:
    queue = Queue(limit)
    queue.fill(1000)
    assert queue.live == limit
    assert len(queue.tries) <= 22
    assert queue.rule.room(queue.live, 0.0) == 0


def test_that_an_end_makes_room_for_as_many_at_once() -> None:
    queue = Queue(5)
    queue.fill(8)
    queue.live -= 2
    assert queue.rule.room(queue.live, 1.0) == 2


def test_that_one_refusal_of_what_was_accepted_before_is_no_new_limit() -> None:
    queue = Queue(5)
    queue.fill(8)
    queue.live -= 1
    queue.limit = 4  # the ended one counts for a moment yet
    queue.fill(1)
    assert queue.rule.room(queue.live, queue.now) == 0
    queue.now, queue.limit = SECOND_TRY, 5
    queue.fill(1)
    assert queue.live == 5


def test_that_two_such_refusals_are_a_new_limit() -> None:
    queue = Queue(5)
    queue.fill(8)
    queue.live, queue.limit = 3, 3
    queue.fill(2)
    queue.now = SECOND_TRY
    queue.fill(2)
    assert queue.rule.limit == 3
    queue.now = 2 * SECOND_TRY
    assert queue.rule.room(3, queue.now) == 0


def test_that_after_a_while_one_more_is_tried_and_then_twice_as_many() -> None:
    queue = Queue(5)
    queue.fill(1000)
    queue.limit, queue.tries = 300, []
    queue.now = FORGET + 1
    queue.fill(995)
    assert queue.live == 300
    assert queue.tries[:5] == [1, 2, 4, 8, 16]


def test_that_a_queue_that_stays_full_is_tried_ever_more_rarely() -> None:
    queue = Queue(5)
    queue.fill(1000)
    queue.tries = []
    pauses, last = [], 0.0
    for second in range(1, 6000):
        queue.now = float(second)
        before = len(queue.tries)
        queue.fill(995)
        if len(queue.tries) > before:
            pauses.append(queue.now - last)
            last = queue.now
    assert queue.tries == [1] * len(pauses), 'one job, not hundreds'
    assert pauses == sorted(pauses)
    assert FORGET < pauses[0] <= FORGET + 1
    assert max(pauses) <= LONGEST_FORGET + 1


@given(limits=st.lists(st.integers(0, 40), min_size=1, max_size=6), wanted=st.integers(1, 100))
def test_that_whatever_the_limit_becomes_the_queue_is_filled_in_the_end(limits: list[int], wanted: int) -> None:
    queue = Queue(limits[0])
    for limit in limits:
        queue.limit = limit
        for _ in range(3):
            queue.now += LONGEST_FORGET + 1
            queue.live = min(queue.live, limit)
            queue.fill(wanted)
            queue.now += SECOND_TRY
            queue.fill(wanted)
            assert queue.live <= max(limit, 0)
    queue.now += LONGEST_FORGET + 1
    queue.fill(wanted)
    assert queue.live == limits[-1] or queue.live >= wanted
