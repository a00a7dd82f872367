"""What the runs that wait are expected to need, from what the journals tell of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hpsearch.model.configuration import Params
from hpsearch.model.logs.out_of_memory import GPU_OOM
from hpsearch.model.run import Run
from hpsearch.model.states import ENDED, Attempt, SearchState, State
from hpsearch.model.usage.estimate import Estimate
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import Predictor


class Predictions:
    """Keeps what was learned up to date.

    Args:
        state: Of the search, kept up to date by others.
        params: Name of a run to its parameters.
        earlier: What earlier searches tell.
    """

    def __init__(self, state: SearchState, params: Mapping[str, Params], earlier: Sequence[Observation] = ()) -> None:
        self._state = state
        self._params = dict(params)
        self._earlier = earlier

    def estimates(self, runs: Sequence[Run]) -> list[Estimate]:
        """What each of these runs is expected to need."""
        self._params.update((run.name, run.params) for run in runs)
        predictor = Predictor([*self._earlier, *observations(self._state, self._params)])
        return predictor.estimates([run.params for run in runs])


def observations(state: SearchState, params: Mapping[str, Params]) -> Iterator[Observation]:
    """What a search tells of its runs, as far as their parameters are known."""
    for name, history in state.runs.items():
        if name in params:
            yield from (_observation(name, params[name], each) for each in history.attempts if each.state in ENDED)


def _observation(run: str, params: Params, attempt: Attempt) -> Observation:
    is_out = attempt.cause == GPU_OOM
    return Observation(
        run,
        params,
        attempt.measured,
        attempt.seconds,
        is_finished=attempt.state is State.FINISHED,
        is_settled=attempt.measured.settled_after is not None,
        ran_out_of=attempt.measured.gpu_memory if is_out else None,
    )
