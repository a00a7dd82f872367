"""Which ends of an attempt mean that memory ran out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.verdict import GPU_OOM, HOST_OOM, is_gpu_oom, is_host_oom, last_words, out_of_memory, problem_of

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

GPU_TEXTS = [
    CUDA,
    'RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.79 GiB total capacity)',
    'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1 GiB.',
    'torch.OutOfMemoryError: HIP out of memory. Tried to allocate 1 GiB.',
    'RuntimeError: CUDA error: out of memory',
    "torch.AcceleratorError: CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' in the manual.\n"
    'CUDA kernel errors might be asynchronously reported at some other API call.\n'
    'Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n',
    'RuntimeError: CUDA driver error: out of memory',
    'numba.cuda.cudadrv.driver.CudaAPIError: [2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY',
    'cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 1,024 bytes (allocated so far: 0 bytes).',
    'cupy_backends.cuda.api.runtime.CUDARuntimeError: cudaErrorMemoryAllocation: out of memory',
    'jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 161 bytes.',
    'jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 2.0GiB on device ordinal 0',
    'RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`',
    'RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED',
    'RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED\nfailed to allocate 1.5G (out of memory)',
    'tensorflow.python.framework.errors_impl.ResourceExhaustedError: {{function_node x}} OOM when allocating tensor '
    'with shape[1,2] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc [Op:Mul]',
    "torch.distributed.DistBackendError: NCCL error\nLast error:\nCuda failure 2 'out of memory'",
    'RuntimeError: Triton Error [CUDA]: out of memory',
]

OTHER_TEXTS = [
    'KeyError: 3',
    'RuntimeError: CUDA error: device-side assert triggered',
    'RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED',
    'grpc.RpcError: StatusCode.RESOURCE_EXHAUSTED: Received message larger than max (5 vs. 4)',
    'MemoryError',
    'triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 98304, Hardware limit: 49152',
    'ResourceExhaustedError: OOM when allocating tensor with shape[9] on /job:localhost/device:CPU:0 by allocator cpu',
]


@pytest.mark.parametrize('text', GPU_TEXTS)
@pytest.mark.parametrize('before', ['', FRAMES, 'epoch 1\nepoch 2\n'])
def test_that_the_variants_of_a_full_gpu_are_recognised(text: str, before: str) -> None:
    assert is_gpu_oom(1, f'{before}{text}\n')


@pytest.mark.parametrize('text', OTHER_TEXTS)
def test_that_other_errors_are_not_a_full_gpu(text: str) -> None:
    assert not is_gpu_oom(1, f'{FRAMES}{text}\n')


@pytest.mark.parametrize('code', [0, None])
def test_that_it_takes_a_failure(code: int | None) -> None:
    assert not is_gpu_oom(code, f'{FRAMES}{CUDA}\n')
    assert not is_host_oom(code, 1, 2, f'{FRAMES}MemoryError\n')


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
    ],
)
def test_that_an_error_a_script_recovered_from_does_not_count(log: str) -> None:
    assert not is_gpu_oom(1, log)


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
        f'╭──── Traceback (most recent call last) ────╮\n│ train.py:7 │\n╰────╯\nOutOfMemoryError: {CUDA}\n',
    ],
)
def test_that_the_error_a_program_ended_with_is_found_whatever_surrounds_it(log: str) -> None:
    assert is_gpu_oom(1, log)


def test_that_a_progress_bar_does_not_push_the_end_out_of_sight() -> None:
    assert is_gpu_oom(1, f'{CUDA}\n' + '\r'.join(f'{n} %' for n in range(100)) + '\n')


@given(st.text(alphabet='Tab \n\r\t[]:', max_size=200), st.text(max_size=50))
def test_that_any_log_has_last_words(log: str, more: str) -> None:
    words = last_words(log + more)
    assert isinstance(words, str)
    assert last_words(f'{log}\n{more}\n{FRAMES}{CUDA}\n').endswith(CUDA)


# ------------------------------------------------------------------------------------------------------- configuration


def test_that_the_configuration_can_name_further_texts() -> None:
    log = 'my framework: device memory 17 exhausted\n'
    assert not is_gpu_oom(1, log)
    assert is_gpu_oom(1, log, [r'device memory \d+ exhausted'])
    assert not is_gpu_oom(1, log + 'x\n' * 30, [r'device memory \d+ exhausted'])
    assert not is_gpu_oom(0, log, [r'device memory \d+ exhausted'])


def test_that_a_pattern_that_is_not_valid_is_told_and_taken_literally() -> None:
    assert problem_of('[a') != ''
    assert problem_of(re.escape('[a')) == ''
    assert is_gpu_oom(1, 'the message [a was printed', ['[a'])


# --------------------------------------------------------------------------------------------------------- host memory


@pytest.mark.parametrize(
    ('before', 'after', 'is_oom'), [(3, 4, True), (3, 3, False), (None, 4, False), (3, None, False), (4, 3, False)]
)
def test_that_a_kill_counts_only_with_the_kernels_word(before: int | None, after: int | None, is_oom: bool) -> None:
    assert is_host_oom(137, before, after, '') is is_oom
    assert is_host_oom(
        1, before, after, f'{FRAMES}RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.'
    ) is (is_oom)


@pytest.mark.parametrize('code', [1, 143, 139])
def test_that_another_end_is_not_blamed_on_what_the_kernel_killed_meanwhile(code: int) -> None:
    assert not is_host_oom(code, 3, 4, f'{FRAMES}KeyError: 3\n')


@pytest.mark.parametrize(
    'text',
    [
        'MemoryError',
        'MemoryError: Unable to allocate internal buffer.',
        'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3.20 TiB for an array with shape (1, 2)',
        'OSError: [Errno 12] Cannot allocate memory',
        "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
        'pyarrow.lib.ArrowMemoryError: malloc of size 9 failed',
    ],
)
def test_that_a_refused_allocation_is_recognised(text: str) -> None:
    assert is_host_oom(1, None, None, f'{FRAMES}{text}\n')
    assert not is_host_oom(1, None, None, f'{FRAMES}{text}\n' + f'{FRAMES}KeyError: 3\n')


def test_that_a_refused_allocation_of_a_compiled_program_is_recognised() -> None:
    log = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
    assert is_host_oom(134, None, None, log)


def test_that_a_full_gpu_is_not_taken_for_a_full_machine() -> None:
    assert not is_host_oom(1, None, None, f'{FRAMES}{CUDA}\n')
    assert not is_host_oom(1, None, None, f'{FRAMES}torch.OutOfMemoryError: x\n')
    assert out_of_memory(1, f'{FRAMES}{CUDA}\n', (), 3, 4) == GPU_OOM
    assert out_of_memory(1, f'{FRAMES}{OTHER_TEXTS[-1]}\n') == HOST_OOM
    assert out_of_memory(137, '', (), 3, 4) == HOST_OOM
    assert out_of_memory(1, f'{FRAMES}KeyError: 3\n', (), 3, 4) == ''
