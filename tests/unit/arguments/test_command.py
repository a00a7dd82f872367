"""Commands in any style: their output folder is found again when the search has been moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.command import CommandForm
from hpsearch.model.configuration import Configuration
from hpsearch.model.run import Run, decode_run, encode_run, with_output

STYLES = ['equals', 'space', 'hydra', 'single_dash', '--set {name}:{value}', '{value}']
PLACES = st.lists(st.text(st.characters(exclude_characters='\0/"\'', exclude_categories=['Cs']), min_size=1)).map(
    '/'.join
)


def form_in(style: str) -> CommandForm:
    return CommandForm(
        Configuration('my.py', '', {'lr': [0.1]}, script='train.py', styles={'arg_style': style}), 'python3'
    )


@pytest.mark.parametrize('style', STYLES)
@given(before=PLACES, after=PLACES)
def test_that_a_run_of_a_moved_search_has_the_command_of_a_run_made_there(style: str, before: str, after: str) -> None:
    form = form_in(style)
    old, new = (f'/{place}/sim_20261126_1' for place in (before, after))
    run = Run('sim_20261126_1', 1, {'lr': 0.1}, form.argv(old, {'lr': 0.1}))
    written = encode_run(run)
    assert 'sim_20261126_1' in written and decode_run(written).argv == form.argv('sim_20261126_1', {'lr': 0.1})
    assert with_output(decode_run(written), new).argv == form.argv(new, {'lr': 0.1})


def test_that_hydra_reads_a_folder_with_a_quote_in_it() -> None:
    form = form_in('hydra')
    assert form.output("/it's/sim_1") == ('out_dir="/it\'s/sim_1"',)
    moved = with_output(Run('sim_1', 1, {}, form.argv('/its/sim_1', {})), "/it's/sim_1")
    assert moved.argv == form.argv("/it's/sim_1", {})


def test_that_a_value_that_ends_like_the_name_of_the_run_is_not_its_folder() -> None:
    run = Run('sim_1', 1, {}, ('python3', '--tag=my_sim_1', '--out_dir=/x/sim_1', '--from=/y/sim_1'))
    assert with_output(run, '/z/sim_1').argv == ('python3', '--tag=my_sim_1', '--out_dir=/z/sim_1', '--from=/y/sim_1')
