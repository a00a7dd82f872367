grid = {'lr': [0.1, 1e-05], 'layers': [[10, 20], [-1]], 'fast': [True]}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_LIST_STYLE = 'repeat'
_BOOL_STYLE = 'value'
_ARG_STYLE = 'single_dash'
