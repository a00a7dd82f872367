"""Sweeps of W&B: the same commands, the same metric, and what does not exist here is named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.foreign.wandb import translate_sweep
from hpsearch.model.configuration import Configuration, from_plain, plain_attributes
from hpsearch.model.trials.distributions import Choice, Distribution, Integer, Normal, Uniform
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from tests.unit.config.foreign.reading import argvs, commands, problems, read

ASHA = {'prune': 'asha', 'grace_period': 1, 'reduction_factor': 3}

KNOWN = (
    'categorical, int_uniform, uniform, q_uniform, normal, q_normal, log_uniform_values, categorical_w_probabilities, '
    'q_log_uniform_values, log_uniform'
)

SWEEP = """
program: train.py
method: grid
metric: {name: val.acc, goal: maximize}
parameters:
  lr: {values: [0.1, 1e-05]}
  epochs: {value: 3}
"""


def test_that_a_sweep_gives_the_commands_of_its_agent(tmp_path: Path) -> None:
    configuration = read(tmp_path, SWEEP)
    assert argvs(configuration) == [
        ('env', 'WANDB_DIR=/s/sim_x_1', 'python3', 'train.py', '--lr=0.1', '--epochs=3'),
        ('env', 'WANDB_DIR=/s/sim_x_2', 'python3', 'train.py', '--lr=1e-05', '--epochs=3'),
    ]
    assert configuration.script == 'train.py'


def test_that_the_metric_is_the_result_and_decides_the_order(tmp_path: Path) -> None:
    configuration = read(tmp_path, SWEEP)
    assert configuration.results == [{'file': '**/run-*.wandb', 'format': 'wandb'}]
    assert (configuration.performance_key, configuration.performance_ascending) == ('val.acc', False)
    assert configuration.make_out_dir, 'W&B uses another folder where its own is missing'
    smaller = read(tmp_path, SWEEP.replace(', goal: maximize', ''))
    assert smaller.performance_ascending, "W&B's default"
    without = read(tmp_path, SWEEP.replace('metric: {name: val.acc, goal: maximize}\n', ''))
    assert (without.results, without.env, without.wants_result) == ([], {}, False)


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        ('${env} python -m pkg.train ${args}', '/usr/bin/env python -m pkg.train --on=False'),
        ('${interpreter} ${program} fit ${args_no_hyphens}', 'python3 train.py fit on=False'),
        ('${env} ${interpreter} ${program} ${args_no_boolean_flags}', 'python3 train.py'),
        ('torchrun --nproc=2 ${program} ${args}', 'torchrun --nproc=2 train.py --on=False'),
        ('${interpreter} ${program} ${args} --seed 3', 'python3 train.py --seed 3 --on=False'),
        ('./run {on} {} ${args}', "./run '{on}' '{}' --on=False"),
    ],
)
def test_that_a_command_is_followed_with_its_macros(tmp_path: Path, command: str, words: str) -> None:
    listed = json.dumps(command.split())
    text = f'program: train.py\nmethod: grid\ncommand: {listed}\nparameters: {{on: {{value: false}}}}\n'
    assert commands(read(tmp_path, text)) == [words]


def test_that_words_behind_the_parameters_are_said_to_be_moved(tmp_path: Path) -> None:
    text = f'{SWEEP}command: [python, "${{args}}", last]\n'
    assert any('words behind ${args} are put before' in note for note in read(tmp_path, text).notes)


def test_that_nested_parameters_are_one_option_as_python_writes_it(tmp_path: Path) -> None:
    text = """
    program: train.py
    method: grid
    parameters:
      opt:
        parameters:
          name: {values: [adam, sgd]}
          more: {parameters: {beta: {value: null}}}
      layers: {values: [[10, 20]]}
    """
    assert [argv[2:] for argv in argvs(read(tmp_path, text))] == [
        ("--opt={'name': 'adam', 'more': {'beta': None}}", '--layers=[10, 20]'),
        ("--opt={'name': 'sgd', 'more': {'beta': None}}", '--layers=[10, 20]'),
    ]


VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False), st.text('a\'" {}=,-é').map(str),
    st.lists(st.integers() | st.text('ab'), max_size=3),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(['a', 'lr', 'x.y']), VALUES, min_size=1))
def test_that_each_value_arrives_as_its_agent_writes_it(values: dict[str, Any]) -> None:
    parameters = {name: {'value': value} for name, value in values.items()}
    found = translate_sweep({'program': 't.py', 'method': 'grid', 'parameters': parameters}).attributes
    styles = {name: found[name] for name in ('arg_style', 'bool_style', 'list_style')}
    configuration = Configuration('', '', grid=found['grid'], script='t.py', out_arg=None, styles=styles)
    (run,) = Plan(configuration, Order(), interpreter='p', search_path=Path('/s'), ident='x').runs()
    assert run.argv[2:] == tuple(f'--{name}={value}' for name, value in values.items())


def test_that_a_range_of_integers_is_written_out(tmp_path: Path) -> None:
    text = (
        'program: t.py\nmethod: grid\nparameters: {a: {min: 2, max: 4}, b: {distribution: categorical, values: [1]}}\n'
    )
    assert read(tmp_path, text).grid == {'a': [2, 3, 4], 'b': [1]}


def test_that_everything_that_does_not_exist_here_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
    program: train.py
    method: annealing
    commmand: []
    metric: {name: loss, goal: down, gaol: 3}
    parameters:
      lr: {distribution: beta, min: 0.0001, max: 0.1}
      depth: {distribution: uniform, min: 8, max: 1}
      seed: 3
      width: {values: [1, 2], probabilities: [0.1]}
      opt: {parameters: {beta: {min: 0.5, max: 1.0}}}
      empty: {}
    early_terminate: {type: envelope}
    command: [python, '${program}', '${args_json_file}', '${envvar:HOME}']
    """
    assert problems(tmp_path, text) == [
        'line 3: commmand: is no key of a sweep that is known here; remove it.',
        "line 2: method: is 'annealing'; grid, random or bayes is expected.",
        f'line 6: parameters.lr: has beta; value, values, or one of {KNOWN} is expected.',
        'line 7: parameters.depth: uniform has 8.0 as low and 1.0 as high; low has to be smaller.',
        'line 8: parameters.seed: is 3; a mapping with value or values is expected.',
        'line 9: parameters.width: categorical has 2 values and 1 weight; as many of each are expected.',
        'line 10: parameters.opt.parameters.beta: is nested and drawn from a range; write what to try: values: [...].',
        f'line 11: parameters.empty: has neither value nor values; value, values, or one of {KNOWN} is expected.',
        "line 12: early_terminate: has type 'envelope'; hyperband with min_iter, max_iter, s and eta is expected.",
        'line 13: command: has none of ${args}, ${args_no_boolean_flags}, ${args_no_hyphens}; parameters can only be '
        'given on the command line.',
        "line 13: command: has '${args_json_file}', which is not supported; write the word itself, or one of ${args}, "
        '${args_no_boolean_flags}, ${args_no_hyphens}.',
        "line 13: command: has '${envvar:HOME}', which is not supported; write the word itself, or one of ${args}, "
        '${args_no_boolean_flags}, ${args_no_hyphens}.',
        'line 4: metric.gaol: is not known; name and goal are expected.',
        "line 4: metric.goal: is 'down'; minimize or maximize is expected.",
    ]


@pytest.mark.parametrize(
    ('parameter', 'expected'),
    [
        ('{min: 0.0, max: 0.5}', Uniform(0.0, 0.5)),
        ('{distribution: uniform, min: 0, max: 1}', Uniform(0.0, 1.0)),
        ('{distribution: log_uniform_values, min: 1e-5, max: 0.1}', Uniform(1e-5, 0.1, log=True)),
        ('{distribution: log_uniform, min: 0, max: 1}', Uniform(1.0, math.e, log=True)),
        ('{distribution: normal, mu: 1, sigma: 2}', Normal(1.0, 2.0)),
        ('{distribution: normal}', Normal(0.0, 1.0)),
        ('{distribution: q_normal, mu: 1, sigma: 2, q: 0.5}', Normal(1.0, 2.0, step=0.5)),
        ('{values: [a, b], probabilities: [0.25, 0.75]}', Choice(('a', 'b'), weights=(0.25, 0.75))),
    ],
)
@pytest.mark.parametrize('method', ['random', 'bayes'])
def test_that_distributions_are_drawn_from(tmp_path: Path, parameter: str, expected: Distribution, method: str) -> None:
    text = f'program: t.py\nmethod: {method}\nrun_cap: 9\nparameters: {{a: {parameter}, b: {{values: [1, 2]}}}}\n'
    configuration = read(tmp_path, text)
    assert configuration.distributions == {'a': expected}
    assert configuration.grid['b'] == [1, 2]
    assert configuration.suggested == {'search': 'tpe' if method == 'bayes' else 'random', 'max_trials': 9}


def test_that_multiples_between_logarithms_are_as_likely_as_what_is_rounded_to_them(tmp_path: Path) -> None:
    parameter = '{distribution: q_log_uniform_values, q: 8, min: 32, max: 256}'
    configuration = read(tmp_path, f'program: t.py\nmethod: random\nparameters: {{a: {parameter}}}\n')
    batch_size = configuration.distributions['a']
    assert isinstance(batch_size, Choice)
    assert (batch_size.values[0], batch_size.values[1], batch_size.values[-1]) == (32, 40, 256)
    assert batch_size.ordered
    assert sum(batch_size.weights[:12]) == pytest.approx(math.log(124 / 32) / math.log(256 / 32))


def test_that_a_bayesian_sweep_has_ranges_of_integers_and_a_random_one_lists(tmp_path: Path) -> None:
    text = 'program: t.py\nmethod: bayes\nmetric: {name: loss, target: 0.1}\nparameters: {a: {min: 1, max: 4}}\n'
    configuration = read(tmp_path, text)
    assert configuration.distributions == {'a': Integer(1, 4)}
    assert configuration.suggested == {'search': 'tpe', 'target': 0.1}
    assert configuration.notes == [
        'W&B sweep: method: bayes is --search=tpe here; a Gaussian process, as W&B has, is --search=gp.'
    ]
    assert read(tmp_path, text.replace('bayes', 'random')).grid == {'a': [1, 2, 3, 4]}


def test_that_values_with_steps_are_a_list_where_each_is_as_likely(tmp_path: Path) -> None:
    text = 'program: t.py\nmethod: grid\nparameters: {a: {distribution: q_uniform, q: 0.25, min: 0, max: 1}}\n'
    assert read(tmp_path, text).grid == {'a': [0.0, 0.25, 0.5, 0.75, 1.0]}


def test_that_a_grid_of_a_range_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'program: t.py\nmethod: grid\nparameters: {a: {min: 0.5, max: 1}}\n')
    assert problem == 'line 2: method: is grid, and a value is drawn from a range; random or bayes is expected.'


@pytest.mark.parametrize(
    ('stop', 'expected'),
    [
        ('{type: hyperband, min_iter: 3}', {'grace_period': 3, 'reduction_factor': 3}),
        ('{type: hyperband, min_iter: 2, eta: 4}', {'grace_period': 2, 'reduction_factor': 4}),
        (
            '{type: hyperband, max_iter: 27, s: 2, eta: 3}',
            {'grace_period': 3, 'reduction_factor': 3, 'max_resource': 27},
        ),
    ],
)
def test_that_early_termination_is_a_pruner(tmp_path: Path, stop: str, expected: dict[str, int]) -> None:
    configuration = read(tmp_path, f'{SWEEP.replace("grid", "bayes")}early_terminate: {stop}\n')
    assert configuration.suggested == {'search': 'tpe', 'prune': 'asha', **expected}


def test_that_texts_with_weights_arrive_as_they_are(tmp_path: Path) -> None:
    parameter = """{values: ["'a'", b], probabilities: [0.5, 0.5]}"""
    configuration = read(tmp_path, f'program: t.py\nmethod: bayes\nparameters: {{a: {parameter}}}\n')
    assert list(configuration.grid['a']) == ["''a''", 'b']


def test_that_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'method: grid\nparameters: {a: {value: 1}}\n')
    assert problem.endswith('program: needs program, the path of the script, which is missing.')


def test_that_what_has_no_effect_is_told_by_the_plan_and_kept(tmp_path: Path) -> None:
    text = SWEEP.replace('grid', 'random') + 'run_cap: 7\nname: a\nproject: b\nearly_terminate: {type: hyperband}\n'
    configuration = read(tmp_path, text.replace('epochs: {value: 3}', 'on: {values: [yes, true]}'))
    plan = Plan(configuration, Order(), interpreter='p', search_path=Path('/s'), ident='x')
    assert [warning for warning in plan.warnings() if warning.startswith('W&B sweep: ')] == [
        'W&B sweep: method: each combination is run once, in a random order; give --num_searches=N to run N of them.',
        "W&B sweep: on: 'yes' is a word here, as in YAML 1.2; to mean True or False, write true or false.",
        'W&B sweep: name, project: not used here.',
    ]
    assert configuration.suggested == {'search': 'random', 'max_trials': 7, **ASHA}
    assert list(from_plain(plain_attributes(configuration)).notes) == list(configuration.notes)


def test_that_our_own_attributes_in_a_sweep_win(tmp_path: Path) -> None:
    own = (
        'x-hpsearch:\n  result: "stdout: acc=([0-9.]+)"\n  out_arg: out\n  command: [./a]\n  performance_key: result\n'
    )
    configuration = read(tmp_path, f'{SWEEP}{own}')
    assert configuration.results == [{'stdout': 'acc=([0-9.]+)'}]
    assert (configuration.out_arg, configuration.command, configuration.script) == ('out', ['./a'], None)
    (problem,) = problems(tmp_path, f'{SWEEP}x-hpsearch:\n  reslt: 3\n')
    assert problem == 'line 8: reslt: is not an attribute of a configuration; did you mean result?'


def test_that_a_grid_of_ours_with_such_keys_is_no_sweep(tmp_path: Path) -> None:
    found = problems(tmp_path, 'grid: {a: [1]}\nscript_name: t.py\nmethod: grid\nparameters: {}\n')
    assert [problem.partition(': ')[2].partition(':')[0] for problem in found] == ['method', 'parameters']
