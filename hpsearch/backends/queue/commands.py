"""Executing the commands of a queue system.

Commands run in a thread of their own, one after the other: a controller that is slow or away must not stop the
dispatcher. What they answer is for :mod:`hpsearch.backends.queue.poller` and those who make jobs.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hpsearch.backends.queue.batch_system import CommandResult

TIMEOUT = 60.0
"""Seconds a command may take."""

SUBMIT_TIMEOUT = 180.0
"""Seconds a submission may take: a busy controller makes them wait."""

LAST_WORDS = 5.0
"""Seconds what a command printed is waited for after its end; something it left behind may hold its output open."""

GOODBYE = 10.0
"""Seconds that a queue may take, at the end, for what it was asked just before."""


class CommandRunner(Protocol):
    """What executes commands, for those who need them."""

    @property
    def open(self) -> int:
        """How many commands have not been answered, or whose answer has not been taken in."""

    def ask(
        self, words: Sequence[str], then: Callable[[CommandResult], None], *, stdin: str = '', timeout: float = TIMEOUT
    ) -> None:
        """Execute a command some time; ``then`` gets its answer within :meth:`take_in`."""

    def take_in(self) -> bool:
        """Hand out the answers that have come; says whether there were any."""

    def finish(self, patience: float) -> None:
        """Wait until everything that was asked is answered, at most ``patience`` seconds."""


class BackgroundRunner:
    """Executes commands in a thread; their answers are taken in by whoever calls :meth:`take_in`.

    Args:
        environment: What they inherit.
        poke: Called, in that thread, when there is an answer.
    """

    def __init__(self, environment: Mapping[str, str], poke: Callable[[], None]) -> None:
        self._environment = dict(environment)
        self._poke = poke
        self._asked: queue.SimpleQueue[tuple[Sequence[str], bytes, float, Callable[[CommandResult], None]]] = (
            queue.SimpleQueue()
        )
        self._answered: queue.SimpleQueue[tuple[Callable[[CommandResult], None], CommandResult]] = queue.SimpleQueue()
        self._open = 0
        self._thread: threading.Thread | None = None

    @property
    def open(self) -> int:
        """How many commands have not been answered, or whose answer has not been taken in."""
        return self._open

    def ask(
        self, words: Sequence[str], then: Callable[[CommandResult], None], *, stdin: str = '', timeout: float = TIMEOUT
    ) -> None:
        """Execute a command some time; ``then`` gets its answer within :meth:`take_in`."""
        self._open += 1
        self._asked.put((words, stdin.encode('utf-8', 'surrogateescape'), timeout, then))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name='queue commands', daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            words, stdin, timeout, then = self._asked.get()
            # Jobs inherit the environment of their submission, so only the questions are asked in plain English.
            environment = self._environment if stdin else in_english(self._environment)
            self._answered.put((then, execute(words, environment, stdin, timeout)))
            self._poke()

    def take_in(self) -> bool:
        """Hand out the answers that have come; says whether there were any."""
        came = False
        while True:
            try:
                then, answer = self._answered.get_nowait()
            except queue.Empty:
                return came
            came = True
            self._open -= 1
            then(answer)

    def finish(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait until everything that was asked is answered, at most ``patience`` seconds."""
        end = clock() + patience
        while self._open and (left := end - clock()) > 0:
            try:
                then, answer = self._answered.get(timeout=left)
            except queue.Empty:
                return
            self._open -= 1
            then(answer)


def in_english(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command whose answer is to be read: answers may be translated."""
    return {**environment, 'LC_ALL': 'C'}


def execute(words: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout: float) -> CommandResult:
    """Execute a command, in a session of its own: Ctrl-C on our terminal must not end a submission halfway.

    Args:
        words: The command.
        environment: All it gets.
        stdin: What it reads.
        timeout: Seconds after which it and what it started are ended.
    """
    try:
        with subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as process:
            return _talk(process, words[0], stdin, timeout)
    except (OSError, ValueError) as error:
        return CommandResult(None, err=f'{words[0]} cannot be executed: {getattr(error, "strerror", None) or error}')


def _talk(process: subprocess.Popen[bytes], program: str, stdin: bytes, timeout: float) -> CommandResult:
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        return _end(process, f'{program} did not answer within {timeout:g} s')
    return CommandResult(process.returncode, _text(out), _text(err))


def _end(process: subprocess.Popen[bytes], problem: str) -> CommandResult:
    """End a command; what it printed until then may tell more."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended just now
    try:
        out, err = process.communicate(timeout=LAST_WORDS)
    except subprocess.TimeoutExpired:
        return CommandResult(None, err=problem)
    words = ' '.join(_text(err).split())
    return CommandResult(None, _text(out), f'{problem}: {words}' if words else problem)


def _text(data: bytes) -> str:
    return data.decode('utf-8', 'replace')
