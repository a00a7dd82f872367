"""The one fold that turns events into the state of a search.

The fold is used live and on replay. Events of one writer come in their order; how the journals of several writers
interleave does not matter: an attempt takes the furthest state that any writer reported, and two reports of its end
are settled by :data:`hpsearch.model.states.END_ORDER`, never by time stamps, since hosts share no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hpsearch.model.control.requests import Admission
from hpsearch.model.errors import IllegalMove
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.submission import Submission
from hpsearch.model.states import ATTEMPT_EVENTS, ENDED, REUSED, Event, State
from hpsearch.model.trials.curves import Curves
from hpsearch.model.trials.suggestion import Suggestion, suggestion_of
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured


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
        leaving: Writers that have said that they start no more runs.
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
        self.leaving: set[str] = set()
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
        attempt = self.attempt_of(event['run'], event['attempt']) if event['event'] in ATTEMPT_EVENTS else None
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
        if event['event'] not in ATTEMPT_EVENTS:
            self._note(writer, event)
            return
        history = self._history(event['run'])
        attempt = history.by_number.get(event['attempt']) or self._begin(history, event['attempt'])
        had_ended = attempt.state in ENDED
        attempt.apply(writer, event)
        if event['event'] == 'claimed':
            self._note_claim(writer, attempt)
        if not had_ended and (attempt.node or attempt.gpus):
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
            case 'stop' | 'draining' | 'stopping':
                self._note_stop(writer, event)
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

    def _note_stop(self, writer: str, event: Event) -> None:
        """A writer asks all others to stop, or begins to stop."""
        if event['event'] == 'stop':
            self.stops.append((writer, event))
        else:
            self.leaving.add(writer)

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
