"""Configurations of Oríon with the command of a hunt: choices are a grid, and what is drawn is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.trials.distributions import Choice, Drawn, Fidelity, Integer, Normal, Uniform
from tests.unit.config.foreign.reading import argvs, problems, read

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
    assert 'n: 3' in configuration.config_template
    file = [word.replace('space.yaml', '{config}') for word in words]
    assert configuration.command == ['python', 'main.py', *file, '--seed', '{seed}']


def test_that_the_option_of_the_space_file_is_that_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / 'space.json').write_text(json.dumps({'lr': 'orion~choices([0.1])'}))
    head = f'{HEAD}worker: {{user_script_config: params}}\n'
    configuration = read(tmp_path, hunt('./main', '--params', 'space.json', '--config', 'other.txt', head=head))
    assert configuration.command == ['./main', '--params', '{config}', '--config', 'other.txt']


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
        'Oríon: database: not used here.',
    ]


def test_that_priors_are_distributions_in_the_notation_of_orion(tmp_path: Path) -> None:
    (tmp_path / 'space.yaml').write_text('a: "orion~uniform(0, 1)"\nb: "orion~fidelity(1, 9)"\nc: "uniform(0, 1)"\n')
    words = ['--config=space.yaml', '--d~randint(2, 5)', '--e~choices({"x": 0.25, "y": 0.75})', 'orion~normal(0, 1)']
    grid = read(tmp_path, hunt('./main', *words)).grid
    assert grid == {
        'a': Drawn(Uniform(0.0, 1.0, precision=4)),
        'b': Drawn(Fidelity(1, 9, 2)),
        'd': Drawn(Integer(2, 4)),
        'e': Drawn(Choice(('x', 'y'), weights=(0.25, 0.75))),
        '_pos_0': Drawn(Normal(0.0, 1.0, precision=4)),
    }


def test_that_placeholders_of_trials_and_experiments_are_ours(tmp_path: Path) -> None:
    words = ['--a~choices([1])', '{exp.working_dir}/{trial.id}', '{exp.name}-v{exp.version}-{trial.hash_params}']
    command = read(tmp_path, hunt('./main', *words)).command
    assert command == ['./main', '--a', '{a}', '{out_dir}', 'mnist-v1-{run}']


@pytest.mark.parametrize(
    ('experiment', 'worker', 'suggested'),
    [
        ('algorithms: random', '{}', {'search': 'random'}),
        ('max_trials: 10, max_broken: 2', '{}', {'search': 'random', 'max_trials': 10, 'max_broken': 2}),
        ('algorithm: {gridsearch: {n_values: 3}}', '{}', {'search': 'grid'}),
        (
            'algorithms: {tpe: {seed: 3, n_initial_points: 5, gamma: 0.2}}',
            '{n_workers: 3, idle_timeout: 60}',
            {'search': 'tpe', 'random_seed': 3, 'search_options': ('n_startup_trials=5',), 'n_workers': 3},
        ),
        ('algorithm: {type: asha, num_brackets: 1, seed: null}', '{}', {'search': 'random', 'prune': 'asha'}),
        ('algorithms: hyperband', '{}', {'search': 'random', 'prune': 'hyperband'}),
        ('algorithms: {robo_gp: {}}', '{}', {'search': 'gp'}),
    ],
)
def test_that_an_experiment_suggests_options_of_the_same_meaning(
    tmp_path: Path, experiment: str, worker: str, suggested: dict[str, Any]
) -> None:
    head = f'experiment: {{{experiment}}}\nworker: {worker}\n'
    configuration = read(tmp_path, hunt('./main', '--a~uniform(0, 1)', head=head))
    assert configuration.suggested == suggested


def test_that_what_has_no_effect_is_named(tmp_path: Path) -> None:
    head = 'experiment: {algorithms: {tpe: {gamma: 0.2, seed: null}}, user: me}\nworker: {heartbeat: 3}\nevc: {}\n'
    assert read(tmp_path, hunt('./main', '--a~uniform(0, 1)', head=head)).notes == [
        'Oríon: experiment.algorithms.gamma: not used here.',
        'Oríon: experiment.user: not used here.',
        'Oríon: worker.heartbeat: not used here.',
        'Oríon: evc: not used here.',
    ]


def test_that_an_algorithm_that_is_not_here_is_told_with_what_is_nearest(tmp_path: Path) -> None:
    head = 'experiment:\n  algorithms: {bohb: {seed: 1}}\n'
    assert read(tmp_path, hunt('./main', '--a~uniform(0, 1)', head=head)).suggested['problem'] == (
        'experiment.algorithms: bohb is not here; give what is nearest: --search=tpe --prune=hyperband.'
    )


def test_that_everything_that_cannot_be_read_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / 'space.yaml').write_text('a: "orion~unifrom(0, 1)"\n')
    words = ['--config=space.yaml', '--d~choices([1], shape=2)', '--e~choices([', '--d~choices([1])']
    head = 'experiment:\n  max_trials: many\n'
    assert problems(tmp_path, hunt('./main', *words, head=head)) == [
        "line 4: x-hpsearch.command: has '--d~choices([1])': d is searched twice; keep one.",
        "line 4: x-hpsearch.command: a: 'unifrom(0, 1)' is none of uniform, loguniform, randint, normal, choice, "
        'fidelity; did you mean uniform?',
        "line 4: x-hpsearch.command: e: 'choices([' is no call of a function; a text such as loguniform(1e-5, 1.0) is "
        'expected.',
        "line 2: experiment.max_trials: is 'many'; a whole number above 0 is expected.",
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
