"""The command line: parses the words of a verb, executes it, prints its lines, and turns errors into exit codes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence

from hpsearch.cli import parsers
from hpsearch.cli.options import search_options
from hpsearch.cli.parsers import ALL_FINISHED, INTERRUPTED, WRONG_REQUEST
from hpsearch.model.errors import ConfigError, HpsearchError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = VERBS[words.pop(0)] if words and words[0] in VERBS else run
    try:
        return verb(words)
    except HpsearchError as error:
        _print_error(error)
        return WRONG_REQUEST
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_FINISHED


def _print_error(error: HpsearchError) -> None:
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        print(f'hpsearch: {len(error.problems)} problems:', file=sys.stderr)
        for problem in error.problems:
            print(f'  - {problem}', file=sys.stderr)
    else:
        print(f'hpsearch: {error}', file=sys.stderr)


def _print_lines(lines: Iterable[str]) -> int:
    for line in lines:
        print(line, flush=True)
    return ALL_FINISHED


# The verbs; each imports what it needs only after its words were parsed, so that ``--help`` is fast.


def run(words: Sequence[str]) -> int:
    """``hpsearch run``: create a search and work on it."""
    options = parsers.parse_run(words)
    from hpsearch.cli.run import create_only, run_search

    if options.folder.dont_start:
        return _print_lines([str(create_only(options))])
    return run_search(options)


def plan(words: Sequence[str]) -> int:
    """``hpsearch plan``: show what would be run."""
    values = parsers.values_of(parsers.plan_parser(), words)
    from hpsearch.cli.plan import plan_lines

    options = search_options(values)
    return _print_lines(plan_lines(options, only_commands=values['commands'], scripts=values['scripts']))


def status(words: Sequence[str]) -> int:
    """``hpsearch status``: show the state of a search."""
    args = parsers.status_parser().parse_args(words)
    from hpsearch.cli.status import status_lines
    from hpsearch.store.folder import SearchFolder

    return _print_lines(status_lines(SearchFolder(args.dir), as_json=args.json))


def resume(words: Sequence[str]) -> int:
    """``hpsearch resume``: continue a search."""
    command = parsers.parse_resume(words)
    from hpsearch.cli.resume import resume_search

    return resume_search(command)


def join(words: Sequence[str]) -> int:
    """``hpsearch join``: help with a search that others work on."""
    command = parsers.parse_join(words)
    from hpsearch.cli.resume import resume_search

    return resume_search(command)


def stop(words: Sequence[str]) -> int:
    """``hpsearch stop``: stop a search from another terminal or host."""
    args = parsers.stop_parser().parse_args(words)
    from hpsearch.cli.stop import stop_search
    from hpsearch.store.folder import SearchFolder

    return _print_lines(stop_search(SearchFolder(args.dir), drain=args.drain, trust=args.trust))


def logs(words: Sequence[str]) -> int:
    """``hpsearch logs``: print the output of a run, stderr last."""
    args = parsers.logs_parser().parse_args(words)
    from hpsearch.store.attempt_files import log_files
    from hpsearch.store.folder import SearchFolder

    for path in log_files(SearchFolder(args.dir), args.run, args.attempt):
        print(f'==> {path} <==', flush=True)
        with open(path, 'rb') as log:
            shutil.copyfileobj(log, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return ALL_FINISHED


def templates(words: Sequence[str]) -> int:
    """``hpsearch templates``: list the configurations to start from, or print one."""
    args = parsers.templates_parser().parse_args(words)
    from hpsearch.config.templates import template_lines

    return _print_lines(template_lines(args.name))


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    verb.__name__: verb for verb in (run, plan, status, resume, join, stop, logs, templates)
}
