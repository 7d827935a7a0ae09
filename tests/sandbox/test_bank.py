"""The sandbox bank does what its page says, keeps its books, and signs what it says."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend import bankword, ids, keys
from backend.sandbox import bank
from backend.sandbox.accounts import START_BALANCE_FEN
from backend.sandbox.cards import TEST_CARDS, luhn, number
from backend.settings import Settings
from tests.sandbox.conftest import QUICK, Said, Wallet

GOOD = number("622200", "0001")


class Confirmed(msgspec.Struct):
    word: tuple[bytes, str, bytes]


class Customer:
    """Drives the bank's API as the wallet would, and reads the statement as a person would."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, url

    async def post(self, path: str, **body: object) -> tuple[int, bytes]:
        async with self.http.post(self.url + path, json=body) as answer:
            return answer.status, await answer.read()

    async def code(self) -> str:
        async with self.http.get(f"{self.url}/statement") as answer:
            found = re.search(r"验证码 (\d{4})", await answer.text())
        assert found
        return found[1]

    async def card(self, number: str = GOOD) -> str:
        status, body = await self.post(
            "/cards", card_id=ids.new("car"), person_id="usr_x", number=number, holder="张三"
        )
        assert status == 200
        token: str = msgspec.json.decode(body)["token"]
        assert (await self.post("/cards/confirm", token=token, code=await self.code()))[0] == 200
        return token

    async def debit(self, token: str, amount_fen: int = 100_00, order_id: str = "") -> Said:
        status, body = await self.post(
            "/orders",
            order_id=order_id or ids.new("top"),
            token=token,
            person_id="usr_x",
            amount_fen=amount_fen,
        )
        assert status == 200
        return msgspec.json.decode(body, type=Said)

    async def find(self, order_id: str) -> Said | None:
        async with self.http.get(f"{self.url}/orders/{order_id}") as answer:
            if answer.status == 404:
                return None
            return msgspec.json.decode(await answer.read(), type=Said)

    async def custody(self) -> int:
        async with self.http.get(f"{self.url}/custody") as answer:
            total: int = (await answer.json())["total_fen"]
            return total


@pytest.fixture
async def customer(http: aiohttp.ClientSession, bank_url: str) -> Customer:
    return Customer(http, bank_url)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await true():  # noqa: ASYNC110 — another process decides
            await asyncio.sleep(0.05)


def test_test_numbers_pass_the_check_and_their_neighbours_do_not() -> None:
    for card in TEST_CARDS:
        assert luhn(card.number)
        assert not luhn(card.number[:-1] + str((int(card.number[-1]) + 1) % 10))
    assert luhn("4111111111111111")
    assert not luhn("４１１１１１１１１１１１１１１１")


async def test_a_bound_card_pays_and_the_word_is_signed(
    customer: Customer, wallet: Wallet, places: Settings
) -> None:
    order_id = ids.new("top")
    said = await customer.debit(await customer.card(), 12_34, order_id)
    assert said.outcome == "paid"
    assert said.word is not None
    message, key_id, signature = said.word
    key = keys.published(Path(places.bank_keys))[key_id]
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    statement = bankword.parse(message)
    assert statement is not None
    assert (statement.order_id, statement.amount_fen) == (order_id, 12_34)
    assert (statement.person_id, statement.outcome) == ("usr_x", "paid")
    assert await customer.custody() == 12_34

    async def called_back() -> bool:
        return len(wallet.words) == 1

    await until(called_back)
    assert msgspec.json.decode(wallet.words[0], type=tuple[bytes, str, bytes]) == said.word


async def test_an_order_debits_once(customer: Customer) -> None:
    token, order_id = await customer.card(), ids.new("top")
    said = await asyncio.gather(*(customer.debit(token, 50_00, order_id) for _ in range(8)))
    assert {s.outcome for s in said} == {"paid"}
    assert await customer.custody() == 50_00
    status, body = await customer.post(
        "/orders", order_id=order_id, token=token, person_id="usr_x", amount_fen=51_00
    )
    assert (status, msgspec.json.decode(body)["reason"]) == (409, "id_reused")


async def test_a_card_pays_no_more_than_it_has(customer: Customer) -> None:
    token = await customer.card()
    said = await customer.debit(token, START_BALANCE_FEN + 2)  # the deposit added one fen
    assert (said.outcome, said.reason) == ("refused", "card_funds")
    assert (await customer.debit(token, START_BALANCE_FEN + 1)).outcome == "paid"
    assert (await customer.debit(token, 1)).outcome == "refused"


@pytest.mark.parametrize(
    ("number_", "reason"),
    [
        (GOOD[:-1] + "2", "number"),
        (number("999999", "1234"), "unknown_bank"),
        (number("622200", "0011"), "not_taken"),
    ],
)
async def test_cards_that_are_not_taken(customer: Customer, number_: str, reason: str) -> None:
    status, body = await customer.post(
        "/cards", card_id="car_1", person_id="usr_x", number=number_, holder="张三"
    )
    assert (status, msgspec.json.decode(body)["reason"]) == (422, reason)


async def test_three_wrong_codes_end_the_offer(customer: Customer) -> None:
    _, body = await customer.post(
        "/cards", card_id="car_1", person_id="usr_x", number=GOOD, holder="张三"
    )
    token, right = msgspec.json.decode(body)["token"], await customer.code()
    wrong = f"{(int(right) + 1) % 10_000:04d}"
    seen = [await customer.post("/cards/confirm", token=token, code=wrong) for _ in range(3)]
    answers = [msgspec.json.decode(body) for _, body in seen]
    assert [a["tries_left"] for a in answers] == [2, 1, 0]
    assert answers[2]["reason"] == "micro_code_spent"
    status, _ = await customer.post("/cards/confirm", token=token, code=right)
    assert status == 422
    assert (await customer.debit(token)).outcome == "refused"


async def test_an_offer_is_idempotent_by_its_id(customer: Customer) -> None:
    offer = {"card_id": "car_1", "person_id": "usr_x", "number": GOOD, "holder": "张三"}
    first, again = await customer.post("/cards", **offer), await customer.post("/cards", **offer)
    assert first == again
    for change in ({"number": number("621700", "0001")}, {"person_id": "usr_y"}):
        status, _ = await customer.post("/cards", **offer | change)
        assert status == 409


async def test_a_confirmed_card_is_the_persons_by_the_banks_word(
    customer: Customer, places: Settings
) -> None:
    offer = {"card_id": "car_1", "person_id": "usr_x", "number": GOOD, "holder": "张三"}
    _, body = await customer.post("/cards", **offer)
    token, code = msgspec.json.decode(body)["token"], await customer.code()
    answers = [await customer.post("/cards/confirm", token=token, code=code) for _ in range(2)]
    assert answers[0] == answers[1]
    message, key_id, signature = msgspec.json.decode(answers[0][1], type=Confirmed).word
    key = keys.published(Path(places.bank_keys))[key_id]
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    said = bankword.parse_card(message)
    assert said is not None
    assert (said.card_id, said.person_id, said.token) == ("car_1", "usr_x", token)
    assert (said.bank_name, said.last4) == ("沙箱工商银行", "0001")
    assert bankword.parse(message) is None


@pytest.mark.parametrize(("last4", "reason"), [("0002", "card_funds"), ("0009", "card_blocked")])
async def test_refusing_cards(customer: Customer, last4: str, reason: str) -> None:
    said = await customer.debit(await customer.card(number("622200", last4)))
    assert (said.outcome, said.reason) == ("refused", reason)
    assert said.word is not None
    assert await customer.custody() == 0


@pytest.mark.parametrize(("last4", "outcome"), [("0003", "paid"), ("0004", "refused")])
async def test_lost_answers_turn_out_later(customer: Customer, last4: str, outcome: str) -> None:
    token, order_id = await customer.card(number("622200", last4)), ids.new("top")
    status, _ = await customer.post(
        "/orders", order_id=order_id, token=token, person_id="usr_x", amount_fen=100
    )
    assert status == 504

    async def decided() -> bool:
        said = await customer.find(order_id)
        return said is not None and said.outcome == outcome

    await until(decided)


async def test_a_late_card_is_pending_first(customer: Customer) -> None:
    order_id = ids.new("top")
    said = await customer.debit(await customer.card(number("622200", "0006")), 100, order_id)
    assert (said.outcome, said.word) == ("pending", None)

    async def paid() -> bool:
        found = await customer.find(order_id)
        return found is not None and found.outcome == "paid"

    await until(paid)


async def test_faults_book_nothing(customer: Customer) -> None:
    token, order_id = await customer.card(number("622200", "0007")), ids.new("top")
    ask = {"order_id": order_id, "token": token, "person_id": "usr_x", "amount_fen": 100}
    assert (await customer.post("/orders", **ask))[0] == 500
    assert await customer.find(order_id) is None
    assert (await customer.post("/orders", **ask))[0] == 500
    assert (await customer.post("/orders", **ask))[0] == 200
    assert await customer.custody() == 100


async def test_a_contradicting_card_takes_the_money_after_refusing(customer: Customer) -> None:
    said = await customer.debit(await customer.card(number("622200", "0008")), 100)
    assert said.outcome == "refused"

    async def taken() -> bool:
        return await customer.custody() == 100

    await until(taken)


async def test_call_backs_repeat_and_are_retried(customer: Customer, wallet: Wallet) -> None:
    wallet.failures = 2
    await customer.debit(await customer.card(number("622200", "0005")))

    async def all_came() -> bool:
        return len(wallet.words) == 5

    await until(all_came)
    assert len(set(wallet.words)) == 1


async def test_an_early_call_back_overtakes_the_answer(customer: Customer, wallet: Wallet) -> None:
    token = await customer.card(number("622200", "0010"))
    asked = asyncio.create_task(customer.debit(token))

    async def came() -> bool:
        return bool(wallet.words)

    await until(came)
    assert not asked.done()
    assert (await asked).outcome == "paid"


async def test_the_books_survive_a_restart_and_hold_no_card_number(
    http: aiohttp.ClientSession, places: Settings
) -> None:
    stop = await bank.serve(places, pace=QUICK)
    customer = Customer(http, places.bank_url)
    order_id = ids.new("top")
    first = await customer.debit(await customer.card(), 100, order_id)
    await stop()
    stop = await bank.serve(places, pace=QUICK)
    assert await customer.find(order_id) == first
    await stop()
    assert not any(GOOD.encode() in content for content in _files(Path(places.data_dir)))


def _files(folder: Path) -> list[bytes]:
    found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(content.startswith(b"SQLite format 3") for content in found)
    return found


async def test_the_pages_are_marked_and_list_every_test_card(customer: Customer) -> None:
    for path in ("/", "/statement"):
        async with customer.http.get(customer.url + path) as answer:
            text = await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
        assert "沙箱" in text
        if path == "/":
            assert all(card.number in text for card in TEST_CARDS)


async def test_malformed_input_is_refused(customer: Customer) -> None:
    assert (await customer.post("/orders", order_id=1))[0] == 400
    assert (await customer.post("/orders", order_id="o", token="t", person_id="p", amount_fen=-1))[
        0
    ] == 400
