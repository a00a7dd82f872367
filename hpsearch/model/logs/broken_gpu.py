"""Whether a program ended because its GPU is broken, or cannot be used, whatever the program computes."""

from __future__ import annotations

import functools
import re

TEXTS = (
    # CUDA: names of errors of the runtime and the driver, and what cudaGetErrorString and cuGetErrorString say of them.
    # PyTorch, TensorFlow, JAX, CuPy and others print one of these or both.
    r'uncorrectable ECC error|cudaErrorECCUncorrectable|CUDA_ERROR_ECC_UNCORRECTABLE',
    r'uncorrectable NVLink error|cudaErrorNvlinkUncorrectable|CUDA_ERROR_NVLINK_UNCORRECTABLE',
    r'nvlink or a hardware error|cudaErrorContained|CUDA_ERROR_CONTAINED',
    r'hardware stack error|cudaErrorHardwareStackError|CUDA_ERROR_HARDWARE_STACK_ERROR',
    r'CUDA-capable device(?:\(s\) is/are|s are) busy or unavailable',
    r'cudaErrorDevicesUnavailable|CUDA_ERROR_DEVICE_UNAVAILABLE',
    r'no CUDA-capable device is detected|cudaErrorNoDevice|CUDA_ERROR_NO_DEVICE',
    # PyTorch: c10/cuda/CUDAFunctions.cpp.
    r'No (?:CUDA|HIP) GPUs are available',
    # ROCm: the names and texts of hipGetErrorString.
    r'hipErrorECCNotCorrectable|no ROCm-capable device is detected|hipErrorNoDevice',
    # NVIDIA's kernel module, NVML and nvidia-smi, which scripts and launchers repeat.
    r'NVRM: (?:Xid|GPU )|\bXid \(PCI|(?:fallen|fell) off the bus',
    r'\bGPU is lost\b|NVML_ERROR_GPU_IS_LOST|NVMLError_GpuIsLost',
    # What host/gpu/nvml.py says of a GPU.
    r'the GPU needs a reset|its memory is damaged beyond repair',
)
"""Regular expressions for what programs print then, whatever the case of letters."""


@functools.lru_cache(maxsize=1024)
def names_broken_gpu(words: str) -> bool:
    """Whether the words with which a program failed say so."""
    return bool(_any_of_them().search(words))


@functools.cache
def _any_of_them() -> re.Pattern[str]:
    """Compiled when it is first needed."""
    return re.compile('|'.join(TEXTS), re.IGNORECASE)
