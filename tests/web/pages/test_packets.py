"""Red packets by their pages: putting money in, opening, who got what, the inbox, the end."""

from datetime import timedelta

import pytest

from backend import ids
from backend.redpacket import SendPacket
from tests.web.browser import Browser
from tests.web.pages.conftest import Enter
from tests.web.pages.packets import address, balance, befriend, fill, group_of, packet_of

DAY = timedelta(hours=24, minutes=1)


async def test_a_lucky_packet_is_sent_opened_and_proven(enter: Enter) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    shared = await fill(anna, amount="10.00", count="2")
    assert shared.status_code == 200
    assert "¥10.00 is in the red packet" in shared.text
    packet_id = packet_of(shared)
    seed_hash = (await anna.world.services.redpackets.packet(packet_id)).seed_hash
    assert seed_hash in shared.text  # committed before anybody has opened it

    for guest in (ben, cleo):
        closed = await guest.see(address(packet_id))
        assert "Open the red packet" in closed.text
        opened = await guest.tap(address(packet_id))
        assert opened.url.path == f"/packets/{packet_id}"
        assert "turn--now" in opened.text
    assert await balance(ben) + await balance(cleo) == 10_00

    page = await anna.see(f"/packets/{packet_id}")
    assert "2 of 2 opened" in page.text
    assert page.text.count("chip--gold") == 1  # one is the luckiest
    assert "The seed fits the hash." in page.text
    assert page.text.count('class="ok">✓') == 2
    assert f"yipay verify packet {packet_id}.json" in page.text
    assert f'href="/api/v1/red-packets/{packet_id}/proof"' in page.text
    assert "2^64 − (2^64 mod bound)" in page.text  # how to recompute it, all of it


async def test_no_seed_is_shown_before_the_end(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    page = await ben.see(f"/packets/{packet_id}")
    assert "data-seed" not in page.text
    assert "chip--gold" not in page.text


async def test_opening_again_says_what_one_has_already(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, kind="equal", amount="3", count="2"))
    await ben.see(address(packet_id))
    form = ben.browser.form(address(packet_id))
    await ben.tap(address(packet_id))
    again = await ben.see(address(packet_id))
    assert "You have opened this one already" in again.text
    # The form of an old page, sent once more: the same answer, no second share.
    headers = {"Sec-Fetch-Site": "same-origin"}
    replay = await ben.browser.client.post(
        address(packet_id), data=form.fields, headers=headers, follow_redirects=False
    )
    assert replay.status_code == 303
    assert await balance(ben) == 3_00


async def test_htmx_turns_the_page_without_loading_another(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await ben.see(address(packet_id))
    answer = await ben.tap_htmx(address(packet_id))
    assert answer.status_code == 200
    assert answer.headers["hx-push-url"] == f"/packets/{packet_id}"
    assert "<html" not in answer.text
    assert "turn--now" in answer.text
    assert "turn--now" not in (await ben.see(f"/packets/{packet_id}")).text


async def test_too_late(enter: Enter) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="1"))
    await cleo.see(address(packet_id))  # grabbed while there was something: reserves nothing
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    late = await cleo.tap(address(packet_id))
    assert late.status_code == 409
    assert "Open the red packet" not in late.text
    assert await balance(cleo) == 0
    assert (await cleo.see(address(packet_id))).status_code == 409


async def test_an_exclusive_packet_is_for_one_friend(enter: Enter) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    await befriend(anna, ben)
    shared = await fill(anna, kind="exclusive", amount="8.88", to_person=ben.wallet.person_id)
    packet_id = packet_of(shared)
    inbox = await ben.see("/packets")
    assert address(packet_id) in inbox.text
    assert 'class="dot">1' in inbox.text
    assert "firsts__count" in (await ben.see("/")).text
    assert (await cleo.see(address(packet_id))).status_code == 403
    await ben.see(address(packet_id))
    assert "firsts__count" not in (await ben.see("/")).text  # looked at
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    assert await balance(ben) == 8_88
    assert (await anna.see(address(packet_id))).url.path == f"/packets/{packet_id}"


async def test_a_packet_for_a_group(enter: Enter) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    group_id = await group_of(anna, ben)
    refused = await fill(anna, amount="5", count="3", to_group=group_id)
    assert refused.status_code == 422
    assert "more packets than the group has members" in refused.text
    packet_id = packet_of(await fill(anna, amount="5", count="2", to_group=group_id))
    assert address(packet_id) in (await ben.see("/packets")).text
    assert (await cleo.see(address(packet_id))).status_code == 403


async def test_a_passcode_has_limited_tries(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(
        await fill(anna, kind="passcode", amount="5", count="2", passcode="新年快乐")
    )
    await ben.see(address(packet_id))
    wrong = await ben.tap(address(packet_id), {"passcode": "圣诞快乐"})
    assert wrong.status_code == 422
    assert 'name="passcode"' in wrong.text
    right = await ben.tap(address(packet_id), {"passcode": "新年快乐"})
    assert right.url.path == f"/packets/{packet_id}"
    dan = await enter()
    await dan.see(address(packet_id))
    for _ in range(5):
        await dan.tap(address(packet_id), {"passcode": "不对"})
    spent = await dan.see(address(packet_id))
    if f'action="{address(packet_id)}"' in spent.text:
        spent = await dan.tap(address(packet_id), {"passcode": "新年快乐"})
    assert spent.url.path == address(packet_id)
    assert await balance(dan) == 0


async def test_what_is_left_after_a_day_goes_back(enter: Enter) -> None:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    packet_id = packet_of(await fill(anna, amount="10", count="2"))
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    got, world = await balance(ben), anna.world
    world.clock.move(DAY)
    expired = await cleo.see(address(packet_id))
    assert expired.status_code == 410
    await world.services.redpackets.sweep()
    await world.services.redpackets.sweep()  # once is enough
    assert await balance(anna) == 100_00 - got
    page = await anna.see(f"/packets/{packet_id}")
    assert "went back to the sender" in page.text
    assert "The seed fits the hash." in page.text
    sent = await anna.see("/packets?box=sent")
    assert "Returned" in sent.text
    bills = await world.services.bills.page(anna.wallet.person_id, "", 5)
    [back] = [bill for bill in bills.bills if bill.kind == "packet_return"]
    assert f'href="/packets/{packet_id}"' in (await anna.see(f"/bills/{back.bill_id}")).text


async def test_thanks(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    action = f"/packets/{packet_id}/thanks"
    refused = await ben.tap(action, {"thanks": "谢谢\u202e老板"})
    assert refused.status_code == 422
    await ben.tap(action, {"thanks": "谢谢老板 <b>"})
    page = await anna.see(f"/packets/{packet_id}")
    assert "谢谢老板 &lt;b&gt;" in page.text


WRONG = [
    ({"amount": "0", "count": "3"}, "The amount must be more than"),
    ({"amount": "-5", "count": "3"}, "The amount must be more than"),
    ({"amount": "0.02", "count": "3"}, "At least ¥0.01 in each packet."),
    ({"amount": "600.01", "count": "3"}, "At most ¥200 in each packet."),
    ({"amount": "200.01", "count": "1", "kind": "equal"}, "At most ¥200 in each packet."),
    ({"amount": "5", "count": "101"}, "At most 100 packets at once."),
    ({"amount": "5", "count": "0"}, "Enter how many packets: 1 to 100."),
    ({"amount": "5", "count": "x"}, "Enter how many packets: 1 to 100."),
    ({"amount": "5", "kind": "exclusive"}, "Choose a friend."),
    ({"amount": "5", "count": "2", "kind": "passcode"}, "A passcode has 2 to 20 characters."),
    ({"amount": "5", "count": "2", "greeting": "福" * 26}, "A greeting has at most 25 characters"),
    ({"amount": "5", "count": "2", "kind": "bonus"}, "Choose a kind."),
]


@pytest.mark.parametrize(("fields", "said"), WRONG)
async def test_what_is_wrong_is_said_on_top(
    enter: Enter, fields: dict[str, str], said: str
) -> None:
    anna = await enter(1000_00)
    answer = await fill(anna, **fields)
    assert answer.status_code == 422
    assert said in answer.text.split('id="errors"')[1][:600]
    assert await balance(anna) == 1000_00


async def test_control_characters_in_a_greeting_are_refused(enter: Enter) -> None:
    anna = await enter(100_00)
    answer = await fill(anna, amount="5", count="2", greeting="恭喜\u202e发财")
    assert answer.status_code == 422
    assert await balance(anna) == 100_00


async def test_an_empty_greeting_is_the_usual_one(enter: Enter) -> None:
    anna = await enter(100_00)
    assert "恭喜发财，大吉大利" in (await fill(anna, amount="5", count="2")).text


async def test_a_visitor_sees_the_envelope_and_comes_back(enter: Enter, browser: Browser) -> None:
    anna = await enter(100_00)
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    answer = await browser.open(address(packet_id).upper())
    assert f"/sign-in?next={address(packet_id)}" in answer.text
    assert f"/sign-up?next={address(packet_id)}" in answer.text
    assert "¥5" not in answer.text  # how much is in it is nobody's business yet


@pytest.mark.parametrize("path", ["/r/00000000000000000000000000", "/r/x", "/packets/red_x"])
async def test_a_forged_address_leads_nowhere(enter: Enter, path: str) -> None:
    assert (await (await enter()).see(path)).status_code == 404


async def test_details_are_for_those_concerned(enter: Enter) -> None:
    anna, cleo = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    for path in (f"/packets/{packet_id}", f"/packets/{packet_id}/share"):
        assert (await cleo.see(path)).status_code == 404


async def test_sums_and_a_file_by_year(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="1", greeting="=1+1"))
    await ben.see(address(packet_id))
    await ben.tap(address(packet_id))
    received = await ben.see("/packets?box=received")
    assert packet_id in received.text
    file = await ben.see("/packets.csv?box=received")
    assert file.headers["content-type"].startswith("text/csv")
    assert "5.00" in file.text
    assert ",'=1+1," in file.text
    assert packet_id in (await anna.see("/packets.csv?box=sent")).text
    assert (await ben.see("/packets.csv?box=other")).status_code == 400
    assert (await ben.see("/packets?box=sent&year=1")).status_code == 400


@pytest.mark.parametrize("path", ["/packets", "/packets/new", "/packets?box=sent"])
async def test_a_page_and_its_part(enter: Enter, path: str) -> None:
    guest = await enter(100_00)
    page, part = await guest.see(path), await guest.part(path)
    assert page.status_code == part.status_code == 200
    assert "<html" not in part.text
    for forbidden in ("style=", "<style", "onclick=", "hx-on", "js:", "javascript:"):
        assert forbidden not in page.text


@pytest.mark.parametrize("path", ["/packets", "/packets/new"])
async def test_nobody_sees_it_without_signing_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_the_same_form_twice_sends_once(enter: Enter) -> None:
    anna = await enter(100_00)
    await anna.see("/packets/new")
    fields = {"kind": "lucky", "amount": "5", "count": "2"}
    form = anna.browser.form("/packets")
    first = await anna.tap("/packets", fields)
    data = form.fields | fields
    await anna.browser.client.post("/packets", data=data, headers={"Sec-Fetch-Site": "same-origin"})
    assert first.status_code == 200
    assert await balance(anna) == 95_00


async def test_too_little_money(enter: Enter) -> None:
    anna = await enter(1_00)
    answer = await fill(anna, amount="5", count="2")
    assert answer.status_code == 422
    assert await balance(anna) == 1_00


async def test_the_inbox_lists_what_goes_soon(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    await befriend(anna, ben)
    sent = SendPacket(
        packet_id=ids.new("red"),
        payment_id=ids.new("pay"),
        sender_id=anna.wallet.person_id,
        kind="exclusive",
        total_fen=1_00,
        count=1,
        to_person=ben.wallet.person_id,
        device_secret=anna.wallet.device_secret,
    )
    await anna.world.services.redpackets.send(sent)
    assert " left</span>" not in (await ben.see("/packets")).text
    anna.world.clock.move(timedelta(hours=22))
    assert "2 hr left</span>" in (await ben.see("/packets")).text
