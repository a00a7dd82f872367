#!/usr/bin/env python3
"""Tell somebody by mail: hpsearch run ... --on_finish 'mail.py ada@example.org' --on_failure 'mail.py ada@example.org'.

Any program that takes a message as sendmail does sends it: sendmail, postfix, exim, msmtp, nullmailer. It is the
sendmail on PATH or in /usr/sbin, or what HPSEARCH_SENDMAIL names (for example msmtp). Passwords are its business.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from email.message import EmailMessage
from typing import Any


def message_of(facts: dict[str, Any], recipients: list[str]) -> EmailMessage:
    """The mail for the facts of a search."""
    mail = EmailMessage()
    mail['To'] = ', '.join(recipients)
    mail['Subject'] = ' '.join(f'[hpsearch] {facts["message"]}'.split())
    best = facts.get('best')
    lines = [facts['message'], '', f'Folder:  {facts["folder"]}', f'Results: {facts["results"]}']
    lines += [f'Best:    {best["key"]} {best["value"]} with {best["params"]}'] if best else []
    for each in facts.get('failures', ()):
        lines += [
            '',
            f'{each["count"]} failed like this: hpsearch logs {facts["folder"]} {each["run"]}',
            each['reason'],
        ]
    mail.set_content('\n'.join(lines))
    return mail


def main() -> None:
    """Read the facts and hand the mail over."""
    if len(sys.argv) < 2:
        sys.exit('usage: mail.py ADDRESS ...')
    wanted = os.environ.get('HPSEARCH_SENDMAIL', 'sendmail')
    program = shutil.which(wanted) or shutil.which(wanted, path='/usr/sbin:/usr/lib')
    if program is None:
        sys.exit(f'{wanted}: not found; set HPSEARCH_SENDMAIL to a program that sends mail as sendmail does')
    mail = message_of(json.load(sys.stdin), sys.argv[1:])
    subprocess.run([program, '-i', '-t'], input=mail.as_bytes(), check=True)


if __name__ == '__main__':
    main()
