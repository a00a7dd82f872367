grid = {'lr': [0.1, 1e-05], 'fast': [True, False], 'layers': [[10, 20]]}
_COMMAND = ['perl', 'train.pl']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_ARG_STYLE = 'space'
_BOOL_STYLE = 'flag_no'
_LIST_STYLE = 'repeat'
