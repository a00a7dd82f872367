"""From options to backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.cli.backends import with_listed_nodes
from hpsearch.model.errors import ConfigError


def test_that_nodes_to_exclude_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / 'nodes.txt').write_text('n7\nn[8-9]\n')
    given = ('--exclude', f'{tmp_path}/nodes.txt')
    assert with_listed_nodes(given) == (*given, '--exclude=n7,n[8-9]'), 'the last one counts'
    assert with_listed_nodes(('--exclude=n7',)) == ('--exclude=n7',)
    with pytest.raises(ConfigError, match='cannot be read'):
        with_listed_nodes((f'--exclude={tmp_path}/none',))
