grid = {'optimizer.lr': [0.1, 1e-05], 'layers': [[10, 20], [30]], '+note': ['yes']}
_SCRIPT_NAME = 'train.py'
_CONFIG_TEMPLATE = 'base.yaml'
_OUT_ARG = 'trainer.folder'
_ARG_STYLE = 'space'
_RESULT = 'result.json'
_PERFORMANCE_KEY = 'got_optimizer.lr'
