"""What runs were expected to need and what was measured (``hpsearch status --predictions``)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.dispatch.packing.earlier import earlier_observations, observations_of
from hpsearch.dispatch.packing.lessons import RunningAttempt, by_its_own, measured_of
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, ENDED, State
from hpsearch.model.units import count_of, duration
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.packing.learned import learn
from hpsearch.packing.prediction.explanation import Explanation, number
from hpsearch.packing.prediction.observation import Observation
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.format import printable

MOST_LINES = 25
"""Runs of each kind (under way, ended, waiting) that are listed one by one."""

MEANINGS = {
    'memory': ('memory', 'MiB on each GPU'),
    'load': ('load', 'of a GPU'),
    'seconds': ('time', 's'),
    'host_memory': ('host memory', 'MiB'),
    'cpu': ('cpu', 'cores'),
    'settled_after': ('memory settles', 's after the start'),
}
"""Quantities in words, with their units."""

NO_USES: Mapping[str, RunUse] = {}


@dataclass(frozen=True, slots=True)
class RunNeeds:
    """What one run was expected to need, and what was measured.

    Attributes:
        run: Its name.
        state: Where it stands.
        predicted: What it was expected to need when it was started; of a run that waits, what it is expected to need.
        measured: What it used; of a run that is under way, what it has used so far.
        seconds: How long it ran; None: not known.
    """

    run: str
    state: State
    predicted: Estimate = NOTHING_EXPECTED
    measured: Measured = NOTHING_MEASURED
    seconds: float | None = None

    def pairs(self) -> Iterator[tuple[str, Guess | None, float | None]]:
        """The quantities that are shown, each with what was expected and what was measured."""
        yield 'memory', self.predicted.memory, self.measured.gpu_memory
        yield 'load', self.predicted.load, self.measured.gpu_load
        yield 'host_memory', self.predicted.host_memory, self.measured.host_memory
        yield 'seconds', self.predicted.seconds, self.seconds if self.state is State.FINISHED else None

    def plain(self) -> dict[str, Any]:
        """It for programs."""
        return {
            'run': self.run,
            'state': self.state.value,
            'predicted': self.predicted.facts(),
            'measured': self.measured.facts(),
            'seconds': self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is known of the needs of the runs of a search.

    Attributes:
        learned: What was learned of each quantity.
        runs: The runs, in the order of the plan.
    """

    learned: Sequence[Explanation]
    runs: Sequence[RunNeeds]

    def lines(self) -> Iterator[str]:
        """It for people."""
        yield from _lines_learned(self.learned)
        yield from (f'  {text}' for text in _missed(self.runs))
        shown = [each for each in self.runs if any(guess or value is not None for _, guess, value in each.pairs())]
        if shown:
            yield 'expected (at most) and measured, by run:'
            yield from (f'  {line}' for line in _table(shown))

    def plain(self) -> dict[str, Any]:
        """It for programs."""
        return {
            'learned': [{**asdict(each), 'shares': dict(each.shares)} for each in self.learned],
            'runs': [each.plain() for each in self.runs],
        }


def predictions_of(
    folder: SearchFolder,
    state: SearchState,
    configuration: Configuration,
    learn_from: Sequence[str] = (),
    uses: Mapping[str, RunUse] = NO_USES,
    now: float = 0.0,
) -> Predictions:
    """What is known of the needs of the runs of a search.

    Args:
        folder: Its folder.
        state: What its journals tell.
        configuration: What it runs.
        learn_from: Earlier searches that tell something of it.
        uses: Name of a run that is under way to what it uses, as its writer tells.
        now: Seconds since 1970.
    """
    runs = _runs_of(folder, state)
    earlier = earlier_observations(learn_from, configuration)
    predictor = learn([*earlier, *observations_of(folder, state), *_under_way(runs, state, uses, now)]).predictor
    waiting = [run for run in runs if _waits(state, run.name)]
    expected = dict(
        zip((run.name for run in waiting), predictor.estimates([run.params for run in waiting]), strict=True)
    )
    return Predictions(predictor.explain(), [_needs(run, state, expected, uses) for run in runs])


def _under_way(
    runs: Sequence[Run], state: SearchState, uses: Mapping[str, RunUse], now: float
) -> Iterator[Observation]:
    """What the attempts tell that are under way."""
    for run in runs:
        attempt = _measured_now(run.name, state, uses)
        if attempt is not None:
            age = max(0.0, now - (attempt.claimed_at or now))
            yield RunningAttempt(run.name, attempt.number, run.params, age, uses[run.name].measured).observation


def _measured_now(name: str, state: SearchState, uses: Mapping[str, RunUse]) -> Attempt | None:
    """The attempt of a run that is under way and measured."""
    history = state.runs.get(name) if name in uses else None
    attempt = history.last if history else None
    return attempt if attempt is not None and attempt.state in ACTIVE else None


def _runs_of(folder: SearchFolder, state: SearchState) -> list[Run]:
    try:
        return [run for run in folder.read_runs() if run.name not in state.withdrawn]
    except SearchFolderError:
        return []  # it ended before it had a plan


def _waits(state: SearchState, name: str) -> bool:
    history = state.runs.get(name)
    return history is None or history.last is None or history.state in (State.PLANNED, State.INTERRUPTED, State.LOST)


def _needs(run: Run, state: SearchState, expected: Mapping[str, Estimate], uses: Mapping[str, RunUse]) -> RunNeeds:
    history = state.runs.get(run.name)
    attempt = history.last if history else None
    if history is None or attempt is None:
        return RunNeeds(run.name, State.PLANNED, expected[run.name])
    predicted = by_its_own(expected[run.name], history.attempts) if run.name in expected else attempt.estimate
    measured = uses[run.name].measured if _measured_now(run.name, state, uses) else measured_of(attempt)
    return RunNeeds(run.name, history.state, predicted, measured, attempt.seconds)


# As text


def _lines_learned(learned: Sequence[Explanation]) -> Iterator[str]:
    if not learned:
        yield 'what runs need: nothing was measured yet'
        return
    yield 'what runs need:'
    yield from (f'  {_learned(each)}' for each in learned)


def _learned(learned: Explanation) -> str:
    name, unit = MEANINGS[learned.quantity]
    shares = ', '.join(f'{parameter} {share:.0%}' for parameter, share in learned.shares.items() if share >= 0.005)
    few = '' if learned.is_relied_upon else ', too few to rely on: guessed high'
    text = f'{name} ({unit}): {learned.formula}'
    text += f'; what matters: {shares}' if shares else '; the same for all'
    runs = count_of(learned.runs, 'run', 'different runs')
    return printable(f'{text}; error {learned.error:.1%} ({runs}{few})')


def _missed(runs: Sequence[RunNeeds]) -> Iterator[str]:
    """How well the ended runs were predicted."""
    pairs = [pair for each in runs if each.state in ENDED for pair in each.pairs()]
    for quantity in MEANINGS:
        known = [(guess, value) for name, guess, value in pairs if name == quantity and guess and value]
        if known:
            missed = statistics.median(abs(guess.expected / value - 1) for guess, value in known)
            more = sum(value > guess.high for guess, value in known)
            ended = count_of(len(known), 'run that has', 'runs that have')
            yield (
                f'{MEANINGS[quantity][0]} of {ended} ended: missed by {missed:.1%} (median); '
                f'{more} needed more than was expected at most'
            )


def _table(runs: Sequence[RunNeeds]) -> Iterator[str]:
    groups: dict[str, list[RunNeeds]] = {'under way': [], 'ended': [], 'waiting': []}
    for each in runs:
        groups[_group_of(each)].append(each)
    shown = [each for group in groups.values() for each in group[:MOST_LINES]]
    heads = ['run', 'state', *(MEANINGS[name][0] for name, _, _ in shown[0].pairs())]
    rows = [heads, *([each.run, each.state.value, *map(_cell, each.pairs())] for each in shown)]
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        yield '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for name, group in groups.items():
        if len(group) > MOST_LINES:
            yield f'and {len(group) - MOST_LINES} more {name}'


def _group_of(needs: RunNeeds) -> str:
    if needs.state in (State.PLANNED, State.INTERRUPTED, State.LOST):
        return 'waiting'
    return 'ended' if needs.state in ENDED else 'under way'


def _cell(pair: tuple[str, Guess | None, float | None]) -> str:
    name, guess, value = pair
    write = duration if name == 'seconds' else number
    expected = f'{write(guess.expected)} (≤ {write(guess.high)}{"" if guess.is_known else "?"})' if guess else ''
    measured = f'measured {write(value)}' if value is not None else ''
    return ' '.join(filter(None, (expected, measured)))
