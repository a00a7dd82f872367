"""How many threads the libraries of a run start.

Those for linear algebra start one per core of the machine, in every process: eight runs on eight cores have 64 threads,
which take turns instead of computing. They all read from the environment how many they are to start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile

OPENMP = 'OMP_NUM_THREADS'

THREAD_VARIABLES = (
    OPENMP,  # OpenMP: torch, scikit-learn, XGBoost; where they have no variable of their own, MKL, OpenBLAS, numexpr
    'MKL_NUM_THREADS',  # numpy, scipy and torch, where they are built with the library of Intel
    'OPENBLAS_NUM_THREADS',  # numpy and scipy from PyPI
    'BLIS_NUM_THREADS',  # numpy of some distributions
    'VECLIB_MAXIMUM_THREADS',  # numpy on macOS
    'NUMEXPR_NUM_THREADS',  # pandas
    'RAYON_NUM_THREADS',  # what is written in Rust: tokenizers
)
"""The variables, with who reads them. Not among them: ``NUMBA_NUM_THREADS``, since a script that asks for more threads
than it says ends with an error."""


def thread_variables(threads: int | None, is_set: Collection[str] = ()) -> dict[str, str]:
    """The variables that a run is given.

    What the user has set stays. Where that is ``OMP_NUM_THREADS``, it stays alone: libraries with a variable of their
    own follow it, as long as that one is not set.

    Args:
        threads: How many threads; None: the libraries decide.
        is_set: Names of variables that the user has set, in the environment or in the configuration.
    """
    if threads is None or OPENMP in is_set:
        return {}
    return {name: str(threads) for name in THREAD_VARIABLES if name not in is_set}


def variables_set_by(words: Sequence[str]) -> set[str]:
    """The names of the variables that a command itself sets, as ``env NAME=VALUE … PROGRAM …``."""
    if words[:1] not in (['env'], ('env',)):
        return set()
    return {word.partition('=')[0] for word in takewhile(lambda word: '=' in word, words[1:])}


def share_of(cores: float, runs: int) -> int | None:
    """How many threads a run starts of so many that share the cores; None: one run may start as many as it likes."""
    return max(1, int(cores / runs)) if runs > 1 else None
