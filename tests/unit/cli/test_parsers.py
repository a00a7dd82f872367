"""The words of a command line: which verb they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hpsearch.cli.main import VERBS, _verb, main
from hpsearch.cli.parsers.other_verbs import status_parser, stop_parser
from hpsearch.cli.parsers.resuming import parse_resume, resume_parser
from hpsearch.cli.parsers.searches import parse_plan, parse_run, parse_try, plan_parser, run_parser
from hpsearch.cli.request import no_searches
from hpsearch.cli.runs.parsers import list_parser, logs_parser


def search_at(path: Path, moment: float) -> Path:
    path.mkdir(parents=True)
    (path / 'search.json').write_text('{}')
    os.utime(path / 'search.json', (moment, moment))
    return path


@pytest.mark.parametrize(
    ('words', 'verb', 'rest'),
    [
        (['status', 'out'], 'status', ['out']),
        (['--quiet', 'resume', 'out'], 'resume', ['--quiet', 'out']),
        (['--json', 'status', 'out'], 'status', ['--json', 'out']),
        (['--grid_module', 'plan', 'plan'], 'plan', ['--grid_module', 'plan']),
        (['--grid-module', 'plan', 'plan'], 'plan', ['--grid-module', 'plan']),
        (['--out_dir', 'run', '--grid_module=x'], 'run', ['--out_dir', 'run', '--grid_module=x']),
        (['--visible_gpus', '-1', 'c.py'], 'run', ['--visible_gpus', '-1', 'c.py']),
        (['c.yaml', '--quiet'], 'run', ['c.yaml', '--quiet']),
        (['--quiet', '--', 'plan', 'x'], 'run', ['--quiet', '--', 'plan', 'x']),
        (['plan', '--', 'python', 'x.py'], 'plan', ['--', 'python', 'x.py']),
        (['python', 'x.py', '--a~[1]'], 'run', ['python', 'x.py', '--a~[1]']),
    ],
)
def test_that_the_verb_is_found_among_options_and_their_values(words: list[str], verb: str, rest: list[str]) -> None:
    assert _verb(words) == (VERBS[verb], rest)


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['paln'], 'hpsearch: paln: not a command; did you mean plan?\n'),
        (['postprocess', 'out'], 'hpsearch: postprocess: not a command; write hpsearch-postprocess.\n'),
        (['things'], 'hpsearch: things: not a command; for a configuration of this name: hpsearch run things\n'),
    ],
)
def test_that_a_word_that_is_no_command_is_said_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['run', 'a', '--num_serches=3'], 'hpsearch run: --num_serches: no such option; did you mean --num_searches?'),
        (['run', 'a', 'b'], 'hpsearch run: b: not expected here.'),
        (
            ['resume', 'a', '--direction=minimize'],
            'hpsearch resume: --direction: an option of hpsearch run; the search keeps what it was started with.',
        ),
        (['run', 'a', '--grid_module=b'], 'hpsearch run: a: the configuration is given already, as --grid_module=b'),
        (['plan', 'a', '--zzz'], 'hpsearch plan: --zzz: no such option.'),
        (
            ['run', 'c.py', '--', 'python'],
            'hpsearch run: c.py: a command follows after --, which is the configuration itself; keep one of them',
        ),
        (['try', '--'], "hpsearch try: a command is expected after --, as in -- python3 train.py --lr~'[0.1, 0.01]'"),
        (
            ['plan', '--quiet', 'python', 'x.py', '--a~[1]'],
            "hpsearch plan: a command stands after --: hpsearch plan --quiet -- python x.py '--a~[1]'",
        ),
        (['join'], 'hpsearch join: the following arguments are required: DIR'),
    ],
)
def test_that_a_wrong_word_is_said_in_one_line_without_the_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f'{said}\nSee hpsearch {words[0]} --help.\n'


def test_that_options_may_be_written_with_dashes() -> None:
    assert parse_run(['--grid-module=a', '--cpu-jobs', '3']) == parse_run(['--grid_module=a', '--cpu_jobs=3'])
    assert parse_run(['--slurm_extra=--no-requeue']).sbatch.slurm_extra == ('--no-requeue',)


def test_that_the_configuration_may_be_a_word_of_its_own() -> None:
    assert parse_run(['--quiet', 'c.py', '--retries=1']) == parse_run(['--grid_module=c.py', '--quiet', '--retries=1'])
    assert parse_plan(['c.py', '--commands']).options.configuration.grid_module == 'c.py'


def test_that_the_words_after_two_dashes_are_a_command() -> None:
    words = ('python', '--grid_module=x', '--', '--quiet', '--a~[1]')
    options = parse_run(['--cpu_jobs=2', '--', *words])
    assert (options.configuration.command, options.configuration.grid_module) == (words, '')
    assert (options.local.cpu_jobs, options.display.quiet) == (2, False)
    assert parse_plan(['--commands', '--', *words]).options.configuration.command == words


@pytest.mark.parametrize(('words', 'run'), [([], 1), (['3'], 3), (['--keep', '2'], 2)])
def test_that_a_run_of_a_command_can_be_tried(words: list[str], run: int) -> None:
    command = parse_try([*words, '--', 'python', 'x.py'])
    assert (command.run, command.options.configuration.command) == (run, ('python', 'x.py'))


def test_that_paths_may_begin_with_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/h')
    options = parse_run(
        ['~/c.py', '--out_dir=~/o', '--run_cwd', '~', '--python=~/p', '--grid_config=~/g', '--reuse=~/a']
    )
    assert (options.configuration.grid_module, options.configuration.python) == ('/h/c.py', '/h/p')
    assert (options.configuration.grid_config, options.execution.reuse) == ('/h/g', ('/h/a',))
    assert (options.folder.out_dir, options.folder.run_cwd) == ('/h/o', '/h')
    assert parse_resume(['~/o']).dir == '/h/o'


PARSERS = [
    *(build() for build in (plan_parser, status_parser, stop_parser, logs_parser, list_parser)),
    run_parser(),
    resume_parser('resume'),
]


@pytest.mark.parametrize('parser', PARSERS, ids=lambda parser: str(parser.prog))
def test_that_every_option_that_takes_a_path_understands_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, parser: argparse.ArgumentParser
) -> None:
    monkeypatch.setenv('HOME', '/h')
    paths = [
        action for action in parser._actions if action.metavar in ('FILE', 'DIR', 'MODULE') or action.dest == 'dir'
    ]
    assert paths
    for action in paths:
        assert callable(action.type), action.dest
        assert action.type('~/x') == '/h/x', action.dest


def test_that_no_words_print_all_commands_within_two_screens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert main(['--help']) == 0
    assert capsys.readouterr().out == shown
    assert len(shown.splitlines()) <= 66
    assert all(f'hpsearch {verb}' in shown for verb in VERBS)


def test_that_the_newest_search_is_named_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (search_at(tmp_path / 'out', 1000) / 'search.json').write_text('no JSON')
    monkeypatch.chdir(tmp_path)
    assert main(['status']) == 1
    assert capsys.readouterr().err.startswith('hpsearch: the newest search here is out\n')


def test_that_a_mistyped_option_of_a_verb_on_runs_is_named_with_what_it_may_mean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(['list', '--jsn'])
    assert '--jsn: no such option; did you mean --json?' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['d', '7', '--attempt=2'], ['d', '--attempt=2', '7'], ['--attempt=2', 'd', '7']])
def test_that_logs_takes_its_words_in_any_order(words: list[str]) -> None:
    args = logs_parser().parse_intermixed_args(words)
    assert (args.dir, args.run, args.attempt) == ('d', '7', 2)
    args = logs_parser().parse_intermixed_args(words[-2:] if words[0] == 'd' else ['--attempt=2', '7'])
    assert args.run == '7'


def test_that_a_current_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'gone').mkdir()
    monkeypatch.chdir(tmp_path / 'gone')
    (tmp_path / 'gone').rmdir()
    assert main(['status', 'out']) == 1
    assert 'current folder was deleted' in capsys.readouterr().err


def test_that_half_a_character_is_printed_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(words: Sequence[str]) -> int:
        print('sim_1 failed: \ud800 é')
        return 0

    printed = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(printed, encoding='utf-8', write_through=True))
    monkeypatch.setitem(VERBS, 'status', status)
    assert main(['status']) == 0
    assert printed.getvalue() == 'sim_1 failed: \\ud800 é\n'.encode()


def test_that_a_distribution_in_a_setting_is_no_command() -> None:
    command = parse_plan(['c.py', '--set', '+lr~uniform(0, 1)', '--set=a~choice(1)'])
    assert command.options.configuration.replacements == ('+lr~uniform(0, 1)', 'a~choice(1)')


NO_FOLDER_OF_A_SEARCH = {'init', 'run', 'hunt', 'plan', 'try', 'top', 'templates', 'completion'}
"""Verbs that take none; top takes one with searches below it as well."""

MORE_WORDS = {'cancel': ['1'], 'rerun': ['1'], 'show': ['1'], 'logs': ['1'], 'diff': ['1', '2'], 'compare': ['out']}


@pytest.mark.parametrize('verb', sorted(VERBS.keys() - NO_FOLDER_OF_A_SEARCH))
def test_that_a_search_below_the_folder_that_a_user_names_is_hinted_at(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = search_at(tmp_path / 'out' / 'search_2026', 1000)
    monkeypatch.chdir(tmp_path)
    assert main([verb, *(['csv'] if verb == 'export' else []), 'out', *MORE_WORDS.get(verb, [])]) == 2
    assert f'; one below it is {search}.' in capsys.readouterr().err


def test_that_a_search_below_the_folder_of_an_option_is_hinted_at(tmp_path: Path) -> None:
    search = search_at(tmp_path / 'out' / 'search_2026', 1000)
    (said,) = no_searches('reuse', [str(tmp_path / 'out')])
    assert said == f'--reuse={tmp_path}/out: there is no search in {tmp_path}/out; one below it is {search}.'
