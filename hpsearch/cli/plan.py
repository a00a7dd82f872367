"""``hpsearch plan``: what a search would run; the code of ``hpsearch run`` up to the first start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hpsearch.cli.parsers import PlanCommand
from hpsearch.cli.request import SearchRequest, make_request


def plan_lines(command: PlanCommand) -> Iterable[str]:
    """What a search would run, as lines.

    Raises:
        ConfigError: With every problem of the options and of the configuration.
    """
    request = make_request(command.options)
    if command.scripts:
        from hpsearch.cli.planned_jobs import script_lines

        return script_lines(request)
    if command.only_commands:
        return request.plan(request.planned_path, '<date>').commands()
    return _lines(request)


def _lines(request: SearchRequest) -> Iterator[str]:
    plan = request.plan(request.planned_path, '<date>')
    summary = plan.survey()
    yield from request.notes
    yield f'Configuration: {request.configuration.source}'
    yield f'Results would go to {request.planned_path}'
    yield f'Combinations of the grid: {summary.raw:,}; runs: {summary.runs:,}'
    yield f'Left out: {summary.duplicates:,} duplicates, {summary.rejected:,} rejected by constraints'
    yield from summary.notes()
    yield from (f'warning: {warning}' for warning in plan.warnings())
    yield 'Commands (without their output folders):'
    yield from plan.commands()
