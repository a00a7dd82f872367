"""What earlier searches tell of what runs need (``--learn_from``); they are only read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from hpsearch.dispatch.packing.lessons import observation
from hpsearch.model.configuration import Configuration, from_plain
from hpsearch.model.errors import HpsearchError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import ENDED
from hpsearch.model.units import count_of, noun_for
from hpsearch.packing.prediction.observation import Observation
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state

log = logging.getLogger('hpsearch')

SCRIPT = 'what is run'
"""Name of the parameter that tells runs of another script from those of this one."""


def earlier_observations(paths: Sequence[str], configuration: Configuration) -> list[Observation]:
    """What earlier searches tell of a search; one that cannot be read tells nothing, and a message says so."""
    return [each for path in paths for each in _told_by(SearchFolder(path), configuration)]


def _told_by(earlier: SearchFolder, configuration: Configuration) -> list[Observation]:
    try:
        other = from_plain(earlier.read_info()['configuration']['attributes'])
        found = list(observations_of(earlier, read_state(earlier)))
    except (HpsearchError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning('nothing is learned from %s: %s', earlier.path, error)
        return []
    script = script_of(other)
    is_same = script == script_of(configuration)
    if not is_same:
        log.warning(
            '%s ran %s: what its runs needed counts less than what those of this search do', earlier.path, script
        )
    tells = noun_for(len(found), 'tells', 'tell')
    log.info('%s of %s %s what runs need', count_of(len(found), 'attempt'), earlier.path, tells)
    return [in_common(each, configuration.options, '' if is_same else script) for each in found]


def observations_of(folder: SearchFolder, state: SearchState) -> Iterator[Observation]:
    """What the attempts of a search tell that have ended, in their order as far as it is known."""
    try:
        params = {run.name: run.params for run in folder.read_runs()}
    except SearchFolderError:
        return  # it ended before it had a plan
    ended = [each for history in state.runs.values() for each in history.attempts if each.state in ENDED]
    for attempt in sorted(ended, key=lambda each: each.ended_at or 0.0):
        told = observation(attempt, params[attempt.run]) if attempt.run in params else None
        if told is not None:
            yield told


def in_common(told: Observation, names: Collection[str], script: str) -> Observation:
    """An observation without parameters that runs of this search do not have.

    Args:
        told: What an earlier search tells.
        names: The parameters of this one.
        script: What the earlier one ran, where that is something else; else empty.
    """
    params = {name: value for name, value in told.params.items() if name in names}
    return replace(told, params={**params, SCRIPT: script} if script else params)


def script_of(configuration: Configuration) -> str:
    """What a search runs, in words."""
    return configuration.script or ' '.join(map(str, (configuration.command or ())[:2])) or 'something else'
