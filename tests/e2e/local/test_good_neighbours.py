"""Whole searches that leave something of their machine to others, with the stand-in library and real processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.nvml import FakeNvml
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish, gated
from tests.support.harness import until
from tests.support.paths import REPOSITORY

NOTE = 'echo "$n $CUDA_VISIBLE_DEVICES" >> gpus.txt\nnice >> nice.txt\n'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project', 4) as project:
        project.then(NOTE)
        yield project


def with_gpus(project: Gated, tmp_path: Path, count: int) -> FakeNvml:
    fake = FakeNvml(tmp_path / 'nvml', gpus=count)
    project.env.update(fake.env())
    project.env['PYTHONPATH'] = str(REPOSITORY)
    return fake


def on_gpus(project: Gated) -> list[str]:
    """The GPUs that runs were given, in the order of their starts."""
    return [devices for _, devices in project.notes('gpus.txt')]


def told(project: Project, text: str) -> str:
    shown = project.run('status', 'out').stdout
    return shown if text in shown else ''


@pytest.mark.parametrize('packing', ['fixed', 'auto'])
def test_that_a_search_takes_no_more_gpus_than_its_share(project: Gated, tmp_path: Path, packing: str) -> None:
    with_gpus(project, tmp_path, 4)
    words = ['--sim_startup_time=0', f'--packing={packing}', '--max_num_jobs_per_gpu=1']
    search = project.search_in_order('--max_gpus=2', '--gpu_order=3,1', *words)
    project.wait_for_begun(2)
    until(lambda: told(project, 'this search has runs on 2 GPUs, --max_gpus is 2'))
    assert sorted(on_gpus(project)) == ['1', '3']
    project.open()
    finish(search)
    assert set(on_gpus(project)) == {'1', '3'}


@pytest.mark.parametrize('packing', ['fixed', 'auto'])
def test_that_idle_gpus_are_left_to_others(project: Gated, tmp_path: Path, packing: str) -> None:
    with_gpus(project, tmp_path, 3)
    words = ['--sim_startup_time=0', f'--packing={packing}', '--max_num_jobs_per_gpu=1']
    search = project.search_in_order('--leave_free=1', '--gpu_order=reverse', *words)
    project.wait_for_begun(2)
    until(lambda: told(project, '1 GPU is idle, and --leave_free=1 leaves so many to others'))
    assert sorted(on_gpus(project)) == ['1', '2']
    project.open()
    finish(search)
    assert set(on_gpus(project)) == {'1', '2'}


def test_that_no_run_is_started_before_a_gpu_was_watched_for_a_window_that_was_asked_for(
    project: Gated, tmp_path: Path
) -> None:
    with_gpus(project, tmp_path, 1)
    project.open()
    search = project.search_in_order('--window=4', '--sim_startup_time=0')
    until(lambda: told(project, 'readings are still being collected: '))
    assert not project.begun()
    finish(search)
    assert project.begun() == project.once()


def hours_from_now(begin: int, end: int) -> str:
    """Hours that begin and end so many minutes from now."""
    clock = [time.localtime(time.time() + 60 * minutes) for minutes in (begin, end)]
    return '-'.join(time.strftime('%H:%M', each) for each in clock)


def test_that_nothing_is_started_outside_the_hours_and_it_is_said_when_they_begin(project: Gated) -> None:
    project.open()
    search = project.search_in_order('--cpu_jobs=2', f'--hours={hours_from_now(120, 240)}')
    status = until(lambda: told(project, 'outside --hours='))
    assert 'they begin again on ' in status
    assert '(in 1 h 59 min)' in status or '(in 2 h 00 min)' in status
    assert not project.begun()
    project.run('stop', 'out')
    finish(search, codes=[130])
    resumed = project.run('resume', 'out', f'--hours={hours_from_now(-60, 120)}')
    assert resumed.returncode == 0, resumed.stderr
    assert sorted(project.begun()) == project.once()


def test_that_runs_have_the_niceness_that_was_asked_for(project: Gated) -> None:
    project.open()
    finish(project.search_in_order('--cpu_jobs=2', '--nice=7'))
    assert (project.path / 'nice.txt').read_text().split() == ['7'] * 4


def test_that_runs_wait_while_too_little_memory_of_the_machine_is_free(project: Gated) -> None:
    project.open()
    search = project.search_in_order('--cpu_jobs=2', '--min_free_ram=99.9%')
    until(lambda: told(project, 'of the memory of this machine are free, --min_free_ram is '))
    assert not project.begun()
    project.run('stop', 'out')
    finish(search, codes=[130])


def test_that_runs_are_started_one_by_one_where_the_machine_is_watched(project: Gated) -> None:
    search = project.search_in_order('--cpu_jobs=2', '--max_cpu_load=1')
    project.wait_for_begun(2)
    first, second = (event['at'] for event in project.told('claimed'))
    assert second - first >= 5
    project.run('stop', 'out')
    finish(search, codes=[130])


@pytest.mark.parametrize(
    ('words', 'problem'),
    [
        (['--hours=20-8'], "'20-8' is no range of hours; expected is, for example, 20:00-08:00"),
        (['--min_free_ram=lots'], 'is neither an amount of memory (16G) nor a percentage below 100 (10%)'),
        (['--gpu_order=7'], '--gpu_order=7: GPU 7 is not among those that are used'),
        (['--leave_free=2'], '--leave_free=2: a run needs 1 of the 2 GPUs that may be used'),
        (['--max_gpus=1', '--gpus_per_run=2'], '--max_gpus=1: a run needs 2 GPUs'),
    ],
)
def test_that_limits_that_cannot_be_are_refused(project: Gated, tmp_path: Path, words: list[str], problem: str) -> None:
    with_gpus(project, tmp_path, 2)
    done = project.search(*words)
    assert done.returncode == 2
    assert problem in ' '.join(done.stderr.split())
    assert not project.out.exists()
