"""Groups: made, joined by link, added to, left."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import ids
from backend.errors import DomainError, NotFound
from backend.friends import INVITE_LIFE_DAYS, MAX_GROUP, GroupName
from backend.identity import Person
from backend.plain import is_plain
from backend.services import Services
from backend.settings import Settings
from web.forms import Form
from web.http import UNSEEN, WebRequest, has_page, redirect
from web.i18n import msg
from web.receive import refuse
from web.render import page
from web.session import Visit

BAD_NAME = msg("A name has 1 to 32 characters in one line, nothing hidden.")


@get("/groups")
async def show(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    return page(request, "groups/list.html", groups=await services.friends.groups(person.person_id))


@get("/groups/new")
async def new(request: WebRequest, person: NamedDependency[Person]) -> Response[str]:
    return page(request, "groups/new.html", form=Form({"group_id": ids.new("grp")}))


@post("/groups", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    form, status_code = Form(data), 422
    group_id, name = form.id("group_id", "grp"), form.text("name", GroupName, BAD_NAME)
    if name is not None and not is_plain(name):
        form.refuse("name", BAD_NAME)
    if form and name:
        try:
            await services.friends.new_group(group_id, person.person_id, name)
            return redirect(request, f"/groups/{group_id}")
        except DomainError as refusal:
            status_code = refuse(form, visit, refusal)
    form.values["group_id"] = ids.new("grp")
    return page(request, "groups/new.html", status_code=status_code, form=form)


@get("/groups/{group_id:str}")
async def group(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[str]:
    found = await services.friends.group(person.person_id, group_id)
    friends = await services.friends.friends(person.person_id)
    asked = await services.friends.asked(person.person_id)
    return page(
        request,
        "groups/page.html",
        group=found,
        members=await services.friends.members(person.person_id, group_id),
        known={each.person_id for each in friends if each.state != "asking"},
        asking={each.person_id for each in friends if each.state == "asking"},
        asked={each.person_id for each in asked},
        most=MAX_GROUP,
        new_id=lambda: ids.new("frq"),
        there={first for first in ("packets", "requests") if has_page(request, first)},
    )


@get("/groups/{group_id:str}/members/new")
async def choose(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[str]:
    """Friends who are not in it yet."""
    found = await services.friends.group(person.person_id, group_id)
    inside = {each.person_id for each in await services.friends.members(person.person_id, group_id)}
    friends = [
        each
        for each in await services.friends.friends(person.person_id)
        if each.state == "friends" and each.person_id not in inside
    ]
    return page(request, "groups/add.html", group=found, friends=friends)


@post("/groups/{group_id:str}/members", status_code=200)
async def add(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[Any]:
    friend_id = Form(data)["friend_id"]
    await services.friends.add_to_group(person.person_id, group_id, friend_id)
    return redirect(request, f"/groups/{group_id}/members/new")


@post("/groups/{group_id:str}/requests", status_code=200)
async def ask(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[Any]:
    """Ask another member to be friends."""
    form, friends = Form(data), services.friends
    await friends.group(person.person_id, group_id)
    request_id, other_id = form.id("request_id", "frq"), form["person_id"]
    if not form or not await friends.is_member(other_id, group_id):
        raise NotFound()
    await friends.ask_person(request_id, person.person_id, other_id, "")
    return redirect(request, f"/groups/{group_id}")


@post("/groups/{group_id:str}/links", status_code=200)
async def invite(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    group_id: FromPath[str],
) -> Response[str]:
    """Shown once: only its hash is kept."""
    found = await services.friends.group(person.person_id, group_id)
    secret = await services.friends.invite_link(person.person_id, group_id)
    link = f"{settings.public_origin}/g/{secret}"
    return page(
        request, "groups/link.html", headers=UNSEEN, group=found, link=link, days=INVITE_LIFE_DAYS
    )


@post("/groups/{group_id:str}/links/withdrawal", status_code=200)
async def withdraw(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[Any]:
    await services.friends.withdraw_invites(person.person_id, group_id)
    return redirect(request, f"/groups/{group_id}")


@post("/groups/{group_id:str}/leaving", status_code=200)
async def leave(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    group_id: FromPath[str],
) -> Response[Any]:
    await services.friends.leave_group(person.person_id, group_id)
    return redirect(request, "/friends")


@get("/g/{secret:str}")
async def invited(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[Any]:
    """Also for visitors, who are led to sign in or to open a wallet, and back."""
    found = await services.friends.invited(secret)
    if visit.person and await services.friends.is_member(visit.person.person_id, found.group_id):
        return redirect(request, f"/groups/{found.group_id}")
    return page(
        request,
        "groups/join.html",
        headers=UNSEEN,
        group=found,
        here=f"/g/{secret}",
        guest=visit.person is None,
    )


@post("/g/{secret:str}", status_code=200)
async def join(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[Any]:
    joined = await services.friends.join_group(person.person_id, secret)
    return redirect(request, f"/groups/{joined.group_id}")


handlers = [
    show,
    new,
    create,
    group,
    choose,
    add,
    ask,
    invite,
    withdraw,
    leave,
    invited,
    join,
]
