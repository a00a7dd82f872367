"""Searches on a pretend LSF from their first command to their table, and what disturbs them on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.lsf.projects import OPEN, QUEUE, LsfProject, lsf_project
from tests.fakes.lsf import FakeLsf
from tests.support.gates import finish, kill
from tests.support.harness import until

FINISHED = ('finished', 'exit')

DIALECTS = ('volclava', 'ibm')

MINUTE = 0.07
"""Seconds that a minute of a run limit takes where limits are tried: an hour is four seconds."""

QUICK = {'queue': {'timeout': 1.0, 'retry': 1.0, 'record_grace': 2.0}}
"""A process that waits a second for an answer, two for a record, and tries again after a second."""


@pytest.fixture(params=DIALECTS)
def lsf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeLsf]:
    yield from in_service(tmp_path / 'lsf', request.param)


@pytest.fixture
def volclava(tmp_path: Path) -> Iterator[FakeLsf]:
    yield from in_service(tmp_path / 'lsf', 'volclava')


@pytest.fixture
def ibm(tmp_path: Path) -> Iterator[FakeLsf]:
    yield from in_service(tmp_path / 'lsf', 'ibm')


def in_service(path: Path, dialect: str) -> Iterator[FakeLsf]:
    """A pretend LSF that is gone at the end."""
    lsf = FakeLsf(path, dialect, terminate_interval=3.0)
    try:
        yield lsf
    finally:
        lsf.end()


def assert_each_ran_once(project: LsfProject) -> None:
    """Every run began once and is finished in the table."""
    assert sorted(project.begun()) == sorted(project.once())
    assert project.table_states() == project.all_finished()


# One job per run

INTERPRETER = """\
#!/bin/sh
case $1 in which.py) echo {name} >> whose.txt ;; esac
exec {python} "$@"
"""

IN_PYTHON = """\
_COMMAND = None; _SCRIPT_NAME = 'which.py'; _SUMMARY_FILENAME = None; _SUMMARY_KEYWORDS = []; _PERFORMANCE_KEY = None
_JOB_PROLOGUE = 'PATH="$PWD/environment:$PATH"'
"""


def with_interpreters(project: LsfProject) -> None:
    """Have a Python script, and two interpreters: that of an environment that jobs activate, and another one."""
    (project.path / 'which.py').write_text('')
    for name in ('environment', 'another'):
        file = project.path / name / 'python3'
        file.parent.mkdir()
        file.write_text(INTERPRETER.format(name=name, python=sys.executable))
        file.chmod(0o755)


@pytest.mark.parametrize('words', [(), ('--runs_per_job=2',)], ids=['a job per run', 'pilots'])
def test_that_the_output_folder_is_made_where_a_run_is_executed(
    tmp_path: Path, volclava: FakeLsf, words: tuple[str, ...]
) -> None:
    with lsf_project(tmp_path / 'project', volclava, count=2, more='_MAKE_OUT_DIR = True') as project:
        script = project.path / 'train.sh'
        script.write_text(script.read_text().replace('mkdir -p "$out"', ''))
        project.open()
        finish(project.submit(*words))
        assert project.table_states() == project.all_finished()


@pytest.mark.parametrize(
    ('words', 'name', 'said'),
    [
        ((), 'environment', 'Jobs use the python3 that they find on their PATH, after _JOB_PROLOGUE; here it is '),
        (('--python=another/python3',), 'another', 'Runs use {path}/another/python3, which is '),
        (('--runs_per_job=2',), 'environment', 'Jobs use the python3 that they find on their PATH'),
        (('--runs_per_job=2', '--python=another/python3'), 'another', 'Runs use {path}/another/python3, which is '),
    ],
    ids=['of the job', 'given', 'of the pilot', 'given to a pilot'],
)
def test_that_a_script_runs_on_the_interpreter_of_its_job_unless_a_path_is_given(
    tmp_path: Path, volclava: FakeLsf, words: tuple[str, ...], name: str, said: str
) -> None:
    with lsf_project(tmp_path / 'project', volclava, count=2, more=IN_PYTHON) as project:
        with_interpreters(project)
        out = finish(project.submit(*words))
        assert said.format(path=project.path) in out
        assert (project.path / 'whose.txt').read_text().split() == [name, name]


PASSED_ON = """\
_COMMAND = ['{python}', 'passed.py', '{out_dir}', '{gpus}']
_ENV = {'TEXT': "it's $HOME {n}", 'WHERE': '{out_dir}'}
_CONFIG_TEMPLATE = 'base.yaml'
_RESULT = 'orion'
_SUMMARY_FILENAME = None
_SUMMARY_KEYWORDS = []
_PERFORMANCE_KEY = 'objective'
"""

PASSED_PY = """\
import json, os, sys
out, gpus, config = sys.argv[1:]
lines = open(config.partition('=')[2]).read().split()
assert (os.environ['TEXT'], os.environ['WHERE'], gpus) == (f"it's $HOME {lines[1]}", out, '1'), (os.environ, sys.argv)
with open(os.environ['ORION_RESULTS_PATH'], 'r+') as file:
    json.dump([{'name': 'loss', 'type': 'objective', 'value': int(lines[1])}], file)
"""


@pytest.mark.parametrize('words', [(), ('--runs_per_job=2',)], ids=['a job per run', 'pilots'])
def test_that_values_reach_a_job_by_words_variables_and_files(
    tmp_path: Path, volclava: FakeLsf, words: tuple[str, ...]
) -> None:
    with lsf_project(tmp_path / 'project', volclava, count=2, more=PASSED_ON) as project:
        (project.path / 'passed.py').write_text(PASSED_PY)
        (project.path / 'base.yaml').write_text('n: 0\n')
        finish(project.submit(*words))
        assert project.table_states() == project.all_finished()
        assert sorted(row['loss'] for row in project.rows()) == ['1', '2']


ORIGINAL = [
    *('bsub', '-n', '1', '-W', '120:00', '-e', 'hps.err', '-o', 'hps.out', '-R', 'rusage[mem=8000]'),
    *('python', '-m', 'hpsearch', '--grid_module=my_config', '--run_cluster', '--scheduler=lsf', '--num_jobs=50'),
    *('--num_hours=24', '--num_searches=1000', '--resources="rusage[mem=8000, ngpus_excl_p=1]"'),
]
"""The words that the shell of a user makes of the original's example."""


def test_that_the_example_of_the_original_gives_its_table(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=6) as project:
        project.open()
        project.then('env > "env.$n"')
        project.env.update(LSB_MARK='own', BSUB_MARK='own', LSB_BJOBS_FORMAT='own', LSB_DEFAULTPROJECT='kept')
        done = lsf.run(*ORIGINAL, '--out_dir=out', '--force_out_dir', cwd=project.path, env=project.env)
        assert done.returncode == 0, done.stderr
        until(lambda: lsf.job(1).state in ('DONE', 'EXIT'), 60.0)
        printed = (project.path / 'hps.out').read_text() + (project.path / 'hps.err').read_text()
        assert lsf.job(1).state == 'DONE', printed
        assert 'Successfully completed.' in printed
        assert_each_ran_once(project)
        for number in project.numbers:
            assert_is_of_its_own_job(project, number)
        _, submission = project.calls('bsub')
        assert len(lsf.run('bhist', '-l', '2').stdout) < 6 * 1500, 'it repeats what was submitted, for each element'
        assert options_of(submission.argv, '-R', '-W') == ['rusage[mem=8000, ngpus_excl_p=1]', '24:00']
        assert submission.argv[1].endswith('[1-6]%6'), 'one array for all runs'


def assert_is_of_its_own_job(project: LsfProject, number: str) -> None:
    """The script of a run saw what LSF told its job, and nothing of what it told the job of hpsearch."""
    lines = (project.path / f'env.{number}').read_text().splitlines()
    seen = {name: value for name, _, value in (line.partition('=') for line in lines)}
    assert 'own' not in seen.values()
    assert (seen['LSB_JOBID'], seen['LSB_JOBINDEX']) == ('2', str(project.element(number).index))
    assert seen['LSB_OUTPUTFILE'] == '/dev/null'
    assert 'LSB_ERRORFILE' not in seen
    assert seen['LSB_DEFAULTPROJECT'] == 'kept'
    assert seen['HPSEARCH_RUN'] == project.run_name(number)


def options_of(argv: tuple[str, ...], *names: str) -> list[str]:
    """What stands behind these words."""
    return [argv[argv.index(name) + 1] for name in names]


def test_that_options_reach_bsub(tmp_path: Path, ibm: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', ibm) as project:
        project.open()
        more = ['--lsf_queue=short', '--lsf_project=deep', '--lsf_gpu=num=2:mode=shared', '--resources=']
        extra = ['--lsf_extra=-M', '--lsf_extra=4GB', '--lsf_extra=-sp', '--lsf_extra=7']
        ibm.set(queues={'normal': {}, 'short': {'run_limit': 600}})
        project.then('echo "$CUDA_VISIBLE_DEVICES" > "gpus.$n"')
        finish(project.submit(*more, *extra, '--num_hours=2'))
        (submission,) = project.calls('bsub')
        given = ('-q', '-P', '-gpu', '-M', '-sp', '-W')
        assert options_of(submission.argv, *given) == ['short', 'deep', 'num=2:mode=shared', '4GB', '7', '2:00']
        assert '-R' not in submission.argv
        assert '-rn' in submission.argv
        assert {seen.state for seen in project.jobs()} == {'DONE'}
        given_to = [(project.path / f'gpus.{n}').read_text().strip() for n in project.numbers]
        assert {len(gpus.split(',')) for gpus in given_to} == {2}, 'what the queue gave is not overwritten'


def test_that_at_most_so_many_jobs_run_at_a_time_and_arrays_are_no_larger_than_accepted(
    tmp_path: Path, volclava: FakeLsf
) -> None:
    volclava.set(slots=20, max_array_size=4)
    with lsf_project(tmp_path / 'project', volclava, count=10) as project:
        search = project.submit('--num_jobs=3')
        project.wait_for_begun(3)
        project.wait_for_listings(2)
        assert len(project.begun()) == 3
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert project.most_at_a_time() <= 3
        sizes = Counter(seen.job for seen in project.jobs())
        assert sum(sizes.values()) == 10
        assert max(sizes.values()) <= 4


def test_that_jobs_go_on_without_hpsearch_and_are_taken_in_later(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        assert '0 remain to be submitted' in finish(project.submit('--num_jobs=2', '--submit_only'))
        project.wait_for_begun(2)
        told = project.say('status', 'out')
        assert 'no hpsearch works on it' in told
        assert '2 running, 1 pending' in told
        project.open()
        until(lambda: not project.jobs(*OPEN))
        assert json.loads(project.say('status', 'out', '--json'))['counts']['finished'] == 3
        project.resume()
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1


NO_SUMMARY = '_SUMMARY_FILENAME = None\n_SUMMARY_KEYWORDS = []\n_PERFORMANCE_KEY = None\n'
"""A configuration in which the exit status alone says whether a run has finished."""


def test_that_records_which_the_file_system_denies_are_found(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, more=NO_SUMMARY) as project:
        search = project.drive_queue({**QUICK, 'late_records': str(tmp_path / 'never')}, '--num_jobs=3')
        project.wait_until_running(3)
        project.wait_for_listings(3)  # their records were looked for by then, and will be denied
        project.open()
        finish(search)
        assert_each_ran_once(project)


def test_that_a_record_which_appears_after_its_run_was_lost_is_taken_in(tmp_path: Path, lsf: FakeLsf) -> None:
    hidden = tmp_path / 'hidden'
    hidden.touch()
    with lsf_project(tmp_path / 'project', lsf, more=NO_SUMMARY) as project:
        project.open()
        hurried = {'queue': {**QUICK['queue'], 'record_grace': 0.2}, 'late_records': str(hidden)}
        lost = finish(project.drive_queue(hurried, '--num_jobs=3', '--max_attempts=1'), (1,))
        assert '3 lost' in lost
        assert json.loads(project.say('status', 'out', '--json'))['counts']['finished'] == 3
        project.resume()
        assert sorted(project.begun()) == sorted(project.once())
        assert project.table_states() == project.all_finished()
        assert {state for ((state, _),) in project.ends().values()} == {'finished'}


def test_that_a_job_which_waits_is_cancelled_when_the_record_of_its_earlier_attempt_appears(
    tmp_path: Path, volclava: FakeLsf
) -> None:
    hidden = tmp_path / 'hidden'
    hidden.touch()
    volclava.set(slots=1)
    with lsf_project(tmp_path / 'project', volclava, count=2, more=NO_SUMMARY) as project:
        hurried = {'queue': {**QUICK['queue'], 'record_grace': 0.2}, 'late_records': str(hidden)}
        search = project.drive_queue(hurried, '--num_jobs=2')
        project.open('1')
        until(lambda: [event for event in project.told('submitted') if event['attempt'] == 2], 60.0)
        hidden.unlink()
        until(lambda: 'interrupted' in [event['state'] for event in project.told('ended')], 60.0)
        project.open()
        finish(search)
        assert project.ends() == {'1': [FINISHED, ('interrupted', 'stop')], '2': [FINISHED]}
        assert_each_ran_once(project)


def test_that_scripts_of_jobs_can_be_seen_where_there_is_no_lsf(tmp_path: Path, volclava: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        forget_lsf(project)
        options = ['--grid_module=my_config', '--run_cluster', '--scheduler=lsf', '--lsf_queue=gpu.24h']
        printed = project.say('plan', '--scripts', *options)
        assert '[1-3]%3' in printed
        assert '-q gpu.24h' in printed
        assert 'The only array: it has all 3 runs' in printed
        assert '-gpu num=1' in project.say('plan', '--scripts', *options, '--lsf_gpu=num=1')
        assert volclava.calls() == []


def forget_lsf(project: LsfProject) -> None:
    """Take LSF's commands from PATH."""
    project.env['PATH'] = project.env['PATH'].replace(f'{project.lsf.path}/bin{os.pathsep}', '')


# What is refused


@pytest.mark.parametrize('more', [(), ('--lsf_gpu=num=1',)])
def test_that_a_machine_without_lsf_is_told(tmp_path: Path, volclava: FakeLsf, more: tuple[str, ...]) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        forget_lsf(project)
        printed = finish(project.submit(*more), (2,))
        assert 'bsub, bjobs' in printed
        assert 'not found on PATH' in printed
        assert not project.out.exists()


def test_that_an_option_which_only_some_know_is_refused_before_anything_is_made(
    tmp_path: Path, volclava: FakeLsf
) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        printed = finish(project.submit('--lsf_gpu=num=1:mode=exclusive_process'), (2,))
        assert '--lsf_gpu' in printed
        assert 'ngpus_excl_p' in printed
        assert not project.out.exists()
        assert project.calls('bsub') == []


def test_that_what_lsf_refuses_is_told_in_its_own_words_and_can_be_put_right(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        project.open()
        assert 'nowhere: No such queue' in finish(project.submit('--lsf_queue=nowhere'), (2,))
        project.resume('--lsf_queue=')
        assert sorted(number for number, _ in project.begun()) == project.numbers
        assert project.table_states() == project.all_finished()


def test_that_a_queue_which_takes_only_some_is_filled_again(tmp_path: Path, volclava: FakeLsf) -> None:
    volclava.set(max_pending=2)
    with lsf_project(tmp_path / 'project', volclava, count=7) as project:
        project.open()
        finish(project.submit('--num_jobs=2'))
        assert_each_ran_once(project)
        assert project.most_at_a_time() <= 2


# What survives the dispatcher


def test_that_nothing_runs_twice_when_hpsearch_was_killed(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=6) as project:
        finish(project.kill_and_resume())
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1


def test_that_a_run_that_was_being_stopped_when_hpsearch_was_killed_is_cancelled_and_no_other(
    tmp_path: Path, lsf: FakeLsf
) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=5) as project:
        search = project.submit('--num_jobs=3')
        project.wait_for_begun(3)
        until(lambda: project.told('accepted'))
        kill(search)
        project.note_pruned('2')
        resumed = project.also('resume', 'out', '--num_jobs=3')
        until(lambda: project.told('ended'))
        project.wait_for_begun(4)
        project.open()
        finish(resumed)
        assert project.ends()['2'] == [('stopped', 'pruned')]
        assert project.table_states() == {**project.all_finished(), '2': 'stopped'}
        assert len(project.begun()) == 5, 'each once, and what was stopped not again'
        assert len(project.calls('bsub')) == 1


def test_that_jobs_with_other_names_are_followed_and_adopted(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        job = until(lambda: project.told('accepted'))[0]['job']
        assert lsf.run('bmod', '-J', 'mine', job).returncode == 0
        project.wait_for_listings(3)
        kill(search)
        assert '2 running, 1 pending' in project.say('status', 'out')
        resumed = project.also('resume', 'out')
        until(lambda: len(project.told('adopted')) >= 3)
        project.open()
        finish(resumed)
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1


def test_that_a_stop_leaves_no_job_behind_whatever_its_name(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--num_jobs=1')
        project.wait_for_begun(1)
        job = until(lambda: project.told('accepted'))[0]['job']
        assert lsf.run('bmod', '-J', 'mine', job).returncode == 0
        kill(search)
        project.say('stop', 'out')
        assert not [seen for seen in lsf.jobs() if seen.state in OPEN]


def test_that_jobs_go_on_when_hpsearch_reaches_the_time_limit_of_its_own_job(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf) as project:
        options = ['--grid_module=my_config', '--out_dir=out', '--force_out_dir', *QUEUE, '--num_hours=24']
        project.bsub('-J', 'hps', '-W', '1:00', '-o', 'hps.out', 'python', '-m', 'hpsearch', *options, '--num_jobs=2')
        project.wait_for_begun(2)
        until(lambda: lsf.job(1).state == 'EXIT')
        assert lsf.job(1).code == 130
        assert 'continue without hpsearch' in (project.path / 'hps.out').read_text()
        assert len(project.jobs('RUN')) == 2
        project.open()
        project.resume()
        assert_each_ran_once(project)


def test_that_jobs_go_on_when_hpsearch_is_told_to_end(tmp_path: Path, volclava: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        search.send_signal(signal.SIGTERM)
        assert 'continue without hpsearch' in finish(search, (130,))
        assert len(project.jobs('RUN')) == 2
        project.open()
        project.wait_for_begun(3)
        project.resume()
        assert_each_ran_once(project)
        assert project.calls('bkill') == []


# Stopping


@contextmanager
def bystanders(project: LsfProject, path: Path) -> Iterator[list[tuple[int, int]]]:
    """Jobs that are none of a search's business: one of no search, and one of another search."""
    foreign = project.bsub('-J', 'hps-foreign[1-2]', stdin='sleep 600\n')
    with lsf_project(path, project.lsf, count=1) as other:
        finish(other.submit('--submit_only'))
        other.wait_for_begun(1)
        yield [(foreign, 1), (foreign, 2), (other.element('1').job, 1)]


@pytest.mark.parametrize('way', ['ctrl-c', 'stop', 'stop after kill -9'])
def test_that_exactly_the_jobs_of_a_search_are_cancelled(tmp_path: Path, lsf: FakeLsf, way: str) -> None:
    lsf.set(slots=8)
    with lsf_project(tmp_path / 'project', lsf) as project, bystanders(project, tmp_path / 'other') as others:
        search = project.submit('--num_jobs=2')
        project.wait_until_running(2)
        end_search(project, search, way)
        until(lambda: not project.jobs(*OPEN))
        assert [lsf.job(*one).state for one in others] == ['RUN'] * 3
        assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}
        project.open()
        project.resume()
        assert project.table_states() == project.all_finished()
        assert Counter(number for number, _ in project.begun()) == {'1': 2, '2': 2, '3': 1}


def end_search(project: LsfProject, search: subprocess.Popen[str], way: str) -> None:
    """End a search in one of the ways there are."""
    if way == 'ctrl-c':
        search.send_signal(signal.SIGINT)
    elif way == 'stop':
        project.say('stop', 'out')
    else:
        kill(search)
        assert 'stopped' in project.say('stop', 'out')
    if search.poll() is None:
        finish(search, (130,))


def test_that_what_somebody_cancelled_is_not_run_again_unless_asked(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=5) as project:
        search = project.submit('--num_jobs=2')
        project.wait_until_running(2)
        project.kill_job(project.element('1'), project.element('5'))
        project.wait_for_begun(3)
        project.open()
        assert '2 runs were cancelled in the queue' in finish(search, (1,))
        ends = project.ends()
        assert ends == {n: [('interrupted', 'cancelled')] if n in '15' else [FINISHED] for n in project.numbers}
        project.resume(codes=(1,))
        assert project.ends() == ends, 'not run again unless asked'
        project.resume('--retry_cancelled')
        assert project.table_states() == project.all_finished()
        assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('3', '1'), ('4', '1'), ('5', '2')]


# Limits


def test_that_a_run_which_reaches_its_time_limit_has_failed_with_that_reason(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        project.open('2')
        assert '1 failed' in finish(search, (1,))
        assert project.ends() == {'1': [('failed', 'timeout')], '2': [FINISHED]}
        (row,) = (row for row in project.rows() if row['n'] == '1')
        assert 'time limit' in row['hpsearch_reason']


SAVES = """\
trap 'echo saved > "$out/checkpoint"; exit 9' {signal}
if [ -e "$out/checkpoint" ]; then touch "go.$n"; fi
"""


def test_that_a_run_which_is_killed_at_its_time_limit_has_reached_it(tmp_path: Path, volclava: FakeLsf) -> None:
    volclava.set(minute=MINUTE)
    with lsf_project(tmp_path / 'project', volclava, count=1) as project:
        project.then("trap '' TERM\n")
        finish(project.drive_queue(QUICK), (1,))
        assert project.ends() == {'1': [('failed', 'timeout')]}


@pytest.mark.parametrize('options', [(), ('--signal=USR1@60',)])
def test_that_a_resumable_run_is_told_of_the_time_limit_and_goes_on_in_its_folder(
    tmp_path: Path, lsf: FakeLsf, options: tuple[str, ...]
) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=1, more='_RESUMABLE = True') as project:
        project.then(SAVES.format(signal='USR1' if options else 'TERM'))
        finish(project.submit(*options))
        assert project.ends() == {'1': [('interrupted', 'timeout'), FINISHED]}
        assert project.notes('found.txt') == [('1', '2')], 'the second attempt found the folder of the first'


def test_that_a_resumable_run_that_gets_no_further_is_not_run_again_for_ever(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=1, more='_RESUMABLE = True') as project:
        said = finish(project.drive_queue(QUICK), (1,))
        assert project.ends() == {'1': [('interrupted', 'timeout')] * 3}
        told = '3 attempts of 1 run ended at their time limit without new output'
        assert told in said
        assert f'Then: hpsearch resume {project.out} --retry_failed' in said
        assert 'Continue with' not in said
        assert told in project.run('status', 'out').stdout
        finish(project.drive({}, 'resume', 'out'), (1,))
        assert len(project.ends()['1']) == 3
        project.open()
        finish(project.drive({}, 'resume', 'out', '--retry_failed'))
        assert project.ends()['1'][3:] == [FINISHED]


def test_that_a_resumable_run_that_leaves_something_goes_on_as_often_as_needed(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=1, more='_RESUMABLE = True') as project:
        project.then('date >> "$out/progress"\nif [ "$HPSEARCH_ATTEMPT" = 3 ]; then touch go; fi\n')
        finish(project.drive_queue(QUICK, '--max_attempts=1'))
        assert project.ends() == {'1': [('interrupted', 'timeout')] * 2 + [FINISHED]}


HOG = 'python -c "hog = b\'x\' * 80_000_000; import time; time.sleep(3)"\n'


def test_that_a_run_which_was_ended_for_its_memory_gets_more(tmp_path: Path, ibm: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', ibm, count=2) as project:
        project.then(f'if [ "$n" = 1 ]; then {HOG}fi\n')
        project.open()
        memory = ['--resources=rusage[mem=80]', '--lsf_extra=-M', '--lsf_extra=80MB']
        finish(project.submit(*memory))
        assert project.ends() == {'1': [('interrupted', 'host_oom'), FINISHED], '2': [FINISHED]}
        asked = [options_of(call.argv, '-R', '-M') for call in project.calls('bsub')]
        assert asked == [['rusage[mem=80]', '80MB'], ['rusage[mem=120]', '120MB']]


# What happens to clusters


def test_that_what_was_preempted_is_run_again(tmp_path: Path, ibm: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', ibm, count=2) as project:
        search = project.submit()
        project.wait_until_running(2)
        first = project.element('1')
        ibm.preempt(first.job, first.index)
        project.wait_for_begun(3)
        project.open()
        finish(search)
        assert project.ends() == {'1': [('interrupted', 'preempted'), FINISHED], '2': [FINISHED]}


def test_that_a_job_which_was_requeued_does_not_run_its_attempt_twice(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.submit()
        project.wait_until_running(2)
        first = project.element('1')
        lsf.run('brequeue', f'{first.job}[{first.index}]')
        project.wait_for_begun(3)
        project.open()
        finish(search)
        assert project.ends() == {'1': [('interrupted', 'requeued'), FINISHED], '2': [FINISHED]}
        assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1')]


def test_that_what_ran_on_a_host_that_died_is_run_again_when_lsf_says_so(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(hosts=['vm', 'other'], slots=1)
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.drive_queue(QUICK)
        project.wait_until_running(2)
        lsf.lose_host('other')
        project.open()
        until(lambda: len(project.told('ended')) == 1)
        project.wait_for_listings(4)
        assert len(project.told('ended')) == 1, 'its host cannot be reached: that is no end'
        lsf.regain_host('other')
        finish(search)
        (lost,) = (seen for seen in project.jobs() if seen.state == 'EXIT')
        number = next(n for n in project.numbers if project.element(n) == lost)
        assert project.ends()[number] == [('interrupted', 'node_fail'), FINISHED]
        assert project.table_states() == project.all_finished()


def test_that_a_run_goes_on_while_its_host_cannot_be_reached(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(hosts=['vm'], slots=2)
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.submit()
        project.wait_until_running(2)
        lsf.lose_host('vm', processes=False)
        project.wait_for_listings(3)
        assert project.told('ended') == []
        project.open()
        finish(search)
        assert_each_ran_once(project)


def test_that_nothing_is_lost_while_the_daemons_are_down(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=6) as project:
        search = project.drive_queue(QUICK, '--num_jobs=2')
        project.wait_until_running(2)
        lsf.set(is_down=True, retry_interval=0.5)
        project.open('1')
        until(lambda: project.told('ended'))
        time.sleep(3.0)
        lsf.heal()
        project.open()
        printed = finish(search)
        assert printed.count('cannot be asked') == 1, printed
        assert 'still trying' in printed
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1


def test_that_a_search_begins_as_soon_as_the_daemons_are_up(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(is_down=True)
    with lsf_project(tmp_path / 'project', lsf) as project:
        project.open()
        search = project.drive_queue(QUICK, '--wait_for_queue')
        until(lambda: len(project.calls('bjobs')) >= 2)
        lsf.heal()
        finish(search)
        assert_each_ran_once(project)


@pytest.mark.parametrize('trouble', ['it hung', 'it failed'])
def test_that_a_submission_whose_answer_was_lost_is_found_by_its_name(
    tmp_path: Path, lsf: FakeLsf, trouble: str
) -> None:
    (lsf.delay if trouble == 'it hung' else lsf.fail)('bsub', acted=True)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.drive_queue(QUICK)
        project.wait_for_begun(3)
        until(lambda: project.told('accepted'))
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1


def test_that_a_submission_which_never_arrived_is_made_again_under_its_name(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.fail('bsub')
    with lsf_project(tmp_path / 'project', lsf) as project:
        project.open()
        finish(project.drive_queue(QUICK))
        assert_each_ran_once(project)
        first, second = project.calls('bsub')
        assert first.argv == second.argv


def test_that_questions_that_fail_cost_nothing(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=4) as project:
        search = project.submit('--num_jobs=2')
        project.wait_until_running(2)
        lsf.fail('bjobs', 2)
        project.wait_for_listings(3)
        project.open()
        finish(search)
        assert_each_ran_once(project)


def test_that_an_end_which_bjobs_forgot_is_looked_up_in_the_history(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.submit()
        project.wait_until_running(2)
        lsf.set(clean_period=0.0)
        project.kill_job(project.element('1'))
        project.open('2')
        assert '1 run was cancelled in the queue' in finish(search, (1,))
        assert project.ends() == {'1': [('interrupted', 'cancelled')], '2': [FINISHED]}
        assert project.calls('bhist')


# Jobs that work on the search

JOIN = ('python', '-m', 'hpsearch', 'join', 'out', '--runs_per_job=2', '--num_hours=12')


def make_only(project: LsfProject) -> None:
    """Make the search, and start nothing."""
    project.say('--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--dont_start')


def test_that_jobs_work_on_the_search_several_runs_at_a_time(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=6) as project:
        search = project.submit('--runs_per_job=2', '--num_jobs=2')
        project.wait_for_begun(4)
        time.sleep(0.5)
        assert len(project.begun()) == 4
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert len(project.calls('bsub')) == 1
        assert sorted(header['job']['id'] for header in project.pilots()) == ['1_1', '1_2']


def test_that_a_job_without_gpus_starts_as_many_runs_as_it_has_room_for(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=3) as project:
        search = project.submit('--runs_per_job=auto', '--num_jobs=1')
        project.wait_for_begun(1)
        assert len(project.begun()) == 1, 'it is measured first'
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert sorted(header['job']['id'] for header in project.pilots()) == ['1_1']


def test_that_the_runs_of_a_job_which_somebody_ended_are_run_by_another(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        search = project.submit('--runs_per_job=2', '--num_jobs=1')
        project.wait_for_begun(2)
        project.kill_job(*project.jobs('RUN'))
        project.wait_for_begun(4)
        project.open()
        finish(search)
        assert {ends[-1] for ends in project.ends().values()} == {FINISHED}
        assert {ends[0][0] for ends in project.ends().values()} == {'interrupted'}


SLOW_TO_SAVE = """\
trap 'sleep 4; echo "$n $HPSEARCH_ATTEMPT" >> saved.txt; exit 9' TERM
"""


def test_that_runs_of_a_job_that_is_ended_may_save_their_state(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(terminate_interval=10.0)
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        project.then(SLOW_TO_SAVE)
        search = project.submit('--runs_per_job=2', '--num_jobs=1')
        project.wait_for_begun(2)
        project.kill_job(*project.jobs('RUN'))
        project.wait_for_begun(4)
        project.open()
        finish(search)
        assert sorted(project.notes('saved.txt')) == [('1', '1'), ('2', '1')]
        assert {ends[0][0] for ends in project.ends().values()} == {'interrupted'}


def test_that_runs_of_a_job_that_reaches_its_time_limit_are_run_by_another(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=2, more='_RESUMABLE = True') as project:
        project.then(SAVES.format(signal='TERM'))
        finish(project.submit('--runs_per_job=2', '--num_jobs=1'))
        assert {ends[-1] for ends in project.ends().values()} == {FINISHED}
        assert {ends[0][0] for ends in project.ends().values()} == {'interrupted'}


def test_that_runs_of_a_job_of_ones_own_that_reaches_its_time_limit_are_interrupted(
    tmp_path: Path, lsf: FakeLsf
) -> None:
    lsf.set(minute=MINUTE, minutes_to_obey=100)
    with lsf_project(tmp_path / 'project', lsf, count=2) as project:
        project.then(SLOW_TO_SAVE)
        make_only(project)
        project.bsub('-J', 'work', '-W', '1:00', *JOIN)
        until(lambda: lsf.job(1).state in ('DONE', 'EXIT'))
        assert sorted(project.notes('saved.txt')) == [('1', '1'), ('2', '1')]
        assert {ends[0][0] for ends in project.ends().values()} == {'interrupted'}


def test_that_a_search_is_stopped_with_the_jobs_that_work_on_it(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=4) as project:
        search = project.submit('--runs_per_job=2', '--num_jobs=2')
        project.wait_for_begun(4)
        search.send_signal(signal.SIGINT)
        finish(search, (130,))
        until(lambda: not project.jobs(*OPEN))
        assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}


def test_that_jobs_of_a_script_of_ones_own_can_help(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=6) as project:
        make_only(project)
        job = project.bsub('-J', 'work[1-2]', '-W', '12:00', *JOIN)
        project.wait_for_begun(4)
        assert len(project.begun()) == 4
        project.open()
        until(lambda: {lsf.job(job, index).state for index in (1, 2)} == {'DONE'}, 60.0)
        assert_each_ran_once(project)


# Hosts

HC_IS_BAD = """_JOB_PROLOGUE = '[ "${LSB_HOSTS%% *}" != hc ] || { echo no module cuda >&2; exit 127; }'"""


def test_that_one_bad_host_fails_no_run_and_does_not_stop_the_search(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(hosts=['ha', 'hb', 'hc', 'hd'], slots=2)
    with lsf_project(tmp_path / 'project', lsf, count=24, more=HC_IS_BAD) as project:
        search = project.submit('--num_jobs=8', '--fail_fast=5')
        project.wait_for_begun(6)
        until(lambda: "hname!='hc'" in str([call.argv for call in project.calls('bmod')]))
        project.open()
        printed = finish(search)
        assert sorted(number for number, _ in project.begun()) == sorted(project.numbers)
        assert project.table_states() == project.all_finished()
        assert 'runs failed within seconds on hc and were run on other nodes' in printed
        last = project.calls('bsub')[-1].argv
        assert last[last.index('-R') + 1] == "select[hname!='hc'] rusage[mem=100]"


def test_that_a_search_on_the_only_host_stops_if_all_runs_fail_there(tmp_path: Path, lsf: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', lsf, count=12, more="_JOB_PROLOGUE = 'exit 127'") as project:
        assert 'Stopped: the first runs all failed' in finish(project.submit('--num_jobs=2', '--fail_fast=5'), (1,))


# Code that is edited while jobs wait


def test_that_jobs_that_start_after_an_edit_are_told_from_those_before(tmp_path: Path, volclava: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        search = project.submit('--num_jobs=1', '--code_column')
        project.wait_until_running(1)
        until(lambda: project.told('provenance'))
        script, edited = project.path / 'train.sh', project.path / 'edited.sh'
        edited.write_text(script.read_text() + '# edited\n')
        edited.replace(script)
        project.open()
        printed = finish(search, patience=60.0)
        before, after = [event['code'] for event in project.told('provenance')]
        codes = {row['n']: row['hpsearch_code'] for row in project.rows()}
        assert codes == {'1': before, '2': f'{before}>{after}', '3': f'{before}>{after}'}
        assert f'1 with {before}, 2 with {after}' in printed
        assert '2 of them were submitted with earlier code than was there when they started' in printed


@pytest.mark.parametrize('jobs', [('--num_jobs=1',), ('--num_jobs=1', '--runs_per_job=1')])
def test_that_jobs_start_from_a_snapshot(tmp_path: Path, volclava: FakeLsf, jobs: tuple[str, ...]) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        search = project.submit(*jobs, '--code_column', '--snapshot')
        until((project.out / 'code' / 'ran.txt').exists)
        until(lambda: project.told('provenance'))
        (project.path / 'train.sh').unlink()
        (project.out / 'code' / 'go').touch()
        printed = finish(search, patience=60.0)
        assert project.table_states() == project.all_finished()
        assert len({row['hpsearch_code'] for row in project.rows()} - {''}) == 1
        assert 'code changed' not in printed


# A search folder that is moved, copied or deleted


def test_that_jobs_are_cancelled_when_the_folder_is_deleted(tmp_path: Path, lsf: FakeLsf) -> None:
    lsf.set(slots=1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.drive_queue(QUICK, '--num_jobs=3')
        project.wait_until_running(1)
        project.out.rename(tmp_path / 'deleted')  # at once: nothing can be written into it meanwhile
        shutil.rmtree(tmp_path / 'deleted')
        assert f'{project.out} was ' in finish(search, (130,))
        until(lambda: not [job for job in lsf.jobs() if job.state in OPEN])
        assert len(project.begun()) == 1


def test_that_jobs_that_wait_when_the_folder_is_moved_are_withdrawn_and_submitted_again(
    tmp_path: Path, lsf: FakeLsf
) -> None:
    lsf.set(slots=1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.submit('--num_jobs=3')
        project.wait_for_begun(1)
        until(lambda: len(project.told('submitted')) == 3)
        kill(search)
        project.out.rename(project.path / 'elsewhere')
        project.out_name = 'elsewhere'
        project.open()
        finish(project.drive(QUICK, 'resume', 'elsewhere'))
        lost, withdrawn = [('lost', 'lost'), FINISHED], [('interrupted', 'abandoned'), FINISHED]
        assert project.ends() == {'1': lost, '2': withdrawn, '3': withdrawn}
        assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '2'), ('3', '2')]
        assert project.table_states() == project.all_finished()
        assert not project.jobs(*OPEN)
        assert not (project.path / 'out').exists()


def test_that_jobs_are_cancelled_when_the_folder_is_moved_while_hpsearch_works_on_it(
    tmp_path: Path, lsf: FakeLsf
) -> None:
    lsf.set(slots=1)
    with lsf_project(tmp_path / 'project', lsf) as project:
        search = project.drive_queue(QUICK, '--num_jobs=3')
        project.wait_until_running(1)
        project.out.rename(project.path / 'elsewhere')
        project.out_name = 'elsewhere'
        assert f'was moved to {project.out}' in finish(search, (130,))
        assert not project.jobs(*OPEN)
        project.open()
        finish(project.drive(QUICK, 'resume', 'elsewhere'))
        assert project.table_states() == project.all_finished()
        assert sorted(number for number, _ in project.begun()) == ['1', '1', '2', '3']
        assert not (project.path / 'out').exists()


def test_that_jobs_that_cannot_find_a_moved_search_blame_no_host(tmp_path: Path, volclava: FakeLsf) -> None:
    volclava.set(slots=1)
    with lsf_project(tmp_path / 'project', volclava) as project:
        blocker = project.bsub('sleep', '600')
        search = project.submit('--num_jobs=2', '--runs_per_job=1')
        until(lambda: project.told('accepted'))
        kill(search)
        project.out.rename(project.path / 'elsewhere')
        project.out_name = 'elsewhere'
        project.open()
        resumed = project.drive(QUICK, 'resume', 'elsewhere')
        volclava.set(slots=4)
        volclava.run('bkill', str(blocker))
        assert 'failed within seconds' not in finish(resumed)
        assert_each_ran_once(project)


def test_that_a_copy_of_a_search_whose_jobs_wait_is_refused_and_they_stay(tmp_path: Path, volclava: FakeLsf) -> None:
    with lsf_project(tmp_path / 'project', volclava) as project:
        finish(project.submit('--num_jobs=1', '--submit_only'))
        project.wait_for_begun(1)
        shutil.copytree(project.out, project.path / 'copy')
        for verb in ('resume', 'stop'):
            assert '3 of its runs are under way' in project.say(verb, 'copy', codes=(2,))
        project.open()
        project.resume()
        assert_each_ran_once(project)
        project.out_name = 'copy'
        project.resume()
        assert project.table_states() == project.all_finished()


def test_that_jobs_that_work_on_the_original_are_not_those_of_its_copy(tmp_path: Path, volclava: FakeLsf) -> None:
    volclava.set(slots=1)
    with lsf_project(tmp_path / 'project', volclava) as project:
        project.bsub('sleep', '600')
        finish(project.submit('--num_jobs=2', '--runs_per_job=1', '--submit_only'))
        shutil.copytree(project.out, project.path / 'copy')
        assert 'pending' not in project.say('status', 'copy')
        assert 'cancelling' not in project.say('stop', 'copy')
        assert len(project.jobs('PEND')) == 2
