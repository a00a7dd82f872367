grid = {'lr': [0.1, 1e-05], 'fast': [True, False]}
_COMMAND = ['Rscript', 'train.R']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
