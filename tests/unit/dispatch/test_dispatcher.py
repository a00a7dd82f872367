"""The loop of a search, with backends in which nothing takes time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from hpsearch.backends.base import AttemptStatus, Launch, LaunchResult, Workload
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.dispatcher import PAUSE
from hpsearch.host.kernel import this_host
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import Placement
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.store.attempt_files import claim
from hpsearch.store.journal import Journal
from tests.fakes.instant_backend import CountedPilots, InstantBackend
from tests.support.dispatching import CONFIGURATION, Desk, GrowingRuns, run


def finished(desk: Desk) -> list[str]:
    return [name for name, history in desk.state.runs.items() if history.state is State.FINISHED]


def test_that_every_run_is_started_once_and_taken_in(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = InstantBackend(desk.clock)
    outcome = desk.dispatcher(backend).run()
    assert backend.started == finished(desk) == ['sim_1', 'sim_2', 'sim_3']
    assert not outcome.interrupted
    assert (desk.screen.shown[-1].counts, desk.screen.shown[-1].total) == ({'finished': 3, 'planned': 0}, 3)
    assert desk.folder.results_csv.read_text().count(';finished;') == 3


# Runs that are not known in advance


class Sampler(GrowingRuns):
    """Has another run only now and then, and says after its last one that there are no more.

    Args:
        count: How many runs it has.
    """

    def __init__(self, count: int) -> None:
        super().__init__(run(1))
        self.count = count
        self.given = 1

    def next(self) -> Run | None:
        if self.asked % 3 == 0 and not self.ready and self.given < self.count:
            self.given += 1
            self.ready.append(run(self.given))
        given = super().next()
        if given is None and self.given == self.count:
            self.is_exhausted, self.total = True, self.count
        return given


def test_that_it_does_not_end_while_there_may_be_more_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Sampler(4))
    backend = InstantBackend(desk.clock, slots=2)
    outcome = desk.dispatcher(backend).run()
    assert finished(desk) == ['sim_1', 'sim_2', 'sim_3', 'sim_4']
    assert not outcome.interrupted
    assert {shown.total for shown in desk.screen.shown} == {None, 4}, 'the total is known in the end'


def test_that_a_search_whose_runs_may_never_come_can_be_stopped(tmp_path: Path) -> None:
    source = GrowingRuns()
    desk = Desk(tmp_path, source)
    backend = InstantBackend(desk.clock)
    dispatcher = desk.dispatcher(backend)
    wait = backend.wait

    def stop_after_ten(timeout: float) -> None:
        wait(timeout)
        desk.requests.stops = 1 if backend.rounds == 10 else 0

    backend.wait = stop_after_ten  # type: ignore[method-assign]
    assert dispatcher.run().interrupted
    assert backend.rounds == 10
    assert desk.pending.total is None


# Stopping


def test_that_a_stop_ends_the_runs_and_starts_no_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    desk = Desk(tmp_path, 3, WorkOptions(stop_grace=3.0))
    backend = InstantBackend(desk.clock, slots=2)
    backend.code = None  # they ignore the polite request
    wait = backend.wait

    def stop(timeout: float) -> None:
        wait(timeout)
        desk.requests.stops = 1

    backend.wait = stop  # type: ignore[method-assign]
    outcome = desk.dispatcher(backend).run()
    assert outcome.interrupted
    assert backend.cancelled == [(2, False), (2, True)]
    assert backend.started == ['sim_1', 'sim_2']
    assert [event['event'] for event in desk.events() if event['event'] in ('stopping', 'killing')] == [
        'stopping',
        'killing',
    ]
    assert desk.events('killing')[0]['runs'] == ['sim_1', 'sim_2']
    assert 'stopped by the user: ending 2 runs, no more are started' in caplog.text
    assert desk.pending.waiting == 3, 'resumed, all of them are run'


def test_that_runs_that_all_fail_alike_end_the_search(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 9, WorkOptions(fail_fast=3))
    backend = InstantBackend(desk.clock)
    backend.code = 1
    outcome = desk.dispatcher(backend).run()
    assert len(backend.started) == 3
    assert outcome.failed_fast
    assert outcome.example == run(1)
    assert not outcome.interrupted


# What is in the way


def test_that_what_cannot_be_started_is_tried_again_after_a_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    desk = Desk(tmp_path, 1)
    backend = InstantBackend(desk.clock)
    backend.problem = 'no process could be started: too many'
    begin = desk.clock.now
    wait = backend.wait

    def heal(timeout: float) -> None:
        wait(timeout)
        if desk.clock.now - begin > 2 * PAUSE:
            backend.problem = ''

    backend.wait = heal  # type: ignore[method-assign]
    desk.dispatcher(backend).run()
    assert finished(desk) == ['sim_1']
    ends = desk.events('ended')
    assert [(end['attempt'], end['cause']) for end in ends[:-1]] == [(n, 'start') for n in range(1, len(ends))]
    assert 2 <= len(ends) <= 4, 'not more often than every few seconds'
    assert caplog.text.count('no run is started: no process could be started: too many') == 1


# Records that appear late


class LosingQueue(InstantBackend):
    """A queue whose jobs are gone without a record after their first round; second attempts wait until cancelled.

    Attributes:
        waiting: Ids of the attempts that wait.
    """

    waiting: tuple[str, ...] = ()
    _ended: Mapping[str, AttemptStatus] = MappingProxyType({})

    def start(self, launches: Sequence[Launch], now: float) -> Sequence[LaunchResult]:
        return [replace(result, queued=True) for result in super().start(launches, now)]

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        held = self._held
        gone = {ident: AttemptStatus(JobState.ENDED) for ident, launch in held.items() if launch.number == 1}
        self._held = {ident: launch for ident, launch in held.items() if ident not in {*gone, *self._ended}}
        self.waiting = tuple(self._held)
        ended, self._ended = {**gone, **self._ended}, {}
        return {**ended, **dict.fromkeys(self.waiting, AttemptStatus(JobState.PENDING))}

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        super().cancel(idents, force=force)
        self._ended = dict.fromkeys(idents, AttemptStatus(JobState.ENDED, cause='abandoned'))


def test_that_an_attempt_which_waits_in_a_queue_is_cancelled_when_the_record_of_an_earlier_one_appears(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, 1)
    backend = LosingQueue(desk.clock)
    wait = backend.wait

    def leave_record(timeout: float) -> None:
        wait(timeout)
        if backend.waiting:
            Path(desk.folder.attempt('sim_1', 1).exit).write_text('0\n')

    backend.wait = leave_record  # type: ignore[method-assign]
    outcome = desk.dispatcher(backend).run()
    assert backend.cancelled == [(1, False)]
    assert [each.state for each in desk.state.runs['sim_1'].attempts] == [State.FINISHED, State.INTERRUPTED]
    assert (finished(desk), outcome.interrupted) == (['sim_1'], False)
    assert ';finished;' in desk.folder.results_csv.read_text()


@pytest.mark.parametrize('has_log', [True, False])
def test_that_a_run_whose_fence_was_lost_with_the_power_is_not_run_again_if_it_left_a_log_and_a_result(
    tmp_path: Path, has_log: bool
) -> None:
    configuration = replace(CONFIGURATION, summary_filename='summary.txt', summary_keywords=('finished',))
    desk = Desk(tmp_path, 1, configuration=configuration)
    dead = Journal(desk.folder, 'dead', {**this_host().as_header(), 'pid': 1, 'ticks': 'long ago'})
    assert claim(desk.folder, 'sim_1', 1, 'dead')
    dead.append({'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.folder.output('sim_1').mkdir()
    (desk.folder.output('sim_1') / 'summary.txt').write_text('finished 1\n')
    if has_log:
        Path(desk.folder.attempt('sim_1', 1).stderr).touch()
    backend = InstantBackend(desk.clock)
    desk.dispatcher(backend).run()
    assert backend.started == ([] if has_log else ['sim_1'])
    assert (desk.state.state_of('sim_1') is State.FINISHED) is has_log
    assert (';finished;"its summary says so' in desk.folder.results_csv.read_text()) is has_log


# Pilots


def test_that_pilots_are_kept_for_the_runs_that_wait(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 5)
    desk.recorder.hear('pilot', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    pilots = CountedPilots(desk.clock)
    wait = pilots.wait

    def stop(timeout: float) -> None:
        wait(timeout)
        desk.requests.stops += 1

    pilots.wait = stop  # type: ignore[method-assign]
    outcome = desk.dispatcher(pilots).run()
    assert pilots.kept == [Workload(waiting=4, started=1)]
    assert pilots.cancelled == [False]
    assert outcome.interrupted
    assert desk.screen.shown[0].waiting == 'jobs that work on it: 1 pending'


def test_that_pilots_that_are_refused_for_good_end_the_search(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 5)
    pilots = CountedPilots(desk.clock)
    pilots.placement = Placement(waiting='Invalid account', is_final=True)
    outcome = desk.dispatcher(pilots).run()
    assert outcome.refused == 'Invalid account'
    assert outcome.interrupted
    assert desk.events('draining')[0]['reason'] == 'Invalid account'
