"""The configuration: where it comes from, what is checked, what replaces it."""

from __future__ import annotations

import collections
import json
import os
import pickle
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.loading import load_configuration
from hpsearch.config.safe_pickle import load_plain_pickle, plain_pickle
from hpsearch.config.yaml_file import parse_yaml
from hpsearch.model.command import plain
from hpsearch.model.configuration import Configuration, Not, from_plain, plain_attributes
from hpsearch.model.errors import ConfigError
from hpsearch.model.logs.out_of_memory import problem_of
from hpsearch.model.run import decode_run, encode_run
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from tests.fakes.odd_values import ODD

MODULE = """
grid = {'lr': [0.1, 1e-08], 'hidden': ['200,200', '"400,400"'], 'flag': [True, False]}
conditions = [({'lr': [0.1]}, {'hidden': ['""'], 'new': [-1]})]
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'loss', 'finished']
_SUMMARY_PARSER_HANDLE = None
_OUT_ARG = 'out_dir'
_PERFORMANCE_EVAL_HANDLE = lambda summary, criteria: True
_PERFORMANCE_KEY = 'loss'
_PERFORMANCE_SORT_ASC = True
_ARGPARSE_HANDLE = print
"""

YAML = """
grid:
  lr: [0.1, 1e-08]
  hidden: ['200,200', '"400,400"']
  flag: [true, false]
conditions:
  - when: {lr: [0.1]}
    then: {hidden: ['""'], new: [-1]}
script_name: train.py
summary_filename: performance_overview.txt
summary_keywords: [acc, loss, finished]
performance_key: loss
_PERFORMANCE_SORT_ASC: true
"""


@pytest.fixture(autouse=True)
def fresh_imports(tmp_path: Path) -> Iterator[None]:
    """Forget the modules that a test made."""
    path = list(sys.path)
    yield
    made = [name for name, module in sys.modules.items() if is_made_in(tmp_path, module)]
    for name in made:
        del sys.modules[name]
    sys.path[:] = path


def is_made_in(folder: Path, module: Any) -> bool:
    """Say whether a module or namespace package is in a folder."""
    paths = getattr(module, '__path__', ())
    places = [getattr(module, '__file__', None), *(paths if isinstance(paths, Iterable) else ())]
    return any(str(place).startswith(f'{folder}/') for place in places)


def put(path: Path, text: str) -> Path:
    """Write a file, making its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def loaded(folder: Path, text: str = MODULE, **more: Any) -> Configuration:
    """Return the configuration of a module with this text."""
    put(folder / 'my-config.py', text)
    return load_configuration('my-config.py', cwd=folder, **more)


def problems(folder: Path, text: str = MODULE, **more: Any) -> tuple[str, ...]:
    """Return what is wrong with a module with this text."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, **more)
    return caught.value.problems


def minimal(**attributes: Any) -> str:
    """Return the text of a module that is right but for the given attributes; None leaves one out."""
    all_of_them = {'grid': {'a': [1]}, '_SCRIPT_NAME': 'train.py', **attributes}
    return 'from hpsearch import Not\n' + ''.join(f'{name} = {value!r}\n' for name, value in all_of_them.items())


@pytest.mark.parametrize('name', ['my-config.py', 'my_config'])
def test_that_a_configuration_edited_twice_within_a_second_is_read_anew_and_leaves_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, 'dont_write_bytecode', False)
    monkeypatch.setattr(sys, 'pycache_prefix', None)
    file = tmp_path / f'{name.removesuffix(".py")}.py'
    for number in (1, 2):
        put(file, minimal(grid={'a': [number]}))
        os.utime(file, (1e9, 1e9))
        sys.modules.pop(name, None)
        assert load_configuration(name, cwd=tmp_path).grid == {'a': [number]}
    assert list(tmp_path.iterdir()) == [file]
    assert not sys.dont_write_bytecode


ODD_MODULE = """
from tests.fakes.odd_values import ODD
grid = {{'a': {a}}}
conditions = {conditions}
_SCRIPT_NAME = 'train.py'
"""


@pytest.mark.parametrize('name', ODD)
@pytest.mark.parametrize(
    ('a', 'conditions'),
    [
        ('[ODD[{name!r}]]', []),
        ('ODD[{name!r}]', []),
        ('[1]', "[({{'a': [ODD[{name!r}]]}}, {{'a': [2]}})]"),
        ('[1]', "[({{'a': ODD[{name!r}]}}, {{'a': [2]}})]"),
        ('[1]', "[({{'a': [1]}}, {{'b': [ODD[{name!r}]]}})]"),
    ],
)
def test_that_any_object_makes_runs_or_a_problem_of_one_line(
    tmp_path: Path, name: str, a: str, conditions: str | list[Any]
) -> None:
    text = ODD_MODULE.format(a=a.format(name=name), conditions=str(conditions).format(name=name))
    try:
        configuration = loaded(tmp_path, text)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert '\n' not in problem
            assert len(problem) < 600
            assert problem.startswith(("grid['a']", 'conditions[0]'))
        return
    plan = Plan(configuration, Order(), interpreter='python3', search_path=tmp_path, ident='1')
    assert plan.survey().runs == sum(1 for run in plan.runs() if decode_run(encode_run(run)).number)
    assert name != 'masked'


def test_that_tensors_are_read_as_numbers_and_lists(tmp_path: Path) -> None:
    text = ODD_MODULE.format(a="[ODD['scalar tensor'], ODD['tensor'], ODD['array']]", conditions=[])
    assert loaded(tmp_path, text).grid['a'] == [0.95, [[1.0, 2.0], [3.0, 4.5]], [1, 2]]
    whole = ODD_MODULE.format(a="ODD['tensor']", conditions="[({'a': ODD['tensor']}, {'b': [ODD['scalar tensor']]})]")
    configuration = loaded(tmp_path, whole)
    assert configuration.grid['a'] == [[1.0, 2.0], [3.0, 4.5]]
    assert configuration.conditions == [({'a': [[1.0, 2.0], [3.0, 4.5]]}, {'b': [0.95]})]


# A grid that is a list


@pytest.mark.parametrize('grid', ["[{'lr': 0.1, 'name': ['a', 'b']}, {'lr': [0.1, 2], 'on': True}]"])
def test_that_a_grid_may_be_a_list_in_which_single_values_need_no_list(tmp_path: Path, grid: str) -> None:
    configuration = loaded(tmp_path, f'grid = {grid}\n_SCRIPT_NAME = "train.py"\n')
    assert configuration.rows == [{'lr': [0.1], 'name': ['a', 'b']}, {'lr': [0.1, 2], 'on': [True]}]
    assert configuration.grid == {'lr': [0.1, 2], 'name': ['a', 'b'], 'on': [True]}
    assert configuration.varying == ('lr', 'name', 'on')
    put(tmp_path / 'c.yaml', 'script_name: train.py\ngrid:\n- {lr: 0.1, name: [a, b]}\n- {lr: [0.1, 2], on: true}\n')
    assert load_configuration('c.yaml', cwd=tmp_path).rows == configuration.rows
    assert from_plain(json.loads(json.dumps(plain_attributes(configuration)))).rows == configuration.rows


@pytest.mark.parametrize(
    ('grid', 'problem'),
    [
        (
            '[]',
            'grid: is []; a dict of option to list of values that is not empty, or a list of such dicts, is expected.',
        ),
        ("[{'a': [1]}, 3]", "grid: is [{'a': [1]}, 3]; a dict of option to list"),
        ("[{'a': [1]}, {}]", "grid: is [{'a': [1]}, {}]; a dict of option to list"),
        ("[{'a': [1]}, {'b': []}]", "grid[1]['b']: is empty; at least one value is expected."),
        ("[{'a': [object()]}]", "grid[0]['a'][0]: is <object"),
        ("[{'a': 1}, {'--b': 1}]", "grid[1]: the option '--b' begins with a dash"),
        ("[{'out_dir': 1}]", "grid[0]: has 'out_dir', the option of the output folder"),
    ],
)
def test_that_what_is_wrong_in_a_list_is_named_with_its_place(tmp_path: Path, grid: str, problem: str) -> None:
    (found,) = problems(tmp_path, f'grid = {grid}\n_SCRIPT_NAME = "train.py"\n')
    assert found.startswith(problem)


def test_that_what_is_wrong_in_a_list_in_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    put(tmp_path / 'c.yaml', 'script_name: train.py\ngrid:\n- {a: 1}\n- b: []\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration('c.yaml', cwd=tmp_path)
    (problem,) = caught.value.problems
    assert 'c.yaml' in problem
    assert ':4' in problem or 'line 4' in problem


def test_that_set_replaces_an_option_in_every_part_of_a_list(tmp_path: Path) -> None:
    text = 'grid = [{"lr": 0.1, "b": 1}, {"lr": [2, 3]}]\n_SCRIPT_NAME = "train.py"\n'
    assert loaded(tmp_path, text, replacements=['lr=7,8']).rows == [{'lr': [7, 8], 'b': [1]}, {'lr': [7, 8]}]
    assert loaded(tmp_path, text, replacements=['new=[5]']).rows == [
        {'lr': [0.1], 'b': [1], 'new': [5]},
        {'lr': [2, 3], 'new': [5]},
    ]
    (problem,) = problems(tmp_path, text, replacements=['lrr=1'])
    assert 'did you mean' in problem


def test_that_a_grid_config_may_have_a_list(tmp_path: Path) -> None:
    put(tmp_path / 'g.json', json.dumps({'grid': [{'a': 1}, {'a': [2, 3]}]}))
    assert loaded(tmp_path, grid_config='g.json').rows == [{'a': [1]}, {'a': [2, 3]}]


# Options that take their values together

ZIPPED = "grid = {'lr': [1, 2], 'bs': [8, 16], 'seed': [0]}\nzipped = [['lr', 'bs']]\n_SCRIPT_NAME = 'train.py'\n"


def test_that_zipped_names_options_that_take_their_values_together(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, ZIPPED)
    assert configuration.zipped == [['lr', 'bs']]
    assert from_plain(json.loads(json.dumps(plain_attributes(configuration)))).zipped == [['lr', 'bs']]
    put(tmp_path / 'c.yaml', 'script_name: train.py\ngrid: {lr: [1, 2], bs: [8, 16]}\nzipped:\n- [lr, bs]\n')
    assert load_configuration('c.yaml', cwd=tmp_path).zipped == [['lr', 'bs']]


@pytest.mark.parametrize(
    ('zipped', 'found'),
    [
        (3, ['zipped: is 3; a list of lists of options is expected, e.g. [["lr", "batch_size"]].']),
        (['a', 'b'], ["zipped: is ['a', 'b']; a list of lists"]),
        ([['a']], ["zipped: is [['a']]; a list of lists"]),
        ([['a', 'momentun'], ['x', 'b']], [
            "zipped: has 'momentun', which is no option of the grid; did you mean momentum?",
            "zipped: has 'x', which is no option of the grid.",
        ]),
        ([['a', 'b'], ['b', 'momentum']], ["zipped: has 'b' twice; an option can be in one group, once."]),
        ([['a', 'a']], ["zipped: has 'a' twice"]),
        ([['momentum', 'a'], ['b', 'c']], [
            "zipped: 3 of 'momentum', 2 of 'a'; as many values of each are expected.",
            "zipped: 2 of 'b', 1 of 'c'; as many values of each are expected.",
        ]),
    ],
)  # fmt: skip
def test_that_what_is_wrong_with_zipped_is_named(tmp_path: Path, zipped: object, found: list[str]) -> None:
    grid = {'a': [1, 2], 'b': [1, 2], 'c': [5], 'momentum': [1, 2, 3]}
    told = problems(tmp_path, f'grid = {grid}\nzipped = {zipped}\n_SCRIPT_NAME = "train.py"\n')
    assert len(told) == len(found)
    assert all(map(str.startswith, told, found))


def test_that_lists_of_a_group_have_equal_lengths_in_each_row(tmp_path: Path) -> None:
    grid = [{'a': 1, 'b': 2}, {'a': [1, 2], 'b': [3]}, {'a': [1, 2]}]
    (problem,) = problems(tmp_path, f'grid = {grid}\nzipped = [["a", "b"]]\n_SCRIPT_NAME = "train.py"\n')
    assert problem == "zipped: grid[1] has 2 of 'a', 1 of 'b'; as many values of each are expected."


def test_that_set_changes_options_of_a_group_to_other_lists_of_one_length(tmp_path: Path) -> None:
    assert loaded(tmp_path, ZIPPED, replacements=['lr=3,4,5', 'bs=1,2,3']).grid['bs'] == [1, 2, 3]
    (problem,) = problems(tmp_path, ZIPPED, replacements=['lr=3,4,5'])
    assert problem == "zipped: 3 of 'lr', 2 of 'bs'; as many values of each are expected."


def test_that_a_grid_config_may_say_what_is_zipped(tmp_path: Path) -> None:
    put(tmp_path / 'g.json', json.dumps({'grid': {'a': [1, 2], 'b': [3, 4]}, 'zipped': [['a', 'b']]}))
    assert loaded(tmp_path, grid_config='g.json').zipped == [['a', 'b']]


# Where it comes from


def test_that_a_key_without_any_result_is_a_problem_that_says_what_is_missing(tmp_path: Path) -> None:
    assert problems(tmp_path, minimal(_PERFORMANCE_KEY='acc')) == (
        "_PERFORMANCE_KEY: is 'acc', and nothing says where results are; set _RESULT or _SUMMARY_KEYWORDS.",
    )


def test_that_metrics_are_rules_like_those_of_results(tmp_path: Path) -> None:
    assert loaded(tmp_path).metrics is None
    configuration = loaded(tmp_path, minimal(_METRICS=['lightning', 'stdout: acc=([0-9.]+)']))
    assert configuration.metrics == [{'file': '**/metrics.csv'}, {'stdout': 'acc=([0-9.]+)'}]
    assert from_plain(json.loads(json.dumps(plain_attributes(configuration)))).metrics == configuration.metrics
    (problem,) = problems(tmp_path, minimal(_METRICS='result.yaml'))
    assert problem.startswith('_METRICS: has result.yaml, which is read as yaml and does not grow;')


def test_that_a_module_of_the_original_loads_unchanged(tmp_path: Path) -> None:
    configuration = loaded(tmp_path)
    assert configuration.source == str(tmp_path / 'my-config.py')
    assert configuration.grid == {'lr': [0.1, 1e-08], 'hidden': ['200,200', '"400,400"'], 'flag': [True, False]}
    assert configuration.conditions == [({'lr': [0.1]}, {'hidden': ['""'], 'new': [-1]})]
    assert (configuration.script, configuration.command, configuration.out_arg) == ('train.py', None, 'out_dir')
    assert configuration.summary_filename == 'performance_overview.txt'
    assert configuration.summary_keywords == ['acc', 'loss', 'finished']
    assert (configuration.performance_key, configuration.performance_ascending) == ('loss', True)
    assert configuration.performance_eval is not None and configuration.performance_eval({}, '')
    assert configuration.summary_parser is None


def test_that_yaml_with_the_same_content_is_the_same(tmp_path: Path) -> None:
    put(tmp_path / 'config.yaml', YAML)
    from_yaml = plain_attributes(load_configuration('config.yaml', cwd=tmp_path))
    from_module = plain_attributes(loaded(tmp_path))
    differing = {name for name in from_module if from_module[name] != from_yaml[name]}
    assert differing == {'source', 'sha256', 'handles'}


def test_that_defaults_are_the_original_s(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, minimal(_SUMMARY_KEYWORDS=['acc', 'finished']))
    assert configuration.out_arg == 'out_dir'
    assert configuration.performance_key == 'acc'
    assert not configuration.performance_ascending
    assert configuration.conditions == []


@pytest.mark.parametrize('name', ['named_config', 'configs.named_config'])
def test_that_a_module_is_found_by_name_from_the_cwd(tmp_path: Path, name: str) -> None:
    put(tmp_path / (name.replace('.', '/') + '.py'), MODULE)
    assert load_configuration(name, cwd=tmp_path).script == 'train.py'


def test_that_a_second_module_of_the_same_name_is_not_mistaken_for_the_first(tmp_path: Path) -> None:
    for folder in ('one', 'two'):
        put(tmp_path / folder / 'same_name.py', minimal(_SCRIPT_NAME=folder))
    found = [load_configuration('same_name', cwd=tmp_path / folder).script for folder in ('one', 'two')]
    assert found == ['one', 'two']


def test_that_a_module_in_a_folder_that_is_called_like_us_is_found(tmp_path: Path) -> None:
    put(tmp_path / 'hpsearch' / 'my_grid.py', MODULE)
    assert load_configuration('hpsearch.my_grid', cwd=tmp_path).script == 'train.py'


def test_that_our_own_package_stays_ours(tmp_path: Path) -> None:
    put(tmp_path / 'hpsearch' / '__init__.py', '')
    put(tmp_path / 'hpsearch' / 'space.py', 'raise RuntimeError')
    text = 'from hpsearch import Not\n' + minimal(conditions=[])
    assert loaded(tmp_path, text).script == 'train.py'


@pytest.mark.parametrize('name', ['configs/by_path.py', 'configs.by_path'])
def test_that_base_lists_are_imported_from_the_cwd(tmp_path: Path, name: str) -> None:
    put(tmp_path / 'base_of_this_test' / 'lists.py', 'grid = {"a": [1]}')
    put(
        tmp_path / 'configs' / 'by_path.py',
        'from base_of_this_test.lists import grid\n_SCRIPT_NAME = "train.py"',
    )
    assert load_configuration(name, cwd=tmp_path).grid == {'a': [1]}


def test_that_base_lists_beside_a_file_are_found(tmp_path: Path) -> None:
    put(tmp_path / 'configs' / 'neighbour_of_this_test.py', 'grid = {"a": [1]}')
    put(tmp_path / 'configs' / 'by_path.py', 'from neighbour_of_this_test import grid\n_SCRIPT_NAME = "train.py"')
    assert load_configuration('configs/by_path.py', cwd=tmp_path).grid == {'a': [1]}


@pytest.mark.parametrize('marked_as_packages', [True, False])
def test_that_relative_imports_work_in_a_file_that_is_given_by_path(tmp_path: Path, marked_as_packages: bool) -> None:
    package = 'with_init_of_this_test' if marked_as_packages else 'namespace_of_this_test'
    put(tmp_path / package / 'base' / 'lists.py', 'grid = {"a": [1]}')
    put(tmp_path / package / 'configs' / 'by_path.py', 'from ..base.lists import grid\n_SCRIPT_NAME = "train.py"')
    for folder in ('.', 'base', 'configs') if marked_as_packages else ():
        put(tmp_path / package / folder / '__init__.py', '')
    assert load_configuration(f'{package}/configs/by_path.py', cwd=tmp_path).grid == {'a': [1]}


def test_that_a_package_above_the_cwd_is_found(tmp_path: Path) -> None:
    put(tmp_path / 'above_of_this_test' / '__init__.py', '')
    put(tmp_path / 'above_of_this_test' / 'lists.py', 'grid = {"a": [1]}')
    put(tmp_path / 'above_of_this_test' / 'by_path.py', 'from .lists import grid\n_SCRIPT_NAME = "train.py"')
    assert load_configuration('by_path.py', cwd=tmp_path / 'above_of_this_test').grid == {'a': [1]}


def test_that_handles_can_import_later(tmp_path: Path) -> None:
    put(tmp_path / 'late_of_this_test.py', 'answer = {"acc": ["1"]}')
    text = """
def parse(out_dir, cmd_ident):
    from late_of_this_test import answer
    return answer
_SUMMARY_PARSER_HANDLE = parse
"""
    parser = loaded(tmp_path, minimal() + text).summary_parser
    assert parser is not None and parser('', 1) == {'acc': ['1']}


def test_that_the_cwd_is_behind_installed_modules_after_the_import(tmp_path: Path) -> None:
    loaded(tmp_path)
    assert sys.path[-1] == str(tmp_path)


# What cannot be read


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('missing.py', '--grid_module: there is no file {folder}/missing.py.'),
        ('missing.yaml', '--grid_module: there is no file {folder}/missing.yaml.'),
        ('no_such_module_at_all', '--grid_module: there is no module no_such_module_at_all in {folder};'),
        ('no_such_package.module', '--grid_module: there is no module no_such_package.module in {folder};'),
    ],
)
def test_that_a_missing_configuration_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(name, cwd=tmp_path)
    assert str(caught.value).startswith(message.format(folder=tmp_path))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('import os\nimport no_such_library', "line 2: ModuleNotFoundError: No module named 'no_such_library'"),
        ('\n\n1 / 0', 'line 3: ZeroDivisionError: division by zero'),
        ('grid = {', 'line 1: SyntaxError'),
        ('raise SystemExit("two\\nlines")', 'line 1: SystemExit: two lines'),
        ('import json\njson.loads("{")', 'line 2: JSONDecodeError'),
    ],
)
@pytest.mark.parametrize('name', ['broken.py', 'broken'])
def test_that_an_import_error_is_one_line_with_its_place(tmp_path: Path, text: str, message: str, name: str) -> None:
    put(tmp_path / 'broken.py', text)
    with pytest.raises(ConfigError) as caught:
        load_configuration(name, cwd=tmp_path)
    (problem,) = caught.value.problems
    assert problem.startswith(f'--grid_module: {name} cannot be imported: {tmp_path}/broken.py, {message}')
    assert '\n' not in problem


def test_that_an_error_in_a_base_module_is_placed_there(tmp_path: Path) -> None:
    put(tmp_path / 'broken_base_of_this_test.py', '\n\n1 / 0')
    (problem,) = problems(tmp_path, 'import broken_base_of_this_test')
    assert f'{tmp_path}/broken_base_of_this_test.py, line 3: ZeroDivisionError' in problem


def yaml_problems(folder: Path, text: str | bytes, **more: Any) -> list[str]:
    """What is said of a YAML file, without its name."""
    file = folder / 'config.yaml'
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_configuration('config.yaml', cwd=folder, **more)
    assert all('\n' not in problem for problem in caught.value.problems)
    return [problem.replace(str(file), 'FILE') for problem in caught.value.problems]


WRONG_YAML = """\
grid:
  lr: 0.1
  batch: [1, 2]
  -depth: [3]
  width:
    - 4
    - !!binary AAAA
  out_dir: [x]
script_name: [a]
conditions:
  - when: {lr: [0.1]}
    then: {batch: 3}
  - [{lr: 1}, {batch: [2]}]
oom_patterns: ['(']
_RESUMABLE: 1
colour: blue
summary_filename: s.txt
"""


def test_that_each_problem_in_yaml_has_its_line_and_all_are_told_at_once(tmp_path: Path) -> None:
    found = yaml_problems(tmp_path, WRONG_YAML)
    assert [problem.partition(';')[0] for problem in found] == [
        'FILE, line 16: colour: is not an attribute of a configuration.',
        "FILE, line 9: script_name: is ['a']",
        "FILE, line 2: grid['lr']: is 0.1",
        "FILE, line 4: grid: the option '-depth' begins with a dash",
        "FILE, line 7: grid['width'][1]: is b'\\x00\\x00\\x00' (bytes)",
        "FILE, line 8: grid: has 'out_dir', the option of the output folder, which every run gets",
        "FILE, line 12: conditions[0], then['batch']: is 3",
        "FILE, line 13: conditions[1], when['lr']: is 1",
        'FILE: summary_keywords: is empty',
        'FILE, line 15: resumable: is 1',
        f"FILE, line 14: oom_patterns: '(' is not a regular expression: {problem_of('(')}.",
    ]


@pytest.mark.parametrize(
    ('text', 'problems_of_it'),
    [
        ('grid: {a: [1]}\nscript_name: x: y\n', ['FILE, line 2: mapping values are not allowed here']),
        (
            'a: b\ngrid: [1,\n2\nb: c\n',
            ["FILE, line 4: expected ',' or ']', but got ':' (while parsing a flow sequence that begins in line 2)"],
        ),
        ('grid:\n\ta: 1\n', ["FILE, line 2: found character '\\t' that cannot start any token"]),
        (
            'a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n',
            ['FILE, line 6: a is given twice', 'FILE, line 5: c is given twice'],
        ),
        ('a: *b\n', ["FILE, line 1: found undefined alias 'b'"]),
        ('a: 1\n---\nb: 1\n', ['FILE, line 2: but found another document (expected a single document in the stream']),
        ('a: 1\n? [1]\n: 2\n', ['FILE, line 2: found unhashable key (while constructing a mapping']),
        ('a: !!python/name:os.system\n', ['FILE, line 1: could not determine a constructor for the tag']),
        ('a: 1\nb: \x07\n', ['FILE, line 2: has a character that YAML does not allow (0x0007)']),
        (b'a: 1\nb: \xe9\n', ['FILE, line 2: is not UTF-8 (the byte 0xe9)']),
        ('[' * 5000, ['FILE: is nested too deeply']),
    ],
)
def test_that_a_syntax_error_in_yaml_names_the_line_and_what_is_wrong(
    tmp_path: Path, text: str | bytes, problems_of_it: list[str]
) -> None:
    found = yaml_problems(tmp_path, text)
    assert len(found) == len(problems_of_it)
    for problem, expected in zip(found, problems_of_it, strict=True):
        assert problem.startswith(f'--grid_module: {expected}')


def test_that_a_problem_is_placed_in_the_file_that_it_comes_from(tmp_path: Path) -> None:
    good = 'script_name: train.py\ngrid: {a: [1]}\nconditions: 3\n'
    (tmp_path / 'other.yaml').write_text('# of today\ngrid:\n  a: 2\n')
    assert [problem.partition(' is ')[0] for problem in yaml_problems(tmp_path, good, grid_config='other.yaml')] == [
        f"{tmp_path}/other.yaml, line 3: grid['a']:",
        'FILE, line 3: conditions:',
    ]
    (tmp_path / 'other.json').write_text('{"grid": {"a": 2}}')
    found = yaml_problems(tmp_path, good, grid_config='other.json')
    assert found[0].startswith("grid['a']: is 2")
    wrong = good.replace('[1]', '1').replace('conditions: 3', '')
    assert yaml_problems(tmp_path, wrong)[0].startswith("FILE, line 2: grid['a']: is 1")
    assert yaml_problems(tmp_path, wrong, replacements=['a=[]'])[0].startswith("grid['a']: is empty")


def test_that_aliases_and_merged_parts_have_lines_as_far_as_they_are_known(tmp_path: Path) -> None:
    text = 'x-a: &a\n  lr: 1\nscript_name: t.py\ngrid:\n  <<: *a\n  b: &b\n    - [1]\n    - {}\n  c: *b\n'
    found = [problem.partition(': is')[0] for problem in yaml_problems(tmp_path, text)]
    assert "FILE, line 2: grid['lr']" in found


@pytest.mark.parametrize('text', ['grid: [', 'a: 1\na: 2', '- 1'])
def test_that_broken_yaml_is_one_problem(tmp_path: Path, text: str) -> None:
    put(tmp_path / 'config.yaml', text)
    with pytest.raises(ConfigError) as caught:
        load_configuration('config.yaml', cwd=tmp_path)
    (problem,) = caught.value.problems
    assert str(tmp_path / 'config.yaml') in problem


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        *[('1e-3', 0.001), ('-1', -1), ('1.', 1.0), ('.5', 0.5), ('.inf', float('inf')), ('1_000', '1_000')],
        *[('on', 'on'), ('no', 'no'), ('true', True), ('010', '010'), ('1:30', '1:30'), ('null', None), ('', None)],
        *[('2020-01-01', '2020-01-01'), ('200,200', '200,200'), ('\'"a"\'', '"a"'), ('[1,2]', [1, 2])],
    ],
)
def test_that_yaml_scalars_mean_what_they_look_like(text: str, value: Any) -> None:
    parsed = parse_yaml(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_that_yaml_mappings_can_be_merged() -> None:
    text = 'base: &base {a: [1], b: [2]}\ngrid: {<<: *base, b: [3]}'
    assert parse_yaml(text)['grid'] == {'a': [1], 'b': [3]}


# What is checked


def test_that_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = minimal(
        grid={'a': [], 'b': 'text', 'out_dir': ['x'], '--c': [1]},
        conditions=[({'a': 1}, {})],
        _SCRIPT_NAME=3,
        _SUMMARY_FILENAME='summary.txt',
        _PERFORMANCE_KEY='acc',
    )
    found = problems(tmp_path, text, grid_config='missing.json', replacements=['d'])
    assert [problem.partition(':')[0] for problem in found] == [
        '--grid_config',
        '--set',
        '_SCRIPT_NAME',
        "grid['a']",
        "grid['b']",
        'grid',
        'grid',
        "conditions[0], when['a']",
        '_SUMMARY_KEYWORDS',
        '_PERFORMANCE_KEY',
    ]


@pytest.mark.parametrize(
    ('attributes', 'expected'),
    [
        (
            {'grid': {}},
            'grid: is {}; a dict of option to list of values that is not empty, or a list of such dicts, is expected.',
        ),
        ({'grid': [1]}, 'grid: is [1]; a dict'),
        ({'grid': {'a': []}}, "grid['a']: is empty; at least one value is expected."),
        ({'grid': {'a': ()}}, "grid['a']: is empty"),
        ({'grid': {'a': 'sgd'}}, "grid['a']: is 'sgd'; a list of values is expected (write ['sgd'])."),
        ({'grid': {'a': 3}}, "grid['a']: is 3; a list of values is expected (write [3])."),
        ({'grid': {'a': {'b': [1]}}}, "grid['a']: is {'b': [1]}; a list of values is expected."),
        ({'grid': {'a': [1j]}}, "grid['a'][0]: is 1j (complex); a bool, a number, a string, None, or a list or dict"),
        ({'grid': {'a': [[1, {'b': 2j}]]}}, "grid['a'][0][1]['b']: is 2j (complex)"),
        ({'grid': {'a': [['b\0']]}}, "grid['a'][0][0]: is 'b\\x00', which holds characters"),
        (
            {'_ARG_STYLE': 'equal'},
            "_ARG_STYLE: is 'equal'; one of equals, space, hydra, single_dash, omit, a template with ",
        ),
        (
            {'_ARG_STYLE': '--{nam}={value}'},
            "_ARG_STYLE: is '--{nam}={value}', which has {nam}; {name} and {value} are",
        ),
        ({'_ARG_STYLE': 3}, '_ARG_STYLE: is 3; one of equals'),
        ({'_ARG_STYLE': {'b': 'space'}}, "_ARG_STYLE: has 'b', which is no option of the grid"),
        ({'_ARG_STYLE': {'a': 'spaec'}}, "_ARG_STYLE: ['a'] is 'spaec'; one of equals, space"),
        (
            {'_BOOL_STYLE': 'flags'},
            "_BOOL_STYLE: is 'flags'; one of flag, flag_no, value is expected; did you mean flag?",
        ),
        (
            {'grid': {'a': [True]}, '_ARG_STYLE': 'hydra', '_BOOL_STYLE': 'flag'},
            "_BOOL_STYLE: makes a flag of 'a', whose style has no dashes",
        ),
        ({'_ARG_STYLE': {'out_dir': '-o{value}'}}, "_ARG_STYLE: hides where the folder of 'out_dir' begins or ends"),
        ({'_ARG_STYLE': '--{name}={value}.txt'}, "_ARG_STYLE: hides where the folder of 'out_dir' begins or ends"),
        ({'_LIST_STYLE': ['words']}, "_LIST_STYLE: is ['words']; one of words, comma, repeat, python is expected"),
        ({'_FIXED_ARGS': 'fit'}, "_FIXED_ARGS: is 'fit'; a list of strings is expected."),
        ({'_FIXED_ARGS': ['a\0']}, "_FIXED_ARGS: has 'a\\x00', which holds characters that no command line can hold."),
        ({'grid': {'a': [1, b'x']}}, "grid['a'][1]: is b'x' (bytes)"),
        ({'grid': {'a': ['x\0']}}, "grid['a'][0]: is 'x\\x00', which holds characters that no command line can hold."),
        ({'grid': {'a': ['\ud800']}}, "grid['a'][0]: is '\\ud800', which holds"),
        ({'grid': {'--a': [1]}}, "grid: the option '--a' begins with a dash; the name without dashes is expected."),
        ({'grid': {'a b': [1]}}, "grid: the option 'a b' has a space"),
        ({'grid': {'a=b': [1]}}, 'grid: the option \'a=b\' has a space or "=" in it'),
        ({'grid': {1: [1]}}, 'grid: the option 1 is 1; the name of an option is expected.'),
        ({'grid': {'out_dir': ['x']}}, "grid: has 'out_dir', the option of the output folder"),
        ({'grid': {'o': ['x']}, '_OUT_ARG': 'o'}, "grid: has 'o', the option of the output folder"),
        ({'conditions': {}}, 'conditions: is {}; a list of pairs (when, then) is expected.'),
        ({'conditions': [1]}, 'conditions[0]: is 1; a pair of dicts (when, then) is expected.'),
        ({'conditions': [({},)]}, 'conditions[0]: is ({},); a pair'),
        ({'conditions': [({'a': 'x'}, {})]}, "conditions[0], when['a']: is 'x'; a list of values is expected"),
        ({'conditions': [({}, {'a': 'x'})]}, "conditions[0], then['a']: is 'x'; a list of values is expected"),
        ({'conditions': [({}, {'out_dir': ['x']})]}, "conditions[0], then: has 'out_dir'"),
        ({'conditions': [({'a': Not([1j])}, {})]}, "conditions[0], when['a'][0]: is 1j (complex)"),
        ({'constraints': 1}, 'constraints: is 1; a list of functions'),
        ({'constraints': [1]}, 'constraints[0]: is 1; a function is expected.'),
        ({'_SCRIPT_NAME': None}, '_SCRIPT_NAME: is missing; the path of the training script is expected.'),
        ({'_SCRIPT_NAME': ''}, "_SCRIPT_NAME: is ''; the path of a script is expected."),
        ({'_COMMAND': ['x']}, '_COMMAND: excludes _SCRIPT_NAME; keep one of them, or write {script}'),
        (
            {'_SCRIPT_NAME': None, '_COMMAND': ['a', 'b\0']},
            "_COMMAND: has 'b\\x00', which holds characters that no command line can hold.",
        ),
        ({'_SCRIPT_NAME': None, '_COMMAND': []}, '_COMMAND: is []; a list of words is expected.'),
        ({'_SCRIPT_NAME': None, '_COMMAND': 'x y'}, "_COMMAND: is 'x y'; a list of strings is expected."),
        ({'_OUT_ARG': '--out'}, '_OUT_ARG: begins with a dash; the name without dashes is expected.'),
        ({'_OUT_ARG': ''}, "_OUT_ARG: is ''; the name of an option is expected."),
        ({'_CHECKPOINT_ARG': '--resume'}, '_CHECKPOINT_ARG: begins with a dash; the name without dashes is expected.'),
        ({'_CHECKPOINT_ARG': 'a'}, "_CHECKPOINT_ARG: is 'a', which is an option of the grid or that of the output"),
        ({'_CHECKPOINT_ARG': 'r', '_OUT_ARG': None}, '_CHECKPOINT_ARG: is given, but _OUT_ARG is None: no run leaves'),
        ({'_CHECKPOINT': 'last.pt'}, '_CHECKPOINT: is given, but _CHECKPOINT_ARG is not.'),
        (
            {'_CHECKPOINT_ARG': 'r', '_CHECKPOINT': '/last.pt'},
            "_CHECKPOINT: is '/last.pt'; a path in the output folder",
        ),
        ({'_CHECKPOINT_ARG': 'r', '_CHECKPOINT': 'a/../../b'}, "_CHECKPOINT: is 'a/../../b'; a path in the output"),
        ({'_CHECKPOINT_ARG': 'r', '_CHECKPOINT': ''}, "_CHECKPOINT: is ''; a path in the output folder"),
        (
            {'_CHECKPOINT_ARG': 'r', '_ARG_STYLE': {'r': 'omit'}},
            "_ARG_STYLE: leaves out 'r', and neither _COMMAND nor _ENV has {r}",
        ),
        (
            {'_SUMMARY_FILENAME': 'x'},
            '_SUMMARY_KEYWORDS: is empty; a list of keywords is expected, since a summary file is given.',
        ),
        ({'_SUMMARY_KEYWORDS': 'acc'}, "_SUMMARY_KEYWORDS: is 'acc'; a list of strings is expected."),
        ({'_SUMMARY_PARSER_HANDLE': 3}, '_SUMMARY_PARSER_HANDLE: is 3; a function or None is expected.'),
        ({'_PERFORMANCE_EVAL_HANDLE': 3}, '_PERFORMANCE_EVAL_HANDLE: is 3; a function or None is expected.'),
        (
            {'_SUMMARY_KEYWORDS': ['acc_val'], '_PERFORMANCE_KEY': 'acc_vall'},
            "_PERFORMANCE_KEY: is 'acc_vall', which is not in _SUMMARY_KEYWORDS; did you mean acc_val?",
        ),
        ({'_PERFORMANCE_SORT_ASC': 'yes'}, "_PERFORMANCE_SORT_ASC: is 'yes'; True or False is expected."),
        ({'_RESUMABLE': 1}, '_RESUMABLE: is 1; True or False is expected.'),
        ({'_OOM_PATTERNS': 'x'}, "_OOM_PATTERNS: is 'x'; a list of strings is expected."),
        ({'_JOB_PROLOGUE': ['x']}, "_JOB_PROLOGUE: is ['x']; a string is expected."),
        (
            {'_SUMMARY_FILENAMES': 'x'},
            '_SUMMARY_FILENAMES: is not an attribute of a configuration; did you mean _SUMMARY_FILENAME?',
        ),
        ({'_PERFORMANCE_SORT_ASCENDING': True}, '_PERFORMANCE_SORT_ASCENDING: is not an attribute'),
    ],
)
def test_that_a_wrong_attribute_is_the_only_problem_and_says_what_is_expected(
    tmp_path: Path, attributes: dict[str, Any], expected: str
) -> None:
    (problem,) = problems(tmp_path, minimal(**attributes))
    assert problem.startswith(expected)


def test_that_a_missing_grid_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, '_SCRIPT_NAME = "train.py"')
    assert problem == 'grid: is missing; a dict of option to list of values is expected.'


def test_that_problems_in_yaml_use_its_spelling(tmp_path: Path) -> None:
    put(tmp_path / 'config.yml', 'grid: {a: [1]}\nperformance_sort_asc: maybe\nscript_nam: x\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration('config.yml', cwd=tmp_path)
    file = tmp_path / 'config.yml'
    assert [problem.rpartition(':')[0] for problem in caught.value.problems] == [
        f'{file}, line 3: script_nam',
        f'{file}: script_name',
        f'{file}, line 2: performance_sort_asc',
    ]


def test_that_an_attribute_that_is_given_in_both_spellings_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path / 'config.yml', 'grid: {a: [1]}\n_SCRIPT_NAME: a\nscript_name: b\n')
    with pytest.raises(ConfigError, match='script_name: is given twice, also as _SCRIPT_NAME'):
        load_configuration('config.yml', cwd=tmp_path)


@pytest.mark.parametrize('name', ['_MY_OWN_LIST', '_SCRIPT', 'script_nam', '_SUMMARY_KEYWORDS_BASE'])
def test_that_names_of_the_module_s_own_are_ignored(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, minimal(**{name: 1, '_SUMMARY_KEYWORDS': ['finished']})).script == 'train.py'


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('range(3)', [0, 1, 2]),
        ('(1, 2)', [1, 2]),
        ('np.array([1, 2])', [1, 2]),
        ('np.array([0.1, 0.2], dtype=np.float32)', [0.1, 0.2]),
        ('np.array([True, False])', [True, False]),
        ('[np.float64(0.5), np.bool_(True)]', [0.5, True]),
        ('(i for i in range(2))', [0, 1]),
        ('{"b", "a", "c"}', ['a', 'b', 'c']),
        ('[pathlib.Path("/data")]', ['/data']),
    ],
)
def test_that_anything_like_a_list_of_scalars_is_accepted(tmp_path: Path, text: str, values: list[Any]) -> None:
    module = f'import pathlib\nimport numpy as np\n{minimal()}grid = {{"a": {text}}}\n'
    found = loaded(tmp_path, module).grid['a']
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_that_a_command_of_words_needs_no_script(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, minimal(_SCRIPT_NAME=None, _COMMAND=['./train', '-v']))
    assert (configuration.script, configuration.command) == (None, ['./train', '-v'])


def test_that_a_script_without_output_option_can_be_told(tmp_path: Path) -> None:
    assert loaded(tmp_path, minimal(_OUT_ARG=None)).out_arg is None


@pytest.mark.parametrize('text', ['make_out_dir: true', '_MAKE_OUT_DIR: true'])
def test_that_yaml_may_have_the_output_folder_made(tmp_path: Path, text: str) -> None:
    (tmp_path / 'search.yaml').write_text(f'grid: {{a: [1]}}\nscript_name: train.py\n{text}\n')
    configuration = load_configuration('search.yaml', cwd=tmp_path)
    assert configuration.make_out_dir is True
    assert from_plain(plain_attributes(configuration)).make_out_dir is True, 'a resumed search'


def test_that_the_output_folder_is_made_on_request_where_there_is_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, minimal()).make_out_dir is False
    assert loaded(tmp_path, minimal(_MAKE_OUT_DIR=True)).make_out_dir is True
    assert problems(tmp_path, minimal(_MAKE_OUT_DIR=True, _OUT_ARG=None)) == (
        '_MAKE_OUT_DIR: is True, but _OUT_ARG is None: the script is not told any folder.',
    )
    assert '_MAKE_OUT_DIR: is 1; True or False is expected.' in problems(tmp_path, minimal(_MAKE_OUT_DIR=1))


def test_that_the_new_attributes_are_read(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, minimal(_RESUMABLE=True, _OOM_PATTERNS=['oom'], _JOB_PROLOGUE='module load x'))
    assert (configuration.resumable, configuration.oom_patterns) == (True, ['oom'])
    assert configuration.job_prologue == 'module load x'


def test_that_constraints_are_taken_from_a_module(tmp_path: Path) -> None:
    (constraint,) = loaded(tmp_path, minimal() + 'constraints = [lambda params: params["a"] > 1]').constraints
    assert constraint({'a': 2}) and not constraint({'a': 1})


@pytest.mark.parametrize('condition', ['[{a: {not: [1]}}, {b: [2]}]', '{when: {a: {not: [1]}}, then: {b: [2]}}'])
def test_that_yaml_conditions_can_say_not(tmp_path: Path, condition: str) -> None:
    put(tmp_path / 'config.yaml', f'grid: {{a: [1]}}\nscript_name: x\nconditions: [{condition}]\n')
    assert load_configuration('config.yaml', cwd=tmp_path).conditions == [({'a': Not([1])}, {'b': [2]})]


# What replaces it


def write_grid_config(folder: Path, kind: str, content: Any) -> str:
    """Write a grid_config of a kind and return its name."""
    name = f'replacing.{kind}'
    if kind == 'pickle':
        (folder / name).write_bytes(pickle.dumps(content))
    else:
        (folder / name).write_text(json.dumps(content))
    return name


@pytest.mark.parametrize('kind', ['json', 'yaml', 'yml', 'pickle'])
def test_that_a_grid_config_replaces_what_it_has(tmp_path: Path, kind: str) -> None:
    name = write_grid_config(tmp_path, kind, {'grid': {'b': [1e-08]}, 'other': 1})
    configuration = loaded(tmp_path, grid_config=name)
    assert configuration.grid == {'b': [1e-08]}
    assert len(configuration.conditions) == 1


@pytest.mark.parametrize('kind', ['json', 'yaml', 'pickle'])
def test_that_a_grid_config_can_replace_conditions_alone(tmp_path: Path, kind: str) -> None:
    name = write_grid_config(tmp_path, kind, {'conditions': [[{'lr': {'not': [1]}}, {'flag': [True]}]]})
    configuration = loaded(tmp_path, grid_config=name)
    assert 'lr' in configuration.grid
    assert configuration.conditions == [({'lr': Not([1])}, {'flag': [True]})]


@pytest.mark.parametrize('content', [[], {'gird': {}}, 3])
def test_that_a_grid_config_with_neither_is_a_problem(tmp_path: Path, content: Any) -> None:
    name = write_grid_config(tmp_path, 'json', content)
    assert problems(tmp_path, grid_config=name)[0].endswith('a dict with grid or conditions is expected.')


@pytest.mark.parametrize('name', ['broken.json', 'broken.yaml', 'broken.pickle'])
def test_that_a_broken_grid_config_is_one_problem(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, '{"grid": [')
    (problem,) = problems(tmp_path, grid_config=name)
    what = ', line 1: ' if name == 'broken.yaml' else ' cannot be read: '
    assert problem.startswith(f'--grid_config: {tmp_path}/{name}{what}')


def test_that_a_pickle_that_needs_a_function_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / 'evil.pickle').write_bytes(b'cos\nsystem\n(S"touch evil"\ntR.')
    (problem,) = problems(tmp_path, grid_config='evil.pickle')
    assert 'it needs os.system, which is not a plain value' in problem


NUMPY_SCALARS = [
    *[kind(1.5) for kind in (np.float16, np.float32, np.float64)],
    *[kind(3) for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64)],
    *[np.bool_(True), np.float32(0.1), np.float16(0.1), np.str_('aλ☃'), np.dtype('>f8').type(2.5)],
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers())
    ),
    max_leaves=8,
)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_that_plain_values_come_out_of_a_pickle_as_they_went_in(value: Any, protocol: int) -> None:
    assert plain_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('scalar', NUMPY_SCALARS, ids=repr)
def test_that_numpy_scalars_come_out_of_a_pickle_as_plain_values(scalar: Any, protocol: int) -> None:
    (value,) = plain_pickle(pickle.dumps([scalar], protocol))
    assert value == plain(scalar)
    assert type(value) is type(plain(scalar))


def test_that_a_numpy_scalar_of_the_other_byte_order_is_read() -> None:
    dtype = b'cnumpy\ndtype\n(S"f8"\nI0\nI1\ntR(I3\nS">"\nNNNI-1\nI-1\nI0\ntb'
    number = b'C\x08' + struct.pack('>d', 2.5)
    assert plain_pickle(b'cnumpy.core.multiarray\nscalar\n(' + dtype + number + b'tR.') == 2.5


@pytest.mark.parametrize(
    'value',
    [collections.OrderedDict(a=1), np.array([1.0]), np.dtype('f8').newbyteorder, Path('x'), print, np.longdouble(1)],
    ids=lambda value: type(value).__name__,
)
def test_that_other_pickles_are_refused(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match='not a plain value'):
        plain_pickle(pickle.dumps(value))


def test_that_a_pickle_of_few_bytes_does_not_take_much_memory() -> None:
    nested: list[Any] = ['lol']
    for _ in range(40):
        nested = [nested] * 9
    with pytest.raises(pickle.UnpicklingError, match='too many times'):
        plain_pickle(pickle.dumps(nested))
    with pytest.raises(pickle.UnpicklingError, match='damaged'):
        plain_pickle(b'N' + b'r' + b'\xff\xff\xff\x7f' + b'.')


def test_that_a_pickle_may_share_values() -> None:
    shared = ['--x', 1]
    assert plain_pickle(pickle.dumps([{'a': shared}] * 1000)) == [{'a': shared}] * 1000


def test_that_a_pickle_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be read: FileNotFoundError'):
        load_plain_pickle(tmp_path / 'commands.pickle', '--grid_config')


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('lr=[1,2]', [1, 2]),
        ('lr=[1e-3]', [0.001]),
        ('lr=5', [5]),
        ('lr=', ['']),
        ('lr=["a=b", x]', ['a=b', 'x']),
        ('lr=[true, null]', [True, None]),
        ('lr=0.1,0.2', [0.1, 0.2]),
        ('lr=sgd, adam', ['sgd', 'adam']),
        ('lr="0.1,0.2"', ['0.1,0.2']),
    ],
)
def test_that_a_grid_entry_can_be_set(tmp_path: Path, text: str, values: list[Any]) -> None:
    configuration = loaded(tmp_path, replacements=[text])
    assert configuration.grid['lr'] == values
    assert list(configuration.grid) == ['lr', 'hidden', 'flag']


@pytest.mark.parametrize('text', ['weight=[1, 2]', '+lrr=[1, 2]'])
def test_that_a_setting_can_add_an_option(tmp_path: Path, text: str) -> None:
    grid = loaded(tmp_path, replacements=[text]).grid
    assert list(grid) == ['lr', 'hidden', 'flag', text.partition('=')[0].removeprefix('+')]
    assert grid[list(grid)[-1]] == [1, 2]


def test_that_a_home_directory_is_found_in_the_names_of_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', '/h')
    assert loaded(tmp_path, minimal(_SCRIPT_NAME='~/t.py')).script == '/h/t.py'
    assert loaded(tmp_path, minimal(_SCRIPT_NAME=None, _COMMAND=['~/t', '~/u'])).command == ['/h/t', '~/u']


def test_that_keys_of_a_yaml_file_are_ours_or_are_for_anchors(tmp_path: Path) -> None:
    (tmp_path / 'config.yaml').write_text('x-base: &b [1]\ngrid: {a: *b}\nscript_name: t.py\nSumaryKeys: []\nz: 1\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration('config.yaml', cwd=tmp_path)
    file = tmp_path / 'config.yaml'
    assert [problem.partition('; ')[0].rstrip('.') for problem in caught.value.problems] == [
        f'{file}, line 4: SumaryKeys: is not an attribute of a configuration',
        f'{file}, line 5: z: is not an attribute of a configuration',
    ]


def test_that_a_setting_acts_on_the_grid_of_the_grid_config(tmp_path: Path) -> None:
    name = write_grid_config(tmp_path, 'json', {'grid': {'b': [1], 'c': [2]}})
    assert loaded(tmp_path, grid_config=name, replacements=['b=[3]']).grid == {'b': [3], 'c': [2]}


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('hiden=[1]', "--set: 'hiden' is not in the grid; did you mean hidden?"),
        ('lr', '--set: \'lr\' has no "="; name=[v1,v2] is expected.'),
        ('hidden=100,10', "--set: the values in 'hidden=100,10' cannot be read: one value or several?"),
        ('lr=[1', "--set: the values in 'lr=[1' cannot be read: "),
    ],
)
def test_that_a_wrong_setting_is_a_problem(tmp_path: Path, text: str, expected: str) -> None:
    (problem,) = problems(tmp_path, replacements=[text])
    assert problem.startswith(expected)


# What is kept of it


def test_that_a_configuration_comes_back_from_its_plain_attributes(tmp_path: Path) -> None:
    text = minimal(
        conditions=[({'a': Not([1])}, {'b': [None]}), ({'a': [1]}, {})],
        _SUMMARY_KEYWORDS=['acc', 'finished'],
        _RESUMABLE=True,
        _OUT_ARG='o',
    )
    configuration = loaded(tmp_path, text)
    attributes = json.loads(json.dumps(plain_attributes(configuration)))
    assert from_plain(attributes) == Configuration(**{**vars(configuration), 'constraints': ()})


def test_that_handles_are_told_but_not_kept(tmp_path: Path) -> None:
    attributes = plain_attributes(loaded(tmp_path))
    assert attributes['handles'] == ['performance_eval']
    assert from_plain(attributes).performance_eval is None


def test_that_handles_can_be_given_back(tmp_path: Path) -> None:
    def keep(summary: Any, criteria: str) -> bool:
        return True

    assert from_plain(plain_attributes(loaded(tmp_path)), performance_eval=keep).performance_eval is keep


def test_that_attributes_of_a_newer_version_are_ignored(tmp_path: Path) -> None:
    attributes = {**plain_attributes(loaded(tmp_path)), 'invented_later': 1}
    assert from_plain(attributes).script == 'train.py'


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (
            ['x', '{lrr}'],
            '_COMMAND: has {lrr}, which is neither an option of the grid nor one of python, script, out_dir',
        ),
        (['x', '{added}'], '_COMMAND: has {added}, which not every run has'),
        (['x', 'a{python}'], "_COMMAND: has {python} within 'a{python}'; it has to be a word of its own."),
        (['x', '{script}'], '_COMMAND: has {script}, and _SCRIPT_NAME is missing.'),
    ],
)
def test_that_a_placeholder_that_stands_for_nothing_is_a_problem(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    text = f'grid = {{"lr": [1]}}\nconditions = [({{"lr": [1]}}, {{"added": [2]}})]\n_COMMAND = {words!r}\n'
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(expected)


def test_that_a_misspelled_placeholder_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'grid = {"lr": [1]}\n_COMMAND = ["x", "{out_dirr}"]\n')
    assert problem.endswith('{{out_dirr}} stands for these braces; did you mean out_dir?')


def test_that_a_command_may_say_where_the_script_stands(tmp_path: Path) -> None:
    text = 'grid = {"lr": [1]}\n_SCRIPT_NAME = "train.py"\n_COMMAND = ["uv", "run", "{script}", "{print $1}", "{lr}"]\n'
    configuration = loaded(tmp_path, text)
    assert (configuration.script, configuration.command) == (
        'train.py',
        ['uv', 'run', '{script}', '{print $1}', '{lr}'],
    )


@pytest.mark.parametrize(
    ('attributes', 'expected'),
    [
        ({'_ENV': ['A=1']}, "_ENV: is ['A=1']; a dict from names of variables to their values is expected."),
        ({'_ENV': {'A-B': '1'}}, "_ENV: has 'A-B', which cannot be the name of a variable."),
        ({'_ENV': {'CUDA_VISIBLE_DEVICES': '0'}}, "_ENV: has 'CUDA_VISIBLE_DEVICES', which hpsearch sets by itself."),
        ({'_ENV': {'HPSEARCH_RUN': '0'}}, "_ENV: has 'HPSEARCH_RUN', which hpsearch sets by itself."),
        ({'_ENV': {'A': None}}, "_ENV: has None as 'A'; a string or a number is expected."),
        ({'_ENV': {'A': 'x\0'}}, "_ENV: has 'x\\x00' as 'A', which cannot be passed to a program: it has a NUL byte."),
        (
            {'_ENV': {'A': '{b}'}},
            '_ENV: has {b}, which is neither an option of the grid nor one of out_dir, run, gpus;',
        ),
        ({'_ENV': {'A': '{script}'}}, '_ENV: has {script}, which is neither'),
        ({'_ARG_STYLE': {'a': 'omit'}}, "_ARG_STYLE: leaves out 'a', and neither _COMMAND nor _ENV has {a}"),
        (
            {'_ARG_STYLE': 'omit', '_ENV': {'A': '{a}'}},
            "_ARG_STYLE: leaves out 'out_dir', and neither _COMMAND nor _ENV has {out_dir}",
        ),
    ],
)
def test_that_what_is_wrong_with_variables_is_the_only_problem(
    tmp_path: Path, attributes: dict[str, Any], expected: str
) -> None:
    (problem,) = problems(tmp_path, minimal(**attributes))
    assert problem.startswith(expected)


def test_that_numbers_are_values_of_variables(tmp_path: Path) -> None:
    assert loaded(tmp_path, minimal(_ENV={'A': 1, 'B': 1e-05})).env == {'A': '1', 'B': '1e-05'}


@pytest.mark.parametrize(
    ('name', 'text', 'expected'),
    [
        ('t.yaml', 'aa: 1', "does not have the key 'a' of the grid, which can be added as '+a'; did you mean aa?"),
        ('t.yaml', 'b: {a: 1}', "does not have the key 'a' of the grid"),
        ('t.toml', 'a = ', 'which is no TOML'),
        ('t.toml', 'b = 1', "does not have the key 'a' of the grid"),
        ('t.ini', 'a = 1', 'a file that ends in .yaml, .yml, .json, .toml is expected'),
        ('t.json', '{"a": ', 'which is no JSON'),
        ('t.yaml', '- a', 'which is no YAML: it holds a list, not keys with values'),
    ],
)
def test_that_a_template_that_cannot_be_filled_is_a_problem(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    put(tmp_path / name, text)
    (problem,) = problems(tmp_path, minimal(_CONFIG_TEMPLATE=name))
    assert problem.startswith('_CONFIG_TEMPLATE: ') and expected in problem


def test_that_toml_has_no_none(tmp_path: Path) -> None:
    pytest.importorskip('tomlkit')
    put(tmp_path / 't.toml', 'a = 1')
    (problem,) = problems(tmp_path, minimal(grid={'a': [1, [None]]}, _CONFIG_TEMPLATE='t.toml'))
    assert problem == "_CONFIG_TEMPLATE: cannot have None for 'a': TOML knows no such value."


def test_that_toml_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'tomlkit', None)
    put(tmp_path / 't.toml', 'a = 1')
    (problem,) = problems(tmp_path, minimal(_CONFIG_TEMPLATE='t.toml'))
    assert "pip install 'hpsearch[toml]'" in problem


def test_that_a_template_is_read_beside_the_configuration(tmp_path: Path) -> None:
    put(tmp_path / 't.json', '{"a": 1}')
    found = loaded(tmp_path, minimal(_CONFIG_TEMPLATE='t.json', _CONFIG_ARG='c', _ARG_STYLE={'c': 'space'}))
    assert (found.config_template, found.config_format, found.config_arg) == ('{"a": 1}', 'json', 'c')
    (problem,) = problems(tmp_path, minimal(_CONFIG_TEMPLATE='missing.json'))
    assert 'which cannot be read: No such file or directory' in problem
    (problem,) = problems(tmp_path, minimal(_CONFIG_ARG='c'))
    assert problem == '_CONFIG_ARG: is given, but _CONFIG_TEMPLATE is not.'
