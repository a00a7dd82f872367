"""Jobs that work on a search by themselves, with a scripted queue and stepped time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from hpsearch.backends.base import JobCounts, PilotBackend, Silence, Workload
from hpsearch.backends.queue.batch_system import JobSpec, QueueLimits
from hpsearch.backends.queue.limits import FORGET, RETRY
from hpsearch.backends.queue.pilots import (
    MAX_FAILURES,
    STARTUP_SECONDS,
    Pilot,
    PilotEnd,
    Pilots,
    PilotSettings,
    QueuedPilots,
    pilots_needed,
    read_ends,
)
from hpsearch.backends.queue.poller import ABSENT_AFTER, JobPoller
from hpsearch.backends.queue.submission import QueueContext
from hpsearch.host.kernel import this_host
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import JobState
from hpsearch.model.history.submission import Submission
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import writer_name
from tests.fakes.scripted_queue import Clock, ScriptedQueue, ScriptedRunner, as_runner, system
from tests.support.harness import new_folder


class Desk:
    """A backend of pilots, and the work there is.

    Attributes:
        work: What the dispatcher would say there is to do.
    """

    def __init__(self, folder: SearchFolder, known: tuple[Submission, ...] = (), **settings: Any) -> None:
        self.folder = folder
        self.clock = Clock()
        self.queue = ScriptedQueue()
        self.runner = ScriptedRunner(self.queue)
        self.events: list[dict[str, Any]] = []
        self.work = Workload(100, 0)
        self.settings = PilotSettings(**{'num_jobs': 10, 'runs_per_job': 4, 'argv': ('join',), **settings})
        self.salts = count(1)
        self.poller = JobPoller(
            system(self.queue), as_runner(self.runner), 30.0, clock=self.clock, wall=self.clock.wall
        )
        self.known = known
        self.backend = self.opened()

    def opened(self) -> QueuedPilots:
        context = QueueContext(
            folder=self.folder,
            cwd='/tmp',
            system=system(self.queue),
            runner=as_runner(self.runner),
            poller=self.poller,
            wakeup=cast(Wakeup, None),
            note=self.events.append,
            salt=lambda: f'{next(self.salts):06d}',
            wall=self.clock.wall,
        )
        return QueuedPilots(context, Pilots(context, self.settings, self.known))

    def step(self, times: int = 1) -> str:
        """Rounds of a dispatcher that has runs to start; why it waits."""
        why = ''
        for _ in range(times):
            self.clock.now += 1
            self.backend.step(self.work, self.clock.now)
            placement = self.backend.keep(self.work, self.clock.now)
            assert not placement.slots
            why = placement.waiting
        return why

    def is_final(self) -> bool:
        return self.backend.keep(self.work, self.clock.now).is_final

    def submitted(self) -> list[int]:
        """Sizes of the submissions that were sent."""
        return [int(words[2]) for words in self.queue.called('submit')]

    def end(self, job: str, **how: Any) -> None:
        """All pilots of a job end."""
        for index in self.queue.jobs[job].elements:
            self.queue.change(job, index, kind=JobState.ENDED, **{'code': 0, **how})


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


@pytest.fixture
def make_desk(folder: SearchFolder) -> Callable[..., Desk]:
    return lambda *args, **settings: Desk(folder, *args, **settings)


@pytest.fixture
def desk(folder: SearchFolder) -> Desk:
    return Desk(folder)


# How many


@pytest.mark.parametrize(
    ('waiting', 'alive', 'pending', 'needed'),
    [
        (100, 0, 0, 10),  # as many as were asked for
        (100, 7, 0, 3),
        (100, 10, 10, 0),
        (9, 0, 0, 3),  # no more than there is work for
        (9, 2, 2, 1),
        (9, 5, 3, 0),
        (8, 5, 0, 2),  # those at work have their hands full
        (0, 0, 0, 0),
        (100, 12, 0, 0),  # a smaller number was asked for
    ],
)
def test_that_there_are_as_many_as_are_wanted_and_there_is_work_for(
    waiting: int, alive: int, pending: int, needed: int
) -> None:
    settings = PilotSettings(num_jobs=10, runs_per_job=4, argv=())
    assert pilots_needed(Workload(waiting, 0), alive, pending, settings) == needed


def test_that_one_that_has_just_begun_is_expected_to_take_runs() -> None:
    kinds = {1: JobState.PENDING, 2: JobState.UNKNOWN, 3: JobState.RUNNING, 4: JobState.RUNNING, 5: JobState.RUNNING}
    pilots = {index: Pilot({3: 100.0, 4: 100.0 - STARTUP_SECONDS}.get(index)) for index in kinds}
    assert sum(pilots[index].is_idle(kind, 100.0) for index, kind in kinds.items()) == 4


def test_that_no_more_are_submitted_while_new_ones_begin(desk: Desk) -> None:
    desk.work = Workload(8, 0)
    desk.step(times=5)
    desk.queue.begin()
    desk.step(times=40)
    assert desk.submitted() == [2]


# Submitting


def test_that_they_are_submitted_as_one_array_without_a_throttle(desk: Desk, folder: SearchFolder) -> None:
    desk.step(times=4)
    assert desk.queue.called('submit') == [('submit', 'hps-search-000001', '10', '0')]
    assert [event['event'] for event in desk.events] == ['submitting', 'accepted']
    assert (desk.events[0]['pilots'], desk.events[0]['throttle'], desk.events[1]['job']) == (10, 10, '1')
    assert folder.submission('hps-search-000001').script.read_text() == desk.runner.scripts[0]
    desk.step(times=100)
    assert desk.submitted() == [10]


def test_that_nothing_is_submitted_before_the_limits_are_known(desk: Desk) -> None:
    desk.queue.rejects.add('limits')
    assert desk.step(times=10) == 'limits failed'
    assert desk.submitted() == []
    desk.queue.rejects.clear()
    desk.step(times=int(RETRY) + 3)
    assert desk.submitted() == [10]


def test_that_an_array_has_no_more_than_the_queue_takes_in_one(desk: Desk) -> None:
    desk.queue.limits = QueueLimits(array=4)
    desk.step(times=20)
    assert desk.submitted() == [4, 4, 2]


def test_that_a_queue_with_a_limit_is_filled_and_not_asked_in_vain(desk: Desk) -> None:
    desk.queue.limit = 3
    desk.step(times=60)
    assert desk.queue.live() == 3
    assert len(desk.submitted()) <= 6
    assert desk.step() == 'too many'
    before = len(desk.submitted())
    desk.step(times=int(FORGET) * 3)
    assert len(desk.submitted()) - before <= 3


def test_that_what_ends_is_replaced_under_a_limit(desk: Desk) -> None:
    desk.queue.limit = 3
    desk.step(times=20)
    desk.queue.begin()
    desk.work = Workload(50, 12)
    desk.end('1')
    desk.step(times=60)
    assert desk.queue.live() == 3


def test_that_only_one_round_is_submitted_when_nothing_is_held(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.queue.limit = 5
    desk.step(times=30)
    assert desk.queue.live() == 5
    assert desk.backend.is_settled()
    desk.end('1')
    desk.queue.limit = None
    desk.step(times=400)
    assert desk.queue.live() < 5


def test_that_many_arrays_are_submitted_when_nothing_is_held(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.queue.limits = QueueLimits(array=4)
    desk.step(times=20)
    assert desk.submitted() == [4, 4, 2]
    assert desk.backend.is_settled()


def test_that_it_is_not_settled_before_the_queue_has_answered(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.step()
    assert not desk.backend.is_settled()
    desk.runner.is_slow = True
    desk.step(times=3)
    assert not desk.backend.is_settled()


def test_that_a_refusal_for_good_is_final(desk: Desk) -> None:
    desk.queue.wrong = 'Invalid account'
    assert desk.step(times=10) == 'Invalid account'
    assert desk.is_final()
    desk.step(times=500)
    assert len(desk.submitted()) == 1


def test_that_a_folder_that_cannot_be_written_is_tried_again(desk: Desk, folder: SearchFolder) -> None:
    folder.submissions_dir.write_text('in the way')
    assert 'cannot be written' in desk.step(times=5)
    folder.submissions_dir.unlink()
    desk.step(times=int(RETRY) + 3)
    assert desk.submitted() == [10]


# Lost answers


def test_that_a_submission_whose_answer_was_lost_is_found_by_its_name(desk: Desk) -> None:
    desk.queue.loses = 1
    desk.step(times=int(RETRY) + 30)
    assert desk.submitted() == [10]
    assert desk.events[-1]['event'] == 'accepted'


def test_that_a_submission_that_was_not_heard_is_sent_again(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.step(times=int(RETRY) + 30)
    assert desk.submitted() == [10, 10]
    assert len({words[1] for words in desk.queue.called('submit')}) == 1
    assert desk.queue.live() == 10


def test_that_it_is_not_sent_again_while_the_queue_cannot_be_listed(desk: Desk) -> None:
    desk.queue.loses = 1
    desk.queue.is_blind = True
    desk.step(times=2000)
    assert desk.submitted() == [10]
    assert not desk.backend.is_settled()


def test_that_it_is_not_sent_again_when_they_are_to_end(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.step(times=5)
    desk.backend.cancel(force=False)
    desk.step(times=200)
    assert desk.submitted() == [10]
    assert desk.backend.is_settled()


def test_that_a_limit_met_at_the_second_try_does_not_drop_what_may_yet_show_up(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.step(times=20)
    desk.queue.limit = 0
    while len(desk.submitted()) < 2:
        desk.step()
    desk.step(times=3)
    assert len({event['submission'] for event in desk.events}) == 1
    desk.queue.limit = None
    desk.step(times=200)
    assert desk.queue.live() == 10


def test_that_a_job_that_a_refusal_left_behind_is_a_refusal(desk: Desk) -> None:
    desk.queue.loses = 1
    desk.step(times=3)
    for index in desk.queue.jobs['1'].elements:
        desk.queue.change('1', index, kind=JobState.ENDED, code=1, reason='BadConstraints')
    assert desk.step(times=50) == 'BadConstraints'
    assert desk.is_final()
    assert [event['event'] for event in desk.events] == ['submitting']


# What becomes of them


def test_that_they_are_replaced_when_they_end_and_there_is_work(desk: Desk) -> None:
    desk.step(times=5)
    desk.queue.begin()
    desk.work = Workload(60, 40)
    desk.step(times=70)
    desk.end('1')
    desk.step(times=40)
    assert desk.submitted() == [10, 10]


def test_that_nothing_is_replaced_because_of_one_listing_without_them(desk: Desk) -> None:
    desk.step(times=5)
    desk.queue.begin()
    desk.step(times=40)
    made = desk.queue.jobs.pop('1')
    before = desk.poller.listings
    while desk.poller.listings == before:
        desk.step()
    desk.queue.jobs['1'] = made
    desk.step(times=200)
    assert desk.submitted() == [10]


def test_that_those_nobody_knows_any_more_are_replaced_after_the_grace_time(desk: Desk) -> None:
    desk.step(times=40)
    desk.queue.remove('1')
    desk.step(times=int(ABSENT_AFTER) - 10)
    assert desk.submitted() == [10]
    desk.step(times=100)
    assert desk.submitted() == [10, 10]


def test_that_no_more_are_submitted_after_they_ended_in_vain_three_times(desk: Desk, folder: SearchFolder) -> None:
    for job in range(1, MAX_FAILURES + 1):
        desk.step(times=40)
        assert not desk.is_final()
        desk.end(str(job), code=1)
        name = desk.queue.jobs[str(job)].job.name
        Path(folder.submission(name).log).write_text('Traceback\nno module named hpsearch\n')
    why = desk.step(times=500)
    assert len(desk.submitted()) == MAX_FAILURES
    assert f'3 submissions in a row ended without starting a run: see {folder.path}' in why
    assert why.endswith('which ends with: no module named hpsearch')
    assert desk.is_final()


def test_that_jobs_that_started_runs_did_not_end_in_vain(desk: Desk) -> None:
    for job in range(1, 8):
        desk.step(times=40)
        desk.work = Workload(100, job)
        desk.end(str(job), code=1)
    desk.step(times=40)
    assert len(desk.submitted()) == 8


def test_that_jobs_that_the_queue_ended_did_not_end_in_vain(desk: Desk) -> None:
    for job in range(1, 8):
        desk.step(times=40)
        desk.end(str(job), cause='preempted')
    desk.step(times=40)
    assert len(desk.submitted()) == 8


def test_that_jobs_that_found_nothing_to_do_did_not_end_in_vain(desk: Desk) -> None:
    for job in range(1, 6):
        desk.work = Workload(100, 0)
        desk.step(times=40)
        desk.work = Workload(0, 0)
        desk.end(str(job))
        desk.step(times=40)
    desk.work = Workload(100, 0)
    desk.step(times=40)
    assert len(desk.submitted()) == 6


def test_that_those_that_still_wait_are_cancelled_when_there_is_nothing_left_to_do(desk: Desk) -> None:
    desk.queue.slots = 3
    desk.step(times=5)
    desk.queue.begin()
    desk.step(times=40)
    desk.work = Workload(0, 12)
    desk.step(times=40)
    assert desk.queue.called('cancel') == [('cancel', '1', 'part', 'term', *(str(index) for index in range(4, 11)))]
    assert desk.queue.running() == 3


# Ending


def test_that_all_are_cancelled_on_a_stop_and_waited_for(desk: Desk) -> None:
    desk.step(times=40)
    desk.backend.cancel(force=False)
    assert not desk.backend.is_settled()
    desk.step(times=2)
    assert desk.queue.called('cancel')[0][:4] == ('cancel', '1', 'whole', 'term')
    desk.step(times=60)
    assert desk.backend.is_settled()
    assert desk.submitted() == [10]


def test_that_pilots_that_were_accepted_and_those_that_may_have_been_are_told_apart(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.step(times=3)
    assert desk.backend.job_counts() == JobCounts(unanswered=10)
    desk.step(times=100)
    assert desk.backend.job_counts() == JobCounts(accepted=10)


def test_that_a_command_that_hangs_is_a_silence_as_soon_as_they_are_stopped(desk: Desk) -> None:
    desk.step(times=40)
    desk.runner.is_slow = True
    desk.backend.cancel(force=False)
    desk.step()
    assert desk.backend.silence == Silence(desk.clock.now, 'list has not answered yet')


def test_that_a_cancellation_that_failed_is_repeated(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    desk.step(times=40)
    desk.queue.rejects.add('cancel')
    desk.backend.cancel(force=False)
    desk.step(times=20)
    assert 2 <= len(desk.queue.called('cancel')) <= 8
    assert 'could not be cancelled yet: cancel failed' in caplog.text
    desk.queue.rejects.clear()
    desk.step(times=80)
    assert desk.queue.live() == 0
    assert desk.backend.is_settled()


def test_that_what_is_being_submitted_is_cancelled_when_it_is_known(desk: Desk) -> None:
    desk.step(times=1)
    desk.runner.is_slow = True
    desk.step()
    desk.backend.cancel(force=True)
    desk.runner.is_slow = False
    desk.step(times=40)
    assert desk.queue.live() == 0
    assert desk.backend.is_settled()


def test_that_foreign_jobs_are_never_cancelled(desk: Desk) -> None:
    foreign = desk.queue.put(JobSpec('foreign', 2, 0, '/log'))
    desk.step(times=40)
    desk.backend.cancel(force=True)
    desk.step(times=40)
    assert desk.queue.jobs[foreign].count(JobState.PENDING) == 2


def test_that_leaving_lets_them_go_on(desk: Desk) -> None:
    desk.step(times=5)
    desk.backend.close()
    assert desk.queue.live() == 10


# Those of earlier writers


def remembered(name: str = 'old', **facts: Any) -> Submission:
    return Submission(**{'name': name, 'queue': 'slurm', 'writer': 'w', 'at': 5.0, 'throttle': 4, 'pilots': 4, **facts})


def test_that_jobs_of_an_earlier_writer_count(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk((remembered(job='1'),))
    desk.queue.put(JobSpec('old', 4, 0, '/log'))
    desk.step(times=100)
    assert desk.submitted() == [6]


def test_that_jobs_of_an_earlier_writer_that_have_ended_do_not_count(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk((remembered(job='99'),))
    desk.step(times=5)
    assert desk.submitted() == [6], 'until it is sure'
    desk.step(times=int(ABSENT_AFTER) + 60)
    assert sum(desk.submitted()) == 10


def test_that_jobs_of_which_the_queue_has_not_told_anything_yet_are_shown_as_that(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk((remembered(job='99'),))
    (line,) = desk.backend.queue_lines()
    assert (line.state, line.reason, line.count) == ('pending', 'not listed yet', 4)


def test_that_a_submission_that_was_not_answered_is_found_and_can_be_cancelled(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk((remembered(),), num_jobs=4)
    job = desk.queue.put(JobSpec('old', 4, 0, '/log'))
    desk.step(times=5)
    assert [(event['event'], event['job']) for event in desk.events] == [('accepted', job)]
    desk.backend.cancel(force=False)
    desk.step(times=40)
    assert desk.queue.live() == 0


def test_that_jobs_that_cannot_find_the_folder_any_more_are_cancelled_and_replaced(
    make_desk: Callable[..., Desk],
) -> None:
    writer = writer_name(this_host().name, 7, 0.0, 'aa')
    desk = make_desk((remembered(job='1', writer=writer, place='/no/such/place'),))
    desk.queue.put(JobSpec('old', 4, 0, '/log'))
    desk.step(times=100)
    assert desk.queue.called('cancel')[0][:2] == ('cancel', '1')
    assert sum(desk.submitted()) == 10


def test_that_arrays_of_attempts_and_jobs_of_other_queues_are_not_remembered(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk((remembered(pilots=0), remembered('else', queue='lsf')))
    desk.step(times=5)
    assert desk.submitted() == [10]


# What is shown


def test_that_it_says_how_many_there_are(desk: Desk) -> None:
    assert desk.step() == 'limits has not answered yet'
    desk.queue.slots = 3
    desk.step(times=3)
    desk.queue.begin()
    assert desk.step(times=40) == 'jobs that work on it: 7 pending, 3 running'
    lines = {(line.state, line.reason, line.count, line.example) for line in desk.backend.queue_lines()}
    assert lines == {('running', '', 3, 'hps-search-000001'), ('pending', 'Priority', 7, 'hps-search-000001')}


def test_that_it_never_holds_attempts(desk: Desk) -> None:
    assert isinstance(desk.backend, PilotBackend)
    assert not [name for name in ('start', 'adopt', 'can_adopt', 'is_running', 'states') if hasattr(desk.backend, name)]


# Nodes


def fail_on(desk: Desk, job: str, index: int, node: str, code: int = 127) -> None:
    """A pilot ends within a second, as its script writes down."""
    name = desk.queue.jobs[job].job.name
    with open(desk.folder.submission(name).ended, 'a') as ends:
        ends.write(f'{index} {code} 1 {node}\n')
    desk.queue.change(job, index, kind=JobState.ENDED, where=node)


def test_that_a_node_on_which_pilots_fail_at_once_is_avoided_and_does_not_end_the_search(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(num_jobs=4)
    desk.step(times=5)
    desk.queue.begin()
    for index, node in enumerate(('n1', 'n2', 'n4'), start=2):
        desk.queue.change('1', index, where=node)
    desk.step(times=40)
    fail_on(desk, '1', 1, 'n3')
    desk.step(times=40)
    assert not desk.backend.bad_nodes()
    for job in ('2', '3', '4', '5'):
        fail_on(desk, job, 1, 'n3')
        desk.step(times=40)
        assert list(desk.backend.bad_nodes()) == ['n3']
    assert not desk.is_final()
    for _ in range(5):
        desk.backend.avoid(frozenset({'n3'}), desk.clock.now)
        desk.step()
    assert desk.queue.jobs['6'].count(JobState.PENDING) == 1
    assert desk.queue.avoided['6'] == ('n3',)


def test_that_pilots_that_fail_on_several_nodes_end_the_search(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=1)
    for job, node in (('1', 'n3'), ('2', 'n3'), ('3', 'n1')):
        desk.step(times=40)
        assert not desk.is_final()
        fail_on(desk, job, 1, node)
    desk.step(times=40)
    assert desk.is_final()


def test_that_pilots_that_fail_on_the_only_node_end_the_search(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=1)
    desk.queue.nodes = ['n3']
    for job in range(1, MAX_FAILURES + 1):
        desk.step(times=40)
        desk.backend.avoid(frozenset(desk.backend.bad_nodes()), desk.clock.now)
        assert not desk.is_final()
        fail_on(desk, str(job), 1, 'n3')
    desk.step(times=40)
    assert desk.is_final()


@pytest.mark.parametrize('code', [0, 143])
def test_that_pilots_that_ended_well_or_on_request_say_nothing_of_their_node(
    make_desk: Callable[..., Desk], code: int
) -> None:
    desk = make_desk(num_jobs=2)
    desk.step(times=5)
    desk.queue.begin()
    fail_on(desk, '1', 1, 'n3', code)
    fail_on(desk, '1', 2, 'n3', code)
    desk.step(times=40)
    assert not desk.backend.bad_nodes()


def test_that_lines_that_say_no_end_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'x.ended'
    path.write_text('1 127 0 n3\n2 0\n\u00b2 0 0 n1\n99999999999 0 0 n1\n3 0 25 -\n4 1 2 n1')
    assert read_ends(str(path)) == {1: PilotEnd(127, 0.0, 'n3'), 3: PilotEnd(0, 25.0, '')}
    assert read_ends(str(tmp_path / 'none')) == {}
