"""Trials that are made into several runs: limits end what is begun, not what is continued."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.model.run import Run
from hpsearch.model.trials.distributions import Space, Uniform
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.samplers.seeds import SeedsSampler
from hpsearch.store.folder import SearchFolder
from tests.support.adaptive import Writer, adaptive_folder, name

TWO = Limits(max_trials=2)
SPACE: Space = {'lr': Uniform(0.0, 1.0)}


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


def writer_of(folder: SearchFolder, writer: str) -> Writer:
    """A writer of a search whose trials have two seeds."""
    return Writer(folder, writer, TWO, sampler=SeedsSampler(RandomSampler(SPACE, 1), [10, 11]))


def numbers(runs: list[Run]) -> list[int]:
    """The numbers of runs."""
    return [run.number for run in runs]


def test_that_the_last_trials_get_their_seeds_although_there_are_enough_trials(folder: SearchFolder) -> None:
    writer = writer_of(folder, 'w')
    first = writer.take(9)
    assert numbers(first) == [1, 2] and not writer.source.is_exhausted
    for run in first:
        writer.finish(run, loss='1.0')
    second = writer.take(9)
    assert numbers(second) == [3, 4]
    assert {run.params['lr'] for run in first} == {run.params['lr'] for run in second}
    for run in second:
        writer.finish(run, loss='1.0')
    assert writer.take(9) == [] and writer.source.is_exhausted


def test_that_the_number_of_runs_is_known_in_the_end(folder: SearchFolder) -> None:
    writer = writer_of(folder, 'w')
    for _ in range(2):
        for run in writer.take(9):
            writer.finish(run, loss='1.0')
    assert writer.source.total == 4


def test_that_nothing_is_continued_while_another_writer_may_be_about_to_do_the_same(folder: SearchFolder) -> None:
    writer = writer_of(folder, 'w')
    for run in writer.take(2):
        writer.finish(run, loss='1.0')
    taken = folder.jobs_dir / name(3)
    taken.mkdir()
    assert writer.take(9) == []
    other = writer_of(folder, 'v')
    taken.rmdir()
    assert numbers(other.take(1)) == [3]
    writer.listen()
    trials = [each.proposal.trial for each in writer.recorder.state.suggestions.values()]
    assert sorted(map(str, trials)) == ['1', '1', '2'] or sorted(map(str, trials)) == ['1', '2', '2']


def test_that_two_writers_continue_each_trial_once(folder: SearchFolder) -> None:
    writers = [writer_of(folder, 'w'), writer_of(folder, 'v')]
    runs: list[Run] = []
    for turn in range(12):
        writer = writers[turn % 2]
        writer.listen()
        for run in writer.take(1):
            runs.append(run)
            writer.finish(run, loss='1.0')
    assert sorted(numbers(runs)) == [1, 2, 3, 4]
    assert len({run.params['lr'] for run in runs}) == 2
