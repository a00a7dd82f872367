"""The command line of each verb, from words to typed values, and its exit codes. Imports little: ``--help`` is fast."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from hpsearch.cli.declaring.fields import OptionGroup, integer_from, option
from hpsearch.cli.declaring.help_format import HelpFormatter
from hpsearch.cli.options import OF_PLACES, SearchOptions, add_group, add_options, given_to, search_options

ALL_FINISHED = 0
"""All runs finished; of a verb that runs nothing: it is done."""

SOME_DID_NOT = 1
"""Some runs did not finish."""

WRONG_REQUEST = 2
"""An option, the configuration or the folder is wrong, or the queue refuses such jobs."""

INTERRUPTED = 130
"""Stopped by a signal or by ``hpsearch stop``."""

_VERBS_OF_SEARCHES = ('resume', 'join')
"""They go on with a search that there is."""


class Parser(argparse.ArgumentParser):
    """Reports what is wrong in one line, and accepts dashes for the underscores in the names of options."""

    def __init__(self, **details: Any) -> None:
        super().__init__(formatter_class=HelpFormatter, **details)

    def parse_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The values of a command line; exits where a word is unknown."""
        return self._without_unknown(*self.parse_known_args(args, namespace))

    def parse_intermixed_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The same where options may stand between the words that are none."""
        return self._without_unknown(*self.parse_known_intermixed_args(args, namespace))

    def _without_unknown(self, values: Any, unknown: Sequence[str]) -> Any:
        if unknown:
            self.error(self._about_unknown(unknown[0]))
        return values

    def parse_known_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """The values of a command line, and the words that are unknown."""
        return super().parse_known_args([self._with_underscores(word) for word in args], namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with one line, and where to read more."""
        self.exit(WRONG_REQUEST, f'{self.prog}: {message}\nSee {self.prog} --help.\n')

    def takes_value(self, word: str) -> bool:
        """Whether a word is an option, perhaps abbreviated, that takes the next word for its value."""
        actions = [action for name, action in self._option_string_actions.items() if name.startswith(word)]
        return bool(actions) and all(action.nargs is None for action in actions)

    def _with_underscores(self, word: str) -> str:
        name, equals, value = word.partition('=')
        spelled = '--' + name[2:].replace('-', '_')
        is_other = name.startswith('--') and spelled != name
        return spelled + equals + value if is_other and self._begins_an_option(spelled) else word

    def _begins_an_option(self, name: str) -> bool:
        return len(name) > 2 and any(option.startswith(name) for option in self._option_string_actions)

    def _about_unknown(self, word: str) -> str:
        name = word.partition('=')[0]
        if self.prog.split()[-1] in _VERBS_OF_SEARCHES and self._with_underscores(name) in _options_of_run():
            return f'{name}: an option of hpsearch run; the search keeps what it was started with.'
        options = [option for option in self._option_string_actions if option.startswith('--')]
        similar = difflib.get_close_matches(self._with_underscores(name), options, n=1)
        what = f'{name}: no such option' if name.startswith('-') else f'{word}: not expected here'
        return f'{what}; did you mean {similar[0]}?' if similar else f'{what}.'


def _options_of_run() -> Collection[str]:
    return search_parser('run', '')._option_string_actions


def first_word(words: Sequence[str], parser: Parser | None = None) -> int:
    """Index of the first word that is no option of a search (or of another parser) and no value of one.

    It is the number of words before ``--`` where there is none.
    """
    parser, is_value = parser or search_parser('run', ''), False
    words = before_command(words)
    for index, word in enumerate(words):
        if not word.startswith('-') and not is_value:
            return index
        is_value = word.startswith('-') and parser.takes_value(parser._with_underscores(word))
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


def _parser(verb: str, description: str) -> Parser:
    return Parser(prog=f'hpsearch {verb}'.strip(), description=description)


_MANY_OPTIONS = '%(prog)s [OPTION ...]'


def _parser_of_search(verb: str, description: str) -> Parser:
    parser = _parser(verb, description)
    add_search_folder(parser)
    return parser


NEWEST = 'the search folder (default: the newest one below the current directory)'


def add_search_folder(parser: argparse.ArgumentParser, help_text: str = NEWEST, *, is_needed: bool = False) -> None:
    """Add the argument that names a search, which may be left out unless it is needed."""
    nargs = None if is_needed else '?'
    parser.add_argument('dir', metavar='DIR', nargs=nargs, default='', type=os.path.expanduser, help=help_text)


# run, plan


def search_parser(verb: str, description: str) -> Parser:
    """The parser of a verb that has every option of a search."""
    from hpsearch import __version__

    parser = _parser(verb, description)
    parser.usage = f'{_MANY_OPTIONS} CONFIG\n       {_MANY_OPTIONS} -- COMMAND ...'
    parser.add_argument('--version', action='version', version=f'hpsearch {__version__}')
    parser.add_argument(
        'config',
        metavar='CONFIG',
        nargs='?',
        default='',
        type=os.path.expanduser,
        help='the configuration, as --grid_module=CONFIG; or a command, as the last words after --',
    )
    add_options(parser)
    return parser


_EXAMPLES = """\
examples:
  hpsearch run my_config.py --cpu_jobs=4
  hpsearch run my_config.yaml --visible_gpus=0,1 --packing=auto
  hpsearch run --search=tpe --max_trials=50 --objective=lightning:val_loss \\
      --direction=minimize -- python3 train.py --lr~'loguniform(1e-5, 1)'
  hpsearch run my_config.py --run_cluster --scheduler=slurm --num_jobs=20

hpsearch plan, with the same words, shows what would be run.
"""


def run_parser() -> Parser:
    """The parser of ``hpsearch run``."""
    parser = search_parser('run', 'Create a search and work on it: run a script with many sets of hyperparameters.')
    parser.epilog = _EXAMPLES
    return parser


def parse_run(words: Sequence[str]) -> SearchOptions:
    """``hpsearch run``, and no verb at all."""
    parser = run_parser()
    return search_options(_of_command(parser, _values_of_search(parser, words)))


@dataclass(frozen=True)
class PlanCommand:
    """``hpsearch plan``.

    Attributes:
        options: Those of the search.
        only_commands: Show all commands, and nothing else.
        scripts: Show the scripts of its first jobs, and nothing else.
        shows_all: Show the summary with all commands, not only with the first ones.
    """

    options: SearchOptions
    only_commands: bool
    scripts: bool
    shows_all: bool


def parse_plan(words: Sequence[str]) -> PlanCommand:
    """``hpsearch plan``."""
    parser = plan_parser()
    values = _of_command(parser, _values_of_search(parser, words))
    return PlanCommand(search_options(values), values['commands'], values['scripts'], values['all'])


def _values_of_search(parser: Parser, words: Sequence[str]) -> dict[str, Any]:
    own = before_command(words)
    command = tuple(words[len(own) + 1 :])
    if len(own) < len(words) and not command:
        parser.error("a command is expected after --, as in -- python3 train.py --lr~'[0.1, 0.01]'")
    _check_for_command(parser, own)
    values = values_of(parser, own)
    config, module = values.pop('config'), values['grid_module']
    if config and module and config != module:
        parser.error(f'{config}: the configuration is given already, as --grid_module={module}')
    from hpsearch.config.source import OF_SAMPLERS

    given = tuple(sorted(given_in(parser, own, (*OF_SAMPLERS, 'random_seed', 'num_searches'))))
    return {**values, 'grid_module': config or module, 'command': command, 'given': given}


def _check_for_command(parser: Parser, words: Sequence[str]) -> None:
    """Exit where the words are a command with something to search that no -- precedes."""
    if has_search(words):
        from hpsearch.model.command import shell_line

        at = first_word(words)
        parser.error(f'a command stands after --: {parser.prog} {shell_line([*words[:at], "--", *words[at:]])}')


def _of_command(parser: Parser, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a command line that has one configuration at most."""
    if values['command'] and values['grid_module']:
        parser.error(
            f'{values["grid_module"]}: a command follows after --, which is the configuration itself; keep one of them'
        )
    return values


def plan_parser() -> Parser:
    """The parser of ``hpsearch plan``."""
    parser = search_parser('plan', 'Show what a search would run, without running anything.')
    which = parser.add_argument_group('what plan prints').add_mutually_exclusive_group()
    which.add_argument('--commands', action='store_true', help='print only the commands, one per line')
    which.add_argument('--all', action='store_true', help='show all commands, not only the first ones')
    which.add_argument(
        '--scripts', action='store_true', help='with --run_cluster: print the script of the first jobs to be submitted'
    )
    return parser


@dataclass(frozen=True)
class TryCommand:
    """``hpsearch try``.

    Attributes:
        options: Those of the search.
        run: Number of the run in the plan, from 1.
        keeps: Whether the scratch folder stays in any case.
    """

    options: SearchOptions
    run: int
    keeps: bool


def try_parser() -> Parser:
    """The parser of ``hpsearch try``."""
    parser = search_parser('try', 'Run one set of hyperparameters in the foreground, and show what was understood.')
    parser.add_argument(
        'run', metavar='RUN', nargs='?', type=integer_from(1), default=1, help='its number (default: 1)'
    )
    group = parser.add_argument_group('of the run that is tried')
    group.add_argument('--keep', action='store_true', help='keep the folder with its output')
    return parser


def parse_try(words: Sequence[str]) -> TryCommand:
    """``hpsearch try``."""
    parser = try_parser()
    values = _values_of_search(parser, words)
    if values['command'] and values['grid_module'].isdigit():
        values |= {'grid_module': '', 'run': int(values['grid_module']) or 1}  # the only word is the number of the run
    values = _of_command(parser, values)
    return TryCommand(search_options(values), values['run'], values['keep'])


@dataclass(frozen=True)
class InitCommand:
    """``hpsearch init``.

    Attributes:
        script: Path of the script.
        words: Words that every run gets before its options.
        python: First word of the commands of a Python script; empty: ``python3``.
        output: Path of the module to write; empty: it is named after the script.
        tries: Whether the script is run once, to see where its result is.
    """

    script: str
    words: Sequence[str]
    python: str
    output: str
    tries: bool


def init_parser() -> Parser:
    """The parser of ``hpsearch init``."""
    parser = _parser('init', 'Write a configuration for a script, from its --help and from one run of it.')
    parser.add_argument('script', metavar='SCRIPT', type=os.path.expanduser, help='a .py file or a program')
    parser.add_argument('words', metavar='WORD', nargs='*', help='what every run gets first, such as a sub-command')
    parser.add_argument(
        '--output', metavar='FILE', default='', help='the file to write (default: SCRIPT_search.py, here)'
    )
    parser.add_argument(
        '--python', metavar='FILE', default='', type=os.path.expanduser, help='the interpreter (default: python3)'
    )
    parser.add_argument('--dont_try', action='store_true', help='do not run the script')
    return parser


def parse_init(words: Sequence[str]) -> InitCommand:
    """``hpsearch init``."""
    values = vars(init_parser().parse_args(words))
    tries = not values.pop('dont_try')
    return InitCommand(**values, tries=tries)


# resume, join


@dataclass(frozen=True)
class ResumeCommand(OptionGroup):
    """``hpsearch resume`` or ``hpsearch join``, with the options that only they have.

    Attributes:
        dir: The search folder.
        given: Options of the search that were given now; the others keep their values.
        waits_for_others: Stay until the runs of others have ended, too (``resume``).
    """

    title: ClassVar[str] = 'resuming'

    dir: str
    given: Mapping[str, Any]
    waits_for_others: bool

    extend: bool = option(False, 'read the configuration again: new combinations are added, removed ones are not run')
    reread: bool = option(
        False,
        'read the results again, by the configuration as it is now: runs that failed only because their results could '
        'not be read have finished then',
    )
    retry_failed: bool = option(False, 'failed runs get one more attempt')
    retry_cancelled: bool = option(False, 'run again what was cancelled, by hpsearch cancel or in the queue')
    dead_hosts: tuple[str, ...] = option(
        (),
        'nothing runs on this host any more: run again what was started there; may be given several times',
        flag='host_is_dead',
        metavar='HOST',
    )
    trust: bool = option(False, 'resume a search that another user wrote or can write; its commands are executed')


_RESUMES = {
    'resume': 'Continue a search; exits when all its runs have ended.',
    'join': 'Help with a search; exits when there is nothing left to start.',
}


def resume_parser(verb: str) -> Parser:
    """The parser of ``hpsearch resume`` and ``join``: where, how many and how can differ from the first time."""
    parser, joins = _parser(verb, _RESUMES[verb]), verb == 'join'
    add_search_folder(parser, 'the search folder' if joins else NEWEST, is_needed=joins)
    parser.usage = f'{_MANY_OPTIONS} {"DIR" if joins else "[DIR]"}'
    add_options(parser, (*OF_PLACES, 'pruning', 'limits', 'execution', 'notify', 'display'), keeps=True)
    group = add_group(parser, ResumeCommand)
    group.add_argument(
        '--num_searches', metavar='N', type=int, default=argparse.SUPPRESS, help='with --extend: another number of runs'
    )
    group.add_argument(
        '--grid_module',
        metavar='MODULE',
        type=os.path.expanduser,
        default=argparse.SUPPRESS,
        help='with --reread or --extend: another file of the configuration, from now on',
    )
    return parser


def parse_resume(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch resume``."""
    parser = resume_parser('resume')
    return _resume_command(values_of(parser, words), waits_for_others=True)


def parse_join(words: Sequence[str]) -> ResumeCommand:
    """``hpsearch join``."""
    parser = resume_parser('join')
    return _resume_command(values_of(parser, words), waits_for_others=False)


def _resume_command(values: Mapping[str, Any], *, waits_for_others: bool) -> ResumeCommand:
    own = given_to(ResumeCommand, values)
    given = {name: value for name, value in values.items() if name not in own}
    return ResumeCommand(given=given, waits_for_others=waits_for_others, **own)


# The other verbs


def status_parser() -> Parser:
    """The parser of ``hpsearch status``."""
    parser = _parser_of_search('status', 'Show the state of a search.')
    parser.add_argument('--json', action='store_true', help='as JSON, for scripts')
    parser.add_argument(
        '--predictions', action='store_true', help='also what each run was expected to need, and what was measured'
    )
    return parser


def stop_parser() -> Parser:
    """The parser of ``hpsearch stop``."""
    parser = _parser_of_search('stop', 'Stop a search in an orderly way.')
    parser.add_argument('--drain', action='store_true', help='start no more runs, but let those that run end')
    parser.add_argument('--trust', action='store_true', help='stop a search that another user wrote or can write')
    return parser


def export_parser() -> Parser:
    """The parser of ``hpsearch export``."""
    from hpsearch.export.targets import TARGETS

    parser = _parser('export', 'Write a search so that another program can open it.')
    parser.add_argument('tool', metavar='TOOL', choices=tuple(TARGETS), help=f'the program: {", ".join(TARGETS)}')
    add_search_folder(parser)
    parser.add_argument(
        '--to',
        metavar='PATH',
        default='',
        type=os.path.expanduser,
        help='the file or folder to write (default: one in the current directory, named after the search); '
        'for optuna, an ending .db makes a SQLite database of it',
    )
    return parser


def templates_parser() -> Parser:
    """The parser of ``hpsearch templates``."""
    parser = _parser('templates', 'Configurations to start from.')
    parser.add_argument(
        'name', metavar='NAME', nargs='?', default='', help='the template to print (default: list them)'
    )
    return parser


# Profiles

_RIVALS = {
    'slurm_time': 'num_hours',
    **dict.fromkeys(('visible_gpus', 'packing', 'gpus_per_run'), 'cpu_jobs'),
    'cpu_jobs': 'visible_gpus',
}
"""Option to another that says the same, or rules it out: where that one is given, a profile must not say it."""


def profile_options() -> dict[str, argparse.Action]:
    """The options that a profile may set, by their names without dashes: those of this machine, of clusters, of you."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser, (*OF_PLACES, 'notify'))
    return {action.dest: action for action in parser._actions if action.dest != 'profile'}


def values_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """The values of a command line by their names, completed from its ``--profile``.

    The command line takes precedence; a list that it gives replaces that of the profile. The ``job_prologue`` of a
    profile becomes a value like the options.

    Raises:
        ConfigError: With every problem of the profile.
    """
    values = vars(parser.parse_args(words))
    if not values.get('profile'):
        return values
    from hpsearch.config.profile import read_profile

    profile = read_profile(Path(os.path.abspath(values['profile'])), profile_options())
    given = given_in(parser, words, {*profile, *_RIVALS.values()})
    added = {name for name in profile.keys() - given if _RIVALS.get(name) not in given}
    return {**values, **{name: profile[name] for name in added}}


def given_in(parser: argparse.ArgumentParser, words: Sequence[str], names: Iterable[str]) -> set[str]:
    """Which of these options a command line gives: argparse puts no default where there is a value, even None."""
    values = vars(parser.parse_args(words, argparse.Namespace(**dict.fromkeys(names))))
    return {name for name in names if values[name] is not None}
