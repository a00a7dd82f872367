"""Write down what runs of ``examples/digits`` needed: ``python3 benchmarks/prediction/record_digits.py SEARCH``.

SEARCH is the folder of a search of that script, as hpsearch leaves it. What is written is a file of
``benchmarks/data``: the parameters of each finished run, its peak of host memory (MiB), and its seconds of processor
time, which other load on the machine changes less than how long it took.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hpsearch.dispatch.packing.earlier import observations_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state

DATA = Path(__file__).resolve().parent.parent / 'data' / 'digits_needs.json'


def main(path: str) -> None:
    """Write down one search."""
    folder = SearchFolder(path)
    told = [each for each in observations_of(folder, read_state(folder)) if each.is_finished]
    lines = [
        json.dumps(
            {
                'params': each.params,
                'host_memory': each.measured.host_memory,
                'cpu_seconds': round((each.seconds or 0) * (each.measured.cpu or 0), 3),
            }
        )
        for each in told
        if each.measured.cpu and each.measured.host_memory
    ]
    DATA.write_text('{"runs": [\n' + ',\n'.join(lines) + '\n]}\n')
    print(f'{len(lines)} of {len(told)} runs')


if __name__ == '__main__':
    main(sys.argv[1])
