"""What the runs that wait are expected to need, from what the journals and the running attempts tell of the others."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import fields, replace
from itertools import islice

from hpsearch.dispatch.packing.lessons import RunningAttempt, by_its_own, observation
from hpsearch.model.configuration import Params
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM
from hpsearch.model.run import Run
from hpsearch.model.states import ENDED, State
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess
from hpsearch.packing.learned import Learned, learn
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.throughput import Sharing

log = logging.getLogger('hpsearch')

SHARE = 0.02
"""Share (0-1) of the time that may go into learning."""

TROUBLE_COSTS = 1.0
"""Seconds that a lesson counts as which could not be learned, so that it is not tried again all the time."""

CHANGE = 1.05
"""Factor by which what a running attempt uses must have changed for that to be news."""

TYPICAL = 20
"""How many of the last runs say what one needs that has not been chosen yet."""


class Predictions:
    """Keeps what was learned up to date, in a thread of its own, so that the loop goes on meanwhile.

    Args:
        state: Of the search, kept up to date by others.
        params: Name of a run to its parameters, as far as they are known.
        find: Finds other runs by their names.
        earlier: What earlier searches tell.
        clock: Seconds that the thread which asks has computed.
        patience: Seconds to wait for what is being learned; what takes longer is taken in later. None: however long it
            takes, as for the first time.
    """

    def __init__(
        self,
        state: SearchState,
        params: Mapping[str, Params],
        find: Callable[[str], Run | None] = lambda name: None,
        earlier: Sequence[Observation] = (),
        clock: Callable[[], float] = time.thread_time,
        patience: float | None = None,
    ) -> None:
        self._state = state
        self._params = dict(params)
        self._find = find
        self._earlier = earlier
        self._clock = clock
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, 'learning')
        self._lesson: Future[tuple[Learned, float]] | None = None
        self._ended: dict[tuple[str, int], tuple[State, Observation | None]] = {}
        self._folded = -1
        self._seen: list[Progress] = []
        self._watched: set[tuple[str, int]] = set()
        self._learned_at, self._cost, self._lessons = -math.inf, 0.0, 0
        self._knows_ends = False
        self._trouble = ''
        self._learned = learn(earlier)
        self._estimates: dict[str, Estimate] = {}

    def learn(self, running: Iterable[RunningAttempt], now: float) -> None:
        """Take in what is new, if there is anything, and at most so often that it takes little of the time.

        That an attempt has run out of memory is taken in at once, since others may be about to.

        Args:
            running: The attempts of ours that are under way.
            now: Monotonic seconds.
        """
        under_way = list(running)
        is_urgent = self._has_run_out(under_way)
        self._take_in(None if is_urgent else 0.0)
        if self._lesson is not None or (not is_urgent and now < self._learned_at + self._cost / SHARE):
            return
        began, self._cost, self._learned_at = self._clock(), 0.0, now
        has_ends, progress = self._look_at_ends(), sorted(map(_progress, under_way))
        if has_ends or progress != self._seen:
            self._seen = progress
            known = [each for _, each in self._ended.values() if each is not None]
            told = [*self._earlier, *known, *(each.observation for each in under_way)]
            self._lesson = self._thread.submit(self._learn_from, told, self._learned)
        self._note_cost(self._clock() - began)
        # Until runs have ended, little is known, or what earlier searches tell.
        is_first = not self._knows_ends
        self._knows_ends = bool(self._ended)
        self._take_in(None if is_urgent or is_first else self._patience)

    def _learn_from(self, told: Sequence[Observation], before: Learned) -> tuple[Learned, float]:
        """What is learned, and how many seconds this thread has computed for it."""
        began = self._clock()
        return learn(told, before), self._clock() - began

    def _take_in(self, patience: float | None) -> None:
        """Take in what is being learned if that takes no longer than these seconds; None: however long it takes."""
        lesson = self._lesson
        if lesson is None or not wait([lesson], patience).done:
            return
        self._lesson = None
        self._lessons += 1
        try:
            self._learned, seconds = lesson.result()
        except (ArithmeticError, ValueError) as error:
            # No run is to be lost because of numbers that nobody has thought of; what was learned before still holds.
            if str(error) != self._trouble:
                log.warning('what runs need cannot be learned from what they have used: %s', error)
            self._trouble = str(error)
            self._note_cost(TROUBLE_COSTS)
            return
        self._estimates.clear()
        self._note_cost(seconds)

    def _has_run_out(self, under_way: Sequence[RunningAttempt]) -> bool:
        """Whether an attempt has run out of memory since the last look."""
        keys = {(each.run, each.number) for each in under_way}
        gone, self._watched = self._watched - keys, keys
        ended = [self._state.attempt_of(*key) for key in gone]
        return any(each is not None and each.cause in (GPU_OOM, HOST_OOM) for each in ended)

    def _note_cost(self, seconds: float) -> None:
        """Learning has taken so long; the first time it was libraries that were imported."""
        if self._lessons > 1:
            self._cost += seconds

    def _look_at_ends(self) -> bool:
        """Take in the attempts that have ended; returns whether any is new."""
        if self._folded == self._state.folded:
            return False
        ended = [
            each for history in self._state.runs.values() for each in history.by_number.values() if each.state in ENDED
        ]
        new = [each for each in ended if self._ended.get((each.run, each.number), (None,))[0] is not each.state]
        for each in new:
            self._ended[each.run, each.number] = each.state, observation(each, self._params_of(each.run))
        self._folded = self._state.folded
        return bool(new)

    def _params_of(self, name: str) -> Params:
        if name not in self._params:
            run = self._find(name)
            self._params[name] = run.params if run else {}
        return self._params[name]

    @property
    def sharing(self) -> Sharing:
        """How runs that share a GPU slow each other."""
        return self._learned.sharing

    def estimates(self, runs: Sequence[Run]) -> list[Estimate]:
        """What each of these runs is expected to need."""
        began, new = self._clock(), [run for run in runs if run.name not in self._estimates]
        if new:
            self._params.update((run.name, run.params) for run in new)
            found = self._learned.predictor.estimates([run.params for run in new])
            self._estimates.update(zip((run.name for run in new), found, strict=True))
            self._note_cost(self._clock() - began)
        return [self._own(run) for run in runs]

    def _own(self, run: Run) -> Estimate:
        estimate, history = self._estimates[run.name], self._state.runs.get(run.name)
        return by_its_own(estimate, history.attempts) if history else estimate

    def typical(self) -> Estimate:
        """What a run is expected to need that has not been chosen yet: as much as the last ones, by and large."""
        names = list(islice(reversed(self._state.runs), TYPICAL))
        return in_the_middle(self._learned.predictor.estimates([self._params_of(name) for name in names]))


def in_the_middle(estimates: Sequence[Estimate]) -> Estimate:
    """The median of each quantity, as far as it is known."""
    found = {each.name: [guess for one in estimates if (guess := getattr(one, each.name))] for each in fields(Estimate)}
    return replace(NOTHING_EXPECTED, **{name: _median(guesses) for name, guesses in found.items() if guesses})


def _median(guesses: Sequence[Guess]) -> Guess:
    expected, high = (
        statistics.median(each) for each in zip(*((one.expected, one.high) for one in guesses), strict=True)
    )
    return Guess(expected, high, is_known=all(each.is_known for each in guesses))


Progress = tuple[str, int, bool, int, int, int]
"""How far a running attempt has come: its run, its number, whether its memory has settled, steps of that, of its memory
of the host, and of the cores that it keeps busy (in thousandths)."""


def _progress(running: RunningAttempt) -> Progress:
    measured = running.measured
    used = measured.gpu_memory or 0, measured.host_memory or 0, 1000 * (measured.cpu or 0.0)
    memory, on_host, cores = (math.floor(math.log(1 + each, CHANGE)) for each in used)
    return running.run, running.number, measured.settled_after is not None, memory, on_host, cores
