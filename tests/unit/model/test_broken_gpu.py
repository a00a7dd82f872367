"""Broken GPUs by the ends of logs, as the libraries print them."""

from __future__ import annotations

import pytest

from hpsearch.model.logs.broken_gpu import names_broken_gpu
from hpsearch.model.logs.failures import error_in_logs, telling_lines

TORCH = """\
Traceback (most recent call last):
  File "/home/u/train.py", line 12, in <module>
    x = torch.zeros(8, device='cuda')
        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
torch.AcceleratorError: CUDA error: {}
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.

"""


def known_of(stderr: str) -> str:
    """What the journal keeps of a log: the error, and the lines that failures are grouped by."""
    return '\n'.join([error_in_logs(stderr, ''), *telling_lines(stderr, '')])


@pytest.mark.parametrize(
    'stderr',
    [
        TORCH.format('uncorrectable ECC error encountered'),
        TORCH.format('CUDA-capable device(s) is/are busy or unavailable'),
        TORCH.format('uncorrectable NVLink error detected during the execution'),
        TORCH.format('hardware stack error').replace('torch.AcceleratorError', 'RuntimeError'),
        'RuntimeError: cuda runtime error (39) : uncorrectable ECC error encountered at THCAllocator.cpp:265\n',
        'RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable\n',
        '  File "torch/cuda/__init__.py", line 372, in _lazy_init\n    torch._C._cuda_init()\n'
        'RuntimeError: No CUDA GPUs are available\n',
        '2026-01-05 10:00:00.1: F tensorflow/core/platform/statusor.cc:34] Attempting to fetch value instead of '
        'handling error INTERNAL: failed initializing StreamExecutor for CUDA device ordinal 0: INTERNAL: failed call '
        'to cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered\n',
        'cupy_backends.cuda.api.runtime.CUDARuntimeError: cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are '
        'busy or unavailable\n',
        'CUDA Error: no CUDA-capable device is detected\n',
        'Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover it\n'
        'error: nvidia-smi failed: GPU is lost\n',
        'fatal error: NVRM: Xid (PCI:0000:06:00): 79, pid=4711, GPU has fallen off the bus.\n',
        'RuntimeError: HIP error: uncorrectable ECC error encountered\n',
        'RuntimeError: No HIP GPUs are available\n',
    ],
)
def test_that_the_error_of_a_program_names_a_broken_gpu(stderr: str) -> None:
    assert names_broken_gpu(known_of(stderr))


@pytest.mark.parametrize(
    'stderr',
    [
        TORCH.format('an illegal memory access was encountered'),
        TORCH.format('device-side assert triggered'),
        TORCH.format('no kernel image is available for execution on the device'),
        TORCH.format('out of memory'),
        'RuntimeError: CUDA error: unspecified launch failure\n',
        'ValueError: unknown option: gpu_is_lost_penalty\n',
        'the ECC error was corrected\nValueError: loss is nan\n',
        'AssertionError: Torch not compiled with CUDA enabled\n',
        '',
    ],
)
def test_that_what_a_script_may_cause_itself_does_not(stderr: str) -> None:
    assert not names_broken_gpu(known_of(stderr))
