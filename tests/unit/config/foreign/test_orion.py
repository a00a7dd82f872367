"""Configurations of Oríon with the command of a hunt: choices are a grid, and what is drawn is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.config.foreign.reading import argvs, problems, read

LATER = ' is not supported yet. Write what to try: choices([...]).'

HEAD = 'experiment: {name: mnist, max_trials: 20}\ndatabase: {type: pickleddb}\n'


def hunt(*words: str, head: str = HEAD) -> str:
    """Return a configuration with the words behind ``orion hunt``."""
    return f'{head}x-hpsearch:\n  command: {json.dumps(words)}\n'


@pytest.mark.parametrize(
    ('words', 'first'),
    [
        (['python', 'main.py', '--lr~choices([0.1, 0.01])'], ['python', 'main.py', '--lr', '0.1']),
        (['./main', '--lr', 'orion~choices([0.1, 0.01])'], ['./main', '--lr', '0.1']),
        (['./main', '--lr=orion~choices([0.1, 0.01])', 'last'], ['./main', '--lr=0.1', 'last']),
        (['./main', '-x~choices(["a b", True])', '--fixed', '3'], ['./main', '-x', 'a b', '--fixed', '3']),
        (['./main', '--n~choices([[1, 2]])'], ['./main', '--n', '[1, 2]']),
        (['./main', '--on~choices(False, True, default_value=True)'], ['./main', '--on', 'False']),
        (['./main', '{trial.working_dir}', '--a~choices([1])'], ['./main', '/s/sim_x_1', '--a', '1']),
    ],
)
def test_that_choices_in_a_command_are_filled_in(tmp_path: Path, words: list[str], first: list[str]) -> None:
    assert list(argvs(read(tmp_path, hunt(*words)))[0]) == first


@pytest.mark.parametrize('words', [['--config', 'space.yaml'], ['--config=space.yaml']])
def test_that_a_space_file_is_the_template_of_a_file_for_each_run(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / 'space.yaml').write_text(
        'lr: "orion~choices([0.1, 0.2])"\nmodel: {act: "orion~choices([\'relu\'])", n: 3}\n'
    )
    configuration = read(tmp_path, hunt('python', 'main.py', *words, '--seed~choices([1, 2])'))
    assert configuration.grid == {'lr': [0.1, 0.2], 'model.act': ['relu'], 'seed': [1, 2]}
    assert configuration.config_arg == 'config'
    assert 'n: 3' in configuration.config_template
    assert configuration.command == ['python', 'main.py', '--seed', '{seed}']


def test_that_the_option_of_the_space_file_is_that_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / 'space.json').write_text(json.dumps({'lr': 'orion~choices([0.1])'}))
    head = f'{HEAD}worker: {{user_script_config: params}}\n'
    configuration = read(tmp_path, hunt('./main', '--params', 'space.json', '--config', 'other.txt', head=head))
    assert (configuration.config_arg, configuration.command) == ('params', ['./main', '--config', 'other.txt'])


def test_that_a_file_without_priors_is_passed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / 'c.yaml').write_text('lr: 3\n')
    words = ['./main', '--config', 'c.yaml', '--a', '1']
    configuration = read(tmp_path, hunt(*words, '--b~choices([1])'))
    assert (configuration.command, configuration.config_template) == ([*words, '--b', '{b}'], '')


def test_that_the_result_is_what_the_client_reports_and_smaller_is_better(tmp_path: Path) -> None:
    configuration = read(tmp_path, hunt('./main', '--b~choices([1])'))
    assert configuration.results == [{'format': 'orion'}]
    assert (configuration.performance_key, configuration.performance_ascending) == ('objective', True)
    assert configuration.notes == [
        'Oríon: experiment.max_trials: give --num_searches=20 to run 20 combinations at most.',
        'Oríon: experiment.name: not used here.',
        'Oríon: database: not used here.',
    ]


def test_that_everything_that_does_not_exist_here_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / 'space.yaml').write_text('a: "orion~uniform(0, 1)"\nb: "orion~fidelity(1, 9)"\n')
    head = 'experiment:\n  algorithms: {tpe: {seed: 1}}\n'
    words = [
        '--config=space.yaml',
        '--c~choices({"x": 0.1})',
        '--d~choices([1], shape=2)',
        '--e~choices([',
        'orion~choices([1])',
    ]
    assert problems(tmp_path, hunt('./main', *words, head=head)) == [
        'line 2: experiment.algorithms: is tpe, which is not supported; random or gridsearch is expected.',
        'line 4: x-hpsearch.command: space.yaml: a: drawing from uniform(0, 1)' + LATER,
        'line 4: x-hpsearch.command: space.yaml: b: drawing from fidelity(1, 9)' + LATER,
        'line 4: x-hpsearch.command: c: probabilities are not supported: each value is as likely. Write a list.',
        'line 4: x-hpsearch.command: d: shape is not supported.',
        "line 4: x-hpsearch.command: e: 'choices([' cannot be read; choices([...]) is expected.",
        "line 4: x-hpsearch.command: has 'orion~choices([1])' without an option before it, which is its name.",
    ]


def test_that_a_command_that_is_missing_or_has_no_priors_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, HEAD)
    assert problem == (
        'line 1: experiment: does not say what to run; add, as a list below x-hpsearch: command:, the words that '
        'follow "orion hunt".'
    )
    (problem,) = problems(tmp_path, hunt('./main', '--a', '1'))
    assert problem == 'line 4: x-hpsearch.command: has no priors, and no space file with some.'
    (problem,) = problems(tmp_path, hunt('./main', '--config', 'gone.yaml'))
    assert problem == f'line 4: x-hpsearch.command: gone.yaml: there is no file {tmp_path}/gone.yaml.'
