"""What is shown: a search and its runs, or several searches, as they were read at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.configuration import Value
from hpsearch.model.snapshot import Snapshot
from hpsearch.model.usage.in_use import RunUse


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run.

    Attributes:
        name: Its name, unique in the search.
        number: From 1.
        state: Where it stands.
        params: Its parameters.
        text: Its result for what is optimised, as it was printed; empty: it has none.
        value: The number that this is; None: it is none.
        rank: What is compared of a finished run, least first; None: it cannot be compared.
        others: Its results for the other objectives, as they were printed.
        metric: The name of the metric that is shown.
        curve: The values of that metric, in the order of their steps.
        step: The last step that it has reported; None: none.
        since: When its last attempt began, in seconds since 1970; None: it has not, or that is not known.
        seconds: How long its last attempt took; None: it has not ended, or that is not known.
        where: GPUs and host of its last attempt.
        attempts: How many there were.
        reason: Why it ended as it did, or waits.
    """

    name: str
    number: int
    state: str
    params: Mapping[str, Value] = field(default_factory=dict)
    text: str = ''
    value: float | None = None
    rank: tuple[float, float] | None = None
    others: Sequence[str] = ()
    metric: str = ''
    curve: Sequence[float] = ()
    step: float | None = None
    since: float | None = None
    seconds: float | None = None
    where: str = ''
    attempts: int = 0
    reason: str = ''


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a search by number; as long as nothing has changed, the object is the same.

    Attributes:
        rows: All of them.
        key: The keyword by which they are compared; empty: they are not.
        others: Those of the other objectives.
        varying: Names of the parameters that differ; empty: not known.
        best: The best run, by the first objective; None: there is none yet.
        front: Gives the names of the runs on the Pareto front; None: there are not several objectives.
        matching: Names of those that a filter lets through; None: there is no filter.
    """

    rows: Sequence[RunRow] = ()
    key: str = ''
    others: Sequence[str] = ()
    varying: Sequence[str] = ()
    best: RunRow | None = None
    front: Callable[[], frozenset[str]] | None = None
    matching: frozenset[str] | None = None


@dataclass(frozen=True)
class LogShown:
    """The end of what a run printed.

    Attributes:
        title: Which run and attempt it is of.
        lines: The lines.
    """

    title: str = ''
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class SearchShown:
    """A search.

    Attributes:
        snapshot: How far it has come, and where it runs.
        runs: Its runs.
        now: When it was read, in seconds since 1970.
        ends: When it is expected to end, in words; empty: not known.
        uses: What the runs that are measured use.
        hosts: Who works on it, in words.
        notes: What is worth knowing, in sentences.
        details: Labels and texts about the run that was asked for.
        log: What that run printed.
        problem: Why it cannot be read any more, in words; it is shown as it was then. Empty: it can.
    """

    snapshot: Snapshot
    runs: Runs
    now: float
    ends: str = ''
    uses: Mapping[str, RunUse] = field(default_factory=dict)
    hosts: str = ''
    notes: Sequence[str] = ()
    details: Sequence[tuple[str, str]] = ()
    log: LogShown = field(default_factory=LogShown)
    problem: str = ''


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One of several searches.

    Attributes:
        name: Its folder, relative to where it was looked for.
        counts: State to number of runs; empty: it has not been read.
        total: Number of runs; None: there is no limit, or that is not known.
        best: The best result.
        user: Whose it is.
        at: When something happened last, in seconds since 1970; None: not known.
        is_alive: Whether an hpsearch works on it.
        problem: Why it cannot be read; empty: it can.
    """

    name: str
    counts: Mapping[str, int] = field(default_factory=dict)
    total: int | None = None
    best: str = ''
    user: str = ''
    at: float | None = None
    is_alive: bool = False
    problem: str = ''


@dataclass(frozen=True)
class ListShown:
    """Several searches.

    Attributes:
        below: The folder that they are in.
        rows: The searches.
        now: When they were read, in seconds since 1970.
    """

    below: str
    rows: Sequence[SearchRow]
    now: float
