"""``hpsearch run``: create a search and work on it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from hpsearch.cli.adaptive.pruning import prune_settings
from hpsearch.cli.adaptive.settings import adaptive_settings
from hpsearch.cli.backends.asking import JobAsker
from hpsearch.cli.backends.choice import choose_backend
from hpsearch.cli.backends.queue_system import check_queue
from hpsearch.cli.context import process_context
from hpsearch.cli.notifying.notices import Notices
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.reports import report_end
from hpsearch.cli.request import SearchRequest, create, make_request
from hpsearch.cli.search_runner import work, work_options
from hpsearch.store.opening.open_search import OpenSearch

log = logging.getLogger('hpsearch')


def run_search(options: SearchOptions, creates: Callable[[SearchRequest], OpenSearch] = create) -> int:
    """Create a search and work on it until it ends; returns the exit code.

    Args:
        options: Those of the search.
        creates: Makes its folder.

    Raises:
        HpsearchError: It cannot be started.
    """
    request = make_request(options)
    options = request.options
    with process_context(options.display) as context:
        for note in request.notes:
            log.info(note)
        check_queue(options)
        make_backend, echo = choose_backend(options, request.configuration, context)
        search = creates(request)
        adaptive = adaptive_settings(options, search)
        pruning = prune_settings(options, request.configuration)
        how = work_options(options, echo=echo, reuse=options.execution.reuse, adaptive=adaptive, pruning=pruning)
        notices = Notices(search.folder, options.notify)
        with notices.of_a_crash():
            result = work(search, context, make_backend, how, JobAsker(options, context.wakeup), notices.watch)
    code = report_end(result, options)
    notices.tell_end(result, code)
    return code


def create_only(options: SearchOptions) -> Path:
    """Create a search without working on it; returns its folder.

    Raises:
        HpsearchError: It cannot be created.
    """
    request = make_request(options)
    with process_context(options.display):
        for note in request.notes:
            log.info(note)
        return create(request).folder.path
