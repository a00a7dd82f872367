"""The options by which something is left to others, as values."""

from __future__ import annotations

import pytest

from hpsearch.cli.packing.local_policies import neighbour_policy
from hpsearch.cli.packing.options import memory_of
from hpsearch.cli.parsers.searches import parse_run
from hpsearch.packing.neighbours.hours import parse_hours
from hpsearch.packing.neighbours.machine import MachineLimits
from hpsearch.packing.neighbours.policy import NO_LIMITS, NeighbourPolicy
from hpsearch.packing.neighbours.quota import Quota


def test_that_options_become_the_limits_of_this_machine() -> None:
    words = ['--grid_module=m', '--hours=20:00-08:00', '--min_free_ram=10%', '--max_cpu_load=0.8', '--yield=requeue']
    policy = neighbour_policy(parse_run([*words, '--window=60', '--leave_free=1']))
    assert policy.hours == parse_hours('20:00-08:00')
    assert policy.machine == MachineLimits(0.1, 0.8)
    assert (policy.watched, policy.keeps_away, policy.yields, policy.quota) == (60.0, True, True, Quota(None, 1))
    assert neighbour_policy(parse_run(['--grid_module=m'])) == NO_LIMITS
    assert neighbour_policy(parse_run(['--grid_module=m', '--packing=auto'])) == NeighbourPolicy(keeps_away=True)


@pytest.mark.parametrize(
    ('text', 'amount'), [('16G', 16384.0), ('500', 500.0), ('1.5G', 1536.0), ('10%', 0.1), ('100%', None), ('x', None)]
)
def test_that_memory_is_a_size_or_a_share(text: str, amount: float | None) -> None:
    assert memory_of(text) == amount
