"""Scanning: the camera, a picture from the album, or a code typed by hand. Ours leads on; whatever
else a code holds is explained, never opened."""

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody

from backend.codes import Scanned, addresses
from backend.identity import Person
from backend.services import Services
from backend.settings import Settings
from backend.wallet.scanned import Found
from backend.wallet.scanned import find as find_out
from web.camera import permit_camera
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page
from web.scan_photo import MAX_PHOTO_BYTES, Unreadable, codes_in

MULTIPART_BYTES = 64 * 1024  # what a form needs around its picture
SHOWN_ADDRESS = 200  # characters of an address that is only told, not opened

SECRETS = {"invitation": "j", "friend": "f", "group": "g"}
TYPED_WRONG = msg("That is not a YiPay code. Check it and try again.")
NO_SUCH_CODE = msg("No shop has this code. Check the digits under the QR code.")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """path: where it leads, "" if nowhere."""

    scanned: Scanned
    text: str
    path: str


@get("/scan")
async def show(request: WebRequest, person: NamedDependency[Person]) -> Response[str]:
    return _scanner(request, Form({"text": ""}))


@post("/scan", status_code=200)
async def find(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str] | Response[None]:
    """text: what was typed or what the camera has read; by: "camera" for the latter."""
    form = Form(data)
    finding = await _find(services, settings, form["text"])
    if finding.path:
        return redirect(request, finding.path)
    if form["by"] == "camera" or finding.scanned.kind not in {"unknown", "static"}:
        return _told(request, finding)
    form.refuse("text", NO_SUCH_CODE if finding.scanned.kind == "static" else TYPED_WRONG)
    return _scanner(request, form, status_code=422)


@post("/scan/photo", status_code=200, request_max_body_size=MAX_PHOTO_BYTES + MULTIPART_BYTES)
async def find_in_photo(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str] | Response[None]:
    try:
        texts = await codes_in(await _photo(request))
    except Unreadable:
        return _told(request, _failed("no_picture"))
    findings = [await _find(services, settings, text) for text in texts]
    paths = {finding.path for finding in findings if finding.path}
    if len(paths) == 1:  # stickers often have another wallet's code beside ours
        return redirect(request, paths.pop())
    if paths:
        return _told(request, _failed("several"))
    return _told(request, findings[0] if findings else _failed("no_code"))


async def _photo(request: WebRequest) -> bytes:
    """The uploaded file; empty if there is none."""
    form = await request.form()
    try:
        upload = form.get("photo")
        return await upload.read() if isinstance(upload, UploadFile) else b""
    finally:
        await form.close()


async def _find(services: Services, settings: Settings, text: str) -> Finding:
    found = await find_out(services, settings.public_origin, text)
    return Finding(scanned=found.scanned, text=text, path=_path(found))


def _path(found: Found) -> str:
    """Each kind that leads on has a page of its own."""
    if found.scanned.kind in SECRETS:
        return f"/{SECRETS[found.scanned.kind]}/{found.scanned.ref}"
    return addresses.path_of(found.ref) if found.ref else ""


def _failed(kind: str) -> Finding:
    return Finding(scanned=Scanned(kind=kind), text="", path="")


def _scanner(request: WebRequest, form: Form, status_code: int = 200) -> Response[str]:
    permit_camera(request)
    return page(request, "scan/page.html", status_code=status_code, form=form, width="wide")


def _told(request: WebRequest, finding: Finding) -> Response[str]:
    shown = finding.text[:SHOWN_ADDRESS] if finding.scanned.kind == "address" else ""
    return page(
        request,
        "scan/told.html",
        status_code=422,
        kind=finding.scanned.kind,
        name=finding.scanned.name,
        address=shown,
        cut=len(finding.text) > SHOWN_ADDRESS,
    )


handlers = [show, find, find_in_photo]
