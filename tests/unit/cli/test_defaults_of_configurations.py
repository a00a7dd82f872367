"""What a configuration says of samplers and limits is the default of the options, which the command line overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.adaptive.options import PruneOptions
from hpsearch.cli.adaptive.settings import settings_of
from hpsearch.cli.options import SearchOptions, flat, search_options
from hpsearch.cli.parsers.searches import parse_run
from hpsearch.cli.request import make_request
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.trial import Objective

MODULE = """
from hpsearch import uniform
grid = {'lr': uniform(0, 1), 'depth': [1, 2]}
_COMMAND = ['true']
_SUMMARY_FILENAME = 's.txt'
_SUMMARY_KEYWORDS = ['acc', 'loss']
"""
SAID = """
_SEARCH = 'random'
_MAX_TRIALS = 7
_MAX_BROKEN = 2
_TARGET = 0.5
_BUDGET = '2h'
_OBJECTIVE = ['acc', 'loss']
_DIRECTION = ('maximize', 'minimize')
"""


def requested(folder: Path, text: str, *words: str) -> SearchOptions:
    """Return the options of a search of this configuration."""
    (folder / 'c.py').write_text(text)
    return make_request(parse_run([f'--grid_module={folder / "c.py"}', *words])).options


def chosen(options: SearchOptions) -> dict[str, Any]:
    """Return what was chosen of a sampler and its limits."""
    return {**vars(options.adaptive), **vars(options.limits)}


def test_that_a_configuration_may_say_everything_itself(tmp_path: Path) -> None:
    options = requested(tmp_path, MODULE + SAID)
    expected = {'search': 'random', 'max_trials': 7, 'max_broken': 2, 'target': 0.5, 'budget': '2h'}
    more = {'objective': ('acc', 'loss'), 'direction': ('maximize', 'minimize')}
    assert chosen(options).items() >= {**expected, **more}.items()
    assert search_options(flat(options)) == search_options({**flat(options), 'given': ()}), 'the search keeps them'


def test_that_an_objective_may_be_a_rule_for_where_it_is(tmp_path: Path) -> None:
    text = """
grid = {'lr': [0.1]}
_COMMAND = ['true']
_OUT_ARG = None
_OBJECTIVE = 'stdout: val_loss=([0-9.]+)'
_DIRECTION = 'minimize'
"""
    (tmp_path / 'c.py').write_text(text)
    words = [f'--grid_module={tmp_path / "c.py"}', '--search=random', '--max_trials=1']
    request = make_request(parse_run(words))
    assert settings_of(request.options, request.configuration).objectives == [Objective('val_loss', maximize=False)]
    assert request.configuration.results == [{'stdout': 'val_loss=([0-9.]+)', 'key': 'val_loss'}]
    other = make_request(parse_run([*words, '--objective=stdout: acc=([0-9.]+)', '--direction=maximize']))
    assert settings_of(other.options, other.configuration).objectives == [Objective('acc', maximize=True)]


@pytest.mark.parametrize(
    ('words', 'name', 'value'),
    [
        (['--max_trials=3'], 'max_trials', 3),
        (['--objective=loss', '--direction=minimize'], 'objective', ('loss',)),
        (['--budget='], 'budget', ''),
    ],
)
def test_that_the_command_line_takes_precedence(tmp_path: Path, words: list[str], name: str, value: Any) -> None:
    options = requested(tmp_path, MODULE + SAID, *words)
    assert chosen(options)[name] == value
    assert options.limits.max_broken == 2


def test_that_a_grid_that_is_asked_for_needs_no_limits(tmp_path: Path) -> None:
    options = requested(tmp_path, MODULE.replace('uniform(0, 1)', '[0.1]') + SAID, '--search=grid')
    assert not options.is_adaptive
    assert options.limits.max_trials is None


def test_that_limits_alone_wait_for_a_sampler(tmp_path: Path) -> None:
    lists = MODULE.replace('uniform(0, 1)', '[0.1]') + '_MAX_TRIALS = 2\n'
    assert requested(tmp_path, lists).limits.max_trials is None
    assert requested(tmp_path, lists, '--search=random').limits.max_trials == 2


METRICS = "_METRICS = []\n_PRUNE = 'asha'\n_GRACE_PERIOD = 3\n"


def test_that_a_pruner_is_an_option_of_a_grid_as_well(tmp_path: Path) -> None:
    text = MODULE.replace('uniform(0, 1)', '[0.1]') + METRICS
    pruning = requested(tmp_path, text, '--reduction_factor=4').pruning
    assert (pruning.prune, pruning.grace_period, pruning.reduction_factor) == ('asha', 3, 4)
    assert requested(tmp_path, text, '--prune=none').pruning == PruneOptions(), 'it needs no grace period then'


def test_that_options_of_the_sampler_are_a_dict(tmp_path: Path) -> None:
    text = f'{MODULE}_SEARCH = "random"\n_MAX_TRIALS = 1\n_SEARCH_OPTIONS = {{"a": 1, "b": "x"}}\n'
    with pytest.raises(ConfigError) as error:
        requested(tmp_path, text)
    first, second = error.value.problems
    assert 'a=1' in first
    assert 'b=x' in second


def test_that_everything_that_no_option_takes_is_named_at_once(tmp_path: Path) -> None:
    wrong = "_SEARCH = 'best'\n_MAX_TRIALS = 1.5\n_TARGET = 'good'\n_DIRECTION = ['up']\n_BUDGET = 'long'\n"
    with pytest.raises(ConfigError) as error:
        requested(tmp_path, MODULE + wrong)
    found = error.value.problems
    assert [problem.partition(':')[0] for problem in found if problem.startswith('_')] == [
        '_SEARCH', '_MAX_TRIALS', '_TARGET', '_BUDGET', '_DIRECTION',
    ]  # fmt: skip
    assert found[1] == '_MAX_TRIALS: is 1.5; a whole number is expected.'


def test_that_values_of_another_kind_are_found_with_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        requested(tmp_path, f'{MODULE}_SEARCH = [object]\n')
    assert error.value.problems[0].startswith("_SEARCH: is [<class 'object'>]; a number, a text, or a list or dict")


def test_that_a_drawn_grid_without_a_sampler_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'--search=grid: lr: .* Give --search=random --max_trials=N'):
        requested(tmp_path, MODULE)


FINITE = MODULE.replace('uniform(0, 1)', '[0.1, 0.2, 0.3]')


def test_that_only_a_space_without_an_end_needs_a_limit(tmp_path: Path) -> None:
    assert requested(tmp_path, FINITE, '--search=random').limits.max_trials is None
    with pytest.raises(ConfigError, match=r'--search=random: would never end; give --max_trials=N'):
        requested(tmp_path, MODULE, '--search=random')


@pytest.mark.parametrize('text', [FINITE, MODULE])
def test_that_constraints_that_leave_nothing_are_named_before_anything_runs(tmp_path: Path, text: str) -> None:
    nothing = f'{text}constraints = [lambda params: False]\n'
    with pytest.raises(ConfigError) as error:
        requested(tmp_path, nothing, '--search=random', '--max_trials=3')
    (problem,) = error.value.problems
    assert problem.startswith(
        ('grid: its conditions and constraints leave nothing', 'constraints: none of 10,000 draws')
    )
    wrong = f'{text}constraints = [lambda params: params["no"]]\n'
    with pytest.raises(ConfigError, match=r"constraints\[0\] \(<lambda>\) raised KeyError\('no'\)"):
        requested(tmp_path, wrong, '--search=random', '--max_trials=3')


def test_that_a_wrong_attribute_of_a_sampler_is_the_only_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        requested(tmp_path, f"{MODULE}{SAID}_DIRECTION = 'minimise'\n")
    assert list(raised.value.problems) == ["_DIRECTION: is 'minimise'; maximize or minimize is expected."]
