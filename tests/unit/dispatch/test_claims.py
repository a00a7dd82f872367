"""Claims: of all who work on a search, one gets each run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.admission import PATIENCE, Claimed
from hpsearch.dispatch.context import WorkOptions
from hpsearch.model.resources import ResourceRequest, Slot
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.states import State
from hpsearch.store.attempt_files import claim, claimant
from tests.support.dispatching import CONFIGURATION, Desk, run

SLOTS = (Slot(), Slot())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def names(claimed: Claimed) -> list[str]:
    return [f'{launch.run.name}/{launch.number}' for launch in claimed]


def taken(claimed: Claimed) -> Claimed:
    """Claims, all of which are taken, as a backend does."""
    for launch in claimed:
        assert launch.ident
    return claimed


def claimer(desk: Desk, number: int, attempt: int = 1) -> str:
    return claimant(desk.folder.attempt(f'sim_{number}', attempt))


def end(desk: Desk, number: int, state: str = 'interrupted', attempt: int = 1, **facts: Any) -> None:
    """An attempt of another writer has ended."""
    for kind, more in (('claimed', {}), ('ended', {'state': state, **facts})):
        desk.recorder.hear('other', {'event': kind, 'run': f'sim_{number}', 'attempt': attempt, **more})


def test_that_each_slot_gets_a_run_and_the_claims_are_journaled(desk: Desk) -> None:
    claimed = taken(desk.claims.claim((Slot(('0',), '0'), Slot(('1',), '1'))))
    assert names(claimed) == ['sim_1/1', 'sim_2/1']
    assert claimed.problem == ''
    assert [launch.ident for launch in claimed] == ['me:sim_1:1', 'me:sim_2:1']
    assert claimer(desk, 1) == claimer(desk, 2) == 'me'
    assert [(event['run'], event['gpus']) for event in desk.events('claimed')] == [('sim_1', ['0']), ('sim_2', ['1'])]
    assert desk.state.state_of('sim_1') is State.CLAIMED


def test_that_a_run_is_only_claimed_when_it_is_taken(desk: Desk) -> None:
    claimed = desk.claims.claim(SLOTS)
    taking = iter(claimed)
    assert next(taking).run.name == 'sim_1'
    assert [event['run'] for event in desk.events('claimed')] == ['sim_1'], (
        'it can be started before the next is claimed'
    )
    assert (names(claimed), names(claimed)) == (['sim_1/1', 'sim_2/1'],) * 2, 'whoever takes them gets all of them'
    assert [event['run'] for event in desk.events('claimed')] == ['sim_1', 'sim_2']


def test_that_there_are_no_more_claims_than_runs(desk: Desk) -> None:
    assert names(desk.claims.claim(SLOTS * 3)) == ['sim_1/1', 'sim_2/1', 'sim_3/1']
    assert names(desk.claims.claim(SLOTS)) == []


def test_that_a_run_another_writer_was_faster_with_is_passed_over(desk: Desk) -> None:
    assert claim(desk.folder, 'sim_1', 1, 'other')
    assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']
    assert claimer(desk, 1) == 'other'
    assert desk.peers.are_worth_waiting_for, 'its event may still be on its way'
    assert 'sim_1' not in desk.state.runs


def test_that_the_next_attempt_has_the_next_number(desk: Desk) -> None:
    end(desk, 1, attempt=1)
    end(desk, 1, attempt=2)
    assert names(desk.claims.claim((Slot(),))) == ['sim_1/3']
    assert desk.recorder.state.started == 3


@pytest.mark.parametrize(('resumable', 'is_moved'), [(False, True), (True, False)])
def test_that_a_run_that_cannot_go_on_finds_no_folder_of_an_earlier_attempt(
    tmp_path: Path, resumable: bool, is_moved: bool
) -> None:
    desk = Desk(tmp_path, configuration=replace(CONFIGURATION, out_arg='out_dir', resumable=resumable))
    end(desk, 1)
    desk.folder.output('sim_1').mkdir(parents=True)
    taken(desk.claims.claim((Slot(),)))
    assert desk.folder.output('sim_1').exists() is not is_moved


@pytest.mark.parametrize('resumable', [False, True])
def test_that_the_journal_keeps_which_summary_was_there_before(tmp_path: Path, resumable: bool) -> None:
    configuration = replace(CONFIGURATION, summary_filename='summary.txt', resumable=resumable)
    desk = Desk(tmp_path, configuration=configuration)
    desk.folder.output('sim_1').mkdir(parents=True)
    (desk.folder.output('sim_1') / 'summary.txt').touch()
    taken(desk.claims.claim(SLOTS))
    assert ['summary_before' in event for event in desk.events('claimed')] == [True, False]


def test_that_the_journal_keeps_what_there_is_to_know_of_the_circumstances(desk: Desk) -> None:
    desk.facts = {'oom_kills': 7, 'code_id': ''}
    taken(desk.claims.claim((Slot(),)))
    (event,) = desk.events('claimed')
    assert event == {'event': 'claimed', 'run': 'sim_1', 'attempt': 1, 'gpus': [], 'at': event['at'], 'oom_kills': 7}
    assert event['at'] == desk.clock.wall()


# Records that appear late


@pytest.mark.parametrize('owner', ['me', 'other'])
def test_that_a_run_whose_record_has_appeared_is_not_started_again(desk: Desk, owner: str) -> None:
    give_up(desk, owner)
    leave_record(desk, 0)
    assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']
    (event,) = [event for event in desk.events('ended') if event['state'] == 'finished']
    assert (event['run'], event['attempt'], event['code']) == ('sim_1', 1, 0)
    assert desk.state.state_of('sim_1') is State.FINISHED


def test_that_a_run_whose_late_record_says_that_it_failed_is_not_started_again(desk: Desk) -> None:
    give_up(desk)
    leave_record(desk, 3)
    assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']
    assert desk.state.state_of('sim_1') is State.FAILED
    assert desk.pending.given_up == {'sim_1'}


def test_that_a_run_whose_late_record_says_that_it_failed_is_started_again_as_often_as_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1, WorkOptions(retry=RetryPolicy(retries=1)))
    give_up(desk)
    leave_record(desk, 3)
    assert names(desk.claims.claim(SLOTS)) == ['sim_1/2']


def test_that_a_run_whose_record_has_not_appeared_is_started_again(desk: Desk) -> None:
    give_up(desk)
    assert names(desk.claims.claim(SLOTS)) == ['sim_1/2', 'sim_2/1']


def test_that_a_run_whose_late_record_cannot_be_read_waits(desk: Desk) -> None:
    give_up(desk)
    Path(desk.folder.attempt('sim_1', 1).exit).mkdir()
    claimed = taken(desk.claims.claim(SLOTS))
    assert names(claimed) == []
    assert 'Is a directory' in claimed.problem


def give_up(desk: Desk, owner: str = 'other') -> None:
    """The first attempt of the first run was lost."""
    for event in ({'event': 'claimed'}, {'event': 'running'}, {'event': 'ended', 'state': 'lost', 'cause': 'lost'}):
        whole = {**event, 'run': 'sim_1', 'attempt': 1}
        desk.recorder.note_event(whole) if owner == 'me' else desk.recorder.hear(owner, whole)
    Path(desk.folder.attempt('sim_1', 1).folder).mkdir(parents=True)


def leave_record(desk: Desk, code: int) -> None:
    """Its record appears."""
    Path(desk.folder.attempt('sim_1', 1).exit).write_text(f'{code}\n')


# What is in the way


def no_space(*_: Any) -> bool:
    raise OSError(28, 'No space left on device')


def test_that_a_run_that_could_not_be_claimed_waits_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = claim
    monkeypatch.setattr(
        'hpsearch.store.attempt_files.claim',
        lambda folder, name, *more: no_space() if name == 'sim_2' else real(folder, name, *more),
    )
    claimed = taken(desk.claims.claim(SLOTS))
    assert names(claimed) == ['sim_1/1'], 'what was claimed before is started'
    assert claimed.problem == 'the search folder cannot be written: No space left on device'
    monkeypatch.undo()
    assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']


def test_that_nothing_is_claimed_while_the_journal_cannot_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(os, 'write', no_space)
        desk.recorder.note('draining')
        claimed = taken(desk.claims.claim(SLOTS))
    assert (names(claimed), claimed.problem) == ([], 'the journal cannot be written: No space left on device')
    assert not claimer(desk, 1)


def fail_at(event: str) -> Callable[..., int]:
    """A journal that cannot be written when it comes to an event."""
    real = os.write

    def write(handle: int, data: bytes) -> int:
        return no_space() if f'"{event}"'.encode() in data else real(handle, data)

    return write


@pytest.mark.parametrize('is_demanding', [False, True])
def test_that_a_run_whose_claim_cannot_be_journaled_is_not_started_and_waits_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, is_demanding: bool
) -> None:
    if is_demanding:
        end(desk, 1, cause='gpu_oom')
        assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']

    def claim_now() -> Claimed:
        if is_demanding:
            return taken(desk.claims.claim_demanding(desk.pending.demanding, SLOTS, ResourceRequest(alone=True)))
        return taken(desk.claims.claim(SLOTS[:1]))

    before = desk.state.started
    with monkeypatch.context() as broken:
        broken.setattr(os, 'write', fail_at('claimed'))
        claimed = claim_now()
    assert (names(claimed), claimed.problem) == ([], 'the journal cannot be written: No space left on device')
    assert desk.state.started == before, 'what is not in the journal has not happened'
    assert desk.pending
    assert names(claim_now()) == [f'sim_1/{2 if is_demanding else 1}']
    assert len([event for event in desk.events('claimed') if event['run'] == 'sim_1']) == 1


def test_that_runs_that_need_more_room_are_not_claimed_while_the_journal_cannot_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(desk, 1, cause='gpu_oom')
    assert names(desk.claims.claim(SLOTS)) == ['sim_2/1', 'sim_3/1']
    with monkeypatch.context() as broken:
        broken.setattr(os, 'write', no_space)
        desk.recorder.note('draining')
        claimed = taken(desk.claims.claim_demanding(desk.pending.demanding, SLOTS, ResourceRequest(alone=True)))
    assert (names(claimed), claimed.problem) == ([], 'the journal cannot be written: No space left on device')
    assert not claimer(desk, 1, 2)


def test_that_claiming_many_is_no_reason_to_seem_dead(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('hpsearch.store.attempt_files.claim', slowly(desk, claim))
    assert names(desk.claims.claim(SLOTS)) == ['sim_1/1']


def slowly(desk: Desk, real: Callable[..., bool]) -> Callable[..., bool]:
    def call(*args: Any) -> bool:
        desk.clock.now += PATIENCE + 1
        return real(*args)

    return call


# Runs that need more room


def test_that_runs_that_need_the_same_are_claimed_together_with_what_they_need(desk: Desk) -> None:
    for number in (1, 2):
        end(desk, number, cause='gpu_oom')
    assert names(desk.claims.claim(SLOTS)) == ['sim_3/1'], 'the others are set aside'
    alone = ResourceRequest(alone=True)
    claimed = taken(desk.claims.claim_demanding(desk.pending.demanding, (Slot(('0',)),), alone))
    assert names(claimed) == ['sim_1/2']
    assert next(iter(claimed)).resources == alone
    assert desk.events('claimed')[-1]['exclusive'] is True
    assert desk.pending.demanding == (run(2),)
