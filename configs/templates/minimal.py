"""The least a grid module needs."""

from pathlib import Path

grid = {
    'lr': [0.1, 0.01],
    'batchnorm': [False, True],
}

_SCRIPT_NAME = str(Path(__file__).resolve().parent / 'train_script.py')
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc_test', 'finished']
