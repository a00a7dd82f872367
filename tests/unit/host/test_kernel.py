from __future__ import annotations

from pathlib import Path

from hpsearch.host.kernel import kernel_oom_kills


def kernel(tmp_path: Path, vmstat: str, groups: str = '', events: str = '') -> int | None:
    proc, cgroups = tmp_path / 'proc', tmp_path / 'cgroup'
    (proc / 'self').mkdir(parents=True)
    (cgroups / 'a' / 'b').mkdir(parents=True)
    (proc / 'vmstat').write_text(vmstat)
    (proc / 'self' / 'cgroup').write_text(groups)
    (cgroups / 'a' / 'b' / 'memory.events').write_text(events)
    return kernel_oom_kills(proc, cgroups)


def test_that_the_count_of_the_machine_comes_first(tmp_path: Path) -> None:
    assert kernel(tmp_path, 'pgfault 7\noom_kill 5\n', '0::/a/b\n', 'oom 9\noom_kill 2\n') == 5


def test_that_the_count_of_the_control_group_stands_in(tmp_path: Path) -> None:
    assert kernel(tmp_path, 'pgfault 7\n', '4:memory:/x\n0::/a/b\n', 'oom 9\noom_kill 2\noom_group_kill 1\n') == 2


def test_that_no_count_is_not_a_count_of_zero(tmp_path: Path) -> None:
    assert kernel(tmp_path, 'pgfault 7\n', '4:memory:/x\n') is None
    assert kernel_oom_kills(tmp_path / 'nothing', tmp_path / 'nothing') is None
