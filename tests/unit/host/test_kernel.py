from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.host.kernel import OWN_WORDS, command_limits, kernel_oom_kills, path_of


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


def test_that_commands_of_the_greatest_length_can_be_started_and_longer_ones_not() -> None:
    limits = command_limits(os.environb)
    if sys.platform.startswith('linux'):
        assert subprocess.call(['true', 'x' * limits.word]) == 0
        with pytest.raises(OSError, match='too long') as word:
            subprocess.call(['true', 'x' * (limits.word + 1)])
        assert word.value.errno == errno.E2BIG
    piece = 'x' * 9_991  # 10,000 bytes with what belongs to it
    count = limits.total // 10_000 - 1
    assert subprocess.call(['true', *[piece] * count]) == 0
    with pytest.raises(OSError, match='too long') as total:
        subprocess.call(['true', *[piece] * (count + 3 + OWN_WORDS // 10_000)])
    assert total.value.errno == errno.E2BIG


def test_that_variables_leave_less_room_for_a_command() -> None:
    assert command_limits({}).total - command_limits({b'AB': b'x' * 990}).total == 1002


# Open files


def test_that_an_open_file_is_followed_when_a_folder_above_it_is_moved(tmp_path: Path) -> None:
    (tmp_path / 'a' / 'b').mkdir(parents=True)
    with open(tmp_path / 'a' / 'b' / 'file', 'w') as file:
        assert path_of(file.fileno()) == str(tmp_path / 'a' / 'b' / 'file')
        (tmp_path / 'a').rename(tmp_path / 'c')
        assert path_of(file.fileno()) == str(tmp_path / 'c' / 'b' / 'file')
        (tmp_path / 'c' / 'b' / 'file').unlink()
        assert path_of(file.fileno()) == ''
        (tmp_path / 'c' / 'b' / 'file').touch()
        assert path_of(file.fileno()) == '', 'another file has its name'
    assert path_of(-1) == ''
