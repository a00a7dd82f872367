"""Whole searches on GPUs that a stand-in library pretends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hpsearch.host.processes import user_name
from tests.fakes.amd import FakeAmd
from tests.fakes.nvml import EXCLUSIVE_PROCESS, GPU_IS_LOST, PROHIBITED, FakeNvml
from tests.support.cli_harness import Project
from tests.support.gates import finish, gated
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.users import NOBODY, as_another_user


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / 'project')


def with_gpus(project: Project, tmp_path: Path, count: int) -> FakeNvml:
    fake = FakeNvml(tmp_path / 'nvml', gpus=count)
    use(project, fake)
    return fake


def use(project: Project, fake: FakeNvml) -> None:
    """Let the searches of a project see these GPUs."""
    project.env.update(fake.env())
    project.env['PATH'] = f'{Path(project.command()[0]).parent}{os.pathsep}{project.env["PATH"]}'
    project.env['PYTHONPATH'] = str(REPOSITORY)


def stop(search: subprocess.Popen[str]) -> str:
    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=60)
    return out + err


def test_that_each_run_gets_a_gpu_of_its_own(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.4, 0.41, 0.42, 0.43]})
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 0, done.stderr
    assert Counter(devices for _, _, devices in project.ran()) == {'0': 2, '1': 2}


def test_that_a_gpu_is_shared_up_to_the_limit(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 1)
    project.configure({'seconds': [1.0 + n / 100 for n in range(4)]})
    project.search('--sim_startup_time=0', '--max_num_jobs_per_gpu=2')
    order = [event['event'] for event in project.events() if event['event'] in ('running', 'ended')]
    assert order[:2] == ['running', 'running']
    most = now = 0
    for event in order:
        now += 1 if event == 'running' else -1
        most = max(most, now)
    assert most == 2


def test_that_packed_runs_are_placed_by_what_they_are_expected_to_need(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.1, 0.11, 0.12, 0.13]})
    done = project.search('--packing=auto', '--sim_startup_time=0')
    assert done.returncode == 0, done.stderr
    assert {devices for _, _, devices in project.ran()} == {'0', '1'}


def test_that_the_start_up_time_is_kept(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 1)
    project.configure({'lr': [0.1, 0.2]})
    project.search('--sim_startup_time=2', '--max_num_jobs_per_gpu=2')
    first, second = (event['at'] for event in project.events() if event['event'] == 'claimed')
    assert second - first >= 2


def test_that_two_searches_that_begin_together_do_not_start_on_the_same_gpu(tmp_path: Path) -> None:
    with gated(tmp_path / 'one', 1) as one, gated(tmp_path / 'other', 1) as other:
        fake = FakeNvml(tmp_path / 'nvml', gpus=1)
        for each in (one, other):
            use(each, fake)
        searches = [each.start('--sim_startup_time=500') for each in (one, other)]
        until(lambda: one.begun() or other.begun())
        first, second = (one, other) if one.begun() else (other, one)
        told = until(lambda: _told(second, 'another hpsearch (user '))
        assert 'whose use of the GPU can be seen after 500 s' in told
        assert not second.begun()
        first.open()
        second.wait_for_begun(1)
        second.open()
        for search in searches:
            finish(search)
        assert (first.begun(), second.begun()) == (first.once(), second.once())


def test_that_two_users_do_not_start_on_the_same_gpu(tmp_path: Path) -> None:
    with gated(tmp_path / 'ours', 1) as ours, gated(tmp_path / 'theirs', 1) as theirs:
        words = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--sim_startup_time=500']
        command = as_another_user(*theirs.command(*words))
        fake = FakeNvml(tmp_path / 'nvml', gpus=1)
        for each in (ours, theirs):
            use(each, fake)
        os.chown(theirs.path, NOBODY, NOBODY)
        search = ours.start('--sim_startup_time=500')
        ours.wait_for_begun(1)
        pipes: dict[str, Any] = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
        second = subprocess.Popen(command, cwd=theirs.path, env=theirs.env, **pipes)
        until(lambda: _told(theirs, f'another hpsearch (user {user_name(os.geteuid())}, pid '))
        assert not theirs.begun()
        ours.open()
        theirs.open()
        finish(search)
        finish(second)
        assert theirs.begun() == theirs.once()


def test_that_several_gpus_per_run_are_given_together(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 4)
    project.configure({'seconds': [0.4, 0.41]})
    project.search('--sim_startup_time=0', '--gpus_per_run=2')
    assert sorted(devices for _, _, devices in project.ran()) == ['0,1', '2,3']


def test_that_only_visible_gpus_are_used_and_the_environment_is_respected(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 4)
    project.configure({'seconds': [0.3, 0.31, 0.32]})
    project.env['CUDA_VISIBLE_DEVICES'] = '1,3'
    project.search('--sim_startup_time=0', '--visible_gpus=0,1,3')
    assert {devices for _, _, devices in project.ran()} == {'1', '3'}


def test_that_a_gpu_list_with_nothing_in_common_is_an_error(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 2)
    project.configure({'lr': [0.1]})
    project.env['CUDA_VISIBLE_DEVICES'] = '1'
    done = project.search('--visible_gpus=0')
    assert done.returncode == 2
    assert 'no GPU in common' in done.stderr
    assert not project.out.exists()


def test_that_a_busy_gpu_gets_a_run_only_when_its_user_has_left(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 1)
    fake.set(0, used=30000, total=40000, load=0.9, processes=[(1, 30000)])
    project.configure({'lr': [0.1]})
    search = project.start('--sim_startup_time=0')
    until(lambda: list(project.out.glob('journal/*.alive')))
    status = until(lambda: _told(project, '--allowed_memory'))
    assert 'GPU 0' in status
    assert project.ran() == []
    fake.set(0, used=100, total=40000, load=0.0, processes=[])
    out, err = search.communicate(timeout=60)
    assert search.returncode == 0, out + err
    assert [devices for _, _, devices in project.ran()] == ['0']


def _told(project: Project, text: str) -> str:
    shown = project.run('status', 'out').stdout
    return shown if text in shown else ''


def test_that_a_lost_card_closes_that_card_and_not_the_search(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.5 + n / 100 for n in range(6)]})
    search = project.start('--sim_startup_time=0')
    until(lambda: len(project.ran()) == 2)
    fake.set(1, error=GPU_IS_LOST)
    search.communicate(timeout=60)
    assert search.returncode == 0
    assert Counter(devices for _, _, devices in project.ran()) == {'0': 5, '1': 1}


def test_that_an_idle_process_keeps_an_exclusive_gpu_closed_until_it_leaves(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 2)
    fake.set(0, compute_mode=PROHIBITED)
    fake.set(1, compute_mode=EXCLUSIVE_PROCESS, processes=[(os.getpid(), 0)])
    project.configure({'lr': [0.1]})
    search = project.start('--sim_startup_time=0')
    until(lambda: list(project.out.glob('journal/*.alive')))
    status = until(lambda: _told(project, f'there is one already (pid {os.getpid()})'))
    assert 'PROHIBITED allows no process' in status
    assert project.ran() == []
    fake.set(1, processes=[])
    out, err = search.communicate(timeout=60)
    assert search.returncode == 0, out + err
    assert [devices for _, _, devices in project.ran()] == ['1']


def test_that_a_gpu_that_reports_nothing_gets_runs_by_the_memory_of_the_system(
    project: Project, tmp_path: Path
) -> None:
    fake = with_gpus(project, tmp_path, 1)
    fake.set(0, total='none', load='none', processes='none')
    project.configure({'lr': [0.1, 0.2]})
    done = project.search('--sim_startup_time=0', '--allowed_memory=1')
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('no memory of its own: --allowed_memory counts that of the system') == 1
    assert done.stdout.count('does not report its load') == 1
    assert [devices for _, _, devices in project.ran()] == ['0', '0']


BREAKS = """\
import os
if os.environ.get('CUDA_VISIBLE_DEVICES') == '1' and os.path.exists('broken'):
    raise SystemExit(open('broken').read())
"""


LOST = """\
import os, time
if os.environ.get('CUDA_VISIBLE_DEVICES') == '1':
    open('on_1', 'w').close()
    while not os.path.exists('gate'):
        time.sleep(0.01)
    raise SystemExit('RuntimeError: CUDA error: unspecified launch failure')
"""

ECC = """\
torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""


def breaking(project: Project, tmp_path: Path, error: str, count: int = 12) -> None:
    """Two GPUs; on GPU 1 every run ends at once with an error."""
    with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.5 + n / 100 for n in range(count)]})
    script = project.path / 'train.py'
    script.write_text(BREAKS + script.read_text())
    (project.path / 'broken').write_text(error)


def claims(project: Project, gpu: str) -> int:
    """How many attempts were begun on a GPU."""
    return sum(each['gpus'] == [gpu] for each in project.events() if each['event'] == 'claimed')


def ends(project: Project, gpu: str) -> list[str]:
    """How attempts ended on a GPU."""
    where = {(each['run'], each['attempt']): each['gpus'] for each in project.events() if each['event'] == 'claimed'}
    ended = [each for each in project.events() if each['event'] == 'ended']
    return [each['state'] for each in ended if where[each['run'], each['attempt']] == [gpu]]


@pytest.mark.parametrize(('error', 'most'), [(ECC, 4), ('Segmentation fault', 10)])
def test_that_one_broken_gpu_fails_no_run(project: Project, tmp_path: Path, error: str, most: int) -> None:
    breaking(project, tmp_path, error)
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
    assert ends(project, '0') == ['finished'] * 12
    assert 0 < len(ends(project, '1')) <= most
    assert f'GPU 1 on {os.uname().nodename} is avoided for ' in done.stdout
    assert 'it is tried again with one run in ' in done.stdout


def test_that_a_run_whose_gpu_was_lost_is_run_on_another_one(project: Project, tmp_path: Path) -> None:
    """Whatever the run itself says, and however long it has been running."""
    fake = with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.5, 0.6, 0.7]})
    script = project.path / 'train.py'
    script.write_text(LOST + script.read_text())
    search = project.start('--sim_startup_time=0')
    until((project.path / 'on_1').exists)
    fake.set(1, error=GPU_IS_LOST)
    (project.path / 'gate').touch()
    out, err = search.communicate(timeout=60)
    assert search.returncode == 0, out + err
    assert ends(project, '1') == ['failed']
    assert 'GPU 1: the GPU is lost (it fell off the bus)' in out


def test_that_a_gpu_that_breaks_does_not_end_the_run_on_the_other(project: Project, tmp_path: Path) -> None:
    """Five runs fail alike while the first one on the other GPU has not ended."""
    breaking(project, tmp_path, 'RuntimeError: something about cuDNN')
    done = project.search('--sim_startup_time=0', '--max_num_jobs_per_gpu=6', '--fail_fast=5')
    assert done.returncode == 0, done.stdout + done.stderr
    assert ends(project, '0') == ['finished'] * 12


@pytest.mark.parametrize('is_shared', [False, True])
def test_that_one_broken_gpu_of_a_job_fails_no_run_in_it(project: Project, tmp_path: Path, is_shared: bool) -> None:
    """By the readings of the driver, or as devices that the queue gave to the job."""
    breaking(project, tmp_path, 'RuntimeError: something about cuDNN')
    project.env.update(SLURM_JOB_ID='7', SLURMD_NODENAME='n1')
    options, command = ['--sim_startup_time=0'], ['resume', 'out']
    if is_shared:
        project.env['CUDA_VISIBLE_DEVICES'] = '0,1'
        options, command = ['--runs_per_job=2'], ['join', 'out', '--runs_per_job=2']
    done = project.search(*options, '--dont_start')
    assert done.returncode == 0, done.stdout + done.stderr
    done = project.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ends(project, '0') == ['finished'] * 12
    assert set(ends(project, '1')) == {'failed'}
    assert 'GPU 1 on n1 is avoided for ' in done.stdout


def test_that_the_state_of_a_dead_search_names_the_broken_gpu_and_its_resume_avoids_it(
    project: Project, tmp_path: Path
) -> None:
    breaking(project, tmp_path, ECC)
    search = project.start('--sim_startup_time=0')
    until(lambda: _told(project, 'it is tried again with one run in '))
    search.kill()
    search.communicate()
    before = claims(project, '1')
    status = project.run('status', 'out').stdout
    assert f'note: GPU 1 on {os.uname().nodename}: the last ' in status
    assert 'it is tried again with one run in 9 min' in status
    done = project.run('resume', 'out')
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}
    assert claims(project, '1') == before


def test_that_another_process_that_joins_a_search_avoids_the_broken_gpu_from_its_start(
    project: Project, tmp_path: Path
) -> None:
    breaking(project, tmp_path, ECC, count=6)
    project.configure({'seconds': [2.0 + n / 100 for n in range(6)]})
    search = project.start('--sim_startup_time=0')
    until(lambda: _told(project, 'it is tried again with one run in '))
    before = claims(project, '1')
    joined = project.run('join', 'out')
    search.communicate(timeout=60)
    assert 'GPU 1 on ' in joined.stdout and 'is avoided for 9 min' in joined.stdout
    assert claims(project, '1') <= before + 1, 'at most what the first one was about to start'
    assert {row['hpsearch_state'] for row in project.rows()} == {'finished'}


def test_that_a_script_that_fails_on_every_gpu_is_to_blame_itself(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 2)
    project.configure({'mode': ['crash'], 'lr': [n / 100 for n in range(20)]})
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 1
    assert 'the loss is nan' in done.stdout
    assert 'avoided' not in done.stdout
    assert len([each for each in project.events() if each['event'] == 'ended']) < 10


def test_that_a_machine_with_one_gpu_has_no_other_to_compare_it_with(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 1)
    project.configure({'mode': ['crash'], 'lr': [n / 100 for n in range(20)]})
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 1
    assert 'avoided' not in done.stdout
    assert len([each for each in project.events() if each['event'] == 'ended']) == 5


def test_that_a_reading_that_hangs_closes_that_card_and_not_the_search(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 2)
    project.configure({'seconds': [0.5 + n / 100 for n in range(4)]})
    search = project.start('--sim_startup_time=0')
    until(lambda: len(project.ran()) == 2)
    fake.set(1, hang=True)
    search.communicate(timeout=60)
    assert search.returncode == 0
    assert Counter(devices for _, _, devices in project.ran()) == {'0': 3, '1': 1}


def test_that_a_machine_without_gpus_says_so_once_and_runs(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 1)
    fake.set_driver(count=0)
    project.configure({'lr': [0.1, 0.2]})
    done = project.search()
    assert done.returncode == 0
    assert done.stdout.count('no GPU on this machine') == 1
    assert {devices for _, _, devices in project.ran()} == {'unset'}


def test_that_a_driver_which_does_not_answer_ends_the_search_with_the_reason(project: Project, tmp_path: Path) -> None:
    fake = with_gpus(project, tmp_path, 1)
    fake.set_driver(init=999)
    project.configure({'lr': [0.1]})
    done = project.search()
    assert done.returncode == 2
    assert 'driver' in done.stderr
    assert project.ran() == []


def test_that_a_run_out_of_gpu_memory_gets_a_gpu_for_itself_and_that_is_no_failure(
    project: Project, tmp_path: Path
) -> None:
    with_gpus(project, tmp_path, 1)
    project.configure({'mode': ['oom'], 'seconds': [0.4]}, "conditions = [({'mode': ['oom']}, {'lr': [0.1, 0.2]})]")
    done = project.search('--sim_startup_time=0', '--max_num_jobs_per_gpu=2')
    assert done.returncode == 0, done.stdout
    ended = [event for event in project.events() if event['event'] == 'ended']
    assert Counter((event['state'], event['cause']) for event in ended) == {
        ('interrupted', 'gpu_oom'): 2,
        ('finished', 'exit'): 2,
    }
    second = [event for event in project.events() if event['event'] in ('claimed', 'ended') and event['attempt'] == 2]
    assert [event['event'] for event in second] == ['claimed', 'ended'] * 2, 'one after the other, each alone'


def test_that_a_run_out_of_memory_alone_on_the_largest_gpu_has_failed(project: Project, tmp_path: Path) -> None:
    with_gpus(project, tmp_path, 1)
    project.configure({'mode': ['always_oom']})
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 1
    (row,) = project.rows()
    assert row['hpsearch_state'] == 'failed'
    assert 'alone on the largest GPU' in row['hpsearch_reason']


@pytest.mark.parametrize('processes', [[(1, 15000)], []], ids=['processes are listed', 'in a container'])
def test_that_a_run_that_ran_out_of_memory_because_somebody_took_the_gpu_is_run_again(
    project: Project, tmp_path: Path, processes: list[tuple[int, int | None]]
) -> None:
    fake = with_gpus(project, tmp_path, 1)
    project.configure({'mode': ['oom_at_gate']})
    search = project.start('--sim_startup_time=0', '--fail_fast=1')
    until(project.ran)
    fake.set(0, used=15000, processes=processes)
    (project.path / 'gate').touch()
    until(lambda: _told(project, 'needs a GPU of its own'))
    fake.set(0, used=0, processes=[])
    out, err = search.communicate(timeout=60)
    assert search.returncode == 0, out + err
    ended = [(event['state'], event['cause']) for event in project.events() if event['event'] == 'ended']
    assert ended == [('interrupted', 'gpu_oom'), ('finished', 'exit')]


@pytest.mark.parametrize('option', ['--visible_gpus=0', '--gpus_per_run=2'])
def test_that_gpus_that_are_asked_for_by_name_must_be_there(project: Project, tmp_path: Path, option: str) -> None:
    fake = with_gpus(project, tmp_path, 1)
    fake.set_driver(count=0)
    project.configure({'lr': [0.1]})
    done = project.search(option)
    assert done.returncode == 2
    assert f'{option}: there is no GPU on this machine; --visible_gpus=-1 runs without one.' in done.stderr
    assert not project.out.exists()
    assert project.ran() == []


def test_that_runs_on_gpus_of_amd_see_the_one_that_they_are_given(project: Project, tmp_path: Path) -> None:
    fake = FakeAmd(tmp_path / 'amd', gpus=2)
    project.env = fake.env(project.env)
    project.env['HIP_VISIBLE_DEVICES'] = '1,0'
    script = (project.path / 'train.py').read_text()
    (project.path / 'train.py').write_text(script.replace("get('CUDA_VISIBLE", "get('ROCR_VISIBLE"))
    project.configure({'seconds': [0.4, 0.41]})
    done = project.search('--sim_startup_time=0')
    assert done.returncode == 0, done.stderr
    assert {devices for _, _, devices in project.ran()} == {'GPU-0000000000000000', 'GPU-0000000000000001'}
