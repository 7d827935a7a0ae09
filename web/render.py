"""Pages from templates: the full page, or its content alone where htmx asks for a part.

Every template has, without importing anything: `nonce`, `csrf_token`, `visit`, `person` (None for a
visitor), `language`, `demo`, `now`, `path`, `partial`, `whole`, `texts`, `origin`, `idle`,
`static_url()`, `_`, `ngettext`, the macros of `_macros.html` as `ui` and those of `_frame.html` as
`frame`. Filters: `fen` ("¥1,234.56"), `when`, `day`, `time`, `second`, `qr`. `demo` is None but in
demo mode (web/demo.py).
"""

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from markupsafe import Markup

from backend.clock import Clock
from backend.identity import IDLE_LIFE
from backend.settings import Settings
from backend.texts import ZONE, money
from web.assets import Assets
from web.http import VARY, WebRequest
from web.i18n import Texts, texts
from web.security import cookies
from web.security.csrf import issue
from web.security.headers import nonce_of
from web.session import visit_of

TEMPLATES = Path(__file__).parent / "templates"
MACROS = {"ui": "_macros.html", "frame": "_frame.html"}


class Pages:
    """The drawing office of one app."""

    def __init__(self, settings: Settings, assets: Assets, clock: Clock) -> None:
        self.settings, self._clock = settings, clock
        self.environment = _environment()
        self.environment.globals["static_url"] = assets.url
        self.environment.globals["demo"] = _demo(settings)
        self.environment.globals["idle"] = IDLE_LIFE
        self.environment.globals["origin"] = settings.public_origin

    def draw(self, request: WebRequest, template: str, **context: Any) -> str:
        everything = self._common(request) | context
        for name, file in MACROS.items():
            module = self.environment.get_template(file).make_module(everything)
            everything[name] = module
        return self.environment.get_template(template).render(everything)

    def _common(self, request: WebRequest) -> dict[str, Any]:
        visit = visit_of(request)
        return {
            "nonce": nonce_of(request.scope),
            "csrf_token": issue(visit.csrf_secret),
            "visit": visit,
            "person": visit.person,
            "language": visit.language,
            "texts": texts(visit.language),
            "now": self._clock.now(),
            "path": request.scope["path"],
            "partial": request.is_partial,
            "whole": request.swaps_page,
        }


def page(
    request: WebRequest,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """The page, or its content alone for `HX-Request-Type: partial`."""
    return _respond(request, template, status_code, headers, context)


def fragment(
    request: WebRequest,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """A template that is a part in itself; its name starts with "_"."""
    return _respond(request, template, status_code, headers, context)


def unchanged() -> Response[None]:
    """The answer to a page that asks again and has seen it all: htmx leaves everything as it is."""
    return Response(None, status_code=204, headers={"Vary": VARY})


def draw(request: WebRequest, template: str, **context: Any) -> str:
    """The text alone."""
    return _pages(request).draw(request, template, **context)


def _respond(
    request: WebRequest,
    template: str,
    status_code: int,
    headers: Mapping[str, str] | None,
    context: dict[str, Any],
) -> Response[str]:
    visit = visit_of(request)
    kept: list[Cookie] = [cookies.csrf(visit.csrf_secret)] if visit.csrf_is_new else []
    return Response(
        draw(request, template, **context),
        media_type=MediaType.HTML,
        status_code=status_code,
        headers={"Vary": VARY, **(headers or {})},
        cookies=kept,
    )


def _demo(settings: Settings) -> object | None:
    """What templates may say of the sandbox; not even imported elsewhere."""
    return import_module("web.demo").sandbox(settings) if settings.demo else None


def _pages(request: WebRequest) -> Pages:
    found = request.app.state.pages
    assert isinstance(found, Pages)
    return found


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"fen": money, "when": _when, "day": _day, "time": _time, "qr": qr}
    environment.filters["second"] = _second
    return environment


def qr(address: str) -> Markup:
    """A QR code as inline SVG, sized by the style sheet."""
    code = segno.make(address, error="m", micro=False)
    return Markup(code.svg_inline(scale=4, omitsize=True, border=2))  # noqa: S704 — made by segno


def _texts(context: Context) -> Texts:
    found = context["texts"]
    assert isinstance(found, Texts)
    return found


@pass_context
def _gettext(context: Context, message: str) -> str:
    return _texts(context).gettext(message)


@pass_context
def _ngettext(context: Context, one: str, many: str, count: int) -> str:
    return _texts(context).ngettext(one, many, count)


@pass_context
def _when(context: Context, at: datetime, zone: ZoneInfo = ZONE) -> str:
    return _texts(context).when(at, zone)


@pass_context
def _day(context: Context, at: datetime) -> str:
    return _texts(context).day(at)


@pass_context
def _second(context: Context, at: datetime) -> str:
    return _texts(context).second(at)


@pass_context
def _time(context: Context, at: datetime) -> str:
    return _texts(context).time(at)
