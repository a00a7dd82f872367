"""A summary of repeated runs as text, as CSV and as rows of a LaTeX table."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal

from hpsearch.model.units import count_of

from .paired import CONFIDENCE, Comparison
from .scatter import Scatter, Shown, shown
from .summary import Row, Settings, Summary

SIGNIFICANT = 0.05
"""A p value below which a difference is taken for one."""

LEAST_P = 1e-10
"""A p value of the t test below which its digits are no longer right."""

WIDTH = 100
"""Characters of a line with a sentence."""

COLUMNS = ('configuration', 'keyword', 'n', 'mean', 'std', 'sem', 'unit', 'seeds', 'remarks')
"""Of the CSV, which has a line for each configuration and keyword."""


def text_lines(summary: Summary, settings: Settings, seed_option: str) -> Iterator[str]:
    """The summary for people."""
    yield f'Results over seeds ({seed_option}): mean ± {settings.error_in_words}, n: number of values'
    for place, row in enumerate(summary.rows, 1):
        yield ''
        yield f'{place}. {" ".join(row.repetition.label.split())}'
        yield from (f'   {line}' for line in _about_runs(row))
        yield from (f'   {line}' for line in _table(row, summary.keywords, settings))
    yield ''
    yield from _about_comparison(summary, settings)
    yield ''
    yield 'LaTeX:'
    yield from latex_lines(summary, settings)


def _about_runs(row: Row) -> Iterator[str]:
    repetition = row.repetition
    yield f'seeds: {", ".join(repetition.results) or "none has finished"}'
    if repetition.chosen_by:
        chosen = [seed for seed in repetition.results if seed in repetition.chosen_by]
        is_one = len(chosen) == 1
        yield (
            f'chosen by its {"result with seed" if is_one else "results with seeds"} {", ".join(chosen)}, which '
            f'{"is" if is_one else "are"} among them'
        )
    if repetition.others:
        yield 'not finished: ' + ', '.join(f'{count} {state}' for state, count in sorted(repetition.others.items()))
    yield from repetition.notes


def _table(row: Row, keywords: Sequence[str], settings: Settings) -> Iterator[str]:
    cells = [(name, _plain(row.scatters[name], settings), row.scatters[name]) for name in keywords]
    widths = [max([0, *(len(cell[column]) for cell in cells)]) for column in (0, 1)]  # type: ignore[arg-type]
    for name, value, found in cells:
        remarks = f'  ({"; ".join(found.problems)})' if found.problems else ''
        yield f'{name:{widths[0]}}  {value:{widths[1]}}  n = {found.n}{remarks}'


def _plain(found: Scatter, settings: Settings) -> str:
    each = shown(found, settings.error_of(found), settings.precision)
    unit = f' {found.unit}' if found.unit and each.mean else ''
    if not each.error:
        return f'{each.mean or "-"}{_power(each)}{unit}'
    value = f'{each.mean} ± {each.error}'
    return f'({value}){_power(each) or ""}{unit}' if each.exponent or unit else value


def _power(each: Shown) -> str:
    return f'e{each.exponent:+03d}' if each.exponent else ''


# The comparison


def _about_comparison(summary: Summary, settings: Settings) -> Iterator[str]:
    comparison = summary.comparison
    if comparison is None:
        yield summary.why_not
        return
    yield f'Is 1 better than 2 by {settings.key}, beyond what seeds make of it?'
    for line in _answer(comparison, settings, summary.left_out):
        yield from textwrap.wrap(line, WIDTH, initial_indent='   ', subsequent_indent='   ')


def _answer(comparison: Comparison, settings: Settings, left_out: int) -> Iterator[str]:
    yield _verdict(comparison, settings)
    if comparison.interval:
        low, high = comparison.interval
        reach = f', {CONFIDENCE:.0%} interval {low:.4g} to {high:.4g} (if differences are normally distributed)'
    else:
        reach = ''
    yield f'mean difference (1 minus 2) {comparison.mean:.4g}{reach}, pairs of equal seeds: {comparison.pairs}'
    least = f'the smallest possible: {comparison.least_p:.4g}'
    yield f'p = {comparison.p:.4g} (paired sign-flip test, two-sided, {_how(comparison)}; {least})'
    if comparison.t_p is not None:
        yield f'p {_p_value(comparison.t_p)} (paired t test, two-sided, if differences are normally distributed)'
    yield from _assumptions(left_out)


def _how(comparison: Comparison) -> str:
    if not comparison.drawn:
        return 'exact'
    return f'estimated from {comparison.drawn:,} random changes of sign, standard error {comparison.p_error:.2g}'


def _p_value(p: float) -> str:
    return f'= {p:.4g}' if p >= LEAST_P else f'< {LEAST_P:g}'


def _verdict(comparison: Comparison, settings: Settings) -> str:
    if comparison.least_p >= SIGNIFICANT:
        pairs = count_of(comparison.pairs, 'pair')
        return f'It cannot be told with {pairs}: no result could have p < {SIGNIFICANT:g}; 6 can.'
    if comparison.p >= SIGNIFICANT:
        return 'It cannot be told: seeds alone often make such a difference.'
    is_better = (comparison.mean < 0) == settings.ascending  # it has the better mean, maybe by what is left out here
    answer = 'Yes' if is_better else 'No, 2 is better with these seeds'
    return f'{answer}: a difference like this would be rare (p < {SIGNIFICANT:g}) if there were none.'


def _assumptions(left_out: int) -> Iterator[str]:
    yield 'Assumed: were there no difference, either of the two could have had each result of a pair (exchangeability).'
    if left_out:
        yield (
            f'Left out of the test: {count_of(left_out, "pair")} of results by which the two were chosen. They were '
            'the luckiest of the search, so they would make the difference, and p, look better than they are.'
        )
    else:
        yield (
            'If the two were chosen by these same results out of many, p is too small: repeat them with further seeds.'
        )


# CSV


def csv_text(summary: Summary) -> str:
    """The summary for programs, with all digits: a line for each configuration and keyword."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=';', lineterminator='\n')
    writer.writerow(COLUMNS)
    for row in summary.rows:
        seeds = ','.join(row.repetition.results)
        for name in summary.keywords:
            found = row.scatters[name]
            numbers = [_digits(number) for number in (found.mean, found.std, found.sem)]
            remarks = '; '.join(found.problems)
            writer.writerow([row.repetition.label, name, found.n, *numbers, found.unit, seeds, remarks])
    return out.getvalue()


def _digits(number: Decimal) -> str:
    return '' if number.is_nan() else repr(float(number))


# LaTeX

_ESCAPED = {
    **{character: f'\\{character}' for character in '&%$#_{}'},
    **{'~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '\\': r'\textbackslash{}'},
    **{'<': r'\textless{}', '>': r'\textgreater{}', '|': r'\textbar{}', '\n': ' '},
    **{'‰': r'\textperthousand{}', '°': r'\textdegree{}'},
}

_NO_NUMBERS = {'': '--', 'nan': 'nan', 'inf': r'$\infty$', '-inf': r'$-\infty$'}


def latex_text(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return ''.join(_ESCAPED.get(character, character) for character in text)


def latex_lines(summary: Summary, settings: Settings) -> Iterator[str]:
    """A row for each configuration; the columns, which most tables have already, are in a comment before them."""
    names = ' & '.join(latex_text(name) for name in ('configuration', *summary.keywords))
    yield f'% {names} \\\\'
    for row in summary.rows:
        cells = [_latex(row.scatters[name], settings) for name in summary.keywords]
        yield ' & '.join([latex_text(row.repetition.label), *cells]) + r' \\'


def _latex(found: Scatter, settings: Settings) -> str:
    each = shown(found, settings.error_of(found), settings.precision)
    if each.mean in _NO_NUMBERS:
        return _NO_NUMBERS[each.mean]
    power = f' \\cdot 10^{{{each.exponent}}}' if each.exponent else ''
    value = f'{each.mean} \\pm {each.error}' if each.error else each.mean
    value = f'({value})' if each.error and power else value
    unit = f'\\,{latex_text(found.unit)}' if found.unit else ''
    return f'${value}{power}${unit}'
