"""The runs of an adaptive search: those that were suggested and still wait, then what its sampler proposes."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from hpsearch.arguments.command import CommandForm
from hpsearch.dispatch.adaptive.history import History
from hpsearch.dispatch.adaptive.limits import Enough, Spending, enough_by_budget, enough_by_results, total_of
from hpsearch.dispatch.adaptive.numbers import Numbers, free_numbers
from hpsearch.dispatch.adaptive.settings import AdaptiveSettings
from hpsearch.dispatch.context import EventRecorder, WorkOptions
from hpsearch.dispatch.pending_runs import needs_a_start
from hpsearch.model.configuration import Configuration, Params
from hpsearch.model.errors import ConfigError, JournalError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.run import Run
from hpsearch.model.trials.distributions import Fidelity
from hpsearch.model.trials.suggestion import event_of
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.base import Continuing, Sampler
from hpsearch.samplers.factory import make_sampler
from hpsearch.samplers.fidelity import FidelitySampler, brackets_of
from hpsearch.samplers.models.used import UsedSampler
from hpsearch.samplers.seeds import SeedsSampler
from hpsearch.space.sampled import SampledSpace
from hpsearch.space.seeds import without_seeds
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.open_search import OpenSearch

log = logging.getLogger('hpsearch')

POPULATION = 'pbt'
"""The sampler whose trials are members of a population, of which there is one of each number."""


class RunMaker:
    """Makes runs of parameters.

    Args:
        ident: Middle part of their names.
    """

    def __init__(self, configuration: Configuration, interpreter: str, ident: str) -> None:
        self._form = CommandForm(configuration, interpreter)
        self._ident = ident

    def name(self, number: int) -> str:
        """The name of the run with this number."""
        return f'sim_{self._ident}_{number:04d}'

    def run(self, number: int, params: Params, *, goes_on: bool = False) -> Run:
        """A run as a plan has it; ``goes_on``: from the checkpoint of an earlier one."""
        name = self.name(number)
        if not (self._form.names_run or goes_on):
            return Run(name, number, params, self._form.argv(f'/{name}', params))
        return Run(name, number, params, self._form.planned(params, goes_on=goes_on))


class SampledRuns:
    """A source of runs (:class:`hpsearch.dispatch.pending_runs.RunSource`) that decides as late as it can.

    Everything it knows is in the journals: any other writer of the search, and one that resumes it, goes on from there.

    Attributes:
        history: What the search has learned so far.

    Args:
        search: The search.
        recorder: Has taken in all journals.
        settings: How runs are chosen.
        sampler: Proposes them.
        space: What it proposes values of.
        policy: Which runs get another attempt.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        search: OpenSearch,
        recorder: EventRecorder,
        settings: AdaptiveSettings,
        sampler: Sampler,
        space: SampledSpace,
        policy: RetryPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.history = History(recorder, settings.objectives, policy, fits=lambda proposal: fits(proposal, space))
        self._folder = search.folder
        self._configuration = search.configuration
        self._recorder = recorder
        self._state = recorder.state
        self._settings = settings
        self._limits = settings.limits
        self._sampler = sampler
        self._maker = RunMaker(search.configuration, search.interpreter, settings.ident)
        self.numbers = Numbers(search.folder, self._maker.name, clock)
        self._known = KnownRuns(search.folder, self._state, policy)
        self._space = space
        self._suggested = Suggested(self._state)
        self._spending = Spending(self._state, search.configuration.gpus, recorder.timestamp)
        self._enough: Enough | None = None
        self._refused_at = self._asked_at = self._judged_at = -1
        self._expected = Outlook()
        self._has_failed = False

    def forget_gaps(self) -> None:
        """No other writer is at work, so that nobody is about to suggest a run with a smaller number."""
        self.numbers.forget_gaps(self._suggested.last)

    # What the search is told

    @property
    def total(self) -> int | None:
        """Number of runs: those of trials that will still be proposed count once; None: there is no limit."""
        if self._is_over and not self._has_failed:
            return len(self._state.suggestions)
        return total_of(len(self._state.suggestions), len(self.history.trials), self._limits)

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All runs so far, by number."""
        return self.history.evaluations

    @property
    def is_ready(self) -> bool | None:
        """Whether there is a run that waits, or one may be proposed."""
        return self.enough() is None and (self._known.has_next or self._may_propose())

    @property
    def is_exhausted(self) -> bool:
        """Whether no run waits, and none will ever be proposed."""
        return self.enough() is not None or (not self._known.has_next and (self._is_over or self._is_stuck()))

    def enough(self) -> Enough | None:
        """Why nothing more is to be started, whether or not a run waits; None: that depends on the sampler alone."""
        if self._judged_at != self.history.version:
            trials, objectives = self.history.trials, self._settings.objectives
            self._enough = enough_by_results(trials, self._limits, objectives, self._was_cancelled)
            self._judged_at = self.history.version
        if self._enough is None and self._limits.budget is not None:
            self._enough = enough_by_budget(self._spending.seconds(), self._limits)
        return self._enough

    def _was_cancelled(self, run: str) -> bool:
        history = self._state.runs.get(run)
        return history is not None and history.is_unwanted

    def next(self) -> Run | None:
        """The next run.

        Raises:
            OSError: The search folder cannot be read or written now; nothing has happened yet.
            JournalError: The journal cannot be written now.
        """
        if self.enough() is not None:
            return None
        return self._known.next() or (self._propose() if self._may_propose() else None)

    # Whether another one is proposed

    @property
    def _is_over(self) -> bool:
        trials = self.history.trials
        if self._has_failed or self.enough() is not None:
            return True
        has_enough = self._has_enough(len(trials)) and not self._outlook(trials).may_continue
        return has_enough or self._outlook(trials).is_done

    def _outlook(self, trials: Sequence[Trial]) -> Outlook:
        """What the sampler says of the future; it is asked again only when something has changed."""
        if self._asked_at != self.history.version:
            may_continue = isinstance(self._sampler, Continuing) and self._sampler.may_continue(trials)
            self._expected = Outlook(self._sampler.is_done(trials), may_continue)
            self._asked_at = self.history.version
        return self._expected

    def _has_enough(self, trials: int) -> bool:
        most = self._limits.max_trials
        return most is not None and trials >= most

    def _may_propose(self) -> bool:
        """Whether the sampler is worth asking: it was not, or something has changed since it had no answer."""
        return not self._is_over and self.history.version != self._refused_at

    def _is_stuck(self) -> bool:
        """Whether the sampler waits for what will never come: no run is under way, and none waits."""
        if self._is_over or self._may_propose():
            return False
        return not any(each.state is TrialState.WAITING for each in self.history.evaluations)

    # Proposing

    def _propose(self) -> Run | None:
        trials = self.history.trials
        number = self.numbers.take(self._suggested.last)
        gaps = self.numbers.gaps(number, self._suggested.numbers)
        chosen = self._choose(trials, number, gaps)
        if chosen is None or self.numbers.is_late():
            self.numbers.give_back()
            return None
        return self._suggest(number, *chosen)

    def _choose(self, trials: Sequence[Trial], number: int, gaps: int) -> tuple[Proposal, Params] | None:
        """What is proposed, with its parameters; None: nothing before something has changed, or never again."""
        try:
            proposal = self._ask(trials, number, gaps)
            params = self._space.params(proposal.values) if proposal else None
        except ConfigError as error:
            log.error('no more runs are chosen: %s', error)
            self._has_failed = True
            return None
        if proposal is None or params is None:
            self._refused_at = -1 if gaps else self.history.version
            return None
        seeds = self._settings.seeds
        return proposal, params if seeds is None or proposal.seed is None else seeds.params(params, proposal.seed)

    def _ask(self, trials: Sequence[Trial], number: int, gaps: int) -> Proposal | None:
        """What the sampler proposes, unless others, who have taken smaller numbers, may be about to do the same."""
        if gaps and (self._space.is_finite or self._settings.sampler == POPULATION):
            return None
        has_room = not self._has_enough(len(trials) + gaps)
        if not isinstance(self._sampler, Continuing):
            return self._sampler.propose(trials, number) if has_room else None
        continued = None if gaps else self._sampler.continued(trials, number)
        return continued or (self._sampler.begun(trials, number) if has_room else None)

    def _suggest(self, number: int, proposal: Proposal, params: Params) -> Run:
        run = self._maker.run(number, params, goes_on=bool(proposal.parent))
        event = event_of(run, proposal, self._recorder.timestamp())
        if not self._recorder.note_now(event):
            raise JournalError(self._recorder.journal.blocked)
        self.numbers.use()
        self._folder.suggested.add(self._recorder.writer, event)
        self._known.pass_over(run.name)
        return self._folder.find_run(run.name) or run


@dataclass(frozen=True)
class Outlook:
    """What is to be expected of a sampler.

    Attributes:
        is_done: Whether it will never propose anything again.
        may_continue: Whether it will make further runs of trials that there are.
    """

    is_done: bool = False
    may_continue: bool = False


class KnownRuns:
    """Runs that somebody has suggested and that wait to be started, by their numbers.

    What other writers suggest, they are about to start: whoever claims it first has it. It is nobody's any more if they
    die before that.
    """

    def __init__(self, folder: SearchFolder, state: SearchState, policy: RetryPolicy) -> None:
        self._folder = folder
        self._state = state
        self._policy = policy
        self._looked_at = 0
        self._passed_over: set[str] = set()
        self._waiting: deque[str] = deque()

    @property
    def has_next(self) -> bool:
        """Whether there is one now."""
        new = islice(self._state.suggestions.values(), self._looked_at, None)
        self._looked_at = len(self._state.suggestions)
        self._waiting.extend(each.run for each in sorted(new, key=lambda each: each.number))
        while self._waiting and not self._waits(self._waiting[0]):
            self._waiting.popleft()
        return bool(self._waiting)

    def _waits(self, name: str) -> bool:
        if name in self._passed_over or name in self._state.withdrawn:
            return False
        return needs_a_start(self._state.runs.get(name), self._policy)

    def next(self) -> Run | None:
        """The first of them, or None.

        Raises:
            OSError: Its suggestion cannot be read now.
        """
        while self.has_next:
            run = self._folder.find_run(self._waiting[0])
            self._waiting.popleft()
            if run is not None:
                return run
        return None

    def pass_over(self, name: str) -> None:
        """A run of ours does not wait here."""
        self._passed_over.add(name)


class Suggested:
    """The numbers of what was suggested so far, by all writers."""

    def __init__(self, state: SearchState) -> None:
        self._suggestions = state.suggestions
        self._looked_at = 0
        self._numbers: set[int] = set()
        self._last = 0

    @property
    def numbers(self) -> Collection[int]:
        """All of them."""
        new = [each.number for each in islice(self._suggestions.values(), self._looked_at, None)]
        self._looked_at = len(self._suggestions)
        self._numbers.update(new)
        self._last = max([self._last, *new])
        return self._numbers

    @property
    def last(self) -> int:
        """The largest one; 0: there is none."""
        return self._last if self.numbers else 0


def fits(proposal: Proposal, space: SampledSpace) -> bool:
    """Whether a proposal has what the space needs: any byte of a journal may be damaged."""
    try:
        space.params(proposal.values)
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    except ConfigError:
        pass  # a constraint has raised an exception, as it will again where that matters
    return True


def sampler_of(settings: AdaptiveSettings, space: SampledSpace) -> Sampler:
    """The sampler that was asked for, of what the configuration allows.

    Raises:
        ConfigError: See :func:`hpsearch.samplers.factory.make_sampler`.
    """
    seed, seeds = settings.seed, settings.seeds
    if seeds and space.fidelity:
        raise ConfigError([f'--seeds_per_config: {space.fidelity} is a fidelity, which seeds cannot be combined with.'])
    every = len(seeds.values) if seeds else 1
    options, budgets = dict(settings.sampler_options), space.space.get(space.fidelity)
    brackets = 1
    if isinstance(budgets, Fidelity) and settings.sampler != POPULATION:
        brackets = brackets_of(options.pop('brackets', '1'), budgets)
    inner = make_sampler(
        settings.sampler,
        space.space,
        settings.objectives,
        seed,
        options,
        every,
        lambda values: space.key(values) is not None,
    )
    if settings.sampler == POPULATION:
        return inner
    if settings.sampler == 'tpe' and space.has_parts:
        inner = UsedSampler(inner, space.used)
    allowed = AllowedSampler(inner, space, space.space, seed)
    if isinstance(budgets, Fidelity):
        return FidelitySampler(allowed, space.fidelity, budgets, goes_on=settings.goes_on, brackets=brackets, seed=seed)
    return SeedsSampler(allowed, seeds.values) if seeds else allowed


def space_of(settings: AdaptiveSettings, configuration: Configuration, form: CommandForm | None = None) -> SampledSpace:
    """What a sampler proposes values of; ``form`` says which values are the same on the command line."""
    chosen = without_seeds(configuration, settings.seeds) if settings.seeds else configuration
    return SampledSpace(chosen, form.distinct) if form else SampledSpace(chosen)


def sampled_runs(
    search: OpenSearch, recorder: EventRecorder, options: WorkOptions, settings: AdaptiveSettings, policy: RetryPolicy
) -> SampledRuns:
    """The runs of an adaptive search, by the sampler that it was asked for.

    Raises:
        ConfigError: That cannot be used here, such as for want of a library.
        JournalError: A journal cannot be read.
    """
    form = CommandForm(search.configuration, search.interpreter)
    space = space_of(settings, search.configuration, form)
    sampler = sampler_of(settings, space)
    source = SampledRuns(search, recorder, settings, sampler, space, policy)
    if free_numbers(search.folder, recorder.writer, options.declared_dead):
        source.forget_gaps()
    return source
