"""``python3 -m docs.pictures [NAME ...]``, in the folder of the repository: makes the pictures of the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.pictures.scenes import PICTURES

HERE = Path(__file__).parent


def main() -> None:
    """Make the pictures that are named, or all of them."""
    for name in sys.argv[1:] or PICTURES:
        drawn = PICTURES[name]()
        (HERE / name).write_bytes(drawn)
        print(f'{HERE / name}: {len(drawn) / 1000:.0f} kB')


if __name__ == '__main__':
    main()
