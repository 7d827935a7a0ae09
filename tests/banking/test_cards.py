"""Binding a card: checked number, the bank's code, three tries, and no number kept anywhere."""

from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.banking import (
    MAX_CARDS,
    MAX_OFFERS,
    BankUnavailable,
    BindCard,
    CardRefused,
    ConfirmCard,
    MicroCodeWrong,
    TooManyCards,
)
from backend.errors import IdReused, NotFound
from backend.sandbox.cards import number
from tests.banking.conftest import World


def binding(person_id: str = "", last4: str = "0001", bin_: str = "622200") -> BindCard:
    return BindCard(
        card_id=ids.new("crd"),
        person_id=person_id or ids.new("usr"),
        number=number(bin_, last4),
        holder="张三",
    )


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10_000:04d}"


async def test_a_card_is_bound_with_the_banks_code(world: World) -> None:
    bind = binding()
    card = await world.banking.bind_card(bind)
    assert (card.status, card.bank_name, card.last4) == ("pending", "沙箱工商银行", "0001")
    confirm = ConfirmCard(card_id=card.card_id, person_id=bind.person_id, code=await world.code())
    assert (await world.banking.confirm_card(confirm)).status == "bound"
    assert (await world.banking.confirm_card(confirm)).status == "bound"
    [listed] = await world.banking.cards(bind.person_id)
    assert listed.status == "bound"
    assert await world.banking.cards(ids.new("usr")) == ()


@pytest.mark.parametrize(
    ("bind", "reason"),
    [
        (msgspec.structs.replace(binding(), number="6222000000080002"), "number"),
        (binding(bin_="999999"), "unknown_bank"),
        (binding(last4="0011"), "not_taken"),
    ],
)
async def test_cards_that_are_refused(world: World, bind: BindCard, reason: str) -> None:
    for _ in range(2):
        with pytest.raises(CardRefused) as refused:
            await world.banking.bind_card(bind)
        assert refused.value.params == {"reason": reason}
    assert await world.banking.cards(bind.person_id) == ()


async def test_a_mistyped_number_never_reaches_the_bank(world: World) -> None:
    with pytest.raises(CardRefused):
        await world.banking.bind_card(msgspec.structs.replace(binding(), number="6222000000080002"))
    assert world.bank.calls == []


async def test_binding_is_idempotent_by_its_id(world: World) -> None:
    bind = binding()
    first = await world.banking.bind_card(bind)
    assert await world.banking.bind_card(bind) == first
    for change in ({"person_id": ids.new("usr")}, {"number": number("622200", "0005")}):
        with pytest.raises(IdReused):
            await world.banking.bind_card(msgspec.structs.replace(bind, **change))
    # Known to the bank, not to us: the answer was lost, and the id is used for another number.
    lost = binding()
    await world.bank.offer_card(lost.card_id, lost.person_id, lost.number, lost.holder)
    other = msgspec.structs.replace(lost, number=number("621700", "0001"))
    with pytest.raises(IdReused):
        await world.banking.bind_card(other)
    assert (await world.banking.bind_card(lost)).status == "pending"


async def test_three_wrong_codes_end_it(world: World) -> None:
    bind = binding()
    await world.banking.bind_card(bind)
    right = await world.code()
    confirm = ConfirmCard(card_id=bind.card_id, person_id=bind.person_id, code=wrong(right))
    for tries_left in (2, 1):
        with pytest.raises(MicroCodeWrong) as again:
            await world.banking.confirm_card(confirm)
        assert again.value.params == {"tries_left": tries_left}
    for code in (wrong(right), right):
        with pytest.raises(CardRefused) as refused:
            await world.banking.confirm_card(msgspec.structs.replace(confirm, code=code))
        assert refused.value.params == {"reason": "micro_code_spent"}
    [listed] = await world.banking.cards(bind.person_id)
    assert listed.status == "refused"
    world.clock.move(25 * 3600)
    assert await world.banking.cards(bind.person_id) == ()


async def test_anothers_card_is_not_there(world: World) -> None:
    bind = binding()
    await world.banking.bind_card(bind)
    code = await world.code()
    for card_id, person_id in (
        (bind.card_id, ids.new("usr")),
        (ids.new("crd"), bind.person_id),
    ):
        with pytest.raises(NotFound):
            await world.banking.confirm_card(
                ConfirmCard(card_id=card_id, person_id=person_id, code=code)
            )


async def test_without_the_bank_nothing_is_kept(
    world: World, bank_stopped: Callable[[], Awaitable[None]]
) -> None:
    bind, waiting = binding(), binding()
    await world.banking.bind_card(waiting)
    await bank_stopped()
    with pytest.raises(BankUnavailable):
        await world.banking.bind_card(bind)
    assert await world.banking.cards(bind.person_id) == ()
    with pytest.raises(BankUnavailable):
        await world.banking.confirm_card(
            ConfirmCard(card_id=waiting.card_id, person_id=waiting.person_id, code="0000")
        )
    [listed] = await world.banking.cards(waiting.person_id)
    assert listed.status == "pending"


async def test_only_so_many_cards(world: World) -> None:
    person_id = ids.new("usr")
    for nth in range(MAX_CARDS):
        await world.banking.bind_card(binding(person_id, f"30{nth:02d}"))
    with pytest.raises(TooManyCards) as refused:
        await world.banking.bind_card(binding(person_id))
    assert refused.value.params == {"limit": MAX_CARDS}


async def test_only_so_many_tries_a_day(world: World) -> None:
    person_id = ids.new("usr")
    for nth in range(MAX_OFFERS):
        with pytest.raises(CardRefused):
            await world.banking.bind_card(binding(person_id, f"30{nth:02d}", bin_="999999"))
    with pytest.raises(TooManyCards):
        await world.banking.bind_card(binding(person_id))
    world.clock.move(25 * 3600)
    assert (await world.banking.bind_card(binding(person_id))).status == "pending"


async def test_no_card_number_or_holder_is_kept_or_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    start = await world.order("0005")
    await world.banking.top_up(start)
    refused = binding(last4="0011")
    with pytest.raises(CardRefused):
        await world.banking.bind_card(refused)
    connection = await asyncpg.connect(world.settings.tx_owner_url)
    kept = [
        str(row)
        for table in await connection.fetch(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema not in ('pg_catalog', 'information_schema')"
        )
        if not table[0].startswith("ledger.")
        for row in await connection.fetch(f"select t::text from {table[0]} t")
    ]
    await connection.close()
    assert any("0005" in row for row in kept)
    printed = capsys.readouterr()
    for secret in (number("622200", "0005"), refused.number, "张三"):
        assert not any(secret in row for row in kept)
        assert secret not in printed.out + printed.err
