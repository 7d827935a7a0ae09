"""Every way to pay, up to the sheet with the button; the words that must be said; the books."""

import re
from collections.abc import Awaitable, Callable
from html import unescape
from typing import TypeAlias

import httpx
import msgspec

from backend.codes import addresses
from backend.db import LEDGER
from backend.merchant import Terminal
from tests.web.pages.conftest import Enter, Guest, Till, code_path

LANGUAGES = ("zh-CN", "en")
UNMOVED = {"zh-CN": "没有资金变动。", "en": "No money has moved."}
UNSURE = {
    "zh-CN": "是否扣款还不确定，请先查看账单。",
    "en": "It isn&#39;t known yet whether money moved; see your bills.",
}
GENERIC = ("这次操作没有被接受。", "This was refused.", "出了点问题", "Something went wrong")
AMOUNT_FEN = 23_00


class Said(msgspec.Struct, frozen=True):
    """A status and, by language, what happened and what to do."""

    status: int
    zh: tuple[str, str]
    en: tuple[str, str]

    def words(self, language: str) -> tuple[str, str]:
        return self.zh if language == "zh-CN" else self.en


class Scene(msgspec.Struct):
    """payee: whose personal code is paid."""

    till: Till
    payer: Guest
    payee: Guest
    enter: Enter


Way: TypeAlias = Callable[[Scene, int], Awaitable[str]]
Ask: TypeAlias = Callable[[], Awaitable[httpx.Response]]
Press: TypeAlias = Callable[..., Awaitable[httpx.Response]]


async def make_scene(enter: Enter, till: Till, balance: int = 2_000_00) -> Scene:
    return Scene(till, await enter(balance=balance), await enter(name="小博"), enter)


async def dynamic(on: Scene, amount_fen: int = AMOUNT_FEN) -> str:
    """The shop shows an order; the path of its sheet, which the payer has open."""
    path = code_path(await on.till.order(amount_fen))
    await on.payer.see(path)
    return path


async def static(on: Scene, amount_fen: int = AMOUNT_FEN) -> str:
    return await _typed(on.payer, await static_path(on), amount_fen)


async def personal(on: Scene, amount_fen: int = AMOUNT_FEN) -> str:
    return await _typed(on.payer, await personal_path(on), amount_fen)


async def personal_amount(on: Scene, amount_fen: int = AMOUNT_FEN) -> str:
    return await _typed(on.payer, await personal_path(on, amount_fen), amount_fen)


WAYS: tuple[Way, ...] = (dynamic, static, personal, personal_amount)


async def terminal_of(till: Till) -> Terminal:
    return (await till.world.services.merchant.terminals(await till.world.seat(till.shop)))[0]


async def static_path(on: Scene) -> str:
    return addresses.path_of((await terminal_of(on.till)).code_id)


async def personal_path(on: Scene, amount_fen: int = 0) -> str:
    """Of the payee's code, as it is printed under it."""
    if not amount_fen:
        page = await on.payee.see("/receive")
    else:
        await on.payee.see("/receive/amount")
        page = await on.payee.tap("/receive", {"amount": yuan(amount_fen)})
    found = re.search(r'class="mono" translate="no">([0-9a-z ]+)<', page.text)
    assert found
    return "/u/" + found[1].replace(" ", "")


async def _typed(payer: Guest, path: str, amount_fen: int) -> str:
    await payer.see(path)
    sheet = await payer.tap(path, {"amount": yuan(amount_fen)})
    assert sheet.url.path.startswith("/o/"), sheet.text
    return sheet.url.path


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def press(guest: Guest) -> Press:
    """The button of the sheet that is open now, whatever page comes between; changes of the form
    as keywords. Its token ends with the session, so nobody signs in anew here."""
    held = guest.browser.page

    async def again(**changed: str) -> httpx.Response:
        guest.browser.page = held
        return await guest.tap("/payments", changed)

    return again


def look(guest: Guest, path: str) -> Ask:
    return lambda: guest.see(path)


async def speak(guest: Guest, language: str) -> None:
    await guest.world.services.identity.set_language(guest.wallet.person_id, language)


async def books() -> tuple[int, list[tuple[str, int, int]]]:
    """How long the journal is, and every balance."""
    rows = await LEDGER.query(
        "select account_id, posted_fen, held_fen from ledger.account"
        " where posted_fen <> 0 or held_fen <> 0 order by account_id"
    )
    found = [(row["account_id"], row["posted_fen"], row["held_fen"]) for row in rows]
    return await postings(), found


async def postings() -> int:
    [row] = await LEDGER.query("select count(*) as n from ledger.posting")
    return int(row["n"])


async def refused(guest: Guest, ask: Ask, said: Said, case: str) -> None:
    """In both languages: the status, the words, that nothing moved; and nothing has."""
    before = await books()
    for language in LANGUAGES:
        await speak(guest, language)
        tells(await ask(), said, language, case)
    assert await books() == before, case


def tells(
    answer: httpx.Response,
    said: Said,
    language: str,
    case: str,
    money: dict[str, str] = UNMOVED,
) -> None:
    where = f"{case}, {language}: {main_of(answer)}"
    assert answer.status_code == said.status, f"{answer.status_code} {where}"
    text = unescape(answer.text)
    for words in (*said.words(language), money[language]):
        assert unescape(words) in text, f"{words!r} is not said: {where}"
    for words in GENERIC:
        assert words not in main_of(answer), where


def main_of(answer: httpx.Response) -> str:
    """What a page says, for the message of a test that fails."""
    text = answer.text.split("<main")[-1].split("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))[:700]
