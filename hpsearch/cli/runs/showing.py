"""What ``hpsearch show`` says of a run: what it was given, how it is started, what became of it, and where it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.cli.runs.choosing import find_run
from hpsearch.cli.runs.output import Form, Sheet, csv_lines, strict_json, tell_unread
from hpsearch.cli.status import SearchSnapshot, listing_of, open_snapshot
from hpsearch.host.processes import user_name
from hpsearch.model.command import line_breaks_of, shell_program, shell_word
from hpsearch.model.resources import CUDA
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.units import duration
from hpsearch.model.usage.in_use import RunUse
from hpsearch.records.expression import Scalar
from hpsearch.records.fields import Fields, scalar_of, scalar_of_text, time_text
from hpsearch.records.reading import search_record_of
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.format import printable, queue_texts, stuck_texts, use_text


@dataclass(frozen=True)
class Shown:
    """A run with what is shown of it.

    Attributes:
        search: Its search.
        folder: The folder of the search.
        run: The run.
        waits: Why it waits; empty: it does not, or that is not known.
    """

    search: SearchRecord
    folder: SearchFolder
    run: RunRecord
    waits: str = ''

    @property
    def cwd(self) -> str:
        """Where its command is executed."""
        return self.folder.cwd_of_runs(self.search.info.get('run_cwd', ''))

    @property
    def command(self) -> str:
        """A line for a shell that executes its command as it was, or would be, executed: there, and on those GPUs."""
        variables = [f'{name}={value}' for name, value in _variables(self.run.deciding).items()]
        words = [*(['env', *variables] if variables else []), *self.run.run.argv]
        line = ' '.join([shell_program(words[0]), *map(shell_word, words[1:])])
        line = f'cd {shell_word(self.cwd)} && {line}' if self.cwd else line
        return line_breaks_of(line) + line

    def logs(self, number: int) -> list[str]:
        """Paths of what an attempt has printed, as far as they are there."""
        paths = self.folder.attempt(self.run.name, number)
        return [path for path in (paths.stdout, paths.stderr) if os.path.exists(path)]


def shown_run(folder: SearchFolder, word: str, *, with_others: bool = False) -> Shown:
    """The run that a word means, with all that is known of it; its queue is asked if it waits there.

    What of the search cannot be read is said on standard error.

    Args:
        folder: The search.
        word: The word.
        with_others: Whether its search has the records of the other runs, too.

    Raises:
        HpsearchError: It is no search, or cannot be read; or there is no such run.
    """
    snapshot = open_snapshot(folder, time.time(), with_runs=True)
    name = find_run(list(snapshot.runs()), word, str(folder.path)).name
    search = search_record_of(snapshot, only='' if with_others else name)
    tell_unread(search)
    run = next(run for run in search.runs if run.name == name)
    return Shown(search, folder, run, why_it_waits(snapshot, run))


def _variables(attempt: AttemptRecord | None) -> dict[str, str]:
    """The variables that chose the GPUs of an attempt on this machine; within a job its queue has done that."""
    if attempt is None or attempt.queue or not attempt.gpus or not all(gpu.isdigit() for gpu in attempt.gpus):
        return {}
    return {'CUDA_DEVICE_ORDER': 'PCI_BUS_ID', CUDA: ','.join(attempt.gpus)}


def why_it_waits(snapshot: SearchSnapshot, run: RunRecord) -> str:
    """Why a run waits, in words; what is a job is looked up in its queue. Empty: it does not wait."""
    attempt = snapshot.state.attempt_of(run.name, run.last.number) if run.last else None
    if attempt is None or not attempt.is_in_queue or attempt.state not in (State.CLAIMED, State.SUBMITTED):
        return run.waiting
    queue = attempt.handle['queue']
    if not snapshot.is_ours:
        return f'{queue} was not asked: its job belongs to {user_name(snapshot.owner)}'
    from hpsearch.backends.queue.poller import match_jobs

    listing = listing_of(snapshot, queue)
    if listing.records is None:
        return f'{queue} could not be asked: {listing.problem}'
    lines = match_jobs(listing.records, [attempt], [], snapshot.state.submissions, snapshot.now).lines
    said = [*(text.removeprefix('1 ') for text in queue_texts(lines)), *stuck_texts(lines)]
    return f'in {queue}: {", ".join(said)}' if said else f'{queue} does not list its job'


def shown_lines(shown: Shown, form: Form) -> Iterator[str]:
    """A run in lines: for people, as an object of JSON, or as CSV with one row in the columns of ``hpsearch list``."""
    if form is Form.JSON:
        return iter([strict_json(facts_of(shown), indent=2)])
    if form is Form.CSV:
        fields = Fields(shown.search)
        row = [field.of(shown.run) for field in fields.all]
        return csv_lines(Sheet([fields.column(field) for field in fields.all], [row]))
    return _for_people(shown)


# For programs


def facts_of(shown: Shown) -> dict[str, Any]:
    """All of it as values of JSON."""
    run = shown.run
    proposal = run.proposal
    return {
        'run': run.name,
        'number': run.number,
        'state': run.state.value,
        'reason': run.reason,
        'waits': shown.waits,
        'request': run.request or None,
        'trial': run.trial,
        'budget': proposal.fidelity if proposal else None,
        'seed': proposal.seed if proposal else None,
        'params': {name: _plain(value) for name, value in run.params.items()},
        'summary': {key: scalar_of_text(text) for key, text in (run.summary or {}).items()},
        'metrics': dict(run.metrics),
        'step': max(run.curve, default=None),
        'command': shown.command,
        'cwd': shown.cwd,
        'argv': list(run.run.argv),
        'output': run.output,
        'attempts': [_attempt_facts(shown, attempt) for attempt in run.attempts],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return {str(key): _plain(each) for key, each in value.items()} if isinstance(value, dict) else scalar_of(value)


def _attempt_facts(shown: Shown, attempt: AttemptRecord) -> dict[str, Any]:
    return {
        'attempt': attempt.number,
        'state': attempt.state.value,
        'reason': attempt.reason,
        'cause': attempt.cause or None,
        'exit_status': attempt.code,
        'claimed': time_text(attempt.claimed_at),
        'started': time_text(attempt.started_at),
        'ended': time_text(attempt.ended_at),
        'seconds': attempt.seconds,
        'host': attempt.host or None,
        'gpus': list(attempt.gpus),
        'queue': attempt.queue or None,
        'job': attempt.job or None,
        'measured': attempt.measured.facts(),
        'expected': attempt.estimate.facts(),
        'code': attempt.code_id or None,
        'logs': shown.logs(attempt.number),
    }


# For people


def _for_people(shown: Shown) -> Iterator[str]:
    run = shown.run
    yield f'{run.name} (number {run.number}): {run.state.value}'
    reason = '' if shown.waits else run.reason
    for label, text in (('waits', shown.waits), ('reason', reason), ('asked for', run.request), _proposed(run)):
        yield from _labelled(label, text)
    yield from _values('parameters', {name: scalar_of(value) for name, value in run.params.items()})
    yield from _values('result', run.summary or {})
    yield from _values(f'reported last, at step {max(run.curve, default=0):g}', run.metrics)
    for attempt in run.attempts:
        yield from _attempt(shown, attempt)
    yield ''
    yield f'output   {run.output}'
    yield f'command  {shown.command}'


def _proposed(run: RunRecord) -> tuple[str, str]:
    if run.proposal is None:
        return '', ''
    facts = {'budget': run.proposal.fidelity, 'seed': run.proposal.seed, 'goes on from': run.proposal.parent or None}
    known = [f'{name} {value}' for name, value in facts.items() if value is not None]
    return 'trial', ', '.join([str(run.trial), *known])


def _labelled(label: str, text: str, margin: str = '  ') -> Iterator[str]:
    """A text of one line or several behind a label; nothing where there is none."""
    for number, line in enumerate(text.splitlines()):
        head = f'{label}: ' if not number else ' ' * (len(label) + 2)
        yield f'{margin}{head}{printable(line)}'


def _values(title: str, values: Mapping[str, Scalar]) -> Iterator[str]:
    if not values:
        return
    yield ''
    yield title
    width = max(map(len, values))
    for name, value in values.items():
        yield printable(f'  {name:<{width}}  {value}')


def _attempt(shown: Shown, attempt: AttemptRecord) -> Iterator[str]:
    yield ''
    cause = f' ({attempt.cause})' if attempt.cause and attempt.cause != 'exit' else ''
    yield f'attempt {attempt.number}: {attempt.state.value}{cause}'
    yield from _labelled('reason', attempt.reason)
    yield from _labelled('when', _when(attempt))
    yield from _labelled('where', _where(attempt))
    yield from _labelled('used', use_text(RunUse(measured=attempt.measured, memory=attempt.measured.gpu_memory)))
    yield from _labelled('expected', attempt.estimate.in_words)
    yield from _labelled('memory of its job', f'{attempt.memory} MiB' if attempt.memory else '')
    yield from _labelled('code', attempt.code_id)
    for path in shown.logs(attempt.number):
        yield f'  log: {path}'


def _when(attempt: AttemptRecord) -> str:
    so_far = ' so far' if attempt.state in ACTIVE else ''
    parts = [
        f'claimed {_local(attempt.claimed_at)}' if attempt.started_at is None and attempt.claimed_at else '',
        f'started {_local(attempt.started_at)}' if attempt.started_at is not None else '',
        f'ended {_local(attempt.ended_at)}' if attempt.ended_at is not None else '',
        f'{duration(attempt.seconds)}{so_far}' if attempt.seconds is not None else '',
    ]
    return ', '.join(filter(None, parts))


def _local(seconds: float | None) -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds)) if time_text(seconds) else '?'


def _where(attempt: AttemptRecord) -> str:
    job = f'job {attempt.job}' if attempt.job else ''
    gpus = f'GPU {",".join(attempt.gpus)}' if attempt.gpus else ''
    return ', '.join(filter(None, (attempt.host, gpus, ' '.join(filter(None, (attempt.queue, job))))))
