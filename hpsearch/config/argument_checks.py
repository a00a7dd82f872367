"""The checks of the attributes that say how options are written: ``_ARG_STYLE`` and its relatives."""

from __future__ import annotations

import re
import reprlib
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hpsearch.arguments.placeholders import OUT_DIR, placeholders_in
from hpsearch.arguments.style import CHOICES, EVERY_OTHER, TEMPLATES, dashes_of, style_of, template_problem
from hpsearch.model.configuration import Style
from hpsearch.model.errors import did_you_mean


def check_styles(
    attributes: Mapping[str, Any], options: Collection[str], flags: Collection[str], out_arg: str | None
) -> tuple[dict[str, Style], dict[str, str]]:
    """The styles that a configuration has, and what is wrong with them, by attribute.

    Args:
        attributes: Those of the configuration.
        options: Every option that a run may have, that of the output folder included.
        flags: Those of them that may be True or False.
        out_arg: The option of the output folder.
    """
    given = {name: attributes[name] for name in CHOICES if attributes.get(name) is not None}
    problems = {name: problem for name, style in given.items() if (problem := _problem_of(name, style, options))}
    styles = {name: dict(style) if isinstance(style, Mapping) else style for name, style in given.items()}
    if not problems and (bare := next(_flags_without_dashes(styles, flags), '')):
        problems['bool_style'] = (
            f'makes a flag of {bare!r}, whose style has no dashes; with "value" it is written with its value.'
        )
    if not problems and out_arg is not None and not _shows_path(style_of(out_arg, styles).arg_style):
        problems['arg_style'] = (
            f'hides where the folder of {out_arg!r} begins or ends; {{value}} is expected at the end of a word, and '
            'before it nothing, or neither a letter nor a digit.'
        )
    return styles, problems


def unreached(
    styles: Mapping[str, Style], options: Collection[str], out_arg: str | None, templates: Iterable[str]
) -> dict[str, str]:
    """What is wrong with options that have no word of their own, and that nothing else brings to the script.

    Args:
        styles: Those of the configuration.
        options: As for :func:`check_styles`.
        out_arg: As for :func:`check_styles`.
        templates: The texts that may have placeholders.
    """
    named = {name for text in templates for name in placeholders_in(text)}
    for option in sorted(options, key=str):
        placeholder = OUT_DIR if option == out_arg else option
        if style_of(option, styles).arg_style == 'omit' and placeholder not in named:
            return {
                'arg_style': f'leaves out {option!r}, and neither _COMMAND nor _ENV has {{{placeholder}}}: it would '
                'not reach the script.'
            }
    return {}


def _shows_path(arg_style: str) -> bool:
    """Whether an output folder can be found in its word again, when its search has been moved."""
    if arg_style == 'omit':
        return True
    template = TEMPLATES.get(arg_style, arg_style)
    return any(re.fullmatch(r'([^/]*[^\w/-])?{value}', word) for word in shlex.split(template))


def _problem_of(name: str, style: Any, options: Collection[str]) -> str:
    if isinstance(style, str):
        return _problem_of_choice(name, style)
    if not isinstance(style, Mapping):
        return f'is {reprlib.repr(style)}; {_listed(name)} is expected, or a dict from options to such.'
    for option, choice in style.items():
        if option != EVERY_OTHER and option not in options:
            return f'has {option!r}, which is no option of the grid{did_you_mean(str(option), options)}'
        if problem := _problem_of_choice(name, choice):
            return f'[{option!r}] {problem}'
    return ''


def _problem_of_choice(name: str, choice: Any) -> str:
    if choice in CHOICES[name]:
        return ''
    if name != 'arg_style' or not isinstance(choice, str) or not set('{} ') & set(choice):
        return f'is {choice!r}; {_listed(name)} is expected{did_you_mean(str(choice), CHOICES[name])}'
    problem = template_problem(choice)
    return f'is {choice!r}, which {problem}.' if problem else ''


def _listed(name: str) -> str:
    template = ', a template with {name} and {value}' if name == 'arg_style' else ''
    return f'one of {", ".join(CHOICES[name])}{template}'


def _flags_without_dashes(styles: Mapping[str, Style], flags: Collection[str]) -> Iterator[str]:
    for option in flags:
        style = style_of(option, styles)
        if style.bool_style in ('flag', 'flag_no') and not dashes_of(style.arg_style):
            yield option
