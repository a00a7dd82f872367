"""Commands with placeholders: the same words wherever they come from, also after a move and in an extension."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.command import CommandLimits, shell_line
from hpsearch.model.configuration import Configuration, Grid, from_plain, plain_attributes
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.run import Run
from hpsearch.space.extension import extend, extending, write_extension
from hpsearch.space.identity import identity
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan
from hpsearch.store.folder import SearchFolder

GRID: Grid = {'lr': [0.1, 1e-05], 'name': ["a 'b' {lr}", 'x\ny'], 'flag': [True, False], 'layers': [[1, 2], [3]]}
COMMAND = ['run', '{python}', '{script}', '{out_dir}/out.ipynb', 'n={name}:{lr}', '{run}.log', '{layers}', '{{lr}}']
AWK = ['awk', '{print $1}']


def configured(command: list[str] | None = None, grid: Grid | None = None, **more: Any) -> Configuration:
    return Configuration('my.py', '', grid or GRID, script='train.py', command=command or COMMAND, **more)


def plan_of(configuration: Configuration, path: Path, ident: str = '1') -> Plan:
    return Plan(configuration, Order(), interpreter='python3', search_path=path, ident=ident)


def made(path: Path, configuration: Configuration) -> SearchFolder:
    path.mkdir()
    folder = SearchFolder(path)
    attributes = json.loads(json.dumps(plain_attributes(configuration)))
    folder.write_info({'run_cwd': '/work', 'configuration': {'attributes': attributes}})
    plan_of(configuration, path).write(folder)
    return folder


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def test_that_a_command_is_filled_and_what_it_names_is_not_repeated(tmp_path: Path) -> None:
    run = next(plan_of(configured(fixed_args=['{lr}']), tmp_path).runs())
    folder, lr, name = tmp_path / run.name, str(run.params['lr']), run.params['name']
    layers = ','.join(map(str, run.params['layers']))
    words = ('run', 'python3', 'train.py', f'{folder}/out.ipynb', f'n={name}:{lr}', f'{run.name}.log', layers, '{lr}')
    assert run.argv == (*words, '{lr}', *(['--flag'] if run.params['flag'] else []))


def test_that_the_output_option_stands_behind_a_command_without_it(tmp_path: Path) -> None:
    run = next(plan_of(configured(['wrap', '--name={run}']), tmp_path).runs())
    assert run.argv[:3] == ('wrap', f'--name={run.name}', f'--out_dir={tmp_path}/{run.name}')


@pytest.mark.parametrize('command', [COMMAND, ['wrap', '--name={run}'], ['wrap', '{lr}'], AWK, ['x', '{lost}']])
def test_that_plan_files_and_keys_have_the_same_words(tmp_path: Path, command: list[str]) -> None:
    configuration = configured(command)
    folder = made(tmp_path / 'search', configuration)
    plan = plan_of(configuration, folder.path)
    runs = list(plan.runs())
    assert list(folder.read_runs()) == runs
    assert lines_of(folder.commands_sh) == lines_of_texts(shell_line(run.argv) for run in runs)
    assert lines_of(folder.commands_wo_dirs_sh) == lines_of_texts(plan.commands())
    recognise = identity(configuration, '/work')
    assert len({recognise.key_of(run) for run in runs}) == len(runs) == 16
    assert lines_of(folder.commands_wo_dirs_sh) == lines_of_texts(
        shell_line(recognise.without_output(run)) for run in runs
    )


def lines_of_texts(texts: Any) -> list[str]:
    return ''.join(f'{text}\n' for text in texts).splitlines(keepends=True)


def test_that_a_search_that_is_moved_names_its_new_place_everywhere(tmp_path: Path) -> None:
    configuration = configured(['x', '{out_dir}/a:{out_dir}/b', '{run}'])
    folder = made(tmp_path / 'old', configuration)
    shutil.move(folder.path, tmp_path / "it's")
    moved = SearchFolder(tmp_path / "it's")
    names = [run.name for run in moved.read_runs()]
    for name, run in zip(names, moved.read_runs(), strict=True):
        place = f'{moved.path}/{name}'
        assert run.argv[:3] == ('x', f'{place}/a:{place}/b', name)


@pytest.mark.parametrize('command', [COMMAND, ['wrap', '--name={run}'], ['wrap', '{lr}']])
def test_that_an_extension_continues_with_the_same_words(tmp_path: Path, command: list[str]) -> None:
    folder = made(tmp_path / 'search', configured(command, {**GRID, 'lr': [0.1]}))
    plan = plan_of(configured(command), folder.path, 'x')
    with extending(folder):
        extension = extend(folder, configured(command), folder.read_runs(), plan.runs(), SearchState())
        write_extension(folder, extension, {})
    assert (extension.kept, len(extension.added)) == (8, 8)
    runs = list(folder.read_runs())
    assert len({run.name for run in runs}) == 16
    assert all(str(tmp_path / 'search' / run.name) in ' '.join(run.argv) or 'out_dir' not in command for run in runs)
    assert all({run.name}.issuperset(re.findall(r'sim_\w+', ' '.join(run.argv))) for run in runs)
    assert lines_of(folder.commands_sh) == lines_of_texts(shell_line(run.argv) for run in runs)
    wanted = lines_of_texts(plan.commands())
    assert sorted(lines_of(folder.commands_wo_dirs_sh)) == sorted(wanted)


def test_that_pasted_lines_give_the_words_of_the_plan(tmp_path: Path) -> None:
    folder = made(tmp_path / 'search', configured(['printf', '%s\\0', '{out_dir}/x y', '{name}', '{{a}}']))
    done = subprocess.run(['sh', folder.commands_sh], capture_output=True, check=True)
    assert done.stdout.decode().split('\0')[:-1] == [word for run in folder.read_runs() for word in run.argv[2:]]


def test_that_the_values_in_a_command_and_the_number_of_gpus_make_another_command(tmp_path: Path) -> None:
    def key(configuration: Configuration, **params: Any) -> bytes:
        return identity(configuration, '/work').key_of(Run('r', 1, params, ()))

    torch, plain = configured(['torchrun', '-n', '{gpus}', '{lr}']), configured(['torchrun', '{lr}'])
    assert key(torch, lr=0.1) != key(torch, lr=0.2)
    assert key(plain, lr=0.1) == key(configured(['torchrun', '{lr}'], gpus=2), lr=0.1)
    assert key(torch, lr=0.1) != key(configured(['torchrun', '-n', '{gpus}', '{lr}'], gpus=2), lr=0.1)


def test_that_combinations_that_differ_in_the_command_alone_are_all_run(tmp_path: Path) -> None:
    plan = plan_of(configured(['x', '{a}'], {'a': [1, 2, 2], 'b': [True]}), tmp_path)
    assert (plan.survey().runs, plan.survey().duplicates) == (2, 1)


def test_that_the_number_of_gpus_survives_search_json(tmp_path: Path) -> None:
    configuration = from_plain(plain_attributes(configured(['x', '{gpus}'], gpus=4)))
    assert next(plan_of(configuration, tmp_path).runs()).argv[:2] == ('x', '4')


def test_that_an_option_of_the_grid_may_be_called_like_a_placeholder(tmp_path: Path) -> None:
    runs = plan_of(configured(['x', '{gpus}', '{run}'], {'gpus': [7], 'run': ['b']}, gpus=2), tmp_path).runs()
    assert next(runs).argv[:3] == ('x', '7', 'b')


def test_that_a_word_that_becomes_too_long_is_told_before_it_is_started(tmp_path: Path) -> None:
    plan = plan_of(configured(['x', 'n={a}'], {'a': ['short', 'l' * 200]}), tmp_path)
    (sentence,) = plan.not_startable(CommandLimits(word=len(os.fsencode(tmp_path)) + 100, total=10_000))
    assert 'cannot be started' in sentence


def test_that_variables_are_set_before_the_command(tmp_path: Path) -> None:
    env = {'LR': '{lr}', 'OUT': '{out_dir}:{run}', 'N': '{gpus}', 'BRACES': '{{lr}}'}
    run = next(plan_of(configured(['x'], env=env, gpus=2), tmp_path).runs())
    path, lr = f'{tmp_path}/{run.name}', run.params['lr']
    assert run.argv[:6] == ('env', f'LR={lr}', f'OUT={path}:{run.name}', 'N=2', 'BRACES={lr}', 'x')
    assert f'--out_dir={path}' in run.argv and f'--lr={lr}' in run.argv


def test_that_a_search_with_variables_can_be_moved_and_extended(tmp_path: Path) -> None:
    env = {'OUT': '{out_dir}/a', 'NAME': '{name}'}
    folder = made(tmp_path / 'old', configured(['x', '{lr}'], {**GRID, 'lr': [0.1]}, env=env))
    shutil.move(folder.path, tmp_path / 'new')
    folder = SearchFolder(tmp_path / 'new')
    plan = plan_of(configured(['x', '{lr}'], env=env), folder.path, 'x')
    with extending(folder):
        extension = extend(folder, configured(['x', '{lr}'], env=env), folder.read_runs(), plan.runs(), SearchState())
        write_extension(folder, extension, {})
    runs = list(folder.read_runs())
    assert (extension.kept, len(runs)) == (8, 16)
    for run in runs:
        place = f'{tmp_path}/new/{run.name}'
        assert run.argv[:4] == ('env', f'OUT={place}/a', f'NAME={run.params["name"]}', 'x')
        assert f'--out_dir={place}' in run.argv


def test_that_combinations_that_differ_in_a_variable_alone_are_all_run(tmp_path: Path) -> None:
    configuration = configured(['x'], {'a': [1, 2, 2]}, env={'A': '{a}'}, styles={'arg_style': 'omit'}, out_arg=None)
    plan = plan_of(configuration, tmp_path)
    runs = list(plan.runs())
    assert sorted(run.argv for run in runs) == [('env', 'A=1', 'x'), ('env', 'A=2', 'x')]
    recognise = identity(configuration, '/work')
    assert len({recognise.key_of(run) for run in runs}) == 2


def test_that_the_variables_are_part_of_what_a_command_is() -> None:
    def key(**env: str) -> bytes:
        return identity(configured(['x'], env=env), '/work').key_of(Run('r', 1, {'lr': 0.1}, ()))

    assert key(A='1', B='2') == key(B='2', A='1')
    assert len({key(), key(A='1'), key(A='2'), key(B='1'), key(A='{lr}')}) == 5


def test_that_reading_metrics_from_what_a_script_prints_makes_it_no_other_command() -> None:
    watched = configured(['x'], metrics=[{'stdout': 'acc'}])
    run = Run('r', 1, {'lr': 0.1}, ())
    assert identity(watched, '/work').key_of(run) == identity(configured(['x']), '/work').key_of(run)


def test_that_values_are_in_a_file_and_its_path_in_the_command(tmp_path: Path) -> None:
    configuration = configured(['x'], {'a.b': [1, '1']}, config_template='a: {b: 0}')
    folder = made(tmp_path / 'old', configuration)
    shutil.move(folder.path, tmp_path / 'new')
    folder = SearchFolder(tmp_path / 'new')
    runs = list(folder.read_runs())
    assert sorted(str(run.params) for run in runs) == ["{'a.b': '1'}", "{'a.b': 1}"]
    for run in runs:
        path = f'{tmp_path}/new/{run.name}'
        assert run.argv == ('x', f'--out_dir={path}', f'--config={tmp_path}/new/jobs/{run.name}/config.yaml')
    assert len({identity(configuration, '/work').key_of(run) for run in runs}) == 2
    assert sorted(plan_of(configuration, folder.path).commands()) == ['x  # {"a.b": "1"}', 'x  # {"a.b": 1}']


def test_that_an_extension_adds_runs_with_files(tmp_path: Path) -> None:
    def with_values(*values: int) -> Configuration:
        return configured(['x'], {'a': list(values)}, config_template='{"a": 0}', config_format='json', config_arg='c')

    folder = made(tmp_path / 'search', with_values(1))
    plan = plan_of(with_values(1, 2), folder.path, 'x')
    with extending(folder):
        extension = extend(folder, with_values(1, 2), folder.read_runs(), plan.runs(), SearchState())
        write_extension(folder, extension, {})
    files = [run.argv[-1] for run in folder.read_runs()]
    assert files == [f'--c={folder.path}/jobs/{run.name}/config.json' for run in folder.read_runs()]
    assert len(files) == 2 and lines_of(folder.commands_wo_dirs_sh)[1] == 'x  # {"a": 2}\n'


def test_that_another_template_makes_other_runs() -> None:
    run = Run('r', 1, {'a': 1}, ())
    keys = [
        identity(configured(['x'], {'a': [1]}, config_template=text), '/work').key_of(run)
        for text in ('a: 0', 'a: 0\nb: 1')
    ]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ('more', 'expected'),
    [
        ({}, 'out_dir'),
        ({'config_template': 'a: 1'}, 'out_dir'),
        ({'config_template': 'a: 1\nout_dir: x'}, None),
        ({'command': ['x', '{out_dir}']}, None),
        ({'styles': {'arg_style': 'omit'}}, None),
    ],
)
def test_that_the_output_folder_is_told_once(tmp_path: Path, more: dict[str, Any], expected: str | None) -> None:
    plan = plan_of(configured(**{'command': ['x'], 'grid': {'a': [1]}, **more}), tmp_path)
    assert plan.form.out_arg == expected
    assert any('--out_dir=' in word for word in next(plan.runs()).argv) == (expected is not None)
