"""``hpsearch run``: make a search and work on it."""

from __future__ import annotations

import argparse
import logging

from hpsearch.cli.backends import choose_backend
from hpsearch.cli.context import process_context
from hpsearch.cli.creation import OpenSearch, make_search
from hpsearch.cli.queue_backends import JobAsker
from hpsearch.cli.request import make_request
from hpsearch.cli.search_runner import SearchResult, work
from hpsearch.cli.work_options import work_options_of
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')


def run_search(args: argparse.Namespace) -> SearchResult:
    """Make a search and work on it until it ends.

    Raises:
        HpsearchError: It cannot be started.
    """
    request = make_request(args)
    with process_context(args) as place:
        for note in request.notes:
            log.info(note)
        make_backend, echo = choose_backend(args, place)
        folder = make_search(request)
        task = OpenSearch(folder, request.configuration, str(request.run_cwd), request.interpreter)
        work_options = work_options_of(args, echo=echo, reuse=tuple(args.reuse))
        return work(task, place, make_backend, work_options, JobAsker(args, place.wakeup))


def make(args: argparse.Namespace) -> SearchFolder:
    """Make a search without working on it.

    Raises:
        HpsearchError: It cannot be made.
    """
    request = make_request(args)
    with process_context(args):
        return make_search(request)
