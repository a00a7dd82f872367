"""What other programs are told of a search beyond its record: results as numbers and texts, and curves by metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.model.command import plain
from hpsearch.model.configuration import Configuration, Value
from hpsearch.model.trials.curves import Points
from hpsearch.model.trials.distributions import Distribution, choice_of
from hpsearch.model.units import read_number
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord


@dataclass(frozen=True)
class ExportedRun:
    """A run that was started.

    Attributes:
        record: What is known of it.
        attempt: The attempt that speaks for it.
        values: Keyword of its result to the number there; what is no number is left out.
        texts: The other keywords, to their texts.
        curves: Metric to step to value, as it was reported while it ran.
    """

    record: RunRecord
    attempt: AttemptRecord
    values: Mapping[str, float]
    texts: Mapping[str, str]
    curves: Mapping[str, Mapping[float, float]]

    @property
    def begun(self) -> float | None:
        """When its script began, or else when it was claimed, in seconds since 1970; None: not known."""
        return self.attempt.claimed_at if self.attempt.started_at is None else self.attempt.started_at

    @property
    def ended(self) -> float | None:
        """When it ended, in seconds since 1970; None: it has not, or that is not known."""
        return self.attempt.ended_at

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
        record: What is known of it, with all runs.
        runs: Those that were started, by number.
        space: The options that differ between runs, with their distributions.
    """

    record: SearchRecord
    runs: Sequence[ExportedRun]
    space: Mapping[str, Distribution]


def exported_search(record: SearchRecord) -> ExportedSearch:
    """A search as it is exported."""
    runs = [_exported_run(run, run.deciding) for run in record.runs if run.deciding]
    return ExportedSearch(record, runs, _space(record.configuration))


def _exported_run(run: RunRecord, attempt: AttemptRecord) -> ExportedRun:
    summary = run.summary if run.summary and run.has_ended else {}  # not that of an attempt that is being repeated
    readings = {key: read_number(text) for key, text in summary.items()}
    return ExportedRun(
        run,
        attempt,
        values={key: reading.value for key, reading in readings.items() if reading},
        texts={key: text for key, text in summary.items() if not readings[key]},
        curves=_by_metric(run.curve),
    )


def _by_metric(points: Points) -> dict[str, dict[float, float]]:
    curves: dict[str, dict[float, float]] = {}
    for step, metrics in points.items():
        for name, value in metrics.items():
            curves.setdefault(name, {})[step] = value
    return curves


def _space(configuration: Configuration) -> dict[str, Distribution]:
    """The options that may differ between runs, with what is known of their values."""
    lists = {name: choice_of(configuration.grid.get(name, ())) for name in configuration.varying}
    return {**lists, **configuration.distributions}


def scalar(value: Value) -> bool | int | float | str | None:
    """A value as programs take it that know no lists: those, and dicts, become their text."""
    simple = plain(value)
    return simple if simple is None or isinstance(simple, (bool, int, float, str)) else str(simple)
