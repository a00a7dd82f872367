"""Options of a grid that the ``--help`` of a script does not show."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile

from hpsearch.arguments.help_text import shown_options
from hpsearch.arguments.placeholders import placeholders_in
from hpsearch.arguments.style import ArgumentStyle, dashes_of, words_of
from hpsearch.model.configuration import Value

_TAKES_OTHERS = re.compile(
    r'parse_known|ignore_unknown_options|allow_extra_args|return_remaining_strings|return_unknown_args|known_only'
    r'|REMAINDER|allow_unknown'
)
"""What stands in scripts that take options which their help does not show."""

_SHOWS_SOME = '--helpfull'
"""absl shows the options of one module, and others only with this one."""


def may_take_others(source: str) -> bool:
    """Whether a script may take options that its help does not show."""
    return bool(_TAKES_OTHERS.search(source))


def has_name(style: ArgumentStyle) -> bool:
    """Whether an option is written with a name that begins with dashes, as help texts show it."""
    return bool(dashes_of(style.arg_style))


def unknown_options(
    text: str, columns: Mapping[str, tuple[Sequence[Value], ArgumentStyle]], out_arg: str | None = None
) -> list[str]:
    """A sentence for each option that a help text does not show, with the one that may be meant.

    Nothing is said where the text shows no ``--help``, which every parser has: it is none of theirs.

    Args:
        text: What the script printed.
        columns: Option without dashes to every value it may take, and how it is written.
        out_arg: The one that gets the output folder, which need not be in the grid.
    """
    shown = shown_options(text)
    names = {*shown, *(option.negation for option in shown.values())} - {''}
    if '--help' not in names and _SHOWS_SOME not in text:
        return []
    found = (
        _sentence(f'_OUT_ARG = {option!r}' if option == out_arg else option, style, written[0], names, text)
        for option, (values, style) in columns.items()
        if has_name(style)
        for written in [_written(option, values, style)]
        if not any(_is_known(name, names, text) for name in written)
    )
    return [sentence for sentence in found if sentence]


def has_filled_words(words: Iterable[str]) -> bool:
    """Whether a command has placeholders of options in it, as one that shows itself what is searched."""
    return any(map(placeholders_in, words))


def asking_words(words: Sequence[str]) -> list[str]:
    """The words of a command that its script is asked for help with: those before the first one without a value yet."""
    asking = list(takewhile(lambda word: not placeholders_in(word), words))
    return asking[:-1] if len(asking) < len(words) and asking[-1].startswith('-') else asking


def mistyped_in_command(text: str, words: Sequence[str]) -> list[str]:
    """A sentence for each option in such a command that a help text does not show although it has one like it.

    Others may belong to a sub-command, which has a help text of its own.

    Args:
        text: What the script printed.
        words: Those of the command.
    """
    if not has_filled_words(words):
        return []
    shown = shown_options(text)
    names = {*shown, *(option.negation for option in shown.values())} - {''}
    given = dict.fromkeys(word.partition('=')[0] for word in words if word.startswith('--') and len(word) > 2)
    unknown = ((name, _meant(name, names)) for name in given if not _is_known(name, names, text))
    return [f'the --help of the script shows no {name}; did you mean {meant}?' for name, meant in unknown if meant]


def unknown_in_hydra(names: Collection[str], options: Iterable[str]) -> list[str]:
    """A sentence for each option that a configuration of Hydra does not have although it has one like it.

    Nothing is said of what may be a group of configurations, and of what is added or removed (``+``, ``~``).

    Args:
        names: Those of the configuration, with dots.
        options: Those of the grid that are written as Hydra expects them.
    """
    plain = [option for option in options if re.fullmatch(r'[\w.]+', option) and not option.startswith('hydra.')]
    unknown = [option for option in plain if not any(f'{name}.'.startswith(f'{option}.') for name in names)]
    alike = ((option, difflib.get_close_matches(option, sorted(names), n=1, cutoff=0.7)) for option in unknown)
    return [
        f'{option}: the configuration of the script has no {option}; did you mean {meant[0]}?'
        for option, meant in alike
        if meant
    ]


def _written(option: str, values: Sequence[Value], style: ArgumentStyle) -> list[str]:
    """The names of an option as they may stand in commands, that of a negation last."""
    words = (words_of(option, value, style) for value in ['', *values])
    return list(dict.fromkeys(its[0].partition('=')[0] for its in words if its and its[0].startswith('-')))


def _is_known(name: str, names: Collection[str], text: str) -> bool:
    known = {*map(_bare, names)} if _SHOWS_SOME in text or _is_tyro(text) else {*names}
    name = _bare(name) if known != {*names} else name
    before = [name[:place] for place, sign in enumerate(name) if sign == '.']
    return (
        name in known
        or any(part in known for part in before)  # of an object, whose options need not be shown
        or sum(each.startswith(name) for each in known) == 1  # abbreviated
    )


def _bare(name: str) -> str:
    return name.lstrip('-').replace('_', '-')


def _is_tyro(text: str) -> bool:
    """Whether names may have dashes or underscores."""
    return '─ options ─' in text


def _sentence(what: str, style: ArgumentStyle, name: str, names: Collection[str], text: str) -> str:
    meant = _meant(name, names)
    if not meant:
        return '' if _SHOWS_SOME in text else f'{what}: the --help of the script shows no {name}.'
    return f'{what}: the --help of the script shows no {name}; did you mean {meant}?{_cure(name, meant, style)}'


def _meant(name: str, names: Collection[str]) -> str:
    if alike := [each for each in sorted(names) if _bare(each) == _bare(name)]:
        return alike[0]
    return next(iter(difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.7)), '')


def _cure(name: str, meant: str, style: ArgumentStyle) -> str:
    if _bare(name) != _bare(meant):
        return ''
    if len(name) != len(meant):
        return f" (_ARG_STYLE = '{'space' if len(meant) > len(name) else 'single_dash'}')"
    return f" (_NAME_STYLE = '{'dashes' if style.name_style == 'as_is' else 'as_is'}')"
