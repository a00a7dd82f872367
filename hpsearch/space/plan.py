"""The plan of a search: its runs with names and commands, streamed to the search folder or shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from operator import getitem
from pathlib import Path

from hpsearch.arguments.command import CommandForm
from hpsearch.arguments.help_text import doubts_by_help
from hpsearch.arguments.placeholders import UNNAMED
from hpsearch.arguments.style import ArgumentStyle, nones_note
from hpsearch.arguments.unknown_options import (
    has_filled_words,
    has_name,
    mistyped_in_command,
    unknown_in_hydra,
    unknown_options,
)
from hpsearch.model.command import (
    CommandLimits,
    encoded,
    line_breaks_of,
    room_of,
    shell_program,
    shell_word,
    warnings_about,
    why_no_command,
)
from hpsearch.model.configuration import Configuration, Value, sort_order_warning
from hpsearch.model.errors import ConfigError
from hpsearch.model.run import OUT_DIR, RUN, Run, param_json, plan_line, values_note, without_path
from hpsearch.model.units import count_of, noun_for
from hpsearch.space.grid import ABSENT, Expansion, Picks, Space
from hpsearch.space.order import Order
from hpsearch.store.folder import SearchFolder
from hpsearch.store.whole_files import whole_file

TOO_MANY_TO_ENUMERATE = 50_000_000
"""A grid of more raw combinations is only sampled."""

COUNTED_EXACTLY = 100_000
"""Up to this many raw combinations, the runs are counted before they are named."""

CHUNK = 2048

_NAME = 'sim_NAME_OF_THE_RUN'
"""Stands for the name of a run where its words are rendered once for all runs."""

LONGEST_NAME = 80
"""More characters than the name of a run has."""

RUNS_SHOWN = 5
"""Runs that cannot be started that are named, for each reason."""

REASONS_SHOWN = 5
"""Reasons why runs cannot be started that are told one by one."""


@dataclass(frozen=True)
class PlanSummary:
    """The counts of a whole :class:`hpsearch.space.grid.Expansion`.

    Attributes:
        runs: Number of runs.
        raw: Combinations of the grid.
        unenforceable: Indices of conditions that name an option that the grid does not have.
        never_fired: Indices of the other conditions that matched nothing that was drawn.
    """

    runs: int
    raw: int
    drawn: int
    duplicates: int
    rejected: int
    unenforceable: tuple[int, ...]
    never_fired: tuple[int, ...]
    stopped: str

    def notes(self) -> list[str]:
        """At most one sentence about conditions and one about an early end."""
        notes = []
        if self.unenforceable or self.never_fired:
            notes.append(self._about_conditions())
        if self.stopped:
            hint = ' To run chosen combinations, grid may be a list of them.' if self.rejected else ''
            notes.append(f'The draw ended with {count_of(self.runs, "run")}: {self.stopped}.{hint}')
        return notes

    def _about_conditions(self) -> str:
        parts = []
        if self.unenforceable:
            parts.append(f'{_conditions(self.unenforceable)} cannot be enforced (an option that is not in the grid)')
        if self.never_fired:
            parts.append(f'{_conditions(self.never_fired)} never matched')
        return f'{"; ".join(parts)}.'


def _conditions(indices: Sequence[int]) -> str:
    return f'{count_of(len(indices), "condition")} ({", ".join(f"conditions[{index}]" for index in indices)})'


class Plan:
    """Names, parameters and commands of the runs of a search; every pass over it gives the same runs.

    Args:
        configuration: What to run.
        order: In which order, and how many.
        interpreter: First word of the commands of a Python script.
        search_path: The search folder, absolute, where the output folders will be.
        ident: Middle part of the runs' names, e.g. a date.

    Attributes:
        configuration: What to run.
        form: How its commands are written.
        space: Its space of configurations.
        order: In which order, and how many.

    Raises:
        ConfigError: The grid is too large to be enumerated and no limit is given.
    """

    def __init__(
        self, configuration: Configuration, order: Order, *, interpreter: str, search_path: Path, ident: str
    ) -> None:
        self.configuration = configuration
        self.order = order
        self.form = CommandForm(configuration, interpreter)
        self.space = Space(
            configuration.grid,
            configuration.conditions,
            configuration.constraints,
            self.form.distinct,
            configuration.rows,
            configuration.zipped,
        )
        if order.limit is None and self.space.raw_size > TOO_MANY_TO_ENUMERATE:
            raise ConfigError(
                [
                    f'grid: has {self.space.raw_size:,} combinations, too many to run them all; '
                    'give --num_searches=N to draw N of them.'
                ]
            )
        self._search_path = str(search_path)
        self._ident = ident
        self._counts_first = self.space.raw_size <= COUNTED_EXACTLY

    def survey(self) -> PlanSummary:
        """Count the runs, by a pass over all that is drawn.

        Raises:
            ConfigError: A constraint raised an exception; every other pass raises it, too.
        """
        expansion, picks = self._expand()
        return self._summary(expansion, sum(1 for _ in picks))

    def runs(self) -> Iterator[Run]:
        """The runs in order."""
        words, first_words = self.words_of_columns(), self.first_words()
        for number, name, picks in self._named():
            chosen = chain.from_iterable(map(getitem, words, picks))
            first = first_words(name, self.path(name), picks)
            yield Run(name, number, self.space.params(picks), (*first, *self.output(name), *chosen))

    def commands(self, *, with_folders: bool = False) -> Iterator[str]:
        """The runs as lines for a shell, as in ``commands.sh`` or, without output folders, ``commands_wo_dirs.sh``."""
        lines = _Fragments(self).lines
        return (lines(name, picks)[not with_folders] for _, name, picks in self._named())

    def warnings(self) -> list[str]:
        """About values that hypnettorch's shell would have changed, and about which runs count as the best."""
        columns = dict(self._columns())
        doubts = (self.form.doubt(option, value) for option, values in columns.items() for value in values)
        nones = '' if self.form.has_file else nones_note(columns, self.configuration.styles)
        order = sort_order_warning(self.configuration)
        return [*self.configuration.notes, *warnings_about(columns), *filter(None, (*doubts, nones, order))]

    @property
    def can_be_doubted(self) -> bool:
        """Whether a help text of the script may show that an option, or a value of it, is not taken."""
        return has_filled_words(self.form.program) or any(has_name(style) for _, style in self._written().values())

    def doubts_by_help(self, text: str, *, takes_others: bool) -> list[str]:
        """A sentence for each option that the help text of the script does not show, or that takes no such value.

        Args:
            text: What the script printed.
            takes_others: Whether the script may take options that its help does not show.
        """
        unknown = [] if takes_others else unknown_options(text, self._written(), self.form.out_arg)
        unknown += [] if takes_others else mistyped_in_command(text, self.form.program)
        return [*unknown, *doubts_by_help(text, self._columns_behind(), self.form.style)]

    def doubts_by_hydra(self, names: Collection[str]) -> list[str]:
        """A sentence for each option that the configuration of a script of Hydra, with these names, does not have."""
        options = self._columns_behind()
        return unknown_in_hydra(names, [each for each in options if self.form.style(each).arg_style == 'hydra'])

    def _written(self) -> dict[str, tuple[Sequence[Value], ArgumentStyle]]:
        """The options of the grid and that of the output folder, with their values and how they are written."""
        columns: dict[str, list[Value]] = self._columns_behind()
        if self.configuration.out_arg is not None and self.form.output('.'):
            columns.setdefault(self.configuration.out_arg, ['.'])
        return {option: (values, self.form.style(option)) for option, values in columns.items()}

    def _columns_behind(self) -> dict[str, list[Value]]:
        """The options that stand behind the command, with their values."""
        return {
            option: [value for value in values if value is not ABSENT]
            for option, values in self._columns()
            if not self.form.is_elsewhere(option)
        }

    def not_startable(self, limits: CommandLimits) -> list[str]:
        """Which runs cannot be started because of their commands, and why, in sentences."""
        if not self._may_exceed(limits):
            return []
        found: dict[str, list[int]] = {}
        for run in self.runs():
            if why := why_no_command(run.argv, limits):
                found.setdefault(why, []).append(run.number)
        shown = list(found.items())[:REASONS_SHOWN]
        others = sum(map(len, found.values())) - sum(len(numbers) for _, numbers in shown)
        sentences = [f'{_numbered(numbers)} cannot be started: {why}.' for why, numbers in shown]
        return [*sentences, f'{count_of(others, "more run")} cannot be started, either.'] if others else sentences

    def _may_exceed(self, limits: CommandLimits) -> bool:
        """Whether a run can have a command that is too long; without going through the runs."""
        columns = self.words_of_columns()
        name = 'x' * LONGEST_NAME
        longest = {option: max(texts, key=len) for _, option, texts in self._texts_of_named()}
        fixed = [*self.form.first_words(name, self.path(name), longest), *self.output(name)]
        is_long = any(len(encoded(text)) > limits.word for text in chain(fixed, *chain.from_iterable(columns)))
        return is_long or _room_of(fixed) + sum(max(map(_room_of, words)) for words in columns) > limits.total

    def write(self, folder: SearchFolder) -> PlanSummary:
        """Write ``runs.jsonl``, ``commands.sh`` and ``commands_wo_dirs.sh``, each whole or not at all.

        Raises:
            OSError: They cannot be written.
        """
        fragments = _Fragments(self)
        expansion, picks = self._expand()
        named = self._with_names(picks)
        written = 0
        with ExitStack() as files:
            # The last file entered is renamed first: where the plan is, the others are too.
            entries = files.enter_context(whole_file(folder.runs_jsonl))
            with_folders = files.enter_context(whole_file(folder.commands_sh))
            without = files.enter_context(whole_file(folder.commands_wo_dirs_sh))
            while chunk := list(islice(named, CHUNK)):
                written += len(chunk)
                entries.write(''.join([fragments.entry(*each) for each in chunk]))
                lines = [fragments.lines(name, picks_of_run) for _, name, picks_of_run in chunk]
                with_folders.write(''.join([f'{line}\n' for line, _ in lines]))
                without.write(''.join([f'{line}\n' for _, line in lines]))
        return self._summary(expansion, written)

    @cached_property
    def _counted(self) -> tuple[Expansion, list[Picks]]:
        expansion = self.space.expand(self.order)
        return expansion, list(expansion.picks)

    def _expand(self) -> tuple[Expansion, Iterator[Picks]]:
        if self._counts_first:
            expansion, picks = self._counted
            return expansion, iter(picks)
        expansion = self.space.expand(self.order)
        return expansion, expansion.picks

    def _named(self) -> Iterator[tuple[int, str, Picks]]:
        return self._with_names(self._expand()[1])

    def _with_names(self, picks: Iterator[Picks]) -> Iterator[tuple[int, str, Picks]]:
        most, limit = self.space.most(), self.order.limit
        runs = len(self._counted[1]) if self._counts_first else most if limit is None else min(most, limit)
        prefix, digits = f'sim_{self._ident}_', len(str(runs))
        return ((number, f'{prefix}{number:0{digits}d}', its) for number, its in enumerate(picks, 1))

    def _columns(self) -> Iterator[tuple[str, list[Value]]]:
        return zip(self.space.columns, self.space.values, strict=True)

    def output(self, name: str) -> tuple[str, ...]:
        """The words that name the output folder of a run."""
        return self.form.output(self.path(name))

    def path(self, name: str) -> str:
        """The output folder of a run."""
        return f'{self._search_path}/{name}'

    def first_words(self) -> Callable[[str, str, Picks], tuple[str, ...]]:
        """A function from name, output folder and picks to the words before the output folder and the options."""
        if self.form.is_fixed:
            return lambda name, path, picks: self.form.program
        columns = self._texts_of_named()
        return lambda name, path, picks: self.form.first_words(
            name, path, {option: texts[picks[column]] for column, option, texts in columns}
        )

    def _texts_of_named(self) -> list[tuple[int, str, list[str]]]:
        """The options that are in ``_COMMAND`` or ``_ENV``: column, name, and the text of each value."""
        return [
            (column, option, ['' if value is ABSENT else self.form.text(option, value) for value in values])
            for column, (option, values) in enumerate(self._columns())
            if option in self.form.filled
        ]

    def words_of_columns(self) -> list[list[tuple[str, ...]]]:
        """For each option and each of its values the words, none where it is absent."""
        return [
            [() if value is ABSENT else self.form.option(option, value) for value in values]
            for option, values in self._columns()
        ]

    def _summary(self, expansion: Expansion, runs: int) -> PlanSummary:
        silent = (index for index, times in enumerate(expansion.fired) if not times)
        return PlanSummary(
            runs=runs,
            raw=self.space.raw_size,
            drawn=expansion.drawn,
            duplicates=expansion.duplicates,
            rejected=expansion.rejected,
            unenforceable=self.space.unenforceable,
            never_fired=tuple(index for index in silent if index not in self.space.unenforceable),
            stopped=expansion.stopped,
        )


def _room_of(words: Iterable[str]) -> int:
    return sum(map(room_of, words))


def _numbered(numbers: Sequence[int]) -> str:
    """Runs by their numbers, the first few of many."""
    shown = ', '.join(map(str, numbers[:RUNS_SHOWN]))
    others = f' and {count_of(len(numbers) - RUNS_SHOWN, "other")}' if len(numbers) > RUNS_SHOWN else ''
    return f'{noun_for(len(numbers), "run")} {shown}{others}'


class _Fragments:
    """The parts of the lines of a plan, rendered once per value instead of once per run."""

    def __init__(self, plan: Plan) -> None:
        self._params = [
            [_json_item(option, value, first=not place) for value in values]
            for place, (option, values) in enumerate(plan._columns())
        ]
        words, output = plan.words_of_columns(), plan.output(_NAME)
        self._argv = [[_json_words(its) for its in column] for column in words]
        self._shell = [[_shell_words(its) for its in column] for column in words]
        self._plan, self._first_words = plan, plan.first_words()
        self._is_fixed, self._names_run = plan.form.is_fixed, plan.form.names_run
        self._has_file = bool(plan.configuration.config_template)
        self._start, self._base = _shell_start(plan.form.program), _json_words(plan.form.program)
        planned = plan.form.output(OUT_DIR) if self._names_run else without_path(output, _NAME)
        self._json_output = _around_name(_json_words(planned))
        self._shell_output = _around_name(_shell_words(output))
        fragments = [self._start, *self._shell_output, *chain(*self._shell)]
        self._may_have_breaks = not self._is_fixed or bool(line_breaks_of(' '.join(fragments)))

    def entry(self, number: int, name: str, picks: Picks) -> str:
        """A line of ``runs.jsonl``, its line break included."""
        params = ''.join(map(getitem, self._params, picks))
        output = name.join(self._json_output)
        words = ''.join(map(getitem, self._argv, picks))
        base = self._base if self._is_fixed else _json_words(self._first_words(*self._planned(name), picks))
        return plan_line(f'"{name}"', number, params, f'{base}{output}{words}'.removeprefix(', '))

    def _planned(self, name: str) -> tuple[str, str]:
        """The name and the output folder of a run, as its plan has them."""
        return (RUN, OUT_DIR) if self._names_run else (name, '')

    def lines(self, name: str, picks: Picks) -> tuple[str, str]:
        """The command as a line for a shell, with its output folder and without."""
        words = ''.join(map(getitem, self._shell, picks))
        output = name.join(self._shell_output)
        start, unnamed = self._starts(name, picks)
        note = values_note(''.join(map(getitem, self._params, picks))) if self._has_file else ''
        with_folder, without = f'{start}{output}{words}', f'{unnamed}{words}{note}'
        if self._may_have_breaks:
            return line_breaks_of(with_folder) + with_folder, line_breaks_of(without) + without
        return with_folder, without

    def _starts(self, name: str, picks: Picks) -> tuple[str, str]:
        """The first words as a shell has them, for this run and for no run in particular."""
        if self._is_fixed:
            return self._start, self._start
        named = self._first_words(name, self._plan.path(name), picks)
        return _shell_start(named), _shell_start(self._first_words(*UNNAMED, picks))


def _shell_start(program: Sequence[str]) -> str:
    return f'{shell_program(program[0])}{_shell_words(program[1:])}'


def _json_words(words: Iterable[str]) -> str:
    return ''.join(f', {json.dumps(text)}' for text in words)


def _shell_words(words: Iterable[str]) -> str:
    return ''.join(f' {shell_word(text)}' for text in words)


def _around_name(text: str) -> list[str]:
    """The parts of the words of an output folder, between which the name of its run stands."""
    return text.split(_NAME)


def _json_item(option: str, value: Value, *, first: bool) -> str:
    if value is ABSENT:
        return ''
    return f'{"" if first else ", "}{param_json(option, value)}'
