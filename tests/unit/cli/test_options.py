"""Options: from a command line to typed values, to ``search.json``, and back."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from typing import Any

import pytest

from hpsearch.cli.options import GROUPS, SearchOptions, flat, merged_options, search_options
from hpsearch.cli.parsers.resuming import parse_join, parse_resume
from hpsearch.cli.parsers.searches import parse_run, plan_parser, search_parser
from hpsearch.cli.parsers.values import values_of

WORDS = ['--grid_module=m', '--set', 'lr=[1]', '--set=mode=[a]', '--cpu_jobs=2', '--slurm_extra=-v', '--quiet']


def test_that_without_words_every_option_has_its_default() -> None:
    assert parse_run([]) == SearchOptions()


def test_that_words_become_typed_values() -> None:
    options = parse_run([*WORDS, '--allowed_load=0.25', '--run_cluster', '--scheduler=slurm'])
    assert options.configuration.grid_module == 'm'
    assert options.configuration.replacements == ('lr=[1]', 'mode=[a]')
    assert (options.local.cpu_jobs, options.local.allowed_load) == (2, 0.25)
    assert (options.cluster.run_cluster, options.cluster.scheduler) == (True, 'slurm')
    assert options.sbatch.slurm_extra == ('-v',)
    assert options.display.quiet


def test_that_no_two_options_share_a_name() -> None:
    names = [each.name for group in GROUPS.values() for each in fields(group)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize('words', [[], WORDS])
def test_that_a_search_stores_what_the_parser_gave_as_one_flat_mapping(words: list[str]) -> None:
    values = vars(search_parser('', '').parse_args(words))
    del values['config']  # another spelling of --grid_module
    stored = json.loads(json.dumps(flat(parse_run(words))))
    assert list(stored.items()) == list(values.items())
    assert search_options(stored) == parse_run(words)


def test_that_a_prologue_is_stored_only_where_there_is_one() -> None:
    assert 'job_prologue' not in flat(SearchOptions())
    with_one = search_options({'job_prologue': 'module load cuda'})
    assert flat(with_one)['job_prologue'] == 'module load cuda'
    assert search_options(flat(with_one)) == with_one


def test_that_names_of_other_versions_are_ignored_and_missing_ones_have_their_defaults() -> None:
    assert search_options({'of_a_later_version': 1, 'num_jobs': 3}) == search_options({'num_jobs': 3})


@pytest.mark.parametrize(
    ('words', 'only_submits'),
    [(['--submit_only'], False), (['--run_cluster'], False), (['--run_cluster', '--submit_only'], True)],
)
def test_that_only_a_search_in_a_queue_is_left_to_it(words: list[str], only_submits: bool) -> None:
    assert parse_run(words).only_submits is only_submits


def test_that_resuming_gives_only_the_options_that_were_given() -> None:
    command = parse_resume(['out', '--num_jobs=3', '--host_is_dead=a', '--host_is_dead=b', '--extend'])
    assert command.given == {'num_jobs': 3}
    assert (command.dir, command.dead_hosts, command.extend, command.trust) == ('out', ('a', 'b'), True, False)
    assert command.waits_for_others
    assert not parse_join(['out']).waits_for_others


def test_that_what_is_given_when_resuming_replaces_what_is_stored() -> None:
    stored = flat(parse_run(['--num_jobs=3', '--retries=2', '--reuse=x', '--submit_only', '--slurm_time=90']))
    merged = merged_options({'options': stored}, parse_resume(['out', '--num_hours=2', '--num_searches=5']).given)
    assert (merged.cluster.num_jobs, merged.cluster.num_hours) == (3, 2)
    assert merged.sbatch.slurm_time == ''
    assert merged.execution.retries == 2
    assert (merged.execution.reuse, merged.cluster.submit_only) == ((), False)
    assert merged.configuration.num_searches == 5


def test_that_options_for_the_first_time_hold_until_a_process_has_worked_on_the_search() -> None:
    stored = flat(parse_run(['--dont_start', '--reuse=x', '--submit_only']))
    merged = merged_options({'options': stored}, {}, is_first_time=True)
    assert (merged.execution.reuse, merged.cluster.submit_only) == (('x',), True)
    replaced = merged_options({'options': stored}, parse_join(['out', '--reuse=y']).given, is_first_time=True)
    assert replaced.execution.reuse == ('y',)


def test_that_a_search_without_stored_options_has_defaults() -> None:
    assert merged_options({}, {}) == SearchOptions()


def test_that_a_plan_has_the_options_of_a_search_and_its_own() -> None:
    values = values_of(plan_parser(), ['--num_searches=3', '--commands'])
    assert search_options(values) == parse_run(['--num_searches=3'])
    assert (values['commands'], values['scripts']) == (True, False)


@pytest.mark.parametrize(
    ('name', 'wrong'),
    [('cpu_jobs', '0'), ('allowed_load', '1.5'), ('signal', 'USR1'), ('max_job_mem', 'lots'), ('num_jobs', 'many')],
)
def test_that_a_wrong_value_is_refused(name: str, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_run([f'--{name}={wrong}'])
    assert wrong in capsys.readouterr().err


def test_that_help_of_resuming_says_that_options_keep_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_resume(['--help'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert 'in the queue at a time (default: as before)' in shown
    assert '%(default)' not in shown


def test_that_a_list_does_not_grow_from_one_command_line_to_the_next() -> None:
    parser: argparse.ArgumentParser = search_parser('', '')
    values: list[Any] = [parser.parse_args(['--reuse=a']).reuse for _ in range(2)]
    assert values == [['a'], ['a']]


@pytest.mark.parametrize('text', ['nan', 'inf', '-inf'])
def test_that_a_target_is_a_finite_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_run([f'--target={text}'])
    assert f'{text} is not between' in capsys.readouterr().err
    assert parse_run(['--target=-1e3']).limits.target == -1000
