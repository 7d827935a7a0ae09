"""A packet that is filled in and not paid, or not known to be: one packet, never a second one."""

import re

from backend.db import TX
from tests.web.pages.conftest import Enter
from tests.web.pages.packets import address, balance, befriend, fill, force, packet_of, sign

FORM = 'action="/packets"'
WISH = {"kind": "lucky", "cover": "peony", "amount": "12.34", "count": "3", "greeting": "步步高升"}


def links(text: str) -> list[str]:
    return re.findall(r'href="(/packets/[^"]*)"', text)


async def stored() -> list[str]:
    return [row["packet_id"] for row in await TX.query("select packet_id from redpacket.packet")]


async def test_a_lost_answer_leads_to_the_packet_and_pays_once(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    world = anna.world
    world.ledger.lost |= {"post", "outcome"}
    try:
        answer = await fill(anna, amount="5", count="1")
        [packet_id] = await stored()
        assert answer.status_code == 503
        assert FORM not in answer.text
        assert f"/packets/{packet_id}/share" in links(answer.text)
        assert "/packets/new" not in answer.text
        for path in ("share", "payment"):
            waiting = await anna.see(f"/packets/{packet_id}/{path}")
            assert waiting.url.path == f"/packets/{packet_id}/share"
            assert "The red packet is being filled" in waiting.text
            assert FORM not in waiting.text
        again = await force(anna, f"/packets/{packet_id}/payment")  # the button of an old page
        assert FORM not in again.text
    finally:
        world.ledger.heal()
    world.later(minutes=2)
    await world.services.payments.sweep()
    await world.services.redpackets.sweep()
    shared = await anna.see(f"/packets/{packet_id}/share")
    assert "¥5.00 is in the red packet" in shared.text
    assert await balance(anna) == 95_00
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    assert await balance(ben) == 5_00
    assert await stored() == [packet_id]


async def test_who_left_the_passkey_pays_the_same_packet(enter: Enter) -> None:
    anna = await enter(2000_00)
    await anna.see("/packets/new")
    asked = await anna.tap("/packets", WISH | {"amount": "900", "count": "6"})
    assert "data-ceremony" in asked.text
    [packet_id] = await stored()
    here = f"/packets/{packet_id}/payment"
    kept = await anna.see(here)
    for said in ("Not paid yet", "步步高升", "No money has moved."):
        assert said in kept.text
    shared = await sign(anna, await anna.tap(here))
    assert shared.url.path == f"/packets/{packet_id}/share"
    assert await balance(anna) == 1_100_00
    assert (await anna.see(here)).url.path == f"/packets/{packet_id}/share"
    assert await stored() == [packet_id]


async def test_a_failed_passkey_ends_it_and_keeps_what_was_typed(enter: Enter) -> None:
    anna = await enter(2000_00)
    await anna.see("/packets/new")
    await anna.tap("/packets", WISH | {"amount": "900", "count": "6"})
    [packet_id] = await stored()
    failed = await anna.tap(
        f"/packets/{packet_id}/confirmation", {"ceremony_id": "x", "response_json": "{}"}
    )
    assert "No money has moved." in failed.text
    assert f"/packets/new?again={packet_id}" in links(failed.text)
    assert "No money has moved." in (await anna.see(f"/packets/{packet_id}/payment")).text
    await anna.see(f"/packets/new?again={packet_id}")
    form = anna.browser.form("/packets").fields
    assert (form["amount"], form["count"], form["greeting"]) == ("900.00", "6", "步步高升")
    assert form["packet_id"] != packet_id


async def test_a_passkey_page_that_is_loaded_again_is_the_packet(enter: Enter) -> None:
    anna = await enter(2000_00)
    await anna.see("/packets/new")
    asked = await anna.tap_htmx("/packets", WISH | {"amount": "900", "count": "6"})
    [packet_id] = await stored()
    assert asked.headers["hx-push-url"] == f"/packets/{packet_id}/payment"
    unpaid = await anna.see(f"/packets/{packet_id}/share")
    assert unpaid.url.path == f"/packets/{packet_id}/payment"


async def test_after_a_top_up_nothing_has_to_be_typed_again(enter: Enter) -> None:
    anna = await enter(1_00)
    await anna.see("/packets/new")
    poor = await anna.tap("/packets", WISH)
    assert poor.status_code == 422
    back = re.search(r'href="/topups/new\?return_to=([^"]+)"', poor.text)
    assert back is not None
    topup = await anna.see(f"/topups/new?return_to={back[1]}")
    assert f'href="{back[1]}"' in topup.text
    await anna.world.fund(anna.wallet, 100_00)
    kept = await anna.see(back[1])
    assert "步步高升" in kept.text
    assert back[1].endswith("/payment")
    assert "¥12.34 is in the red packet" in (await anna.tap(back[1])).text
    assert await balance(anna) == 101_00 - 12_34


async def test_the_security_system_is_away(enter: Enter) -> None:
    anna = await enter(100_00)
    anna.world.risk.down = True
    try:
        away = await fill(anna, **WISH)
    finally:
        anna.world.risk.heal()
    assert away.status_code == 503
    assert "retry-after" in away.headers
    [packet_id] = await stored()
    assert FORM not in away.text
    await anna.see(f"/packets/{packet_id}/payment")
    shared = await anna.tap(f"/packets/{packet_id}/payment")
    assert "¥12.34 is in the red packet" in shared.text


async def test_a_form_that_was_changed_after_going_back(enter: Enter) -> None:
    """The first one is not paid, so the changed one is another packet; the first can be paid
    only on its own page."""
    anna = await enter(2000_00)
    await anna.see("/packets/new")
    form = anna.browser.page
    await anna.tap("/packets", WISH | {"amount": "900", "count": "6"})
    anna.browser.page = form
    changed = await anna.tap("/packets", WISH | {"amount": "899", "count": "6"})
    assert changed.status_code == 409
    assert FORM in changed.text
    assert await balance(anna) == 2000_00


async def test_a_form_that_was_paid_and_changed_pays_nothing_more(enter: Enter) -> None:
    anna = await enter(100_00)
    await anna.see("/packets/new")
    form = anna.browser.page
    packet_id = packet_of(await anna.tap("/packets", WISH))
    anna.browser.page = form
    changed = await anna.tap("/packets", WISH | {"amount": "20"})
    assert FORM not in changed.text
    assert f"/packets/{packet_id}/payment" in links(changed.text)
    assert await balance(anna) == 100_00 - 12_34


async def test_another_persons_packet_is_not_there(enter: Enter) -> None:
    anna, eve = await enter(100_00), await enter(100_00)
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    for path in ("payment", "share"):
        assert (await eve.see(f"/packets/{packet_id}/{path}")).status_code == 404
    assert (await eve.see(f"/packets/new?again={packet_id}")).status_code == 404
    assert (await force(eve, f"/packets/{packet_id}/payment")).status_code == 404


async def test_send_another_like_it(enter: Enter) -> None:
    anna = await enter(100_00)
    await anna.see("/packets/new")
    packet_id = packet_of(await anna.tap("/packets", WISH | {"kind": "equal", "amount": "3.50"}))
    again = await anna.see(f"/packets/new?again={packet_id}")
    form = anna.browser.form("/packets").fields
    assert (form["amount"], form["count"], form["greeting"]) == ("3.50", "3", "步步高升")
    assert form["packet_id"] != packet_id
    for chosen in ("equal", "peony"):
        assert f'value="{chosen}" checked' in again.text


async def test_a_bill_leads_to_sending_it_again(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, **WISH))
    [bill] = (await anna.world.services.bills.page(anna.wallet.person_id, "", 1)).bills
    assert f"/packets/new?again={packet_id}" in (await anna.see(f"/bills/{bill.bill_id}")).text
    await befriend(anna, ben)
    await anna.see(f"/send/{ben.wallet.person_id}")
    await anna.tap(f"/send/{ben.wallet.person_id}", {"amount": "3.21", "delay": "0"})
    here = anna.browser.page.url.path
    assert "Transferred" in (await anna.tap(f"{here}/payment")).text
    sent = (await anna.world.services.bills.page(anna.wallet.person_id, "", 5)).bills
    [transfer] = [one for one in sent if one.kind == "transfer"]
    again = f"/send/{ben.wallet.person_id}?amount=3.21"
    assert again in (await anna.see(f"/bills/{transfer.bill_id}")).text
    await anna.see(again)
    assert anna.browser.form(f"/send/{ben.wallet.person_id}").fields["amount"] == "3.21"
    # Who got it may block whom it came from.
    assert "Money received" in (await ben.see(here)).text
    await ben.tap(f"/friends/{anna.wallet.person_id}/block")
    friends = ben.world.services.friends
    assert await friends.blocked_between(ben.wallet.person_id, anna.wallet.person_id)
