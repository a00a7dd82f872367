"""Results of earlier searches that need no second run: those of identical commands.

Two commands are identical when they run the same program in the same working directory with the same set of option
words. The order of options, the output folder and the interpreter of a Python script do not matter; ``1``, ``1.0``
and ``True`` differ, as they do for the script.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.attempt import claim
from hpsearch.config import from_plain
from hpsearch.errors import SearchFolderError
from hpsearch.folder import SearchFolder
from hpsearch.journal import Journal, read_state
from hpsearch.records import Configuration, Run
from hpsearch.states import Attempt, SearchState, State


class Identity:
    """Tells which runs of which searches are the same command.

    Args:
        program: What is run and where, without options; equal for two searches that run the same.
        prefix: How many words a command has before its output option.
        out_arg: The option that takes the output folder, without dashes; None: there is none.
    """

    def __init__(self, program: Sequence[str], prefix: int, out_arg: str | None) -> None:
        self._program = hashlib.blake2b(_bytes(json.dumps(program)), digest_size=16)
        self._prefix = prefix
        self._output = None if out_arg is None else f'--{out_arg}='

    def key_of(self, run: Run) -> bytes:
        """What identical commands share, in whichever search: 16 bytes, since there are many of them."""
        digest = self._program.copy()
        digest.update(_bytes('\0'.join(sorted(set(self._options(run.argv))))))
        return digest.digest()

    def without_output(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The words of a command without its output folder."""
        return (*argv[: self._prefix], *self._options(argv))

    def with_output(self, argv: Sequence[str], folder: str) -> tuple[str, ...]:
        """The words of a command with another output folder; the same where it takes none."""
        if self._output is None:
            return tuple(argv)
        return (*argv[: self._prefix], f'{self._output}{folder}', *self._options(argv))

    def _options(self, argv: Sequence[str]) -> Sequence[str]:
        words = argv[self._prefix :]
        has_output = self._output is not None and bool(words) and words[0].startswith(self._output)
        return words[1:] if has_output else words


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')


def identity(configuration: Configuration, run_cwd: str | os.PathLike[str]) -> Identity:
    """How the runs of a configuration are recognised.

    Args:
        configuration: What is run.
        run_cwd: Working directory of the runs. It counts, since words may be paths that start there.
    """
    directory = os.path.realpath(run_cwd)
    if configuration.command is not None:
        return Identity(
            ['command', directory, *configuration.command], len(configuration.command), configuration.out_arg
        )
    script = os.path.realpath(os.path.join(directory, configuration.script or ''))
    return Identity(['script', directory, script], 2, configuration.out_arg)


def identity_of(folder: SearchFolder) -> Identity:
    """How the runs of an existing search are recognised, from its ``search.json``.

    Raises:
        SearchFolderError: There is no such search, or its file does not say what was run.
    """
    return identity(*stored(folder))


def stored(folder: SearchFolder) -> tuple[Configuration, str]:
    """What an existing search runs, and the working directory of its runs, from its ``search.json``.

    Raises:
        SearchFolderError: There is no such search, or its file does not say what was run.
    """
    info = folder.read_info()
    try:
        return from_plain(info['configuration']['attributes']), str(info['run_cwd'])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SearchFolderError(f'{folder.search_json} does not say what was run: {error!r}.') from error


@dataclass(frozen=True, slots=True)
class Reused:
    """A result that is there already.

    Attributes:
        folder: The search it is from.
        run: Name of the run there.
        attempt: Number of the attempt that finished.
        summary: Keyword to text.
        seconds: How long it took, if known.
    """

    folder: Path
    run: str
    attempt: int
    summary: Mapping[str, str]
    seconds: float | None


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
                if wanted <= result.summary.keys():
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
            result = Reused(folder.path, run.name, attempt.number, attempt.summary, attempt.seconds)
            yield recognise(run), result


def _finished(folder: SearchFolder) -> dict[str, Attempt]:
    histories = read_state(folder).runs.values()
    deciding = ((history.name, history.deciding) for history in histories if history.state is State.FINISHED)
    return {name: attempt for name, attempt in deciding if attempt is not None}


def reuse_results(
    folder: SearchFolder, earlier: Sequence[str], keywords: Collection[str], state: SearchState, journal: Journal
) -> int:
    """Take finished results of identical commands from earlier searches instead of running them again.

    Args:
        folder: The search.
        earlier: Folders of the earlier ones.
        keywords: Results without all of these keywords are not taken.
        state: What the journals say; the results are folded into it.
        journal: They are written to it, too.

    Returns:
        How many were taken.

    Raises:
        SearchFolderError: One of the folders is no search, or cannot be read.
    """
    found = reusable([SearchFolder(path) for path in earlier], keywords)
    recognise = identity_of(folder)
    taken = 0
    for run in folder.read_runs():
        result = found.get(recognise.key_of(run))
        if result is None or run.name in state.runs or not claim(folder, run.name, 1, journal.writer):
            continue
        taken += 1
        for event in _events(run, result):
            state.fold(journal.writer, event)
            journal.append(event)
    return taken


def _events(run: Run, result: Reused) -> Iterator[dict[str, Any]]:
    about = {'run': run.name, 'attempt': 1}
    yield {'event': 'claimed', **about, 'gpus': []}
    yield {
        'event': 'ended',
        **about,
        'state': State.FINISHED.value,
        'cause': 'reused',
        'reason': f'reused from {result.folder / result.run}',
        'summary': dict(result.summary),
        'seconds': result.seconds,
    }
