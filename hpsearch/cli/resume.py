"""``hpsearch resume`` and ``hpsearch join``: work on a search that exists."""

from __future__ import annotations

import argparse
import logging
import time

from hpsearch.backends.local.slots import FixedSlots
from hpsearch.cli.backends import choose_backend, local_backend
from hpsearch.cli.context import process_context
from hpsearch.cli.queue_backends import JobAsker, job_end
from hpsearch.cli.search_runner import SearchResult, work
from hpsearch.cli.work_options import work_options_of
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')


def resume_search(args: argparse.Namespace) -> SearchResult:
    """Join a search that exists and work on it until it ends.

    Raises:
        HpsearchError: It cannot be resumed.
    """
    from hpsearch.cli.open_search import check_owner, extend_plan, merged_options, reopen

    folder = SearchFolder(args.dir)
    info = folder.read_info()
    check_owner(folder, trust=args.trust)
    options = merged_options(info, args)
    joins = not args.waits_for_others
    if joins and 'run_cluster' not in args:
        options.run_cluster = False  # whoever helps with a search does so where he is
    with process_context(options) as place:
        if args.extend:
            extension = extend_plan(folder, info, options)
            log.info('%d runs added, %d withdrawn', len(extension.added), len(extension.withdrawn))
            info = folder.read_info()
        task = reopen(folder, info)
        ends = job_end(options, time.time()) if joins else None
        make_backend, echo = choose_backend(options, place, ends)
        work_options = work_options_of(
            options,
            echo=echo,
            waits_for_others=args.waits_for_others,
            declared_dead=tuple(args.host_is_dead),
            retry_failed=args.retry_failed,
            retry_cancelled=args.retry_cancelled,
            reuse=tuple(getattr(args, 'reuse', ())),
            job_seconds=ends - time.time() if ends else None,
        )
        return work(task, place, make_backend, work_options, JobAsker(options, place.wakeup))


def end_runs(folder: SearchFolder, args: argparse.Namespace) -> SearchResult:
    """Take over the runs of a search that nobody looks after, and end them.

    Raises:
        HpsearchError: It cannot be done.
    """
    from hpsearch.cli.open_search import reopen

    with process_context(args) as place:
        task = reopen(folder, folder.read_info())
        work_options = work_options_of(args, stop_at_once=True, waits_for_others=False)
        make_backend = choose_backend(args, place)[0] if args.run_cluster else local_backend(FixedSlots(1))
        return work(task, place, make_backend, work_options, JobAsker(args, place.wakeup))
