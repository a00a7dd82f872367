"""Two positional arguments and an option, started by a launcher."""

import json
import os
import sys

path, lr, option = sys.argv[1:]
result = {
    'got_lr': float(lr),
    'got_batch_size': int(option.removeprefix('--batch_size=')),
    'rank': os.environ['RANK'],
    'is_named': os.path.basename(os.path.dirname(path)) == os.environ['JOB_NAME'],
}
with open(path, 'w') as file:
    json.dump(result, file)
