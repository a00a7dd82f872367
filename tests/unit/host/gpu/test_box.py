"""The box of stand-in GPUs, as NVML tells it and as training scripts find it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.nvml.box import FakeBox
from tests.support.harness import until

READ = """
import json, pynvml as nvml, sys
nvml.nvmlInit()
device = nvml.nvmlDeviceGetHandleByIndex(int(sys.argv[1]))
try:
    loads = {each.pid: each.smUtil for each in nvml.nvmlDeviceGetProcessUtilization(device, 0)}
except nvml.NVMLError:
    loads = {}
processes = {each.pid: each.usedGpuMemory >> 20 for each in nvml.nvmlDeviceGetComputeRunningProcesses(device)}
print(json.dumps({
    'used': nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2).used >> 20,
    'load': nvml.nvmlDeviceGetUtilizationRates(device).gpu,
    'processes': sorted(processes.items()),
    'loads': sorted(loads.items()),
}))
"""


def read(box: FakeBox, gpu: int) -> dict[str, Any]:
    words = [sys.executable, '-c', READ, str(gpu)]
    done = subprocess.run(words, env=box.env(), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def start(box: FakeBox, path: Path, gpu: int | str, **formulas: str) -> subprocess.Popen[str]:
    box.write_script(path / 'train.py', **formulas)
    words = [sys.executable, str(path / 'train.py'), f'--out_dir={path / "out"}', '--width', '3']
    env = {**box.env(), 'CUDA_VISIBLE_DEVICES': str(gpu)}
    return subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def box(tmp_path: Path) -> FakeBox:
    return FakeBox(tmp_path / 'nvml', sizes=[8000, 24000])


def test_that_a_card_tells_what_the_processes_on_it_use(box: FakeBox) -> None:
    with box.neighbour(1, 5000, 0.7) as one, box.neighbour(1, 3000, 0.7) as other:
        told = read(box, 1)
        assert (told['used'], told['load']) == (8000, 100)
        assert told['processes'] == sorted([[one, 5000], [other, 3000]])
        assert told['loads'] == sorted([[one, 50], [other, 50]])
        assert read(box, 0) == {'used': 0, 'load': 0, 'processes': [], 'loads': []}
    assert read(box, 1)['used'] == 0


def test_that_what_a_test_sets_is_added(box: FakeBox) -> None:
    box.set(0, used=100, load=0.2, processes=[(1, 100)])
    with box.neighbour(0, 1000, 0.1) as pid:
        told = read(box, 0)
        assert told['used'], told['load'] == (1100, 30)
        assert told['processes'] == sorted([[1, 100], [pid, 1000]])


def test_that_a_script_uses_what_its_parameters_say_until_it_is_killed(box: FakeBox, tmp_path: Path) -> None:
    uuid = read_uuid(box, 1)
    with start(box, tmp_path, uuid, memory='1000 * width', load='0.5', seconds='600', startup='0') as script:
        until(lambda: read(box, 1)['loads'] == [[script.pid, 50]])
        assert read(box, 1)['processes'] == [[script.pid, 3000]]
        os.kill(script.pid, signal.SIGKILL)
        script.communicate()
        assert read(box, 1)['used'] == 0


def test_that_a_script_for_which_a_card_has_no_room_says_what_torch_says(box: FakeBox, tmp_path: Path) -> None:
    with box.neighbour(0, 6000):
        script = start(box, tmp_path, 0, memory='3000', seconds='0', startup='0')
        _, err = script.communicate(timeout=30)
    assert script.returncode == 1
    assert 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate' in err
    assert (box.out_of_memory(), box.peaks()) == (1, {'0': 8000})
    assert not (tmp_path / 'out').exists()


def test_that_a_script_that_had_room_leaves_a_result_and_its_memory(box: FakeBox, tmp_path: Path) -> None:
    script = start(box, tmp_path, 0, memory='3000', seconds='0.01', startup='0', acc='width / 10')
    script.communicate(timeout=30)
    assert (tmp_path / 'out' / 'performance_overview.txt').read_text() == 'acc 0.3\nfinished 1\n'
    assert box.used(0) == 0


def read_uuid(box: FakeBox, gpu: int) -> str:
    return next(line.split()[1] for line in box.state.read_text().splitlines() if line.startswith(f'gpu.{gpu}.uuid '))
