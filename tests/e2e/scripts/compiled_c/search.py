grid = {'lr': [0.1, 1e-05], 'fast': [True, False]}
_COMMAND = ['./train']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
_ARG_STYLE = 'space'
