"""Reconciliation files: a day's bills, and their download by an address that lives five minutes."""

import re
from base64 import b64encode
from datetime import date, datetime, timedelta

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.merchant import Seat
from backend.merchant.guard import need
from backend.services import Services
from backend.settlement import BillFile, FileNotReady
from backend.settlement.rules import day_of
from backend.shop_roles import Permission
from web.forms import Form
from web.http import WebRequest, redirect
from web.render import page

FILES = "/shop/files"
MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
ONE_DAY = timedelta(days=1)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@get(FILES)
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    day: FromQuery[str] = "",
) -> Response[str]:
    seat = await _seat(services, person)
    newest = day_of(clock.now()) - ONE_DAY
    wanted = _read(day, newest)
    return page(
        request,
        "files/page.html",
        seat=seat,
        day=wanted,
        newest=newest,
        before=wanted - ONE_DAY,
        after=wanted + ONE_DAY if wanted < newest else None,
        files=await _files(services, seat, wanted),
        width="wide",
    )


@post("/shop/files/downloads", status_code=200)
async def open_download(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    seat, form = await _seat(services, person), Form(data)
    day = _typed(form["day"])
    if day is None:
        raise BadRequest()
    given = await services.settlement.download(seat.shop_id, day, form["kind"], form["format"])
    await services.merchant.record(seat, "file_downloaded", f"{form['kind']}:{day}")
    return redirect(request, f"/downloads/{given.token}")


@get("/downloads/{token:str}")
async def download(
    person: NamedDependency[Person], services: NamedDependency[Services], token: FromPath[str]
) -> Response[bytes]:
    """Of the shop the person acts for: another's address is as good as ended."""
    seat = await _seat(services, person)
    file, content = await services.settlement.content(seat.shop_id, token)
    return Response(
        content,
        media_type=MEDIA_TYPES[file.format],
        headers={
            "Content-Disposition": f'attachment; filename="{name_of(file)}"',
            "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(file.sha256)).decode()}:",
        },
    )


def name_of(file: BillFile) -> str:
    return f"yipay-{file.kind}-{file.shop_id}-{file.day}.{file.format}"


async def _files(services: Services, seat: Seat, day: date) -> tuple[BillFile, ...]:
    try:
        return await services.settlement.files(seat.shop_id, day)
    except FileNotReady:
        return ()


def _read(text: str, newest: date) -> date:
    """A day that can have files; the newest where nothing sensible was asked for."""
    day = _typed(text)
    return newest if day is None or day > newest or day.year < 2000 else day


def _typed(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


async def _seat(services: Services, person: Person) -> Seat:
    seat = await services.merchant.seat(person.person_id)
    need(seat, Permission.MONEY)
    return seat


handlers = [show, open_download, download]
