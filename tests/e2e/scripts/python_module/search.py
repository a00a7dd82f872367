grid = {'lr': [0.1, 1e-05], 'tag': ['a b', '{x}']}
_COMMAND = ['{python}', '-m', 'package.train']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
