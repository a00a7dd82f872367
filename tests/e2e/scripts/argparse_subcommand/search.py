grid = {'lr': [0.1, -1e-05], 'fast': [True, False], 'data': ['cifar']}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_FIXED_ARGS = ['fit']
_ARG_STYLE = {'data': '{value}', '*': 'space'}
_OUT_ARG = 'output'
