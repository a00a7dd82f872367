"""The checks of ``_COMMAND`` and ``_ENV``, and of their placeholders."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hpsearch.arguments.placeholders import OF_EVERY_RUN, OUT_DIR, SCRIPT, WHOLE_WORDS, placeholders_in
from hpsearch.model.command import encoded, plain
from hpsearch.model.errors import did_you_mean

_OURS = frozenset(('CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER'))
"""Variables that say which GPUs a run is given."""


def names_script(command: Sequence[str]) -> bool:
    """Whether a command says where the script is to stand."""
    return any(SCRIPT in placeholders_in(word) for word in command)


def names_output(command: Sequence[str], options: Collection[str]) -> bool:
    """Whether the output folder is in a command."""
    return OUT_DIR not in options and any(OUT_DIR in placeholders_in(word) for word in command)


def checkpoint_problem(path: str) -> str:
    """What is wrong with an attribute ``_CHECKPOINT``, as the end of a sentence; empty: nothing."""
    normal = os.path.normpath(path)
    if not path or os.path.isabs(path) or normal.split('/')[0] == '..' or '\0' in path:
        return f'is {path!r}; a path in the output folder of a run is expected, such as "checkpoint.pt" or ".".'
    return ''


def environment(given: Any, always: Collection[str], sometimes: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The variables that an attribute ``_ENV`` makes, and what is wrong with it.

    Args:
        given: The attribute.
        always: As for :func:`placeholder_problems`.
        sometimes: As for :func:`placeholder_problems`.
    """
    if given is None:
        return {}, []
    if not isinstance(given, Mapping):
        return {}, [f'is {reprlib.repr(given)}; a dict from names of variables to their values is expected.']
    problems = [problem for name, value in given.items() if (problem := _problem_of_variable(name, plain(value)))]
    variables = {} if problems else {name: str(plain(value)) for name, value in given.items()}
    return variables, [*problems, *placeholder_problems(variables.values(), always, sometimes, of_command=False)]


def _problem_of_variable(name: Any, value: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', name):
        return f'has {name!r}, which cannot be the name of a variable.'
    if name in _OURS or name.startswith('HPSEARCH_'):
        return f'has {name!r}, which hpsearch sets by itself.'
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return f'has {reprlib.repr(value)} as {name!r}; a string or a number is expected.'
    try:
        encoded(str(value))
    except ValueError as error:
        return f'has {value!r} as {name!r}, which cannot be passed to a program: {error}.'
    return ''


def placeholder_problems(
    words: Iterable[str], always: Collection[str], sometimes: Collection[str], *, of_command: bool = True
) -> Iterator[str]:
    """What is wrong with the placeholders of a command or of an environment, in sentences.

    Args:
        words: The texts that have them.
        always: Options that every run has.
        sometimes: Options that only some runs have, since a condition or a part of the grid gives it to them.
        of_command: Whether they may name the interpreter and the script.
    """
    ours = OF_EVERY_RUN if of_command else tuple(name for name in OF_EVERY_RUN if name not in WHOLE_WORDS)
    known = [*always, *sometimes, *ours]
    for word in words:
        for name in placeholders_in(word):
            if name in always:
                continue
            if name in sometimes:
                yield f'has {{{name}}}, which not every run has; add it to the grid, or to each of its parts.'
            elif name not in known:
                yield (
                    f'has {{{name}}}, which is neither an option of the grid nor one of '
                    f'{", ".join(ours)}; {{{{{name}}}}} stands for these braces{did_you_mean(name, known)}'
                )
            elif name in WHOLE_WORDS and word != f'{{{name}}}':
                yield f'has {{{name}}} within {word!r}; it has to be a word of its own.'
