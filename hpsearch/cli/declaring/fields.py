"""How an option is declared: a field of a dataclass that knows how argparse reads it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

# Types of values


def number_between(low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number from ``low`` to ``high``."""

    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text} is not between {low:g} and {high:g}')
        return value

    parse.__name__ = 'number'  # argparse names it where the text is no number
    return parse


def integer_from(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number, at least ``low``, and at most ``high`` if that is given."""

    def parse(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f'{text} is less than {low}')
        if high is not None and value > high:
            raise argparse.ArgumentTypeError(f'{text} is more than {high}')
        return value

    parse.__name__ = 'whole number'
    return parse


AUTO = 'auto'
"""The value of an option whose number hpsearch decides."""


def auto_or(parse: Callable[[str], int]) -> Callable[[str], int | str]:
    """An argparse type: what another one takes, or ``auto``."""

    def parse_either(text: str) -> int | str:
        return AUTO if text == AUTO else parse(text)

    parse_either.__name__ = f'{parse.__name__} or {AUTO}'
    return parse_either


def warning_signal(text: str) -> str:
    """An argparse type: ``NAME@SECONDS``, ``none`` or empty."""
    if text and text != 'none' and not re.fullmatch(r'[A-Z][A-Z0-9]*@[1-9]\d*', text):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME@SECONDS, e.g. USR1@120')
    return text


def memory_size(text: str) -> str:
    """An argparse type: a number of MiB, or with one of the units K, M, G, T; or empty."""
    if text and not re.fullmatch(r'[1-9]\d*[KMGT]?', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no size of memory, e.g. 64G')
    return text


# Declaring options


def option(default: Any, help_text: str, *, flag: str = '', **details: Any) -> Any:
    """A field that is an option of the command line; ``details`` are further arguments for argparse.

    A default of False makes it a flag, a tuple an option that may be given several times. ``flag`` is its name on the
    command line without dashes, where that is not the name of the field.
    """
    if default is False:
        details['action'] = 'store_true'
    elif isinstance(default, tuple):
        details['action'] = 'append'
    return field(default=default, metadata={'flag': flag, 'details': {**details, 'help': help_text}})


@dataclass(frozen=True)
class OptionGroup:
    """Options that are listed together in the help, below this title."""

    title: ClassVar[str]
