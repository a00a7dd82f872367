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
from dataclasses import replace

from hpsearch.arguments.command import CommandForm, environment_words, program_words
from hpsearch.arguments.placeholders import PYTHON, UNNAMED
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import OUT_DIR, RUN, Run, param_json, values_note
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
        options = {'\0'.join(self._form.distinct(option, value)) for option, value in run.params.items()} - {''}
        digest.update(_bytes('\0\0'.join(sorted(options))))
        return digest.digest()

    def without_output(self, run: Run) -> tuple[str, ...]:
        """The words of a command without its output folder; where it is in ``_COMMAND``, its placeholder stays."""
        return (*self._first_words(run, *UNNAMED), *self._options(run.argv))

    def note(self, run: Run) -> str:
        """What a line with :meth:`without_output` says beside it."""
        params = ', '.join(param_json(option, value) for option, value in run.params.items())
        return values_note(params) if self._form.has_file else ''

    def with_output(self, run: Run, folder: str) -> tuple[str, ...]:
        """The words of a command with another output folder; the same where it takes none.

        Where ``_COMMAND`` names the output folder or the run, the words are those of a plan, for any run.
        """
        name, path = (RUN, OUT_DIR) if self._form.names_run else (run.name, folder)
        return (*self._first_words(run, name, path), *self._form.output(path), *self._options(run.argv))

    def _first_words(self, run: Run, name: str, path: str) -> tuple[str, ...]:
        return self._form.first_words(name, path, self._form.texts(run.params), run.argv[: self._prefix])

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
        program = ['command', directory, *_program(configuration, directory)]
    else:
        program = ['script', directory, os.path.realpath(os.path.join(directory, configuration.script or ''))]
    form = CommandForm(configuration, 'python3')
    unwatched = replace(configuration, metrics=None)  # to read metrics makes no other run of one
    variables = sorted(CommandForm(unwatched, 'python3').program[: len(environment_words(unwatched))])
    file = [configuration.config_format, configuration.config_template] if configuration.config_template else []
    others = [*(['\0', *variables] if variables else []), *(['\0\0', *file] if file else [])]
    return Identity([*program, *configuration.fixed_args, *others], form)


def _program(configuration: Configuration, directory: str) -> list[str]:
    """The words of ``_COMMAND``, with the script as a path and without the interpreter."""
    script = configuration.script and os.path.realpath(os.path.join(directory, configuration.script))
    return program_words(replace(configuration, script=script), f'{{{PYTHON}}}')


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
