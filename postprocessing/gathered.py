"""What is known of one run of a search folder, whether ours or of the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import trouble_in_words
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import ENDED, State
from hpsearch.model.table import Row, row_of
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.results.summary import read_summary

MISSED = 'TO_BE_DELETED'
"""The folder inside a search folder for the output of runs that missed the criteria."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One run and what became of it.

    Attributes:
        run: The run.
        output: Its output folder, where it is now.
        state: Where the run stands by all evidence.
        reason: Why, in words.
        result: What its summary says, or what the journal kept of it.
        seconds: How long its last attempt took, or None.
        is_open: Whether it may still be running, so that its folder must be left alone.
        was_started: Whether there is any trace of it.
        code: The id of the code it ran; empty: not known.
        measured: What it was measured to use.
    """

    run: Run
    output: Path
    state: State
    reason: str
    result: Summary
    seconds: float | None = None
    is_open: bool = False
    was_started: bool = True
    code: str = ''
    measured: Measured = NOTHING_MEASURED

    @property
    def summary(self) -> Mapping[str, str]:
        """Keyword to text of its summary."""
        return self.result.values

    @property
    def kind(self) -> str:
        """``finished``, ``stopped``, ``unfinished`` or ``missing`` (there is no trace of it)."""
        if self.state is State.FINISHED:
            return 'finished'
        if self.state is State.STOPPED:
            return 'stopped'
        return 'unfinished' if self.was_started else 'missing'

    @property
    def has_row(self) -> bool:
        """Whether it belongs into the table: it ended, or left a result."""
        return self.state in ENDED or self.result.found

    @property
    def is_put_away(self) -> bool:
        """Whether its output was moved since it missed the criteria."""
        return self.output.parent.name == MISSED

    def row(self, configuration: Configuration) -> Row:
        """Its row in the table."""
        reason = '; '.join(filter(None, (self.reason, f'moved to {MISSED}' if self.is_put_away else '')))
        return row_of(
            self.run, replace(self, reason=reason), str(self.output), configuration.out_arg, configuration.fidelity
        )

    def moved_to(self, output: Path) -> Gathered:
        """The same run with its output somewhere else."""
        return replace(self, output=output)


def gather_without_journal(run: Run, output: Path, result: Summary) -> Gathered:
    """A run that no journal mentions: all there is of it is its output folder."""
    has_output = output.is_dir()
    state, reason = _by_its_output(result) if has_output else (State.PLANNED, 'it was never started')
    is_open = state is State.UNKNOWN
    return Gathered(run, output, state, reason, result, is_open=is_open, was_started=has_output)


def _by_its_output(result: Summary) -> tuple[State, str]:
    if result.finished:
        return State.FINISHED, result.problem
    why = 'its summary says finished 0' if result.finished is False else 'its summary does not say finished'
    return State.UNKNOWN, '; '.join(filter(None, (why, result.problem)))


def find_output(folder: Path, name: str, others: Sequence[Path] = ()) -> Path:
    """Says where the output of a run is: in the search folder, put away in it, or in one of the other places.

    Args:
        folder: The search folder.
        name: Name of the run.
        others: Where else it may be, the most likely place first.
    """
    usual = folder / name
    candidates = (usual, folder / MISSED / name, *others)
    return next((place for place in candidates if place.is_dir()), usual)


def summary_on_disk(output: Path, configuration: Configuration, number: int) -> Summary:
    """The summary of a run; one that cannot be read now has that as its problem."""
    try:
        return read_summary(output, configuration, number)
    except OSError as error:
        return Summary(problem=f'its summary cannot be read: {trouble_in_words(error)}')
