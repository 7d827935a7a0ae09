"""Steps of red packets by their pages."""

import re

import httpx

from backend import ids
from tests.web.pages.conftest import Guest


async def befriend(one: Guest, other: Guest) -> None:
    friends = one.world.services.friends
    link = await friends.link(other.wallet.person_id)
    await friends.ask(ids.new("frq"), one.wallet.person_id, link, "")
    await friends.accept(other.wallet.person_id, one.wallet.person_id)


async def group_of(*guests: Guest) -> str:
    first, *others = guests
    friends, group_id = first.world.services.friends, ids.new("grp")
    await friends.new_group(group_id, first.wallet.person_id, "一家人")
    secret = await friends.invite_link(first.wallet.person_id, group_id)
    for other in others:
        await friends.join_group(other.wallet.person_id, secret)
    return group_id


async def fill(guest: Guest, **fields: str) -> httpx.Response:
    """A packet by the form; with its passkey where that is asked."""
    await guest.see("/packets/new")
    answer = await guest.tap("/packets", {"kind": "lucky", "cover": "classic", **fields})
    return await sign(guest, answer) if "data-ceremony" in answer.text else answer


async def sign(guest: Guest, asked: httpx.Response) -> httpx.Response:
    """The page that asks for the passkey, answered."""
    action = re.search(r'action="(/packets/red_[0-9a-z]+/confirmation)"', asked.text)
    assert action is not None
    form = guest.browser.form(action[1])
    response = guest.wallet.passkey.sign(form.attributes["data-options"].encode()).decode()
    ceremony = {"ceremony_id": form.attributes["data-ceremony"], "response_json": response}
    return await guest.tap(action[1], ceremony)


def packet_of(answer: httpx.Response) -> str:
    return answer.url.path.split("/")[2]


def address(packet_id: str) -> str:
    return "/r/" + packet_id.removeprefix("red_")


async def balance(guest: Guest) -> int:
    account = f"person:{guest.wallet.person_id}"
    return (await guest.world.services.ledger.balances((account,)))[0].posted_fen


async def force(guest: Guest, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
    """A form that no page of ours shows, as somebody writes it who knows the addresses."""
    await guest.see("/packets")
    data = {"_csrf_token": guest.browser.form("/language").fields["_csrf_token"]}
    headers = {"Sec-Fetch-Site": "same-origin"}
    guest.browser.page = await guest.browser.client.post(
        path, data=data | (fields or {}), headers=headers, follow_redirects=True
    )
    return guest.browser.page
