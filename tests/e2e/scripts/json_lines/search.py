grid = {'lr': [0.1, 0.001], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_RESULT = {'file': 'log.jsonl', 'take': 'best'}
_PERFORMANCE_KEY = 'val.acc'
