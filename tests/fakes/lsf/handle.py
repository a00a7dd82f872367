"""What tests do with a pretend LSF."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.lsf.cluster import settle
from tests.fakes.lsf.main import MODULES
from tests.fakes.lsf.store import DEFAULTS, Store, clock, pairs, title

if TYPE_CHECKING:
    from tests.fakes.lsf.store import Element, Job

ROOT = Path(__file__).resolve().parents[3]

EXECUTABLE = """\
#!{python} -SEs
import sys
sys.path.insert(0, {root!r})
from tests.fakes.lsf.main import main
sys.exit(main({name!r}, {path!r}, sys.argv[1:]))
"""

FOR_EVER = 10.0**6
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An element of a job.

    Attributes:
        job: Number of the job.
        index: Which element; 0: the job is no array.
        name: As bjobs lists it, as ``arr[4]``.
        state: As bjobs prints it.
        code: Exit status, or None.
        signal: Signal that ended it, or None.
        host: Where it ran; empty: nowhere.
        reason: IBM's termination reason.
        runs: How often it was started.
        started: When it was last started, in seconds since 1970, or None.
        ended: When it ended, or None.
        group: The process group of its script, or None.
        supervisor: The process that watches it, or None.
        options: What it was submitted with, by option.
    """

    job: int
    index: int
    name: str
    state: str
    code: int | None
    signal: int | None
    host: str
    reason: str
    runs: int
    started: float | None
    ended: float | None
    group: int | None
    supervisor: int | None
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was executed.

    Attributes:
        command: Its name.
        argv: The words behind it.
        at: When, in seconds since 1970.
    """

    command: str
    argv: tuple[str, ...]
    at: float


class FakeLsf:
    """A pretend LSF.

    Args:
        path: Its folder, which is made.
        dialect: ``volclava`` or ``ibm``.
        settings: As for :meth:`set`.
    """

    def __init__(self, path: Path, dialect: str = 'volclava', **settings: Any) -> None:
        self.path = path.absolute()
        for name in ('bin', 'jobs', 'spool', 'mail'):
            (self.path / name).mkdir(parents=True)
        for name in MODULES:
            executable = self.path / 'bin' / name
            executable.write_text(
                EXECUTABLE.format(python=sys.executable, root=str(ROOT), name=name, path=str(self.path))
            )
            executable.chmod(0o755)
        self._store = Store(str(self.path))
        self._store.write({'user': getpass.getuser()}, 'settings.json')
        self.set(dialect=dialect, **settings)

    def env(self) -> dict[str, str]:
        """This process's environment with the commands in it, and nothing of a job this process may run in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(('LSB_', 'LSF_'))}
        here = {'FAKE_LSF_DIR': str(self.path), 'LSF_ENVDIR': str(self.path)}
        return {**kept, **here, 'PATH': f'{self.path}/bin:{os.environ.get("PATH", os.defpath)}'}

    def run(
        self,
        *words: str,
        stdin: str = '',
        timeout: float = 60.0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        **more: str,
    ) -> subprocess.CompletedProcess[str]:
        """Execute a command.

        Args:
            words: The command.
            stdin: What it reads.
            timeout: Seconds it may take.
            cwd: Where.
            env: The environment, in place of :meth:`env`.
            more: Further environment variables.
        """
        return subprocess.run(
            [str(self.path / 'bin' / words[0]), *words[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            env={**(self.env() if env is None else env), **more},
            timeout=timeout,
            cwd=cwd,
            check=False,
        )

    def set(self, **settings: Any) -> None:
        """Change what the cluster is like; what can start now does.

        ``cluster``, ``user`` and ``submit_host``: names. ``hosts``: names. ``slots`` and ``gpus``: of each host.
        ``memory``: MiB that a job may reserve. ``queues``: by name, each with perhaps ``run_limit`` (minutes) and
        ``is_closed``. ``default_queue``. ``max_array_size``. ``max_pending``: elements that may wait, None: any number;
        ``submit_retry_interval``: seconds after which bsub then tries again. ``clean_period``: seconds after which
        bjobs forgets. ``terminate_interval``: seconds between INT, TERM and KILL. ``minute``: seconds that a minute of
        a run limit takes; ``minutes_to_obey``: such minutes between the limit and KILL. ``array_kill_delay``: seconds
        after which the waiting elements of a killed array are gone. ``is_down``: no daemon answers, and
        ``retry_interval``: seconds between two complaints about that. ``consistent_exit_code``: IBM's bjobs exits 255
        when nothing is listed. ``forgotten`` and ``forgotten_by_history``: numbers of jobs that bjobs, or bhist, does
        not know. ``resources``: more names for resource requirements. ``is_closed``: nothing starts. ``starts``: by
        number of a job (as text), how many of its elements may start at all.
        """
        unknown = settings.keys() - DEFAULTS.keys()
        assert not unknown, f'no such settings: {sorted(unknown)}'
        self._control('set', settings=settings)

    def _control(self, operation: str, **more: Any) -> None:
        done = self.run('fake_lsf', json.dumps({'do': operation, **more}))
        assert done.returncode == 0, done.stderr

    # -- what is there -------------------------------------------------------------------------------------------------

    def jobs(self) -> list[Seen]:
        """Every element of every job, also of those that no command knows any more."""
        with self._store.locked():
            settle(self._store, clock())
            jobs = self._store.jobs()
        return [_seen(job, element) for job, element in pairs(jobs)]

    def job(self, number: int, index: int = 0) -> Seen:
        """One element."""
        return next(seen for seen in self.jobs() if (seen.job, seen.index) == (number, index))

    def calls(self, command: str = '') -> list[Call]:
        """What was called, in order.

        Args:
            command: Only this one; empty: all.
        """
        try:
            lines = (self.path / 'calls.jsonl').read_text(errors='surrogateescape').splitlines()
        except FileNotFoundError:
            return []
        calls = [Call(each['command'], tuple(each['argv']), each['at']) for each in map(json.loads, lines)]
        return [call for call in calls if command in ('', call.command)]

    def mails(self) -> list[str]:
        """Mail that was sent."""
        files = sorted((self.path / 'mail').iterdir(), key=lambda file: int(file.name))
        return [file.read_text(errors='replace') for file in files]

    def errors(self) -> list[str]:
        """Tracebacks of processes that watch jobs, which nobody else would see."""
        try:
            return (self.path / 'errors.jsonl').read_text().splitlines()
        except FileNotFoundError:
            return []

    # -- troubles ------------------------------------------------------------------------------------------------------

    def fail(
        self,
        command: str,
        times: int = 1,
        *,
        err: str = 'Failed in an LSF library call: Communication time out',
        out: str = '',
        code: int = 255,
        skip: int = 0,
        acted: bool = False,
    ) -> None:
        """Let a command fail.

        Args:
            command: Its name; ``*``: any.
            times: How often; -1: always.
            err: What it complains.
            out: What it prints.
            code: Its exit status.
            skip: So many calls before are spared.
            acted: Whether it does what it should all the same.
        """
        err = f'{err}\n' if err and not err.endswith('\n') else err
        self._add({'command': command, 'times': times, 'code': code, 'out': out, 'err': err}, 0.0, skip, acted)

    def delay(
        self, command: str, seconds: float = FOR_EVER, times: int = 1, *, skip: int = 0, acted: bool = False
    ) -> None:
        """Let a command answer late, or hang.

        Args:
            command: Its name; ``*``: any.
            seconds: How late.
            times: How often; -1: always.
            skip: So many calls before are spared.
            acted: Whether it does what it should at once, and only says so late.
        """
        self._add({'command': command, 'times': times, 'code': None, 'out': '', 'err': ''}, seconds, skip, acted)

    def _add(self, fault: dict[str, Any], seconds: float, skip: int, acted: bool) -> None:
        with self._store.locked():
            faults = self._store.read('faults.json') or []
            self._store.write([*faults, {**fault, 'seconds': seconds, 'skip': skip, 'acted': acted}], 'faults.json')

    def heal(self) -> None:
        """No command has troubles any more, and the daemons are up."""
        with self._store.locked():
            self._store.write([], 'faults.json')
        self.set(is_down=False)

    def forget(self, *numbers: int, also_history: bool = False) -> None:
        """Let bjobs forget jobs, and perhaps bhist too."""
        known = Store(str(self.path)).settings()
        self.set(forgotten=[*known['forgotten'], *numbers])
        if also_history:
            self.set(forgotten_by_history=[*known['forgotten_by_history'], *numbers])

    def lose_host(self, host: str, processes: bool = True) -> None:
        """Let a host be out of reach.

        Args:
            host: Its name.
            processes: Whether its processes are killed; otherwise they go on.
        """
        self._control('lose', host=host, processes=processes)

    def regain_host(self, host: str) -> None:
        """Let a host be back, with what is known of its jobs then."""
        self._control('regain', host=host)

    def preempt(self, number: int, index: int = 0, how: str = 'kill') -> None:
        """Let a running element make room.

        Args:
            number: Its job.
            index: The element.
            how: ``kill``, ``requeue``, ``suspend``, or ``resume`` after that.
        """
        self._control('preempt', number=number, index=index, how=how)

    def set_state(self, number: int, index: int, state: str) -> None:
        """Let a state be shown that does not come by itself here, as ``PROV`` or ``WAIT``."""
        self._control('state', number=number, index=index, state=state)

    def end(self) -> None:
        """Kill everything that runs in it, and every command of it that has not ended."""
        self._store.write({**(self._store.read('settings.json') or {}), 'is_closed': True}, 'settings.json')
        limit = time.monotonic() + 20
        while alive := self._processes():
            for pid in alive:
                _kill(os.kill, pid)
            assert time.monotonic() < limit, f'processes that cannot be killed: {alive}'
            time.sleep(0.02)
        with self._store.locked():
            known = list(pairs(self._store.jobs()))
        if not Path('/proc').is_dir():
            for _, element in known:
                if element['ended'] is None and element['group']:
                    _kill(os.killpg, element['group'])

    def _processes(self) -> list[int]:
        """Processes of jobs, what watches them, and commands."""
        pids = [int(entry) for entry in os.listdir('/proc') if entry.isdigit()] if Path('/proc').is_dir() else []
        return [pid for pid in pids if pid != os.getpid() and self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            state = Path(f'/proc/{pid}/stat').read_text(errors='replace').rpartition(')')[2].split()[0]
            command = Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
            environment = Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')
        except OSError:
            return False
        if state in 'ZX':
            return False
        here = os.fsencode(self.path)
        is_job = b'FAKE_LSF_DIR=' + here in environment and any(each.startswith(b'LSB_JOBID=') for each in environment)
        return is_job or any(word.startswith((here + b'/bin/', here + b'/spool/')) for word in command)


def _kill(send: Any, number: int) -> None:
    try:
        send(number, signal.SIGKILL)
    except ProcessLookupError:
        return


def _seen(job: Job, element: Element) -> Seen:
    return Seen(
        job['id'],
        element['index'],
        title(job, element),
        element['state'],
        element['code'],
        element['signal'],
        element['host'],
        element['reason'],
        element['runs'],
        element['started'],
        element['ended'],
        element['group'],
        element['pid'],
        job['options'],
    )
