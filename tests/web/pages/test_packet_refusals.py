"""What red packets refuse, in the words of both languages: sending and opening, by the pages and
around them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import httpx
import pytest

from backend.db import SEC
from tests.web.pages.conftest import Enter, Guest
from tests.web.pages.packets import (
    address,
    balance,
    befriend,
    fill,
    force,
    group_of,
    packet_of,
)

DAY = timedelta(hours=24, minutes=1)
Ask: TypeAlias = Callable[[], Awaitable[httpx.Response]]

SENDING = [
    ("zero", {"amount": "0"}, "金额必须大于 ¥0.00。", "The amount must be more than ¥0.00."),
    ("negative", {"amount": "-5"}, "金额必须大于 ¥0.00。", "The amount must be more than ¥0.00."),
    (
        "more shares than fen",
        {"amount": "0.02"},
        "每个红包最少 0.01 元",
        "At least ¥0.01 in each packet.",
    ),
    (
        "above what one may hold",
        {"amount": "600.01"},
        "每个红包最多 200 元",
        "At most ¥200 in each packet.",
    ),
    (
        "above what one may hold, equal",
        {"amount": "200.01", "kind": "equal"},
        "每个红包最多 200 元",
        "At most ¥200 in each packet.",
    ),
    (
        "too many at once",
        {"count": "101"},
        "一次最多发 100 个红包",
        "At most 100 packets at once.",
    ),
    (
        "above the day's limit",
        {"amount": "5000.01", "count": "100"},
        "超出今日可发额度。",
        "More than you may send today.",
    ),
    (
        "an over-long greeting",
        {"greeting": "福" * 26},
        "祝福语最多 25 个字",
        "A greeting has at most 25 characters",
    ),
    (
        "a control character in the greeting",
        {"greeting": "恭喜\x07发财"},
        "且不能含有看不见的字符。",
        "and no hidden ones.",
    ),
    (
        "a bidirectional override in the greeting",
        {"greeting": "恭喜\u202e发财"},
        "且不能含有看不见的字符。",
        "and no hidden ones.",
    ),
    (
        "a control character in the passcode",
        {"kind": "passcode", "passcode": "芝麻\x07开门"},
        "口令只能是一行文字，不能含有隐藏字符。",
        "A passcode is one line, with nothing hidden in it.",
    ),
    (
        "a bidirectional override in the passcode",
        {"kind": "passcode", "passcode": "芝麻\u202e开门"},
        "口令只能是一行文字，不能含有隐藏字符。",
        "A passcode is one line, with nothing hidden in it.",
    ),
]


async def speak(guest: Guest, language: str) -> None:
    await guest.world.services.identity.set_language(guest.wallet.person_id, language)


@pytest.mark.parametrize(("language", "word"), [("zh-CN", 2), ("en", 3)])
async def test_sending(enter: Enter, language: str, word: int) -> None:
    anna = await enter(6000_00)
    await speak(anna, language)
    for case in SENDING:
        answer = await fill(anna, **{"amount": "5", "count": "3"} | case[1])
        assert 400 <= answer.status_code < 500, case[0]
        said = answer.text.split('id="errors"')
        assert len(said) == 2, case[0]
        assert str(case[word]) in said[1][:600], case[0]
    assert await balance(anna) == 6000_00


async def expired(enter: Enter) -> tuple[Guest, Ask]:
    anna, cleo = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    cleo.world.clock.move(DAY)
    return cleo, lambda: cleo.see(address(packet_id))


async def expired_by_post(enter: Enter) -> tuple[Guest, Ask]:
    anna, cleo = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    cleo.world.clock.move(DAY)
    await cleo.awake()
    return cleo, lambda: force(cleo, address(packet_id))


async def all_taken(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="1"))
    await force(ben, address(packet_id))
    return cleo, lambda: force(cleo, address(packet_id))


async def already_opened(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await force(ben, address(packet_id))
    return ben, lambda: ben.see(address(packet_id))


async def not_in_the_group(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    group_id = await group_of(anna, ben)
    packet_id = packet_of(await fill(anna, amount="5", count="2", to_group=group_id))
    return cleo, lambda: cleo.see(address(packet_id))


async def not_in_the_group_by_post(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben, cleo = await enter(100_00), await enter(), await enter()
    group_id = await group_of(anna, ben)
    packet_id = packet_of(await fill(anna, amount="5", count="2", to_group=group_id))
    return cleo, lambda: force(cleo, address(packet_id))


async def own_exclusive_by_post(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben = await enter(100_00), await enter()
    await befriend(anna, ben)
    sent = await fill(anna, kind="exclusive", amount="5", to_person=ben.wallet.person_id)
    packet_id = packet_of(sent)
    return anna, lambda: force(anna, address(packet_id))


async def wrong_passcode(enter: Enter) -> tuple[Guest, Ask]:
    ben, packet_id = await with_passcode(enter)
    return ben, lambda: force(ben, address(packet_id), {"passcode": "圣诞快乐"})


async def spent_passcode(enter: Enter) -> tuple[Guest, Ask]:
    ben, packet_id = await with_passcode(enter)
    for _ in range(5):
        await force(ben, address(packet_id), {"passcode": "圣诞快乐"})
    return ben, lambda: ben.see(address(packet_id))


async def spent_passcode_by_post(enter: Enter) -> tuple[Guest, Ask]:
    ben, packet_id = await with_passcode(enter)
    for _ in range(5):
        await force(ben, address(packet_id), {"passcode": "圣诞快乐"})
    return ben, lambda: force(ben, address(packet_id), {"passcode": "新年快乐"})


async def with_passcode(enter: Enter) -> tuple[Guest, str]:
    anna, ben = await enter(100_00), await enter()
    sent = await fill(anna, kind="passcode", amount="5", count="2", passcode="新年快乐")
    return ben, packet_of(sent)


async def frozen_sender(enter: Enter) -> tuple[Guest, Ask]:
    ben, packet_id = await of_somebody_frozen(enter)
    return ben, lambda: ben.see(address(packet_id))


async def frozen_sender_by_post(enter: Enter) -> tuple[Guest, Ask]:
    ben, packet_id = await of_somebody_frozen(enter)
    return ben, lambda: force(ben, address(packet_id))


async def of_somebody_frozen(enter: Enter) -> tuple[Guest, str]:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await freeze(anna)
    return ben, packet_id


async def freeze(guest: Guest) -> None:
    wallet = guest.wallet
    await guest.world.services.payments.freeze(wallet.person_id, wallet.device_secret)


async def frozen_opener(enter: Enter) -> tuple[Guest, Ask]:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await freeze(ben)
    return ben, lambda: force(ben, address(packet_id))


async def forged(enter: Enter) -> tuple[Guest, Ask]:
    ben = await enter()
    return ben, lambda: ben.see("/r/00000000000000000000000000")


async def forged_by_post(enter: Enter) -> tuple[Guest, Ask]:
    ben = await enter()
    return ben, lambda: force(ben, "/r/00000000000000000000000000")


GROUP = (403, "这个红包不是发给你的。", "This red packet is for somebody else.")
SPENT = (
    "口令错误次数过多，你不能再领这个红包。",
    "Too many wrong passcodes: you can no longer open this red packet.",
)
FROZEN = (
    403,
    "发红包的账户已被冻结，暂时不能领取。",
    "The sender&#39;s account is frozen, so this red packet can&#39;t be opened.",
)
NOWHERE = (404, "没有找到，或者它不属于你。", "It doesn&#39;t exist, or it isn&#39;t yours.")
LATE = (410, "红包已过期，剩余金额已退回。", "This red packet has expired;")
OPENING = [
    (expired, *LATE),
    (expired_by_post, *LATE),
    (all_taken, 409, "手慢了，红包已经领完。", "Too late: all shares are taken."),
    (already_opened, 200, "你已经领过这个红包", "You have opened this one already"),
    (not_in_the_group, *GROUP),
    (not_in_the_group_by_post, *GROUP),
    (own_exclusive_by_post, *GROUP),
    (wrong_passcode, 422, "口令不对。", "That is not the passcode."),
    (spent_passcode, 0, *SPENT),
    (spent_passcode_by_post, 0, *SPENT),
    (frozen_sender, *FROZEN),
    (frozen_sender_by_post, *FROZEN),
    (
        frozen_opener,
        403,
        "你的账户已冻结，无法领红包。",
        "Your account is frozen and can&#39;t open packets.",
    ),
    (forged, *NOWHERE),
    (forged_by_post, *NOWHERE),
]


@pytest.mark.parametrize(("case", "status", "zh", "en"), OPENING)
async def test_opening(
    enter: Enter,
    case: Callable[[Enter], Awaitable[tuple[Guest, Ask]]],
    status: int,
    zh: str,
    en: str,
) -> None:
    guest, ask = await case(enter)
    before = await balance(guest)
    for language, sentence in (("zh-CN", zh), ("en", en)):
        await speak(guest, language)
        answer = await ask()
        assert sentence in answer.text
        assert answer.status_code == status or (status == 0 and 400 <= answer.status_code < 500)
        if case is not wrong_passcode:
            assert 'id="open"' not in answer.text  # nothing is offered that would be refused
    assert await balance(guest) == before


async def test_a_replayed_opening_is_the_same_answer(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    await force(ben, address(packet_id))
    got = await balance(ben)
    for language, sentence in (("zh-CN", "已存入余额"), ("en", "Added to your balance")):
        await speak(ben, language)
        answer = await force(ben, address(packet_id))
        assert answer.url.path == f"/packets/{packet_id}"
        assert sentence in answer.text
    assert await balance(ben) == got


@pytest.mark.parametrize("why", ["frozen", "limit"])
async def test_what_stops_the_opener_leads_to_security_and_limits(enter: Enter, why: str) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    if why == "frozen":
        await freeze(ben)
    else:
        await SEC.query(
            "update risk.device set opened_day = ($2 at time zone 'Asia/Shanghai')::date,"
            " opened = 1000 where person_id = $1",
            ben.wallet.person_id,
            ben.world.clock.now(),
        )
    answer = await force(ben, address(packet_id))
    way = "/security" if why == "frozen" else "/limits"
    assert f'class="button button--block" href="{way}"' in answer.text


async def test_who_opens_can_note_the_promise_first(enter: Enter) -> None:
    anna, ben = await enter(100_00), await enter()
    packet_id = packet_of(await fill(anna, amount="5", count="2"))
    seed_hash = (await anna.world.services.redpackets.packet(packet_id)).seed_hash
    assert seed_hash in (await ben.see(address(packet_id))).text
    ben.browser.client.cookies.clear()
    visitor = await ben.browser.open(address(packet_id))
    assert "/sign-in?next=" in visitor.text
    assert seed_hash in visitor.text
