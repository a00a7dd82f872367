"""How the arrays of a search share its jobs, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.backends.queue.arrays import AttemptArray, QueuedAttempt, Throttles
from hpsearch.backends.queue.submission import submission_name
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import Slot
from hpsearch.model.run import Run
from hpsearch.store.folder import SearchFolder
from tests.fakes.scripted_queue import ScriptedQueue, ScriptedRunner, as_runner, system


@dataclass
class Desk:
    """Throttles of a queue, and their arrays."""

    queue: ScriptedQueue
    runner: ScriptedRunner
    throttles: Throttles
    arrays: list[AttemptArray]

    def balance(self, now: float, listed_at: float, *, wants_new: bool = False) -> None:
        """What is done after a listing; what is asked is answered only by :meth:`answer`."""
        self.throttles.balance(self.arrays, now, listed_at, wants_new=wants_new)

    def answer(self, *, fails: bool = False) -> list[tuple[str, ...]]:
        """The queue answers; what it was told."""
        self.queue.calls.clear()
        self.queue.rejects = {'throttle'} if fails else set()
        self.runner.deliver()
        return self.queue.calls

    def spare(self) -> int:
        return self.throttles.divide(self.arrays, wants_new=True).spare


def array(name: str, throttle: int, running: int, pending: int) -> AttemptArray:
    """An array that is in the queue."""
    made = AttemptArray(name, 0.0, job=name, throttle=throttle, ceiling=throttle, known_throttle=throttle)
    for index in range(1, running + pending + 1):
        kind = JobState.RUNNING if index <= running else JobState.PENDING
        launch = Launch(Run(f'sim_{index}', index, {}, ()), 1, f'{name}:{index}', Slot())
        made.members[index] = QueuedAttempt(launch, made, index, AttemptStatus(kind))
    return made


def end(made: AttemptArray, count: int) -> None:
    """Some that run have ended."""
    running = [index for index, member in made.members.items() if member.status.kind is JobState.RUNNING]
    for index in running[:count]:
        del made.members[index]


@pytest.fixture
def desk() -> Desk:
    queue = ScriptedQueue()
    runner = ScriptedRunner(queue)
    return Desk(queue, runner, Throttles(system(queue), as_runner(runner), 10), [array('7', 10, 10, 30)])


def test_that_an_array_gives_up_a_job_for_another_one(desk: Desk) -> None:
    desk.balance(now=1.0, listed_at=0.5, wants_new=True)
    assert desk.answer() == [('throttle', '7', '9')]


def test_that_nothing_is_changed_for_nothing(desk: Desk) -> None:
    desk.balance(now=1.0, listed_at=0.5)
    assert desk.answer() == []


def test_that_what_is_given_up_is_not_free_before_the_queue_has_answered_and_fewer_run(desk: Desk) -> None:
    (made,) = desk.arrays
    desk.balance(now=1.0, listed_at=0.5, wants_new=True)
    end(made, 3)
    assert desk.spare() == 0, 'not answered'
    desk.answer()
    assert desk.spare() == 0, 'not looked since'
    desk.balance(now=2.0, listed_at=1.0, wants_new=True)
    assert desk.spare() == 0, 'that listing was asked for before the change'
    desk.balance(now=3.0, listed_at=2.0, wants_new=True)
    assert desk.spare() == 1


def test_that_those_that_run_on_above_the_throttle_count(desk: Desk) -> None:
    (made,) = desk.arrays
    desk.balance(now=1.0, listed_at=0.5, wants_new=True)
    desk.answer()
    desk.balance(now=3.0, listed_at=2.0, wants_new=True)
    assert (made.throttle, desk.spare()) == (9, 0)
    end(made, 1)
    desk.balance(now=4.0, listed_at=3.5, wants_new=True)
    assert desk.spare() == 1


def test_that_a_change_that_failed_is_asked_for_again_and_counts_as_not_made(desk: Desk) -> None:
    (made,) = desk.arrays
    desk.balance(now=1.0, listed_at=0.5, wants_new=True)
    desk.answer(fails=True)
    end(made, 3)
    desk.balance(now=3.0, listed_at=2.0, wants_new=True)
    assert desk.spare() == 0
    assert desk.answer() == [('throttle', '7', '9')]
    desk.balance(now=5.0, listed_at=4.0, wants_new=True)
    assert desk.spare() == 1


def test_that_a_raise_that_failed_counts_as_made_and_is_asked_for_again(desk: Desk) -> None:
    desk.arrays[:] = [array('7', 4, 4, 30)]
    desk.balance(now=1.0, listed_at=0.5)
    assert desk.spare() == 0
    assert desk.answer(fails=True) == [('throttle', '7', '10')]
    assert desk.spare() == 0, 'it may have been heard all the same'
    desk.balance(now=3.0, listed_at=2.0)
    assert desk.answer() == [('throttle', '7', '10')]
    desk.balance(now=5.0, listed_at=4.0)
    assert desk.answer() == []


def test_that_what_began_since_a_raise_counts_when_it_is_lowered_again(desk: Desk) -> None:
    desk.arrays[:] = [array('7', 4, 4, 30)]
    desk.balance(now=1.0, listed_at=0.5)
    assert desk.answer() == [('throttle', '7', '10')]
    desk.balance(now=2.0, listed_at=0.9, wants_new=True)
    assert desk.answer() == [('throttle', '7', '9')]
    assert desk.spare() == 0, 'ten may run, though that listing showed four'


def test_that_no_second_change_is_asked_for_before_the_first_was_answered(desk: Desk) -> None:
    desk.balance(now=1.0, listed_at=0.5, wants_new=True)
    desk.balance(now=3.0, listed_at=2.0, wants_new=True)
    assert len(desk.answer()) == 1


def test_that_an_array_whose_elements_all_run_needs_no_throttle(desk: Desk) -> None:
    desk.arrays[:] = [array('7', 10, 6, 0), array('8', 1, 1, 20)]
    desk.balance(now=1.0, listed_at=0.5)
    assert desk.answer() == [('throttle', '8', '4')]


def test_that_an_adopted_array_is_told_its_throttle_once(desk: Desk) -> None:
    desk.arrays[0].known_throttle = None
    desk.balance(now=1.0, listed_at=0.5)
    assert desk.answer() == [('throttle', '7', '10')]
    desk.balance(now=3.0, listed_at=2.0)
    assert desk.answer() == []


def test_that_names_of_submissions_are_of_letters_digits_and_hyphens() -> None:
    assert submission_name(SearchFolder(Path('/x/search_2026-11-20_23-19-00')), 'abc') == 'hps-20261120231900-abc'
    assert submission_name(SearchFolder(Path('/x/ü ;$')), 'abc') == 'hps-search-abc'
