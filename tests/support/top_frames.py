"""A search that the view of the terminal shows, and the frames it is drawn as; running this module writes them anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hpsearch.model.snapshot import GpuLine, QueueLine, Snapshot
from hpsearch.model.usage.holders import GpuHolder, HolderKind
from hpsearch.model.usage.in_use import RunUse
from hpsearch.model.usage.measured import Measured
from hpsearch.ui.top.paint import Look, paint
from hpsearch.ui.top.screen import as_text
from hpsearch.ui.top.shown import LogShown, RunRow, Runs, SearchShown
from hpsearch.ui.top.tables import Sort
from hpsearch.ui.top.view import View
from tests.support.paths import REPOSITORY

NOW = 1_700_000_000.0
FRAMES = REPOSITORY / 'tests' / 'data' / 'top'

ENDS = {
    3: ('failed', '', 'exit status 1: RuntimeError: the loss is nan'),
    7: ('stopped', '', 'median of 5 runs at step 10'),
    8: ('interrupted', '', 'cancelled by hpsearch cancel'),
}


def run_row(number: int, state: str = 'planned', **facts: object) -> RunRow:
    """One run of the grid."""
    params = {
        'lr': [0.1, 0.01, 0.001][number % 3],
        'width': [16, 32][number % 2],
        'optimizer': ['adam', 'sgd'][number // 2 % 2],
    }
    return replace(RunRow(f'sim_{number:03}', number, state, params), **facts)  # type: ignore[arg-type]


def ended(number: int) -> RunRow:
    """A run that has ended."""
    state, text, reason = ENDS.get(number, ('finished', f'{0.8 + 0.017 * number:.3f}', ''))
    value = float(text) if text else None
    rank = None if value is None else (0.0, -value)
    where = f'GPU {number % 2}'
    return run_row(
        number, state, text=text, value=value, rank=rank, seconds=60.0 * number, reason=reason, where=where, attempts=1
    )


def running(number: int) -> RunRow:
    """A run that is under way."""
    curve = [0.9 - 0.8 / (1 + 0.3 * step) for step in range(4 * number)]
    return run_row(
        number, 'running', metric='val_acc', curve=curve, step=4.0 * number, since=NOW - 30.0 * number, attempts=1,
        where=f'GPU {number % 2}',
    )  # fmt: skip


def shown(waiting: str = '', **facts: object) -> SearchShown:
    """The search: eight runs have ended, four run, and the others wait."""
    rows = [*map(ended, range(1, 9)), *map(running, range(9, 13)), *(run_row(number) for number in range(13, 49))]
    stranger = GpuHolder(HolderKind.PROCESS, 977, 'python', 'eve', 30_000, is_stranger=True)
    own = GpuHolder(HolderKind.RUN, 4101, 'sim_009', 'ada', 5_000)
    gpus = [
        GpuLine('0', 'A100', 0.87, 21_000, 40_960, 2, None, 'has 2 runs of this search', age=4.0),
        GpuLine('1', 'A100', 0.42, 10_000, 40_960, 2, None, '', age=4.0, holders=(own,)),
        GpuLine('2', 'A100', 0.99, 30_000, 40_960, 0, 30_000, 'memory in use 30000 MiB', age=4.0, holders=(stranger,)),
    ]
    counts = {'finished': 5, 'failed': 1, 'stopped': 1, 'interrupted': 1, 'running': 4, 'planned': 36}
    snapshot = Snapshot(
        '/home/ada/out/digits', 48, counts, 3725.0, 7400.0, gpus, performance_key='acc', waiting=waiting,
        varying=('lr', 'width', 'optimizer'),
    )  # fmt: skip
    use = RunUse(memory=5_000, measured=Measured(gpu_load=0.41, host_memory=2_048, cpu=1.4))
    runs = Runs(rows, 'acc', (), snapshot.varying, rows[5])
    whole = SearchShown(snapshot, runs, NOW, '17:20', {'sim_009': use}, 'at work: ada on box (pid 4021)')
    return replace(whole, **facts)  # type: ignore[arg-type]


DETAILS = (
    ('run', '9   sim_009'),
    ('state', 'running'),
    ('params', 'lr = 0.1'),
    ('', 'width = 32'),
    ('command', 'python3 train.py --out_dir=/home/ada/out/digits/sim_009 --lr=0.1 --width=32 --optimizer=adam'),
)
LOG = LogShown(
    'run 9, running: jobs/sim_009/stdout.log', [f'epoch {number:2}  acc 0.{number:02}' for number in range(60)]
)
QUEUE = (QueueLine('running', '', 4, 'sim_009'), QueueLine('pending', 'Priority', 32, 'sim_013'))


def in_queue() -> SearchShown:
    """The same search, in a queue."""
    here = shown()
    return replace(here, snapshot=replace(here.snapshot, gpus=(), queue=QUEUE))


def frames() -> Iterator[tuple[str, View, SearchShown, Look]]:
    """Name of a frame, and what it shows where."""
    yield 'running-80x24', View(), shown(), Look()
    yield 'running-40x10', View(), shown(), Look(40, 10)
    yield 'running-200x50', View(), shown(), Look(200, 50)
    yield 'running-ascii', View(), shown(), Look(unicode=False, colour=False)
    yield 'waiting', View(), shown('all GPUs are in use by others'), Look()
    yield 'queue', View(), in_queue(), Look()
    yield 'best', View('best', sorts={'best': Sort('width', True)}), shown(), Look()
    yield 'runs', View('runs', selected='sim_003'), shown(), Look(100, 24)
    yield 'runs-40x10', View('runs', selected='sim_003'), shown(), Look(40, 10)
    yield 'places', View('places'), shown(), Look()
    yield 'log', View('log'), shown(log=LOG), Look()
    yield 'details', View('details'), shown(details=DETAILS), Look()
    yield 'help', View('help'), shown(), Look()
    yield 'too-small', View(), shown(), Look(20, 5)


def frame_text(view: View, what: SearchShown, look: Look, *, styles: bool = False) -> str:
    """A frame as text; ``styles``: with what colours it."""
    lines = paint(view, what, look)[1]
    return ''.join(f'{as_text(line, colour=look.colour and styles, styles=styles)}\n' for line in lines)


if __name__ == '__main__':
    FRAMES.mkdir(exist_ok=True)
    for name, view, what, look in frames():
        (FRAMES / f'{name}.txt').write_text(frame_text(view, what, look))
