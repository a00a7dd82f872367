"""What users request of a queue by further arguments, their environment and the lines of prologues."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch.backends.queue.batch_system import JobSpec
from hpsearch.backends.queue.lsf import options as bsub
from hpsearch.backends.queue.lsf.options import DEFAULT_RESOURCES, LsfOptions
from hpsearch.backends.queue.lsf.system import Lsf
from hpsearch.backends.queue.slurm import options as sbatch
from hpsearch.backends.queue.slurm.options import SlurmOptions
from hpsearch.backends.queue.slurm.system import Slurm
from hpsearch.cli.options import SearchOptions

JOB = JobSpec('hps-1', 3, 0, '/log')


def test_that_the_defaults_are_those_of_the_command_line() -> None:
    options = SearchOptions()
    assert (SlurmOptions().mem, SlurmOptions().gres) == (options.sbatch.slurm_mem, options.sbatch.slurm_gres)
    assert SlurmOptions().hours == LsfOptions().hours == options.cluster.num_hours
    assert options.bsub.resources == DEFAULT_RESOURCES


# Refused arguments


@pytest.mark.parametrize(
    'words',
    [
        *[
            ['--job-name=x'],
            ['--job-name', 'x'],
            ['--job-n=x'],
            ['--job=x'],
            ['-J', 'x'],
            ['-Jx'],
            ['-HJx'],
            ['-vJ', 'x'],
        ],
        *[
            ['--array=1-9'],
            ['--arr=1'],
            ['-a', '1-9'],
            ['-a1'],
            ['--clusters=b'],
            ['--cluster=b'],
            ['-M', 'b'],
            ['-Mb'],
        ],
        *[
            ['--output=x'],
            ['-o', 'x'],
            ['-ox'],
            ['--error=x'],
            ['--err', 'x'],
            ['-ex'],
            ['--wrap=true'],
            ['--wrap', 'x'],
        ],
        *[['--test-only'], ['--test'], ['--wait'], ['-W'], ['--quiet'], ['-Q'], ['-HQ'], ['--version'], ['-V']],
        *[['--help'], ['--usage'], ['--uid=5'], ['-p', 'gpu', '-Jx'], ['--exclude', 'n1', '--wrap', 'x']],
        *[['script.sh'], ['-H', 'script.sh'], ['--hold', 'x'], ['-p', 'gpu', 'x'], ['--mem=1G', 'x'], ['-pgpu', 'x']],
    ],
)
def test_that_arguments_of_sbatch_that_break_the_bookkeeping_are_refused(words: list[str]) -> None:
    assert len(sbatch.problems_of(words, '--slurm_extra=')) == 1


@pytest.mark.parametrize(
    'words',
    [
        *[
            ['--exclude=n7'],
            ['--exclude', 'n7'],
            ['-x', 'n7'],
            ['-xn7'],
            ['-v'],
            ['--nice'],
            ['--nice=5'],
            ['-H'],
            ['-Hv'],
        ],
        *[
            ['--export=ALL,JOB=x'],
            ['--exclusive'],
            ['--open-mode=append'],
            ['--requeue'],
            ['--comment=-J'],
            ['-p', 'gpu'],
        ],
        *[['--wait-all-nodes=1'], ['--overcommit'], ['--dependency=singleton'], ['--comment', 'array job'], []],
    ],
)
def test_that_other_arguments_of_sbatch_are_passed(words: list[str]) -> None:
    assert sbatch.problems_of(words, '--slurm_extra=') == []
    assert Slurm(SlurmOptions(extra=tuple(words))).submit_argv(JOB)[-len(words) or 99 :] == words


@pytest.mark.parametrize(
    'words',
    [
        *[['-J', 'x'], ['-Jx'], ['-o', 'x'], ['-ox'], ['-oo', 'x'], ['-e', 'x'], ['-eo', 'x'], ['-K'], ['-I'], ['-Is']],
        *[['-Ip'], ['-ISs'], ['-pack', 'x'], ['-json', 'x'], ['-yaml', 'x'], ['-h'], ['-V'], ['-q', 'night', '-Jx']],
        *[['sleep'], ['-H', 'sleep'], ['-q', 'night', 'sleep'], ['-qnight', 'sleep']],
    ],
)
def test_that_arguments_of_bsub_that_break_the_bookkeeping_are_refused(words: list[str]) -> None:
    assert len(bsub.problems_of(words, '--lsf_extra=')) == 1


@pytest.mark.parametrize(
    'words',
    [
        *[
            ['-sla', 'night'],
            ['-Jd', 'a description'],
            ['-outdir', '/x'],
            ['-env', 'all'],
            ['-E', 'true'],
            ['-Ep', 'x'],
        ],
        *[['-ext', 'x'], ['-n', '2'], ['-n2'], ['-R', 'span[hosts=1]'], ['-H'], ['-M', '4GB'], ['-i', '/dev/null'], []],
    ],
)
def test_that_other_arguments_of_bsub_are_passed(words: list[str]) -> None:
    assert bsub.problems_of(words, '--lsf_extra=') == []


def test_that_all_problems_name_what_was_given_and_why() -> None:
    system, _ = Slurm(SlurmOptions(clusters='a,b', extra=('-Jx', '--wrap=y'))).with_requests({}, '#SBATCH -a 1-3')
    assert [problem.partition(': ')[0] for problem in system.problems] == [
        '_JOB_PROLOGUE',
        '--slurm_extra=-Jx',
        '--slurm_extra=--wrap=y',
        '--slurm_clusters=a,b',
    ]
    assert 'use --slurm_clusters' in sbatch.problems_of(['-M', 'b'], '--slurm_extra=')[0]
    assert '#SBATCH -a 1-3: hpsearch names' in system.problems[0]


# The environment


def test_that_the_environment_of_a_user_counts_for_what_is_not_chosen() -> None:
    environ = {
        'SBATCH_PARTITION': 'gpu',
        'SBATCH_MEM_PER_NODE': '16G',
        'SBATCH_TIMELIMIT': '90',
        'SBATCH_RESERVATION': 'r',
    }
    options, notes = sbatch.with_environment(SlurmOptions(mem='4G'), environ)
    assert options == SlurmOptions(mem='4G', partition='gpu', time='90')
    assert notes == [
        'SBATCH_MEM_PER_NODE=16G of your environment does not count: --slurm_mem does.',
        'SBATCH_PARTITION=gpu of your environment counts.',
        'SBATCH_RESERVATION=r of your environment counts.',
        'SBATCH_TIMELIMIT=90 of your environment counts.',
    ]
    assert Slurm(options).environment(environ)['SBATCH_RESERVATION'] == 'r'


def test_that_chosen_hours_win_over_the_time_of_the_environment() -> None:
    options, (note,) = sbatch.with_environment(SlurmOptions(hours=3), {'SBATCH_TIMELIMIT': '90'})
    assert (options.time, '--num_hours does' in note) == ('', True)


@pytest.mark.parametrize('variable', ['SBATCH_MEM_PER_CPU', 'SBATCH_MEM_PER_GPU'])
def test_that_memory_per_cpu_takes_the_place_of_the_default_memory(variable: str) -> None:
    assert sbatch.with_environment(SlurmOptions(), {variable: '2G'})[0].mem == ''


def test_that_gpus_of_the_environment_are_not_added_to_those_of_an_option() -> None:
    environ = {'SBATCH_GPUS': '2', 'GPUS': '1'}
    counted, notes = Slurm(SlurmOptions()).with_requests(environ, '')
    assert (counted.environment(environ)['SBATCH_GPUS'], notes) == ('2', ['SBATCH_GPUS=2 of your environment counts.'])
    chosen, _ = Slurm(SlurmOptions(gres='gpu:a100:1')).with_requests(environ, '')
    assert chosen.environment(environ) == {'GPUS': '1', 'SLURM_BITSTR_LEN': '0'}


@pytest.mark.parametrize('variable', ['JOB_NAME', 'ARRAY_INX', 'OUTPUT', 'ERROR', 'WAIT', 'SIGNAL', 'OPEN_MODE'])
def test_that_variables_that_break_the_bookkeeping_are_dropped_and_named(variable: str) -> None:
    name = f'SBATCH_{variable}'
    options, (note,) = sbatch.with_environment(SlurmOptions(), {name: 'x'})
    assert (options, note.startswith(f'{name} of your environment is not used')) == (SlurmOptions(), True)
    assert name not in Slurm(options).environment({name: 'x'})


def test_that_defaults_of_bsub_in_the_environment_count_and_what_hides_its_answer_does_not() -> None:
    environ = {'LSB_DEFAULTQUEUE': 'night', 'BSUB_QUIET': '1'}
    system, notes = Lsf(LsfOptions()).with_requests(environ, '')
    assert [note.split()[0] for note in notes] == ['LSB_DEFAULTQUEUE=night', 'BSUB_QUIET']
    assert system.environment(environ) == {'LSB_DEFAULTQUEUE': 'night', 'LSB_NTRIES': '1'}


# Lines of a prologue


PROLOGUE = """\
#!/bin/bash -l
#SBATCH --mem=16G -p gpu  # as on the old cluster
#SBATCH --reservation course
#SBATCH --gpus=2
#SBATCHING --mem=1G
module load cuda
#BSUB -q night -R "rusage[mem=4000]"
#BSUB -W 2:00 -app x
"""


def test_that_lines_of_a_prologue_go_into_the_submission() -> None:
    system, notes = Slurm(SlurmOptions()).with_requests({}, PROLOGUE)
    assert isinstance(system, Slurm)
    assert system.options == SlurmOptions(
        mem='16G', gres='', partition='gpu', extra=('--reservation', 'course', '--gpus=2')
    )
    assert system.memory == 16384
    assert notes[0] == '#SBATCH --mem=16G of the prologue counts.'
    assert not system.problems


def test_that_options_and_the_environment_win_over_lines_of_a_prologue() -> None:
    chosen = SlurmOptions(mem='4G', gres='gpu:a100:1', extra=('--reservation=mine',))
    system, notes = Slurm(chosen).with_requests({'SBATCH_PARTITION': 'env'}, PROLOGUE)
    assert isinstance(system, Slurm)
    extra = ('--reservation', 'course', '--reservation=mine')
    assert system.options == replace(chosen, partition='env', extra=extra)
    assert '#SBATCH --mem=16G of the prologue does not count: --slurm_mem does.' in notes
    assert '#SBATCH --gpus=2 of the prologue does not count: --slurm_gres does.' in notes


def test_that_lines_of_a_prologue_go_into_the_submission_to_lsf() -> None:
    system, notes = Lsf(LsfOptions(DEFAULT_RESOURCES)).with_requests({}, PROLOGUE)
    assert system.submit_argv(JOB)[3:] == [
        *('-o', '/dev/null', '-R', 'rusage[mem=4000]', '-q', 'night', '-app', 'x', '-W', '2:00'),
    ]
    assert len(notes) == 4
    system, notes = Lsf(LsfOptions('rusage[mem=1]', hours=3, queue='day')).with_requests({}, PROLOGUE)
    assert [note.rpartition(' of the prologue ')[2] for note in notes] == [
        'does not count: --lsf_queue does.',
        'does not count: --resources does.',
        'does not count: --num_hours does.',
        'counts.',
    ]


@pytest.mark.parametrize('line', ['#SBATCH --comment="x', '#SBATCH -J x', '#SBATCH hetjob'])
def test_that_wrong_lines_of_a_prologue_are_problems(line: str) -> None:
    system, _ = Slurm(SlurmOptions()).with_requests({}, line)
    (problem,) = system.problems
    assert problem.startswith(f'_JOB_PROLOGUE: {line}: ')


@pytest.mark.parametrize(
    ('extra', 'seconds'),
    [(('-We', '1:00'), 86400.0), (('-We1:00',), 86400.0), (('-W2:00',), 7200.0), (('-W', '30'), 1800.0)],
)
def test_that_an_estimate_of_the_time_is_no_limit(extra: tuple[str, ...], seconds: float) -> None:
    assert Lsf(LsfOptions(extra=extra)).time_limit == seconds
    assert Lsf(LsfOptions(extra=extra)).submit_argv(JOB).count('24:00') == (seconds == 86400.0)


def test_that_nodes_which_the_environment_excludes_stay_excluded_beside_others() -> None:
    system, _ = Slurm(SlurmOptions()).with_requests({'SBATCH_EXCLUDE': 'n1'}, '')
    assert '--exclude=n1,n3' in system.submit_argv(replace(JOB, avoided=('n3',)))


# Clusters


def test_that_every_command_goes_to_the_cluster_that_was_chosen() -> None:
    slurm = Slurm(SlurmOptions(clusters='b'))
    commands = [
        slurm.submit_argv(JOB),
        slurm.list_argv(),
        slurm.job_argv('7'),
        slurm.accounting_argv(['7'], 0.0),
        slurm.cancel_argv('7', (), whole=True, force=False),
        slurm.cancel_argv('7', [1], whole=False, force=False),
        slurm.throttle_argv('7', 2),
        slurm.limits_argv(),
    ]
    assert [argv[1] for argv in commands] == ['--clusters=b'] * len(commands)
