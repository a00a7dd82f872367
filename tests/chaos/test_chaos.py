"""The short version of benchmarks/chaos.py, and that its judges see what they are for."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos import Place, disturbed_search, expected_table, folder_problems, ledger_problems

BLOWS = 12
RUNS = 16


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='processes are found in /proc')
@pytest.mark.parametrize('seed', ['first', 'second'])
def test_that_nothing_is_lost_or_run_twice_whatever_is_killed(tmp_path: Path, seed: str) -> None:
    counts: Counter[str] = Counter()
    assert disturbed_search(tmp_path / 'search', seed, BLOWS, counts, RUNS) == []
    assert counts['runs'] == RUNS
    assert counts['blows'] > 0


def kinds(place: Place, blows: dict[int, int], **ledger: str) -> list[str]:
    """What the judge says of a ledger; ``n1='begin 1, end 1'``."""
    for name, lines in ledger.items():
        (place.path / 'ledger' / name[1:]).write_text(''.join(f'{line}\n' for line in lines.split(', ')))
    return [kind for kind, _ in ledger_problems(place, blows)]


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
        ('begin 1, begin 2, found 2, begin 3, end 3', 2, ['twice']),
    ],
)
def test_that_the_ledger_is_judged(tmp_path: Path, lines: str, kills: int, expected: list[str]) -> None:
    place = Place(tmp_path / 'place', 1).make()
    assert kinds(place, {1: kills}, n1=lines) == expected


def test_that_a_run_that_never_began_is_lost(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 2).make()
    assert kinds(place, {}, n1='begin 1, end 1') == ['lost']


def test_that_a_search_that_did_not_end_is_judged(tmp_path: Path) -> None:
    place = Place(tmp_path / 'place', 3).make()
    search = place.start(*place.search_words())
    assert search.wait(60) == 0
    assert list(folder_problems(place)) == []
    assert place.table() == expected_table([1, 2, 3])
    text = place.folder.results_csv.read_text()
    place.folder.results_csv.write_text(text.replace('finished', 'failed', 2))
    assert [kind for kind, _ in folder_problems(place)] == ['table']
    for journal in place.folder.journal_dir.glob('*.jsonl'):
        journal.write_text(''.join(line for line in journal.open() if '"ended"' not in line))
    assert 'lost' in [kind for kind, _ in folder_problems(place)]
