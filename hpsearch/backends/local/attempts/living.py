"""Which processes of attempts live, wherever they have gone: those with their marks, and those in their sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from hpsearch.backends.local.attempts.process import AttemptProcess
from hpsearch.host.processes import Process, sessions, start_ticks
from hpsearch.store.attempt_files import attempt_processes, exit_code
from hpsearch.store.folder import SearchFolder


def marked(folder: SearchFolder, keys: Collection[tuple[str, str]]) -> list[Process]:
    """Processes that carry the marks of attempts, wherever they have gone; ``keys``: runs with numbers."""
    return [process for process, key in attempt_processes(folder).items() if key in keys]


def living_of(folder: SearchFolder, processes: Sequence[AttemptProcess]) -> list[Process]:
    """What belongs to attempts: processes with their marks, and all in the session of their sh."""
    with_marks = marked(folder, {process.key for process in processes})
    found = sessions()
    own = [found[each.pid] for each in processes if each.pid in found and each.owns(found[each.pid], with_marks)]
    return list({*with_marks, *chain.from_iterable(own)})


def goes_on(folder: SearchFolder, process: AttemptProcess) -> bool:
    """Whether an attempt is alive without its sh: a process with its marks, or one in the session of its sh.

    Raises:
        OSError: Its record cannot be read.
    """
    if process.is_cancelled:
        return bool(living_of(folder, [process]))
    launch = process.launch
    if exit_code(folder.attempt(launch.run.name, launch.number)) is not None:
        return False
    is_left = not start_ticks(process.pid) and process.pid in sessions()
    return is_left or bool(marked(folder, {process.key}))


def oldest_first(processes: Iterable[Process]) -> list[Process]:
    """So that no shell goes on with its next command because the one it waits for was ended before it."""
    return sorted(processes, key=lambda each: (each.started, each.pid))
