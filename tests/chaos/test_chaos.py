"""The short version of ``python3 -m benchmarks chaos``, and that its judges see what they are for."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.disturbed import disturbed_search
from benchmarks.chaos.judges import expected_table, folder_problems, ledger_problems
from benchmarks.chaos.place import Place
from benchmarks.chaos.scenarios import EIO, SCENARIOS, compile_eio

RUNS = 8
BLOWS = 6
TRIALS = 5


@pytest.fixture(scope='module', autouse=True)
def eio_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What lets reads fail."""
    compile_eio(tmp_path_factory.mktemp('eio'))
    yield
    os.environ.pop(EIO, None)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='processes are found in /proc')
@pytest.mark.parametrize('name', SCENARIOS)
def test_that_nothing_is_lost_or_run_twice_whatever_happens(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TRAINING_SECONDS', '0.7')
    if why := SCENARIOS[name].missing():
        pytest.skip(f'{name}: {why}')
    # On a busy machine a search may end before a blow finds its target.
    assert any(blows_of_search(tmp_path / str(trial), name, trial) for trial in range(TRIALS))


def blows_of_search(path: Path, name: str, trial: int) -> int:
    """Disturb a search, which loses nothing; returns how many blows hit it."""
    report = disturbed_search(path, name, seed=f'{name} {trial}', blows=(BLOWS, BLOWS), runs=RUNS)
    assert report.problems == []
    assert report.counts['runs'] == RUNS
    return report.counts['blows']


def kinds(place: Place, kills: dict[int, int], *erased: int, **ledger: str) -> list[str]:
    """What the judge says of a ledger; ``n1='begin 1, end 1'``."""
    for name, lines in ledger.items():
        (place.path / 'ledger' / name[1:]).write_text(''.join(f'{line}\n' for line in lines.split(', ')))
    return [problem.kind for problem in ledger_problems(place, kills, erased)]


@pytest.mark.parametrize(
    ('lines', 'kills', 'expected'),
    [
        ('begin 1, end 1', 0, []),
        ('begin 1, begin 2, end 2', 1, []),
        ('begin 1', 1, []),
        ('begin 1', 0, ['lost']),
        ('begin 1, begin 2, end 2', 0, ['twice']),
        ('begin 1, end 1, begin 2, end 2', 1, ['twice']),
        ('begin 1, end 1, begin 2', 1, ['twice']),
        ('begin 1, begin 1, end 1', 1, ['twice']),
        ('begin 1, begin 2, end 1', 1, ['twice']),
        ('begin 1, begin 2, beside 2, end 2', 1, ['twice']),
        ('begin 1, begin 2, found 2, begin 3, end 3', 2, ['twice']),
    ],
)
def test_that_the_ledger_is_judged(tmp_path: Path, lines: str, kills: int, expected: list[str]) -> None:
    place = Place(tmp_path / 'place', 1).make()
    assert sorted(set(kinds(place, {1: kills}, n1=lines))) == expected


def test_that_a_run_whose_records_were_deleted_may_run_again_but_not_beside_itself(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 1).make()
    assert kinds(place, {}, 1, n1='begin 1, end 1, begin 2, end 2') == []
    assert kinds(place, {}, 1, n1='begin 1, begin 2, end 1, end 2') == ['twice']


def test_that_a_run_that_never_began_is_lost(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 2).make()
    assert kinds(place, {}, n1='begin 1, end 1') == ['lost']


def test_that_a_search_that_did_not_end_is_judged(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 3).make()
    search = place.start(*place.search_words())
    assert search.process.wait(60) == 0
    assert list(folder_problems(place)) == []
    assert place.table() == expected_table([1, 2, 3])
    text = place.folder.results_csv.read_text()
    place.folder.results_csv.write_text(text.replace('finished', 'failed', 2))
    assert [problem.kind for problem in folder_problems(place)] == ['table']
    for journal in place.folder.journal_dir.glob('*.jsonl'):
        journal.write_text(''.join(line for line in journal.open() if '"ended"' not in line))
    assert 'lost' in [problem.kind for problem in folder_problems(place)]


def test_that_two_attempts_at_once_are_noted_by_the_script(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 1).make()
    (place.path / 'locks' / '1').touch()
    with open(place.path / 'locks' / '1') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        search = place.start(*place.search_words())
        assert search.process.wait(60) == 0
    assert place.ledger() == {1: ['begin 1', 'beside 1', 'end 1']}
