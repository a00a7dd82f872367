"""Which runs of which searches are the same command.

Two commands are identical when they run the same program in the same working directory with the same set of option
words. The order of options, the output folder and the interpreter of a Python script do not matter; ``1``, ``1.0``
and ``True`` differ, as they do for the script.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run
from hpsearch.store.folder import SearchFolder


class Identity:
    """Recognises runs that are the same command, within a search and across searches.

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
        """A key that identical commands of any searches share: 16 bytes, since there are many."""
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
    """How the runs of a configuration are recognised; their working directory counts: words may be relative paths."""
    directory = os.path.realpath(run_cwd)
    if configuration.command is not None:
        program = ['command', directory, *configuration.command]
        return Identity(program, len(configuration.command), configuration.out_arg)
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
