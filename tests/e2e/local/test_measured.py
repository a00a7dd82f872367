"""What runs are measured to use, on a box of stand-in GPUs and of the host."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.fakes.nvml import FakeNvml
from tests.fakes.nvml.box import FakeBox
from tests.support.cli_harness import Project
from tests.support.harness import until
from tests.support.paths import REPOSITORY

HOST_PID = 2**22 + 1
"""A pid of the host that no process here has."""

BUSY = """
import sys, time
out = next(word.partition('=')[2] for word in sys.argv if word.startswith('--out_dir'))
data = b'x' * (300 << 20)
while time.process_time() < 1.5:
    pass
import os
os.makedirs(out)
open(out + '/performance_overview.txt', 'w').write('acc 1\\nfinished 1\\n')
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / 'project')


def with_box(project: Project, tmp_path: Path, sizes: list[int], **formulas: str) -> FakeBox:
    """A box of GPUs for a project, whose script uses what the formulas say."""
    box = FakeBox(tmp_path / 'nvml', sizes)
    with_env(project, box)
    box.write_script(project.path / 'train.py', **formulas)
    return box


def with_env(project: Project, fake: FakeNvml) -> None:
    """Let the searches of a project see these GPUs."""
    project.env.update(fake.env())
    project.env['PATH'] = f'{Path(project.command()[0]).parent}{os.pathsep}{project.env["PATH"]}'
    project.env['PYTHONPATH'] = str(REPOSITORY)


def measured(project: Project) -> dict[str, dict[str, Any]]:
    """Run to what was measured of it."""
    return {event['run']: event.get('measured', {}) for event in project.events() if event['event'] == 'ended'}


def test_that_what_runs_use_of_their_gpu_is_journaled(project: Project, tmp_path: Path) -> None:
    with_box(project, tmp_path, [24000], memory='1000 * width', load='0.2 * width', seconds='4', startup='0')
    project.configure({'width': [2, 3]})
    done = project.search('--sim_startup_time=0', '--max_num_jobs_per_gpu=2', '--allowed_load=1', '--allowed_memory=1')
    assert done.returncode == 0, done.stderr
    found = measured(project)
    assert {each['gpu_memory'] for each in found.values()} == {2000, 3000}
    for each in found.values():
        assert 0 < each['gpu_load'] <= each['gpu_memory'] / 5000 + 0.01, 'its own, and none while it loads'
        assert 1 <= each['sharing'] <= 2
        assert 0 < each['cpu'] < 2


def test_that_what_runs_use_of_the_host_is_journaled(project: Project) -> None:
    (project.path / 'train.py').write_text(BUSY)
    project.configure({'lr': [0.1]})
    done = project.search('--cpu_jobs=1', '--measure_columns')
    assert done.returncode == 0, done.stderr
    (found,) = measured(project).values()
    assert 300 <= found['host_memory'] < 400
    assert 0.1 < found['cpu'] <= 1.1
    assert found['sharing'] == 1
    assert 'gpu_memory' not in found
    for row in (*project.rows(), *postprocessed(project)):
        assert int(row['hpsearch_host_memory']) == found['host_memory']


def status(project: Project) -> str:
    return project.run('status', 'out').stdout


def stop(search: subprocess.Popen[str]) -> str:
    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=60)
    return out + err


def test_that_the_status_shows_what_runs_use_while_they_do(project: Project, tmp_path: Path) -> None:
    with_box(project, tmp_path, [24000], memory='2048', load='0.5', seconds='600', startup='0')
    project.configure({'width': [2]})
    search = project.start()
    shown = until(lambda: next((line for line in status(project).splitlines() if '2.0 GiB, load' in line), ''))
    stop(search)
    assert 'running: ' in shown
    assert 'GPU 0' in shown
    assert ' cores' in shown


def test_that_a_run_on_a_gpu_that_it_was_not_given_is_named(project: Project, tmp_path: Path) -> None:
    with_box(project, tmp_path, [24000, 24000], memory='2048', load='0.5', seconds='600', startup='0')
    script = project.path / 'train.py'
    script.write_text(f"import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '1'\n{script.read_text()}")
    project.configure({'width': [2]})
    search = project.start()
    until(lambda: 'GPU 0, but uses GPU 1' in status(project))
    assert 'uses GPU 1 although it was given GPU 0' in stop(search)
    (found,) = measured(project).values()
    assert found['gpu_memory'] == 2048


def test_that_a_run_on_a_gpu_that_may_not_be_used_is_named(project: Project, tmp_path: Path) -> None:
    with_box(project, tmp_path, [24000, 24000], memory='2048', load='0.5', seconds='600', startup='0')
    script = project.path / 'train.py'
    script.write_text(f"import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '1'\n{script.read_text()}")
    project.configure({'width': [2]})
    search = project.start('--visible_gpus=0')
    until(lambda: 'GPU 0, but uses GPU 1' in status(project), 60)
    stop(search)


def test_that_in_a_container_what_the_gpu_uses_more_than_before_is_the_runs(project: Project, tmp_path: Path) -> None:
    fake = FakeNvml(tmp_path / 'nvml', gpus=1)
    with_env(project, fake)
    fake.set(0, used=1000, processes=[])
    project.configure({'seconds': [600]})
    search = project.start()
    until(lambda: any(event['event'] == 'running' for event in project.events()) if project.out.exists() else False)
    fake.set(0, used=3048, load=0.4, processes=[(HOST_PID, 3048)])
    shown = until(lambda: next((line for line in status(project).splitlines() if '2.0 GiB, load 40 %' in line), ''))
    stop(search)
    assert 'GPU 0' in shown
    (found,) = measured(project).values()
    assert (found['gpu_memory'], found['gpu_load']) == (2048, 0.4)


def test_that_a_run_whose_dispatcher_was_killed_is_measured_by_the_next_one(project: Project, tmp_path: Path) -> None:
    with_box(project, tmp_path, [24000], memory='2048', load='0.5', seconds='600', startup='0')
    project.configure({'width': [2]})
    search = project.start()
    until(lambda: project.out.exists() and any(event['event'] == 'running' for event in project.events()))
    search.kill()
    search.communicate()
    words = project.command('resume', 'out')
    search = subprocess.Popen(words, cwd=project.path, env=project.env, stdout=PIPE, stderr=PIPE, text=True)
    until(lambda: '2.0 GiB, load' in status(project))
    stop(search)
    (found,) = measured(project).values()
    assert found['gpu_memory'] == 2048
    assert 0 < found['cpu'] < 2


def postprocessed(project: Project, *words: str) -> list[dict[str, str]]:
    command = [sys.executable, '-m', 'postprocessing.main', str(project.out), *words]
    subprocess.run(command, cwd=REPOSITORY, env=project.env, check=True, capture_output=True)
    with (project.out / 'postprocessing_results.csv').open(newline='') as file:
        return list(csv.DictReader(file, delimiter=';'))


def test_that_the_table_says_what_runs_used_on_request(project: Project) -> None:
    project.configure({'lr': [0.1]})
    assert project.search('--cpu_jobs=1').returncode == 0
    assert 'hpsearch_cpu' not in project.rows()[0]
    assert float(postprocessed(project, '--measure_columns')[0]['hpsearch_cpu']) > 0
    assert project.run('resume', 'out', '--measure_columns').returncode == 0
    assert float(project.rows()[0]['hpsearch_cpu']) > 0
    assert project.rows()[0]['hpsearch_gpu_memory'] == ''
