"""What is known of jobs, from listings and the accounting, with stepped time."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import pytest

from hpsearch.backends.queue.batch_system import JobSpec, QueueLimits
from hpsearch.backends.queue.limits import RETRY, TRIES, LimitsQuery
from hpsearch.backends.queue.poller import (
    ABSENT_AFTER,
    LIMIT_GRACE,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    UNANSWERED_AFTER,
    JobKey,
    JobPoller,
)
from hpsearch.model.evidence import JobRecord, JobState
from tests.fakes.scripted_queue import Clock, ScriptedQueue, ScriptedRunner, as_runner, system

INTERVAL = 30.0
KEY = ('name', 1)


class Desk:
    """A watch and its queue, with one job of two elements in it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = ScriptedQueue()
        self.runner = ScriptedRunner(self.queue)
        self.poller = JobPoller(
            system(self.queue), as_runner(self.runner), INTERVAL, clock=self.clock, wall=self.clock.wall
        )
        self.job = self.queue.put(JobSpec('name', 2, 0, '/log'))
        self.poller.watch(KEY, self.clock.wall(), self.job)

    def step(self, seconds: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.clock.now += seconds
            self.poller.poll(self.clock.now)
            self.runner.deliver()

    def listing(self) -> None:
        """Go on until one more listing was taken in."""
        before = self.poller.listings
        while self.poller.listings == before:
            self.step()

    def until_asked(self) -> None:
        """Go on until the accounting was asked once more."""
        before = len(self.queue.called('account'))
        while len(self.queue.called('account')) == before:
            self.step()

    def kind(self, key: JobKey = KEY) -> JobState:
        return self.poller.state_of(key)


@pytest.fixture
def desk() -> Desk:
    return Desk()


# Listings


def test_that_nothing_is_known_before_the_first_listing(desk: Desk) -> None:
    assert (desk.kind(), desk.poller.record_of(KEY)) == (JobState.UNKNOWN, None)


def test_that_one_listing_per_interval_tells_of_all_jobs(desk: Desk) -> None:
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.listing()
    begin = desk.clock.now
    assert (desk.kind(), desk.kind(('name', 2))) == (JobState.PENDING, JobState.PENDING)
    desk.queue.change(desk.job, 2, kind=JobState.RUNNING, where='n3')
    desk.listing()
    assert desk.clock.now - begin == INTERVAL
    assert desk.poller.record_of(('name', 2)) == desk.queue.jobs[desk.job].elements[2]
    assert desk.queue.calls == [('list',), ('list',)]


def test_that_nothing_is_asked_when_there_is_nothing_to_know(desk: Desk) -> None:
    desk.poller.drop(KEY)
    desk.step(times=100)
    assert not desk.queue.calls
    desk.poller.watch(KEY, 0.0, desk.job)
    desk.queue.change(desk.job, 1, kind=JobState.ENDED, code=0)
    desk.listing()
    desk.step(times=100)
    assert len(desk.queue.calls) == 1


def test_that_a_second_listing_is_not_asked_while_the_first_is_not_answered(desk: Desk) -> None:
    desk.runner.is_slow = True
    desk.step(times=200)
    assert desk.runner.pending == 1


def test_that_haste_brings_the_next_listing_forward(desk: Desk) -> None:
    desk.listing()
    begin = desk.clock.now
    desk.poller.poll_soon()
    desk.listing()
    assert desk.clock.now - begin == SHORTEST_PAUSE


def test_that_haste_asked_for_during_a_listing_is_not_forgotten(desk: Desk) -> None:
    desk.runner.is_slow = True
    desk.step()
    begin = desk.clock.now
    desk.poller.poll_soon()
    desk.runner.is_slow = False
    desk.runner.deliver()
    desk.listing()
    assert desk.clock.now - begin == SHORTEST_PAUSE


def test_that_lasting_haste_does_not_become_a_flood(desk: Desk) -> None:
    for _ in range(600):
        desk.poller.poll_soon()
        desk.step()
    assert len(desk.queue.calls) <= 10 * 6


def test_that_a_listing_asked_for_before_the_job_was_there_says_nothing_of_it(desk: Desk) -> None:
    desk.runner.is_slow = True
    desk.step()
    desk.clock.now += 5
    desk.poller.watch(('late', 1), 0.0, '77')
    desk.runner.is_slow = False
    desk.runner.deliver()
    assert not desk.poller.is_missing(('late', 1))
    desk.listing()
    assert desk.poller.is_missing(('late', 1))


# A system that does not answer


def test_that_a_failed_listing_changes_nothing(desk: Desk) -> None:
    desk.listing()
    before = desk.kind(), desk.poller.record_of(KEY)
    desk.queue.is_blind = True
    desk.queue.remove(desk.job)
    desk.step(60.0, times=100)
    assert (desk.kind(), desk.poller.record_of(KEY)) == before
    assert not desk.poller.is_missing(KEY)
    assert not desk.queue.called('account')


def test_that_failures_are_followed_by_longer_and_longer_pauses_up_to_a_bound(desk: Desk) -> None:
    desk.queue.is_blind = True
    times = []
    for _ in range(3000):
        before = len(desk.queue.calls)
        desk.poller.poll_soon()
        desk.step()
        times += [desk.clock.now] * (len(desk.queue.calls) - before)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:3] == [60.0, 120.0, 240.0]
    assert set(pauses[3:]) == {LONGEST_PAUSE}


def test_that_an_interval_longer_than_the_longest_pause_is_kept() -> None:
    desk = Desk()
    desk.poller = JobPoller(system(desk.queue), as_runner(desk.runner), 900.0, clock=desk.clock)
    desk.poller.watch(KEY, 0.0, desk.job)
    desk.queue.is_blind = True
    desk.step(times=1700)
    assert len(desk.queue.calls) == 2


def test_that_the_pauses_end_with_the_first_answer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, 'hpsearch')
    desk.queue.is_blind = True
    desk.step(times=500)
    assert desk.poller.problem == 'list did not answer'
    desk.queue.is_blind = False
    desk.listing()
    begin = desk.clock.now
    desk.listing()
    assert (desk.poller.problem, desk.clock.now - begin) == ('', INTERVAL)
    assert [record.message for record in caplog.records] == [
        'slurm cannot be asked, nothing follows from that: list did not answer',
        'slurm answers again',
    ]


# What is missing


def test_that_nothing_has_ended_because_of_one_empty_answer(desk: Desk) -> None:
    desk.queue.change(desk.job, 1, kind=JobState.RUNNING)
    desk.listing()
    element = desk.queue.jobs[desk.job].elements[1]
    desk.queue.remove(desk.job, 1)
    desk.listing()
    assert desk.kind() is JobState.RUNNING
    assert not desk.queue.called('account')
    desk.queue.jobs[desk.job].elements[1] = element
    desk.listing()
    desk.queue.remove(desk.job, 1)
    desk.listing()
    assert not desk.queue.called('account'), 'looks without it are counted in a row'


def test_that_the_accounting_is_asked_only_for_what_is_missing(desk: Desk) -> None:
    other = desk.queue.put(JobSpec('other', 1, 0, '/log'))
    desk.poller.watch(('other', 1), 0.0, other)
    desk.listing()
    desk.queue.accounts.append(JobRecord(desk.job, 1, 'name', JobState.ENDED, 'timeout', where='n1'))
    desk.queue.remove(desk.job)
    desk.until_asked()
    assert set(desk.queue.called('account')) == {('account', desk.job)}
    assert desk.kind() is JobState.ENDED
    assert desk.kind(('other', 1)) is JobState.PENDING
    seen = desk.poller.record_of(KEY)
    assert seen is not None
    assert (seen.cause, seen.where) == ('timeout', 'n1')


def test_that_the_accounting_is_asked_since_the_oldest_was_submitted(desk: Desk) -> None:
    asked: list[float] = []
    desk.queue.accounting_argv = lambda jobs, since: asked.append(since) or ['account', *jobs]  # type: ignore[method-assign,func-returns-value]
    desk.poller.watch(('old', 1), 17.0, '70')
    desk.poller.watch(('new', 1), 18.0, '71')
    desk.until_asked()
    assert asked[0] == 17.0


def test_that_a_job_is_absent_only_after_looks_and_a_grace_time(desk: Desk) -> None:
    desk.listing()
    desk.queue.remove(desk.job)
    desk.listing()
    since = desk.clock.now
    while desk.kind() is not JobState.ABSENT:
        assert desk.clock.now - since < 2 * ABSENT_AFTER
        desk.step()
    assert desk.clock.now - since >= ABSENT_AFTER
    assert desk.queue.called('account')


def test_that_a_job_the_accounting_cannot_be_asked_about_is_waited_for_longer(desk: Desk) -> None:
    desk.listing()
    desk.queue.accounting = 'away'
    desk.queue.remove(desk.job)
    desk.step(times=int(UNANSWERED_AFTER) - 10)
    assert desk.kind() is JobState.PENDING
    desk.step(times=60)
    assert desk.kind() is JobState.ABSENT


@pytest.mark.parametrize('kind', [JobState.RUNNING, JobState.PENDING])
def test_that_a_job_that_runs_or_waits_in_the_accounting_is_never_absent(desk: Desk, kind: JobState) -> None:
    desk.listing()
    desk.queue.accounts.append(JobRecord(desk.job, 1, 'name', kind))
    desk.queue.remove(desk.job)
    desk.step(30.0, times=200)
    assert desk.kind() is JobState.PENDING
    desk.queue.accounts.clear()
    desk.step(30.0, times=3)
    assert desk.kind() is JobState.ABSENT


def test_that_an_element_is_absent_that_its_queue_does_not_know_beside_others_of_its_array(desk: Desk) -> None:
    """As elements that were cancelled while pending, which the accounting still counts among those that wait."""
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.queue.accounts.append(JobRecord(desk.job, 1, 'name', JobState.PENDING))
    desk.queue.remove(desk.job, 1)
    desk.step(30.0, times=5)
    assert (desk.kind(), desk.kind(('name', 2))) == (JobState.ABSENT, JobState.PENDING)


def test_that_a_job_that_listings_hide_is_asked_for_by_its_id(desk: Desk) -> None:
    desk.listing()
    desk.queue.hidden.add(desk.job)
    desk.queue.change(desk.job, 1, kind=JobState.RUNNING)
    desk.step(30.0, times=100)
    assert desk.kind() is JobState.RUNNING
    assert set(desk.queue.called('job')) == {('job', desk.job)}
    assert len(desk.queue.called('job')) <= len(desk.queue.called('list'))


@pytest.mark.parametrize('has_accounting', [True, False])
def test_that_a_job_is_not_absent_while_the_queue_does_not_say_whether_it_knows_it(
    desk: Desk, *, has_accounting: bool
) -> None:
    desk.poller.note_limits(QueueLimits(has_accounting=has_accounting))
    desk.listing()
    desk.queue.remove(desk.job)
    desk.queue.rejects.add('job')
    desk.step(30.0, times=100)
    assert desk.kind() is JobState.PENDING
    desk.queue.rejects.clear()
    desk.step(30.0, times=5)
    assert desk.kind() is JobState.ABSENT


def test_that_an_accounting_that_lags_is_asked_again(desk: Desk) -> None:
    desk.listing()
    desk.queue.remove(desk.job)
    desk.until_asked()
    assert desk.kind() is JobState.PENDING
    desk.queue.accounts.append(JobRecord(desk.job, 1, 'name', JobState.ENDED, code=3))
    desk.until_asked()
    assert desk.kind() is JobState.ENDED


def test_that_an_accounting_that_is_off_is_never_asked(desk: Desk) -> None:
    desk.poller.note_limits(QueueLimits(has_accounting=False))
    desk.listing()
    desk.queue.remove(desk.job)
    desk.step(times=int(ABSENT_AFTER) + 40)
    assert desk.kind() is JobState.ABSENT
    assert not desk.queue.called('account')


def test_that_an_absent_job_that_is_listed_again_is_back(desk: Desk) -> None:
    element = desk.queue.jobs[desk.job].elements[1]
    desk.queue.remove(desk.job, 1)
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.step(times=200)
    assert desk.kind() is JobState.ABSENT
    desk.queue.jobs[desk.job].elements[1] = element
    desk.listing()
    assert desk.kind() is JobState.PENDING


def test_that_news_of_the_accounting_are_counted(desk: Desk) -> None:
    desk.listing()
    before, listings = desk.poller.news, desk.poller.listings
    desk.queue.remove(desk.job)
    desk.until_asked()
    answers = desk.poller.listings - listings + len(desk.queue.called('job')) + 1
    assert desk.poller.news - before == answers


# Names and ids


def test_that_a_job_whose_id_is_not_known_is_found_by_its_name(desk: Desk) -> None:
    desk.poller.watch(('name', 2), 0.0)
    desk.listing()
    assert desk.kind(('name', 2)) is JobState.PENDING
    desk.queue.remove(desk.job)
    desk.until_asked()
    assert desk.queue.called('account')[0] == ('account', desk.job)


def test_that_of_two_jobs_of_one_name_the_one_that_is_most_alive_counts(desk: Desk) -> None:
    twin = desk.queue.put(JobSpec('name', 2, 0, '/log'))
    desk.queue.change(twin, 1, kind=JobState.ENDED, code=75)
    desk.queue.change(desk.job, 1, kind=JobState.RUNNING)
    desk.listing()
    assert desk.kind() is JobState.RUNNING
    assert desk.poller.jobs_named('name') == {desk.job, twin}
    desk.queue.change(twin, 1, kind=JobState.RUNNING, where='n2')
    desk.queue.change(desk.job, 1, kind=JobState.ENDED, code=75)
    desk.listing()
    seen = desk.poller.record_of(KEY)
    assert seen is not None
    assert (seen.job, seen.where) == (twin, 'n2')


def test_that_of_two_ended_ones_our_own_counts(desk: Desk) -> None:
    twin = desk.queue.put(JobSpec('name', 2, 0, '/log'))
    desk.queue.change(desk.job, 1, kind=JobState.ENDED, code=3)
    desk.queue.change(twin, 1, kind=JobState.ENDED, code=75)
    desk.listing()
    seen = desk.poller.record_of(KEY)
    assert seen is not None
    assert seen.code == 3


def test_that_an_accounting_that_tells_no_names_is_understood_by_ids(desk: Desk) -> None:
    desk.listing()
    desk.queue.accounts.append(JobRecord(desk.job, 1, '', JobState.ENDED, code=5))
    desk.queue.remove(desk.job)
    desk.until_asked()
    assert desk.kind() is JobState.ENDED


def test_that_a_job_is_ours_whatever_its_name_is(desk: Desk) -> None:
    desk.queue.change(desk.job, 1, name='renamed', kind=JobState.RUNNING)
    desk.listing()
    assert desk.kind() is JobState.RUNNING


def test_that_an_array_cancelled_under_another_name_has_ended(desk: Desk) -> None:
    desk.listing()
    desk.queue.jobs[desk.job].elements = {0: JobRecord(desk.job, 0, 'renamed', JobState.ENDED, 'cancelled')}
    desk.listing()
    assert desk.kind() is JobState.ENDED


@pytest.mark.parametrize(('age', 'submitted'), [(0.0, 3 * 86400.0), (8 * 86400.0, None)])
def test_that_a_job_with_an_id_that_was_used_again_is_not_ours(desk: Desk, age: float, submitted: float | None) -> None:
    """Ids begin anew when a queue has run out of them, or was installed again."""
    now = desk.clock.wall()
    later = None if submitted is None else now + submitted
    desk.poller.watch(('mine', 1), now - age, '99')
    foreign = JobRecord('99', 1, 'foreign', JobState.RUNNING, submitted=later)
    desk.queue.jobs['99'] = replace(desk.queue.jobs[desk.job], elements={1: foreign})
    desk.listing()
    assert desk.kind(('mine', 1)) is JobState.UNKNOWN


def test_that_elements_cancelled_together_while_they_waited_have_ended(desk: Desk) -> None:
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.queue.change(desk.job, 2, kind=JobState.RUNNING)
    desk.listing()
    desk.queue.jobs[desk.job].elements = {0: JobRecord(desk.job, 0, 'name', JobState.ENDED, 'cancelled')}
    desk.listing()
    assert desk.kind() is JobState.ENDED
    assert desk.kind(('name', 2)) is JobState.RUNNING


def test_that_an_element_that_vanished_while_it_waited_was_taken_out(desk: Desk) -> None:
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.listing()
    desk.queue.remove(desk.job, 1)
    desk.step(30.0, times=5)
    assert desk.poller.was_taken_out(KEY)


def test_that_an_element_was_not_taken_out_if_its_whole_job_is_gone(desk: Desk) -> None:
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.listing()
    desk.queue.remove(desk.job)
    desk.step(30.0, times=5)
    assert desk.kind() is JobState.ABSENT
    assert not desk.poller.was_taken_out(KEY), 'the whole job may be gone for another reason'


def test_that_an_element_was_taken_out_if_the_accounting_knows_only_the_others(desk: Desk) -> None:
    desk.queue.accounts.append(JobRecord(desk.job, 2, 'name', JobState.ENDED, code=0))
    desk.queue.remove(desk.job)
    desk.step(30.0, times=5)
    assert desk.poller.was_taken_out(KEY)


# Details of an end


def test_that_an_end_that_a_listing_does_not_explain_is_looked_up(desk: Desk) -> None:
    desk.queue.change(desk.job, 1, kind=JobState.ENDED)
    desk.listing()
    assert desk.poller.awaits_details(KEY)
    desk.queue.accounts.append(JobRecord(desk.job, 1, 'name', JobState.ENDED, 'out_of_memory', 137))
    desk.runner.deliver()
    seen = desk.poller.record_of(KEY)
    assert seen is not None
    assert seen.cause == 'out_of_memory'
    assert not desk.poller.awaits_details(KEY)
    desk.poller.watch(('name', 2), 0.0, desk.job)
    desk.listing()
    assert desk.poller.record_of(KEY) == seen, 'the listing knows less'


def test_that_an_explanation_that_is_late_is_asked_for_again_but_not_at_once(desk: Desk) -> None:
    desk.queue.change(desk.job, 1, kind=JobState.ENDED)
    desk.listing()
    for _ in range(100):
        assert desk.poller.awaits_details(KEY)
        desk.step()
    assert 2 <= len(desk.queue.called('account')) <= 6


@pytest.mark.parametrize('explained', [{'cause': 'timeout'}, {'code': 0}])
def test_that_an_end_that_is_explained_is_not_looked_up(desk: Desk, explained: dict[str, object]) -> None:
    desk.queue.change(desk.job, 1, kind=JobState.ENDED, **explained)
    desk.listing()
    assert not desk.poller.awaits_details(KEY)


def test_that_no_explanation_is_awaited_where_there_is_no_accounting(desk: Desk) -> None:
    desk.poller.note_limits(QueueLimits(has_accounting=False))
    desk.queue.change(desk.job, 1, kind=JobState.ENDED)
    desk.listing()
    assert not desk.poller.awaits_details(KEY)


# Jobs of other writers


def test_that_a_job_that_another_writer_was_in_has_ended_when_it_is_listed_so(desk: Desk) -> None:
    ident = f'{desk.job}_2'
    assert not desk.poller.has_ended(ident)
    desk.listing()
    assert not desk.poller.has_ended(ident)
    desk.queue.change(desk.job, 2, kind=JobState.ENDED)
    desk.listing()
    assert desk.poller.has_ended(ident)
    assert not desk.poller.has_ended(f'{desk.job}_1')


def test_that_a_job_that_nobody_knows_has_ended_once_its_time_limit_has_passed(desk: Desk) -> None:
    ends = desk.clock.wall() + 3600
    assert not desk.poller.has_ended('4711', ends)
    desk.step(30.0, times=100)
    assert not desk.poller.has_ended('4711', ends)
    desk.clock.now += 3600 + LIMIT_GRACE
    assert desk.poller.has_ended('4711', ends)
    assert not desk.poller.has_ended('4711'), 'its time limit is not known'


def test_that_a_job_has_not_ended_while_the_queue_cannot_be_asked(desk: Desk) -> None:
    desk.queue.is_away = True
    desk.poller.has_ended('4711')
    desk.step(times=3000)
    assert not desk.poller.has_ended('4711')


# Limits


def test_that_limits_are_asked_for_once(desk: Desk) -> None:
    limits = LimitsQuery(system(desk.queue), as_runner(desk.runner), desk.poller)
    desk.queue.limits = QueueLimits(array=500, has_accounting=False)
    assert limits.get(desk.clock.now) is None
    assert limits.get(desk.clock.now) is None
    desk.runner.deliver()
    assert limits.get(desk.clock.now) == QueueLimits(array=500, has_accounting=False)
    assert not desk.poller.has_accounting
    assert len(desk.queue.called('limits')) == 1


def test_that_limits_are_asked_for_again_before_the_usual_ones_are_taken(desk: Desk) -> None:
    limits = LimitsQuery(system(desk.queue), as_runner(desk.runner), desk.poller)
    desk.queue.rejects.add('limits')
    begin = desk.clock.now
    while limits.get(desk.clock.now) is None:
        desk.clock.now += 1
        desk.runner.deliver()
    assert limits.get(desk.clock.now) == QueueLimits()
    assert len(desk.queue.called('limits')) == TRIES
    assert desk.clock.now - begin >= RETRY * (TRIES - 1)
