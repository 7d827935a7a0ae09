"""Live events: resumed without loss or doubles, reset when too late, over with the session."""

import asyncio
from datetime import timedelta

import pytest
from litestar import Litestar

from backend.db import TX
from backend.events import service as events_service
from backend.ids import new
from backend.shop_roles import Role
from backend.wallet import streams
from tests.mobile_api.conftest import Phones
from tests.mobile_api.listening import Listening
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import joined, keeper_of, let_go, paid, yuan
from tests.phone import Phone
from tests.world import World


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come often."""
    monkeypatch.setattr(events_service, "ALIVE_S", 0.1)


async def tell(world: World, phone: Phone, *refs: str) -> None:
    for ref in refs:
        async with TX.transaction():
            await world.services.events.record(f"person:{phone.person_id}", "probe", ref)


async def test_what_happens_is_told(
    app: Litestar, phone: Phone, phones: Phones, world: World
) -> None:
    keeper = await keeper_of(phones)
    heard, shop = Listening(app, phone), Listening(app, keeper, "/v1/shop/events")
    [ready] = await heard.until("ready")
    await shop.until("ready")
    assert (heard.status, heard.headers["content-type"].partition(";")[0]) == (
        200,
        "text/event-stream",
    )
    assert heard.headers["cache-control"] == "no-store"
    assert "content-encoding" not in heard.headers
    order = await paid(keeper, phone)
    [changed] = await heard.until("changed")
    assert set(changed.data) == {"object", "id", "topic", "kind", "ref", "created"}
    assert (changed.data["kind"], changed.data["topic"]) == (
        "payment_posted",
        f"person:{phone.person_id}",
    )
    assert int(changed.id) > int(ready.id)
    told = await shop.until("changed")
    assert (told[0].data["kind"], told[0].data["ref"]) == ("order_paid", order["id"])
    assert "23" not in {str(value) for each in told for value in each.data.values()}
    await heard.cut()
    await shop.cut()


async def test_a_cut_stream_resumes_without_loss_or_doubles(
    app: Litestar, phone: Phone, world: World
) -> None:
    refs, seen, last = [f"r{n}" for n in range(60)], list[str](), ""

    async def talk() -> None:
        for ref in refs:
            await tell(world, phone, ref)

    first = Listening(app, phone)
    await first.until("ready")
    last = first.last
    await first.cut()
    talking = asyncio.create_task(talk())
    async with asyncio.timeout(60):
        while len(seen) < len(refs):
            heard = Listening(app, phone, last=last)
            await heard.until("changed")
            await heard.cut()
            seen += heard.refs
            last = heard.last
    await talking
    assert seen == refs


async def test_cut_before_anything_was_said(app: Litestar, phone: Phone, world: World) -> None:
    first = Listening(app, phone)
    await first.until("ready")
    await first.cut()
    await tell(world, phone, "meanwhile")
    again = Listening(app, phone, last=first.last)
    await again.until("changed")
    assert again.refs == ["meanwhile"]
    await again.cut()


async def test_who_comes_back_too_late_loads_afresh(
    app: Litestar, phone: Phone, world: World
) -> None:
    first = Listening(app, phone)
    await first.until("ready")
    await first.cut()
    await TX.query(
        "insert into events.event (topic, kind, ref, created_at)"
        " values ($1, 'probe', 'old', now() - interval '25 hours')",
        f"person:{phone.person_id}",
    )
    assert await world.services.events.sweep() >= 1
    late = Listening(app, phone, last=first.last)
    await late.until("reset")
    assert not [each for each in late.heard if each.event == "ready"]
    await tell(world, phone, "news")
    await late.until("changed")
    assert late.refs == ["news"]
    await late.cut()


@pytest.mark.usefixtures("quick")
async def test_signs_of_life_are_places_too(app: Litestar, phone: Phone, world: World) -> None:
    heard = Listening(app, phone)
    [ready] = await heard.until("ready")
    async with TX.transaction():
        await world.services.events.record("person:nobody", "probe", "another's")
    async with asyncio.timeout(20):
        while int(heard.last) <= int(ready.id):  # noqa: ASYNC110 — a sign of life has no name
            await asyncio.sleep(0.05)
    assert heard.refs == []
    await heard.cut()


@pytest.mark.usefixtures("quick")
async def test_it_ends_with_its_session(app: Litestar, phone: Phone, world: World) -> None:
    heard = Listening(app, phone)
    await heard.until("ready")
    await world.services.identity.end_all(phone.person_id)
    await heard.over()
    assert heard.refs == []
    is_problem(await phone.get("/v1/events"), 401, "signed_out")


@pytest.mark.usefixtures("quick")
async def test_it_ends_with_its_device(app: Litestar, phone: Phone, world: World) -> None:
    heard = Listening(app, phone)
    await heard.until("ready")
    [session] = await world.services.identity.sessions(phone.person_id)
    await world.services.identity.end_device(phone.person_id, session.device_id)
    await heard.over()


@pytest.mark.usefixtures("quick")
async def test_who_left_the_shop_hears_no_more(app: Litestar, phones: Phones, world: World) -> None:
    keeper = await keeper_of(phones)
    till = await joined(keeper, await phones("店员"), Role.CASHIER)
    heard = Listening(app, till, "/v1/shop/events")
    await heard.until("ready")
    shop_id = (await world.services.merchant.seat(till.person_id)).shop_id
    owner = await world.services.merchant.seat(keeper.person_id)
    assert owner.shop_id == shop_id
    await let_go(keeper, till)
    await heard.over()


async def test_it_ends_after_some_minutes(
    app: Litestar, phone: Phone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAM_LIFE", timedelta(0))
    heard = Listening(app, phone)
    await heard.over()
    assert (heard.status, [each.event for each in heard.heard]) == (200, ["ready"])


async def test_waiting_holds_no_connection_and_is_bounded(
    app: Litestar, phone: Phone, world: World
) -> None:
    await phone.refresh()
    open_ones = [Listening(app, phone) for _ in range(streams.MAX_OF_SESSION)]
    for each in open_ones:
        await each.until("ready")
    await asyncio.sleep(0.3)
    assert TX.pool is not None
    assert TX.pool.get_idle_size() == TX.pool.get_size()
    answer = await phone.get("/v1/events")
    is_problem(answer, 429, "too_many_calls")
    assert int(answer.headers["retry-after"]) > 0
    for each in open_ones:
        await each.cut()


@pytest.mark.parametrize(
    "topics",
    ["person:usr_x", "shop:mch_x", "order:ord_x", "group:grp_x", "packet:red_x", "x", "a:b", ","],
)
async def test_what_is_not_yours_is_not_found(phone: Phone, topics: str) -> None:
    is_problem(await phone.get("/v1/events", topics=topics), 404, "not_found")


async def test_more_topics_than_one_may(phone: Phone) -> None:
    topics = ",".join(f"packet:{new('red')}" for _ in range(4))
    is_problem(await phone.get("/v1/events", topics=topics), 400, "bad_request")


async def test_a_packet_is_watched_by_who_has_its_address(
    app: Litestar, phone: Phone, phones: Phones
) -> None:
    ben = await phones("Ben")
    body = {"kind": "lucky", "count": 2} | yuan(10_00)
    packet = await phone.done(phone.post("/v1/red-packets", body))
    heard = Listening(app, phone, query=f"topics=packet:{packet['id']}")
    await heard.until("ready")
    await ben.done(ben.post(f"/v1/red-packets/{packet['id']}/open", {}))
    told = await heard.until("changed", 2)
    assert {each.data["kind"] for each in told} == {"packet_opened"}
    assert {each.data["topic"].partition(":")[0] for each in told} == {"packet", "person"}
    await heard.cut()


@pytest.mark.parametrize("last", ["x", "-1", "1" * 19, "1.5"])
async def test_an_id_that_is_none(app: Litestar, phone: Phone, last: str) -> None:
    heard = Listening(app, phone, last=last)
    await heard.over()
    assert heard.status == 400


async def test_a_person_without_a_shop(phone: Phone) -> None:
    is_problem(await phone.get("/v1/shop/events"), 404, "no_shop")
