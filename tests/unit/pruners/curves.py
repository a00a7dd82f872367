"""What tests of pruners share: runs with curves, and how to draw them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from hpsearch.model.trials.trial import Evaluation, Proposal, TrialState


def run_with(
    number: int, curve: Mapping[float, float] | Sequence[float], state: TrialState = TrialState.WAITING
) -> Evaluation:
    """A run that has reported a curve: step to loss, or the losses of step 1, 2, …"""
    points = curve if isinstance(curve, Mapping) else {float(step): float(loss) for step, loss in enumerate(curve, 1)}
    losses = (points[max(points)],) if points and state is TrialState.COMPLETE else ()
    return Evaluation(f'r{number}', number, Proposal({}), state, losses, dict(points))


def runs_with(*curves: Mapping[float, float] | Sequence[float]) -> list[Evaluation]:
    """Runs with these curves, numbered from 1."""
    return [run_with(number, curve) for number, curve in enumerate(curves, start=1)]


LOSSES = st.one_of(st.integers(0, 9).map(float), st.sampled_from([math.inf, math.nan]))
"""Few values, so that there are ties, and what is no number."""

CURVES = st.dictionaries(st.integers(1, 30).map(float), LOSSES, min_size=1, max_size=8).map(
    lambda curve: dict(sorted(curve.items()))
)
"""Curves with irregular steps."""

STATES = st.sampled_from([TrialState.WAITING, TrialState.STOPPED, TrialState.COMPLETE])


@st.composite
def searches(draw: st.DrawFn) -> list[Evaluation]:
    """All runs of a search, the first of which goes on."""
    curves = draw(st.lists(CURVES, min_size=1, max_size=14))
    states = [TrialState.WAITING, *(draw(STATES) for _ in curves[1:])]
    return [run_with(number, curve, state) for number, (curve, state) in enumerate(zip(curves, states, strict=True), 1)]
