"""What the files of a search say of its paths after its folder was moved or copied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.run import Run, encode_run, search_path_of, with_output
from hpsearch.store.folder import SearchFolder
from hpsearch.store.place import Move, after_move, place_by_options

NAME = 'sim_20261120231900_1'


# Commands


@pytest.mark.parametrize('output', [NAME, f'/old/out/{NAME}', f'/{NAME}', f'/a=b/{NAME}'])
def test_that_a_run_gets_another_output_folder_wherever_its_plan_has_it(output: str) -> None:
    run = Run(NAME, 1, {}, ('sh', 'x.sh', f'--out_dir={output}', '--n=1'))
    assert with_output(run, '/new/out').argv == ('sh', 'x.sh', '--out_dir=/new/out', '--n=1')


@pytest.mark.parametrize(
    'words',
    [
        ('--out_dir=/other/sim_20261120231900_2', f'--note=my{NAME}'),
        (f'--{NAME}', f'my_{NAME}', f'{NAME}.txt', f'-o={NAME}/x'),
        ('--n=1',),
    ],
)
def test_that_other_words_are_not_taken_for_the_output_folder(words: tuple[str, ...]) -> None:
    run = Run(NAME, 1, {}, ('sh', *words))
    assert with_output(run, '/new') == run
    assert search_path_of(run) == ''


def test_that_only_the_first_of_two_words_is_the_output_folder() -> None:
    run = Run(NAME, 1, {}, ('sh', f'--out_dir={NAME}', f'--init={NAME}'))
    assert with_output(run, '/new').argv == ('sh', '--out_dir=/new', f'--init={NAME}')


def test_that_a_line_of_the_plan_has_no_search_folder() -> None:
    line = encode_run(Run(NAME, 1, {}, ('sh', f'--out_dir=/old/out/{NAME}')))
    assert json.loads(line)['argv'] == ['sh', f'--out_dir={NAME}']


@pytest.mark.parametrize('output', [NAME, f'/old/out/{NAME}'])
def test_that_a_plan_is_read_for_where_its_folder_is(tmp_path: Path, output: str) -> None:
    folder = SearchFolder(tmp_path)
    entry = {'run': NAME, 'number': 1, 'params': {}, 'argv': ['sh', f'--out_dir={output}']}
    folder.runs_jsonl.write_text(json.dumps(entry) + '\n')
    expected = Run(NAME, 1, {}, ('sh', f'--out_dir={tmp_path}/{NAME}'))
    assert list(folder.read_runs()) == [expected]
    assert folder.find_run(NAME) == expected


# Paths

PROJECT = Move('/home/me/project/out', '/data/project/out')


@pytest.mark.parametrize(
    ('path', 'there', 'moved_together', 'expected'),
    [
        ('/home/me/project/out', (), False, '/data/project/out'),
        ('/home/me/project/out/cfg.py', ('/home/me/project/out/cfg.py',), False, '/data/project/out/cfg.py'),
        ('/home/me/project/outer', (), False, '/home/me/project/outer'),
        ('cfg.py', (), True, 'cfg.py'),
        ('', (), True, ''),
        ('/home/me/project', ('/home/me/project', '/data/project'), True, '/home/me/project'),
        ('/home/me/project', ('/data/project',), True, '/data/project'),
        ('/home/me/project', ('/data/project',), False, '/home/me/project'),
        ('/home/me/project', (), True, '/home/me/project'),
        ('/home/me/project/other/x', ('/data/project/other/x',), True, '/data/project/other/x'),
        ('/usr/bin/x', ('/bin/x',), True, '/usr/bin/x'),
    ],
)
def test_that_a_path_is_followed_into_the_folder_and_around_it_only_where_it_went(
    path: str, there: tuple[str, ...], moved_together: bool, expected: str
) -> None:
    assert PROJECT.of(path, there.__contains__, moved_together=moved_together) == expected


def test_that_a_folder_with_another_name_tells_nothing_of_what_was_beside_it() -> None:
    move = Move('/home/me/project/out', '/data/results')
    assert move.of('/home/me/project', {'/data'}.__contains__, moved_together=True) == '/home/me/project'


def info_of(**more: Any) -> dict[str, Any]:
    """What describes a search of a project."""
    return {
        'run_cwd': '/home/me/project',
        'configuration': {
            'module': 'cfg',
            'source': '/home/me/project/cfg.py',
            'cwd': '/home/me/project',
            'attributes': {'source': '/home/me/project/cfg.py', 'script': 'train.py'},
        },
        'options': {'reuse': ['/home/me/project/out/earlier', '/home/me/other'], 'grid_config': '', 'cpu_jobs': 2},
        'created': 'then',
        **more,
    }


def test_that_searches_to_learn_from_are_followed() -> None:
    options = {'learn_from': ['/home/me/project/out/earlier', '/home/me/other']}
    there = {'/data/project', '/data/project/cfg.py', '/data/project/out/earlier'}
    found = after_move(info_of(options=options), PROJECT, there.__contains__)
    assert found['options']['learn_from'] == ['/data/project/out/earlier', '/home/me/other']


def test_that_what_was_around_the_folder_stays_where_only_the_folder_was_moved() -> None:
    there = {'/home/me/project', '/home/me/project/cfg.py', '/data/project'}
    found = after_move(info_of(), PROJECT, there.__contains__)
    reuse = ['/data/project/out/earlier', '/home/me/other']
    assert found == info_of(options={'reuse': reuse, 'grid_config': '', 'cpu_jobs': 2})


def test_that_a_project_that_was_moved_as_a_whole_is_found() -> None:
    found = after_move(info_of(), PROJECT, {'/data/project', '/data/project/cfg.py'}.__contains__)
    assert found['run_cwd'] == found['configuration']['cwd'] == '/data/project'
    assert found['configuration']['source'] == found['configuration']['attributes']['source'] == '/data/project/cfg.py'
    assert found['configuration']['module'] == 'cfg'
    assert found['options']['reuse'] == ['/data/project/out/earlier', '/home/me/other']


def test_that_a_folder_of_the_same_name_is_no_project_without_its_configuration() -> None:
    found = after_move(info_of(), PROJECT, {'/data/project'}.__contains__)
    assert found['run_cwd'] == '/home/me/project'


def test_that_a_description_without_paths_is_as_it_was() -> None:
    assert after_move({'created': 'then'}, PROJECT) == {'created': 'then'}


# Where a folder was


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'out_dir': 'out', 'force_out_dir': True}, '/home/me/project/out'),
        ({'out_dir': '/data/./out', 'force_out_dir': True}, '/data/out'),
        ({'out_dir': 'out', 'force_out_dir': False}, '/home/me/project/out/search_2026-11-20_23-19-00'),
        ({}, ''),
        ({'out_dir': 3}, ''),
    ],
)
def test_that_the_options_say_where_a_search_of_format_1_was(options: dict[str, Any], expected: str) -> None:
    assert place_by_options({'run_cwd': '/home/me/project', 'options': options}, NAME) == expected


def test_that_a_folder_notes_where_it_is_and_knows_where_it_was(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / 'old')
    folder.path.mkdir()
    folder.write_info({'run_cwd': str(folder.path), 'place': 'elsewhere', 'format': 1})
    assert folder.read_info()['place'] == str(tmp_path / 'old')
    assert folder.read_info()['format'] == 2
    folder.path.rename(tmp_path / 'new')
    moved = SearchFolder(tmp_path / 'new')
    assert moved.read_info()['place'] == str(tmp_path / 'old')
    assert moved.read_info()['run_cwd'] == str(tmp_path / 'new')


@pytest.mark.parametrize('words', [['sh', f'--out_dir=/home/me/old/{NAME}'], ['sh', '--n=1']])
def test_that_the_plan_of_format_1_says_where_it_was_else_the_options(tmp_path: Path, words: list[str]) -> None:
    folder = SearchFolder(tmp_path)
    entry = {'run': NAME, 'number': 1, 'params': {}, 'argv': words}
    folder.runs_jsonl.write_text('damaged\n' + json.dumps(entry) + '\n')
    options = {'out_dir': 'old', 'force_out_dir': True}
    folder.search_json.write_text(json.dumps({'format': 1, 'run_cwd': '/home/me', 'options': options}))
    assert SearchFolder(tmp_path).read_info()['place'] == '/home/me/old'


def test_that_a_link_to_the_folder_is_no_other_place(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / 'out')
    folder.path.mkdir()
    (tmp_path / 'link').symlink_to('out')
    (tmp_path / 'other').mkdir()
    places = ['', str(tmp_path / 'out'), str(tmp_path / 'link'), str(tmp_path / 'other'), str(tmp_path / 'gone')]
    assert [folder.is_at(place) for place in places] == [True, True, True, False, False]
