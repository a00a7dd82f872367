"""What an LSF job requests: by our options, by ``#BSUB`` lines of a prologue, by further arguments.

Pure. An option of ours that differs from its default wins over ``#BSUB`` lines; further arguments win over both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from hpsearch.backends.queue.batch_system import GivenOption, header_words, refusals

DEFAULT_RESOURCES = '"rusage[mem=8000, ngpus_excl_p=1]"'
"""What ``--resources`` is by default, as in the original."""


@dataclass(frozen=True, slots=True)
class LsfOptions:
    """What a job requests.

    Attributes:
        resources: ``bsub -R``; one pair of enclosing equal quotes is not part of it; empty: none.
        hours: Time limit in hours.
        queue: ``bsub -q``; empty: the default.
        project: ``bsub -P``; empty: the default.
        gpu: ``bsub -gpu``; empty: none.
        extra: Further arguments for bsub.
    """

    resources: str = ''
    hours: int = 24
    queue: str = ''
    project: str = ''
    gpu: str = ''
    extra: tuple[str, ...] = ()


_FIELDS = {'R': 'resources', 'q': 'queue', 'P': 'project', 'gpu': 'gpu', 'W': 'hours'}
"""Options of bsub that are ours, too."""

_OPTIONS = {
    'resources': '--resources', 'queue': '--lsf_queue', 'project': '--lsf_project', 'gpu': '--lsf_gpu',
    'hours': '--num_hours',
}  # fmt: skip

_FLAGS = (
    'Zs', 'Ip', 'Is', 'ISs', 'ISp', 'IS', 'IX', 'I', 'K', 'r', 'H', 'x', 'N', 'B', 'h', 'V',
    'ar', 'hl', 'Ne', 'rn', 'ul', 'UF',
)  # fmt: skip
_VALUED = (
    'E', 'Ep', 'T', 'a', 'w', 'f', 'k', 'R', 'm', 'Jd', 'J', 'L', 'u', 'is', 'i', 'o', 'e', 'n', 'q', 'b', 't', 'sp',
    's', 'c', 'v', 'p', 'W', 'F', 'D', 'S', 'C', 'M', 'O', 'P', 'X', 'pack', 'app', 'cwd', 'data', 'env', 'eo', 'freq',
    'G', 'g', 'gpu', 'hostfile', 'json', 'mig', 'network', 'notify', 'oo', 'outdir', 'Q', 'sla', 'step', 'stage', 'ti',
    'U', 'We', 'wa', 'wt', 'yaml', 'Lp', 'jsdl', 'jsdl_strict', 'rnc', 'ext', 'eptl', 'pwd', 'datagrp',
)  # fmt: skip

_OWN_NAME = 'hpsearch names its jobs and arrays itself, to find them again'
_OWN_LOG = 'each run has its own logs, see hpsearch logs'
_WAITS = 'bsub would not return before the jobs have ended'
_NO_JOB = 'with it, bsub submits no job'
_OTHER_JOB = 'hpsearch submits a script of its own'

REFUSED = {
    'J': _OWN_NAME,
    **dict.fromkeys(('o', 'oo', 'e', 'eo'), _OWN_LOG),
    **dict.fromkeys(('K', 'I', 'Ip', 'Is', 'IS', 'ISp', 'ISs', 'IX'), _WAITS),
    **dict.fromkeys(('h', 'V'), _NO_JOB),
    **dict.fromkeys(('pack', 'json', 'yaml', 'jsdl', 'jsdl_strict'), _OTHER_JOB),
}
"""Options of bsub that break the bookkeeping, and why."""

_DEFAULTS = ('LSB_DEFAULTQUEUE', 'LSB_DEFAULTPROJECT', 'LSB_DEFAULT_JOBGROUP', 'LSB_DEFAULT_USERGROUP')
_IGNORED = ('BSUB_CHK_RESREQ', 'BSUB_QUIET', 'BSUB_QUIET2', 'BSUB_STDERR', 'LSB_NTRIES')


def problems_of(words: Sequence[str], source: str) -> list[str]:
    """Why further arguments of bsub cannot be used; ``source`` is where they are from, as the user wrote it."""
    return refusals(_parse(words), source, REFUSED, 'bsub would take it for the command')


def values_of(name: str, extra: Sequence[str]) -> list[str]:
    """The values that arguments of bsub give an option, named without its dash, in their order."""
    return [given.value for given in _parse(extra) if given.name == name]


def notes_on_environment(environ: Mapping[str, str]) -> list[str]:
    """What to report about variables of the user with defaults for bsub, which reads them itself."""
    used = [f'{name}={environ[name]} of your environment counts.' for name in _DEFAULTS if environ.get(name)]
    ignored = [f'{name} of your environment is not used: hpsearch decides this itself.' for name in _IGNORED]
    return used + [note for note in ignored if environ.get(note.partition(' ')[0])]


def with_header(options: LsfOptions, prologue: str) -> tuple[LsfOptions, list[str], list[str]]:
    """The options completed from the ``#BSUB`` lines of a prologue, what to report about them, and their problems."""
    words, problems = header_words(prologue, r'#[ \t]*BSUB')
    notes: list[str] = []
    problems += problems_of(words, '_JOB_PROLOGUE: #BSUB ')
    for given in _parse(words):
        source = f'#BSUB {" ".join(given.words)} of the prologue'
        field = _FIELDS.get(given.name, '')
        if given.name not in REFUSED and _is_chosen(options, field):
            notes.append(f'{source} does not count: {_OPTIONS[field]} does.')
        elif given.name and given.name not in REFUSED:
            notes.append(f'{source} counts.')
            options = _completed(options, field, given)
    return options, notes, problems


def _completed(options: LsfOptions, field: str, given: GivenOption) -> LsfOptions:
    if field and field != 'hours':
        return replace(options, **cast(Any, {field: given.value}))
    return replace(options, extra=(*given.words, *options.extra))


def _is_chosen(options: LsfOptions, field: str) -> bool:
    """Whether an option of ours differs from its default."""
    defaults = {each.name: each.default for each in fields(LsfOptions)} | {'resources': DEFAULT_RESOURCES}
    return bool(field) and getattr(options, field) not in (defaults[field], '')


def _parse(words: Iterable[str]) -> Iterator[GivenOption]:
    """Arguments as bsub reads them: the longest known name counts, and what is behind it is its value."""
    remaining = iter(words)
    for word in remaining:
        name = max((known for known in (*_FLAGS, *_VALUED) if word[1:].startswith(known)), key=len, default=word[1:])
        value = word[1 + len(name) :]
        if not word.startswith('-'):
            yield GivenOption('', '', (word,))
        elif name in _VALUED and not value:
            value = next(remaining, '')
            yield GivenOption(name, value, (word, value))
        else:
            yield GivenOption(name, value, (word,))
