"""What searches are called beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def distinct_names(paths: Sequence[str]) -> list[str]:
    """As short names as tell folders apart: the last part of each path, or more of them where several are the same."""
    parts = [path.rstrip('/').split('/') for path in paths]
    names = [each[-1] for each in parts]
    for depth in range(2, max(map(len, parts), default=0) + 1):
        counts = Counter(names)
        names = ['/'.join(each[-depth:]) if counts[name] > 1 else name for each, name in zip(parts, names, strict=True)]
    return names
