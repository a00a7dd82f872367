"""The command line: parses the words of a verb, executes it, prints its lines, and turns errors into exit codes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.cli.exit_codes import ALL_FINISHED, INTERRUPTED, SOME_DID_NOT, WRONG_REQUEST
from hpsearch.cli.parsers.leading_words import about_unknown_command, before_command, first_word, has_search
from hpsearch.cli.parsers.other_verbs import export_parser, status_parser, stop_parser, templates_parser
from hpsearch.cli.parsers.resuming import parse_join, parse_resume
from hpsearch.cli.parsers.searches import parse_plan, parse_run, parse_try, search_parser
from hpsearch.cli.script.parsers import parse_init
from hpsearch.model.errors import ConfigError, DamageError, HpsearchError, IllegalMove, JournalError, trouble_in_words
from hpsearch.ui.terminal import drop, prepare_streams, put_line

if TYPE_CHECKING:
    import argparse

    from hpsearch.cli.runs.control import Asked
    from hpsearch.store.folder import SearchFolder

NOT_OF_THE_REQUEST = (DamageError, JournalError, IllegalMove)
"""Errors that say nothing of what was asked for."""

CONFIG_SUFFIXES = ('.py', '.yaml', '.yml')
"""How the names of files end that are taken for a configuration where a command is expected."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        verb, rest = _verb(words)
        return verb(rest)
    except HpsearchError as error:
        _print_error(error)
        return SOME_DID_NOT if isinstance(error, NOT_OF_THE_REQUEST) else WRONG_REQUEST
    except KeyboardInterrupt:
        put_line(sys.stderr, 'interrupted')
        return INTERRUPTED
    except BrokenPipeError:
        drop(sys.stdout)  # nobody reads what a command shows
        return ALL_FINISHED
    except OSError as error:
        put_line(sys.stderr, f'hpsearch: {_about_trouble(error)}')
        return SOME_DID_NOT


def _about_trouble(error: OSError) -> str:
    try:
        os.getcwd()
    except FileNotFoundError:
        return 'The current folder was deleted: change to another one (cd), and try again.'
    if isinstance(error, PermissionError):
        return f'{trouble_in_words(error)}. Ask whoever owns it for access.'
    return f'{trouble_in_words(error)}. Try again, or resume the search.'


def _verb(words: list[str]) -> tuple[Callable[[Sequence[str]], int], list[str]]:
    """The verb of a command line, and its other words; options may stand before the verb."""
    if not words or words in (['-h'], ['--help']):
        return short_help, words
    at = 0 if words[0] in VERBS else first_word(words, search_parser('run', ''))
    word = words[at] if at < len(before_command(words)) else ''
    if word in VERBS:
        return VERBS[word], words[:at] + words[at + 1 :]
    if word and not (word.endswith(CONFIG_SUFFIXES) or os.path.exists(word) or has_search(words)):
        raise ConfigError([about_unknown_command(word, VERBS)])
    return run, words


def _print_error(error: HpsearchError) -> None:
    """Print an error, which may name what others have written, without what a terminal would take for commands."""
    from hpsearch.ui.format import printable

    text = f'hpsearch: {error}'
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        text = '\n  - '.join((f'hpsearch: {len(error.problems)} problems:', *error.problems))
    put_line(sys.stderr, '\n'.join(map(printable, text.split('\n'))))


def _print_lines(lines: Iterable[str]) -> int:
    for line in lines:
        print(line, flush=True)
    return ALL_FINISHED


def _print_noted(lines: Iterable[str], note: str) -> int:
    """Print lines, and on stderr what is to be said of them."""
    _print_all(lines)
    if note:
        put_line(sys.stderr, f'hpsearch: {note}')
    return ALL_FINISHED


def _print_all(lines: Iterable[str]) -> None:
    """Print many lines that are all there already: flushing each would take longer than making them."""
    for line in lines:
        print(line)
    sys.stdout.flush()


def _put_lines(lines: Iterable[str]) -> int:
    """Print what a verb does, which goes on, whether or not somebody reads it."""
    for line in lines:
        put_line(sys.stdout, line)
    return ALL_FINISHED


def _folder(path: str) -> SearchFolder:
    """The search folder that was named, or the newest one here."""
    from hpsearch.records.finding import named_search, newest_search

    if path:
        return named_search(path)
    folder = newest_search(Path.cwd())
    put_line(sys.stderr, f'hpsearch: the newest search here is {os.path.relpath(folder.path)}')
    return folder


# The verbs; each imports what it needs only after its words were parsed, so that ``--help`` is fast.


def short_help(words: Sequence[str]) -> int:
    """``hpsearch --help``, or no words at all, which is no request."""
    from hpsearch.cli.describing.verbs import short_help as text_of_help

    print(text_of_help(shutil.get_terminal_size().columns), end='')
    return ALL_FINISHED if words else WRONG_REQUEST


def run(words: Sequence[str]) -> int:
    """``hpsearch run``: create a search and work on it."""
    options = parse_run(words)
    from hpsearch.cli.run import create_only, run_search

    if options.folder.dont_start:
        return _print_lines([str(create_only(options))])
    return run_search(options)


def hunt(words: Sequence[str]) -> int:
    """``hpsearch hunt``: a search with the command line of Oríon."""
    from hpsearch.cli.adaptive.hunt import hunt_search, parse_hunt

    return hunt_search(parse_hunt(words))


def plan(words: Sequence[str]) -> int:
    """``hpsearch plan``: show what would be run."""
    command = parse_plan(words)
    from hpsearch.cli.plan import plan_lines

    return _print_lines(plan_lines(command))


def try_(words: Sequence[str]) -> int:
    """``hpsearch try``: run one set of hyperparameters in the foreground."""
    command = parse_try(words)
    from hpsearch.cli.script.trial import try_one

    return try_one(command)


def init(words: Sequence[str]) -> int:
    """``hpsearch init``: write a configuration for a script."""
    command = parse_init(words)
    from hpsearch.cli.script.init import write_module

    return write_module(command)


def status(words: Sequence[str]) -> int:
    """``hpsearch status``: show the state of a search."""
    args = status_parser().parse_args(words)
    from hpsearch.cli.status import status_lines

    return _print_lines(status_lines(_folder(args.dir), as_json=args.json, with_predictions=args.predictions))


def top(words: Sequence[str]) -> int:
    """``hpsearch top``: watch a search, or several, in the terminal."""
    from hpsearch.cli.viewing.top.parsers import parse_top

    args = parse_top(words)
    from hpsearch.cli.viewing.top.watching import TopCommand, watch

    return watch(TopCommand(args.dir, args.interval, args.once, args.trust))


def resume(words: Sequence[str]) -> int:
    """``hpsearch resume``: continue a search."""
    command = parse_resume(words)
    from hpsearch.cli.resume import resume_search

    return resume_search(replace(command, dir=str(_folder(command.dir).path)))


def join(words: Sequence[str]) -> int:
    """``hpsearch join``: help with a search that others work on."""
    command = parse_join(words)
    from hpsearch.cli.resume import resume_search
    from hpsearch.records.finding import named_search

    return resume_search(replace(command, dir=str(named_search(command.dir).path)))


def stop(words: Sequence[str]) -> int:
    """``hpsearch stop``: stop a search from another terminal or host."""
    args = stop_parser().parse_args(words)
    from hpsearch.cli.stop import stop_search

    return _put_lines(stop_search(_folder(args.dir), drain=args.drain, trust=args.trust))


def show(words: Sequence[str]) -> int:
    """``hpsearch show``: all that is known of a run."""
    from hpsearch.cli.runs.parsers import parse_on_runs, show_parser

    args = parse_on_runs(show_parser(), words)
    from hpsearch.cli.runs.choosing import search_and_runs
    from hpsearch.cli.runs.output import Form, form_of
    from hpsearch.cli.runs.showing import shown_lines, shown_run

    folder, (run,) = search_and_runs(args.dir, [args.run], _folder)
    form = form_of(args)
    shown = shown_run(folder, run, with_others=form is Form.CSV)  # whose columns are those that any run has
    return _print_lines(shown_lines(shown, form))


def diff(words: Sequence[str]) -> int:
    """``hpsearch diff``: where two runs differ."""
    from hpsearch.cli.runs.parsers import diff_parser, parse_on_runs

    args = parse_on_runs(diff_parser(), words)
    from hpsearch.cli.runs.choosing import find_runs, read, search_and_runs
    from hpsearch.cli.runs.difference import difference, difference_lines
    from hpsearch.cli.runs.output import form_of

    folder, chosen = search_and_runs(args.dir, [args.run, args.other], _folder)
    search = read(folder)
    one, other = find_runs(search.runs, chosen, search.path)
    return _print_lines(difference_lines(difference(search, folder, one, other), form_of(args)))


def logs(words: Sequence[str]) -> int:
    """``hpsearch logs``: print the output of a run, as it is or as it grows."""
    from hpsearch.cli.runs.parsers import logs_parser, parse_on_runs

    args = parse_on_runs(logs_parser(), words)
    from hpsearch.cli.runs.choosing import search_and_runs
    from hpsearch.cli.runs.logs import print_logs
    from hpsearch.cli.runs.output import form_of

    folder, (run,) = search_and_runs(args.dir, [args.run], _folder)
    print_logs(folder, run, args.attempt, follows=args.follow, form=form_of(args))
    return ALL_FINISHED


def list_(words: Sequence[str]) -> int:
    """``hpsearch list``: the runs of a search."""
    from hpsearch.cli.runs.parsers import list_parser, parse_on_runs

    args = parse_on_runs(list_parser(), words)
    from hpsearch.cli.runs.choosing import read
    from hpsearch.cli.runs.listing import runs_listed
    from hpsearch.cli.runs.output import form_of, lines_of

    form = form_of(args)
    listed = runs_listed(read(_folder(args.dir)), args.where, args.columns, args.sort, args.limit, form)
    return _print_noted(lines_of(listed.sheet, form), listed.note)


def best(words: Sequence[str]) -> int:
    """``hpsearch best``: the best runs of a search."""
    from hpsearch.cli.runs.parsers import best_parser, parse_on_runs

    args = parse_on_runs(best_parser(), words)
    from hpsearch.cli.runs.choosing import read
    from hpsearch.cli.runs.listing import best_listed
    from hpsearch.cli.runs.output import form_of, lines_of

    form = form_of(args)
    listed = best_listed(read(_folder(args.dir)), args.where, args.limit, form)
    return _print_noted(lines_of(listed.sheet, form), listed.note)


def report(words: Sequence[str]) -> int:
    """``hpsearch report``: write a page that shows a search, or its figures for papers."""
    from hpsearch.cli.viewing.report import report_lines, report_parser

    args = report_parser().parse_args(words)
    return _print_lines(report_lines(_folder(args.dir), args))


def cancel(words: Sequence[str]) -> int:
    """``hpsearch cancel``: start no more attempts of runs, and end those that are under way."""
    from hpsearch.cli.runs.control_parsers import cancel_parser

    args = cancel_parser().parse_intermixed_args(words)
    from hpsearch.cli.runs.control import ask_to_cancel, end_cancelled

    return _act_on_runs(args, ask_to_cancel, end_cancelled)


def rerun(words: Sequence[str]) -> int:
    """``hpsearch rerun``: let runs have one more attempt."""
    from hpsearch.cli.runs.control_parsers import rerun_parser

    args = rerun_parser().parse_intermixed_args(words)
    from hpsearch.cli.runs.control import ask_to_rerun, starters_of

    return _act_on_runs(args, ask_to_rerun, starters_of)


def _act_on_runs(args: argparse.Namespace, ask: Callable[..., Asked], go_on: Callable[[Asked], Iterable[str]]) -> int:
    from hpsearch.cli.runs.choosing import search_and_runs
    from hpsearch.cli.runs.control import answer_lines, chosen_names
    from hpsearch.cli.runs.control_parsers import directory_and_runs
    from hpsearch.cli.runs.output import Form, form_of

    folder, named = search_and_runs(*directory_and_runs(args.words), _folder)
    names = chosen_names(folder, named, args.where)
    form = form_of(args)
    asked = ask(folder, names, trust=args.trust) if names else None
    _put_lines(answer_lines(asked.answers if asked else {}, form))
    for line in go_on(asked) if asked else ['there are no such runs']:
        put_line(*((sys.stdout, line) if form is Form.PEOPLE else (sys.stderr, f'hpsearch: {line}')))
    return ALL_FINISHED


def pause(words: Sequence[str]) -> int:
    """``hpsearch pause``: start no more runs of a search, and let go on those that run."""
    from hpsearch.cli.runs.control_parsers import pause_parser

    args = pause_parser().parse_args(words)
    from hpsearch.cli.runs.control import request_pause

    return _put_lines(request_pause(_folder(args.dir), not args.off, trust=args.trust))


def export(words: Sequence[str]) -> int:
    """``hpsearch export``: write a search so that another program can open it."""
    args = export_parser().parse_args(words)
    from hpsearch.cli.adaptive.export import export_search

    return _print_lines(export_search(_folder(args.dir), args.tool, args.to))


def seeds(words: Sequence[str]) -> int:
    """``hpsearch seeds``: repeat runs with other random seeds, and summarise their results."""
    from hpsearch.cli.seeds.parsers import parse_seeds

    command = parse_seeds(words)
    from hpsearch.cli.seeds.command import repeat_runs

    if not (command.dir or command.what.run_dir or command.gathering.seeds_dir):
        newest = os.path.relpath(_folder('').path)
        command = replace(command, dir=newest, words=[newest, *words])
    return repeat_runs(command)


def compare(words: Sequence[str]) -> int:
    """``hpsearch compare``: show several searches beside each other."""
    from hpsearch.cli.comparing.parsers import compare_parser

    args = compare_parser().parse_args(words)
    from hpsearch.cli.comparing.verb import compare_searches
    from hpsearch.cli.runs.output import form_of

    return _print_lines(compare_searches(args.dirs, form_of(args), args.html))


def serve(words: Sequence[str]) -> int:
    """``hpsearch serve``: show the page of a search to browsers, kept fresh."""
    from hpsearch.cli.serving.parsers import serve_parser

    args = serve_parser().parse_args(words)
    from hpsearch.cli.serving.verb import serve_search

    return serve_search(_folder(args.dir), args.host, args.port)


def templates(words: Sequence[str]) -> int:
    """``hpsearch templates``: list the configurations to start from, or print one."""
    args = templates_parser().parse_args(words)
    from hpsearch.config.templates import template_lines

    return _print_lines(template_lines(args.name))


def completion(words: Sequence[str]) -> int:
    """``hpsearch completion``: print a script that completes words in a shell."""
    from hpsearch.cli.describing.completion import completion_script
    from hpsearch.cli.describing.parsers import completion_parser
    from hpsearch.cli.viewing.postprocessing import postprocessing

    args = completion_parser().parse_args(words)
    print(completion_script(args.shell, postprocessing('main').postprocess_parser()), end='')
    return ALL_FINISHED


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    verb.__name__.rstrip('_'): verb
    for verb in (
        init,
        run,
        hunt,
        plan,
        try_,
        status,
        top,
        resume,
        join,
        stop,
        cancel,
        rerun,
        pause,
        list_,
        best,
        show,
        diff,
        logs,
        report,
        serve,
        compare,
        export,
        seeds,
        templates,
        completion,
    )
}
