"""What a writer tells of the runs it looks after, as another process reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hpsearch.model.usage.in_use import NOTHING_USED, RunUse, run_use_from
from hpsearch.model.usage.measured import Measured


def test_that_what_is_told_is_read_again() -> None:
    use = RunUse(300, True, Measured(gpu_memory=400, cpu=1.5), ('0', '1'))
    assert run_use_from(json.loads(json.dumps(use.facts()))) == use
    assert NOTHING_USED.facts() == {}


@pytest.mark.parametrize(
    'told',
    [
        None,
        7,
        [],
        {'memory': 'much', 'is_settled': 1, 'measured': [], 'elsewhere': '0'},
        {'measured': {'cpu': 'all', 'of_a_later_version': 1}},
    ],
)
def test_that_what_is_no_such_thing_is_left_out(told: Any) -> None:
    assert run_use_from(told) == NOTHING_USED
