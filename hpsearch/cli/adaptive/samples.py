"""What an adaptive search may run: its space in words, and examples of its runs, before there is one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from hpsearch.arguments.command import CommandForm
from hpsearch.cli.adaptive.settings import settings_of
from hpsearch.config.distributions.notation import text_of
from hpsearch.dispatch.adaptive.sampled_runs import RunMaker, space_of
from hpsearch.model.command import shell_line
from hpsearch.model.run import Run, with_output
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial
from hpsearch.model.units import count_of
from hpsearch.samplers.allowed import AllowedSampler
from hpsearch.samplers.random_search import RandomSampler
from hpsearch.space.identity import identity
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.cli.request import SearchRequest

_LONGEST_TEXT = 100


class Samples:
    """Examples of the runs of an adaptive search: drawn at random, whatever its sampler is, the same each time.

    Args:
        request: What was asked for.
        ident: Middle part of the names of the runs.

    Attributes:
        space: What a sampler proposes values of.
    """

    def __init__(self, request: SearchRequest, ident: str) -> None:
        configuration = request.configuration
        self._settings = settings_of(request.options, configuration, ident)
        self.space = space_of(self._settings, configuration, CommandForm(configuration, request.interpreter))
        self._maker = RunMaker(configuration, request.interpreter, ident)
        self._identity = identity(configuration, request.run_cwd)
        self._limit = self._settings.limits.max_trials

    def runs(self, folder: SearchFolder) -> Iterator[Run]:
        """Runs that there could be in a search folder, as many as there may be.

        Raises:
            ConfigError: Nothing is found that the constraints allow, or one of them raised an exception.
        """
        seed, space = self._settings.seed, self.space
        sampler = AllowedSampler(RandomSampler(space.space, seed), space, space.space, seed)
        trials: list[Trial] = []
        while len(trials) != self._limit and (proposal := sampler.propose(trials, len(trials) + 1)) is not None:
            number = len(trials) + 1
            run = self._maker.run(number, space.params(proposal.values) or {})
            trials.append(Trial(number, [Evaluation(run.name, number, Proposal(proposal.values, trial=number))]))
            yield with_output(run, str(folder.output(run.name)))

    def command(self, run: Run) -> str:
        """The command of a run as a line for a shell, without its output folder."""
        return f'{shell_line(self._identity.without_output(run))}{self._identity.note(run)}'

    def lines(self) -> Iterator[str]:
        """How runs are chosen, and from what."""
        most = f'{count_of(self._limit, "trial")} at most' if self._limit else 'no limit of trials'
        seeds = self._settings.seeds
        repeated = f', each with {len(seeds.values)} seeds ({seeds.option})' if seeds else ''
        yield f'Runs are chosen while the search goes, by {self._settings.sampler}: {most}{repeated}'
        yield f'Space of {self._size()}:'
        for name, distribution in self.space.space.items():
            text = text_of(distribution)
            yield f'  {name}: {text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 4]} ...)"}'

    def _size(self) -> str:
        runs = count_of(len(self.space.all_runs), 'different run') if self.space.is_finite else 'no end of runs'
        return f'{count_of(len(self.space.space), "choice")}, {runs}'


def sample(request: SearchRequest, folder: SearchFolder, number: int, ident: str) -> Run | None:
    """One of the examples by its number; None: there are not so many."""
    return next(islice(Samples(request, ident).runs(folder), number - 1, None), None)
