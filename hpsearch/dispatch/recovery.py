"""What other writers left behind: attempts that they no longer look after are ended, or prepared for adoption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.peers import OrphanedAttempt, Peers
from hpsearch.model.evidence import Action, JobState
from hpsearch.model.resources import ResourceRequest, Slot
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.store.attempt_files import close_fence
from hpsearch.store.completion import Completion


@dataclass(frozen=True, slots=True)
class Adoption:
    """An attempt that is ours from now on, by the journal; its backend does not know yet.

    Attributes:
        active: The attempt.
        handle: What its backend knows it by.
        age: Seconds since it was started, as far as that is known.
    """

    active: ActiveAttempt
    handle: Mapping[str, Any]
    age: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done with attempts that nobody looked after.

    Attributes:
        adopted: Those that go on.
        ended: Those that have ended, or never will begin.
        problem: Why some could not be looked at, in words, or empty.
    """

    adopted: Sequence[Adoption] = ()
    ended: Sequence[Completion] = ()
    problem: str = ''


class Recovery:
    """Takes care of attempts of other writers.

    Args:
        search: The search.
        peers: The other writers.
        intake: Takes in what ended.
    """

    def __init__(self, search: SearchContext, peers: Peers, intake: Intake) -> None:
        self._search = search
        self._peers = peers
        self._intake = intake

    def step(self, now: float, *, may_judge: bool) -> Recovered:
        """Look for attempts that their writers no longer look after.

        Args:
            now: Monotonic seconds.
            may_judge: Whether this process can write itself; one that cannot declares nobody stale.
        """
        adopted: list[Adoption] = []
        ended: list[Completion] = []
        problem = ''
        try:
            for orphan in self._peers.abandoned(now, may_judge=may_judge):
                run = self._search.folder.find_run(orphan.attempt.run)
                if run is None:
                    continue
                if orphan.action is Action.ADOPT:
                    adopted.append(self._adopt(orphan, run, now))
                else:
                    ended += self._end(orphan, run, now)
                self._peers.note(run.name)
        except OSError as error:
            problem = f'the search folder cannot be read: {error.strerror}'
        return Recovered(adopted, ended, problem)

    def _adopt(self, orphan: OrphanedAttempt, run: Run, now: float) -> Adoption:
        attempt = orphan.attempt
        is_queued = attempt.is_in_queue and attempt.state is not State.RUNNING
        facts = {'queued': True} if is_queued else {}
        generation = attempt.generation + 1
        self._search.recorder.record('adopted', run.name, attempt.number, generation=generation, **facts)
        active = _active(orphan, run, now)
        active.in_queue, active.is_submitted, active.is_running = attempt.is_in_queue, True, not is_queued
        return Adoption(active, self._handle(orphan), orphan.age)

    def _handle(self, orphan: OrphanedAttempt) -> dict[str, Any]:
        """What the backend knows an attempt by, with what is known of its submission."""
        submission = self._search.state.submissions.get(str(orphan.handle.get('submission', '')))
        known = {'at': submission.at, 'throttle': submission.throttle, 'job': submission.job} if submission else {}
        return {**known, **orphan.handle}

    def _end(self, orphan: OrphanedAttempt, run: Run, now: float) -> list[Completion]:
        """Take in the end of an attempt; empty: it may yet begin, since its start fence could not be closed."""
        match orphan.action:
            case Action.FENCE:
                if not self._is_fenced(orphan, now):
                    return []
                status = AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been started')
            case _:
                status = AttemptStatus(JobState.ENDED, orphan.code, orphan.cause, orphan.detail)
        return [self._intake.end(_active(orphan, run, now), status, now)]

    def _is_fenced(self, orphan: OrphanedAttempt, now: float) -> bool:
        paths = self._search.folder.attempt(orphan.attempt.run, orphan.attempt.number)
        return close_fence(paths, self._search.writer) or self._peers.is_torn(orphan.attempt, now)


def _active(orphan: OrphanedAttempt, run: Run, now: float) -> ActiveAttempt:
    attempt = orphan.attempt
    resources = ResourceRequest(alone=attempt.exclusive, alone_on_host=attempt.alone_on_host, memory=attempt.memory)
    launch = Launch(run, attempt.number, orphan.ident, Slot(attempt.gpus), resources)
    return ActiveAttempt(launch, now - orphan.age)
