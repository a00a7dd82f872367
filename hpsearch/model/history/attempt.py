"""One execution of a run, and how it takes in the events about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.model.errors import IllegalMove
from hpsearch.model.history.places import gpu_place
from hpsearch.model.states import ENDED, NEVER_STARTED, PRUNED, RANK, TRANSITIONS, Event, State, target_of
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, estimate_from
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured, measured_from


@dataclass(slots=True)
class Attempt:
    """One execution of a run, as the journals have it.

    Attributes:
        run: Name of its run.
        number: From 1.
        state: The furthest state reported.
        owner: The writer that claimed it, or that adopted it last; empty while only others have reported of it.
        generation: How often it was adopted.
        owner_state: The furthest state that the owner itself reported.
        reporter: The writer whose report of the end holds.
        handle: What the backend knows it by (a process identity, a queue job), or None.
        gpus: GPUs it was given.
        claimed_at: Wall-clock seconds of the owner's host.
        code: Raw exit status, if known.
        reason: Why it ended as it did, in words.
        cause: What ended it, in one word (``exit``, ``stop``, ``oom``, ``preempted`` …); empty when unknown.
        summary: Keyword to text of its summary.
        seconds: How long it ran, if known.
        node: The node of a cluster it ran on, by the name that the queue gives it; empty: none, or not known.
        peak_memory: Its largest known use of GPU memory in MiB.
        measured: What it was measured to use, once it has ended.
        estimate: What its run was expected to need when it was claimed.
        failure: What its failure is grouped by (:func:`hpsearch.model.verdict.failure_signature`).
        summary_before: Identifies the summary file that was there before it started, or None.
        exclusive: Whether its GPUs were reserved for it.
        alone_on_host: Whether its machine was reserved for it.
        memory: MiB its job in a queue was given, where that is not the usual.
        oom_kills: The kernel's count of out-of-memory kills when it began, or None.
        code_id: Identifies the code there was when it was claimed; empty: not known.
        code_at_start: Identifies the code there was when its job was seen to have started, where that was another; else
            empty.
        facts: How much room it had, for a next attempt.
        reading: How often its summary was read again before this report of its end.
        left_nothing: Whether it reached a time limit without a new or changed file in its output folder.
        pruned: Why it was to be stopped because of its metrics, in words; empty: it was not. However it ends then, it
            is stopped, unless it has finished or has never begun.
        told: The end that the report which holds names.
        is_cancelled: Whether ``hpsearch cancel`` asked for its end. However it ends then, whoever takes that in
            concludes that it was cancelled, unless it has finished.
    """

    run: str
    number: int
    state: State = State.PLANNED
    owner: str = ''
    generation: int = -1
    owner_state: State = State.PLANNED
    reporter: str = ''
    handle: Any = None
    gpus: tuple[str, ...] = ()
    claimed_at: float | None = None
    code: int | None = None
    reason: str = ''
    cause: str = ''
    summary: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    node: str = ''
    peak_memory: int | None = None
    measured: Measured = NOTHING_MEASURED
    estimate: Estimate = NOTHING_EXPECTED
    failure: str = ''
    summary_before: Sequence[int] | None = None
    exclusive: bool = False
    alone_on_host: bool = False
    memory: int | None = None
    oom_kills: int | None = None
    code_id: str = ''
    code_at_start: str = ''
    facts: Mapping[str, Any] = field(default_factory=dict)
    reading: int = 0
    left_nothing: bool = False
    pruned: str = ''
    told: State = State.PLANNED
    is_cancelled: bool = False

    @property
    def is_in_queue(self) -> bool:
        """Whether it is, or was, a job of its own in a queue."""
        return bool(self.handle) and 'submission' in self.handle

    @property
    def code_text(self) -> str:
        """The id of the code it ran; where that changed between submission and start, both: ``before>after``."""
        return '>'.join(filter(None, (self.code_id, self.code_at_start)))

    @property
    def places(self) -> tuple[str, ...]:
        """What may be to blame for how it ended: the node of a cluster it was on, and the GPUs it was given."""
        gpus = tuple(gpu_place(self.owner, gpu, self.node) for gpu in self.gpus)
        return (self.node, *gpus) if self.node else gpus

    @property
    def ended_at(self) -> float | None:
        """When it ended, in wall-clock seconds of its host; None: not known, as where it waited in a queue first."""
        if self.claimed_at is None or self.seconds is None or self.is_in_queue:
            return None
        return self.claimed_at + self.seconds

    def check(self, writer: str, event: Event) -> None:
        """Check that an event can follow; nothing is changed.

        Raises:
            IllegalMove: The owner reports what its own earlier reports rule out.
        """
        kind = event['event']
        if self._is_move_of_owner(writer, event) and target_of(event) not in TRANSITIONS.get(
            (self.owner_state, kind), ()
        ):
            raise IllegalMove(f'{self.run}, attempt {self.number}: {kind!r} cannot follow {self.owner_state}')

    def _is_move_of_owner(self, writer: str, event: Event) -> bool:
        is_claim = event['event'] in ('claimed', 'adopted')
        return writer == self.owner and (not is_claim or event.get('generation', 0) == self.generation)

    def apply(self, writer: str, event: Event) -> None:
        """Take in one event that was checked."""
        kind, target = event['event'], target_of(event)
        if self._is_move_of_owner(writer, event):
            self.owner_state = target
        if kind == 'ended':
            self._end(writer, target, event)
            return
        if kind in ('claimed', 'adopted'):
            self._own(writer, target, event.get('generation', 0))
        if RANK[target] > RANK[self.state]:
            self.state = target
        self.node = event.get('node', self.node)
        self._note(kind, event)

    def _own(self, writer: str, target: State, generation: int) -> None:
        if generation > self.generation or (generation == self.generation and writer < self.owner):
            self.owner, self.generation, self.owner_state = writer, generation, target

    def _end(self, writer: str, target: State, event: Event) -> None:
        reading = event.get('reading', 0)
        if (RANK[target], reading, self.reporter) < (RANK[self.told], self.reading, writer):
            return
        self.state, self.reporter, self.reading = target, writer, reading
        self.told = target
        self.code = event.get('code')
        self.reason = event.get('reason', '')
        self.cause = event.get('cause', '')
        self.summary = event.get('summary') or {}
        self.seconds = event.get('seconds')
        self.node = event.get('node', self.node)
        self.peak_memory = event.get('peak_memory')
        self.measured = measured_from(event.get('measured'))
        self.failure = event.get('failure', '')
        self.facts = event.get('facts') or {}
        self.left_nothing = event.get('left_nothing', False)
        self._stop_if_pruned()

    def prune(self, reason: str) -> None:
        """It is to be stopped because of its metrics; its end may have been reported before that is heard of."""
        self.pruned = min(filter(None, (self.pruned, reason)), default='')
        self._stop_if_pruned()

    def _stop_if_pruned(self) -> None:
        has_begun = self.cause not in NEVER_STARTED
        if self.pruned and has_begun and self.state in ENDED and self.state is not State.FINISHED:
            self.state, self.cause, self.reason, self.failure = State.STOPPED, PRUNED, self.pruned, ''

    def _note(self, kind: str, event: Event) -> None:
        if kind == 'claimed':
            self.gpus = tuple(event.get('gpus', ()))
            self.claimed_at = event.get('at')
            self.summary_before = event.get('summary_before')
            self.exclusive = event.get('exclusive', False)
            self.estimate = estimate_from(event.get('estimate'))
            self.alone_on_host = event.get('alone_on_host', False)
            self.memory = event.get('memory')
            self.oom_kills = event.get('oom_kills')
            self.code_id = event.get('code_id', '')
        elif kind in ('submitted', 'running'):
            self.handle = event.get('handle', self.handle)
