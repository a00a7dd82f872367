"""What became of an attempt, and what is done about it: a table from evidence to conclusions and actions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.evidence import (
    CAUSE_GRACE,
    COMPLETED_FACTOR,
    RECORD_GRACE,
    Action,
    Conclusion,
    Evidence,
    HostRelation,
    JobRecord,
    JobState,
    Liveness,
    ProcessState,
    QueueView,
    action_for,
    conclude,
    words_of,
)

PENDING = JobRecord('7', 1, 'name', JobState.PENDING, reason='Resources')
RUNNING = JobRecord('7', 1, 'name', JobState.RUNNING, where='n2')
COMPLETED = JobRecord('7', 1, 'name', JobState.ENDED, code=0, reason='None', where='n2')
FAILED = replace(COMPLETED, code=3, reason='NonZeroExitCode')
STARTED = Evidence(has_started=True, fence_job='7')
TERM = Evidence(code=143, signalled='TERM')
LOG = '/search/submissions/name.log'


def ended(cause: str, code: int | None = None) -> QueueView:
    """The queue says that it ended for a cause."""
    return QueueView(JobState.ENDED, JobRecord('7', 1, 'name', JobState.ENDED, cause, code, 'Reason', 'n2'))


IN_QUEUE = QueueView(JobState.PENDING, PENDING)
AT_WORK = QueueView(JobState.RUNNING, RUNNING)
NOWHERE = QueueView(JobState.ABSENT, RUNNING)
NOT_SEEN = QueueView(JobState.UNKNOWN)


def weigh(traces: Evidence, job: QueueView, waited: float) -> Conclusion:
    """What became of a job, by what it left and what its queue says."""
    return conclude(replace(traces, is_queued=True, job=job), waited)


def outcome(traces: Evidence, job: QueueView, waited: float = 0.0) -> tuple[JobState, int | None, str]:
    found = weigh(traces, job, waited)
    return found.state, found.code, found.cause


# Jobs that were submitted before the search folder was moved


@pytest.mark.parametrize('job', [IN_QUEUE, AT_WORK, NOWHERE, QueueView(JobState.ENDED, FAILED)])
def test_that_what_waits_for_a_folder_that_was_moved_is_abandoned_if_it_can_be_made_sure(job: QueueView) -> None:
    found = weigh(Evidence(is_astray=True), job, 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, 'abandoned', True)


def test_that_what_began_before_the_folder_was_moved_goes_on_and_no_record_of_it_is_awaited() -> None:
    began = replace(STARTED, is_astray=True)
    assert outcome(began, AT_WORK) == (JobState.RUNNING, None, '')
    assert outcome(began, QueueView(JobState.ENDED, COMPLETED)) == (JobState.ENDED, None, '')
    assert outcome(replace(began, code=3), AT_WORK) == (JobState.ENDED, 3, '')


def test_that_nothing_follows_from_a_move_while_the_queue_says_nothing() -> None:
    assert weigh(Evidence(is_astray=True), NOT_SEEN, 0.0).state is JobState.UNKNOWN


# Without any traces


def test_that_a_job_is_where_the_queue_says() -> None:
    assert weigh(Evidence(), IN_QUEUE, 0.0) == Conclusion(JobState.PENDING, detail='Resources')
    assert weigh(Evidence(), AT_WORK, 0.0) == Conclusion(JobState.RUNNING, detail='on n2')


def test_that_nothing_follows_from_a_job_that_was_not_seen_yet() -> None:
    assert weigh(Evidence(), NOT_SEEN, 0.0).state is JobState.UNKNOWN


def test_that_what_began_in_a_job_nobody_knows_is_unknown() -> None:
    found = weigh(replace(STARTED, fence_host='n2'), NOWHERE, 0.0)
    assert found.state is JobState.UNKNOWN
    assert found.detail == 'the queue does not know its job any more; it may still run on n2'
    assert weigh(STARTED, replace(NOWHERE, is_overdue=True), 0.0).state is JobState.ENDED
    assert outcome(replace(STARTED, host=HostRelation.DECLARED_DEAD), NOWHERE) == (JobState.ENDED, None, 'host_dead')


def test_that_what_did_not_begin_in_a_job_nobody_knows_has_ended_if_it_can_be_made_sure() -> None:
    found = weigh(Evidence(), replace(NOWHERE, is_gone=True), 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, '', True)
    found = weigh(Evidence(), NOWHERE, 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, 'abandoned', True)
    assert outcome(Evidence(is_closed=True), NOWHERE) == (JobState.ENDED, None, 'fenced')


# The exit record


@pytest.mark.parametrize('job', [NOT_SEEN, IN_QUEUE, AT_WORK, NOWHERE, ended('timeout'), ended('node_fail', 1)])
@pytest.mark.parametrize('code', [0, 1, 77, 128])
def test_that_a_record_beats_everything_the_queue_says(job: QueueView, code: int) -> None:
    assert outcome(Evidence(code=code), job) == (JobState.ENDED, code, '')


@pytest.mark.parametrize('job', [NOT_SEEN, IN_QUEUE, AT_WORK, NOWHERE, ended('cancelled')])
def test_that_the_warning_before_the_time_limit_makes_it_a_timeout(job: QueueView) -> None:
    assert outcome(Evidence(code=143, signalled='timeout'), job) == (JobState.ENDED, 143, 'timeout')


@pytest.mark.parametrize('cause', ['out_of_memory', 'timeout', 'preempted', 'node_fail', 'cancelled'])
@pytest.mark.parametrize('traces', [Evidence(code=137), TERM, Evidence(code=0, signalled='TERM')])
def test_that_the_queue_says_why_an_attempt_was_told_to_end(traces: Evidence, cause: str) -> None:
    assert outcome(traces, ended(cause)) == (JobState.ENDED, traces.code, cause)


@pytest.mark.parametrize('job', [IN_QUEUE, AT_WORK, NOT_SEEN])
@pytest.mark.parametrize('traces', [Evidence(code=137), TERM])
def test_that_the_queue_is_waited_for_to_say_why(traces: Evidence, job: QueueView) -> None:
    found = weigh(traces, job, CAUSE_GRACE - 1)
    assert (found.state, found.in_doubt) == (JobState.RUNNING, True)


def test_that_after_a_while_it_was_terminated_by_somebody() -> None:
    assert outcome(TERM, AT_WORK, CAUSE_GRACE) == (JobState.ENDED, 143, 'terminated')
    assert outcome(TERM, NOWHERE) == (JobState.ENDED, 143, 'terminated')
    assert outcome(TERM, QueueView(JobState.ENDED, COMPLETED)) == (
        JobState.ENDED,
        143,
        'terminated',
    )


def test_that_after_a_while_a_status_above_128_is_just_that() -> None:
    assert outcome(Evidence(code=139), AT_WORK, CAUSE_GRACE) == (JobState.ENDED, 139, '')
    assert outcome(Evidence(code=139), QueueView(JobState.ENDED, FAILED)) == (JobState.ENDED, 139, '')


def test_that_a_job_that_waits_again_after_its_end_was_requeued() -> None:
    assert weigh(TERM, IN_QUEUE, 0.0).in_doubt, 'the listing may be an old one'
    assert outcome(TERM, IN_QUEUE, CAUSE_GRACE) == (JobState.ENDED, 143, 'requeued')


def test_that_what_we_asked_to_end_is_not_asked_about() -> None:
    assert outcome(TERM, replace(AT_WORK, is_cancelled=True)) == (
        JobState.ENDED,
        143,
        '',
    )


def test_that_an_end_without_an_explanation_is_waited_for_to_get_one() -> None:
    job = QueueView(JobState.ENDED, replace(COMPLETED, code=None), awaits_details=True)
    assert weigh(TERM, job, CAUSE_GRACE - 1).in_doubt
    assert outcome(TERM, job, CAUSE_GRACE) == (JobState.ENDED, 143, 'terminated')


# A job that was started again


@pytest.mark.parametrize('job', [IN_QUEUE, AT_WORK, NOWHERE, ended('', 75), ended('node_fail')])
def test_that_a_job_that_was_started_again_was_requeued(job: QueueView) -> None:
    assert outcome(Evidence(is_requeued=True), job) == (JobState.ENDED, None, 'requeued')
    assert outcome(replace(TERM, is_requeued=True), job) == (JobState.ENDED, 143, 'requeued')


def test_that_a_record_of_its_own_end_beats_the_restart() -> None:
    assert outcome(Evidence(code=0, is_requeued=True), AT_WORK) == (JobState.ENDED, 0, '')


# Ends without a record


def test_that_a_record_may_be_later_than_nfs_denies_a_file() -> None:
    assert RECORD_GRACE >= 90.0
    found = weigh(STARTED, QueueView(JobState.ENDED, FAILED), RECORD_GRACE - 1)
    assert (found.state, found.in_doubt) == (JobState.RUNNING, True)
    assert not weigh(STARTED, QueueView(JobState.ENDED, FAILED), RECORD_GRACE).in_doubt


def test_that_a_record_is_waited_for_longer_where_the_queue_says_that_it_ended_well() -> None:
    job, limit = QueueView(JobState.ENDED, COMPLETED), RECORD_GRACE * COMPLETED_FACTOR
    assert weigh(STARTED, job, limit - 1).in_doubt
    found = weigh(STARTED, job, limit)
    assert (found.state, found.code, found.cause) == (JobState.ENDED, None, '')
    assert found.detail == 'the queue says that it ended with status 0, on n2'


@pytest.mark.parametrize('cause', ['timeout', 'out_of_memory', 'preempted', 'node_fail', 'boot_fail', 'cancelled'])
def test_that_without_a_record_the_queue_says_why_it_ended(cause: str) -> None:
    assert weigh(STARTED, ended(cause), 0.0).in_doubt
    assert outcome(STARTED, ended(cause, 137), RECORD_GRACE) == (JobState.ENDED, 137, cause)


@pytest.mark.parametrize(('seen', 'code'), [(FAILED, 3), (replace(FAILED, code=None), None)])
def test_that_a_failure_without_a_record_has_the_status_the_queue_saw(seen: JobRecord, code: int | None) -> None:
    assert outcome(STARTED, QueueView(JobState.ENDED, seen), RECORD_GRACE) == (JobState.ENDED, code, '')


def test_that_an_end_without_record_and_explanation_is_waited_for_longer() -> None:
    job = QueueView(JobState.ENDED, replace(FAILED, code=None), awaits_details=True)
    assert weigh(STARTED, job, CAUSE_GRACE - 1).in_doubt
    assert not weigh(STARTED, job, CAUSE_GRACE).in_doubt


@pytest.mark.parametrize(('signalled', 'cause'), [('timeout', 'timeout'), ('TERM', 'terminated')])
def test_that_without_record_and_explanation_it_ended_for_what_it_was_told(signalled: str, cause: str) -> None:
    killed = QueueView(JobState.ENDED, replace(FAILED, code=137))
    assert outcome(replace(STARTED, signalled=signalled), killed, RECORD_GRACE) == (JobState.ENDED, 137, cause)
    assert outcome(replace(STARTED, signalled=signalled), ended('preempted'), RECORD_GRACE)[2] == 'preempted'


def test_that_an_end_before_the_start_is_waited_for_to_get_an_explanation() -> None:
    job = QueueView(JobState.ENDED, replace(FAILED, code=None), awaits_details=True)
    found = weigh(Evidence(), job, CAUSE_GRACE - 1)
    assert (found.state, found.in_doubt) == (JobState.PENDING, True)
    assert outcome(Evidence(), job, CAUSE_GRACE) == (JobState.ENDED, None, '')


def test_that_the_status_of_another_job_is_not_its_own() -> None:
    twin = QueueView(JobState.ENDED, replace(FAILED, job='8', code=75))
    found = weigh(STARTED, twin, RECORD_GRACE)
    assert found == Conclusion(JobState.UNKNOWN), 'it began in job 7, not in 8'


# Ends before the start


@pytest.mark.parametrize('cause', ['cancelled', 'node_fail', 'boot_fail', 'timeout'])
def test_that_an_end_before_the_start_is_told_at_once_if_it_can_be_made_sure(cause: str) -> None:
    found = weigh(Evidence(), ended(cause), 0.0)
    assert (found.state, found.code, found.cause, found.if_closed) == (JobState.ENDED, None, cause, True)


def test_that_a_failure_before_the_start_names_the_log() -> None:
    found = weigh(Evidence(), QueueView(JobState.ENDED, FAILED, log=LOG), 0.0)
    assert (found.code, found.cause, found.if_closed) == (None, '', True)
    assert found.detail == (
        'NonZeroExitCode, on n2, it ended before the script began, see /search/submissions/name.log'
    )


@pytest.mark.parametrize(('code', 'cause'), [(130, 'cancelled'), (143, 'cancelled'), (137, ''), (1, '')])
def test_that_what_was_ended_by_a_signal_before_it_began_was_cancelled(code: int, cause: str) -> None:
    found = weigh(Evidence(), ended('', code), 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, cause, True)


def test_that_an_attempt_whose_fence_is_closed_was_fenced() -> None:
    assert outcome(Evidence(is_closed=True), ended('', 75)) == (JobState.ENDED, None, 'fenced')


def test_that_what_was_taken_out_of_the_queue_was_cancelled() -> None:
    found = weigh(Evidence(), replace(NOWHERE, was_taken_out=True), 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, 'cancelled', True)
    assert weigh(STARTED, replace(NOWHERE, was_taken_out=True), 0.0).state is JobState.UNKNOWN


def test_that_what_we_took_out_has_ended_once_the_queue_does_not_know_it() -> None:
    gone = replace(IN_QUEUE, is_cancelled=True, is_gone=True)
    found = weigh(Evidence(), gone, 0.0)
    assert (found.state, found.cause, found.if_closed) == (JobState.ENDED, 'abandoned', True)
    assert weigh(Evidence(), replace(gone, is_gone=False), 0.0).state is JobState.PENDING
    assert weigh(Evidence(), replace(gone, is_cancelled=False), 0.0).state is JobState.PENDING
    assert weigh(STARTED, gone, 0.0).state is JobState.PENDING


def test_that_the_words_of_the_queue_are_told() -> None:
    assert words_of(FAILED) == 'NonZeroExitCode, on n2'
    assert words_of(COMPLETED) == 'on n2'
    assert words_of(replace(COMPLETED, where='')) == ''


# Always

TRACES = st.builds(
    Evidence,
    code=st.sampled_from([None, 0, 1, 75, 137, 143]),
    signalled=st.sampled_from(['', 'timeout', 'TERM']),
    is_requeued=st.booleans(),
    has_started=st.booleans(),
    fence_job=st.sampled_from(['', '7', '8']),
)
JOBS = st.builds(
    QueueView,
    state=st.sampled_from([JobState.PENDING, JobState.RUNNING, JobState.ENDED, JobState.ABSENT, JobState.UNKNOWN]),
    record=st.sampled_from([None, PENDING, RUNNING, COMPLETED, FAILED]),
    is_missing=st.booleans(),
    is_gone=st.booleans(),
    is_overdue=st.booleans(),
    was_taken_out=st.booleans(),
    is_cancelled=st.booleans(),
    awaits_details=st.booleans(),
)


@given(TRACES, JOBS, st.floats(0, 1000))
def test_that_an_attempt_that_did_not_start_ends_only_if_it_never_will(
    traces: Evidence, job: QueueView, waited: float
) -> None:
    found = weigh(traces, job, waited)
    if found.state is JobState.ENDED and not traces.has_started and traces.code is None and not traces.is_requeued:
        assert found.if_closed


@given(TRACES, JOBS)
def test_that_no_doubt_lasts_for_ever(traces: Evidence, job: QueueView) -> None:
    assert not weigh(traces, job, max(CAUSE_GRACE, RECORD_GRACE * COMPLETED_FACTOR)).in_doubt


@given(TRACES, JOBS)
def test_that_a_record_is_never_passed_over(traces: Evidence, job: QueueView) -> None:
    found = weigh(traces, job, CAUSE_GRACE)
    if traces.code is not None:
        assert (found.state, found.code, found.if_closed) == (JobState.ENDED, traces.code, False)


# Processes, and what is done about attempts of other writers


@pytest.mark.parametrize(
    ('life', 'where', 'record', 'started', 'running', 'action'),
    [
        (Liveness.ALIVE, HostRelation.SAME, True, True, False, Action.LEAVE),
        (Liveness.ALIVE, HostRelation.OTHER, False, False, False, Action.LEAVE),
        (Liveness.DEAD, HostRelation.SAME, True, True, False, Action.TAKE_END),
        (Liveness.STALE, HostRelation.OTHER, True, True, False, Action.TAKE_END),
        (Liveness.DEAD, HostRelation.SAME, False, True, True, Action.ADOPT),
        (Liveness.STALE, HostRelation.SAME, False, True, True, Action.ADOPT),
        (Liveness.DEAD, HostRelation.SAME, False, True, False, Action.LOST),
        (Liveness.DEAD, HostRelation.SAME, False, False, False, Action.FENCE),
        (Liveness.STALE, HostRelation.OTHER, False, False, False, Action.FENCE),
        (Liveness.STALE, HostRelation.OTHER, False, True, False, Action.UNKNOWN),
        (Liveness.DEAD, HostRelation.OTHER, False, True, False, Action.UNKNOWN),
        (Liveness.DEAD, HostRelation.REBOOTED, False, True, False, Action.INTERRUPTED),
        (Liveness.DEAD, HostRelation.DECLARED_DEAD, False, True, False, Action.INTERRUPTED),
        (Liveness.DEAD, HostRelation.DECLARED_DEAD, True, True, False, Action.TAKE_END),
    ],
)
def test_that_evidence_decides_what_becomes_of_an_attempt(
    life: Liveness, where: HostRelation, record: bool, started: bool, running: bool, action: Action
) -> None:
    code, process = 0 if record else None, ProcessState.ALIVE if running else ProcessState.GONE
    evidence = Evidence(writer=life, host=where, process=process, code=code, has_started=started)
    assert action_for(conclude(evidence), can_adopt=True) is action


@pytest.mark.parametrize(
    ('life', 'record', 'started', 'can_be_asked', 'action'),
    [
        (Liveness.ALIVE, True, True, True, Action.LEAVE),
        (Liveness.DEAD, False, False, True, Action.ADOPT),
        (Liveness.STALE, False, True, True, Action.ADOPT),
        (Liveness.DEAD, True, True, True, Action.ADOPT),
        (Liveness.DEAD, True, True, False, Action.TAKE_END),
        (Liveness.DEAD, False, True, False, Action.UNKNOWN),
        (Liveness.DEAD, False, False, False, Action.UNKNOWN),
    ],
)
@pytest.mark.parametrize('where', list(HostRelation))
def test_that_an_attempt_in_a_queue_is_taken_over_from_wherever_the_queue_can_be_asked(
    life: Liveness, record: bool, started: bool, can_be_asked: bool, action: Action, where: HostRelation
) -> None:
    evidence = Evidence(writer=life, host=where, code=0 if record else None, has_started=started, is_queued=True)
    assert action_for(conclude(evidence), can_adopt=can_be_asked) is action


def test_that_a_run_in_a_job_that_ended_is_interrupted_and_one_that_had_not_begun_is_planned_again() -> None:
    waiting = Evidence(writer=Liveness.DEAD, host=HostRelation.JOB_ENDED)
    begun = replace(waiting, has_started=True)
    assert action_for(conclude(begun), can_adopt=True) is Action.INTERRUPTED
    assert action_for(conclude(waiting), can_adopt=True) is Action.FENCE


RUNNING_HERE = Evidence(writer=Liveness.DEAD, host=HostRelation.SAME, process=ProcessState.ALIVE, has_started=True)


def test_that_a_run_on_this_host_that_we_cannot_adopt_is_left_until_it_ends() -> None:
    assert action_for(conclude(RUNNING_HERE), can_adopt=False) is Action.LEAVE
    gone = replace(RUNNING_HERE, process=ProcessState.GONE)
    assert action_for(conclude(gone), can_adopt=False) is Action.LOST


def test_that_processes_that_cannot_be_seen_are_unknown_and_never_gone() -> None:
    found = conclude(replace(RUNNING_HERE, process=ProcessState.UNKNOWN))
    assert (found.state, found.is_open) == (JobState.UNKNOWN, True)
    assert action_for(found, can_adopt=True) is Action.UNKNOWN


def test_that_a_run_whose_process_is_gone_says_so() -> None:
    assert conclude(replace(RUNNING_HERE, process=ProcessState.GONE)).detail == 'its process is gone'


@pytest.mark.parametrize(
    ('traces', 'cause'),
    [
        (Evidence(code=0, has_started=True), ''),
        (Evidence(code=137, has_started=True), ''),
        (Evidence(code=0, signalled='timeout', has_started=True), 'timeout'),
        (Evidence(code=143, signalled='TERM', has_started=True), 'terminated'),
        (Evidence(is_requeued=True, has_started=True), 'requeued'),
        (Evidence(code=1, is_requeued=True, has_started=True), ''),
    ],
)
def test_that_the_cause_follows_from_the_files_where_the_queue_is_not_asked(traces: Evidence, cause: str) -> None:
    found = conclude(replace(traces, is_queued=True))
    assert (found.state, found.cause) == (JobState.ENDED, cause)


@pytest.mark.parametrize(('code', 'signalled', 'in_doubt'), [(1, '', False), (137, '', True), (143, 'timeout', False)])
def test_that_a_queue_which_was_not_asked_may_know_what_killed_an_attempt(
    code: int, signalled: str, in_doubt: bool
) -> None:
    assert conclude(Evidence(code=code, signalled=signalled, is_queued=True)).in_doubt is in_doubt


EVERYTHING = st.builds(
    Evidence,
    writer=st.sampled_from([None, *Liveness]),
    host=st.sampled_from(HostRelation),
    process=st.sampled_from(ProcessState),
    code=st.sampled_from([None, 0, 1, 137]),
    signalled=st.sampled_from(['', 'timeout', 'TERM']),
    is_requeued=st.booleans(),
    has_started=st.booleans(),
    is_queued=st.booleans(),
    job=st.one_of(st.none(), JOBS),
)


@given(EVERYTHING, st.booleans())
def test_that_only_what_is_known_to_have_ended_is_ended(evidence: Evidence, can_adopt: bool) -> None:
    action = action_for(conclude(evidence), can_adopt=can_adopt)
    if evidence.writer is Liveness.ALIVE:
        assert action is Action.LEAVE
    if action is Action.LOST and not evidence.is_queued:
        assert (evidence.host, evidence.process) == (HostRelation.SAME, ProcessState.GONE)
    if action in (Action.LOST, Action.INTERRUPTED, Action.FENCE):
        assert evidence.code is None
