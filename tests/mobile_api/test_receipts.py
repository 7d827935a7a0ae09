"""Signed receipts: they verify offline, no change of them passes, and only owners get them."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from backend import ids, keys
from backend.cli import cli
from backend.merchant import GiveBack
from backend.receipt import Broken, verify
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import open_shop, pay, refused
from tests.phone import Phone
from tests.world import Wallet, World


@pytest.fixture
def published(world: World) -> dict[str, bytes]:
    return dict(keys.published(Path(world.settings.verdict_keys)))


async def paid(phone: Phone, world: World, fen: int = 23_00) -> tuple[Wallet, str]:
    """The shop's owner and the payment."""
    owner, shop = await open_shop(world)
    answer = await phone.consent(await pay(phone, await world.order(shop, fen)))
    return owner, answer.json()["id"]


async def test_it_verifies_and_says_what_moved(
    phone: Phone, world: World, published: dict[str, bytes]
) -> None:
    _, payment_id = await paid(phone, world, 600_00)
    answer = await phone.get(f"/v1/bills/{payment_id}/receipt")
    found = verify(answer.content, published)
    assert (found.id, found.reason, found.level) == (payment_id, "pay", "A")
    assert (found.account, found.direction) == (wallet_of(phone).account_id, "out")
    assert (found.went_out.amount, found.came_in.amount) == (600_00, 0)
    assert (found.payer.id, found.payee.name) == (phone.person_id, "老王面馆")
    assert [(line.debit, line.amount) for line in found.transfers] == [(found.account, 600_00)]


async def test_both_sides_have_one(
    phone: Phone, phones: Phones, world: World, published: dict[str, bytes]
) -> None:
    owner, payment_id = await paid(phone, world)
    answer = await (await phones.of(owner)).get(f"/v1/bills/{payment_id}/receipt")
    found = verify(answer.content, published)
    assert found.account.startswith("shop:")
    assert (found.direction, found.came_in.amount) == ("in", 23_00)


async def test_a_refund_has_one_too(
    phone: Phone, world: World, published: dict[str, bytes]
) -> None:
    owner, payment_id = await paid(phone, world)
    seat = await world.services.merchant.seat(owner.person_id)
    refund_id = ids.new("rfd")
    await world.services.merchant.refund(
        seat,
        GiveBack(
            refund_id=refund_id,
            payment_id=payment_id,
            amount_fen=8_00,
            reason="洒了",
            device_secret=owner.device_secret,
        ),
    )
    answer = await phone.get(f"/v1/bills/{payment_id}/refunds/{refund_id}/receipt")
    found = verify(answer.content, published)
    assert (found.reason, found.direction, found.came_in.amount) == ("refund", "in", 8_00)
    unknown = f"/v1/bills/{payment_id}/refunds/{ids.new('rfd')}/receipt"
    refused(await phone.get(unknown), 404, "not_found")


async def test_nobody_else_gets_it(phone: Phone, phones: Phones, world: World) -> None:
    _, payment_id = await paid(phone, world)
    stranger = await phones()
    for bill_id in (payment_id, ids.new("pay"), "x"):
        refused(await stranger.get(f"/v1/bills/{bill_id}/receipt"), 404, "not_found")


async def test_what_did_not_move_has_none(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    waiting = (await pay(phone, await world.order(shop, 600_00))).json()
    refused(await phone.get(f"/v1/bills/{waiting['id']}/receipt"), 404, "not_found")


async def test_the_keys_are_told_to_everybody(
    api: httpx.AsyncClient, published: dict[str, bytes]
) -> None:
    answer = await api.get("/api/v1/receipt-keys")
    assert answer.json()["keys"] == {name: key.hex() for name, key in published.items()}


async def test_any_change_is_found(phone: Phone, world: World, published: dict[str, bytes]) -> None:
    """Every single value in it, changed, removed, or one more beside it."""
    _, payment_id = await paid(phone, world)
    whole = (await phone.get(f"/v1/bills/{payment_id}/receipt")).json()
    verify(json.dumps(whole).encode(), published)
    changed = list(_changes(whole))
    assert len(changed) > 60
    passed = [what for what, forged in changed if _passes(json.dumps(forged).encode(), published)]
    assert passed == []


async def test_forged_files(phone: Phone, world: World, published: dict[str, bytes]) -> None:
    _, payment_id = await paid(phone, world)
    good = (await phone.get(f"/v1/bills/{payment_id}/receipt")).content
    twice = good.replace(b'{"object"', b'{"level":"A","object"', 1)
    other = dict.fromkeys(published, bytes(32))
    for file, known in (
        (twice, published),
        (b"", published),
        (b"[]", published),
        (b"[" * 100_000, published),
        (b"\xff", published),
        (good[:-2], published),
        (b" " * 300_000 + good, published),
        (good, other),
        (good, {}),
    ):
        with pytest.raises(Broken):
            verify(file, known)


async def test_the_command_line(phone: Phone, world: World, tmp_path: Path) -> None:
    _, payment_id = await paid(phone, world)
    file, known = tmp_path / "receipt.json", world.settings.verdict_keys
    file.write_bytes((await phone.get(f"/v1/bills/{payment_id}/receipt")).content)
    run = CliRunner().invoke
    good = run(cli, ["verify", "receipt", str(file), "--keys", known])
    assert (good.exit_code, good.output.splitlines()[-1]) == (0, "genuine")
    assert "23.00" in good.output
    file.write_bytes(file.read_bytes().replace(b"2300", b"2400"))
    bad = run(cli, ["verify", "receipt", str(file), "--keys", known])
    assert bad.exit_code == 1
    assert "NOT GENUINE" in bad.output
    assert run(cli, ["verify", "receipt", str(file), "--keys", str(file)]).exit_code == 1


def _passes(file: bytes, known: dict[str, bytes]) -> bool:
    try:
        verify(file, known)
    except Broken:
        return False
    return True


def _changes(value: Any, root: Any = None, path: tuple[Any, ...] = ()) -> Any:
    root = value if root is None else root
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in list(items):
            yield from _changes(each, root, (*path, key))
            if isinstance(value, dict):
                yield (*path, key, "gone"), _with(root, path, lambda at, k=key: at.pop(k))
        if isinstance(value, dict):
            yield (*path, "more"), _with(root, path, lambda at: at.update(extra=1))
        else:
            yield (*path, "longer"), _with(root, path, lambda at: at.append("L" + "A" * 43))
        return
    yield path, _with(root, path[:-1], lambda at: at.__setitem__(path[-1], _other(value)))


def _with(root: Any, path: tuple[Any, ...], change: Any) -> Any:
    copy = json.loads(json.dumps(root))
    at = copy
    for key in path:
        at = at[key]
    change(at)
    return copy


def _other(value: Any) -> Any:
    if isinstance(value, str):
        first = "B" if value[:1] == "A" else "A"
        return first + value[1:] if value else "x"
    return 1 if value is None else value + 1
