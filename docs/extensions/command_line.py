"""A Sphinx extension: options of the command line, as their parsers declare them.

``.. options:: VERB`` lists the options of a verb, with ``:group: TITLE`` only those of one group. What its content says
of an option, in a definition list, is shown instead of its help; its form and its default are those of the program.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from hpsearch.cli.declaring.help_format import stated_default
from hpsearch.cli.describing.verbs import parsers_of_verbs
from hpsearch.cli.parsers.parser import Parser

_DEFAULT = re.compile(r' ?\(default: (.*)\)$')
_CODE = re.compile(r"(?<![\w`])(--[a-z][\w-]*(?:=\w+|~'[^']*')?|_[A-Z][A-Z_]+|[\w.]+/[\w./]+|hpsearch [a-z]+)")


class Options(SphinxDirective):
    """The options of a verb, or of one group of them."""

    required_arguments = 1
    option_spec = {'group': directives.unchanged}  # noqa: RUF012
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The nodes: one description per option."""
        verb = self.arguments[0]
        parser, added = parsers_of_verbs()[verb], dict(self._added())
        actions = [each for each in actions_of(parser, self.options.get('group')) if each.option_strings]
        unknown = added.keys() - {name for action in actions for name in action.option_strings}
        if not actions or unknown:
            raise self.error(f'hpsearch {verb} has no {", ".join(unknown) or self.options.get("group")}')
        lines = [f'.. program:: hpsearch {verb}', '']
        for action in actions:
            lines += entry(action, next((added[name] for name in action.option_strings if name in added), None))
        return self.parse_text_to_nodes('\n'.join(lines))

    def _added(self) -> Iterator[tuple[str, list[str]]]:
        name, lines = '', []  # type: ignore[var-annotated]
        for line in StringList(self.content):
            if line.startswith('--'):
                if name:
                    yield name, lines
                name, lines = line.strip(), []
            else:
                lines.append(line)
        if name:
            yield name, lines


def actions_of(parser: Parser, title: str | None) -> list[argparse.Action]:
    """The options of a parser that its help shows, or those of one of its groups."""
    groups = [group for group in parser._action_groups if title in (None, group.title)]
    actions = [each for group in groups for each in group._group_actions]
    return [each for each in actions if each.help != argparse.SUPPRESS and each.dest not in ('help', 'version')]


def entry(action: argparse.Action, text: list[str] | None) -> list[str]:
    """An option in reStructuredText: how it is written, what it means (by a text, or by its help), and its default."""
    help_text = (action.help or '').replace('%(default)s', str(action.default)).replace('%%', '%') + stated_default(
        action
    )
    default = _DEFAULT.search(help_text)
    meaning = ['   ' + _sentence(_DEFAULT.sub('', help_text))] if text is None else text
    stated = ['', f'   Default: {_marked(default[1])}.'] if default else []
    names = ', '.join(f'{name} {value_of(action)}'.strip() for name in action.option_strings)
    return [f'.. option:: {names}', '', *meaning, *stated, '']


def value_of(action: argparse.Action) -> str:
    """What stands for the value of an option; empty: it has none."""
    if action.nargs == 0:
        return ''
    return str(action.metavar or '|'.join(map(str, action.choices or [action.dest.upper()])))


def _sentence(text: str) -> str:
    return f'{text[:1].upper()}{_marked(text[1:].strip())}.'


def _marked(text: str) -> str:
    """Options, attributes and commands as literals."""
    return _CODE.sub(r'``\1``', text.replace('*', r'\*'))


class OtherVerbs(SphinxDirective):
    """The verbs that are no search of their own, each with what it does and with the options that only it has."""

    def run(self) -> list[nodes.Node]:
        """The nodes: a title, a sentence and the options of each verb."""
        parsers = parsers_of_verbs()
        of_search = {name for action in actions_of(parsers['run'], None) for name in action.option_strings}
        lines = []
        for verb, parser in parsers.items():
            own = [each for each in actions_of(parser, None) if not of_search & set(each.option_strings)]
            if verb != 'run' and own:
                lines += [f'.. rubric:: hpsearch {verb}', '', _sentence((parser.description or '').rstrip('.')), '']
                lines += [f'.. program:: hpsearch {verb}', '']
                for action in own:
                    lines += entry(action, None) if action.option_strings else _word(action)
        return self.parse_text_to_nodes('\n'.join(lines))


def _word(action: argparse.Action) -> list[str]:
    """An argument that is no option."""
    text = (action.help or '').replace('%%', '%')
    return [f'``{action.metavar or action.dest.upper()}``', f'   {_sentence(text)}', '']


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.add_directive('options', Options)
    app.add_directive('other-verbs', OtherVerbs)
    return {'parallel_read_safe': True}
