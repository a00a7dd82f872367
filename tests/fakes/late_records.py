"""A network file system on which exit records appear late, for the process that installs it.

As with the negative look-up cache of NFS, a record that was looked for too early is denied from then on, until the
folder it lies in is listed.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from typing import Any


class LateRecords:
    """Denies exit records.

    Args:
        is_hidden: Whether no record is there yet, whatever is done.
        is_refreshed: Whether listing a folder makes its record visible.
        name: Name of the files.
    """

    def __init__(
        self, is_hidden: Callable[[], bool] = lambda: False, *, is_refreshed: bool = True, name: str = 'exit'
    ) -> None:
        self._is_hidden = is_hidden
        self._is_refreshed = is_refreshed
        self._name = name
        self._denied: set[str] = set()

    def install(self, replace: Callable[[object, str, object], None] = setattr) -> None:
        """Let this process see files so; ``replace`` sets an attribute of a module."""
        listdir = os.listdir
        replace(os, 'stat', self._looking(os.stat))
        replace(os, 'open', self._looking(os.open))
        replace(builtins, 'open', self._looking(builtins.open))
        replace(io, 'open', builtins.open)
        replace(os, 'listdir', lambda path='.': self._list(path, listdir(path)))

    def _looking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: Any, *args: Any, **options: Any) -> Any:
            if isinstance(path, int) or os.path.basename(os.fspath(path)) != self._name or _creates(args):
                return real(path, *args, **options)
            self._deny(os.fspath(path))
            try:
                return real(path, *args, **options)
            except FileNotFoundError:
                self._denied.add(os.path.dirname(path))
                raise

        return look

    def _deny(self, path: str) -> None:
        folder = os.path.dirname(path)
        if self._is_hidden() or folder in self._denied:
            self._denied.add(folder)
            raise FileNotFoundError(2, os.strerror(2), path)

    def _list(self, path: Any, names: list[str]) -> list[str]:
        if self._is_hidden():
            return [name for name in names if name != self._name]
        self._refresh(path)
        return names

    def _refresh(self, path: Any) -> None:
        if self._is_refreshed and not self._is_hidden() and not isinstance(path, int):
            self._denied.discard(os.fspath(path))


def _creates(args: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be written."""
    if not args:
        return False
    return bool(args[0] & os.O_CREAT) if isinstance(args[0], int) else not str(args[0]).startswith('r')
