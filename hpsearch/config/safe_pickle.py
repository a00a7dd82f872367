"""Pickles of plain values, read without executing anything in them."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from hpsearch.model.command import shortest
from hpsearch.model.errors import ConfigError, one_line
from hpsearch.results.documents import expanded_size

_MULTIARRAY = ('numpy.core.multiarray', 'numpy._core.multiarray')

# Type codes of numpy to those of struct.
_NUMBERS = {
    **{'b1': '?', 'f2': 'e', 'f4': 'f', 'f8': 'd'},
    **{'i1': 'b', 'i2': 'h', 'i4': 'i', 'i8': 'q'},
    **{'u1': 'B', 'u2': 'H', 'u4': 'I', 'u8': 'Q'},
}


_MOST_WRITTEN_OUT = 1000
_ALWAYS_ALLOWED = 2**20
"""How much larger than a pickle its values may be when those that it shares are written out; they are in commands."""


def plain_pickle(data: bytes) -> Any:
    """What a pickle holds, if that is dicts, lists, tuples, sets, numbers, strings, bools, None and numpy scalars.

    Numpy scalars become Python's own values; numpy is not needed for it.

    Raises:
        pickle.UnpicklingError: It needs anything else, which the message names; nothing of it was called. Or it would
            need far more memory than it has bytes.
        Exception: Whatever else a damaged pickle makes of the unpickler.
    """
    return _read(data, _PlainUnpickler)


def plain_namespace(data: bytes) -> dict[str, Any]:
    """The values in a pickle of an ``argparse.Namespace`` of plain values, by their names; nothing of it is executed.

    Raises:
        pickle.UnpicklingError: As for :func:`plain_pickle`, or it is no namespace.
        Exception: Likewise.
    """
    value = _read(data, _NamespaceUnpickler)
    if not isinstance(value, _Namespace):
        raise pickle.UnpicklingError(f'it holds {type(value).__name__}; argparse.Namespace is expected')
    return dict(value)


def _read(data: bytes, unpickler: type[_PlainUnpickler]) -> Any:
    for operation, argument, _ in pickletools.genops(data):
        # The unpickler makes room for as many values as such a number says.
        if operation.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and int(argument or 0) > len(data):
            raise pickle.UnpicklingError(f'it is damaged: it has no {argument} values')
    value = unpickler(io.BytesIO(data)).load()
    if expanded_size(value, _parts) > _MOST_WRITTEN_OUT * len(data) + _ALWAYS_ALLOWED:
        raise pickle.UnpicklingError('it holds the same values too many times')
    return value


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return chain(value.keys(), value.values())
    return value if isinstance(value, (list, tuple, set, frozenset)) else ()


def load_plain_pickle(path: Path, option: str) -> Any:
    """The plain values in a pickle that an ``option`` names, read without executing anything in it.

    Raises:
        ConfigError: It is not there, is damaged, or needs anything else than plain values.
    """
    try:
        return plain_pickle(path.read_bytes())
    except Exception as error:
        # A damaged pickle can make the unpickler raise anything.
        raise ConfigError([f'{option}: {path} cannot be read: {one_line(error)}']) from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _allowed(module, name)
        if allowed is None:
            raise pickle.UnpicklingError(f'it needs {module}.{name}, which is not a plain value')
        return allowed


class _Namespace(dict[str, Any]):
    """Stands in for ``argparse.Namespace``."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise pickle.UnpicklingError('it holds a namespace without names')
        self.update(state)


class _NamespaceUnpickler(_PlainUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        of_namespaces = {
            ('argparse', 'Namespace'): _Namespace,
            ('copy_reg', '_reconstructor'): _reconstructed,  # how protocols 0 and 1 make one
            ('copyreg', '_reconstructor'): _reconstructed,
            ('__builtin__', 'object'): None,
            ('builtins', 'object'): None,
        }
        return of_namespaces[module, name] if (module, name) in of_namespaces else super().find_class(module, name)


def _reconstructed(of: Any, *_: object) -> _Namespace:
    if of is not _Namespace:
        raise pickle.UnpicklingError('it holds an object that is no plain value')
    return _Namespace()


class _Dtype:
    """Stands in for ``numpy.dtype``: remembers its code and byte order."""

    __slots__ = ('code', 'order')

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = str(code), '='

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = {'|': '='}.get(state[1], state[1])


def _allowed(module: str, name: str) -> Callable[..., Any] | None:
    if module in ('builtins', '__builtin__') and name in ('set', 'frozenset'):
        return set if name == 'set' else frozenset
    if (module, name) == ('numpy', 'dtype'):
        return _Dtype
    if module in _MULTIARRAY and name == 'scalar':
        return _scalar
    return _latin1 if (module, name) == ('_codecs', 'encode') else None


def _latin1(text: str, _encoding: str = 'latin1') -> bytes:
    """How old protocols write bytes; the only encoding they use."""
    return text.encode('latin1')


def _scalar(dtype: _Dtype, data: bytes) -> bool | int | float | str:
    if dtype.code.startswith('U'):
        return data.decode('utf-32-be' if dtype.order == '>' else 'utf-32-le').rstrip('\0')
    if dtype.code not in _NUMBERS:
        raise pickle.UnpicklingError(f'it holds a numpy value of type {dtype.code}, which is not a plain value')
    return _number(f'{dtype.order}{_NUMBERS[dtype.code]}', data)


def _number(layout: str, data: bytes) -> bool | int | float:
    value: bool | int | float = struct.unpack(layout, data)[0]
    return shortest(value, layout) if isinstance(value, float) else value
