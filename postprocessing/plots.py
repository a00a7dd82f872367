"""Draws the schedules that the hyperparameters of a population went through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.model.trials.lineage import Stage

from .tidy import keep_earlier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = 'pbt_schedules.png'

_LOGARITHMIC_FROM = 20
"""A scale is logarithmic where the largest value is so many times the smallest one."""


def draw_schedules(folder: Path, stages: Sequence[Stage], score: str) -> Path:
    """Draws the score and each hyperparameter over the budget, with the way to the best run in front.

    Args:
        folder: The search folder.
        stages: The runs of a population.
        score: What the score is, such as ``acc_val``.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    options = list(dict.fromkeys(name for stage in stages for name in stage.values))
    figure = Figure(figsize=(7, 2.2 * (1 + len(options))), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1 + len(options), 1, sharex=True, squeeze=False)[:, 0]
    _draw(panels[0], [(stage, stage.score) for stage in stages if stage.score is not None], score)
    for panel, option in zip(panels[1:], options, strict=True):
        _draw(panel, [(stage, stage.values[option]) for stage in stages if option in stage.values], option)
    panels[-1].set_xlabel('budget')
    path = folder / PLOT
    keep_earlier(path)
    figure.savefig(path, dpi=150)
    return path


def _draw(panel: Axes, points: Sequence[tuple[Stage, Any]], label: str) -> None:
    """One quantity: each member in grey, the way to the best run in colour."""
    numbers = [value for _, value in points if _is_number(value)]
    is_numeric = len(numbers) == len(points)
    shown = [(stage, value if is_numeric else str(value)) for stage, value in points]
    for member in dict.fromkeys(stage.member for stage, _ in shown):
        own = [(stage.budget, value) for stage, value in shown if stage.member == member]
        panel.plot(*zip(*own, strict=True), color='0.75', linewidth=1, marker='.', markersize=3)
    best = sorted(((stage.budget, value) for stage, value in shown if stage.is_of_best), key=lambda point: point[0])
    if best:
        panel.plot(*zip(*best, strict=True), color='C0', linewidth=2, marker='o', markersize=4)
    if is_numeric and numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= _LOGARITHMIC_FROM:
        panel.set_yscale('log')
    panel.set_ylabel(label)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
