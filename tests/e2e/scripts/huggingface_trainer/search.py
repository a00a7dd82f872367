grid = {'lr': [0.1, 0.001], 'fast': [True, False]}
_SCRIPT_NAME = 'train.py'
_OUT_ARG = 'output_dir'
_BOOL_STYLE = 'value'
_RESULT = 'huggingface'
_PERFORMANCE_KEY = 'eval_accuracy'
