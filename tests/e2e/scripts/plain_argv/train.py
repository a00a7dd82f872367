"""No parser: positional arguments in a fixed order."""

import os
import sys

out_dir, lr, fast = sys.argv[1:]
os.makedirs(out_dir)
with open(os.path.join(out_dir, 'summary.txt'), 'w') as file:
    print('got_lr', float(lr), file=file)
    print('got_fast', fast == 'True', file=file)
    print('finished 1', file=file)
