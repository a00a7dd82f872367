"""hpsearch: run an unmodified training script with many hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.config.distributions.functions import choice, fidelity, loguniform, normal, randint, uniform
    from hpsearch.model.configuration import Not
    from hpsearch.records.loading import load, runs
    from hpsearch.results.metrics.report import report

__version__ = '0.1.0'
__all__ = [
    'Not',
    '__version__',
    'choice',
    'fidelity',
    'load',
    'loguniform',
    'normal',
    'randint',
    'report',
    'runs',
    'uniform',
]


def __getattr__(name: str) -> Any:
    """Import what configurations and scripts use only when they use it: most processes do not."""
    if name == 'Not':
        from hpsearch.model.configuration import Not

        return Not
    if name == 'report':
        from hpsearch.results.metrics.report import report

        return report
    if name in ('load', 'runs'):
        from hpsearch.records import loading

        return getattr(loading, name)
    if name in __all__:
        from hpsearch.config.distributions import functions

        return getattr(functions, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
