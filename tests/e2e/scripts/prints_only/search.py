grid = {'lr': [0.1, 0.001], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_OUT_ARG = None
_RESULT = r'stdout: epoch 3: lr=(?P<got_lr>\S+) fast=(?P<got_fast>\S+) accuracy=(?P<acc>[0-9.]+)'
_PERFORMANCE_KEY = 'acc'
