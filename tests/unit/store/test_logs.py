from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.configuration import Configuration
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.store.attempt_files import LogTail, claim, has_unshown_logs, show_logs_in_output, tail
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder

RUN = Run('sim_1', 1, {}, ('python3', 'train.py'))


def test_that_logs_are_put_into_the_output_folder_and_replace_earlier_ones(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.jobs_dir.mkdir()
    for number in (1, 2):
        claim(folder, 'sim_1', number, 'w')
        Path(folder.attempt('sim_1', number).stdout).write_text(f'attempt {number}')
        Path(folder.attempt('sim_1', number).stderr).write_text('')
        show_logs_in_output(folder, 'sim_1', number, 'python3 train.py')
    assert (tmp_path / 'sim_1/job_sim_1.out').read_text() == 'attempt 2'
    assert (tmp_path / 'sim_1/hpsearch_command.sh').read_text() == '#!/bin/sh\npython3 train.py\n'
    assert not (tmp_path / 'sim_1/job_sim_1.out').is_symlink()


def test_that_the_tail_of_a_huge_log_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / 'log'
    with path.open('wb') as log:
        log.seek(1 << 32)
        log.write(b'the end')
    assert tail(str(path), limit=7) == 'the end'
    assert tail(str(tmp_path / 'nothing')) == ''


def test_that_what_is_no_file_has_no_tail(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    assert [tail(str(path)) for path in (tmp_path, tmp_path / 'pipe')] == ['', '']


def test_that_logs_are_not_put_where_the_next_attempt_expects_no_folder(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.jobs_dir.mkdir()
    claim(folder, 'sim_1', 1, 'w')
    claim(folder, 'sim_1', 2, 'w')
    show_logs_in_output(folder, 'sim_1', 1, 'python3 train.py')
    assert not folder.output('sim_1').exists()


def ended(*, finished: bool = True, code: int | None = 0, reason: str = '') -> Attempt:
    state = State.FINISHED if finished else State.FAILED
    return Attempt('sim_1', 1, state, code=code, reason=reason)


@pytest.mark.parametrize('out_arg', ['out_dir', None])
@pytest.mark.parametrize('content', [('', ''), ('x', ''), ('', 'x'), ('x', 'x')])
def test_that_empty_logs_of_a_finished_run_are_removed(
    tmp_path: Path, out_arg: str | None, content: tuple[str, str]
) -> None:
    folder, reader = with_logs(tmp_path, *content, out_arg=out_arg)
    paths, shown = folder.attempt('sim_1', 1), folder.output('sim_1')
    reader.show_logs(RUN, ended())
    assert [os.path.exists(paths.stdout), os.path.exists(paths.stderr)] == list(map(bool, content))
    assert not has_unshown_logs(folder, 'sim_1', 1) or out_arg is None
    assert [(shown / f'job_sim_1.{each}').exists() for each in ('out', 'err')] == [
        bool(text) and out_arg is not None for text in content
    ]
    assert (shown / 'hpsearch_command.sh').exists() is (out_arg is not None)


@pytest.mark.parametrize(
    'attempt', [ended(finished=False), ended(code=None), ended(reason='it left processes behind, which were stopped')]
)
def test_that_logs_are_kept_that_somebody_may_write_to_or_look_for(tmp_path: Path, attempt: Attempt) -> None:
    folder, reader = with_logs(tmp_path)
    reader.show_logs(RUN, attempt)
    assert os.path.exists(folder.attempt('sim_1', 1).stderr) and (folder.output('sim_1') / 'job_sim_1.err').exists()


def test_that_a_search_of_layout_1_keeps_its_empty_logs(tmp_path: Path) -> None:
    SearchFolder(tmp_path).write_info({'layout': 1})
    folder, reader = with_logs(tmp_path)
    reader.show_logs(RUN, ended())
    assert os.path.exists(folder.attempt('sim_1', 1).stderr), 'an earlier version takes its absence for no start'


def test_that_what_was_cut_off_before_the_empty_logs_were_gone_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, reader = with_logs(tmp_path, 'x')
    unlink = os.unlink

    def killed(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'unlink', killed)
    with pytest.raises(KeyboardInterrupt):
        reader.show_logs(RUN, ended())
    monkeypatch.setattr(os, 'unlink', unlink)
    assert has_unshown_logs(folder, 'sim_1', 1)
    reader.show_logs(RUN, ended())
    assert not has_unshown_logs(folder, 'sim_1', 1)


def with_logs(path: Path, out: str = '', err: str = '', **more: Any) -> tuple[SearchFolder, CompletionReader]:
    folder = SearchFolder(path)
    folder.jobs_dir.mkdir()
    claim(folder, 'sim_1', 1, 'w')
    Path(folder.attempt('sim_1', 1).stdout).write_text(out)
    Path(folder.attempt('sim_1', 1).stderr).write_text(err)
    configuration = Configuration(source='', sha256='', grid={}, script='train.py', **more)
    return folder, CompletionReader(folder, configuration)


def test_that_missing_logs_of_an_attempt_are_noticed_until_they_are_shown(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.jobs_dir.mkdir()
    claim(folder, 'sim_1', 1, 'w')
    assert not has_unshown_logs(folder, 'sim_1', 1), 'there are none'
    Path(folder.attempt('sim_1', 1).stderr).write_text('')
    assert has_unshown_logs(folder, 'sim_1', 1)
    show_logs_in_output(folder, 'sim_1', 1, 'python3 train.py')
    assert not has_unshown_logs(folder, 'sim_1', 1)


def test_that_a_running_log_is_shown_to_its_end_and_once(tmp_path: Path) -> None:
    log, shown = tmp_path / 'stdout.log', list[tuple[bytes, str]]()
    log.write_bytes(b'one ')
    following = LogTail({'stdout': str(log)}, lambda data, name: shown.append((data, name)))
    assert not following.pump()
    with log.open('ab') as out:
        out.write(b'x' * (3 << 20))
    assert following.pump()
    following.finish()
    assert b''.join(data for data, _ in shown) == b'one ' + b'x' * (3 << 20)
    assert {name for _, name in shown} == {'stdout'}
