from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from hpsearch.host.gpu import nvml as nvml_module
from hpsearch.host.gpu.nvml import has_nvidia_card
from hpsearch.host.gpu.source import GputilSource, open_gpus
from hpsearch.model.errors import BackendError
from tests.fakes.nvml import (
    EXCLUSIVE_PROCESS,
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    NOT_LOADED,
    PROHIBITED,
    UNKNOWN_ERROR,
    VERSION_MISMATCH,
    FakeNvml,
)
from tests.fakes.nvml.box import FakeBox
from tests.support.harness import until

PATIENCE = 20.0
"""Seconds after which something that must happen has not: a failure, not a measurement."""

PROGRAM = """
import json, os, sys
from dataclasses import asdict
from hpsearch.model.errors import BackendError
from hpsearch.host.gpu.source import open_gpus
def tell(what):
    print(json.dumps(what), flush=True)
try:
    source = open_gpus(float(sys.argv[1]))
except BackendError as error:
    tell({'error': str(error)})
    os._exit(0)
tell({'gpus': None} if source is None else {'gpus': [asdict(gpu) for gpu in source.gpus], 'notes': [*source.notes]})
for line in sys.stdin:
    tell(asdict(source.read(line.strip(), 7.0)))
os._exit(0)
"""


class Program:
    """A process of its own that opens the GPUs and then reads the one it is asked for."""

    def __init__(self, env: dict[str, str], timeout: float = PATIENCE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, str(timeout)],
            env={**env, 'PYTHONPATH': str(Path(nvml_module.__file__).parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.opened: dict[str, Any] = self._answer()

    @property
    def gpus(self) -> list[dict[str, str]]:
        return list(self.opened['gpus'])

    def ask(self, name: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f'{name}\n')
        self.process.stdin.flush()

    def read(self, name: str) -> dict[str, Any]:
        self.ask(name)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Program] = []

    def begin(env: dict[str, str], timeout: float = PATIENCE) -> Program:
        started.append(Program(env, timeout))
        return started[-1]

    yield begin
    for program in started:
        program.close()


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path / 'nvml', gpus=2)


def without_nvidia(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which neither NVML nor nvidia-smi can be found."""
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'libnvidia-ml.so.1').write_text('not a library')
    return {**env, 'PATH': str(tmp_path / 'empty'), 'LD_LIBRARY_PATH': str(tmp_path)}


# ------------------------------------------------------------------------------------------------ what the machine has


def test_that_gpus_have_their_number_uuid_and_model(nvml: FakeNvml, start: Start) -> None:
    nvml.set(1, name='NVIDIA A100-SXM4-40GB', uuid='GPU-123')
    assert start(nvml.env()).gpus[1] == {
        'name': '1',
        'uuid': 'GPU-123',
        'model': 'NVIDIA A100-SXM4-40GB',
        'visible_devices': '1',
        'groups': ['1', '1', '1'],
        'variable': 'CUDA_VISIBLE_DEVICES',
    }


@pytest.mark.parametrize(
    ('cards', 'groups'),
    [
        ([{}, {}], ['0/0/0', '1/1/1']),
        ([{'node': 0}, {'node': 0}, {'node': 1}], ['0/0/0', '0/1/1', '2/2/2']),
        ([{'node': 0, 'bridge': 0}, {'node': 0, 'bridge': 1}, {'node': 0, 'bridge': 0}], ['0/0/0', '0/1/1', '0/0/2']),
        ([{'links': '2,2'}, {'links': '3'}, {'links': '0,0,-'}, {'links': '1'}], ['0/0/0', '1/1/1', '0/0/0', '1/1/1']),
        ([{'links': 's', 'node': 0}, {'links': 's,s', 'node': 1}, {'node': 0}], ['0/0/0', '0/0/0', '0/2/2']),
        ([{'links': '-', 'node': 0}, {'links': '-', 'node': 0}], ['0/0/0', '0/1/1']),
    ],
    ids=['nothing told', 'numa nodes', 'bridges', 'pairs', 'switches', 'no link is active'],
)
def test_that_gpus_know_with_which_others_they_are_linked(
    tmp_path: Path, start: Start, cards: list[dict[str, Any]], groups: list[str]
) -> None:
    nvml = FakeNvml(tmp_path / 'linked', gpus=len(cards))
    for number, card in enumerate(cards):
        nvml.set(number, **card)
    assert ['/'.join(gpu['groups']) for gpu in start(nvml.env()).gpus] == groups


def test_that_a_count_of_zero_means_no_gpu(nvml: FakeNvml, start: Start) -> None:
    nvml.set_driver(count=0)
    assert start(nvml.env()).opened == {'gpus': None}


@pytest.mark.skipif(Path('/dev/nvidiactl').exists(), reason='this machine has an NVIDIA driver')
def test_that_no_library_and_no_nvidia_smi_means_no_gpu(nvml: FakeNvml, start: Start, tmp_path: Path) -> None:
    assert start(without_nvidia(nvml.env(), tmp_path)).opened == {'gpus': None}


@pytest.mark.parametrize(
    ('code', 'part'),
    [(VERSION_MISMATCH, 'version mismatch'), (UNKNOWN_ERROR, "NVML says 'Unknown Error' (code 999)")],
)
def test_that_a_driver_that_fails_to_start_is_an_error_with_reason_and_next_step(
    nvml: FakeNvml, start: Start, code: int, part: str
) -> None:
    nvml.set_driver(init=code)
    error = start(nvml.env()).opened['error']
    assert part in error
    assert 'nvidia-smi' in error and '--visible_gpus=-1' in error


def test_that_a_driver_that_hangs_at_the_start_is_an_error(nvml: FakeNvml, start: Start) -> None:
    nvml.set_driver(init='hang')
    assert 'did not answer within 0.2 s' in start(nvml.env(), timeout=0.2).opened['error']


@pytest.mark.parametrize(('vendor', 'device_class', 'there'), [
    ('0x10de', '0x030200', True), ('0x10de', '0x040300', False), ('0x8086', '0x030000', False),
])  # fmt: skip
def test_that_a_card_is_one_of_nvidia_that_is_no_sound_device(
    tmp_path: Path, vendor: str, device_class: str, there: bool
) -> None:
    (tmp_path / '0000:01:00.0').mkdir()
    (tmp_path / '0000:01:00.0' / 'vendor').write_text(f'{vendor}\n')
    (tmp_path / '0000:01:00.0' / 'class').write_text(f'{device_class}\n')
    assert has_nvidia_card(tmp_path) is there


class NotLoaded(Exception):
    value = NOT_LOADED


@pytest.mark.parametrize('card', [True, False])
def test_that_a_kernel_module_that_is_not_loaded_is_an_error_only_where_there_is_a_card(
    monkeypatch: pytest.MonkeyPatch, card: bool
) -> None:
    def fail() -> None:
        raise NotLoaded

    monkeypatch.setitem(sys.modules, 'pynvml', SimpleNamespace(nvmlInit=fail, NVMLError=NotLoaded))
    monkeypatch.setattr(nvml_module, 'has_nvidia_card', lambda: card)
    if not card:
        assert open_gpus() is None
        return
    with pytest.raises(BackendError, match='kernel module is not loaded'):
        open_gpus()


# ------------------------------------------------------------------------------------------------------------ readings


def test_that_a_reading_has_memory_load_and_processes(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, used=1000, reserved=500, load=0.29, processes=[(7, 600), (8, None)])
    assert start(nvml.env()).read('0') == {
        'at': 7.0,
        'memory_used': 1000,
        'memory_total': 40000,
        'memory_free': 38500,
        'load': 0.29,
        'load_exists': True,
        'processes': [{'pid': 7, 'memory': 600, 'load': None}, {'pid': 8, 'memory': None, 'load': None}],
        'problem': '',
        'is_unified': False,
        'compute_mode': 'DEFAULT',
    }


def test_that_another_users_process_shows_in_the_next_reading(nvml: FakeNvml, start: Start) -> None:
    program = start(nvml.env())
    before = program.read('1')
    nvml.set(1, used=30000, load=0.97, processes=[(4711, 30000)])
    after = program.read('1')
    assert (before['memory_used'], before['load'], before['processes']) == (0, 0.0, [])
    assert (after['memory_used'], after['load']) == (30000, 0.97)
    assert after['processes'] == [{'pid': 4711, 'memory': 30000, 'load': None}]


def test_that_processes_have_the_load_that_each_puts_on_the_gpu(start: Start, tmp_path: Path) -> None:
    box = FakeBox(tmp_path / 'box', sizes=[8000])
    program = start(box.env())
    with box.neighbour(0, 1000, 0.5) as busy, box.neighbour(0, 500) as idle:
        for _ in range(2):
            found = {each['pid']: each['load'] for each in program.read('0')['processes']}
            assert found == {busy: 0.5, idle: 0.0}
    assert program.read('0')['processes'] == []


def test_that_a_driver_without_the_newer_calls_is_read_by_the_older_ones(nvml: FakeNvml, start: Start) -> None:
    nvml.set_driver(memory_v2=FUNCTION_NOT_FOUND, processes_v3=FUNCTION_NOT_FOUND)
    nvml.set(0, used=1000, reserved=500, processes=[(7, 600)])
    reading = start(nvml.env()).read('0')
    assert (reading['memory_used'], reading['memory_free']) == (1500, 38500)
    assert reading['processes'] == [{'pid': 7, 'memory': 600, 'load': None}]


def test_that_a_load_the_driver_does_not_support_does_not_exist(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, load='none')
    reading = start(nvml.env()).read('0')
    assert (reading['load'], reading['load_exists'], reading['problem']) == (None, False, '')


def test_that_a_gpu_without_memory_of_its_own_has_that_of_the_system_and_says_so(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, total='none', processes='none')
    program = start(nvml.env())
    reading, system = program.read('0'), psutil.virtual_memory()
    assert reading['is_unified'] and not reading['problem']
    assert reading['memory_total'] == system.total >> 20
    assert reading['memory_used'] + reading['memory_free'] == pytest.approx(reading['memory_total'], abs=1)
    assert reading['processes'] is None
    assert 'GPU 0 has no memory of its own: --allowed_memory counts that of the system' in program.opened['notes']
    assert not program.read('1')['is_unified']


def test_that_a_total_of_nothing_is_no_memory_either(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, total=0)
    assert start(nvml.env()).read('0')['is_unified']


def test_that_a_gpu_that_does_not_report_its_load_says_so(nvml: FakeNvml, start: Start) -> None:
    nvml.set(1, load='none')
    assert 'GPU 1 does not report its load: only its memory is checked' in start(nvml.env()).opened['notes']


@pytest.mark.parametrize(
    ('told', 'mode'), [(0, 'DEFAULT'), (1, 'EXCLUSIVE_PROCESS'), (PROHIBITED, 'PROHIBITED'), (3, 'EXCLUSIVE_PROCESS')]
)
def test_that_a_reading_has_the_compute_mode(nvml: FakeNvml, start: Start, told: int, mode: str) -> None:
    nvml.set(0, compute_mode=told, processes=[(os.getpid(), None)])
    assert start(nvml.env()).read('0')['compute_mode'] == mode


def test_that_a_gpu_in_exclusive_mode_is_shared_through_the_server_of_mps(nvml: FakeNvml, start: Start) -> None:
    server = subprocess.Popen(
        [sys.executable, '-c', 'open("/proc/self/comm", "w").write("nvidia-cuda-mps-server"); print(); input()'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with server:
        assert server.stdout is not None
        server.stdout.readline()
        nvml.set(0, compute_mode=EXCLUSIVE_PROCESS, processes=[(server.pid, 30)])
        program = start(nvml.env())
        assert program.read('0')['compute_mode'] == 'DEFAULT'
        assert any(note.startswith('MPS is at work (pid ') for note in program.opened['notes'])
        server.kill()


def test_that_memory_that_cannot_be_repaired_is_a_problem(nvml: FakeNvml, start: Start) -> None:
    program = start(nvml.env())
    nvml.set(0, remap_failed=0)
    assert not program.read('0')['problem']
    nvml.set(0, remap_failed=1)
    assert program.read('0')['problem'].startswith('its memory is damaged beyond repair')


def test_that_a_lost_card_has_a_problem_until_it_is_back_and_others_are_read(nvml: FakeNvml, start: Start) -> None:
    program = start(nvml.env())
    nvml.set(0, error=GPU_IS_LOST)
    lost = program.read('0')
    assert lost['problem'] == 'the GPU is lost (it fell off the bus); it needs a reset or a reboot'
    assert lost['memory_used'] is None and lost['load'] is None
    assert program.read('1')['problem'] == ''
    nvml.set(0, error=0)
    assert program.read('0')['problem'] == ''


def test_that_any_other_error_is_told_with_its_code(nvml: FakeNvml, start: Start) -> None:
    program = start(nvml.env())
    nvml.set(0, error=UNKNOWN_ERROR)
    assert program.read('0')['problem'] == "NVML says 'Unknown Error' (code 999)"


def test_that_with_a_card_lost_from_the_start_the_others_are_named_by_uuid(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, error=GPU_IS_LOST)
    nvml.set(1, uuid='GPU-123')
    program = start(nvml.env())
    assert [(gpu['name'], gpu['visible_devices']) for gpu in program.gpus] == [('0', '0'), ('1', 'GPU-123')]
    assert 'lost' in program.read('0')['problem']
    assert program.read('1')['problem'] == ''


def test_that_a_reading_that_hangs_goes_on_when_the_driver_answers_again(nvml: FakeNvml, start: Start) -> None:
    program = start(nvml.env())
    nvml.set(0, hang=True)
    program.ask('0')
    nvml.set(0, hang=False, used=77)
    assert program._answer()['memory_used'] == 77


# ----------------------------------------------------------------------------------------------------------------- MIG


def test_that_a_gpu_in_mig_mode_is_represented_by_its_instances(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, uuid='GPU-123')
    nvml.set_mig(1, [0, 3])
    nvml.set('1:3', used=600, processes=[(7, 600)])
    program = start(nvml.env())
    assert [(gpu['name'], gpu['visible_devices']) for gpu in program.gpus] == [
        ('0', 'GPU-123'),
        ('1:0', 'MIG-1-0'),
        ('1:3', 'MIG-1-3'),
    ]
    reading = program.read('1:3')
    assert (reading['memory_used'], reading['memory_total']) == (600, 5000)
    assert (reading['load'], reading['load_exists']) == (None, False)
    assert reading['processes'] == [{'pid': 7, 'memory': 600, 'load': None}]


def test_that_mig_mode_without_any_instance_is_an_error_and_not_no_gpu(nvml: FakeNvml, start: Start) -> None:
    nvml.set_mig(0, [])
    nvml.set_mig(1, [])
    assert 'MIG mode without an instance' in start(nvml.env()).opened['error']


# -------------------------------------------------------------------------------------------------------------- GPUtil


@pytest.fixture
def gputil() -> None:
    try:
        import GPUtil  # noqa: F401
    except ImportError as error:
        pytest.skip(f'GPUtil cannot be imported here: {error}')


@pytest.mark.usefixtures('gputil')
def test_that_gputil_reads_where_nvml_cannot_be_loaded(nvml: FakeNvml, start: Start) -> None:
    nvml.set(0, name='NVIDIA A100', uuid='GPU-123', used=1000, load=0.29)
    nvml.set(1, load='none')
    program = start(nvml.smi_env())
    told = {'name': '0', 'uuid': 'GPU-123', 'model': 'NVIDIA A100', 'visible_devices': '0'}
    assert program.gpus[0] == {**told, 'groups': [], 'variable': 'CUDA_VISIBLE_DEVICES'}
    reading = program.read('0')
    assert (reading['memory_used'], reading['memory_total'], reading['load']) == (1000, 40000, 0.29)
    unknown = program.read('1')
    assert (unknown['load'], unknown['load_exists']) == (None, True)


@pytest.mark.usefixtures('gputil')
def test_that_an_nvidia_smi_that_fails_is_an_error_and_not_no_gpu(nvml: FakeNvml, start: Start) -> None:
    nvml.set_driver(init=UNKNOWN_ERROR)
    error = start(nvml.smi_env()).opened['error']
    assert 'libnvidia-ml.so.1 cannot be loaded' in error
    assert 'did not return a list of GPUs' in error


@pytest.mark.usefixtures('gputil')
def test_that_gputil_without_any_gpu_is_an_error_since_it_hides_failures(nvml: FakeNvml, start: Start) -> None:
    nvml.set_driver(count=0)
    assert 'nvidia-smi lists no GPU' in start(nvml.smi_env()).opened['error']


NO_GPUTIL = 'import sys; sys.modules["GPUtil"] = None\n'
NO_DISTUTILS = 'raise ModuleNotFoundError("No module named \'distutils\'", name="distutils")\n'


@pytest.mark.parametrize(
    ('module', 'text', 'words'),
    [
        ('sitecustomize.py', NO_GPUTIL, ['pip install GPUtil setuptools']),
        ('GPUtil.py', NO_DISTUTILS, ['Python 3.12', 'pip install setuptools']),
    ],
)
def test_that_a_gputil_that_cannot_be_imported_is_told_with_the_way_to_install_it(
    nvml: FakeNvml, tmp_path: Path, module: str, text: str, words: list[str]
) -> None:
    (tmp_path / module).write_text(text)
    program = subprocess.run(
        [sys.executable, '-c', PROGRAM, '20'],
        env={**nvml.smi_env(), 'PYTHONPATH': f'{tmp_path}{os.pathsep}{Path(nvml_module.__file__).parents[2]}'},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    error = json.loads(program.stdout)['error']
    assert all(each in error for each in words)


class FakeGputil:
    """GPUtil whose answer is whatever ``answer`` does at the moment."""

    def __init__(self) -> None:
        self.calls = 0
        self.used = 0.0
        self.answer: Callable[[], list[Any]] = self.one_gpu

    def getGPUs(self) -> list[Any]:
        self.calls += 1
        return self.answer()

    def one_gpu(self) -> list[Any]:
        return [SimpleNamespace(id=0, uuid='GPU-1', name='A100', memoryTotal=40000.0, memoryUsed=self.used, load=0.5)]


def test_that_one_answer_of_nvidia_smi_serves_all_gpus_for_a_moment() -> None:
    fake = FakeGputil()
    source = GputilSource(fake, 'no NVML')
    first = source.read('0', 100.0)
    fake.used = 9.0
    assert source.read('0', 100.5) == first
    later = source.read('0', 106.0)
    assert (later.at, later.memory_used, fake.calls) == (106.0, 9, 3)


def test_that_a_call_that_hangs_is_told_and_no_second_one_is_started_beside_it() -> None:
    fake, go_on = FakeGputil(), threading.Event()
    source = GputilSource(fake, 'no NVML', timeout=0.05)

    def hang() -> list[Any]:
        go_on.wait(PATIENCE)
        return fake.one_gpu()

    fake.answer = hang
    assert source.read('0', 100.0).problem == 'nvidia-smi did not answer within 0.05 s'
    assert source.read('0', 200.0).problem == 'nvidia-smi did not answer within 0.05 s'
    assert fake.calls == 2
    fake.answer = fake.one_gpu
    go_on.set()
    moments = count(300.0, 100.0)
    until(lambda: source.read('0', next(moments)).problem == '')


def test_that_a_gpu_that_nvidia_smi_lists_no_more_has_a_problem() -> None:
    fake = FakeGputil()
    source = GputilSource(fake, 'no NVML')
    fake.answer = lambda: [SimpleNamespace(id=1, uuid='', name='', memoryTotal=1.0, memoryUsed=0.0, load=0.0)]
    assert source.read('0', 100.0).problem == 'nvidia-smi does not list it any more'
