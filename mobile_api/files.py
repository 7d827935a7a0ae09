"""Reconciliation files: a day's bills, and their download by an address that lives five minutes."""

from base64 import b64encode
from datetime import date
from typing import Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.clock import Clock
from backend.merchant import Seat
from backend.services import Services
from backend.settlement import BillFile
from backend.settlement.rules import day_of
from backend.shop_roles import Permission
from backend.shop_time import DAY
from mobile_api.fields import FieldError
from mobile_api.shapes import Page, page_of, timestamp
from mobile_api.strict import Invalid

MONEY = {"permission": Permission.MONEY}
MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
_PLAIN = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
JSON_FILE = {
    "schema": {
        "type": "object",
        "required": ["header", "rows", "summary"],
        "properties": {
            "header": _PLAIN,
            "rows": {"type": "array", "items": _PLAIN},
            "summary": _PLAIN,
        },
    },
    "example": {
        "header": {
            "name": "资金账单",
            "merchant": "mch_01kb0n5dqfe0m8a3g9t2xw4yzr",
            "since": "2026-11-22T00:00:00+08:00",
            "until": "2026-11-23T00:00:00+08:00",
            "zone": "Asia/Shanghai",
            "generated_at": "2026-11-23T09:30:00+08:00",
        },
        "rows": [],
        "summary": {
            "entries": 0,
            "opening_fen": 2300,
            "in_fen": 0,
            "out_fen": 0,
            "closing_fen": 2300,
        },
    },
}
FILES = {"produces": tuple(MEDIA_TYPES.values()), "described": {MEDIA_TYPES["json"]: JSON_FILE}}


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """sha256: hex, of the file as downloaded."""

    object: str = "bill_file"
    id: str
    day: str
    kind: str
    format: str
    sha256: str
    size: int
    rows: int
    created: str


class DownloadView(msgspec.Struct, frozen=True, kw_only=True):
    """path: below this API's address."""

    object: str = "download"
    id: str
    path: str
    expires: str
    file: FileView


class NewDownload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """day: in Asia/Shanghai."""

    day: date
    kind: Literal["trade", "fund"]
    format: Literal["csv", "json"]


@get("/v1/shop/files", opt=MONEY)
async def list_files(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    day: FromQuery[str] = "",
) -> Page[FileView]:
    """The files of a day, by default yesterday's; ready by 10:00 of the next one.

    Refuses: no_shop, permission_missing, invalid_request, file_not_ready."""
    wanted = _day(day) if day else day_of(clock.now()) - DAY
    found = await services.settlement.files(seat.shop_id, wanted)
    return page_of([_file(each) for each in found])


@post("/v1/shop/files/downloads", status_code=201, opt=MONEY)
async def open_download(
    data: JSONBody[NewDownload], seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> DownloadView:
    """An address for one file, for five minutes.

    Refuses: no_shop, permission_missing, file_not_ready."""
    given = await services.settlement.download(seat.shop_id, data.day, data.kind, data.format)
    await services.merchant.record(seat, "file_downloaded", f"{data.kind}:{data.day}")
    return DownloadView(
        id=given.token,
        path=f"/v1/shop/downloads/{given.token}",
        expires=timestamp(given.expires_at),
        file=_file(given.file),
    )


@get("/v1/shop/downloads/{token:str}", opt=MONEY | FILES)
async def download_file(
    seat: NamedDependency[Seat], services: NamedDependency[Services], token: FromPath[str]
) -> Response[bytes]:
    """The file itself.

    Refuses: no_shop, permission_missing, download_expired."""
    file, content = await services.settlement.content(seat.shop_id, token)
    digest = b64encode(bytes.fromhex(file.sha256)).decode()
    headers = {"Repr-Digest": f"sha-256=:{digest}:"}
    return Response(content, media_type=MEDIA_TYPES[file.format], headers=headers)


def _day(text: str) -> date:
    """Refuses: Invalid."""
    try:
        return msgspec.convert(text, date)
    except msgspec.ValidationError:
        raise Invalid(FieldError(parameter="day", code="wrong_form")) from None


def _file(file: BillFile) -> FileView:
    return FileView(
        id=f"{file.day}:{file.kind}:{file.format}",
        day=file.day.isoformat(),
        kind=file.kind,
        format=file.format,
        sha256=file.sha256,
        size=file.size,
        rows=file.rows,
        created=timestamp(file.made_at),
    )


handlers = [list_files, open_download, download_file]
