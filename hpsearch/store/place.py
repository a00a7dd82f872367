"""Where a search is, and where it was when its files were written: what they say of its old place holds for the new.

A search folder may be moved, copied, or mounted under another name. The plan has names of output folders, without the
search folder. Paths in ``search.json`` are absolute, since most are outside; they are read with its ``place``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.model.run import Run, search_path_of

_DATE = re.compile(r'sim_([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})_[0-9]+')

_PATHS: Mapping[str, Any] = {
    'run_cwd': None,
    'configuration': {'module': None, 'source': None, 'cwd': None, 'attributes': {'source': None}},
    'options': {'grid_module': None, 'grid_config': None, 'reuse': None, 'learn_from': None},
}
"""What is a path in ``search.json``, by section."""

WITNESSES = 20
"""Lines of a plan of format 1 that are asked where the search folder was: the first may be damaged."""


@dataclass(frozen=True, slots=True)
class Move:
    """From where to where a search folder was moved or copied; both are absolute.

    Attributes:
        old: Where it was.
        new: Where it is.
    """

    old: str
    new: str

    def beside(self, path: str) -> str:
        """A path at the same place relative to the new place of the search as ``path`` is to the old one.

        A path that is not in the search folder moved with it if they have a folder in common that was moved: below
        that folder both have the same names as before. Empty where they have none.
        """
        shared = os.path.commonpath((self.old, path))
        rest = self.old[len(shared) :]
        if shared == os.sep or not self.new.endswith(rest):
            return ''
        return f'{self.new[: len(self.new) - len(rest)]}{path[len(shared) :]}'

    def of(self, path: str, exists: Callable[[str], bool], *, moved_together: bool) -> str:
        """What has become of an absolute path; another one is as it was.

        Args:
            path: As it was written.
            exists: Whether there is something at a path.
            moved_together: Whether what was around the search folder was moved with it.
        """
        if not os.path.isabs(path):
            return path
        if path == self.old or path.startswith(f'{self.old}/'):
            return f'{self.new}{path[len(self.old) :]}'
        beside = self.beside(path) if moved_together and not exists(path) else ''
        return beside if beside and exists(beside) else path


def after_move(info: Mapping[str, Any], move: Move, exists: Callable[[str], bool] = os.path.exists) -> dict[str, Any]:
    """What describes a search (``search.json``) with the paths that hold after it was moved or copied.

    A path in the search folder is in the new one. A path elsewhere stays, unless the whole project was moved: neither
    the file of the configuration nor the path is there any more, and both are at the same place beside the new folder.
    """
    source = str(info.get('configuration', {}).get('source'))
    moved_together = os.path.isabs(source) and not exists(source) and exists(move.beside(source))

    def followed(value: Any) -> Any:
        if isinstance(value, list):
            return list(map(followed, value))
        return move.of(value, exists, moved_together=moved_together) if isinstance(value, str) else value

    return _with_each(info, _PATHS, followed)


def _with_each(values: Mapping[str, Any], wanted: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A description with the wanted values changed; of a section, those that are wanted of it."""
    changed = {
        name: _with_each(values[name], its, change) if its else change(values[name])
        for name, its in wanted.items()
        if name in values
    }
    return {**values, **changed}


def place_in_format_1(info: Mapping[str, Any], runs: Sequence[Run]) -> str:
    """Where a folder of format 1 was when its plan was made; empty: nothing says it.

    Args:
        info: What describes it, as it was written.
        runs: The first runs of its plan.
    """
    by_options = (place_by_options(info, run.name) for run in runs[:1])
    return next(filter(None, (*map(search_path_of, runs), *by_options)), '')


def place_by_options(info: Mapping[str, Any], run: str) -> str:
    """Where a search of format 1 was made, by the options that ``search.json`` has; empty: they do not say.

    Args:
        info: What describes it, as it was written.
        run: The name of one of its runs, which has the date that is in the name of the folder.
    """
    options, run_cwd = info.get('options', {}), info.get('run_cwd')
    date = _DATE.fullmatch(run)
    if not isinstance(options.get('out_dir'), str) or not isinstance(run_cwd, str):
        return ''
    parent = os.path.abspath(os.path.join(run_cwd, options['out_dir']))
    if options.get('force_out_dir'):
        return parent
    return os.path.join(parent, 'search_{}-{}-{}_{}-{}-{}'.format(*date.groups())) if date else ''
