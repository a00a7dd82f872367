"""Profiles: what a file says for options, against the real options of a search and of resuming one."""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.options import add_options, merged_options, search_options
from hpsearch.cli.parsers.resuming import resume_parser
from hpsearch.cli.parsers.values import profile_options, values_of
from hpsearch.config.profile import JOB_PROLOGUE, read_profile
from hpsearch.model.errors import ConfigError

OPTIONS = profile_options()
NO_OPTION = 'is no option of this machine or of a cluster'


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / 'site.yaml'


def read(profile: Path, text: str) -> dict[str, Any]:
    profile.write_text(text)
    return read_profile(profile, OPTIONS)


def problems(profile: Path, text: str) -> list[str]:
    """What is said of a profile, without the words that name the file and the line."""
    with pytest.raises(ConfigError) as caught:
        read(profile, text)
    prefix = re.compile(re.escape(f'--profile: {profile}, line ') + r'\d+: ')
    assert all(prefix.match(problem) for problem in caught.value.problems)
    return [prefix.sub('', problem) for problem in caught.value.problems]


def of_search(*words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return values_of(parser, words)


def of_resume(*words: str) -> dict[str, Any]:
    return values_of(resume_parser('resume'), ['folder', *words])


def command_line(name: str, value: Any) -> list[str]:
    """The words that give an option a value."""
    if isinstance(value, bool):
        return [f'--{name}'] * value
    return [f'--{name}={each}' for each in (value if isinstance(value, list) else [value])]


# -------------------------------------------------------------------------------------------------------- what it says


@pytest.mark.parametrize(
    ('name', 'value', 'expected'),
    [
        ('run_cluster', 'true', True),
        ('submit_only', 'false', False),
        ('num_jobs', '25', 25),
        ('num_jobs', '"25"', 25),
        ('allowed_load', '0.25', 0.25),
        ('allowed_load', '1', 1.0),
        ('sim_startup_time', '.inf', math.inf),
        ('scheduler', 'slurm', 'slurm'),
        ('visible_gpus', '-1', '-1'),
        ('visible_gpus', '0,2', '0,2'),
        ('slurm_partition', 'gpu', 'gpu'),
        ('slurm_qos', "''", ''),
        ('slurm_cpus', '4', '4'),
        ('slurm_account', '"007"', '007'),
        ('slurm_account', '007', '007'),
        ('slurm_time', '1-00:30:00', '1-00:30:00'),
        ('slurm_time', '12:30:00', '12:30:00'),
        ('slurm_gres', 'gpu:a100:1', 'gpu:a100:1'),
        ('slurm_extra', '[--exclude=n7, --reservation=course]', ['--exclude=n7', '--reservation=course']),
        ('slurm_extra', '--exclude=n7', ['--exclude=n7']),
        ('slurm_extra', '[]', []),
        ('lsf_extra', '[-n, 4]', ['-n', '4']),
        ('lsf_gpu', 'num=1:mode=exclusive_process', 'num=1:mode=exclusive_process'),
        ('resources', 'rusage[mem=8000, ngpus_excl_p=1]', 'rusage[mem=8000, ngpus_excl_p=1]'),
        ('signal', 'USR1@120', 'USR1@120'),
        ('signal', 'none', 'none'),
        ('max_job_mem', '64G', '64G'),
        ('job_prologue', '"module load cuda\\ncd /"', 'module load cuda\ncd /'),
    ],
)
def test_that_a_value_means_what_it_means_on_the_command_line(
    profile: Path, name: str, value: str, expected: Any
) -> None:
    values = read(profile, f'{name}: {value}\n')
    assert values == {name: expected}
    assert type(values[name]) is type(expected)
    if name != JOB_PROLOGUE:
        assert of_search(*command_line(name, expected))[name] == expected


def test_that_a_prologue_keeps_its_lines(profile: Path) -> None:
    text = 'job_prologue: |\n  #!/bin/bash -l\n  for name in a b; do\n      echo "$name"\n  done\n'
    expected = '#!/bin/bash -l\nfor name in a b; do\n    echo "$name"\ndone\n'
    assert read(profile, text) == {'job_prologue': expected}


def test_that_an_empty_mapping_gives_nothing(profile: Path) -> None:
    assert read(profile, '{}') == {}


@pytest.mark.parametrize('name', ['profile', 'grid_module', 'out_dir', 'help', 'retries', 'quiet'])
def test_that_options_of_a_search_or_of_the_terminal_are_not_for_profiles(profile: Path, name: str) -> None:
    (problem,) = problems(profile, f'{name}: x\n')
    assert problem.startswith(f'{name}: {NO_OPTION}')


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('slurm_partitoin: gpu', f'slurm_partitoin: {NO_OPTION}; did you mean slurm_partition?'),
        ('--slurm-account: x', f'--slurm-account: {NO_OPTION}; did you mean slurm_account?'),
        ('prologue: x', f'prologue: {NO_OPTION}; did you mean job_prologue?'),
        ('_JOB_PROLOGUE: x', f'_JOB_PROLOGUE: {NO_OPTION}; did you mean job_prologue?'),
        ('weather: x', f'weather: {NO_OPTION}.'),
        ('7: x', f'7: {NO_OPTION}.'),
        ('num_jobs: many', "num_jobs: is 'many'; a whole number is expected."),
        ('num_jobs: 2.5', 'num_jobs: is 2.5; a whole number is expected.'),
        ('num_jobs: 0', 'num_jobs: 0 is less than 1.'),
        ('num_jobs: true', 'num_jobs: is True; a whole number is expected.'),
        ('num_jobs: [1]', 'num_jobs: is [1]; a whole number is expected.'),
        ('num_jobs:', 'num_jobs: is empty; a whole number is expected.'),
        ('allowed_load: 50', 'allowed_load: 50 is not between 0 and 1.'),
        ('allowed_load: .nan', 'allowed_load: nan is not between 0 and 1.'),
        ('run_cluster: yes', "run_cluster: is 'yes'; true or false is expected."),
        ('run_cluster: 1', 'run_cluster: is 1; true or false is expected.'),
        ('scheduler: pbs', "scheduler: is 'pbs'; lsf or slurm is expected."),
        ('slurm_partition: 1.10', 'slurm_partition: is 1.1; a text (put it into quotes) is expected.'),
        ('slurm_partition: {a: b}', "slurm_partition: is {'a': 'b'}; a text is expected."),
        ('slurm_qos:', "slurm_qos: is empty; a text is expected (for none write '')."),
        ('visible_gpus: [0, 1]', 'visible_gpus: is [0, 1]; a text is expected.'),
        ('slurm_extra: [[a]]', "slurm_extra: is ['a']; a text is expected."),
        ('slurm_extra: {exclude: n7}', "slurm_extra: is {'exclude': 'n7'}; a text is expected."),
        ('signal: USR1', "signal: 'USR1' is not of the form NAME@SECONDS, e.g. USR1@120."),
        ('max_job_mem: lots', "max_job_mem: 'lots' is no size of memory, e.g. 64G."),
        ('job_prologue: [a, b]', "job_prologue: is ['a', 'b']; a text is expected."),
        ('job_prologue:', "job_prologue: is empty; a text is expected (for none write '')."),
    ],
)
def test_that_what_is_wrong_is_named_with_what_is_expected(profile: Path, text: str, expected: str) -> None:
    assert problems(profile, f'{text}\n') == [expected]


def test_that_all_that_is_wrong_is_told_at_once(profile: Path) -> None:
    found = problems(profile, 'num_jobs: 0\nslurm_mem: 16G\nscheduler: pbs\nslurm_tme: 1\n')
    assert [problem.partition(':')[0] for problem in found] == ['num_jobs', 'scheduler', 'slurm_tme']


def test_that_the_line_of_what_is_wrong_is_told(profile: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(profile, '# site\nslurm_mem: 16G\nnum_jobs: 0\n\nscheduler: pbs\n')
    places = [problem.split(': ')[1] for problem in caught.value.problems]
    assert places == [f'{profile}, line 3', f'{profile}, line 5']


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'holds nothing; a mapping of options to values is expected'),
        ('# only a comment\n', 'holds nothing; a mapping of options to values is expected'),
        ('- num_jobs\n', "holds ['num_jobs']; a mapping of options to values is expected"),
        ('num_jobs\n', "holds 'num_jobs'; a mapping of options to values is expected"),
        ('num_jobs: [1\n', ", line 2: expected ',' or ']'"),
        ('num_jobs: 1\nnum_jobs: 2\n', 'num_jobs is given twice'),
    ],
)
def test_that_a_file_that_is_no_mapping_is_refused(profile: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r'^--profile: ') as caught:
        read(profile, text)
    assert words in str(caught.value)
    assert str(profile) in str(caught.value)


def test_that_a_file_that_is_not_there_or_no_text_is_named(profile: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'--profile: there is no file .*site\.yaml'):
        read_profile(profile, OPTIONS)
    profile.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ConfigError, match=f'--profile: {profile}, line 1: is not UTF-8'):
        read_profile(profile, OPTIONS)
    with pytest.raises(ConfigError, match=f'--profile: {tmp_path} cannot be read'):
        read_profile(tmp_path, OPTIONS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each, max_size=3),
)


@given(st.sampled_from(sorted([*OPTIONS, JOB_PROLOGUE])), VALUES)
def test_that_whatever_a_profile_says_is_taken_or_told(name: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'site.yaml'
        file.write_text(json.dumps({name: value}), encoding='utf-8')
        try:
            values = read_profile(file, OPTIONS)
        except ConfigError as error:
            assert len(error.problems) == 1
        else:
            assert list(values) == [name]
            assert values[name] is not None


# ------------------------------------------------------------------------------------------- beside the command line


def test_that_without_a_profile_the_command_line_is_as_ever() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    words = ['--num_jobs=3', '--slurm_extra=a']
    assert of_search(*words) == vars(parser.parse_args(words))


def test_that_a_profile_stands_between_the_command_line_and_the_defaults(profile: Path) -> None:
    profile.write_text('num_jobs: 25\nslurm_mem: 16G\nrun_cluster: true\n')
    values = of_search(f'--profile={profile}', '--num_jobs=3')
    options = search_options(values)
    assert (options.cluster.num_jobs, options.cluster.run_cluster) == (3, True)
    assert (options.sbatch.slurm_mem, options.sbatch.slurm_gres) == ('16G', 'gpu:1')
    assert options.cluster.profile == str(profile)
    assert 'job_prologue' not in values


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ((), ['--exclude=n7']),
        (('--slurm_extra=--nice',), ['--nice']),
        (('--slurm_extra=--nice', '--slurm_extra=-v'), ['--nice', '-v']),
    ],
)
def test_that_a_list_on_the_command_line_replaces_that_of_the_profile(
    profile: Path, given: Sequence[str], expected: list[str]
) -> None:
    profile.write_text('slurm_extra: [--exclude=n7]\n')
    assert of_search(f'--profile={profile}', *given)['slurm_extra'] == expected
    assert of_resume(f'--profile={profile}', *given)['slurm_extra'] == expected


@pytest.mark.parametrize('given', ['--num_jobs=8', '--slurm_mem=8G', '--scheduler=lsf', '--allowed_load=0.5'])
def test_that_a_default_that_is_given_wins_over_a_profile(profile: Path, given: str) -> None:
    profile.write_text('num_jobs: 25\nslurm_mem: 16G\nscheduler: slurm\nallowed_load: 0.25\n')
    name, _, value = given.removeprefix('--').partition('=')
    assert str(of_search(f'--profile={profile}', given)[name]) == value


@pytest.mark.parametrize(
    ('text', 'given', 'expected'),
    [
        ('slurm_time: 1-00:00:00', '--num_hours=4', {'slurm_time': '', 'num_hours': 4}),
        ('slurm_time: 1-00:00:00\nnum_hours: 9', '--num_hours=4', {'slurm_time': '', 'num_hours': 4}),
        ('num_hours: 9', '--slurm_time=30', {'slurm_time': '30', 'num_hours': 9}),
        ('visible_gpus: 0,1', '--cpu_jobs=4', {'visible_gpus': '', 'cpu_jobs': 4}),
        ('cpu_jobs: 4', '--visible_gpus=0', {'visible_gpus': '0', 'cpu_jobs': None}),
    ],
)
def test_that_a_profile_does_not_overrule_what_is_given_in_another_way(
    profile: Path, text: str, given: str, expected: dict[str, Any]
) -> None:
    profile.write_text(f'{text}\n')
    values = of_search(f'--profile={profile}', given)
    assert {name: values[name] for name in expected} == expected


def test_that_the_prologue_is_kept_beside_the_options(profile: Path) -> None:
    profile.write_text('job_prologue: module load cuda\n')
    assert search_options(of_search(f'--profile={profile}')).cluster.job_prologue == 'module load cuda'


def test_that_on_resume_a_profile_replaces_only_what_it_names(profile: Path) -> None:
    stored = {'num_jobs': 10, 'slurm_mem': '16G', 'slurm_partition': 'old', 'job_prologue': 'earlier'}
    profile.write_text('num_jobs: 25\nslurm_partition: new\n')
    given = of_resume(f'--profile={profile}', '--num_jobs=3')
    merged = merged_options({'options': stored}, given)
    assert (merged.cluster.num_jobs, merged.sbatch.slurm_partition, merged.sbatch.slurm_mem) == (3, 'new', '16G')
    assert merged.cluster.job_prologue == 'earlier'
    assert 'slurm_mem' not in given


def test_that_on_resume_the_profile_is_not_read_unless_it_is_given_again(profile: Path) -> None:
    stored = {'profile': str(profile), 'num_jobs': 10, 'job_prologue': 'earlier'}
    merged = merged_options({'options': stored}, of_resume())
    assert (merged.cluster.num_jobs, merged.cluster.job_prologue) == (10, 'earlier')


def test_that_every_option_of_machines_and_clusters_can_be_in_a_profile_but_profiles() -> None:
    assert {'num_jobs', 'run_cluster', 'slurm_account', 'lsf_queue', 'visible_gpus', 'runs_per_job'} <= set(OPTIONS)
    assert not {'profile', 'grid_module', 'quiet', 'retries', 'out_dir'} & set(OPTIONS)
