#!/usr/bin/env python3
"""Tell a channel of Slack, Mattermost or Rocket.Chat: hpsearch run ... --on_finish webhook.py --on_failure webhook.py.

The address of the incoming webhook is a secret. It is read from HPSEARCH_WEBHOOK, or from the file
~/.config/hpsearch/webhook, and never from the command line, which every user of the machine can see.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any


def address() -> str:
    """Where the message is posted."""
    found = os.environ.get('HPSEARCH_WEBHOOK', '')
    path = Path.home() / '.config' / 'hpsearch' / 'webhook'
    if not found and path.is_file():
        found = path.read_text().strip()
    return found or sys.exit(f'no address: set HPSEARCH_WEBHOOK, or write it into {path} (chmod 600)')


def text_of(facts: dict[str, Any]) -> str:
    """A message for the facts of a search, without what the chat would take for markup of its own."""
    lines = [facts['message'], f'{facts["host"]}: {facts["folder"]}']
    lines += [f'{each["count"]} failed: {each["reason"]}'[:500] for each in facts.get('failures', ())]
    return '\n'.join(lines).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


def main() -> None:
    """Read the facts and post the message."""
    body = json.dumps({'text': text_of(json.load(sys.stdin))}).encode()
    try:
        request = urllib.request.Request(address(), body, {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=30):
            pass
    except OSError as error:
        sys.exit(f'the message could not be posted: {error}')
    except (ValueError, HTTPException) as error:
        # Their texts have the address, which is a secret.
        sys.exit(f'the message could not be posted: is the address one as https://… ({type(error).__name__})?')


if __name__ == '__main__':
    main()
