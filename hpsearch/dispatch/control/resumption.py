"""To resume a search is a request, too: runs are started again, also those that were cancelled where that is wanted."""

from __future__ import annotations

import logging

from hpsearch.dispatch.context import EventRecorder

log = logging.getLogger('hpsearch')


def heed_resumption(recorder: EventRecorder, *, retry_cancelled: bool) -> None:
    """Journal what resuming a search asks for.

    Args:
        recorder: Has taken in all journals.
        retry_cancelled: Whether what was cancelled is run again; what had failed before that is not.
    """
    state, at = recorder.state, recorder.timestamp()
    if state.admission.is_paused:
        recorder.note_event({'event': 'pause', 'on': False, 'revision': state.admission.revision + 1, 'at': at})
        log.info('the search was paused: runs are started again')
    for history in [each for each in state.wanted if each.is_kept_back] if retry_cancelled else ():
        after, revision = max(history.by_number, default=0), history.next_revision
        recorder.note_event({'event': 'rerun', 'run': history.name, 'after': after, 'revision': revision, 'at': at})
