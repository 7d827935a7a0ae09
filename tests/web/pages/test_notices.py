"""The bell, the list of notices, and what somebody wants to be told."""

from datetime import UTC, datetime

import pytest

from backend import ids
from backend.db import TX
from backend.events import News
from backend.notices import Notice
from backend.notices.kinds import ALL, KINDS
from backend.texts import LOCALES, catalogue
from backend.wallet.telling import said
from tests.transfers.people import Two, ask, befriend, send
from tests.web.browser import Browser
from tests.web.pages.conftest import Enter, Guest
from tests.world import World
from web.notices import PAGE_SIZE, path_of


@pytest.fixture
async def friends(enter: Enter, world: World) -> tuple[Guest, Guest]:
    """The first has sent the second something to eat from."""
    payer, payee = await enter(500_00), await enter(name="李雷")
    await befriend(world, payer.wallet, payee.wallet)
    await send(world, Two(payer=payer.wallet, payee=payee.wallet), note="<b>午饭</b>")
    return payer, payee


async def test_the_bell_counts_and_the_list_tells(friends: tuple[Guest, Guest]) -> None:
    payer, payee = friends
    home = await payee.see("/")
    assert 'class="bell__count">2<' in home.text  # who asked to be a friend, and the money
    page = await payee.see("/notices")
    assert "安娜 sent you ¥88.00" in page.text
    assert "&lt;b&gt;午饭&lt;/b&gt;" in page.text
    assert "2 unread" in page.text
    assert "bell__count" not in (await payer.see("/notices/bell")).text.replace(
        'class="bell__count">1', ""
    )


async def test_a_notice_leads_to_its_thing_and_is_read_by_that(
    friends: tuple[Guest, Guest], world: World
) -> None:
    _, payee = friends
    newest = (await world.services.notices.page(payee.wallet.person_id, "", 1)).notices[0]
    thing = await payee.see(f"/notices/{newest.notice_id}")
    assert thing.url.path == f"/transfers/{newest.ref}"
    assert "1 unread" in (await payee.see("/notices")).text


async def test_all_that_was_seen_is_read_and_no_more(
    friends: tuple[Guest, Guest], world: World
) -> None:
    payer, payee = friends
    await payee.see("/notices")
    await ask(world, payer.wallet, (payee.wallet, 9_00))  # while the page is open
    page = await payee.tap("/notices/read")
    assert page.url.path == "/notices"
    assert "1 unread" in page.text
    page = await payee.tap("/notices/read")
    assert 'action="/notices/read"' not in page.text


async def test_a_kind_is_switched_off_with_and_without_script(
    friends: tuple[Guest, Guest],
) -> None:
    payer, _ = friends
    await payer.see("/notices/switches")
    assert payer.browser.page.text.count("Always on") == sum(
        rule.area == "security" for rule in ALL
    )
    page = await payer.tap("/notices/switches/transfer")
    assert page.url.path == "/notices/switches"
    assert page.text.count('aria-checked="false"') == 1
    part = await payer.tap_htmx("/notices/switches/transfer")
    assert 'aria-checked="true"' in part.text
    assert "<html" not in part.text


@pytest.mark.parametrize(
    ("kind", "to", "status"), [("frozen", "off", 400), ("gossip", "off", 404), ("topup", "?", 400)]
)
async def test_what_can_not_be_switched(enter: Enter, kind: str, to: str, status: int) -> None:
    guest = await enter()
    await guest.see("/notices/switches")
    fields = guest.browser.form("/notices/switches/topup").fields | {"to": to}
    answer = await guest.browser.client.post(
        f"/notices/switches/{kind}", data=fields, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == status


async def test_older_ones_are_on_further_pages(enter: Enter, world: World) -> None:
    guest = await enter()
    topic = f"person:{guest.wallet.person_id}"
    async with TX.transaction():
        await world.services.events.record_all(
            tuple(News(topic, "packet_received", ids.new("red")) for _ in range(PAGE_SIZE + 3))
        )
    page = await guest.see("/notices")
    assert page.text.count('class="row notice') == PAGE_SIZE
    href = page.text.split('href="/notices?cursor=')[1].split('"')[0]
    older = await guest.see(f"/notices?cursor={href}")
    assert older.text.count('class="row notice') == 3
    assert (await guest.see("/notices?cursor=tampered")).status_code == 400


async def test_another_persons_notice_does_not_exist(
    friends: tuple[Guest, Guest], world: World
) -> None:
    payer, payee = friends
    theirs = (await world.services.notices.page(payee.wallet.person_id, "", 1)).notices[0]
    assert (await payer.see(f"/notices/{theirs.notice_id}")).status_code == 404
    assert (await payer.see("/notices/ntc_1")).status_code == 404
    await payer.see("/notices")
    answer = await payer.tap("/notices/read", {"up_to": "x"})
    assert answer.status_code == 400


async def test_nobody_is_told_without_signing_in(browser: Browser) -> None:
    for path in ("/notices", "/notices/bell", "/notices/switches"):
        await browser.open(path)
        assert browser.page.url.path == "/sign-in"


async def test_who_has_none_is_told_that(enter: Enter) -> None:
    guest = await enter()
    assert "Nothing to tell" in (await guest.see("/notices")).text


def _notice(kind: str, state: str = "", name: str = "李雷") -> Notice:
    return Notice(
        notice_id=ids.new("ntc"),
        kind=kind,
        area="money",
        ref="ref_1",
        state=state,
        name=name,
        amount_fen=8_88,
        done=1,
        of=3,
        at=datetime(2026, 11, 23, tzinfo=UTC),
        read=False,
    )


STATES = {
    "topup": ("succeeded", "refused"),
    "withdrawal": ("succeeded", "refused"),
    "transfer": ("waiting", "arrived", "recalled", "sent_arrived", "sent_recalled"),
    "request": ("open", "paid", "declined", "withdrawn", "expired"),
    "request_answered": ("paid", "declined", "expired"),
    "friend_asked": ("asking", "friends", ""),
    "packet_received": ("open", "mine", "empty", "expired", "passcode"),
    "packet_ended": ("empty", "expired", "returned"),
}


@pytest.mark.parametrize("language", list(LOCALES))
def test_every_kind_has_words(language: str) -> None:
    words = catalogue(language)
    for rule in ALL:
        for state in STATES.get(rule.kind, ("",)):
            told = said(words, _notice(rule.kind, state))
            assert told.title
            assert "{" not in told.title + told.more
            assert told.title != rule.kind
            assert "notice" not in told.title + told.more
            bare = said(words, _notice(rule.kind, state, name=""))
            assert bare.title
            assert "  " not in bare.title


def test_every_kind_leads_somewhere() -> None:
    for rule in KINDS.values():
        path = path_of(_notice(rule.kind))
        assert path.startswith("/")
        assert "{" not in path
