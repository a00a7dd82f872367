"""The checks of ``_CONFIG_TEMPLATE``, a configuration file that is written for each run."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from hpsearch.arguments.document import ADDS, FORMATS, has_no_place, keys_of_document
from hpsearch.model.configuration import Value
from hpsearch.model.errors import did_you_mean

LARGEST = 1 << 20
"""Bytes of a template."""


def read_template(path: Path) -> tuple[str, str]:
    """The text of a template, and its format.

    Raises:
        ValueError: It cannot be used; the message is the end of a sentence that begins with its attribute.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f'is {str(path)!r}; a file that ends in {", ".join(FORMATS)} is expected.')
    try:
        if os.path.getsize(path) > LARGEST:
            raise ValueError(f'is {str(path)!r}, which is larger than {LARGEST >> 20} MiB.')
        text = path.read_text(encoding='utf-8-sig')
    except OSError as error:
        raise ValueError(f'is {str(path)!r}, which cannot be read: {error.strerror}.') from None
    except UnicodeDecodeError:
        raise ValueError(f'is {str(path)!r}, which is not UTF-8.') from None
    try:
        keys_of_document(text, FORMATS[ending])
    except (ValueError, RecursionError) as error:
        raise ValueError(f'is {str(path)!r}, which is no {FORMATS[ending].upper()}: {error}.') from error
    return text if text or FORMATS[ending] == 'toml' else '{}', FORMATS[ending]


def unwritable(form: str, grids: Iterable[Mapping[str, Sequence[Value]]]) -> Iterator[str]:
    """Values that cannot be written into a template, in sentences.

    Args:
        form: Its format.
        grids: The grid, and what conditions put in the place of its values.
    """
    for option, values in chain.from_iterable(grid.items() for grid in grids):
        if missing := next((what for value in values if (what := has_no_place(form, value))), ''):
            yield f'cannot have {missing} for {option!r}: {form.upper()} knows no such value.'


def unknown_keys(template: str, form: str, options: Collection[str], named: Collection[str]) -> Iterator[str]:
    """Options that a template does not have, in sentences.

    Args:
        template: Its text.
        form: Its format.
        options: Those of the grid and the conditions.
        named: Those that the command or the environment has.
    """
    keys = keys_of_document(template, form)
    for option in options:
        if option not in keys and option not in named and not option.startswith(ADDS):
            hint = did_you_mean(option, keys)
            yield f'does not have the key {option!r} of the grid, which can be added as {ADDS + option!r}{hint}'
