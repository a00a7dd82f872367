"""GPUs of AMD, as a stand-in for amdsmi tells them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.host.gpu.amd import AmdSource, NoAmdSmi, open_amd
from hpsearch.host.gpu.source import why_none
from hpsearch.model.errors import BackendError
from hpsearch.model.placement import choose_visible, inherited_choice
from hpsearch.model.resources import CUDA, ROCR, Gpu, GpuProcess, Reading
from tests.fakes.amd import HERE, FakeAmd


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAmd]:
    """Two GPUs."""
    fake = FakeAmd(tmp_path, gpus=2)
    for name, value in fake.env({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(HERE))
    yield fake
    sys.modules.pop('amdsmi', None)


def opened() -> AmdSource:
    source = open_amd()
    assert source is not None
    return source


def test_that_gpus_have_what_rocm_knows_them_by(fake: FakeAmd) -> None:
    assert opened().gpus[1] == Gpu('1', 'GPU-0000000000000001', 'AMD Fake', 'GPU-0000000000000001', variable=ROCR)


@pytest.mark.parametrize(
    ('serial', 'visible'), [('0x2B4C', 'GPU-0000000000002b4c'), ('N/A', '1'), ('0x0', '1'), ('', '1')]
)
def test_that_an_older_version_knows_them_by_their_serial_number(fake: FakeAmd, serial: str, visible: str) -> None:
    fake.set(1, hip_uuid=None, asic_serial=serial)
    assert opened().gpus[1].visible_devices == visible


@pytest.mark.parametrize('old', [False, True])
def test_that_a_reading_has_memory_load_and_processes(fake: FakeAmd, old: bool) -> None:
    fake.set_module(old=old)
    fake.set(0, used=3000, load=42, processes=[[7, 1000], [8, None]])
    processes = (GpuProcess(7, 1000), GpuProcess(8, None))
    assert opened().read('0', 5.0) == Reading(5.0, 3000, 65536, 0.42, processes=processes)


def test_that_a_load_that_is_not_told_does_not_exist(fake: FakeAmd) -> None:
    fake.set(0, load='N/A')
    reading = opened().read('0', 5.0)
    assert (reading.load, reading.load_exists) == (None, False)


def test_that_a_gpu_that_does_not_answer_has_a_problem_and_the_other_is_read(fake: FakeAmd) -> None:
    source = opened()
    fake.set(0, error='device is busy')
    assert source.read('0', 5.0).problem == "amdsmi says 'device is busy'"
    assert not source.read('1', 5.0).problem


def test_that_no_gpu_is_none(fake: FakeAmd) -> None:
    fake.set_module(gpus=[])
    assert open_amd() is None


def test_that_a_driver_that_is_not_there_is_told(fake: FakeAmd) -> None:
    fake.set_module(init='driver not loaded')
    with pytest.raises(NoAmdSmi, match='driver not loaded'):
        open_amd()


def test_that_gpus_that_cannot_be_listed_are_an_error(fake: FakeAmd) -> None:
    fake.set(1, error='out of order')
    with pytest.raises(BackendError, match='out of order'):
        open_amd()


def test_that_a_module_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'amdsmi', None)
    importlib.invalidate_caches()
    with pytest.raises(NoAmdSmi, match='cannot be imported'):
        open_amd()


@pytest.mark.parametrize(
    ('environ', 'names', 'variable'),
    [
        ({}, '01', ROCR),
        ({CUDA: '1'}, '1', CUDA),
        ({CUDA: '1', 'HIP_VISIBLE_DEVICES': '0'}, '0', 'HIP_VISIBLE_DEVICES'),
        ({ROCR: 'GPU-0000000000000001', 'HIP_VISIBLE_DEVICES': '0'}, '1', ROCR),
    ],
)
def test_that_what_the_environment_allows_is_read_as_rocm_does(
    fake: FakeAmd, environ: dict[str, str], names: str, variable: str
) -> None:
    gpus = opened().gpus
    chosen, hidden = choose_visible(gpus, '', *inherited_choice(gpus, environ))
    assert ''.join(gpu.name for gpu in chosen) == names
    assert all(f'{variable}=' in why for why in hidden.values())


@pytest.mark.parametrize(
    ('cards', 'why'),
    [
        ([], 'There is no GPU on this machine'),
        ([('0x1002', '0x030000')], 'The GPU of AMD on this machine cannot be read'),
        ([('0x8086', '0x038000')], 'GPUs of Intel, as on this machine, are not supported'),
        ([('0x8086', '0x030000')], 'There is no GPU on this machine'),
        ([('0x1002', '0x020000')], 'There is no GPU on this machine'),
    ],
)
def test_that_it_is_told_which_gpus_are_not_used(tmp_path: Path, cards: list[tuple[str, str]], why: str) -> None:
    for number, (vendor, kind) in enumerate(cards):
        device = tmp_path / str(number)
        device.mkdir()
        (device / 'vendor').write_text(f'{vendor}\n')
        (device / 'class').write_text(f'{kind}\n')
    assert why_none(tmp_path).startswith(why)
