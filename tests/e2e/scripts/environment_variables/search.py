grid = {'lr': [0.1, -1e-05], 'title': ["it's $HOME = {x}", 'two words']}
_COMMAND = ['sh', 'train.sh']
_ENV = {'LR': '{lr}', 'TITLE': '{title}', 'OUT': '{out_dir}', 'JOB_NAME': '{run}/{lr}', 'FIXED': '$(echo *)'}
_ARG_STYLE = 'omit'
_MAKE_OUT_DIR = True
_SUMMARY_FILENAME = 'summary.txt'
_SUMMARY_KEYWORDS = ['got_lr', 'finished']
