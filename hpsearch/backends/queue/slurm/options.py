"""What a Slurm job requests: by our options, by the user's environment, by ``#SBATCH`` lines, by further arguments.

Pure. An option of ours that differs from its default wins over the environment, which wins over ``#SBATCH`` lines, as
with sbatch itself; further arguments win over all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from hpsearch.backends.queue.batch_system import GivenOption, header_words, refusals


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """What a job requests, each in the format of sbatch; empty: not requested.

    Attributes:
        mem: Memory.
        gres: Generic resources, such as GPUs.
        partition: Partition.
        qos: Quality of service.
        constraint: Features that its node must have.
        account: Account that is charged.
        time: Time limit, instead of ``hours``.
        cpus: Number of CPUs.
        clusters: The cluster that all commands speak to; empty: that of this machine.
        extra: Further arguments for sbatch; they override the others.
        hours: Time limit in hours.
    """

    mem: str = '8G'
    gres: str = 'gpu:1'
    partition: str = ''
    qos: str = ''
    constraint: str = ''
    account: str = ''
    time: str = ''
    cpus: str = ''
    clusters: str = ''
    extra: tuple[str, ...] = ()
    hours: int = 24


_FIELDS = {
    'mem': 'mem',
    'gres': 'gres',
    'partition': 'partition',
    'qos': 'qos',
    'constraint': 'constraint',
    'account': 'account',
    'time': 'time',
    'cpus-per-task': 'cpus',
}
"""Options of sbatch that are ours, too."""

_VARIABLES = {
    'SBATCH_MEM_PER_NODE': 'mem',
    'SBATCH_GRES': 'gres',
    'SBATCH_PARTITION': 'partition',
    'SBATCH_QOS': 'qos',
    'SBATCH_CONSTRAINT': 'constraint',
    'SBATCH_ACCOUNT': 'account',
    'SBATCH_TIMELIMIT': 'time',
    'SBATCH_CPUS_PER_TASK': 'cpus-per-task',
}

_INSTEAD = {
    'mem-per-cpu': 'mem',
    'mem-per-gpu': 'mem',
    'gpus': 'gres',
    'gpus-per-node': 'gres',
    'gpus-per-task': 'gres',
}
"""Options that are another way to request what our option with a default requests."""

_LETTERS = {
    'J': 'job-name', 'a': 'array', 'M': 'clusters', 'o': 'output', 'e': 'error', 'W': 'wait', 'Q': 'quiet',
    'V': 'version', 'h': 'help',
    'p': 'partition', 'q': 'qos', 'C': 'constraint', 'A': 'account', 't': 'time', 'c': 'cpus-per-task', 'G': 'gpus',
}  # fmt: skip

_OWN_NAME = 'hpsearch names its jobs and arrays itself, to find them again'
_OWN_LOG = 'each run has its own logs, see hpsearch logs'
_NO_JOB = 'with it, sbatch submits no job'

REFUSED = {
    'job-name': _OWN_NAME,
    'array': _OWN_NAME,
    'clusters': 'use --slurm_clusters, which every command gets',
    'output': _OWN_LOG,
    'error': _OWN_LOG,
    'wrap': 'hpsearch submits a script of its own',
    'test-only': _NO_JOB,
    'wait': 'sbatch would not return before the jobs have ended',
    'quiet': 'sbatch would not print the id of the job',
    'uid': 'jobs of another user cannot be followed',
    'help': _NO_JOB,
    'usage': _NO_JOB,
    'version': _NO_JOB,
}
"""Options of sbatch that break the bookkeeping, and why."""

_IGNORED = re.compile(
    r'SBATCH_(?:JOB_NAME|ARRAY_INX|CLUSTERS|OUTPUT|ERROR|WAIT|TEST_ONLY|QUIET|OPEN_MODE|NO_REQUEUE|REQUEUE|SIGNAL)'
)
"""Variables that would do the same, or set what hpsearch always sets."""

_FLAGS = {
    'hold', 'no-kill', 'overcommit', 'oversubscribe', 'verbose', 'requeue', 'no-requeue', 'contiguous', 'exclusive',
    'spread-job', 'use-min-nodes', 'get-user-env', 'reboot', 'parsable', 'ignore-pbs', 'nice', 'propagate', 'quiet',
    'wait', 'test-only', 'version', 'help', 'usage',
    *'HkOsvQWVhuI',
}  # fmt: skip
"""Options after which a separate word is not a value."""


def problems_of(words: Sequence[str], source: str) -> list[str]:
    """Why further arguments of sbatch cannot be used.

    Args:
        words: The arguments.
        source: Where they are from, as the user wrote it.
    """
    return refusals(_parse(words), source, REFUSED, 'sbatch would take it for the script')


def value_of(extra: Sequence[str], name: str, letter: str = '') -> str:
    """The value that arguments of sbatch give an option; of several the last counts; empty: none.

    Args:
        extra: The arguments; a value may be attached to its option, or an argument of its own.
        name: The long name of the option, which may be abbreviated to three letters.
        letter: The short one; empty: there is none.
    """
    names = {name, letter or name, *(name[:length] for length in range(3, len(name)))}
    return next((given.value for given in reversed(list(_parse(extra))) if given.name in names), '')


def with_environment(options: SlurmOptions, environ: Mapping[str, str]) -> tuple[SlurmOptions, list[str]]:
    """The options completed from the ``SBATCH_`` variables of the user, and what to report about these variables."""
    notes: list[str] = []
    for variable in sorted(name for name in environ if name.startswith('SBATCH_') and environ[name]):
        value = environ[variable]
        if _IGNORED.fullmatch(variable):
            if variable != 'SBATCH_CLUSTERS':
                notes.append(f'{variable} of your environment is not used: hpsearch decides this itself.')
            continue
        if variable == 'SBATCH_EXCLUDE':
            # An option, since nodes to be avoided are added to it, and options win over variables.
            options = replace(options, extra=(f'--exclude={value}', *options.extra))
        options, note = _completed(
            options, GivenOption(_option_of(variable), value, ()), f'{variable}={value} of your environment'
        )
        notes.append(note)
    return options, notes


def with_header(options: SlurmOptions, prologue: str) -> tuple[SlurmOptions, list[str], list[str]]:
    """The options completed from the ``#SBATCH`` lines of a prologue, what to report about them, and their problems."""
    words, problems = header_words(prologue, '#SBATCH')
    notes: list[str] = []
    lifted: list[str] = []
    problems += problems_of(words, '_JOB_PROLOGUE: #SBATCH ')
    for given in _parse(words):
        if given.name in REFUSED or not given.name:
            continue
        before = options
        options, note = _completed(options, given, f'#SBATCH {" ".join(given.words)} of the prologue')
        notes.append(note)
        if given.name not in _FIELDS and (options != before or given.name not in _INSTEAD):
            lifted += given.words
    return replace(options, extra=(*lifted, *options.extra)), notes, problems


def submission_environment(environ: Mapping[str, str], options: SlurmOptions) -> dict[str, str]:
    """The environment without the variables that break the bookkeeping, or that an option takes the place of."""
    return {name: value for name, value in environ.items() if not (_IGNORED.fullmatch(name) or _yields(name, options))}


def _yields(variable: str, options: SlurmOptions) -> bool:
    """Whether a variable requests by another option of sbatch what an option of ours requests, which would add up."""
    field = _INSTEAD.get(_option_of(variable)) if variable.startswith('SBATCH_') else None
    return bool(field and getattr(options, field))


def _option_of(variable: str) -> str:
    """The option of sbatch that a variable sets."""
    return _VARIABLES.get(variable, variable.removeprefix('SBATCH_').lower().replace('_', '-'))


def _completed(options: SlurmOptions, given: GivenOption, source: str) -> tuple[SlurmOptions, str]:
    """The options with one that was given elsewhere, unless ours was chosen; and which of the two counts."""
    field = _FIELDS.get(given.name) or _INSTEAD.get(given.name)
    if field is None:
        return options, f'{source} counts.'
    option = 'num_hours' if field == 'time' and not options.time else f'slurm_{field}'
    if _is_chosen(options, field):
        return options, f'{source} does not count: --{option} does.'
    value = given.value if given.name in _FIELDS else ''
    return replace(options, **cast(Any, {field: value})), f'{source} counts.'


def _is_chosen(options: SlurmOptions, field: str) -> bool:
    """Whether an option differs from its default, or was set by what takes precedence."""
    defaults = {each.name: each.default for each in fields(SlurmOptions)}
    if field == 'time' and options.hours != defaults['hours']:
        return True
    return bool(getattr(options, field) != defaults[field])


def _parse(words: Iterable[str]) -> Iterator[GivenOption]:
    """Arguments as sbatch reads them."""
    waiting: list[str] = []
    for word in words:
        if waiting and not word.startswith('-'):
            yield GivenOption(_full_name(waiting[0]), word, (waiting.pop(), word))
            continue
        if waiting:
            yield GivenOption(_full_name(waiting[0]), '', (waiting.pop(),))
        if word.startswith('--') and '=' not in word and _full_name(word) not in _FLAGS:
            waiting.append(word)
        elif word.startswith('-') and not word.startswith('--'):
            yield from _letters(word, waiting)
        elif word.startswith('--'):
            yield GivenOption(_full_name(word), word.partition('=')[2], (word,))
        else:
            yield GivenOption('', '', (word,))
    if waiting:
        yield GivenOption(_full_name(waiting[0]), '', (waiting[0],))


def _letters(word: str, waiting: list[str]) -> Iterator[GivenOption]:
    """The options of one letter in a word; one without its value is left ``waiting``."""
    for place, letter in enumerate(word[1:], 1):
        if letter in _FLAGS:
            yield GivenOption(_LETTERS.get(letter, letter), '', (word,))
        elif place == len(word) - 1:
            waiting.append(word)
        else:
            yield GivenOption(_LETTERS.get(letter, letter), word[place + 1 :], (word,))
            return


def _full_name(word: str) -> str:
    """The name of an option without dashes and value; an abbreviation of one that matters here becomes that one."""
    if not word.startswith('--'):
        return _LETTERS.get(word[-1], word[-1])
    name = word[2:].partition('=')[0]
    known = (*_FIELDS, *_INSTEAD, *_FLAGS, *REFUSED)
    if name in known or not name:
        return name
    return next((full for full in REFUSED if full.startswith(name)), name)
