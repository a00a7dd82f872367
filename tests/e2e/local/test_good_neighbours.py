"""Whole searches that leave something of their machine to others, with the stand-in library and real processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fakes.nvml import FakeNvml
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish, gated
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.users import NOBODY

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
    project.run('stop', 'out')
    finish(search, codes=[130])


@pytest.mark.parametrize('packing', ['fixed', 'auto'])
def test_that_idle_gpus_are_left_to_others(project: Gated, tmp_path: Path, packing: str) -> None:
    with_gpus(project, tmp_path, 3)
    words = ['--sim_startup_time=0', f'--packing={packing}', '--max_num_jobs_per_gpu=1']
    search = project.search_in_order('--leave_free=1', '--gpu_order=reverse', *words)
    project.wait_for_begun(2)
    until(lambda: told(project, '1 GPU is idle, and --leave_free=1 leaves so many to others'))
    assert sorted(on_gpus(project)) == ['1', '2']
    project.run('stop', 'out')
    finish(search, codes=[130])


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


# Somebody else on a GPU


@contextmanager
def somebody(fake: FakeNvml, gpu: int, used: int, load: float = 0.0) -> Iterator[int]:
    """A process of another user (of this one, where nobody else can be asked) on a GPU; gives its pid."""
    become = ['setpriv', '--reuid', str(NOBODY), '--clear-groups'] if os.geteuid() == 0 else []
    with subprocess.Popen([*become, 'sleep', '600']) as process:
        until(lambda: psutil.Process(process.pid).name() == 'sleep')
        fake.set(gpu, used=used, load=load, processes=[(process.pid, used)])
        yield process.pid
        fake.set(gpu, used=0, load=0.0, processes=[])
        process.kill()


def user_of(pid: int) -> str:
    return psutil.Process(pid).username()


def test_that_packing_starts_nothing_where_somebody_else_is_and_status_names_who(
    project: Gated, tmp_path: Path
) -> None:
    fake = with_gpus(project, tmp_path, 2)
    with somebody(fake, 1, used=3000) as pid:
        search = project.search_in_order('--packing=auto', '--sim_startup_time=0', '--max_num_jobs_per_gpu=1')
        project.wait_for_begun(1)
        who = f'{user_of(pid)}, pid {pid}, sleep, 2.9 GiB'
        status = until(lambda: told(project, f'closed: others use it ({who})'))
        assert f'      {who}\n' in status
        own = project.pids()[0]
        fake.set(0, used=700, processes=[(own, 700)])
        until(lambda: told(project, f'      {project.run_name("1")}, 700 MiB\n'))
        assert on_gpus(project) == ['0']
    project.wait_for_begun(2)
    assert on_gpus(project) == ['0', '1']
    project.open()
    finish(search)


def test_that_fixed_thresholds_alone_decide_unless_runs_are_to_make_room(project: Gated, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 1)
    with somebody(fake, 0, used=3000):
        project.open()
        search = project.search_in_order('--sim_startup_time=0')
        finish(search)
    assert project.begun() == project.once()


def test_that_a_run_makes_room_and_goes_on_when_the_others_have_gone(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', 1, '_RESUMABLE = True') as project:
        fake = with_gpus(project, tmp_path, 1)
        search = project.search_in_order('--sim_startup_time=0', '--yield=requeue')
        project.wait_for_begun(1)
        with somebody(fake, 0, used=9000, load=0.9) as pid:
            until(lambda: project.told('ended'), patience=60)
            until(lambda: told(project, f'closed: others use it ({user_of(pid)}, pid {pid}, sleep, 8.8 GiB)'))
            assert project.begun() == [('1', '1')]
        project.wait_for_begun(2)
        project.open()
        finish(search)
        first, second = project.told('ended')
        assert (first['state'], first['cause'], second['state']) == ('interrupted', 'yielded', 'finished')
        why = f'on GPU 0 it makes room for others ({user_of(os.getpid()) if os.geteuid() else "nobody"}, pid {pid}, '
        assert first['reason'].startswith(why)
        assert project.notes('found.txt') == [('1', '2')], 'it goes on in its folder'


def test_that_a_run_that_made_room_for_good_is_taken_up_by_resume(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', 1) as project:
        fake = with_gpus(project, tmp_path, 1)
        search = project.search_in_order('--sim_startup_time=0', '--yield=stop')
        project.wait_for_begun(1)
        with somebody(fake, 0, used=9000, load=0.9):
            shown = finish(search, codes=[1])
        assert 'makes room for others' in shown
        assert project.begun() == [('1', '1')]
        project.open()
        resumed = project.run('resume', 'out')
        assert resumed.returncode == 0, resumed.stderr
        assert project.begun() == [('1', '1'), ('1', '2')]


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
