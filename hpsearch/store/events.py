"""What an event in a journal may look like: which fields each kind has, and what may stand in them.

Any byte of a journal may be damaged. What passes here can be folded, shown, and used as part of a path or as a number
of a process; what does not is left out, and nothing else needs to check it.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from hpsearch.model.evidence import node_name
from hpsearch.model.run import is_command, is_run_name
from hpsearch.model.states import END_ORDER
from hpsearch.model.trials.curves import NOT_FINITE
from hpsearch.model.usage.estimate import Estimate
from hpsearch.model.usage.measured import Measured

Check = Callable[[Any], bool]

MOST_ATTEMPTS = 1_000_000
LARGEST = 2.0**62
"""No number in an event is larger; times of files are in nanoseconds."""


def problem_of(event: Any) -> str:
    """What is wrong with something that should be an event, in words; empty: nothing, or it is of a later version."""
    kind = event.get('event') if type(event) is dict else None
    if type(kind) is not str:
        return 'it is not an event'
    required, checks = _KINDS.get(kind, _LATER)
    if not required <= event.keys():
        return f'{min(required - event.keys())} is missing'
    for name, value in event.items():
        if name in checks and not checks[name](value):
            return f'{name} is {reprlib.repr(value)}'
    return ''


# What may stand in a field


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_filled(value: Any) -> bool:
    return type(value) is str and bool(value)


def _is_node(value: Any) -> bool:
    return type(value) is str and value == node_name(value)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST  # which nan is not


def _is_whole(value: Any) -> bool:
    return type(value) is int and -LARGEST <= value <= LARGEST


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_attempt(value: Any) -> bool:
    return type(value) is int and 0 < value <= MOST_ATTEMPTS


def _is_before(value: Any) -> bool:
    """The number of an attempt, or 0: before the first one."""
    return type(value) is int and 0 <= value <= MOST_ATTEMPTS


def _is_pid(value: Any) -> bool:
    """0 and 1 would signal ourselves and everybody."""
    return type(value) is int and 1 < value < 2**31


def _is_component(value: Any) -> bool:
    return type(value) is str and is_run_name(value)


def _is_mapping(value: Any) -> bool:
    return type(value) is dict


def _is_parent(value: Any) -> bool:
    """The name of a run, or empty."""
    return value == '' or _is_component(value)


def _is_trial(value: Any) -> bool:
    return _TRIAL(value) and {'trial', 'values'} <= value.keys()


def _is_end(value: Any) -> bool:
    return value in _ENDS if type(value) is str else False


_ENDS = frozenset(state.value for state in END_ORDER)


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: type(value) is list and all(map(check, value))


def _texts(value: Any) -> bool:
    return type(value) is dict and all(type(text) is str for text in value.values())


def _fields(**checks: Check) -> Check:
    """A mapping in which these fields are right where they are there."""
    return lambda value: (
        type(value) is dict and all(is_right(value[name]) for name, is_right in checks.items() if name in value)
    )


def _is_element(value: Any) -> bool:
    """Run and attempt of an element of an array."""
    return type(value) is list and len(value) == 2 and _is_text(value[0]) and _is_attempt(value[1])


def _is_point(value: Any) -> bool:
    """A step with the metrics that were reported there."""
    is_pair = type(value) is list and len(value) == 2 and _is_number(value[0])
    return is_pair and type(value[1]) is dict and all(map(_is_metric, value[1].values()))


def _is_pair(value: Any) -> bool:
    """The expected value of something and the high one."""
    return type(value) is list and len(value) == 2 and all(map(_is_number, value))


def _is_metric(value: Any) -> bool:
    """A number that a float can hold, which need not be finite."""
    kind = type(value)
    if kind is float:
        return True
    return abs(value) <= sys.float_info.max if kind is int else kind is str and value in NOT_FINITE


def _is_job(value: Any) -> bool:
    return _JOB(value) and {'queue', 'id'} <= value.keys()


_JOB = _fields(queue=_is_text, id=_is_text, ends=_is_number)

_TRIAL = _fields(
    trial=_is_attempt,
    values=_is_mapping,
    fidelity=_optional(_is_number),
    parent=_is_parent,
    seed=_optional(_is_whole),
    facts=_is_mapping,
)
_HANDLE = _fields(
    pid=_is_pid,
    ticks=_is_text,
    submission=_is_component,
    queue=_is_text,
    index=_is_count,
    at=_is_number,
    throttle=_is_count,
)
_MEASURED = _fields(**dict.fromkeys((each.name for each in fields(Measured)), _optional(_is_number)))
_ESTIMATE = _fields(**dict.fromkeys((each.name for each in fields(Estimate)), _optional(_is_pair)))
_FACTS = _fields(gpu_total=_optional(_is_count), memory_limit=_optional(_is_count), memory_most=_optional(_is_count))

# The kinds; ``docs/design.rst`` says what they mean

_ATTEMPT: Mapping[str, Check] = {'run': _is_text, 'attempt': _is_attempt, 'node': _is_text}
_OF_ATTEMPT = frozenset(('run', 'attempt'))
_REQUEST: tuple[frozenset[str], Mapping[str, Check]] = (
    frozenset(('run', 'after', 'revision')),
    {'run': _is_text, 'after': _is_before, 'revision': _is_attempt},
)
_LATER: tuple[frozenset[str], Mapping[str, Check]] = (frozenset(), _ATTEMPT)

_KINDS: Mapping[str, tuple[frozenset[str], Mapping[str, Check]]] = {
    'writer': (
        frozenset(('format',)),
        {
            **dict.fromkeys(('writer', 'host', 'machine', 'boot', 'namespace', 'ticks', 'user'), _is_text),
            **dict.fromkeys(('place', 'folder'), _is_text),
            'format': _is_count,
            'pid': _is_count,
            'at': _is_number,
            'job': _is_job,
            'asks': _is_flag,
        },
    ),
    'suggested': (
        frozenset(('run', 'number', 'params', 'argv', 'trial')),
        {
            'run': _is_component,
            'number': _is_attempt,
            'params': _is_mapping,
            'argv': is_command,
            'trial': _is_trial,
            'at': _is_number,
        },
    ),
    'claimed': (
        _OF_ATTEMPT,
        {
            **_ATTEMPT,
            'gpus': _list_of(_is_text),
            'at': _is_number,
            'summary_before': _optional(_list_of(_is_whole)),
            'exclusive': _is_flag,
            'alone_on_host': _is_flag,
            'memory': _optional(_is_count),
            'estimate': _optional(_ESTIMATE),
            'oom_kills': _optional(_is_count),
            'code_id': _is_text,
        },
    ),
    'submitting': (
        frozenset(('submission', 'queue')),
        {
            'submission': _is_component,
            'queue': _is_text,
            'attempts': _list_of(_is_element),
            'pilots': _is_count,
            'throttle': _is_count,
            'room': _optional(_FACTS),
            'limit': _optional(_is_number),
            'place': _is_text,
            'at': _is_number,
        },
    ),
    'accepted': (frozenset(('submission', 'job')), {'submission': _is_component, 'job': _is_text}),
    'submitted': (_OF_ATTEMPT, {**_ATTEMPT, 'handle': _HANDLE}),
    'running': (_OF_ATTEMPT, {**_ATTEMPT, 'handle': _HANDLE, 'where': _is_text, 'node': _is_node}),
    'adopted': (_OF_ATTEMPT, {**_ATTEMPT, 'generation': _is_count, 'queued': _is_flag}),
    'ended': (
        frozenset(('run', 'attempt', 'state')),
        {
            **_ATTEMPT,
            'state': _is_end,
            'cause': _is_text,
            'reason': _is_text,
            'code': _optional(_is_whole),
            'summary': _optional(_texts),
            'seconds': _optional(_is_number),
            'node': _is_node,
            'peak_memory': _optional(_is_number),
            'measured': _optional(_MEASURED),
            'failure': _optional(_is_text),
            'facts': _optional(_FACTS),
            'reading': _is_count,
            'left_nothing': _is_flag,
        },
    ),
    'reported': (frozenset(('run', 'attempt', 'points')), {**_ATTEMPT, 'points': _list_of(_is_point)}),
    'pruned': (
        frozenset(('run', 'attempt', 'step', 'reason')),
        {**_ATTEMPT, 'step': _is_number, 'reason': _is_filled},
    ),
    'code': (frozenset(('run', 'attempt', 'code_id')), {**_ATTEMPT, 'code_id': _is_text}),
    'provenance': (frozenset(), {'code': _optional(_is_text), 'diff': _optional(_is_text)}),
    'stop': (frozenset(), {'drain': _is_flag, 'id': _is_text}),
    'cancel': _REQUEST,
    'rerun': _REQUEST,
    'pause': (frozenset(('on', 'revision')), {'on': _is_flag, 'revision': _is_attempt}),
    'closed': (frozenset(), {'at': _is_number}),
    'leaving': (frozenset(('jobs', 'reason')), {'jobs': _is_count, 'reason': _is_text}),
}
"""Kind to the fields that it must have, and what each of its fields is where it is there."""
