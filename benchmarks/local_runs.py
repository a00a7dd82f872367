"""Runs on this machine: how many in a second, how long a slot stays empty, how long the whole takes, how it begins."""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.searches import Search, compile_stamp, make_search, stamps, xargs
from benchmarks.tools import (
    Line,
    Place,
    Sample,
    both,
    cpu,
    hpsearch,
    interleaved,
    median_ratio,
    percentile,
    wall,
)

SLOTS = 8
NO_COMPILER = 'not measured: no C compiler'


# How many in a second


def throughput(place: Place, rounds: int) -> Iterator[Line]:
    """500 runs of ``true`` in 8 slots, with output folders as by default and without."""
    program = shutil.which('true') or '/bin/true'
    grid = {'a': list(range(25)), 'b': list(range(20))}
    default = make_search(place.below('with_folders'), grid, [program])
    bare = make_search(place.below('without_folders'), grid, [program], OUT_ARG=None)
    inodes = {'': _inodes_per_run(default), ', no output folders': _inodes_per_run(bare)}
    commands = {'': default.pasted(), ', no output folders': bare.planned()}
    for (kind, words), search in zip(commands.items(), (default, bare), strict=True):
        yield Line(f'inodes per finished run of true{kind}', f'{inodes[kind]:.1f}', '', '', '<= 4')
        yield from _throughput_lines(kind, _throughput_samples(place, search, words, rounds))


def _inodes_per_run(search: Search) -> float:
    """How many files and folders each run adds to its search, links counted once."""
    one, many = _left_by(search, '--num_searches=1'), _left_by(search)
    runs = len(list((many / 'jobs').iterdir()))
    return (_inodes(many) - _inodes(one)) / (runs - 1)


def _left_by(search: Search, *options: str) -> Path:
    """The folder of a search that was run."""
    before = set(search.place.path.glob('out*/*'))
    search.run(f'--cpu_jobs={SLOTS}', *options)
    (left,) = set(search.place.path.glob('out*/*')) - before
    return left


def _inodes(folder: Path) -> int:
    return len({path.lstat().st_ino for path in folder.rglob('*')})


def _throughput_samples(
    place: Place, search: Search, words: Sequence[Sequence[str]], rounds: int
) -> dict[str, list[Sample]]:
    return interleaved(
        {
            'xargs': lambda: xargs(place, SLOTS, words),
            'hpsearch': lambda: search.run(f'--cpu_jobs={SLOTS}'),
            'xargs one': lambda: xargs(place, SLOTS, words[:1]),
            'hpsearch one': lambda: search.run(f'--cpu_jobs={SLOTS}', '--num_searches=1'),
        },
        rounds,
    )


def _throughput_lines(kind: str, taken: dict[str, list[Sample]]) -> Iterator[Line]:
    yield _speed_line(f'500 x true, 8 slots{kind}; xargs -P8', taken, '>= 0.3, aim 0.5')
    pure = {name: _without_start(taken[name], taken[f'{name} one']) for name in ('hpsearch', 'xargs')}
    yield _speed_line('   without the start (a search of 1 run)', pure, '')


def _speed_line(what: str, taken: Mapping[str, Sequence[Sample]], target: str) -> Line:
    """Speed as a share of that of xargs, by wall-clock time and by processor time."""
    ours, theirs = taken['hpsearch'], taken['xargs']
    ratio = f'{median_ratio(theirs, ours):.2f} (cpu {cpu(theirs) / cpu(ours):.2f})'
    return Line(what, both(ours), both(theirs), ratio, target)


def _without_start(whole: Sequence[Sample], one: Sequence[Sample]) -> list[Sample]:
    return [
        replace(sample, wall=sample.wall - start.wall, cpu=sample.cpu - start.cpu)
        for sample, start in zip(whole, one, strict=True)
    ]


# How long a slot stays empty


def gap(place: Place, rounds: int) -> Iterator[Line]:
    """From the end of a run to the start of the next one in that slot."""
    program = compile_stamp(place)
    if program is None:
        yield Line('gap between runs', NO_COMPILER)
        return
    cases = (
        ('1 slot (foreground), 100 runs of 20 ms', 1, [20], 100),
        ('8 slots, 200 runs of 50-150 ms', SLOTS, list(range(50, 150)), 2),
        ('8 slots that end together, 200 runs of 100 ms', SLOTS, [100], 200),
        ('8 slots, 300 runs of 0 ms (as fast as it goes)', SLOTS, [0], 300),
    )
    for number, (what, slots, lengths, times) in enumerate(cases):
        grid = {'ms': lengths, 'n': list(range(times))}
        yield _gap_line(place.below(f'gap{number}'), what, slots, grid, program, rounds)


def _gap_line(place: Place, what: str, slots: int, grid: dict[str, list[int]], program: str, rounds: int) -> Line:
    search = make_search(place, grid, [program])
    words = search.planned()
    gaps: dict[str, list[float]] = {'hpsearch': [], 'xargs': []}
    works: dict[str, Callable[[Place], Sample]] = {
        'xargs': lambda place: xargs(place, slots, words),
        'hpsearch': lambda place: replace(search, place=place).run(f'--cpu_jobs={slots}'),
    }
    for number in range(rounds):
        for name, work in works.items():
            here = _with_stamps(place.below(f'{name}{number}'))
            work(here)
            gaps[name] += gaps_in_ms(stamps(here.path / 'stamps'), slots)
    ratio = statistics.median(gaps['hpsearch']) / statistics.median(gaps['xargs'])
    target = '' if grid['ms'] == [0] else 'median < 8, 95 % < 25'
    return Line(f'gap, {what}; xargs', _gap_cell(gaps['hpsearch']), _gap_cell(gaps['xargs']), f'{ratio:.1f}', target)


def _with_stamps(place: Place) -> Place:
    (place.path / 'stamps').mkdir()
    return replace(place, variables={'STAMPS': str(place.path / 'stamps')})


def _gap_cell(gaps: Sequence[float]) -> str:
    return f'{statistics.median(gaps):.1f} ms, 95 % {percentile(gaps, 0.95):.1f} ms'


def gaps_in_ms(pairs: Sequence[tuple[float, float]], slots: int) -> list[float]:
    """How long each slot stood empty, in ms.

    The first ``slots`` starts fill empty slots. After them a start needs a slot that an end made free, and slots are
    alike: the start that comes k-th after the first ones fills the slot that the k-th end left.
    """
    starts = sorted(start for start, _ in pairs)
    ends = sorted(end for _, end in pairs)
    return [1000 * (start - end) for start, end in zip(starts[slots:], ends, strict=False)]


# How long the whole takes


def makespan(place: Place, rounds: int) -> Iterator[Line]:
    """64 runs of a second in 8 slots."""
    search = make_search(place, {'n': list(range(64))}, ['/bin/sh', '-c', 'exec sleep 1', 'run'])
    words = search.planned()
    taken = interleaved(
        {'xargs': lambda: xargs(place, SLOTS, words), 'hpsearch': lambda: search.run(f'--cpu_jobs={SLOTS}')},
        min(rounds, 2),
    )
    yield Line(
        '64 x 1 s, 8 slots; xargs -P8 (ideal 8 s)',
        both(taken['hpsearch']),
        both(taken['xargs']),
        f'{wall(taken["hpsearch"]) / 8:.3f} of ideal',
        '<= 1.05 of ideal',
    )


# How it begins


def startup(place: Place, rounds: int) -> Iterator[Line]:
    """``--help`` and the first start of a run, against an interpreter that does nothing."""
    place.timed(hpsearch('--help'))
    taken = interleaved(
        {
            'python': lambda: place.timed([sys.executable, '-c', 'pass']),
            'help': lambda: place.timed(hpsearch('--help')),
        },
        rounds * 3,
    )
    yield _startup_line('--help; python -c pass', taken['help'], taken['python'], '< 0.2 s')
    program = compile_stamp(place)
    if program is None:
        yield Line('first run started', NO_COMPILER)
        return
    for what, runs, options in (('1 slot', 12, ()), ('8 slots', 500, ('--num_searches=16',))):
        first = [_until_first(place.below(f'{runs}_{n}'), program, runs, *options) for n in range(rounds)]
        bare = taken['python'][:rounds]
        jobs = f'grid of {runs}, {what}'
        yield _startup_line(f'first run started ({jobs}); python -c pass', first, bare, '< 0.4 s')


def _startup_line(what: str, ours: Sequence[Sample], bare: Sequence[Sample], target: str) -> Line:
    return Line(what, f'{wall(ours):.3f} s', f'{wall(bare):.3f} s', f'{median_ratio(ours, bare):.1f}', target)


def _until_first(place: Place, program: str, runs: int, *options: str) -> Sample:
    """The whole command, its time replaced by that until the first run had started."""
    here = _with_stamps(place)
    search = make_search(here, {'n': list(range(runs))}, [program])
    sample = search.run(f'--cpu_jobs={SLOTS if options else 1}', *options)
    return replace(sample, wall=min(start for start, _ in stamps(here.path / 'stamps')) - sample.begin)
