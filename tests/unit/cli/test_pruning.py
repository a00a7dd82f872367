"""The options that stop runs early: what they become, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.adaptive import pruning
from hpsearch.cli.adaptive.pruning import prune_problems, prune_settings, with_metrics
from hpsearch.cli.adaptive.settings import problems_of
from hpsearch.cli.options import search_options
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.trial import Objective
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.open_search import OpenSearch

REPORTS = Configuration('grid.py', '', {'a': [1]}, command=('true',), metrics=(), performance_key='acc')


@pytest.fixture(autouse=True)
def makes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """Which pruners are made, with their options."""
    made: list[tuple[str, Mapping[str, Any]]] = []
    monkeypatch.setattr(pruning, 'make_pruner', lambda name, options: made.append((name, options)))
    return made


def problems(configuration: Configuration = REPORTS, **options: Any) -> Sequence[str]:
    """What is wrong, of these options alone."""
    return prune_problems(search_options(options), configuration)


def test_that_nothing_is_stopped_unasked() -> None:
    assert prune_settings(search_options({}), replace(REPORTS, metrics=None, performance_key=None)) is None


def test_that_what_was_given_reaches_the_pruner_and_nothing_else(makes: list[Any]) -> None:
    given = {'prune': 'asha', 'grace_period': 3.0, 'prune_options': ['brackets=2'], 'max_resource': 81.0}
    found = prune_settings(search_options(given), REPORTS)
    assert found is not None
    assert (found.pruner, found.last_step) == ('asha', 81.0)
    assert found.objectives == [Objective('acc', maximize=True)]
    assert found.options == {'grace_period': 3.0, 'max_resource': 81.0, 'brackets': '2'}
    assert makes == [('asha', found.options)]


def test_that_the_last_step_may_be_unknown() -> None:
    found = prune_settings(search_options({'prune': 'median'}), REPORTS)
    assert found is not None and found.last_step == math.inf and found.options == {}


@pytest.mark.parametrize(
    ('configuration', 'is_enough'),
    [
        (REPORTS, True),
        (replace(REPORTS, metrics=None), False),
        (replace(REPORTS, metrics=None, results=({'file': 'log.csv'},)), True),
        (replace(REPORTS, metrics=None, results=({'file': 'result.yaml'},)), False),
        (replace(REPORTS, metrics=None, results=({'format': 'metrics'},)), True),
        (replace(REPORTS, metrics=({'stdout': 'epoch (?P<step>.) (?P<acc>.)'},)), True),
    ],
)
def test_that_a_pruner_needs_metrics(configuration: Configuration, is_enough: bool) -> None:
    found = problems(configuration, prune='asha')
    assert is_enough is (found == [])
    assert is_enough or ('_METRICS' in found[0] and 'hpsearch.report' in found[0])


def test_that_a_search_that_is_resumed_with_a_pruner_needs_metrics_as_well(tmp_path: Path) -> None:
    options = search_options({'prune': 'asha'})
    for results, metrics in (((), None), (({'file': 'log.csv'},), [{'file': 'log.csv'}])):
        configuration = replace(REPORTS, metrics=None, results=results)
        search = with_metrics(OpenSearch(SearchFolder(tmp_path), configuration, str(tmp_path), 'python3'), options)
        assert search.configuration.metrics == metrics
        assert bool(prune_problems(options, search.configuration)) is (metrics is None)


def test_that_it_needs_one_objective() -> None:
    nameless = replace(REPORTS, performance_key=None)
    assert '--objective' in problems(nameless, prune='asha')[0]
    assert problems(nameless, prune='asha', objective=['loss']) == []
    assert '2 objectives' in problems(prune='asha', objective=['loss', 'acc'])[0]


def test_that_somebody_must_be_there_to_stop_runs() -> None:
    queue: dict[str, Any] = {'prune': 'asha', 'run_cluster': True, 'submit_only': True}
    assert '--submit_only' in problems(**queue)[0]
    assert problems(**queue, runs_per_job=4) == []


def test_that_members_of_a_population_are_not_stopped() -> None:
    assert '--search=pbt' in problems(prune='asha', search='pbt')[0]
    assert problems(prune='asha', search='random') == []


def test_that_options_of_a_pruner_need_one() -> None:
    assert problems(grace_period=3.0, prune_options=['a=1']) == [
        '--grace_period: needs --prune=asha or another pruner.',
        '--prune_options: needs --prune=asha or another pruner.',
    ]


def test_that_a_grid_with_a_pruner_may_have_an_objective() -> None:
    options = {'objective': ['loss'], 'direction': ['minimize'], 'prune': 'asha'}
    assert problems_of(search_options(options), REPORTS) == []
    found = prune_settings(search_options(options), REPORTS)
    assert found is not None and found.objectives == [Objective('loss')]


def test_that_all_problems_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, options: Mapping[str, Any]) -> None:
        raise ConfigError(['--grace_period: must be smaller.'])

    monkeypatch.setattr(pruning, 'make_pruner', refuse)
    with pytest.raises(ConfigError) as raised:
        prune_settings(search_options({'prune': 'asha'}), replace(REPORTS, metrics=None, performance_key=None))
    assert len(raised.value.problems) == 3
