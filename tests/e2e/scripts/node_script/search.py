grid = {'lr': [0.1, 1e-05], 'fast': [True, False]}
_COMMAND = ['node', 'train.js']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_BOOL_STYLE = 'flag_no'
_NAME_STYLE = 'dashes'
