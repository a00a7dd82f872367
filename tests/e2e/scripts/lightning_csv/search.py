grid = {'lr': [0.1, 0.001], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_RESULT = 'lightning'
_PERFORMANCE_KEY = 'val_acc'
