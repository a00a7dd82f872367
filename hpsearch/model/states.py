"""The life of a run as a table, and the one fold that turns events into the state of a search.

The fold is used live and on replay. Events of one writer come in their order; how the journals of several writers
interleave does not matter: an attempt takes the furthest state that any writer reported, and two reports of its end
are settled by :data:`END_ORDER`, never by time stamps, since hosts share no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hpsearch.model.control.requests import Admission, Requests
from hpsearch.model.errors import IllegalMove
from hpsearch.model.trials.curves import Curves
from hpsearch.model.trials.suggestion import Suggestion, suggestion_of
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, estimate_from
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured, measured_from

Event = Mapping[str, Any]


class State(str, Enum):
    """Where a run, or one attempt of it, stands."""

    PLANNED = 'planned'
    """Waits for a slot."""
    CLAIMED = 'claimed'
    """A writer has taken it and is about to start it."""
    SUBMITTED = 'submitted'
    """It is in a queue."""
    RUNNING = 'running'
    """Its process runs."""
    FINISHED = 'finished'
    """A summary of this attempt says so; without a summary file: exit status 0."""
    FAILED = 'failed'
    """It ended otherwise, by its own doing."""
    STOPPED = 'stopped'
    """It was stopped early because its metrics were not good enough."""
    INTERRUPTED = 'interrupted'
    """It was ended from outside: the user's stop, preemption, a failed node."""
    LOST = 'lost'
    """It is gone without a trace of how it ended."""
    UNKNOWN = 'unknown'
    """It started on a host whose processes cannot be listed."""

    def __str__(self) -> str:
        return self.value


END_ORDER = (State.LOST, State.INTERRUPTED, State.STOPPED, State.FAILED, State.FINISHED)
"""The ends of an attempt; of two reports of one end the later in this order holds (evidence beats its absence).

Of two reports of the same end, the one whose summary was read again more often holds.
"""

TIMEOUT = 'timeout'
"""Cause of an end: the time limit of its job."""

CANCELLED = 'cancelled'
"""Cause of an end: ``hpsearch cancel`` asked for it, or its job was cancelled outside hpsearch."""

REUSED = 'reused'
"""Cause of an end: the result of an earlier search was taken."""

PRUNED = 'pruned'
"""Cause of an end: it was stopped because of its metrics."""

STOP = 'stop'
"""Cause of an end: this hpsearch was asked to stop."""

YIELDED = 'yielded'
"""Cause of an end: it made room for others on its machine."""

ON_REQUEST = (STOP, YIELDED)
"""Causes of ends that hpsearch itself asked for."""

NEVER_STARTED = ('abandoned', 'fenced', 'start', 'impossible', 'refused')
"""Causes of attempts whose script never ran: they leave no logs and no summary."""

ENDED = frozenset(END_ORDER)
ACTIVE = frozenset((State.CLAIMED, State.SUBMITTED, State.RUNNING, State.UNKNOWN))

TRANSITIONS: Mapping[tuple[State, str], frozenset[State]] = {
    (State.PLANNED, 'claimed'): frozenset((State.CLAIMED,)),
    (State.CLAIMED, 'submitted'): frozenset((State.SUBMITTED,)),
    (State.CLAIMED, 'running'): frozenset((State.RUNNING,)),
    (State.SUBMITTED, 'running'): frozenset((State.RUNNING,)),
    (State.CLAIMED, 'adopted'): frozenset((State.RUNNING, State.SUBMITTED)),
    (State.SUBMITTED, 'adopted'): frozenset((State.RUNNING, State.SUBMITTED)),
    (State.RUNNING, 'adopted'): frozenset((State.RUNNING,)),
    (State.CLAIMED, 'ended'): ENDED,
    (State.SUBMITTED, 'ended'): ENDED,
    (State.RUNNING, 'ended'): ENDED,
    (State.LOST, 'ended'): ENDED - {State.LOST},
    (State.INTERRUPTED, 'ended'): frozenset((State.FINISHED,)),
}
"""(state, event) to the states it may lead to; what is not here is illegal for the writer that owns the attempt.

An end follows an end where the attempt was given up without a record, which appeared later.
"""

_PROGRESS = (State.PLANNED, State.CLAIMED, State.SUBMITTED, State.RUNNING, *END_ORDER)
_RANK = {state: rank for rank, state in enumerate(_PROGRESS)}
_RANK[State.UNKNOWN] = _RANK[State.SUBMITTED]  # its evidence said so, and whatever is reported later says more
_STATES = {state.value: state for state in State}

_TARGETS = {
    'claimed': State.CLAIMED,
    'submitted': State.SUBMITTED,
    'running': State.RUNNING,
    'adopted': State.RUNNING,
}
_ATTEMPT_EVENTS = frozenset((*_TARGETS, 'ended'))

REQUESTS = ('cancel', 'rerun')
"""Events in which users ask something of a run."""


def host_of(writer: str) -> str:
    """The host of a writer, as far as its name says it."""
    parts = writer.split('_')
    return parts[1] if len(parts) == 4 else writer


def gpu_place(writer: str, gpu: str, node: str = '') -> str:
    """The place that a GPU is; no node has such a name.

    Args:
        writer: Who gives it to runs. On its host it is the same for all writers.
        gpu: Its name.
        node: The node of a cluster it is on: in each job there, GPUs may have numbers of their own. Empty: none.
    """
    return f'GPU {gpu} on {node}, {writer}' if node else f'GPU {gpu} on {host_of(writer)}'


def is_gpu(place: str) -> bool:
    """Whether a place is a GPU; otherwise it is a node of a cluster."""
    return place.startswith('GPU ')


def kind_of(place: str) -> str:
    """What a place can be compared with: nodes with nodes, GPUs of hosts with each other, those of a job likewise."""
    return (place.partition(', ')[2] or 'GPU') if is_gpu(place) else ''


def place_in_words(place: str) -> str:
    """The name of a place for people."""
    return place.partition(', ')[0]


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
        if self._is_move_of_owner(writer, event) and _target_of(event) not in TRANSITIONS.get(
            (self.owner_state, kind), ()
        ):
            raise IllegalMove(f'{self.run}, attempt {self.number}: {kind!r} cannot follow {self.owner_state}')

    def _is_move_of_owner(self, writer: str, event: Event) -> bool:
        is_claim = event['event'] in ('claimed', 'adopted')
        return writer == self.owner and (not is_claim or event.get('generation', 0) == self.generation)

    def apply(self, writer: str, event: Event) -> None:
        """Take in one event that was checked."""
        kind, target = event['event'], _target_of(event)
        if self._is_move_of_owner(writer, event):
            self.owner_state = target
        if kind == 'ended':
            self._end(writer, target, event)
            return
        if kind in ('claimed', 'adopted'):
            self._own(writer, target, event.get('generation', 0))
        if _RANK[target] > _RANK[self.state]:
            self.state = target
        self.node = event.get('node', self.node)
        self._note(kind, event)

    def _own(self, writer: str, target: State, generation: int) -> None:
        if generation > self.generation or (generation == self.generation and writer < self.owner):
            self.owner, self.generation, self.owner_state = writer, generation, target

    def _end(self, writer: str, target: State, event: Event) -> None:
        reading = event.get('reading', 0)
        if (_RANK[target], reading, self.reporter) < (_RANK[self.told], self.reading, writer):
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


def _target_of(event: Event) -> State:
    """The state an event leads to."""
    if event['event'] == 'ended':
        return _STATES[event['state']]
    return State.SUBMITTED if event.get('queued') else _TARGETS[event['event']]


@dataclass(slots=True)
class Submission:
    """An array of jobs that was, or was about to be, submitted.

    Attributes:
        name: Of its job.
        queue: ``slurm`` or ``lsf``.
        writer: Who submitted it.
        at: When, in seconds since 1970 by the writer's clock.
        throttle: Jobs of it at a time.
        pilots: Number of its jobs that work on the search by themselves; 0: each is an attempt.
        job: Its id; empty while none is known.
        room: How much room each of its jobs has (:func:`hpsearch.model.retries.room_in_queue`); empty: unknown.
        limit: Seconds that each of its jobs may run; None: not known.
        attempts: The attempts (run and number) that its jobs are; the first has index 1.
        place: Where its jobs look for the search folder; empty: not known.
    """

    name: str
    queue: str
    writer: str
    at: float
    throttle: int
    pilots: int = 0
    job: str = ''
    room: Mapping[str, Any] = field(default_factory=dict)
    limit: float | None = None
    attempts: Sequence[tuple[str, int]] = ()
    place: str = ''


@dataclass(slots=True)
class RunHistory:
    """All attempts of one run, by number, and what was asked of it.

    Attributes:
        name: Of the run.
        by_number: Number to attempt; empty: there are only requests.
        requests: What was asked of it; None: nothing.
    """

    name: str
    by_number: dict[int, Attempt] = field(default_factory=dict)
    requests: Requests | None = None

    @property
    def attempts(self) -> list[Attempt]:
        """In order."""
        return [self.by_number[number] for number in sorted(self.by_number)]

    @property
    def last(self) -> Attempt | None:
        """The latest attempt, or None."""
        return self.by_number[max(self.by_number)] if self.by_number else None

    @property
    def deciding(self) -> Attempt | None:
        """The attempt that speaks for the run: the first that finished, else the latest."""
        finished = (attempt for attempt in self.attempts if attempt.state is State.FINISHED)
        return next(finished, self.last)

    @property
    def shown(self) -> Attempt | None:
        """The attempt that the table shows: the first that finished, else the latest that ended."""
        ended = [attempt for attempt in self.attempts if attempt.state in ENDED]
        finished = (attempt for attempt in ended if attempt.state is State.FINISHED)
        return next(finished, ended[-1] if ended else None)

    @property
    def code_text(self) -> str:
        """The code of the attempt that the table shows."""
        return self.shown.code_text if self.shown else ''

    @property
    def measured(self) -> Measured:
        """What the attempt that the table shows was measured to use."""
        return self.shown.measured if self.shown else NOTHING_MEASURED

    @property
    def state(self) -> State:
        """The state of the run: finished is final, otherwise that of its latest attempt.

        A run that was cancelled before it was started is interrupted.
        """
        if len(self.by_number) == 1:
            return next(iter(self.by_number.values())).state
        deciding = self.deciding
        if deciding is None:
            return State.INTERRUPTED if self.is_cancelled else State.PLANNED
        return deciding.state

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked for that no more attempts of it are started."""
        return self.requests is not None and self.requests.is_cancelled(self._next)

    @property
    def is_kept_back(self) -> bool:
        """Whether it might be started, or started again, had it not been cancelled on request."""
        return self.is_cancelled and self.state in (State.INTERRUPTED, State.LOST)

    @property
    def was_cancelled_outside(self) -> bool:
        """Whether its job was cancelled by somebody else, so that it did not finish."""
        deciding = self.deciding
        return deciding is not None and deciding.cause == CANCELLED and not deciding.is_cancelled

    @property
    def is_asked_for(self) -> bool:
        """Whether it was asked for that it is run again, and has not been since."""
        return self.was_asked_for(self._next)

    def was_asked_for(self, number: int) -> bool:
        """Whether somebody asked for the attempt of this number."""
        return self.requests is not None and self.requests.asks_for(number)

    @property
    def next_revision(self) -> int:
        """The revision of a request that is to hold against all that are known."""
        return self.requests.next_revision if self.requests else 1

    @property
    def _next(self) -> int:
        return max(self.by_number, default=0) + 1

    def ask(self, kind: str, after: int, revision: int) -> None:
        """Take in a request about the attempts after one (:class:`Requests`)."""
        if self.requests is None:
            self.requests = Requests()
        self.requests.add(kind, after, revision)
        for attempt in self.by_number.values():
            attempt.is_cancelled = self.requests.is_cancelled(attempt.number)

    def in_words(self) -> str:
        """The history for an error message: of many attempts only the last ones."""
        return '; '.join(f'attempt {a.number}: {a.state}, owner {a.owner or "unknown"}' for a in self.attempts[-4:])


class SearchState:
    """What all journals together say.

    Attributes:
        runs: Name to history, for every run that has events.
        started: Number of attempts, of all runs.
        folded: Number of events that were taken in; as long as it is the same, nothing has happened.
        odd: What replay could not interpret, in words.
        provenance: What writers found out about the code and the environment of runs: the events.
        diffs: Code id to the file with its changes, relative to the search folder.
        submissions: Name to submission, for every array of jobs.
        withdrawn: Names of the runs that are not wanted any more; they may be in :attr:`runs`, and under way.
        ended_in_places: The attempts that ended in known places (:attr:`Attempt.places`), in the order of the reports.
        running_in_places: Those that run there, by run and number.
        stops: Writers that asked all others to stop, with their requests.
        suggestions: Name of a run to what was suggested; empty in a search whose runs were all planned in advance.
        curves: Run to step to the metrics that were reported there.
        admission: Whether runs are started.
    """

    def __init__(self) -> None:
        self.runs: dict[str, RunHistory] = {}
        self.started = 0
        self.folded = 0
        self.odd: list[str] = []
        self._codes_found: set[str] = set()
        self._without_code: dict[str, list[Attempt]] = {}
        self._codes_at_start: dict[tuple[str, int], str] = {}
        self._pruned: dict[tuple[str, int], str] = {}
        self.provenance: list[Event] = []
        self.diffs: dict[str, str] = {}
        self.submissions: dict[str, Submission] = {}
        self.withdrawn: frozenset[str] = frozenset()
        self.ended_in_places: list[Attempt] = []
        self.running_in_places: dict[tuple[str, int], Attempt] = {}
        self.stops: list[tuple[str, Event]] = []
        self.suggestions: dict[str, Suggestion] = {}
        self.curves = Curves()
        self.admission = Admission()

    @property
    def wanted(self) -> list[RunHistory]:
        """The runs that have events and are not withdrawn."""
        return [history for name, history in self.runs.items() if name not in self.withdrawn]

    def check(self, writer: str, event: Event) -> None:
        """Check that an event can follow; nothing is changed.

        Raises:
            IllegalMove: With the history of that run.
        """
        attempt = self.attempt_of(event['run'], event['attempt']) if event['event'] in _ATTEMPT_EVENTS else None
        if attempt is None:
            return
        try:
            attempt.check(writer, event)
        except IllegalMove as error:
            raise IllegalMove(f'{error}. Its history: {self.runs[attempt.run].in_words()}.') from None

    def fold(self, writer: str, event: Event) -> None:
        """Take in one event; events that concern no attempt change nothing here.

        Raises:
            IllegalMove: With the history of that run; nothing was changed.
        """
        self.check(writer, event)
        self.folded += 1
        if event['event'] not in _ATTEMPT_EVENTS:
            self._note(writer, event)
            return
        history = self._history(event['run'])
        attempt = history.by_number.get(event['attempt']) or self._begin(history, event['attempt'])
        had_ended = attempt.state in ENDED
        attempt.apply(writer, event)
        if event['event'] == 'claimed':
            self._note_claim(writer, attempt)
        if not had_ended and attempt.places:
            self._note_place(attempt)

    def _history(self, run: str) -> RunHistory:
        history = self.runs.get(run)
        if history is None:
            history = self.runs[run] = RunHistory(run)
        return history

    def _begin(self, history: RunHistory, number: int) -> Attempt:
        pruned = self._pruned.get((history.name, number), '')
        is_cancelled = history.requests is not None and history.requests.is_cancelled(number)
        history.by_number[number] = Attempt(history.name, number, pruned=pruned, is_cancelled=is_cancelled)
        self.started += 1
        return history.by_number[number]

    def _note(self, writer: str, event: Event) -> None:
        match event['event']:
            case 'provenance':
                self.provenance.append(event)
                self._note_code(writer, event)
            case 'code':
                self._note_code_at_start(event)
            case 'stop':
                self.stops.append((writer, event))
            case 'cancel' | 'rerun':
                self._history(event['run']).ask(event['event'], event['after'], event['revision'])
            case 'pause':
                self.admission = max(self.admission, Admission(event['revision'], event['on']))
            case 'submitting':
                self._note_submission(writer, event)
            case 'accepted' if event['submission'] in self.submissions:
                self.submissions[event['submission']].job = event['job']
            case _:
                self._note_adaptive(writer, event)

    def _note_adaptive(self, writer: str, event: Event) -> None:
        match event['event']:
            case 'suggested':
                self._note_suggestion(suggestion_of(writer, event))
            case 'reported':
                self.curves.add(event['run'], event['attempt'], event['points'])
            case 'pruned':
                self._note_pruned(event)

    def _note_suggestion(self, suggestion: Suggestion) -> None:
        """Numbers are given exclusively; should one be there twice after all, every reader takes the same."""
        earlier = self.suggestions.get(suggestion.run)
        if earlier is None or suggestion.writer < earlier.writer:
            self.suggestions[suggestion.run] = suggestion

    def _note_place(self, attempt: Attempt) -> None:
        key = attempt.run, attempt.number
        if attempt.state is State.RUNNING:
            self.running_in_places[key] = attempt
        elif attempt.state in ENDED:
            self.running_in_places.pop(key, None)
            self.ended_in_places.append(attempt)

    def _note_submission(self, writer: str, event: Event) -> None:
        name, queue = event['submission'], event['queue']
        attempts = [(run, number) for run, number in event.get('attempts', ())]
        self.submissions[name] = Submission(
            name, queue, writer, event.get('at', 0.0), event.get('throttle', 1), event.get('pilots', 0),
            room=event.get('room') or {}, limit=event.get('limit'), attempts=attempts, place=event.get('place', ''),
        )  # fmt: skip
        for index, (run, number) in enumerate(attempts, start=1):
            attempt = self.attempt_of(run, number)
            if attempt is not None:
                attempt.handle = {'queue': queue, 'submission': name, 'index': index}

    def _note_claim(self, writer: str, attempt: Attempt) -> None:
        attempt.code_at_start = self._codes_at_start.get((attempt.run, attempt.number), '')
        if not attempt.code_id and writer not in self._codes_found:
            self._without_code.setdefault(writer, []).append(attempt)

    def _note_code(self, writer: str, event: Event) -> None:
        """The code that a writer found first, if any, is that of the attempts that it had started before."""
        code = event.get('code')
        if not code:
            return
        self._codes_found.add(writer)
        for attempt in self._without_code.pop(writer, ()):
            attempt.code_id = '' if attempt.cause == REUSED else code
        if event.get('diff'):
            self.diffs[code] = event['diff']

    def _note_pruned(self, event: Event) -> None:
        key = event['run'], event['attempt']
        attempt = self.attempt_of(*key)
        if attempt is None:  # the journal of its writer is read later
            self._pruned[key] = min(event['reason'], self._pruned.get(key, event['reason']))
        else:
            attempt.prune(event['reason'])

    def _note_code_at_start(self, event: Event) -> None:
        key = event['run'], event['attempt']
        self._codes_at_start[key] = event['code_id']
        attempt = self.attempt_of(*key)
        if attempt is not None:
            attempt.code_at_start = event['code_id']

    def replay(self, events: Iterable[tuple[str, Event]], place: Callable[[], str] = str) -> None:
        """Fold recorded events; what cannot be is noted in :attr:`odd` and skipped.

        Args:
            events: Writer and event; their fields are as ``store/events.py`` says.
            place: Where the event stands that was taken last, for :attr:`odd`.
        """
        for writer, event in events:
            try:
                self.fold(writer, event)
            except IllegalMove as error:
                self.odd.append(f'{place() or writer}: {error}')

    def attempt_of(self, run: str, number: int) -> Attempt | None:
        """One attempt, or None while nothing is known of it."""
        history = self.runs.get(run)
        return history.by_number.get(number) if history else None

    def code_of(self, run: str) -> str:
        """The code of the attempt of a run that the table shows; empty: not known."""
        history = self.runs.get(run)
        return history.code_text if history else ''

    def measured_of(self, run: str) -> Measured:
        """What the attempt of a run that the table shows was measured to use."""
        history = self.runs.get(run)
        return history.measured if history else NOTHING_MEASURED

    def room_of(self, attempt: Attempt) -> Mapping[str, Any]:
        """How much room the job of an attempt in a queue had; empty where that is not known."""
        submission = self.submissions.get(attempt.handle['submission']) if attempt.is_in_queue else None
        return submission.room if submission else {}

    def state_of(self, run: str) -> State:
        """The state of a run of the plan."""
        history = self.runs.get(run)
        return history.state if history else State.PLANNED
