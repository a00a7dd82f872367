grid = {'optimizer.lr': [0.1, -1e-05], 'fast': [True, False], 'layers': [[10, 20]], 'label': ['a test']}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_optimizer.lr', 'finished']
_BOOL_STYLE = 'value'
_LIST_STYLE = 'python'
