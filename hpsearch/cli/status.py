"""What ``hpsearch status`` shows: how a search stands, from its folder, its writers and its queue."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpsearch.cli.options import SearchOptions, merged_options
from hpsearch.cli.reports import best_run, failure_groups
from hpsearch.host import kernel
from hpsearch.host.processes import user_name
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import ConfigError
from hpsearch.model.evidence import HostRelation
from hpsearch.model.retries import resources_for
from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot, merged_queue
from hpsearch.model.states import ACTIVE, Attempt, SearchState, State, Submission
from hpsearch.model.units import duration
from hpsearch.store import reconcile as evidence
from hpsearch.store import writers
from hpsearch.store.attempt_files import duration as seconds_of
from hpsearch.store.attempt_files import read_line
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import JournalReader, open_journals
from hpsearch.store.provenance import code_changes
from hpsearch.store.reconcile import Reconciler, active_attempts
from hpsearch.ui.format import DONE
from hpsearch.ui.status_report import status_json, status_text

if TYPE_CHECKING:
    from hpsearch.backends.queue.batch_system import BatchSystem
    from hpsearch.backends.queue.poller import Listing

log = logging.getLogger('hpsearch')

MOST_NOTES = 5
"""Notes of one kind that are shown."""

QUEUES = ('slurm', 'lsf')


@dataclass
class SearchSnapshot:
    """A search that is looked at.

    Attributes:
        folder: Where.
        info: What was asked.
        state: What the journals say, and later what else is found.
        reader: Has read the journals.
        now: Seconds since 1970.
    """

    folder: SearchFolder
    info: Mapping[str, Any]
    state: SearchState
    reader: JournalReader
    now: float

    @cached_property
    def total(self) -> int:
        """Number of runs that are wanted."""
        return self.folder.count_runs() - len(self.info.get('withdrawn', ()))

    @cached_property
    def plain(self) -> Configuration:
        """How the results are shown."""
        return from_plain(self.info['configuration']['attributes'])

    @cached_property
    def configuration(self) -> Configuration:
        """How results are read; a parser of its own is code, and executed only when the search is ours."""
        described = self.info['configuration']
        if 'summary_parser' not in described['attributes'].get('handles', ()) or not self.is_ours:
            return self.plain
        from hpsearch.config.handles import stored_configuration

        stored = stored_configuration(self.folder, self.info)
        for note in stored.notes:
            log.warning(note)
        return stored.configuration

    @cached_property
    def owner(self) -> int:
        """The user whose search it is."""
        return os.stat(self.folder.search_json).st_uid

    @property
    def is_ours(self) -> bool:
        """Whether it is a search of this user."""
        return self.owner == os.getuid()

    @cached_property
    def living(self) -> dict[str, dict[str, Any]]:
        """The writers that are at work, and what each told last."""
        return evidence.living_writers(self.folder, self.reader, self.now)

    @cached_property
    def options(self) -> SearchOptions:
        """The options it was made with."""
        return merged_options(self.info, {})

    def unattended(self) -> list[Attempt]:
        """Attempts under way whose writer is not at work."""
        return [attempt for attempt in active_attempts(self.state) if attempt.owner not in self.living]

    def relation(self, writer: str) -> HostRelation:
        """How the host of a writer relates to ours."""
        header = self.reader.headers.get(writer, {})
        return writers.relation(kernel.host_of(header), kernel.this_host())

    def system(self, queue: str) -> BatchSystem:
        """A queue system, as the search uses it.

        Raises:
            ConfigError: The options of the search do not suit the one that is here.
        """
        from hpsearch.cli.queue_backends import system_named

        return system_named(queue, self.options)

    def _memory(self, queue: str) -> int | None:
        try:
            return self.system(queue).memory
        except ConfigError:
            return None  # its options do not suit the queue system that is here

    def room_of(self, attempt: Attempt, earlier: Sequence[Attempt]) -> dict[str, Any]:
        """How much room the job of an attempt had."""
        from hpsearch.cli.queue_backends import most_memory

        memory = self._memory(attempt.handle['queue'])
        had, most = resources_for(earlier).memory or memory, most_memory(self.options, memory)
        return {'was_alone': True, 'largest': True, 'in_queue': True, 'memory_limit': had, 'memory_most': most}


def open_scene(folder: SearchFolder, now: float) -> SearchSnapshot:
    """A search to be looked at.

    Args:
        folder: Where.
        now: Seconds since 1970.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    info = folder.read_info()
    state, reader = open_journals(folder)
    for name in info.get('withdrawn', ()):
        state.runs.pop(name, None)
    return SearchSnapshot(folder, info, state, reader, now)


def status_lines(folder: SearchFolder, *, as_json: bool) -> Iterator[str]:
    """How a search stands.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    scene = open_scene(folder, time.time())
    onlooker = Reconciler(folder, scene.state, lambda: scene.configuration, scene.room_of)
    notes = _few(onlooker.take_in(scene.unattended()))
    queue, about_queue = queue_of(scene, onlooker)
    notes += onlooker.take_in((attempt for attempt in onlooker.unclear if attempt.state in ACTIVE), {})
    snapshot = snapshot_of(scene, queue)
    notes += [*about_queue, *silent_hosts(scene)]
    failures = failure_groups(folder, scene.state)
    if as_json:
        yield json.dumps({**status_json(snapshot, failures), 'notes': notes}, indent=2)
        return
    yield status_text(snapshot, failures).rstrip('\n')
    yield from (f'  note: {text}' for text in notes)
    if changes := code_changes(scene.state.codes(), scene.state.diffs):
        yield f'  warning: {changes}'
    yield from (f'note: {odd}' for odd in [*scene.reader.odd, *scene.state.odd][:MOST_NOTES])


def _few(notes: Sequence[str]) -> list[str]:
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], *([f'and {more} more like these'] if more > 0 else [])]


def snapshot_of(scene: SearchSnapshot, queue: Sequence[QueueLine]) -> Snapshot:
    """A search as it stands."""
    counts = Counter(history.state.value for history in scene.state.runs.values())
    counts['planned'] += scene.total - len(scene.state.runs)
    active = active_attempts(scene.state)
    news = scene.living.items()
    begin = min((float(each['at']) for each in scene.reader.headers.values() if 'at' in each), default=scene.now)
    return Snapshot(
        folder=str(scene.folder.path),
        total=scene.total,
        counts=dict(counts),
        elapsed=max(0.0, scene.now - begin),
        gpus=[
            GpuLine(**line)
            for writer, told in news
            if scene.relation(writer) is HostRelation.SAME
            for line in told.get('gpus', ())
        ],
        running=[_run_line(scene, attempt) for attempt in active if _is_under_way(attempt)],
        best=best_run(scene.folder, scene.state, scene.plain),
        performance_key=scene.plain.performance_key,
        waiting='; '.join(dict.fromkeys(filter(None, (str(told.get('waiting', '')) for _, told in news))))
        or _nobody(scene, bool(queue) or _any_in_queue(active), bool(active) or counts['planned'] > 0),
        queue=queue,
    )


def _any_in_queue(attempts: Iterable[Attempt]) -> bool:
    return any(attempt.is_in_queue for attempt in attempts)


def _is_under_way(attempt: Attempt) -> bool:
    """Whether it is more than a job that waits in a queue, as far as is known."""
    return attempt.state in (State.RUNNING, State.UNKNOWN) or not attempt.is_in_queue


def _nobody(scene: SearchSnapshot, is_in_queue: bool, is_open: bool) -> str:
    if scene.living or not is_open:
        return ''
    if is_in_queue:
        return (
            'no hpsearch works on it; its jobs in the queue go on (hpsearch resume takes in results and submits more)'
        )
    return 'no hpsearch works on it on this machine (hpsearch resume goes on with it)'


def _run_line(scene: SearchSnapshot, attempt: Attempt) -> RunLine:
    paths = scene.folder.attempt(attempt.run, attempt.number)
    if not attempt.is_in_queue:
        seconds = max(0.0, scene.now - (attempt.claimed_at or scene.now))
        return RunLine(attempt.run, seconds, _where(scene, attempt))
    words = read_line(paths.started).split()
    return RunLine(attempt.run, seconds_of(paths) or 0.0, f'on {words[4]}' if len(words) > 4 else '')


def _where(scene: SearchSnapshot, attempt: Attempt) -> str:
    is_here = scene.relation(attempt.owner) is HostRelation.SAME
    host = '' if is_here else scene.reader.headers.get(attempt.owner, {}).get('host', '')
    parts = [f'GPU {",".join(attempt.gpus)}' if attempt.gpus else '', f'on {host}' if host else '']
    return ' '.join(filter(None, parts))


def silent_hosts(scene: SearchSnapshot) -> Iterator[str]:
    """For each other host with runs under way: when its hpsearch last showed life; from here they cannot be asked."""
    runs = Counter(attempt.owner for attempt in active_attempts(scene.state) if not attempt.is_in_queue)
    others = {writer: count for writer, count in sorted(runs.items()) if scene.relation(writer) is HostRelation.OTHER}
    in_jobs = {writer for writer in others if 'job' in scene.reader.headers.get(writer, {})}
    yield from (_silent_host(scene, writer, count) for writer, count in others.items() if writer not in in_jobs)
    silent = in_jobs - scene.living.keys()
    if silent:
        yield (
            f'{sum(others[writer] for writer in silent)} of the running show no life any more, in {len(silent)} of the '
            'jobs that work on the search: hpsearch resume asks the queue what became of them'
        )


def _silent_host(scene: SearchSnapshot, writer: str, count: int) -> str:
    silence = evidence.silence_of(scene.folder, writer, scene.now)
    ago = 'never' if silence is None else f'{duration(max(0.0, silence))} ago'
    host = scene.reader.headers.get(writer, {}).get('host', 'a host without a name')
    return (
        f'{count} of the running are on {host}, which cannot be asked from '
        f'here; its hpsearch last showed life {ago}. If it is dead: hpsearch resume --host_is_dead=HOST'
    )


# The queue


def queue_of(scene: SearchSnapshot, onlooker: Reconciler) -> tuple[list[QueueLine], list[str]]:
    """What a search has in a queue, and notes: from its writers; where none of them tells, the queue is asked."""
    told = [_queue_line(line) for news in scene.living.values() for line in news.get('queue', ())]
    if told:
        return merged_queue(told), []
    attempts = [attempt for attempt in scene.unattended() if attempt.is_in_queue]
    pilots = _pilots(scene)
    queues = {attempt.handle['queue'] for attempt in attempts} | {submission.queue for submission in pilots}
    if not queues:
        return [], []
    if not scene.is_ours:
        return [], [f'the queue was not asked: the jobs are those of {user_name(scene.owner)}']
    asked = [_ask(scene, onlooker, queue, attempts, pilots) for queue in sorted(queues & set(QUEUES))]
    return merged_queue(line for lines, _ in asked for line in lines), [note for _, notes in asked for note in notes]


def _queue_line(told: Mapping[str, Any]) -> QueueLine:
    """What a writer told, which may be of a later version that tells more."""
    known = {field.name for field in dataclasses.fields(QueueLine)}
    return QueueLine(**{name: value for name, value in told.items() if name in known})


def _pilots(scene: SearchSnapshot) -> list[Submission]:
    """Jobs that may work on the search, if there is something to do, and of which no writer at work tells."""
    states = (history.state.value for history in scene.state.runs.values())
    if scene.total == len(scene.state.runs) and all(state in DONE for state in states):
        return []
    submissions = scene.state.submissions.values()
    return [each for each in submissions if each.pilots and each.writer not in scene.living]


def _ask(
    scene: SearchSnapshot, onlooker: Reconciler, queue: str, attempts: Sequence[Attempt], pilots: Sequence[Submission]
) -> tuple[Sequence[QueueLine], list[str]]:
    from hpsearch.backends.queue.poller import line_of, match_jobs

    listing = _listing(scene, queue)
    if listing.records is None:
        return [], [f'the queue could not be asked about the jobs of this search: {listing.problem}']
    its = [attempt for attempt in attempts if attempt.handle['queue'] == queue]
    told = match_jobs(listing.records, its, [each for each in pilots if each.queue == queue])
    onlooker.note_running(told.running)
    # Their records may have come since we looked; and what ended them, nobody else may know.
    causes = {(attempt.run, attempt.number): seen.cause for attempt, seen in told.ended}
    problems = onlooker.take_in([*(attempt for attempt, _ in told.ended), *told.missing], causes)
    ended = [(attempt, seen) for attempt, seen in told.ended if attempt.state in ACTIVE]
    unclear = [*(attempt for attempt, _ in ended), *(each for each in told.missing if each.state in ACTIVE)]
    lines = [*told.lines, *(line_of(seen, attempt.run) for attempt, seen in ended)]
    return lines, [*_few(problems), *_about_unclear(unclear)]


def _listing(scene: SearchSnapshot, queue: str) -> Listing:
    from hpsearch.backends.queue.poller import Listing, list_jobs

    try:
        return list_jobs(scene.system(queue))
    except ConfigError as error:
        return Listing(None, str(error))


def _about_unclear(attempts: Sequence[Attempt]) -> Iterator[str]:
    if attempts:
        yield (
            f'{len(attempts)} of the runs ({attempts[0].run}{", …" if len(attempts) > 1 else ""}) have ended in the '
            'queue, or are not listed there, and left no record of their end: hpsearch resume finds out what became '
            'of them'
        )
