grid = {'r': [0.1, 1e-05], 'f': [True, False], 'l': ['it is a "test"']}
_COMMAND = ['sh', 'train.sh']
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_r', 'finished']
_ARG_STYLE = 'single_dash'
_OUT_ARG = 'o'
