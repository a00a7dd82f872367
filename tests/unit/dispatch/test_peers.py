"""What is made of attempts whose writer is gone, from the files they left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hpsearch.dispatch.context import EventRecorder
from hpsearch.dispatch.peers import OrphanedAttempt, Peers
from hpsearch.host.kernel import this_host
from hpsearch.model.evidence import Action
from hpsearch.store.attempt_files import claim
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, open_journals
from hpsearch.store.writers import Writers
from tests.support.harness import marked_process, new_folder


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return new_folder(tmp_path / 'search')


def leave(folder: SearchFolder, *events: dict[str, Any]) -> None:
    """Have a writer that is dead write events."""
    journal = Journal(folder, 'dead', {**this_host().as_header(), 'pid': 1, 'ticks': 'long ago'})
    for event in events:
        journal.append(event)
    journal.close()


def peers_of(folder: SearchFolder, *, can_adopt: bool = True) -> Peers:
    state, reader = open_journals(folder)
    recorder = EventRecorder(state, cast(Journal, SimpleNamespace(writer='me')))
    return Peers(folder, recorder, reader, Writers(folder, this_host()), can_adopt=lambda handle: can_adopt)


def examine(folder: SearchFolder, *, can_adopt: bool = True) -> list[OrphanedAttempt]:
    """What is to be done with what was left."""
    return list(peers_of(folder, can_adopt=can_adopt).orphans(0.0, may_judge=True))


CLAIMED = {'event': 'claimed', 'run': 'sim_1', 'attempt': 1}
SUBMITTING = {'event': 'submitting', 'queue': 'slurm', 'submission': 'hps-a', 'attempts': [['sim_1', 1]]}


def test_that_an_attempt_is_adopted_also_when_the_answer_to_its_submission_was_lost(folder: SearchFolder) -> None:
    claim(folder, 'sim_1', 1, 'first')
    leave(folder, CLAIMED, SUBMITTING)
    (found,) = examine(folder)
    assert found.action is Action.ADOPT
    assert found.handle == {'queue': 'slurm', 'submission': 'hps-a', 'index': 1}
    assert found.ident == 'first:sim_1:1', 'what its job will write into the fence is the name of who claimed it'


def test_that_damage_in_a_journal_of_another_writer_is_named_once_while_it_is_heard(
    folder: SearchFolder, caplog: pytest.LogCaptureFixture
) -> None:
    leave(folder)
    peers, journal = peers_of(folder), folder.journal_dir / 'alive.jsonl'
    journal.write_text('{"event":"writer","format":1}\ndamage\n{"event":"claimed","run":"sim_1","attempt":1}\n')
    assert [event['run'] for _, event in peers.news()] == ['sim_1']
    assert list(peers.news()) == []
    (warning,) = caplog.messages
    assert warning.startswith(f'left out: {journal}, line 2: it is damaged')


def test_that_an_attempt_that_was_not_submitted_is_fenced(folder: SearchFolder) -> None:
    claim(folder, 'sim_1', 1, 'dead')
    leave(folder, CLAIMED)
    assert [found.action for found in examine(folder)] == [Action.FENCE]


def test_that_an_attempt_in_a_job_is_not_lost_because_the_map_of_its_submission_is(folder: SearchFolder) -> None:
    claim(folder, 'sim_1', 1, 'dead')
    leave(folder, CLAIMED)
    paths = folder.attempt('sim_1', 1)
    Path(paths.started).write_text('dead:sim_1:1 17 70 0 node\n')
    assert examine(folder) == [], 'it may run: nothing is done with it'
    Path(paths.exit).write_text('0\n')
    assert [found.action for found in examine(folder)] == [Action.TAKE_END]


def start(folder: SearchFolder) -> None:
    """Pass the start fence as a process of this host."""
    claim(folder, 'sim_1', 1, 'dead')
    leave(folder, CLAIMED, {'event': 'running', 'run': 'sim_1', 'attempt': 1, 'handle': {'pid': 4194305}})
    Path(folder.attempt('sim_1', 1).started).write_text('dead:sim_1:1 4194305\n')


def test_that_an_attempt_whose_process_is_gone_is_lost_and_says_so(folder: SearchFolder) -> None:
    start(folder)
    (found,) = examine(folder)
    assert (found.action, found.conclusion.detail) == (Action.LOST, 'its process is gone')


@pytest.mark.parametrize(('can_adopt', 'actions'), [(True, [Action.ADOPT]), (False, [])])
def test_that_an_attempt_whose_process_runs_is_adopted_or_waited_for(
    folder: SearchFolder, can_adopt: bool, actions: list[Action]
) -> None:
    start(folder)
    with marked_process(folder, 'sim_1'):
        assert [found.action for found in examine(folder, can_adopt=can_adopt)] == actions


ESTIMATE = {'memory': [5000.0, 6000.0]}


def test_that_attempts_of_others_are_tenants_with_their_group_and_what_they_were_expected_to_need(
    folder: SearchFolder,
) -> None:
    claimed = {'event': 'claimed', 'run': 'sim_1', 'attempt': 1, 'gpus': ['0'], 'at': 1.0, 'estimate': ESTIMATE}
    leave(folder, claimed, {'event': 'running', 'run': 'sim_1', 'attempt': 1, 'handle': {'pid': 77, 'ticks': '5'}})
    (tenant,) = peers_of(folder).tenants(0.0)
    assert (tenant.gpus, tenant.run, tenant.group, tenant.memory) == (('0',), 'sim_1', 77, None)
    assert tenant.estimate.memory is not None and tenant.estimate.memory.high == 6000


def test_that_an_attempt_that_has_no_process_yet_is_a_tenant_too(folder: SearchFolder) -> None:
    leave(folder, {'event': 'claimed', 'run': 'sim_1', 'attempt': 1, 'gpus': ['0'], 'at': 1.0})
    assert [tenant.group for tenant in peers_of(folder).tenants(0.0)] == [0]
