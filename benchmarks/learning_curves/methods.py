"""All methods that are compared, by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from benchmarks.learning_curves.ours import Ours
from benchmarks.learning_curves.peers import Optuna, Published, Ray, at_random, by_study
from benchmarks.learning_curves.simulation import Method
from benchmarks.learning_curves.tasks import Task
from hpsearch.model.trials.trial import Objective
from hpsearch.pruners.factory import make_pruner
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.factory import make_sampler
from hpsearch.samplers.random_search import RandomSampler

FACTOR = 3

Maker = Callable[[Task, int], Method]
"""From a task and a seed to a method."""


def ours(prune: str, *, resumable: bool = False, search: str = 'random', **settings: Any) -> Maker:
    """hpsearch with a pruner, and with nothing set but what is named here."""

    def make(task: Task, seed: int) -> Method:
        pruner = make_pruner(prune, settings)
        sampler, redraw = _sampler(search, task, seed), RandomSampler(task.space, seed)
        return Ours(sampler, pruner, resumable=resumable, learns=search != 'random', redraw=redraw)

    return make


def _sampler(search: str, task: Task, seed: int) -> Sampler:
    if search == 'random':
        return RandomSampler(task.space, seed)
    return make_sampler(search, task.space, [Objective('loss')], seed, {})


def optuna(pruner: str, grace: int, sampler: str = '', **settings: Any) -> Maker:
    """Optuna with a pruner; with the values of random search, or with those of a sampler of its own."""

    def make(task: Task, seed: int) -> Method:
        from optuna import pruners, samplers

        kind = getattr(pruners, pruner)
        made = kind() if not grace else kind(min_resource=grace, reduction_factor=FACTOR, **settings)
        chosen = getattr(samplers, sampler)(seed=seed) if sampler else samplers.RandomSampler(seed=seed)
        return Optuna(chosen, made, by_study(task) if sampler else at_random(task, seed))

    return make


def methods() -> dict[str, Maker]:
    """Name to method, random search first; those whose libraries are missing are left out."""
    own = {
        'random search': ours('none'),
        '--prune=asha': ours('asha'),
        '--prune=asha --grace_period=3': ours('asha', grace_period=3),
        '--prune=asha, resumable': ours('asha', resumable=True),
        '--prune=asha --grace_period=3, resumable': ours('asha', resumable=True, grace_period=3),
        '--prune=asha --prune_options adapt=no': ours('asha', adapt='no'),
        '--prune=hyperband': ours('hyperband', max_resource=81),
        '--prune=median': ours('median'),
        'published, grace 1': lambda task, seed: Published(task, seed, 1, FACTOR),
        'published, grace 3': lambda task, seed: Published(task, seed, 3, FACTOR),
    }
    return {**own, **_of_optuna(), **_of_ray()}


def _of_optuna() -> dict[str, Maker]:
    if importlib.util.find_spec('optuna') is None:
        return {}
    return {
        '--search=tpe': ours('none', search='tpe'),
        '--search=tpe --prune=asha': ours('asha', search='tpe'),
        'Optuna SuccessiveHalvingPruner, grace 1': optuna('SuccessiveHalvingPruner', 1),
        'Optuna SuccessiveHalvingPruner, grace 3': optuna('SuccessiveHalvingPruner', 3),
        'Optuna HyperbandPruner, grace 1': optuna('HyperbandPruner', 1, max_resource=81),
        'Optuna TPESampler': optuna('NopPruner', 0, 'TPESampler'),
        'Optuna TPESampler, SuccessiveHalvingPruner, grace 1': optuna('SuccessiveHalvingPruner', 1, 'TPESampler'),
    }


def _of_ray() -> dict[str, Maker]:
    if importlib.util.find_spec('ray') is None or importlib.util.find_spec('ray.tune') is None:
        return {}
    return {
        'Ray ASHAScheduler, grace 1': lambda task, seed: Ray(task, seed, 1, FACTOR),
        'Ray ASHAScheduler, grace 3': lambda task, seed: Ray(task, seed, 3, FACTOR),
    }
