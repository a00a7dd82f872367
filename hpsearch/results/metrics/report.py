"""What a training script may call to report metrics while it goes. This file needs nothing else and may be copied."""

import json
import math
import os
import warnings
from typing import Any


def report(step: float, **metrics: Any) -> None:
    """Report metrics of a step (an epoch, say) to hpsearch; without it, nothing is done.

    Several processes of a run may report; of two values of a metric at one step the later one counts.

    Args:
        step: How far the training is; it grows.
        metrics: Numbers by their names, of Python, numpy, torch or others; they may be nan or infinite.

    Raises:
        TypeError: Something is no number.
    """
    path = os.environ.get('HPSEARCH_METRICS')
    if not path or not metrics:
        return
    values = {name: _number(name, value) for name, value in {'step': step, **metrics}.items()}
    line = json.dumps(values).encode() + b'\n'
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line)  # one call, so that the lines of several processes do not mix
        finally:
            os.close(file)
    except OSError as error:
        warnings.warn(f'hpsearch: metrics cannot be reported to {path}: {error.strerror}', stacklevel=2)


def _number(name: str, value: Any) -> Any:
    """A number as JSON has it: those that are not finite are the texts ``nan``, ``inf`` and ``-inf``."""
    try:
        number = float(value.item() if hasattr(value, 'item') else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f'{name} is a {type(value).__name__}, not a number') from None
    return number if math.isfinite(number) else str(number)
