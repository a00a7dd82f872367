"""What ``hpsearch seeds`` plans, which results it takes, and what it refuses; nothing is executed."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.main import main
from hpsearch.host.kernel import this_host
from hpsearch.space.extension import extending
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, read_state

CONFIG = """\
grid = {'lr': [0.1, 0.2, 0.3], 'random_seed': [42]}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc', 'finished']
"""

ACCS = {0.1: '0.5', 0.2: '0.9', 0.3: '0.7'}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script and a configuration, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'train.py').write_text('')
    (tmp_path / 'cfg.py').write_text(CONFIG)
    return tmp_path


def finished(folder: SearchFolder, accs: Mapping[float, str]) -> None:
    """Let the runs of a search end, with the accuracy of each learning rate."""
    journal = Journal(folder, 'w', {**this_host().as_header(), 'pid': 2**22 + 1, 'ticks': 1, 'at': 0})
    for run in folder.read_runs():
        if run.params['lr'] in accs:
            key = {'run': run.name, 'attempt': 1}
            summary = {'acc': accs[run.params['lr']], 'finished': '1'}
            journal.append({'event': 'claimed', **key, 'gpus': [], 'at': 0})
            journal.append({'event': 'running', **key, 'handle': {}})
            journal.append({'event': 'ended', **key, 'state': 'finished', 'cause': 'exit', 'code': 0, 'reason': '',
                            'summary': summary, 'seconds': 1.0})  # fmt: skip
    journal.append({'event': 'closed', 'at': 0})
    journal.close()


def searched(*options: str, accs: Mapping[float, str] = ACCS) -> SearchFolder:
    """A search of ours whose runs have finished."""
    assert main(['run', 'cfg.py', '--dont_start', '--out_dir=out', '--force_out_dir', '--quiet', *options]) == 0
    finished(SearchFolder('out'), accs)
    return SearchFolder('out')


def planned(folder: str = 'out_seeds') -> list[tuple[Any, ...]]:
    """The runs of a search over seeds: learning rate, seeds, and whether there is a result."""
    search = SearchFolder(folder)
    states = read_state(search).runs
    names = ('lr', 'random_seed', 'data_random_seed')
    return [
        (*(run.params[name] for name in names if name in run.params), run.name in states) for run in search.read_runs()
    ]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a request that is refused, in one line."""
    capsys.readouterr()
    assert main(['seeds', *words]) == 2
    said = capsys.readouterr().err
    assert 'Traceback' not in said
    return said


# A search of ours


def test_that_the_best_run_of_a_search_is_planned_with_its_own_seed_and_others() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    assert planned() == [(0.2, 42, True), (0.2, 1, False), (0.2, 2, False)]


def test_that_a_run_is_named_by_its_number_or_by_its_output_folder(tmp_path: Path) -> None:
    folder = searched()
    run = next(run for run in folder.read_runs() if run.params['lr'] == 0.1)
    assert main(['seeds', 'out', str(run.number), '--num_seeds=2', '--out_dir=a']) == 0
    folder.output(run.name).mkdir()
    assert main(['seeds', f'--run_dir=out/{run.name}', '--num_seeds=2', '--out_dir=b']) == 0
    assert planned('a') == planned('b') == [(0.1, 42, True), (0.1, 1, False)]


def test_that_asking_for_more_adds_only_what_is_missing_whatever_was_asked_before() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    assert main(['seeds', 'out', '--best=2', '--num_seeds=3']) == 0
    assert planned() == [
        *((0.2, 42, True), (0.2, 1, False)),
        *((0.2, 2, False), (0.3, 42, True), (0.3, 1, False), (0.3, 2, False)),
    ]
    assert main(['seeds', 'out', '--best=2', '--num_seeds=3']) == 0
    assert len(planned()) == 6


def test_that_asking_for_less_withdraws_nothing() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    assert main(['seeds', 'out', '--num_seeds=1']) == 0
    assert main(['seeds', 'out', '--seeds_list=7']) == 0
    assert planned() == [(0.2, 42, True), (0.2, 1, False), (0.2, 2, False), (0.2, 7, False)]


def test_that_seeds_that_are_listed_are_all_that_is_planned_at_first() -> None:
    searched()
    assert main(['seeds', 'out', '--seeds_list=42,7']) == 0
    assert planned() == [(0.2, 42, True), (0.2, 7, False)]
    assert main(['seeds', 'out', '--seeds_list=8', '--out_dir=other']) == 0
    assert planned('other') == [(0.2, 8, False)]


def test_that_seeds_of_several_runs_of_a_search_are_counted_and_its_best_is_that_of_means(project: Path) -> None:
    (project / 'cfg.py').write_text(CONFIG.replace('[42]', '[42, 43]'))
    searched()
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    assert sorted(planned()) == [(0.2, 1, False), (0.2, 42, True), (0.2, 43, True)]


def test_that_a_run_that_has_not_finished_does_not_count() -> None:
    folder = searched(accs={0.1: '0.5'})
    run = next(run for run in folder.read_runs() if run.params['lr'] == 0.2)
    assert main(['seeds', 'out', run.name, '--seeds_list=42,1']) == 0
    assert planned() == [(0.2, 42, False), (0.2, 1, False)]


def test_that_the_seed_of_the_data_varies_along_on_request() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2', '--vary_data_seed']) == 0
    assert planned() == [(0.2, 1, 1, False), (0.2, 2, 2, False)]


def test_that_options_can_be_changed_and_then_no_result_is_there() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2', '--set', 'epochs=3']) == 0
    assert planned() == [(0.2, 1, False), (0.2, 2, False)]
    assert next(SearchFolder('out_seeds').read_runs()).params['epochs'] == 3


def test_that_a_seed_that_no_run_has_must_be_named_and_then_no_result_counts(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / 'cfg.py').write_text(CONFIG.replace(", 'random_seed': [42]", ''))
    searched()
    assert '--seed_arg: which option is the seed? None of lr says so' in refused(capsys, 'out')
    assert main(['seeds', 'out', '--seed_arg=random_seed', '--num_seeds=2']) == 0
    assert planned() == [(0.2, 1, False), (0.2, 2, False)]


HELP = """\
import argparse
print('usage: train.py [--lr LR]\\n\\n  --help\\n  --lr LR\\n  --epochs N\\n  --random_seed N\\n  --data_random_seed N')
"""


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (
            ['--seed_arg=random_sed'],
            '--seed_arg: random_sed: the --help of the script shows no --random_sed; did you mean ',
        ),
        (['--vary_data_seed', '--data_seed_arg=data_random_sed'], '--data_seed_arg: data_random_sed: the --help'),
        (['--set=epohs=1'], '--set: epohs: the --help of the script shows no --epohs; did you mean --epochs?'),
    ],
)
def test_that_an_option_that_the_script_does_not_have_is_refused_with_the_one_that_may_be_meant(
    words: Sequence[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    searched()
    (project / 'train.py').write_text(HELP)
    assert said in refused(capsys, 'out', *words)
    assert os.listdir('out_seeds') == ['.extension.lock']


def test_that_an_option_that_only_the_script_has_can_be_the_seed(project: Path) -> None:
    (project / 'cfg.py').write_text(CONFIG.replace(", 'random_seed': [42]", ''))
    searched()
    (project / 'train.py').write_text(HELP)
    words = ['out', '--seed_arg=random_seed', '--vary_data_seed', '--num_seeds=2', '--set=+epohs=3']
    assert main(['seeds', *words]) == 0
    assert len(list(SearchFolder('out_seeds').read_runs())) == 2


def test_that_a_script_is_not_asked_for_help_on_options_that_its_runs_had(project: Path) -> None:
    searched()
    (project / 'train.py').write_text(f"{HELP}open('asked', 'w')")
    assert main(['seeds', 'out']) == 0
    assert not os.path.exists('asked')


def test_that_the_code_is_copied_on_request() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2', '--snapshot']) == 0
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    assert Path('out_seeds/code/train.py').exists()
    assert len(planned()) == 3


def test_that_the_configuration_has_the_name_that_is_asked_for() -> None:
    searched()
    assert main(['seeds', 'out', '--config_name=again']) == 0
    assert Path('out_seeds/again.py').read_text().startswith('# Runs of ')
    info = SearchFolder('out_seeds').read_info()
    assert info['configuration']['module'] == os.path.abspath('out_seeds/again.py')


def test_that_options_of_a_search_are_kept_for_when_it_is_started() -> None:
    searched()
    assert main(['seeds', 'out', '--cpu_jobs=3', '--slurm_mem=3G', '--retries=2', '--quiet']) == 0
    options = SearchFolder('out_seeds').read_info()['options']
    assert (options['cpu_jobs'], options['slurm_mem'], options['retries']) == (3, '3G', 2)


@pytest.mark.parametrize(('words', 'gpus'), [((), 2), (('--cpu_jobs=3',), 1)])
def test_that_runs_are_given_as_many_gpus_as_those_of_the_search_unless_they_are_to_have_none(
    words: Sequence[str], gpus: int
) -> None:
    searched('--gpus_per_run=2')
    assert main(['seeds', 'out', '--quiet', *words]) == 0
    assert SearchFolder('out_seeds').read_info()['options']['gpus_per_run'] == gpus


def test_that_a_failed_extension_leaves_the_configuration_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    before = Path('out_seeds/hpsearch_random_seeds.py').read_text()
    header = {**this_host().as_header(), 'pid': os.getpid(), 'ticks': 0, 'at': 0}
    ticks = Path(f'/proc/{os.getpid()}/stat').read_text().rpartition(')')[2].split()[19]
    journal = Journal(SearchFolder('out_seeds'), 'living', {**header, 'ticks': int(ticks)})
    assert 'may be working on it' in refused(capsys, 'out', '--num_seeds=4')
    assert Path('out_seeds/hpsearch_random_seeds.py').read_text() == before
    journal.close()


def test_that_a_search_over_seeds_is_not_repeated_itself(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    assert main(['seeds', 'out']) == 0
    assert 'give that search instead' in refused(capsys, 'out_seeds')


def test_that_a_folder_with_other_runs_or_other_seeds_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    assert main(['seeds', 'out']) == 0
    assert 'has other seeds' in refused(capsys, 'out', '--vary_data_seed')
    assert 'repeats no runs' in refused(capsys, 'out', '--out_dir=out')


def test_that_a_search_without_a_best_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    searched(accs={})
    assert 'has no best run, since no finished run has a number for acc' in refused(capsys, 'out')


def test_that_jobs_of_the_search_itself_are_refused_with_what_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    said = refused(capsys, 'out', '--hps_num_hours=24', '--hps_slurm_mem=8G')
    assert '--hps_num_hours, --hps_slurm_mem' in said
    assert '--submit_only' in said


# A search of the original


def original(commands: Sequence[Mapping[str, Any]], accs: Sequence[str]) -> Path:
    """A folder as the original leaves it."""
    folder = Path('orig').resolve()
    for command, acc in zip(commands, accs, strict=True):
        output = folder / os.path.basename(str(command['out_dir']))
        output.mkdir(parents=True)
        (output / 'performance_overview.txt').write_text(f'acc {acc}\nfinished 1\n')
    (folder / 'commands.pickle').write_bytes(pickle.dumps(list(commands)))
    (folder / 'cfg.py').write_text(CONFIG)
    return folder


COMMANDS = [{'lr': lr, 'random_seed': 42, 'out_dir': f'/gone/orig/sim_{lr}'} for lr in (0.1, 0.2, 0.3)]


def test_that_the_best_run_of_a_search_of_the_original_is_planned_with_its_result() -> None:
    original(COMMANDS, ['0.5', '0.9', '0.7'])
    assert main(['seeds', 'orig', '--grid_module=cfg.py', '--num_seeds=2', '--best=2']) == 0
    assert planned('orig_seeds') == [(0.2, 42, True), (0.2, 1, False), (0.3, 42, True), (0.3, 1, False)]


def test_that_a_run_of_the_original_is_named_by_its_folder() -> None:
    original(COMMANDS, ['0.5', '0.9', '0.7'])
    assert main(['seeds', '--run_dir=orig/sim_0.3', '--grid_module=cfg.py', '--num_seeds=2']) == 0
    assert planned('orig_seeds') == [(0.3, 42, True), (0.3, 1, False)]


def test_that_a_search_of_the_original_needs_its_grid_module_and_the_copy_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = original(COMMANDS, ['0.5', '0.9', '0.7'])
    assert f'--grid_module={folder}/cfg.py' in refused(capsys, 'orig')


# A run alone


def run_alone(arguments: Any, protocol: int = 4) -> None:
    Path('run').mkdir()
    Path('run/config.pickle').write_bytes(pickle.dumps(arguments, protocol))
    Path('run/performance_overview.txt').write_text('acc 0.8\nfinished 1\n')


ARGUMENTS = argparse.Namespace(out_dir='./run', lr=0.2, random_seed=42, none=None, sizes=(1, 2))


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_that_a_run_with_its_arguments_in_a_pickle_is_planned_with_its_result(protocol: int) -> None:
    run_alone(ARGUMENTS, protocol)
    assert main(['seeds', '--run_dir=run', '--grid_module=cfg.py', '--num_seeds=2']) == 0
    assert planned('run_seeds') == [(0.2, 42, True), (0.2, 1, False)]
    assert next(SearchFolder('run_seeds').read_runs()).params['sizes'] == [1, 2]


def test_that_a_run_without_a_grid_module_needs_script_and_result_which_one_error_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_alone(ARGUMENTS)
    said = refused(capsys, '--run_dir=run')
    assert all(option in said for option in ('--script', '--result', '--grid_module'))
    assert said.count('\n') == 1
    rule = '--result=stdout:acc=([0-9.]+)'
    assert main(['seeds', '--run_dir=run', '--script=train.py', rule, '--num_seeds=2']) == 0
    assert planned('run_seeds') == [(0.2, 1, False), (0.2, 2, False)]


class Evil:
    """Executes something where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ('executed',)


@pytest.mark.parametrize(
    'arguments',
    [Evil(), argparse.Namespace(lr=Evil()), argparse.Namespace(lr=argparse.ArgumentParser), {'lr': 1}],
    ids=['object', 'value', 'class', 'dict'],
)
def test_that_a_hostile_pickle_is_refused_and_not_executed(arguments: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run_alone(arguments)
    assert 'Nothing in it was executed' in refused(capsys, '--run_dir=run', '--grid_module=cfg.py')
    assert not Path('executed').exists()


def test_that_an_old_pickle_makes_nothing_but_a_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    run_alone(None)
    made = b'ccopy_reg\n_reconstructor\n(c__builtin__\n%s\nc__builtin__\nobject\nNtR.'
    for name in (b'set', b'object'):
        Path('run/config.pickle').write_bytes(made % name)
        assert 'Nothing in it was executed' in refused(capsys, '--run_dir=run', '--grid_module=cfg.py')


def test_that_a_value_that_no_command_line_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run_alone(argparse.Namespace(lr={'a': 1}, inner=argparse.Namespace(b=1), random_seed=1))
    assert 'lr, inner: no value of a command line' in refused(capsys, '--run_dir=run', '--grid_module=cfg.py')


def test_that_a_folder_that_is_nothing_of_all_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path('empty').mkdir()
    assert 'is no search, is in none, and has no config.pickle' in refused(capsys, '--run_dir=empty')
    assert 'there is no folder' in refused(capsys, '--run_dir=gone')


# Summaries of folders that exist


def test_that_any_search_with_seeds_is_summarised(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / 'cfg.py').write_text(CONFIG.replace('[42]', '[1, 2]'))
    searched()
    assert main(['seeds', '--seeds_dir=out', '--precision=1', '--sem']) == 0
    said = capsys.readouterr().out
    assert '1. lr=0.2' in said
    assert 'acc  0.9 ± 0.0  n = 2' in said
    assert Path('out/seeds_summary_text.txt').read_text() in said
    assert len(Path('out/seeds_summary.csv').read_text().splitlines()) == 4


def test_that_a_folder_of_the_original_is_summarised(capsys: pytest.CaptureFixture[str]) -> None:
    original([{**COMMANDS[0], 'random_seed': seed, 'out_dir': f'/x/{seed}'} for seed in (1, 2)], ['0.5', '0.7'])
    assert main(['seeds', '--seeds_dir=orig', '--grid_module=cfg.py']) == 0
    assert 'acc  0.60 ± 0.14  n = 2' in capsys.readouterr().out


def test_that_what_was_planned_is_said_with_the_command_that_starts_it(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    capsys.readouterr()
    assert main(['seeds', 'out', '--best', '2', '--num_seeds=3']) == 0
    said = capsys.readouterr().out
    assert '2 configurations with 3 seeds (random_seed): 6 runs, 2 with a result' in said
    assert 'hpsearch seeds out --best 2 --num_seeds=3 --start_gathering' in said
    assert '2 results were there already' in said


def test_that_it_is_said_where_fewer_configurations_can_be_chosen_than_were_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched()
    assert main(['seeds', 'out', '--best=2', '--num_seeds=1']) == 0
    assert 'There are no' not in capsys.readouterr().out
    assert main(['seeds', 'out', '--best=9', '--num_seeds=1']) == 0
    assert 'There are no 9 configurations that have a result and differ.' in capsys.readouterr().out


def test_that_nothing_is_said_of_results_where_none_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    for _ in range(2):
        capsys.readouterr()
        assert main(['seeds', 'out', '--num_seeds=2']) == 0
    said = ''.join(capsys.readouterr())
    assert '2 runs, 1 with a result' in said
    assert 'there already' not in said


def test_that_runs_that_were_asked_for_before_are_said_to_be_started_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched()
    assert main(['seeds', 'out', '--best=2', '--num_seeds=3']) == 0
    capsys.readouterr()
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    assert 'Start what is missing (2 runs, and 2 that were asked for before) with:' in capsys.readouterr().out


def test_that_the_command_that_starts_it_names_the_search_that_was_the_newest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched()
    capsys.readouterr()
    assert main(['seeds', '--num_seeds=3']) == 0
    assert 'hpsearch seeds out --num_seeds=3 --start_gathering' in capsys.readouterr().out


@pytest.mark.parametrize(
    'words', [['--config_name=../cfg'], ['--config_name='], ['--precision=5000'], ['2', '--best=2']]
)
def test_that_what_makes_no_sense_is_an_error_before_anything_is_written(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    searched()
    with pytest.raises(SystemExit):
        main(['seeds', 'out', *words])
    assert f'hpsearch seeds: {"--best" if "2" in words else "argument --"}' in capsys.readouterr().err
    assert not os.path.exists('out_seeds')


def test_that_what_would_have_no_effect_is_refused_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    words = ['out', '7', '--start_gathering', '--set=lr=1', '--cpu_jobs=2', '--num_seeds=3', '--seeds_list=1', '--sem']
    with pytest.raises(SystemExit):
        main(['seeds', '--seeds_dir=out', '--data_seed_arg=x', *words])
    said = capsys.readouterr().err
    assert '--num_seeds: --seeds_list says already which seeds there are' in said
    assert '--data_seed_arg: needs --vary_data_seed' in said
    idle = 'out, 7, --num_seeds, --seeds_list, --set, --start_gathering, --cpu_jobs'
    assert f'{idle}: without effect with --seeds_dir' in said


def test_that_a_summary_says_what_a_search_of_ours_need_not_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    assert '--grid_module: is not needed here' in refused(capsys, '--seeds_dir=out', '--grid_module=cfg.py')


def test_that_a_search_that_is_made_already_keeps_its_configuration_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched()
    first = ('out', '--config_name=again', '--run_cwd=.')
    assert main(['seeds', *first, '--num_seeds=2']) == 0
    assert main(['seeds', *first, '--num_seeds=3']) == 0
    words = ('--config_name=other', '--snapshot', '--run_cwd=/', '--python=pypy3')
    said = refused(capsys, 'out', *words)
    assert all(f'{word}: {os.path.abspath("out_seeds")} is made already' in said for word in words)
    assert 'and its configuration is again.py; leave it out, or choose another --out_dir' in said


# The folder


def test_that_a_file_of_somebody_else_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    words = ('out', '--out_dir=.', '--config_name=cfg.py')
    assert 'cfg.py is there already: choose another --config_name' in refused(capsys, *words)
    assert Path('cfg.py').read_text() == CONFIG


def test_that_a_configuration_that_was_left_by_a_process_that_was_killed_is_written_again() -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    os.unlink('out_seeds/search.json')
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    assert planned() == [(0.2, 42, True), (0.2, 1, False)]


def test_that_both_folders_can_be_moved_together(tmp_path: Path) -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    (tmp_path / 'moved').mkdir()
    for name in ('out', 'out_seeds'):
        os.rename(name, f'moved/{name}')
    assert main(['seeds', 'moved/out', '--num_seeds=3']) == 0
    assert planned('moved/out_seeds') == [(0.2, 42, True), (0.2, 1, False), (0.2, 2, False)]


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"of": 1, "options": ["a"], "varied": []}'])
def test_that_a_damaged_note_is_named(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    Path('out_seeds/seeds.json').write_text(text)
    assert main(['seeds', 'out']) == 1
    assert 'seeds.json is damaged' in capsys.readouterr().err


def test_that_a_folder_that_another_process_is_making_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    Path('out_seeds').mkdir()
    with extending(SearchFolder('out_seeds')):
        assert 'is being extended by another hpsearch' in refused(capsys, 'out')
    assert os.listdir('out_seeds') == ['.extension.lock']


def test_that_nothing_is_left_of_what_cannot_be_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched()
    (project / 'train.py').unlink()
    assert '_SCRIPT_NAME: there is no file' in refused(capsys, 'out')
    assert os.listdir('out_seeds') == ['.extension.lock']


def test_that_functions_that_read_results_are_those_of_the_search(project: Path) -> None:
    parser = "def _SUMMARY_PARSER_HANDLE(out_dir, cmd_ident):\n    return {'acc': ['0.5'], 'finished': [1]}\n"
    (project / 'cfg.py').write_text(CONFIG + parser)
    searched()
    assert main(['seeds', 'out', '--num_seeds=2']) == 0
    assert main(['seeds', 'out', '--num_seeds=3']) == 0
    attributes = SearchFolder('out_seeds').read_info()['configuration']['attributes']
    assert attributes['handles'] == ['summary_parser']
    assert len(planned()) == 3
