"""Several searches on one box of stand-in GPUs, whose memory and load are those of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hpsearch.store.folder import SearchFolder
from tests.fakes.nvml.box import FakeBox
from tests.support.cli_harness import Project
from tests.support.gates import finish
from tests.support.harness import until
from tests.support.paths import REPOSITORY
from tests.support.users import NOBODY, as_another_user

QUICK = ('--sim_startup_time=0', '--window=0', '--allowed_memory=0.02', '--quiet')
"""One run per GPU, and nobody else there."""


class Boxed(Project):
    """A project whose runs train on a box.

    Args:
        path: Where it is made.
        box: The box.
        count: Number of runs.
        formulas: What each of them uses; see :func:`tests.fakes.nvml.training.train`.
    """

    def __init__(self, path: Path, box: FakeBox, count: int, **formulas: str) -> None:
        super().__init__(path)
        self._box = box
        box.write_script(path / 'train.py', **formulas)
        self.configure({'n': list(range(count))})
        self.env.update(box.env())
        self.env['PATH'] = f'{Path(self.command()[0]).parent}{os.pathsep}{self.env["PATH"]}'
        self.env['PYTHONPATH'] = str(REPOSITORY)
        self.started: list[subprocess.Popen[str]] = []

    def begin(self, *words: str) -> subprocess.Popen[str]:
        self.started.append(self.start('--deterministic_search', *words))
        return self.started[-1]

    @property
    def training(self) -> int:
        """How many of its runs use GPUs now."""
        return sum(_folder_of(use.pid) == self.path for use in self._box.cards.uses())

    def clean(self) -> None:
        for search in self.started:
            search.kill()
            search.communicate()
        for use in self._box.cards.uses():
            if _folder_of(use.pid) == self.path:
                os.kill(use.pid, signal.SIGKILL)


def _folder_of(pid: int) -> Path | None:
    with suppress(OSError):
        return Path(os.readlink(f'/proc/{pid}/cwd'))
    return None


@pytest.fixture
def projects() -> Iterator[list[Boxed]]:
    """Projects whose processes are gone at the end."""
    made: list[Boxed] = []
    yield made
    for project in made:
        project.clean()


def made(projects: list[Boxed], path: Path, box: FakeBox, count: int, **formulas: str) -> Boxed:
    projects.append(Boxed(path, box, count, **formulas))
    return projects[-1]


def shares(projects: Sequence[Boxed], seconds: float) -> list[float]:
    """What part each of them has of all GPUs that they use, over some time."""
    counts, end = [0] * len(projects), time.monotonic() + seconds
    while time.monotonic() < end:
        counts = [count + project.training for count, project in zip(counts, projects, strict=True)]
        time.sleep(0.05)
    return [count / max(1, sum(counts)) for count in counts]


def test_that_two_searches_that_pack_the_same_gpu_never_overfill_it(tmp_path: Path, projects: list[Boxed]) -> None:
    box = FakeBox(tmp_path / 'nvml', sizes=[24000])
    needs = {'memory': '6000 + 100 * n', 'load': '0.1', 'seconds': '0.6', 'startup': '0.6'}
    one, other = (made(projects, tmp_path / name, box, 6, **needs) for name in ('one', 'other'))
    searches = [project.begin('--packing=auto', '--window=1') for project in (one, other)]
    for search in searches:
        finish(search, patience=120)
    assert box.out_of_memory() == 0
    assert box.peaks()['0'] <= 24000
    assert len(one.rows()) == len(other.rows()) == 6


def test_that_the_searches_of_two_users_never_overfill_a_gpu(tmp_path: Path, projects: list[Boxed]) -> None:
    box = FakeBox(tmp_path / 'nvml', sizes=[24000])
    needs = {'memory': '9000', 'load': '0.1', 'seconds': '0.6', 'startup': '0.6'}
    ours, theirs = (made(projects, tmp_path / name, box, 4, **needs) for name in ('ours', 'theirs'))
    words = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--packing=auto', '--window=1']
    command = as_another_user(*theirs.command(*words))
    os.chown(theirs.path, NOBODY, NOBODY)
    for path in (box.folder, *box.folder.iterdir()):
        path.chmod(0o777)
    search = ours.begin('--packing=auto', '--window=1')
    pipes: dict[str, Any] = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    second = subprocess.Popen(command, cwd=theirs.path, env=theirs.env, **pipes)
    until((box.folder / 'lock').exists)
    (box.folder / 'lock').chmod(0o777)
    for each in (search, second):
        finish(each, patience=120)
    assert box.out_of_memory() == 0
    assert box.peaks()['0'] <= 24000


def test_that_gpus_are_shared_by_priority(tmp_path: Path, projects: list[Boxed]) -> None:
    box = FakeBox(tmp_path / 'nvml', sizes=[24000] * 4)
    needs = {'memory': '1000', 'seconds': '1.5', 'startup': '0.1'}
    one, other = (made(projects, tmp_path / name, box, 200, **needs) for name in ('one', 'other'))
    one.begin('--priority=3', *QUICK)
    until(lambda: one.training == 4)
    other.begin(*QUICK)
    until(lambda: other.training)
    shares([one, other], 6.0)
    assert shares([one, other], 12.0) == pytest.approx([0.75, 0.25], abs=0.13)


def test_that_a_search_that_holds_more_than_its_share_says_what_it_waits_for(
    tmp_path: Path, projects: list[Boxed]
) -> None:
    box = FakeBox(tmp_path / 'nvml', sizes=[24000] * 2)
    one, other = (made(projects, tmp_path / name, box, 200, seconds='600', startup='0') for name in ('one', 'other'))
    one.begin(*QUICK)
    until(lambda: one.training == 2)
    other.begin(*QUICK, '--window=12')
    until(lambda: _told(other, 'waiting: GPU 0'))
    name = next(SearchFolder(one.out).read_runs()).name
    assert one.run('cancel', 'out', name).returncode == 0
    told = until(lambda: _told(one, 'left to your search'))
    assert f'left to your search {other.out}, which waits and holds 0 of its share of 1 (--priority)' in told
    until(lambda: other.training == 1)
    assert one.training == 1


def test_that_a_search_that_was_killed_leaves_its_share_to_others(tmp_path: Path, projects: list[Boxed]) -> None:
    box = FakeBox(tmp_path / 'nvml', sizes=[24000] * 2)
    one, other = (made(projects, tmp_path / name, box, 200, seconds='1.5', startup='0.1') for name in ('one', 'other'))
    killed = one.begin(*QUICK)
    until(lambda: one.training == 2)
    other.begin(*QUICK)
    until(lambda: other.training == 1)
    killed.kill()
    until(lambda: other.training == 2)


def _told(project: Project, text: str) -> str:
    shown = project.run('status', 'out').stdout
    return ' '.join(shown.split()) if text in ' '.join(shown.split()) else ''
