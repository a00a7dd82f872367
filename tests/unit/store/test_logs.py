from __future__ import annotations

from pathlib import Path

from hpsearch.store.attempt_files import LogTail, claim, has_unshown_logs, show_logs_in_output, tail
from hpsearch.store.folder import SearchFolder


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


def test_that_logs_are_not_put_where_the_next_attempt_expects_no_folder(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.jobs_dir.mkdir()
    claim(folder, 'sim_1', 1, 'w')
    claim(folder, 'sim_1', 2, 'w')
    show_logs_in_output(folder, 'sim_1', 1, 'python3 train.py')
    assert not folder.output('sim_1').exists()


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
