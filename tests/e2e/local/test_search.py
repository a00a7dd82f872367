"""Whole searches on this machine, as a user runs them: real commands, real processes, real folders."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hpsearch.store.folder import SearchFolder
from tests.support.cli_harness import Project
from tests.support.harness import until


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / 'project')


def test_that_a_search_ends_in_a_sorted_table(project: Project) -> None:
    project.configure({'lr': [0.1, 0.3, 0.2], 'flag': [True, False]})
    done = project.search('--visible_gpus=-1')
    assert done.returncode == 0, done.stderr
    rows = project.rows()
    assert [row['acc'] for row in rows] == ['0.9', '0.9', '0.8', '0.8', '0.7', '0.7']
    assert list(rows[0]) == sorted(list(rows[0])[:-4]) + list(rows[0])[-4:]
    assert rows[0]['scores'] == '0.1,0.2'
    assert {row['flag'] for row in rows} == {'True', 'False'}
    assert '6 finished of 6 runs' in done.stdout
    assert str(project.out / 'search_results.csv') in done.stdout
    assert 'training with 0.1' in done.stdout, 'the output of runs is shown in the foreground'


def test_that_logs_and_command_are_in_the_output_folder_at_the_end(project: Project) -> None:
    project.configure({'lr': [0.1]})
    project.search('--cpu_jobs=2')
    (output,) = project.out.glob('sim_*')
    name = output.name
    assert (output / f'job_{name}.out').read_text() == 'training with 0.1\n'
    assert not (output / f'job_{name}.err').exists(), 'there was nothing on stderr'
    shutil.rmtree(output)
    (project.path / 'ran.txt').unlink()
    again = subprocess.run(
        ['sh', '-c', (project.out / 'commands.sh').read_text()],
        cwd=project.path,
        env={**project.env, 'HPSEARCH_RUN': 'pasted', 'HPSEARCH_ATTEMPT': '1'},
        check=False,
    )
    assert again.returncode == 0
    assert project.ran() == [('pasted', '1', 'unset')]
    assert (output / 'performance_overview.txt').exists()


def inodes_of_ours(project: Project, count: int) -> int:
    """What a search with so many finished runs leaves outside their output folders, in inodes."""
    project.configure({'lr': [number / 1000 for number in range(count)]})
    assert project.search('--cpu_jobs=2').returncode == 0
    names = {run.name for run in SearchFolder(project.out).read_runs()}
    assert len(names) == count and all((project.out / name).is_dir() for name in names)
    found = [path for path in project.out.rglob('*') if path.relative_to(project.out).parts[0] not in names]
    return len({path.stat().st_ino for path in found})


def test_that_a_finished_run_leaves_four_inodes_outside_its_output_folder(tmp_path: Path) -> None:
    few, many = (inodes_of_ours(Project(tmp_path / f'{count}'), count) for count in (1, 6))
    assert (many - few) / 5 == 4, 'its folder, start fence, exit record, and what it printed'


@pytest.mark.parametrize(
    ('mode', 'state', 'reason'),
    [
        ('good', 'finished', ''),
        ('crash', 'failed', 'status 1'),
        ('killed', 'failed', 'SIGKILL'),
        ('silent', 'failed', 'performance_overview.txt'),
        ('half', 'failed', 'finished'),
        ('unfinished', 'failed', 'finished 0'),
        ('late_crash', 'finished', 'status 3'),
        ('orphan', 'finished', 'left processes behind'),
        ('loud', 'finished', ''),
    ],
)
def test_that_each_way_to_end_has_its_state_and_reason(project: Project, mode: str, state: str, reason: str) -> None:
    project.configure({'mode': [mode]})
    done = project.search('--cpu_jobs=2')
    (row,) = project.rows()
    assert row['hpsearch_state'] == state
    assert reason in row['hpsearch_reason']
    assert done.returncode == (0 if state == 'finished' else 1)


def test_that_a_search_goes_on_after_failures_and_keeps_their_values(project: Project) -> None:
    project.configure({'mode': ['crash', 'killed', 'silent', 'unfinished', 'half', 'good']})
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 1
    assert Counter(project.states().values()) == {'failed': 5, 'finished': 1}
    (unfinished,) = [row for row in project.rows() if row['mode'] == 'unfinished']
    assert (unfinished['acc'], unfinished['finished']) == ('0.9', '0')
    assert 'the loss is nan' in done.stdout, 'failures are shown by the last lines of their traceback'
    assert done.stdout.endswith(f'Run the failed ones again with: hpsearch resume {project.out} --retry_failed\n')


def test_that_a_mistyped_option_does_not_burn_the_search(project: Project) -> None:
    project.configure({'lrr': list(range(40))})
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 1
    ended = [event for event in project.events() if event['event'] == 'ended']
    assert len(ended) < 10
    assert 'unrecognized arguments' in done.stdout
    assert '--fail_fast=0' in done.stdout
    for row in (row for row in project.rows() if row['hpsearch_state'] == 'failed'):
        assert row['hpsearch_reason'] == f'exit status 2: unrecognized arguments: --lrr={row["lrr"]}'
    hint = 'Hint: the script has no option --lrr; python3 train.py --help lists those it has'
    status = project.run('status', str(project.out)).stdout
    assert hint in done.stdout
    assert hint in status
    assert 'exit status 2: unrecognized arguments: --lrr=' in status


def test_that_progress_bars_do_not_make_equal_failures_differ(project: Project) -> None:
    project.configure({'lr': list(range(40))})
    (project.path / 'train.py').write_text(BARS)
    done = project.search('--cpu_jobs=2')
    assert done.returncode == 1
    assert len([event for event in project.events() if event['event'] == 'ended']) < 10
    assert 'ERROR no data in /data' in done.stdout, 'it is on stdout alone'


BARS = """
import os, sys
done = int(os.environ['HPSEARCH_RUN'].rpartition('_')[2])
for step in range(2 + done):
    sys.stderr.write(f'\\r{step:3d}%|{"#" * step}| {step}/100 [00:0{step % 7}<00:02, {step}.1it/s]')
print('epoch', done)
print('ERROR no data in /data')
sys.exit(1)
"""


WRITES_ALONE = """
import sys
out, = (word.partition('=')[2] for word in sys.argv if word.startswith('--out_dir='))
open(f'{out}/performance_overview.txt', 'w').write('acc 0.5\\nfinished 1\\n')
"""


def test_that_the_output_folder_is_made_for_a_script_that_does_not(project: Project) -> None:
    (project.path / 'train.py').write_text(WRITES_ALONE)
    project.configure({'lr': [0.1, 0.2]})
    done = project.search()
    assert Counter(project.states().values()) == {'failed': 2}
    assert 'Hint: the script itself has to make its output folder; _MAKE_OUT_DIR = True makes it' in done.stdout
    project.configure({'lr': [0.1, 0.2]}, '_MAKE_OUT_DIR = True')
    assert '_MAKE_OUT_DIR' in project.run('plan', '--grid_module=my_config').stdout
    assert project.search('--dont_force_new_dir').returncode == 0
    assert Counter(project.states().values()) == {'finished': 2}


MAKES_IT = 'import os, sys\n[os.makedirs(word[10:]) for word in sys.argv if word.startswith("--out_dir=")]\n'


def test_that_a_script_that_refuses_its_folder_is_left_to_make_it_alone(project: Project) -> None:
    project.configure({'lr': [0.1]}, '_MAKE_OUT_DIR = True')
    (project.path / 'train.py').write_text(MAKES_IT)
    assert 'Hint: the script makes its output folder itself: remove _MAKE_OUT_DIR' in project.search().stdout


def test_that_fail_fast_can_be_switched_off(project: Project) -> None:
    project.configure({'lrr': list(range(8))})
    project.search('--cpu_jobs=4', '--fail_fast=0')
    assert len(project.rows()) == 8


def test_that_a_script_that_is_deleted_meanwhile_fails_its_runs_and_not_the_search(project: Project) -> None:
    project.configure({'seconds': [0.5, 0.6, 0.7]})
    search = project.start('--cpu_jobs=1')
    until(project.ran)
    (project.path / 'train.py').unlink()
    search.communicate(timeout=60)
    assert search.returncode == 1
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'finished': 1, 'failed': 2}


def test_that_runs_that_cannot_be_commands_are_named_beforehand_and_fail_alone(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2], 'mode': ['good', 'y' * 140_000]})
    warning = 'cannot be started: --mode=… has 140,007 bytes, and a word of a command may have 131,071.'
    planned = project.run('plan', '--grid_module=my_config', '--deterministic_search').stdout
    assert f'warning: runs 2, 4 {warning}' in planned
    done = project.search('--cpu_jobs=2')
    assert warning in done.stdout
    assert 'no run is started' not in done.stdout + done.stderr
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'finished': 2, 'failed': 2}
    reasons = {row['hpsearch_reason'] for row in project.rows() if row['hpsearch_state'] == 'failed'}
    assert reasons == {'--mode=… has 140,007 bytes, and a word of a command may have 131,071'}


def test_that_an_interpreter_that_is_deleted_meanwhile_fails_its_runs_and_not_the_search(project: Project) -> None:
    shutil.copy('/bin/sh', project.path / 'shell')
    (project.path / 'train.sh').write_text('rm -f shell\n')
    project.configure(
        {'lr': [0.1, 0.2, 0.3]}, "_SCRIPT_NAME = None; _COMMAND = ['./shell', 'train.sh']; _SUMMARY_FILENAME = None"
    )
    done = project.search('--visible_gpus=-1')
    assert 'no run is started' not in done.stdout + done.stderr
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'finished': 1, 'failed': 2}
    assert 'status 127: its command was not found' in done.stdout


def test_that_all_problems_are_told_at_once_and_without_a_traceback(project: Project) -> None:
    (project.path / 'my_config.py').write_text(
        'grid = {"lr": 3, "out_dir": [1]}\nconditions = []\n_SUMMARY_FILENAME = "x"\n_SUMMARY_KEYWORDS = []\n'
    )
    done = project.search('--run_cwd=nowhere', '--num_searches=0')
    assert done.returncode == 2
    for what in ('lr', 'out_dir', '_SCRIPT_NAME', '_SUMMARY_KEYWORDS', '--run_cwd', '--num_searches'):
        assert what in done.stderr
    assert 'Traceback' not in done.stderr
    assert not project.out.exists()


@pytest.mark.parametrize('content', ['import nothing_of_this_name', 'def', '1/0'])
def test_that_a_module_which_cannot_be_imported_is_one_short_problem(project: Project, content: str) -> None:
    (project.path / 'my_config.py').write_text(content)
    done = project.search()
    assert done.returncode == 2
    assert 'my_config.py' in done.stderr
    assert 'Traceback' not in done.stderr
    assert len(done.stderr.splitlines()) < 6


def test_that_an_existing_folder_is_an_error_and_with_permission_its_search_is_kept_aside(project: Project) -> None:
    project.configure({'lr': [0.1]})
    assert project.search('--cpu_jobs=1').returncode == 0
    first = (project.out / 'search_results.csv').read_text()
    refused = project.search('--cpu_jobs=1')
    assert refused.returncode == 2
    assert '--dont_force_new_dir' in refused.stderr
    assert (project.out / 'search_results.csv').read_text() == first
    (run,) = project.out.glob('sim_*')
    again = project.search('--cpu_jobs=1', '--dont_force_new_dir')
    assert again.returncode == 0
    (aside,) = project.out.glob('earlier_*')
    assert str(aside) in again.stdout
    assert (aside / 'search_results.csv').read_text() == first
    assert (aside / run.name / 'performance_overview.txt').exists()
    assert not run.exists()
    assert len(list((aside / 'provenance').iterdir())) > 0


def test_that_the_inherited_gpu_is_left_alone_in_the_foreground(project: Project) -> None:
    project.configure({'lr': [0.1]})
    project.env['CUDA_VISIBLE_DEVICES'] = '2'
    assert project.search('--visible_gpus=-1').returncode == 0
    assert [devices for _, _, devices in project.ran()] == ['2']


def test_that_runs_are_one_after_the_other_in_the_foreground_and_side_by_side_with_cpu_jobs(project: Project) -> None:
    project.configure({'seconds': [0.5, 0.51, 0.52, 0.53]})
    project.search('--cpu_jobs=4')
    claims = [event['event'] for event in project.events() if event['event'] in ('running', 'ended')]
    assert claims[:4] == ['running'] * 4
    shutil.rmtree(project.out)
    project.search('--visible_gpus=-1')
    claims = [event['event'] for event in project.events() if event['event'] in ('running', 'ended')]
    assert claims == ['running', 'ended'] * 4


def test_that_keywords_are_named_where_none_is_the_performance_key(project: Project) -> None:
    project.configure({'seconds': [0.0]}, "_SUMMARY_KEYWORDS = ['accuracy', 'finished']\n_PERFORMANCE_KEY = 'accuracy'")
    done = project.search('--cpu_jobs=1')
    assert 'No finished run has a number for accuracy; their summaries have: acc' in done.stdout


PRINTS = """\
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--acc')
args = parser.parse_args()
os.makedirs(args.out_dir)
with open(args.out_dir + '/performance_overview.txt', 'w') as file:
    file.write(f'acc {args.acc}\\nfinished np.int64(1)\\n')
"""


def prints(project: Project, *texts: str) -> str:
    """A search whose runs print these as their performance; returns what was printed."""
    (project.path / 'train.py').write_text(PRINTS)
    project.configure({'acc': list(texts)}, "_SUMMARY_KEYWORDS = ['acc', 'finished']")
    done = project.search('--cpu_jobs=1', '--deterministic_search')
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_that_numbers_of_libraries_are_compared_and_stay_as_they_are_in_the_table(project: Project) -> None:
    texts = ['np.float64(0.25)', "tensor(0.75, device='cuda:0')", '[np.float64(0.9), np.float64(0.5)]']
    printed = prints(project, *texts)
    assert 'warning: sim_' not in printed and 'No finished run' not in printed
    assert 'best 3 of 3 finished runs (best: largest acc, the last of its values)' in printed
    shown = [line.split()[0] for line in printed.splitlines() if line.strip().startswith('0.')]
    assert shown == ['0.75', '0.5', '0.25']
    assert [row['summary_acc'] for row in project.rows()] == [texts[1], texts[2], texts[0]]


def test_that_numbers_which_cannot_be_read_are_told_while_the_search_runs(project: Project) -> None:
    printed = prints(project, '0,950', '0,940', '0,930', '0,920').splitlines()
    commas = [number for number, line in enumerate(printed) if "acc is '0,950', which may be one number" in line]
    no_best = [number for number, line in enumerate(printed) if 'No finished run has a number for acc' in line]
    ends = [number for number, line in enumerate(printed) if ' finished in ' in line]
    assert len(commas) == 1 and ends[0] < commas[0] < ends[1]
    assert len(no_best) == 2 and ends[2] < no_best[0] < ends[3] < no_best[1]


def test_that_a_script_need_not_write_finished_where_it_is_not_expected(project: Project) -> None:
    project.configure({'mode': ['half', 'crash', 'silent', 'unfinished', 'good']}, "_SUMMARY_KEYWORDS = ['acc']")
    done = project.search('--cpu_jobs=1', '--fail_fast=0')
    assert done.returncode == 1
    finished = {'half': 'finished', 'good': 'finished'}
    assert project.states() == {**finished, 'crash': 'failed', 'silent': 'failed', 'unfinished': 'failed'}


@pytest.mark.parametrize('option', ['--reuse', '--learn_from'])
def test_that_an_earlier_folder_that_is_no_search_is_an_error_before_anything_is_made(
    project: Project, option: str
) -> None:
    project.configure({'seconds': [0.0]})
    done = project.search(f'{option}=nowhere')
    assert done.returncode == 2
    assert f'{option}=nowhere: there is no search in ' in done.stderr
    assert not project.out.exists()


def test_that_a_search_that_goes_on_learns_from_no_folder_that_is_no_search(project: Project) -> None:
    project.configure({'seconds': [0.0]})
    assert project.search('--cpu_jobs=1').returncode == 0
    done = project.run('resume', str(project.out), '--learn_from=nowhere')
    assert done.returncode == 2
    assert '--learn_from=nowhere: there is no search in ' in done.stderr


def test_that_a_plan_needs_no_script_and_shows_the_first_commands(project: Project) -> None:
    project.configure({'seconds': list(range(30))}, "_SCRIPT_NAME = 'elsewhere.py'")
    shown = project.run('plan', 'my_config').stdout
    assert 'warning: _SCRIPT_NAME: there is no file' in shown
    assert 'Best: largest acc\n' in shown
    assert shown.count('elsewhere.py --') == 20
    assert '... and 10 more' in shown
    assert project.run('plan', 'my_config', '--all').stdout.count('elsewhere.py --') == 30


def test_that_ctrl_c_ends_the_runs_in_order_and_journals_it(project: Project) -> None:
    project.configure({'seconds': [60.0, 61.0, 62.0]})
    search = project.start('--cpu_jobs=2')
    until(lambda: len(project.ran()) == 2)
    search.send_signal(signal.SIGINT)
    out, _ = search.communicate(timeout=60)
    assert search.returncode == 130
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'interrupted': 2}
    assert 'stopping' in [event['event'] for event in project.events()]
    assert '2 interrupted, 1 planned of 3 runs' in out
    assert out.endswith(f'Continue with: hpsearch resume {project.out}\n')


def test_that_a_script_which_ignores_term_is_killed_after_the_grace(project: Project) -> None:
    project.configure({'mode': ['stubborn']})
    search = project.start('--cpu_jobs=1', '--stop_grace=0.5')
    until((project.path / 'stubborn').exists)
    search.send_signal(signal.SIGTERM)
    search.communicate(timeout=60)
    assert search.returncode == 130
    assert project.states() == {'stubborn': 'interrupted'}
    assert 'killing' in [event['event'] for event in project.events()]


def test_that_a_second_ctrl_c_is_immediate(project: Project) -> None:
    project.configure({'mode': ['stubborn']})
    search = project.start('--cpu_jobs=1', '--stop_grace=600')
    until((project.path / 'stubborn').exists)
    search.send_signal(signal.SIGINT)
    until(lambda: 'stopping' in [event['event'] for event in project.events()])
    search.send_signal(signal.SIGINT)
    search.communicate(timeout=60)
    assert search.returncode == 130


def test_that_losing_the_terminal_changes_nothing(project: Project) -> None:
    project.configure({'seconds': [0.3, 0.4, 0.5]})
    master, slave = pty.openpty()
    env = {**project.env, 'TERM': 'xterm'}
    search = subprocess.Popen(
        project.command('--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--cpu_jobs=1'),
        cwd=project.path, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    until(project.ran)
    os.close(master)
    search.send_signal(signal.SIGHUP)
    assert search.wait(60) == 0
    assert Counter(row['hpsearch_state'] for row in project.rows()) == {'finished': 3}


def test_that_a_terminal_shows_a_live_view_and_the_output_of_the_run(project: Project) -> None:
    project.configure({'seconds': [0.5, 0.6]})
    master, slave = pty.openpty()
    search = subprocess.Popen(
        project.command('--grid_module=my_config', '--out_dir=out', '--force_out_dir', '--visible_gpus=-1'),
        cwd=project.path, env={**project.env, 'TERM': 'xterm'}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = _read_all(master, search)
    assert search.returncode == 0
    for text in ('training with 0.1', '2/2', 'best', 'search_results.csv'):
        assert text in shown


def _read_all(master: int, process: subprocess.Popen[bytes]) -> str:
    shown = b''
    while True:
        ready, _, _ = select.select([master], [], [], 0.2)
        try:
            data = os.read(master, 65536) if ready else b''
        except OSError:
            data = b''
        shown += data
        if not data and process.poll() is not None:
            os.close(master)
            return shown.decode('utf-8', 'replace')


def test_that_quiet_shows_nothing(project: Project) -> None:
    project.configure({'lr': [0.1]})
    done = project.search('--cpu_jobs=1', '--quiet')
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_that_plan_touches_nothing_and_its_commands_are_those_of_the_search(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2, 0.3]})
    planned = project.run('plan', '--grid_module=my_config', '--commands')
    assert planned.returncode == 0
    assert sorted(path.name for path in project.path.iterdir() if path.name != '__pycache__') == [
        'my_config.py',
        'train.py',
    ]
    project.search('--cpu_jobs=1')
    assert planned.stdout == (project.out / 'commands_wo_dirs.sh').read_text()


TRACED = """
import argparse
open('executed', 'a').write('x')
parser = argparse.ArgumentParser()
parser.add_argument('--lr')
parser.add_argument('--out_dir')
parser.add_argument('--augment', action=argparse.BooleanOptionalAction, default=True)
parser.parse_args()
"""


def test_that_plan_warns_of_values_that_the_help_of_the_script_shows_to_be_of_another_kind(project: Project) -> None:
    (project.path / 'train.py').write_text(TRACED)
    project.configure({'augment': [True, False], 'lr': [0.1, None]})
    planned = project.run('plan', 'my_config').stdout
    assert 'warning: augment: False gives no word, but its --help shows --augment and --no-augment' in planned
    assert 'warning: lr: None gives --lr=None' in planned
    assert (project.path / 'executed').read_text() == 'x', 'once'
    project.configure({'augment': [True, False], 'lr': [0.1]}, "_BOOL_STYLE = 'flag_no'")
    assert 'warning' not in project.run('plan', 'my_config').stdout


@pytest.mark.parametrize('verb', ['plan', 'try'])
def test_that_options_are_told_that_the_help_of_the_script_does_not_show(project: Project, verb: str) -> None:
    project.configure({'lr': [0.1], 'mood': ['good']})
    shown = project.run(verb, 'my_config').stdout
    assert 'warning: mood: the --help of the script shows no --mood; did you mean --mode?\n' in shown
    assert shown.count('warning: ') == 1
    project.configure({'lr': [0.1]}, "_OUT_ARG = 'outdir'")
    assert "warning: _OUT_ARG = 'outdir': the --help of the script shows no --outdir; did you mean --out_dir?" in (
        project.run(verb, 'my_config').stdout
    )


def test_that_the_help_of_a_sub_command_is_asked(project: Project) -> None:
    code = TRACED.replace('parser = argparse.ArgumentParser()', 'main = argparse.ArgumentParser()').replace(
        'parser.add_argument', 'parser = main.add_subparsers().add_parser("fit")\nparser.add_argument', 1
    )
    (project.path / 'train.py').write_text(code.replace('parser.parse_args', 'main.parse_args'))
    project.configure({'lr': [0.1], 'augmet': [True]}, "_OUT_ARG = None\n_FIXED_ARGS = ['fit']")
    warned = [line for line in project.run('plan', 'my_config').stdout.splitlines() if 'warning' in line]
    assert warned == ['warning: augmet: the --help of the script shows no --augmet; did you mean --augment?']


def test_that_nothing_is_said_of_the_options_of_a_script_that_takes_others(project: Project) -> None:
    (project.path / 'train.py').write_text(TRACED.replace('parse_args', 'parse_known_args'))
    project.configure({'augmet': [True]})
    assert 'augmet:' not in project.run('plan', 'my_config').stdout


def test_that_plan_does_not_execute_a_script_that_can_say_nothing(project: Project) -> None:
    (project.path / 'train.py').write_text(TRACED)
    project.configure({'lr': [0.1, 0.2]}, "_ARG_STYLE = 'hydra'")
    project.run('plan', 'my_config')
    project.configure({'lr': [0.1]}, "_FIXED_ARGS = ['--']")
    project.run('plan', 'my_config')
    project.configure({'augment': [False]})
    project.run('plan', 'my_config', '--commands')
    (project.path / 'train.py').write_text('import sys\nopen("executed", "w").write(sys.argv[1])\n')
    project.run('plan', 'my_config')
    assert not (project.path / 'executed').exists()


def test_that_plan_tells_of_conditions_and_duplicates(project: Project) -> None:
    more = 'conditions = [({"nope": [1]}, {"lr": [9]}), ({"lr": [7]}, {"lr": [9]}), ({"lr": [0.2]}, {"lr": [0.1]})]'
    project.configure({'lr': [0.1, 0.2]}, more)
    shown = project.run('plan', '--grid_module=my_config').stdout
    assert 'runs: 1' in shown
    assert '1 duplicate,' in shown
    assert 'conditions[0]' in shown
    assert 'conditions[1]' in shown


def test_that_plan_survives_a_reader_that_leaves(project: Project) -> None:
    project.configure({'lr': [n / 1000 for n in range(5000)]})
    done = subprocess.run(
        f'{" ".join(project.command("plan", "--grid_module=my_config", "--commands"))} | head -1',
        shell=True, cwd=project.path, env=project.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ''
    assert done.stdout.startswith('python3 train.py --lr=')


def test_that_status_tells_of_a_search_that_runs_and_of_one_that_was_killed(project: Project) -> None:
    project.configure({'seconds': [0.1, 60.0, 61.0]})
    search = project.start('--cpu_jobs=2', '--deterministic_search')
    until(lambda: len(project.ran()) == 3)
    running = project.run('status', 'out')
    assert '2 running' in running.stdout
    listed = [line.split()[-1] for line in running.stdout.splitlines() if '  running: ' in line]
    assert listed == ['seconds=60.0', 'seconds=61.0']
    search.kill()
    search.communicate()
    killed = project.run('status', 'out', '--json')
    assert 'no hpsearch works on it' in killed.stdout
    for pid in [event['handle']['pid'] for event in project.events() if event['event'] == 'running']:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_that_a_folder_which_is_no_search_is_said_so(project: Project) -> None:
    done = project.run('status', '.')
    assert done.returncode == 2
    assert 'not a search folder' in done.stderr


def test_that_another_interpreter_is_used_and_told(project: Project, tmp_path: Path) -> None:
    project.configure({'lr': [0.1]})
    wrapper = tmp_path / 'mypython'
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    done = project.search('--cpu_jobs=1', f'--python={wrapper}')
    assert done.returncode == 0
    assert str(wrapper) in (project.out / 'commands.sh').read_text()
    assert 'not the interpreter hpsearch runs on' in done.stdout


def test_that_a_script_that_is_not_python_runs_without_a_summary(project: Project) -> None:
    (project.path / 'my_config.yaml').write_text(
        'grid: {x: [1, 2]}\nconditions: []\n_COMMAND: [sh, -c, "test \\"$2\\" = --x=1", sh]\n'
    )
    done = project.run('--grid_module=my_config.yaml', '--out_dir=out', '--force_out_dir', '--cpu_jobs=1')
    assert done.returncode == 1, done.stderr
    assert {row['x']: row['hpsearch_state'] for row in project.rows()} == {'1': 'finished', '2': 'failed'}


def test_that_a_search_folder_that_cannot_be_written_is_told(project: Project) -> None:
    project.configure({'lr': [0.1]})
    (project.path / 'out').write_text('a file in the way')
    done = project.search('--cpu_jobs=1', '--dont_force_new_dir')
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    assert '--out_dir' in done.stderr


def test_that_a_search_may_work_in_another_folder_than_it_was_started_in(project: Project, tmp_path: Path) -> None:
    project.configure({'lr': [0.1]})
    work = tmp_path / 'work'
    work.mkdir()
    shutil.move(project.path / 'train.py', work / 'train.py')
    done = project.search('--cpu_jobs=1', f'--run_cwd={work}')
    assert done.returncode == 0, done.stderr
    assert (work / 'ran.txt').exists()
    assert (work / 'out' / 'search_results.csv').exists(), 'a relative --out_dir is relative to --run_cwd'


def test_that_the_table_at_the_end_has_options_that_the_best_run_was_not_given(project: Project) -> None:
    project.configure({'lr': [0.1, 0.2]}, "conditions = [({'lr': [0.2]}, {'seconds': [0.001]})]")
    lines = project.search('--cpu_jobs=1').stdout.splitlines()
    heading = next(place for place, line in enumerate(lines) if line.split()[:2] == ['acc', 'run'])
    assert 'seconds' in lines[heading].split()
    assert [line.split()[-2:] == ['0.001', '0.2,0.4'] for line in lines[heading + 2 : heading + 4]] == [False, True]
