"""Runs that make room for others: in stepped time, with a backend that says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from hpsearch.backends.base import AttemptBackend, Launch
from hpsearch.dispatch.context import ActiveAttempt
from hpsearch.dispatch.packing.yielding import Yielding
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.resources import Slot
from hpsearch.model.retries import RetryPolicy, again
from hpsearch.model.run import Summary
from hpsearch.model.states import YIELDED, State
from hpsearch.model.verdict import judge
from tests.support.dispatching import Desk, run

GRACE = 15.0


class Crowded:
    """A backend on which runs are to make room: id to the reason."""

    def __init__(self) -> None:
        self.wish: dict[str, str] = {}
        self.calls: list[tuple[str, bool]] = []

    def leaving(self, now: float) -> Mapping[str, str]:
        return self.wish

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        self.calls += [(ident, force) for ident in idents]


class Bench:
    """Two attempts that run."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.backend = Crowded()
        self.yielding = Yielding(desk.recorder, cast(AttemptBackend, self.backend), GRACE)
        self.attempts = [ActiveAttempt(Launch(run(n), 1, f'a{n}', Slot()), 0.0) for n in (1, 2)]

    def step(self, seconds: float = 0.0) -> list[tuple[str, bool]]:
        self.backend.calls.clear()
        self.desk.clock.now += seconds
        self.yielding.step(self.attempts, self.desk.clock())
        return list(self.backend.calls)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Desk(tmp_path))


def test_that_a_run_that_makes_room_is_asked_to_end_and_killed_after_its_grace(bench: Bench) -> None:
    assert bench.step() == []
    bench.backend.wish = {'a2': 'others need it'}
    assert bench.step() == [('a2', False)]
    assert (bench.attempts[1].stop_reason, bench.attempts[1].stop_cause) == ('others need it', YIELDED)
    bench.backend.wish = {}
    assert bench.step(GRACE - 0.1) == []
    assert bench.step(0.1) == [('a2', True)]
    assert bench.step(1000.0) == []


def test_that_the_journal_says_which_run_and_why(bench: Bench) -> None:
    bench.backend.wish = {'a1': 'others need it', 'unknown': 'it has ended'}
    bench.step()
    bench.step()
    told = [(event['runs'], event['reason']) for event in bench.desk.events('yielding')]
    assert told == [(['sim_1'], 'others need it')]


def test_that_a_run_that_is_stopped_already_is_left_alone(bench: Bench) -> None:
    bench.attempts[0].stop_reason = 'stopped by the user'
    bench.backend.wish = {'a1': 'others need it'}
    assert bench.step() == []
    assert bench.attempts[0].stop_cause != YIELDED


def test_that_it_is_interrupted_and_waits_again_at_once_or_for_the_user() -> None:
    verdict = judge(143, '', '', Summary(), wants_summary=True, stop_reason='others need it', stop_cause=YIELDED)
    assert (verdict.state, verdict.cause) == (State.INTERRUPTED, YIELDED)
    tried = [Attempt('sim_1', n, state=State.INTERRUPTED, cause=YIELDED, reason='others') for n in (1, 2, 3, 4)]
    assert again(tried, RetryPolicy(max_attempts=2)) == 'interrupted (others)'
    assert again(tried, RetryPolicy(requeues=False)) == ''
    assert again(tried, RetryPolicy(requeues=False), is_taken_up=True) == 'interrupted (others)'
