"""What the end of the shell of an attempt means, and its record."""

from __future__ import annotations

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.host.processes import NOT_OURS
from hpsearch.model.evidence import JobState
from hpsearch.store.attempt_files import FENCED, NO_FORK, exit_code, is_there, read_fence, tail
from hpsearch.store.folder import AttemptPaths

NO_PROCESS = 'no process could be started: the shell of a run could not begin'

_STILLBORN = AttemptStatus(JobState.ENDED, cause='start', detail='its shell could not start it', problem=NO_PROCESS)


def end_of_shell(launch: Launch, paths: AttemptPaths, code: int) -> AttemptStatus:
    """How an attempt stands whose shell has ended.

    Args:
        launch: The attempt.
        paths: Its files.
        code: The status of its shell.

    Raises:
        OSError: A file cannot be read.
    """
    recorded = exit_code(paths)
    if recorded is None and code == FENCED:
        return _not_begun(launch, paths)
    if code < 0:
        killed = '' if code == NOT_OURS else 'the whole process group was killed'
        return AttemptStatus(JobState.ENDED, _raw(code) if recorded is None else recorded, detail=killed)
    if recorded is None and code and NO_FORK.search(tail(paths.stderr)):
        return _STILLBORN
    return AttemptStatus(JobState.ENDED, code)


def _not_begun(launch: Launch, paths: AttemptPaths) -> AttemptStatus:
    """The sh of an attempt left before its command: it starts again if its fence is untouched."""
    if is_there(paths.claim) and not is_there(paths.started):
        return AttemptStatus(JobState.WAITING, problem=NO_PROCESS)
    if read_fence(paths).ident == launch.ident:
        return _STILLBORN
    return AttemptStatus(JobState.ENDED, cause='fenced', detail='the start fence could not be passed')


def _raw(code: int) -> int | None:
    """A status as a shell reports it: 128 + N for signal N."""
    return None if code == NOT_OURS else 128 - code
