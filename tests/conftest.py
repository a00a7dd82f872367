"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.e2e.slurm.cluster import Cluster, any_cluster, missing

HERE = Path(__file__).parent

# No deadlines: the machines that run these tests are shared, and a slow moment is no failure.
settings.register_profile('project', deadline=None, print_blob=True)
settings.load_profile('project')


KINDS = ('unit', 'contract', 'e2e', 'chaos')


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let ``-n`` imply ``--dist=loadgroup``, so that tests which share something are executed by one worker."""
    if config.getoption('numprocesses', None) and config.getoption('dist') == 'no':
        config.option.dist = 'loadgroup'


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, and by whether it needs a Slurm: there is one, for one test at a time."""
    for item in items:
        kind = item.path.relative_to(HERE).parts[0]
        if kind in KINDS:
            item.add_marker(kind)
        if 'slurm_cluster' in getattr(item, 'fixturenames', ()):
            item.add_marker('slurm')
        if item.get_closest_marker('slurm'):
            item.add_marker(pytest.mark.xdist_group('slurm'))


@pytest.fixture(scope='session')
def slurm_cluster() -> Iterator[Cluster]:
    """A real Slurm for the session; tests ask for `slurm`."""
    problem = missing()
    if problem and os.environ.get('CI') == 'true':
        pytest.fail(f'CI tests with a real Slurm: {problem}')
    if problem:
        pytest.skip(f'no Slurm to test with: {problem}')
    with any_cluster(os.environ) as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A real Slurm in service, with all nodes idle and no job of earlier tests, which Slurm's commands talk to."""
    slurm_cluster.reset()
    for name in [name for name in os.environ if name.startswith(('SLURM_', 'SBATCH_'))]:
        monkeypatch.delenv(name)
    for name, value in slurm_cluster.variables().items():
        monkeypatch.setenv(name, value)
    return slurm_cluster
