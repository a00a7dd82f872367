grid = {'learning_rate': [0.1, -1e-05], 'fast': [True, False], 'layers': [[10, 20]], 'label': ['it is=a "test"']}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_learning_rate', 'finished']
_BOOL_STYLE = 'flag_no'
_NAME_STYLE = 'dashes'
_LIST_STYLE = 'repeat'
