"""Results of earlier searches that need no second run: those of identical commands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.dispatch.context import EventRecorder
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.model.states import REUSED, State
from hpsearch.space.identity import identity_of
from hpsearch.store.attempt_files import claim
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state


@dataclass(frozen=True, slots=True)
class Reused:
    """A result that is there already: the search it is from, the name of its run there, the attempt that finished."""

    folder: Path
    run: str
    attempt: Attempt


def reusable(folders: Sequence[SearchFolder], keywords: Collection[str] = ()) -> Mapping[bytes, Reused]:
    """The finished results of earlier searches; these may have been killed, and are only read.

    Args:
        folders: Of two that have the same result the first one counts.
        keywords: Results without all of these keywords are not taken.

    Returns:
        :meth:`Identity.key_of` of a run to its result.

    Raises:
        SearchFolderError: A folder is not a search or cannot be read.
        JournalError: A journal cannot be read.
    """
    found: dict[bytes, Reused] = {}
    wanted = frozenset(keywords)
    for folder in folders:
        try:
            for key, result in _results_of(folder):
                if wanted <= result.attempt.summary.keys():
                    found.setdefault(key, result)
        except OSError as error:
            raise SearchFolderError(f'{folder.path} cannot be read: {error.strerror or error}.') from error
    return found


def _results_of(folder: SearchFolder) -> Iterator[tuple[bytes, Reused]]:
    recognise = identity_of(folder).key_of
    finished = _finished(folder)
    # A search that was killed before its plan was made has nothing to offer, and is no error.
    for run in folder.read_runs() if finished else ():
        attempt = finished.get(run.name)
        if attempt is not None:
            yield recognise(run), Reused(folder.path, run.name, attempt)


def _finished(folder: SearchFolder) -> dict[str, Attempt]:
    histories = read_state(folder).runs.values()
    deciding = ((history.name, history.deciding) for history in histories if history.state is State.FINISHED)
    return {name: attempt for name, attempt in deciding if attempt is not None}


def reuse_results(
    folder: SearchFolder, earlier: Sequence[str], keywords: Collection[str], recorder: EventRecorder
) -> int:
    """Take finished results of identical commands from earlier searches instead of running them again.

    Returns:
        How many were taken; results without all of ``keywords`` are not.

    Raises:
        SearchFolderError: One of the folders is no search, or cannot be read.
    """
    found = reusable([SearchFolder(path) for path in earlier], keywords)
    recognise = identity_of(folder)
    return take_results(folder, lambda run: found.get(recognise.key_of(run)), recorder)


def take_results(folder: SearchFolder, result_of: Callable[[Run], Reused | None], recorder: EventRecorder) -> int:
    """Take results instead of running their runs; returns how many were taken.

    Args:
        folder: The search.
        result_of: The result of a run that is there already; None: there is none.
        recorder: Writes the events.
    """
    taken = 0
    for run in folder.read_runs():
        result = result_of(run)
        if result is None or _is_settled(run, recorder.state) or not claim(folder, run.name, 1, recorder.writer):
            continue
        taken += 1
        _record(run, result, recorder)
    return taken


def _is_settled(run: Run, state: SearchState) -> bool:
    return run.name in state.runs or run.name in state.withdrawn


def _record(run: Run, result: Reused, recorder: EventRecorder) -> None:
    code = result.attempt.code_at_start or result.attempt.code_id
    recorder.record('claimed', run.name, 1, gpus=[], **({'code_id': code} if code else {}))
    recorder.record(
        'ended',
        run.name,
        1,
        state=State.FINISHED.value,
        cause=REUSED,
        reason=f'reused from {result.folder / result.run}',
        summary=dict(result.attempt.summary),
        seconds=result.attempt.seconds,
    )
