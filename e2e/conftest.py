"""One product and one browser for all stories; people of their own for each."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from e2e import steps
from e2e.people import Visitor, launch
from e2e.wallet import Wallet
from tests.conftest import enterable


@contextmanager
def product() -> Iterator[Wallet]:
    """One network address opens at most 50 wallets an hour: files with many people ask for a
    product of their own."""
    # Not pytest's own folder: every run of pytest closes that one to the clusters' users.
    with (
        tempfile.TemporaryDirectory(prefix="yipay-e2e-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def wallet() -> Iterator[Wallet]:
    with product() as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest, browser: Browser, wallet: Wallet
) -> Iterator[Callable[..., Visitor]]:
    """Makes people; each has a browser profile of their own."""
    made: list[Visitor] = []

    def make(**options: object) -> Visitor:
        made.append(Visitor(browser, wallet.url, **options))
        return made[-1]

    yield make
    for number, one in enumerate(made, 1):
        steps.shot(one.page, f"end-{request.node.name}-{number}")
        one.close()


@pytest.fixture
def phone() -> str:
    """A number that no other story uses."""
    return steps.fresh_phone()


@pytest.fixture
def other_phone() -> str:
    return steps.fresh_phone()
