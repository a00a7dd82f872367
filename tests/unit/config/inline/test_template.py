"""Distributions in ``_CONFIG_TEMPLATE`` of our own configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Drawn, Uniform

TEMPLATE = """\
lr: orion~uniform(0, 1)
model: {init: "uniform(-1, 1)", size: "~[8, 16]", sizes: ["uniform(1, 2)"]}
"""


def load(folder: Path, text: str, template: str = TEMPLATE, **more: Any) -> Configuration:
    """Return a configuration with this template."""
    (folder / 'base.yaml').write_text(template)
    (folder / 'c.yaml').write_text(f'script_name: t.py\nout_arg: null\nconfig_template: base.yaml\n{text}')
    return load_configuration('c.yaml', cwd=folder, **more)


LR = Drawn(Uniform(0.0, 1.0, precision=4))


def test_that_texts_with_a_mark_add_to_the_grid(tmp_path: Path) -> None:
    assert load(tmp_path, '').grid == {'lr': LR, 'model.size': [8, 16]}
    assert load(tmp_path, 'grid: {model.size: [4]}\n').grid == {'model.size': [4], 'lr': LR}


@pytest.mark.parametrize(('text', 'more'), [('search: random\n', {}), ('', {'is_sampled': True})])
def test_that_other_texts_are_distributions_only_where_values_are_drawn(
    tmp_path: Path, text: str, more: dict[str, Any]
) -> None:
    drawn = Drawn(Uniform(-1.0, 1.0))
    assert load(tmp_path, text, **more).grid == {'lr': LR, 'model.init': drawn, 'model.size': [8, 16]}


def test_that_each_part_of_a_grid_gets_them(tmp_path: Path) -> None:
    rows = load(tmp_path, 'grid: [{lr: 1}, {model.size: 2}]\n').rows
    assert rows == [{'lr': [1], 'model.size': [8, 16]}, {'model.size': [2], 'lr': LR}]


def test_that_options_of_the_command_line_replace_them(tmp_path: Path) -> None:
    assert load(tmp_path, 'grid: {model.size: [4]}\n', replacements=['+lr=[3]']).grid == {'model.size': [4], 'lr': [3]}


def test_that_what_is_wrong_in_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '', 'a: ["orion~uniform(0, 1)"]\nb: "~[1, {]"\nc: "orion~unifrom(0, 1)"\n')
    problems = '\n'.join(caught.value.problems)
    assert "config_template: 'orion~uniform(0, 1)' is in a list, where nothing can be searched" in problems
    assert "config_template: b: '[1, {]' is no list" in problems
    assert "'orion~unifrom(0, 1)' is none of uniform" in problems
