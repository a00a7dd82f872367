"""The shells of attempts are started; what cannot be started now is tried again after pauses."""

from __future__ import annotations

import os
from collections.abc import Collection

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.host.kernel import command_limits
from hpsearch.host.niceness import Niceness
from hpsearch.host.processes import Process, spawn, start_ticks
from hpsearch.model.command import why_no_command
from hpsearch.model.errors import is_of_machine, trouble_in_words
from hpsearch.model.evidence import JobState
from hpsearch.model.retries import Pauses
from hpsearch.model.usage.threads import THREAD_VARIABLES, thread_variables, variables_set_by
from hpsearch.store.attempt_files import LOCAL_SCRIPT, environment
from hpsearch.store.folder import SearchFolder

PAUSE = 1.0
"""Seconds until it is tried again to start a process, at first."""

LONGEST_PAUSE = 60.0
"""The same at most."""

_NOT_STARTED = AttemptStatus(JobState.ENDED, cause='start', detail='it had not been started')


class Spawner:
    """Starts the shells of attempts.

    Args:
        folder: The search.
        cwd: Working directory of the attempts.
        niceness: That of the attempts.
    """

    def __init__(self, folder: SearchFolder, cwd: str, niceness: Niceness) -> None:
        self._folder = folder
        self._cwd = cwd
        self._niceness = niceness
        self._pauses = Pauses(PAUSE, LONGEST_PAUSE)
        self._given_up: dict[str, AttemptStatus] = {}
        self._inherited = dict(os.environb)
        self._set_by_user = {name for name in THREAD_VARIABLES if os.environ.get(name)}

    @property
    def problem(self) -> str:
        """Why no process can be started now, in words; empty: one can, as far as is known."""
        return self._pauses.problem

    def fail(self, problem: str, now: float) -> None:
        """A shell could not begin."""
        self._pauses.fail(problem, now)

    def succeed(self) -> None:
        """A shell has done its work."""
        self._pauses.succeed()

    def start(self, launch: Launch, now: float) -> Process | None:
        """Start the shell of an attempt; None: that is not possible now, or never (:meth:`given_up`)."""
        if not self._pauses.is_over(now):
            return None
        try:
            pid = self._spawn(launch)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and is_of_machine(error):
                self._pauses.fail(f'no process could be started: {error.strerror}', now)
            else:
                why = self._why_impossible(launch, error)
                self._given_up[launch.ident] = AttemptStatus(JobState.ENDED, cause='impossible', detail=why)
            return None
        return Process(pid, start_ticks(pid))

    def give_up(self, idents: Collection[str]) -> None:
        """These attempts, which wait to be started, never are."""
        self._given_up.update(dict.fromkeys(idents, _NOT_STARTED))

    def given_up(self, ident: str) -> AttemptStatus | None:
        """How an attempt ended that is never started, which is told once; None: it may be."""
        return self._given_up.pop(ident, None)

    def _spawn(self, launch: Launch) -> int:
        run = launch.run
        paths = self._folder.attempt(run.name, launch.number)
        extra = environment(self._folder, run.name, launch.number, launch.slot.visible_devices, launch.slot.variable)
        extra |= thread_variables(launch.slot.threads, variables_set_by(run.argv) | self._set_by_user)
        shell = (*self._niceness.words, '/bin/sh', '-c', LOCAL_SCRIPT)
        argv = (*shell, 'hpsearch', paths.folder, launch.ident, self._cwd, *launch.words)
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in extra.items()}
        return spawn(argv, {**self._inherited, **encoded}, paths.stdout, paths.stderr)

    def _why_impossible(self, launch: Launch, error: OSError | ValueError) -> str:
        """Why an attempt can never be started, in words; asked only then, since the kernel knows best what it takes."""
        why = why_no_command(launch.words, command_limits(self._inherited))
        return why or f'it cannot be started: {trouble_in_words(error) if isinstance(error, OSError) else error}'
