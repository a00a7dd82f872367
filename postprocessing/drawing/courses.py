"""Figures of how runs went: learning curves, the Pareto front, and the schedules of a population."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .style import COLORS, OTHERS, new_figure, plain, set_value_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Data = dict[str, Any]


def draw_curves(figures: Data, columns: int) -> Figure:
    """The learning curves of the objective, or of the most frequent metric, the best one in front."""
    data = figures['curves']
    figure = new_figure(columns, 2.3)
    axes = figure.subplots()
    for curve in sorted(data['curves'], key=lambda each: -(each['rank'] or float('inf'))):
        is_best = curve['rank'] == 1
        color = COLORS[0] if is_best else OTHERS
        style = '-' if curve['rank'] else ':'
        points = [pair for pair in zip(curve['steps'], curve['values'][0], strict=True) if pair[1] is not None]
        if points:
            axes.plot(*zip(*points, strict=True), style, color=color, linewidth=1.5 if is_best else 0.5)
    values = [value for curve in data['curves'] for value in curve['values'][0]]
    set_value_axis(axes, values, maximize=data['maximize'])
    axes.set(xlabel='step', ylabel=plain(data['metrics'][0]))
    return figure


def draw_tradeoffs(figures: Data, columns: int) -> Figure:
    """The Pareto front in its first two objectives."""
    data = figures['tradeoffs']
    figure = new_figure(columns, 2.5)
    axes = figure.subplots()
    one, other = data['objectives'][:2]
    axes.plot(*_two(data['others']['values']), '.', color=OTHERS, markersize=3, label='others')
    best = _two(sorted(data['front']['values'], key=lambda values: values[0]))
    axes.plot(*best, 'D', color=COLORS[0], markersize=4, label='front')
    if len(data['objectives']) == 2:
        axes.step(*best, where='pre' if one['maximize'] else 'post', color=COLORS[0], linewidth=0.8)
    everything = [*data['others']['values'], *data['front']['values']]
    for at, (which, objective) in enumerate(zip('xy', (one, other), strict=True)):
        set_value_axis(axes, [values[at] for values in everything], maximize=objective['maximize'], which=which)
        better = 'larger' if objective['maximize'] else 'smaller'
        axes.set(**{f'{which}label': f'{plain(objective["key"])} ({better} is better)'})
    axes.legend(frameon=False)
    return figure


def _two(values: list[list[float]]) -> tuple[list[float], list[float]]:
    return [each[0] for each in values], [each[1] for each in values]


def draw_schedules(figures: Data, columns: int) -> Figure:
    """The score and each numeric option of the members of a population, with the way to the best run in front."""
    data = figures['schedules']
    options = [(at, option) for at, option in enumerate(data['options']) if option['number']]
    figure = new_figure(columns, 1.5 * (1 + len(options)))
    panels = figure.subplots(1 + len(options), 1, sharex=True, squeeze=False)[:, 0]
    _draw_stages(panels[0], data, lambda stage: stage['score'])
    scores = [stage['score'] for member in data['members'] for stage in member['stages']]
    set_value_axis(panels[0], scores, maximize=data['maximize'])
    panels[0].set_ylabel(plain(data['key']))
    for panel, (at, option) in zip(panels[1:], options, strict=True):
        _draw_stages(panel, data, _value_of(at))
        panel.set(ylabel=plain(option['name']), yscale='log' if option['log'] else 'linear')
    panels[-1].set_xlabel(plain(data['fidelity']))
    return figure


def _value_of(option: int) -> Callable[[Data], Any]:
    return lambda stage: stage['values'][option]


def _draw_stages(axes: Axes, data: Data, pick: Callable[[Data], Any]) -> None:
    """Lines from each stage to the one that went on from it; dashed where another member did."""
    stages = {stage['run']: stage for member in data['members'] for stage in member['stages']}
    for stage in stages.values():
        parent = stages.get(stage['parent'])
        if parent and pick(parent) is not None and pick(stage) is not None:
            budgets, values = [parent['budget'], stage['budget']], [pick(parent), pick(stage)]
            axes.plot(budgets, values, '-' if stage['from'] is None else '--', color=OTHERS, linewidth=0.6)
    points = [(stage['budget'], pick(stage)) for stage in stages.values() if pick(stage) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), '.', color=OTHERS, markersize=2.5)
    way = [stage for stage in stages.values() if stage['best'] and pick(stage) is not None]
    if way:
        points = sorted((stage['budget'], pick(stage)) for stage in way)
        axes.plot(*zip(*points, strict=True), color=COLORS[1], marker='.', markersize=4, linewidth=1.5)
