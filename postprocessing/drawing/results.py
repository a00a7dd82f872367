"""Figures of results: the best over time, what parameters do, and all points at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import COLORS, OTHERS, new_figure, plain, set_parameter_axis, set_value_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 12
MOST_BARS = 20
MOST_AXES = 8
MOST_LINES = 1000

Data = dict[str, Any]


def draw_best(figures: Data, columns: int, by: str) -> Figure:
    """The best result so far; ``by``: ``hours`` or ``used`` hours."""
    data = figures['progress']
    figure = new_figure(columns, 2.3)
    axes = figure.subplots()
    results, best = data['results'], data['best']
    axis = data['axes'][by]
    times, ends = (np.array(each) * axis['factor'] for each in (results[by], [*best[by], data['end'][by]]))
    axes.plot(times, results['values'], '.', color=OTHERS, markersize=3, rasterized=len(times) > 500)
    axes.step(ends, [*best['values'], best['values'][-1]], where='post', color=COLORS[0])
    set_value_axis(axes, results['values'], maximize=data['maximize'])
    axes.set(xlabel=axis['title'], ylabel=plain(data['key']), xlim=(0, None))
    return figure


def draw_importance(figures: Data, columns: int) -> Figure:
    """The importance of the parameters that matter most."""
    shown = figures['importance']['parameters'][:MOST_BARS][::-1]
    figure = new_figure(columns, 0.7 + 0.17 * len(shown))
    axes = figure.subplots()
    bars = [max(0.0, each['mean']) for each in shown]
    axes.barh(
        range(len(shown)),
        bars,
        xerr=[each['std'] for each in shown],
        color=COLORS[0],
        height=0.65,
        error_kw={'elinewidth': 0.8, 'capsize': 2},
    )
    axes.set(yticks=range(len(shown)), yticklabels=[plain(each['name'], 24) for each in shown])
    axes.set_xlabel(f'share of the differences in {plain(figures["key"])}')
    axes.grid(visible=False, axis='y')
    return figure


def draw_effects(figures: Data, columns: int) -> Figure:
    """The effect of each of the parameters that matter most, with one scale of results."""
    shown = _by_importance(figures)[:MOST_PANELS]
    across = min(2 * columns, len(shown))
    down = math.ceil(len(shown) / across)
    figure = new_figure(columns, 1.6 * down)
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for panel, parameter in zip(panels, shown, strict=False):
        levels = parameter['levels']
        x = [level['centre'] if parameter['number'] else at for at, level in enumerate(levels)]
        for at, level in zip(x, levels, strict=True):
            panel.plot([at, at], level['quartiles'][::2], color=COLORS[0], linewidth=5, alpha=0.25)
        line = '-' if parameter['number'] else ''
        means, spreads = [level['mean'] for level in levels], [level['std'] or 0.0 for level in levels]
        panel.errorbar(x, means, spreads, color=COLORS[0], marker='.', linestyle=line, linewidth=1, elinewidth=0.7)
        set_parameter_axis(panel, parameter, [level['label'] for level in levels], x)
    all_levels = [level for parameter in shown for level in parameter['levels']]
    set_value_axis(panels[0], _reach(all_levels), maximize=figures['maximize'])
    for panel in panels[len(shown) :]:
        panel.remove()
    figure.supylabel(plain(figures['key']), fontsize=8)
    return figure


def _reach(levels: Sequence[Data]) -> list[float]:
    """Where boxes and bars end; a bar that would end below zero is no reason against a logarithmic scale."""
    boxes = [each for level in levels for each in level['quartiles']]
    bars = [level['mean'] + side * (level['std'] or 0.0) for level in levels for side in (-1, 1)]
    return boxes + (bars if min(bars) > 0 or min(boxes) <= 0 else [])


def draw_pair(figures: Data, columns: int) -> Figure:
    """A heat map of the mean for the two parameters that act together most, or matter most."""
    table = figures['table']
    one, other = _pair(figures)
    shape = (len(other['labels']), len(one['labels']))
    x, y, values = np.array(one['codes']), np.array(other['codes']), np.array(table['values'], dtype=float)
    there = (x >= 0) & (y >= 0) & np.isfinite(values)
    cells = y[there] * shape[1] + x[there]
    count = np.bincount(cells, minlength=shape[0] * shape[1])
    total = np.bincount(cells, weights=values[there], minlength=len(count))
    with np.errstate(invalid='ignore'):
        means = (total / np.where(count, count, np.nan)).reshape(shape)
    figure = new_figure(columns, 2.6)
    axes = figure.subplots()
    image = axes.imshow(means, origin='lower', aspect='auto', cmap=_cmap(table))
    figure.colorbar(image, label=f'mean {plain(table["key"])}')
    for which, parameter in (('x', one), ('y', other)):
        places, labels = _cell_labels(parameter)
        axes.set(**{f'{which}ticks': places, f'{which}ticklabels': labels, f'{which}label': plain(parameter['name'])})
    axes.tick_params(axis='x', labelrotation=45)
    axes.grid(visible=False)
    return figure


def draw_parallel(figures: Data, columns: int) -> Figure:
    """Parallel coordinates of the parameters that matter most; the best points are drawn last."""
    from matplotlib.collections import LineCollection

    table = figures['table']
    order = np.argsort(np.array(table['values'], dtype=float) * (1 if table['maximize'] else -1))[-MOST_LINES:]
    shown = [_column(table, each['name']) for each in _by_importance(figures)[: MOST_AXES * columns // 2]]
    places = [_shares(each)[order] for each in shown]
    values = np.array(table['values'], dtype=float)[order]
    lines = np.column_stack([*places, _on_axis(values, is_log=False)])
    figure = new_figure(columns, 2.4)
    axes = figure.subplots()
    collection = LineCollection(
        [np.column_stack([np.arange(lines.shape[1]), line]) for line in lines],
        array=values,
        cmap=_cmap(table),
        linewidths=0.6,
        alpha=0.6,
        rasterized=len(lines) > 300,
    )
    axes.add_collection(collection)
    figure.colorbar(collection, label=plain(table['key']))
    names = [plain(each['name'], 14) for each in shown]
    axes.set(xticks=range(lines.shape[1]), xticklabels=[*names, plain(table['key'], 14)], yticks=[], ylim=(-0.12, 1.05))
    axes.tick_params(axis='x', labelrotation=30)
    for at, each in enumerate(shown):
        ends = each['labels'] if not each['edges'] else [f'{edge:.2g}' for edge in each['edges']]
        for share, label in ((0.0, ends[0]), (1.0, ends[-1])):
            axes.text(at, share, plain(label, 10), fontsize=6, ha='center', va='bottom' if share else 'top')
    return figure


def _cmap(table: Data) -> str:
    """The best is darkest: it stands out from the paper."""
    return 'viridis_r' if table['maximize'] else 'viridis'


def _by_importance(figures: Data) -> list[Data]:
    ranked = [each['name'] for each in figures['importance'].get('parameters', ())]
    parameters: list[Data] = figures['effects']['parameters']
    return sorted(parameters, key=lambda each: ranked.index(each['name']) if each['name'] in ranked else len(ranked))


def _pair(figures: Data) -> tuple[Data, Data]:
    certain = next((each['names'] for each in figures['interactions'] if each['certain']), None)
    one, other = certain or [each['name'] for each in _by_importance(figures)[:2]]
    return _column(figures['table'], one), _column(figures['table'], other)


def _column(table: Data, name: str) -> Data:
    found: Data = next(each for each in table['parameters'] if each['name'] == name)
    return found


def _cell_labels(parameter: Data) -> tuple[Sequence[float], list[str]]:
    """Values have their labels in the middle of cells, bins theirs between them."""
    if parameter['edges']:
        return [at - 0.5 for at in range(len(parameter['edges']))], [f'{edge:.2g}' for edge in parameter['edges']]
    return range(len(parameter['labels'])), [plain(label, 12) for label in parameter['labels']]


def _shares(column: Data) -> Any:
    """Where each point is on the axis of a parameter, from 0 to 1; what has no value is below."""
    codes = np.array(column['codes'])
    if column['number']:
        known = np.array([*column['centres'], np.nan], dtype=float)[codes]
        numbers = np.array(column['values'], dtype=float) if column['values'] else known
        shares = _on_axis(numbers, is_log=column['log'])
    else:
        shares = codes / max(1, len(column['labels']) - 1)
    return np.where(codes < 0, -0.1, shares)


def _on_axis(numbers: Any, *, is_log: bool) -> Any:
    scaled = np.log(numbers) if is_log else numbers
    low, high = np.nanmin(scaled), np.nanmax(scaled)
    return (scaled - low) / (high - low) if high > low else np.full(len(scaled), 0.5)
