"""What users ask of single runs, and of admission, while a dispatcher works on the search."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import AttemptStatus
from hpsearch.dispatch.context import WorkOptions
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.control.requests import PAUSED
from hpsearch.model.evidence import JobState
from hpsearch.model.states import CANCELLED, State
from hpsearch.store.attempt_files import claim
from hpsearch.store.journal import Journal, open_journals
from tests.fakes.instant_backend import CountedPilots, InstantBackend
from tests.support.dispatching import Desk


class LastingBackend(InstantBackend):
    """Attempts that end when they are asked to, or when they are named.

    Attributes:
        done: Names of the runs that end by themselves; None: all do.
        asked: Names of the runs that were asked to end, and whether they were killed.
        ignores_term: Whether only KILL ends attempts.
        then: Round to what happens in it.
    """

    def __init__(self, desk: Desk, slots: int = 1) -> None:
        super().__init__(desk.clock, slots)
        self.done: set[str] | None = set()
        self.asked: list[tuple[str, bool]] = []
        self.ignores_term = False
        self.then: dict[int, Callable[[], object]] = {}

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        codes = {ident: self._code(launch.run.name) for ident, launch in self._held.items()}
        ended = {ident: code for ident, code in codes.items() if code is not None}
        self._held = {ident: launch for ident, launch in self._held.items() if ident not in ended}
        return {ident: AttemptStatus(JobState.ENDED, code=code) for ident, code in ended.items()}

    def _code(self, run: str) -> int | None:
        if (run, True) in self.asked or ((run, False) in self.asked and not self.ignores_term):
            return 137 if self.ignores_term else 143
        return 0 if self.done is None or run in self.done else None

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        self.asked += [(self._held[ident].run.name, force) for ident in idents if ident in self._held]

    def wait(self, timeout: float) -> None:
        super().wait(timeout)
        self.then.pop(self.rounds, lambda: None)()


def cancel(number: int, after: int = 0, revision: int = 1) -> dict[str, Any]:
    return {'event': 'cancel', 'run': f'sim_{number}', 'after': after, 'revision': revision}


def rerun(number: int, after: int, revision: int = 1) -> dict[str, Any]:
    return {**cancel(number, after, revision), 'event': 'rerun'}


def pause(on: bool, revision: int) -> dict[str, Any]:
    return {'event': 'pause', 'on': on, 'revision': revision}


def states(desk: Desk) -> list[str]:
    """As whoever reads the search anew finds them."""
    state, _ = open_journals(desk.folder)
    return [str(state.state_of(f'sim_{number}')) for number in range(1, 4)]


def test_that_what_is_cancelled_before_its_start_is_never_started_and_the_search_ends(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = LastingBackend(desk)
    backend.then = {2: lambda: desk.tell(cancel(2)), 4: lambda: setattr(backend, 'done', None)}
    outcome = desk.dispatcher(backend).run()
    assert backend.started == ['sim_1', 'sim_3']
    assert (backend.asked, outcome.interrupted) == ([], False)
    assert states(desk) == ['finished', 'interrupted', 'finished']
    assert desk.screen.shown[-1].counts == {'finished': 2, 'interrupted': 1, 'planned': 0}


def test_that_what_runs_is_ended_and_not_run_again_while_the_others_go_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = LastingBackend(desk, slots=2)
    backend.then = {2: lambda: desk.tell(cancel(1)), 5: lambda: setattr(backend, 'done', None)}
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_1', 'sim_2', 'sim_3']
    assert backend.asked == [('sim_1', False)]
    assert states(desk) == ['interrupted', 'finished', 'finished']
    ended = next(event for event in desk.events('ended') if event['run'] == 'sim_1')
    assert (ended['cause'], ended['reason']) == (CANCELLED, 'cancelled by hpsearch cancel')


def test_that_what_does_not_heed_term_is_killed_after_its_grace(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1)
    backend = LastingBackend(desk)
    backend.ignores_term = True
    backend.then = {2: lambda: desk.tell(cancel(1))}
    desk.dispatcher(backend).run()
    assert backend.asked == [('sim_1', False), ('sim_1', True)]
    assert backend.rounds > desk.options.stop_grace
    assert desk.state.runs['sim_1'].attempts[0].cause == CANCELLED


def test_that_what_finishes_although_it_was_cancelled_has_finished(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1)
    backend = LastingBackend(desk)
    backend.done = None
    desk.dispatcher(backend).run()
    desk.tell(cancel(1))
    assert open_journals(desk.folder)[0].state_of('sim_1') is State.FINISHED


def test_that_a_request_that_was_journaled_before_the_dispatcher_came_holds(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3, earlier=[cancel(1), cancel(3)])
    backend = LastingBackend(desk)
    backend.done = None
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_2']
    assert states(desk) == ['interrupted', 'finished', 'interrupted']


def test_that_a_run_that_failed_is_run_again_once_while_the_search_goes_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    backend = LastingBackend(desk)
    codes = iter([1, 1])
    code = backend._code
    backend._code = lambda run: next(codes, 1) if run == 'sim_1' else code(run)  # type: ignore[method-assign]
    backend.then = {3: lambda: desk.tell(rerun(1, after=1)), 8: lambda: setattr(backend, 'done', None)}
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_1', 'sim_2', 'sim_1']
    assert len(desk.state.runs['sim_1'].attempts) == 2


def test_that_a_run_that_was_cancelled_and_asked_for_again_is_started(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = LastingBackend(desk)
    backend.then = {
        2: lambda: desk.tell(cancel(2), cancel(3)),
        4: lambda: desk.tell(rerun(3, after=0, revision=2)),
        6: lambda: setattr(backend, 'done', None),
    }
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_1', 'sim_3']
    assert states(desk) == ['finished', 'interrupted', 'finished']


def test_that_nothing_is_started_while_admission_is_paused_and_why_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = LastingBackend(desk)
    backend.then = {
        2: lambda: desk.tell(pause(True, 1)),
        4: lambda: setattr(backend, 'done', None),
        9: lambda: desk.tell(*([pause(False, 2)] if backend.started == ['sim_1'] else [])),
    }
    desk.dispatcher(backend).run()
    assert any(shown.waiting == PAUSED for shown in desk.screen.shown)
    assert states(desk) == ['finished'] * 3


def test_that_a_search_is_paused_from_its_journal_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1, earlier=[pause(True, 1)])
    backend = LastingBackend(desk)
    backend.done = None
    backend.then = {5: lambda: desk.tell(pause(False, 2))}
    desk.dispatcher(backend).run()
    assert (backend.started, backend.rounds > 5) == (['sim_1'], True)


@pytest.mark.parametrize('after', [0, 7])
def test_that_requests_about_runs_that_are_not_in_the_plan_are_left_out(tmp_path: Path, after: int) -> None:
    desk = Desk(tmp_path, 1)
    desk.tell(cancel(17, after))
    state, reader = open_journals(desk.folder)
    assert (state.runs, len(reader.odd)) == ({}, 1)


def test_that_the_run_of_another_writer_is_left_to_it_and_not_started_afterwards(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    alive = {'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}
    other = Journal(desk.folder, 'other', {**this_host().as_header(), **alive})
    assert claim(desk.folder, 'sim_1', 1, 'other')
    about = {'run': 'sim_1', 'attempt': 1}
    other.append({'event': 'claimed', **about})
    other.append({'event': 'running', **about, 'handle': alive})
    backend = LastingBackend(desk)
    backend.done = None
    end = {'event': 'ended', **about, 'state': 'interrupted', 'cause': CANCELLED}
    backend.then = {2: lambda: desk.tell(cancel(1)), 5: lambda: other.append(end)}
    desk.dispatcher(backend).run()
    assert (backend.started, backend.asked) == (['sim_2'], [])
    assert backend.rounds >= 5, 'what the other one manages is waited for'
    assert states(desk)[:2] == ['interrupted', 'finished']


def test_that_no_jobs_that_work_on_the_search_are_submitted_while_it_is_paused(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2, WorkOptions(in_queue=True), earlier=[pause(True, 1)])
    backend = CountedPilots(desk.clock)
    wait, rounds = backend.wait, iter(range(1, 100))

    def wait_and_see(timeout: float) -> None:
        wait(timeout)
        if next(rounds) == 3:
            assert backend.kept == []
            desk.tell(cancel(1), cancel(2), pause(False, 2))

    backend.wait = wait_and_see  # type: ignore[method-assign]
    desk.dispatcher(backend).run()
    assert backend.kept == [], 'nothing is left to start'
