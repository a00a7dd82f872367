"""A search as other programs want it: numbers, times, and curves, with the states of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.command import plain
from hpsearch.model.configuration import Params, Value
from hpsearch.model.run import Run
from hpsearch.model.states import ENDED, RunHistory, State
from hpsearch.model.trials.curves import Points
from hpsearch.model.trials.distributions import Distribution
from hpsearch.model.trials.trial import Objective
from hpsearch.model.units import read_number


@dataclass(frozen=True)
class ExportedRun:
    """A run that was started.

    Attributes:
        number: From 1.
        name: Its name.
        params: Its hyperparameters.
        state: Where it stands.
        reason: Why it ended so, in words; may be empty.
        values: Keyword of its summary to the number there; what is no number is left out.
        texts: The other keywords, to their texts.
        curves: Metric to step to value, as it was reported while it ran.
        begun: When it was claimed, in seconds since 1970; None: not known.
        ended: When it ended, in seconds since 1970; None: it has not, or that is not known.
    """

    number: int
    name: str
    params: Params
    state: State
    reason: str = ''
    values: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    begun: float | None = None
    ended: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is over; otherwise it runs, or waits in a queue."""
        return self.state in ENDED

    @property
    def finals(self) -> Iterator[tuple[str, int, float]]:
        """Numbers of the result that are not the last of a curve already: keyword, the step behind it, and value."""
        for key, value in self.values.items():
            curve = self.curves.get(key, {})
            last = max(curve, default=-1)
            if not curve or curve[last] != value:
                yield key, int(last) + 1, value

    def metric(self, key: str) -> float | None:
        """The value of a keyword, or what was reported of it last; None: there is none."""
        if key in self.values:
            return self.values[key]
        curve = self.curves.get(key)
        return curve[max(curve)] if curve else None


@dataclass(frozen=True)
class ExportedSearch:
    """A search, of which the runs that were never started are left out.

    Attributes:
        name: Name of its folder.
        runs: Its runs, by number.
        objectives: What it optimises, or its performance key; may be empty.
        space: The options that differ between runs, with their distributions.
    """

    name: str
    runs: Sequence[ExportedRun]
    objectives: Sequence[Objective] = ()
    space: Mapping[str, Distribution] = field(default_factory=dict)


def exported_run(run: Run, history: RunHistory, points: Points) -> ExportedRun | None:
    """A run of the plan with what became of it; None: it was never started.

    Args:
        run: The run.
        history: Its attempts.
        points: What it has reported.
    """
    attempt = history.deciding
    if attempt is None:
        return None
    readings = {key: read_number(text) for key, text in attempt.summary.items()}
    return ExportedRun(
        number=run.number,
        name=run.name,
        params=run.params,
        state=attempt.state,
        reason=attempt.reason,
        values={key: reading.value for key, reading in readings.items() if reading},
        texts={key: text for key, text in attempt.summary.items() if not readings[key]},
        curves=_by_metric(points),
        begun=attempt.claimed_at,
        ended=attempt.ended_at if attempt.state in ENDED else None,
    )


def _by_metric(points: Points) -> dict[str, dict[float, float]]:
    curves: dict[str, dict[float, float]] = {}
    for step, metrics in points.items():
        for name, value in metrics.items():
            curves.setdefault(name, {})[step] = value
    return curves


def scalar(value: Value) -> bool | int | float | str | None:
    """A value as programs take it that know no lists: those, and dicts, become their text."""
    simple = plain(value)
    return simple if simple is None or isinstance(simple, (bool, int, float, str)) else str(simple)
