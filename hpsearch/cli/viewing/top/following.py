"""A search that is read on and on, and what is shown of it; it costs little while little happens."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hpsearch.cli.runs.showing import Shown
from hpsearch.cli.status import SearchSnapshot, end_of, open_snapshot, why_waiting
from hpsearch.cli.viewing.top.metrics import LiveMetrics
from hpsearch.cli.viewing.top.rows import row_of
from hpsearch.cli.viewing.top.told import gpu_lines, queue_lines, who_works
from hpsearch.config.inline.objective import objectives_of_search
from hpsearch.host import kernel
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.snapshot import Snapshot, merged_queue, seconds_left
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.usage.in_use import RunUse, run_use_from
from hpsearch.records.fields import Fields
from hpsearch.records.reading import reconciled, record_of, runs_of
from hpsearch.records.run import RunRecord
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.format import DONE
from hpsearch.ui.top.shown import RunRow, Runs, SearchShown

SECONDS_BETWEEN_CHECKS = 10.0
"""How often it is looked for what became of attempts that no writer manages."""

SECONDS_BETWEEN_READINGS = 30.0
"""How often everything is read anew at most, where a writer came to a search that nobody had managed."""


@dataclass(frozen=True)
class _Summary:
    """What follows from all runs together.

    Attributes:
        counts: State to number of runs.
        took: Seconds that each of those has taken that have ended.
        is_open: Whether some of them are to be started, or to end.
    """

    counts: Mapping[str, int]
    took: Sequence[float]
    is_open: bool


class FollowedSearch:
    """A search that is read on and on.

    Args:
        folder: The search.
        now: Seconds since 1970.

    Attributes:
        search: As it was read last.
        records: Name to record of each run.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """

    def __init__(self, folder: SearchFolder, now: float) -> None:
        self._folder = folder
        self._where = ''
        self._most_running = 1
        self._host = kernel.this_host().name
        self._open(now)

    def _open(self, now: float) -> None:
        stamp = _stamp(self._folder)
        self.search: SearchSnapshot = open_snapshot(self._folder, now, with_runs=True)
        self._stamp = stamp
        self._read_at = self._checked_at = now
        self._notes = reconciled(self.search)
        self._writers = set(self.search.reader.headers)
        self._objectives = objectives_of_search(self.search.info.get('options', {}), self.search.plain)
        self._led: frozenset[str] | None = None
        self.records: dict[str, RunRecord] = {}
        self._rows: dict[str, RunRow] = {}
        self._metrics = LiveMetrics(self._folder, self.search.plain)
        for record in runs_of(self.search):
            self._take(record)
        self._matching = self._names_of(self._where)
        self._combine()

    def read_on(self, now: float, *, checks: bool = False) -> None:
        """Read what has happened since.

        Args:
            now: Seconds since 1970.
            checks: Whether to look at once for what became of attempts that no writer manages.

        Raises:
            HpsearchError: It cannot be read any more.
            OSError: The same.
        """
        if _stamp(self._folder) != self._stamp or self._has_a_new_master(now):
            self._open(now)
            return
        changed = self.search.read_on(now)
        if checks or now - self._checked_at >= SECONDS_BETWEEN_CHECKS:
            changed |= self._check(now)
        changed |= self._metrics.news(self._silent())
        for name in changed:
            record = record_of(self.search, name)
            if record is not None:
                self._take(record if record.curve else replace(record, curve=self._metrics.of(record)))
        if changed:
            self._match(changed)
            self._combine()

    def _silent(self) -> list[RunRecord]:
        """The runs under way of which the journals have no metrics."""
        curves = self.search.state.curves
        running = (name for name, row in self._rows.items() if row.state == State.RUNNING and name not in curves)
        return [self.records[name] for name in running]

    def _has_a_new_master(self, now: float) -> bool:
        """Whether a writer came that may report otherwise what was found out about attempts without one."""
        is_due = now - self._read_at >= SECONDS_BETWEEN_READINGS
        return is_due and bool(self._found_out) and self.search.reader.headers.keys() > self._writers

    @property
    def _found_out(self) -> list[Attempt]:
        return [each for each in self._active() if each.owner not in self.search.living]

    def _check(self, now: float) -> set[str]:
        """Take in what became of the attempts that no writer manages; returns the names of their runs."""
        self._checked_at = now
        attempts = self._found_out
        if not attempts:
            return set()
        reconciler = self.search.reconciler()
        notes = reconciler.take_in(attempts)
        self._notes = [*notes, *reconciler.take_in([each for each in reconciler.unclear if each.state in ACTIVE], {})]
        return {attempt.run for attempt in attempts}

    def _active(self) -> list[Attempt]:
        names = [row.name for row in self._rows.values() if row.state in ACTIVE]
        histories = (self.search.state.runs.get(name) for name in names)
        return [history.last for history in histories if history and history.last and history.last.state in ACTIVE]

    def filter(self, where: str) -> None:
        """Mark the runs of which a condition holds; empty: there is none.

        Raises:
            ConfigError: The condition is wrong; the last one stays.
        """
        self._matching = self._names_of(where)
        self._where = where
        self._combine()

    def _names_of(self, where: str) -> set[str]:
        """The runs of which a condition holds; what it may speak of is what runs have at this moment."""
        whole = self._whole()
        self._fields = Fields(whole) if where else None
        return {record.name for record in self._fields.selected(whole.runs, where)} if self._fields else set()

    def command_of(self, record: RunRecord) -> str:
        """A line for a shell that executes the command of a run as it was, or would be, executed."""
        return Shown(self._whole(), self._folder, record).command

    def _whole(self) -> SearchRecord:
        search, records = self.search, list(self.records.values())
        return SearchRecord(
            str(self._folder.path), search.info, search.plain, self._objectives, records, search.total, search.now
        )

    def _match(self, names: set[str]) -> None:
        """Ask again whether the condition holds of runs that have changed."""
        if self._fields is not None:
            known = [self.records[name] for name in names if name in self.records]
            self._matching -= names
            self._matching |= {record.name for record in self._fields.selected(known, self._where)}

    def _take(self, record: RunRecord) -> None:
        earlier = self.records.get(record.name)
        if State.FINISHED in (record.state, earlier and earlier.state):
            self._led = None
        self.records[record.name] = record
        self._rows[record.name] = row_of(record, self._objectives, self._host)

    def _combine(self) -> None:
        """What follows from all runs together, after some of them have changed."""
        rows = list(self._rows.values())
        ranked = [row for row in rows if row.rank is not None]
        best = min(ranked, key=lambda row: (row.rank, row.number), default=None)
        took = [row.seconds for row in rows if row.seconds is not None and row.state in DONE]
        self._summary = _Summary(
            Counter(row.state for row in rows),
            took,
            any(self._is_open(row) for row in rows),
        )
        key, *others = [objective.key for objective in self._objectives] or ['']
        varying = tuple(self.search.plain.varying)
        front = self._front if others else None
        self._runs = Runs(rows, key, others, varying, best, front, frozenset(self._matching) if self._where else None)

    def _front(self) -> frozenset[str]:
        """The runs on the Pareto front, of several with one trial the first; looked for where it is to be seen."""
        if self._led is None:
            self._led = frozenset(each.run for each in self._whole().leaders())
        return self._led

    def _is_open(self, row: RunRow) -> bool:
        history = self.search.state.runs.get(row.name)
        return row.state not in DONE if history is None else history.is_open

    # What is shown

    def shown(self) -> SearchShown:
        """The search as it was read last."""
        search, active = self.search, self._active()
        queue = merged_queue(queue_lines(search))
        total, counts = search.total, dict(self._summary.counts)
        is_open = self._summary.is_open or (total or 0) > len(self._rows)
        eta = self._seconds_left(active) if search.living and not self.is_paused else None
        snapshot = Snapshot(
            folder=str(self._folder.path),
            total=total,
            counts=counts,
            elapsed=max(0.0, end_of(search, active) - self._begin()),
            eta=eta,
            gpus=gpu_lines(search),
            performance_key=self._runs.key or None,
            waiting=self._why_waiting(active, has_queue=bool(queue), is_open=is_open),
            varying=self._runs.varying,
            queue=queue,
        )
        return SearchShown(
            snapshot,
            self._runs,
            search.now,
            ends='' if eta is None else clock_text(search.now + eta, search.now),
            uses=self.uses(),
            hosts=who_works(search),
            notes=self._notes,
        )

    def _why_waiting(self, active: Sequence[Attempt], *, has_queue: bool, is_open: bool) -> str:
        if self.is_paused and is_open:
            return 'paused: no more runs are started; p goes on'
        return why_waiting(self.search, active, has_queue=has_queue, is_open=is_open)

    @property
    def is_paused(self) -> bool:
        """Whether it was asked that no runs are started."""
        return self.search.state.admission.is_paused

    def uses(self) -> dict[str, RunUse]:
        """What the runs that writers measure use."""
        return {run: run_use_from(told) for run, told in self.search.uses.items()}

    def _begin(self) -> float:
        headers = self.search.reader.headers.values()
        return min((float(each['at']) for each in headers if 'at' in each), default=self.search.now)

    def _seconds_left(self, active: Sequence[Attempt]) -> float | None:
        """None: it cannot be expected, since no run has ended or none runs."""
        running = [attempt for attempt in active if attempt.state is State.RUNNING]
        self._most_running = max(self._most_running, len(running))
        total, took = self.search.total, self._summary.took
        if total is None or not took or not running:
            return None
        ended = sum(row.state not in ACTIVE and row.state != 'planned' for row in self._rows.values())
        since = (self._rows[attempt.run].since or self.search.now for attempt in running)
        ages = [max(0.0, self.search.now - each) for each in since]
        return seconds_left(total - ended - len(running), ages, len(took), sum(took), self._most_running)


def _stamp(folder: SearchFolder) -> tuple[int, int]:
    """Changes when a search is described anew, as when it is extended."""
    try:
        facts = os.stat(folder.search_json)
    except OSError:
        return 0, 0  # whoever reads it says what is wrong
    return facts.st_mtime_ns, facts.st_ino


def clock_text(at: float, now: float) -> str:
    """A time of this place, in seconds since 1970, with its day unless that is today: ``17:20``, ``Fri 17:20``."""
    days = (at - now) / 86400
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime('%H:%M', then)
    return time.strftime('%a %H:%M' if days < 6 else '%d %b', then)
