"""Figures for papers: which files are written, and that matplotlib can draw whatever a search has."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.main import main
from hpsearch.model.configuration import Grid
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Drawn, Fidelity
from hpsearch.model.trials.trial import Objective, Proposal
from hpsearch.records.run import RunRecord
from postprocessing.figures.payload import figures_of
from tests.support.search_records import results_of, run_record, search_record
from tests.support.shown_search import shown_search

pytest.importorskip('matplotlib')

from postprocessing.drawing.papers import drawings, write_figures
from postprocessing.drawing.style import plain


def names(figures: dict[str, Any]) -> list[str]:
    return [name for name, _ in drawings(figures)]


def test_that_a_search_is_drawn_in_a_file_for_each_figure_instead_of_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shown_search(tmp_path / 'search', runs=60).path
    target = tmp_path / 'figures'
    words = ['report', str(folder), '--png', str(target), '--pdf', str(tmp_path / 'all.pdf'), '--columns', '2']
    assert main(words) == 0
    wanted = ['best_over_time', 'best_over_use', 'effects', 'importance', 'learning_curves', 'parallel_coordinates']
    assert sorted(path.stem for path in target.iterdir()) == [*wanted, 'two_parameters']
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / 'all.pdf')
    width, _ = struct.unpack('>II', (target / 'effects.png').read_bytes()[16:24])
    assert width == 2070  # 6.9 inches with 300 dots each
    written = (tmp_path / 'all.pdf').read_bytes()
    assert written.startswith(b'%PDF')
    assert written.count(b'/Type /Page ') == 7
    assert not list(tmp_path.glob('*.html'))


def test_that_a_file_of_somebody_is_left_alone_and_nothing_else_is_written(tmp_path: Path) -> None:
    figures = figures_of(results_of([({'a': each}, float(each)) for each in range(3)]))
    (tmp_path / 'effects.pdf').write_bytes(b'%PDF years of work')
    with pytest.raises(ConfigError, match=r'effects\.pdf is there, and is no figure of hpsearch'):
        write_figures(figures, 'pdf', tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ['effects.pdf']


def test_that_fonts_are_embedded_as_true_type_and_the_same_search_is_the_same_file(tmp_path: Path) -> None:
    figures = figures_of(results_of([({'a': each}, float(each)) for each in range(3)]))
    path = tmp_path / 'all.pdf'
    write_figures(figures, 'pdf', path, 1)
    written = path.read_bytes()
    write_figures(figures, 'pdf', path, 1)
    assert path.read_bytes() == written
    assert b'/Type3' not in written
    assert b'FontFile2' in written


ODD = {'$x$ {': '$\\frac', 'b': None, 'c': True}


@pytest.mark.parametrize(
    'points',
    [
        [(ODD, 1.0), ({**ODD, 'b': '漢字 \x00\n'}, 2.0)],
        [({'a': 0.1}, 1e300), ({'a': 0.2}, -1e300), ({'a': 0.3}, 0.0)],
        [({'a': 0.1}, 1e306), ({'a': 0.2}, -1e306), ({'a': 0.3}, 1.7e308)],
        [({'a': 10.0**each, 'b': each}, 10.0**-each) for each in range(20)],
        [({'a': 'x' * 200, 'long ' * 30: each}, 0.5) for each in range(3)] + [({}, 1.0)],
    ],
    ids=['odd', 'huge', 'largest', 'logarithmic', 'long'],
)
def test_that_odd_values_are_drawn(points: Any, tmp_path: Path) -> None:
    assert write_figures(figures_of(results_of(points)), 'png', tmp_path, 1)


def test_that_bars_are_not_cut_and_time_begins_with_the_search() -> None:
    found = dict(
        drawings(figures_of(results_of([({'a': a, 'b': b}, float(b == 3)) for a in (1, 2) for b in range(4)])))
    )
    assert found['effects'](1).axes[0].get_ylim()[1] > 0.75  # the mean of 0, 0, 0 and 1 with their standard deviation
    assert found['best_over_time'](1).axes[0].get_xlim()[0] == 0


def test_that_objectives_have_files_of_their_own_and_a_front(tmp_path: Path) -> None:
    runs = [run_record(each, {'a': each}, {'acc': each, 'size/kB': -each}) for each in range(5)]
    figures = figures_of(search_record(runs, objectives=[Objective('acc', True), Objective('size/kB')]))
    assert {'best_over_time_acc', 'best_over_time_size_kB', 'pareto_front'} <= set(names(figures))
    write_figures(figures, 'png', tmp_path, 1)


def member(number: int, who: int, generation: int, parent: str) -> RunRecord:
    values = {'lr': 0.1 * number, 'epochs': 4 * generation}
    facts = {'member': who, 'generation': generation}
    proposal = Proposal(values, trial=who, fidelity=4.0 * generation, parent=parent, facts=facts)
    return run_record(number, values, 0.1 * number, proposal=proposal)


def test_that_schedules_of_a_population_are_drawn(tmp_path: Path) -> None:
    runs = [member(1, 1, 1, ''), member(2, 2, 1, ''), member(3, 1, 2, 'run_00002'), member(4, 2, 2, 'run_00002')]
    grid: Grid = {'lr': [0.1, 0.2], 'epochs': Drawn(Fidelity(4, 8))}
    figures = figures_of(search_record(runs, grid=grid))
    assert 'schedules' in names(figures)
    assert (tmp_path / 'schedules.png') in write_figures(figures, 'png', tmp_path, 2)


def test_that_there_is_nothing_to_draw_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shown_search(tmp_path / 'search', runs=3, waiting=3).path
    assert main(['report', str(folder), '--png', str(tmp_path / 'figures')]) == 0
    assert 'nothing to be drawn yet' in capsys.readouterr().out


def test_that_dollars_are_no_mathematics_and_long_texts_are_cut() -> None:
    assert plain('$a$') == r'\$a\$'
    assert plain('x' * 100) == 'x' * 31 + '…'
    assert plain('a\nb') == 'a\N{REPLACEMENT CHARACTER}b'
