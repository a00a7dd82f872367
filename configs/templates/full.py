"""Every attribute of a grid module, with what it means and its default."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch import Not

# ---------------------------------------------------------------------------------------------------------------------
# What to try
# ---------------------------------------------------------------------------------------------------------------------

# Option of the script, without its dashes -> list of values. Do not name the output option.
#   numbers   --lr=0.01; floats are written so that reading them gives the same number (1e-08)
#   strings   as they are, without a shell: --layers=10,10. Exactly one pair of enclosing equal quotes is removed, so
#             '"10,10"' arrives as 10,10 too; '' and '""' arrive as an empty value: --layers=
#   True      the bare flag: --batchnorm
#   False     nothing at all
grid = {
    'optimizer': ['sgd', 'adam'],
    'lr': [0.1, 0.01],
    'momentum': [0.0, 0.9],
    'layers': ['10,10', ''],
    'batchnorm': [False, True],
}

# Groups of options that take their values together, not in every combination: the first of each list, the second of
# each, ... The lists of a group are equally long. Default: [].
# zipped = [['optimizer', 'lr']]

# Pairs (when, then), in the order in which they are applied. Default: [].
conditions = [
    ({'optimizer': Not(['sgd'])}, {'momentum': [0.0]}),
]


def with_layers(params: dict[str, Any]) -> bool:
    """Allow batchnorm only where there is a layer to normalise."""
    return bool(params['layers']) or not params['batchnorm']


# Functions of a configuration; it is run if all of them return True. Default: [].
constraints = [with_layers]

# Instead of a list, a distribution: from hpsearch import choice, fidelity, loguniform, normal, randint, uniform, and
#   'lr': loguniform(1e-5, 1.0), 'width': randint(16, 512, log=True), 'dropout': uniform(0, 0.5, step=0.1)
# or the same as a text, 'loguniform(1e-5, 1.0)'. That needs a sampler.

# How runs are chosen: 'grid', or by a sampler while the search goes: 'random', 'tpe', ... These are defaults of the
# options --search, --search_options, --max_trials, ... Default: 'grid'.
# _SEARCH = 'tpe'
# _SEARCH_OPTIONS = {'n_startup_trials': 20}

# When such a search ends: after so many trials, after so many have failed, as soon as the objective has this value, or
# after so much computing. Default: none of them, and one of all but _MAX_BROKEN is needed.
# _MAX_TRIALS = 100
# _MAX_BROKEN = 10
# _TARGET = 0.99
# _BUDGET = '100h'

# With how many seeds each trial is run, and the option that is the seed. Default: 1, and the option with such a name.
# _SEEDS_PER_CONFIG = 3
# _SEED_ARG = 'seed'

# Which runs are stopped early because of their metrics: 'asha', 'hyperband', 'median' or 'percentile', of a grid as
# well; not before a step, with one of so many that go on, and the last step of a run. Default: 'none', 1, 3, not known.
# _PRUNE = 'asha'
# _PRUNE_OPTIONS = {'rungs': 4}
# _GRACE_PERIOD = 1
# _REDUCTION_FACTOR = 3
# _MAX_RESOURCE = 100

# What it optimises, a keyword or a rule like that of _RESULT, and whether 'maximize' or 'minimize'; a list where there
# are several. Default: _PERFORMANCE_KEY, and by _PERFORMANCE_SORT_ASC.
# _OBJECTIVE = 'acc_test'
# _DIRECTION = 'maximize'

# ---------------------------------------------------------------------------------------------------------------------
# What to run
# ---------------------------------------------------------------------------------------------------------------------

# The training script: absolute, or relative to the working directory of the runs (--run_cwd). It is run by the python3
# of your PATH (or by --python).
_SCRIPT_NAME = str(Path(__file__).resolve().parent / 'train_script.py')

# Instead of _SCRIPT_NAME, for what is not Python: the words before the options. See not_python.yaml. Placeholders stand
# for an option of the grid ({lr}), the output folder ({out_dir}), the name of the run ({run}), its number of GPUs
# ({gpus}), the interpreter ({python}); with _SCRIPT_NAME for the script ({script}).
# _COMMAND = ['torchrun', '--nproc_per_node={gpus}', '{script}']

# Words that every run gets before its options: a sub-command, a positional argument. Default: [].
# _FIXED_ARGS = ['fit', '--config', 'base.yaml']

# How options are written, for all of them or as a dict from options to styles ('*': all others).
# 'equals' (--lr=0.1), 'space' (--lr 0.1), 'single_dash' (-lr 0.1), 'hydra' (lr=0.1), or a template such as
# '--set {name}:{value}'. Default: 'equals'.
_ARG_STYLE = 'equals'

# True and False: 'flag' (--batchnorm or nothing), 'flag_no' (--batchnorm or --no-batchnorm) or 'value'
# (--batchnorm=True). Default: 'flag'.
_BOOL_STYLE = 'flag'

# 'as_is', or 'dashes' in place of underscores. Default: 'as_is'.
_NAME_STYLE = 'as_is'

# Values that are lists: 'words' (--layers 10 20), 'comma' (--layers=10,20), 'repeat' (--layers=10 --layers=20) or
# 'python' (--layers=[10, 20]). Default: 'words'.
_LIST_STYLE = 'words'

# None: 'text' (--name=None) or 'omit'. Default: 'text'.
_NONE_STYLE = 'text'

# Environment variables that every run gets, with the placeholders of _COMMAND. Default: {}.
# _ENV = {'OMP_NUM_THREADS': 4, 'WANDB_NAME': '{run}'}

# A YAML or JSON file that is written for each run with its values, instead of options, and the option that passes it to
# the script. Keys of the grid have dots where they are nested (optimizer.lr). Default: none, and 'config'.
# _CONFIG_TEMPLATE = 'base.yaml'
# _CONFIG_ARG = 'config'

# The option by which the script is told its output folder, without dashes; None: it takes none. Default: 'out_dir'.
_OUT_ARG = 'out_dir'

# True: hpsearch makes the output folder before the script starts, for scripts that do not. Default: False: the script
# makes it; many refuse to start, or ask, when it is there.
_MAKE_OUT_DIR = False

# True: started again after an interruption, the script goes on from what it finds in its output folder (a checkpoint),
# so the folder stays where it is; HPSEARCH_ATTEMPT in its environment is then 2 or more. Default: False: the earlier
# folder is moved aside, and every attempt begins without one.
_RESUMABLE = False

# The option that passes the script what it goes on from, where a search continues runs with a larger budget or from a
# better member of a population, and what that is: a path in the output folder of the earlier run. The script gets a
# copy of it; runs that begin anew do not get the option. Default: none, and '.', the whole folder.
# _CHECKPOINT_ARG = 'resume_from'
# _CHECKPOINT = 'checkpoint.pt'

# Shell lines that every job of a cluster (--run_cluster) executes before the script: modules, environments, copies of
# data. A first line that begins with "#!" becomes that of the job script. Default: ''.
# _JOB_PROLOGUE = """\
# #!/bin/bash -l
# module load cuda
# """

# Regular expressions that, in the last lines of a failed run's output, mean that it ran out of GPU memory, beside
# those of PyTorch, JAX, TensorFlow and CUDA that are known. Such a run is started again with more room. Default: [].
_OOM_PATTERNS = [r'device memory \d+ exhausted']

# ---------------------------------------------------------------------------------------------------------------------
# What comes out
# ---------------------------------------------------------------------------------------------------------------------

# The file in the output folder with the results: lines "keyword value" or "keyword value1 value2 ...", or a .json or
# .yaml file.
_SUMMARY_FILENAME = 'performance_overview.txt'

# The keywords to expect in it. 'finished 1' says that the run is complete; without that keyword, exit status 0 does.
_SUMMARY_KEYWORDS = ['acc_test', 'loss_train', 'num_layers', 'finished']

# Where results are that are not in such a file: another file ('metrics.csv'), what a known program leaves
# ('lightning'), or what the script prints; one of them or a list. Default: None.
# _RESULT = r'stdout: accuracy=([0-9.]+)'

# Where the script writes metrics while it goes, in the same form. Default: None; a search with a pruner looks where
# the result is.
# _METRICS = r'stdout: epoch (?P<step>[0-9]+) accuracy=(?P<accuracy>[0-9.]+)'

# The keyword by which the results are sorted. Default: the first of _SUMMARY_KEYWORDS.
_PERFORMANCE_KEY = 'acc_test'

# True: a smaller value is better. Default: False.
_PERFORMANCE_SORT_ASC = False


def read_json_summary(out_dir: str, cmd_ident: int) -> dict[str, list[str]]:
    """Read results that the built-in reader does not understand.

    Args:
        out_dir: Output folder of the run.
        cmd_ident: Number of the run, from 0.

    Returns:
        Keyword to a list of one string.
    """
    text = (Path(out_dir) / 'my_results.json').read_text()
    return {keyword: [str(value)] for keyword, value in json.loads(text).items()}


# A function such as the one above, or None for the built-in reader. Default: None.
_SUMMARY_PARSER_HANDLE = None


def good_enough(summary: Mapping[str, Any], criteria: float) -> bool:
    """Say whether the folder of a run is worth keeping.

    Args:
        summary: Keyword to a list of one string.
        criteria: What was given as ``--performance_criteria``, as a number where it is one.
    """
    return float(summary['acc_test'][0]) >= criteria


# Used by hpsearch-postprocess with --performance_criteria: runs for which it returns False are moved to TO_BE_DELETED.
# Default: None.
_PERFORMANCE_EVAL_HANDLE = good_enough
