"""Objects that stand in a grid by mistake, and stand-ins for tensors, which behave like those of torch."""

from __future__ import annotations

import datetime
import decimal
import enum
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np


class Tensor:
    """A tensor of 32-bit floats: prints as ``tensor(0.9500)``; one without dimensions cannot be iterated over."""

    dtype = 'torch.float32'

    def __init__(self, data: Any) -> None:
        self._data = np.array(data, dtype=np.float32)
        self.shape = self._data.shape

    def item(self) -> Any:
        return self._data.item()

    def tolist(self) -> Any:
        return self._data.tolist()

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError('iteration over a 0-d tensor')
        return (Tensor(each) for each in self._data)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError('len() of a 0-d tensor')
        return len(self._data)

    def __repr__(self) -> str:
        return f'tensor({self._data:.4f})' if not self.shape else f'tensor({self.tolist()})'


class Raises:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f'no {name}')

    def __repr__(self) -> str:
        raise RuntimeError('nor words')


class Colour(enum.Enum):
    RED = 'red'


class Unequal(list[Any]):
    """A list that cannot be iterated over."""

    def __iter__(self) -> Iterator[Any]:
        raise ValueError('not like this')


ITSELF: list[Any] = []
ITSELF.append(ITSELF)

ODD: dict[str, Any] = {
    'scalar tensor': Tensor(0.95),
    'tensor': Tensor([[1, 2], [3, 4.5]]),
    'empty tensor': Tensor([]),
    'array': np.array([1, 2]),
    'array without dimensions': np.array(3.5),
    'long double': np.longdouble(1) / 3,
    'date of numpy': np.datetime64('2026-11-20'),
    'masked': np.ma.masked,
    'complex': 1 + 2j,
    'decimal': decimal.Decimal('0.1'),
    'date': datetime.date(2026, 11, 20),
    'enum': Colour.RED,
    'bytes': b'x',
    'set': {1, 2},
    'generator': (number for number in range(3)),
    'without an end': itertools.count(),
    'range': range(3),
    'class': int,
    'function': print,
    'object': object(),
    'ellipsis': ...,
    'not implemented': NotImplemented,
    'raises': Raises(),
    'list that raises': Unequal([1]),
    'itself': ITSELF,
    'deep': [[[[1]]]],
    'huge': 10**5000,
    'surrogate': '\ud800',
    'mapping': {1: {2: [None]}},
    'module': np,
}
"""By name; each may be a value, or stand where a list of values is expected."""
