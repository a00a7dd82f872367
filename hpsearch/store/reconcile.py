"""Where a search stands although its journals lag behind: attempts that no writer looks after, by their evidence.

Nothing is written: what became of them is folded into a state in memory, as reports of a writer that does not exist.
``hpsearch status`` and postprocessing both read a search in this way, so they agree about it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

from hpsearch.host import kernel
from hpsearch.model.errors import trouble_in_words
from hpsearch.model.evidence import Conclusion, Evidence, JobState, Liveness, QueueView, conclude
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import ACTIVE, State
from hpsearch.store import writers
from hpsearch.store.attempt_files import attempts_on_disk, claimant, duration, runs_with_files
from hpsearch.store.completion import BY_ITS_SUMMARY, Completion, CompletionReader, EndReport, may_have_late_record
from hpsearch.store.evidence import EvidenceReader
from hpsearch.store.folder import SearchFolder

RECONCILER = ':reconciler'
"""The writer that does not exist; no real one has such a name."""

AttemptKey: TypeAlias = tuple[str, int]
"""Run and number of an attempt."""


def active_attempts(state: SearchState) -> list[Attempt]:
    """The latest attempts of all runs that are under way, or in a queue."""
    latest = (history.last for history in state.runs.values())
    return [attempt for attempt in latest if attempt is not None and attempt.state in ACTIVE]


def _unread(who: str, error: OSError) -> str:
    return f'what {who} left cannot be read: {trouble_in_words(error)}'


class Reconciler:
    """Folds into a state what became of attempts that no writer looks after.

    Attributes:
        conclusions: What became of each attempt whose evidence was read.
        unclear: Attempts that are left until their queue is polled for what ended them.

    Args:
        folder: The search.
        state: What its journals say; is changed.
        headers: Writer to the header of its journal.
        lives: What is known of the writers (:func:`hpsearch.store.writers.poll_once`), before anything else is read.
        completions: Reads how an attempt ended; called when one has.
    """

    def __init__(
        self,
        folder: SearchFolder,
        state: SearchState,
        headers: Mapping[str, Mapping[str, Any]],
        lives: Mapping[str, Liveness],
        completions: Callable[[], CompletionReader],
    ) -> None:
        self._folder = folder
        self._state = state
        self._headers = headers
        self._lives = lives
        self._completions = completions
        self._evidence = EvidenceReader(folder)
        self._host = kernel.this_host()
        self.conclusions: dict[AttemptKey, Conclusion] = {}
        self.unclear: list[Attempt] = []

    def take_in_unattended(self, jobs: Mapping[AttemptKey, QueueView] | None = None) -> list[str]:
        """Take in the evidence of all attempts under way whose writer is not at work; see :meth:`take_in`."""
        return [*self.note_claims(), *self.take_in(self.unattended(), jobs)]

    def unattended(self) -> list[Attempt]:
        """Attempts under way whose writer is not at work."""
        return [each for each in active_attempts(self._state) if self._life(each) is not Liveness.ALIVE]

    def note_claims(self) -> list[str]:
        """Take in claims that no journal mentions: their events may have been lost with the power.

        Returns what could not be read, in sentences.
        """
        try:
            names = runs_with_files(self._folder)
        except OSError as error:
            return [_unread('runs', error)]
        problems = []
        for name in sorted(names.difference(self._state.runs, self._state.withdrawn)):
            try:
                self._note_claim(name)
            except OSError as error:
                problems.append(_unread(name, error))
        return problems

    def _note_claim(self, name: str) -> None:
        """Take in the latest claim of a run, if it is one."""
        numbers = attempts_on_disk(self._folder, name) if self._folder.find_run(name) else ()
        if numbers:
            owner = claimant(self._folder.attempt(name, max(numbers)))
            self._state.replay([(owner, {'event': 'claimed', 'run': name, 'attempt': max(numbers)})])

    def _life(self, attempt: Attempt) -> Liveness:
        return self._lives.get(attempt.owner, Liveness.STALE)

    def take_in(self, attempts: Iterable[Attempt], jobs: Mapping[AttemptKey, QueueView] | None = None) -> list[str]:
        """Take in the evidence of active attempts; returns what could not be read, in sentences.

        Args:
            attempts: Which.
            jobs: What the queue says of them; None: it is polled later, for those that are unclear.
        """
        problems = []
        for attempt in attempts:
            try:
                self._take_in(attempt, jobs)
            except OSError as error:
                unknown = Conclusion(JobState.UNKNOWN, detail=_unread('it', error))
                self.conclusions[attempt.run, attempt.number] = unknown
                problems.append(_unread(attempt.run, error))
        return problems

    def take_in_late_records(self) -> list[str]:
        """Take in the records of attempts that were given up without one; returns what could not be read."""
        problems = []
        for history in filter(may_have_late_record, self._state.runs.values()):
            try:
                self._take_in_late_records(history)
            except OSError as error:
                problems.append(_unread(history.name, error))
        return problems

    def _take_in_late_records(self, history: RunHistory) -> None:
        run = self._folder.find_run(history.name)
        for completion in self._completions().late_ends(run, self._state) if run else ():
            self._fold_end(history.by_number[completion.number], completion)

    def note_running(self, attempts: Iterable[Attempt]) -> None:
        """Take in that a queue says of attempts that they run."""
        for attempt in attempts:
            self._run(attempt)

    def _take_in(self, attempt: Attempt, jobs: Mapping[AttemptKey, QueueView] | None) -> None:
        key = attempt.run, attempt.number
        header = self._headers.get(attempt.owner, {})
        relation = writers.relation(kernel.host_of(header), self._host)
        user, job = str(header.get('user', '')), (jobs or {}).get(key)
        evidence = self._evidence.read(attempt, self._life(attempt), relation, user, job)
        found = self.conclusions[key] = conclude(evidence)
        if found.in_doubt and found.state is JobState.ENDED and jobs is None:
            self.unclear.append(attempt)
            self._run(attempt)
        elif found.state is JobState.ENDED and found.if_closed:
            self._plan_again(attempt, evidence)
        elif found.state is JobState.ENDED:
            self._end(attempt, found)
        elif evidence.has_started:
            self._go_on(attempt, evidence, found)

    def _plan_again(self, attempt: Attempt, evidence: Evidence) -> None:
        """It never starts if its writer is dead; one listing does not show whether its queue still starts it.

        A log and a summary show that it did start, if its fence was lost with the power.
        """
        if evidence.writer is not Liveness.DEAD or evidence.is_queued:
            return
        has_log = os.path.exists(self._folder.attempt(attempt.run, attempt.number).stderr)
        if not (has_log and self._end_if_finished(attempt)):
            attempt.state = State.PLANNED

    def _go_on(self, attempt: Attempt, evidence: Evidence, found: Conclusion) -> None:
        """It may still run; where its processes cannot be listed, a summary that says finished is enough."""
        is_seen = found.state is JobState.RUNNING and not evidence.is_queued
        if is_seen or not self._end_if_finished(attempt):
            self._run(attempt)
        if found.state is JobState.UNKNOWN and not evidence.is_queued and attempt.state in ACTIVE:
            attempt.state = State.UNKNOWN

    def _run(self, attempt: Attempt) -> None:
        if attempt.state is not State.RUNNING:
            self._fold(attempt, {'event': 'running'})

    def _end(self, attempt: Attempt, found: Conclusion) -> None:
        paths = self._folder.attempt(attempt.run, attempt.number)
        seconds = duration(paths) if found.code is not None else None
        room = partial(self._state.room_of, attempt)
        report = EndReport(found.code, found.cause, found.detail, seconds, room=room)
        self._fold_end(attempt, self._completion(attempt, report))

    def _end_if_finished(self, attempt: Attempt) -> bool:
        completion = self._completion(attempt, EndReport(detail=BY_ITS_SUMMARY))
        if completion is None or completion.state is not State.FINISHED:
            return False
        self._fold_end(attempt, completion)
        return True

    def _completion(self, attempt: Attempt, report: EndReport) -> Completion | None:
        """How an attempt ended; None: its run is not in the plan."""
        run = self._folder.find_run(attempt.run)
        if run is None:
            return None
        return self._completions().judge(run, attempt.number, self._tried(attempt), report)

    def _tried(self, attempt: Attempt) -> list[Attempt]:
        return self._state.runs[attempt.run].attempts

    def _fold_end(self, attempt: Attempt, completion: Completion | None) -> None:
        if completion is not None:
            self._fold(attempt, {'event': 'ended', **completion.facts()})

    def _fold(self, attempt: Attempt, event: Mapping[str, Any]) -> None:
        self._state.replay([(RECONCILER, {**event, 'run': attempt.run, 'attempt': attempt.number})])
