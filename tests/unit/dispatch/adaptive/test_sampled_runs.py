"""The runs of an adaptive search: what is suggested, how often, and what is known of it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hpsearch.dispatch.adaptive.numbers import GAP_PATIENCE, free_numbers
from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError, JournalError
from hpsearch.model.trials.trial import Proposal, Trial, TrialState
from hpsearch.store.folder import SearchFolder
from tests.fakes.scripted_queue import Clock
from tests.support.adaptive import Writer, adaptive_folder, ended, finished, name, suggested, write_journal

FIVE = Limits(max_trials=5)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


class Patient:
    """A sampler that proposes as many runs as it was given values, and waits for each to end before the next."""

    def __init__(self, *values: float) -> None:
        self.values = values
        self.asked = 0

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """The next one."""
        self.asked += 1
        waits = any(trial.state is TrialState.WAITING for trial in trials)
        return None if waits or len(trials) >= len(self.values) else Proposal({'lr': self.values[len(trials)]})

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether all have been proposed."""
        return len(trials) >= len(self.values)


def test_that_looking_whether_there_is_a_run_suggests_none(folder: SearchFolder) -> None:
    writer = Writer(folder, 'w', FIVE)
    assert writer.source.is_ready and not writer.source.is_exhausted
    assert not writer.recorder.state.suggestions and not list(folder.jobs_dir.iterdir())


def test_that_a_search_has_as_many_trials_as_it_was_allowed(folder: SearchFolder) -> None:
    writer = Writer(folder, 'w', FIVE)
    runs = writer.take(10)
    assert [run.name for run in runs] == [name(number) for number in range(1, 6)]
    assert writer.source.is_exhausted and writer.source.next() is None
    assert (writer.source.total, len({run.params['lr'] for run in runs})) == (5, 5)


def test_that_a_resumed_search_starts_what_was_suggested_and_goes_on_alike(
    folder: SearchFolder, tmp_path: Path
) -> None:
    whole = Writer(adaptive_folder(tmp_path / 'whole'), 'w', FIVE).take(5)
    first = Writer(folder, 'a', FIVE)
    first.finish(first.take(1)[0], loss='1')
    waiting = first.source.next()
    second = Writer(folder, 'b', FIVE)
    resumed = second.take(5)
    assert waiting is not None and resumed[0] == waiting
    assert [run.params for run in resumed] == [run.params for run in whole[1:]]


def test_that_more_trials_are_proposed_when_more_are_allowed_later(folder: SearchFolder) -> None:
    assert len(Writer(folder, 'a', Limits(max_trials=2)).take(9)) == 2
    later = Writer(folder, 'b', FIVE)
    assert [run.number for run in later.take(9)] == [3, 4, 5]


@pytest.mark.parametrize('is_heard', [True, False])
def test_that_writers_beside_each_other_never_exceed_the_trials_nor_repeat_one(
    folder: SearchFolder, is_heard: bool
) -> None:
    writers = [Writer(folder, f'w{number}', FIVE) for number in range(3)]
    runs = []
    for _ in range(4):
        for writer in writers:
            if is_heard:
                writer.listen()
            runs += writer.take(1)
    for writer in writers:
        writer.listen()
        runs += writer.take(9)
    assert sorted(run.number for run in runs) == [1, 2, 3, 4, 5]
    assert len({str(run.params) for run in runs}) == 5
    assert all(writer.source.is_exhausted for writer in writers)


def test_that_a_number_that_a_writer_may_be_about_to_suggest_counts_until_it_must_be_dead(folder: SearchFolder) -> None:
    clock = Clock()
    writer = Writer(folder, 'w', Limits(max_trials=2), clock=clock)
    (folder.jobs_dir / name(1)).mkdir()
    assert [run.number for run in writer.take(9)] == [2]
    assert writer.source.next() is None and not writer.source.is_exhausted
    clock.now += GAP_PATIENCE + 1
    assert [run.number for run in writer.take(9)] == [3]
    assert writer.source.is_exhausted


def test_that_a_run_whose_writer_died_before_it_started_is_taken_by_another(folder: SearchFolder) -> None:
    first, second = Writer(folder, 'a', FIVE), Writer(folder, 'b', FIVE)
    left = first.source.next()
    second.listen()
    assert left is not None and second.source.next() == left


def test_that_a_run_that_others_have_claimed_is_not_taken(folder: SearchFolder) -> None:
    first, second = Writer(folder, 'a', FIVE), Writer(folder, 'b', FIVE)
    (taken,) = first.take(1)
    second.listen()
    found = second.source.next()
    assert found is not None and found.number == taken.number + 1


def test_that_a_sampler_that_waits_is_asked_again_only_when_something_has_changed(folder: SearchFolder) -> None:
    sampler = Patient(0.1, 0.2)
    writer = Writer(folder, 'w', FIVE, sampler=sampler)
    (first,) = writer.take(1)
    assert writer.source.next() is None and not writer.source.is_ready and not writer.source.is_exhausted
    asked = sampler.asked
    assert writer.source.next() is None and sampler.asked == asked
    assert len(list(folder.jobs_dir.iterdir())) == 1, 'a number that came to nothing is given back'
    writer.recorder.record('ended', first.name, 1, state='finished', summary={'loss': '1'})
    assert [run.params for run in writer.take(1)] == [{'lr': 0.2}]
    assert writer.source.is_exhausted


def test_that_a_sampler_that_waits_for_nothing_ends_the_search(folder: SearchFolder) -> None:
    class Silent(Patient):
        def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
            return None

    writer = Writer(folder, 'w', FIVE, sampler=Silent(0.1))
    assert writer.source.next() is None and writer.source.is_exhausted


def test_that_all_combinations_of_lists_are_tried_once_and_then_the_search_ends(folder: SearchFolder) -> None:
    configuration = Configuration('grid.py', '', {'lr': [1, 2, 3], 'flag': [True, False]}, command=('true',))
    writer = Writer(folder, 'w', Limits(max_trials=50), configuration=configuration)
    runs = writer.take(50)
    assert len(runs) == len({str(run.params) for run in runs}) == 6
    assert writer.source.is_exhausted and writer.source.total == 6


def test_that_nothing_is_suggested_that_is_not_in_the_journal(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(folder, 'w', FIVE)
    with monkeypatch.context() as full:
        full.setattr(writer.journal, 'append_now', lambda event: False)
        with pytest.raises(JournalError):
            writer.source.next()
    assert not writer.recorder.state.suggestions
    assert [run.number for run in writer.take(1)] == [1], 'its number is used all the same'


def test_that_numbers_that_dead_writers_have_taken_are_free_again_where_nobody_is_at_work(folder: SearchFolder) -> None:
    Writer(folder, 'a', FIVE).take(1)
    (folder.jobs_dir / name(2)).mkdir()
    (folder.jobs_dir / name(3)).mkdir()
    (folder.jobs_dir / name(3) / 'claim').touch()
    assert not free_numbers(folder, 'me'), 'the other one is this process, which lives'
    assert (folder.jobs_dir / name(2)).exists()
    assert free_numbers(folder, 'a')
    assert sorted(path.name for path in folder.jobs_dir.iterdir()) == [name(1), name(3)]


def test_that_nothing_is_learned_of_a_suggestion_for_another_space(folder: SearchFolder) -> None:
    write_journal(folder, 'a', [suggested(1, units=3), *finished(1, loss='1'), suggested(2)])
    writer = Writer(folder, 'w', Limits(max_trials=2))
    assert [trial.number for trial in writer.source.history.trials] == [2]
    assert [run.number for run in writer.take(9)] == [2, 3]


def test_that_a_sampler_that_fails_ends_the_search_before_its_time(
    folder: SearchFolder, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Patient):
        def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
            if trials:
                raise ConfigError(['constraints: loosen them.'])
            return Proposal({'lr': 0.5})

    writer = Writer(folder, 'w', FIVE, sampler=Failing(0.1, 0.2))
    assert len(writer.take(9)) == 1
    assert 'no more runs are chosen: constraints: loosen them.' in caplog.text
    assert writer.source.is_exhausted and writer.source.total == 5, 'so that it has not succeeded'


CANCEL = {'event': 'cancel', 'run': name(1), 'after': 0, 'revision': 1}


def test_that_what_was_cancelled_before_its_start_has_failed_and_is_never_started_nor_proposed_again(
    folder: SearchFolder,
) -> None:
    write_journal(folder, 'a-user', [CANCEL])  # read before the journal that makes it a run
    write_journal(folder, 'other', [suggested(1), suggested(2)])
    writer = Writer(folder, 'me', Limits(max_trials=4))
    taken = writer.take(9)
    assert [run.number for run in taken] == [2, 3, 4]
    assert writer.source.history.trials[0].state is TrialState.FAILED
    assert writer.source.is_exhausted


def test_that_a_sampler_that_waits_goes_on_once_what_it_waits_for_was_cancelled(folder: SearchFolder) -> None:
    writer = Writer(folder, 'me', FIVE, sampler=Patient(0.1, 0.2))
    (first,) = writer.take(9)
    write_journal(folder, 'a-user', [{**CANCEL, 'run': first.name}])
    writer.listen()
    assert writer.take(9) == [], 'it is still under way'
    writer.recorder.record('ended', first.name, 1, state='interrupted', cause='cancelled')
    assert [run.params for run in writer.take(9)] == [{'lr': 0.2}]


def test_that_a_trial_that_is_to_be_run_again_is_waited_for(folder: SearchFolder) -> None:
    write_journal(folder, 'other', [suggested(1), *ended(1, 1, 'failed')])
    write_journal(folder, 'user', [{**CANCEL, 'event': 'rerun', 'after': 1}])
    writer = Writer(folder, 'me', FIVE)
    assert writer.source.history.trials[0].state is TrialState.WAITING
    assert writer.source.next() == folder.find_run(name(1))
