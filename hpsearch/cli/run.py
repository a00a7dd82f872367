"""``hpsearch run``: create a search and work on it."""

from __future__ import annotations

import logging
from pathlib import Path

from hpsearch.cli.backends import choose_backend
from hpsearch.cli.context import process_context
from hpsearch.cli.end_report import report_end
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.queue_backends import JobAsker
from hpsearch.cli.request import create, make_request
from hpsearch.cli.search_runner import work
from hpsearch.cli.work_options import work_options_of

log = logging.getLogger('hpsearch')


def run_search(options: SearchOptions) -> int:
    """Create a search and work on it until it ends; returns the exit code.

    Raises:
        HpsearchError: It cannot be started.
    """
    request = make_request(options)
    with process_context(options.display) as place:
        for note in request.notes:
            log.info(note)
        make_backend, echo = choose_backend(options, place)
        search = create(request)
        work_options = work_options_of(options, echo=echo, reuse=options.execution.reuse)
        result = work(search, place, make_backend, work_options, JobAsker(options, place.wakeup))
    return report_end(result, options)


def create_only(options: SearchOptions) -> Path:
    """Create a search without working on it; returns its folder.

    Raises:
        HpsearchError: It cannot be created.
    """
    request = make_request(options)
    with process_context(options.display):
        return create(request).folder.path
