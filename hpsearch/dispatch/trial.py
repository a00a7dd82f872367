"""One run in the foreground, to see whether a configuration is right; no search knows of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from hpsearch.host.processes import kill_group_of, signal_group_of_child
from hpsearch.model.configuration import Configuration
from hpsearch.model.logs.failures import error_in_logs
from hpsearch.model.run import Run, Summary
from hpsearch.model.verdict import Verdict, judge
from hpsearch.results.missing import found_instead
from hpsearch.results.rules import ORION
from hpsearch.results.summary import read_summary
from hpsearch.store.attempt_files import environment, tail, write_inputs
from hpsearch.store.folder import SearchFolder

GRACE = 10.0
"""Seconds between TERM and KILL when a user ends it."""

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Trial:
    """How a run ended that was tried.

    Attributes:
        verdict: What a search would say of it.
        summary: Its result.
        seconds: How long it ran.
    """

    verdict: Verdict
    summary: Summary
    seconds: float


def try_run(
    run: Run, configuration: Configuration, folder: SearchFolder, cwd: str, show: Callable[[str, bytes], None]
) -> Trial:
    """Execute a run and judge it as a search would.

    Args:
        run: The run.
        configuration: That of the search.
        folder: An empty search folder; the output folder of the run and its logs go there.
        cwd: Its working directory.
        show: Gets ``stdout`` or ``stderr`` and what was printed there, as it comes, from two threads.

    Raises:
        OSError: It cannot be started.
        KeyboardInterrupt: The user ended it; nothing of it is left.
    """
    paths = folder.attempt(run.name, 1)
    os.makedirs(paths.folder)
    write_inputs(folder, run, 1, configuration)
    if configuration.make_out_dir:
        os.makedirs(folder.output(run.name))
    began = time.monotonic()
    code = _executed(run, folder, cwd, {'stdout': paths.stdout, 'stderr': paths.stderr}, show)
    seconds = time.monotonic() - began
    logs = {'stdout': Path(paths.stdout), 'stderr': Path(paths.stderr), ORION: Path(paths.orion_results)}
    summary = read_summary(folder.output(run.name), configuration, run.number, logs)
    error = error_in_logs(tail(paths.stderr), tail(paths.stdout)) if code else ''
    filename = configuration.summary_filename
    instead = found_instead(folder.output(run.name), filename) if filename and code == 0 and not summary.found else ''
    verdict = judge(code, '', instead, summary, wants_summary=configuration.wants_result, error=error)
    return Trial(verdict, summary, seconds)


def _executed(
    run: Run, folder: SearchFolder, cwd: str, logs: dict[str, str], show: Callable[[str, bytes], None]
) -> int:
    """The raw exit status."""
    child = subprocess.Popen(
        run.argv,
        cwd=cwd,
        env={**os.environ, **environment(folder, run.name, 1, None)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    pipes = {'stdout': child.stdout, 'stderr': child.stderr}
    copies = [Thread(target=_copy, args=(name, pipes[name], logs[name], show)) for name in logs]
    try:
        for thread in copies:
            thread.start()
        code = child.wait()
    except BaseException:
        _end(child)
        raise
    finally:
        for thread in copies:
            thread.join()
    return code if code >= 0 else 128 - code


def _copy(name: str, pipe: IO[bytes] | None, path: str, show: Callable[[str, bytes], None]) -> None:
    assert pipe is not None
    with open(path, 'wb') as log:
        while chunk := os.read(pipe.fileno(), _CHUNK):
            log.write(chunk)
            log.flush()
            show(name, chunk)


def _end(child: subprocess.Popen[bytes]) -> None:
    signal_group_of_child(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        kill_group_of(child)
        child.wait()
