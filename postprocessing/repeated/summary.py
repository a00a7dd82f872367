"""The results of configurations that were repeated with several seeds: means, and the best against the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random

from hpsearch.model.units import count_of, read_number
from hpsearch.results.summary import FINISHED

from .paired import Comparison, compare
from .scatter import Scatter, scatter, unit_of


@dataclass(frozen=True)
class Repetition:
    """One configuration that was run with several seeds.

    Attributes:
        label: Names it: what it differs in from the others.
        results: Seed to the results of its finished run, keyword to text.
        chosen_by: The seeds whose results are those by which it was chosen.
        others: State to how many of its runs are in it, of those that have not finished.
        notes: What is to be known of its runs, in sentences.
    """

    label: str
    results: Mapping[str, Mapping[str, str]]
    chosen_by: frozenset[str] = frozenset()
    others: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def fresh(self) -> Repetition:
        """The same without the results by which it was chosen."""
        results = {seed: found for seed, found in self.results.items() if seed not in self.chosen_by}
        return Repetition(self.label, results, frozenset(), self.others, self.notes)


@dataclass(frozen=True)
class Settings:
    """What is computed and how it is shown.

    Attributes:
        key: The keyword by which configurations are compared; None: they are not.
        ascending: Whether its smallest value is the best.
        sem: Whether the standard error of the mean is shown instead of the standard deviation.
        population: Whether the standard deviation is that of all there are (n).
        precision: Digits after the point; None: such that the error has two that count.
        fresh: Whether results by which a configuration was chosen are left out of the means.
    """

    key: str | None = None
    ascending: bool = False
    sem: bool = False
    population: bool = False
    precision: int | None = None
    fresh: bool = False

    def error_of(self, found: Scatter) -> Decimal:
        """What is shown behind a mean."""
        return found.sem if self.sem else found.std

    @property
    def error_in_words(self) -> str:
        """What is shown behind a mean, in words."""
        what = 'standard error of the mean' if self.sem else 'standard deviation'
        return f'{what} ({"n" if self.population else "n - 1"})'


@dataclass(frozen=True)
class Row:
    """A configuration with how each keyword of its results scatters."""

    repetition: Repetition
    scatters: Mapping[str, Scatter]


@dataclass(frozen=True)
class Summary:
    """Configurations, best first.

    Attributes:
        rows: One for each.
        keywords: Those of the results: first that by which they are compared, then by name.
        comparison: The best one and the second in pairs of seeds; None: they cannot be compared.
        why_not: Why they are not compared, as a sentence; empty: they are.
        left_out: How many pairs of seeds were left out of the comparison, since the two were chosen by them.
    """

    rows: Sequence[Row]
    keywords: Sequence[str]
    comparison: Comparison | None = None
    why_not: str = ''
    left_out: int = 0


def summarise(repetitions: Sequence[Repetition], settings: Settings, random: Random) -> Summary:
    """Compute everything that is shown; ``random`` is for tests of many pairs."""
    used = [each.fresh for each in repetitions] if settings.fresh else list(repetitions)
    named = {name for each in used for result in each.results.values() for name in result} - {FINISHED}
    keywords = sorted(named, key=lambda name: (name != settings.key, name))
    units = {name: set().union(*(unit_of(_column(each, name).values()) for each in used)) for name in keywords}
    rows = [
        Row(
            each,
            {
                name: scatter(
                    _column(each, name),
                    population=settings.population,
                    takes_last=name == settings.key,
                    units=units[name],
                )
                for name in keywords
            },
        )
        for each in used
    ]
    places = sorted(range(len(rows)), key=lambda place: _rank(rows[place], settings))
    ranked = [rows[place] for place in places]
    whole = [repetitions[place] for place in places]
    return _compared(Summary(ranked, keywords), whole, settings, random)


def _column(repetition: Repetition, keyword: str) -> dict[str, str | None]:
    return {seed: result.get(keyword) for seed, result in repetition.results.items()}


def _rank(row: Row, settings: Settings) -> tuple[bool, Decimal]:
    mean = row.scatters.get(settings.key or '', Scatter(0)).mean
    if mean.is_nan():
        return True, Decimal()
    return False, mean if settings.ascending else -mean


def _compared(summary: Summary, repetitions: Sequence[Repetition], settings: Settings, random: Random) -> Summary:
    """The summary with the test of the best against the second."""
    rows, keywords = summary.rows, summary.keywords
    if len(repetitions) < 2 or settings.key is None:
        why = 'there is only one configuration' if len(repetitions) < 2 else 'there is no keyword to compare them by'
        return Summary(rows, keywords, why_not=f'Nothing is tested: {why}.')
    if any(row.scatters.get(settings.key, Scatter(0)).mean.is_nan() for row in rows[:2]):
        return Summary(
            rows, keywords, why_not=f'Nothing is tested: the best or the second has no mean of {settings.key}.'
        )
    first, second = repetitions[:2]
    chosen = first.chosen_by | second.chosen_by
    common = [seed for seed in first.results if seed in second.results]
    fresh = [seed for seed in common if seed not in chosen]
    pairs = [(_exact(first, seed, settings.key), _exact(second, seed, settings.key)) for seed in fresh]
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    if not differences:
        count = count_of(len(common), 'seed') if common else 'no seed'
        why = f'the best and the second share {count}'
        were = ', all of which they were chosen by' if common and not fresh else ''
        return Summary(rows, keywords, why_not=f'Nothing is tested: {why}{were}. Give both the same further seeds.')
    return Summary(rows, keywords, compare(differences, random), left_out=len(common) - len(fresh))


def _exact(repetition: Repetition, seed: str, key: str) -> Fraction | None:
    """A value as the decimal number that it is written as; None: it is none, or is not finite."""
    reading = read_number(repetition.results[seed].get(key))
    number = Decimal(repr(reading.value)) if reading else Decimal('nan')
    return Fraction(number) if number.is_finite() else None
