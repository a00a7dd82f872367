"""What there is to say about requests that hold: runs that were cancelled, and a search that is paused."""

from __future__ import annotations

from hpsearch.model.command import shell_line
from hpsearch.model.control.requests import PAUSED
from hpsearch.model.history.search_state import SearchState
from hpsearch.store.folder import SearchFolder


def request_notes(folder: SearchFolder, state: SearchState) -> list[str]:
    """Sentences on what keeps runs from being started, or started again, since somebody wanted that."""
    on_request = sum(history.is_kept_back for history in state.wanted)
    outside = sum(history.was_cancelled_outside for history in state.wanted)
    path = str(folder.path)
    every = shell_line(['hpsearch', 'resume', path, '--retry_cancelled'])
    notes = {
        f'{PAUSED}: no run is started': state.admission.is_paused,
        f'{on_request} runs were cancelled by hpsearch cancel; to run one of them again: '
        f'{shell_line(["hpsearch", "rerun", path])} RUN, all of them: {every}': on_request,
        f'{outside} runs were cancelled in the queue; they are run again only with {every}': outside,
    }
    return [note for note, holds in notes.items() if holds]
