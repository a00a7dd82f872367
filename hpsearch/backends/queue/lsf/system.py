"""LSF: the words of its commands, and what its answers mean. Pure.

IBM Spectrum LSF 10 and other implementations differ. Only what all of them understand is used, unless ``lsid`` says
that this is IBM's: an option that another one does not know may be misread without a complaint.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.queue.batch_system import CommandResult, JobSpec, JobVariables, QueueLimits, Submitted
from hpsearch.backends.queue.lsf.parsing import (
    DELIMITER,
    FIELDS,
    Dialect,
    read_delimited_listing,
    read_history,
    read_refusal,
    read_wide_listing,
)
from hpsearch.backends.queue.queue_words import index_list, open_complaints, outside_of_jobs
from hpsearch.model.command import line_breaks_of, shell_word, unquoted
from hpsearch.model.jobs import JobRecord

DIALECT_ARGV = ('lsid',)
"""The command whose answer :func:`hpsearch.backends.queue.lsf.parsing.parse_dialect` reads; it answers at once."""

LOG_FILES = 10
"""Event files in which the history of a job is looked for; LSF begins a new one after some thousand jobs."""


@dataclass(frozen=True, slots=True)
class LsfOptions:
    """What the jobs ask for.

    Attributes:
        resources: ``bsub -R``, as given: one pair of enclosing equal quotes is not part of it; empty: none.
        hours: Time limit of a job.
        queue: ``bsub -q``; empty: the usual.
        project: ``bsub -P``; empty: the usual.
        gpu: ``bsub -gpu``; empty: not given.
        extra: Further words for bsub.
    """

    resources: str = ''
    hours: int = 24
    queue: str = ''
    project: str = ''
    gpu: str = ''
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsf:
    """The pure half for LSF.

    Attributes:
        options: What the jobs ask for.
        dialect: What kind of LSF it is.
    """

    options: LsfOptions
    dialect: Dialect = Dialect.COMMON

    @property
    def name(self) -> str:
        """``lsf``."""
        return 'lsf'

    @property
    def variables(self) -> JobVariables:
        """By which a job knows itself; LSF does not count restarts, it says ``Y`` after one."""
        return JobVariables(index='LSB_JOBINDEX', job='LSB_JOBID', restarts='LSB_RESTART')

    @property
    def memory(self) -> int | None:
        """MiB a job asks for, by ``rusage[mem=…]``, else by ``-M``, in the units that are the usual ones."""
        return _asked_memory(self.options)

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be there."""
        return ('bsub', 'bjobs', 'bkill', 'bhist', 'bparams')

    @property
    def unsupported(self) -> str:
        """Why it cannot do what the options ask for, in words; empty: it can."""
        if self.options.gpu and self.dialect is not Dialect.IBM:
            return (
                '--lsf_gpu is bsub -gpu, which only IBM Spectrum LSF 10 knows, and lsid does not say that this is one; '
                'ask for GPUs by --resources, as in "rusage[ngpus_excl_p=1]"'
            )
        return ''

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What its commands inherit: without what tells a job of its own allocation, and without set options.

        A command tries once and then fails, since whoever asks tries again: by itself it would try for ever.
        """
        return {**outside_of_jobs(inherited), 'LSB_NTRIES': '1'}

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits what it reads on its stdin.

        LSF's own report goes nowhere: it comes only after the end, and becomes mail where its file cannot be written.
        """
        throttle = f'%{job.throttle}' if job.throttle else ''
        resources, extra = unquoted(self.options.resources.strip()), self.options.extra
        if job.memory is not None and self.memory:
            resources = _raised_resources(resources, job.memory / self.memory)
            extra = _raised_limit(extra, job.memory / self.memory)
        return [
            *('bsub', '-J', f'{job.name}[1-{job.size}]{throttle}', '-W', f'{self.options.hours}:00', '-o', '/dev/null'),
            *_option('-R', resources),
            *_option('-q', self.options.queue),
            *_option('-P', self.options.project),
            *(self._ibm_words(job) if self.dialect is Dialect.IBM else ()),
            *extra,
        ]

    def _ibm_words(self, job: JobSpec) -> list[str]:
        # Elsewhere jobs are not rerun unless that is asked for, and a warning comes only with the time limit itself.
        warning = ('-wa', 'USR2', '-wt', str(math.ceil(job.warning / 60))) if job.warning else ()
        return ['-rn', *_option('-gpu', self.options.gpu), *warning]

    def submit_stdin(self, script: str, path: str) -> str:
        """What that command reads: two lines that execute the script, by the shell that the script names.

        LSF keeps what it read, and repeats it for every element of an array, in ``bhist -l`` above all: with a thousand
        elements a script of 300 kB would make that 300 MB. Some implementations even take a % in it for their own.
        """
        shell = script.partition('\n')[0].removeprefix('#!').strip() or '/bin/sh'
        line = f'exec {shell} {shell_word(path)}'
        return f'#!/bin/sh\n{line_breaks_of(line)}{line}\n'

    def parse_submission(self, answer: CommandResult) -> Submitted:
        """What it answered."""
        accepted = re.search(r'^Job <(\d+)> is submitted', answer.out, re.MULTILINE)
        if accepted:
            return Submitted(job=accepted[1], words=' '.join(answer.err.split()))
        refusal, words = read_refusal(answer)
        return Submitted(refusal=refusal, words=words)

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, every element in a line of its own."""
        if self.dialect is Dialect.IBM:
            return ['bjobs', '-a', '-noheader', '-o', f"{' '.join(FIELDS)} delimiter='{DELIMITER}'"]
        return ['bjobs', '-a', '-w']

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it lists; None: it did not answer.

        Only IBM's lists statuses and reasons: elsewhere an end with neither cause nor code is explained by the
        accounting.
        """
        return read_delimited_listing(answer) if self.dialect is Dialect.IBM else read_wide_listing(answer)

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that tells what became of jobs, by their ids."""
        return ['bhist', '-l', '-n', str(LOG_FILES), *jobs]

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """What it tells; None: it did not answer."""
        return read_history(answer)

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that ends elements of a job: by INT, TERM ten seconds later, KILL another ten seconds later.

        There is nothing faster but to forget the job while its processes may go on; ``force`` only says it plainly.
        """
        target = job if whole else f'{job}[{index_list(indices)}]'
        return ['bkill', *(('-s', 'KILL') if force else ()), target]

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not.

        Ending an array answers with a failure although it is done; a job that is not there needs no end.
        """
        open_lines = open_complaints(answer, _CANCELLED)
        return '' if open_lines is None else ' '.join(open_lines) or answer.problem('bkill')

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time; empty: there is none that lets all run."""
        return ['bmod', '-J', f'%{throttle}', job] if throttle else []

    def limits_argv(self) -> list[str]:
        """The command that tells what the system accepts."""
        return ['bparams', '-a' if self.dialect is Dialect.IBM else '-l']

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """What it accepts; the usual, where it does not say: an array that is too large may be misread silently."""
        size = re.search(r'\bMAX_JOB_ARRAY_SIZE\s*=\s*(\d+)', answer.out)
        return QueueLimits(array=max(1, int(size[1]))) if size else QueueLimits()

    def own_job(self, environ: Mapping[str, str]) -> str:
        """The job this process runs in, as ``id`` or ``id_index``; empty: in none of this system."""
        return own_job(environ)


def own_job(environ: Mapping[str, str]) -> str:
    """The job a process with this environment runs in, as ``id`` or ``id_index``; empty: in none of LSF's."""
    job, index = environ.get('LSB_JOBID', ''), environ.get('LSB_JOBINDEX', '0')
    if not job.isdecimal():
        return ''
    return f'{job}_{index}' if index.isdecimal() and int(index) else job


_CANCELLED = (
    'Operation is in progress',
    'is being terminated',
    'is being signaled',
    'Job has already finished',
    'No matching job found',
    'No unfinished job found',
    'is not found',
)


def _option(name: str, value: str) -> tuple[str, ...]:
    return (name, value) if value else ()


# Memory

_IN_MIB = {'': 1.0, 'K': 1 / 1024, 'M': 1.0, 'G': 1024.0, 'T': 1024.0**2, 'P': 1024.0**3}

_RUSAGE = re.compile(r'\brusage\s*\[[^\]]*\]')

_MEM = re.compile(r'(\bmem(?:/\w+)?\s*=\s*)(\d+(?:\.\d+)?)(?:([KMGTP])B?\b)?', re.IGNORECASE)

_LIMIT = re.compile(r'(\d+(?:\.\d+)?)(?:([KMGTP])B?)?(!?)', re.IGNORECASE)


def _asked_memory(options: LsfOptions) -> int | None:
    for section in _RUSAGE.findall(options.resources):
        if found := _MEM.search(section):
            return _mebibytes(found[2], found[3] or 'M')
    for word in _memory_limits(options.extra):
        if found := _LIMIT.fullmatch(word):
            return _mebibytes(found[1], found[2] or 'K')
    return None


def _mebibytes(number: str, unit: str) -> int | None:
    return math.ceil(float(number) * _IN_MIB[unit.upper()]) or None


def _memory_limits(extra: Sequence[str]) -> list[str]:
    """What the words say behind ``-M``, in a word of its own or in the same."""
    behind = [word for before, word in itertools.pairwise(extra) if before == '-M']
    return behind + [word[2:] for word in extra if word.startswith('-M') and word != '-M']


def _raised_resources(resources: str, factor: float) -> str:
    """Resources with ``factor`` times the memory to be reserved; the unit of a bare number does not matter."""

    def raised(found: re.Match[str]) -> str:
        return found[1] + _times(found[2], found[3] or '', factor)

    return _RUSAGE.sub(lambda section: _MEM.sub(raised, section[0]), resources)


def _raised_limit(extra: Sequence[str], factor: float) -> tuple[str, ...]:
    """Words with ``factor`` times the limit that ``-M`` sets."""
    return tuple(_raised_word(before, word, factor) for before, word in zip(('', *extra), extra, strict=False))


def _raised_word(before: str, word: str, factor: float) -> str:
    option, text = ('-M', word[2:]) if word.startswith('-M') else ('', word)
    found = _LIMIT.fullmatch(text) if option or before == '-M' else None
    return f'{option}{_times(found[1], found[2] or "", factor)}{found[3]}' if found else word


def _times(number: str, unit: str, factor: float) -> str:
    """A multiple of an amount, whole: in the unit it has, where that is exact, else in MB."""
    amount = float(number) * factor
    if not unit or unit.upper() in 'KM' or amount == int(amount):
        return f'{math.ceil(amount)}{unit and unit.upper() + "B"}'
    return f'{math.ceil(amount * _IN_MIB[unit.upper()])}MB'
