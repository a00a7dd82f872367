grid = {'lr': [0.1, -1e-05], 'batch_size': [16, 32]}
_SCRIPT_NAME = 'train.py'
_COMMAND = ['./launch.sh', '--nproc={gpus}', '--name={run}', '{python}', '{script}', '{out_dir}/result.json', '{lr}']
_RESULT = 'result.json'
_PERFORMANCE_KEY = 'got_lr'
_MAKE_OUT_DIR = True
