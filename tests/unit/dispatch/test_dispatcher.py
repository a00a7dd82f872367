"""The loop of a search, with backends in which nothing takes time."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from hpsearch.backends.base import AttemptStatus, Launch, LaunchResult, Workload
from hpsearch.dispatch import admission, heartbeat, intake
from hpsearch.dispatch.context import WorkOptions
from hpsearch.dispatch.dispatcher import PAUSE
from hpsearch.dispatch.pending_runs import PendingRuns, PlannedRuns, RunsToStart
from hpsearch.dispatch.progress import OutputEcho
from hpsearch.dispatch.strategies import UNREADABLE_PATIENCE
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import Placement
from hpsearch.model.retries import JobTime, RetryPolicy
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import State
from hpsearch.results import files, summary
from hpsearch.store import attempt_files, completion, results
from hpsearch.store.attempt_files import claim
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, JournalReader
from tests.fakes.instant_backend import CountedPilots, InstantBackend
from tests.support.dispatching import CONFIGURATION, Desk, GrowingRuns, NoCode, run, vars_of


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


def test_that_the_backend_is_told_how_many_runs_wait(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 4)
    backend = InstantBackend(desk.clock, slots=2)
    desk.dispatcher(backend).run()
    assert backend.wanted == [4, 2, 0]


def test_that_a_search_that_is_stopped_wants_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 4)
    backend = InstantBackend(desk.clock, slots=1)
    desk.requests.stops = 1
    desk.dispatcher(backend).run()
    assert backend.wanted == [0]


def test_that_the_last_table_has_what_another_writer_ends_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, 5, WorkOptions(waits_for_others=False))
    alive = {'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}
    other = Journal(desk.folder, 'other', {**this_host().as_header(), **alive})
    theirs = [f'sim_{number}' for number in range(2, 6)]
    for name in theirs:
        assert claim(desk.folder, name, 1, 'other')
        other.append({'event': 'claimed', 'run': name, 'attempt': 1})
        other.append({'event': 'running', 'run': name, 'attempt': 1, 'handle': alive})
    rebuild = results.ResultsView.rebuild

    def rebuild_and_be_overtaken(view: results.ResultsView) -> None:
        rebuild(view)
        if theirs:
            other.append({'event': 'ended', 'run': theirs.pop(), 'attempt': 1, 'state': 'finished'})

    monkeypatch.setattr(results.ResultsView, 'rebuild', rebuild_and_be_overtaken)
    backend = InstantBackend(desk.clock)
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_1'] and not theirs
    assert desk.folder.results_csv.read_text().count(';finished;') == 5


def test_that_nothing_is_started_once_the_folder_was_moved_even_if_a_script_makes_the_old_one_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, 3)
    desk.folder.write_info({})
    backend = InstantBackend(desk.clock)
    dispatcher = desk.dispatcher(backend)
    wait = backend.wait

    def move_and_wait(timeout: float) -> None:
        if backend.rounds == 0:
            desk.folder.path.rename(tmp_path / 'moved')
            desk.folder.path.mkdir()
            desk.folder.output('sim_1').mkdir()
        wait(timeout)

    backend.wait = move_and_wait  # type: ignore[method-assign]
    outcome = dispatcher.run()
    assert backend.started == ['sim_1']
    assert outcome.interrupted
    assert f'{tmp_path / "search"} was moved to {tmp_path / "moved"}' in caplog.text
    assert desk.folder.path == tmp_path / 'moved'
    assert (tmp_path / 'moved' / 'search_results.csv').exists()
    assert [path.name for path in (tmp_path / 'search').iterdir()] == ['sim_1'], 'that of the script alone'


def test_that_a_search_is_not_where_only_its_journals_were_moved(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    desk.folder.write_info({})
    (tmp_path / 'kept').mkdir()
    desk.folder.journal_dir.rename(tmp_path / 'kept' / 'journal')
    desk.folder.journal_dir.mkdir()
    outcome = desk.dispatcher(InstantBackend(desk.clock)).run()
    assert (outcome.interrupted, desk.folder.path) == (False, tmp_path / 'search')


def test_that_a_folder_that_a_link_leads_to_was_not_moved_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    desk.folder.write_info({})
    backend = InstantBackend(desk.clock)
    desk.folder.path.rename(tmp_path / 'moved')
    desk.folder.path.symlink_to('moved')
    outcome = desk.dispatcher(backend).run()
    assert (outcome.interrupted, desk.folder.path) == (False, tmp_path / 'search')
    assert backend.started == finished(desk) == ['sim_1', 'sim_2', 'sim_3']


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


# Runs that are withdrawn


@pytest.mark.parametrize('left', ['failed', 'interrupted', 'lost', 'under way'])
def test_that_a_withdrawn_run_is_neither_counted_nor_shown_nor_run_again(tmp_path: Path, left: str) -> None:
    desk = Desk(tmp_path, 2)
    desk.state.withdrawn = frozenset({'sim_9'})
    with desk.folder.runs_jsonl.open('a') as plan:
        plan.write(json.dumps(vars_of(run(9))) + '\n')
    dead = Journal(desk.folder, 'dead', {**this_host().as_header(), 'pid': 1, 'ticks': 'long ago'})
    assert claim(desk.folder, 'sim_9', 1, 'dead')
    dead.append({'event': 'claimed', 'run': 'sim_9', 'attempt': 1})
    if left != 'under way':
        dead.append({'event': 'ended', 'run': 'sim_9', 'attempt': 1, 'state': left})
    backend = InstantBackend(desk.clock)
    desk.dispatcher(backend).run()
    shown = desk.screen.shown[-1]
    assert ({state: count for state, count in shown.counts.items() if count}, shown.total) == ({'finished': 2}, 2)
    assert backend.started == ['sim_1', 'sim_2']
    assert 'sim_9' not in desk.folder.results_csv.read_text()
    assert desk.pending.waiting == 0


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
    assert [event['event'] for event in desk.events() if event.get('run')] == ['claimed', 'running', 'ended']
    assert os.listdir(desk.folder.attempts('sim_1')) == ['claim'], 'the same attempt, with nothing left by any other'
    assert caplog.text.count('no run is started: no process could be started: too many') == 1


class Shared(InstantBackend):
    """A backend whose devices others choose from at first, and that notes what happens in which order."""

    def __init__(self, desk: Desk, busy: int) -> None:
        super().__init__(desk.clock)
        self.busy = busy
        self.order: list[str] = []

    @contextmanager
    def placing(self) -> Iterator[bool]:
        self.busy -= 1
        self.order.append('begin')
        yield self.busy < 0
        self.order.append('end')

    def open_slots(self, now: float, *others: Any, **more: Any) -> Placement:
        self.order.append('slots')
        return super().open_slots(now, *others, **more)

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        self.order.append('start')
        return super().start(launches, now)


def test_that_nobody_else_chooses_devices_from_before_slots_are_asked_for_until_runs_were_started(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, 1)
    backend = Shared(desk, busy=2)
    desk.dispatcher(backend).run()
    assert finished(desk) == ['sim_1']
    assert backend.order == ['begin', 'end', 'begin', 'end', 'begin', 'slots', 'start', 'end']
    assert admission.PLACING in [shown.waiting for shown in desk.screen.shown]


# Records that appear late


class LosingQueue(InstantBackend):
    """A queue whose jobs are gone without a record after their first round; second attempts wait until cancelled.

    Attributes:
        waiting: Ids of the attempts that wait.
    """

    waiting: tuple[str, ...] = ()
    _ended: Mapping[str, AttemptStatus] = MappingProxyType({})

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
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
    assert desk.screen.shown[-1].waiting == 'Invalid account: no more runs are started'


# Trouble of the machine


EIO = OSError(errno.EIO, 'Input/output error', '/disk/file')


def fails(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, times: int, error: OSError = EIO) -> None:
    """Let a function fail so often."""
    real, left = getattr(owner, name), iter(range(times))

    def call(*words: Any, **options: Any) -> Any:
        if next(left, None) is not None:
            raise error
        return real(*words, **options)

    monkeypatch.setattr(owner, name, call)


def states_of(desk: Desk) -> list[str]:
    return [history.state.value for history in desk.state.runs.values()]


NEEDS_SUMMARY = replace(CONFIGURATION, summary_filename='summary.txt')


class Writing(InstantBackend):
    """A backend whose runs leave a summary that says finished."""

    def __init__(self, desk: Desk, slots: int = 1) -> None:
        super().__init__(desk.clock, slots, rounds_at_most=2000)
        self._folder = desk.folder

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        for launch in self._held.values():
            output = self._folder.output(launch.run.name)
            output.mkdir(exist_ok=True)
            (output / 'summary.txt').write_text('acc 1\nfinished 1\n')
            Path(self._folder.attempt(launch.run.name, launch.number).stderr).touch()
        return super().states(now)


def test_that_a_summary_that_cannot_be_read_is_read_again_and_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, 2, configuration=NEEDS_SUMMARY)
    fails(monkeypatch, files, 'read_whole', 5)
    desk.dispatcher(Writing(desk)).run()
    assert [(end['run'], end['attempt'], end['state']) for end in desk.events('ended')] == [
        ('sim_2', 1, 'finished'),
        ('sim_1', 1, 'finished'),
    ], 'the other run does not wait for it'
    assert caplog.text.count('what sim_1 left cannot be read: Input/output error') == 1


def test_that_a_run_whose_summary_can_never_be_read_is_lost_and_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, 1, configuration=NEEDS_SUMMARY)
    backend = Writing(desk)
    begin = desk.clock.now

    def read(*words: Any) -> Summary:
        if not desk.events('ended'):
            raise EIO
        return summary.read_attempt_summary(*words)

    monkeypatch.setattr(completion, 'read_attempt_summary', read)
    desk.dispatcher(backend).run()
    assert [end['state'] for end in desk.events('ended')] == ['lost', 'finished']
    assert 'Input/output error' in desk.events('ended')[0]['reason']
    assert desk.clock.now - begin > UNREADABLE_PATIENCE


@pytest.mark.parametrize('code', [errno.EIO, errno.ESTALE, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (completion, 'tail'),
        (intake, 'is_there'),
        (intake, 'kernel_oom_kills'),
        (SearchFolder, 'read_runs'),
        (attempt_files, 'claim'),
        (admission, 'summary_mark'),
        (InstantBackend, 'states'),
        (OutputEcho, 'pump'),
        (heartbeat, 'kernel_oom_kills'),
        (Journal, 'beat'),
        (results, 'write_results'),
        (JournalReader, '_files'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_that_whatever_the_system_refuses_every_run_ends_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, code: int
) -> None:
    desk = Desk(tmp_path, 2, configuration=replace(CONFIGURATION, resumable=True))
    desk.pending = PendingRuns(
        PlannedRuns(RunsToStart(desk.folder, desk.state, RetryPolicy()), 2),
        desk.state,
        desk.recorder.counts,
        RetryPolicy(),
    )
    desk.search = replace(desk.search, pending=desk.pending)
    backend = InstantBackend(desk.clock, rounds_at_most=500)
    backend.code = 3
    dispatcher = desk.dispatcher(backend)
    fails(monkeypatch, owner, name, 2, OSError(code, os.strerror(code)))
    dispatcher.run()
    assert sorted((end['run'], end['attempt'], end['state']) for end in desk.events('ended')) == [
        ('sim_1', 1, 'failed'),
        ('sim_2', 1, 'failed'),
    ]
    assert desk.folder.results_csv.read_text().count(';failed;') == 2


def test_that_a_search_does_not_end_before_its_journal_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, 1)
    backend = InstantBackend(desk.clock)
    dispatcher = desk.dispatcher(backend)
    real = backend.states

    def states(now: float) -> Mapping[str, AttemptStatus]:
        if backend.rounds == 1:
            monkeypatch.setattr(Journal, '_write', full)
        if backend.rounds == 60:
            monkeypatch.undo()
        return real(now)

    def full(journal: Journal, line: bytes) -> bool:
        journal.blocked = 'the journal cannot be written: the disk is full'
        return False

    backend.states = states  # type: ignore[method-assign]
    dispatcher.run()
    assert backend.rounds >= 60
    assert [end['state'] for end in desk.events('ended')] == ['finished']
    assert caplog.text.count('the disk is full') == 1


def test_that_a_table_that_cannot_be_written_is_said_once_and_tried_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, 60)
    tries: list[float] = []

    def write(*words: object, **more: object) -> None:
        tries.append(desk.clock.now)
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(results, 'write_results', write)
    desk.dispatcher(InstantBackend(desk.clock)).run()
    assert len(tries) < 10
    assert caplog.text.count('search_results.csv could not be written') == 1


# What others say of our attempts


class Slandered(InstantBackend):
    """Its attempts go on while another writer reports that the first one is lost, and end later."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.clock, slots=2)
        self.code = None
        self.desk = desk

    def wait(self, timeout: float) -> None:
        super().wait(timeout)
        if self.rounds == 2:
            other = Journal(self.desk.folder, 'other', {})
            other.append({'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'lost'})
        if self.rounds == 20:
            assert self.desk.state.state_of('sim_1') is State.LOST
            self.code = 0


def test_that_an_attempt_of_ours_that_another_writer_calls_lost_is_not_started_beside_itself(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    backend = Slandered(desk)
    desk.dispatcher(backend).run()
    assert backend.started == ['sim_1', 'sim_2', 'sim_3']
    assert finished(desk) == ['sim_1', 'sim_2', 'sim_3'], 'evidence beats its absence'


# What is left in a queue


class Untidy(InstantBackend):
    """A queue in which a job is left that nothing needs; it leaves after some looks, or never."""

    looks = 3
    leftovers = ''

    def is_clear(self, now: float) -> bool:
        self.looks -= 1
        return self.looks == 0


def test_that_a_search_does_not_end_while_a_job_of_it_is_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    backend = Untidy(desk.clock)
    outcome = desk.dispatcher(backend).run()
    assert (finished(desk), backend.looks, outcome.leftovers) == (['sim_1', 'sim_2'], 0, '')


def test_that_jobs_that_are_left_in_the_end_are_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1)
    backend = Untidy(desk.clock)
    backend.looks, backend.leftovers = 1, '1 job of this search is still in the queue: 7_1'
    assert desk.dispatcher(backend).run().leftovers == backend.leftovers


class Forgetful(InstantBackend):
    """A queue that does not know the jobs of attempts any more."""

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        return [replace(result, queued=True) for result in super().start(launches, now)]

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        return {ident: AttemptStatus(JobState.UNKNOWN, detail='it may still run on n1') for ident in self._held}


def test_that_attempts_the_queue_has_lost_sight_of_are_waited_for_until_the_user_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, 2, WorkOptions(in_queue=True))
    backend = Forgetful(desk.clock, slots=2)
    wait = backend.wait

    def stop_after_ten(timeout: float) -> None:
        wait(timeout)
        desk.requests.stops = 1 if backend.rounds >= 10 else 0

    backend.wait = stop_after_ten  # type: ignore[method-assign]
    outcome = desk.dispatcher(backend).run()
    assert (sorted(outcome.unknown), backend.rounds) == (['sim_1', 'sim_2'], 10)
    assert backend.started == ['sim_1', 'sim_2'], 'none is run again'
    assert not desk.events('ended')
    told = [record.message for record in caplog.records if 'host_is_dead' in record.message]
    assert len(told) == 1
    assert told[0].startswith('sim_1 and 1 more: it may still run on n1. It is not run again before its time limit')


# In a job of a queue


class EndingJob(InstantBackend):
    """The job it is in is asked to end at a time; until then the first run ends, and the last goes on."""

    def __init__(self, desk: Desk, first_ends: float, asked: float) -> None:
        super().__init__(desk.clock, rounds_at_most=500)
        self._desk = desk
        self._first_ends = first_ends
        self._asked = asked

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        is_first = len(self.started) == 1
        self.code = 0 if is_first and now >= self._first_ends else self.code if self.code == 137 else None
        return super().states(now)

    def wait(self, timeout: float) -> None:
        super().wait(timeout)
        if self._desk.clock.now >= self._asked:
            self._desk.requests.stops = 1


@pytest.mark.parametrize(
    ('first_ends', 'asked', 'end'),
    [
        (1001.0, 1196.0, ('failed', 'timeout')),
        (1060.0, 1196.0, ('interrupted', 'stop')),  # it began late
        (1001.0, 1060.0, ('interrupted', 'stop')),  # somebody cancelled the job
    ],
)
def test_that_a_run_that_had_a_whole_job_reached_its_time_limit(
    tmp_path: Path, first_ends: float, asked: float, end: tuple[str, str]
) -> None:
    job_time = JobTime(1000.0, 1240.0, 45.0)
    desk = Desk(tmp_path, 2, WorkOptions(is_in_job=True, job_time=job_time, stop_grace=5.0))
    desk.dispatcher(EndingJob(desk, first_ends, asked)).run()
    first, last = desk.events('ended')
    assert first['state'] == 'finished'
    assert (last['state'], last['cause']) == end


def test_that_a_machine_that_can_start_no_threads_delays_only_what_is_read_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, 3)
    tries: list[float] = []

    def start(code: NoCode, report: object) -> None:
        tries.append(desk.clock.now)
        raise OSError(errno.EAGAIN, "can't start new thread")

    monkeypatch.setattr(NoCode, 'start', start)
    desk.dispatcher(InstantBackend(desk.clock)).run()
    assert finished(desk) == ['sim_1', 'sim_2', 'sim_3']
    assert len(tries) > 1, 'it is tried again'
