"""What is wrong with a search whose runs are given differently much: promotions, and populations."""

from __future__ import annotations

from collections.abc import Iterator

from hpsearch.cli.options import SearchOptions
from hpsearch.dispatch.adaptive.sampled_runs import POPULATION
from hpsearch.model.configuration import Configuration
from hpsearch.samplers.pbt_options import DEFAULT_SIZE, NO_CHECKPOINT


def budget_problems(options: SearchOptions, configuration: Configuration, *, has_objective: bool) -> Iterator[str]:
    """What is wrong with it, in sentences; that there is no budget is for the sampler to say.

    Args:
        options: Those of an adaptive search.
        configuration: Its configuration.
        has_objective: Whether it is known what is optimised.
    """
    is_population, fidelity = options.adaptive.search == POPULATION, configuration.fidelity
    if (is_population or fidelity) and not has_objective:
        what = '--search=pbt' if is_population else f'grid[{fidelity!r}]'
        yield f'{what}: nothing says by what runs are compared; give --objective, or set _PERFORMANCE_KEY.'
    if not is_population:
        return
    if configuration.checkpoint_arg is None:
        yield NO_CHECKPOINT
    most, size = options.limits.max_trials, _size(options)
    if most is not None and size is not None and most < size:
        yield f'--max_trials={most}: the population has {size} members; give --search_options population={most}.'


def _size(options: SearchOptions) -> int | None:
    """The size of the population; None: it cannot be read, which is said elsewhere."""
    given = [text.partition('=')[2] for text in options.adaptive.search_options if text.startswith('population=')]
    text = given[-1] if given else str(DEFAULT_SIZE)
    return int(text) if text.isascii() and text.isdigit() else None
