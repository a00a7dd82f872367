"""Runs that were started lately on this host, by every hpsearch of every user, and the lock on choosing places.

It takes a while until a run can be seen in the readings of its GPU, and longer until it uses all that it will. Until
then a file in a folder that all share says that it was started, and what it is expected to take.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.host.kernel import Host, this_host
from hpsearch.host.processes import Process, presence, user_name
from hpsearch.host.shared_folder import SharedFile, SharedFolder, facts_in
from hpsearch.model.evidence import ProcessState
from hpsearch.model.resources import OtherStart
from hpsearch.model.usage.estimate import NOTHING_EXPECTED, Estimate, Guess

LONGEST_DELAY = 600.0
"""Seconds for which a start counts at most, whatever is said of it."""

SHORTEST_DELAY = 2.0
"""The same at least: with any shorter delay, there may be no reading since the start."""

_PREFIX = 'start-'


@dataclass(frozen=True, slots=True)
class Start:
    """What the file of a start says.

    Attributes:
        gpus: UUIDs of its GPUs; empty: it has none.
        pid: Of the run.
        ticks: When that process started (see :func:`start_ticks`).
        boot: Id of the boot of this host.
        namespace: In which the pid counts.
        at: When the run was started, in monotonic seconds, which all processes of a host share.
        delay: Seconds until its use of the machine can be read.
        memory: MiB that it is expected to take on each of its GPUs; None, here and below: not known.
        load: The load (0-1) that it is expected to put on each of them.
        host_memory: MiB of host memory that it is expected to take.
        cpu: Cores that it is expected to keep busy.
    """

    gpus: tuple[str, ...]
    pid: int
    ticks: str
    boot: str
    namespace: str
    at: float
    delay: float
    memory: int | None = None
    load: float | None = None
    host_memory: int | None = None
    cpu: float | None = None

    def counts(self, host: Host, now: float) -> bool:
        """Whether others have to wait for it, as long as its process is not known to be gone."""
        return self.boot == host.boot and 0 <= now - self.at < min(self.delay, LONGEST_DELAY)


class GpuStarts:
    """The starts of others, and our own for them. Where the folder cannot be used there are none, which is said once.

    Attributes:
        folder: Where they are.

    Args:
        clock: Monotonic seconds, of the clock that all processes of this host have.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.folder = SharedFolder(clock, sleep)
        self._clock = clock
        self._host = this_host()
        self._own: dict[str, str] = {}

    def lock(self) -> AbstractContextManager[bool]:
        """To be held while places are chosen and runs are started there; see :meth:`SharedFolder.lock`."""
        return self.folder.lock()

    def note(
        self, ident: str, gpus: Sequence[str], process: Process, delay: float, expects: Estimate = NOTHING_EXPECTED
    ) -> None:
        """Tell every other hpsearch that a run was started now.

        Args:
            ident: Id of its attempt.
            gpus: UUIDs of its GPUs.
            process: Its process.
            delay: Seconds until its use of the machine can be read, as far as that is known.
            expects: What it is expected to take.
        """
        self.forget(ident)
        where = self._host.boot, self._host.namespace
        limited = min(max(SHORTEST_DELAY, float(delay)), LONGEST_DELAY)
        start = Start(
            *(tuple(gpus), process.pid, process.ticks, *where, self._clock(), limited),
            memory=_not_exceeded(expects.memory),
            load=_expected(expects.load),
            host_memory=_not_exceeded(expects.host_memory),
            cpu=_expected(expects.cpu),
        )
        self._own[ident] = self.folder.add(_PREFIX, json.dumps(asdict(start)))

    def forget(self, ident: str) -> None:
        """A run has ended, or uses all that it will, so that the machine is as it seems."""
        name = self._own.pop(ident, None)
        if name is not None:
            self.folder.remove([name])

    def others(self) -> Sequence[OtherStart]:
        """The starts of others that count; files of this user that do not are removed."""
        files = [(file, parse_start(file.text)) for file in self.folder.files(_PREFIX)]
        over = {file.name for file, start in files if self._is_over(file, start)}
        self.folder.remove([file.name for file, _ in files if file.name in over and file.is_ours])
        known = over.union(self._own.values())
        return [self._as_other(start, file.owner) for file, start in files if start and file.name not in known]

    def _is_over(self, file: SharedFile, start: Start | None) -> bool:
        """Whether a file says nothing any more; one that cannot be read may just be written."""
        if start is None:
            return time.time() - file.modified > LONGEST_DELAY
        is_gone = self._is_here(start) and presence(start.pid, start.ticks) is ProcessState.GONE
        return is_gone or not start.counts(self._host, self._clock())

    def _is_here(self, start: Start) -> bool:
        """Whether its pid means something to us."""
        return start.namespace == self._host.namespace

    def _as_other(self, start: Start, owner: int) -> OtherStart:
        return OtherStart(
            start.gpus,
            start.at,
            min(start.delay, LONGEST_DELAY),
            f'user {user_name(owner)}, pid {start.pid}',
            pid=start.pid if self._is_here(start) else None,
            memory=start.memory,
            load=start.load,
            host_memory=start.host_memory,
            cpu=start.cpu,
            is_own_user=owner == os.geteuid(),
        )


def _not_exceeded(guess: Guess | None) -> int | None:
    """In whole MiB."""
    return math.ceil(guess.high) if guess is not None and math.isfinite(guess.high) else None


def _expected(guess: Guess | None) -> float | None:
    return float(guess.expected) if guess is not None and math.isfinite(guess.expected) else None


# The file of a start


def parse_start(text: bytes) -> Start | None:
    """What somebody wrote of a start; None: it is nothing that hpsearch writes."""
    said = facts_in(text, _KINDS)
    if said is None:
        return None
    gpus, numbers = said['gpus'], (said['at'], said['delay'])
    if not all(isinstance(gpu, str) for gpu in gpus) or not all(math.isfinite(number) for number in numbers):
        return None
    known = {name: said[name] for name in _KINDS}
    return Start(**{**known, 'gpus': tuple(gpus)}, **{name: _amount(said.get(name), kind) for name, kind in _TAKES})


_KINDS = {'gpus': list, 'pid': int, 'ticks': str, 'boot': str, 'namespace': str, 'at': float, 'delay': float}

# An earlier version, which wrote none of these, ignores them.
_TAKES: Sequence[tuple[str, type]] = (('memory', int), ('load', float), ('host_memory', int), ('cpu', float))


def _amount(said: object, kind: type) -> Any:
    """An amount that somebody wrote; what nobody can take is not known: it would make room that there is not."""
    is_amount = type(said) is kind and isinstance(said, int | float) and 0 <= said < math.inf
    return said if is_amount else None
