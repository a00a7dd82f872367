"""Searches on a real Slurm, as a user makes them: real commands, jobs that wait at gates, and counted calls."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.queue_projects import QueueProject
from tests.e2e.slurm.cluster import USER, Cluster, as_user
from tests.support import gates
from tests.support.harness import until
from tests.support.paths import REPOSITORY

T = TypeVar('T')

QUEUE = ('--run_cluster', '--scheduler=slurm', '--slurm_mem=100', '--slurm_gres=', '--num_hours=1')
"""Options of searches whose runs are small jobs; what is given after them wins."""

CALLED = ('sbatch', 'squeue', 'scancel', 'sacct', 'scontrol')

WRAPPER = """\
#!/bin/sh
echo "$(date +%s) {name} $*" >> {calls}
exec {program} "$@"
"""

PATIENCE = 150.0
"""Seconds a search may take: the machine is shared, and Slurm does some things every half minute only."""


class SlurmProject(QueueProject):
    """A project of runs that wait at gates, as jobs.

    Args:
        path: Where it is made.
        cluster: Where its jobs run.
        count: Number of runs, with ``--n`` from 1 on, in this order.
        more: More lines of the configuration.
        is_users: Whether the user of the cluster who is not root works on it.
    """

    def __init__(self, path: Path, cluster: Cluster, count: int = 3, more: str = '', *, is_users: bool = False) -> None:
        super().__init__(path, count, more, QUEUE, pause='0.2', patience=PATIENCE)
        self.cluster = cluster
        self._is_users = is_users
        self.env = {name: value for name, value in self.env.items() if not name.startswith(('SLURM_', 'SBATCH_'))}
        self.env.update(cluster.variables(), PATH=f'{self._wrappers()}{os.pathsep}{self.env["PATH"]}')

    def _wrappers(self) -> Path:
        folder = self.path / 'bin'
        folder.mkdir()
        for name in CALLED:
            text = WRAPPER.format(name=name, calls=self.path / 'calls.txt', program=shutil.which(name))
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        return folder

    def calls(self, name: str) -> list[str]:
        """How a command of Slurm was called by hpsearch, each call a line of its words."""
        path = self.path / 'calls.txt'
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split(' ', 1)[1] for line in lines if line.split()[1] == name]

    # Commands

    def command(self, *words: str) -> list[str]:
        """The words of a command of hpsearch."""
        found = super().command(*words)
        return as_user(found) if self._is_users else found

    def driver_command(self, settings: dict[str, Any], *words: str) -> list[str]:
        """The words of a command with other settings than a user has."""
        found = super().driver_command(settings, *words)
        return as_user(found) if self._is_users else found

    def postprocess(self, folder: Path) -> str:
        """What ``hpsearch-postprocess`` prints when it makes the table, executed in some folder."""
        library = self.path / 'library'
        library.mkdir(exist_ok=True)
        (library / 'hpsearch_postprocessing').symlink_to(REPOSITORY / 'postprocessing')
        code = 'import sys; from hpsearch_postprocessing.main import main; sys.exit(main())'
        env = {**self.env, 'PYTHONPATH': f'{library}{os.pathsep}{REPOSITORY}'}
        done = subprocess.run(
            [sys.executable, '-c', code, str(self.out)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sbatch(self, text: str, *options: str, name: str = 'my_job') -> str:
        """Submit a job script of one's own; returns the id of the job."""
        script = self.path / f'{name}.sh'
        script.write_text(text)
        words = ['sbatch', '--parsable', f'--output={self.path}/{name}.out', '--mem=500', *options, str(script)]
        done = subprocess.run(words, cwd=self.path, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    # What the queue says

    def job_state(self, job: str) -> str:
        """State of a job or of an element; empty where it is not known."""
        time.sleep(0.1)  # asked more often, the controller would have no time for its jobs
        answer = self.cluster.run('squeue', '-h', '-r', '--states=all', f'--jobs={job}', '--format=%i %T')
        states = [line.split()[1] for line in answer.stdout.splitlines() if line.split()[0] == job]
        return states[0] if states else ''

    def end_state(self, job: str) -> str:
        """State of a job that has ended; empty until then."""
        state = self.job_state(job)
        return '' if state in ('PENDING', 'RUNNING', 'COMPLETING') else state

    def in_queue(self, *states: str) -> list[str]:
        """Elements of this search that are pending or running, or in these states."""
        time.sleep(0.1)
        wanted = ','.join(states or ('PENDING', 'RUNNING', 'COMPLETING'))
        names = ','.join(self.submissions()) or 'none'
        return self.cluster.ask('squeue', '-h', '-r', f'--states={wanted}', f'--name={names}', '--format=%i').split()

    def alive_jobs(self) -> list[str]:
        """Elements of the accepted submissions of this search that have not ended, whatever their names are."""
        time.sleep(0.1)
        jobs = {event['job'] for event in self.told('accepted')}
        lines = self.cluster.ask('squeue', '-h', '-r', '--format=%F %i').splitlines()
        return [line.split()[1] for line in lines if line.split()[0] in jobs]

    def element(self, number: str, attempt: int = 1) -> str:
        """The element of an array in which an attempt is, by the value of ``--n``; waits until it is accepted."""
        name = self.run_name(number)

        def look() -> str:
            ids = {event['submission']: event['job'] for event in self.told('accepted')}
            for event in self.told('submitting'):
                if [name, attempt] in event.get('attempts', ()) and event['submission'] in ids:
                    return f'{ids[event["submission"]]}_{event["attempts"].index([name, attempt]) + 1}'
            return ''

        return until(look)

    def wait_for_begun(self, count: int, patience: float = 90.0) -> None:
        """Wait until so many scripts have begun, all attempts counted."""
        until(lambda: len(self.begun()) >= count, patience)

    def wait_for_pilots(self, count: int) -> None:
        """Wait until so many jobs work on the search."""
        until(lambda: len(self.pilots()) >= count, 90.0)

    def clean(self) -> None:
        """End what a failed test left behind."""
        super().clean()
        for name in self.submissions():
            self.cluster.run('scancel', f'--name={name}')
        for job in {event['job'] for event in self.told('accepted')}:
            self.cluster.run('scancel', job)


@contextmanager
def users_project(cluster: Cluster, count: int = 3, more: str = '') -> Iterator[SlurmProject]:
    """The same, of the user of the cluster who is not root, whose jobs cannot enter the folders of root."""
    account = pwd.getpwnam(USER)
    with tempfile.TemporaryDirectory(prefix='hps-user-', ignore_cleanup_errors=True) as folder:
        os.chown(folder, account.pw_uid, account.pw_gid)
        project = SlurmProject(Path(folder) / 'project', cluster, count, more, is_users=True)
        os.chown(project.path, account.pw_uid, account.pw_gid)
        try:
            yield project
        finally:
            project.clean()


@contextmanager
def slurm_project(path: Path, cluster: Cluster, count: int = 3, more: str = '') -> Iterator[SlurmProject]:
    """A project whose processes and jobs are gone at the end."""
    project = SlurmProject(path, cluster, count, more)
    try:
        yield project
    finally:
        project.clean()


def finish(process: subprocess.Popen[str], codes: Sequence[int] = (0,)) -> str:
    """Wait for the end of a command; returns what it printed."""
    return gates.finish(process, codes, PATIENCE)


def slowly(look: Callable[[], T], patience: float = 90.0) -> T:
    """Wait for something that is dear to look at."""

    def wait() -> T:
        time.sleep(0.3)
        return look()

    return until(wait, patience)


def hpsearch_line(*words: str) -> str:
    """A line of a job script that executes hpsearch."""
    return ' '.join([sys.executable, '-m', 'hpsearch', *words])
