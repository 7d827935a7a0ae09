"""Amounts that people type, at every place that takes one: what is one and what is none, said at
the field in both languages, with everything else kept, and nothing moved."""

from collections.abc import Awaitable, Callable
from html import escape
from typing import TypeAlias

import httpx
import msgspec
import pytest

from backend.risk import IssueCodes
from tests.web.pages.conftest import Enter, Guest, Till
from tests.web.pages.paying import (
    LANGUAGES,
    UNMOVED,
    Scene,
    books,
    main_of,
    make_scene,
    personal_path,
    speak,
    static_path,
)

EMPTY = ("请输入金额。", "Enter an amount.")
ZERO = ("金额必须大于 ¥0.00。", "The amount must be more than ¥0.00.")
FINER = ("最多两位小数（元、角、分）。", "At most two decimals: yuan and fen.")
ABOVE = ("金额超过单笔上限。", "The amount is above what one payment can carry.")
FULL_WIDTH = (
    "请用半角数字输入金额，例如 23.50。",
    "These are full-width digits. Switch the keyboard and type 23.50, for example.",
)
OTHER = ("请输入正确的金额，例如 23 或 23.50。", "Enter an amount such as 23 or 23.50.")

NONE = {
    "": EMPTY,
    "  ": EMPTY,
    "0": ZERO,
    "0.00": ZERO,
    "-1": ZERO,
    "−1": ZERO,
    "-0.01": ZERO,
    "1.005": FINER,
    "0.001": FINER,
    "100000000.01": ABOVE,
    "9999999999999": ABOVE,
    "１２．５０": FULL_WIDTH,
    "０": FULL_WIDTH,
    "￥12": FULL_WIDTH,
    "１，０００": FULL_WIDTH,
    "1,000.00": OTHER,
    "12,50": OTHER,
    "1e3": OTHER,
    "0x10": OTHER,
    "٣": OTHER,
    "②": FULL_WIDTH,
    "NaN": OTHER,
    "inf": OTHER,
    "一百": OTHER,
    "12 yuan": OTHER,
    "1_000": OTHER,
    "1\u202e2": OTHER,
}
ONE = {
    "12.50": "12.50",
    "12.5": "12.50",
    "¥12.50": "12.50",
    " 12.50 ": "12.50",
    "12": "12.00",
    "007": "7.00",
    "0.01": "0.01",
}


class Place(msgspec.Struct):
    """A form with a field for an amount. says_unmoved: nobody pays by making a code."""

    guest: Guest
    path: str
    action: str
    says_unmoved: bool = True
    with_note: bool = True


Make: TypeAlias = Callable[[Scene], Awaitable[Place]]


async def shops_code(on: Scene) -> Place:
    path = await static_path(on)
    return Place(on.payer, path, path)


async def persons_code(on: Scene) -> Place:
    path = await personal_path(on)
    return Place(on.payer, path, path, with_note=False)


async def code_of_ones_own(on: Scene) -> Place:
    return Place(on.payee, "/receive/amount", "/receive", says_unmoved=False)


async def till(on: Scene) -> Place:
    return Place(on.till.owner, "/cashier", "/orders")


PLACES = (shops_code, persons_code, code_of_ones_own, till)


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till)


@pytest.mark.parametrize("make", PLACES)
async def test_what_is_no_amount(scene: Scene, make: Make) -> None:
    place = await make(scene)
    before = await books()
    for at, language in enumerate(LANGUAGES):
        await speak(place.guest, language)
        scene.till.world.later(seconds=61)  # hands are not as fast
        await place.guest.see(place.path)
        form = place.guest.browser.page
        for typed, said in NONE.items():
            place.guest.browser.page = form
            fields = {"amount": typed} | ({"note": "两碗面"} if place.with_note else {})
            answer = await place.guest.tap(place.action, fields)
            _answered_at_the_field(answer, typed, said[at])
            assert not place.with_note or 'value="两碗面"' in answer.text
            assert not place.says_unmoved or UNMOVED[language] in answer.text
    assert await books() == before


def _answered_at_the_field(answer: httpx.Response, typed: str, said: str) -> None:
    where = f"{typed!r}: {answer.status_code} {main_of(answer)}"
    assert answer.status_code == 422, where
    error = answer.text.split('id="f-amount-error"')
    assert len(error) == 2, where
    assert said in error[1].split("</p>")[0], where
    field = answer.text.split('id="f-amount"')[1].split(">")[0]
    assert f'value="{escape(typed)}"' in field, where
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby="f-amount-error' in field


@pytest.mark.parametrize("make", PLACES)
async def test_what_is_one(scene: Scene, make: Make) -> None:
    """As the next page repeats it."""
    place = await make(scene)
    for typed, meant in ONE.items():
        await place.guest.see(place.path)
        answer = await place.guest.tap(place.action, {"amount": typed})
        assert answer.status_code == 200, f"{typed!r}: {main_of(answer)}"
        assert answer.url.path != place.action
        assert f"¥ {meant}" in _spoken(answer), f"{typed!r}: {_spoken(answer)}"


def _spoken(answer: httpx.Response) -> str:
    """Amounts are drawn in parts: "¥", "12", ".50"."""
    return main_of(answer).replace(" .", ".")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_wrong_amount_does_not_burn_the_customers_code(scene: Scene, language: str) -> None:
    owner, wallet = scene.till.owner, scene.payer.wallet
    [shown] = await scene.till.world.services.risk.issue_codes(
        IssueCodes(wallet.person_id, wallet.device_secret)
    )
    await speak(owner, language)
    before = await books()
    await owner.see("/cashier")
    form = owner.browser.page
    for typed, said in NONE.items():
        owner.browser.page = form
        answer = await owner.tap("/orders", {"amount": typed, "pay_code": shown.code})
        _answered_at_the_field(answer, typed, said[LANGUAGES.index(language)])
        assert UNMOVED[language] in answer.text
        assert shown.code not in answer.text
    assert await books() == before
    owner.browser.page = form
    paid = await owner.tap("/orders", {"amount": "23", "pay_code": shown.code})
    assert 'data-state="paid"' in paid.text
    assert await scene.till.world.balance(wallet.account_id) == 2_000_00 - 23_00


async def test_a_fixed_amount_is_not_for_the_payer_to_type(scene: Scene) -> None:
    """Whatever a form says: what the payee asks for is what the sheet shows."""
    path = await personal_path(scene, 8_80)
    for typed in ("0.01", "-1", "９９", "NaN"):
        await scene.payer.see(path)
        sheet = await scene.payer.tap(path, {"amount": typed})
        assert "¥ 8.80" in _spoken(sheet)
        assert scene.payer.browser.form("/payments").fields["amount_fen"] == "880"


@pytest.mark.parametrize("make", [shops_code, code_of_ones_own, till])
async def test_a_note_that_is_too_long_is_told_at_its_field(scene: Scene, make: Make) -> None:
    place = await make(scene)
    for language, said in (("zh-CN", "备注最多 64 个字。"), ("en", "at most 64 characters")):
        await speak(place.guest, language)
        await place.guest.see(place.path)
        answer = await place.guest.tap(place.action, {"amount": "12.50", "note": "面" * 65})
        assert answer.status_code == 422
        assert said in answer.text.split('id="f-note-error"')[1].split("</p>")[0]
        assert 'value="12.50"' in answer.text
