"""Going on with a search after whatever ended it, as a user does: real commands, real processes, real folders."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from hpsearch.cli.options import merged_options
from hpsearch.cli.parsers.resuming import parse_resume
from hpsearch.store.attempt_files import read_fence
from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project
from tests.support.gates import Gated, finish, gated, kill, stop_between_two_steps
from tests.support.harness import until
from tests.support.postprocessing import postprocess

HANDLE = """
def _SUMMARY_PARSER_HANDLE(out_dir, cmd_ident):
    return {'acc': ['0.5'], 'finished': ['1']}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Gated]:
    with gated(tmp_path / 'project') as made:
        yield made


def resume(project: Gated, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Resume to the end, the gates as they are."""
    return finish(project.drive({}, 'resume', 'out', *words), codes)


# What survives the dispatcher


def test_that_what_still_runs_is_adopted_and_not_started_again(project: Gated) -> None:
    kill(project.begin(2))
    before = project.living()
    resumed = project.drive({}, 'resume', 'out')
    until(lambda: len(project.told('adopted')) == 2)
    assert project.living() == before
    assert len(before) == 2
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()
    assert [row['hpsearch_reason'] for row in project.rows()] == [''] * 3


def test_that_what_ended_meanwhile_is_taken_in_with_its_end(project: Gated) -> None:
    project.then('[ $n = 2 ] && exit 3')
    search = project.search_in_order('--cpu_jobs=1')
    project.wait_for_begun(1)
    kill(search)
    project.open('1')
    until((project.job('1', 1) / 'exit').exists)
    project.open()
    resume(project, codes=(1,))
    assert project.ends() == {'1': [('finished', 'exit')], '2': [('failed', 'exit')], '3': [('finished', 'exit')]}
    assert project.begun() == [('1', '1'), ('3', '1')]
    assert project.histories()['1'].attempts[0].code == 0
    assert project.told('adopted') == []


def test_that_a_failure_that_nobody_saw_keeps_its_status(project: Gated) -> None:
    project.then('until [ -e go.1 ]; do sleep 0.02; done; [ $n = 1 ] && exit 3')
    search = project.search_in_order('--cpu_jobs=1')
    until(lambda: project.told('running'))
    kill(search)
    project.open()
    project.open('1')
    until((project.job('1', 1) / 'exit').exists)
    resume(project, codes=(1,))
    (row,) = [row for row in project.rows() if row['n'] == '1']
    assert (row['hpsearch_state'], row['hpsearch_reason']) == ('failed', 'exit status 3')


def test_that_a_finished_run_is_never_run_again(project: Gated) -> None:
    project.open()
    finish(project.search_in_order('--cpu_jobs=2'))
    table = (project.out / 'search_results.csv').read_text()
    begun = project.begun()
    resume(project, '--retry_failed')
    assert project.begun() == begun
    assert (project.out / 'search_results.csv').read_text() == table


def test_that_withdrawn_runs_are_neither_counted_nor_in_the_table(project: Gated) -> None:
    project.then('[ $n != 1 ] && exit 3')
    project.open()
    finish(project.search_in_order('--cpu_jobs=1'), (1,))
    assert project.table_states() == {'1': 'finished', '2': 'failed', '3': 'failed'}
    project.numbers = ['1', '4']
    project.write_config()
    (project.path / 'then.sh').unlink()
    printed = resume(project, '--extend')
    assert '1 run added, 2 withdrawn' in printed
    assert '2 finished of 2 runs' in printed
    assert project.table_states() == {'1': 'finished', '4': 'finished'}
    assert '2 of 2 done' in finish(project.drive({}, 'status', 'out'))


def test_that_a_run_which_finished_unseen_is_not_withdrawn(project: Gated) -> None:
    kill(project.begin(2))
    project.open('1')
    until((project.job('1', 1) / 'exit').exists)
    project.kill_runs()
    project.open()
    project.numbers = ['4']
    project.write_config()
    printed = resume(project, '--extend')
    assert '1 run added, 2 withdrawn' in printed
    assert project.table_states() == {'1': 'finished', '4': 'finished'}


def test_that_the_table_is_the_one_of_an_undisturbed_search(project: Gated, tmp_path: Path) -> None:
    kill(project.begin(2))
    project.open('1')
    second = project.drive({}, 'resume', 'out')
    project.wait_for_begun(3)
    kill(second)
    project.open()
    resume(project)
    with gated(tmp_path / 'other') as other:
        other.open()
        finish(other.search_in_order('--cpu_jobs=2'))
        assert [without_what_differs(row) for row in project.rows()] == [
            without_what_differs(row) for row in other.rows()
        ]
        assert list(project.rows()[0]) == list(other.rows()[0])
    assert sorted(project.begun()) == project.once()


def without_what_differs(row: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name not in ('hpsearch_seconds', 'hpsearch_run', 'out_dir')}


def test_that_the_logs_of_a_run_that_ended_meanwhile_are_in_its_output_folder(project: Gated) -> None:
    kill(project.begin(2))
    project.open()
    until(lambda: not project.living())
    resume(project)
    for number in project.numbers:
        name = project.run_name(number)
        assert (project.out / name / f'job_{name}.out').read_text() == f'training {number}, attempt 1\n'


def test_that_a_command_whose_shell_was_killed_is_not_started_beside_itself(project: Gated) -> None:
    kill(project.begin(1))
    (pid,) = project.living()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not project.living())
    resumed = project.drive({}, 'resume', 'out')
    time.sleep(0.5)
    project.open()
    finish(resumed)
    assert sorted(project.begun()) == project.once()
    assert project.notes('done.txt') == project.once()


def test_that_a_reused_pid_is_not_mistaken_for_an_attempt(project: Gated) -> None:
    kill(project.begin(1))
    (event,) = project.told('running')
    project.kill_runs()
    project.open()
    with subprocess.Popen(['sleep', '60'], start_new_session=True) as other:
        pid = event['handle']['pid']
        project.edit_journal(f'"pid":{pid}', f'"pid":{other.pid}')
        started = project.job('1', 1) / 'started'
        started.write_text(started.read_text().replace(f' {pid} ', f' {other.pid} '))
        assert read_fence(SearchFolder(project.out).attempt(project.run_name('1'), 1)).pid == other.pid
        resume(project)
        assert other.poll() is None, 'a process of somebody else was stopped'
        other.kill()
    assert project.told('adopted') == []
    assert project.ends()['1'] == [('lost', 'lost'), ('finished', 'exit')]


# What ends runs together with the dispatcher


def test_that_what_ctrl_c_interrupted_is_run_again_without_its_old_output(project: Gated) -> None:
    search = project.begin(2)
    search.send_signal(signal.SIGINT)
    finish(search, (130,))
    project.open()
    resume(project)
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('2', '2'), ('3', '1')]
    assert project.notes('found.txt') == [], 'the second attempt found the output folder of the first'
    for number in ('1', '2'):
        name = project.run_name(number)
        assert (project.job(number, 1) / 'stdout.log').read_text() == f'training {number}, attempt 1\n'
        assert (project.out / f'{name}.attempt1' / f'job_{name}.out').exists()
        assert (project.out / name / f'job_{name}.out').read_text() == f'training {number}, attempt 2\n'
    assert project.table_states() == project.all_finished()


def test_that_interruptions_do_not_count(project: Gated) -> None:
    search = project.begin(1, '--max_attempts=1')
    for _ in range(2):
        search.send_signal(signal.SIGINT)
        finish(search, (130,))
        begun = len(project.begun())
        search = project.drive({}, 'resume', 'out')
        project.wait_for_begun(begun + 1)
    project.open()
    finish(search)
    assert project.ends()['1'] == [('interrupted', 'stop'), ('interrupted', 'stop'), ('finished', 'exit')]


def test_that_what_a_reboot_ended_is_interrupted_and_run_again(project: Gated) -> None:
    kill(project.begin(2, '--max_attempts=1'))
    header = project.header()
    if not header['machine'] or not header['boot']:
        pytest.skip('this system does not tell machines and boots apart')
    project.kill_runs()
    project.edit_journal(header['boot'], '01234567-0123-0123-0123-0123456789ab')
    project.open()
    resume(project)
    assert project.ends()['1'] == [('interrupted', 'reboot'), ('finished', 'exit')]
    assert project.ends()['3'] == [('finished', 'exit')]


def test_that_an_attempt_is_not_adopted_after_a_reboot_even_if_a_process_has_its_pid_and_ticks(project: Gated) -> None:
    kill(project.begin(1))
    header = project.header()
    if not header['machine'] or not header['boot']:
        pytest.skip('this system does not tell machines and boots apart')
    project.edit_journal(header['boot'], '01234567-0123-0123-0123-0123456789ab')
    resumed = project.drive({}, 'resume', 'out')
    until(lambda: project.told('ended'))
    project.open()
    finish(resumed)
    assert project.told('adopted') == []


def test_that_a_lost_attempt_counts(project: Gated) -> None:
    kill(project.begin(2))
    project.kill_runs()
    project.open()
    resume(project, '--max_attempts=1', codes=(1,))
    assert project.ends() == {'1': [('lost', 'lost')], '2': [('lost', 'lost')], '3': [('finished', 'exit')]}
    resume(project, '--max_attempts=2')
    assert project.table_states() == project.all_finished()
    assert project.ends()['1'] == [('lost', 'lost'), ('finished', 'exit')]


# Attempts


def test_that_failed_runs_are_run_again_as_often_as_was_asked(project: Gated) -> None:
    project.then('[ $HPSEARCH_ATTEMPT -lt 3 ] && [ $n = 1 ] && exit 1')
    project.open()
    finish(project.search_in_order('--cpu_jobs=2', '--retries=1'), (1,))
    assert project.ends()['1'] == [('failed', 'exit')] * 2
    resume(project, '--retries=2')
    assert project.ends()['1'] == [('failed', 'exit')] * 2 + [('finished', 'exit')]
    assert project.notes('found.txt') == []
    logs = [(project.job('1', attempt) / 'stdout.log').read_text() for attempt in (1, 2, 3)]
    assert logs == [f'training 1, attempt {attempt}\n' for attempt in (1, 2, 3)]


def test_that_retry_failed_gives_one_more_attempt(project: Gated) -> None:
    project.then('[ $n = 1 ] && exit 1')
    project.open()
    finish(project.search_in_order('--cpu_jobs=2'), (1,))
    resume(project, codes=(1,))
    assert len(project.ends()['1']) == 1, 'without the option nothing failed is run again'
    resume(project, '--retry_failed', codes=(1,))
    assert len(project.ends()['1']) == 2
    project.then('')
    resume(project, '--retry_failed')
    assert project.ends()['1'] == [('failed', 'exit')] * 2 + [('finished', 'exit')]
    assert project.ends()['2'] == [('finished', 'exit')]


def test_that_a_resumable_run_finds_its_output_folder(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', more='_RESUMABLE = True') as project:
        search = project.begin(1)
        search.send_signal(signal.SIGINT)
        finish(search, (130,))
        project.open()
        resume(project)
        assert project.notes('found.txt') == [('1', '2')]
        assert not list(project.out.glob('*.attempt1'))


def test_that_options_of_the_search_hold_until_others_are_given(project: Gated) -> None:
    kill(project.begin(1, '--retries=1'))
    project.then('[ $n = 2 ] && [ $HPSEARCH_ATTEMPT = 1 ] && exit 1')
    project.open()
    resume(project, '--cpu_jobs=2')
    assert project.ends()['2'] == [('failed', 'exit'), ('finished', 'exit')]


# The configuration


def test_that_a_changed_module_is_told_and_the_plan_stays(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', more=HANDLE) as project:
        kill(project.begin(1))
        project.numbers.append('4')
        project.write_config(HANDLE)
        project.numbers.pop()
        project.open()
        assert 'has changed' in resume(project)
        assert project.table_states() == project.all_finished()
        assert {row['acc'] for row in project.rows()} == {'0.5'}


def test_that_an_unchanged_module_is_not_told_of(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', more=HANDLE) as project:
        kill(project.begin(1))
        project.open()
        printed = resume(project)
        assert 'has changed' not in printed
        assert 'built-in' not in printed


def test_that_a_missing_module_gives_way_to_the_built_in_reader(tmp_path: Path) -> None:
    with gated(tmp_path / 'project', more=HANDLE) as project:
        kill(project.begin(1))
        (project.path / 'my_config.py').unlink()
        project.open()
        assert 'built-in reader' in resume(project)
        assert {row['n']: row['acc'] for row in project.rows()} == {n: f'0.{n}' for n in project.numbers}


def test_that_a_module_without_handles_is_not_needed(project: Gated) -> None:
    kill(project.begin(1))
    (project.path / 'my_config.py').unlink()
    project.open()
    resume(project)
    assert project.table_states() == project.all_finished()


def test_that_a_search_is_resumed_from_any_folder(project: Gated, tmp_path: Path) -> None:
    kill(project.begin(1))
    project.open()
    done = subprocess.run(
        project.command('resume', str(project.out)), cwd=tmp_path, env=project.env, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(project.begun()) == project.once()


# Folders in a bad state


def test_that_a_search_of_somebody_else_needs_trust(project: Gated) -> None:
    if os.getuid() != 0:
        pytest.skip('only root can give files away')
    kill(project.begin(1))
    for path in [project.out, *project.out.rglob('*')]:
        os.chown(path, 65534, 65534)
    project.open()
    begun = project.begun()
    assert '--trust' in resume(project, codes=(2,))
    assert '--trust' in finish(project.drive({}, 'stop', 'out'), (2,))
    assert project.begun() == begun
    resume(project, '--trust')
    assert project.table_states() == project.all_finished()


def test_that_a_link_to_a_file_of_this_user_makes_a_folder_of_somebody_else_no_more_trusted(
    project: Gated, tmp_path: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip('only root can give files away')
    kill(project.begin(1))
    project.open()
    own, foreign = project.out, tmp_path / 'foreign'
    shutil.copytree(own, foreign)
    (foreign / 'search.json').unlink()
    for path in [foreign, *foreign.rglob('*')]:
        os.chown(path, 65534, 65534)
    (foreign / 'search.json').symlink_to(own / 'search.json')
    begun = project.begun()
    for verb in ('resume', 'join', 'stop'):
        assert 'belongs to user' in finish(project.drive({}, verb, str(foreign)), (2,))
    assert project.begun() == begun


@pytest.mark.parametrize('kind', ['claimed', 'running', 'ended', 'writer'])
def test_that_a_line_which_was_cut_short_loses_nothing(project: Gated, kind: str) -> None:
    project.open('1')
    search = project.begin(1, '--retries=1')
    until(lambda: project.told('ended') and len(project.told('running')) == 2)
    kill(search)
    (journal,) = (project.out / 'journal').glob('*.jsonl')
    text = journal.read_text()
    last = text.rindex(f'{{"event":"{kind}"') if kind != 'writer' else 0
    end = text.index('\n', last)
    journal.write_text(text[: last + (end - last) // 2])
    project.open()
    resume(project)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_garbage_in_a_journal_is_told_and_passed_over(project: Gated) -> None:
    kill(project.begin(2))
    (journal,) = (project.out / 'journal').glob('*.jsonl')
    lines = journal.read_bytes().splitlines(keepends=True)
    garbage = [b'\0' * 512 + b'\n', b'\xff\xfe{"event":\n', b'[1, 2]\n', b'{"event": "ended"}\n', b'{"event": 7}\n']
    journal.write_bytes(b''.join([lines[0], *garbage, *lines[1:]]))
    project.open()
    assert 'journal' in resume(project)
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()


def test_that_a_journal_of_a_newer_format_is_refused_with_the_reason(project: Gated) -> None:
    kill(project.begin(1))
    project.edit_journal('"format":1', '"format":99')
    project.open()
    assert '99' in resume(project, codes=(1,))
    assert project.begun() == [('1', '1')]


def test_that_a_search_without_a_plan_is_refused_with_the_reason(project: Gated) -> None:
    kill(project.begin(1))
    (project.out / 'runs.jsonl').unlink()
    assert 'plan' in resume(project, codes=(2,))


@pytest.mark.parametrize('name', ['ENOSPC', 'EROFS', 'EIO', 'ESTALE', 'EDQUOT'])
def test_that_a_folder_that_cannot_be_written_pauses_the_search(project: Gated, tmp_path: Path, name: str) -> None:
    flag = tmp_path / 'broken'
    settings = {'broken_while': str(flag), 'errno': getattr(errno, name)}
    kill(project.begin(1))
    left = set(project.out.rglob('*.tmp'))
    resumed = project.drive(settings, 'resume', 'out')
    project.open('1')  # not earlier: the one that is killed must not get to the second run
    project.wait_for_begun(2)
    stop_between_two_steps(resumed, project.out)  # while it writes a file, it could not remove what it began
    flag.touch()
    resumed.send_signal(signal.SIGCONT)
    project.open('2')
    until(lambda: ('2', '1') in project.notes('done.txt'))
    time.sleep(0.5)
    assert resumed.poll() is None
    assert project.begun() == [('1', '1'), ('2', '1')], 'nothing may be started while nothing can be recorded'
    flag.unlink()
    project.open()
    printed = finish(resumed)
    assert 'no run is started' in printed
    assert os.strerror(getattr(errno, name)) in printed
    assert sorted(project.begun()) == project.once()
    assert project.table_states() == project.all_finished()
    assert_whole(project, left)


def assert_whole(project: Gated, left: Collection[Path] = ()) -> None:
    """Every line of every journal can be read, and nothing temporary is there but what a killed process left."""
    for journal in (project.out / 'journal').glob('*.jsonl'):
        for line in journal.read_text().splitlines():
            assert line == '' or json.loads(line)
    assert set(project.out.rglob('*.tmp')) - set(left) == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    place = tmp_path / 'disk'
    place.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m,nr_inodes=600', 'tmpfs', str(place)]
    if os.getuid() != 0 or shutil.which('mount') is None or subprocess.call(mount):
        pytest.skip('no file system can be mounted here')
    yield place
    subprocess.run(['umount', '-l', str(place)], check=True)


def fill(disk: Path) -> list[Path]:
    """Leave no room; returns what was made."""
    big = disk / 'big'
    with open(big, 'wb', buffering=0) as file:
        try:
            while file.write(b'x' * 4096):
                continue
        except OSError:
            made = [big]
    for number in range(10_000):
        try:
            (disk / f'small{number}').touch()
        except OSError:
            break
        made.append(disk / f'small{number}')
    return made


def test_that_a_search_waits_on_a_full_disk_until_there_is_room(small_disk: Path) -> None:
    with gated(small_disk / 'project', count=4) as project:
        kill(project.begin(1))
        left = set(project.out.rglob('*.tmp'))
        project.open('1', '2')
        resumed = project.drive({}, 'resume', 'out')
        project.wait_for_begun(3)
        resumed.send_signal(signal.SIGSTOP)
        project.open('3')
        until((project.job('3', 1) / 'exit').exists)
        made = fill(small_disk)
        resumed.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        assert resumed.poll() is None
        for path in made:
            path.unlink()
        project.open()
        printed = finish(resumed)
        assert 'no run is started' in printed
        assert sorted(project.begun()) == project.once()
        assert project.table_states() == project.all_finished()
        assert_whole(project, left)


@pytest.mark.parametrize(
    ('words', 'cpu_jobs', 'gpus'),
    [([], 2, ''), (['--visible_gpus=0'], None, '0'), (['--cpu_jobs=5'], 5, ''), (['--allowed_load=0.9'], 2, '')],
)
def test_that_what_is_given_now_wins_over_what_was_given(words: list[str], cpu_jobs: int | None, gpus: str) -> None:
    merged = merged_options({'options': {'cpu_jobs': 2, 'reuse': ['x']}}, parse_resume(['out', *words]).given)
    assert (merged.local.cpu_jobs, merged.local.visible_gpus) == (cpu_jobs, gpus)
    assert merged.execution.reuse == ()


def test_that_a_search_that_was_only_created_takes_earlier_results_when_it_is_started(project: Gated) -> None:
    project.open()
    assert project.search('--cpu_jobs=3').returncode == 0
    project.out.rename(project.path / 'earlier')
    assert project.search('--dont_start', '--reuse=earlier').returncode == 0
    (project.path / 'elsewhere').mkdir()
    started = subprocess.run(
        project.command('join', '../out', '--cpu_jobs=1'), cwd=project.path / 'elsewhere', env=project.env, check=False
    )
    assert started.returncode == 0
    assert project.table_states() == project.all_finished()
    assert {row['hpsearch_reason'].split('/')[0] for row in project.rows()} == {'reused from '}
    assert sorted(project.begun()) == project.once(), 'each ran once, in the earlier search'


# --reread


def reread(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return project.run('resume', 'out', '--reread', *words)


def states(project: Project) -> list[str]:
    return sorted(row['hpsearch_state'] for row in project.rows())


def postprocessed(project: Project) -> list[str]:
    """The states of all runs, as postprocessing has them."""
    postprocess(project.out, cwd=project.path)
    kinds = ('finished', 'unfinished', 'missing')
    lines = (line for kind in kinds for line in (project.out / f'{kind}_runs.jsonl').read_text().splitlines())
    return sorted(json.loads(line)['state'] for line in lines)


def test_that_a_corrected_configuration_makes_runs_finished_that_only_lacked_a_keyword(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'mode': ['half', 'crash', 'good'], 'lr': [0.1, 0.2]})
    done = project.search('--cpu_jobs=2', '--fail_fast=0')
    hint = f'correct it, then: hpsearch resume {project.out} --reread'
    assert '2 runs ended with status 0 and failed only because of their results.' in done.stdout and hint in done.stdout
    assert hint in project.run('status', 'out').stdout
    ran = project.ran()
    kept = reread(project)
    assert (kept.returncode, states(project)) == (1, ['failed'] * 4 + ['finished'] * 2)
    assert '2 runs have still failed, for example ' in kept.stdout + kept.stderr

    project.configure({'mode': ['half', 'crash', 'good'], 'lr': [0.1, 0.2]}, "_SUMMARY_KEYWORDS = ['acc']")
    assert 'how results are read, stay as they were' in project.run('resume', 'out').stdout
    assert states(project) == ['failed'] * 4 + ['finished'] * 2
    again = reread(project)
    assert again.returncode == 1 and '2 runs have finished, by their results as they are read now' in again.stdout
    assert states(project) == postprocessed(project) == ['failed'] * 2 + ['finished'] * 4
    assert project.ran() == ran, 'nothing was executed again'
    status = project.run('status', 'out').stdout
    assert '4 finished, 2 failed' in status and '--reread' not in status
    assert states(project) == ['failed'] * 2 + ['finished'] * 4
    assert project.run('resume', 'out').returncode == 1
    assert states(project) == ['failed'] * 2 + ['finished'] * 4, 'it stays so'


def test_that_a_corrected_summary_file_or_parser_is_used_for_all_results(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'lr': [0.1, 0.2]}, "_SUMMARY_FILENAME = 'wrong.txt'")
    assert project.search('--cpu_jobs=2').returncode == 1
    project.configure({'lr': [0.1, 0.2]})
    assert reread(project).returncode == 0
    assert [row['acc'] for row in project.rows()] == ['0.9', '0.8']
    parser = "def _SUMMARY_PARSER_HANDLE(out_dir, cmd_ident):\n    return {'acc': [cmd_ident], 'finished': [1]}\n"
    project.configure({'lr': [0.1, 0.2]}, parser)
    assert 'the results of 2 other runs are read differently now' in reread(project).stdout
    for _ in range(2):
        assert [row['acc'] for row in project.rows()] == ['1', '0']
        assert project.run('resume', 'out').returncode == 0
    assert postprocessed(project) == ['finished'] * 2


def test_that_a_corrected_rule_finds_what_a_script_has_printed(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    no_file = "_SUMMARY_FILENAME = None\n_SUMMARY_KEYWORDS = []\n_PERFORMANCE_KEY = 'lr'\n"
    project.configure({'lr': [0.1, 0.2]}, no_file + "_RESULT = 'stdout: trained with ([0-9.]+)'")
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 1 and 'nothing was found by stdout: trained with' in done.stdout
    project.configure({'lr': [0.1, 0.2]}, no_file + "_RESULT = {'stdout': 'training with ([0-9.]+)', 'key': 'seen'}")
    assert reread(project).returncode == 0
    assert [row['seen'] for row in project.rows()] == [row['lr'] for row in project.rows()]
    assert postprocessed(project) == ['finished'] * 2


def test_that_another_file_may_say_how_results_are_read_from_now_on(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'mode': ['half']})
    assert project.search('--cpu_jobs=2').returncode == 1
    (project.path / 'other').mkdir()
    corrected = project.path / 'other' / 'corrected.py'
    parser = "def _SUMMARY_PARSER_HANDLE(out_dir, cmd_ident):\n    return {'acc': [7], 'finished': [1]}\n"
    corrected.write_text((project.path / 'my_config.py').read_text() + parser)
    refused = project.run('resume', 'out', '--grid_module=other/corrected.py', '--num_searches=1')
    assert refused.returncode == 2 and 'needs --reread or --extend' in refused.stderr
    assert '--num_searches needs --extend' in refused.stderr
    assert reread(project, '--grid_module=other/corrected.py').returncode == 0
    assert [row['acc'] for row in project.rows()] == ['7']
    corrected.write_text(corrected.read_text().replace('[7]', '[8]'))
    assert reread(project).returncode == 0
    assert [row['acc'] for row in project.rows()] == ['8'], 'it is the configuration of the search from then on'
    assert postprocessed(project) == ['finished']


def test_that_a_search_may_be_extended_and_its_results_read_again_at_once(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'mode': ['half'], 'lr': [0.1]})
    assert project.search('--cpu_jobs=2').returncode == 1
    project.configure({'mode': ['half'], 'lr': [0.1, 0.2]}, "_SUMMARY_KEYWORDS = ['acc']")
    both = reread(project, '--extend')
    assert both.returncode == 0, both.stdout + both.stderr
    assert [row['acc'] for row in project.rows()] == ['0.9', '0.8'] and len(project.ran()) == 2
    assert 'has changed' not in project.run('resume', 'out').stdout


def test_that_results_are_not_read_again_beside_a_process_that_reads_them_otherwise(project: Gated) -> None:
    search = project.begin(1)
    refused = project.run('resume', 'out', '--reread')
    assert refused.returncode == 2 and 'may be working on it' in refused.stderr
    project.open()
    finish(search)


def test_that_a_configuration_with_errors_rereads_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path / 'project')
    project.configure({'lr': [0.1]})
    assert project.search('--cpu_jobs=2').returncode == 0
    before = project.events()
    project.configure({'lr': [0.1]}, '_SUMMARY_KEYWORDS = []')
    refused = reread(project)
    assert refused.returncode == 2 and '_SUMMARY_KEYWORDS: is empty' in refused.stderr
    assert project.events() == before
