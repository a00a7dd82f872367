from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.host.machine.cgroups import Cgroups, MemoryLimit

GIB = 1 << 30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace('__', '.')).write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / 'proc' / 'self').mkdir(parents=True)
    return tmp_path / 'proc'


def groups(proc: Path, membership: str) -> Cgroups:
    (proc / 'self' / 'cgroup').write_text(membership)
    return Cgroups(proc, proc.parent / 'cgroup')


def test_the_limits_of_a_job_in_version_2(proc: Path, tmp_path: Path) -> None:
    job = tmp_path / 'cgroup' / 'slurm' / 'job_7'
    write(job.parent, memory__max='max\n', cpu__max='max 100000\n')
    stat = f'anon 5\ninactive_file {GIB}\n'
    write(job, memory__max=f'{8 * GIB}\n', memory__current=f'{3 * GIB}\n', memory__stat=stat)
    write(job, cpu__max='250000 100000\n', cpu__stat='usage_usec 4000000\nuser_usec 1\n')
    own = groups(proc, '0::/slurm/job_7\n')
    assert own.memory() == MemoryLimit(8192, 2048)
    cores = own.cores()
    assert cores is not None
    assert (cores.cores, cores.seconds_used()) == (2.5, 4.0)


def test_the_limits_of_a_job_in_version_1(proc: Path, tmp_path: Path) -> None:
    top = tmp_path / 'cgroup'
    write(top / 'memory', memory__limit_in_bytes=f'{(1 << 63) - 4096}\n', memory__usage_in_bytes='5\n')
    write(top / 'memory' / 'job', memory__limit_in_bytes=f'{2 * GIB}\n', memory__usage_in_bytes=f'{GIB}\n')
    write(top / 'cpu' / 'job', cpu__cfs_quota_us='400000\n', cpu__cfs_period_us='100000\n', cpuacct__usage='7000000000')
    own = groups(proc, '4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n')
    assert own.memory() == MemoryLimit(2048, 1024)
    cores = own.cores()
    assert cores is not None
    assert (cores.cores, cores.seconds_used()) == (4.0, 7.0)


def test_that_the_limit_with_the_least_room_on_the_way_to_the_root_counts(proc: Path, tmp_path: Path) -> None:
    outer = tmp_path / 'cgroup' / 'user'
    write(outer, memory__max=f'{4 * GIB}', memory__current=f'{3 * GIB}')
    write(outer / 'job', memory__max=f'{8 * GIB}', memory__current='0')
    assert groups(proc, '0::/user/job\n').memory() == MemoryLimit(4096, 3072)


def test_that_in_a_container_the_root_is_the_group(proc: Path, tmp_path: Path) -> None:
    write(tmp_path / 'cgroup', memory__max=f'{GIB}', memory__current='0', cpu__max='100000 100000')
    own = groups(proc, '0::/docker/8f2\n')
    assert own.memory() == MemoryLimit(1024, 0)
    cores = own.cores()
    assert cores is not None
    assert cores.cores == 1.0


@pytest.mark.parametrize('membership', ['', '0::/\n', '4:memory:/../other\n', 'nonsense'])
def test_that_without_limits_there_are_none(proc: Path, tmp_path: Path, membership: str) -> None:
    write(tmp_path / 'cgroup', memory__max='max\n', cpu__max='max 100000\n')
    own = groups(proc, membership)
    assert own.memory() is None
    assert own.cores() is None
