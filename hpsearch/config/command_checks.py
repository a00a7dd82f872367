"""The checks of the placeholders in ``_COMMAND``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from hpsearch.arguments.placeholders import OF_EVERY_RUN, OUT_DIR, SCRIPT, WHOLE_WORDS, placeholders_in
from hpsearch.config.source import did_you_mean


def names_script(command: Sequence[str]) -> bool:
    """Whether a command says where the script is to stand."""
    return any(SCRIPT in placeholders_in(word) for word in command)


def names_output(command: Sequence[str], options: Collection[str]) -> bool:
    """Whether the output folder is in a command."""
    return OUT_DIR not in options and any(OUT_DIR in placeholders_in(word) for word in command)


def placeholder_problems(words: Sequence[str], always: Collection[str], sometimes: Collection[str]) -> Iterator[str]:
    """What is wrong with the placeholders of a command, in sentences.

    Args:
        words: Those of the command.
        always: Options that every run has.
        sometimes: Options that only some runs have, since a condition or a part of the grid gives it to them.
    """
    known = [*always, *sometimes, *OF_EVERY_RUN]
    for word in words:
        for name in placeholders_in(word):
            if name in always:
                continue
            if name in sometimes:
                yield f'has {{{name}}}, which not every run has; add it to the grid, or to each of its parts.'
            elif name not in known:
                yield (
                    f'has {{{name}}}, which is neither an option of the grid nor one of '
                    f'{", ".join(OF_EVERY_RUN)}; {{{{{name}}}}} stands for these braces{did_you_mean(name, known)}'
                )
            elif name in WHOLE_WORDS and word != f'{{{name}}}':
                yield f'has {{{name}}} within {word!r}; it has to be a word of its own.'
