"""What follows from what an attempt left and from what a queue says: a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.backends.queue.queue_evidence import (
    CAUSE_GRACE,
    RECORD_GRACE,
    Conclusion,
    QueueView,
    Traces,
    in_queue,
    weigh,
)
from hpsearch.model.jobs import JobRecord, JobState

PENDING = JobRecord('7', 1, 'name', JobState.PENDING, reason='Resources')
RUNNING = JobRecord('7', 1, 'name', JobState.RUNNING, where='n2')
COMPLETED = JobRecord('7', 1, 'name', JobState.ENDED, code=0, reason='None', where='n2')
FAILED = replace(COMPLETED, code=3, reason='NonZeroExitCode')
STARTED = Traces(has_started=True, job='7')
LOG = Traces(log='/search/submissions/name.log')


def ended(cause: str, code: int | None = None) -> QueueView:
    """The queue says that it ended for a cause."""
    return QueueView(JobState.ENDED, JobRecord('7', 1, 'name', JobState.ENDED, cause, code, 'Reason', 'n2'))


IN_QUEUE = QueueView(JobState.PENDING, PENDING)
AT_WORK = QueueView(JobState.RUNNING, RUNNING)
NOWHERE = QueueView(JobState.ABSENT, RUNNING)
NOT_SEEN = QueueView(JobState.UNKNOWN)


def outcome(traces: Traces, job: QueueView, waited: float = 0.0) -> tuple[JobState, int | None, str]:
    found = weigh(traces, job, waited)
    return found.kind, found.code, found.cause


# Without any traces


def test_that_a_job_is_where_the_queue_says() -> None:
    assert weigh(Traces(), IN_QUEUE, 0.0) == Conclusion(JobState.PENDING, detail='Resources')
    assert weigh(Traces(), AT_WORK, 0.0) == Conclusion(JobState.RUNNING, detail='on n2')


def test_that_nothing_follows_from_a_job_that_was_not_seen_yet() -> None:
    assert weigh(Traces(), NOT_SEEN, 0.0).kind is JobState.UNKNOWN


def test_that_a_job_nobody_knows_is_absent() -> None:
    assert weigh(STARTED, NOWHERE, 0.0).kind is JobState.ABSENT


# The exit record


@pytest.mark.parametrize('job', [NOT_SEEN, IN_QUEUE, AT_WORK, NOWHERE, ended('timeout'), ended('node_fail', 1)])
@pytest.mark.parametrize('code', [0, 1, 77, 128])
def test_that_a_record_beats_everything_the_queue_says(job: QueueView, code: int) -> None:
    assert outcome(Traces(code), job) == (JobState.ENDED, code, '')


@pytest.mark.parametrize('job', [NOT_SEEN, IN_QUEUE, AT_WORK, NOWHERE, ended('cancelled')])
def test_that_the_warning_before_the_time_limit_makes_it_a_timeout(job: QueueView) -> None:
    assert outcome(Traces(143, 'timeout'), job) == (JobState.ENDED, 143, 'timeout')


@pytest.mark.parametrize('cause', ['out_of_memory', 'timeout', 'preempted', 'node_fail', 'cancelled'])
@pytest.mark.parametrize('traces', [Traces(137), Traces(143, 'TERM'), Traces(0, 'TERM')])
def test_that_the_queue_says_why_an_attempt_was_told_to_end(traces: Traces, cause: str) -> None:
    assert outcome(traces, ended(cause)) == (JobState.ENDED, traces.code, cause)


@pytest.mark.parametrize('job', [IN_QUEUE, AT_WORK, NOT_SEEN])
@pytest.mark.parametrize('traces', [Traces(137), Traces(143, 'TERM')])
def test_that_the_queue_is_waited_for_to_say_why(traces: Traces, job: QueueView) -> None:
    found = weigh(traces, job, CAUSE_GRACE - 1)
    assert (found.kind, found.in_doubt) == (JobState.RUNNING, True)


def test_that_after_a_while_it_was_terminated_by_somebody() -> None:
    assert outcome(Traces(143, 'TERM'), AT_WORK, CAUSE_GRACE) == (JobState.ENDED, 143, 'terminated')
    assert outcome(Traces(143, 'TERM'), NOWHERE) == (JobState.ENDED, 143, 'terminated')
    assert outcome(Traces(143, 'TERM'), QueueView(JobState.ENDED, COMPLETED)) == (JobState.ENDED, 143, 'terminated')


def test_that_after_a_while_a_status_above_128_is_just_that() -> None:
    assert outcome(Traces(139), AT_WORK, CAUSE_GRACE) == (JobState.ENDED, 139, '')
    assert outcome(Traces(139), QueueView(JobState.ENDED, FAILED)) == (JobState.ENDED, 139, '')


def test_that_a_job_that_waits_again_after_its_end_was_requeued() -> None:
    assert weigh(Traces(143, 'TERM'), IN_QUEUE, 0.0).in_doubt, 'the listing may be an old one'
    assert outcome(Traces(143, 'TERM'), IN_QUEUE, CAUSE_GRACE) == (JobState.ENDED, 143, 'requeued')


def test_that_what_we_asked_to_end_is_not_asked_about() -> None:
    assert outcome(Traces(143, 'TERM'), replace(AT_WORK, is_cancelled=True)) == (JobState.ENDED, 143, '')


def test_that_an_end_without_an_explanation_is_waited_for_to_get_one() -> None:
    job = QueueView(JobState.ENDED, replace(COMPLETED, code=None), awaits_details=True)
    assert weigh(Traces(143, 'TERM'), job, CAUSE_GRACE - 1).in_doubt
    assert outcome(Traces(143, 'TERM'), job, CAUSE_GRACE) == (JobState.ENDED, 143, 'terminated')


# A job that was started again


@pytest.mark.parametrize('job', [IN_QUEUE, AT_WORK, NOWHERE, ended('', 75), ended('node_fail')])
def test_that_a_job_that_was_started_again_was_requeued(job: QueueView) -> None:
    assert outcome(Traces(is_requeued=True), job) == (JobState.ENDED, None, 'requeued')
    assert outcome(Traces(143, 'TERM', is_requeued=True), job) == (JobState.ENDED, 143, 'requeued')


def test_that_a_record_of_its_own_end_beats_the_restart() -> None:
    assert outcome(Traces(0, is_requeued=True), AT_WORK) == (JobState.ENDED, 0, '')


# Ends without a record


def test_that_a_record_may_be_late() -> None:
    found = weigh(STARTED, QueueView(JobState.ENDED, COMPLETED), RECORD_GRACE - 1)
    assert (found.kind, found.in_doubt) == (JobState.RUNNING, True)


@pytest.mark.parametrize('cause', ['timeout', 'out_of_memory', 'preempted', 'node_fail', 'boot_fail', 'cancelled'])
def test_that_without_a_record_the_queue_says_why_it_ended(cause: str) -> None:
    assert weigh(STARTED, ended(cause), 0.0).in_doubt
    assert outcome(STARTED, ended(cause, 137), RECORD_GRACE) == (JobState.ENDED, 137, cause)


@pytest.mark.parametrize(('seen', 'code'), [(FAILED, 3), (COMPLETED, None), (replace(FAILED, code=None), None)])
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
    found = weigh(Traces(), job, CAUSE_GRACE - 1)
    assert (found.kind, found.in_doubt) == (JobState.PENDING, True)
    assert outcome(Traces(), job, CAUSE_GRACE) == (JobState.ENDED, None, '')


def test_that_the_status_of_another_job_is_not_its_own() -> None:
    twin = QueueView(JobState.ENDED, replace(FAILED, job='8', code=75))
    found = weigh(STARTED, twin, RECORD_GRACE)
    assert (found.kind, found.code, found.detail) == (JobState.ENDED, None, 'it ran in job 7, which has ended')


# Ends before the start


@pytest.mark.parametrize('cause', ['cancelled', 'node_fail', 'boot_fail', 'timeout'])
def test_that_an_end_before_the_start_is_told_at_once_if_it_can_be_made_sure(cause: str) -> None:
    found = weigh(Traces(), ended(cause), 0.0)
    assert (found.kind, found.code, found.cause, found.if_closed) == (JobState.ENDED, None, cause, True)


def test_that_a_failure_before_the_start_names_the_log() -> None:
    found = weigh(LOG, QueueView(JobState.ENDED, FAILED), 0.0)
    assert (found.code, found.cause, found.if_closed) == (None, '', True)
    assert found.detail == (
        'NonZeroExitCode, on n2, it ended before the script began, see /search/submissions/name.log'
    )


def test_that_an_attempt_whose_fence_is_closed_was_fenced() -> None:
    assert outcome(Traces(is_closed=True), ended('', 75)) == (JobState.ENDED, None, 'fenced')


def test_that_what_was_taken_out_of_the_queue_was_cancelled() -> None:
    found = weigh(Traces(), replace(NOWHERE, was_taken_out=True), 0.0)
    assert (found.kind, found.cause, found.if_closed) == (JobState.ENDED, 'cancelled', True)
    assert weigh(STARTED, replace(NOWHERE, was_taken_out=True), 0.0).kind is JobState.ABSENT


def test_that_what_we_took_out_has_ended_once_a_listing_is_without_it() -> None:
    gone = replace(IN_QUEUE, is_cancelled=True, is_missing=True)
    found = weigh(Traces(), gone, 0.0)
    assert (found.kind, found.cause, found.if_closed) == (JobState.ENDED, 'abandoned', True)
    assert weigh(Traces(), replace(gone, is_missing=False), 0.0).kind is JobState.PENDING
    assert weigh(Traces(), replace(gone, is_cancelled=False), 0.0).kind is JobState.PENDING
    assert weigh(STARTED, gone, 0.0).kind is JobState.PENDING


def test_that_the_words_of_the_queue_are_told() -> None:
    assert in_queue(FAILED) == 'NonZeroExitCode, on n2'
    assert in_queue(COMPLETED) == 'on n2'
    assert in_queue(replace(COMPLETED, where='')) == ''


# Always

TRACES = st.builds(
    Traces,
    code=st.sampled_from([None, 0, 1, 75, 137, 143]),
    signalled=st.sampled_from(['', 'timeout', 'TERM']),
    is_requeued=st.booleans(),
    has_started=st.booleans(),
    job=st.sampled_from(['', '7', '8']),
)
JOBS = st.builds(
    QueueView,
    kind=st.sampled_from([JobState.PENDING, JobState.RUNNING, JobState.ENDED, JobState.ABSENT, JobState.UNKNOWN]),
    seen=st.sampled_from([None, PENDING, RUNNING, COMPLETED, FAILED]),
    is_missing=st.booleans(),
    was_taken_out=st.booleans(),
    is_cancelled=st.booleans(),
    awaits_details=st.booleans(),
)


@given(TRACES, JOBS, st.floats(0, 1000))
def test_that_an_attempt_that_did_not_start_ends_only_if_it_never_will(
    traces: Traces, job: QueueView, waited: float
) -> None:
    found = weigh(traces, job, waited)
    if found.kind is JobState.ENDED and not traces.has_started and traces.code is None and not traces.is_requeued:
        assert found.if_closed


@given(TRACES, JOBS)
def test_that_no_doubt_lasts_for_ever(traces: Traces, job: QueueView) -> None:
    assert not weigh(traces, job, max(CAUSE_GRACE, RECORD_GRACE)).in_doubt


@given(TRACES, JOBS)
def test_that_a_record_is_never_passed_over(traces: Traces, job: QueueView) -> None:
    found = weigh(traces, job, CAUSE_GRACE)
    if traces.code is not None:
        assert (found.kind, found.code, found.if_closed) == (JobState.ENDED, traces.code, False)
