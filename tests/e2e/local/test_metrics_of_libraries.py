"""Metrics are read while the libraries themselves write them: after each epoch what was logged is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from hpsearch.results.metrics.rules import metric_rules
from hpsearch.results.metrics.sources import AttemptMetrics
from hpsearch.results.sources import Places
from tests.support.harness import until

pytestmark = pytest.mark.e2e

EPOCHS = 3

TRAIN = """
import os, sys
{begin}
for epoch in range({epochs}):
    acc, loss = 0.5 + epoch / 10, 1 / (epoch + 1)
{log}
    print('logged', flush=True)
    sys.stdin.readline()
{end}
"""

TENSORBOARD = """
    writer.add_scalar('loss', loss, epoch)
    writer.add_scalar('val/acc', acc, epoch)
    writer.add_histogram('weights', np.arange(1000.0), epoch)
    writer.add_image('picture', np.zeros((3, 64, 64)), epoch)
    writer.flush()
"""

SCRIPTS = {
    'torch.utils.tensorboard': (
        'tensorboard',
        'import numpy as np\nfrom torch.utils.tensorboard import SummaryWriter\nwriter = SummaryWriter("runs")',
        TENSORBOARD,
        'writer.close()',
        'val/acc',
    ),
    'tensorboardX': (
        'tensorboard',
        'import numpy as np\nfrom tensorboardX import SummaryWriter\nwriter = SummaryWriter("runs")',
        TENSORBOARD,
        'writer.close()',
        'val/acc',
    ),
    'pytorch_lightning': (
        'lightning',
        'from pytorch_lightning.loggers import CSVLogger\n'
        'logger = CSVLogger(".", flush_logs_every_n_steps=1)\n'
        'logger.log_hyperparams({"lr": 0.1})',
        '    logger.log_metrics({"train_loss": loss, "epoch": epoch}, step=10 * epoch)\n'
        '    logger.log_metrics({"val_acc": acc, "epoch": epoch}, step=10 * epoch + 9)\n'
        '    logger.save()',
        'logger.log_metrics({"test_acc": 0.9, "epoch": 3}, step=30)\nlogger.finalize("success")',
        'val_acc',
    ),
    'wandb': (
        'wandb',
        'import wandb\nrun = wandb.init(mode="offline", project="train")',
        '    run.log({"val": {"acc": acc}, "loss": loss})',
        'run.finish()',
        'val.acc',
    ),
    'mlflow': (
        'mlflow',
        'os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"\nimport mlflow\n'
        'mlflow.set_tracking_uri("file:" + os.path.abspath("mlruns"))\nmlflow.start_run()',
        '    mlflow.log_metric("acc", acc, step=epoch)',
        'mlflow.end_run()',
        'acc',
    ),
    'hpsearch': (
        [],
        'import hpsearch\nimport numpy as np',
        '    hpsearch.report(epoch, acc=np.float32(acc))',
        '',
        'acc',
    ),
}
"""Library to the rule for its metrics, the parts of a script that logs with it, and the name of its metric."""

AT_THE_END = ('wandb',)
"""Libraries that write when they like to."""


def curve(metrics: AttemptMetrics, key: str, found: dict[float, float]) -> dict[float, float]:
    """What was reported of a metric, all in all."""
    points, errors = metrics.news(time.monotonic() + 100 * len(found))
    assert not errors
    return found | {step: values[key] for step, values in points if key in values}


def curve_to(metrics: AttemptMetrics, key: str, found: dict[float, float], epoch: int) -> dict[float, float]:
    """What was reported up to an epoch; empty while some of it is missing: a library may write in a thread."""
    found.update(curve(metrics, key, found))
    return found if list(found) == list(range(epoch + 1)) else {}


@pytest.mark.parametrize('library', SCRIPTS)
def test_that_what_a_library_logs_is_read_while_it_goes(library: str, tmp_path: Path) -> None:
    pytest.importorskip('numpy')
    if subprocess.run([sys.executable, '-c', f'import {library}'], capture_output=True, check=False).returncode:
        pytest.skip(f'{library} is not installed')
    rule, begin, log, end, key = SCRIPTS[library]
    (tmp_path / 'train.py').write_text(TRAIN.format(begin=begin, log=log, end=end, epochs=EPOCHS))
    names = ('stdout', 'stderr', 'orion', 'metrics')
    reported = Places(tmp_path, {name: tmp_path / f'{name}.log' for name in names})
    metrics, found = AttemptMetrics(metric_rules(rule)[0], reported, key), dict[float, float]()
    environment = {**os.environ, 'HPSEARCH_METRICS': str(tmp_path / 'metrics.log'), 'WANDB_SILENT': 'true'}
    process = subprocess.Popen(
        [sys.executable, 'train.py'], cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin and process.stdout
    with process:
        for epoch in range(EPOCHS):
            while (line := process.stdout.readline()) and line != b'logged\n':
                continue
            assert line, 'it failed'
            found = found if library in AT_THE_END else until(partial(curve_to, metrics, key, found, epoch))
            process.stdin.write(b'\n')
            process.stdin.flush()
    found = curve(metrics, key, found)
    assert found == pytest.approx({0: 0.5, 1: 0.6, 2: 0.7})
