"""A configuration that is written as a module, and read again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.seeds.module import Handles, literal, module_text, template_name, write_module
from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration, plain_attributes

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=9), each, max_size=4),
    max_leaves=20,
)

MODULE = """\
grid = {'lr': [0.1, 0.2], 'layers': [[1, 2]], 'flag': [True, False], 'random_seed': [42]}
_COMMAND = ['{python}', 'train.py', '--name', '{lr}']
_FIXED_ARGS = ['fast']
_ENV = {'A': '1'}
_ARG_STYLE = {'layers': 'space', '*': 'equals'}
_NONE_STYLE = 'omit'
_RESULT = ['stdout:acc=([0-9.]+)', {'file': 'metrics.csv', 'take': 'max:loss'}]
_METRICS = 'stdout:acc=([0-9.]+)'
_PERFORMANCE_KEY = 'acc'
_PERFORMANCE_SORT_ASC = True
_OUT_ARG = None
_RESUMABLE = True
_OOM_PATTERNS = ['too large']
_JOB_PROLOGUE = 'module load x'
"""

OF_THE_FILE = ('source', 'sha256', 'grid', 'rows')


def again(configuration: Configuration, folder: Path, handles: Handles = Handles()) -> Configuration:  # noqa: B008
    text = module_text(configuration, [configuration.grid], [], ['a comment\nof two lines'],
                       template_name(configuration, 'again'), handles)  # fmt: skip
    return load_configuration(str(write_module(folder, 'again', text, configuration)), cwd=folder)


def attributes_of(configuration: Configuration) -> dict[str, Any]:
    return {name: value for name, value in plain_attributes(configuration).items() if name not in OF_THE_FILE}


@given(plain)
def test_that_a_value_is_written_as_python_reads_it(value: Any) -> None:
    assert eval(literal(value)) == value


def test_that_numbers_that_are_not_finite_are_written() -> None:
    assert math.isnan(eval(literal([math.nan]))[0])
    assert eval(literal({'a': -math.inf})) == {'a': -math.inf}


def test_that_everything_but_the_grid_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / 'cfg.py').write_text(MODULE)
    before = load_configuration('cfg.py', cwd=tmp_path)
    after = again(before, tmp_path)
    assert attributes_of(after) == attributes_of(before)
    assert after.grid == before.grid


def test_that_a_template_is_written_beside_the_module(tmp_path: Path) -> None:
    (tmp_path / 'base.yaml').write_text('lr: 1\nwidth: 3\n')
    (tmp_path / 'cfg.py').write_text("grid = {'lr': [0.1]}\n_SCRIPT_NAME = 't.py'\n_CONFIG_TEMPLATE = 'base.yaml'\n")
    before = load_configuration('cfg.py', cwd=tmp_path)
    assert attributes_of(again(before, tmp_path)) == attributes_of(before)


def test_that_styles_of_options_that_no_run_has_are_left_out(tmp_path: Path) -> None:
    configuration = Configuration('', '', {'lr': [1]}, script='t.py', styles={'arg_style': {'gone': 'space'}})
    assert again(configuration, tmp_path).styles == {}


def test_that_functions_are_those_of_the_module_that_has_them(tmp_path: Path) -> None:
    (tmp_path / 'cfg.py').write_text(
        "grid = {'lr': [0.1]}\n_SCRIPT_NAME = 't.py'\n"
        "def _SUMMARY_PARSER_HANDLE(out_dir, cmd_ident):\n    return {'acc': [0.5]}\n"
    )
    before = load_configuration('cfg.py', cwd=tmp_path)
    after = again(before, tmp_path, Handles(['summary_parser'], 'cfg.py', str(tmp_path)))
    assert after.summary_parser is not None
    assert after.summary_parser('', 0) == {'acc': [0.5]}
