"""Configurations of SEML: the configurations that it makes, as words that Sacred reads, and what is named."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.foreign.seml import translate_seml
from hpsearch.model.configuration import Configuration, Params
from hpsearch.space.grid import Space
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from tests.unit.config.foreign.reading import argvs, problems, read

HEAD = 'seml: {executable: train.py}\n'


def params(configuration: Configuration) -> list[Params]:
    """Return the parameters of the runs in the order of the grid."""
    space = Space(configuration.grid, rows=configuration.rows, zipped=configuration.zipped)
    return list(space.expand(Order(deterministic=True)))


def test_that_fixed_and_grid_are_words_of_sacred(tmp_path: Path) -> None:
    text = f"""{HEAD}
fixed:
  epochs: 500
  model: {{name: gcn, sizes: [16]}}
grid:
  lr: {{type: choice, options: [0.1, 0.01]}}
"""
    assert argvs(read(tmp_path, text)) == [
        ('python3', 'train.py', 'with', 'epochs=500', 'model.name=gcn', 'model.sizes=[16]', 'lr=0.1'),
        ('python3', 'train.py', 'with', 'epochs=500', 'model.name=gcn', 'model.sizes=[16]', 'lr=0.01'),
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('a1\'"[]= '),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(['a', 'b']), inner, max_size=2),
    max_leaves=4,
)


def read_by_sacred(text: str) -> Any:
    """Return what Sacred makes of a value on the command line."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


@given(VALUES)
def test_that_sacred_reads_the_value_of_the_file(value: Any) -> None:
    content = {'seml': {'executable': 't.py'}, 'grid': {'x': {'type': 'choice', 'options': [value]}}}
    found = translate_seml(content, Path('/nowhere')).attributes
    styles = {name: found[name] for name in ('arg_style', 'bool_style', 'list_style')}
    configuration = Configuration('', '', grid=found['grid'], script='t.py', out_arg=None, styles=styles)
    (run,) = Plan(configuration, Order(), interpreter='p', search_path=Path('/s'), ident='x').runs()
    name, _, text = run.argv[-1].partition('=')
    assert (name, read_by_sacred(text)) == ('x', value)


def test_that_the_executable_is_found_in_the_root_of_the_project_or_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / 'src').mkdir()
    text = 'seml: {executable: train.py, project_root_dir: src}\nfixed: {a: 1}\n'
    assert read(tmp_path, text).script == 'train.py', 'it is in neither'
    (tmp_path / 'train.py').touch()
    assert read(tmp_path, text).script == f'{tmp_path}/train.py'
    (tmp_path / 'src' / 'train.py').touch()
    assert read(tmp_path, text).script == f'{tmp_path}/src/train.py'


RANGES = [
    ({'type': 'range', 'min': 1, 'max': 10, 'step': 3}, np.arange(1, 10, 3)),
    ({'type': 'range', 'min': 0.1, 'max': 0.65, 'step': 0.1}, np.arange(0.1, 0.65, 0.1)),
    ({'type': 'uniform', 'min': 0.0, 'max': 0.7, 'num': 5}, np.linspace(0.0, 0.7, 5)),
    ({'type': 'uniform', 'min': 2, 'max': 3, 'num': 1}, np.linspace(2, 3, 1)),
    ({'type': 'loguniform', 'min': 1e-5, 'max': 1e-1, 'num': 5}, np.logspace(-5, -1, 5)),
]


@pytest.mark.parametrize(('parameter', 'values'), RANGES)
def test_that_series_are_those_of_numpy(tmp_path: Path, parameter: dict[str, Any], values: Any) -> None:
    found = read(tmp_path, f'{HEAD}grid: {{x: {parameter}}}\n'.replace("'", '')).grid['x']
    assert found == pytest.approx(values.tolist(), rel=1e-12)
    assert [type(value) for value in found] == [type(value) for value in values.tolist()]


def test_that_parameters_with_one_zip_id_take_their_values_together(tmp_path: Path) -> None:
    text = f"""{HEAD}
grid:
  lr: {{type: choice, options: [0.1, 0.2], zip_id: a}}
  seed: {{type: range, min: 0, max: 2, step: 1}}
  size:
    batch: {{type: choice, options: [8, 16], zip_id: a}}
"""
    configuration = read(tmp_path, text)
    assert configuration.zipped == [['lr', 'size.batch']]
    assert params(configuration) == [
        {'lr': lr, 'size.batch': batch, 'seed': seed} for lr, batch in [(0.1, 8), (0.2, 16)] for seed in (0, 1)
    ]


def test_that_sub_configurations_override_and_only_the_innermost_are_run(tmp_path: Path) -> None:
    text = f"""{HEAD}
fixed: {{epochs: 5}}
grid:
  lr: {{type: choice, options: [0.1, 0.2]}}
small:
  grid:
    size: {{type: choice, options: [1, 2], zip_id: z}}
    depth: {{type: choice, options: [3, 4], zip_id: z}}
large:
  fixed: {{lr: 0.5}}
  long:
    fixed: {{epochs: 9}}
  short:
    fixed: {{epochs: 2}}
    grid:
      size: {{type: choice, options: [7]}}
"""
    assert params(read(tmp_path, text)) == [
        {'epochs': 5, 'lr': 0.1, 'size': 1, 'depth': 3},
        {'epochs': 5, 'lr': 0.2, 'size': 1, 'depth': 3},
        {'epochs': 5, 'lr': 0.1, 'size': 2, 'depth': 4},
        {'epochs': 5, 'lr': 0.2, 'size': 2, 'depth': 4},
        {'epochs': 9, 'lr': 0.5},
        {'epochs': 2, 'lr': 0.5, 'size': 7},
    ]


def test_that_a_collection_of_parameters_is_names_with_dots(tmp_path: Path) -> None:
    collection = '{type: parameter_collection, params: {lr: {type: choice, options: [1]}}}'
    assert read(tmp_path, f'{HEAD}grid: {{optim: {collection}}}\n').grid == {'optim.lr': [1]}


def test_that_everything_that_does_not_exist_here_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
    seml: {name: x}
    epochs: 3
    fixed: {a: 1, +named: b, c: '${fixed.a}'}
    grid:
      a: {type: choice, options: [1, 2]}
      b: {type: normal, mean: 0}
      x: {type: range, min: 0, max: 5}
      d: {type: choice, options: 3}
      e: [1, 2]
      f: {type: loguniform, min: 0, max: 1, num: 3}
      g: {type: uniform, min: 0, max: 1, num: 3, step: 4, zip_id: 1}
      h: {type: choice, options: [1, 2], zip_id: 1}
    random:
      samples: 3
      lr: {type: uniform, min: 1, max: 0}
      a: {type: normal, min: 0, max: 1}
      i: {type: randint, min: 0}
      j: {type: choice, options: []}
      d: {type: loguniform, min: 1, max: 2, num: 3}
      k: 3
    sub: {random: {samples: 0, x: {type: randint, min: 0, max: 9}}}
    """
    assert problems(tmp_path, text) == [
        'line 1: seml.executable: is missing; the path of the script is expected.',
        "line 6: grid.b: has the type 'normal'; one of choice, range, uniform, loguniform is expected.",
        'line 7: grid.x: has None as step; a number is expected.',
        'line 8: grid.d: has 3 as options; a list of values is expected.',
        'line 9: grid.e: is [1, 2]; a mapping with a type is expected.',
        'line 10: grid.f: has a min or max that is not above 0.',
        'line 11: grid.g: has step; min, max, num are expected.',
        'line 5: grid.a: is in fixed, too; keep one of them.',
        'line 15: random.lr: has 1.0 as low and 0.0 as high; low has to be smaller.',
        "line 16: random.a: has the type 'normal'; one of choice, uniform, loguniform, randint is expected.",
        'line 17: random.i: has None as max; a number is expected.',
        'line 18: random.j: has [] as options; a list of values is expected.',
        'line 19: random.d: has num; min, max are expected.',
        'line 20: random.k: is 3; a mapping with a type is expected.',
        'line 19: random.d: is in fixed or grid, too; keep one of them.',
        'line 3: fixed.+named: is a named configuration, which is not supported.',
        'line 3: fixed.c: refers to another entry, which is not supported; write its value.',
        'line 2: epochs: is no section; fixed, grid, or a sub-configuration with these is expected.',
        'line 21: sub.random: has 0 as samples; an integer from 1 to 1000000 is expected.',
        "line 4: grid: has 3 of 'g', 2 of 'h' with one zip_id; as many values of each are expected.",
    ]


def test_that_random_parameters_are_drawn_together_for_each_combination(tmp_path: Path) -> None:
    text = f"""\
{HEAD}grid:
  depth: {{type: choice, options: [1, 2]}}
random:
  samples: 3
  seed: 7
  lr: {{type: loguniform, min: 0.001, max: 0.1}}
  opt:
    type: parameter_collection
    params:
      units: {{type: randint, min: 1, max: 3, seed: 5}}
      name: {{type: choice, options: [sgd, adam]}}
"""
    found = params(read(tmp_path, text))
    assert len(found) == 6
    draws = [(each['lr'], each['opt.units'], each['opt.name']) for each in found]
    assert draws[:3] == draws[3:]
    assert len(set(draws)) == 3
    assert all(0.001 <= lr <= 0.1 and units in (1, 2) and name in ('sgd', 'adam') for lr, units, name in draws)
    assert params(read(tmp_path, text)) == found, 'the same each time it is read'
    other = params(read(tmp_path, text.replace('seed: 7', 'seed: 8')))
    assert [each['opt.units'] for each in other] == [each['opt.units'] for each in found], 'it has its own seed'
    assert [each['lr'] for each in other] != [each['lr'] for each in found]


def test_that_random_on_two_levels_is_refused(tmp_path: Path) -> None:
    random = '{samples: 2, %s: {type: randint, min: 0, max: 9}}'
    (problem,) = problems(tmp_path, f'{HEAD}random: {random % "a"}\nsub: {{random: {random % "b"}}}\n')
    assert problem.endswith('random: is in a sub-configuration, too; keep one of them.')


def test_that_what_has_no_effect_is_told(tmp_path: Path) -> None:
    text = """\
    seml: {executable: t.py, name: a, output_dir: b, conda_environment: c}
    slurm: {sbatch_options: {mem: 16G}}
    fixed: {a: 1}
    """
    assert read(tmp_path, text).notes == [
        'SEML: seml.name, seml.output_dir: not used here.',
        'SEML: seml.conda_environment: not used here; give --python instead.',
        'SEML: slurm: not used here; for a cluster, give --run_cluster and the options of its jobs.',
        'SEML: seml: results are read where _RESULT says, not from a database.',
    ]
