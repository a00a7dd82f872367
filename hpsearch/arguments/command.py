"""The parts of the commands of a search: the program, fixed words, the output folder, and the options of a run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from hpsearch.arguments.document import ADDS, filled_document, keys_of_document
from hpsearch.arguments.placeholders import CONFIG, GPUS, OUT_DIR, PYTHON, RUN, SCRIPT, filled, placeholders_in
from hpsearch.arguments.style import ArgumentStyle, doubt_about, style_of, text_of, words_of
from hpsearch.model.configuration import Configuration, Params, Value
from hpsearch.model.run import OUT_DIR as OUTPUT_MARK
from hpsearch.model.run import RUN as RUN_MARK
from hpsearch.model.run import checkpoint_copy, config_file

_IN_QUOTES, _IN_DOUBLE_QUOTES = '"{name}=\'{value}\'"', '\'{name}="{value}"\''


def program_words(configuration: Configuration, interpreter: str) -> list[str]:
    """The words before the options: ``_COMMAND`` with its script and interpreter, or the interpreter and the script.

    Placeholders that differ between runs stay as they are.
    """
    script = configuration.script or ''
    if configuration.command is None:
        return [interpreter, script]
    whole = {f'{{{PYTHON}}}': interpreter, f'{{{SCRIPT}}}': script}
    gpus = {GPUS: str(configuration.gpus)} if uses_gpus(configuration) else {}
    return [whole[word] if word in whole else filled(word, gpus) for word in configuration.command]


def uses_interpreter(configuration: Configuration) -> bool:
    """Whether the commands have the interpreter in them."""
    return configuration.command is None or f'{{{PYTHON}}}' in configuration.command


def uses_gpus(configuration: Configuration) -> bool:
    """Whether the commands have the number of GPUs in them that a run is given."""
    words = (*(configuration.command or ()), *configuration.env.values())
    return GPUS not in configuration.options and any(GPUS in placeholders_in(word) for word in words)


def output_is_in_file(configuration: Configuration) -> bool:
    """Whether the output folder is a key of the configuration file that is written for a run."""
    template, form = configuration.config_template, configuration.config_format
    return bool(template) and configuration.out_arg in keys_of_document(template, form)


def checkpoint_is_in_file(configuration: Configuration) -> bool:
    """Whether the checkpoint that a run goes on from is a key of the configuration file that is written for it."""
    template, form = configuration.config_template, configuration.config_format
    return bool(template) and configuration.checkpoint_arg in keys_of_document(template, form)


def copied_checkpoint(configuration: Configuration, output: str) -> str:
    """What a run is told to go on from: the copy of a checkpoint of an earlier run, a file or a folder.

    Args:
        configuration: Says what a checkpoint is.
        output: The output folder of the run.
    """
    path = os.path.normpath(configuration.checkpoint)
    return checkpoint_copy(output) if path == '.' else f'{checkpoint_copy(output)}/{os.path.basename(path)}'


def text_of_file(configuration: Configuration, params: Params, output: str, *, goes_on: bool = False) -> str:
    """The configuration file of a run.

    Args:
        configuration: It has a template.
        params: The values of the run; those that the template lacks are elsewhere in its command.
        output: Its output folder.
        goes_on: Whether it goes on from the checkpoint of an earlier run.
    """
    template, form = configuration.config_template, configuration.config_format
    keys = keys_of_document(template, form)
    values = {key: value for key, value in params.items() if key in keys or key.startswith(ADDS)}
    if configuration.out_arg in keys:
        values[str(configuration.out_arg)] = output
    if goes_on and configuration.checkpoint_arg in keys:
        values[str(configuration.checkpoint_arg)] = copied_checkpoint(configuration, output)
    return filled_document(template, form, values)


def environment_words(configuration: Configuration) -> list[str]:
    """The words that set the variables of ``_ENV`` for the rest of a command; placeholders stay as they are."""
    variables = configuration.variables
    return ['env', *(f'{name}={text}' for name, text in variables.items())] if variables else []


class CommandForm:
    """How the commands of a configuration are written.

    Args:
        configuration: What to run, and in which style.
        interpreter: First word of the commands of a Python script.

    Attributes:
        program: The words before the output folder and the options, ``_ENV`` and ``_FIXED_ARGS`` included. Those of
            ``_ENV`` and ``_COMMAND`` may have placeholders.
        named: Options whose values are in the words of ``_COMMAND``, and not behind it.
        filled: Options whose values are in those words or in ``_ENV``.
        has_file: Whether the values are in a file that is written for each run.
    """

    def __init__(self, configuration: Configuration, interpreter: str) -> None:
        self._configuration = configuration
        self._styles: dict[str, ArgumentStyle] = {}
        before = environment_words(configuration)
        self._templates = dict(_templates(configuration, [*before, *(configuration.command or ())]))
        in_command = _fields(word for place, word in self._templates.items() if place >= len(before))
        used = _fields(self._templates.values())
        self.named = in_command & configuration.options
        self.filled = used & configuration.options
        self._used = used - configuration.options
        self.has_file = bool(configuration.config_template)
        self._has_output = OUT_DIR not in in_command - configuration.options and not output_is_in_file(configuration)
        self._words = program_words(configuration, interpreter)
        gpus = {GPUS: str(configuration.gpus)} if uses_gpus(configuration) else {}
        self.program = (*(filled(word, gpus) for word in before), *self._words, *configuration.fixed_args)

    @property
    def is_fixed(self) -> bool:
        """Whether all runs have the same words before their output folder and options."""
        return not self._templates

    @property
    def names_run(self) -> bool:
        """Whether the words of a run have more of it than an output option: its name, its folder, its file."""
        return bool({OUT_DIR, RUN} & self._used) or self.has_file

    def first_words(
        self, name: str, path: str, texts: Mapping[str, str], program: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """The words before the output folder and the options, of one run.

        Args:
            name: Its name.
            path: Its output folder.
            texts: The options in :attr:`filled` to their values, by :meth:`text`.
            program: The first words of any run, if not :attr:`program`.
        """
        values = {RUN: name, OUT_DIR: path, GPUS: str(self._configuration.gpus), **self._file(path), **texts}
        return tuple(
            filled(self._templates[place], values) if place in self._templates else word
            for place, word in enumerate(program or self.program)
        )

    def texts(self, params: Params) -> dict[str, str]:
        """The values of a run that are in the words of ``_COMMAND`` and ``_ENV``."""
        return {option: self.text(option, value) for option, value in params.items() if option in self.filled}

    @cached_property
    def out_arg(self) -> str | None:
        """The option that the output folder is given by, behind the command; None: there is none."""
        option = self._configuration.out_arg if self._has_output else None
        return None if option is None or self.style(option).arg_style == 'omit' else option

    @property
    def python_script(self) -> str:
        """The path of the Python script; empty where the program may be something else."""
        if self._configuration.command is None:
            return self._configuration.script or ''
        first, second = (*self._words, '', '')[:2]
        is_python = re.fullmatch(r'python[\d.]*', os.path.basename(first))
        return second if is_python and second.endswith('.py') else ''

    def output(self, path: str) -> tuple[str, ...]:
        """The words that name the output folder, as far as they stand behind the command, and the file of a run."""
        if not self.has_file or CONFIG in self._used:
            return self._output(path)
        option = self._configuration.config_arg
        return (*self._output(path), *words_of(option, self._file(path)[CONFIG], self.style(option)))

    def _file(self, path: str) -> dict[str, str]:
        """The placeholder of the configuration file of a run to its path; empty: there is no such file."""
        return {CONFIG: f'{config_file(path)}.{self._configuration.config_format}'} if self.has_file else {}

    def _output(self, path: str) -> tuple[str, ...]:
        return () if self.out_arg is None else self._path(self.out_arg, path)

    def checkpoint(self, path: str) -> tuple[str, ...]:
        """The words that name what a run goes on from, as far as they stand behind the command, and not in a file.

        Args:
            path: The output folder of the run.
        """
        option = self._configuration.checkpoint_arg
        if option is None or checkpoint_is_in_file(self._configuration):
            return ()
        return self._path(option, copied_checkpoint(self._configuration, path))

    def _path(self, option: str, path: str) -> tuple[str, ...]:
        style = self.style(option)
        if style.arg_style == 'hydra':
            # A folder that is moved may need quotes that it did not need before.
            style = replace(style, arg_style=_IN_QUOTES if "'" not in path else _IN_DOUBLE_QUOTES)
        return words_of(option, path, style)

    def text(self, option: str, value: Value) -> str:
        """A value within a word of ``_COMMAND`` or ``_ENV``."""
        return text_of(option, value, self.style(option))

    def option(self, option: str, value: Value) -> tuple[str, ...]:
        """The words that give an option its value behind the command; none where it is in ``_COMMAND`` or a file."""
        return () if self.is_elsewhere(option) else words_of(option, value, self.style(option))

    def is_elsewhere(self, option: str) -> bool:
        """Whether an option does not stand behind the command."""
        return self.has_file or option in self.named or self.style(option).arg_style == 'omit'

    def distinct(self, option: str, value: Value) -> tuple[str, ...]:
        """Words that are equal for two values exactly if these make no difference to a command."""
        words = (option, json.dumps(value)) if self.has_file else self.option(option, value)
        return (*words, option, self.text(option, value)) if option in self.filled else words

    def argv(self, path: str, params: Params) -> tuple[str, ...]:
        """Every word of the command of a run with this output folder, whose last part is its name."""
        options = (text for option, value in params.items() for text in self.option(option, value))
        return (*self.first_words(os.path.basename(path), path, self.texts(params)), *self.output(path), *options)

    def planned(self, params: Params, *, goes_on: bool = False) -> tuple[str, ...]:
        """The same with marks in place of the name and the folder of the run, as a plan may have it.

        Args:
            params: The values of the run.
            goes_on: Whether it goes on from the checkpoint of an earlier run.
        """
        options = (text for option, value in params.items() for text in self.option(option, value))
        checkpoint = self.checkpoint(OUTPUT_MARK) if goes_on else ()
        first = self.first_words(RUN_MARK, OUTPUT_MARK, self.texts(params))
        return (*first, *self.output(OUTPUT_MARK), *checkpoint, *options)

    def doubt(self, option: str, value: Value) -> str:
        """What a parser may misread in the words of an option, as a sentence; empty when nothing."""
        return '' if self.is_elsewhere(option) else doubt_about(option, value, self.style(option))

    def style(self, option: str) -> ArgumentStyle:
        """How an option is written."""
        if option not in self._styles:
            self._styles[option] = style_of(option, self._configuration.styles)
        return self._styles[option]


def _templates(configuration: Configuration, words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The words that differ between runs, with their places."""
    ours = {OUT_DIR, RUN, *([CONFIG] if configuration.config_template else []), *configuration.options}
    return ((place, word) for place, word in enumerate(words) if ours.intersection(placeholders_in(word)))


def _fields(words: Iterable[str]) -> set[str]:
    return {name for word in words for name in placeholders_in(word)}
