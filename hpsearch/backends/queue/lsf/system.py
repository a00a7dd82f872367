"""LSF: the argument lists of its commands. Pure; :mod:`hpsearch.backends.queue.lsf.parsing` parses their output.

IBM Spectrum LSF 10 and other implementations differ. Only what all of them support is used, unless ``lsid`` says that
this is IBM's: others may misread an option they do not know without an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hpsearch.backends.queue.batch_system import (
    CommandResult,
    JobSpec,
    JobVariables,
    QueueLimits,
    SubmitResult,
    cancel_errors,
    environment_outside_jobs,
    format_indices,
)
from hpsearch.backends.queue.lsf.options import LsfOptions, notes_on_environment, problems_of, values_of, with_header
from hpsearch.backends.queue.lsf.parsing import (
    DELIMITER,
    FIELDS,
    Dialect,
    parse_delimited_listing,
    parse_history,
    parse_refusal,
    parse_run_limit,
    parse_wide_listing,
)
from hpsearch.model.command import line_breaks_of, shell_word, unquoted
from hpsearch.model.evidence import JobRecord

DIALECT_ARGV = ('lsid',)
"""The command whose output :func:`hpsearch.backends.queue.lsf.parsing.parse_dialect` parses; it answers at once."""

LOG_FILES = 10
"""Event files that are searched for the history of a job; LSF begins a new one every few thousand jobs."""


@dataclass(frozen=True, slots=True)
class Lsf:
    """The pure half for LSF.

    Attributes:
        options: What a job requests.
        dialect: Which implementation of LSF it is.
        header_problems: What is wrong with the ``#BSUB`` lines of a prologue.
    """

    options: LsfOptions
    dialect: Dialect = Dialect.COMMON
    header_problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``lsf``."""
        return 'lsf'

    @property
    def variables(self) -> JobVariables:
        """The variables that identify a job from within; LSF does not count restarts, it sets ``Y`` after one."""
        return JobVariables(index='LSB_JOBINDEX', job='LSB_JOBID', restarts='LSB_RESTART', node='LSB_HOSTS')

    @property
    def memory(self) -> int | None:
        """MiB a job requests, by ``rusage[mem=…]``, else by ``-M``, with LSF's default units."""
        return _asked_memory(self.options)

    @property
    def time_limit(self) -> float | None:
        """Seconds that a job may run, by the last ``-W``; None: not known."""
        limits = [f'{self.options.hours}:00', *values_of('W', self.options.extra)]
        return parse_run_limit(limits[-1])

    @property
    def gpus(self) -> int | None:
        """Number of GPUs a job requests, by ``-gpu num=…``, else by ``rusage[ngpus…=…]``; None: not known."""
        found = [_NUM.search(text) for text in (self.options.gpu, *values_of('gpu', self.options.extra))]
        found += [_NGPUS.search(section) for section in _RUSAGE.findall(self.options.resources)]
        return next((int(each[1]) for each in found if each), None)

    @property
    def programs(self) -> Sequence[str]:
        """The commands that must be installed."""
        return ('bsub', 'bjobs', 'bkill', 'bhist', 'bparams')

    @property
    def problems(self) -> Sequence[str]:
        """Why what is requested cannot be done."""
        problems = [*self.header_problems, *problems_of(self.options.extra, '--lsf_extra=')]
        if self.options.gpu and self.dialect is not Dialect.IBM:
            problems.append(
                '--lsf_gpu is bsub -gpu, which only IBM Spectrum LSF 10 knows, and lsid does not say that this is one; '
                'ask for GPUs by --resources, as in "rusage[ngpus_excl_p=1]"'
            )
        return problems

    def with_requests(self, environ: Mapping[str, str], prologue: str) -> tuple[Lsf, Sequence[str]]:
        """It with what the ``#BSUB`` lines of a prologue request, and what to report."""
        options, notes, problems = with_header(self.options, prologue)
        return replace(self, options=options, header_problems=tuple(problems)), [*notes_on_environment(environ), *notes]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of its commands: without the variables of a job and without default options.

        A command tries once and then fails: by default it would retry for ever, and we retry ourselves.
        """
        return {**environment_outside_jobs(inherited), 'LSB_NTRIES': '1'}

    def submit_argv(self, job: JobSpec) -> list[str]:
        """The command that submits the script on its stdin.

        LSF's own report is discarded: it comes only after the end, and is mailed if its file cannot be written.
        """
        throttle = f'%{job.throttle}' if job.throttle else ''
        extra = _without_hosts(self.options.extra, job.avoided)
        if job.memory is not None and self.memory:
            extra = _raised_limit(extra, job.memory / self.memory)
        resources = self._resources(job.avoided, job.memory)
        return [
            *('bsub', '-J', f'{job.name}[1-{job.size}]{throttle}'),
            *_option('-W', '' if values_of('W', extra) else f'{self.options.hours}:00'),
            *('-o', '/dev/null'),
            *_option('-R', resources),
            *_option('-q', self.options.queue),
            *_option('-P', self.options.project),
            *(self._ibm_options(job) if self.dialect is Dialect.IBM else ()),
            *extra,
        ]

    def _resources(self, avoided: Sequence[str], memory: int | None) -> str:
        """What ``-R`` asks for."""
        resources = unquoted(self.options.resources.strip())
        if memory is not None and self.memory:
            resources = _raised_resources(resources, memory / self.memory)
        return without_hosts(resources, avoided)

    def _ibm_options(self, job: JobSpec) -> list[str]:
        # Others do not rerun jobs by default, and send a warning only with the time limit itself.
        warning = ('-wa', 'USR2', '-wt', str(math.ceil(job.warning / 60))) if job.warning else ()
        return ['-rn', *_option('-gpu', self.options.gpu), *warning]

    def submit_stdin(self, script: str, path: str) -> str:
        """The stdin of that command: two lines that execute the script, with the shell that the script names.

        LSF keeps its input, and repeats it for every element of an array, above all in ``bhist -l``: with a thousand
        elements and a script of 300 kB that would be 300 MB. Some implementations even interpret a % in it.
        """
        shell = script.partition('\n')[0].removeprefix('#!').strip() or '/bin/sh'
        line = f'exec {shell} {shell_word(path)}'
        return f'#!/bin/sh\n{line_breaks_of(line)}{line}\n'

    def parse_submission(self, answer: CommandResult) -> SubmitResult:
        """Whether the job was accepted."""
        accepted = re.search(r'^Job <(\d+)> is submitted', answer.out, re.MULTILINE)
        if accepted:
            return SubmitResult(job=accepted[1], message=' '.join(answer.err.split()))
        refusal, message = parse_refusal(answer)
        return SubmitResult(refusal=refusal, message=message)

    def list_argv(self) -> list[str]:
        """The command that lists all jobs of this user, one line per element."""
        if self.dialect is Dialect.IBM:
            return ['bjobs', '-a', '-noheader', '-o', f"{' '.join(FIELDS)} delimiter='{DELIMITER}'"]
        return ['bjobs', '-a', '-w']

    def parse_listing(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The listed elements; None: it failed.

        Only IBM's listing has exit statuses and reasons; elsewhere the accounting has to explain an end.
        """
        return parse_delimited_listing(answer) if self.dialect is Dialect.IBM else parse_wide_listing(answer)

    def job_argv(self, job: str) -> list[str]:
        """The command that lists the elements of one job."""
        return [*self.list_argv(), job]

    def parse_job(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements of that job; empty: LSF says that it does not know it; None: the command failed."""
        return self.parse_listing(answer)

    def accounting_argv(self, jobs: Sequence[str], since: float) -> list[str]:
        """The command that queries the history of jobs, by their ids."""
        return ['bhist', '-l', '-n', str(LOG_FILES), *jobs]

    def parse_accounting(self, answer: CommandResult) -> Sequence[JobRecord] | None:
        """The elements it knows; None: it failed."""
        return parse_history(answer)

    def cancel_argv(self, job: str, indices: Sequence[int], *, whole: bool, force: bool) -> list[str]:
        """The command that cancels elements of a job: INT, TERM ten seconds later, KILL another ten seconds later.

        With ``force`` it is KILL. The only faster way would make LSF forget the job while its processes may go on.
        """
        target = job if whole else f'{job}[{format_indices(indices)}]'
        return ['bkill', *(('-s', 'KILL') if force else ()), target]

    def parse_cancel(self, answer: CommandResult) -> str:
        """Why a cancellation failed in a way that is worth another try; empty: it did not.

        For an array it reports a failure although it succeeds; a job that is gone is no failure.
        """
        errors = cancel_errors(answer, _CANCELLED)
        return '' if errors is None else ' '.join(errors) or answer.problem('bkill')

    def throttle_argv(self, job: str, throttle: int) -> list[str]:
        """The command that changes how many elements may run at a time; empty: there is none to lift the limit."""
        return ['bmod', '-J', f'%{throttle}', job] if throttle else []

    def trial_argv(self, avoided: Sequence[str]) -> list[str]:
        """The command that lists the hosts; whether the others of them suffice is not checked further."""
        return ['bhosts', '-w']

    def parse_trial(self, answer: CommandResult, avoided: Sequence[str]) -> bool | None:
        """Whether there are other hosts; None: that is not known."""
        hosts = {line.split()[0] for line in answer.out.splitlines()[1:] if line.strip()}
        return bool(hosts - set(avoided)) if answer.code == 0 and hosts else None

    def avoid_argv(self, job: str, avoided: Sequence[str], memory: int | None) -> list[str]:
        """The command that makes the pending elements of a job avoid hosts.

        It replaces all that was asked for by ``-R``.
        """
        extra = values_of('R', _without_hosts(self.options.extra, avoided))
        wanted = [text for text in (self._resources(avoided, memory), *extra) if text]
        return ['bmod', *(word for text in wanted for word in ('-R', text)), *(() if wanted else ('-Rn',)), job]

    def parse_avoid(self, answer: CommandResult) -> str:
        """Why that failed in a way that is worth another try; it complains of elements that have begun, too."""
        return answer.problem('bmod') if answer.code is None else ''

    def limits_argv(self) -> list[str]:
        """The command that shows the limits of the system."""
        return ['bparams', '-a' if self.dialect is Dialect.IBM else '-l']

    def parse_limits(self, answer: CommandResult) -> QueueLimits:
        """Its limits; the defaults where it does not state them: it may misread an array that is too large."""
        size = re.search(r'\bMAX_JOB_ARRAY_SIZE\s*=\s*(\d+)', answer.out)
        return QueueLimits(array=max(1, int(size[1]))) if size else QueueLimits()


def own_job(environ: Mapping[str, str]) -> str:
    """The LSF job that a process with this environment runs in, as ``id`` or ``id_index``; empty: in none."""
    job, index = environ.get('LSB_JOBID', ''), environ.get('LSB_JOBINDEX', '0')
    if not job.isdecimal():
        return ''
    return f'{job}_{index}' if index.isdecimal() and int(index) else job


def long_listing_argv(job: str) -> list[str]:
    """The command that prints the time limit and the start of a job, given as ``id`` or ``id_index``."""
    ident, _, index = job.partition('_')
    return ['bjobs', '-l', f'{ident}[{index}]' if index else ident]


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


# Hosts

_SELECT = re.compile(r'\bselect\s*\[([^\]]*)\]')
_BARE = re.compile(r'^\s*(?!\w+\s*\[)([^\[]+?)\s*(?=\b\w+\s*\[|$)')
"""What stands before the first section: a selection, too."""


def without_hosts(resources: str, hosts: Sequence[str]) -> str:
    """A resource requirement that also excludes hosts."""
    if not hosts:
        return resources
    other = ' && '.join(f"hname!='{host}'" for host in hosts)
    for form in (_SELECT, _BARE):
        if found := form.search(resources):
            selected = found[1].strip()
            mine = f'({selected}) && {other}' if selected else other
            return f'{resources[: found.start()]}select[{mine}] {resources[found.end() :].strip()}'.strip()
    return f'select[{other}] {resources}'.strip()


def _without_hosts(extra: Sequence[str], hosts: Sequence[str]) -> tuple[str, ...]:
    """Arguments in which each ``-R`` also excludes hosts: in some versions the last one counts alone."""
    pairs = zip(('', *extra), extra, strict=False)
    return tuple(_without(before, argument, hosts) for before, argument in pairs)


def _without(before: str, argument: str, hosts: Sequence[str]) -> str:
    if before == '-R':
        return without_hosts(argument, hosts)
    is_attached = argument.startswith('-R') and argument != '-R'
    return f'-R{without_hosts(argument[2:], hosts)}' if is_attached else argument


# Memory

_IN_MIB = {'': 1.0, 'K': 1 / 1024, 'M': 1.0, 'G': 1024.0, 'T': 1024.0**2, 'P': 1024.0**3}

_RUSAGE = re.compile(r'\brusage\s*\[[^\]]*\]')

_NUM = re.compile(r'\bnum=(\d+)')

_NGPUS = re.compile(r'\bngpus\w*\s*=\s*(\d+)')

_MEM = re.compile(r'(\bmem(?:/\w+)?\s*=\s*)(\d+(?:\.\d+)?)(?:([KMGTP])B?\b)?', re.IGNORECASE)

_LIMIT = re.compile(r'(\d+(?:\.\d+)?)(?:([KMGTP])B?)?(!?)', re.IGNORECASE)


def _asked_memory(options: LsfOptions) -> int | None:
    for section in _RUSAGE.findall(options.resources):
        if found := _MEM.search(section):
            return _mebibytes(found[2], found[3] or 'M')
    for limit in values_of('M', options.extra):
        if found := _LIMIT.fullmatch(limit):
            return _mebibytes(found[1], found[2] or 'K')
    return None


def _mebibytes(number: str, unit: str) -> int | None:
    return math.ceil(float(number) * _IN_MIB[unit.upper()]) or None


def _raised_resources(resources: str, factor: float) -> str:
    """Resources with ``factor`` times the reserved memory; the unit of a bare number does not matter."""

    def raised(found: re.Match[str]) -> str:
        return found[1] + _times(found[2], found[3] or '', factor)

    return _RUSAGE.sub(lambda section: _MEM.sub(raised, section[0]), resources)


def _raised_limit(extra: Sequence[str], factor: float) -> tuple[str, ...]:
    """Arguments with ``factor`` times the limit of ``-M``."""
    return tuple(
        _raised_argument(before, argument, factor) for before, argument in zip(('', *extra), extra, strict=False)
    )


def _raised_argument(before: str, argument: str, factor: float) -> str:
    option, text = ('-M', argument[2:]) if argument.startswith('-M') else ('', argument)
    found = _LIMIT.fullmatch(text) if option or before == '-M' else None
    return f'{option}{_times(found[1], found[2] or "", factor)}{found[3]}' if found else argument


def _times(number: str, unit: str, factor: float) -> str:
    """A multiple of an amount as a whole number: in its own unit if that is exact, else in MB."""
    amount = float(number) * factor
    if not unit or unit.upper() in 'KM' or amount == int(amount):
        return f'{math.ceil(amount)}{unit and unit.upper() + "B"}'
    return f'{math.ceil(amount * _IN_MIB[unit.upper()])}MB'
