"""A backend whose attempts report a loss at each step, go on for some steps, and end when they are asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hpsearch.backends.base import AttemptStatus, Launch, LaunchResult
from hpsearch.model.evidence import JobState
from hpsearch.model.trials.curves import Points
from tests.fakes.instant_backend import InstantBackend
from tests.support.dispatching import Desk


class ReportingBackend(InstantBackend):
    """Attempts that make one step while the dispatcher waits; one of a run that has reported before goes on from there.

    Attributes:
        told: What happened, in order, e.g. ``sim_1/1 starts`` or ``sim_1/1 ends at 3``.

    Args:
        desk: The search.
        loss: From the number of a run and the step to what it reports.
        steps: The last step.
        slots: How many may be under way.
        asked: The status of those that are asked to end.
    """

    def __init__(
        self, desk: Desk, loss: Callable[[int, int], float], steps: int = 9, slots: int = 1, asked: int = 143
    ) -> None:
        super().__init__(desk.clock, slots)
        self.told: list[str] = []
        self._desk = desk
        self._loss = loss
        self._steps = steps
        self._asked = asked
        self._codes: dict[str, int] = {}

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        """Start them."""
        launches = list(launches)
        self.told += [f'{launch.run.name}/{launch.number} starts' for launch in launches]
        for launch in launches:
            Path(self._desk.folder.attempt(launch.run.name, launch.number).stderr).touch()
        return super().start(launches, now)

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """Those that were cancelled, or made all their steps, have ended."""
        found = {ident: AttemptStatus(JobState.RUNNING) for ident in self._held}
        for ident, code in self._codes.items():
            del self._held[ident]
            found[ident] = AttemptStatus(JobState.ENDED, code=code)
        self._codes = {}
        return found

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """End them, at once."""
        self.cancelled.append((len(idents), force))
        for ident in idents:
            if ident in self._held and ident not in self._codes:
                self._end(ident, self._asked)

    def wait(self, timeout: float) -> None:
        """Make a step."""
        super().wait(timeout)
        for ident, launch in self._held.items():
            if ident not in self._codes:
                self._make_step(ident, launch)

    def _make_step(self, ident: str, launch: Launch) -> None:
        step = int(max(self._points(launch), default=0)) + 1
        points = [[step, {'loss': self._loss(launch.run.number, step)}]]
        self._desk.recorder.record('reported', launch.run.name, launch.number, points=points)
        if step == self._steps:
            self._end(ident, 0)

    def _points(self, launch: Launch) -> Points:
        return self._desk.state.curves.of(launch.run.name)

    def _end(self, ident: str, code: int) -> None:
        launch = self._held[ident]
        Path(self._desk.folder.attempt(launch.run.name, launch.number).exit).write_text(f'{code}\n')
        self.told.append(f'{launch.run.name}/{launch.number} ends at {max(self._points(launch), default=0)}')
        self._codes[ident] = code
