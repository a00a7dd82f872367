"""How figures for papers look: sizes, fonts, colours and scales."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.model.errors import HpsearchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {1: 3.35, 2: 6.9}
"""Columns of a paper to the width of a figure, in inches."""

COLORS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#8c7a00', '#555f6b')
"""Those of Okabe and Ito (2008), which everybody can tell apart."""

OTHERS = '0.6'
"""The colour of what is not in front."""

DPI = 300

_STYLE: Any = {
    'pdf.fonttype': 42,  # TrueType, as publishers want it
    'ps.fonttype': 42,
    'font.size': 8,
    'axes.labelsize': 8,
    'xtick.labelsize': 7,
    'ytick.labelsize': 7,
    'legend.fontsize': 7,
    'axes.linewidth': 0.6,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.linewidth': 0.3,
    'grid.color': '0.88',
    'axes.axisbelow': True,
    'xtick.major.width': 0.6,
    'ytick.major.width': 0.6,
}


def check_matplotlib(option: str) -> None:
    """Makes sure that something can be drawn, before anything else is done.

    Args:
        option: The option that wants it.

    Raises:
        HpsearchError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise HpsearchError(
            f"{option} needs matplotlib, which cannot be imported ({error}): python3 -m pip install 'hpsearch[plots]'"
        ) from error


@contextmanager
def paper_style() -> Iterator[None]:
    """Figures that are made and saved meanwhile look so."""
    import matplotlib

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Glyph .* missing')  # names may be in any script
        yield


def new_figure(columns: int, height: float) -> Figure:
    """An empty figure.

    Args:
        columns: Of a paper that it is as wide as.
        height: In inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTHS[columns], height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def saved(figure: Figure, form: str, creator: str) -> bytes:
    """A figure as the content of a file; the same figure is the same content.

    Args:
        figure: The figure.
        form: ``png`` or ``pdf``.
        creator: Stands in the file.
    """
    out = io.BytesIO()
    metadata = {'Creator': creator, 'CreationDate': None} if form == 'pdf' else {'Software': creator}
    figure.savefig(out, format=form, dpi=DPI, metadata=metadata)
    return out.getvalue()


def plain(text: object, length: int = 32) -> str:
    """A text without what matplotlib takes for mathematics, of such a length at most."""
    shown = ''.join(each if each.isprintable() else '\N{REPLACEMENT CHARACTER}' for each in str(text))
    shown = shown if len(shown) <= length else f'{shown[: length - 1]}…'
    return shown.replace('$', r'\$')


def set_value_axis(axes: Axes, values: Sequence[float | None], *, maximize: bool, which: str = 'y') -> None:
    """The scale of results: logarithmic where they are far apart, without the far end of the worst ones."""
    found = np.array([value for value in values if value is not None])
    if not len(found):
        return
    low, high = float(found.min()), float(found.max())
    first, last = (float(each) for each in np.quantile(found, (0.05, 0.95)))
    if low > 0 and last / first > 50:
        axes.set(**{f'{which}scale': 'log'})
        return
    spread = (last - first) or abs(last) or 1.0
    low, high = (max(low, first - spread), high) if maximize else (low, min(high, last + spread))
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    if math.isfinite(low - margin) and math.isfinite(high + margin):
        axes.set(**{f'{which}lim': (low - margin, high + margin)})


def set_parameter_axis(
    axes: Axes, parameter: dict[str, Any], labels: Sequence[str], centres: Sequence[float], which: str = 'x'
) -> None:
    """The scale of a parameter, with its name: numbers on their scale, categories one after another."""
    from matplotlib.ticker import NullFormatter

    axes.set(**{f'{which}label': plain(parameter['name'])})
    if not parameter['number']:
        axes.set(**{f'{which}ticks': range(len(labels)), f'{which}ticklabels': [plain(each, 10) for each in labels]})
        return
    if parameter['log']:
        axes.set(**{f'{which}scale': 'log'})
    has_few = len(labels) <= 6 and not any('–' in label for label in labels)
    if has_few or (parameter['log'] and centres[-1] < 10 * centres[0]):
        shown = slice(None) if has_few else slice(None, None, max(1, len(centres) - 1))
        axes.set(**{f'{which}ticks': centres[shown], f'{which}ticklabels': [f'{each:.3g}' for each in centres[shown]]})
    getattr(axes, f'{which}axis').set_minor_formatter(NullFormatter())
