"""Why runs failed: those that failed alike together, with what their logs say and what can be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import reason_of
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import kind_of, place_in_words
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.logs.failures import Failure, cure, error_in_logs, telling_lines
from hpsearch.model.logs.last_words import last_words
from hpsearch.model.states import State
from hpsearch.results.files import read_end
from hpsearch.store.folder import SearchFolder

END_OF_LOG = 1 << 14
"""Bytes at the end of a log in which it is looked for why its run failed."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed runs with the same error.

    Attributes:
        words: What one of them says, in lines, and what can be done.
        runs: Their names.
    """

    words: str
    runs: Sequence[str]

    @property
    def example(self) -> str:
        """The run whose words these are."""
        return self.runs[0]


def failure_groups(
    folder: SearchFolder, state: SearchState, configuration: Configuration, most: int | None = None
) -> list[FailureGroup]:
    """Failed runs grouped by their error, most frequent first.

    Args:
        folder: The search.
        state: What is known of its runs.
        configuration: What it runs.
        most: How many groups at most; None: all.
    """
    groups: dict[str, list[Attempt]] = {}
    for attempt in deciding_attempts(state, State.FAILED):
        groups.setdefault(attempt.failure or attempt.reason, []).append(attempt)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].run))
    places = {place for attempt in state.ended_in_places for place in attempt.places}
    return [
        FailureGroup(
            explained(folder, group[0], configuration) + _common_place(group, places),
            [attempt.run for attempt in group],
        )
        for group in ordered[:most]
    ]


def deciding_attempts(state: SearchState, wanted: State) -> list[Attempt]:
    """The attempts that decided that their runs are in this state."""
    attempts = (history.deciding for history in state.wanted)
    return [each for each in attempts if each is not None and each.state is wanted]


def explained(folder: SearchFolder, attempt: Attempt, configuration: Configuration) -> str:
    """Why an attempt failed, with the last lines of its logs that say so, and what can be done."""
    paths, run = folder.attempt(attempt.run, attempt.number), folder.find_run(attempt.run)
    (stderr, problem), (stdout, another) = _end_of(paths.stderr), _end_of(paths.stdout)
    lines = telling_lines(stderr, stdout) if attempt.code != 0 else []
    said = error_in_logs(stderr, stdout)
    is_said = said and said in attempt.reason
    lines = [attempt.reason, *(line for line in lines if not (is_said and said in line))]
    lines += filter(None, (problem, another))
    failure = Failure(
        code=attempt.code,
        reason=attempt.reason,
        words=f'{last_words(stdout)}\n{last_words(stderr)}',
        argv=run.argv if run else (),
        script=configuration.script or '',
        out_arg=configuration.out_arg or '',
        output=str(folder.output(attempt.run)) if configuration.out_arg else '',
        makes_output=configuration.make_out_dir,
    )
    hint = cure(failure) if run else ''
    return '\n'.join([*lines, *([f'Hint: {hint}'] if hint else [])])


def _end_of(log: str) -> tuple[str, str]:
    """What was printed last, and in a sentence why it cannot be read; what is missing is only that nothing was."""
    try:
        return read_end(log, END_OF_LOG).decode('utf-8', 'replace'), ''
    except FileNotFoundError:
        return '', ''
    except (OSError, ValueError) as error:
        return '', f'{log} cannot be read: {reason_of(error)}.'


def _common_place(group: Sequence[Attempt], places: Collection[str]) -> str:
    """A line that names the place in which all failures of a group were, where the search has used others."""
    common = set.intersection(*(set(attempt.places) for attempt in group))
    others = Counter(map(kind_of, set(places) - common))
    telling = sorted(place_in_words(place) for place in common if others[kind_of(place)])
    return f'\nall {len(group)} of these were on {", ".join(telling)}' if telling and len(group) > 1 else ''
