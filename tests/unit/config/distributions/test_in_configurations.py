"""Distributions in the place of lists: in modules, in YAML, on the command line, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration, from_plain, plain_attributes
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Choice, Drawn, Fidelity, Integer, Uniform

MODULE = """
from hpsearch import choice, fidelity, loguniform, randint, uniform
import numpy as np
_SCRIPT_NAME = 'train.py'
"""


def loaded(tmp_path: Path, text: str, name: str = 'grid.py', replacements: tuple[str, ...] = ()) -> Configuration:
    """Load a configuration with this text; a module has the imports already."""
    path = tmp_path / name
    path.write_text((MODULE if name.endswith('.py') else '') + text)
    return load_configuration(str(path), cwd=tmp_path, replacements=replacements)


def problems(tmp_path: Path, text: str, name: str = 'grid.py', replacements: tuple[str, ...] = ()) -> list[str]:
    """Load a configuration that is wrong, and return what is."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text, name, replacements)
    return list(error.value.problems)


def test_that_functions_and_texts_stand_in_the_place_of_lists(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        "grid = {'lr': loguniform(1e-4, 1), 'depth': [1, 2], 'width': 'randint(8, 64)', 'epochs': fidelity(1, 9)}",
    )
    assert configuration.distributions == {
        'lr': Uniform(1e-4, 1.0, log=True),
        'width': Integer(8, 64),
        'epochs': Fidelity(1, 9),
    }
    assert list(configuration.grid) == ['lr', 'depth', 'width', 'epochs']
    assert configuration.grid['depth'] == [1, 2]
    assert configuration.varying == ('lr', 'depth', 'width', 'epochs')


def test_that_yaml_has_texts_and_mappings(tmp_path: Path) -> None:
    text = """
script_name: train.py
grid:
  lr: loguniform(1e-4, 1)
  momentum: orion~uniform(0, 1)
  depth: {distribution: randint, low: 1, high: 4}
  seed: [0, 1]
"""
    assert loaded(tmp_path, text, 'grid.yaml').distributions == {
        'lr': Uniform(1e-4, 1.0, log=True),
        'momentum': Uniform(0.0, 1.0, precision=4),
        'depth': Integer(1, 4),
    }


def test_that_search_json_keeps_distributions(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        """
grid = [{'lr': loguniform(1e-4, 1), 'net': [1]}, {'lr': [0.5], 'net': choice({(1, 2): 1, 'b': 3})}]
conditions = [({'lr': [0.5]}, {'momentum': uniform(0, 1), 'decay': [0.0]})]
""",
    )
    again = from_plain(json.loads(json.dumps(plain_attributes(configuration))))
    assert again.distributions == configuration.distributions
    assert [dict(row) for row in again.rows] == [dict(row) for row in configuration.rows]
    assert isinstance(again.rows[0]['lr'], Drawn)
    assert again.rows[1]['net'].distribution == Choice(([1, 2], 'b'), weights=(0.25, 0.75))  # type: ignore[attr-defined]
    assert again.conditions[0][1]['momentum'].distribution == Uniform(0.0, 1.0)  # type: ignore[attr-defined]


def test_that_texts_in_lists_and_single_texts_of_rows_stay_texts(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, "grid = [{'note': 'uniform(0, 1)', 'names': ['choice(1)', 'b']}]")
    assert configuration.grid == {'note': ['uniform(0, 1)'], 'names': ['choice(1)', 'b']}
    assert not configuration.distributions


def test_that_rows_have_functions_mappings_and_marked_texts(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        """
grid = [{'a': uniform(0, 1), 'b': 'orion~choices([1, 2])', 'c': {'distribution': 'randint', 'low': 1, 'high': 3}}]
""",
    )
    assert configuration.distributions == {'a': Uniform(0.0, 1.0), 'c': Integer(1, 3)}
    assert configuration.grid['b'] == [1, 2]


def test_that_a_choice_that_says_no_more_than_a_list_is_one(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        """
grid = {'a': choice([1, 2, 3]), 'b': 'choices(["x"])', 'c': choice(['s', 'm'], ordered=True), 'd': choice({1: 1, 2: 3})}
""",
    )
    assert configuration.grid['a'] == [1, 2, 3]
    assert configuration.grid['b'] == ['x']
    assert list(configuration.distributions) == ['c', 'd']


def test_that_numbers_of_numpy_are_plain(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path, "grid = {'a': uniform(np.float64(0.5), np.int64(2)), 'b': choice([np.float32(0.5)])}"
    )
    assert plain_attributes(configuration)['grid']['a']['high'] == 2
    json.dumps(plain_attributes(configuration))
    assert np.float64(0.5) == configuration.grid['a'][0]


@pytest.mark.parametrize(
    'text',
    [
        'lr~loguniform(1e-4, 1)',
        'lr=loguniform(1e-4, 1)',
        'lr~orion~loguniform(1e-4, 1, precision=None)',
        '+lr~loguniform(1e-4, 1)',
    ],
)
@pytest.mark.parametrize('grid', ["{'lr': [0.1]}", "[{'lr': 0.1}, {'lr': [0.2]}]"])
def test_that_the_command_line_sets_a_distribution(tmp_path: Path, text: str, grid: str) -> None:
    configuration = loaded(tmp_path, f'grid = {grid}', replacements=(text,))
    assert configuration.distributions == {'lr': Uniform(1e-4, 1.0, log=True)}


def test_that_the_command_line_replaces_a_distribution(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, "grid = {'lr': uniform(0, 1)}", replacements=('lr=0.1,0.2', '+~db=[1]', 'f~=a~b'))
    assert configuration.grid == {'lr': [0.1, 0.2], '~db': [1], 'f~': ['a~b']}


def test_that_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
grid = {
    'a': uniform(1, 0), 'b': 'loguniform(0, 1)', 'c': [uniform(0, 1)], 'd': fidelity(1, 9), 'e': fidelity(1, 9),
    'f': choice([]), 'g': 'uniform(0, 1, shape=2)', 'h': [1, 2], 'i': uniform(0, 1), 'j': {'distribution': 'unifrom'},
    'k': choice([object]), 'l': 'lr(1)', 'm': 'unifrom(0, 1)',
}
zipped = [['h', 'i']]
conditions = [({'h': uniform(0, 1)}, {'m': fidelity(1, 2)}), ({'h': 'choice([1])'}, {'n': uniform(0, -1)})]
""",
    )
    expected = [
        "grid['a']: has 1.0 as low and 0.0 as high; low has to be smaller.",
        "grid['b']: 'loguniform(0, 1)' has 0.0 as low; its logarithm is drawn from, so low has to be above 0.",
        "grid['c'][0]: is a distribution in a list; write it in the place of the list.",
        "grid['f']: has no values; at least one is expected.",
        "grid['g']: 'uniform(0, 1, shape=2)' has shape=2: a value with several dimensions cannot be drawn; write one "
        'option for each.',
        "grid['j']: is none of uniform, loguniform, randint, normal, choice, fidelity; did you mean uniform?",
        "grid['k'][0]: is <class 'object'> (type); a bool, a number, a string, None, or a list or dict of such "
        'is expected.',
        "grid['l']: is 'lr(1)'; a list of values is expected (write ['lr(1)']).",
        "grid['m']: is 'unifrom(0, 1)'; a list of values is expected; did you mean uniform?",
        "conditions[0], when['h']: is a distribution; a list of the values that match is expected.",
        "conditions[0], then['m']: is a fidelity, which every run has; write it in the grid.",
        "conditions[1], when['h']: is a distribution; a list of the values that match is expected.",
        "conditions[1], then['n']: has 0.0 as low and -1.0 as high; low has to be smaller.",
        "grid: has 2 fidelities ('d', 'e'); one is expected, the same in each row.",
        "zipped: has 'i', whose values are drawn; only lists can be taken together.",
    ]
    assert found == expected


def test_that_a_problem_in_yaml_has_its_line(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'script_name: train.py\ngrid:\n  a: [1]\n  lr: uniform(1, 0)\n', 'grid.yaml')
    assert found.startswith(f"{tmp_path / 'grid.yaml'}, line 4: grid['lr']: 'uniform(1, 0)' has 1.0 as low")


def test_that_a_wrong_distribution_on_the_command_line_is_named(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "grid = {'lr': [1]}", replacements=('lr~uniform(0)',))
    assert found.startswith("--set: the values in 'lr~uniform(0)' cannot be read: ")


def test_that_the_fidelity_may_be_in_each_row(tmp_path: Path) -> None:
    same = loaded(tmp_path, "grid = [{'a': 1, 'epochs': fidelity(1, 9)}, {'a': 2, 'epochs': fidelity(1, 9)}]")
    assert same.distributions == {'epochs': Fidelity(1, 9)}
    (found,) = problems(tmp_path, "grid = [{'a': 1, 'epochs': fidelity(1, 9)}, {'a': 2, 'epochs': fidelity(1, 8)}]")
    assert found.startswith('grid: has 2 fidelities')


def test_that_what_has_no_effect_is_noted(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, "grid = {'lr': 'orion~uniform(0, 10, default_value=5)'}")
    assert configuration.notes == ["grid['lr']: default_value=5 is not used: it is for trials that Oríon inserts."]
