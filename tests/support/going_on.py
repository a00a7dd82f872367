"""A project whose script goes on from checkpoints, and what must hold of its runs."""

from __future__ import annotations

from hpsearch.model.trials.suggestion import Suggestion
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import read_state
from tests.support.cli_harness import Project

SCRIPT = """\
import argparse, os, time
parser = argparse.ArgumentParser()
parser.add_argument('--out_dir')
parser.add_argument('--lr', type=float)
parser.add_argument('--epochs', type=int)
parser.add_argument('--resume')
args = parser.parse_args()
done, loss = 0, 1.0
if args.resume:
    with open(args.resume) as file:
        done, loss = int(file.readline()), float(file.readline())
    with open(args.resume, 'a') as file:
        file.write('a script may write there\\n')
os.makedirs(args.out_dir, exist_ok=True)
with open('ran.txt', 'a') as ran:
    ran.write(f"{os.environ['HPSEARCH_RUN']} {done} {args.epochs}\\n")
while os.path.exists('wait'):
    time.sleep(0.05)
for epoch in range(done, args.epochs):
    loss *= 1 - args.lr * (1 - args.lr)
with open(os.path.join(args.out_dir, 'checkpoint.txt'), 'w') as file:
    file.write(f'{args.epochs}\\n{loss}\\n')
with open(os.path.join(args.out_dir, 'performance_overview.txt'), 'w') as file:
    file.write(f'loss {loss}\\nfinished 1\\n')
print(f'loss={loss:.9f}')
"""

CONFIG = """\
from hpsearch import fidelity, uniform
grid = {'lr': uniform(0.0, 1.0), 'epochs': fidelity(1, 4, 2)}
_SCRIPT_NAME = 'train.py'
_SUMMARY_FILENAME = 'performance_overview.txt'
_SUMMARY_KEYWORDS = ['loss', 'finished']
_PERFORMANCE_SORT_ASC = True
_CHECKPOINT_ARG = 'resume'
_CHECKPOINT = 'checkpoint.txt'
"""


def write_project(project: Project) -> None:
    """Put the script and its configuration into a project; runs wait while there is a file ``wait``."""
    (project.path / 'train.py').write_text(SCRIPT)
    (project.path / 'my_config.py').write_text(CONFIG)


def begun(project: Project) -> dict[str, tuple[int, int]]:
    """Run to how far its network was trained when it began, and how far it was to be trained; the last time it ran."""
    path = project.path / 'ran.txt'
    lines = path.read_text().splitlines() if path.exists() else []
    return {run: (int(done), int(epochs)) for run, done, epochs in map(str.split, lines)}


def suggestions(project: Project) -> dict[str, Suggestion]:
    """Run to what was suggested."""
    return dict(read_state(SearchFolder(project.out)).suggestions)


def check_that_all_went_on_from_their_parents(project: Project) -> None:
    """No network was trained from anything but what its parent had left, and nothing is left of the copies."""
    found, known = begun(project), suggestions(project)
    assert set(found) == set(known)
    for run, (done, epochs) in found.items():
        parent = known[run].proposal.parent
        assert (done, epochs) == (found[parent][1] if parent else 0, known[run].params['epochs'])
    left = [path.read_text().splitlines() for path in project.out.glob('sim_*/checkpoint.txt')]
    assert {len(lines) for lines in left} == {2}, 'a script has written into the checkpoint of an earlier run'
    assert not list(project.out.glob('jobs/*/checkpoint*'))


def members_at_the_end(project: Project) -> set[int]:
    """The members of a population that have had the whole budget."""
    known = suggestions(project).values()
    return {each.proposal.facts['member'] for each in known if each.proposal.fidelity == 4.0}
