"""The contract as it is committed: for programs, and as pages for people.

Pages are drawn once each, from the file alone, with style and script of our own.
"""

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import jinja2
import msgspec
from litestar import Response, get
from litestar.params import FromPath

from backend.errors import NotFound
from mobile_api.reference.pages import CONTRACT, Page, Reference

HERE = Path(__file__).parent
OPEN = {"open": True}
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
FILES = {"reference.css": "text/css", "reference.js": "text/javascript"}
FIVE_MINUTES = "public, max-age=300"
FOR_EVER = "public, max-age=31536000, immutable"


@get("/schema/openapi.json", opt=OPEN, include_in_schema=False)
async def schema() -> Response[bytes]:
    """The OpenAPI document."""
    headers = {"cache-control": FIVE_MINUTES}
    return Response(CONTRACT.read_bytes(), media_type="application/json", headers=headers)


@get(["/reference", "/reference/{section:str}"], opt=OPEN, include_in_schema=False)
async def reference(section: FromPath[str] = "") -> Response[str]:
    """The reference: what holds for every call, then a page per resource."""
    headers = {"content-security-policy": CSP, "cache-control": FIVE_MINUTES}
    return Response(_drawn(section), media_type="text/html; charset=utf-8", headers=headers)


@get("/reference-files/{version:str}/{name:str}", opt=OPEN, include_in_schema=False)
async def file(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Style and script of the reference, under their version."""
    if name not in FILES or version != _version():
        raise NotFound()
    headers = {"cache-control": FOR_EVER}
    return Response(_read(name), media_type=FILES[name], headers=headers)


handlers = [schema, reference, file]


@lru_cache
def _drawn(section: str) -> str:
    """Refuses: NotFound."""
    found = _reference()
    page = found.pages.get(section)
    if page is None:
        raise NotFound()
    return _template(page).render(
        page=page,
        reference=found,
        files=f"/api/reference-files/{_version()}",
    )


@lru_cache
def _reference() -> Reference:
    return Reference(msgspec.json.decode(CONTRACT.read_bytes()))


def _template(page: Page) -> jinja2.Template:
    return _environment().get_template("section.html" if page.operations else "start.html")


@lru_cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache
def _version() -> str:
    digest = blake2b(b"".join(_read(name) for name in sorted(FILES)), digest_size=6)
    return digest.hexdigest()


@lru_cache
def _read(name: str) -> bytes:
    return (HERE / "static" / name).read_bytes()
