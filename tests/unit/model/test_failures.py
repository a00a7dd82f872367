"""Why a program failed, in its own words, and what can be done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.logs.failures import LONGEST_ERROR, Failure, clipped, cure, error_in_logs
from hpsearch.model.logs.last_words import last_words

FRAMES = 'Traceback (most recent call last):\n  File "train.py", line 7, in <module>\n    main()\n'
ABSL = (
    "FATAL Flags parsing error: Unknown command line flag 'hiden'. Did you mean: hidden ?\n"
    'Pass --helpshort or --helpfull to see help on flags.\n'
)
TYRO = (
    '╭─ Unrecognized options ──────────────────╮\n│ Unrecognized options: --out_dir=/s/x    │\n'
    '│ ─────────────────────────────────────── │\n│ For full helptext, run k_tyro.py --help │\n'
    '╰─────────────────────────────────────────╯\n'
)
FIRE = (
    'ERROR: Could not consume arg: --out_dir=/s/x\nUsage: t.py --data=x -\n\n'
    'For detailed information on this command, run:\n  t.py --data=x - --help\n'
)
TYPER = (
    "Usage: t.py [OPTIONS]\nTry 't.py --help' for help.\n╭─ Error ──────────────╮\n"
    "│ Missing option '--data'. │\n╰──────────────────────╯\n"
)


@pytest.mark.parametrize(
    ('stderr', 'error'),
    [
        (
            'usage: train.py [-h] [--hidden HIDDEN]\ntrain.py: error: unrecognized arguments: --hiden=3\n',
            'unrecognized arguments: --hiden=3',
        ),
        (
            "Usage: train.py [OPTIONS]\nTry 'train.py --help' for help.\n\nError: No such option: --hiden\n",
            'No such option: --hiden',
        ),
        (
            'Usage: train.py [OPTIONS]\n╭─ Error ────────────────────╮\n│ No such option: --hiden    │\n'
            '╰────────────────────────────╯\n',
            'No such option: --hiden',
        ),
        (TYRO, 'Unrecognized options: --out_dir=/s/x'),
        (FIRE, 'Could not consume arg: --out_dir=/s/x'),
        (TYPER, "Missing option '--data'."),
        (ABSL, "Unknown command line flag 'hiden'. Did you mean: hidden ?"),
        (f'epoch 1\n{FRAMES}KeyError: 3\n', 'KeyError: 3'),
        (f'{FRAMES}AssertionError\n', 'AssertionError'),
        (
            f'{FRAMES}torch.AcceleratorError: CUDA error: device-side assert triggered\nSearch for `cudaErrorAssert`.\n'
            'Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n',
            'torch.AcceleratorError: CUDA error: device-side assert triggered',
        ),
        (
            f'{FRAMES}ValueError: no\n\nDuring handling of the above exception, a\n\n{FRAMES}KeyError: 4\n',
            'KeyError: 4',
        ),
        (f'{FRAMES}KeyError: 3\nException ignored in: <f>\n{FRAMES}OSError: pipe\n', 'KeyError: 3'),
        (f'{FRAMES}KeyError: 3\n{FRAMES}torch.distributed.ChildFailedError: \n====\n', 'KeyError: 3'),
        (f'{FRAMES}KeyError: 3\nsrun: error: n1: task 0: Exited with exit code 1\n', 'KeyError: 3'),
        (f'{FRAMES}KeyError: 3\nwandb: run failed\n', 'KeyError: 3'),
        (
            'no data: /data/x\ntrain.sh: line 3: /opt/y: Permission denied\n',
            'train.sh: line 3: /opt/y: Permission denied',
        ),
        ('terminate called\n  what():  bad file\nAborted (core dumped)\n', 'what(): bad file'),
        ('something failed\nepoch 1\nepoch 2\n', 'something failed'),
        ('train.py:3: FutureWarning: an error is near\n  foo()\n', ''),
        ('\r 37%|###7      | 37/100 [00:01<00:02, 30.1it/s]\n', ''),
        ('epoch 1\nepoch 2\n', ''),
        ('', ''),
    ],
)
def test_that_the_error_of_a_program_is_one_line_of_its_own(stderr: str, error: str) -> None:
    assert error_in_logs(stderr, '') == error
    assert error_in_logs('epoch 1\n', stderr) == error, 'on stdout'


def test_that_stderr_is_believed_more_than_stdout() -> None:
    assert error_in_logs('train.py: error: no data\n', f'{FRAMES}KeyError: 3\n') == 'no data'


def test_that_an_error_is_shown_without_control_characters_and_not_at_any_length() -> None:
    assert error_in_logs('\x1b[31mError: a\tb\x07\x1b]0;x\x07\x1b[0m\n', '').startswith('a b')
    long = error_in_logs(f'{FRAMES}ValueError: {"x" * 5000}\n', '')
    assert (len(long), long[-1]) == (LONGEST_ERROR, '…')


@given(st.text(max_size=300), st.text(max_size=300))
def test_that_whatever_a_program_prints_its_error_is_one_printable_line(stderr: str, stdout: str) -> None:
    error = error_in_logs(stderr, stdout)
    assert error.isprintable()
    assert len(error) <= LONGEST_ERROR
    assert clipped(error, LONGEST_ERROR) == error


# ------------------------------------------------------------------------------------------------- what can be done

FAILED = Failure(1, 'exit status 1', '', ('python3', '/x/train.py', '--lr=1'), '/x/train.py', 'out_dir', '/s/sim_1')
MISSING_OUTPUT = "FileNotFoundError: [Errno 2] No such file or directory: '/s/sim_1/log.txt'"
EXISTING_OUTPUT = "FileExistsError: [Errno 17] File exists: '/s/sim_1'"


def hint(stderr: str, **facts: object) -> str:
    """What is said of a failure."""
    return cure(replace(FAILED, words=last_words(stderr), **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('stderr', 'said'),
    [
        ('t.py: error: unrecognized arguments: --out_dir=/s/sim_1\n', '_OUT_ARG'),
        ('Error: No such option: --out_dir\n', '_OUT_ARG'),
        (ABSL.replace('hiden', 'out_dir'), '_OUT_ARG'),
        (TYRO, '_OUT_ARG'),
        (FIRE, '_OUT_ARG'),
        ("Error: No such option '--out_dir'.\n", '_OUT_ARG'),
        (f'{FRAMES}getopt.GetoptError: option --out_dir not recognized\n', '_OUT_ARG'),
        (ABSL, 'no option --hiden; python3 /x/train.py --help lists'),
        ("Error: No such option '--hiden'. Did you mean '--help'?\n", 'no option --hiden;'),
        (
            'FATAL Flags parsing error: flag --data=None: Flag --data must have a value other than None.\n',
            "needs 'data'",
        ),
        ('ERROR: The function received no value for the required argument: data\nUsage: t.py DATA\n', "needs 'data'"),
        (TYPER, "the grid needs 'data' with one value at least"),
        ('t.py: error: unrecognized arguments: --hiden=3\n', 'no option --hiden; python3 /x/train.py --help lists'),
        ('t.py: error: unrecognized arguments: --out_dir_name=3\n', 'no option --out_dir_name;'),
        ('t.py: error: the following arguments are required: --data\n', "the grid needs 'data'"),
        ('t.py: error: the following arguments are required: --logdir\n', "_OUT_ARG = 'logdir'"),
        ("Error: Missing option '--data'.\n", "the grid needs 'data'"),
        (f'{FRAMES}{MISSING_OUTPUT}\n', '_MAKE_OUT_DIR = True makes it'),
        (f"{FRAMES}ModuleNotFoundError: No module named 'torch'\n", 'python3 has no module torch: --python'),
        ("python3: can't open file '/x/train.py': [Errno 2] No such file or directory\n", '_SCRIPT_NAME'),
        (
            f'{FRAMES}RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that '
            "dataloader's workers are out of shared memory. Please try to raise your shared memory limit.\n",
            '/dev/shm',
        ),
        (f'{FRAMES}OSError: [Errno 24] Too many open files: a\n', 'ulimit -n'),
    ],
)
def test_that_a_failure_with_a_certain_cure_names_it_in_one_line(stderr: str, said: str) -> None:
    assert said in hint(stderr)
    assert '\n' not in hint(stderr)


@pytest.mark.parametrize(
    'stderr',
    [
        f'{FRAMES}KeyError: 3\n',
        "FileNotFoundError: [Errno 2] No such file or directory: '/data/x'\n",
        f'{EXISTING_OUTPUT}\n',
        f'WARNING {MISSING_OUTPUT}\n{FRAMES}KeyError: 3\n',
        f'{FRAMES}{MISSING_OUTPUT}\nmaking it\n{FRAMES}KeyError: 3\n',
        't.py: error: argument --lr: invalid float value: x\n',
        '',
    ],
)
def test_that_nothing_is_said_where_nothing_is_certain(stderr: str) -> None:
    assert hint(stderr) == ''


def test_that_a_folder_that_nobody_made_is_told_apart_from_one_that_two_made() -> None:
    assert '_MAKE_OUT_DIR = True' in hint('', reason='it ended with status 0; no output folder')
    assert hint('', reason='it ended with status 0; no output folder', makes_output=True) == ''
    assert hint(f'{FRAMES}{MISSING_OUTPUT}\n', makes_output=True) == ''
    assert 'remove _MAKE_OUT_DIR' in hint(f'{FRAMES}{EXISTING_OUTPUT}\n', makes_output=True)
    assert hint(f'{FRAMES}{MISSING_OUTPUT}\n', output='', out_arg='') == ''


@pytest.mark.parametrize(
    ('code', 'line', 'script', 'said'),
    [
        (127, 'hpsearch: 27: julia: not found\n', '', 'julia is not in PATH where the runs are executed: _COMMAND'),
        (
            127,
            'hpsearch: line 27: julia: command not found\n',
            '/x/t.jl',
            'in PATH where the runs are executed: --python',
        ),
        (127, 'train.sh: 3: wget: not found\n', '', ''),
        (126, 'hpsearch: 27: julia: Permission denied\n', '', 'chmod +x julia'),
        (126, 'train.sh: 3: wget: Permission denied\n', '', ''),
    ],
)
def test_that_a_program_that_cannot_be_executed_is_named(code: int, line: str, script: str, said: str) -> None:
    found = hint(line, code=code, argv=('julia', 't.jl'), script=script)
    assert said in found
    assert bool(found) is bool(said)


def test_that_a_command_with_a_python_script_is_told_of_the_script() -> None:
    unknown = 't.py: error: unrecognized arguments: --hiden 3\n'
    assert 'python3 /x/train.py --help lists' in hint(unknown, script='')
    assert './train --help lists' in hint(unknown, script='', argv=('./train', '--hiden', '3'))
    missing = "python: can't open file '/x/tarin.py': [Errno 2] No such file or directory\n"
    assert hint(missing, script='').endswith('the command names it')
