"""Headers on every answer, forgery, sizes, methods, arrivals from elsewhere."""

import json
import re

import httpx
import msgspec
import pytest

from tests.web.browser import COOKIE_DOMAIN, NAVIGATION, PARTIAL, Browser, client_of
from tests.web.conftest import SignedUp, Visitor
from tests.world import World
from web.app import create_app
from web.security import cookies
from web.security.csrf import issue, valid

HERE = {"Sec-Fetch-Site": "same-origin"}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types yipay htmx"
)


def nonce_of(answer: httpx.Response) -> str:
    found = re.search(r"'nonce-([\w-]+)'", answer.headers["content-security-policy"])
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/welcome", 200),
        ("GET", "/", 303),
        ("GET", "/no/such/page", 404),
        ("GET", "/static/no.such.file", 404),
        ("PUT", "/sign-in", 405),
        ("POST", "/sign-in", 403),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/version", 200),
    ],
)
async def test_every_answer_is_armoured(
    browser: Browser, method: str, path: str, status: int
) -> None:
    answer = await browser.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["permissions-policy"] == (
        "camera=(self), publickey-credentials-get=(self), payment=(self)"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("content-security-policy") == [
        answer.headers["content-security-policy"]
    ]
    assert "strict-transport-security" not in answer.headers  # http on the loopback
    assert "server" not in answer.headers


async def test_the_policy_is_exact_and_its_nonce_fresh(browser: Browser) -> None:
    first, second = await browser.open("/welcome"), await browser.open("/welcome")
    assert first.headers["content-security-policy"] == POLICY.format(nonce=nonce_of(first))
    assert nonce_of(first) != nonce_of(second)
    assert set(re.findall(r'nonce="([^"]*)"', first.text)) == {nonce_of(first)}


async def test_a_fragment_carries_its_own_nonce(browser: Browser) -> None:
    full = await browser.open("/sign-in")
    part = await browser.client.get("/sign-in", headers=PARTIAL)
    assert "<html" not in part.text
    assert nonce_of(part) != nonce_of(full)
    assert "HX-Request-Type" in part.headers["vary"]
    assert "HX-Request-Type" in full.headers["vary"]


async def test_https_is_pinned_where_it_is_ours(world: World) -> None:
    settings = msgspec.structs.replace(
        world.settings, public_origin="https://pay.example", rp_id="pay.example"
    )
    app = create_app(settings, world.services, world.clock)
    async with app.lifespan(), client_of(app) as client:
        answer = await client.get("/welcome")
    assert answer.headers["strict-transport-security"] == (
        "max-age=63072000; includeSubDomains; preload"
    )


async def test_cookies_are_locked_down(signed_up: SignedUp, visitor: Visitor) -> None:
    stranger = await visitor()
    page = await stranger.open("/welcome")
    [csrf] = page.headers.get_list("set-cookie")
    assert _flags(csrf) == (cookies.CSRF, {"path=/", "samesite=lax", "httponly", "secure"})
    assert not (await stranger.open("/welcome")).headers.get_list("set-cookie")
    browser, key = await signed_up()
    await browser.open("/security")
    await browser.send("/sign-out")
    browser.client.cookies.delete(cookies.DEVICE)
    await browser.open("/sign-in")
    fields = browser.form("/sign-in").fields
    begun = (await browser.begin("/sign-in/ceremony", fields)).json()
    response = key.sign(json.dumps(begun["options"]).encode()).decode()
    done = await browser.client.post(
        "/sign-in",
        data=fields | {"ceremony_id": begun["ceremony_id"], "response_json": response},
        headers=HERE,
    )
    given = dict(_flags(line) for line in done.headers.get_list("set-cookie"))
    strict = {"path=/", "samesite=strict", "httponly", "secure"}
    assert given[cookies.SESSION] - strict == {"max-age=43200"}
    assert given[cookies.DEVICE] - strict == {"max-age=34560000"}
    assert given[cookies.CSRF] >= {"max-age=0"}
    assert all(name.startswith("__Host-") for name in given)


# -- forgery -----------------------------------------------------------------------------------


async def _sign_out(browser: Browser, token: str | None, **headers: str) -> int:
    fields = {} if token is None else {"_csrf_token": token}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await browser.client.post("/sign-out", data=fields, headers=named)
    return answer.status_code


async def _token(browser: Browser) -> str:
    await browser.open("/security")
    return browser.form("/sign-out").fields["_csrf_token"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 303),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:8000"}, 403),
        ({"Origin": "http://localhost:8000"}, 303),
        ({"Origin": "http://localhost:8001"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_requests_come_from_our_own_pages(
    signed_up: SignedUp, headers: dict[str, str], status: int
) -> None:
    browser, _ = await signed_up()
    assert await _sign_out(browser, await _token(browser), **headers) == status


async def test_tokens_belong_to_one_session(signed_up: SignedUp, visitor: Visitor) -> None:
    mine, _ = await signed_up()
    theirs, _ = await signed_up("13800001111", "Bo")
    stranger = await visitor()
    await stranger.open("/sign-in")
    anonymous = stranger.form("/sign-in").fields["_csrf_token"]
    own, other = await _token(mine), await _token(theirs)
    for token in (None, "", "x", "A" * 88, other, anonymous, own[:-4] + "AAA=", own + "A"):
        assert await _sign_out(mine, token, Sec_Fetch_Site="same-origin") == 403
    # HX-Request alone is no token, however true.
    assert await _sign_out(mine, None, Sec_Fetch_Site="same-origin", HX_Request="true") == 403
    assert await _sign_out(mine, own, Sec_Fetch_Site="same-origin") == 303


async def test_a_token_may_come_as_a_header(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    token = await _token(browser)
    answer = await browser.client.post(
        "/sign-out", headers=HERE | {"x-csrftoken": token, "HX-Request": "true"}
    )
    assert answer.status_code == 200
    assert answer.headers["hx-redirect"] == "/welcome"


def test_tokens_look_different_each_time() -> None:
    one, two = issue("secret"), issue("secret")
    assert one != two
    assert valid(one, "secret")
    assert valid(two, "secret")
    assert not valid(one, "other")


async def test_a_refused_forgery_says_so_in_words(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    answer = await browser.client.post(
        "/sign-out", headers={"Sec-Fetch-Site": "cross-site", "Accept-Language": "en"}
    )
    assert answer.status_code == 403
    assert "No money has moved." in answer.text


# -- sizes, methods, failures ------------------------------------------------------------------


async def test_large_bodies_are_refused(browser: Browser) -> None:
    await browser.open("/sign-in")
    fields = browser.form("/sign-in").fields | {"response_json": "x" * 70_000}
    answer = await browser.client.post("/sign-in", data=fields, headers=HERE)
    assert answer.status_code == 413
    assert "<h1" in answer.text


async def test_a_repeated_field_is_no_form_of_ours(browser: Browser) -> None:
    await browser.open("/sign-up")
    token = browser.form("/sign-up").fields["_csrf_token"]
    answer = await browser.client.post(
        "/sign-up",
        content=f"_csrf_token={token}&phone=1&phone=2",
        headers=NAVIGATION | {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400
    assert "No money has moved." in answer.text


async def test_failures_are_pages_and_fragments(browser: Browser) -> None:
    full = await browser.open("/nothing/here")
    assert full.status_code == 404
    assert "<html" in full.text
    assert "There is no such page." in full.text
    assert "No money has moved." in full.text
    part = await browser.client.get("/nothing/here", headers=PARTIAL)
    assert part.status_code == 404
    assert "<html" not in part.text
    assert part.headers["hx-retarget"] == "#main"
    denied = await browser.client.delete("/welcome", headers=HERE)
    assert denied.status_code == 405
    assert "GET" in denied.headers["allow"]


async def test_our_own_bugs_show_no_trace(
    signed_up: SignedUp, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    browser, _ = await signed_up()
    world.risk.crash_before.add("limits")
    answer = await browser.open("/limits")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "Crash" not in answer.text
    assert answer.headers["request-id"] in answer.text
    assert answer.headers["request-id"] in capsys.readouterr().out


async def test_a_part_that_is_away_is_named_and_retried(signed_up: SignedUp, world: World) -> None:
    browser, _ = await signed_up()
    world.risk.down = True
    answer = await browser.open("/limits")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "No money has moved." in answer.text


async def test_the_signed_out_are_led_to_the_door(browser: Browser) -> None:
    plain = await browser.client.get("/limits", headers=NAVIGATION)
    assert (plain.status_code, plain.headers["location"]) == (303, "/sign-in?next=/limits")
    part = await browser.client.get("/limits", headers=NAVIGATION | PARTIAL)
    assert (part.status_code, part.headers["hx-redirect"]) == (200, "/sign-in?next=/limits")


@pytest.mark.parametrize("dest", ["document", "empty"])  # empty: through a service worker
async def test_arrivals_from_elsewhere_go_round_once(signed_up: SignedUp, dest: str) -> None:
    browser, _ = await signed_up()
    kept = browser.client.cookies[cookies.SESSION]
    browser.client.cookies.delete(cookies.SESSION)  # SameSite=Strict: it stays behind
    from_elsewhere = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": dest}
    arrival = await browser.open("/limits", **from_elsewhere)
    assert arrival.status_code == 200
    assert 'content="0;url=http://localhost:8000/limits"' in arrival.text
    tricky = await browser.open("//evil.example/x", **from_elsewhere)
    assert "url=//" not in tricky.text
    browser.client.cookies.set(cookies.SESSION, kept, domain=COOKIE_DOMAIN)
    assert (await browser.open("/limits")).url.path == "/limits"


# -- demo --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["consumer", "shop"])
async def test_demo_entries_do_not_exist_outside_demo(browser: Browser, who: str) -> None:
    page = await browser.open("/welcome")
    assert "/demo/" not in page.text
    headers = HERE | {"x-csrftoken": browser.form("/language").fields["_csrf_token"]}
    answer = await browser.client.post(f"/demo/{who}", headers=headers)
    assert answer.status_code == 404


def _flags(line: str) -> tuple[str, set[str]]:
    first, *rest = (part.strip() for part in line.split(";"))
    return first.partition("=")[0], {part.lower() for part in rest}
