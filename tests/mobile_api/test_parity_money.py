"""The same thing done in the web and on a phone leaves the same on the books: which accounts, how
much, in which order, and whether the security system signed it."""

import re
from typing import TypeAlias

import httpx
import pytest
from litestar import Litestar

from backend import ids
from backend.db import LEDGER
from tests.api_client import committed
from tests.mobile_api.acts import ACTS
from tests.mobile_api.conftest import Phones
from tests.mobile_api.heard import PREFIX
from tests.mobile_api.test_parity import TWINS
from tests.mobile_api.ways import PAIRS, Side, Stage
from tests.mobile_api.ways_signed import SIGNED_PAIRS
from tests.web.browser import Browser, client_of
from tests.web.pages.conftest import (
    bank_world,  # noqa: F401 — a fixture
    sign_in,
)
from tests.world import World

Asked: TypeAlias = set[tuple[str, str]]  # method and path


@pytest.fixture
def world(bank_world: World) -> World:  # noqa: F811 — the fixture of that name
    return bank_world


@pytest.fixture
async def stage(world: World, app: Litestar, phones: Phones) -> Stage:
    async def side(name: str, balance: int = 0) -> Side:
        wallet = await world.person(balance, name=name)
        guest = await sign_in(Browser(client_of(app)), world, wallet)
        return Side(wallet, guest, await phones.of(wallet))

    payer, payee = await side("安娜", 20_000_00), await side("小博")
    keeper = await side("老王")
    friends = world.services.friends
    link = await friends.link(payee.wallet.person_id)
    await friends.ask(ids.new("frq"), payer.wallet.person_id, link, "")
    await friends.accept(payee.wallet.person_id, payer.wallet.person_id)
    return Stage(world, payer, payee, keeper, await world.shop(keeper.wallet))


@pytest.fixture
def asked(stage: Stage, api: httpx.AsyncClient) -> Asked:
    """Of all requests that did not fail, at browsers and at phones."""
    found: Asked = set()

    async def hear(answer: httpx.Response) -> None:
        if answer.status_code < 400:
            found.add((answer.request.method, answer.request.url.path))

    for client in (api, *(side.guest.browser.client for side in stage.everybody)):
        client.event_hooks["response"].append(hear)
    return found


async def test_both_do_the_same_to_the_books(stage: Stage, asked: Asked) -> None:
    for by_page, by_phone in (*PAIRS, *SIGNED_PAIRS):
        prints = []
        for act in (by_page, by_phone):
            before = await _last()
            await act(stage)
            found = await _footprint(stage, before)
            assert found, f"{act.__name__} moved nothing"
            prints.append(found)
            stage.world.later(days=1)  # yesterday's limits are no limits today
        assert prints[0] == prints[1], f"{by_page.__name__}, {by_phone.__name__}"
    assert _moving() - _met(asked) == set(), "nothing here goes that way"


def _moving() -> set[str]:
    """Whatever moves money, as test_faults finds it, and the web's twins of that."""
    operations = committed().operations
    moving = {f"{operations[each].method.upper()} {operations[each].path}" for each in ACTS}
    assert len(moving) == len(ACTS)
    return moving | {web for web, phone in TWINS.items() if phone in moving}


def _met(asked: Asked) -> set[str]:
    return {
        route
        for route in _moving()
        for method, path in asked
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), f"{method} {path.removeprefix(PREFIX)}")
    }


async def _last() -> int:
    [row] = await LEDGER.query("select coalesce(max(journal_seq), 0) as seq from ledger.posting")
    return int(row["seq"])


async def _footprint(stage: Stage, after: int) -> list[tuple[str, str, int, bool]]:
    """From, to, how much, signed or not; in the order of the books."""
    roles = {
        stage.payer.wallet.account_id: "payer",
        stage.payee.wallet.account_id: "payee",
        f"shop:{stage.shop.shop_id}": "shop",
    }
    rows = await LEDGER.query(
        "select d.account_id as debit, c.account_id as credit, t.amount_fen, "
        "p.verdict_id is not null as signed from ledger.posting p "
        "join ledger.transfer t using (journal_seq) "
        "join ledger.account d on d.account_key = t.debit "
        "join ledger.account c on c.account_key = t.credit "
        "where journal_seq > $1 order by journal_seq, line",
        after,
    )
    return [
        (*(_role(roles, row[end]) for end in ("debit", "credit")), row["amount_fen"], row["signed"])
        for row in rows
    ]


def _role(roles: dict[str, str], account_id: str) -> str:
    return roles.get(account_id) or re.sub(r"_[0-9a-z]{26}$", "", account_id)
