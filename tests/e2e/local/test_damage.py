"""A search whose folder was damaged goes on as far as it can, says what it leaves out, and always ends."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.gates import Gated, finish, gated, kill
from tests.support.harness import until


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        yield made


def journal_of(project: Gated) -> Path:
    (journal,) = (project.out / 'journal').glob('*.jsonl')
    return journal


def without_header(text: str) -> str:
    return text.partition('\n')[2]


def with_header_damaged(text: str) -> str:
    return text.replace('"writer"', '"wri\x00er"', 1)


def with_a_digit_flipped(text: str) -> str:
    return re.sub(r'("event":"running",.*?"attempt":)1', r'\g<1>9', text, count=1)


def with_an_unknown_run(text: str) -> str:
    return text + '{"event":"claimed","run":"sim_x","attempt":1,"gpus":[],"at":1.0}\n'


def with_wrong_types(text: str) -> str:
    return text + '{"event":"claimed","run":7,"attempt":1}\n{"event":["ended"]}\n[]\n'


DAMAGE = [without_header, with_header_damaged, with_a_digit_flipped, with_an_unknown_run, with_wrong_types]


@pytest.mark.parametrize('damage', DAMAGE)
def test_that_a_damaged_journal_is_named_and_nothing_runs_twice(project: Gated, damage: Callable[[str], str]) -> None:
    search = project.search_in_order('--cpu_jobs=2')
    project.wait_for_begun(2)
    project.open('1')
    project.wait_for_begun(3)
    kill(search)
    journal = journal_of(project)
    journal.write_text(damage(journal.read_text()))
    project.open()
    said = finish(project.drive({}, 'resume', 'out'))
    assert f'left out: {journal}, line ' in said
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()
    status = finish(project.drive({}, 'status', 'out'))
    assert '3 finished' in status and not re.search(r'\s-[0-9]', status)


def test_that_a_lost_folder_of_a_run_that_ended_or_waits_keeps_nothing_from_going_on(project: Gated) -> None:
    search = project.begin(2)
    project.open('1')
    project.wait_for_begun(3)
    kill(search)
    shutil.rmtree(project.job('1', 1))
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_a_lost_folder_of_a_run_that_runs_does_not_start_it_beside_itself(project: Gated) -> None:
    kill(project.begin(2))
    shutil.rmtree(project.job('1', 1))
    resumed = project.drive({}, 'resume', 'out', '--cpu_jobs=3')
    project.wait_for_begun(3)
    project.open()
    finish(resumed, (0, 1))
    assert sorted(project.begun()) == project.once()


def test_that_a_lost_folder_of_a_run_that_is_gone_lets_it_run_again(project: Gated) -> None:
    kill(project.begin(1))
    project.kill_runs()
    shutil.rmtree(project.out / 'jobs')
    project.open()
    finish(project.drive({}, 'resume', 'out'))
    assert project.table_states() == project.all_finished()


def is_removed(folder: Path) -> bool:
    """Remove a folder into which others write meanwhile; returns whether it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_that_a_search_whose_folder_is_deleted_ends_with_the_reason(project: Gated) -> None:
    search = project.begin(1)
    until(lambda: is_removed(project.out))
    said = finish(search, (130,))
    assert f'{project.out} was deleted: ending 1 run' in said
    assert not project.out.exists() and project.begun() == project.once()[:1]


@pytest.mark.parametrize('verb', ['resume', 'join'])
@pytest.mark.parametrize('plan', ['', 'damage\n'])
def test_that_a_plan_without_runs_is_the_reason_to_end(project: Gated, verb: str, plan: str) -> None:
    kill(project.begin(1))
    (project.out / 'runs.jsonl').write_text(plan)
    assert 'runs.jsonl is damaged: there is no run in it' in finish(project.drive({}, verb, 'out'), (1,))


def test_that_a_damaged_line_of_the_plan_leaves_work_missing_and_the_status_says_so(project: Gated) -> None:
    kill(project.begin(1))
    project.kill_runs()
    plan = project.out / 'runs.jsonl'
    lines = plan.read_text().splitlines()
    plan.write_text('\n'.join([lines[0].replace('"argv"', '"argw"'), *lines[1:]]) + '\n')
    project.open()
    said = finish(project.drive({}, 'resume', 'out'), (1,))
    assert f'{plan}, line 1 is left out' in said and '2 finished, 1 planned of 3 runs' in said
    assert sorted(project.begun()) == project.once()
