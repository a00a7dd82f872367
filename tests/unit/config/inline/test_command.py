"""Commands that are configurations themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpsearch.config.inline.command import FILE_NAME, files_of
from hpsearch.config.inline.hunt import CommandLine
from hpsearch.config.inline.objective import given_results
from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration, plain_attributes
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Choice, Drawn, Uniform
from tests.unit.config.foreign.reading import argvs


def load(folder: Path, *words: str) -> Configuration:
    """Return the configuration that a command is."""
    return load_configuration('', cwd=folder, command=CommandLine(words))


def problems(folder: Path, *words: str) -> list[str]:
    """Return what is said about a command."""
    with pytest.raises(ConfigError) as caught:
        load(folder, *words)
    return list(caught.value.problems)


def last_command(folder: Path, *words: str) -> list[str]:
    """Return the last command of the grid of a command."""
    return list(argvs(load(folder, *words))[-1])


@pytest.mark.parametrize(
    ('words', 'command'),
    [
        (['python', 'm.py', '--lr~[0.1,1e-3]', 'x'], ['python', 'm.py', '--lr', '0.001', 'x']),
        (['./m', '--a=orion~[sgd, adam]', '--b', '1'], ['./m', '--a=adam', '--b', '1']),
        (['./m', 'a.b~["x y", null]'], ['./m', 'a.b=null']),
        (['./m', 'on~[true, false]'], ['./m', 'on=false']),
        (['./m', '--on~[false, true]', '--b', '1'], ['./m', '--b', '1', '--on']),
        (['./m', '-v~[true,false]', '--b', '1'], ['./m', '--b', '1']),
        (['./m', '--on=orion~[false, true]', 'z'], ['./m', 'z', '--on']),
        (['./m', '--n', 'orion~[[1,2], [3,4]]', 'z'], ['./m', 'z', '--n', '3', '4']),
        (['./m', '-n~[[1,2], [3,4]]', 'z'], ['./m', 'z', '-n', '3', '4']),
        (['./m', '--lr~[1,2]', '--name', 'a_{lr}_{run}'], ['./m', '--lr', '2', '--name', 'a_2_sim_x_2']),
        (['./m', '--lr~[1]', '{"a": 1}', '${lr}'], ['./m', '--lr', '1', '{"a": 1}', '${lr}']),
    ],
)
def test_that_a_command_is_a_grid_and_its_other_words_stay(
    tmp_path: Path, words: list[str], command: list[str]
) -> None:
    assert last_command(tmp_path, *words) == command


def test_that_a_distribution_is_in_the_notation_of_its_mark_and_a_plain_choice_is_a_list(tmp_path: Path) -> None:
    words = [
        '--a~loguniform(1e-5, 1)',
        '--b=orion~uniform(0, 1)',
        '--c~choices(["x", "y"])',
        '--d~choice({"x": 3, "y": 1})',
    ]
    grid = load(tmp_path, './m', *words).grid
    assert grid['a'] == Drawn(Uniform(1e-5, 1.0, log=True))
    assert grid['b'] == Drawn(Uniform(0.0, 1.0, precision=4))
    assert grid['c'] == ['x', 'y']
    assert grid['d'] == Drawn(Choice(('x', 'y'), weights=(0.75, 0.25)))


def test_that_a_word_with_a_wrong_distribution_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, './m', '--a~unifrom(1, 2)', '--b~loguniform(0, 1)') == [
        "a: is 'unifrom(1, 2)'; a list of values is expected; did you mean uniform?",
        "b: 'loguniform(0, 1)' has 0.0 as low; its logarithm is drawn from, so low has to be above 0.",
    ]


def test_that_neither_an_output_option_nor_a_summary_is_expected(tmp_path: Path) -> None:
    configuration = load(tmp_path, './m', '--a~[1]')
    assert (configuration.out_arg, configuration.wants_result, configuration.make_out_dir) == (None, False, False)


def test_that_an_output_folder_that_a_command_names_is_made(tmp_path: Path) -> None:
    assert load(tmp_path, './m', '--a~[1]', '--to={out_dir}').make_out_dir


def test_that_a_python_script_that_is_no_program_gets_an_interpreter(tmp_path: Path) -> None:
    script = tmp_path / 'm.py'
    script.touch(0o644)
    assert last_command(tmp_path, 'm.py', '--a~[1]') == ['python3', 'm.py', '--a', '1']
    script.chmod(0o755)
    assert last_command(tmp_path, './m.py', '--a~[1]') == ['./m.py', '--a', '1']


@pytest.mark.parametrize('words', [['--config', 'c/space.json'], ['--config=c/space.json'], ['c/space.json', 'last']])
def test_that_a_file_with_something_to_search_is_written_for_each_run(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / 'c').mkdir()
    space = {'m': {'lr': 'orion~[1, 2]', 'd': 'uniform(1, 2)'}, 'n': 3, 'd': '~/data'}
    (tmp_path / 'c' / 'space.json').write_text(json.dumps(space))
    configuration = load(tmp_path, './m', *words, '--seed~[5]')
    assert configuration.grid == {'seed': [5], 'm.lr': [1, 2], 'm.d': Drawn(Uniform(1.0, 2.0))}
    run = argvs(configuration)[1]
    place = '/s/jobs/sim_x_2/config.json'
    assert list(run) == ['./m', *(word.replace('c/space.json', place) for word in words), '--seed', '5']


def test_that_a_file_without_anything_to_search_is_a_word_like_any_other(tmp_path: Path) -> None:
    (tmp_path / 'c.yaml').write_text('lr: 3\nother: "uniformly(1, 2)"\n')
    (tmp_path / 'broken.json').write_text('{')
    assert last_command(tmp_path, './m', 'c.yaml', 'broken.json', '--a~[1]') == [
        './m',
        'c.yaml',
        'broken.json',
        '--a',
        '1',
    ]


def test_that_every_problem_of_a_command_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text('{"lr": "orion~[1]", "n": ["orion~[1]"]}')
    (tmp_path / 'b.yaml').write_text('lr: "orion~[1]"\n')
    assert problems(tmp_path, './m', 'a.json', 'b.yaml', '--lr~[1', '--lr~[2]', '--x~[1, {]') == [
        "a.json: 'orion~[1]' is in a list, where nothing can be searched; name the list itself.",
        'b.yaml: has something to search, as a.json has; it must be in one file.',
        "'--lr~[2]': lr is searched twice; keep one.",
        "x: '[1, {]' is no list: expected the node content, but found ']'.",
        'a.json: lr is searched in the command, too; keep one.',
    ]


def test_that_a_command_in_which_nothing_is_searched_is_told_how(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'python', 'm.py', '--lr', '1')
    assert problem.startswith(
        "python m.py --lr 1: nothing is to be searched; write a tilde behind an option, as in --lr~'"
    )


def test_that_a_file_of_an_unknown_format_that_is_to_be_searched_is_named(tmp_path: Path) -> None:
    (tmp_path / 'broken.yaml').write_text('lr: orion~[1\n x: [')
    (problem,) = problems(tmp_path, './m', 'broken.yaml', '--a~[1]')
    assert problem.startswith("broken.yaml: is '") and 'which is no YAML' in problem


def test_that_the_configuration_that_is_written_says_the_same(tmp_path: Path) -> None:
    (tmp_path / 'c.json').write_text('{"lr": "orion~[1, .inf]"}')
    words = ['./m', 'c.json', '--t~["on", "1e3", 1e3, null]', '--b', 'é "x"\n{out_dir}', '--c=1']
    results = given_results([], ['stdout:acc=(.*)'], ['minimize'])
    out = tmp_path / 'out'
    out.mkdir()
    for name, content in files_of(CommandLine(words), tmp_path, results, {}, 'hpsearch run\n-- ./m').items():
        (out / name).write_bytes(content)
    written = plain_attributes(load_configuration(str(out / FILE_NAME), cwd=Path('/')))
    given = plain_attributes(load_configuration('', cwd=tmp_path, command=CommandLine(words), results=results))
    assert {**written, 'source': '', 'sha256': ''} == {**given, 'source': '', 'sha256': ''}


@pytest.mark.parametrize(
    ('words', 'result', 'is_told'),
    [
        (['./m', '--a~[1]'], 'lightning', False),
        (['./m', '--a~[1]'], 'metrics.csv', False),
        (['./m', '--a~[1]', '--to={out_dir}/x'], 'metrics.csv', True),
        (['env', 'TO={out_dir}', './m', '--a~[1]'], 'metrics.csv', True),
        (['./m', '--a~[1]'], 'wandb', False),
        (['env', 'WANDB_DIR={out_dir}', './m', '--a~[1]'], 'wandb', True),
        (['./m', '--a~[1]'], 'stdout:acc=(.*)', True),
    ],
)
def test_that_a_file_is_looked_for_only_where_the_script_is_told_to_put_it(
    tmp_path: Path, words: list[str], result: str, is_told: bool
) -> None:
    results = given_results([result], [], [])
    try:
        load_configuration('', cwd=tmp_path, command=CommandLine(words), results=results)
    except ConfigError as error:
        assert not is_told and '{out_dir}' in str(error)
    else:
        assert is_told


def test_that_a_missing_file_is_named_where_nothing_is_searched(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'python', 'm.py', '--config=spce.json', '--data', 'here.yaml')
    assert 'nothing is to be searched; there is no file spce.json either; write a tilde' in problem
