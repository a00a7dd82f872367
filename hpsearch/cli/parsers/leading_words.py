"""What the first words of a command line are: a verb, a command with something to search, or neither."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from hpsearch.cli.parsers.parser import Parser


def first_word(words: Sequence[str], parser: Parser) -> int:
    """Index of the first word that is no option of a parser and no value of one.

    It is the number of words before ``--`` where there is none.
    """
    words, is_value = before_command(words), False
    for index, word in enumerate(words):
        if not word.startswith('-') and not is_value:
            return index
        is_value = word.startswith('-') and parser.takes_value(parser.with_underscores(word))
    return len(words)


def before_command(words: Sequence[str]) -> Sequence[str]:
    """The words before ``--``; a command may follow it."""
    return words[: words.index('--')] if '--' in words else words


def has_search(words: Sequence[str]) -> bool:
    """Whether words are a command that shows what is searched."""
    if not any('~' in word for word in words):
        return False
    from hpsearch.arguments.priors import searched_words

    return bool(searched_words(_without_settings(words)).priors)


def _without_settings(words: Sequence[str]) -> list[str]:
    """The words without ``--set`` and its values, which may have a tilde as well."""
    pairs = zip(['', *words], words, strict=False)
    return [word for before, word in pairs if before != '--set' and not word.startswith('--set=')]


def about_unknown_command(word: str, verbs: Iterable[str]) -> str:
    """The error for a word where a command is expected."""
    if word == 'postprocess':
        return 'postprocess: not a command; write hpsearch-postprocess.'
    similar = difflib.get_close_matches(word, list(verbs), n=1)
    cure = f'did you mean {similar[0]}?' if similar else f'for a configuration of this name: hpsearch run {word}'
    return f'{word}: not a command; {cure}'
