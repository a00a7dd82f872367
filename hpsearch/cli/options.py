"""The options of the command line: those of the original, with its meanings and defaults, and ours."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

DEFAULT_OUT_DIR = './out/hyperparam_search'


def number_between(low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number from ``low`` to ``high``."""

    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text} is not between {low:g} and {high:g}')
        return value

    parse.__name__ = 'number'  # argparse tells it where the text is no number
    return parse


def integer_from(low: int) -> Callable[[str], int]:
    """An argparse type: a whole number, at least ``low``."""

    def parse(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f'{text} is less than {low}')
        return value

    parse.__name__ = 'whole number'
    return parse


fraction = number_between(0, 1)


def warning_signal(text: str) -> str:
    """An argparse type: ``NAME@SECONDS``, or ``none``."""
    if text and text != 'none' and not re.fullmatch(r'[A-Z][A-Z0-9]*@[1-9]\d*', text):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME@SECONDS, e.g. USR1@120')
    return text


def memory_size(text: str) -> str:
    """An argparse type: a number of MiB, or with one of the units K, M, G, T."""
    if text and not re.fullmatch(r'[1-9]\d*[KMGT]?', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no size of memory, e.g. 64G')
    return text


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Every option of a search."""
    add_configuration_options(parser)
    add_folder_options(parser)
    add_local_options(parser)
    add_cluster_options(parser)
    add_conduct_options(parser)
    add_terminal_options(parser)


def add_configuration_options(parser: argparse.ArgumentParser) -> None:
    """What is run."""
    group = parser.add_argument_group('what is run')
    group.add_argument(
        '--grid_module',
        metavar='MODULE',
        default='',
        help='the configuration: a module name, a path to a .py file, or a path to a YAML file (required)',
    )
    group.add_argument(
        '--grid_config',
        metavar='FILE',
        default='',
        help='YAML, JSON or pickle file whose "grid" and/or "conditions" replace those of the configuration',
    )
    group.add_argument(
        '--set',
        dest='replacements',
        metavar='NAME=[V1,V2]',
        action='append',
        default=[],
        help='replace the values of one option of the grid; may be given several times',
    )
    group.add_argument(
        '--num_searches',
        metavar='N',
        type=int,
        default=-1,
        help='run at most N configurations; -1: all (default: %(default)s)',
    )
    group.add_argument(
        '--deterministic_search', action='store_true', help='keep the order of the grid instead of shuffling it'
    )
    group.add_argument(
        '--dont_generate_full_grid',
        action='store_true',
        help='draw --num_searches configurations at random, without repetition, instead of going through the grid',
    )
    group.add_argument(
        '--random_seed', metavar='N', type=int, default=42, help='seed of shuffling and drawing (default: %(default)s)'
    )
    group.add_argument(
        '--python',
        metavar='FILE',
        default='',
        help='interpreter of the training script (default: python3 from PATH)',
    )


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Where results go."""
    group = parser.add_argument_group('where results go')
    group.add_argument(
        '--out_dir',
        metavar='DIR',
        default=DEFAULT_OUT_DIR,
        help='a subfolder search_<date> is made in it; relative to --run_cwd (default: %(default)s)',
    )
    group.add_argument('--force_out_dir', action='store_true', help='use exactly --out_dir, without a subfolder')
    group.add_argument(
        '--dont_force_new_dir',
        action='store_true',
        help='the folder may exist already; an earlier search in it is moved aside, not merged',
    )
    group.add_argument(
        '--dont_start',
        action='store_true',
        help='only make the search folder with its plan; hpsearch join or resume works on it',
    )
    group.add_argument(
        '--run_cwd', metavar='DIR', default='.', help='working directory of the runs (default: the current one)'
    )


def add_local_options(parser: argparse.ArgumentParser) -> None:
    """Runs on this machine."""
    group = parser.add_argument_group('on this machine')
    group.add_argument(
        '--visible_gpus',
        metavar='LIST',
        default='',
        help='comma-separated GPU numbers as nvidia-smi shows them; empty: all; -1: assign none, '
        'one run after the other in the foreground (default: all)',
    )
    group.add_argument(
        '--cpu_jobs',
        metavar='N',
        type=integer_from(1),
        default=None,
        help='run N runs at a time and assign no GPUs',
    )
    group.add_argument(
        '--allowed_load',
        metavar='F',
        type=fraction,
        default=0.5,
        help='a GPU above this load (0-1) gets no run (default: %(default)s)',
    )
    group.add_argument(
        '--allowed_memory',
        metavar='F',
        type=fraction,
        default=0.5,
        help='a GPU with more than this share (0-1) of its memory in use gets no run (default: %(default)s)',
    )
    group.add_argument(
        '--sim_startup_time',
        metavar='N',
        type=number_between(0, float('inf')),
        default=60,
        help='seconds after a start on a GPU before it is considered again (default: %(default)s)',
    )
    group.add_argument(
        '--max_num_jobs_per_gpu',
        metavar='N',
        type=integer_from(1),
        default=1,
        help='runs of this search per GPU at a time (default: %(default)s)',
    )
    group.add_argument(
        '--gpus_per_run', metavar='N', type=integer_from(1), default=1, help='GPUs per run (default: %(default)s)'
    )


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Runs in the queue of a cluster."""
    group = parser.add_argument_group('on a cluster')
    group.add_argument('--run_cluster', action='store_true', help='submit the runs to a scheduler')
    group.add_argument(
        '--scheduler', choices=('lsf', 'slurm'), default='lsf', help='which scheduler (default: %(default)s)'
    )
    group.add_argument(
        '--num_jobs', metavar='N', type=integer_from(1), default=8, help='jobs at a time (default: %(default)s)'
    )
    group.add_argument(
        '--num_hours', metavar='N', type=integer_from(1), default=24, help='time limit of a job (default: %(default)s)'
    )
    group.add_argument(
        '--runs_per_job',
        metavar='K',
        type=integer_from(0),
        default=0,
        help='submit jobs that each work on the search with K runs at a time until their time is up; '
        '0: a job per run (default: %(default)s)',
    )
    group.add_argument(
        '--submit_only',
        action='store_true',
        help='leave when the queue has accepted what it will; hpsearch resume goes on',
    )
    _add_queue_options(group)
    _add_slurm_options(parser.add_argument_group('on a cluster with Slurm'))
    _add_lsf_options(parser.add_argument_group('on a cluster with LSF'))


def _add_queue_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--queue_interval',
        metavar='SECONDS',
        type=number_between(0.5, 3600),
        default=30.0,
        help='seconds between two questions to the scheduler (default: %(default)s)',
    )
    group.add_argument(
        '--signal',
        metavar='NAME@SECONDS',
        type=warning_signal,
        default='',
        help='send a run this signal so many seconds before its time limit; none: no signal '
        '(default: TERM@60 where the script is resumable, else none)',
    )
    group.add_argument(
        '--max_job_mem',
        metavar='SIZE',
        type=memory_size,
        default='',
        help='give a run that ran out of memory 1.5 times as much, up to this, e.g. 64G '
        '(default: 4 times what its job has)',
    )
    group.add_argument(
        '--profile',
        metavar='FILE',
        default='',
        help='YAML file with values for the options of this machine or cluster, where they are not given here',
    )


SLURM_DEFAULTS = {
    'mem': '8G',
    'gres': 'gpu:1',
    'partition': '',
    'qos': '',
    'constraint': '',
    'account': '',
    'cpus': '',
}
"""Options of sbatch to what they are without ours."""


def _add_slurm_options(group: argparse._ArgumentGroup) -> None:
    for name, default in SLURM_DEFAULTS.items():
        group.add_argument(
            f'--slurm_{name}',
            metavar='TEXT',
            default=default,
            help=f'{name} of sbatch; empty: not given (default: %(default)r)',
        )
    group.add_argument(
        '--slurm_time', metavar='TEXT', default='', help='time limit as Slurm writes it, in place of --num_hours'
    )
    group.add_argument(
        '--slurm_extra',
        metavar='OPTION',
        action='append',
        default=[],
        help='passed on to sbatch, e.g. --slurm_extra=--exclude=n7; may be given several times',
    )


def _add_lsf_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--resources',
        metavar='TEXT',
        default='"rusage[mem=8000, ngpus_excl_p=1]"',
        help='passed to bsub -R; empty: not given (default: %(default)s)',
    )
    for name, option in (('queue', '-q'), ('project', '-P'), ('gpu', '-gpu')):
        group.add_argument(f'--lsf_{name}', metavar='TEXT', default='', help=f'passed to bsub {option}')
    group.add_argument(
        '--lsf_extra',
        metavar='OPTION',
        action='append',
        default=[],
        help='passed on to bsub, a word at a time, e.g. --lsf_extra=-sla --lsf_extra=night',
    )


def add_conduct_options(parser: argparse.ArgumentParser) -> None:
    """How the search is conducted."""
    group = parser.add_argument_group('how it is conducted')
    group.add_argument(
        '--fail_fast',
        metavar='N',
        type=integer_from(0),
        default=5,
        help='stop when the first N ended runs all failed with the same last lines; 0: never (default: %(default)s)',
    )
    group.add_argument(
        '--stop_grace',
        metavar='SECONDS',
        type=number_between(0, float('inf')),
        default=15.0,
        help='seconds between TERM and KILL for runs that are stopped (default: %(default)s)',
    )
    group.add_argument(
        '--retries',
        metavar='N',
        type=integer_from(0),
        default=0,
        help='run a failed run again, N times at most (default: %(default)s)',
    )
    group.add_argument(
        '--retry_timeouts',
        action='store_true',
        help='run again, --max_attempts times at most, what the time limit of its job ended',
    )
    group.add_argument(
        '--max_attempts',
        metavar='N',
        type=integer_from(1),
        default=3,
        help='attempts of a run that may get lost without a trace (default: %(default)s)',
    )
    group.add_argument(
        '--reuse',
        metavar='DIR',
        action='append',
        default=[],
        help='take finished results of identical commands from this earlier search; may be given several times',
    )


def add_terminal_options(parser: argparse.ArgumentParser) -> None:
    """What is shown."""
    group = parser.add_argument_group('what is shown')
    group.add_argument('--quiet', action='store_true', help='show nothing but errors')
    group.add_argument(
        '--log_level',
        choices=('debug', 'info', 'warning', 'error'),
        default='info',
        help='the least important messages that are shown (default: %(default)s)',
    )


def add_resume_options(parser: argparse.ArgumentParser) -> None:
    """What can be different when a search is resumed: everything about where and how many.

    An option that is not given keeps the value it had when the search was made.
    """
    parser.add_argument('dir', help='the search folder')
    for add in (add_local_options, add_cluster_options, add_conduct_options, add_terminal_options):
        add(parser)
    for action in parser._actions:
        if action.option_strings and action.dest != 'help':
            action.default = argparse.SUPPRESS
            action.help = (action.help or '').replace('%(default)s', 'as before').replace('%(default)r', 'as before')
    group = parser.add_argument_group('resuming')
    group.add_argument(
        '--extend',
        action='store_true',
        help='read the configuration again: new combinations are added, those that are gone are not run',
    )
    group.add_argument(
        '--num_searches', metavar='N', type=int, default=argparse.SUPPRESS, help='with --extend: another number of runs'
    )
    group.add_argument('--retry_failed', action='store_true', help='failed runs get one more attempt')
    group.add_argument('--retry_cancelled', action='store_true', help='run again what somebody cancelled in the queue')
    group.add_argument(
        '--host_is_dead',
        metavar='HOST',
        action='append',
        default=[],
        help='nothing runs on this host any more: run again what was started there; may be given several times',
    )
    group.add_argument(
        '--trust', action='store_true', help='resume a search of another user, which executes what its folder says'
    )


# Profiles

_RIVALS = {'slurm_time': 'num_hours', 'visible_gpus': 'cpu_jobs', 'cpu_jobs': 'visible_gpus'}
"""Option to another that says the same in another way: where that one is given, the profile's must not win over it."""


def profile_options() -> dict[str, argparse.Action]:
    """The options that a profile may give, by their names without dashes: those of this machine and of clusters."""
    parser = argparse.ArgumentParser(add_help=False)
    add_local_options(parser)
    add_cluster_options(parser)
    return {action.dest: action for action in parser._actions if action.dest != 'profile'}


def parse_with_profile(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """The options of a command line, completed from its ``--profile``.

    What is given on the command line wins, also over a list: nothing is added to it. Where a profile has a
    ``job_prologue``, it becomes an attribute beside the options.

    Args:
        parser: It knows ``--profile``.
        words: The command line.

    Raises:
        ConfigError: With every problem of the profile.
    """
    args = parser.parse_args(words)
    path = getattr(args, 'profile', '')
    if not path:
        return args
    from hpsearch.config.profile import read_profile

    values = read_profile(Path(os.path.abspath(path)), profile_options())
    given = _given(parser, words, {*values, *_RIVALS.values()})
    for name in values.keys() - given:
        if _RIVALS.get(name) not in given:
            setattr(args, name, values[name])
    return args


def _given(parser: argparse.ArgumentParser, words: Sequence[str], names: Iterable[str]) -> set[str]:
    """Which of these options the command line gives: argparse puts no default where there is a value, even None."""
    seen = vars(parser.parse_args(words, argparse.Namespace(**dict.fromkeys(names))))
    return {name for name in names if seen[name] is not None}
