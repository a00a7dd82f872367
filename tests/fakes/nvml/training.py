"""A training script on the box of stand-in GPUs: it takes memory in steps, may run out of it, and shares the card.

What a process uses is a file named after its pid, ``<start time> <MiB> <load in per cent> <GPU> ...``, in the folder
that the state of the stand-in names as ``box``; the stand-in counts those of processes that live. Scripts import this
module by its path, so it imports nothing but the standard library.
"""

from __future__ import annotations

import ast
import atexit
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICK = 0.05
"""Seconds between two looks at how busy the card is."""

STEPS = 3
"""In how many steps a script takes its memory."""


@dataclass(frozen=True)
class Use:
    """What a process that lives uses of its GPUs: MiB and load (per cent) on each."""

    pid: int
    memory: int
    load: int
    gpus: tuple[str, ...]


class Cards:
    """The GPUs of a box, as the processes on it see them.

    Args:
        state: The file of the stand-in.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self.folder = Path(self._values()['box'])

    def _values(self) -> dict[str, str]:
        lines = (line.partition(' ') for line in self._state.read_text().splitlines())
        return {key: value for key, _, value in lines}

    def named(self, visible: str) -> tuple[str, ...]:
        """The GPUs that ``CUDA_VISIBLE_DEVICES`` names, by number or UUID."""
        uuids = {value: key.split('.')[1] for key, value in self._values().items() if key.endswith('.uuid')}
        return tuple(uuids.get(entry, entry) for entry in visible.split(',') if entry)

    def uses(self) -> list[Use]:
        """What every process that lives uses."""
        found = []
        for path in self.folder.iterdir():
            if path.name.isdecimal():
                with suppress(OSError, ValueError):  # it ends right now
                    ticks, memory, load, *gpus = path.read_text().split()
                    if start_time(int(path.name)) == ticks:
                        found.append(Use(int(path.name), int(memory), int(load), tuple(gpus)))
        return found

    def load(self, gpu: str) -> int:
        """The load that is asked of a GPU, in per cent; more than 100: each gets its share."""
        return int(self._values().get(f'gpu.{gpu}.load', 0)) + sum(use.load for use in self.uses() if gpu in use.gpus)

    def free(self, gpu: str, pid: int) -> int:
        """MiB that a process can have of a GPU."""
        values = self._values()
        total, used, reserved = (int(values.get(f'gpu.{gpu}.{key}', 0)) for key in ('total', 'used', 'reserved'))
        return total - used - reserved - sum(use.memory for use in self.uses() if gpu in use.gpus and use.pid != pid)

    def take(self, pid: int, memory: int, load: int, gpus: Sequence[str]) -> str:
        """Let a process use so much from now on, unless a card has no room for it: returns its name then."""
        with self._locked():
            full = next((gpu for gpu in gpus if self.free(gpu, pid) < memory), '')
            if not full:
                fresh = self.folder / f'.{pid}'
                fresh.write_text(f'{start_time(pid)} {memory} {load} {" ".join(gpus)}\n')
                fresh.replace(self.folder / str(pid))
            what = 'oom' if full else 'use'
            totals = ' '.join(f'{gpu}={self._used(gpu)}' for gpu in gpus)
            with (self.folder / 'log').open('a') as log:
                log.write(f'{what} {time.time():.2f} {pid} {memory} {load} {totals}\n')
        return full

    def _used(self, gpu: str) -> int:
        return sum(use.memory for use in self.uses() if gpu in use.gpus)

    def leave(self, pid: int) -> None:
        """The process uses nothing any more."""
        (self.folder / str(pid)).unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / 'lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def start_time(pid: int) -> str:
    """When a process was started, in clock ticks; empty: it does not live."""
    try:
        after = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return ''
    return '' if after[0] in 'ZX' else after[19]


def parameters(words: Sequence[str]) -> dict[str, Any]:
    """The options of a command: ``--name=value`` and ``--name value``."""
    joined = ' '.join(words).replace('=', ' ').split('--')
    pairs = [each.split(None, 1) for each in joined if each.strip()]
    return {pair[0]: _value(pair[1].strip()) if len(pair) > 1 else True for pair in pairs}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def train(words: Sequence[str] | None = None, **formulas: str) -> None:
    """Train as a script with these options does; formulas of its parameters say what it uses.

    Args:
        words: Its options; None: those of this process.
        **formulas: ``memory`` (MiB), ``load`` (0-1), ``seconds`` of work on an idle card, ``startup`` (seconds
            that pass before it works and has all of its memory), ``acc`` (its result).
    """
    params = parameters(sys.argv[1:] if words is None else words)
    formulas = {'memory': '1000', 'load': '0.3', 'seconds': '0.5', 'startup': '0.2', 'acc': '0.5', **formulas}
    memory, load, seconds, startup, acc = (_result(formulas[name], params) for name in
                                           ('memory', 'load', 'seconds', 'startup', 'acc'))  # fmt: skip
    script = _Script(Cards(Path(os.environ['FAKE_NVML_STATE'])), os.environ['CUDA_VISIBLE_DEVICES'])
    script.start_up(memory, startup)
    script.work(round(memory), load, seconds)
    out = Path(str(params['out_dir']))
    out.mkdir(parents=True, exist_ok=True)
    (out / 'performance_overview.txt').write_text(f'acc {acc}\nfinished 1\n')


def _result(formula: str, params: Mapping[str, Any]) -> float:
    return float(eval(formula, {}, dict(params)))


class _Script:
    """One process on the box."""

    def __init__(self, cards: Cards, visible: str) -> None:
        self._cards = cards
        self._gpus = cards.named(visible)
        atexit.register(cards.leave, os.getpid())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def start_up(self, memory: float, startup: float) -> None:
        """Take the memory in steps."""
        for step in range(1, STEPS + 1):
            self._take(round(memory * step / STEPS), 0)
            time.sleep(startup / STEPS)

    def work(self, memory: int, load: float, seconds: float) -> None:
        """Work so many seconds, slower where more than all of the card is asked for."""
        self._take(memory, round(100 * load))
        done, last = 0.0, time.monotonic()
        while done < seconds:
            time.sleep(min(TICK, seconds - done))
            now = time.monotonic()
            busiest = max((self._cards.load(gpu) for gpu in self._gpus), default=0)
            done += (now - last) / max(1.0, busiest / 100)
            last = now

    def _take(self, memory: int, load: int) -> None:
        full = self._cards.take(os.getpid(), memory, load, self._gpus)
        if full:
            free = self._cards.free(full, os.getpid()) / 1024
            sys.exit(
                f'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {memory / 1024:.2f} GiB. GPU 0 has a '
                f'total capacity of which {free:.2f} GiB is free.'
            )
