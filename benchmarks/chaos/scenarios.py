"""What can be wrong with a search, a folder, a machine: how hpsearch is started there, and which blows fall."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos import blows
from benchmarks.chaos.place import CHECKOUT, Start
from benchmarks.chaos.storm import Storm

Blow = Callable[[Storm], bool]

ORDINARY: Mapping[Blow, int] = {
    blows.kill_writer: 40,
    blows.stop_writer: 20,
    blows.kill_run: 15,
    blows.kill_shell: 10,
    blows.stop_run: 15,
    blows.remove_fence: 10,
}
"""What is done, and how often."""

OWNER, GUEST = 54321, 54322
"""Two users who need not exist."""

ADAPTIVE = ('--search=random', '--max_trials={runs}')
"""Of a grid of so many combinations each is chosen once: the search is judged as one that was planned."""

EIO = 'CHAOS_EIO_LIBRARY'
"""Where the library that lets reads fail was put."""


@dataclass(frozen=True)
class Scenario:
    """One of them.

    Attributes:
        what: In words.
        blows: What is done, and how often.
        start: How the next hpsearch is started.
        company: How often a single writer gets a second one (0-1), at each blow.
        wrapper: Words before those of the process that works on one search.
        missing: Why this machine cannot have it, or empty.
        exit_codes: With what an hpsearch may end, beside 0, if it says why.
        may_be_odd: Whether journals are damaged.
        options: Further options of the search; ``{runs}`` stands for the number of its runs.
    """

    what: str
    blows: Mapping[Blow, int] = field(default_factory=lambda: ORDINARY)
    start: Callable[[Storm], Start] = lambda storm: Start()
    company: float = 0.3
    wrapper: Sequence[str] = ()
    missing: Callable[[], str] = lambda: ''
    exit_codes: tuple[int, ...] = ()
    may_be_odd: bool = False
    options: Sequence[str] = ()


# How hpsearch is started


def under_any_name(storm: Storm) -> Start:
    """The folder has several names."""
    link = storm.place.path / 'link'
    names = [Start(), Start('link/out'), Start(str(link / 'out')), Start('./link/../out'), Start('link/link/out')]
    if storm.place.has_plan():
        names += [Start('.', 'out'), Start('.', 'link/out')]
    return storm.random.choice(names)


def through_a_mount(storm: Storm) -> Start:
    """The folder has a second name that no link leads to."""
    bound = storm.place.path / 'bound'
    if not bound.exists():
        bound.mkdir()
        subprocess.run(['mount', '--bind', storm.place.path, bound], check=True)
    return storm.random.choice([Start(), Start('bound/out')])


def as_any_user(storm: Storm) -> Start:
    """The search of one user is helped with by another one, to whom the folder was opened."""
    if not storm.place.has_plan():
        return Start(program=(*_as_user(OWNER), *Start().program))
    return Start(program=(*_as_user(storm.random.choice([OWNER, GUEST])), *Start().program), options=('--trust',))


def _as_user(user: int) -> Sequence[str]:
    """Both may write everywhere, as an access control list would have it, and read the interpreter."""
    capabilities = ('--inh-caps=+dac_override', '--ambient-caps=+dac_override')
    return ('setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups', *capabilities)


def on_any_clone(storm: Storm) -> Start:
    """Two machines of the same name and machine id, which tell their boots apart by the boot id alone."""
    machine = storm.random.choice('ab')
    boot = f'boot {storm.boots[machine]} of {machine}'
    program = _driven({'boot': boot, 'intervals': {'SPACING': 0.5}})
    return Start(program=program, variables={'CHAOS_MACHINE': machine})


def with_shorter_waits(storm: Storm) -> Start:
    """A writer whose host is not known any more is watched for a minute otherwise."""
    return Start(program=_driven({}))


def _driven(settings: Mapping[str, Any]) -> Sequence[str]:
    driver = CHECKOUT / 'tests' / 'fakes' / 'host_driver.py'
    return sys.executable, str(driver), json.dumps(settings)


def with_failing_reads(storm: Storm) -> Start:
    """Reads fail on demand."""
    return Start(variables={'LD_PRELOAD': os.environ[EIO], 'CHAOS_EIO': str(storm.place.path.resolve())})


# What has to be there


def needs_root() -> str:
    """Another user, a mount, a pid namespace."""
    if os.geteuid() != 0:
        return 'needs root'
    return ', '.join(f'there is no {program}' for program in ('setpriv', 'unshare') if shutil.which(program) is None)


def needs_hidepid() -> str:
    """A /proc of one's own."""
    return needs_root() or _refused(*HIDEPID, 'true')


def needs_pids() -> str:
    """A pid namespace whose last process id can be set."""
    return needs_root() or _refused(*PIDS, 'sh', '-c', f'echo 100 > {blows.LAST_PID}')


def needs_a_compiler() -> str:
    """A library is compiled."""
    return '' if EIO in os.environ else 'there is no C compiler'


def compile_eio(folder: Path) -> None:
    """Make the library that lets reads fail, if there is a compiler."""
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is not None:
        source, library = Path(__file__).with_name('eio.c'), folder / 'eio.so'
        subprocess.run([compiler, '-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'], check=True)
        os.environ[EIO] = str(library)


def _refused(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return '' if done.returncode == 0 else f'refused here: {done.stderr.strip()[-200:]}'


HIDEPID = ('unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh')
PIDS = ('unshare', '-pf', '--kill-child', '--mount-proc', 'sh', '-c', '"$@"; exit $?', 'sh')
"""The sh becomes the first process of the namespace, and so waits for those whose parents are gone."""

SCENARIOS: Mapping[str, Scenario] = {
    'kills': Scenario('dispatchers and runs are killed and stopped'),
    'adaptive': Scenario(
        'runs are chosen while the search goes, until all combinations have been', company=0.8, options=ADAPTIVE
    ),
    'names': Scenario('the folder has several names', start=under_any_name),
    'mounts': Scenario(
        'the folder is mounted twice', start=through_a_mount, wrapper=('unshare', '-m'), missing=needs_root
    ),
    'fences': Scenario(
        'start fences and folders of attempts are deleted',
        blows={**ORDINARY, blows.remove_fence: 50, blows.remove_records: 20},
    ),
    'journals': Scenario(
        'journals lose their first line',
        blows={**ORDINARY, blows.behead_journal: 60},
        start=with_shorter_waits,
        exit_codes=(1,),
        may_be_odd=True,
    ),
    'eio': Scenario(
        'reads fail with EIO',
        blows={**ORDINARY, blows.fail_one_read: 80, blows.fail_reads: 20},
        start=with_failing_reads,
        missing=needs_a_compiler,
        exit_codes=(1, 2),
    ),
    'users': Scenario('two users', start=as_any_user, company=0.8, missing=needs_root, exit_codes=(1,)),
    'hidepid': Scenario(
        'two users who do not see each other',
        start=as_any_user,
        company=0.8,
        wrapper=HIDEPID,
        missing=needs_hidepid,
        exit_codes=(1,),
    ),
    'pids': Scenario(
        'process ids are used again',
        blows={**ORDINARY, blows.rewind_pids: 30, blows.reuse_pid: 50, blows.end_innocent: 10},
        wrapper=PIDS,
        missing=needs_pids,
    ),
    'clones': Scenario(
        'two machines that look like one',
        blows={
            blows.kill_machine: 30,
            blows.stop_writer: 20,
            blows.kill_run: 15,
            blows.kill_shell: 10,
            blows.stop_run: 15,
        },
        start=on_any_clone,
        company=0.8,
        exit_codes=(1,),  # the other machine may be dead, with a run of which nobody knows
    ),
}
