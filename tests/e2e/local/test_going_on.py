"""Searches whose runs go on from checkpoints, as a user runs them: promotions and populations."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.model.trials.suggestion import Suggestion
from tests.support.cli_harness import Project
from tests.support.gates import finish
from tests.support.going_on import (
    CONFIG,
    begun,
    check_that_all_went_on_from_their_parents,
    members_at_the_end,
    suggestions,
    write_project,
)
from tests.support.harness import until
from tests.support.paths import REPOSITORY

POPULATION = ('--search=pbt', '--search_options=population=6', '--search_options=interval=1', '--cpu_jobs=2')


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    write_project(project)
    return project


def test_that_promoted_runs_go_on_from_the_checkpoints_of_their_trials(project: Project) -> None:
    done = project.search('--search=random', '--max_trials=8', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    check_that_all_went_on_from_their_parents(project)
    rows = project.rows()
    budgets = [int(row['epochs']) for row in rows]
    assert budgets == sorted(budgets, reverse=True) and budgets.count(1) == 8 and 4 in budgets


def test_that_a_promotion_is_the_best_even_if_the_run_before_it_was_better(project: Project) -> None:
    script = project.path / 'train.py'
    text = script.read_text()
    script.write_text(text.replace("f'loss {loss}", "f'loss {args.epochs + loss}"))
    done = project.search('--search=random', '--max_trials=8', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    best = json.loads(project.run('status', 'out', '--json').stdout)['best']
    assert best['params']['epochs'] == 4 and best['run'] == project.rows()[0]['hpsearch_run']


def test_that_a_population_larger_than_the_slots_is_trained(project: Project) -> None:
    done = project.search(*POPULATION)
    assert done.returncode == 0, done.stderr
    check_that_all_went_on_from_their_parents(project)
    assert members_at_the_end(project) == set(range(1, 7))
    said = list(suggestions(project).values())
    of_other = [each for each in said if each.proposal.parent and _member(project, each.proposal.parent) != _of(each)]
    assert of_other, 'nobody has exploited another member'
    check_schedules(project, len(said))


def check_schedules(project: Project, runs: int) -> None:
    """The table has each run, and the way to the best one; postprocessing writes it again, and draws it."""
    path = project.out / 'pbt_schedules.csv'
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter=';'))
    assert len(rows) == runs and all(row['lr'] and row['score'] for row in rows)
    way = sorted((row for row in rows if row['best'] == '1'), key=lambda row: float(row['budget']))
    assert float(way[0]['budget']) == 1 and float(way[-1]['budget']) == 4
    assert [row['parent'] for row in way[1:]] == [row['run'] for row in way[:-1]]
    at_the_end = [float(row['score']) for row in rows if row['budget'] == '4']
    assert float(way[-1]['score']) == min(at_the_end) == float(project.rows()[0]['loss'])
    written = path.read_text()
    path.unlink()
    command = [sys.executable, '-m', 'postprocessing.main', str(project.out), '--plots']
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_text() == written and (project.out / 'pbt_schedules.png').exists()


def _of(suggestion: Suggestion) -> int:
    return int(suggestion.proposal.facts['member'])


def _member(project: Project, run: str) -> int:
    return _of(suggestions(project)[run])


def test_that_a_population_that_was_killed_goes_on(project: Project) -> None:
    search = project.start(*POPULATION, '--fail_fast=0')
    until(lambda: len(begun(project)) >= 9)
    os.kill(search.pid, signal.SIGKILL)
    search.communicate()
    done = project.run('resume', 'out', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    check_that_all_went_on_from_their_parents(project)
    assert members_at_the_end(project) == set(range(1, 7))


def test_that_a_member_whose_run_is_cancelled_goes_on_with_another_and_the_search_ends(project: Project) -> None:
    (project.path / 'wait').touch()
    two = ('--search=pbt', '--search_options=population=2', '--search_options=interval=2', '--cpu_jobs=2')
    search = project.start(*two)
    until(lambda: len(begun(project)) == 2)
    cancelled = min(begun(project))
    done = project.run('cancel', 'out', cancelled)
    assert done.returncode == 0, done.stderr
    until(lambda: len(begun(project)) == 3)
    (project.path / 'wait').unlink()
    finish(search, (1,))
    assert members_at_the_end(project) == {1, 2}
    assert cancelled not in {row['hpsearch_run'] for row in project.rows() if row['hpsearch_state'] == 'finished'}


def test_that_writers_beside_each_other_train_one_population(project: Project) -> None:
    first = project.start(*POPULATION)
    until(lambda: len(begun(project)) >= 2)
    second = project.run('join', 'out', '--cpu_jobs=2')
    first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    check_that_all_went_on_from_their_parents(project)
    facts = [each.proposal.facts for each in suggestions(project).values()]
    assert len({(each['member'], each['generation']) for each in facts}) == len(facts), 'a member has gone on twice'
    assert members_at_the_end(project) == set(range(1, 7))


def test_that_a_population_needs_no_configuration(project: Project) -> None:
    own = ('--search_options=population=3', '--search_options=interval=2', '--cpu_jobs=2', '--force_out_dir')
    goes_on = ('--checkpoint_arg=resume', '--checkpoint=checkpoint.txt', '--out_dir=out')
    objective = ('--objective=stdout:loss=([0-9.]+)', '--direction=minimize')
    script = ('python3', 'train.py', '--out_dir={out_dir}', '--lr~uniform(0, 1)', '--epochs~fidelity(2, 4)')
    done = project.run('run', '--search=pbt', *own, *goes_on, *objective, '--', *script)
    assert done.returncode == 0, done.stderr
    check_that_all_went_on_from_their_parents(project)
    assert members_at_the_end(project) == {1, 2, 3}


def test_that_a_population_is_refused_without_what_it_needs(project: Project) -> None:
    (project.path / 'my_config.py').write_text(
        CONFIG.replace("_CHECKPOINT_ARG = 'resume'\n_CHECKPOINT = 'checkpoint.txt'\n", '').replace(
            'fidelity(1, 4, 2)', '[4]'
        )
    )
    done = project.search('--search=pbt', '--max_trials=3')
    assert done.returncode == 2
    for text in ('_CHECKPOINT_ARG', 'fidelity(1, 100)', '--search_options population=3'):
        assert text in done.stderr
    assert not project.out.exists()
