"""The pretend lsid, bparams and bhosts."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.fakes.lsf.store import Store

BANNERS = {
    'volclava': 'volclava project 2.2, Nov 20 2026\n\n',
    'ibm': (
        'IBM Spectrum LSF Standard 10.1.0.12, Jun 10 2021\n'
        'Copyright International Business Machines Corp. 1992, 2016.\n'
        'US Government Users Restricted Rights - Use, duplication or disclosure restricted by GSA ADP Schedule '
        'Contract with IBM Corp.\n\n'
    ),
}

LONG = """\

System default queues for automatic queue selection:
    DEFAULT_QUEUE = {default_queue}

The amount of time during which finished jobs are kept in core:
    CLEAN_PERIOD = {clean_period:.0f} (seconds)

The interval to terminate a job.
    JOB_TERMINATE_INTERVAL = {terminate_interval:.0f} 

The maximum number of jobs in a job array.
    MAX_JOB_ARRAY_SIZE = {max_array_size}

"""  # noqa: W291

SHORT = """\
Default Queues:  {default_queue}
Job Dispatch Interval:  1 seconds
Job Checking Interval:  2 seconds
Job Accepting Interval:  0 seconds
"""


def lsid(store: Store, argv: list[str]) -> int:
    """Tell what kind of LSF this is; that much also with the daemons down."""
    settings = store.settings()
    banner = BANNERS[settings['dialect']]
    if '-V' in argv:
        sys.stderr.write(banner)
        return 0
    sys.stdout.write(banner)
    sys.stdout.flush()
    if settings['is_down']:
        sys.stderr.write('ls_getclustername(): LIM is down; try later\n')
        return 255
    sys.stdout.write(f'My cluster name is {settings["cluster"]}\nMy master name is {settings["hosts"][0]}\n')
    return 0


def bparams(store: Store, argv: list[str]) -> int:
    """Tell what the cluster accepts."""
    known = ('-l', '-a') if store.is_ibm else ('-l',)
    if any(word not in known for word in argv):
        sys.stderr.write('Usage: bparams [-h] [-V] [-l]\n')
        return 255
    sys.stdout.write((LONG if argv else SHORT).format(**store.settings()))
    return 0


def bhosts(store: Store, argv: list[str]) -> int:
    """List the hosts."""
    if argv != ['-w']:
        sys.stderr.write('Usage: bhosts [-h] [-V] [-w | -l]\n')
        return 255
    settings = store.settings()
    sys.stdout.write('HOST_NAME          STATUS          JL/U    MAX  NJOBS    RUN  SSUSP  USUSP    RSV \n')
    for host in settings['hosts']:
        state = 'unavail' if host in settings['lost_hosts'] else 'ok'
        sys.stdout.write(f'{host:<18} {state:<15}    -      {settings["slots"]}      0      0      0      0      0\n')
    return 0
