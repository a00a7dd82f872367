"""The order in which configurations are drawn: that of the grid, or a permutation of it that a seed decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

SHUFFLED_WHOLE = 4096
"""Up to this size the order is one shuffled list; above, each position is computed by itself."""

_KEPT_SHIFTS = 1 << 14


@dataclass(frozen=True)
class Order:
    """In which order configurations are drawn, and how many.

    Attributes:
        seed: Decides, alone, in which permutation the raw combinations are drawn.
        deterministic: Keep the order of the grid instead (last option fastest).
        limit: The largest number of configurations; None: all.
    """

    seed: int = 42
    deterministic: bool = False
    limit: int | None = None

    def indices(self, size: int) -> Iterable[int]:
        """The ``size`` raw combinations of a space in this order, each as its index in the order of the grid."""
        return range(size) if self.deterministic else map(permutation(size, self.seed), range(size))


def permutation(size: int, seed: int) -> Callable[[int], int]:
    """A shuffled order of ``range(size)``, from position to element, the same in every version of Python.

    ``size`` is at least 1 and may be huge, since elements are computed on demand.
    """
    if size <= SHUFFLED_WHOLE:
        return sorted(range(size), key=lambda element: _hashed(seed, 'whole', element)).__getitem__
    return _feistel(size, seed)


def _feistel(size: int, seed: int) -> Callable[[int], int]:
    """A Feistel network over a rectangle that just holds ``range(size)``; what falls outside is permuted again."""
    rows = math.isqrt(size - 1) + 1
    columns = -(-size // rows)
    row_shift, row_shift_again = _Shifts(seed, 'row', rows), _Shifts(seed, 'row again', rows)
    column_shift, column_shift_again = _Shifts(seed, 'column', columns), _Shifts(seed, 'column again', columns)

    def permuted(position: int) -> int:
        while True:
            row, column = divmod(position, columns)
            row = (row + row_shift[column]) % rows
            column = (column + column_shift[row]) % columns
            row = (row + row_shift_again[column]) % rows
            column = (column + column_shift_again[row]) % columns
            position = row * columns + column
            if position < size:
                return position

    return permuted


class _Shifts(dict[int, int]):
    """Key to a number below ``modulus``, computed on demand."""

    def __init__(self, seed: int, purpose: str, modulus: int) -> None:
        super().__init__()
        self._seed, self._purpose, self._modulus = seed, purpose, modulus

    def __missing__(self, key: int) -> int:
        shift = _hashed(self._seed, self._purpose, key) % self._modulus
        if len(self) < _KEPT_SHIFTS:
            self[key] = shift
        return shift


def _hashed(seed: int, purpose: str, key: int) -> int:
    return int.from_bytes(blake2b(f'{seed} {purpose} {key}'.encode(), digest_size=32).digest(), 'little')
