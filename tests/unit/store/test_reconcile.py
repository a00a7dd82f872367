"""What became of attempts that nobody looks after, told from their files."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.configuration import Configuration
from hpsearch.model.evidence import JobRecord, JobState, QueueView
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import State
from hpsearch.store.attempt_files import move_output_aside
from hpsearch.store.completion import CompletionReader
from hpsearch.store.journal import open_journals
from hpsearch.store.reconcile import AttemptKey, Reconciler
from hpsearch.store.writers import poll_once
from tests.support.harness import marked_process
from tests.support.queued_search import MEMORY_ERROR, QueuedSearch, elsewhere


@pytest.fixture
def search(tmp_path: Path) -> QueuedSearch:
    return QueuedSearch(tmp_path / 'search')


def reconciler_of(search: QueuedSearch, configuration: Configuration | None = None) -> tuple[SearchState, Reconciler]:
    """What the journals of a search say, and what reconciles it."""
    folder = search.folder
    state, reader = open_journals(folder)
    lives = poll_once(folder, reader.headers, reader.closed, time.time())
    completions = CompletionReader(folder, configuration or search.configuration)
    return state, Reconciler(folder, state, reader.headers, lives, lambda: completions)


def says(cause: str) -> QueueView:
    """The queue says that a job ended for a cause."""
    return QueueView(JobState.ENDED, JobRecord('101', 1, 'hps-x-1', JobState.ENDED, cause))


def looked_at(
    search: QueuedSearch,
    configuration: Configuration | None = None,
    jobs: Mapping[AttemptKey, QueueView] | None = None,
) -> SearchState:
    """What is known of a search after a look at all its active attempts."""
    state, reconciler = reconciler_of(search, configuration)
    assert reconciler.take_in_unattended(jobs or {}) == []
    assert not state.odd
    return state


def files_below(path: Path) -> dict[str, int]:
    """Every file, with the time of its last change."""
    return {str(each): each.stat().st_mtime_ns for each in path.rglob('*')}


def test_that_an_attempt_with_a_record_and_a_summary_has_finished(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.end(name, 0, acc=0.9)
    attempt = search.attempt(looked_at(search), name)
    assert attempt.state is State.FINISHED
    assert attempt.summary == {'acc': '0.9', 'finished': '1'}
    assert attempt.seconds is not None


def test_that_an_attempt_that_was_to_be_stopped_when_its_writer_was_killed_is_stopped(search: QueuedSearch) -> None:
    killed, finished, running = search.submit(3)
    for name in (killed, finished, running):
        search.event('pruned', run=name, attempt=1, step=3, reason='worse than others at step 3')
    search.end(killed, 143, signalled='TERM')
    search.end(finished, 0, acc=0.9)
    search.start(running)
    state = looked_at(search, jobs={(killed, 1): says('cancelled')})
    attempt = search.attempt(state, killed)
    assert (attempt.state, attempt.cause, attempt.reason) == (State.STOPPED, 'pruned', 'worse than others at step 3')
    assert [state.state_of(name) for name in (finished, running)] == [State.FINISHED, State.RUNNING]


def test_that_nothing_is_written(search: QueuedSearch) -> None:
    names = search.submit(3)
    search.end(names[0], 0, acc=0.9)
    search.start(names[1])
    before = files_below(search.folder.path)
    looked_at(search)
    assert files_below(search.folder.path) == before


def test_that_an_attempt_which_passed_its_fence_runs(search: QueuedSearch) -> None:
    started, waiting = search.submit(2)
    search.start(started)
    state = looked_at(search)
    assert state.state_of(started) is State.RUNNING
    assert state.state_of(waiting) is State.SUBMITTED


def test_that_an_attempt_whose_fence_was_closed_does_not_run(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.write(name, 'started', 'other:closed\n')
    assert looked_at(search).state_of(name) is State.SUBMITTED


def test_that_half_a_record_says_nothing(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.start(name)
    search.write(name, 'exit', '1')
    assert looked_at(search).state_of(name) is State.RUNNING


def test_that_a_failure_has_what_failures_are_grouped_by(search: QueuedSearch) -> None:
    one, other = search.submit(2)
    for name in (one, other):
        search.end(name, 1, stderr=f'KeyError: 7 in {name}\n')
    state = looked_at(search)
    assert {search.attempt(state, name).failure for name in (one, other)} == {'KeyError: # in <run>'}
    assert search.attempt(state, one).state is State.FAILED


@pytest.mark.parametrize(
    ('resumable', 'state'), [(False, State.FAILED), (True, State.INTERRUPTED)], ids=['plain', 'resumable']
)
def test_that_a_time_limit_fails_a_run_unless_it_can_go_on(tmp_path: Path, resumable: bool, state: State) -> None:
    search = QueuedSearch(tmp_path / 'search', resumable=resumable)
    (name,) = search.submit(1)
    search.end(name, 143, signalled='timeout')
    attempt = search.attempt(looked_at(search), name)
    assert (attempt.state, attempt.cause) == (state, 'timeout')
    assert 'its job reached its time limit' in attempt.reason


def test_that_an_attempt_which_somebody_ended_is_interrupted(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.end(name, 143, signalled='TERM')
    attempt = search.attempt(looked_at(search), name)
    assert (attempt.state, attempt.cause) == (State.INTERRUPTED, 'terminated')


@pytest.mark.parametrize(
    ('told', 'state', 'cause'),
    [
        ('', State.FAILED, 'exit'),
        ('preempted', State.INTERRUPTED, 'preempted'),
        ('cancelled', State.INTERRUPTED, 'cancelled'),
        ('timeout', State.FAILED, 'timeout'),
        ('out_of_memory', State.INTERRUPTED, 'host_oom'),
    ],
)
def test_that_the_queue_may_know_what_killed_an_attempt(
    search: QueuedSearch, told: str, state: State, cause: str
) -> None:
    (name,) = search.submit(1)
    search.end(name, 137)
    attempt = search.attempt(looked_at(search, jobs={(name, 1): says(told)}), name)
    assert (attempt.state, attempt.cause) == (state, cause)


def test_that_what_the_queue_says_does_not_matter_where_a_run_ended_by_itself(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.end(name, 1)
    assert looked_at(search, jobs={(name, 1): says('cancelled')}).state_of(name) is State.FAILED


def test_that_an_attempt_which_was_killed_waits_until_the_queue_is_asked(search: QueuedSearch) -> None:
    killed, ended = search.submit(2)
    search.end(killed, 137)
    search.end(ended, 1)
    state, reconciler = reconciler_of(search)
    reconciler.take_in_unattended()
    assert [attempt.run for attempt in reconciler.unclear] == [killed]
    assert (state.state_of(killed), state.state_of(ended)) == (State.RUNNING, State.FAILED)


def test_that_a_run_which_finished_in_spite_of_a_signal_has_finished(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.end(name, 143, acc=0.5, signalled='TERM')
    assert looked_at(search).state_of(name) is State.FINISHED


def test_that_an_attempt_whose_job_was_restarted_is_interrupted(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.start(name)
    search.write(name, 'requeued', 'w:sim_001:1 78 101 1 node8\n')
    attempt = search.attempt(looked_at(search), name)
    assert (attempt.state, attempt.cause) == (State.INTERRUPTED, 'requeued')


def test_that_a_summary_from_before_the_attempt_does_not_count(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', resumable=True)
    output = search.folder.path / 'sim_001'
    output.mkdir()
    (output / 'summary.txt').write_text('acc 0.9\nfinished 1\n')
    facts = (output / 'summary.txt').stat()
    (name,) = search.submit(1, summary_before=[facts.st_ino, facts.st_mtime_ns, facts.st_size])
    search.end(name, 1)
    assert looked_at(search).state_of(name) is State.FAILED


def test_that_a_run_that_can_have_more_memory_is_interrupted(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.end(name, 1, stderr=MEMORY_ERROR)
    attempt = search.attempt(looked_at(search), name)
    assert (attempt.state, attempt.cause) == (State.INTERRUPTED, 'host_oom')
    assert attempt.facts['memory_limit'] == 8192


def test_that_without_a_summary_file_the_status_decides(search: QueuedSearch) -> None:
    one, other = search.submit(2)
    search.end(one, 0)
    search.end(other, 3)
    plain = Configuration(source='', sha256='', grid={}, command=('true',))
    state = looked_at(search, plain)
    assert (state.state_of(one), state.state_of(other)) == (State.FINISHED, State.FAILED)


def test_that_a_local_attempt_counts_by_its_record_and_without_one_by_its_process(search: QueuedSearch) -> None:
    ended, gone, alive = search.plan(3)
    for name in (ended, gone, alive):
        search.claim(name)
    search.end(ended, 0, acc=0.5)
    search.start_here(gone)
    with marked_process(search.folder, alive) as process:
        search.start_here(alive, process.pid)
        state = looked_at(search)
    assert [state.state_of(name) for name in (ended, gone, alive)] == [State.FINISHED, State.LOST, State.RUNNING]
    assert search.attempt(state, gone).reason == 'no exit record; its process is gone'
    assert search.attempt(state, gone).seconds is None, 'nobody knows when it ended'


def test_that_an_attempt_that_was_lost_after_its_summary_has_finished(search: QueuedSearch) -> None:
    (name,) = search.plan(1)
    search.claim(name)
    search.start_here(name)
    search.leave_summary(name, 0.5)
    assert looked_at(search).state_of(name) is State.FINISHED


def test_that_a_claim_of_a_dead_writer_that_was_not_started_is_planned_again(search: QueuedSearch) -> None:
    (name,) = search.plan(1)
    search.claim(name)
    assert looked_at(search).state_of(name) is State.PLANNED


@pytest.mark.parametrize(
    ('has_log', 'has_summary', 'state'),
    [(True, True, State.FINISHED), (True, False, State.PLANNED), (False, True, State.PLANNED)],
)
def test_that_a_summary_with_a_log_is_evidence_where_the_fence_was_lost_with_the_power(
    search: QueuedSearch, has_log: bool, has_summary: bool, state: State
) -> None:
    (name,) = search.plan(1)
    search.claim(name)
    if has_log:
        search.write(name, 'stderr.log', '')
    if has_summary:
        search.leave_summary(name, 0.5)
    assert looked_at(search).state_of(name) is state


def test_that_a_claim_of_a_writer_elsewhere_that_is_silent_stays_one(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    (name,) = search.plan(1)
    search.claim(name)
    assert looked_at(search).state_of(name) is State.CLAIMED


def test_that_what_began_on_a_host_that_cannot_be_asked_is_unknown_unless_its_summary_says_finished(
    tmp_path: Path,
) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    begun, finished = search.plan(2)
    for name in (begun, finished):
        search.claim(name)
        search.start_here(name)
    search.leave_summary(finished, 0.5)
    state = looked_at(search)
    assert (state.state_of(begun), state.state_of(finished)) == (State.UNKNOWN, State.FINISHED)


def test_that_what_began_before_a_reboot_is_interrupted(tmp_path: Path) -> None:
    ours = this_host()
    if not (ours.machine and ours.boot):
        pytest.skip('this machine does not tell one boot from another')
    search = QueuedSearch(tmp_path / 'search', host=replace(ours, boot='an earlier one'))
    (name,) = search.plan(1)
    search.claim(name)
    search.start_here(name)
    attempt = search.attempt(looked_at(search), name)
    assert (attempt.state, attempt.cause) == (State.INTERRUPTED, 'reboot')


def test_that_processes_of_another_user_are_unknown_and_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = QueuedSearch(tmp_path / 'search', header={'user': 'somebody-else'})
    (name,) = search.plan(1)
    search.claim(name)
    search.start_here(name)
    monkeypatch.setattr('hpsearch.store.evidence.can_read_processes_of', lambda user: False)
    assert looked_at(search).state_of(name) is State.UNKNOWN


def test_that_a_job_whose_submission_was_lost_is_no_process_of_this_host(search: QueuedSearch) -> None:
    (name,) = search.plan(1)
    search.claim(name)
    search.start(name)
    assert looked_at(search).state_of(name) is State.RUNNING


def test_that_attempts_of_a_writer_that_is_at_work_are_left_to_it(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', process={'pid': os.getpid(), 'ticks': start_ticks(os.getpid())})
    (name,) = search.plan(1)
    search.claim(name)
    search.end(name, 0, acc=0.5)
    assert looked_at(search).state_of(name) is State.CLAIMED


def test_that_a_file_which_cannot_be_read_is_told_and_the_others_are_taken_in(search: QueuedSearch) -> None:
    odd, fine = search.submit(2)
    Path(search.folder.attempt(odd, 1).exit).mkdir()
    search.end(fine, 0, acc=0.5)
    state, reconciler = reconciler_of(search)
    (problem,) = reconciler.take_in_unattended()
    assert odd in problem
    assert (state.state_of(odd), state.state_of(fine)) == (State.SUBMITTED, State.FINISHED)


# Records that appear late


def give_up(search: QueuedSearch, name: str, state: str = 'lost', cause: str = 'lost', number: int = 1) -> None:
    """The end of an attempt is journaled without a record of it."""
    search.event('ended', run=name, attempt=number, state=state, cause=cause, reason='no exit record')


def looked_at_late(search: QueuedSearch) -> SearchState:
    """What is known of a search after a look for records that appeared late."""
    state, reconciler = reconciler_of(search)
    assert reconciler.take_in_late_records() == []
    assert not state.odd
    return state


@pytest.mark.parametrize('queued', [False, True], ids=['process', 'job'])
def test_that_an_attempt_which_was_called_lost_has_finished_when_its_record_appears(
    search: QueuedSearch, queued: bool
) -> None:
    (name,) = search.submit(1) if queued else search.plan(1)
    if not queued:
        search.claim(name)
    give_up(search, name)
    assert looked_at_late(search).state_of(name) is State.LOST
    search.end(name, 0, acc=0.9)
    attempt = search.attempt(looked_at_late(search), name)
    assert (attempt.state, attempt.code, attempt.summary['acc']) == (State.FINISHED, 0, '0.9')
    assert attempt.reason == 'its exit record appeared after it was lost'


@pytest.mark.parametrize(
    ('given_up', 'code', 'acc', 'state'),
    [
        (('lost', 'lost'), 1, None, State.FAILED),
        (('lost', 'lost'), 0, None, State.FAILED),
        (('interrupted', 'node_fail'), 0, 0.5, State.FINISHED),
        (('interrupted', 'node_fail'), 1, None, State.INTERRUPTED),
        (('interrupted', 'stop'), 143, None, State.INTERRUPTED),
    ],
)
def test_that_a_late_record_says_what_it_would_have_said_in_time(
    search: QueuedSearch, given_up: tuple[str, str], code: int, acc: float | None, state: State
) -> None:
    (name,) = search.submit(1)
    give_up(search, name, *given_up)
    search.end(name, code, acc)
    assert looked_at_late(search).state_of(name) is state


def test_that_an_attempt_under_way_is_not_overtaken_by_the_late_record_of_an_earlier_one(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    give_up(search, name)
    search.end(name, 0, acc=0.9)
    move_output_aside(search.folder, name, 2)
    search.claim(name, 2)
    assert looked_at_late(search).state_of(name) is State.FINISHED, 'the second attempt is not needed'
    search.event('running', run=name, attempt=2)
    assert looked_at_late(search).state_of(name) is State.RUNNING


def test_that_a_summary_which_appears_late_is_evidence_too(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    search.start(name)
    give_up(search, name)
    search.leave_summary(name, 0.9)
    attempt = search.attempt(looked_at_late(search), name)
    assert (attempt.state, attempt.reason) == (State.FINISHED, 'its summary says so, there is no exit record')


def test_that_an_earlier_attempt_has_finished_where_a_later_one_has_not(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    give_up(search, name)
    search.end(name, 0, acc=0.9)
    move_output_aside(search.folder, name, 2)
    search.claim(name, 2)
    give_up(search, name, number=2)
    state = looked_at_late(search)
    assert [each.state for each in state.runs[name].attempts] == [State.FINISHED, State.LOST]
    assert search.attempt(state, name).summary['acc'] == '0.9', 'its output was moved aside'
    assert state.state_of(name) is State.FINISHED


def test_that_the_output_of_a_later_attempt_is_not_that_of_an_earlier_one(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    give_up(search, name)
    search.end(name, 0)
    search.claim(name, 2)
    search.leave_summary(name, 0.9)
    give_up(search, name, number=2)
    assert [each.state for each in looked_at_late(search).runs[name].attempts] == [State.FAILED, State.FINISHED]


def test_that_a_late_record_which_cannot_be_read_is_told(search: QueuedSearch) -> None:
    (name,) = search.submit(1)
    give_up(search, name)
    Path(search.folder.attempt(name, 1).exit).mkdir()
    state, reconciler = reconciler_of(search)
    (problem,) = reconciler.take_in_late_records()
    assert name in problem
    assert state.state_of(name) is State.LOST
