"""Searches on a real Slurm from their first command to their table, and what disturbs them on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.slurm.cluster import Cluster, limits_memory, missing, new_cluster
from tests.e2e.slurm.projects import QUEUE, SlurmProject, finish, hpsearch_line, slowly, slurm_project
from tests.support.gates import DRIVER, kill
from tests.support.harness import until

FINISHED = ('finished', 'exit')


@pytest.fixture
def project(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmProject]:
    with slurm_project(tmp_path / 'project', slurm) as made:
        yield made


def assert_each_ran_once(project: SlurmProject) -> None:
    """Every run began once and is finished in the table."""
    assert sorted(number for number, _ in project.begun()) == sorted(project.numbers)
    assert project.table_states() == project.all_finished()


# One job per run


def test_that_a_search_in_a_job_gives_its_table(tmp_path: Path, slurm: Cluster) -> None:
    """The example of a job script that is submitted by sbatch and submits the runs."""
    with slurm_project(tmp_path / 'project', slurm, count=4) as project:
        project.open()
        project.then('env > "env.$n"')
        options = ['--scheduler=slurm', '--slurm_mem=100', '--slurm_gres=gpu:1', '--num_jobs=25', '--num_hours=4']
        search = hpsearch_line('--grid_module=my_config', '--run_cluster', *options, '--queue_interval=1')
        own = 'SLURM_MARK=own SBATCH_CPU_BIND_TYPE=own SBATCH_JOB_NAME=own SLURM_CPUS_PER_TASK=own'
        text = f'#!/bin/bash\nexport {own}\n{search} --out_dir=out --force_out_dir\n'
        job = project.sbatch(text, '--gres=gpu:2', '--nodelist=n4', '--time=10', '--job-name=my_hpsearch')
        state = slowly(lambda: project.end_state(job))
        assert state == 'COMPLETED', (project.path / 'my_job.out').read_text()
        assert_each_ran_once(project)
        for number in project.numbers:
            assert_is_of_its_own_job(project, number, job)
        assert len(project.calls('sbatch')) == 2, 'the job script, and one array for all runs'


def test_that_requests_of_the_environment_and_the_prologue_reach_the_jobs_of_a_chosen_cluster(
    tmp_path: Path, slurm: Cluster
) -> None:
    more = "_JOB_PROLOGUE = '#SBATCH --nodelist=n2 --comment=lifted\\n#SBATCH --mem=300'"
    with slurm_project(tmp_path / 'project', slurm, more=more) as project:
        project.env |= {'SBATCH_PARTITION': 'low', 'SBATCH_JOB_NAME': 'mine', 'SLURM_CLUSTERS': 'hpsearch'}
        project.open()
        project.then('echo "$SLURM_JOB_PARTITION $SLURMD_NODENAME" > "job.$n"')
        printed = finish(project.submit('--num_jobs=3'))
        assert 'SBATCH_PARTITION=low of your environment counts.' in printed
        assert 'SBATCH_JOB_NAME of your environment is not used' in printed
        assert '#SBATCH --comment=lifted of the prologue counts.' in printed
        assert '#SBATCH --mem=300 of the prologue does not count: --slurm_mem does.' in printed
        assert_each_ran_once(project)
        assert {(project.path / f'job.{number}').read_text() for number in project.numbers} == {'low n2\n'}
        del project.env['SLURM_CLUSTERS']
        finish(project.drive({}, 'resume', 'out'))
        for name in ('sbatch', 'squeue'):
            assert all('--clusters=hpsearch' in call for call in project.calls(name))


def test_that_arguments_that_break_the_bookkeeping_are_refused_before_anything_is_made(
    tmp_path: Path, slurm: Cluster
) -> None:
    with slurm_project(tmp_path / 'project', slurm) as project:
        printed = finish(project.submit('--slurm_extra=--job-name=mine', '--slurm_extra=--array=1-9'), (2,))
        assert '--slurm_extra=--job-name=mine: hpsearch names its jobs' in printed
        assert '--slurm_extra=--array=1-9' in printed
        assert not project.out.exists()
        assert not project.calls('sbatch')


def assert_is_of_its_own_job(project: SlurmProject, number: str, dispatcher: str) -> None:
    """The script of a run saw what Slurm told its job, and nothing of what it told the job of hpsearch."""
    lines = (project.path / f'env.{number}').read_text().splitlines()
    seen = {name: value for name, _, value in (line.partition('=') for line in lines)}
    assert 'own' not in seen.values()
    assert dispatcher not in (seen['SLURM_JOB_ID'], seen['SLURM_JOBID'], seen['SLURM_ARRAY_JOB_ID'])
    assert seen['SLURM_JOB_NAME'] == project.submissions()[0]
    assert seen['CUDA_VISIBLE_DEVICES'] in ('0', '1', '2', '3')
    assert seen['HPSEARCH_RUN'] == project.run_name(number)


def test_that_a_record_which_appears_late_is_taken_in_and_nothing_runs_twice(tmp_path: Path, slurm: Cluster) -> None:
    hidden = tmp_path / 'hidden'
    hidden.touch()
    more = '_SUMMARY_FILENAME = None\n_SUMMARY_KEYWORDS = []\n_PERFORMANCE_KEY = None\n'
    with slurm_project(tmp_path / 'project', slurm, count=2, more=more) as project:
        project.open()
        hurried = {'queue': {'timeout': 10.0, 'retry': 1.0, 'record_grace': 0.5}, 'late_records': str(hidden)}
        lost = finish(project.drive_queue(hurried, '--num_jobs=2', '--max_attempts=1'), (1,))
        assert '2 lost' in lost
        assert 'the queue says that it ended with status 0' in lost
        assert json.loads(project.say('status', 'out', '--json'))['counts']['finished'] == 2
        project.resume()
        assert_each_ran_once(project)


def test_that_at_most_so_many_jobs_run_at_a_time(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=6) as project:
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        asked = len(project.calls('squeue'))
        until(lambda: len(project.calls('squeue')) >= asked + 2)
        assert len(project.begun()) == 2
        assert len(project.in_queue('RUNNING')) == 2
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert len(project.calls('sbatch')) == 1
        assert '--no-requeue' in project.calls('sbatch')[0]
        # A listing a second was asked for, and at its start and end a few more.
        times = [
            int(line.split()[0]) for line in (project.path / 'calls.txt').read_text().splitlines() if 'squeue' in line
        ]
        assert len(times) <= 2 * (max(times) - min(times)) + 6


def test_that_jobs_go_on_without_hpsearch_and_their_results_are_taken_in_from_elsewhere(
    project: SlurmProject, tmp_path: Path
) -> None:
    printed = finish(project.submit('--num_jobs=2', '--submit_only'))
    assert '0 remain to be submitted' in printed
    project.wait_for_begun(2)
    assert 'no hpsearch works on it' in project.say('status', 'out')
    project.open()
    slowly(lambda: not project.in_queue())
    assert json.loads(project.say('status', 'out', '--json'))['counts']['finished'] == 3
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    assert '3 runs: 3 finished' in project.postprocess(elsewhere)
    finish(project.also('resume', str(project.out), cwd=elsewhere))
    assert_each_ran_once(project)
    assert len(project.calls('sbatch')) == 1


def test_that_status_tells_states_and_reasons_of_jobs(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=1')
    project.wait_for_begun(1)
    told = slowly(lambda: text if 'JobArrayTaskLimit' in (text := project.say('status', 'out')) else '')
    assert '1 running, 2 pending (JobArrayTaskLimit)' in told
    kill(search)
    told = slowly(lambda: text if 'JobArrayTaskLimit' in (text := project.say('status', 'out')) else '')
    assert '1 running, 2 pending (JobArrayTaskLimit)' in told, 'without hpsearch the queue is asked'
    project.open()
    project.resume()
    assert_each_ran_once(project)


def test_that_scripts_of_jobs_can_be_seen_before_they_are_submitted(project: SlurmProject) -> None:
    options = ['--grid_module=my_config', '--run_cluster', '--scheduler=slurm', '--slurm_partition=short']
    printed = project.say('plan', '--scripts', *options)
    assert '--array=1-3' in printed
    assert '--partition=short' in printed
    assert 'The only array: it has all 3 runs' in printed
    assert project.calls('sbatch') == []


# What survives the dispatcher


def test_that_nothing_runs_twice_when_hpsearch_was_killed(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=6) as project:
        finish(project.kill_and_resume())
        assert_each_ran_once(project)
        assert len(project.calls('sbatch')) == 1


def test_that_a_run_that_was_being_stopped_when_hpsearch_was_killed_is_cancelled_and_no_other(
    tmp_path: Path, slurm: Cluster
) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=5) as project:
        search = project.submit('--num_jobs=3')
        project.wait_for_begun(3)
        until(lambda: project.told('accepted'))
        kill(search)
        project.note_pruned('2')
        resumed = project.also('resume', 'out', '--num_jobs=3')
        slowly(lambda: project.told('ended'))
        project.wait_for_begun(4)
        project.open()
        finish(resumed)
        assert project.ends()['2'] == [('stopped', 'pruned')]
        assert project.table_states() == {**project.all_finished(), '2': 'stopped'}
        assert len(project.begun()) == 5, 'each once, and what was stopped not again'
        assert len(project.calls('sbatch')) == 1


def test_that_a_submission_whose_answer_was_lost_is_found_by_its_name(project: SlurmProject) -> None:
    sbatch = project.path / 'bin' / 'sbatch'
    usual = sbatch.read_text()
    sbatch.write_text(f'{usual.replace("exec ", "")}echo $$ > accepted.now\nexec sleep 600\n')
    search = project.submit('--num_jobs=2')
    answer = project.path / 'accepted.now'
    pid = until(lambda: answer.exists() and answer.read_text().strip())
    kill(search)
    os.kill(int(pid), signal.SIGKILL)
    sbatch.write_text(usual)
    project.open()
    project.resume()
    assert_each_ran_once(project)
    assert len(project.calls('sbatch')) == 1


def test_that_jobs_go_on_when_hpsearch_is_told_to_end(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=2')
    project.wait_for_begun(2)
    search.send_signal(signal.SIGTERM)
    printed = finish(search, (130,))
    assert 'continue without hpsearch' in printed
    assert len(project.in_queue('RUNNING')) == 2
    project.open()
    project.wait_for_begun(3)
    project.resume()
    assert_each_ran_once(project)


# Stopping


@dataclass
class Bystanders:
    """Jobs that are none of a search's business.

    Attributes:
        foreign: A job of no search.
        other: Another search, with one run.
    """

    foreign: str
    other: SlurmProject

    def survive(self) -> bool:
        """Whether they run."""
        states = [self.other.job_state(job) for job in (self.foreign, self.other.element('1'))]
        return states == ['RUNNING'] * 2


@pytest.fixture
def bystanders(project: SlurmProject, tmp_path: Path, slurm: Cluster) -> Iterator[Bystanders]:
    with slurm_project(tmp_path / 'other', slurm, count=1) as other:
        foreign = project.sbatch('#!/bin/sh\nsleep 600\n', '--job-name=hps-foreign')
        finish(other.submit('--submit_only'))
        other.wait_for_begun(1)
        yield Bystanders(foreign, other)
        slurm.run('scancel', foreign)


@pytest.mark.parametrize('way', ['ctrl-c', 'stop', 'stop after kill -9'])
def test_that_exactly_the_jobs_of_a_search_are_cancelled(
    project: SlurmProject, bystanders: Bystanders, way: str
) -> None:
    search = project.submit('--num_jobs=2')
    project.wait_for_begun(2)
    until(lambda: len(project.told('running')) >= 2)
    end_it(project, search, way)
    slowly(lambda: not project.in_queue())
    assert bystanders.survive()
    assert {state for ends in project.ends().values() for state, _ in ends} == {'interrupted'}
    project.open()
    project.resume()
    assert project.table_states() == project.all_finished()
    assert Counter(number for number, _ in project.begun()) == {'1': 2, '2': 2, '3': 1}


# What happens to clusters


def test_that_what_ran_on_a_node_that_died_is_run_again(project: SlurmProject, slurm: Cluster) -> None:
    search = project.submit('--num_jobs=3', '--slurm_extra=--nodelist=n2')
    project.wait_for_begun(3)
    slurm.kill_slurmd('n2')
    slurm.report_down('n2')
    until(lambda: len(project.told('ended')) >= 3, 150.0)
    slurm.start_slurmd('n2')
    project.open()
    finish(search)
    assert project.table_states() == project.all_finished()
    assert project.ends() == {n: [('interrupted', 'node_fail'), FINISHED] for n in project.numbers}


def test_that_nothing_is_lost_while_the_controller_is_away(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=6) as project:
        search = project.submit('--num_jobs=2', '--log_level=info')
        project.wait_for_begun(2)
        until(lambda: len(project.told('running')) >= 2)
        slurm.stop_controller()
        project.open('1')
        until(lambda: project.told('ended'), 20.0)
        asked = len(project.calls('squeue'))
        until(lambda: len(project.calls('squeue')) >= asked + 2, 90.0)
        project.open()
        slurm.start_controller()
        printed = finish(search)
        assert printed.count('cannot be asked') == 1, printed
        assert 'answers again' in printed
        assert_each_ran_once(project)


def test_that_what_was_preempted_is_run_again(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=2) as project:
        options = ['--slurm_partition=low', '--slurm_extra=--nodelist=n3', '--slurm_cpus=4']
        search = project.submit('--num_jobs=2', *options)
        project.wait_for_begun(2)
        until(lambda: len(project.told('running')) >= 2)
        urgent = project.sbatch('#!/bin/sh\n:\n', '--partition=high', '--nodelist=n3', '--cpus-per-task=8')
        until(lambda: len(project.told('ended')) >= 2, 90.0)
        slowly(lambda: project.job_state(urgent) == 'COMPLETED')
        project.open()
        finish(search)
        assert project.table_states() == project.all_finished()
        assert project.ends() == {n: [('interrupted', 'preempted'), FINISHED] for n in project.numbers}


# What takes Slurm a minute or two


@dataclass
class Slow:
    """Searches that take long because Slurm looks at limits every half minute only; all are made at once.

    Attributes:
        limited: The first run of two reaches the time limit of its job.
        resumable: Its run saves its state when it is warned of the time limit.
        cancelled: Somebody cancels the first run of five, which runs, and the last one, which waits.
        requeued: Somebody lets Slurm start the job of the first run of two again.
        vanished: A job that works on two of three runs dies on another host without a word.
        pilots: Ten runs of some seconds, in jobs of a minute that work on the search.
        outlived: hpsearch itself is a job, whose time is up while two of three runs are under way.
        printed: What hpsearch printed, by these names.
    """

    limited: SlurmProject
    resumable: SlurmProject
    cancelled: SlurmProject
    requeued: SlurmProject
    vanished: SlurmProject
    pilots: SlurmProject
    outlived: SlurmProject
    printed: dict[str, str]


SAVES = """\
trap 'echo saved > "$out/checkpoint"; exit 9' USR1
if [ -e "$out/checkpoint" ]; then touch "go.$n"; fi
"""


@pytest.fixture(scope='module')
def slow(slurm_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    slurm_cluster.reset()
    counts = {'limited': 2, 'resumable': 1, 'cancelled': 5, 'requeued': 2, 'vanished': 3, 'pilots': 10, 'outlived': 3}
    with ExitStack() as stack:
        place = tmp_path_factory.mktemp('slow')
        made = {
            name: stack.enter_context(
                slurm_project(place / name, slurm_cluster, count, '_RESUMABLE = True' * (name == 'resumable'))
            )
            for name, count in counts.items()
        }
        slow = Slow(**made, printed={})
        searches = begin_slow(slow)
        disturb(slow)
        slow.printed.update({name: finish(search, codes) for name, (search, codes) in searches.items()})
        yield slow


def begin_slow(slow: Slow) -> dict[str, tuple[subprocess.Popen[str], tuple[int, ...]]]:
    """Start all of them; returns by their names what was started, and how it must end."""
    slow.limited.open('2')
    slow.resumable.then(SAVES)
    slow.pilots.then('sleep 6')
    slow.pilots.open()
    minute = ['--slurm_partition=short', '--slurm_time=1']
    pilots = ['--runs_per_job=1', '--slurm_mem=500', '--slurm_time=1', '--stop_grace=1']
    return {
        'limited': (slow.limited.submit('--num_jobs=2', *minute), (1,)),
        'resumable': (slow.resumable.submit('--num_jobs=1', '--signal=USR1@20', *minute), (0,)),
        'cancelled': (slow.cancelled.submit('--num_jobs=2'), (1,)),
        'requeued': (slow.requeued.submit('--num_jobs=2'), (0,)),
        'vanished': (slow.vanished.submit('--num_jobs=1', '--runs_per_job=1', *PILOTS), (0,)),
        'pilots': (slow.pilots.submit('--num_jobs=1', *pilots), (0,)),
    }


def disturb(slow: Slow) -> None:
    """Do to them what somebody does."""
    cluster = slow.cancelled.cluster
    own_job = submit_hpsearch(slow.outlived)
    let_a_job_die(slow.vanished)
    slow.cancelled.wait_for_begun(2)
    cluster.ask('scancel', slow.cancelled.element('1'))
    cluster.ask('scancel', slow.cancelled.element('5'))
    slow.requeued.wait_for_begun(2)
    element = slow.requeued.element('1')
    cluster.ask('scontrol', 'update', f'JobId={element}', 'Requeue=1')
    cluster.ask('scontrol', 'requeue', element)
    slow.cancelled.wait_for_begun(3)
    slow.cancelled.open()
    slowly(lambda: slow.requeued.job_state(element) == 'PENDING')
    time.sleep(3)  # a node refuses a job that comes back within the second: that is why Slurm waits two minutes
    cluster.run('scontrol', 'update', f'JobId={element}', 'StartTime=now')
    slow.requeued.open('2')
    slow.requeued.wait_for_begun(3, 180.0)
    slow.requeued.open()
    until(lambda: len(slow.vanished.told('ended')) >= 2, 180.0)
    slow.vanished.open()
    slowly(lambda: slow.outlived.job_state(own_job) == 'TIMEOUT', 180.0)


def submit_hpsearch(project: SlurmProject) -> str:
    """Submit a search that is a job itself, with a minute for it; returns the id of that job."""
    options = [*QUEUE, '--num_jobs=2', '--queue_interval=1', f'--out_dir={project.out}', '--force_out_dir']
    search = hpsearch_line('--grid_module=my_config', *options)
    return project.sbatch(f'#!/bin/sh\nexec {search}\n', '--time=1')


def let_a_job_die(project: SlurmProject) -> None:
    """Let a job, as if on another host, work on two runs, and kill all its processes."""
    project.wait_for_begun(1)
    line = f"""{sys.executable} {DRIVER} '{{"host": "a"}}' join {project.out} --runs_per_job=2"""
    project.sbatch(f'#!/bin/sh\nexec {line}\n', '--time=10')
    project.wait_for_begun(3)
    until(lambda: len(project.told('running')) == 3)
    (dispatcher,) = [header['pid'] for header in project.pilots() if header['host'] == 'a']
    os.kill(dispatcher, signal.SIGKILL)
    names = {project.run_name('2'), project.run_name('3')}
    for event in project.told('running'):
        if event['run'] in names:
            os.killpg(event['handle']['pid'], signal.SIGKILL)


def test_that_what_reaches_its_time_limit_has_failed_with_that_reason(slow: Slow) -> None:
    assert slow.limited.ends() == {'1': [('failed', 'timeout')], '2': [FINISHED]}
    (row,) = [row for row in slow.limited.rows() if row['n'] == '1']
    assert 'time limit' in row['hpsearch_reason']
    assert 'time limit' in slow.printed['limited']


def test_that_a_resumable_run_is_warned_and_goes_on_in_its_folder(slow: Slow) -> None:
    assert slow.resumable.ends() == {'1': [('interrupted', 'timeout'), FINISHED]}
    assert slow.resumable.notes('found.txt') == [('1', '2')]
    assert (slow.resumable.out / slow.resumable.run_name('1') / 'checkpoint').read_text() == 'saved\n'


def test_that_jobs_outlive_the_job_that_submitted_them(slow: Slow) -> None:
    project = slow.outlived
    assert len(project.begun()) == len(project.in_queue('RUNNING')) == 2
    assert project.told('ended') == []
    project.open()
    project.resume()
    assert_each_ran_once(project)


def test_that_what_somebody_cancelled_is_not_run_again_unless_asked(slow: Slow) -> None:
    project = slow.cancelled
    assert '2 runs were cancelled in the queue' in slow.printed['cancelled']
    ends = project.ends()
    assert ends == {n: [('interrupted', 'cancelled')] if n in '15' else [FINISHED] for n in project.numbers}
    project.resume(codes=(1,))
    assert project.ends() == ends, 'not run again unless asked'
    project.resume('--retry_cancelled')
    assert project.table_states() == project.all_finished()
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1'), ('3', '1'), ('4', '1'), ('5', '2')]


def test_that_a_job_which_the_queue_starts_again_leaves_a_record_and_its_run_is_planned_anew(slow: Slow) -> None:
    project = slow.requeued
    assert project.ends() == {'1': [('interrupted', 'requeued'), FINISHED], '2': [FINISHED]}
    assert sorted(project.begun()) == [('1', '1'), ('1', '2'), ('2', '1')]
    assert (project.job('1', 1) / 'requeued').exists()
    assert len(project.rows()) == 2


def test_that_a_job_starts_no_run_that_would_not_end(slow: Slow) -> None:
    assert_each_ran_once(slow.pilots)
    assert set(map(tuple, slow.pilots.ends().values())) == {(FINISHED,)}
    assert len(slow.pilots.pilots()) >= 2, 'the first job left before its time was up, and another came'


def test_that_the_runs_of_a_job_that_died_without_a_word_are_run_by_others(slow: Slow) -> None:
    expected = [('interrupted', 'job_ended'), FINISHED]
    assert slow.vanished.ends() == {'1': [FINISHED], '2': expected, '3': expected}
    assert slow.vanished.table_states() == slow.vanished.all_finished()


# What a queue does not take


def test_that_runs_which_the_queue_does_not_take_wait_for_others_to_end(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=12) as project:
        project.open()
        printed = finish(project.submit('--num_jobs=4', '--slurm_qos=tight'))
        assert 'QOSMaxSubmitJobPerUserLimit' in printed
        assert_each_ran_once(project)
        assert len(project.calls('sbatch')) <= 12


def test_that_resume_submits_what_the_queue_did_not_take(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=7) as project:
        printed = finish(project.submit('--num_jobs=4', '--slurm_qos=tight', '--submit_only'))
        accepted = len(project.in_queue())
        assert 1 <= accepted <= 5
        assert f'{7 - accepted} remain to be submitted' in printed
        project.open()
        slowly(lambda: not project.in_queue())
        project.resume()
        assert_each_ran_once(project)


def test_that_runs_wait_for_a_partition_that_takes_no_jobs(project: SlurmProject, slurm: Cluster) -> None:
    slurm.ask('scontrol', 'update', 'PartitionName=low', 'State=DRAIN')
    project.open()
    quick = {'timeout': 20.0, 'retry': 1.0, 'record_grace': 1.0}
    search = project.drive_queue({'queue': quick}, '--num_jobs=2', '--slurm_partition=low')
    until(lambda: len(project.calls('sbatch')) >= 3, 60.0)
    slurm.ask('scontrol', 'update', 'PartitionName=low', 'State=UP')
    printed = finish(search)
    assert printed.count('not available (inactive or drain)') == 1
    assert 'may not have been accepted' not in printed
    assert_each_ran_once(project)


def test_that_a_job_which_is_refused_ends_the_search_with_the_words_of_the_queue(project: SlurmProject) -> None:
    printed = finish(project.submit('--slurm_partition=nowhere'), (2,))
    assert 'invalid partition' in printed
    assert project.begun() == []
    project.open()
    project.resume('--slurm_partition=main')
    assert_each_ran_once(project)


def test_that_jobs_that_never_start_are_named(project: SlurmProject) -> None:
    search = project.submit('--slurm_partition=short', '--slurm_time=10')
    until((project.out / 'search.json').exists)
    told = slowly(lambda: text if 'never start' in (text := project.say('status', 'out')) else '')
    assert 'will never start: PartitionTimeLimit' in told
    project.say('stop', 'out')
    finish(search, (130,))
    assert project.in_queue() == []
    project.open()
    project.resume('--slurm_time=1')
    assert_each_ran_once(project)


# What jobs are made of


def test_that_scripts_find_what_the_prologue_made(tmp_path: Path, slurm: Cluster) -> None:
    prologue = """_JOB_PROLOGUE = 'export STAGED="data of $SLURM_ARRAY_TASK_ID"'"""
    with slurm_project(tmp_path / 'project', slurm, more=prologue) as project:
        project.then('echo "$STAGED" > "staged.$n"')
        project.open()
        finish(project.submit('--num_jobs=3'))
        staged = sorted((project.path / f'staged.{number}').read_text() for number in project.numbers)
        assert staged == ['data of 1\n', 'data of 2\n', 'data of 3\n']


def test_that_a_prologue_that_fails_is_told(tmp_path: Path, slurm: Cluster) -> None:
    prologue = """_JOB_PROLOGUE = 'echo there is no module cuda >&2; exit 3'"""
    with slurm_project(tmp_path / 'project', slurm, more=prologue) as project:
        printed = finish(project.submit('--num_jobs=3'), (1,))
        assert 'there is no module cuda' in printed
        assert project.begun() == []
        for ends in project.ends().values():
            assert set(ends) == {('failed', 'exit')}
            assert len(ends) <= 3, 'it is tried on another node, and not for ever'
        assert {row['hpsearch_reason'] for row in project.rows()} == {'exit status 3'}


@pytest.mark.skipif(not limits_memory(), reason='this host has no cgroups in which Slurm could limit memory')
def test_that_a_run_gets_more_memory_when_it_had_too_little(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=2) as project:
        takes = f"[ $n = 2 ] || {sys.executable} -c 'x = bytearray(110 << 20)' || exit $?"
        project.then(takes)
        project.open()
        finish(project.submit('--num_jobs=2'))
        assert project.table_states() == project.all_finished()
        assert project.ends() == {'1': [('interrupted', 'host_oom'), FINISHED], '2': [FINISHED]}
        first, second = project.calls('sbatch')
        assert '--mem=150M' not in first
        assert second.endswith('--mem=150M'), 'the last one counts'


N3_IS_BAD = """_JOB_PROLOGUE = '[ "$SLURMD_NODENAME" != n3 ] || { echo no module cuda >&2; exit 127; }'"""


def test_that_one_bad_node_fails_no_run_and_does_not_stop_the_search(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=60, more=N3_IS_BAD) as project:
        search = project.submit('--num_jobs=28', '--fail_fast=5')
        project.wait_for_begun(20)
        project.open()
        printed = finish(search)
        assert_each_ran_once(project)
        on_n3 = [event for event in project.told('ended') if event.get('node') == 'n3']
        assert 3 <= len(on_n3) < 30
        assert 'n3 is avoided for' in printed
        assert f'{len(on_n3)} runs failed within seconds on n3 and were run on other nodes' in printed
        assert any('ExcNodeList=n3' in call for call in project.calls('scontrol'))
        assert project.calls('sbatch')[-1].endswith('--exclude=n3')


def test_that_a_search_on_a_single_node_that_is_bad_stops(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=20, more=N3_IS_BAD) as project:
        printed = finish(project.submit('--num_jobs=8', '--fail_fast=5', '--slurm_extra=--nodelist=n3'), (1,))
        assert 'Stopped: the first runs all failed in the same way' in printed
        assert 'no module cuda' in printed


# Jobs that work on the search

PILOTS = ('--slurm_mem=500', '--stop_grace=5')


def test_that_jobs_work_on_the_search_with_several_runs_each(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=7) as project:
        search = project.submit('--num_jobs=2', '--runs_per_job=3', *PILOTS)
        project.wait_for_begun(6)
        assert len(project.in_queue()) == 2
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert len(project.calls('sbatch')) == 1
        assert len(project.pilots()) == 2


def test_that_jobs_start_as_many_runs_as_their_cores_and_memory_have_room_for(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=3) as project:
        search = project.submit('--num_jobs=1', '--runs_per_job=auto', '--slurm_cpus=2', *PILOTS)
        project.wait_for_begun(2, 60.0)
        assert len(project.in_queue()) == 1
        project.open()
        finish(search)
        assert_each_ran_once(project)
        assert len(project.pilots()) == 1
        assert any('cpu' in event.get('estimate', {}) for event in project.told('claimed'))


def test_that_a_bad_node_gets_no_more_jobs_that_work_on_the_search(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=8, more=N3_IS_BAD) as project:
        # Two have room on a node, so that two begin on n3, and so do those that replace them.
        search = project.submit('--num_jobs=6', '--runs_per_job=1', '--slurm_cpus=4', *PILOTS)
        project.wait_for_begun(6, 150.0)
        assert len(project.pilots()) == 6, 'as many as were asked for'
        project.open()
        assert 'n3 is avoided for' in finish(search)
        assert_each_ran_once(project)


def test_that_a_run_that_had_the_whole_time_of_its_job_is_not_started_again(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=1) as project:
        printed = finish(project.submit('--num_jobs=1', '--runs_per_job=1', '--slurm_time=1', *PILOTS), (1,))
        assert 'A job of 1 min 00 s ends its runs 35 s before its time limit, so that they have 25 s' in printed
        assert project.ends() == {'1': [('failed', 'timeout')]}
        assert 'its job reached its time limit' in printed


def test_that_runs_are_spread_over_the_gpus_of_their_job(tmp_path: Path, slurm: Cluster) -> None:
    prologue = """_JOB_PROLOGUE = 'echo "$CUDA_VISIBLE_DEVICES" > of_the_job.txt'"""
    with slurm_project(tmp_path / 'project', slurm, count=4, more=prologue) as project:
        blocker = project.sbatch('#!/bin/sh\nsleep 600\n', '--gres=gpu:1', '--nodelist=n1', name='blocker')
        slowly(lambda: project.job_state(blocker) == 'RUNNING')
        project.then('echo "$CUDA_VISIBLE_DEVICES" > "gpu.$n"')
        gpus = ['--slurm_gres=gpu:2', '--slurm_extra=--nodelist=n1']
        search = project.submit('--num_jobs=1', '--runs_per_job=4', *PILOTS, *gpus)
        project.wait_for_begun(4)
        project.open()
        finish(search)
        slurm.ask('scancel', blocker)
        given = (project.path / 'of_the_job.txt').read_text().strip().split(',')
        assert '0' not in given
        used = Counter((project.path / f'gpu.{number}').read_text().strip() for number in project.numbers)
        assert used == dict.fromkeys(given, 2)


def test_that_jobs_with_a_script_of_ones_own_work_on_the_search(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=7) as project:
        finish(project.submit('--submit_only', '--num_jobs=1', '--runs_per_job=1', *PILOTS))
        text = f'#!/bin/bash\nexec {hpsearch_line("join", str(project.out), "--runs_per_job=2")}\n'
        job = project.sbatch(text, '--array=1-3', '--signal=B:TERM@60', '--time=10')
        project.wait_for_begun(7)
        project.open()
        slowly(lambda: [project.job_state(f'{job}_{index}') for index in (1, 2, 3)] == ['COMPLETED'] * 3)
        slowly(lambda: not project.in_queue())
        project.resume()
        assert_each_ran_once(project)
        assert len(project.pilots()) == 4


def test_that_the_runs_of_a_job_that_is_cancelled_are_run_by_others(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=5) as project:
        search = project.submit('--num_jobs=2', '--runs_per_job=2', *PILOTS)
        project.wait_for_begun(4)
        until(lambda: len(project.told('running')) == 4)
        slurm.ask('scancel', project.pilots()[0]['job']['id'])
        until(lambda: len(project.told('ended')) >= 2, 90.0)
        project.open()
        finish(search)
        assert project.table_states() == project.all_finished()
        ends = sorted([state for state, _ in each] for each in project.ends().values())
        assert ends == [['finished']] * 3 + [['interrupted', 'finished']] * 2


def test_that_a_job_is_replaced_when_all_that_is_left_was_interrupted_with_it(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=1', '--runs_per_job=3', *PILOTS)
    project.wait_for_begun(3)
    until(lambda: len(project.told('running')) == 3)
    project.cluster.ask('scancel', project.pilots()[0]['job']['id'])
    until(lambda: len(project.told('ended')) == 3)
    project.open()
    finish(search)
    assert project.table_states() == project.all_finished()
    assert len(project.pilots()) == 2


@pytest.mark.parametrize('way', ['ctrl-c', 'stop', 'stop after kill -9'])
def test_that_jobs_that_work_on_the_search_are_stopped_with_it(
    project: SlurmProject, bystanders: Bystanders, way: str
) -> None:
    search = project.submit('--num_jobs=2', '--runs_per_job=1', *PILOTS)
    project.wait_for_begun(2)
    until(lambda: len(project.told('running')) == 2)
    end_it(project, search, way)
    slowly(lambda: not project.in_queue())
    assert bystanders.survive()
    assert sorted(state for ends in project.ends().values() for state, _ in ends) == ['interrupted'] * 2
    project.open()
    project.resume()
    assert project.table_states() == project.all_finished()


def end_it(project: SlurmProject, search: subprocess.Popen[str], way: str) -> None:
    """End a search in one of several ways."""
    if way == 'ctrl-c':
        search.send_signal(signal.SIGINT)
    elif way == 'stop':
        project.say('stop', 'out')
    else:
        kill(search)
        assert 'stopped' in project.say('stop', 'out')
    if way != 'stop after kill -9':
        finish(search, (130,))


def test_that_jobs_that_work_on_the_search_need_no_other_hpsearch(tmp_path: Path, slurm: Cluster) -> None:
    with slurm_project(tmp_path / 'project', slurm, count=6) as project:
        search = project.submit('--num_jobs=1', '--runs_per_job=2', *PILOTS)
        project.wait_for_begun(2)
        kill(search)
        project.open()
        slowly(lambda: not project.in_queue())
        assert json.loads(project.say('status', 'out', '--json'))['counts']['finished'] == 6
        project.resume()
        assert_each_ran_once(project)
        assert len(project.calls('sbatch')) == 1


def test_that_the_sequential_mode_runs_on_the_gpus_of_its_job(project: SlurmProject) -> None:
    project.then('echo "$CUDA_VISIBLE_DEVICES $(date +%s%N)" > "gpu.$n"; sleep 0.5')
    project.open()
    line = hpsearch_line('--grid_module=my_config', '--visible_gpus=-1', '--out_dir=out', '--force_out_dir')
    text = f'#!/bin/bash\necho "$CUDA_VISIBLE_DEVICES" > of_the_job.txt\nexec {line}\n'
    job = project.sbatch(text, '--gres=gpu:2', '--time=10')
    state = slowly(lambda: project.end_state(job))
    assert state == 'COMPLETED', (project.path / 'my_job.out').read_text()
    assert_each_ran_once(project)
    given = (project.path / 'of_the_job.txt').read_text().strip()
    notes = [(project.path / f'gpu.{number}').read_text().split() for number in project.numbers]
    assert {devices for devices, _ in notes} == {given}
    times = sorted(int(at) for _, at in notes)
    assert all(after - before > 0.5e9 for before, after in pairwise(times)), 'one after the other'


# Without accounting


@pytest.fixture
def plain_cluster() -> Iterator[Cluster]:
    """A cluster that accounts for nothing."""
    if problem := missing(accounting=False):
        pytest.skip(f'no Slurm to test with: {problem}')
    with new_cluster(accounting=False) as cluster:
        yield cluster


def test_that_a_cluster_needs_no_accounting(tmp_path: Path, plain_cluster: Cluster) -> None:
    with slurm_project(tmp_path / 'project', plain_cluster, count=4) as project:
        project.then('[ $n = 3 ] && exit 5')
        search = project.submit('--num_jobs=2')
        project.wait_for_begun(2)
        plain_cluster.ask('scancel', project.element('1'))
        until(lambda: project.told('ended'), 60.0)
        kill(search)
        project.open()
        project.resume(codes=(1,))
        assert project.ends() == {
            '1': [('interrupted', 'cancelled')], '2': [FINISHED], '3': [('failed', 'exit')], '4': [FINISHED],
        }  # fmt: skip
        assert project.calls('sacct') == []


# Code that is edited while jobs wait


def test_that_jobs_that_start_after_an_edit_are_told_from_those_before(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=1', '--code_column')
    slowly(lambda: len(project.told('running')) == 1 and project.told('provenance'))
    edit_script(project)
    project.open()
    printed = finish(search)
    before, after = [event['code'] for event in project.told('provenance')]
    assert {row['n']: row['hpsearch_code'] for row in project.rows()} == {
        '1': before,
        '2': f'{before}>{after}',
        '3': f'{before}>{after}',
    }
    assert f'1 with {before}, 2 with {after}' in printed


def test_that_jobs_start_from_a_snapshot(project: SlurmProject) -> None:
    search = project.submit('--num_jobs=1', '--code_column', '--snapshot')
    slowly(lambda: (project.out / 'code' / 'ran.txt').exists() and project.told('provenance'))
    edit_script(project)
    (project.out / 'code' / 'go').touch()
    assert 'code changed' not in finish(search)
    assert project.table_states() == project.all_finished()
    assert {row['hpsearch_code'] for row in project.rows()} == {event['code'] for event in project.told('provenance')}


def edit_script(project: SlurmProject) -> None:
    """Replace the script of the runs; those that execute it go on with what they have."""
    edited = project.path / 'edited.sh'
    edited.write_text('# edited\n' + (project.path / 'train.sh').read_text())
    edited.replace(project.path / 'train.sh')
