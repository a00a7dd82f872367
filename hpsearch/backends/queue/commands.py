"""Running the commands of a batch system.

They run in a thread of their own, one after the other, so that a controller that is slow or down does not block the
dispatcher. Each has a time limit.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult
from hpsearch.host.processes import kill_group_of, start_thread

log = logging.getLogger('hpsearch')

COMMAND_TIMEOUT = 60.0
"""Seconds a command may take."""

SUBMIT_TIMEOUT = 180.0
"""Seconds a submission may take: a busy controller makes submissions wait."""

QUERY_TIMEOUT = 20.0
"""Seconds a single query may take for which the user waits."""

OUTPUT_GRACE = 5.0
"""Seconds to wait for the output of a command that was killed; a process it left behind may keep it open."""

CLOSE_TIMEOUT = 10.0
"""Seconds to wait, when leaving, for commands that were issued just before."""

Receiver = Callable[[CommandResult], None]


class CommandRunner(Protocol):
    """Runs commands in the background."""

    @property
    def pending(self) -> int:
        """Number of commands whose result has not been delivered yet."""

    def run(self, argv: Sequence[str], receive: Receiver, *, stdin: str = '', timeout: float = COMMAND_TIMEOUT) -> None:
        """Run a command later; its result is passed to ``receive`` by :meth:`deliver`."""

    def deliver(self) -> bool:
        """Pass on the results that have come; returns whether there were any."""

    def finish(self, timeout: float) -> None:
        """Wait until all results are delivered, at most ``timeout`` seconds."""


class BackgroundRunner:
    """Runs commands in a thread; results are delivered in the thread that calls :meth:`deliver`.

    Args:
        environment: Their environment.
        poke: Called in the background thread when there is a result.
    """

    def __init__(self, environment: Mapping[str, str], poke: Callable[[], None]) -> None:
        self._environment = dict(environment)
        self._poke = poke
        self._commands: queue.SimpleQueue[tuple[Sequence[str], bytes, float, Receiver]] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Receiver, CommandResult]] = queue.SimpleQueue()
        self._pending = 0
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Number of commands whose result has not been delivered yet."""
        return self._pending

    def run(self, argv: Sequence[str], receive: Receiver, *, stdin: str = '', timeout: float = COMMAND_TIMEOUT) -> None:
        """Run a command later; its result is passed to ``receive`` by :meth:`deliver`."""
        self._pending += 1
        self._commands.put((argv, stdin.encode('utf-8', 'surrogateescape'), timeout, receive))
        self._begin()

    def _begin(self) -> None:
        """Start the thread, once; where none can be started, that is tried again later."""
        try:
            self._thread = self._thread or start_thread(self._work, 'queue commands')
        except OSError as error:
            log.debug('the commands of the queue wait: %s', error)

    def _work(self) -> None:
        while True:
            argv, stdin, timeout, receive = self._commands.get()
            # Jobs inherit the environment of their submission, so only queries get an English locale.
            environment = self._environment if stdin else in_english(self._environment)
            self._results.put((receive, execute(argv, environment, stdin, timeout)))
            self._poke()

    def deliver(self) -> bool:
        """Pass on the results that have come; returns whether there were any."""
        came = False
        if self._pending:
            self._begin()
        while True:
            try:
                receive, result = self._results.get_nowait()
            except queue.Empty:
                return came
            came = True
            self._pending -= 1
            receive(result)

    def finish(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait until all results are delivered, at most ``timeout`` seconds; also those of commands they lead to."""
        end = clock() + timeout
        while self._pending and (left := end - clock()) > 0:
            try:
                receive, result = self._results.get(timeout=left)
            except queue.Empty:
                return
            self._pending -= 1
            receive(result)


def query(system: BatchSystem, argv: Sequence[str], timeout: float = QUERY_TIMEOUT) -> CommandResult:
    """Run a single command of a batch system and wait for it.

    Args:
        system: The batch system.
        argv: The command.
        timeout: Seconds it may take.
    """
    if shutil.which(argv[0]) is None:
        return CommandResult(None, err=f'{argv[0]} is not on PATH here')
    return execute(argv, in_english(system.environment(os.environ)), b'', timeout)


def in_english(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command whose output is parsed: messages might be translated."""
    return {**environment, 'LC_ALL': 'C'}


def execute(argv: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout: float) -> CommandResult:
    """Run a command in a session of its own: Ctrl-C on our terminal must not interrupt a submission.

    Args:
        argv: The command.
        environment: Its whole environment.
        stdin: Its input.
        timeout: Seconds after which it is killed, with the processes it started.
    """
    try:
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as process:
            return _communicate(process, argv[0], stdin, timeout)
    except (OSError, ValueError) as error:
        return CommandResult(None, err=f'{argv[0]} cannot be executed: {getattr(error, "strerror", None) or error}')


def _communicate(process: subprocess.Popen[bytes], program: str, stdin: bytes, timeout: float) -> CommandResult:
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        return _kill(process, f'{program} did not answer within {timeout:g} s')
    except KeyboardInterrupt:
        _kill(process, 'interrupted')
        raise
    return CommandResult(process.returncode, _text(out), _text(err))


def _kill(process: subprocess.Popen[bytes], problem: str) -> CommandResult:
    """Kill a command; its output so far may tell more."""
    kill_group_of(process)
    try:
        out, err = process.communicate(timeout=OUTPUT_GRACE)
    except subprocess.TimeoutExpired:
        return CommandResult(None, err=problem)
    stderr = ' '.join(_text(err).split())
    return CommandResult(None, _text(out), f'{problem}: {stderr}' if stderr else problem)


def _text(data: bytes) -> str:
    return data.decode('utf-8', 'replace')
