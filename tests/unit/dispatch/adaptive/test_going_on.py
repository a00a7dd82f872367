"""Runs that go on with a trial: promotions and populations, with one writer and with several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.dispatch.adaptive.checkpoints import drop_copy, going_on_from
from hpsearch.dispatch.adaptive.numbers import GAP_PATIENCE
from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.trials.distributions import Drawn, Fidelity, Uniform
from hpsearch.store.folder import SearchFolder
from tests.fakes.scripted_queue import Clock
from tests.support.adaptive import CONFIGURATION, Writer, adaptive_folder, name

ANEW = replace(CONFIGURATION, grid={'lr': Drawn(Uniform(0.0, 1.0)), 'epochs': Drawn(Fidelity(1, 9, 3))})
GOES_ON = replace(ANEW, checkpoint_arg='resume', checkpoint='last.pt')
NINE = Limits(max_trials=9)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search', GOES_ON)


def promoting(folder: SearchFolder, who: str = 'w', **keywords: Any) -> Writer:
    return Writer(folder, who, NINE, **{'configuration': GOES_ON, **keywords})


def population(folder: SearchFolder, who: str = 'w', **keywords: Any) -> Writer:
    options = {'population': '3', 'interval': '3'}
    return Writer(folder, who, Limits(), configuration=GOES_ON, search_name='pbt', options=options, **keywords)


def worked(writer: Writer, most: int = 60) -> list[Run]:
    """Runs one after the other; the loss is the learning rate, and less with a larger budget."""
    runs: list[Run] = []
    while len(runs) < most and (taken := writer.take(1)):
        writer.finish(taken[0], loss=str(taken[0].params['lr'] / taken[0].params['epochs']))
        runs += taken
    return runs


def test_that_promotions_go_on_when_there_are_as_many_trials_as_may_be(folder: SearchFolder) -> None:
    writer = promoting(folder)
    runs = worked(writer)
    budgets = [run.params['epochs'] for run in runs]
    assert (budgets.count(1), budgets.count(3), budgets.count(9)) == (9, 3, 1)
    assert writer.source.is_exhausted
    best = min(runs[:9], key=lambda run: run.params['lr'])
    assert [run.params['lr'] for run in runs if run.params['epochs'] == 9] == [best.params['lr']]


def test_that_a_promoted_run_is_told_where_its_checkpoint_is(folder: SearchFolder) -> None:
    runs = worked(promoting(folder))
    told = [f'--resume={folder.path}/jobs/{run.name}/checkpoint/last.pt' for run in runs if run.params['epochs'] > 1]
    assert [word for run in runs for word in run.argv if word.startswith('--resume=')] == told


def test_that_a_run_begins_anew_where_the_configuration_has_no_checkpoint(tmp_path: Path) -> None:
    writer = promoting(adaptive_folder(tmp_path / 'anew', ANEW), configuration=ANEW)
    assert len(worked(writer)) == 13
    assert not any(each.proposal.parent for each in writer.recorder.state.suggestions.values())


def test_that_a_resumed_search_promotes_as_one_that_was_not_interrupted(folder: SearchFolder, tmp_path: Path) -> None:
    whole = worked(promoting(adaptive_folder(tmp_path / 'whole', GOES_ON)))
    first = worked(promoting(folder, 'a'), 7)
    rest = worked(promoting(folder, 'b'))
    assert [run.params for run in [*first, *rest]] == [run.params for run in whole]


def test_that_a_population_ends_without_a_limit_and_a_resumed_one_goes_on_alike(
    folder: SearchFolder, tmp_path: Path
) -> None:
    whole = worked(population(adaptive_folder(tmp_path / 'whole', GOES_ON)))
    first, later = worked(population(folder, 'a'), 4), population(folder, 'b')
    rest = worked(later)
    assert [run.params for run in [*first, *rest]] == [run.params for run in whole]
    assert later.source.is_exhausted and later.source.total == len(whole)
    assert [run.params['epochs'] for run in whole].count(9) == 3


def test_that_writers_beside_each_other_never_go_on_with_a_trial_twice(folder: SearchFolder) -> None:
    writers = [population(folder, f'w{number}') for number in range(3)]
    runs: list[Run] = []
    for _ in range(40):
        for writer in writers:
            writer.listen()
            runs += worked(writer, 1)
    said = [each.proposal.facts for each in writers[0].recorder.state.suggestions.values()]
    keys = [(facts['member'], facts['generation']) for facts in said]
    assert len(keys) == len(set(keys))
    assert all(writer.source.is_exhausted for writer in writers)


def test_that_no_trial_is_promoted_while_another_writer_may_be_about_to(folder: SearchFolder) -> None:
    clock = Clock()
    writer = promoting(folder, clock=clock)
    worked(writer, 3)
    (folder.jobs_dir / name(4)).mkdir()
    assert [(run.number, run.params['epochs']) for run in writer.take(1)] == [(5, 1)]
    clock.now += GAP_PATIENCE + 1
    assert [(run.number, run.params['epochs']) for run in writer.take(1)] == [(6, 3)]


def test_that_no_member_goes_on_while_another_writer_may_be_about_to_go_on_with_it(folder: SearchFolder) -> None:
    clock = Clock()
    writer = population(folder, clock=clock)
    (folder.jobs_dir / name(1)).mkdir()
    assert writer.take(1) == [] and not writer.source.is_exhausted
    clock.now += GAP_PATIENCE + 1
    assert [run.number for run in writer.take(1)] == [2]


def ended(number: int, state: State) -> Attempt:
    return Attempt('sim_1', number, state)


@pytest.mark.parametrize(
    ('attempts', 'resumable', 'output'),
    [
        ([ended(1, State.FINISHED)], False, 'sim_1'),
        ([ended(1, State.LOST), ended(2, State.FINISHED)], False, 'sim_1'),
        ([ended(1, State.FINISHED), ended(2, State.INTERRUPTED)], False, 'sim_1.attempt1'),
        ([ended(1, State.FINISHED), ended(2, State.INTERRUPTED)], True, 'sim_1'),
    ],
)
def test_that_the_checkpoint_is_that_of_the_attempt_that_has_finished(
    folder: SearchFolder, attempts: list[Attempt], resumable: bool, output: str
) -> None:
    history = RunHistory('sim_1', {each.number: each for each in attempts})
    configuration = replace(GOES_ON, resumable=resumable, checkpoint='./ckpt/last.pt')
    found = going_on_from(folder, configuration, 'sim_2', 'sim_1', history)
    assert found == (f'{folder.path}/{output}/ckpt/last.pt', f'{folder.path}/jobs/sim_2/checkpoint', 'last.pt')


def test_that_a_whole_output_folder_is_copied_by_default(folder: SearchFolder) -> None:
    found = going_on_from(folder, replace(GOES_ON, checkpoint='.'), 'sim_2', 'sim_1', None)
    assert found == (f'{folder.path}/sim_1', f'{folder.path}/jobs/sim_2/checkpoint', '')


def test_that_a_copy_is_removed_and_one_that_is_not_there_is_no_trouble(folder: SearchFolder) -> None:
    copy = folder.jobs_dir / 'sim_2' / 'checkpoint'
    copy.mkdir(parents=True)
    (copy / 'last.pt').touch()
    (copy.parent / 'exit').touch()
    drop_copy(folder, 'sim_2')
    drop_copy(folder, 'sim_2')
    assert list(copy.parent.iterdir()) == [copy.parent / 'exit']
