"""Commands in any style: their output folder is found again when the search has been moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.arguments.command import CommandForm, text_of_file
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


CHECKPOINTS = [('.', '/x/jobs/sim_1/checkpoint'), ('ckpt/last.pt', '/x/jobs/sim_1/checkpoint/last.pt')]


@pytest.mark.parametrize(('checkpoint', 'path'), [*CHECKPOINTS, ('./.hidden/', '/x/jobs/sim_1/checkpoint/.hidden')])
def test_that_a_run_that_goes_on_is_told_where_the_copy_of_the_checkpoint_is(checkpoint: str, path: str) -> None:
    configuration = Configuration(
        'my.py', '', {'lr': [0.1]}, script='train.py', checkpoint_arg='resume', checkpoint=checkpoint
    )
    form = CommandForm(configuration, 'python3')
    run = Run('sim_1', 1, {'lr': 0.1}, form.planned({'lr': 0.1}, goes_on=True))
    placed = with_output(decode_run(encode_run(run)), '/x/sim_1')
    assert placed.argv == ('python3', 'train.py', '--out_dir=/x/sim_1', f'--resume={path}', '--lr=0.1')


def test_that_a_run_that_begins_anew_is_told_of_no_checkpoint() -> None:
    configuration = Configuration('my.py', '', {'lr': [0.1]}, script='train.py', checkpoint_arg='resume')
    form = CommandForm(configuration, 'python3')
    run = Run('sim_1', 1, {'lr': 0.1}, form.planned({'lr': 0.1}))
    assert with_output(run, '/x/sim_1').argv == form.argv('/x/sim_1', {'lr': 0.1})


@pytest.mark.parametrize('style', STYLES)
def test_that_the_checkpoint_is_written_in_the_style_of_the_script(style: str) -> None:
    styles = {'arg_style': style}
    configuration = Configuration('my.py', '', {}, script='train.py', styles=styles, checkpoint_arg='resume')
    form = CommandForm(configuration, 'python3')
    run = with_output(Run('sim_1', 1, {}, form.planned({}, goes_on=True)), '/x/sim_1')
    words = len(run.argv[2:]) // 2
    output, checkpoint = run.argv[2 : 2 + words], run.argv[2 + words :]
    as_output = (word.replace('resume', 'out_dir').replace('jobs/sim_1/checkpoint', 'sim_1') for word in checkpoint)
    assert tuple(as_output) == output


@pytest.mark.parametrize(('checkpoint', 'path'), CHECKPOINTS)
def test_that_the_checkpoint_may_be_a_key_of_a_configuration_file(checkpoint: str, path: str) -> None:
    configuration = Configuration(
        'my.py',
        '',
        {'lr': [0.1]},
        script='train.py',
        config_template='lr: 1\nresume: null\n',
        checkpoint_arg='resume',
        checkpoint=checkpoint,
    )
    assert text_of_file(configuration, {'lr': 0.1}, '/x/sim_1', goes_on=True) == f'lr: 0.1\nresume: "{path}"\n'
    assert text_of_file(configuration, {'lr': 0.1}, '/x/sim_1') == 'lr: 0.1\nresume: null\n'
    assert CommandForm(configuration, 'python3').checkpoint('/x/sim_1') == ()
