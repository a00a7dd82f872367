"""What an experiment of Oríon says of how its trials are chosen, as options of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpsearch.config.foreign.translation import Translation

_SAME: Mapping[str, Mapping[str, Any]] = {
    'random': {'search': 'random'},
    'gridsearch': {'search': 'grid'},
    'tpe': {'search': 'tpe'},
    'asha': {'search': 'random', 'prune': 'asha'},
    'hyperband': {'search': 'random', 'prune': 'hyperband'},
    'pbt': {'search': 'pbt'},
    'robogp': {'search': 'gp'},
    'bayesianoptimizer': {'search': 'gp'},
}
"""Algorithms to options that mean the same method."""

_NEAREST = {
    'bohb': '--search=tpe --prune=hyperband',
    'dehb': '--search=tpe --prune=hyperband',
    'evolutiones': '--search=pbt',
    'pb2': '--search=pbt',
    'axoptimizer': '--search=gp',
    'ax': '--search=gp',
    'hebo': '--search=gp',
    'robogpmcmc': '--search=gp',
    'roborandomforest': '--search=tpe',
    'robodngo': '--search=gp',
    'robobohamiann': '--search=gp',
    'mofa': '--search=qmc',
    'nevergradoptimizer': '--search=cmaes',
}
"""Algorithms that are not here to the options of what is nearest."""

_OF_TPE = {'n_initial_points': 'n_startup_trials', 'n_ei_candidates': 'n_ei_candidates'}
"""Options of its TPE to those of ours."""

_OF_EXPERIMENT = {'max_trials': 'max_trials', 'max_broken': 'max_broken'}
_ELSEWHERE = ('name', 'algorithm', 'algorithms', 'working_dir', *_OF_EXPERIMENT)
_OF_WORKER = ('n_workers', 'user_script_config')


def suggested_by(orion: Translation, experiment: Mapping[str, Any], worker: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a search that a configuration says; what has no effect is noted."""
    suggested: dict[str, Any] = {'search': 'random'}
    for theirs, ours in _OF_EXPERIMENT.items():
        if experiment.get(theirs) is not None:
            suggested[ours] = _whole_number(orion, ('experiment', theirs), experiment[theirs])
    for key in ('algorithm', 'algorithms'):
        if experiment.get(key) is not None:
            suggested |= _of_algorithm(orion, ('experiment', key), experiment[key])
    if worker.get('n_workers') is not None:
        suggested['n_workers'] = _whole_number(orion, ('worker', 'n_workers'), worker['n_workers'])
    orion.note([f'experiment.{key}' for key in experiment if key not in _ELSEWHERE], 'not used here.')
    orion.note([f'worker.{key}' for key in worker if key not in _OF_WORKER], 'not used here.')
    return {name: value for name, value in suggested.items() if value is not None}


def _whole_number(orion: Translation, keys: tuple[str, ...], value: Any) -> int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) > 0:
        return int(value)
    orion.problem(keys, f'is {value!r}; a whole number above 0 is expected.')
    return None


def _of_algorithm(orion: Translation, keys: tuple[str, ...], algorithm: Any) -> dict[str, Any]:
    name, given = _name_and_options(algorithm)
    plain = name.lower().replace('_', '').replace('-', '')
    if plain not in _SAME:
        nearest = _NEAREST.get(plain, '--search=random, or another one,')
        return {'problem': f'{".".join(keys)}: {name} is not here; give what is nearest: {nearest}.'}
    suggested = dict(_SAME[plain])
    if given.get('seed') is not None:
        suggested['random_seed'] = _whole_number(orion, (*keys, name, 'seed'), given['seed'])
    known = _OF_TPE if plain == 'tpe' else {}
    if passed := tuple(f'{known[key]}={value}' for key, value in given.items() if key in known and value is not None):
        suggested['search_options'] = passed
    left = [key for key, value in given.items() if key not in ('of_type', 'type', 'seed', *known) and value is not None]
    orion.note([f'{".".join(keys)}.{key}' for key in left], 'not used here.')
    return suggested


def _name_and_options(algorithm: Any) -> tuple[str, Mapping[str, Any]]:
    """The name is the only key, or below ``type`` or ``of_type``."""
    if not isinstance(algorithm, Mapping) or not algorithm:
        return str(algorithm), {}
    name = algorithm.get('type', algorithm.get('of_type'))
    if name is not None:
        return str(name), algorithm
    first, options = next(iter(algorithm.items()))
    return str(first), options if isinstance(options, Mapping) else {}
