"""Runs of a search as tables, JSON and CSV, through the command line."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from hpsearch.cli.main import main
from hpsearch.model.trials.leading import Leader
from hpsearch.records.search import SearchRecord
from tests.support.paths import REPOSITORY
from tests.support.shown_search import shown_search


@pytest.fixture(scope='module')
def search(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search with two runs that wait."""
    return str(shown_search(tmp_path_factory.mktemp('listing') / 's', 50, waiting=2).path)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_that_runs_are_chosen_sorted_and_limited(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ['--where', 'width>=32 and state=finished', '--columns', 'number,width,acc', '--sort', '-acc', '-n', '5']
    rows = json.loads(shown(capsys, 'list', search, *words, '--json'))
    assert len(rows) == 5
    assert list(rows[0]) == ['number', 'width', 'acc']
    assert all(row['width'] >= 32 for row in rows)
    assert [row['acc'] for row in rows] == sorted((row['acc'] for row in rows), reverse=True)


def test_that_json_has_every_column_with_raw_values(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_, last = json.loads(shown(capsys, 'list', search, '--json'))
    assert first['hpsearch_number'] == 1
    assert first['hpsearch_started'] == '2023-11-14T22:13:20Z'
    assert type(first['acc']) is float
    assert type(first['metrics.val_acc']) is float
    assert last['acc'] is None
    assert last['hpsearch_state'] == 'planned'


def test_that_numbers_that_json_does_not_know_are_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shown_search(tmp_path / 's', 2, grid={'x': [float('nan'), float('inf')]}).path
    assert [row['x'] for row in json.loads(shown(capsys, 'list', str(path), '--columns=x', '--json'))] == [None, None]


def test_that_csv_has_commas_and_is_read_back(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, 'list', search, '--csv', '--where', 'state=failed', '--columns', 'run,reason')
    rows = list(csv.reader(io.StringIO(out, newline='')))
    assert rows[0] == ['run', 'reason']
    assert rows[1][1] == 'exit status 1\nRuntimeError: the loss is nan'
    assert out.startswith('run,reason\r\n')


def test_that_nothing_is_cut_where_no_terminal_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = 'x' * 300
    path = shown_search(tmp_path / 's', 2, grid={'text': [long, f'{long}y'], 'lr': [0.1]}).path
    out = shown(capsys, 'list', str(path))
    assert f'{long}y' in out
    assert len(out.splitlines()) == 4


def test_that_nothing_found_is_a_note(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['list', search, '--where', 'width>1000', '--json']) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert err == "hpsearch: 'width>1000' holds of none of its 50 runs\n"


@pytest.mark.parametrize('verb', ['list', 'best'])
def test_that_a_condition_that_does_not_hold_of_the_only_run_is_named(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shown_search(tmp_path / 's', 1).path
    assert main([verb, str(path), '--where', 'width>1000', '--csv']) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err == "hpsearch: 'width>1000' does not hold of its only run\n"


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        (['--columns', 'ac,widht'], 'acc'),
        (['--sort', '-widht'], 'did you mean width'),
        (['--where', 'widht>3'], '\n  widht>3\n  ^\n'),
    ],
)
def test_that_a_wrong_name_is_an_error(
    search: str, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['list', search, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert says in err


def test_that_an_error_that_names_what_others_wrote_does_nothing_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shown_search(tmp_path / 's', 2, grid={'a\x1b[31mb': [1, 2], 'c\rd': [3]}).path
    assert main(['list', str(path), '--where', 'foo=1']) == 2
    assert main(['list', str(path), '--columns', 'foo,baz']) == 2
    err = capsys.readouterr().err
    assert 'there are ab, c d, the keywords' in err
    assert err.replace('\n', '').isprintable()


def test_that_the_best_come_first(search: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(shown(capsys, 'best', search, '-n3', '--json'))
    every = json.loads(shown(capsys, 'list', search, '--json'))
    assert [row['acc'] for row in rows] == sorted((row['acc'] or 0 for row in every), reverse=True)[:3]
    assert all(row in every for row in rows)


def test_that_the_best_among_several_objectives_are_the_pareto_front(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objectives = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'maximize']}
    path = shown_search(tmp_path / 's', 30, options=objectives).path
    assert main(['best', str(path), '-n0', '--json']) == 0
    out, err = capsys.readouterr()
    front = json.loads(out)
    assert len(front) > 10  # where one is better the other is worse
    assert {'acc', 'loss', 'hpsearch_run', 'hpsearch_runs'} <= set(front[0])
    assert 'the Pareto front' in err


def test_that_an_objective_that_is_called_like_a_parameter_has_its_own_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'minimize']}
    path = shown_search(tmp_path / 's', 4, grid={'acc': [1, 2], 'loss': [3, 4]}, options=options).path
    first = json.loads(shown(capsys, 'best', str(path), '--json'))[0]
    assert {'acc', 'loss', 'summary_acc', 'summary_loss'} <= set(first)
    assert first['acc'] in (1, 2) and first['summary_acc'] < 1


def test_that_a_name_with_a_comma_in_backticks_can_be_sorted_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shown_search(tmp_path / 's', 2, grid={'a,b': [1, 2]}).path
    words = ['--columns=`a,b`', '--sort=-`a,b`,state', '--json']
    assert json.loads(shown(capsys, 'list', str(path), *words)) == [{'a,b': 2}, {'a,b': 1}]


def test_that_seeds_of_a_trial_count_as_their_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shown_search(tmp_path / 's', 10, options={'seeds_per_config': 2}).path
    assert main(['best', str(path)]) == 0
    assert 'means over seeds' in capsys.readouterr().err


def test_that_a_mean_over_seeds_is_shown_without_a_seed_and_without_digits_that_adding_up_has_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shown_search(tmp_path / 's', 4, grid={'lr': [1, 2], 'seed': [1, 2]}, options={'seeds_per_config': 2}).path
    monkeypatch.setattr(SearchRecord, 'leaders', lambda _: [Leader('sim_1', {'lr': 2}, (131.10500000000002,), 2)])
    assert [line.split() for line in shown(capsys, 'best', str(path)).splitlines()[::2]] == [
        ['acc', 'run', 'runs', 'lr'],
        ['131.105', 'sim_1', '2', '2'],
    ]
    row = {'acc': 131.10500000000002, 'hpsearch_run': 'sim_1', 'hpsearch_runs': 2, 'lr': 2}
    assert json.loads(shown(capsys, 'best', str(path), '--json')) == [row]


def test_that_without_a_result_it_says_why_none_is_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shown_search(tmp_path / 's', 3, waiting=3).path
    assert main(['best', str(path), '--csv']) == 0
    assert 'no run that could be the best has finished' in capsys.readouterr().err


@pytest.mark.parametrize('verb', [['list'], ['best'], ['show', '1'], ['diff', '1', '2']])
@pytest.mark.parametrize('form', [[], ['--json'], ['--csv']])
def test_that_a_search_of_an_earlier_format_is_shown(
    verb: list[str], form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'search'
    shutil.copytree(REPOSITORY / 'tests' / 'data' / 'search_of_format_1', path)
    out = shown(capsys, verb[0], str(path), *verb[1:], *form)
    assert 'sim_20261121200057_' in out
    assert '--json' not in form or json.loads(out)


def test_that_a_column_without_values_among_those_found_is_left_out(
    search: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 'reason' in shown(capsys, 'list', search).splitlines()[0]
    assert 'reason' not in shown(capsys, 'list', search, '-n2').splitlines()[0]


def test_that_a_table_fits_the_terminal(
    search: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('hpsearch.cli.runs.output.terminal_width', lambda: 60)
    lines = shown(capsys, 'list', search, '-n3').splitlines()
    assert all(len(line) <= 60 for line in lines[:5])
    assert any(line.startswith('no room for: ') for line in lines)
