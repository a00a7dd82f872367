"""The cluster for tests behaves as clusters do; what the rest relies on is said here by Slurm itself."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.slurm.cluster import NODES, PACKAGES, Cluster, ClusterError, limits_memory, missing, slurm_conf
from tests.support.harness import until

ENDED = {'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL', 'PREEMPTED', 'OUT_OF_MEMORY'}


def submit(cluster: Cluster, code: str, *options: str) -> str:
    """The id of a job of some shell."""
    words = ['sbatch', '--parsable', '--output=/dev/null', '--no-requeue', *options]
    return cluster.ask(*words, stdin=f'#!/bin/sh\n{code}\n').strip()


def states(cluster: Cluster, job: str) -> dict[str, str]:
    """The state of each element, or of the job."""
    # Asking more often would cost the controller more than its jobs.
    time.sleep(0.1)
    rows = cluster.ask('squeue', '--noheader', '--array', '--states=all', f'--jobs={job}', '--format=%i %T')
    return dict(row.split() for row in rows.splitlines())


def end(cluster: Cluster, job: str, patience: float = 90.0) -> str:
    """The one state in which all of a job ended."""
    ends = until(lambda: {state for state in states(cluster, job).values() if state in ENDED}, patience)
    assert len(ends) == 1
    return ends.pop()


def running(cluster: Cluster, job: str) -> None:
    """Wait until a job runs."""
    until(lambda: set(states(cluster, job).values()) == {'RUNNING'})


def test_that_each_element_of_an_array_gets_gpus_of_its_own(slurm: Cluster, tmp_path: Path) -> None:
    """Eight on one node, four at a time, and four on another: 0 to 3 on each."""
    code = f'echo "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES" > {tmp_path}/$SLURM_ARRAY_TASK_ID; sleep 3'
    job = submit(slurm, code, '--array=1-8', '--gres=gpu:1', '--nodelist=n1', '--mem=10')
    other = submit(slurm, code, '--array=11-14', '--gres=gpu:1', '--nodelist=n2')
    until(lambda: set(states(slurm, job).values()) == {'COMPLETED'})
    until(lambda: set(states(slurm, other).values()) == {'COMPLETED'})
    seen = sorted(path.read_text() for path in tmp_path.glob('*'))
    assert seen == sorted(f'{node} {gpu}\n' for node in ('n1', 'n1', 'n2') for gpu in range(4))


def test_that_the_accounting_tells_how_each_element_ended(slurm: Cluster) -> None:
    """States and exit codes of elements that ended differently."""
    code = 'case $SLURM_ARRAY_TASK_ID in 1) exit 0 ;; 2) exit 3 ;; 3) kill -9 $$ ;; esac'
    job = submit(slurm, code, '--array=1-3')
    words = ('sacct', '-X', '-n', '-P', '-o', 'JobID,State,ExitCode', '-j', job)
    until(lambda: slurm.ask(*words).count('FAILED') == 2)
    assert sorted(slurm.ask(*words).split()) == [
        f'{job}_1|COMPLETED|0:0',
        f'{job}_2|FAILED|3:0',
        f'{job}_3|FAILED|0:9',
    ]


def test_that_jobs_on_a_node_that_dies_end_as_node_fail(slurm: Cluster) -> None:
    """The controller notices by itself, and the node takes jobs again once it is back."""
    job = submit(slurm, 'sleep 300', '--nodelist=n3')
    running(slurm, job)
    slurm.kill_slurmd('n3')
    assert end(slurm, job) == 'NODE_FAIL'
    slurm.start_slurmd('n3')
    assert end(slurm, submit(slurm, ':', '--nodelist=n3')) == 'COMPLETED'


def test_that_a_job_on_a_node_reported_down_may_still_be_alive(slurm: Cluster, tmp_path: Path) -> None:
    """NODE_FAIL says nothing about processes: they go on until slurmd is back."""
    code = f'while :; do sleep 0.1; date +%N > {tmp_path}/beat.new; mv {tmp_path}/beat.new {tmp_path}/beat; done'
    job = submit(slurm, code, '--nodelist=n4')
    until((tmp_path / 'beat').exists)
    slurm.kill_slurmd('n4', processes=False)
    slurm.report_down('n4')
    assert end(slurm, job) == 'NODE_FAIL'
    before = (tmp_path / 'beat').read_text()
    until(lambda: (tmp_path / 'beat').read_text() != before)


def test_that_a_job_in_the_low_partition_is_preempted_by_the_high_one(slurm: Cluster) -> None:
    """And one in the main partition is not, which then keeps the high one waiting."""
    low = submit(slurm, 'sleep 300', '--partition=low', '--nodelist=n2', '--exclusive')
    main = submit(slurm, 'sleep 300', '--partition=main', '--nodelist=n1', '--exclusive')
    running(slurm, low)
    running(slurm, main)
    on_main = submit(slurm, ':', '--partition=high', '--nodelist=n1', '--exclusive')
    on_low = submit(slurm, ':', '--partition=high', '--nodelist=n2', '--exclusive')
    assert end(slurm, low) == 'PREEMPTED'
    assert end(slurm, on_low) == 'COMPLETED'
    assert states(slurm, main) == {main: 'RUNNING'}
    assert states(slurm, on_main) == {on_main: 'PENDING'}


def test_that_a_partition_ends_its_jobs_after_a_minute(slurm: Cluster) -> None:
    """Slurm looks at limits every half a minute."""
    job = submit(slurm, 'sleep 300', '--partition=short')
    running(slurm, job)
    assert end(slurm, job, 120.0) == 'TIMEOUT'


def test_that_a_qos_refuses_more_jobs_than_its_limit(slurm: Cluster) -> None:
    """In exactly these words, on which the reading of refusals relies; the whole array is refused."""
    refused = slurm.run('sbatch', '--qos=tight', '--array=1-6', '--output=/dev/null', stdin='#!/bin/sh\n:\n')
    assert refused.returncode == 1
    assert refused.stdout == ''
    assert refused.stderr == (
        'sbatch: error: QOSMaxSubmitJobPerUserLimit\n'
        'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy'
        " (job submit limit, user's size and/or time limits)\n"
    )
    assert end(slurm, submit(slurm, ':', '--qos=tight', '--array=1-5')) == 'COMPLETED'


def test_that_a_qos_lets_only_two_jobs_run_at_a_time(slurm: Cluster) -> None:
    """The others wait, with a reason that resolves."""
    job = submit(slurm, 'sleep 300', '--qos=few', '--array=1-3')
    until(lambda: sorted(states(slurm, job).values()) == ['PENDING', 'RUNNING', 'RUNNING'])
    until(lambda: 'QOSMaxJobsPerUserLimit' in slurm.ask('squeue', '-h', f'--jobs={job}', '--format=%r'))


@pytest.mark.skipif(
    not limits_memory(), reason='the memory of jobs cannot be limited on this host: no cgroups, version 1'
)
def test_that_a_job_with_too_much_memory_ends_as_out_of_memory(slurm: Cluster) -> None:
    """Not as a failure."""
    hog = f'exec {sys.executable} -c "x = bytearray(300 * 2**20); import time; time.sleep(60)"'
    assert end(slurm, submit(slurm, hog, '--mem=100')) == 'OUT_OF_MEMORY'


def test_that_jobs_go_on_while_the_controller_is_away(slurm: Cluster, tmp_path: Path) -> None:
    """Commands fail meanwhile, and the end is known when it is back."""
    job = submit(slurm, f'until [ -e {tmp_path}/away ]; do sleep 0.1; done; touch {tmp_path}/ended; exit 5')
    running(slurm, job)
    slurm.stop_controller()
    assert not slurm.is_up()
    (tmp_path / 'away').touch()
    until((tmp_path / 'ended').exists)
    slurm.start_controller()
    assert end(slurm, job) == 'FAILED'


def test_that_a_cancelled_pending_element_vanishes_without_a_trace(slurm: Cluster) -> None:
    """Neither the listing nor the accounting know it: being absent from both says nothing about who ended it."""
    job = submit(slurm, ':', '--array=1-3%1', '--nodelist=n1', '--begin=now+5')
    slurm.ask('scancel', f'{job}_2')
    until(lambda: states(slurm, job) == {f'{job}_1': 'COMPLETED', f'{job}_3': 'COMPLETED'})
    words = ('sacct', '-X', '-n', '-P', '-o', 'JobID', '-j', job)
    until(lambda: sorted(slurm.ask(*words).split()) == [f'{job}_1', f'{job}_3'])


def test_that_a_reset_brings_everything_back(slurm: Cluster) -> None:
    """After a test that left jobs, a dead node and a controller that does not answer."""
    submit(slurm, "trap '' TERM; while :; do sleep 1; done", '--array=1-40%30')
    slurm.kill_slurmd('n2')
    slurm.report_down('n1')
    slurm.pause_controller()
    slurm.reset()
    assert slurm.ask('squeue', '--noheader') == ''
    assert slurm.in_service()


def test_that_stop_ends_its_own_daemons_and_nothing_else(
    slurm: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two clusters beside each other; the second has no accounting and its own settings."""
    folder = tmp_path_factory.mktemp('s')
    second = Cluster(folder / 'c', accounting=False, settings={'EnforcePartLimits': 'ALL'})
    try:
        second.start()
        pids = [second.daemon(name).pid() for name in (*NODES, 'slurmctld', 'munged')]
        assert None not in pids
        told = second.run('sacct', '--parsable2')
        assert (told.returncode, told.stdout) == (1, '')
        assert told.stderr == 'Slurm accounting storage is disabled\n'
        refused = second.run('sbatch', '--partition=short', '--time=10', stdin='#!/bin/sh\n:\n')
        assert 'Requested time limit is invalid' in refused.stderr
        assert end(second, submit(second, ':')) == 'COMPLETED'
    finally:
        second.stop()
    assert not [pid for pid in pids if pid is not None and os.path.exists(f'/proc/{pid}/root')]
    assert slurm.is_up()
    assert slurm.in_service()


# ----------------------------------------------------------------------------------------------------------------------
# Without a cluster
# ----------------------------------------------------------------------------------------------------------------------


def test_that_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs with the packages that have them; a start does not begin without them."""
    monkeypatch.setattr('shutil.which', lambda name, path: None if name == 'munged' else f'/usr/bin/{name}')
    assert missing() == f'not installed: munged; on Debian: apt-get install --no-install-recommends {PACKAGES}'
    with pytest.raises(ClusterError, match='not installed: munged'):
        Cluster(tmp_path / 'c').start()
    assert not (tmp_path / 'c').exists()


def test_that_root_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything is installed."""
    monkeypatch.setattr('shutil.which', lambda name, path: f'/usr/bin/{name}')
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    assert 'needs root' in missing()


def test_that_other_clusters_are_not_taken_for_ours(tmp_path: Path) -> None:
    """A site's SLURM_CONF names a cluster on which tests have no business."""
    (tmp_path / 'slurm.conf').write_text('ClusterName=site\n')
    assert Cluster.at(tmp_path / 'slurm.conf') is None
    assert Cluster.at(Path()) is None


def test_that_a_folder_with_files_of_others_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as a site's /etc/slurm: a cluster removes its own files when it is made anew."""
    monkeypatch.setattr('tests.e2e.slurm.cluster.missing', lambda accounting: '')
    folder = tmp_path / 'slurm'
    folder.mkdir()
    (folder / 'slurm.conf').write_text('ClusterName=site\n')
    with pytest.raises(ClusterError, match='has files of others'):
        Cluster(folder).start()
    assert (folder / 'slurm.conf').read_text() == 'ClusterName=site\n'


def test_that_more_settings_come_last(tmp_path: Path) -> None:
    """Slurm takes the last of several."""
    conf = slurm_conf(tmp_path, range(17000, 17007), accounting=True, settings={'MinJobAge': '2'})
    assert conf.index('MinJobAge=300') < conf.index('MinJobAge=2\n')
