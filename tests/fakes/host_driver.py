"""Runs one command of hpsearch as if it were on another host, with shorter intervals, or with a file system in trouble.

    python host_driver.py SETTINGS WORD …

SETTINGS is JSON: ``host`` (name of the host; empty: this one), ``boot`` (its boot id: a clone of this host if nothing
else differs), ``intervals`` (seconds by name, where the usual haste is too much), ``at_spawn`` (``{"3": "SIGSTOP"}``:
the process gets that signal right before its third start of an attempt), ``broken_while`` (a file; while it exists,
whatever changes something in the search folder fails), ``errno`` (with which error), ``late_records`` (a file; while it
exists, no exit record is seen, and one that was looked for too early is denied until its folder is listed), ``queue``
(``timeout``: seconds that a command of a queue system may take at most; ``retry``: seconds before a submission or a
question that failed is tried again; ``record_grace``: seconds a record may be late; ``absent``: seconds after which a
job is absent), ``pruner`` (every pruner is a :class:`~tests.fakes.threshold_pruner.ThresholdPruner` with these
attributes).
"""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpsearch.backends.queue import backend as queue
from hpsearch.backends.queue import commands as jobs
from hpsearch.backends.queue import pilots, poller
from hpsearch.backends.queue.batch_system import CommandResult
from hpsearch.cli import main as cli
from hpsearch.cli import stop as stopping
from hpsearch.cli.adaptive import pruning
from hpsearch.dispatch import dispatcher, heartbeat, peers, strategies
from hpsearch.dispatch.adaptive import promotions
from hpsearch.host import kernel
from hpsearch.store import writers
from tests.fakes.late_records import LateRecords
from tests.fakes.threshold_pruner import ThresholdPruner

assert pilots  # what it imports is hurried, too

INTERVALS: tuple[tuple[object, str, float], ...] = (
    (writers, 'SPACING', 0.1),
    (writers, 'LARGEST_GAP', 2.0),
    (heartbeat, 'BEAT_INTERVAL', 0.1),
    (dispatcher, 'NEWS_INTERVAL', 0.1),
    (dispatcher, 'TICK', 0.1),
    (dispatcher, 'PAUSE', 0.2),
    (dispatcher, 'GAP', 0.5),
    (peers, 'RECOVERY_INTERVAL', 0.1),
    (strategies, 'LATE_INTERVAL', 0.2),
    (peers, 'TORN_PATIENCE', 0.5),
    (stopping, 'POLL_INTERVAL', 0.05),
)


def be_on(name: str) -> None:
    """Let this process be on another host."""
    real = kernel.this_host()
    other = replace(real, name=name, machine=f'machine of {name}', boot=f'boot of {name}', namespace=f'pid:[{name}]')
    setattr(kernel, 'this_host', lambda: other)  # noqa: B010
    os.environ['TMPDIR'] = os.path.abspath(f'tmp of {name}')  # where the lock of a host lies
    os.makedirs(os.environ['TMPDIR'], exist_ok=True)


def be_a_clone(boot: str) -> None:
    """Let this process be on a machine that differs from this one in its boot id alone."""
    other = replace(kernel.this_host(), boot=boot)
    setattr(kernel, 'this_host', lambda: other)  # noqa: B010


def signal_at_spawns(which: dict[str, str]) -> None:
    """Send this process a signal before certain starts of attempts."""
    real = os.posix_spawn
    count = 0

    def spawn(*args: Any, **options: Any) -> int:
        nonlocal count
        count += 1
        if str(count) in which:
            os.kill(os.getpid(), getattr(signal, which[str(count)]))
        return real(*args, **options)

    setattr(os, 'posix_spawn', spawn)  # noqa: B010


def break_while(flag: str, number: int) -> None:
    """Let changes of the search folder fail while a file exists."""

    def guarded(real: Callable[..., Any], is_change: Callable[..., bool]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if is_change(*args, **options) and os.path.exists(flag):
                raise OSError(number, os.strerror(number))
            return real(*args, **options)

        return call

    for name in ('mkdir', 'rename', 'replace', 'link', 'unlink', 'write', 'fsync'):
        setattr(os, name, guarded(getattr(os, name), _is_inside))
    setattr(os, 'open', guarded(os.open, _creates))  # noqa: B010
    setattr(builtins, 'open', guarded(builtins.open, _writes))  # noqa: B010
    setattr(io, 'open', builtins.open)  # noqa: B010


def _is_inside(where: Any, *_: Any, **__: Any) -> bool:
    if isinstance(where, int):
        return '/out/' in os.readlink(f'/proc/self/fd/{where}')
    return '/out/' in f'{os.path.abspath(os.fspath(where))}/'


def _creates(path: Any, flags: int, *_: Any, **__: Any) -> bool:
    return bool(flags & (os.O_CREAT | os.O_WRONLY)) and _is_inside(path)


def _writes(path: Any, mode: str = 'r', *_: Any, **__: Any) -> bool:
    return bool(set(mode) & set('wax+')) and not isinstance(path, int) and _is_inside(path)


def hurry_queue(timeout: float, retry: float, record_grace: float, absent: float = poller.ABSENT_AFTER) -> None:
    """Wait less for a queue system that does not answer, and for records."""
    real = jobs.execute

    def execute(words: Sequence[str], environment: Mapping[str, str], stdin: bytes, patience: float) -> CommandResult:
        return real(words, environment, stdin, min(timeout, patience))

    setattr(jobs, 'execute', execute)  # noqa: B010
    setattr(poller, 'ABSENT_AFTER', absent)  # noqa: B010
    for name, module in list(sys.modules.items()):
        if name.startswith('hpsearch.backends.') and hasattr(module, 'RETRY'):
            setattr(module, 'RETRY', retry)  # noqa: B010
    queue.QueueBackend.__init__.__kwdefaults__ = {
        **(queue.QueueBackend.__init__.__kwdefaults__ or {}),
        'record_grace': record_grace,
    }


def stop_above(**attributes: Any) -> None:
    """Let every pruner be one that stops what is above a threshold."""
    for module in (promotions, pruning):
        setattr(module, 'make_pruner', lambda name, options: ThresholdPruner(**attributes))  # noqa: B010


def main() -> int:
    """Run the command."""
    settings = json.loads(sys.argv[1])
    for module, name, value in INTERVALS:
        assert isinstance(getattr(module, name), float), name
        setattr(module, name, settings.get('intervals', {}).get(name, value))
    for name, do in (('host', be_on), ('boot', be_a_clone), ('at_spawn', signal_at_spawns)):
        if settings.get(name):
            do(settings[name])
    if settings.get('broken_while'):
        break_while(settings['broken_while'], settings['errno'])
    if 'late_records' in settings:
        hidden = settings['late_records']
        LateRecords(lambda: os.access(hidden, os.F_OK)).install()
    if settings.get('pruner'):
        stop_above(**settings['pruner'])
    if settings.get('queue'):
        hurry_queue(**settings['queue'])
    return cli.main(sys.argv[2:])


if __name__ == '__main__':
    sys.exit(main())
