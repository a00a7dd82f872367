grid = {'lr': [0.1, 0.2], 'units': [16, 32]}
_SCRIPT_NAME = 'train.py'
_OUT_ARG = None
_RESULT = 'orion'
_PERFORMANCE_SORT_ASC = True
