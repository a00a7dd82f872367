"""The parts of the commands of a search: the program, fixed words, the output folder, and the options of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from hpsearch.arguments.placeholders import GPUS, OUT_DIR, PYTHON, RUN, SCRIPT, filled, placeholders_in
from hpsearch.arguments.style import ArgumentStyle, doubt_about, style_of, text_of, words_of
from hpsearch.model.configuration import Configuration, Params, Value

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


def environment_words(configuration: Configuration) -> list[str]:
    """The words that set the variables of ``_ENV`` for the rest of a command; placeholders stay as they are."""
    return ['env', *(f'{name}={text}' for name, text in configuration.env.items())] if configuration.env else []


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
        self._has_output = OUT_DIR not in in_command - configuration.options
        self._words = program_words(configuration, interpreter)
        gpus = {GPUS: str(configuration.gpus)} if uses_gpus(configuration) else {}
        self.program = (*(filled(word, gpus) for word in before), *self._words, *configuration.fixed_args)

    @property
    def is_fixed(self) -> bool:
        """Whether all runs have the same words before their output folder and options."""
        return not self._templates

    @property
    def names_run(self) -> bool:
        """Whether the output folder of a run, or its name, is in the words of ``_COMMAND`` or ``_ENV``."""
        return bool({OUT_DIR, RUN} & self._used)

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
        values = {RUN: name, OUT_DIR: path, GPUS: str(self._configuration.gpus), **texts}
        return tuple(
            filled(self._templates[place], values) if place in self._templates else word
            for place, word in enumerate(program or self.program)
        )

    def texts(self, params: Params) -> dict[str, str]:
        """The values of a run that are in the words of ``_COMMAND`` and ``_ENV``."""
        return {option: self.text(option, value) for option, value in params.items() if option in self.filled}

    @cached_property
    def _out_arg(self) -> str | None:
        """The option that the output folder is given by, behind the command."""
        return self._configuration.out_arg if self._has_output else None

    @property
    def python_script(self) -> str:
        """The path of the Python script; empty where the program may be something else."""
        if self._configuration.command is None:
            return self._configuration.script or ''
        first, second = (*self._words, '', '')[:2]
        is_python = re.fullmatch(r'python[\d.]*', os.path.basename(first))
        return second if is_python and second.endswith('.py') else ''

    def output(self, path: str) -> tuple[str, ...]:
        """The words that name the output folder; none where the script takes none, or ``_COMMAND`` has it."""
        option = self._out_arg
        if option is None:
            return ()
        style = self.style(option)
        if style.arg_style == 'hydra':
            # A folder that is moved may need quotes that it did not need before.
            style = replace(style, arg_style=_IN_QUOTES if "'" not in path else _IN_DOUBLE_QUOTES)
        return words_of(option, path, style)

    def text(self, option: str, value: Value) -> str:
        """A value within a word of ``_COMMAND`` or ``_ENV``."""
        return text_of(option, value, self.style(option))

    def option(self, option: str, value: Value) -> tuple[str, ...]:
        """The words that give an option its value behind the command; none where it is in ``_COMMAND``."""
        return () if option in self.named else words_of(option, value, self.style(option))

    def distinct(self, option: str, value: Value) -> tuple[str, ...]:
        """Words that are equal for two values exactly if these make no difference to a command."""
        words = self.option(option, value)
        return (*words, option, self.text(option, value)) if option in self.filled else words

    def argv(self, path: str, params: Params) -> tuple[str, ...]:
        """Every word of the command of a run with this output folder, whose last part is its name."""
        options = (text for option, value in params.items() for text in self.option(option, value))
        return (*self.first_words(os.path.basename(path), path, self.texts(params)), *self.output(path), *options)

    def doubt(self, option: str, value: Value) -> str:
        """What a parser may misread in the words of an option, as a sentence; empty when nothing."""
        return '' if option in self.named else doubt_about(option, value, self.style(option))

    def style(self, option: str) -> ArgumentStyle:
        """How an option is written."""
        if option not in self._styles:
            self._styles[option] = style_of(option, self._configuration.styles)
        return self._styles[option]


def _templates(configuration: Configuration, words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The words that differ between runs, with their places."""
    ours = {OUT_DIR, RUN, *configuration.options}
    return ((place, word) for place, word in enumerate(words) if ours.intersection(placeholders_in(word)))


def _fields(words: Iterable[str]) -> set[str]:
    return {name for word in words for name in placeholders_in(word)}
