"""``hpsearch status`` and postprocessing say the same of every run, whatever is left of it."""

from __future__ import annotations

import importlib
import itertools
import json
import os
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.runs.control import request_cancel, request_rerun
from hpsearch.cli.status import status_lines
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.configuration import from_plain
from hpsearch.model.retries import room_in_queue
from hpsearch.store.attempt_files import claim
from tests.support.harness import marked_process
from tests.support.postprocessing import NAME, load_package
from tests.support.queued_search import MEMORY_ERROR, QueuedSearch, elsewhere
from tests.support.shown_search import shown_search

load_package()
gather = importlib.import_module(f'{NAME}.gather').gather

PLACES: dict[str, dict[str, Any]] = {
    'here': {},
    'at work here': {'process': {'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}},
    'elsewhere': {'host': elsewhere('login1')},
    'before a reboot': {'host': replace(this_host(), boot='an earlier one')},
}
LEFT = (
    'nothing', 'a closed fence', 'an empty fence', 'a start', 'a start and a process', 'half a record',
    'status 0', 'status 1', 'status 137', 'a time limit', 'a restart of its job', 'a file that cannot be read',
)  # fmt: skip


def leave(search: QueuedSearch, name: str, left: str, *, queued: bool) -> None:
    """Leave what an attempt leaves that came so far."""
    if left == 'nothing':
        return
    if left == 'a closed fence':
        search.write(name, 'started', 'other:closed\n')
        return
    if left == 'an empty fence':
        search.write(name, 'started', '')
        return
    if queued:
        search.start(name)
    else:
        search.start_here(name)
    files = {
        'half a record': ('exit', '0'),
        'status 0': ('exit', '0\n'),
        'status 1': ('exit', '1\n'),
        'status 137': ('exit', '137\n'),
        'a time limit': ('exit', '143\n'),
        'a restart of its job': ('requeued', 'x\n'),
    }
    if left in files:
        search.write(name, *files[left])
    if left == 'a time limit':
        search.write(name, 'signalled', 'timeout\n')
    if left == 'a file that cannot be read':
        Path(search.folder.attempt(name, 1).exit).mkdir()


def state_by_status(search: QueuedSearch) -> str:
    """The state of the only run, as ``hpsearch status --json`` shows it."""
    (state,) = json.loads('\n'.join(status_lines(search.folder, as_json=True)))['counts']
    return str(state)


def state_by_postprocessing(search: QueuedSearch) -> str:
    """The state of the only run in the lists that postprocessing writes."""
    (found,) = gather(search.folder, search.configuration)
    return str(found.state.value)


def said_of(search: QueuedSearch, left: str, *, queued: bool, summary: bool) -> tuple[str, str]:
    """What both say of a run that came so far."""
    (name,) = search.submit(1) if queued else search.plan(1)
    if not queued:
        search.claim(name)
    leave(search, name, left, queued=queued)
    if summary:
        search.leave_summary(name, 0.5)
    with marked_process(search.folder, name) if left == 'a start and a process' else nullcontext():
        return state_by_status(search), state_by_postprocessing(search)


@pytest.mark.parametrize('summary', [False, True], ids=['no summary', 'finished'])
@pytest.mark.parametrize('queued', [False, True], ids=['process', 'job'])
@pytest.mark.parametrize('left', LEFT)
@pytest.mark.parametrize('place', PLACES)
def test_that_both_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, left: str, queued: bool, summary: bool
) -> None:
    if place == 'before a reboot' and not (this_host().machine and this_host().boot):
        pytest.skip('this machine does not tell one boot from another')
    search = QueuedSearch(tmp_path / 'search', **PLACES[place])
    if queued:
        monkeypatch.setattr('shutil.which', lambda program: None)  # its queue cannot be asked
    by_status, by_postprocessing = said_of(search, left, queued=queued, summary=summary)
    assert by_status == by_postprocessing


EXPECTED = {
    ('here', 'nothing'): 'planned',
    ('here', 'a start'): 'lost',
    ('here', 'a start and a process'): 'running',
    ('here', 'half a record'): 'lost',
    ('here', 'status 1'): 'failed',
    ('here', 'a file that cannot be read'): 'claimed',
    ('at work here', 'status 1'): 'claimed',
    ('elsewhere', 'nothing'): 'claimed',
    ('elsewhere', 'a start'): 'unknown',
    ('elsewhere', 'status 1'): 'failed',
    ('before a reboot', 'a start'): 'interrupted',
}


@pytest.mark.parametrize(('place', 'left', 'state'), [(*key, state) for key, state in EXPECTED.items()])
def test_that_both_are_right(tmp_path: Path, place: str, left: str, state: str) -> None:
    if place == 'before a reboot' and not (this_host().machine and this_host().boot):
        pytest.skip('this machine does not tell one boot from another')
    search = QueuedSearch(tmp_path / 'search', **PLACES[place])
    assert said_of(search, left, queued=False, summary=False) == (state, state)


@pytest.mark.parametrize(
    ('left', 'summary', 'state'),
    [
        ('a start', False, 'lost'),
        ('a start', True, 'finished'),
        ('status 0', True, 'finished'),
        ('status 0', False, 'failed'),
        ('status 1', False, 'failed'),
    ],
)
@pytest.mark.parametrize('queued', [False, True], ids=['process', 'job'])
def test_that_both_take_in_what_appears_after_an_attempt_was_lost(
    tmp_path: Path, queued: bool, left: str, summary: bool, state: str
) -> None:
    search = QueuedSearch(tmp_path / 'search')
    (name,) = search.submit(1) if queued else search.plan(1)
    if not queued:
        search.claim(name)
    search.event('ended', run=name, attempt=1, state='lost', cause='lost', reason='no exit record')
    leave(search, name, left, queued=queued)
    if summary:
        search.leave_summary(name, 0.5)
    assert (state_by_status(search), state_by_postprocessing(search)) == (state, state)


@pytest.mark.parametrize(
    ('left', 'summary', 'state'),
    [
        ('nothing', False, 'claimed'),
        ('status 0', True, 'finished'),
        ('status 1', False, 'failed'),
        ('a start', True, 'finished'),
        ('a start', False, 'unknown'),
    ],
)
def test_that_both_take_in_an_attempt_whose_claim_was_lost_with_the_power(
    tmp_path: Path, left: str, summary: bool, state: str
) -> None:
    search = QueuedSearch(tmp_path / 'search')
    (name,) = search.plan(1)
    assert claim(search.folder, name, 1, 'forgotten')
    leave(search, name, left, queued=False)
    if summary:
        search.leave_summary(name, 0.5)
    assert (state_by_status(search), state_by_postprocessing(search)) == (state, state)


@pytest.mark.parametrize(('memory', 'state'), [(16000, 'interrupted'), (32000, 'failed'), (None, 'failed')])
def test_that_both_know_how_much_memory_a_job_that_ran_out_of_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int | None, state: str
) -> None:
    search = QueuedSearch(tmp_path / 'search')
    monkeypatch.setattr('shutil.which', lambda program: None)  # its queue cannot be asked
    (name,) = search.submit(1, room=room_in_queue(memory, 32000))
    search.end(name, 1, stderr=MEMORY_ERROR)
    assert (state_by_status(search), state_by_postprocessing(search)) == (state, state)


def test_that_the_table_of_expectations_is_part_of_the_other_one() -> None:
    assert set(EXPECTED) <= set(itertools.product(PLACES, LEFT))


def test_that_both_say_which_runs_were_cancelled_before_they_were_started(tmp_path: Path) -> None:
    folder = shown_search(tmp_path / 'search', 5, waiting=3)
    waiting = [run.name for run in folder.read_runs()][-3:]
    request_cancel(folder, waiting[:2])
    request_rerun(folder, waiting[:1])
    counts = json.loads('\n'.join(status_lines(folder, as_json=True)))['counts']
    gathered = gather(folder, from_plain(folder.read_info()['configuration']['attributes']))
    states = Counter(str(each.state) for each in gathered)
    assert (states['planned'], states['interrupted']) == (counts['planned'], counts['interrupted']) == (2, 1)
    assert [each.reason for each in gathered if each.run.name == waiting[1]] == ['cancelled by hpsearch cancel']
