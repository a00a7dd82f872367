"""What there is to say about requests that hold: runs that were cancelled, and a search that is paused."""

from __future__ import annotations

from hpsearch.model.command import shell_line
from hpsearch.model.control.requests import PAUSED, RERUN_ON_REQUEST
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.units import count_of, noun_for
from hpsearch.store.folder import SearchFolder


def request_notes(folder: SearchFolder, state: SearchState) -> list[str]:
    """Sentences on what keeps runs from being started, or started again, since somebody wanted that."""
    on_request = sum(history.is_kept_back for history in state.wanted)
    outside = sum(history.was_cancelled_outside for history in state.wanted)
    to_end = sum(history.is_to_end for history in state.wanted)
    rerun = sum(history.is_to_run_again for history in state.wanted)
    path = str(folder.path)
    every = shell_line(['hpsearch', 'resume', path, '--retry_cancelled'])
    again = f'one of them again: {shell_line(["hpsearch", "rerun", path])} RUN, all of them: {every}'
    notes = {
        f'{PAUSED}: no run is started': state.admission.is_paused,
        f'{count_of(to_end, "run has", "runs have")} yet to end, cancelled by hpsearch cancel': to_end,
        f'{count_of(rerun, "run waits", "runs wait")} to be run again: {RERUN_ON_REQUEST}': rerun,
        f'{count_of(on_request, "run was", "runs were")} cancelled by hpsearch cancel; to run '
        f'{noun_for(on_request, f"it again: {every}", again)}': on_request,
        f'{count_of(outside, "run was", "runs were")} cancelled in the queue; to run '
        f'{noun_for(outside, f"it again: {every}", again)}': outside,
    }
    return [note for note, holds in notes.items() if holds]
