"""Results of earlier searches: taken for identical commands that finished, and for nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.command import CommandForm
from hpsearch.arguments.style import words_of
from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.reuse import reusable, reuse_results
from hpsearch.model.configuration import Configuration, Grid, Params, plain_attributes
from hpsearch.model.errors import JournalError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.space.identity import identity, identity_of
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from hpsearch.store.provenance import runs_by_code

GRID: Grid = {'lr': [0.1, 0.2], 'flag': [True, False]}


def configured(grid: Grid = GRID, **more: Any) -> Configuration:
    """Return a configuration of a script, or of a command where one is given."""
    return Configuration('grid.py', '', grid, **(more if 'command' in more else {'script': 'train.py', **more}))


def made(
    path: Path, configuration: Configuration | None = None, run_cwd: str = '/project', python: str = 'python3'
) -> Path:
    """Make the folder of a search, without any events."""
    configuration = configuration or configured()
    path.mkdir(parents=True)
    folder = SearchFolder(path)
    folder.write_info({'run_cwd': run_cwd, 'configuration': {'attributes': plain_attributes(configuration)}})
    Plan(configuration, Order(), interpreter=python, search_path=path, ident=path.name).write(folder)
    return path


def happened(
    path: Path, *ends: tuple[int, str], writer: str = 'w', attempt: int = 1, code_id: str = '', **facts: Any
) -> None:
    """Write a journal in which the runs of these places in the plan ended in these states."""
    names = [run.name for run in SearchFolder(path).read_runs()]
    events: list[dict[str, Any]] = [{'event': 'writer', 'format': 1, 'writer': writer}]
    for place, state in ends:
        events.append({'event': 'claimed', 'run': names[place], 'attempt': attempt, 'code_id': code_id})
        events.append({'event': 'ended', 'run': names[place], 'attempt': attempt, 'state': state, **facts})
    (path / 'journal').mkdir(exist_ok=True)
    (path / 'journal' / f'{writer}.jsonl').write_text(''.join(json.dumps(event) + '\n' for event in events))


def keys_of(path: Path) -> list[bytes]:
    """Return the keys of all runs of a search."""
    folder = SearchFolder(path)
    return [identity_of(folder).key_of(run) for run in folder.read_runs()]


def run_of(params: Params) -> Run:
    """Return a run with these options."""
    return Run('sim_1', 1, params, ())


WORDS = st.text(st.characters(exclude_characters='\0'))
OPTIONS = st.dictionaries(st.sampled_from(['a', 'b', 'c']), st.none() | st.booleans() | WORDS | st.lists(WORDS))


def test_that_a_finished_result_is_found_by_an_identical_command(tmp_path: Path) -> None:
    earlier, now = made(tmp_path / 'earlier'), made(tmp_path / 'now')
    happened(earlier, (1, 'finished'), summary={'acc': '0.9'}, seconds=3.5)
    found = reusable([SearchFolder(earlier)])
    assert list(found) == [keys_of(now)[1]]
    (result,) = found.values()
    second = list(SearchFolder(earlier).read_runs())[1].name
    assert (result.folder, result.run, result.attempt.number) == (earlier, second, 1)
    assert (result.attempt.summary, result.attempt.seconds) == ({'acc': '0.9'}, 3.5)


@pytest.mark.parametrize('state', ['failed', 'stopped', 'lost', 'interrupted'])
def test_that_only_what_finished_is_taken(tmp_path: Path, state: str) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, state), (2, 'finished'))
    assert list(reusable([SearchFolder(earlier)])) == [keys_of(earlier)[2]]


def test_that_the_attempt_that_finished_speaks_for_a_run(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'lost'))
    happened(earlier, (0, 'finished'), writer='w2', attempt=2, summary={'acc': '1'})
    (result,) = reusable([SearchFolder(earlier)]).values()
    assert (result.attempt.number, result.attempt.summary) == (2, {'acc': '1'})


def test_that_a_search_that_was_killed_in_the_middle_of_a_line_is_read(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'finished'))
    with (earlier / 'journal' / 'w.jsonl').open('a') as journal:
        journal.write('{"event":"ended","run":"')
    assert list(reusable([SearchFolder(earlier)])) == keys_of(earlier)[:1]


def test_that_a_search_that_was_killed_before_its_plan_was_made_offers_nothing(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    os.unlink(earlier / 'runs.jsonl')
    assert not reusable([SearchFolder(earlier)])


def test_that_of_two_results_the_first_folder_counts(tmp_path: Path) -> None:
    paths = [made(tmp_path / name) for name in ('b', 'a')]
    for path in paths:
        happened(path, (0, 'finished'))
    (result,) = reusable([SearchFolder(path) for path in paths]).values()
    assert result.folder == paths[0]


def test_that_a_result_without_a_keyword_that_is_wanted_is_not_taken(tmp_path: Path) -> None:
    paths = [made(tmp_path / name) for name in ('a', 'b')]
    happened(paths[0], (0, 'finished'), summary={'acc': '1'})
    happened(paths[1], (0, 'finished'), summary={'acc': '1', 'loss': '2'})
    (result,) = reusable([SearchFolder(path) for path in paths], ['acc', 'loss']).values()
    assert result.folder == paths[1]


def test_that_a_result_that_is_taken_keeps_its_code(tmp_path: Path) -> None:
    earlier, now = made(tmp_path / 'earlier'), SearchFolder(made(tmp_path / 'now'))
    happened(earlier, (0, 'finished'), code_id='a')
    happened(earlier, (1, 'finished'), writer='w2')
    recorder = EventRecorder(SearchState(), Journal(now, 'me', {}))
    assert reuse_results(now, [str(earlier)], (), recorder) == 2
    recorder.note_event({'event': 'provenance', 'code': 'b'})
    assert runs_by_code(recorder.state) == {'a': 1}


def test_that_nothing_is_written_into_a_folder_that_is_read(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'finished'))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')}
    reusable([SearchFolder(earlier)])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')} == before


def test_that_the_interpreter_the_order_of_options_and_the_folder_do_not_matter(tmp_path: Path) -> None:
    one = made(tmp_path / 'one')
    two = made(tmp_path / 'two', configured(dict(reversed(GRID.items()))), python='/opt/python3')
    assert sorted(keys_of(one)) == sorted(keys_of(two))
    assert len(set(keys_of(one))) == 4


def test_that_a_relative_script_is_the_absolute_one(tmp_path: Path) -> None:
    one = made(tmp_path / 'one')
    assert keys_of(one) == keys_of(made(tmp_path / 'two', configured(script='/project/train.py')))
    assert keys_of(one) == keys_of(made(tmp_path / 'three', configured(script='code/../train.py')))


@pytest.mark.parametrize(
    ('changes', 'run_cwd'),
    [
        ({'script': 'other.py'}, '/project'),
        ({}, '/elsewhere'),
        ({'command': ['train.py']}, '/project'),
        ({'command': ['python3', 'train.py']}, '/project'),
    ],
)
def test_that_another_program_or_directory_is_another_command(
    tmp_path: Path, changes: dict[str, Any], run_cwd: str
) -> None:
    one = made(tmp_path / 'one')
    two = made(tmp_path / 'two', configured(**changes), run_cwd)
    assert not set(keys_of(one)) & set(keys_of(two))


def test_that_the_words_of_a_command_count_in_their_order(tmp_path: Path) -> None:
    one = made(tmp_path / 'one', configured(command=['sh', 'a', 'b']))
    two = made(tmp_path / 'two', configured(command=['sh', 'b', 'a']))
    assert not set(keys_of(one)) & set(keys_of(two))


@pytest.mark.parametrize('option', ['folder', None])
def test_that_the_name_of_the_output_option_does_not_matter(tmp_path: Path, option: str | None) -> None:
    one, two = made(tmp_path / 'one'), made(tmp_path / 'two', configured(out_arg=option))
    assert keys_of(one) == keys_of(two)


def test_that_one_and_true_and_one_point_zero_differ(tmp_path: Path) -> None:
    assert len(set(keys_of(made(tmp_path / 'one', configured({'a': [1, 1.0, True, '1 ']}))))) == 4


def test_that_a_plan_in_memory_has_the_keys_of_its_file(tmp_path: Path) -> None:
    path = made(tmp_path / 'one', configured(), str(tmp_path))
    plan = Plan(configured(), Order(), interpreter='python3', search_path=Path('/other'), ident='x')
    assert [identity(configured(), tmp_path).key_of(run) for run in plan.runs()] == keys_of(path)


@given(OPTIONS, OPTIONS)
def test_that_keys_are_equal_exactly_when_the_options_have_the_same_words(one: Params, other: Params) -> None:
    recognise = identity(configured(out_arg=None), '/project')
    keys = [recognise.key_of(run_of(params)) for params in (one, other)]
    words = [{words_of(option, value) for option, value in params.items()} - {()} for params in (one, other)]
    assert (keys[0] == keys[1]) == (words[0] == words[1])


def test_that_the_value_of_another_option_is_another_command() -> None:
    recognise = identity(configured(styles={'arg_style': 'space'}), '/project')
    assert recognise.key_of(run_of({'a': 1, 'b': 2})) != recognise.key_of(run_of({'a': 2, 'b': 1}))


def test_that_an_option_that_begins_like_the_output_option_stays() -> None:
    recognise = identity(configured(), '/project')
    argv = ('python3', 'train.py', '--out_dir=/x', '--out_dir_kind=2', '--out_dir=3')
    run = Run('x', 1, {}, argv)
    assert recognise.without_output(run) == ('python3', 'train.py', '--out_dir_kind=2', '--out_dir=3')
    assert recognise.with_output(run, '/y') == (*argv[:2], '--out_dir=/y', *argv[3:])


@pytest.mark.parametrize('style', ['space', 'hydra', 'single_dash', '-o {name}:{value}'])
def test_that_an_output_folder_in_any_style_can_be_exchanged(style: str) -> None:
    recognise = identity(configured(styles={'arg_style': style}, fixed_args=['fit']), '/project')
    form = CommandForm(configured(styles={'arg_style': style}, fixed_args=['fit']), 'python3')
    one, other = (Run('r', 1, {}, form.argv(path, {'lr': 0.1})) for path in ('/x/sim 1', '/y/sim_1'))
    assert one.argv[:3] == ('python3', 'train.py', 'fit')
    assert recognise.with_output(one, '/y/sim_1') == other.argv
    assert recognise.without_output(one) == recognise.without_output(other)


def test_that_a_word_that_is_no_text_has_a_key() -> None:
    recognise = identity(configured(), '/project')
    assert recognise.key_of(run_of({'a': '\udcff'})) != recognise.key_of(run_of({'a': 'ÿ'}))


@pytest.mark.parametrize('content', [None, '[]', '{"format": 1}', '{"configuration": {"attributes": 3}}', '{'])
def test_that_an_error_names_the_folder(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / 'search.json').write_text(content)
    with pytest.raises(SearchFolderError, match=str(tmp_path)):
        reusable([SearchFolder(tmp_path)])


def test_that_a_plan_that_is_gone_is_an_error_where_results_depend_on_it(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'finished'))
    (earlier / 'runs.jsonl').unlink()
    with pytest.raises(SearchFolderError, match=str(earlier)):
        reusable([SearchFolder(earlier)])


def test_that_of_a_damaged_plan_the_other_runs_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'finished'), (1, 'finished'))
    plan = (earlier / 'runs.jsonl').read_text()
    (earlier / 'runs.jsonl').write_text('x' + plan)
    assert len(reusable([SearchFolder(earlier)])) == 1
    assert f'{earlier / "runs.jsonl"}, line 1 is left out' in caplog.text


def test_that_a_plan_that_cannot_be_read_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    happened(earlier, (0, 'finished'))
    os.unlink(earlier / 'runs.jsonl')
    (earlier / 'runs.jsonl').mkdir()
    with pytest.raises(SearchFolderError, match=str(earlier)):
        reusable([SearchFolder(earlier)])


def test_that_a_journal_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    earlier = made(tmp_path / 'earlier')
    (earlier / 'journal').mkdir()
    (earlier / 'journal' / 'w.jsonl').write_text('{"event": "writer", "format": 99}\n')
    with pytest.raises(JournalError, match=str(earlier)):
        reusable([SearchFolder(earlier)])
