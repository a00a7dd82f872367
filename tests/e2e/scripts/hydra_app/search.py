grid = {
    'optimizer.lr': [0.1, -1e-05],
    'fast': [True, False],
    'layers': [[10, 20]],
    'label': ['it is=a "test", {really}: [2] \\'],
}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_optimizer.lr', 'finished']
_ARG_STYLE = 'hydra'
_OUT_ARG = 'hydra.run.dir'
