"""The loop with runs that are chosen while it goes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from hpsearch.dispatch.adaptive.settings import Limits
from hpsearch.dispatch.context import SearchContext, WorkOptions
from hpsearch.dispatch.dispatcher import UNDECIDED, Dispatcher, Outcome, make_dispatcher
from hpsearch.dispatch.peers import Peers
from hpsearch.dispatch.pending_runs import ENDLESS, PendingRuns
from hpsearch.host.kernel import this_host
from hpsearch.host.signals import StopRequests
from hpsearch.model.retries import RetryPolicy
from hpsearch.store.folder import SearchFolder
from hpsearch.store.provenance import Provenance
from hpsearch.store.results import ResultsView
from hpsearch.store.writers import Writers
from tests.fakes.instant_backend import InstantBackend
from tests.support.adaptive import CONFIGURATION, Writer, adaptive_folder, ended, name, suggested, write_journal
from tests.support.dispatching import NoCode, Screen
from tests.unit.dispatch.adaptive.test_sampled_runs import Patient


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


def context_of(writer: Writer) -> SearchContext:
    """The search of a writer."""
    recorder, folder = writer.recorder, writer.folder
    pending = PendingRuns(writer.source, recorder.state, recorder.counts, RetryPolicy(), find=folder.find_run)
    results = ResultsView(folder.results_csv, 'loss', False)
    return SearchContext(folder, CONFIGURATION, recorder, pending, results, WorkOptions(), adaptive=writer.source)


def worked_on(writer: Writer, backend: InstantBackend, screen: Screen | None = None) -> Outcome:
    """Work on the search of a writer until it ends."""
    known = Writers(writer.folder, this_host())
    peers = Peers(writer.folder, writer.recorder, writer.reader, known, can_adopt=lambda handle: False)
    code, nothing = cast(Provenance, NoCode()), nullcontext(True)
    return make_dispatcher(
        context_of(writer), peers, backend, StopRequests(), screen or Screen(), lambda: code, lambda: nothing,
        writer.clock,
    ).run()  # fmt: skip


def test_that_every_trial_is_started_once_and_counted(folder: SearchFolder) -> None:
    writer, screen = Writer(folder, 'me', Limits(max_trials=5)), Screen()
    backend = InstantBackend(writer.clock, slots=2)
    outcome = worked_on(writer, backend, screen)
    assert backend.started == [name(number) for number in range(1, 6)]
    assert not outcome.interrupted and outcome.enough is None
    assert {shown.total for shown in screen.shown} == {5}
    assert screen.shown[-1].counts == {'finished': 5, 'planned': 0}


def test_that_a_run_is_chosen_only_when_it_can_start(folder: SearchFolder) -> None:
    writer = Writer(folder, 'me', Limits(max_trials=9))
    backend = InstantBackend(writer.clock, slots=2)
    waited, most = backend.wait, []

    def watch(timeout: float) -> None:
        waiting = len(writer.recorder.state.suggestions) - writer.recorder.state.started
        most.append(waiting)
        waited(timeout)

    backend.wait = watch  # type: ignore[method-assign]
    worked_on(writer, backend)
    assert set(most) == {0} and len(backend.started) == 9


def test_that_a_sampler_that_waits_for_a_run_of_which_nothing_can_be_known_does_not_keep_the_search(
    folder: SearchFolder,
) -> None:
    elsewhere = {**replace(this_host(), name='b', machine='b', boot='b').as_header(), 'pid': 7, 'ticks': '1'}
    claimed = ended(1, 1, 'failed')[0]
    running = {'event': 'running', 'run': name(1), 'attempt': 1, 'handle': {'pid': 7, 'ticks': '1'}}
    write_journal(folder, 'a', [suggested(1), claimed, running], elsewhere)
    Path(folder.attempts(name(1))).mkdir()
    (Path(folder.attempts(name(1))) / 'started').write_text(f'a:{name(1)}:1 7 1\n')
    writer = Writer(folder, 'me', Limits(max_trials=3), sampler=Patient(0.1, 0.2))
    outcome = worked_on(writer, InstantBackend(writer.clock))
    assert outcome.unknown == frozenset({name(1)})


def test_that_there_is_work_for_jobs_as_long_as_nobody_knows_how_many_runs_there_will_be(folder: SearchFolder) -> None:
    endless = context_of(Writer(folder, 'a', Limits(target=0.0))).pending
    assert (endless.total, endless.wanted) == (None, ENDLESS)
    limited = context_of(Writer(folder, 'b', Limits(max_trials=4))).pending
    assert (limited.total, limited.wanted) == (4, 4)


def test_that_it_says_why_no_run_is_started_while_the_sampler_waits(folder: SearchFolder) -> None:
    writer, screen = Writer(folder, 'me', Limits(max_trials=3), sampler=Patient(0.1, 0.2)), Screen()
    worked_on(writer, InstantBackend(writer.clock, slots=2), screen)
    assert UNDECIDED in {shown.waiting for shown in screen.shown}
    assert screen.shown[-1].counts == {'finished': 2, 'planned': 0}


def test_that_a_target_that_is_reached_after_the_last_round_asked_is_told_all_the_same(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(folder, 'a', [suggested(1), *ended(1, 1, 'finished', summary={'loss': '0.3'})])
    monkeypatch.setattr(Dispatcher, '_heed_limits', lambda self, now: None)
    writer = Writer(folder, 'me', Limits(target=0.5))
    outcome = worked_on(writer, InstantBackend(writer.clock))
    assert outcome.enough is not None and outcome.enough.is_success


def test_that_what_a_user_asks_for_is_run_to_its_end_although_the_target_was_reached(folder: SearchFolder) -> None:
    reached = [suggested(1), *ended(1, 1, 'finished', summary={'loss': '0.3'})]
    again = {'event': 'rerun', 'run': name(2), 'after': 1, 'revision': 1}
    write_journal(folder, 'a', [*reached, suggested(2), *ended(2, 1, 'failed'), again, suggested(3)])
    writer = Writer(folder, 'me', Limits(target=0.5))
    backend = InstantBackend(writer.clock)
    backend.code, wait = None, backend.wait

    def wait_and_end(timeout: float) -> None:
        wait(timeout)
        backend.code = 0 if backend.rounds > 3 else None

    backend.wait = wait_and_end  # type: ignore[method-assign]
    outcome = worked_on(writer, backend)
    assert outcome.enough is not None
    assert backend.started == [name(2)]
    assert writer.recorder.state.runs[name(2)].attempts[-1].pruned == ''
