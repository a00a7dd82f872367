"""What attempts report while they go is read from where they write it, and journaled.

Each writer reads what its own attempts report. One that takes over an attempt reads everything again, and journals
what is not in the journals yet.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.model.errors import one_line, trouble_in_words
from hpsearch.model.trials.curves import Points, points_as_json
from hpsearch.results.metrics.sources import AttemptMetrics
from hpsearch.results.metrics.thinning import Thinning
from hpsearch.results.sources import Places
from hpsearch.store.attempt_files import logs_of

log = logging.getLogger('hpsearch')

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two looks at what an attempt reports."""

SHARE_OF_PAUSE = 0.1
"""How long it takes to notice something new, as a share of the time that passed since the last news."""

LONGEST_ROUND = 0.2
"""Seconds that one round of looks may take; the others are next in the following round."""

MOST_READS = 64
"""Parts of what an attempt left that are read at its end."""

MOST_SILENT = 3
"""Runs that finish without having reported what is wanted, before that is said."""

MOST_NAMES = 6
"""Names of metrics that are then listed."""

LONGEST_NAME = 200
"""Characters of the name of a metric."""


@dataclass(slots=True)
class _Watched:
    """One attempt.

    Attributes:
        metrics: Reads what it reports.
        thinning: Says what of that is journaled.
        due: When it is looked at next, in monotonic seconds.
        heard: When it reported something the last time, or was seen first.
        trouble: What could not be read at the last look.
    """

    metrics: AttemptMetrics
    thinning: Thinning
    due: float
    heard: float
    trouble: str = ''


@dataclass(slots=True)
class _Batch:
    """What is to be journaled of an attempt: of several values at one step the last one."""

    points: dict[float, dict[str, float]] = field(default_factory=dict)

    def put(self, name: str, step: float, value: float) -> None:
        self.points.setdefault(step, {})[name] = value

    def without(self, known: Points) -> Points:
        """What is not known yet."""
        new = ((step, _other(found, known.get(step, {}).get)) for step, found in self.points.items())
        return {step: found for step, found in new if found}


class Metrics:
    """Journals what attempts of this writer report.

    Args:
        search: Its configuration says where they report.
        clock: Monotonic seconds.
        rungs: Steps at which a pruner judges, in order.
    """

    def __init__(self, search: SearchContext, clock: Callable[[], float], rungs: Sequence[float] = ()) -> None:
        self._search = search
        self._clock = clock
        self._rungs = rungs
        self._watched: dict[tuple[str, int], _Watched] = {}
        self._silent: int | None = 0
        asked, key = search.options.adaptive or search.options.pruning, search.configuration.performance_key
        keys = [objective.key for objective in asked.objectives] if asked else [key] if key else []
        self._wanted = tuple(dict.fromkeys(keys))

    def poll(self, attempts: Iterable[ActiveAttempt], now: float) -> None:
        """Journal what is new, of those attempts that are due.

        Args:
            attempts: Those of this writer that are under way.
            now: Monotonic seconds.
        """
        running = [(each.launch.run.name, each.launch.number) for each in attempts if each.is_running]
        self._watched = {key: self._watched.get(key) or self._watch(*key, now) for key in running}
        due = sorted((each.due, key) for key, each in self._watched.items() if each.due <= now)
        end = self._clock() + LONGEST_ROUND
        for _, key in due:
            self._look(key, self._watched[key], now)
            if self._clock() >= end:
                return

    def finish(self, run: str, number: int, *, is_success: bool = False) -> None:
        """Journal the rest of what an attempt has reported that has ended, its last values among them.

        A warning is logged once so many runs have finished and none has reported what is wanted.
        """
        watched = self._watched.pop((run, number), None) or self._watch(run, number, 0.0)
        batch = _Batch()
        for _ in range(MOST_READS):
            self._read(watched, batch, math.inf, run)
            if not watched.metrics.has_more:
                break
        for name, step, value in watched.thinning.rest():
            batch.put(name, step, value)
        self._journal(run, number, batch)
        if is_success:
            self._note_success(self._search.state.curves.of(run))

    def _note_success(self, points: Points) -> None:
        """Notice that what is wanted is not where it is looked for."""
        names = dict.fromkeys(name for found in points.values() for name in found)
        if self._silent is None or not self._wanted or self._wanted[0] in names:
            self._silent = None
            return
        self._silent += 1
        if self._silent == MOST_SILENT:
            instead = f', but {", ".join(list(names)[:MOST_NAMES])}' if names else ''
            log.warning(
                '%d runs have finished, and none has reported %s while it ran%s: does _METRICS say where it is?',
                self._silent, self._wanted[0], instead,
            )  # fmt: skip

    def _watch(self, run: str, number: int, now: float) -> _Watched:
        folder, configuration = self._search.folder, self._search.configuration
        places = Places(folder.output(run), logs_of(folder.attempt(run, number)))
        key = configuration.performance_key or next(iter(self._wanted), '')
        metrics = AttemptMetrics(configuration.metrics or (), places, key)
        return _Watched(metrics, Thinning(self._wanted, self._rungs), now, now)

    def _look(self, key: tuple[str, int], watched: _Watched, now: float) -> None:
        batch = _Batch()
        if self._read(watched, batch, now, key[0]):
            watched.heard = now
        self._journal(*key, batch)
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, SHARE_OF_PAUSE * (now - watched.heard)))
        watched.due = now if watched.metrics.has_more else now + pause

    def _read(self, watched: _Watched, batch: _Batch, now: float, run: str) -> bool:
        """Read what is new, once; returns whether there is something."""
        points, errors = watched.metrics.news(now)
        trouble = _in_words(errors[0]) if errors else ''
        if trouble and trouble != watched.trouble:
            log.warning('%s: its metrics cannot be read: %s', run, trouble)
        watched.trouble = trouble
        for step, metrics in points:
            for name, value in metrics.items():
                self._take(watched.thinning, batch, name, step, value)
        return bool(points)

    def _take(self, thinning: Thinning, batch: _Batch, name: str, step: float, value: float) -> None:
        # JSON may have halves of characters, which cannot be written.
        plain = name[:LONGEST_NAME].encode('utf-8', 'replace').decode()
        for kept_step, kept_value in thinning.kept(plain, step, value):
            batch.put(plain, kept_step, kept_value)

    def _journal(self, run: str, number: int, batch: _Batch) -> None:
        new = batch.without(self._known(run, number)) if batch.points else {}
        if new:
            self._search.recorder.record('reported', run, number, points=points_as_json(new))

    def _known(self, run: str, number: int) -> Points:
        """What the journals have; where a script goes on, its logs may have what an earlier attempt reported."""
        curves = self._search.state.curves
        return curves.of(run) if self._search.configuration.resumable else curves.of_attempt(run, number)


def _in_words(error: Exception) -> str:
    return trouble_in_words(error) if isinstance(error, OSError) else one_line(error)


def _other(found: dict[str, float], known: Callable[[str], float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if not _is_same(value, known(name))}


def _is_same(value: float, known: float | None) -> bool:
    return known is not None and (value == known or (math.isnan(value) and math.isnan(known)))
