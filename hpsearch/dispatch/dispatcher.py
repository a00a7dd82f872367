"""The loop of a search: take in what ended, fill the slots that are open, wait for an event.

Every decision is made by another module and comes back as a value; every fact goes through the journal before it is
acted upon. Several dispatchers may work on one search: claims and the start fence keep them apart, the journals inform
each of the others.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hpsearch.backends.base import AttemptBackend, Avoided, JobCounts, PilotBackend
from hpsearch.dispatch.adaptive.limits import Enough
from hpsearch.dispatch.adaptive.pruning import Pruning
from hpsearch.dispatch.admission import Admission, Admitted, Claims
from hpsearch.dispatch.context import SearchContext
from hpsearch.dispatch.control.cancelling import Cancelling
from hpsearch.dispatch.heartbeat import Heartbeat
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.packing.yielding import Yielding
from hpsearch.dispatch.peers import News, PeerIntake, Peers
from hpsearch.dispatch.places import PlaceWatch
from hpsearch.dispatch.progress import Display, OutputEcho, Progress, ShowsProgress
from hpsearch.dispatch.shutdown import Shutdown, Stop
from hpsearch.dispatch.strategies import AttemptStrategy, PilotStrategy, Strategy
from hpsearch.host.signals import StopRequests
from hpsearch.model.control.requests import PAUSED
from hpsearch.model.errors import SearchFolderError, trouble_in_words
from hpsearch.model.history.places import is_gpu
from hpsearch.model.retries import Pauses
from hpsearch.model.run import Run
from hpsearch.model.units import count_of
from hpsearch.store.completion import Completion

if TYPE_CHECKING:
    from hpsearch.dispatch.adaptive.metrics import Metrics
    from hpsearch.dispatch.packing.candidates import Candidates
    from hpsearch.store.provenance import Provenance

log = logging.getLogger('hpsearch')

T = TypeVar('T')

UNDECIDED = 'the next run is chosen when others have ended or reported'
"""Why no run is started although there will be more."""

TICK = 1.0
"""Seconds the loop waits at most; events end the wait."""

ECHO_TICK = 0.1
"""The same while the output of a run is shown on the terminal."""

PAUSE = 5.0
"""Seconds before another try when something of the machine (disk, processes) is in the way, at first."""

LONGEST_PAUSE = 120.0
"""The same at most."""

GAP = 5.0
"""Seconds since the last round after which we may have been asleep: news of others comes before anything else."""

LEARNING_PATIENCE = 0.05
"""Seconds that the loop waits for what is learned of runs, so that the next one is placed by it; else it goes on."""

NEWS_INTERVAL = 1.0
"""Seconds between two reads of what other writers report, at least."""


@dataclass(frozen=True)
class Outcome:
    """How the work on a search ended.

    Attributes:
        interrupted: Whether it was stopped before its end.
        drained: Whether what had started could end then.
        failed_fast: What the first attempts all failed with, or empty.
        example: The first run that failed so, or None.
        unknown: Runs that may still be under way on hosts that cannot be asked.
        left: What is in a queue without us; None: we did not leave while jobs may be there.
        silence: Why we left although we do not know what became of the jobs, in the words of the queue, or empty.
        refused: Why a queue refused our jobs for good, in its own words, or empty.
        leftovers: Jobs of this search that may be in the queue although nothing needs them, in words, or empty.
        enough: Why an adaptive search starts nothing more although its sampler would, or None.
    """

    interrupted: bool = False
    drained: bool = False
    failed_fast: str = ''
    example: Run | None = None
    unknown: frozenset[str] = frozenset()
    left: JobCounts | None = None
    silence: str = ''
    refused: str = ''
    leftovers: str = ''
    enough: Enough | None = None


class Dispatcher:
    """Works on a search until nothing is left to do."""

    def __init__(
        self,
        search: SearchContext,
        strategy: Strategy,
        peers: Peers,
        intake: Intake,
        shutdown: Shutdown,
        heartbeat: Heartbeat,
        display: Display,
        clock: Callable[[], float],
        watch: Callable[[SearchContext], None],
    ) -> None:
        self._search = search
        self._watch = watch
        self._strategy = strategy
        self._peers = peers
        self._intake = intake
        self._shutdown = shutdown
        self._heartbeat = heartbeat
        self._display = display
        self._clock = clock
        self._places = PlaceWatch()
        self._is_leaving = False
        self._enough: Enough | None = None
        self._waiting = ''
        self._pauses = Pauses(PAUSE, LONGEST_PAUSE)
        self._ends_trouble = Pauses(LONGEST_PAUSE, LONGEST_PAUSE)
        self._orphans_trouble = Pauses(LONGEST_PAUSE, LONGEST_PAUSE)
        self._is_news_incomplete = False
        self._last_round = clock()
        self._listened = -math.inf

    def run(self) -> Outcome:
        """Work until every run has ended, or until a stop was carried out."""
        self._watch(self._search)
        while self._step(self._clock()):
            self._watch(self._search)
            self._strategy.backend.wait(self._patience())
        self._finish()
        self._watch(self._search)
        fail_fast = self._shutdown.fail_fast
        return Outcome(
            interrupted=self._shutdown.has_begun and not fail_fast.signature,
            drained=self._shutdown.is_draining,
            failed_fast=fail_fast.signature,
            example=fail_fast.example,
            unknown=self._peers.unknown | {each.launch.run.name for each in self._strategy.attempts if each.is_unknown},
            left=self._strategy.backend.job_counts() if self._is_leaving else None,
            silence=self._shutdown.silence if self._is_leaving else '',
            refused=self._shutdown.refused,
            leftovers=self._strategy.backend.leftovers,
            enough=self._try(self._why_enough, self._clock()),
        )

    def _step(self, now: float) -> bool:
        """One round; says whether there is more to do."""
        if now - self._last_round > GAP or now - self._listened >= NEWS_INTERVAL:
            self._try(self._listen, now)
        self._last_round = now
        has_ended = self._try(self._collect, now)
        self._try(self._recover, now)
        self._try(self._avoid_bad_places, now)
        self._try(self._heed_limits, now)
        self._try(self._strategy.prune, now)
        self._try(self._obey, now)
        if self._search.options.echo:
            self._intake.write_rows()  # an end is reported before the output of the next run begins
        self._try(self._say_what_waits, now)
        has_started = self._try(self._admit, now)
        self._is_leaving = self._shall_leave(now, bool(has_started))
        self._try(self._write_rows, now)
        self._try(self._beat, now)
        if self._display.is_due(now, changed=bool(has_ended or has_started)):
            self._display.show(now, self._strategy.attempts, self._waiting)
        return self._try(self._has_more_to_do, now) is not False

    def _try(self, do: Callable[[float], T], now: float) -> T | None:
        """Do a part of a round; one that the system keeps from being done is done again in a later round."""
        try:
            return do(now)
        except OSError as error:
            self._pause_for(f'the system refuses something: {trouble_in_words(error)}')
        except SearchFolderError as error:
            self._pause_for(str(error))
        return None

    def _write_rows(self, now: float) -> None:
        self._intake.load_earlier()
        self._intake.write_rows()

    def _beat(self, now: float) -> None:
        self._pause_for(self._heartbeat.step(now, self._waiting))
        self._look_for_folder()

    def _look_for_folder(self) -> None:
        """End what runs once the search folder is gone; a script that makes its output folder may make it again."""
        if why := self._heartbeat.why_lost():
            self._shutdown.request(Stop.TERM, why)

    def _patience(self) -> float:
        """Seconds until the next round, at most."""
        return ECHO_TICK if self._search.options.echo and self._strategy.attempts else TICK

    # What others report, what ended, what was left behind

    def _listen(self, now: float) -> None:
        self._hear(self._strategy.listen(now))

    def _hear(self, news: News) -> None:
        self._listened = news.at
        self._is_news_incomplete = news.is_incomplete
        for stop, why in news.stops:
            self._shutdown.request(stop, why)
        self._pause_for(news.problem)

    def _collect(self, now: float) -> bool:
        collected = self._strategy.collect(now)
        for completion in collected.ended:
            self._note_end(completion)
        self._warn_of(collected.trouble, self._ends_trouble)
        self._pause_for(collected.problem)
        return bool(collected.ended)

    def _recover(self, now: float) -> None:
        recovered = self._strategy.recover(now, may_judge=self._heartbeat.can_write)
        for completion in recovered.ended:
            self._note_end(completion)
        self._warn_of(recovered.problem, self._orphans_trouble)

    def _avoid_bad_places(self, now: float) -> None:
        """What failed in a bad place is run again as soon as the backend avoids that place."""
        wall, backend = self._search.recorder.timestamp(), self._strategy.backend
        judged = self._strategy.judge_places(wall)
        self._places.step(judged.bad, judged.busy, wall)
        gpus = {place for place in self._places.avoided if is_gpu(place)}
        backend.avoid_gpus(self._places.own_gpus(self._search.writer, judged.bad))
        avoided = backend.avoid(frozenset(self._places.avoided.keys() - gpus), now)
        self._places.take(Avoided(avoided.nodes | gpus, avoided.indispensable))
        self._search.pending.note_bad_places(self._places.bad)
        self._shutdown.note_places(self._places.avoided, avoided.indispensable, judged.suspects)

    def _note_end(self, completion: Completion) -> None:
        attempt = self._search.state.attempt_of(completion.run.name, completion.number)
        self._shutdown.note_end(completion, attempt.places if attempt else ())

    # Stopping

    def _heed_limits(self, now: float) -> None:
        """At the end of an adaptive search start only what users ask for; if it was a success, stop the others."""
        chosen = self._search.adaptive
        if chosen is None:
            return
        if self._enough is None and (enough := chosen.enough()) is not None:
            self._search.pending.have_enough()
            log.info('%s: nothing more is started', enough.reason)
            self._enough = enough
        if self._enough is not None and self._enough.is_success:
            self._strategy.stop_early(self._enough.reason)

    def _why_enough(self, now: float) -> Enough | None:
        """Asked at the end once more: another writer may have told the last result after the last round did."""
        chosen = self._search.adaptive
        return self._enough or (chosen.enough() if chosen is not None else None)

    def _obey(self, now: float) -> None:
        for stop in self._shutdown.due(now):
            self._search.pending.close()
            self._carry_out(stop, self._shutdown.why)

    def _carry_out(self, stop: Stop, why: str) -> None:
        recorder, attempts = self._search.recorder, self._strategy.attempts
        match stop:
            case Stop.DRAIN:
                recorder.note('draining', reason=why)
                self._waiting = f'{why}: no more runs are started'
                log.warning('%s: %s may end, no more are started', why, count_of(len(attempts), 'run'))
            case Stop.TERM:
                recorder.note('stopping', reason=why)
                log.warning('%s: ending %s, no more are started', why, count_of(len(attempts), 'run'))
                self._strategy.cancel(why)
            case Stop.KILL:
                if attempts:
                    recorder.note('killing', runs=[active.launch.run.name for active in attempts])
                self._strategy.kill()

    # What starts

    def _admit(self, now: float) -> bool:
        has_started = False
        while self._may_start(now):
            admitted = self._strategy.admit(now)
            self._take_in(admitted)
            if not admitted.started:
                break
            has_started = True
            self._try(self._avoid_bad_places, now)  # on a bad GPU one run is tried
        if has_started:
            self._heartbeat.runs_started()
        return has_started

    def _say_what_waits(self, now: float) -> None:
        is_idle = self._is_held_back(now) or not self._search.pending
        self._strategy.backend.want(0 if is_idle else self._search.pending.wanted)

    def _is_held_back(self, now: float) -> bool:
        is_paused = self._search.state.admission.is_paused
        return self._shutdown.is_asked_for or is_paused or not self._pauses.is_over(now)

    def _may_start(self, now: float) -> bool:
        if self._search.state.admission.is_paused and self._search.pending:
            self._waiting = PAUSED
        if self._is_held_back(now):
            return False
        if not self._search.pending:
            is_undecided = self._search.adaptive is not None and not self._search.pending.is_exhausted
            self._waiting = UNDECIDED if is_undecided else self._waiting
            return False
        self._look_for_folder()
        return not self._shutdown.is_asked_for

    def _take_in(self, admitted: Admitted) -> None:
        if admitted.news is not None:
            self._hear(admitted.news)
        for completion in admitted.ended:
            self._note_end(completion)
        if admitted.refused:
            self._shutdown.refuse(admitted.refused)
        if not admitted.problem:
            self._pauses.succeed()
            self._waiting = admitted.waiting
        self._pause_for(admitted.problem)

    def _pause_for(self, problem: str) -> None:
        """Start nothing for a while, if there is a problem."""
        if not problem:
            return
        if self._pauses.fail(problem, self._clock()):
            log.warning('no run is started: %s', problem)
        self._waiting = problem

    def _warn_of(self, trouble: str, pauses: Pauses) -> None:
        """Say what is in the way of one attempt, which keeps no other from being started."""
        if not trouble:
            pauses.succeed()
        elif pauses.fail(trouble, self._clock()):
            log.warning('%s', trouble)

    # Whether to go on

    def _shall_leave(self, now: float, has_started: bool) -> bool:
        if self._shutdown.leaves_jobs:
            return True
        if self._shutdown.gives_up(now, self._strategy.backend.silence) and self._has_more_to_stop(now):
            return True
        return self._search.options.only_submits and not has_started and self._strategy.backend.is_settled()

    def _has_more_to_do(self, now: float) -> bool:
        if self._is_leaving:
            return False
        if self._shutdown.has_begun:
            return self._has_more_to_stop(now)
        if self._strategy.attempts or not (self._search.pending.is_exhausted or self._waits_in_vain()):
            return True
        if self._places.is_open(self._search.recorder.timestamp()) or self._is_news_incomplete or self._cannot_write():
            return True
        if self._search.options.waits_for_others and self._peers.are_worth_waiting_for:
            return True
        return not self._strategy.backend.is_clear(now)

    def _waits_in_vain(self) -> bool:
        """Whether a sampler waits for what runs where that cannot be checked: nothing else is under way."""
        is_waiting = self._search.adaptive is not None and not self._search.pending
        return is_waiting and not self._peers.are_worth_waiting_for

    def _has_more_to_stop(self, now: float) -> bool:
        """Attempts that their queue has lost sight of are not waited for; of others, and after a drain, jobs go on."""
        if not all(active.is_unknown for active in self._strategy.attempts):
            return True
        backend = self._strategy.backend
        may_jobs_go_on = self._shutdown.is_draining or self._search.options.only is not None
        return not backend.is_settled() or not (may_jobs_go_on or backend.is_clear(now))

    def _cannot_write(self) -> bool:
        """Whether something is still to be written to the journal: the search has not ended before that."""
        problem = self._search.recorder.why_blocked()
        self._pause_for(problem)
        return bool(problem)

    def _note_leaving(self, now: float) -> None:
        """Journal what may go on without us, for ``hpsearch stop``."""
        if self._is_leaving:
            counts = self._strategy.backend.job_counts()
            jobs = counts.accepted + counts.unanswered
            self._search.recorder.note('leaving', jobs=jobs, reason=self._shutdown.silence)

    def _finish(self) -> None:
        self._try(self._note_leaving, self._clock())
        self._try(self._take_late_records, self._clock())
        self._try(self._write_rows, self._clock())
        self._heartbeat.write_table(self._clock())
        self._try(self._finish_writing, self._clock())
        self._try(self._settle_table, self._clock())
        self._display.show(self._clock(), self._strategy.attempts, self._waiting)

    def _take_late_records(self, now: float) -> None:
        self._intake.take_late_records()

    def _settle_table(self, now: float) -> None:
        """Write until there is no news: of several that end together, the last to write has the results of all."""
        self._listen(now)
        while self._heartbeat.is_table_due and self._heartbeat.write_table(now):
            self._listen(now)

    def _finish_writing(self, now: float) -> None:
        self._pause_for(self._heartbeat.finish(now, self._waiting))
        problem = self._search.recorder.why_blocked()
        if problem:
            log.error('%s; hpsearch resume judges by its files what ended last', problem)


def make_dispatcher(
    search: SearchContext,
    peers: Peers,
    backend: AttemptBackend | PilotBackend,
    requests: StopRequests,
    view: ShowsProgress,
    make_provenance: Callable[[], Provenance],
    lock: Callable[[], AbstractContextManager[bool]],
    clock: Callable[[], float] = time.monotonic,
    watch: Callable[[SearchContext], None] = lambda search: None,
) -> Dispatcher:
    """Put the parts of a dispatcher together.

    Args:
        make_provenance: Makes what finds out with which code the runs are made.
        lock: Held while runs are placed on this host; entering it says whether it was acquired in time.
        clock: Monotonic seconds.
        watch: Called before the first round, and after each one.
    """
    progress = Progress(search, clock())
    metrics = _metrics(search, clock)
    intake = Intake(search, progress, metrics)
    peer_intake = PeerIntake(search, peers, intake)
    heartbeat = Heartbeat(search, backend, make_provenance)
    strategy: Strategy
    if isinstance(backend, PilotBackend):
        strategy = PilotStrategy(search, backend, peer_intake)
    else:
        claims = Claims(search, peers, intake.has_late_record, heartbeat.circumstances, clock)
        candidates = _candidates(search) if backend.packs else None
        admission = Admission(search, backend, peers, peer_intake, intake, claims, lock, candidates)
        echo = OutputEcho(view, search.folder, is_on=search.options.echo)
        pruning = Pruning(search.folder, search.recorder, backend, search.options.stop_grace, search.prune_rule)
        strategy = AttemptStrategy(
            search,
            backend,
            intake,
            peer_intake,
            admission,
            requests,
            echo,
            pruning,
            Yielding(search.recorder, backend, search.options.stop_grace),
            Cancelling(search.state, backend, search.options.stop_grace),
            heartbeat.job_started,
            clock,
            metrics,
        )
    shutdown, display = Shutdown(requests, search.options), Display(view, progress, backend)
    return Dispatcher(search, strategy, peers, intake, shutdown, heartbeat, display, clock, watch)


def _candidates(search: SearchContext) -> Candidates:
    """The runs that wait, with what is learned of what each needs, also from those that were started before.

    Only a search that packs imports what that takes, so that any other one starts as soon as before.
    """
    from hpsearch.dispatch.packing.candidates import Candidates
    from hpsearch.dispatch.packing.earlier import earlier_observations
    from hpsearch.dispatch.packing.predictions import Predictions

    search.pending.packs = True
    started, folder = search.state.runs, search.folder
    params = {run.name: run.params for run in folder.read_runs() if run.name in started} if started else {}
    earlier = earlier_observations(search.options.learn_from, search.configuration)
    predictions = Predictions(search.state, params, folder.find_run, earlier, patience=LEARNING_PATIENCE)
    return Candidates(search.pending, predictions)


def _metrics(search: SearchContext, clock: Callable[[], float]) -> Metrics | None:
    """What journals the metrics of runs; None: nobody wants to know them."""
    if search.configuration.metrics is None:
        return None
    from hpsearch.dispatch.adaptive.metrics import Metrics

    return Metrics(search, clock, search.prune_rule.rungs if search.prune_rule else ())
