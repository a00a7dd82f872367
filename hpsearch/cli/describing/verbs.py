"""All verbs: what ``hpsearch --help`` says of each, and the parser that knows its options."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hpsearch.cli.declaring.help_format import WIDEST

if TYPE_CHECKING:
    from hpsearch.cli.parsers.parser import Parser

_RESULTS = 'its results'

ABOUT: Mapping[str, Mapping[str, str]] = {
    'a new search': {
        'init SCRIPT': 'write a configuration for a script, from its --help and one run of it',
        'templates [NAME]': 'list the configuration templates, or print one',
        'plan CONFIG': 'show what would be run, with the options of run',
        'try CONFIG [RUN]': 'run one set of hyperparameters here and now, and show what was understood of its result',
        'run CONFIG': 'create a search and work on it; the same: hpsearch --grid_module=CONFIG',
        'hunt -n NAME': 'the same with the command line of Oríon, or work on the search of this name',
    },
    'a search that exists': {
        'status [DIR]': 'show its state; --json: for scripts',
        'top [DIR]': 'watch it in the terminal, with keys to stop and retry runs; or the searches below DIR',
        'list [DIR]': 'list its runs; --where: of which a condition holds; --columns, --sort, --json, --csv',
        'best [DIR]': 'list its best runs, or its Pareto front',
        'show [DIR] RUN': 'all that is known of a run, and why it waits',
        'diff [DIR] RUN RUN': 'where two runs differ, and in what',
        'logs [DIR] RUN': 'print the output of a run; -f: as it comes',
        'serve [DIR]': 'show its page in a browser, kept fresh',
        'stop [DIR]': 'stop it from another terminal or host; --drain: let the runs end that have started',
        'cancel [DIR] RUN ...': 'start runs no more, and end those that are under way; --where: of which this holds',
        'rerun [DIR] RUN ...': 'let runs that did not finish, or were cancelled, have one more attempt; --where',
        'pause [DIR]': 'start no more runs, and let those go on that run; --off: start runs again',
        'resume [DIR]': 'continue it, however it ended',
        'join DIR': 'help with a search that others work on',
    },
    _RESULTS: {
        'seeds [DIR] [RUN]': 'repeat a run, or the best ones, with other random seeds, and say how results scatter',
        'report [DIR]': 'write a page that shows it: one file of HTML, which opens without a network',
        'compare DIR DIR ...': 'show several searches beside each other, and in what they differ; --html: as a page',
        'export TOOL [DIR]': 'write it for optuna, tensorboard, wandb or mlflow, or as csv',
    },
    'your shell': {
        'completion SHELL': 'complete words in bash, zsh or fish',
    },
}
"""Title to how a verb is called and what it does, in the order in which they are listed."""

_POSTPROCESS = ('hpsearch-postprocess DIR', 'gather the results of a search, also of one that was killed')

_NOTES = """\
CONFIG is a Python module, a .py file or a YAML file; or, as the last words, a command that shows what is searched: \
hpsearch run -- python3 train.py --epochs 5 --lr~'[0.1, 0.01]'. DIR is a search folder; where it may be left out, it \
is the newest one at most four levels below the current directory.

hpsearch COMMAND --help lists the options of a command, hpsearch --version prints the version.
Exit status: 0 all runs finished, 1 some did not, 2 the request is wrong, 130 stopped."""

LEFT = 30
"""Columns for how a verb is called."""


def short_help(columns: int) -> str:
    """What ``hpsearch --help`` prints, for a terminal that is so wide."""
    width = max(60, min(columns, WIDEST))
    lines = ['usage: hpsearch COMMAND [...]', '', 'Run a training script with many sets of hyperparameters.']
    for title, verbs in ABOUT.items():
        lines += ['', title]
        for called, does in verbs.items():
            lines += _row(f'hpsearch {called}', does, width)
        if title == _RESULTS:
            lines += _row(*_POSTPROCESS, width)
    lines.append('')
    for note in _NOTES.splitlines():
        lines += textwrap.wrap(note, width, break_on_hyphens=False) or ['']
    return '\n'.join(lines) + '\n'


def _row(called: str, does: str, width: int) -> Iterator[str]:
    first, *others = textwrap.wrap(does, width - LEFT - 2, break_on_hyphens=False)
    yield f'  {called:<{LEFT - 1}} {first}'
    yield from (' ' * (LEFT + 2) + line for line in others)


def parsers_of_verbs() -> dict[str, Parser]:
    """Verb to its parser, of all verbs."""
    from hpsearch.cli.adaptive.hunt import hunt_parser
    from hpsearch.cli.comparing.parsers import compare_parser
    from hpsearch.cli.describing.parsers import completion_parser
    from hpsearch.cli.parsers.other_verbs import export_parser, status_parser, stop_parser, templates_parser
    from hpsearch.cli.parsers.resuming import resume_parser
    from hpsearch.cli.parsers.searches import plan_parser, run_parser, try_parser
    from hpsearch.cli.runs import control_parsers
    from hpsearch.cli.runs import parsers as run_parsers
    from hpsearch.cli.script.parsers import init_parser
    from hpsearch.cli.seeds.parsers import seeds_parser
    from hpsearch.cli.serving.parsers import serve_parser
    from hpsearch.cli.viewing.report import report_parser
    from hpsearch.cli.viewing.top.parsers import top_parser

    return {
        'init': init_parser(),
        'templates': templates_parser(),
        'plan': plan_parser(),
        'try': try_parser(),
        'run': run_parser(),
        'hunt': hunt_parser(),
        'status': status_parser(),
        'top': top_parser(),
        'list': run_parsers.list_parser(),
        'best': run_parsers.best_parser(),
        'show': run_parsers.show_parser(),
        'diff': run_parsers.diff_parser(),
        'logs': run_parsers.logs_parser(),
        'serve': serve_parser(),
        'stop': stop_parser(),
        'cancel': control_parsers.cancel_parser(),
        'rerun': control_parsers.rerun_parser(),
        'pause': control_parsers.pause_parser(),
        'resume': resume_parser('resume'),
        'join': resume_parser('join'),
        'seeds': seeds_parser(),
        'report': report_parser(),
        'compare': compare_parser(),
        'export': export_parser(),
        'completion': completion_parser(),
    }
