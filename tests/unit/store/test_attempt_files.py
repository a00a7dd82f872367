"""The attempt script: its fence, its record, its signals; real shells, real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.host.processes import start_ticks
from hpsearch.model.resources import CUDA, ROCR
from hpsearch.store.attempt_files import (
    FENCED,
    LOCAL_SCRIPT,
    Fence,
    claim,
    close_fence,
    create_exclusively,
    environment,
    exit_code,
    log_files,
    move_output_aside,
    read_fence,
    read_line,
)
from hpsearch.store.folder import AttemptPaths, SearchFolder
from tests.support.harness import new_folder, until

SHELLS = [shell for shell in ('dash', 'bash', 'busybox', 'ksh', 'sh') if shutil.which(shell)]


@pytest.fixture
def paths(tmp_path: Path) -> AttemptPaths:
    files = tmp_path / 'files'
    files.mkdir()
    return AttemptPaths(str(files))


def script(paths: AttemptPaths, *command: str, ident: str = 'me', cwd: str = '/', shell: str = 'sh') -> list[str]:
    start = ['busybox', 'sh'] if shell == 'busybox' else [shell]
    return [*start, '-c', LOCAL_SCRIPT, 'hpsearch', paths.folder, ident, cwd, *command]


# ``²`` is a digit for Python, and no number; a number may have more digits than Python reads.
NO_NUMBERS = ('²', '1²', '٣', '-1', '+1', '1 2', '1.0', '1_0', 'x', '9' * 5000, '\x00')


@pytest.mark.parametrize('text', NO_NUMBERS)
def test_that_what_is_no_number_is_neither_an_exit_status_nor_a_process(paths: AttemptPaths, text: str) -> None:
    Path(paths.exit).write_text(f'{text}\n')
    Path(paths.started).write_text(f'me {text}\n')
    assert exit_code(paths) is None
    assert read_fence(paths) == Fence('me')


@pytest.mark.parametrize('pid', ['0', '1'])
def test_that_nobody_is_everybody(paths: AttemptPaths, pid: str) -> None:
    Path(paths.started).write_text(f'me {pid}\n')
    assert read_fence(paths).pid == 0


@pytest.mark.parametrize('name', NO_NUMBERS)
def test_that_a_folder_that_is_no_attempt_is_passed_over(tmp_path: Path, name: str) -> None:
    folder = SearchFolder(tmp_path)
    folder.write_info({})
    folder.jobs_dir.mkdir()
    claim(folder, 'sim_1', 2, 'w')
    if '\x00' not in name and len(name) < 200:
        os.mkdir(f'{folder.attempts("sim_1")}/{name}')
    Path(folder.attempt('sim_1', 2).stderr).touch()
    assert log_files(folder, 'sim_1', 0) == [folder.attempt('sim_1', 2).stderr]


@pytest.mark.parametrize('deleted', ['search', 'search/jobs/sim_1', 'search/jobs/sim_1/2'])
def test_that_sh_does_not_wait_for_a_folder_that_was_deleted(tmp_path: Path, deleted: str) -> None:
    paths, naps = SearchFolder(tmp_path / 'search').attempt('sim_1', 2), tmp_path / 'naps'
    os.makedirs(paths.folder)
    (tmp_path / 'bin').mkdir()
    sleep = tmp_path / 'bin' / 'sleep'
    sleep.write_text(f'#!/bin/sh\necho "$1" >> {naps}\n')
    sleep.chmod(0o755)
    variables = {**os.environ, 'PATH': f'{sleep.parent}:{os.environ["PATH"]}'}
    deletes = script(paths, 'rm', '-r', str(tmp_path / deleted), shell=next(iter(SHELLS)))
    ended = subprocess.run(deletes, env=variables, check=False, timeout=60)
    assert ended.returncode == 0
    assert len(naps.read_text().split()) == 2 and not (tmp_path / deleted).exists()


@pytest.mark.parametrize('shell', SHELLS)
@pytest.mark.parametrize('code', [0, 1, 3, 255])
def test_that_the_record_holds_the_status_in_every_shell(paths: AttemptPaths, shell: str, code: int) -> None:
    ended = subprocess.run(script(paths, 'sh', '-c', f'exit {code}', shell=shell), check=False)
    assert ended.returncode == code
    assert exit_code(paths) == code
    assert Path(paths.exit).read_text() == f'{code}\n'


def test_that_a_command_which_is_not_there_ends_with_127(paths: AttemptPaths) -> None:
    subprocess.run(script(paths, '/nowhere/train'), check=False, stderr=subprocess.DEVNULL)
    assert exit_code(paths) == 127


def test_that_a_missing_working_directory_is_a_status_and_not_a_start_elsewhere(paths: AttemptPaths) -> None:
    subprocess.run(
        script(paths, 'touch', f'{paths.folder}/ran', cwd='/nowhere'), check=False, stderr=subprocess.DEVNULL
    )
    assert exit_code(paths) == 126
    assert not Path(paths.folder, 'ran').exists()


def test_that_a_signal_is_told_as_128_and_its_number(paths: AttemptPaths) -> None:
    subprocess.run(script(paths, 'sh', '-c', 'kill -9 $$'), check=False)
    assert exit_code(paths) == 137


@pytest.mark.parametrize('shell', SHELLS)
def test_that_the_fence_lets_nobody_pass_a_second_time(paths: AttemptPaths, shell: str) -> None:
    Path(paths.started).write_text('somebody-else 1 (sh)\n')
    ended = subprocess.run(script(paths, 'touch', f'{paths.folder}/ran', shell=shell), check=False)
    assert ended.returncode == FENCED
    assert not Path(paths.folder, 'ran').exists()
    assert not Path(paths.exit).exists()


def test_that_of_many_starts_of_one_attempt_exactly_one_runs(paths: AttemptPaths) -> None:
    command = ('sh', '-c', f'echo ran >> {paths.folder}/ran')
    many = [subprocess.Popen(script(paths, *command, ident=f'w{n}')) for n in range(12)]
    codes = sorted(one.wait() for one in many)
    assert Path(paths.folder, 'ran').read_text() == 'ran\n'
    assert codes == [0] + [FENCED] * 11


def test_that_started_tells_the_process(paths: AttemptPaths) -> None:
    with subprocess.Popen(script(paths, 'sleep', '60'), start_new_session=True) as sh:
        _wait_for(paths.started)
        assert read_fence(paths) == Fence('me', sh.pid, start_ticks(sh.pid))
        os.killpg(sh.pid, signal.SIGKILL)


def test_that_term_to_the_group_reaches_the_command_and_the_record_is_written(paths: AttemptPaths) -> None:
    with subprocess.Popen(script(paths, 'sleep', '60'), start_new_session=True) as sh:
        _wait_for(paths.started)
        time.sleep(0.1)  # let sh fork its command
        os.killpg(sh.pid, signal.SIGTERM)
        sh.wait(10)
    assert exit_code(paths) == 143


def test_that_a_script_can_end_in_its_own_way_after_term(paths: AttemptPaths) -> None:
    code = "trap 'exit 7' TERM; touch ready; while :; do sleep 0.05; done"
    with subprocess.Popen(script(paths, 'sh', '-c', code, cwd=paths.folder), start_new_session=True) as sh:
        _wait_for(f'{paths.folder}/ready')
        os.killpg(sh.pid, signal.SIGTERM)
        sh.wait(10)
    assert exit_code(paths) == 7


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])), max_size=4))
def test_that_words_reach_the_command_as_they_are(tmp_path: Path, words: list[str]) -> None:
    files = tmp_path / f'{len(list(tmp_path.iterdir()))}'
    files.mkdir()
    show = 'import sys; sys.stdout.buffer.write("\\0".join(sys.argv[1:]).encode("utf-8", "surrogateescape"))'
    started = subprocess.run(
        script(AttemptPaths(str(files)), sys.executable, '-c', show, *words), capture_output=True, check=True
    )
    assert started.stdout == '\0'.join(words).encode()


def test_that_a_record_without_its_newline_is_no_record(paths: AttemptPaths) -> None:
    Path(paths.exit).write_text('0')
    assert exit_code(paths) is None
    Path(paths.exit).write_text('')
    assert exit_code(paths) is None


def test_that_a_file_is_created_by_one_only(tmp_path: Path) -> None:
    assert create_exclusively(str(tmp_path / 'claim'), 'a')
    assert not create_exclusively(str(tmp_path / 'claim'), 'b')
    assert create_exclusively(str(tmp_path / 'claim'), 'a'), 'its own winner may be told that it exists'


def test_that_a_claim_is_taken_once(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.jobs_dir.mkdir()
    assert claim(folder, 'sim_1', 1, 'a')
    assert not claim(folder, 'sim_1', 1, 'b')
    assert claim(folder, 'sim_1', 2, 'b')


def test_that_gpus_are_assigned_only_where_a_slot_says_so(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    assert 'CUDA_VISIBLE_DEVICES' not in environment(folder, 'sim_1', 1, None)
    given_gpu = environment(folder, 'sim_1', 1, '3')
    assert (given_gpu['CUDA_VISIBLE_DEVICES'], given_gpu['CUDA_DEVICE_ORDER']) == ('3', 'PCI_BUS_ID')


def test_that_an_attempt_on_gpus_of_amd_sees_only_those_whatever_is_inherited(tmp_path: Path) -> None:
    found = environment(SearchFolder(tmp_path), 'sim_1', 1, 'GPU-1,GPU-7', ROCR)
    told = {name: found[name] for name in (ROCR, 'HIP_VISIBLE_DEVICES', CUDA)}
    assert told == {ROCR: 'GPU-1,GPU-7', 'HIP_VISIBLE_DEVICES': '0,1', CUDA: '0,1'}


def _wait_for(path: str) -> None:
    until(lambda: os.path.exists(path) and (read_line(path) or not path.endswith('started')))


def test_that_a_fence_is_closed_for_everybody_and_not_after_a_start(paths: AttemptPaths) -> None:
    assert close_fence(paths, 'a')
    assert close_fence(paths, 'b'), 'it is closed, by whomever'
    assert subprocess.run(script(paths, 'true'), check=False).returncode == FENCED
    Path(paths.started).unlink()
    subprocess.run(script(paths, 'true'), check=False)
    assert not close_fence(paths, 'a')


def test_that_a_fence_of_an_earlier_version_tells_no_start_time(paths: AttemptPaths) -> None:
    Path(paths.started).write_text('me 77\n')
    assert read_fence(paths) == Fence('me', 77)


@pytest.mark.parametrize('fence', ['other:closed', 'me:sim_1:2 77 5'])
def test_that_a_writer_that_was_asleep_moves_no_folder_of_a_later_attempt(tmp_path: Path, fence: str) -> None:
    search = new_folder(tmp_path / 'search')
    assert claim(search, 'sim_1', 2, 'me')
    search.output('sim_1').mkdir()
    Path(search.attempt('sim_1', 2).started).write_text(f'{fence}\n')
    move_output_aside(search, 'sim_1', 2)
    assert search.output('sim_1').exists()
