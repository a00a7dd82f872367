"""A real browser that looks at pages: a Chromium without a window, and whatever went wrong in it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 20.0
"""Seconds until something counts as not there."""

OPTIONS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'),
    '--window-size=1400,1000',
)


def missing() -> str:
    """What a browser needs and this machine lacks, in words; empty: nothing."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return 'selenium is not installed'
    lacking = [name for name in ('chromium', 'chromedriver') if shutil.which(name) is None]
    return f'no {" and no ".join(lacking)}' if lacking else ''


class Browser:
    """A browser with one page open.

    Args:
        driver: Selenium's driver.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path | str) -> None:
        """Open a file, or an address; what was logged before is forgotten."""
        self.logged()
        self.requests()
        self.driver.get(page.as_uri() if isinstance(page, Path) else page)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns that is executed in the page."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, *arguments: Any) -> Any:
        """The value of an expression of JavaScript once it is true.

        Raises:
            TimeoutException: It does not become true.
        """
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: self.run(f'return {condition}', *arguments))

    def all(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds."""
        found: list[Any] = self.driver.find_elements('css selector', selector)
        return found

    def one(self, selector: str) -> Any:
        """The first of them."""
        return self.driver.find_element('css selector', selector)

    def texts(self, selector: str) -> list[str]:
        """Their texts."""
        return list(
            self.run('return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)', selector)
        )

    def logged(self) -> list[str]:
        """Errors and warnings of the console since the last call, violations of the policy among them."""
        return [str(entry['message']) for entry in self.driver.get_log('browser') if entry['level'] != 'INFO']

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call, those of the data within the page aside."""
        messages = (json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance'))
        sent = (each['params'] for each in messages if each['method'] == 'Network.requestWillBeSent')
        addresses = (str(each['request']['url']) for each in sent)
        return [address for address in addresses if not address.startswith(('data:', 'blob:', 'chrome:'))]


@contextmanager
def started_browser() -> Iterator[Browser]:
    """A browser, until the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(prefix='hpsearch-browser-', ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = shutil.which('chromium') or ''
        for option in (*OPTIONS, f'--user-data-dir={profile}'):
            options.add_argument(option)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
        service = Service(shutil.which('chromedriver'), env={**os.environ, 'TMPDIR': profile})
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield Browser(driver)
        finally:
            driver.quit()
