"""From the options of an adaptive search to its settings, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hpsearch.cli.adaptive.budgets import budget_problems
from hpsearch.cli.adaptive.options import AdaptiveOptions, LimitOptions, seconds_of
from hpsearch.cli.options import SearchOptions
from hpsearch.config.inline.objective import GivenResults, given_results, objective_problem, objectives_of_search
from hpsearch.dispatch.adaptive.limits import enough_by_results, total_of
from hpsearch.dispatch.adaptive.sampled_runs import POPULATION, sampler_of, space_of
from hpsearch.dispatch.adaptive.settings import AdaptiveSettings, Limits
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.trials.evaluations import evaluation_of
from hpsearch.model.trials.trial import Evaluation, Objective, trials_of
from hpsearch.model.units import count_of
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.sampled import SampledSpace
from hpsearch.space.seeds import seeds_of
from hpsearch.store.opening.open_search import OpenSearch

_OF_GRIDS = ('search', 'objective', 'direction')
"""Options that also a search has whose runs are planned in advance: it has a table with a best run."""


def adaptive_settings(options: SearchOptions, search: OpenSearch) -> AdaptiveSettings | None:
    """How the runs of a search are chosen while it goes; None: they are all planned in advance."""
    return settings_of(options, search.configuration, search.ident) if options.is_adaptive else None


def settings_of(options: SearchOptions, configuration: Configuration, ident: str = '') -> AdaptiveSettings:
    """The settings of an adaptive search.

    Raises:
        ConfigError: No option is a seed, where trials are to have several.
    """
    chosen = options.adaptive
    return AdaptiveSettings(
        options.adaptive.search,
        objectives_of(options, configuration),
        options.configuration.random_seed,
        sampler_options(options),
        limits_of(options),
        ident,
        seeds_of(configuration, chosen.seed_arg, chosen.seeds_per_config) if chosen.seeds_per_config > 1 else None,
        goes_on=configuration.checkpoint_arg is not None,
    )


def limits_of(options: SearchOptions) -> Limits:
    """When an adaptive search ends."""
    given = options.limits
    budget = seconds_of(given.budget) if given.budget else None
    return Limits(given.max_trials, given.max_broken, given.target, budget)


def sampler_options(options: SearchOptions) -> Mapping[str, str]:
    """What is given to the sampler."""
    pairs = (text.partition('=') for text in options.adaptive.search_options)
    return {name: value for name, _, value in pairs}


def objectives_of(options: SearchOptions, configuration: Configuration) -> Sequence[Objective]:
    """What is optimised, by the options or by the configuration; empty: neither says it."""
    return objectives_of_search(vars(options.adaptive), configuration)


def planned_runs(options: SearchOptions, configuration: Configuration, state: SearchState) -> int | None:
    """How many runs an adaptive search will have, as its journals have it; None: there is no limit."""
    settings = settings_of(options, configuration)
    policy = RetryPolicy(options.execution.max_attempts, options.execution.retries)
    runs = [
        evaluation_of(each, state.runs.get(each.run), state.curves.of(each.run), settings.objectives, policy)
        for each in sorted(state.suggestions.values(), key=lambda each: each.number)
    ]
    trials = trials_of(runs)
    is_over = enough_by_results(trials, settings.limits, settings.objectives) is not None
    is_over = is_over or _is_exhausted(space_of(settings, configuration), runs)
    return len(runs) if is_over else total_of(len(runs), len(trials), settings.limits)


def _is_exhausted(space: SampledSpace, runs: Sequence[Evaluation]) -> bool:
    """Whether all combinations of a grid of lists have been tried; what constraints rule out is not known here."""
    try:
        return space.is_finite and space.is_exhausted({space.key(each.proposal.values) for each in runs})
    except (KeyError, TypeError, IndexError):
        return False  # a suggestion is damaged, or for another space


_NEXT_STEP: Mapping[str, str] = {
    'seeds_per_config': "needs --search=random or another sampler; in a grid, list the seeds: 'seed': [1, 2, 3].",
}
"""What to do instead of giving an option to a grid search, where that is something of its own."""


def problems_of(options: SearchOptions, configuration: Configuration) -> list[str]:
    """What is wrong with the options of an adaptive search, or with those of one that is not, in sentences."""
    chosen = options.adaptive
    found = {text: objective_problem(text) for text in chosen.objective}
    problems = [f'--objective={text}: {problem}' for text, problem in found.items() if problem]
    problems += _direction_problems(len(chosen.direction), max(1, len(chosen.objective)))
    if not options.is_adaptive:
        usual = 'needs --search=random or another sampler.'
        return [*problems, *(f'--{name}: {_NEXT_STEP.get(name, usual)}' for name in _given(options))]
    return [
        *problems,
        *_option_problems(options),
        *budget_problems(options, configuration, has_objective=bool(objectives_of(options, configuration))),
        *_sampler_problems(options, configuration),
    ]


def _direction_problems(directions: int, objectives: int) -> list[str]:
    """One for each objective, or none: nobody would see that the others got the direction of the first."""
    if directions > objectives:
        return [f'--direction: is given {count_of(directions, "time")}, for fewer objectives.']
    if 0 < directions < objectives:
        return [f'--direction: give it {objectives} times, once for each objective, in their order.']
    return []


def _given(options: SearchOptions) -> list[str]:
    """The options that only an adaptive search has, as far as they were given."""
    given = {**vars(options.limits), **vars(options.adaptive)}
    default = {**vars(LimitOptions()), **vars(AdaptiveOptions())}
    return [name for name, value in given.items() if name not in _OF_GRIDS and value != default[name]]


def results_given(options: SearchOptions) -> GivenResults:
    """What the options say of results, whatever chooses the runs."""
    chosen = options.adaptive
    what = options.configuration
    given = given_results(what.results, chosen.objective, chosen.direction)
    return replace(given, checkpoint_arg=what.checkpoint_arg, checkpoint=what.checkpoint)


def _option_problems(options: SearchOptions) -> list[str]:
    chosen, problems = options.adaptive, []
    if options.configuration.num_searches != -1:
        problems.append(f'--num_searches: with --search={chosen.search}, use --max_trials.')
    if options.configuration.dont_generate_full_grid:
        problems.append(f'--dont_generate_full_grid: --search={chosen.search} draws by itself; leave it out.')
    if chosen.search == 'pbt' and chosen.seeds_per_config > 1:
        problems.append(
            '--seeds_per_config: with --search=pbt, members go on from each other, and are not repeated; leave it out.'
        )
    return [*problems, *impossible_options(options)]


def impossible_options(options: SearchOptions) -> list[str]:
    """What an adaptive search cannot be asked for, whenever that is, with the next step, in sentences."""
    what, problems = f'with --search={options.adaptive.search}', []
    if options.only_submits and not options.cluster.runs_per_job:
        problems.append(
            f'--submit_only: {what}, somebody has to wait for results to choose the next runs. Leave it out, or give '
            '--runs_per_job=K: such jobs work on the search by themselves.'
        )
    if options.execution.reuse:
        problems.append(f'--reuse: {what}, results of earlier searches cannot be taken; leave it out.')
    return problems


def _sampler_problems(options: SearchOptions, configuration: Configuration) -> list[str]:
    try:
        settings = settings_of(options, configuration)
        space = space_of(settings, configuration)
        sampler_of(settings, space)
        return list(_space_problems(settings, space))
    except ConfigError as error:
        return list(error.problems)


def _space_problems(settings: AdaptiveSettings, space: SampledSpace) -> Iterator[str]:
    """Why there is nothing to run, or no end of it.

    Raises:
        ConfigError: Nothing is found that the constraints allow, or one of them raised an exception.
    """
    limits = settings.limits
    has_limit = (limits.max_trials, limits.target, limits.budget) != (None, None, None)
    if not has_limit and settings.sampler != POPULATION and not space.is_finite:
        yield f'--search={settings.sampler}: would never end; give --max_trials=N, or --target=VALUE, or --budget=TIME.'
    drawn = AllowedSampler(RandomSampler(space.space, settings.seed), space, space.space, settings.seed)
    if drawn.propose([], 1) is None:
        yield 'grid: its conditions and constraints leave nothing to run.'
