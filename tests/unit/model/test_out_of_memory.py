"""Which ends of an attempt mean that memory ran out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.logs.last_words import last_words
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM, TEXTS, out_of_memory, problem_of
from tests.support.paths import DATA

FRAMES = """Traceback (most recent call last):
  File "train.py", line 10, in <module>
    main()
  File "train.py", line 7, in main
    y = net(x)
"""

CUDA = (
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 39.39 GiB '
    'of which 3.06 MiB is free.'
)


def texts_in(name: str) -> list[str]:
    """What libraries print as they end, from a file of ``tests/data/out_of_memory``."""
    return (DATA / 'out_of_memory' / f'{name}.txt').read_text().split('\n----\n')


GPU_TEXTS, HOST_TEXTS = texts_in('gpu'), texts_in('host')

OTHER_TEXTS = texts_in('neither')
"""What has other causes. Shared memory is a file system with a limit of its own, and Java's heap is limited by Java."""


def ran_out(log: str, stdout: str = '') -> str:
    """Whether an attempt that failed ran out of memory, by its logs."""
    return out_of_memory(1, log, stdout)


@pytest.mark.parametrize('text', GPU_TEXTS)
@pytest.mark.parametrize('before', ['', FRAMES, 'epoch 1\nepoch 2\n'])
def test_that_the_variants_of_a_full_gpu_are_recognised(text: str, before: str) -> None:
    assert ran_out(f'{before}{text}\n') == GPU_OOM
    assert ran_out('epoch 1\n', f'{before}{text}\n') == GPU_OOM


@pytest.mark.parametrize('text', HOST_TEXTS)
@pytest.mark.parametrize('before', ['', FRAMES, 'epoch 1\nepoch 2\n'])
def test_that_the_variants_of_a_full_machine_are_recognised(text: str, before: str) -> None:
    assert ran_out(f'{before}{text}\n') == HOST_OOM
    assert ran_out('', f'{before}{text}\n') == HOST_OOM
    assert ran_out(f'{before}{text}\n{FRAMES}KeyError: 3\n') == ''


@pytest.mark.parametrize('text', OTHER_TEXTS)
@pytest.mark.parametrize('before', ['', FRAMES])
def test_that_other_errors_are_not_a_lack_of_memory(text: str, before: str) -> None:
    assert ran_out(f'{before}{text}\n') == ''
    assert ran_out('', f'{before}{text}\n') == ''


def test_that_every_text_of_the_table_is_tested_and_says_where_it_comes_from() -> None:
    tested = {GPU_OOM: '\n'.join(GPU_TEXTS), HOST_OOM: '\n'.join(HOST_TEXTS)}
    for text in TEXTS:
        assert re.search(text.pattern, tested[text.memory], re.IGNORECASE | re.MULTILINE), text
        assert text.framework, text
        assert text.source, text


@pytest.mark.parametrize('code', [0, None])
def test_that_it_takes_a_failure(code: int | None) -> None:
    assert out_of_memory(code, f'{FRAMES}{CUDA}\n', '', ['memory']) == ''
    assert out_of_memory(code, f'{FRAMES}MemoryError\n', '', (), 1, 2) == ''


# ---------------------------------------------------------------------------------------------------------- last words


@pytest.mark.parametrize(
    'log',
    [
        f'recovered from CUDA out of memory\n{FRAMES}KeyError: 3\n',
        f'{FRAMES}{CUDA}\nhalving the batch\n{FRAMES}KeyError: 3\n',
        f'{FRAMES}{CUDA}\n' + 'epoch 1\n' * 60 + 'diverged\n',
        'recovered from CUDA out of memory\n' + 'epoch 1\n' * 11,
        FRAMES + "    raise RuntimeError('CUDA out of memory')\nKeyError: 3\n",
        f'{FRAMES}{CUDA}\nException ignored in: <function f>\n{FRAMES}ValueError: 1\n{FRAMES}KeyError: 3\n',
        f'{FRAMES}{CUDA}\nhalving the batch\nepoch 1\nthe loss is nan\n',
        'CUDA out of memory, retrying with smaller batch\ndone\n',
        'RuntimeError: CUDA out of memory.\nepoch 2\ntrain.py: error: no data in /data\n',
        'CUDA out of memory\nFileNotFoundError: [Errno 2] No such file or directory: data.npz\n',
        'WARNING:root:CUDA out of memory in batch 7\nSegmentation fault\n',
        '2026-01-02 10:00:00,123 WARNING CUDA out of memory in batch 7\nSegmentation fault\n',
        'train.py:7: UserWarning: CUDA out of memory in batch 7\nSegmentation fault\n',
        '[LightGBM] [Warning] CUDA out of memory\n[LightGBM] [Fatal] no features\n',
        '2024-01-01 10:00:00.123456: W xla/bfc_allocator.cc:479] CUDA_ERROR_OUT_OF_MEMORY: out of memory\nbye\n',
        '2024-01-01 10:00:00.123456: E external/xla/cuda_driver.cc:1067] failed to allocate 2.00GiB from device: '
        'CUDA_ERROR_OUT_OF_MEMORY: out of memory\nSegmentation fault (core dumped)\n',
        'usage: train.py\n  --halve  on CUDA out of memory\ntrain.py: error: unrecognized arguments: --x\n',
        'Usage: train.py [OPTIONS]\n  --halve  on CUDA out of memory\n\nError: No such option: --x\n',
        f'{FRAMES}KeyError: 3\nWARNING: CUDA out of memory had been seen in 3 batches\n',
    ],
)
def test_that_an_error_a_script_recovered_from_does_not_count(log: str) -> None:
    assert ran_out(log) == ''
    assert ran_out('', log) == ''


VLLM = 'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.'
DURING = '\nDuring handling of the above exception, another exception occurred:\n\n'
CAUSE = '\nThe above exception was the direct cause of the following exception:\n\n'


@pytest.mark.parametrize(
    'log',
    [
        f'{FRAMES}{CUDA}\n{DURING}{FRAMES}KeyError: 3\n',
        f'{FRAMES}{CUDA}\n{CAUSE}{FRAMES}TrainingError: it went wrong\n',
        f'{FRAMES}{CUDA}\n{DURING}{FRAMES}KeyError: 3\n{CAUSE}{FRAMES}TrainingError: it went wrong\n',
        f'{FRAMES}{CUDA}\nException ignored in: <function Pool.__del__>\n{FRAMES}AttributeError: x\n',
        f'{FRAMES}{CUDA}\nException in thread Thread-3 (_pin_memory_loop):\n{FRAMES}ConnectionResetError: x\n',
        f'{FRAMES}{CUDA}\n' + 'wandb: loss 0.1\n' * 50,
        f'[rank0]: {CUDA}\n'.join([FRAMES.replace('\n', '\n[rank0]: '), '']),
        f'{FRAMES}{CUDA}\n{FRAMES}ncclError: peer\n{FRAMES}torch.distributed.ChildFailedError: \n====\ntrain.py\n',
        f"{FRAMES}{CUDA}\n{FRAMES}subprocess.CalledProcessError: Command '['python']' returned exit status 1.\n",
        f'-- Process 0 terminated with the following error:\n{FRAMES}{CUDA}\n',
        f'epoch 1:  10%\repoch 1:  20%|##  |{FRAMES}{CUDA}\n',
        f'{FRAMES}{CUDA}\nsrun: error: n1: task 0: Exited with exit code 1\n',
        f'{CUDA}\nERROR: training failed\n',
        'RuntimeError: CUDA out of memory. Try reducing the batch size.\n',
        f'{FRAMES}{CUDA}\nYou may consider reducing memory use, or falling back to the CPU.\n',
        'RuntimeError: CUDA out of memory, giving up\nERROR conda.cli.main_run:execute(125): `conda run` failed.\n',
        'CUDA out of memory, retrying with smaller batch\nRuntimeError: CUDA out of memory.\n',
        f'{FRAMES}{CUDA}\nException ignored in: <stdout>\nBrokenPipeError: [Errno 32] Broken pipe\n',
        '\n'.join(f'ERROR 06-30 13:53:19 [core.py:515] {line}' for line in f'{FRAMES}{VLLM}'.split('\n'))
        + f'\n{FRAMES}RuntimeError: Engine core initialization failed. See root cause above.\n',
        '\n'.join(f'(EngineCore_DP0 pid=7) {line}' for line in f'{FRAMES}{VLLM}'.split('\n'))
        + f'\n{FRAMES}RuntimeError: Engine core initialization failed. See root cause above.\n',
        '\n'.join(f'\x1b[36m(train pid=7)\x1b[0m {line}' for line in f'{FRAMES}{CUDA}'.split('\n')),
        f'╭──── Traceback (most recent call last) ────╮\n│ train.py:7 │\n╰────╯\nOutOfMemoryError: {CUDA}\n',
    ],
)
def test_that_the_error_a_program_ended_with_is_found_whatever_surrounds_it(log: str) -> None:
    assert ran_out(log) == GPU_OOM
    assert ran_out('', log) == GPU_OOM


@pytest.mark.parametrize(
    'stderr', [f'{FRAMES}KeyError: 3\n', 'train.py: error: no data\n', 'FileNotFoundError: data.npz\n']
)
def test_that_another_error_on_stderr_is_believed_more_than_stdout(stderr: str) -> None:
    assert ran_out(stderr, f'{CUDA}\n') == ''


@pytest.mark.parametrize(
    'stderr',
    [
        '',
        'epoch 3\n',
        'train.py:3: FutureWarning: `foo` is deprecated\n  foo()\n',
        ' 37%|###7      | 37/100 [00:01<00:02, 30.1it/s]\n',
        "terminate called after throwing an instance of 'std::logic_error'\n  what():  cuda API failed\nAborted\n",
        'srun: error: n1: task 0: Exited with exit code 1\n',
    ],
)
def test_that_stdout_decides_where_stderr_names_no_error(stderr: str) -> None:
    assert ran_out(stderr, f'epoch 1\n{FRAMES}{CUDA}\n') == GPU_OOM
    assert ran_out(stderr, 'cuda API failed with status 2: out of memory\n') == GPU_OOM


def test_that_a_progress_bar_does_not_push_the_end_out_of_sight() -> None:
    assert ran_out(f'{CUDA}\n' + '\r'.join(f'{n} %' for n in range(100)) + '\n') == GPU_OOM


@given(st.text(alphabet='Tab \n\r\t[]:', max_size=200), st.text(max_size=50))
def test_that_any_log_has_last_words(log: str, more: str) -> None:
    words = last_words(log + more)
    assert isinstance(words, str)
    assert last_words(f'{log}\n{more}\n{FRAMES}{CUDA}\n').endswith(CUDA)


# ------------------------------------------------------------------------------------------------------- configuration


def test_that_the_configuration_can_name_further_texts() -> None:
    log, patterns = 'my framework: device memory 17 exhausted\n', [r'device memory \d+ exhausted']
    assert out_of_memory(1, log) == ''
    assert out_of_memory(1, log, '', patterns) == GPU_OOM
    assert out_of_memory(1, '', log, patterns) == GPU_OOM
    assert out_of_memory(1, log + 'x\n' * 30, '', patterns) == ''
    assert out_of_memory(0, log, '', patterns) == ''


def test_that_a_pattern_that_is_not_valid_is_told_and_taken_literally() -> None:
    assert problem_of('[a') != ''
    assert problem_of(re.escape('[a')) == ''
    assert out_of_memory(1, 'the message [a was printed', '', ['[a']) == GPU_OOM


# --------------------------------------------------------------------------------------------------------- host memory


@pytest.mark.parametrize(
    ('before', 'after', 'is_oom'), [(3, 4, True), (3, 3, False), (None, 4, False), (3, None, False), (4, 3, False)]
)
def test_that_a_kill_counts_only_with_the_kernels_word(before: int | None, after: int | None, is_oom: bool) -> None:
    expected = HOST_OOM if is_oom else ''
    worker = f'{FRAMES}RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.'
    assert out_of_memory(137, '', '', (), before, after) == expected
    assert out_of_memory(1, worker, '', (), before, after) == expected
    assert out_of_memory(1, '', worker, (), before, after) == expected


@pytest.mark.parametrize('code', [1, 143, 139])
def test_that_another_end_is_not_blamed_on_what_the_kernel_killed_meanwhile(code: int) -> None:
    assert out_of_memory(code, f'{FRAMES}KeyError: 3\n', '', (), 3, 4) == ''


def test_that_a_kill_is_not_explained_by_a_text_of_the_machines_memory_alone() -> None:
    assert out_of_memory(137, f'{FRAMES}MemoryError\n', '', (), 3, 3) == ''
    assert out_of_memory(134, 'terminate called\n  what():  std::bad_alloc\n', '', (), 3, 3) == HOST_OOM


@pytest.mark.parametrize('text', GPU_TEXTS)
def test_that_a_full_gpu_is_not_taken_for_a_full_machine_whatever_was_killed(text: str) -> None:
    assert out_of_memory(1, f'{FRAMES}{text}\n', '', (), 3, 4) == GPU_OOM
    assert out_of_memory(137, f'{FRAMES}{text}\n', '', (), 3, 4) == GPU_OOM
