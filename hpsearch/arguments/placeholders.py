"""Placeholders in the words of a command: ``{lr}`` stands for the value of a run, ``{{lr}}`` for the braces themselves.

Braces that hold something else than a name (``{print $1}``, ``{"a": 1}``), and those after a dollar sign (``${lr}``, as
in shells and in OmegaConf), are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = r'[^\W\d][^\s{}"\'=,;:$()]*'
_START = r'(?<!\$)(?<!\${)'
_FIELD = re.compile(rf'{_START}(?:{{{{({_NAME})}}}}|{{({_NAME})}})')

PYTHON, SCRIPT, OUT_DIR, RUN, GPUS = 'python', 'script', 'out_dir', 'run', 'gpus'

CONFIG = 'config'
"""The placeholder of the configuration file of a run, where one is written."""

UNNAMED = (f'{{{RUN}}}', f'{{{OUT_DIR}}}')
"""The name and the output folder of a run where a command is shown for no run in particular."""

WHOLE_WORDS = (PYTHON, SCRIPT)
"""Placeholders that are words of their own."""

OF_EVERY_RUN = (*WHOLE_WORDS, OUT_DIR, RUN, GPUS)
"""Placeholders that are no option of a grid."""


def placeholders_in(text: str) -> list[str]:
    """The names of the placeholders of a text, in their order."""
    return [found[2] for found in _FIELD.finditer(text) if found[2]]


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with values in place of its placeholders; those without a value stay as they are."""
    return _FIELD.sub(lambda found: f'{{{found[1]}}}' if found[1] else values.get(found[2], found[0]), text)


def literal(text: str) -> str:
    """What becomes this text when it is filled."""
    return re.sub(rf'{_START}{{({_NAME})}}', r'{{\1}}', text)
