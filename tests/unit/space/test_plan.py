"""The plan: names, commands, and the files of a search folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpsearch.space.plan
from hpsearch.model.command import CommandLimits, shell_line
from hpsearch.model.configuration import Condition, Configuration, Grid
from hpsearch.model.errors import ConfigError
from hpsearch.model.run import encode_run
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan, PlanSummary
from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project
from tests.support.harness import option_words

IDENT = '20261120231900'
GRID: Grid = {'lr': [0.1, 1e-08], 'flag': [True, False], 'name': ['"a b"', 'x\n', "it's"]}
CONDITIONS: list[Condition] = [({'lr': [0.1]}, {'momentum': [0.9, None]}), ({'gone': [1]}, {'lr': [1]})]


def plan_for(
    folder: Path, grid: Grid = GRID, conditions: list[Condition] = CONDITIONS, order: Order | None = None, **more: Any
) -> Plan:
    """Return the plan of a configuration in a folder."""
    what = more if 'command' in more else {'script': 'train.py', **more}
    configuration = Configuration('config.py', '', grid, conditions, **what)
    return Plan(configuration, order or Order(), interpreter='python3', search_path=folder, ident=IDENT)


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, which only a newline ends."""
    return path.read_bytes().decode('utf-8', 'surrogateescape').split('\n')[:-1]


def test_that_what_is_written_is_what_is_shown(tmp_path: Path) -> None:
    plan, folder = plan_for(tmp_path), SearchFolder(tmp_path)
    plan.write(folder)
    runs = list(plan.runs())
    assert list(folder.read_runs()) == runs
    assert lines_of(folder.commands_sh) == [shell_line(run.argv) for run in runs]
    assert lines_of(folder.commands_wo_dirs_sh) == list(plan.commands())
    assert list(plan.commands(with_folders=True)) == lines_of(folder.commands_sh)


WORDS = st.text().filter(lambda text: '\0' not in text)
"""A configuration with a zero byte is refused."""


@given(
    st.dictionaries(
        st.sampled_from(['a', 'b', 'λ']),
        st.lists(st.none() | st.booleans() | st.floats(allow_nan=False) | WORDS, min_size=1, max_size=3),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_that_any_value_survives_the_files(tmp_path: Path, grid: Grid) -> None:
    plan, folder = plan_for(tmp_path, grid, []), SearchFolder(tmp_path)
    plan.write(folder)
    assert list(folder.read_runs()) == list(plan.runs())
    assert [json.loads(line)['params'] for line in lines_of(folder.runs_jsonl)] == [run.params for run in plan.runs()]
    assert folder.runs_jsonl.read_text().splitlines(keepends=True) == [encode_run(run) for run in plan.runs()]


def test_that_a_command_has_the_output_folder_before_the_parameters(tmp_path: Path) -> None:
    run = next(plan_for(tmp_path).runs())
    assert run.argv[:3] == ('python3', 'train.py', f'--out_dir={tmp_path}/{run.name}')
    assert list(run.argv[3:]) == option_words(run.params)


def test_that_commands_without_folders_lack_only_the_folder(tmp_path: Path) -> None:
    plan = plan_for(tmp_path)
    assert list(plan.commands()) == [shell_line([*run.argv[:2], *run.argv[3:]]) for run in plan.runs()]


def test_that_a_script_without_output_option_gets_none(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, out_arg=None)
    plan.write(SearchFolder(tmp_path))
    assert [run.argv[2:] for run in plan.runs()] == [tuple(option_words(run.params)) for run in plan.runs()]
    assert list(SearchFolder(tmp_path).read_runs()) == list(plan.runs())
    assert list(plan.commands(with_folders=True)) == list(plan.commands())


def test_that_a_command_of_its_own_begins_the_line(tmp_path: Path) -> None:
    assert "'A=b' 'x y' " in next(plan_for(tmp_path, command=('A=b', 'x y')).commands())


@pytest.mark.parametrize('name', ['with space', "it's", 'line\nbreak', '$HOME', '\udcff'])
def test_that_any_path_of_the_search_folder_survives_the_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir()
    plan, folder = plan_for(path, {'a': [1]}, []), SearchFolder(path)
    plan.write(folder)
    (run,) = folder.read_runs()
    assert run.argv[2] == f'--out_dir={path}/{run.name}'
    script = folder.commands_sh.read_bytes().replace(b'python3 train.py', b'printf %s')
    assert subprocess.run(['sh', '-c', script], capture_output=True, check=True).stdout.startswith(
        run.argv[2].encode(errors='surrogateescape')
    )


def test_that_names_have_the_digits_of_the_number_of_runs(tmp_path: Path) -> None:
    assert [run.name for run in plan_for(tmp_path, {'a': [1, 2, 2]}, []).runs()] == [f'sim_{IDENT}_1', f'sim_{IDENT}_2']
    names = [run.name for run in plan_for(tmp_path, {'a': list(range(10))}, []).runs()]
    assert (names[0], names[-1]) == (f'sim_{IDENT}_01', f'sim_{IDENT}_10')


def test_that_names_in_a_large_space_have_the_digits_of_the_limit(tmp_path: Path) -> None:
    grid: Grid = {f'option{number}': list(range(100)) for number in range(6)}
    plan = plan_for(tmp_path, grid, [], Order(limit=100))
    assert next(plan.runs()).name == f'sim_{IDENT}_001'


def test_that_a_large_space_is_written_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.space.plan, 'COUNTED_EXACTLY', 3)
    monkeypatch.setattr(hpsearch.space.plan, 'CHUNK', 4)
    plan, folder = plan_for(tmp_path), SearchFolder(tmp_path)
    summary = plan.write(folder)
    assert list(folder.read_runs()) == list(plan.runs())
    assert summary == plan.survey()
    assert [run.number for run in plan.runs()] == list(range(1, summary.runs + 1))


def test_that_a_summary_counts_what_happened(tmp_path: Path) -> None:
    conditions = [*CONDITIONS, ({'lr': [77]}, {'lr': [1]})]
    plan = plan_for(tmp_path, {**GRID, 'name': ['a', '"a"']}, conditions, constraints=[lambda params: params['flag']])
    assert plan.survey() == PlanSummary(
        runs=3, raw=8, drawn=8, duplicates=6, rejected=3, unenforceable=(1,), never_fired=(2,), stopped=''
    )


def test_that_conditions_without_effect_are_one_line() -> None:
    summary = PlanSummary(1, 1, 1, 0, 0, unenforceable=(1, 4), never_fired=(2,), stopped='')
    assert summary.notes() == [
        '2 conditions (conditions[1], conditions[4]) cannot be enforced (an option that is not in the grid); '
        '1 condition (conditions[2]) never matched.'
    ]


def test_that_an_early_end_is_a_note() -> None:
    assert PlanSummary(3, 9, 9, 0, 0, (), (), 'no new configuration in 10 draws').notes() == [
        'The draw ended with 3 runs: no new configuration in 10 draws.'
    ]


def test_that_nothing_is_noted_when_all_is_well() -> None:
    assert not PlanSummary(1, 1, 1, 0, 0, (), (), '').notes()


def test_that_a_huge_grid_without_a_limit_is_refused(tmp_path: Path) -> None:
    grid: Grid = {f'option{number}': list(range(100)) for number in range(6)}
    with pytest.raises(ConfigError, match=r'1,000,000,000,000 combinations.*--num_searches=N'):
        plan_for(tmp_path, grid, [])


def test_that_a_plan_that_cannot_be_made_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpsearch.space.plan, 'COUNTED_EXACTLY', 0)
    plan = plan_for(tmp_path, constraints=[lambda params: params['no such option']])
    with pytest.raises(ConfigError):
        plan.write(SearchFolder(tmp_path))
    assert not list(tmp_path.iterdir())


def test_that_values_added_by_conditions_are_warned_about(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, {'a': [1]}, [({'a': [1]}, {'path': ['$HOME/x', '/y']})])
    assert len(plan.warnings()) == 1


def test_that_pasted_commands_give_the_script_the_words_of_the_plan(tmp_path: Path) -> None:
    grid: Grid = {'a': ['a b', '"$x"', '\\', 'l\n', 'é☃', '-x', '', '~/#!', "q'q"], 'b': [True]}
    plan, folder = plan_for(tmp_path, grid, [], command=('printf', '%s\\0')), SearchFolder(tmp_path)
    plan.write(folder)
    done = subprocess.run(['sh', folder.commands_sh], capture_output=True, check=True)
    expected = [argument for run in plan.runs() for argument in run.argv[2:]]
    assert done.stdout.decode().split('\0')[:-1] == expected


# plan --scripts


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project on a machine without any queue."""
    made = Project(tmp_path / 'project')
    made.configure({'lr': [0.1, 0.2, 0.3], 'mode': ["it's"]}, more="_JOB_PROLOGUE = 'module load cuda'\n")
    made.env['PATH'] = str(Path(sys.executable).parent)
    return made


def scripts(project: Project, *words: str) -> str:
    """What ``plan --scripts`` prints; a shell can read it."""
    done = project.run('plan', '--grid_module=my_config', '--scripts', '--run_cluster', *words)
    assert (done.returncode, done.stderr) == (0, '')
    subprocess.run(['/bin/sh', '-n'], input=done.stdout, text=True, check=True)
    return done.stdout


def with_limits(project: Project, text: str) -> None:
    """Let there be a Slurm that tells its limits."""
    folder = project.path / 'bin'
    folder.mkdir()
    (folder / 'scontrol').write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / 'scontrol').chmod(0o755)
    project.env['PATH'] = f'{folder}{os.pathsep}{project.env["PATH"]}'


def test_that_scripts_need_a_queue(project: Project) -> None:
    done = project.run('plan', '--grid_module=my_config', '--scripts')
    assert done.returncode == 2
    assert '--run_cluster' in done.stderr


def test_that_the_script_of_an_array_is_shown_with_the_command_that_submits_it(project: Project) -> None:
    shown = scripts(project, '--scheduler=slurm', '--num_jobs=2', '--slurm_mem=12G', '--slurm_partition=gpu')
    header = next(line for line in shown.splitlines() if 'sbatch' in line)
    assert header.startswith('# ')
    for word in ('--array=1-3%2', '--mem=12G', '--partition=gpu', '--no-requeue', '--time=24:00:00'):
        assert f' {word} ' in header
    assert 'module load cuda' in shown
    assert all(f'sim_<date>_{number}' in shown for number in (1, 2, 3))
    assert shown.splitlines()[-1] == '# The only array: it has all 3 runs.'


def test_that_an_array_is_cut_to_what_the_queue_takes(project: Project) -> None:
    with_limits(project, 'MaxArraySize = 3')
    shown = scripts(project, '--scheduler=slurm', '--num_jobs=25')
    assert '--array=1-2%2 ' in shown
    assert 'sim_<date>_3' not in shown
    assert shown.splitlines()[-1] == '# The first of 2 arrays for 3 runs: it has 2 of them.'


def test_that_the_script_of_jobs_that_work_on_the_search_is_shown(project: Project) -> None:
    shown = scripts(project, '--scheduler=slurm', '--runs_per_job=2', '--num_jobs=25')
    assert '--array=1-2 ' in shown
    assert ' join ' in shown
    assert '--runs_per_job=2' in shown
    assert shown.splitlines()[-1] == '# 2 jobs of this array would work on 3 runs, each on 2 at a time.'


def test_that_the_script_for_lsf_is_shown(project: Project) -> None:
    shown = scripts(project, '--scheduler=lsf', '--num_jobs=2', '--num_hours=3')
    assert 'bsub' in shown
    assert '[1-3]%2' in shown


def test_that_showing_scripts_writes_nothing(project: Project) -> None:
    before = sorted(project.path.rglob('*'))
    scripts(project, '--scheduler=slurm')
    assert [path for path in sorted(project.path.rglob('*')) if '__pycache__' not in path.parts] == before


LIMITS = CommandLimits(word=300, total=2000)


def test_that_runs_with_a_word_that_is_too_long_are_named_with_their_option(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, {'seed': [1, 2], 'text': ['x', 'y' * 300]}, [], Order(deterministic=True))
    assert plan.not_startable(LIMITS) == [
        'runs 2, 4 cannot be started: --text=… has 307 bytes, and a word of a command may have 300.'
    ]
    assert plan.not_startable(CommandLimits(307, 2000)) == []


def test_that_a_value_of_a_condition_is_looked_at_only_where_it_is_used(tmp_path: Path) -> None:
    grid: Grid = {'seed': [1, 2]}
    for seed, found in ((2, 1), (3, 0)):
        plan = plan_for(tmp_path, grid, [({'seed': [seed]}, {'text': ['y' * 300]})], Order(deterministic=True))
        assert len(plan.not_startable(LIMITS)) == found


def test_that_a_command_that_is_too_long_as_a_whole_is_named_with_its_longest_word(tmp_path: Path) -> None:
    grid: Grid = {f'o{number}': ['x' * (100 + number)] for number in range(20)}
    (sentence,) = plan_for(tmp_path, grid, [], Order()).not_startable(LIMITS)
    assert sentence.startswith('run 1 cannot be started: its command has ')
    assert sentence.endswith('; its longest word is --o19=….')


def test_that_only_the_first_of_many_runs_and_reasons_are_named(tmp_path: Path) -> None:
    grid: Grid = {'seed': list(range(9)), 'text': ['y' * (300 + more) for more in range(7)]}
    *reasons, others = plan_for(tmp_path, grid, [], Order(deterministic=True)).not_startable(LIMITS)
    assert reasons[0].startswith('runs 1, 8, 15, 22, 29 and 4 others cannot be started: ')
    assert (len(reasons), others) == (5, '18 more runs cannot be started, either.')


def test_that_runs_of_an_ordinary_plan_are_not_gone_through(tmp_path: Path) -> None:
    grid: Grid = {f'option{number}': list(range(100)) for number in range(8)}
    plan = plan_for(tmp_path, grid, [], Order(limit=10**9))
    assert plan.not_startable(CommandLimits(131_071, 2_000_000)) == []


def test_that_a_draw_that_finds_nothing_says_how_chosen_combinations_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hpsearch.space.grid, 'ALWAYS_ENUMERATED', 1)
    monkeypatch.setattr(hpsearch.space.grid, 'GIVE_UP_AFTER', 10)
    grid: Grid = {f'x{number}': list(range(400)) for number in range(3)}
    plan = plan_for(tmp_path, grid, [], Order(limit=25), constraints=[lambda params: False])
    assert plan.survey().notes() == [
        'The draw ended with 0 runs: no new configuration in 10 draws. '
        'To run chosen combinations, grid may be a list of them.'
    ]
