"""The backend that options request: what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.cli.backends import choose_backend, gpu_problems, requested_system, system_named, with_listed_nodes
from hpsearch.cli.context import process_context
from hpsearch.cli.parsers import parse_run
from hpsearch.model.errors import ConfigError
from tests.support.dispatching import CONFIGURATION

SLURM = ('--run_cluster', '--scheduler=slurm')
LSF = ('--run_cluster', '--scheduler=lsf')


@pytest.mark.parametrize(
    ('words', 'problem'),
    [
        (SLURM, '--gpus_per_run=2: a job requests only 1 GPUs; request more with --slurm_gres=gpu:2.'),
        ((*SLURM, '--runs_per_job=4', '--slurm_gres=gpu:a100'), '--gpus_per_run=2: a job requests only 1 GPUs'),
        (LSF, '--gpus_per_run=2: a job requests only 1 GPUs; request more with --lsf_gpu=num=2 or in --resources.'),
        ((*SLURM, '--slurm_gres=gpu:2'), ''),
        ((*SLURM, '--slurm_gres='), ''),
        ((*LSF, '--resources=rusage[ngpus_excl_p=2]'), ''),
    ],
)
def test_that_a_job_with_fewer_gpus_than_a_run_needs_is_refused(words: tuple[str, ...], problem: str) -> None:
    options = parse_run(['--grid_module=m', '--gpus_per_run=2', *words])
    system = system_named(options.cluster.scheduler, options)
    assert [text[: len(problem)] for text in gpu_problems(options, system)] == [problem] * bool(problem)
    if problem:
        with pytest.raises(ConfigError, match='--gpus_per_run=2'):
            requested_system(options, CONFIGURATION)


@pytest.mark.parametrize(
    ('devices', 'problem'),
    [('3', 'this job has 1 GPUs (CUDA_VISIBLE_DEVICES=3)'), ('', 'this job has no GPU'), ('0,3', '')],
)
def test_that_a_job_which_was_given_fewer_gpus_than_a_run_needs_starts_none(
    monkeypatch: pytest.MonkeyPatch, devices: str, problem: str
) -> None:
    for name, value in (('SLURM_JOB_ID', '7'), ('SLURMD_NODENAME', 'n1'), ('CUDA_VISIBLE_DEVICES', devices)):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('SLURM_ARRAY_JOB_ID', raising=False)
    options = parse_run(['--grid_module=m', '--gpus_per_run=2', '--runs_per_job=4', '--quiet'])
    with process_context(options.display) as context:
        if not problem:
            choose_backend(options, CONFIGURATION, context)
            return
        with pytest.raises(ConfigError) as refused:
            choose_backend(options, CONFIGURATION, context)
    assert problem in str(refused.value)


def test_that_nodes_to_exclude_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'nodes.txt').write_text('n7\nn[8-9]\n')
    given = ('--exclude', f'{tmp_path}/nodes.txt')
    assert with_listed_nodes(given) == (*given, '--exclude=n7,n[8-9]'), 'the last one counts'
    assert with_listed_nodes(('--exclude=n7',)) == ('--exclude=n7',)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert with_listed_nodes(('--x', '--exclude=~/nodes.txt')) == (
        '--x',
        f'--exclude={given[1]}',
        '--exclude=n7,n[8-9]',
    )
    with pytest.raises(ConfigError, match='cannot be read'):
        with_listed_nodes((f'--exclude={tmp_path}/none',))
