"""Attempts as jobs of a queue, with a scripted queue and stepped time."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hpsearch.backends.base import JobCounts, Silence
from hpsearch.backends.queue import arrays
from hpsearch.backends.queue.batch_system import JobSpec, QueueLimits
from hpsearch.backends.queue.commands import CLOSE_TIMEOUT
from hpsearch.backends.queue.limits import FORGET, RETRY
from hpsearch.backends.queue.poller import ABSENT_AFTER, LIMIT_GRACE, SILENT_TIMEOUT, JobKey, JobPoller
from hpsearch.model.evidence import CAUSE_GRACE, COMPLETED_FACTOR, RECORD_GRACE, JobRecord, JobState
from hpsearch.model.resources import ResourceRequest
from hpsearch.model.retries import room_in_queue
from hpsearch.store.attempt_files import close_fence, read_fence
from hpsearch.store.folder import SearchFolder
from tests.fakes.late_records import LateRecords
from tests.fakes.scripted_queue import WRITER, Desk, Made
from tests.support.harness import new_folder


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search_2026-11-20_23-19-00')


@pytest.fixture
def make_desk(folder: SearchFolder) -> Callable[..., Desk]:
    return lambda **settings: Desk(folder, **settings)


@pytest.fixture
def desk(folder: SearchFolder) -> Desk:
    return Desk(folder)


def submitted(desk: Desk) -> list[tuple[str, ...]]:
    """Sizes and throttles of the submissions that were sent."""
    return [words[2:] for words in desk.queue.called('submit')]


def started(desk: Desk, size: int = 1, **wishes: Any) -> list[str]:
    """Attempts that are in the queue."""
    idents = desk.start(size, **wishes)
    desk.until(lambda: all(desk.told.get(ident) and desk.told[ident].kind is JobState.PENDING for ident in idents))
    return idents


# Submitting


def test_that_attempts_wait_until_the_queue_has_accepted_them(desk: Desk) -> None:
    (ident,) = desk.start(1)
    assert desk.backend.states(desk.clock.now)[ident].kind is JobState.WAITING
    desk.runner.is_slow = True
    assert desk.step()[ident].kind is JobState.WAITING
    desk.runner.is_slow = False
    desk.step()
    assert desk.step()[ident].kind is JobState.PENDING


def test_that_attempts_are_submitted_together_as_one_array(desk: Desk) -> None:
    started(desk, 100)
    assert submitted(desk) == [('100', '25')]


def test_that_one_attempt_is_an_array_of_one(desk: Desk) -> None:
    started(desk, 1)
    assert submitted(desk) == [('1', '1')]


def test_that_the_map_of_a_submission_is_in_the_journal_before_it_is_sent(desk: Desk) -> None:
    desk.start(2)
    desk.runner.deliver()
    desk.runner.is_slow = True
    desk.step()
    (event,) = desk.events
    assert event == {
        'event': 'submitting',
        'queue': 'slurm',
        'submission': 'hps-20261120231900-000001',
        'attempts': [['sim_1', 1], ['sim_2', 1]],
        'throttle': 2,
        'room': room_in_queue(1000, None),
        'limit': 3600.0,
        'place': str(desk.folder.path),
        'at': desk.clock.wall(),
    }
    assert not desk.queue.called('submit')
    desk.runner.is_slow = False
    desk.step(times=3)
    assert desk.events[1] == {
        'event': 'accepted',
        'submission': 'hps-20261120231900-000001',
        'job': '1',
        'at': desk.clock.wall() - 2,
    }


def test_that_nothing_is_submitted_that_the_journal_did_not_take(desk: Desk) -> None:
    desk.takes_notes = False
    desk.start(2)
    desk.step(times=10)
    assert not desk.queue.called('submit')
    assert 'the journal cannot be written' in desk.backend.open_slots(desk.clock.now).waiting


def test_that_people_find_the_script_as_it_was_submitted(desk: Desk, folder: SearchFolder) -> None:
    started(desk, 2)
    assert folder.submission(desk.names[0]).script.read_text() == desk.runner.scripts[0]


def test_that_a_folder_that_cannot_be_written_is_tried_again(desk: Desk, folder: SearchFolder) -> None:
    folder.submissions_dir.write_text('in the way')
    desk.start(2)
    desk.step(times=10)
    assert not desk.queue.called('submit')
    assert 'cannot be written' in desk.backend.open_slots(desk.clock.now).waiting
    folder.submissions_dir.unlink()
    desk.step(times=int(RETRY) + 3)
    assert submitted(desk) == [('2', '2')]


def test_that_nothing_is_submitted_before_the_limits_are_known(desk: Desk) -> None:
    desk.queue.rejects.add('limits')
    desk.start(2)
    desk.step(times=20)
    assert not desk.queue.called('submit')
    desk.queue.rejects.clear()
    desk.step(times=int(RETRY))
    assert submitted(desk) == [('2', '2')]


def test_that_arrays_are_cut_to_the_size_the_queue_takes(desk: Desk) -> None:
    desk.queue.limits = QueueLimits(array=10)
    started(desk, 25)
    assert submitted(desk) == [('10', '10'), ('10', '10'), ('5', '5')]


def test_that_arrays_are_cut_to_the_size_a_script_may_have(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Desk(new_folder(tmp_path / 'other'))
    started(other, 16)
    most = len(other.runner.scripts[0].encode())
    monkeypatch.setattr(arrays, 'SCRIPT_BYTES', most)
    started(desk, 50)
    assert sum(int(size) for size, _ in submitted(desk)) == 50
    assert max(len(script.encode()) for script in desk.runner.scripts) <= most
    assert sum(int(throttle) for _, throttle in submitted(desk)) <= 25
    assert 3 < len(submitted(desk)) <= 8
    assert not desk.queue.called('throttle'), 'they were shared before'


def test_that_a_script_that_is_too_large_for_one_run_is_sent_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, 'SCRIPT_BYTES', 10)
    started(desk, 3)
    assert submitted(desk) == [('1', '1')] * 3


def test_that_runs_with_more_memory_have_an_array_of_their_own(desk: Desk) -> None:
    desk.start(2)
    desk.start(1, first=3, resources=ResourceRequest(memory=1500))
    desk.step(times=5)
    assert submitted(desk) == [('2', '2'), ('1', '1')]
    assert [made.job.memory for made in desk.queue.jobs.values()] == [None, 1500]


def test_that_slots_are_offered_only_while_nothing_waits(desk: Desk) -> None:
    assert desk.backend.open_slots(desk.clock.now).slots
    desk.runner.is_slow = True
    desk.start(3)
    placement = desk.backend.open_slots(desk.clock.now)
    assert not placement.slots
    assert placement.waiting == '3 runs wait to be submitted: limits has not answered yet'


def test_that_no_slots_are_offered_while_the_queue_does_not_answer(desk: Desk) -> None:
    started(desk, 1)
    desk.queue.is_blind = True
    desk.until(lambda: desk.poller.problem)
    placement = desk.backend.open_slots(desk.clock.now)
    assert (placement.slots, placement.waiting) == ((), 'the queue does not answer: list did not answer')
    desk.finish()
    desk.queue.is_blind = False
    desk.until(lambda: desk.backend.open_slots(desk.clock.now).slots)


def test_that_what_was_accepted_what_may_have_been_and_what_was_not_sent_are_told_apart(desk: Desk) -> None:
    desk.start(3)
    assert desk.backend.job_counts() == JobCounts(unsubmitted=3)
    desk.step(times=5)
    assert desk.backend.job_counts() == JobCounts(accepted=3)
    desk.queue.deaf = 1
    desk.start(2, first=4)
    desk.step()
    assert desk.backend.job_counts() == JobCounts(accepted=3, unanswered=2)
    desk.begin_all()
    desk.finish()
    desk.step(times=3)
    assert desk.backend.job_counts() == JobCounts(unanswered=2)


def test_that_a_submission_under_way_is_why_others_wait(desk: Desk) -> None:
    started(desk, 1)
    desk.runner.is_slow = True
    desk.start(2, first=2)
    desk.start(1, first=4)
    waiting = desk.backend.open_slots(desk.clock.now).waiting
    assert waiting == '1 run waits to be submitted: submit has not answered yet'


# A queue that does not answer


def test_that_the_queue_owes_an_answer_from_the_first_question_on_until_it_answers(desk: Desk) -> None:
    started(desk, 1)
    desk.until(lambda: desk.backend.silence is None)
    desk.queue.is_blind = True
    desk.until(lambda: desk.poller.problem)
    silence = desk.backend.silence
    assert silence is not None
    desk.step(times=100)
    assert desk.backend.silence == Silence(silence.since, 'list did not answer')
    desk.queue.is_blind = False
    desk.until(lambda: desk.backend.silence is None)


def test_that_a_command_that_hangs_is_a_silence_as_soon_as_the_runs_are_stopped(desk: Desk) -> None:
    started(desk, 2)
    desk.step(times=40)
    desk.runner.is_slow = True
    desk.backend.cancel([desk.ident(1), desk.ident(2)], force=False)
    desk.step()
    assert desk.backend.silence == Silence(desk.clock.now, 'list has not answered yet')


def test_that_a_queue_that_failed_is_asked_at_once_when_the_runs_are_stopped(desk: Desk) -> None:
    started(desk, 1)
    desk.queue.is_blind = True
    desk.until(lambda: desk.poller.problem)
    desk.step(times=3)
    desk.queue.is_blind = False
    desk.backend.cancel([desk.ident(1)], force=False)
    desk.step(times=2)
    assert desk.backend.silence is None


def test_that_leaving_waits_for_commands_only_while_the_queue_answers(desk: Desk) -> None:
    started(desk, 1)
    desk.until(lambda: desk.backend.silence is None)
    assert desk.poller.close_timeout == CLOSE_TIMEOUT
    desk.runner.is_slow = True
    desk.poller.poll_now()
    desk.step()
    assert desk.poller.close_timeout == SILENT_TIMEOUT
    desk.step(SILENT_TIMEOUT)
    assert desk.poller.close_timeout == 0.0


# Refusals


def test_that_a_queue_with_a_limit_is_filled_by_halves_and_then_left_alone(desk: Desk) -> None:
    desk.queue.limit = 5
    desk.start(8)
    desk.step(times=100)
    assert desk.queue.live() == 5
    assert len(submitted(desk)) <= 5
    assert 'too many' in desk.backend.open_slots(desk.clock.now).waiting
    assert next(line for line in desk.backend.queue_lines() if line.state == 'waiting').reason == 'too many'


def test_that_something_is_submitted_as_soon_as_something_ended(desk: Desk) -> None:
    desk.queue.limit = 5
    desk.start(8)
    desk.step(times=20)
    desk.begin_all()
    desk.finish(2)
    desk.step(times=4)
    assert desk.queue.live() == 5
    assert len(desk.ended) == 2


def test_that_a_full_queue_is_tried_again_after_a_while(desk: Desk) -> None:
    desk.queue.limit = 5
    desk.start(8)
    desk.step(times=20)
    desk.queue.limit = None
    desk.step(times=int(FORGET) + 10)
    assert desk.queue.live() == 8


def test_that_no_attempt_is_in_two_submissions_however_often_they_are_refused(desk: Desk) -> None:
    desk.queue.limit = 7
    desk.start(100)
    for _ in range(300):
        desk.step()
        desk.begin_all()
        desk.finish(3)
    accepted = {event['submission'] for event in desk.events if event['event'] == 'accepted'}
    runs = [run for event in desk.events if event.get('submission') in accepted for run, _ in event.get('attempts', [])]
    assert sorted(runs) == sorted({f'sim_{at}' for at in range(1, 101)})
    assert len(desk.ended) == 100


def test_that_a_large_queue_is_not_refilled_one_by_one(desk: Desk) -> None:
    desk.queue.limit = 200
    desk.start(1000)
    desk.until(lambda: desk.queue.live() == 200)
    desk.step(times=20)
    before = len(submitted(desk))
    for _ in range(40):
        desk.begin_all()
        desk.finish(1)
        desk.step()
    assert len(submitted(desk)) == before
    for _ in range(40):
        desk.begin_all()
        desk.finish(1)
        desk.step()
    assert before < len(submitted(desk)) <= before + 3


def test_that_what_is_not_accepted_is_given_back_once_when_nothing_is_held(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.queue.limit = 5
    idents = desk.start(8)
    desk.step(times=50)
    assert [desk.ended[ident].cause for ident in sorted(desk.ended)] == ['start'] * 3
    assert set(desk.ended) <= set(idents)
    assert desk.queue.live() == 5
    assert desk.backend.is_settled()


def test_that_no_more_slots_are_asked_for_after_something_was_given_back(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.queue.limit = 5
    desk.start(8)
    desk.step(times=50)
    placement = desk.backend.open_slots(desk.clock.now)
    assert (placement.slots, placement.waiting, placement.is_final) == ((), 'too many', False)
    desk.queue.limit = None
    desk.step(times=1000)
    assert not desk.backend.open_slots(desk.clock.now).slots


def test_that_everything_is_submitted_when_nothing_is_held_and_all_is_accepted(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(holds=False)
    desk.queue.limits = QueueLimits(array=10)
    started(desk, 95)
    desk.step(times=5)
    assert desk.queue.live() == 95
    assert not desk.ended
    desk.until(desk.backend.is_settled)


def test_that_arrays_that_get_none_of_the_jobs_are_given_back_when_nothing_is_held(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(holds=False, num_jobs=2)
    desk.queue.limits = QueueLimits(array=10)
    desk.start(35)
    desk.step(times=10)
    assert desk.queue.live() == 20
    assert {status.cause for status in desk.ended.values()} == {'start'}


def test_that_a_submission_that_never_will_be_accepted_is_final(desk: Desk) -> None:
    desk.queue.wrong = 'Invalid account'
    desk.start(3)
    desk.step(times=5)
    assert [(status.cause, status.detail) for status in desk.ended.values()] == [('refused', 'Invalid account')] * 3
    placement = desk.backend.open_slots(desk.clock.now)
    assert (placement.is_final, placement.waiting) == (True, 'Invalid account')
    desk.step(times=1000)
    assert len(submitted(desk)) == 1


def test_that_a_run_that_needs_more_memory_than_there_is_has_failed_alone(desk: Desk) -> None:
    (special,) = desk.start(1, resources=ResourceRequest(memory=10**9))
    desk.queue.wrong = 'Memory specification can not be satisfied'
    desk.step(times=5)
    assert desk.ended[special].cause == 'impossible'
    desk.queue.wrong = ''
    assert desk.backend.open_slots(desk.clock.now).slots
    started(desk, 2, first=2)


@pytest.mark.parametrize(
    ('words', 'why'),
    [
        (['--text=' + 'x' * 140_000], '--text=… has 140,007 bytes, and a word of a command may have 131,071'),
        (['--text=x\0'], '--text=… cannot be passed to a program: it has a NUL byte'),
        (["'" * 120_000] * 4, 'its job script would have 2,400,0'),
    ],
)
def test_that_what_cannot_be_a_command_in_a_job_fails_its_run_and_the_array_goes_without_it(
    desk: Desk, words: list[str], why: str
) -> None:
    first, wrong, last = desk.launches(3)
    wrong = replace(wrong, run=replace(wrong.run, argv=(*wrong.run.argv, *words)))
    desk.backend.start([first, wrong, last], desk.clock.now)
    desk.until(lambda: desk.queue.live() == 2)
    assert [words[0] for words in submitted(desk)] == ['2']
    assert set(desk.ended) == {wrong.ident}
    assert desk.ended[wrong.ident].cause == 'impossible'
    assert desk.ended[wrong.ident].detail.startswith(why)
    desk.begin_all()
    desk.finish()
    desk.until(lambda: {first.ident, last.ident} <= desk.ended.keys())


# Lost answers


def test_that_a_submission_whose_answer_was_lost_is_found_by_its_name(desk: Desk) -> None:
    desk.queue.loses = 1
    (ident,) = started(desk, 1)
    assert len(submitted(desk)) == 1
    assert [event['event'] for event in desk.events] == ['submitting', 'accepted']
    desk.begin_all()
    desk.finish()
    desk.until(lambda: ident in desk.ended)


def test_that_a_submission_that_was_not_heard_is_sent_again_after_two_listings_without_it(desk: Desk) -> None:
    desk.queue.deaf = 1
    started(desk, 3)
    first, second = (at for at, words in enumerate(desk.queue.calls) if words[0] == 'submit')
    assert desk.queue.calls[first] == desk.queue.calls[second]
    assert desk.queue.calls[first:second].count(('list',)) >= 2
    assert desk.runner.scripts[0] == desk.runner.scripts[1]
    assert desk.queue.live() == 3


def test_that_it_is_not_sent_again_while_the_queue_cannot_be_listed(desk: Desk) -> None:
    desk.queue.loses = 1
    desk.queue.is_blind = True
    (ident,) = desk.start(1)
    desk.step(times=2000)
    assert len(submitted(desk)) == 1
    assert desk.told[ident].kind is JobState.WAITING
    assert not desk.backend.is_settled()
    desk.queue.is_blind = False
    desk.until(lambda: desk.told[ident].kind is JobState.PENDING)
    assert len(submitted(desk)) == 1


def test_that_one_listing_without_it_is_not_enough(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.queue.is_blind = True
    desk.start(1)
    desk.step(times=100)
    desk.queue.is_blind = False
    desk.until(lambda: desk.poller.is_missing((desk.names[0], 1)))
    desk.queue.is_blind = True
    desk.step(times=100)
    assert len(submitted(desk)) == 1


def test_that_a_job_that_runs_before_its_answer_came_is_accepted_once(desk: Desk) -> None:
    desk.start(2)
    desk.step()
    desk.runner.is_slow = True
    desk.step()
    desk.pass_fence(1, '1')
    desk.leave_record(1, 0)
    desk.hint(desk.names[0], 1)
    desk.step(times=3)
    assert desk.ended[desk.ident(1)].code == 0
    desk.runner.is_slow = False
    desk.step(times=40)
    assert [event['event'] for event in desk.events] == ['submitting', 'accepted']
    assert desk.told[desk.ident(2)].kind is JobState.PENDING
    assert desk.backend.is_settled() or desk.runner.pending


def test_that_a_hint_and_a_fence_tell_that_it_was_accepted(desk: Desk) -> None:
    desk.queue.loses = 1
    (ident,) = desk.start(1)
    desk.step(times=3)
    desk.queue.is_blind = True
    desk.pass_fence(1, '1')
    desk.leave_record(1, 0)
    desk.hint(desk.names[0], 1)
    desk.step(times=3)
    assert desk.ended[ident].code == 0
    assert desk.events[-1]['job'] == '1'
    assert desk.backend.is_settled() or desk.runner.pending


def test_that_what_runs_though_no_listing_shows_it_is_not_sent_again(desk: Desk) -> None:
    desk.queue.loses = 1
    (ident,) = desk.start(1)
    desk.step(times=2)
    desk.pass_fence(1, '1')
    element = desk.queue.jobs['1'].elements[1]
    desk.queue.remove('1')
    desk.until(lambda: desk.events[-1]['event'] == 'accepted')
    assert desk.events[-1]['job'] == '1'
    desk.queue.jobs['1'].elements[1] = replace(element, kind=JobState.RUNNING)
    desk.until(lambda: desk.told[ident].kind is JobState.RUNNING)
    assert len(submitted(desk)) == 1


def test_that_others_wait_while_an_answer_is_missing(desk: Desk) -> None:
    desk.queue.limits = QueueLimits(array=10)
    desk.queue.is_away = False
    desk.start(20)
    desk.queue.deaf = 1
    desk.step(times=20)
    assert len(submitted(desk)) == 1
    desk.step(times=60)
    assert [size for size, _ in submitted(desk)] == ['10', '10', '10']


def test_that_the_answer_lost_twice_leads_to_longer_pauses(desk: Desk) -> None:
    desk.queue.deaf = 3
    desk.start(1)
    times: list[float] = []
    for _ in range(1000):
        desk.step()
        times += [desk.clock.now] * (len(submitted(desk)) - len(times))
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))


def test_that_a_job_that_a_refusal_left_behind_is_a_refusal(desk: Desk) -> None:
    desk.queue.loses = 1
    desk.start(2)
    desk.step(times=2)
    for index in (1, 2):
        desk.queue.change('1', index, kind=JobState.ENDED, code=1, reason='BadConstraints')
    desk.step(times=50)
    assert [(status.cause, status.detail) for status in desk.ended.values()] == [('refused', 'BadConstraints')] * 2


def test_that_an_array_with_gaps_is_sent_again_as_it_was(desk: Desk) -> None:
    desk.queue.deaf = 1
    idents = desk.start(3)
    desk.step(times=3)
    desk.backend.forget(idents[1], desk.clock.now)
    desk.until(lambda: len(submitted(desk)) == 2)
    assert submitted(desk) == [('3', '3')] * 2
    desk.until(lambda: desk.told[idents[2]].kind is JobState.PENDING)
    desk.queue.change('1', 3, kind=JobState.RUNNING, where='n7')
    desk.until(lambda: desk.told[idents[2]].kind is JobState.RUNNING)
    assert desk.told[idents[0]].kind is JobState.PENDING


def test_that_a_twin_of_a_lost_submission_is_cancelled_with_it(desk: Desk) -> None:
    idents = started(desk, 2)
    desk.queue.put(JobSpec(desk.names[0], 2, 0, '/log'))
    desk.step(times=31)
    desk.backend.cancel(idents, force=False)
    desk.step(times=3)
    assert {words[1] for words in desk.queue.called('cancel')} == {'1', '2'}
    assert desk.queue.live() == 0


def test_that_a_limit_met_at_the_second_try_does_not_dissolve_what_may_yet_show_up(desk: Desk) -> None:
    desk.queue.deaf = 1
    desk.start(4)
    desk.step(times=20)
    desk.queue.limit = 0
    desk.until(lambda: len(submitted(desk)) == 2)
    desk.step(times=3)
    assert len(desk.names) == 1
    desk.queue.limit = None
    desk.until(lambda: desk.queue.live() == 4)
    desk.step(times=200)
    assert desk.queue.live() == 4


def test_that_a_controller_that_is_away_for_an_hour_costs_nothing(desk: Desk) -> None:
    idents = started(desk, 50)
    desk.begin_all()
    desk.step(times=40)
    desk.queue.is_away = True
    before = len(desk.queue.calls)
    desk.step(times=3600)
    assert len(desk.queue.calls) - before <= 20
    assert not desk.ended
    desk.queue.is_away = False
    for _ in range(100):
        desk.begin_all()
        desk.finish()
        desk.step()
    assert set(desk.ended) == set(idents)


# Sharing the jobs


def test_that_never_more_jobs_run_than_were_asked_for(make_desk: Callable[..., Desk]) -> None:
    chance = random.Random(7)
    desk = make_desk(num_jobs=10)
    desk.queue.limits = QueueLimits(array=20)
    desk.start(100)
    next_run = 101
    for _ in range(3000):
        desk.queue.rejects = {'throttle'} if chance.random() < 0.3 else set()
        desk.queue.is_blind = chance.random() < 0.1
        desk.begin_all()
        assert desk.queue.running() <= 10
        desk.finish(chance.randrange(4))
        desk.step()
        if chance.random() < 0.05 and next_run < 160 and desk.backend.open_slots(desk.clock.now).slots:
            desk.start(1, first=next_run, resources=ResourceRequest(memory=chance.choice([None, 1500])))
            next_run += 1
        if len(desk.ended) == next_run - 1:
            break
    assert len(desk.ended) == next_run - 1


def test_that_all_jobs_are_used_when_only_one_array_is_left(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=10)
    desk.queue.limits = QueueLimits(array=40)
    started(desk, 50)
    desk.step(times=60)
    while desk.queue.jobs['2'].count(JobState.ENDED) < 10:
        desk.begin_all()
        desk.step()
        ident = '2'
        made = desk.queue.jobs[ident]
        for index in [index for index, element in made.elements.items() if element.kind is JobState.RUNNING]:
            desk.leave_record(desk.run_of(made.job.name, index))
            desk.hint(made.job.name, index)
            desk.queue.change(ident, index, kind=JobState.ENDED, code=0)
    desk.step(times=70)
    desk.begin_all()
    assert desk.queue.running() == 10


def test_that_a_run_that_comes_later_gets_a_job_of_its_own(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=4)
    started(desk, 40)
    desk.begin_all()
    desk.step(times=35)
    assert not desk.backend.open_slots(desk.clock.now).slots
    for _ in range(200):
        desk.begin_all()
        desk.finish(1)
        desk.step(times=5)
        if desk.backend.open_slots(desk.clock.now).slots:
            break
    started(desk, 1, first=41, resources=ResourceRequest(memory=1500))
    desk.begin_all()
    assert desk.queue.running() <= 4


def test_that_a_throttle_that_could_not_be_changed_is_changed_again(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=4)
    started(desk, 40)
    desk.begin_all()
    desk.step(times=35)
    desk.queue.rejects = {'throttle'}
    desk.backend.open_slots(desk.clock.now)
    desk.step(times=31)
    assert len(desk.queue.called('throttle')) == 1
    desk.finish(2)
    desk.step(times=3)
    assert not desk.backend.open_slots(desk.clock.now).slots, 'the queue may let four run again'
    desk.queue.rejects.clear()
    desk.step(times=31)
    assert desk.queue.jobs['1'].throttle == 3


def test_that_adopted_arrays_get_no_more_than_was_asked_for_now(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(num_jobs=5)
    job = desk.queue.put(JobSpec('old', 60, 25, '/log'))
    adopted(desk, 60, job=job, throttle=25)
    desk.step(times=5)
    assert desk.queue.jobs[job].throttle == 5
    assert not desk.backend.open_slots(desk.clock.now).slots


# What became of them


def test_that_an_end_is_told_when_its_hint_and_its_record_are_there(desk: Desk) -> None:
    idents = started(desk, 3)
    desk.begin_all()
    desk.step(times=36)
    listings = desk.poller.listings
    desk.leave_record(2, 7)
    desk.hint(desk.names[0], 2)
    desk.step()
    assert {ident: status.code for ident, status in desk.ended.items()} == {idents[1]: 7}
    assert desk.poller.listings == listings, 'no listing is needed for that'


def test_that_a_record_whose_hint_was_lost_is_found_at_the_next_listing(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    desk.leave_record(1, 3)
    desk.step(times=31)
    assert desk.ended[ident].code == 3


def test_that_a_hint_without_a_record_is_not_believed(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    desk.hint(desk.names[0], 1)
    desk.step(times=5)
    assert not desk.ended
    desk.leave_record(1, 4)
    desk.step()
    assert desk.ended[ident].code == 4


def test_that_hints_are_read_bit_by_bit(desk: Desk, folder: SearchFolder) -> None:
    started(desk, 12)
    desk.begin_all()
    desk.step(times=36)
    path = Path(folder.submission(desk.names[0]).ended)
    for at in (1, 2, 12):
        desk.leave_record(at)
    for text, count in (('1\n', 1), ('nonsense\n99\n-4\n', 1), ('1', 1), ('2\n2\n', 3)):
        with path.open('a') as hints:
            hints.write(text)
        desk.step()
        assert len(desk.ended) == count


def test_that_a_record_is_not_looked_for_while_a_job_only_waits(desk: Desk) -> None:
    started(desk, 5)
    desk.leave_record(1)  # it cannot be: nothing was started
    desk.step(times=100)
    assert not desk.ended


def test_that_a_hint_is_enough_where_the_listing_is_an_old_one(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.step(times=31)
    desk.pass_fence(1)
    desk.leave_record(1, 0)
    desk.hint(desk.names[0], 1)
    desk.step()
    assert desk.ended[ident].code == 0


def test_that_where_it_runs_is_told(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    assert (desk.told[ident].kind, desk.told[ident].detail) == (JobState.RUNNING, 'on n1')


def test_that_the_cause_of_an_end_is_the_one_of_the_queue(desk: Desk) -> None:
    idents = started(desk, 4)
    desk.begin_all()
    desk.step(times=31)
    for at, cause in enumerate(['out_of_memory', 'timeout', 'preempted', 'node_fail'], start=1):
        desk.leave_record(at, 143, 'TERM')
        desk.hint(desk.names[0], at)
        desk.queue.change('1', at, kind=JobState.ENDED, cause=cause)
    desk.step(times=10)
    assert [desk.ended[ident].cause for ident in idents] == ['out_of_memory', 'timeout', 'preempted', 'node_fail']


def test_that_out_of_memory_tells_how_much_there_was(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(most_memory=4000)
    plain, special = started(desk, 1)[0], started(desk, 1, first=2, resources=ResourceRequest(memory=1500))[0]
    desk.begin_all()
    desk.step(times=31)
    for at, job in ((1, '1'), (2, '2')):
        desk.leave_record(at, 137)
        desk.queue.change(job, 1, kind=JobState.ENDED, cause='out_of_memory')
    desk.step(times=31)
    assert desk.ended[plain].room == {
        'was_alone': True,
        'largest': True,
        'in_queue': True,
        'memory_limit': 1000,
        'memory_most': 4000,
    }
    assert desk.ended[special].room['memory_limit'] == 1500


def test_that_an_end_without_a_record_is_waited_for(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=0)
    desk.until(lambda: desk.told[ident].detail == 'it ended; its record is awaited')
    desk.step(times=int(RECORD_GRACE) - 3)
    assert not desk.ended
    desk.leave_record(1, 5)
    desk.step(times=2)
    assert desk.ended[ident].code == 5


def test_that_a_job_that_has_ended_makes_room_for_another_while_its_record_is_awaited(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(most_attempts=2)
    killed, _ = started(desk, 2)
    desk.begin_all()
    desk.step(times=31)
    assert not desk.backend.open_slots(desk.clock.now).slots
    desk.queue.change('1', 1, kind=JobState.ENDED, cause='cancelled')
    desk.until(lambda: desk.told[killed].detail == 'it ended; its record is awaited')
    assert len(desk.backend.open_slots(desk.clock.now).slots) == 1
    started(desk, 1, first=3)
    assert not desk.backend.open_slots(desk.clock.now).slots and desk.queue.live() == 2


def test_that_a_record_which_the_file_system_denies_for_a_minute_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ident,) = started(desk)
    LateRecords().install(monkeypatch.setattr)
    desk.begin_all()
    desk.step(times=31)
    desk.leave_record(1, 0)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=0)
    desk.until(lambda: ident in desk.ended)
    assert desk.ended[ident].code == 0


def test_that_an_end_without_a_record_for_long_is_lost(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.queue.change('1', 1, kind=JobState.ENDED, code=0)
    desk.step(times=int(RECORD_GRACE * COMPLETED_FACTOR))
    assert not desk.ended
    desk.step(times=35)
    assert (desk.ended[ident].code, desk.ended[ident].cause) == (None, '')


def test_that_a_job_that_was_cancelled_before_it_began_has_ended_at_once_and_never_begins(
    desk: Desk, folder: SearchFolder
) -> None:
    (ident,) = started(desk)
    desk.queue.change('1', 1, kind=JobState.ENDED, cause='cancelled')
    desk.step(times=31)
    assert desk.ended[ident].cause == 'cancelled'
    assert desk.ended[ident].seconds == 0.0
    assert read_fence(folder.attempt('sim_1', 1)).is_closed


def test_that_a_job_that_failed_before_it_began_is_lost_and_the_log_is_named(desk: Desk, folder: SearchFolder) -> None:
    (ident,) = started(desk)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=73)
    desk.step(times=31)
    status = desk.ended[ident]
    assert (status.code, status.cause) == (None, '')
    assert folder.submission(desk.names[0]).log in status.detail


def test_that_a_fence_that_is_passed_at_that_moment_wins(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (ident,) = started(desk)

    def too_late(paths: Any, by: str) -> bool:
        desk.pass_fence(1)
        return close_fence(paths, by)

    monkeypatch.setattr('hpsearch.backends.queue.backend.close_fence', too_late)
    desk.queue.change('1', 1, kind=JobState.ENDED, cause='node_fail')
    desk.until(lambda: desk.told[ident].detail == 'it has just begun')
    desk.leave_record(1, 0)
    desk.step(times=3)
    assert desk.ended[ident].code == 0


def test_that_a_job_that_was_started_again_is_told(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    Path(desk.paths(1).requeued).write_text(f'{ident} 78 1 1 n2\n')
    desk.queue.change('1', 1, kind=JobState.ENDED, code=75)
    desk.step(times=31)
    assert desk.ended[ident].cause == 'requeued'


# A queue that takes no jobs for now


def test_that_a_closed_queue_is_tried_with_growing_pauses_and_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.queue.closed = 'Required partition not available (inactive or drain)'
    desk.start(3)
    times: list[float] = []
    for _ in range(1500):
        before = len(submitted(desk))
        desk.step()
        times += [desk.clock.now] * (len(submitted(desk)) - before)
    pauses = [round(later - earlier, -1) for earlier, later in pairwise(times)]
    assert pauses == [30, 60, 120, 240, 300, 300, 300]
    assert [record.message for record in caplog.records] == [
        'the queue accepts no jobs for now, it is tried again: Required partition not available (inactive or drain)'
    ]
    assert desk.backend.open_slots(desk.clock.now).waiting.endswith(desk.queue.closed)
    assert desk.backend.queue_lines()[0].reason == desk.queue.closed
    desk.queue.closed = ''
    desk.until(lambda: desk.queue.live() == 3)
    assert not desk.ended


def test_that_attempts_are_given_back_if_the_queue_is_closed_and_nothing_is_held(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(holds=False)
    desk.queue.closed = 'Queue has been closed'
    desk.start(2)
    desk.step(times=5)
    assert [(status.cause, status.detail) for status in desk.ended.values()] == [('start', desk.queue.closed)] * 2
    assert desk.backend.is_settled()


# What the queue does not know any more


def vanished(desk: Desk, *, started: bool) -> str:
    """An attempt whose job the queue does not know any more, after the grace time."""
    (ident,) = desk.start(1)
    desk.step(times=3)
    if started:
        desk.begin_all()
    desk.step(times=31)
    desk.queue.remove('1')
    del desk.queue.jobs['1']
    desk.step(times=int(ABSENT_AFTER))
    assert not desk.ended
    desk.step(times=90)
    return ident


def test_that_a_run_whose_job_vanished_before_it_began_is_lost_after_its_job_was_cancelled(desk: Desk) -> None:
    ident = vanished(desk, started=False)
    status = desk.ended[ident]
    assert (status.kind, status.code, status.cause) == (JobState.ENDED, None, '')
    assert status.detail == 'its job vanished from the queue before it began'
    (cancelled,) = desk.queue.called('cancel')
    assert cancelled[:2] == ('cancel', '1')
    asked = [at for at, call in enumerate(desk.queue.calls) if call == ('job', '1')]
    assert asked[-1] > desk.queue.calls.index(cancelled), 'that it is gone is confirmed after it was cancelled'
    assert read_fence(desk.paths(1)).is_closed


def test_that_a_run_that_began_in_a_job_that_vanished_is_unknown(desk: Desk) -> None:
    ident = vanished(desk, started=True)
    desk.step(30.0, times=100)
    status = desk.told[ident]
    assert (status.kind, ident in desk.ended) == (JobState.UNKNOWN, False)
    assert status.detail == 'the queue does not know its job any more; it may still run on n1'


def test_that_it_is_found_when_its_job_is_listed_again(desk: Desk) -> None:
    ident = vanished(desk, started=True)
    desk.queue.jobs['1'] = Made(desk.queue.asked(desk.names[0]), 0, {1: JobRecord('1', 1, 'x', JobState.RUNNING)})
    desk.step(times=31)
    assert desk.told[ident].kind is JobState.RUNNING


def test_that_its_record_ends_it_though_the_queue_does_not_know_it(desk: Desk) -> None:
    ident = vanished(desk, started=True)
    desk.leave_record(1, 0)
    desk.step(times=31)
    assert (desk.ended[ident].code, desk.ended[ident].cause) == (0, '')


def test_that_the_accounting_ends_what_the_queue_has_lost_sight_of(desk: Desk) -> None:
    ident = vanished(desk, started=True)
    desk.queue.accounts.append(JobRecord('1', 1, '', JobState.ENDED, 'node_fail'))
    desk.step(times=120)
    assert desk.ended[ident].cause == 'node_fail'


@pytest.mark.parametrize(('past', 'is_over'), [(3600 + LIMIT_GRACE - 300, False), (3600 + LIMIT_GRACE + 300, True)])
def test_that_it_is_lost_once_its_time_limit_has_passed(desk: Desk, past: float, is_over: bool) -> None:
    ident = vanished(desk, started=True)
    began = os.stat(desk.paths(1).started).st_mtime - past
    os.utime(desk.paths(1).started, (began, began))
    desk.step(times=120)
    assert (ident in desk.ended) == is_over
    if is_over:
        assert (desk.ended[ident].code, desk.ended[ident].cause) == (None, '')


@pytest.mark.parametrize(('host', 'cause'), [('n1', 'host_dead'), ('n2', '')])
def test_that_it_ends_with_a_host_that_the_user_says_is_dead(
    make_desk: Callable[..., Desk], host: str, cause: str
) -> None:
    desk = make_desk(declared_dead=(host,))
    ident = vanished(desk, started=True)
    desk.step(times=90)
    assert [status.cause for status in desk.ended.values()] == ([cause] if cause else [])
    assert (ident in desk.ended) == bool(cause)


def test_that_an_array_that_listings_hide_is_neither_lost_nor_submitted_again(desk: Desk) -> None:
    desk.start(3)
    desk.step(times=3)
    desk.queue.hidden.add('1')
    desk.begin_all()
    desk.step(30.0, times=100)
    assert not desk.ended
    assert {status.kind for status in desk.told.values()} == {JobState.RUNNING}
    assert len(submitted(desk)) == 1


def test_that_a_job_with_another_name_is_followed_to_its_end(desk: Desk) -> None:
    (ident,) = desk.start(1)
    desk.step(times=3)
    desk.queue.change('1', 1, name='renamed')
    desk.step(30.0, times=20)
    assert desk.told[ident].kind is JobState.PENDING
    desk.backend.cancel([ident], force=False)
    desk.step(times=60)
    assert (desk.queue.live(), set(desk.ended)) == (0, {ident})


def test_that_what_was_cancelled_has_not_ended_while_the_queue_knows_it(desk: Desk) -> None:
    (ident,) = desk.start(1)
    desk.step(times=33)
    desk.queue.ignores.add('cancel')
    desk.queue.hidden.add('1')
    desk.backend.cancel([ident], force=False)
    desk.step(30.0, times=20)
    assert not desk.ended
    del desk.queue.jobs['1']
    desk.step(30.0, times=20)
    assert desk.ended[ident].cause == 'abandoned'


def test_that_an_element_cancelled_while_nobody_watched_is_cancelled(desk: Desk) -> None:
    job = desk.queue.put(JobSpec('old', 3, 2, '/log'))
    desk.queue.remove(job, 2)
    idents = adopted(desk, 3, job=job, at=desk.clock.wall() - 100)
    desk.step(times=150)
    assert {ident: status.cause for ident, status in desk.ended.items()} == {idents[1]: 'cancelled'}


def test_that_the_second_job_of_an_attempt_is_watched_if_it_is_the_one_that_began(desk: Desk) -> None:
    (ident,) = desk.start(1)
    desk.step(times=3)
    other = desk.queue.put(JobSpec('renamed', 1, 0, '/log'))
    desk.queue.change(other, 1, kind=JobState.RUNNING, where='n2')
    desk.pass_fence(1, other)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=75)
    desk.step(30.0, times=20)
    assert (desk.told[ident].kind, desk.told[ident].detail) == (JobState.RUNNING, 'on n2')


# What is left in the queue


def ended_run(desk: Desk) -> str:
    """An attempt that has ended in the journals, without a record; its job is pending again."""
    (ident,) = desk.start(1)
    desk.step(times=3)
    desk.state.fold(WRITER, {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.state.fold(WRITER, {'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'lost'})
    desk.backend.forget(ident, desk.clock.now)
    return ident


def is_clear(desk: Desk) -> bool:
    desk.step()
    return desk.backend.is_clear(desk.clock.now)


def test_that_a_job_that_nothing_needs_is_cancelled_before_the_search_is_over(desk: Desk) -> None:
    ended_run(desk)
    assert not is_clear(desk)
    desk.until(lambda: is_clear(desk))
    assert (desk.queue.live(), desk.backend.leftovers) == (0, '')


def test_that_a_job_that_nothing_needs_may_end_by_itself(desk: Desk) -> None:
    ended_run(desk)
    desk.queue.change('1', 1, kind=JobState.RUNNING)
    for _ in range(10):
        assert not is_clear(desk)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=75)
    desk.until(lambda: is_clear(desk))
    assert not desk.queue.called('cancel')


def test_that_a_job_that_nothing_needs_and_that_goes_on_is_cancelled(desk: Desk) -> None:
    ended_run(desk)
    desk.queue.change('1', 1, kind=JobState.RUNNING)
    desk.until(lambda: is_clear(desk))
    assert desk.queue.called('cancel') == [('cancel', '1', 'part', 'term', '1')]


def test_that_a_job_that_cannot_be_cancelled_is_named_in_the_end(desk: Desk) -> None:
    ended_run(desk)
    desk.queue.ignores.add('cancel')
    desk.until(lambda: is_clear(desk))
    assert desk.backend.leftovers == '1 job of this search is still in the queue: 1_1'


def test_that_a_queue_that_cannot_be_asked_in_the_end_is_no_empty_one(desk: Desk) -> None:
    ended_run(desk)
    desk.queue.is_away = True
    desk.until(lambda: is_clear(desk))
    assert desk.backend.leftovers == 'the queue cannot be asked whether it still has jobs of this search'


@pytest.mark.parametrize('end', [{'state': 'finished', 'code': 0}, {'state': 'interrupted', 'cause': 'node_fail'}])
def test_that_the_queue_is_not_asked_where_every_end_was_reported(desk: Desk, end: dict[str, Any]) -> None:
    (ident,) = desk.start(1)
    desk.step(times=3)
    desk.state.fold(WRITER, {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.state.fold(WRITER, {'event': 'ended', 'run': 'sim_1', 'attempt': 1, **end})
    desk.backend.forget(ident, desk.clock.now)
    asked = len(desk.queue.called('list'))
    assert is_clear(desk)
    assert len(desk.queue.called('list')) == asked


def test_that_jobs_of_runs_under_way_and_of_others_are_not_cancelled(desk: Desk) -> None:
    desk.start(1)
    desk.step(times=3)
    desk.state.fold(WRITER, {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.queue.put(JobSpec('foreign', 1, 0, '/log'))
    desk.until(lambda: is_clear(desk))
    desk.step(30.0, times=10)
    assert not desk.queue.called('cancel')


def test_that_a_job_we_look_after_is_not_cancelled_because_another_writer_calls_it_lost(desk: Desk) -> None:
    desk.start(1)
    desk.step(times=3)
    desk.state.fold(WRITER, {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.state.fold('other', {'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'lost'})
    desk.begin_all()
    desk.step(30.0, times=10)
    assert not desk.queue.called('cancel')


def test_that_a_job_of_another_name_with_an_id_that_was_used_again_is_not_cancelled(desk: Desk) -> None:
    ended_run(desk)
    later = desk.clock.wall() + 3 * 86400
    desk.queue.change('1', 1, name='foreign', kind=JobState.RUNNING, submitted=later)
    desk.until(lambda: is_clear(desk))
    assert not desk.queue.called('cancel')


def test_that_a_record_that_cannot_be_read_ends_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    desk.leave_record(1, 0)
    desk.hint(desk.names[0], 1)

    def stale(paths: Any, **options: Any) -> int:
        raise OSError('stale file handle')

    with monkeypatch.context() as patch:
        patch.setattr('hpsearch.store.evidence.exit_code', stale)
        desk.step(times=3)
    assert not desk.ended
    desk.step()
    assert desk.ended[ident].code == 0


@pytest.mark.parametrize('fence', ['other:closed\n', 'other:sim_1:1 77 5 0 n1\n'], ids=['fenced', 'started'])
def test_that_an_attempt_somebody_else_fenced_or_started_is_not_ours(desk: Desk, fence: str) -> None:
    (ident,) = started(desk)
    Path(desk.paths(1).started).write_text(fence)
    desk.queue.change('1', 1, kind=JobState.ENDED, code=75)
    desk.step(times=31)
    assert desk.ended[ident].cause == 'fenced'


def test_that_an_end_that_nobody_explains_is_terminated(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.step(times=31)
    desk.leave_record(1, 143, 'TERM')
    desk.hint(desk.names[0], 1)
    desk.step(times=int(CAUSE_GRACE) - 5)
    assert not desk.ended
    desk.step(times=10)
    assert desk.ended[ident].cause == 'terminated'


# Cancelling


def test_that_what_waits_ends_at_once(desk: Desk) -> None:
    desk.runner.is_slow = True
    idents = desk.start(3)
    desk.backend.cancel(idents[:2], force=False)
    desk.step()
    assert {ident: status.cause for ident, status in desk.ended.items()} == dict.fromkeys(idents[:2], 'abandoned')
    desk.runner.is_slow = False
    desk.step(times=3)
    assert submitted(desk) == [('1', '1')]


def test_that_what_is_being_submitted_is_cancelled_as_soon_as_it_is_known(desk: Desk) -> None:
    idents = desk.start(3)
    desk.step(times=1)
    desk.runner.is_slow = True
    desk.step()
    assert desk.runner.pending
    desk.backend.cancel(idents, force=False)
    desk.runner.is_slow = False
    desk.step(times=2)
    assert desk.queue.live() == 0
    desk.step(times=10)
    assert set(desk.ended) == set(idents)


def test_that_what_was_cancelled_while_it_was_refused_is_not_submitted_again(desk: Desk) -> None:
    desk.queue.limit = 0
    idents = desk.start(3)
    desk.step(times=1)
    desk.runner.is_slow = True
    desk.step()
    desk.backend.cancel(idents, force=False)
    desk.runner.is_slow = False
    desk.queue.limit = 0
    desk.step(times=1)
    desk.queue.limit = None
    desk.step(times=300)
    assert {status.cause for status in desk.ended.values()} == {'abandoned'}
    assert desk.queue.live() == 0


def test_that_what_was_cancelled_while_its_answer_was_lost_is_not_sent_again(desk: Desk) -> None:
    desk.queue.deaf = 1
    idents = desk.start(3)
    desk.step(times=3)
    desk.backend.cancel(idents, force=False)
    desk.step(times=300)
    assert len(submitted(desk)) == 1
    assert {status.cause for status in desk.ended.values()} == {'abandoned'}
    assert desk.backend.is_settled()


def test_that_a_job_whose_answer_was_lost_is_cancelled_when_it_is_found(desk: Desk) -> None:
    desk.queue.loses = 1
    idents = desk.start(3)
    desk.step(times=3)
    desk.backend.cancel(idents, force=False)
    desk.step(times=100)
    assert desk.queue.live() == 0
    assert set(desk.ended) == set(idents)


def test_that_what_waits_in_the_queue_has_ended_soon_after_it_was_cancelled(desk: Desk) -> None:
    idents = started(desk, 3)
    desk.step(times=31)
    desk.backend.cancel(idents, force=False)
    desk.step(times=2)
    desk.queue.remove('1')  # as the queue forgets what was cancelled before it began
    desk.step(times=8)
    assert {status.cause for status in desk.ended.values()} == {'abandoned'}
    assert all(read_fence(desk.paths(at)).is_closed for at in (1, 2, 3))


def test_that_only_the_named_elements_are_cancelled(desk: Desk) -> None:
    idents = started(desk, 4)
    desk.backend.cancel(idents[1:3], force=True)
    desk.step(times=2)
    assert desk.queue.called('cancel') == [('cancel', '1', 'part', 'kill', '2', '3')]


def test_that_an_element_is_given_time_to_end_although_another_of_its_array_was_killed(desk: Desk) -> None:
    idents = started(desk, 4)
    desk.backend.cancel(idents[1:2], force=True)
    desk.step(times=2)
    desk.backend.cancel(idents[2:3], force=False)
    desk.step(times=2)
    assert desk.queue.called('cancel') == [('cancel', '1', 'part', 'kill', '2'), ('cancel', '1', 'part', 'term', '3')]


def test_that_all_that_is_left_of_our_own_array_is_cancelled_as_a_whole(desk: Desk) -> None:
    idents = started(desk, 4)
    desk.begin_all()
    desk.finish(1)
    desk.step(times=3)
    desk.backend.cancel(idents, force=False)
    desk.step(times=2)
    assert desk.queue.called('cancel')[0][2] == 'whole'


def test_that_elements_somebody_else_looks_after_are_not_cancelled(desk: Desk) -> None:
    idents = started(desk, 4)
    desk.backend.forget(idents[0], desk.clock.now)
    desk.backend.cancel(idents, force=False)
    desk.step(times=2)
    assert desk.queue.called('cancel') == [('cancel', '1', 'part', 'term', '2', '3', '4')]


def test_that_a_cancellation_that_failed_is_repeated(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, 'hpsearch')
    idents = started(desk, 2)
    desk.queue.rejects.add('cancel')
    desk.backend.cancel(idents, force=False)
    desk.step(times=20)
    assert 2 <= len(desk.queue.called('cancel')) <= 8
    assert '2 jobs could not be cancelled yet: cancel failed' in caplog.text
    desk.queue.rejects.clear()
    desk.step(times=80)
    assert desk.queue.live() == 0
    assert set(desk.ended) == set(idents)


def test_that_a_cancellation_is_not_repeated_when_it_was_accepted(desk: Desk) -> None:
    idents = started(desk, 2)
    desk.begin_all()
    desk.queue.ignores.add('cancel')
    desk.backend.cancel(idents, force=False)
    desk.step(times=100)
    assert len(desk.queue.called('cancel')) == 1


def test_that_foreign_jobs_are_never_cancelled(desk: Desk) -> None:
    foreign = desk.queue.put(JobSpec('foreign', 3, 0, '/log'))
    idents = started(desk, 2)
    desk.backend.cancel(idents, force=True)
    desk.step(times=50)
    assert desk.queue.jobs[foreign].count(JobState.PENDING) == 3
    assert all(words[1] != foreign for words in desk.queue.called('cancel'))


def test_that_cancelling_what_is_not_held_does_nothing(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.finish()
    desk.step(times=3)
    desk.backend.cancel([ident, 'never:was:1'], force=True)
    desk.step(times=3)
    assert not desk.queue.called('cancel')


# Attempts of earlier writers


def adopted(desk: Desk, size: int, **handle: Any) -> list[str]:
    """Attempts another writer submitted as ``old``, which are adopted."""
    launches = desk.launches(size)
    for index, launch in enumerate(launches, start=1):
        one = {'queue': 'slurm', 'submission': 'old', 'index': index, **handle}
        assert desk.backend.can_adopt(one)
        desk.backend.adopt(launch, one, 100.0, desk.clock.now)
    return [launch.ident for launch in launches]


def test_that_attempts_of_a_known_job_are_watched(desk: Desk) -> None:
    job = desk.queue.put(JobSpec('old', 3, 2, '/log'))
    idents = adopted(desk, 3, job=job, throttle=2, at=desk.clock.wall() - 100)
    desk.pass_fence(2, job)
    desk.queue.change(job, 2, kind=JobState.RUNNING, where='n4')
    desk.step(times=2)
    assert [desk.told[ident].kind for ident in idents] == [JobState.PENDING, JobState.RUNNING, JobState.PENDING]


def test_that_an_end_in_the_meantime_is_found_without_the_queue(desk: Desk) -> None:
    desk.queue.is_away = True
    idents = adopted(desk, 2, job='9')
    desk.pass_fence(1, '9')
    desk.leave_record(1, 0)
    desk.step()
    assert set(desk.ended) == {idents[0]}


def test_that_the_id_may_come_from_the_submissions_that_are_known(desk: Desk) -> None:
    job = desk.queue.put(JobSpec('old', 1, 1, '/log'))
    desk.poller, desk.backend = desk.reopened({'old': job})
    (ident,) = adopted(desk, 1)
    desk.backend.cancel([ident], force=False)
    desk.step(times=3)
    assert desk.queue.live() == 0


def test_that_a_job_without_a_known_id_is_found_by_its_name(desk: Desk) -> None:
    desk.queue.put(JobSpec('other', 1, 1, '/log'))
    job = desk.queue.put(JobSpec('old', 2, 2, '/log'))
    idents = adopted(desk, 2)
    desk.step(times=5)
    assert desk.events == [{'event': 'accepted', 'submission': 'old', 'job': job, 'at': desk.events[0]['at']}]
    desk.backend.cancel(idents[:1], force=False)
    desk.step(times=5)
    assert desk.queue.called('cancel') == [('cancel', job, 'part', 'term', '1')]


@pytest.mark.parametrize('state', [JobState.PENDING, JobState.RUNNING])
def test_that_a_job_that_cannot_find_the_folder_any_more_is_withdrawn_and_does_not_count(
    desk: Desk, state: JobState
) -> None:
    job = desk.queue.put(JobSpec('old', 2, 2, '/log'))
    desk.queue.change(job, 1, kind=state)
    idents = adopted(desk, 2, job=job, place='/no/such/place')
    desk.step(times=20)
    assert {ident: status.cause for ident, status in desk.ended.items()} == dict.fromkeys(idents, 'abandoned')
    assert desk.queue.live() == 0
    assert all(read_fence(desk.folder.attempt(f'sim_{number}', 1)).is_closed for number in (1, 2))


def test_that_a_submission_that_never_arrived_is_absent_and_not_sent_by_its_heir(desk: Desk) -> None:
    idents = adopted(desk, 2)
    desk.step(times=int(ABSENT_AFTER) + 60)
    assert {ident: status.cause for ident, status in desk.ended.items()} == dict.fromkeys(idents, 'abandoned')
    assert not desk.queue.called('submit')


def test_that_the_id_may_come_from_a_fence_so_that_the_accounting_can_be_asked(desk: Desk) -> None:
    (ident,) = adopted(desk, 1)
    desk.pass_fence(1, '33')
    desk.queue.accounts.append(JobRecord('33', 1, 'old', JobState.ENDED, 'node_fail'))
    desk.step(times=200)
    assert desk.ended[ident].cause == 'node_fail'


def test_that_only_part_of_an_adopted_job_is_ever_cancelled(desk: Desk) -> None:
    job = desk.queue.put(JobSpec('old', 3, 3, '/log'))
    idents = adopted(desk, 2, job=job)
    desk.backend.cancel(idents, force=False)
    desk.step(times=3)
    assert desk.queue.called('cancel') == [('cancel', job, 'part', 'term', '1', '2')]
    assert desk.queue.live() == 1


def test_that_handles_of_other_places_are_not_adopted(desk: Desk) -> None:
    assert not desk.backend.can_adopt({'queue': 'lsf', 'submission': 'x', 'index': 1})
    assert not desk.backend.can_adopt({'pid': 7})
    assert not desk.backend.can_adopt({})


def test_that_what_is_forgotten_is_told_no_more(desk: Desk) -> None:
    idents = started(desk, 2)
    for ident in idents:
        desk.backend.forget(ident, desk.clock.now)
    desk.backend.forget('never:was:1', desk.clock.now)
    assert desk.step() == {}
    desk.queue.calls.clear()
    desk.step(times=100)
    assert not desk.queue.calls


def test_that_what_is_forgotten_while_it_is_submitted_changes_nothing(desk: Desk) -> None:
    for refusal in ('', 'limit', 'wrong'):
        idents = desk.start(2, first=len(desk.events) * 10 + 1)
        desk.step()
        desk.runner.is_slow = True
        desk.step()
        for ident in idents:
            desk.backend.forget(ident, desk.clock.now)
        desk.queue.limit, desk.queue.wrong = (0 if refusal == 'limit' else None), refusal * (refusal == 'wrong')
        desk.runner.is_slow = False
        assert desk.step(times=5) == {}


# What is shown


def test_that_jobs_are_shown_by_state_and_reason(desk: Desk) -> None:
    started(desk, 4)
    desk.queue.change('1', 1, kind=JobState.RUNNING, where='n1')
    desk.queue.change('1', 2, reason='PartitionTimeLimit', is_stuck=True)
    desk.step(times=31)
    lines = {(line.state, line.reason, line.count, line.example, line.is_stuck) for line in desk.backend.queue_lines()}
    assert lines == {
        ('running', '', 1, 'sim_1', False),
        ('pending', 'PartitionTimeLimit', 1, 'sim_2', True),
        ('pending', 'Priority', 2, 'sim_3', False),
    }


def test_that_it_is_settled_when_the_queue_has_everything(desk: Desk) -> None:
    assert desk.backend.is_settled()
    desk.start(2)
    assert not desk.backend.is_settled()
    desk.until(desk.backend.is_settled)
    assert desk.queue.live() == 2


# Ten thousand of them


class CountingPoller:
    """Counts the jobs of which a poller is asked.

    Attributes:
        jobs: How many were asked for.
    """

    def __init__(self, poller: JobPoller, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs = 0
        for name in ('state_of', 'record_of'):
            monkeypatch.setattr(poller, name, partial(self._count, getattr(poller, name)))

    def _count(self, ask: Callable[[JobKey], Any], key: JobKey) -> Any:
        self.jobs += 1
        return ask(key)


def test_that_of_ten_thousand_attempts_only_those_with_news_are_looked_at(
    desk: Desk, folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('tests.fakes.scripted_queue.claim', lambda *_: True)
    started(desk, 10_000)
    desk.begin_all_without_files()
    desk.step(times=31)
    opened: list[str] = []
    monkeypatch.setattr('hpsearch.store.evidence.exit_code', lambda paths, **options: opened.append(paths.folder))
    desk.step(times=31)
    assert 25 <= len(opened) <= 25 * 3, 'only what runs is looked for on disk'
    desk.backend.queue_lines()
    opened.clear()
    asked = CountingPoller(desk.poller, monkeypatch)
    commands = len(desk.queue.calls)
    for _ in range(20):
        desk.clock.now += 0.01
        desk.backend.states(desk.clock.now)
        desk.backend.queue_lines()
        desk.backend.open_slots(desk.clock.now)
    assert (opened, asked.jobs, len(desk.queue.calls) - commands) == ([], 0, 0), 'without news nothing is looked at'
    desk.hint(desk.names[0], 1)
    desk.step()
    assert len(opened) == 1
    assert asked.jobs <= 5, 'only the attempt that gave a hint is looked at'


# Nodes


def test_that_the_node_of_an_attempt_is_told_while_it_runs_and_at_its_end(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.begin_all()
    desk.queue.change('1', 1, where='n3')
    desk.until(lambda: desk.told[ident].kind is JobState.RUNNING)
    assert desk.told[ident].node == 'n3'
    desk.finish()
    desk.until(lambda: ident in desk.ended)
    assert desk.ended[ident].node == 'n1', 'as its start fence says'


def test_that_an_attempt_that_did_not_begin_ended_on_the_node_of_its_job(desk: Desk) -> None:
    (ident,) = started(desk)
    desk.queue.begin()
    desk.queue.change('1', 1, kind=JobState.ENDED, where='n3', reason='FAILED')
    desk.until(lambda: ident in desk.ended)
    assert (desk.ended[ident].node, desk.ended[ident].seconds) == ('n3', 0.0)


def avoiding(desk: Desk, *nodes: str) -> set[str]:
    """The nodes that are avoided in the end."""
    for _ in range(5):
        found = desk.backend.avoid(frozenset(nodes), desk.clock.now)
        desk.step()
    return set(found.nodes)


def test_that_pending_and_later_jobs_avoid_a_node_that_others_can_replace(desk: Desk) -> None:
    started(desk, 40)
    assert avoiding(desk, 'n3') == {'n3'}
    assert desk.queue.called('trial') == [('trial', 'n3')]
    assert desk.queue.avoided == {'1': ('n3',)}
    started(desk, 1, first=41, resources=ResourceRequest(memory=2000))
    assert desk.queue.jobs['2'].job.avoided == ('n3',)
    assert avoiding(desk, 'n3', 'n4') == {'n3', 'n4'}
    assert desk.queue.avoided == {'1': ('n3', 'n4'), '2': ('n3', 'n4')}
    calls = len(desk.queue.calls)
    assert avoiding(desk, 'n3', 'n4') == {'n3', 'n4'}
    assert desk.queue.called('avoid')[-1] in desk.queue.calls[:calls], 'it is asked for once'
    assert avoiding(desk) == set()
    assert desk.queue.avoided == {'1': (), '2': ()}


def test_that_the_only_node_is_not_avoided(desk: Desk) -> None:
    desk.queue.nodes = ['n3']
    started(desk, 4)
    assert avoiding(desk, 'n3') == set()
    assert desk.backend.avoid(frozenset({'n3'}), desk.clock.now).indispensable == {'n3'}
    assert len(desk.queue.called('trial')) == 1
    assert not desk.queue.avoided


def test_that_a_node_is_not_avoided_before_the_queue_has_answered_and_is_asked_about_again(desk: Desk) -> None:
    desk.queue.rejects.add('trial')
    started(desk, 4)
    assert avoiding(desk, 'n3') == set()
    assert not desk.backend.avoid(frozenset({'n3'}), desk.clock.now).indispensable
    desk.queue.rejects.clear()
    desk.step(RETRY + 1)
    assert avoiding(desk, 'n3') == {'n3'}


def test_that_a_job_that_could_not_be_kept_away_is_tried_again(desk: Desk) -> None:
    desk.queue.rejects.add('avoid')
    started(desk, 4)
    avoiding(desk, 'n3')
    assert len(desk.queue.called('avoid')) == 1
    desk.queue.rejects.clear()
    desk.step(RETRY + 1)
    desk.step()
    assert desk.queue.avoided == {'1': ('n3',)}
