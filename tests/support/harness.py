"""What tests of real attempts share: a search folder with runs, and waiting for what must come."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hpsearch.arguments.style import words_of
from hpsearch.backends.base import AttemptBackend, AttemptStatus, Launch
from hpsearch.model.configuration import Params
from hpsearch.model.evidence import JobState
from hpsearch.model.resources import Slot
from hpsearch.model.run import Run
from hpsearch.store.attempt_files import attempt_id, attempt_processes, claim, marks
from hpsearch.store.folder import SearchFolder

T = TypeVar('T')

PATIENCE = 30.0


def until(look: Callable[[], T], patience: float = PATIENCE) -> T:
    """Look again and again until there is something; tells what was seen last when time is over."""
    end = time.monotonic() + patience
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f'nothing came within {patience} s; last seen: {seen!r}')
        time.sleep(0.01)
    return seen


def new_folder(path: Path) -> SearchFolder:
    """An empty search folder."""
    folder = SearchFolder(path)
    folder.path.mkdir(exist_ok=True)
    folder.jobs_dir.mkdir()
    return folder


def launch(folder: SearchFolder, name: str, *argv: str, number: int = 1, writer: str = 'w') -> Launch:
    """A claimed attempt."""
    assert claim(folder, name, number, writer)
    run = Run(name, int(name.rsplit('_', 1)[-1]), {}, argv)
    return Launch(run, number, attempt_id(writer, name, number), Slot())


def python(code: str) -> tuple[str, ...]:
    """The words that run some Python."""
    return (sys.executable, '-c', code)


def shell(code: str) -> tuple[str, ...]:
    """The words that run some shell."""
    return ('sh', '-c', code)


def ends(
    backend: AttemptBackend, idents: Sequence[str], patience: float = PATIENCE, pause: float = 0.2
) -> dict[str, AttemptStatus]:
    """Wait until these attempts have ended, as the dispatcher does, for ``pause`` seconds at most between two looks."""
    ended: dict[str, AttemptStatus] = {}
    limit = time.monotonic() + patience
    while len(ended) < len(idents):
        for ident, status in backend.states(time.monotonic()).items():
            if status.kind is JobState.ENDED:
                assert ident not in ended, 'an end is told once'
                ended[ident] = status
        if time.monotonic() > limit:
            raise AssertionError(f'ended within {patience} s: only {sorted(ended)} of {sorted(idents)}')
        if len(ended) < len(idents):
            backend.wait(pause)
    return ended


def start(backend: AttemptBackend, *launches: Launch) -> list[str]:
    """Start attempts that must start; returns their ids."""
    started = backend.start(launches, time.monotonic())
    assert [one.problem for one in started] == [''] * len(launches)
    return [one.ident for one in started]


def option_words(params: Params) -> list[str]:
    """The words of all options of a run, in the default style."""
    return [text for option, value in params.items() for text in words_of(option, value)]


@contextmanager
def marked_process(folder: SearchFolder, run: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the marks of the first attempt of a run, which can be found by them."""
    with subprocess.Popen(['sleep', '600'], env={**os.environ, **marks(folder, run, 1)}) as process:
        until(lambda: attempt_processes(folder))  # its environment is empty until the program is executed
        yield process
        process.kill()
