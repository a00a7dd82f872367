"""A search whose dispatcher and runs were killed: ``hpsearch status`` and postprocessing say the same of every run."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until
from tests.support.postprocessing import postprocess

KINDS = ('finished', 'unfinished', 'missing')


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project', count=4) as made:
        yield made


def status(project: Gated) -> dict[str, Any]:
    """What ``hpsearch status --json`` says."""
    told: dict[str, Any] = json.loads(finish(project.drive({}, 'status', 'out', '--json')))
    return told


def counts(project: Gated) -> dict[str, int]:
    """How many runs are in each state, by ``hpsearch status``."""
    return {state: count for state, count in status(project)['counts'].items() if count}


def listed(project: Gated) -> list[dict[str, Any]]:
    """All runs in the lists of postprocessing."""
    files = [project.out / f'{kind}_runs.jsonl' for kind in KINDS]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def postprocessed(project: Gated) -> dict[str, tuple[str, str]]:
    """Value of ``--n`` to state and reason of its run, as postprocessing lists it."""
    postprocess(project.out, cwd=project.path)
    return {str(entry['params']['n']): (entry['state'], entry['reason']) for entry in listed(project)}


def table(project: Gated) -> dict[str, str]:
    """Value of ``--n`` to its state in the table that postprocessing wrote."""
    with (project.out / 'postprocessing_results.csv').open(newline='') as file:
        return {row['n']: row['hpsearch_state'] for row in csv.DictReader(file, delimiter=';')}


def test_that_runs_that_were_killed_with_their_dispatcher_are_lost_for_both(project: Gated) -> None:
    project.open('1')
    search = project.search_in_order('--cpu_jobs=2')
    until(lambda: len(project.told('ended')) == 1 and len(project.told('running')) == 3)
    kill(search)
    assert counts(project) == {'finished': 1, 'running': 2, 'planned': 1}, 'its runs go on'
    found = postprocessed(project)
    assert {number: state for number, (state, _) in found.items()} == {
        '1': 'finished', '2': 'running', '3': 'running', '4': 'planned'
    }  # fmt: skip
    project.kill_runs()
    assert counts(project) == {'finished': 1, 'lost': 2, 'planned': 1}
    found = postprocessed(project)
    assert dict(Counter(state for state, _ in found.values())) == counts(project)
    assert found['2'] == found['3'] == ('lost', 'no exit record; its process is gone')
    assert table(project) == {'1': 'finished', '2': 'lost', '3': 'lost'}
    assert 'no hpsearch works on it' in status(project)['waiting']


def test_that_a_run_that_ended_after_its_dispatcher_was_killed_has_its_end_for_both(project: Gated) -> None:
    project.then('until [ -e go.1 ] || [ -e go.2 ]; do sleep 0.02; done; [ $n = 2 ] && exit 3')
    search = project.search_in_order('--cpu_jobs=2')
    until(lambda: len(project.told('running')) == 2)
    kill(search)
    project.open('1', '2')
    until(lambda: all((project.job(number, 1) / 'exit').exists() for number in ('1', '2')))
    assert counts(project) == {'finished': 1, 'failed': 1, 'planned': 2}
    found = postprocessed(project)
    assert (found['1'][0], found['2'][0]) == ('finished', 'failed')
    assert 'status 3' in found['2'][1]


def test_that_what_was_claimed_and_never_started_is_planned_for_both_and_what_resume_says(project: Gated) -> None:
    search = project.drive_search({'at_spawn': {'1': 'SIGKILL'}}, '--cpu_jobs=1')
    search.communicate(timeout=60)
    assert project.told('claimed')
    assert counts(project) == {'planned': 4}
    assert {state for state, _ in postprocessed(project).values()} == {'planned'}
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert counts(project) == {'finished': 4}


def test_that_resume_gives_the_reason_that_both_gave(project: Gated) -> None:
    kill(project.begin(1))
    project.kill_runs()
    project.open()
    expected = postprocessed(project)['1']
    finish(project.drive({}, 'resume', 'out', '--max_attempts=1'), (1,))
    attempt = project.histories()['1'].attempts[0]
    assert (attempt.state.value, attempt.reason) == expected
