"""What ``hpsearch status`` shows: how a search stands, from its folder, its writers and its queue."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpsearch.cli.adaptive import leading
from hpsearch.cli.options import SearchOptions, merged_options
from hpsearch.cli.reports import best_run, no_best_note, place_notes, reread_note, time_limit_notes
from hpsearch.cli.runs.output import few_of
from hpsearch.cli.runs.requests import request_notes
from hpsearch.host.processes import user_name
from hpsearch.model.errors import ConfigError, DamageError
from hpsearch.model.evidence import HostRelation, JobState, Liveness, QueueView
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.submission import Submission
from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot, merged_queue
from hpsearch.model.states import ACTIVE, State
from hpsearch.model.trials.curves import latest
from hpsearch.model.units import count_of, duration, noun_for
from hpsearch.model.usage.holders import GpuHolder, HolderKind
from hpsearch.model.usage.in_use import run_use_from
from hpsearch.records.failures import failure_groups
from hpsearch.records.opening import OpenedSearch, open_search
from hpsearch.store import writers
from hpsearch.store.attempt_files import duration as seconds_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import first_headers, open_journals
from hpsearch.store.provenance import code_changes, runs_by_code
from hpsearch.store.reconcile import AttemptKey, Reconciler, active_attempts
from hpsearch.ui.format import DONE
from hpsearch.ui.status_report import status_json, status_text

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.poller import Listing
    from hpsearch.cli.packing.predictions import Predictions

log = logging.getLogger('hpsearch')

QUEUES = ('slurm', 'lsf')


class SearchSnapshot(OpenedSearch):
    """A search as it is read for its status."""

    @cached_property
    def total(self) -> int | None:
        """Number of runs that are wanted, as far as is known now; None: there is no limit."""
        if self.folder.is_adaptive:
            from hpsearch.cli.adaptive.settings import planned_runs

            return planned_runs(self.options, self.plain, self.state)
        return self.folder.count_runs() - len(self.info.get('withdrawn', ()))

    def read_on(self, now: float) -> set[str]:
        """See :meth:`OpenedSearch.read_on`; more runs may be wanted after it."""
        changed = super().read_on(now)
        if changed:
            vars(self).pop('total', None)
        return changed

    @cached_property
    def options(self) -> SearchOptions:
        """The options it was made with."""
        return merged_options(self.info, {})

    def system(self, queue: str) -> BatchSystem:
        """A queue system, as the search uses it.

        Raises:
            ConfigError: The options of the search do not suit the one that is here.
        """
        from hpsearch.cli.backends.queue_system import system_named

        return system_named(queue, self.options)


def open_snapshot(folder: SearchFolder, now: float, *, with_runs: bool = False) -> SearchSnapshot:
    """Read a search; arguments and errors as those of :func:`open_search`."""
    return SearchSnapshot(**vars(open_search(folder, now, with_runs=with_runs)))


def why_under_way(folder: SearchFolder, dead_hosts: Collection[str] = ()) -> str:
    """Why a search is under way, or may be, in words; empty: it is not.

    Args:
        folder: The search.
        dead_hosts: Names of hosts on which nothing runs any more.

    Raises:
        HpsearchError: It cannot be read.
    """
    try:
        search = open_snapshot(folder, time.time())
    except DamageError:
        return ''  # nobody can work on it
    reconciler = search.reconciler()
    unread = reconciler.note_claims()
    reconciler.take_in(reconciler.unattended())
    headers = search.reader.headers
    dead = {writer for writer, header in headers.items() if header.get('host') in dead_hosts}
    for writer in sorted(search.living.keys() - dead):
        return f'hpsearch works on it, on {headers[writer].get("host")} (pid {headers[writer].get("pid")})'
    runs = sum(attempt.owner not in dead for attempt in active_attempts(search.state))
    if runs:
        return f'{count_of(runs, "of its runs is", "of its runs are")} under way, or may be'
    return '; '.join(unread[:1])


def why_live_copy(folder: SearchFolder, info: Mapping[str, Any], dead_hosts: Collection[str] = ()) -> str:
    """Why a folder must not be worked on because it is a copy of a search that is under way, in words, or empty.

    Where the original is not to be seen, a writer that lives and works on another folder shows that there is one.

    Args:
        folder: The folder.
        info: What describes it.
        dead_hosts: Names of hosts on which nothing runs any more.

    Raises:
        HpsearchError: A journal cannot be read.
    """
    headers = first_headers(folder)
    seen = writers.originals(folder, info, headers)
    for original in seen:
        if why := why_under_way(original, dead_hosts):
            return (
                f'{folder.path} is a copy of {original.path}, and that search is under way: {why}. Go on there, or end '
                f'it first: hpsearch stop {original.path}'
            )
    hidden = {
        writer
        for writer, header in headers.items()
        if writers.is_elsewhere(header, folder) and header['place'] not in {str(original.path) for original in seen}
    }
    return _why_worked_on_elsewhere(folder, hidden, dead_hosts) if hidden else ''


def _why_worked_on_elsewhere(folder: SearchFolder, writers_elsewhere: Collection[str], dead: Collection[str]) -> str:
    """Which of some writers lives, that work on a folder which is not to be seen from here, in words, or empty."""
    reader = open_journals(folder)[1]
    headers = {writer: header for writer, header in reader.headers.items() if writer in writers_elsewhere}
    lives = writers.poll_once(folder, headers, reader.closed, time.time(), dead)
    for header in (headers[writer] for writer, life in lives.items() if life is Liveness.ALIVE):
        return (
            f'{folder.path} is a copy: hpsearch works on this search in {header["place"]} on {header.get("host")} (pid '
            f'{header.get("pid")}), or did a minute ago. Go on there, or end it first and try again; if that host is '
            f'dead: --host_is_dead={header.get("host")}'
        )
    return ''


def status_lines(folder: SearchFolder, *, as_json: bool, with_predictions: bool = False) -> Iterator[str]:
    """The state of a search, in lines or as JSON.

    Args:
        folder: The search.
        as_json: Whether programs read it.
        with_predictions: Whether it says what runs were expected to need.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    search = open_snapshot(folder, time.time())
    reconciler = search.reconciler()
    notes = few_of(reconciler.take_in_unattended())
    queue, about_queue = queue_of(search, reconciler)
    notes += reconciler.take_in((attempt for attempt in reconciler.unclear if attempt.state in ACTIVE), {})
    notes += few_of(reconciler.take_in_late_records())
    snapshot = snapshot_of(search, queue)
    notes += [
        *filter(None, [why_live_copy(folder, search.info)]),
        *about_queue,
        *silent_hosts(search),
        *filter(None, ['' if snapshot.best else no_best_note(search.state, search.plain)]),
        *request_notes(folder, search.state),
        *reread_note(folder, search.state),
        *place_notes(folder, search.state, search.now),
        *time_limit_notes(folder, search.state),
    ]
    objectives, found = leading.leaders_of(folder, search.state, search.info.get('options', {}), search.plain)
    groups = failure_groups(folder, search.state, search.configuration)
    failures = [(len(group.runs), group.words, group.example) for group in groups]
    changes = code_changes(folder, search.state)
    predicted = _predictions_of(search) if with_predictions else None
    if as_json:
        codes = {'codes': dict(runs_by_code(search.state)), 'code_changes': changes}
        led = {'leaders': leading.json_of(objectives, found)} if found else {}
        needs = {'predictions': predicted.plain()} if predicted else {}
        yield json.dumps({**status_json(snapshot, failures), **led, **codes, **needs, 'notes': notes}, indent=2)
        return
    yield status_text(snapshot, failures).rstrip('\n')
    yield from (f'  {text}' for text in leading.lines_of(objectives, found))
    yield from (f'  {text}' for text in (predicted.lines() if predicted else ()))
    yield from (f'  note: {text}' for text in notes)
    if changes:
        yield f'  warning: {changes}'
    yield from (f'note: {odd}' for odd in few_of([*search.reader.odd, *search.state.odd]))


def _predictions_of(search: SearchSnapshot) -> Predictions:
    """What runs were expected to need, and what was measured."""
    from hpsearch.cli.packing.predictions import predictions_of

    learn_from = search.options.local.learn_from
    uses = {run: run_use_from(use) for run, use in search.uses.items()}
    return predictions_of(search.folder, search.state, search.plain, learn_from, uses, search.now)


def snapshot_of(search: SearchSnapshot, queue: Sequence[QueueLine]) -> Snapshot:
    """A search as it stands."""
    counts = Counter(history.state.value for history in search.state.runs.values())
    known = len(search.state.suggestions) if search.total is None else search.total
    counts['planned'] += max(0, known - len(search.state.runs))
    is_open = counts['planned'] > 0 or any(history.is_open for history in search.state.runs.values())
    active = active_attempts(search.state)
    news = search.living.items()
    begin = min((float(each['at']) for each in search.reader.headers.values() if 'at' in each), default=search.now)
    return Snapshot(
        folder=str(search.folder.path),
        total=search.total,
        counts=dict(counts),
        elapsed=max(0.0, end_of(search, active) - begin),
        gpus=[
            gpu_line_from(line, writers.silence_of(search.folder, writer, search.now))
            for writer, shown in news
            if search.relation(writer) is HostRelation.SAME
            for line in shown.get('gpus', ())
        ],
        running=[_run_line(search, attempt) for attempt in active if _is_under_way(attempt)],
        best=best_run(search.folder, search.state, search.plain),
        performance_key=search.plain.performance_key,
        waiting=why_waiting(search, active, has_queue=bool(queue), is_open=is_open),
        varying=search.plain.varying,
        queue=queue,
    )


def why_waiting(search: OpenedSearch, active: Iterable[Attempt], *, has_queue: bool, is_open: bool) -> str:
    """Why no run of a search is started, in words; empty: they are, or that is not known.

    Args:
        search: The search.
        active: Its attempts that are under way.
        has_queue: Whether it is known to have jobs in a queue.
        is_open: Whether some of its runs have not ended.
    """
    told = (str(shown.get('waiting', '')) for shown in search.living.values())
    if waiting := '; '.join(dict.fromkeys(filter(None, told))):
        return waiting
    if not is_open:
        return ''
    return _why_idle(search, has_queue or any(_is_accepted(attempt) for attempt in active))


def end_of(search: OpenedSearch, active: Sequence[Attempt]) -> float:
    """Until when its time counts: now while something is under way, else the last sign of life of writers and runs.

    A writer that was killed may have given none since it began, and what it had started went on without it.
    """
    if search.living or active:
        return search.now
    worked = ((writer, header) for writer, header in search.reader.headers.items() if not header.get('asks'))
    signs = [_last_sign(search, *each) for each in worked]
    attempts = (attempt for history in search.state.runs.values() for attempt in history.attempts)
    ends = (each.claimed_at + (each.seconds or 0.0) for each in attempts if each.claimed_at is not None)
    return max((*signs, *ends), default=search.now)


def _last_sign(search: OpenedSearch, writer: str, header: Mapping[str, Any]) -> float:
    heard = writers.heard_at(search.folder, writer, search.now)
    return search.reader.closed.get(writer) or (float(header.get('at', 0.0)) if heard is None else heard)


def gpu_line_from(reported: Mapping[str, Any], silence: float | None) -> GpuLine:
    """A GPU as a writer reported it so many seconds ago."""
    holders = tuple(GpuHolder(**{**each, 'kind': HolderKind(each['kind'])}) for each in reported.get('holders', ()))
    line = GpuLine(**{**reported, 'holders': holders})
    return line if line.age is None or silence is None else dataclasses.replace(line, age=line.age + max(0.0, silence))


def _is_under_way(attempt: Attempt) -> bool:
    """Whether it has started, or may have: what was only claimed, or waits in a queue, has not."""
    return attempt.state in (State.RUNNING, State.UNKNOWN)


def _is_accepted(attempt: Attempt) -> bool:
    """Whether it is a job that a queue has accepted."""
    return attempt.is_in_queue and attempt.state is not State.CLAIMED


def _why_idle(search: OpenedSearch, is_in_queue: bool) -> str:
    if search.living:
        return ''
    if is_in_queue:
        return (
            'no hpsearch works on it; its jobs in the queue continue '
            '(hpsearch resume collects results and submits more)'
        )
    return 'no hpsearch works on it on this machine (hpsearch resume continues it)'


def _run_line(search: SearchSnapshot, attempt: Attempt) -> RunLine:
    paths, run = search.folder.attempt(attempt.run, attempt.number), search.folder.find_run(attempt.run)
    params, reported = run.params if run else {}, latest(search.state.curves.of(attempt.run))
    if not attempt.is_in_queue:
        seconds = max(0.0, search.now - (attempt.claimed_at or search.now))
        use = run_use_from(search.uses.get(attempt.run))
        return RunLine(attempt.run, seconds, _where(search, attempt), params, *reported, use)
    host = search.fence(attempt).host
    return RunLine(attempt.run, seconds_of(paths) or 0.0, f'on {host}' if host else '', params, *reported)


def _where(search: SearchSnapshot, attempt: Attempt) -> str:
    is_here = search.relation(attempt.owner) is HostRelation.SAME
    host = '' if is_here else search.reader.headers.get(attempt.owner, {}).get('host', '')
    parts = [f'GPU {",".join(attempt.gpus)}' if attempt.gpus else '', f'on {host}' if host else '']
    return ' '.join(filter(None, parts))


def silent_hosts(search: SearchSnapshot) -> Iterator[str]:
    """A note for each other host with runs under way, which cannot be queried from here: when it was last active.

    So it is with runs of this host whose processes cannot be read.
    """
    hidden = [each for each in active_attempts(search.state) if each.state is State.UNKNOWN]
    here = [each for each in hidden if search.relation(each.owner) is HostRelation.SAME]
    if here:
        yield (
            f'{len(here)} of the runs under way may run on this host, where we cannot read the processes: '
            'they belong to another user, or /proc hides them'
        )
    runs = Counter(attempt.owner for attempt in active_attempts(search.state) if not attempt.is_in_queue)
    others = {writer: count for writer, count in sorted(runs.items()) if search.relation(writer) is HostRelation.OTHER}
    in_jobs = {writer for writer in others if 'job' in search.reader.headers.get(writer, {})}
    yield from (_silent_host(search, writer, count) for writer, count in others.items() if writer not in in_jobs)
    silent = in_jobs - search.living.keys()
    if silent:
        count = sum(others[writer] for writer in silent)
        yield (
            f'{count_of(count, "of the runs under way shows", "of the runs under way show")} no sign of life, in '
            f'{len(silent)} of the jobs that work on the search: hpsearch resume asks the queue what became of '
            f'{noun_for(count, "it", "them")}'
        )


def _silent_host(search: SearchSnapshot, writer: str, count: int) -> str:
    heard = writers.heard_at(search.folder, writer, search.now)
    ago = 'never' if heard is None else f'{duration(max(0.0, search.now - heard))} ago'
    host = search.reader.headers.get(writer, {}).get('host', 'a host without a name')
    return (
        f'{count_of(count, "of the runs under way is", "of the runs under way are")} on {host}, which cannot be asked '
        f'from here; its hpsearch was last active {ago}. If it is dead: hpsearch resume --host_is_dead=HOST'
    )


# The queue


def queue_of(search: SearchSnapshot, reconciler: Reconciler) -> tuple[list[QueueLine], list[str]]:
    """What a search has in a queue, and notes: as its writers report it; where none does, the queue is queried."""
    shown = [queue_line_from(line) for news in search.living.values() for line in news.get('queue', ())]
    if shown:
        return merged_queue(shown), []
    attempts = [attempt for attempt in reconciler.unattended() if attempt.is_in_queue]
    pilots = _pilots(search)
    queues = {attempt.handle['queue'] for attempt in attempts} | {submission.queue for submission in pilots}
    if not queues:
        return [], []
    if not search.is_ours:
        return [], [f'the queue was not queried: the jobs belong to {user_name(search.owner)}']
    found = [_query(search, reconciler, queue, attempts, pilots) for queue in sorted(queues & set(QUEUES))]
    return merged_queue(line for lines, _ in found for line in lines), [note for _, notes in found for note in notes]


def queue_line_from(shown: Mapping[str, Any]) -> QueueLine:
    """From the report of a writer, which may be of a later version that reports more."""
    known = {field.name for field in dataclasses.fields(QueueLine)}
    return QueueLine(**{name: value for name, value in shown.items() if name in known})


def _pilots(search: SearchSnapshot) -> list[Submission]:
    """Jobs that may work on the search, if there is something to do, and that no active writer manages."""
    states = (history.state.value for history in search.state.runs.values())
    if search.total == len(search.state.runs) and all(state in DONE for state in states):
        return []
    submissions = search.state.submissions.values()
    return [each for each in submissions if each.pilots and each.writer not in search.living]


def _query(
    search: SearchSnapshot,
    reconciler: Reconciler,
    queue: str,
    attempts: Sequence[Attempt],
    pilots: Sequence[Submission],
) -> tuple[Sequence[QueueLine], list[str]]:
    from hpsearch.backends.queue.poller import line_of, match_jobs

    listing = listing_of(search, queue)
    if listing.records is None:
        return [], [
            f'the queue could not be queried about the jobs of this search, so what is shown of them is what hpsearch '
            f'knew last: {listing.problem}'
        ]
    in_it = [attempt for attempt in attempts if attempt.handle['queue'] == queue]
    wanted = [each for each in pilots if each.queue == queue]
    listed = match_jobs(listing.records, in_it, wanted, search.state.submissions, search.now)
    reconciler.note_running(listed.running)
    # Their exit records may have arrived in the meantime; and what ended them, only the queue may know.
    jobs: dict[AttemptKey, QueueView] = {
        (attempt.run, attempt.number): QueueView(JobState.ENDED, record) for attempt, record in listed.ended
    }
    problems = reconciler.take_in([*(attempt for attempt, _ in listed.ended), *listed.missing], jobs)
    ended = [(attempt, record) for attempt, record in listed.ended if attempt.state in ACTIVE]
    unclear = [*(attempt for attempt, _ in ended), *(each for each in listed.missing if each.state in ACTIVE)]
    lines = [*listed.lines, *(line_of(record, attempt.run) for attempt, record in ended)]
    return lines, [*few_of(problems), *_about_unclear(unclear)]


def listing_of(search: SearchSnapshot, queue: str) -> Listing:
    """What the queue lists now, or why it cannot be asked."""
    from hpsearch.backends.queue.poller import Listing, list_jobs

    try:
        return list_jobs(search.system(queue))
    except ConfigError as error:
        return Listing(None, str(error))


def _about_unclear(attempts: Sequence[Attempt]) -> Iterator[str]:
    count = len(attempts)
    if count:
        ended = noun_for(count, 'has ended in the queue, or is', 'have ended in the queue, or are')
        yield (
            f'{count} of the runs ({attempts[0].run}{", …" if count > 1 else ""}) {ended} not listed there, and left '
            f'no record of {noun_for(count, "its", "their")} end: hpsearch resume finds out what became of '
            f'{noun_for(count, "it", "them")}'
        )
