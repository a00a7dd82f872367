grid = {'lr': [0.1, 0.001], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_OUT_ARG = None
_ENV = {'WANDB_DIR': '{out_dir}'}
_MAKE_OUT_DIR = True
_RESULT = 'wandb'
_PERFORMANCE_KEY = 'val.acc'
