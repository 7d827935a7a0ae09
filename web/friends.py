"""Friends: the list, finding people, a friend's card, one's own link."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids, phones
from backend.errors import IdReused, NotFound
from backend.friends import Friend, Message, OwnSelf, Remark, TooManyFinds
from backend.identity import Person
from backend.plain import is_plain
from backend.services import Services
from backend.settings import Settings
from web.codes import id_at
from web.forms import Form
from web.http import UNSEEN, WebRequest, has_page, redirect
from web.i18n import msg
from web.receive import refuse
from web.render import page
from web.session import Visit
from web.sign_up import BAD_PHONE

SEARCH_LENGTH = 32
BAD_MESSAGE = msg("At most 50 characters in one line, nothing hidden.")
BAD_REMARK = msg("At most 32 characters in one line, nothing hidden.")


@get("/friends")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    q: FromQuery[str] = "",
) -> Response[str]:
    everybody = await services.friends.friends(person.person_id)
    sought = q.strip()[:SEARCH_LENGTH]
    return page(
        request,
        "friends/page.html",
        asking=[each for each in everybody if each.state == "asking"],
        friends=[each for each in everybody if each.state == "friends" and each.fits(sought)],
        blocked=[each for each in everybody if each.state == "blocked"],
        many=any(each.state == "friends" for each in everybody),
        asked=await services.friends.asked(person.person_id),
        groups=await services.friends.groups(person.person_id),
        sought=sought,
    )


@get("/friends/new")
async def new(request: WebRequest, person: NamedDependency[Person]) -> Response[str]:
    return _new(request, Form({"country": phones.HOME}))


@post("/friends/finds", status_code=200)
async def find(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[str]:
    """The same page for every number."""
    form = Form(data)
    phone = form.read("phone", lambda typed: phones.parse(form["country"], typed), BAD_PHONE)
    if phone is None:
        return _new(request, form, 422)
    try:
        found = await services.friends.find(person.person_id, phone)
    except (OwnSelf, TooManyFinds) as refusal:
        return _new(request, form, refuse(form, visit, refusal))
    asking = Form({"to": found.token, "shown": phones.masked(phone)})
    return _ask(request, asking, name=phones.masked(phone), by_number=True)


@get("/friends/codes/{code:str}")
async def by_code(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[Any]:
    """Of a personal code that was scanned."""
    code_id = id_at("u", code)
    if code_id is None:
        raise NotFound()
    found = await services.payments.receive_code(code_id)
    if found.person_id == person.person_id:
        raise OwnSelf()
    if await services.friends.are_friends(person.person_id, found.person_id):
        return redirect(request, f"/friends/{found.person_id}")
    return _ask(request, Form({"code": code}), name=found.name)


@get("/f/{secret:str}")
async def by_link(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[Any]:
    """Also for visitors, who are led to sign in or to open a wallet, and back."""
    owner_id = await services.friends.linked(secret)
    if visit.person is None:
        return page(request, "friends/visitor.html", headers=UNSEEN, here=f"/f/{secret}")
    if visit.person.person_id == owner_id:
        raise OwnSelf()
    if await services.friends.are_friends(visit.person.person_id, owner_id):
        return redirect(request, f"/friends/{owner_id}")
    owner = await services.identity.person(owner_id)
    return _ask(request, Form({"to": secret}), name=owner.display_name)


@post("/friends/requests", status_code=200)
async def ask(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    """to: a found number's token or a link's secret; else code: a personal one. shown: the number,
    to draw the form again."""
    form = Form(data)
    request_id = form.id("request_id", "frq")
    message = form.text("message", Message, BAD_MESSAGE) or ""
    if not is_plain(message):
        form.refuse("message", BAD_MESSAGE)
    if not form:
        return await _again(request, services, form, 422)
    try:
        other_id = await _send(services, person, form, request_id, message)
    except IdReused as refusal:
        return await _again(request, services, form, refuse(form, visit, refusal))
    if other_id and await services.friends.are_friends(person.person_id, other_id):
        return redirect(request, f"/friends/{other_id}")
    return redirect(request, "/friends/requests/sent")


@get("/friends/requests/sent")
async def sent(request: WebRequest, person: NamedDependency[Person]) -> Response[str]:
    return page(request, "friends/sent.html")


@post("/friends/requests/{request_id:str}/withdrawal", status_code=200)
async def withdraw(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[Any]:
    await services.friends.withdraw(person.person_id, request_id)
    return redirect(request, "/friends")


@post("/friends/links", status_code=200)
async def make_link(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """Shown once: only its hash is kept."""
    secret = await services.friends.link(person.person_id)
    link = f"{settings.public_origin}/f/{secret}"
    return page(request, "friends/link.html", headers=UNSEEN, link=link)


@post("/friends/links/withdrawal", status_code=200)
async def withdraw_links(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[Any]:
    await services.friends.withdraw_links(person.person_id)
    return redirect(request, "/friends/new")


@get("/friends/{friend_id:str}")
async def card(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[str]:
    friend = await services.friends.friend(person.person_id, friend_id)
    return _card(request, friend, Form({"remark": friend.remark}))


@post("/friends/{friend_id:str}/acceptance", status_code=200)
async def accept(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    await services.friends.accept(person.person_id, friend_id)
    return redirect(request, f"/friends/{friend_id}")


@post("/friends/{friend_id:str}/refusal", status_code=200)
async def decline(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    await services.friends.decline(person.person_id, friend_id)
    return redirect(request, "/friends")


@post("/friends/{friend_id:str}/remark", status_code=200)
async def remark(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    form = Form(data)
    text = form.text("remark", Remark, BAD_REMARK)
    if text is None or not is_plain(text):
        form.refuse("remark", BAD_REMARK)
        friend = await services.friends.friend(person.person_id, friend_id)
        return _card(request, friend, form, 422)
    await services.friends.set_remark(person.person_id, friend_id, text)
    return redirect(request, f"/friends/{friend_id}")


@post("/friends/{friend_id:str}/block", status_code=200)
async def block(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    await services.friends.block(person.person_id, friend_id, True)
    return redirect(request, f"/friends/{friend_id}")


@post("/friends/{friend_id:str}/block/end", status_code=200)
async def unblock(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    await services.friends.block(person.person_id, friend_id, False)
    still = await services.friends.are_friends(person.person_id, friend_id)
    return redirect(request, f"/friends/{friend_id}" if still else "/friends")


@post("/friends/{friend_id:str}/removal", status_code=200)
async def remove(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    friend_id: FromPath[str],
) -> Response[Any]:
    await services.friends.remove(person.person_id, friend_id)
    return redirect(request, "/friends")


async def _send(
    services: Services, person: Person, form: Form, request_id: str, message: str
) -> str:
    """Who was asked, "" where that is not told."""
    if form["to"]:
        await services.friends.ask(request_id, person.person_id, form["to"], message)
        return "" if form["shown"] else await services.friends.linked(form["to"])
    code_id = id_at("u", form["code"])
    if code_id is None:
        raise NotFound()
    found = await services.payments.receive_code(code_id)
    await services.friends.ask_person(request_id, person.person_id, found.person_id, message)
    return found.person_id


async def _again(
    request: WebRequest, services: Services, form: Form, status_code: int
) -> Response[str]:
    """The form with what is wrong. Refuses: LinkInvalid, NotFound."""
    if form["shown"]:
        name = form["shown"]
    elif form["to"]:
        owner_id = await services.friends.linked(form["to"])
        name = (await services.identity.person(owner_id)).display_name
    else:
        code_id = id_at("u", form["code"])
        name = (await services.payments.receive_code(code_id or "")).name
    return _ask(request, form, name=name, by_number=bool(form["shown"]), status_code=status_code)


def _ask(
    request: WebRequest,
    form: Form,
    *,
    name: str,
    by_number: bool = False,
    status_code: int = 200,
) -> Response[str]:
    form.values["request_id"] = ids.new("frq")
    return page(
        request,
        "friends/ask.html",
        status_code=status_code,
        headers=UNSEEN,
        form=form,
        name=name,
        by_number=by_number,
    )


def _new(request: WebRequest, form: Form, status_code: int = 200) -> Response[str]:
    return page(
        request,
        "friends/new.html",
        status_code=status_code,
        form=form,
        countries=phones.COUNTRIES,
    )


def _card(request: WebRequest, friend: Friend, form: Form, status_code: int = 200) -> Response[str]:
    return page(
        request,
        "friends/card.html",
        status_code=status_code,
        friend=friend,
        form=form,
        there={first for first in ("send", "packets", "requests") if has_page(request, first)},
    )


handlers = [
    show,
    new,
    find,
    by_code,
    by_link,
    ask,
    sent,
    withdraw,
    make_link,
    withdraw_links,
    card,
    accept,
    decline,
    remark,
    block,
    unblock,
    remove,
]
