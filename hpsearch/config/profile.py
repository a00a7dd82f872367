"""Profiles: values for the options of a machine or cluster from a file, where the command line does not give them."""

from __future__ import annotations

import argparse
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.config.yaml_file import read_yaml_file
from hpsearch.model.errors import ConfigError, did_you_mean

JOB_PROLOGUE = 'job_prologue'
"""The one entry of a profile that is no option: shell lines that every job executes before those of the search."""

_TEXT = 'a text'


def read_profile(path: Path, allowed: Mapping[str, argparse.Action]) -> dict[str, Any]:
    """The values in a profile, as the command line would give them.

    It is a YAML file: a mapping of names of the ``allowed`` options, without dashes, to values.

    Raises:
        ConfigError: It cannot be read, or with every value that is wrong.
    """
    file = read_yaml_file(path, '--profile')
    content = file.content
    if not isinstance(content, Mapping):
        found = 'nothing' if content is None else reprlib.repr(content)
        raise ConfigError([f'--profile: {path} holds {found}; a mapping of options to values is expected.'])
    values, problems = {}, []
    for name, value in content.items():
        try:
            values[name] = _checked(name, value, allowed)
        except ValueError as error:
            problems.append(f'--profile: {file.place(name)}: {error}')
    if problems:
        raise ConfigError(problems)
    return values


def _checked(name: Any, value: Any, allowed: Mapping[str, argparse.Action]) -> Any:
    """A value as the option has it.

    Raises:
        ValueError: There is no such option, or it does not take such a value.
    """
    if name == JOB_PROLOGUE:
        return _instance(name, value, str, _TEXT)
    if name not in allowed:
        hint = did_you_mean(str(name).lstrip('-_').replace('-', '_').lower(), [*allowed, JOB_PROLOGUE])
        raise ValueError(f'{name}: is no option of this machine or of a cluster{hint}')
    return checked_value(name, value, allowed[name])


def checked_value(name: str, value: Any, action: argparse.Action) -> Any:
    """A value in a file as an option has it.

    Raises:
        ValueError: It does not take such a value; ``name`` is what the value is called in the file.
    """
    if action.nargs == 0:
        return _instance(name, value, bool, 'true or false')
    if not isinstance(action.default, list):
        return _converted(name, value, action)
    return [_converted(name, each, action) for each in (value if isinstance(value, list) else [value])]


def _instance(name: str, value: Any, wanted: type, expected: str) -> Any:
    if not isinstance(value, wanted):
        raise ValueError(_not_expected(name, value, expected))
    return value


def _converted(name: str, value: Any, action: argparse.Action) -> Any:
    """By the option's own type and choices."""
    expected = _expected(action)
    # A number that is meant as text is written as YAML understood it, which differs for 1.10 or 1e3.
    accepted = (str, int, float) if callable(action.type) else (str, int)
    if isinstance(value, bool) or not isinstance(value, accepted):
        hint = ' (put it into quotes)' if isinstance(value, float) else ''
        raise ValueError(_not_expected(name, value, expected + hint))
    try:
        converted = action.type(str(value)) if callable(action.type) else str(value)
    except argparse.ArgumentTypeError as error:
        raise ValueError(f'{name}: {error}.') from error
    except ValueError:
        raise ValueError(_not_expected(name, value, expected)) from None
    if action.choices is not None and converted not in action.choices:
        raise ValueError(_not_expected(name, value, expected))
    return converted


def _expected(action: argparse.Action) -> str:
    if action.choices is not None:
        return ' or '.join(map(str, action.choices))
    return f'a {getattr(action.type, "__name__", "value")}' if action.type else _TEXT


def _not_expected(name: str, value: Any, expected: str) -> str:
    if value is not None:
        return f'{name}: is {reprlib.repr(value)}; {expected} is expected.'
    nothing = " (for none write '')" if expected == _TEXT else ''
    return f'{name}: is empty; {expected} is expected{nothing}.'
