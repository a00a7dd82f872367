"""A grid search over the torch example: 8 runs on MNIST, downloaded to ./data by the first run that needs it.

Start it in the folder that holds ``examples/``, on a machine with GPUs::

    python3 -m hpsearch --grid_module=examples/mnist_torch/hpsearch_config.py --sim_startup_time=20

Without a download, on random images (the accuracy then means nothing)::

    python3 -m hpsearch --grid_module=examples/mnist_torch/hpsearch_config.py --set 'dataset=[fake]'

Several runs at once would download the same data at the same time: fetch it before with one run of train.py.
"""

grid = {
    'dataset': ['mnist'],
    'model': ['cnn', 'resnet18'],
    'optimizer': ['sgd', 'adam'],
    'lr': [0.001, 0.01],
    'momentum': [0.9],
    'epochs': [3],
}

# Adam takes no momentum, and a ResNet is slow enough as it is.
conditions = [
    ({'optimizer': ['adam']}, {'momentum': [0.0]}),
    ({'model': ['resnet18']}, {'epochs': [2]}),
]

_SCRIPT_NAME = 'examples/mnist_torch/train.py'

_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['acc_test', 'loss_train', 'num_epochs', 'seconds', 'finished']

_PERFORMANCE_KEY = 'acc_test'
_PERFORMANCE_SORT_ASC = False
