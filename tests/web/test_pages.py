"""Every page, whole and in part: drawn in both languages, valid under the policy, no leak."""

import re

import pytest
from litestar import Litestar

from tests.web.browser import NAVIGATION, PARTIAL, Browser
from tests.web.conftest import SignedUp, Visitor
from web import nowhere

PUBLIC = ("/welcome", "/sign-up", "/sign-up/known", "/sign-in", "/signed-out", "/devices/new")
PRIVATE = (
    "/",
    "/security",
    "/freeze",
    "/limits",
    "/code",
    "/code/ahead",
    "/receive",
    "/receive/amount",
)

INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|[\"']js:|<iframe|<base",
    re.IGNORECASE,
)
ABSOLUTE = re.compile(r"(?:src|href|action)=\"(?:https?:)?//", re.IGNORECASE)
# hx-ignore asks for nothing: it marks what people have typed.
TAG = re.compile(r"<[a-z][^>]*\shx-(?!ignore)[a-z][^>]*>", re.IGNORECASE)


async def _check(browser: Browser, path: str) -> None:
    for language in ("zh-CN", "en"):
        headers = NAVIGATION | {"Accept-Language": language, "Cookie": ""}
        if browser.client.cookies:
            headers.pop("Cookie")
        for extra in ({}, PARTIAL):
            answer = await browser.client.get(path, headers=headers | extra)
            assert answer.status_code == 200, path
            assert ("<html" in answer.text) == (not extra), path
            assert not INLINE.search(answer.text), INLINE.search(answer.text)
            assert not ABSOLUTE.search(answer.text), ABSOLUTE.search(answer.text)
            assert answer.headers["cache-control"] == "no-store"
            for tag in TAG.findall(answer.text):
                assert "hx-nonce=" in tag, f"{path}: {tag}"


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_pages(browser: Browser, path: str) -> None:
    await _check(browser, path)


async def test_private_pages(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    for path in PRIVATE:
        await _check(browser, path)


async def test_private_pages_want_a_session(browser: Browser, app: Litestar) -> None:
    """Every address without parameters that is not listed as public leads to a door."""
    opened = {"/manifest.webmanifest", "/sw.js", "/offline", "/sign-up/code", "/sign-up/passkey"}
    opened |= {"/receipt-keys.json", "/.well-known/assetlinks.json"}
    opened.add("/.well-known/apple-app-site-association")
    for route in app.routes:
        if "GET" not in getattr(route, "methods", ()) or "{" in route.path:
            continue
        if route.path in opened.union(PUBLIC):
            continue
        answer = await browser.client.get(route.path, headers=NAVIGATION)
        assert answer.status_code == 303, route.path
        assert answer.headers["location"].split("?")[0] in {"/welcome", "/sign-in"}, route.path


async def test_every_changing_route_wants_a_token(browser: Browser, app: Litestar) -> None:
    for route in app.routes:
        if "POST" not in getattr(route, "methods", ()) or route.path == nowhere.PATH:
            continue
        path = re.sub(r"\{[^}]+\}", "x", route.path)
        answer = await browser.client.post(path, headers={"Sec-Fetch-Site": "same-origin"})
        expected = 400 if route.path == "/bank/callbacks" else 403
        assert answer.status_code == expected, route.path


@pytest.mark.parametrize(("language", "title"), [("en", "Welcome"), ("zh-CN", "欢迎")])
async def test_visitors_choose_a_language(browser: Browser, language: str, title: str) -> None:
    await browser.open("/welcome")
    await browser.send("/language", {"language": language})
    page = await browser.open("/welcome", Accept_Language="fr")
    assert f'<html lang="{language}"' in page.text
    assert f"<title>{title}" in page.text


async def test_a_person_keeps_a_language_on_all_devices(
    signed_up: SignedUp, visitor: Visitor
) -> None:
    browser, key = await signed_up()
    await browser.open("/security")
    await browser.send("/language", {"language": "zh-CN"})
    other = await visitor()
    await other.open("/sign-in")
    await other.ceremony("/sign-in", key)
    assert '<html lang="zh-CN"' in (await other.open("/security")).text


async def test_an_unknown_language_is_refused(browser: Browser) -> None:
    await browser.open("/welcome")
    answer = await browser.send("/language", {"language": "tlh"})
    assert answer.status_code == 400


async def test_names_are_shown_as_text(signed_up: SignedUp) -> None:
    browser, _ = await signed_up(name="<b>x</b>")
    for path in PRIVATE:
        page = await browser.open(path)
        assert "<b>x</b>" not in page.text
    assert "&lt;b&gt;x&lt;/b&gt;" in (await browser.open("/security")).text


async def test_the_first_load_is_light(signed_up: SignedUp, app: Litestar) -> None:
    """At most 80 KB on the wire, page and everything it names; 50 KB is the goal."""
    browser, _ = await signed_up()
    page = await browser.client.get("/", headers=NAVIGATION)
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+|/manifest[^"]+)"', page.text))
    weight = int(page.headers["content-length"])
    for name in names:
        weight += int((await browser.client.get(name)).headers["content-length"])
    assert len(names) > 5
    assert weight <= 80_000


async def test_a_part_that_becomes_the_page_brings_title_and_bar(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    whole = PARTIAL | {"HX-Target": "main#main"}
    part = (await browser.client.get("/limits", headers=NAVIGATION | whole)).text
    assert "<title>Limits · YiPay</title>" in part
    assert 'hx-target="#topbar"' in part
    assert 'id="topbar"' in part
    inner = await browser.client.get(
        "/limits", headers=NAVIGATION | PARTIAL | {"HX-Target": "div#board"}
    )
    assert "<title>" not in inner.text
    assert 'id="topbar"' not in inner.text


async def test_nowhere_keeps_the_frame(signed_up: SignedUp, browser: Browser) -> None:
    """Somebody signed in who mistypes an address still has the navigation."""
    person, _ = await signed_up()
    lost = await person.open("/nothing")
    assert lost.status_code == 404
    assert 'class="side"' in lost.text
    assert 'class="side"' not in (await browser.open("/nothing")).text


@pytest.mark.parametrize("path", ["/welcome", "/sign-in", "/static/css/base.css", "/nothing"])
async def test_head_is_get_without_a_body(browser: Browser, path: str) -> None:
    head = await browser.client.head(path, headers=NAVIGATION)
    get = await browser.client.get(path, headers=NAVIGATION)
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""


async def test_links_of_home_lead_somewhere(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    home = await browser.open("/")
    for path in sorted(set(re.findall(r'href="(/[a-z][a-z/-]*)"', home.text))):
        assert (await browser.open(path)).status_code == 200, path
