"""A grid module to start from, written from what the ``--help`` of a script shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from hpsearch.arguments.help_text import ShownOption, plain_lines, shown_options

OUTPUT_NAMES = (
    *('out_dir', 'output_dir', 'outdir', 'output', 'out', 'save_dir', 'savedir', 'log_dir', 'logdir', 'result_dir'),
    *(
        'results_dir',
        'run_dir',
        'work_dir',
        'workdir',
        'exp_dir',
        'model_dir',
        'checkpoint_dir',
        'ckpt_dir',
        'train_dir',
    ),
    *('default_root_dir', 'trainer.default_root_dir', 'output_path', 'save_path', 'output_folder', 'log_path'),
)
"""What the option for the output folder may be called, the likeliest first."""

_NO_HYPERPARAMETERS = ('help', 'version', 'helpfull', 'helpshort', 'helpxml', 'install_completion', 'show_completion')

_CUSTOMARY: Mapping[str, object] = {
    **{'lr': 0.001, 'learning_rate': 0.001, 'optimizer.lr': 0.001, 'seed': 1, 'random_seed': 1, 'batch_size': 32},
    **{'weight_decay': 0.0001, 'dropout': 0.1, 'momentum': 0.9, 'epochs': 10, 'num_epochs': 10},
}
"""Options to begin with, where there are such, to a value where the default is not known."""

_DEFAULT = re.compile(r'[\[(](?:[^\[\]()]*[,;] )?default: ?((?:\[[^\]]*\]|\([^)]*\)|[^\[\]()])*?)(?:;[^\])]*)?[\])]')

_WIDTH = 100
"""Characters of a description."""


@dataclass(frozen=True)
class DraftOption:
    """An option of a script as it stands in a grid module.

    Attributes:
        shown: The option as the help shows it; of a positional argument, without dashes.
        key: Its name in the grid.
        default: Its default value; None: it is not known.
        is_required: Whether a run needs it.
        is_positional: Whether it has no name in commands.
    """

    shown: ShownOption
    key: str
    default: object = None
    is_required: bool = False
    is_positional: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return not self.shown.metavar and not self.is_positional

    @property
    def is_bool(self) -> bool:
        """Whether it is True or False."""
        return self.is_flag or isinstance(self.default, bool) or self.shown.metavar.lower() in ('bool', 'boolean')

    @property
    def values(self) -> list[object]:
        """What it may be given to begin with; empty: nothing is known."""
        if self.is_bool:
            return [False, True]
        if self.default is not None:
            return [self.default]
        if self.choices:
            return [_value(self.choices[0])]
        return [_CUSTOMARY[_plain(self.key)]] if _plain(self.key) in _CUSTOMARY else []

    @property
    def is_example(self) -> bool:
        """Whether its values are neither those of the script nor all there are."""
        return self.default is None and not self.choices and not self.is_bool and bool(self.values)

    @property
    def choices(self) -> Sequence[str]:
        """The values it may have, where these are listed."""
        return [] if '...' in self.shown.metavar else self.shown.choices

    @property
    def is_number(self) -> bool:
        """Whether it begins with a number."""
        return not self.is_bool and bool(self.values) and isinstance(self.values[0], (int, float))


@dataclass(frozen=True)
class Draft:
    """A grid module that is to be written.

    Attributes:
        script: Path of the script, as ``_SCRIPT_NAME`` has it; of a program, the only word of its command.
        is_python: Whether it is executed by Python.
        fixed: Words that every run gets before its options.
        options: What may be in the grid.
        output: The option of the output folder; None: there seems to be none.
        styles: Attributes of styles to their values.
        result: Attributes that say where the result is; empty: it is not known.
        make_out_dir: Whether the output folder has to be made before the script starts.
        sub_commands: Those the script has, of which none was given.
    """

    script: str
    is_python: bool
    fixed: Sequence[str] = ()
    options: Sequence[DraftOption] = ()
    output: DraftOption | None = None
    styles: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] = field(default_factory=dict)
    make_out_dir: bool = False
    sub_commands: Sequence[str] = ()

    @property
    def begun(self) -> list[DraftOption]:
        """The options that are in the grid, rather than in a comment: those that are required, or else one."""
        known = [option for option in self.options if option.values]
        numbers = [option for option in known if option.is_number]
        ranked = [option for name in _CUSTOMARY for option in numbers if _plain(option.key) == name]
        required = [option for option in known if option.is_required]
        rest = [*ranked, *numbers, *(option for option in known if option.choices), *known]
        return required or rest[:1]

    @property
    def can_run(self) -> bool:
        """Whether a run of it may come to an end without more values."""
        is_complete = all(option.values for option in self.options if option.is_required)
        return is_complete and bool(self.begun) and not self.sub_commands

    @property
    def missing(self) -> list[str]:
        """What is left to fill in, in sentences."""
        needed = [option.key for option in self.options if option.is_required and not option.values]
        sentences = [f'grid: the script needs values for {", ".join(needed)}.'] if needed else []
        if self.sub_commands:
            sentences.append(f'_FIXED_ARGS: the script has sub-commands, one of {", ".join(self.sub_commands)}.')
        if not self.options:
            sentences.append('grid: the help of the script shows no options; write them as the script expects them.')
        else:
            sentences.append('grid: the values that are to be tried; an option counts without the # before it.')
        if self.output is None:
            sentences.append('_OUT_ARG: the option for the output folder, if the script has one; none was recognized.')
        if not self.result:
            sentences.append('_RESULT: where the result is; none was recognized.')
        elif key := self.result.get('_PERFORMANCE_KEY'):
            best = 'smallest' if self.result.get('_PERFORMANCE_SORT_ASC') else 'largest'
            sentences.append(f'_PERFORMANCE_KEY: the {best} {key} is the best, unless you name another.')
        return sentences


def draft_of_hydra(script: str, values: Mapping[str, str], fixed: Sequence[str] = ()) -> Draft:
    """A grid module for a script of Hydra, without its result.

    Args:
        script: Its path.
        values: The values of its configuration, by names with dots.
        fixed: Words that every run gets before its options.
    """
    options = [DraftOption(ShownOption(name, 'VALUE'), name, _value(text) or text) for name, text in values.items()]
    output = DraftOption(ShownOption('hydra.run.dir', 'DIR'), 'hydra.run.dir')
    return Draft(script, True, fixed, options, output, {'_ARG_STYLE': 'hydra'})


def is_configuration(source: str) -> bool:
    """Whether a Python file is a grid module rather than a script."""
    return bool(
        re.search(r'^grid\s*=', source, re.MULTILINE) and re.search(r'^_(SCRIPT|COMMAND)', source, re.MULTILINE)
    )


def draft_of(script: str, source: str, text: str, fixed: Sequence[str] = (), *, is_python: bool = True) -> Draft:
    """A grid module for a script, without its result.

    Args:
        script: Its path.
        source: Its source; empty: it is not known.
        text: Its help text.
        fixed: Words that every run gets before its options.
        is_python: Whether it is executed by Python.
    """
    in_source = _options_in(source) if is_python else {}
    required, positional, sub_commands = _needed(text, fixed)
    shown = _one_each(shown_options(text))
    shown = {name: option for name, option in shown.items() if _plain(name) not in _NO_HYPERPARAMETERS}
    dashed = _has_dashes(shown)
    options = [
        DraftOption(
            option,
            name.lstrip('-').replace('-', '_') if dashed else name.lstrip('-'),
            _default_of(option, in_source.get(name, {})),
            name in required or '[required]' in option.description or '(required)' in option.description,
        )
        for name, option in shown.items()
    ]
    options += [DraftOption(ShownOption(name), name, is_required=True, is_positional=True) for name in positional]
    output = _output_of(options)
    return Draft(
        script,
        is_python,
        fixed,
        [option for option in options if option is not output],
        output,
        _styles(options, source, dashed=dashed),
        sub_commands=sub_commands,
    )


def _one_each(shown: Mapping[str, ShownOption]) -> dict[str, ShownOption]:
    """The options without their short names and other spellings."""
    chosen: dict[int, ShownOption] = {}
    for option in sorted(shown.values(), key=lambda option: (option.line, not option.name.startswith('--'))):
        chosen.setdefault(option.line, option)
    return {option.name: option for option in chosen.values()}


def _plain(name: str) -> str:
    return name.lstrip('-').replace('-', '_').lower()


def _has_dashes(names: Iterable[str]) -> bool:
    """Whether names have dashes where those of Python have underscores."""
    inner = [name.lstrip('-') for name in names]
    return any('-' in name for name in inner) and not any('_' in name for name in inner)


def _output_of(options: Sequence[DraftOption]) -> DraftOption | None:
    found = {_plain(option.key): option for option in options if not option.is_flag}
    return next((found[name] for name in OUTPUT_NAMES if name in found), None)


# Defaults


def _default_of(option: ShownOption, in_source: Mapping[str, object]) -> object:
    match = _DEFAULT.search(option.description)
    text = match[1].strip().strip('\'"') if match else ''
    if option.negation and text.lstrip('-') in (option.name.lstrip('-'), f'no-{option.name[2:]}'):
        return text.lstrip('-') == option.name.lstrip('-')
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    if option.choices and text.rpartition('.')[2] in option.choices:
        return _value(text.rpartition('.')[2])
    if not text or text in ('None', '==SUPPRESS=='):
        return in_source.get('default')
    return _value(text)


def _value(text: str) -> object:
    """A number, a truth value, or the text."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _options_in(source: str) -> dict[str, dict[str, object]]:
    """Options that ``add_argument`` gets, to its keywords with constant values."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    found: dict[str, dict[str, object]] = {}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == 'add_argument':
            constants = ((word.arg, _constant(word.value)) for word in call.keywords)
            keywords = {name: value for name, value in constants if name and value is not None}
            found |= dict.fromkeys([name for name in map(_constant, call.args) if isinstance(name, str)], keywords)
    return found


def _constant(node: ast.expr) -> object:
    """The number, truth value or text that is written here; None: it is something else."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, (bool, int, float, str)) else None


def _needed(text: str, fixed: Sequence[str]) -> tuple[set[str], list[str], list[str]]:
    """Options and positional arguments that the usage line shows outside of brackets, and sub-commands."""
    words = [word for word in _usage(text).split()[1:] if word not in fixed and not word.endswith('.py')]
    if sub_commands := _sub_commands(words, text):
        return set(), [], sub_commands
    required = {word for word in words if word.startswith('-')}
    others = [word for before, word in zip(['', *words], words, strict=False) if not f'{before}{word}'.startswith('-')]
    return required, [name for name in map(_positional(text), others) if name], []


def _usage(text: str) -> str:
    """The usage line, without what stands in brackets."""
    usage = re.search(r'^\s*usage:\s*(\S.*?)(?:\n\s*\n|\Z)', text, re.IGNORECASE | re.DOTALL | re.MULTILINE)
    line = usage[1] if usage else ''
    while (shorter := re.sub(r'\[[^\[\]]*\]|\([^()]*\)', ' ', line)) != line:
        line = shorter
    return line


def _positional(text: str) -> Callable[[str], str]:
    """Says which positional argument a word of the usage line is; empty: none."""
    if 'Usage:' in text:  # click and typer show them in capitals or in braces
        return lambda word: word.strip('{}').lower() if re.fullmatch(r'[A-Z]\w*|\{\w+\}', word) else ''
    listed = re.search(r'^positional arguments:\n((?:[ \t]+.*\n|\n(?=[ \t]))*)', text, re.MULTILINE)
    names = re.findall(r'^ {1,4}(\w+)', listed[1] if listed else '', re.MULTILINE)
    return lambda word: word if word in names else ''


def _sub_commands(words: Sequence[str], text: str) -> list[str]:
    """The sub-commands of which a usage line expects one."""
    if 'COMMAND' in words:
        listed = plain_lines(text)
        start = next((place for place, line in enumerate(listed, 1) if re.match(r'\s*Commands\b', line)), len(listed))
        section = list(takewhile(str.strip, listed[start:]))
        indent = min((len(line) - len(line.lstrip()) for line in section), default=0)
        return re.findall(rf'^ {{{indent}}}([\w-]+)', '\n'.join(section), re.MULTILINE) or ['COMMAND']
    choices = next(filter(None, (re.fullmatch(r'\{(.+)\}', word) for word in words)), None)
    return choices[1].split(',') if choices and '...' in words else []


# Styles


def _styles(options: Sequence[DraftOption], source: str, *, dashed: bool) -> dict[str, object]:
    """The attributes of the styles in which a script seems to take its options."""
    single = [option.key for option in options if re.match('-[^-]', option.shown.name)]
    positional = [option.key for option in options if option.is_positional]
    named = len(options) - len(positional)
    arg_style: dict[str, str] = {
        **dict.fromkeys(positional, '{value}'),
        **(dict.fromkeys(single, 'single_dash') if len(single) < named else {'*': 'single_dash'} if single else {}),
    }
    bools = [option for option in options if option.is_bool]
    kinds = {option.key: option.shown.bool_style for option in bools}
    others = {key: style for key, style in kinds.items() if style != 'flag'}
    is_same = len({*kinds.values()}) == 1
    found: dict[str, object] = {
        '_ARG_STYLE': arg_style['*'] if [*arg_style] == ['*'] else arg_style,
        '_NAME_STYLE': 'dashes' if dashed else '',
        '_BOOL_STYLE': next(iter(others.values())) if others and is_same else others,
        '_LIST_STYLE': _list_style(source),
    }
    return {attribute: style for attribute, style in found.items() if style}


def _list_style(source: str) -> str:
    if re.search(r'\bmultiple=True|action=.append|import typer', source):
        return 'repeat'
    if 'DEFINE_list' in source:
        return 'comma'
    return 'python' if 'jsonargparse' in source else ''


# The module


def module_text(draft: Draft) -> str:
    """The grid module, with comments."""
    return '\n'.join(_lines(draft)) + '\n'


def _lines(draft: Draft) -> Iterator[str]:
    title = ' '.join((draft.script, *draft.fixed)).replace('\\', '/').replace('"', "'")
    yield f'"""A search with {title}: each run gets one combination of these values."""'
    yield ''
    yield 'grid = {'
    begun = draft.begun
    for option in draft.options:
        yield from _option_lines(option, is_begun=option in begun)
    yield '}'
    yield ''
    yield f'_SCRIPT_NAME = {draft.script!r}' if draft.is_python else f'_COMMAND = [{draft.script!r}]'
    if draft.fixed:
        yield f'_FIXED_ARGS = {list(draft.fixed)!r}'
    out_arg = draft.output.key if draft.output else None
    yield f'_OUT_ARG = {out_arg!r}  # the option that gets the folder for its output'
    if draft.make_out_dir:
        yield '_MAKE_OUT_DIR = True  # the script expects that its output folder exists'
    for attribute, style in draft.styles.items():
        yield f'{attribute} = {_style_text(style, draft.output)}'
    yield ''
    yield from _result_lines(draft)


def _style_text(style: object, output: DraftOption | None) -> str:
    """A style of all options, or those of the options that are in the grid, which may name no others."""
    if not isinstance(style, dict):
        return repr(style)
    others = {option: its for option, its in style.items() if output is None or option != output.key}
    always = {option: its for option, its in style.items() if option not in others}
    in_grid = f'name: style for name, style in {others!r}.items() if name in grid' if others else ''
    if not always:
        return f'{{{in_grid}}}'
    return f'{{**{always!r}, **{{{in_grid}}}}}' if in_grid else repr(always)


def _option_lines(option: DraftOption, *, is_begun: bool) -> Iterator[str]:
    shown = option.shown
    metavar = '' if shown.metavar.startswith('(') else shown.metavar  # of absl, whose descriptions end with it
    what = ' '.join(filter(None, (shown.name, shown.negation and f'/ {shown.negation}', metavar)))
    said = f': {shown.description}' if shown.description else ''
    needed = ' (required)' if option.is_required and 'required' not in said else ''
    yield f'    # {_clipped(f"{what}{said}{needed}")}'
    example = '  # an example' if option.is_example else ''
    yield f'    {"" if is_begun else "# "}{option.key!r}: {option.values!r},{example}'


def _clipped(text: str) -> str:
    plain = ' '.join(''.join(sign if sign.isprintable() else ' ' for sign in text).split())
    return plain if len(plain) <= _WIDTH else f'{plain[: _WIDTH - 3]}...'


def _result_lines(draft: Draft) -> Iterator[str]:
    if not draft.result:
        yield "# Where the result is: a file in the output folder (_RESULT = 'metrics.json'), or what is printed"
        yield "# (_RESULT = r'stdout: accuracy ([0-9.]+)'); _PERFORMANCE_KEY names what runs are sorted by."
        yield '_SUMMARY_FILENAME = None  # no result is read: a run has finished if its exit status is 0'
        return
    for attribute, value in draft.result.items():
        yield f'{attribute} = {value!r}'
