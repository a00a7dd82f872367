"""What every command of a pretend LSF begins with: writing down that it was called, and the troubles it is to have."""

from __future__ import annotations

import io
import os
import sys
import time

from tests.fakes.lsf.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODULES = {
    'bsub': 'submitting',
    'bmod': 'submitting',
    'bjobs': 'listing',
    'bhist': 'history',
    'bkill': 'signalling',
    'bstop': 'signalling',
    'brequeue': 'signalling',
    'bresume': 'signalling',
    'lsid': 'about',
    'bparams': 'about',
    'bhosts': 'about',
    'fake_lsf': 'control',
}
"""Commands, and the modules they are in."""


def main(program: str, path: str, argv: list[str]) -> int:
    """Execute a command; returns its exit status.

    Args:
        program: Its name.
        path: The folder of the pretend LSF.
        argv: The words behind its name.
    """
    # Surrogates are bytes that are no text, in names and scripts; they go out as they came in.
    sys.stdout.reconfigure(errors='surrogateescape')  # type: ignore[union-attr]
    store = Store(path)
    if program == 'fake_lsf':
        return _execute(store, program, argv)
    store.append({'command': program, 'argv': argv, 'at': time.time()}, 'calls.jsonl')
    if 'LSF_ENVDIR' not in os.environ:
        what = '. Job not submitted.' if program == 'bsub' else ''
        sys.stderr.write(f'lsb_init: Failed in an LSF library call: Unable to open file lsf.conf{what}\n')
        return 255
    if fault := _next_fault(store, program):
        return _have(store, fault, program, argv)
    return _execute(store, program, argv)


def _execute(store: Store, program: str, argv: list[str]) -> int:
    if store.settings()['is_down'] and program not in ('lsid', 'fake_lsf'):
        _retry_for_ever(store)
    module = __import__(f'tests.fakes.lsf.{MODULES[program]}', fromlist=['run'])
    if hasattr(module, 'run'):
        return int(module.run(store, program, argv))
    return int(getattr(module, program)(store, argv))


def _retry_for_ever(store: Store) -> None:
    while True:
        time.sleep(store.settings()['retry_interval'])
        sys.stderr.write('LSF daemon (LIM) not responding ... still trying\n')
        sys.stderr.flush()


def _next_fault(store: Store, program: str) -> dict[str, Any] | None:
    """The trouble this call is to have, which is used up by it."""
    if not os.path.exists(store.file('faults.json')):
        return None
    with store.locked():
        faults: list[dict[str, Any]] = store.read('faults.json') or []
        fault = next((one for one in faults if one['command'] in (program, '*') and one['times']), None)
        if fault is None:
            return None
        is_spared = fault['skip'] > 0
        if is_spared:
            fault['skip'] -= 1
        elif fault['times'] > 0:
            fault['times'] -= 1
        store.write(faults, 'faults.json')
    return None if is_spared else fault


def _have(store: Store, fault: dict[str, Any], program: str, argv: list[str]) -> int:
    """Have a trouble: before the command does what it should, or after that and before it says so."""
    if not fault['acted']:
        time.sleep(fault['seconds'])
        return _execute(store, program, argv) if fault['code'] is None else _say(fault)
    code, out, err = _unheard(store, program, argv)
    time.sleep(fault['seconds'])
    return _say({'code': code, 'out': out, 'err': err} if fault['code'] is None else fault)


def _say(words: dict[str, Any]) -> int:
    sys.stdout.write(words['out'])
    sys.stderr.write(words['err'])
    return int(words['code'])


def _unheard(store: Store, program: str, argv: list[str]) -> tuple[int, str, str]:
    """Execute a command; its exit status, and what it would have printed."""
    streams = sys.stdout, sys.stderr
    out, err = sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        code = _execute(store, program, argv)
    finally:
        sys.stdout, sys.stderr = streams
    return code, out.getvalue(), err.getvalue()
