"""The two ways in which the runs of a search get executed: as attempts of ours, or by pilots that start their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from hpsearch.backends.base import AttemptBackend, Backend, PilotBackend, Workload
from hpsearch.dispatch.active_attempts import ActiveAttempts
from hpsearch.dispatch.admission import Admission, Admitted, why_waiting
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.intake import Listener, News
from hpsearch.dispatch.recovery import Recovered, Recovery
from hpsearch.store.completion import Completion


class Strategy(Protocol):
    """What the loop does with runs; every decision comes back as a value."""

    @property
    def backend(self) -> Backend:
        """Where they execute."""

    @property
    def attempts(self) -> Collection[ActiveAttempt]:
        """The attempts of ours that are under way."""

    def listen(self, now: float) -> News:
        """Take in what other writers report."""

    def collect(self, now: float) -> Sequence[Completion]:
        """Take in what became of attempts or jobs; returns the attempts that ended."""

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """Take care of what other writers left behind."""

    def admit(self, now: float) -> Admitted:
        """Start what may be started."""

    def cancel(self, why: str) -> None:
        """Ask everything to end."""

    def kill(self) -> None:
        """Kill everything."""


class AttemptStrategy:
    """Starts an attempt for each run, and looks after it.

    Args:
        search: The search.
        backend: Where they execute.
        active: The attempts that are under way.
        admission: Starts them.
        listener: Reads what other writers report.
        recovery: Takes care of what they left behind.
        lock: Held while runs are placed on this host; entering it says whether it was acquired in time.
    """

    def __init__(
        self,
        search: SearchContext,
        backend: AttemptBackend,
        active: ActiveAttempts,
        admission: Admission,
        listener: Listener,
        recovery: Recovery,
        lock: Callable[[], AbstractContextManager[bool]],
    ) -> None:
        self.backend: Backend = backend
        self._pending = search.pending
        self._active = active
        self._admission = admission
        self._listener = listener
        self._recovery = recovery
        self._lock = lock

    @property
    def attempts(self) -> Collection[ActiveAttempt]:
        """The attempts that are under way."""
        return self._active.attempts

    def listen(self, now: float) -> News:
        """Take in what other writers report, and release what they have adopted."""
        news = self._listener.listen(now)
        for run, number in news.taken_over:
            self._active.release(run, number)
        return news

    def collect(self, now: float) -> Sequence[Completion]:
        """Take in what became of the attempts."""
        return self._active.collect(now)

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """Take care of what other writers left behind, and adopt what still runs."""
        recovered = self._recovery.step(now, may_judge=may_judge)
        for adoption in recovered.adopted:
            self._active.adopt(adoption, now)
        return recovered

    def admit(self, now: float) -> Admitted:
        """Fill the slots that are open; other dispatchers on this host are kept from choosing the same ones."""
        with self._lock() as is_ours:
            if not is_ours:
                return Admitted(waiting='another hpsearch on this host is placing runs')
            news = self.listen(now)
            if news.stops or news.problem or not self._pending:
                return Admitted(problem=news.problem, news=news)
            return replace(self._admission.fill(now), news=news)

    def cancel(self, why: str) -> None:
        """Ask all attempts to end."""
        self._active.cancel(why)

    def kill(self) -> None:
        """Kill all attempts."""
        self._active.kill()


class PilotStrategy:
    """Keeps as many pilots at work as are wanted; what they do is in their own journals.

    Args:
        search: The search.
        backend: Their jobs.
        listener: Reads what they, and other writers, report.
        recovery: Takes care of what they left behind.
    """

    def __init__(self, search: SearchContext, backend: PilotBackend, listener: Listener, recovery: Recovery) -> None:
        self.backend: Backend = backend
        self.attempts: Collection[ActiveAttempt] = ()
        self._search = search
        self._pilots = backend
        self._listener = listener
        self._recovery = recovery

    def listen(self, now: float) -> News:
        """Take in what pilots and other writers report."""
        return self._listener.listen(now)

    def collect(self, now: float) -> Sequence[Completion]:
        """Take in what became of the pilots; no attempts are ours."""
        self._pilots.step(self._workload(), now)
        return ()

    def recover(self, now: float, *, may_judge: bool) -> Recovered:
        """Take care of what pilots left behind."""
        return self._recovery.step(now, may_judge=may_judge)

    def admit(self, now: float) -> Admitted:
        """Submit the pilots that are missing."""
        placement = self._pilots.keep(self._workload(), now)
        waiting = why_waiting(placement)
        return Admitted(waiting=waiting, refused=placement.waiting if placement.is_final else '')

    def _workload(self) -> Workload:
        return Workload(self._search.pending.waiting, self._search.recorder.state.started)

    def cancel(self, why: str) -> None:
        """Ask the pilots to end: they end their runs."""
        self._pilots.cancel(force=False)

    def kill(self) -> None:
        """Kill the pilots."""
        self._pilots.cancel(force=True)
