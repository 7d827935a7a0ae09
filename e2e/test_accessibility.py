"""axe-core on every page: phone and desktop, light and dark, nothing serious."""

from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from e2e import makings, passing
from e2e.people import DESKTOP, PHONE, settle
from e2e.places import EVERYWHERE, all_of, enter
from e2e.wallet import Wallet

AXE = Path(__file__).resolve().parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
FORMS = tuple(product((PHONE, DESKTOP), ("light", "dark")))

RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
  return found.violations.map(({id, impact, nodes}) => ({
    id, impact, where: nodes.map((n) => `${n.target.join(" ")}: ${n.failureSummary}`),
  }));
}"""


@pytest.fixture(scope="module")
def made(browser: Browser, wallet: Wallet) -> makings.Paths:
    return makings.make(browser, wallet.url)


@pytest.mark.timeout(600)  # some forty pages in four forms
@pytest.mark.parametrize("who", EVERYWHERE)
def test_no_page_has_a_serious_finding(
    browser: Browser, wallet: Wallet, made: makings.Paths, who: str
) -> None:
    page = browser.new_context(base_url=wallet.url, locale="zh-CN").new_page()
    enter(page, who)
    places = {**all_of(who, page), **made[who]}
    faults = [fault for name, path in places.items() for fault in _faults(page, name, path)]
    page.context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.timeout(600)
def test_no_passing_page_has_a_serious_finding(browser: Browser, wallet: Wallet) -> None:
    seen = passing.pages(browser, wallet.url)
    faults = [fault for name, page in seen for fault in _faults_here(page, name)]
    assert not faults, "\n".join(faults)


def _faults(page: Page, name: str, path: str) -> list[str]:
    page.goto(path)
    return _faults_here(page, name)


def _faults_here(page: Page, name: str) -> list[str]:
    found: list[str] = []
    page.evaluate(AXE.read_text())
    for size, scheme in FORMS:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        settle(page)
        for fault in page.evaluate(RUN):
            if fault["impact"] in SERIOUS:
                where = "; ".join(fault["where"][:3])
                found.append(f"{name} {size['width']} {scheme} {fault['id']}: {where}")
    return found


def test_the_check_sees(browser: Browser) -> None:
    """A picture without a text and a field without a name would be found."""
    page = browser.new_page()
    page.set_content("<html lang=en><title>x</title><main><img src=x><input></main>")
    page.evaluate(AXE.read_text())
    assert {fault["id"] for fault in page.evaluate(RUN)} >= {"image-alt", "label"}
    page.close()
