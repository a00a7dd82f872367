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

from hpsearch.arguments.command import CommandForm
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run
from hpsearch.store.folder import SearchFolder


class Identity:
    """Recognises runs that are the same command, within a search and across searches.

    Args:
        program: What is run and where, without options; equal for two searches that run the same.
        form: How the commands are written.
    """

    def __init__(self, program: Sequence[str], form: CommandForm) -> None:
        self._program = hashlib.blake2b(_bytes(json.dumps(program)), digest_size=16)
        self._form = form
        self._prefix = len(form.program)
        self._output = [word.partition('/')[0].rstrip('\'"') for word in form.output('/')]

    def key_of(self, run: Run) -> bytes:
        """A key that identical commands of any searches share: 16 bytes, since there are many."""
        digest = self._program.copy()
        options = {'\0'.join(self._form.option(option, value)) for option, value in run.params.items()} - {''}
        digest.update(_bytes('\0\0'.join(sorted(options))))
        return digest.digest()

    def without_output(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The words of a command without its output folder."""
        return (*argv[: self._prefix], *self._options(argv))

    def with_output(self, argv: Sequence[str], folder: str) -> tuple[str, ...]:
        """The words of a command with another output folder; the same where it takes none."""
        return (*argv[: self._prefix], *self._form.output(folder), *self._options(argv))

    def _options(self, argv: Sequence[str]) -> Sequence[str]:
        words = argv[self._prefix :]
        has_output = len(words) >= len(self._output) and all(map(str.startswith, words, self._output))
        return words[len(self._output) :] if has_output else words


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')


def identity(configuration: Configuration, run_cwd: str | os.PathLike[str]) -> Identity:
    """How the runs of a configuration are recognised; their working directory counts: words may be relative paths."""
    directory = os.path.realpath(run_cwd)
    if configuration.command is not None:
        program = ['command', directory, *configuration.command]
    else:
        program = ['script', directory, os.path.realpath(os.path.join(directory, configuration.script or ''))]
    return Identity([*program, *configuration.fixed_args], CommandForm(configuration, 'python3'))


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
