grid = {
    'lr': [0.03, 0.1],
    'hidden': [4, 16],
    'seed': [1, 2],
}
conditions = []

_SCRIPT_NAME = 'train.py'
_OUT_ARG = None
_RESULT = 'stdout:loss=([0-9.]+)'
_PERFORMANCE_KEY = 'loss'
_PERFORMANCE_SORT_ASC = True
