"""What the dispatcher's side of a queue costs with many attempts in it: rounds without news, and rounds with a listing.

The queue is the scripted one of the tests, which answers at once, so that only our own work is timed; the listing that
is parsed is Slurm's text.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.tools import Line, Place
from hpsearch.backends.queue.batch_system import CommandResult
from hpsearch.backends.queue.slurm.parsing import parse_listing
from hpsearch.store.folder import SearchFolder
from tests.fakes.scripted_queue import Desk

SIZES = (1_000, 10_000)
ROUNDS = 50


def queue(place: Place, rounds: int) -> Iterator[Line]:
    """A thousand and ten thousand attempts, of which 25 run."""
    del rounds
    few, many = (measured(place.below(str(size)), size) for size in SIZES)
    for what in many:
        ratio = f'{many[what] / few[what] / (SIZES[1] / SIZES[0]):.2f} per attempt'
        yield Line(
            f'queue: {what}, {SIZES[1]:,} attempts; {SIZES[0]:,}', in_words(many[what]), in_words(few[what]), ratio
        )


def measured(place: Place, size: int) -> dict[str, float]:
    """What is done, and seconds of processor time it takes."""
    folder = SearchFolder(place.path)
    folder.jobs_dir.mkdir()
    desk = Desk(folder)
    desk.start(size)
    desk.step(times=31)
    desk.begin_all()
    desk.step(times=31)
    answer = CommandResult(0, ''.join(f'7_{index}|hps-x|PENDING|JobArrayTaskLimit|\n' for index in range(1, size + 1)))
    return {
        'a round without news': median(lambda: look(desk, 0.01)),
        'a round after a listing': median(lambda: look(desk, 31.0)),
        'reading a listing': median(lambda: parse_listing(answer)),
    }


def look(desk: Desk, seconds: float) -> None:
    """What a dispatcher does in a round, so many seconds after the last."""
    desk.clock.now += seconds
    desk.backend.states(desk.clock.now)
    desk.backend.queue_lines()
    desk.backend.open_slots(desk.clock.now)


def median(work: Callable[[], object]) -> float:
    """Seconds of processor time that it usually takes."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def in_words(seconds: float) -> str:
    """In milliseconds."""
    return f'{1000 * seconds:.2f} ms'
