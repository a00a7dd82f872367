grid = {'lr': [0.1, -1e-05], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_ARG_STYLE = '{value}'
