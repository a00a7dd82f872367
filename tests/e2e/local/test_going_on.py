"""Searches whose runs go on from checkpoints, as a user runs them: promotions and populations."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.model.trials.suggestion import Suggestion
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.cli_harness import Project
from tests.support.harness import until
from tests.support.paths import REPOSITORY

SCRIPT = """\
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--epochs', type=int)
parser.add_argument('--resume')
args = parser.parse_args()
done, loss = 0, 1.0
if args.resume:
    with open(args.resume) as file:
        done, loss = int(file.readline()), float(file.readline())
    with open(args.resume, 'a') as file:
        file.write('a script may write there\\n')
os.makedirs(args.out_dir, exist_ok=True)
with open('ran.txt', 'a') as ran:
    ran.write(f"{os.environ['HPSEARCH_RUN']} {done} {args.epochs}\\n")
for epoch in range(done, args.epochs):
    loss *= 1 - args.lr * (1 - args.lr)
with open(os.path.join(args.out_dir, 'checkpoint.txt'), 'w') as file:
    file.write(f'{args.epochs}\\n{loss}\\n')
with open(os.path.join(args.out_dir, 'performance_overview.txt'), 'w') as file:
    file.write(f'loss {loss}\\nfinished 1\\n')
print(f'loss={loss:.9f}')
"""

CONFIG = """\
from hpsearch import fidelity, uniform
grid = {'lr': uniform(0.0, 1.0), 'epochs': fidelity(1, 4, 2)}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['loss', 'finished']
_PERFORMANCE_SORT_ASC = True
_CHECKPOINT_ARG = 'resume'
_CHECKPOINT = 'checkpoint.txt'
"""

POPULATION = ('--search=pbt', '--search_options=population=6', '--search_options=interval=1', '--cpu_jobs=2')


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / 'project')
    (project.path / 'train.py').write_text(SCRIPT)
    (project.path / 'my_config.py').write_text(CONFIG)
    return project


def begun(project: Project) -> dict[str, tuple[int, int]]:
    """Run to how far its network was trained when it began, and how far it was to be trained; the last time it ran."""
    path = project.path / 'ran.txt'
    lines = path.read_text().splitlines() if path.exists() else []
    return {run: (int(done), int(epochs)) for run, done, epochs in map(str.split, lines)}


def suggestions(project: Project) -> dict[str, Suggestion]:
    """Run to what was suggested."""
    return dict(read_state(SearchFolder(project.out)).suggestions)


def check_that_all_went_on_from_their_parents(project: Project) -> None:
    """No network was trained from anything but what its parent had left, and nothing is left of the copies."""
    found, known = begun(project), suggestions(project)
    assert set(found) == set(known)
    for run, (done, epochs) in found.items():
        parent = known[run].proposal.parent
        assert (done, epochs) == (found[parent][1] if parent else 0, known[run].params['epochs'])
    left = [path.read_text().splitlines() for path in project.out.glob('sim_*/checkpoint.txt')]
    assert {len(lines) for lines in left} == {2}, 'a script has written into the checkpoint of an earlier run'
    assert not list(project.out.glob('jobs/*/checkpoint*'))


def members_at_the_end(project: Project) -> set[int]:
    """The members of a population that have had the whole budget."""
    known = suggestions(project).values()
    return {each.proposal.facts['member'] for each in known if each.proposal.fidelity == 4.0}


def test_that_promoted_runs_go_on_from_the_checkpoints_of_their_trials(project: Project) -> None:
    done = project.search('--search=random', '--max_trials=8', '--cpu_jobs=2')
    assert done.returncode == 0, done.stderr
    check_that_all_went_on_from_their_parents(project)
    rows = project.rows()
    budgets = [int(row['epochs']) for row in rows]
    assert budgets == sorted(budgets, reverse=True) and budgets.count(1) == 8 and 4 in budgets


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
