"""Options that have no effect beside others: each is refused, or said in a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch.cli.packing.ineffective import contradictions, in_a_queue, of_a_new_search, on_this_machine
from hpsearch.cli.parsers.searches import parse_run

QUEUE = '--run_cluster'


def said_in_a_queue(*words: str) -> list[str]:
    return list(in_a_queue(parse_run(['--grid_module=m', QUEUE, *words])))


def said_here(*words: str, packs: bool = False, assigns_gpus: bool = False) -> list[str]:
    return list(on_this_machine(parse_run(['--grid_module=m', *words]), packs=packs, assigns_gpus=assigns_gpus))


def said_of_a_new_search(*words: str) -> list[str]:
    return list(of_a_new_search(parse_run(['--grid_module=m', *words])))


def refused(*words: str) -> list[str]:
    return contradictions(parse_run(['--grid_module=m', *words]), names_gpus=False)


def test_that_nothing_is_said_of_options_that_were_not_given() -> None:
    assert said_in_a_queue() == said_here() == said_of_a_new_search() == refused() == []


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (
            ['--yield=stop', '--max_gpus=2'],
            '--yield=stop, --max_gpus=2: without effect with --run_cluster, where the scheduler decides what is left',
        ),
        (
            ['--cpu_jobs=4', '--allowed_load=0.2', '--gpus_per_run=2'],
            '--cpu_jobs=4, --allowed_load=0.2: without effect with --run_cluster, where the scheduler places the runs.',
        ),
        (
            ['--slurm_mem=16G', '--slurm_time=90'],
            '--slurm_mem=16G, --slurm_time=90: without effect with --scheduler=lsf.',
        ),
        (
            ['--scheduler=slurm', '--lsf_extra=-sla', '--lsf_extra=x'],
            '--lsf_extra=-sla,x: without effect with --',
        ),
        (['--scheduler=slurm', '--slurm_time=90', '--num_hours=2'], '--num_hours=2: without effect with --slurm_time.'),
        (['--runs_per_job=auto', '--allowed_load=0.2', '--learn_from=x'], ''),
        (['--runs_per_job=2', '--scheduler=slurm', '--slurm_time=90', '--num_hours=2'], ''),
    ],
)
def test_that_what_has_no_effect_in_a_queue_is_said(words: list[str], said: str) -> None:
    found = said_in_a_queue(*words)
    assert len(found) == bool(said) and all(sentence.startswith(said) for sentence in found)


def test_that_nothing_is_said_of_clusters_where_a_profile_may_be_for_several() -> None:
    options = parse_run(['--grid_module=m', '--slurm_mem=16G'])
    options = replace(options, cluster=replace(options.cluster, profile='p'))
    assert list(of_a_new_search(options)) == []
    assert list(in_a_queue(replace(options, cluster=replace(options.cluster, run_cluster=True)))) == []


def test_that_options_about_gpus_and_learning_say_where_they_have_no_effect_on_this_machine() -> None:
    words = (
        '--learn_from=earlier',
        '--max_gpus=2',
        '--gpu_order=reverse',
        '--nice=5',
        '--packing=auto',
        '--priority=2',
    )
    assert said_here(*words, packs=True, assigns_gpus=True) == []
    assert said_here('--packing=auto', '--max_gpus=2', packs=True) == [
        '--max_gpus=2: without effect, since no GPUs are assigned.'
    ]
    assert said_here(*words) == [
        '--learn_from: without effect unless --packing=auto or --cpu_jobs=auto is given.',
        '--packing=auto, --max_gpus=2, --gpu_order=reverse: without effect, since no GPUs are assigned.',
        '--priority=2.0: without effect, since a fixed number of runs goes on at a time.',
    ]


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (
            ['--scheduler=slurm', '--submit_only', '--slurm_mem=16G'],
            '--scheduler=slurm, --submit_only, --slurm_mem=16G: without effect, since --run_cluster is not given.',
        ),
        (['--dont_force_new_dir'], '--dont_force_new_dir: without effect, since --force_out_dir is not given'),
        (['--search=tpe', '--deterministic_search'], '--deterministic_search: without effect with --search=tpe.'),
        (
            ['--deterministic_search', '--dont_generate_full_grid'],
            '--deterministic_search: without effect with --dont_generate_full_grid',
        ),
        ([QUEUE, '--scheduler=slurm'], ''),
        (['--dont_force_new_dir', '--force_out_dir'], ''),
    ],
)
def test_that_what_has_no_effect_in_a_new_search_is_said(words: list[str], said: str) -> None:
    found = said_of_a_new_search(*words)
    assert len(found) == bool(said) and all(sentence.startswith(said) for sentence in found)


def test_that_options_that_rule_each_other_out_are_refused_all_at_once() -> None:
    words = ('--cpu_jobs=4', '--visible_gpus=0', '--packing=auto', '--gpus_per_run=2', '--quiet', '--log_level=debug')
    assert refused(*words) == [
        '--cpu_jobs assigns no GPUs: use either it or --visible_gpus.',
        '--cpu_jobs assigns no GPUs: use either it or --packing=auto.',
        '--cpu_jobs assigns no GPUs: use either it or --gpus_per_run.',
        '--quiet shows errors only: use either it or --log_level.',
    ]
    options = parse_run(['--grid_module=m', '--cpu_jobs=4', '--gpus_per_run=2'])
    assert contradictions(options, names_gpus=True) == [], 'their commands say it'
    assert list(on_this_machine(options, packs=False, assigns_gpus=False, names_gpus=True)) == []
    assert refused(QUEUE, '--cpu_jobs=4', '--gpus_per_run=2') == [], 'each job requests them'
