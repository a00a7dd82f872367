"""What was understood of a run that was tried, as lines."""

from __future__ import annotations

from collections.abc import Iterator

from hpsearch.model.configuration import Configuration, best_text
from hpsearch.model.run import Summary
from hpsearch.model.states import State
from hpsearch.model.units import duration
from hpsearch.model.verdict import Verdict


def trial_lines(verdict: Verdict, summary: Summary, seconds: float, configuration: Configuration) -> Iterator[str]:
    """How a run would count, its result, and what is missing.

    Args:
        verdict: What a search would say of it.
        summary: Its result.
        seconds: How long it ran.
        configuration: Says what is expected.
    """
    because = f': {verdict.reason}' if verdict.reason else ''
    yield f'In a search, this run would have {verdict.state.value} after {duration(seconds)}{because}'
    yield from _result_lines(summary, configuration)
    yield from _missing_lines(verdict, summary, configuration)


def _result_lines(summary: Summary, configuration: Configuration) -> Iterator[str]:
    if not summary.values:
        return
    yield 'Result:'
    width = max(map(len, summary.values))
    for keyword, text in summary.values.items():
        note = f'   (best: {best_text(configuration)})' if keyword == configuration.performance_key else ''
        yield f'  {keyword:{width}}  {text}{note}'


def _missing_lines(verdict: Verdict, summary: Summary, configuration: Configuration) -> Iterator[str]:
    key = configuration.performance_key
    if summary.values and key is not None and key not in summary.values:
        there = ', '.join(summary.values)
        yield f'Missing: {key}, by which runs are sorted (_PERFORMANCE_KEY); there are: {there}'
    if not configuration.wants_result and configuration.summary_parser is None and verdict.state is State.FINISHED:
        yield 'No result is read: _SUMMARY_FILENAME, _RESULT or --result says where it is.'
