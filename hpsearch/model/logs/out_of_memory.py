"""Whether an attempt ran out of memory, of its GPU or of its machine: by its exit status and the end of its logs."""

from __future__ import annotations

import functools
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.model.logs.last_words import last_lines, last_words, states_an_error

GPU_OOM = 'gpu_oom'
"""Cause of an attempt that ran out of GPU memory."""

HOST_OOM = 'host_oom'
"""Cause of an attempt that ran out of the memory of its machine."""


@dataclass(frozen=True, slots=True)
class MemoryText:
    """What a framework prints when memory runs out.

    Attributes:
        framework: Who prints it.
        source: Where in its source the text comes from: repository and file.
        memory: Which memory it means: :data:`GPU_OOM` or :data:`HOST_OOM`.
        pattern: A regular expression for it, whatever the case of letters.
        beside: Another one that must match elsewhere in the same last words, for a text that has other causes, too.
    """

    framework: str
    source: str
    memory: str
    pattern: str
    beside: str = ''


_FULL = r'out of memory|failed to allocate|would exceed memory|OOM when allocating tensor'

# The first text that matches decides, so what is more specific comes first: TensorFlow has the same words for both
# kinds of memory, and those of a GPU are often a "MemoryError" or a "std::bad_alloc" as well.
TEXTS: tuple[MemoryText, ...] = (
    MemoryText(
        'TensorFlow',
        'tensorflow/tensorflow: tensorflow/core/framework/op_kernel.cc; the allocators of the host are named "cpu", '
        '"mklcpu", "gpu_host_bfc"',
        HOST_OOM,
        r'OOM when allocating tensor[^\n]* by allocator \w*(?:cpu|host)',
    ),
    MemoryText(
        'TensorFlow 1',
        'the same before version 1.5, which names the device of the node only',
        HOST_OOM,
        r'OOM when allocating tensor(?![^\n]* by allocator)(?:(?!GPU:)[\s\S]){0,2000}?/(?:device:)?CPU:',
    ),
    MemoryText(
        'TensorFlow 2',
        'tensorflow/tensorflow: tensorflow/compiler/mlir/tools/kernel_gen',
        HOST_OOM,
        r'device:CPU:\d+\}\} failed to allocate memory',
    ),
    MemoryText(
        'JAX',
        'openxla/xla: xla/pjrt/cpu/tracked_cpu_device_buffer.cc (CpuDeviceMemory); on GPUs "while trying to allocate"',
        HOST_OOM,
        r'RESOURCE_EXHAUSTED: Out of memory allocating \d+ bytes',
    ),
    MemoryText(
        'TensorFlow',
        'tensorflow/tensorflow: tensorflow/core/framework/op_kernel.cc; common_runtime/gpu/gpu_util.cc; '
        'common_runtime/gpu/gpu_device.cc',
        GPU_OOM,
        r'OOM when allocating tensor|Dst tensor is not initialized'
        r'|implicit initialization on GPU:\d+ failed\. Status: out of memory',
    ),
    MemoryText(
        'TensorFlow and JAX',
        'openxla/xla: xla/stream_executor (device allocators); xla/tsl/framework/bfc_allocator.cc. The code alone may '
        'also mean too large a message of gRPC',
        GPU_OOM,
        r'RESOURCE_EXHAUSTED|ResourceExhaustedError|Resource exhausted: ',
        beside=_FULL,
    ),
    MemoryText(
        'PyTorch',
        'pytorch/pytorch: c10/cuda/CUDACachingAllocator.cpp, CUDAMallocAsyncAllocator.cpp; '
        'c10/xpu/XPUCachingAllocator.cpp; aten/src/ATen/mps/MPSAllocator.mm; Ascend/pytorch',
        GPU_OOM,
        r'(?:CUDA|HIP|XPU|NPU|MPS backend) out of memory|torch[\w.]*\.OutOfMemoryError'
        r'|Allocation on device \d* ?would exceed allowed memory',
    ),
    MemoryText(
        'PyTorch',
        'pytorch/pytorch: c10/cuda/CUDAException.cpp; before version 1.5 aten/src/THC/THCGeneral.cpp',
        GPU_OOM,
        r'(?:CUDA|HIP|XPU) (?:driver |runtime )?error:? (?:\(\d+\) ?: )?out of memory',
    ),
    MemoryText(
        'CUDA libraries',
        'names of errors of cuBLAS, cuDNN, cuFFT, cuSOLVER, cuSPARSE and hipBLAS; pytorch/pytorch: '
        'aten/src/ATen/cuda/Exceptions.cpp',
        GPU_OOM,
        r'(?:CU|HIP)(?:BLAS|DNN|FFT|SOLVER|SPARSE)_(?:STATUS_)?ALLOC_FAILED',
    ),
    MemoryText(
        'CUDA libraries',
        'the same; a driver that does not fit has this name, too',
        GPU_OOM,
        r'CU(?:DNN|BLAS|SOLVER|SPARSE)_STATUS_NOT_INITIALIZED',
        beside=_FULL,
    ),
    MemoryText(
        'CUDA',
        'names of errors: cuda.h, driver_types.h (Numba, CuPy, thrust, JAX and others print them); hip_runtime_api.h',
        GPU_OOM,
        r'CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|hipErrorOutOfMemory',
    ),
    MemoryText(
        'CUDA',
        'cudaGetErrorString: apache/mxnet: src/storage/pooled_storage_manager.h; ggml-org/llama.cpp: '
        'ggml/src/ggml-cuda/ggml-cuda.cu; facebookresearch/faiss; inducer/pycuda',
        GPU_OOM,
        r'\bcu(?:daMa|MemA)lloc\w*(?: \w+)?(?: failed| error):? out of memory|\bcu\w+ failed: out of memory',
    ),
    MemoryText(
        'CUDA',
        'dmlc/dgl, apache/tvm, apache/mxnet (CUDA_CALL); catboost/catboost: catboost/cuda/cuda_lib/cuda_base.h; '
        'NVIDIA/warp; NVIDIA/nccl: src/include/checks.h; microsoft/onnxruntime',
        GPU_OOM,
        r"\bCUDA(?: error \d+| failure(?: \d+)?| API failed with status \d+)?:? ?'?out of memory"
        r'|cudaSuccess\]? out of memory',
    ),
    MemoryText(
        'Triton and LightGBM',
        'triton-lang/triton: third_party/nvidia/backend/driver.c; microsoft/LightGBM: '
        'include/LightGBM/cuda/cuda_utils.hu',
        GPU_OOM,
        r'\[CUDA\]:? out of memory',
    ),
    MemoryText(
        'bitsandbytes',
        'bitsandbytes-foundation/bitsandbytes: csrc/ops.cuh (CUDA_CHECK_RETURN)',
        GPU_OOM,
        r'^Error out of memory at line \d+ in file ',
    ),
    MemoryText(
        'CatBoost',
        'catboost/catboost: catboost/cuda/cuda_lib/memory_pool/stack_like_memory_pool.h; '
        'catboost/cuda/methods/tree_ctr_memory_usage_estimator.h',
        GPU_OOM,
        r'NCudaLib::TOutOfMemoryError|Error: Out of memory\. Requested \S+(?: MB)?; Free'
        r'|not enough memory for tree-ctrs',
    ),
    MemoryText(
        'XGBoost',
        'dmlc/xgboost: src/common/device_vector.cu (ThrowOOMError), which asks for the memory of a GPU only',
        GPU_OOM,
        r'Memory allocation error on worker \d+: ',
    ),
    MemoryText(
        'RMM (cuDF, cuML, XGBoost)',
        'rapidsai/rmm: include/rmm/error.hpp, detail/error.hpp',
        GPU_OOM,
        r'std::bad_alloc: (?:out_of_memory: )?(?:CUDA error|RMM failure) at:',
    ),
    MemoryText(
        'CuPy',
        'cupy/cupy: cupy/cuda/memory.pyx',
        GPU_OOM,
        r'cupy[\w.]*\.OutOfMemoryError|Out of memory allocating [\d,]+ bytes \(allocated so far',
    ),
    MemoryText(
        'PyCUDA and Theano',
        'inducer/pycuda: src/cpp/cuda.hpp; Theano/Theano: theano/sandbox/cuda/cuda_ndarray.cu',
        GPU_OOM,
        r'pycuda[\w.]*\.MemoryError|bytes of device memory \(out of memory\)',
    ),
    MemoryText(
        'OpenCL',
        'CL/cl.h; boostorg/compute (LightGBM): include/boost/compute/exception/opencl_error.hpp',
        HOST_OOM,
        r'OUT_OF_HOST_MEMORY|Error: Out of Host Memory',
    ),
    MemoryText(
        'OpenCL',
        'the same; inducer/pyopencl: src/wrap_cl.hpp',
        GPU_OOM,
        r'MEM_OBJECT_ALLOCATION_FAILURE|Memory Object Allocation Failure|pyopencl[\w.]*\.MemoryError',
    ),
    MemoryText(
        'vLLM',
        'vllm-project/vllm: vllm/v1/worker/gpu_worker.py; vllm/v1/core/kv_cache_utils.py',
        GPU_OOM,
        r'Free memory on device .{0,200}is less than desired GPU memory utilization'
        r'|No available memory for the cache blocks|KV cache is needed, which is larger than the available',
    ),
    MemoryText(
        'PaddlePaddle',
        'PaddlePaddle/Paddle: paddle/phi/core/memory/allocation/cuda_allocator.cc',
        GPU_OOM,
        r'Out of memory error on GPU \d+',
    ),
    MemoryText(
        'CUDA.jl',
        'JuliaGPU/CUDA.jl: src/pool.jl',
        GPU_OOM,
        r'Out of GPU memory trying to allocate',
    ),
    MemoryText(
        'Python, NumPy, pandas, PyArrow',
        'python/cpython; numpy/numpy: numpy/_core/_exceptions.py; apache/arrow: python/pyarrow/error.pxi',
        HOST_OOM,
        r'^(?:[\w.]+\.)?_?(?:Array|Arrow)?MemoryError\b|Unable to allocate [\d.]+ \w+ for an array with shape',
    ),
    MemoryText(
        'C++ (LightGBM and XGBoost without a GPU, and others)',
        'what() of the exception of the standard library',
        HOST_OOM,
        r'std::bad_alloc',
    ),
    MemoryText(
        'the system',
        'ENOMEM in the words of the C library',
        HOST_OOM,
        r'Cannot allocate memory',
    ),
    MemoryText(
        'PyTorch',
        'pytorch/pytorch: c10/core/impl/alloc_cpu.cpp; before version 1.0 aten/src/TH/THGeneral.cpp',
        HOST_OOM,
        r'DefaultCPUAllocator: (?:can.t allocate|not enough) memory|\$ Torch: not enough memory',
    ),
    MemoryText(
        'Ray',
        'ray-project/ray: python/ray/exceptions.py',
        HOST_OOM,
        r'ray\.exceptions\.OutOfMemoryError',
    ),
    MemoryText(
        'Rust, Go, R, Julia, OpenMP',
        'rust-lang/rust: library/std/src/alloc.rs; golang/go: src/runtime/malloc.go; R: src/main/memory.c; '
        'JuliaLang/julia: base/boot.jl; gcc: libgomp/alloc.c',
        HOST_OOM,
        r'^memory allocation of \d+ bytes failed|^fatal error: (?:runtime: )?out of memory'
        r'|cannot allocate vector of size|OutOfMemoryError\(\)|^libgomp: Out of memory allocating',
    ),
    MemoryText(
        'Slurm',
        'SchedMD/slurm: src/plugins/task/cgroup/task_cgroup_memory.c; src/srun (of a step that a script starts)',
        HOST_OOM,
        r'Detected \d+ oom[-_]kill event|^srun: error: .*: Out Of Memory$',
    ),
)
"""The texts that are sufficient for an attempt that failed."""

_WORKER_KILLED = re.compile(
    r'is killed by signal: Killed|terminated abruptly|TerminatedWorkerError|exited unexpectedly|SIGKILL|exitcode\s*: -9'
)
"""What a process prints about a worker process of its own that was killed."""


def out_of_memory(
    code: int | None,
    stderr: str,
    stdout: str = '',
    extra_patterns: Sequence[str] = (),
    kills_before: int | None = None,
    kills_after: int | None = None,
) -> str:
    """:data:`GPU_OOM` or :data:`HOST_OOM` if an attempt ran out of memory, else empty.

    It must have failed, and one of its logs must end so; errors that a script logged and recovered from do not count,
    nor does stdout where stderr ends with another error.

    Args:
        code: Raw exit status; None (not known) and 0 are no evidence.
        stderr: The end of its stderr.
        stdout: The end of its stdout.
        extra_patterns: Further regular expressions, for memory of a GPU, searched for in the last lines of both; an
            invalid one is taken literally.
        kills_before: The kernel's count of out-of-memory kills when the attempt began; None: unknown.
        kills_after: The same at its end.
    """
    if not code:
        return ''
    words = [last_words(stderr), *([] if states_an_error(stderr) else [last_words(stdout)])]
    found = next(filter(None, map(_memory_of, words)), '')
    ends = [last_lines(log) for log in (stderr, stdout)] if extra_patterns else []
    if found == GPU_OOM or any(_compiled(pattern).search(end) for pattern in extra_patterns for end in ends):
        return GPU_OOM
    has_killed = kills_before is not None and kills_after is not None and kills_after > kills_before
    if code == 128 + signal.SIGKILL:
        return HOST_OOM if has_killed else ''
    return HOST_OOM if has_killed and any(map(_WORKER_KILLED.search, words)) else found


def _memory_of(words: str) -> str:
    """The memory that the first text in the last words of a log means; empty: there is none."""
    for text, pattern, beside in _texts():
        if pattern.search(words) and (beside is None or beside.search(words)):
            return text.memory
    return ''


@functools.cache
def _texts() -> tuple[tuple[MemoryText, re.Pattern[str], re.Pattern[str] | None], ...]:
    """The texts with their patterns, compiled when they are first needed."""
    how = re.IGNORECASE | re.MULTILINE
    return tuple(
        (text, re.compile(text.pattern, how), re.compile(text.beside, how) if text.beside else None) for text in TEXTS
    )


def problem_of(pattern: str) -> str:
    """What is wrong with a regular expression; empty if nothing is."""
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ''


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern) if problem_of(pattern) else pattern)
