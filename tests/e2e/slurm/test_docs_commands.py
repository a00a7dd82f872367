"""The commands of the tutorial for Slurm are executed on a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.local.test_docs_commands import OF_SLURM, PAGES, environment, run_page
from tests.e2e.slurm.cluster import Cluster


@pytest.mark.parametrize('page', sorted(OF_SLURM))
def test_that_the_commands_of_a_page_do_what_it_shows(page: str, slurm: Cluster, tmp_path: Path) -> None:
    run_page(PAGES[page], tmp_path, {**environment(tmp_path), **slurm.variables()}, patience=300)
