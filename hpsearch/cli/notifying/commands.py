"""Commands that tell somebody: each is started once, in the background, with a time limit, and its output is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hpsearch.model.errors import trouble_in_words

TIME_LIMIT = 60.0
"""Seconds that a command may take."""

GLANCE = 0.02
"""Seconds between two looks at commands that are waited for."""


@dataclass(frozen=True)
class Started:
    """A command that was started.

    Attributes:
        option: Which one it is, with dashes.
        process: It, in a session of its own.
        output: The file with what it printed.
        deadline: Until when it may run, in monotonic seconds.
    """

    option: str
    process: subprocess.Popen[bytes]
    output: Path
    deadline: float


class Commands:
    """Starts commands and looks after them; none of them is waited for until :meth:`finish`."""

    def __init__(self) -> None:
        self._started: list[Started] = []

    def start(
        self,
        option: str,
        words: Sequence[str],
        facts: Mapping[str, Any],
        environment: Mapping[str, str],
        output: Path,
        now: float,
    ) -> str:
        """Start a command, unless somebody has made its output file before, who has told the same then.

        Args:
            option: Which one it is, with dashes.
            words: Of the command; no shell sees them.
            facts: What it reads as JSON.
            environment: Variables that it gets beside ours.
            output: The file for what it prints, which only one process can make.
            now: Monotonic seconds.

        Returns:
            What went wrong, in words; empty: nothing.
        """
        try:
            kept = _made_alone(output)
        except FileExistsError:
            return ''
        except OSError as error:
            return f'{option}: nobody was told: {trouble_in_words(error)}'
        try:
            with kept, tempfile.TemporaryFile() as told:
                told.write(json.dumps(facts, ensure_ascii=True, allow_nan=False).encode() + b'\n')
                told.seek(0)
                process = _process(words, told, kept, {**os.environ, **environment})
        except (OSError, ValueError) as error:
            return f'{option}: {words[0]} could not be started: {getattr(error, "strerror", None) or error}'
        self._started.append(Started(option, process, output, now + TIME_LIMIT))
        return ''

    def poll(self, now: float) -> Iterator[str]:
        """What went wrong with the commands that have ended, in words; one that takes too long is ended."""
        for each in list(self._started):
            if each.process.poll() is None and now >= each.deadline:
                _kill(each)
            if each.process.returncode is not None:
                self._started.remove(each)
                yield from _problem_of(each, now)

    def finish(
        self,
        clock: Callable[[], float],
        is_stopped: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[str]:
        """Wait for those that have not ended; a stop ends them instead. Yields what :meth:`poll` does.

        Args:
            clock: Monotonic seconds.
            is_stopped: Whether somebody does not want to wait any more.
            sleep: Waits for so many seconds.
        """
        while any(each.process.poll() is None for each in self._started) and not is_stopped():
            if clock() >= max(each.deadline for each in self._started):
                break
            sleep(GLANCE)
        yield from self.poll(max([clock(), *(each.deadline for each in self._started)]))


def _made_alone(path: Path) -> IO[bytes]:
    """A file that was not there.

    Raises:
        FileExistsError: It was there.
    """
    with suppress(FileExistsError):  # a file there is found below
        path.parent.mkdir()
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), 'wb')


def _process(
    words: Sequence[str], told: IO[bytes], kept: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, stdin=told, stdout=kept, stderr=kept, env=environment, start_new_session=True, close_fds=True
    )


def _kill(started: Started) -> None:
    """End a command and what it has started."""
    with suppress(ProcessLookupError, PermissionError):  # it has just ended
        os.killpg(started.process.pid, signal.SIGKILL)
    started.process.wait()


def _problem_of(started: Started, now: float) -> Iterator[str]:
    code = started.process.returncode
    if code == -signal.SIGKILL and now >= started.deadline:
        yield f'{started.option} was ended: it took more than {TIME_LIMIT:.0f} s, or Ctrl-C; see {started.output}'
    elif code:
        how = f'with status {code}' if code > 0 else f'by signal {-code}'
        yield f'{started.option} ended {how}, so perhaps nobody was told; see {started.output}'
