"""TPE, Gaussian processes and NSGA-II: Optuna's samplers, asked with a study that is made from the trials."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from hpsearch.model.trials.distributions import Space
from hpsearch.model.trials.trial import Proposal, Trial, TrialState
from hpsearch.samplers.models.optuna_view import Axis, FrozenTrials, axes_of, storage_of
from hpsearch.samplers.models.seen import seen
from hpsearch.samplers.models.stopped import Continuation
from hpsearch.samplers.qmc import QmcSampler
from hpsearch.samplers.random_search import drawn

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import InMemoryStorage
    from optuna.trial import FrozenTrial

NOTES = 'optuna'
"""The fact of a proposal that has what Optuna's sampler has noted with it: see :func:`_notes`."""


@dataclass(frozen=True)
class Kind:
    """A sampler of Optuna.

    Attributes:
        name: Of its class.
        startup: So many trials have ended before it learns from them; 0: it decides itself.
        seen: It is made from so many trials that have ended, see :func:`seen`, and from half as many with several
            objectives, which take longer; None: from all.
        sees_stopped: Whether it learns from trials that were stopped.
        has_generations: Whether it notes with each trial what it has to know of it later.
    """

    name: str
    startup: int = 10
    seen: int | None = None
    sees_stopped: bool = False
    has_generations: bool = False


KINDS: Mapping[str, Kind] = {
    'tpe': Kind('TPESampler', seen=1000, sees_stopped=True),
    'gp': Kind('GPSampler', seen=200),
    'nsga2': Kind('NSGAIISampler', startup=0, has_generations=True),
}


class OptunaSampler:
    """A sampler of Optuna, made anew for each proposal, so that it knows nothing but the trials.

    Until enough trials have ended, a quasi-random sequence is drawn from. It has the weights of choices, which Optuna's
    samplers have not.

    Args:
        kind: Which one: a name in :data:`KINDS`.
        space: What it proposes values of.
        objectives: How many there are.
        seed: Of the search.
        options: For the constructor of Optuna's class; ``seen_trials`` is ours.
        every: See :class:`QmcSampler`.
    """

    def __init__(
        self, kind: str, space: Space, objectives: int, seed: int, options: Mapping[str, Any], every: int = 1
    ) -> None:
        self._name = kind
        self._kind = KINDS[kind]
        self._space = space
        self._objectives = objectives
        self._seed = seed
        self._options = {name: value for name, value in options.items() if name != 'seen_trials'}
        most = self._kind.seen
        self._most = options.get('seen_trials', most // min(objectives, 2) if most else None)
        self._first = QmcSampler(space, seed, every)
        self._startup = options.get('n_startup_trials', self._kind.startup)
        self._continuation = Continuation(self._startup)

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        known = self._continuation.of(trials) if self._kind.sees_stopped and self._objectives == 1 else trials
        if self._ended(known) < self._startup or not drawn(self._space):
            return self._first.propose(trials, number)
        with _quiet():
            past = [self._frozen.of(each) for each in seen(known, self._most)]
            return self._asked(past, trials, Random(f'{self._seed} {number}').getrandbits(31))

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False

    def _ended(self, trials: Sequence[Trial]) -> int:
        """How many trials there are to learn from."""
        states = (TrialState.COMPLETE, TrialState.STOPPED) if self._kind.sees_stopped else (TrialState.COMPLETE,)
        return sum(each.state in states for each in trials)

    def _asked(self, past: Sequence[FrozenTrial], trials: Sequence[Trial], seed: int) -> Proposal:
        import optuna

        storage = storage_of(past)
        sampler = self._sampler(seed, all(len(each.params) == len(self._axes) for each in past))
        smaller = optuna.study.StudyDirection.MINIMIZE
        study = optuna.create_study(storage=storage, sampler=sampler, directions=[smaller] * self._objectives)
        known = _noted_before(trials) if self._kind.has_generations else {}
        for name, value in known.items():
            storage.set_study_system_attr(0, name, value)
        asked = study.ask({name: axis.theirs for name, axis in self._axes.items()})
        values = {name: self._axes[name].outside(asked.params[name]) for name in self._axes}
        facts = {NOTES: _notes(storage, known)} if self._kind.has_generations else {}
        return Proposal(values, facts=facts)

    def _sampler(self, seed: int, is_whole: bool) -> BaseSampler:
        """Optuna's sampler; where options are missing in some trials, TPE looks at groups of those that go together."""
        options = dict(self._options)
        if self._kind.name == 'TPESampler':
            is_one = self._objectives == 1
            options = {'multivariate': is_one, 'group': is_one and not is_whole, 'constant_liar': True} | options
            options['group'] = options['group'] and options['multivariate']
        return constructor(self._name)(seed=seed, **options)

    @cached_property
    def _axes(self) -> dict[str, Axis]:
        return axes_of(self._space)

    @cached_property
    def _frozen(self) -> FrozenTrials:
        return FrozenTrials(self._axes, has_curves=self._objectives == 1, notes=_trial_notes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says nothing of experimental arguments, or of what it draws independently."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def _notes(storage: InMemoryStorage, known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a sampler has noted with a proposal: the generation of the trial, and the parents of a new generation."""
    of_study = storage.get_study_system_attrs(0)
    new = {name: value for name, value in of_study.items() if name not in known}
    return {'trial': dict(storage.get_trial(0).system_attrs), 'study': new}


def _trial_notes(trial: Trial) -> Mapping[str, Any]:
    notes: Mapping[str, Mapping[str, Any]] = trial.evaluations[0].proposal.facts.get(NOTES, {})
    return notes.get('trial', {})


def _noted_before(trials: Sequence[Trial]) -> dict[str, Any]:
    """What was noted of the study; where several writers began a generation at once, that of the first trial counts."""
    found: dict[str, Any] = {}
    for trial in trials:
        for name, value in trial.evaluations[0].proposal.facts.get(NOTES, {}).get('study', {}).items():
            found.setdefault(name, value)
    return found


def constructor(kind: str) -> Callable[..., BaseSampler]:
    """The class of Optuna behind a sampler in :data:`KINDS`."""
    import optuna

    found: Callable[..., BaseSampler] = getattr(optuna.samplers, KINDS[kind].name)
    return found


def why_refused(kind: str, options: Mapping[str, Any]) -> str:
    """What Optuna says of options whose values it does not take; empty: it takes them."""
    try:
        with _quiet():
            constructor(kind)(**{name: value for name, value in options.items() if name != 'seen_trials'})
    except (TypeError, ValueError) as error:
        return str(error)
    return ''
