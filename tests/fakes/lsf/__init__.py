"""A pretend LSF: its commands as executables, which keep their state in a folder and really run what is submitted.

::

    lsf = FakeLsf(tmp_path / 'lsf', 'ibm', slots=2)
    lsf.run('bsub', '-J', 'name[1-3]%2', stdin='echo $LSB_JOBINDEX')
    lsf.end()

Two dialects: ``volclava`` behaves as the transcripts in ``tests/data/lsf`` show, in every stream and exit code;
``ibm`` as the public documentation of IBM Spectrum LSF 10 tells. There is no daemon: each job has a process of its own
that watches it, and whatever starts or ends lets the next one start.

Not as in reality: how long everything takes; a job's use of memory in reports; a dependency on more than one
condition; anything about more than one user.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.handle import Call, FakeLsf, Seen

__all__ = ['Call', 'FakeLsf', 'Seen']


def __getattr__(name: str) -> object:
    # The commands import this package too, and what tests need takes longer to import than a command to answer.
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from tests.fakes.lsf import handle

    return getattr(handle, name)
