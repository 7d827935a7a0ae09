"""Nobody posts without end; and every part that refreshes itself is known as such."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

import web.session
from tests.web.pages.conftest import Enter, Till
from web.security.throttle import MONEY, PER_MINUTE, PERSON_PER_MINUTE
from web.session import REFRESHING

TEMPLATES = Path(web.session.__file__).parent / "templates"
_TAG = re.compile(r"<([a-z]+)\b[^<>]*?\bhx-trigger=\"([^\"]*)\"", re.DOTALL)
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def test_all_parts_that_refresh_themselves_are_known() -> None:
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        for tag in _TAG.finditer(_JINJA.sub("", path.read_text())):
            if "every" in tag[2] or "from:#live" in tag[2]:
                name = re.search(r'\bid="([^"]+)"', tag[0])
                assert name is not None, path
                found.add(f"{tag[1]}#{name[1]}")
    assert found == REFRESHING


@pytest.mark.parametrize("route", sorted(MONEY))
async def test_a_person_posts_so_often_a_minute(till: Till, enter: Enter, route: str) -> None:
    other, guest = await enter(trusted=False), till.owner
    await guest.see("/cards/new")
    data = {"_csrf_token": guest.browser.form("/cards").fields["_csrf_token"]}
    route = route.replace("{", "").replace("}", "")
    for _ in range(PERSON_PER_MINUTE):
        answer = await guest.browser.begin(route, data)
        assert answer.status_code not in (429, 500), answer.text
    braked = await guest.browser.begin(route, data)
    assert (braked.status_code, braked.headers["retry-after"]) == (429, "60")
    assert "Wait a minute" in braked.json()["message"]
    # Another person is not kept waiting, nor this one a minute later.
    await other.see("/cards/new")
    assert (await other.tap("/cards")).status_code == 422
    till.world.clock.move(timedelta(minutes=1))
    assert (await guest.browser.begin(route, data)).status_code != 429


async def test_codes_are_not_guessed_by_reading(till: Till, enter: Enter) -> None:
    guest, stranger = till.owner, await enter(trusted=False)
    await guest.awake()
    for n in range(PERSON_PER_MINUTE):
        assert (await guest.browser.client.get(f"/p/{n:08d}")).status_code == 404
    assert (await guest.browser.client.get("/p/99999999")).status_code == 429
    assert (await stranger.browser.client.get("/p/99999999")).status_code == 404
    stranger.browser.client.cookies.clear()
    answers = [
        (await stranger.browser.client.get(f"/p/{n:08d}")).status_code
        for n in range(PER_MINUTE + 1)
    ]
    assert (set(answers[:-1]), answers[-1]) == ({404}, 429)
