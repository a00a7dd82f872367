"""All figures of a search as files for papers: which there are, what they are called, and what is written."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.model.errors import ConfigError
from hpsearch.store.whole_files import whole_file

from .courses import draw_curves, draw_schedules, draw_tradeoffs
from .results import draw_best, draw_effects, draw_importance, draw_pair, draw_parallel
from .style import paper_style, saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CREATOR = 'hpsearch report'
"""Stands in our files, so that they may be replaced."""

Draw = Callable[[dict[str, Any], int], 'Figure']

OF_OBJECTIVE: dict[str, tuple[str, Draw]] = {
    'best_over_time': ('progress', partial(draw_best, by='hours')),
    'best_over_use': ('progress', partial(draw_best, by='used')),
    'importance': ('importance', draw_importance),
    'effects': ('effects', draw_effects),
    'two_parameters': ('effects', draw_pair),
    'parallel_coordinates': ('effects', draw_parallel),
}
"""Name of a file to the data that it needs, and how it is drawn."""

OF_SEARCH: dict[str, tuple[str, Draw]] = {
    'learning_curves': ('curves', draw_curves),
    'pareto_front': ('tradeoffs', draw_tradeoffs),
    'schedules': ('schedules', draw_schedules),
}


def drawings(figures: dict[str, Any]) -> Iterator[tuple[str, Callable[[int], Figure]]]:
    """The figures that there are: the names of their files, without the ending, and from columns to the figure.

    Those of several objectives end with ``_KEY``.
    """
    objectives = figures.get('objectives', ())
    for objective in objectives:
        ending = f'_{_file_part(objective["key"])}' if len(objectives) > 1 else ''
        for name, (data, draw) in OF_OBJECTIVE.items():
            if 'nothing' not in objective[data] and not _lacks_parameters(name, objective):
                yield name + ending, partial(draw, objective)
    for name, (data, draw) in OF_SEARCH.items():
        if 'nothing' not in figures.get(data, {'nothing': ''}):
            yield name, partial(draw, figures)


def _lacks_parameters(name: str, objective: dict[str, Any]) -> bool:
    return name == 'two_parameters' and len(objective['effects']['parameters']) < 2


def _file_part(key: str) -> str:
    return re.sub(r'[^\w.-]+', '_', key)[:60] or 'objective'


def write_figures(figures: dict[str, Any], form: str, target: Path, columns: int) -> list[Path]:
    """Writes the figures of a search; returns the files.

    Args:
        figures: Their data.
        form: ``png`` or ``pdf``.
        target: The folder, which is made; or a file of PDF, with one figure on each page.
        columns: Of a paper that figures are as wide as.

    Raises:
        ConfigError: A file of that name is there and is none of ours; nothing is written then.
        OSError: It cannot be written.
    """
    found = dict(drawings(figures))
    one_file = form == 'pdf' and target.suffix.lower() == '.pdf'
    paths = [target] if one_file else [target / f'{name}.{form}' for name in found]
    problems = [f'--{form}: {path} is there, and is no figure of hpsearch.' for path in paths if not _may_replace(path)]
    if problems:
        raise ConfigError(problems)
    (target.parent if one_file else target).mkdir(parents=True, exist_ok=True)
    with paper_style():
        if one_file:
            _write(target, _pages([draw(columns) for draw in found.values()]))
            return paths
        for path, draw in zip(paths, found.values(), strict=True):
            _write(path, saved(draw(columns), form, CREATOR))
    return paths


def _pages(drawn: list[Figure]) -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    with PdfPages(out, metadata={'Creator': CREATOR, 'CreationDate': None}) as pages:
        for figure in drawn:
            pages.savefig(figure)
    return out.getvalue()


def _may_replace(path: Path) -> bool:
    return not path.exists() or (path.is_file() and CREATOR.encode() in path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as out:
        out.buffer.write(content)
