"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.e2e.slurm.cluster import Cluster, any_cluster, missing
from tests.support import browser as browsers
from tests.support.workers import OneWorkerForSlurm, needs_slurm

HERE = Path(__file__).parent

# No deadlines: the machines that run these tests are shared, and a slow moment is no failure.
# As many examples as leave time for the rest, since they are other ones each time.
settings.register_profile('project', deadline=None, print_blob=True, max_examples=50)
# For `make test`, which is to be quick; all of pytest tries more examples.
settings.register_profile('quick', parent=settings.get_profile('project'), max_examples=20)
settings.load_profile('project')


# Under nohup and in the background of a script they are ignored, and what a test starts could not get them.
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)

KINDS = ('unit', 'contract', 'e2e', 'chaos')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, and by whether it needs a Slurm.

    Raises:
        pytest.UsageError: A test needs one, and its name does not say so.
    """
    for item in items:
        kind = item.path.relative_to(HERE).parts[0]
        if kind in KINDS:
            item.add_marker(kind)
        if 'slurm_cluster' in getattr(item, 'fixturenames', ()):
            item.add_marker('slurm')
        if item.get_closest_marker('slurm') and not needs_slurm(item.nodeid):
            raise pytest.UsageError(f'{item.nodeid} needs a Slurm, so it belongs into tests/e2e/slurm')


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With ``-n``, one worker executes all tests that need a Slurm."""
    return OneWorkerForSlurm(config, log) if config.getoption('dist') == 'load' else None


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


@pytest.fixture(scope='session')
def browser() -> Iterator[browsers.Browser]:
    """A real browser, for the session."""
    problem = browsers.missing()
    if problem and os.environ.get('CI') == 'true':
        pytest.fail(f'CI looks at pages in a real browser: {problem}')
    if problem:
        pytest.skip(f'no browser to look at pages with: {problem}')
    with browsers.started_browser() as started:
        yield started


@pytest.fixture
def slurm(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A real Slurm in service, with all nodes idle and no job of earlier tests, which Slurm's commands talk to."""
    slurm_cluster.reset()
    for name in [name for name in os.environ if name.startswith(('SLURM_', 'SBATCH_'))]:
        monkeypatch.delenv(name)
    for name, value in slurm_cluster.variables().items():
        monkeypatch.setenv(name, value)
    return slurm_cluster
