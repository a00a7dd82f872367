"""absl."""

import os

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string('out_dir', None, 'Where results go.')
flags.DEFINE_float('lr', 0.5, 'Learning rate.')
flags.DEFINE_boolean('fast', True, 'Fewer steps.')
flags.DEFINE_list('layers', [], 'Sizes of the layers.')
flags.DEFINE_string('label', '', 'A label.')


def main(argv):
    os.makedirs(FLAGS.out_dir)
    with open(os.path.join(FLAGS.out_dir, 'summary.txt'), 'w') as file:
        print('got_lr', FLAGS.lr, file=file)
        print('got_fast', FLAGS.fast, file=file)
        print('got_layers', [int(size) for size in FLAGS.layers], file=file)
        print('got_label', FLAGS.label, file=file)
        print('finished 1', file=file)


app.run(main)
