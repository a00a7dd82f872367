"""A search at one moment, as the tests of what people see use it."""

from __future__ import annotations

from hpsearch.model.snapshot import GpuLine, RunLine, Snapshot

GPUS = (
    GpuLine('0', 'NVIDIA A100', 0.87, 12600, 40960, 2, None, 'has 2 of 2 runs of this search'),
    GpuLine('1', 'NVIDIA A100', 0.05, 38000, 40960, 0, 37900, '93 % of its memory is in use'),
    GpuLine('2', 'NVIDIA A100', None, None, None, 0, None, 'no reading for 17 s'),
)
PARAMS = {'lr': 0.001, 'batch_size': 64, 'hidden': '200,200', 'epochs': 20}
SNAPSHOT = Snapshot(
    folder='/data/out/search_2026-11-20_23-19-00',
    total=120,
    counts={'finished': 45, 'failed': 3, 'running': 8},
    elapsed=725.0,
    eta=2100.0,
    gpus=GPUS,
    running=tuple(
        RunLine(f'sim_{number:03d}', 60.0 * number, f'GPU {number % 2}', {**PARAMS, 'lr': number / 1000})
        for number in range(8)
    ),
    best=('sim_012', PARAMS, '97.31'),
    performance_key='acc',
    waiting='every GPU is closed',
    varying=('lr', 'batch_size'),
)
COLUMNS = ['acc', 'run', 'lr', 'dataset', 'hidden']
ROWS = [['97.3', 'sim_012', '0.1', 'mnist', '200,200'], ['9.5', 'sim_003', '0.01', 'mnist', '10']]


def counts(total: int | None = 500, waiting: str = '', **states: int) -> Snapshot:
    """Return a search of which nothing but the counts matters."""
    return Snapshot('/s', total, states, 0.0, waiting=waiting)
