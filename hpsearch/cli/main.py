"""The command line: reads options, wires the parts together, prints, and turns errors into exit codes.

Exit codes: 0 all runs finished, 1 some did not, 2 the request was wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from hpsearch.cli.options import add_resume_options, add_search_options
from hpsearch.model.errors import ConfigError, HpsearchError

if TYPE_CHECKING:
    from hpsearch.cli.request import SearchRequest
    from hpsearch.cli.search_runner import SearchResult

ALL_FINISHED, SOME_DID_NOT, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\
verbs:
  hpsearch run …                the same as without a verb
  hpsearch plan …               show what would be run, with the same options; --commands: only the commands;
                                --scripts: what would be submitted to a queue
  hpsearch status DIR [--json]  how a search stands
  hpsearch resume DIR           go on with a search, whatever ended it
  hpsearch join DIR             help with a search that others work on
  hpsearch stop DIR [--drain]   end a search from another terminal or host
  hpsearch logs DIR RUN         print what a run wrote
  hpsearch templates [NAME]     list the configuration templates, or print one
  hpsearch-postprocess DIR      gather the results of a search, also of one that was killed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = VERBS[words.pop(0)] if words and words[0] in VERBS else run
    try:
        return verb(words)
    except HpsearchError as error:
        _complain(error)
        return WRONG_REQUEST
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_FINISHED


def _complain(error: HpsearchError) -> None:
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        print(f'hpsearch: {len(error.problems)} problems:', file=sys.stderr)
        for problem in error.problems:
            print(f'  - {problem}', file=sys.stderr)
    else:
        print(f'hpsearch: {error}', file=sys.stderr)


def _search_parser(verb: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f'hpsearch {verb}'.strip(),
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from hpsearch import __version__

    parser.add_argument('--version', action='version', version=f'hpsearch {__version__}')
    add_search_options(parser)
    return parser


def _parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """The options, completed from a profile."""
    args = parser.parse_args(words)
    if not getattr(args, 'profile', ''):
        return args
    from hpsearch.cli.options import parse_with_profile

    return parse_with_profile(parser, words)


def run(words: Sequence[str]) -> int:
    """``hpsearch run``: make a search and work on it."""
    args = _parse(_search_parser('', 'Run a training script with many hyperparameters.'), words)
    from hpsearch.cli.run import make, run_search

    if args.dont_start:
        print(make(args).path)
        return ALL_FINISHED
    return _end(run_search(args), quiet=args.quiet, only_submits=args.run_cluster and args.submit_only)


def _end(conducted: SearchResult, *, quiet: bool, only_submits: bool = False, helps: bool = False) -> int:
    """Tell how a search ended; returns the exit code.

    Args:
        conducted: The search.
        quiet: Whether nothing but errors is told.
        only_submits: Whether it was to be left to the queue.
        helps: Whether we only helped with it, within a job whose own success that is.
    """
    outcome = conducted.outcome
    if not quiet:
        _show_end(conducted)
    if outcome.refused and not helps:
        print(f'hpsearch: no more runs were submitted: {outcome.refused}', file=sys.stderr)
        return WRONG_REQUEST
    if conducted.all_finished or (only_submits and outcome.left is not None):
        return ALL_FINISHED
    if outcome.interrupted or outcome.left is not None:
        return INTERRUPTED
    return ALL_FINISHED if helps else SOME_DID_NOT


def _show_end(conducted: SearchResult) -> None:
    from hpsearch.cli.reports import best_columns, ending_lines
    from hpsearch.ui.table import print_table

    columns, rows = best_columns(conducted)
    if rows:
        print()
        print_table(sys.stdout, columns, rows)
    for line in ending_lines(conducted):
        print(line)


def plan(words: Sequence[str]) -> int:
    """``hpsearch plan``: the real code path up to the first start."""
    parser = _search_parser('plan', 'Show what a search would run, without running anything.')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--commands', action='store_true', help='print only the commands, one per line')
    which.add_argument(
        '--scripts', action='store_true', help='with --run_cluster: print the script of the first jobs to be submitted'
    )
    args = _parse(parser, words)
    from hpsearch.cli.request import make_request

    for line in _plan_lines(make_request(args)):
        print(line)
    return ALL_FINISHED


def _plan_lines(request: SearchRequest) -> Iterable[str]:
    if request.args.scripts:
        from hpsearch.cli.planned_jobs import script_lines

        return script_lines(request)
    from hpsearch.cli.reports import plan_lines

    return plan_lines(request, only_commands=request.args.commands)


def status(words: Sequence[str]) -> int:
    """``hpsearch status``: how a search stands, from its folder alone."""
    parser = argparse.ArgumentParser(prog='hpsearch status', description='How a search stands.')
    parser.add_argument('dir', help='the search folder')
    parser.add_argument('--json', action='store_true', help='as JSON, for scripts')
    args = parser.parse_args(words)
    from hpsearch.cli.status import status_lines
    from hpsearch.store.folder import SearchFolder

    for line in status_lines(SearchFolder(args.dir), as_json=args.json):
        print(line)
    return ALL_FINISHED


def resume(words: Sequence[str]) -> int:
    """``hpsearch resume``: go on with a search, whatever ended it."""
    return _resume('resume', 'Go on with a search; ends when all its runs have ended.', words, waits_for_others=True)


def join(words: Sequence[str]) -> int:
    """``hpsearch join``: help with a search that others work on."""
    return _resume(
        'join', 'Help with a search; ends when there is nothing left to start.', words, waits_for_others=False
    )


def _resume(verb: str, description: str, words: Sequence[str], *, waits_for_others: bool) -> int:
    parser = argparse.ArgumentParser(prog=f'hpsearch {verb}', description=description)
    add_resume_options(parser)
    args = _parse(parser, words)
    args.waits_for_others = waits_for_others
    from hpsearch.cli.queue_backends import own_job
    from hpsearch.cli.resume import resume_search

    submits = getattr(args, 'submit_only', False)
    helps = not waits_for_others and own_job() is not None
    return _end(resume_search(args), quiet=getattr(args, 'quiet', False), only_submits=submits, helps=helps)


def stop(words: Sequence[str]) -> int:
    """``hpsearch stop``: end a search from another terminal or host."""
    parser = argparse.ArgumentParser(prog='hpsearch stop', description='End a search, in order.')
    parser.add_argument('dir', help='the search folder')
    parser.add_argument('--drain', action='store_true', help='start no more runs, but let those that run end')
    parser.add_argument('--trust', action='store_true', help='stop a search of another user')
    args = parser.parse_args(words)
    from hpsearch.cli.stop import stop_search

    for line in stop_search(args):
        print(line, flush=True)
    return ALL_FINISHED


def logs(words: Sequence[str]) -> int:
    """``hpsearch logs``: what a run wrote."""
    parser = argparse.ArgumentParser(prog='hpsearch logs', description='Print what a run wrote, stderr last.')
    parser.add_argument('dir', help='the search folder')
    parser.add_argument('run', help='name of the run, or its number')
    parser.add_argument('--attempt', metavar='N', type=int, default=0, help='which attempt (default: the last)')
    args = parser.parse_args(words)
    from hpsearch.cli.reports import log_files
    from hpsearch.store.folder import SearchFolder

    for path in log_files(SearchFolder(args.dir), args.run, args.attempt):
        print(f'==> {path} <==', flush=True)
        with open(path, 'rb') as log:
            shutil.copyfileobj(log, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return ALL_FINISHED


def templates(words: Sequence[str]) -> int:
    """``hpsearch templates``: the configurations to start from."""
    parser = argparse.ArgumentParser(prog='hpsearch templates', description='Configurations to start from.')
    parser.add_argument('name', nargs='?', default='', help='the template to print; without: list them')
    args = parser.parse_args(words)
    from hpsearch.cli.reports import template_lines

    for line in template_lines(args.name):
        print(line)
    return ALL_FINISHED


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    'run': run,
    'plan': plan,
    'status': status,
    'resume': resume,
    'join': join,
    'stop': stop,
    'logs': logs,
    'templates': templates,
}
