"""What this process works with, whatever the search: its terminal, its log, its wake-ups."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from hpsearch.cli.signals import logging_to
from hpsearch.host.wakeup import Wakeup
from hpsearch.ui.view import View, open_view

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class ProcessContext:
    """What a process works with, whatever the search."""

    view: View
    wakeup: Wakeup
    stack: ExitStack


@contextmanager
def process_context(args: argparse.Namespace) -> Iterator[ProcessContext]:
    """The terminal, the log and the signals of this process."""
    with ExitStack() as stack:
        view = stack.enter_context(open_view(sys.stdout, sys.stderr, quiet=args.quiet))
        stack.enter_context(logging_to(view, args.log_level))
        yield ProcessContext(view, stack.enter_context(Wakeup()), stack)
