"""The pruners by their names on the command line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from hpsearch.model.errors import ConfigError

if TYPE_CHECKING:
    from hpsearch.pruners.base import Pruner
    from hpsearch.pruners.rungs import Ladder

Settings: TypeAlias = Mapping[str, Any]

LAST_RUNG, MOST_RUNGS = 1e9, 1000
"""No rung is above this step, where the last step of a run is not known, and no more rungs are told than this."""

_TRUTH = {'true': True, 'yes': True, '1': True, 'false': False, 'no': False, '0': False}


# Each imports what it needs, so that searches that prune nothing need not wait for it.


def _asha(settings: Settings) -> Pruner:
    from hpsearch.pruners.asha import Asha

    return Asha(_ladder(settings), adapts=settings.get('adapt', True))


def _hyperband(settings: Settings) -> Pruner:
    from hpsearch.pruners.hyperband import Hyperband

    return Hyperband(_ladder(settings))


def _percentile(settings: Settings) -> Pruner:
    from hpsearch.pruners.percentile import Percentile

    share, least = settings.get('percentile', 50), settings.get('min_runs', 5)
    return Percentile(share, settings.get('grace_period', 1), int(least))


def _ladder(settings: Settings) -> Ladder:
    from hpsearch.pruners.rungs import Ladder

    return Ladder(settings.get('grace_period', 1), settings.get('reduction_factor', 3), settings.get('max_resource'))


_MAKERS: Mapping[str, tuple[Callable[[Settings], Pruner], tuple[str, ...]]] = {
    'asha': (_asha, ('grace_period', 'reduction_factor', 'max_resource', 'adapt')),
    'hyperband': (_hyperband, ('grace_period', 'reduction_factor', 'max_resource')),
    'median': (_percentile, ('grace_period', 'max_resource', 'min_runs')),
    'percentile': (_percentile, ('grace_period', 'max_resource', 'min_runs', 'percentile')),
}
"""Name to the pruner and the options that it has."""

_ABOVE: Mapping[str, float] = {
    'grace_period': 0,
    'reduction_factor': 1,
    'max_resource': 0,
    'percentile': 0,
    'min_runs': 1,
}
"""The values of an option are above this."""


def make_pruner(name: str, settings: Settings) -> Pruner | None:
    """The pruner of this name; None: nothing is pruned (``none``).

    Args:
        name: A value of ``--prune``.
        settings: Its options, by their names on the command line, as values or as text. ``grace_period`` and
            ``max_resource`` are steps, ``percentile`` is the share of the runs that goes on at every step, ``min_runs``
            how many others must have come as far, and ``adapt`` says whether the grace may grow.

    Raises:
        ConfigError: With everything that is wrong with the options.
    """
    if name == 'none':
        return None
    make, known = _MAKERS[name]
    read = {option: _value(option, given) for option, given in settings.items()}
    problems = [_unknown(name, option, known) for option in settings if option not in known]
    problems += [_wrong(option, settings[option]) for option in known if option in settings and read[option] is None]
    if not problems:
        problems = _misfits(name, read)
    if problems:
        raise ConfigError(problems)
    return make(read)


def rungs_of(name: str, settings: Settings) -> tuple[float, ...]:
    """The steps at which a pruner compares runs, first to last; empty: at all of them. Arguments: as above."""
    if 'reduction_factor' not in _MAKERS[name][1]:
        return ()
    ladder = _ladder({option: _value(option, given) for option, given in settings.items()})
    return tuple(islice(ladder.up_to(LAST_RUNG), MOST_RUNGS))


def _value(option: str, given: Any) -> Any:
    """The value of an option; None: it is none of those that the option may have."""
    if option == 'adapt':
        return _TRUTH.get(str(given).lower())
    try:
        number = float(given)
    except ValueError:
        return None
    is_allowed = _ABOVE.get(option, 0) < number < (100 if option == 'percentile' else math.inf)
    return number if is_allowed else None


def _unknown(name: str, option: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(option, known, n=1)
    hint = f'did you mean {close[0]}?' if close else f'it has {", ".join(known)}.'
    return f'--prune={name} has no option {option}; {hint}'


def _wrong(option: str, given: Any) -> str:
    if option == 'adapt':
        return f'{option}={given}: yes or no is expected.'
    below = ' and below 100' if option == 'percentile' else ''
    return f'{option}={given}: a number above {_ABOVE[option]:g}{below} is expected.'


def _misfits(name: str, settings: Settings) -> list[str]:
    """What is wrong with options together."""
    grace, most = settings.get('grace_period', 1), settings.get('max_resource')
    if name == 'hyperband' and most is None:
        return ['--prune=hyperband: give --max_resource, the last step of a run; its brackets depend on it.']
    if most is not None and grace > most:
        return [f'--grace_period={grace:g} is after --max_resource={most:g}, so that no run would be stopped.']
    return []
