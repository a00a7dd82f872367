"""Distributions as texts, such as ``loguniform(1e-5, 1.0)``, in our notation and in Oríon's.

What its texts leave open means in Oríon 0.2.7: both bounds of integers are included, real numbers have four significant
digits, and a fidelity has base 2. ``randint`` is in its documentation only, as scipy has it: without the upper bound.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hpsearch.config.distributions.functions import choice, fidelity, loguniform, normal, randint, uniform
from hpsearch.model.errors import did_you_mean
from hpsearch.model.trials.distributions import Choice, Distribution, Integer, Normal, Uniform, choice_of

ORION = 'orion~'
"""How a text begins that Oríon takes for a distribution."""

_CALL = re.compile(r'\s*([A-Za-z]\w*)\s*\((.*)\)\s*', re.DOTALL)

_ORIONS_PRECISION, _ORIONS_BASE = 4, 2

_MOST_MULTIPLES = 1000


@dataclass(frozen=True)
class Read:
    """A distribution that was read.

    Attributes:
        distribution: The distribution.
        note: What its text says that has no effect, in words; empty: nothing.
    """

    distribution: Distribution
    note: str = ''


def is_distribution(text: str) -> bool:
    """Whether a text is meant as a distribution: it is a call of a function that is known, or begins as Oríon's do."""
    call = _CALL.fullmatch(text)
    return text.startswith(ORION) or (call is not None and (call[1] in _FUNCTIONS or call[1] in _REFUSED))


def misspelling(text: str) -> str:
    """The end of a sentence about a text that is a call of a function that is not known, if one has almost its name."""
    call = _CALL.fullmatch(text)
    hint = did_you_mean(call[1], _FUNCTIONS) if call else ''
    return hint if hint.endswith('?') else ''


def read_distribution(text: str, *, orions: bool = False) -> Read:
    """The distribution that a text means.

    Args:
        text: A call, in Python's notation; the arguments are plain values.
        orions: Whether it is one of Oríon's, as it is with ``orion~`` before it.

    Raises:
        ValueError: It is none; why, as the end of a sentence that begins with the text.
    """
    orions = orions or text.startswith(ORION)
    name, positional, named = _call(text.removeprefix(ORION))
    return read_call(name, positional, named, orions=orions)


def read_call(name: str, positional: Sequence[Any], named: Mapping[str, Any], *, orions: bool = False) -> Read:
    """The distribution of a function that has this name, with these arguments.

    Raises:
        ValueError: There is none; why, as the end of a sentence.
    """
    known = {**_FUNCTIONS, **_ORIONS} if orions else _FUNCTIONS
    if name in _REFUSED:
        raise ValueError(_REFUSED[name])
    if name not in known:
        raise ValueError(f'is none of {", ".join(_OURS)}{did_you_mean(name, known)}')
    note, named = _without_effect(dict(named))
    distribution = _made(known[name], positional, named)
    return Read(_as_in_orion(distribution, named) if orions else distribution, note)


def read_mapping(plain: Mapping[Any, Any]) -> Read:
    """The distribution that a mapping means: ``distribution`` is its name, the other keys are the arguments.

    Raises:
        ValueError: There is none; why, as the end of a sentence.
    """
    named = {str(key): value for key, value in plain.items() if key != 'distribution'}
    values = named.pop('values', None)
    if isinstance(values, Mapping):
        raise ValueError('has a mapping as values; a list of them, and weights, are expected.')
    return read_call(str(plain['distribution']), () if values is None else (values,), named)


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """The name of the function, and its arguments."""
    if _CALL.fullmatch(text) is None:
        raise ValueError('is no call of a function; a text such as loguniform(1e-5, 1.0) is expected.')
    try:
        call = ast.parse(text.strip(), mode='eval').body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError('cannot be read as a call of Python.') from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError('is not a single call of a function.')
    if any(keyword.arg is None for keyword in call.keywords):
        raise ValueError('has "**", which is not supported; write name=value.')
    named = {str(keyword.arg): _plain_value(keyword.value) for keyword in call.keywords}
    return call.func.id, [_plain_value(each) for each in call.args], named


def _plain_value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(f'has {ast.unparse(node)}, which is no plain value; texts need quotes.') from None


def _without_effect(named: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A note on arguments that have no effect here, and the others."""
    if named.get('shape') not in (None, 1, (), (1,)):
        raise ValueError(
            f'has shape={named["shape"]}: a value with several dimensions cannot be drawn; write one option for each.'
        )
    note = ''
    if named.get('default_value') is not None:
        note = f'default_value={named["default_value"]!r} is not used: it is for trials that Oríon inserts'
    return note, {name: value for name, value in named.items() if name not in ('shape', 'default_value')}


def _made(function: Callable[..., Distribution], positional: Sequence[Any], named: Mapping[str, Any]) -> Distribution:
    signature = inspect.signature(function)
    renamed = {_SYNONYMS.get(name, name): value for name, value in named.items()}
    accepted = {name: value for name, value in renamed.items() if name in signature.parameters}
    for name in (name for name in named if _SYNONYMS.get(name, name) not in accepted):
        raise ValueError(f'has {name}=, which {function.__name__} does not take{did_you_mean(name, _ARGUMENTS)}')
    try:
        signature.bind(*positional, **accepted)
    except TypeError as error:
        raise ValueError(f'cannot be read: {error}.') from None
    try:
        return function(*positional, **accepted)
    except (TypeError, ValueError) as error:
        raise ValueError(f'cannot be read: {error}.') from None


# Other names for the same


def _multiples(low: float, high: float, step: float = 1) -> Distribution:
    """Whole multiples of the step, whatever the bounds are."""
    if not all(type(each) in (int, float) and math.isfinite(each) for each in (low, high, step)) or step <= 0:
        return uniform(low, high, step=step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return uniform(float(f'{first * step:.12g}'), float(f'{last * step:.12g}'), step=step)


def _log_multiples(low: float, high: float, step: float = 1) -> Distribution:
    """Whole multiples of the step, each as likely as the logarithms that are rounded to it."""
    if not all(type(each) in (int, float) and math.isfinite(each) and each > 0 for each in (low, high, step)):
        return loguniform(low, high)  # which is refused, too
    first, last = max(round(low / step), 1), round(high / step)
    if last - first >= _MOST_MULTIPLES:
        raise ValueError(f'has {last - first + 1:,} multiples of {step!r}; at most {_MOST_MULTIPLES:,} are expected')
    edges = [math.log(min(max((place - 0.5) * step, low), high)) for place in range(first, last + 2)]
    weights = [above - below for below, above in pairwise(edges)]
    values = [place * step if type(step) is int else float(f'{place * step:.12g}') for place in range(first, last + 1)]
    return choice(values, weights=weights, ordered=True)


def _normal_multiples(mean: float, std: float, step: float = 1) -> Distribution:
    return normal(mean, std, step=step)


def _integer_multiples(low: int, high: int, step: int = 1) -> Distribution:
    return randint(low, high, step=step)


def _below(low: int, high: int | None = None) -> Distribution:
    """Integers as in scipy and in Oríon's documentation: without the upper bound."""
    first, end = (0, low) if high is None else (low, high)
    return randint(first, end - 1)


def _orions_fidelity(low: int, high: int, base: int = _ORIONS_BASE) -> Distribution:
    return fidelity(low, high, base)


_OURS: Mapping[str, Callable[..., Distribution]] = {
    'uniform': uniform,
    'loguniform': loguniform,
    'randint': randint,
    'normal': normal,
    'choice': choice,
    'fidelity': fidelity,
}
_FUNCTIONS: Mapping[str, Callable[..., Distribution]] = {
    **_OURS,
    # Oríon and scipy
    **dict.fromkeys(('gaussian', 'norm'), normal),
    'reciprocal': loguniform,
    'choices': choice,
    # Ray Tune
    'randn': normal,
    'quniform': _multiples,
    'qloguniform': _log_multiples,
    'qrandn': _normal_multiples,
    'qrandint': _integer_multiples,
    # W&B
    'categorical': choice,
    'int_uniform': randint,
    'q_uniform': _multiples,
    'q_normal': _normal_multiples,
    'log_uniform_values': loguniform,
    'q_log_uniform_values': _log_multiples,
}
_ORIONS: Mapping[str, Callable[..., Distribution]] = {'randint': _below, 'fidelity': _orions_fidelity}

_REFUSED: Mapping[str, str] = {
    'log_uniform': 'takes exponents in W&B, and bounds elsewhere; write loguniform(low, high), which takes bounds.',
    'lograndint': 'excludes its upper bound in Ray Tune; write randint(low, high, log=True), which includes it.',
    'q_log_uniform': 'takes exponents in W&B; write qloguniform(low, high, step), which takes bounds.',
    'qlograndint': 'is qloguniform(low, high, step) here.',
}
"""Names that are known and mean different things, or what cannot be drawn, to what is to be said of them."""

_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(('loc', 'mu'), 'mean'),
    **dict.fromkeys(('scale', 'sigma', 'sd'), 'std'),
    'q': 'step',
    'min': 'low',
    'max': 'high',
    'probabilities': 'weights',
}
_ARGUMENTS = ('low', 'high', 'step', 'precision', 'discrete', 'mean', 'std', 'weights', 'ordered', 'base', 'log')


def text_of(distribution: Distribution) -> str:
    """The text that :func:`read_distribution` reads a distribution from."""
    match distribution:
        case Uniform(low, high, log, step, precision):
            return _called('loguniform' if log else 'uniform', low, high, step=step, precision=precision)
        case Integer(low, high, log, step):
            return _called('randint', low, high, log=log or None, step=None if step == 1 else step)
        case Normal(mean, std, step, precision):
            return _called('normal', mean, std, step=step, precision=precision)
        case Choice(values, _, ()):
            ordered = distribution.ordered if distribution != choice_of(values) else None
            return _called('choice', list(values), ordered=ordered)
        case Choice(values, ordered, weights):
            return _called('choice', list(values), weights=list(weights), ordered=ordered or None)
    return _called('fidelity', distribution.low, distribution.high, base=distribution.base)


def _called(name: str, *positional: Any, **named: Any) -> str:
    given = [f'{key}={value!r}' for key, value in named.items() if value is not None]
    return f'{name}({", ".join([*map(repr, positional), *given])})'


def _as_in_orion(distribution: Distribution, named: Mapping[str, Any]) -> Distribution:
    """With the precision that Oríon gives to real numbers where none is named."""
    if isinstance(distribution, (Uniform, Normal)) and distribution.step is None and 'precision' not in named:
        return replace(distribution, precision=_ORIONS_PRECISION)
    return distribution
