"""The backend that options request: what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.backends.local.cpu_slots import CpuSlots
from hpsearch.backends.queue.own_job import allotted
from hpsearch.cli.backends.choice import choose_backend
from hpsearch.cli.backends.queue_system import gpu_problems, requested_system, system_named, with_listed_nodes
from hpsearch.cli.backends.slots import slots_for
from hpsearch.cli.context import process_context
from hpsearch.cli.parsers.searches import parse_run
from hpsearch.host.gpu import source
from hpsearch.model.errors import ConfigError
from hpsearch.model.usage.host import ALL, Allotted
from tests.support.dispatching import CONFIGURATION

SLURM = ('--run_cluster', '--scheduler=slurm')
LSF = ('--run_cluster', '--scheduler=lsf')


@pytest.mark.parametrize(
    ('words', 'problem'),
    [
        (SLURM, '--gpus_per_run=2: a job requests only 1 GPU; request more with --slurm_gres=gpu:2.'),
        ((*SLURM, '--runs_per_job=4', '--slurm_gres=gpu:a100'), '--gpus_per_run=2: a job requests only 1 GPU'),
        (LSF, '--gpus_per_run=2: a job requests only 1 GPU; request more with --lsf_gpu=num=2 or in --resources.'),
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
    [('3', 'this job has 1 GPU (CUDA_VISIBLE_DEVICES=3)'), ('', 'this job has no GPU'), ('0,3', '')],
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


IN_JOB = {'SLURM_JOB_ID': '7', 'SLURMD_NODENAME': 'n1', 'SLURM_CPUS_ON_NODE': '4', 'SLURM_MEM_PER_NODE': '8000'}


@pytest.mark.parametrize(
    ('environ', 'expected'),
    [
        ({}, ALL),
        (IN_JOB, Allotted(4, 8000)),
        (IN_JOB | {'SLURM_MEM_PER_NODE': '', 'SLURM_MEM_PER_CPU': '1000'}, Allotted(4, 4000)),
        ({'SLURM_CPUS_ON_NODE': '4'}, ALL),
        ({'SLURM_JOB_ID': '7', 'SLURMD_NODENAME': 'n1'}, ALL),
        ({'LSB_JOBID': '7', 'LSB_DJOB_NUMPROC': '8'}, Allotted(8)),
    ],
)
def test_what_a_job_was_given_of_its_node(environ: dict[str, str], expected: Allotted) -> None:
    assert allotted(environ) == expected


def test_that_a_job_without_gpus_shares_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IN_JOB.items():
        monkeypatch.setenv(name, value)
    for name in ('SLURM_ARRAY_JOB_ID', 'CUDA_VISIBLE_DEVICES'):
        monkeypatch.delenv(name, raising=False)
    options = parse_run(['--grid_module=m', '--runs_per_job=auto', '--quiet'])
    with process_context(options.display) as context:
        slots, *_ = slots_for(options, context.wakeup)
    assert isinstance(slots, CpuSlots)
    assert slots.allotted == Allotted(4, 8000)


@pytest.mark.parametrize(('devices', 'per_run', 'count'), [('0,1', 1, 2), ('0,1,2', 2, 1)])
def test_that_gpus_of_a_job_that_cannot_be_read_get_one_run_each_and_that_its_log_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], devices: str, per_run: int, count: int
) -> None:
    for name, value in {**IN_JOB, 'CUDA_VISIBLE_DEVICES': devices}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('SLURM_ARRAY_JOB_ID', raising=False)
    monkeypatch.setattr(source, 'open_gpus', lambda: None)
    options = parse_run(['--grid_module=m', '--runs_per_job=auto', f'--gpus_per_run={per_run}', '--quiet'])
    with process_context(options.display) as context:
        slots, *_ = slots_for(options, context.wakeup)
    assert len(slots.open_slots(0.0).slots) == count
    assert 'The GPUs of this job cannot be read' in capfd.readouterr().err


def test_that_the_cores_of_a_job_are_shared_out_and_not_those_of_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**IN_JOB, 'SLURM_CPUS_ON_NODE': '1'}.items():
        monkeypatch.setenv(name, value)
    chosen = {}
    for words in ('--cpu_jobs=auto', '--cpu_jobs=2'):
        options = parse_run(['--grid_module=m', words, '--quiet'])
        with process_context(options.display) as context:
            chosen[words], *_ = slots_for(options, context.wakeup)
    assert isinstance(chosen['--cpu_jobs=auto'], CpuSlots)
    assert chosen['--cpu_jobs=auto'].allotted == Allotted(1, 8000)
    assert [slot.threads for slot in chosen['--cpu_jobs=2'].open_slots(0.0).slots] == [1, 1]


@pytest.mark.parametrize('words', ['--cpu_jobs=auto', '--cpu_jobs=3'])
def test_that_runs_on_cores_are_placed_by_what_they_need_only_on_request(words: str) -> None:
    options = parse_run(['--grid_module=m', words, '--quiet'])
    with process_context(options.display) as context:
        slots, *_ = slots_for(options, context.wakeup)
    assert slots.packs == (words == '--cpu_jobs=auto')


@pytest.mark.parametrize('value', ['0', 'many', '-1'])
def test_that_an_odd_number_of_runs_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_run(['--grid_module=m', f'--cpu_jobs={value}'])
    assert '--cpu_jobs' in capsys.readouterr().err
