"""A real Slurm of four nodes on this host, for tests: all its daemons and files belong to one folder.

::

    eval "$(python3 tests/e2e/slurm/cluster.py start)"      # and then: sbatch, squeue, sacct, pytest
    python3 tests/e2e/slurm/cluster.py stop

It needs Linux, root, and Debian's packages (see `PACKAGES`), no systemd and no other library. Several clusters can run
beside each other, each in a folder of its own; each finds free ports. What it has is written in `slurm_conf` and
`ACCOUNTING`: nodes n1 to n4 with 8 CPUs, 5000 MiB and four pretend GPUs each; partitions main, short (one minute), low,
high (which preempts low) and hidden (not listed for users other than root unless they ask for it); QOS normal, tight (5
jobs submitted per user) and few (2 jobs running per user). `USER` may submit jobs as well.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PACKAGES = 'slurm-wlm slurmdbd munge mariadb-server'
"""What to install on Debian."""

PROGRAMS = ('slurmctld', 'slurmd', 'sbatch', 'squeue', 'scontrol', 'munged', 'mungekey')
ACCOUNTING_PROGRAMS = ('slurmdbd', 'sacctmgr', 'mariadbd', 'mariadb-install-db')

NODES = ('n1', 'n2', 'n3', 'n4')
DAEMONS = (*NODES, 'slurmctld', 'slurmdbd', 'mariadbd', 'munged')
"""In the order in which they are ended."""

USER = 'nobody'
"""A user who is not root and may submit jobs."""

GPUS = 4
"""Pretend GPUs per node."""

FIRST_PORT = 17000
LAST_PORT = 19000

PATIENCE = 90.0
"""Seconds for a daemon, or the cluster, to get where it should."""

SLURM_CONF = """\
ClusterName=hpsearch
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={first_node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
FirstJobId={first_job}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log

# Processes that made a session of their own are still found.
ProctrackType=proctrack/linuxproc
MpiDefault=none
SlurmdParameters=config_overrides

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
DefMemPerCPU=500

JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
{memory}

SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5,default_queue_depth=1000,bf_interval=5,bf_max_job_test=1000
PreemptType=preempt/partition_prio
PreemptMode=CANCEL

ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=15
InactiveLimit=0
KillWait=5
OverTimeLimit=0
UnkillableStepTimeout=60
MinJobAge=300
JobRequeue=1

{accounting}
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=1 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=1 PriorityTier=1 PreemptMode=OFF
PartitionName=low Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=1 PreemptMode=CANCEL
PartitionName=high Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=10 PreemptMode=OFF
PartitionName=hidden Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=1 PreemptMode=OFF Hidden=YES
{settings}
"""

WITH_CGROUPS = """\
TaskPlugin=task/cgroup
"""

WITHOUT_CGROUPS = """\
TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill
"""
"""Jobs with too much memory are ended here too, but they are said to have failed by signal 9."""

CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""

MEMORY_CGROUPS = Path('/sys/fs/cgroup/memory')

WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
# Where the accounting's messages are signed, which AuthInfo does not say.
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
"""

WITHOUT_ACCOUNTING = """\
AccountingStorageType=accounting_storage/none
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

DATABASE = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS 'slurm'@'%' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'%';
"""

ACCOUNTING = (
    'add cluster hpsearch',
    'add qos tight set MaxSubmitJobsPerUser=5',
    'add qos few set MaxJobsPerUser=2',
    'add account hps set Description=tests Organization=tests',
    'add account other set Description=tests Organization=tests',
    'add user root account=hps',
    'modify user where name=root set DefaultAccount=hps',
    'modify user where name=root account=hps set qos=normal,tight,few',
    f'add user {USER} account=hps',
)
"""What is told to sacctmgr, line by line; root has no association with the account *other*."""


class ClusterError(Exception):
    """The cluster cannot be had, with what is missing."""


def default_folder() -> Path:
    """Where the cluster is if no folder is named."""
    return Path(tempfile.gettempdir()) / 'hpsearch-slurm'


def missing(accounting: bool = True) -> str:
    """Why no cluster can run here.

    Args:
        accounting: Whether jobs are accounted for.

    Returns:
        One line, empty if nothing is missing.
    """
    if sys.platform != 'linux':
        return 'a Slurm cluster for tests needs Linux'
    absent = [name for name in PROGRAMS + ACCOUNTING_PROGRAMS * accounting if shutil.which(name, path=_path()) is None]
    if absent:
        return f'not installed: {", ".join(absent)}; on Debian: apt-get install --no-install-recommends {PACKAGES}'
    if os.geteuid() != 0:
        return 'a Slurm cluster for tests needs root: jobs run as who starts its daemons'
    return ''


def limits_memory() -> bool:
    """Whether this host can limit the memory of a job as clusters do, so that it ends as OUT_OF_MEMORY."""
    # Only the root of a hierarchy has this file; below it, as in most containers, Slurm cannot make groups.
    return (MEMORY_CGROUPS / 'release_agent').exists() and os.access(MEMORY_CGROUPS, os.W_OK)


# ----------------------------------------------------------------------------------------------------------------------
# Daemons
# ----------------------------------------------------------------------------------------------------------------------


class Daemon:
    """A program in the foreground of a session of its own, found again by its pid and start time.

    Args:
        record: File with its pid and start time.
        log: File for what it prints.
        words: The command line.
    """

    def __init__(self, record: Path, log: Path, words: Sequence[str]) -> None:
        self.record = record
        self.log = log
        self.words = words

    def pid(self) -> int | None:
        """The process, if it is alive."""
        try:
            pid, ticks = self.record.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _start_ticks(int(pid)) == ticks else None

    def start(self, env: Mapping[str, str]) -> None:
        """Start it, or let it go on if it is only stopped."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGCONT)
            return
        with open(self.log, 'ab') as log:
            process = subprocess.Popen(
                self.words, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd='/'
            )
        self.record.write_text(f'{process.pid} {_start_ticks(process.pid)}\n')

    def stop(self, number: int = signal.SIGTERM, patience: float = 20.0) -> None:
        """Signal it, and kill it if it is still there after so many seconds."""
        pid = self.pid()
        if pid is None:
            return
        # A stopped process would not see the other signal.
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, number)
        if not _comes(lambda: self.pid() is None, patience):
            os.kill(pid, signal.SIGKILL)
            _wait(lambda: self.pid() is None, f'{self.words[0]} (process {pid}) to end')


def _stat(pid: int) -> list[str]:
    """What Linux says of a process, from its state on; empty if it is no longer there."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _start_ticks(pid: int) -> str:
    """When a process started, in ticks since boot; empty if it is no longer there, or dead and unread."""
    fields = _stat(pid)
    return '' if not fields or fields[0] in 'ZX' else fields[19]


def _path() -> str:
    # The daemons are in folders that the PATH of a contributor's shell need not have.
    return f'{os.environ.get("PATH", os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin'


def _comes(look: Callable[[], bool], patience: float = PATIENCE) -> bool:
    end = time.monotonic() + patience
    while not look():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _wait(look: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    if not _comes(look, patience):
        raise ClusterError(f'waited {patience:.0f} s for {what}')


def as_user(words: Sequence[str]) -> list[str]:
    """A command line that is executed by `USER`, who may read and write whatever root may.

    So Slurm treats it as it treats any user, and the interpreter may be in a folder of root. Its jobs are ordinary.
    """
    account = pwd.getpwnam(USER)
    ids = [f'--reuid={account.pw_uid}', f'--regid={account.pw_gid}', '--clear-groups']
    return ['setpriv', *ids, '--inh-caps=+dac_override', '--ambient-caps=+dac_override', *words]


# ----------------------------------------------------------------------------------------------------------------------
# The cluster
# ----------------------------------------------------------------------------------------------------------------------


class Cluster:
    """Four nodes, their controller, and its accounting, all on this host.

    Args:
        folder: Where all its files are; no file of it is elsewhere.
        accounting: Whether jobs are accounted for, as almost everywhere; without, limits of a QOS cannot be had.
        settings: More lines of slurm.conf, by name.

    The last two count when the cluster is made, which `start` does when none of its daemons is alive.
    """

    def __init__(self, folder: Path, accounting: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self._with_accounting = accounting
        self.settings = dict(settings or {})

    @classmethod
    def at(cls, conf: Path) -> Cluster | None:
        """The cluster that a ``SLURM_CONF`` belongs to; None if that is not one of these."""
        cluster = cls(conf.parent)
        return cluster if conf.name == cluster.conf.name and cluster._mark.exists() else None

    @property
    def conf(self) -> Path:
        """Its ``SLURM_CONF``."""
        return self.folder / 'slurm.conf'

    @property
    def _mark(self) -> Path:
        # What tells a folder of ours, which may be removed, from anything else.
        return self.folder / 'made-by-slurm_cluster.py'

    @property
    def accounting(self) -> bool:
        """Whether its jobs are accounted for."""
        return (self.folder / 'slurmdbd.conf').exists()

    def variables(self) -> dict[str, str]:
        """What Slurm's commands need to find it."""
        return {'SLURM_CONF': str(self.conf)}

    def env(self) -> dict[str, str]:
        """This process's environment with it."""
        return {**os.environ, **self.variables(), 'PATH': _path()}

    def run(self, *words: str, stdin: str = '', timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm."""
        return subprocess.run(
            words, env=self.env(), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ask(self, *words: str, stdin: str = '') -> str:
        """What a command answers.

        Raises:
            ClusterError: It failed, with what it said.
        """
        answer = self.run(*words, stdin=stdin)
        if answer.returncode:
            raise ClusterError(f'{" ".join(words)}: {answer.stderr.strip() or answer.stdout.strip()}')
        return answer.stdout

    # -- start and stop ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring up what is not up, and wait until all nodes are in service and the accounting answers.

        Raises:
            ClusterError: Something is missing on this host, or a daemon does not get up, with its log.
        """
        problem = missing(self._with_accounting)
        if problem:
            raise ClusterError(problem)
        with self._alone():
            self._make_files()
            self.daemon('munged').start(self.env())
            self._comes_up('munged', (self.folder / 'munge.socket').is_socket)
            if self.accounting:
                self._start_accounting()
            self.start_controller()
            for node in NODES:
                self.daemon(node).start(self.env())
            _wait(self.in_service, f'four nodes to be in service; see {self.folder}/log')

    def stop(self) -> None:
        """End its jobs and its daemons, and nothing else."""
        self._end_jobs()
        for name in DAEMONS:
            self.daemon(name).stop()
        for node in NODES:
            _kill(self._node_processes(node))

    def _comes_up(self, name: str, look: Callable[[], bool]) -> None:
        daemon = self.daemon(name)
        if not _comes(lambda: look() or daemon.pid() is None) or daemon.pid() is None:
            said = ' '.join(daemon.log.read_text(errors='replace').splitlines()[-3:])
            raise ClusterError(f'{name} does not get up, see {self.folder}/log; it said: {said}')

    def in_service(self) -> bool:
        """Whether all nodes take jobs, or are full."""
        states = self._node_states()
        return len(states) == len(NODES) and all(state in ('idle', 'mixed', 'allocated') for state in states.values())

    def is_up(self) -> bool:
        """Whether its controller answers."""
        return self.conf.exists() and self.run('scontrol', 'ping').returncode == 0

    @contextmanager
    def reserved(self) -> Iterator[bool]:
        """Have it for oneself for a while; false if somebody else has it."""
        with self._lock('reserved') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else brings it up meanwhile."""
        with self._lock('lock') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _lock(self, name: str) -> IO[str]:
        # Beside the folder, which may be removed and made again.
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return open(self.folder.with_name(f'{self.folder.name}.{name}'), 'w')

    def _node_states(self) -> dict[str, str]:
        answer = self.run('sinfo', '--noheader', '--Node', '--format=%N %T')
        return dict(line.split()[:2] for line in answer.stdout.splitlines() if len(line.split()) >= 2)

    # -- disturbances --------------------------------------------------------------------------------------------------

    def kill_slurmd(self, node: str, processes: bool = True) -> None:
        """Kill the daemon of a node, as a dying host does.

        Args:
            node: Its name.
            processes: Kill also what runs there; otherwise its jobs go on, as on a host that lost its network.
        """
        self.daemon(node).stop(signal.SIGKILL)
        if processes:
            _kill(self._node_processes(node))

    def report_down(self, node: str) -> None:
        """Say that a node is down, as an administrator may, or as the controller notices after half a minute."""
        self.ask('scontrol', 'update', f'NodeName={node}', 'State=DOWN', 'Reason=test')

    def start_slurmd(self, node: str) -> None:
        """Start the daemon of a node, and wait until the node is back in service."""
        self.daemon(node).start(self.env())
        _wait(lambda: self._node_states().get(node) in ('idle', 'mixed', 'allocated'), f'node {node} to come back')

    def stop_controller(self, number: int = signal.SIGTERM) -> None:
        """End slurmctld; jobs go on, and every command has to do without it."""
        self.daemon('slurmctld').stop(number)

    def pause_controller(self) -> None:
        """Stop slurmctld where it is: commands reach it and get no answer."""
        pid = self.daemon('slurmctld').pid()
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)

    def start_controller(self) -> None:
        """Start slurmctld, or let it go on, and wait until it answers."""
        self.daemon('slurmctld').start(self.env())
        self._comes_up('slurmctld', self.is_up)

    def forget_jobs_after(self, seconds: int) -> None:
        """Let the controller keep what has ended for so many seconds."""
        text = self.conf.read_text()
        self.conf.write_text(re.sub(r'^MinJobAge=.*', f'MinJobAge={seconds}', text, flags=re.MULTILINE))
        self.ask('scontrol', 'reconfigure')

    def stop_accounting(self) -> None:
        """End slurmdbd; the controller keeps what it has to say until it is back."""
        self.daemon('slurmdbd').stop()

    def start_accounting(self) -> None:
        """Start slurmdbd, and wait until it answers."""
        self.daemon('slurmdbd').start(self.env())
        self._comes_up('slurmdbd', self._accounting_answers)

    def wait_idle(self) -> None:
        """Wait until no job is left and all nodes are idle.

        Raises:
            ClusterError: That does not come.
        """
        _wait(lambda: not self._jobs() and set(self._node_states().values()) == {'idle'}, 'the cluster to be idle')

    def reset(self) -> None:
        """Cancel all jobs, and bring everything back into service that a test left otherwise."""
        self.start()
        self._end_jobs()
        self.run('scontrol', 'update', 'NodeName=ALL', 'State=RESUME')
        self.run('scontrol', 'update', 'PartitionName=low', 'State=UP')
        self.wait_idle()

    def _jobs(self) -> list[str]:
        return self.run('squeue', '--noheader', '--format=%A').stdout.split()

    def _end_jobs(self) -> None:
        if not self.is_up() or not (jobs := self._jobs()):
            return
        self.run('scancel', '--state=PENDING', *jobs)
        # What slurmstepd does when a batch script dies is quick: otherwise jobs are left the time of KillWait.
        self.run('scancel', '--signal=KILL', '--batch', *jobs)
        self.run('scancel', *jobs)

    # -- files ---------------------------------------------------------------------------------------------------------

    def daemon(self, name: str) -> Daemon:
        """One of munged, mariadbd, slurmdbd, slurmctld, or the slurmd of a node, which has the node's name."""
        words = {
            'munged': _munged(self.folder),
            'mariadbd': _mariadbd(self.folder),
            'slurmdbd': ['slurmdbd', '-D'],
            'slurmctld': ['slurmctld', '-D', '-f', str(self.conf)],
        }.get(name, ['slurmd', '-D', '-f', str(self.conf), '-N', name])
        words[0] = shutil.which(words[0], path=_path()) or words[0]
        return Daemon(self.folder / 'pids' / name, self.folder / 'log' / f'{name}.out', words)

    def _make_files(self) -> None:
        if any(self.daemon(name).pid() is not None for name in DAEMONS):
            return
        self._make_folder()
        _call(['mungekey', '--create', '--force', f'--keyfile={self.folder}/munge.key'])
        for number in range(GPUS):
            path = self.folder / f'gpu{number}'
            if not path.exists():
                os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        gpus = f'Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]'
        (self.folder / 'cgroup.conf').write_text(CGROUP_CONF)
        (self.folder / 'gres.conf').write_text(''.join(f'NodeName={node} {gpus}\n' for node in NODES))
        ports = _free_ports(len(NODES) + 3)
        if self._with_accounting:
            self._write_private(
                'slurmdbd.conf', SLURMDBD_CONF.format(folder=self.folder, port=ports[1], database=ports[2])
            )
            (self.folder / 'database.port').write_text(str(ports[2]))
        self.conf.write_text(slurm_conf(self.folder, ports, self._with_accounting, self.settings))

    def _make_folder(self) -> None:
        if self._mark.exists():
            # Its ports may be somebody else's by now, and nobody needs its jobs of then.
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise ClusterError(f'{self.folder} has files of others: name a folder that is empty or not there')
        self._mark.touch()
        for name in ('pids', 'log', 'state', *(f'spool/{node}' for node in NODES)):
            (self.folder / name).mkdir(parents=True)

    def _write_private(self, name: str, text: str) -> None:
        # slurmdbd refuses a file with a password that others can read.
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _start_accounting(self) -> None:
        self._start_database()
        self.start_accounting()
        known = self.run('sacctmgr', '-nP', 'show', 'user', 'root', 'withassoc', 'format=account,qos').stdout
        if 'hps|few,normal,tight' not in known:
            for line in ACCOUNTING:
                # sacctmgr exits 1 where there is nothing new.
                self.run('sacctmgr', '--immediate', *line.split())

    def _start_database(self) -> None:
        data = self.folder / 'database'
        if not (data / 'mysql').is_dir():
            shutil.rmtree(data, ignore_errors=True)
            install = ['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--user=root', '--skip-test-db']
            _call([*install, '--auth-root-authentication-method=normal'])
            (self.folder / 'database.sql').write_text(DATABASE)
        self.daemon('mariadbd').start(self.env())
        self._comes_up('mariadbd', (self.folder / 'database.socket').is_socket)

    def _accounting_answers(self) -> bool:
        return self.run('sacctmgr', '-nP', 'show', 'cluster').returncode == 0

    def _node_processes(self, node: str) -> list[int]:
        """What runs on a node: first the daemons of its jobs, which would tell the controller how those end."""
        ours = {f'SLURMD_NODENAME={node}'.encode(), f'SLURM_CONF={self.conf}'.encode()}
        jobs = [pid for pid in _all_pids() if ours <= _environment(pid)]
        daemons = {parent for parent in map(_parent, jobs) if _name(parent) == 'slurmstepd'}
        return [*daemons, *jobs]


def slurm_conf(folder: Path, ports: Sequence[int], accounting: bool, settings: Mapping[str, str]) -> str:
    """The text of slurm.conf.

    Args:
        folder: The cluster's.
        ports: Of the controller, the accounting, its database, and each node.
        accounting: Whether jobs are accounted for.
        settings: More lines, by name.
    """
    host = socket.gethostname().partition('.')[0]
    nodes = [
        f'NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}'
        f' CPUs=8 RealMemory=5000 Gres=gpu:{GPUS} State=UNKNOWN'
        for node, port in zip(NODES, ports[3:], strict=True)
    ]
    return SLURM_CONF.format(
        host=host,
        controller=ports[0],
        # The groups of jobs are shared by all clusters of a host and named by job ids alone.
        first_job=(ports[0] - FIRST_PORT) * 10_000 + 1,
        memory=WITH_CGROUPS if limits_memory() else WITHOUT_CGROUPS,
        first_node=ports[3],
        folder=folder,
        accounting=(WITH_ACCOUNTING if accounting else WITHOUT_ACCOUNTING).format(port=ports[1], folder=folder),
        nodes='\n'.join(nodes),
        settings='\n'.join(f'{name}={value}' for name, value in settings.items()),
    )


def _munged(folder: Path) -> list[str]:
    files = [f'--{option}={folder}/munge.{option.partition("-")[0]}' for option in ('socket', 'key-file', 'pid-file')]
    # Forced, since a folder that only root can enter is fine here.
    return [
        'munged',
        '--foreground',
        '--force',
        *files,
        f'--seed-file={folder}/munge.seed',
        f'--log-file={folder}/log/munged.log',
    ]


def _mariadbd(folder: Path) -> list[str]:
    port = folder / 'database.port'
    words = ['mariadbd', '--no-defaults', '--user=root', '--bind-address=127.0.0.1']
    words += [
        f'--datadir={folder}/database',
        f'--socket={folder}/database.socket',
        f'--init-file={folder}/database.sql',
    ]
    words += [f'--port={port.read_text() if port.exists() else 0}', '--skip-name-resolve']
    # What a power failure would cost is worth nothing here.
    return [*words, '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=64M', '--innodb-log-file-size=8M']


def _call(words: Sequence[str]) -> None:
    done = subprocess.run(words, env={**os.environ, 'PATH': _path()}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f'{words[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}')


def _free_ports(count: int) -> list[int]:
    """Ports of this host that nobody listens at, below those that connections get."""
    found: list[int] = []
    # Two clusters that start at the same time look at different places.
    first = FIRST_PORT + os.getpid() * 10 % (LAST_PORT - FIRST_PORT)
    for port in (*range(first, LAST_PORT), *range(FIRST_PORT, first)):
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise ClusterError(f'no free ports between {FIRST_PORT} and {LAST_PORT}')


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir('/proc') if entry.isdigit()]


def _environment(pid: int) -> set[bytes]:
    try:
        return set(Path(f'/proc/{pid}/environ').read_bytes().split(b'\0'))
    except OSError:
        return set()


def _parent(pid: int) -> int:
    return int((_stat(pid) or ['', '0'])[1])


def _name(pid: int) -> str:
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''


# ----------------------------------------------------------------------------------------------------------------------
# For a session of tests
# ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def any_cluster(environment: Mapping[str, str]) -> Iterator[Cluster]:
    """The running cluster that ``SLURM_CONF`` names, if nobody else tests on it; otherwise one for as long as needed.

    Args:
        environment: Environment variables.

    Raises:
        ClusterError: No cluster can be had, with what is missing.
    """
    cluster = Cluster.at(Path(environment.get('SLURM_CONF', '')))
    if cluster is not None and cluster.is_up():
        with cluster.reserved() as ours:
            if ours:
                yield cluster
                return
    with new_cluster() as cluster:
        yield cluster


@contextmanager
def new_cluster(accounting: bool = True, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A cluster for as long as needed; for the arguments see `Cluster`."""
    # Not below pytest's folders: the names of sockets are at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix='hps-slurm-', ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # users other than root submit jobs, too
        cluster = Cluster(Path(folder) / 'cluster', accounting, settings)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


# ----------------------------------------------------------------------------------------------------------------------
# The command line
# ----------------------------------------------------------------------------------------------------------------------


def main(words: Sequence[str] | None = None) -> int:
    """Start, stop, or name a cluster, or check whether one can run here."""
    parser = argparse.ArgumentParser(description='A real Slurm of four nodes on this host, for tests.')
    parser.add_argument('verb', choices=('start', 'stop', 'env', 'check'))
    parser.add_argument('folder', nargs='?', type=Path, default=default_folder())
    parser.add_argument('--without_accounting', action='store_true')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', help='one more line of slurm.conf')
    options = parser.parse_args(words)
    settings = dict(setting.split('=', 1) for setting in options.set)
    cluster = Cluster(options.folder, not options.without_accounting, settings)
    try:
        _do(options.verb, cluster, not options.without_accounting)
    except ClusterError as error:
        print(f'slurm_cluster: {error}', file=sys.stderr)
        return 1
    return 0


def _do(verb: str, cluster: Cluster, accounting: bool) -> None:
    if verb == 'stop':
        cluster.stop()
    elif verb == 'check' and (problem := missing(accounting)):
        raise ClusterError(problem)
    elif verb == 'start':
        cluster.start()
    if verb in ('start', 'env'):
        print(*(f'export {name}={shlex.quote(value)}' for name, value in cluster.variables().items()), sep='\n')


if __name__ == '__main__':
    sys.exit(main())
