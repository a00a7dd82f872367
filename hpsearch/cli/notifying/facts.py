"""What a command is told of a search: its facts, as a mapping for JSON."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch import __version__
from hpsearch.cli.reports import best_run
from hpsearch.host.kernel import this_host
from hpsearch.host.processes import user_name
from hpsearch.model.configuration import Configuration
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.units import noun_for, read_number
from hpsearch.records.failures import failure_groups
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.format import counts_text

MOST_KINDS = 5
"""Kinds of failures that are told, the most frequent ones."""


@dataclass(frozen=True)
class Standing:
    """How a search stands.

    Attributes:
        folder: Where it is.
        configuration: How its results are read.
        state: What its journals say.
        total: Number of its runs; None: it is not known.
    """

    folder: SearchFolder
    configuration: Configuration
    state: SearchState
    total: int | None

    @property
    def counts(self) -> dict[str, int]:
        """How many runs are in each state, those that have none aside."""
        wanted = self.state.wanted
        counts = Counter(history.state.value for history in wanted)
        counts['planned'] += max(0, (self.total or 0) - len(wanted))
        return {state: count for state, count in sorted(counts.items()) if count}


def facts_of(standing: Standing, event: str, elapsed: float, **more: Any) -> dict[str, Any]:
    """The facts of a search, as JSON can have them.

    Args:
        standing: How it stands.
        event: What has happened.
        elapsed: Seconds that this hpsearch has worked on it.
        more: Further facts.
    """
    folder, state, configuration = standing.folder, standing.state, standing.configuration
    best = _best(best_run(folder, state, configuration), configuration.performance_key)
    groups = failure_groups(folder, state, configuration, most=MOST_KINDS)
    return {
        **facts_without_search(folder, event, elapsed),
        'message': _message(standing, event, best),
        'counts': standing.counts,
        'total': standing.total,
        'best': best,
        'failures': [{'count': len(each.runs), 'reason': each.words, 'run': each.example} for each in groups],
        **{name: finite(value) for name, value in more.items()},
    }


def facts_without_search(folder: SearchFolder, event: str, elapsed: float) -> dict[str, Any]:
    """The facts that do not depend on what its runs have come to; arguments as those of :func:`facts_of`."""
    return {
        'event': event,
        'message': f'{folder.path.name} {event}',
        'name': folder.path.name,
        'folder': str(folder.path),
        'results': str(folder.results_csv),
        'exit_code': None,
        'elapsed_seconds': round(elapsed, 1),
        'host': this_host().name,
        'user': user_name(os.getuid()),
        'hpsearch_version': __version__,
    }


def _best(found: tuple[str, Mapping[str, Any], str] | None, key: str | None) -> dict[str, Any] | None:
    if found is None:
        return None
    name, params, text = found
    reading = read_number(text)
    return {
        'run': name,
        'params': finite(dict(params)),
        'key': key,
        'value': finite(reading.value) if reading else text,
    }


def _message(standing: Standing, event: str, best: Mapping[str, Any] | None) -> str:
    """One line for a subject or a chat."""
    runs = counts_text(standing.counts) or 'nothing'
    total = sum(standing.counts.values()) if standing.total is None else standing.total
    of = '' if standing.total is None else f' of {total:,}'
    name = standing.folder.path.name
    what = f'a run of {name} failed' if event == 'run_failed' else f'{name} {event}'
    text = f'{what}: {runs}{of} {noun_for(total, "run")}'
    return f'{text}; best {best["key"]} {best["value"]} ({best["run"]})' if best else text


def finite(value: Any) -> Any:
    """A value as JSON can have it: numbers that it has no words for become texts, like whatever it does not know.

    Bytes of file names that are no UTF-8 become ``?``.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value.encode(errors='replace').decode()
    if isinstance(value, Mapping):
        return {finite(str(name)): finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value if value is None or isinstance(value, int) else str(value)
