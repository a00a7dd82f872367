"""Run the benchmarks from a checkout, installed or not: ``python3 benchmarks/run.py [PART …]``."""

from __future__ import annotations

import sys
from pathlib import Path


def start() -> int:
    """Find the checkout first, then measure."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.__main__ import main

    return main()


if __name__ == '__main__':
    sys.exit(start())
