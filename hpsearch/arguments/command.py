"""The parts of the commands of a search: the program, fixed words, the output folder, and the options of a run."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cached_property

from hpsearch.arguments.style import ArgumentStyle, doubt_about, style_of, words_of
from hpsearch.model.command import base_command
from hpsearch.model.configuration import Configuration, Params, Value

_IN_QUOTES, _IN_DOUBLE_QUOTES = '"{name}=\'{value}\'"', '\'{name}="{value}"\''


class CommandForm:
    """How the commands of a configuration are written.

    Args:
        configuration: What to run, and in which style.
        interpreter: First word of the commands of a Python script.

    Attributes:
        program: The words before the output folder and the options, ``_FIXED_ARGS`` included.
    """

    def __init__(self, configuration: Configuration, interpreter: str) -> None:
        self.program = (*base_command(configuration, interpreter), *configuration.fixed_args)
        self._configuration = configuration
        self._styles: dict[str, ArgumentStyle] = {}

    @cached_property
    def has_output(self) -> bool:
        """Whether the script is told its output folder."""
        return self._configuration.out_arg is not None

    @property
    def python_script(self) -> str:
        """The path of the Python script; empty where the program may be something else."""
        command = self._configuration.command
        if command is None:
            return self._configuration.script or ''
        is_python = len(command) > 1 and re.fullmatch(r'python[\d.]*', os.path.basename(command[0]))
        return command[1] if is_python and command[1].endswith('.py') else ''

    def output(self, path: str) -> tuple[str, ...]:
        """The words that name the output folder; none where the script takes none."""
        option = self._configuration.out_arg
        if option is None:
            return ()
        style = self.style(option)
        if style.arg_style == 'hydra':
            # A folder that is moved may need quotes that it did not need before.
            style = replace(style, arg_style=_IN_QUOTES if "'" not in path else _IN_DOUBLE_QUOTES)
        return words_of(option, path, style)

    def option(self, option: str, value: Value) -> tuple[str, ...]:
        """The words that give an option its value."""
        return words_of(option, value, self.style(option))

    def argv(self, path: str, params: Params) -> tuple[str, ...]:
        """Every word of the command of a run with this output folder."""
        options = (text for option, value in params.items() for text in self.option(option, value))
        return (*self.program, *self.output(path), *options)

    def doubt(self, option: str, value: Value) -> str:
        """What a parser may misread in the words of an option, as a sentence; empty when nothing."""
        return doubt_about(option, value, self.style(option))

    def style(self, option: str) -> ArgumentStyle:
        """How an option is written."""
        if option not in self._styles:
            self._styles[option] = style_of(option, self._configuration.styles)
        return self._styles[option]
