"""Samplers that learn from results: the same trials give the same proposals, and better ones than chance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median

import pytest

from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Choice, Fidelity, Integer, Normal, Space, Uniform, choice_of
from hpsearch.model.trials.trial import Trial, TrialState
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.models.making import learning_sampler
from tests.support.paths import REPOSITORY
from tests.unit.samplers.models.trials import SPACE, bowl, number, sampler_of, searched, through_json, trial

pytest.importorskip('optuna')
pytest.importorskip('cmaes')

QUICK = ['tpe', 'nsga2', 'cmaes']


class Anything:
    """Allows all values, of which there is no end."""

    def key(self, values: Mapping[str, Value]) -> Hashable:
        """Other values are another run."""
        return json.dumps(values)

    def untried(self, tried: Collection[Hashable], random: Random) -> None:
        """There is no end of them."""

    def is_exhausted(self, tried: Collection[Hashable]) -> bool:
        """Never."""
        return False


@pytest.mark.parametrize('kind', QUICK)
def test_that_a_sampler_that_has_seen_nothing_proposes_what_the_one_of_the_search_does(kind: str) -> None:
    used = sampler_of(kind)
    trials = searched(used, bowl, 40, at_once=3)
    for ended in (3, 12, 39, 40):
        assert sampler_of(kind).propose(through_json(trials[:ended]), ended + 1) == used.propose(
            trials[:ended], ended + 1
        )


def test_that_another_process_proposes_the_same(tmp_path: Path) -> None:
    code = f"""
import json
from tests.unit.samplers.models.trials import *
for kind in {QUICK}:
    print(json.dumps([dict(each.values) for each in searched(sampler_of(kind), bowl, 30, at_once=2)]))
"""
    environment = {**os.environ, 'PYTHONHASHSEED': '1', 'PYTHONPATH': str(REPOSITORY)}
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    for kind, line in zip(QUICK, done.stdout.splitlines(), strict=True):
        assert json.loads(line) == [dict(each.values) for each in searched(sampler_of(kind), bowl, 30, at_once=2)]


@pytest.mark.parametrize('kind', QUICK)
def test_that_suggestions_without_answers_differ(kind: str) -> None:
    sampler = AllowedSampler(sampler_of(kind), Anything(), SPACE, 1)
    trials = searched(sampler, bowl, 20)
    for begun in range(21, 36):
        proposal = sampler.propose(trials, begun)
        assert proposal is not None
        trials.append(trial(begun, proposal))
    assert len({json.dumps(each.values) for each in trials}) == 35


@pytest.mark.parametrize('kind', QUICK)
def test_that_values_have_the_form_of_their_distributions(kind: str) -> None:
    space: Space = {
        'lr': Uniform(1e-5, 1.0, log=True, precision=2),
        'rate': Uniform(0.1, 0.9, step=0.2),
        'shift': Normal(5.0, 1.0, precision=3),
        'units': Integer(1, 1000, log=True),
        'layers': choice_of([[1, 2], [3]]),
        'flag': choice_of([True, 1, None]),
        'fixed': Choice(('only',)),
        'same': Uniform(2.0, 2.0),
        'epochs': Fidelity(1, 9),
    }
    trials = searched(sampler_of(kind, space), bowl, 30)
    for each in trials:
        assert list(each.values) == [name for name in space if name != 'epochs']
        assert number(each.values['lr']) == float(f'{each.values["lr"]:.2g}')
        assert each.values['rate'] in (0.1, 0.3, 0.5, 0.7, 0.9)
        assert type(each.values['units']) is int
        assert each.values['layers'] in ([1, 2], [3])
        assert any(each.values['flag'] is value for value in (True, None)) or type(each.values['flag']) is int
        assert (each.values['fixed'], each.values['same']) == ('only', 2.0)
    assert 1 < sum(number(each.values['shift']) for each in trials) / 30 < 9


@pytest.mark.parametrize('kind', QUICK)
def test_that_results_are_learnt_from(kind: str) -> None:
    space: Space = {'a': Uniform(-5.0, 5.0), 'b': Uniform(-5.0, 5.0)}
    trials = searched(
        sampler_of(kind, space), lambda values: (number(values['a']) ** 2 + number(values['b']) ** 2,), 120, at_once=4
    )
    losses = [each.losses[0] for each in trials if each.losses]
    assert median(losses[-30:]) < 0.6 * median(losses[:30])


@pytest.mark.parametrize('kind', QUICK)
def test_that_trials_of_every_state_are_taken(kind: str) -> None:
    sampler = sampler_of(kind)
    trials = searched(sampler, bowl, 20)
    ends = [
        (TrialState.STOPPED, {1.0: 0.5, 2.0: 0.4}),
        (TrialState.STOPPED, {}),
        (TrialState.FAILED, {}),
        (TrialState.WAITING, {1.0: 0.7}),
    ]
    for state, curve in ends:
        proposal = sampler.propose(trials, len(trials) + 1)
        assert proposal is not None
        trials.append(trial(len(trials) + 1, proposal, state=state, curve=curve))
    assert sampler.propose(trials, 25) is not None


@pytest.mark.parametrize('kind', QUICK)
def test_that_options_may_be_missing_or_set_by_conditions(kind: str) -> None:
    sampler = sampler_of(kind)
    trials: list[Trial] = []
    for begun in range(1, 40):
        proposal = sampler.propose(trials, begun)
        assert proposal is not None
        values = {**proposal.values, 'lr': 7.0} if begun % 4 == 0 else dict(proposal.values)
        if values['kind'] == 'a':
            del values['width']
        trials.append(trial(begun, replace(proposal, values=values), bowl(values)))
    assert all(1e-5 <= number(each.values['lr']) <= 1 for each in trials if each.number % 4)


@pytest.mark.parametrize('kind', QUICK)
def test_that_losses_may_be_infinite(kind: str) -> None:
    sampler = sampler_of(kind)
    trials = searched(sampler, lambda values: (float('inf') if values['kind'] == 'a' else 1.0,), 30)
    assert sampler.propose(trials, 31) is not None


@pytest.mark.parametrize('kind', ['tpe', 'nsga2'])
def test_that_several_objectives_are_approached_together(kind: str) -> None:
    space: Space = {'a': Uniform(0.0, 10.0), 'b': Uniform(0.0, 10.0)}

    def two(values: Mapping[str, Value]) -> tuple[float, ...]:
        return (number(values['a']) ** 2 + number(values['b']), (number(values['a']) - 2) ** 2 + number(values['b']))

    trials = searched(sampler_of(kind, space, objectives=2), two, 100, at_once=3)
    assert median(number(each.values['b']) for each in trials[-30:]) < 3.5


@pytest.mark.parametrize('kind', ['nsga2', 'cmaes'])
def test_that_a_generation_keeps_the_parents_it_began_with(kind: str) -> None:
    """A trial that ends late belongs to no generation that was already made."""
    sampler = sampler_of(kind)
    trials = searched(sampler, bowl, 40, at_once=5)
    first = sampler.propose(trials, 41)
    assert first is not None
    trials.append(trial(41, first))
    before = sampler_of(kind).propose(trials, 42)
    waiting = next(each for each in trials if each.state is TrialState.WAITING)
    late = [trial(each.number, each.evaluations[0].proposal, (-9.0,)) if each is waiting else each for each in trials]
    after = sampler_of(kind).propose(late, 42)
    assert before is not None
    assert after is not None
    assert before.facts.get('generation') == after.facts.get('generation')


def test_that_all_misfits_are_named_at_once_with_what_to_do() -> None:
    with pytest.raises(ConfigError) as error:
        learning_sampler('cmaes', {'kind': choice_of(['a', 'b'])}, 2, 1, {'popsiz': '3', 'sigma0': 'wide'})
    assert [line.split(':')[0].split(';')[0] for line in error.value.problems] == [
        '--search=cmaes has one objective only',
        '--search=cmaes needs an option with numbers, such as uniform(0, 1)',
        '--search_options popsiz=3',
        '--search_options sigma0=wide',
    ]


def test_that_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(
        ConfigError, match=r"--search=gp needs optuna and scipy and torch: pip install 'hpsearch\[search-gp\]'"
    ):
        learning_sampler('gp', SPACE, 1, 1, {})


def test_that_an_optuna_is_refused_whose_gaussian_process_does_not_know_what_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: object())
    monkeypatch.setattr('importlib.metadata.version', lambda name: '4.7.0')
    with pytest.raises(ConfigError, match=r'--search=gp needs optuna 4\.8 or newer'):
        learning_sampler('gp', SPACE, 1, 1, {})
    monkeypatch.setattr('importlib.metadata.version', lambda name: '4.10.0rc1')
    assert learning_sampler('gp', SPACE, 1, 1, {}).propose([], 1) is not None


def test_that_the_first_proposals_of_tpe_do_not_import_optuna(tmp_path: Path) -> None:
    code = """
import sys
from tests.unit.samplers.models.trials import SPACE
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.models.making import learning_sampler
assert learning_sampler('tpe', SPACE, 1, 1, {}).propose([], 1)
assert not {'optuna', 'cmaes', 'numpy', 'torch', 'scipy'} & set(sys.modules)
"""
    subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(REPOSITORY)}, check=True
    )


def test_that_optuna_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for kind in ('tpe', 'nsga2'):
        searched(sampler_of(kind), bowl, 15)
    assert capfd.readouterr() == ('', '')


def test_that_the_gaussian_process_proposes_the_same_in_another_sampler_and_learns() -> None:
    pytest.importorskip('torch')
    pytest.importorskip('scipy')
    space: Space = {'a': Uniform(-5.0, 5.0), 'kind': choice_of(['a', 'b'])}
    sampler = sampler_of('gp', space)
    trials = searched(sampler, lambda values: (number(values['a']) ** 2,), 8, at_once=2)
    assert sampler_of('gp', space).propose(through_json(trials), 9) == sampler.propose(trials, 9)
    assert len({each.values['a'] for each in trials}) == 8
    assert min(each.losses[0] for each in trials if each.losses) < 0.5
