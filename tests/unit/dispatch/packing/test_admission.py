"""Runs that are placed by what they are expected to need are claimed, and run out of memory, in stepped time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.packing.candidates import MOST_CANDIDATES, MOST_CHOSEN, Candidates
from hpsearch.dispatch.packing.predictions import Predictions
from hpsearch.model.resources import DEFAULT_RESOURCES
from hpsearch.packing.box import UNDECIDED
from hpsearch.store.attempt_files import claim
from tests.fakes.packing_backend import PackingBackend
from tests.support.dispatching import Desk, GrowingRuns, run


def work(desk: Desk, needs: Mapping[str, int], **more: Any) -> PackingBackend:
    backend = PackingBackend(desk.clock, desk.folder, needs, **more)
    desk.dispatcher(backend).run()
    return backend


def ends(desk: Desk) -> list[tuple[str, int, str, str]]:
    return [(each['run'], each['attempt'], each['state'], each['cause']) for each in desk.events('ended')]


def test_that_what_a_run_was_expected_to_need_is_journaled_with_its_claim(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    work(desk, dict.fromkeys(('sim_1', 'sim_2', 'sim_3'), 5000))
    claims = {event['run']: event.get('estimate', {}) for event in desk.events('claimed')}
    assert 'memory' not in claims['sim_1']
    assert claims['sim_2']['memory'][0] >= 5000
    attempt = desk.state.attempt_of('sim_2', 1)
    assert attempt is not None and attempt.estimate.memory is not None


def test_that_what_a_run_is_expected_to_need_is_said_when_it_is_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, 'hpsearch')
    desk = Desk(tmp_path, 2)
    work(desk, dict.fromkeys(('sim_1', 'sim_2'), 5000))
    first, second = [line for line in caplog.messages if ' started on GPU 0' in line]
    assert first == 'sim_1 started on GPU 0'
    assert second.startswith('sim_2 started on GPU 0, expected to need ') and ' MiB (' in second


def test_that_a_run_that_ran_out_of_memory_beside_others_is_expected_to_need_more_and_shares_a_gpu_again(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, 4)
    backend = work(desk, {'sim_1': 5000, 'sim_2': 5000, 'sim_3': 21000, 'sim_4': 5000})
    assert ('sim_3', 1, 'interrupted', 'gpu_oom') in ends(desk)
    assert ('sim_3', 2, 'finished', 'exit') in ends(desk)
    again = desk.events('claimed')[-1]
    assert (again['run'], again['attempt'], again.get('exclusive', False)) == ('sim_3', 2, False)
    assert again['estimate']['memory'][1] > 14000 > desk.events('claimed')[2]['estimate']['memory'][1]
    assert len(backend.offered) < 20


def test_that_a_run_that_runs_out_of_memory_again_beside_others_gets_a_gpu_of_its_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    claimed = {'event': 'claimed', 'run': 'sim_1'}
    for number in (1, 2):
        desk.recorder.hear('other', {**claimed, 'attempt': number})
        facts = {'state': 'interrupted', 'cause': 'gpu_oom', 'facts': {'had': 3000}}
        desk.recorder.hear('other', {'event': 'ended', 'run': 'sim_1', 'attempt': number, **facts})
    backend = work(desk, {'sim_1': 5000, 'sim_2': 5000})
    (offered,) = (each for each in backend.offered[0] if each.run == 'sim_1')
    assert offered.resources.alone
    assert ('sim_1', 3, 'finished', 'exit') in ends(desk)


def test_that_a_run_for_which_an_empty_card_is_too_small_fails_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    work(desk, {'sim_1': 90000, 'sim_2': 5000})
    assert [each for each in ends(desk) if each[0] == 'sim_1'] == [('sim_1', 1, 'failed', 'gpu_oom')]
    (end,) = (each for each in desk.events('ended') if each['run'] == 'sim_1')
    assert end['reason'] == 'out of GPU memory, alone on the largest GPU'


def test_that_a_run_that_was_alone_on_the_largest_card_of_another_machine_fails_where_none_is_larger(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, 2)
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    facts = {'was_alone': True, 'gpu_total': 24000}
    end = {'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'interrupted', 'cause': 'gpu_oom', 'facts': facts}
    desk.recorder.hear('other', end)
    work(desk, {'sim_1': 30000, 'sim_2': 5000})
    assert ('sim_1', 2, 'failed', 'impossible') in ends(desk)


def test_that_a_run_that_another_writer_claims_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    assert claim(desk.folder, 'sim_1', 1, 'other')
    desk.recorder.hear('other', {'event': 'ended', 'run': 'sim_1', 'attempt': 1, 'state': 'finished'})
    backend = work(desk, dict.fromkeys(('sim_1', 'sim_2', 'sim_3'), 5000))
    assert sorted(backend.started) == ['sim_2', 'sim_3']


def test_that_a_run_that_cannot_be_claimed_waits_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, 2)
    append = desk.journal.append_now
    refused: list[str] = []

    def append_now(event: Mapping[str, Any]) -> bool:
        if event['event'] == 'claimed' and not refused:
            refused.append(event['run'])
            return False
        return append(event)

    monkeypatch.setattr(desk.journal, 'append_now', append_now)
    backend = work(desk, dict.fromkeys(('sim_1', 'sim_2'), 5000))
    assert refused and sorted(backend.started) == ['sim_1', 'sim_2']


def test_that_of_a_long_plan_only_the_first_runs_are_candidates(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MOST_CANDIDATES + 5)
    desk.pending.packs = True
    assert len(desk.pending.waiting_runs(MOST_CANDIDATES)) == MOST_CANDIDATES


class Chooser(GrowingRuns):
    """A sampler that chooses a run whenever it is asked, up to a number of them."""

    def __init__(self, count: int) -> None:
        super().__init__(*map(run, range(1, count + 1)))

    def next(self) -> Any:
        given = super().next()
        self.is_exhausted = not self.ready
        self.is_ready = bool(self.ready)
        return given


def chosen_by_a_sampler(path: Path, count: int) -> tuple[Desk, Chooser]:
    source = Chooser(count)
    source.is_ready = True
    return Desk(path, source), source


def test_that_a_sampler_is_asked_only_when_there_is_room_for_a_typical_run(tmp_path: Path) -> None:
    desk, source = chosen_by_a_sampler(tmp_path, 5)
    desk.folder.runs_jsonl.write_text('')
    backend = PackingBackend(desk.clock, desk.folder, {f'sim_{number}': 5000 for number in range(1, 6)})
    waited = backend.wait

    def wait(timeout: float) -> None:
        assert len(desk.state.runs) == source.asked, 'what was chosen is started'
        waited(timeout)

    backend.wait = wait  # type: ignore[method-assign]
    desk.dispatcher(backend).run()
    assert sorted(backend.started) == [f'sim_{number}' for number in range(1, 6)]
    typical = [each for offer in backend.offered for each in offer if each.run == UNDECIDED]
    assert typical[0].estimate.memory is None and typical[-1].estimate.memory is not None
    assert all(each.resources == DEFAULT_RESOURCES for each in typical)


def test_that_a_run_that_was_chosen_and_finds_no_room_waits_and_keeps_the_sampler_from_choosing_many(
    tmp_path: Path,
) -> None:
    desk, source = chosen_by_a_sampler(tmp_path, 100)
    desk.pending.packs = True
    candidates = Candidates(desk.pending, Predictions(desk.state, {}))
    while any(each.run == UNDECIDED for each in candidates.now()):
        assert desk.pending.choose()
    assert source.asked == len(candidates.now()) == MOST_CHOSEN
    assert desk.pending.take_named('sim_3') == run(3)
    assert desk.pending.take_named('sim_3') is None
    assert candidates.now()[-1].run == UNDECIDED
