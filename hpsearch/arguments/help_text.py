"""What the ``--help`` of a script says of its options, and which values of a grid are of another kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpsearch.arguments.style import ArgumentStyle, words_of
from hpsearch.model.configuration import Value

_DECORATION = re.compile('\x1b\\[[0-9;]*[A-Za-z]|[\u2500-\u257f]')
"""Colours, and the boxes that rich draws."""

_ABSL = re.compile(r'--(\[no\])?([\w.-]+): ?(?:<([^>]*)>)?')
"""A line of absl, which has no metavars."""

_TOKEN = re.compile(r'(?:{[^}]*}|\[[^\]]*\]|<[^>]*>|[^\s,{\[<])+')
"""An option, or what stands for its value."""

_TYPE = re.compile(r'[A-Z]+( RANGE)?|\[.*\|.*\]|<.*>')
"""What typer shows in a column of its own."""

_NUMBER = re.compile(r'[<\[]*(INT|INTEGER|FLOAT|NUMBER)\b|\((a number|an integer)\)', re.IGNORECASE)

_PARSERS = re.compile(
    r'argparse|\b(?:click|typer|absl|tyro|draccus|pyrallis|parse|parser|parsing)\b|parse_', re.IGNORECASE
)
"""What stands in scripts that understand ``--help``."""

_INDENT = 4
"""Columns by which options may be indented more than others; descriptions that go on are indented more."""

_NAME = re.compile(r'-{1,2}[^\W\d][\w.-]*\Z')


@dataclass(frozen=True)
class ShownOption:
    """An option as a help text shows it.

    Attributes:
        name: With its dashes.
        metavar: What stands for its value; empty: it takes none.
        negation: The option that switches it off; empty: none is shown.
        description: What is said of it.
        line: Where it is shown; other spellings of it are in the same line.
    """

    name: str
    metavar: str = ''
    negation: str = ''
    description: str = field(default='', compare=False)
    line: int = field(default=0, compare=False)

    @property
    def may_have_value(self) -> bool:
        """Whether it is a flag of absl, which takes ``--on=false`` as well, and ``--noon`` rather than ``--no-on``."""
        return self.negation == f'--no{self.name[2:]}'

    @property
    def bool_style(self) -> str:
        """The style in which it takes True and False."""
        if self.metavar or self.may_have_value:
            return 'value'
        return 'flag_no' if self.negation else 'flag'

    @property
    def may_stand_alone(self) -> bool:
        """Whether its value may be left out."""
        return bool(re.match(r'\[[^|]*\]\Z', self.metavar))

    @property
    def choices(self) -> Sequence[str]:
        """The values it may have, where these are listed."""
        inner = re.fullmatch(r'[{\[<](.*[,|].*)[}\]>]', self.metavar)
        return re.split(r'[,|]', inner[1]) if inner else ()


def may_have_help(source: str) -> bool:
    """Whether a script may understand ``--help``, rather than begin its work when it gets it."""
    return bool(_PARSERS.search(source))


def is_hydra(source: str) -> bool:
    """Whether a script is one of Hydra, which prints its configuration for ``--cfg job``."""
    return 'hydra.main' in source


def plain_lines(text: str) -> list[str]:
    """The lines of a help text without colours and boxes."""
    return [re.sub(r'^\s*\*', ' ', _DECORATION.sub(' ', line)) for line in text.splitlines()]


def shown_options(text: str) -> dict[str, ShownOption]:
    """The options in a help text of argparse, click, typer, tyro or absl, by name with dashes; none in another text."""
    lines = plain_lines(text)
    indents = [len(line) - len(line.lstrip()) for line in lines]
    starts = [place for place, line in enumerate(lines) if line.lstrip().startswith('-')]
    least = min((indents[place] for place in starts), default=0)
    shown: dict[str, ShownOption] = {}
    for place in starts:
        if indents[place] <= least + _INDENT:
            following = [line.strip() for line in lines[place + 1 : place + 4]]
            described = _described(lines[place].strip(), _more(lines, place, indents, least))
            for option in _options_of(lines[place].strip(), following):
                shown.setdefault(option.name, replace(option, description=described, line=place))
    return shown


def _more(lines: Sequence[str], place: int, indents: Sequence[int], least: int) -> list[str]:
    """The lines in which the description of an option goes on."""
    more: list[str] = []
    for line, indent in zip(lines[place + 1 :], indents[place + 1 :], strict=True):
        begins_another = line.lstrip().startswith('-') and indent <= least + _INDENT
        if not line.strip() or indent <= least or begins_another:
            break
        more.append(line.strip())
    return more


def _described(line: str, following: Sequence[str]) -> str:
    """The description of an option, from its line and those that follow."""
    if match := _ABSL.match(line):
        first = [line[match.end() :].lstrip(': ')]
    else:
        parts = re.split(r'\s{2,}', line)
        first = [part for part in parts[1:] if not part.startswith('-') and not _TYPE.fullmatch(part)]
    return ' '.join(part for part in (*first, *following) if part)


def _options_of(line: str, following: Sequence[str]) -> Iterator[ShownOption]:
    if match := _ABSL.match(line):
        negates, name, choices = match.groups()
        value = f'<{choices}>' if choices else next(filter(_NUMBER.match, following), 'VALUE')
        yield ShownOption(f'--{name}', '' if negates else value, f'--no{name}' if negates else '')
        return
    names, metavar = _names_and_metavar(line)
    negations = {name: f'--no-{name[2:]}' for name in names if name.startswith('--')}
    pairs = {name: negation for name, negation in negations.items() if negation in names}
    for name in names:
        if name not in pairs.values():
            yield ShownOption(name, metavar, pairs.get(name, ''))


def _names_and_metavar(line: str) -> tuple[list[str], str]:
    """What a line shows, its description left out; no names if it shows no option."""
    names: list[str] = []
    metavar = ''
    for part in re.split(r'\s{2,}', line):
        if not part.startswith('-'):
            metavar = metavar or (part if names and _TYPE.fullmatch(part) else '')
            break
        tokens = _TOKEN.findall(part.replace('=', ' '))
        names += [token for token in tokens if _NAME.match(token)]
        metavar = metavar or ' '.join(dict.fromkeys(token for token in tokens if not token.startswith(('-', '/'))))
    return names, '' if metavar == '<bool>' else metavar


def doubts_by_help(
    text: str, columns: Mapping[str, Sequence[Value]], style_of: Callable[[str], ArgumentStyle]
) -> list[str]:
    """A sentence for each value that is of another kind than the option that a script's help shows.

    Args:
        text: What the script printed.
        columns: Option without dashes to every value it may take.
        style_of: Says how an option is written.
    """
    shown = shown_options(text)
    found = (
        _doubt(shown, option, value, style_of(option))
        for option, values in columns.items()
        for value in _distinct(values)
    )
    return [sentence for sentence in found if sentence]


def _distinct(values: Sequence[Value]) -> Iterator[Value]:
    return iter([value for value in (True, False, None) if any(each is value for each in values)])


def _doubt(shown: Mapping[str, ShownOption], option: str, value: Value, style: ArgumentStyle) -> str:
    written = words_of(option, value, style)
    name = f'--{option.replace("_", "-") if style.name_style == "dashes" else option}'
    found = shown.get(name)
    if found is None or style.arg_style not in ('equals', 'space'):
        return ''
    is_value = any('=' in word for word in written) or len(written) > 1
    why = _why_wrong(found, value, written, is_value=is_value)
    if not why:
        return ''
    gets = f'gives {" ".join(written)}' if written else 'gives no word'
    return f'{option}: {value} {gets}, but its --help shows {_shown(found)}: {why}.'


def _shown(option: ShownOption) -> str:
    parts = [f'{option.name} {option.metavar}'.strip(), option.negation]
    return ' and '.join(filter(None, parts))


def _why_wrong(found: ShownOption, value: Value, written: Sequence[str], *, is_value: bool) -> str:
    if is_value:
        return _why_no_such_value(found, value)
    if value is None:
        return ''
    cure = f'(_BOOL_STYLE = {found.bool_style!r})'
    if found.metavar and not found.may_stand_alone:
        return f'a value is expected {cure}'
    if value is False and not written and found.negation:
        return f'the default of the script holds, which may be True {cure}'
    if value is False and written and list(written) != [found.negation]:
        return f'there is no such option {cure}'
    return ''


def _why_no_such_value(found: ShownOption, value: Value) -> str:
    if value is None:
        takes_none = 'None' in re.split(r'\W+', found.metavar)
        return '' if takes_none else "the script gets the word None (_NONE_STYLE = 'omit' leaves the option out)"
    if not found.metavar and not found.may_have_value:
        return f'no value is expected (_BOOL_STYLE = {found.bool_style!r})'
    if found.choices and str(value).lower() not in map(str.lower, found.choices):
        return f'{value} is not among the values'
    return 'a number is expected' if _NUMBER.match(found.metavar) else ''
